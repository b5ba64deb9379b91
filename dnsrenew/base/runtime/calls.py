"""Calls that are shared, made in turn, repeated, or stopped: single flight, fair lock, retry, circuit breaker."""

from __future__ import annotations

import contextlib
import copy
import threading
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from dnsrenew.base import threads
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import CAError, Cancelled, DnsRenewError

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

FAILURE_SECONDS: Final = 30.0
"""Seconds for which all callers of a run share a failure of the CA."""


class SingleFlight(Generic[T]):
    """Computes a value on first use. Concurrent callers share the one call and its result or error.

    So a CA that is down gets one request for all waiting certificates, instead of one for each. A ``CAError`` is also
    shared with every caller within :data:`FAILURE_SECONDS`; the next caller tries again.
    """

    def __init__(self, function: Callable[[Context], T]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._task: threads.Task[T] | None = None
        self._failed_at: float | None = None

    @property
    def value(self) -> T | None:
        """The value, or None before the first success."""
        task = self._task
        return task.result() if task is not None and task.done.is_set() and task.error is None else None

    def get(self, context: Context) -> T:
        """Return the value; compute it, wait for another caller, or reuse the result.

        :raises Exception: the error of the call.
        :raises Cancelled: the caller cancelled while waiting.
        """
        return self._share(context, self._function, None)

    def replace(self, context: Context, old: T, function: Callable[[Context], T]) -> T:
        """Return a new value instead of the stale ``old``. Only the first caller with this ``old`` computes it."""
        return self._share(context, function, old)

    def _share(self, context: Context, function: Callable[[Context], T], old: T | None) -> T:
        while True:
            with self._lock:
                task = self._task
                if self._failed_at is not None and context.clock.monotonic() >= self._failed_at + FAILURE_SECONDS:
                    task = self._failed_at = None
                is_own = task is None or (old is not None and self.value is old)
                if task is None or is_own:
                    task = self._task = threads.start(partial(function, context))
            try:
                return context.join(task)
            except Exception as error:
                self._forget(task, context, share_failure=old is None)
                if isinstance(error, Cancelled) and not is_own:  # perhaps only the other caller was cancelled
                    context.check()
                    continue
                if not isinstance(error, DnsRenewError):
                    raise
                raise copy.copy(error) from None  # each caller adds to its own traceback and evidence

    def _forget(self, task: threads.Task[T], context: Context, *, share_failure: bool) -> None:
        """Drop a failed call, so that the next caller tries again. A shared ``CAError`` is kept for a while."""
        with self._lock:
            if self._task is not task or not task.done.is_set():
                return
            if not share_failure or not isinstance(task.error, CAError):
                self._task = None
            elif self._failed_at is None:
                self._failed_at = context.clock.monotonic()


# ── fair lock ──────────────────────────────────────────────────────────────────────────

# A first-come-first-served lock per key, shared by the threads of a run.
#
# Certificates for the same names wait for each other at a CA: it may return the same order for two newOrder requests
# of one account (RFC 8555 section 7.4 allows it), and each certificate would then finalize it with another key.
# Certificates in one zone wait for each other at a host that allows one value or one writer at a time. Other
# processes are kept apart by the locks of the store and by the CA's refusal.


@contextlib.contextmanager
def all_held(locks: Iterable[AbstractContextManager[object]]) -> Iterator[None]:
    """Enter locks one after the other, and leave all of them at the end."""
    with contextlib.ExitStack() as held:
        for lock in locks:
            held.enter_context(lock)
        yield


class FairLock:
    """One queue of waiting threads per key; shared by all threads of a run."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._queues: dict[Hashable, deque[threading.Event]] = {}

    def hold_all(self, context: Context, ca: str, identifiers: Collection[str]) -> AbstractContextManager[None]:
        """Wait for the lock of this set of identifiers at the CA, and hold it.

        :raises Cancelled: the caller cancelled while waiting.
        """
        return self.hold(context, (ca, frozenset(identifiers)))

    @contextlib.contextmanager
    def hold(self, context: Context, key: Hashable) -> Iterator[None]:
        """Wait for the lock of ``key`` behind all earlier callers, and hold it.

        :raises Cancelled: the caller cancelled while waiting.
        """
        ready = threading.Event()
        with self._guard:
            queue = self._queues.setdefault(key, deque())
            queue.append(ready)
            queue[0].set()
        try:
            context.wait_for(ready)
            yield
        finally:
            with self._guard:
                queue.remove(ready)
                if queue:
                    queue[0].set()
                else:
                    del self._queues[key]


# ── retry ──────────────────────────────────────────────────────────────────────────────

# Retries with back-off. Only this module uses tenacity.
#
# tenacity is imported after the first failure: the import takes 20 ms, and most calls succeed.


class Transient(Exception):  # a signal to resend(), never an error for the caller
    """Raised by a call that may be retried.

    :ivar error: raised after the last try.
    :ivar after: seconds of the server's ``Retry-After``, or None.
    :ivar tries: the maximum number of calls from now on; None for the policy's.
    """

    def __init__(self, error: Exception, *, after: float | None = None, tries: int | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.after = after
        self.tries = tries


class Policy(Frozen):
    """How a call is retried.

    :ivar tries: the maximum number of calls.
    :ivar within: seconds after the first call in which another may start.
    :ivar first_wait: seconds before the second call without a ``Retry-After``; each later wait is ``factor`` longer.
    :ivar min_retry_after: the minimum for a ``Retry-After``, in seconds.
    """

    tries: int = 3
    within: float = 60.0
    first_wait: float = 0.5
    factor: float = 3.0
    min_retry_after: float = 1.0


RESEND = Policy()
"""The policy for a request that may be sent again."""


def resend(context: Context, call: Callable[[], T], policy: Policy = RESEND) -> T:
    """Make a call, and retry it while it raises :class:`Transient`.

    ``Retry-After`` is respected. If it is longer than the time left, the call has failed.

    :raises Exception: ``Transient.error`` of the last call; any other exception at once.
    :raises Cancelled: the caller cancelled while waiting.
    """
    start = context.clock.monotonic()
    try:
        return call()
    except Transient as transient:
        failed = transient
    try:
        return _retry(context, call, policy, failed, start)
    except Transient as transient:
        raise transient.error from None


def _retry(context: Context, call: Callable[[], T], policy: Policy, failed: Transient, start: float) -> T:
    from tenacity import Retrying, retry_if_exception_type  # 20 ms, and most calls succeed

    first: list[Transient] = [failed]

    def attempt() -> T:
        if first:  # the call before tenacity was imported
            raise first.pop()
        return call()

    def wait(state: RetryCallState) -> float:
        after = _transient(state).after
        if after is not None:
            return max(after, policy.min_retry_after)
        pause = policy.first_wait * policy.factor ** (state.attempt_number - 1)
        return pause * context.random.uniform(0.8, 1.2)  # jitter, so that clients that failed together come back apart

    def stop(state: RetryCallState) -> bool:
        tries = _transient(state).tries or policy.tries
        is_late = context.clock.monotonic() + state.upcoming_sleep > start + policy.within
        return is_late or state.attempt_number >= tries

    retrying = Retrying(
        sleep=context.wait, wait=wait, stop=stop, retry=retry_if_exception_type(Transient), reraise=True
    )
    return retrying(attempt)


def _transient(state: RetryCallState) -> Transient:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, Transient)  # noqa: S101  # only Transient is retried
    return error


# ── circuit breaker ────────────────────────────────────────────────────────────────────

# Circuit breaker: after a time-out, calls fail fast for every certificate except one probe.

OPEN_SECONDS: Final = 120.0
"""Seconds until an open circuit closes, which is longer than a cleanup takes after a time-out."""


class _OpenCircuit(Frozen):
    since: float
    error: DnsRenewError
    probe: str | None
    """The certificate that may still call the endpoint."""


class CircuitBreaker:
    """The endpoints that timed out; shared by all threads of a run.

    A time-out is ignored if another call to the endpoint succeeded after this one started. While the circuit of an
    endpoint is open, one certificate at a time may call it (the probe); its success closes the circuit.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Hashable, _OpenCircuit] = {}
        self._last_success: dict[Hashable, float] = {}

    def check(self, context: Context, endpoint: Hashable) -> None:
        """Raise if the certificate may not call the endpoint now.

        :raises DnsRenewError: the error of the earlier call; the circuit is open and another certificate probes.
        """
        certificate = context.certificate or ""
        with self._lock:
            circuit = self._open.get(endpoint)
            if circuit is None or context.clock.monotonic() >= circuit.since + OPEN_SECONDS:
                return
            if circuit.probe in {None, certificate}:
                self._open[endpoint] = replace(circuit, probe=certificate)
                return
        raise copy.copy(circuit.error) from None  # each caller adds to its own traceback and evidence

    def record_success(self, context: Context, endpoint: Hashable) -> None:
        """Close the circuit: the endpoint answered."""
        with self._lock:
            self._open.pop(endpoint, None)
            self._last_success[endpoint] = context.clock.monotonic()

    def record_timeout(self, context: Context, endpoint: Hashable, error: DnsRenewError, started: float) -> None:
        """Open the circuit: the endpoint did not answer.

        :param started: the monotonic second at which the call started.
        """
        with self._lock:
            if self._last_success.get(endpoint, started) > started:
                return
            before = self._open.get(endpoint)
            probe = before.probe if before is not None and before.probe != (context.certificate or "") else None
            self._open[endpoint] = _OpenCircuit(context.clock.monotonic(), copy.copy(error), probe)

    def is_open(self, endpoint: Hashable) -> bool:
        """Return whether the last recorded call to the endpoint timed out."""
        with self._lock:
            return endpoint in self._open
