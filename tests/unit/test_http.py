"""The HTTP client against servers that answer, respond slowly, send invalid data and close the connection."""

import base64
import gzip
import http.client
import json
import os
import re
import socket
import ssl
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3

from dnsrenew.base.http import HttpClient, HttpFailure, connections, date_of, retry_after
from dnsrenew.errors import CAError
from tests.kit.load import allowed
from tests.lab import LabCA, badports

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
QUICK = (2.0, 0.3)


class Server:
    """Serves each connection with the next script: a function of the socket."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.requests: list[bytes] = []

    def will(self, *scripts: Callable[[socket.socket], None]) -> None:
        """Serve the next connections."""

        def run() -> None:
            for script in scripts:
                connection, _ = self._listener.accept()
                with connection:
                    try:
                        script(connection)
                    except OSError:
                        pass  # the client went away, as it should

        threading.Thread(target=run, daemon=True).start()

    def read(self, connection: socket.socket) -> None:
        """Read the head of a request and the data that arrived with it."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += _received(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        while length and len(body) < int(length[1]):
            body += _received(connection)
            data = head + b"\r\n\r\n" + body
        self.requests.append(data)

    def answers(self, *answers: bytes) -> Callable[[socket.socket], None]:
        """Return a script that answers this number of requests on one connection."""

        def script(connection: socket.socket) -> None:
            for answer in answers:
                self.read(connection)
                connection.sendall(answer)

        return script

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


def _received(connection: socket.socket) -> bytes:
    """Return what arrives; the end of the connection ends its script, which would ask for ever."""
    if data := connection.recv(65536):
        return data
    raise ConnectionError("the client has closed")


def ok(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return an answer with a body."""
    head = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server that has no script yet."""
    running = Server()
    yield running
    running.close()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> HttpClient:
    """Return a client without a proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return HttpClient()


def fails(call: Callable[[], object]) -> HttpFailure:
    """Return the failure of a request; it has no cause from another library."""
    with pytest.raises(HttpFailure) as caught:
        call()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value


def test_a_connection_is_used_again(client: HttpClient, server: Server) -> None:
    """Two requests share one connection. Headers are case-insensitive."""
    server.will(server.answers(ok(b'{"a": 1}', "Replay-Nonce: x"), ok(b"no", status="404 Not Found")))
    first = client.request("GET", server.url)
    second = client.request("POST", server.url, data=b"{}", headers={"X-Test": "1"})
    assert (first.status, first.json(), first.headers["replay-nonce"]) == (200, {"a": 1}, "x")
    assert (second.status, second.body) == (404, b"no")
    with pytest.raises(ValueError, match="Expecting"):
        second.json()
    assert b"User-Agent: dnsrenew/" in server.requests[0]
    assert b"Accept-Language: en\r\n" in server.requests[0]
    assert b"X-Test: 1" in server.requests[1]
    assert server.requests[1].endswith(b"{}")


def test_no_cookie_is_kept(client: HttpClient, server: Server) -> None:
    """The next request contains no cookie from the server."""
    server.will(server.answers(ok(b"", "Set-Cookie: a=b"), ok(b"")))
    client.request("GET", server.url)
    client.request("GET", server.url, params={"q": "ü"})
    assert b"Cookie" not in server.requests[1]
    assert b"GET /?q=%C3%BC " in server.requests[1]


@pytest.mark.parametrize("where", ["status", "headers", "body"])
def test_a_drip_is_a_time_out(client: HttpClient, server: Server, where: str) -> None:
    """The whole answer has one deadline, even if bytes keep arriving."""
    sent = {"status": b"", "headers": b"HTTP/1.1 200 OK\r\n", "body": ok(b"x" * 99)[:-99]}[where]

    def drip(connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(sent)
        for _ in range(60):
            connection.sendall(b"H")
            time.sleep(0.05)  # the server's own slowness

    server.will(drip)
    started = time.monotonic()
    failure = fails(lambda: client.request("GET", server.url, timeout=QUICK))
    assert (failure.kind, failure.detail) == ("timeout", "no complete answer arrived within 0.3 s")
    assert time.monotonic() - started < allowed(2)


def test_a_slow_answer_leaves_the_next_its_time(client: HttpClient, server: Server) -> None:
    """The next answer on the same connection has a deadline of its own."""

    def slow(connection: socket.socket) -> None:
        for _ in range(3):
            server.read(connection)
            time.sleep(0.2)  # the server's own slowness
            connection.sendall(ok(b"x"))

    server.will(slow)
    for _ in range(3):
        assert client.request("GET", server.url, timeout=QUICK).body == b"x"


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (b"", "the connection ended before the answer was complete"),
        (ok(b"abc")[:-1], "the connection ended before the answer was complete"),
        (b"garbage\r\n\r\n", "its answer is not HTTP"),
        (ok(b"not gzip", "Content-Encoding: gzip"), "its answer cannot be decompressed"),
        (
            ok(gzip.compress(b"x" * 999, mtime=0)[:-9] + b"damaged!!", "Content-Encoding: gzip"),
            "its answer cannot be decompressed",
        ),
    ],
)
def test_an_answer_that_breaks_off_is_a_reset(client: HttpClient, server: Server, answer: bytes, detail: str) -> None:
    """No response, a cut or damaged body and invalid HTTP are a reset. The detail names no Python class."""
    server.will(server.answers(answer))
    failure = fails(lambda: client.request("GET", server.url, timeout=QUICK))
    assert (failure.kind, failure.detail) == ("reset", detail)


@pytest.mark.parametrize("form", ["length", "chunks", "end"])
def test_a_long_body_is_refused(client: HttpClient, server: Server, form: str) -> None:
    """A body above the limit is refused with any framing. A body of exactly the limit is accepted."""

    def answer(body: bytes) -> bytes:
        if form == "length":
            return ok(body)
        if form == "end":
            return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)

    server.will(server.answers(answer(b"x" * 1000)), server.answers(answer(b"x" * 1001)))
    assert len(client.request("GET", server.url, max_bytes=1000, headers={"Connection": "close"}).body) == 1000
    again = HttpClient()
    assert fails(lambda: again.request("GET", server.url, max_bytes=1000)).kind == "too-large"


def _bomb(megabytes: int) -> bytes:
    """Return this many megabytes of zeros, compressed by gzip to a thousandth."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    megabyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + megabyte * megabytes


@pytest.mark.parametrize("urllib3_is_old", [False, True])
def test_a_bomb_ends_at_the_limit(
    client: HttpClient, server: Server, monkeypatch: pytest.MonkeyPatch, urllib3_is_old: bool
) -> None:
    """900 KB that unpack to 800 MB cost a few megabytes of memory, also with a urllib3 that unpacks without a limit."""
    if urllib3_is_old:
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress
        monkeypatch.setattr(urllib3.response.GzipDecoder, "decompress", lambda _self, data, **_: unpack(data))
    bomb = ok(_bomb(800), "Content-Encoding: gzip")
    server.will(server.answers(bomb))
    tracemalloc.start()
    try:
        assert fails(lambda: client.request("GET", server.url)).kind == "too-large"
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"Link: " + b"a" * 60_000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nLink: a\r\n", b" " * 60_000 + b"\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"a" * 60_000 + b"\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 1000),
    ],
    ids=["headers", "folded", "interim", "extensions", "trailers"],
)
def test_what_is_no_body_has_an_end(client: HttpClient, server: Server, begin: bytes, again: bytes) -> None:
    """An answer that goes on without growing its body is given up after some megabytes, not at the time-out."""
    sent = [0]

    def endless(connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(begin)
        while sent[0] < 100 << 20:
            sent[0] += connection.send(again)

    server.will(endless)
    assert fails(lambda: client.request("GET", server.url)).kind == "too-large"
    assert sent[0] < 32 << 20


def test_chunks_of_a_byte_take_no_more_memory(client: HttpClient, server: Server) -> None:
    """A body in chunks of one byte costs about as much memory as another one."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.will(server.answers(head + b"1\r\nx\r\n" * (1 << 18) + b"0\r\n\r\n"))
    tracemalloc.start()
    try:
        assert len(client.request("GET", server.url).body) == 1 << 18
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("GZIP", gzip.compress(b"x" * 1000, mtime=0)),
        ("x-gzip", gzip.compress(b"x" * 1000, mtime=0)),
        ("deflate", zlib.compress(b"x" * 1000)),
        ("identity", b"x" * 1000),
    ],
)
def test_a_server_may_compress(client: HttpClient, server: Server, coding: str, body: bytes) -> None:
    """A server that compresses without being asked is understood up to the limit."""
    server.will(server.answers(*[ok(body, f"Content-Encoding: {coding}")] * 2))
    assert client.request("GET", server.url, max_bytes=1000).body == b"x" * 1000
    assert fails(lambda: client.request("GET", server.url, max_bytes=999)).kind == "too-large"


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "zstd", "compress"])
def test_other_codings_are_refused(client: HttpClient, server: Server, coding: str) -> None:
    """A coding that was not asked for and is not known is a failure, whatever libraries are installed."""
    server.will(server.answers(ok(gzip.compress(gzip.compress(b"x")), f"Content-Encoding: {coding}")))
    failure = fails(lambda: client.request("GET", server.url))
    assert (failure.kind, failure.detail) == ("reset", "its answer cannot be decompressed")


def test_redirects_are_followed_only_where_asked_and_only_reading(client: HttpClient, server: Server) -> None:
    """Redirects are followed only for a GET that allows them, and only a limited number of times."""
    away = ok(b"", "Location: /next", status="302 Found")
    server.will(server.answers(away, ok(b"here")))
    response = client.request("GET", server.url, redirects=True)
    assert (response.body, response.url) == (b"here", f"{server.url}next")
    for method, redirects in (("GET", False), ("POST", True)):
        server.will(server.answers(away))
        fresh = HttpClient()
        failure = fails(lambda m=method, r=redirects, c=fresh: c.request(m, server.url, redirects=r))  # type: ignore[misc]  # bound at once
        assert (failure.kind, failure.detail) == ("redirect", "it redirects to 127.0.0.1, which is not followed")
    server.will(server.answers(*[away] * 9))
    assert fails(lambda: HttpClient().request("GET", server.url, redirects=True)).kind == "redirect"


def test_a_redirect_to_no_address_is_a_failure(client: HttpClient, server: Server) -> None:
    """An invalid Location fails the request with a redirect failure."""
    server.will(server.answers(ok(b"", "Location: https://[::", status="302 Found")))
    failure = fails(lambda: client.request("GET", server.url, redirects=True))
    assert (failure.kind, failure.detail) == ("redirect", "it redirects to an invalid address")


def test_credentials_stay_with_their_host(client: HttpClient, server: Server) -> None:
    """A redirect to another host is followed without Authorization."""
    other = Server()
    server.will(server.answers(ok(b"", f"Location: {other.url}", status="307 Temporary Redirect")))
    other.will(other.answers(ok(b"")))
    client.request("GET", server.url, headers={"Authorization": "Bearer x"}, redirects=True)
    assert b"Authorization" in server.requests[0]
    assert b"Authorization" not in other.requests[0]
    other.close()


def test_a_user_and_a_password_in_the_url_are_sent_as_a_header(client: HttpClient, server: Server) -> None:
    """RFC 9110 section 4.2.4: they are not part of the request target."""
    server.will(server.answers(ok(b"")))
    answer = client.request(
        "get", server.url.replace("http://", "http://me:p%40ss-ł@"), headers={"authorization": "Bearer x"}
    )
    assert base64.b64encode("me:p@ss-ł".encode()) in server.requests[0]
    assert server.requests[0].lower().count(b"authorization:") == 1
    assert b"GET / HTTP/1.1" in server.requests[0]
    assert "p%40ss" not in answer.url


def test_a_user_without_a_password_has_a_colon(client: HttpClient, server: Server) -> None:
    """RFC 7617 section 2: the credentials are the user, a colon and the password, which may be empty."""
    server.will(server.answers(ok(b"")))
    client.request("GET", server.url.replace("http://", "http://token%3A1@"))
    assert base64.b64encode(b"token:1:") in server.requests[0]


def test_fields_are_sent_as_a_form(client: HttpClient, server: Server) -> None:
    """A mapping is sent as a form, and parameters go behind those of the URL."""
    server.will(server.answers(ok(b""), ok(b"")))
    client.request("POST", f"{server.url}?a=1", data={"b": "x y", "c": ["1", "2"]}, params={"d": "&", "e": None})
    client.request("POST", server.url, data="ü")
    assert b"POST /?a=1&d=%26 HTTP/1.1" in server.requests[0]
    assert b"Content-Type: application/x-www-form-urlencoded" in server.requests[0]
    assert server.requests[0].endswith(b"\r\n\r\nb=x+y&c=1&c=2")
    assert server.requests[1].endswith("\r\n\r\nü".encode())


def test_where_there_is_nobody(client: HttpClient, server: Server) -> None:
    """A refused connection, an unknown name and an invalid address are distinguished."""
    server.close()
    assert fails(lambda: client.request("GET", server.url)).detail == "no connection can be made (Connection refused)"
    assert fails(lambda: client.request("GET", "https://nobody.invalid/")).kind == "dns"
    for url in ("nonsense", "ftp://127.0.0.1/", "http://[::", "http://"):
        assert fails(lambda u=url: client.request("GET", u)).detail == "its address is not a valid URL"  # type: ignore[misc]  # bound at once


def test_a_host_of_many_addresses_has_no_more_time(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """All addresses share the connect time-out. The last one is tried too."""
    real, addresses = socket.getaddrinfo, ["127.0.0.1"] * 6

    def resolve(host: str, port: int, *rest: Any, **more: Any) -> Any:
        if host != "many.test":
            return real(host, port, *rest, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    def serve() -> None:
        connection, _ = sound.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(ok(b"here"))

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with badports.NoWay() as closed, socket.create_server(("127.0.0.2", closed.port)) as sound:
        url, started = f"http://many.test:{closed.port}/", time.monotonic()
        assert fails(lambda: client.request("GET", url, timeout=(2.0, 2.0))).kind == "timeout"
        assert time.monotonic() - started < allowed(8)
        addresses.append("127.0.0.2")
        threading.Thread(target=serve, daemon=True).start()
        assert client.request("GET", url, timeout=(2.0, 20.0)).body == b"here"


def test_a_failure_shows_no_secret_of_the_url(client: HttpClient, server: Server) -> None:
    """No text contains a token of the query."""
    server.will(server.answers(b""))
    failure = fails(lambda: client.request("GET", server.url, params={"token": "canary"}))
    assert "canary" not in repr(failure)


def test_the_debug_output_of_the_standard_library_is_off(
    client: HttpClient, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Debug output of http.client does not show requests of dnsrenew or lexicon, which contain credentials."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    server.will(server.answers(ok(b"")), server.answers(ok(b"")))
    client.request("GET", server.url + "?token=canary-of-the-url")
    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter()
    connections.bound(adapter)
    session.mount("http://", adapter)
    session.get(server.url, headers={"X-Token": "canary-of-a-header"}, timeout=5)
    assert len(server.requests) == 2
    assert capsys.readouterr().out == ""


def test_only_the_given_roots_are_trusted(tmp_path: Path) -> None:
    """Configured roots replace the system's roots. Without them only the system's are trusted."""
    ours, theirs = LabCA(tmp_path / "ours"), LabCA(tmp_path / "theirs")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"

        def serve() -> None:
            for _ in range(3):
                connection, _ = listener.accept()
                try:
                    with ours.server_context().wrap_socket(connection, server_side=True) as secure:
                        secure.recv(65536)
                        secure.sendall(ok(b"hello"))
                except OSError:
                    pass  # a client that does not trust us

        threading.Thread(target=serve, daemon=True).start()
        assert HttpClient(trust=ours.trust_pem).request("GET", url).body == b"hello"
        for client in (HttpClient(trust=theirs.trust_pem), HttpClient()):
            failure = fails(lambda c=client: c.request("GET", url))  # type: ignore[misc]  # bound at once
            assert (failure.kind, failure.untrusted) == ("tls", True)
            assert failure.detail.startswith("its certificate is not trusted (")


def test_no_tls_where_tls_should_be(client: HttpClient, server: Server) -> None:
    """A server without TLS behind an https address is a TLS failure, and not untrusted."""
    server.will(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    failure = fails(lambda: client.request("GET", server.url.replace("http:", "https:")))
    assert (failure.kind, failure.untrusted) == ("tls", False)


def test_a_server_that_is_silent_before_tls(client: HttpClient, server: Server) -> None:
    """The TLS handshake belongs to the connection: the detail has the connect time-out."""

    def silent(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    server.will(silent)
    failure = fails(lambda: client.request("GET", server.url.replace("http:", "https:"), timeout=(0.2, 9.0)))
    assert (failure.kind, failure.detail) == ("timeout", "no connection was made within 0.2 s")


@pytest.mark.parametrize("content", [None, "", "junk"])
def test_roots_that_are_none_are_an_error_of_the_ca(tmp_path: Path, content: str | None) -> None:
    """A missing, an empty or an invalid file of roots is a CAError."""
    path = tmp_path / "roots.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CAError) as caught:
        HttpClient(trust=path)
    assert caught.value.code == "trust-unreadable"
    assert str(path) in caught.value.message


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "gopher://127.0.0.1:1", "http://[bad", "http://proxy:99999"])
def test_a_wrong_proxy_is_reported_as_one(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """A proxy of another kind, or without a valid address, is not reported as a failure of the CA."""
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(HttpFailure) as caught:
        HttpClient().request("GET", "http://far.example.test/")
    assert (caught.value.kind, "the proxy named in the environment" in caught.value.detail) == ("proxy", True)


def test_the_environment_s_proxy_is_used_and_its_exceptions_too(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP_PROXY and NO_PROXY are used. The error names the proxy without its password."""
    proxy = Server()
    monkeypatch.setenv("http_proxy", f"http://user:canary@127.0.0.1:{proxy.port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    client = HttpClient()
    proxy.will(proxy.answers(ok(b"proxied")))
    assert client.request("GET", "http://far.example.test/x").body == b"proxied"
    assert proxy.requests[0].startswith(b"GET http://far.example.test/x ")
    server.will(server.answers(ok(b"direct")))
    assert client.request("GET", server.url).body == b"direct"
    client.close()
    proxy.close()
    failure = fails(lambda: HttpClient().request("GET", "http://far.example.test/"))
    assert failure.kind == "proxy"
    assert "canary" not in repr(failure)


@pytest.mark.parametrize("first", ["http", "https"])
def test_each_scheme_has_its_own_proxy(monkeypatch: pytest.MonkeyPatch, client: HttpClient, first: str) -> None:
    """HTTP_PROXY is not used for https, whichever of the two is requested first."""
    monkeypatch.setenv("http_proxy", "http://proxy.example.test:8080")
    client = HttpClient()
    found = {scheme: client.proxy_for(f"{scheme}://far.example.test/") for scheme in (first, "http", "https")}
    assert found == {"http": "http://proxy.example.test:8080", "https": None}


def test_what_stays_on_this_machine_reaches_no_proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request to this machine does not use a proxy."""
    proxy = Server()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    client = HttpClient()
    for host in ("127.0.0.1", "localhost"):
        server.will(server.answers(ok(b"direct")))
        assert client.request("POST", server.url.replace("127.0.0.1", host), data=b"key").body == b"direct"
    client.close()
    proxy.close()
    assert proxy.requests == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Wed, 25 Nov 2026 12:02:00 GMT", 120.0),
        ("Wed, 25 Nov 2026 13:02:00 +0100", 120.0),
        ("Wed, 25 Nov 2026 12:02:00 -0000", 120.0),
        ("Wed, 25 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("1e9", None),
        ("9" * 30, None),
        ("Wed, 99 Nov 2026 12:02:00 GMT", None),
    ],
)
def test_retry_after_in_both_forms(text: str, seconds: float | None) -> None:
    """Retry-After is read as seconds or as a date of any zone. Anything else is None."""
    assert retry_after({"Retry-After": text}, NOW) == seconds


def test_no_retry_after_is_none() -> None:
    """Without the header the result is None."""
    assert retry_after({}, NOW) is None


@pytest.mark.parametrize(
    ("headers", "date"),
    [
        ({"Date": "Wed, 25 Nov 2026 12:00:00 GMT"}, NOW),
        ({"Date": "Wed, 25 Nov 2026 14:00:00 +0200"}, NOW),
        ({"Date": "Wed, 25 Nov 2026 11:00:00 GMT", "Age": "3600"}, NOW),
        ({"Date": "Wed, 25 Nov 2026 12:00:00 GMT", "Age": "old"}, NOW),
        ({"Date": "Fri, 31 Dec 9999 23:59:59 GMT", "Age": "3600"}, None),
        ({"Date": "soon"}, None),
        ({}, None),
    ],
)
def test_the_time_of_the_other_side(headers: dict[str, str], date: datetime | None) -> None:
    """The Age of an answer from a cache is added to its Date."""
    assert date_of(headers) == date


def test_json_nested_without_end_is_a_value_error(client: HttpClient, server: Server) -> None:
    """Deeply nested JSON raises ValueError."""
    server.will(server.answers(ok(b"[" * 200_000)))
    response = client.request("GET", server.url)
    with pytest.raises((ValueError, json.JSONDecodeError)):
        response.json()


def test_the_roots_of_the_system_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients share what they trust; another file of roots, or a change of it, is seen by the next client."""
    roots = tmp_path / "roots.pem"
    roots.write_bytes(LabCA(tmp_path / "ca").trust_pem.read_bytes())
    monkeypatch.setenv(ssl.get_default_verify_paths().openssl_cafile_env, str(roots))
    first = connections.shared_tls_context()
    assert connections.shared_tls_context() is first
    assert len(first.get_ca_certs()) == 1
    os.utime(roots, (1, 1))
    assert connections.shared_tls_context() is not first
    monkeypatch.setenv(ssl.get_default_verify_paths().openssl_cafile_env, str(tmp_path / "none.pem"))
    assert connections.shared_tls_context().get_ca_certs() == []
