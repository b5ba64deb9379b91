"""The texts of errors of :class:`dnsrenew.Renewer`, of :func:`dnsrenew.obtain` and of the operations."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

# ── names in a call ─────────────────────────────────────────────────────────────────────

CERTIFICATE_UNKNOWN: Final = Text(
    "certificate-unknown",
    "There is no certificate named {name} in the configuration.",
    "Use one of these names: {known}.",
)
CERTIFICATE_UNKNOWN_NEAREST: Final = Text(
    "certificate-unknown",
    "There is no certificate named {name} in the configuration.",
    "Did you mean {nearest}?",
)
CERTIFICATE_UNKNOWN_NONE: Final = Text(
    "certificate-unknown",
    "There is no certificate named {name} in the configuration, and no other one.",
    "Add [[certificate]] with its domains to the configuration.",
)
CERTIFICATE_UNKNOWN_MANY: Final = Text(
    "certificate-unknown",
    "There is no certificate named {name} in the configuration.",
    "Run dnsrenew status to list the {count:,} certificates.",
)
NO_MATCH: Final = Text(
    "certificate-unknown",
    "No certificate has a name that matches {name}.",
    "Run dnsrenew status to list the certificates.",
)
CERTIFICATE_MISSING: Final = Text(
    "certificate-missing",
    "The certificate {name} has not been obtained yet.",
    "Run: dnsrenew renew {name}",
)
CERTIFICATE_DAMAGED: Final = Text(
    "certificate-missing",
    "Files of the certificate {name} in the store are missing or damaged.",
    "Run: dnsrenew renew {name}",
)
CA_UNKNOWN: Final = Text(
    "ca-unknown",
    "There is no CA named {ca} in the configuration.",
    "Use one of these names: {known}.",
)
CA_UNKNOWN_NEAREST: Final = Text(
    "ca-unknown",
    "There is no CA named {ca} in the configuration.",
    "Did you mean {nearest}?",
)

NOT_STORED: Final = Text(
    "certificate-unknown",
    "There is no certificate named {name}, neither in the configuration nor in the store.",
    "List the certificates with: dnsrenew status",
)
NOT_STORED_NEAREST: Final = Text(
    "certificate-unknown",
    "There is no certificate named {name}, neither in the configuration nor in the store.",
    "Did you mean {nearest}?",
)
STILL_CONFIGURED: Final = Text(
    "certificate-configured",
    "The certificate {name} is in the configuration {path}, so the next run would obtain it again.",
    "Take it out of the configuration first.",
)

# ── accounts ────────────────────────────────────────────────────────────────────────────

ACCOUNT_MISSING: Final = Text(
    "account-missing",
    "There is no account at the CA {ca} yet.",
    "Run dnsrenew renew: it creates the account together with the first certificate from this CA.",
)

# ── revocation ──────────────────────────────────────────────────────────────────────────

REASON_UNKNOWN: Final = Text(
    "reason-unknown",
    'There is no revocation reason "{reason}".',
    "Use one of these reasons: {reasons}.",
)
NOTHING_TO_REVOKE: Final = Text(
    "certificate-missing",
    "There is no certificate {name} in the store, so there is nothing to revoke.",
    "List the certificates with: dnsrenew status",
)
ISSUER_FOREIGN: Final = Text(
    "ca-unknown",
    "The certificate {name} was issued by {issuer} and installed by hand: dnsrenew revokes only what it has obtained.",
    "Revoke it at {issuer} (serial number {serial}), then replace it with dnsrenew install, or with dnsrenew renew "
    "{name} --force.",
)
ISSUER_REMOVED: Final = Text(
    "ca-unknown",
    "The CA {ca}, which issued the certificate {name}, is not in the configuration.",
    "Add [ca.{ca}] with its directory to the configuration again.",
)
FILE_DAMAGED: Final = Text(
    "store-damaged",
    "{path} is damaged, so the certificate {name} cannot be revoked with it.",
    "Replace the certificate (dnsrenew renew --force {name}), and ask the CA to revoke the old one.",
)

# ── certificates by hand ────────────────────────────────────────────────────────────────

KEY_NOT_GIVEN: Final = Text(
    "key-wrong",
    "There is no private key for the certificate {name}: none was given, and no CSR of dnsrenew waits for it.",
    "Add the key that the certificate was requested with: --key FILE",
)
KEY_COMPROMISED: Final = Text(
    "certificate-wrong",
    "The certificate is for a key that was revoked as compromised.",
    "Request a certificate for a new key: dnsrenew csr {name} --new",
)
OLDER: Final = Text(
    "certificate-older",
    "The certificate in force, {name} from {issuer}, is valid until {not_after}, longer than the given one ({given}).",
    "Add --yes to install the given one all the same.",
)
CHAIN_INCOMPLETE: Final = Text(
    "chain-incomplete",
    'This system does not know "{issuer}", which issued the last certificate in the file, so clients may refuse it.',
    "Add the intermediate certificate of the issuer to the file and install it again, unless all clients trust it.",
)
CSR_OUTDATED: Final = Text(
    "csr-outdated",
    "The stored CSR of {name} is for {names} with a key of the kind {kind}, and the configuration has changed.",
    "Make a new key and CSR with dnsrenew csr {name} --new if the issuer has not made a certificate yet.",
)

# ── the error of obtain() ───────────────────────────────────────────────────────────────

NOT_OBTAINED: Final = Text(
    "renewal-failed",
    "No certificate could be obtained for {domains}. {details}",
    "{cause_fix}",
)
NO_CAUSE: Final = Text("renewal-failed", "The renewal failed.", "Try again.")

# One sentence of the details each.
TRIED: Final = "Tried {route}: {reason}"
TRIED_SAME: Final = "Tried {route}: the same."
SKIPPED: Final = "Skipped {route}: {reason}"
SKIPPED_SAME: Final = "Skipped {route}: the same."
DEFERRED: Final = "No attempt is made before {time}."
DEFERRED_AFTER_FAILURE: Final = "An earlier attempt failed."
