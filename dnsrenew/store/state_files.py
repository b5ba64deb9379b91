"""Reading and writing ``state.json``: the hot path, and what is done about a damaged one."""

from __future__ import annotations

from collections.abc import Callable

from dnsrenew.base.values import replace
from dnsrenew.model import Notice
from dnsrenew.store import damage, json_files
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.directories import Directories
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import Paths
from dnsrenew.store.state import SCHEMA, State
from dnsrenew.store.versions import Versions


class StateFiles:
    """The states of all certificates, and what there is to be said about them."""

    def __init__(
        self, disk: AtomicFiles, layout: Paths, folders: Directories, versions: Callable[[str], Versions]
    ) -> None:
        self._disk = disk
        self._layout = layout
        self._folders = folders
        self._versions = versions
        self._notices: dict[str, tuple[Notice, ...]] = {}

    def read(self, name: str, *, aside: bool = True) -> State:
        """Return a state; see :meth:`dnsrenew.store.Store.read_state`."""
        path = self._layout.state(name)
        try:
            data = json_files.read(self._disk, path)
            if data is None:
                return self._from_versions(name)
            state = State.from_json(data)
        except DamagedFile as fault:
            then = "It is made anew from the certificates in the store."
            if not aside:
                found = self._from_versions(name)
                return replace(found, notices=(*found.notices, damage.damaged(path, str(fault), then)))
            self._disk.inside(self._layout.root, path)
            self.say(name, damage.set_aside(self._disk, path, str(fault), then))
            return self._from_versions(name)
        except NewerSchema as error:
            raise damage.newer_schema(path, error.schema, SCHEMA) from None
        return replace(state, notices=self._notices[name]) if name in self._notices else state

    def _from_versions(self, name: str) -> State:
        versions = self._versions(name)
        for number in reversed(versions.numbers()):
            meta = versions.meta(number)
            if meta is not None:
                return replace(State().renewed(number, meta), rebuilt=True, notices=self.notices(name))
        return State(notices=self.notices(name))

    def write(self, name: str, state: State, *, sync: bool = True) -> None:
        """Replace a state.

        :param sync: durably; False where what is new in it may be lost in a power cut.
        """
        folder = self._folders.make_certificate(name)
        self._disk.sweep(folder)
        self._disk.write(self._layout.state(name), state.to_json(), PRIVATE, sync=sync)
        if sync:
            self._disk.sync_folder(folder)

    def say(self, name: str, notice: Notice) -> None:
        """Keep what a person should know: a run reads a state more than once, and tells of it at the end."""
        said = self._notices.get(name, ())
        if notice not in said:
            self._notices[name] = (*said, notice)

    def notices(self, name: str) -> tuple[Notice, ...]:
        """Return what there is to be said of a certificate."""
        return self._notices.get(name, ())
