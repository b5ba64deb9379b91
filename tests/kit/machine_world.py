"""A host, its disk, its DNS and two CAs in memory, on one clock; each may break and each run may be killed.

The program is the real one: renewer, renewals, driver calls, and the store on a real folder.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final
from unittest import mock

from dnsrenew.base.model import CertificateSpec, Outcome
from dnsrenew.base.runtime import Context
from dnsrenew.challenges.leftovers import CleanupResult
from dnsrenew.config import Config
from dnsrenew.drivers.provider import Behaviour
from dnsrenew.renewer import Renewer
from dnsrenew.store import FolderStore
from dnsrenew.store.atomic_io import AtomicFiles
from tests.kit.clock import FakeClock
from tests.kit.dns import Host, MemoryDns
from tests.kit.folders import here, quick_folder
from tests.kit.machine_ca import FaultyCA
from tests.kit.machine_gate import Gate, Killed, Trouble, locks_of_a_process
from tests.kit.memory import host_config, in_memory, threads_at_once
from tests.kit.year_world import CAS, START

FOREIGN: Final = "somebody-else-wrote-this"
ACCOUNTS: Final = {"many": Behaviour(), "single": Behaviour(values="one")}
"""Two DNS hosts; one of them holds one value at a name."""


@dataclass(frozen=True, slots=True)
class Ran:
    """The result of a run.

    :ivar outcomes: None if it was killed, or was no renewal.
    :ivar knows: whether it could store everything: it was not killed, and its disk did not fail.
    """

    number: int
    started: datetime
    force: bool
    outcomes: list[Outcome] | None
    knows: bool
    acts: int


class MachineWorld:
    """Everything except the model.

    :ivar config: the certificates and the accounts that they use.
    :ivar trouble: the disk's error, or None.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock(START)
        self.gate = Gate()
        self.trouble: Trouble | None = None
        self.runs = 0
        self.hosts = {
            name: Host(one=behaviour.values == "one", around=self._around) for name, behaviour in ACCOUNTS.items()
        }
        self._dns = MemoryDns(self.hosts, seconds=3.0)
        self.cas = {
            name: FaultyCA(name, ca.directory, self.clock, self._dns.served, lambda: self.gate)
            for name, ca in CAS.items()
        }
        self.chance = random.Random(1)

    def _around(self, call: Callable[[], None]) -> None:
        self.gate.around(call)

    def pass_time(self, seconds: float) -> None:
        """Let time pass without a run."""
        self.clock.elapsed += seconds

    # ── a run ───────────────────────────────────────────────────────────────────────────

    def renew(self, specs: Sequence[CertificateSpec], *, force: bool = False, dies_at: int | None = None) -> Ran:
        """Make a run, as a timer does."""
        renewed: list[Outcome] = []
        lived = self._run(specs, dies_at, lambda renewer: renewed.extend(renewer.renew(force=force, workers=1)))
        started, self._started = self._started, None
        assert started is not None
        return Ran(
            self.runs, started, force, renewed if lived else None, lived and not self.gate.refused, self.gate.acts
        )

    def clean_up(self, specs: Sequence[CertificateSpec], *, dies_at: int | None = None) -> CleanupResult | None:
        """Run ``dnsrenew cleanup``; None: it was killed."""
        swept: list[CleanupResult] = []
        self._run(specs, dies_at, lambda renewer: swept.append(renewer.cleanup()))
        return swept[0] if swept else None

    _started: datetime | None = None

    def _run(self, specs: Sequence[CertificateSpec], dies_at: int | None, work: Callable[[Renewer], None]) -> bool:
        """Make a run; tell whether it was not killed."""
        self.runs += 1
        self.gate = Gate(dies_at, self.trouble)
        self._started = self.clock.now()
        for ca in self.cas.values():
            ca.run = self.runs
        with in_memory(self.cas.values(), self._dns), locks_of_a_process(), contextlib.suppress(Killed):
            work(_Renewer(self._config(specs), self))
        lived, self.gate.dead = not self.gate.dead, True  # nothing of this run continues
        return lived

    def renewer(self, specs: Sequence[CertificateSpec]) -> Renewer:
        """Return a renewer for reading."""
        self.gate = Gate()
        return _Renewer(self._config(specs), self)

    def _config(self, specs: Sequence[CertificateSpec]) -> Config:
        used = {name for spec in specs for route in spec.routes for name in route.dns}
        drivers = {name: host for name, host in self.hosts.items() if name in used}
        # An edit ends a pause only if the configuration has a file.
        return host_config(self.path, specs, drivers, CAS, behaviours=ACCOUNTS, path=Path("dnsrenew.toml"))


class _Renewer(Renewer):
    """A renewer with the disk and the randomness of the world."""

    def __init__(self, config: Config, world: MachineWorld) -> None:
        super().__init__(config, clock=world.clock)
        self._store = FolderStore(here(config.store), disk=AtomicFiles(world.gate.disk))
        self._chance = world.chance

    def _context(self, cancel: threading.Event | None) -> Context:
        return replace(super()._context(cancel), random=self._chance)


@contextlib.contextmanager
def world() -> Iterator[MachineWorld]:
    """Make a world with an empty store. fsync does nothing: a power cut is not one of the faults."""
    with quick_folder() as folder, mock.patch.object(os, "fsync"), threads_at_once():
        yield MachineWorld(folder / "state")
