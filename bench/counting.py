"""The number of fsyncs of a run, and its peak memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bench.figures import COUNT, MIB, Figure, of_samples
from bench.place import Place
from bench.processes import BENCH, program, python

if TYPE_CHECKING:
    from pathlib import Path


def syncs(rounds: int | None) -> list[Figure]:
    """The fsyncs of a first certificate, with a new account, and of its renewal."""
    del rounds  # a count is a count
    with Place() as place:
        folder = place.fresh(place.config(1))
        counter = (*python(), str(BENCH / "count_syncs.py"), "syncs.json")
        counts = []
        for arguments in ((), ("--force",)):
            place.renew(folder, *arguments, through=counter)
            counts.append(len(json.loads((folder / "syncs.json").read_text())))
    return [
        of_samples("syncs-first", "fsyncs, first certificate of a new store and account", COUNT, None, counts[:1]),
        of_samples("syncs-renewal", "fsyncs, a renewal", COUNT, 16, counts[1:]),
    ]


def memory(rounds: int | None) -> list[Figure]:
    """The largest resident set of one order with one name."""
    with Place() as place:
        peaks = [_peak(place, place.fresh(place.config(1))) for _ in range(rounds or 5)]
    return [of_samples("memory-1", "peak memory, 1 name", MIB, 60, peaks)]


def _peak(place: Place, folder: Path) -> float:
    # Through a small process: a child inherits the peak of its parent, and this process has a lab in it.
    launcher = (*python(), "-I", "-S", str(BENCH / "launch.py"), "peak.json", *program())
    place.renew(folder, through=launcher)
    return float(json.loads((folder / "peak.json").read_text())) / 1024
