"""`dnsrenew revoke`, `remove` and `account`: prompts, output and exit status."""

import json
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from dnsrenew.base.events import Emitter
from dnsrenew.base.model import Outcome
from dnsrenew.base.values import replace
from dnsrenew.cli import main
from dnsrenew.errors import CAError, LockedError
from dnsrenew.operations.accounts import AccountStatus
from dnsrenew.operations.revoke import REASONS
from tests.kit.cli_stage import FakeConfig, FakeRenewer, install

DOWN = CAError("ca-unreachable", "The CA lab cannot be reached.", fix="See whether it is up.")
HELD = AccountStatus(ca="lab", url="https://lab.test/a/1", contact=("mailto:me@example.test",), status="valid")
LOST = AccountStatus(ca="other", url="https://other.test/a/1", contact=(), status="unknown")
SILENT = AccountStatus(ca="down", url="https://down.test/a/1", contact=(), status="unknown", error=DOWN)


@pytest.fixture
def renewer(monkeypatch: pytest.MonkeyPatch) -> FakeRenewer:
    """On the stage, with one certificate."""
    fake = FakeRenewer(lambda _emitter, _cancel: [])
    fake.held = [HELD]
    monkeypatch.setattr("dnsrenew.operations.accounts.stored", lambda *_: [account.ca for account in fake.held])
    home = SimpleNamespace(name="home", domains=("example.test",))
    install(fake, FakeConfig(certificates=(home,)), monkeypatch.setattr)
    return fake


def test_revoke_says_what_it_does_and_what_comes_next(renewer: FakeRenewer, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard error announces the revocation. The result shows what was revoked and how it is replaced."""
    assert main(["revoke", "home", "--yes", "--reason", "key-compromise", "--wait", "3"]) == 0
    out, err = capsys.readouterr()
    assert "Revoking home (reason: key-compromise)." in err
    lines = out.splitlines()
    assert lines[:2] == ["✓ home revoked at lab (reason: key-compromise, signed with the account key)", "  serial  2f"]
    assert lines[2].startswith(
        "→ To replace it now, run `dnsrenew renew home`. Otherwise the next run replaces it, unless "
    )
    assert renewer.calls == [("home", {"reason": "key-compromise", "wait": 3.0})]


def test_the_help_names_every_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """The help lists every reason."""
    assert main(["revoke", "--help"]) == 0
    words = set(capsys.readouterr().out.replace(",", " ").replace(".", " ").split())
    assert words >= set(REASONS)


def test_revoke_for_programs(renewer: FakeRenewer, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json the output is one document, with -q it is empty."""
    renewer.already = True
    assert main(["revoke", "home", "--json", "-y"]) == 0
    assert json.loads(capsys.readouterr().out)["revoked"] == {
        "name": "home",
        "ca": "lab",
        "serial": "2f",
        "reason": "unspecified",
        "already": True,
        "signed_by": "account",
    }
    assert main(["revoke", "home", "-q", "-y"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "line",
    [
        *("revoke", "revoke home --reason whim", "revoke home shop", "account rol"),
        *("revoke home", "account deactivate", "account deactivate lab"),  # without a terminal there is no prompt
    ],
)
def test_wrong_use(renewer: FakeRenewer, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong command line revokes nothing."""
    assert main([*line.split(), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"
    assert renewer.calls == []


def test_another_run_is_exit_status_three(renewer: FakeRenewer) -> None:
    """If another run holds the lock, the exit status is 3, as for `renew`."""

    def locked(_emitter: Emitter, _cancel: threading.Event) -> list[Outcome]:
        raise LockedError("locked", "Another run works on it.", fix="Wait.")

    renewer.play = locked
    assert main(["revoke", "home", "--yes"]) == 3


@pytest.fixture
def shown(renewer: FakeRenewer, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Show accounts, and return the lines."""

    def run(line: str, *held: AccountStatus, status: int = 0) -> list[str]:
        renewer.held = list(held)
        assert main(line.split()) == status
        return capsys.readouterr().out.splitlines()

    return run


def test_accounts(shown: Callable[..., list[str]], renewer: FakeRenewer) -> None:
    """Each account has its URL and contact.

    One that could not be queried gives exit status 1 and does not hide others.
    """
    assert shown("account", HELD, LOST, SILENT, status=1) == [
        "✓ lab: valid",
        "  account  https://lab.test/a/1",
        "  contact  me@example.test",
        "! other: not known to the CA; the next order registers it again with the same key",
        "  account  https://other.test/a/1",
        "✗ down: The CA lab cannot be reached.",
        "  → See whether it is up.",
        "  account  https://down.test/a/1",
    ]
    assert renewer.calls == [(None, {"new_key": False})]


def test_new_keys(shown: Callable[..., list[str]], renewer: FakeRenewer) -> None:
    """`account roll` replaces the keys of the named CA or of all."""
    assert shown("account roll lab", HELD)[0] == "✓ lab: key replaced"
    assert shown("account roll", HELD, HELD)[0] == "✓ lab: key replaced"
    assert shown("account roll lab --compromised", HELD)[0] == "✓ lab: key replaced"
    one, both = {"new_key": True}, {"new_key": True, "compromised": True}
    assert renewer.calls == [(["lab"], one), (None, one), (["lab"], both)]


def test_contacts(shown: Callable[..., list[str]], renewer: FakeRenewer) -> None:
    """The output shows the contact that the CA has now."""
    assert shown("account contact lab", HELD) == [
        "✓ lab: contact updated",
        "  account  https://lab.test/a/1",
        "  contact  me@example.test",
    ]
    assert renewer.calls == [(["lab"], {"contact": True})]


def test_a_closed_account(shown: Callable[..., list[str]], renewer: FakeRenewer) -> None:
    """With --yes there is no prompt. An account that could not be closed gives exit status 1."""
    closed = replace(HELD, status="deactivated")
    lines = shown("account deactivate --yes", closed, SILENT, status=1)
    assert lines[0] == "✓ lab: closed permanently; the next order creates a new account"
    assert "✗ down: The CA lab cannot be reached." in lines
    assert shown("account show", closed)[0].startswith("! lab: closed at the CA")
    assert renewer.calls[0] == (None, {"deactivate": True})


def test_without_an_account_nobody_is_asked(shown: Callable[..., list[str]]) -> None:
    """Without an account there is no prompt."""
    assert shown("account deactivate") == ["No CA accounts yet. The first order at a CA creates one."]


def test_accounts_for_programs(shown: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has all accounts. With -q nothing is printed if all are valid."""
    (line,) = shown("account show --json", HELD)
    assert json.loads(line) == {
        "version": 1,
        "accounts": [
            {
                "ca": "lab",
                "url": "https://lab.test/a/1",
                "contact": ["mailto:me@example.test"],
                "status": "valid",
                "error": None,
            }
        ],
    }
    assert main(["account", "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    assert shown("account") == ["No CA accounts yet. The first order at a CA creates one."]
