"""`dnsrenew renew`: its output and exit status."""

import json
import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from dnsrenew.base.events import Emitter
from dnsrenew.base.model import Attempt, DeploymentResult, DnsAccount, Notice, Outcome, Route
from dnsrenew.base.runtime import Context
from dnsrenew.cli import main, terminal
from dnsrenew.cli.outcome_text import OutcomeText
from dnsrenew.errors import (
    AttemptError,
    CAError,
    Cancelled,
    ConfigError,
    DeployError,
    DnsError,
    LockedError,
    StoreError,
)
from dnsrenew.renewal.batch import exit_status
from dnsrenew.schedule.detect import UNKNOWN, ActiveSchedule
from dnsrenew.schedule.machine import Halt
from dnsrenew.schedule.texts import CRON_OFF, START
from tests.kit.cli_stage import (
    ROUTE,
    FakeConfig,
    FakeRenewer,
    Script,
    crowd,
    failed,
    happy,
    install,
    late,
    now,
    outcome,
    unhappy,
)
from tests.kit.memory_lab import MemoryWorkspace

Stage = Callable[..., FakeRenewer]
LOCKED = LockedError("locked", "Another run (process 7 on box) works on home.", fix="Wait, or use --wait.")
STOPPED = Cancelled("cancelled", "The run was stopped.", fix="Run it again.")
SHORT = "The CA cannot reach this machine by HTTP on port 80."
REFUSED = DeployError("deploy-refused", "No.", fix="Y.")
SKIPPED = AttemptError("caa", "CAA forbids it.", fix="Add the record.")
LIMITED = CAError("ca-rate-limited", "Too many.", fix="Wait.", retry_after=3600.0)


def held(limit: str) -> CAError:
    """What the ledger says of an order that it holds back."""
    return CAError("ca-ledger", "Not now.", fix="Wait.", retry_after=3600.0, evidence={"limit": limit})


def skipped(error: AttemptError) -> Attempt:
    """Return an attempt that was skipped."""
    return Attempt(route=replace(ROUTE, dns=("b",)), orders=0, seconds=0.0, error=error)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Puts a fake renewer on the stage, which plays a part or returns outcomes."""

    def put(play: Any = None, config: FakeConfig | None = None, schedule: ActiveSchedule = UNKNOWN) -> FakeRenewer:
        renewer = FakeRenewer(play if callable(play) or play is None else lambda _emitter, _cancel: play)
        install(renewer, config, monkeypatch.setattr, schedule=schedule)
        return renewer

    return put


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([], 0),
        ([outcome(), outcome(status="not-due")], 0),
        ([outcome(), failed()], 1),
        ([outcome(status="locked", error=LOCKED), outcome()], 3),
        ([outcome(status="locked", error=LOCKED), failed()], 1),
        ([failed(), outcome(status="interrupted", error=STOPPED)], 143),
        ([outcome(status="deferred", error=StoreError("x", "y", fix="z"))], 1),
        ([outcome(status="deferred", error=LIMITED)], 0),
        ([outcome(status="deferred", error=LIMITED, not_after=now() - timedelta(days=1))], 1),
        ([outcome(status="deferred", error=LIMITED, not_after=None)], 1),
        ([outcome(status="deferred", error=held("retry-after"))], 0),
        ([outcome(status="deferred", error=held("failed"))], 1),
        ([outcome(status="deferred", error=held("same-set"))], 1),
        ([outcome(status="deferred", error=held("retry-after"), attempts=(skipped(held("failed")),))], 1),
        ([outcome(status="not-due", deployed=(DeploymentResult(to="hfs", target="http://x", ok=False),))], 1),
        ([outcome(status="not-due", deployed=(DeploymentResult(to="hfs", target="http://x", ok=True),))], 0),
    ],
)
def test_exit_status(outcomes: list[Outcome], status: int) -> None:
    """The exit status follows the contract: interrupted before failed before locked before success."""
    assert exit_status(outcomes, now(), 143) == status


@pytest.mark.parametrize("line", ["renew", "renew --dry-run", "run", "status --check"])
def test_a_configuration_without_a_certificate_is_a_mistake(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A configuration without a certificate is refused: it would renew nothing and still look healthy to a monitor."""
    path = tmp_path / "dnsrenew.toml"
    path.write_text("agree_terms = true\n")
    assert main([*line.split(), "--json", f"--config={path}"]) == 2
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert error["code"] == "config-invalid"
    (mistake,) = error["evidence"]["mistakes"]
    assert (mistake["file"], mistake["key"], mistake["found"]) == (str(path), "certificate", "missing")
    assert err.count("[[certificate]]") == 1
    assert main(["status", f"--config={path}"]) == 0


def test_success_says_what_a_person_needs(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output has names, validity, the next renewal and the two files. Standard error has the steps."""
    stage(happy)
    assert main(["renew"]) == 0
    out, err = capsys.readouterr()
    end = now() + timedelta(days=90, minutes=-1)
    assert out.splitlines() == [
        "✓ home obtained: example.test, *.example.test",
        f"  valid until  {end:%Y-%m-%d} (90 days), next renewal {now() + timedelta(days=60):%Y-%m-%d}",
        "  certificate  /srv/dnsrenew/state/certificates/home/current/fullchain.pem",
        "  key          /srv/dnsrenew/state/certificates/home/current/privkey.pem",
    ]
    assert "home: 2 TXT values written to example.test (0.02 s)" in err
    assert "Using /etc/dnsrenew/dnsrenew.toml" in err


def test_failure_says_what_was_tried_what_stopped_it_and_what_to_do(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failure shows the attempts, the error, the fix and the certificate that stays in use."""
    stage([failed()])
    assert main(["renew"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("✗ home failed: example.test, *.example.test\n  tried       dns-01 with home at lab (1 order")
    assert "  error       After 120 s" in out
    assert "  what to do  Look why ns2.example.test does not follow its primary" in out
    assert "The stored certificate stays in use: valid until" in out


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (outcome(status="locked", error=LOCKED), "! home locked by another run: Another run (process 7 on box) works"),
        (outcome(status="interrupted", error=STOPPED), "! home interrupted: The run was stopped. Run it again."),
        (outcome(status="deferred", error=LIMITED, next_attempt=now()), "! home deferred until "),
        (outcome(status="deferred"), "! home deferred: "),
        (outcome(status="rehearsed"), "✓ home dry run succeeded: "),
        (outcome(status="not-due"), "· home not due: valid until "),
        (outcome(reason="renew-before"), "✓ home renewed: "),
        (
            outcome(deployed=(DeploymentResult(to="hfs", target="http://x", ok=False, error=REFUSED),)),
            "✗ not deployed: hfs http://x: No.\n    → Y.\n",
        ),
        (failed(not_after=None), "There is no certificate yet."),
        (failed(not_after=None, reason=None), "Could not read the current certificate."),
        (failed(reason="forced", next_attempt=now()), "; to retry now, run: dnsrenew renew home --force\n"),
        (failed(reason="forced"), "It is not due before "),
        (
            outcome(status="deferred", error=LIMITED, reason="forced"),
            "  to retry now  dnsrenew renew home --force --now (",
        ),
        (failed(reason="revoked"), "The stored certificate is revoked: "),
        (failed(not_after=now() - timedelta(days=3)), "The stored certificate expired 3 days ago."),
    ],
)
def test_every_status_has_words(stage: Stage, capsys: pytest.CaptureFixture[str], done: Outcome, said: str) -> None:
    """Each status has a sentence."""
    stage([done])
    main(["renew"])
    assert said in capsys.readouterr().out


NOBODY = ActiveSchedule(False)


@pytest.mark.parametrize(
    ("line", "done", "schedule", "said"),
    [
        ("renew", outcome(), NOBODY, True),
        ("renew", outcome(status="not-due"), NOBODY, False),
        ("renew", outcome(), UNKNOWN, False),
        ("renew", outcome(), ActiveSchedule(True, "cron"), False),
        ("renew", failed(), NOBODY, False),
        ("renew --scheduled", outcome(), NOBODY, False),
        ("renew --dry-run", outcome(status="rehearsed"), NOBODY, False),
        ("renew -q", outcome(), NOBODY, False),
        ("renew --json", outcome(), NOBODY, False),
    ],
)
def test_after_a_success_it_is_said_that_nothing_renews(
    stage: Stage, capsys: pytest.CaptureFixture[str], line: str, done: Outcome, schedule: ActiveSchedule, *, said: bool
) -> None:
    """Without a schedule, a success names the command that installs one. A scheduled run does not."""
    stage([done], None, schedule)
    main(line.split())
    shown = "".join(capsys.readouterr())
    assert ("Automatic renewal is not set up yet. Run: " in shown and "dnsrenew schedule install" in shown) is said


@pytest.mark.parametrize(("line", "said"), [("renew", True), ("renew --scheduled", False), ("renew -q", False)])
def test_a_schedule_that_stands_still_is_said(
    stage: Stage, capsys: pytest.CaptureFixture[str], line: str, *, said: bool
) -> None:
    """After a success by hand, a schedule that is installed and does not run is named, with what starts it."""
    halt = Halt(CRON_OFF, START.format(command="sudo /etc/init.d/cron start"))
    stage([outcome()], None, ActiveSchedule(True, "cron", halt))
    main(line.split())
    assert ("cron is not running. Start it: sudo /etc" in "".join(capsys.readouterr())) is said


@pytest.mark.parametrize(
    ("line", "searches"), [("renew", 1), ("renew --scheduled", 0), ("renew --json", 0), ("renew -q", 0)]
)
def test_a_schedule_is_searched_while_the_ca_works(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, line: str, searches: int
) -> None:
    """The search on the machine begins when the CA has the answers, and is made once for all certificates."""
    began: list[bool] = []
    counted: list[threading.Event] = []

    def search(_: object) -> ActiveSchedule:
        counted.append(threading.Event())
        return NOBODY

    def play(emitter: Emitter, _cancel: object) -> list[Outcome]:
        for name in ("home", "away"):
            emitter.emit("challenges-answered", name, {"domains": [f"{name}.test"]})
        end = time.monotonic() + 30
        while searches and not counted and time.monotonic() < end:
            time.sleep(0.001)
        began.append(bool(counted))
        return [outcome(), outcome()]

    stage(play)
    monkeypatch.setattr("dnsrenew.cli.schedule_note.active_schedule", search)
    assert main(line.split()) == 0
    assert (began, len(counted)) == ([bool(searches)], searches)


BY_HAND: Final = Route("dns-01", dns="person")
API: Final = Route("dns-01", dns="api")


@pytest.mark.parametrize("schedule", [NOBODY, UNKNOWN, ActiveSchedule(True, "cron")])
@pytest.mark.parametrize(
    ("routes", "is_by_hand"),
    [
        ([BY_HAND], True),
        ([Route("dns-01", dns=["person", "person-2"])], True),
        ([BY_HAND, API], False),
        ([Route("dns-01", dns=["person", "api"])], False),
        ([Route("dns-01")], False),
        ([Route("http-01", listen=":80")], False),
    ],
)
def test_a_certificate_that_needs_a_person(
    stage: Stage, capsys: pytest.CaptureFixture[str], routes: list[Route], schedule: ActiveSchedule, *, is_by_hand: bool
) -> None:
    """The output states that no schedule can renew the certificate, instead of proposing one."""
    accounts = {name: DnsAccount("manual", name=name) for name in ("person", "person-2")}
    accounts["api"] = DnsAccount("duckdns", name="api")
    config = FakeConfig((SimpleNamespace(name="home", routes=routes),), accounts)
    stage([outcome()], config, schedule)
    assert main(["renew"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert ("No schedule can renew home, because its records are set by hand" in out) is is_by_hand
    assert ("dnsrenew schedule install" in out) is (schedule is NOBODY and not is_by_hand)
    assert is_by_hand <= ("next renewal" not in out)


def test_one_of_two_needs_a_person(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """If only one certificate needs a person, the schedule is still proposed for the other."""
    accounts = {"person": DnsAccount("manual", name="person"), "api": DnsAccount("duckdns", name="api")}
    specs = (SimpleNamespace(name="home", routes=[BY_HAND]), SimpleNamespace(name="b", routes=[API]))
    stage([outcome(), outcome("b")], FakeConfig(specs, accounts), NOBODY)
    assert main(["renew"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "dnsrenew schedule install" in out
    assert "No schedule can renew home, because" in out


@pytest.mark.parametrize("schedule", [NOBODY, UNKNOWN])
def test_a_next_time_is_only_reported_where_something_tries(
    stage: Stage, capsys: pytest.CaptureFixture[str], schedule: ActiveSchedule
) -> None:
    """Without a schedule the output has the due date instead of a next renewal, and the command to retry."""
    stage([outcome(), outcome("b", "not-due"), failed("c", next_attempt=now() + timedelta(hours=1))], None, schedule)
    assert main(["renew"]) == 1
    out = capsys.readouterr().out
    nobody = schedule is NOBODY
    assert ("next renewal" in out, "next try" in out) == (not nobody, not nobody)
    assert (", due for renewal 20" in out, ", due 20" in out) == (nobody, nobody)
    assert "dnsrenew renew c --now" in out


@pytest.mark.parametrize("schedule", [NOBODY, UNKNOWN, ActiveSchedule(True, "cron")])
@pytest.mark.parametrize("line", ["renew --json", "renew -q", "renew -q --json", "renew -q --scheduled"])
def test_a_next_try_on_standard_error_is_only_reported_where_something_tries(
    stage: Stage, capsys: pytest.CaptureFixture[str], line: str, schedule: ActiveSchedule
) -> None:
    """Standard error has what the result of a run without ``--json`` and ``-q`` has."""
    stage([failed(next_attempt=now() + timedelta(hours=1))], None, schedule)
    assert main(line.split()) == 1
    err = capsys.readouterr().err
    tries = schedule is not NOBODY or "--scheduled" in line
    assert ("next try" in err, "  to retry now  dnsrenew renew home --now\n" in err) == (tries, not tries)


def test_a_next_try_of_what_needs_a_person(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """No schedule tries a certificate again whose records a person sets."""
    config = FakeConfig(
        (SimpleNamespace(name="home", routes=[BY_HAND]),), {"person": DnsAccount("manual", name="person")}
    )
    stage([failed(next_attempt=now() + timedelta(hours=1))], config, ActiveSchedule(True, "cron"))
    assert main(["renew", "--json"]) == 1
    assert "next try" not in capsys.readouterr().err


@pytest.mark.parametrize("line", ["renew --json", "renew -q", "renew --scheduled --json"])
@pytest.mark.parametrize("done", [outcome(), outcome(status="not-due"), failed()])
def test_a_schedule_is_not_searched_where_no_next_try_is_reported(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, line: str, done: Outcome
) -> None:
    """A success with ``--json`` or ``-q`` does not look at the machine, nor does a failure without a next try."""
    stage([done])
    monkeypatch.setattr("dnsrenew.cli.schedule_note.active_schedule", lambda _: pytest.fail("it searched"))
    main(line.split())


def test_failures_come_last(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Failures are printed just above the summary. Each success has one line."""
    stage([failed("broken"), *(outcome(f"site{number}") for number in range(20))])
    assert main(["renew"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[:21]] == [*(f"site{number}" for number in range(20)), "broken"]
    assert lines[-1].startswith("21 certificates: 20 obtained, 1 failed")


def test_a_port_that_this_user_cannot_open_is_no_warning(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A forbidden port causes no warning with -q. The result shows the route as skipped."""
    port = AttemptError("http-port-forbidden", "Not allowed.", fix="Run it as root.")
    way = Attempt(route=replace(ROUTE, challenge="http-01", dns=()), orders=0, seconds=0.0, error=port)
    stage([outcome(attempts=(way, Attempt(route=ROUTE, orders=1, seconds=2.0)))])
    assert main(["renew", "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    main(["renew"])
    assert "  skipped      http-01 at lab: Not allowed." in capsys.readouterr().out


def test_many_that_a_stop_interrupted_share_a_line(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """After Ctrl-C, interrupted certificates share a line. Failed and finished ones are listed."""
    stopped = [outcome(f"site{number}", "interrupted", error=STOPPED) for number in range(300)]
    stage([outcome("done"), *stopped[:150], failed("broken"), *stopped[150:]])
    assert main(["renew"]) == 130
    lines = capsys.readouterr().out.splitlines()
    shared = "! site0, site1, site2, site3 and 296 more interrupted: The run was stopped. Run it again."
    assert [line for line in lines if "interrupted: " in line] == [shared]
    assert any(line.startswith("✗ broken failed") for line in lines)
    assert main(["renew", "--json"]) == 130
    assert [line for line in capsys.readouterr().err.splitlines() if "interrupted: " in line] == [shared]
    stage(stopped[:2])
    main(["renew"])
    assert "! site1 interrupted: The run was stopped. Run it again.\n" in capsys.readouterr().out


def test_many_that_are_not_due_are_one_line(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Certificates that are not due are only counted. With -v they are listed."""
    many = [outcome(f"site{number}", "not-due") for number in range(1000)]
    stage([*many, failed("broken")])
    assert main(["renew"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "✗ broken failed: example.test, *.example.test"
    assert lines[-1].startswith("1,001 certificates: 1 failed, 1,000 not due; next renewal ")
    assert len(lines) < 10
    main(["renew", "-v"])
    assert "· site999 not due" in capsys.readouterr().out


def test_json_is_one_document_and_errors_are_on_standard_error(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json standard output has one document. Failures are on standard error."""
    stage([outcome("good"), failed("bad")])
    assert main(["renew", "--json"]) == 1
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert [done["status"] for done in document["outcomes"]] == ["renewed", "failed"]
    assert document["outcomes"][1]["error"]["code"] == "propagation-timeout"
    assert "✗ bad failed" in err
    assert "good" not in err


def test_quiet_is_silent_when_all_is_well(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """With -q a success prints nothing. A failure and warnings are on standard error."""
    stage(happy)
    assert main(["renew", "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    stage(unhappy)
    assert main(["renew", "-q"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "! home: The name exists through a wildcard only. Add it." in err
    assert "✗ home failed" in err


def test_warnings_of_the_configuration_are_said(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning of the configuration is on standard error, even with -q and --json."""
    stage([outcome()], FakeConfig(warnings=(Notice("plain-secret", "A secret is written plainly.", "Use env:."),)))
    main(["renew", "-q", "--json"])
    out, err = capsys.readouterr()
    assert "A secret is written plainly. Use env:." in err
    assert len(json.loads(out)["outcomes"]) == 1


@pytest.mark.parametrize(
    ("line", "certificates", "status"),
    [
        ("renew --force", 1, 0),
        ("renew --force", 2, 2),
        ("renew --force home", 2, 0),
        ("renew --force --all", 2, 0),
        ("renew --all home", 2, 2),
        ("renew --all", 2, 0),
    ],
)
def test_force_wants_to_be_meant(stage: Stage, line: str, certificates: int, status: int) -> None:
    """--force on several certificates needs names or --all. Otherwise nothing is renewed."""
    renewer = stage([outcome()], FakeConfig(FakeConfig.certificates * certificates))
    assert main(line.split()) == status
    assert bool(renewer.calls) is (status == 0)


def lost(**route: Any) -> Attempt:
    """An attempt by http-01 that failed."""
    error = AttemptError(
        "http-unreachable",
        f"{SHORT} The CA said: timeout.",
        fix="Forward port 80 to this machine.",
    )
    return Attempt(route=replace(ROUTE, challenge="http-01", dns=(), **route), orders=1, seconds=1.2, error=error)


def test_flags_reach_the_renewer(stage: Stage) -> None:
    """Each flag is passed to the renewer."""
    renewer = stage([outcome()])
    main(["renew", "a", "b", "--force", "--now", "--workers", "3", "--wait", "5"])
    how = {"force": True, "now": True, "attended": False, "dry_run": False, "deploy": True, "workers": 3, "wait": 5.0}
    assert renewer.calls == [(["a", "b"], how)]
    main(["renew", "--dry-run"])
    how = {"force": False, "now": False, "attended": False, "dry_run": True, "deploy": True, "workers": 8, "wait": 0.0}
    assert renewer.calls[1] == (None, how)


def test_a_rehearsal_says_what_was_rehearsed_and_where(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run shows the CA and the attempts, and that only the account is saved. It does not ask for --all."""
    way = Attempt(route=replace(ROUTE, ca="lab-staging"), orders=1, seconds=2.0)
    done = outcome(status="rehearsed", route=way.route, attempts=(lost(ca="lab-staging"), way))
    stage([done], FakeConfig(FakeConfig.certificates * 2))
    assert main(["renew", "--dry-run", "--force"]) == 0
    stays = f"The stored certificate stays in use: valid until {done.not_after:%Y-%m-%d} (90 days)."
    assert capsys.readouterr().out.splitlines()[:4] == [
        "✓ home dry run succeeded at lab-staging: example.test, *.example.test",
        f"  tried  http-01 at lab-staging (1 order, 1.2 s): {SHORT} Forward port 80 to this machine.",
        "  by     dns-01 with home at lab-staging (1 order, 2 s)",
        f"  Only the account at lab-staging was saved. {stays}",
    ]


def test_a_failed_rehearsal_is_reported_as_one(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A failed dry run is reported as a failed dry run, not as a failed renewal."""
    stage([failed()])
    assert main(["renew", "--dry-run"]) == 1
    assert capsys.readouterr().out.startswith("✗ home dry run failed: ")


def test_a_rehearsal_is_reported_as_one(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """The progress of a dry run does not call it forced."""

    def play(emitter: Emitter, cancel: threading.Event) -> list[Outcome]:
        script = Script(emitter, cancel)
        script.say("certificate-started", reason="forced", domains=["example.test"])
        return [script.finish(outcome(status="rehearsed"))]

    stage(play)
    main(["renew", "--dry-run"])
    assert lines_of(capsys) == ["home: dry run: example.test", "home: dry run succeeded (0.00 s)"]


def test_a_fallback_says_what_is_to_be_fixed(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A certificate obtained by a later route shows each failed or skipped route, with its reason and fix."""
    way = Attempt(route=ROUTE, orders=1, seconds=2.0)
    skip = skipped(SKIPPED)
    stage([outcome(attempts=(lost(), skip, way))])
    assert main(["renew"]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        f"  tried        http-01 at lab (1 order, 1.2 s): {SHORT} Forward port 80 to this machine.",
        "  skipped      dns-01 with b at lab: CAA forbids it. Add the record.",
        "  by           dns-01 with home at lab (1 order, 2 s)",
    ]


def test_a_second_attempt_that_works_needs_no_fix(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A route that failed and then worked shows why it failed, without what to do."""
    failed = replace(lost(), route=ROUTE)
    stage([outcome(attempts=(failed, Attempt(route=ROUTE, orders=1, seconds=2.0)))])
    assert main(["renew"]) == 0
    assert "Forward port 80" not in capsys.readouterr().out


def test_a_route_without_an_order_names_none(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A route that failed before any order shows only how long it took."""
    stage([outcome(attempts=(replace(lost(), orders=0), Attempt(route=ROUTE, orders=1, seconds=2.0)))])
    assert main(["renew"]) == 0
    tried = f"  tried        http-01 at lab (1.2 s): {SHORT} Forward port 80 to this machine."
    assert tried in capsys.readouterr().out.splitlines()


def test_quiet_warns_in_one_line_of_a_failed_route(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """With -q one line names the routes that failed before the successful one, and the fix.

    The exit status is 0. A route that succeeded at its second try is not reported.
    """
    way = Attempt(route=ROUTE, orders=1, seconds=2.0)
    stage([outcome(route=ROUTE, attempts=(lost(), way))])
    assert main(["renew", "-q"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    head = "! home renewed by dns-01 with home at lab, but 1 other route failed"
    assert err == f"{head}: http-01 at lab: {SHORT} Forward port 80 to this machine.\n"
    stage([outcome(route=ROUTE, attempts=(lost(), skipped(SKIPPED), way))])
    assert main(["renew", "-q", "--json"]) == 0
    assert "but 2 other routes failed: http-01 at lab: " in capsys.readouterr().err
    stage([outcome(route=ROUTE, attempts=(replace(way, error=SKIPPED), way))])
    assert main(["renew", "-q"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_failure_after_several_routes(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Each attempt has one line with its reason, followed by the last error, its fix and the next attempt.

    A schedule of the system keeps no time of ours: it comes some hours later.
    """
    skip = skipped(SKIPPED)
    last = failed().attempts[0]
    stage([failed(error=last.error, attempts=(lost(), skip, last), next_attempt=now() + timedelta(minutes=10.5))])
    assert main(["renew"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:4] == [
        "  tried       http-01 at lab (1 order, 1.2 s): The CA cannot reach this machine by HTTP on port 80.",
        "  skipped     dns-01 with b at lab: CAA forbids it.",
        "  tried       dns-01 with home at lab (1 order, 121 s)",
    ]
    assert "  next try    not before " in lines[6]
    assert lines[4].startswith("  error       After 120 s")
    assert lines[5].startswith("  what to do  Look why")
    assert lines[6].startswith("  next try    ")
    assert lines[6].endswith(" (10 minutes); to retry now, run: dnsrenew renew home --now")
    main(["renew", "-v"])
    assert "The CA said: timeout." in capsys.readouterr().out


def test_a_route_that_the_ledger_held_back_is_called_skipped(capsys: pytest.CaptureFixture[str], stage: Stage) -> None:
    """Asking the ledger takes some time, but nothing was tried."""
    waits = Attempt(route=replace(ROUTE, dns=("second",)), orders=0, seconds=0.004, error=held("failed-orders"))
    stage([failed(attempts=(failed().attempts[0], waits))])
    assert main(["renew"]) == 1
    assert "  skipped     dns-01 with second at lab: Not now.\n" in capsys.readouterr().out


def test_a_deferred_one_says_what_failed_and_when_it_goes_on(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A deferred renewal shows the last failure, its fix and the command to retry now. The exit status is 1."""
    error = AttemptError("x", "The update failed.", fix="Look at it.", evidence={"time": "2020-01-01T00:00:00Z"})
    stage([outcome(status="deferred", error=error, next_attempt=now() + timedelta(minutes=9.5))])
    assert main(["renew"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("! home deferred until ")
    assert lines[0].endswith(" (9 minutes): example.test, *.example.test")
    assert lines[1].startswith("  last failure  ")
    assert lines[1].endswith(" ago: The update failed.")
    assert lines[2:4] == ["  what to do    Look at it.", "  to retry now  dnsrenew renew home --now"]
    assert lines[4].startswith("  The stored certificate stays in use")


def test_a_deferred_one_that_the_ca_put_off(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A deferral by the CA gives exit status 0 while the certificate is valid. The CA's page is shown."""
    error = CAError("x", "Too many.", fix="Wait.", retry_after=60.0, evidence={"url": "https://ca.test/unpause"})
    stage([outcome(status="deferred", error=error, next_attempt=now() + timedelta(days=3))])
    assert main(["renew"]) == 0
    out = capsys.readouterr().out
    assert "  reason        Too many.\n" in out
    assert "  see           https://ca.test/unpause\n" in out
    assert "  to retry now  dnsrenew renew home --now (but the CA asked to wait)\n" in out


@pytest.mark.parametrize(
    ("error", "command"),
    [
        (late(), "dnsrenew renew home"),
        (
            CAError("ca-rate-limited", "Too many.", fix="Wait.", retry_after=60.0),
            "dnsrenew renew home --now (but the CA asked to wait)",
        ),
        (held("failed-orders"), "dnsrenew renew home --now"),
        (
            CAError("ca-order", "No.", fix="See.", evidence={"held_until": "2026-12-01T00:00:00Z"}),
            "dnsrenew renew home --now",
        ),
    ],
)
def test_at_a_terminal_the_next_run_waits_for_nothing_else(
    stage: Stage,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: CAError,
    command: str,
) -> None:
    """A person's next run is tried at once: --now is named only for a wait of the CA, and for a limit of the ledger."""
    stage([failed(error=error, next_attempt=now() + timedelta(hours=1))], None, NOBODY)
    monkeypatch.setattr("dnsrenew.cli.terminal.Terminal.is_attended", property(lambda _: True))
    assert main(["renew"]) == 1
    assert f"  to retry now  {command}\n" in capsys.readouterr().out


def test_a_deferred_one_that_our_ledger_put_off(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """The output distinguishes a limit that dnsrenew keeps itself from a wait that the CA asked for."""
    stage([outcome(status="deferred", error=held("failed-orders"), next_attempt=now() + timedelta(minutes=9))])
    assert main(["renew"]) == 1
    assert "  to retry now  dnsrenew renew home --now\n" in capsys.readouterr().out
    stage([outcome(status="deferred", error=held("retry-after"), next_attempt=now() + timedelta(minutes=9))])
    assert main(["renew"]) == 0
    assert "--now (but the CA asked to wait)\n" in capsys.readouterr().out


def test_jitter_starts_later(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """--jitter shows its delay and then runs."""
    renewer = stage([outcome()])
    assert main(["renew", "--jitter", "0.05"]) == 0
    assert renewer.calls
    assert "(--jitter)" in capsys.readouterr().err


def test_an_unexpected_error_shows_no_traceback(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A bug becomes a typed error without the exception's text, which could hold a secret. -vv shows the traceback."""

    def bug(_emitter: Emitter, _cancel: threading.Event) -> list[Outcome]:
        raise RuntimeError("token-4711")

    stage(bug)
    assert main(["renew", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["code"] == "internal-error"
    assert "RuntimeError" in err
    assert "Traceback" not in out + err
    assert "token-4711" not in out + err
    assert main(["renew", "-vv"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_traceback_shows_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With -vv the traceback of a bug is shown without the secrets that the run has used."""
    path = tmp_path / "dnsrenew.toml"
    table = '[[certificate]]\ndomains = ["a.test"]\nroutes = [{ challenge = "http-01" }]\n'
    path.write_text(f"agree_terms = true\n{table}")

    class Stumbling:
        def __init__(self, config: object, store: object, services: object, context: Context, options: object) -> None:
            self.context = context

        def go(self, *_: object) -> None:
            secret = self.context.redactor.add("c4nary-4711")
            try:
                raise ValueError(secret)
            except ValueError:
                logging.getLogger("dnsrenew.base.events").exception("the listener of %s failed", secret)
            loose = threading.Thread(target=int, args=[secret])
            loose.start()
            loose.join()
            raise RuntimeError(f"token {secret}")

    monkeypatch.setattr("dnsrenew.renewer.Batch", Stumbling)
    assert main(["renew", "-vv", "--config", str(tmp_path / "dnsrenew.toml")]) == 1
    err = capsys.readouterr().err
    assert "RuntimeError: token •••" in err
    assert "the listener of ••• failed" in err
    assert "ValueError: •••" in err
    assert "invalid literal for int() with base 10: '•••'" in err
    assert "c4nary-4711" not in err


def test_an_error_before_any_certificate(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown names give exit status 2, a broken store 1, each with message and fix, and as JSON."""
    for error, status in (
        (ConfigError("certificate-unknown", "There is no hom.", fix="Did you mean home?"), 2),
        (StoreError("store-unreadable", "It is damaged.", fix="Look."), 1),
    ):

        def play(_emitter: Emitter, _cancel: threading.Event, error: Exception = error) -> list[Outcome]:
            raise error

        stage(play)
        assert main(["renew", "--json"]) == status
        out, err = capsys.readouterr()
        assert json.loads(out)["error"]["code"] == error.code
        assert f"✗ {error.message}\n→ {error.fix}" in err


def test_log_lines_are_lines(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Warnings of dnsrenew's log are shown without a traceback, those of other packages are not. -vv shows more."""

    def play(_emitter: Emitter, _cancel: threading.Event) -> list[Outcome]:
        try:
            raise RuntimeError("x")
        except RuntimeError:
            logging.getLogger("dnsrenew.base.events").exception("the listener failed")
        logging.getLogger("dnsrenew.acme").debug("a detail")
        logging.getLogger("urllib3.pool").warning("a foreign warning")
        return [outcome()]

    stage(play)
    main(["renew"])
    err = capsys.readouterr().err
    assert "! dnsrenew.base.events: the listener failed" in err
    assert "Traceback" not in err
    assert "a detail" not in err
    assert "a foreign warning" not in err
    main(["renew", "-vv"])
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "dnsrenew.acme: a detail" in err
    assert [type(each) for each in logging.getLogger("dnsrenew").handlers] in ([], [logging.NullHandler])


# ── in a window ─────────────────────────────────────────────────────────────────────────


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], Path]:
    """Return a function that gives both streams a window width, in an empty current folder."""

    def open_window(columns: int) -> Path:
        monkeypatch.setattr(terminal.Output, "size", lambda _self: (columns, 24))
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return open_window


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        (
            80,
            [
                "  certificate  state/certificates/example.test/current/fullchain.pem",
                "  key          state/certificates/example.test/current/privkey.pem",
            ],
        ),
        (
            56,
            [
                "  files        state/certificates/example.test/current:",
                "               fullchain.pem, privkey.pem",
            ],
        ),
        (40, ["  files: fullchain.pem, privkey.pem in", " state/certificates/example.test/current"]),
    ],
)
def test_paths_stay_whole(
    stage: Stage,
    window: Callable[[int], Path],
    capsys: pytest.CaptureFixture[str],
    columns: int,
    lines: list[str],
) -> None:
    """A path below the current folder is relative to it. A path is not broken if it fits."""
    folder = window(columns) / "state/certificates/example.test/current"
    stage([outcome(path=folder)])
    main(["renew"])
    assert capsys.readouterr().out.splitlines()[-2:] == lines


def test_not_due_fits_the_window(
    stage: Stage, window: Callable[[int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The line for certificates that are not due is broken between words."""
    window(40)
    stage([outcome(status="not-due")])
    main(["renew"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 40


# ── progress in plain lines ─────────────────────────────────────────────────────────────


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What progress said, as if it had taken no time."""
    said = re.sub(r"\([0-8]\.\d\d s\)", "(0.00 s)", capsys.readouterr().err)
    return [line for line in said.splitlines() if line.startswith("home: ")]


def test_plain_lines_tell_the_story(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Each step has one line with the certificate's name. A wait has one line that names its servers."""
    stage(partial(happy, lag=9.0))
    main(["renew"])
    lines = lines_of(capsys)
    assert [line.rpartition(" (")[0] or line for line in lines] == [
        "home: obtaining: example.test, *.example.test",
        "home: order created at lab",
        "home: 2 TXT values written to example.test",
        lines[3].rpartition(" (")[0],
        "home: visible on both name servers",
        "home: lab validated example.test, *.example.test",
        "home: 2 TXT values removed",
        "home: certificate issued, checked and stored",
        "home: obtained",
    ]
    assert lines[3] == (
        "home: waiting for DNS (at most 120 s), 1 s so far: not updated yet: ns2.example.test 127.0.0.2; "
        "1 of 2 name servers updated"
    )


def test_a_long_wait_is_mentioned_every_ten_seconds(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A long wait is reported every ten seconds."""
    stage(partial(happy, lag=35.0))
    main(["renew"])
    told = [line.split(", ")[1].split(" so")[0] for line in lines_of(capsys) if "waiting" in line]
    assert told == ["1 s", "11 s", "21 s", "31 s"]


def test_a_change_is_shown_at_once(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that stops answering is reported at once."""

    def play(emitter: Emitter, cancel: threading.Event) -> list[Outcome]:
        script = Script(emitter, cancel)
        script.begin()
        for seconds, state in ((1.0, "waiting"), (2.0, "waiting"), (3.0, "unreachable")):
            rows = [{"server": "ns1.x.", "address": "::1", "state": state, "detail": ""}]
            script.say("dns-waiting", seconds=seconds, timeout=60, servers=rows)
        return [script.end()]

    stage(play)
    main(["renew"])
    told = [line for line in lines_of(capsys) if "waiting for DNS" in line]
    assert len(told) == 2
    assert "not updated yet: ns1.x ::1" in told[0]
    assert "no answer from ns1.x ::1" in told[1]


def test_verbose_shows_the_values(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """With -v the output has the TXT names and values, the route and the order's URL."""
    stage(happy)
    main(["renew", "-v"])
    err = capsys.readouterr().err
    assert f"writing _acme-challenge.example.test = {'x' * 43}" in err
    assert "https://127.0.0.1/o/1" in err
    assert "trying dns-01 at lab" in err


def test_several_at_once_keep_their_names(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines of concurrent certificates have their names. One failure fails the run."""
    stage(crowd)
    assert main(["renew"]) == 1
    out, err = capsys.readouterr()
    for number in (0, 1, 3, 4, 5):
        assert f"site{number}: obtained" in err
    assert "site2: ✗ dns-01 with home at lab failed" in err
    assert out.splitlines()[-1].startswith("6 certificates: 5 obtained, 1 failed; next renewal ")


def test_an_interruption_is_no_failure(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """After Ctrl-C the output does not call the route failed."""

    def play(emitter: Emitter, cancel: threading.Event) -> list[Outcome]:
        script = Script(emitter, cancel)
        script.begin()
        script.say("route-failed", ca="lab", challenge="dns-01", dns=["home"], error=STOPPED.to_dict())
        return [script.finish(outcome(status="interrupted", error=STOPPED))]

    stage(play)
    assert main(["renew"]) == 130
    assert "failed" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("events", "doing"),
    [
        (["certificate-started"], "Stopping: removing its TXT records. To"),
        (["certificate-started", "certificate-stored"], "Stopping. To"),
        (["certificate-started", "certificate-stored", "deploy-started"], "Stopping: ending the deployment. To"),
        (["deploy-started"], "Stopping: ending the deployment. To"),
        (["deploy-started", "deployed"], "Stopping. To"),
        ([], "Stopping. To"),
    ],
)
def test_a_stop_says_what_it_ends(
    stage: Stage,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    events: list[str],
    doing: str,
) -> None:
    """After Ctrl-C the message mentions TXT records only during a renewal, and a deployment only during one."""
    shown, write = threading.Event(), terminal.Terminal.write_message

    def write_message(self: terminal.Terminal, *told: Any) -> None:
        write(self, *told)
        if "Stopping" in told[0]:
            shown.set()

    monkeypatch.setattr(terminal.Terminal, "write_message", write_message)

    def play(emitter: Emitter, _cancel: threading.Event) -> list[Outcome]:
        script = Script(emitter, threading.Event())
        for kind in events:
            data = {"reason": "missing", "domains": ["a.test"]} if kind == "certificate-started" else {}
            script.say(kind, **data)
        os.kill(os.getpid(), signal.SIGINT)
        assert shown.wait(10)
        return [script.finish(outcome(status="interrupted", error=STOPPED))]

    stage(play)
    assert main(["renew"]) == 130
    assert doing in capsys.readouterr().err


def test_the_next_route_is_shown_with_why_the_last_one_failed(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """The next route is announced with the error of the previous one. The last failure is left to the result."""

    def play(emitter: Emitter, cancel: threading.Event) -> list[Outcome]:
        script = Script(emitter, cancel)
        script.say("certificate-started", reason="renew-before", domains=["example.test"])
        skip = {"ca": "lab", "challenge": "dns-01", "dns": ["b"], "error": SKIPPED.to_dict()}
        script.say("route-failed", **skip)
        for number in range(2):
            way = {"ca": "lab", "challenge": "http-01", "dns": []} if number == 0 else ROUTE.to_dict()
            error = lost().error if number == 0 else late()
            assert error is not None
            script.say("route-started", **way)
            script.say("route-failed", **way, error=error.to_dict())
        return [script.finish(failed(attempts=()))]

    stage(play)
    main(["renew"])
    lines = [line.rpartition(" (0.00 s)")[0] + line.rpartition(" (0.00 s)")[2] for line in lines_of(capsys)]
    assert lines == [
        "home: renewing: example.test",
        "home: ✗ skipped dns-01 with b at lab: CAA forbids it.",
        "home: trying http-01 at lab",
        "home: ✗ http-01 at lab failed: The CA cannot reach this machine by HTTP on port 80.",
        "home: trying dns-01 with home at lab",
        f"home: ✗ dns-01 with home at lab failed: {late().message}",
        "home: ✗ failed",
    ]


def test_http_01_and_waiting_are_shown(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """The output shows where http-01 responses are published, their removal, and each wait."""

    def play(emitter: Emitter, cancel: threading.Event) -> list[Outcome]:
        script = Script(emitter, cancel)
        answers = [
            {"identifier": "a.test", "url": "http://a.test/x", "listen": ":80", "webroot": None},
            {"identifier": "b.test", "url": "http://b.test/y", "listen": None, "webroot": "/var/www"},
        ]
        script.say("lock-waiting", what="certificate home", pid=7, host="box", since="2026-01-01T00:00:00Z")
        names = {"a.test": {"challenge": "http-01", "dns": []}, "*.a.test": {"challenge": "dns-01", "dns": ["home"]}}
        script.say("route-started", ca="lab", challenge="mixed", dns=["home"], names=names)
        script.say("http-published", answers=answers, seconds=0.01)
        script.say("http-visible", answers=answers)
        script.say("caches-waiting", seconds=0.2)
        script.say("caches-waiting", seconds=58.0)
        script.say("http-removed", answers=answers)
        return [script.finish(outcome())]

    stage(play)
    main(["renew", "-v"])
    assert [line.partition(" (0.0")[0] for line in lines_of(capsys)] == [
        "home: the certificate home is locked: waiting for process 7 on box",
        "home: trying http-01 and dns-01 with home at lab",
        "home: 2 challenge responses served on :80 and written to /var/www",
        "home: reachable from this machine",
        "home: waiting 58 s: a resolver of lab may still cache the previous value",
        "home: 2 challenge responses removed",
        "home: obtained",
    ]


@pytest.mark.parametrize(
    ("code", "check", "is_shown"),
    [("dns-no-zone", "domain", False), ("dns-no-zone", "delegation", True), ("ca-terms", "ca-terms", False)],
)
def test_a_cause_is_said_once(code: str, check: str, is_shown: bool) -> None:
    """What the doctor found is shown beside an error, unless the error says the same in other words."""
    found = {"code": check, "result": "bad", "summary": "It is misspelt.", "fix": "Check the spelling."}
    error = DnsError(code, "No zone was found.", fix="Check the name.", evidence={"checks": [found]})
    text = " ".join(OutcomeText(now(), None, verbose=False).lines(outcome(status="failed", error=error)))
    assert ("It is misspelt." in text) is is_shown


@pytest.mark.parametrize(("code", "said"), [("ca-unreachable", "dns-01 with b at lab failed"), ("caa", "skipped")])
def test_a_ca_that_was_asked_before_the_order(
    stage: Stage, capsys: pytest.CaptureFixture[str], code: str, said: str
) -> None:
    """A route whose CA did not answer was tried, as the summary says; one that was ruled out was skipped."""

    def play(emitter: Emitter, cancel: threading.Event) -> list[Outcome]:
        script = Script(emitter, cancel)
        error = {"code": code, "message": "It stopped.", "fix": "", "evidence": {}}
        script.say("route-failed", ca="lab", challenge="dns-01", dns=["b"], error=error)
        return [script.finish(failed(attempts=()))]

    stage(play)
    main(["renew"])
    assert any(line.startswith(f"home: ✗ {said}") for line in lines_of(capsys))


def test_a_route_that_was_not_tried_is_called_skipped_everywhere(workspace: MemoryWorkspace) -> None:
    """The lines of the steps and the summary agree on what became of a route, and on how long it took."""
    workspace.write({"certificate": [{"name": "home", "domains": ["a.other.test"]}]})
    done = workspace.run("renew")
    assert "home: ✗ skipped dns-01 at lab: " in done.stderr
    assert re.search(r"^  skipped +dns-01 at lab$", done.stdout, re.MULTILINE), done.stdout
    assert "tried" not in done.stdout
    routes = [{"challenge": "http-01", "webroot": "/nowhere"}, {"challenge": "dns-01", "dns": "home"}]
    workspace.write({"certificate": [{"name": "home", "domains": ["a.other.test"], "routes": routes}]})
    done = workspace.run("renew", "--now")
    assert re.search(r"^  skipped +dns-01.* at lab: No DNS account can ", done.stdout, re.MULTILINE), done.stdout
    workspace.write({"certificate": [{"name": "home", "domains": ["example.test"]}]})
    steps = [float(each) for each in re.findall(r"\(([\d.]+) s\)", workspace.run("renew").stderr)]
    assert sum(steps[:-1]) == pytest.approx(steps[-1], abs=0.05 * len(steps))


@pytest.mark.parametrize(
    ("head", "certificate"), [("", "[[certificate]]\ndomains = ['a.duckdns.org']\n"), ("agree_terms = true\n", "")]
)
def test_what_check_refuses_is_refused_by_renew(workspace: MemoryWorkspace, head: str, certificate: str) -> None:
    """Without an agreement to the terms, or without a certificate, both end with 2 before anything is sent."""
    workspace.write_text(f"{head}[dns.home]\nprovider = 'duckdns'\ntoken = 'env:CANARY'\n{certificate}")
    done = [workspace.run(command) for command in ("check", "renew")]
    assert [each.returncode for each in done] == [2, 2]
    key = "agree_terms" if certificate else "certificate"
    assert all(f"{key}: This key is missing." in each.stderr for each in done), done
