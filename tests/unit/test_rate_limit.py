"""Token buckets: the request rate for CAs and DNS hosts."""

from __future__ import annotations

import threading

import pytest

from dnsrenew.base import threads
from dnsrenew.base.runtime import CA_REQUESTS, Context, Rate, TokenBucket, TokenBuckets
from dnsrenew.errors import Cancelled
from tests.kit.clock import FakeClock

SLOW = Rate(burst=3, per_second=2.0)


@pytest.fixture
def context() -> Context:
    """A context whose time passes only during waits."""
    return Context(clock=FakeClock())


def moments(context: Context, bucket: TokenBucket, counts: list[float]) -> list[float]:
    """Take each count of tokens in turn. Return the time after each."""
    found = []
    for count in counts:
        bucket.take(context, count)
        found.append(context.clock.monotonic())
    return found


def test_so_many_at_once_and_then_so_many_a_second(context: Context) -> None:
    """The burst does not wait. Further requests follow at the rate."""
    assert moments(context, TokenBucket(SLOW), [1] * 6) == [0, 0, 0, 0.5, 1.0, 1.5]


def test_it_fills_up_again_and_not_beyond(context: Context) -> None:
    """After a long pause the bucket is full again, and no fuller."""
    bucket = TokenBucket(SLOW)
    moments(context, bucket, [1] * 3)
    context.wait(1000)
    assert moments(context, bucket, [1] * 4) == [1000, 1000, 1000, 1000.5]


def test_one_token_is_enough_to_begin_and_the_rest_is_owed(context: Context) -> None:
    """A large request starts at once. The next one waits until its tokens are refilled."""
    assert moments(context, TokenBucket(SLOW), [10, 1]) == [0, 4.0]


def test_what_cannot_wait_is_charged(context: Context) -> None:
    """charge() does not wait even if no token is left. The next call waits."""
    bucket = TokenBucket(SLOW)
    bucket.charge(context, 5)
    assert context.clock.monotonic() == 0
    assert moments(context, bucket, [1]) == [1.5]


def test_one_is_taken_only_if_it_is_there(context: Context) -> None:
    """try_take() returns false instead of waiting."""
    bucket = TokenBucket(SLOW)
    assert [bucket.try_take(context) for _ in range(4)] == [True, True, True, False]
    context.wait(0.5)
    assert bucket.try_take(context)


def test_a_cancelled_wait_returns_its_tokens(context: Context) -> None:
    """A cancelled wait returns its tokens."""
    bucket = TokenBucket(SLOW)
    bucket.take(context, 3)
    away = Context(clock=context.clock)
    away.cancel.set()
    with pytest.raises(Cancelled):
        bucket.take(away, 100)
    assert moments(context, bucket, [1]) == [0.5]


def test_threads_get_no_more_than_there_is() -> None:
    """Concurrent threads are booked one after the other, each for the time of its token."""
    clock = FakeClock()
    bucket, begin = TokenBucket(SLOW), threading.Barrier(20)
    waits: list[float] = []

    class Booking(Context):
        """Notes the wait and does not spend it, so that all come at the same moment."""

        def wait(self, seconds: float) -> None:
            waits.append(seconds)

    def take() -> None:
        begin.wait(10)
        bucket.take(Booking(clock=clock))

    for task in [threads.start(take) for _ in range(20)]:
        assert task.done.wait(10)
        task.result()
    assert sorted(waits) == [number / 2 for number in range(1, 18)]


def test_each_ca_and_each_host_has_its_own(context: Context) -> None:
    """Each CA has its own buckets, which the contexts of one run share."""
    buckets = context.buckets
    made = [buckets.of_ca("a"), buckets.of_ca("b"), buckets.of_nonces("a"), buckets.of_account("a")]
    assert len(set(map(id, made))) == len(made)
    assert context.for_certificate("home").buckets.of_ca("a") is made[0]
    assert context.for_cleanup(1, 1).buckets.of_ca("a") is made[0]
    assert TokenBuckets().of_ca("a") is not made[0]


def test_a_certificate_with_a_hundred_names_never_waits_for_its_ca(context: Context) -> None:
    """All requests for a certificate with a hundred names are sent without waiting."""
    bucket = context.buckets.of_ca("ca.test")
    moments(context, bucket, [1] * (4 + 2 * 100 + 30))
    assert context.clock.monotonic() == 0


def test_the_ca_is_never_asked_more_than_it_takes() -> None:
    """Let's Encrypt takes 250 a second, and 125 beyond that: after every whole second we have sent no more."""
    sent = [CA_REQUESTS.burst + CA_REQUESTS.per_second * second for second in range(1, 100)]
    assert all(ours <= 125 + 250 * second for second, ours in enumerate(sent, 1))
