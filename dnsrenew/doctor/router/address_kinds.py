"""What an IPv4 address of a router says about the way in. Pure."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Final, Literal

AddressKind = Literal["public", "private", "cgnat", "ds-lite", "none"]
"""``cgnat``: shared by customers of a provider (RFC 6598). ``ds-lite``: the provider translates IPv4 (RFC 6333).
``private``: of a network behind another router. ``none``: no address of a host.
"""

_CGNAT: Final = IPv4Network("100.64.0.0/10")
_DS_LITE: Final = IPv4Network("192.0.0.0/24")
_PRIVATE: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


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
    if any(found in network for network in _PRIVATE):
        return "private"
    # Addresses for documentation are public here: no network uses them but one that is made for a test.
    is_none = found.packed[0] in {0, 255} or found.is_loopback or found.is_link_local or found.is_multicast
    return "none" if is_none else "public"
