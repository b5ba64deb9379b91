"""Whether a name resolves to this machine. Pure: the caller looks up the addresses.

A router or a proxy may forward requests from an address that is not this machine's. So an address of somebody else is
certain to be wrong only if this machine or its router has a public one.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any, Final

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
    """Return whether the addresses of a name lead to this machine; the first family that does not decides.

    :param identifier: a name, or an IP address, whose only address it is itself.
    :param found: the A and AAAA addresses of the name.
    :param ours: addresses of this machine; contains every address of ``found`` that is this machine's.
    :param router: the public addresses of the router, as far as they are known.
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
        # With a good AAAA record most CAs never use the A record.
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
    """Return the addresses by the type of record that holds them."""
    return {
        "A": [address for address in addresses if ":" not in address],
        "AAAA": [address for address in addresses if ":" in address],
    }


# ── proxies ────────────────────────────────────────────────────────────────────────────

# The CDNs and proxies that answer in place of a host: by their addresses, or by the names that a CNAME leads to.
# Pure.
#
# The addresses are the lists that they publish: https://www.cloudflare.com/ips/ and https://api.fastly.com/public-ip-
# list, as of 2025. Of the others only the names are known, because their addresses change or are shared with rented
# servers.

_RANGES: Final = {
    "Cloudflare": (
        *("173.245.48.0/20", "103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22", "141.101.64.0/18"),
        *("108.162.192.0/18", "190.93.240.0/20", "188.114.96.0/20", "197.234.240.0/22", "198.41.128.0/17"),
        *("162.158.0.0/15", "104.16.0.0/13", "104.24.0.0/14", "172.64.0.0/13", "131.0.72.0/22"),
        *("2400:cb00::/32", "2606:4700::/32", "2803:f800::/32", "2405:b500::/32", "2405:8100::/32"),
        *("2a06:98c0::/29", "2c0f:f248::/32"),
    ),
    "Fastly": (
        *("23.235.32.0/20", "43.249.72.0/22", "103.244.50.0/24", "103.245.222.0/23", "103.245.224.0/24"),
        *("104.156.80.0/20", "140.248.64.0/18", "140.248.128.0/17", "146.75.0.0/17", "151.101.0.0/16"),
        *("157.52.64.0/18", "167.82.0.0/17", "167.82.128.0/20", "167.82.160.0/20", "167.82.224.0/20"),
        *("172.111.64.0/18", "185.31.16.0/22", "199.27.72.0/21", "199.232.0.0/16"),
        *("2a04:4e40::/32", "2a04:4e42::/32"),
    ),
}
_NAMES: Final = {
    "akamai.net": "Akamai",
    "akamaiedge.net": "Akamai",
    "akamaized.net": "Akamai",
    "edgekey.net": "Akamai",
    "edgesuite.net": "Akamai",
    "azureedge.net": "Azure CDN",
    "azurefd.net": "Azure Front Door",
    "b-cdn.net": "bunny.net",
    "cdn77.org": "CDN77",
    "cfargotunnel.com": "Cloudflare",
    "cdn.cloudflare.net": "Cloudflare",
    "cloudfront.net": "Amazon CloudFront",
    "fastly.net": "Fastly",
    "fastlylb.net": "Fastly",
    "gcdn.co": "Gcore",
    "impervadns.net": "Imperva",
    "incapdns.net": "Imperva",
}


def find(addresses: Iterable[str], chain: Iterable[str] = ()) -> tuple[str, str] | None:
    """Return the CDN that answers, and the address or CNAME target that shows it; None if none does.

    :param addresses: the addresses of a name.
    :param chain: the targets of its CNAME records.
    """
    for target in chain:
        for suffix, provider in _NAMES.items():
            if is_at_or_below(target, suffix):
                return provider, target
    for address in addresses:
        parsed = ipaddress.ip_address(address)
        for network, provider in _networks():
            if parsed.version == network.version and parsed in network:
                return provider, address
    return None


@functools.cache
def _networks() -> tuple[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str], ...]:
    return tuple((ipaddress.ip_network(text), provider) for provider, texts in _RANGES.items() for text in texts)
