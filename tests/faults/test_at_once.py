"""Several runs on one store at once: each certificate is obtained once; a kill affects no other run."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from typing import Any

import pytest

from tests.kit.ca_gate import Gate
from tests.kit.duckdns import DuckDns
from tests.kit.processes import NEVER, Run, Zygote, wait_until
from tests.kit.program import Kept
from tests.lab.workspace import Workspace

Outcome = dict[str, Any]


def start(zygote: Zygote, workspace: Workspace, *arguments: str) -> Run:
    """Start `dnsrenew renew --json`."""
    return zygote.start(workspace, NEVER, "renew", "--json", *arguments)


def outcomes(run: Run) -> tuple[int, list[Outcome]]:
    """Wait for the end of a run; return its exit status and its outcomes."""
    end = run.ended()
    assert "Traceback" not in end.err
    found: list[Outcome] = json.loads(end.out)["outcomes"]
    return end.status, found


def only_outcome(run: Run) -> tuple[int, str, Any]:
    """Wait for a run for one certificate; return the exit status, the outcome's status and its error."""
    status, (outcome,) = outcomes(run)
    return status, outcome["status"], outcome["error"]


def certificates(number: int) -> list[dict[str, Any]]:
    """Return the tables of this number of certificates."""
    return [{"name": f"host{each}", "domains": [f"host{each}.example.test"]} for each in range(number)]


def versions(workspace: Workspace, name: str = "home") -> int:
    """Return how many versions of this certificate were ever in force."""
    return len(list((workspace.store / "certificates" / name / "versions").glob("[0-9]*")))


# ── one certificate ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [2, 10])
def test_a_run_that_does_not_wait_reports_the_lock(workspace: Workspace, zygote: Zygote, number: int) -> None:
    """One run obtains the certificate; the others exit with 3 and report process, host and time of the lock."""
    with Gate.before(workspace, "finalize") as gate:
        runs = [start(zygote, workspace) for _ in range(number)]
        wait_until(lambda: sum(run.has_printed('"version"') for run in runs) == number - 1)
        gate.wait()
        (winner,) = [run for run in runs if not run.has_printed('"version"')]
        gate.open()
        assert only_outcome(winner) == (0, "renewed", None)
        for run in runs:
            if run is winner:
                continue
            status, said, error = only_outcome(run)
            assert (status, said, error["code"]) == (3, "locked", "locked")
            assert error["evidence"]["pid"] == winner.pid
            assert error["evidence"]["host"] == os.uname().nodename
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", error["evidence"]["since"])
        assert gate.asked["newOrder"] == gate.asked["finalize"] == gate.asked["newAccount"] == 1
    assert versions(workspace) == 1


@pytest.mark.parametrize("number", [2, 10])
def test_a_run_that_waited_has_nothing_to_do(workspace: Workspace, zygote: Zygote, number: int) -> None:
    """One run obtains the certificate; the others check again after they get the lock."""
    with Gate.before(workspace, "finalize") as gate:
        runs = [start(zygote, workspace, "--wait", "60") for _ in range(number)]
        gate.wait()
        gate.open()
        found = Counter(only_outcome(run) for run in runs)
        assert found == {(0, "renewed", None): 1, (0, "not-due", None): number - 1}
        assert gate.asked["newOrder"] == gate.asked["newAccount"] == 1
    assert versions(workspace) == 1


def test_waiting_for_a_lock_ends(workspace: Workspace, zygote: Zygote) -> None:
    """`--wait 1` waits for one second, Ctrl-C ends a longer wait, and the run at work is not disturbed."""
    with Gate.before(workspace, "finalize") as gate:
        first = start(zygote, workspace)
        gate.wait()
        status, said, error = only_outcome(start(zygote, workspace, "--wait", "1"))
        assert (status, said, error["code"]) == (3, "locked", "locked")
        second = start(zygote, workspace, "--wait", "60", "-v")
        wait_until(lambda: second.has_printed(f"process {first.pid}"))
        second.signal(signal.SIGINT)
        status, said, error = only_outcome(second)
        assert (status, said, error["code"]) == (130, "interrupted", "cancelled")
        gate.open()
        assert only_outcome(first) == (0, "renewed", None)


# ── several certificates ────────────────────────────────────────────────────────────────


def test_ten_runs_make_one_account(workspace: Workspace, zygote: Zygote) -> None:
    """Ten runs for ten certificates on a new store: one run creates the account, and nine wait for it."""
    with Gate.before(workspace, "newAccount") as gate:
        workspace.write({"certificate": certificates(10), "ca.lab.directory": gate.directory_url})
        runs = [start(zygote, workspace, f"host{number}", "-v") for number in range(10)]
        wait_until(lambda: sum(run.has_printed("the account") for run in runs) == 9)
        gate.open()
        assert [only_outcome(run) for run in runs] == [(0, "renewed", None)] * 10
        assert (gate.asked["newAccount"], gate.asked["newOrder"]) == (1, 10)
    assert len(list((workspace.store / "accounts").iterdir())) == 1


def test_two_runs_share_ten_certificates(workspace: Workspace, zygote: Zygote) -> None:
    """Each of ten certificates is obtained once by one of two runs, and is not due for the other run."""
    with workspace.lab.acme_proxy() as proxy:
        workspace.write({"certificate": certificates(10), "ca.lab.directory": proxy.directory_url})
        runs = [start(zygote, workspace, "--wait", "60") for _ in range(2)]
        (first, ones), (second, others) = (outcomes(run) for run in runs)
        assert (first, second) == (0, 0)
        assert [{mine["status"], its["status"]} for mine, its in zip(ones, others, strict=True)] == [
            {"renewed", "not-due"}
        ] * 10
        assert (proxy.counts["newAccount"], proxy.counts["newOrder"]) == (1, 10)
    assert [versions(workspace, f"host{number}") for number in range(10)] == [1] * 10


# ── a kill ──────────────────────────────────────────────────────────────────────────────


def test_a_kill_of_the_run_at_work(workspace: Workspace, zygote: Zygote) -> None:
    """After a kill of the run at work, the waiting run gets the lock and resumes the same order."""
    with Gate.before(workspace, "finalize") as gate:
        first = start(zygote, workspace)
        gate.wait()
        second = start(zygote, workspace, "--wait", "60", "-v")
        wait_until(lambda: second.has_printed(f"process {first.pid}"))
        first.signal(signal.SIGKILL)
        assert first.end() == -signal.SIGKILL
        gate.open()
        assert only_outcome(second) == (0, "renewed", None)
        assert gate.asked["newOrder"] == 1
        # The second run started before the kill, so the cleanup of the next run removes the values of the first one.
        status, document = workspace.run_json("cleanup")
        assert (status, len(document["removed"])) == (0, 2)
    assert versions(workspace) == 1


def test_a_kill_of_the_waiting_run(workspace: Workspace, zygote: Zygote) -> None:
    """After a kill of the waiting run, the run at work keeps its lock and finishes."""
    with Gate.before(workspace, "finalize") as gate:
        first = start(zygote, workspace)
        gate.wait()
        second = start(zygote, workspace, "--wait", "60", "-v")
        wait_until(lambda: second.has_printed(f"process {first.pid}"))
        second.signal(signal.SIGKILL)
        assert second.end() == -signal.SIGKILL
        status, _, error = only_outcome(start(zygote, workspace))
        assert (status, error["evidence"]["pid"]) == (3, first.pid)
        gate.open()
        assert only_outcome(first) == (0, "renewed", None)
        assert gate.asked["newOrder"] == 1
    assert versions(workspace) == 1


# ── files in the store ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", [os.uname().nodename, "another-host"])
def test_a_lock_file_of_a_dead_process_blocks_nothing(workspace: Workspace, zygote: Zygote, host: str) -> None:
    """A lock file alone is not a lock, for any process and host that it names."""
    assert only_outcome(start(zygote, workspace)) == (0, "renewed", None)
    locks = workspace.store / "locks"
    card = json.dumps({"pid": 1, "host": host, "since": "2026-01-01T00:00:00Z"})
    accounts = [f"account-{account.name}" for account in (workspace.store / "accounts").iterdir()]
    names = ["certificate-home", "journal", "zone-example.test", *accounts]
    for name in names:
        (locks / f"{name}.lock").write_text(card)
    (workspace.store / "journal" / "home-1.lock").write_text(card)
    workspace.lab.flush()  # or the CA sees the values of the first run
    assert only_outcome(start(zygote, workspace, "--force")) == (0, "renewed", None)
    assert list((workspace.store / "journal").iterdir()) == []


def test_a_store_that_is_moved_under_a_run(workspace: Workspace, zygote: Zygote) -> None:
    """The run stores its certificate at the old path; the locks in the moved store do not block the next run."""
    with Gate.before(workspace, "finalize") as gate:
        run = start(zygote, workspace)
        gate.wait()
        moved = workspace.store.rename(workspace.path / "moved")
        gate.open()
        assert only_outcome(run) == (0, "renewed", None)
        assert only_outcome(start(zygote, workspace)) == (0, "not-due", None)
        workspace.write({"store": str(moved), "ca.lab.directory": gate.directory_url})
        assert only_outcome(start(zygote, workspace)) == (0, "renewed", None)
        assert gate.asked["newOrder"] == gate.asked["finalize"] == 1  # the order was resumed
    assert Kept.of(workspace.store).files == Kept.of(moved).files
    assert list((moved / "journal").iterdir()) == []


# ── a zone that takes one value at a time ───────────────────────────────────────────────


def at_duckdns(workspace: Workspace, gate: Gate) -> None:
    """Configure two certificates of one DuckDNS domain, which can be validated only one after the other."""
    certificates = [{"name": name, "domains": [f"{name}.home.duckdns.org"]} for name in ("one", "two")]
    account = {"provider": "duckdns", "token": "env:DUCK_TOKEN"}
    changes = {"dns": {"duck": account}, "dns.home.tsig_secret": None, "dns.home": None}
    workspace.write({**changes, "certificate": certificates, "ca.lab.directory": gate.directory_url})


def both_at_the_zone(workspace: Workspace, zygote: Zygote, duck: DuckDns, gate: Gate) -> tuple[Run, Run]:
    """Start two runs: the first has written its value, and the second waits for the zone."""
    at_duckdns(workspace, gate)
    first = start(zygote, workspace, "one", "-v")
    gate.wait()
    second = start(zygote, workspace, "two", "-v", "--wait", "60")
    wait_until(lambda: second.has_printed(f"process {first.pid}"))
    assert len(duck.requests) == 1
    return first, second


def test_runs_take_turns_at_a_zone(workspace: Workspace, zygote: Zygote, duck: DuckDns) -> None:
    """The second run waits until the first one has removed its value, and orders only then."""
    with Gate.before(workspace, "challenge") as gate:
        first, second = both_at_the_zone(workspace, zygote, duck, gate)
        assert gate.asked["newOrder"] == 1
        gate.open()
        assert [only_outcome(first), only_outcome(second)] == [(0, "renewed", None)] * 2
    assert ["clear" if asked.get("clear") == "true" else "set" for asked in duck.requests] == ["set", "clear"] * 2


def test_without_wait_a_locked_zone_is_reported(workspace: Workspace, zygote: Zygote, duck: DuckDns) -> None:
    """The second run exits with 3, has ordered nothing, and reports which process holds the zone."""
    with Gate.before(workspace, "challenge") as gate:
        at_duckdns(workspace, gate)
        first = start(zygote, workspace, "one")
        gate.wait()
        status, said, error = only_outcome(start(zygote, workspace, "two"))
        assert (status, said, error["code"], error["evidence"]["pid"]) == (3, "locked", "locked", first.pid)
        assert "DNS zone home.duckdns.org is" in error["message"]
        assert gate.asked["newOrder"] == 1
        gate.open()
        assert only_outcome(first) == (0, "renewed", None)
    assert ["clear" if asked.get("clear") == "true" else "set" for asked in duck.requests] == ["set", "clear"]


def test_a_kill_frees_the_zone(workspace: Workspace, zygote: Zygote, duck: DuckDns) -> None:
    """After a kill, the waiting run gets the zone at once and replaces the value of the killed run."""
    with Gate.before(workspace, "challenge") as gate:
        first, second = both_at_the_zone(workspace, zygote, duck, gate)
        first.signal(signal.SIGKILL)
        assert first.end() == -signal.SIGKILL
        gate.open()
        assert only_outcome(second) == (0, "renewed", None)
        assert only_outcome(start(zygote, workspace, "one")) == (0, "renewed", None)
    assert duck.values["home"] == ""
    assert list((workspace.store / "journal").iterdir()) == []
