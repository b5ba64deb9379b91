"""Read and write ``state.json``: the hot path, and the handling of a damaged file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dnsrenew.base.values import replace
from dnsrenew.store import damage, json_files, texts
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.damage_reports import DamageReports
from dnsrenew.store.directories import Directories
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import Paths
from dnsrenew.store.state import SCHEMA, State
from dnsrenew.store.versions import Versions

if TYPE_CHECKING:
    from dnsrenew.base.model import Notice


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
