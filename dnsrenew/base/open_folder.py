"""Opens a folder in which files are then used by name, whatever is put in its place meanwhile.

Each part of the way is opened from the one before it, so that no check is separate from the use. Where the system
cannot open links (all but Linux and FreeBSD), the way is checked, and the path is used.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import Final

from dnsrenew.base.ground import MAX_LINKS, Ground, Weakness, parts_of
from dnsrenew.base.values import Frozen

_OPENS_LINKS: Final = getattr(os, "O_PATH", 0)
_PART: Final = _OPENS_LINKS | getattr(os, "O_NOFOLLOW", 0)


class ForeignLinkError(Exception):
    """Another user's link is on the way: it could lead to any folder of the running user.

    :ivar link: it.
    """

    def __init__(self, link: Weakness) -> None:
        super().__init__(link.path)
        self.link = link


class OpenFolder(Frozen):
    """A folder for the calls of ``os``: each gets ``at(name)``, and ``handle`` as its ``dir_fd``.

    :ivar handle: its descriptor; None: its path is used.
    """

    path: str
    handle: int | None

    def at(self, name: str) -> str:
        """Return what stands for a file in the folder."""
        return os.path.join(self.path, name) if self.handle is None else name

    def names(self) -> list[str]:
        """Return the names of what is in the folder.

        :raises OSError: it may not be read.
        """
        if self.handle is None:
            return os.listdir(self.path)
        handle = os.open(os.curdir, os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.handle)
        try:
            return os.listdir(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def open_folder(path: str) -> Iterator[OpenFolder]:
    """Open a folder; the folders above it may belong to anybody.

    :param path: absolute.
    :raises ForeignLinkError: another user's link is on the way.
    :raises OSError: it cannot be opened.
    """
    if not _OPENS_LINKS:
        link = Ground().foreign_link(path)
        if link is not None:
            raise ForeignLinkError(link)
        yield OpenFolder(path, None)
        return
    handle = _walk(path)
    try:
        yield OpenFolder(path, handle)
    finally:
        os.close(handle)


def _walk(path: str) -> int:
    """Open every part of the way from the one before it; return the descriptor of the last."""
    ground, rest, here, links = Ground(), parts_of(path), os.sep, 0
    handle = os.open(os.sep, _PART)
    try:
        while rest:
            name = rest.pop()
            part = os.open(name, _PART, dir_fd=handle)
            info = os.fstat(part)
            if not stat.S_ISLNK(info.st_mode):
                os.close(handle)
                handle, here = part, os.path.normpath(os.path.join(here, name))
                continue
            try:
                target = os.readlink("", dir_fd=part)
            finally:
                os.close(part)
            weakness = ground.weakness_of_open(os.path.join(here, name), info)
            if weakness is not None:
                raise ForeignLinkError(weakness)
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            rest += parts_of(target)
            if os.path.isabs(target):
                os.close(handle)
                handle, here = os.open(os.sep, _PART), os.sep
    except BaseException:
        os.close(handle)
        raise
    return handle
