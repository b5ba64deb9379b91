"""One entry of ``deploy``: check, write, activate, verify, and put back."""

from __future__ import annotations

import errno
import os
import pickle
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from dnsrenew import Certificate, DeployerContext, Event, Secret, StoreError
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.events import Emitter
from dnsrenew.base.model import Deployment, DeploymentResult
from dnsrenew.base.runtime import Context
from dnsrenew.base.safe_files import OpenFolder
from dnsrenew.cli.progress import EventText
from dnsrenew.deploy import engine, file_set, programs, staged_file, verify
from dnsrenew.deploy.entry import Entry, entry
from dnsrenew.errors import DeployError
from tests.kit.clock import FakeClock
from tests.kit.deployments import KeptFiles, TlsServer, make_certificate
from tests.kit.folders import here
from tests.kit.load import allowed
from tests.kit.tls_stand_in import serving
from tests.lab import ports


class EngineStage:
    """A target folder with an old pair, a server that serves it, and what the store keeps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.target = folder / "target"
        self.target.mkdir()
        self.certificate, self.key = self.target / "cert.pem", self.target / "key.pem"
        self.kept = KeptFiles()
        self.events: list[Event] = []
        self.context = Context(emitter=Emitter(SystemClock(), self.events.append))

    def make(self, **options: Any) -> Certificate:
        """Return a new certificate in a version of its own."""
        return make_certificate(self.folder / "versions", **options)

    def place(self, certificate: Certificate) -> None:
        """Put a pair in place by hand, as the old one."""
        self.certificate.write_text(certificate.fullchain_pem)
        self.key.write_text(certificate.private_key_pem)

    def entry(self, **options: Any) -> Entry:
        """Return the entry for ``files`` with these more options."""
        return entry(Deployment("files", certificate=str(self.certificate), key=str(self.key), **options))

    def deploy(self, one: Entry, certificate: Certificate) -> DeploymentResult:
        """Deploy to one entry."""
        context = self.context.for_certificate("home")
        (result,) = engine.deploy(context, [one], certificate, lambda _: self.kept)
        self.notices = context.notices
        return result

    def has(self, certificate: Certificate) -> bool:
        """Return whether this pair is in place."""
        pair = self.certificate.read_text(), self.key.read_text()
        return pair == (certificate.fullchain_pem, certificate.private_key_pem)


@pytest.fixture
def stage(tmp_path: Path) -> EngineStage:
    """A target without a pair yet."""
    return EngineStage(tmp_path)


def reload_by(server: TlsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the program ``reload`` of an entry reload this server."""
    monkeypatch.setattr(programs, "run", lambda *_, **__: server.reload())


def kinds(stage: EngineStage) -> list[str]:
    """Return the kinds of all events."""
    return [event.kind for event in stage.events]


def test_files_are_written_with_their_modes(stage: EngineStage) -> None:
    """Files are written with their modes. No other file is left."""
    new = stage.make()
    result = stage.deploy(stage.entry(), new)
    assert (result.ok, result.changed, result.served, result.rolled_back, result.error) == (
        True,
        True,
        None,
        False,
        None,
    )
    assert stage.has(new)
    assert (stage.certificate.stat().st_mode & 0o777, stage.key.stat().st_mode & 0o777) == (0o644, 0o600)
    assert sorted(path.name for path in stage.target.iterdir()) == ["cert.pem", "key.pem"]  # nothing is left beside
    assert kinds(stage) == ["deploy-started", "deployed"]


def test_what_is_in_place_is_left_alone(stage: EngineStage) -> None:
    """Files with the same content are not touched, and nothing is reloaded."""
    new = stage.make()
    stage.place(new)
    before = stage.certificate.stat()
    result = stage.deploy(stage.entry(reload=["/no/such/program"]), new)
    assert (result.ok, result.changed) == (True, False)
    assert stage.certificate.stat() == before


def test_files_in_place_that_were_not_activated_are(stage: EngineStage, tmp_path: Path) -> None:
    """If a run was killed between writing the files and the reload, the next run reloads."""
    new, out = stage.make(), tmp_path / "reloaded"
    stage.place(new)
    stage.kept.begin()
    program = [sys.executable, "-c", f"open({str(out)!r}, 'w')"]
    assert stage.deploy(stage.entry(reload=program), new).changed
    assert out.exists()
    assert not stage.deploy(stage.entry(reload=program), new).changed


def test_the_port_serves_it(stage: EngineStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment counts when the port serves the certificate."""
    old, new = stage.make(), stage.make()
    stage.place(old)
    with TlsServer(stage.certificate, stage.key).running() as server:
        reload_by(server, monkeypatch)
        result = stage.deploy(stage.entry(reload=["reload"], verify=[f"127.0.0.1:{server.port}"]), new)
        assert (result.ok, result.changed, result.served) == (True, True, True)
        # A second time nothing is written or reloaded.
        again = stage.deploy(stage.entry(reload=["reload"], verify=[f"127.0.0.1:{server.port}"]), new)
        assert (again.ok, again.changed, again.served, server.reloads) == (True, False, True, 2)


def test_files_in_place_that_are_not_served_are_activated(stage: EngineStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of a run that was killed before the reload are activated."""
    old, new = stage.make(), stage.make()
    stage.place(old)
    with TlsServer(stage.certificate, stage.key).running() as server:
        stage.place(new)  # a run was killed before it reloaded
        reload_by(server, monkeypatch)
        result = stage.deploy(stage.entry(reload=["reload"], verify=[f"127.0.0.1:{server.port}"]), new)
        assert (result.ok, result.served, server.reloads) == (True, True, 2)


def test_a_port_that_serves_another_one_gets_the_old_files_back(stage: EngineStage) -> None:
    """If the port keeps serving another certificate, the old files are restored."""
    old, new = stage.make(), stage.make()
    stage.place(old)
    with TlsServer(stage.certificate, stage.key).running() as server:
        options = {"verify": [f"127.0.0.1:{server.port}"], "verify_timeout": 0.3}
        result = stage.deploy(stage.entry(**options), new)
    assert (result.ok, result.served, result.rolled_back) == (False, False, True)
    assert result.error is not None
    assert result.error.code == "deploy-not-served"
    assert stage.has(old)
    assert kinds(stage) == ["deploy-started", "deploy-rolled-back", "deploy-failed"]


def test_a_wait_for_a_port_is_told(stage: EngineStage) -> None:
    """If a port does not serve the certificate after a second, an event names it and the limit, once."""
    with ports.reserve("127.0.0.1") as port:
        stage.context = Context(clock=FakeClock(), emitter=Emitter(SystemClock(), stage.events.append))
        result = stage.deploy(stage.entry(verify=[f"127.0.0.1:{port.number}"]), stage.make())
    assert result.error is not None
    assert result.error.code == "deploy-unreachable"
    (told,) = [event for event in stage.events if event.kind == "deploy-waiting"]
    assert told.data == {
        "to": "files",
        "target": str(stage.certificate),
        "address": f"127.0.0.1:{port.number}",
        "timeout": 30.0,
    }
    told_by = EventText("home").lines(told)
    assert [line.text for line in told_by] == [f"waiting for 127.0.0.1:{port.number} (at most 30 s)"]


@pytest.mark.parametrize("options", [{}, {"reload": ["reload"]}])
def test_the_remedy_names_a_reload_that_is_there(stage: EngineStage, options: dict[str, Any]) -> None:
    """The remedy for a port with another certificate mentions the `reload` command only if the entry has one."""
    old = stage.make()
    with serving(old) as port:
        wanted = verify.wanted(stage.make(), options, [f"127.0.0.1:{port}"])
        with pytest.raises(DeployError) as caught:
            verify.wait_served(Context(), wanted, 0.1)
    assert ("`reload`" in (caught.value.fix or "")) is bool(options)


def test_a_reload_that_fails_gets_the_old_files_back(stage: EngineStage) -> None:
    """If the reload fails, the old files are restored, and the error has the end of the reload's output."""
    old, new = stage.make(), stage.make()
    stage.place(old)
    program = [sys.executable, "-c", "import sys; print('x' * 70000); sys.exit('no such directive\\x1b[2J')"]
    result = stage.deploy(stage.entry(reload=program), new)
    assert result.error is not None
    assert result.error.code == "deploy-refused"
    assert "status 1" in result.error.message
    assert "no such directive [2J" in result.error.message
    assert stage.has(old)
    assert (result.rolled_back, stage.notices) == (True, [])  # the new one was never in use: one error is enough
    assert not stage.kept.is_begun


def test_without_old_files_the_new_ones_stay(stage: EngineStage) -> None:
    """If there were no old files, a failed reload leaves the new ones."""
    new = stage.make()
    result = stage.deploy(stage.entry(reload=["/no/such/program"]), new)
    assert (result.ok, result.rolled_back) == (False, False)
    assert stage.has(new)


@pytest.mark.parametrize("more", [(), ("chain", "leaf")])
def test_an_expired_certificate_does_not_come_back(stage: EngineStage, more: tuple[str, ...]) -> None:
    """An expired certificate is not restored, even if the valid file of its chain comes first."""
    old, new = stage.make(days=0.0005), stage.make()
    stage.place(old)
    paths = {part: str(stage.target / f"{part}.pem") for part in more}
    for part, path in paths.items():
        source = old.chain_path if part == "chain" else old.certificate_path
        Path(path).write_bytes(here(source).read_bytes())
    options = {**paths, "key": str(stage.key)} if more else {"certificate": str(stage.certificate), **paths}
    deployment = Deployment("files", **{"key": str(stage.key), **options}, reload=["/no/such/program"])
    result = stage.deploy(entry(deployment), new)
    assert (result.ok, result.rolled_back) == (False, False)
    assert stage.key.read_text() == new.private_key_pem


def test_a_link_to_an_expired_certificate_does_not_come_back(stage: EngineStage) -> None:
    """A link, such as those of certbot, is not restored if the certificate that it leads to has expired."""
    old, new = stage.make(days=0.0005), stage.make()
    stage.certificate.symlink_to(here(old.fullchain_path))
    stage.key.symlink_to(here(old.private_key_path))
    assert not stage.deploy(stage.entry(reload=["/no/such/program"]), new).rolled_back
    assert stage.has(new)


def test_the_old_files_come_back_as_they_were(stage: EngineStage, tmp_path: Path) -> None:
    """Old files are restored with their modes, and a link as a link."""
    old, new = stage.make(), stage.make()
    stage.certificate.symlink_to(here(old.fullchain_path))
    stage.key.write_text(old.private_key_pem)
    stage.key.chmod(0o440)
    result = stage.deploy(stage.entry(reload=["/no/such/program"]), new)
    assert result.rolled_back
    assert stage.certificate.readlink() == old.fullchain_path
    assert stage.key.stat().st_mode & 0o777 == 0o440
    assert stage.has(old)


def test_a_link_is_replaced_by_a_file(stage: EngineStage) -> None:
    """A link is replaced even if its target has the same content. Its target is not written."""
    old, new = stage.make(), stage.make()
    stage.place(old)
    stage.certificate.unlink()
    stage.certificate.symlink_to(here(old.fullchain_path))
    content = old.fullchain_pem
    assert stage.deploy(stage.entry(), new).ok
    assert not stage.certificate.is_symlink()
    assert old.fullchain_pem == content


def test_what_is_no_certificate_is_not_replaced(stage: EngineStage) -> None:
    """A large file in place of the target is not replaced."""
    stage.key.write_bytes(bytes(1 << 21))
    result = stage.deploy(stage.entry(), stage.make())
    assert result.error is not None
    assert result.error.code == "deploy-unwritable"
    assert (result.changed, stage.key.stat().st_size) == (False, 1 << 21)


def test_the_last_certificate_but_one_never_comes_back(stage: EngineStage) -> None:
    """A deployment that wrote nothing restores nothing, even if an earlier one has kept files."""
    certificates = [stage.make(), stage.make(), stage.make()]
    stage.place(certificates[0])
    assert stage.deploy(stage.entry(), certificates[1]).ok
    (result,) = engine.deploy(stage.context, [stage.entry(reload=["/no/such/program"])], certificates[1],
                              lambda _: stage.kept, force=True)  # fmt: skip
    assert (result.ok, result.rolled_back, stage.has(certificates[1])) == (False, False, True)
    stage.kept.end()
    assert stage.deploy(stage.entry(), certificates[1]).ok

    def full(*_: Any) -> None:
        raise StoreError("store-full", "Full.", fix="Free space.")

    for broken in ("begin", "keep"):
        kept = KeptFiles()
        kept.files = {str(stage.certificate): certificates[0].fullchain_pem.encode()}
        setattr(kept, broken, full)
        stage.kept = kept
        result = stage.deploy(stage.entry(), certificates[2])
        assert (result.ok, result.changed, result.rolled_back) == (False, False, False)
        assert stage.has(certificates[1])


def test_what_a_killed_run_has_replaced_comes_back(stage: EngineStage) -> None:
    """The next run finds the new files, fails to activate them, and puts back what the first one had kept."""
    old, new = stage.make(), stage.make()
    stage.place(old)

    class Kill(BaseException):
        pass

    def kill(*_: Any, **__: Any) -> None:
        raise Kill

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "run", kill)
        with pytest.raises(Kill):
            stage.deploy(stage.entry(reload=["reload"]), new)
    assert stage.has(new)
    result = stage.deploy(stage.entry(reload=["/no/such/program"]), new)
    assert (result.rolled_back, stage.has(old)) == (True, True)


def test_a_rename_that_is_refused(stage: EngineStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a file cannot be replaced, such as a mount, the old pair is restored."""
    old, new = stage.make(), stage.make()
    stage.place(old)
    real = OpenFolder.replace

    def refuse(folder: OpenFolder, temp: str, name: str) -> None:
        if name == stage.key.name:
            raise OSError(16, "Device or resource busy")
        real(folder, temp, name)

    monkeypatch.setattr(OpenFolder, "replace", refuse)
    result = stage.deploy(stage.entry(), new)
    assert result.error is not None
    assert (result.error.code, result.rolled_back) == ("deploy-unwritable", True)
    assert (stage.has(old), stage.kept.renames) == (True, [])
    assert sorted(path.name for path in stage.target.iterdir()) == ["cert.pem", "key.pem"]


def test_old_files_that_cannot_be_activated_any_more(stage: EngineStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the restored files cannot be activated, the error states that the server's certificate is unknown."""
    old, new = stage.make(), stage.make()
    stage.place(old)
    with TlsServer(stage.certificate, stage.key).running() as server:
        marker = stage.folder / "once"  # the first time it succeeds
        program = ["sh", "-c", f"test ! -e {marker} && touch {marker}"]
        options = {"verify": [f"127.0.0.1:{server.port}"], "verify_timeout": 0.3}
        result = stage.deploy(stage.entry(reload=program, **options), new)
    assert (result.ok, result.rolled_back, stage.has(old)) == (False, False, True)
    assert [notice.code for notice in stage.notices] == ["deploy-not-restored"]


def test_a_program_that_hangs_is_ended(stage: EngineStage) -> None:
    """A program is ended at its time limit."""
    program = [sys.executable, "-c", "import time; time.sleep(60)"]
    result = stage.deploy(stage.entry(reload=program, timeout=0.5), stage.make())
    assert result.error is not None
    assert result.error.code == "deploy-timeout"
    assert result.seconds < allowed(10)


def test_a_pair_that_does_not_fit_is_not_written(stage: EngineStage) -> None:
    """A pair that cannot be loaded is not written."""
    new = stage.make()
    here(new.private_key_path).write_text(stage.make().private_key_pem)
    result = stage.deploy(stage.entry(), new)
    assert result.error is not None
    assert result.error.code == "deploy-pair"
    assert list(stage.target.iterdir()) == []


@pytest.mark.parametrize("break_it", ["folder", "file"])
def test_a_target_that_cannot_be_written(stage: EngineStage, break_it: str) -> None:
    """A missing folder, or a folder in the place of a file, is an error before anything is written."""
    if break_it == "folder":
        stage.target.rmdir()
    else:
        stage.key.mkdir()
    result = stage.deploy(stage.entry(), stage.make())
    assert result.error is not None
    assert result.error.code == "deploy-unwritable"
    assert not result.changed


def test_a_target_that_the_unit_makes_read_only(stage: EngineStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only target under systemd is an error whose fix is `schedule install`, which updates the unit."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(OpenFolder, "replace", refuse)
    monkeypatch.setenv("INVOCATION_ID", "0123456789abcdef0123456789abcdef")
    monkeypatch.setattr("dnsrenew.base.files._CONTROL_GROUP", "/nonexistent")
    result = stage.deploy(stage.entry(), stage.make())
    assert result.error is not None
    assert result.error.code == "deploy-unwritable"
    assert "dnsrenew schedule install" in result.error.fix


@pytest.mark.parametrize(
    ("unit", "is_ours"),
    [
        ("dnsrenew.service", True),
        ("dnsrenew-1a2b3c4d.service", True),
        ("dnsrenew-run.service", False),
        ("dnsrenew-worker.service", False),
        ("web.service", False),
    ],
)
def test_the_advice_names_the_unit_that_runs(
    stage: EngineStage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unit: str, is_ours: bool
) -> None:
    """In a service that `schedule install` did not write, the fix edits that service."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    (tmp_path / "cgroup").write_text(f"0::/system.slice/{unit}\n")
    monkeypatch.setattr("dnsrenew.base.files._CONTROL_GROUP", str(tmp_path / "cgroup"))
    monkeypatch.setattr(OpenFolder, "replace", refuse)
    monkeypatch.setenv("INVOCATION_ID", "0123456789abcdef0123456789abcdef")
    error = stage.deploy(stage.entry(), stage.make()).error
    assert error is not None
    assert ("dnsrenew schedule install" in error.fix) == is_ours
    assert (f"systemctl edit {unit}" in error.fix) != is_ours


def test_killed_between_the_renames_the_next_run_ends_them(stage: EngineStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The renames of a killed run are recorded, so that the next run completes them."""
    old, new = stage.make(), stage.make()
    stage.place(old)
    real = staged_file.rename
    done: list[str] = []

    def kill(source: str, target: str) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(target)
        real(source, target)

    monkeypatch.setattr(staged_file, "rename", kill)
    with pytest.raises(KeyboardInterrupt):
        stage.deploy(stage.entry(), new)
    monkeypatch.undo()
    assert not stage.has(old)
    assert not stage.has(new)
    file_set.complete_renames(stage.kept.renames)
    assert stage.has(new)


def test_what_changed_nothing_is_reported_as_unchanged(stage: EngineStage, tmp_path: Path) -> None:
    """A missing program or socket, or a refused connection, leaves the target unchanged."""
    new, closed = stage.make(), "http://127.0.0.1:1"
    stage.place(new)
    entries = [
        entry(Deployment("run", run=["/no/such/program"])),
        entry(Deployment("webhook", url=closed)),
        entry(Deployment("docker", container="web", signal="HUP", socket=str(tmp_path / "no.sock"))),
        entry(Deployment("synology", url=closed, user="a", password=Secret("word"))),
    ]
    for one in entries:
        result = stage.deploy(one, new)
        assert (one.to, result.ok, result.changed, result.served) == (one.to, False, False, None)
    stage.kept.begin()  # as after a kill before the reload
    result = stage.deploy(stage.entry(reload=["/no/such/program"]), new)
    assert (result.ok, result.changed) == (False, False)


def test_a_program_that_ran_may_have_changed_something(stage: EngineStage) -> None:
    """A program that was started and failed may have changed the target."""
    result = stage.deploy(entry(Deployment("run", run=[sys.executable, "-c", "raise SystemExit(3)"])), stage.make())
    assert (result.ok, result.changed) == (False, True)


def test_the_error_of_a_result_is_an_exception(stage: EngineStage) -> None:
    """A failed result has a DeployError without traceback, as an outcome has an error. The JSON form has its fields."""
    result = pickle.loads(pickle.dumps(stage.deploy(entry(Deployment("run", run=["/no/such/program"])), stage.make())))
    assert isinstance(result.error, DeployError)
    assert (result.error.code, result.error.__traceback__) == ("deploy-refused", None)
    assert result.to_dict()["error"] == result.error.to_dict()
    with pytest.raises(DeployError):
        raise result.error


def test_a_callable_of_the_program_is_called(stage: EngineStage) -> None:
    """A callable gets the certificate."""
    got: list[Certificate] = []
    new = stage.make()
    result = stage.deploy(entry(got.append), new)
    assert (result.ok, result.to, got) == (True, "python", [new])


def test_an_error_of_a_deployer_is_reported_as_ours(stage: EngineStage) -> None:
    """An unexpected exception of a deployer becomes a deployment error."""

    def fails(_: Certificate) -> None:
        raise ZeroDivisionError("no")

    result = stage.deploy(entry(fails), stage.make())
    assert result.error is not None
    assert result.error.code == "deploy-refused"
    assert "ZeroDivisionError" in result.error.message


def test_a_deployer_of_another_package(stage: EngineStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class with the three methods of the protocol deploys; after an error, the old certificate is put back."""
    calls: list[str] = []

    class Plain:
        def __init__(self, context: DeployerContext) -> None:
            self._fails = context.options["fails"]

        def check(self, _certificate: Certificate) -> bool:
            calls.append("check")
            return False

        def deploy(self, _certificate: Certificate) -> None:
            calls.append("deploy")
            if self._fails:
                raise DeployError("deploy-refused", "No.", fix="Do it.")

        def restore(self) -> bool:
            calls.append("restore")
            return True

    kind = mock.Mock(load=lambda: Plain, dist=None)
    monkeypatch.setattr("dnsrenew.deploy.entry.entry_points", lambda **_: [kind])
    for fails in (False, True):
        result = stage.deploy(entry(Deployment("plain", host="x", fails=fails)), stage.make())
        assert (result.ok, result.changed, result.rolled_back, result.target) == (not fails, True, fails, "x")
    assert calls == ["check", "deploy", "check", "deploy", "restore"]


def test_a_package_that_is_broken(stage: EngineStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployment of a broken package fails. The configuration can still be read."""
    point = metadata.EntryPoint("broken", "no_such_module:Deployer", "dnsrenew.deployers")
    monkeypatch.setattr("dnsrenew.deploy.entry.entry_points", lambda **_: metadata.EntryPoints([point]))
    result = stage.deploy(entry(Deployment("broken", host="x")), stage.make())
    assert result.error is not None
    assert (result.error.code, result.target) == ("deploy-refused", "x")


def test_entries_do_not_depend_on_each_other(stage: EngineStage) -> None:
    """An entry is deployed even if the previous one failed."""

    def refuses(_: Certificate) -> None:
        raise DeployError("deploy-refused", "No.", fix="Do it.")

    got: list[Certificate] = []
    steps: list[Callable[[Certificate], object]] = [refuses, got.append]
    results = engine.deploy(stage.context, [entry(step) for step in steps], stage.make(), lambda _: KeptFiles())
    assert [result.ok for result in results] == [False, True]
