"""Names that the fleet does not have: the program may allow them to be obtained on demand.

The program is asked in threads of its own, never in a handshake, and once for each name. Its answers are remembered
for a while; every table and queue has a size, so that a flood of invented names takes no more memory than a few. The
networks of clients take turns, and none has all threads, so that a flood from one does not hold up the others.
"""

from __future__ import annotations

import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Final

from dnsrenew.base.clients import Clients
from dnsrenew.base.clock import Clock
from dnsrenew.errors import DnsRenewError, as_clause
from dnsrenew.extensions.fleet.database.pace import DemandRate
from dnsrenew.extensions.fleet.serving import texts
from dnsrenew.extensions.fleet.serving.loading import PAUSE, ServerThreads
from dnsrenew.serving.server_warnings import ServerWarnings

THREADS: Final = 4
MOST_EACH: Final = THREADS - 1
"""Threads that work for one network at once."""
QUEUED: Final = 1_000
"""Names that wait for an answer, at most; what is lost beyond that is asked for again by the next handshake."""
REMEMBERED: Final = 10_000
"""Names whose answer is remembered, at most."""
_DENIED: Final = 60.0
"""Seconds until the program is asked again; also after it failed."""
_ALLOWED: Final = 3600.0
"""Seconds until the program is asked again for a name that it has allowed."""
_RETRY: Final = 5.0
"""Seconds until an allowed name is added again, after it could not be."""
_LABEL: Final = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_HOST: Final = re.compile(rf"(?=.{{4,253}}\Z)(?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL}")


class DemandAnswer:
    """What is known of a name.

    :ivar allowed: the answer of the program; None: it has not answered yet.
    :ivar until: the monotonic second until which nothing is done for the name.
    """

    __slots__ = ("allowed", "until")

    def __init__(self) -> None:
        self.allowed: bool | None = None
        self.until = float("inf")


class OnDemand:
    """Asks the program about unknown names, and adds those that it allows, at the given rate.

    :param on_unknown: the function of the program.
    :param add: adds a name to the fleet; raises ``DnsRenewError``.
    :param clock: the clock of the database.
    """

    def __init__(
        self,
        threads: ServerThreads,
        on_unknown: Callable[[str], bool],
        add: Callable[[str], object],
        *,
        rate: DemandRate,
        clock: Clock,
        warnings: ServerWarnings,
    ) -> None:
        self._on_unknown = on_unknown
        self._add = add
        self._rate = rate
        self._clock = clock
        self._warnings = warnings
        self._changed = threading.Condition()
        self._answers: OrderedDict[str, DemandAnswer] = OrderedDict()
        self._asked: Clients[tuple[str, DemandAnswer]] = Clients(QUEUED)
        self._at_work: Counter[str] = Counter()
        self._stopping = threads.stopping
        for _ in range(THREADS):
            threads.start(self._work, "demand")

    def ask(self, name: str, address: str = "") -> None:
        """Have the program asked about a name, unless that has been done; never waits.

        :param name: in lower case, without a final dot.
        :param address: of the client; empty if it is not known.
        """
        if not _HOST.fullmatch(name):
            return
        with self._changed:
            answer = self._answers.get(name)
            if answer is not None and self._clock.monotonic() < answer.until:
                return
            again = self._answers[name] = answer or DemandAnswer()
            again.until = float("inf")  # before a thread has it
            self._answers.move_to_end(name)
            if len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
            lost = self._asked.add((name, again), address)
            if lost is not None and self._answers.get(lost[0]) is lost[1]:
                del self._answers[lost[0]]
            self._changed.notify()

    def __len__(self) -> int:
        return len(self._answers)

    def _work(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                found = self._asked.take(lambda network: self._at_work[network] < MOST_EACH)
                if found is None:
                    self._changed.wait(PAUSE)
                    continue
                network, (name, answer) = found
                self._at_work[network] += 1
            seconds = self._decide(name, answer)
            with self._changed:
                answer.until = self._clock.monotonic() + seconds
                self._at_work -= Counter([network])  # without what is 0

    def _decide(self, name: str, answer: DemandAnswer) -> float:
        """Do what there is to do for a name; return for how many seconds it is done."""
        if not answer.allowed:
            answer.allowed = self._allows(name)
        if not answer.allowed:
            return _DENIED
        try:
            if not self._rate.is_wanted(name):
                free = self._rate.take(name)
                if free is not None:
                    return self._seconds_until(free)
                self._add(name)
        except DnsRenewError as error:
            self._warnings.warn(None, *texts.NOT_ADDED.fill(name=name, reason=as_clause(error.message)))
            return _RETRY
        except Exception as error:  # noqa: BLE001  # the thread goes on with the next name
            self._warnings.warn(None, *texts.NOT_ADDED.fill(name=name, reason=repr(error)))
            return _DENIED
        answer.allowed = None  # asked again after a while: the name may have been removed
        return _ALLOWED

    def _allows(self, name: str) -> bool:
        try:
            allowed = self._on_unknown(name)
        except Exception as error:  # noqa: BLE001  # the program's function may raise anything
            self._warnings.warn(None, *texts.NOT_ASKED.fill(reason=type(error).__name__))
            return False
        if not isinstance(allowed, bool):
            reason = texts.NO_BOOL.format(found=type(allowed).__name__)
            self._warnings.warn(None, *texts.NOT_ASKED.fill(reason=reason))
        return allowed is True

    def _seconds_until(self, free: datetime) -> float:
        return max((free - self._clock.now()).total_seconds(), _RETRY)
