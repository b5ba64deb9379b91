"""Bad input, fourth part: a store that cannot be written. Nothing is ordered that could not be stored."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.kit.program import ROOT, Kept, check_error, failed, run_inside
from tests.lab.workspace import Workspace

NOBODY = 65534
# Root without capabilities can neither write nor chmod files of other users.
WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if ROOT else []


ATTEMPTS = [([], "store-not-private" if ROOT else "store-not-writable"), (["--insist"], "store-not-writable")]
"""The arguments and the code for a store of another user."""


def outcome_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the outcome of a run that failed as documented."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    (outcome,) = json.loads(done.stdout)["outcomes"]
    assert outcome["status"] == "failed"
    found: dict[str, Any] = outcome
    return found


@contextmanager
def closed_to_us(path: Path) -> Iterator[None]:
    """Make a folder read-only during the block: for root it belongs to another user."""
    all_of_it = [path, *path.rglob("*")]
    for each in all_of_it:
        if ROOT:
            os.chown(each, NOBODY, NOBODY, follow_symlinks=False)
        if not each.is_symlink():
            each.chmod(0o555 if each.is_dir() else 0o444)
    yield
    for each in all_of_it:
        if ROOT:
            os.chown(each, 0, 0, follow_symlinks=False)
        if each.is_dir() and not each.is_symlink():
            each.chmod(0o755)


def test_a_new_store_where_nothing_may_be_written(workspace: Workspace) -> None:
    """If a new store cannot be written, the error before an order names the owner of the folder."""
    theirs = workspace.path / "theirs"
    theirs.mkdir()
    workspace.write({"store": str(theirs / "state")})
    with closed_to_us(theirs):
        for arguments, code in ATTEMPTS:
            outcome = outcome_of(run_inside(workspace, WITHOUT_CAPABILITIES, "renew", "--json", *arguments))
            check_error(outcome["error"], code, (str(theirs), "belongs to"))
            assert outcome["attempts"] == []
        assert run_inside(workspace, WITHOUT_CAPABILITIES, "renew", "-vv").returncode == 1


def test_a_store_of_another_user(workspace: Workspace) -> None:
    """If the store belongs to another user, the error says so, and the certificate is unchanged."""
    kept = Kept.place(workspace)
    with closed_to_us(workspace.store):
        for arguments, code in ATTEMPTS:
            outcome = outcome_of(run_inside(workspace, WITHOUT_CAPABILITIES, "renew", "--force", "--json", *arguments))
            check_error(outcome["error"], code, (str(workspace.store), "belongs to"))
            assert outcome["attempts"] == []
        assert run_inside(workspace, WITHOUT_CAPABILITIES, "status").returncode == (1 if ROOT else 0)
        assert run_inside(workspace, WITHOUT_CAPABILITIES, "status", "--insist").returncode == 0
        kept.assert_whole()


def test_a_file_in_place_of_the_store(workspace: Workspace) -> None:
    """The error names the file, and the file stays; folders in the store are in tests/faults/test_disk_damage.py."""
    workspace.store.write_text("mine")
    outcome = failed(workspace, "renew", code="store-not-a-folder", words=(str(workspace.store),))
    assert outcome["attempts"] == []
    assert workspace.store.read_text() == "mine"
