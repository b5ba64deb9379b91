"""Those who do not answer are waited for by those who come together, and not by everybody after them."""

from __future__ import annotations

import pytest

from dnsrenew.errors import ProviderError
from dnsrenew.runtime.circuit_breaker import KEPT, CircuitBreaker
from dnsrenew.runtime.context import Context
from tests.unit.clocks import FakeClock


@pytest.fixture
def run() -> Context:
    """A run whose time passes only while somebody waits."""
    return Context(clock=FakeClock())


def hang(silence: CircuitBreaker, context: Context, seconds: float = 60) -> None:
    """Ask, and wait in vain."""
    started = context.clock.monotonic()
    context.wait(seconds)
    silence.unanswered(context, "host", ProviderError("provider-timeout", "Nothing came.", fix="Wait."), started)


def goes_on(silence: CircuitBreaker, run: Context, certificate: str) -> bool:
    """Whether a certificate may ask."""
    try:
        silence.check(run.for_certificate(certificate), "host")
    except ProviderError:
        return False
    return True


def test_who_has_not_been_asked_is_not_silent(run: Context) -> None:
    """Everybody goes on."""
    assert goes_on(CircuitBreaker(), run, "one")


def test_one_at_a_time_goes_on(run: Context) -> None:
    """As often as it asks; the others hear what came of it before."""
    silence = CircuitBreaker()
    hang(silence, run.for_certificate("one"))
    assert [goes_on(silence, run, name) for name in ("two", "three", "two", "one")] == [True, False, True, False]


def test_another_one_goes_on_when_the_first_was_not_answered_either(run: Context) -> None:
    """And not before: those who came together with the very first one do not make room for it."""
    silence = CircuitBreaker()
    hang(silence, run.for_certificate("one"))
    assert goes_on(silence, run, "two")
    hang(silence, run.for_certificate("beside one"), 0)
    assert not goes_on(silence, run, "three")
    hang(silence, run.for_certificate("two"))
    assert goes_on(silence, run, "three")


def test_everybody_goes_on_when_one_is_answered(run: Context) -> None:
    """Silence is over."""
    silence = CircuitBreaker()
    hang(silence, run.for_certificate("one"))
    assert goes_on(silence, run, "two")
    silence.answered(run, "host")
    assert goes_on(silence, run, "three")


def test_who_answers_others_is_not_silent(run: Context) -> None:
    """One certificate that hangs, in a zone of its own trouble, costs no other its turn."""
    silence, started = CircuitBreaker(), run.clock.monotonic()
    run.wait(30)
    silence.answered(run, "host")
    run.wait(30)
    silence.unanswered(run, "host", ProviderError("provider-timeout", "Nothing came.", fix="Wait."), started)
    assert [goes_on(silence, run, name) for name in ("two", "three")] == [True, True]


def test_it_is_forgotten_after_a_while(run: Context) -> None:
    """Also when the one who went on never asked."""
    silence = CircuitBreaker()
    hang(silence, run.for_certificate("one"))
    assert goes_on(silence, run, "two")
    run.wait(KEPT - 1)
    assert not goes_on(silence, run, "three")
    run.wait(1)
    assert goes_on(silence, run, "three")


def test_another_host_is_not_meant(run: Context) -> None:
    """Each has its own silence."""
    silence = CircuitBreaker()
    hang(silence, run.for_certificate("one"))
    for name in ("two", "three"):
        silence.check(run.for_certificate(name), "another")


def test_what_each_is_told_is_its_own(run: Context) -> None:
    """What one adds to the error the others do not see."""
    silence = CircuitBreaker()
    hang(silence, run.for_certificate("one"))
    assert goes_on(silence, run, "two")
    for _ in range(2):
        with pytest.raises(ProviderError, match="Nothing came") as caught:
            silence.check(run.for_certificate("three"), "host")
        assert caught.value.evidence == {}
        caught.value.with_evidence(seen="once")
