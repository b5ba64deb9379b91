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
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dnsrenew.errors import LockedError
from dnsrenew.model import rfc3339
from dnsrenew.store import trouble

if TYPE_CHECKING:
    from dnsrenew.context import Context

T = TypeVar("T")

_OPEN: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_TAKEN: Final = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
_FAR: Final = 1 << 30
"""Windows keeps others from reading a locked octet, so one far behind the content is locked."""
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5
_ENOUGH: Final = 4096


@contextlib.contextmanager
def hold(path: str, what: str, *, wait: float, context: Context) -> Iterator[None]:
    """Hold a lock.

    :param path: the lock's file; it is made, and stays.
    :param what: what is locked, for the message: ``certificate home``.
    :param wait: seconds to wait for it; 0: not at all.
    :raises LockedError: ``locked``: somebody else has it; evidence tells ``pid``, ``host``, ``since``.
    :raises StoreError: the file cannot be made.
    :raises Cancelled: called away while waiting.
    """
    handle = _acquire(path, what, wait, context)
    try:
        _write(handle, _card(context))
        yield
    finally:
        _write(handle, b"")
        os.close(handle)  # which releases it


def _acquire(path: str, what: str, wait: float, context: Context) -> int:
    end = context.clock.monotonic() + (wait or 0)
    pause = _FIRST_PAUSE
    while True:
        context.check()
        handle = _translated(path, lambda: os.open(path, _OPEN, 0o600))
        if _locked(handle, path):
            return handle
        holder = _holder(handle)
        os.close(handle)  # also where the file was ours but is no longer the one at the path
        left = end - context.clock.monotonic()
        if left <= 0:
            raise _refusal(path, what, holder)
        context.wait(min(pause, left))
        pause = min(pause * 2, _LONGEST_PAUSE)


def _locked(handle: int, path: str) -> bool:
    """Try to lock; tell whether it is ours, and still the file that others would open."""
    try:
        if _translated(path, lambda: _try(handle)) and _is_at(handle, path):
            return True
    except BaseException:
        os.close(handle)
        raise
    return False


def _is_at(handle: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False  # somebody removed the file meanwhile: a lock on it would exclude nobody
    return os.path.samestat(os.fstat(handle), there)


def _try(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            # flock, not lockf: it belongs to the open file, so threads exclude each other too.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def _card(context: Context) -> bytes:
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
    return {name: known.get(name) for name in ("pid", "host", "since")}


def _refusal(path: str, what: str, holder: dict[str, Any]) -> LockedError:
    who = "another run"
    if holder["pid"]:
        who = f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    return LockedError(
        "locked",
        f"The {what} is being worked on by {who}.",
        fix="Wait until that is done, or let dnsrenew wait for it with --wait.",
        evidence={**holder, "what": what, "path": path},
    )


def _translated(path: str, function: Callable[[], T]) -> T:
    try:
        return function()
    except OSError as error:
        raise trouble.translate(error, path, "lock") from None
