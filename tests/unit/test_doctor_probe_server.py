"""The helper as a server: it probes only the client's address, at two ports, within limits."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from dnsrenew.base import threads
from dnsrenew.base.host_port import join
from dnsrenew.base.runtime import Context
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.doctor.router import probe_server
from dnsrenew.extensions.doctor.router.outside import PortSeen
from dnsrenew.extensions.doctor.router.probe_server import ProbeServer, check_port, serve
from tests.kit.api_server import Api
from tests.kit.clock import FakeClock
from tests.lab import ports

LONG_HEAD = b"HTTP/1.1 200 OK\r\nServer: nginx\r\n" + b"A: " * 20_000 + (b"\r\nB: " + b"b" * 60_000) * 3 + b"\r\n\r\n"


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port that is not in use."""
    with ports.reserve("127.0.0.1") as port:
        yield port.number


@contextmanager
def serving(listen: str, clock: FakeClock | None = None) -> Iterator[None]:
    """Run the helper."""
    context = Context(clock=clock or FakeClock())
    ready = threading.Event()
    task = threads.start(lambda: serve(context, listen, lambda _: ready.set()))
    assert ready.wait(10)
    try:
        yield
    finally:
        context.cancel.set()
        assert task.done.wait(10)
        task.result()


def get(address: str, path: str = "/", **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and answer of a request."""
    request = urllib.request.Request(f"http://{address}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310  # HTTP, as above
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str]]:
    """The recorded probes of the helper."""
    found: list[tuple[str, int, str]] = []

    def instead(address: str, port: int, token: str) -> PortSeen:
        found.append((address, port, token))
        return PortSeen(address, open=True, answer="x")

    monkeypatch.setattr(probe_server, "check_port", instead)
    return found


def test_it_checks_the_address_that_asks(free_port: int, checked: list[tuple[str, int, str]]) -> None:
    """The client's address is probed over IPv4 and IPv6. An address in the request is ignored."""
    with serving(f":{free_port}"):
        for host in ("127.0.0.1", "::1"):
            address = join(host, free_port)
            status, value = get(address, "/any?port=443&token=a-B_9&address=192.0.2.1")
            assert (status, value["address"], value["port"], value["open"]) == (200, host, 443, True)
            assert get(address) == (200, {"version": 1, "address": host})
    assert checked == [("127.0.0.1", 443, "a-B_9"), ("::1", 443, "a-B_9")]


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("port=22&token=a", {}),
        ("port=80", {}),
        ("port=80&token=a/b", {}),
        ("port=80&token=" + "a" * 61, {}),
        ("port=%0d80&token=a", {}),
        ("port=80&token=a", {"X-Forwarded-For": "192.0.2.1"}),
        ("port=80&token=a", {"Forwarded": "for=192.0.2.1"}),
    ],
)
def test_what_it_refuses(
    free_port: int, checked: list[tuple[str, int, str]], query: str, headers: dict[str, str]
) -> None:
    """Other ports, other tokens and requests through a proxy are refused."""
    with serving(f"127.0.0.1:{free_port}"):
        status, value = get(f"127.0.0.1:{free_port}", f"/?{query}", **headers)
    assert (status, checked) == (400, [])
    assert value["error"] in {"port-or-token", "proxied"}


@pytest.mark.parametrize("request_line", [b"POST / HTTP/1.1\r\n\r\n", b"\x00\xff\r\n\r\n", b"GET " + b"/" * 8188])
def test_other_requests(free_port: int, request_line: bytes) -> None:
    """An invalid request gets an HTTP error, as does one that is too long, and the next request is served."""
    with serving(f"127.0.0.1:{free_port}"):
        with socket.create_connection(("127.0.0.1", free_port), timeout=10) as client:
            client.sendall(request_line)
            assert b'"error": "request"' in b"".join(iter(partial(client.recv, 9999), b""))
        assert get(f"127.0.0.1:{free_port}")[0] == 200


def test_it_is_not_asked_too_often(free_port: int, checked: list[tuple[str, int, str]]) -> None:
    """After thirty requests in a minute the helper answers 429. The next minute it serves again."""
    clock = FakeClock()
    address = f"127.0.0.1:{free_port}"
    with serving(address, clock):
        found = [get(address, "/?port=80&token=a")[0] for _ in range(31)]
        clock.elapsed += 60
        found.append(get(address, "/?port=80&token=a")[0])
    assert found == [*[200] * 30, 429, 200]
    assert len(checked) == 31


def test_clients_that_hold_connections(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    """One host may hold four connections. A slow connection is closed after its time limit."""
    monkeypatch.setattr(ProbeServer.handler, "timeout", 0.5)
    with serving(f"127.0.0.1:{free_port}"):
        held = [socket.create_connection(("127.0.0.1", free_port), timeout=10) for _ in range(5)]
        for client in held[:4]:
            client.sendall(b"GET / HT")
        assert held[4].recv(1) == b""  # refused
        for client in held:
            client.recv(9999)  # ends
            client.close()
        assert get(f"127.0.0.1:{free_port}")[0] == 200


@pytest.mark.parametrize(
    "listen", ["", "8090", "host", "host:", "[::1:80", "127.0.0.1:99999", "no.such.host.invalid:8090"]
)
def test_no_address_to_listen_on(listen: str) -> None:
    """An unusable address is an error before anything is served."""
    with pytest.raises(ConfigError) as caught:
        serve(Context(), listen, lambda _: None)
    assert caught.value.code == "probe-address"


def test_a_port_that_is_taken(free_port: int) -> None:
    """The error for a taken port has the system's reason."""
    with (
        socket.create_server(("127.0.0.1", free_port)),
        pytest.raises(ConfigError) as caught,
    ):
        ProbeServer.bind(f"127.0.0.1:{free_port}", FakeClock().monotonic)
    assert caught.value.evidence["cause"]


# ── the check ────────────────────────────────────────────────────────────────────────────


def test_a_web_server() -> None:
    """The server's name is reported, cleaned. A body is reported only for its token."""
    with Api(lambda asked: (200, "body" * 100) if asked.path.endswith("/token") else (404, "none")) as api:
        port = int(api.url.rpartition(":")[2])
        for token, answer in (("token", "bodybody"), ("other", "")):
            seen = check_port("127.0.0.1", 80, token, at=port)
            assert (seen.open, seen.error, seen.answer[:8], len(seen.answer) <= 100) == (True, None, answer, True)
            assert seen.banner.startswith("Api/")


def _says(text: bytes) -> Callable[[socket.socket], None]:
    def serve_one(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            client.sendall(text)
            client.recv(9999)

    return serve_one


@pytest.mark.parametrize("port", [80, 443])
@pytest.mark.parametrize("text", [b"", b"\xff\x00nonsense\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000, LONG_HEAD])
def test_a_port_that_speaks_something_else(monkeypatch: pytest.MonkeyPatch, port: int, text: bytes) -> None:
    """A port with another protocol is open, and nothing else is reported, even if it hangs."""
    monkeypatch.setattr(probe_server, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads.start(lambda: _says(text)(listener))
        seen = check_port("127.0.0.1", port, "token", at=listener.getsockname()[1])
    assert (seen.open, seen.answer, seen.banner) == (True, "", "")


def test_a_closed_port(free_port: int) -> None:
    """A refused connection differs from one without an answer."""
    seen = check_port("127.0.0.1", 80, "token", at=free_port)
    assert (seen.open, seen.error) == (False, "refused")
