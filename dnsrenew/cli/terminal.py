"""Where text leaves the program: two streams, their colours, their characters, their width.

Colours travel as characters of the private use area; the stream turns them into escape
sequences or drops them. So everything else may pass through one table that takes control
characters out: what a CA or a name server says must not steer the terminal.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO

from dnsrenew.cli.output_thread import WriterThread

if TYPE_CHECKING:
    import argparse

    from dnsrenew.errors import DnsRenewError

END, GREEN, RED, YELLOW, DIM, BOLD = "\ue000", "\ue001", "\ue002", "\ue003", "\ue004", "\ue005"
_ANSI: Final = {END: "\x1b[0m", GREEN: "\x1b[32m", RED: "\x1b[31m", YELLOW: "\x1b[33m", DIM: "\x1b[2m", BOLD: "\x1b[1m"}
SHOW_CURSOR: Final = "\x1b[?25h"
_CONTROL: Final = {
    code: "?"
    for codes in (range(0x20), range(0x7F, 0xA0), range(0x202A, 0x202F), range(0x2066, 0x206A))
    for code in codes
    if code != 0x0A
} | {0x09: " "}
_WITH_COLOUR: Final = {ord(mark): code for mark, code in _ANSI.items()} | _CONTROL
_WITHOUT_COLOUR: Final = {ord(mark): "" for mark in _ANSI} | _CONTROL
_ASCII: Final = str.maketrans(
    {"✓": "+", "✗": "x", "·": "-", "…": "...", "—": "-", "–": "-", "→": "->", "•": "*", "“": '"', "”": '"', "’": "'"}
    | {"×": "x"}
)
_NEEDED: Final = "✓✗·…—→•“”’×"


def green(text: str) -> str:
    """Mark as good."""
    return f"{GREEN}{text}{END}"


def red(text: str) -> str:
    """Mark as failed."""
    return f"{RED}{text}{END}"


def yellow(text: str) -> str:
    """Mark as something to look at."""
    return f"{YELLOW}{text}{END}"


def dim(text: str) -> str:
    """Mark as less important."""
    return f"{DIM}{text}{END}"


def bold(text: str) -> str:
    """Mark as a heading."""
    return f"{BOLD}{text}{END}"


def abandon(stream: TextIO) -> None:
    """Let nothing more be written to a stream whose reader went away (nor at the interpreter's end)."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass


class Output:
    """One of the two streams. Writing to it never raises.

    :ivar terminal: whether a person sits in front of it.
    :ivar failed: why nothing can be written to it any more; None while all is well, "" when its reader left.
    :ivar channel: what writes, or None: whoever calls.
    """

    def __init__(self, stream: TextIO | None, *, colour: bool, dumb: bool) -> None:
        self.stream = stream
        self.failed: str | None = None
        self.channel: WriterThread | None = None
        self.terminal = stream is not None and _is_terminal(stream)
        self.colour = colour and self.terminal and not dumb and _takes_escapes(stream)
        self.moves = self.terminal and not dumb and _takes_escapes(stream)
        self._ascii = not _encodes(stream)
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def size(self) -> tuple[int | None, int]:
        """Return columns (None: as many as one likes) and rows."""
        if not self.terminal or self.stream is None:
            return None, 24
        try:
            size = os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError):
            return 80, 24
        return max(size.columns, 20) if size.columns else 80, size.lines or 24

    def shown(self, text: str) -> str:
        """Return the text in characters that the stream has; the colour marks stay."""
        return text.translate(_ASCII) if self._ascii else text

    def dressed(self, text: str) -> str:
        """Return the text with colour marks turned into what the stream understands."""
        return text.translate(_WITH_COLOUR if self.colour else _WITHOUT_COLOUR)

    def line(self, text: str) -> None:
        """Write one or more lines."""
        self.raw(self.dressed(self.shown(text)) + "\n")

    def raw(self, text: str) -> None:
        """Write as it is, at once or as soon as the reader has read what came before."""
        if self.channel is None:
            self._write(text)
        else:
            self.channel.put(partial(self._write, text))

    @property
    def is_behind(self) -> bool:
        """Whether its reader has not read all yet."""
        return self.channel is not None and self.channel.is_behind

    def drain(self, most: float = math.inf) -> bool:
        """Wait until all is written, and return whether it is: see :meth:`Channel.drain`."""
        return self.channel is None or self.channel.drain(most)

    def _write(self, text: str) -> None:
        if self.stream is None or self.failed is not None:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except BrokenPipeError:
            self._give_up("")
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            self._give_up(getattr(error, "strerror", None) or "it is closed")

    def _give_up(self, why: str) -> None:
        self.failed = why
        if self.stream is not None:
            abandon(self.stream)


class Display(Protocol):
    """A live display that other lines must not run into."""

    def line(self, text: str) -> None:
        """Write a line that stays, above what moves."""

    def resume(self) -> None:
        """Others have written to the terminal while the process was stopped."""


class Terminal:
    """Both streams, and who may write what to them.

    :ivar quiet: only errors and warnings on standard error.
    :ivar json: standard output holds one JSON document.
    :ivar verbose: how often ``-v`` was given.
    :ivar log_line: makes a line of a log of what goes to standard error; None: it is said as it is.
    :ivar answered: whether a result has been written: with ``json`` the only one.
    :ivar redact: takes the secrets of the run out of a traceback, and out of a line of the log.
    """

    def __init__(self, *, json: bool = False, quiet: bool = False, verbose: int = 0, colour: bool = True) -> None:
        dumb = os.environ.get("TERM") == "dumb"
        colour = colour and not os.environ.get("NO_COLOR")
        self.json = json
        self.quiet = quiet
        self.verbose = verbose
        self.answered = False
        self.redact: Callable[[str], str] = str  # until there is a run that knows of any
        self.display: Display | None = None
        self.log_line: Callable[[str], str] | None = None
        self.out = Output(sys.stdout, colour=colour, dumb=dumb)
        self.err = Output(sys.stderr, colour=colour, dumb=dumb)

    def apply_options(self, options: argparse.Namespace) -> None:
        """Take what the command line says of it."""
        self.json, self.quiet, self.verbose = options.json, options.quiet, options.verbose
        if options.no_color:
            self.out.colour = self.err.colour = False

    @contextlib.contextmanager
    def unblocked(self, left: Callable[[], float | None]) -> Iterator[None]:
        """Write in threads meanwhile: one for each stream, so that one that is stuck does not hold up the other.

        :param left: as for :class:`Channel`.
        """
        self.out.channel, self.err.channel = channels = WriterThread(left), WriterThread(left)
        try:
            yield
        finally:
            for channel in channels:
                channel.close()

    def drain(self) -> bool:
        """Wait until all is written, and return whether it is; after a signal not for long."""
        return all([self.err.drain(), self.out.drain()])

    def result(self, text: str) -> None:
        """Write a line of the result that people read."""
        if not self.json:
            self._deliver(self.out.dressed(self.out.shown(text)))

    def document(self, value: Mapping[str, Any]) -> None:
        """Write the one JSON document; a second one is dropped."""
        if self.json and not self.answered:
            self._deliver(json.dumps({"version": 1, **value}, default=str))

    def _deliver(self, text: str) -> None:
        """Write to standard output, after all that was said on standard error, and before what is said from now on."""
        self.err.drain()
        self.answered = True  # not before: a second signal meanwhile has its own last words
        self.out.raw(text + "\n")
        self.out.drain()

    def error(self, error: DnsRenewError) -> None:
        """Write the JSON document of an error that came before any certificate."""
        self.document({"error": error.to_dict()})

    def say(self, text: str) -> None:
        """Write an error or a warning to standard error."""
        if self.log_line is not None:
            self.err.line(self.log_line(text))
        elif self.display is None:
            self.err.line(text)
        else:
            self.display.line(text)

    def note(self, text: str) -> None:
        """Write to standard error what is not needed with ``-q``."""
        if not self.quiet:
            self.say(text)

    @property
    def same_terminal(self) -> bool:
        """Whether progress and result meet the same eyes."""
        return self.out.terminal and self.err.terminal and not self.json


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def _encodes(stream: TextIO | None) -> bool:
    try:
        _NEEDED.encode(getattr(stream, "encoding", None) or "utf-8")  # a StringIO has none, and takes all
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _takes_escapes(stream: TextIO | None) -> bool:
    """Tell whether escape sequences work; a Windows console must be asked to."""
    if sys.platform != "win32":
        return True
    try:
        import ctypes
        import msvcrt

        handle = msvcrt.get_osfhandle(stream.fileno()) if stream else -1
        mode = ctypes.c_ulong()
        kernel = ctypes.windll.kernel32
        return bool(kernel.GetConsoleMode(handle, ctypes.byref(mode)) and kernel.SetConsoleMode(handle, mode.value | 4))
    except (OSError, ValueError, ImportError):
        return False
