"""The dns-01 challenge (RFC 8555 section 8.4)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.base import names
from dnsrenew.base.values import replace
from dnsrenew.challenges import texts
from dnsrenew.challenges.dns01.published import PublishedValues
from dnsrenew.challenges.dns01.records import RecordWriter, TxtPlacement, TxtValue, batches, no_account
from dnsrenew.challenges.dns01.resolver_caches import ResolverCaches
from dnsrenew.challenges.solver import Solver
from dnsrenew.drivers import invoke
from dnsrenew.errors import (
    AttemptError,
    Cancelled,
    DnsError,
    DnsRenewError,
    PropagationError,
    ProviderError,
    StoreError,
)
from dnsrenew.model import Propagation, PropagationCheck, Route, TxtRecord
from dnsrenew.runtime.circuit_breaker import CircuitBreaker

if TYPE_CHECKING:
    from dnsrenew.ca import CAClient, Challenge
    from dnsrenew.challenges.placements import Placements
    from dnsrenew.challenges.solver import SolverResources
    from dnsrenew.dns import Target
    from dnsrenew.runtime.context import Context

_WRITERS = 8
"""Accounts written to at once."""

_WITHDRAW_SECONDS = 60.0
_WITHDRAW_SILENT = 10.0
"""Seconds for a host that has just timed out; the next run tries again."""
_WITHDRAW_GRACE = 3.5
"""Seconds after a cancel: Ctrl-C has to end everything within five seconds."""
_REFUSALS = frozenset({"provider-unauthorized", "provider-zone-unknown", "provider-untrusted"})
"""Errors that come before anything is written in a zone."""
_HUNG, _UNREACHED = "provider-timeout", "provider-unreachable"
"""Only a time-out opens the circuit breaker: an unreachable host fails at once, and may recover at any time."""


def make_solver(resources: SolverResources) -> Dns01:
    """Return the solver of this type."""
    return Dns01(resources)


class Dns01(Solver):
    """Publishes TXT values through DNS accounts and waits until every name server shows them."""

    def __init__(self, resources: SolverResources) -> None:
        self._dns = resources.dns
        self._writers = {
            name: RecordWriter(account, resources.providers[account.provider])
            for name, account in resources.accounts.items()
        }
        self._locks = resources.locks
        self._published = PublishedValues(resources.journal)
        self._caches = ResolverCaches(resources.dns)
        self._breaker = CircuitBreaker()

    # ── preflight ───────────────────────────────────────────────────────────────────────

    def preflight(
        self,
        context: Context,
        identifiers: Sequence[str],
        route: Route,
        check: PropagationCheck,
        placements: Placements,
    ) -> None:
        """Follow CNAMEs, find zones, and choose the accounts that write."""
        targets, refused = self.targets(context, identifiers, route, check)
        for identifier, error in refused.items():
            placements.block(route, [identifier], error)
        for identifier, target in targets.items():
            self._preflight_one(identifier, target, route, placements)
        self._dns.warn_wildcard_shadow(context, targets)

    def _preflight_one(self, identifier: str, target: Target, route: Route, placements: Placements) -> None:
        several = self.routes(target.name, route)
        if not several:
            placements.block(route, [identifier], no_account(identifier, target.name, self._writers.values()))
            return
        if several != [route]:
            placements.opened[identifier] = (route, several)
        placements.routes[identifier] = several[0]
        try:
            placements.placements[identifier] = self.place(identifier, target, several[0])
        except AttemptError as error:
            placements.block(several[0], [identifier], error)

    def targets(
        self, context: Context, identifiers: Collection[str], route: Route, check: PropagationCheck
    ) -> tuple[dict[str, Target], dict[str, DnsError]]:
        """Find out, for each identifier, at which name its TXT value goes, or why it cannot.

        :param check: how the visibility of the values will be checked. If that needs no DNS, the lookups here need none
            either.
        """
        look_up = partial(
            self._dns.challenge_targets, context, follow_cname=route.follow_cname, alias=route.alias, check=check
        )
        found: dict[str, Target] = {}
        refused: dict[str, DnsError] = {}
        try:
            found = look_up(list(identifiers))
        except DnsError as error:
            if error.code == "dns-unreachable":  # each single lookup would time out too
                return {}, dict.fromkeys(identifiers, error)
            for identifier in identifiers:  # one has failed: look each up alone
                try:
                    found |= look_up([identifier])
                except DnsError as refusal:
                    refused[identifier] = refusal
        return found, refused

    def routes(self, owner: str, route: Route) -> list[Route]:
        """Expand a route without accounts: one route for each account that fits, the longest zone first."""
        if route.dns:
            return [route]
        fitting = [writer for writer in self._writers.values() if writer.may_write(owner)]
        fitting.sort(key=lambda writer: len(names.labels(writer.zone_of(owner) or "")), reverse=True)
        return [replace(route, dns=(writer.account.name,)) for writer in fitting]

    def place(self, identifier: str, target: Target, route: Route) -> TxtPlacement:
        """Return where the value goes and which accounts write it; write nothing.

        :raises DnsError: ``dns-no-account``: an account may not write there.
        """
        writers = [self._writers[name] for name in route.dns]
        for writer in writers:
            if not writer.may_write(target.name):
                raise no_account(identifier, target.name, [writer])
        zones = tuple((writer, writer.zone_of(target.name) or target.served_zone) for writer in writers)
        return TxtPlacement(identifier, target.name, zones)

    def prepare(self, context: Context, placements: Collection[TxtPlacement]) -> None:
        """Read the secrets of the accounts that will write and make their drivers, before anything is ordered.

        :raises SecretError: a reference cannot be resolved.
        :raises ConfigError: an option is wrong, or a driver is not installed.
        :raises ProviderError: the host has timed out for another certificate of this run.
        """
        writers = {writer.account.name: writer for placement in placements for writer, _zone in placement.writers}
        for writer in writers.values():
            self._breaker.check(context, writer.account.name)
            invoke.prepare(context, writer.provider, writer.account)

    # ── values ──────────────────────────────────────────────────────────────────────────

    def make_values(self, ca: CAClient, placement: TxtPlacement, challenge: Challenge) -> list[TxtValue]:
        """Return the TXT value of a challenge (RFC 8555 section 8.4), once for each account that writes it."""
        return self.values(placement, ca.dns01_value(challenge))

    def values(self, placement: TxtPlacement, text: str) -> list[TxtValue]:
        """Return the finished TXT value for a placement, once for each account that writes it."""
        return [
            TxtValue(placement.identifier, writer, TxtRecord(zone, placement.name, text, writer.ttl))
            for writer, zone in placement.writers
        ]

    def batches(self, values: Sequence[TxtValue]) -> list[list[TxtValue]]:
        """Split the values into batches that can be in DNS at the same time."""
        return batches(values)

    @contextlib.contextmanager
    def exclusive(self, context: Context, placements: Collection[TxtPlacement]) -> Iterator[None]:
        """Lock the names and zones that hold one value at a time.

        :raises LockedError: another run holds one.
        """
        with contextlib.ExitStack() as held:
            # Always in the same order, so that two certificates do not deadlock.
            for key in sorted(set().union(*(each.single_value_key for each in placements))):
                held.enter_context(self._locks.value(context, key))
            yield

    def journaled(self, context: Context, values: Sequence[TxtValue]) -> AbstractContextManager[None]:
        """Keep the values in the journal meanwhile; afterwards only those that could not be removed.

        :raises StoreError: the journal cannot be written. Publish nothing then.
        """
        return self._published.journaled(context, [value for value in values if value.is_to_be_removed])

    # ── publish, visible, withdraw ──────────────────────────────────────────────────────

    def publish(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Write the values, all accounts in parallel.

        :raises ProviderError: a host refused or did not respond; any part may have been written.
        """
        described = [value.described for value in values]
        context.emit("txt-writing", records=described)
        started = context.clock.monotonic()
        with self._published.exclusive(context, values):
            self._each_account(context, values, invoke.call_add)
        context.emit("txt-written", records=described, seconds=round(context.clock.monotonic() - started, 3))

    def wait_visible(
        self, context: Context, values: Sequence[TxtValue], wanted: Propagation, settle: float = 0.0
    ) -> None:
        """Wait until every name server of every zone shows the values.

        :param settle: seconds to wait afterwards, in addition to the configured ones.
        :raises PropagationError: they were not visible in time, or no server responds; ``evidence`` has the
            ``identifiers`` and ``accounts`` concerned.
        """
        behaviours = [value.writer.provider.behaviour for value in values]
        timeout = wanted.timeout
        if timeout is None:
            timeout = max(behaviour.propagation_timeout for behaviour in behaviours)
        configured = wanted.settle if wanted.settle is not None else max(behaviour.settle for behaviour in behaviours)
        records = list({(value.record.name, value.record.value): value.record for value in values}.values())
        settle += configured
        try:
            self._dns.wait_visible(context, records, timeout=timeout, settle=settle, check=wanted.check)
        except PropagationError as error:
            raise _about(error, values) from None

    def wait_caches(self, context: Context, ca: str, values: Sequence[TxtValue]) -> None:
        """Wait until no resolver of the CA caches an older value of these names."""
        self._caches.wait(context, ca, values)

    def note_answered(self, context: Context, ca: str, values: Sequence[TxtValue]) -> None:
        """Note that the CA's resolvers cache these values from now on."""
        self._caches.note(context, ca, values)

    def withdraw(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Remove the values. Warn of those that stay; raise nothing, so that no other error is hidden."""
        started_ones = [value for value in values if self._published.state(context, value) is not None]
        removable = [value for value in started_ones if value.is_to_be_removed]
        if not removable:
            return
        silent = any(self._breaker.is_open(value.writer.account.name) for value in removable)
        cleanup = context.for_cleanup(_WITHDRAW_SILENT if silent else _WITHDRAW_SECONDS, _WITHDRAW_GRACE)
        started = context.clock.monotonic()
        try:
            with self._published.exclusive(cleanup, removable):
                removable = self._published.forget_shared(cleanup, removable)
                self._each_account(cleanup, removable, invoke.call_remove)
        except DnsRenewError as error:
            self._keep(cleanup, removable, error)
        else:
            seconds = round(context.clock.monotonic() - started, 3)
            if removable:
                context.emit("txt-removed", records=[value.described for value in removable], seconds=seconds)

    def _keep(self, context: Context, values: Sequence[TxtValue], error: DnsRenewError) -> None:
        """Leave the values that could not be removed to a later run, except those that were never written."""
        left = [value for value in values if self._published.state(context, value) is not None]  # not removed yet
        refused = [value for value in left if self._was_refused(context, value)]
        self._published.forget(context, refused)
        kept = [value for value in left if value not in refused]
        if kept:
            written = any(self._published.state(context, value) == "written" for value in kept)
            self._published.release(context, kept)
            context.emit("txt-kept", records=[value.described for value in kept], error=error.to_dict())
            context.warn(*_kept(kept, error, written=written))

    def _was_refused(self, context: Context, value: TxtValue) -> bool:
        """Return whether a value was certainly not written.

        The host must have refused it: that DNS does not serve it proves nothing, since most hosts take a while.
        """
        if self._published.state(context, value) != "refused":
            return False
        try:
            return value.record.value not in self._dns.values(context, value.record.name)
        except DnsRenewError:
            return True

    def _each_account(self, context: Context, values: Sequence[TxtValue], call: Callable[..., list[str]]) -> None:
        """Call the driver of each account, in parallel; raise the first error after all have ended."""
        by_account: dict[str, list[TxtValue]] = {}
        for value in values:
            by_account.setdefault(value.writer.account.name, []).append(value)
        calls = [partial(self._write, context, group, call) for group in by_account.values()]
        if len(calls) == 1:
            calls[0]()
            return
        for task in context.call_all(calls, _WRITERS):
            task.result()

    def _write(self, context: Context, values: Sequence[TxtValue], call: Callable[..., list[str]]) -> None:
        """Write or remove the values of one account; lock its zones if the host takes one writer at a time."""
        writer = values[0].writer
        records = [value.record for value in values]
        with contextlib.ExitStack() as held:
            if writer.provider.behaviour.exclusive:
                for zone in sorted({record.zone for record in records}):
                    held.enter_context(self._locks.writing(context, zone))
            if call is invoke.call_add:
                self._add(context, values, records)
            else:
                self._call(context, writer, records, call)
                self._published.forget(context, values)

    def _add(self, context: Context, values: Sequence[TxtValue], records: Sequence[TxtRecord]) -> None:
        """Add the values of one account, and note their state."""
        self._breaker.check(context, values[0].writer.account.name)
        asking = partial(self._published.note, context, values, "asked")
        try:
            tries = self._call(context, values[0].writer, records, partial(invoke.call_add, asking=asking))
        except StoreError:  # no request was sent
            raise
        except DnsRenewError as error:
            tries = [*error.evidence.get("before", ()), error.code]
            in_several = len({record.zone for record in records}) > 1  # one zone may be written before another refuses
            if invoke.UNANSWERED.isdisjoint(tries):
                refused = not in_several and _REFUSALS.issuperset(tries)
                self._published.note(context, values, "refused" if refused else "unsure")
            raise
        if invoke.UNANSWERED.isdisjoint(tries):
            self._published.note(context, values, "written")

    def _call(
        self, context: Context, writer: RecordWriter, records: Sequence[TxtRecord], call: Callable[..., list[str]]
    ) -> list[str]:
        """Call the driver of an account, and note whether its host responds; return the codes of failed tries."""
        account, started = writer.account.name, context.clock.monotonic()
        try:
            tries = call(context, writer.provider, writer.account, records)
        except ProviderError as error:
            if error.code == _HUNG:
                self._breaker.record_timeout(context, account, error, started)
            elif error.code != _UNREACHED:  # a refusal is a response
                self._breaker.record_success(context, account)
            raise
        self._breaker.record_success(context, account)
        return tries


def _about(error: PropagationError, values: Sequence[TxtValue]) -> PropagationError:
    """Add to the evidence the identifiers whose values are missing, and the accounts that wrote them."""
    missing = error.evidence.get("names", ())
    late = [value for value in values if names.relative(value.record.name) in missing] or values
    identifiers = list(dict.fromkeys(value.identifier for value in late))
    accounts = list(dict.fromkeys(value.writer.account.name for value in late))
    return error.with_evidence(identifiers=identifiers, accounts=accounts)


def _kept(values: Sequence[TxtValue], error: DnsRenewError, *, written: bool) -> tuple[str, str, str]:
    owners = sorted({names.relative(value.record.name) for value in values})
    reason = texts.NO_TIME_LEFT if isinstance(error, Cancelled) else error.message.rstrip(".")
    return (texts.TXT_KEPT if written else texts.TXT_KEPT_UNSURE).fill(names=owners, reason=reason)
