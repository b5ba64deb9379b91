"""Locks of DNS zones, for hosts that keep a single TXT value and hosts that accept one writer at a time."""

from __future__ import annotations

import contextlib
import copy
import errno
import json
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final, Literal, Protocol

from dnsrenew.base.files import closing, open_with_info, undone
from dnsrenew.base.model import rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import FairLock
from dnsrenew.base.values import replace
from dnsrenew.errors import LockedError, StoreError
from dnsrenew.store import texts
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles

ZonePurpose = Literal["zone", "writing", "next"]
WRITING: Final = 60.0
"""Seconds to wait for other writers of a zone even without ``wait``. Each sends only a few requests to its host."""
_PAUSE: Final = 0.02


class ZoneLocker(Protocol):
    """A store that can lock zones."""

    def lock_zone(
        self, zone: str, *, context: Context, wait: float = 0, purpose: ZonePurpose = "zone"
    ) -> AbstractContextManager[None]:
        """Exclude other runs from a DNS zone or name for one purpose. Each purpose has its own lock.

        :param purpose: ``zone``: its host keeps a single value; ``writing``: its host accepts one writer at a time;
            ``next``: the place of the next writer.
        :param wait: seconds to wait for other runs; 0: do not wait.
        :raises LockedError: ``locked``; evidence has ``pid``, ``host`` and ``since``.
        :raises StoreError: the zone cannot be locked.
        :raises Cancelled: cancelled while waiting.
        """


class ZoneLocks:
    """Exclude other runs from a zone, and let the threads of this run take turns.

    :param wait: seconds to wait for another run that uses the single value; 0: do not wait.
    """

    def __init__(self, store: ZoneLocker, wait: float = 0) -> None:
        self._store = store
        self._wait = wait
        self._values = SharedLock(lambda context, zone, wait: store.lock_zone(zone, context=context, wait=wait))
        self._turns = FairLock()
        self._refused: dict[str, tuple[float, LockedError]] = {}

    @contextlib.contextmanager
    def value(self, context: Context, zone: str) -> Iterator[None]:
        """Have exclusive use of a zone, or a name, that holds a single value.

        :raises LockedError: another run uses it.
        :raises Cancelled: cancelled while waiting.
        """
        with self._values.hold(context, zone, self._wait), self._turns.hold(context, zone):
            yield

    @contextlib.contextmanager
    def writing(self, context: Context, zone: str, seconds: float = WRITING) -> Iterator[None]:
        """Be the only writer of a zone, for one change.

        :param seconds: the least time to wait for other runs.
        :raises LockedError: another run has not finished its change.
        :raises Cancelled: cancelled while waiting.
        """
        start, wait = context.clock.monotonic(), max(self._wait, seconds)
        with self._turns.hold(context, ("writing", zone)), contextlib.ExitStack() as locks:
            refused = self._refused.get(zone)
            if refused is not None and refused[0] >= start:  # a thread before this one has waited for all behind it
                raise copy.copy(refused[1])
            try:
                # A run that writes repeatedly lets the next writer in between.
                with self._store.lock_zone(zone, context=context, wait=wait, purpose="next"):
                    writing = self._store.lock_zone(zone, context=context, wait=wait, purpose="writing")
                    locks.enter_context(writing)
            except LockedError as error:
                self._refused[zone] = context.clock.monotonic(), error
                raise
            yield


class _Shared:
    """A lock that is held for several threads.

    :param locks: frees the lock at the end.
    :param guards: raise an error once the lock is lost.
    """

    def __init__(self, locks: contextlib.ExitStack, guards: Sequence[Callable[[], object]]) -> None:
        self.locks = locks
        self.users = 1
        self._guards = guards

    def check(self) -> None:
        """Raise if the lock is lost.

        :raises StoreError: the lock is lost.
        """
        for guard in self._guards:
            guard()

    @property
    def is_lost(self) -> bool:
        """Whether the lock may belong to another run by now."""
        with contextlib.suppress(StoreError):
            self.check()
            return False
        return True


class SharedLock:
    """Locks shared by the threads of a run, from the first thread that needs one to the last that releases it.

    So another run cannot take a zone between two certificates of this run. Each thread notices when its lock is lost,
    and no thread joins a lost lock.

    :param lock: returns the lock that excludes other runs; its arguments are the context, the key and the seconds to
        wait.
    """

    def __init__(self, lock: Callable[[Context, str, float], AbstractContextManager[None]]) -> None:
        self._lock = lock
        self._turns = FairLock()
        self._guard = threading.Lock()
        self._locks: dict[str, _Shared] = {}

    @contextlib.contextmanager
    def hold(self, context: Context, what: str, wait: float) -> Iterator[None]:
        """Hold the lock of ``what``, together with the other threads of this run.

        :param wait: seconds to wait for another run.
        :raises LockedError: another run still holds it.
        """
        end = context.clock.monotonic() + wait
        with self._turns.hold(context, what):  # one thread acquires; the wait of the others counts too
            shared = self._join(context, what) or self._begin(context, what, end)
        context.guards.append(shared.check)
        try:
            yield
        finally:
            context.guards.remove(shared.check)
            self._leave(what, shared)

    def _join(self, context: Context, what: str) -> _Shared | None:
        """Add a user to the held lock; return None if it is free."""
        end = context.clock.monotonic() + WRITING
        while True:
            with self._guard:
                shared = self._locks.get(what)
                if shared is None:
                    return None
                if not shared.is_lost:
                    shared.users += 1
                    return shared
            if context.clock.monotonic() >= end:
                return None  # then the store refuses it
            context.wait(_PAUSE)  # the threads that have lost it end at their next step

    def _begin(self, context: Context, what: str, end: float) -> _Shared:
        own = replace(context, guards=[*context.guards])
        before = len(own.guards)
        locks = contextlib.ExitStack()
        locks.enter_context(self._lock(own, what, max(end - context.clock.monotonic(), 0.0)))
        shared = _Shared(locks, own.guards[before:])
        with self._guard:
            self._locks[what] = shared
        return shared

    def _leave(self, what: str, shared: _Shared) -> None:
        with self._guard:
            shared.users -= 1
            if not shared.users:
                if self._locks.get(what) is shared:
                    del self._locks[what]
                shared.locks.close()


# ── file locks ─────────────────────────────────────────────────────────────────────────

# File locks, which the operating system releases when a process dies.
#
# The lock is on an open file and not its existence, so a stale file locks nothing. The content of the file
# (pid, host, since) only serves the message of a run that is locked out. Threads of one process exclude each other
# too.

if sys.platform == "win32":
    import msvcrt
else:  # at the top, because nothing can be imported while the interpreter shuts down
    import fcntl


_OPEN: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_TAKEN: Final = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
_LOCK_OFFSET: Final = 1 << 30
"""On Windows, other processes cannot read a locked byte, so the locked byte is far behind the content."""
_LOCK_BYTES: Final = 1 << 20
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5
_OWNER_SECONDS: Final = 2.0
"""Seconds that a new owner may take to write pid and host into the file."""
_EVENT_SECONDS: Final = 1.0
"""Seconds of waiting before the ``lock-waiting`` event; most waits are shorter."""
_READ_BYTES: Final = 4096
_MAX_REMOVED: Final = 100
"""How often in a row the file may have been removed before it was locked. Other runs do this less often."""


@contextlib.contextmanager
def hold(
    disk: AtomicFiles, path: str, what: str, *, wait: float, context: Context, shared: bool = False
) -> Iterator[None]:
    """Hold a lock.

    :param path: the file of the lock; it is created if missing, and not removed.
    :param what: the locked object, for the message, such as ``certificate home``.
    :param wait: seconds to wait for the lock; 0: do not wait.
    :param shared: share the lock with others that hold it as shared.
    :raises LockedError: ``locked``: another run or thread holds it; evidence has ``pid``, ``host``, ``since``.
    :raises StoreError: the file cannot be created or locked.
    :raises Cancelled: cancelled while waiting.
    """
    handle = _acquire(disk, path, what, wait, context, shared=shared)
    try:
        _write(handle, _owner_line(context))
        yield
    finally:
        if not shared:
            _write(handle, b"")
        with contextlib.suppress(OSError):
            _lock(handle, free=True, shared=shared)  # closing is not enough: a forked child may have the file open
        os.close(handle)


def is_held(path: str) -> bool:
    """Return whether another run or thread holds a lock, without writing. Raises nothing."""
    with contextlib.suppress(OSError), closing(os.open(path, _OPEN & ~os.O_CREAT)) as handle:
        if not _try_lock(handle):
            return True
        _lock(handle, free=True)
    return False


def _acquire(disk: AtomicFiles, path: str, what: str, wait: float, context: Context, *, shared: bool) -> int:
    start = context.clock.monotonic()
    end = start + (wait or 0)
    pause, reported, removed = _FIRST_PAUSE, False, 0
    while True:
        context.check()
        handle = disk.do("lock", path, lambda: _open(disk, path))
        with undone(os.close, handle):
            if disk.do("lock", path, partial(_try_lock, handle, shared=shared)):
                if _is_same_file(handle, path):
                    return handle
                owner = None  # the file was removed in between: other runs lock a new one
            else:
                owner = _read_owner(handle)
        os.close(handle)
        if owner is None:
            removed += 1
            if removed >= _MAX_REMOVED:
                raise StoreError.of(texts.NO_LOCKS, path=path, folder=os.path.dirname(path))
            context.wait(_FIRST_PAUSE)
            continue
        now = context.clock.monotonic()
        left = end - now
        if now - start < _OWNER_SECONDS and not all(owner.values()):
            left = _OWNER_SECONDS  # a new owner has not written pid and host yet
        if left <= 0:
            raise _refused(path, what, owner)
        if not reported and now - start >= _EVENT_SECONDS:
            reported = True
            context.emit("lock-waiting", what=what, **owner)
        context.wait(min(pause, left))
        pause = min(pause * 2, _LONGEST_PAUSE)


def _open(disk: AtomicFiles, path: str) -> int:
    handle, info = open_with_info(path, _OPEN, PRIVATE)
    with undone(os.close, handle):
        disk.check_owner(path, info)
        if hasattr(os, "fchmod") and info.st_mode & 0o777 != PRIVATE:  # an unusual umask
            os.fchmod(handle, PRIVATE)
    return handle


def _is_same_file(handle: int, path: str) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    return False


def _try_lock(handle: int, *, shared: bool = False) -> bool:
    """Lock without waiting; return False if the lock is taken."""
    try:
        _lock(handle, free=False, shared=shared)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def _lock(handle: int, *, free: bool, shared: bool = False) -> None:
    if sys.platform == "win32":
        # Locks are never shared here: each takes one of the bytes, which closing frees. An exclusive lock takes all.
        if not (free and shared):
            byte = random.SystemRandom().randrange(_LOCK_BYTES) if shared else 0
            os.lseek(handle, _LOCK_OFFSET + byte, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_UNLCK if free else msvcrt.LK_NBLCK, 1 if shared else _LOCK_BYTES)
    else:
        # flock and not lockf, because it locks the open file, so that threads exclude each other too.
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(handle, fcntl.LOCK_UN if free else kind | fcntl.LOCK_NB)


def _owner_line(context: Context) -> bytes:
    host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    return json.dumps({"pid": os.getpid(), "host": host, "since": rfc3339(context.clock.now())}).encode()


def _write(handle: int, data: bytes) -> None:
    # On a full disk, the lock still works, but its owner is unknown.
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, data)


def _read_owner(handle: int) -> dict[str, Any]:
    """Return pid, host and time from the file; each is None if it is missing."""
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        data = json.loads(os.read(handle, _READ_BYTES))
    except (OSError, ValueError, RecursionError):
        data = None
    known = data if isinstance(data, dict) else {}
    return {name: known[name] if _is_printable(known.get(name)) else None for name in ("pid", "host", "since")}


def _is_printable(value: object) -> bool:
    return type(value) is int or (type(value) is str and value.isprintable())


def _refused(path: str, what: str, owner: dict[str, Any]) -> LockedError:
    text = texts.LOCKED_BY if all(owner.values()) else texts.LOCKED
    return LockedError.of(text, **owner, what=what, path=path)
