"""What killed runs have left in DNS is removed: only what the journal names, by the account that wrote it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew import names
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError, LockedError, ProviderError, SecretError, StoreError
from dnsrenew.frozen import Frozen, field, replace

if TYPE_CHECKING:
    from dnsrenew.challenges.placing import Value
    from dnsrenew.context import Context
    from dnsrenew.drivers.catalogue import Provider
    from dnsrenew.model import DnsAccount
    from dnsrenew.store.journal import Entry, Journal, Written
    from dnsrenew.store.zonelocks import ZoneLocks

Look = Callable[["Context", str], set[str]]
"""Tells the TXT values that are served at an absolute name."""

SECONDS: Final = 180.0
"""How long a sweep of its own takes at most."""
FIRST_SECONDS: Final = 10.0
"""How long a sweep holds up the renewals after it, at most."""
_WRITERS: Final = 8
_OF_THE_HOST: Final = frozenset(
    {"provider-unreachable", "provider-timeout", "provider-untrusted", "provider-server-error", "provider-rate-limited"}
)
"""What is no better in the account's next zone."""


class Swept(Frozen):
    """What came of a sweep.

    :ivar removed: the values that are gone, each with the name of its account.
    :ivar kept: those that stay, in DNS and in the journal, each with the reason.
    """

    removed: tuple[Written, ...] = ()
    kept: tuple[tuple[Written, DnsRenewError], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, as ``dnsrenew cleanup --json`` prints it."""
        kept = [{**_describe(value), "error": error.to_dict()} for value, error in self.kept]
        return {"version": 1, "removed": [_describe(value) for value in self.removed], "kept": kept}


def sweep(
    context: Context,
    journal: Journal,
    accounts: Mapping[str, DnsAccount],
    providers: Mapping[str, Provider],
    locks: ZoneLocks,
    *,
    seconds: float = SECONDS,
    wait: float = 0,
    look: Look | None = None,
) -> Swept:
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
        return _Sweep(context, entries, accounts, providers, locks, look).run(seconds) if entries else Swept()


def sweep_first(
    context: Context,
    journal: Journal,
    accounts: Mapping[str, DnsAccount],
    providers: Mapping[str, Provider],
    locks: ZoneLocks,
    *,
    seconds: float = FIRST_SECONDS,
    look: Look | None = None,
) -> None:
    """Sweep before a run of renewals: what does not work is a warning, and never an error.

    Parameters are those of :func:`sweep`.
    """
    try:
        done = sweep(context, journal, accounts, providers, locks, seconds=seconds, look=look)
    except (LockedError, Cancelled):
        return  # another run is at it; or the renewals will notice themselves
    except StoreError as error:
        context.warn(error.code, f"It is not known whether killed runs left values in DNS. {error.message}", error.fix)
        return
    by_reason: dict[tuple[str, str], list[tuple[Written, DnsRenewError]]] = {}
    for kept in done.kept:
        value, reason = kept
        by_reason.setdefault((value[1], reason.message), []).append(kept)
    for group in by_reason.values():
        context.warn("sweep-kept", *_said(group))


class _Sweep(Frozen):
    """One sweep.

    :ivar came: what came of each group of values so far (by account and zone); None: they are gone.
    """

    context: Context
    entries: list[Entry]
    accounts: Mapping[str, DnsAccount]
    providers: Mapping[str, Provider]
    locks: ZoneLocks
    look: Look | None
    came: dict[tuple[str, str], DnsRenewError | None] = field(default_factory=dict)

    def run(self, seconds: float) -> Swept:
        groups = self._groups()
        try:
            self._work(groups, seconds)
        finally:
            # Also when called away: what is gone is gone.
            swept = self._book(groups)
        self.context.check()
        return swept

    def _groups(self) -> dict[tuple[str, str], tuple[Written, ...]]:
        """Return the values by account and zone, each value once: a zone that is gone holds up no other."""
        groups: dict[tuple[str, str], dict[Written, None]] = {}
        for entry in self.entries:
            for record, account in entry.values:
                groups.setdefault((account, record.zone), {})[record, account] = None
        return {key: tuple(values) for key, values in groups.items()}

    def _work(self, groups: Mapping[tuple[str, str], tuple[Written, ...]], seconds: float) -> None:
        end = self.context.clock.monotonic() + seconds
        end = end if self.context.deadline is None else min(end, self.context.deadline)
        context = replace(self.context, deadline=end)
        calls = [
            partial(self._account, context, name, {key: groups[key] for key in groups if key[0] == name})
            for name in dict.fromkeys(account for account, _zone in groups)
        ]
        with contextlib.suppress(Cancelled):  # out of time, or called away, which is looked at afterwards
            for task in context.call_all(calls, _WRITERS):
                task.result()

    def _account(self, context: Context, name: str, groups: Mapping[tuple[str, str], tuple[Written, ...]]) -> None:
        """Remove what one account wrote, zone by zone."""
        account = self.accounts.get(name)
        if account is None:
            self.came.update(dict.fromkeys(groups, self._account_gone(name, groups.values())))
            return
        of_the_host: DnsRenewError | None = None
        for key, values in groups.items():
            error = of_the_host
            if error is None:
                try:
                    self._zone(context, account, values)
                except Cancelled:
                    return
                except DnsRenewError as refusal:
                    error = refusal
            self.came[key] = error
            if isinstance(error, SecretError | ConfigError) or (error is not None and error.code in _OF_THE_HOST):
                of_the_host = error

    def _zone(self, context: Context, account: DnsAccount, values: tuple[Written, ...]) -> None:
        from dnsrenew.challenges.placing import Value, Writer  # slow to load, and hardly ever needed
        from dnsrenew.drivers import calling

        writer = Writer(account, self.providers[account.provider])
        places = [Value("", writer, record) for record, _account in values]
        with contextlib.ExitStack() as held:
            for place in sorted({place.alone_in for place in places if place.alone_in is not None}):
                held.enter_context(self.locks.value(context, place))
            if writer.provider.behaviour.exclusive:
                held.enter_context(self.locks.writing(context, values[0][0].zone))
            records = [place.record for place in places if not self._is_replaced(context, place)]
            if records:
                calling.call_remove(context, writer.provider, account, records)

    def _is_replaced(self, context: Context, value: Value) -> bool:
        """Tell whether another value has taken the place of this one, at a host that keeps one."""
        if value.alone_in is None or self.look is None:
            return False
        try:
            served = self.look(context, value.record.name)
        except Cancelled:
            raise
        except DnsRenewError:
            return False  # it cannot be seen: then as at the end of every run
        return bool(served) and value.record.value not in served

    def _account_gone(self, name: str, groups: Iterable[tuple[Written, ...]]) -> ConfigError:
        values = tuple(value for group in groups for value in group)
        paths = [entry.path for entry in self.entries if not set(entry.values).isdisjoint(values)]
        owners = _owners(values)
        return ConfigError(
            "account-gone",
            f"The DNS account {name}, which wrote TXT values at {owners}, is not in the configuration any more.",
            fix=f"Put the account {name} back, or remove the values at your DNS host and delete {', '.join(paths)}.",
            evidence={"account": name, "paths": paths},
        )

    def _book(self, groups: Mapping[tuple[str, str], tuple[Written, ...]]) -> Swept:
        """Take what is gone off the journal, and tell everything."""
        removed: list[Written] = []
        kept: list[tuple[Written, DnsRenewError]] = []
        for key, values in groups.items():
            error = self.came.get(key, _unfinished(key[0], values))
            described = [_describe(value) for value in values]
            if error is None:
                for entry in self.entries:
                    entry.remove(values)
                removed += values
                self.context.emit("swept", records=described)
            else:
                kept += [(value, error) for value in values]
                self.context.emit("sweep-kept", records=described, error=error.to_dict())
        return Swept(tuple(removed), tuple(kept))


def _unfinished(account: str, values: tuple[Written, ...]) -> ProviderError:
    return ProviderError(
        "sweep-unfinished",
        f"There was no time left to remove the TXT values at {_owners(values)} (account {account}).",
        fix="Run: dnsrenew cleanup",
        evidence={"account": account},
    )


def _said(kept: list[tuple[Written, DnsRenewError]]) -> tuple[str, str]:
    error = kept[0][1]
    owners = _owners(tuple(value for value, _error in kept))
    return (
        f"TXT values at {owners} that an earlier run left could not be removed ({error.message.rstrip('.')}).",
        error.fix,
    )


def _owners(values: tuple[Written, ...]) -> str:
    return ", ".join(sorted({names.relative(record.name) for record, _account in values}))


def _describe(value: Written) -> dict[str, str]:
    record, account = value
    return {"zone": record.zone, "name": record.name, "value": record.value, "dns": account}
