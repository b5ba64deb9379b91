"""The paths of the store and its valid names. It creates the folders and tests whether they are writable."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import stat
from contextlib import AbstractContextManager
from typing import Final

from dnsrenew.base.files import upwards
from dnsrenew.base.path_trust import Ground
from dnsrenew.base.runtime import Context
from dnsrenew.base.safe_files import PublicFiles
from dnsrenew.errors import StoreError
from dnsrenew.store import os_errors, texts, zone_locks
from dnsrenew.store.atomic_io import FOLDER, AtomicFiles
from dnsrenew.store.os_errors import TEMP_PREFIX

FILES: Final = ("cert.pem", "chain.pem", "fullchain.pem", "privkey.pem")
META: Final = "meta.json"
_NAME: Final = re.compile(r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$))[a-z0-9_](?:[a-z0-9._-]{0,62}[a-z0-9_-])?")
_PLAIN: Final = re.compile(r"[a-z0-9_.-]+")
_NOT_READABLE: Final = re.compile(r"[^a-z0-9_-]+")
_LOST_FOUND: Final = "lost+found"
"""The name of this folder in a store that is a separate file system."""
_PROBE: Final = bytes(16 << 10)
"""In bytes.

Before a later run can resume it, a renewal writes six files that together need less than six times this.
"""
_STALE: Final = 3600.0
"""Seconds after which no process can still be writing a temporary file."""


@functools.lru_cache(1 << 17)
def check_name(name: str) -> str:
    """Return the name of a certificate, which becomes the name of a folder. The config has already checked it.

    :raises StoreError: ``store-bad-name``: the name could lead outside the store, or some system does not allow it.
    """
    if not _NAME.fullmatch(name):
        raise StoreError.of(texts.BAD_NAME, name=name)
    return name


def zone_key(zone: str) -> str:
    """Return the name of a DNS zone for use in a lock's name, because DNS allows more characters than file systems."""
    readable = zone.lower().removesuffix(".")
    if len(readable) > 100 or not _PLAIN.fullmatch(readable):
        readable = hashlib.sha256(readable.encode()).hexdigest()[:32]
    return readable


def account_label(ca: str, directory_url: str) -> str:
    """Return a name for the account at a directory URL. The argument ``ca`` only makes it readable."""
    readable = _NOT_READABLE.sub("-", ca.lower()).strip("-")[:40] or "ca"
    return f"{readable}-{hashlib.sha256(directory_url.encode()).hexdigest()[:16]}"


class Paths:
    """The paths of a store, as strings because pathlib is too slow for 10,000 certificates.

    :ivar root: the store's folder, absolute.
    """

    def __init__(self, root: str) -> None:
        try:
            if b"\0" in os.fsencode(root):
                raise ValueError
        except ValueError:
            raise StoreError.of(texts.BAD_PATH, path=repr(root)) from None
        self.root = os.path.abspath(root)
        self.accounts = os.path.join(self.root, "accounts")
        self.certificates = os.path.join(self.root, "certificates")
        self.journal = os.path.join(self.root, "journal")
        self.locks = os.path.join(self.root, "locks")
        self.responses = os.path.join(self.root, "http-01")
        self.fingerprint_key = os.path.join(self.root, "fingerprint.key")
        self.scheduled = os.path.join(self.root, "scheduled.json")
        self.due_index = os.path.join(self.certificates, ".due")
        self.folders = (self.accounts, self.certificates, self.journal, self.locks)
        self._prefix = self.certificates + os.sep

    def certificate(self, name: str) -> str:
        """Return the folder of a certificate.

        :raises StoreError: ``store-bad-name``.
        """
        return self._prefix + check_name(name)

    def state(self, name: str) -> str:
        """Return the path of a certificate's state.json.

        :raises StoreError: ``store-bad-name``.
        """
        return f"{self._prefix}{check_name(name)}{os.sep}state.json"

    def foreign(self, names: list[str]) -> list[str]:
        """Return the names in the store's folder that do not belong to the store."""
        ours = {
            _LOST_FOUND,
            *map(os.path.basename, (*self.folders, self.responses, self.fingerprint_key, self.scheduled)),
        }
        return sorted(name for name in names if name not in ours and not name.startswith(TEMP_PREFIX))

    def valid_names(self, names: list[str]) -> list[str]:
        """Return the given names that a certificate can have."""
        return [name for name in names if _NAME.fullmatch(name)]

    def lock(self, what: str) -> str:
        """Return the file of a lock."""
        return os.path.join(self.locks, f"{what}.lock")

    def account(self, ca: str, directory_url: str) -> str:
        """Return the folder of the account at a directory URL. The argument ``ca`` only makes the name readable."""
        return os.path.join(self.accounts, account_label(ca, directory_url))


# ── folders ─────────────────────────────────────────────────────────────────────────────


class StoreFolder:
    """The folder of a store. It creates its subfolders when they are needed, and makes existing ones private."""

    def __init__(self, disk: AtomicFiles, paths: Paths) -> None:
        self._disk = disk
        self._paths = paths

    def check_ground(self) -> None:
        """See :meth:`dnsrenew.store.Store.check_ground`."""
        if self._disk.insist:
            return
        ground, root = Ground(), self._paths.root
        weakness = ground.weakness(root, any_entry=True)
        if weakness is not None:
            raise os_errors.weak_ground(weakness, root)
        if os.name != "nt":
            self._refuse_shared(ground)
        for folder in self._paths.folders:
            self._disk.refuse_foreign(folder)

    def _refuse_shared(self, ground: Ground) -> None:
        """Refuse a folder that is not private and not only ours, because its mode must not be changed."""
        try:
            info = os.stat(self._paths.root)
        except OSError:  # missing, or an error where it is used
            return
        shared_by_group = info.st_mode & stat.S_IRWXG and not ground.is_own_group(info.st_gid)
        if stat.S_ISDIR(info.st_mode) and (info.st_mode & stat.S_IRWXO or shared_by_group):
            found = self._foreign()
            if found:
                raise os_errors.shared(self._paths.root, info, found[0])

    def _foreign(self) -> list[str]:
        """Return the names in the store's folder that do not belong to the store; empty without permission."""
        try:
            return self._paths.foreign(self._disk.names(self._paths.root))
        except StoreError as error:
            if error.code != "store-unreadable":
                raise
            return []

    def hold_lock(
        self, key: str, what: str, context: Context, wait: float, *, shared: bool = False
    ) -> AbstractContextManager[None]:
        """See :meth:`dnsrenew.store.Store.hold_lock`.

        :param shared: share the lock with others that hold it as shared.
        """
        self.make_base()
        return zone_locks.hold(self._disk, self._paths.lock(key), what, wait=wait, context=context, shared=shared)

    def journal_files(self, *ends: str) -> list[str]:
        """Return the paths in the journal that have one of these suffixes, sorted."""
        names = sorted(self._disk.names(self._paths.journal))
        return [os.path.join(self._paths.journal, name) for name in names if name.endswith(ends)]

    def make_base(self, *, close: bool = True) -> None:
        """Create the store and its folders if they are missing.

        :param close: make an existing folder private; see :meth:`close_root`.
        """
        created = self._make_root(close=close)
        created_parts = [self._disk.ensure_folder(part) for part in self._paths.folders]
        if created or any(created_parts):
            self._disk.sync_folder(self._paths.root)

    def _make_root(self, *, close: bool) -> bool:
        for path in reversed(upwards(os.path.dirname(self._paths.root))):
            if not os.path.lexists(path) and self._disk.ensure_folder(path):
                self._disk.sync_folder(os.path.dirname(path))
        created = self._disk.make_folder(self._paths.root)
        self._restrict_root(created=created, close=close)
        if created:
            self._disk.sync_folder(os.path.dirname(self._paths.root))
        return created

    def close_root(self) -> None:
        """Make the store's own folder private, so that others cannot reach its content, regardless of its modes."""
        if os.path.isdir(self._paths.root):
            self._restrict_root(created=False)

    def _restrict_root(self, *, created: bool, close: bool = True) -> None:
        """Make the store's own folder private if only we use it. Others may need the mode of any other folder."""
        info = self._disk.folder_info(self._paths.root, link=True)
        if info.st_mode & 0o777 != FOLDER and (created or (close and not self._foreign())):
            self._disk.restrict_folder(self._paths.root, info)

    def make_certificate(self, name: str) -> str:
        """Create the folders of a certificate if they are missing, and return the upper one."""
        folder = self._paths.certificate(name)
        self.make_base()
        if self._disk.ensure_folder(folder):
            self._disk.sync_folder(self._paths.certificates)
        self._disk.ensure_folder(os.path.join(folder, "versions"))
        return folder

    def remove_stale_temp(self, folder: str, now: float) -> None:
        """Remove temporary files that are older than an hour. Other processes may be writing newer ones.

        :param now: the time of the file system's clock in seconds, from a file that was just written there.
        """
        self._disk.remove_temp(folder, older_than=now - _STALE)

    def probe(self, name: str | None, *, links: bool) -> None:
        """Write a temporary file to every folder a renewal writes to, and remove it.

        :param links: ``current`` will be a symbolic link, which not every file system supports.
        """
        self.make_base()
        folders = [self._paths.root, self._paths.accounts, self._paths.journal, self._paths.locks]
        if name is not None:
            folder = self.make_certificate(name)
            folders += [folder, os.path.join(folder, "versions")]
            if links and not os.path.lexists(os.path.join(folder, "current")):
                self._disk.probe_link(folder)
        probes: dict[str, float] = {}
        with contextlib.ExitStack() as left:
            for folder in folders:
                path, written = self._disk.probe(folder, _PROBE)
                left.callback(self._disk.discard, path)
                probes[path] = written
            for path, written in probes.items():
                self._disk.remove(path)
                self.remove_stale_temp(os.path.dirname(path), written)


class HttpResponses(PublicFiles):
    """The responses of a store, named by their tokens, in the same layout as in a webroot.

    :param path: their folder in the store, which only its owner can open. A temporary folder is refused, because the
        system may remove it, and another user could create it again and answer for every name.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, (".well-known", "acme-challenge"), own=os.name != "nt")

    def make_folder(self) -> None:
        """Create the folder in the store, when it is needed."""
        with contextlib.suppress(OSError):  # write() reports it
            os.makedirs(self.path, 0o700, exist_ok=True)

    def remove_old(self, before: float) -> None:
        """Remove responses written before a time. One that cannot be removed is harmless.

        :param before: seconds since 1970.
        """
        with contextlib.suppress(OSError), self._opened(self._steps()) as folder:
            for name in folder.names():
                if os.stat(folder.at(name), dir_fd=folder.handle, follow_symlinks=False).st_mtime < before:
                    folder.remove(name)
