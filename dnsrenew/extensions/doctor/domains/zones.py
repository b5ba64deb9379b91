"""Whether the name servers of the zones work, and whether resolvers accept the signatures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

from dnsrenew.base.model import CertificateSpec, Check, rfc3339
from dnsrenew.errors import DnsRenewError
from dnsrenew.extensions.doctor.domains import names as lookups
from dnsrenew.extensions.doctor.domains import texts
from dnsrenew.extensions.doctor.domains.names import NameFinding, combined
from dnsrenew.extensions.doctor.facts import ALL, Facts
from dnsrenew.extensions.doctor.survey.name_survey import SignedZone, examine
from dnsrenew.extensions.doctor.survey.zone_survey import ZoneCut, ZoneFacts, ZoneServer

_UNASKED: Final = frozenset({"no-route", "not-asked", ""})
"""This machine cannot query the server, which says nothing about it."""
_UNSURE: Final = frozenset({"silent", "recursive"})
"""The network in between may be the reason."""
_MOST_NAMES: Final = 5  # in a zone whose own signatures are checked
_FAULTS: Final = {
    "no-key": texts.DNSSEC_NO_KEY,
    "ds-mismatch": texts.DNSSEC_MISMATCH,
    "expired": texts.DNSSEC_EXPIRED,
    "early": texts.DNSSEC_EARLY,
    "unsigned": texts.DNSSEC_MISSING,
    "invalid": texts.DNSSEC_INVALID,
    "no-denial": texts.DNSSEC_NO_DENIAL,
}

# ── delegation ──────────────────────────────────────────────────────────────────────────


def delegation(facts: Facts, spec: CertificateSpec) -> Check | None:
    """Ask every server of every zone on the way to the names, by UDP and by TCP; compare both lists of servers."""
    cuts = lookups.cuts_of(facts, spec)
    if not cuts:
        return None
    known = lookups.zones(facts, cuts)
    findings = []
    for cut, inside in reversed(cuts.items()):  # the zones of the names themselves first
        its = lookups.identifiers_of(spec, inside)
        unknown = NameFinding("unknown", texts.DELEGATION_UNKNOWN, its, {"zone": cut.zone}, ALL)
        findings.append(judge_delegation(known[cut.zone], its) if cut.zone in known else unknown)
    shown = [{**vars(zone), "servers": [dict(vars(each)) for each in zone.servers]} for zone in known.values()]
    return combined(findings, {"zones": shown})


def judge_delegation(zone: ZoneFacts, names: Sequence[str]) -> NameFinding:
    """Return whether the name servers of a zone work. Pure.

    :param names: the identifiers in the zone.
    """
    fields: dict[str, Any] = {"zone": zone.zone, "parent": zone.parent}
    maybe = () if zone.resolves else ALL  # port 53 may be closed here
    asked = [server for server in zone.servers if not _is_out_of_reach(server, zone.servers)]
    if not asked:
        text = texts.DELEGATION_UNREACHED if zone.servers else texts.DELEGATION_UNKNOWN
        return NameFinding("unknown", text, names, {**fields, "servers": list(map(_place, zone.servers))}, maybe)
    good = [server for server in asked if _works(server)]
    if not good:
        fields["servers"] = list(map(_place, asked))
        if all(_is_dead(server, resolves=zone.resolves) for server in asked):
            return NameFinding("bad", texts.DELEGATION_DEAD, names, fields, ALL)
        return NameFinding("unknown", texts.DELEGATION_UNREACHED, names, fields, maybe)
    return _one_server(asked, good, names, fields) or _lists(zone, good, names, fields)


def _one_server(
    asked: Sequence[ZoneServer], good: Sequence[ZoneServer], names: Sequence[str], fields: dict[str, Any]
) -> NameFinding | None:
    """Return the fault of one server of a working zone."""
    for server in asked:
        if not _works(server):
            is_lame = {server.udp, server.tcp} - _UNSURE - _UNASKED - {"closed"}
            text = texts.DELEGATION_LAME if is_lame else texts.DELEGATION_SILENT
            return NameFinding("bad", text, names, {**fields, "server": _place(server)})
    for one, other, wrong, everywhere in (
        ("tcp", "udp", texts.DELEGATION_NO_TCP, texts.DELEGATION_ONLY_UDP),
        ("udp", "tcp", texts.DELEGATION_NO_UDP, texts.DELEGATION_ONLY_TCP),
    ):
        without = [server for server in good if getattr(server, one) != "authority"]
        if len(without) == len(good):
            return NameFinding("unknown", everywhere, names, fields)
        if without and all(getattr(server, other) == "authority" for server in without):
            return NameFinding("bad", wrong, names, {**fields, "server": _place(without[0])})
    return None


def _lists(zone: ZoneFacts, good: Sequence[ZoneServer], names: Sequence[str], fields: dict[str, Any]) -> NameFinding:
    """Return whether the zone above and all servers list the same name servers."""
    listing = [server for server in good if server.ns]
    first = listing[0].ns if listing else None
    for server in listing:
        if server.ns != first:
            more = {"server": _place(server), "own": server.ns, "other": first}
            return NameFinding("bad", texts.DELEGATION_DISAGREE, names, {**fields, **more})
    if zone.parent_ns and first and set(zone.parent_ns) != set(first):
        more = {"above": zone.parent_ns, "own": first}
        return NameFinding("bad", texts.DELEGATION_DIFFERS, names, {**fields, **more})
    return NameFinding("ok", texts.DELEGATION_OK, names, {**fields, "count": len(good)})


def _works(server: ZoneServer) -> bool:
    return "authority" in {server.udp, server.tcp}


def _is_dead(server: ZoneServer, *, resolves: bool) -> bool:
    """Return whether a server certainly does not serve the zone.

    A firewall may refuse connections instead, which is likely if a resolver gets answers.
    """
    unsure = _UNSURE | {"closed"} if resolves else _UNSURE
    return not {server.udp, server.tcp} & unsure


def _is_out_of_reach(server: ZoneServer, servers: Iterable[ZoneServer]) -> bool:
    """Return whether this machine cannot query a server. If no server answers by IPv6, IPv6 may not work here."""
    if server.udp in _UNASKED and server.tcp in _UNASKED:
        return True
    is_silent = ":" in server.address and {server.udp, server.tcp} <= _UNSURE | _UNASKED
    return is_silent and not any(_works(each) for each in servers if ":" in each.address)


def _place(server: ZoneServer) -> str:
    return f"{server.name} {server.address}".rstrip()


# ── dnssec ──────────────────────────────────────────────────────────────────────────────


def dnssec(facts: Facts, spec: CertificateSpec) -> Check | None:
    """Check the signatures of every zone on the way to the names, from the DS records in the zone above down."""
    cuts = lookups.cuts_of(facts, spec)
    if not cuts:
        return None
    cuts = dict(reversed(cuts.items()))  # as above
    tasks = facts.context.call_all([partial(_examined, facts, spec, cut) for cut in cuts], 16)
    findings, shown = [], []
    for task, (cut, inside) in zip(tasks, cuts.items(), strict=True):
        names = lookups.identifiers_of(spec, inside)
        if isinstance(task.error, DnsRenewError):
            findings.append(NameFinding("unknown", texts.DNSSEC_UNKNOWN, names, {"zone": cut.zone}))
            continue
        signed, is_refused = task.result()
        findings.append(judge_signatures(signed, names, is_refused=is_refused))
        faults = [{**vars(fault), "when": rfc3339(fault.when)} for fault in signed.faults]
        shown.append({**vars(signed), "parent": cut.parent, "faults": faults, "refused": is_refused})
    return combined(findings, {"zones": shown})


def _examined(facts: Facts, spec: CertificateSpec, cut: ZoneCut) -> tuple[SignedZone, bool]:
    """Return the signatures of a zone, and whether a resolver here refuses them, but not its parent zone."""
    paths = lookups.paths(facts, lookups.domains(spec))
    own = [name for name, path in paths.items() if path.cuts and path.cuts[-1] == cut]
    signed = examine(facts.context, lookups.survey(facts), cut, lookups.zone(facts, cut), own[:_MOST_NAMES])
    is_refused = lookups.is_refused(facts, cut.zone) and not (cut.parent and lookups.is_refused(facts, cut.parent))
    return signed, is_refused


def judge_signatures(signed: SignedZone, names: Sequence[str], *, is_refused: bool) -> NameFinding:
    """Return whether a CA accepts the signatures of a zone. Pure.

    :param is_refused: whether a resolver of this machine refuses them.
    """
    fields: dict[str, Any] = {"zone": signed.zone}
    broken = {fault.server for fault in signed.faults}
    if broken and broken == set(signed.checked):
        fault = signed.faults[0]
        fields |= {"record": fault.record, "when": rfc3339(fault.when)}
        return NameFinding("bad", _FAULTS[fault.kind], names, fields, ALL)
    if is_refused:
        return NameFinding("bad", texts.DNSSEC_REFUSED, names, fields, ALL)
    if broken:
        return NameFinding("bad", texts.DNSSEC_SOME, names, {**fields, "servers": sorted(broken)})
    if signed.ds == ():
        return NameFinding("ok", texts.DNSSEC_UNSIGNED, names, fields)
    if signed.ds is not None and not signed.is_supported:
        return NameFinding("unknown", texts.DNSSEC_UNSUPPORTED, names, fields)
    if not signed.checked:
        return NameFinding("unknown", texts.DNSSEC_UNKNOWN, names, fields)
    return NameFinding("ok", texts.DNSSEC_OK, names, fields)
