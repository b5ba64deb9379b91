"""Who does not answer: what hangs is waited for by those who come together, and not by everybody after them."""

from __future__ import annotations

import copy
import threading
from collections.abc import Hashable
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from dnsrenew.errors import DnsRenewError
    from dnsrenew.runtime.context import Context

KEPT: Final = 120.0
"""Seconds: longer than those who have waited in vain take to withdraw what may have been written."""


class _OpenCircuit(NamedTuple):
    since: float
    error: DnsRenewError
    probe: str | None
    """The certificate that finds out whether it is well again."""


class CircuitBreaker:
    """Those who were asked and did not answer; shared by all threads of a run.

    Who has answered anybody since a call began is not silent, whatever becomes of that call. To one who is, one
    certificate at a time goes on: if it is answered, all others go on too.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._silent: dict[Hashable, _OpenCircuit] = {}
        self._answered: dict[Hashable, float] = {}

    def check(self, context: Context, who: Hashable) -> None:
        """Go on if there is hope of an answer.

        :raises DnsRenewError: what came of it when others asked.
        """
        certificate = context.certificate or ""
        with self._lock:
            silent = self._silent.get(who)
            if silent is None or context.clock.monotonic() >= silent.since + KEPT:
                return
            if silent.probe in {None, certificate}:
                self._silent[who] = silent._replace(probe=certificate)
                return
        raise copy.copy(silent.error) from None  # a traceback grows where it is raised, and evidence is added to it

    def answered(self, context: Context, who: Hashable) -> None:
        """Take in that somebody got an answer."""
        with self._lock:
            self._silent.pop(who, None)
            self._answered[who] = context.clock.monotonic()

    def unanswered(self, context: Context, who: Hashable, error: DnsRenewError, started: float) -> None:
        """Take in that somebody got none.

        :param started: monotonic second at which he asked.
        """
        with self._lock:
            if self._answered.get(who, started) > started:
                return
            before = self._silent.get(who)
            probe = before.probe if before is not None and before.probe != (context.certificate or "") else None
            self._silent[who] = _OpenCircuit(context.clock.monotonic(), copy.copy(error), probe)

    def holds(self, who: Hashable) -> bool:
        """Tell whether somebody did not answer when asked last."""
        with self._lock:
            return who in self._silent
