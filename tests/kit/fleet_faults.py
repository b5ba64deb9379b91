"""One renewal of a fleet during which something happens, the next job, and the result; and the page with all of them.

``python -m tests.kit.fleet_faults`` runs all and writes docs/internals/fleet-faults.md; test_fleet_faults.py checks it.
"""

from __future__ import annotations

import contextlib
import re
from typing import Final, NamedTuple
from unittest import mock

from dnsrenew.errors import StoreError
from dnsrenew.fleet.queue import HandedBack
from dnsrenew.store.database.lock_connection import LockConnection
from tests.kit.child import ROOT
from tests.kit.fleet_world import NAME, FleetWorld, FleetWorlds, Killed, Machine, Watch, suspended

PAGE: Final = ROOT / "docs" / "internals" / "fleet-faults.md"
FAULTS: Final = ("killed", "cut", "hangs", "restart", "overtaken")
RUNS: Final = ("renewal", "first")
_GROUP: Final = re.compile(
    r"^\| (renewal|first) \| (\w+) \| `(.+?)` \| `(.+?)` \| (\d+) \| (\S.*?) \| (\d+) \| (\d+) \| (\S+) \| (\d+) \|$",
    re.MULTILINE,
)


class Row(NamedTuple):
    """What came of one fault.

    :ivar run: ``renewal`` (a certificate is in force) or ``first`` (there is neither one nor an account).
    :ivar outcome: of the job in which it happened.
    :ivar left: our TXT values in DNS afterwards.
    :ivar orders: orders of that job.
    :ivar then: the outcome of the next job.
    :ivar more: orders of the next job.
    """

    run: str
    fault: str
    point: str
    outcome: str
    left: int
    orders: int
    then: str
    more: int


def points(worlds: FleetWorlds, run: str) -> list[str]:
    """Return all points of an undisturbed job, in order."""
    with worlds.world() as world, _prepared(world, run).machine() as machine:
        machine.work()
        return machine.watch.seen


def _prepared(world: FleetWorld, run: str) -> FleetWorld:
    if run == "renewal":
        world.issue_first()
    return world


def struck(worlds: FleetWorlds, run: str, fault: str, point: str) -> Row:
    """Let something happen at a point, do the next job, and check that all is right."""
    with worlds.world() as world:
        _prepared(world, run)
        before = world.version()
        try:
            row = _STRIKES[fault](_Case(world, run, fault, point))
            _assert_right(world, before, row)
        except BaseException as error:
            error.add_note(f"{fault} at {point} ({run})")
            raise
        return row


class _Case(NamedTuple):
    """A fault at a point."""

    world: FleetWorld
    run: str
    fault: str
    point: str

    def row(self, outcome: str) -> Row:
        """The line for the page, without what came next."""
        world = self.world
        return Row(self.run, self.fault, self.point, outcome, len(world.ours), world.orders, "", 0)

    def then(self, row: Row, machine: Machine) -> Row:
        """Do the next job, on this machine."""
        machine.outcomes.clear()
        machine.work()
        (outcome,) = machine.outcomes
        assert outcome.error is None, outcome.error
        return row._replace(then=outcome.status, more=self.world.orders - row.orders)


# ── what happens ────────────────────────────────────────────────────────────────────────


def _killed(case: _Case) -> Row:
    """The machine dies; another one goes on."""
    world = case.world
    watch = Watch(case.point, lambda: machine.die())
    with world.machine(watch) as machine:
        with contextlib.suppress(Killed):
            machine.work()
        assert watch.is_dead, "the point was not reached"
        world.wait_until_ended(machine)
        world.version()
        row = case.row("died")
    with world.machine() as other:
        return case.then(row, other)


def _lost(case: _Case, strike: str) -> Row:
    """The machine loses its database for a while; it goes on itself."""
    world, held = case.world, [False]

    def lose() -> None:
        held[0] = machine.holds_a_lock
        if strike == "cut":
            world.proxy.cut()
        elif strike == "restart":
            world.postgres.kill()
            world.postgres.start()
        else:
            world.proxy.hang()
            machine.be_impatient()
            pass_time(11.0)

    watch = Watch(case.point, lose)
    with suspended() as pass_time, world.machine(watch) as machine:
        outcome = _outcome(machine)
        assert watch.sent_before is not None, "the point was not reached"
        if held[0]:
            assert watch.sent_after == [], "it was sent after the lock was lost"
        world.version()
        row = case.row(outcome)
        world.proxy.flow()
        machine.be_patient()
        world.wait_until_ended(machine)
        return case.then(row, machine)


def _overtaken(case: _Case) -> Row:
    """The server gives the locks of the machine to another one, which renews; the first one does not notice that.

    Its guards are taken away: only the fences are left.
    """
    world, newest = case.world, []

    def overtake() -> None:
        connection = machine.store.locks._connection
        if connection is not None:
            asleep.append(connection)
            world.observer.execute(
                "SELECT pg_terminate_backend(%s, 5000)", (machine.database.opened[connection._connection],)
            )
        with world.machine() as other:
            other.work()
        world.watch = watch
        newest.append(world.version())

    asleep: list[LockConnection] = []
    is_lost = LockConnection.is_lost.fget  # type: ignore[attr-defined]
    unaware = property(lambda connection: connection not in asleep and is_lost(connection))
    watch = Watch(case.point, overtake)
    with mock.patch.object(LockConnection, "is_lost", unaware), world.machine(watch) as machine:
        outcome = _outcome(machine)
    assert newest, "the point was not reached"
    assert world.version() == newest[0], "an older holder has written a version"
    row = case.row(outcome)
    with world.machine() as other:
        return case.then(row, other)


def _outcome(machine: Machine) -> str:
    """Do the job; return its outcome, or what became of it."""
    try:
        machine.work()
    except HandedBack:
        return "handed-back"
    except StoreError as error:  # before the first job: the worker waits
        assert error.code == "store-unreachable", error
        return "waits"
    return machine.outcomes[-1].status if machine.outcomes else "nothing"


_STRIKES = {
    "killed": _killed,
    "cut": lambda case: _lost(case, "cut"),
    "hangs": lambda case: _lost(case, "hangs"),
    "restart": lambda case: _lost(case, "restart"),
    "overtaken": _overtaken,
}


def _assert_right(world: FleetWorld, before: int | None, row: Row) -> None:
    """Check that one new certificate is in force, and that nothing is left."""
    assert world.version() == (before or 0) + 1
    assert world.ca.counts["issued"] <= (2 if row.fault == "overtaken" else 1)
    assert row.orders + row.more <= 2
    assert world.ca.count.exceeded == []
    world.let_ten_minutes_pass()
    with world.machine() as last:
        last.work()
    assert [outcome.status for outcome in last.outcomes] == ["not-due"]
    assert (world.ours, world.journal()) == (set(), 0)
    assert world.host.values.get(NAME), "the value of somebody else is gone"
    assert world.observer.one("SELECT due > now() FROM dnsrenew_certificate") == (True,)
