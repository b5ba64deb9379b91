"""Reading what should be a file: a pipe or a device in its place hangs whoever opens it as one."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
import time
from typing import BinaryIO, Final

_NONBLOCK: Final = getattr(os, "O_NONBLOCK", 0)  # Windows has no such things in folders
_READ: Final = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_PIPE: Final = "a pipe"
_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, _PIPE),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_MOST: Final = 1 << 20  # octets of a pipe
_PAUSE: Final = 0.05


class NotAFileError(OSError):
    """Something else stands there.

    :ivar what: it, such as ``a pipe``; ``strerror`` is ``it is a pipe``.
    """

    def __init__(self, path: str | os.PathLike[str], what: str) -> None:
        super().__init__(errno.EISDIR if what == "a folder" else errno.ENXIO, f"it is {what}", os.fspath(path))
        self.what = what


def open_file(path: str | os.PathLike[str], flags: int, mode: int = 0o600) -> int:
    """Open a file, and return its handle.

    :raises NotAFileError: something else stands there.
    :raises OSError: it cannot be opened.
    """
    handle = _open(path, flags, mode)
    info = os.fstat(handle)
    if not stat.S_ISREG(info.st_mode):
        os.close(handle)
        raise NotAFileError(path, _what(info) or "something else")
    return handle


def read(path: str | os.PathLike[str]) -> bytes:
    """Return what a file holds.

    :raises NotAFileError: something else stands there.
    :raises OSError: it cannot be read.
    """
    with open_to_read(path) as file:
        return file.read()


def open_to_read(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file to be read.

    :raises NotAFileError: something else stands there.
    :raises OSError: it cannot be opened.
    """
    return os.fdopen(open_file(path, _READ), "rb")


def read_or_drain(path: str | os.PathLike[str], seconds: float) -> bytes:
    """Return what a file holds, or what a pipe brings until its end (``<(…)`` of a shell, or ``/dev/stdin``).

    :param seconds: until a pipe must have ended.
    :raises NotAFileError: something else stands there.
    :raises OSError: it cannot be read; ``TimeoutError``: the pipe did not end.
    """
    handle = _open(path, _READ)
    try:
        what = _what(os.fstat(handle))
        if what == _PIPE and sys.platform != "win32":
            before = os.get_blocking(handle)
            os.set_blocking(handle, False)  # /dev/fd of macOS gives the very handle, whatever it is opened with
            try:
                return _drain(handle, seconds)
            finally:
                os.set_blocking(handle, before)
        if what is not None:
            raise NotAFileError(path, what)
        with open(handle, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(handle)


def _open(path: str | os.PathLike[str], flags: int, mode: int = 0) -> int:
    try:
        return os.open(path, flags | _NONBLOCK, mode)
    except FileNotFoundError:
        raise
    except OSError:  # Windows calls a folder forbidden; and a socket is nothing that can be opened
        what = _what_at(path, follow=not flags & getattr(os, "O_NOFOLLOW", 0))
        if what is not None:
            raise NotAFileError(path, what) from None
        raise


def _what_at(path: str | os.PathLike[str], *, follow: bool) -> str | None:
    try:
        return _what(os.stat(path, follow_symlinks=follow))
    except OSError:
        return None


def _what(info: os.stat_result) -> str | None:
    return next((what for is_one, what in _KINDS if is_one(info.st_mode)), None)


def _drain(handle: int, seconds: float) -> bytes:
    end = time.monotonic() + seconds
    data = b""
    while time.monotonic() < end:
        try:
            more = os.read(handle, _MOST)
        except BlockingIOError:  # who writes is not done
            more = None
        if more == b"" and (data or _was_closed(handle)):
            return data
        if more:
            data += more
        else:  # nothing yet
            time.sleep(_PAUSE)
        if len(data) > _MOST:
            raise OSError(errno.EFBIG, f"it is a pipe that brings more than {_MOST} octets")
    raise TimeoutError(errno.ETIMEDOUT, f"it is a pipe that did not come to its end within {seconds:.0f} s")


def _was_closed(handle: int) -> bool:
    """Tell whether who had an empty pipe open for writing has closed it; not where nobody has opened it yet."""
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return any(event & select.POLLHUP and not event & select.POLLIN for _, event in poll.poll(0))
