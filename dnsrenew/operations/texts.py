"""The texts of errors of :class:`dnsrenew.Renewer`, of :func:`dnsrenew.obtain` and of the operations."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

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
    "There is no certificate named {name}: the configuration has no certificates.",
    "Add a [[certificate]] with its domains to the configuration.",
)
CERTIFICATE_UNKNOWN_MANY: Final = Text(
    "certificate-unknown",
    "There is no certificate named {name} in the configuration.",
    "Run `dnsrenew status` to list the {count:,} certificates.",
)
NO_MATCH: Final = Text(
    "certificate-unknown",
    "No certificate has a name that matches {name}.",
    "Run `dnsrenew status` to list the certificates.",
)
NOT_IN_FLEET: Final = Text(
    "certificate-unknown",
    "There is no certificate named {name}, neither in the configuration nor in the fleet.",
    "Run `dnsrenew status` to list the certificates.",
)
FLEET_LACKS: Final = Text(
    "fleet-lacks",
    "{name} needs the table {tables}, which is missing from {path}.",
    "Add it to {path}, or change the certificate: dnsrenew fleet add FILE",
)
FLEET_LACKS_IN_PYTHON: Final = Text(
    "fleet-lacks",
    "{name} needs the account or CA {tables}, which is missing from the configuration.",
    "Add it to the configuration, or change the certificate with Fleet.add().",
)
CONFIG_LACKS: Final = Text(
    "fleet-lacks",
    "The configuration {path} has no {tables}.",
    "Add the table, or change the certificate: dnsrenew fleet add FILE",
)
LEFT_OUT: Final = Text(
    "fleet-lacks",
    "{count:,} certificates of the fleet were left out, because this configuration cannot renew them ({names}).",
    "To see why, run `dnsrenew status --failing`.",
)
NAME_TAKEN: Final = Text(
    "fleet-name-taken",
    "The certificate {name} has a table in the configuration, but was added to the fleet too.",
    "Remove the table, or run `dnsrenew fleet remove {name}`.",
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
    "To list the certificates, run: dnsrenew status",
)
NOT_STORED_NEAREST: Final = Text(
    "certificate-unknown",
    "There is no certificate named {name}, neither in the configuration nor in the store.",
    "Did you mean {nearest}?",
)
STILL_IN_FLEET: Final = Text(
    "certificate-configured",
    "The certificate {name} is in the fleet, so a worker would obtain it again.",
    "Remove it from the fleet: dnsrenew fleet remove {name}",
)
STILL_CONFIGURED: Final = Text(
    "certificate-configured",
    "The certificate {name} is in the configuration {path}, so the next run would obtain it again.",
    "First remove its [[certificate]] table from the configuration.",
)

# ── accounts ────────────────────────────────────────────────────────────────────────────

ACCOUNT_MISSING: Final = Text(
    "account-missing",
    "There is no account at the CA {ca} yet.",
    "Run `dnsrenew renew`: it creates the account with the first certificate from this CA.",
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
    "To list the certificates, run: dnsrenew status",
)
ISSUER_FOREIGN: Final = Text(
    "ca-unknown",
    "The certificate {name} was issued by {issuer} and installed by hand; dnsrenew revokes only certificates that "
    "it has obtained.",
    "Revoke it at {issuer} (serial number {serial}), then replace it with `dnsrenew install` or `dnsrenew "
    "renew {name} --force`.",
)
ISSUER_REMOVED: Final = Text(
    "ca-unknown",
    "The configuration does not contain the CA {ca}, which issued the certificate {name}.",
    "Add [{table}] with its directory to the configuration again.",
)
FILE_DAMAGED: Final = Text(
    "store-damaged",
    "{path} is damaged, so it cannot be used to revoke the certificate {name}.",
    "Replace the certificate (`dnsrenew renew --force {name}`), and ask the CA to revoke the old one.",
)

# ── certificates by hand ────────────────────────────────────────────────────────────────

KEY_NOT_GIVEN: Final = Text(
    "key-wrong",
    "There is no private key for the certificate {name}: you passed none, and dnsrenew has no CSR for it.",
    "Add the key of the certificate request: --key FILE",
)
KEY_COMPROMISED: Final = Text(
    "certificate-wrong",
    "The key of the certificate was revoked as compromised.",
    "Request a certificate for a new key: dnsrenew csr {name} --new",
)
OLDER: Final = Text(
    "certificate-older",
    "The current certificate {name} from {issuer} is valid until {not_after}, longer than the new one ({given}).",
    "To install the new one anyway, add --yes.",
)
CHAIN_INCOMPLETE: Final = Text(
    "chain-incomplete",
    'The last certificate in the file was issued by "{issuer}", which this machine does not trust, so clients may '
    "refuse the certificate.",
    "Add the intermediate certificate of the issuer to the file and install it again. If all clients trust this "
    "issuer, do nothing.",
)
CSR_OUTDATED: Final = Text(
    "csr-outdated",
    "The stored CSR of {name} is for {names} with a {kind} key, but the configuration has changed.",
    "If the issuer has not issued a certificate yet, make a new key and CSR: dnsrenew csr {name} --new",
)

# ── the error of obtain() ───────────────────────────────────────────────────────────────

NOT_OBTAINED: Final = Text(
    "renewal-failed",
    "No certificate could be obtained for {domains}. {details}",
    "{cause_fix}",
)
NO_CAUSE: Final = Text("renewal-failed", "The renewal failed.", "Try again.")

# One sentence of the details each.
TRIED: Final = Phrase("Tried {route}: {reason}")
TRIED_SAME: Final = Phrase("Tried {route}, which failed for the same reason.")
SKIPPED: Final = Phrase("Skipped {route}: {reason}")
SKIPPED_SAME: Final = Phrase("Skipped {route} for the same reason.")
DEFERRED: Final = Phrase("The next attempt is not made before {time}.")
DEFERRED_AFTER_FAILURE: Final = Phrase("An earlier attempt failed.")

# ── delegate ────────────────────────────────────────────────────────────────────────────

DELEGATE_NAME: Final = Text(
    "certificate-unknown",
    "{name} is neither a certificate of the configuration nor a domain of one.",
    "Use one of these: {known}.",
)
DELEGATE_FLEET: Final = Text(
    "certificate-unknown",
    "The certificate {name} is in the fleet, but `dnsrenew delegate` works only for tables in the configuration.",
    "Set the CNAME record yourself, and add a route with `alias` to the certificate: dnsrenew fleet add FILE",
)
DELEGATE_NAME_NEAREST: Final = Text(
    "certificate-unknown",
    "{name} is neither a certificate of the configuration nor a domain of one.",
    "Did you mean {nearest}?",
)
DELEGATE_NO_DOMAINS: Final = Text(
    "delegate-not-needed",
    "The certificate {name} has no domain, only IP addresses, which need no CNAME record.",
    "Use http-01 or tls-alpn-01 for IP addresses.",
)
DELEGATE_OWN_DOMAIN: Final = Text(
    "delegate-not-needed",
    "The DNS account {account} can write the records of {domains} itself.",
    "Choose an account that writes to another zone: --to ZONE or --to ACCOUNT.",
)
_TO: Final = "delegate-account"
DELEGATE_NO_ACCOUNT: Final = Text(
    _TO,
    "The configuration has no DNS account for a CNAME record of {domains} to point to.",
    "Add one, and run this command again. `dnsrenew providers acme-dns` shows one that needs no domain, "
    "`dnsrenew providers duckdns` one with a free domain.",
)
DELEGATE_CHOOSE: Final = Text(
    _TO,
    "Several DNS accounts can write for {domains}: {accounts}.",
    "Choose one: --to {example}",
)
DELEGATE_TO_UNKNOWN: Final = Text(
    _TO,
    "{to} is neither a DNS account of the configuration nor in a zone of one.",
    "Use one of these accounts, or add one that writes to {to}: {known}.",
)
DELEGATE_TO_NEAREST: Final = Text(
    _TO,
    "{to} is neither a DNS account of the configuration nor in a zone of one.",
    "Did you mean {nearest}?",
)
DELEGATE_TO_EMPTY: Final = Text(
    _TO, "The account or zone to write to is empty.", "Use one of these accounts, or a zone of one: {known}."
)
DELEGATE_ZONE_NEEDED: Final = Text(
    _TO,
    "The DNS account {account} does not list the zones that it writes to.",
    'Name the zone with --to ZONE, or add zones = ["ZONE"] to the account.',
)
DELEGATE_BY_HAND: Final = Text(
    _TO,
    "You write the records of the DNS account {account} by hand, so a CNAME record to it would not save work.",
    "Choose an account that dnsrenew can write to (--to ACCOUNT), or add one: `dnsrenew providers acme-dns` shows one "
    "that needs no domain.",
)
DELEGATE_NO_TARGET: Final = Text(
    _TO,
    "The DNS account {account} writes only names that its server chooses, and its driver cannot tell which.",
    "Set the CNAME record that its documentation shows, then run: dnsrenew renew",
)
DELEGATE_OWN_ZONE: Final = Text(
    "delegate-own-zone",
    "{name} is a zone with its own name servers (NS records), and a CNAME record is not allowed at the top of a zone.",
    'Add a DNS account that writes to that zone (zones = ["{name}"]), or delete the NS records of {name}.',
)
DELEGATE_SILENT: Final = Text(
    "dns-unreachable",
    "No name server of {zone} answers whether {name} has a CNAME record: {answers}.",
    "Allow DNS queries from this machine to port 53, then run: dnsrenew delegate {domain}",
)
DELEGATE_LEADS_ELSEWHERE: Final = Text(
    "delegate-cname-elsewhere",
    "The CNAME record of {name} points to {target}.",
    "Change it at the DNS host of {zone} to point to {value}.",
)
DELEGATE_BESIDE: Final = Text(
    "delegate-records-beside",
    "{name} already has other records ({types}), and a CNAME record is not allowed beside them.",
    "Delete them at the DNS host of {zone}, then set the CNAME record.",
)
DELEGATE_DOUBLED: Final = Text(
    "delegate-name-doubled",
    "The CNAME record is at {doubled}: the DNS host appends {zone} to each name.",
    "At this DNS host, enter the name without the zone: {short}.",
)
DELEGATE_WILDCARD: Final = Text(
    "delegate-wildcard",
    "Only a wildcard record answers for {name}; it points to {target}.",
    "Set the CNAME record of {name} itself at the DNS host of {zone}.",
)
DELEGATE_SERVER_SILENT: Final = Text(
    "delegate-server-unreachable",
    "Not every name server of {zone} answered for the CNAME record of {name}: {answers}.",
    "If this does not stop, check the name servers of {zone}: dnsrenew doctor",
)
DELEGATE_CHAIN: Final = Text(
    "delegate-cname-elsewhere",
    "The CNAME record of {name} exists, but the chain of CNAME records ends at {target} instead of {value}.",
    "Delete the CNAME record of {value}.",
)
DELEGATE_IN_USE: Final = Text(
    "delegate-not-tested",
    "The DNS account {account} was not tested: it can hold only one value at {name}, which already has one.",
    "Run: dnsrenew doctor --probe",
)
DELEGATE_PERSIST_AGAIN: Final = Phrase(
    "Add this once at the DNS host of the domain, then run `dnsrenew delegate {name} --to dns-persist-01` "
    "again: {lines}"
)
DELEGATE_CHECK: Final = Text(
    _TO,
    "Only the record of dns-persist-01 can be checked, not {to}.",
    "Run: dnsrenew delegate {name} --to dns-persist-01 --check",
)
DELEGATE_VALIDATED: Final = Text(
    "delegate-validated",
    "The CA {ca} still accepts an earlier validation of {identifier}, so it does not show the TXT record that it "
    "requires.",
    'Add the route {{ challenge = "dns-persist-01" }} to the certificate: the first renewal that needs the record '
    "shows it.",
)

# The registration at an acme-dns server.
ACME_DNS_CLOSED: Final = Text(
    "acme-dns-closed",
    "The acme-dns server of the account {account} does not register new names (HTTP status {status}).",
    "Ask its operator for a registration and store it as {file}, or set `api` to another server.",
)
ACME_DNS_ODD_NAME: Final = Text(
    "provider-malformed-answer",
    "The acme-dns server of the account {account} returned a name that cannot be used: {name}.",
    "Check the address of the server: `api` of the account {account}.",
)
ACME_DNS_NO_FULLDOMAIN: Final = Text(
    _TO,
    "The DNS account {account} has its registration in options, which do not contain its full name.",
    "Store the registration from the server (username, password, subdomain, fulldomain) as a JSON file, and "
    "replace these options with: registration = FILE.",
)
ACME_DNS_NO_FILE: Final = Text(
    _TO,
    "The DNS account {account} has no file for its registration.",
    "Add registration = FILE to the account.",
)
ACME_DNS_UNWRITABLE: Final = Text(
    "acme-dns-unwritable",
    "The registration of the DNS account {account} cannot be kept: {reason}",
    "Allow the user that runs dnsrenew to write to {folder}, or use another file: registration = FILE.",
)

# Clauses for `answers`, one each.
SERVER_SAYS: Final = "{server} ({address}) {reason}"
NO_SERVERS: Final = Phrase("none of them has a known address")

# ── rollback ────────────────────────────────────────────────────────────────────────────

NO_OTHER_VERSION: Final = Text(
    "rollback-refused",
    "The store has no other version of {name}.",
    "Get a new certificate: dnsrenew renew {name} --force",
)
VERSION_GONE: Final = Text(
    "rollback-refused",
    "Version {version} of {name} is not in the store, or its meta.json is damaged.",
    "Run `dnsrenew status {name} -v` to list its versions.",
)
VERSION_REVOKED: Final = Text(
    "rollback-refused",
    "Version {version} of {name} was revoked, or another certificate with the same key was revoked as compromised.",
    "Get a new certificate: dnsrenew renew {name} --force",
)
VERSION_EXPIRED: Final = Text(
    "rollback-refused",
    "Version {version} of {name} is not valid now, only from {not_before} to {not_after}.",
    "Get a new certificate: dnsrenew renew {name} --force",
)
VERSION_UNFIT: Final = Text(
    "rollback-refused",
    "Version {version} of {name} cannot be used: {reason}",
    "Get a new certificate: dnsrenew renew {name} --force",
)
KEY_UNREADABLE: Final = Phrase("its private key cannot be read.")
