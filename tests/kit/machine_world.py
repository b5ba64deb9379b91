"""A host, its disk, its DNS and two CAs in memory, on one clock, where each of them may break and the host may die.

The program among them is the real one: renewer, renewals, drivers' calls, and the store on a real folder.
"""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast
from unittest import mock

from dnsrenew import renewer as module
from dnsrenew.ca import CAClient
from dnsrenew.challenges.dns01 import Dns01
from dnsrenew.challenges.dns01.leftovers import CleanupResult
from dnsrenew.challenges.http01 import Http01
from dnsrenew.challenges.solver import SolverResources, Solvers
from dnsrenew.config import Config
from dnsrenew.dns import DnsView
from dnsrenew.drivers.provider import OWN_OBJECT, Behaviour, Provider
from dnsrenew.errors import PropagationError, ProviderError
from dnsrenew.model import CertificateSpec, DnsAccount, Outcome, Resolver, TxtRecord
from dnsrenew.renewal.job import Services
from dnsrenew.renewer import Renewer
from dnsrenew.runtime.context import Context
from dnsrenew.store import Store
from dnsrenew.store.atomic_io import AtomicFiles
from dnsrenew.store.zone_locks import ZoneLocks
from dnsrenew.testing import InMemoryDriver
from tests.kit.clock import FakeClock
from tests.kit.machine_ca import FaultyCA
from tests.kit.machine_gate import Gate, Killed, Trouble, locks_of_a_process, threads_at_once
from tests.kit.year_world import CAS, START, MemoryDns

FOREIGN: Final = "somebody-else-wrote-this"
ACCOUNTS: Final = {"many": Behaviour(), "single": Behaviour(values="one")}
"""Two DNS hosts; one of them keeps one value at a name."""


class Host(InMemoryDriver):
    """A DNS host.

    :ivar fate: ``ok``; or it ``refuses`` to write, writes ``half``, is ``down``, does what it is asked and does not
        answer (``lost``), lets nothing be removed (``keeps``), or its servers do not show what it has (``hidden``).
    """

    def __init__(self, gate: Callable[[], Gate], *, one: bool) -> None:
        super().__init__()
        self.fate = "ok"
        self._gate = gate
        self._one = one

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write, as far as it goes."""
        self._gate().around(lambda: self._add(records))

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove, if it may."""
        self._gate().around(lambda: self._remove(records))

    def _add(self, records: Sequence[TxtRecord]) -> None:
        self._refuse("refuses", "down")
        written = records[:1] if self.fate == "half" else records
        if self._one:
            self.values.update({record.name: [record.value] for record in written})
        else:
            super().add(written)
        self._refuse("half", "lost")

    def _remove(self, records: Sequence[TxtRecord]) -> None:
        self._refuse("keeps", "down")
        super().remove(records)
        self._refuse("lost")

    def _refuse(self, *fates: str) -> None:
        if self.fate not in fates:
            return
        if self.fate in {"down", "lost"}:
            raise ConnectionError("nobody answers")
        raise ProviderError("provider-refused", "The host says no.", fix="Ask it why.")


class Dns(MemoryDns):
    """DNS that shows what the hosts have."""

    def __init__(self, world: World) -> None:
        self._world = world

    def wait_visible(
        self, context: Context, records: Sequence[TxtRecord], *, settle: float, timeout: float = 120.0, **_: Any
    ) -> None:
        """Until each value is served, or it has taken too long."""
        context.wait(3 + settle)
        late = [record.name for record in records if record.value not in self.values(context, record.name)]
        if late:
            context.wait(timeout)
            raise PropagationError(
                "propagation-timeout", "Not every server shows it.", fix="Wait.", evidence={"names": late}
            )

    def values(self, context: Context, name: str) -> set[str]:
        """What is served."""
        return self._world.served(name)

    def ttl(self, context: Context, name: str) -> int:
        """How long it may be kept."""
        return 60


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a run.

    :ivar outcomes: None where it was killed, or was no renewal.
    :ivar knows: whether it could write down all that it learnt: it lived, and its disk was well.
    """

    number: int
    started: datetime
    force: bool
    outcomes: list[Outcome] | None
    knows: bool
    acts: int


class World:
    """Everything but the model.

    :ivar config: what is wanted; the accounts that are not used by any certificate are not in it.
    :ivar trouble: of the disk, or None.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock(START)
        self.gate = Gate()
        self.trouble: Trouble | None = None
        self.runs = 0
        self.hosts = {name: Host(lambda: self.gate, one=it.values == "one") for name, it in ACCOUNTS.items()}
        self.cas = {name: FaultyCA(name, self.clock, self._look, lambda: self.gate) for name in CAS}
        self.chance = random.Random(1)
        self._dns = Dns(self)

    def served(self, name: str) -> set[str]:
        """The values that the name servers show."""
        return {value for host in self.hosts.values() if host.fate != "hidden" for value in host.look(name)}

    def _look(self, kind: str, place: str) -> str:
        return " ".join(self.served(place)) if kind == "dns-01" else ""

    def pass_time(self, seconds: float) -> None:
        """Let time pass while nothing runs."""
        self.clock.elapsed += seconds

    # ── a run ───────────────────────────────────────────────────────────────────────────

    def renew(self, specs: Sequence[CertificateSpec], *, force: bool = False, dies_at: int | None = None) -> Ran:
        """Run the program, as a timer does."""
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
        """Run the program; tell whether it lived."""
        self.runs += 1
        self.gate = Gate(dies_at, self.trouble)
        self._started = self.clock.now()
        for ca in self.cas.values():
            ca.run = self.runs
        with (
            mock.patch.object(module, "make_services", self._services),
            locks_of_a_process(),
            contextlib.suppress(Killed),
        ):
            work(_Renewer(self._config(specs), self))
        lived, self.gate.dead = not self.gate.dead, True  # nothing of this run goes on
        return lived

    def renewer(self, specs: Sequence[CertificateSpec]) -> Renewer:
        """Return a renewer that only looks."""
        self.gate = Gate()
        return _Renewer(self._config(specs), self)

    def _config(self, specs: Sequence[CertificateSpec]) -> Config:
        used = {name for spec in specs for route in spec.routes for name in route.dns}
        accounts = {
            name: DnsAccount(f"host-{name}", name=name, driver=self.hosts[name]) for name in ACCOUNTS if name in used
        }
        providers = {
            account.provider: Provider(
                name=account.provider, title=name, driver=OWN_OBJECT, any_options=True, behaviour=ACCOUNTS[name]
            )
            for name, account in accounts.items()
        }
        return Config(
            path=Path("dnsrenew.toml"),  # only where there is a file does an edit end a wait
            store=self.path,
            contact=(),
            agree_terms=True,
            default_ca="letsencrypt",
            cas=CAS,
            accounts=accounts,
            providers=providers,
            resolver=Resolver(),
            certificates=tuple(specs),
        )

    def _services(
        self, config: Config, store: Store, run: Context, *, dry_run: bool = False, wait: float = 0
    ) -> Services:
        """Stand in for ``make_services``."""
        dns = cast("DnsView", self._dns)
        resources = SolverResources(dns, config.accounts, config.providers, ZoneLocks(store, wait), store.journal)
        return Services(
            store,
            dns,
            Solvers({"dns-01": Dns01(resources), "http-01": Http01()}),
            lambda name: cast("CAClient", self.cas[name]),
            lambda name: store.ledger(CAS[name].directory, name, run),
            {name: name for name in CAS},
            lambda: None,
        )


class _Renewer(Renewer):
    """A renewer whose disk and chance are the world's."""

    def __init__(self, config: Config, world: World) -> None:
        super().__init__(config, clock=world.clock)
        self._store = Store(config.store, disk=AtomicFiles(world.gate.disk))
        self._chance = world.chance

    def _context(self, cancel: threading.Event | None) -> Context:
        return replace(super()._context(cancel), random=self._chance)


@contextlib.contextmanager
def world() -> Iterator[World]:
    """Give a world with an empty store. Nothing is forced onto the disk: a power cut is not among what happens."""
    memory = Path("/dev/shm")
    in_memory = memory if memory.is_dir() else None
    with (
        tempfile.TemporaryDirectory(dir=in_memory) as folder,
        mock.patch.object(os, "fsync"),
        threads_at_once(),
    ):
        yield World(Path(folder) / "state")
