"""Whether a stored wait is plausible: a wait stored by a wrong clock must not stop renewals for years."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

LONGEST: Final = timedelta(days=7)
"""The longest wait; a CA that asked for more is asked again after a week."""
SHARE: Final = 0.75
"""The share of what is left of a valid certificate that a wait lasts at most: the rest is for more attempts."""
_ROUNDING: Final = timedelta(seconds=1)
_SKEW: Final = timedelta(days=1)


def is_waiting(since: datetime, until: datetime, now: datetime) -> bool:
    """Tell whether a wait from ``since`` to ``until`` is not over yet.

    A clock that was set back since then prolongs the wait, which is accepted up to the length of the wait and up to
    a day. Beyond that, the clock was wrong when the wait was stored, and the wait is ignored.
    """
    length, ahead = until - since, since - now
    return now < until and length <= LONGEST + _ROUNDING and ahead <= min(length, _SKEW)
