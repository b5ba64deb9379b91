"""What the checks of names look up, without duplicates for a certificate; the zones once for all certificates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.base.model import CertificateSpec, Check, CheckResult
from dnsrenew.base.names import is_public_suffix
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import DnsRenewError, Text
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.extensions.doctor.survey import name_survey
from dnsrenew.extensions.doctor.survey.name_survey import NameRecords, NameSurvey, ResolvedName, ServedTexts, SignedZone
from dnsrenew.extensions.doctor.survey.zone_survey import NamePath, Survey, ZoneCut, ZoneFacts

_AT_ONCE: Final = 16


def domains(spec: CertificateSpec) -> tuple[str, ...]:
    """Return the domains of a certificate without ``*.``, and without IP addresses."""
    bases = (names.base_domain(each) for each in spec.identifiers if not names.is_ip(each))
    return tuple(dict.fromkeys(bases))


def identifiers_of(spec: CertificateSpec, wanted: Iterable[str]) -> list[str]:
    """Return the identifiers of a certificate whose domain is one of these."""
    chosen = set(wanted)
    return [each for each in spec.identifiers if names.base_domain(each) in chosen]


def survey(facts: Facts) -> Survey:
    """Return the lookups about zones."""
    return facts.once("dns survey", lambda _: Survey(facts.dns))


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
    """Return what the zone above and every name server say about a zone.

    :raises DnsError: ``dns-unreachable``.
    """
    return facts.once(("dns zone", cut.zone), lambda context: survey(facts).zone(context, cut))


def zones(facts: Facts, cuts: Iterable[ZoneCut]) -> dict[str, ZoneFacts]:
    """Return the same for several zones at once; those about which nothing is known are omitted."""
    wanted = list(dict.fromkeys(cuts))
    tasks = facts.context.call_all([partial(zone, facts, cut) for cut in wanted], _AT_ONCE)
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
    """Return the zone of each domain of a certificate; those that are in none are omitted."""
    cuts = {domain: path.cuts[-1] for domain, path in paths(facts, domains(spec)).items() if path.cuts}
    known = zones(facts, cuts.values())
    return {domain: known[cut.zone] for domain, cut in cuts.items() if cut.zone in known}


def records(facts: Facts, spec: CertificateSpec) -> Mapping[str, NameRecords]:
    """Return the addresses of each domain at the servers of its zone; a domain in no zone is absent, or unknown."""

    def find(context: Context) -> Mapping[str, NameRecords]:
        found = NameSurvey(survey(facts)).records(context, own_zones(facts, spec))
        known = paths(facts, domains(spec))
        without = {name: path for name, path in known.items() if name not in found}
        return found | {
            name: NameRecords("absent" if path.absent and not path.cuts else "unknown")
            for name, path in without.items()
        }

    return facts.once(("dns records", domains(spec)), find)


def resolved(facts: Facts, spec: CertificateSpec) -> Mapping[str, ResolvedName]:
    """Return what the DNS servers of this machine say about each domain."""
    return NameSurvey(survey(facts)).resolved(facts.context, domains(spec))


def is_refused(facts: Facts, name: str) -> bool:
    """Return whether a DNS server of this machine refuses a zone because of its signatures."""

    def find(context: Context) -> bool:
        return NameSurvey(survey(facts)).is_refused(context, name)

    return facts.once(("dns refused", name), find)


def texts_at(facts: Facts, wanted: Mapping[str, ZoneFacts]) -> list[ServedTexts]:
    """Return the TXT values at names (name → the zone that holds it)."""
    return NameSurvey(survey(facts)).texts(facts.context, wanted)


def signatures(facts: Facts, cut: ZoneCut, inside: Iterable[str]) -> SignedZone:
    """Return whether the signatures of a zone are right, and those of its records at some domains.

    :raises DnsError: ``dns-unreachable``.
    """
    return name_survey.examine(facts.context, survey(facts), cut, zone(facts, cut), list(inside))


# ── findings ───────────────────────────────────────────────────────────────────────────

# One check of a certificate from what was found about each of its names or zones.


class NameFinding(Frozen):
    """What was found about some identifiers.

    :ivar names: the identifiers of the certificate that it is about.
    :ivar fields: for the text.
    """

    result: CheckResult
    text: Text
    names: Sequence[str]
    fields: Mapping[str, Any]
    blocks: tuple[str, ...] = ()


def combined(findings: Sequence[NameFinding], evidence: Mapping[str, Any]) -> Check:
    """Return the worst as the check: what is certain before what is not, what stops a challenge before what does not.

    The evidence is that of all; its ``names`` are those of all findings that are as bad.
    """
    worst = min(findings, key=_rank)
    alike = [each for each in findings if _rank(each) == _rank(worst)]
    listed = list(dict.fromkeys(name for each in alike for name in each.names))
    about = {} if worst.result == "ok" else {"names": listed}
    return Check.of(worst.text, worst.result, {**about, **evidence}, blocks=worst.blocks, **worst.fields)


def _rank(finding: NameFinding) -> tuple[int, bool]:
    return ("bad", "unknown", "ok").index(finding.result), not finding.blocks
