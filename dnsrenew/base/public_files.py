"""Files that all users can read, in a folder that other users may be able to write to."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from typing import Final

from dnsrenew.base.open_folder import HANDLES, OpenFolder, open_folder

_TRIES: Final = 3
"""Another run may remove the empty folders in between."""


class OutsideLinkError(OSError):
    """A link leads out of the folder.

    :ivar leads_to: where it leads.
    """

    def __init__(self, leads_to: str) -> None:
        super().__init__(leads_to)
        self.leads_to = leads_to


class PublicFiles:
    """Files some folders below a given one. These folders are made for the first file. All methods may raise OSError.

    Other processes may use the same folders. Calls of one object are made one after the other.

    :param path: the given folder, which exists; no link of another user may lead to it.
    :param below: the names of the folders, each in the one before.
    :param own: whether the given folder must belong to root or the running user.
    """

    def __init__(self, path: str, below: Sequence[str], *, own: bool = False, handles: bool = HANDLES) -> None:
        self.path = path
        self._below = below
        self._own = own
        self._handles = handles
        self._made: list[tuple[str, ...]] = []

    @property
    def folder(self) -> str:
        """The folder of the files."""
        return os.path.join(self.path, *self._below)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        with self._opened(self._steps()) as folder:
            return folder.read(name)

    def write(self, name: str, content: bytes) -> None:
        """Write a file; an old one is replaced."""
        for left in reversed(range(_TRIES)):
            steps = self._steps()
            try:
                self._make(steps)
                with self._opened(steps) as folder:
                    folder.write(name, content)
                return
            except FileNotFoundError:
                if not left or not os.path.isdir(self.path):
                    raise

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError), self._opened(self._steps()) as folder:
            folder.remove(name)

    def remove_folders(self) -> None:
        """Remove the folders that were made and are empty."""
        while self._made:
            *parents, name = self._made.pop()
            with contextlib.suppress(OSError), self._opened(parents) as folder:  # OSError: it is not empty
                folder.remove_folder(name)

    def _steps(self) -> Sequence[str]:
        """Return the folders from the given one down to the files, with links resolved.

        :raises OutsideLinkError: a link leads out of the given one.
        """
        root = os.path.realpath(self.path)
        folder = os.path.realpath(os.path.join(root, *self._below))
        if folder != root and not folder.startswith(os.path.join(root, "")):  # commonpath fails on two drives
            raise OutsideLinkError(folder)
        return os.path.relpath(folder, root).split(os.sep)

    def _make(self, steps: Sequence[str]) -> None:
        for depth, name in enumerate(steps):
            with self._opened(steps[:depth]) as parent:
                try:
                    parent.make(name)
                except FileExistsError:
                    continue
            self._made.append(tuple(steps[: depth + 1]))

    @contextlib.contextmanager
    def _opened(self, steps: Sequence[str]) -> Iterator[OpenFolder]:
        """Open a folder step by step, so that a link that was put there meanwhile is an error."""
        with contextlib.ExitStack() as held:
            folder = held.enter_context(open_folder(os.path.abspath(self.path), handles=self._handles))
            if self._own and folder.owner() not in {0, os.geteuid()}:
                raise PermissionError(errno.EPERM, "it belongs to another user", self.path)
            for name in steps:
                folder = held.enter_context(folder.child(name))
            yield folder
