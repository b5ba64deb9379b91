"""How a run is killed, and its disk made to fail, within the process of the test.

SIGKILL runs no ``finally``; an exception does. So all effects of a run pass a :class:`Gate`: the disk, the DNS hosts,
the CAs. At the point of the kill the gate closes and raises; from then on it lets nothing pass, so ``finally`` blocks
change nothing that the next run, DNS or a CA could see. The locks of the run are released, as the operating system
does. Real processes would take a hundred times as long; soak.py uses them, with real servers and real kills.

Threads run at once where they are started (:func:`tests.kit.memory.threads_at_once`), so that the n-th act of a run is
always the same.
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

from dnsrenew.store import zone_locks

T = TypeVar("T")
CHANGES: Final = frozenset({"mkdir", "create", "write", "fsync", "rename", "symlink", "unlink", "rmdir", "chmod"})
_NEED_SPACE: Final = frozenset({"mkdir", "create", "write", "fsync", "symlink"})


class Killed(BaseException):
    """The process is dead."""


@dataclass(slots=True)
class Trouble:
    """A disk that fails.

    :ivar after: the number of changes of a run that still succeed.
    :ivar number: the error's.
    """

    after: int
    number: int


class Gate:
    """All effects of a run pass here.

    :param at: the act before which the run dies, or None.
    :param trouble: the disk's error, or None.
    :ivar acts: the number of acts so far.
    :ivar refused: the number of refused disk operations.
    """

    def __init__(self, at: int | None = None, trouble: Trouble | None = None) -> None:
        self._at = at
        self._trouble = trouble
        self._changes = 0
        self.acts = 0
        self.refused = 0
        self.dead = False

    def act(self) -> None:
        """Let one act pass, or raise."""
        if not self.dead:
            self.acts += 1
            self.dead = self.acts == self._at
        if self.dead:
            raise Killed

    def check(self) -> None:
        """Let an effect pass that changes nothing; a dead run does not even read."""
        if self.dead:
            raise Killed

    def disk(self, operation: str, path: str) -> None:
        """Let a disk operation pass; reading is not an act."""
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
        """Make a call to another party: the run may be killed before it, or before it gets the result."""
        self.act()
        value = function()
        self.act()
        return value


@contextlib.contextmanager
def locks_of_a_process() -> Iterator[None]:
    """Release all locks at the end of the block that were acquired in it."""
    handles: list[int] = []
    acquire = zone_locks._acquire

    def acquired(*arguments: Any, **named: Any) -> int:
        handles.append(acquire(*arguments, **named))
        return handles[-1]

    with mock.patch.object(zone_locks, "_acquire", acquired):
        yield
    for handle in handles:
        with contextlib.suppress(OSError):  # already closed
            fcntl.flock(handle, fcntl.LOCK_UN)
