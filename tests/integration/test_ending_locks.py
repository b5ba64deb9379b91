"""Two runs at once: one works, the other says so, or waits and finds nothing left to do."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.kit.program import PATIENCE, Run, check_error
from tests.lab.acmemessages import DROP, Request, Response
from tests.lab.workspace import Workspace


@contextmanager
def held_at_finalize(workspace: Workspace) -> Iterator[threading.Event]:
    """The CA takes its time to issue, until the event is set."""
    go_on, over = threading.Event(), threading.Event()

    def hold(request: Request) -> Response | None:
        if request.kind == "finalize":
            go_on.wait(PATIENCE)
        return DROP if over.is_set() else None

    with workspace.lab.acme_proxy(hold) as proxy:
        workspace.write({"ca.lab.directory": proxy.directory_url})
        try:
            yield go_on
        finally:
            over.set()
            go_on.set()


def test_the_second_run_says_locked(workspace: Workspace) -> None:
    """Exit status 3, and who holds the lock since when; the first is not disturbed."""
    with held_at_finalize(workspace) as go_on, Run.start(workspace, "renew", "--json") as first:
        first.wait_for("visible on")
        status, document = workspace.run_json("renew")
        (outcome,) = document["outcomes"]
        assert (status, outcome["status"]) == (3, "locked")
        check_error(outcome["error"], "locked", (str(first.process.pid), "home"))
        assert outcome["error"]["evidence"]["pid"] == first.process.pid
        assert outcome["error"]["evidence"]["host"] == os.uname().nodename
        told = workspace.run("renew")
        assert told.returncode == 3
        assert "locked by another run" in told.stdout
        go_on.set()
        status, document = first.end()
    assert (status, document["outcomes"][0]["status"]) == (0, "renewed")


def test_the_second_run_waits(workspace: Workspace) -> None:
    """With --wait it looks again when the lock is free, and finds that nothing is due any more."""
    with (
        held_at_finalize(workspace) as go_on,
        Run.start(workspace, "renew", "--json") as first,
    ):
        first.wait_for("visible on")
        with Run.start(workspace, "renew", "--wait", "60", "--json", "-v") as second:
            second.wait_for("Using")
            assert second.process.poll() is None
            go_on.set()
            assert first.end()[1]["outcomes"][0]["status"] == "renewed"
            status, document = second.end()
    assert (status, document["outcomes"][0]["status"]) == (0, "not-due")
    assert len(list((workspace.store / "certificates" / "home" / "versions").iterdir())) == 1


def test_waiting_ends_after_its_time(workspace: Workspace) -> None:
    """`--wait 1` is one second."""
    with held_at_finalize(workspace), Run.start(workspace, "renew", "--json") as first:
        first.wait_for("visible on")
        status, document = workspace.run_json("renew", "--wait", "1")
        first.stop(signal.SIGTERM)
    assert (status, document["outcomes"][0]["status"]) == (3, "locked")


def test_waiting_can_be_stopped(workspace: Workspace) -> None:
    """Ctrl-C ends the one that waits, and leaves the other alone."""
    with held_at_finalize(workspace) as go_on, Run.start(workspace, "renew", "--json") as first:
        first.wait_for("visible on")
        with Run.start(workspace, "renew", "--wait", "60", "--json") as second:
            second.wait_for("Using")
            status, document = second.stop(signal.SIGINT)
        assert status == 130
        # It may have been stopped on its way to the lock, before it had anything to say of the certificate.
        error = document["error"] if "error" in document else document["outcomes"][0]["error"]
        assert error["code"] == "cancelled"
        go_on.set()
        status, document = first.end()
    assert (status, document["outcomes"][0]["status"]) == (0, "renewed")


def test_a_lock_is_free_after_a_kill(workspace: Workspace) -> None:
    """No file that a killed run left behind stops the next one."""
    with held_at_finalize(workspace) as go_on:
        with Run.start(workspace, "renew", "--json") as first:
            first.wait_for("order created")
            first.process.kill()
            first.process.wait(PATIENCE)
        left = workspace.lab.all_txt()
        workspace.lab.remove_txt_but({})
        workspace.lab.flush()
        go_on.set()
        status, document = workspace.run_json("renew")
    assert (status, document["outcomes"][0]["status"]) == (0, "renewed"), left


def test_two_runs_from_nothing(workspace: Workspace) -> None:
    """Started in the same moment: one certificate, one order, one account."""
    with workspace.lab.acme_proxy() as proxy:
        workspace.write({"ca.lab.directory": proxy.directory_url})
        runs = [workspace.start("renew", "--wait", "60", "--json") for _ in range(2)]
        answers = [json.loads(run.communicate(timeout=PATIENCE)[0])["outcomes"][0]["status"] for run in runs]
        assert [run.returncode for run in runs] == [0, 0]
        assert sorted(answers) == ["not-due", "renewed"]
        assert proxy.counts["newOrder"] == proxy.counts["newAccount"] == 1
