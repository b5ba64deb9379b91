"""`dnsrenew init` with real servers: each is found by its process, and the planned deployment puts a pair to work."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from dnsrenew.config import Config
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entry
from dnsrenew.runtime.context import Context
from dnsrenew.setup.init import deployments
from dnsrenew.setup.init.draft import InitDraft, InitSurroundings
from dnsrenew.setup.init.servers import find_servers, this_server_host
from tests.kit import servers
from tests.kit.deployments import KeptFiles, make_certificate
from tests.kit.servers import Served

SERVERS: dict[str, Callable[[Path], AbstractContextManager[Served]]] = {
    "nginx": servers.nginx,
    "apache": servers.apache,
    "haproxy": servers.haproxy,
    "caddy": servers.caddy,
    "mosquitto": servers.mosquitto,
}


@pytest.mark.parametrize("name", SERVERS)
def test_found_planned_and_deployed(name: str, tmp_path: Path) -> None:
    """The port serves the new certificate, with nothing but what was found on the machine."""
    folder = tmp_path / "server"
    folder.mkdir()
    old, new = (make_certificate(tmp_path / "versions") for _ in range(2))
    servers.place(folder, old)
    other = make_certificate(tmp_path / "versions", domains=["other.test"])
    (folder / "other.pem").write_text(other.private_key_pem + other.fullchain_pem)
    with SERVERS[name](folder):
        found = [server for server in find_servers(this_server_host()) if server.config.startswith(str(folder))]
        assert [server.key.partition("-")[0] for server in found] == [name]
        around = InitSurroundings(
            context=Context(),
            config=tmp_path / "dnsrenew.toml",
            insist=True,
            dns=lambda _: pytest.fail("no look-up is needed"),
            host=this_server_host,
            environ={},
            has_scheduler=False,
        )
        (planned,) = deployments.plan(found[0], InitDraft(around, domains=new.domains))
        assert planned.changes == ()
        options = dict(planned.entry)
        if name == "mosquitto":  # others may run on this machine
            pid = next(each.pid for each in this_server_host().programs if str(folder) in " ".join(each.command))
            assert options["reload"] == ["pkill", "-HUP", "-x", "mosquitto"]
            options["reload"] = ["kill", "-HUP", str(pid)]
        tables = {"dns": {"x": {"provider": "manual"}}, "certificate": [{"domains": new.domains, "deploy": [options]}]}
        (deployment,) = Config.from_dict(tables, base=tmp_path, insist=True).certificates[0].deploy
        one = entry(deployment)
        (result,) = engine.deploy(Context().for_certificate("home"), [one], new, lambda _: KeptFiles())
    assert (result.ok, result.changed, result.served) == (True, True, True), result.error
