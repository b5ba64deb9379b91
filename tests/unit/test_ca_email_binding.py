"""`eab = "email"`: the binding that ZeroSSL gives for an e-mail address.

The stand-in answers as zerossl.com/documentation/acme shows ("Generate EAB Credentials").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.acme.account_keys import fetch
from dnsrenew.acme.problems import Problems
from dnsrenew.base.model import CA, EAB_BY_EMAIL, Eab
from dnsrenew.base.runtime import Context
from dnsrenew.errors import CAError
from tests.kit.api_server import Answer, Api, Asked
from tests.kit.clock import FakeClock
from tests.kit.config_files import GOOD, load, mistake

DIRECTORY = "https://ca.email.test/dir"
MAC = "emailbindingcanary0123456789"
GIVEN = {"success": True, "eab_kid": "kid-7", "eab_hmac_key": MAC}
ZEROSSL = GOOD + 'ca = "zerossl"\n[ca.zerossl]\neab = "email"\n'


class Service:
    """The service, with answers set by a test."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [(200, GIVEN)]
        self.api = Api(self._answer)

    def _answer(self, _: Asked) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Run the service for one CA."""
    service = Service()
    with service.api:
        monkeypatch.setitem(EAB_BY_EMAIL, "ca.email.test", f"{service.api.url}/acme/eab-credentials-email")
        yield service


def ask(*contact: str, directory: str = DIRECTORY, context: Context | None = None) -> Eab:
    """Fetch a binding."""
    context = context or Context(clock=FakeClock())
    return fetch(context, Problems("lab", context.redactor.redact), directory, contact)


def refused(call: Callable[[], object]) -> CAError:
    """Return the error of a failed call. It has no secret."""
    with pytest.raises(CAError) as caught:
        call()
    assert MAC not in str(caught.value.to_dict())
    return caught.value


def test_the_binding_is_fetched_for_the_first_address(service: Service) -> None:
    """One POST has the form field `email`. The received MAC key is a secret."""
    context = Context(clock=FakeClock())
    eab = ask("tel:+49123", "mailto:me+tls@example.test", "mailto:you@example.test", context=context)
    assert (eab.kid, eab.hmac.reveal()) == ("kid-7", MAC)
    (asked,) = service.api.asked
    assert (asked.method, asked.path) == ("POST", "/acme/eab-credentials-email")
    assert asked.body == "email=me%2Btls%40example.test"
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert MAC not in repr(eab)
    assert MAC not in context.redactor.redact(f"key {MAC}")


@pytest.mark.parametrize("contact", [(), ("tel:+49123",)])
def test_without_an_address_nothing_is_sent(service: Service, contact: tuple[str, ...]) -> None:
    """Without an e-mail address in the contact nothing is sent."""
    assert refused(lambda: ask(*contact)).code == "eab-invalid"
    assert service.api.asked == []


def test_a_ca_without_the_service(service: Service) -> None:
    """Nothing is sent to a CA without this service."""
    error = refused(lambda: ask("mailto:me@example.test", directory="https://other.test/dir"))
    assert (error.code, service.api.asked) == ("eab-invalid", [])


def test_a_refused_address(service: Service) -> None:
    """The error has the reason of the service."""
    service.answers = [(200, {"success": False, "error": {"code": 2800, "type": "invalid_email"}})]
    error = refused(lambda: ask("mailto:me@example.test"))
    expected = {"ca": "lab", "email": "me@example.test", "reason": "invalid_email", "status": 200}
    assert (error.code, error.evidence) == ("eab-invalid", expected)
    assert len(service.api.asked) == 1


@pytest.mark.parametrize(
    "answer",
    ["<html>", [], {}, {"success": True}, {"success": True, "eab_kid": "k"}, {**GIVEN, "eab_hmac_key": 7},
     {**GIVEN, "success": False}, {"success": False, "error": "no"}, {"error": {"type": 3}}],
)  # fmt: skip
def test_an_unexpected_answer(service: Service, answer: Any) -> None:
    """An incomplete external account binding is refused."""
    service.answers = [(200, answer)]
    error = refused(lambda: ask("mailto:me@example.test"))
    assert (error.code, error.evidence) == ("eab-invalid", {"ca": "lab", "status": 200})


def test_an_overloaded_service_is_asked_again(service: Service) -> None:
    """An overloaded service gets at most three requests."""
    service.answers = [(503, "busy"), (502, "busy"), (200, GIVEN)]
    assert ask("mailto:me@example.test").kid == "kid-7"
    service.answers = [(503, "busy")]
    assert refused(lambda: ask("mailto:me@example.test")).evidence["status"] == 503
    assert len(service.api.asked) == 6


def test_a_service_that_is_gone(service: Service) -> None:
    """The error is that of an unreachable CA, so that another CA may be tried."""
    service.api.__exit__(None, None, None)
    error = refused(lambda: ask("mailto:me@example.test"))
    assert error.code == "ca-unreachable"


# ── the configuration ───────────────────────────────────────────────────────────────────


def test_the_configuration_says_email(tmp_path: Path) -> None:
    """With `email` no secret is read."""
    config = load(tmp_path, 'contact = ["me@example.test"]\n' + ZEROSSL)
    assert (config.cas["zerossl"].eab, config.secrets) == ("email", ())
    assert CA("https://acme.zerossl.com/v2/DV90", eab="email").eab == "email"


@pytest.mark.parametrize("near", ["e-mail", "Email", "EMAIL", "mail", "emails", "by-email"])
def test_what_resembles_email_is_a_mistake_that_names_it(tmp_path: Path, near: str) -> None:
    """A misspelt `email` is a mistake with the proposal. The value is not shown, because it could be a key."""
    said = mistake(tmp_path, 'contact = ["me@example.test"]\n' + ZEROSSL.replace('"email"', f'"{near}"'))
    assert (said["key"], said["nearest"]) == ("ca.zerossl.eab", "email")
    assert '"email"' in said["expected"]


def test_any_other_text_is_a_mistake_that_names_the_forms(tmp_path: Path) -> None:
    """Any other text is a mistake that lists the valid forms, without a proposal."""
    said = mistake(tmp_path, 'contact = ["me@example.test"]\n' + ZEROSSL.replace('"email"', '"kid-7"'))
    assert (said.get("nearest"), '"email"' in said["expected"], "kid-7" in str(said)) == (None, True, False)


def test_email_without_a_contact_is_a_mistake(tmp_path: Path) -> None:
    """`email` without an e-mail address in `contact` is a mistake."""
    said = mistake(tmp_path, ZEROSSL)
    assert said["key"] == "certificate[0].ca"
    assert "contact" in said["expected"]


def test_email_at_another_ca_is_a_mistake(tmp_path: Path) -> None:
    """`eab = "email"` is accepted only for the CA with this service, not for another directory under its name."""
    contact = 'contact = ["me@example.test"]\n'
    said = mistake(tmp_path, contact + GOOD + '[ca.google]\neab = "email"\n')
    assert said["key"] == "ca.google.eab"
    own = contact + GOOD + '[ca.zerossl]\ndirectory = "https://ca.test/dir"\neab = "email"\n'
    assert mistake(tmp_path, own)["key"] == "ca.zerossl.eab"
