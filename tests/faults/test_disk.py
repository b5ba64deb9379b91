"""Every operation on the disk fails in turn, in a run of its own: see disk.py and docs/internals/disk-faults.md."""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsrenew.errors import StoreError
from tests.kit import disk
from tests.kit.disk import KINDS, Matrix, column, columns, quick_folder
from tests.kit.disk_checks import check_error, check_next
from tests.kit.disk_world import CHANGING, CODES, Fault, Happens, Kind, Operation, World, refuse

PAGE = columns()


@pytest.fixture
def matrix(kind: Kind) -> Iterator[Matrix]:
    """The runs of one kind."""
    with quick_folder() as folder:
        yield Matrix(folder, kind)


renewal = pytest.mark.parametrize("kind", ["renewal"])


@pytest.mark.parametrize("number", CODES, ids=errno.errorcode.get)
@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_refused_in_turn(matrix: Matrix, kind: Kind, number: int) -> None:
    """Each ends as the page says, after all that :func:`check_run` and :func:`check_next` look at."""
    runs = matrix.refused(number)
    assert column(runs) == PAGE[kind, number], "run: python -m tests.kit.disk"


@pytest.mark.parametrize("kind", ["first", "renewal"])
def test_every_folder_is_proved_before_an_order(matrix: Matrix) -> None:
    """What is written to after it was written to before it, or is a new folder in one that was; the ledger may fail."""
    created = [os.path.dirname(path) for what, path in matrix.clean[: matrix.before_order] if what == "create"]
    later = {path for what, path in matrix.clean[matrix.before_order :] if what in {"create", "mkdir", "symlink"}}
    new = {path for what, path in matrix.clean if what == "mkdir"}
    assert matrix.before_order > 0
    assert {os.path.dirname(path) for path in later} - new - {"accounts/lab"} <= set(created)


def test_the_page_has_every_operation() -> None:
    """A new one is a new line."""
    counts: dict[Kind, Counter[str]] = {}
    for kind in KINDS:
        with quick_folder() as folder:
            counts[kind] = Counter(operation.what for operation in Matrix(folder, kind).clean)
    assert disk.PAGE.read_text("utf-8") == disk.page(PAGE, counts), "run: python -m tests.kit.disk"


@pytest.mark.parametrize("kind", ["sweep"])
@pytest.mark.parametrize("number", CODES, ids=errno.errorcode.get)
def test_a_cleanup_on_a_bad_disk(matrix: Matrix, number: int) -> None:
    """The command that removes what is left in DNS: the value is gone, or in the journal, and the error is said."""
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
@pytest.mark.parametrize("number", CHANGING, ids=errno.errorcode.get)
def test_a_disk_that_stays_so(matrix: Matrix, number: int) -> None:
    """Full or read-only from one operation on: nothing is tidied up either, until the disk is well again."""
    for at, operation in enumerate(matrix.clean):
        if operation.what in CHANGING[number]:
            matrix.refuse(at, number, for_good=True)


@renewal
@pytest.mark.parametrize(
    "place", ["", "certificates/home", "journal", "locks", "accounts"], ids=lambda place: place or "store"
)
def test_a_folder_that_really_vanishes(matrix: Matrix, place: str) -> None:
    """Moved away in the middle of the run: what the run has published is withdrawn all the same, and the next succeeds.

    What was moved away is as it was, so it can be put back.
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


def moved(world: World, place: str, gone: Path) -> Happens:
    """A folder is moved away, once."""

    def happens(since: int, _: Operation) -> None:
        if since == 0:
            (world.path / place).rename(gone)

    return happens
