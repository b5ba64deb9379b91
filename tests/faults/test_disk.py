"""Every disk operation of a run fails in turn: see tests/kit/disk.py and docs/internals/disk-faults.md."""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.errors import StoreError
from tests.kit import disk
from tests.kit.disk import KINDS, Matrix, column, columns
from tests.kit.disk_checks import check_error, check_next
from tests.kit.disk_world import CHANGING, CODES, DiskWorld, Effect, Fault, Kind, Operation, refuse
from tests.kit.folders import quick_folder

PAGE = columns()


@pytest.fixture
def matrix(kind: Kind) -> Iterator[Matrix]:
    """All runs of one kind."""
    with quick_folder() as folder:
        yield Matrix(folder, kind)


renewal = pytest.mark.parametrize("kind", ["renewal"])


def by_name(numbers: Iterable[int]) -> list[Any]:
    """Return error numbers as parameters; each is a few hundred runs, so all but that of a full disk are slow."""
    marks = {number: () if number == errno.ENOSPC else pytest.mark.slow for number in numbers}
    return [pytest.param(number, id=errno.errorcode[number], marks=mark) for number, mark in marks.items()]


@pytest.mark.parametrize("number", by_name(CODES))
@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_refused_in_turn(matrix: Matrix, kind: Kind, number: int) -> None:
    """Each run ends as the page says, and passes `check_run` and `check_next`."""
    runs = matrix.refused(number)
    assert column(runs) == PAGE[kind, number], "run: python -m tests.kit.disk"


@pytest.mark.parametrize("kind", ["first", "renewal"])
def test_every_folder_is_proved_before_an_order(matrix: Matrix) -> None:
    """Folders written after the order were written before it, or are new in such folders; except the ledger."""
    created = [os.path.dirname(path) for what, path in matrix.clean[: matrix.before_order] if what == "create"]
    later = {path for what, path in matrix.clean[matrix.before_order :] if what in {"create", "mkdir", "symlink"}}
    new = {path for what, path in matrix.clean if what == "mkdir"}
    assert matrix.before_order > 0
    assert {os.path.dirname(path) for path in later} - new - {"accounts/lab"} <= set(created)


def test_the_page_has_every_operation() -> None:
    """A new operation needs a new line of the page."""
    counts: dict[Kind, Counter[str]] = {}
    for kind in KINDS:
        with quick_folder() as folder:
            counts[kind] = Counter(operation.what for operation in Matrix(folder, kind).clean)
    assert disk.PAGE.read_text("utf-8") == disk.page(PAGE, counts), "run: python -m tests.kit.disk"


@pytest.mark.parametrize("kind", ["sweep"])
@pytest.mark.parametrize("number", CODES, ids=errno.errorcode.get)
def test_a_cleanup_on_a_bad_disk(matrix: Matrix, number: int) -> None:
    """After `cleanup` with a disk error, the value is removed or in the journal, and the error is reported."""
    with matrix.world() as world:
        fault = Fault(world.path)
        assert len(world.cleanup(fault).removed) == 1
    for at in range(len(fault.seen)):
        with matrix.world() as world:
            try:
                swept = world.cleanup(Fault(world.path, at, refuse(number)))
            except StoreError as error:
                check_error(error, world, number)
            else:
                assert swept.kept == ()
            assert world.left() <= world.in_journal()
            check_next(world)


@renewal
@pytest.mark.parametrize("number", by_name(CHANGING))
def test_a_disk_that_stays_full_or_read_only(matrix: Matrix, number: int) -> None:
    """If every change fails from one operation on, a run cannot clean up. The next run on a good disk succeeds."""
    for at, operation in enumerate(matrix.clean):
        if operation.what in CHANGING[number]:
            matrix.refuse(at, number, for_good=True)


@renewal
@pytest.mark.parametrize(
    "place",
    [
        "",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("certificates/home", "journal", "locks", "accounts")),
    ],
    ids=lambda place: place or "store",
)
def test_a_folder_that_vanishes(matrix: Matrix, place: str) -> None:
    """If a folder is moved away during a run, the TXT values are still removed, and the next run succeeds.

    The moved folder is not changed, so it can be moved back.
    """
    for at, operation in enumerate(matrix.clean):
        if operation.what not in {"mkdir", "rename", "lock", "unlink"}:
            continue
        with matrix.world() as world:
            gone = world.path.parent / "gone"
            ran = world.run(Fault(world.path, at, moved(world, place, gone)))
            if ran.outcome.error is not None:
                check_error(ran.outcome.error, world, errno.ENOENT)
            assert ran.orders <= 1
            assert world.left() == set()
            ours = gone / {"": "certificates/home/current", "certificates/home": "current"}.get(place, "none")
            lost = place in {"", "certificates/home"}
            assert bool(world.served(ours)) == lost
            shutil.rmtree(gone)
            check_next(world, more=lost)


def moved(world: DiskWorld, place: str, gone: Path) -> Effect:
    """Return a fault that moves a folder away, once."""

    def effect(since: int, _: Operation) -> None:
        if since == 0:
            (world.path / place).rename(gone)

    return effect
