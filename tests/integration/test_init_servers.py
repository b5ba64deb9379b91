"""`dnsrenew init` with real servers: each is found by its process, and the planned deployment succeeds.

Jellyfin and Home Assistant are no packages of Debian; the unit tests describe machines with them.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Certificate, DeploymentResult
from dnsrenew.base.model.spec import split_chain
from dnsrenew.base.runtime import Context
from dnsrenew.config import Config
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entry
from dnsrenew.extensions.setup.init import deployments
from dnsrenew.extensions.setup.init.draft import InitDraft, InitSurroundings
from dnsrenew.extensions.setup.init.servers import find_servers, this_server_host
from tests.kit import hfs, servers
from tests.kit.deployments import KeptFiles, make_certificate
from tests.kit.servers import Served
from tests.lab import ports

SERVERS: dict[str, Callable[[Path], AbstractContextManager[Served]]] = {
    "nginx": servers.nginx,
    "apache": servers.apache,
    "haproxy": servers.haproxy,
    "caddy": servers.caddy,
    "mosquitto": servers.mosquitto,
}


def draft(folder: Path, certificate: Certificate) -> InitDraft:
    """The draft of a configuration on this machine."""
    around = InitSurroundings(
        context=Context(),
        config=folder / "dnsrenew.toml",
        insist=True,
        dns=lambda _: pytest.fail("no look-up is needed"),
        host=this_server_host,
        environ={},
        has_scheduler=False,
    )
    return InitDraft(around, domains=certificate.domains)


def deploy(options: Mapping[str, Any], certificate: Certificate, base: Path) -> DeploymentResult:
    """Deploy with the planned entry."""
    tables = {
        "dns": {"x": {"provider": "manual"}},
        "certificate": [{"domains": certificate.domains, "deploy": [options]}],
    }
    (deployment,) = Config.from_dict(tables, base=base, insist=True).certificates[0].deploy
    (result,) = engine.deploy(
        Context().for_certificate("home"), [entry(deployment)], certificate, lambda _: KeptFiles()
    )
    return result


@pytest.mark.parametrize("name", SERVERS)
def test_found_planned_and_deployed(name: str, tmp_path: Path) -> None:
    """A server is found by its process, and the planned entry deploys a certificate that its port serves."""
    folder = tmp_path / "server"
    folder.mkdir()
    old, new = (make_certificate(tmp_path / "versions") for _ in range(2))
    servers.place(folder, old)
    other = make_certificate(tmp_path / "versions", domains=["other.test"])
    (folder / "other.pem").write_text(other.private_key_pem + other.fullchain_pem)
    with SERVERS[name](folder):
        found = [server for server in find_servers(this_server_host()) if server.config.startswith(str(folder))]
        assert [server.key.partition("-")[0] for server in found] == [name]
        (planned,) = deployments.plan(found[0], draft(tmp_path, new))
        assert planned.changes == ()
        options = dict(planned.entry)
        if name == "mosquitto":  # others may run on this machine
            pid = next(each.pid for each in this_server_host().programs if str(folder) in " ".join(each.command))
            assert options["reload"] == ["pkill", "-HUP", "-x", "mosquitto"]
            options["reload"] = ["kill", "-HUP", str(pid)]
        result = deploy(options, new, tmp_path)
    assert (result.ok, result.changed, result.served) == (True, True, True), result.error


def test_nginx_without_https(tmp_path: Path) -> None:
    """An nginx without HTTPS serves the certificate after the lines that `init` shows are added, and not before."""
    folder, new = tmp_path / "server", make_certificate(tmp_path / "versions")
    folder.mkdir()
    servers.place(folder, new)
    config = folder / "nginx.conf"
    with servers.nginx(folder) as served, ports.reserve(servers.LOOPBACK) as port:
        text = config.read_text()
        config.write_text(re.sub(r" ssl;\s+ssl_certificate .*\n", ";\n", text))
        subprocess.run(served.reload, check=True, capture_output=True)
        (found,) = (each for each in find_servers(this_server_host()) if each.config == str(config))
        (planned,) = deployments.plan(found, draft(tmp_path, new))
        for path in planned.folders:
            Path(path).mkdir(parents=True)
        entry = {**planned.entry, "verify": f"{servers.LOOPBACK}:{port.number}", "verify_timeout": 0.3}
        before = deploy(entry, new, tmp_path)
        assert (before.ok, before.served, before.rolled_back) == (False, False, False)
        lines = " ".join(planned.changes[1:]).replace("443", str(port.number))
        config.write_text(config.read_text().replace("return 200", f"{lines} return 200"))
        after = deploy({**entry, "verify_timeout": 30}, new, tmp_path)
    assert (after.ok, after.served) == (True, True), after.error


@pytest.mark.timeout(900)  # where HFS is compiled first
@pytest.mark.parametrize("find", [hfs.find_old, hfs.find])
def test_hfs(find: Callable[[], Path], tmp_path: Path) -> None:
    """HFS is found by the title of its process, and serves the new certificate without a restart."""
    script, folder = hfs.or_skip(find), tmp_path / "hfs"
    folder.mkdir()
    new = make_certificate(tmp_path / "versions")
    with hfs.running(script, folder, {"https_port": True, "base_url": "https://files.example.test"}) as server:
        (found,) = (each for each in find_servers(this_server_host()) if each.config.startswith(str(folder)))
        assert (found.key.partition("-")[0], found.names) == ("hfs", ("files.example.test",))
        (planned,) = deployments.plan(found, draft(tmp_path, new))
        assert dict(planned.entry) == {"to": "hfs", "url": server.url, "folder": str(folder)}
        result = deploy(planned.entry, new, tmp_path)
        assert (result.ok, result.changed) == (True, True), result.error
        assert server.leaf() == split_chain(new.fullchain_pem)[0]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("find", [hfs.find_old, hfs.find])
def test_hfs_without_https(find: Callable[[], Path], tmp_path: Path) -> None:
    """For an HFS without HTTPS, the entry has `https = true`. It is not deployed here, because it uses port 443."""
    script, folder = hfs.or_skip(find), tmp_path / "hfs"
    folder.mkdir()
    with hfs.running(script, folder, {}) as server:
        (found,) = (each for each in find_servers(this_server_host()) if each.config.startswith(str(folder)))
        assert dict(found.options) == {"url": server.url, "folder": str(folder), "https": True}
