"""How a run of the program is killed, and its disk made to fail, within the process of the test.

SIGKILL runs no ``finally``; an exception does. So everything that a run does to the world goes through a :class:`Gate`:
the disk, the DNS hosts, the CAs. At the point where the run is to die the gate closes and raises; from then on it lets
nothing through, whatever the run's ``finally`` blocks try, and they change nothing that the next run, DNS or a CA could
see. The locks that it held are released, as the operating system does. A child to kill at every point would cost a
hundred times as much, and the world would have to live in a process of its own; that is what soak.py does, with real
servers, and kills that are real.

Threads run at once, where they are started (:func:`tests.kit.memory.threads_at_once`), so that the n-th act of a run
is always the same one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from errno import ENOSPC
from typing import Any, Final, TypeVar
from unittest import mock

from dnsrenew.store import file_locks

T = TypeVar("T")
CHANGES: Final = frozenset({"mkdir", "create", "write", "fsync", "rename", "symlink", "unlink", "rmdir", "chmod"})
_NEED_SPACE: Final = frozenset({"mkdir", "create", "write", "fsync", "symlink"})


class Killed(BaseException):
    """The process is dead."""


@dataclass(slots=True)
class Trouble:
    """A disk that fails.

    :ivar after: how many changes of a run still succeed.
    :ivar number: the error's.
    """

    after: int
    number: int


class Gate:
    """What a run does to the world passes here.

    :param at: the act before which the run dies, or None.
    :param trouble: of its disk.
    :ivar acts: how many there were.
    :ivar refused: how often the disk failed.
    """

    def __init__(self, at: int | None = None, trouble: Trouble | None = None) -> None:
        self._at = at
        self._trouble = trouble
        self._changes = 0
        self.acts = 0
        self.refused = 0
        self.dead = False

    def act(self) -> None:
        """Let one act pass, or die."""
        if not self.dead:
            self.acts += 1
            self.dead = self.acts == self._at
        if self.dead:
            raise Killed

    def check(self) -> None:
        """Let something pass that changes nothing: the dead do not even ask."""
        if self.dead:
            raise Killed

    def disk(self, operation: str, path: str) -> None:
        """Let an operation of the disk pass; reading is no act, but the dead do not read."""
        self.check()
        if operation not in CHANGES:
            return
        self.act()
        self._changes += 1
        trouble = self._trouble
        if trouble is None or self._changes <= trouble.after:
            return
        if trouble.number != ENOSPC or operation in _NEED_SPACE:
            self.refused += 1
            raise OSError(trouble.number, os.strerror(trouble.number))

    def around(self, function: Callable[[], T]) -> T:
        """Do something elsewhere: a run may die before it is done, or before it hears of it."""
        self.act()
        value = function()
        self.act()
        return value


@contextlib.contextmanager
def locks_of_a_process() -> Iterator[None]:
    """Release all that was locked within the block and is not released yet."""
    handles: list[int] = []
    acquire = file_locks._acquire

    def acquired(*arguments: Any) -> int:
        handles.append(acquire(*arguments))
        return handles[-1]

    with mock.patch.object(file_locks, "_acquire", acquired):
        yield
    for handle in handles:
        with contextlib.suppress(OSError):  # closed long since
            fcntl.flock(handle, fcntl.LOCK_UN)
