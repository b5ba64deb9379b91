"""The versions of a certificate, and ``current``, which other programs read.

A version is prepared aside, made durable file by file, then the folder, and takes its number by a
rename that is made durable too: a folder with a number is always whole. 6 fsyncs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dnsrenew.errors import StoreError
from dnsrenew.model import Certificate, Notice
from dnsrenew.store import damage, os_errors
from dnsrenew.store.atomic_io import PRIVATE, PUBLIC, AtomicFiles
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import FILES, META
from dnsrenew.store.state import Meta, State

KEEP: Final = 3
"""How many versions are kept, the one in force among them."""
_MODES: Final = {
    "privkey.pem": PRIVATE,
    "cert.pem": PUBLIC,
    "chain.pem": PUBLIC,
    "fullchain.pem": PUBLIC,
    META: PRIVATE,
}
"""The files of a version, in the order in which they are written, with their modes."""
_PARTS: Final = ("cert.pem", "chain.pem")
"""The leaf, and the rest of fullchain.pem."""
LOOKED_AT: Final = ("privkey.pem", "fullchain.pem")
"""What other programs read, and every run looks whether it is there."""


class Versions:
    """The folder of one certificate.

    :param windows: ``current`` is a folder with copies, because a symbolic link needs rights that few have there.
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
        """Return the numbers that are taken, rising."""
        names = self._disk.names(self._versions)
        return sorted(int(name) for name in names if name.isascii() and name.isdecimal() and name[0] != "0")

    def is_complete(self, number: int) -> bool:
        """Tell whether every PEM file of a version is there, and holds something (a chain may be of one link).

        :raises StoreError: it may not be looked at.
        """
        paths = {name: os.path.join(self.path(number), name) for name in FILES}
        return self._disk.size(paths.pop("chain.pem")) is not None and all(map(self._disk.size, paths.values()))

    def damaged(self, number: int, sizes: Mapping[str, int]) -> list[tuple[str, str]]:
        """Return the paths of those that are gone or damaged, each with what is wrong with it.

        :raises StoreError: one may not be looked at.
        """
        if not os.path.lexists(folder := self.path(number)):
            return [(folder, "it is gone")]
        paths = {name: os.path.join(folder, name) for name in LOOKED_AT}
        wrong = {path: self._what_is_wrong(path, name, sizes) for name, path in paths.items()}
        return [(path, why) for path, why in wrong.items() if why]

    def _what_is_wrong(self, path: str, name: str, sizes: Mapping[str, int]) -> str:
        size = self._disk.size(path)
        if _is_size_as_written(size, name, sizes):
            return ""
        if size is None:
            return "it cannot be read as a file" if os.path.lexists(path) else "it is gone"
        return f"it has {size} octets instead of {sizes[name]}" if size else "it is empty"

    def has_parts(self, number: int, sizes: Mapping[str, int]) -> bool:
        """Tell whether the parts of the chain together have the size of the whole; two system calls."""
        folder = f"{self._versions}{os.sep}{number}{os.sep}"
        try:
            whole = sizes.get("fullchain.pem") or os.stat(f"{folder}fullchain.pem").st_size
            return os.stat(f"{folder}cert.pem").st_size + os.stat(f"{folder}chain.pem").st_size == whole
        except OSError:
            return False

    def repair_parts(self, number: int) -> list[Notice]:
        """Make the parts of the chain anew from the whole, where they are not what it has; return what is to be said.

        :raises StoreError: they cannot be written.
        """
        from dnsrenew import x509  # slow to load, and hardly ever needed

        whole = self._disk.read(os.path.join(self.path(number), "fullchain.pem")) or b""
        try:
            parts = dict(zip(_PARTS, x509.split_chain(whole.decode("ascii")), strict=True))
        except ValueError:
            return []
        said = []
        for name, pem in parts.items():
            path = os.path.join(self.path(number), name)
            if _is_file(path) and self._disk.read(path) == pem.encode("ascii"):
                continue
            why = "it is not what belongs to the certificate" if os.path.lexists(path) else "it is gone"
            said.append(damage.set_aside(self._disk, path, why, "It is made anew from fullchain.pem."))
            self._disk.write(path, pem.encode("ascii"), PUBLIC)
        return said

    # ── a new version ───────────────────────────────────────────────────────────────────

    def add(self, fullchain_pem: str, key_pem: bytes, meta: Meta, state: State) -> int:
        """Write a version, durably, and return its number: above all that stand and that the state remembers."""
        self._disk.sweep(self._folder)
        self._disk.sweep(self._versions)
        self.prune(state.version)  # on a disk that is nearly full, failed runs must not pile up
        above = max(state.version or 0, state.switching or 0)
        from dnsrenew import x509  # slow to load; whoever has a new certificate has loaded it

        leaf, chain = x509.split_chain(fullchain_pem)
        contents = {
            "cert.pem": leaf.encode("ascii"),
            "chain.pem": chain.encode("ascii"),
            "fullchain.pem": (leaf + chain).encode("ascii"),
            "privkey.pem": key_pem,
            META: meta.to_json(),
        }
        aside = self._disk.new_folder(self._versions)
        try:
            for name, mode in _MODES.items():
                # What meta.json says, state.json says too, and the certificate itself.
                self._disk.create(os.path.join(aside, name), contents[name], mode, sync=name != META)
            self._disk.sync_folder(aside)
            number = max([above, *self.numbers()]) + 1
            self._disk.rename(aside, self.path(number))
        except BaseException:
            self._disk.discard(aside)
            raise
        self._disk.sync_folder(self._versions)
        return number

    def meta(self, number: int) -> Meta | None:
        """Return what is known of a version, by its PEM files where meta.json is damaged; None: it is not whole."""
        if not self.is_complete(number):
            return None
        data = self._disk.read(os.path.join(self.path(number), META))
        try:
            return Meta.from_json(data or b"")
        except (DamagedFile, NewerSchema):
            return self._meta_from_pem(number)

    def certificate(self, name: str, state: State) -> Certificate | None:
        """Return the certificate in force, with paths into its version; None where the state names none."""
        if state.version is None or state.not_before is None or state.not_after is None:
            return None
        folder = Path(self.path(state.version))
        return Certificate(
            name=name,
            domains=state.domains,
            issuer=state.issuer,
            serial=state.serial,
            not_before=state.not_before,
            not_after=state.not_after,
            path=Path(self._current),
            certificate_path=folder / "cert.pem",
            chain_path=folder / "chain.pem",
            fullchain_path=folder / "fullchain.pem",
            private_key_path=folder / "privkey.pem",
        )

    def _meta_from_pem(self, number: int) -> Meta | None:
        from dnsrenew import x509  # slow to load, and hardly ever needed

        try:
            facts = x509.read_certificate(self._disk.read(os.path.join(self.path(number), "cert.pem")) or b"")
            key = x509.key_from_pem(self._disk.read(os.path.join(self.path(number), "privkey.pem")) or b"")
        except ValueError:
            return None
        return Meta(
            issuer=facts.issuer,
            serial=facts.serial,
            not_before=facts.not_before,
            not_after=facts.not_after,
            domains=facts.names,
            identifiers=facts.names,
            key=x509.key_kind(key) or "",
        )

    def prune(self, in_force: int | None) -> None:
        """Remove all versions but the newest :data:`KEEP` and the one in force; close what stood open.

        What cannot be removed stays until the next time: it must not fail a renewal that is done.
        """
        try:
            numbers = self.numbers()
            for number in numbers[:-KEEP]:
                if number != in_force:
                    self._remove(number)
            for number in numbers[-KEEP:]:
                self._close(self.path(number))
        except StoreError:
            return

    def _close(self, folder: str) -> None:
        self._disk.folder(folder)
        for name, mode in _MODES.items():
            self._disk.close(os.path.join(folder, name), mode)

    def _remove(self, number: int) -> None:
        # Under a name of its own first, so that half a version never bears a number.
        aside = self._disk.new_folder(self._versions)
        gone = os.path.join(aside, str(number))
        self._disk.rename(self.path(number), gone)
        self._disk.remove(aside)

    # ── current ─────────────────────────────────────────────────────────────────────────

    def current_is(self, number: int) -> bool:
        """Tell whether ``current`` leads to a version; one system call. Of copies: whether they are there."""
        if self._windows:
            copies = (os.path.join(self._current, name) for name in (*LOOKED_AT, "cert.pem"))
            return not os.path.islink(self._current) and all(self._disk.size(copy) for copy in copies)
        try:
            return os.readlink(self._current) == f"versions/{number}"
        except OSError:
            return False

    def switch_current(self, number: int) -> str | None:
        """Let ``current`` be a version; not yet durable. Return where a foreign thing in its place was put."""
        is_link = os.path.islink(self._current)
        aside = None
        if os.path.lexists(self._current) and is_link == self._windows:
            aside = self._disk.set_aside(self._current)
        if self._windows:
            self._copy_current(number)
        else:
            self._disk.point(self._current, f"versions/{number}")
        return aside

    def _copy_current(self, number: int) -> None:
        self._disk.folder(self._current)
        self._disk.sweep(self._current)
        for name, mode in _MODES.items():
            source = os.path.join(self.path(number), name)
            data = self._disk.read(source)
            if data is None and name != META:
                raise os_errors.raised(os_errors.vanished(source), path=source, errno="ENOENT")
            self._disk.write(os.path.join(self._current, name), data or b"", mode)
        self._disk.sync_folder(self._current)


def is_as_written(disk: AtomicFiles, folder: str, sizes: Mapping[str, int]) -> bool:
    """Tell whether the files of a version that others read have the sizes they were written with; two system calls.

    :raises StoreError: one may not be looked at.
    """
    key, chain = disk.size(f"{folder}privkey.pem"), disk.size(f"{folder}fullchain.pem")
    as_written = key == sizes.get("privkey.pem", key) and chain == sizes.get("fullchain.pem", chain)
    return bool(key and chain and as_written)


def _is_size_as_written(size: int | None, name: str, sizes: Mapping[str, int]) -> bool:
    """Tell whether a file has something in it, and as much as was written, where that is known."""
    return bool(size) and size == sizes.get(name, size)


def _is_file(path: str) -> bool:
    """Tell whether there is a file, and no link to one: none is followed."""
    return os.path.isfile(path) and not os.path.islink(path)
