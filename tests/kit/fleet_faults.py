"""One renewal of a fleet with a fault, the next job, and the result; and the page with all of them.

``python -m tests.kit.fleet_faults`` runs all and writes docs/internals/fleet-faults.md; test_fleet_faults.py checks it.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple
from unittest import mock

from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database.locks import LockConnection
from dnsrenew.extensions.fleet.queue import HandedBack
from tests.kit.child import ROOT
from tests.kit.fleet_watch import Killed, Watch
from tests.kit.fleet_world import NAME, FleetWorld, FleetWorlds, Machine, suspended
from tests.kit.postgres import Postgres

PAGE: Final = ROOT / "docs" / "internals" / "fleet-faults.md"
FAULTS: Final = ("killed", "cut", "hangs", "restart", "overtaken")
_GROUP: Final = re.compile(
    r"^\| (renewal|first) \| (\w+) \| `(.+?)` \| `(.+?)` \| (\d+) \| (\S+) \| (\d+) \| (\d+) \| (\S+) \| (\d+) \|$",
    re.MULTILINE,
)


class Row(NamedTuple):
    """The result of one fault.

    :ivar run: ``renewal`` (a certificate is in force) or ``first`` (there is no certificate and no account).
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
        return [*machine.watch.seen]  # without its end


def _prepared(world: FleetWorld, run: str) -> FleetWorld:
    if run == "renewal":
        world.issue_first()
    return world


def struck(worlds: FleetWorlds, run: str, fault: str, point: str) -> Row:
    """Inject a fault at a point, do the next job, and check the result."""
    with worlds.world() as world:
        _prepared(world, run)
        before = world.version()
        try:
            row = _STRIKES[fault](_Case(world, run, fault, point))
            assert row.orders + row.more <= 2
            assert_right(world, before, issued=2 if fault == "overtaken" else 1)
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
    """The machine dies; another one continues."""
    world = case.world
    watch = Watch(case.point, lambda: machine.die())  # noqa: PLW0108  # it is not made yet
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
    """The machine loses its database for a while, and then continues."""
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
            own = case.point.removesuffix(", not sent")  # it happened when this was on its way
            assert watch.sent_after in ([], [own]), f"sent after the lock was lost: {watch.sent_after}"
        world.version()
        row = case.row(outcome)
        world.proxy.flow()
        machine.be_patient()
        world.wait_until_ended(machine)
        return case.then(row, machine)


def _overtaken(case: _Case) -> Row:
    """The server gives the locks of the machine to another one, which renews; the first one does not notice it.

    Its guards are removed: only the fences are left.
    """
    world = case.world
    newest: list[int | None] = []

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
    """Do the job; return the status of its outcome, or a word for what ended it."""
    try:
        machine.work()
    except HandedBack:
        return "handed-back"
    except StoreError as error:  # before the first job
        return "waits" if error.code == "store-unreachable" else error.code
    return machine.outcomes[-1].status if machine.outcomes else "nothing"


_STRIKES = {
    "killed": _killed,
    "cut": lambda case: _lost(case, "cut"),
    "hangs": lambda case: _lost(case, "hangs"),
    "restart": lambda case: _lost(case, "restart"),
    "overtaken": _overtaken,
}


def assert_right(world: FleetWorld, before: int | None, *, issued: int = 1) -> None:
    """Check that one new certificate is in force, and that nothing is left."""
    assert world.version() == (before or 0) + 1
    assert 1 <= world.ca.counts["issued"] <= issued
    assert world.ca.count.exceeded == []
    world.let_ten_minutes_pass()
    with world.machine() as last:
        last.work()
    assert [outcome.status for outcome in last.outcomes] == ["not-due"]
    assert (world.ours, world.journal()) == (set(), 0)
    assert world.host.values.get(NAME), "the value of somebody else is gone"
    assert world.observer.one("SELECT due > now() FROM dnsrenew_certificate") == (True,)


# ── the page ────────────────────────────────────────────────────────────────────────────


def all_points(worlds: FleetWorlds) -> list[tuple[str, str]]:
    """Return the points of a renewal, and those of a first job that are none of a renewal."""
    renewal = points(worlds, "renewal")
    first = [point for point in points(worlds, "first") if point not in renewal]
    return [("renewal", point) for point in renewal] + [("first", point) for point in first]


def is_on_page(place: tuple[str, str]) -> bool:
    """Tell whether a point is on the page; points that only read are not, so that a new query does not change it."""
    return not place[1].startswith(_READS)


def groups(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a line of the table for all neighbours with the same result."""
    for (run, fault, *result), group in itertools.groupby(rows, lambda row: (*row[:2], *row[3:])):
        found = [row.point for row in group]
        cells = " | ".join(str(cell) for cell in result)
        yield f"| {run} | {fault} | `{found[0]}` | `{found[-1]}` | {len(found)} | {cells} |\n"


def read_rows(known: Iterable[tuple[str, str]]) -> dict[tuple[str, str, str], Row]:
    """Read the table of the page.

    :param known: its points, in order.
    :returns: by run, fault and point.
    """
    found: dict[tuple[str, str, str], Row] = {}
    places = [*known]
    for fault in FAULTS:
        left = iter(places)
        for run, what, first, last, count, outcome, txt, orders, then, more in _GROUP.findall(PAGE.read_text("utf-8")):
            if what == fault:
                these = [*itertools.islice(left, int(count))]
                assert [these[0], these[-1]] == [(run, first), (run, last)], REPEAT
                for _, point in these:
                    row = Row(run, fault, point, outcome, int(txt), int(orders), then, int(more))
                    found[run, fault, point] = row
        assert not [*left], REPEAT
    return found


_READS: Final = ("database: read", "database: connect", "database: BEGIN")
REPEAT: Final = "run: python -m tests.kit.fleet_faults"
_HEAD: Final = """\
# Faults of a fleet

Each line is one job of a worker during which something happened at one point, and the next job for the same
certificate, with a real PostgreSQL, and a CA and a DNS host that count what they are sent. Each time, afterwards: one
new certificate in force that is whole, and was issued once; no TXT value of ours in DNS, a foreign value at the same
name untouched, nothing in the journal (ten minutes later where the DNS host had been asked to add and had not
answered); at most one order more than without the fault, and none beyond a limit of the account; and the certificate is
due again at its time. In between, whoever read the newest certificate got a whole one.

- *run*: `renewal` replaces a certificate that is in force; `first` finds neither a certificate nor an account (only the
  points that are not in a renewal).
- *fault*: `killed`: the machine dies (`kill -9`, a power cut), and another one does the next job. `cut`: all of its
  connections to the database are cut. `hangs`: they hang, for longer than the 10 s after which a worker counts its
  locks as lost. `restart`: PostgreSQL is killed and starts again. After these three, a worker that held a lock has sent
  nothing more, neither to the CA nor to the DNS host, and does the next job itself. `overtaken`: its locks went to
  another machine, which renews, and it does not notice: with its guards taken away, only the fences are left. The
  newer certificate stays (and the CA may have issued two: its own write was refused).
- *from*, *to*: in the order of a job; *points*: how many these are. `not sent`: before it; `done`, `answered`: before
  the result is known. An `event` is before anybody hears of it. What only reads the database is tested too, and not
  listed.
- *outcome*: of the job in which it happened; `handed-back`: it goes back into the queue; `waits`: the worker waits for
  the database. *left*: its TXT values in DNS then. *orders*: made by then.
- *next*: the outcome of the next job. *more*: orders that it made.

This page is written by `python -m tests.kit.fleet_faults`; `make soak` repeats every point, and each run of the tests
some of them. With processes, Pebble as the CA and BIND as the DNS host, `tests/faults/test_fleet_killed.py` kills real
workers.

| run | fault | from | to | points | outcome | left | orders | next | more |
|---|---|---|---|---|---|---|---|---|---|
"""


def page(rows: Mapping[tuple[str, str, str], Row]) -> str:
    """Return the page; :func:`read_rows` reads its table."""
    return _HEAD + "".join(groups(rows.values()))


@contextlib.contextmanager
def fleet_worlds() -> Iterator[FleetWorlds]:
    """Yield worlds in a database server of their own."""
    with Postgres.running() as server:
        yield FleetWorlds(server, server.new_database())


def main(tell: Callable[[str], object]) -> None:
    """Run everything, and write the page."""
    rows = {}
    with fleet_worlds() as worlds:
        places = [*filter(is_on_page, all_points(worlds))]
        for fault in FAULTS:
            for run, point in places:
                rows[run, fault, point] = struck(worlds, run, fault, point)
            tell(f"{fault}: {len(places)} points\n")
            sys.stdout.flush()
    PAGE.write_text(page(rows), "utf-8")


if __name__ == "__main__":
    logging.disable()  # each fault is logged
    main(sys.stdout.write)
