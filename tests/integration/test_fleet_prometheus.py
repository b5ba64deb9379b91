"""A real Prometheus scrapes a real worker of a fleet, and fires the alerts of docs/monitoring; promtool checks both."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.fleet_stage import FleetStage
from tests.kit.postgres import DatabaseAddress, Postgres
from tests.kit.prometheus import alert_names, promtool, running_prometheus, until
from tests.kit.watching import get, parsed, value
from tests.lab import AcmeProxy, Request, ports
from tests.lab.process import find_program
from tests.lab.workspace import Workspace

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "docs" / "monitoring"
ALERTS = MONITORING / "fleet-alerts.yml"
DASHBOARD = MONITORING / "fleet-dashboard.json"
_STORED = """
INSERT INTO dnsrenew_certificate (name, wanted, due, version, expires, state)
VALUES (%s, %s::jsonb, now() + %s::interval, 1, now() + %s::interval, jsonb_build_object('failures', %s::int,
  'not_before', to_char(now() + %s::interval - interval '90 days', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
"""
_CA = "https://ca.test/dir"
_WORKER = """
import sys
from dnsrenew.cli import main
from dnsrenew.extensions.fleet import metrics
metrics.MAX_AGE = 0.5  # seconds; fifteen are long for a test
sys.exit(main())
"""


@pytest.fixture
def listen() -> Iterator[str]:
    """A free address for the endpoint."""
    with ports.reserve("127.0.0.1") as port:
        yield f"127.0.0.1:{port.number}"


@pytest.fixture
def fleet(workspace: Workspace, address: DatabaseAddress, listen: str, ca: AcmeProxy) -> Iterator[FleetStage]:
    """A fleet in which all is wrong that can be. Its worker does one thing at a time, and has metrics."""
    stage = FleetStage(workspace, address)
    stage.write(metrics={"listen": listen, "textfile": "fleet.prom"}, ca__lab__directory=ca.directory_url)

    def store(name: str, left: str, due: str = "1 day", failures: int = 0, **wanted: object) -> None:
        document = json.dumps({"domains": [f"{name}.example.test"], **wanted})
        stage.database.execute(_STORED, (name, document, due, left, failures, left))

    store("soon", "5 days")
    store("late", "20 days", due="-2 hours")
    store("failing", "50 days", failures=2)
    store("lacking", "50 days", routes=[{"challenge": "dns-01", "dns": "elsewhere"}])
    stage.database.execute(
        "INSERT INTO dnsrenew_pace VALUES (%s, now() + interval '165 minutes')", (f"on-demand {_CA}",)
    )
    stage.database.execute(
        "INSERT INTO dnsrenew_limit (directory, key, kind, since, until) "
        "VALUES (%s, '*', 'waits', now(), now() + interval '1 hour')",
        (_CA,),
    )
    stage.add("missing")
    yield stage
    stage.database.close()


def test_prometheus_fires_every_alert(fleet: FleetStage, listen: str, ca: AcmeProxy, postgres: Postgres) -> None:
    """Prometheus fires each rule about a fleet; every panel of the dashboard has data."""
    answer = threading.Event()

    def hold(_: Request) -> None:
        answer.wait(60)

    ca.on_request = hold  # the worker is busy, and "late" waits
    argv = [sys.executable, "-c", _WORKER, "worker", "--concurrency", "1"]
    env = {**fleet.workspace.env, "DNSRENEW_CONFIG": str(fleet.workspace.config_path)}
    folder = fleet.workspace.path
    with (
        (folder / "worker.log").open("w") as log,
        subprocess.Popen(argv, cwd=ROOT, env=env, stdout=log, stderr=log) as worker,
        running_prometheus(folder / "prometheus", {"dnsrenew-fleet": listen}, ALERTS) as prometheus,
    ):
        try:
            prometheus.await_firing(
                "DnsrenewFleetExpiring",
                "DnsrenewFleetFailing",
                "DnsrenewFleetLimitNearlyUsed",
                "DnsrenewFleetOrdersRefused",
                "DnsrenewFleetOverdue",
                "DnsrenewFleetWithoutAccount",
            )
            prometheus.ask_for_every_panel(DASHBOARD, lambda expression: "issued" in expression)
            text = get(listen, "/metrics")[1]
            assert promtool("check", "metrics", text=text) == ""
            samples = parsed(text)
            assert value(samples, "fleet_expiring") == 1
            assert value(samples, "fleet_ca_on_demand_used", ca=_CA) == pytest.approx(0.92, abs=0.02)
            assert "soon" not in text
            until((folder / "fleet.prom").exists)
            with postgres.stopped():
                prometheus.await_firing("DnsrenewFleetDatabaseUnreachable")
            answer.set()
            until(lambda: "DnsrenewFleetDatabaseUnreachable" not in prometheus.firing())
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(90) == 143, (folder / "worker.log").read_text()
            prometheus.await_firing("DnsrenewFleetNoWorker", "DnsrenewFleetWorkerDown")
            assert prometheus.fired() == alert_names(ALERTS)
        finally:
            answer.set()
            worker.kill()


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
