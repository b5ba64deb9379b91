"""2,000 renewals by one, two and four workers, at a CA 50 ms away: the rate and its cost."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import psutil

from bench import processes
from bench.fleet.distant_ca import CAS, distant_ca
from bench.fleet.generated import KEPT, Fleet, folder
from bench.processes import RunFailedError
from tests.lab import Lab

DELAY: Final = 0.05
EACH_CORE: Final = 15.0
"""Certificates a second for each core of the workers: what issue 15 asks for."""
STATEMENTS: Final = 40.0
WORKERS: Final = (1, 2, 4)
PATIENCE: Final = 900.0
_END: Final = 90.0
_STATEMENTS: Final = """
SELECT sum(calls)::float8, sum(total_exec_time)::float8 / 1000 FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND userid = current_user::regrole
"""
_LEFT: Final = b"SELECT EXISTS (SELECT FROM dnsrenew_certificate WHERE wanted IS NOT NULL AND due <= now())"
_ISSUED: Final = """
SELECT count(*) FROM dnsrenew_version WHERE issued > now() - interval '30 minutes' AND number > %s
"""
_FAILED: Final = """
SELECT count(*) FROM dnsrenew_certificate
WHERE expires < now() + interval '30 days' AND due > now() AND state ->> 'failures' <> '0'
"""


@dataclass(frozen=True, kw_only=True)
class Done:
    """What some workers have done.

    :ivar seconds: from the first scan that found them to the last certificate.
    :ivar processor: seconds of the workers.
    :ivar statements: at the server.
    :ivar server: seconds of the server in these statements.
    :ivar resident: MiB of the largest worker, at the end.
    """

    count: int
    seconds: float
    processor: float
    statements: float
    server: float
    resident: float

    @property
    def each_second(self) -> float:
        """Certificates a second."""
        return self.count / self.seconds

    @property
    def each_statements(self) -> float:
        """Statements for each."""
        return self.statements / self.count


@contextlib.contextmanager
def surroundings(delay: float = DELAY) -> Iterator[dict[str, Any]]:
    """Start a CA and real name servers; give the tables of a dnsrenew.toml for them."""
    with (
        tempfile.TemporaryDirectory() as place,
        Lab.start(second=False) as lab,
        distant_ca(Path(place), delay, (lab.ns[0], lab.port)) as ca,
    ):
        config = lab.config()
        yield {"ca": {"lab": ca["lab0"], **ca}, "dns": config["dns"], "resolver": config["resolver"]}


@contextlib.contextmanager
def workers(fleet: Fleet, count: int, settings: Mapping[str, Any]) -> Iterator[list[psutil.Process]]:
    """Start the given number of workers, each in its own process, and stop them at the end."""
    with folder(fleet.address, **settings) as (path, env), contextlib.ExitStack() as stack:
        started = []
        for number in range(count):
            log = stack.enter_context((path / f"worker-{number}.log").open("w+b"))
            command = [*processes.program(), "worker", "--json"]
            started.append(subprocess.Popen(command, cwd=path, env=env, stdout=log, stderr=log))
            stack.callback(_end, started[-1], log)
        yield [psutil.Process(process.pid) for process in started]


def _end(process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    """Stop a worker by SIGTERM, and kill it if it does not end in time."""
    early = process.poll() is not None
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_END)
    finally:
        process.kill()
        process.wait()
    if early:
        log.seek(0)
        raise RunFailedError(f"a worker ended too early:\n{log.read()[-2000:].decode(errors='replace')}")


def run(fleet: Fleet, number: int, count: int, settings: Mapping[str, Any], *, renew: bool = True) -> Done:
    """Let the given number of workers renew the given number of certificates.

    :param renew: whether the certificates are renewed. Otherwise only their renewal information is polled.
    """
    with workers(fleet, number, settings) as processes_:
        _await(lambda: fleet.one("SELECT count(*) FROM dnsrenew_holder WHERE worker") >= number)
        time.sleep(2.0)  # they look for what dead workers left
        fleet.make_due(count, renew=renew, cas=CAS)
        with fleet.server.admin(fleet.address.name) as admin:
            admin.execute(b"SELECT pg_stat_statements_reset()")
        before = sum(_processor(each) for each in processes_)
        _defer_scan(fleet)
        begin = time.perf_counter()
        first = fleet.one("SELECT count(*) FROM dnsrenew_certificate WHERE due <= now()")
        assert first >= count, f"{first} are due instead of {count}"
        with fleet.server.admin(fleet.address.name) as admin:  # another user: its statements are not counted
            _await(lambda: admin.execute(_LEFT).fetchone() == (False,))
        seconds = time.perf_counter() - begin
        processor = sum(_processor(each) for each in processes_) - before
        statements, server = fleet.database.fetch(_STATEMENTS)[0]
        resident = max(each.memory_info().rss for each in processes_) / 2**20
    if renew:
        _check(fleet, count)
    return Done(
        count=count, seconds=seconds, processor=processor, statements=statements, server=server, resident=resident
    )


def _check(fleet: Fleet, count: int) -> None:
    failed = fleet.one(_FAILED)
    issued = fleet.one(_ISSUED, KEPT)
    if failed or issued < count:
        raise RunFailedError(f"{issued} certificates were issued, {failed} have failed")


def _defer_scan(fleet: Fleet) -> None:
    """Queue a scan now, as procrastinate does each minute: the time until then is not measured."""
    fleet.database.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, queueing_lock, args)"
        " VALUES ('dnsrenew', 'dnsrenew.scan', 2147483647, NULL, '{\"timestamp\": 0}')"
    )


def _processor(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _await(condition: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise RunFailedError("the workers did not come to an end")
        time.sleep(0.25)
