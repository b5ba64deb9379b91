"""No request without a time-out: checked in the source, with the figures that other tests shorten."""

from __future__ import annotations

import ast
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import dns.rdatatype
import pytest

import dnsrenew
from dnsrenew.base import http as client
from dnsrenew.base.http import connections
from dnsrenew.base.runtime import Context
from dnsrenew.dns import wire
from dnsrenew.dns.query_engine import QueryEngine
from dnsrenew.dns.wire import DnsQuestion
from dnsrenew.drivers import host_api, rfc2136
from dnsrenew.extensions.hosts.lexicon import process

PACKAGE: Final = Path(dnsrenew.__file__).parent
SOURCES: Final = {str(path.relative_to(PACKAGE)): path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}

FORBIDDEN: Final = (
    "request.urlopen",
    "requests.get",
    "requests.head",
    "requests.post",
    "requests.put",
    "requests.request",
    "requests.Session",
    "http.client.HTTPConnection",
    "http.client.HTTPSConnection",
    "dns.query.",
    "resolver.resolve",
    "subprocess.Popen",
    "subprocess.getoutput",
    "os.system",
)
"""Calls without a time-out by default; the package has replacements for them."""
LIMITED: Final = (
    "subprocess.run",
    "subprocess.check_output",
    "subprocess.check_call",
    "socket.create_connection",
    "manager.urlopen",
)
"""Calls that need a time-out."""
WAITS: Final = (".wait", ".join", ".acquire")
"""Methods that wait without a limit if called without arguments."""

EXCEPTIONS: Final = {
    ("cli/schedule_note.py", "wait"): "the search for schedules, whose programs have time-outs",
    ("cli/status.py", "wait"): "as in cli/schedule_note.py",
    ("renewal/deploying.py", "wait"): "deployments, whose calls and locks have time-outs",
    ("dns/lookup.py", "socket"): "a datagram socket that nothing is sent over",
    ("challenges/listeners.py", "wait"): "its thread has been told to stop",
    ("challenges/http01.py", "socket"): "a datagram socket that nothing is sent over",
    ("challenges/listeners.py", "socket"): "it listens, and whoever accepts from it sets it to not block",
    ("challenges/listeners.py", "getaddrinfo"): "of what the user has this machine listen on",
    ("testing/box/order_server.py", "call"): "the connection that it is made of has a time-out",
    ("deploy/http_api.py", "call"): "a connection with a time limit, of a protocol that our HTTP client does not speak",
    ("acme/new_order.py", "wait"): "a pace, which knows its end",
    ("acme/session.py", "wait"): "a pace, which knows its end",
    ("extensions/fleet/queue.py", "wait"): "a task of asyncio, which a stop, a lost database or a cancel ends",
    ("extensions/fleet/serving/context.py", "wait"): "its threads have been told to stop",
    ("extensions/fleet/worker.py", "wait"): "of asyncio, within a time-out",
    ("extensions/fleet/status.py", "wait"): "statements, which have a time limit",
    ("extensions/doctor/host/machine.py", "socket"): "a datagram socket that nothing is sent over",
    (
        "extensions/doctor/router/upnp.py",
        "socket",
    ): "a datagram socket that is read only when it has something, until a deadline",
    ("base/small_server.py", "getaddrinfo"): "of what the user has this machine listen on",
    ("base/threads.py", "wait"): "for other tasks of the run, or an await that is cancelled from outside: both end",
    ("extensions/serve/sockets.py", "socket"): "it listens, and the event loop accepts from it",
    ("extensions/serve/supervisor.py", "wait"): "for its processes, until a signal arrives",
    (
        "extensions/doctor/issuer/stages.py",
        "getaddrinfo",
    ): "the system's resolver has time-outs of its own, and the check is left at its end",
    (
        "base/http/connections.py",
        "getaddrinfo",
    ): "the system's resolver has time-outs of its own, and the caller can leave it",
    ("dns/lookup.py", "getaddrinfo"): "the system's resolver has time-outs of its own, and the caller can leave it",
    ("deploy/verify.py", "getaddrinfo"): "the same: a cancel leaves it",
    (
        "base/subprocesses.py",
        "call",
    ): "a program that is ended when its time is over, and another thread reads its output",
}


def findings(source: str) -> Iterator[tuple[str, int]]:
    """Yield the calls that may wait without a limit, each with its word and line."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef | ast.Module):
            yield from _in_function(function)


def _in_function(function: ast.FunctionDef | ast.Module) -> Iterator[tuple[str, int]]:
    calls = list(_calls(function))
    limits = any(ast.unparse(call.func).endswith((".settimeout", ".setblocking")) for call in calls)
    for call in calls:
        name = ast.unparse(call.func)
        given = {keyword.arg for keyword in call.keywords}
        if any(word in name for word in FORBIDDEN):
            yield "call", call.lineno
        if name in LIMITED and not given & {"timeout", None}:
            yield "time-out", call.lineno
        if name.endswith(WAITS) and not call.args and not given:
            yield "wait", call.lineno
        if name in {"socket.socket", "self._make_socket"} and not limits:
            yield "socket", call.lineno
        if name.endswith("getaddrinfo"):
            yield "getaddrinfo", call.lineno


def _calls(function: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls in a function, without those in functions inside it."""
    for node in ast.iter_child_nodes(function):
        if isinstance(node, ast.Call):
            yield node
        if not isinstance(node, ast.FunctionDef):
            yield from _calls(node)


def test_nothing_waits_without_an_end() -> None:
    """Every call that waits for another party has a time-out, or is an exception with a reason."""
    found = [(path, word, line) for path, source in SOURCES.items() for word, line in findings(source)]
    assert [f"{path}:{line}: {word}" for path, word, line in found if (path, word) not in EXCEPTIONS] == []


def test_every_exception_is_needed() -> None:
    """Every exception in the table is still needed."""
    assert {(path, word) for path, source in SOURCES.items() for word, _ in findings(source)} == set(EXCEPTIONS)


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("urllib.request.urlopen(url)", "call"),
        ("def f():\n    return requests.get(url, timeout=3)", "call"),
        ("answer = dns.query.udp(message, server)", "call"),
        ("subprocess.run(['true'])", "time-out"),
        ("manager.urlopen('GET', url)", "time-out"),
        ("socket.create_connection(address)", "time-out"),
        ("def f(event):\n    event.wait()", "wait"),
        ("def f():\n    link = socket.socket()\n    link.recv(1)", "socket"),
        ("def f():\n    def g():\n        link.settimeout(1)\n    return socket.socket()", "socket"),
        ("socket.getaddrinfo(host, 53)", "getaddrinfo"),
    ],
)
def test_a_call_without_a_time_out_is_found(source: str, word: str) -> None:
    """The search finds each form of a call without a time-out."""
    assert [found for found, _ in findings(source)] == [word]


@pytest.mark.parametrize(
    "source",
    [
        "subprocess.run(['true'], timeout=3)",
        "def f():\n    link = socket.socket()\n    link.settimeout(3)",
        "def f(event):\n    event.wait(3)",
        "', '.join(names)",
    ],
)
def test_a_call_with_a_time_out_is_not_found(source: str) -> None:
    """The search finds no fault in a call with a time-out."""
    assert list(findings(source)) == []


def test_the_time_outs_are_those_of_the_documents() -> None:
    """Ten seconds to connect and thirty for a request, to a CA and to a DNS host; an answer has at most one MiB."""
    assert connections.TIMEOUT == (10.0, 30.0)
    assert client.MAX_BYTES == 1 << 20
    assert (rfc2136.CONNECT_SECONDS, rfc2136.REQUEST_SECONDS) == (10.0, 30.0)
    assert (host_api.CONNECT_SECONDS, host_api.REQUEST_SECONDS) == (10.0, 30.0)
    assert (process.CONNECT_SECONDS, process.READ_SECONDS) == (10.0, 30.0)


class Flooded(socket.socket):
    """A socket that always has one more datagram that answers nothing."""

    def recv(self, *_: Any) -> bytes:
        """Return noise without removing the real datagram."""
        return b"not an answer"


def test_a_flood_of_forged_answers_has_an_end() -> None:
    """Forged answers do not extend the time of the query."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        address = server.getsockname()
        with QueryEngine(Context(), make_socket=Flooded) as engine:
            engine.submit(address, DnsQuestion(wire.from_text("flooded.test"), dns.rdatatype.TXT), udp=0.3, tcp=0)
            engine.receive(0.0)
            question, back = server.recvfrom(512)
            server.sendto(question, back)  # from now on there is something to read
            replies = engine.receive(10.0)
    assert [reply.reason for reply in replies] == ["did not answer"]
