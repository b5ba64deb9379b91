"""A real Prometheus scrapes a real `dnsrenew run`, and fires the alerts of docs/monitoring; promtool checks both."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.store import FolderStore
from tests.kit.certificates import issue
from tests.kit.prometheus import alert_names, promtool, running_node_exporter, running_prometheus, until
from tests.kit.watching import get, parsed, value
from tests.lab import ports
from tests.lab.process import find_program

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "docs" / "monitoring" / "alerts.yml"
DASHBOARD = ROOT / "docs" / "monitoring" / "dashboard.json"
DAY = timedelta(days=1)


class Scene:
    """`dnsrenew run` with a certificate that expires in five days, and a CA that is down.

    :ivar listen: the address of its endpoint.
    :ivar textfile: the file that each round writes.
    """

    def __init__(self, folder: Path, listen: str, closed: int) -> None:
        self.folder = folder
        self.listen = listen
        self.textfile = folder / "dnsrenew.prom"
        self.config = folder / "dnsrenew.toml"
        self.config.write_text(
            f"""
            default_ca = "lab"
            [metrics]
            listen = "{listen}"
            textfile = "dnsrenew.prom"
            [ca.lab]
            directory = "https://127.0.0.1:{closed}/dir"
            [resolver]
            nameservers = ["127.0.0.1:{closed}"]
            [[certificate]]
            name = "home"
            domains = ["metrics.test"]
            routes = [{{ challenge = "http-01", listen = "127.0.0.1:{closed}" }}]
            [[certificate.deploy]]
            to = "files"
            certificate = "cert.pem"
            key = "key.pem"
            [[certificate.deploy]]
            run = ["/bin/false"]
            [[certificate]]
            name = "missing"
            domains = ["missing.test"]
            routes = [{{ challenge = "http-01", listen = "127.0.0.1:{closed}" }}]
            """,
            "utf-8",
        )
        store = FolderStore(folder / "state")
        spec = Config.load(self.config).certificates[0]
        pem, key, facts = issue(spec.identifiers, datetime.now(UTC) - 85 * DAY)
        with store.lock("home", context=Context()):
            store.prove_writable("home")
            store.keep(spec, "lab", pem, key, facts, state=replace(store.read_state("home"), asked_by=str(self.config)))

    @contextmanager
    def run(self) -> Iterator[subprocess.Popen[str]]:
        """Run `dnsrenew run` until the test or the block ends."""
        argv = [sys.executable, "-m", "dnsrenew", "--config", str(self.config), "run"]
        with (self.folder / "run.log").open("a") as log:
            process = subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=log, text=True)
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                process.wait(timeout=10)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """The scene; nothing runs yet."""
    with ports.reserve("127.0.0.1") as port, ports.reserve("127.0.0.1") as closed:
        yield Scene(tmp_path, f"127.0.0.1:{port.number}", closed.number)


def test_prometheus_fires_every_alert(scene: Scene, tmp_path: Path) -> None:
    """Prometheus fires each rule: by the endpoint, by a text file that grows old, and when the service has ended."""
    collected = tmp_path / "collected"
    collected.mkdir()
    with running_node_exporter(collected) as exporter:
        targets = {"dnsrenew": scene.listen, "node": exporter}
        with running_prometheus(scene.folder / "prometheus", targets, ALERTS) as prometheus:
            prometheus.await_firing("DnsrenewDown", "DnsrenewWithoutMetrics")
            with scene.run() as process:
                prometheus.await_firing(
                    "DnsrenewCertificateExpiresSoon",
                    "DnsrenewCertificateNotRenewed",
                    "DnsrenewCertificateUnusable",
                    "DnsrenewRenewalFailing",
                    "DnsrenewNotDeployed",
                    "DnsrenewLastRunFailed",
                )
                until(lambda: not prometheus.firing() & {"DnsrenewDown", "DnsrenewWithoutMetrics"})
                prometheus.ask_for_every_panel(DASHBOARD, lambda _: False)
                process.send_signal(signal.SIGTERM)
                assert process.wait(timeout=10) == 143
            prometheus.await_firing("DnsrenewDown")
            written = scene.textfile.read_text("utf-8")
            at = value(parsed(written), "last_run_timestamp_seconds")
            assert at is not None
            (collected / "dnsrenew.prom").write_text(written.replace(f"{at:.0f}", f"{at - 27 * 3600:.0f}"), "utf-8")
            prometheus.await_firing("DnsrenewLastRunTooOld")
            assert prometheus.fired() == alert_names(ALERTS)


def test_promtool_has_nothing_to_say(scene: Scene) -> None:
    """The endpoint and the text file are valid for promtool, and both have the same metrics."""
    with scene.run():
        until(scene.textfile.exists)
        served = until(lambda: "last_run" in (text := get(scene.listen, "/metrics")[1]) and text)
        assert get(scene.listen, "/healthz") == (503, "missing: missing\n")
    written = scene.textfile.read_text("utf-8")
    for text in (served, written):
        assert promtool("check", "metrics", text=text) == ""
    assert parsed(served).keys() == parsed(written).keys()
    assert value(parsed(written), "certificate_failures", name="home") == 1
    assert value(parsed(written), "certificate_deployed", name="home", to="files", target=_target(scene)) == 1
    assert value(parsed(written), "last_run_success") == 0


def _target(scene: Scene) -> str:
    """Return the name of the deployment's target: the folder of its files, or the first of them."""
    from dnsrenew.deploy.entry import entry

    spec = Config.load(scene.config).certificates[0]
    return entry(spec.deploy[0]).target


def test_the_alerts_fire_when_they_should() -> None:
    """The alert rules are valid for promtool, and their unit tests pass."""
    assert "SUCCESS" in promtool("check", "rules", ALERTS)
    promtool("test", "rules", ROOT / "tests" / "data" / "alerts_test.yml")


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """systemd-analyze finds no fault in the unit of the docs."""
    unit = tmp_path / "dnsrenew-run.service"
    text = (ALERTS.parent / unit.name).read_text("utf-8")
    unit.write_text(text.replace("/usr/local/bin/dnsrenew", sys.executable), "utf-8")
    argv = [find_program("systemd-analyze"), "verify", "--man=no", str(unit)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_renew_writes_the_text_file(scene: Scene) -> None:
    """`renew` writes the text file with mode 0644, even with a strict umask."""
    argv = [sys.executable, "-m", "dnsrenew", "--config", str(scene.config), "renew", "--now"]
    done = subprocess.run(argv, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60, umask=0o077)
    assert done.returncode == 1, done.stderr
    assert scene.textfile.stat().st_mode & 0o777 == 0o644
    assert value(parsed(scene.textfile.read_text("utf-8")), "last_run_success") == 0
