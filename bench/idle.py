"""The cost of a run with nothing due, which a timer starts every few hours."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.figures import SECONDS, Figure, of_samples
from bench.place import Place
from bench.processes import RunFailedError

if TYPE_CHECKING:
    from pathlib import Path

_GOALS = {1: (0.1, 15), 1_000: (0.2, 9), 10_000: (0.5, 5), 100_000: (5.0, 3)}
"""Certificates: (goal, rounds)."""
_STATUS = (10_000, 0.7)
"""Certificates and the goal of `dnsrenew status`."""
_FRESH = 6.0
"""Seconds; what was written shortly before a run is not indexed."""
_MOST_LINKS = 10_000
"""Of one file; ext4 allows 65,000."""


def idle(rounds: int | None) -> list[Figure]:
    """Measure `dnsrenew renew` with this number of certificates, none of them due, and `dnsrenew status`."""
    figures = []
    with Place() as place:
        model = place.fresh(place.config(1))
        place.renew(model)
        for count, (goal, usual) in _GOALS.items():
            folder = place.fresh(_config(place, count))
            _fill(model / "state", folder / "state", count)
            time.sleep(_FRESH)
            samples = [place.renew(folder).seconds]  # reads all states, and writes the index of due times
            if count == _STATUS[0]:
                what = f"nothing due, {count:,} certificates, without the index of due times"
                figures.append(of_samples("idle-unindexed", what, SECONDS, None, samples))
            samples = [place.renew(folder).seconds for _ in range(rounds or usual)]
            what = f"nothing due, {count:,} {'certificate' if count == 1 else 'certificates'}"
            figures.append(of_samples(f"idle-{count}", what, SECONDS, goal, samples))
            if count == _STATUS[0]:
                samples = [place.status(folder).seconds for _ in range(rounds or usual)]
                figures.append(of_samples("status", f"status, {count:,} certificates", SECONDS, _STATUS[1], samples))
            shutil.rmtree(folder)
    return figures


def _name(number: int) -> str:
    return f"c{number:05}"


def _config(place: Place, count: int) -> str:
    wanted = [{"name": _name(number), "domains": [f"{_name(number)}.example.test"]} for number in range(count)]
    return place.config(1, certificate=wanted)


def _fill(model: Path, store: Path, count: int) -> None:
    """A store with this number of certificates: copies of one, each with its own name. The files are hard links."""
    store.mkdir(mode=0o700)
    for part in model.iterdir():
        if part.name != "certificates":
            shutil.copytree(part, store / part.name)
    certificates = store / "certificates"
    certificates.mkdir(mode=0o700)
    (one,) = (model / "certificates").iterdir()
    asked_by = {"asked_by": str(store.parent / "dnsrenew.toml")}  # else the first run writes it down
    state = json.loads((one / "state.json").read_text()) | asked_by
    if not state.get("ari"):
        raise RunFailedError("the CA was not asked for its wish (ARI), so every run here would ask it")
    for number in range(count):
        linked = number % _MOST_LINKS
        _copy(one, certificates / _name(number), _renamed(state, _name(number)), os.link if linked else shutil.copy2)
        one = one if linked else certificates / _name(number)


def _copy(one: Path, other: Path, state: dict[str, Any], copy: Callable[[str, str], object]) -> None:
    shutil.copytree(one / "versions", other / "versions", copy_function=copy)
    other.chmod(0o700)
    (other / "current").symlink_to(os.readlink(one / "current"))
    (other / "state.json").write_text(json.dumps(state, indent=1) + "\n")
    (other / "state.json").chmod((one / "state.json").stat().st_mode & 0o777)


def _renamed(state: dict[str, Any], name: str) -> dict[str, Any]:
    return {**state, "domains": [f"{name}.example.test"], "identifiers": [f"{name}.example.test"]}
