"""Access to a folder that other users can write to, without following symbolic links."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator
from typing import Final

from dnsrenew.base import files
from dnsrenew.base.values import Frozen

HANDLES: Final = {os.open, os.mkdir, os.rmdir, os.unlink} <= os.supports_dir_fd
"""Whether the system can open a folder and work relative to it, so that it cannot be swapped (not on Windows)."""

_FOLDER: Final = getattr(os, "O_DIRECTORY", 0)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT: Final = getattr(os, "O_NONBLOCK", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)
_FILE_MODE: Final = 0o644
_FOLDER_MODE: Final = 0o755
"""Set explicitly, whatever the umask: the web server runs as another user and must read them."""
_NEW: Final = stat.S_ISVTX if sys.platform == "linux" else 0
"""Marks a folder that was made a moment ago: no umask removes the sticky bit, and nobody else sets it on a folder that
only its owner can write to. Other systems than Linux do not set it; there the owner tells."""
_MAX_BYTES: Final = 65_536


class Folder(Frozen):
    """An open folder. Names are relative to it. Every method may raise OSError.

    :ivar handle: its file descriptor; None: only the path is used.
    """

    path: str
    handle: int | None

    @classmethod
    @contextlib.contextmanager
    def hold(cls, path: str, *, handles: bool = HANDLES) -> Iterator[Folder]:
        """Open a folder; follow a link to it."""
        if not handles:
            yield cls(_checked(path, os.stat(path)), None)
            return
        handle = os.open(path, os.O_RDONLY | _FOLDER | _NO_WAIT)
        try:
            yield cls(path, handle)
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def child(self, name: str) -> Iterator[Folder]:
        """Open a folder in it."""
        path = os.path.join(self.path, name)
        if self.handle is None:
            yield Folder(_checked(path, os.lstat(path)), None)
            return
        handle = os.open(name, os.O_RDONLY | _FOLDER | _NO_LINK | _NO_WAIT, dir_fd=self.handle)
        try:
            yield Folder(path, handle)
        finally:
            os.close(handle)

    def make(self, name: str) -> None:
        """Make a folder in it that all users can read."""
        if self.handle is None:
            os.mkdir(self._named(name), _FOLDER_MODE)
            return
        os.mkdir(name, _FOLDER_MODE | _NEW, dir_fd=self.handle)
        with self.child(name) as made:
            made.open_to_all()

    def open_to_all(self) -> None:
        """Let all users read this folder, which was made a moment ago.

        :raises PermissionError: it is another one, which somebody has put in its place.
        """
        assert self.handle is not None  # noqa: S101  # by make()
        info = os.fstat(self.handle)
        mode = stat.S_IMODE(info.st_mode) & ~stat.S_ISGID
        if mode & (_FOLDER_MODE | stat.S_ISVTX) == _FOLDER_MODE:  # nothing to change
            return
        is_marked = mode & _NEW if _NEW else info.st_uid == os.geteuid()  # a file server may give root's to nobody
        if not is_marked or mode & ~(_FOLDER_MODE | _NEW) or os.listdir(self.handle):
            raise PermissionError(errno.EPERM, "another user replaced the folder", self.path)
        os.fchmod(self.handle, _FOLDER_MODE)

    def write(self, name: str, content: bytes) -> None:
        """Write a new file that all users can read. An old file or link is removed, never written to."""
        try:
            handle = self._create(name)
        except FileExistsError:
            self.remove(name)
            handle = self._create(name)
        with os.fdopen(handle, "wb") as file:
            if self.handle is not None:
                os.fchmod(handle, _FILE_MODE)
            file.write(content)

    def _create(self, name: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _BINARY
        return os.open(self._named(name), flags, _FILE_MODE, dir_fd=self.handle)

    def read(self, name: str) -> bytes:
        """Return the content of a regular file; a FIFO or a device is an error, not a wait."""
        handle = files.open_file(self._named(name), os.O_RDONLY | _NO_LINK | _BINARY, dir_fd=self.handle)
        with os.fdopen(handle, "rb") as file:
            return file.read(_MAX_BYTES)

    def remove(self, name: str) -> None:
        """Remove a file."""
        os.unlink(self._named(name), dir_fd=self.handle)

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder."""
        os.rmdir(self._named(name), dir_fd=self.handle)

    def _named(self, name: str) -> str:
        return name if self.handle is not None else os.path.join(self.path, name)


def _checked(path: str, info: os.stat_result) -> str:
    if not stat.S_ISDIR(info.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    return path
