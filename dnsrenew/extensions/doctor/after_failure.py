"""After a failed run: the checks that fit its errors, so that the first message already has the diagnosis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from dnsrenew.base.model import CertificateSpec, Change, Check, Diagnosis, Outcome, rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.errors import Cancelled, DnsRenewError, StoreError
from dnsrenew.extensions.doctor.examine import examine, jobs, run_all
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.renewal.batch import LazyServices
from dnsrenew.store import Store
from dnsrenew.store.records import Record

SECONDS: Final = 5.0
"""Seconds for all failures of a run."""
_MOST: Final = 10
"""The number of certificates of a run that are checked. Each stands for all with the same errors."""

_NETWORK: Final = ("internet", "clock", "ca-reachable")
_ZONE: Final = ("internet", "port-53", "domain", "delegation", "dnssec")
_PORT: Final = ("address", "proxied", "ipv6", "nat")
_HTTP: Final = (*_PORT, "port-80-listens", "port-80-firewall", "port-80-forwarded", "port-80-outside")
_TLS: Final = (*_PORT, "port-443-outside")

FITTING: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("ca-unreachable", "ca-untrusted", "ca-not-acme", "ca-timeout", "ca-server-error"), _NETWORK),
    "clock-wrong": ("clock",),
    **dict.fromkeys(("ca-rate-limited", "ca-ledger"), ("ca-limits",)),
    **dict.fromkeys(("ca-terms", "ca-eab-required"), ("ca-terms",)),
    **dict.fromkeys(("caa", "ca-caa"), ("caa", "dnssec")),
    **dict.fromkeys(("ca-dns", "dns-unreachable"), _ZONE),
    **dict.fromkeys(("dns-no-zone", "cname-dangling"), ("domain", "delegation", "cname")),
    "cname-loop": ("cname",),
    "propagation-timeout": ("port-53", "delegation", "txt-stale"),
    **dict.fromkeys(("http-unreachable", "http-address-missing"), _HTTP),
    **dict.fromkeys(("http-port-taken", "http-port-forbidden"), ("port-80-free",)),
    "http-not-served": ("port-80-firewall", "port-80-listens", "address"),
    **dict.fromkeys(("tls-alpn-unreachable", "tls-alpn-address-missing"), _TLS),
    **dict.fromkeys(("tls-alpn-port-taken", "tls-alpn-port-forbidden"), ("port-443-free",)),
    **dict.fromkeys(("provider-unreachable", "provider-untrusted", "provider-timeout"), ("internet", "clock")),
    **dict.fromkeys(("provider-unauthorized", "provider-refused", "dns-no-account"), ("secrets", "dns-account")),
    "secret-missing": ("secrets",),
    "store-full": ("store-space",),
    **dict.fromkeys(("store-not-private", "store-not-writable", "store-read-only"), ("store",)),
}
"""The checks that fit an error, by its code."""


def explain(
    context: Context, config: Config, store: Store, outcomes: Sequence[Outcome], services: LazyServices
) -> None:
    """Add the checks that fit to the errors of failed outcomes, as ``evidence["checks"]``.

    Outcomes with the same errors share one examination. It takes at most :data:`SECONDS`.
    """
    specs = {spec.name: spec for spec in config.certificates}
    groups: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in outcomes:
        codes = _codes(outcome)
        if outcome.status == "failed" and outcome.error is not None and codes:
            groups.setdefault((*codes, *_where(outcome)), []).append(outcome)
    if not groups:
        return
    facts = Facts(context.within(SECONDS), config, store, services=services)
    chosen = list(groups.values())[:_MOST]
    wanted = {}
    for first, *_ in chosen:
        fitting = {each for code in _codes(first) for each in FITTING[code]}
        wanted[first.name] = jobs(facts, [specs[first.name]], fitting)
    try:
        found = run_all(context, {key: job for its in wanted.values() for key, job in its.items()})
    except Cancelled:
        return
    for group in chosen:
        checks = [found[key].to_dict() for key in wanted[group[0].name] if key in found]
        for outcome in group:
            if outcome.error is not None:
                outcome.error.evidence["checks"] = checks


def _codes(outcome: Outcome) -> tuple[str, ...]:
    """Return the codes of the errors of an outcome for which there are checks."""
    errors: list[DnsRenewError | None] = [outcome.error, *(attempt.error for attempt in outcome.attempts)]
    return tuple(dict.fromkeys(error.code for error in errors if error is not None and _is_explained(error)))


def _is_explained(error: DnsRenewError) -> bool:
    """Return whether checks fit the error. A CA that asked to wait is not asked for its directory again."""
    asks_to_wait = error.code == "ca-server-error" and error.evidence.get("retry_after") is not None
    return error.code in FITTING and not asks_to_wait


def _where(outcome: Outcome) -> tuple[str, ...]:
    """Return what distinguishes causes of the same error: the CAs, the accounts, and the message."""
    taken = [str(attempt.route.to_dict()) for attempt in outcome.attempts]
    return (*taken, outcome.error.message if outcome.error is not None else "")


# ── records ────────────────────────────────────────────────────────────────────────────

# The records of ``--record``, and the changes since then.


def compare(found: Sequence[Diagnosis], store: Store, now: datetime, *, keep: bool) -> list[Diagnosis]:
    """Return the diagnoses with the changes since the last record in which the certificate was renewable.

    :param keep: also record the result.
    :raises StoreError: the result cannot be recorded.
    """
    compared = []
    for diagnosis in found:
        name, facts, records = diagnosis.name or "", facts_of(diagnosis.checks), list[Record]()
        try:
            store.check_ground()
            records = store.diagnoses.read(name)
        except StoreError:
            if keep:
                raise
        if keep:
            store.diagnoses.add(name, {"time": rfc3339(now), "renewable": diagnosis.renewable, "facts": facts})
        compared.append(replace(diagnosis, changes=changes(records, facts)))
    return compared


def facts_of(checks: Sequence[Check]) -> dict[str, str]:
    """Return the recorded facts of checks, as text by code, without unknown ones."""
    facts: dict[str, str] = {}
    for check in checks:
        if check.result == "unknown":
            continue
        about = [str(check.evidence[key]) for key in ("ca", "dns") if key in check.evidence]
        facts[" ".join((check.code, *about))] = _fact(check)
    return facts


def _fact(check: Check) -> str:
    """Return the compared fact of a check: addresses, the state of a port, or its result."""
    evidence, found = check.evidence, list[str]()
    match check.code:
        case "address":
            ours = evidence.get("ours", {})
            found = [*ours.get("A", ()), *ours.get("AAAA", ())]
        case "nat":
            found = [*evidence.get("wan", {}).values()]
        case "port-80-outside" | "port-443-outside":
            seen = evidence.get("answers", {}).values()
            found = ["open" if each["open"] else str(each["error"]) for each in seen]
    return ", ".join(sorted(map(str, found))) or check.result


def changes(records: Sequence[Record], facts: Mapping[str, str]) -> tuple[Change, ...]:
    """Return the differences from the last record of a renewable certificate, or from the last record.

    :param records: the records, oldest first.
    """
    timed = [(_time(record), record) for record in records if isinstance(record.get("facts"), dict)]
    usable = [(time, record) for time, record in timed if time is not None]
    base = next((record for _, record in reversed(usable) if record.get("renewable") is True), None)
    before = base or (usable[-1][1] if usable else {"facts": {}})
    found = []
    for key, now in facts.items():
        was = before["facts"].get(key)
        if isinstance(was, str) and was != now:
            since = max(time for time, record in usable if record["facts"].get(key) == was)
            found.append(Change(code=key.partition(" ")[0], was=was, now=now, since=since))
    return tuple(found)


def _time(record: Record) -> datetime | None:
    value: Any = record.get("time")
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None


# ── the doctor ─────────────────────────────────────────────────────────────────────────

# The doctor's interface for the core: diagnoses, and the causes of a failed run.


def diagnose(
    context: Context, config: Config, store: Store, specs: Sequence[CertificateSpec], *, probe: bool, record: bool
) -> list[Diagnosis]:
    """Examine the certificates, and compare the diagnoses with the recorded ones."""
    found = examine(context, config, store, specs, probe=probe)
    return compare(found, store, context.clock.now(), keep=record)
