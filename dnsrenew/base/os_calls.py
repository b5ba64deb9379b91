"""System calls that need more than one call: a whole read or write, a rename on Windows, a flush on macOS."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from typing import Final

_WINDOWS: Final = os.name == "nt"
_RETRY_SECONDS: Final = 2.0
"""How long a rename is retried on Windows while another program has the file open."""
_RETRY_PAUSE: Final = 0.05


def replace(source: str, target: str, folder: int | None = None) -> None:
    """Rename. On Windows, retry for :data:`_RETRY_SECONDS` while another program has the file open (virus scanner).

    :param folder: the open folder that both paths start from.
    """
    end = time.monotonic() + _RETRY_SECONDS
    while True:
        try:
            os.replace(source, target, src_dir_fd=folder, dst_dir_fd=folder)
            return
        except PermissionError:
            if _WINDOWS and os.path.isdir(target):  # other systems report this themselves
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), target) from None
            if not _WINDOWS or time.monotonic() >= end:
                raise
        time.sleep(_RETRY_PAUSE)


def flush(handle: int) -> None:
    """Flush to the disk itself: fsync(2) of macOS leaves the data in the cache of the drive."""
    if sys.platform == "darwin":
        import fcntl

        with contextlib.suppress(OSError):  # some file systems only have fsync
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
            return
    os.fsync(handle)


def read_all(handle: int, size: int, limit: int) -> bytes:
    """Return the rest of a file, at most ``limit`` + 1 bytes.

    :param size: its size. One byte more is asked for, so that one call tells that this was all; a buffer of ``limit``
        would be new memory of the system for each file.
    """
    wanted = min(size, limit) + 1
    data = os.read(handle, wanted)
    while len(data) < size and len(data) <= limit and (more := os.read(handle, wanted - len(data))):
        data += more
    return data


def write_all(handle: int, data: bytes) -> None:
    """Write all bytes."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
