"""`dnsrenew cleanup`: its output and exit status."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.events import Emitter
from dnsrenew.base.model import TxtRecord
from dnsrenew.challenges.leftovers import CleanupResult
from dnsrenew.cli import main
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import Terminal
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError, LockedError, ProviderError, StoreError
from dnsrenew.store.journal import WrittenValue
from tests.kit.cli_stage import FakeConfig, FakeRenewer, install

GONE = ConfigError("account-gone", "The DNS account old is not there any more.", fix="Put it back.")
DOWN = ProviderError("provider-unreachable", "The server is down.", fix="See whether it is up.", evidence={"try": 1})


def txt(value: str, account: str = "home", zone: str = "example.test.") -> WrittenValue:
    """Return a written value and its account."""
    return TxtRecord(zone, f"_acme-challenge.{zone}", value, 60), account


class Cleaner(FakeRenewer):
    """A renewer whose cleanup has a given result."""

    found: CleanupResult | DnsRenewError = CleanupResult()

    def cleanup(self, *, wait: float, cancel: threading.Event) -> CleanupResult:
        """Return the given result or raise the given error."""
        self.calls.append((None, {"wait": wait}))
        if isinstance(self.found, DnsRenewError):
            raise self.found
        return self.found


@pytest.fixture
def renewer(monkeypatch: pytest.MonkeyPatch) -> Cleaner:
    """Install a fake renewer for cleanup."""
    fake = Cleaner()
    install(fake, FakeConfig(), monkeypatch.setattr)
    return fake


def test_nothing_left(renewer: Cleaner, capsys: pytest.CaptureFixture[str]) -> None:
    """Without leftovers the output states that there is nothing to clean up."""
    assert main(["cleanup"]) == 0
    out, _ = capsys.readouterr()
    assert out == "Nothing to clean up.\n"
    assert renewer.calls == [(None, {"wait": 0.0})]


def test_each_value_that_is_gone_is_named(renewer: Cleaner, capsys: pytest.CaptureFixture[str]) -> None:
    """Each removed value is listed under its name and account. The object of a Python program has no account name."""
    renewer.found = CleanupResult((txt("a"), txt("b"), txt("c", "", "other.test.")))
    assert main(["cleanup", "--wait", "3"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "✓ _acme-challenge.example.test (account home): 2 TXT values removed",
        "    a",
        "    b",
        "✓ _acme-challenge.other.test: 1 TXT value removed",
        "    c",
    ]
    assert renewer.calls == [(None, {"wait": 3.0})]


def test_a_value_that_may_come_back_is_reported(renewer: Cleaner, capsys: pytest.CaptureFixture[str]) -> None:
    """The output warns of a value that a request under way may write again."""
    renewer.found = CleanupResult((txt("a"), txt("b")), late=(txt("b"),))
    assert main(["cleanup"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("! The DNS host may still write 1 TXT value from the interrupted run.")


KEPT = CleanupResult(
    (txt("a"),),
    ((txt("b", "old"), GONE), (txt("c", "old"), GONE), (txt("d", "old", "other.test."), GONE), (txt("e"), DOWN)),
)


def test_what_stays_is_named_with_the_reason(renewer: Cleaner, capsys: pytest.CaptureFixture[str]) -> None:
    """A common reason is shown once with its fix, below all values that stay. The exit status is 1."""
    renewer.found = KEPT
    assert main(["cleanup"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "✓ _acme-challenge.example.test (account home): 1 TXT value removed",
        "    a",
        "✗ _acme-challenge.example.test (account old): 2 TXT values not removed",
        "    b",
        "    c",
        "✗ _acme-challenge.other.test (account old): 1 TXT value not removed",
        "    d",
        "  The DNS account old is not there any more.",
        "  → Put it back.",
        "✗ _acme-challenge.example.test (account home): 1 TXT value not removed",
        "    e",
        "  The server is down.",
        "  → See whether it is up.",
    ]
    assert main(["cleanup", "-v"]) == 1
    assert 'provider-unreachable {"try": 1}' in capsys.readouterr().out


def test_quiet_is_what_stays_on_standard_error(renewer: Cleaner, capsys: pytest.CaptureFixture[str]) -> None:
    """With -q only values that were not removed are reported, on standard error."""
    renewer.found = KEPT
    assert main(["cleanup", "-q"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert " removed\n" not in err.replace("not removed", "")
    assert "→ Put it back." in err
    for found in (CleanupResult(), CleanupResult((txt("a"),))):
        renewer.found = found
        assert main(["cleanup", "-q"]) == 0
        assert capsys.readouterr() == ("", "")


def test_what_the_journal_does_not_tell_is_said(renewer: Cleaner, capsys: pytest.CaptureFixture[str]) -> None:
    """Every cleanup reports a damaged or unknown journal file, because only that file lists its values."""
    renewer.found = CleanupResult(unreadable=("/store/journal/away-1.json.damaged", "/store/journal/home-1.json"))
    assert main(["cleanup"]) == 1
    out, _ = capsys.readouterr()
    assert "Nothing to clean up" not in out
    said = " ".join(out.split())
    assert "✗ /store/journal/away-1.json.damaged is damaged. TXT values that only this file lists" in said
    assert "at your DNS host, then delete the file." in said
    assert "home-1.json was written by a newer dnsrenew" in said
    assert "→ Update dnsrenew, then run: dnsrenew cleanup" in said
    assert main(["cleanup", "--json"]) == 1
    out, err = capsys.readouterr()
    assert len(json.loads(out)["unreadable"]) == 2
    assert "away-1.json.damaged" in err


def test_a_program_that_cannot_be_read_is_no_txt_value(renewer: Cleaner, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of the journal that names a program to start a server, and cannot be read, is said to be that."""
    renewer.found = CleanupResult(unreadable=("/store/journal/1d7463e1addc8cbb.after",))
    assert main(["cleanup"]) == 1
    out, _ = capsys.readouterr()
    assert ("TXT" not in out, "Start the server by hand" in " ".join(out.split())) == (True, True)


def test_for_programs(renewer: Cleaner, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON document has removed and kept values, even if there are none."""
    renewer.found = CleanupResult((txt("a"),), ((txt("b", "old"), GONE),))
    assert main(["cleanup", "--json"]) == 1
    out, err = capsys.readouterr()
    place = {"zone": "example.test.", "name": "_acme-challenge.example.test."}
    error = {"code": "account-gone", "message": GONE.message, "evidence": {}, "fix": GONE.fix}
    assert json.loads(out) == {
        "version": 1,
        "removed": [{**place, "value": "a", "dns": "home"}],
        "kept": [{**place, "value": "b", "dns": "old", "error": error}],
        "unreadable": [],
    }
    assert "→ Put it back." in err
    renewer.found = CleanupResult()
    assert main(["cleanup", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": 1, "removed": [], "kept": [], "unreadable": []}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LockedError("locked", "The journal is being worked on.", fix="Wait."), 3),
        (StoreError("store-unreadable", "It cannot be read.", fix="Let it be."), 1),
        (Cancelled("cancelled", "The run was cancelled before it finished.", fix="Run it again."), 130),
    ],
)
def test_what_stops_it(renewer: Cleaner, error: DnsRenewError, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """An error is a JSON document with its exit status."""
    renewer.found = error
    assert main(["cleanup", "--json"]) == status
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["error"]["code"] == error.code


@pytest.mark.parametrize("line", ["cleanup home", "cleanup --force"])
def test_wrong_use(renewer: Cleaner, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Cleanup accepts no certificate name."""
    assert main(line.split()) == 2
    assert renewer.calls == []


@pytest.mark.parametrize("quiet", [False, True])
def test_a_renewal_says_what_it_has_cleaned_up(quiet: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """A renewal reports removed leftovers in one line. With -q it reports nothing."""
    records = [
        {"zone": "example.test.", "name": "_acme-challenge.example.test.", "value": v, "dns": "home"} for v in "ab"
    ]
    Emitter(SystemClock(), PlainProgress(Terminal(quiet=quiet))).emit("swept", None, {"records": records})
    said = "" if quiet else "Removed 2 TXT values that an earlier run left in example.test.\n"
    assert capsys.readouterr() == ("", said)
