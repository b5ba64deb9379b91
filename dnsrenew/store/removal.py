"""Remove files and folders, and never what a symbolic link leads to.

A folder is opened before it is emptied, and its entries are removed relative to the open folder. So a folder that is
replaced by a link meanwhile, at any depth, is an error, and nothing outside is touched.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from dnsrenew.errors import StoreError

T = TypeVar("T")

_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_RELATIVE: Final = {os.open, os.stat, os.unlink, os.rmdir} <= os.supports_dir_fd and os.listdir in os.supports_fd
"""False on Windows, where other users cannot rename a folder of ours."""
_JUNCTION: Final = 0xA0000003
"""The reparse tag of a junction: on Windows a folder too, but its content lies elsewhere."""


class Operate(Protocol):
    """Calls a function, and translates an ``OSError`` of it; the arguments before are its name and its path."""

    def __call__(self, operation: str, path: str, function: Callable[[], T]) -> T:
        """Call the function.

        :raises StoreError: for an ``OSError``; its evidence has ``errno``.
        """


def remove(do: Operate, path: str, parent: int | None = None) -> None:
    """Remove a file, a link, or a folder with its content; it need not exist.

    :param do: makes each change.
    :param parent: the descriptor of the folder that contains it; None: it is found by its path.
    """
    name = path if parent is None else os.path.basename(path)
    try:
        info = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except OSError:
        return
    if not stat.S_ISDIR(info.st_mode) or getattr(info, "st_reparse_tag", 0) == _JUNCTION:
        do("unlink", path, lambda: os.unlink(name, dir_fd=parent))
        return
    _empty(do, path, name, parent)
    do("rmdir", path, lambda: os.rmdir(name, dir_fd=parent))


def _empty(do: Operate, path: str, name: str, parent: int | None) -> None:
    try:
        folder, names = do("list", path, lambda: _open(name, parent))
    except StoreError as error:
        if error.evidence["errno"] == "ENOENT":
            return
        raise
    try:
        for entry in names:
            remove(do, os.path.join(path, entry), folder)
    finally:
        if folder is not None:
            os.close(folder)


def _open(name: str, parent: int | None) -> tuple[int | None, list[str]]:
    """Open a folder and return its descriptor (None on Windows) and its entries."""
    if not _RELATIVE:
        return None, os.listdir(name)
    folder = os.open(name, _FOLDER, dir_fd=parent)
    try:
        return folder, os.listdir(folder)
    except BaseException:
        os.close(folder)
        raise
