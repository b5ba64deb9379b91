"""How long to wait between two looks at something that the CA is working on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from dnsrenew.http import retry_after

if TYPE_CHECKING:
    from dnsrenew.runtime.context import Context

_FIRST: Final = 0.05
_GROWTH: Final = 1.5
_LONGEST: Final = 2.0
_LEAST_ASKED: Final = 1.0
MOST_ASKED: Final = 300.0
"""Seconds: a longer Retry-After ends the attempt."""


class PollTimeout(Exception):
    """The CA has had its time.

    :ivar after: the seconds it asked to wait beyond that, or None.
    """

    def __init__(self, after: float | None = None) -> None:
        super().__init__()
        self.after = after


class PollSchedule:
    """Waits between looks: growing gaps, or what the CA asks for, until the time is up.

    :param early: seconds of the first wait, for something that usually takes no longer, whatever the CA asks for.
    """

    def __init__(self, context: Context, seconds: float, *, early: float | None = None) -> None:
        self._context = context
        self._end = context.clock.monotonic() + seconds
        self._early = early
        self._gap = _FIRST

    @property
    def left(self) -> float:
        """Seconds until the time is up."""
        return self._end - self._context.clock.monotonic()

    def wait(self, headers: Mapping[str, str] | None = None) -> None:
        """Wait before the next look.

        :param headers: of the last look; a ``Retry-After`` in them is kept between 1 s and 5 min.
        :raises OutOfTime: the time is up, after a last look at its very end; or the CA asks for too long a wait.
        :raises Cancelled: when called away.
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
            return max(asked, _LEAST_ASKED)
        gap, self._gap = self._gap, min(self._gap * _GROWTH, _LONGEST)
        return gap
