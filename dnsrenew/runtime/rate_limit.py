"""How fast others are asked: a token bucket for each CA and each DNS host, shared by all threads of a run.

A run of one certificate is never held up. What a CA or a host asks for beyond that, it says with a Retry-After.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from dnsrenew.base.clock import Clock


class Waiter(Protocol):
    """The part of a context that a bucket needs: its clock, and a wait that a cancel ends."""

    @property
    def clock(self) -> Clock:
        """The clock."""

    def wait(self, seconds: float) -> None:
        """Wait.

        :raises Cancelled: the caller cancelled.
        """


class Rate(NamedTuple):
    """So many at once, and from then on so many a second."""

    at_once: int
    a_second: float


CA_REQUESTS: Final = Rate(250, 125.0)
"""Let's Encrypt takes 250 a second from one address, and 125 beyond that: after a second it is 375 either way, and
from then on we send fewer than it takes. (Within the first second there are never more under way than a few.)
"""
CA_NONCES: Final = Rate(10, 20.0)
"""What Let's Encrypt takes; the nonces come back with the answers, so that hardly anybody waits for a new one."""
HOST_REQUESTS: Final = Rate(100, 3.0)
"""At most 1,000 in five minutes: Cloudflare takes 1,200, and whoever sends more is shut out for five minutes."""


class TokenBucket:
    """A token bucket. Thread-safe; first come, first served.

    Who comes to an empty one is booked for the moment at which there will be a token again, and waits for it. There
    has to be one token to begin; what is taken beyond that is owed, and those who come later wait the longer.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._left = float(rate.at_once)
        self._at: float | None = None

    def take(self, context: Waiter, count: float = 1) -> None:
        """Take tokens, when there are any.

        :raises Cancelled: when called away while waiting; the tokens are given back.
        """
        with self._lock:
            self._refill(context)
            wait = (1 - self._left) / self._rate.a_second
            self._left -= count
        if wait <= 0:
            return
        try:
            context.wait(wait)
        except BaseException:
            with self._lock:
                self._left += count
            raise

    def take_now(self, context: Waiter) -> bool:
        """Take a token if there is one; tell whether there was."""
        with self._lock:
            self._refill(context)
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def charge(self, context: Waiter, count: float) -> None:
        """Take tokens for what cannot wait."""
        with self._lock:
            self._refill(context)
            self._left -= count

    def _refill(self, context: Waiter) -> None:
        now = context.clock.monotonic()
        if self._at is not None:
            self._left = min(self._left + (now - self._at) * self._rate.a_second, self._rate.at_once)
        self._at = now


class TokenBuckets:
    """The buckets of one run, made when they are first wanted. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[str, Rate], TokenBucket] = {}

    def of_ca(self, host: str) -> TokenBucket:
        """Return the bucket of requests to a CA, by the host (and port) that is asked."""
        return self._get(host, CA_REQUESTS)

    def of_nonces(self, host: str) -> TokenBucket:
        """Return the bucket of new nonces from a CA."""
        return self._get(host, CA_NONCES)

    def of_host(self, provider: str) -> TokenBucket:
        """Return the bucket of requests to a DNS host, by the name of its provider: for all accounts there."""
        return self._get(provider, HOST_REQUESTS)

    def _get(self, who: str, rate: Rate) -> TokenBucket:
        with self._lock:
            bucket = self._made.get((who, rate))
            if bucket is None:
                bucket = self._made[who, rate] = TokenBucket(rate)
            return bucket
