"""Deployments in a run: after a renewal, where nothing is due, after a failure, and after a kill."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Certificate, Deployment, Event, Outcome, Renewer
from dnsrenew.base.values import replace
from dnsrenew.errors import Cancelled
from dnsrenew.model import CA, Route
from dnsrenew.runtime.context import Context
from dnsrenew.store import FolderStore
from tests.kit.clock import FakeClock
from tests.kit.memory import host_config
from tests.kit.run_ca import Authority
from tests.kit.run_stage import RunStage, RunWorld
from tests.kit.stores import DIRECTORY, SPEC, keep


class Host:
    """A store with a valid certificate, and runs over it where nothing is due."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.target = folder / "target"
        self.target.mkdir()
        self.store = FolderStore(folder / "state")
        self.clock = FakeClock()
        self.events: list[Event] = []
        keep(self.store, 1)

    def files(self, name: str = "x", **options: Any) -> Deployment:
        """Return an entry for the pair of this name in the target folder."""
        return Deployment(
            "files", certificate=str(self.target / f"{name}.pem"), key=str(self.target / f"{name}.key"), **options
        )

    def run(self, *deploy: Any, **options: Any) -> Outcome:
        """Run once with these entries."""
        spec = replace(SPEC, deploy=deploy)
        config = host_config(self.store.path, [spec], {}, {"lab": CA(DIRECTORY)})
        (outcome,) = Renewer(config, clock=self.clock, on_event=self.events.append).renew(**options)
        return outcome


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with a valid certificate and an empty target folder."""
    return Host(tmp_path)


def shown(outcome: Outcome) -> list[tuple[bool, bool]]:
    """Return of each deployment whether it is well, and whether it has changed anything."""
    return [(result.ok, result.changed) for result in outcome.deployed]


def test_a_pending_deployment_is_tried_where_nothing_is_due(host: Host) -> None:
    """Once; afterwards the outcome has the last result, and no file is looked at."""
    first = host.run(host.files())
    assert (first.status, shown(first)) == ("not-due", [(True, True)])
    (host.target / "x.pem").unlink()
    second = host.run(host.files())
    assert (second.status, shown(second)) == ("not-due", [(True, False)])
    assert [event.kind for event in host.events].count("deploy-started") == 1


def test_an_edited_entry_is_pending_again(host: Host) -> None:
    """Its options are others now."""
    host.run(host.files())
    outcome = host.run(host.files(key_mode="0400"))
    assert shown(outcome) == [(True, True)]
    assert (host.target / "x.key").stat().st_mode & 0o777 == 0o400
    assert shown(host.run(host.files(key_mode="0400", verify_timeout=5))) == [(True, False)]  # all is the same
    assert [event.kind for event in host.events].count("deploy-started") == 3


def test_a_corrected_reload_is_run(host: Host) -> None:
    """The files of the first try are there, and were never activated; nothing of the old entry is kept."""
    out = host.folder / "reloaded"
    first = host.run(host.files(reload=["/no/such/program"]))
    assert shown(first) == [(False, True)]
    second = host.run(host.files(reload=[sys.executable, "-c", f"open({str(out)!r}, 'w')"]))
    assert (shown(second), out.exists()) == ([(True, True)], True)
    assert list((host.store.path / "certificates" / SPEC.name / "deploy").iterdir()) == []


def test_a_failed_one_is_tried_at_every_run(host: Host) -> None:
    """Until it succeeds; the others are left alone."""
    calls: list[Certificate] = []

    def broken(certificate: Certificate) -> None:
        calls.append(certificate)
        if len(calls) < 3:
            raise OSError("not yet")

    entries = [host.files(), broken]
    assert [shown(host.run(*entries)) for _ in range(4)] == [
        [(True, True), (False, True)],
        [(True, False), (False, True)],
        [(True, False), (True, True)],
        [(True, False), (True, False)],
    ]


def test_what_has_succeeded_is_not_repeated_after_a_cancel(host: Host) -> None:
    """Each result is recorded before the next entry begins."""
    calls: list[Certificate] = []

    def stops(_: Certificate) -> None:
        if len(calls) < 2:
            calls.append(_)
            raise Cancelled("cancelled", "Stopped.", fix="Start it again.")

    entries = [calls.append, stops]
    assert host.run(*entries).status == "interrupted"
    assert shown(host.run(*entries)) == [(True, False), (True, True)]
    assert len(calls) == 2


def test_deployments_can_be_left_to_a_later_run(host: Host) -> None:
    """Then they are not in the outcome, and the next run tries them."""
    later = host.run(host.files(), deploy=False)
    assert later.deployed == ()
    assert shown(host.run(host.files())) == [(True, True)]


def test_a_dry_run_deploys_nothing(host: Host) -> None:
    """It keeps nothing either."""
    assert host.run(host.files(), dry_run=True).deployed == ()
    assert list(host.target.iterdir()) == []


def test_the_results_are_in_the_state(host: Host) -> None:
    """With the serial number, so that the next certificate is deployed again; entries that are gone are forgotten."""
    host.run(host.files("a"), host.files("b"))
    host.run(host.files("c"))
    state = json.loads((host.store.path / "certificates" / SPEC.name / "state.json").read_text())
    ((_, record),) = state["deployments"].items()
    assert (record["ok"], record["serial"]) == (True, host.store.read_state(SPEC.name).serial)
    assert record["target"].endswith("c.pem")


def test_the_renames_of_a_killed_run_are_completed_first(host: Host) -> None:
    """Certificate and key fit again, whatever the configuration says now."""
    kept = host.store.deployment(SPEC.name, "0123456789abcdef")
    aside, final = host.target / ".x.key.1.dnsrenew-new", host.target / "x.key"
    aside.write_text("new key")
    final.write_text("old key")
    kept.note_renames(
        [(str(host.target / ".x.pem.1.dnsrenew-new"), str(host.target / "x.pem")), (str(aside), str(final))]
    )
    host.run()
    assert final.read_text() == "new key"
    assert host.store.unfinished_renames() == []


def test_a_live_run_completes_its_renames_itself(host: Host) -> None:
    """Whoever holds the lock of the certificate is at work."""
    kept = host.store.deployment(SPEC.name, "0123456789abcdef")
    aside, final = host.target / ".x.key.1.dnsrenew-new", host.target / "x.key"
    aside.write_text("new key")
    kept.note_renames([(str(aside), str(final))])
    with host.store.lock(SPEC.name, context=Context()):
        host.run()
    assert not final.exists()


@pytest.mark.parametrize("fails", [False, True])
def test_a_renewed_certificate_is_deployed(tmp_path: Path, fails: bool) -> None:
    """And a failed renewal deploys the one in force."""
    world = RunWorld(hosts={"home": "ok"}, authorities={"one": Authority(ordering="ca-server-error")} if fails else {})
    stage = RunStage(tmp_path / "state", world)
    got: list[str] = []
    routes = (Route("dns-01", dns=("home",)),)
    spec = replace(SPEC, ca="one", routes=routes, deploy=(lambda certificate: got.append(certificate.serial),))
    stage.keep(spec)
    outcome = stage.run(spec)
    assert outcome.status == ("failed" if fails else "renewed")
    assert got == [outcome.serial]
    assert shown(outcome) == [(True, True)]
