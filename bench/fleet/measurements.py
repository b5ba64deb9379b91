"""The measurements by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.figures import COUNT, MILLISECONDS, Figure, Unit, of_samples
from bench.fleet import memory, renewing, revocation
from bench.fleet.generated import SETTINGS, fleet
from bench.fleet.looking import looking
from bench.fleet.renewing import Done
from bench.fleet_handshakes import fleet_handshakes
from tests.kit.postgres import Postgres

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
    with Postgres.running(**SETTINGS) as server, fleet(server, scale.certificates) as made:
        size = made.one(_SIZE) / scale.certificates
        figures = [
            _one("size", "database, for each certificate with three versions", _KILOBYTES, None, size, ""),
            *memory.index(made, scale.certificates),
        ]
        return [*looking(made, scale.certificates, None), *figures]


def renewals(scale: Scale) -> list[Figure]:
    """Renewals by workers."""
    figures = []
    with (
        Postgres.running(**SETTINGS) as server,
        fleet(server, scale.certificates) as made,
        renewing.surroundings() as settings,
    ):
        for number in renewing.WORKERS:
            figures += _of_workers(number, renewing.run(made, number, scale.renewed, settings))
        figures += _of_polls(renewing.run(made, 1, scale.renewed, settings, renew=False))
    return figures


def _of_workers(number: int, done: Done) -> list[Figure]:
    who = f"{number} worker{'s' if number > 1 else ''}"
    each = done.processor / done.count
    return [
        _one(
            f"renewals-{number}", f"renewals by {who}", _RATE, None, done.each_second, f"{done.count:,} in {done.seconds:.0f} s"
        ),
        _one(
            f"processor-{number}",
            f"{who}: processor time of the workers for each",
            MILLISECONDS,
            1 / renewing.EACH_CORE,
            each,
            f"{1 / each:.1f} a second for each core; the database took {done.server / done.count * 1000:.1f} ms more",
        ),
        _one(f"statements-{number}", f"{who}: SQL statements for each", COUNT, renewing.STATEMENTS, done.statements / done.count, ""),
    ]  # fmt: skip


def _of_polls(done: Done) -> list[Figure]:
    each = done.processor / done.count
    return [
        _one("poll", "a poll of renewal information: processor time of the worker", MILLISECONDS, None, each, f"{done.each_second:.0f} a second by 1 worker"),
        _one("poll-statements", "its SQL statements", COUNT, None, done.statements / done.count, ""),
    ]  # fmt: skip


def workers_memory(scale: Scale) -> list[Figure]:
    """The memory of a worker of small and large fleets."""
    counts = [*(count for count in _FEW if count < scale.certificates), scale.certificates]
    with Postgres.running(**SETTINGS) as server, renewing.surroundings() as settings:
        return memory.worker(server, counts, settings)


def handshakes(_scale: Scale) -> list[Figure]:
    """Handshakes with 100,000 names."""
    return fleet_handshakes(None)


def mass_revocation(scale: Scale) -> list[Figure]:
    """A mass revocation in simulated time."""
    with Postgres.running(**SETTINGS) as server:
        return revocation.revocation(server, scale.certificates, _REVOKED_RATE)


def _one(key: str, what: str, unit: Unit, goal: float | None, value: float, detail: str) -> Figure:
    return Figure(key=key, what=what, unit=unit, goal=goal, value=value, best=value, detail=detail)


MEASUREMENTS: Final[dict[str, Callable[[Scale], list[Figure]]]] = {
    "database": database,
    "renewals": renewals,
    "memory": workers_memory,
    "handshakes": handshakes,
    "revocation": mass_revocation,
}
