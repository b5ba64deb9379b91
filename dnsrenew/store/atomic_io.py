"""The disk operations of the store; tests count them, let them fail, and kill the process at them.

Each file is written to a temporary file in the same folder (:data:`TEMP_PREFIX`), synced and renamed, so that it always
has its old or its new content. Modes are set explicitly, regardless of the umask.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from dnsrenew.base import safe_files, threads
from dnsrenew.base.files import closing, open_with_info, undone
from dnsrenew.errors import StoreError
from dnsrenew.store import os_errors, texts
from dnsrenew.store.os_errors import TEMP_PREFIX

T = TypeVar("T")
Before = Callable[[str, str], None]

FOLDER: Final = 0o700
PRIVATE: Final = 0o600
PUBLIC: Final = 0o644
LIMIT: Final = 1 << 20
"""In bytes. dnsrenew does not write larger files, so a larger one is damaged."""

_READ: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_WRITE: Final = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_CREATE: Final = _WRITE | os.O_CREAT | os.O_EXCL
_JUNCTION: Final = 0xA0000003
"""The reparse tag of a junction. On Windows it is a folder too, but its content is elsewhere."""
_NO_FOLDER_SYNC: Final = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}  # some network file systems
_numbers = itertools.count(1)


class AtomicFiles:
    """Disk operations that raise :class:`StoreError` instead of ``OSError``.

    Folders and files of the store must belong to root or the running user, because an account, an order or a TXT value
    of another user could be harmful.

    :ivar fsyncs: the number of fsyncs (exact while one thread writes).
    :ivar root: the store's folder, for advice about missing rights; empty if unknown.
    :ivar insist: accept files and folders of other users.
    :param before: called before each operation with its name and the path; for tests, it may raise.
    """

    def __init__(self, before: Before | None = None) -> None:
        self.fsyncs = 0
        self.root = ""
        self.insist = False
        self._before = before

    def do(self, operation: str, path: str, function: Callable[[], T], *absent: T) -> T:
        """Call ``function`` and translate its ``OSError``.

        :param absent: returned if the path does not exist. Without it, this is an error too.
        """
        try:
            if self._before is not None:
                self._before(operation, path)
            return function()
        except OSError as error:
            if absent and isinstance(error, FileNotFoundError):
                return absent[0]
            raise os_errors.translate(error, path, operation, self.root) from None

    def check_owner(self, path: str, info: os.stat_result) -> None:
        """Refuse a path that belongs to a user other than root and the running user. On Windows the owner is always 0.

        :param info: the ``stat`` of the path.
        :raises StoreError: ``store-not-private``.
        """
        if info.st_uid and not self.insist and info.st_uid != os.geteuid():
            raise os_errors.foreign(path, info, self.root)

    # ── reading ─────────────────────────────────────────────────────────────────────────

    def read(self, path: str, limit: int = LIMIT) -> bytes | None:
        """Return the content of a file, at most ``limit`` + 1 bytes, or None if it does not exist."""
        return self.do("read", path, lambda: self._read(path, limit), None)

    def _read(self, path: str, limit: int) -> bytes | None:
        handle, info = open_with_info(path, _READ)
        try:
            self.check_owner(path, info)
            return safe_files.read_all(handle, info.st_size, limit)
        finally:
            os.close(handle)

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes, or None if it is not a regular file. Links are followed.

        :raises StoreError: permission denied, so that the file may exist; or it belongs to another user.
        """
        try:
            if self._before is not None:
                self._before("stat", path)
            info = os.stat(path)
        except PermissionError as error:
            raise os_errors.translate(error, path, "read", self.root) from None
        except OSError:
            return None
        if not stat.S_ISREG(info.st_mode):
            return None
        self.check_owner(path, info)
        return info.st_size

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder; empty if it does not exist."""
        return self.do("list", folder, lambda: os.listdir(folder), [])

    def refuse_links(self, root: str, path: str) -> None:
        """Refuse a path below the store's folder that leads through a symbolic link or a folder of another user.

        :param root: the store's folder; it may be a link itself.
        :param path: an absolute path below it. Its last part is not checked: files are opened with ``O_NOFOLLOW``.
        :raises StoreError: ``store-symlink``, ``store-not-private``.
        """
        folder = os.path.dirname(path)
        while len(folder) > len(root):
            info = self.refuse_foreign(folder)
            if info is not None and stat.S_ISLNK(info.st_mode):
                raise StoreError.of(texts.SYMLINK, path=folder)
            folder = os.path.dirname(folder)

    def refuse_foreign(self, folder: str) -> os.stat_result | None:
        """Refuse a folder or link of another user; return its ``lstat``, or None if it does not exist.

        :raises StoreError: ``store-not-private``.
        """
        try:
            info = os.lstat(folder)
        except OSError:
            return None
        self.check_owner(folder, info)
        return info

    # ── writing ─────────────────────────────────────────────────────────────────────────

    def ensure_folder(self, path: str) -> bool:
        """Create a missing private folder, or make an existing one private; return whether it was created."""
        created = self.make_folder(path)
        self.restrict_folder(path, self.folder_info(path))
        return created

    def make_folder(self, path: str) -> bool:
        """Create a private folder if the path is free; return whether it was created."""
        created = not os.path.lexists(path)
        if created:
            try:
                self.do("mkdir", path, lambda: os.mkdir(path, FOLDER))
            except StoreError:
                if not os.path.isdir(path):  # otherwise another process was faster
                    raise
        return created

    def folder_info(self, path: str, *, link: bool = False) -> os.stat_result:
        """Return the ``stat`` of a folder.

        :param link: allow a symbolic link to a folder (only for the store itself).
        :raises StoreError: the path is not a folder, or the folder or the link to it belongs to another user.
        """
        if link:
            self.refuse_foreign(path)
        info = self.do("stat", path, lambda: os.stat(path) if link else os.lstat(path))
        if stat.S_ISLNK(info.st_mode):
            raise StoreError.of(texts.SYMLINK, path=path)
        if not stat.S_ISDIR(info.st_mode):
            raise StoreError.of(texts.NOT_A_FOLDER, path=path, culprit=path)
        self.check_owner(path, info)
        return info

    def restrict_folder(self, path: str, info: os.stat_result) -> None:
        """Make a folder private.

        :param info: the ``stat`` of the folder.
        """
        if os.name == "nt" or info.st_mode & 0o777 == FOLDER:
            return
        try:
            self.do("chmod", path, lambda: os.chmod(path, FOLDER))
        except StoreError as error:
            # A folder of root, such as a mounted volume, is accepted unless others can write to it.
            if error.code != "store-not-writable":
                raise
            if info.st_mode & 0o022 and not self.insist:
                raise os_errors.not_private(path) from None

    def write(self, path: str, data: bytes, mode: int, *, sync: bool = True) -> None:
        """Replace a file in one step: temporary file, fsync, rename. The folder is not synced.

        :param sync: False if a power cut may damage the file, because its content can be restored.
        """
        self.put(self.write_temp(path, data, mode, sync=sync), path)

    def write_temp(self, path: str, data: bytes, mode: int, *, sync: bool = True) -> str:
        """Write the new content of ``path`` to a temporary file for :meth:`put`, and return the temporary path."""
        return self._make_temp(os.path.dirname(path), lambda name: self.create(name, data, mode, sync=sync))

    def put(self, temp: str, path: str) -> None:
        """Rename a temporary file to ``path`` in one step, without using disk space."""
        with undone(self.discard, temp):
            self.rename(temp, path)

    def create(self, path: str, data: bytes, mode: int, *, sync: bool = True) -> None:
        """Write a new file and sync it; for files in a temporary folder."""
        handle = self.do("create", path, lambda: os.open(path, _CREATE, PRIVATE))
        with undone(self.discard, path):
            with undone(os.close, handle):
                if hasattr(os, "fchmod"):
                    self.do("chmod", path, lambda: os.fchmod(handle, mode))
                self.do("write", path, lambda: safe_files.write_all(handle, data))
                if sync:
                    self._sync(handle, path)
            self.do("close", path, lambda: os.close(handle))  # NFS reports a full disk here

    def fill(self, folder: str, files: Mapping[str, tuple[bytes, int]], unsynced: str = "") -> None:
        """Write new files into a temporary folder, and sync all at the same time: for the disk that is about one fsync.

        :param files: the content and the mode of each.
        :param unsynced: a file that a power cut may damage.
        """
        for name, (data, mode) in files.items():
            self.create(os.path.join(folder, name), data, mode, sync=False)
        paths = [os.path.join(folder, name) for name in files if name != unsynced]
        tasks = threads.start_all([partial(_flush, path) for path in paths], len(paths))
        for path, task in zip(paths, tasks, strict=True):
            self.fsyncs += 1
            self.do("fsync", path, task.wait)
        self.sync_folder(folder)

    def new_folder(self, folder: str) -> str:
        """Create a temporary folder in ``folder`` and return its path."""
        path = self._make_temp(folder, lambda path: self.do("mkdir", path, lambda: os.mkdir(path, FOLDER)))
        self.ensure_folder(path)
        return path

    def switch_link(self, link: str, target: str) -> None:
        """Create a symbolic link to ``target``, or switch an existing one, in one step."""
        self.put(self._link(os.path.dirname(link), target), link)

    def rename(self, source: str, target: str) -> None:
        """Rename a file or folder in one step, within one file system; an existing file is replaced."""
        self.do("rename", target, lambda: safe_files.replace(source, target))

    def probe(self, folder: str, data: bytes) -> tuple[str, float]:
        """Write a temporary file; return its path and its time by the file system's clock (seconds since the epoch)."""
        path = self._make_temp(folder, lambda path: self.create(path, data, PRIVATE, sync=False))
        with undone(self.discard, path):
            return path, self.do("stat", path, lambda: os.lstat(path).st_mtime)

    def probe_link(self, folder: str) -> None:
        """Create a symbolic link in a folder and remove it."""
        self.remove(self._link(folder, "versions"))

    def _link(self, folder: str, target: str) -> str:
        return self._make_temp(folder, lambda path: self.do("symlink", path, lambda: os.symlink(target, path)))

    def restrict(self, path: str, mode: int) -> None:
        """Set the mode of a file to ``mode`` if its mode allows more. The file does not have to exist."""
        info = self.do("stat", path, lambda: os.lstat(path)) if os.path.lexists(path) else None
        if os.name != "nt" and info is not None and stat.S_ISREG(info.st_mode) and info.st_mode & 0o777 & ~mode:
            self.do("chmod", path, lambda: os.chmod(path, mode))

    def sync_folder(self, path: str) -> None:
        """Make the names in a folder durable. This does nothing on Windows, which has no such call."""
        if os.name == "nt":
            return
        with closing(self.do("open", path, lambda: os.open(path, os.O_RDONLY | os.O_DIRECTORY))) as handle:
            try:
                self._sync(handle, path)
            except StoreError as error:
                if error.evidence["errno"] not in {errno.errorcode[number] for number in _NO_FOLDER_SYNC}:
                    raise

    def _sync(self, handle: int, path: str) -> None:
        self.fsyncs += 1
        self.do("fsync", path, lambda: safe_files.flush(handle))

    def _make_temp(self, folder: str, make: Callable[[str], None]) -> str:
        while True:
            path = os.path.join(folder, f"{TEMP_PREFIX}{os.getpid()}-{next(_numbers)}")
            try:
                make(path)
                return path
            except StoreError as error:
                # An earlier process with the same pid, or one on another machine, used the name.
                if error.evidence.get("errno") != "EEXIST":
                    raise

    # ── removing ────────────────────────────────────────────────────────────────────────

    def remove(self, path: str, parent: int | None = None) -> None:
        """Remove a file, a link, or a folder with its content, but never the target of a link. It may be missing.

        A folder is opened before it is emptied, and its entries are removed relative to the open folder. So if a folder
        at any depth is replaced by a link in between, this is an error, and files outside are not touched.

        :param parent: the descriptor of the folder that contains it; None if the path is used.
        """
        name = path if parent is None else os.path.basename(path)
        try:
            info = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError:
            return
        if not stat.S_ISDIR(info.st_mode) or getattr(info, "st_reparse_tag", 0) == _JUNCTION:
            self.do("unlink", path, lambda: os.unlink(name, dir_fd=parent))
            return
        gone: tuple[int | None, list[str]] = (None, [])
        folder, names = self.do("list", path, lambda: _open(name, parent), gone)
        try:
            for entry in names:
                self.remove(os.path.join(path, entry), folder)
        finally:
            if folder is not None:
                os.close(folder)
        self.do("rmdir", path, lambda: os.rmdir(name, dir_fd=parent))

    def discard(self, path: str) -> None:
        """Remove a path if possible. A later write removes the leftovers."""
        with contextlib.suppress(StoreError):
            self.remove(path)

    def remove_temp(self, folder: str, *, older_than: float | None = None) -> None:
        """Remove the temporary files of interrupted writes from a folder if possible.

        :param older_than: remove only those last modified before this time (seconds since the epoch, by the file
            system's clock); for folders to which other processes may be writing.
        """
        for name in self.names(folder):
            if name.startswith(TEMP_PREFIX):
                path = os.path.join(folder, name)
                if older_than is None or _modified(path) < older_than:
                    self.discard(path)


def _flush(path: str) -> None:
    with closing(os.open(path, _WRITE)) as handle:  # Windows flushes only what is open for writing
        safe_files.flush(handle)


def _modified(path: str) -> float:
    with contextlib.suppress(OSError):
        return os.lstat(path).st_mtime
    return float("inf")


_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_RELATIVE: Final = {os.open, os.stat, os.unlink, os.rmdir} <= os.supports_dir_fd and os.listdir in os.supports_fd
"""False on Windows, where other users cannot rename our folders."""


def _open(name: str, parent: int | None) -> tuple[int | None, list[str]]:
    """Open a folder and return its descriptor (None on Windows) and its entries."""
    if not _RELATIVE:
        return None, os.listdir(name)
    folder = os.open(name, _FOLDER, dir_fd=parent)
    with undone(os.close, folder):
        return folder, os.listdir(folder)
