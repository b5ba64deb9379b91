"""Rate limits: a token bucket for each CA and each DNS account, shared by all threads of a run.

A run with one certificate never waits for a token. Stricter limits arrive as a Retry-After.
"""

from __future__ import annotations

import threading
from typing import Final, Protocol

from dnsrenew.base.clock import Clock
from dnsrenew.base.values import Frozen


class Waiter(Protocol):
    """The part of a context that a bucket needs: a clock and a cancellable wait."""

    @property
    def clock(self) -> Clock:
        """The clock."""

    def wait(self, seconds: float) -> None:
        """Wait.

        :raises Cancelled: the caller cancelled.
        """


class Rate(Frozen):
    """A burst, and the rate afterwards."""

    burst: int
    per_second: float


CA_REQUESTS: Final = Rate(250, 125.0)
"""Let's Encrypt allows 250 requests a second from one address and a burst of 125: 375 in the first second, as here.

After that this rate is below the limit. (Within the first second only a few requests are ever under way.)
"""
CA_NONCES: Final = Rate(10, 20.0)
"""The limit of Let's Encrypt for newNonce. Responses bring nonces too, so few requests need a new one."""
HOST_REQUESTS: Final = Rate(100, 3.0)
"""At most 1,000 in 5 minutes: Cloudflare allows 1,200 and blocks a client that sends more for 5 minutes."""


class TokenBucket:
    """A token bucket. Thread-safe; first come, first served.

    A caller needs one token to proceed. Tokens taken beyond that are a debt, and later callers wait until it is paid.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._tokens = float(rate.burst)
        self._refilled_at: float | None = None

    def take(self, context: Waiter, count: float = 1) -> None:
        """Wait for a token, then take ``count``.

        :raises Cancelled: the caller cancelled while waiting; the tokens are returned.
        """
        with self._lock:
            self._refill(context)
            wait = (1 - self._tokens) / self._rate.per_second
            self._tokens -= count
        if wait <= 0:
            return
        try:
            context.wait(wait)
        except BaseException:
            with self._lock:
                self._tokens += count
            raise

    def try_take(self, context: Waiter) -> bool:
        """Take a token if there is one; return whether there was."""
        with self._lock:
            self._refill(context)
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

    def charge(self, context: Waiter, count: float) -> None:
        """Take tokens without waiting, for a request that cannot wait."""
        with self._lock:
            self._refill(context)
            self._tokens -= count

    def _refill(self, context: Waiter) -> None:
        now = context.clock.monotonic()
        if self._refilled_at is not None:
            earned = (now - self._refilled_at) * self._rate.per_second
            self._tokens = min(self._tokens + earned, self._rate.burst)
        self._refilled_at = now


class TokenBuckets:
    """The buckets of one run, created on first use. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, Rate], TokenBucket] = {}

    def of_ca(self, host: str) -> TokenBucket:
        """Return the bucket for requests to a CA, by host (and port)."""
        return self._get(host, CA_REQUESTS)

    def of_nonces(self, host: str) -> TokenBucket:
        """Return the bucket for newNonce requests to a CA."""
        return self._get(host, CA_NONCES)

    def of_account(self, account: str) -> TokenBucket:
        """Return the bucket for requests to a DNS host, by the name of the account: hosts count for each."""
        return self._get(account, HOST_REQUESTS)

    def _get(self, host: str, rate: Rate) -> TokenBucket:
        with self._lock:
            bucket = self._buckets.get((host, rate))
            if bucket is None:
                bucket = self._buckets[host, rate] = self._make(host, rate)
            return bucket

    def _make(self, _host: str, rate: Rate) -> TokenBucket:
        return TokenBucket(rate)
