"""Machines of a fleet with a real PostgreSQL, and a CA and a DNS host in memory that count what they are sent.

The workers are those of the program, without the queue. Everything that a job does with others passes a
:class:`.Watch`: each statement, each request to the CA, each call of the DNS host, each event. At one of these points
a test lets something happen: the machine dies, or its database does.

A machine that dies runs no ``finally``: from then on nothing of it passes, and its connections are cut without a
farewell. Threads run where they are started, so that the n-th point is always the same. :mod:`.fleet_killed` kills
real processes.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, TypeVar, cast
from unittest import mock

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from dnsrenew.base import threads
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.http import Response as HttpResponse
from dnsrenew.base.model import CertificateSpec, Outcome, Route
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.config.extension_tables import FleetSettings
from dnsrenew.drivers.provider import Behaviour
from dnsrenew.extensions.fleet.certificate_job import CertificateJobs, SharedServices, WorkerRun
from dnsrenew.extensions.fleet.database import connection as new_connection
from dnsrenew.extensions.fleet.database import locks as lock_connection
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.ledger import SharedBuckets
from dnsrenew.extensions.fleet.database.schema import initialize
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.extensions.fleet.database.served_certificates import DueDates
from dnsrenew.extensions.fleet.database.server import DatabaseClock
from dnsrenew.renewal.batch import Batch, LazyServices
from dnsrenew.renewal.due import RunOptions, fingerprint
from dnsrenew.renewal.services import make_services
from dnsrenew.store.journal import LATEST
from dnsrenew.testing.box.order_server import Proof
from dnsrenew.testing.box.resources import AcmeProblem
from tests.kit.acme_server import UNAUTHORIZED, AcmeServer, Limits
from tests.kit.dns import Host, MemoryDns
from tests.kit.fleet_watch import Watch, WatchedDatabase
from tests.kit.memory import host_config, in_memory, threads_at_once
from tests.kit.postgres import DatabaseAddress, Postgres, Proxy
from tests.kit.year_world import CAS

T = TypeVar("T")

CA: Final = "le"
NAME: Final = "_acme-challenge.home.test."
FOREIGN: Final = "somebody-else-wrote-this"
SEALS: Final = Seals([b"s" * 32])
SHORT: Final = 0.1
"""The patience of a machine while its network hangs."""
_SOON: Final = 30.0
_LONGEST_WAIT: Final = 0.01
_TABLES: Final = """
SELECT string_agg(tablename, ', ') FROM pg_tables
WHERE tablename LIKE 'dnsrenew\\_%' AND tablename <> 'dnsrenew_schema'
"""
_AGE: Final = """
UPDATE dnsrenew_journal
SET page = jsonb_set(
  page, '{since}', to_jsonb(to_char((page->>'since')::timestamptz - %s, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
)
WHERE holder IS NULL OR holder NOT IN (SELECT id FROM dnsrenew_alive)
"""


class CountingCA(AcmeServer):
    """The CA, which passes each request to the watch of the machine that sends it."""

    def __init__(self, world: FleetWorld) -> None:
        self.count = Limits()
        super().__init__(CAS[CA].directory, SystemClock(), world.validate, name=CA, limits=self.count)
        self._world = world

    def request(self, method: str, url: str, **more: Any) -> HttpResponse:
        """Answer a request."""
        path = url.removeprefix(self.base).strip("/").split("/")[0]
        kind = "directory" if url == self.directory else path
        return self._world.watch.request(
            f"CA: {kind}", "answered", lambda: super(CountingCA, self).request(method, url, **more)
        )


class Machine:
    """One machine of the fleet: connections, locks and services of its own.

    :ivar events: its events.
    :ivar outcomes: of its jobs.
    """

    def __init__(self, world: FleetWorld, watch: Watch) -> None:
        self.world = world
        self.watch = watch
        self.events: list[Event] = []
        self.outcomes: list[Outcome] = []
        self.database = WatchedDatabase(world.address.at(world.proxy.port), watch)
        self.store = DatabaseStore(self.database, SEALS, worker=True)
        self._services = SharedServices(self._new_run, self.database.clock.monotonic)
        dates = DueDates(self.database)
        self._jobs = CertificateJobs(self.store, dates, self._services, lambda _: None, self._ended)  # nothing is owed

    def _new_run(self) -> WorkerRun:
        """Return the shared objects of a worker's jobs: see :mod:`dnsrenew.extensions.fleet.worker`."""
        config, clock = self.world.config(), self.database.clock
        context = Context(clock=clock, emitter=Emitter(clock, self._hear), buckets=SharedBuckets(self.database))
        services = LazyServices(partial(make_services, config, self.store, context))
        options = RunOptions(fingerprint=partial(fingerprint, config, self.store))
        return WorkerRun(config, config.fleet.documents, context, services, options)

    def _ended(self, _: CertificateSpec | None, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        self.watch.pass_by(f"event {event.kind}")

    def work(self) -> None:
        """Do one job as the queue does; its exceptions are raised."""
        self.world.watch = self.watch
        self.store.check_ground()
        with self._services.use() as run:
            Batch(run.config, self.store, run.services.get, run.context, run.options).clean_up()
        self._jobs.do("home", 0, threading.Event())

    @property
    def holds_a_lock(self) -> bool:
        """Whether the machine holds a lock, or has not noticed its loss."""
        return bool(self.store.locks._held)

    def die(self) -> None:
        """Die: no further action passes, and the kernel closes the connections."""
        self.watch.is_dead = True
        for connection in self.database.opened:
            if not connection.closed:
                with socket.socket(fileno=connection.fileno()) as dead:
                    dead.shutdown(socket.SHUT_RDWR)
                    dead.detach()
        if (locks := self.store.locks._connection) is not None:
            locks._end.set()  # the thread of the heartbeat

    def be_impatient(self) -> None:
        """Set a short patience from now on, so that the test does not wait ten seconds."""
        self.database.patience = SHORT
        for connection in self.database.opened:
            connection.patience = SHORT

    def be_patient(self) -> None:
        """Restore the patience of a worker."""
        self.database.patience = 10.0

    def close(self) -> None:
        """Close all connections."""
        if not self.watch.is_dead:
            self.store.close()
        for connection in self.database.opened:
            connection.pgconn.finish()


class FleetWorld:
    """A fleet that wants one certificate.

    :ivar host: the DNS host.
    :ivar proxy: between the machines and the database.
    :ivar watch: of the machine that is at work.
    :ivar key: the kind of key that is wanted.
    """

    def __init__(self, postgres: Postgres, address: DatabaseAddress, proxy: Proxy, *, one: bool = False) -> None:
        self.postgres = postgres
        self.address = address
        self.proxy = proxy
        self.watch = Watch()
        self.key = "ecdsa-p256"
        self.host = Host(one=one, around=lambda call: call())
        self._behaviour = Behaviour(values="one") if one else Behaviour()
        self.host.add, self.host.remove = (  # type: ignore[method-assign]
            self._counted("add", self.host.add),
            self._counted("remove", self.host.remove),
        )
        if not one:
            self.host.values[NAME] = [FOREIGN]
        self.ca = CountingCA(self)
        self.dns = MemoryDns({"home": self.host})
        self.observer = Database(address)
        self.store = DatabaseStore(self.observer, SEALS)

    def _counted(self, what: str, call: Callable[..., None]) -> Callable[..., None]:
        return lambda records: self.watch.request(f"DNS host: {what}", "done", lambda: call(records))

    def validate(self, proof: Proof) -> AcmeProblem | None:
        """Validate the published values."""
        return None if proof.expected in self.host.look(proof.txt_name) else UNAUTHORIZED

    def config(self) -> Any:
        """The configuration of each machine."""
        plain_config = host_config(
            cast("Any", None), (), {"home": self.host}, CAS, behaviours={"home": self._behaviour}
        )
        documents: Any = SimpleNamespace(lacks=lambda _: (), spec=lambda *_: self.spec())
        address: Any = self.address
        return replace(plain_config, store=address, fleet=FleetSettings(documents=documents))

    def spec(self) -> CertificateSpec:
        """The wanted certificate."""
        key: Any = self.key
        routes = (Route("dns-01", dns=("home",), ca=CA),)
        return CertificateSpec(
            name="home", domains=("home.test",), identifiers=("home.test",), ca=CA, key=key, routes=routes
        )

    # ── what the tables have ────────────────────────────────────────────────────────────

    def want(self) -> None:
        """Want the certificate; nothing is stored."""
        self.observer.execute(
            "INSERT INTO dnsrenew_certificate (name, wanted) VALUES ('home', jsonb_build_object('name', 'home'))"
        )

    def issue_first(self) -> None:
        """Obtain a first certificate; then want another type of key, so that it is due."""
        with self.machine() as first:
            first.work()
        assert [outcome.status for outcome in first.outcomes] == ["renewed"], first.outcomes
        self.key = "ecdsa-p384"
        self.observer.execute("UPDATE dnsrenew_certificate SET due = now()")
        self.ca.counts.clear()

    @contextlib.contextmanager
    def machine(self, watch: Watch | None = None) -> Iterator[Machine]:
        """Run a machine during the block."""
        machine = Machine(self, watch or Watch())
        try:
            yield machine
        finally:
            machine.close()

    @property
    def orders(self) -> int:
        """The number of orders."""
        return self.ca.counts["newOrder"]

    @property
    def ours(self) -> set[str]:
        """Our TXT values."""
        return self.host.look(NAME) - {FOREIGN}

    def journal(self) -> int:
        """The number of entries of the journal."""
        return int((self.observer.one("SELECT count(*) FROM dnsrenew_journal") or (0,))[0])

    def version(self) -> int | None:
        """The number of the version in force, which is checked to be whole."""
        state = self.store.read_state("home")
        if state.version is not None:
            certificate = self.store.certificate("home", state)
            assert certificate is not None
            assert self.store.is_whole("home", state)
            key = load_pem_private_key(certificate.private_key_pem.encode(), None)
            leaf = x509.load_pem_x509_certificate(certificate.fullchain_pem.encode())
            assert leaf.public_key() == key.public_key()
        return state.version

    def wait_until_ended(self, machine: Machine) -> None:
        """Wait until the server has ended the sessions that a machine has lost."""
        lost = {
            pid for connection, pid in machine.database.opened.items() if connection.closed or machine.watch.is_dead
        }
        wait_until(lambda: not self.observer.fetch("SELECT 1 FROM pg_stat_activity WHERE pid = ANY(%s)", (list(lost),)))

    def let_ten_minutes_pass(self) -> None:
        """Let the time pass in which a host may still make a requested change."""
        age_journal(self.observer)


def age_journal(database: Database) -> None:
    """Make the entries of the journal of dead machines ten minutes older."""
    database.execute(_AGE, (LATEST,))


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until a condition is true."""
    end = time.monotonic() + _SOON
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


class FleetWorlds:
    """Worlds one after the other in one database."""

    def __init__(self, postgres: Postgres, address: DatabaseAddress) -> None:
        self._postgres = postgres
        self._address = address
        with contextlib.closing(Database(address)) as database:
            initialize(database, SEALS)
            self._tables = (database.one(_TABLES) or ("",))[0]

    @contextlib.contextmanager
    def world(self, *, one: bool = False) -> Iterator[FleetWorld]:
        """Make a world with empty tables."""
        with Proxy(self._address.port) as proxy:
            world = FleetWorld(self._postgres, self._address, proxy, one=one)
            try:
                world.observer.execute(f"TRUNCATE {self._tables} RESTART IDENTITY")
                world.want()
                with in_memory([world.ca], world.dns), machines_at_once():
                    yield world
            finally:
                world.store.close()


@contextlib.contextmanager
def machines_at_once() -> Iterator[None]:
    """Run the work of threads where they are started, except connecting, which has a time limit; shorten waits."""
    real, ahead = SimpleNamespace(start=threads.start), [0.0]

    def wait(_: DatabaseClock, seconds: float, event: threading.Event) -> bool:
        part = min(max(seconds, 0.0), _LONGEST_WAIT)
        ahead[0] += max(seconds - part, 0.0)
        return event.wait(part)

    def monotonic(_: DatabaseClock) -> float:
        return time.monotonic() + ahead[0]

    with (
        mock.patch.object(DatabaseClock, "wait", wait),
        mock.patch.object(DatabaseClock, "monotonic", monotonic),
        mock.patch.object(new_connection, "threads", real),
        threads_at_once(),
    ):
        yield


@contextlib.contextmanager
def suspended() -> Iterator[Callable[[float], None]]:
    """Yield a function that lets time pass for the locks, as while a host is suspended."""
    real, ahead = lock_connection._seconds, [0.0]

    def pass_time(seconds: float) -> None:
        ahead[0] += seconds

    def seconds() -> float:
        return real() + ahead[0]

    with mock.patch.object(lock_connection, "_seconds", seconds):
        yield pass_time
