"""One renewal that is killed at a point, the next run, and the result; and the page with all of them.

``python -m tests.kit.killed`` runs all and writes docs/internals/killed-runs.md; test_killed.py checks the page.
The page also has the runs that are asked to stop: see stopped.py.
"""

from __future__ import annotations

import itertools
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.kit.child import ROOT
from tests.kit.processes import NEVER, ProcessStage, Zygote, foreign
from tests.kit.program import Kept
from tests.kit.stopped import Stopped, stopped_at
from tests.lab import Lab
from tests.lab.workspace import Workspace

PAGE: Final = ROOT / "docs" / "internals" / "killed-runs.md"
_ROW: Final = re.compile(r"^\| (first|renewal) \| (.+?) \| (\d+) \| (\d+) \| (.+?) \| (\d+) \| (\d+) \|$", re.MULTILINE)
_GROUP: Final = re.compile(r"^\| [a-z]+ \| `.+?` \| `.+?` \| (\d+) \| (\S+) \| (\S+) \| (\d+) \|$", re.MULTILINE)


class Row(NamedTuple):
    """The line of the page for one point.

    :ivar kind: ``renewal`` (a certificate is in force) or ``first`` (there is no store).
    :ivar left: our TXT values in DNS after the kill.
    :ivar orders: orders of the killed run.
    :ivar then: the outcome's status of the next run.
    :ivar swept: TXT values that the next run removed first.
    :ivar more: orders of the next run.
    """

    kind: str
    point: str
    left: int
    orders: int
    then: str
    swept: int
    more: int


def points(workspace: Workspace, zygote: Zygote, kind: str) -> list[str]:
    """Return all points of an undisturbed run, in order."""
    with ProcessStage.at(workspace, zygote, kind) as stage:
        return stage.die(NEVER)


def killed_at(workspace: Workspace, zygote: Zygote, kind: str, point: str) -> Row:
    """Kill a run at a point, make the next one, and check that all is right."""
    with ProcessStage.at(workspace, zygote, kind) as stage:
        before = Kept.of(workspace.store) if kind == "renewal" else None
        stage.die(point)
        left, orders = len(stage.ours()), stage.orders
        if before is not None:
            _assert_served(workspace, before)
        then, swept = stage.next_run(forked=point.startswith("disk"))
        assert stage.issued == 1
        return Row(kind, point, left, orders, then, swept, stage.orders - orders)


def _assert_served(workspace: Workspace, before: Kept) -> None:
    """Check that a server that reads `current` now gets a complete pair: the old one, or the new one."""
    now = Kept.of(workspace.store)
    now.assert_whole()
    if now.version == before.version:
        assert now.files == before.files


def rows() -> list[Row]:
    """Read the lines of the page."""
    found = _ROW.findall(PAGE.read_text("utf-8"))
    return [
        Row(kind, point.strip("`"), int(a), int(b), then, int(c), int(d)) for kind, point, a, b, then, c, d in found
    ]


def stopped_rows() -> list[Stopped]:
    """Read the page's lines for runs that are stopped: the same points, in the same order."""
    places = iter(rows())
    return [
        Stopped(*next(places)[:2], ended, then, int(orders))
        for count, ended, then, orders in _GROUP.findall(PAGE.read_text("utf-8"))
        for _ in range(int(count))
    ]


_HEAD = """\
# Killed runs

Each line is a run that was ended by SIGKILL (`kill -9`, or the kernel short of memory) at one point, and the run after
it, a plain `dnsrenew renew`, with Pebble as the CA and two BIND name servers. After that run, each time: no TXT value
of ours at either server, a foreign value at the same name untouched, nothing in the journal (ten minutes later where
the DNS host had been asked to add and had not answered), and one certificate in force that is whole, the only one that
the CA has issued. In between, a server that read `current` got a whole certificate too. Once the order is on disk, and
that is before the signing request is sent, the next run takes it up.

- *run*: `renewal` replaces a certificate that is in force; `first` finds an empty folder (only the points that are not
  in a renewal).
- *killed*: an `event` just before anybody heard of it; `disk` just before that operation; `add` and `remove` at the DNS
  host; at the CA, after it did what it was asked for and before its answer came. `aside` is a file with a name of its
  own, which is renamed when it is complete.
- *left*: TXT values that the dead run left in DNS. *orders*: orders that it had made.
- *next run*: its outcome. *swept*: TXT values that it found in the journal, and removed first. *more*: orders it made.

This page is written by `python -m tests.kit.killed`; a test repeats every line.

| run | killed | left | orders | next run | swept | more |
|---|---|---|---|---|---|---|
"""

_STOPPED = """\

## Runs that are told to stop

The same points, with SIGTERM (`kill`, systemd, `docker stop`) or Ctrl-C (SIGINT) instead, at the CA from the point on
without an answer. The run itself takes back what it has written. Each time, within five seconds: no TXT value of ours
at either server, the foreign value untouched, nothing in the journal (as above), one JSON document, and one certificate
in force that is whole: the old one, and status 143 or 130, where the run was `interrupted`; the new one, and status 0,
where there was nothing left to interrupt. The next run puts right what is left to do.

- *from*, *to*: in the order of the table above. *points*: how many of its lines these are.
- *outcome*: of the run that was told to stop. *next run*: its outcome. *orders*: what both have made.

| run | from | to | points | outcome | next run | orders |
|---|---|---|---|---|---|---|
"""


def page(found: list[Row], stopped: list[Stopped]) -> str:
    """Return the page."""
    lines = [
        f"| {row.kind} | `{row.point}` | {row.left} | {row.orders} | {row.then} | {row.swept} | {row.more} |\n"
        for row in found
    ]
    return _HEAD + "".join(lines) + _STOPPED + "".join(_together(stopped))


def _together(stopped: list[Stopped]) -> Iterator[str]:
    """Yield one line for all neighbours with the same result."""
    for (kind, ended, then, orders), group in itertools.groupby(stopped, lambda row: (row.kind, *row[2:])):
        points = [row.point for row in group]
        yield f"| {kind} | `{points[0]}` | `{points[-1]}` | {len(points)} | {ended} | {then} | {orders} |\n"


def main() -> None:
    """Run everything, and write the page."""
    with tempfile.TemporaryDirectory() as folder, Lab.start() as lab, Zygote() as zygote, foreign(lab):
        number = iter(range(10_000))

        def fresh() -> Workspace:
            lab.flush()
            return Workspace(lab, Path(folder) / str(next(number)))

        renewal = points(fresh(), zygote, "renewal")
        first = [point for point in points(fresh(), zygote, "first") if point not in renewal]
        wanted = [("renewal", point) for point in renewal] + [("first", point) for point in first]
        found = [killed_at(fresh(), zygote, kind, point) for kind, point in wanted]
        stopped = [stopped_at(fresh(), zygote, kind, point, signal.SIGTERM) for kind, point in wanted]
    PAGE.write_text(page(found, stopped), "utf-8")


if __name__ == "__main__":
    main()
