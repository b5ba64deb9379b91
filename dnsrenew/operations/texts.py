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
NOT_IN_FLEET: Final = Text(
    "certificate-unknown",
    "There is no certificate named {name}, neither in the configuration nor in the fleet.",
    "Run dnsrenew status to list the certificates.",
)
FLEET_LACKS: Final = Text(
    "fleet-lacks",
    "{name} needs the table {tables}, which {path} lacks.",
    "Add it to {path}, or change the certificate: dnsrenew fleet add FILE",
)
FLEET_LACKS_IN_PYTHON: Final = Text(
    "fleet-lacks",
    "{name} needs the account or CA {tables}, which the configuration lacks.",
    "Give it to the configuration, or change the certificate with Fleet.add().",
)
CONFIG_LACKS: Final = Text(
    "fleet-lacks",
    "The configuration {path} has no {tables}.",
    "Add the table, or change the certificate: dnsrenew fleet add FILE",
)
LEFT_OUT: Final = Text(
    "fleet-lacks",
    "Certificates of the fleet that this configuration cannot renew were left out: {count:,} ({names}).",
    "Run dnsrenew status --failing to see why.",
)
NAME_TAKEN: Final = Text(
    "fleet-name-taken",
    "The certificate {name} has a table in the configuration, and was added to the fleet too.",
    "Remove the table, or run dnsrenew fleet remove {name}.",
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
STILL_IN_FLEET: Final = Text(
    "certificate-configured",
    "The certificate {name} is in the fleet, so a worker would obtain it again.",
    "Remove it from the fleet: dnsrenew fleet remove {name}",
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
    "Add [{table}] with its directory to the configuration again.",
)
FILE_DAMAGED: Final = Text(
    "store-damaged",
    "{path} is damaged, so the certificate {name} cannot be revoked with it.",
    "Replace the certificate (dnsrenew renew --force {name}), and ask the CA to revoke the old one.",
)

# ── certificates by hand ────────────────────────────────────────────────────────────────

KEY_NOT_GIVEN: Final = Text(
    "key-wrong",
    "There is no private key for the certificate {name}: you gave no key, and no CSR of dnsrenew waits for it.",
    "Add the key that the certificate was requested with: --key FILE",
)
KEY_COMPROMISED: Final = Text(
    "certificate-wrong",
    "The certificate is for a key that was revoked as compromised.",
    "Request a certificate for a new key: dnsrenew csr {name} --new",
)
OLDER: Final = Text(
    "certificate-older",
    "The current certificate {name} from {issuer}, is valid until {not_after}, longer than the given one ({given}).",
    "Add --yes to install the given one anyway.",
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
TRIED: Final = Phrase("Tried {route}: {reason}")
TRIED_SAME: Final = Phrase("Tried {route}, which failed for the same reason.")
SKIPPED: Final = Phrase("Skipped {route}: {reason}")
SKIPPED_SAME: Final = Phrase("Skipped {route} for the same reason.")
DEFERRED: Final = Phrase("No attempt is made before {time}.")
DEFERRED_AFTER_FAILURE: Final = Phrase("An earlier attempt failed.")

# ── delegate ────────────────────────────────────────────────────────────────────────────

DELEGATE_NAME: Final = Text(
    "certificate-unknown",
    "{name} is neither a certificate of the configuration nor a domain of one.",
    "Use one of these: {known}.",
)
DELEGATE_FLEET: Final = Text(
    "certificate-unknown",
    "The certificate {name} is in the fleet, and dnsrenew delegate takes only the tables of the configuration.",
    "Set the CNAME record yourself, and give the certificate a route with `alias`: dnsrenew fleet add FILE",
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
    "The configuration has no DNS account that a CNAME record of {domains} could point to.",
    "To delegate {domains}, add a second DNS account, at a host with an API.",
)
DELEGATE_CHOOSE: Final = Text(
    _TO,
    "Several DNS accounts could write for {domains}: {accounts}.",
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
    "The DNS account {account} does not say which zones it writes to.",
    'Name the zone: --to ZONE; or add zones = ["ZONE"] to the account.',
)
DELEGATE_BY_HAND: Final = Text(
    _TO,
    "The DNS account {account} is written by hand, so a CNAME record to it would save no work.",
    "Choose an account that a program can write: --to ACCOUNT.",
)
DELEGATE_NO_TARGET: Final = Text(
    _TO,
    "The DNS account {account} writes only names that its server chooses, and its driver does not know which.",
    "Set the CNAME record that its documentation shows, then run: dnsrenew renew",
)
DELEGATE_OWN_ZONE: Final = Text(
    "delegate-own-zone",
    "{name} is a zone of its own with name servers of its own (NS records), and a CNAME record is not allowed at the "
    "top of a zone.",
    'Add a DNS account that writes to that zone (zones = ["{name}"]), or delete the NS records of {name}.',
)
DELEGATE_SILENT: Final = Text(
    "dns-unreachable",
    "No name server of {zone} says whether {name} has a CNAME record: {answers}.",
    "Allow DNS queries from this machine to port 53, then run dnsrenew delegate again.",
)
DELEGATE_LEADS_ELSEWHERE: Final = Text(
    "delegate-cname-elsewhere",
    "The CNAME record of {name} points to {target}.",
    "Change it at the DNS host of {zone}, so that it points to {value}.",
)
DELEGATE_BESIDE: Final = Text(
    "delegate-records-beside",
    "{name} has other records already ({types}), and a CNAME record is not allowed beside other records.",
    "Delete them at the DNS host of {zone}, then set the CNAME record.",
)
DELEGATE_DOUBLED: Final = Text(
    "delegate-name-doubled",
    "The CNAME record is at {doubled}: the DNS host appends {zone} to each name.",
    "Enter the name without the zone there: {short}.",
)
DELEGATE_WILDCARD: Final = Text(
    "delegate-wildcard",
    "Only a wildcard record answers for {name}; it points to {target}.",
    "Set the CNAME record of {name} itself at the DNS host of {zone}.",
)
DELEGATE_SERVER_SILENT: Final = Text(
    "delegate-server-unreachable",
    "Not every name server of {zone} could be asked for the CNAME record of {name}: {answers}.",
    "If that does not end, check the name servers of {zone}: dnsrenew doctor",
)
DELEGATE_CHAIN: Final = Text(
    "delegate-cname-elsewhere",
    "The CNAME record of {name} is there, but the chain of CNAME records ends at {target}, not at {value}.",
    "Delete the CNAME record of {value}.",
)
DELEGATE_IN_USE: Final = Text(
    "delegate-not-tested",
    "The DNS account {account} was not tested: it holds one value at {name}, and one is there.",
    "Run: dnsrenew doctor --probe",
)
DELEGATE_PERSIST_AGAIN: Final = Phrase(
    "Set once at the DNS host of the domain, and run dnsrenew delegate {name} --to dns-persist-01 again: {lines}"
)
DELEGATE_CHECK: Final = Text(
    _TO,
    "Only the record of dns-persist-01 can be checked, not {to}.",
    "Run: dnsrenew delegate {name} --to dns-persist-01 --check",
)
DELEGATE_VALIDATED: Final = Text(
    "delegate-validated",
    "The CA {ca} still accepts an earlier validation of {identifier}, so it does not show which TXT record it "
    "requires.",
    'Add the route {{ challenge = "dns-persist-01" }} to the certificate: the renewal that needs the record shows it.',
)

# The registration at an acme-dns server.
ACME_DNS_CLOSED: Final = Text(
    "acme-dns-closed",
    "The acme-dns server of the account {account} does not register new names (HTTP status {status}).",
    "Ask its operator for a registration and store it as {file}, or use another server: yours, or that of `api`.",
)
ACME_DNS_ODD_NAME: Final = Text(
    "provider-malformed-answer",
    "The acme-dns server of the account {account} gave a name that cannot be used: {name}.",
    "Check the address of the server: `api` of the account {account}.",
)
ACME_DNS_NO_FULLDOMAIN: Final = Text(
    _TO,
    "The DNS account {account} has its registration in options, which do not say its whole name.",
    "Store the registration, as the server gave it (username, password, subdomain, fulldomain), as a JSON file, and "
    "name it instead of them: registration = FILE.",
)
ACME_DNS_NO_FILE: Final = Text(
    _TO,
    "The DNS account {account} has no file for its registration.",
    "Add registration = FILE to the account.",
)
ACME_DNS_UNWRITABLE: Final = Text(
    "acme-dns-unwritable",
    "The registration of the DNS account {account} cannot be kept: {reason}",
    "Allow the user of dnsrenew to write to {folder}, or name another file: registration = FILE.",
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
    "Run dnsrenew status {name} -v to list its versions.",
)
VERSION_REVOKED: Final = Text(
    "rollback-refused",
    "Version {version} of {name} was revoked, or another certificate with its key as compromised.",
    "Get a new certificate: dnsrenew renew {name} --force",
)
VERSION_EXPIRED: Final = Text(
    "rollback-refused",
    "Version {version} of {name} is not valid now: it is from {not_before} to {not_after}.",
    "Get a new certificate: dnsrenew renew {name} --force",
)
VERSION_UNFIT: Final = Text(
    "rollback-refused",
    "Version {version} of {name} cannot serve: {reason}",
    "Get a new certificate: dnsrenew renew {name} --force",
)
KEY_UNREADABLE: Final = Phrase("its private key cannot be read.")
