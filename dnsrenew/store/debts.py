"""Programs ``after`` that are owed: written down before ``before`` stops a server, and forgotten once it runs again.

Each is a file ``journal/<number>.after``, so that a run sees with the one look at the journal whether a killed run owes
any. A run holds the lock ``ports`` as long as it uses a port: while that is held, what is written down is not owed yet.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import rfc3339
from dnsrenew.errors import StoreError
from dnsrenew.store import json_files, texts, zone_locks
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.directories import Directories
from dnsrenew.store.interfaces import Debt
from dnsrenew.store.json_files import DamagedFile, NewerSchema

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.base.runtime.context import Context
    from dnsrenew.store.paths import Paths

DEBT: Final = ".after"
_SCHEMA: Final = 1


class DebtFiles:
    """The ``Debts`` of a folder.

    :param disk: the disk operations.
    :param paths: the paths of the store.
    """

    def __init__(self, disk: AtomicFiles, paths: Paths) -> None:
        self._disk = disk
        self._folders = Directories(disk, paths)
        self._folder = paths.journal
        self._lock = paths.lock("ports")

    def using_port(self, context: Context, wait: float) -> AbstractContextManager[None]:
        """See :meth:`Debts.using_port`."""
        self._folders.make_base()
        return zone_locks.hold(self._disk, self._lock, texts.PORTS_LOCK.format(), wait=wait, context=context)

    def note(self, context: Context, program: Sequence[str]) -> None:
        """See :meth:`Debts.note`. 2 fsyncs."""
        debt = {
            "schema": _SCHEMA,
            "certificate": context.certificate or "",
            "since": rfc3339(context.clock.now()),
            "program": list(program),
        }
        self._disk.write(self._path(program), json_files.dump(debt), PRIVATE)
        self._disk.sync_folder(self._folder)

    def forget(self, program: Sequence[str]) -> None:
        """See :meth:`Debts.forget`. After a power cut the server starts anew, so no fsync."""
        self._disk.discard(self._path(program))

    def owed(self) -> list[Debt]:
        """See :meth:`Debts.owed`."""
        with contextlib.suppress(StoreError):
            names = sorted(name for name in self._disk.names(self._folder) if name.endswith(DEBT))
            if names and not zone_locks.is_held(self._lock):
                return self.written_down(names)
        return []

    def written_down(self, names: Sequence[str] | None = None) -> list[Debt]:
        """See :meth:`Debts.written_down`.

        :param names: the files; None: all of the journal.
        """
        found = [name for name in self._disk.names(self._folder) if name.endswith(DEBT)] if names is None else names
        debts = (self._read(os.path.join(self._folder, name)) for name in sorted(found))
        return [debt for debt in debts if debt is not None]

    def _read(self, path: str) -> Debt | None:
        """Return a debt; None: it is gone, damaged, or of a newer dnsrenew."""
        try:
            data = json_files.read(self._disk, path)
            document = {} if data is None else json_files.load(data, _SCHEMA)
            program = json_files.strings(document.get("program"))
            certificate, since = (json_files.string(document.get(name)) for name in ("certificate", "since"))
        except (DamagedFile, NewerSchema, StoreError):
            return None
        return Debt(certificate, since, program) if program else None

    def _path(self, program: Sequence[str]) -> str:
        number = hashlib.sha256("\0".join(program).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return os.path.join(self._folder, f"{number}{DEBT}")
