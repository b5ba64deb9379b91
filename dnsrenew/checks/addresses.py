"""Whether a name resolves to this host: the likely cause if the CA did not get the answer by HTTP.

Pure: the caller looks up the addresses. Only a name without any address is certain: a router or a proxy may forward
requests from an address that is not this host's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from dnsrenew.base.names import is_ip
from dnsrenew.checks import texts
from dnsrenew.model import Check


def judge(identifier: str, found: Sequence[str], ours: Sequence[str]) -> Check:
    """Return whether the addresses of a name explain why a CA does not get the answer.

    :param identifier: a name, or an IP address, whose only address it is itself.
    :param found: the A and AAAA addresses of the name.
    :param ours: addresses of this host; contains every address of ``found`` that is this host's.
    """
    evidence = {"identifier": identifier, "addresses": by_family(found), "ours": by_family(ours)}
    if not found:
        return Check.of(texts.ADDRESSES_MISSING, "bad", evidence)
    foreign = by_family([address for address in found if address not in ours])
    # A CA connects by IPv6 first (and IPv6 is hardly ever translated).
    kind = next((kind for kind in ("AAAA", "A") if foreign[kind]), None)
    if kind is None:
        return Check.of(texts.ADDRESSES_OK, "ok", evidence)
    if is_ip(identifier):
        return Check.of(texts.ADDRESS_NOT_OURS, "unknown", evidence)
    own = by_family(ours)[kind]
    text = texts.ADDRESS_FOREIGN if own else texts.ADDRESS_FOREIGN_NO_OWN
    if kind == "A" and own and all(ipaddress.ip_address(address).is_private for address in own):
        text = texts.ADDRESS_FOREIGN_NAT
    address = texts.AND.join(foreign[kind])
    return Check.of(text, "unknown", evidence, kind=kind, address=address, own=texts.AND.join(own))


def by_family(addresses: Sequence[str]) -> dict[str, Any]:
    """Return the addresses by the type of record that holds them."""
    return {
        "A": [address for address in addresses if ":" not in address],
        "AAAA": [address for address in addresses if ":" in address],
    }
