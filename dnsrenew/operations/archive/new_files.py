"""Writes new files, all or none, and never over a file that exists."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO

    from dnsrenew.operations.archive.archive_file import Member

PRIVATE: Final = 0o600
PROGRAM: Final = 0o700
_FOLDER: Final = 0o700
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class NewFiles:
    """New private files. Each is written under another name in its folder until :meth:`commit`.

    Use it in a ``with`` block: after an exception in it, nothing of them stays, folders included.
    """

    def __init__(self) -> None:
        self._staged: list[tuple[str, str]] = []
        self._placed: list[str] = []
        self._folders: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _traceback: TracebackType | None) -> None:
        if kind is not None:
            self._undo()

    def open(self, path: Path, mode: int = PRIVATE) -> BinaryIO:
        """Open a new file for writing; it gets its name with :meth:`commit`.

        :raises OSError: it cannot be created.
        """
        temp = os.path.join(path.parent, f".{path.name[:100]}.{os.getpid()}-{len(self._staged)}.tmp")
        handle = os.open(temp, _CREATE, mode)
        self._staged.append((temp, str(path)))
        if hasattr(os, "fchmod"):
            os.fchmod(handle, mode)
        return os.fdopen(handle, "wb")

    def write(self, path: Path, member: Member, mode: int = PRIVATE) -> None:
        """Write a new file with the content of a member, and the folders above it that are missing.

        :raises OSError: it cannot be written.
        """
        self._make_folders(str(path.parent))
        with self.open(path, mode) as file:
            file.write(member.data)
            sync(file)

    def commit(self) -> None:
        """Give all files their names, in the order in which they were written.

        :raises FileExistsError: there is a file of that name by now; ``filename2`` is its path.
        :raises OSError: it cannot be written.
        """
        while self._staged:
            temp, path = self._staged[0]
            _put(temp, path)
            self._placed.append(path)
            self._staged.pop(0)
        for folder in {os.path.dirname(path) for path in self._placed}:
            _sync_folder(folder)

    def _undo(self) -> None:
        """Remove all files again, and the folders that were made for them, as far as possible."""
        for path in [*(temp for temp, _ in self._staged), *self._placed]:
            with contextlib.suppress(OSError):
                os.unlink(path)
        for folder in reversed(self._folders):
            with contextlib.suppress(OSError):  # another process has put something there
                os.rmdir(folder)
        self._staged, self._placed, self._folders = [], [], []

    def _make_folders(self, folder: str) -> None:
        missing = []
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for each in reversed(missing):
            os.mkdir(each, _FOLDER)
            self._folders.append(each)
            os.chmod(each, _FOLDER)


def sync(file: BinaryIO) -> None:
    """Make the content of a file durable.

    :raises OSError: it cannot be written.
    """
    file.flush()
    os.fsync(file.fileno())


def _put(temp: str, path: str) -> None:
    """Give a file its name, unless another one has it."""
    try:
        os.link(temp, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(None, None, temp, None, path) from None
        os.rename(temp, path)
        return
    os.unlink(temp)


def _sync_folder(folder: str) -> None:
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot
            os.fsync(handle)
    finally:
        os.close(handle)
