"""The figures of a measurement, with their goals."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Unit:
    """How a figure is written: `digits` after the point, then `name`."""

    name: str
    digits: int
    factor: float = 1.0
    """Figures are stored in seconds, MiB or as plain numbers; the factor converts them to the unit."""

    def text(self, value: float) -> str:
        """The figure as it is printed."""
        return f"{value * self.factor:.{self.digits}f}{self.name}"


TIMES = Unit(" ×", 2)
SECONDS = Unit(" s", 2)
MILLISECONDS = Unit(" ms", 0, 1000)
MIB = Unit(" MiB", 0)
COUNT = Unit("", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table. Less is always better."""

    key: str
    """`orders-100`: the name of the line, for programs and for the reason of a missed goal."""
    what: str
    unit: Unit
    goal: float | None
    """None: for comparison only."""
    value: float
    """The value that is compared with the goal: the median, or the ratio of two medians."""
    best: float
    """The same with the minimum instead of the median: without the noise of the machine."""
    detail: str = ""
    rounds: int = 1

    @property
    def met(self) -> bool | None:
        """Return whether the goal is met, at the precision of the table."""
        if self.goal is None:
            return None
        digits = self.unit.digits
        return round(self.value * self.unit.factor, digits) <= round(self.goal * self.unit.factor, digits)

    @property
    def goal_text(self) -> str:
        """The goal as it is printed."""
        return "—" if self.goal is None else f"≤ {self.unit.text(self.goal)}"

    def to_dict(self) -> dict[str, Any]:
        """For `--json`: value and goal as numbers, in seconds, MiB or plain."""
        form = asdict(self)
        return {**form, "unit": self.unit.name.strip(), "met": self.met}


def of_samples(key: str, what: str, unit: Unit, goal: float | None, samples: Sequence[float]) -> Figure:
    """A figure from several rounds."""
    return Figure(
        key=key,
        what=what,
        unit=unit,
        goal=goal,
        value=statistics.median(samples),
        best=min(samples),
        detail=f"{unit.text(min(samples))} … {unit.text(max(samples))}",
        rounds=len(samples),
    )


def of_pairs(key: str, what: str, goal: float | None, ours: Sequence[float], bare: Sequence[float]) -> Figure:
    """A ratio of two sides whose rounds alternated."""
    mine, theirs = statistics.median(ours), statistics.median(bare)
    return Figure(
        key=key,
        what=what,
        unit=TIMES,
        goal=goal,
        value=mine / theirs,
        best=min(ours) / min(bare),
        detail=f"{mine:.3f} s : {theirs:.3f} s",
        rounds=len(ours),
    )
