"""The time of scans for due certificates and of the status, with 100,000 certificates."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from bench import processes
from bench.figures import SECONDS, Figure, of_samples
from bench.fleet.generated import Fleet, folder
from dnsrenew.extensions.fleet.database.served_certificates import DueDates
from dnsrenew.extensions.fleet.queue import AHEAD, QueueTasks, WorkQueue
from dnsrenew.extensions.fleet.status import fleet_status

_FEW, _MANY = 2_000, AHEAD


def looking(fleet: Fleet, count: int, rounds: int | None) -> list[Figure]:
    """Measure the scan with few and with all certificates due, and the status."""
    rounds = rounds or 7
    every = f"{count:,} certificates"
    few = min(_FEW, count // 10)
    figures = _status(fleet, every, rounds)
    due_at = fleet.database.execute("UPDATE dnsrenew_certificate SET state = state")  # as after a day of work
    fleet.make_due(few)
    assert due_at == count
    scans = [_scan(fleet) for _ in range(rounds)]
    what = f"scan of {every}: {few:,} are due and get a job"
    figures.append(of_samples("scan", what, SECONDS, 1.0, [seconds for seconds, _ in scans]))
    assert {found for _, found in scans} == {few}
    fleet.database.execute("UPDATE dnsrenew_certificate SET due = now() - interval '1 hour'")
    fleet.settle()
    dates = DueDates(fleet.database)
    queries = [_timed(lambda: dates.due(AHEAD)) for _ in range(rounds)]
    what = f"the query of the scan where all of {every} are due"
    figures.append(of_samples("scan-all-query", what, SECONDS, 1.0, queries))
    first, found = _scan(fleet, keep=True)
    what = f"that scan: {found:,} get a job"
    figures.append(of_samples("scan-all", what, SECONDS, None, [first]))
    again = [_timed(lambda: dates.due(AHEAD)) for _ in range(rounds)]
    what = f"the query of the next scan, with {found:,} jobs in the queue"
    figures.append(of_samples("scan-again", what, SECONDS, 1.0, again))
    fleet.database.execute("DELETE FROM procrastinate_jobs")
    return figures


def _status(fleet: Fleet, every: str, rounds: int) -> list[Figure]:
    queries = [_timed(lambda: fleet_status(fleet.database, {})) for _ in range(rounds)]
    with folder(fleet.address) as (path, env):
        command = [*processes.program(), "fleet", "status", "--json"]
        whole = [processes.run(command, path, env).seconds for _ in range(rounds + 1)][1:]
    return [
        of_samples("status", f"`fleet status` of {every}, whole command", SECONDS, 1.0, whole),
        of_samples("status-queries", "its queries", SECONDS, 1.0, queries),
    ]


def _scan(fleet: Fleet, *, keep: bool = False) -> tuple[float, int]:
    """Scan as a worker does. Return the seconds and the number of new jobs.

    :param keep: whether the jobs stay.
    """

    def nothing(*_: object) -> None:
        """No job is done."""

    async def scan() -> tuple[float, int]:
        address = fleet.address
        queue = WorkQueue(
            address.url, {"password": address.read_password()}, QueueTasks(DueDates(fleet.database).due, nothing)
        )
        async with queue.opened():
            begin = time.perf_counter()
            found = await queue.scan()
            return time.perf_counter() - begin, found

    done = asyncio.run(scan())
    if not keep:
        fleet.database.execute("DELETE FROM procrastinate_jobs")
    return done


def _timed(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin
