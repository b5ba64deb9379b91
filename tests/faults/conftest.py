"""The fixtures of the lab, and the preloaded program."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.kit.duckdns import PROVIDERS, DuckDns, DuckDnsZone, add_zone
from tests.kit.fleet_killed import WorkerProcesses
from tests.kit.fleet_stage import FleetStage
from tests.kit.postgres import DatabaseAddress
from tests.kit.processes import Zygote
from tests.kit.renew_stage import Stage
from tests.lab.workspace import Workspace


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin here, because pytest allows `pytest_plugins` in the root conftest only."""
    config.pluginmanager.import_plugin("tests.lab.fixtures")


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """A process that has loaded the program and forks runs of it."""
    with Zygote() as started:
        yield started


@pytest.fixture
def stage(workspace: Workspace) -> Stage:
    """The library in a workspace without a certificate."""
    return Stage(workspace)


@pytest.fixture
def duck(workspace: Workspace) -> Iterator[DuckDns]:
    """DuckDNS in the lab's Internet and in the configuration."""
    lab = workspace.lab
    add_zone(lab)
    with DuckDns(secrets.token_hex(16), "home") as server, DuckDnsZone(lab, server):
        folder = workspace.path / "providers"
        folder.mkdir()
        shipped = (PROVIDERS / "duckdns.toml").read_text()
        (folder / "duckdns.toml").write_text(f'{shipped}\n[driver_options]\napi = "{server.url}"\n')
        workspace.canaries.append(server.token)
        workspace.env["DUCK_TOKEN"] = server.token
        account = {"provider": "duckdns", "token": "env:DUCK_TOKEN"}
        certificate = {"name": "home", "domains": ["home.duckdns.org"]}
        changes = {"dns": {"duck": account}, "dns.home.tsig_secret": None, "dns.home": None}
        workspace.write({**changes, "certificate": [certificate]})
        yield server


@pytest.fixture(scope="session")
def fleet_zygote() -> Iterator[Zygote]:
    """A process that has loaded the program and forks workers."""
    with Zygote("tests.kit.fleet_dying") as started:
        yield started


@pytest.fixture
def workers(
    workspace: Workspace, address: DatabaseAddress, fleet_zygote: Zygote, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WorkerProcesses]:
    """Workers of a fleet without certificates; those in threads of the test look often for work of others."""
    monkeypatch.setattr("dnsrenew.extensions.fleet.worker.CLEAN_UP_EVERY", 0.1)
    monkeypatch.setattr("dnsrenew.extensions.fleet.queue._POLL", 0.1)
    stage = FleetStage(workspace, address)
    with workspace.lab.acme_proxy() as proxy:
        yield WorkerProcesses(stage, fleet_zygote, proxy)
    stage.database.close()
