"""A ledger in a folder: ``ledger.json`` beside the account. No fsync."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from dnsrenew.errors import StoreError
from dnsrenew.store import damage, json_files, texts, zone_locks
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.directories import Directories
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.ledger import WAIT
from dnsrenew.store.ledger.values import SCHEMA, LedgerState

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime

    from dnsrenew.base.runtime.context import Context
    from dnsrenew.store.paths import Paths


class LedgerFile:
    """The file of one ledger; it is read and written as a whole.

    :ivar path: the file.
    """

    def __init__(self, disk: AtomicFiles, paths: Paths, ca: str, directory: str) -> None:
        self._disk = disk
        self._paths = paths
        self._folders = Directories(disk, paths)
        self._folder = paths.account(ca, directory)
        self.path = os.path.join(self._folder, "ledger.json")

    def read(
        self,
        context: Context,
        *,
        read_only: bool,
        keys: Collection[str] | None = None,  # noqa: ARG002  # the file is read as a whole
    ) -> LedgerState | None:
        """Return the ledger; None with a warning if the file must stay as it is."""
        try:
            self._disk.refuse_links(self._paths.root, self.path)
            data = json_files.read(self._disk, self.path)
            return LedgerState() if data is None else LedgerState.from_json(data)
        except DamagedFile as fault:
            if read_only:
                return None
            warning = damage.quarantine(self._disk, self.path, texts.LEDGER_DAMAGED, str(fault))
            context.warn(warning.code, warning.message, warning.fix)
            return LedgerState()
        except NewerSchema as error:
            newer = damage.newer_schema(self.path, error.schema, SCHEMA)
            context.warn(newer.code, newer.message, newer.fix)
        except StoreError as error:
            context.warn(error.code, error.message, error.fix)
        return None

    def change(
        self,
        context: Context,
        change: Callable[[LedgerState, datetime], LedgerState],
        keys: Collection[str] | None = None,  # noqa: ARG002  # the file is read as a whole
    ) -> None:
        """Replace the ledger under its lock.

        :raises StoreError: it cannot be written.
        :raises LockedError: another run holds the lock for too long.
        :raises Cancelled: cancelled.
        """
        with self._lock(context):
            state = self.read(context, read_only=False)
            if state is not None:
                self._write(change(state, context.clock.now()))

    def _lock(self, context: Context) -> AbstractContextManager[None]:
        self._folders.make_base()
        # Not the account's lock: a run holds that one during requests to the CA.
        name = os.path.basename(self._folder)
        return zone_locks.hold(
            self._disk, self._paths.lock(f"ledger-{name}"), f"ledger of {name}", wait=WAIT, context=context
        )

    def _write(self, state: LedgerState) -> None:
        self._disk.ensure_folder(self._folder)
        self._disk.write(self.path, state.to_json(), PRIVATE, sync=False)
        written = self._disk.do("stat", self.path, lambda: os.lstat(self.path).st_mtime)
        self._folders.remove_stale_temp(self._folder, written)  # other processes write the account's files here
