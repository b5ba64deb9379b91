"""A line that can be edited while it is typed, with arrows, Home, End and earlier lines. For POSIX terminals.

Only the tail of the line from the cursor on is written, so that typing at the end moves nothing, which helps screen
readers. Python's readline would read in the main thread, which waits for signals.
"""

from __future__ import annotations

import codecs
import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from dnsrenew.cli import formatting

try:
    import termios
except ImportError:  # Windows, whose console edits lines itself
    termios = None  # type: ignore[assignment]


_CONTROLS: Final = {
    "\x01": "home",
    "\x02": "left",
    "\x05": "end",
    "\x06": "right",
    "\x0e": "down",
    "\x10": "up",
    **dict.fromkeys(("\x08", "\x7f"), "back"),
    "\x0b": "cut-after",
    "\x15": "cut-before",
    "\x17": "cut-word",
}
_SEQUENCES: Final = {
    "A": "up",
    "B": "down",
    "C": "right",
    "D": "left",
    **dict.fromkeys(("H", "1~", "7~"), "home"),
    **dict.fromkeys(("F", "4~", "8~"), "end"),
    "3~": "delete",
}
_CTRL_D: Final = "\x04"


def can_edit() -> bool:
    """Return whether the terminal can move its cursor within a line."""
    return termios is not None and os.environ.get("TERM", "dumb") != "dumb"


@contextlib.contextmanager
def keys_alone(handle: int) -> Iterator[None]:
    """Make the terminal pass on each key without showing it. Ctrl-C stays a signal."""
    before = termios.tcgetattr(handle)
    control = [*before[6]]
    control[termios.VMIN], control[termios.VTIME] = 1, 0
    flags = before[3] & ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(handle, termios.TCSADRAIN, [*before[:3], flags, *before[4:6], control])
    try:
        yield
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


class LineEditor:
    """Reads one line.

    :param read: returns the next byte; empty at the end of the input.
    :param write: writes to the terminal.
    :param earlier: earlier lines for the arrow up, oldest first.
    """

    def __init__(self, read: Callable[[], bytes], write: Callable[[str], None], earlier: Sequence[str] = ()) -> None:
        self._read, self._write = read, write
        self._lines = [*earlier, ""]
        self._at = len(earlier)
        self._text, self._cursor = "", 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def line(self) -> str:
        """Return the line with its end; "" at the end of the input, or after Ctrl-D in an empty line."""
        while True:
            key = self._key()
            if key in {"\n", "\r"}:
                self._go(len(self._text))
                self._write("\n")
                return f"{self._text}\n"
            if not key or (key == _CTRL_D and not self._text):
                return ""
            if key == "\x1b":
                self._do(_SEQUENCES.get(self._sequence(), ""))
            elif key in _CONTROLS or key == _CTRL_D:
                self._do(_CONTROLS.get(key, "delete"))
            elif key.isprintable() and len(self._text) < 4096:
                self._replace(self._cursor, self._cursor, key)

    def _key(self) -> str:
        while data := self._read():
            if key := self._decoder.decode(data):
                return key
        return ""

    def _sequence(self) -> str:
        """Return the part of an escape sequence after its introducer."""
        if self._key() not in {"[", "O"}:
            return ""
        found = ""
        while len(found) < 8 and (key := self._key()):
            found += key
            if key.isalpha() or key == "~":
                break
        return found

    def _do(self, command: str) -> None:
        here, end = self._cursor, len(self._text)
        match command:
            case "left" | "right" | "home" | "end":
                self._go({"left": max(here - 1, 0), "right": min(here + 1, end), "home": 0, "end": end}[command])
            case "back" if here:
                self._replace(here - 1, here)
            case "delete" if here < end:
                self._replace(here, here + 1)
            case "cut-after":
                self._replace(here, end)
            case "cut-before":
                self._replace(0, here)
            case "cut-word":
                before = self._text[:here].rstrip()
                self._replace(before.rfind(" ") + 1, here)
            case "up" | "down":
                self._bring(self._at + (1 if command == "down" else -1))

    def _bring(self, number: int) -> None:
        """Show another line instead of this one, which keeps its edits."""
        if 0 <= number < len(self._lines):
            self._lines[self._at] = self._text
            self._at = number
            self._replace(0, len(self._text), self._lines[number])

    def _go(self, where: int) -> None:
        """Move the cursor."""
        if where < self._cursor:
            self._write("\b" * formatting.width(self._text[where : self._cursor]))
        else:
            self._write(self._text[self._cursor : where])
        self._cursor = where

    def _replace(self, start: int, end: int, new: str = "") -> None:
        """Replace a part of the line, and put the cursor after the new text."""
        self._go(start)
        tail, old = self._text[end:], formatting.width(self._text[start:])
        self._text = self._text[:start] + new + tail
        gone = max(old - formatting.width(new + tail), 0)
        back = gone + formatting.width(tail)
        self._write(f"{new}{tail}{' ' * gone}" + "\b" * back)
        self._cursor = start + len(new)
