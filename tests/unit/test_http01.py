"""The http-01 challenge without a CA: the responses of the listener, and the files in a webroot."""

import errno
import ntpath
import os
import shutil
import socket
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from dnsrenew.base import threads
from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.model import Route
from dnsrenew.base.runtime import Context
from dnsrenew.base.safe_files import HANDLES, OpenFolder, PublicFiles
from dnsrenew.base.users import user_name
from dnsrenew.challenges import http01_server as server
from dnsrenew.challenges import listeners as challenge_listeners
from dnsrenew.challenges.http01 import Http01
from dnsrenew.challenges.http01_server import (
    FOLDERS,
    HttpListeners,
    HttpPlacement,
    HttpValue,
    Port,
    TokenResponse,
    Webroot,
)
from dnsrenew.challenges.listeners import PortOwner, owner_of
from dnsrenew.errors import CAError, Cancelled, ChallengeError
from tests.kit.clock import FakeClock
from tests.lab.ports import has_ipv6, reserve

TOKEN, ANSWER = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA", b"evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.thumb"
PATH = f"/.well-known/acme-challenge/{TOKEN}"
HOST = "a.test"
PATIENCE = 20.0
"""Seconds that a test waits for what comes at once, on a machine that does other things, too."""
ways = pytest.mark.parametrize("handles", [HANDLES, False], ids=["by-handle", "by-path"])


@pytest.fixture
def port() -> Iterator[int]:
    """Reserve a port that is free for both families."""
    with reserve("127.0.0.1", *(["::1"] if has_ipv6() else [])) as reserved:
        yield reserved.number


@pytest.fixture
def listeners() -> Iterator[HttpListeners]:
    """Yield listeners. At the end of the test all must be closed."""
    made = HttpListeners()
    yield made
    assert made._servers == {}
    assert made._endpoints == {}


def connect(port: int, host: str = "127.0.0.1", source: str = "") -> socket.socket:
    """Return a connection."""
    return socket.create_connection((host, port), timeout=PATIENCE, source_address=(source, 0) if source else None)


def exchange(port: int, request: bytes, host: str = "127.0.0.1") -> bytes:
    """Send a request and return the whole response."""
    with connect(port, host) as connection:
        connection.sendall(request)
        return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """Read until the connection is closed."""
    answer = b""
    try:
        while data := connection.recv(4096):
            answer += data
    except ConnectionError:
        pass
    return answer


def get(port: int, path: str = PATH, host: str = "127.0.0.1") -> bytes:
    """Send a request as a CA does."""
    return exchange(port, f"GET {path} HTTP/1.1\r\nHost: a.test\r\nUser-Agent: CA\r\n\r\n".encode(), host)


def is_open(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether the port is open."""
    try:
        connect(port, host).close()
    except OSError:
        return False
    return True


@contextmanager
def answered(listeners: HttpListeners, listen: str, token: str = TOKEN, content: bytes = ANSWER) -> Iterator[None]:
    """Serve a token within the context."""
    port = Port(listeners, listen, HOST)
    port.add(token, content)
    try:
        yield
    finally:
        port.remove(token, content)


# ── what the listener says ──────────────────────────────────────────────────────────────


def test_the_answer_is_exact_and_tells_nothing_of_the_host(listeners: HttpListeners, port: int) -> None:
    """The response is the key authorization with its type and length; it reveals no program name and no time."""
    with answered(listeners, f"127.0.0.1:{port}"):
        head, _, body = get(port).partition(b"\r\n\r\n")
    assert body == ANSWER
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 200 OK",
        b"Content-Type: application/octet-stream",
        b"Content-Length: %d" % len(ANSWER),
        b"Cache-Control: no-store",
        b"Connection: close",
    ]


def test_head_has_no_body(listeners: HttpListeners, port: int) -> None:
    """HEAD returns the head of GET, without a body."""
    with answered(listeners, f"127.0.0.1:{port}"):
        asked = exchange(port, f"HEAD {PATH} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode())
        assert asked == get(port).removesuffix(ANSWER)


@pytest.mark.parametrize(
    "request_",
    [
        f"GET {PATH} HTTP/1.0\r\n\r\n",
        f"GET {PATH} HTTP/1.1\n\n",
        f"GET http://a.test{PATH} HTTP/1.1\r\nHost: a.test\r\n\r\n",
    ],
)
def test_other_spellings_of_the_question_are_answered(listeners: HttpListeners, port: int, request_: str) -> None:
    """Requests with HTTP/1.0, bare newlines or an absolute URL get the response."""
    with answered(listeners, f"127.0.0.1:{port}"):
        assert exchange(port, request_.encode()).endswith(b"\r\n\r\n" + ANSWER)


@pytest.mark.parametrize(
    "line",
    [
        "GET / HTTP/1.1",
        "GET /.well-known/acme-challenge/ HTTP/1.1",
        "GET /.well-known/acme-challenge/other HTTP/1.1",
        f"GET {PATH}/ HTTP/1.1",
        f"GET {PATH}?x HTTP/1.1",
        f"GET /x/..{PATH} HTTP/1.1",
        f"GET /{PATH} HTTP/1.1",
        f"GET {PATH.upper()} HTTP/1.1",
        "GET /.well-known/acme-challenge/../../etc/passwd HTTP/1.1",
        "GET /.well-known/acme-challenge/%2e%2e HTTP/1.1",
        f"POST {PATH} HTTP/1.1",
        f"DELETE {PATH} HTTP/1.1",
        f"get {PATH} HTTP/1.1",
        f"GET {PATH}",
        f"GET {PATH} HTTP/1.1 x",
        "\0\xff",
        "x" * 9000,
    ],
)
def test_anything_else_is_404(listeners: HttpListeners, port: int, line: str) -> None:
    """Every other path or method gets the same 404."""
    with answered(listeners, f"127.0.0.1:{port}"):
        answer = exchange(port, line.encode("latin-1") + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert answer.endswith(b"Content-Length: 0\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize(
    ("headers", "is_served"),
    [
        ("Host: a.test", True),
        ("hOST:\tA.TEST.:5002 ", True),
        ("Host: b.test", True),  # another name that is being validated
        ("Host: 192.0.2.1:8080", True),
        ("Host: [2001:db8::1]:80", True),
        ("Host: [::ffff:192.0.2.1]", True),
        ("Host: localhost", True),
        ("Host: proxy:8080", True),
        ("Host:", True),
        ("Accept: */*", True),
        ("Host: elsewhere.test\r\nReferer: http://a.test/.well-known/acme-challenge/x", True),  # after a redirect
        ("Host: elsewhere.test", False),
        ("Host: elsewhere.test:80\r\nX-Host: a.test", False),
        ("Host: a.test.elsewhere.test", False),
        ("Host: 127.0.0.1.elsewhere.test", False),
        ("Host: elsewhere.test\r\nReferer: http://elsewhere.test/a.test", False),
        ("X: y\r\nHost: elsewhere.test\r\nReferer: http://a.test.elsewhere.test/", False),
    ],
)
def test_only_the_names_that_are_validated_are_answered(
    listeners: HttpListeners, port: int, headers: str, is_served: bool
) -> None:
    """A page of another name that leads to this machine (DNS rebinding) gets 404; proxies and redirects work."""
    other = Port(listeners, f"127.0.0.1:{port}", "b.test")
    with answered(listeners, f"127.0.0.1:{port}"):
        other.add("other", b"x")
        answer = exchange(port, f"GET {PATH} HTTP/1.1\r\n{headers}\r\nUser-Agent: CA\r\n\r\n".encode())
        other.remove("other", b"x")
    assert answer.endswith(ANSWER) is is_served
    assert answer.startswith(b"HTTP/1.1 200" if is_served else b"HTTP/1.1 404")


def test_a_request_may_come_in_pieces(listeners: HttpListeners, port: int) -> None:
    """A request in pieces gets its response when it is complete."""
    with answered(listeners, f"127.0.0.1:{port}"), connect(port) as connection:
        for piece in (f"GET {PATH} HT", "TP/1.1\r\nHost: a.", "test\r\n", "\r\n"):
            connection.sendall(piece.encode())
        assert read_all(connection).endswith(ANSWER)


def test_a_client_that_goes_away_disturbs_nobody(listeners: HttpListeners, port: int) -> None:
    """After a reset before, in or after a request, the next client gets its response."""
    with answered(listeners, f"127.0.0.1:{port}"):
        for sent in (b"", b"GET ", f"GET {PATH} HTTP/1.1\r\n\r\n".encode()):
            with connect(port) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.sendall(sent)
        assert get(port).endswith(ANSWER)


def test_silent_clients_hold_up_nobody(listeners: HttpListeners, port: int) -> None:
    """Silent clients do not delay others."""
    with answered(listeners, f"127.0.0.1:{port}"):
        silent = [connect(port) for _ in range(20)]
        silent[0].sendall(b"GET ")
        assert get(port).endswith(ANSWER)
        for connection in silent:
            connection.close()


def test_a_client_that_takes_too_long_is_dropped(port: int) -> None:
    """A client that sends no request within 10 seconds is dropped."""
    now = [0.0]
    listeners = HttpListeners(monotonic=lambda: now[0])
    with answered(listeners, f"127.0.0.1:{port}"), connect(port) as slow:
        slow.sendall(b"GET ")
        assert get(port).endswith(ANSWER)  # so it was heard
        now[0] = 11.0
        assert read_all(slow) == b""


def test_when_too_many_come_the_oldest_goes(
    listeners: HttpListeners, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With too many silent clients, the oldest one is dropped for the CA."""
    monkeypatch.setattr(challenge_listeners, "_MAX_CLIENTS", 3)
    with answered(listeners, f"127.0.0.1:{port}"):
        crowd = [connect(port) for _ in range(3)]
        assert get(port).endswith(ANSWER)
        assert read_all(crowd[0]) == b""
        crowd[1].sendall(f"GET {PATH} HTTP/1.1\r\n\r\n".encode())
        assert read_all(crowd[1]).endswith(ANSWER)
        for connection in crowd:
            connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_one_address_cannot_push_out_another(listeners: HttpListeners, port: int) -> None:
    """However many silent connections one address opens, the CA keeps its older connection."""
    with answered(listeners, f"127.0.0.1:{port}"), connect(port) as ca, ExitStack() as crowd:
        ca.sendall(b"GET ")
        for _ in range(300):
            crowd.enter_context(connect(port, source="127.0.0.2"))
        assert get(port).endswith(ANSWER)  # so all before it were let in
        ca.sendall(f"{PATH} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert read_all(ca).endswith(ANSWER)


def test_a_host_of_blanks_costs_little() -> None:
    """A thousand requests whose Host is 8 KB of blanks are read in no time; it was four minutes."""
    request = f"GET {PATH} HTTP/1.1\r\nHost:".encode() + b" " * 8100
    assert not any(server._is_foreign(request, {HOST}) for _ in range(1000))


def test_without_a_handle_left_the_oldest_goes(
    listeners: HttpListeners, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a free file descriptor, the oldest client is dropped."""
    with answered(listeners, f"127.0.0.1:{port}"), connect(port) as waiting:
        assert get(port).endswith(ANSWER)  # so the waiting client was accepted
        real = socket.socket.accept
        refused: list[OSError] = []

        def accept(self: socket.socket) -> Any:
            if len(refused) < 2:
                refused.append(OSError(errno.EMFILE, "Too many open files"))
                raise refused[-1]
            return real(self)

        monkeypatch.setattr(socket.socket, "accept", accept)
        assert get(port).endswith(ANSWER)
        assert len(refused) == 2
        assert read_all(waiting) == b""


# ── when and where a port is open ───────────────────────────────────────────────────────


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize(
    ("listen", "four", "six"),
    [(":{}", True, True), ("127.0.0.1:{}", True, False), ("[::1]:{}", False, True), ("[::]:{}", False, True)],
)
def test_families(listeners: HttpListeners, port: int, listen: str, four: bool, six: bool) -> None:
    """``:80`` listens on all of IPv4 and IPv6; an address only on that one."""
    with answered(listeners, listen.format(port)):
        assert is_open(port) is four
        assert is_open(port, "::1") is six
        assert get(port, host="127.0.0.1" if four else "::1").endswith(ANSWER)


def test_a_port_is_open_as_long_as_somebody_needs_it(listeners: HttpListeners, port: int) -> None:
    """The port opens with the first response, closes with the last, and can be opened again at once."""
    listen = f"127.0.0.1:{port}"
    for _ in range(2):
        with answered(listeners, listen, "one", b"1"):
            with answered(listeners, listen, "two", b"2"):
                assert get(port, "/.well-known/acme-challenge/one").endswith(b"\r\n\r\n1")
                assert get(port, "/.well-known/acme-challenge/two").endswith(b"\r\n\r\n2")
            assert b" 404 " in get(port, "/.well-known/acme-challenge/two")
            listeners.check(listen)  # dnsrenew's own listener does not block
        assert not is_open(port)


def test_a_port_is_kept_open_around_its_responses(listeners: HttpListeners, port: int) -> None:
    """A kept port is open before the first response and after the last, also for two at once; a taken one is not."""
    listen = f"127.0.0.1:{port}"
    with listeners.kept_open([f":{port}"]):
        with listeners.kept_open([f"0.0.0.0:{port}"]), answered(listeners, f":{port}"):
            assert get(port).endswith(ANSWER)
        assert b" 404 " in get(port)
    assert not is_open(port)
    with socket.create_server(("127.0.0.1", port)) as other, listeners.kept_open([listen]):
        other.close()
        with answered(listeners, listen):
            assert get(port).endswith(ANSWER)
        assert not is_open(port)


def test_two_addresses_that_overlap_share(listeners: HttpListeners, port: int) -> None:
    """``:80`` and ``0.0.0.0:80`` share a socket, which closes with the last response of both."""
    with answered(listeners, f":{port}"):
        with answered(listeners, f"0.0.0.0:{port}", "two", b"2"):
            assert get(port, "/.well-known/acme-challenge/two").endswith(b"\r\n\r\n2")
        assert get(port).endswith(ANSWER)
    assert not is_open(port)


def test_one_token_for_two_certificates(listeners: HttpListeners, port: int) -> None:
    """Two orders may share an authorization: the first one to end does not remove the response of the other."""
    listen = f"127.0.0.1:{port}"
    with answered(listeners, listen):
        with answered(listeners, listen):
            pass
        assert get(port).endswith(ANSWER)


def test_removing_what_is_not_there_does_nothing(listeners: HttpListeners, port: int) -> None:
    """Removing an unknown port or token is no error."""
    Port(listeners, f":{port}", HOST).remove(TOKEN, ANSWER)
    with answered(listeners, f"127.0.0.1:{port}"):
        Port(listeners, f"127.0.0.1:{port}", HOST).remove("other", b"")
        assert get(port).endswith(ANSWER)


def test_many_threads_share_a_port(listeners: HttpListeners, port: int) -> None:
    """Concurrent certificates each have their response while they need it."""
    wrong: list[bytes] = []

    def certificate(number: int) -> None:
        for turn in range(5):
            token, content = f"t{number}-{turn}", b"%d-%d" % (number, turn)
            with answered(listeners, f"127.0.0.1:{port}", token, content):
                answer = get(port, f"/.well-known/acme-challenge/{token}")
                if not answer.endswith(b"\r\n\r\n" + content):
                    wrong.append(answer)

    threads = [threading.Thread(target=certificate, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert not is_open(port)


@pytest.mark.parametrize("taken", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_taken_port_names_who_has_it(listeners: HttpListeners, port: int, taken: str) -> None:
    """check() and add() raise the same error; on Linux it names the program and its process."""
    if ":" in taken and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with socket.socket(socket.AF_INET6 if ":" in taken else socket.AF_INET) as other:
        other.bind((taken, port))
        other.listen()
        attempts: list[Callable[[], None]] = [
            lambda: listeners.check(f":{port}"),
            lambda: Port(listeners, f":{port}", HOST).add(TOKEN, ANSWER),
        ]
        for attempt in attempts:
            with pytest.raises(ChallengeError) as caught:
                attempt()
            assert caught.value.code == "http-port-taken"
            assert f"Port {port}," in caught.value.message
            assert caught.value.evidence["errno"] == errno.EADDRINUSE
            if Path("/proc/net/tcp").exists():
                assert caught.value.evidence["pid"] == os.getpid()
                assert f"(process {os.getpid()} of {user_name(os.geteuid())})" in caught.value.message
    listeners.check(f":{port}")  # and it can be had when the other one is gone


def test_a_look_is_seen_by_nobody(listeners: HttpListeners, port: int) -> None:
    """Two concurrent checks of a port do not see each other as its owner."""
    endpoints = listeners._resolve(f":{port}")
    looking = listeners._open(f":{port}", endpoints, serve=False)
    try:
        listeners.check(f":{port}")
        assert not is_open(port)
    finally:
        for opened in looking.values():
            opened.close()


def failing_bind(monkeypatch: pytest.MonkeyPatch, number: int, *families: socket.AddressFamily) -> None:
    """Make the system refuse to bind some address families."""
    real = challenge_listeners.bound

    def bound(family: socket.AddressFamily, *others: Any) -> socket.socket:
        if family in families:
            raise OSError(number, os.strerror(number))
        return real(family, *others)

    monkeypatch.setattr(challenge_listeners, "bound", bound)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, "http-port-forbidden"),
        (errno.EPERM, "http-port-forbidden"),
        (errno.EMFILE, "http-port-failed"),
    ],
)
def test_what_the_system_refuses(
    listeners: HttpListeners, port: int, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    """Each refusal has its code and a fix; a family that was opened is closed again."""
    failing_bind(monkeypatch, number, socket.AF_INET6)
    with pytest.raises(ChallengeError, match=str(port)) as caught:
        Port(listeners, f":{port}", HOST).add(TOKEN, ANSWER)
    assert caught.value.code == code
    assert caught.value.fix
    assert not is_open(port)


def test_a_port_below_1024_may_be_forbidden(listeners: HttpListeners, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fix names the capability for a port below 1024."""
    failing_bind(monkeypatch, errno.EACCES, socket.AF_INET, socket.AF_INET6)
    with pytest.raises(ChallengeError) as caught:
        listeners.check(":80")
    assert "CAP_NET_BIND_SERVICE" in caught.value.fix


def test_a_host_without_ipv6_listens_on_ipv4(
    listeners: HttpListeners, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``:80`` uses the address families that the host has."""
    failing_bind(monkeypatch, errno.EAFNOSUPPORT, socket.AF_INET6)
    listeners.check(f":{port}")
    with answered(listeners, f":{port}"):
        assert get(port).endswith(ANSWER)
        listeners.check(f":{port}")


def test_a_host_without_any_family(listeners: HttpListeners, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without any address family is an error."""
    failing_bind(monkeypatch, errno.EAFNOSUPPORT, socket.AF_INET, socket.AF_INET6)
    with pytest.raises(ChallengeError) as caught:
        listeners.check(f":{port}")
    assert caught.value.code == "http-address-missing"


@pytest.mark.parametrize("host", ["203.0.113.7", "[fe80::1%nothing0]"])
def test_an_address_that_is_not_here(listeners: HttpListeners, port: int, host: str) -> None:
    """An address that this machine does not have is an error."""
    with pytest.raises(ChallengeError) as caught:
        listeners.check(f"{host}:{port}")
    assert caught.value.code == "http-address-missing"
    assert host in caught.value.message
    assert f'":{port}"' in caught.value.fix


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_a_server_that_cannot_start_leaves_nothing_open(
    listeners: HttpListeners, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no file descriptor is left for the second family, the first one is closed again."""
    started: list[socket.socket] = []

    def start(listening: socket.socket, monotonic: Any) -> server.HttpServer:
        if started:
            raise OSError(errno.EMFILE, "Too many open files")
        started.append(listening)
        return server.HttpServer(listening, monotonic)

    monkeypatch.setattr(server, "HttpServer", start)
    with pytest.raises(ChallengeError) as caught:
        Port(listeners, f":{port}", HOST).add(TOKEN, ANSWER)
    assert caught.value.code == "http-port-failed"
    assert not is_open(port)


# ── who has a port ──────────────────────────────────────────────────────────────────────


def fake_proc(root: Path, rows: Sequence[str], processes: Mapping[int, tuple[str, Sequence[str]]]) -> str:
    """Make a fake /proc with a table of sockets, and the name and sockets of each process."""
    (root / "net").mkdir(parents=True)
    (root / "net" / "tcp").write_text("  sl  local_address rem_address   st …\n" + "".join(f"{row}\n" for row in rows))
    for pid, (name, handles) in processes.items():
        (root / str(pid) / "fd").mkdir(parents=True)
        (root / str(pid) / "comm").write_text(f"{name}\n")
        for number, target in enumerate(handles):
            (root / str(pid) / "fd" / str(number)).symlink_to(target)
    return str(root)


def row(port: int, inode: int, state: str = "0A", uid: int = 0) -> str:
    """Return one line of /proc/net/tcp."""
    queues = "00000000:00000000 00:00000000 00000000"
    return f"   0: 00000000:{port:04X} 00000000:0000 {state} {queues} {uid} 0 {inode} 1 0 100"


def test_the_owner_is_the_first_process_that_holds_the_socket(tmp_path: Path) -> None:
    """The owner of a shared socket is its first process, not a worker."""
    processes = {
        1: ("systemd", ["/dev/null"]),
        1200: ("nginx", ["/dev/null", "socket:[77]"]),
        812: ("nginx", ["socket:[77]"]),
    }
    proc = fake_proc(tmp_path, [row(81, 76), row(80, 75, "01"), row(80, 77, uid=54321)], processes)
    assert owner_of(80, proc) == PortOwner(812, "nginx", "54321")


def test_the_name_of_the_owner_is_printable(tmp_path: Path) -> None:
    """Any local user chooses the name of a program: its line breaks and escape sequences stay out of messages."""
    processes = {812: ("x.\n+ ok\x1b[2J" + "y" * 100, ["socket:[77]"]), 900: ("\x1b\n", ["socket:[78]"])}
    proc = fake_proc(tmp_path, [row(80, 77), row(443, 78)], processes)
    assert owner_of(80, proc) == PortOwner(812, "x. + ok [2J" + "y" * 21, "root")
    assert owner_of(443, proc) == PortOwner(900, "a program", "root")


def test_an_owner_that_cannot_be_told(tmp_path: Path) -> None:
    """The owner is None for a process of another user, without /proc, and for a socket that does not listen."""
    proc = fake_proc(tmp_path / "proc", [row(80, 77), row(443, 78, "01"), "", "rubbish"], {812: ("nginx", [])})
    assert owner_of(80, proc) is None
    assert owner_of(443, proc) is None
    assert owner_of(80, str(tmp_path / "none")) is None


# ── a webroot ───────────────────────────────────────────────────────────────────────────


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Set another umask within the context."""
    old = os.umask(mask)
    try:
        yield
    finally:
        os.umask(old)


def webroot_at(path: Path, *, handles: bool = HANDLES) -> Webroot:
    """Return a webroot."""
    return Webroot(PublicFiles(str(path), FOLDERS, handles=handles))


def tree(root: Path) -> list[str]:
    """Return all paths below a folder."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


@ways
def test_a_file_is_written_and_goes_without_a_trace(tmp_path: Path, handles: bool) -> None:
    """The file has exactly the key authorization; removing it removes the folders that were made."""
    webroot = webroot_at(tmp_path, handles=handles)
    webroot.add(TOKEN, ANSWER)
    assert (tmp_path / PATH[1:]).read_bytes() == ANSWER
    assert webroot.problem(TOKEN, ANSWER) is None
    webroot.remove(TOKEN, ANSWER)
    assert tree(tmp_path) == []


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o177])
def test_everybody_may_read_under_any_umask(tmp_path: Path, mask: int) -> None:
    """Files get mode 0644 and folders 0755 under any umask, because the web server is another user."""
    webroot = webroot_at(tmp_path)
    with umask(mask):
        webroot.add(TOKEN, ANSWER)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in tree(tmp_path)]
    assert modes == [0o755, 0o755, 0o644]
    webroot.remove(TOKEN, ANSWER)


@ways
def test_what_stood_there_stays(tmp_path: Path, handles: bool) -> None:
    """Existing folders and files are not removed."""
    (tmp_path / ".well-known").mkdir()
    (tmp_path / ".well-known" / "security.txt").write_text("hello")
    webroot = webroot_at(tmp_path, handles=handles)
    webroot.add(TOKEN, ANSWER)
    (tmp_path / ".well-known/acme-challenge/foreign").write_text("x")
    webroot.remove(TOKEN, ANSWER)
    expected = [".well-known", ".well-known/acme-challenge", ".well-known/acme-challenge/foreign"]
    assert tree(tmp_path) == [*expected, ".well-known/security.txt"]


def test_the_folders_go_with_the_last_file(tmp_path: Path) -> None:
    """A token of two certificates and its folders stay until both have removed it."""
    webroot = webroot_at(tmp_path)
    webroot.add(TOKEN, ANSWER)
    webroot.add(TOKEN, ANSWER)
    webroot.add("other", b"x")
    webroot.remove(TOKEN, ANSWER)
    assert (tmp_path / PATH[1:]).read_bytes() == ANSWER
    webroot.remove(TOKEN, ANSWER)
    assert tree(tmp_path) == [".well-known", ".well-known/acme-challenge", ".well-known/acme-challenge/other"]
    webroot.remove("other", b"x")
    assert tree(tmp_path) == []


def test_a_look_leaves_nothing(tmp_path: Path) -> None:
    """check() writes a file and leaves nothing behind."""
    webroot_at(tmp_path).check("probe")
    assert tree(tmp_path) == []


@ways
def test_a_file_that_is_left_over_is_replaced(tmp_path: Path, handles: bool) -> None:
    """An old file or link is replaced, never written to."""
    outside = tmp_path / "outside"
    outside.write_text("mine")
    place = tmp_path / "web/.well-known/acme-challenge"
    place.mkdir(parents=True)
    (place / "left").write_text("a longer text than the answer")
    (place / "link").symlink_to(outside)
    webroot = webroot_at(tmp_path / "web", handles=handles)
    for name in ("left", "link"):
        webroot.add(name, b"new")
        assert (place / name).read_bytes() == b"new"
        assert not (place / name).is_symlink()
    assert outside.read_text() == "mine"


@ways
@pytest.mark.parametrize("link", [".well-known", ".well-known/acme-challenge"])
def test_a_link_out_of_the_webroot_is_refused(tmp_path: Path, link: str, handles: bool) -> None:
    """A link out of the webroot is an error with its target, and nothing is written there."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "web" / link).parent.mkdir(parents=True)
    (tmp_path / "web" / link).symlink_to(outside)
    webroot = webroot_at(tmp_path / "web", handles=handles)
    with pytest.raises(ChallengeError) as caught:
        webroot.check("probe")
    assert caught.value.code == "http-webroot-link"
    assert str(outside) in caught.value.message
    assert tree(outside) == []


def test_a_link_to_another_drive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to another Windows drive, or to a folder with the same prefix, is refused."""

    def no_common(paths: Sequence[str]) -> str:
        return ntpath.commonpath(["C:\\web", "D:\\x"])

    monkeypatch.setattr(os.path, "commonpath", no_common)
    (tmp_path / "website").mkdir()
    (tmp_path / "web").mkdir()
    (tmp_path / "web/.well-known").symlink_to(tmp_path / "website")
    with pytest.raises(ChallengeError) as caught:
        webroot_at(tmp_path / "web").check("probe")
    assert caught.value.code == "http-webroot-link"


@ways
def test_a_link_that_comes_in_between_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handles: bool
) -> None:
    """If a folder is swapped for a link after the check, nothing is written through it."""
    outside = tmp_path / "outside"
    (outside / "acme-challenge").mkdir(parents=True)
    (tmp_path / "web").mkdir()
    (tmp_path / "web/.well-known").symlink_to(outside)
    webroot = webroot_at(tmp_path / "web", handles=handles)
    monkeypatch.setattr(webroot.files, "_steps", lambda: [".well-known", "acme-challenge"])
    with pytest.raises(ChallengeError) as caught:
        webroot.add(TOKEN, ANSWER)
    assert caught.value.code == "http-webroot-unwritable"
    assert tree(outside) == ["acme-challenge"]


@ways
def test_links_within_the_webroot_and_to_it_are_fine(tmp_path: Path, handles: bool) -> None:
    """The webroot may be a link, and links inside it may point inside it."""
    (tmp_path / "real/public").mkdir(parents=True)
    (tmp_path / "web").symlink_to("real")
    (tmp_path / "real/.well-known").symlink_to("public")
    webroot = webroot_at(tmp_path / "web", handles=handles)
    webroot.add(TOKEN, ANSWER)
    assert (tmp_path / "web" / PATH[1:]).read_bytes() == ANSWER
    webroot.remove(TOKEN, ANSWER)
    assert tree(tmp_path / "real") == [".well-known", "public"]


@ways
@pytest.mark.parametrize("is_file", [True, False])
def test_a_webroot_that_is_no_folder(tmp_path: Path, is_file: bool, handles: bool) -> None:
    """A missing webroot is an error and is not created: no web server would serve it."""
    path = tmp_path / "web"
    if is_file:
        path.write_text("x")
    with pytest.raises(ChallengeError) as caught:
        webroot_at(path, handles=handles).check("probe")
    assert caught.value.code == "http-webroot-missing"
    assert str(path) in caught.value.message


@ways
def test_a_file_in_the_way(tmp_path: Path, handles: bool) -> None:
    """A file in place of a folder is an error; the file stays."""
    (tmp_path / ".well-known").write_text("x")
    with pytest.raises(ChallengeError) as caught:
        webroot_at(tmp_path, handles=handles).check("probe")
    assert caught.value.code == "http-webroot-unwritable"
    assert "Not a directory" in caught.value.message
    assert (tmp_path / ".well-known").read_text() == "x"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_webroot_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The error has the reason of the system, and nothing is left in the webroot."""

    def create(self: OpenFolder, name: str, mode: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(OpenFolder, "create", create)
    with pytest.raises(ChallengeError) as caught:
        webroot_at(tmp_path).check("probe")
    assert caught.value.code == "http-webroot-unwritable"
    assert os.strerror(number) in caught.value.message
    assert caught.value.evidence["errno"] == number
    assert tree(tmp_path) == []
    monkeypatch.setenv("INVOCATION_ID", "0123456789abcdef0123456789abcdef")
    monkeypatch.setattr("dnsrenew.base.files._CONTROL_GROUP", "/nonexistent")
    with pytest.raises(ChallengeError) as in_unit:
        webroot_at(tmp_path).check("probe")
    assert ("dnsrenew schedule install" in in_unit.value.fix) == (number == errno.EROFS)


def test_folders_that_another_run_removes_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that another process removes at the same time are made again."""
    real = OpenFolder.write
    times: list[int] = []

    def write(self: OpenFolder, name: str, content: bytes) -> None:
        if not times:
            times.append(1)
            (tmp_path / ".well-known/acme-challenge").rmdir()
            (tmp_path / ".well-known").rmdir()
        real(self, name, content)

    monkeypatch.setattr(OpenFolder, "write", write)
    webroot = webroot_at(tmp_path)
    webroot.add(TOKEN, ANSWER)
    assert (tmp_path / PATH[1:]).read_bytes() == ANSWER
    webroot.remove(TOKEN, ANSWER)
    assert tree(tmp_path) == []


def test_what_became_of_a_file_is_seen(tmp_path: Path) -> None:
    """problem() finds other content and a missing file; removing a missing file is no error."""
    webroot = webroot_at(tmp_path)
    webroot.add(TOKEN, ANSWER)
    (tmp_path / PATH[1:]).write_text("other")
    assert webroot.problem(TOKEN, ANSWER) == "its file has other content"
    (tmp_path / PATH[1:]).unlink()
    assert "cannot be read" in (webroot.problem(TOKEN, ANSWER) or "")
    webroot.remove(TOKEN, ANSWER)
    assert tree(tmp_path) == []


# ── a webroot that belongs to another user ──────────────────────────────────────────────

NOBODY: Final = 65534
posix = pytest.mark.skipif(not HANDLES, reason="there are no FIFOs and owners here")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be the user that owns the webroot, if the tests run as root."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.fixture
def foreign() -> Iterator[Path]:
    """Make a webroot whose ``.well-known/acme-challenge`` belongs to another user."""
    with tempfile.TemporaryDirectory(prefix="dnsrenew-web-") as name:
        folder = Path(name) / ".well-known/acme-challenge"
        folder.mkdir(parents=True)
        for path in (Path(name), folder.parent, folder):
            path.chmod(0o755)
            if os.geteuid() == 0:
                os.chown(path, NOBODY, NOBODY)
        yield Path(name)


@posix
@ways
def test_a_pipe_in_place_of_the_file_holds_nothing_up(foreign: Path, handles: bool) -> None:
    """The look names the pipe; removing, writing over it and looking at what is there never wait for a writer."""
    webroot, path = webroot_at(foreign, handles=handles), foreign / PATH[1:]
    webroot.add(TOKEN, ANSWER)
    with as_nobody():
        path.unlink()
        os.mkfifo(path)
    look = threads.start(lambda: webroot.problem(TOKEN, ANSWER))
    assert look.done.wait(PATIENCE)
    assert look.result() == "its file cannot be read (it is a pipe)"
    webroot.add(TOKEN, ANSWER)
    assert webroot.problem(TOKEN, ANSWER) is None
    with as_nobody():
        path.unlink()
        os.mkfifo(path)
    webroot.remove(TOKEN, ANSWER)
    webroot.remove(TOKEN, ANSWER)
    assert list(path.parent.iterdir()) == []


@pytest.mark.skipif(not HANDLES or os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_file_server_may_give_the_folders_of_root_to_another_user(
    foreign: Path, monkeypatch: pytest.MonkeyPatch, mask: int
) -> None:
    """NFS does, with ``root_squash``: all can read them nevertheless."""
    shutil.rmtree(foreign / ".well-known")
    make = os.mkdir

    def make_and_give(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        make(path, mode, dir_fd=dir_fd)
        os.chown(path, NOBODY, NOBODY, dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", make_and_give)
    with umask(mask):
        webroot_at(foreign).add(TOKEN, ANSWER)
    modes = [stat.S_IMODE((foreign / name).stat().st_mode) for name in tree(foreign)]
    assert modes == [0o755, 0o755, 0o644]


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077])
@pytest.mark.parametrize("content", [(), ("secret",)], ids=["empty", "full"])
def test_a_folder_that_was_swapped_keeps_its_mode(
    foreign: Path, monkeypatch: pytest.MonkeyPatch, content: Sequence[str], mask: int
) -> None:
    """If the owner of the webroot swaps a new folder for a private one, the private one keeps its mode."""
    private, place = foreign / "private", foreign / ".well-known"
    private.mkdir(mode=0o700)
    for name in content:
        (private / name).touch()
    shutil.rmtree(place)
    make = os.mkdir

    def make_and_swap(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        make(path, mode, dir_fd=dir_fd)
        with as_nobody():
            place.rename(foreign / "away")
            private.rename(place)

    monkeypatch.setattr(os, "mkdir", make_and_swap)
    with umask(mask), pytest.raises(ChallengeError) as caught:
        webroot_at(foreign).add(TOKEN, ANSWER)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert tree(place) == list(content)
    assert caught.value.code == "http-webroot-unwritable"
    assert "another user replaced the folder" in caught.value.message


# ── the challenge ───────────────────────────────────────────────────────────────────────


@dataclass
class Recorder:
    """A context and its events."""

    events: list[Event] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)

    @property
    def kinds(self) -> list[str]:
        """Return the kinds of the events."""
        return [event.kind for event in self.events]

    def context(self, cancel: threading.Event | None = None) -> Context:
        """Return a context that records its events."""
        return Context(
            clock=self.clock, emitter=Emitter(self.clock, self.events.append), cancel=cancel or threading.Event()
        )


def two_places(http01: Http01, context: Context, listen: str, webroot: Path) -> dict[str, HttpPlacement]:
    """Where the responses for two names are served: by a listener, and from a webroot."""
    by_listener = http01.place(context, ["a.test"], Route("http-01", listen=listen))
    return by_listener | http01.place(context, ["b.test"], Route("http-01", webroot=webroot))


def test_the_way_of_an_answer(listeners: HttpListeners, port: int, tmp_path: Path) -> None:
    """A listener and a webroot: placed, published, visible and withdrawn."""
    recorder, http01 = Recorder(), Http01(listeners=listeners)
    context = recorder.context()
    listen = f"127.0.0.1:{port}"
    placed = two_places(http01, context, listen, tmp_path)
    assert list(placed) == ["a.test", "b.test"]
    assert (placed["a.test"].listen, placed["a.test"].webroot) == (listen, None)
    assert (placed["b.test"].listen, placed["b.test"].webroot) == (None, str(tmp_path))
    assert not is_open(port)
    assert tree(tmp_path) == []
    values = [http01.value(placement, TOKEN, ANSWER.decode()) for placement in placed.values()]
    http01.publish(context, values)
    http01.wait_visible(context, values)
    assert get(port).endswith(ANSWER)
    assert (tmp_path / PATH[1:]).read_bytes() == ANSWER
    http01.withdraw(context, values)
    http01.withdraw(context, values)  # once more does nothing
    assert not is_open(port)
    assert tree(tmp_path) == []
    assert recorder.kinds == ["http-published", "http-visible", "http-removed"]
    answers = [
        {"identifier": "a.test", "url": f"http://a.test{PATH}", "listen": listen, "webroot": None},
        {"identifier": "b.test", "url": f"http://b.test{PATH}", "listen": None, "webroot": str(tmp_path)},
    ]
    assert [event.data["answers"] for event in recorder.events] == [answers] * 3


def test_port_80_is_where_it_listens_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """A route without listen or webroot uses ``:80``."""
    asked: list[str] = []
    listeners = HttpListeners()
    monkeypatch.setattr(listeners, "check", asked.append)
    placed = Http01(listeners=listeners).place(Context(), ["a.test"], Route("http-01"))
    assert asked == [":80"]
    assert placed["a.test"].listen == ":80"


def test_a_wildcard_has_no_place(listeners: HttpListeners) -> None:
    """A wildcard is refused, because http-01 cannot validate it."""
    with pytest.raises(ChallengeError) as caught:
        Http01(listeners=listeners).place(Context(), ["*.a.test"], Route("http-01", listen="203.0.113.7:80"))
    assert caught.value.code == "http-wildcard"
    assert caught.value.evidence == {"identifiers": ["*.a.test"]}


def test_a_place_that_cannot_be_had_names_who_wanted_it(listeners: HttpListeners, tmp_path: Path) -> None:
    """The error has the identifiers of its route."""
    bad = Route("http-01", webroot=tmp_path / "none")
    with pytest.raises(ChallengeError) as caught:
        Http01(listeners=listeners).place(Context(), ["b.test", "c.test"], bad)
    assert caught.value.code == "http-webroot-missing"
    assert caught.value.evidence["identifiers"] == ["b.test", "c.test"]


@pytest.mark.parametrize("token", ["", "../../etc/passwd", "a/b", "a.b", "ä", "a\n", "x" * 201, "%2e"])
def test_a_token_that_is_none(listeners: HttpListeners, tmp_path: Path, token: str) -> None:
    """A token becomes a file name, so anything but base64url is refused."""
    http01 = Http01(listeners=listeners)
    placed = http01.place(Context(), ["a.test"], Route("http-01", webroot=tmp_path))
    with pytest.raises(CAError) as caught:
        http01.value(placed["a.test"], token, f"{token}.x")
    assert caught.value.code == "ca-malformed-answer"


def test_a_publish_that_fails_half_way_leaves_nothing(listeners: HttpListeners, port: int, tmp_path: Path) -> None:
    """After a failed publish, withdraw() removes exactly the published values."""
    http01, context = Http01(listeners=listeners), Recorder().context()
    listen = f"127.0.0.1:{port}"
    webroot = tmp_path / "web"
    webroot.mkdir()
    placed = two_places(http01, context, listen, webroot)
    webroot.rmdir()
    values = [http01.value(placement, TOKEN, ANSWER.decode()) for placement in placed.values()]
    other = http01.value(placed["a.test"], TOKEN, ANSWER.decode())
    http01.publish(context, [other])  # another certificate, the same token
    with pytest.raises(ChallengeError, match="is not a folder"):
        http01.publish(context, values)
    http01.withdraw(context, values)
    assert get(port).endswith(ANSWER)
    http01.withdraw(context, [other])
    assert not is_open(port)


def test_what_is_not_served_is_an_error(listeners: HttpListeners, port: int, tmp_path: Path) -> None:
    """A wrong response, a closed listener and a changed file are each `http-not-served`."""
    http01, context = Http01(listeners=listeners), Recorder().context()
    listen = f"127.0.0.1:{port}"
    placed = two_places(http01, context, listen, tmp_path)
    values = [http01.value(placement, TOKEN, ANSWER.decode()) for placement in placed.values()]
    http01.publish(context, values)
    (tmp_path / PATH[1:]).write_text("other")
    (server,) = listeners._servers.values()
    server.contents.add(TOKEN, TokenResponse(HOST, b"other"))
    for value, why in zip(
        values, (f"127.0.0.1:{port} responds with something else", "its file has other content"), strict=True
    ):
        with pytest.raises(ChallengeError, match=why) as caught:
            http01.wait_visible(context, [value])
        assert caught.value.code == "http-not-served"
        assert caught.value.evidence["identifier"] == value.placement.identifier
    server.contents.remove(TOKEN, TokenResponse(HOST, b"other"))
    server.stop()
    with pytest.raises(ChallengeError, match="the listener does not respond"):
        http01.wait_visible(context, values)
    listeners._servers.clear()
    http01.withdraw(context, values)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("reachable", [True, False])
def test_ipv6_that_is_switched_off_is_no_problem(
    listeners: HttpListeners, port: int, monkeypatch: pytest.MonkeyPatch, reachable: bool
) -> None:
    """With IPv6 disabled, Linux can bind ``::`` but not reach ``::1``: the check then needs IPv4 only."""
    real = socket.create_connection

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        if ":" in address[0] or not reachable:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return real(address, timeout)

    with answered(listeners, f":{port}"):
        monkeypatch.setattr(socket, "create_connection", connect)
        problem = Port(listeners, f":{port}", HOST).problem(TOKEN, ANSWER)
    assert (problem is None) is reachable


def test_what_cannot_be_removed_is_a_warning(
    listeners: HttpListeners, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed removal is a warning, and the other values are removed."""
    recorder, http01 = Recorder(), Http01(listeners=listeners)
    context = recorder.context()
    route = Route("http-01", webroot=tmp_path)
    placed = http01.place(context, ["a.test", "b.test"], route)
    values = [http01.value(placed[name], name[0], name) for name in placed]
    http01.publish(context, values)
    real = OpenFolder.remove

    def remove(self: OpenFolder, name: str) -> None:
        if name == "a":
            raise PermissionError(errno.EACCES, "Permission denied")
        real(self, name)

    monkeypatch.setattr(OpenFolder, "remove", remove)
    http01.withdraw(context, values)
    assert tree(tmp_path)[-1] == ".well-known/acme-challenge/a"
    assert recorder.kinds == ["http-published", "http-kept", "warning"]
    (notice,) = context.notices
    assert notice.code == "http-kept"
    assert str(tmp_path) in notice.message
    assert "Permission denied" in notice.message


class SlowResponder:
    """A responder that is slow, as a folder on a dead file server."""

    def __init__(self) -> None:
        self.begun, self.go, self.done = threading.Event(), threading.Event(), threading.Event()
        self.served: list[str] = []

    def check(self, _probe: str) -> None:
        """Accept it."""

    def add(self, token: str, content: bytes) -> None:
        """Serve it late."""
        self.begun.set()
        assert self.go.wait(PATIENCE)
        self.served.append(token)

    def remove(self, token: str, content: bytes) -> None:
        """Remove at once."""
        self.served.remove(token)
        self.done.set()

    def problem(self, token: str, content: bytes) -> str | None:
        """Find nothing wrong."""
        return None


def test_a_publish_that_is_left_behind_undoes_itself(listeners: HttpListeners) -> None:
    """A cancel does not wait for a slow publish, which afterwards removes what it has published."""
    responder, cancel, http01 = SlowResponder(), threading.Event(), Http01(listeners=listeners)
    context = Recorder().context(cancel)
    value = HttpValue(HttpPlacement("a.test", responder, webroot="/slow"), TOKEN, ANSWER.decode())

    def cancel_it() -> None:
        responder.begun.wait(PATIENCE)
        cancel.set()

    threading.Thread(target=cancel_it, daemon=True).start()
    with pytest.raises(Cancelled):
        http01.publish(context, [value])
    http01.withdraw(context, [value])
    responder.go.set()
    assert responder.done.wait(PATIENCE)
    assert responder.served == []


@pytest.mark.parametrize("step", ["check", "add", "problem"])
def test_a_file_system_that_hangs_is_not_waited_for(
    listeners: HttpListeners, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The preflight, the publishing and the look have a time limit; what is published later is removed again."""
    recorder, responder, http01 = Recorder(), SlowResponder(), Http01(listeners=listeners)
    context, real = recorder.context(), getattr(responder, step)
    monkeypatch.setattr(http01, "_placement", lambda name, _route: HttpPlacement(name, responder, webroot="/slow"))

    def hang(*arguments: Any) -> Any:
        recorder.clock.elapsed += 31
        assert hanging.wait(PATIENCE)
        return real(*arguments)

    def serve() -> None:
        placed = http01.place(context, ["a.test"], Route("http-01", webroot=tmp_path))
        values = [http01.value(placed["a.test"], TOKEN, ANSWER.decode())]
        http01.publish(context, values)
        http01.wait_visible(context, values)

    hanging = threading.Event()
    responder.go.set()
    monkeypatch.setattr(responder, step, hang)
    with pytest.raises(ChallengeError) as caught:
        serve()
    assert caught.value.code == "http-not-served"
    assert caught.value.evidence["identifiers"] == ["a.test"]
    assert "at /slow could not be written or read within 30 seconds" in caught.value.message
    hanging.set()
    if step == "add":
        assert responder.done.wait(PATIENCE)
        assert responder.served == []


def test_withdrawing_ends_when_there_is_no_time_left(listeners: HttpListeners, monkeypatch: pytest.MonkeyPatch) -> None:
    """A removal that hangs is abandoned at the time limit, with a warning."""
    recorder, responder, http01 = Recorder(), SlowResponder(), Http01(listeners=listeners)
    responder.go.set()
    context = recorder.context()
    value = HttpValue(HttpPlacement("a.test", responder, webroot="/slow"), TOKEN, ANSWER.decode())
    http01.publish(context, [value])
    hang = threading.Event()

    def remove(token: str, content: bytes) -> None:
        recorder.clock.elapsed += 61  # the time that it takes
        hang.wait(PATIENCE)

    monkeypatch.setattr(responder, "remove", remove)
    http01.withdraw(context, [value])
    hang.set()
    assert recorder.kinds == ["http-published", "http-kept", "warning"]
    assert "no time was left" in context.notices[0].message
