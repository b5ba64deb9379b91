"""Removes the TXT values that interrupted runs left in DNS: the values in the journal, with the account of each."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from dnsrenew import errors
from dnsrenew.base import names, threads
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import all_held
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.challenges import texts
from dnsrenew.challenges.host_calls import REFUSALS, not_removed, still_served
from dnsrenew.challenges.records import RecordWriter, TxtValue, described
from dnsrenew.drivers import invoke
from dnsrenew.errors import DnsRenewError
from dnsrenew.store.journal import Journal, JournalEntry, WrittenValue
from dnsrenew.store.zone_locks import ZoneLocks

SECONDS: Final = 180.0
"""Time limit of ``dnsrenew cleanup``."""
BEFORE_RUN_SECONDS: Final = 10.0
"""Time limit of the cleanup before a run, because it delays the renewals."""


class CleanupResult(Frozen, public=True):
    """The result of a cleanup."""

    removed: tuple[tuple[TxtRecord, str], ...] = ()
    """The removed values, each with the name of its account, without values that an earlier cleanup had already
    removed.
    """
    kept: tuple[tuple[tuple[TxtRecord, str], DnsRenewError], ...] = ()
    """The values that stay in DNS and in the journal, each with the reason."""
    unreadable: tuple[str, ...] = ()
    """Files of the journal that cannot be read."""
    owed: tuple[tuple[str, ...], ...] = ()
    """The programs ``after`` of interrupted runs that failed again."""
    late: tuple[tuple[TxtRecord, str], ...] = ()
    """The removed values that a request of an interrupted run may still write.

    The next cleanup removes them once more.
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, as ``dnsrenew cleanup --json`` prints it."""
        document = {
            "version": 1,
            "removed": [described(value) for value in self.removed],
            "kept": [{**described(value), "error": error.to_dict()} for value, error in self.kept],
            "unreadable": list(self.unreadable),
        }
        return document | ({"owed": [list(program) for program in self.owed]} if self.owed else {})


ServedValues = Callable[["Context", str], set[str]]
"""Returns the TXT values served at an absolute name."""


class Leftovers(Frozen):
    """The leftovers of interrupted runs, and the means to remove them.

    :ivar writers: the DNS accounts, by name.
    :ivar locks: locks of zones that allow only one value or one writer at a time. If another run holds a lock, the
        value is kept until the next cleanup.
    :ivar served: looks up a value before it is removed at a host that keeps one value, because the removal would delete
        a newer value too.
    """

    journal: Journal
    writers: Mapping[str, RecordWriter]
    locks: ZoneLocks
    served: ServedValues


def cleanup(context: Context, left: Leftovers, *, seconds: float = SECONDS, wait: float = 0) -> CleanupResult:
    """Remove the values that interrupted runs left in DNS, and delete them from the journal.

    :param seconds: time limit; a value that is not removed by then is kept.
    :param wait: seconds to wait for another cleanup.
    :raises LockedError: another cleanup is running.
    :raises StoreError: the journal cannot be read.
    :raises Cancelled: the run was cancelled; values that were already removed are deleted from the journal.
    """
    with left.journal.left_over(context, wait=wait) as entries:
        done = _run(LeftoverRemoval(context, entries, left), seconds) if entries else CleanupResult()
    return replace(done, unreadable=tuple(left.journal.unreadable()))


def cleanup_before_run(context: Context, left: Leftovers, *, seconds: float = BEFORE_RUN_SECONDS) -> None:
    """Clean up before a run of renewals. Every failure is a warning, never an error."""
    try:
        done = cleanup(context, left, seconds=seconds)
    except (errors.LockedError, errors.Cancelled):
        return  # another cleanup is running, or the renewals notice the cancel themselves
    except errors.StoreError as error:
        _, message, fix = texts.JOURNAL_UNREADABLE.fill(reason=error.message, reason_fix=error.fix)
        context.warn(error.code, message, fix)
        return
    by_reason: dict[tuple[str, str, str], list[WrittenValue]] = {}
    for value, cause in done.kept:
        by_reason.setdefault((value[1], cause.message, cause.fix), []).append(value)
    for (_account, reason, fix), values in by_reason.items():
        context.warn(*texts.SWEEP_KEPT.fill(names=owners(values), reason=reason, reason_fix=fix))


def _run(removal: LeftoverRemoval, seconds: float) -> CleanupResult:
    groups = removal.groups()
    try:
        removal.work(groups, seconds)
    finally:
        done = _finish(removal, groups)  # even after a cancel, because some values may be removed
    removal.context.check()
    return done


def _finish(removal: LeftoverRemoval, groups: LeftoverGroups) -> CleanupResult:
    """Delete removed values from the journal, emit the events, and return the result."""
    removed: list[WrittenValue] = []
    kept: list[tuple[WrittenValue, DnsRenewError]] = []
    late: dict[WrittenValue, None] = {}
    for group, values in groups.items():
        unfinished = errors.ProviderError.of(texts.SWEEP_UNFINISHED, account=group.account, names=owners(values))
        error = removal.results.get(group, unfinished)
        if group in removal.never_written:
            for entry in removal.entries:
                entry.remove(values)
        elif error is None:
            entries = [each for each in removal.entries if removal.has_moved(each, group.account) is group.has_moved]
            new = _not_removed_before(entries, values)
            for entry in entries:
                entry.remove(values)
                late.update(dict.fromkeys(entry.in_flight(new)))
            removed += new
            if new:
                removal.context.emit("swept", records=[described(value) for value in new])
        else:
            kept += [(value, error) for value in values]
            removal.context.emit("sweep-kept", records=[described(value) for value in values], error=error.to_dict())
    return CleanupResult(tuple(removed), tuple(kept), late=tuple(late))


def _not_removed_before(entries: Sequence[JournalEntry], values: Sequence[WrittenValue]) -> list[WrittenValue]:
    """Return the values that are worth a message: without values that were only removed once more."""
    new: set[WrittenValue] = set()
    for entry in entries:
        its, before = set(entry.values), entry.removed_once(values)
        new.update(value for value in values if value in its and value not in before)
    return [value for value in values if value in new]


# ── leftover removal ───────────────────────────────────────────────────────────────────

# Removes the TXT values that interrupted runs left, account by account, within a time limit.

_MAX_ACCOUNTS: Final = 8
"""The number of accounts whose values are removed at once."""
_STOP_SECONDS: Final = 1.0
"""Seconds that the threads have to stop after the time limit."""
_HOST_CODES: Final = frozenset(
    {"provider-unreachable", "provider-timeout", "provider-untrusted", "provider-server-error", "provider-rate-limited"}
)
"""Errors that would occur in another zone of the same account too."""


class LeftoverGroup(Frozen):
    """Values that are removed together.

    :ivar has_moved: the account was configured for another host when it wrote them.
    """

    account: str
    zone: str
    has_moved: bool


LeftoverGroups = Mapping[LeftoverGroup, tuple["WrittenValue", ...]]


class LeftoverRemoval(Frozen):
    """One cleanup.

    :ivar results: why the values of each finished group stay; None if they are gone.
    :ivar never_written: groups whose values were refused and are not in DNS, so there is nothing to remove or to
        report.
    """

    context: Context
    entries: list[JournalEntry]
    left: Leftovers
    results: dict[LeftoverGroup, DnsRenewError | None] = field(default_factory=dict)
    never_written: set[LeftoverGroup] = field(default_factory=set)

    def groups(self) -> LeftoverGroups:
        """Return the values by account and zone, without duplicates. An error in one zone must not affect another."""
        groups: dict[LeftoverGroup, dict[WrittenValue, None]] = {}
        for entry in self.entries:
            for record, account in entry.values:
                group = LeftoverGroup(account, record.zone, self.has_moved(entry, account))
                groups.setdefault(group, {})[record, account] = None
        return {group: tuple(values) for group, values in groups.items()}

    def has_moved(self, entry: JournalEntry, name: str) -> bool:
        """Return whether the account was configured for another host when it wrote the entry."""
        writer = self.left.writers.get(name)
        return writer is not None and not entry.wrote_to(name, writer.host_fingerprint)

    def work(self, groups: LeftoverGroups, seconds: float) -> None:
        """Remove the values of all groups, several accounts at once, until the time limit."""
        context = self.context.within(seconds)
        calls = [
            partial(self._account, context, {group: groups[group] for group in groups if group.account == name})
            for name in dict.fromkeys(group.account for group in groups)
        ]
        tasks = threads.start_all(calls, _MAX_ACCOUNTS)
        with contextlib.suppress(errors.Cancelled):  # the time limit or a cancel; the caller checks which
            for task in tasks:
                context.join(task)
        end_of_wait = time.monotonic() + _STOP_SECONDS
        for task in tasks:  # a stopped task releases its locks, which the renewals need
            task.done.wait(max(end_of_wait - time.monotonic(), 0.0))

    def _account(self, context: Context, groups: LeftoverGroups) -> None:
        """Remove the values of one account, zone by zone, until the time limit."""
        host_error: DnsRenewError | None = None
        with contextlib.suppress(errors.Cancelled):
            for group, values in groups.items():
                error = host_error or self._group(context, group, values)
                if error is not None and not group.has_moved and _is_of_host(error):
                    host_error = error
                if error is not None and self._was_never_written(context, values, error):
                    self.never_written.add(group)
                self.results[group] = error

    def _was_never_written(self, context: Context, values: tuple[WrittenValue, ...], error: DnsRenewError) -> bool:
        """Return whether values that cannot be removed are not in DNS either.

        Missing values in all name servers prove this if the host refuses to write there, or if the request is old: a
        host executes a request soon or never.
        """
        if error.code not in REFUSALS and any(entry.page.is_recent(context.clock.now()) for entry in self._of(values)):
            return False
        return isinstance(error, errors.ProviderError) and self._are_gone(context, values)

    def _of(self, values: tuple[WrittenValue, ...]) -> list[JournalEntry]:
        return [entry for entry in self.entries if not set(entry.values).isdisjoint(values)]

    def _group(self, context: Context, group: LeftoverGroup, values: tuple[WrittenValue, ...]) -> DnsRenewError | None:
        """Remove the values of a group; return the reason why they stay, or None if they are gone.

        :raises Cancelled: the run was cancelled, or the time is over.
        """
        writer = self.left.writers.get(group.account)
        if writer is None:
            return None if self._are_gone(context, values) else self._account_gone(group.account, values)
        error: DnsRenewError | None = None
        try:
            self._remove(context, writer, values)
        except errors.Cancelled:
            raise
        except DnsRenewError as refusal:
            error = refusal
        if error is not None and error.code == "acme-sh-failed" and self._are_gone(context, values):
            return None  # many scripts fail to remove a value that does not exist
        if not group.has_moved or (error is not None and error.code in _HOST_CODES):
            return error
        # The response of another host proves nothing. Only DNS shows whether they are gone.
        return None if self._are_gone(context, values) else _account_changed(group.account, values, error)

    def _remove(self, context: Context, writer: RecordWriter, values: tuple[WrittenValue, ...]) -> None:
        txt_values = [TxtValue("", writer, record) for record, _account in values]
        single = {value.single_value_key for value in txt_values if value.single_value_key is not None}
        turns, locks = writer.turns([values[0][0].zone]), self.left.locks
        alone = all_held(locks.value(context, key) for key in sorted(single))
        with alone, all_held(locks.writing(context, key, seconds) for key, seconds in turns.items()):
            if records := [value.record for value in txt_values if not self._is_replaced(context, value)]:
                invoke.call_remove(context, writer.provider, writer.account, records)
            if writer.provider.runs_script and (left := still_served(context, self._served, records)):
                raise not_removed(writer.account.name, left)

    def _served(self, context: Context, name: str) -> set[str] | None:
        """Return the values served at a name; None if unknown."""
        try:
            return self.left.served(context, name)
        except errors.Cancelled:
            raise
        except DnsRenewError:
            return None

    def _is_replaced(self, context: Context, value: TxtValue) -> bool:
        """Return whether a host that keeps one value has replaced this one.

        If this is unknown, the value is removed.
        """
        found = None if value.single_value_key is None else self._served(context, value.record.name)
        return bool(found) and value.record.value not in (found or ())

    def _are_gone(self, context: Context, values: tuple[WrittenValue, ...]) -> bool:
        """Return whether all name servers have stopped serving the values; False if the lookup fails."""
        there = ((record.value, self._served(context, record.name)) for record, _account in values)
        return all(found is not None and value not in found for value, found in there)

    def _account_gone(self, name: str, values: tuple[WrittenValue, ...]) -> errors.ConfigError:
        paths = [entry.path for entry in self._of(values)]
        return errors.ConfigError.of(texts.ACCOUNT_GONE, account=name, names=owners(values), paths=paths)


def _is_of_host(error: DnsRenewError) -> bool:
    """Return whether the next zone of the account would fail with the same error."""
    return isinstance(error, errors.SecretError | errors.ConfigError) or error.code in _HOST_CODES


def _account_changed(name: str, values: Sequence[WrittenValue], error: DnsRenewError | None) -> errors.ConfigError:
    if error is None:
        return errors.ConfigError.of(texts.ACCOUNT_CHANGED_SERVED, account=name, names=owners(values))
    reason = errors.as_clause(error.message)
    return errors.ConfigError.of(texts.ACCOUNT_CHANGED, account=name, names=owners(values), reason=reason)


def owners(values: Sequence[WrittenValue]) -> list[str]:
    """Return the names of some values, without duplicates, as people write them."""
    return sorted({names.relative(record.name) for record, _account in values})
