"""`dnsrenew status`: a table that fits, and an exit status for monitors."""

import json
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from dnsrenew.cli import main, terminal
from dnsrenew.cli.status_text import needs_attention
from dnsrenew.model import DeploymentResult, DnsAccount, Route
from dnsrenew.schedule.detect import UNKNOWN, ActiveSchedule
from tests.kit.cli_stage import FakeConfig, FakeRenewer, FakeStatus, install, now, valid

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
    """Runs `status` over the given certificates in a window of so many columns."""

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
    """The counts first, then names, domains, CA, expiry, next renewal and state, aligned."""
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
    """Long lists of domains are shortened, wrapped or moved below; names and dates stay whole."""
    name = "a" * length
    lines = show(valid(name, domains=tuple(f"host{n}.example.test" for n in range(50))), valid(), columns=columns)
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    assert name in text
    assert "host0.example.test" in text
    assert "…" not in text
    assert text.count("89 d") == 2


def test_a_name_that_is_the_domain_stands_once(show: Show) -> None:
    """Where every certificate is named like its only domain, no column repeats that."""
    lines = show(valid("a.test", domains=("a.test",)), valid("b.test", domains=("b.test",)))
    assert lines[1].split() == ["NAME", "CA", "EXPIRES", "RENEWAL", "STATE"]
    assert lines[2].count("a.test") == 1
    for more in ({"columns": 60}, {"line": "status -v"}):
        assert "".join(show(valid("a.test", domains=("a.test",)), **more)).count("a.test") == 1


@pytest.mark.parametrize("columns", [40, 60, 79])
def test_a_narrow_window(show: Show, columns: int) -> None:
    """Below 80 columns each certificate is a card."""
    lines = show(valid(), PROBLEMS["missing"], columns=columns)
    assert max(map(len, lines)) <= columns
    assert "home  ✓ valid" in lines
    assert any("89 days" in line for line in lines)
    assert "home  ✗ missing" in lines


@pytest.mark.parametrize("problem", PROBLEMS)
def test_check_complains(show: Show, problem: str) -> None:
    """Whatever needs a person is exit status 1, is counted, and the state says what it is."""
    certificate = PROBLEMS[problem]
    assert needs_attention(certificate, now())  # type: ignore[arg-type]
    lines = show(valid("fine"), certificate, line="status --check", status=1)
    assert lines[0].endswith("; 1 needs attention")
    assert problem in lines[3]
    show(valid("fine"), certificate, line="status", status=0)


def test_check_is_content(show: Show) -> None:
    """Valid is well, and so is what became due today: the next run will renew it."""
    show(valid(), valid("due", state="due", next_renewal=now() - timedelta(hours=5)), line="status --check")


def test_problems_are_explained(show: Show) -> None:
    """Below the table stands why something failed and when it is tried again, and what to run for the rest."""
    failure = FAILURE | {"time": "2020-01-01T00:00:00Z"}
    lines = show(
        valid(state="due", last_failure=failure, next_attempt=now() + timedelta(days=3)),
        FakeStatus(name="new", state="missing", reason="missing"),
    )
    assert any("ago: The CA did not see the value. Next attempt: " in line for line in lines)
    assert lines[-2] == "→ home: to retry now, run: dnsrenew renew home --now"
    assert lines[-1] == "→ new: to obtain or renew now, run: dnsrenew renew new"


def test_a_failure_of_what_is_not_due_is_not_tried_again(show: Show) -> None:
    """It was forced: `--now` would do nothing, and the date is the one of the renewal."""
    lines = show(valid(last_failure=FAILURE))
    assert lines[2].endswith("! valid, failed")
    assert "It is not due before 20" in lines[3]
    assert lines[3].endswith("To renew it earlier, run: dnsrenew renew home --force")
    assert not any("--now" in line for line in lines)


def test_a_cause_that_is_common_is_told_once(show: Show) -> None:
    """With the number of certificates, some of their names, and the earliest next attempt."""
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
    """Nor is an attempt proposed that could not help: the error says what does."""
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


def test_the_route_is_told(show: Show) -> None:
    """By which way it was obtained: in the table where there is room, in a narrow window, and with -v anywhere."""
    mine = valid(route=ROUTE)
    _, heads, row = show(mine, columns=132)
    assert heads.split() == ["NAME", "DOMAINS", "CA", "ROUTE", "EXPIRES", "RENEWAL", "STATE"]
    assert "  lab  dns-01 with home  " in row
    assert "  lab  -  " not in show(mine, columns=80)[2]
    for columns, line in ((60, "status"), (80, "status -v"), (None, "status -v")):
        assert "  route    dns-01 with home" in show(mine, columns=columns, line=line)
    assert "mixed with home" in "".join(show(valid(route=ROUTE | {"challenge": "mixed"}), columns=132))


def test_the_way_that_failed_is_told(show: Show) -> None:
    """With the failure: which way it was, and which ones had been tried before it."""
    attempts = [{"route": HTTP, "code": "http-unreachable"}, {"route": ROUTE, "code": "ca-dns"}]
    lines = show(valid(last_failure=FAILURE | {"route": ROUTE, "attempts": attempts}))
    assert any(" ago by dns-01 with home at lab: The CA did not" in line for line in lines)
    assert "  before that: http-01 at lab: http-unreachable" in lines


def test_why_is_told(show: Show) -> None:
    """A reason that is not the usual one is told."""
    assert " *  " in show(valid(reason="ari"))[2]
    assert any(line.endswith(" (suggested by the CA)") for line in show(valid(reason="ari"), columns=60))
    assert "due (changed)" in show(valid(state="due", reason="changed"))[2]


def test_json(show: Show) -> None:
    """The document has the chosen certificates, what renews them, and how many there are in each state."""
    mine = [valid(), valid("old", state="unconfigured"), *(valid(f"due{n}", state="due") for n in range(2))]
    (line,) = show(*mine, line="status --json --failing", schedule=ActiveSchedule(True, "cron"))
    document: dict[str, Any] = json.loads(line)
    assert [certificate["name"] for certificate in document["certificates"]] == ["old"]
    assert document["schedule"] == {"installed": True, "kind": "cron"}
    assert document["counts"] == {"valid": 1, "due": 2, "unconfigured": 1}
    assert json.loads(show(line="status --json")[0])["schedule"] == {"installed": None, "kind": None}


def test_without_certificates(show: Show) -> None:
    """That there is none is said."""
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
    """By what needs a person, or by the time until the expiry; the counts are of all, and with -q there are none."""
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
    """It is said that nothing is wrong; with -q nothing is said."""
    assert show(valid(), line="status --failing") == ["1 certificate: 1 valid", "No certificate needs attention."]
    assert show(valid(), line="status --expiring 2d")[1] == "No certificate expires within 2 days."
    assert show(valid(), line="status -q") == []


def test_whether_anything_renews_is_told(show: Show) -> None:
    """What does, or the command that makes it so; without it there is no next renewal and no next attempt."""
    assert show(valid(), schedule=ActiveSchedule(True, "systemd"))[-1] == "systemd renews automatically."
    assert len(show(valid())) == 3  # nobody knows
    mine = valid("x", state="due", last_failure=FAILURE, next_attempt=now() + timedelta(days=3))
    lines = show(valid(), mine, schedule=ActiveSchedule(False))
    assert lines[-1].startswith("! Nothing renews this yet. Run: dnsrenew ")
    assert "dnsrenew schedule install" in lines[-1]
    assert lines[1].split()[4] == "DUE"
    assert "Next attempt" not in "".join(lines)
    assert " now " in lines[3]


@pytest.mark.parametrize("names", [["home"], ["home", "other"]])
def test_what_needs_a_person_is_told(show: Show, names: list[str]) -> None:
    """No schedule can renew it, so the command that installs one is named only for the others."""
    person, api = DnsAccount("manual", name="person"), DnsAccount("duckdns", name="api")
    specs = [
        SimpleNamespace(name=name, routes=[Route("dns-01", dns=["person" if name == "home" else "api"])])
        for name in names
    ]
    config = FakeConfig(tuple(specs), {"person": person, "api": api})
    said = " ".join(show(*map(valid, names), schedule=ActiveSchedule(installed=False), config=config))
    assert "No schedule can renew home, because a person sets the records" in said
    assert ("dnsrenew schedule install" in said) is (len(names) == 2)


def test_deployments_are_told(show: Show) -> None:
    """A server that does not have it, with what to do, and with -v those that have it."""
    bad = DeploymentResult(to="hfs", target="http://x", ok=False, error={"message": "It is down.", "fix": "Start it."})
    good = DeploymentResult(to="nginx", target="/etc/nginx", ok=True, served=True)
    lines = show(valid(deployed=(good, bad), deployment_pending=True), line="status --check -v", status=1)
    assert lines[-4:] == [
        "  ✓ deployed: nginx /etc/nginx, now served",
        "✗ home: not deployed: hfs http://x: It is down.",
        "  → Start it.",
        "→ home: to deploy now, run: dnsrenew deploy",
    ]


def test_what_the_configuration_forgot_is_told(show: Show) -> None:
    """With both ways out, and never all names on one line."""
    lines = show(*(valid(f"web-{n:03}", state="unconfigured") for n in range(300)), line="status --check", status=1)
    assert lines[-1].startswith("→ web-000, web-001, web-002, web-003 and 296 more: no longer in ")
    assert lines[-1].endswith("or run: dnsrenew remove NAME")
