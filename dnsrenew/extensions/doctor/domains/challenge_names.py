"""Where the TXT records of dns-01 go, which values exist there, and whether a name vanishes because of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.base.model import CertificateSpec, Check
from dnsrenew.dns import Target
from dnsrenew.errors import DnsError, Text
from dnsrenew.extensions.doctor.accounts.accounts import targets
from dnsrenew.extensions.doctor.domains import names as lookups
from dnsrenew.extensions.doctor.domains import texts
from dnsrenew.extensions.doctor.domains.names import NameFinding, combined
from dnsrenew.extensions.doctor.facts import DNS, Facts, kind_of
from dnsrenew.extensions.doctor.survey.zone_survey import ZoneFacts

Targets = Mapping[str, "Target | DnsError"]
Served = Mapping[str, Sequence[str]]
"""The TXT values at a name, by the address of the server."""

_WRONG: Final = frozenset({"cname-loop", "cname-dangling", "alias-not-delegated"})
"""Certain faults. Other errors are about the zone or the network."""


def cname(facts: Facts, spec: CertificateSpec) -> Check:
    """Follow the CNAMEs at the challenge names as a renewal does, for each setting in which the routes differ."""
    return judge_cnames([{**refused, **found} for found, refused in _found(facts, spec)])


def judge_cnames(results: Sequence[Targets]) -> Check:
    """Return whether the TXT record of each name arrives at the name that the CA queries. Pure.

    :param results: the targets by identifier, or why there is no target, for each setting of a route.
    """
    found = {name: [each[name] for each in results] for name in results[0]}
    there = {name: target for name, its in found.items() for target in its if not isinstance(target, DnsError)}
    shown = {name: {"name": at.name, "hops": list(at.hops), "zone": at.served_zone} for name, at in there.items()}
    wrong = [(name, each) for name, its in found.items() for each in its if isinstance(each, DnsError)]
    if not wrong:
        followed = next((each for each in there.values() if each.hops), None)
        if followed is None:
            places = list(dict.fromkeys(names.relative(each.name) for each in there.values()))
            return Check.of(texts.CNAME_NONE, "ok", {"targets": shown}, targets=places)
        start, end = names.relative(followed.hops[0]), names.relative(followed.name)
        return Check.of(texts.CNAME_FOLLOWED, "ok", {"targets": shown}, start=start, target=end)
    certain = [(name, error) for name, error in wrong if error.code in _WRONG]
    _, error = (certain or wrong)[0]
    stopped = [name for name, _ in certain or wrong if name not in there]  # others have another account or alias
    about = list(dict.fromkeys(stopped or [name for name, _ in certain or wrong]))
    evidence = {"names": about, "targets": shown, "error": error.to_dict()}
    return Check("cname", "bad" if certain else "unknown", error.message, evidence, error.fix, DNS if stopped else ())


def _found(facts: Facts, spec: CertificateSpec) -> list[tuple[dict[str, Target], dict[str, DnsError]]]:
    """Return where the TXT record of each identifier goes, or why it goes nowhere, for each setting of the routes."""
    routes = [route for route in spec.routes if kind_of(route.challenge) in DNS]
    settings = {(route.follow_cname, route.alias): route for route in routes}
    return [targets(facts, spec, route) for route in settings.values()]


def _without_place(spec: CertificateSpec, text: Text) -> Check:
    """Return the check for a certificate whose TXT records have no known place."""
    domains = lookups.domains(spec)
    return Check.of(text, "unknown", {"names": lookups.identifiers_of(spec, domains)}, domains=domains)


# ── txt-stale ───────────────────────────────────────────────────────────────────────────


def txt_stale(facts: Facts, spec: CertificateSpec) -> Check:
    """Look for unused TXT values at the challenge names, and at names that have the zone twice."""
    known = [(name, each) for found, _ in _found(facts, spec) for name, each in found.items()]
    if not known:
        return _without_place(spec, texts.TXT_NO_PLACE)
    places = {each.name: each.served_zone for _, each in known}
    doubled = {f"{name}{zone}": zone for name, zone in places.items()}
    zones = _zones(facts, places.values())
    live = _live(facts)  # before and after, because a run may write or end in between
    wanted = {name: zones[zone] for name, zone in {**places, **doubled}.items() if zone in zones}
    served = lookups.survey(facts).texts(facts.context, wanted)
    live |= _live(facts)
    findings = []
    for name, zone in places.items():
        its = [identifier for identifier, each in known if each.name == name]
        findings.append(judge_values(name, its, served.get(name), live))
        findings.append(judge_doubled(f"{name}{zone}", zone, its, served.get(f"{name}{zone}")))
    return combined(findings, {"values": {names.relative(name): its for name, its in served.items() if its}})


def judge_values(name: str, about: Sequence[str], served: Served | None, live: set[tuple[str, str]]) -> NameFinding:
    """Return whether old values are at a challenge name. Pure.

    :param served: the values at the name servers; None if they could not be queried.
    :param live: the names and values of live runs.
    """
    fields: dict[str, Any] = {"name": names.relative(name)}
    if served is None:
        return NameFinding("unknown", texts.TXT_UNKNOWN, about, fields)
    every = {value for values in served.values() for value in values}
    if old := sorted(value for value in every if (names.absolute(name), value) not in live):
        return NameFinding("bad", texts.TXT_STALE, about, {**fields, "values": old})
    return NameFinding("ok", texts.TXT_CLEAN, about, fields)


def judge_doubled(name: str, zone: str, identifiers: Sequence[str], served: Served | None) -> NameFinding:
    """Return whether a DNS host has written a TXT record to a name with the zone twice. Pure."""
    fields = {"name": names.relative(name), "zone": names.relative(zone)}
    if not served:
        return NameFinding("ok", texts.TXT_CLEAN, identifiers, fields)
    return NameFinding("bad", texts.TXT_DOUBLED, identifiers, fields)


def _zones(facts: Facts, wanted: Iterable[str]) -> dict[str, ZoneFacts]:
    """Return the known facts about zones by their absolute names."""
    unique = tuple(sorted({names.relative(zone) for zone in wanted}))
    paths = lookups.paths(facts, unique) if unique else {}
    cuts = [cut for path in paths.values() for cut in path.cuts]
    return {names.absolute(zone): known for zone, known in lookups.zones(facts, cuts).items()}


def _live(facts: Facts) -> set[tuple[str, str]]:
    live = set(facts.test_values)
    if facts.store.has_journal:
        live |= {(names.absolute(record.name), record.value) for record, _ in facts.store.journal.live_values()}
    return live


# ── wildcard-shadow ─────────────────────────────────────────────────────────────────────


def wildcard_shadow(facts: Facts, spec: CertificateSpec) -> Check:
    """Find names that exist only through a wildcard, and vanish while a TXT record exists below them."""
    known = [found for found, _ in _found(facts, spec) if found]
    if not known:
        return _without_place(spec, texts.SHADOW_UNKNOWN)
    shadowed = [domain for found in known for domain in facts.dns.shadowed(facts.context, found)]
    return judge_shadows(spec, list(dict.fromkeys(shadowed)))


def judge_shadows(spec: CertificateSpec, shadowed: Sequence[str]) -> Check:
    """Return whether a name vanishes. Pure."""
    if not shadowed:
        return Check.of(texts.SHADOW_NONE, "ok", {})
    evidence = {"names": lookups.identifiers_of(spec, shadowed), "domains": list(shadowed)}
    return Check.of(texts.SHADOWED, "bad", evidence, domain=shadowed[0], parent=shadowed[0].partition(".")[2])
