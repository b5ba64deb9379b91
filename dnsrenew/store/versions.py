"""The versions of a certificate, and ``current``, which other programs read.

A version is written as a temporary folder: its files are synced, then the folder, which is renamed to its number, and
the rename is synced. So a folder with a number is always complete. This takes 6 fsyncs.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import Final

from dnsrenew.base.files import undone
from dnsrenew.base.model import Notice
from dnsrenew.base.model.spec import split_chain
from dnsrenew.errors import StoreError
from dnsrenew.store import json_files, texts, zone_locks
from dnsrenew.store.atomic_io import PRIVATE, PUBLIC, AtomicFiles
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import FILES, META
from dnsrenew.store.state import SCHEMA, Meta, State, lacks_key

_KEY: Final = "privkey.pem"
KEEP: Final = 3
"""The number of stored versions, including the current one."""
_MODES: Final = {_KEY: PRIVATE, **dict.fromkeys(("cert.pem", "chain.pem", "fullchain.pem"), PUBLIC), META: PRIVATE}
"""The files of a version and their modes, in the order of writing."""
_PARTS: Final = ("cert.pem", "chain.pem")
"""The leaf and the rest of fullchain.pem."""
CHECKED: Final = ("privkey.pem", "fullchain.pem")
"""The files that other programs read; every run checks them."""


class Versions:
    """The versions of one certificate.

    :param windows: ``current`` is a folder with copies, because most users may not create symbolic links there.
    """

    def __init__(self, disk: AtomicFiles, folder: str, *, windows: bool) -> None:
        self._disk = disk
        self._folder = folder
        self._windows = windows
        self._versions = f"{folder}{os.sep}versions"
        self._current = f"{folder}{os.sep}current"

    def path(self, number: int) -> str:
        """Return the folder of a version."""
        return os.path.join(self._versions, str(number))

    def numbers(self) -> list[int]:
        """Return the numbers of the versions, sorted."""
        names = self._disk.names(self._versions)
        return sorted(int(name) for name in names if name.isascii() and name.isdecimal() and name[0] != "0")

    def is_complete(self, number: int) -> bool:
        """Return whether every PEM file of a version exists and is not empty (chain.pem may be).

        :raises StoreError: permission denied.
        """
        sizes = {name: self._disk.size(os.path.join(self.path(number), name)) for name in FILES}
        has_key = sizes.pop(_KEY) or self._has_no_key(number)
        return sizes.pop("chain.pem") is not None and bool(has_key) and all(sizes.values())

    def damaged(self, number: int, sizes: Mapping[str, int]) -> list[tuple[str, str]]:
        """Return the paths that are missing or damaged, each with the reason.

        :raises StoreError: permission denied.
        """
        if not os.path.lexists(folder := self.path(number)):
            return [(folder, "it is missing")]
        paths = {os.path.join(folder, name): name for name in _checked(sizes)}
        reasons = {path: self._damage(path, name, sizes) for path, name in paths.items()}
        return [(path, reason) for path, reason in reasons.items() if reason]

    def _damage(self, path: str, name: str, sizes: Mapping[str, int]) -> str:
        size = self._disk.size(path)
        if _is_size_as_written(size, name, sizes):
            return ""
        if size is None:
            return "it is not a file" if os.path.lexists(path) else "it is missing"
        return f"it has {size} bytes instead of {sizes[name]}" if size else "it is empty"

    def has_parts(self, number: int, sizes: Mapping[str, int]) -> bool:
        """Return whether cert.pem and chain.pem together have the size of fullchain.pem; two system calls."""
        folder = f"{self._versions}{os.sep}{number}{os.sep}"
        try:
            whole = sizes.get("fullchain.pem") or os.stat(f"{folder}fullchain.pem").st_size
            return os.stat(f"{folder}cert.pem").st_size + os.stat(f"{folder}chain.pem").st_size == whole
        except OSError:
            return False

    def repair_parts(self, number: int) -> list[Notice]:
        """Rebuild cert.pem and chain.pem from fullchain.pem if they differ; return the warnings.

        :raises StoreError: the files cannot be written.
        """
        whole = self._disk.read(os.path.join(self.path(number), "fullchain.pem")) or b""
        try:
            parts = dict(zip(_PARTS, split_chain(whole.decode("ascii")), strict=True))
        except ValueError:
            return []
        warnings = []
        for name, pem in parts.items():
            path = os.path.join(self.path(number), name)
            if os.path.isfile(path) and not os.path.islink(path) and self._disk.read(path) == pem.encode("ascii"):
                continue
            reason = "it does not belong to the certificate" if os.path.lexists(path) else "it is missing"
            warnings.append(json_files.quarantine(self._disk, path, texts.CHAIN_DAMAGED, reason))
            self._disk.write(path, pem.encode("ascii"), PUBLIC)
        return warnings

    # ── a new version ───────────────────────────────────────────────────────────────────

    def add(self, fullchain_pem: str, key_pem: bytes, meta: Meta, state: State) -> int:
        """Write a version durably, and return its number, which is above all other versions and the state's."""
        self._disk.remove_temp(self._folder)
        self._disk.remove_temp(self._versions)
        self.prune(state.version)  # failed runs must not fill the disk
        above = max(state.version or 0, state.switching or 0)

        leaf, chain = split_chain(fullchain_pem)
        pems = {"cert.pem": leaf, "chain.pem": chain, "fullchain.pem": leaf + chain}
        contents = {name: pem.encode("ascii") for name, pem in pems.items()} | {_KEY: key_pem, META: meta.to_json()}
        temp = self._disk.new_folder(self._versions)
        with undone(self._disk.discard, temp):
            written = [name for name in _MODES if key_pem or name != _KEY]  # the key of a given request is elsewhere
            # No fsync for meta.json, because state.json and the certificate have the same data.
            self._disk.fill(temp, {name: (contents[name], _MODES[name]) for name in written}, unsynced=META)
            number = max([above, *self.numbers()]) + 1
            self._disk.rename(temp, self.path(number))
        self._disk.sync_folder(self._versions)
        return number

    # ── the record of a version ─────────────────────────────────────────────────────────────

    def meta(self, number: int, *, repair: bool) -> tuple[Meta | None, Notice | None]:
        """Return the data of a version, and a warning if meta.json is damaged; None if the version is incomplete.

        meta.json is used only if its dates and serial number match the certificate.

        :param repair: set a damaged meta.json aside, and create a new one from the certificate.
        """
        if not self.is_complete(number):
            return None, None
        paths = (os.path.join(self.path(number), file) for file in ("fullchain.pem", _KEY))
        chain, key = (self._disk.read(path) or b"" for path in paths)
        found = meta_of(chain, key if key or not self._has_no_key(number) else None)
        if found is None:
            return None, None
        path = self._meta_path(number)
        try:
            return checked_meta(self._read_meta(number), found), None
        except DamagedFile as fault:
            reason = str(fault) if os.path.lexists(path) else "it is missing"
            if repair:
                return found, self._make_meta_anew(path, found, reason)
            return found, json_files.pending(path, texts.META_LOST, reason)
        except NewerSchema as newer:
            return found, Notice(*texts.META_DAMAGED.fill(path=path, reason=str(newer)))

    def _make_meta_anew(self, path: str, found: Meta, reason: str) -> Notice:
        """Set a damaged meta.json aside, and write a new one from the certificate if possible; return the warning."""
        try:
            self._disk.refuse_links(self._disk.root, path)
        except StoreError as error:
            return Notice(*texts.META_LOST.stuck.fill(path=path, reason=reason, cause=error.message))
        warning = json_files.quarantine(self._disk, path, texts.META_LOST, reason)
        if not os.path.lexists(path):
            with contextlib.suppress(StoreError):  # the next run does it
                self._disk.write(path, _without_ca(found), PRIVATE)
        return warning

    def write_meta(self, number: int, meta: Meta) -> None:
        """Replace the data of a version, durably.

        :raises StoreError: the data cannot be written.
        """
        knows_ca = bool(meta.ca) or self.is_by_hand(number)
        self._disk.write(self._meta_path(number), meta.to_json() if knows_ca else _without_ca(meta), PRIVATE)
        self._disk.sync_folder(self.path(number))

    def is_by_hand(self, number: int) -> bool:
        """Return whether meta.json says that the version was installed by hand, that is, has no CA."""
        with contextlib.suppress(DamagedFile, NewerSchema):
            return json_files.load(self._read_meta(number), SCHEMA).get("ca") == ""
        return False

    def recorded(self, number: int) -> Meta | None:
        """Return the data of a version if meta.json can be read, without parsing the certificate."""
        with contextlib.suppress(DamagedFile, NewerSchema):
            return Meta.from_json(self._read_meta(number))
        return None

    def _has_no_key(self, number: int) -> bool:
        """Return whether the key is elsewhere according to meta.json, because of a given request."""
        meta = self.recorded(number)
        return meta is not None and lacks_key(meta.sizes)

    def _read_meta(self, number: int) -> bytes:
        return json_files.read(self._disk, self._meta_path(number)) or b""

    def _meta_path(self, number: int) -> str:
        return os.path.join(self.path(number), META)

    def prune(self, in_force: int | None) -> None:
        """Remove versions, except the newest :data:`KEEP`, the current one and versions that a live process holds.

        The modes of the remaining ones are restricted.

        Errors are ignored, because they must not fail a finished renewal, and the next run tries again.
        """
        try:
            numbers = self.numbers()
            for number in numbers[:-KEEP]:
                if number != in_force and not is_held(self.path(number)):
                    self._remove(number)
            for number in numbers[-KEEP:]:
                self._restrict(self.path(number))
        except StoreError:
            return

    def _restrict(self, folder: str) -> None:
        self._disk.ensure_folder(folder)
        for name, mode in _MODES.items():
            self._disk.restrict(os.path.join(folder, name), mode)

    def _remove(self, number: int) -> None:
        # moved to a temporary folder first, because a folder with a number is always complete
        temp = self._disk.new_folder(self._versions)
        gone = os.path.join(temp, str(number))
        self._disk.rename(self.path(number), gone)
        self._disk.remove(temp)

    # ── current ─────────────────────────────────────────────────────────────────────────

    def current_is(self, number: int) -> bool:
        """Return whether ``current`` points to a version; one system call.

        On Windows, return whether the copies exist.
        """
        if self._windows:
            files = [name for name in (*CHECKED, "cert.pem") if os.path.lexists(os.path.join(self.path(number), name))]
            copies = (os.path.join(self._current, name) for name in files)
            return not os.path.islink(self._current) and all(self._disk.size(copy) for copy in copies)
        try:
            return os.readlink(self._current) == f"versions/{number}"
        except OSError:
            return False

    def switch_current(self, number: int) -> str | None:
        """Switch ``current`` to a version, not durably yet. Return the new path of a foreign ``current``."""
        is_link = os.path.islink(self._current)
        foreign = None
        if os.path.lexists(self._current) and is_link == self._windows:
            foreign = json_files.set_aside(self._disk, self._current)
        if self._windows:
            self._copy_current(number)
        else:
            self._disk.switch_link(self._current, f"versions/{number}")
        return foreign

    def _copy_current(self, number: int) -> None:
        self._disk.ensure_folder(self._current)
        self._disk.remove_temp(self._current)
        for name, mode in _MODES.items():
            source = os.path.join(self.path(number), name)
            data = self._disk.read(source)
            if data is None and name == _KEY and self._has_no_key(number):
                self._disk.discard(os.path.join(self._current, name))  # the file of the version before
                continue
            if data is None and name != META:
                raise StoreError.of(texts.VANISHED, path=source, errno="ENOENT")
            self._disk.write(os.path.join(self._current, name), data or b"", mode)
        self._disk.sync_folder(self._current)


def is_as_written(disk: AtomicFiles, folder: str, sizes: Mapping[str, int]) -> bool:
    """Return whether the files that other programs read have the stored sizes; two system calls.

    :raises StoreError: permission denied.
    """
    return not [name for name in _checked(sizes) if not _is_size_as_written(disk.size(f"{folder}{name}"), name, sizes)]


def _checked(sizes: Mapping[str, int]) -> tuple[str, ...]:
    return CHECKED[1:] if lacks_key(sizes) else CHECKED


def _is_size_as_written(size: int | None, name: str, sizes: Mapping[str, int]) -> bool:
    """Return whether a file is not empty and has the stored size, if the size is known."""
    return bool(size) and size == sizes.get(name, size)


def _without_ca(meta: Meta) -> bytes:
    """Return the data of a version with an unknown CA. An empty name would mean an installation by hand."""
    document = json_files.load(meta.to_json(), SCHEMA)
    del document["ca"]
    return json_files.dump({"schema": SCHEMA, **document})


def checked_meta(data: bytes, found: Meta) -> Meta:
    """Return the stored data of a version.

    :param found: the data in the certificate itself.
    :raises DamagedFile: the data do not match the certificate.
    :raises NewerSchema: a newer dnsrenew wrote the data.
    """
    meta = Meta.from_json(data)
    if _identity(meta) != _identity(found):
        raise DamagedFile("it does not belong to the certificate")
    return meta


def meta_of(fullchain: bytes, key_pem: bytes | None) -> Meta | None:
    """Return the data in a certificate and its key, or None if they are damaged.

    :param key_pem: None if the key is elsewhere.
    """
    from dnsrenew.base import x509  # slow to load, rarely needed

    try:
        facts = x509.read_certificate(fullchain)
        key = None if key_pem is None else x509.key_from_pem(key_pem)
    except ValueError:
        return None
    kind, sizes = ("", {"privkey.pem": 0}) if key is None else (x509.key_kind(key) or "", {})
    return Meta(**facts.dated, domains=facts.names, identifiers=facts.names, key=kind, sizes=sizes)


def _identity(meta: Meta) -> tuple[object, ...]:
    return meta.serial, meta.not_before, meta.not_after


# ── version holds ──────────────────────────────────────────────────────────────────────

# Keeps a version from being pruned while a process uses its paths, by a shared lock on one of its files.
#
# The operating system ends the lock with the process, so no cleanup is needed. On Windows the open file alone
# keeps its folder from being moved.

if sys.platform != "win32":
    import fcntl

_BINARY: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


def hold(folder: str) -> int | None:
    """Hold a version, and return the descriptor that holds it until it is closed; None if it cannot be held.

    :param folder: the folder of the version.
    """
    with contextlib.suppress(OSError):  # it is being removed, or the file system has no locks
        handle = os.open(os.path.join(folder, META), os.O_RDONLY | _BINARY)
        with undone(os.close, handle):
            if sys.platform != "win32":
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return handle
    return None


def is_held(folder: str) -> bool:
    """Return whether a live process holds a version."""
    return sys.platform != "win32" and zone_locks.is_held(os.path.join(folder, META))
