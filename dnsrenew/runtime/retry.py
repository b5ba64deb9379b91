"""Trying again, as values: what is tried again how often, and how long. The only user of tenacity.

tenacity is imported by the first failure, not by the first success: it costs 20 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from dnsrenew.runtime.context import Context

T = TypeVar("T")


class Transient(Exception):  # it is a message to resend(), not an error of ours
    """Raised by a call that may be made again.

    :ivar error: what is raised in the end, when it did not get better.
    :ivar after: seconds the other side asked to wait (``Retry-After``), or None.
    :ivar tries: how often the call may be made in all after this; None: as the policy says.
    """

    def __init__(self, error: Exception, *, after: float | None = None, tries: int | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.after = after
        self.tries = tries


class Policy(Frozen):
    """How a call is made again.

    :ivar tries: how often in all.
    :ivar within: seconds from the first try after which no other is begun.
    :ivar first: seconds before the second try, where the other side asked for none; then ``factor`` times as many.
    :ivar least: the least that a wait the other side asked for is taken for, in seconds.
    """

    tries: int = 3
    within: float = 60.0
    first: float = 0.5
    factor: float = 3.0
    least: float = 1.0


RESEND = Policy()
"""A request that may be sent again (the contract's Deadlines)."""


def resend(context: Context, call: Callable[[], T], policy: Policy = RESEND) -> T:
    """Make a call, and again while it raises :class:`Transient`.

    A wait that the other side asks for is kept to; where it is longer than what is left, the call has failed.

    :raises Exception: ``Transient.error`` of the last try; anything else that the call raises, at once.
    :raises Cancelled: when called away while waiting.
    """
    start = context.clock.monotonic()
    try:
        return call()
    except Transient as transient:
        failed = transient
    try:
        return _again(context, call, policy, failed, start)
    except Transient as transient:
        raise transient.error from None


def _again(context: Context, call: Callable[[], T], policy: Policy, failed: Transient, start: float) -> T:
    from tenacity import Retrying, retry_if_exception_type  # 20 ms, and usually nothing fails

    first: list[Transient] = [failed]

    def attempt() -> T:
        if first:  # the try that was made before tenacity was there
            raise first.pop()
        return call()

    def wait(state: RetryCallState) -> float:
        after = _transient(state).after
        if after is not None:
            return max(after, policy.least)
        pause = policy.first * policy.factor ** (state.attempt_number - 1)
        return pause * context.random.uniform(0.8, 1.2)  # many clients that fail together do not come back together

    def stop(state: RetryCallState) -> bool:
        tries = _transient(state).tries or policy.tries
        over = context.clock.monotonic() + state.upcoming_sleep > start + policy.within
        return over or state.attempt_number >= tries

    again = Retrying(sleep=context.wait, wait=wait, stop=stop, retry=retry_if_exception_type(Transient), reraise=True)
    return again(attempt)


def _transient(state: RetryCallState) -> Transient:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, Transient)  # noqa: S101  # nothing else is tried again
    return error
