"""The pace of the propagation wait and its reports, without servers or real time."""

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.dns import propagation, query_engine, wire
from dnsrenew.dns import server_poll as poll_module
from dnsrenew.dns.lookup import Doh, NoDohAnswer, only_local
from dnsrenew.dns.propagation import PollingRounds, wait_at_doh
from dnsrenew.dns.query_engine import PER_ADDRESS, QueryEngine, SocketLimit
from dnsrenew.dns.server_poll import AddressAnswer, ServerPoll, gap
from dnsrenew.dns.wire import Address, DnsQuestion, Message, Reply
from dnsrenew.dns.zones import NameServer
from dnsrenew.errors import PropagationError
from tests.kit.clock import FakeClock
from tests.kit.load import allowed

ZONE = wire.from_text("example.test")
TXT = dns.rdatatype.TXT
QUESTION = DnsQuestion(wire.from_text("a.example.test"), TXT)


def answer(question: DnsQuestion, *values: str, zone_serial: int = 7) -> Message:
    """An answer with authority and these values."""
    records = "".join(f'{question.name} 60 IN TXT "{value}"\n' for value in values)
    soa = "" if values else f";AUTHORITY\n{ZONE} 60 IN SOA ns. me. {zone_serial} 2 3 4 5\n"
    text = f"id 1\nflags QR AA\n;QUESTION\n{question.name} IN TXT\n;ANSWER\n{records}{soa}"
    return dns.message.from_text(text)


UNASKED = -1.0
"""There is no socket to ask it with."""


FAILING = -2.0
"""It answers SERVFAIL."""


class Scripted(QueryEngine):
    """Name servers that answer at once. `shows` has the time at which each address has the value (None: silence)."""

    def __init__(self, context: Context, time: FakeClock, shows: dict[str, float | None]) -> None:
        super().__init__(context)
        self.time = time
        self.shows = shows
        self.fails_from: float | None = None  # an address that does not have the value yet fails from then on
        self.asked: list[tuple[float, str, str]] = []
        self.pending: list[Reply] = []

    def submit(self, address: Address, question: DnsQuestion, *, udp: float, tcp: float) -> None:
        """Note it, and have the reply ready."""
        self.asked.append((self.time.elapsed, address[0], str(question.name)))
        begin = self.shows[address[0]]
        if self.fails_from is not None and begin and self.time.elapsed >= self.fails_from:
            begin = FAILING
        if begin is None:
            self.pending.append(Reply(address, question, None, "did not answer"))
        elif begin == UNASKED:
            why = query_engine.reason(OSError(errno.EMFILE, "Too many open files"))
            self.pending.append(Reply(address, question, None, why, no_socket=True))
        elif begin == FAILING:
            failed = answer(question)
            failed.set_rcode(dns.rcode.SERVFAIL)
            self.pending.append(Reply(address, question, failed))
        else:
            values = ("new",) if self.time.elapsed >= begin else ()
            self.pending.append(Reply(address, question, answer(question, *values)))

    def receive(self, wait: float) -> list[Reply]:
        """Return what is ready, or let the time pass."""
        if not self.pending:
            self.time.elapsed += wait
        replies, self.pending = self.pending, []
        return replies


def rounds(
    shows: dict[str, float | None], *, names: Iterable[str] = ("a",), timeout: float = 600
) -> tuple[PollingRounds, Scripted, list[ServerPoll]]:
    """The wait for "new" at each name, at servers that show it at these seconds."""
    time = FakeClock()
    context = Context(clock=time)
    expected = {DnsQuestion(wire.from_text(f"{name}.example.test"), TXT): frozenset({"new"}) for name in names}
    polls = [ServerPoll(ZONE, NameServer(f"ns-{address}", address), expected) for address in shows]
    engine = Scripted(context, time, shows)
    return PollingRounds(context, engine, polls, 53, timeout=timeout), engine, polls


def test_the_gap_is_a_fiftieth_of_the_time_waited() -> None:
    """The pause between polls is a fiftieth of the elapsed time, from 20 ms to 2 s; shorter in the first 40 ms."""
    assert [gap(elapsed) for elapsed in (0, 0.03, 0.5, 1, 10, 60, 6000)] == [0.005, 0.015, 0.02, 0.02, 0.2, 1.2, 2.0]


@pytest.mark.parametrize("lag", [0.5, 3, 10, 60, 300])
def test_the_wait_ends_within_a_fiftieth_of_the_lag(lag: float) -> None:
    """The wait ends within a fiftieth of the lag, but at least 20 ms and at most 2 s."""
    wait, engine, _ = rounds({"1": 0, "2": lag})
    assert wait.run()
    assert lag <= engine.time.elapsed <= lag + gap(lag) + 0.001
    assert sum(address == "1" for _, address, _ in engine.asked) == 1  # it agreed at once


def test_ten_minutes_cost_a_few_hundred_questions() -> None:
    """Ten minutes cost fewer than 800 queries, even for a hundred names."""
    wait, engine, _ = rounds({"1": 600}, names=[f"n{number}" for number in range(100)], timeout=1200)
    assert wait.run()
    assert len(engine.asked) < 800


def test_a_silent_address_is_given_up_after_three_tries_when_the_others_agree() -> None:
    """A silent address is queried until all others agree, and at least three times."""
    wait, engine, polls = rounds({"1": 20, "2": None})
    assert wait.run()
    assert polls[1].state == "unreachable"
    assert 20 <= engine.time.elapsed < 20.5
    wait, engine, polls = rounds({"1": 0, "2": None})
    assert wait.run()
    assert sum(address == "2" for _, address, _ in engine.asked) == 3
    assert engine.time.elapsed < 6


def test_silence_for_one_of_a_hundred_names_is_not_waited_for_a_hundred_times() -> None:
    """An address that is silent for one name is not queried for the others in that round."""
    _, engine, polls = (parts := rounds({"1": 0, "2": None}, names=[f"n{number}" for number in range(100)]))
    assert parts[0].run()
    assert sum(address == "2" for _, address, _ in engine.asked) <= PER_ADDRESS + 2
    assert polls[1].state == "unreachable"


def test_at_the_time_out_only_those_who_answer_are_late() -> None:
    """At the time-out only answering addresses count as late. A silent one is unreachable."""
    wait, _, polls = rounds({"1": 0, "2": None}, timeout=0.1)
    assert wait.run()
    assert polls[1].state == "unreachable"
    wait, _, polls = rounds({"1": 0, "2": 1000}, timeout=5)
    assert not wait.run()
    error = propagation.timed_out(polls, 5)
    assert error.message == "1 of 2 name servers have the new value after 5 s: ns-2 (2) is not updated yet."
    asked = {"zone": "example.test", "name": "a.example.test", "expected": ["new"]}
    assert error.evidence["servers"] == [
        {
            "server": "ns-1",
            "address": "1",
            **asked,
            "values": ["new"],
            "rcode": "NOERROR",
            "serial": None,
            "reason": None,
        },
        {"server": "ns-2", "address": "2", **asked, "values": [], "rcode": "NOERROR", "serial": 7, "reason": None},
    ]


@pytest.mark.parametrize(("others", "agree"), [({"1": 0.0}, True), ({"1": 0.0, "3": 1000.0}, False), ({}, True)])
def test_a_server_that_has_only_failed_is_not_late(others: dict[str, float | None], *, agree: bool) -> None:
    """A server that only answers SERVFAIL is queried until the time-out, and is then unreachable."""
    wait, engine, polls = rounds({**others, "2": FAILING}, timeout=30)
    assert wait.run() is agree
    assert engine.time.elapsed >= 30
    assert polls[-1].state == "unreachable"
    if not agree:
        assert propagation.timed_out(polls, 30).message == (
            "1 of 3 name servers have the new value after 30 s: ns-3 (3) is not updated yet, "
            "ns-2 (2) is unreachable: it only answers SERVFAIL."
        )


def test_a_server_that_has_worked_before_it_fails_is_late() -> None:
    """A server that worked before it failed stays `waiting`: the CA may ask it when it works again."""
    wait, engine, polls = rounds({"1": 0, "2": 1000}, timeout=30)
    engine.fails_from = 10
    assert not wait.run()
    assert [poll.state for poll in polls] == ["agrees", "waiting"]


def test_what_is_reported_always_has_the_same_keys() -> None:
    """The evidence has the same keys for addresses that answer, fail, stay silent or were never queried."""
    poll = ServerPoll(ZONE, NameServer("ns", ""), {QUESTION: frozenset({"new"})})
    never = poll.evidence(QUESTION)
    assert (never["values"], never["rcode"], never["serial"], never["reason"]) == ([], None, None, "it has no address")
    answers = [
        AddressAnswer(frozenset({"old"}), "NOERROR", "", 7),
        AddressAnswer(rcode="SERVFAIL"),
        AddressAnswer(reason="did not answer"),
    ]
    for each in answers:
        poll.answers[QUESTION] = each
        assert poll.evidence(QUESTION).keys() == never.keys()
    poll.serial = 8
    assert poll.evidence(QUESTION)["serial"] == 8


def locals_only(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """This machine has no address to ask these from."""
    monkeypatch.setattr(poll_module, "only_local", lambda address: address in addresses)


def test_what_can_hardly_be_reached_is_left_out_while_another_address_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hardly reachable address is skipped if another one answers, however late. The time-out does not list it."""
    locals_only(monkeypatch, "2")
    wait, engine, polls = rounds({"1": 5, "2": None})
    assert wait.run()
    assert [poll.state for poll in polls] == ["agrees", "skipped"]
    assert {address for _, address, _ in engine.asked} == {"1"}
    wait, _, polls = rounds({"1": 1000, "2": None}, timeout=5)
    assert not wait.run()
    assert propagation.timed_out(polls, 5).message == (
        "No name server has the new value after 5 s: ns-1 (1) is not updated yet."
    )


@pytest.mark.parametrize("shows", [{"2": 0.0}, {"1": None, "2": 0.0}], ids=["alone", "the other is silent"])
def test_what_can_hardly_be_reached_is_asked_when_nobody_else_answers(
    shows: dict[str, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hardly reachable address is queried if no other answers: addresses may be translated on the way."""
    locals_only(monkeypatch, "2")
    wait, _, polls = rounds(shows)
    assert wait.run()
    assert polls[-1].state == "agrees"


@pytest.mark.parametrize(
    ("address", "source", "local"),
    [
        ("2001:500:2::c", "fd00::2", True),
        ("2001:500:2::c", "fe80::1%eth0", True),
        ("2001:500:2::c", "2001:db8::1", False),
        ("2001:500:2::c", None, False),  # no route: the query reports it
        ("fd00::53", "fd00::2", False),
        ("64:ff9b::c000:221", "fd00::2", False),  # translated to IPv4 on the way (NAT64)
        ("::1", "::1", False),
        ("192.0.2.1", "169.254.1.1", False),
        ("", "fd00::2", False),
    ],
)
def test_a_global_address_is_not_answered_at_a_local_one(
    address: str, source: str | None, local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A global address counts as hardly reachable if the kernel would use a local source address."""

    class Link:
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def connect(self, to: tuple[str, int]) -> None:
            if source is None:
                raise OSError(errno.ENETUNREACH, "no route")

        def getsockname(self) -> tuple[str | None, int, int, int]:
            return (source, 1, 0, 0)

    monkeypatch.setattr(socket, "socket", lambda *_: Link())
    assert only_local(address) is local


@pytest.mark.parametrize("code", [errno.EHOSTUNREACH, errno.ENETUNREACH])
def test_a_network_that_finds_no_way_is_not_a_broken_connection(code: int) -> None:
    """An ICMP error of a router is reported as a missing route."""
    assert query_engine.reason(OSError(code, "x")) == "cannot be reached: a router reports no route to it"


class Scarce:
    """Make sockets for a process that may have only a limited number open."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.made: list[socket.socket] = []

    def __call__(self, family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
        """Make one, or say what the system says."""
        if sum(each.fileno() >= 0 for each in self.made) >= self.most:
            raise OSError(errno.EMFILE, "Too many open files")
        self.made.append(socket.socket(family, kind))
        return self.made[-1]


@pytest.fixture
def silent() -> Iterator[Address]:
    """A port that does not answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        yield server.getsockname()


def numbered(count: int) -> list[DnsQuestion]:
    """Return the given number of questions."""
    return [DnsQuestion(wire.from_text(f"n{number}.example.test"), TXT) for number in range(count)]


def test_with_few_sockets_everybody_is_asked_all_the_same(silent: Address) -> None:
    """With few sockets all queries are still sent, some later. A query that waits does not count as unreachable."""
    sockets = Scarce(3)
    with QueryEngine(Context(), make_socket=sockets) as engine:
        for question in numbered(12):
            engine.submit(silent, question, udp=0.03, tcp=0)
        replies: list[Reply] = []
        while len(replies) < 12:
            replies += engine.receive(5)
    assert {(reply.reason, reply.no_route, reply.no_socket) for reply in replies} == {("did not answer", False, False)}
    assert len(sockets.made) == 12


def test_without_any_socket_it_is_said_after_a_while() -> None:
    """If no socket can be opened, all queries fail after 5 s, with that reason."""
    time = FakeClock()
    with QueryEngine(Context(clock=time), make_socket=Scarce(0)) as engine:
        for question in numbered(3):
            engine.submit(("127.0.0.1", 9), question, udp=0.6, tcp=0.6)
        assert engine.receive(4) == []
        replies = engine.receive(4)
    assert 5 <= time.elapsed < 5.2
    assert {(reply.reason, reply.no_route, reply.no_socket) for reply in replies} == {
        ("could not be queried: this process has too many open files", False, True)
    }
    assert len(replies) == 3


def test_a_socket_that_cannot_be_used_is_closed() -> None:
    """A socket is closed if connecting it raises an OSError."""
    made: list[socket.socket] = []

    class Unusable(socket.socket):
        def connect_ex(self, address: object) -> int:
            made.append(self)
            raise OSError(errno.EAFNOSUPPORT, "no such family")

    with QueryEngine(Context(), make_socket=Unusable) as engine:
        engine.submit(("127.0.0.1", 9), QUESTION, udp=1, tcp=1)
        (reply,) = engine.receive(1)
    assert reply.no_route
    assert [each.fileno() for each in made] == [-1]


@pytest.mark.parametrize(("handles", "most"), [(256, 128), (1024, 256), (-1, 256)], ids=["few", "usual", "unlimited"])
def test_the_sockets_of_all_threads_are_counted_together(
    silent: Address, monkeypatch: pytest.MonkeyPatch, handles: int, most: int
) -> None:
    """All threads share the socket limit. Each gets a minimum, and freed sockets can be used again."""
    resource = pytest.importorskip("resource")  # not on Windows
    assert resource.RLIM_INFINITY == -1
    monkeypatch.setattr(resource, "getrlimit", lambda _: (handles, handles))
    monkeypatch.setattr("dnsrenew.dns.query_engine.SHARED", SocketLimit())
    with contextlib.ExitStack() as held:
        engines = [held.enter_context(QueryEngine(Context(), per_address=100)) for _ in range(4)]
        for engine in engines:
            for question in numbered(100):
                engine.submit(silent, question, udp=60, tcp=0)
            engine.receive(0)
        assert [len(engine._in_flight) for engine in engines] == {128: [100, 28, 8, 8], 256: [100, 100, 56, 8]}[most]
    with QueryEngine(Context(), per_address=400) as engine:  # they have given back what they had
        for question in numbered(400):
            engine.submit(silent, question, udp=60, tcp=0)
        engine.receive(0)
        assert len(engine._in_flight) == most


def test_a_server_that_could_not_be_asked_is_waited_for() -> None:
    """A server that could not be queried is neither skipped nor given up, even if the others agree."""
    wait, _, polls = rounds({"1": 0, "2": UNASKED}, timeout=30)
    assert not wait.run()
    assert [poll.state for poll in polls] == ["agrees", "waiting"]
    error = propagation.timed_out(polls, 30)
    assert error.message == (
        "1 of 2 name servers have the new value after 30 s: ns-2 (2) could not be queried: this process has too many "
        "open files."
    )
    assert "ulimit -n" in error.fix


class ScriptedDoh(Doh):
    """A DNS-over-HTTPS server that answers one thing after the other."""

    def __init__(self, *script: Message | NoDohAnswer) -> None:
        super().__init__(["https://doh.test/dns-query"], None)
        self.script = list(script)

    def query(self, url: str, question: DnsQuestion) -> Message:
        """Return or raise the next item of the script. The last one repeats."""
        said = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(said, NoDohAnswer):
            raise said
        return said


def test_doh_is_asked_a_second_apart_until_it_shows_the_value() -> None:
    """DoH is polled every second until it shows the value. Single failures are tolerated."""
    question = DnsQuestion(wire.from_text("a.example.test"), TXT)
    time = FakeClock()
    doh = ScriptedDoh(answer(question), NoDohAnswer("x"), NoDohAnswer("x"), answer(question, "new"))
    wait_at_doh(Context(clock=time), doh, {question: frozenset({"new"})}, timeout=60)
    assert time.elapsed == pytest.approx(3)


def test_doh_gives_up_at_the_time_out() -> None:
    """The wait at DoH ends at the time-out. The error shows the missing name."""
    question = DnsQuestion(wire.from_text("a.example.test"), TXT)
    doh = ScriptedDoh(answer(question))
    with pytest.raises(PropagationError, match="is not updated yet") as caught:
        wait_at_doh(Context(clock=FakeClock()), doh, {question: frozenset({"new"})}, timeout=60)
    assert caught.value.evidence["servers"][0]["name"] == "a.example.test"


class StuckDoh(ScriptedDoh):
    """A DNS-over-HTTPS server that answers when the test is over."""

    def __init__(self) -> None:
        super().__init__(NoDohAnswer("x"))
        self.released = threading.Event()

    def query(self, url: str, question: DnsQuestion) -> Message:
        """Wait."""
        self.released.wait(30)
        return super().query(url, question)


def test_a_doh_server_that_is_stuck_ends_at_the_time_out() -> None:
    """A DoH server that does not answer does not extend the wait."""
    question = DnsQuestion(wire.from_text("a.example.test"), TXT)
    doh = StuckDoh()
    begin = time.monotonic()
    with pytest.raises(PropagationError, match="did not answer"):
        wait_at_doh(Context(clock=FakeClock(tick=30)), doh, {question: frozenset({"new"})}, timeout=60)
    doh.released.set()
    assert time.monotonic() - begin < allowed(10)
