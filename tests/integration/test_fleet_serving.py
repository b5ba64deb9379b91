"""One context for every name of a fleet: PostgreSQL, and real handshakes over loopback."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from dnsrenew import CertificateSpec, Config, Secret, StoreError
from dnsrenew.base import x509
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.runtime import Context
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.fleet import Fleet
from dnsrenew.extensions.fleet.serving import context as pem_memory
from dnsrenew.extensions.fleet.serving.context import FleetContext
from tests.kit.certificates import issue, issuer
from tests.kit.clock import START
from tests.kit.load import allowed
from tests.kit.postgres import PASSWORD, DatabaseAddress, Postgres, Proxy, postgres  # noqa: F401
from tests.kit.postgres import fleet_address as address  # noqa: F401
from tests.kit.served_fleet import (
    SEALS,
    UNKNOWN,
    FleetInDatabase,
    LoopServer,
    ask,
    client,
    expired,
    served,
    threaded_server,
    until,
)

ISSUED = 2.0
"""Seconds after which a new version has to be served."""
REMOVED = 10.0
"""Seconds after which a removed name must not be served."""


@pytest.fixture
def fleet(address: DatabaseAddress) -> Iterator[FleetInDatabase]:  # noqa: F811
    """An empty fleet."""
    with contextlib.closing(FleetInDatabase(address)) as fleet:
        fleet.initialize()
        yield fleet


def test_each_name_gets_its_certificate(fleet: FleetInDatabase) -> None:
    """An exact name comes before a wildcard. Other spellings of a name get the same certificate; unknown names fail."""
    old, exact = fleet.issue("old", "a.example"), fleet.issue("a", "a.example", "b.example")
    wild = fleet.issue("wild", "*.shop.example", "xn--bcher-kva.example")
    special = fleet.issue("special", "special.shop.example")
    with LoopServer(fleet.context()) as server:
        served(server.port, "a.example", exact)
        names = {"b.example": exact, "A.Example": exact, "one.shop.example": wild, "special.shop.example": special,
                 "bücher.example": wild, "b.example.": exact}  # fmt: skip
        for name, serial in names.items():
            served(server.port, name, serial)
        for unknown in ("shop.example", "x.one.shop.example", "c.example", "localhost", "127.0.0.1", None):
            assert ask(server.port, unknown) == UNKNOWN
    assert old != exact


def test_an_expired_certificate_does_not_hide_a_valid_one(fleet: FleetInDatabase) -> None:
    """A valid certificate is preferred. An expired one is served only if it is the only one for the name."""
    alone = fleet.issue("alone.example", begin=expired())
    fleet.issue("a.shop.example", begin=expired())
    valid = fleet.issue("wild", "*.shop.example")
    with LoopServer(fleet.context()) as server:
        served(server.port, "alone.example", alone)
        served(server.port, "a.shop.example", valid)


def test_a_new_version_is_served_within_two_seconds(fleet: FleetInDatabase) -> None:
    """Every machine serves a new version within two seconds, and no handshake fails meanwhile."""
    first = fleet.issue("a.example")
    with LoopServer(fleet.context()) as one, LoopServer(fleet.context()) as two:
        for server in (one, two):
            served(server.port, "a.example", first)
        second, begin = fleet.issue("a.example"), time.monotonic()
        for server in (one, two):
            while (serial := ask(server.port, "a.example")) != second:
                assert serial == first
        assert time.monotonic() - begin < allowed(ISSUED)


def test_a_notification_may_be_lost(fleet: FleetInDatabase) -> None:
    """New versions and removed names are found in time without a notification."""
    fleet.issue("a.example")
    fleet.issue("b.example")
    with LoopServer(fleet.context()) as server:
        fleet.notifies = False
        second = fleet.issue("a.example")
        assert served(server.port, "a.example", second) < allowed(ISSUED)
        fleet.remove("b.example")
        assert until(lambda: ask(server.port, "b.example") == UNKNOWN, 3 * REMOVED) < allowed(REMOVED + 1)


def test_a_new_name_is_loaded_before_it_is_asked_for(fleet: FleetInDatabase) -> None:
    """A new certificate is loaded in advance, so that its first handshake succeeds."""
    context = fleet.context()
    serial = fleet.issue("a.example")
    until(lambda: context._cache.version("a.example"))
    with LoopServer(context) as server:
        assert ask(server.port, "a.example") == serial


def test_a_removed_name_is_served_no_more(fleet: FleetInDatabase) -> None:
    """After a removal another certificate with the name is served; without one the name gets the alert."""
    other = fleet.issue("other", "a.example", "*.b.example")
    newer = fleet.issue("newer", "a.example", "c.example")
    with LoopServer(fleet.context()) as server:
        served(server.port, "a.example", newer)
        served(server.port, "c.example", newer)
        fleet.remove("newer")
        assert served(server.port, "a.example", other) < allowed(REMOVED)
        assert ask(server.port, "c.example") == UNKNOWN
        fleet.remove("other")
        until(lambda: ask(server.port, "a.example") == UNKNOWN, 3 * REMOVED)


def test_a_name_can_leave_a_certificate(fleet: FleetInDatabase) -> None:
    """A name that a new version lacks gets the alert, and a name that it adds is served."""
    first = fleet.issue("pair", "a.example", "b.example")
    with LoopServer(fleet.context()) as server:
        served(server.port, "b.example", first)
        second = fleet.issue("pair", "a.example", "c.example")
        served(server.port, "c.example", second, ISSUED)
        served(server.port, "a.example", second, ISSUED)
        assert ask(server.port, "b.example") == UNKNOWN


def test_what_is_pushed_out_is_loaded_again(fleet: FleetInDatabase) -> None:
    """If a certificate is not in the cache, an asyncio handshake gets the alert, and a later one the certificate."""
    serials = {f"{number}.example": fleet.issue(f"{number}.example") for number in range(3)}
    context = fleet.context(cache=2)
    with LoopServer(context) as server:
        for _ in range(2):
            for name, serial in serials.items():
                assert ask(server.port, name) == UNKNOWN
                served(server.port, name, serial)
    assert len(context._cache.contexts()) == 2


def test_a_handshake_in_a_thread_waits_for_the_load(fleet: FleetInDatabase) -> None:
    """A handshake in a thread waits for the load of its certificate, so that most of them succeed."""
    serials = {f"{number}.example": fleet.issue(f"{number}.example") for number in range(10)}
    context = fleet.context(cache=1)
    with threaded_server(context) as port:
        got = [ask(port, name) == serial for _ in range(3) for name, serial in serials.items()]
    assert sum(got) > len(got) * 0.8  # a busy machine may take longer than 50 ms for one


def test_a_server_on_asyncio_of_others(fleet: FleetInDatabase) -> None:
    """The context works in aiohttp, which runs its own event loop."""
    serial = fleet.issue("a.example")
    context = fleet.context()

    async def hello(_request: web.BaseRequest) -> web.Response:
        return web.Response(text="hello")

    ready = threading.Event()
    ports: list[int] = []
    ends: list[Callable[[], object]] = []

    async def main() -> None:
        end = asyncio.Event()
        ends.append(partial(asyncio.get_running_loop().call_soon_threadsafe, end.set))
        runner = web.ServerRunner(web.Server(hello))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        ports.append(runner.addresses[0][1])
        ready.set()
        await end.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        assert ready.wait(20)
        until(lambda: page(ports[0], "a.example") == (serial, "hello"))
        assert page(ports[0], "b.example") == (UNKNOWN, "")
    finally:
        ends[0]()
        thread.join(20)


def page(port: int, name: str) -> tuple[str, str]:
    """Ask for a page; return the serial number of the certificate and the text, or the alert."""
    with socket.create_connection(("127.0.0.1", port), 20) as plain:
        try:
            with client().wrap_socket(plain, server_hostname=name) as secure:
                secure.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
                text = b"".join(iter(lambda: secure.recv(65536), b"")).decode()
                der = secure.getpeercert(binary_form=True)
        except ssl.SSLError as error:
            return str(error.reason), ""
    assert der is not None
    return x509.read_certificate(ssl.DER_cert_to_PEM_cert(der)).serial, text.rpartition("\r\n")[2]


# ── the database ────────────────────────────────────────────────────────────────────────


def test_the_database_may_be_gone(fleet: FleetInDatabase, postgres: Postgres) -> None:  # noqa: F811
    """Without the database, known certificates are served. After its return, new versions and removals are found."""
    first = fleet.issue("a.example")
    with LoopServer(fleet.context()) as server:
        served(server.port, "a.example", first)
        with postgres.stopped(kill=True):
            until(fleet.codes)
            for _ in range(20):
                assert ask(server.port, "a.example") == first
        second, third = fleet.issue("a.example"), fleet.issue("b.example")
        served(server.port, "a.example", second, 5 * ISSUED)
        served(server.port, "b.example", third, 5 * ISSUED)
        fleet.remove("b.example")
        until(lambda: ask(server.port, "b.example") == UNKNOWN, 3 * REMOVED)
    assert set(fleet.codes()) == {"serve-database"}


def test_a_removal_during_a_cut_is_found(address: DatabaseAddress) -> None:  # noqa: F811
    """Changes that are made while the connection is cut are found after it is back."""
    with Proxy(address.port) as proxy:
        fleet = FleetInDatabase(address)
        fleet.initialize()
        behind = FleetInDatabase(address.at(proxy.port))
        fleet.issue("a.example"), fleet.issue("b.example")
        with LoopServer(behind.context()) as server:
            proxy.cut(refuse=True)
            until(behind.codes)
            fleet.remove("a.example")
            second = fleet.issue("b.example")
            proxy.flow()
            served(server.port, "b.example", second, 5 * ISSUED)
            until(lambda: ask(server.port, "a.example") == UNKNOWN, 3 * REMOVED)
        behind.close()
        fleet.close()


def test_an_older_database_is_taken_over(fleet: FleetInDatabase) -> None:
    """After the restore of a backup, whose change numbers are lower, only its certificates are served."""
    for number in range(5):
        fleet.issue(f"{number}.example")
    context = fleet.context()
    index = context._index
    with LoopServer(context) as server:
        with fleet._writer.transaction() as transaction:
            transaction.execute("DELETE FROM dnsrenew_certificate WHERE name > '2'")
            transaction.execute("UPDATE dnsrenew_certificate SET version = 1, changed = 1")
            transaction.fetch("SELECT setval('dnsrenew_change', 2)")
        until(lambda: len(index) == 2, REMOVED)
        assert ask(server.port, "4.example") == UNKNOWN


def test_a_hanging_database_holds_up_no_handshake(address: DatabaseAddress) -> None:  # noqa: F811
    """If the database hangs, certificates in memory are served, and other names get the alert without a wait."""
    with Proxy(address.port) as proxy:
        fleet = FleetInDatabase(address.at(proxy.port), patience=1.0)
        fleet.initialize()
        serials = {name: fleet.issue(name) for name in ("a.example", "b.example")}
        with LoopServer(fleet.context(cache=1)) as server:
            served(server.port, "a.example", serials["a.example"])
            proxy.hang()
            begin = time.monotonic()
            for _ in range(20):
                assert ask(server.port, "a.example") == serials["a.example"]
                assert ask(server.port, "b.example") == UNKNOWN
            assert time.monotonic() - begin < allowed(5)
            proxy.flow()
            served(server.port, "b.example", serials["b.example"])
        fleet.close()


def test_without_a_database_there_is_no_context(fleet: FleetInDatabase, postgres: Postgres) -> None:  # noqa: F811
    """Without the database, the call for a context raises StoreError."""
    fleet.issue("a.example")
    fleet.database.close()
    with postgres.stopped(), pytest.raises(StoreError) as raised:
        fleet.context()
    assert raised.value.code == "store-unreachable"


def test_a_pair_that_does_not_fit_changes_nothing(fleet: FleetInDatabase) -> None:
    """If a new version's key does not fit, it is reported and the old version is served, until the next version."""
    first = fleet.issue("a.example")
    with LoopServer(fleet.context()) as server:
        served(server.port, "a.example", first)
        fleet.issue("a.example", key=issue(["a.example"], START)[1])
        until(fleet.codes)
        assert ask(server.port, "a.example") == first
        third = fleet.issue("a.example")
        served(server.port, "a.example", third, ISSUED)
    assert set(fleet.codes()) == {"serve-unusable"}


def test_a_key_of_another_seal_is_said(fleet: FleetInDatabase) -> None:
    """A key that cannot be opened is reported as `serve-unusable`, and its name gets the alert."""
    fleet.issue("a.example")
    fleet.execute("UPDATE dnsrenew_version SET key = substr(key, 1, 20) || '\\x00'::bytea")
    with LoopServer(fleet.context()) as server:
        until(fleet.codes)
        assert ask(server.port, "a.example") == UNKNOWN
    assert set(fleet.codes()) == {"serve-unusable"}


def test_one_damaged_state_hides_no_other_certificate(fleet: FleetInDatabase) -> None:
    """A certificate with a damaged state is served by its wanted names, and so are all others."""
    serials = {name: fleet.issue(name) for name in ("a.example", "b.example", "c.example")}
    fleet.execute("""UPDATE dnsrenew_certificate SET state = '{"not_before": 5}' WHERE name = 'b.example'""")
    fleet.execute("""UPDATE dnsrenew_certificate SET state = '{"identifiers": [1]}' WHERE name = 'c.example'""")
    with LoopServer(fleet.context()) as server:
        for name, serial in serials.items():
            served(server.port, name, serial)


def test_a_certificate_whose_versions_are_removed_is_served_no_more(fleet: FleetInDatabase) -> None:
    """A certificate without a version is not served, although its row stays."""
    serial = fleet.issue("a.example")
    with LoopServer(fleet.context()) as server:
        served(server.port, "a.example", serial)
        fleet.execute("UPDATE dnsrenew_certificate SET version = NULL, changed = nextval('dnsrenew_change')")
        until(lambda: ask(server.port, "a.example") == UNKNOWN, 3 * REMOVED)


# ── settings, and the end ───────────────────────────────────────────────────────────────


def test_settings_hold_for_every_certificate(fleet: FleetInDatabase, tmp_path: Path) -> None:
    """ALPN, TLS version and client certificates apply to certificates loaded before and after the setting."""
    names = ["a.example", "b.example"]
    serials = {name: fleet.issue(name) for name in names}
    context = fleet.context(cache=1)
    trust = tmp_path / "trust.pem"
    trust.write_text(issuer("Stage CA 1").pem)
    with threaded_server(context) as port:
        served(port, "a.example", serials["a.example"])
        context.set_alpn_protocols(["h2"])
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        for name in (*names, *names):
            protocols = client()
            protocols.set_alpn_protocols(["http/1.1", "h2"])

            def connect(name: str = name, protocols: ssl.SSLContext = protocols) -> object:
                with (
                    socket.create_connection(("127.0.0.1", port), 20) as plain,
                    contextlib.suppress(ssl.SSLError),
                    protocols.wrap_socket(plain, server_hostname=name) as secure,
                ):
                    return secure.version(), secure.selected_alpn_protocol()
                return None

            until(lambda connect=connect: connect() == ("TLSv1.2", "h2"))  # type: ignore[misc]
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(trust)
        until(
            lambda: (
                ask(port, "a.example") == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
                or "HANDSHAKE_FAILURE" in ask(port, "a.example")
            )
        )


def test_the_program_may_serve_a_name_itself(fleet: FleetInDatabase, tmp_path: Path) -> None:
    """The program's own callback can serve an unknown name. A name that it does not serve gets the alert."""
    chain, key, facts = issue(["own.example"], START)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem_memory.load_pair(own, chain, key)
    context = fleet.context()

    def choose(connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        if name == "own.example":
            connection.context = own

    context.sni_callback = choose
    with LoopServer(context) as server:
        assert ask(server.port, "own.example") == facts.serial
        assert ask(server.port, "other.example") == UNKNOWN


def test_a_context_that_nobody_has_ends_its_threads(fleet: FleetInDatabase) -> None:
    """A context that is no longer referenced is freed, and its threads end."""
    fleet.issue("a.example")
    before = threading.active_count()

    def serve() -> weakref.ref[ssl.SSLContext]:
        context = fleet.context(on_unknown=lambda _name: False)
        until(lambda: len(context._cache.contexts()) == 1)
        assert threading.active_count() > before
        return weakref.ref(context._cache.contexts()[0])

    def is_freed() -> bool:
        gc.collect()  # the context and its callback refer to each other
        return cached() is None

    cached = serve()
    until(is_freed)
    until(lambda: threading.active_count() <= before)


def test_no_key_touches_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without files in memory, a private file is used. It is removed at once, also after a failure."""
    chain, key, _ = issue(["a.example"], START)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made: list[int] = []
    make = tempfile.mkstemp

    def noted(prefix: str) -> tuple[int, str]:
        handle, path = make(prefix=prefix)
        made.append(os.stat(path).st_mode & 0o777)
        return handle, path

    monkeypatch.setattr(tempfile, "mkstemp", noted)
    monkeypatch.delattr(os, "memfd_create", raising=False)
    pem_memory.load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), chain, key)
    with pytest.raises(ssl.SSLError):
        pem_memory.load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), chain, b"no key")
    assert (made, list(tmp_path.iterdir())) == ([0o600, 0o600], [])


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="there are no files in memory")
def test_a_file_in_memory_needs_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pair is loaded without a temporary folder. No descriptor stays open, also after a failure."""
    chain, key, _ = issue(["a.example"], START)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    before = len(os.listdir("/proc/self/fd"))
    pem_memory.load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), chain, key)
    with pytest.raises(ssl.SSLError):
        pem_memory.load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), chain, b"no key")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_mistake_in_the_call_is_said(fleet: FleetInDatabase) -> None:
    """A wrong `cache` is a ValueError, and a wrong `on_unknown` is a TypeError."""

    async def coroutine(_name: str) -> bool:
        return True

    for size in (0, -1, True, 1.5, "10"):
        with pytest.raises(ValueError, match="cache"):
            fleet.context(cache=size)
    for function in (coroutine, "a.example", True):
        with pytest.raises(TypeError, match="on_unknown"):
            fleet.context(on_unknown=function)


# ── floods ──────────────────────────────────────────────────────────────────────────────


def test_a_flood_of_invented_names(fleet: FleetInDatabase) -> None:
    """A flood of unknown names needs little memory and few statements, and other names are served meanwhile."""
    serial = fleet.issue("a.example")
    asked: list[str] = []

    def refuse(name: str) -> bool:
        asked.append(name)
        return False

    context = fleet.context(on_unknown=refuse)
    with LoopServer(context) as server:
        served(server.port, "a.example", serial)
        before = fleet.database.queries
        code = (
            "import random, sys\nfrom tests.kit.served_fleet import UNKNOWN, ask\n"
            "got = {ask(int(sys.argv[1]), f'{random.getrandbits(64):x}.example') for _ in range(1000)}\n"
            "assert got == {UNKNOWN}, got\n"
        )
        root = Path(__file__).resolve().parents[2]
        flood = subprocess.Popen([sys.executable, "-c", code, str(server.port)], cwd=root)
        while flood.poll() is None:
            assert ask(server.port, "a.example") == serial
        assert flood.returncode == 0
        until(lambda: len(asked) == 1000)
    assert fleet.database.queries - before < 100
    assert context._on_demand is not None
    assert len(context._on_demand._answers) == 1000
    assert len(context._index) == 1
    assert len(context._cache.contexts()) == 1


# ── the real fleet ──────────────────────────────────────────────────────────────────────


def test_what_a_worker_keeps_is_served(address: DatabaseAddress) -> None:  # noqa: F811
    """A certificate in the store is served by ``Fleet``. A name that ``on_unknown`` allows is added to the fleet."""
    tables = FleetInDatabase(address)
    tables.initialize()
    settings: dict[str, Any] = {
        "store": {"url": address.url, "password": Secret(PASSWORD)},
        "contact": "me@example.com",
        "agree_terms": True,
        "dns": {"home": {"provider": "duckdns", "token": "x"}},
        "fleet": {
            "seal": Secret(base64.b64encode(b"s" * 32).decode()),
            "defaults": {"routes": [{"challenge": "dns-01", "dns": "home"}]},
        },
    }
    fleet = Fleet(Config.from_dict(settings))
    store = DatabaseStore(tables.database, SEALS)
    spec = CertificateSpec(name="a", domains=("a.example",), identifiers=("a.example",), ca="lab")

    def keep() -> str:
        pem, key, facts = issue(spec.identifiers, SystemClock().now())
        with store.lock("a", context=Context(), wait=10):
            store.keep(spec, "lab", pem, key, facts, state=store.read_state("a"))
        return facts.serial

    first = keep()
    context = fleet.ssl_context(on_unknown=lambda name: name == "new.example")
    with LoopServer(context) as server:
        served(server.port, "a.example", first)
        served(server.port, "a.example", keep(), ISSUED)
        assert ask(server.port, "new.example") == UNKNOWN
        until(
            lambda: tables.database.fetch("SELECT 1 FROM dnsrenew_certificate WHERE 'new.example' = ANY(identifiers)")
        )
    assert isinstance(context, FleetContext)
    context.close()
    for each in (fleet, store, tables):
        each.close()
