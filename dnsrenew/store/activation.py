"""Which version is in force: ``current`` and state.json say so together, and are brought together after a kill."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from dnsrenew.base.values import replace
from dnsrenew.errors import StoreError
from dnsrenew.store import damage
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.paths import Paths
from dnsrenew.store.state import State
from dnsrenew.store.state_files import StateFiles
from dnsrenew.store.versions import Versions


class Activation:
    """Puts versions into force; the caller holds the certificate's lock where something is written.

    :param windows: whether ``current`` is a folder with copies instead of a symbolic link.
    """

    def __init__(
        self,
        disk: AtomicFiles,
        layout: Paths,
        states: StateFiles,
        versions: Callable[[str], Versions],
        *,
        windows: bool,
    ) -> None:
        self._disk = disk
        self._layout = layout
        self._states = states
        self._versions = versions
        self._windows = windows

    def put(self, name: str, number: int, state: State) -> State:
        """Move ``current``, then state.json, which lies ready before: a disk that is full is full before both.

        :raises StoreError: it cannot be written; the old one stands.
        """
        path = self._layout.state(name)
        self._disk.sweep(os.path.dirname(path))
        ready = self._disk.prepare(path, state.to_json(), PRIVATE)
        try:
            if not self._point_current(name, number):
                self._disk.discard(ready)
                state = replace(state, switching=number)
                ready = self._disk.prepare(path, state.to_json(), PRIVATE)
        except BaseException:
            self._disk.discard(ready)
            raise
        self._disk.put(ready, path)
        self._disk.sync_folder(os.path.dirname(path))
        return replace(state, notices=self._states.notices(name))

    def _point_current(self, name: str, number: int) -> bool:
        current = Path(self._layout.certificate(name), "current")
        try:
            aside = self._versions(name).switch_current(number)
        except StoreError as error:
            if not self._windows:
                raise
            # A program has a file of `current` open: the certificate is in force for us, the next run copies it.
            self._states.say(name, damage.current_behind(current, error))
            return False
        if aside is not None:
            self._states.say(name, damage.foreign_current(current, aside))
        return True

    def find_inconsistency(self, name: str, state: State) -> int | None:
        """Return the version that should be in force where not everything says so; None where all is well."""
        versions, number = self._versions(name), state.version
        if state.switching is None and not state.rebuilt:
            if not number:
                return None
            if versions.current_is(number):
                return None if versions.has_parts(number, state.sizes) else number
        # A version that was being copied goes on from there, if it is whole.
        return next((n for n in (state.switching, state.version) if n and versions.is_complete(n)), None)

    def repair(self, name: str) -> None:
        """Put into force what should be.

        :raises StoreError: it cannot be written; it is left to the next run.
        """
        state = self._states.read(name)
        number = self.find_inconsistency(name, state)
        if number is None:  # another run was faster
            return
        if number != state.version:
            meta = self._versions(name).meta(number)
            if meta is None:
                return
            state = state.renewed(number, meta)
        for notice in self._versions(name).repair_parts(number):
            self._states.say(name, notice)
        self.put(name, number, replace(state, switching=None, rebuilt=False))
