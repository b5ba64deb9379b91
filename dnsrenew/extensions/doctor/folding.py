"""One cause, one finding: where this machine has no Internet, what follows from that is no finding of its own. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Final, TypeVar

from dnsrenew.base.model import Check
from dnsrenew.base.values import replace
from dnsrenew.extensions.doctor.facts import ALL
from dnsrenew.extensions.doctor.host.texts import INTERNET_DOWN

FOLLOWS: Final = "follows_from"
"""In the evidence of a check: the code of the finding that it follows from."""
LEFT_OUT: Final = "left_out"
"""In the evidence of a finding: the codes of the checks that follow from it."""
_INTERNET: Final = "internet"
_PORT: Final = "port-53"
_NEED_ANSWERS: Final = frozenset(
    (
        *("ca-reachable", "ca-terms", "ca-limits", "clock", "domain", "name-exists", "delegation", "dnssec", "caa"),
        *("split-dns", "cname", "dns-account", "dns-credentials", "txt-probe", "txt-stale", "wildcard-shadow"),
        *("address", "proxied", "ipv6", "vpn", "nat", "port-80-forwarded", "port-80-outside", "port-443-outside"),
    )
)
"""The checks that are unknown without an answer from the Internet."""
_FAIL_WITHOUT: Final = frozenset({_PORT, "ca-reachable", "delegation", "ipv6"})
"""The checks that are bad then."""

Key = TypeVar("Key", bound=Hashable)


def fold(found: Mapping[Key, Check]) -> dict[Key, Check]:
    """Return the checks, with the one finding that there is no Internet, where that is so.

    What follows from it is unknown then, and says so in its evidence.
    """
    by_code = {check.code: check for check in found.values() if check.code in {_INTERNET, _PORT}}
    internet, port = by_code.get(_INTERNET), by_code.get(_PORT)
    if internet is None or not _is_offline(internet, port):
        return dict(found)
    folded = {key: _follows(check) for key, check in found.items()}
    left_out = sorted({check.code for check in folded.values() if FOLLOWS in check.evidence})
    evidence = {**internet.evidence, LEFT_OUT: left_out}
    if internet.result == "bad":
        certain = replace(internet, evidence=evidence)
    else:
        certain = Check.of(INTERNET_DOWN, "bad", evidence, blocks=ALL)
    return {key: certain if check.code == _INTERNET else check for key, check in folded.items()}


def _is_offline(internet: Check, port: Check | None) -> bool:
    """Return whether nothing outside answers: no CA, and none of the root servers, which are never all down."""
    if internet.result == "bad":
        return bool(internet.blocks)
    return "hosts" in internet.evidence and port is not None and bool(port.evidence.get("silent_roots"))


def _follows(check: Check) -> Check:
    if check.result == "ok" or check.code == _INTERNET:
        return check
    error = check.evidence.get("error")
    asked_dns = isinstance(error, Mapping) and str(error.get("code", "")).startswith("dns-")
    is_unknown = check.result == "unknown" and (check.code in _NEED_ANSWERS or asked_dns)
    if not is_unknown and check.code not in _FAIL_WITHOUT:
        return check
    return replace(check, result="unknown", evidence={**check.evidence, FOLLOWS: _INTERNET})


def follows(check: Check) -> bool:
    """Return whether a check only follows from another finding."""
    return FOLLOWS in check.evidence
