"""What is said of TXT values and of failures is true: nothing is said to be left where nothing was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.store import FolderStore
from tests.lab.workspace import Workspace

READONLY = "readonly-left.test"
FAIL = f"fail.{READONLY}"


@pytest.fixture
def refusing(workspace: Workspace) -> dict[str, Any]:
    """The changes of a configuration with a second zone, which refuses every update."""
    workspace.lab.add_zone(READONLY, "fail A 192.0.2.1\n", refuse=True)
    return {"dns.home.zones": ["example.test", READONLY], "certificate.0.domains": ["example.test", FAIL]}


def journal(workspace: Workspace) -> list[str]:
    """Return what is in the journal."""
    folder = workspace.store / "journal"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def renew(workspace: Workspace, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run `renew`; return the exit status and the outcome."""
    status, document = workspace.run_json("renew", *arguments)
    return status, document["outcomes"][0]


@pytest.mark.parametrize("server", ["nonexist.example.test", "127.0.0.9"], ids=["no such name", "connection refused"])
def test_a_server_that_was_not_reached_wrote_nothing(workspace: Workspace, server: str) -> None:
    """Where no request was sent, no value is said to be left, and the journal is empty."""
    workspace.write({"dns.home.server": f"{server}:{workspace.lab.port}"})
    status, outcome = renew(workspace)
    assert (status, outcome["error"]["code"], outcome["warnings"]) == (1, "provider-unreachable", [])
    assert outcome["error"]["evidence"]["sent"] is False
    assert journal(workspace) == []


def test_a_refusal_is_a_no(workspace: Workspace, refusing: dict[str, Any]) -> None:
    """A zone that refuses the update has no value, and the other zone of the account has none any more."""
    workspace.write(refusing)
    status, outcome = renew(workspace)
    assert (status, outcome["error"]["code"], outcome["warnings"]) == (1, "provider-unauthorized", [])
    assert journal(workspace) == []
    status, document = workspace.run_json("cleanup")
    assert (status, document["removed"], document["kept"]) == (0, [], [])
    workspace.write()
    done = workspace.run("renew")
    assert (done.returncode, "earlier run" in done.stdout + done.stderr) == (0, False)


def test_a_value_that_an_earlier_version_left_in_the_journal(workspace: Workspace, refusing: dict[str, Any]) -> None:
    """What a host refuses to remove and no name server serves was never written: it is forgotten without a word."""
    workspace.write({"dns.home.zones": refusing["dns.home.zones"]})
    record = TxtRecord(f"{READONLY}.", f"_acme-challenge.{FAIL}.", "a-value", 60)
    FolderStore(Path(workspace.store)).journal.enter(Context(), "home", [(record, "home")], {}).keep()
    assert journal(workspace) != []
    done = workspace.run("renew")
    assert (done.returncode, FAIL in done.stdout + done.stderr) == (0, False), done.stderr
    assert journal(workspace) == []


def test_a_failure_whose_cause_is_gone_is_gone(workspace: Workspace, refusing: dict[str, Any]) -> None:
    """A name that cannot be validated fails; after it is taken out again, `status` has no failure any more."""
    assert workspace.run("renew").returncode == 0
    workspace.write(refusing)
    assert workspace.run("renew").returncode == 1
    assert workspace.run("status", "--check").returncode == 1
    workspace.write()
    status, outcome = renew(workspace)
    assert (status, outcome["status"]) == (0, "not-due")
    done = workspace.run("status", "--check")
    assert (done.returncode, "failed" in done.stdout, FAIL in done.stdout) == (0, False, False), done.stdout
