"""Retries, without real waits."""

import random
import subprocess
import sys
from collections.abc import Callable

import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import Policy, Transient, resend
from dnsrenew.errors import Cancelled
from tests.kit.clock import FakeClock


def failing(times: int, *, after: float | None = None, tries: int | None = None) -> Callable[[], int]:
    """Return a call that fails so often, then returns how often it was made."""
    made: list[None] = []

    def call() -> int:
        made.append(None)
        if len(made) <= times:
            raise Transient(ValueError(f"failure {len(made)}"), after=after, tries=tries)
        return len(made)

    return call


@pytest.fixture
def clock() -> FakeClock:
    """Return a new clock."""
    return FakeClock()


@pytest.fixture
def context(clock: FakeClock) -> Context:
    """Return a context with that clock."""
    return Context(clock=clock, random=random.Random(1))


def test_what_works_is_called_once(context: Context, clock: FakeClock) -> None:
    """A successful call is not repeated and does not wait."""
    assert resend(context, failing(0)) == 1
    assert clock.waits == []


def test_three_tries_with_growing_waits(context: Context, clock: FakeClock) -> None:
    """The waits are 0.5 s and 1.5 s, each up to a fifth more or less."""
    assert resend(context, failing(2)) == 3
    assert 0.4 <= clock.waits[0] <= 0.6
    assert 1.2 <= clock.waits[1] <= 1.8


def test_after_the_last_try_the_error_itself_is_raised(context: Context) -> None:
    """The caller gets the error of the last try, without a chain."""
    with pytest.raises(ValueError, match="failure 3") as caught:
        resend(context, failing(9))
    assert caught.value.__suppress_context__


def test_a_wait_that_was_asked_for_is_kept(context: Context, clock: FakeClock) -> None:
    """Retry-After replaces the default wait and is at least a second."""
    assert resend(context, failing(2, after=7)) == 3
    assert resend(context, failing(1, after=0)) == 2
    assert clock.waits == [7, 7, 1]


def test_a_wait_beyond_the_limit_ends_it_at_once(context: Context, clock: FakeClock) -> None:
    """A wait beyond the limit raises the error at once, without sleeping."""
    with pytest.raises(ValueError, match="failure 1"):
        resend(context, failing(1, after=61))
    assert clock.waits == []


def test_a_call_that_is_slow_itself_counts(context: Context, clock: FakeClock) -> None:
    """The time limit includes the calls themselves, so a retry that is too late is not made."""

    def slow() -> int:
        clock.elapsed += 60
        raise Transient(ValueError("slow"))

    with pytest.raises(ValueError, match="slow"):
        resend(context, slow)
    assert clock.elapsed == 60


def test_a_failure_may_allow_fewer_tries(context: Context) -> None:
    """A failure or a policy may allow fewer tries."""
    with pytest.raises(ValueError, match="failure 2"):
        resend(context, failing(9, tries=2))
    with pytest.raises(ValueError, match="failure 1"):
        resend(context, failing(9), Policy(tries=1))


def test_another_error_passes_at_once(context: Context, clock: FakeClock) -> None:
    """Only a Transient error is retried. Any other one is raised at once, even in a later try."""
    errors = [Transient(ValueError("first")), KeyError("second")]

    def call() -> int:
        raise errors.pop(0)

    with pytest.raises(KeyError, match="second"):
        resend(context, call)
    assert len(clock.waits) == 1


def test_a_cancel_ends_the_waiting(context: Context) -> None:
    """Cancellation ends the wait between two tries."""
    context.cancel.set()
    with pytest.raises(Cancelled):
        resend(context, failing(1))


def test_tenacity_is_imported_by_the_first_failure() -> None:
    """Importing the module does not load tenacity."""
    code = "import sys, dnsrenew.base.runtime.calls; sys.exit('tenacity' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
