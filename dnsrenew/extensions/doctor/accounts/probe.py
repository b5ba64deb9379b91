"""The test value of ``--probe``: one TXT value in each zone of an account, written, seen everywhere, and removed.

It goes the way of a renewal: locks, the journal, the calls of the DNS host, the wait at every authoritative address. A
value that stays, because the host does not remove it or the process was killed, is in the journal for
``dnsrenew cleanup``.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import names
from dnsrenew.base.model import Check
from dnsrenew.base.values import Frozen, replace
from dnsrenew.challenges.dns01.solver import make_solver
from dnsrenew.challenges.solver import SolverResources
from dnsrenew.drivers import invoke
from dnsrenew.errors import (
    AttemptError,
    ConfigError,
    DnsRenewError,
    LockedError,
    PropagationError,
    ProviderError,
    SecretError,
)
from dnsrenew.extensions.doctor.accounts import texts
from dnsrenew.extensions.doctor.accounts.accounts import accounts_of, placements
from dnsrenew.extensions.doctor.facts import DNS
from dnsrenew.store.zone_locks import ZoneLocks

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec, CheckResult, Notice, PropagationCheck
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.challenges.dns01.records import TxtPlacement, TxtValue
    from dnsrenew.challenges.dns01.solver import Dns01
    from dnsrenew.config import Config
    from dnsrenew.drivers.provider import Provider
    from dnsrenew.extensions.doctor.facts import Facts

PROPAGATION: Final = 120.0
"""Seconds to wait for a value where neither the certificate nor its DNS hosts have a time-out."""
_REMOVAL: Final = 10.0
"""Seconds of the examination that are left for the removal."""
_RANDOM_BITS: Final = 256
"""Those of a value that answers a challenge (RFC 8555 section 8.4)."""


def propagation_limit(config: Config, spec: CertificateSpec) -> float:
    """Return the seconds that a test value may take to be visible."""
    if spec.propagation.timeout is not None:
        return spec.propagation.timeout
    hosts = {account.provider for account in config.accounts.values()}
    return max((config.providers[host].behaviour.propagation_timeout for host in hosts), default=PROPAGATION)


def dns_credentials(facts: Facts, spec: CertificateSpec, account: str) -> Check | None:
    """Check that the DNS host accepts the credentials of the account, by the test value."""
    result = _result(facts, spec, account)
    if result is None:
        return None
    return judge_credentials(result, account, facts.its.providers[facts.its.accounts[account].provider])


def txt_probe(facts: Facts, spec: CertificateSpec, account: str) -> Check | None:
    """Check that the account can write a TXT value, that all name servers show it, and that it can be removed."""
    result = _result(facts, spec, account)
    return None if result is None else judge_probe(result, account)


def _result(facts: Facts, spec: CertificateSpec, account: str) -> ProbeResult | None:
    """Return the result of the one test of these placements; None if the account writes nowhere."""
    by_zone: dict[str, list[TxtPlacement]] = {}
    for placement in placements(facts, spec).of_account(account):
        zone = next(zone for writer, zone in placement.writers if writer.account.name == account)
        by_zone.setdefault(zone, []).append(placement)
    if not by_zone:
        return None
    key = tuple((its[0].name, *accounts_of(its[0])) for its in by_zone.values())
    return facts.once(("probe", spec.name, key), partial(_probe, facts, spec, by_zone))


def _probe(
    facts: Facts, spec: CertificateSpec, by_zone: dict[str, list[TxtPlacement]], context: Context
) -> ProbeResult:
    """Write to the first placement of each zone.

    :raises StoreError: the journal cannot be written; nothing was written to DNS.
    """
    zones = {
        zone: ProbedZone(
            names.relative(zone), names.relative(its[0].name), tuple(placement.identifier for placement in its)
        )
        for zone, its in by_zone.items()
    }
    chosen = {zone: its[0] for zone, its in by_zone.items()}
    probe = _Probe(facts, spec, facts.once("dns-01 solver", partial(_make_solver, facts)), zones, chosen)
    its = context.for_certificate(spec.name)
    try:
        with facts.unfinished(), probe.solver.exclusive(its, list(chosen.values())):
            return probe.run(its)
    except LockedError as error:
        return ProbeResult(tuple(zones.values()), locked=error)


def _make_solver(facts: Facts, _context: Context) -> Dns01:
    its, store = facts.its, facts.store
    return make_solver(SolverResources(facts.dns, its.accounts, its.providers, ZoneLocks(store), store.journal))


class _Probe:
    """One test.

    :param zones: what is found, by zone.
    :param chosen: the placement in each zone.
    """

    def __init__(
        self,
        facts: Facts,
        spec: CertificateSpec,
        solver: Dns01,
        zones: dict[str, ProbedZone],
        chosen: dict[str, TxtPlacement],
    ) -> None:
        self._facts = facts
        self._spec = spec
        self.solver = solver
        self._zones = zones
        self._chosen = chosen

    def run(self, context: Context) -> ProbeResult:
        """Write, look, and remove in any case."""
        for zone, placement in self._chosen.items():
            if placement.single_value_key and self._is_in_use(context, placement.name):
                self._note(zone, is_in_use=True)
        values = {
            zone: self.solver.values(placement, _random_value(context))
            for zone, placement in self._chosen.items()
            if not self._zones[zone].is_in_use
        }
        every = [value for its in values.values() for value in its]
        self._facts.test_values.update((names.absolute(value.record.name), value.record.value) for value in every)
        found: dict[str, Any] = {}
        with self.solver.journaled(context, every):
            try:
                written = self._write(context, values)
                found = self._wait_visible(context, written) if written else {}
            finally:
                started = context.clock.monotonic()
                for its in values.values():  # a zone that refuses must not keep those of the others
                    self.solver.withdraw(context, its)
                removal = round(context.clock.monotonic() - started, 3)
        kept = next((notice for notice in context.notices if notice.code == "txt-kept"), None)
        removes = all(value.is_to_be_removed for value in every)
        return ProbeResult(tuple(self._zones.values()), kept=kept, removes=removes, remove_seconds=removal, **found)

    def _is_in_use(self, context: Context, name: str) -> bool:
        """Return whether a host that keeps one value may have one: the test would replace it."""
        try:
            return any(self._facts.dns.values(context, name))
        except AttemptError:
            return True

    def _write(self, context: Context, values: dict[str, list[TxtValue]]) -> list[TxtValue]:
        """Write the values, zone by zone; return those that the hosts took."""
        written: list[TxtValue] = []
        for zone, its in values.items():
            started = context.clock.monotonic()
            error: DnsRenewError | None = None
            try:
                self.solver.publish(context, its)
                written += its
            except (AttemptError, ConfigError, SecretError) as refusal:
                error = refusal
            self._note(zone, error=error, write_seconds=round(context.clock.monotonic() - started, 3))
        return written

    def _wait_visible(self, context: Context, written: Sequence[TxtValue]) -> dict[str, Any]:
        """Wait until the values are visible; return what the result has of it."""
        wanted = propagation_limit(self._facts.its, self._spec)
        end = context.deadline
        limit = wanted if end is None else max(min(wanted, end - context.clock.monotonic() - _REMOVAL), 1.0)
        how = replace(self._spec.propagation, timeout=limit, settle=0.0)
        started = context.clock.monotonic()
        found: dict[str, Any] = {"checked": how.check, "cut_short": limit < wanted}
        try:
            self.solver.wait_visible(context, written, how)
        except PropagationError as error:
            return {**found, "unseen": error}
        return {**found, "visible_seconds": round(context.clock.monotonic() - started, 3)}

    def _note(self, zone: str, **found: Any) -> None:
        self._zones[zone] = replace(self._zones[zone], **found)


def _random_value(context: Context) -> str:
    """Return a value that looks like one that answers a challenge, because hosts may check the form."""
    number = context.random.getrandbits(_RANDOM_BITS)
    return base64.urlsafe_b64encode(number.to_bytes(_RANDOM_BITS // 8, "big")).decode().rstrip("=")


# ── probe result ───────────────────────────────────────────────────────────────────────

# From the result of a test value to the checks. Pure.

_UNCERTAIN: Final = frozenset({"provider-timeout", "provider-malformed-answer", "provider-bug"})
"""Errors after which nobody knows what the host would do for a renewal."""


class ProbedZone(Frozen):
    """A zone that a test value was written to.

    :ivar name: of the TXT record.
    :ivar identifiers: those of the certificate whose TXT records are in this zone.
    :ivar is_in_use: nothing was written, because the host keeps one value and may have one.
    :ivar error: why the value was not written.
    """

    zone: str
    name: str
    identifiers: tuple[str, ...]
    is_in_use: bool = False
    error: DnsRenewError | None = None
    write_seconds: float | None = None


class ProbeResult(Frozen):
    """The result of one test.

    :ivar locked: another run uses a zone; nothing was written.
    :ivar checked: where the values were looked for.
    :ivar unseen: why they are not seen everywhere.
    :ivar cut_short: whether the wait was shorter than the time-out.
    :ivar kept: the warning about values that stay.
    :ivar removes: whether the hosts need values to be removed.
    """

    zones: tuple[ProbedZone, ...]
    locked: LockedError | None = None
    checked: PropagationCheck = "authoritative"
    unseen: PropagationError | None = None
    cut_short: bool = False
    visible_seconds: float | None = None
    kept: Notice | None = None
    removes: bool = True
    remove_seconds: float | None = None

    def error_of(self, account: str, *codes: str) -> DnsRenewError | None:
        """Return the first error of an account, with one of these codes if there are any."""
        errors = (zone.error for zone in self.zones if zone.error is not None)
        its = (error for error in errors if error.evidence.get("account", account) == account)
        return next((error for error in its if not codes or error.code in codes), None)


def judge_credentials(result: ProbeResult, account: str, provider: Provider) -> Check:
    """Return whether the DNS host accepts the credentials of the account."""
    evidence: dict[str, Any] = {"dns": account, "zones": [zone.zone for zone in result.zones]}
    error = result.error_of(account, "provider-unauthorized")
    if error is not None:
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
    """Return whether the account can write a value that is seen everywhere, and remove it."""
    evidence: dict[str, Any] = {
        "dns": account,
        "records": [zone.name for zone in result.zones],
        "zones": [zone.zone for zone in result.zones],
        "write_seconds": [zone.write_seconds for zone in result.zones],
        "visible_seconds": result.visible_seconds,
        "remove_seconds": result.remove_seconds,
        "may_add": None,
        "may_remove": None,
    }
    if result.locked is not None:
        return Check.of(texts.PROBE_LOCKED, "unknown", evidence)
    failed = [zone for zone in result.zones if zone.error is not None]
    if failed:
        return _not_written(failed, account, evidence)
    if all(zone.is_in_use for zone in result.zones):
        return Check.of(texts.PROBE_IN_USE, "unknown", evidence)
    evidence |= {"may_add": True, "may_remove": result.kept is None if result.removes else None}
    if result.unseen is not None:
        return _unseen(result, evidence)
    if result.kept is not None:
        return Check.of(texts.PROBE_KEPT, "bad", evidence)
    if result.checked == "none":
        return Check.of(texts.PROBE_NOT_LOOKED_UP, "ok", evidence)
    text = texts.PROBE_OK if result.removes else texts.PROBE_OK_STAYS
    return Check.of(text, "ok", evidence, seconds=result.visible_seconds)


def _not_written(failed: list[ProbedZone], account: str, evidence: dict[str, Any]) -> Check:
    error = failed[0].error
    assert error is not None  # noqa: S101  # failed has only those with an error
    is_certain = error.code not in _UNCERTAIN and error.evidence.get("account", account) == account
    evidence |= {
        "names": [identifier for zone in failed for identifier in zone.identifiers],
        "may_add": False if is_certain else None,
        "error": error.code,
    }
    return Check("txt-probe", "bad" if is_certain else "unknown", error.message, evidence, error.fix, DNS)


def _unseen(result: ProbeResult, evidence: dict[str, Any]) -> Check:
    error = result.unseen
    assert error is not None  # noqa: S101  # the caller checks it
    certain: CheckResult = "bad" if error.code == "propagation-timeout" and not result.cut_short else "unknown"
    # The account wrote it; the time that was too short is that of the host, or of the servers of the zone.
    return Check("txt-probe", certain, error.message, {**evidence, "error": error.code}, error.fix, DNS)


# ── driver ─────────────────────────────────────────────────────────────────────────────

# Whether the driver of a DNS account is installed and takes its options. Nothing is sent.

_SECONDS: Final = 8.0


def dns_account(facts: Facts, account: str) -> Check | None:
    """Check that the driver of an account can be made; None if it can, or only a secret is missing."""
    its = facts.its.accounts[account]
    # What it warns of is said by `dnsrenew check`.
    context = facts.context.within(_SECONDS).for_certificate("")
    try:
        invoke.prepare(context, facts.its.providers[its.provider], its)
    except SecretError:  # `secrets` tells
        return None
    except (ConfigError, ProviderError) as error:
        result: CheckResult = "unknown" if error.code == "provider-timeout" else "bad"
        return Check("dns-account", result, error.message, {"dns": account, "error": error.code}, error.fix, DNS)
    return None
