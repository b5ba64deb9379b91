"""SIGKILL anywhere in a renewal, and what the next run finds and does; the same where it is told to stop.

Each line of docs/internals/killed-runs.md is a test: see killed.py and stopped.py.
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
from tests.kit.killed import Row
from tests.kit.processes import FOREIGN, NAME, NEVER, Stage, Zygote, wait_until
from tests.kit.processes import foreign as somebody_else
from tests.kit.program import PATIENCE
from tests.kit.stopped import Stopped, stop, stopped_at
from tests.lab import Lab
from tests.lab.workspace import Workspace

ROWS = killed.rows()


@pytest.fixture
def foreign(workspace: Workspace) -> Iterator[None]:
    """A value of somebody else at our name."""
    with somebody_else(workspace.lab):
        yield


@pytest.fixture
def stage(workspace: Workspace, zygote: Zygote, foreign: None) -> Iterator[Stage]:
    """A certificate in force that is to be replaced."""
    with Stage.at(workspace, zygote, "renewal") as made:
        yield made


# ── one run, killed anywhere ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.kind}: {row.point}")
def test_killed_and_run_again(workspace: Workspace, zygote: Zygote, foreign: None, row: Row) -> None:
    """As the page says; at most one order more, and everything that `Stage.assert_right` looks at."""
    found = killed.killed_at(workspace, zygote, row.kind, row.point)
    assert found == row
    assert found.more <= 1


def test_the_page_has_every_point(workspace: Workspace, zygote: Zygote, foreign: None) -> None:
    """A new event or a new file is a new line."""
    listed = [row.point for row in ROWS if row.kind == "renewal"]
    assert set(killed.points(workspace, zygote, "renewal")) == set(listed)
    assert len(listed) == len(set(listed))
    stopped = killed.stopped_rows()
    assert [row[:2] for row in stopped] == [row[:2] for row in ROWS]
    assert killed.PAGE.read_text("utf-8") == killed.page(ROWS, stopped)


def test_nor_is_a_first_run_another(workspace: Workspace, zygote: Zygote, foreign: None) -> None:
    """The same for an empty folder."""
    assert set(killed.points(workspace, zygote, "first")) - {row.point for row in ROWS} == set()


def test_an_order_on_disk_is_taken_up() -> None:
    """Once it is there, no kill costs another order."""
    listed = [row.point for row in ROWS if row.kind == "renewal"]
    kept = listed[listed.index("disk: rename certificates/home/order") + 1 : listed.index("event run-finished") + 1]
    kept += [f"the CA has answered {kind}" for kind in ("finalize", "order", "certificate")]
    assert {row.more for row in ROWS if row.point in kept} == {0}


@pytest.mark.parametrize("row", killed.stopped_rows(), ids=lambda row: f"{row.kind}: {row.point}")
def test_sigterm_at_the_same_points(workspace: Workspace, zygote: Zygote, foreign: None, row: Stopped) -> None:
    """As the page says: the run takes back what it has written, within five seconds, and the next one does the rest."""
    assert stopped_at(workspace, zygote, row.kind, row.point, signal.SIGTERM) == row


@pytest.mark.parametrize("row", killed.stopped_rows(), ids=lambda row: f"{row.kind}: {row.point}")
def test_ctrl_c_at_the_same_points(workspace: Workspace, zygote: Zygote, foreign: None, row: Stopped) -> None:
    """The same, but for the exit status."""
    with Stage.at(workspace, zygote, row.kind) as stage:
        assert stop(stage, row.point, signal.SIGINT) == row.ended


SWEEP = ["remove, not sent", "remove, done", "disk: unlink journal/home-1.json", "event swept"]


@pytest.mark.parametrize("point", SWEEP)
def test_killed_again_while_sweeping(stage: Stage, point: str) -> None:
    """The one that tidies up dies too, at each step of it: the third run does the rest."""
    stage.die("event txt-written")
    assert len(stage.ours()) == 2
    stage.die(point)
    assert stage.next_run()[0] == "renewed"


def test_killed_many_times(stage: Stage) -> None:
    """What several dead runs left is gone after one."""
    for _ in range(3):
        stage.workspace.lab.flush()
        stage.die("event txt-written", "renew", "--force")
    assert len(stage.ours()) == 2  # each swept what the one before it left
    assert stage.next_run() == ("renewed", 2)


# ── several runs ────────────────────────────────────────────────────────────────────────

TWO = [{"name": name, "domains": [f"{name}.example.test"]} for name in ("one", "two")]


def texts(lab: Lab, name: str) -> set[str]:
    """What stands for a name now."""
    return lab.txt(f"_acme-challenge.{name}.example.test")


def test_one_of_two_runs_is_killed(workspace: Workspace, zygote: Zygote) -> None:
    """The next run removes the dead one's value, and leaves alone that of the one that lives, which succeeds."""
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
    """The others have waited for it: one of them makes the certificate, and a plain run tidies up."""
    lab = workspace.lab
    with Stage.at(workspace, zygote, "renewal") as stage:
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


# ── what cannot be removed ──────────────────────────────────────────────────────────────

HOME, OTHER = {"name": "home", "domains": ["example.test"]}, {"name": "other", "domains": ["other.test"]}


def leaves_a_value(workspace: Workspace, zygote: Zygote) -> dict[str, Any]:
    """A run with the account `home` is killed; the configuration without that certificate."""
    base = {"dns.other": workspace.other_account()}
    workspace.write({**base, "certificate": [HOME]})
    assert zygote.start(workspace, "event txt-written", "renew").end() == -signal.SIGKILL
    assert len(workspace.lab.txt(NAME)) == 1
    return {**base, "certificate": [OTHER]}


def renewed(workspace: Workspace) -> list[dict[str, str]]:
    """A run that succeeds although a value stays; its warnings, which it has also said."""
    done = workspace.run("renew", "--json")
    (outcome,) = json.loads(done.stdout)["outcomes"]
    assert (done.returncode, outcome["status"]) == (0, "renewed")
    assert len(workspace.lab.txt(NAME)) == 1
    warnings: list[dict[str, str]] = outcome["warnings"]
    assert [warning for warning in warnings if warning["message"] not in done.stderr] == []
    return warnings


def wait_for_the_sweep(workspace: Workspace) -> None:
    """Until somebody holds the lock of the journal."""
    lock = workspace.store / "locks" / "journal.lock"
    wait_until(lambda: lock.exists() and lock.read_bytes())


def removed_at_last(workspace: Workspace) -> None:
    """`cleanup` removes it, names it, and finds nothing the second time."""
    value = next(iter(workspace.lab.txt(NAME)))
    done = workspace.run("cleanup")
    assert done.returncode == 0
    assert done.stdout.split("\n")[:2] == [
        "✓ _acme-challenge.example.test (account home): 1 TXT value removed",
        f"    {value}",
    ]
    assert workspace.lab.txt(NAME) == set()
    again = workspace.run("cleanup")
    assert (again.returncode, again.stdout.startswith("Nothing to clean up.")) == (0, True)


def test_a_host_that_is_down(workspace: Workspace, zygote: Zygote) -> None:
    """The value stays and is said, renewals go on, and once the host is back it is removed."""
    config = leaves_a_value(workspace, zygote)
    down = f"127.0.0.1:{workspace.lab.reserve()}"
    workspace.write({**config, "dns.home.server": down})
    (warning,) = renewed(workspace)
    assert warning["code"] == "sweep-kept"
    assert "TXT values of an earlier run at _acme-challenge.example.test could not be removed" in warning["message"]
    assert down in warning["message"]
    status, document = workspace.run_json("cleanup")
    (kept,) = document["kept"]
    assert (status, document["removed"], kept["error"]["code"]) == (1, [], "provider-unreachable")
    workspace.write(config)
    removed_at_last(workspace)


def test_a_sweep_that_hangs_is_stopped(workspace: Workspace, zygote: Zygote) -> None:
    """Ctrl-C does not wait for the host: what stays is in the journal."""
    config = leaves_a_value(workspace, zygote)
    with workspace.lab.silent("127.0.0.5"):
        workspace.write({**config, "dns.home.server": f"127.0.0.5:{workspace.lab.port}"})
        with workspace.start("cleanup", "--json") as run:
            wait_for_the_sweep(workspace)
            started = time.monotonic()
            run.send_signal(signal.SIGINT)
            out, err = run.communicate(timeout=PATIENCE)
            assert time.monotonic() - started < 5
        workspace.captured += [out, err]
        assert (run.returncode, json.loads(out)["error"]["code"]) == (130, "cancelled")
    workspace.write(config)
    removed_at_last(workspace)


def test_an_account_that_is_gone(workspace: Workspace, zygote: Zygote) -> None:
    """The value stays until the account is back; the journal's file is named."""
    config = leaves_a_value(workspace, zygote)
    workspace.write({**config, "dns.home.tsig_secret": None, "dns.home": None})
    (warning,) = renewed(workspace)
    entry = str(workspace.store / "journal" / "home-1.json")
    assert warning["code"] == "sweep-kept"
    assert "account home" in warning["message"]
    assert entry in warning["message"]
    done = workspace.run("cleanup")
    assert done.returncode == 1
    assert "✗ _acme-challenge.example.test (account home): 1 TXT value not removed" in done.stdout
    assert entry in done.stdout
    workspace.write(config)
    removed_at_last(workspace)


def test_a_value_that_was_removed_by_hand(workspace: Workspace, zygote: Zygote) -> None:
    """Its account is gone too: it is struck off once no name server serves it."""
    config = leaves_a_value(workspace, zygote)
    workspace.write({**config, "dns.home.tsig_secret": None, "dns.home": None})
    assert workspace.run_json("cleanup")[0] == 1
    workspace.lab.update("example.test", remove=[(f"{NAME}.", "TXT")])
    status, document = workspace.run_json("cleanup")
    assert (status, len(document["removed"]), document["kept"]) == (0, 1, [])
    assert list((workspace.store / "journal").iterdir()) == []


def test_an_account_that_was_pointed_at_another_host(workspace: Workspace, zygote: Zygote) -> None:
    """The other host has such a zone too, and nothing to remove: the value stays, is told, and stops no renewal."""
    config = leaves_a_value(workspace, zygote)
    with workspace.lab.powerdns() as other:
        other.add_zone("example.test", (other.address,))
        workspace.canaries.append(other.api_key)
        workspace.env["OTHER_KEY"] = other.api_key
        account = {"provider": "powerdns", "pdns_server": other.api_url, "auth_token": "env:OTHER_KEY"}
        accounts = {"home": account, "other": config["dns.other"]}
        workspace.write({"certificate": [OTHER], "dns.home.tsig_secret": None, "dns": accounts})
        (warning,) = renewed(workspace)
        assert warning["code"] == "sweep-kept"
        assert "account home was configured for another host" in warning["message"]
        status, document = workspace.run_json("cleanup")
        (kept,) = document["kept"]
        assert (status, document["removed"], kept["error"]["code"]) == (1, [], "account-changed")
    workspace.write(config)
    removed_at_last(workspace)


def test_another_sweep_is_exit_status_three(workspace: Workspace, zygote: Zygote) -> None:
    """While one hangs at its host, a second one says who is at it; a renewal does not mind."""
    config = leaves_a_value(workspace, zygote)
    with workspace.lab.silent("127.0.0.5"):
        workspace.write({**config, "dns.home.server": f"127.0.0.5:{workspace.lab.port}"})
        with workspace.start("cleanup", "--json") as first:
            wait_for_the_sweep(workspace)
            status, document = workspace.run_json("cleanup")
            assert (status, document["error"]["code"]) == (3, "locked")
            assert document["error"]["evidence"]["pid"] == first.pid
            assert renewed(workspace) == []
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
    """Ours is cleared; where somebody else's has taken its place, that stays, and ours is gone as it is."""
    assert zygote.start(workspace, "event txt-written", "renew").end() == -signal.SIGKILL
    assert duck.values["home"]
    duck.values["home"] = now or duck.values["home"]
    status, document = workspace.run_json("cleanup")
    assert (status, len(document["removed"]), document["kept"]) == (0, 1, [])
    assert duck.values["home"] == afterwards
    assert sorted((workspace.store / "journal").iterdir()) == []
