"""Whether a name resolves to this machine. Pure: the caller looks up the addresses.

A router or a proxy may forward requests from an address that does not belong to this machine. So a foreign address is
certainly wrong only if this machine or its router has a public address.
"""

from __future__ import annotations

import functools
import ipaddress
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dnsrenew.base.checks import texts
from dnsrenew.base.host_port import is_public
from dnsrenew.base.model import Check
from dnsrenew.base.names import is_at_or_below, is_ip
from dnsrenew.errors import Text


def judge_addresses(
    identifier: str,
    found: Sequence[str],
    ours: Sequence[str],
    *,
    router: Sequence[str] = (),
    proxy: str | None = None,
    blocks: tuple[str, ...] = (),
) -> Check:
    """Return whether the addresses of a name lead to this machine. The first family that does not lead here decides.

    :param identifier: a name, or an IP address as its own only address.
    :param found: the A and AAAA addresses of the name.
    :param ours: addresses of this machine, including each of its addresses in ``found``.
    :param router: the known public addresses of the router.
    :param proxy: the CDN that answers for the name.
    :param blocks: the challenges for which a CA connects to this machine.
    """
    known = list(dict.fromkeys([*ours, *router]))
    evidence = {"identifier": identifier, "addresses": by_family(found), "ours": by_family(known)}
    if not found:
        return Check.of(texts.ADDRESSES_MISSING, "bad", evidence, blocks=blocks)
    foreign = by_family([address for address in found if address not in known])
    # A CA connects by IPv6 first (and IPv6 is hardly ever translated).
    kind = next((kind for kind in ("AAAA", "A") if foreign[kind]), None)
    if kind is None:
        return Check.of(texts.ADDRESSES_OK, "ok", evidence)
    fields = {"kind": kind, "address": foreign[kind], "own": by_family(known)[kind], "proxy": proxy}
    if proxy is not None:
        return Check.of(texts.ADDRESS_PROXIED, "unknown", evidence, blocks=blocks, **fields)
    if any(address in known for address in by_family(found)[kind]):
        return Check.of(texts.ADDRESS_SHARED, "unknown", evidence, blocks=blocks, **fields)
    own = [address for address in by_family(known)[kind] if not is_local(address)]
    if own:
        # With a good AAAA record, most CAs never use the A record.
        stopped = () if kind == "A" and by_family(found)["AAAA"] else blocks
        text = texts.ADDRESS_NOT_OURS if is_ip(identifier) else texts.ADDRESS_FOREIGN
        return Check.of(text, "bad", evidence, blocks=stopped, **{**fields, "own": own})
    return Check.of(_unsure(identifier, kind, known), "unknown", evidence, blocks=blocks, **fields)


def _unsure(identifier: str, kind: str, known: Sequence[str]) -> Text:
    if is_ip(identifier):
        return texts.ADDRESS_NOT_OURS
    if not by_family(known)[kind]:
        return texts.ADDRESS_FOREIGN_NO_OWN
    return texts.ADDRESS_FOREIGN_NAT if kind == "A" else texts.ADDRESS_FOREIGN


def is_local(address: str) -> bool:
    """Return whether an address cannot be reached from outside the local network."""
    return not is_public(address)


def by_family(addresses: Sequence[str]) -> dict[str, Any]:
    """Return the addresses by the record type that has them."""
    return {
        "A": [address for address in addresses if ":" not in address],
        "AAAA": [address for address in addresses if ":" in address],
    }


# ── proxies ────────────────────────────────────────────────────────────────────────────


def find(addresses: Iterable[str], chain: Iterable[str] = ()) -> tuple[str, str] | None:
    """Return the CDN that answers, and the address or CNAME target that shows it, or None.

    :param addresses: the addresses of a name.
    :param chain: the targets of its CNAME records.
    """
    for target in chain:
        for provider, its in _cdns().items():
            if any(is_at_or_below(target, name) for name in its.get("names", ())):
                return provider, target
    for address in addresses:
        parsed = ipaddress.ip_address(address)
        for provider, its in _cdns().items():
            if any(parsed in ipaddress.ip_network(network) for network in its.get("networks", ())):
                return provider, address
    return None


@functools.cache
def _cdns() -> dict[str, dict[str, list[str]]]:
    """Return the networks and the names of each CDN."""
    return tomllib.loads(Path(__file__).with_name("cdns.toml").read_text("utf-8"))
