"""Calls the DNS hosts: adds and removes TXT values, with one call for each account, and records how each call ended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, Literal

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import CircuitBreaker, FairLock, all_held
from dnsrenew.base.values import grouped
from dnsrenew.challenges import texts
from dnsrenew.challenges.records import RecordWriter, TxtValue
from dnsrenew.dns import DnsView
from dnsrenew.drivers import invoke
from dnsrenew.errors import AttemptError, DnsRenewError, ProviderError, StoreError, about
from dnsrenew.store.journal import Journal, JournalEntry, WrittenValue
from dnsrenew.store.zone_locks import ZoneLocks

_MAX_ACCOUNTS: Final = 8
"""The number of accounts written to at once."""
REFUSALS: Final = frozenset(
    {"provider-unauthorized", "provider-zone-unknown", "provider-address-wrong", "provider-untrusted"}
)
"""Errors that occur before anything is written in a zone."""
_REFUSES_ONE: Final = frozenset({"provider-refused", "provider-rate-limited"})
"""Errors that refuse a single value. An earlier value of the same call may have been written."""
_HUNG, _UNREACHED = "provider-timeout", "provider-unreachable"
_Work = Callable[[Context, Sequence[TxtValue]], None]
"""Only a time-out opens the circuit breaker. An unreachable host fails at once, and may recover at any time."""


class HostCalls:
    """The calls of a run. Thread-safe.

    :param locks: locks of zones that allow only one writer at a time.
    :param published: keeps the state of each value.
    :param foreign: checks the values of others, if a script writes.
    """

    def __init__(self, locks: ZoneLocks, published: PublishedValues, foreign: ForeignValues | None = None) -> None:
        self._foreign = foreign
        self._locks = locks
        self._published = published
        self._breaker = CircuitBreaker()

    def check(self, context: Context, account: str) -> None:
        """Check that the host of an account responded to the last call, and that the account may write.

        :raises ProviderError: it has timed out, or lost values of others.
        """
        if self._foreign is not None:
            self._foreign.check(account)
        self._breaker.check(context, account)

    def is_silent(self, account: str) -> bool:
        """Return whether the host of an account has timed out."""
        return self._breaker.is_open(account)

    def add(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Add values, all accounts in parallel.

        :raises ProviderError: a host refused or did not respond; any part may have been written.
        """
        self._each_account(context, values, self._add)

    def remove(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Remove values, all accounts in parallel.

        :raises ProviderError: a host refused or did not respond.
        """
        self._each_account(context, values, self._remove)

    def _each_account(self, context: Context, values: Sequence[TxtValue], work: _Work) -> None:
        """Work on the values of each account, in parallel; raise the first error after all have ended."""
        by_account = grouped(values, lambda value: value.writer.account.name)
        calls = [partial(self._locked, context, group, work) for group in by_account.values()]
        if len(calls) == 1:
            calls[0]()
            return
        for task in context.call_all(calls, _MAX_ACCOUNTS):
            task.result()

    def _locked(self, context: Context, values: Sequence[TxtValue], work: _Work) -> None:
        """Work on the values of one account, with locks where only one writer is allowed at a time."""
        turns = values[0].writer.turns(value.record.zone for value in values)
        with all_held(self._locks.writing(context, key, seconds) for key, seconds in turns.items()):
            work(context, values)

    def _add(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Add the values of one account zone by zone, because a refusal in one zone says nothing about the others."""
        for group in _by_zone(values):
            self._add_to_zone(context, group)

    def _add_to_zone(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Add the values of one account in one zone, and record their state."""
        writer, records = values[0].writer, [value.record for value in values]
        self.check(context, writer.account.name)
        foreign = self._foreign if writer.provider.runs_script else None
        if foreign is not None:
            foreign.remember(context, writer.account.name, "add", records)
        asking = partial(self._published.note, context, values, "asked")
        ended = partial(self._published.note, context, values, "unsure")
        try:
            tries = self._call(context, writer, records, partial(invoke.call_add, asking=asking, ended=ended))
        except StoreError:  # no request was sent
            raise
        except DnsRenewError as error:
            tries = [*about(error).before, error.code]
            definite = REFUSALS | _REFUSES_ONE if len(records) == 1 else REFUSALS
            if not about(error).sent:
                self._published.note(context, values, "unsent")
            elif invoke.UNANSWERED.isdisjoint(tries):
                self._published.note(context, values, "refused" if definite.issuperset(tries) else "unsure")
            raise
        if invoke.UNANSWERED.isdisjoint(tries):
            self._published.note(context, values, "written")

    def _remove(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Remove the values of one account, zone by zone, and forget them; raise an error afterwards.

        :raises ProviderError: also ``acme-sh-not-removed`` and ``foreign-values-lost``, if a script removes.
        """
        errors: list[DnsRenewError] = []
        for group in _by_zone(values):
            try:
                self._remove_from_zone(context, group)
            except ProviderError as error:
                errors.append(error)
                if error.code in {_HUNG, _UNREACHED}:  # the other zones are at the same host
                    break
        if errors:
            raise next((error for error in errors if error.code == "foreign-values-lost"), errors[0])

    def _remove_from_zone(self, context: Context, values: Sequence[TxtValue]) -> None:
        writer, records = values[0].writer, [value.record for value in values]
        foreign = self._foreign if writer.provider.runs_script else None
        if foreign is None:
            self._call(context, writer, records, invoke.call_remove)
            self._published.forget(context, values)
            return
        account = writer.account.name
        foreign.remember(context, account, "remove", records)
        self._call(context, writer, records, invoke.call_remove)
        left = still_served(context, foreign.look, records)
        self._published.forget(context, [value for value in values if value.record not in left])
        foreign.compare(context, account, "remove")
        if left:
            raise not_removed(account, left)

    def _call(
        self, context: Context, writer: RecordWriter, records: Sequence[TxtRecord], call: Callable[..., list[str]]
    ) -> list[str]:
        """Call the driver of an account, and record whether its host responds; return the codes of failed tries."""
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


def _by_zone(values: Sequence[TxtValue]) -> Iterable[list[TxtValue]]:
    return grouped(values, lambda value: value.record.zone).values()


# ── published ──────────────────────────────────────────────────────────────────────────

# The TXT values that a run has published, their state, and their journal entries until they are removed.


_Key = tuple[str | None, WrittenValue]

PublishState = Literal["asked", "unsure", "written", "refused", "unsent"]
"""Whether a value is in DNS, after writing has started.

``asked``: the host has not responded, and may write it at any time. ``unsure``: it responded with an error.
``refused``: the value is certainly not in DNS. ``unsent``: no request was sent to the host.
"""


class PublishedValues:
    """The values that are in DNS, or may be.

    All certificates of a run and their threads share one object. A CA may require the same value for two certificates,
    so states are kept for each certificate, and the value stays until the last certificate no longer needs it. Hold
    :meth:`exclusive` while writing or removing a value. The dicts need no lock, because each key belongs to one
    certificate and each step is one operation.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._entries: dict[_Key, JournalEntry] = {}
        self._states: dict[_Key, PublishState] = {}
        self._users: dict[WrittenValue, set[str | None]] = {}
        self._locks = FairLock()

    @contextlib.contextmanager
    def journaled(self, context: Context, values: Sequence[TxtValue]) -> Iterator[None]:
        """Keep the values in the journal until the end. After that, only values that may still be in DNS stay there.

        :raises StoreError: the journal cannot be written. Publish nothing then.
        """
        if not values:
            yield
            return
        keys = [_key(context, value) for value in values]
        hosts = {value.writer.account.name: value.writer.host_fingerprint for value in values}
        entry = self._journal.enter(context, context.certificate or "", [written for _, written in keys], hosts)
        self._entries.update(dict.fromkeys(keys, entry))
        try:
            yield
        finally:
            entry.remove(key[1] for key in keys if key not in self._states)
            entry.keep()

    def exclusive(self, context: Context, values: Sequence[TxtValue]) -> contextlib.AbstractContextManager[None]:
        """Keep other certificates of this run from writing or removing one of these values.

        :raises Cancelled: the run was cancelled while waiting.
        """
        ordered = sorted({value.written for value in values}, key=repr)
        return all_held(self._locks.hold(context, written) for written in ordered)

    def note(self, context: Context, values: Sequence[TxtValue], state: PublishState) -> None:
        """Set the state of some values.

        :raises StoreError: the journal cannot be written. Do not send the request then.
        """
        for value in values:
            key = _key(context, value)
            entry = self._entries.get(key)
            if entry is not None and state == "asked":
                entry.mark_in_flight([key[1]])
            elif entry is not None:
                entry.clear_in_flight([key[1]])
            self._states[key] = state
            self._users.setdefault(value.written, set()).add(context.certificate)

    def at_name(self, name: str) -> set[str]:
        """Return the values at a name that certificates of this run have written and not removed."""
        return {record.value for _, (record, _account) in [*self._states] if record.name == name}

    def forget_shared(self, context: Context, values: Sequence[TxtValue]) -> list[TxtValue]:
        """Forget the values that other certificates still need, and return all others."""
        shared = [value for value in values if self._users.get(value.written, set()) - {context.certificate}]
        self.forget(context, shared)
        return [value for value in values if value not in shared]

    def state(self, context: Context, value: TxtValue) -> PublishState | None:
        """Return the state of a value; None if it is not written yet, or already removed."""
        return self._states.get(_key(context, value))

    def release(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Record that the certificate no longer needs some values; they stay in DNS and in the journal."""
        for value in values:
            self._users.get(value.written, set()).discard(context.certificate)

    def forget(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Forget values, and delete them from the certificate's journal entry unless a request is in flight."""
        for key in (_key(context, value) for value in values):
            self._states.pop(key, None)
            self._users.get(key[1], set()).discard(context.certificate)
            if (entry := self._entries.pop(key, None)) is not None:
                entry.remove([key[1]])


def _key(context: Context, value: TxtValue) -> _Key:
    return context.certificate, value.written


# ── foreign values ─────────────────────────────────────────────────────────────────────

# What a script of acme.sh does to TXT values is read from the zone's servers, because its exit status does not tell.

_GONE_SECONDS: Final = 20.0
"""Seconds for a removed value to leave all servers of its zone. After that, the next run removes it once more."""
_PAUSE: Final = 1.0

LookUp = Callable[["Context", str], "set[str] | None"]
"""Returns the TXT values at an absolute name; None if unknown."""


def still_served(context: Context, look: LookUp, records: Sequence[TxtRecord]) -> list[TxtRecord]:
    """Wait until removed values are gone, and return those that are still served.

    :raises Cancelled: the caller cancelled, or the time is over.
    """
    end = context.clock.monotonic() + _GONE_SECONDS
    left = list(records)
    while True:
        served = {name: look(context, name) or set() for name in dict.fromkeys(record.name for record in left)}
        left = [record for record in left if record.value in served[record.name]]
        if not left or context.clock.monotonic() + _PAUSE > end:
            return left
        context.wait(_PAUSE)


def not_removed(account: str, records: Sequence[TxtRecord]) -> ProviderError:
    """Return the error for values that a script had to remove and that the zone still serves."""
    owners = sorted({names.relative(record.name) for record in records})
    return ProviderError.of(texts.STILL_SERVED, account=account, names=owners)


class ForeignValues:
    """Checks the values of others once, at the first add and at the first remove of each account in a run.

    An account that has lost some of them stops writing, but still removes. Thread-safe, because the calls of an account
    do not overlap.

    :param ours: returns the values of this run at a name.
    """

    def __init__(self, dns: DnsView, ours: Callable[[str], Collection[str]]) -> None:
        self._dns = dns
        self._ours = ours
        self._before: dict[tuple[str, str], dict[str, set[str]]] = {}
        self._examined: set[tuple[str, str]] = set()
        self._stopped: set[str] = set()

    def check(self, account: str) -> None:
        """Raise if an account must not write.

        :raises ProviderError: ``foreign-values-lost``.
        """
        if account in self._stopped:
            raise ProviderError.of(texts.FOREIGN_STOPPED, account=account)

    def remember(
        self, context: Context, account: str, action: Literal["add", "remove"], records: Sequence[TxtRecord]
    ) -> None:
        """Look up the values of others before the first change of an account at a name that has such values."""
        if (account, action) in self._examined:
            return
        before: dict[str, set[str]] = {}
        for name in dict.fromkeys(record.name for record in records):
            own = {*self._ours(name), *(record.value for record in records if record.name == name)}
            if foreign := (self.look(context, name) or set()) - own:
                before[name] = foreign
        if before:
            self._before.setdefault((account, action), {}).update(before)

    def compare(self, context: Context, account: str, action: Literal["add", "remove"]) -> None:
        """Look up others' values again, now that the change is served.

        :raises ProviderError: ``foreign-values-lost``: some are gone, or changed.
        """
        before: Mapping[str, set[str]] = self._before.pop((account, action), {})
        lost: dict[str, list[str]] = {}
        for name, foreign in before.items():
            if (served := self.look(context, name)) is not None:
                self._examined.add((account, action))
                if gone := sorted(foreign - served):
                    lost[names.relative(name)] = gone
        if lost:
            self._stopped.add(account)
            values = [value for several in lost.values() for value in several]
            raise ProviderError.of(texts.FOREIGN_LOST, account=account, names=list(lost), values=values)

    def look(self, context: Context, name: str) -> set[str] | None:
        """Return the values that the servers of the zone show; None if no server answers."""
        try:
            return self._dns.answered_values(context, name)
        except AttemptError:
            return None
