"""Opens a folder in which files are then used by name, whatever is put in its place meanwhile.

Each part of the way is opened from the one before it, so that no check is separate from the use. The folders may belong
to anybody; a link on the way only to root or the running user. Where the system cannot open links (all but Linux and
FreeBSD), the way is checked, and then the folder is opened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator
from typing import Final

from dnsrenew.base import files, os_calls, texts
from dnsrenew.base.path_trust import MAX_LINKS, Ground, Weakness, parts_of
from dnsrenew.base.values import Frozen

HANDLES: Final = {os.open, os.mkdir, os.rmdir, os.unlink} <= os.supports_dir_fd
"""Whether the system can open a folder and work relative to it, so that it cannot be swapped (not on Windows)."""

_OPENS_LINKS: Final = getattr(os, "O_PATH", 0)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_PART: Final = _OPENS_LINKS | _NO_LINK
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NONBLOCK", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _BINARY
_NEW: Final = stat.S_ISVTX if sys.platform == "linux" else 0
"""Marks a folder that was made a moment ago: no umask removes the sticky bit, and nobody else sets it on a folder that
only its owner can write to. Other systems than Linux do not set it; there the owner tells."""
_MAX_BYTES: Final = 65_536
PUBLIC_FILE: Final = 0o644
PUBLIC_FOLDER: Final = 0o755


class ForeignLinkError(OSError):
    """Another user's link is on the way: it could lead to any folder of the running user.

    :ivar link: it.
    """

    def __init__(self, link: Weakness) -> None:
        super().__init__(errno.ELOOP, texts.FOREIGN_LINK.format(link=link.path, owner=link.owner), link.path)
        self.link = link


class OpenFolder(Frozen):
    """A folder. Names are relative to it. Every method may raise OSError.

    For other calls of ``os``, each gets ``at(name)``, and ``handle`` as its ``dir_fd``.

    :ivar handle: its descriptor; None: only the path is used.
    """

    path: str
    handle: int | None

    def at(self, name: str) -> str:
        """Return what stands for a file in the folder."""
        return os.path.join(self.path, name) if self.handle is None else name

    def owner(self) -> int:
        """Return the user of the folder; 0 on Windows."""
        return os.stat(self.at(os.curdir), dir_fd=self.handle).st_uid

    def names(self) -> list[str]:
        """Return the names of what is in the folder."""
        if self.handle is None:
            return os.listdir(self.path)
        handle = os.open(os.curdir, _FOLDER, dir_fd=self.handle)
        try:
            return os.listdir(handle)
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def child(self, name: str) -> Iterator[OpenFolder]:
        """Open a folder in it; a link is an error."""
        path = os.path.join(self.path, name)
        if self.handle is None:
            yield OpenFolder(_checked(path, os.lstat(path)), None)
            return
        handle = os.open(name, _FOLDER | _NO_LINK, dir_fd=self.handle)
        try:
            yield OpenFolder(path, handle)
        finally:
            os.close(handle)

    def make(self, name: str, mode: int = PUBLIC_FOLDER) -> None:
        """Make a folder in it with this mode, whatever the umask."""
        if self.handle is None:
            os.mkdir(self.at(name), mode)
            return
        os.mkdir(name, mode | _NEW, dir_fd=self.handle)
        with self.child(name) as made:
            made.set_mode(mode)

    def set_mode(self, wanted: int) -> None:
        """Set the mode of this folder, which was made a moment ago.

        :raises PermissionError: it is another one, which somebody has put in its place.
        """
        assert self.handle is not None  # noqa: S101  # by make()
        info = os.fstat(self.handle)
        mode = stat.S_IMODE(info.st_mode) & ~stat.S_ISGID
        if mode & (wanted | stat.S_ISVTX) == wanted:  # nothing to change
            return
        is_marked = mode & _NEW if _NEW else info.st_uid == os.geteuid()  # a file server may give root's to nobody
        if not is_marked or mode & ~(wanted | _NEW) or os.listdir(self.handle):
            raise PermissionError(errno.EPERM, "another user replaced the folder", self.path)
        os.fchmod(self.handle, wanted)

    def write(
        self,
        name: str,
        content: bytes,
        mode: int = PUBLIC_FILE,
        *,
        owner: tuple[int, int] | None = None,
        sync: bool = False,
    ) -> None:
        """Write a file beside the old one, and rename it. An old file or link is replaced, never written to.

        :param mode: of the file, whatever the umask.
        :param owner: its user and group (POSIX).
        :param sync: whether it is durable; else a power cut could leave an empty file.
        """
        temp = f".{name}.{os.getpid()}.tmp"  # what a killed process left is replaced when its number comes again
        with contextlib.suppress(FileNotFoundError):
            self.remove(temp)
        handle = self.create(temp, mode)
        try:
            try:
                if owner is not None and hasattr(os, "fchown"):
                    os.fchown(handle, *owner)
                    os.fchmod(handle, mode)  # the system may have dropped a part of it
                os_calls.write_all(handle, content)
                if sync:
                    os.fsync(handle)
            finally:
                os.close(handle)
            os_calls.replace(self.at(temp), self.at(name), self.handle)
        except BaseException:
            with contextlib.suppress(OSError):
                self.remove(temp)
            raise

    def create(self, name: str, mode: int) -> int:
        """Create a new file with this mode, whatever the umask; return its descriptor, for writing."""
        handle = os.open(self.at(name), _CREATE, mode, dir_fd=self.handle)
        if hasattr(os, "fchmod"):
            os.fchmod(handle, mode)
        return handle

    def read(self, name: str) -> bytes:
        """Return the content of a regular file; a FIFO or a device is an error, not a wait."""
        handle = files.open_file(self.at(name), os.O_RDONLY | _NO_LINK | _BINARY, dir_fd=self.handle)
        with os.fdopen(handle, "rb") as file:
            return file.read(_MAX_BYTES)

    def read_link(self, name: str) -> tuple[str, os.stat_result]:
        """Return what a link points to, and its ``lstat``."""
        if self.handle is None or not _OPENS_LINKS:
            return os.readlink(self.at(name), dir_fd=self.handle), os.lstat(self.at(name), dir_fd=self.handle)
        link = os.open(name, _PART, dir_fd=self.handle)
        try:
            return os.readlink("", dir_fd=link), os.fstat(link)
        finally:
            os.close(link)

    def remove(self, name: str) -> None:
        """Remove a file."""
        os.unlink(self.at(name), dir_fd=self.handle)

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder."""
        os.rmdir(self.at(name), dir_fd=self.handle)

    def sync(self) -> None:
        """Make the names in the folder durable, where the system can: the files themselves are synced."""
        if os.name == "nt":
            return
        with contextlib.suppress(OSError):  # some file systems cannot
            handle = os.open(self.at(os.curdir), _FOLDER, dir_fd=self.handle)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


@contextlib.contextmanager
def open_folder(path: str, *, handles: bool = HANDLES) -> Iterator[OpenFolder]:
    """Open a folder; the folders above it may belong to anybody.

    :param path: absolute.
    :raises ForeignLinkError: another user's link is on the way.
    :raises OSError: it cannot be opened.
    """
    if not (handles and _OPENS_LINKS):
        link = Ground().foreign_link(path)
        if link is not None:
            raise ForeignLinkError(link)
    if not handles:
        yield OpenFolder(_checked(path, os.stat(path)), None)
        return
    handle = _walk(path) if _OPENS_LINKS else os.open(path, _FOLDER)
    try:
        yield OpenFolder(path, handle)
    finally:
        os.close(handle)


def replace_file(path: str, content: bytes, mode: int = PUBLIC_FILE) -> None:
    """Replace a file that a person has named, durably. Where it is a link, the link is replaced.

    :param path: absolute.
    :param mode: of the new file, whatever the umask.
    :raises ForeignLinkError: another user's link is on the way.
    :raises NotAFileError: it is a folder or a device, or a link to one (``/dev/stdout``).
    :raises OSError: it cannot be written; it keeps its old content.
    """
    with open_folder(os.path.dirname(path)) as folder:
        name = os.path.basename(path)
        kind = files.kind_at(folder.at(name), folder.handle)
        if kind is not None:
            raise files.NotAFileError(path, kind)
        folder.write(name, content, mode, sync=True)


def _checked(path: str, info: os.stat_result) -> str:
    if not stat.S_ISDIR(info.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    return path


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
