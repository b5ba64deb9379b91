"""A folder that somebody else may write in, too: a step into it never follows a symbolic link."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import Final

from dnsrenew.base.values import Frozen

HANDLES: Final = {os.open, os.mkdir, os.rmdir, os.unlink} <= os.supports_dir_fd
"""Whether the system can hold a folder, so that nobody puts another, or a link, in its place (not on Windows)."""

_FOLDER: Final = getattr(os, "O_DIRECTORY", 0)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)
_FILE_MODE: Final = 0o644
_FOLDER_MODE: Final = 0o755
"""The web server runs as somebody else, so the umask does not decide."""
_MOST_BYTES: Final = 65_536


class Folder(Frozen):
    """An open folder; all names are in it. Every method raises OSError.

    :ivar handle: what it is held by; None: by its path only.
    """

    path: str
    handle: int | None

    @classmethod
    @contextlib.contextmanager
    def hold(cls, path: str, *, handles: bool = HANDLES) -> Iterator[Folder]:
        """Open a folder; a link that leads to it is followed."""
        if not handles:
            yield cls(_checked(path, os.stat(path)), None)
            return
        handle = os.open(path, os.O_RDONLY | _FOLDER)
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
        handle = os.open(name, os.O_RDONLY | _FOLDER | _NO_LINK, dir_fd=self.handle)
        try:
            yield Folder(path, handle)
        finally:
            os.close(handle)

    def make(self, name: str) -> None:
        """Make a folder in it that everybody can read."""
        os.mkdir(self._named(name), _FOLDER_MODE, dir_fd=self.handle)
        if self.handle is None:
            return
        try:
            with self.child(name) as made:
                os.chmod(made.handle if made.handle is not None else made.path, _FOLDER_MODE)
        except PermissionError:
            # The umask took our own right to open it. (Never root's: so no link that was put there can do harm.)
            os.chmod(name, _FOLDER_MODE, dir_fd=self.handle)

    def write(self, name: str, content: bytes) -> None:
        """Write a new file that everybody can read; what stood there, a link too, is removed and not written to."""
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
        """Return what a file holds."""
        handle = os.open(self._named(name), os.O_RDONLY | _NO_LINK | _BINARY, dir_fd=self.handle)
        with os.fdopen(handle, "rb") as file:
            return file.read(_MOST_BYTES)

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
