"""The metrics of a fleet: every series, without a database, and how often the database is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.config.extension_tables import MetricsSettings
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet import metrics
from dnsrenew.extensions.fleet.metrics import MAX_AGE, FleetNumbers, FleetReading, fleet_lines
from dnsrenew.extensions.fleet.status import CaLimits, FleetStatus, WorkerStatus
from dnsrenew.extensions.watch.metrics import Health, MetricsServer, write_after_run
from dnsrenew.store import FolderStore
from tests.kit.clock import START, FakeClock
from tests.kit.watching import config_for, get, parsed, value
from tests.lab import ports

STATUS = FleetStatus(
    counts={"valid": 90, "missing": 7, "expired": 2, "revoked": 1},
    due=9,
    failing=3,
    most_overdue=(("a", START), ("b", START)),
    workers=(
        WorkerStatus(host="m1", pid=1, doing=("a", "b")),
        WorkerStatus(host="m2", pid=1, doing=()),
    ),
    last_hour={"lab": 5},
    limits={
        "lab": CaLimits(until=None, held=2),
        'o"ther': CaLimits(until=START + timedelta(hours=1), held=0),
    },
    lacking={"c": ("dns.far",)},
)
READING = FleetReading(status=STATUS, expiring=4, overdue=75.9, on_demand={"lab": 0.25})


class Source:
    """A fleet that can be read, or not.

    :ivar reads: how often it was.
    :ivar error: why it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(START)
        self.config = config_for(folder)
        self.reads = 0
        self.error: Exception | None = None
        self.hangs = threading.Event()
        self.hangs.set()
        self.events: list[Event] = []
        context = Context(clock=self.clock, emitter=Emitter(self.clock, self.events.append))
        self.numbers = FleetNumbers(self.config, self.clock.monotonic, context, self.read)

    def read(self, config: Config) -> FleetReading:
        """Count a look at the database."""
        assert config.store == self.config.store
        self.reads += 1
        assert self.hangs.wait(20)
        if self.error is not None:
            raise self.error
        return READING

    def sample(self, metric: str, **labels: str) -> float | None:
        """One sample of the text."""
        return value(parsed(self.numbers.text()), f"fleet_{metric}", **labels)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    """A fleet that can be read."""
    made = Source(tmp_path)
    yield made
    made.hangs.set()


def test_every_metric_is_there() -> None:
    """The metrics are sums over the fleet, without certificate names."""
    samples = parsed("".join(f"{line}\n" for line in fleet_lines(READING)))
    expected: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {
        ("database_reachable", ()): 1,
        ("certificates", (("state", "valid"),)): 90,
        ("certificates", (("state", "missing"),)): 7,
        ("certificates", (("state", "expired"),)): 2,
        ("certificates", (("state", "revoked"),)): 1,
        ("due", ()): 9,
        ("overdue_seconds", ()): 75,
        ("failing", ()): 3,
        ("expiring", ()): 4,
        ("lacking", ()): 1,
        ("stored_only", ()): 0,
        ("workers", ()): 2,
        ("working", ()): 2,
        ("ca_issued_last_hour", (("ca", "lab"),)): 5,
        ("ca_takes_orders", (("ca", "lab"),)): 1,
        ("ca_takes_orders", (("ca", 'o"ther'),)): 0,
        ("ca_held", (("ca", "lab"),)): 2,
        ("ca_held", (("ca", 'o"ther'),)): 0,
        ("ca_on_demand_used", (("ca", "lab"),)): 0.25,
    }
    assert samples == {(f"dnsrenew_fleet_{name}", labels): number for (name, labels), number in expected.items()}


def test_the_database_is_asked_at_most_every_fifteen_seconds(source: Source) -> None:
    """The database is read at most every 15 s, or at once for a new configuration."""
    for _ in range(5):
        assert source.sample("due") == 9
        assert source.numbers.health() == Health(True, "ok")
    assert source.reads == 1
    source.clock.elapsed += MAX_AGE
    assert source.sample("due") == 9
    assert source.reads == 2
    source.numbers.use(replace(source.config, contact=("other@example.com",)))
    source.numbers.round_ended(None)
    assert source.sample("due") == 9
    assert source.reads == 3


def test_without_a_database_that_is_all_that_is_said(source: Source) -> None:
    """Without the database the scrape succeeds with that one metric, and the health is bad."""
    source.error = StoreError("store-unreachable", "It is gone.", fix="Look.")
    assert parsed(source.numbers.text()) == {("dnsrenew_fleet_database_reachable", ()): 0}
    assert source.numbers.health() == Health(False, "the store cannot be read (store-unreachable)")
    source.error = None
    source.clock.elapsed += MAX_AGE
    assert source.numbers.health().ok


def test_a_bug_in_a_look_ends_nothing(source: Source) -> None:
    """After a failed reading the next one succeeds."""
    source.error = RuntimeError("a bug")
    assert source.sample("database_reachable") == 0
    source.error = None
    source.clock.elapsed += MAX_AGE
    assert source.sample("database_reachable") == 1


def test_a_database_that_hangs_holds_up_no_scrape(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database hangs, scrapes get the old numbers, and only one reading runs."""
    monkeypatch.setattr(metrics, "PATIENCE", 0.05)
    assert source.sample("due") == 9
    source.hangs.clear()
    source.clock.elapsed += MAX_AGE
    source.error = StoreError("store-unreachable", "It is gone.", fix="Look.")
    for _ in range(3):
        assert source.sample("due") == 9
    assert source.reads == 2
    source.hangs.set()
    end = time.monotonic() + 20
    while source.sample("database_reachable") == 1:
        assert time.monotonic() < end
    assert source.reads == 2


def test_the_endpoint_serves_them(source: Source) -> None:
    """Without a database ``/metrics`` answers 200 and ``/healthz`` 503."""
    with ports.reserve("127.0.0.1") as port:
        server = MetricsServer.started(f"127.0.0.1:{port.number}", source.numbers, time.monotonic)
        try:
            assert get(server.address, "/healthz") == (200, "ok\n")
            source.error = StoreError("store-read-only", "It is gone.", fix="Look.")
            source.clock.elapsed += MAX_AGE
            status, text = get(server.address, "/metrics")
            assert (status, len(parsed(text))) == (200, 1)
            assert get(server.address, "/healthz") == (503, "the store cannot be read (store-read-only)\n")
        finally:
            server.stop()


def test_the_text_file_is_written_again_and_again(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is written while the worker runs, and to another path after a configuration change."""
    monkeypatch.setattr(metrics, "BETWEEN_FILES", 0.01)
    first, second = tmp_path / "one.prom", tmp_path / "two.prom"
    source.numbers.use(replace(source.config, metrics=MetricsSettings(textfile=str(first))))
    with source.numbers:
        _until(first.exists)
        assert value(parsed(first.read_text()), "fleet_due") == 9
        source.numbers.use(replace(source.config, metrics=MetricsSettings(textfile=str(second))))
        _until(second.exists)
    assert first.stat().st_mode & 0o777 == 0o644


def test_a_text_file_that_cannot_be_written_is_a_warning(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text file that cannot be written causes one warning, and the worker continues."""
    monkeypatch.setattr(metrics, "BETWEEN_FILES", 0.01)
    missing = tmp_path / "missing" / "fleet.prom"
    source.numbers.use(replace(source.config, metrics=MetricsSettings(textfile=str(missing))))
    with source.numbers:
        _until(lambda: source.events)
        missing.parent.mkdir()
        _until(missing.exists)
    assert [event.data["code"] for event in source.events] == ["metrics-unwritable"]


def test_a_run_leaves_the_text_file_to_the_workers(source: Source, tmp_path: Path) -> None:
    """A single run does not write the fleet's text file: it knows only some of the certificates."""
    path = tmp_path / "fleet.prom"
    tables = {"store": "postgresql://dnsrenew@127.0.0.1/fleet", "metrics": {"textfile": str(path)}}
    config = Config.from_dict({**tables, "contact": "me@example.com", "agree_terms": True})
    context = Context(clock=source.clock, emitter=Emitter(source.clock, source.events.append))
    write_after_run(config, FolderStore(tmp_path / "state"), context, [])
    assert (path.exists(), source.events) == (False, [])


def _until(condition: Any) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
