"""One finding for each cause: consequences, for example of a missing Internet connection, are folded. Pure."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any, Final, TypeVar

from dnsrenew.base.model import Check
from dnsrenew.base.values import replace
from dnsrenew.dns.texts import NAMESERVERS_UNREACHABLE
from dnsrenew.errors import Message, Text
from dnsrenew.extensions.doctor.facts import ALL
from dnsrenew.extensions.doctor.host.texts import INTERNET_DOWN, INTERNET_SILENT
from dnsrenew.extensions.doctor.issuer.texts import CAA_CA_SILENT, CAA_UNKNOWN, CLOCK_UNKNOWN, TERMS_UNKNOWN
from dnsrenew.extensions.doctor.keeping import texts
from dnsrenew.extensions.doctor.keeping.texts import LAST_RUN_FORCE_MENDED, LAST_RUN_MENDED

FOLLOWS: Final = "follows_from"
"""The key in a check's evidence for the code of the finding from which it follows."""
OPEN: Final = "open"
"""The key in the evidence of a failure of the last run: a run would now take the failed route."""
LEFT_OUT: Final = "left_out"
"""The key in a finding's evidence for the codes of the checks that follow from it."""
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
"""The checks that are bad without an answer from the Internet."""
_NAMES: Final = ("cname", "dns-account", "txt-stale", "wildcard-shadow")
_HOSTS: Final = ("address", "proxied", "split-dns")
_FOLLOWING: Final = {
    "domain": (*_NAMES, *_HOSTS, _PORT, "name-exists", "delegation", "dnssec", "caa"),
    "name-exists": _HOSTS,
    "delegation": (*_NAMES, *_HOSTS, "dnssec", "caa"),
    "cname": _NAMES,
}
"""By bad check: the checks that add nothing new about the same names."""
_CREDENTIALS, _PROBE, _LAST_RUN, _CA = "dns-credentials", "txt-probe", "last-run", "ca-reachable"
_OF_CA: Final = frozenset({"ca-unreachable", "ca-untrusted", "ca-not-acme", "ca-timeout", "ca-server-error"})
"""The errors of a run that add nothing new about a CA that does not answer."""
_UNANSWERED: Final = (TERMS_UNKNOWN, CAA_CA_SILENT, CLOCK_UNKNOWN)
"""The texts of checks without an answer from a CA."""
_EXPIRY: Final = (texts.EXPIRY_MISSING, texts.EXPIRY_OVER, texts.EXPIRY_REVOKED, texts.EXPIRY_SOON)
_NEEDED: Final = (*_EXPIRY, texts.LAST_RUN_OVERDUE)
"""Findings that only a renewal repairs."""
_ADVISED: Final = (LAST_RUN_MENDED, texts.SERVED_NONE_YET, texts.PERSIST_UNKNOWN, texts.PERSIST_FAILED)
"""Findings that only announce the next renewal."""
_TOLD: Final = (
    (texts.SERVED_NONE_YET, texts.EXPIRY_MISSING),
    (texts.EXPIRY_MISSING, LAST_RUN_MENDED),
    (texts.EXPIRY_SOON, texts.LAST_RUN_OVERDUE),
    (texts.EXPIRY_SOON, LAST_RUN_MENDED),
)
"""Findings that advise a renewal that another finding advises too, with less information."""
_SHOWS: Final = {
    **dict.fromkeys(("dns-no-zone", "cname-dangling", "cname-loop", "alias-not-delegated"), ("domain", "cname")),
    **dict.fromkeys(("http-port-taken", "http-port-forbidden"), ("port-80-free",)),
    **dict.fromkeys(("tls-alpn-port-taken", "tls-alpn-port-forbidden"), ("port-443-free",)),
    **dict.fromkeys(("caa", "ca-caa"), ("caa",)),
    **dict.fromkeys(("ca-unreachable", "ca-untrusted", "ca-not-acme", "ca-timeout"), ("ca-reachable",)),
    **dict.fromkeys(("store-full", "store-read-only", "store-not-writable"), ("store", "store-space")),
    "ca-terms": ("ca-terms",),
    "clock-wrong": ("clock",),
    "secret-missing": ("secrets",),
}
"""By the error of a run: the checks that are OK only after its cause is gone."""

Key = TypeVar("Key", bound=Hashable)


def fold(found: Mapping[Key, Check]) -> dict[Key, Check]:
    """Return the checks, with one finding about a missing Internet connection if there is none.

    Its consequences become unknown, with a note in their evidence. The same applies to consequences of findings about
    their names.
    """
    by_code = {check.code: check for check in found.values() if check.code in {_INTERNET, _PORT}}
    internet, port = by_code.get(_INTERNET), by_code.get(_PORT)
    if internet is None or not _is_offline(internet, port):
        bad = [check for check in found.values() if check.result == "bad" and check.code in _FOLLOWING]
        silent = _silent(found.values())
        said = (*_UNANSWERED, INTERNET_SILENT) if port is not None and port.result == "ok" else _UNANSWERED
        cause = next((check.code for check in found.values() if says(check, [NAMESERVERS_UNREACHABLE])), None)
        told = {key: _of_ca(_of_names(check, bad), silent, said) for key, check in found.items()}
        return {
            key: following(each, cause) if cause and says(each, [CAA_UNKNOWN]) else each for key, each in told.items()
        }
    folded = {key: _follows(check) for key, check in found.items()}
    left_out = sorted({check.code for check in folded.values() if FOLLOWS in check.evidence})
    evidence = {**internet.evidence, LEFT_OUT: left_out}
    if internet.result == "bad":
        certain = replace(internet, evidence=evidence)
    else:
        certain = Check.of(INTERNET_DOWN, "bad", evidence, blocks=ALL)
    return {key: certain if check.code == _INTERNET else check for key, check in folded.items()}


def _is_offline(internet: Check, port: Check | None) -> bool:
    """Return whether there is no answer from outside, neither a CA nor a root server (these are never all down)."""
    if internet.result == "bad":
        return bool(internet.blocks)
    return "hosts" in internet.evidence and port is not None and bool(port.evidence.get("silent_roots"))


def _of_names(check: Check, bad: Sequence[Check]) -> Check:
    """Return a check. If another check about its names is already bad, it follows from that."""
    names = set(check.evidence.get("names", ()))
    for cause in bad if names and check.result != "ok" else ():
        if check.code in _FOLLOWING[cause.code] and names <= set(cause.evidence.get("names", ())):
            return following(check, cause.code)
    return check


def _silent(checks: Collection[Check]) -> set[Any]:
    """Return the names of the CAs that do not answer."""
    return {check.evidence.get("ca") for check in checks if check.code == _CA and check.result != "ok"}


def _of_ca(check: Check, silent: Collection[Any], unanswered: Collection[Text]) -> Check:
    is_one = silent and says(check, unanswered) and check.evidence.get("ca") in {*silent, None}
    return following(check, _CA) if is_one else check


def says(check: Check, known: Collection[Text]) -> bool:
    """Return whether a check has one of these texts."""
    return isinstance(check.summary, Message) and any(check.summary.template == each.message for each in known)


def while_stopped(checks: Sequence[Check], cause: str) -> list[Check]:
    """Return the checks of a certificate that cannot be renewed now, without the advice to run again.

    :param cause: the code of the finding that stops every route.
    """
    told = (following(check, cause) if says(check, _ADVISED) else check for check in checks)
    return [replace(check, fix="") if says(check, _NEEDED) else check for check in told]


def with_mended(checks: Sequence[Check]) -> list[Check]:
    """Return the checks of a certificate. A failure of the last run whose cause is gone advises another run.

    This advice is given once.
    """
    silent = _silent(checks)
    by_code: dict[str, set[str]] = {}
    for check in checks:
        by_code.setdefault(check.code, set()).add(check.result)

    refused = {check.evidence.get("dns") for check in checks if check.code == _CREDENTIALS and check.result == "bad"}

    def mended(check: Check) -> Check:
        code = check.evidence.get("error" if check.code == _PROBE else "code")
        route = (check.evidence.get("route") or {}) if check.code == _LAST_RUN else {}
        tried = route.get("dns", ())
        accounts = {check.evidence.get("dns")} if check.code == _PROBE else set(tried)
        if code == "provider-unauthorized" and not refused.isdisjoint(accounts):
            return following(check, _CREDENTIALS)
        if check.code == _LAST_RUN and code in _OF_CA and silent and route.get("ca") in {*silent, None}:
            return following(check, _CA)
        shows = (_CREDENTIALS, _PROBE) if str(code).startswith("provider-") else _SHOWS.get(str(code), ())
        if check.code != _LAST_RUN or check.result != "bad" or not shows:
            return check
        if (cause := next((each for each in checks if each.code in shows and each.result == "bad"), None)) is not None:
            return following(check, cause.code)
        if any(by_code.get(code, {"ok"}) != {"ok"} for code in shows) or by_code.keys().isdisjoint(shows):
            return check
        is_forced = says(check, [texts.LAST_RUN_FORCED])
        return Check.of(LAST_RUN_FORCE_MENDED if is_forced else LAST_RUN_MENDED, "bad", check.evidence)

    told = [mended(check) for check in checks]
    return [_once(check, told) for check in told]


def _once(check: Check, told: Sequence[Check]) -> Check:
    """Return a check. If another check gives the same advice, it follows from that."""
    more = [text for less, text in _TOLD if says(check, [less])]
    cause = next((each for each in told if more and says(each, more)), None)
    return check if cause is None else following(check, cause.code)


def _follows(check: Check) -> Check:
    if check.result == "ok" or check.code == _INTERNET:
        return check
    error = check.evidence.get("error")
    asked_dns = isinstance(error, Mapping) and str(error.get("code", "")).startswith("dns-")
    is_unknown = check.result == "unknown" and (check.code in _NEED_ANSWERS or asked_dns)
    if not is_unknown and check.code not in _FAIL_WITHOUT:
        return check
    return following(replace(check, result="unknown"), _INTERNET)


def following(check: Check, cause: str) -> Check:
    """Return a check as a consequence of a finding, which only JSON shows.

    :param cause: the code of the finding.
    """
    return replace(check, evidence={**check.evidence, FOLLOWS: cause})


def follows(check: Check) -> bool:
    """Return whether a check only follows from another finding."""
    return FOLLOWS in check.evidence
