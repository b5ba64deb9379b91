"""File locks, which the operating system releases when a process dies.

The lock is on an open file, not the existence of the file, so a stale file locks nothing. The content of the file
(pid, host, since) only serves the message of a run that is locked out. Threads of one process exclude each other too.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.files import open_with_info
from dnsrenew.base.model import rfc3339
from dnsrenew.errors import LockedError, StoreError
from dnsrenew.store import texts
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles

if sys.platform == "win32":
    import msvcrt
else:  # at the top: nothing can be imported while the interpreter shuts down
    import fcntl

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context

_OPEN: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_TAKEN: Final = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
_LOCK_OFFSET: Final = 1 << 30
"""On Windows no other process can read a locked byte, so the locked one is far behind the content."""
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5
_OWNER_SECONDS: Final = 0.2
"""Seconds that a new owner may take to write pid and host into the file."""
_EVENT_SECONDS: Final = 1.0
"""Seconds of waiting before the ``lock-waiting`` event; most waits are shorter."""
_READ_BYTES: Final = 4096
_MAX_REMOVED: Final = 100
"""How often in a row the file may have been removed before it was locked; other runs do not do so that often."""


@contextlib.contextmanager
def hold(disk: AtomicFiles, path: str, what: str, *, wait: float, context: Context) -> Iterator[None]:
    """Hold a lock.

    :param path: the file of the lock; it is created if missing, and not removed.
    :param what: what is locked, for the message: ``certificate home``.
    :param wait: seconds to wait for it; 0: do not wait.
    :raises LockedError: ``locked``: another run or thread holds it; evidence has ``pid``, ``host``, ``since``.
    :raises StoreError: the file cannot be created or locked.
    :raises Cancelled: cancelled while waiting.
    """
    handle = _acquire(disk, path, what, wait, context)
    try:
        _write(handle, _owner_line(context))
        yield
    finally:
        _write(handle, b"")
        with contextlib.suppress(OSError):
            _lock(handle, free=True)  # closing is not enough: a forked child may have the file open too
        os.close(handle)


def is_held(path: str) -> bool:
    """Tell whether another run or thread holds a lock; nothing is written. Raises nothing."""
    try:
        handle = os.open(path, _OPEN & ~os.O_CREAT)
    except OSError:
        return False
    try:
        _lock(handle, free=False)
        _lock(handle, free=True)
    except OSError as error:
        return error.errno in _TAKEN
    finally:
        os.close(handle)
    return False


def _acquire(disk: AtomicFiles, path: str, what: str, wait: float, context: Context) -> int:
    start = context.clock.monotonic()
    end = start + (wait or 0)
    pause, reported, removed = _FIRST_PAUSE, False, 0
    while True:
        context.check()
        handle = disk.do("lock", path, lambda: _open(disk, path))
        try:
            if _try_lock(disk, handle, path):
                if _is_same_file(handle, path):
                    return handle
                owner = None  # the file was removed meanwhile: other runs lock a new one
            else:
                owner = _read_owner(handle)
        except BaseException:
            os.close(handle)
            raise
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
    try:
        disk.check_owner(path, info)
        if hasattr(os, "fchmod") and info.st_mode & 0o777 != PRIVATE:  # an unusual umask
            os.fchmod(handle, PRIVATE)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _is_same_file(handle: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except OSError:
        return False


def _try_lock(disk: AtomicFiles, handle: int, path: str) -> bool:
    """Lock without waiting; return False if the lock is taken."""

    def attempt() -> bool:
        try:
            _lock(handle, free=False)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
        return True

    return disk.do("lock", path, attempt)


def _lock(handle: int, *, free: bool) -> None:
    if sys.platform == "win32":
        os.lseek(handle, _LOCK_OFFSET, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK if free else msvcrt.LK_NBLCK, 1)
    else:
        # flock, not lockf: it locks the open file, so threads exclude each other too.
        fcntl.flock(handle, fcntl.LOCK_UN if free else fcntl.LOCK_EX | fcntl.LOCK_NB)


def _owner_line(context: Context) -> bytes:
    host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    return json.dumps({"pid": os.getpid(), "host": host, "since": rfc3339(context.clock.now())}).encode()


def _write(handle: int, data: bytes) -> None:
    # On a full disk the lock still works; only its owner is unknown.
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, data)


def _read_owner(handle: int) -> dict[str, Any]:
    """Return pid, host and time from the file; None for each that is missing."""
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
