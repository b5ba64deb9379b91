"""The parts that every step of a run needs: clock, random numbers, cancel, events, redaction, rate limits."""

from __future__ import annotations

import contextlib
import math
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from dnsrenew.base import files, threads
from dnsrenew.base.clock import Clock, SystemClock
from dnsrenew.base.events import Emitter
from dnsrenew.base.model import Notice
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.errors import DnsRenewError, stopped

# ── rate limit ─────────────────────────────────────────────────────────────────────────

# Rate limits: a token bucket for each CA and each DNS account, shared by all threads of a run.
#
# A run with one certificate never waits for a token. Stricter limits arrive as a Retry-After.


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
"""At most 1,000 in 5 minutes, because Cloudflare allows 1,200 and blocks a client that sends more for 5 minutes."""


class TokenBucket:
    """A token bucket. Thread-safe; first come, first served.

    A caller needs one token to proceed. If it takes more tokens than there are, later callers wait until these are
    refilled.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._tokens = float(rate.burst)
        self._refilled_at: float | None = None

    def take(self, context: Context, count: float = 1) -> None:
        """Wait for a token, then take ``count``.

        :raises Cancelled: the caller cancelled while waiting; the tokens are returned.
        """
        wait = self.charge(context, count)
        with files.undone(self.charge, context, -count):
            if wait > 0:
                context.wait(wait)

    def try_take(self, context: Context) -> bool:
        """Take a token if one is available; return whether it was taken."""
        with self._lock:
            self._refill(context)
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

    def charge(self, context: Context, count: float) -> float:
        """Take tokens without waiting, for a request that cannot wait; return the seconds until one is available."""
        with self._lock:
            self._refill(context)
            wait = (1 - self._tokens) / self._rate.per_second
            self._tokens -= count
            return wait

    def _refill(self, context: Context) -> None:
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
        """Return the bucket for requests to a DNS host, by account name, because hosts count by account."""
        return self._get(account, HOST_REQUESTS)

    def _get(self, host: str, rate: Rate) -> TokenBucket:
        with self._lock:
            bucket = self._buckets.get((host, rate))
            if bucket is None:
                bucket = self._buckets[host, rate] = self._make(host, rate)
            return bucket

    def _make(self, _host: str, rate: Rate) -> TokenBucket:
        return TokenBucket(rate)


# ── context ────────────────────────────────────────────────────────────────────────────

T = TypeVar("T")

LONG = 5.0
"""Seconds of waiting after which a certificate lends its worker slot to another one. Most answers are faster."""
_NEVER = threading.Event()


class CleanupDeadline:
    """The time that cleanup still has after the caller cancelled."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end: float | None = None

    def is_over(self, now: float) -> bool:
        """Return whether the time is over; it starts with the first call."""
        if self._end is None:
            self._end = now + self._seconds
        return now >= self._end


class Context(Frozen):
    """Passed to every step; immutable, except that it collects notices.

    :ivar notices: warnings about the certificate, or in the context of a run about the run.
    :ivar run_notices: warnings about the run, in the context of a certificate.
    :ivar buckets: the rate limits for CAs and DNS accounts.
    :ivar remembered: the values that the drivers of each DNS account keep until the end of the run.
    :ivar deadline: the monotonic second at which every wait ends as if cancelled, or None.
    :ivar cleanup_deadline: the time left for a step that continues after a cancel, or None.
    :ivar pool: the thread pool of the run, or None.
    :ivar together: the deployments that share their reload commands with this one, or None.
    :ivar guards: called by every :meth:`check`; each raises an error if the run must stop sending because it has lost a
        lock.
    """

    clock: Clock = field(default_factory=SystemClock)
    cancel: threading.Event = field(default_factory=threading.Event)
    random: random.Random = field(default_factory=random.SystemRandom)
    redactor: Redactor = field(default_factory=Redactor)
    emitter: Emitter | None = None
    certificate: str | None = None
    notices: list[Notice] = field(default_factory=list)
    run_notices: list[Notice] = field(default_factory=list)
    buckets: TokenBuckets = field(default_factory=TokenBuckets)
    remembered: dict[str, dict[Any, Any]] = field(default_factory=dict)
    deadline: float | None = None
    cleanup_deadline: CleanupDeadline | None = None
    pool: threads.ThreadPool | None = None
    together: threads.Together | None = None
    guards: list[Callable[[], object]] = field(default_factory=list)

    def for_certificate(self, name: str) -> Context:
        """Return the context of one certificate, with its own notices and guards."""
        return replace(self, certificate=name, notices=[], run_notices=self.notices, guards=[*self.guards])

    def for_cleanup(self, seconds: float, after_cancel: float) -> Context:
        """Return a context for cleanup; it ends after ``seconds``, or ``after_cancel`` seconds after a cancel."""
        deadline = CleanupDeadline(after_cancel)
        return replace(self, deadline=self.clock.monotonic() + seconds, cleanup_deadline=deadline)

    def within(self, seconds: float) -> Context:
        """Return a context whose waits end after ``seconds``, or with this context if that is earlier."""
        end = self.clock.monotonic() + seconds
        return replace(self, deadline=end if self.deadline is None else min(end, self.deadline))

    def left(self) -> float:
        """Return the seconds until the deadline; 0.0 after it."""
        end = math.inf if self.deadline is None else self.deadline
        return max(end - self.clock.monotonic(), 0.0)

    def close(self) -> None:
        """Close the values that the drivers remember, if they have a method ``close``. The run is over."""
        for each in [each for account in [*self.remembered.values()] for each in [*account.values()]]:
            if callable(close := getattr(each, "close", None)):
                close()

    def emit(self, kind: str, **data: Any) -> None:  # JSON values
        """Send an event to the listener."""
        if self.emitter is not None:
            self.emitter.emit(kind, self.certificate, data)

    def warn(self, code: str, message: str, fix: str) -> None:
        """Add a warning to the notices and send it as an event. A repeated warning is ignored."""
        notice = Notice(code, message, fix)
        if notice not in self.notices:
            self.notices.append(notice)
            self.emit("warning", **notice.to_dict())

    def warn_of(self, what: Notice | DnsRenewError) -> None:
        """Warn of what was noted, or of an error that stops nothing."""
        self.warn(what.code, what.message, what.fix)

    def check(self) -> None:
        """Raise if the caller cancelled or the deadline has passed.

        :raises Cancelled: the caller cancelled, or the deadline has passed.
        :raises StoreError: the run has lost a lock, and must stop sending.
        """
        for guard in self.guards:
            guard()
        now = self.clock.monotonic()
        is_late = self.deadline is not None and now >= self.deadline
        is_cancelled = self.cancel.is_set() and (self.cleanup_deadline is None or self.cleanup_deadline.is_over(now))
        if is_late or is_cancelled:
            raise stopped()

    def wait(self, seconds: float) -> None:
        """Wait for a number of seconds.

        :raises Cancelled: the caller cancelled, or the deadline passed.
        """
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 0:
            self.check()
            left = min(left, max(self.left(), 0.001))
            if self.cleanup_deadline is None:
                self.clock.wait(left, self.cancel)
            else:  # the cancel event may already be set, so waiting for it would be a busy loop
                self.clock.wait(min(left, threads.SLICE), _NEVER)
        self.check()

    @contextlib.contextmanager
    def ending(self, tasks: Sequence[threads.Task[Any]], seconds: float) -> Iterator[None]:
        """Cancel if this thread itself is interrupted (Ctrl-C), and give the tasks this many seconds to clean up."""
        try:
            yield
        except BaseException:
            self.cancel.set()
            end = self.clock.monotonic() + seconds
            for task in tasks:
                task.done.wait(max(0.0, end - self.clock.monotonic()))
            raise

    def call(self, function: Callable[[], T]) -> T:
        """Make a call that may block; a cancel ends the wait, not the call.

        :raises Cancelled: the caller cancelled; the call continues in its daemon thread.
        """
        self.check()
        return self.join(threads.start(function))

    def join(self, task: threads.Task[T]) -> T:
        """Wait for a task, and return its result or raise its error.

        :raises Cancelled: the caller cancelled.
        """
        self.wait_for(task.done)
        return task.result()

    def call_all(self, functions: Sequence[Callable[[], T]], limit: int) -> list[threads.Task[T]]:
        """Make calls that may block, at most ``limit`` at once, and return their finished tasks in order.

        Each task has its ``result()`` or ``error``.

        :raises Cancelled: the caller cancelled.
        """
        self.check()
        tasks = threads.start_all(functions, limit)
        for task in tasks:
            self.wait_for(task.done)
        return tasks

    def wait_for(self, event: threading.Event) -> None:
        """Wait for an event that another thread sets. After LONG seconds, lend the worker slot to another certificate.

        :raises Cancelled: the caller cancelled.
        """
        self._wait_for(event, self.check)

    def outwait(self, task: threads.Task[T]) -> T:
        """Wait for a task that ends by itself soon after a cancel; return its result or raise its error."""
        self._wait_for(task.done, lambda: None)
        return task.result()

    def _wait_for(self, event: threading.Event, check: Callable[[], None]) -> None:
        # real time and not the clock's, because the other thread is real too
        wait, waited, is_released = 0.05, 0.0, False
        with contextlib.ExitStack() as slot:
            while not event.wait(wait):
                check()
                waited += wait
                wait = min(wait * 2, threads.SLICE)
                if waited >= LONG and self.pool is not None and not is_released:
                    is_released = True
                    slot.enter_context(self.pool.release_slot())
