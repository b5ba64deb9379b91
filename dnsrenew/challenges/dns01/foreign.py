"""What a script of acme.sh does to TXT values, seen at the zone's servers: its exit status does not tell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

from dnsrenew.base import names
from dnsrenew.challenges.dns01 import texts
from dnsrenew.errors import AttemptError, ProviderError

if TYPE_CHECKING:
    from dnsrenew.base.model import TxtRecord
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.dns import DnsView

_GONE_SECONDS: Final = 20.0
"""Seconds for a removed value to leave all servers of its zone; later it is removed once more, by the next run."""
_PAUSE: Final = 1.0

LookUp = Callable[["Context", str], "set[str] | None"]
"""Returns the TXT values at an absolute name; None: unknown."""


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
    """Return the error for values that a script was to remove and the zone still serves."""
    owners = sorted({names.relative(record.name) for record in records})
    return ProviderError.of(texts.STILL_SERVED, account=account, names=owners)


class ForeignValues:
    """Looks once after others' values at each account's first add, and at its first remove, of a run.

    An account that has lost some writes nothing more; it still removes. Thread-safe, as the calls of an account follow
    one another.

    :param ours: returns the values of this run at a name.
    """

    def __init__(self, dns: DnsView, ours: Callable[[str], Collection[str]]) -> None:
        self._dns = dns
        self._ours = ours
        self._before: dict[tuple[str, str], dict[str, set[str]]] = {}
        self._examined: set[tuple[str, str]] = set()
        self._stopped: set[str] = set()

    def check(self, account: str) -> None:
        """Return if an account may write.

        :raises ProviderError: ``foreign-values-lost``.
        """
        if account in self._stopped:
            raise ProviderError.of(texts.FOREIGN_STOPPED, account=account)

    def remember(
        self, context: Context, account: str, action: Literal["add", "remove"], records: Sequence[TxtRecord]
    ) -> None:
        """Look up others' values before the first change of an account at a name where such values stand."""
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
            served = self.look(context, name)
            if served is not None:
                self._examined.add((account, action))
                if gone := sorted(foreign - served):
                    lost[names.relative(name)] = gone
        if lost:
            self._stopped.add(account)
            values = [value for several in lost.values() for value in several]
            raise ProviderError.of(texts.FOREIGN_LOST, account=account, names=list(lost), values=values)

    def look(self, context: Context, name: str) -> set[str] | None:
        """Return the values that the servers of the zone show; None if none answers."""
        try:
            return self._dns.answered_values(context, name)
        except AttemptError:
            return None
