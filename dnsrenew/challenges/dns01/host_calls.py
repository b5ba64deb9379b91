"""Calls the DNS hosts: adds and removes TXT values, one call for each account, and notes how each call ended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base.runtime.circuit_breaker import CircuitBreaker
from dnsrenew.drivers import invoke
from dnsrenew.errors import DnsRenewError, ProviderError, StoreError

if TYPE_CHECKING:
    from dnsrenew.base.model import TxtRecord
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.challenges.dns01.published import PublishedValues
    from dnsrenew.challenges.dns01.records import RecordWriter, TxtValue
    from dnsrenew.store.zone_locks import ZoneLocks

_MAX_ACCOUNTS: Final = 8
"""Accounts written to at once."""
_REFUSALS: Final = frozenset(
    {"provider-unauthorized", "provider-zone-unknown", "provider-address-wrong", "provider-untrusted"}
)
"""Errors that come before anything is written in a zone."""
_HUNG, _UNREACHED = "provider-timeout", "provider-unreachable"
"""Only a time-out opens the circuit breaker: an unreachable host fails at once, and may recover at any time."""


class HostCalls:
    """The calls of a run. Thread-safe.

    :param locks: locks of zones that take one writer at a time.
    :param published: keeps the state of each value.
    """

    def __init__(self, locks: ZoneLocks, published: PublishedValues) -> None:
        self._locks = locks
        self._published = published
        self._breaker = CircuitBreaker()

    def check(self, context: Context, account: str) -> None:
        """Check whether the host of an account responded when it was last called.

        :raises ProviderError: it has timed out.
        """
        self._breaker.check(context, account)

    def is_silent(self, account: str) -> bool:
        """Tell whether the host of an account has timed out."""
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

    def _each_account(
        self, context: Context, values: Sequence[TxtValue], work: Callable[[Context, Sequence[TxtValue]], None]
    ) -> None:
        """Work on the values of each account, in parallel; raise the first error after all have ended."""
        by_account: dict[str, list[TxtValue]] = {}
        for value in values:
            by_account.setdefault(value.writer.account.name, []).append(value)
        calls = [partial(self._locked, context, group, work) for group in by_account.values()]
        if len(calls) == 1:
            calls[0]()
            return
        for task in context.call_all(calls, _MAX_ACCOUNTS):
            task.result()

    def _locked(
        self, context: Context, values: Sequence[TxtValue], work: Callable[[Context, Sequence[TxtValue]], None]
    ) -> None:
        """Work on the values of one account; lock its zones if the host takes one writer at a time."""
        with contextlib.ExitStack() as held:
            if values[0].writer.provider.behaviour.exclusive:
                for zone in sorted({value.record.zone for value in values}):
                    held.enter_context(self._locks.writing(context, zone))
            work(context, values)

    def _add(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Add the values of one account, and note their state."""
        writer, records = values[0].writer, [value.record for value in values]
        self._breaker.check(context, writer.account.name)
        asking = partial(self._published.note, context, values, "asked")
        ended = partial(self._published.note, context, values, "unsure")
        try:
            tries = self._call(context, writer, records, partial(invoke.call_add, asking=asking, ended=ended))
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

    def _remove(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Remove the values of one account, and forget them."""
        self._call(context, values[0].writer, [value.record for value in values], invoke.call_remove)
        self._published.forget(context, values)

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
