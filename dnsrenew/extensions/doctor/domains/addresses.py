"""Whether the names lead to this machine, or to a CDN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dnsrenew.base.checks.addresses import find, judge_addresses
from dnsrenew.base.model import CertificateSpec, Check
from dnsrenew.base.names import is_ip, is_wildcard
from dnsrenew.base.values import replace
from dnsrenew.challenges.http01 import own_addresses
from dnsrenew.extensions.doctor.domains import lookups, texts
from dnsrenew.extensions.doctor.domains.lookups import NameFinding, combined
from dnsrenew.extensions.doctor.facts import INBOUND, TLS, Facts
from dnsrenew.extensions.doctor.router.outside import public_addresses
from dnsrenew.extensions.doctor.survey.name_survey import NameRecords


def address(facts: Facts, spec: CertificateSpec) -> Check | None:
    """Compare the addresses of each name with those of this machine and its router."""
    hosts = [each for each in spec.identifiers if not is_wildcard(each)]
    if not hosts:
        return None
    records = lookups.records(facts, spec) if lookups.domains(spec) else {}
    found = {name: _found(name, records) for name in hosts}
    ours = own_addresses([address for its in found.values() for address in its or ()])
    router = public_addresses(facts)
    checks = {
        name: judge_addresses(name, its, ours, router=router, proxy=_proxy(name, records), blocks=INBOUND)
        for name, its in found.items()
        if its is not None
    }
    return worst(checks, {name: each.ttl for name, each in records.items()}, unknown=set(hosts) - set(checks))


def worst(checks: Mapping[str, Check], ttl: Mapping[str, int | None], *, unknown: set[str]) -> Check:
    """Return the worst check of some names as that of all, with what was found for each. Pure.

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
    evidence = {**about, "found": shown, "ours": chosen.evidence["ours"]}
    return replace(chosen, evidence=evidence)


def _found(name: str, records: Mapping[str, NameRecords]) -> list[str] | None:
    """Return the addresses of a name; None if they are unknown."""
    if is_ip(name):
        return [name]
    return None if records[name].existence == "unknown" else list(records[name].addresses)


def _proxy(name: str, records: Mapping[str, NameRecords]) -> str | None:
    its = records.get(name)
    found = find(its.addresses, its.chain) if its is not None else None
    return None if found is None else found[0]


def proxied(facts: Facts, spec: CertificateSpec) -> Check | None:
    """Find out whether a CDN answers for a name."""
    hosts = [each for each in lookups.domains(spec) if each in spec.identifiers]
    if not hosts:
        return None
    records = lookups.records(facts, spec)
    findings = [judge_proxy(name, records[name]) for name in hosts]
    return combined(findings, {"chains": {name: list(its.chain) for name, its in records.items()}})


def judge_proxy(name: str, records: NameRecords) -> NameFinding:
    """Return whether a CDN answers for a name. Pure."""
    if records.existence == "unknown":
        return NameFinding("unknown", texts.PROXIED_UNKNOWN, [name], {"domain": name}, TLS)
    found = find(records.addresses, records.chain)
    if found is None:
        return NameFinding("ok", texts.PROXIED_NO, [name], {})
    provider, seen = found
    return NameFinding("bad", texts.PROXIED, [name], {"domain": name, "provider": provider, "seen": seen}, TLS)
