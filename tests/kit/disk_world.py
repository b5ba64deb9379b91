"""A host with a store, DNS and a CA in memory; whole runs there, and a disk that fails as a test says."""

from __future__ import annotations

import contextlib
import copy
import errno
import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeVar
from unittest import mock

from dnsrenew.base import threads, x509
from dnsrenew.base.events import Event
from dnsrenew.base.model import CA, CertificateSpec, Outcome, Route, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.challenges.leftovers import CleanupResult
from dnsrenew.config import Config
from dnsrenew.renewal import renewal_info
from dnsrenew.renewer import Renewer
from dnsrenew.store import AtomicFiles, FolderStore
from dnsrenew.testing import InMemoryDriver
from dnsrenew.testing.box.order_server import Proof
from dnsrenew.testing.box.resources import AcmeProblem, BoxAccount
from tests.kit.acme_server import UNAUTHORIZED, AcmeServer
from tests.kit.clock import FakeClock
from tests.kit.dns import MemoryDns
from tests.kit.memory import host_config, in_memory

DIRECTORY: Final = "https://acme-v02.api.letsencrypt.org/directory"
"""A CA whose limits the ledger knows, so that the ledger is written too."""
T = TypeVar("T")
Kind = Literal["first", "renewal", "sweep"]

NAME: Final = "_acme-challenge.example.test."
FOREIGN: Final = TxtRecord("example.test.", NAME, "somebody-else-wrote-this", 60)
LEFT: Final = TxtRecord("example.test.", NAME, "a-dead-run-wrote-this", 60)
SPEC: Final = CertificateSpec(
    name="home",
    domains=("example.test", "*.example.test"),
    identifiers=("example.test", "*.example.test"),
    ca="lab",
    routes=(Route("dns-01", dns="home"),),
)
SEASON: Final = timedelta(days=61)
"""After this time a certificate is due."""
CODES: Final = {
    errno.ENOSPC: {"store-full"},
    errno.EIO: {"store-io-error"},
    errno.EROFS: {"store-read-only"},
    errno.EACCES: {"store-not-writable", "store-unreadable", "store-not-private"},
    errno.ENOENT: {"store-vanished", "store-failed"},
}
"""The codes for each error of the operating system."""
READING: Final = {"read", "list", "stat"}
"""These never fail because the disk is full or read-only."""
CHANGING: Final = {
    errno.ENOSPC: {"mkdir", "create", "write", "symlink"},
    errno.EROFS: {"mkdir", "create", "write", "symlink", "chmod", "fsync", "rename", "unlink", "rmdir", "lock"},
}
"""What fails on a disk that stays full, or read-only."""
Tree = dict[str, tuple[int, bytes]]


class Operation(NamedTuple):
    """One disk operation.

    :ivar path: within the store, without the parts that differ in every run.
    """

    what: str
    path: str


Effect = Callable[[int, Operation], object]
"""Called with the number of operations since the fault, and the operation."""


class Fault:
    """Counts the disk operations, and calls a function from one of them on.

    :param at: the number of the operation, from 0; None: no fault.
    :param effect: called from that operation on; it may raise.
    """

    def __init__(self, root: Path, at: int | None = None, effect: Effect | None = None) -> None:
        self._root = str(root)
        self._at = at
        self._effect = effect
        self.seen: list[Operation] = []
        self.on_change: Callable[[str], object] = lambda path: None

    def __call__(self, what: str, path: str) -> None:
        """Record an operation, before it is made."""
        operation = Operation(what, _plain(path.removeprefix(self._root)))
        self.seen.append(operation)
        if what != "read":
            self.on_change(operation.path)
        number = len(self.seen) - 1
        if self._effect is not None and self._at is not None and number >= self._at:
            self._effect(number - self._at, operation)


def refuse(number: int, *, for_good: bool = False) -> Effect:
    """Return an effect: the operating system refuses one operation, or from then on every one that it can refuse."""

    def effect(since: int, operation: Operation) -> None:
        if since == 0 or (for_good and operation.what in CHANGING[number]):
            raise OSError(number, os.strerror(number))

    return effect


def _plain(path: str) -> str:
    return re.sub(r"\.tmp-[0-9-]+", "aside", re.sub(r"-[0-9a-f]{16}\b", "", path)).strip("/")


@dataclass
class Ran:
    """The result of a run.

    :ivar orders: the number of orders of the run.
    """

    outcome: Outcome
    seen: list[Operation]
    orders: int
    events: list[Event]


@dataclass
class DiskWorld:
    """A host with a store, DNS and a CA."""

    path: Path
    spec: CertificateSpec = SPEC
    clock: FakeClock = field(default_factory=FakeClock)
    driver: InMemoryDriver = field(default_factory=InMemoryDriver)
    accounts: dict[str, BoxAccount] = field(default_factory=dict)
    ca: AcmeServer = field(init=False)
    _stored: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.ca = AcmeServer(DIRECTORY, self.clock, self._validate, accounts=self.accounts)
        self.driver.add([FOREIGN])

    def _validate(self, proof: Proof) -> AcmeProblem | None:
        return None if proof.expected in self.driver.look(proof.txt_name) else UNAUTHORIZED

    # ── before a run ────────────────────────────────────────────────────────────────────

    def copied(self, path: Path) -> DiskWorld:
        """Return a copy of this world."""
        if self.path.exists():
            shutil.copytree(self.path, path, symlinks=True)
        other = DiskWorld(path, self.spec, accounts=copy.deepcopy(self.accounts))
        other.clock.elapsed = self.clock.elapsed
        other.ca.take_over(self.ca)
        other.driver.values = {name: list(values) for name, values in self.driver.values.items()}
        return other

    def prepare(self, kind: Kind) -> None:
        """`first`: an empty folder; `renewal`: a due certificate; `sweep`: one not due, and a killed run's value."""
        if kind == "first":
            return
        for _ in range(3):
            self.clock.elapsed += SEASON.total_seconds()
            assert self.run().outcome.status == "renewed"
        if kind == "renewal":
            self.clock.elapsed += SEASON.total_seconds()
        else:
            self.leave_a_value()

    def leave_a_value(self) -> None:
        """Simulate a killed run that has written to DNS."""
        entry = FolderStore(self.path).journal.enter(Context(clock=self.clock), "home", [(LEFT, "home")])
        self.driver.add([LEFT])
        entry.keep()

    # ── a run ───────────────────────────────────────────────────────────────────────────

    def run(self, fault: Fault | None = None) -> Ran:
        """Make a run as a timer does. Threads run one after the other, so that operations have fixed numbers."""
        fault = fault or Fault(self.path)
        events: list[Event] = []
        renewer = self._renewer(fault, events)
        self._stored.clear()
        fault.on_change = self._changed
        before = self.ca.counts["newOrder"]
        with self._in_place():
            (outcome,) = renewer.renew()
        return Ran(outcome, fault.seen, self.ca.counts["newOrder"] - before, events)

    def cleanup(self, fault: Fault) -> CleanupResult:
        """Make a cleanup as a person does."""
        with self._in_place():
            return self._renewer(fault, []).cleanup()

    def _renewer(self, fault: Fault, events: list[Event]) -> Renewer:
        renewer = Renewer(self._config(), on_event=events.append, clock=self.clock)
        renewer._store = FolderStore(self.path, disk=AtomicFiles(fault))
        return renewer

    def _changed(self, path: str) -> None:
        """Delay the CA's renewal information until the certificate is in force, to fix the order of operations."""
        if path == "certificates/home/state.json":
            self._stored.set()

    @contextlib.contextmanager
    def _in_place(self) -> Iterator[None]:
        def at_once(function: Callable[[], T]) -> threads.Task[T]:
            task = threads.Task(function)
            task.run()
            if getattr(function, "func", None) is renewal_info._query:
                task.done = self._stored
            return task

        with in_memory([self.ca], MemoryDns({"home": self.driver})), mock.patch("dnsrenew.base.threads.start", at_once):
            yield

    def _config(self) -> Config:
        cas = {"lab": CA(DIRECTORY, name="lab")}
        return host_config(self.path, [self.spec], {"home": self.driver}, cas)

    # ── after a run ─────────────────────────────────────────────────────────────────────

    @property
    def current(self) -> Path:
        """The folder that other programs read."""
        return self.path / "certificates" / "home" / "current"

    def served(self, current: Path | None = None) -> dict[str, bytes]:
        """The files of `current`, which must be a complete pair; empty if there is none."""
        current = current or self.current
        if not current.exists():
            return {}
        files = {path.name: path.read_bytes() for path in current.iterdir() if path.is_file()}
        assert {"fullchain.pem", "privkey.pem", "cert.pem", "chain.pem"} <= set(files)
        assert files["fullchain.pem"] == files["cert.pem"] + files["chain.pem"]
        x509.check_chain(
            files["fullchain.pem"].decode(),
            x509.key_from_pem(files["privkey.pem"]),
            SPEC.identifiers,
            x509.read_certificate(files["cert.pem"]).not_before,
        )
        return files

    def left(self) -> set[str]:
        """The TXT values in DNS except the foreign one, which must be there."""
        values = self.driver.look(NAME)
        assert FOREIGN.value in values
        return values - {FOREIGN.value}

    def in_journal(self) -> set[str]:
        """The values in the journal, which the next run would remove."""
        pages = (json.loads(path.read_text()) for path in (self.path / "journal").glob("*.json"))
        return {value["value"] for page in pages for value in page["values"]}

    def tree(self) -> Tree:
        """The mode and content of everything in the store."""
        return {
            _plain(str(path.relative_to(self.path))): (path.lstat().st_mode, _content(path))
            for path in self.path.rglob("*")
        }


def _content(path: Path) -> bytes:
    if path.is_symlink():
        return os.fsencode(path.readlink())
    return path.read_bytes() if path.is_file() else b""
