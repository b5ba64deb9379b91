"""Whether the addresses of a name lead to this host: what is likely when the CA did not get our answer by HTTP.

Pure: the addresses come from elsewhere. Only a name without any address is certain: a router or a proxy in front of
this host may hand on what is asked at an address that is not ours.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any, Final

from dnsrenew.checks import Verdict

CODE: Final = "addresses"


def judge(identifier: str, found: Sequence[str], ours: Sequence[str]) -> Verdict:
    """Return what the addresses of a name say about why a CA does not get our answer.

    :param found: the name's A and AAAA addresses.
    :param ours: addresses of this host, every one of ``found`` that is one among them.
    """
    evidence = {"identifier": identifier, "addresses": by_family(found), "ours": by_family(ours)}
    if not found:
        return Verdict(
            CODE,
            "bad",
            f"{identifier} has no A and no AAAA record, so no CA finds a host to ask.",
            evidence,
            f"Give {identifier} an A record with the address at which this host is reached, or use a dns-01 route.",
        )
    strange = by_family([address for address in found if address not in ours])
    own = by_family(ours)
    # A CA asks by IPv6 first (and IPv6 is hardly ever translated).
    kind = next((kind for kind in ("AAAA", "A") if strange[kind]), None)
    if kind is None:
        return Verdict(CODE, "ok", f"{identifier} leads to this host.", evidence)
    to = " and ".join(strange[kind])
    here = " and ".join(own[kind]) or "none of that kind"
    summary = f"The {kind} record of {identifier} leads to {to}, which is not an address of this host ({here})."
    if kind == "A" and own[kind] and all(ipaddress.ip_address(address).is_private for address in own[kind]):
        fix = f"If {to} is your router, forward its port 80 to this host; else correct the A record of {identifier}."
    else:
        fix = f"Correct the {kind} record of {identifier}, or take it away; or use a dns-01 route."
    return Verdict(CODE, "unknown", summary, evidence, fix)


def by_family(addresses: Sequence[str]) -> dict[str, Any]:
    """Return addresses by the kind of record that holds them."""
    return {
        "A": [address for address in addresses if ":" not in address],
        "AAAA": [address for address in addresses if ":" in address],
    }
