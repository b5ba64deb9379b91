"""The secret of an external account binding: its format and the time limit for reading it."""

from __future__ import annotations

import threading

import pytest

from dnsrenew.acme import account_keys
from dnsrenew.acme.account_keys import binding
from dnsrenew.acme.problems import Problems
from dnsrenew.base.model import Eab, mac_key_fault
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.errors import CAError, Cancelled
from tests.kit.scripted_ca import KEY


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("bWFj", None),
        ("  bWE=\n", None),
        ("b-_j", None),
        ("", "an empty text"),
        (" ", "an empty text"),
        ("ab+/cd==", "a text with the + or / of ordinary base64"),
        ("not base64 at all!", "a text that is not base64url"),
        ("abcde", "a text that is not base64url"),
        ("äöü", "a text that is not base64url"),
        ("===", "a text that is not base64url"),
        ("ab===", "a text that is not base64url"),
    ],
)
def test_a_mac_key_has_a_form(text: str, fault: str | None) -> None:
    """A MAC key is base64url. The description of any other text says what is wrong."""
    assert mac_key_fault(text) == fault


@pytest.fixture
def hangs() -> Secret:
    """A secret in a keyring that waits to be unlocked."""
    return Secret._reference("keyring:ca/me", lambda _: str(threading.Event().wait(30)))


def bind(context: Context, secret: Secret) -> None:
    """Build a binding."""
    from josepy.jwk import JWKEC

    binding(context, Problems("lab"), Eab("kid-1", secret), JWKEC(key=KEY), "https://ca.test/acct")


def test_reading_the_secret_has_a_time_limit(hangs: Secret, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the secret has a time limit, because all certificates of the CA wait for it."""
    monkeypatch.setattr(account_keys, "SECONDS", 0.1)
    with pytest.raises(CAError, match="keyring:ca/me could not be read within") as caught:
        bind(Context(), hangs)
    assert (caught.value.code, caught.value.evidence["cause"]) == ("eab-invalid", "timeout")


def test_a_cancel_ends_the_wait_for_the_secret(hangs: Secret) -> None:
    """The error is Cancelled, not a time-out."""
    context = Context()
    threading.Timer(0.1, context.cancel.set).start()
    with pytest.raises(Cancelled):
        bind(context, hangs)


def test_a_cancel_reaches_the_secret_command() -> None:
    """The command gets the cancel event."""
    context, cancelled = Context(), threading.Event()

    def ask(cancel: threading.Event | None) -> str:
        assert cancel is not None
        context.cancel.set()
        assert cancel.wait(10)
        cancelled.set()
        raise Cancelled("cancelled", "The program was ended.", fix="Run it again.")

    with pytest.raises(Cancelled):
        bind(context, Secret._reference("command:ask", ask))
    assert cancelled.wait(10)
