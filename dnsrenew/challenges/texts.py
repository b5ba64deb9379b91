"""The texts of the challenge types: the shared ones, then the texts of each type."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

LIKELY_CAUSE: Final = Text("", "{ca_message} {likely}", "{likely_fix}")
"""The CA's own error with its own code, and a likely cause."""

# Clauses for the field {cause} or {reason}.
NO_TIME_LEFT: Final = Phrase("no time was left")
LISTENER_SILENT: Final = Phrase("the listener does not respond ({reason})")


# ── dns-01 ─────────────────────────────────────────────────────────────────────────────

DNS_NO_IP: Final = Text(
    "dns-ip-address",
    "The challenge dns-01 cannot validate an IP address: {identifiers}.",
    "Add an http-01 or a tls-alpn-01 route for the address.",
)
TXT_KEPT: Final = Text(
    "txt-kept",
    "TXT values at {names} could not be removed ({reason}).",
    "They do no harm. The next run, or `dnsrenew cleanup`, tries to remove them again.",
)
TXT_KEPT_UNSURE: Final = Text(
    "txt-kept",
    "TXT values at {names} may have been written and could not be removed ({reason}).",
    "They do no harm. The next run, or `dnsrenew cleanup`, tries to remove them again.",
)
NO_ACCOUNT: Final = Text(
    "dns-no-account",
    "No DNS account can write {record}, which validates {identifier}. The accounts' zones are {zones}.",
    "Add the zone to the account that holds it (zones = […]), or add an account for it.",
)
NO_ACCOUNT_NO_ZONES: Final = Text(
    "dns-no-account",
    "No DNS account can write {record}, which validates {identifier}.",
    "Add the zone to the account that holds it (zones = […]), or add an account for it.",
)
NOT_DELEGATED: Final = Text(
    "dns-not-delegated",
    "{record} has no CNAME record yet; the DNS account {accounts} can be used only through one.",
    "Run `dnsrenew delegate {identifier}`: it shows the CNAME record to set, once, and waits for it.",
)
BY_HAND_UNATTENDED: Final = Text(
    "manual-no-terminal",
    "The TXT record {record} must be set by hand (account {account}), but this run is scheduled or has no terminal.",
    "Run `dnsrenew renew` in a terminal, or set a CNAME record once: `dnsrenew delegate {identifier}`.",
)
BY_HAND_ALONE: Final = Text(
    BY_HAND_UNATTENDED.code,
    BY_HAND_UNATTENDED.message,
    "Run `dnsrenew renew` in a terminal, or give the certificate an account that dnsrenew can write to: "
    "`dnsrenew providers --search WORD` shows the ways for your DNS host.",
)
CNAME_ELSEWHERE: Final = Text(
    "cname-elsewhere",
    "A CNAME record points the TXT record of {identifier} to {name} in the zone {zone}. The DNS account {account} "
    "writes there, because it has no `zones`.",
    'Set zones = ["{zone}"] for the account {account} or alias = "{name}" in the route, or delete the CNAME if it is '
    "not yours.",
)

# ── removing the leftovers of earlier runs ──────────────────────────────────────────────

FOREIGN_LOST: Final = Text(
    "foreign-values-lost",
    "The script of the account {account} has removed or changed TXT values of other programs at {names}: {values}.",
    "Set these values again, and give the certificates another account: `dnsrenew providers --search WORD` "
    "shows the ways for your DNS host.",
)
FOREIGN_STOPPED: Final = Text(
    "foreign-values-lost",
    "The account {account} writes nothing more in this run, because its script has removed or changed TXT values "
    "of other programs.",
    "Give the certificates another account: `dnsrenew providers --search WORD` shows the ways for your DNS host.",
)
STILL_SERVED: Final = Text(
    "acme-sh-not-removed",
    "The script of the account {account} has ended, but the zone still serves its TXT values at {names}.",
    "Run: dnsrenew cleanup",
)

ACCOUNT_GONE: Final = Text(
    "account-gone",
    "The DNS account {account}, which wrote TXT values at {names}, is no longer in the configuration. "
    "The values are listed in {paths}.",
    "Add the account {account} again, or remove the values at your DNS host: the next run checks that they are gone.",
)
ACCOUNT_CHANGED: Final = Text(
    "account-changed",
    "The DNS account {account} was configured for another host when it wrote TXT values at {names}. "
    "The new host does not remove them: {reason}.",
    "Remove the values at the old host (the next run checks that they are gone), or configure the account as it was "
    "and run: dnsrenew cleanup",
)
ACCOUNT_CHANGED_SERVED: Final = Text(
    "account-changed",
    "The DNS account {account} was configured for another host when it wrote TXT values at {names}. "
    "They are still in DNS, or no name server responds.",
    "Remove the values at the old host (the next run checks that they are gone), or configure the account as it was "
    "and run: dnsrenew cleanup",
)
SWEEP_UNFINISHED: Final = Text(
    "sweep-unfinished",
    "The DNS host of the account {account} did not remove the TXT values at {names} in time.",
    "Run: dnsrenew cleanup",
)
SWEEP_KEPT: Final = Text(
    "sweep-kept",
    "TXT values of an earlier run at {names} could not be removed: {reason}",
    "{reason_fix}",
)
JOURNAL_UNREADABLE: Final = Text(
    "",
    "Could not check whether interrupted runs left TXT values in DNS. {reason}",
    "{reason_fix}",
)
"""An error of the store with its own code, as a warning before a run."""

# ── the way without a port ──────────────────────────────────────────────────────────────

ROUTE_INSTEAD: Final = Phrase(
    "Add {route} to the routes of {name}: DNS needs no open port. Or keep using the port. {fix}"
)
INIT_INSTEAD: Final = Phrase(
    "Run `dnsrenew init` and validate by DNS, which needs no open port. Or keep using the port. {fix}"
)
ACCOUNT_INSTEAD: Final = Phrase(
    "Add a DNS account (`dnsrenew providers NAME` prints its block, `dnsrenew init` in an empty folder "
    'asks for it), and {{ challenge = "dns-01" }} to the routes of {name}: DNS needs no open port. Or '
    "keep using the port. {fix}"
)
DNS_INSTEAD: Final = Phrase("Use a dns-01 route, which needs no open port. Or keep using the port. {fix}")


# ── dns-account-01 ─────────────────────────────────────────────────────────────────────

DNS_ACCOUNT_NO_IP: Final = Text(
    "dns-account-ip-address",
    "The challenge dns-account-01 cannot validate an IP address: {identifiers}.",
    "Add an http-01 or a tls-alpn-01 route for the address.",
)


# ── http-01 ────────────────────────────────────────────────────────────────────────────

HTTP_NO_WILDCARD: Final = Text(
    "http-wildcard",
    "The challenge http-01 cannot validate a wildcard: {identifiers}.",
    "Add a dns-01 route for the wildcard.",
)
HTTP_UNREACHABLE: Final = Text(
    "http-unreachable",
    "The CA cannot reach this machine by HTTP on port 80. {ca_message}",
    "Forward port 80 to this machine in the router, and allow it in every firewall.",
)
HTTP_UNREACHABLE_IP: Final = Text(
    "http-unreachable",
    "The CA cannot reach this machine by HTTP on port 80. {ca_message}",
    "Forward port 80 of the address to this machine.",
)
HTTP_UNREACHABLE_BECAUSE: Final = Text(
    "http-unreachable",
    "The CA cannot reach this machine by HTTP on port 80. {ca_message} {likely}",
    "{likely_fix}",
)
HTTP_TOKEN_MALFORMED: Final = Text(
    "ca-malformed-answer",
    "The CA sent an invalid token for {identifier}: {token}",
    "Try again later, or use another CA.",
)
HTTP_NOT_SERVED: Final = Text(
    "http-not-served",
    "This machine does not receive the challenge response for {identifier} at {where}: {cause}.",
    "Check whether a firewall or another program intercepts the request, or use dns-01.",
)
HTTP_STUCK: Final = Text(
    "http-not-served",
    "Challenge responses at {where} could not be written or read within {seconds} seconds.",
    "Check whether the file system of the webroot responds, or use dns-01, which needs no files.",
)
HTTP_KEPT: Final = Text(
    "http-kept",
    "Challenge responses could not be removed at {where} ({reason}).",
    "They are harmless. Delete the files in .well-known/acme-challenge when convenient.",
)
WEBROOT_LINK: Final = Text(
    "http-webroot-link",
    "A symbolic link leads from {path} out of the webroot to {leads_to}.",
    "Replace the link with a folder, or set webroot to a folder without such a link.",
)
WEBROOT_FOREIGN_LINK: Final = Text(
    "http-webroot-link",
    "{path}, on the way to the webroot {webroot}, is a link of {owner}, so {owner} decides where {user} writes.",
    "Set webroot to the folder that the link points to, or run `{command}`.",
)
WEBROOT_MISSING: Final = Text(
    "http-webroot-missing",
    "The webroot {webroot} is not a folder.",
    "Set webroot to the folder whose files the web server serves at http://NAME/.",
)
WEBROOT_UNWRITABLE: Final = Text(
    "http-webroot-unwritable",
    "The user that runs dnsrenew cannot write files in {path}: {reason}.",
    "Give this user write access to the folder, or use dns-01, which needs no files.",
)
WEBROOT_DISK_READ_ONLY: Final = Text(
    "http-webroot-unwritable",
    "No file can be written in {path}: its file system is read-only ({reason}).",
    "Mount it read-write (as root: `mount -o remount,rw {mount}`), or use dns-01, which needs no files.",
)
WEBROOT_READ_ONLY: Final = Text(
    "http-webroot-unwritable",
    "The systemd unit that runs dnsrenew does not allow it to write files in {path}: {reason}.",
    "Run `dnsrenew schedule install` again, so that the unit allows writing to {webroot}.",
)
WEBROOT_READ_ONLY_ELSEWHERE: Final = Text(
    "http-webroot-unwritable",
    "The systemd unit {unit} does not allow dnsrenew to write files in {path}: {reason}.",
    "Run `systemctl edit {unit}`, write [Service] and ReadWritePaths={webroot}, and restart it.",
)
HTTP_PORT_TAKEN: Final = Text(
    "http-port-taken",
    "Port {port}, which http-01 needs, is in use by {owner} (process {pid} of {user}).",
    "Use dns-01, which needs no port, or set webroot to the folder that this program serves.",
)
HTTP_PORT_TAKEN_UNKNOWN: Final = Text(
    "http-port-taken",
    "Port {port}, which http-01 needs, is in use by another program.",
    "Use dns-01, which needs no port, or set webroot to the folder that this program serves.",
)
HTTP_PORT_FORBIDDEN: Final = Text(
    "http-port-forbidden",
    "The user that runs dnsrenew is not allowed to listen on port {port}, which http-01 needs.",
    "Run dnsrenew as root, or give it CAP_NET_BIND_SERVICE.",
)
HTTP_ADDRESS_MISSING: Final = Text(
    "http-address-missing",
    'This machine has no address for listen = "{listen}".',
    'Listen on an address of this machine, or on all of them with listen = ":{port}".',
)
HTTP_PORT_FAILED: Final = Text(
    "http-port-failed",
    "Port {port} cannot be opened: {cause}.",
    "Fix this, or use dns-01, which needs no port.",
)
HTTP_NO_APP: Final = Text(
    "http-no-app",
    "The http-01 route with app = true works only inside the server whose app is wrapped by served.http01_app(app).",
    "Start that server, which renews automatically, or add another route, such as dns-01.",
)

# Clauses for the field {cause}.
HTTP_OTHER_RESPONSE: Final = Phrase("{address} responds with something else")
FILE_UNREADABLE: Final = Phrase("its file cannot be read ({reason})")
FILE_CHANGED: Final = Phrase("its file has other content")


# ── tls-alpn-01 ────────────────────────────────────────────────────────────────────────

TLS_NO_WILDCARD: Final = Text(
    "tls-alpn-wildcard",
    "The challenge tls-alpn-01 cannot validate a wildcard: {identifiers}.",
    "Add a dns-01 route for the wildcard.",
)
TLS_UNREACHABLE: Final = Text(
    "tls-alpn-unreachable",
    "The CA cannot reach this machine by TLS on port 443. {ca_message}",
    "Forward port 443 to this machine in the router, and allow it in every firewall.",
)
TLS_UNREACHABLE_IP: Final = Text(
    "tls-alpn-unreachable",
    "The CA cannot reach this machine by TLS on port 443. {ca_message}",
    "Forward port 443 of the address to this machine.",
)
TLS_UNREACHABLE_BECAUSE: Final = Text(
    "tls-alpn-unreachable",
    "The CA cannot reach this machine by TLS on port 443. {ca_message} {likely}",
    "{likely_fix}",
)
TLS_NOT_SERVED: Final = Text(
    "tls-alpn-not-served",
    "This machine does not receive the challenge certificate for {identifier} at {listen}: {cause}.",
    "Check whether a firewall or another program intercepts the connection, or use dns-01.",
)
TLS_PORT_TAKEN: Final = Text(
    "tls-alpn-port-taken",
    "Port {port}, which tls-alpn-01 needs, is in use by {owner} (process {pid} of {user}).",
    "Stop the program while the certificate is renewed, or use dns-01, which needs no port.",
)
TLS_PORT_TAKEN_UNKNOWN: Final = Text(
    "tls-alpn-port-taken",
    "Port {port}, which tls-alpn-01 needs, is in use by another program.",
    "Stop the program while the certificate is renewed, or use dns-01, which needs no port.",
)
TLS_PORT_FORBIDDEN: Final = Text(
    "tls-alpn-port-forbidden",
    "The user that runs dnsrenew is not allowed to listen on port {port}, which tls-alpn-01 needs.",
    "Run dnsrenew as root, or give it CAP_NET_BIND_SERVICE.",
)
TLS_ADDRESS_MISSING: Final = Text(
    "tls-alpn-address-missing",
    'This machine has no address for listen = "{listen}".',
    'Listen on an address of this machine, or on all of them with listen = ":{port}".',
)
TLS_PORT_FAILED: Final = Text(
    "tls-alpn-port-failed",
    "Port {port} cannot be opened: {cause}.",
    "Fix this, or use dns-01, which needs no port.",
)

# Clauses for the field {cause}.
TLS_OTHER_CERTIFICATE: Final = Phrase("{address} presents another certificate")


# ── dns-persist-01 ─────────────────────────────────────────────────────────────────────

PERSIST_NO_IP: Final = Text(
    "dns-persist-ip-address",
    "The challenge dns-persist-01 cannot validate an IP address: {identifiers}.",
    "Add an http-01 or a tls-alpn-01 route for the address.",
)
PERSIST_MISSING: Final = Text(
    "dns-persist-missing",
    "DNS has no TXT record that allows the account {account_url} at the CA {ca} to validate {identifiers} by "
    "dns-persist-01.",
    "Add this once at your DNS host, then run `dnsrenew renew`: {lines}",
)
PERSIST_NOT_VALID: Final = Text(
    "dns-persist-missing",
    "DNS has no valid TXT record that allows the account {account_url} at the CA {ca} to validate {identifiers} by "
    "dns-persist-01. The record there {reason}.",
    "Add this once at your DNS host, then run `dnsrenew renew`: {lines}",
)
PERSIST_NOT_WRITABLE: Final = Text(
    "dns-persist-missing",
    "DNS has no TXT record that allows the account {account_url} at the CA {ca} to validate {identifiers} by "
    "dns-persist-01, and the DNS account {accounts} cannot hold one.",
    "Add this once at the DNS host of the domain, then run `dnsrenew renew`: {lines}",
)
PERSIST_EXPIRES: Final = Text(
    "dns-persist-expires",
    "The TXT record at {name}, which validates {identifiers} by dns-persist-01, is valid until {until}.",
    "Set a new record at your DNS host before then, and delete the old one: {line}",
)
PERSIST_NOT_RENEWED: Final = Text(
    "dns-persist-expires",
    "The TXT record at {name}, which validates {identifiers} by dns-persist-01, is valid until {until}. "
    "A new one could not be written: {error}",
    "{error_fix}",
)
PERSIST_OLD_KEPT: Final = Text(
    "dns-persist-old-kept",
    "The old TXT record at {name} could not be removed after a new one was written: {error}",
    "It does no harm; delete it at your DNS host: {line}",
)
PERSIST_MALFORMED: Final = Text(
    "ca-dns-persist-malformed",
    "The CA {ca} offers dns-persist-01 for {identifier}, but {reason}.",
    "Use another route or another CA for this name.",
)

# Clauses for the field {reason} of NOT_VALID.
PERSIST_EXPIRED: Final = Phrase("was valid until {until}")
PERSIST_OTHER_ACCOUNT: Final = Phrase("is for another account of this CA")
PERSIST_OTHER_FORM: Final = Phrase("names the account in the form of a draft that the CA no longer accepts")
PERSIST_NO_WILDCARD: Final = Phrase("has no policy=wildcard, which a wildcard needs")
PERSIST_BROKEN: Final = Phrase("is malformed, so the CA ignores it")
PERSIST_NOT_THERE: Final = Phrase("is missing")
PERSIST_NOT_TOLD: Final = Phrase("cannot be read, because no DNS server answers for it")

# Clauses for the field {reason} of MALFORMED.
PERSIST_NO_ISSUER: Final = Phrase("its list of issuer domain names is missing or malformed")
PERSIST_UNKNOWN_FORM: Final = Phrase("it does so in the form of a draft that this version of dnsrenew does not support")
PERSIST_NO_PREFIX: Final = Phrase("its directory has no accountHashPrefix")
PERSIST_LEFT_OUT: Final = Phrase("it does not accept the issuer domain name {issuer} of its directory")
PERSIST_NOT_IN_CAA: Final = Phrase("the issuer domain name {issuer} is not one of its names in CAA records")
PERSIST_FOREIGN_ACCOUNT: Final = Phrase("the account would be {uri}, which is not at the host of the CA")
PERSIST_ODD_URI: Final = Phrase("a TXT record cannot hold the account URI {uri}")
