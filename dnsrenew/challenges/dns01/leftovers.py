"""Removes the TXT values that killed runs left in DNS: those in the journal, with the account that wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import Frozen, replace
from dnsrenew.challenges.dns01 import texts
from dnsrenew.challenges.dns01.leftover_removal import LeftoverRemoval, owners
from dnsrenew.errors import Cancelled, DnsRenewError, LockedError, StoreError

if TYPE_CHECKING:
    from dnsrenew.base.model import DnsAccount, TxtRecord
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.challenges.dns01.leftover_removal import LeftoverGroups, ServedValues
    from dnsrenew.drivers.provider import Provider
    from dnsrenew.store.journal_entry import JournalEntry, WrittenValue
    from dnsrenew.store.parts import Journal
    from dnsrenew.store.zone_locks import ZoneLocks

SECONDS: Final = 180.0
"""Time limit of ``dnsrenew cleanup``."""
BEFORE_RUN_SECONDS: Final = 10.0
"""Time limit of the cleanup before a run: it delays the renewals."""


class CleanupResult(Frozen, public=True):
    """The result of a cleanup."""

    removed: tuple[tuple[TxtRecord, str], ...] = ()
    """The removed values, each with the name of its account; not those that an earlier cleanup has removed already."""
    kept: tuple[tuple[tuple[TxtRecord, str], DnsRenewError], ...] = ()
    """The values that stay in DNS and in the journal, each with the reason."""
    unreadable: tuple[str, ...] = ()
    """Files of the journal that cannot be read."""
    late: tuple[tuple[TxtRecord, str], ...] = ()
    """Those of the removed values that a request of a killed run may still write; the next cleanup removes them once
    more.
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, as ``dnsrenew cleanup --json`` prints it."""
        kept = [{**_describe(value), "error": error.to_dict()} for value, error in self.kept]
        removed = [_describe(value) for value in self.removed]
        return {"version": 1, "removed": removed, "kept": kept, "unreadable": list(self.unreadable)}


def cleanup(
    context: Context,
    journal: Journal,
    accounts: Mapping[str, DnsAccount],
    providers: Mapping[str, Provider],
    locks: ZoneLocks,
    *,
    seconds: float = SECONDS,
    wait: float = 0,
    served: ServedValues | None = None,
) -> CleanupResult:
    """Remove from DNS the values that killed runs left, and delete them from the journal.

    :param providers: by name, one for each account.
    :param locks: locks of zones that hold one value, or take one writer, at a time. If another run holds one, the value
        is kept until the next cleanup.
    :param seconds: time limit; a value that is not removed by then is kept.
    :param wait: seconds to wait for another cleanup.
    :param served: looks up a value before it is removed at a host that keeps one value: removing would delete a newer
        value too.
    :raises LockedError: another cleanup is running.
    :raises StoreError: the journal cannot be read.
    :raises Cancelled: the run was cancelled; values that were removed before are deleted from the journal.
    """
    with journal.left_over(context, wait=wait) as entries:
        done = CleanupResult()
        if entries:
            done = _run(LeftoverRemoval(context, entries, accounts, providers, locks, served), seconds)
    return replace(done, unreadable=tuple(journal.unreadable()))


def cleanup_before_run(
    context: Context,
    journal: Journal,
    accounts: Mapping[str, DnsAccount],
    providers: Mapping[str, Provider],
    locks: ZoneLocks,
    *,
    seconds: float = BEFORE_RUN_SECONDS,
    served: ServedValues | None = None,
) -> None:
    """Clean up before a run of renewals. Every failure is a warning, never an error.

    The parameters are those of :func:`cleanup`.
    """
    try:
        done = cleanup(context, journal, accounts, providers, locks, seconds=seconds, served=served)
    except (LockedError, Cancelled):
        return  # another cleanup is running; or the renewals notice the cancel themselves
    except StoreError as error:
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
        done = _finish(removal, groups)  # also after a cancel: some values may be removed
    removal.context.check()
    return done


def _finish(removal: LeftoverRemoval, groups: LeftoverGroups) -> CleanupResult:
    """Delete removed values from the journal, emit the events, and return the result."""
    removed: list[WrittenValue] = []
    kept: list[tuple[WrittenValue, DnsRenewError]] = []
    late: dict[WrittenValue, None] = {}
    for group, values in groups.items():
        error = removal.result(group, values)
        if error is None:
            entries = [each for each in removal.entries if removal.has_moved(each, group.account) is group.has_moved]
            new = _not_removed_before(entries, values)
            for entry in entries:
                entry.remove(values)
                late.update(dict.fromkeys(entry.in_flight(new)))
            removed += new
            if new:
                removal.context.emit("swept", records=[_describe(value) for value in new])
        else:
            kept += [(value, error) for value in values]
            removal.context.emit("sweep-kept", records=[_describe(value) for value in values], error=error.to_dict())
    return CleanupResult(tuple(removed), tuple(kept), late=tuple(late))


def _not_removed_before(entries: Sequence[JournalEntry], values: Sequence[WrittenValue]) -> list[WrittenValue]:
    """Return the values without those that were only removed once more: nobody needs to know that."""
    new: set[WrittenValue] = set()
    for entry in entries:
        its, before = set(entry.values), entry.removed_once(values)
        new.update(value for value in values if value in its and value not in before)
    return [value for value in values if value in new]


def _describe(value: WrittenValue) -> dict[str, str]:
    record, account = value
    return {"zone": record.zone, "name": record.name, "value": record.value, "dns": account}
