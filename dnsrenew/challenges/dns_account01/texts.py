"""The texts of dns-account-01."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

NO_IP: Final = Text(
    "dns-account-ip-address",
    "The challenge dns-account-01 cannot validate an IP address: {identifiers}.",
    "Add an http-01 or a tls-alpn-01 route for the address.",
)
