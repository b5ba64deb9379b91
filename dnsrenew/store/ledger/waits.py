"""Whether to believe a wait that was written down: clocks jump, and a wrong one must not stop renewals for years."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

LONGEST: Final = timedelta(days=7)
"""No wait is longer: who wants more is asked again after a week."""
_ROUNDING: Final = timedelta(seconds=1)
_SKEW: Final = timedelta(days=1)


def is_waiting(since: datetime, until: datetime, now: datetime) -> bool:
    """Tell whether a wait from ``since`` to ``until`` goes on.

    A clock that went back since then prolongs the wait. Up to its own length, and up to a day, that is
    put up with; beyond that the clock was wrong when the wait was written, and so is the wait.
    """
    length, ahead = until - since, since - now
    return now < until and length <= LONGEST + _ROUNDING and ahead <= min(length, _SKEW)
