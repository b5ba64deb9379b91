"""The real program on a real file system that fills up block by block, runs out of inodes, or becomes read-only."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.kit import processes as stage
from tests.kit.processes import FOREIGN, NAME, is_new
from tests.kit.program import Kept, check_error
from tests.kit.renew_stage import everywhere, leaf
from tests.kit.small_fs import DiskFault, SmallFs
from tests.lab.acmemessages import Request, Response
from tests.lab.workspace import Workspace

PROVED = 6
"""Files that stand at once while the store is proved to be writable."""
CODES = {"full": "store-full", "no inodes": "store-full", "read-only": "store-read-only"}


@pytest.fixture(scope="module")
def disks() -> Iterator[SmallFs]:
    """The process that mounts the file systems."""
    with SmallFs() as started:
        yield started


@pytest.fixture
def accepted(workspace: Workspace) -> Iterator[Counter[str]]:
    """What the CA has accepted, by kind of request; a foreign value is in DNS at our name."""
    counts: Counter[str] = Counter()

    def answered(request: Request, response: Response) -> Response:
        counts[request.kind] += response.status < 400  # an order with `replaces` may be refused first
        return response

    with stage.foreign(workspace.lab), workspace.lab.acme_proxy(on_response=answered) as proxy:
        workspace.write({"ca.lab.directory": proxy.directory_url, "certificate.0.key": "ecdsa-p384"})
        yield counts


def run_both(workspace: Workspace, disks: SmallFs, accepted: Counter[str], setup: DiskFault) -> str | None:
    """Renew on that file system and then on a good one; return the path that the first run could not write, if any.

    The old certificate is complete in between and none of our values are in DNS. At the end there is one certificate,
    and at most one order without a certificate.
    """
    accepted.clear()
    shutil.rmtree(workspace.store, ignore_errors=True)
    kept = Kept.place(workspace)
    workspace.lab.flush()
    status, document, said = disks.run(workspace, setup, "renew")
    (outcome,) = document["outcomes"]
    assert "Traceback" not in said
    everywhere(workspace.lab, NAME, {FOREIGN})
    orders, sent = accepted["newOrder"], accepted["finalize"]
    error = outcome["error"]
    if error is None:
        assert (status, outcome["status"]) == (0, "renewed")
    else:
        assert (status, outcome["status"]) == (1, "failed")
        check_error(error, CODES[setup.kind], (str(workspace.store),))
        assert ".tmp-" not in error["message"]
        kept.assert_whole()
        # The check before the order writes as much as the run will, but fewer files than a run that creates an account.
        validated = setup.at in {"start", "certificate-started"} and not (
            setup.kind == "no inodes" and setup.leave >= PROVED
        )
        assert orders == (not validated)
    workspace.lab.flush()
    status, document, said = disks.run(workspace, DiskFault(), "renew")
    (outcome,) = document["outcomes"]
    assert (status, outcome["error"], outcome["warnings"]) == (0, None, []), said
    assert outcome["status"] == ("not-due" if error is None else "renewed")
    everywhere(workspace.lab, NAME, {FOREIGN})
    Kept.of(workspace.store).assert_whole()
    assert is_new(leaf(workspace.store / "certificates/home/current"))
    assert sorted((workspace.store / "journal").glob("*.json")) == []
    assert accepted["newOrder"] == orders + (not sent)
    assert accepted["finalize"] == 1
    return None if error is None else error["evidence"]["path"]


def failing_paths(
    workspace: Workspace, disks: SmallFs, accepted: Counter[str], faults: Iterable[DiskFault]
) -> set[str]:
    """Run with each fault until there is enough space; return the paths in the store that could not be written."""
    found: set[str] = set()
    for setup in faults:
        place = run_both(workspace, disks, accepted, setup)
        if place is None:
            return found
        found.add(str(Path(place).relative_to(workspace.store)))
    pytest.fail("there was never room enough")


NO_INODES = pytest.param("no inodes", marks=pytest.mark.slow)


@pytest.mark.parametrize(("fault", "step"), [("full", 4), pytest.param("no inodes", 2, marks=pytest.mark.slow)])
def test_a_disk_that_is_full_from_the_beginning(
    workspace: Workspace, disks: SmallFs, accepted: Counter[str], fault: str, step: int
) -> None:
    """With no free space, then a little more each time, nothing is ordered that could not be stored."""
    faults = (DiskFault(kind=fault, leave=leave) for leave in range(0, 60, step))
    assert failing_paths(workspace, disks, accepted, faults) >= {".", "journal", "certificates/home/versions"}


@pytest.mark.parametrize("fault", ["full", NO_INODES])
def test_a_disk_that_fills_up_after_the_order(
    workspace: Workspace, disks: SmallFs, accepted: Counter[str], fault: str
) -> None:
    """Each write after the order fails in turn, from the journal to state.json."""
    faults = (DiskFault(kind=fault, at="order-created", leave=leave) for leave in range(60))
    found = failing_paths(workspace, disks, accepted, faults)
    assert {place.partition("/home-1")[0] for place in found} == {
        "journal",
        "certificates/home",
        "certificates/home/versions",
    }


@pytest.mark.parametrize("at", ["start", "certificate-started", "order-created", "txt-written", "authorizations-valid"])
def test_a_disk_that_becomes_read_only(workspace: Workspace, disks: SmallFs, accepted: Counter[str], at: str) -> None:
    """The file system becomes read-only before the run or during it, and the next run on a good one succeeds."""
    assert run_both(workspace, disks, accepted, DiskFault(kind="read-only", at=at)) is not None
