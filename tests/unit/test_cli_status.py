"""`dnsrenew status`: a table that fits, and an exit status for monitors."""

import copy
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dnsrenew.base.model import DeploymentResult, DnsAccount, Notice, Route
from dnsrenew.cli import formatting, main, terminal
from dnsrenew.cli import texts as cli_texts
from dnsrenew.cli.status import needs_attention
from dnsrenew.errors import DeployError
from dnsrenew.schedule.detect import UNKNOWN, ActiveSchedule, RunningSchedule
from dnsrenew.schedule.machine import Halt
from dnsrenew.schedule.texts import CRON_OFF, START
from tests.kit.cli_stage import FakeConfig, FakeRenewer, FakeStatus, install, now, valid
from tests.kit.memory_lab import MemoryWorkspace

FAILURE = {"time": now() - timedelta(hours=3), "code": "ca-dns", "message": "The CA did not see the value."}
PROBLEMS = {
    "missing": FakeStatus(state="missing", reason="missing"),
    "expired": valid(state="expired", not_after=now() - timedelta(days=2), next_renewal=now() - timedelta(days=32)),
    "revoked": valid(state="revoked"),
    "overdue": valid(state="due", next_renewal=now() - timedelta(days=2)),
    "failing": valid(state="due", last_failure=FAILURE),
    "failed": valid(last_failure=FAILURE),
    "not deployed": valid(deployment_pending=True),
    "unconfigured": valid(state="unconfigured", next_renewal=None, reason=None),
}
Show = Callable[..., list[str]]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Show:
    """Return a function that runs `status` over given certificates, in a window of a given width."""

    def run(
        *certificates: FakeStatus,
        columns: int | None = None,
        line: str = "status",
        status: int = 0,
        schedule: ActiveSchedule = UNKNOWN,
        config: FakeConfig | None = None,
    ) -> list[str]:
        install(FakeRenewer(statuses=certificates), config, monkeypatch.setattr, schedule=schedule)
        monkeypatch.setattr(terminal.Output, "size", lambda _self: (columns, 24))
        assert main(line.split()) == status
        return capsys.readouterr().out.splitlines()

    return run


def test_a_table(show: Show) -> None:
    """The counts come first, then an aligned table of names, domains, CA, expiry, next renewal and state."""
    lines = show(valid(), valid("a-longer-name", domains=("bücher.example",)))
    assert lines[0] == "2 certificates: 2 valid"
    assert lines[1].split() == ["NAME", "DOMAINS", "CA", "EXPIRES", "RENEWAL", "STATE"]
    assert lines[2].startswith("home           example.test, *.example.test  lab  ")
    assert lines[3].startswith("a-longer-name  bücher.example                lab  ")
    assert lines[2].endswith("✓ valid")
    assert ", 89 d  " in lines[2]
    assert len(lines) == 4


@pytest.mark.parametrize("columns", [60, 80, 100, 132])
@pytest.mark.parametrize("length", [10, 30, 45])
def test_it_fits_the_window_and_no_name_is_cut(show: Show, columns: int, length: int) -> None:
    """Long lists of domains are shortened, wrapped or moved below. Names and dates stay whole."""
    name = "a" * length
    lines = show(valid(name, domains=tuple(f"host{n}.example.test" for n in range(50))), valid(), columns=columns)
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    assert name in text
    assert "host0.example.test" in text
    assert "…" not in text
    assert text.count("89 d") == 2


def test_a_name_that_is_the_domain_stands_once(show: Show) -> None:
    """If every certificate has the name of its only domain, the domain column is omitted."""
    lines = show(valid("a.test", domains=("a.test",)), valid("b.test", domains=("b.test",)))
    assert lines[1].split() == ["NAME", "CA", "EXPIRES", "RENEWAL", "STATE"]
    assert lines[2].count("a.test") == 1
    for more in ({"columns": 60}, {"line": "status -v"}):
        assert "".join(show(valid("a.test", domains=("a.test",)), **more)).count("a.test") == 1


@pytest.mark.parametrize("columns", [40, 60, 79])
def test_a_narrow_window(show: Show, columns: int) -> None:
    """Below 80 columns each certificate is shown as a card."""
    lines = show(valid(), PROBLEMS["missing"], columns=columns)
    assert max(map(len, lines)) <= columns
    assert "home  ✓ valid" in lines
    assert any("89 days" in line for line in lines)
    assert "home  ✗ missing" in lines


@pytest.mark.parametrize("problem", PROBLEMS)
def test_check_complains(show: Show, problem: str) -> None:
    """With --check each problem gives exit status 1, is counted, and is named in the state column."""
    certificate = PROBLEMS[problem]
    assert needs_attention(certificate, now())  # type: ignore[arg-type]
    lines = show(valid("fine"), certificate, line="status --check", status=1)
    assert lines[0].endswith("; 1 needs attention")
    assert problem in lines[3]
    show(valid("fine"), certificate, line="status", status=0)


@pytest.mark.parametrize("code", ["store-damaged", "store-read-only", "secret-missing"])
def test_check_complains_of_what_will_stop_a_renewal(show: Show, code: str) -> None:
    """With --check a program that a killed run owes, and an obstacle of the next renewal, give exit status 1."""
    for certificate in (valid(after_owed=True), valid(warnings=(Notice(code, "It is.", "Mend it."),))):
        lines = show(valid("fine"), certificate, line="status --check", status=1)
        assert lines[0].endswith("; 1 needs attention")


def test_an_obstacle_is_explained(show: Show) -> None:
    """A certificate that needs attention for what will stop its renewal has a line that says what that is."""
    its = (Notice("store-not-writable", "The store belongs to root.", "Mend it."),)
    assert "! home: The store belongs to root." in show(valid(warnings=its))
    two = show(valid("a", warnings=its), valid("b", warnings=its), valid("fine"))
    assert "! 2 certificates (a, b): The store belongs to root." in two


def test_check_is_content(show: Show) -> None:
    """With --check a valid certificate, or one that became due today, gives exit status 0."""
    show(valid(), valid("due", state="due", next_renewal=now() - timedelta(hours=5)), line="status --check")


def test_problems_are_explained(show: Show) -> None:
    """Below the table each failure has its reason, the next attempt and the command to run."""
    failure = FAILURE | {"time": "2020-01-01T00:00:00Z"}
    lines = show(
        valid(state="due", last_failure=failure, next_attempt=now() + timedelta(days=3)),
        FakeStatus(name="new", state="missing", reason="missing"),
    )
    assert any("ago: The CA did not see the value. Next attempt: not before " in line for line in lines)
    assert lines[-2] == "→ home: to retry now, run: dnsrenew renew home --now"
    assert lines[-1] == "→ new: to obtain or renew now, run: dnsrenew renew new"


def test_what_a_ca_asked_for_is_said_with_the_command(show: Show) -> None:
    """The command that retries is said with the wait that a CA asked for, as `renew` does, until it is over."""
    asked = FAILURE | {"asked_to_wait": True}
    later = now() + timedelta(days=1)
    lines = show(
        valid("held", state="due", last_failure=asked, next_attempt=later),
        valid("over", state="due", last_failure=asked),
    )
    assert "→ held: to retry now, run: dnsrenew renew held --now (but the CA asked to wait)" in lines
    assert "→ over: to retry now, run: dnsrenew renew over --now" in lines


@pytest.mark.parametrize(
    ("failure", "flag"),
    [({"code": "ca-ledger"}, " --now"), ({"held_until": "2026-12-01T00:00:00Z"}, " --now"), ({}, "")],
)
def test_a_limit_of_the_ledger_holds_a_person_too(
    show: Show, monkeypatch: pytest.MonkeyPatch, failure: dict[str, str], flag: str
) -> None:
    """At a terminal the command that retries has `--now` only where it would wait without."""
    monkeypatch.setattr(terminal.Terminal, "is_attended", property(lambda _: True))
    lines = show(valid("own", state="due", last_failure=FAILURE | failure))
    assert lines[-1] == f"→ own: to retry now, run: dnsrenew renew{flag}"


def test_a_failure_of_what_is_not_due_is_not_tried_again(show: Show) -> None:
    """A failed forced renewal of a certificate that is not due proposes --force, not --now."""
    lines = show(valid(last_failure=FAILURE))
    assert lines[2].endswith("! valid, renewal failed")
    assert "It is not due before 20" in lines[3]
    assert lines[3].endswith("To renew it earlier, run: dnsrenew renew home --force")
    assert not any("--now" in line for line in lines)


def test_a_failure_of_a_forced_renewal(show: Show) -> None:
    """What failed and the command that finds the cause are said; --check does not fail because of it."""
    forced = FAILURE | {"time": "2020-01-01T00:00:00Z"}
    line = show(valid(forced_failure=forced), line="status --check")[-1]
    assert line.startswith("! home: the forced renewal failed ")
    assert line.endswith("ago: The CA did not see the value. To find the cause, run: dnsrenew doctor home --probe")


def test_an_account_that_another_one_replaced(show: Show) -> None:
    """The account that failed is named with what was used, though the certificate is valid."""
    route = {"ca": "lab", "challenge": "dns-01", "dns": ["second"]}
    assert show(valid(route=route, failed_accounts=("rfc2136",)), line="status --check")[-1] == (
        "! home: the account rfc2136 failed in the last renewal; dns-01 with second was used. To find the cause, run: "
        "dnsrenew doctor home --probe"
    )


def test_a_cause_that_is_common_is_reported_once(show: Show) -> None:
    """A common cause is shown once, with the number of certificates, some names and the earliest next attempt."""
    due = [
        valid(f"site{n}", state="due", next_attempt=now() + timedelta(days=3 + n),
              last_failure=FAILURE | {"time": f"2020-01-01T00:00:0{n}Z"})
        for n in range(9)
    ]  # fmt: skip
    other = valid("other", state="due", last_failure=FAILURE | {"message": "It is down."})
    lines = show(*due, other)
    told = [line for line in lines if line.startswith("✗ ")]
    assert len(told) == 2
    assert told[0].startswith("✗ 9 certificates (site0, site1, site2, site3 and 5 more) failed ")
    assert told[0].count("Next attempt: ") == 1
    assert told[1].startswith("✗ other failed ")


UNREAD = {"code": "store-newer", "message": "A later dnsrenew wrote it.", "fix": "Update dnsrenew."}


def test_what_cannot_be_read_is_not_called_missing(show: Show) -> None:
    """An unreadable certificate is shown as unknown or unreadable, not as missing. Its error has the fix."""
    new = FakeStatus(name="new", state="missing", reason="missing", known=False, last_failure=UNREAD)
    served = valid(known=False, last_failure=UNREAD)
    lines = show(new, served, line="status --check", status=1)
    assert lines[2].endswith("-        ✗ unknown")
    assert lines[3].endswith("-        ✗ valid, unreadable")
    assert ", 89 d  " in lines[3]
    assert lines[4:] == [
        "✗ 2 certificates (new, home): A later dnsrenew wrote it.", "  → Update dnsrenew.",
    ]  # fmt: skip


ROUTE = {"ca": "lab", "challenge": "dns-01", "dns": ["home"]}
HTTP = {"ca": "lab", "challenge": "http-01", "dns": []}


def test_the_route_is_reported(show: Show) -> None:
    """The route is a column in a wide table. A narrow window and -v show it below the certificate."""
    mine = valid(route=ROUTE)
    _, heads, row = show(mine, columns=132)
    assert heads.split() == ["NAME", "DOMAINS", "CA", "ROUTE", "EXPIRES", "RENEWAL", "STATE"]
    assert "  lab  dns-01 with home  " in row
    assert "  lab  -  " not in show(mine, columns=80)[2]
    for columns, line in ((60, "status"), (80, "status -v"), (None, "status -v")):
        assert "  route    dns-01 with home" in show(mine, columns=columns, line=line)
    assert "mixed with home" in "".join(show(valid(route=ROUTE | {"challenge": "mixed"}), columns=132))


def test_the_route_that_failed_is_shown(show: Show) -> None:
    """A failure shows its route and the routes tried before it."""
    attempts = [{"route": HTTP, "code": "http-unreachable"}, {"route": ROUTE, "code": "ca-dns"}]
    lines = show(valid(last_failure=FAILURE | {"route": ROUTE, "attempts": attempts}))
    assert any(" ago by dns-01 with home at lab: The CA did not" in line for line in lines)
    assert "  before that: http-01 at lab: http-unreachable" in lines


def test_why_is_reported(show: Show) -> None:
    """An unusual reason for the renewal is shown."""
    assert " *  " in show(valid(reason="ari"))[2]
    assert any(line.endswith(" (suggested by the CA)") for line in show(valid(reason="ari"), columns=60))
    assert "due (changed)" in show(valid(state="due", reason="changed"))[2]


def test_json(show: Show) -> None:
    """The document has the selected certificates, the schedule and the counts by state."""
    mine = [valid(), valid("old", state="unconfigured"), *(valid(f"due{n}", state="due") for n in range(2))]
    (line,) = show(*mine, line="status --json --failing", schedule=ActiveSchedule(True, "cron"))
    document: dict[str, Any] = json.loads(line)
    assert [certificate["name"] for certificate in document["certificates"]] == ["old"]
    rest: dict[str, Any] = {"name": None, "others": [], "last_run": None}
    assert document["schedule"] == {"installed": True, "kind": "cron", "running": True, **rest}
    assert document["counts"] == {"valid": 1, "due": 2, "unconfigured": 1}
    assert json.loads(show(line="status --json")[0])["schedule"] == {
        "installed": None, "kind": None, "running": None, **rest
    }  # fmt: skip


def test_without_certificates(show: Show) -> None:
    """The output states that no certificates are configured."""
    assert show() == ["No certificates are configured."]
    assert json.loads(show(line="status --json")[0])["certificates"] == []


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("status", ["fine", "soon", "new", "failing", "gone"]),
        ("status --failing", ["new", "failing", "gone"]),
        ("status --expiring 14d", ["soon", "gone"]),
        ("status --expiring 14d --failing", ["gone"]),
        ("status --expiring 30m", ["gone"]),
        ("status -q", ["new", "failing", "gone"]),
    ],
)
def test_what_is_chosen(show: Show, line: str, names: list[str]) -> None:
    """--failing and --expiring select the rows. The counts cover all certificates; with -q there are none."""
    mine = (
        valid("fine"),
        valid("soon", not_after=now() + timedelta(days=13)),
        FakeStatus("new", state="missing", reason="missing"),
        valid("failing", last_failure=FAILURE),
        valid("gone", state="expired", not_after=now() - timedelta(days=1)),
    )
    lines = show(*mine, line=line)
    first = lines.index(next(line for line in lines if line.startswith("NAME "))) + 1
    assert [line.split()[0] for line in lines[first:] if line[0] not in "✗→ "] == names
    assert lines[0].startswith("NAME" if "-q" in line else "5 certificates: 3 valid, 1 missing, 1 expired; 3 need")


def test_nothing_is_chosen(show: Show) -> None:
    """If the selection is empty, the output states that nothing is wrong. With -q it is empty."""
    assert show(valid(), line="status --failing") == ["1 certificate: 1 valid", "No certificate needs attention."]
    assert show(valid(), line="status --expiring 2d")[1] == "No certificate expires within 2 days."
    assert show(valid(), line="status -q") == []


def test_whether_anything_renews_is_reported(show: Show) -> None:
    """The active schedule is named. Without one, its command is shown, and no next renewal or attempt."""
    assert show(valid(), schedule=ActiveSchedule(True, "systemd"))[-1] == "systemd renews automatically."
    assert len(show(valid())) == 3  # unknown
    mine = valid("x", state="due", last_failure=FAILURE, next_attempt=now() + timedelta(days=3))
    lines = show(valid(), mine, schedule=ActiveSchedule(False))
    assert lines[-1].startswith("! Automatic renewal is not set up yet. Run: dnsrenew ")
    assert "dnsrenew schedule install" in lines[-1]
    assert lines[1].split()[4] == "DUE"
    assert "Next attempt" not in "".join(lines)
    assert " now " in lines[3]


@pytest.mark.parametrize("line", ["status --check", "status -q --check", "status --json --check"])
def test_a_schedule_that_does_not_run_is_a_problem(show: Show, line: str) -> None:
    """What is installed and does not run is said with the command that starts it, and `--check` ends with 1."""
    halt = Halt(CRON_OFF, START.format(command="sudo /etc/init.d/cron start"))
    lines = show(valid(), line=line, status=1, schedule=ActiveSchedule(True, "cron", halt))
    if "--json" in line:
        assert json.loads(lines[0])["schedule"]["running"] is False
        return
    assert lines[-1].startswith("! Nothing renews automatically: cron has a job for it, but cron is not running.")
    assert lines[-1].endswith(" Start it: sudo /etc/init.d/cron start")


RUN = {"/etc/dnsrenew/dnsrenew.toml": {"since": "2020-01-01T00:00:00Z", "last": "2020-01-02T00:00:00Z"}}


@pytest.mark.parametrize(
    ("schedule", "is_missed"),
    [
        (ActiveSchedule(True, "cron"), True),
        (UNKNOWN, True),
        (ActiveSchedule(False), True),
        (ActiveSchedule(True, "run", remembered=False), False),
        (ActiveSchedule(True, "cron", remembered=False), False),
    ],
)
def test_a_scheduled_run_that_did_not_come(
    show: Show, tmp_path: Path, schedule: ActiveSchedule, *, is_missed: bool
) -> None:
    """A remembered run of long ago is a problem, unless what renews now leaves no trace in the store."""
    store = tmp_path / "store"
    store.mkdir(mode=0o700)
    (store / "scheduled.json").write_text(json.dumps({"schema": 1, "schedules": RUN}))
    config = FakeConfig(store=store)
    said = "\n".join(show(valid(), line="status --check", status=int(is_missed), schedule=schedule, config=config))
    assert ("The last scheduled run was " in said) is is_missed
    assert ("renews automatically" in said) is (not is_missed)


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"schema": 1, "schedules": {"x": 1}}', b'{"schema": 1, "schedules": []}']
)
def test_a_damaged_record_of_runs_is_none(show: Show, tmp_path: Path, content: bytes) -> None:
    """What the record of scheduled runs cannot tell is no problem."""
    (tmp_path / "scheduled.json").write_bytes(content)
    show(valid(), line="status --check", schedule=ActiveSchedule(True, "cron"), config=FakeConfig(store=tmp_path))


def test_what_runs_beside_is_named(show: Show) -> None:
    """What renews is named, and what runs beside it, with the command that stops it."""
    timer = RunningSchedule("systemd", "dnsrenew.timer", "dnsrenew", "systemctl disable --now dnsrenew.timer")
    second = RunningSchedule("cron", "/etc/cron.d/certs", "dnsrenew", "")
    certbot = RunningSchedule("systemd", "certbot.timer", "certbot", "systemctl disable --now certbot.timer")
    found = ActiveSchedule(True, "systemd", name=timer.name, running=(timer, second, certbot))
    assert show(valid(), schedule=found)[-3:] == [
        "systemd renews automatically. Active: dnsrenew.timer.",
        "! /etc/cron.d/certs renews these certificates too. One schedule is enough. To stop it, remove its line.",
        f"! certbot.timer renews these certificates too, with certbot. To stop it, run: {certbot.stop}",
    ]
    schedule = json.loads(show(valid(), line="status --json", schedule=found)[0])["schedule"]
    assert (schedule["name"], schedule["others"][1]) == (
        "dnsrenew.timer",
        {"kind": "systemd", "name": "certbot.timer", "program": "certbot"},
    )


@pytest.mark.parametrize("names", [["home"], ["home", "other"]])
def test_what_needs_a_person_is_reported(show: Show, names: list[str]) -> None:
    """The command that installs a schedule is shown only if a certificate can be renewed without a person."""
    person, api = DnsAccount("manual", name="person"), DnsAccount("duckdns", name="api")
    specs = [
        SimpleNamespace(name=name, domains=(), routes=[Route("dns-01", dns=["person" if name == "home" else "api"])])
        for name in names
    ]
    config = FakeConfig(tuple(specs), {"person": person, "api": api})
    said = " ".join(show(*map(valid, names), schedule=ActiveSchedule(installed=False), config=config))
    assert "No schedule can renew home, because its records are set by hand" in said
    assert ("dnsrenew schedule install" in said) is (len(names) == 2)


def test_deployments_are_reported(show: Show) -> None:
    """A failed deployment is shown with its fix, and with -v the successful ones, whose ports are not asked now."""
    down = DeployError("deploy-unreachable", "It is down.", fix="Start it.")
    bad = DeploymentResult(to="hfs", target="http://x", ok=False, error=down)
    good = DeploymentResult(to="nginx", target="/etc/nginx", ok=True, changed=True, served=True, seconds=0.2)
    lines = show(valid(deployed=(good, bad), deployment_pending=True), line="status --check -v", status=1)
    assert lines[-4:] == [
        "  · deployed: nginx /etc/nginx",
        "✗ home: not deployed: hfs http://x: It is down.",
        "  → Start it.",
        "→ home: to deploy now, run: dnsrenew deploy",
    ]


def test_what_the_configuration_forgot_is_reported(show: Show) -> None:
    """Unconfigured certificates are listed in a short line with the two remedies."""
    lines = show(*(valid(f"web-{n:03}", state="unconfigured") for n in range(300)), line="status --check", status=1)
    assert lines[-1].startswith("→ web-000, web-001, web-002, web-003 and 296 more: no longer in ")
    assert lines[-1].endswith("or run: dnsrenew remove NAME")


def test_a_failure_whose_cause_is_gone_is_gone(workspace: MemoryWorkspace) -> None:
    """A name that cannot be had makes `--check` complain until it is taken out, though nothing is due then."""
    good = {"certificate": [{"name": "home", "domains": ["example.test"]}]}
    workspace.write(good)
    assert workspace.run("renew").returncode == 0
    workspace.write({"certificate": [{"name": "home", "domains": ["example.test", "a.other.test"]}]})
    assert workspace.run("renew").returncode == 1
    done = workspace.run("status", "--check")
    assert (done.returncode, "a.other.test" in done.stdout) == (1, True)
    workspace.write(good)
    assert "not due" in workspace.run("renew").stdout
    done = workspace.run("status", "--check")
    assert (done.returncode, "failed" in done.stdout, "other" in done.stdout) == (0, False, False), done.stdout


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Puts the texts of the program back, which another language replaces for the whole process."""
    monkeypatch.setattr(formatting, "_translator", [])
    monkeypatch.setattr(formatting, "_documents", [])
    kept = {name: (value, copy.deepcopy(value)) for name, value in vars(cli_texts).items() if name.isupper()}
    yield
    for name, (value, content) in kept.items():
        if isinstance(value, dict):
            value.update(content)
        setattr(cli_texts, name, value)


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_rows_of_a_certificate_stand_in_one_column(show: Show, language: str) -> None:
    """The versions that `-v` adds begin where the texts of the other rows begin, in every language."""
    stored = SimpleNamespace(version=1, current=True, revoked=False, not_after=now() + timedelta(days=89), serial="2f")
    lines = show(valid(versions=(stored,)), line=f"status -v --lang {language}", schedule=ActiveSchedule(False))
    rows = [line for line in lines if line.startswith("  ") and not line.startswith("   ")]
    starts = {formatting.width(line[: len(line) - len(line[2:].partition("  ")[2].lstrip())]) for line in rows}
    assert (len(rows) >= 5, len(starts)) == (True, 1), rows
