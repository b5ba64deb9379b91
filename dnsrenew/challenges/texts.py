"""The texts of errors and warnings about challenges."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

# ── any type that listens on a port ─────────────────────────────────────────────────────

HTTP_NO_WILDCARD: Final = Text(
    "http-wildcard",
    "The challenge http-01 cannot validate a wildcard: {identifiers}.",
    "Add a dns-01 route for the wildcard.",
)
HTTP_UNREACHABLE: Final = Text(
    "http-unreachable",
    "The CA cannot reach this host by HTTP on port 80. {ca_message}",
    "Forward port 80 to this host, or use a dns-01 route: it needs no open port.",
)
HTTP_UNREACHABLE_BECAUSE: Final = Text(
    "http-unreachable",
    "The CA cannot reach this host by HTTP on port 80. {ca_message} {likely}",
    "{likely_fix}",
)
TLS_ALPN_NO_WILDCARD: Final = Text(
    "tls-alpn-wildcard",
    "The challenge tls-alpn-01 cannot validate a wildcard: {identifiers}.",
    "Add a dns-01 route for the wildcard.",
)
TLS_ALPN_UNREACHABLE: Final = Text(
    "tls-alpn-unreachable",
    "The CA cannot reach this host by TLS on port 443. {ca_message}",
    "Forward port 443 to this host, or use a dns-01 route: it needs no open port.",
)
TLS_ALPN_UNREACHABLE_BECAUSE: Final = Text(
    "tls-alpn-unreachable",
    "The CA cannot reach this host by TLS on port 443. {ca_message} {likely}",
    "{likely_fix}",
)
LIKELY_CAUSE: Final = Text("", "{ca_message} {likely}", "{likely_fix}")
"""The CA's own error with its own code, and a likely cause."""

# Clauses for the field {cause} or {reason}.
NO_TIME_LEFT: Final = "no time was left"
LISTENER_SILENT: Final = "the listener does not respond ({reason})"
OTHER_RESPONSE: Final = "{address} responds with something else"
OTHER_CERTIFICATE: Final = "{address} presents another certificate"
FILE_UNREADABLE: Final = "its file cannot be read ({reason})"
FILE_CHANGED: Final = "its file has other content"

# ── http-01 ─────────────────────────────────────────────────────────────────────────────

HTTP_TOKEN_MALFORMED: Final = Text(
    "ca-malformed-answer",
    "The CA sent an invalid token for {identifier}: {token}",
    "Try again later, or use another CA.",
)
HTTP_NOT_SERVED: Final = Text(
    "http-not-served",
    "This host does not get the challenge response for {identifier} at {where}: {cause}.",
    "Check whether a firewall or another program intercepts the request, or use dns-01.",
)
HTTP_KEPT: Final = Text(
    "http-kept",
    "Challenge responses could not be removed at {where} ({reason}).",
    "They do no harm. Delete the files in .well-known/acme-challenge when convenient.",
)
HTTP_WEBROOT_LINK: Final = Text(
    "http-webroot-link",
    "A symbolic link leads from {path} out of the webroot to {leads_to}.",
    "Replace the link with a folder, or set webroot to a folder without such a link.",
)
HTTP_WEBROOT_MISSING: Final = Text(
    "http-webroot-missing",
    "The webroot {webroot} is not a folder.",
    "Set webroot to the folder whose files the web server serves at http://NAME/.",
)
HTTP_WEBROOT_UNWRITABLE: Final = Text(
    "http-webroot-unwritable",
    "The user that runs dnsrenew cannot write files in {path}: {reason}.",
    "Give this user write access to the folder, or use dns-01, which needs no files.",
)
HTTP_PORT_TAKEN: Final = Text(
    "http-port-taken",
    "Port {port}, which http-01 needs, is in use by {owner} (process {pid}).",
    "Set webroot to the folder that this program serves, stop the program, or use dns-01, which needs no port.",
)
HTTP_PORT_TAKEN_UNKNOWN: Final = Text(
    "http-port-taken",
    "Port {port}, which http-01 needs, is in use by another program.",
    "Set webroot to the folder that this program serves, stop the program, or use dns-01, which needs no port.",
)
HTTP_PORT_FORBIDDEN: Final = Text(
    "http-port-forbidden",
    "The user that runs dnsrenew is not allowed to listen on port {port}, which http-01 needs.",
    "Run it as root, give it CAP_NET_BIND_SERVICE, or use dns-01, which needs no port.",
)
HTTP_ADDRESS_MISSING: Final = Text(
    "http-address-missing",
    'This host has no address for listen = "{listen}".',
    'Listen on an address of this host, or on all of them with listen = ":{port}".',
)
HTTP_PORT_FAILED: Final = Text(
    "http-port-failed",
    "Port {port} cannot be opened: {cause}.",
    "Fix the reported system error, or use dns-01, which needs no port.",
)

# ── tls-alpn-01 ─────────────────────────────────────────────────────────────────────────

TLS_ALPN_NOT_SERVED: Final = Text(
    "tls-alpn-not-served",
    "This host does not get the challenge certificate for {identifier} at {listen}: {cause}.",
    "Check whether a firewall or another program intercepts the connection, or use dns-01.",
)
TLS_ALPN_PORT_TAKEN: Final = Text(
    "tls-alpn-port-taken",
    "Port {port}, which tls-alpn-01 needs, is in use by {owner} (process {pid}).",
    "Stop the program while the certificate is renewed, or use dns-01, which needs no port.",
)
TLS_ALPN_PORT_TAKEN_UNKNOWN: Final = Text(
    "tls-alpn-port-taken",
    "Port {port}, which tls-alpn-01 needs, is in use by another program.",
    "Stop the program while the certificate is renewed, or use dns-01, which needs no port.",
)
TLS_ALPN_PORT_FORBIDDEN: Final = Text(
    "tls-alpn-port-forbidden",
    "The user that runs dnsrenew is not allowed to listen on port {port}, which tls-alpn-01 needs.",
    "Run it as root, give it CAP_NET_BIND_SERVICE, or use dns-01, which needs no port.",
)
TLS_ALPN_ADDRESS_MISSING: Final = Text(
    "tls-alpn-address-missing",
    'This host has no address for listen = "{listen}".',
    'Listen on an address of this host, or on all of them with listen = ":{port}".',
)
TLS_ALPN_PORT_FAILED: Final = Text(
    "tls-alpn-port-failed",
    "Port {port} cannot be opened: {cause}.",
    "Fix the reported system error, or use dns-01, which needs no port.",
)

# ── dns-01 ──────────────────────────────────────────────────────────────────────────────

TXT_KEPT: Final = Text(
    "txt-kept",
    "TXT values at {names} could not be removed ({reason}).",
    "They do no harm. The next run, or dnsrenew cleanup, tries to remove them again.",
)
TXT_KEPT_UNSURE: Final = Text(
    "txt-kept",
    "TXT values at {names} may have been written and could not be removed ({reason}).",
    "They do no harm. The next run, or dnsrenew cleanup, tries to remove them again.",
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

# ── removing what earlier runs left ─────────────────────────────────────────────────────

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
    "It is not known whether killed runs left values in DNS. {reason}",
    "{reason_fix}",
)
"""An error of the store with its own code, as a warning before a run."""
