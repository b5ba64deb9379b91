"""Every disk operation of a run refused in turn; and the page with the results.

``python -m tests.kit.disk`` runs all and writes docs/internals/disk-faults.md; test_disk.py checks the page.
"""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, get_args

from tests.kit.disk_checks import check_files, check_next, check_run
from tests.kit.disk_world import CODES, READING, DiskWorld, Fault, Kind, Operation, Ran, Tree, refuse
from tests.kit.folders import quick_folder
from tests.lab.acmemessages import Request

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "internals" / "disk-faults.md"
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_ROW: Final = re.compile(r"^\| (\w+) \| (\w+) \| (\d+) \| (\d.*?) \| (\d.*?) \| (\d.*?) \|$", re.MULTILINE)
NEVER_SAID: Final = {errno.ENOSPC, errno.EROFS}
"""No operation that only reads fails with these."""
Cell = tuple[int, int, int]
"""The numbers of failed runs without an order, failed runs with an order, and runs that succeeded."""
Column = dict[str, Cell]
"""By operation."""


class Matrix:
    """All runs of one kind.

    :ivar clean: the disk operations of an undisturbed run.
    :ivar before_order: the number of operations before the order.
    """

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.kind = kind
        self._folder = folder
        self._template = DiskWorld(folder / "template")
        self._template.prepare(kind)
        self.before_order = 0
        self._seen_trees: set[frozenset[tuple[str, int, int]]] = set()
        with self.world() as world:
            fault = Fault(world.path)
            world.ca.on_request = partial(self._requested, fault)
            ran = world.run(fault)
            assert ran.outcome.error is None, ran.outcome
            self.clean = ran.seen
            check_next(world)

    def _requested(self, fault: Fault, request: Request) -> None:
        if request.kind == "newOrder":
            self.before_order = len(fault.seen)

    @contextlib.contextmanager
    def world(self) -> Iterator[DiskWorld]:
        """A world for one run."""
        path = self._folder / "run"
        try:
            yield self._template.copied(path)
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def refused(self, number: int) -> list[tuple[Operation, Ran]]:
        """Refuse in turn each operation that can fail with this error."""
        return [
            (operation, self.refuse(at, number))
            for at, operation in enumerate(self.clean)
            if number not in NEVER_SAID or operation.what not in READING
        ]

    def refuse(self, at: int, number: int, *, for_good: bool = False) -> Ran:
        """Refuse one operation, check the result, and make the next run."""
        with self.world() as world:
            before, served = world.tree(), world.served()
            ran = world.run(Fault(world.path, at, refuse(number, for_good=for_good)))
            where = f"{errno.errorcode[number]} at {at}: {' '.join(self.clean[at])}"
            assert ran.seen[: at + 1] == self.clean[: at + 1], where
            try:
                check_run(world, ran, served, number)
                assert at >= self.before_order or not ran.orders or ran.outcome.error is None
                after = world.tree()
                check_files(before, after)
                if (after != before or world.left()) and (ran.orders or self._is_new(after)):
                    check_next(world)  # or the next run starts as an earlier one did
            except AssertionError as error:
                error.add_note(where)
                raise
            return ran

    def _is_new(self, tree: Tree) -> bool:
        """Tell whether no earlier store had the same names and sizes."""
        seen = frozenset((path, mode, len(data)) for path, (mode, data) in tree.items())
        new = seen not in self._seen_trees
        self._seen_trees.add(seen)
        return new


_COLUMNS: Final = (errno.EACCES, errno.EIO, errno.ENOENT)
"""The errors with a column; the first one also stands for all other errors."""


def column(runs: list[tuple[Operation, Ran]]) -> Column:
    """Return the results of the runs, by operation."""
    found: dict[str, list[int]] = {}
    for operation, ran in runs:
        cell = found.setdefault(operation.what, [0, 0, 0])
        cell[2 if ran.outcome.error is None else 1 if ran.orders else 0] += 1
    return {what: (nothing, ordered, well) for what, (nothing, ordered, well) in found.items()}


def columns() -> dict[tuple[Kind, int], Column]:
    """Read the results from the page."""
    found: dict[tuple[Kind, int], Column] = {(kind, number): {} for kind in KINDS for number in CODES}
    for name, what, _, *texts in _ROW.findall(PAGE.read_text("utf-8")):
        cell = dict(zip(_COLUMNS, map(_cell, texts), strict=True))
        for (kind, number), cells in found.items():
            if kind == name and (number not in NEVER_SAID or what not in READING):
                cells[what] = cell.get(number, cell[errno.EACCES])
    return found


def _cell(text: str) -> Cell:
    nothing, ordered, well = map(int, text.split(" · "))
    return nothing, ordered, well


def page(found: dict[tuple[Kind, int], Column], counts: dict[Kind, Counter[str]]) -> str:
    """Return the page; :func:`columns` reads it back."""
    lines = []
    for kind in KINDS:
        for what, count in sorted(counts[kind].items()):
            cells = (found[kind, number][what] for number in _COLUMNS)
            lines.append(f"| {kind} | {what} | {count} | {' | '.join(' · '.join(map(str, cell)) for cell in cells)} |")
    return _HEAD + "\n".join(lines) + "\n"


_HEAD: Final = """\
# Disk faults

What comes of it when the operating system refuses one operation on the store. Each operation of a whole run is refused
in turn, in a run of its own, once with each error: the disk is full (ENOSPC), it fails (EIO), it is read-only (EROFS),
we may not (EACCES), or what is worked on is gone (ENOENT). After each of these runs the certificate that was in
force is in force and whole (or the new one is), a failure has a code and says what to do, no TXT value of ours stands
that is not in the journal, and what others have written there stands. Where the refused operation came before the
order, nothing was ordered. The next run, on a disk that is well again, succeeds, tidies up, and where the CA had issued
already it fetches that certificate: none is issued twice.

- *run*: `first` finds an empty folder; `renewal` replaces a certificate, and removes the oldest version; `sweep`
  removes the TXT values of a dead run, and has nothing to renew.
- *operation*: what is done to the disk, and how often in the run.
- *refused*: with any error but these (what only reads is not said to be full or read-only). *failing*: with EIO.
  *gone*: with ENOENT. Three numbers: runs that failed, and had ordered nothing · runs that failed, and had · runs that
  succeeded.

The same is tested on a disk that stays full or read-only from one operation on, on one from which the store vanishes,
and, with the program as a process, Pebble as the CA and BIND as the DNS host, on a file system of its own that fills up
block by block, runs out of inodes, and turns read-only (`tests/faults`). There, too, each file of the
store is damaged in each way: emptied, cut short, overwritten, of a later dnsrenew, replaced by a folder or by a link.

This page is written by `python -m tests.kit.disk`; a test repeats every run.

| run | operation | times | refused | failing | gone |
|---|---|---|---|---|---|
"""


def main() -> None:
    """Run everything, and write the page."""
    found: dict[tuple[Kind, int], Column] = {}
    counts: dict[Kind, Counter[str]] = {}
    for kind in KINDS:
        with quick_folder() as folder:
            matrix = Matrix(folder, kind)
            counts[kind] = Counter(operation.what for operation in matrix.clean)
            found |= {(kind, number): column(matrix.refused(number)) for number in CODES}
    PAGE.write_text(page(found, counts), "utf-8")


if __name__ == "__main__":
    main()
