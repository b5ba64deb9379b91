"""Circuit breaker: after a time-out, fail fast for every certificate but one probe."""

from __future__ import annotations

import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import OPEN_SECONDS, CircuitBreaker
from dnsrenew.errors import ProviderError
from tests.kit.clock import FakeClock


@pytest.fixture
def run() -> Context:
    """A run whose time passes only during a wait."""
    return Context(clock=FakeClock())


def hang(breaker: CircuitBreaker, context: Context, seconds: float = 60) -> None:
    """Record a timeout of the host after the given time."""
    started = context.clock.monotonic()
    context.wait(seconds)
    breaker.record_timeout(context, "host", ProviderError("provider-timeout", "Nothing came.", fix="Wait."), started)


def goes_on(breaker: CircuitBreaker, run: Context, certificate: str) -> bool:
    """Return whether a certificate may call the host."""
    try:
        breaker.check(run.for_certificate(certificate), "host")
    except ProviderError:
        return False
    return True


def test_a_new_circuit_is_closed(run: Context) -> None:
    """A new circuit lets every certificate through."""
    assert goes_on(CircuitBreaker(), run, "one")


def test_one_certificate_probes_at_a_time(run: Context) -> None:
    """The probing certificate may call any number of times. The others get the earlier error."""
    breaker = CircuitBreaker()
    hang(breaker, run.for_certificate("one"))
    assert [goes_on(breaker, run, name) for name in ("two", "three", "two", "one")] == [True, False, True, False]


def test_another_certificate_probes_after_the_probe_times_out(run: Context) -> None:
    """Only a time-out of the probing certificate lets another one probe."""
    breaker = CircuitBreaker()
    hang(breaker, run.for_certificate("one"))
    assert goes_on(breaker, run, "two")
    hang(breaker, run.for_certificate("beside one"), 0)
    assert not goes_on(breaker, run, "three")
    hang(breaker, run.for_certificate("two"))
    assert goes_on(breaker, run, "three")


def test_a_success_closes_the_circuit(run: Context) -> None:
    """After a success every certificate is let through again."""
    breaker = CircuitBreaker()
    hang(breaker, run.for_certificate("one"))
    assert goes_on(breaker, run, "two")
    breaker.record_success(run, "host")
    assert goes_on(breaker, run, "three")


def test_a_success_meanwhile_keeps_the_circuit_closed(run: Context) -> None:
    """A time-out of one certificate does not stop the others while the host answers them."""
    breaker, started = CircuitBreaker(), run.clock.monotonic()
    run.wait(30)
    breaker.record_success(run, "host")
    run.wait(30)
    breaker.record_timeout(run, "host", ProviderError("provider-timeout", "Nothing came.", fix="Wait."), started)
    assert [goes_on(breaker, run, name) for name in ("two", "three")] == [True, True]


def test_the_circuit_closes_after_a_while(run: Context) -> None:
    """The circuit closes after OPEN_SECONDS, even if the probe never calls the host."""
    breaker = CircuitBreaker()
    hang(breaker, run.for_certificate("one"))
    assert goes_on(breaker, run, "two")
    run.wait(OPEN_SECONDS - 1)
    assert not goes_on(breaker, run, "three")
    run.wait(1)
    assert goes_on(breaker, run, "three")


def test_each_host_has_its_own_circuit(run: Context) -> None:
    """A time-out of one host does not affect another one."""
    breaker = CircuitBreaker()
    hang(breaker, run.for_certificate("one"))
    for name in ("two", "three"):
        breaker.check(run.for_certificate(name), "another")


def test_each_certificate_gets_its_own_copy_of_the_error(run: Context) -> None:
    """Each certificate gets its own copy of the error, so that added evidence is not shared."""
    breaker = CircuitBreaker()
    hang(breaker, run.for_certificate("one"))
    assert goes_on(breaker, run, "two")
    for _ in range(2):
        with pytest.raises(ProviderError, match="Nothing came") as caught:
            breaker.check(run.for_certificate("three"), "host")
        assert caught.value.evidence == {}
        caught.value.with_evidence(seen="once")
