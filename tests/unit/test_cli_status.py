"""`dnsrenew status`: a table that fits, and an exit status for monitors."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from dnsrenew.cli import main, terminal
from dnsrenew.cli.status import needs_attention
from tests.kit.cli_stage import FakeRenewer, FakeStatus, install, now, valid

FAILURE = {"time": now() - timedelta(hours=3), "code": "ca-dns", "message": "The CA did not see the value."}
PROBLEMS = {
    "missing": FakeStatus(state="missing", reason="missing"),
    "expired": valid(state="expired", not_after=now() - timedelta(days=2), next_renewal=now() - timedelta(days=32)),
    "revoked": valid(state="revoked"),
    "overdue": valid(state="due", next_renewal=now() - timedelta(days=2)),
    "failing": valid(state="due", last_failure=FAILURE),
    "failed": valid(last_failure=FAILURE),
}
Show = Callable[..., list[str]]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Show:
    """Runs `status` over the given certificates in a window of so many columns."""

    def run(*certificates: FakeStatus, columns: int | None = None, line: str = "status", status: int = 0) -> list[str]:
        install(FakeRenewer(statuses=certificates), None, monkeypatch.setattr)
        monkeypatch.setattr(terminal.Output, "size", lambda _self: (columns, 24))
        assert main(line.split()) == status
        return capsys.readouterr().out.splitlines()

    return run


def test_a_table(show: Show) -> None:
    """Names, domains, CA, expiry, next renewal and state, aligned."""
    lines = show(valid(), valid("a-longer-name", domains=("bücher.example",)))
    assert lines[0].split() == ["NAME", "DOMAINS", "CA", "EXPIRES", "RENEWAL", "STATE"]
    assert lines[1].startswith("home           example.test, *.example.test  lab  ")
    assert lines[2].startswith("a-longer-name  bücher.example                lab  ")
    assert lines[1].endswith("✓ valid")
    assert ", 89 d  " in lines[1]
    assert len(lines) == 3


@pytest.mark.parametrize("columns", [80, 100, 132])
def test_it_fits_the_window(show: Show, columns: int) -> None:
    """Long lists of domains and long names are shortened, the dates never."""
    lines = show(valid("a" * 40, domains=tuple(f"host{n}.example.test" for n in range(50))), valid(), columns=columns)
    assert max(map(len, lines)) <= columns
    assert ", 89 d  " in lines[1]
    assert ("…" in lines[1]) is (columns < 132)


@pytest.mark.parametrize(("ca", "reason"), [("lab", None), ("letsencrypt", None), ("letsencrypt", "ari")])
def test_the_usual_pair_is_whole_at_80_columns(show: Show, ca: str, reason: str | None) -> None:
    """A domain and its wildcard stand below each other where there is no room beside each other."""
    lines = show(valid("example.test", ca=ca, reason=reason), columns=80)
    assert [line[14:].split("  ")[0] for line in lines[1:3]] == ["example.test,", "*.example.test"]
    assert lines[3:] == (["* The CA suggested this renewal time."] if reason == "ari" else [])
    assert lines[1].startswith("example.test  ")
    assert lines[1].endswith("✓ valid")
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("columns", [40, 60, 79])
def test_a_narrow_window(show: Show, columns: int) -> None:
    """Below 80 columns each certificate is a small block."""
    lines = show(valid(), PROBLEMS["missing"], columns=columns)
    assert max(map(len, lines)) <= columns
    assert lines[0] == "home  ✓ valid"
    assert any("89 days" in line for line in lines)
    assert "home  ✗ missing" in lines


@pytest.mark.parametrize("problem", PROBLEMS)
def test_check_complains(show: Show, problem: str) -> None:
    """Missing, expired, revoked, overdue and failing are exit status 1, and the state says which."""
    certificate = PROBLEMS[problem]
    assert needs_attention(certificate, now())  # type: ignore[arg-type]
    lines = show(valid("fine"), certificate, line="status --check", status=1)
    assert problem in lines[2]
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
    assert lines[1].endswith("! valid, failed")
    assert f"It is not due before {now() + timedelta(days=59):%Y-%m-%d}." in lines[2]
    assert lines[2].endswith("To renew it earlier, run: dnsrenew renew home --force")
    assert not any("--now" in line for line in lines)


UNREAD = {"code": "store-newer", "message": "A later dnsrenew wrote it.", "fix": "Update dnsrenew."}


def test_what_cannot_be_read_is_not_called_missing(show: Show) -> None:
    """Nor is an attempt proposed that could not help: the error says what does."""
    new = FakeStatus(name="new", state="missing", reason="missing", known=False, last_failure=UNREAD)
    served = valid(known=False, last_failure=UNREAD)
    lines = show(new, served, line="status --check", status=1)
    assert lines[1].endswith("-        ✗ unknown")
    assert lines[2].endswith("-        ✗ valid, unreadable")
    assert f"{served.not_after:%Y-%m-%d}" in lines[2]
    assert lines[3:] == [
        "✗ new: A later dnsrenew wrote it.", "  → Update dnsrenew.",
        "✗ home: A later dnsrenew wrote it.", "  → Update dnsrenew.",
    ]  # fmt: skip


ROUTE = {"ca": "lab", "challenge": "dns-01", "dns": ["home"]}
HTTP = {"ca": "lab", "challenge": "http-01", "dns": []}


def test_the_route_is_told(show: Show) -> None:
    """By which way it was obtained: in the table where there is room, in a narrow window, and with -v anywhere."""
    mine = valid(route=ROUTE)
    heads, row = show(mine, columns=132)
    assert heads.split() == ["NAME", "DOMAINS", "CA", "ROUTE", "EXPIRES", "RENEWAL", "STATE"]
    assert "  lab  dns-01 with home  " in row
    assert "  lab  -  " not in show(mine, columns=80)[1]
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
    assert f"{now() + timedelta(days=59):%Y-%m-%d} *  " in show(valid(reason="ari"))[1]
    assert "due (changed)" in show(valid(state="due", reason="changed"))[1]


def test_json_and_nothing(show: Show, capsys: pytest.CaptureFixture[str]) -> None:
    """The document has every certificate; without any, that is said."""
    (line,) = show(valid(), line="status --json")
    document: dict[str, Any] = json.loads(line)
    assert [certificate["name"] for certificate in document["certificates"]] == ["home"]
    assert show() == ["No certificates are configured."]
    assert json.loads(show(line="status --json")[0])["certificates"] == []
