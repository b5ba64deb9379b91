"""What an IPv4 address of a router says about the path to it. Pure."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Final, Literal

from dnsrenew.base.public_addresses import is_public

AddressKind = Literal["public", "private", "cgnat", "ds-lite", "none"]
"""``cgnat``: shared by customers of a provider (RFC 6598). ``ds-lite``: the provider translates IPv4 (RFC 6333).
``private``: of a network behind another router, also one for documentation or benchmarks. ``none``: no address of a
host.
"""

_CGNAT: Final = IPv4Network("100.64.0.0/10")
_DS_LITE: Final = IPv4Network("192.0.0.0/24")


def kind_of(address: str) -> AddressKind:
    """Return the kind of an IPv4 address; anything else is ``none``."""
    try:
        found = IPv4Address(address)
    except AddressValueError:
        return "none"
    if found in _CGNAT:
        return "cgnat"
    if found in _DS_LITE:
        return "ds-lite"
    if found.packed[0] in {0, 255} or found.is_loopback or found.is_link_local or found.is_multicast:
        return "none"
    return "public" if is_public(address) else "private"
