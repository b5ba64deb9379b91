"""`dnsrenew doctor` for a fleet whose database is down."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnsrenew.cli import main
from dnsrenew.extensions.doctor import examine
from dnsrenew.extensions.doctor.table import TABLE
from tests.kit.fleet_folder import FleetFolder
from tests.kit.postgres import DatabaseAddress
from tests.lab import ports

LOOKED_AT = {"store", "schedule", "expiry", "port-80-free"}
"""Checks that ask nobody outside this machine."""


@pytest.fixture
def fleet(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> FleetFolder:
    """A configuration whose database is at a port at which nothing listens."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(examine, "TABLE", tuple(entry for entry in TABLE if entry.code in LOOKED_AT))
    with ports.reserve("127.0.0.1") as port:
        return FleetFolder(tmp_path, DatabaseAddress("none", port.number), capsys)


def test_the_host_is_examined_although_the_database_is_down(fleet: FleetFolder) -> None:
    """Without a table the host is examined. The store is bad, and the error is beside the diagnosis."""
    document = fleet.run("doctor", status=1)
    assert document["error"]["code"] == "store-unreachable"
    (diagnosis,) = document["diagnoses"]
    results = {check["code"]: check["result"] for check in diagnosis["checks"]}
    assert (diagnosis["name"], results["store"]) == (None, "bad")
    assert "port-80-free" in results


def test_the_tables_are_examined_although_the_database_is_down(fleet: FleetFolder) -> None:
    """The certificates of the tables that are asked for are examined; the next action is about the store."""
    for name in ("web", "mail"):
        fleet.add_table(name)
    for names, expected in (("", ["web", "mail"]), (" m*", ["mail"])):
        document = fleet.run(f"doctor{names}", status=1)
        assert document["error"]["code"] == "store-unreachable"
        assert [each["name"] for each in document["diagnoses"]] == expected
        for diagnosis in document["diagnoses"]:
            (store,) = [check for check in diagnosis["checks"] if check["code"] == "store"]
            assert (diagnosis["renewable"], diagnosis["next_action"]) == (False, store["fix"])


def test_people_see_the_error_too(fleet: FleetFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """The plain output has the diagnosis and the error."""
    assert main(["doctor", "--config", str(fleet.path)]) == 1
    out, err = capsys.readouterr()
    assert "only this machine was examined" in " ".join(out.split())
    assert "database" in err
