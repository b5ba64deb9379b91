"""The files of docs/monitoring: they ask for metrics that exist, and fit what the guide and the program say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from dnsrenew.cli.run import SLEEPING
from dnsrenew.extensions.fleet.commands.worker import SECONDS
from dnsrenew.extensions.fleet.metrics import FleetReading, fleet_lines
from dnsrenew.extensions.fleet.status import FleetStatus
from dnsrenew.extensions.watch.metrics import CertificateNumbers, LastRun, exposition
from tests.kit.clock import START
from tests.kit.documents import DOCS

FOLDER = DOCS / "monitoring"
GUIDE = (DOCS / "guides" / "monitoring.md").read_text("utf-8")
FLEET_GUIDE = (DOCS / "guides" / "fleet.md").read_text("utf-8")
METRICS = set(re.findall(r"^# TYPE (\S+)", exposition(list[CertificateNumbers](), LastRun(START, True)), re.MULTILINE))
EMPTY = FleetStatus(counts={}, due=0, failing=0, most_overdue=(), workers=(), last_hour={}, limits={}, lacking={})
FLEET = FleetReading(status=EMPTY, expiring=0, overdue=0.0, on_demand={})
FLEET_METRICS = {line.split()[2] for line in fleet_lines(FLEET) if line.startswith("# TYPE ")}
_NAME = re.compile(r"\bdnsrenew_[a-z_]+")


def board(name: str) -> dict[str, Any]:
    """A dashboard for Grafana."""
    found: dict[str, Any] = json.loads((FOLDER / name).read_text("utf-8"))
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


@pytest.mark.parametrize(("guide", "metrics"), [(GUIDE, METRICS), (FLEET_GUIDE, FLEET_METRICS)])
def test_the_guide_lists_every_metric(guide: str, metrics: set[str]) -> None:
    """The guide lists exactly the existing metrics."""
    assert set(re.findall(r"^\| `(dnsrenew_[a-z_]+)", guide, re.MULTILINE)) == metrics


@pytest.mark.parametrize(
    ("name", "metrics", "unused"),
    [
        ("alerts.yml", METRICS, {"dnsrenew_certificate_not_before_seconds"}),
        ("dashboard.json", METRICS, {"dnsrenew_certificate_not_before_seconds"}),
        (
            "fleet-alerts.yml",
            FLEET_METRICS,
            {f"dnsrenew_fleet_{name}" for name in ("due", "working", "stored_only", "ca_issued_last_hour", "ca_held")},
        ),
        ("fleet-dashboard.json", FLEET_METRICS, set[str]()),
    ],
)
def test_only_metrics_that_exist_are_asked_for(name: str, metrics: set[str], unused: set[str]) -> None:
    """All queries use existing metrics."""
    text = (FOLDER / name).read_text("utf-8")
    used = set(_NAME.findall(text))
    assert used <= metrics
    assert metrics - used <= unused


@pytest.mark.parametrize(
    ("name", "chosen"), [("dashboard.json", ["job", "instance"]), ("fleet-dashboard.json", ["job"])]
)
def test_every_query_goes_to_the_chosen_data_source(name: str, chosen: list[str]) -> None:
    """Every panel uses the data source that the user selects."""
    dashboard = board(name)
    sources = [source for source in values_of(dashboard["panels"], "datasource") if source is not None]
    assert {source["uid"] for source in sources} == {"${datasource}"}
    variables = {variable["name"]: variable["type"] for variable in dashboard["templating"]["list"]}
    assert variables == {"datasource": "datasource", **dict.fromkeys(chosen, "query")}
    labels = "{" + ",".join(f'{label}=~"${label}"' for label in chosen)
    for expression in values_of(dashboard["panels"], "expr"):
        assert expression.count("dnsrenew_") == expression.count(labels), expression


@pytest.mark.parametrize("name", ["dashboard.json", "fleet-dashboard.json"])
def test_panels_have_their_own_number_and_place(name: str) -> None:
    """Panels have unique numbers and do not overlap."""
    panels = board(name)["panels"]
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


def test_the_guides_link_the_files() -> None:
    """Each file is linked in its guide, those of a fleet in the fleet's."""
    linked = {guide: set(re.findall(r"\.\./monitoring/([\w.-]+)", guide)) for guide in (GUIDE, FLEET_GUIDE)}
    fleet = {file.name for file in FOLDER.iterdir() if "fleet" in file.name or "worker" in file.name}
    assert linked[FLEET_GUIDE] == fleet
    assert linked[GUIDE] == {file.name for file in FOLDER.iterdir()} - fleet


@pytest.mark.parametrize("command", ["run", "worker"])
def test_the_unit_is_for_a_service_that_notifies(command: str) -> None:
    """The watchdog has more time than a sign of life needs, and a stop more than the command takes."""
    text = (FOLDER / f"dnsrenew-{command}.service").read_text("utf-8")
    unit = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert (unit["Type"], unit["WatchdogSec"], unit["SuccessExitStatus"]) == ("notify", "5min", "143")
    assert unit["ExecStart"].endswith(f" {command}")
    assert SLEEPING < 5 * 60
    assert command == "run" or int(unit["TimeoutStopSec"]) > SECONDS
