"""Whether the domains are registered, whether the names exist, and whether this machine sees the same as the CA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dnsrenew.base import names
from dnsrenew.base.checks.addresses import is_local
from dnsrenew.base.model import CertificateSpec, Check
from dnsrenew.base.names import is_public_suffix
from dnsrenew.config.cas import is_built_in
from dnsrenew.config.loader import refusal
from dnsrenew.extensions.doctor.domains import lookups, texts
from dnsrenew.extensions.doctor.domains.lookups import NameFinding, combined
from dnsrenew.extensions.doctor.facts import ALL, INBOUND, Facts
from dnsrenew.extensions.doctor.survey.name_survey import NameRecords, ResolvedName
from dnsrenew.extensions.doctor.survey.zone_survey import NamePath, ZoneCut, ZoneFacts

_PARKING: Final = (
    "pendingrenewaldeletion.com",  # Network Solutions: expired
    "renewyourname.net",  # Tucows: expired
    "expirenotification.com",  # PublicDomainRegistry: expired
    "dns-parking.com",
    "parkingcrew.net",
    "sedoparking.com",
    "bodis.com",
    "above.com",
    "undeveloped.com",
)
"""Name servers to which registrars and traders of domains point domains that nobody pays for, or that are for sale."""


# ── domain ──────────────────────────────────────────────────────────────────────────────


def domain(facts: Facts, spec: CertificateSpec) -> Check | None:
    """Find out whether each domain is registered, and one for which a public CA issues."""
    wanted = lookups.domains(spec)
    if not wanted:
        return None
    is_public = _only_public_cas(facts, spec)
    refused = {name for name in wanted if is_public and _is_refused(name)}
    paths = lookups.paths(facts, wanted)
    findings = []
    for name in sorted(
        wanted, key=lambda each: each not in refused
    ):  # refused names first: whether one exists does not matter
        its = lookups.identifiers_of(spec, [name])
        if name in refused:
            text = texts.DOMAIN_SUFFIX if is_public_suffix(name) else texts.DOMAIN_NOT_PUBLIC
            findings.append(NameFinding("bad", text, its, {"domain": name}, ALL))
        else:
            findings.append(judge_domain(name, its, paths[name], _registered(facts, paths[name]), is_public=is_public))
    zones = {name: path.zone for name, path in paths.items()}
    return combined(findings, {"domains": zones, "zones": list(dict.fromkeys(filter(None, zones.values())))})


def judge_domain(
    name: str, identifiers: Sequence[str], path: NamePath, registered: ZoneFacts | None, *, is_public: bool
) -> NameFinding:
    """Return what is known about the registration of a domain. Pure.

    :param registered: the uppermost zone of the name, or if it is in none, the name that does not exist.
    :param is_public: whether only public CAs issue; another may see a DNS of its own.
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
    if servers and all(_is_parking(server) for server in servers):
        return NameFinding("bad", texts.DOMAIN_PARKED, identifiers, {**fields, "servers": list(servers)}, ALL)
    return NameFinding("ok", texts.DOMAIN_OK, identifiers, {})


def _registered(facts: Facts, path: NamePath) -> ZoneFacts | None:
    """Return what is known about the uppermost zone of a name, or the absence of it in a top-level domain."""
    if path.cuts:
        return lookups.zone(facts, path.cuts[0])
    if path.absent is None or not path.above:
        return None
    return lookups.zone(facts, ZoneCut(path.absent, path.above, resolves=False))


def _is_parking(server: str) -> bool:
    return any(names.is_at_or_below(server, each) for each in _PARKING)


def _only_public_cas(facts: Facts, spec: CertificateSpec) -> bool:
    """Return whether every CA of a certificate is a built-in one, and not another one under its name."""
    return all(is_built_in(facts.its.cas[ca]) for ca in facts.cas(spec))


def _is_refused(name: str) -> bool:
    return refusal(name) is not None


# ── name-exists ─────────────────────────────────────────────────────────────────────────


def name_exists(facts: Facts, spec: CertificateSpec) -> Check | None:
    """Find out whether each name has an address, as http-01 and tls-alpn-01 need it."""
    wanted = lookups.domains(spec)
    if not wanted:
        return None
    paths, records = lookups.paths(facts, wanted), lookups.records(facts, spec)
    is_needed = bool(facts.challenges(spec) & set(INBOUND))
    findings = [
        judge_existence(name, paths[name].zone, records[name], is_needed=is_needed and name in spec.identifiers)
        for name in wanted
    ]
    return combined(findings, {"records": {name: dict(vars(its)) for name, its in records.items()}})


def judge_existence(name: str, zone: str | None, records: NameRecords, *, is_needed: bool) -> NameFinding:
    """Return whether a name has an address. Pure.

    :param is_needed: whether a CA connects to it; not to a wildcard.
    """
    fields = {"domain": name, "zone": zone}
    if records.addresses:
        return NameFinding("ok", texts.EXISTS_OK, [name], fields)
    if not is_needed:
        return NameFinding("ok", texts.EXISTS_NOT_NEEDED, [name], fields)
    if records.existence == "unknown":
        return NameFinding("unknown", texts.EXISTS_UNKNOWN, [name], fields, INBOUND)
    if records.existence != "absent":
        return NameFinding("bad", texts.EXISTS_EMPTY, [name], fields, INBOUND)
    return NameFinding("bad", texts.EXISTS_ABSENT if zone else texts.EXISTS_NOWHERE, [name], fields, INBOUND)


# ── split-dns ───────────────────────────────────────────────────────────────────────────


def split_dns(facts: Facts, spec: CertificateSpec) -> Check | None:
    """Compare what the DNS servers of this machine say with what the servers of the zones say."""
    wanted = lookups.domains(spec)
    if not wanted:
        return None
    records, resolved = lookups.records(facts, spec), lookups.resolved(facts, spec)
    findings = [judge_views(name, records[name], resolved[name]) for name in wanted]
    shown = {name: dict(vars(its)) for name, its in resolved.items()}
    outside = {name: list(its.addresses) for name, its in records.items()}
    return combined(findings, {"resolved": shown, "authoritative": outside})


def judge_views(name: str, records: NameRecords, resolved: ResolvedName) -> NameFinding:
    """Return whether this machine sees other addresses of a name than the CA. Pure."""
    outside = records.addresses
    fields = {"domain": name, "here": list(resolved.addresses), "outside": list(outside)}
    if records.existence == "unknown" or resolved.rcode not in {"NOERROR", "NXDOMAIN"}:
        return NameFinding("unknown", texts.SPLIT_UNKNOWN, [name], fields)
    if set(resolved.addresses) == set(outside):
        return NameFinding("ok", texts.SPLIT_OK, [name], fields)
    if not outside:
        return NameFinding("ok", texts.SPLIT_ONLY_HERE, [name], fields)
    if not resolved.addresses:
        if all(map(is_local, outside)) and not any(_type(address) in resolved.denied for address in outside):
            return NameFinding("bad", texts.SPLIT_HIDDEN, [name], fields)
        return NameFinding("unknown", texts.SPLIT_NOT_YET, [name], fields)
    if all(map(is_local, resolved.addresses)) and not all(map(is_local, outside)):
        return NameFinding("bad", texts.SPLIT_PRIVATE, [name], fields)
    return NameFinding("unknown", texts.SPLIT_OTHER, [name], fields)


def _type(address: str) -> str:
    return "AAAA" if ":" in address else "A"
