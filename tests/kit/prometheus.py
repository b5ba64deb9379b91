"""A real Prometheus for tests, with alerts of the docs, and promtool."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.kit.watching import get
from tests.lab import ports
from tests.lab.process import ServerProcess, find_program

WITHIN: Final = 30.0
"""Seconds for what takes a few."""


def until(check: Callable[[], Any]) -> Any:
    """Return the first true value of the check."""
    end = time.monotonic() + WITHIN
    while not (found := check()):
        assert time.monotonic() < end, f"not within {WITHIN} s; the last: {found!r}"
        time.sleep(0.1)
    return found


def promtool(*arguments: str | Path, text: str = "") -> str:
    """Run promtool; return its output. If it reports a fault, the test fails."""
    argv = [find_program("promtool"), *map(str, arguments)]
    done = subprocess.run(argv, check=False, input=text, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


class Prometheus:
    """A Prometheus that scrapes every second, with the alerts of the docs but without their waits.

    :param targets: HOST:PORT of all that it scrapes, by job.
    :ivar address: HOST:PORT of its API.
    """

    def __init__(self, folder: Path, targets: Mapping[str, str], port: int, alerts: Path) -> None:
        self.address = f"127.0.0.1:{port}"
        rules = re.sub(r"\n +for: .*", "", alerts.read_text("utf-8"))
        (folder / "alerts.yml").write_text(rules, "utf-8")
        jobs = [{"job_name": job, "static_configs": [{"targets": [each]}]} for job, each in targets.items()]
        every = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), "500ms")
        config = {"global": every, "rule_files": ["alerts.yml"], "scrape_configs": jobs}
        (folder / "prometheus.yml").write_text(json.dumps(config), "utf-8")  # which is YAML
        self.process = ServerProcess(
            "prometheus",
            [
                find_program("prometheus"),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={self.address}",
            ],
            folder,
        )

    def api(self, path: str) -> Any:
        """Return the data of a GET."""
        status, body = get(self.address, f"/api/v1/{path}", version="1.0")
        assert status == 200, body
        return json.loads(body)["data"]

    def query(self, expression: str) -> list[Any]:
        """Return the result of a query."""
        result: list[Any] = self.api("query?" + urllib.parse.urlencode({"query": expression}))["result"]
        return result

    def ask_for_every_panel(self, dashboard: Path, may_be_empty: Callable[[str], bool]) -> None:
        """Check that every query of a dashboard is valid and finds data.

        :param may_be_empty: tells which may find nothing.
        """
        for panel in json.loads(dashboard.read_text("utf-8"))["panels"]:
            for target in panel["targets"]:
                found = self.query(re.sub(r"\$(job|instance)", ".*", target["expr"]))
                assert found or may_be_empty(target["expr"]), target["expr"]

    def await_firing(self, *names: str) -> None:
        """Wait until all these alerts fire."""
        end = time.monotonic() + WITHIN
        while missing := set(names) - (found := self.firing()):
            assert time.monotonic() < end, f"not within {WITHIN} s: {missing}; these fire: {found}"
            time.sleep(0.1)

    def fired(self) -> set[str]:
        """Return the alerts that have fired since the start."""
        series = self.query('count by (alertname) (last_over_time(ALERTS{alertstate="firing"}[1h]))')
        return {each["metric"]["alertname"] for each in series}

    def firing(self) -> set[str]:
        """Return the alerts that fire."""
        alerts = self.api("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            return get(self.address, "/-/ready", version="1.0")[0] == 200
        except OSError:
            return False


@contextmanager
def running_prometheus(folder: Path, targets: Mapping[str, str], alerts: Path) -> Iterator[Prometheus]:
    """Run a Prometheus in a new folder; the arguments are those of :class:`Prometheus`."""
    folder.mkdir()
    with ports.reserve("127.0.0.1") as port:
        server = Prometheus(folder, targets, port.number, alerts)
        server.process.start()
        try:
            server.process.wait_ready(server.is_ready, timeout=WITHIN)
            yield server
        finally:
            server.process.stop()


def alert_names(alerts: Path) -> set[str]:
    """Return the names of all alerts of a file of rules."""
    return set(re.findall(r"- alert: (\w+)", alerts.read_text("utf-8")))


@contextmanager
def running_node_exporter(folder: Path) -> Iterator[str]:
    """Run a node exporter that collects the text files of a folder; return its HOST:PORT."""
    with ports.reserve("127.0.0.1") as port:
        address = f"127.0.0.1:{port.number}"
        only = ["--collector.disable-defaults", "--collector.textfile", f"--collector.textfile.directory={folder}"]
        argv = [find_program("prometheus-node-exporter"), *only, f"--web.listen-address={address}"]
        process = ServerProcess("node-exporter", argv, folder).start()
        try:
            process.wait_ready(lambda: "Listening on" in process.log(), timeout=WITHIN)
            yield address
        finally:
            process.stop()
