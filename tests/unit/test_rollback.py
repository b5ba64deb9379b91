"""`dnsrenew rollback`: an older version comes back into force, is deployed, and stays."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Outcome
from tests.kit.memory_lab import MemoryStage, MemoryWorkspace
from tests.kit.renew_stage import error_of
from tests.lab import AcmeProxy
from tests.lab.acmemessages import Response

DAY = timedelta(days=1)


@pytest.fixture
def three(stage: MemoryStage) -> MemoryStage:
    """A certificate of which the store has three versions; the third is in force."""
    stage.renewed()
    stage.renewed(force=True)
    stage.renewed(force=True)
    return stage


def serials(stage: MemoryStage) -> dict[int, str]:
    """Return the serial numbers of the versions, by number."""
    return {each.version: each.serial for each in stage.renewer().status()[0].versions}


def rolled_back(stage: MemoryStage, later: timedelta = timedelta(), **how: Any) -> Outcome:
    """Roll back, which must succeed."""
    outcome = stage.renewer(later=later).rollback("home", **how)
    assert (outcome.status, outcome.error) == ("rolled-back", None)
    return outcome


def refused(stage: MemoryStage, **how: Any) -> str:
    """Roll back, which must be refused, and leave all as it is; return the message."""
    before = stage.leaf().serial_number
    outcome = stage.renewer().rollback("home", **how)
    assert (outcome.status, error_of(outcome).code) == ("failed", "rollback-refused")
    assert stage.leaf().serial_number == before
    return error_of(outcome).message


def test_the_version_before_comes_back_and_stays(three: MemoryStage) -> None:
    """Without a number the newest other version is in force again, and the next run does not replace it."""
    outcome = rolled_back(three)
    assert outcome.serial == serials(three)[2] == f"{three.leaf().serial_number:x}"
    assert [each.version for each in three.renewer().status()[0].versions if each.current] == [2]
    assert three.one().status == "not-due"
    assert rolled_back(three).serial == serials(three)[3]  # it was the newest other one


def test_a_number_chooses_the_version(three: MemoryStage) -> None:
    """`--to` names a version. The document is that of a run, with the status `rolled-back`."""
    three.workspace.write()
    exit_status, document = three.workspace.run_json("rollback", "home", "--to", "1")
    (outcome,) = document["outcomes"]
    assert (exit_status, document["version"], outcome["status"]) == (0, 1, "rolled-back")
    assert outcome["serial"] == serials(three)[1]
    again = three.workspace.run_json("rollback", "home", "--to", "1")
    assert (again[0], again[1]["outcomes"][0]["status"]) == (0, "not-due")


def test_a_version_in_force_is_kept_by_the_same_command(three: MemoryStage) -> None:
    """`--to` the version in force succeeds as `not-due`, and from then on that version stays despite an old edit."""
    edited = {"certificate.0.key": "rsa2048"}
    assert three.renewer(edited).rollback("home", to=3).status == "not-due"
    assert three.one(edited).status == "not-due"


def test_what_is_deployed_is_the_old_one(three: MemoryStage, tmp_path: Path) -> None:
    """The old version is deployed at once, or with `deploy=False` by the next run."""
    target = tmp_path / "served"
    target.mkdir()
    files = {"certificate.0.deploy": [{"to": "files", "combined": str(target / "home.pem")}]}
    three.one(files)
    for number, at_once in ((1, True), (2, False)):
        outcome = three.renewer(files).rollback("home", to=number, deploy=at_once)
        assert [result.changed for result in outcome.deployed] == ([True] if at_once else [])
        assert [result.ok for result in three.one(files).deployed] == [True]
        chain = three.workspace.store / f"certificates/home/versions/{number}/fullchain.pem"
        assert chain.read_text() in (target / "home.pem").read_text()


def test_it_stays_although_the_configuration_wants_another(stage: MemoryStage) -> None:
    """A version with other names stays until the table is edited again; edits that no certificate shows end nothing."""
    stage.renewed()
    more = {"certificate.0.domains": ["example.test", "www.example.test"]}
    stage.renewed(more)
    assert stage.renewer(more).rollback("home").status == "rolled-back"
    assert stage.one(more).status == "not-due"
    assert stage.one({**more, "certificate.0.propagation": {"timeout": 60}}).status == "not-due"
    assert stage.renewer(more).status()[0].state == "valid"
    assert stage.renewed({**more, "certificate.0.key": "ecdsa-p384"}).reason == "changed"
    assert stage.one({**more, "certificate.0.key": "ecdsa-p384"}).status == "not-due"


@pytest.mark.parametrize("left", [timedelta(days=20), timedelta(days=6)], ids=["20 days", "6 days"])
def test_one_whose_time_is_over_lives_by_what_is_left(stage: MemoryStage, left: timedelta) -> None:
    """The version before a usual renewal was due already. It stays until a third, or a half under ten days, is left."""
    end = stage.renewed().not_after
    assert end is not None
    at = end - stage.lab.clock.start - left
    stage.renewed(later=at)
    outcome = rolled_back(stage, later=at)
    assert stage.one(later=at).status == "not-due"
    margin = left / 3 if left > 10 * DAY else left / 2
    assert outcome.next_renewal is not None
    assert abs(outcome.next_renewal - (end - margin)) < timedelta(seconds=2)
    assert stage.renewed(later=at + left - margin + timedelta(seconds=5)).reason == "renew-before"
    assert stage.one(later=at + left - margin + timedelta(minutes=5)).status == "not-due"


def test_the_window_that_was_over_does_not_count(stage: MemoryStage, ca: AcmeProxy) -> None:
    """A window of the CA that ended before the rollback calls for nothing; one that ends later does."""
    through = {"ca.lab.directory": ca.directory_url}
    stage.renewed(through)
    stage.renewed(through, force=True)
    now: datetime = stage.lab.clock.now()
    window = {"start": (now - 2 * DAY).isoformat(), "end": (now - DAY).isoformat()}
    ca.on_request = lambda request: (
        Response.of_json(200, {"suggestedWindow": window}) if request.kind == "renewalInfo" else None
    )
    assert stage.renewer(through).rollback("home").status == "rolled-back"
    assert stage.one(through).status == "not-due"
    window["end"] = (now + timedelta(hours=1)).isoformat()
    assert stage.renewed(through, later=8 * DAY).reason == "ari"


def test_a_revoked_version_is_refused(three: MemoryStage) -> None:
    """A version that was revoked while it was in force is refused, also where no number is given."""
    three.renewer().revoke("home", reason="superseded")
    assert "revoked" in refused(three, to=3)
    three.renewed()
    assert "revoked" in refused(three, to=3)
    assert rolled_back(three).serial == serials(three)[2]


def test_a_key_that_was_compromised_is_refused(stage: MemoryStage) -> None:
    """A version whose key was revoked as compromised in another one is refused."""
    keep = {"certificate.0.reuse_key": True}
    stage.renewed(keep)
    stage.renewed(keep, force=True)
    stage.renewer(keep).revoke("home", reason="key-compromise")
    stage.renewed(keep)
    assert "compromised" in refused(stage, to=1)


def test_an_expired_version_is_refused(stage: MemoryStage) -> None:
    """A version whose end has come is refused, with its dates."""
    first = stage.renewed()
    assert first.not_after is not None
    later = first.not_after - stage.lab.clock.start
    stage.renewed(later=later + DAY)
    assert "not valid now" in refused_later(stage, later + DAY)


def refused_later(stage: MemoryStage, later: timedelta) -> str:
    """Roll back at a later time, which must be refused; return the message."""
    error = error_of(stage.renewer(later=later).rollback("home", to=1))
    assert error.code == "rollback-refused"
    return error.message


def test_a_pruned_version_is_refused(three: MemoryStage) -> None:
    """A version that the store keeps no longer, or never had, is refused; the command ends with 1 and says the code."""
    three.renewed(force=True)
    assert refused(three, to=1) == refused(three, to=99).replace("99", "1")
    three.workspace.write()
    exit_status, document = three.workspace.run_json("rollback", "home", "--to", "1")
    assert (exit_status, document["error"]["code"]) == (1, "rollback-refused")
    assert document["outcomes"][0]["error"]["code"] == "rollback-refused"
    said = three.workspace.run("rollback", "home", "--to", "1")
    assert "dnsrenew status home -v" in said.stderr + said.stdout


def test_the_only_version_is_refused(stage: MemoryStage) -> None:
    """Without another version, or without any, there is nothing to roll back to."""
    assert error_of(stage.renewer().rollback("home")).code == "rollback-refused"
    stage.renewed()
    assert "no other version" in refused(stage)


@pytest.mark.parametrize("part", ["fullchain.pem", "privkey.pem", "meta.json"])
def test_a_damaged_version_is_refused(three: MemoryStage, part: str) -> None:
    """A version whose certificate, key or record is damaged or of another version does not come into force."""
    versions = three.workspace.store / "certificates/home/versions"
    path = versions / "2" / part
    path.write_bytes((versions / "3" / part).read_bytes())
    refused(three, to=2)
    path.write_bytes(b"?")
    refused(three, to=2)


def test_a_wrong_command_line(workspace: MemoryWorkspace) -> None:
    """A version is a number; a certificate has to be named; both are mistakes of the command line."""
    for arguments, code in (
        (("home", "--to", "old"), "usage"),
        (("home", "--to", "9" * 5000), "usage"),
        ((), "usage"),
        (("hmoe",), "certificate-unknown"),
    ):
        exit_status, document = workspace.run_json("rollback", *arguments)
        assert (exit_status, document["error"]["code"]) == (2, code)


def test_status_lists_the_versions(three: MemoryStage) -> None:
    """`status --json` has every version with what it is; `status -v` shows them, the newest first."""
    three.workspace.write()
    three.renewer().revoke("home")
    _, document = three.workspace.run_json("status")
    versions = document["certificates"][0]["versions"]
    known = serials(three)
    assert [(each["version"], each["current"], each["revoked"]) for each in versions] == [
        (1, False, False),
        (2, False, False),
        (3, True, True),
    ]
    assert [each["serial"] for each in versions] == list(known.values())
    assert all(each["not_after"].endswith("Z") for each in versions)
    shown = three.workspace.run("status", "-v").stdout
    assert shown.index(known[3]) < shown.index(known[2]) < shown.index(known[1])
    assert known[1] not in three.workspace.run("status").stdout


def test_a_renewal_ends_the_rollback(three: MemoryStage) -> None:
    """The next renewal of a version that came back forgets that it did, so the one after it is judged as usual."""
    rolled_back(three)
    path = three.workspace.store / "certificates/home/state.json"
    assert "rolled_back" in json.loads(path.read_text())
    three.renewed(force=True)
    assert "rolled_back" not in json.loads(path.read_text())
