"""The files of docs/monitoring: they ask for metrics that exist, and fit what the guide and the program say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from dnsrenew.cli.run_watch import SLEEPING
from dnsrenew.watch.metrics.collect import CertificateNumbers, LastRun
from dnsrenew.watch.metrics.exposition import exposition
from tests.kit.clock import START
from tests.kit.documents import DOCS

FOLDER = DOCS / "monitoring"
GUIDE = (DOCS / "guides" / "monitoring.md").read_text("utf-8")
METRICS = set(re.findall(r"^# TYPE (\S+)", exposition(list[CertificateNumbers](), LastRun(START, True)), re.MULTILINE))
_NAME = re.compile(r"\bdnsrenew_[a-z_]+")


@pytest.fixture
def dashboard() -> dict[str, Any]:
    """The dashboard for Grafana."""
    found: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
    return found


def values_of(value: Any, key: str) -> Iterator[Any]:
    """Every value of a key, at any depth."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name == key:
                yield each
            yield from values_of(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from values_of(each, key)


def test_the_guide_lists_every_metric() -> None:
    """And no other."""
    assert set(re.findall(r"^\| `(dnsrenew_[a-z_]+)", GUIDE, re.MULTILINE)) == METRICS


@pytest.mark.parametrize("name", ["alerts.yml", "dashboard.json"])
def test_only_metrics_that_exist_are_asked_for(name: str) -> None:
    """A metric that was renamed would leave an alert that never fires."""
    text = (FOLDER / name).read_text("utf-8")
    used = set(_NAME.findall(text))
    assert used <= METRICS
    assert METRICS - used <= {"dnsrenew_certificate_not_before_seconds"}


def test_every_query_goes_to_the_chosen_data_source(dashboard: dict[str, Any]) -> None:
    """A dashboard that names one of its author shows nothing to others."""
    sources = [source for source in values_of(dashboard["panels"], "datasource") if source is not None]
    assert {source["uid"] for source in sources} == {"${datasource}"}
    variables = {variable["name"]: variable["type"] for variable in dashboard["templating"]["list"]}
    assert variables == {"datasource": "datasource", "job": "query", "instance": "query"}
    for expression in values_of(dashboard["panels"], "expr"):
        assert expression.count("dnsrenew_") == expression.count('{job=~"$job",instance=~"$instance"'), expression


def test_panels_have_their_own_number_and_place(dashboard: dict[str, Any]) -> None:
    """None covers another one."""
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_the_guide_links_the_files() -> None:
    """Each of them."""
    linked = set(re.findall(r"\.\./monitoring/([\w.-]+)", GUIDE))
    assert linked == {file.name for file in FOLDER.iterdir()}


def test_the_unit_is_for_a_service_that_notifies() -> None:
    """The watchdog has more time than a sign of life needs."""
    unit = dict(
        line.split("=", 1) for line in (FOLDER / "dnsrenew-run.service").read_text("utf-8").splitlines() if "=" in line
    )
    assert (unit["Type"], unit["WatchdogSec"], unit["SuccessExitStatus"]) == ("notify", "5min", "143")
    assert unit["ExecStart"].endswith(" run")
    assert SLEEPING < 5 * 60
