"""Deployments in a run: after a renewal, where nothing is due, after a failure, and after a kill."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from dnsrenew import Certificate, Deployment, Event, Outcome, Renewer, Secret
from dnsrenew.base.model import CA, Route
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.deploy.entry import entries, entry_id, entry_ids
from dnsrenew.errors import Cancelled, DeployError
from dnsrenew.extensions.watch.metrics import collect
from dnsrenew.store import FolderStore
from tests.kit.acme_server import CaBehaviour
from tests.kit.clock import FakeClock
from tests.kit.memory import host_config
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

    def renewer(self, *deploy: Any) -> Renewer:
        """Return a renewer with these entries."""
        spec = replace(SPEC, deploy=deploy)
        config = host_config(self.store.path, [spec], {}, {"lab": CA(DIRECTORY)})
        return Renewer(config, clock=self.clock, on_event=self.events.append)

    def run(self, *deploy: Any, **options: Any) -> Outcome:
        """Run once with these entries."""
        (outcome,) = self.renewer(*deploy).renew(**options)
        return outcome

    def deploy(self, *deploy: Any, **options: Any) -> Outcome:
        """Deploy once to these entries, and renew nothing."""
        (outcome,) = self.renewer(*deploy).deploy(**options)
        return outcome


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with a valid certificate and an empty target folder."""
    return Host(tmp_path)


def shown(outcome: Outcome) -> list[tuple[bool, bool]]:
    """Return of each deployment whether it is well, and whether it has changed anything."""
    return [(result.ok, result.changed) for result in outcome.deployed]


def test_a_pending_deployment_is_tried_where_nothing_is_due(host: Host) -> None:
    """A pending deployment runs once. Later outcomes repeat its result."""
    first = host.run(host.files())
    assert (first.status, shown(first)) == ("not-due", [(True, True)])
    second = host.run(host.files())
    assert (second.status, shown(second)) == ("not-due", [(True, False)])
    assert [event.kind for event in host.events].count("deploy-started") == 1


def test_an_edited_entry_is_pending_again(host: Host) -> None:
    """An entry with changed options is deployed again."""
    host.run(host.files())
    outcome = host.run(host.files(key_mode="0400"))
    assert shown(outcome) == [(True, True)]
    assert (host.target / "x.key").stat().st_mode & 0o777 == 0o400
    assert shown(host.run(host.files(key_mode="0400", verify_timeout=5))) == [(True, False)]  # all is the same
    assert [event.kind for event in host.events].count("deploy-started") == 3


def test_a_corrected_reload_is_run(host: Host) -> None:
    """A corrected reload runs although the files are in place. The old entry is deleted."""
    out = host.folder / "reloaded"
    first = host.run(host.files(reload=["/no/such/program"]))
    assert shown(first) == [(False, True)]
    second = host.run(host.files(reload=[sys.executable, "-c", f"open({str(out)!r}, 'w')"]))
    assert (shown(second), out.exists()) == ([(True, True)], True)
    assert list((host.store.path / "certificates" / SPEC.name / "deploy").iterdir()) == []


def test_a_failed_one_is_tried_at_every_run(host: Host) -> None:
    """A failed deployment is retried at every run until it succeeds. Others are not repeated."""
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


class Hook:
    """Objects that can be called, and methods, all of one name."""

    def __init__(self, calls: list[str], word: str) -> None:
        self.calls, self.word = calls, word

    def __call__(self, _: Certificate) -> None:
        """Note that the object was called."""
        self.calls.append(self.word)

    def notify(self, _: Certificate) -> None:
        """Note that this method was called."""
        self.calls.append(f"{self.word} by a method")


def test_each_of_several_callables_is_called(host: Host) -> None:
    """Lambdas, objects and methods of the same name are entries of their own. So are entries with equal options."""
    calls: list[str] = []
    first, second = Hook(calls, "c"), Hook(calls, "d")
    steps: list[Callable[[Certificate], object]] = [
        *(lambda _: calls.append("a"), lambda _: calls.append("b")),
        *(first, second, first.notify, second.notify),
    ]
    files = [host.files(), host.files()]
    assert len(host.run(*steps, *files).deployed) == 8
    assert calls == ["a", "b", "c", "d", "c by a method", "d by a method"]
    assert shown(host.run(*steps, *files)) == [(True, False)] * 8
    assert len(calls) == 6
    assert len(set(entry_ids([*steps, *files]))) == 8
    assert entry_ids(steps) == [one.id for one in entries(steps)]
    assert entry_ids(steps)[0] == entry_id(steps[0])  # as in the records of older versions


def test_deploy_looks_at_every_target(host: Host) -> None:
    """`deploy` writes what was removed or changed by hand and leaves the rest."""
    calls: list[Certificate] = []
    steps = [host.files("a"), host.files("b"), calls.append]
    host.run(*steps)
    (host.target / "a.pem").unlink()
    (host.target / "b.key").write_text("by hand")
    assert shown(host.deploy(*steps)) == [(True, True), (True, True), (True, False)]
    assert (host.target / "b.key").read_text() == (host.target / "a.key").read_text()
    assert shown(host.deploy(*steps)) == [(True, False)] * 3
    assert len(calls) == 1
    host.target.joinpath("b.key").unlink()
    host.target.joinpath("b.key").mkdir()
    assert shown(host.deploy(*steps)) == [(True, False), (False, False), (True, False)]
    assert shown(host.run(*steps))[1] == (False, False)  # pending again


def test_deploy_runs_a_program_again_if_a_port_serves_another_certificate(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`deploy` runs a program again if a port of its `verify` serves another certificate."""
    served, ran = [True], host.folder / "ran"
    monkeypatch.setattr("dnsrenew.deploy.verify.is_served", lambda *_: served[0])
    monkeypatch.setattr("dnsrenew.deploy.verify.wait_served", lambda *_: None)
    command = [sys.executable, "-c", f"open({str(ran)!r}, 'a').write('x')"]
    step = Deployment("run", run=command, verify=("127.0.0.1:1",))
    host.run(step)
    assert shown(host.deploy(step)) == [(True, False)]
    served[0] = False
    assert shown(host.deploy(step)) == [(True, True)]
    assert ran.read_text() == "xx"


def test_a_changed_secret_is_deployed(host: Host) -> None:
    """A new password, of a file or a literal, makes the entry pending. One that cannot be read does not."""
    path, word = host.target / "tls.pfx", host.folder / "word"

    def step(secret: Secret | None = None) -> Deployment:
        return Deployment("pkcs12", path=str(path), password=secret or Secret.file(word))

    word.write_text("one-word")
    assert shown(host.run(step())) == [(True, True)]
    assert shown(host.run(step())) == [(True, False)]
    word.write_text("two-words")
    assert shown(host.run(step())) == [(True, True)]
    assert pkcs12.load_pkcs12(path.read_bytes(), b"two-words").cert is not None
    word.unlink()
    outcome = host.run(step())
    assert (shown(outcome), outcome.warnings) == ([(True, False)], ())
    (status,) = host.renewer(step()).status()
    assert not status.deployment_pending
    assert shown(host.run(step(Secret("first-word")))) == [(True, True)]
    assert shown(host.run(step(Secret("other-word")))) == [(True, True)]
    state = (host.store.path / "certificates" / SPEC.name / "state.json").read_text()
    assert not any(each in state for each in ("two-words", "other-word"))


def test_a_record_of_an_older_version_is_kept(host: Host) -> None:
    """A record without its secrets is not pending, because it is not known which they were."""
    step = Deployment("pkcs12", path=str(host.target / "tls.pfx"), password=Secret("one-word"))
    host.run(step)
    path = host.store.path / "certificates" / SPEC.name / "state.json"
    document = json.loads(path.read_text())
    for record in document["deployments"].values():
        del record["secrets"]
    path.write_text(json.dumps(document))
    assert shown(host.run(step)) == [(True, False)]


def test_a_secret_is_not_read_for_entries_without_one(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the store is read only for entries with secrets: many certificates may be idle."""
    host.run(host.files())
    monkeypatch.setattr(FolderStore, "fingerprint_key", None)
    assert shown(host.run(host.files())) == [(True, False)]


def test_status_has_the_last_try(host: Host) -> None:
    """`status` shows the result of the last try unchanged, with its error. A run that tries nothing changes nothing."""
    steps = [host.files(), Deployment("run", run=["/no/such/program"])]
    done = host.run(*steps).deployed
    (status,) = host.renewer(*steps).status()
    assert [one.to_dict() for one in status.deployed] == [one.to_dict() for one in done]
    assert isinstance(status.deployed[1].error, DeployError)
    path = host.store.path / "certificates" / SPEC.name / "state.json"
    document = json.loads(path.read_text())
    document["deployments"][entry_id(host.files())]["seconds"] = 1.5
    path.write_text(json.dumps(document))
    untouched = host.run(host.files()).deployed[0]
    assert (untouched.changed, untouched.seconds) == (False, 0)
    (status,) = host.renewer(host.files()).status()
    assert (status.deployed[0].changed, status.deployed[0].seconds) == (True, 1.5)


def test_what_has_succeeded_is_not_repeated_after_a_cancel(host: Host) -> None:
    """Each result is recorded before the next entry begins, so that a cancel does not repeat it."""
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
    """With `deploy=False` the outcome has no deployments, and the next run makes them."""
    later = host.run(host.files(), deploy=False)
    assert later.deployed == ()
    assert shown(host.run(host.files())) == [(True, True)]


def test_a_dry_run_deploys_nothing(host: Host) -> None:
    """A dry run deploys nothing and records nothing."""
    assert host.run(host.files(), dry_run=True).deployed == ()
    assert list(host.target.iterdir()) == []


def test_the_results_are_in_the_state(host: Host) -> None:
    """Results are stored with the serial number, so that the next certificate is deployed.

    Removed entries are deleted.
    """
    host.run(host.files("a"), host.files("b"))
    host.run(host.files("c"))
    state = json.loads((host.store.path / "certificates" / SPEC.name / "state.json").read_text())
    ((_, record),) = state["deployments"].items()
    assert (record["ok"], record["serial"]) == (True, host.store.read_state(SPEC.name).serial)
    assert record["target"].endswith("c.pem")


def test_the_renames_of_a_killed_run_are_completed_first(host: Host) -> None:
    """Pending renames are completed first, even for removed entries, so that certificate and key match."""
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
    """While another run holds the certificate's lock, its renames are not completed."""
    kept = host.store.deployment(SPEC.name, "0123456789abcdef")
    aside, final = host.target / ".x.key.1.dnsrenew-new", host.target / "x.key"
    aside.write_text("new key")
    kept.note_renames([(str(aside), str(final))])
    with host.store.lock(SPEC.name, context=Context()):
        host.run()
    assert not final.exists()


@pytest.mark.parametrize("fails", [False, True])
def test_a_renewed_certificate_is_deployed(tmp_path: Path, fails: bool) -> None:
    """A renewal deploys the new certificate. A failed renewal deploys the current one."""
    world = RunWorld(hosts={"home": "ok"}, cas={"one": CaBehaviour(ordering="ca-server-error")} if fails else {})
    stage = RunStage(tmp_path / "state", world)
    got: list[str] = []
    routes = (Route("dns-01", dns=("home",)),)
    spec = replace(SPEC, ca="one", routes=routes, deploy=(lambda certificate: got.append(certificate.serial),))
    stage.keep(spec)
    outcome = stage.run(spec)
    assert outcome.status == ("failed" if fails else "renewed")
    assert got == [outcome.serial]
    assert shown(outcome) == [(True, True)]


# ── what was deployed is looked at ──────────────────────────────────────────────────────


def remove(file: Path) -> None:
    """Remove a file."""
    file.unlink()


def overwrite(file: Path) -> None:
    """Put another certificate in its place."""
    file.write_text("that of another one")


def open_up(file: Path) -> None:
    """Let others read it."""
    file.chmod(0o664)


def give_away(file: Path) -> None:
    """Give it to another group."""
    os.chown(file, -1, 12345)


@pytest.mark.parametrize("change", [remove, overwrite, open_up, give_away], ids=lambda change: change.__name__)
@pytest.mark.parametrize("name", ["x.pem", "x.key"])
@pytest.mark.parametrize("options", [{}, {"key_mode": "0600", "mode": "0644"}], ids=["default", "given"])
def test_a_run_repairs_what_was_deployed(
    host: Host, change: Callable[[Path], None], name: str, options: dict[str, str]
) -> None:
    """`status` and the metric tell of a deployed file that was changed; the next run deploys it again and warns."""
    if change is give_away and (os.name == "nt" or os.geteuid() != 0):
        pytest.skip("only root can give a file away")
    entry = host.files(reload=["touch", str(host.folder / "reloaded")], **options)
    host.run(entry)
    (host.folder / "reloaded").unlink()
    file = host.target / name
    before, content = file.stat(), file.read_bytes()
    change(file)
    renewer = host.renewer(entry)
    (status,) = renewer.status()
    (seen,) = status.deployed
    assert (status.deployment_pending, seen.ok) == (True, False)
    assert seen.error is not None
    assert seen.error.code == "deploy-changed"
    assert str(file) in str(seen.error.evidence["fault"])
    config = host_config(host.store.path, [replace(SPEC, deploy=(entry,))], {}, {"lab": CA(DIRECTORY)})
    (numbers,) = collect(config, host.store, host.clock)
    assert list(numbers.deployed.values()) == [False]
    outcome = host.run(entry)
    assert (shown(outcome), [notice.code for notice in outcome.warnings]) == ([(True, True)], ["deploy-changed"])
    assert (host.folder / "reloaded").exists()
    now = file.stat()
    assert (file.read_bytes(), now.st_mode, now.st_uid, now.st_gid) == (
        *(content, before.st_mode, before.st_uid, before.st_gid),
    )
    assert renewer.status()[0].deployed[0].ok
    (numbers,) = collect(config, host.store, host.clock)
    assert list(numbers.deployed.values()) == [True]


def test_a_file_that_was_only_touched_is_left_alone(host: Host) -> None:
    """A file with the same content, mode and owner is as it was, also if it is another one: after a restore."""
    host.run(host.files())
    file = host.target / "x.pem"
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content)
    file.chmod(0o644)
    assert host.renewer(host.files()).status()[0].deployed[0].ok
    outcome = host.run(host.files())
    assert (shown(outcome), outcome.warnings) == ([(True, False)], ())
    assert [event.kind for event in host.events].count("deploy-started") == 1


def test_a_run_with_nothing_changed_asks_for_each_file_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing has changed, a run makes one system call for each file that was deployed, and opens none."""
    host.run(host.files())
    asked: list[str] = []
    lstat = os.lstat

    def counted(path: str) -> os.stat_result:
        asked.append(path)
        return lstat(path)

    monkeypatch.setattr("dnsrenew.renewal.deploying.os.lstat", counted)
    monkeypatch.delattr("dnsrenew.renewal.deploying.entries")  # what would read them
    host.run(host.files())
    assert [path for path in asked if str(host.target) in path] == [
        str(host.target / "x.pem"),
        str(host.target / "x.key"),
    ]


def test_a_record_of_an_older_version_is_looked_at_once(host: Host) -> None:
    """A record without marks gets them by the first run, which deploys only what is missing."""
    host.run(host.files("a"), host.files("b"))

    def without_marks(state: Any) -> Any:
        records = {
            one: {key: value for key, value in record.items() if key != "files"}
            for one, record in state.deployments.items()
        }
        return replace(state, deployments=records)

    host.store.update(SPEC.name, without_marks)
    (host.target / "a.pem").unlink()
    assert shown(host.run(host.files("a"), host.files("b"))) == [(True, True), (True, False)]
    assert all(record["files"] for record in host.store.read_state(SPEC.name).deployments.values())


# ── all files first, then each reload once ──────────────────────────────────────────────


class Site:
    """Certificates of one server, which is reloaded only where the files of all are there, as nginx.

    :ivar log: has a word for each reload.
    :ivar refused: the server refuses the certificate of this name.
    :ivar more: what the reload does besides.
    """

    def __init__(self, folder: Path) -> None:
        self.log, self.target, self.refused = folder / "log", folder / "target", ""
        self.more: list[str] = []
        self.target.mkdir()
        self.store = FolderStore(folder / "state")
        self.names = [f"site-{number}" for number in range(12)]
        for name in self.names:
            keep(self.store, 1, name)

    def file(self, name: str) -> Path:
        """Return the file with the certificate."""
        return self.target / f"{name}.pem"

    def renewer(self) -> Renewer:
        """Return a renewer of all."""
        conditions = [f"test -s {self.file(name)}" for name in self.names]
        if self.refused:
            conditions.append(f"grep -q old {self.file(self.refused)}")
        reload = ["sh", "-c", " && ".join([f"echo reload >> {self.log}", *conditions, *self.more])]
        specs = [replace(SPEC, name=name, deploy=(self._entry(name, reload),)) for name in self.names]
        return Renewer(host_config(self.store.path, specs, {}, {"lab": CA(DIRECTORY)}), clock=FakeClock())

    def _entry(self, name: str, reload: list[str]) -> Deployment:
        key = self.target / f"{name}.key"
        return Deployment("files", certificate=str(self.file(name)), key=str(key), reload=reload)


@pytest.mark.parametrize("how", ["deploy", "renew"])
def test_each_reload_runs_once_after_the_files_of_all(tmp_path: Path, how: str) -> None:
    """A server that needs the files of all certificates is reloaded once, when they are there."""
    site = Site(tmp_path)
    outcomes = getattr(site.renewer(), how)(workers=2)
    assert [[result.ok for result in one.deployed] for one in outcomes] == [[True]] * len(site.names)
    assert site.log.read_text().split() == ["reload"]


@pytest.mark.parametrize("how", ["deploy", "renew"])
def test_a_refused_certificate_does_not_break_the_others(tmp_path: Path, how: str) -> None:
    """If the server refuses one of the certificates, all are put back, and each is tried alone: the others succeed."""
    site = Site(tmp_path)
    for name in site.names:
        site.file(name).write_text("old")
        (site.target / f"{name}.key").write_text("old")
    site.refused = "site-3"
    outcomes = getattr(site.renewer(), how)()
    assert [one.name for one in outcomes if not one.deployed[0].ok] == ["site-3"]
    assert outcomes[3].deployed[0].rolled_back
    assert [name for name in site.names if site.file(name).read_text() == "old"] == ["site-3"]


def test_a_cancel_ends_those_that_wait_for_each_other(tmp_path: Path) -> None:
    """If the run is cancelled while a reload is running, every certificate is interrupted."""
    site, cancel = Site(tmp_path), threading.Event()
    site.more = ["sleep 60"]

    def stop_when_it_runs() -> None:
        while not site.log.exists():
            cancel.wait(0.01)
        cancel.set()

    threading.Thread(target=stop_when_it_runs).start()
    outcomes = site.renewer().deploy(cancel=cancel)
    assert {one.status for one in outcomes} == {"interrupted"}


def test_missing_folders_below_the_configuration_are_made(tmp_path: Path) -> None:
    """`deploy` makes folders below the configuration's own, as after a restore; `renew` makes none."""
    folder = tmp_path / "own"
    folder.mkdir()
    keep(FolderStore(folder / "state"), 1)
    (folder / "conf.d").mkdir(mode=0o755)
    paths = [folder / "live" / "home" / "cert.pem", tmp_path / "elsewhere" / "cert.pem"]
    entries = ", ".join(f'{{ to = "files", certificate = "{path}" }}' for path in paths)
    (folder / "dnsrenew.toml").write_text(
        f'include = ["conf.d/*.toml"]\nstore = "state"\nca.lab.directory = "{DIRECTORY}"\n'
    )
    (folder / "conf.d" / "home.toml").write_text(
        f'[[certificate]]\nname = "home"\ndomains = ["münchen.test"]\nca = "lab"\ndeploy = [{entries}]\n'
        f'routes = [{{ challenge = "http-01", webroot = "{tmp_path}" }}]\n'
    )
    renewer = Renewer(Config.load(folder / "dnsrenew.toml"), clock=FakeClock())
    (outcome,) = renewer.renew()
    assert [result.ok for result in outcome.deployed] == [False, False]
    (outcome,) = renewer.deploy()
    assert [result.ok for result in outcome.deployed] == [True, False]
    assert paths[0].exists()
    assert [path.stat().st_mode & 0o777 for path in paths[0].parents[:2]] == [0o755] * 2
    assert not paths[1].parent.exists()
