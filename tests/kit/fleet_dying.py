"""The program with a fleet, started so that it sends itself a signal at one point: see dying.py.

``FLEET_PATIENCE`` in the environment: after how many seconds this process counts a silent database as gone; its server
frees the locks after twice the time. ``FLEET_CLOCK``: by how many seconds the clock of this machine is ahead.
"""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import procrastinate.periodic
import procrastinate.utils

from dnsrenew.base.clock import SystemClock
from dnsrenew.extensions.fleet import queue, worker
from tests.kit.dying import serve
from tests.kit.dying_deploy import DeployDeath


class FleetDeath(DeployDeath):
    """Kills or stops a worker at a point."""

    def __init__(self, point: str, number: int, passed: str, heard: str) -> None:
        super().__init__(point, number, passed, heard)
        if number == signal.SIGSTOP:  # no handler is called: it continues after SIGCONT
            self._heard.set()

    def watch(self) -> None:
        """Report every point of the run here."""
        super().watch()
        change_module(worker, CLEAN_UP_EVERY=0.2)
        change_module(queue, _POLL=0.1)
        if patience := os.environ.get("FLEET_PATIENCE"):
            change_module(worker, PATIENCE=float(patience))
            change_module(queue, DEADLINE=float(patience))
            change_module(queue, _HEARTBEAT=float(patience) / 5)
        if ahead := os.environ.get("FLEET_CLOCK"):
            be_ahead(float(ahead))


def change_module(module: Any, **values: float) -> None:
    """Change times of a module in this process."""
    for name, value in values.items():
        assert hasattr(module, name)
        setattr(module, name, value)


def be_ahead(seconds: float) -> None:
    """Set the wall clock of this process ahead."""

    def now(_: Any = None) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=seconds)

    clock: Any = SystemClock
    clock.now = now
    utils: Any = procrastinate.utils
    utils.utcnow = now
    periodic: Any = procrastinate.periodic
    periodic.time = SimpleNamespace(time=lambda: time.time() + seconds)


if __name__ == "__main__":
    serve(FleetDeath)
