"""The endpoint of the metrics: its paths, its limits, slow clients, and how often it reads the store."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import CertificateSpec
from dnsrenew.base.small_server import MAX_REQUEST
from dnsrenew.base.values import replace
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.extensions.watch import metrics as endpoint
from dnsrenew.extensions.watch.metrics import MAX_AGE, MetricsServer, MetricsSource, collect
from dnsrenew.store import FolderStore
from tests.kit.cli_stage import failed, outcome
from tests.kit.clock import START, FakeClock
from tests.kit.load import allowed
from tests.kit.stores import SPEC, keep
from tests.kit.watching import ask, config_for, get, parsed, value
from tests.lab import ports

DAY = timedelta(days=1)
SHOP = replace(SPEC, name="shop")
GET = b"GET /healthz HTTP/1.1\r\n"
PATIENCE = 20.0
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")


class EndpointStage:
    """A store with the certificate `home`, and an endpoint on a free port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock(START + 2 * DAY)
        self.store = FolderStore(folder)
        keep(self.store, 1)
        self.source = MetricsSource(config_for(folder, SPEC), self.clock)
        self.servers: list[MetricsServer] = []
        self._ports: list[ports.Port] = []

    def port(self) -> int:
        """Return a port that is free until the stage is closed."""
        self._ports.append(ports.reserve("127.0.0.1"))
        return self._ports[-1].number

    def close(self) -> None:
        """Stop the servers."""
        for one in self.servers:
            one.stop()
        for port in self._ports:
            port.release()

    def start(self, listen: str | None = None, monotonic: Callable[[], float] = time.monotonic) -> str:
        """Start the endpoint; return its address."""
        server = MetricsServer.started(listen or f"127.0.0.1:{self.port()}", self.source, monotonic)
        self.servers.append(server)
        return server.address

    def use(self, *specs: CertificateSpec) -> None:
        """Configure these certificates."""
        self.source.use(config_for(self.folder, *specs))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[EndpointStage]:
    """A stage, closed afterwards."""
    stage = EndpointStage(tmp_path / "state")
    yield stage
    stage.close()


def test_metrics(stage: EndpointStage) -> None:
    """The metrics are those of the store and, after a round, those of the last round."""
    address = stage.start()
    status, text = get(address, "/metrics")
    assert status == 200
    assert value(parsed(text), "certificate_failures", name="home") == 0
    assert value(parsed(text), "last_run_success") is None
    stage.source.round_ended([outcome()])
    samples = parsed(get(address, "/metrics?x=1")[1])
    assert value(samples, "last_run_success") == 1
    assert value(samples, "last_run_timestamp_seconds") == stage.clock.now().timestamp()
    stage.source.round_ended([failed()])
    assert value(parsed(get(address, "/metrics")[1]), "last_run_success") == 0


def test_the_headers_are_those_of_the_format(stage: EndpointStage) -> None:
    """The content type is that of the format. The Server header has no version."""
    head = ask(stage.start(), b"HEAD /metrics HTTP/1.0\r\n\r\n").decode()
    assert "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n" in head
    assert "Server: dnsrenew\r\n" in head
    assert head.endswith("\r\n\r\n")


def test_health(stage: EndpointStage) -> None:
    """The status is 200, or 503 with one line if a certificate is missing or expired, or the last round failed."""
    address = stage.start()
    assert get(address, "/healthz") == (200, "ok\n")
    stage.use(SPEC, SHOP)
    assert get(address, "/healthz") == (503, "missing: shop\n")
    stage.clock.elapsed += 100 * 86400
    assert get(address, "/healthz") == (503, "expired: home; missing: shop\n")
    stage.use(SPEC)
    stage.clock.elapsed -= 100 * 86400
    stage.source.round_ended([failed()])  # the certificate is still valid
    assert get(address, "/healthz") == (200, "ok\n")
    stage.source.round_ended(None)
    assert get(address, "/healthz") == (503, "the last round failed\n")
    stage.source.round_ended([outcome()])
    assert get(address, "/healthz") == (200, "ok\n")


def test_health_of_many_is_one_short_line(stage: EndpointStage) -> None:
    """Ten names are shown, the others are counted."""
    stage.use(*(replace(SPEC, name=f"site{number}") for number in range(25)))
    _, line = get(stage.start(), "/healthz")
    assert line.startswith("missing: site0, site1, ")
    assert line.endswith(" and 15 more\n")


def test_a_store_that_cannot_be_read(stage: EndpointStage) -> None:
    """Both paths answer 503."""
    address = stage.start()
    stage.folder.chmod(0o777)
    assert get(address, "/healthz") == (503, "the store cannot be read (store-not-private)\n")
    assert get(address, "/metrics")[0] == 503


@pytest.mark.parametrize("path", ["/", "/metric", "/metrics/", "/healthz%00", "/../metrics"])
def test_other_paths(stage: EndpointStage, path: str) -> None:
    """Another path gets status 404, without repeating it."""
    assert get(stage.start(), path) == (404, "not found\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"501"),
        (b"GARBAGE\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/9.9.9\r\n\r\n", b"400"),
        (b"GET /" + b"a" * MAX_REQUEST + b" HTTP/1.1\r\n\r\n", b"431"),
        (GET + b"X: " + b"a" * MAX_REQUEST + b"\r\n\r\n", b"431"),
    ],
)
def test_a_bad_request(stage: EndpointStage, request_: bytes, status: bytes) -> None:
    """A bad request gets an error status. One that is too long is not read completely, so its response may be lost."""
    try:
        answer = ask(stage.start(), request_)
    except ConnectionResetError:
        assert len(request_) > MAX_REQUEST
        return
    assert answer.split()[1] == status
    assert answer.endswith(b"bad request\n")


def test_a_slow_client_is_cut_off(stage: EndpointStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit is for the whole request, so single bytes do not extend it. Other clients are served meanwhile."""
    monkeypatch.setattr(MetricsServer.handler, "timeout", 0.3)
    address = stage.start()
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as slow:
        slow.sendall(GET)
        before = time.monotonic()
        assert get(address, "/healthz")[0] == 200
        answer = b"?"
        while answer == b"?" and time.monotonic() - before < 5:
            try:
                slow.sendall(b"X")
                slow.settimeout(0.05)
                answer = slow.recv(100)
            except TimeoutError:
                continue
            except OSError:
                answer = b""
        assert answer == b""
        assert 0.2 < time.monotonic() - before < allowed(3)


@needs_linux
def test_silent_clients_hold_up_no_other(stage: EndpointStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one address holds 100 silent connections, it and others are answered; its oldest connections are closed."""
    monkeypatch.setattr(MetricsServer.handler, "timeout", 2 * PATIENCE)  # no client is given up meanwhile
    address = stage.start()
    host, _, port = address.partition(":")
    with contextlib.ExitStack() as crowd:
        open_one = partial(socket.create_connection, (host, int(port)), PATIENCE)
        early = crowd.enter_context(open_one(source_address=("127.2.0.1", 0)))
        silent = [crowd.enter_context(open_one(source_address=("127.3.0.1", 0))) for _ in range(100)]
        for source in ("127.0.0.1", "127.3.0.2", "127.3.0.1"):
            for path in ("/healthz", "/metrics"):
                assert get(address, path, timeout=PATIENCE, source=source)[0] == 200
        assert all(one.recv(1) == b"" for one in silent[: 100 - MetricsServer.most])
        early.sendall(GET + b"\r\n")  # another network keeps its older connection
        assert early.recv(100).startswith(b"HTTP/1.0 200 ")
    assert get(address, "/healthz")[0] == 200


@needs_linux
def test_clients_that_take_no_answer_hold_up_no_other(stage: EndpointStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client is answered while another address does not take 20 long answers."""
    long = "x" * (8 << 20)
    monkeypatch.setattr(stage.source, "text", lambda: long)
    monkeypatch.setattr(MetricsServer.handler, "timeout", 2 * PATIENCE)  # no client is given up meanwhile
    address = stage.start()
    host, _, port = address.partition(":")
    with contextlib.ExitStack() as crowd:
        for _ in range(20):
            one = crowd.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.bind(("127.3.0.1", 0))
            one.connect((host, int(port)))
            one.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert get(address, "/healthz", timeout=PATIENCE)[0] == 200


def test_the_store_is_read_once_in_some_seconds(stage: EndpointStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Concurrent requests, and those of the next seconds, share one reading. The end of a round makes a new one."""
    readings: list[float] = []

    def counted(*arguments: Any) -> Any:
        readings.append(stage.clock.elapsed)
        time.sleep(0.05)
        return collect(*arguments)

    monkeypatch.setattr(endpoint, "collect", counted)
    address = stage.start()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: get(address, "/metrics")[0], range(8))) == {200}
    stage.clock.elapsed += MAX_AGE - 0.1
    get(address, "/healthz")
    assert len(readings) == 1
    stage.clock.elapsed += 0.2
    get(address, "/healthz")
    assert len(readings) == 2
    stage.source.round_ended([outcome()])  # the end of a round is visible at once
    get(address, "/metrics")
    assert len(readings) == 3


def test_a_round_does_not_wait_for_a_reading(stage: EndpointStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a round does not wait for a hanging reading. A reading from before is not kept."""
    begun, go = threading.Event(), threading.Event()

    def hang(*_: Any) -> Any:
        begun.set()
        go.wait(5)
        raise StoreError("store-unreadable", "No.", fix="Look.")

    monkeypatch.setattr(endpoint, "collect", hang)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(stage.source.read)
        assert begun.wait(5)
        stage.source.round_ended([outcome()])
        stage.use(SPEC, SHOP)
        assert not reading.done()
        go.set()
        assert reading.result()[0].certificates is None
    monkeypatch.undo()
    assert len(stage.source.read()[0].certificates or []) == 2


@pytest.mark.parametrize("listen", ["127.0.0.1:{}", "[::1]:{}", "localhost:{}", ":{}"])
def test_each_form_of_address(stage: EndpointStage, listen: str) -> None:
    """The endpoint listens on IPv4, IPv6, a name, or all addresses."""
    if "[" in listen and not ports.has_ipv6():
        pytest.skip("this machine has no IPv6")
    port = stage.port()
    stage.start(listen.format(port))
    every = ["127.0.0.1", "[::1]"] if ports.has_ipv6() else ["127.0.0.1"]
    hosts = every if listen.startswith(":") else [listen.rpartition(":")[0]]
    for host in hosts:
        assert get(f"{host}:{port}", "/healthz") == (200, "ok\n")


@pytest.mark.parametrize("listen", ["127.0.0.1:{}", ":{}"])
def test_a_taken_port(stage: EndpointStage, listen: str) -> None:
    """The error names the address and the reason."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1" if listen[0] != ":" else "0.0.0.0", 0))
        taken.listen()
        address = listen.format(taken.getsockname()[1])
        with pytest.raises(ConfigError) as caught:
            stage.start(address)
    assert caught.value.code == "metrics-port"
    assert caught.value.evidence["value"] == address
    assert "in use" in caught.value.evidence["cause"]


def test_an_address_of_another_host(stage: EndpointStage) -> None:
    """An address of another host raises ConfigError."""
    with pytest.raises(ConfigError) as caught:
        stage.start("192.0.2.1:9719")
    assert caught.value.code == "metrics-port"


def test_a_stopped_endpoint_frees_its_port(stage: EndpointStage) -> None:
    """The port can be opened again at once after a stop."""
    address = stage.start()
    get(address, "/healthz")
    stage.servers.pop().stop()
    with pytest.raises(OSError, match="refused"):
        get(address, "/healthz")
    stage.start(address)
    assert get(address, "/healthz")[0] == 200
