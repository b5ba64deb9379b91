"""A real file system that fills up block by block, runs out of inodes, or turns read-only, under the real program."""

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
from tests.kit.small_fs import SmallFs, Wish
from tests.lab.acmemessages import Request, Response
from tests.lab.workspace import Workspace

PROVED = 6
"""Files that stand at once while the store is proved to be writable."""
CODES = {"full": "store-full", "no inodes": "store-full", "read-only": "store-read-only"}


@pytest.fixture(scope="module")
def disks() -> Iterator[SmallFs]:
    """Where the file systems are."""
    with SmallFs() as started:
        yield started


@pytest.fixture
def taken(workspace: Workspace) -> Iterator[Counter[str]]:
    """What the CA has taken, by kind of request; and somebody else's value stands at our name."""
    counts: Counter[str] = Counter()

    def answered(request: Request, response: Response) -> Response:
        counts[request.kind] += response.status < 400  # not an order for what another one has replaced already
        return response

    with stage.foreign(workspace.lab), workspace.lab.acme_proxy(on_response=answered) as proxy:
        workspace.write({"ca.lab.directory": proxy.directory_url, "certificate.0.key": "ecdsa-p384"})
        yield counts


def run_both(workspace: Workspace, disks: SmallFs, taken: Counter[str], wish: Wish) -> str | None:
    """A renewal on that file system, and one on a good one; return where the first could not write, if so.

    The old certificate is whole in between, and nothing of ours is in DNS; in the end there is one certificate, and one
    order at most that brought none.
    """
    taken.clear()
    shutil.rmtree(workspace.store, ignore_errors=True)
    kept = Kept.place(workspace)
    workspace.lab.flush()
    status, document, said = disks.run(workspace, wish, "renew")
    (outcome,) = document["outcomes"]
    assert "Traceback" not in said
    everywhere(workspace.lab, NAME, {FOREIGN})
    orders, sent = taken["newOrder"], taken["finalize"]
    error = outcome["error"]
    if error is None:
        assert (status, outcome["status"]) == (0, "renewed")
    else:
        assert (status, outcome["status"]) == (1, "failed")
        check_error(error, CODES[wish.fate], (str(workspace.store),))
        assert ".tmp-" not in error["message"]
        kept.assert_whole()
        # The proof takes as much room as the run will, but fewer inodes than one that makes an account too.
        validated = wish.at in {"start", "certificate-started"} and not (
            wish.fate == "no inodes" and wish.leave >= PROVED
        )
        assert orders == (not validated)
    workspace.lab.flush()
    status, document, said = disks.run(workspace, Wish(), "renew")
    (outcome,) = document["outcomes"]
    assert (status, outcome["error"], outcome["warnings"]) == (0, None, []), said
    assert outcome["status"] == ("not-due" if error is None else "renewed")
    everywhere(workspace.lab, NAME, {FOREIGN})
    Kept.of(workspace.store).assert_whole()
    assert is_new(leaf(workspace.store / "certificates/home/current"))
    assert sorted((workspace.store / "journal").glob("*.json")) == []
    assert taken["newOrder"] == orders + (not sent)
    assert taken["finalize"] == 1
    return None if error is None else error["evidence"]["path"]


def places(workspace: Workspace, disks: SmallFs, taken: Counter[str], wishes: Iterable[Wish]) -> set[str]:
    """Run with each until there is room enough; where in the store it was missing."""
    found: set[str] = set()
    for wish in wishes:
        place = run_both(workspace, disks, taken, wish)
        if place is None:
            return found
        found.add(str(Path(place).relative_to(workspace.store)))
    pytest.fail("there was never room enough")


@pytest.mark.parametrize(("fate", "step"), [("full", 4), ("no inodes", 2)])
def test_it_is_full_from_the_beginning(
    workspace: Workspace, disks: SmallFs, taken: Counter[str], fate: str, step: int
) -> None:
    """With nothing left, a little more each time: nothing is ordered that could not be kept."""
    wishes = (Wish(fate=fate, leave=leave) for leave in range(0, 60, step))
    assert places(workspace, disks, taken, wishes) >= {".", "journal", "certificates/home/versions"}


@pytest.mark.parametrize("fate", ["full", "no inodes"])
def test_it_fills_up_on_the_way(workspace: Workspace, disks: SmallFs, taken: Counter[str], fate: str) -> None:
    """Once the order is made: each write is the one that fails, the journal's first and that of state.json last."""
    wishes = (Wish(fate=fate, at="order-created", leave=leave) for leave in range(60))
    found = places(workspace, disks, taken, wishes)
    assert {place.partition("/home-1")[0] for place in found} == {
        "journal",
        "certificates/home",
        "certificates/home/versions",
    }


@pytest.mark.parametrize("at", ["start", "certificate-started", "order-created", "txt-written", "authorizations-valid"])
def test_it_turns_read_only(workspace: Workspace, disks: SmallFs, taken: Counter[str], at: str) -> None:
    """Before the run, or in the middle of it."""
    assert run_both(workspace, disks, taken, Wish(fate="read-only", at=at)) is not None
