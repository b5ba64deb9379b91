"""The memory of a worker, and that of a server for each name."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from bench import processes
from bench.figures import MIB, TIMES, Figure
from bench.fleet import renewing
from bench.fleet.generated import Fleet, figure, fleet, folder
from bench.processes import RunFailedError

if TYPE_CHECKING:
    from tests.kit.postgres import Postgres

_RENEWED: Final = 100
_GOAL: Final = 1.1
_INDEX: Final = """
import contextlib, gc, json
import psutil
from dnsrenew import Config
from dnsrenew.extensions.fleet.fleet import Fleet
process = psutil.Process()
def resident():
    gc.collect()
    return process.memory_info().rss
with contextlib.closing(Fleet(Config.load("dnsrenew.toml"))) as fleet:
    fleet.status()
    before = resident()
    context = fleet.ssl_context()
    print(json.dumps([before, resident(), len(context._index), len(context._index._table.serialize())]))
"""


def worker(server: Postgres, counts: Sequence[int], settings: Mapping[str, Any]) -> list[Figure]:
    """Measure the memory of a worker that has renewed some of few, of more and of many certificates."""
    figures, found = [], []
    for count in counts:
        with fleet(server, count) as made:
            made.make_due(min(_RENEWED, count // 2))
            done = renewing.run(made, 1, 0, settings)
        found.append(done.resident)
        what = f"memory of a worker of a fleet of {count:,}"
        figures.append(figure(f"worker-{count}", what, (MIB, done.resident)))
    what = f"memory of a worker: {counts[-1]:,} certificates against {counts[0]:,}"
    detail = f"{found[-1]:.0f} MiB : {found[0]:.0f} MiB"
    return [*figures, figure("worker-memory", what, (TIMES, found[-1] / found[0]), _GOAL, detail)]


def index(made: Fleet, count: int) -> list[Figure]:
    """Measure the memory of the names behind `ssl_context`, in a process of its own."""
    with folder(made.address) as (path, env):
        command = [sys.executable, "-c", _INDEX]
        environment = {**env, "PYTHONPATH": str(processes.ROOT)}
        done = subprocess.run(command, cwd=path, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunFailedError(done.stderr)
    before, after, names, size = json.loads(done.stdout)
    assert names > count * 0.9
    what = f"memory that `ssl_context` takes for {count:,} names"
    detail = f"{size / names:.0f} bytes a name in the index; the rest are modules, threads and connections"
    return [figure("index", what, (MIB, (after - before) / 2**20), detail=detail)]
