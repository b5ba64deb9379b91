"""Taking turns within a run: who came first goes first; and what the threads of a run have together.

Certificates for the same names take turns at a CA: it may answer two orders of one account for the same names with
one order (RFC 8555 section 7.4 does not forbid it), and two keys would then spoil each other's. Certificates in one
zone take turns at a host that takes one value, or one writer, at a time. Other processes are met by the CA's own
refusal, and by the locks of the store: a run has such a lock as one, for all its certificates.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from dnsrenew import workers

if TYPE_CHECKING:
    from dnsrenew.context import Context


class Turns:
    """Whose turn it is, for each thing that only one may have at a time; shared by all threads of a run."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._lines: dict[Hashable, deque[threading.Event]] = {}

    def turn(self, context: Context, ca: str, identifiers: Collection[str]) -> AbstractContextManager[None]:
        """Wait until nobody else of this run is about to get a certificate for these names there.

        :raises Cancelled: called away while waiting.
        """
        return self.alone(context, (ca, frozenset(identifiers)))

    @contextlib.contextmanager
    def alone(self, context: Context, what: Hashable) -> Iterator[None]:
        """Wait until everybody of this run who came for it before has had it, and have it.

        :raises Cancelled: called away while waiting.
        """
        mine = threading.Event()
        with self._guard:
            line = self._lines.setdefault(what, deque())
            line.append(mine)
            line[0].set()
        try:
            while not mine.wait(workers.SLICE):
                context.check()
            yield
        finally:
            with self._guard:
                line.remove(mine)
                if line:
                    line[0].set()
                else:
                    del self._lines[what]


class Shared:
    """Locks that the threads of a run have together: from the first that wants one until nobody wants it any more.

    :param lock: gives a lock that keeps other runs away.
    """

    def __init__(self, lock: Callable[[Context, str], AbstractContextManager[None]]) -> None:
        self._lock = lock
        self._turns = Turns()
        self._guard = threading.Lock()
        self._users = Counter[str]()
        self._held: dict[str, contextlib.ExitStack] = {}

    @contextlib.contextmanager
    def hold(self, context: Context, what: str) -> Iterator[None]:
        """Keep other runs away.

        :raises LockedError: another run has it.
        :raises Cancelled: called away while waiting.
        """
        with self._turns.alone(context, what):  # one of us asks for it
            if not self._join(what):
                self._begin(context, what)
        try:
            yield
        finally:
            self._leave(what)

    def _join(self, what: str) -> bool:
        with self._guard:
            if what not in self._held:
                return False
            self._users[what] += 1
            return True

    def _begin(self, context: Context, what: str) -> None:
        held = contextlib.ExitStack()
        held.enter_context(self._lock(context, what))
        with self._guard:
            self._held[what] = held
            self._users[what] = 1

    def _leave(self, what: str) -> None:
        with self._guard:
            self._users[what] -= 1
            if not self._users[what]:
                del self._users[what]
                self._held.pop(what).close()
