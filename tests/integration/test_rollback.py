"""`dnsrenew rollback` at real servers: nginx and HFS serve the old certificate again; a worker leaves it alone."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Renewer
from dnsrenew.config import Config
from dnsrenew.extensions.fleet.database.served_certificates import DueDates
from tests.kit import hfs, servers
from tests.kit.deployments import make_certificate
from tests.kit.fleet_stage import FleetStage, wait_until
from tests.kit.postgres import DatabaseAddress, address, postgres  # noqa: F401  # fixtures
from tests.kit.renew_stage import Stage, error_of
from tests.lab.workspace import Workspace


def chain(stage: Stage, number: int) -> str:
    """Return the certificate of a version with its chain."""
    return (stage.workspace.store / f"certificates/home/versions/{number}/fullchain.pem").read_text()


def test_nginx_serves_the_version_before(stage: Stage, tmp_path: Path) -> None:
    """Pebble issues two certificates, and nginx serves the first again after the command, also after the next run."""
    folder = tmp_path / "server"
    folder.mkdir()
    servers.place(folder, make_certificate(tmp_path / "versions"))
    with servers.nginx(folder) as server:
        entry = {"to": "files", "certificate": str(server.certificate), "key": str(server.key)}
        deploy = {"certificate.0.deploy": [{**entry, "reload": server.reload, "verify": [server.address]}]}
        stage.workspace.write(deploy)
        assert stage.workspace.run("renew").returncode == 0
        assert stage.workspace.run("renew", "--force").returncode == 0
        exit_status, document = stage.workspace.run_json("rollback", "home")
        (outcome,) = document["outcomes"]
        assert (exit_status, outcome["status"]) == (0, "rolled-back")
        assert [(each["ok"], each["served"]) for each in outcome["deployed"]] == [(True, True)]
        assert stage.workspace.run_json("renew")[1]["outcomes"][0]["status"] == "not-due"
        assert chain(stage, 1).startswith(ssl.get_server_certificate(("127.0.0.1", server.port)))
        said = stage.workspace.run("status", "-v").stdout
        assert "2, valid until" in said
        assert "1, current" in said


@pytest.mark.timeout(900)  # where HFS is compiled first
def test_hfs_serves_the_version_before(stage: Stage, tmp_path: Path) -> None:
    """HFS, which got two certificates by its API, serves the first again without a restart."""
    script = hfs.or_skip(hfs.find)
    folder = tmp_path / "hfs"
    folder.mkdir()
    with hfs.running(script, folder, {"https_port": True}) as server:
        deploy = {"certificate.0.deploy": [{"to": "hfs", "url": server.url}]}
        stage.renewed(deploy)
        stage.renewed(deploy, force=True)
        assert chain(stage, 2).startswith(server.leaf())
        outcome = stage.renewer(deploy).rollback("home")
        assert [(result.ok, result.changed) for result in outcome.deployed] == [(True, True)]
        assert chain(stage, 1).startswith(server.leaf())


def test_the_only_version_that_was_revoked_at_the_ca(stage: Stage) -> None:
    """After a revocation at Pebble there is nothing to go back to, and the old state stays."""
    stage.renewed()
    stage.renewer().revoke("home")
    assert error_of(stage.renewer().rollback("home", to=1)).code == "rollback-refused"
    assert stage.renewer().status()[0].state == "revoked"


def test_a_fleet_rolls_back(
    workspace: Workspace,
    address: DatabaseAddress,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a database too: the version before is in force, servers are told, and a worker leaves it alone."""
    monkeypatch.setattr("dnsrenew.extensions.fleet.queue._POLL", 0.1)
    stage = FleetStage(workspace, address)
    stage.add("shop")
    with stage.crew():
        wait_until(lambda: stage.versions().get("shop") == 1, "a certificate")
        wanted = json.dumps({"name": "shop", "domains": ["shop.example.test"], "key": "ecdsa-p384"})
        stage.database.execute("UPDATE dnsrenew_certificate SET wanted = %s::jsonb, due = now()", (wanted,))
        DueDates(stage.database).scan_soon()
        wait_until(lambda: stage.versions().get("shop") == 2, "the next one")
    assert stage.versions() == {"shop": 2}
    renewer = _renewer(stage)
    known = {each.version: each.serial for each in renewer.status(["shop"])[0].versions}
    mark = stage.database.one("SELECT changed FROM dnsrenew_certificate")
    outcome = renewer.rollback("shop")
    assert (outcome.status, outcome.serial) == ("rolled-back", known[1])
    assert stage.database.one("SELECT changed FROM dnsrenew_certificate") != mark
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.of("not-due"), "a look at it")
    assert stage.versions() == {"shop": 1}
    assert error_of(renewer.rollback("shop", to=7)).code == "rollback-refused"
    renewer.revoke("shop")
    assert error_of(renewer.rollback("shop", to=1)).code == "rollback-refused"
    assert renewer.rollback("shop").serial == known[2]
    stage.database.close()


def _renewer(stage: FleetStage) -> Renewer:
    """Return a renewer of the fleet."""
    changes: dict[str, Any] = {
        "store": {"url": stage.address.url, "password": stage.workspace.env["DATABASE_PASSWORD"]}
    }
    config = stage.lab.config({**changes, "certificate": None, "dns.home.tsig_secret": stage.lab.key.secret})
    return Renewer(Config.from_dict(config, base=stage.workspace.path))
