"""What killed runs have left in DNS is removed: only what the journal names, by the account that wrote it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dnsrenew.base import names, threads
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError, LockedError, ProviderError, SecretError, StoreError

if TYPE_CHECKING:
    from dnsrenew.challenges.dns01.records import TxtValue
    from dnsrenew.drivers.provider import Provider
    from dnsrenew.model import DnsAccount
    from dnsrenew.runtime.context import Context
    from dnsrenew.store.journal import Journal
    from dnsrenew.store.journal_entry import JournalEntry, WrittenValue
    from dnsrenew.store.zone_locks import ZoneLocks

ServedValues = Callable[["Context", str], set[str]]
"""Tells the TXT values that are served at an absolute name."""

SECONDS: Final = 180.0
"""How long a sweep of its own takes at most."""
BEFORE_RUN_SECONDS: Final = 10.0
"""How long a sweep holds up the renewals after it, at most."""
_WRITERS: Final = 8
_MOMENT: Final = 1.0
"""Seconds in which everybody notices that the time is over."""
_OF_THE_HOST: Final = frozenset(
    {"provider-unreachable", "provider-timeout", "provider-untrusted", "provider-server-error", "provider-rate-limited"}
)
"""What the host says whatever the zone."""


class CleanupResult(Frozen):
    """What came of a sweep.

    :ivar removed: the values that are gone, each with the name of its account.
    :ivar kept: those that stay, in DNS and in the journal, each with the reason.
    :ivar unreadable: files of the journal that do not tell which values they name.
    """

    removed: tuple[WrittenValue, ...] = ()
    kept: tuple[tuple[WrittenValue, DnsRenewError], ...] = ()
    unreadable: tuple[str, ...] = ()

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
    look: ServedValues | None = None,
) -> CleanupResult:
    """Remove from DNS what dead runs left there, and from the journal what is gone.

    :param providers: by name, one for each account.
    :param locks: of places that take one value, or one writer, at a time; where another run is, the value is kept for
        the next time.
    :param seconds: after these, what is not known to be removed is kept.
    :param wait: seconds to wait for another run that is sweeping.
    :param look: asked before a host that keeps one value clears it: it would clear another's too.
    :raises LockedError: another run is sweeping.
    :raises StoreError: the journal cannot be read.
    :raises Cancelled: called away; what was removed until then is off the journal.
    """
    with journal.left_over(context, wait=wait) as entries:
        done = _Cleanup(context, entries, accounts, providers, locks, look).run(seconds) if entries else CleanupResult()
    return replace(done, unreadable=tuple(journal.unreadable()))


def cleanup_before_run(
    context: Context,
    journal: Journal,
    accounts: Mapping[str, DnsAccount],
    providers: Mapping[str, Provider],
    locks: ZoneLocks,
    *,
    seconds: float = BEFORE_RUN_SECONDS,
    look: ServedValues | None = None,
) -> None:
    """Sweep before a run of renewals: what does not work is a warning, and never an error.

    Parameters are those of :func:`cleanup`.
    """
    try:
        done = cleanup(context, journal, accounts, providers, locks, seconds=seconds, look=look)
    except (LockedError, Cancelled):
        return  # another run is at it; or the renewals will notice themselves
    except StoreError as error:
        context.warn(error.code, f"It is not known whether killed runs left values in DNS. {error.message}", error.fix)
        return
    by_reason: dict[tuple[str, str], list[tuple[WrittenValue, DnsRenewError]]] = {}
    for kept in done.kept:
        value, reason = kept
        by_reason.setdefault((value[1], reason.message), []).append(kept)
    for group in by_reason.values():
        context.warn("sweep-kept", *_said(group))


class _Group(NamedTuple):
    """What is removed together.

    :ivar has_moved: the account has been pointed at another host since it wrote.
    """

    account: str
    zone: str
    has_moved: bool


_Groups = Mapping[_Group, tuple["WrittenValue", ...]]


class _Cleanup(Frozen):
    """One sweep.

    :ivar came: what came of each group of values so far; None: they are gone.
    """

    context: Context
    entries: list[JournalEntry]
    accounts: Mapping[str, DnsAccount]
    providers: Mapping[str, Provider]
    locks: ZoneLocks
    look: ServedValues | None
    came: dict[_Group, DnsRenewError | None] = field(default_factory=dict)

    def run(self, seconds: float) -> CleanupResult:
        groups = self._groups()
        try:
            self._work(groups, seconds)
        finally:
            # Also when called away: what is gone is gone.
            swept = self._book(groups)
        self.context.check()
        return swept

    def _groups(self) -> _Groups:
        """Return the values by account and zone, each value once: a zone that is gone holds up no other."""
        groups: dict[_Group, dict[WrittenValue, None]] = {}
        for entry in self.entries:
            for record, account in entry.values:
                group = _Group(account, record.zone, self._has_moved(entry, account))
                groups.setdefault(group, {})[record, account] = None
        return {group: tuple(values) for group, values in groups.items()}

    def _has_moved(self, entry: JournalEntry, name: str) -> bool:
        """Tell whether an account has been pointed at another host since it wrote."""
        account = self.accounts.get(name)
        return account is not None and not entry.wrote_to(
            name, self.providers[account.provider].host_fingerprint(account)
        )

    def _work(self, groups: _Groups, seconds: float) -> None:
        end = self.context.clock.monotonic() + seconds
        end = end if self.context.deadline is None else min(end, self.context.deadline)
        context = replace(self.context, deadline=end)
        calls = [
            partial(self._account, context, {group: groups[group] for group in groups if group.account == name})
            for name in dict.fromkeys(group.account for group in groups)
        ]
        tasks = threads.start_all(calls, _WRITERS)
        with contextlib.suppress(Cancelled):  # out of time, or called away, which is looked at afterwards
            for task in tasks:
                context.join(task)
        late = time.monotonic() + _MOMENT
        for task in tasks:  # what is left behind lets go of its locks at once: the renewals want them
            task.done.wait(max(late - time.monotonic(), 0.0))

    def _account(self, context: Context, groups: _Groups) -> None:
        """Remove what one account wrote, zone by zone, as far as the time goes."""
        of_the_host: DnsRenewError | None = None
        with contextlib.suppress(Cancelled):
            for group, values in groups.items():
                error = of_the_host or self._group(context, group, values)
                if error is not None and not group.has_moved and _is_of_the_host(error):
                    of_the_host = error
                self.came[group] = error

    def _group(self, context: Context, group: _Group, values: tuple[WrittenValue, ...]) -> DnsRenewError | None:
        """Remove values that belong together; return why they cannot be, None when they are gone.

        :raises Cancelled: called away, or out of time.
        """
        account = self.accounts.get(group.account)
        if account is None:
            return None if self._are_gone(context, values) else self._account_gone(group.account, values)
        error: DnsRenewError | None = None
        try:
            self._remove(context, account, values)
        except Cancelled:
            raise
        except DnsRenewError as refusal:
            error = refusal
        if not group.has_moved or (error is not None and error.code in _OF_THE_HOST):
            return error
        # What another host says of them proves nothing.
        return None if self._are_gone(context, values) else _account_changed(group.account, values, error)

    def _remove(self, context: Context, account: DnsAccount, values: tuple[WrittenValue, ...]) -> None:
        from dnsrenew.challenges.dns01.records import RecordWriter, TxtValue  # slow to load, and hardly ever needed
        from dnsrenew.drivers import invoke

        writer = RecordWriter(account, self.providers[account.provider])
        places = [TxtValue("", writer, record) for record, _account in values]
        with contextlib.ExitStack() as held:
            for place in sorted({place.single_value_key for place in places if place.single_value_key is not None}):
                held.enter_context(self.locks.value(context, place))
            if writer.provider.behaviour.exclusive:
                held.enter_context(self.locks.writing(context, values[0][0].zone))
            records = [place.record for place in places if not self._is_replaced(context, place)]
            if records:
                invoke.call_remove(context, writer.provider, account, records)

    def _is_replaced(self, context: Context, value: TxtValue) -> bool:
        """Tell whether another value has taken the place of this one, at a host that keeps one."""
        if value.single_value_key is None or self.look is None:
            return False
        try:
            served = self.look(context, value.record.name)
        except Cancelled:
            raise
        except DnsRenewError:
            return False  # it cannot be seen: then as at the end of every run
        return bool(served) and value.record.value not in served

    def _are_gone(self, context: Context, values: tuple[WrittenValue, ...]) -> bool:
        """Tell whether no name server serves any of them; not where that cannot be found out."""
        if self.look is None:
            return False
        try:
            return not any(record.value in self.look(context, record.name) for record, _account in values)
        except Cancelled:
            raise
        except DnsRenewError:
            return False

    def _account_gone(self, name: str, values: tuple[WrittenValue, ...]) -> ConfigError:
        paths = [entry.path for entry in self.entries if not set(entry.values).isdisjoint(values)]
        return ConfigError(
            "account-gone",
            f"The DNS account {name}, which wrote TXT values at {_owners(values)}, is not in the configuration any "
            "more.",
            fix=f"Put the account {name} back, or remove the values at your DNS host: the next run sees that they are "
            f"gone. (They are noted in {', '.join(paths)}.)",
            evidence={"account": name, "paths": paths},
        )

    def _book(self, groups: _Groups) -> CleanupResult:
        """Take what is gone off the journal, and tell everything."""
        removed: list[WrittenValue] = []
        kept: list[tuple[WrittenValue, DnsRenewError]] = []
        for group, values in groups.items():
            error = self.came.get(group, _unfinished(group.account, values))
            described = [_describe(value) for value in values]
            if error is None:
                for entry in self.entries:
                    if self._has_moved(entry, group.account) is group.has_moved:
                        entry.remove(values)
                removed += values
                self.context.emit("swept", records=described)
            else:
                kept += [(value, error) for value in values]
                self.context.emit("sweep-kept", records=described, error=error.to_dict())
        return CleanupResult(tuple(removed), tuple(kept))


def _is_of_the_host(error: DnsRenewError) -> bool:
    """Tell whether an error would be no better in the account's next zone."""
    return isinstance(error, SecretError | ConfigError) or error.code in _OF_THE_HOST


def _account_changed(name: str, values: tuple[WrittenValue, ...], error: DnsRenewError | None) -> ConfigError:
    why = "they are still served, or it cannot be seen" if error is None else error.message.strip().rstrip(".")
    return ConfigError(
        "account-changed",
        f"The DNS account {name} was configured for another host when it wrote TXT values at {_owners(values)}; as it "
        f"is now, it does not remove them ({why}).",
        fix="Remove them at that host (the next run sees that they are gone), or put the account back as it was and "
        "run: dnsrenew cleanup",
        evidence={"account": name},
    )


def _unfinished(account: str, values: tuple[WrittenValue, ...]) -> ProviderError:
    return ProviderError(
        "sweep-unfinished",
        f"The DNS host of the account {account} had not removed the TXT values at {_owners(values)} in time.",
        fix="Run: dnsrenew cleanup",
        evidence={"account": account},
    )


def _said(kept: list[tuple[WrittenValue, DnsRenewError]]) -> tuple[str, str]:
    error = kept[0][1]
    owners = _owners(tuple(value for value, _error in kept))
    return f"TXT values of an earlier run at {owners} could not be removed: {error.message}", error.fix


def _owners(values: tuple[WrittenValue, ...]) -> str:
    return ", ".join(sorted({names.relative(record.name) for record, _account in values}))


def _describe(value: WrittenValue) -> dict[str, str]:
    record, account = value
    return {"zone": record.zone, "name": record.name, "value": record.value, "dns": account}
