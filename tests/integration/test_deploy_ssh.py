"""The target ``ssh`` against a real sshd on loopback."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Certificate
from dnsrenew.base.model import Deployment, DeploymentResult
from dnsrenew.base.runtime import Context
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entry
from dnsrenew.errors import DeployError
from dnsrenew.extensions.targets.ssh import OpenSsh, SshDeployer
from tests.kit.deployments import (
    SLOW,
    KeptFiles,
    TlsServer,
    deployer_context,
    make_certificate,
    type_what_the_error_advises,
)
from tests.kit.sshd import Sshd, make_key, sshd

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="OpenSSH's server is started as on Unix")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One server for all tests; each writes to folders of its own."""
    with sshd(tmp_path_factory.mktemp("ssh") / "sshd") as running:
        yield running


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Certificate, Certificate]:
    """An old and a new certificate."""
    return make_certificate(tmp_path / "a"), make_certificate(tmp_path / "b")


class Target:
    """Two files on the host, in a folder whose name needs quotes."""

    def __init__(self, server: Sshd, tmp_path: Path, **options: Any) -> None:
        self.folder = tmp_path / 'it\'s "one" *[x] folder'
        self.folder.mkdir()
        self.certificate, self.key = self.folder / "cert.pem", self.folder / "key.pem"
        files = {"certificate": str(self.certificate), "key": str(self.key)}
        self.options = {**server.options, **files, **options}
        self.kept = KeptFiles()
        self.context = Context().for_certificate("home")

    def put(self, certificate: Certificate) -> DeploymentResult:
        """Deploy by the engine, and return the result."""
        (result,) = engine.deploy(
            self.context, [entry(Deployment("ssh", **self.options))], certificate, lambda _: self.kept
        )
        return result

    def has(self, certificate: Certificate) -> bool:
        """Return whether both files are those of a certificate, and no other file is in the folder."""
        names = sorted(path.name for path in self.folder.iterdir())
        contents = self.certificate.read_text(), self.key.read_text()
        return names == ["cert.pem", "key.pem"] and contents == (certificate.fullchain_pem, certificate.private_key_pem)


def error_of(result: DeploymentResult) -> dict[str, Any]:
    """The error of a failed result."""
    assert not result.ok
    assert result.error is not None
    return result.error.to_dict()


def test_a_pair_arrives_and_is_loaded(server: Sshd, tmp_path: Path, pair: tuple[Certificate, Certificate]) -> None:
    """Modes are set, the reload gets its arguments unchanged, and a second deployment changes nothing."""
    old, new = pair
    said = tmp_path / "said"
    words = ["a b", "$HOME; false", "it's", "*"]
    code = f"import sys; open({str(said)!r}, 'a').write(repr(sys.argv[1:]))"
    target = Target(
        server, tmp_path, reload=[sys.executable, "-c", code, *words], key_mode="0640", group=str(os.getgid())
    )
    assert target.put(old).ok
    said.unlink()
    result = target.put(new)
    assert (result.ok, result.changed) == (True, True), result.error
    assert target.has(new)
    assert [path.stat().st_mode & 0o777 for path in (target.certificate, target.key)] == [0o644, 0o640]
    assert said.read_text() == repr(words)
    again = target.put(new)
    assert (again.ok, again.changed) == (True, False)
    assert said.read_text() == repr(words)


def test_a_slow_host(server: Sshd, tmp_path: Path) -> None:
    """A host that is too late ends the deployment; the line that the error advises helps."""
    target = Target(server, tmp_path, reload=["sleep", f"{SLOW}"])
    type_what_the_error_advises("ssh", target.options, tmp_path)


def test_the_port_serves_it(server: Sshd, tmp_path: Path, pair: tuple[Certificate, Certificate]) -> None:
    """A certificate that the port does not serve is rolled back. One that it serves is a success."""
    old, new = pair
    target = Target(server, tmp_path)
    target.put(old)
    tls = TlsServer(target.certificate, target.key)
    with tls.running():
        target.options["verify"] = (f"127.0.0.1:{tls.port}",)
        target.options["verify_timeout"] = 0.0
        failed = target.put(new)
        assert (error_of(failed)["code"], failed.rolled_back, failed.served) == ("deploy-not-served", True, False)
        assert target.has(old)
        target.kept.end()
        Path(target.certificate).write_text(new.fullchain_pem)
        Path(target.key).write_text(new.private_key_pem)
        tls.reload()
        assert target.put(new).served
        assert ssl.get_server_certificate(("127.0.0.1", tls.port)) in new.fullchain_pem


def test_a_reload_that_fails_brings_the_old_pair_back(
    server: Sshd, tmp_path: Path, pair: tuple[Certificate, Certificate]
) -> None:
    """After a failed reload the old pair is back with its modes and owners. The error has the output."""
    old, new = pair
    target = Target(server, tmp_path)
    target.put(old)
    target.key.chmod(0o440)
    owner = 65534 if os.geteuid() == 0 else os.geteuid()  # only root can give files to others
    os.chown(target.key, owner, -1)
    target.options["reload"] = ["sh", "-c", "echo no such site >&2; exit 3"]
    result = target.put(new)
    error = error_of(result)
    assert (error["code"], error["evidence"]["status"], result.rolled_back) == ("deploy-refused", 3, True)
    assert "no such site" in error["message"]
    assert target.has(old)
    info = target.key.stat()
    assert (info.st_mode & 0o777, info.st_uid) == (0o440, owner)


def test_what_was_kept_goes_back_to_the_files_of_the_entry_alone(
    server: Sshd, tmp_path: Path, pair: tuple[Certificate, Certificate]
) -> None:
    """What the store has kept for another path is not written to the host: a database may hold anything."""
    old, new = pair
    target, planted = Target(server, tmp_path), tmp_path / "planted"
    target.put(old)
    deployer = SshDeployer(deployer_context(entry(Deployment("ssh", **target.options)).options, target.kept))
    target.kept.begin()
    deployer.deploy(new)
    attributes = {**json.loads(target.kept.files["attributes"]), str(planted): [0o644, None, None]}
    target.kept.files |= {str(planted): b"x", "attributes": json.dumps(attributes).encode()}
    assert deployer.restore()
    assert target.has(old)
    assert not planted.exists()


def test_a_reload_that_hangs_is_ended(server: Sshd, tmp_path: Path, pair: tuple[Certificate, Certificate]) -> None:
    """A reload that hangs ends at the time limit, and the old pair is back."""
    target = Target(server, tmp_path)
    target.put(pair[0])
    target.options |= {"reload": ["sleep", "60"], "timeout": 2.0}
    result = target.put(pair[1])
    assert (error_of(result)["code"], result.rolled_back) == ("deploy-timeout", True)
    assert target.has(pair[0])


@pytest.mark.parametrize("listed", [64 << 20, 1000])
def test_a_large_file_is_not_fetched(
    server: Sshd,
    tmp_path: Path,
    pair: tuple[Certificate, Certificate],
    monkeypatch: pytest.MonkeyPatch,
    listed: int,
) -> None:
    """A file above 1 MiB is not fetched, and little of one that the host has said to be small. None is replaced."""
    target = Target(server, tmp_path)
    sizes: list[int] = []
    target.key.touch()
    batch = OpenSsh.batch

    def watched(ssh: OpenSsh, lines: list[str], folder: str, **options: Any) -> list[str]:
        os.truncate(target.key, 64 << 20 if "get" in lines[0] else listed)
        try:
            return batch(ssh, lines, folder, **options)
        finally:
            sizes.extend(path.stat().st_size for path in Path(folder).iterdir())

    monkeypatch.setattr(OpenSsh, "batch", watched)
    result = target.put(pair[0])
    assert error_of(result)["code"] == "deploy-unwritable"
    assert error_of(result)["evidence"] == {"host": server.options["host"], "path": str(target.key)}
    assert max(sizes) < 2 << 20
    assert target.key.stat().st_size == 64 << 20
    assert not target.certificate.exists()


def test_a_file_of_the_largest_size_is_kept(
    server: Sshd, tmp_path: Path, pair: tuple[Certificate, Certificate]
) -> None:
    """A file of just 1 MiB is replaced, and comes back after a failed reload."""
    target = Target(server, tmp_path, reload=["false"])
    for path in (target.certificate, target.key):
        path.write_bytes(b"x" * (1 << 20))
    assert target.put(pair[0]).rolled_back
    assert target.key.read_bytes() == b"x" * (1 << 20)


def test_a_changed_host_key_gets_nothing(server: Sshd, tmp_path: Path, pair: tuple[Certificate, Certificate]) -> None:
    """A host with a changed or unknown key gets no file, and known_hosts is not changed."""
    target, known = Target(server, tmp_path), server.folder / "known_hosts"
    before = known.read_text()
    try:
        server.trust(make_key(tmp_path / "other"))
        changed = target.put(pair[0])
        known.write_text("")
        unknown = target.put(pair[0])
        assert known.read_text() == ""
    finally:
        known.write_text(before)
    for result in (changed, unknown):
        error = error_of(result)
        assert error["code"] == "deploy-refused"
        assert "host key" in error["message"]
        assert str(known) in error["fix"]
    assert list(target.folder.iterdir()) == []


def test_a_refused_key(server: Sshd, tmp_path: Path, pair: tuple[Certificate, Certificate]) -> None:
    """If the host refuses the login, the error has OpenSSH's reason."""
    target = Target(server, tmp_path, identity=str(make_key(tmp_path / "other")))
    error = error_of(target.put(pair[0]))
    assert error["code"] == "deploy-refused"
    assert "Permission denied" in error["message"]


def test_files_of_the_login_with_odd_names(server: Sshd, tmp_path: Path, pair: tuple[Certificate, Certificate]) -> None:
    """Paths of the identity and of known_hosts can have blanks, `%` and `#`."""
    odd = tmp_path / "my keys %h #1"
    odd.mkdir()
    for name in ("identity", "known_hosts"):
        shutil.copy(server.options[name], odd / name)
    target = Target(server, tmp_path, identity=str(odd / "identity"), known_hosts=str(odd / "known_hosts"))
    assert target.put(pair[0]).ok


def test_a_host_that_is_not_there(server: Sshd, tmp_path: Path, pair: tuple[Certificate, Certificate]) -> None:
    """If nothing listens at the port, the error is `deploy-unreachable`."""
    target = Target(server, tmp_path, port=1)
    error = error_of(target.put(pair[0]))
    assert error["code"] == "deploy-unreachable"
    assert "refused" in error["message"]


def test_a_missing_folder_is_not_made(server: Sshd, tmp_path: Path, pair: tuple[Certificate, Certificate]) -> None:
    """If the folder of one file is missing, it is not created and the other file is not replaced."""
    target = Target(server, tmp_path)
    target.put(pair[0])
    before = target.certificate.read_text()
    target.options["key"] = str(tmp_path / "missing" / "key.pem")
    assert error_of(target.put(pair[1]))["code"] == "deploy-unwritable"
    assert target.certificate.read_text() == before
    assert sorted(path.name for path in target.folder.iterdir()) == ["cert.pem", "key.pem"]
    assert not (tmp_path / "missing").exists()


def test_a_path_with_a_line_break_is_refused(
    server: Sshd, tmp_path: Path, pair: tuple[Certificate, Certificate]
) -> None:
    """A path with a line break is refused, because it could contain a command for sftp."""
    target = Target(server, tmp_path, key=f"{tmp_path}/x\n!touch {tmp_path}/bad")
    assert error_of(target.put(pair[0]))["code"] == "deploy-unwritable"
    assert not (tmp_path / "bad").exists()


def test_a_killed_run_is_ended_by_the_next(server: Sshd, tmp_path: Path, pair: tuple[Certificate, Certificate]) -> None:
    """After a kill between the renames, a failed deployment restores the old pair, and a later one succeeds."""
    old, new = pair
    target = Target(server, tmp_path)
    target.put(old)
    killed = SshDeployer(deployer_context(target.options, target.kept))
    target.kept.begin()
    killed.deploy(new)
    target.key.write_text(old.private_key_pem)  # as if the second rename had not come
    (target.folder / ".key.pem.01234567.dnsrenew-new").write_text("half")
    target.options["reload"] = ["false"]
    assert target.put(new).rolled_back
    assert target.has(old)
    del target.options["reload"]
    assert target.put(new).ok
    assert target.has(new)


def test_an_owner_that_the_host_refuses(server: Sshd, tmp_path: Path, pair: tuple[Certificate, Certificate]) -> None:
    """If the host refuses the owner, the old pair is in place."""
    target = Target(server, tmp_path)
    target.put(pair[0])
    target.options["owner"] = "no-such-user"
    assert error_of(target.put(pair[1]))["code"] == "deploy-refused"
    assert target.has(pair[0])


def test_no_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pair: tuple[Certificate, Certificate]) -> None:
    """If OpenSSH is not installed, the deployment fails with an error that says so."""
    monkeypatch.setenv("PATH", str(tmp_path))
    options = {"host": "192.0.2.1", "certificate": "/etc/tls/cert.pem"}
    with pytest.raises(DeployError) as missing:
        SshDeployer(deployer_context(options)).check(pair[0])
    assert missing.value.code == "deploy-unsupported"
