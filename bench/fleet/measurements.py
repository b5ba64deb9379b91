"""The measurements by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.figures import COUNT, MILLISECONDS, SECONDS, Figure, Unit
from bench.fleet import memory, renewing, revocation
from bench.fleet.generated import figure, fleet, postgres
from bench.fleet.looking import looking
from bench.fleet.renewing import STATEMENTS, Done
from bench.fleet_handshakes import fleet_handshakes
from tests.kit.bad_night import Plan, bad_night
from tests.lab import Lab

_KILOBYTES: Final = Unit(" kB", 1, 1 / 1000)
_RATE: Final = Unit(" a second", 1)
_FEW: Final = (100, 10_000)
_REVOKED_RATE: Final = 15.0
"""Renewals a second of the workers after the mass revocation: one core."""
_SIZE: Final = """
SELECT sum(pg_total_relation_size(oid))::float8 FROM pg_class
WHERE relkind = 'r' AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'dnsrenew_schema'::regclass)
"""


@dataclass(frozen=True)
class Scale:
    """How large the fleet is.

    :ivar renewed: the renewals by each number of workers.
    """

    certificates: int
    renewed: int


def database(scale: Scale) -> list[Figure]:
    """The scan, the status, the size of the database, the index of a server."""
    with postgres() as server, fleet(server, scale.certificates) as made:
        size = made.one(_SIZE) / scale.certificates
        figures = [
            figure("size", "database, for each certificate with three versions", (_KILOBYTES, size)),
            *memory.index(made, scale.certificates),
        ]
        return [*looking(made, scale.certificates, None), *figures]


def renewals(scale: Scale) -> list[Figure]:
    """Renewals by workers."""
    figures = []
    with (
        postgres() as server,
        fleet(server, scale.certificates) as made,
        renewing.surroundings() as settings,
    ):
        for number in renewing.WORKERS:
            figures += _of_workers(number, renewing.run(made, number, scale.renewed, settings))
        figures += _of_polls(renewing.run(made, 1, scale.renewed, settings, renew=False))
    return figures


def _of_workers(number: int, done: Done) -> list[Figure]:
    who = f"{number} worker{'s' if number > 1 else ''}"
    each, database = done.processor / done.count, done.server / done.count
    rate = f"{1 / each:.1f} a second for each core; the database took {database * 1000:.1f} ms more"
    goal = 1 / renewing.EACH_CORE
    return [
        figure(f"renewals-{number}", f"renewals by {who}", (_RATE, done.each_second), detail=_span(done)),
        figure(f"processor-{number}", f"{who}: processor time for each", (MILLISECONDS, each), goal, rate),
        figure(f"statements-{number}", f"{who}: SQL statements for each", (COUNT, done.each_statements), STATEMENTS),
    ]


def _of_polls(done: Done) -> list[Figure]:
    each = done.processor / done.count
    rate = f"{done.each_second:.0f} a second by 1 worker"
    return [
        figure("poll", "a poll of renewal information: processor time", (MILLISECONDS, each), detail=rate),
        figure("poll-statements", "its SQL statements", (COUNT, done.each_statements)),
    ]


def _span(done: Done) -> str:
    return f"{done.count:,} in {done.seconds:.0f} s"


def workers_memory(scale: Scale) -> list[Figure]:
    """The memory of a worker of small and large fleets."""
    counts = [*(count for count in _FEW if count < scale.certificates), scale.certificates]
    with postgres() as server, renewing.surroundings() as settings:
        return memory.worker(server, counts, settings)


def handshakes(_scale: Scale) -> list[Figure]:
    """Handshakes with 100,000 names."""
    return fleet_handshakes(None)


def mass_revocation(scale: Scale) -> list[Figure]:
    """A mass revocation in simulated time."""
    with postgres() as server:
        return revocation.revocation(server, scale.certificates, _REVOKED_RATE)


def night(scale: Scale) -> list[Figure]:
    """A mass revocation in real time, with workers, a database and a CA that fail."""
    plan = Plan(count=scale.renewed)
    with Lab.start(second=False) as lab:
        course = bad_night(plan, lab)
    what = f"a bad night: {plan.count:,} certificates replaced by {plan.workers} workers"
    faults = (
        f"one of them killed every {plan.kill_every:.0f} s, {course.killed} times; PostgreSQL restarted; "
        f"the CA refused {course.refused} orders in a minute by 429"
    )
    order = f"the order is that of remaining life with a rank correlation of {course.order:.2f}"
    return [
        figure("night", what, (SECONDS, course.seconds), detail=faults),
        figure("night-orders", "its orders beyond one for each", (COUNT, float(course.beside)), detail=order),
        figure("night-early", "its orders before the Retry-After was over", (COUNT, float(course.early)), 0.0),
    ]


MEASUREMENTS: Final[dict[str, Callable[[Scale], list[Figure]]]] = {
    "database": database,
    "renewals": renewals,
    "memory": workers_memory,
    "handshakes": handshakes,
    "revocation": mass_revocation,
    "night": night,
}
