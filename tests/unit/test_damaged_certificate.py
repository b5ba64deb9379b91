"""Damaged files of the current version are reported, set aside, and rebuilt by a renewal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.memory_lab import MemoryStage
from tests.kit.renew_stage import Stage
from tests.lab.workspace import Workspace


def make_folder(path: Path) -> None:
    """Replace a file with a folder."""
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "garbage": lambda path: path.write_bytes(b"\xff garbage" * 200),
    "of another program": lambda path: path.write_bytes(path.read_bytes() + b"\n# a note\n"),
    "folder": make_folder,
}


@pytest.fixture
def stage(workspace: Workspace) -> Stage:
    """One certificate is in force."""
    stage = MemoryStage(workspace)
    stage.renewed()
    return stage


def in_force(stage: Stage) -> Path:
    """The folder of the current version."""
    return (stage.workspace.store / "certificates" / "home" / "current").resolve()


@pytest.mark.parametrize("file", ["privkey.pem", "fullchain.pem"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_reported_and_costs_a_renewal(stage: Stage, file: str, damage: str) -> None:
    """`status` reports the certificate as missing. The next run sets the file aside and obtains a new version."""
    folder = in_force(stage)
    DAMAGES[damage](folder / file)
    (status,) = stage.renewer().status()
    assert (status.state, status.reason) == ("missing", "missing")
    outcome = stage.renewed()
    assert outcome.reason == "missing"
    (warning,) = outcome.warnings
    assert warning.code == "store-damaged"
    assert str(folder / file) in warning.message
    assert (folder / f"{file}.damaged").exists()
    assert in_force(stage) != folder
    assert stage.one().status == "not-due"


@pytest.mark.parametrize("file", ["cert.pem", "chain.pem"])
@pytest.mark.parametrize("damage", [*DAMAGES, "gone"])
def test_a_part_of_the_chain_is_made_anew(stage: Stage, file: str, damage: str) -> None:
    """A damaged part of the chain is set aside and rebuilt from the full chain, without a renewal."""
    path = in_force(stage) / file
    before = path.read_bytes()
    (DAMAGES | {"gone": Path.unlink})[damage](path)
    outcome = stage.one({"ca.lab.directory": f"https://127.0.0.1:{stage.lab.reserve()}/dir"})
    assert outcome.status == "not-due"
    (warning,) = outcome.warnings
    assert (warning.code, str(path) in warning.message) == ("store-damaged", True)
    assert path.read_bytes() == before
    assert path.with_name(f"{file}.damaged").exists() is (damage != "gone")
    assert stage.one().warnings == ()


def test_a_rehearsal_leaves_it_as_it_is(stage: Stage) -> None:
    """A rehearsal leaves a damaged file in its place."""
    (in_force(stage) / "privkey.pem").write_bytes(b"")
    with stage.lab.another_pebble() as staging:
        stage.base["ca.staging"] = {"directory": staging.directory_url, "trust": str(stage.lab.ca.trust_pem)}
        assert stage.one({"ca.lab.staging": "staging"}, dry_run=True).status == "rehearsed"
    assert (in_force(stage) / "privkey.pem").exists()


def test_a_damaged_file_stays_until_there_is_another(stage: Stage) -> None:
    """If the CA is down, the damaged file is reported and stays, and the outcome has no certificate."""
    folder = in_force(stage)
    DAMAGES["of another program"](folder / "fullchain.pem")
    down = {"ca.lab.directory": f"https://127.0.0.1:{stage.lab.reserve()}/dir"}
    outcome = stage.one(down)
    assert (outcome.status, outcome.path, outcome.not_after) == ("failed", None, None)
    assert str(folder / "fullchain.pem") in outcome.warnings[0].message
    assert (folder / "fullchain.pem").read_bytes().endswith(b"# a note\n")
    assert not (folder / "fullchain.pem.damaged").exists()


def test_a_damaged_state_is_an_event_if_nothing_is_due(stage: Stage) -> None:
    """If nothing is due, the warning about a damaged state is an event too."""
    path = stage.workspace.store / "certificates" / "home" / "state.json"
    path.write_bytes(b"{")
    outcome = stage.one()
    assert outcome.status == "not-due"
    (warning,) = stage.event_data("warning")
    assert warning["code"] == "store-damaged"
    assert str(path) in warning["message"]


def test_a_damaged_state_is_printed(stage: Stage) -> None:
    """`renew` prints a damaged state, also with `-q`. So does `status`, which does not change the file."""
    path = stage.workspace.store / "certificates" / "home" / "state.json"
    for arguments in (("status",), ("renew", "-q"), ("renew",)):
        path.write_bytes(b"{")
        stage.workspace.write()
        done = stage.workspace.run(*arguments)
        assert "state.json" in done.stderr, (arguments, done)
        assert (path.read_bytes() == b"{") is (arguments == ("status",)), arguments
