"""After a failure: the time of the next attempt, what is deferred until then, and what overrides it."""

from __future__ import annotations

import os
import pty
import subprocess
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from dnsrenew import Outcome
from tests.kit.fallback_stage import codes, problem, refusing
from tests.kit.renew_stage import Stage, certificates, error_of
from tests.lab import AcmeProxy
from tests.lab.acmemessages import DROP
from tests.lab.workspace import Workspace

REFUSED = refusing("newOrder", problem("rejectedIdentifier", "We do not issue for this.", 400))
NOW = timedelta()


@pytest.fixture
def stage(workspace: Workspace, ca: AcmeProxy) -> Stage:
    """A workspace without a certificate."""
    return Stage(workspace, {"ca.lab.directory": ca.directory_url})


def refused(stage: Stage, ca: AcmeProxy, later: timedelta = NOW, **how: Any) -> Outcome:
    """Make a run whose order is refused."""
    ca.on_request = REFUSED
    before = ca.counts["newOrder"]
    outcome = stage.one(later=later, **how)
    assert (outcome.status, codes(outcome)) == ("failed", ["ca-rejected-identifier"])
    assert ca.counts["newOrder"] > before
    return outcome


def deferred(stage: Stage, ca: AcmeProxy, later: timedelta = NOW, **how: Any) -> Outcome:
    """Make a run that is deferred, and sends nothing. A nonce (HEAD) of the run before may still be under way."""
    before = sum(exchange.request.method != "HEAD" for exchange in ca.exchanges)
    outcome = stage.one(later=later, **how)
    assert outcome.status == "deferred"
    assert outcome.attempts == ()
    assert sum(exchange.request.method != "HEAD" for exchange in ca.exchanges) == before
    return outcome


def test_the_next_run_is_deferred(stage: Stage, ca: AcmeProxy) -> None:
    """A deferred outcome has the failure and the time of the next attempt, and `status` has the same time."""
    failed = refused(stage, ca)
    outcome = deferred(stage, ca)
    assert outcome.next_attempt == failed.next_attempt
    assert outcome.reason == "missing"
    assert error_of(outcome).code == "ca-rejected-identifier"
    assert error_of(outcome).evidence["failure"] == error_of(failed).message
    assert error_of(outcome).message.startswith(error_of(failed).message)
    assert error_of(outcome).fix
    (status,) = stage.renewer().status()
    assert status.next_attempt == failed.next_attempt
    assert stage.kinds().count("certificate-started") == 0


# ── the program: exit status, and an edited file ────────────────────────────────────────


def write(workspace: Workspace, ca: AcmeProxy, **changes: Any) -> None:
    """Write the configuration."""
    workspace.write({"ca.lab.directory": ca.directory_url, **changes})


def test_the_exit_status_is_1_as_long_as_the_last_attempt_failed(workspace: Workspace, ca: AcmeProxy) -> None:
    """After a failure, `renew` and `status --check` exit with 1 until a success. The output has the next attempt."""
    write(workspace, ca)
    ca.on_request = REFUSED
    exit_status, document = workspace.run_json("renew")
    (failed,) = document["outcomes"]
    assert (exit_status, failed["status"]) == (1, "failed")
    exit_status, document = workspace.run_json("renew")
    (outcome,) = document["outcomes"]
    assert (exit_status, outcome["status"], outcome["attempts"]) == (1, "deferred", [])
    assert outcome["next_attempt"] == failed["next_attempt"]
    assert outcome["next_attempt"].endswith("Z")
    done = workspace.run("renew")
    assert done.returncode == 1
    assert " deferred until " in done.stdout + done.stderr
    assert workspace.run("status", "--check").returncode == 1
    ca.on_request = None
    assert workspace.run("renew", "--now").returncode == 0
    assert workspace.run("renew").returncode == 0


def test_a_run_at_a_terminal_is_never_deferred(workspace: Workspace, ca: AcmeProxy) -> None:
    """A run at a terminal is not deferred, unless it has `--scheduled`."""

    def at_a_terminal(*arguments: str) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            workspace.argv(*arguments),
            cwd=workspace.path,
            env=workspace.env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            output = b""
            with suppress(OSError):  # EIO: the last process closed the terminal
                while part := os.read(ours, 65536):
                    output += part
        os.close(ours)
        workspace.captured.append(output.decode())
        return process.returncode, output.decode()

    write(workspace, ca)
    ca.on_request = REFUSED
    for _ in range(2):
        exit_status, output = at_a_terminal("renew")
        assert (exit_status, "deferred" in output) == (1, False), output
    ca.on_request = None
    assert "deferred" in workspace.run("renew").stdout
    exit_status, output = at_a_terminal("renew", "--scheduled")
    assert (exit_status, "deferred" in output, "--now" in output) == (1, True, True), output
    exit_status, output = at_a_terminal("renew")
    assert exit_status == 0, output


# ── a CA that asks to wait ──────────────────────────────────────────────────────────────


def limit(wait: str) -> Any:
    """Return a hook that answers every order with a rate limit."""
    return refusing("newOrder", problem("rateLimited", "too many certificates", 429, ("Retry-After", wait)))


def test_a_renewal_with_replaces_is_never_deferred(stage: Stage, ca: AcmeProxy) -> None:
    """The ledger does not defer an order with `replaces`, because limits do not apply to it (RFC 9773)."""
    stage.renewed()
    ca.on_request = limit("7200")
    outcome = stage.one(force=True)
    assert codes(outcome) == ["ca-rate-limited"]
    orders = ca.counts["newOrder"]
    stage.one(force=True)
    assert ca.counts["newOrder"] == orders + 1


# ── many certificates and a CA in trouble ───────────────────────────────────────────────


def test_a_ca_that_is_down_is_found_out_once(stage: Stage, ca: AcmeProxy) -> None:
    """For sixteen certificates, a CA that is down gets three requests, and two more of the search for the cause."""
    ca.on_request = lambda request: DROP
    many = {"certificate": certificates(*[f"n{number}" for number in range(16)])}
    outcomes = stage.run(many, workers=2)
    assert {outcome.error.code for outcome in outcomes if outcome.error} == {"ca-unreachable"}
    assert ca.counts["directory"] == 3 + 2
