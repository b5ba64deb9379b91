"""Poll intervals for a resource that the CA is processing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from dnsrenew.base.http import retry_after

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context

_FIRST: Final = 0.05
_GROWTH: Final = 1.5
_MAX_GAP: Final = 2.0
_MIN_RETRY_AFTER: Final = 1.0
MOST_ASKED: Final = 300.0
"""Seconds: a longer ``Retry-After`` ends the attempt."""


class PollTimeout(Exception):
    """The CA took longer than its time limit.

    :ivar retry_after: seconds that the CA asks to wait, or None.
    """

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__()
        self.retry_after = retry_after


class PollSchedule:
    """Waits between polls: for growing intervals, or for the ``Retry-After``, until the time limit.

    :param seconds: the time limit.
    :param early: seconds of the first wait, whatever the CA asks for: the processing usually takes no longer.
    """

    def __init__(self, context: Context, seconds: float, *, early: float | None = None) -> None:
        self._context = context
        self._end = context.clock.monotonic() + seconds
        self._early = early
        self._gap = _FIRST

    @property
    def left(self) -> float:
        """Seconds until the time limit."""
        return self._end - self._context.clock.monotonic()

    def wait(self, headers: Mapping[str, str] | None = None) -> None:
        """Wait before the next poll.

        :param headers: of the last answer; a ``Retry-After`` of less than 1 s counts as 1 s.
        :raises PollTimeout: the time limit has passed, after a last poll at its end; or the ``Retry-After`` is longer
            than :data:`MOST_ASKED`.
        :raises Cancelled: the context was cancelled.
        """
        left = self.left
        if left <= 0:
            raise PollTimeout
        self._context.wait(min(self._next(headers), left))

    def _next(self, headers: Mapping[str, str] | None) -> float:
        early, self._early = self._early, None
        if early is not None:
            return early
        asked = None if headers is None else retry_after(headers, self._context.clock.now())
        if asked is not None and asked > MOST_ASKED:
            raise PollTimeout(asked)
        if asked is not None:
            return max(asked, _MIN_RETRY_AFTER)
        gap, self._gap = self._gap, min(self._gap * _GROWTH, _MAX_GAP)
        return gap
