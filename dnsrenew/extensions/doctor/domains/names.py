"""Whether the domains are registered, whether the names exist, and whether this machine sees the same as the CA."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.base.checks import addresses
from dnsrenew.base.model import CertificateSpec, Check, CheckResult
from dnsrenew.base.names import is_public_suffix, is_wildcard
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.challenges.http01 import own_addresses
from dnsrenew.config.cas import is_built_in
from dnsrenew.config.loader import refusal
from dnsrenew.errors import DnsRenewError, Text
from dnsrenew.extensions.doctor.domains import texts
from dnsrenew.extensions.doctor.facts import ALL, INBOUND, TLS, Facts
from dnsrenew.extensions.doctor.router.outside import public_addresses
from dnsrenew.extensions.doctor.survey.name_survey import NameRecords, NameSurvey, ResolvedName
from dnsrenew.extensions.doctor.survey.zone_survey import NamePath, ZoneCut, ZoneFacts

_PARKING: Final = (
    "pendingrenewaldeletion.com",  # Network Solutions: expired
    "renewyourname.net",  # Tucows: expired
    "expirenotification.com",  # PublicDomainRegistry: expired
    *("dns-parking.com", "parkingcrew.net", "sedoparking.com", "bodis.com", "above.com", "undeveloped.com"),
)
"""The name servers to which registrars and domain traders point unpaid domains and domains for sale."""


# ── domain ──────────────────────────────────────────────────────────────────────────────


def domain(facts: Facts, spec: CertificateSpec) -> Check:
    """Find out whether each domain is registered, and whether a public CA issues for it."""
    wanted = domains(spec)
    is_public = all(is_built_in(facts.its.cas[ca]) for ca in facts.cas(spec))  # not another CA with such a name
    refused = {name for name in wanted if is_public and refusal(name) is not None}
    known = paths(facts, wanted)
    findings = []
    for name in sorted(wanted, key=lambda each: each not in refused):  # whether a refused one exists does not matter
        its = identifiers_of(spec, [name])
        if name in refused:
            text = texts.DOMAIN_SUFFIX if is_public_suffix(name) else texts.DOMAIN_NOT_PUBLIC
            findings.append(NameFinding("bad", text, its, {"domain": name}, ALL))
        else:
            findings.append(judge_domain(name, its, known[name], _registered(facts, known[name]), is_public=is_public))
    zones = {name: path.zone for name, path in known.items()}
    return combined(findings, {"domains": zones, "zones": list(dict.fromkeys(filter(None, zones.values())))})


def judge_domain(
    name: str, identifiers: Sequence[str], path: NamePath, registered: ZoneFacts | None, *, is_public: bool
) -> NameFinding:
    """Return the known facts about the registration of a domain. Pure.

    :param registered: the uppermost zone of the name, or without a zone, the name that does not exist.
    :param is_public: whether only public CAs issue; a private CA may use its own DNS.
    """
    if registered is None:
        if path.absent is None:
            return NameFinding("unknown", texts.DOMAIN_UNKNOWN, identifiers, {"domain": name}, ALL)
        top = name.rpartition(".")[2]
        text = texts.DOMAIN_NO_TOP if is_public_suffix(top) else texts.DOMAIN_NOWHERE
        return NameFinding("bad", text, identifiers, {"domain": name, "top": top}, ALL)
    fields = {"domain": name, "registered": registered.zone, "parent": registered.parent}
    if registered.is_absent and (is_public or not path.cuts):
        return NameFinding("bad", texts.DOMAIN_NOT_REGISTERED, identifiers, fields, ALL)
    if not path.cuts:
        return NameFinding("unknown", texts.DOMAIN_UNKNOWN, identifiers, fields, ALL)
    servers = registered.parent_ns or tuple(dict.fromkeys(server.name for server in registered.servers))
    if servers and all(any(names.is_at_or_below(server, each) for each in _PARKING) for server in servers):
        return NameFinding("bad", texts.DOMAIN_PARKED, identifiers, {**fields, "servers": list(servers)}, ALL)
    return NameFinding("ok", texts.DOMAIN_OK, identifiers, {})


def _registered(facts: Facts, path: NamePath) -> ZoneFacts | None:
    """Return the known facts about the uppermost zone of a name, or its absence in a top-level domain."""
    if path.cuts:
        return zone(facts, path.cuts[0])
    if path.absent is None or not path.above:
        return None
    return zone(facts, ZoneCut(path.absent, path.above, resolves=False))


# ── name-exists ─────────────────────────────────────────────────────────────────────────


def name_exists(facts: Facts, spec: CertificateSpec) -> Check:
    """Find out whether each name has an address, as http-01 and tls-alpn-01 need it."""
    wanted = domains(spec)
    known, found = paths(facts, wanted), records(facts, spec)
    needed = spec.identifiers if facts.challenges(spec) & set(INBOUND) else ()
    findings = [judge_existence(name, known[name].zone, found[name], is_needed=name in needed) for name in wanted]
    return combined(findings, {"records": {name: dict(vars(its)) for name, its in found.items()}})


def judge_existence(name: str, zone: str | None, its: NameRecords, *, is_needed: bool) -> NameFinding:
    """Return whether a name has an address. Pure.

    :param is_needed: whether a CA connects to it, which is not so for a wildcard.
    """
    fields = {"domain": name, "zone": zone}
    if its.addresses:
        return NameFinding("ok", texts.EXISTS_OK, [name], fields)
    if not is_needed:
        return NameFinding("ok", texts.EXISTS_NOT_NEEDED, [name], fields)
    if its.existence == "unknown":
        return NameFinding("unknown", texts.EXISTS_UNKNOWN, [name], fields, INBOUND)
    if its.existence != "absent":
        return NameFinding("bad", texts.EXISTS_EMPTY, [name], fields, INBOUND)
    return NameFinding("bad", texts.EXISTS_ABSENT if zone else texts.EXISTS_NOWHERE, [name], fields, INBOUND)


# ── split-dns ───────────────────────────────────────────────────────────────────────────


def split_dns(facts: Facts, spec: CertificateSpec) -> Check:
    """Compare the answers of this machine's DNS servers with the answers of the zones' servers."""
    wanted = domains(spec)
    known, here = records(facts, spec), survey(facts).resolved(facts.context, wanted)
    findings = [judge_views(name, known[name], here[name]) for name in wanted]
    shown = {name: dict(vars(its)) for name, its in here.items()}
    outside = {name: list(its.addresses) for name, its in known.items()}
    return combined(findings, {"resolved": shown, "authoritative": outside})


def judge_views(name: str, its: NameRecords, resolved: ResolvedName) -> NameFinding:
    """Return whether this machine sees other addresses of a name than the CA. Pure."""
    outside = its.addresses
    fields = {"domain": name, "here": list(resolved.addresses), "outside": list(outside)}
    if its.existence == "unknown" or resolved.rcode not in {"NOERROR", "NXDOMAIN"}:
        return NameFinding("unknown", texts.SPLIT_UNKNOWN, [name], fields)
    if set(resolved.addresses) == set(outside):
        return NameFinding("ok", texts.SPLIT_OK, [name], fields)
    if not outside:
        return NameFinding("ok", texts.SPLIT_ONLY_HERE, [name], fields)
    if not resolved.addresses:
        kinds = {"AAAA" if ":" in each else "A" for each in outside}
        if all(map(addresses.is_local, outside)) and kinds.isdisjoint(resolved.denied):
            return NameFinding("bad", texts.SPLIT_HIDDEN, [name], fields)
        return NameFinding("unknown", texts.SPLIT_NOT_YET, [name], fields)
    if all(map(addresses.is_local, resolved.addresses)) and not all(map(addresses.is_local, outside)):
        return NameFinding("bad", texts.SPLIT_PRIVATE, [name], fields)
    return NameFinding("unknown", texts.SPLIT_OTHER, [name], fields)


# ── addresses ──────────────────────────────────────────────────────────────────────────

# Whether the names lead to this machine, or to a CDN.


def address(facts: Facts, spec: CertificateSpec) -> Check | None:
    """Compare the addresses of each name with those of this machine and its router."""
    hosts = [each for each in spec.identifiers if not is_wildcard(each)]
    if not hosts:
        return None
    known = records(facts, spec) if domains(spec) else {}
    unknown = {name for name in hosts if name in known and known[name].existence == "unknown"}
    found = {name: known[name].addresses if name in known else (name,) for name in hosts if name not in unknown}
    ours = own_addresses([address for its in found.values() for address in its])
    router, checks = public_addresses(facts), {}
    for name, its in found.items():
        proxy = addresses.find(its, known[name].chain) if name in known else None
        provider = proxy[0] if proxy else None
        checks[name] = addresses.judge_addresses(name, its, ours, router=router, proxy=provider, blocks=INBOUND)
    return worst(checks, {name: each.ttl for name, each in known.items()}, unknown=unknown)


def worst(checks: Mapping[str, Check], ttl: Mapping[str, int | None], *, unknown: set[str]) -> Check:
    """Return the worst check of some names as the check of all, with the findings for each. Pure.

    :param ttl: the seconds for which a resolver may cache the records of a name.
    :param unknown: names whose addresses are unknown.
    """
    if not checks:
        return Check.of(texts.ADDRESS_UNKNOWN, "unknown", {"names": sorted(unknown)}, blocks=INBOUND)
    rank = {"bad": 0, "unknown": 1, "ok": 2}
    chosen = min(checks.values(), key=lambda check: (rank[check.result], not check.blocks))
    alike = [name for name, each in checks.items() if (each.result, each.blocks) == (chosen.result, chosen.blocks)]
    shown: dict[str, Any] = {
        name: {**each.evidence["addresses"], "ttl": ttl.get(name), "result": each.result}
        for name, each in checks.items()
    }
    about = {} if chosen.result == "ok" else {"names": alike}
    return replace(chosen, evidence={**about, "found": shown, "ours": chosen.evidence["ours"]})


def proxied(facts: Facts, spec: CertificateSpec) -> Check | None:
    """Find out whether a CDN answers for a name."""
    hosts = [each for each in domains(spec) if each in spec.identifiers]
    if not hosts:
        return None
    known = records(facts, spec)
    findings = [judge_proxy(name, known[name]) for name in hosts]
    return combined(findings, {"chains": {name: list(its.chain) for name, its in known.items()}})


def judge_proxy(name: str, its: NameRecords) -> NameFinding:
    """Return whether a CDN answers for a name. Pure."""
    if its.existence == "unknown":
        return NameFinding("unknown", texts.PROXIED_UNKNOWN, [name], {"domain": name}, TLS)
    if (found := addresses.find(its.addresses, its.chain)) is None:
        return NameFinding("ok", texts.PROXIED_NO, [name], {})
    provider, seen = found
    return NameFinding("bad", texts.PROXIED, [name], {"domain": name, "provider": provider, "seen": seen}, TLS)


# ── lookups ────────────────────────────────────────────────────────────────────────────

# The lookups of the checks of names, once for a certificate, and for zones once for all certificates.


def domains(spec: CertificateSpec) -> tuple[str, ...]:
    """Return the domains of a certificate without ``*.``, and without IP addresses."""
    bases = (names.base_domain(each) for each in spec.identifiers if not names.is_ip(each))
    return tuple(dict.fromkeys(bases))


def identifiers_of(spec: CertificateSpec, wanted: Iterable[str]) -> list[str]:
    """Return the identifiers of a certificate whose domain is one of these."""
    chosen = set(wanted)
    return [each for each in spec.identifiers if names.base_domain(each) in chosen]


def survey(facts: Facts) -> NameSurvey:
    """Return the lookups about zones and names."""
    return facts.once("dns survey", lambda _: NameSurvey(facts.dns))


def paths(facts: Facts, wanted: tuple[str, ...]) -> dict[str, NamePath]:
    """Return the zones on the way to each name, from the first below a public suffix.

    :raises DnsError: ``dns-unreachable``: no recursive server answers.
    """

    def find(context: Context) -> dict[str, NamePath]:
        return {name: _below_suffix(path) for name, path in survey(facts).paths(context, wanted).items()}

    return facts.once(("dns paths", wanted), find)


def _below_suffix(path: NamePath) -> NamePath:
    suffixes = [cut.zone for cut in path.cuts if is_public_suffix(cut.zone)]
    return replace(path, cuts=path.cuts[len(suffixes) :], above=suffixes[-1]) if suffixes else path


def zone(facts: Facts, cut: ZoneCut) -> ZoneFacts:
    """Return the data of a zone in the zone above and at every name server.

    :raises DnsError: ``dns-unreachable``.
    """
    return facts.once(("dns zone", cut.zone), lambda context: survey(facts).zone(context, cut))


def zones(facts: Facts, cuts: Iterable[ZoneCut]) -> dict[str, ZoneFacts]:
    """Return the same for several zones at once, without zones about which nothing is known."""
    wanted = list(dict.fromkeys(cuts))
    tasks = facts.context.call_all([partial(zone, facts, cut) for cut in wanted], 16)
    known = {}
    for cut, task in zip(wanted, tasks, strict=True):
        if not isinstance(task.error, DnsRenewError) or task.error.code != "dns-unreachable":
            known[cut.zone] = task.result()
    return known


def cuts_of(facts: Facts, spec: CertificateSpec) -> dict[ZoneCut, list[str]]:
    """Return every zone on the way to the domains of a certificate, with the domains that are in it."""
    found: dict[ZoneCut, list[str]] = {}
    for domain, path in paths(facts, domains(spec)).items():
        for cut in path.cuts:
            found.setdefault(cut, []).append(domain)
    return found


def own_zones(facts: Facts, spec: CertificateSpec) -> dict[str, ZoneFacts]:
    """Return the zone of each domain of a certificate, without domains that are in no zone."""
    cuts = {domain: path.cuts[-1] for domain, path in paths(facts, domains(spec)).items() if path.cuts}
    known = zones(facts, cuts.values())
    return {domain: known[cut.zone] for domain, cut in cuts.items() if cut.zone in known}


def records(facts: Facts, spec: CertificateSpec) -> Mapping[str, NameRecords]:
    """Return the addresses of each domain at the servers of its zone. A domain in no zone is absent or unknown."""

    def find(context: Context) -> Mapping[str, NameRecords]:
        found = survey(facts).records(context, own_zones(facts, spec))
        for name, path in paths(facts, domains(spec)).items():
            found.setdefault(name, NameRecords("absent" if path.absent and not path.cuts else "unknown"))
        return found

    return facts.once(("dns records", domains(spec)), find)


def is_refused(facts: Facts, name: str) -> bool:
    """Return whether a DNS server of this machine refuses a zone because of its signatures."""
    return facts.once(("dns refused", name), lambda context: survey(facts).is_refused(context, name))


# ── findings ───────────────────────────────────────────────────────────────────────────

# Combines the findings about several names or zones into one check of a certificate.


class NameFinding(Frozen):
    """A finding about some identifiers.

    :ivar names: the identifiers of the certificate that it concerns.
    :ivar fields: the fields for the text.
    """

    result: CheckResult
    text: Text
    names: Sequence[str]
    fields: Mapping[str, Any]
    blocks: tuple[str, ...] = ()


def combined(findings: Sequence[NameFinding], evidence: Mapping[str, Any]) -> Check:
    """Return the worst as the check: certain findings first, then findings that stop a challenge.

    The evidence is from all findings; its ``names`` are from all equally bad ones.
    """
    worst = min(findings, key=_rank)
    alike = [each for each in findings if _rank(each) == _rank(worst)]
    listed = list(dict.fromkeys(name for each in alike for name in each.names))
    about = {} if worst.result == "ok" else {"names": listed}
    return Check.of(worst.text, worst.result, {**about, **evidence}, blocks=worst.blocks, **worst.fields)


def _rank(finding: NameFinding) -> tuple[int, bool]:
    return ("bad", "unknown", "ok").index(finding.result), not finding.blocks
