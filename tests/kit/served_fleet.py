"""A fleet in a database as servers see it, and servers and clients of it over loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, Self

from dnsrenew import Config, Event
from dnsrenew.base import x509
from dnsrenew.base.clock import SystemClock
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.schema import check, initialize
from dnsrenew.extensions.fleet.database.seal import Seals, place
from dnsrenew.extensions.fleet.serving.context import FleetContext
from dnsrenew.extensions.fleet.serving.server import ssl_context
from dnsrenew.testing.box.order_server import LIFETIME
from tests.kit.certificates import DAY, issue
from tests.kit.postgres import DatabaseAddress

SEALS: Final = Seals([b"s" * 32])
UNKNOWN: Final = "TLSV1_UNRECOGNIZED_NAME"
PATIENCE: Final = 20.0
_CERTIFICATE: Final = """
INSERT INTO dnsrenew_certificate (name, wanted, identifiers, state, version, expires) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (name) DO UPDATE SET state = EXCLUDED.state, version = EXCLUDED.version, expires = EXCLUDED.expires,
  changed = nextval('dnsrenew_change')
"""
_VERSION: Final = "INSERT INTO dnsrenew_version (name, number, chain, key, meta) VALUES (%s, %s, %s, %s, '{}')"
_TOLD: Final = "SELECT pg_notify('dnsrenew_changed', %s)"


class FleetInDatabase:
    """Certificates in the tables, written as a worker writes them; it replaces ``Fleet`` for a server.

    :ivar notifies: whether others are notified of changes.
    :ivar added: the names that were added.
    """

    def __init__(self, address: DatabaseAddress, *, patience: float = 10.0) -> None:
        self.database = Database(address, patience=patience)
        self.seals = SEALS
        self.notifies = True
        self.added: list[str] = []
        self.events: list[Event] = []
        self._writer = Database(address)
        self._versions: dict[str, int] = {}
        self._contexts: list[weakref.ref[FleetContext]] = []

    @property
    def config(self) -> Config:
        """A configuration whose fleet validates names by dns-01."""
        tables: dict[str, Any] = {
            "store": "postgresql://dnsrenew@127.0.0.1/fleet",
            "contact": "me@example.com",
            "agree_terms": True,
            "dns": {"home": {"provider": "duckdns", "token": "x"}},
            "fleet": {"defaults": {"routes": [{"challenge": "dns-01", "dns": "home"}]}},
        }
        return Config.from_dict(tables)

    def check_ground(self) -> None:
        """Check tables and seals."""
        check(self.database, self.seals)

    def initialize(self) -> None:
        """Make the tables."""
        initialize(self._writer, SEALS)

    def add(self, domain: str) -> None:
        """Record that a name was added."""
        self.added.append(domain)

    def context(self, **options: Any) -> FleetContext:
        """Return a context that serves the fleet."""
        store: Any = self
        context = ssl_context(self.config, store, self.add, on_event=self.events.append, **options)
        self._contexts.append(weakref.ref(context))
        return context

    def codes(self) -> list[str]:
        """Return the codes of the warnings."""
        return [event.data["code"] for event in self.events]

    def issue(self, name: str, *domains: str, begin: datetime | None = None, key: bytes | None = None) -> str:
        """Write a new version in force; return its serial number.

        :param key: a key that is not its own.
        """
        begin = begin or SystemClock().now() - timedelta(minutes=1)
        chain, own_key, facts = issue(domains or [name], begin)
        self.write(name, domains or [name], chain, key or own_key, begin)
        return facts.serial

    def write(self, name: str, domains: Sequence[str], chain: str, key: bytes, begin: datetime) -> None:
        """Write a version in force."""
        number = self._versions[name] = self._versions.get(name, 0) + 1
        state = json.dumps({"identifiers": list(domains), "not_before": begin.isoformat()})
        sealed = SEALS.seal(key, place("version", name, number))
        with self._writer.transaction() as transaction:
            transaction.execute(_VERSION, (name, number, chain, sealed))
            row = (name, "{}", list(domains), state, number, begin + LIFETIME)
            transaction.execute(_CERTIFICATE, row)
            self._notify(transaction, name)

    def remove(self, name: str) -> None:
        """Remove a certificate."""
        with self._writer.transaction() as transaction:
            transaction.execute("DELETE FROM dnsrenew_version WHERE name = %s", (name,))
            transaction.execute("DELETE FROM dnsrenew_certificate WHERE name = %s", (name,))
            self._notify(transaction, name)

    def want(self, name: str) -> None:
        """Write a certificate that has no version yet."""
        row = (name, "{}", [name], None, None, None)
        self._writer.execute(_CERTIFICATE, row)

    def execute(self, sql: str) -> int:
        """Execute a statement."""
        return self._writer.execute(sql)

    def close(self) -> None:
        """End the threads behind the contexts, and close the connections."""
        for context in self._contexts:
            if (made := context()) is not None:
                made.close()
        self.database.close()
        self._writer.close()

    def _notify(self, transaction: Any, name: str) -> None:
        if self.notifies:
            transaction.fetch(_TOLD, (name,))


# ── servers ─────────────────────────────────────────────────────────────────────────────


class LoopServer:
    """A TLS server on an event loop, in a thread.

    :ivar lag: the longest time for which the loop did not turn, in seconds.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.port = 0
        self.lag = 0.0
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        self._loop.set_exception_handler(lambda *_: None)  # a client that was refused is no news
        self._task = self._loop.create_task(self._serve())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(_greet, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        async with server:
            while True:
                before = time.monotonic()
                await asyncio.sleep(0.01)
                self.lag = max(self.lag, time.monotonic() - before - 0.01)


async def _greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"x")
    with contextlib.suppress(OSError):
        await writer.drain()
        writer.close()


@contextmanager
def threaded_server(context: ssl.SSLContext) -> Iterator[int]:
    """Serve in a thread for each connection; yield the port."""

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, context.wrap_socket(connection, server_side=True) as secure:
            secure.sendall(b"x")

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


# ── clients ─────────────────────────────────────────────────────────────────────────────


def client(**settings: Any) -> ssl.SSLContext:
    """Return a client that trusts every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, value in settings.items():
        setattr(context, name, value)
    return context


_CLIENT: Final = client()


def ask(port: int, name: str | None, context: ssl.SSLContext = _CLIENT, *, source: str = "127.0.0.1") -> str:
    """Make a handshake; return the serial number of the certificate, or the alert.

    :param source: the address that it comes from.
    """
    with socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0)) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name) as secure:
                der = secure.getpeercert(binary_form=True)
                assert secure.recv(1) == b"x"
        except ssl.SSLError as error:
            return str(error.reason)
    assert der is not None
    return x509.read_certificate(ssl.DER_cert_to_PEM_cert(der)).serial


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> float:
    """Wait until a condition is true; return the seconds that it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() < begin + seconds
        time.sleep(0.01)
    return time.monotonic() - begin


def served(port: int, name: str, serial: str, seconds: float = PATIENCE) -> float:
    """Wait until a certificate is served for a name; return the seconds that it took."""
    return until(lambda: ask(port, name) == serial, seconds)


def expired() -> datetime:
    """Return the begin of the validity of a certificate that has expired."""
    return SystemClock().now() - LIFETIME - DAY
