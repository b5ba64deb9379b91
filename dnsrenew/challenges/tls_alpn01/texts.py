"""The texts of tls-alpn-01."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

NO_WILDCARD: Final = Text(
    "tls-alpn-wildcard",
    "The challenge tls-alpn-01 cannot validate a wildcard: {identifiers}.",
    "Add a dns-01 route for the wildcard.",
)
UNREACHABLE: Final = Text(
    "tls-alpn-unreachable",
    "The CA cannot reach this machine by TLS on port 443. {ca_message}",
    "Forward port 443 to this machine, or use a dns-01 route: it needs no open port.",
)
UNREACHABLE_IP: Final = Text(
    "tls-alpn-unreachable",
    "The CA cannot reach this machine by TLS on port 443. {ca_message}",
    "Forward port 443 of the address to this machine.",
)
UNREACHABLE_BECAUSE: Final = Text(
    "tls-alpn-unreachable",
    "The CA cannot reach this machine by TLS on port 443. {ca_message} {likely}",
    "{likely_fix}",
)
NOT_SERVED: Final = Text(
    "tls-alpn-not-served",
    "This machine does not receive the challenge certificate for {identifier} at {listen}: {cause}.",
    "Check whether a firewall or another program intercepts the connection, or use dns-01.",
)
PORT_TAKEN: Final = Text(
    "tls-alpn-port-taken",
    "Port {port}, which tls-alpn-01 needs, is in use by {owner} (process {pid} of {user}).",
    "Stop the program while the certificate is renewed, or use dns-01, which needs no port.",
)
PORT_TAKEN_UNKNOWN: Final = Text(
    "tls-alpn-port-taken",
    "Port {port}, which tls-alpn-01 needs, is in use by another program.",
    "Stop the program while the certificate is renewed, or use dns-01, which needs no port.",
)
PORT_FORBIDDEN: Final = Text(
    "tls-alpn-port-forbidden",
    "The user that runs dnsrenew is not allowed to listen on port {port}, which tls-alpn-01 needs.",
    "Run dnsrenew as root, or use dns-01, which needs no port.",
)
ADDRESS_MISSING: Final = Text(
    "tls-alpn-address-missing",
    'This machine has no address for listen = "{listen}".',
    'Listen on an address of this machine, or on all of them with listen = ":{port}".',
)
PORT_FAILED: Final = Text(
    "tls-alpn-port-failed",
    "Port {port} cannot be opened: {cause}.",
    "Fix the reported system error, or use dns-01, which needs no port.",
)

# Clauses for the field {cause}.
OTHER_CERTIFICATE: Final = Phrase("{address} presents another certificate")
