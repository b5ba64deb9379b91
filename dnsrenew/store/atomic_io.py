"""Every disk operation of the store, and nothing else: the seam at which tests count, fail and kill.

What is written is written aside (a name beginning with :data:`ASIDE`, in the same folder), made
durable and renamed, so a file of ours is always the old one or the new one. Modes are set
explicitly: the umask decides nothing.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
import sys
import time
from collections.abc import Callable
from typing import Final, TypeVar

from dnsrenew.base.files import open_file
from dnsrenew.errors import StoreError
from dnsrenew.store import os_errors
from dnsrenew.store.os_errors import ASIDE

T = TypeVar("T")
Before = Callable[[str, str], None]

FOLDER: Final = 0o700
PRIVATE: Final = 0o600
PUBLIC: Final = 0o644
LIMIT: Final = 1 << 20
"""No file of ours is larger (octets); one that is larger is damaged."""

_READ: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_NO_FOLDER_SYNC: Final = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}  # some network file systems: they have none
_WINDOWS: Final = os.name == "nt"
_IN_USE: Final = 2.0  # seconds that somebody may have a file open on Windows before it is an error
_AGAIN: Final = 0.05
_numbers = itertools.count(1)


class AtomicFiles:
    """The disk as the store sees it. Every method raises :class:`StoreError` and no ``OSError``.

    :ivar fsyncs: how many times data was forced to the disk (exact while one thread writes).
    :ivar root: the store's folder, named where rights are missing; empty where it is not known.
    :param before: called with the name of the operation and the path before each; for tests, it may raise.
    """

    def __init__(self, before: Before | None = None) -> None:
        self.fsyncs = 0
        self.root = ""
        self._before = before

    def do(self, operation: str, path: str, function: Callable[[], T]) -> T:
        """Do one thing, and translate what the operating system says against it."""
        try:
            if self._before is not None:
                self._before(operation, path)
            return function()
        except OSError as error:
            raise os_errors.translate(error, path, operation, self.root) from None

    # ── reading ─────────────────────────────────────────────────────────────────────────

    def read(self, path: str) -> bytes | None:
        """Return what the file holds (at most :data:`LIMIT` octets and one), or None where there is none."""
        try:
            if self._before is not None:
                self._before("read", path)
            handle = open_file(path, _READ)
            try:
                return _read_all(handle)
            finally:
                os.close(handle)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise os_errors.translate(error, path, "read", self.root) from None

    def size(self, path: str) -> int | None:
        """Return how many octets a file has, through a link too; None where there is none that can be used.

        :raises StoreError: nobody may look; then it may be there.
        """
        try:
            if self._before is not None:
                self._before("stat", path)
            info = os.stat(path)
        except PermissionError as error:
            raise os_errors.translate(error, path, "read", self.root) from None
        except OSError:
            return None
        return info.st_size if stat.S_ISREG(info.st_mode) else None

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder; none where there is no folder."""
        try:
            if self._before is not None:
                self._before("list", folder)
            return os.listdir(folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise os_errors.translate(error, folder, "list", self.root) from None

    def inside(self, root: str, path: str) -> None:
        """Refuse a path on which a symbolic link leads out of the store.

        :param root: the store's folder, which may be a link itself.
        :param path: absolute, and below it; its last part is not looked at: no file of ours is opened through a link.
        """
        folder = os.path.dirname(path)
        while len(folder) > len(root):
            if os.path.islink(folder):
                raise os_errors.raised(os_errors.symlink(folder), path=folder)
            folder = os.path.dirname(folder)

    # ── writing ─────────────────────────────────────────────────────────────────────────

    def folder(self, path: str, *, link: bool = False) -> bool:
        """See to it that a private folder stands there; tell whether it was made.

        :param link: whether it may be a symbolic link to a folder (the store itself may).
        """
        made = not os.path.lexists(path)
        if made:
            try:
                self.do("mkdir", path, lambda: os.mkdir(path, FOLDER))
            except StoreError:
                if not os.path.isdir(path):  # or somebody was faster
                    raise
        info = self.do("stat", path, lambda: os.stat(path) if link else os.lstat(path))
        if stat.S_ISLNK(info.st_mode):
            raise os_errors.raised(os_errors.symlink(path), path=path)
        if not stat.S_ISDIR(info.st_mode):
            raise os_errors.raised(os_errors.not_a_folder(path), path=path)
        if os.name != "nt" and info.st_mode & 0o777 != FOLDER:
            self._close_folder(path, info)
        return made

    def _close_folder(self, path: str, info: os.stat_result) -> None:
        try:
            self.do("chmod", path, lambda: os.chmod(path, FOLDER))
        except StoreError as error:
            # Somebody else's folder (a mounted volume): it will do, unless others can put things into it.
            if error.code != "store-not-writable":
                raise
            if info.st_mode & 0o022:
                raise os_errors.not_private(path) from None

    def write(self, path: str, data: bytes, mode: int, *, sync: bool = True) -> None:
        """Replace a file: written aside, fsynced, renamed. The folder is not fsynced.

        :param sync: False where a power cut may leave it damaged, because it can be found again elsewhere.
        """
        self.put(self.prepare(path, data, mode, sync=sync), path)

    def prepare(self, path: str, data: bytes, mode: int, *, sync: bool = True) -> str:
        """Write aside what :meth:`put` will put in the place of ``path``, and return where."""
        return self._aside(os.path.dirname(path), lambda name: self._write_new(name, data, mode, sync=sync))

    def put(self, aside: str, path: str) -> None:
        """Put something that was prepared in its place, in one step; it needs no space any more."""
        try:
            self.rename(aside, path)
        except BaseException:
            self.discard(aside)
            raise

    def create(self, path: str, data: bytes, mode: int, *, sync: bool = True) -> None:
        """Write a file that is not there yet, and fsync it; for files in a folder that is itself aside."""
        self._write_new(path, data, mode, sync=sync)

    def _write_new(self, path: str, data: bytes, mode: int, *, sync: bool) -> None:
        handle = self.do("create", path, lambda: os.open(path, _CREATE, PRIVATE))
        try:
            if hasattr(os, "fchmod"):
                self.do("chmod", path, lambda: os.fchmod(handle, mode))
            self.do("write", path, lambda: _write_all(handle, data))
            if sync:
                self._sync(handle, path)
        except BaseException:
            os.close(handle)
            self.discard(path)
            raise
        try:
            self.do("close", path, lambda: os.close(handle))  # where NFS tells that the disk is full
        except BaseException:
            self.discard(path)
            raise

    def new_folder(self, folder: str) -> str:
        """Make a folder aside within ``folder`` and return its path."""
        path = self._aside(folder, lambda path: self.do("mkdir", path, lambda: os.mkdir(path, FOLDER)))
        self.folder(path)
        return path

    def point(self, link: str, target: str) -> None:
        """Let a symbolic link point to ``target``, in one step whether or not it stood there."""
        self.put(self._link(os.path.dirname(link), target), link)

    def rename(self, source: str, target: str) -> None:
        """Rename a file or folder within one file system, in one step; a file that is there is replaced."""
        self.do("rename", target, lambda: _patiently(source, target))

    def probe(self, folder: str, data: bytes) -> tuple[str, float]:
        """Write a file to a folder; return its path, and when that was by the file system's clock (seconds)."""
        path = self._aside(folder, lambda path: self._write_new(path, data, PRIVATE, sync=False))
        try:
            return path, self.do("stat", path, lambda: os.lstat(path).st_mtime)
        except BaseException:
            self.discard(path)
            raise

    def probe_link(self, folder: str) -> None:
        """Make a symbolic link in a folder, and remove it again."""
        self.remove(self._link(folder, "versions"))

    def _link(self, folder: str, target: str) -> str:
        return self._aside(folder, lambda path: self.do("symlink", path, lambda: os.symlink(target, path)))

    def close(self, path: str, mode: int) -> None:
        """Take away what a file's mode allows beyond ``mode``, where there is such a file."""
        info = self.do("stat", path, lambda: os.lstat(path)) if os.path.lexists(path) else None
        if os.name != "nt" and info is not None and stat.S_ISREG(info.st_mode) and info.st_mode & 0o777 & ~mode:
            self.do("chmod", path, lambda: os.chmod(path, mode))

    def sync_folder(self, path: str) -> None:
        """Make the names in a folder durable (Windows has nothing to call for that)."""
        if os.name == "nt":
            return
        handle = self.do("open", path, lambda: os.open(path, os.O_RDONLY | os.O_DIRECTORY))
        try:
            self._sync(handle, path)
        except StoreError as error:
            if error.evidence["errno"] not in {errno.errorcode[number] for number in _NO_FOLDER_SYNC}:
                raise
        finally:
            os.close(handle)

    def _sync(self, handle: int, path: str) -> None:
        self.fsyncs += 1
        self.do("fsync", path, lambda: _flush(handle))

    def _aside(self, folder: str, make: Callable[[str], None]) -> str:
        while True:
            path = os.path.join(folder, f"{ASIDE}{os.getpid()}-{next(_numbers)}")
            try:
                make(path)
                return path
            except StoreError as error:
                # A leftover of an earlier process of the same number, or one on another host.
                if error.evidence.get("errno") != "EEXIST":
                    raise

    # ── taking away ─────────────────────────────────────────────────────────────────────

    def remove(self, path: str) -> None:
        """Remove a file, a link or a folder with all that is in it; it need not be there."""
        if not os.path.lexists(path):
            return
        if os.path.isdir(path) and not os.path.islink(path):
            for name in self.names(path):
                self.remove(os.path.join(path, name))
            self.do("rmdir", path, lambda: os.rmdir(path))
        else:
            self.do("unlink", path, lambda: os.unlink(path))

    def discard(self, path: str) -> None:
        """Remove what is of no use any more; what cannot be removed is swept by a later write."""
        with contextlib.suppress(StoreError):
            self.remove(path)

    def sweep(self, folder: str, *, older_than: float | None = None) -> None:
        """Remove what killed writes left in a folder; what cannot be removed stays for the next time.

        :param older_than: only what was last changed before this (seconds since the epoch, by the file system's
            clock), where other processes may be writing.
        """
        for name in self.names(folder):
            if name.startswith(ASIDE):
                path = os.path.join(folder, name)
                if older_than is None or _changed(path) < older_than:
                    self.discard(path)

    def set_aside(self, path: str) -> str:
        """Rename something damaged to ``NAME.damaged`` (or ``.damaged-2`` …) and return that path."""
        target, number = f"{path}.damaged", 1
        while os.path.lexists(target):
            number += 1
            target = f"{path}.damaged-{number}"
        self.do("rename", path, lambda: os.rename(path, target))
        return target


def _patiently(source: str, target: str) -> None:
    """Rename; on Windows for two seconds again and again, for whoever reads a file (a virus scanner) is in the way."""
    end = time.monotonic() + _IN_USE
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if _WINDOWS and os.path.isdir(target):  # which other systems say by themselves
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), target) from None
            if not _WINDOWS or time.monotonic() >= end:
                raise
        time.sleep(_AGAIN)


def _flush(handle: int) -> None:
    """Have what was written on the disk itself: fsync(2) of macOS leaves it in the memory of the drive."""
    if sys.platform == "darwin":
        import fcntl

        with contextlib.suppress(OSError):  # some file systems have no more than fsync
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
            return
    os.fsync(handle)


def _changed(path: str) -> float:
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return float("inf")


def _read_all(handle: int) -> bytes:
    data = os.read(handle, LIMIT + 1)
    if not data or len(data) > LIMIT:
        return data
    parts = [data]
    while len(data) <= LIMIT and (more := os.read(handle, LIMIT + 1 - len(data))):
        parts.append(more)
        data = b"".join(parts)
    return data


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
