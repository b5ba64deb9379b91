"""Opens only regular files, because opening a FIFO or a device by mistake would block; and makes private files."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from dnsrenew.base import texts
from dnsrenew.base.clock import Clock

_NONBLOCK: Final = getattr(os, "O_NONBLOCK", 0)  # Windows has no FIFOs or devices in folders
_SEE: Final = getattr(os, "O_PATH", 0) if sys.platform == "linux" else 0
_DESCRIPTORS: Final = "/proc/self/fd"
_READ: Final = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_KINDS: Final = (
    (stat.S_ISDIR, texts.FOLDER),
    (stat.S_ISFIFO, texts.PIPE),
    (stat.S_ISSOCK, texts.SOCKET),
    (stat.S_ISCHR, texts.DEVICE),
    (stat.S_ISBLK, texts.DEVICE),
)
_MAX_PIPE_BYTES: Final = 1 << 20
_POLL_SECONDS: Final = 0.05


class NotAFileError(OSError):
    """The path exists but is not a regular file.

    :ivar kind: the kind of the path, such as ``a pipe``; ``strerror`` is then ``it is a pipe``.
    """

    def __init__(self, path: str | os.PathLike[str], kind: str) -> None:
        number = errno.EISDIR if kind == texts.FOLDER else errno.ENXIO
        super().__init__(number, texts.IT_IS.format(kind=kind), os.fspath(path))
        self.kind = kind


def open_file(path: str | os.PathLike[str], flags: int, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
    """Open a regular file and return its descriptor.

    :param dir_fd: the open folder that a relative path starts from.
    :raises NotAFileError: the path is not a regular file.
    :raises OSError: the file cannot be opened.
    """
    return open_with_info(path, flags, mode, dir_fd=dir_fd)[0]


def open_with_info(
    path: str | os.PathLike[str], flags: int, mode: int = 0o600, *, dir_fd: int | None = None, anywhere: bool = False
) -> tuple[int, os.stat_result]:
    """Open a regular file and return its descriptor with its ``fstat``; errors as for :func:`open_file`.

    :param anywhere: whether another user may have put a device, or a link to a device, there. It is not even opened,
        because this could start a watchdog or wind a tape (Linux).
    """
    handle = _open_seen(path, flags, dir_fd) if anywhere and _SEE else _open(path, flags, mode, dir_fd)
    info = os.fstat(handle)
    if not stat.S_ISREG(info.st_mode):
        os.close(handle)
        raise NotAFileError(path, _kind(info) or texts.SOMETHING_ELSE)
    return handle, info


@contextlib.contextmanager
def closing(handle: int) -> Iterator[int]:
    """Close a descriptor at the end of the block."""
    try:
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def undone(undo: Callable[..., object], *arguments: object) -> Iterator[None]:
    """Undo something (close a descriptor, remove a file) if the block ends early, for example after a stop."""
    try:
        yield
    except BaseException:
        undo(*arguments)
        raise


def read(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a regular file.

    :raises NotAFileError: the path is not a regular file.
    :raises OSError: the file cannot be read.
    """
    with open_to_read(path) as file:
        return file.read()


def open_to_read(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading.

    :raises NotAFileError: the path is not a regular file.
    :raises OSError: the file cannot be opened.
    """
    handle, _ = open_with_info(path, _READ, anywhere=True)
    return open(path, "rb", opener=lambda *_: handle)  # not os.fdopen, so that the file keeps its name for messages


def read_or_drain(path: str | os.PathLike[str], seconds: float, clock: Clock) -> bytes:
    """Return the content of a regular file, or of a pipe up to its end (a shell's ``<(…)``, or ``/dev/stdin``).

    :param seconds: the time limit for a pipe.
    :raises NotAFileError: the path is neither.
    :raises OSError: the file cannot be read; ``TimeoutError``: the pipe was still open after ``seconds``.
    """
    with closing(_open(path, _READ)) as handle:
        kind = _kind(os.fstat(handle))
        if kind == texts.PIPE and sys.platform != "win32":
            before = os.get_blocking(handle)
            os.set_blocking(handle, False)  # macOS: opening /dev/fd/N duplicates the descriptor and ignores the flags
            try:
                return _drain(handle, seconds, clock)
            finally:
                os.set_blocking(handle, before)
        if kind is not None:
            raise NotAFileError(path, kind)
        with open(handle, "rb", closefd=False) as file:
            return file.read()


def _open(path: str | os.PathLike[str], flags: int, mode: int = 0, dir_fd: int | None = None) -> int:
    try:
        return os.open(path, flags | _NONBLOCK, mode, dir_fd=dir_fd)
    except FileNotFoundError:
        raise
    except OSError:  # Windows reports a folder as access denied; a socket cannot be opened at all
        kind = kind_at(path, dir_fd, follow=not flags & getattr(os, "O_NOFOLLOW", 0))
        if kind is not None:
            raise NotAFileError(path, kind) from None
        raise


def _open_seen(path: str | os.PathLike[str], flags: int, dir_fd: int | None) -> int:
    """Check the kind of a path, then open exactly that file if it is regular."""
    with closing(os.open(path, _SEE | flags & os.O_NOFOLLOW, dir_fd=dir_fd)) as seen:
        try:
            kind = _kind(os.fstat(seen))
            if kind is not None:
                raise NotAFileError(path, kind)
            if os.path.exists(_DESCRIPTORS):
                return _open(f"{_DESCRIPTORS}/{seen}", flags & ~os.O_NOFOLLOW)
        except OSError as error:
            error.filename = os.fspath(path)
            raise
    return _open(path, flags, dir_fd=dir_fd)


def kind_at(path: str | os.PathLike[str], dir_fd: int | None = None, *, follow: bool = True) -> str | None:
    """Return the kind of a path, such as ``a pipe``; None for a regular file or a missing path.

    :param dir_fd: the open folder that a relative path starts from.
    """
    with contextlib.suppress(OSError):
        return _kind(os.stat(path, dir_fd=dir_fd, follow_symlinks=follow))
    return None


def _kind(info: os.stat_result) -> str | None:
    """Return the kind of a path; None for a regular file."""
    return next((kind for matches, kind in _KINDS if matches(info.st_mode)), None)


def _drain(handle: int, seconds: float, clock: Clock) -> bytes:
    end, never = clock.monotonic() + seconds, threading.Event()
    data = b""
    while clock.monotonic() < end:
        try:
            more = os.read(handle, _MAX_PIPE_BYTES)
        except BlockingIOError:  # open for writing, but empty
            more = None
        if more == b"" and (data or _was_closed(handle)):
            return data
        if more:
            data += more
        else:
            clock.wait(_POLL_SECONDS, never)
        if len(data) > _MAX_PIPE_BYTES:
            raise OSError(errno.EFBIG, f"it is a pipe with more than {_MAX_PIPE_BYTES >> 20} MiB of data")
    raise TimeoutError(errno.ETIMEDOUT, f"it is a pipe that was still open after {seconds:.0f} s")


def _was_closed(handle: int) -> bool:
    """Return whether an empty pipe was opened for writing and closed again; False before it was opened."""
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return any(event & select.POLLHUP and not event & select.POLLIN for _, event in poll.poll(0))


_CONTROL_GROUP: Final = "/proc/self/cgroup"
_LARGEST_GROUP: Final = 1 << 16
_UNIT: Final = re.compile(r"/([\w.@:-]+\.service)$", re.MULTILINE)
_OF_SCHEDULE: Final = re.compile(r"dnsrenew(?!-(?:run|worker|serve)\b)[\w.@-]*\.service")


def is_closed_by_unit(error: OSError) -> bool:
    """Return whether this process's systemd unit, which names the writable paths, has made a path read-only."""
    return error.errno == errno.EROFS and "INVOCATION_ID" in os.environ


def other_unit() -> str:
    """Return the systemd service of this process, or "" if ``dnsrenew schedule install`` wrote it or it has none.

    Installing the schedule again does not change a service that the user wrote, such as a service for ``dnsrenew run``.
    """
    with contextlib.suppress(OSError), open(_CONTROL_GROUP, encoding="utf-8", errors="replace") as file:
        found = _UNIT.search(file.read(_LARGEST_GROUP))
        return "" if found is None or _OF_SCHEDULE.fullmatch(found[1]) else found[1]
    return ""


def mount_of(path: str) -> str:
    """Return the mount point of the file system of a path, which may be missing."""
    parts = upwards(os.path.realpath(path))
    return next(filter(os.path.ismount, parts), parts[-1])


def upwards(path: str) -> list[str]:
    """Return a path and the folders above it, topmost last."""
    parts = [path]
    while (parent := os.path.dirname(parts[-1])) != parts[-1]:
        parts.append(parent)
    return parts


def nearest_existing(path: str) -> str:
    """Return the path, or the nearest folder above it that exists."""
    return next(filter(os.path.lexists, upwards(path)), path)


@contextlib.contextmanager
def memory_file(data: bytes) -> Iterator[str]:
    """Yield the path of a file with this content, which only this process can open; it is gone after the block.

    It is for OpenSSL, which reads certificates and keys only from files. On Linux, it is never on a disk. On other
    systems, it is a temporary file of the user.

    :raises OSError: the file cannot be made.
    """
    handle, path = _make_memory_file()
    try:
        with open(handle, "wb", closefd=False) as file:
            file.write(data)
        yield path
    finally:
        os.close(handle)
        if not path.startswith("/proc/"):
            os.unlink(path)


def _make_memory_file() -> tuple[int, str]:
    """Return the descriptor and the path of an empty file."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("dnsrenew")
        path = f"/proc/self/fd/{handle}"
        if os.path.exists(path):
            return handle, path
        os.close(handle)
    return tempfile.mkstemp(prefix="dnsrenew-")
