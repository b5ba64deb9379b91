"""Locks that the operating system releases by itself when a process dies.

The lock is on an open file and not in the file's existence, so no stale file can stop anybody.
What the file holds (pid, host, since when) is only there to be told to who is kept out.
It excludes threads of one process as well as processes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.files import open_file
from dnsrenew.errors import LockedError, StoreError
from dnsrenew.model import rfc3339
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles

if sys.platform == "win32":
    import msvcrt
else:  # here, and not where it is needed: at the end of the interpreter nothing can be imported any more
    import fcntl

if TYPE_CHECKING:
    from dnsrenew.runtime.context import Context

_OPEN: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_TAKEN: Final = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
_FAR: Final = 1 << 30
"""Windows keeps others from reading a locked octet, so one far behind the content is locked."""
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5
_CARD: Final = 0.2
"""Seconds that who has just got a lock may take to write down who it is."""
_QUIET: Final = 1.0
"""Seconds of waiting before anything is told of it: mostly it is over by then."""
_ENOUGH: Final = 4096
_MOST_REMOVED: Final = 100
"""How often in a row the file may be gone once it is locked: others who remove it are not that many."""


@contextlib.contextmanager
def hold(disk: AtomicFiles, path: str, what: str, *, wait: float, context: Context) -> Iterator[None]:
    """Hold a lock.

    :param path: the lock's file; it is made, and stays.
    :param what: what is locked, for the message: ``certificate home``.
    :param wait: seconds to wait for it; 0: not at all.
    :raises LockedError: ``locked``: somebody else has it; evidence tells ``pid``, ``host``, ``since``.
    :raises StoreError: the file cannot be made or locked.
    :raises Cancelled: called away while waiting.
    """
    handle = _acquire(disk, path, what, wait, context)
    try:
        _write(handle, _owner_line(context))
        yield
    finally:
        _write(handle, b"")
        with contextlib.suppress(OSError):
            _lock(handle, free=True)  # a forked child may have the file open too
        os.close(handle)


def _acquire(disk: AtomicFiles, path: str, what: str, wait: float, context: Context) -> int:
    start = context.clock.monotonic()
    end = start + (wait or 0)
    pause, told, removed = _FIRST_PAUSE, False, 0
    while True:
        context.check()
        handle = disk.do("lock", path, lambda: _open(path))
        try:
            if _try(disk, handle, path):
                if _is_at(handle, path):
                    return handle
                holder = None  # the file was removed meanwhile: a lock on it would exclude nobody
            else:
                holder = _holder(handle)
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if holder is None:
            removed += 1
            if removed >= _MOST_REMOVED:
                raise _unknowable(path)
            context.wait(_FIRST_PAUSE)
            continue
        now = context.clock.monotonic()
        left = end - now
        if now - start < _CARD and not all(holder.values()):
            left = _CARD  # who has just got it has not written down yet who it is
        if left <= 0:
            raise _refusal(path, what, holder)
        if not told and now - start >= _QUIET:
            told = True
            context.emit("lock-waiting", what=what, **holder)
        context.wait(min(pause, left))
        pause = min(pause * 2, _LONGEST_PAUSE)


def _open(path: str) -> int:
    handle = open_file(path, _OPEN, PRIVATE)
    if hasattr(os, "fchmod") and os.fstat(handle).st_mode & 0o777 != PRIVATE:  # a strange umask
        os.fchmod(handle, PRIVATE)
    return handle


def _is_at(handle: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except OSError:
        return False


def _try(disk: AtomicFiles, handle: int, path: str) -> bool:
    """Lock without waiting; tell whether it is ours."""

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
        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK if free else msvcrt.LK_NBLCK, 1)
    else:
        # flock, not lockf: it belongs to the open file, so threads exclude each other too.
        fcntl.flock(handle, fcntl.LOCK_UN if free else fcntl.LOCK_EX | fcntl.LOCK_NB)


def _owner_line(context: Context) -> bytes:
    host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    return json.dumps({"pid": os.getpid(), "host": host, "since": rfc3339(context.clock.now())}).encode()


def _write(handle: int, data: bytes) -> None:
    # On a full disk the lock holds all the same; only who holds it cannot be told.
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, data)


def _holder(handle: int) -> dict[str, Any]:
    """Return what the holder wrote; nothing of it need be there yet."""
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        card = json.loads(os.read(handle, _ENOUGH))
    except (OSError, ValueError, RecursionError):
        card = None
    known = card if isinstance(card, dict) else {}
    return {name: known[name] if _can_be_told(known.get(name)) else None for name in ("pid", "host", "since")}


def _can_be_told(value: object) -> bool:
    return type(value) is int or (type(value) is str and value.isprintable())


def _unknowable(path: str) -> StoreError:
    folder = os.path.dirname(path)
    return StoreError(
        "store-no-locks",
        f"The file system of {folder} does not tell whether a file that is open is still the one at its path.",
        fix="Set `store` to a folder on another file system, or mount this one so that it has the server's inode "
        "numbers (SMB: serverino).",
        evidence={"path": path},
    )


def _refusal(path: str, what: str, holder: dict[str, Any]) -> LockedError:
    who = "another run"
    if all(holder.values()):
        who = f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    return LockedError(
        "locked",
        f"The {what} is being worked on by {who}.",
        fix="Wait until that is done, or let dnsrenew wait for it: with --wait, in Python with wait=… of a Renewer.",
        evidence={**holder, "what": what, "path": path},
    )
