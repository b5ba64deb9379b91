"""The checks after a failed renewal, so that its first message is the diagnosis."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import Attempt, Check, Outcome, RouteTaken
from dnsrenew.base.runtime import Context
from dnsrenew.config import Config
from dnsrenew.errors import CAError, DnsRenewError
from dnsrenew.extensions.doctor import after_failure
from dnsrenew.extensions.doctor.table import TABLE, CheckEntry
from dnsrenew.renewal.batch import LazyServices
from dnsrenew.store import FolderStore
from tests.kit.clock import FakeClock
from tests.kit.folders import here

ROUTE = RouteTaken(ca="lab", challenge="dns-01", dns=("home",))
Explain = Callable[..., list[str]]


def failed(name: str, code: str = "ca-unreachable", message: str = "Nobody is there.") -> Outcome:
    """A failed outcome."""
    error = CAError(code, message, fix="Look.")
    attempt = Attempt(route=ROUTE, orders=0, seconds=1.0, error=error)
    return Outcome(name=name, status="failed", reason="missing", domains=(name,), attempts=(attempt,), error=error)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The codes of the checks that were made; each finds a fault."""
    codes: list[str] = []

    def function(entry: CheckEntry) -> Callable[..., Check]:
        def make(_facts: object, **_about: Any) -> Check:
            codes.append(entry.code)
            return Check(entry.code, "bad", "It is broken.", {}, "Mend it.")

        return make

    monkeypatch.setattr(CheckEntry, "function", property(function))
    return codes


@pytest.fixture
def explain(tmp_path: Path) -> Explain:
    """Explains the failures of certificates `a` to `d`."""
    route = {"challenge": "http-01", "listen": ":80"}
    tables = [{"name": name, "domains": [f"{name}.test"], "routes": [route]} for name in "abcd"]
    config = Config.from_dict({"certificate": tables, "agree_terms": True}, base=tmp_path)

    def run(*outcomes: Outcome, context: Context | None = None) -> None:
        def no_services() -> Any:
            raise DnsRenewError("none", "There are none.", fix="")

        store = FolderStore(here(config.store))
        context = context or Context(clock=FakeClock())
        after_failure.explain(context, config, store, outcomes, LazyServices(no_services))

    return run  # type: ignore[return-value]


def codes(outcome: Outcome) -> list[str]:
    """The codes of the checks in the evidence of an outcome."""
    assert outcome.error is not None
    return [check["code"] for check in outcome.error.evidence.get("checks", ())]


def test_the_checks_fit_the_error(made: list[str], explain: Explain) -> None:
    """The checks depend on the error and have the form of the doctor's JSON."""
    outcome = failed("a")
    explain(outcome)
    assert codes(outcome) == ["internet", "clock", "ca-reachable"]
    assert outcome.error is not None
    assert outcome.error.evidence["checks"][0] == {
        "code": "internet",
        "result": "bad",
        "blocks": [],
        "summary": "It is broken.",
        "evidence": {},
        "fix": "Mend it.",
    }


def test_every_failure_of_http_01_looks_at_the_firewall(made: list[str], explain: Explain) -> None:
    """A rule that drops port 80 may stop the CA, or already the look of this machine at its own answer."""
    outcomes = [failed("a", "http-unreachable"), failed("b", "http-not-served")]
    explain(*outcomes)
    assert ["port-80-firewall" in codes(outcome) for outcome in outcomes] == [True, True]


def test_a_ca_that_asks_to_wait_is_not_asked_again(made: list[str], explain: Explain) -> None:
    """A server error is explained by checks, unless the CA sent a Retry-After."""
    asks, others = failed("a", "ca-server-error"), failed("b", "ca-server-error")
    for error in (asks.error, asks.attempts[0].error):
        assert error is not None
        error.evidence["retry_after"] = 3600.0
    explain(asks, others)
    assert codes(asks) == []
    assert codes(others) == ["internet", "clock", "ca-reachable"]


def test_the_same_cause_is_looked_for_once(made: list[str], explain: Explain) -> None:
    """Certificates with the same error share one diagnosis."""
    outcomes = [failed("a"), failed("b"), failed("c"), failed("d", "http-unreachable")]
    explain(*outcomes)
    assert made.count("ca-reachable") == 1
    assert codes(outcomes[0]) == codes(outcomes[2])
    assert "port-80-outside" in codes(outcomes[3])


def test_other_outcomes_are_left_alone(made: list[str], explain: Explain) -> None:
    """An error without checks, and an outcome that is no failure, cause no diagnosis."""
    other = failed("a", "ca-profile-unknown")
    locked = Outcome(name="b", status="locked", reason=None, domains=("b",), error=failed("b").error)
    explain(other, locked)
    assert (codes(other), codes(locked), made) == ([], [], [])


def test_a_cancel_ends_it(made: list[str], explain: Explain) -> None:
    """After a cancel the outcomes stay unchanged."""
    cancel = threading.Event()
    cancel.set()
    outcome = failed("a")
    explain(outcome, context=Context(clock=FakeClock(), cancel=cancel))
    assert outcome.status == "failed"


def test_every_code_exists() -> None:
    """Each named check exists and writes nothing."""
    known = {entry.code for entry in TABLE if entry.scope != "certificate-account"}
    assert {code for codes in after_failure.FITTING.values() for code in codes} <= known
