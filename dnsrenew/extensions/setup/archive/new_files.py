"""Writes new files, all or none, never over a file that exists, and through no link of another user."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Final, Self

from dnsrenew.base import os_calls
from dnsrenew.base.open_folder import OpenFolder, open_folder

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO

    from dnsrenew.extensions.setup.archive.archive_file import Member

PRIVATE: Final = 0o600
PROGRAM: Final = 0o700
_FOLDER: Final = 0o700


class NewFiles:
    """New private files. Each is written under another name in its folder until :meth:`commit`.

    Use it in a ``with`` block: after an exception in it, nothing of them stays, folders included.
    """

    def __init__(self) -> None:
        self._held = contextlib.ExitStack()
        self._open: dict[str, OpenFolder] = {}
        self._staged: list[tuple[OpenFolder, str, str]] = []
        self._placed: list[tuple[OpenFolder, str]] = []
        self._made: list[tuple[OpenFolder, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _traceback: TracebackType | None) -> None:
        with self._held:
            if kind is not None:
                self._undo()

    def open(self, path: Path, mode: int = PRIVATE) -> BinaryIO:
        """Open a new file for writing; it gets its name with :meth:`commit`.

        :raises OSError: it cannot be created (``ForeignLinkError``: another user's link is on the way).
        """
        folder = self._folder(str(path.parent))
        temp = f".{path.name[:100]}.{os.getpid()}-{len(self._staged)}.tmp"
        handle = folder.create(temp, mode)
        self._staged.append((folder, temp, path.name))
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
        """Rename all files to their names, in the order in which they were written.

        :raises FileExistsError: there is a file of that name by now; ``filename2`` is its path.
        :raises OSError: it cannot be written.
        """
        while self._staged:
            folder, temp, name = self._staged[0]
            try:
                _put(folder, temp, name)
            except FileExistsError as error:
                path = os.path.join(folder.path, name)
                raise FileExistsError(error.errno, error.strerror, temp, None, path) from None
            self._placed.append((folder, name))
            self._staged.pop(0)
        for folder in self._open.values():
            folder.sync()

    def _undo(self) -> None:
        """Remove all files again, and the folders that were made for them, as far as possible."""
        for folder, name in [*((folder, temp) for folder, temp, _ in self._staged), *self._placed]:
            with contextlib.suppress(OSError):
                folder.remove(name)
        for folder, name in reversed(self._made):
            with contextlib.suppress(OSError):  # another process has put something there
                folder.remove_folder(name)

    def _folder(self, path: str) -> OpenFolder:
        if path not in self._open:
            self._open[path] = self._held.enter_context(open_folder(path))
        return self._open[path]

    def _make_folders(self, path: str) -> None:
        missing = []
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        for each in reversed(missing):
            above, name = self._folder(os.path.dirname(each)), os.path.basename(each)
            above.make(name, _FOLDER)
            self._made.append((above, name))


def sync(file: BinaryIO) -> None:
    """Make the content of a file durable.

    :raises OSError: it cannot be written.
    """
    file.flush()
    os.fsync(file.fileno())


def _put(folder: OpenFolder, temp: str, name: str) -> None:
    """Rename a file to its name, unless another one has it."""
    here, relative = folder.handle, dict[str, Any]()
    if here is not None:
        relative = {"src_dir_fd": here, "dst_dir_fd": here, "follow_symlinks": False}
    try:
        os.link(folder.at(temp), folder.at(name), **relative)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        os.close(folder.create(name, PRIVATE))  # takes the name, or finds it taken
        os_calls.replace(folder.at(temp), folder.at(name), here)
        return
    folder.remove(temp)
