"""The test value of ``--probe``: one TXT value in each zone of an account is written, seen everywhere and removed.

It works like a renewal, with locks, the journal, calls of the DNS host and the wait at every authoritative address. A
value that stays (because the host does not remove it or the process was killed) is in the journal, so that ``dnsrenew
cleanup`` removes it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.base.model import CertificateSpec, Check, CheckResult, Notice, Propagation, PropagationCheck
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.challenges.dns01 import Dns01
from dnsrenew.challenges.records import TxtPlacement, TxtValue
from dnsrenew.challenges.solver import SolverResources
from dnsrenew.config import Config
from dnsrenew.drivers import invoke
from dnsrenew.drivers.provider import Provider
from dnsrenew.errors import AttemptError, ConfigError, DnsRenewError, LockedError, PropagationError, SecretError
from dnsrenew.extensions.doctor.accounts import texts
from dnsrenew.extensions.doctor.accounts.accounts import accounts_of, placements
from dnsrenew.extensions.doctor.facts import DNS, Facts
from dnsrenew.store.zone_locks import ZoneLocks

PROPAGATION: Final = 120.0
"""Seconds to wait for a value if neither the certificate nor its DNS hosts have a time-out."""
_REMOVAL: Final = 10.0
"""Seconds of the examination that are reserved for the removal."""
_RANDOM_BYTES: Final = 32
"""The number of bytes as in a challenge response: SHA-256 (RFC 8555 section 8.4)."""


def propagation_limit(config: Config, spec: CertificateSpec) -> float:
    """Return the seconds that a test value may take to be visible."""
    if spec.propagation.timeout is not None:
        return spec.propagation.timeout
    hosts = {account.provider for account in config.accounts.values()}
    return max((config.providers[host].behaviour.propagation_timeout for host in hosts), default=PROPAGATION)


def dns_credentials(facts: Facts, spec: CertificateSpec, account: str) -> Check | None:
    """Check that the DNS host accepts the credentials of the account, by the test value."""
    result, provider = _result(facts, spec, account), facts.its.providers[facts.its.accounts[account].provider]
    return None if result is None else judge_credentials(result, account, provider)


def txt_probe(facts: Facts, spec: CertificateSpec, account: str) -> Check | None:
    """Check that the account can write a TXT value, that all name servers show it, and that it can be removed."""
    result = _result(facts, spec, account)
    return None if result is None else judge_probe(result, account)


def _result(facts: Facts, spec: CertificateSpec, account: str) -> ProbeResult | None:
    """Return the result of the only test of these placements; None if the account writes nowhere."""
    by_zone: dict[str, list[TxtPlacement]] = {}
    for placement in placements(facts, spec).of_account(account):
        zone = next(zone for writer, zone in placement.writers if writer.account.name == account)
        by_zone.setdefault(zone, []).append(placement)
    if not by_zone:
        return None
    key = tuple((its[0].name, *accounts_of(its[0])) for its in by_zone.values())
    return facts.once(("probe", spec.name, key), lambda _: _probe(facts, spec, by_zone))


def _probe(facts: Facts, spec: CertificateSpec, by_zone: dict[str, list[TxtPlacement]]) -> ProbeResult:
    """Write to the first placement of each zone.

    :raises StoreError: the journal cannot be written; nothing was written to DNS.
    """
    config, store = facts.its, facts.store
    resources = SolverResources(facts.dns, config.accounts, config.providers, ZoneLocks(store), store.journal)
    solver: Dns01 = facts.once("dns-01 solver", lambda _: Dns01(resources))
    its, values, wanted = facts.context.for_certificate(spec.name), {}, propagation_limit(facts.its, spec)
    tried, locked, every = TriedValues(), None, list[TxtValue]()
    try:
        with facts.unfinished(), solver.exclusive(its, [several[0] for several in by_zone.values()]):
            for zone, (first, *_) in by_zone.items():
                if not (first.single_value_key and _is_in_use(facts, its, first.name)):
                    values[zone] = solver.values(first, random_value(its))
            every = [value for several in values.values() for value in several]
            facts.test_values.update((names.absolute(value.record.name), value.record.value) for value in every)
            tried = try_values(its, solver, values, spec.propagation, wanted)
    except LockedError as error:
        locked = error

    def probed(zone: str, its: Sequence[TxtPlacement]) -> ProbedZone:
        tested = tried.groups.get(zone, {"is_in_use": locked is None})
        identifiers = tuple(each.identifier for each in its)
        return ProbedZone(names.relative(zone), names.relative(its[0].name), identifiers, **tested)

    return ProbeResult(
        **vars(tried),
        zones=tuple(probed(zone, several) for zone, several in by_zone.items()),
        locked=locked,
        checked=spec.propagation.check,
        kept=next((notice for notice in its.notices if notice.code == "txt-kept"), None),
        removes=all(value.is_to_be_removed for value in every),
    )


def _is_in_use(facts: Facts, context: Context, name: str) -> bool:
    """Return whether a host that keeps one value may already have one, which the test would replace."""
    try:
        return any(facts.dns.values(context, name))
    except AttemptError:
        return True


class TriedValues(Frozen):
    """The results of test values.

    :ivar groups: the duration of each write, and the error, as in :class:`ProbedZone`.
    :ivar unseen: why written values are not seen everywhere.
    :ivar cut_short: whether the wait was shorter than the time-out.
    """

    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unseen: PropagationError | None = None
    cut_short: bool = False
    visible_seconds: float | None = None
    remove_seconds: float | None = None


def try_values(
    context: Context,
    solver: Dns01,
    groups: Mapping[str, Sequence[TxtValue]],
    how: Propagation,
    wanted: float | None = None,
) -> TriedValues:
    """Write test values by group, wait until the accepted ones are visible, and always remove all of them.

    :param wanted: the seconds to wait, shortened so that the removal ends before the deadline; None for the seconds of
        ``how``.
    :raises StoreError: the journal cannot be written; nothing was written to DNS.
    """
    written: list[TxtValue] = []
    found: dict[str, Any] = {"groups": {}}
    monotonic = context.clock.monotonic
    with solver.journaled(context, [value for its in groups.values() for value in its]):
        try:
            for group, its in groups.items():
                started, error = monotonic(), None
                try:
                    solver.publish(context, its)
                    written += its
                except (AttemptError, ConfigError, SecretError) as refusal:
                    error = refusal
                found["groups"][group] = {"error": error, "write_seconds": round(monotonic() - started, 3)}
            started = monotonic()
            if wanted is not None:
                end = context.deadline
                limit = wanted if end is None else max(min(wanted, end - started - _REMOVAL), 1.0)
                how = replace(how, timeout=limit, settle=0.0)
                found["cut_short"] = limit < wanted
            if written:
                solver.wait_visible(context, written, how, 0.0)
                found["visible_seconds"] = round(monotonic() - started, 3)
        except PropagationError as error:
            found["unseen"] = error
        finally:
            started = monotonic()
            for its in groups.values():  # a zone that refuses must not prevent values in the other zones
                solver.withdraw(context, its)
            found["remove_seconds"] = round(monotonic() - started, 3)
    return TriedValues(**found)


def random_value(context: Context) -> str:
    """Return a value that looks like a challenge response, because hosts may check the form."""
    return base64.urlsafe_b64encode(context.random.randbytes(_RANDOM_BYTES)).decode().rstrip("=")


# ── probe result ───────────────────────────────────────────────────────────────────────

# Turns the result of a test value into checks. Pure.

_UNCERTAIN: Final = frozenset({"provider-timeout", "provider-malformed-answer", "provider-bug"})
"""Errors that do not show whether the host would accept a renewal."""


class ProbedZone(Frozen):
    """A zone that a test value was written to.

    :ivar name: the name of the TXT record.
    :ivar identifiers: the identifiers of the certificate whose TXT records are in this zone.
    :ivar is_in_use: nothing was written, because the host keeps one value and may already have one.
    :ivar error: why the value was not written.
    """

    zone: str
    name: str
    identifiers: tuple[str, ...]
    is_in_use: bool = False
    error: DnsRenewError | None = None
    write_seconds: float | None = None


class ProbeResult(TriedValues):
    """The result of one test.

    :ivar locked: another run uses a zone; nothing was written.
    :ivar checked: the place in which the values were looked for.
    :ivar kept: the warning about values that stay.
    :ivar removes: whether values must be removed at the hosts.
    """

    zones: tuple[ProbedZone, ...] = ()
    locked: LockedError | None = None
    checked: PropagationCheck = "authoritative"
    kept: Notice | None = None
    removes: bool = True

    def error_of(self, account: str, *codes: str) -> DnsRenewError | None:
        """Return the first error of an account, preferably with one of these codes."""
        errors = (zone.error for zone in self.zones if zone.error is not None)
        its = (error for error in errors if error.evidence.get("account", account) == account)
        return next((error for error in its if not codes or error.code in codes), None)


def judge_credentials(result: ProbeResult, account: str, provider: Provider) -> Check:
    """Return whether the DNS host accepts the credentials of the account."""
    evidence: dict[str, Any] = {"dns": account, "zones": [zone.zone for zone in result.zones]}
    if (error := result.error_of(account, "provider-unauthorized")) is not None:
        evidence |= {"error": error.code, "status": error.evidence.get("status")}
        if evidence["status"] is None or "options" not in error.evidence or not provider.website:
            # The driver explains its own host.
            return Check("dns-credentials", "bad", error.message, evidence, error.fix, DNS)
        fields = {"title": provider.title, "website": provider.website, "options": error.evidence["options"]}
        return Check.of(texts.CREDENTIALS_REFUSED, "bad", evidence, blocks=DNS, **fields)
    if any(zone.write_seconds is not None and zone.error is None for zone in result.zones):
        return Check.of(texts.CREDENTIALS_OK, "ok", evidence)
    return Check.of(texts.CREDENTIALS_UNKNOWN, "unknown", evidence)


def judge_probe(result: ProbeResult, account: str) -> Check:
    """Return whether the account can write a value that becomes visible everywhere, and remove it."""
    zones = result.zones
    evidence: dict[str, Any] = {"dns": account, "records": [zone.name for zone in zones]}
    evidence |= {"zones": [zone.zone for zone in zones], "write_seconds": [zone.write_seconds for zone in zones]}
    evidence |= {"visible_seconds": result.visible_seconds, "remove_seconds": result.remove_seconds}
    evidence |= {"may_add": None, "may_remove": None}
    if result.locked is not None:
        return Check.of(texts.PROBE_LOCKED, "unknown", evidence)
    failures = [(zone, zone.error) for zone in result.zones if zone.error is not None]
    if failures:
        error = failures[0][1]
        is_certain = error.code not in _UNCERTAIN and error.evidence.get("account", account) == account
        identifiers = [identifier for zone, _ in failures for identifier in zone.identifiers]
        return _failed(error, {**evidence, "names": identifiers, "may_add": False if is_certain else None}, is_certain)
    if all(zone.is_in_use for zone in result.zones):
        return Check.of(texts.PROBE_IN_USE, "unknown", evidence)
    evidence |= {"may_add": True, "may_remove": result.kept is None if result.removes else None}
    if result.unseen is not None:
        # The account wrote it, so the time that was too short belongs to the host or to the servers of the zone.
        return _failed(result.unseen, evidence, result.unseen.code == "propagation-timeout" and not result.cut_short)
    if result.kept is not None:
        return Check.of(texts.PROBE_KEPT, "bad", evidence)
    if result.checked == "none":
        return Check.of(texts.PROBE_NOT_LOOKED_UP, "ok", evidence)
    text = texts.PROBE_OK if result.removes else texts.PROBE_OK_STAYS
    return Check.of(text, "ok", evidence, seconds=result.visible_seconds)


def _failed(error: DnsRenewError, evidence: dict[str, Any], is_certain: bool) -> Check:  # noqa: FBT001  # as above
    result: CheckResult = "bad" if is_certain else "unknown"
    return Check("txt-probe", result, error.message, {**evidence, "error": error.code}, error.fix, DNS)


# ── driver ─────────────────────────────────────────────────────────────────────────────

# Whether the driver of a DNS account is installed and accepts its options. No request is sent.


def dns_account(facts: Facts, account: str) -> Check | None:
    """Check that the driver of an account can be created; None if it can, or if only a secret is missing."""
    its = facts.its.accounts[account]
    # `dnsrenew check` reports its warnings.
    context = facts.context.within(8.0).for_certificate("")
    try:
        invoke.prepare(context, facts.its.providers[its.provider], its)
    except SecretError:  # the check `secrets` reports this
        return None
    except (ConfigError, AttemptError) as error:
        result: CheckResult = "unknown" if error.code == "provider-timeout" else "bad"
        return Check("dns-account", result, error.message, {"dns": account, "error": error.code}, error.fix, DNS)
    return None
