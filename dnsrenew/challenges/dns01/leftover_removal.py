"""Removes the TXT values that killed runs left, account by account, within a time limit."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base import names, threads
from dnsrenew.base.values import Frozen, field
from dnsrenew.challenges.dns01 import texts
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError, ProviderError, SecretError, as_clause

if TYPE_CHECKING:
    from dnsrenew.base.model import DnsAccount
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.challenges.dns01.records import TxtValue
    from dnsrenew.drivers.provider import Provider
    from dnsrenew.store.journal_entry import JournalEntry, WrittenValue
    from dnsrenew.store.zone_locks import ZoneLocks

ServedValues = Callable[["Context", str], set[str]]
"""Returns the TXT values that are served at an absolute name."""

_MAX_ACCOUNTS: Final = 8
"""Accounts asked at once."""
_STOP_SECONDS: Final = 1.0
"""Seconds for the threads to stop after the time limit."""
_HOST_CODES: Final = frozenset(
    {"provider-unreachable", "provider-timeout", "provider-untrusted", "provider-server-error", "provider-rate-limited"}
)
"""Errors that another zone of the same account would meet too."""


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

    :ivar results: for each finished group why its values stay; None: they are gone.
    """

    context: Context
    entries: list[JournalEntry]
    accounts: Mapping[str, DnsAccount]
    providers: Mapping[str, Provider]
    locks: ZoneLocks
    served: ServedValues | None
    results: dict[LeftoverGroup, DnsRenewError | None] = field(default_factory=dict)

    def groups(self) -> LeftoverGroups:
        """Return the values by account and zone, each value once: an error of one zone must not affect another."""
        groups: dict[LeftoverGroup, dict[WrittenValue, None]] = {}
        for entry in self.entries:
            for record, account in entry.values:
                group = LeftoverGroup(account, record.zone, self.has_moved(entry, account))
                groups.setdefault(group, {})[record, account] = None
        return {group: tuple(values) for group, values in groups.items()}

    def has_moved(self, entry: JournalEntry, name: str) -> bool:
        """Return whether the account was configured for another host when it wrote the entry."""
        account = self.accounts.get(name)
        return account is not None and not entry.wrote_to(
            name, self.providers[account.provider].host_fingerprint(account)
        )

    def work(self, groups: LeftoverGroups, seconds: float) -> None:
        """Remove the values of all groups, several accounts at once, until the time limit."""
        context = self.context.within(seconds)
        calls = [
            partial(self._account, context, {group: groups[group] for group in groups if group.account == name})
            for name in dict.fromkeys(group.account for group in groups)
        ]
        tasks = threads.start_all(calls, _MAX_ACCOUNTS)
        with contextlib.suppress(Cancelled):  # the time limit, or a cancel: the caller checks which
            for task in tasks:
                context.join(task)
        end_of_wait = time.monotonic() + _STOP_SECONDS
        for task in tasks:  # a stopped task releases its locks, which the renewals need
            task.done.wait(max(end_of_wait - time.monotonic(), 0.0))

    def _account(self, context: Context, groups: LeftoverGroups) -> None:
        """Remove the values of one account, zone by zone, until the time limit."""
        host_error: DnsRenewError | None = None
        with contextlib.suppress(Cancelled):
            for group, values in groups.items():
                error = host_error or self._group(context, group, values)
                if error is not None and not group.has_moved and _is_of_host(error):
                    host_error = error
                self.results[group] = error

    def _group(self, context: Context, group: LeftoverGroup, values: tuple[WrittenValue, ...]) -> DnsRenewError | None:
        """Remove the values of a group; return why they stay, or None if they are gone.

        :raises Cancelled: the run was cancelled, or the time is over.
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
        if not group.has_moved or (error is not None and error.code in _HOST_CODES):
            return error
        # The response of another host proves nothing: only DNS shows whether they are gone.
        return None if self._are_gone(context, values) else _account_changed(group.account, values, error)

    def _remove(self, context: Context, account: DnsAccount, values: tuple[WrittenValue, ...]) -> None:
        from dnsrenew.challenges.dns01.records import RecordWriter, TxtValue  # slow to load, and rarely needed
        from dnsrenew.drivers import invoke

        writer = RecordWriter(account, self.providers[account.provider])
        txt_values = [TxtValue("", writer, record) for record, _account in values]
        single = {value.single_value_key for value in txt_values if value.single_value_key is not None}
        with contextlib.ExitStack() as held:
            for key in sorted(single):
                held.enter_context(self.locks.value(context, key))
            if writer.provider.behaviour.exclusive:
                held.enter_context(self.locks.writing(context, values[0][0].zone))
            records = [value.record for value in txt_values if not self._is_replaced(context, value)]
            if records:
                invoke.call_remove(context, writer.provider, account, records)

    def _is_replaced(self, context: Context, value: TxtValue) -> bool:
        """Return whether a host that keeps one value has replaced this one with another."""
        if value.single_value_key is None or self.served is None:
            return False
        try:
            found = self.served(context, value.record.name)
        except Cancelled:
            raise
        except DnsRenewError:
            return False  # unknown: remove it, as at the end of every run
        return bool(found) and value.record.value not in found

    def _are_gone(self, context: Context, values: tuple[WrittenValue, ...]) -> bool:
        """Return whether no name server serves any of the values; False if the lookup fails."""
        if self.served is None:
            return False
        try:
            return not any(record.value in self.served(context, record.name) for record, _account in values)
        except Cancelled:
            raise
        except DnsRenewError:
            return False

    def _account_gone(self, name: str, values: tuple[WrittenValue, ...]) -> ConfigError:
        paths = [entry.path for entry in self.entries if not set(entry.values).isdisjoint(values)]
        return ConfigError.of(texts.ACCOUNT_GONE, account=name, names=owners(values), paths=paths)

    def result(self, group: LeftoverGroup, values: Sequence[WrittenValue]) -> DnsRenewError | None:
        """Return why the values of a group stay, or None if they are gone."""
        unfinished = ProviderError.of(texts.SWEEP_UNFINISHED, account=group.account, names=owners(values))
        return self.results.get(group, unfinished)


def _is_of_host(error: DnsRenewError) -> bool:
    """Return whether the next zone of the account would meet the same error."""
    return isinstance(error, SecretError | ConfigError) or error.code in _HOST_CODES


def _account_changed(name: str, values: Sequence[WrittenValue], error: DnsRenewError | None) -> ConfigError:
    if error is None:
        return ConfigError.of(texts.ACCOUNT_CHANGED_SERVED, account=name, names=owners(values))
    reason = as_clause(error.message)
    return ConfigError.of(texts.ACCOUNT_CHANGED, account=name, names=owners(values), reason=reason)


def owners(values: Sequence[WrittenValue]) -> list[str]:
    """Return the names of some values, each once, as people write them."""
    return sorted({names.relative(record.name) for record, _account in values})
