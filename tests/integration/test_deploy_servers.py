"""Deployments to real servers: each serves an old pair, gets a new one, and is checked at its port."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Certificate, DeploymentResult, Secret
from dnsrenew.base.model import Deployment
from dnsrenew.base.runtime import Context
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entry
from tests.kit import servers
from tests.kit.deployments import KeptFiles, make_certificate
from tests.kit.folders import here
from tests.kit.load import allowed
from tests.kit.namespaces import run_python
from tests.kit.processes import wait_until
from tests.kit.servers import Served


class ServerStage:
    """An old pair in a folder, a new one in the store, and deployments of it.

    :ivar kept: what the store keeps for the entry.
    """

    def __init__(self, path: Path) -> None:
        self.folder = path / "server"
        self.folder.mkdir()
        self.versions = path / "versions"
        self.old, self.new = make_certificate(self.versions), make_certificate(self.versions)
        self.kept = KeptFiles()
        servers.place(self.folder, self.old)
        self.other = make_certificate(self.versions, domains=["other.test"])
        (self.folder / "other.pem").write_text(self.other.private_key_pem + self.other.fullchain_pem)

    def deploy(self, to: str, new: Certificate | None = None, /, **options: Any) -> DeploymentResult:
        """Deploy the new certificate, or this one."""
        context = Context().for_certificate("home")
        one = entry(Deployment(to, **{"verify_timeout": 10, **options}))
        (result,) = engine.deploy(context, [one], new or self.new, lambda _: self.kept)
        self.notices = context.notices
        return result


@pytest.fixture
def stage(tmp_path: Path) -> ServerStage:
    """Pairs in a folder."""
    return ServerStage(tmp_path)


@pytest.fixture
def nginx(stage: ServerStage) -> Iterator[Served]:
    """Nginx that serves the old pair."""
    with servers.nginx(stage.folder) as server:
        yield server


def pair(server: Served, **more: Any) -> dict[str, Any]:
    """Return the options of ``files`` for a server."""
    options = {"certificate": str(server.certificate), "key": str(server.key), "verify": [server.address]}
    return {**options, "reload": server.reload, **server.more, **more}


def serves(server: Served, certificate: Certificate) -> bool:
    """Tell whether it serves this certificate to a client that is not ours; old workers of nginx may for a moment."""
    wait_until(
        lambda: ssl.get_server_certificate(("127.0.0.1", server.port)) == here(certificate.certificate_path).read_text()
    )
    return True


# ── the new pair is served ──────────────────────────────────────────────────────────────

PAIRS = {"nginx": servers.nginx, "apache": servers.apache, "mosquitto": servers.mosquitto, "dovecot": servers.dovecot,
         "postfix": servers.postfix}  # fmt: skip
ROOT_ONLY = {"dovecot", "postfix"}
"""Servers that change their user."""


@pytest.mark.parametrize(("name", "key"), [*((name, "ecdsa-p256") for name in PAIRS), ("nginx", "rsa2048")])
def test_a_pair_and_a_reload(stage: ServerStage, name: str, key: str) -> None:
    """The port serves the new certificate, also with another type of key. A repetition changes nothing."""
    if name in ROOT_ONLY and os.geteuid() != 0:
        pytest.skip(f"{name} starts as root only")
    new = make_certificate(stage.versions, key=key)
    start: AbstractContextManager[Served] = PAIRS[name](stage.folder)
    with start as server:
        first = stage.deploy("files", new, **pair(server))
        assert (first.ok, first.changed, first.served, first.error) == (True, True, True, None)
        # An old worker may answer for a moment more, and then it is activated once more.
        wait_until(lambda: not stage.deploy("files", new, **pair(server)).changed)


def test_haproxy_over_its_socket(stage: ServerStage) -> None:
    """HAProxy serves the new certificate beside another one without a reload, and also after a restart."""
    with servers.haproxy(stage.folder) as server:
        options = {"certificate": str(server.combined), "verify": [server.address], **server.more}
        first = stage.deploy("haproxy", **options)
        assert (first.ok, first.changed, first.served) == (True, True, True)
        assert (stage.deploy("haproxy", **options).changed, serves(server, stage.new)) == (False, True)
        other = {"certificate": str(server.folder / "other.pem"), "verify_name": "other.test"}
        assert stage.deploy("haproxy", stage.other, **{**options, **other}).ok
    with servers.haproxy(stage.folder) as restarted:
        assert serves(restarted, stage.new)


def test_haproxy_with_the_file_of_a_killed_run(stage: ServerStage) -> None:
    """If only the file is new, as after a kill, the running HAProxy gets the new certificate too."""
    with servers.haproxy(stage.folder) as server:
        options = {"certificate": str(server.combined), "verify": [server.address], **server.more}
        servers.place(stage.folder, stage.new)
        assert stage.deploy("haproxy", **options).error is None
        assert serves(server, stage.new)


def test_caddy_by_its_admin_api(stage: ServerStage) -> None:
    """Caddy serves the new pair by its admin API, and a repetition changes nothing."""
    with servers.caddy(stage.folder) as server:
        options = {"certificate": str(server.certificate), "key": str(server.key), "verify": [server.address]}
        first = stage.deploy("caddy", **options, **server.more)
        assert (first.ok, first.changed, first.served) == (True, True, True)
        assert not stage.deploy("caddy", **options, **server.more).changed


@pytest.mark.skipif(shutil.which("keytool") is None, reason="Java is not installed; openssl reads the file elsewhere")
@pytest.mark.parametrize("legacy", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_keytool_reads_the_pkcs12(stage: ServerStage, legacy: bool) -> None:
    """Java's keytool finds the key and the chain under the alias."""
    path = stage.folder / "tls.pfx"
    options = {"path": str(path), "password": Secret("pass-word"), "alias": "unifi", "legacy": legacy}
    assert stage.deploy("pkcs12", **options).ok
    argv = ["keytool", "-list", "-v", "-keystore", str(path), "-storepass", "pass-word", "-alias", "unifi"]
    out = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    assert "Entry type: PrivateKeyEntry" in out
    assert "Certificate chain length: 2" in out
    assert f"Serial number: {stage.new.serial.lstrip('0')}" in out


# ── the old certificate is served on ────────────────────────────────────────────────────


def assert_back(stage: ServerStage, server: Served, result: DeploymentResult, code: str) -> None:
    """Check that the old pair is in place and served, with one error, and that a correct entry then succeeds."""
    assert result.error is not None
    assert (result.ok, result.error.code, stage.notices) == (False, code, [])
    assert server.certificate.read_text() == stage.old.fullchain_pem
    assert server.key.read_text() == stage.old.private_key_pem
    assert serves(server, stage.old)
    again = stage.deploy("files", **pair(server))
    assert (again.ok, again.served, serves(server, stage.new)) == (True, True, True)


SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
RELOADS = {
    "fails": (["false"], "deploy-refused"),
    "is missing": (["/no/such/program"], "deploy-refused"),
    "hangs": (SLEEP, "deploy-timeout"),
    "hangs with a child": (["sh", "-c", "sleep 60 & wait"], "deploy-timeout"),
}


@pytest.mark.parametrize("kind", RELOADS)
def test_a_reload_that_does_not_work(stage: ServerStage, nginx: Served, kind: str) -> None:
    """If the reload fails, is missing or hangs, the old pair is restored."""
    reload, code = RELOADS[kind]
    result = stage.deploy("files", **pair(nginx, reload=reload, timeout=0.5))
    assert (result.changed, result.rolled_back) == (True, True)
    assert_back(stage, nginx, result, code)


def test_a_configuration_that_is_broken_meanwhile(stage: ServerStage, nginx: Served) -> None:
    """If nginx refuses its configuration, the error has nginx's message and the old pair is restored."""
    conf = stage.folder / "nginx.conf"
    good = conf.read_text()
    conf.write_text(f"{good}\nno_such_directive on;\n")
    result = stage.deploy("files", **pair(nginx))
    assert "no_such_directive" in str(result.error)
    conf.write_text(good)
    assert_back(stage, nginx, result, "deploy-refused")


def test_a_reload_that_leaves_a_child(stage: ServerStage, nginx: Served) -> None:
    """A background process of the reload that keeps its output open does not delay the deployment."""
    command = " ".join(nginx.reload)
    result = stage.deploy("files", **pair(nginx, reload=["sh", "-c", f"sleep 20 & {command}"]))
    assert (result.ok, result.served) == (True, True)
    assert result.seconds < allowed(10)


def test_a_port_that_serves_another_certificate(stage: ServerStage, nginx: Served) -> None:
    """If the port still serves the old certificate, the old pair is restored."""
    result = stage.deploy("files", **pair(nginx, reload=["true"], verify_timeout=0.5))
    assert (result.served, result.rolled_back) == (False, True)
    assert_back(stage, nginx, result, "deploy-not-served")


def test_a_port_that_nobody_listens_at(stage: ServerStage, nginx: Served) -> None:
    """If one of two ports is closed, the old pair is restored."""
    result = stage.deploy("files", **pair(nginx, verify=[nginx.address, "127.0.0.1:1"], verify_timeout=0.5))
    assert (result.served, result.rolled_back) == (False, True)
    assert_back(stage, nginx, result, "deploy-unreachable")


def test_a_folder_that_is_missing(stage: ServerStage, nginx: Served) -> None:
    """A missing folder of one file is not created, and no file is written."""
    result = stage.deploy("files", **pair(nginx, key=str(stage.folder / "keys" / "key.pem")))
    assert (result.changed, result.rolled_back) == (False, False)
    assert not (stage.folder / "keys").exists()
    assert_back(stage, nginx, result, "deploy-unwritable")


def test_an_owner_that_is_gone(stage: ServerStage, nginx: Served) -> None:
    """If the owner does not exist, no file is written."""
    result = stage.deploy("files", **pair(nginx, owner="no-such-user"))
    assert (result.changed, result.rolled_back) == (False, False)
    assert_back(stage, nginx, result, "deploy-unwritable")


def test_a_socket_that_is_missing(stage: ServerStage) -> None:
    """If HAProxy's socket is missing, the old file is restored."""
    with servers.haproxy(stage.folder) as server:
        options = {"certificate": str(server.combined), "verify": [server.address]}
        result = stage.deploy("haproxy", **options, socket=str(stage.folder / "no.sock"))
        assert result.error is not None
        assert (result.error.code, result.rolled_back, stage.notices) == ("deploy-unreachable", True, [])
        assert server.combined.read_text() == stage.old.private_key_pem + stage.old.fullchain_pem
        assert serves(server, stage.old)
        assert stage.deploy("haproxy", **options, **server.more).ok


def test_a_file_that_haproxy_does_not_know(stage: ServerStage) -> None:
    """If HAProxy does not use the file, the deployment is refused and the old content is restored."""
    with servers.haproxy(stage.folder) as server:
        unknown = stage.folder / "unknown.pem"
        unknown.write_text("old")
        result = stage.deploy("haproxy", certificate=str(unknown), **server.more)
        assert result.error is not None
        assert (result.error.code, unknown.read_text()) == ("deploy-refused", "old")
        assert serves(server, stage.old)


def test_caddy_that_is_down(stage: ServerStage) -> None:
    """If Caddy is down, the old files are restored for its next start."""
    options = {"certificate": str(stage.folder / "cert.pem"), "key": str(stage.folder / "key.pem")}
    result = stage.deploy("caddy", **options, url="http://127.0.0.1:1")
    assert result.error is not None
    assert (result.error.code, result.rolled_back) == ("deploy-unreachable", True)
    assert (stage.folder / "key.pem").read_text() == stage.old.private_key_pem


_FULL = """
import os, subprocess, sys
from pathlib import Path
from tests.kit import servers
from tests.kit.deployments import KeptFiles, make_certificate
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entry
from dnsrenew.base.model import Deployment
from dnsrenew.base.runtime import Context
path = Path(sys.argv[1])
target = path / "small"
target.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={8 * os.sysconf('SC_PAGE_SIZE')}", "tmpfs", target], check=True)
old, new = make_certificate(path / "versions"), make_certificate(path / "versions")
for name, text in (("cert.pem", old.fullchain_pem), ("key.pem", old.private_key_pem)):
    (target / name).write_text(text)
filler = os.open(target / "filler", os.O_CREAT | os.O_WRONLY)
try:
    while True:
        os.write(filler, bytes(os.sysconf("SC_PAGE_SIZE")))
except OSError:
    # The certificate fits, the key does not.
    os.ftruncate(filler, os.fstat(filler).st_size - os.sysconf("SC_PAGE_SIZE"))
options = {"certificate": str(target / "cert.pem"), "key": str(target / "key.pem")}
kept = KeptFiles()
def deploy():
    one, context = entry(Deployment("files", **options)), Context().for_certificate("home")
    (result,) = engine.deploy(context, [one], new, lambda _: kept)
    pair = (target / "cert.pem").read_text(), (target / "key.pem").read_text()
    known = {(each.fullchain_pem, each.private_key_pem): name for name, each in (("old", old), ("new", new))}
    code = result.error and result.error.code
    print(result.ok, result.changed, result.rolled_back, code, known.get(pair), sorted(os.listdir(target)))
deploy()
os.ftruncate(filler, 0)
deploy()
"""


def test_a_disk_that_fills_up_half_way(tmp_path: Path) -> None:
    """If the disk has room for the certificate but not for the key, both files stay old. A later try succeeds."""
    unshare = ("--mount",) if os.geteuid() == 0 else ("--map-root-user", "--mount")
    names = ["cert.pem", "filler", "key.pem"]
    assert run_python(_FULL, str(tmp_path), unshare=unshare).splitlines() == [
        f"False False False deploy-unwritable old {names}",
        f"True True False None new {names}",
    ]


# ── hooks of certbot ────────────────────────────────────────────────────────────────────

# Hooks in the form of those that are in use: of guides for nginx, of certbot's own documentation (`--deploy-hook`) and
# mosquitto's example, and of those for HAProxy and other servers that want one file.
HOOKS = {
    "reload": """#!/bin/sh
set -e
{reload}
""",
    "copy for a daemon": """#!/bin/sh
set -e
for domain in $RENEWED_DOMAINS; do
        case $domain in
        example.test)
                daemon_cert_root={folder}
                umask 077
                cp "$RENEWED_LINEAGE/fullchain.pem" "$daemon_cert_root/cert.pem"
                cp "$RENEWED_LINEAGE/privkey.pem" "$daemon_cert_root/key.pem"
                chmod 400 "$daemon_cert_root/cert.pem" "$daemon_cert_root/key.pem"
                {reload} >/dev/null
                ;;
        esac
done
""",
    "cat into one file": """#!/bin/bash
set -eu
SITE=$(basename "$(dirname "$RENEWED_LINEAGE")")
cat "$RENEWED_LINEAGE/privkey.pem" "$RENEWED_LINEAGE/fullchain.pem" > {folder}/both.pem
cp "$RENEWED_LINEAGE"/fullchain.pem {folder}/cert.pem
cp "$RENEWED_LINEAGE"/privkey.pem {folder}/key.pem
{reload}
""",
}


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_of_certbot(stage: ServerStage, nginx: Served, name: str) -> None:
    """A certbot hook runs unchanged, and the port serves the new certificate."""
    hook = stage.folder / "hook.sh"
    hook.write_text(HOOKS[name].format(reload=" ".join(nginx.reload), folder=stage.folder))
    hook.chmod(0o755)
    if name == "reload":  # nginx names the files of the lineage itself
        conf = stage.folder / "nginx.conf"
        text = conf.read_text().replace(f"{stage.folder}/cert.pem", str(stage.new.fullchain_path))
        conf.write_text(text.replace(f"{stage.folder}/key.pem", str(stage.new.private_key_path)))
    result = stage.deploy("run", run=[str(hook)], verify=[nginx.address])
    assert (result.ok, result.served, serves(nginx, stage.new)) == (True, True, True)
