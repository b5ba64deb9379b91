"""The safe way to write a file: never through a link of another user, and never partly.

A folder is opened first. Files are then accessed by name in it, even if its path is replaced. Each part of the path is
opened relative to the part before, so that the checked folder is the one in use. The folders may belong to any user,
but links in the path only to root or the running user. If the system cannot open links (all except Linux and FreeBSD),
the path is checked, and then the folder is opened.

New content is written to a file beside the old one, which is renamed in one step. It replaces the old file, or for a
new file it takes the name only if the name is free.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from dnsrenew.base import files, texts
from dnsrenew.base.path_trust import MAX_LINKS, Ground, Weakness, parts_of
from dnsrenew.base.values import Frozen

if sys.platform != "win32":
    import fcntl

HANDLES: Final = {os.open, os.mkdir, os.rmdir, os.unlink} <= os.supports_dir_fd
"""Whether the system can open a folder and work relative to it, so that the folder cannot be swapped (not on Windows).
"""

_OPENS_LINKS: Final = getattr(os, "O_PATH", 0)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_PART: Final = _OPENS_LINKS | _NO_LINK
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NONBLOCK", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _BINARY
_NEW: Final = stat.S_ISVTX if sys.platform == "linux" else 0
"""Marks a newly created folder.

No umask removes the sticky bit, and no program sets it on a folder that only its owner can write to. Systems other than
Linux do not set it; there the owner shows it.
"""
_MAX_BYTES: Final = 65_536
PRIVATE_FILE: Final = 0o600
PUBLIC_FILE: Final = 0o644
PUBLIC_FOLDER: Final = 0o755


class ForeignLinkError(OSError):
    """Another user's link is in the path, and could lead to any folder of the running user.

    :ivar link: the link.
    """

    def __init__(self, link: Weakness) -> None:
        super().__init__(errno.ELOOP, texts.FOREIGN_LINK.format(link=link.path, owner=link.owner), link.path)
        self.link = link


class OpenFolder(Frozen):
    """A folder. Names are relative to it. Every method may raise OSError.

    For other calls of ``os``, each gets ``at(name)``, and ``handle`` as its ``dir_fd``.

    :ivar handle: its descriptor; None if only the path is used.
    """

    path: str
    handle: int | None

    def at(self, name: str) -> str:
        """Return the path or name that stands for a file in the folder."""
        return os.path.join(self.path, name) if self.handle is None else name

    def owner(self) -> int:
        """Return the user of the folder; 0 on Windows."""
        return os.stat(self.at(os.curdir), dir_fd=self.handle).st_uid

    def names(self) -> list[str]:
        """Return the names of the entries in the folder."""
        if self.handle is None:
            return os.listdir(self.path)
        with files.closing(os.open(os.curdir, _FOLDER, dir_fd=self.handle)) as handle:
            return os.listdir(handle)

    @contextlib.contextmanager
    def child(self, name: str) -> Iterator[OpenFolder]:
        """Open a folder in it. A link is an error."""
        path = os.path.join(self.path, name)
        if self.handle is None:
            yield OpenFolder(_checked(path, os.lstat(path)), None)
            return
        with files.closing(os.open(name, _FOLDER | _NO_LINK, dir_fd=self.handle)) as handle:
            yield OpenFolder(path, handle)

    def make(self, name: str, mode: int = PUBLIC_FOLDER) -> None:
        """Create a folder in it with this mode, regardless of the umask."""
        if self.handle is None:
            os.mkdir(self.at(name), mode)
            return
        os.mkdir(name, mode | _NEW, dir_fd=self.handle)
        with self.child(name) as made:
            made.set_mode(mode)

    def set_mode(self, wanted: int) -> None:
        """Set the mode of this folder, which was just created.

        :raises PermissionError: another user has put a different folder in its place.
        """
        assert self.handle is not None  # noqa: S101  # by make()
        info = os.fstat(self.handle)
        mode = stat.S_IMODE(info.st_mode) & ~stat.S_ISGID
        if mode & (wanted | stat.S_ISVTX) == wanted:  # nothing to change
            return
        # NFS root_squash maps root's files to `nobody`
        is_marked = mode & _NEW if _NEW else info.st_uid == os.geteuid()
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
        is_new: bool = False,
    ) -> None:
        """Write a file beside the old one, and rename it. An old file or link is replaced, never written to.

        :param mode: the mode of the file, regardless of the umask.
        :param owner: its user and group (POSIX).
        :param sync: whether to make it durable; if not, a power cut could leave an empty file.
        :param is_new: do not replace a file; ``FileExistsError`` if the name is taken.
        """
        temp = f".{name}.{os.getpid()}.tmp"  # a leftover file is replaced when its process ID is reused
        with contextlib.suppress(FileNotFoundError):
            self.remove(temp)
        handle = self.create(temp, mode)
        with files.undone(self.discard, temp):
            with files.closing(handle):
                if owner is not None and hasattr(os, "fchown"):
                    os.fchown(handle, *owner)
                    os.fchmod(handle, mode)  # the system may have dropped a part of it
                write_all(handle, content)
                if sync:
                    os.fsync(handle)
            (self.claim if is_new else self.replace)(temp, name)

    def replace(self, temp: str, name: str) -> None:
        """Rename a file; an existing file with the new name is replaced."""
        replace(self.at(temp), self.at(name), self.handle)

    def claim(self, temp: str, name: str) -> None:
        """Rename a file to a free name.

        :raises FileExistsError: another file has the name.
        """
        relative = dict[str, Any]()
        if self.handle is not None:
            relative = {"src_dir_fd": self.handle, "dst_dir_fd": self.handle, "follow_symlinks": False}
        try:
            os.link(self.at(temp), self.at(name), **relative)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            os.close(self.create(name, PRIVATE_FILE))  # takes the name, or finds it taken
            self.replace(temp, name)
            return
        self.remove(temp)

    def create(self, name: str, mode: int) -> int:
        """Create a new file with this mode, regardless of the umask; return its descriptor, for writing."""
        handle = os.open(self.at(name), _CREATE, mode, dir_fd=self.handle)
        if hasattr(os, "fchmod"):
            os.fchmod(handle, mode)
        return handle

    def read(self, name: str) -> bytes:
        """Return the content of a regular file. A FIFO or a device is an error instead of a wait."""
        handle = files.open_file(self.at(name), os.O_RDONLY | _NO_LINK | _BINARY, dir_fd=self.handle)
        with os.fdopen(handle, "rb") as file:
            return file.read(_MAX_BYTES)

    def read_link(self, name: str) -> tuple[str, os.stat_result]:
        """Return the target of a link, and its ``lstat``."""
        if self.handle is None or not _OPENS_LINKS:
            return os.readlink(self.at(name), dir_fd=self.handle), os.lstat(self.at(name), dir_fd=self.handle)
        with files.closing(os.open(name, _PART, dir_fd=self.handle)) as link:
            return os.readlink("", dir_fd=link), os.fstat(link)

    def remove(self, name: str) -> None:
        """Remove a file."""
        os.unlink(self.at(name), dir_fd=self.handle)

    def discard(self, name: str) -> None:
        """Remove a file, if possible."""
        with contextlib.suppress(OSError):
            self.remove(name)

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder."""
        os.rmdir(self.at(name), dir_fd=self.handle)

    def sync(self) -> None:
        """Make the names in the folder durable if the system supports it. The files themselves are already synced."""
        if os.name == "nt":
            return
        here = self.at(os.curdir)
        with contextlib.suppress(OSError), files.closing(os.open(here, _FOLDER, dir_fd=self.handle)) as handle:
            os.fsync(handle)  # some file systems cannot


@contextlib.contextmanager
def open_folder(path: str, *, handles: bool = HANDLES) -> Iterator[OpenFolder]:
    """Open a folder. The folders above it may belong to any user.

    :param path: the absolute path.
    :raises ForeignLinkError: another user's link is in the path.
    :raises OSError: the folder cannot be opened.
    """
    if not (handles and _OPENS_LINKS):
        link = Ground().foreign_link(path)
        if link is not None:
            raise ForeignLinkError(link)
    if not handles:
        yield OpenFolder(_checked(path, os.stat(path)), None)
        return
    with files.closing(_walk(path) if _OPENS_LINKS else os.open(path, _FOLDER)) as handle:
        yield OpenFolder(path, handle)


def replace_file(path: str, content: bytes, mode: int = PUBLIC_FILE) -> None:
    """Replace a file that a person has named, durably. If it is a link, the link is replaced.

    :param path: the absolute path.
    :param mode: the mode of the new file, regardless of the umask.
    :raises ForeignLinkError: another user's link is in the path.
    :raises NotAFileError: the path is a folder or a device, or a link to one (``/dev/stdout``).
    :raises OSError: the file cannot be written, and keeps its old content.
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
    """Open every part of the path relative to the part before it; return the descriptor of the last."""
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
            with files.closing(part):
                target = os.readlink("", dir_fd=part)
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


# ── public files ───────────────────────────────────────────────────────────────────────

# Files that all users can read, in a folder that other users may be able to write to.

_TRIES: Final = 3
"""The number of tries, because another run may remove the empty folders in between."""


class OutsideLinkError(OSError):
    """A link leads out of the folder.

    :ivar leads_to: its target.
    """

    def __init__(self, leads_to: str) -> None:
        super().__init__(leads_to)
        self.leads_to = leads_to


class PublicFiles:
    """Files in subfolders of a given folder, which are created for the first file. All methods may raise OSError.

    Other processes may use the same folders. Calls of one object must not overlap.

    :param path: the given folder, which exists; no link of another user may be in its path.
    :param below: the names of the subfolders, each inside the one before.
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
        """Write a file, replacing an old one."""
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
        """Remove a file, if it exists."""
        with contextlib.suppress(FileNotFoundError), self._opened(self._steps()) as folder:
            folder.remove(name)

    def remove_folders(self) -> None:
        """Remove the created folders that are empty."""
        while self._made:
            *parents, name = self._made.pop()
            with contextlib.suppress(OSError), self._opened(parents) as folder:  # OSError: it is not empty
                folder.remove_folder(name)

    def _steps(self) -> Sequence[str]:
        """Return the folders from the given one down to the files, with links resolved.

        :raises OutsideLinkError: a link leads out of the given folder.
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
        """Open a folder step by step, so that a link that was inserted in between is an error."""
        with contextlib.ExitStack() as held:
            folder = held.enter_context(open_folder(os.path.abspath(self.path), handles=self._handles))
            if self._own and folder.owner() not in {0, os.geteuid()}:
                raise PermissionError(errno.EPERM, "it belongs to another user", self.path)
            for name in steps:
                folder = held.enter_context(folder.child(name))
            yield folder


# ── system calls ───────────────────────────────────────────────────────────────────────

# Operations that need more than one call: a whole read or write, a rename on Windows, a flush on macOS.

_WINDOWS: Final = os.name == "nt"
_RETRY_SECONDS: Final = 2.0
"""Seconds for which a rename is retried on Windows while another program has the file open."""
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
    """Flush to the disk itself, because fsync(2) of macOS leaves the data in the cache of the drive."""
    if sys.platform == "darwin":
        with contextlib.suppress(OSError):  # some file systems only have fsync
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
            return
    os.fsync(handle)


def read_all(handle: int, size: int, limit: int) -> bytes:
    """Return the rest of a file, at most ``limit`` + 1 bytes.

    :param size: its size. One more byte is requested, so that one call shows the end of the file. A buffer of ``limit``
        bytes would allocate new memory for each file.
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
