"""SIGKILL at every point of a renewal that stops a server by `before`: the next run starts it again."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.processes import NEVER, Zygote
from tests.lab.workspace import Workspace

ZONE = "stopped-server.test"


@pytest.fixture(scope="module")
def dying() -> Iterator[Zygote]:
    """The loaded program, of which processes are forked; its points include the programs that it runs."""
    with Zygote("tests.kit.dying_deploy") as started:
        yield started


def configure(workspace: Workspace) -> None:
    """Configure a certificate by http-01, with a server that runs while the file `running` is there."""
    running = workspace.path / "running"
    running.touch()
    home = {
        "certificate.0.domains": [ZONE],
        "certificate.0.routes": [{"challenge": "http-01", "listen": f"127.0.0.1:{workspace.lab.pebble.http_port}"}],
        "certificate.0.before": ["rm", str(running)],
        "certificate.0.after": ["touch", str(running)],
    }
    workspace.write(home)


def test_killed_at_every_point(workspace: Workspace, dying: Zygote) -> None:
    """Wherever the run is killed, the next one leaves the server running and a certificate, and owes nothing."""
    workspace.lab.add_zone(ZONE, "@ A 127.0.0.1")
    running = workspace.path / "running"
    configure(workspace)
    whole = dying.start(workspace, NEVER, "renew").ended()
    assert (whole.status, running.exists()) == (0, True), whole
    first = whole.passed.index("program: run")
    points = whole.passed[first - 4 : whole.passed.index("program: done (2)") + 4]
    noted = next(number for number, point in enumerate(whole.passed) if point.endswith(".after"))
    assert noted < first
    stopped = 0
    for point in dict.fromkeys(points):
        shutil.rmtree(workspace.store)
        configure(workspace)
        end = dying.start(workspace, point, "renew").ended()
        assert end.status == -signal.SIGKILL, (point, end)
        was_stopped = not running.exists()
        stopped += was_stopped
        status = dying.start(workspace, NEVER, "status", "--check", "--json").ended()
        assert "listen-after-owed" in status.out or not was_stopped, (point, status)
        end = dying.start(workspace, NEVER, "renew", "--json").ended()
        (outcome,) = json.loads(end.out)["outcomes"]
        assert (end.status, outcome["error"], running.exists()) == (0, None, True), (point, end)
        assert {notice["code"] for notice in outcome["warnings"]} <= {"listen-after-owed"}, (point, outcome)
        assert list((workspace.store / "journal").glob("*.after")) == []
    assert stopped > 5


def test_cleanup_starts_the_server(workspace: Workspace, dying: Zygote) -> None:
    """`cleanup` pays too, though the certificate is gone from the configuration."""
    workspace.lab.add_zone(ZONE, "@ A 127.0.0.1")
    configure(workspace)
    running = workspace.path / "running"
    end = dying.start(workspace, "event order-created", "renew").ended()
    assert (end.status, running.exists()) == (-signal.SIGKILL, False)
    changes: dict[str, Any] = {"certificate.0.name": "other", "certificate.0.domains": ["other.example.test"]}
    workspace.write(changes)
    status, document = workspace.run_json("status", "--check")
    assert (status, [one["after_owed"] for one in document["certificates"]]) == (1, [True])
    done = workspace.run("cleanup")
    assert (done.returncode, running.exists()) == (0, True)
    assert "touch" in done.stdout + done.stderr
