"""A fleet in the lab: a database with its tables, a configuration, certificates to obtain, and workers.

A worker is a thread of the test (:class:`Crew`), or a process of its own (:meth:`FleetStage.process`), which can be
killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from unittest import mock

from dnsrenew.base.events import Event
from dnsrenew.base.model import Outcome
from dnsrenew.config import Config
from dnsrenew.errors import DnsRenewError
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.schema import initialize
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.extensions.fleet.worker import FleetWorker
from tests.kit.postgres import PASSWORD, DatabaseAddress
from tests.lab.workspace import Workspace

PATIENCE: Final = 60.0
"""Seconds for what a test waits for; nothing waits that long where all is well."""


def wait_until(condition: Callable[[], object], what: str = "") -> None:
    """Wait until a condition is true. One that is costly to look at is looked at less often."""
    began = time.monotonic()
    end = began + PATIENCE
    while not condition():
        now = time.monotonic()
        assert now < end, f"it did not happen: {what or condition}"
        time.sleep(max(0.02, min(2 * (now - began), 0.5)))
        began = time.monotonic()


@dataclass
class Heard:
    """The calls that a worker made to its listener."""

    outcomes: list[Outcome] = field(default_factory=list)
    waits: list[DnsRenewError] = field(default_factory=list)
    starts: int = 0

    def ready(self) -> None:
        """Record that the worker takes jobs."""
        self.starts += 1

    def alive(self) -> None:
        """Record a sign of life."""

    def waiting(self, error: DnsRenewError, seconds: float) -> None:
        """Record that the worker waits for the database."""
        assert 0 < seconds <= 30
        self.waits.append(error)

    def ended(self, outcome: Outcome) -> None:
        """Record the end of a job."""
        self.outcomes.append(outcome)

    def of(self, status: str) -> list[str]:
        """Return the names with an outcome of this status."""
        return [outcome.name for outcome in self.outcomes if outcome.status == status]


class Crew:
    """A worker in a thread of the test."""

    def __init__(self, config: Config, concurrency: int | None) -> None:
        self.heard = Heard()
        self.events: list[Event] = []
        self.error: BaseException | None = None
        self.worker = FleetWorker(config, self.heard, on_event=self.events.append, concurrency=concurrency)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.worker.run()
        except BaseException as error:  # noqa: BLE001  # the test looks at it
            self.error = error

    def start(self) -> None:
        """Start the worker."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the worker after its current jobs."""
        self.worker.stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    def kinds(self, name: str | None = None) -> list[str]:
        """Return the kinds of the worker's events, or those of one certificate."""
        return [event.kind for event in self.events if name in {None, event.certificate}]


class FleetStage:
    """A fleet in a workspace.

    :ivar database: connections of the test itself.
    """

    def __init__(self, workspace: Workspace, address: DatabaseAddress) -> None:
        self.workspace = workspace
        self.lab = workspace.lab
        self.address = address
        self.database = Database(address)
        initialize(self.database, Seals([]))
        workspace.env["DATABASE_PASSWORD"] = PASSWORD
        workspace.canaries.append(PASSWORD)
        self.write()

    def write(self, **changes: Any) -> None:
        """Write the configuration.

        :param changes: as for :meth:`Workspace.write`, ``__`` for a dot.
        """
        store = {"url": self.address.url, "password": "env:DATABASE_PASSWORD"}
        dotted = {key.replace("__", "."): value for key, value in changes.items()}
        self.workspace.write({"store": store, "certificate": None, **dotted})

    def config(self) -> Config:
        """Read the configuration."""
        return Config.load(self.workspace.config_path)

    def add(self, *names: str, **document: Any) -> None:
        """Want a certificate for the domain NAME.example.test for each name."""
        for name in names:
            wanted = {"name": name, "domains": [f"{name}.example.test"], **document}
            self.database.execute(
                "INSERT INTO dnsrenew_certificate (name, wanted) VALUES (%s, %s::jsonb)", (name, json.dumps(wanted))
            )

    @contextlib.contextmanager
    def crew(self, count: int = 1, *, concurrency: int | None = None) -> Iterator[list[Crew]]:
        """Run workers in threads of the test."""
        with mock.patch.dict(os.environ, self.workspace.env):
            crews = [Crew(self.config(), concurrency) for _ in range(count)]
            for each in crews:
                each.start()
            try:
                yield crews
            finally:
                for each in crews:
                    each.worker.stop()
                for each in crews:
                    each.stop()

    def process(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``dnsrenew worker``; the caller ends it."""
        return self.workspace.start("worker", *arguments)

    # ── what became of it ───────────────────────────────────────────────────────────────

    def versions(self) -> dict[str, int]:
        """Return the version in force of each certificate that has one."""
        return dict(
            self.database.fetch(
                "SELECT name, version FROM dnsrenew_certificate WHERE version IS NOT NULL ORDER BY name"
            )
        )

    def dues(self) -> dict[str, float]:
        """Return the seconds until a worker looks at each certificate."""
        return dict(
            self.database.fetch("SELECT name, extract(epoch FROM due - now())::float8 FROM dnsrenew_certificate")
        )

    def jobs(self) -> dict[str, str]:
        """Return the status of each job of a certificate."""
        return dict(
            self.database.fetch(
                "SELECT args ->> 'name', status::text FROM procrastinate_jobs WHERE task_name = 'dnsrenew.renew'"
            )
        )

    def journal(self) -> int:
        """Return the number of entries of the journal."""
        row = self.database.one("SELECT count(*) FROM dnsrenew_journal")
        return int(row[0]) if row else 0
