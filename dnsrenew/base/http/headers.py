"""The times in the headers of answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_SECONDS: Final = re.compile(r"\s*(\d{1,9})\s*")


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds of a ``Retry-After`` (RFC 9110 section 10.2.3).

    :param now: the time in UTC, for a ``Retry-After`` that is a date.
    :return: None if it is absent or malformed; 0 for a date in the past.
    """
    text = headers.get("Retry-After")
    if text is None:
        return None
    if seconds := _SECONDS.fullmatch(text):
        return float(seconds[1])
    try:
        date = parsedate_to_datetime(text)
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date
        return max(0.0, (date - now).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return the server's time of an answer in UTC, from its ``Date`` (RFC 9110 section 6.6.1).

    A cache sends the original ``Date`` with an ``Age`` (RFC 9111 section 5.1), which is added.

    :return: None if it is absent or malformed.
    """
    try:
        date = parsedate_to_datetime(headers.get("Date", ""))
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
        age = _SECONDS.fullmatch(headers.get("Age", ""))
        return date + timedelta(seconds=int(age[1])) if age else date
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
