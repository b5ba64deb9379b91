"""Retries with back-off. The only module that uses tenacity.

tenacity is imported after the first failure: the import takes 20 ms, and most calls succeed.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Final, TypeVar

from dnsrenew.base.values import Frozen, replace

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from dnsrenew.base.runtime.context import Context
    from dnsrenew.errors import DnsRenewError

T = TypeVar("T")


class Transient(Exception):  # a signal to resend(), never an error for the caller
    """Raised by a call that may be retried.

    :ivar error: raised after the last try.
    :ivar after: seconds of the server's ``Retry-After``, or None.
    :ivar tries: the maximum number of calls from now on; None: that of the policy.
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
        return pause * context.random.uniform(0.8, 1.2)  # jitter: clients that failed together come back apart

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

# Circuit breaker: after a time-out, fail fast for every certificate but one probe.

OPEN_SECONDS: Final = 120.0
"""Seconds until an open circuit closes: longer than cleanup takes after a time-out."""


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
        """Return if the certificate may call the endpoint.

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
