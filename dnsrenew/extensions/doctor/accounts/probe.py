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
from dnsrenew.base.values import replace
from dnsrenew.challenges.dns01.solver import make_solver
from dnsrenew.challenges.solver import SolverResources
from dnsrenew.errors import AttemptError, ConfigError, DnsRenewError, LockedError, PropagationError, SecretError
from dnsrenew.extensions.doctor.accounts.placements import accounts_of, placements
from dnsrenew.extensions.doctor.accounts.probe_result import ProbedZone, ProbeResult, judge_credentials, judge_probe
from dnsrenew.store.zone_locks import ZoneLocks

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec, Check
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.challenges.dns01.records import TxtPlacement, TxtValue
    from dnsrenew.challenges.dns01.solver import Dns01
    from dnsrenew.config import Config
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
        """Tell whether a host that keeps one value may have one: the test would replace it."""
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
