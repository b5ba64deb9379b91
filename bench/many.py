"""Many certificates in one run, a CA that refuses nonces, and the cost of journal and locks."""

from __future__ import annotations

import json
import shutil
from typing import NamedTuple

from bench.figures import SECONDS, TIMES, Figure, of_pairs
from bench.place import ZONE, Place
from bench.processes import BENCH, program, python
from tests.lab import PebbleOptions

_MANY, _FEW, _WORKERS = 200, 20, 8
_NONCES = 60
"""Percent of good nonces refused."""


class _Done(NamedTuple):
    seconds: float
    peak: float
    """MiB."""


def many(rounds: int | None) -> list[Figure]:
    """Many certificates with a 50 ms round trip: eight workers against one, and against fewer certificates."""
    del rounds  # it takes a minute
    with Place(round_trip=0.05) as place:
        _renew(place, 1, 1)  # for the caches
        first, few_alone = _renew(place, 1, 1), _renew(place, _FEW, 1)
        few, all_of_them = _renew(place, _FEW, _WORKERS), _renew(place, _MANY, _WORKERS)
    each = (few_alone.seconds - first.seconds) / (_FEW - 1)
    alone = first.seconds + each * (_MANY - 1)
    return [
        _ratio(
            "many-workers",
            f"{_MANY} certificates, 50 ms round trip: {_WORKERS} workers against 1",
            0.2,
            (all_of_them.seconds, alone),
            f"{all_of_them.seconds:.1f} s : {alone:.0f} s ({first.seconds:.2f} s and {each:.2f} s for each more)",
        ),
        _ratio(
            "many-memory",
            f"peak memory, {_MANY} certificates against {_FEW}",
            1.5,
            (all_of_them.peak, few.peak),
            f"{all_of_them.peak:.0f} MiB : {few.peak:.0f} MiB",
        ),
    ]


def nonces(rounds: int | None) -> list[Figure]:
    """Issuances at a CA that refuses most nonces: the figure is the slowest, and each must succeed."""
    with Place(pebble=PebbleOptions(nonce_reject=_NONCES)) as place:
        place.ours(1)
        samples = [place.ours(1).seconds for _ in range(rounds or 10)]
    return [
        Figure(
            key="nonces",
            what=f"{_NONCES} % of nonces refused: the slowest of {len(samples)} issuances, which all succeed",
            unit=SECONDS,
            goal=1.0,
            value=max(samples),
            best=min(samples),
            detail=f"{min(samples):.2f} s … {max(samples):.2f} s",
            rounds=len(samples),
        )
    ]


def guards(rounds: int | None) -> list[Figure]:
    """One name with and without journal, locks and proofs, both without fsyncs, alternating."""
    samples: dict[str, list[float]] = {"with": [], "without": []}
    with Place() as place:
        for number in range(1 + (rounds or 15)):
            for how in sorted(samples, reverse=bool(number % 2)):
                folder = place.fresh(place.config(1))
                seconds = place.renew(folder, through=(*python(), str(BENCH / "unguarded.py"), how)).seconds
                shutil.rmtree(folder)
                if number:  # the first round is for the caches
                    samples[how].append(seconds)
    what = "1 name with journal, locks and proofs, against without them; no fsyncs"
    return [of_pairs("guards", what, 1.1, samples["with"], samples["without"])]


def _renew(place: Place, count: int, workers: int) -> _Done:
    """Obtain this number of certificates of one name in one run, with an empty store."""
    names = [f"c{number:03}" for number in range(count)]
    listed = [{"name": name, "domains": [f"{name}.{ZONE}"]} for name in names]
    folder = place.fresh(place.config(1, certificate=listed))
    # Through a small process, as for the peak of one name.
    launcher = (*python(), "-I", "-S", str(BENCH / "launch.py"), "peak.json", *program())
    done = place.renew(folder, "--workers", str(workers), through=launcher)
    peak = json.loads((folder / "peak.json").read_text()) / 1024
    shutil.rmtree(folder)
    return _Done(done.seconds, peak)


def _ratio(key: str, what: str, goal: float, sides: tuple[float, float], detail: str) -> Figure:
    ours, theirs = sides
    return Figure(
        key=key, what=what, unit=TIMES, goal=goal, value=ours / theirs, best=ours / theirs, detail=detail, rounds=1
    )
