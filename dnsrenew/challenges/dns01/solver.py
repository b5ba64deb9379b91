"""The solver of dns-01: publishes TXT values through DNS accounts, and waits until every name server shows them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final

from dnsrenew.acme import CAClient, Challenge
from dnsrenew.base import names
from dnsrenew.base.model import Propagation, PropagationCheck, Route, TxtRecord
from dnsrenew.base.runtime.context import Context
from dnsrenew.challenges import texts as shared_texts
from dnsrenew.challenges.dns01 import texts
from dnsrenew.challenges.dns01.accounts import AccountChoice
from dnsrenew.challenges.dns01.host_calls import ForeignValues, HostCalls, PublishedValues
from dnsrenew.challenges.dns01.records import OWN_LABEL, TxtPlacement, TxtValue, batches, writers_of
from dnsrenew.challenges.solver import Placements, Solver, SolverResources
from dnsrenew.drivers import invoke
from dnsrenew.drivers.loading import warm_up
from dnsrenew.errors import AttemptError, Cancelled, DnsRenewError, PropagationError, about, as_clause

_WITHDRAW_SECONDS: Final = 60.0
_WITHDRAW_SILENT: Final = 10.0
"""Seconds for a host that has just timed out; the next run tries again."""
_WITHDRAW_GRACE: Final = 3.5
"""Seconds after a cancel: Ctrl-C has to end everything within five seconds."""
LONGEST_CACHING: Final = 60
"""Seconds for which the resolvers of a CA cache an answer at most, even with a longer TTL."""


def make_solver(resources: SolverResources) -> Dns01:
    """Return the solver of this type."""
    return Dns01(resources)


class Dns01(Solver[TxtPlacement, TxtValue]):
    """Publishes TXT values through DNS accounts and waits until every name server shows them."""

    def __init__(self, resources: SolverResources) -> None:
        self._dns = resources.dns
        writers = writers_of(resources.accounts, resources.providers)
        self._accounts = AccountChoice(resources.dns, writers, attended=resources.attended)
        self._locks = resources.locks
        self._published = PublishedValues(resources.journal)
        self._foreign = ForeignValues(resources.dns, self._published.at_name)
        self._hosts = HostCalls(resources.locks, self._published, self._foreign)
        self._cached_until: dict[tuple[str, str], float] = {}  # monotonic seconds, by CA and name

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
        targets, refused = self._accounts.targets(context, identifiers, route, check, self.label(placements))
        for identifier, error in refused.items():
            placements.block(route, [identifier], error)
        self._accounts.place_all(context, targets, route, placements)

    def label(self, placements: Placements) -> str:
        """Return the labels before the domain at which the CA looks."""
        del placements
        return OWN_LABEL

    def prepare(self, context: Context, placements: Collection[TxtPlacement]) -> None:
        """Read the secrets of the accounts that will write and make their drivers, before anything is ordered.

        Warn of names that their TXT records will hide.

        :raises SecretError: a reference cannot be resolved.
        :raises ConfigError: an option is wrong, or a driver is not installed.
        :raises ProviderError: the host has timed out for another certificate of this run.
        """
        writers = {writer.account.name: writer for placement in placements for writer, _zone in placement.writers}
        for writer in writers.values():
            self._hosts.check(context, writer.account.name)
            invoke.prepare(context, writer.provider, writer.account)
            warm_up(writer.provider, context.remembered.setdefault(writer.account.name, {}))
        self._dns.warn_wildcard_shadow(context, {placement.identifier: placement for placement in placements})

    # ── values ──────────────────────────────────────────────────────────────────────────

    def make_values(self, ca: CAClient, placement: TxtPlacement, challenge: Challenge) -> list[TxtValue]:
        """Return the TXT value of a challenge (RFC 8555 section 8.4), once for each account that writes it."""
        return self.values(placement, ca.dns01_value(challenge))

    def values(self, placement: TxtPlacement, text: str) -> list[TxtValue]:
        """Return the finished TXT value for a placement, once for each account that writes it."""
        return [
            TxtValue(
                placement.identifier, writer, TxtRecord(zone, placement.name, text, writer.ttl), placement.challenge
            )
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
        by_hand = [value.described for value in values if value.writer.provider.behaviour.by_hand]
        if by_hand:
            context.emit("txt-by-hand", records=by_hand)
        started = context.clock.monotonic()
        with self._published.exclusive(context, values):
            self._hosts.add(context, values)
        if len(by_hand) < len(values):
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
        # setting records by hand takes longer than an API
        if timeout is None or any(behaviour.by_hand for behaviour in behaviours):
            timeout = max(behaviour.propagation_timeout for behaviour in behaviours)
        configured = wanted.settle if wanted.settle is not None else max(behaviour.settle for behaviour in behaviours)
        records = list({(value.record.name, value.record.value): value.record for value in values}.values())
        settle += configured
        try:
            self._dns.wait_visible(context, records, timeout=timeout, settle=settle, check=wanted.check)
        except PropagationError as error:
            raise _about(error, values) from None
        for account in dict.fromkeys(value.writer.account.name for value in values):
            self._foreign.compare(context, account, "add")

    def wait_caches(self, context: Context, values: Sequence[TxtValue], ca: str) -> None:
        """Wait until no resolver of the CA caches an older value of these names."""
        owners = {value.record.name for value in values}
        until = max((self._cached_until.get((ca, owner), 0.0) for owner in owners), default=0.0)
        seconds = until - context.clock.monotonic()
        if seconds > 0:
            context.emit("caches-waiting", seconds=round(seconds, 1))
            context.wait(seconds)

    def note_answered(self, context: Context, values: Sequence[TxtValue], ca: str) -> None:
        """Record that the CA's resolvers cache these values from now on."""
        for value in values:
            # A host that keeps one value often ignores our TTL: ask its name servers for the real one.
            single = value.single_value_key is not None
            ttl = self._ttl(context, value.record.name) if single else value.record.ttl
            self._cached_until[ca, value.record.name] = context.clock.monotonic() + min(ttl, LONGEST_CACHING)

    def _ttl(self, context: Context, name: str) -> int:
        try:
            return self._dns.ttl(context, name)
        except AttemptError:  # the CA is already querying: an unknown TTL must not stop the order
            return LONGEST_CACHING

    def withdraw(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Remove the values. Warn of those that stay; raise nothing, so that no other error is hidden."""
        started = [value for value in values if self._published.state(context, value) is not None]
        by_hand = [value.described for value in started if value.writer.provider.behaviour.by_hand]
        if by_hand:
            context.emit("txt-by-hand-over", records=by_hand)
        unsent = [value for value in started if self._published.state(context, value) == "unsent"]
        self._published.forget(context, unsent)
        removable = [value for value in started if value.is_to_be_removed and value not in unsent]
        if not removable:
            return
        silent = any(self._hosts.is_silent(value.writer.account.name) for value in removable)
        calls = sum(value.writer.provider.runs_script for value in removable)
        seconds = _WITHDRAW_SILENT if silent else _WITHDRAW_SECONDS + invoke.SCRIPT_SECONDS * calls
        cleanup = context.for_cleanup(seconds, _WITHDRAW_GRACE)
        begin = context.clock.monotonic()
        try:
            with self._published.exclusive(cleanup, removable):
                removable = self._published.forget_shared(cleanup, removable)
                self._hosts.remove(cleanup, removable)
        except DnsRenewError as error:
            if error.code == "foreign-values-lost":
                context.warn(error.code, error.message, error.fix)
            self._keep(cleanup, removable, error)
        else:
            seconds = round(context.clock.monotonic() - begin, 3)
            if removable:
                context.emit("txt-removed", records=[value.described for value in removable], seconds=seconds)

    def remove(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Remove values that this run need not have written.

        :raises ProviderError: a host refused or did not respond.
        """
        begin = context.clock.monotonic()
        with self._published.exclusive(context, values):
            self._hosts.remove(context, values)
        seconds = round(context.clock.monotonic() - begin, 3)
        context.emit("txt-removed", records=[value.described for value in values], seconds=seconds)

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


def _about(error: PropagationError, values: Sequence[TxtValue]) -> PropagationError:
    """Add to the evidence the identifiers whose values are missing, and the accounts that wrote them."""
    missing = about(error).names
    late = [value for value in values if names.relative(value.record.name) in missing] or values
    identifiers = list(dict.fromkeys(value.identifier for value in late))
    accounts = list(dict.fromkeys(value.writer.account.name for value in late))
    return error.with_evidence(identifiers=identifiers, accounts=accounts)


def _kept(values: Sequence[TxtValue], error: DnsRenewError, *, written: bool) -> tuple[str, str, str]:
    owners = sorted({names.relative(value.record.name) for value in values})
    reason = shared_texts.NO_TIME_LEFT if isinstance(error, Cancelled) else as_clause(error.message)
    return (texts.TXT_KEPT if written else texts.TXT_KEPT_UNSURE).fill(names=owners, reason=reason)
