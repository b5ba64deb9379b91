"""The solver of dns-persist-01: looks for the one TXT record, writes it if an account may, and never removes it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base import names
from dnsrenew.base.model import Propagation, PropagationCheck, Route, TxtRecord
from dnsrenew.base.runtime.fair_lock import FairLock
from dnsrenew.challenges.dns01.accounts import AccountChoice
from dnsrenew.challenges.dns01.records import RecordWriter, TxtPlacement, TxtValue
from dnsrenew.challenges.dns01.solver import Dns01
from dnsrenew.challenges.dns_persist01 import texts
from dnsrenew.challenges.dns_persist01.decision import decide, warn_not_renewed
from dnsrenew.challenges.dns_persist01.offer import read_offer
from dnsrenew.challenges.dns_persist01.record import LABEL, line
from dnsrenew.challenges.dns_persist01.values import (
    PersistPlacement,
    PersistValue,
    by_record,
    can_hold,
    end_of,
    may_be_there,
)
from dnsrenew.challenges.solver import Solver
from dnsrenew.drivers.provider import Behaviour
from dnsrenew.errors import (
    Cancelled,
    ConfigError,
    DnsRenewError,
    PropagationError,
    ProviderError,
    SecretError,
)

if TYPE_CHECKING:
    from dnsrenew.acme import CAClient, Challenge
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.challenges.placements import Placements
    from dnsrenew.challenges.solver import SolverResources
    from dnsrenew.dns import Target

_LOOKS: Final = 8
"""Names looked up at once."""
_REMOVAL_SECONDS: Final = 60.0

_Key = tuple[str | None, tuple[str, str]]


def make_solver(resources: SolverResources) -> DnsPersist01:
    """Return the solver of this type."""
    return DnsPersist01(resources)


class DnsPersist01(Solver):
    """Uses the record that is in DNS. Without one, an account writes it, or the error shows it to a person.

    A written record is no leftover: it is not in the journal, and no cleanup removes it. Only a rehearsal journals and
    removes what it writes, since its record is for the staging CA.
    """

    def __init__(self, resources: SolverResources) -> None:
        self._dns = resources.dns
        self._accounts = {
            name: RecordWriter(account, resources.providers[account.provider])
            for name, account in resources.accounts.items()
        }
        self._choice = AccountChoice(resources.dns, self._accounts)
        self._writer = Dns01(resources)
        self._attended = resources.attended
        self._dry_run = resources.dry_run
        self._names = FairLock()
        self._written: dict[str, set[str]] = {}
        self._used: dict[_Key, tuple[str | None, bool]] = {}

    # ── preflight ───────────────────────────────────────────────────────────────────────

    def preflight(
        self,
        context: Context,
        identifiers: Sequence[str],
        route: Route,
        check: PropagationCheck,
        placements: Placements,
    ) -> None:
        """Follow CNAMEs, find zones, and choose the accounts that would write."""
        targets, refused = self._choice.targets(context, identifiers, route, check, LABEL)
        for identifier, error in refused.items():
            placements.block(route, [identifier], error)
        until = end_of(context.clock.now())
        wild = {names.base_domain(identifier) for identifier in identifiers if names.is_wildcard(identifier)}
        for identifier, target in targets.items():
            writers, unable = self._writers(target, route)
            placements.placements[identifier] = PersistPlacement(
                identifier,
                target.name,
                target.served_zone,
                names.base_domain(identifier) in wild,
                until,
                tuple((writer, writer.zone_of(target.name) or target.served_zone) for writer in writers),
                is_named=bool(route.dns),
                unable=unable,
            )

    def _writers(self, target: Target, route: Route) -> tuple[list[RecordWriter], tuple[str, ...]]:
        """Return the accounts that write: all of the route if each can, else the one with the longest zone.

        Behind a CNAME only an account with ``zones`` writes: a record that stays must not be set where a CNAME alone
        leads.
        """
        named = [self._accounts[name] for name in route.dns] or list(self._accounts.values())
        able = [writer for writer in named if can_hold(writer, attended=self._attended)]
        fitting = [writer for writer in able if _may_write(writer, target)]
        if route.dns:
            unable = tuple(writer.account.name for writer in named if writer not in fitting)
            return ([] if unable else fitting), unable
        fitting.sort(key=lambda writer: len(names.labels(writer.zone_of(target.name) or "")), reverse=True)
        return fitting[:1], ()

    def prepare(self, context: Context, placements: Collection[PersistPlacement]) -> None:
        """Read the secrets of the accounts that will probably write; of none while a record is there.

        :raises SecretError: a reference cannot be resolved.
        :raises ConfigError: an option is wrong, or a driver is not installed.
        :raises ProviderError: the host has timed out for another certificate of this run.
        """
        writing = [placement for placement in placements if placement.writers]
        there = self.look_up(context, {placement.name for placement in writing})
        now = context.clock.now()
        needed = [each for each in writing if not may_be_there(there[each.name], now)]
        self._writer.prepare(context, [_txt_placement(each) for each in needed if each.is_named])
        with contextlib.suppress(ProviderError):  # no route names the account, so none is to be left: writing will fail
            self._writer.prepare(context, [_txt_placement(each) for each in needed if not each.is_named])

    # ── values ──────────────────────────────────────────────────────────────────────────

    def make_values(self, ca: CAClient, placement: PersistPlacement, challenge: Challenge) -> list[PersistValue]:
        """Return what validates the identifier.

        :raises CAError: ``ca-dns-persist-malformed``.
        """
        domain = names.base_domain(placement.identifier)
        return [PersistValue(placement.identifier, placement, read_offer(challenge, ca.identity, domain))]

    def journaled(self, context: Context, values: Sequence[PersistValue]) -> AbstractContextManager[None]:
        """Keep the values of a rehearsal in the journal; a record that stays is not in it."""
        if not self._dry_run:
            return contextlib.nullcontext()
        return self._writer.journaled(context, _txt_values(by_record(values)))

    # ── publish, visible, withdraw ──────────────────────────────────────────────────────

    def publish(self, context: Context, values: Sequence[PersistValue]) -> None:
        """Look for the records, and write those that are missing or expire soon.

        :raises DnsError: ``dns-persist-missing``: a person has to set a record; nothing is written.
        :raises ProviderError: a host refused or did not respond.
        """
        groups = by_record(values)
        with self._alone(context, {value.placement.name for value in values}):
            there = self.look_up(context, {value.placement.name for value in values})
            decision = decide(context, groups, there)
            use, write = decision.use, decision.write
            if write:
                try:
                    self._write(context, write)
                except (ProviderError, ConfigError, SecretError) as error:
                    if not all(group[0].key in use for group in write):
                        raise
                    warn_not_renewed(context, write, there, error)
                    write = []
        for group in groups:
            written = group in write
            text = str(group[0].wanted) if written else use[group[0].key]
            self._used[context.certificate, group[0].key] = text, written

    @contextlib.contextmanager
    def _alone(self, context: Context, owners: Collection[str]) -> Iterator[None]:
        """Keep other certificates of this run from writing at these names meanwhile."""
        with contextlib.ExitStack() as held:
            for name in sorted(owners):
                held.enter_context(self._names.hold(context, name))
            yield

    def look_up(self, context: Context, owners: Collection[str]) -> dict[str, set[str] | None]:
        """Return the values at each name: those that DNS serves, and those of this run. None: DNS does not tell."""
        ordered = sorted(owners)
        tasks = context.call_all([partial(self._dns.known_values, context, name) for name in ordered], _LOOKS)
        there: dict[str, set[str] | None] = {}
        for name, task in zip(ordered, tasks, strict=True):
            served, written = task.result(), self._written.get(name)
            there[name] = (served or set()) | written if written else served
        return there

    def _write(self, context: Context, groups: Sequence[Sequence[PersistValue]]) -> None:
        self._writer.publish(context, _txt_values(groups))
        for group in groups:
            name, text = group[0].key
            self._written.setdefault(name, set()).add(text)

    def wait_visible(
        self, context: Context, values: Sequence[PersistValue], wanted: Propagation, settle: float
    ) -> None:
        """Wait until every name server shows the records, then remove the old ones that new ones replace.

        :raises PropagationError: they were not visible in time.
        """
        groups = by_record(values)
        used = [(group, *self._used[context.certificate, group[0].key]) for group in groups]
        written = [group for group, _text, is_new in used if is_new]
        behaviours = [writer.provider.behaviour for group in written for writer, _zone in group[0].placement.writers]
        records = [
            TxtRecord(group[0].placement.zone, group[0].placement.name, text, 0)
            for group, text, _is_new in used
            if text is not None
        ]
        timeout = wanted.timeout
        if timeout is None or any(behaviour.by_hand for behaviour in behaviours):  # a person needs time of his own
            timeout = max(each.propagation_timeout for each in behaviours or [Behaviour()])
        if behaviours:
            configured = wanted.settle
            settle += max(each.settle for each in behaviours) if configured is None else configured
        try:
            self._dns.wait_visible(context, records, timeout=timeout, settle=settle, check=wanted.check)
        except PropagationError as error:
            raise _about(error, values) from None
        if not self._dry_run:
            for group in written:
                self._remove_superseded(context, group[0])

    def _remove_superseded(self, context: Context, value: PersistValue) -> None:
        """Remove older records of our account; a failure is a warning."""
        name = value.placement.name
        cleanup = context.within(_REMOVAL_SECONDS)
        old: list[str] = []
        try:
            old = value.superseded(self._dns.known_values(cleanup, name) or ())
            records = [value.txt_value(writer, zone, text) for text in old for writer, zone in value.placement.writers]
            if records:
                self._writer.remove(cleanup, records)
                self._written.get(name, set()).difference_update(old)
        except Cancelled:
            context.check()
        except DnsRenewError as error:
            shown = {"name": names.relative(name), "error": error.message, "line": line(name, ", ".join(old))}
            context.warn(*texts.OLD_KEPT.fill(**shown))

    def withdraw(self, context: Context, values: Sequence[PersistValue]) -> None:
        """Remove what a rehearsal wrote; a record that stays is kept."""
        if self._dry_run:
            self._writer.withdraw(context, _txt_values(by_record(values)))
            for value in values:
                self._written.pop(value.placement.name, None)


def _txt_placement(placement: PersistPlacement) -> TxtPlacement:
    return TxtPlacement(placement.identifier, placement.name, placement.zone, placement.writers)


def _may_write(writer: RecordWriter, target: Target) -> bool:
    return writer.zone_of(target.name) is not None if target.hops else writer.may_write(target.name)


def _txt_values(groups: Sequence[Sequence[PersistValue]]) -> list[TxtValue]:
    return [value for group in groups if group[0].can_be_written for value in group[0].txt_values()]


def _about(error: PropagationError, values: Sequence[PersistValue]) -> PropagationError:
    """Add to the evidence the identifiers whose records are missing."""
    late = error.evidence.get("names", ())
    concerned = [value for value in values if names.relative(value.placement.name) in late] or values
    return error.with_evidence(identifiers=list(dict.fromkeys(value.identifier for value in concerned)))
