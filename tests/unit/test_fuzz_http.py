"""Any octets instead of an HTTP answer are an answer or a failure with a reason; and any answer of DuckDNS."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.http import HttpClient, HttpFailure
from dnsrenew.base.http.connections import FailureKind
from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.challenges.http01_server import HttpServer, TokenResponse
from dnsrenew.drivers.invoke import call_add
from dnsrenew.errors import ProviderError
from tests.kit.clock import FakeClock
from tests.kit.drivers import provider_of
from tests.kit.fuzzing import bounded, edited

CANARY = "canary-duck-9d41c0aa"

KINDS: tuple[FailureKind, ...] = ("dns", "connect", "tls", "timeout", "reset", "too-large", "redirect", "proxy")
ANSWERS = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\nLink: <x>;rel="up"\r\n\r\n{"a": 1}',
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.0 503 Busy\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n\r\nhello",
)
LINES = (
    b"Content-Length: -1",
    b"Content-Length: 99999999999999999999",
    b"Content-Length: 5, 6",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip",
    b"Content-Encoding: zstd",
    b"Content-Encoding: " + b"gzip," * 50,
    b"Location: http://[",
    b"Location: //",
    b"Location: \xff\xfe",
    b"Location: file:///etc/passwd",
    b"Location: http://a:b:c/",
    b"HTTP/9.9 999 ",
    b"X" * 70_000,
    b"X: y\r\n" * 200,
    b"ffffffffffffffff",
    b"-5",
    b"0x5",
    b"\0: \0",
    b"\xff",
    b": x",
    b" folded",
    b"",
)


class Server:
    """Answers every request with given octets, and closes."""

    def __init__(self) -> None:
        """Listen on this machine."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.octets = b""
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/x"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            with connection:
                try:
                    connection.recv(65536)
                    connection.sendall(self.octets)
                except OSError:
                    continue

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server on this machine."""
    made = Server()
    yield made
    made.close()


def changed(number: int) -> Iterator[bytes]:
    """Yield this number of answers with one to four changes."""
    chance = random.Random(5)
    for _ in range(number):
        data = chance.choice(ANSWERS)
        for _ in range(chance.randint(1, 4)):
            lines = [at + 2 for at in range(len(data)) if data[at : at + 2] == b"\r\n"] or [0]
            line, at = chance.choice(lines), chance.randrange(len(data) + 1)
            data = chance.choice(
                [
                    data[:line] + chance.choice(LINES) + b"\r\n" + data[line:],
                    data[:line] + chance.choice(LINES) + data[line:],
                    data[:at],
                    data[:at] + data[at + chance.randint(1, 10) :],
                    data[:at] + chance.randbytes(1) + data[at + 1 :],
                ]
            )
        yield data


def test_any_octets_instead_of_an_answer(server: Server) -> None:
    """Wrong lines, lengths and ends: the result is an answer, or a failure of a known kind."""
    client, outcomes, words = HttpClient(), set[str](), set[str]()
    for data in (*changed(400), b"", b"\xff" * 1000, b"<html>", b"\r\n" * 1000):
        server.octets = data
        try:
            answer = client.request("GET", server.url, timeout=(5, 5), redirects=True)
        except HttpFailure as failure:
            outcomes.add(failure.kind)
            words.add(failure.detail)
        else:
            outcomes.add("answered")
            words.add(str(answer.status))
    client.close()
    assert {"answered", "reset", "redirect"} <= outcomes <= {"answered", *KINDS}
    assert all(map(str.isprintable, words))


TOKEN, CONTENT = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ", b"evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ.thumb"
REQUEST = f"GET /.well-known/acme-challenge/{TOKEN} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode()
PATHS = [
    "/",
    "//",
    "/../x",
    f"/.well-known/acme-challenge/{TOKEN}/",
    "/.well-known/acme-challenge/..",
    "/\0",
    "*",
    "x" * 9000,
]


@pytest.fixture(scope="module")
def listener() -> Iterator[HttpServer]:
    """The http-01 server, with one response."""
    made = HttpServer(socket.create_server(("127.0.0.1", 0)), SystemClock.monotonic)
    made.contents.add(TOKEN, TokenResponse("a.test", CONTENT))
    yield made
    made.stop()


@bounded(150)
@given(request=edited(REQUEST) | st.sampled_from(PATHS).map(lambda path: f"GET {path} HTTP/1.1\r\n\r\n".encode()))
def test_any_request_to_the_listener(listener: HttpServer, request: bytes) -> None:
    """The response to the right request, or 404 without a body."""
    with socket.create_connection(listener.address, timeout=20) as connection:
        connection.sendall(request + b"\r\n\r\n")
        answer = b"".join(iter(partial(connection.recv, 65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (head[:12], body) in {(b"HTTP/1.1 404", b""), (b"HTTP/1.1 200", CONTENT), (b"HTTP/1.1 200", b"")}
    assert TOKEN.encode() in request or head.startswith(b"HTTP/1.1 404")


def code_for_answer(server: Server, status: int, body: bytes) -> str:
    """Write a value at a server with this answer; return the code of the result."""
    server.octets = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
    shipped = provider_of("duckdns")
    provider = replace(shipped, driver_options={"api": server.url})
    account = DnsAccount("duckdns", name="duck", token=Secret(CANARY))
    record = TxtRecord("home.duckdns.org.", "_acme-challenge.home.duckdns.org.", "v", 60)
    refusal: ProviderError | None = None
    try:
        call_add(Context(clock=FakeClock()), provider, account, [record])
    except ProviderError as error:
        refusal = error
    text = str(refusal)
    assert CANARY not in text
    assert text.isprintable()
    return "written" if refusal is None else refusal.code


@pytest.mark.parametrize("body", [b"OK", b" OK\n", b"OK\nUPDATED"])
def test_duckdns_answers_ok(server: Server, body: bytes) -> None:
    """`OK` is success, also with more text."""
    assert code_for_answer(server, 200, body) == "written"


@pytest.mark.parametrize("status", [200, 400, 500])
@bounded(20)
@given(body=st.binary(max_size=40) | edited(b"KO") | st.sampled_from([b"OKAY", b"<html>OK", b"", CANARY.encode()]))
def test_duckdns_answers_anything_else(server: Server, status: int, body: bytes) -> None:
    """Only `OK` with status 200 is success."""
    assert (code_for_answer(server, status, body) == "written") == (status == 200 and body.split()[:1] == [b"OK"])
