"""Words for people: times, lengths, lists, lines that fit."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

_MARKS: Final = range(0xE000, 0xE006)  # the colours of screen.py take no room
GLUE: Final = "\u00a0"
"""A space at which no line is broken."""

_SHORT_LIFE: Final = timedelta(days=10)
_CLOSE: Final = timedelta(days=2)


def count(number: int, one: str) -> str:
    """Return ``1 file``, ``2 files``."""
    return f"{number:,} {one if number == 1 else one + 's'}"


def seconds(value: float) -> str:
    """Return a length of time as people say it."""
    if value < 9.95 and value != int(value):  # one more digit below ten
        return f"{value:.2f} s" if value < 0.995 else f"{value:.1f} s"  # and another below one
    if value < 180:  # people say 90 seconds, and 120
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def distance(time: datetime, now: datetime) -> str:
    """Return how far away a time is: ``90 days``, ``5 hours ago``."""
    gap = time - now
    size = abs(gap)
    if size >= _CLOSE:
        text = count(round(size / timedelta(days=1)), "day")  # 90 days less an hour are 90 days
    elif size >= timedelta(hours=2):
        text = count(int(size.total_seconds() // 3600), "hour")
    elif size >= timedelta(minutes=1):
        text = count(int(size.total_seconds() // 60), "minute")
    else:
        text = "less than a minute"
    return f"{text} ago" if gap < timedelta() else text


def short_distance(time: datetime, now: datetime) -> str:
    """Return the same for a column of a table: ``90 d``, ``5 h ago``."""
    words = distance(time, now)
    for long, short in ((" days", " d"), (" hours", " h"), (" minutes", " min"), (" minute", " min")):
        words = words.replace(long, short)
    return words


def date(time: datetime, now: datetime, life: timedelta | None = None) -> str:
    """Return a day; with the time of day (UTC) where that matters: close by, or in a short life."""
    exact = abs(time - now) < _CLOSE or (life is not None and life < _SHORT_LIFE)
    return time.strftime("%Y-%m-%d %H:%M UTC" if exact else "%Y-%m-%d")


def as_time(value: object) -> datetime | None:
    """Read a time from a value that may be one already, or RFC 3339."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None
    return None


def listed(words: Iterable[str], most: int = 4) -> str:
    """Return ``a, b, c``, and say how many more there are."""
    words = list(words)
    if len(words) <= most + 1:
        return ", ".join(words)
    return f"{', '.join(words[:most])} and {len(words) - most} more"


def width(text: str) -> int:
    """Return how many columns the text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if ord(character) in _MARKS or unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, columns: int | None, end: str = "…") -> str:
    """Return the text cut to so many columns; its colours are kept."""
    if columns is None or width(text) <= columns:
        return text
    room = max(columns - width(end), 0)
    kept: list[str] = []
    cut = False
    for character in text:
        size = _columns(character)
        if size and (cut or size > room):
            cut = True
            continue
        room -= size
        kept.append(character)
    place = len(kept)
    while place and ord(kept[place - 1]) in _MARKS:  # the sign of the cut goes before the colours' end
        place -= 1
    return "".join([*kept[:place], end if columns >= width(end) else "", *kept[place:]])


def near(path: str, here: str) -> str:
    """Return the path from the current folder, if it lies below that; else as it is."""
    below = path.startswith(here.rstrip(os.sep) + os.sep) and here != os.sep
    return os.path.relpath(path, here) if below else path


def fit_path(path: str, columns: int | None, sign: str = "…") -> str:
    """Return the path without as many of its first folders as so many columns ask for."""
    if columns is None or width(path) <= columns:
        return path
    parts = path.split(os.sep)
    shown = parts.pop()
    while parts and width(sign) + 2 + width(parts[-1]) + width(shown) <= columns:
        shown = parts.pop() + os.sep + shown
    return sign + os.sep + shown


def wrap(text: str, columns: int | None, first: str = "", rest: str = "") -> list[str]:
    """Break the text into lines between words; ``first`` and ``rest`` stand before them."""
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        line, empty = (first if not lines else rest), True
        for word in paragraph.split(" "):
            if not empty and columns is not None and width(line) + 1 + width(word) > columns:
                lines.append(line)
                line, empty = rest, True
            line, empty = (line + word if empty else f"{line} {word}"), False
        lines.append(line)
    return [line.replace(GLUE, " ") for line in lines]


def fields(pairs: Sequence[tuple[str, str]], columns: int | None) -> list[str]:
    """Return label and text, one below the other, the texts aligned and wrapped."""
    room = max((width(label) for label, _ in pairs), default=0)
    lines: list[str] = []
    for label, text in pairs:
        head = "  " + label + " " * (room - width(label) + 2)
        lines += wrap(text, columns, head, " " * width(head))
    return lines
