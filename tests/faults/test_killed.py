"""SIGKILL at every point of a renewal, and what the next run does; the same for a run that is asked to stop.

Each line of docs/internals/killed-runs.md is a test: see tests/kit/killed.py and tests/kit/stopped.py.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit import killed
from tests.kit.ca_gate import Gate
from tests.kit.duckdns import DuckDns
from tests.kit.dying import AT_ONCE
from tests.kit.killed import Row
from tests.kit.load import allowed
from tests.kit.processes import FOREIGN, NAME, NEVER, ProcessStage, Zygote, wait_until
from tests.kit.processes import foreign as somebody_else
from tests.kit.program import PATIENCE
from tests.kit.stopped import Stopped, stop, stopped_at
from tests.lab import Lab
from tests.lab.workspace import Workspace

ROWS = killed.rows()


@pytest.fixture
def foreign(workspace: Workspace) -> Iterator[None]:
    """A foreign value at our name."""
    with somebody_else(workspace.lab):
        yield


@pytest.fixture
def stage(workspace: Workspace, zygote: Zygote, foreign: None) -> Iterator[ProcessStage]:
    """A certificate in force that is to be replaced."""
    with ProcessStage.at(workspace, zygote, "renewal") as made:
        yield made


# ── one run, killed anywhere ────────────────────────────────────────────────────────────


def stopped_rows() -> list[Any]:
    """Return all points as parameters. All but each fifth are slow: a stop differs little from one to the next."""
    rows = enumerate(killed.stopped_rows())
    return [pytest.param(row, marks=pytest.mark.slow if number % 5 else ()) for number, row in rows]


def killed_rows() -> list[Any]:
    """Return all points as parameters. All but each third are slow."""
    return [pytest.param(row, marks=pytest.mark.slow if number % 3 else ()) for number, row in enumerate(ROWS)]


@pytest.mark.parametrize("row", killed_rows(), ids=lambda row: f"{row.kind}: {row.point}")
def test_killed_and_run_again(workspace: Workspace, zygote: Zygote, foreign: None, row: Row) -> None:
    """Each kill has the result of the page: at most one more order, and the checks of `ProcessStage.assert_right`."""
    found = killed.killed_at(workspace, zygote, row.kind, row.point)
    assert found == row
    assert found.more <= 1


def test_the_page_has_every_point(workspace: Workspace, zygote: Zygote, foreign: None) -> None:
    """A new event or a new file needs a new line of the page."""
    listed = [row.point for row in ROWS if row.kind == "renewal"]
    assert set(killed.points(workspace, zygote, "renewal")) == set(listed)
    assert len(listed) == len(set(listed))
    stopped = killed.stopped_rows()
    assert [row[:2] for row in stopped] == [row[:2] for row in ROWS]
    assert killed.PAGE.read_text("utf-8") == killed.page(ROWS, stopped)


def test_a_first_run_has_no_other_points(workspace: Workspace, zygote: Zygote, foreign: None) -> None:
    """The page also lists all points of a run with an empty folder."""
    assert set(killed.points(workspace, zygote, "first")) - {row.point for row in ROWS} == set()


def test_an_order_on_disk_is_resumed() -> None:
    """Once the order is on disk, no kill costs another order."""
    listed = [row.point for row in ROWS if row.kind == "renewal"]
    kept = listed[listed.index("disk: rename certificates/home/order") + 1 : listed.index("event run-finished") + 1]
    kept += [f"the CA has answered {kind}" for kind in ("finalize", "order", "certificate")]
    assert {row.more for row in ROWS if row.point in kept} == {0}


@pytest.mark.parametrize("row", stopped_rows(), ids=lambda row: f"{row.kind}: {row.point}")
def test_sigterm_at_the_same_points(workspace: Workspace, zygote: Zygote, foreign: None, row: Stopped) -> None:
    """After SIGTERM the run removes its values within five seconds, and the next run has the result of the page."""
    assert stopped_at(workspace, zygote, row.kind, row.point, signal.SIGTERM) == row


@pytest.mark.parametrize("row", stopped_rows(), ids=lambda row: f"{row.kind}: {row.point}")
def test_ctrl_c_at_the_same_points(workspace: Workspace, zygote: Zygote, foreign: None, row: Stopped) -> None:
    """After Ctrl-C the result is that of SIGTERM, except for the exit status."""
    with ProcessStage.at(workspace, zygote, row.kind) as stage:
        assert stop(stage, row.point, signal.SIGINT) == row.ended


@pytest.mark.parametrize(
    "point", ["event order-finalized", "remove, not sent", "remove, done", "the CA has answered certificate"]
)
def test_killed_while_the_ca_issues_and_the_values_are_removed(
    workspace: Workspace, zygote: Zygote, foreign: None, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """The two go on at the same time. Killed at any point of either, the next run needs no other order."""
    monkeypatch.setitem(workspace.env, AT_ONCE, "1")
    row = killed.killed_at(workspace, zygote, "renewal", point)
    assert (row.then, row.more) == ("renewed", 0)


CLEANUP = ["remove, not sent", "remove, done", "disk: unlink journal/home-1.json", "event swept"]


@pytest.mark.parametrize("point", CLEANUP)
def test_killed_again_while_sweeping(stage: ProcessStage, point: str) -> None:
    """If the cleanup is killed too, at any of its steps, the third run completes it."""
    stage.die("event txt-written")
    assert len(stage.ours()) == 2
    stage.die(point)
    assert stage.next_run()[0] == "renewed"


def test_killed_many_times(stage: ProcessStage) -> None:
    """One run removes the values of several killed runs."""
    for _ in range(3):
        stage.workspace.lab.flush()
        stage.die("event txt-written", "renew", "--force")
    assert len(stage.ours()) == 2  # each run removed the values of the one before it
    assert stage.next_run() == ("renewed", 2)


# ── several runs ────────────────────────────────────────────────────────────────────────

TWO = [{"name": name, "domains": [f"{name}.example.test"]} for name in ("one", "two")]


def texts(lab: Lab, name: str) -> set[str]:
    """Return the current TXT values of a name."""
    return lab.txt(f"_acme-challenge.{name}.example.test")


def test_one_of_two_runs_is_killed(workspace: Workspace, zygote: Zygote) -> None:
    """The next run removes only the values of the killed run, and the other run succeeds."""
    lab = workspace.lab
    with Gate.before(workspace, "challenge") as gate:
        workspace.write({"certificate": TWO, "ca.lab.directory": gate.directory_url})
        living = zygote.start(workspace, NEVER, "renew", "one", "--json")
        gate.wait()
        ours = texts(lab, "one")
        assert len(ours) == 1
        assert zygote.start(workspace, "event txt-written", "renew", "two").end() == -signal.SIGKILL
        assert len(texts(lab, "two")) == 1
        status, document = workspace.run_json("cleanup")
        assert (status, [value["name"] for value in document["removed"]]) == (0, ["_acme-challenge.two.example.test."])
        assert texts(lab, "one") == ours
        assert texts(lab, "two") == set()
        gate.open()
        status, document = workspace.run_json("renew", "two")
        assert (status, document["outcomes"][0]["status"]) == (0, "renewed")
        end = living.ended()
        assert (end.status, json.loads(end.out)["outcomes"][0]["status"]) == (0, "renewed")
    assert lab.all_txt() == {}


def test_the_first_of_nine_is_killed(workspace: Workspace, zygote: Zygote, foreign: None) -> None:
    """If the first of nine runs is killed, one of the others obtains the certificate, and the next run cleans up."""
    lab = workspace.lab
    with ProcessStage.at(workspace, zygote, "renewal") as stage:
        lab.lag = 2.0
        dying = zygote.start(workspace, "event dns-visible", "renew")
        wait_until(lambda: lab.txt(NAME) - {FOREIGN})
        others = [workspace.start("renew", "--wait", "60", "--json") for _ in range(8)]
        assert dying.end() == -signal.SIGKILL
        lab.lag = 0.0
        lab.flush()
        answers = [json.loads(run.communicate(timeout=PATIENCE)[0])["outcomes"][0]["status"] for run in others]
        assert [run.returncode for run in others] == [0] * 8
        assert sorted(answers) == ["not-due"] * 7 + ["renewed"]
        assert stage.orders == 2
        assert stage.next_run()[0] == "not-due"


# ── values that cannot be removed ───────────────────────────────────────────────────────

HOME, OTHER = {"name": "home", "domains": ["example.test"]}, {"name": "other", "domains": ["other.test"]}


def leave_a_value(workspace: Workspace, zygote: Zygote) -> dict[str, Any]:
    """Kill a run that has written with the account `home`; return the configuration without that certificate."""
    base = {"dns.other": workspace.other_account()}
    workspace.write({**base, "certificate": [HOME]})
    assert zygote.start(workspace, "event txt-written", "renew").end() == -signal.SIGKILL
    assert len(workspace.lab.txt(NAME)) == 1
    return {**base, "certificate": [OTHER]}


def renewed_with_a_value_left(workspace: Workspace) -> list[dict[str, str]]:
    """Make a run that succeeds although a value stays; return its warnings, which it has also printed."""
    done = workspace.run("renew", "--json")
    (outcome,) = json.loads(done.stdout)["outcomes"]
    assert (done.returncode, outcome["status"]) == (0, "renewed")
    assert len(workspace.lab.txt(NAME)) == 1
    warnings: list[dict[str, str]] = outcome["warnings"]
    assert [warning for warning in warnings if warning["message"] not in done.stderr] == []
    return warnings


def wait_for_the_cleanup(workspace: Workspace) -> None:
    """Wait until a process holds the lock of the journal."""
    lock = workspace.store / "locks" / "journal.lock"
    wait_until(lambda: lock.exists() and lock.read_bytes())


def removed_at_last(workspace: Workspace) -> None:
    """Check that `cleanup` removes and reports the value, and finds nothing the second time."""
    values = list(workspace.lab.txt(NAME))
    status, document = workspace.run_json("cleanup")
    assert (status, [value["value"] for value in document["removed"]]) == (0, values)
    assert workspace.lab.txt(NAME) == set()
    status, document = workspace.run_json("cleanup")
    assert (status, document["removed"], document["kept"]) == (0, [], [])


def test_a_host_that_is_down(workspace: Workspace, zygote: Zygote) -> None:
    """While the host is down, the value stays with a warning and renewals continue. Later it is removed."""
    config = leave_a_value(workspace, zygote)
    down = f"127.0.0.1:{workspace.lab.reserve()}"
    workspace.write({**config, "dns.home.server": down})
    (warning,) = renewed_with_a_value_left(workspace)
    assert warning["code"] == "sweep-kept"
    assert down in warning["message"]
    status, document = workspace.run_json("cleanup")
    (kept,) = document["kept"]
    assert (status, document["removed"], kept["error"]["code"]) == (1, [], "provider-unreachable")
    workspace.write(config)
    removed_at_last(workspace)


def test_a_cleanup_that_hangs_is_stopped(workspace: Workspace, zygote: Zygote) -> None:
    """Ctrl-C ends a cleanup that waits for the host, and the value stays in the journal."""
    config = leave_a_value(workspace, zygote)
    with workspace.lab.silent("127.0.0.5"):
        workspace.write({**config, "dns.home.server": f"127.0.0.5:{workspace.lab.port}"})
        with workspace.start("cleanup", "--json") as run:
            wait_for_the_cleanup(workspace)
            started = time.monotonic()
            run.send_signal(signal.SIGINT)
            out, err = run.communicate(timeout=PATIENCE)
            assert time.monotonic() - started < allowed(5)
        workspace.captured += [out, err]
        assert (run.returncode, json.loads(out)["error"]["code"]) == (130, "cancelled")
    workspace.write(config)
    removed_at_last(workspace)


def test_a_removed_account(workspace: Workspace, zygote: Zygote) -> None:
    """A value whose account was removed stays until it is back, and the warning names the file of the journal."""
    config = leave_a_value(workspace, zygote)
    workspace.write({**config, "dns.home.tsig_secret": None, "dns.home": None})
    (warning,) = renewed_with_a_value_left(workspace)
    entry = str(workspace.store / "journal" / "home-1.json")
    assert warning["code"] == "sweep-kept"
    assert "account home" in warning["message"]
    assert entry in warning["message"]
    status, document = workspace.run_json("cleanup")
    (kept,) = document["kept"]
    assert (status, kept["error"]["code"], kept["dns"]) == (1, "account-gone", "home")
    assert entry in kept["error"]["message"]
    workspace.write(config)
    removed_at_last(workspace)


def test_a_value_that_was_removed_by_hand(workspace: Workspace, zygote: Zygote) -> None:
    """Without its account, a value is deleted from the journal once no name server serves it."""
    config = leave_a_value(workspace, zygote)
    workspace.write({**config, "dns.home.tsig_secret": None, "dns.home": None})
    assert workspace.run_json("cleanup")[0] == 1
    workspace.lab.update("example.test", remove=[(f"{NAME}.", "TXT")])
    status, document = workspace.run_json("cleanup")
    assert (status, len(document["removed"]), document["kept"]) == (0, 1, [])
    assert list((workspace.store / "journal").iterdir()) == []


def test_an_account_that_was_pointed_at_another_host(workspace: Workspace, zygote: Zygote) -> None:
    """If the account is moved to a host without the value, the value stays with a warning, and renewals continue."""
    config = leave_a_value(workspace, zygote)
    with workspace.lab.powerdns() as other:
        other.add_zone("example.test", (other.address,))
        workspace.canaries.append(other.api_key)
        workspace.env["OTHER_KEY"] = other.api_key
        account = {"provider": "powerdns", "pdns_server": other.api_url, "auth_token": "env:OTHER_KEY"}
        accounts = {"home": account, "other": config["dns.other"]}
        workspace.write({"certificate": [OTHER], "dns.home.tsig_secret": None, "dns": accounts})
        (warning,) = renewed_with_a_value_left(workspace)
        assert warning["code"] == "sweep-kept"
        status, document = workspace.run_json("cleanup")
        (kept,) = document["kept"]
        assert (status, document["removed"], kept["error"]["code"]) == (1, [], "account-changed")
    workspace.write(config)
    removed_at_last(workspace)


def test_a_second_cleanup_exits_with_3(workspace: Workspace, zygote: Zygote) -> None:
    """While a cleanup hangs, a second one reports its process, and a renewal is not affected."""
    config = leave_a_value(workspace, zygote)
    with workspace.lab.silent("127.0.0.5"):
        workspace.write({**config, "dns.home.server": f"127.0.0.5:{workspace.lab.port}"})
        with workspace.start("cleanup", "--json") as first:
            wait_for_the_cleanup(workspace)
            status, document = workspace.run_json("cleanup")
            assert (status, document["error"]["code"]) == (3, "locked")
            assert document["error"]["evidence"]["pid"] == first.pid
            assert renewed_with_a_value_left(workspace) == []
            first.send_signal(signal.SIGTERM)
            workspace.captured += first.communicate(timeout=PATIENCE)
        assert first.returncode == 143
    workspace.write(config)
    removed_at_last(workspace)


# ── a host that keeps one value ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(("now", "afterwards"), [(None, ""), (FOREIGN, FOREIGN)])
def test_a_host_that_keeps_one_value(
    workspace: Workspace, zygote: Zygote, duck: DuckDns, now: str | None, afterwards: str
) -> None:
    """At a host with one value, ours is cleared. If a foreign value replaced it, ours counts as removed."""
    assert zygote.start(workspace, "event txt-written", "renew").end() == -signal.SIGKILL
    assert duck.values["home"]
    duck.values["home"] = now or duck.values["home"]
    status, document = workspace.run_json("cleanup")
    assert (status, len(document["removed"]), document["kept"]) == (0, 1, [])
    assert duck.values["home"] == afterwards
    assert sorted((workspace.store / "journal").iterdir()) == []
