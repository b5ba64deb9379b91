"""Which version is in force: ``current`` and state.json name it; :meth:`Activation.repair` makes them agree."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dnsrenew.base.values import replace
from dnsrenew.errors import StoreError
from dnsrenew.store import damage, json_files, texts
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.damage import DamageReports
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.state import SCHEMA, State

if TYPE_CHECKING:
    from dnsrenew.base.model import Notice
    from dnsrenew.store.directories import Directories
    from dnsrenew.store.paths import Paths
    from dnsrenew.store.versions import Versions


class Activation:
    """Puts versions into force. The caller of a method that writes holds the certificate's lock.

    :param windows: whether ``current`` is a folder with copies instead of a symbolic link.
    """

    def __init__(
        self,
        disk: AtomicFiles,
        paths: Paths,
        states: StateFiles,
        versions: Callable[[str], Versions],
        *,
        windows: bool,
    ) -> None:
        self._disk = disk
        self._paths = paths
        self._states = states
        self._versions = versions
        self._windows = windows

    def activate(self, name: str, number: int, state: State) -> State:
        """Switch ``current``, then state.json, whose new content is on disk before: a full disk stops both.

        :raises StoreError: it cannot be written; the old version stays in force.
        """
        path = self._paths.state(name)
        self._disk.remove_temp(os.path.dirname(path))
        ready = self._disk.write_temp(path, state.to_json(), PRIVATE)
        try:
            if not self._switch_current(name, number):
                self._disk.discard(ready)
                state = replace(state, switching=number)
                ready = self._disk.write_temp(path, state.to_json(), PRIVATE)
        except BaseException:
            self._disk.discard(ready)
            raise
        self._disk.put(ready, path)
        self._disk.sync_folder(os.path.dirname(path))
        return replace(state, notices=self._states.warnings(name))

    def _switch_current(self, name: str, number: int) -> bool:
        current = Path(self._paths.certificate(name), "current")
        try:
            foreign = self._versions(name).switch_current(number)
        except StoreError as error:
            if not self._windows:
                raise
            # A program has a file of `current` open: the version is in force here, the next run copies it.
            self._states.report(name, damage.current_behind(current, error))
            return False
        if foreign is not None:
            self._states.report(name, damage.current_replaced(current, foreign))
        return True

    def find_inconsistency(self, name: str, state: State) -> int | None:
        """Return the version that should be in force but is not everywhere; None if all is consistent."""
        versions, number = self._versions(name), state.version
        if state.switching is None and not state.rebuilt:
            if not number:
                return None
            if versions.current_is(number):
                return None if versions.has_parts(number, state.sizes) else number
        # A copy that was interrupted is continued if its version is complete.
        return next((n for n in (state.switching, state.version) if n and versions.is_complete(n)), None)

    def repair(self, name: str) -> None:
        """Put the version into force that should be.

        :raises StoreError: it cannot be written; the next run tries again.
        """
        state = self._states.read(name)
        number = self.find_inconsistency(name, state)
        if number is None:  # another run has repaired it
            return
        if number != state.version:
            meta, warning = self._versions(name).meta(number, repair=True)
            if meta is None:
                return
            if warning is not None:
                self._states.report(name, warning)
            state = state.renewed(number, meta)
        for warning in self._versions(name).repair_parts(number):
            self._states.report(name, warning)
        self.activate(name, number, replace(state, switching=None, rebuilt=False))


# ── state files ────────────────────────────────────────────────────────────────────────

# Read and write ``state.json``: the hot path, and the handling of a damaged file.


class StateFiles(DamageReports):
    """The states of all certificates and the damage warnings about them."""

    def __init__(
        self, disk: AtomicFiles, paths: Paths, folders: Directories, versions: Callable[[str], Versions]
    ) -> None:
        super().__init__()
        self._disk = disk
        self._paths = paths
        self._folders = folders
        self._versions = versions

    def read(self, name: str, *, quarantine: bool = True) -> State:
        """Return a state; see :meth:`dnsrenew.store.Store.read_state`."""
        path = self._paths.state(name)
        try:
            data = json_files.read(self._disk, path)
            if data is None:
                return self._from_versions(name, repair=quarantine)
            state = State.from_json(data)
        except DamagedFile as fault:
            if not quarantine:
                state = self._from_versions(name, repair=False)
                return replace(state, notices=(*state.notices, damage.pending(path, texts.STATE_DAMAGED, str(fault))))
            self._disk.refuse_links(self._paths.root, path)
            self.report(name, damage.quarantine(self._disk, path, texts.STATE_DAMAGED, str(fault)))
            return self._from_versions(name, repair=True)
        except NewerSchema as error:
            raise damage.newer_schema(path, error.schema, SCHEMA) from None
        return replace(state, notices=self._warnings[name]) if name in self._warnings else state

    def _from_versions(self, name: str, *, repair: bool) -> State:
        versions = self._versions(name)
        pending: list[Notice] = []  # what is not repaired is said by each reader
        for number in reversed(versions.numbers()):
            meta, warning = versions.meta(number, repair=repair)
            if warning is not None and repair:
                self.report(name, warning)
            elif warning is not None:
                pending.append(warning)
            if meta is not None:
                notices = (*self.warnings(name), *pending)
                return replace(State().renewed(number, meta), rebuilt=True, notices=notices)
        return State(notices=self.warnings(name))

    def write(self, name: str, state: State, *, sync: bool = True) -> None:
        """Replace a state.

        :param sync: make it durable; False if a power cut may lose the change.
        """
        folder = self._folders.make_certificate(name)
        self._disk.remove_temp(folder)
        self._disk.write(self._paths.state(name), state.to_json(), PRIVATE, sync=sync)
        if sync:
            self._disk.sync_folder(folder)
