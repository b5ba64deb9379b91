"""Names on demand: the program allows them, all machines together keep the rate, and no handshake waits for it."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from dnsrenew.errors import ConfigError
from dnsrenew.extensions.fleet.database.ledger import DemandRate
from dnsrenew.extensions.fleet.serving import loading
from dnsrenew.extensions.fleet.serving import server as serving
from dnsrenew.extensions.fleet.serving.context import FleetContext
from dnsrenew.store.ledger import Limit
from tests.kit.load import allowed
from tests.kit.postgres import DatabaseAddress, postgres  # noqa: F401
from tests.kit.postgres import fleet_address as address  # noqa: F401
from tests.kit.served_fleet import UNKNOWN, FleetInDatabase, LoopServer, ask, served, threaded_server, until

HOURS = timedelta(hours=3)


@pytest.fixture
def fleet(address: DatabaseAddress) -> Iterator[FleetInDatabase]:  # noqa: F811
    """An empty fleet."""
    with contextlib.closing(FleetInDatabase(address)) as fleet:
        fleet.initialize()
        yield fleet


class Program:
    """The function of a program, which records the names that it was asked for."""

    def __init__(self, answer: Callable[[str], object]) -> None:
        self.asked: list[str] = []
        self.threads: set[str] = set()
        self._answer = answer

    def __call__(self, name: str) -> object:
        """Answer."""
        self.asked.append(name)
        self.threads.add(threading.current_thread().name)
        return self._answer(name)


def settled(context: FleetContext) -> None:
    """Wait until all names are decided."""
    demand = context._on_demand
    assert demand is not None
    until(lambda: all(answer.until < float("inf") for answer in [*demand._answers.values()]))


def test_an_allowed_name_is_obtained(fleet: FleetInDatabase) -> None:
    """A name is added once for many handshakes. Handshakes fail until its certificate is issued, and then succeed."""
    program = Program(lambda name: name.startswith("good"))
    with LoopServer(context := fleet.context(on_unknown=program)) as server:
        for _ in range(5):
            assert ask(server.port, "Good.example") == UNKNOWN
            assert ask(server.port, "bad.example") == UNKNOWN
        settled(context)
        assert fleet.added == ["good.example"]
        assert sorted(program.asked) == ["bad.example", "good.example"]
        assert program.threads == {"dnsrenew-demand"}
        serial = fleet.issue("good.example")
        served(server.port, "good.example", serial)
        assert ask(server.port, "bad.example") == UNKNOWN


def test_only_host_names_are_asked_for(fleet: FleetInDatabase) -> None:
    """The program is asked for host names only, because nothing else can have a certificate."""
    program = Program(lambda _name: False)
    context = fleet.context(on_unknown=program)
    wrong = ["", "localhost", "1.2.3.4", "a.1", "-a.example", "a-.example", "a_b.example", "a..example", "*.example",
             "a b.example", "a/../b.example", f"{'a' * 64}.example", f"{'a.' * 130}example", "a.example..", "ä.example",
             "a.example\n"]  # fmt: skip
    for name in [*wrong, None, "a.example", "XN--BCHER-KVA.example.", "1.a-b.example"]:
        assert context.find(name) is None
    until(lambda: len(program.asked) >= 3)
    assert sorted(program.asked) == ["1.a-b.example", "a.example", "xn--bcher-kva.example"]


def test_a_function_that_hangs_holds_up_no_handshake(fleet: FleetInDatabase) -> None:
    """While the function hangs, known names are served and unknown names get the alert."""
    serial, go_on = fleet.issue("a.example"), threading.Event()
    program = Program(lambda _name: go_on.wait(20))
    with LoopServer(context := fleet.context(on_unknown=program)) as server:
        served(server.port, "a.example", serial)
        begin = time.monotonic()
        for number in range(50):
            assert ask(server.port, f"{number}.example") == UNKNOWN
            assert ask(server.port, "a.example") == serial
        assert time.monotonic() - begin < allowed(10)
        assert len(program.asked) == loading.MOST_EACH
        go_on.set()
        settled(context)
    assert len(fleet.added) == 50


@contextlib.contextmanager
def on_a_loop(context: FleetContext) -> Iterator[int]:
    """Serve on an event loop; yield the port."""
    with LoopServer(context) as server:
        yield server.port


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
@pytest.mark.parametrize("serve", [threaded_server, on_a_loop])
def test_a_flood_of_one_network_holds_up_no_other(
    fleet: FleetInDatabase, monkeypatch: pytest.MonkeyPatch, serve: Callable[[FleetContext], Any]
) -> None:
    """While names of one network fill the queue and the function hangs for them, a name of another is added at once."""
    monkeypatch.setattr(loading, "QUEUED", 20)
    go_on = threading.Event()
    program = Program(lambda name: name == "good.example" or not go_on.wait(20))
    with serve(context := fleet.context(on_unknown=program)) as port:
        for number in range(50):
            assert ask(port, f"{number}.example", source=f"127.9.9.{number % 3 + 1}") == UNKNOWN
        until(lambda: len(program.asked) == loading.MOST_EACH)
        assert ask(port, "good.example", source="127.8.0.1") == UNKNOWN
        until(lambda: fleet.added == ["good.example"], seconds=2.0)
        go_on.set()
        settled(context)


@pytest.mark.parametrize("answer", [None, 1, "no", 0])
def test_anything_but_true_denies(fleet: FleetInDatabase, answer: object) -> None:
    """Every answer except ``True`` denies the name, as after a forgotten ``return``, and is reported."""
    context = fleet.context(on_unknown=Program(lambda _name: answer))
    context.find("a.example")
    settled(context)
    assert (fleet.added, fleet.codes()) == ([], ["on-unknown-failed"])


def test_a_function_that_raises_denies(fleet: FleetInDatabase) -> None:
    """An exception denies the name and is reported once. The function is still called for the next name."""

    def fail(name: str) -> bool:
        if name.startswith("bad"):
            raise ZeroDivisionError(name)
        return True

    context = fleet.context(on_unknown=Program(fail))
    for name in ("bad1.example", "bad2.example", "good.example"):
        context.find(name)
    settled(context)
    assert (fleet.added, fleet.codes()) == (["good.example"], ["on-unknown-failed"])


def test_an_answer_is_forgotten_after_a_while(fleet: FleetInDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """A denied name is asked for again later, so that a new customer does not have to wait long."""
    monkeypatch.setattr(loading, "_DENIED", 0.0)
    customers: set[str] = set()
    program = Program(customers.__contains__)
    context = fleet.context(on_unknown=program)
    context.find("a.example")
    settled(context)
    customers.add("a.example")
    context.find("a.example")
    settled(context)
    assert (program.asked, fleet.added) == (["a.example"] * 2, ["a.example"])


def test_a_flood_fills_no_table(fleet: FleetInDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue and the table of answers are bounded. Names that come after the flood are asked for again."""
    monkeypatch.setattr(loading, "QUEUED", 10)
    monkeypatch.setattr(loading, "REMEMBERED", 20)
    go_on = threading.Event()
    program = Program(lambda _name: not go_on.wait(20))
    context = fleet.context(on_unknown=program)
    demand = context._on_demand
    assert demand is not None
    for number in range(1000):
        context.find(f"{number}.example")
    assert len(demand._answers) <= 10 + loading.THREADS
    go_on.set()
    settled(context)
    for number in range(100):
        context.find(f"again{number}.example")
        settled(context)
    assert len(demand._answers) == 20
    assert "again99.example" in program.asked


def test_what_is_wanted_already_is_not_added(fleet: FleetInDatabase) -> None:
    """A name that the fleet already wants, itself or by a wildcard, is not added again."""
    fleet.want("a.example")
    fleet.want("*.b.example")
    context = fleet.context(on_unknown=Program(lambda _name: True))
    context.find("a.example")
    context.find("x.b.example")
    settled(context)
    assert fleet.added == []


def test_a_name_that_cannot_be_added_is_tried_again(fleet: FleetInDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed addition is reported and tried again, without another call of the function."""
    monkeypatch.setattr(loading, "_RETRY", 0.0)
    failures = [ConfigError("config-invalid", "There is no account.", fix="Add one.")]
    add = fleet.add

    def added(domain: str) -> None:
        if failures:
            raise failures.pop()
        add(domain)

    monkeypatch.setattr(fleet, "add", added)
    program = Program(lambda _name: True)
    context = fleet.context(on_unknown=program)
    for _ in range(2):
        context.find("a.example")
        settled(context)
    assert (program.asked, fleet.added) == (["a.example"], ["a.example"])
    assert fleet.codes() == ["on-demand-failed"]


# ── the rate ────────────────────────────────────────────────────────────────────────────


def test_half_of_what_the_ca_allows_is_for_renewals(fleet: FleetInDatabase) -> None:
    """Names on demand get half of the limit of Let's Encrypt: 150 of 300 orders in three hours."""
    directory, limit = serving.demand_limit(fleet.config)
    assert (directory, limit) == ("https://acme-v02.api.letsencrypt.org/directory", Limit(150, HOURS))


def test_only_allowed_names_count_each_once(fleet: FleetInDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Denied names do not count, and an allowed name counts once on all machines. Names beyond the rate wait."""
    monkeypatch.setattr(serving, "demand_limit", lambda _config: ("https://ca.example/", Limit(3, HOURS)))
    programs = [Program(lambda name: name.startswith("good")) for _ in range(2)]
    contexts = [fleet.context(on_unknown=program) for program in programs]
    for context in contexts:
        for number in range(10):
            context.find(f"bad{number}.example")
        for number in range(3):
            context.find(f"good{number}.example")
        settled(context)
    assert sorted(set(fleet.added)) == ["good0.example", "good1.example", "good2.example"]
    contexts[0].find("good3.example")
    settled(contexts[0])
    contexts[0].find("good3.example")
    assert "good3.example" not in fleet.added
    assert programs[0].asked.count("good3.example") == 1


def test_the_rate_is_refilled(fleet: FleetInDatabase) -> None:
    """After a third of the period a third of the rate is free, by the database's clock. A name takes one token."""
    rate = DemandRate(fleet.database, "https://ca.example/", Limit(3, HOURS))
    assert [rate.take(f"{number}.example") for number in (1, 2, 2, 3)] == [None] * 4
    free = rate.take("4.example")
    assert free is not None
    assert timedelta(minutes=59) < free - fleet.database.clock.now() <= timedelta(minutes=60)
    fleet.execute("UPDATE dnsrenew_pace SET empty_until = empty_until - interval '1 hour'")
    assert rate.take("4.example") is None
    assert rate.take("5.example") is not None
    assert DemandRate(fleet.database, "https://other.example/", Limit(3, HOURS)).take("5.example") is None
    keys = fleet.database.fetch("SELECT key FROM dnsrenew_pace WHERE key LIKE '%name%'")
    assert sorted(keys) == [("on-demand-name 4.example",), ("on-demand-name 5.example",)]


def test_machines_at_once_do_not_exceed_the_rate(fleet: FleetInDatabase) -> None:
    """Five threads ask for the same thirty names, and ten of the names get a token."""
    rate = DemandRate(fleet.database, "https://ca.example/", Limit(10, HOURS))
    taken: list[object] = []
    threads = [
        threading.Thread(target=lambda: taken.extend(rate.take(f"{number}.example") for number in range(30)))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken.count(None) == 10 * 5
