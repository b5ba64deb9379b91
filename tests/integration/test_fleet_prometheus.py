"""A real Prometheus scrapes a real worker of a fleet, and fires the alerts of docs/monitoring; promtool checks both."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.fleet_stage import FleetStage
from tests.kit.postgres import DatabaseAddress
from tests.kit.prometheus import promtool, running_prometheus, until
from tests.kit.watching import get, parsed, value
from tests.lab import ports
from tests.lab.process import find_program
from tests.lab.workspace import Workspace

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "docs" / "monitoring"
ALERTS = MONITORING / "fleet-alerts.yml"
DASHBOARD = MONITORING / "fleet-dashboard.json"
_STORED = """
INSERT INTO dnsrenew_certificate (name, wanted, due, version, expires, state)
VALUES (%s, '{}', now() + interval '1 day', 1, now() + %s::interval, jsonb_build_object('not_before',
  to_char(now() + %s::interval - interval '90 days', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
"""


@pytest.fixture
def listen() -> Iterator[str]:
    """A free address for the endpoint."""
    with ports.reserve("127.0.0.1") as port:
        yield f"127.0.0.1:{port.number}"


@pytest.fixture
def fleet(workspace: Workspace, address: DatabaseAddress, listen: str) -> Iterator[FleetStage]:
    """A fleet whose workers have metrics: one certificate expires in five days, one in fifty, one is missing."""
    stage = FleetStage(workspace, address)
    stage.write(metrics={"listen": listen, "textfile": "fleet.prom"})
    for name, left in (("soon", "5 days"), ("late", "50 days")):
        stage.database.execute(_STORED, (name, left, left))
    stage.database.execute(
        "INSERT INTO dnsrenew_pace VALUES ('on-demand https://ca.test/dir', now() + interval '90 minutes')"
    )
    stage.database.execute("INSERT INTO dnsrenew_account (directory) VALUES ('https://ca.test/dir')")
    stage.add("missing")
    yield stage
    stage.database.close()


def test_prometheus_fires_the_alerts(fleet: FleetStage, listen: str) -> None:
    """Prometheus fires for an expiring certificate and for an ended worker. Every panel of the dashboard has data."""
    worker = fleet.process()
    try:
        with running_prometheus(fleet.workspace.path / "prometheus", listen, ALERTS, "dnsrenew-fleet") as prometheus:
            until(lambda: prometheus.query("dnsrenew_fleet_workers == 1"))
            until(lambda: "DnsrenewFleetExpiring" in prometheus.firing())
            assert not prometheus.firing() - {
                "DnsrenewFleetExpiring",
                "DnsrenewFleetNoWorker",
                "DnsrenewFleetWorkerDown",
            }
            prometheus.ask_for_every_panel(DASHBOARD, lambda expression: "issued" in expression)
            text = get(listen, "/metrics")[1]
            assert promtool("check", "metrics", text=text) == ""
            samples = parsed(text)
            assert value(samples, "fleet_expiring") == 1
            assert value(samples, "fleet_ca_on_demand_used", ca="https://ca.test/dir") == pytest.approx(0.5, abs=0.02)
            assert "soon" not in text
            until((fleet.workspace.path / "fleet.prom").exists)
            worker.send_signal(signal.SIGTERM)
            _, errors = worker.communicate(timeout=90)
            assert worker.returncode == 143, errors
            until(lambda: {"DnsrenewFleetNoWorker", "DnsrenewFleetWorkerDown"} <= prometheus.firing())
    finally:
        worker.kill()
        worker.communicate()


def test_the_alerts_fire_when_they_should() -> None:
    """The alert rules are valid for promtool, and their unit tests pass."""
    assert "SUCCESS" in promtool("check", "rules", ALERTS)
    promtool("test", "rules", ROOT / "tests" / "data" / "fleet_alerts_test.yml")


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """systemd-analyze finds no fault in the worker's unit of the docs."""
    unit = tmp_path / "dnsrenew-worker.service"
    text = (MONITORING / unit.name).read_text("utf-8")
    unit.write_text(text.replace("/usr/local/bin/dnsrenew", sys.executable), "utf-8")
    argv = [find_program("systemd-analyze"), "verify", "--man=no", str(unit)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
