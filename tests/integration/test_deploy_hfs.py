"""HFS, the program whose failed renewal began this project, serves a new certificate without a restart."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from dnsrenew import Certificate, DeploymentResult, Secret
from dnsrenew.base.found import running_programs
from dnsrenew.base.model import Deployment
from dnsrenew.base.runtime import Context
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entry
from tests.kit import hfs
from tests.kit.api_server import Api
from tests.kit.deployments import KeptFiles, make_certificate
from tests.kit.folders import here
from tests.kit.processes import wait_until
from tests.kit.users import NOBODY, as_root, started
from tests.lab.web import fetch

pytestmark = pytest.mark.timeout(900)  # where HFS is compiled first


@pytest.fixture(scope="session")
def script() -> Path:
    """HFS 3.2.2."""
    return hfs.or_skip(hfs.find)


@pytest.fixture(scope="session")
def old_script() -> Path:
    """HFS 0.52.9."""
    return hfs.or_skip(hfs.find_old)


class HfsStage:
    """A folder of HFS with an old pair, a new one in the store, and deployments of it."""

    def __init__(self, path: Path, script: Path) -> None:
        self.folder = path / "hfs"
        self.folder.mkdir()
        self._script = script
        self._versions = path / "versions"
        self.old, self.new = self.make(), self.make()
        self.kept = KeptFiles()
        (self.folder / "old.cer").write_text(self.old.fullchain_pem)
        (self.folder / "old.key").write_text(self.old.private_key_pem)

    def make(self, **options: Any) -> Certificate:
        """Return one more certificate."""
        return make_certificate(self._versions, **options)

    def running(self, **settings: Any) -> Any:
        """Run HFS, which serves the old pair by default."""
        return self.fresh(**{"cert": "old.cer", "private_key": "old.key", **settings})

    def fresh(self, **settings: Any) -> Any:
        """Run HFS, whose HTTPS is on, and which has no certificate."""
        return hfs.running(self._script, self.folder, {"https_port": True, **settings})

    def deploy(self, url: str, new: Certificate | None = None, **options: Any) -> DeploymentResult:
        """Deploy the new certificate, or this one, by the API of HFS."""
        return self.deploy_to("hfs", new, url=url, **options)

    def deploy_to(self, to: str, new: Certificate | None = None, **options: Any) -> DeploymentResult:
        """Deploy the new certificate, or this one."""
        context = Context().for_certificate("home")
        one = entry(Deployment(to, **{"verify_timeout": 10, **options}))
        (result,) = engine.deploy(context, [one], new or self.new, lambda _: self.kept)
        self.notices = context.notices
        return result


@pytest.fixture
def stage(open_path: Path, script: Path) -> HfsStage:
    """A folder of HFS."""
    return HfsStage(open_path, script)


def code(result: DeploymentResult) -> str:
    """Return the code of the result's error."""
    assert result.error is not None
    return str(result.error.code)


SETTINGS = ("cert", "private_key", "https_port", "acme_renew")
"""Those that a deployment changes."""


def test_a_new_certificate_while_a_download_runs_on(stage: HfsStage) -> None:
    """HFS serves new certificates during a download, its own renewal is disabled, and a repetition changes nothing."""
    size = 64 << 20
    shared = hfs.shared_file(stage.folder / "big.bin", size)
    with stage.running(acme_renew="true", vfs=shared) as server, server.download("/big.bin") as response:
        assert response.status == 200
        got = len(response.read(1 << 20))
        assert server.leaf() == here(stage.old.certificate_path).read_text()

        first = stage.deploy(server.url)
        assert (first.ok, first.changed, first.served, first.error) == (True, True, True, None)
        assert [notice.code for notice in stage.notices] == ["hfs-renewal-off"]
        assert server.leaf() == here(stage.new.certificate_path).read_text()
        again = stage.deploy(server.url)
        assert (again.ok, again.changed, again.served, stage.notices) == (True, False, True, [])
        third = stage.make(key="rsa2048")
        assert stage.deploy(server.url, third).served
        assert server.leaf() == here(third.certificate_path).read_text()

        assert got + hfs.size_of(response) == size
        assert server.process.running
    assert "acme_renew: true" not in server.config
    assert (stage.folder / "dnsrenew-home.key").stat().st_mode & 0o777 == 0o600


def test_what_is_not_served_is_put_back(stage: HfsStage) -> None:
    """A failed check restores the settings after the first deployment, and the files after a later one."""
    with stage.running(acme_renew="true") as server:
        before = server.settings(*SETTINGS)
        result = stage.deploy(server.url, verify=["127.0.0.1:1"], verify_timeout=0.5)
        assert (code(result), result.rolled_back) == ("deploy-unreachable", True)
        assert server.settings(*SETTINGS) == before == ["old.cer", "old.key", server.https_port, True]
        wait_until(lambda: server.leaf() == here(stage.old.certificate_path).read_text())
        assert stage.deploy(server.url).ok
        third = stage.make()
        result = stage.deploy(server.url, third, verify=["127.0.0.1:1"], verify_timeout=0.5)
        assert (code(result), result.rolled_back) == ("deploy-unreachable", True)
        assert (stage.folder / "dnsrenew-home.key").read_text() == stage.new.private_key_pem
        again = stage.deploy(server.url)
        assert (again.ok, again.served) == (True, True)


def test_the_first_certificate(stage: HfsStage) -> None:
    """A fresh HFS with HTTPS enabled serves its first certificate after the deployment."""
    with stage.fresh() as server:
        result = stage.deploy(server.url)
        assert (result.ok, result.served, stage.notices) == (True, True, [])
        assert server.leaf() == here(stage.new.certificate_path).read_text()


def test_it_serves_the_responses_of_a_webroot(stage: HfsStage) -> None:
    """HFS serves a response from `.well-known` in its shared folder, as in the guide's second configuration."""
    folder = stage.folder / "public" / ".well-known" / "acme-challenge"
    folder.mkdir(parents=True)
    (folder / "token").write_text("token.thumbprint")
    with stage.fresh(vfs=f"{{ source: {stage.folder / 'public'} }}") as server:
        answer = fetch(f"{server.url}/.well-known/acme-challenge/token")
    assert answer == (200, b"token.thumbprint")


def test_https_that_is_off(stage: HfsStage) -> None:
    """HTTPS is enabled only with `https = true`. If its port is taken, it is disabled again."""
    with stage.running(https_port=-1) as server:
        assert code(stage.deploy(server.url)) == "deploy-unsupported"
        with closing(socket.socket()) as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if os.geteuid() == 0:  # others may not open this port anyway
                taken.bind(("127.0.0.1", 443))
                taken.listen()
            result = stage.deploy(server.url, https=True)
        assert (code(result), result.rolled_back) == ("deploy-refused", True)
        assert server.settings(*SETTINGS)[2] == -1


def test_an_admin_that_is_locked(stage: HfsStage) -> None:
    """Without the password, or with a wrong one, the deployment is refused and the old certificate is served."""
    accounts = "{ boss: { password: right-word, admin: true } }"
    with stage.running(localhost_admin="false", accounts=accounts) as server:
        assert code(stage.deploy(server.url)) == "deploy-refused"
        wrong = stage.deploy(server.url, user="boss", password=Secret("wrong-word"))
        assert (code(wrong), "wrong-word" in str(wrong)) == ("deploy-refused", False)
        assert server.leaf() == here(stage.old.certificate_path).read_text()
        assert stage.deploy(server.url, user="boss", password=Secret("right-word")).served


def test_hfs_that_is_down(stage: HfsStage) -> None:
    """If HFS is down, the deployment fails with `deploy-unreachable` and writes nothing."""
    with stage.running() as server:
        assert stage.deploy(server.url).ok
    third = stage.make()
    result = stage.deploy(server.url, third, user="boss", password=Secret("right-word"))
    assert (code(result), result.rolled_back) == ("deploy-unreachable", False)
    assert (stage.folder / "dnsrenew-home.key").read_text() == stage.new.private_key_pem


def test_hfs_that_is_too_old(open_path: Path, old_script: Path) -> None:
    """HFS 0.52 is refused by the target `hfs`. With `files` it serves the new pair while a download continues."""
    stage, size = HfsStage(open_path, old_script), 32 << 20
    with stage.running(vfs=hfs.shared_file(stage.folder / "big.bin", size)) as server:
        assert code(stage.deploy(server.url)) == "deploy-unsupported"
        assert server.leaf() == here(stage.old.certificate_path).read_text()
        with server.download("/big.bin") as response:
            got = len(response.read(1 << 20))
            files = {end: str(stage.folder / f"old.{end}") for end in ("cer", "key")}
            result = stage.deploy_to("files", certificate=files["cer"], key=files["key"], verify=[server.address])
            assert (result.ok, result.served, result.error) == (True, True, None)
            assert server.leaf() == here(stage.new.certificate_path).read_text()
            assert got + hfs.size_of(response) == size
        assert server.process.running


def test_hfs_that_has_another_folder(open_path: Path) -> None:
    """If the folder of HFS is not on this machine, as with a container, the deployment changes nothing."""
    answers = {"/~/api/get_status": {"cwd": "/no/such/folder"}, "/~/api/get_config": {"https_port": 443}}
    with Api(lambda asked: (200, answers[asked.path])) as api:
        result = HfsStage(open_path, Path()).deploy(api.url)
    assert (code(result), result.changed) == ("deploy-unwritable", False)


def test_a_folder_that_is_not_that_of_hfs(stage: HfsStage, open_path: Path) -> None:
    """Nothing is written into a `folder` that lacks HFS's configuration, also where HFS serves the certificate."""
    other = open_path / "other"
    other.mkdir()
    with stage.running() as server:
        assert stage.deploy(server.url).ok
        result = stage.deploy(server.url, folder=str(other))
    assert (code(result), result.changed, list(other.iterdir())) == ("deploy-unsupported", False, [])
    assert str(result.error).startswith(f"The folder {other} is not that of HFS: it has no config.yaml. HFS at")
    assert f"names {stage.folder}." in str(result.error)


def test_a_closed_api_and_the_folder(stage: HfsStage) -> None:
    """Where the API is closed, `folder` is used: HFS serves the new pair without a restart, and renews no more itself.

    A repetition changes nothing. A pair that is not served is put back, with the settings.
    """
    closed = {"localhost_admin": "false", "acme_renew": "true", "description": '"of mine"'}
    with stage.running(**closed) as server:
        refused = stage.deploy(server.url)
        assert code(refused) == "deploy-refused"
        result = stage.deploy(server.url, folder=str(stage.folder))
        assert (result.error, result.changed, result.served) == (None, True, True)
        assert server.leaf() == here(stage.new.certificate_path).read_text()
        lines = server.config.splitlines()
        assert "acme_renew: false" in lines
        assert any("of mine" in line for line in lines)
        again = stage.deploy(server.url, folder=str(stage.folder))
        assert (again.error, again.changed) == (None, False)
        assert server.process.running


def test_a_closed_api_puts_its_settings_back(stage: HfsStage) -> None:
    """A deployment that nothing serves ends with the old pair and the old settings in the folder."""
    with stage.running(localhost_admin="false") as server:
        result = stage.deploy(server.url, folder=str(stage.folder), verify=["127.0.0.1:1"], verify_timeout=0.5)
        assert (code(result), result.rolled_back) == ("deploy-unreachable", True)
        wait_until(lambda: server.leaf() == here(stage.old.certificate_path).read_text())
        assert 'cert: "old.cer"' in server.config or "cert: old.cer" in server.config


# ── what is found ───────────────────────────────────────────────────────────────────────

_ROOT: Final = Path(__file__).resolve().parents[2]
_STAND_IN: Final = f"""
import http.server, json, os, sys

class Hfs(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        with open("asked", "a") as log:
            print(self.path, self.headers.get("Authorization"), file=log)
        body = json.dumps({{"cwd": sys.argv[2], "https": {{"listening": True}}, "https_port": 443}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = http.server.HTTPServer(("127.0.0.1", 0), Hfs)
with open("config.yaml", "w") as file:
    print("port:", server.server_port, file=file)
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
print("ready", flush=True)
server.serve_forever()
"""
"""A program of nobody that answers in place of HFS, and writes down what it was asked, and with which password."""
_ENTRY: Final = """
agree_terms = true
[dns.x]
provider = "manual"
[[certificate]]
name = "home"
domains = ["www.example.test"]
[[certificate.deploy]]
to = "hfs"
"""


class Command:
    """`dnsrenew` with a configuration that deploys to HFS.

    :ivar home: the home folder of its user, with the configuration.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700)
        self._new = make_certificate(home / "new")

    def configure(self, more: str = "") -> None:
        """Write the configuration, with these lines in the entry."""
        (self.home / "password.txt").write_text("right-word")
        (self.home / "password.txt").chmod(0o600)
        (self.home / "dnsrenew.toml").write_text(_ENTRY + more)

    def argv(self, *arguments: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-P", "-m", "dnsrenew", *arguments]

    @property
    def install(self) -> list[str]:
        """The command line that deploys."""
        files = ("--certificate", str(here(self._new.fullchain_path)), "--key", str(here(self._new.private_key_path)))
        return self.argv("install", "home", "--yes", *files)

    def run(self, argv: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command line, with less memory than the file of a test has."""
        limited = ["sh", "-c", 'ulimit -v 1000000; exec "$@"', "sh", *argv]
        env = {**os.environ, "HOME": str(self.home), "PYTHONPATH": str(_ROOT), "LANG": "C.UTF-8"}
        options: dict[str, Any] = {"env": env, "capture_output": True, "text": True, "timeout": 60}
        return subprocess.run(limited, cwd=self.home, check=False, **options)


@pytest.fixture
def stranger(open_path: Path) -> Iterator[Path]:
    """The folder of a program of nobody that answers in place of HFS; as its own it gives one that is like `/tmp`."""
    folder, temporary = open_path / "stranger", open_path / "tmp"
    for each in (folder, temporary):
        each.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    temporary.chmod(0o1777)
    argv = ["hfs", "-c", _STAND_IN, "hfs", str(temporary)]
    with started(argv, sys.executable, folder, uid=0, wait_for="ready"):
        (folder / "asked").touch()
        os.chown(folder / "asked", NOBODY, NOBODY)
        os.chown(folder / "config.yaml", NOBODY, NOBODY)
        yield folder


@as_root
def test_a_program_of_another_user_in_place_of_hfs(open_path: Path, stranger: Path) -> None:
    """Another user's HFS is not asked unless its address is named, and a password needs an address.

    Its user is named in place of that.
    """
    command = Command(open_path / "home")
    command.configure('user = "boss"\npassword = "file:password.txt"\n')
    checked = command.run(command.argv("check"))
    assert (checked.returncode, "url: This key is missing." in " ".join(checked.stderr.split())) == (2, True), (
        checked.stderr
    )
    assert command.run(command.install).returncode == 2
    command.configure()
    done = command.run(command.install)
    assert done.returncode == 1, done.stdout
    assert "of nobody) was not contacted" in " ".join((done.stdout + done.stderr).split())
    assert (stranger / "asked").read_text() == ""


def test_hfs_that_is_found(stage: HfsStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """HFS of the running user is found without its address, in a folder that umask 002 has made."""
    stage.folder.chmod(0o775)
    every = running_programs
    monkeypatch.setattr("dnsrenew.deploy.targets.hfs.running_programs", lambda: [  # others may run on this machine
        each for each in every() if each.folder == str(stage.folder)
    ])  # fmt: skip
    with stage.running() as server:
        (stage.folder / "config.yaml").chmod(0o664)
        result = stage.deploy_to("hfs")
        assert (result.target, result.ok, result.served, result.error) == (server.url, True, True, None)
        assert server.leaf() == here(stage.new.certificate_path).read_text()


@as_root
def test_a_folder_in_which_others_can_put_files(open_path: Path, stranger: Path) -> None:
    """The private key is not written to a folder like `/tmp` because a program that answers as HFS names it."""
    command = Command(open_path / "home")
    port = (stranger / "config.yaml").read_text().split()[1]
    command.configure(f'url = "http://127.0.0.1:{port}"\n')
    done = command.run(command.install)
    assert done.returncode == 1, done.stdout
    assert "The private key was not written there" in " ".join((done.stdout + done.stderr).split())
    assert list((open_path / "tmp").iterdir()) == []


@as_root
def test_a_huge_configuration_of_hfs(open_path: Path) -> None:
    """The first megabyte of `config.yaml` is read, however large it is."""
    command = Command(open_path / "home")
    (command.home / ".hfs").mkdir()
    with (command.home / ".hfs" / "config.yaml").open("wb") as file:
        file.truncate(700 << 20)
    command.configure()
    done = command.run(command.install)
    assert done.returncode == 1
    assert "deploy-unreachable" in command.run([*command.install, "--json"]).stdout, done.stderr
