"""The unused nonces of one CA (RFC 8555 section 6.5): most answers bring one, and each signed request needs one."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base import threads
from dnsrenew.errors import CAError, Cancelled

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.base.runtime.rate_limit import TokenBucket

_MAX_UNUSED: Final = 48
_PAUSE: Final = 0.01
"""Seconds between two looks for a nonce that another thread has brought."""
_PATIENCE: Final = 1.0
"""Seconds to wait for the nonce of another request; its answer may be lost."""


class Count:
    """The number of threads inside its ``with`` block."""

    def __init__(self) -> None:
        self.value = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.value += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.value -= 1


class Nonces:
    """Keeps nonces and gets new ones. Thread-safe.

    :param fetch: asks the CA for a nonce (newNonce).
    :ivar expected: counts the signed requests under way, whose answers will bring a nonce.
    """

    def __init__(self, fetch: Callable[[Context], str]) -> None:
        self._fetch = fetch
        self._unused: deque[str] = deque(maxlen=_MAX_UNUSED)
        self._waiting = Count()
        self.expected = Count()

    def add(self, nonce: str) -> None:
        """Keep a nonce that an answer brought."""
        self._unused.append(nonce)

    def take(self, context: Context, bucket: TokenBucket, *, at_once: bool) -> str:
        """Return a nonce: an unused one, that of an answer under way, or a new one.

        :param bucket: the rate limit of newNonce.
        :param at_once: do not wait for an answer under way: a new nonce takes no longer.
        :raises CAError: the CA gave none.
        :raises Cancelled: the caller cancelled.
        """
        found = self._pop()
        if found is not None:
            return found
        with self._waiting:
            started = context.clock.monotonic()
            while found is None:
                is_late = context.clock.monotonic() - started >= _PATIENCE
                if (at_once or is_late or not self.expected.value) and bucket.try_take(context):
                    return self._fetch(context)
                context.wait(_PAUSE)
                found = self._pop()
        return found

    def _pop(self) -> str | None:
        """Return the newest unused one: an old one may have expired during a wait for DNS."""
        with contextlib.suppress(IndexError):
            return self._unused.pop()
        return None

    def prefetch(self, context: Context, bucket: TokenBucket, wanted: int) -> None:
        """Get nonces in the background, as fast as their rate limit allows, up to this number of unused ones."""
        threads.start(partial(self._prefetch, context, bucket, wanted - len(self._unused)))

    def _prefetch(self, context: Context, bucket: TokenBucket, count: int) -> None:
        with contextlib.suppress(Cancelled):
            for _ in range(count):
                bucket.take(context)
                # While the last of several requests are under way, wait: beside this request one of them would have to
                # open a connection of its own.
                while self.expected.value and not self._waiting.value:
                    context.wait(_PAUSE)
                threads.start(partial(self._add_new, context))

    def _add_new(self, context: Context) -> None:
        with contextlib.suppress(CAError, Cancelled):  # the request that needs a nonce will get its own error
            self.add(self._fetch(context))
