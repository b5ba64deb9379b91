"""The two output streams: colours, encoding, width.

Colours are marked by characters of the private use area. The stream turns the marks into
escape sequences or drops them, and replaces every other control character, because a text
from a CA or a name server must not control the terminal.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO

from dnsrenew.base.values import Frozen
from dnsrenew.cli.formatting import document, marked

if TYPE_CHECKING:
    from dnsrenew.base.model import Outcome
    from dnsrenew.cli.arguments import Options
    from dnsrenew.errors import DnsRenewError

# ── line fields ────────────────────────────────────────────────────────────────────────

# What a line on standard error is about; the journal of systemd keeps it as fields of the line.

ERROR: Final = 3
WARNING: Final = 4
INFO: Final = 6
"""Priorities, as in syslog(3)."""


class LineFields(Frozen):
    """The fields of one line.

    :ivar priority: a priority of syslog(3).
    :ivar certificate: the name of the certificate, or None.
    :ivar code: the code of the error or warning, or None.
    """

    priority: int = WARNING
    certificate: str | None = None
    code: str | None = None


WARNING_LINE: Final = LineFields(WARNING)
INFO_LINE: Final = LineFields(INFO)


def outcome_fields(outcome: Outcome) -> LineFields:
    """Return the fields of the line for an outcome with an error or a failed deployment."""
    if outcome.error is not None:
        return LineFields(ERROR, outcome.name, outcome.error.code)
    errors = (result.error for result in outcome.deployed if not result.ok and result.error is not None)
    return LineFields(ERROR, outcome.name, next((error.code for error in errors), None))


# ── terminal ───────────────────────────────────────────────────────────────────────────

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
_REPLACED: Final = re.compile(f"[{''.join(map(re.escape, map(chr, _WITH_COLOUR)))}]")
"""The characters that rendering replaces. They are rare, so searching a long text is faster than translating each."""
_ASCII: Final = str.maketrans(
    {"✓": "+", "✗": "x", "·": "-", "…": "...", "—": "-", "–": "-", "→": "->", "•": "*", "“": '"', "”": '"', "’": "'"}
    | {"×": "x"}
)
_NEEDED: Final = "✓✗·…—→•“”’×"


def _coloured(mark: str, text: str) -> str:
    return f"{mark}{text}{END}"


green, red, yellow = (partial(_coloured, mark) for mark in (GREEN, RED, YELLOW))
"""Colours of a text that reports success, that reports failure, or that needs attention."""
dim, bold = (partial(_coloured, mark) for mark in (DIM, BOLD))
"""Styles for a less important text, and for a heading."""


def abandon(stream: TextIO) -> None:
    """Redirect a stream without a reader to the null device, so that the interpreter's final flush cannot fail."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


class Output:
    """One of the two streams. Writing to it never raises.

    :ivar is_terminal: whether the stream is a terminal.
    :ivar can_move_cursor: whether the terminal supports escape sequences that move the cursor.
    :ivar failure: why writing failed; "" after a broken pipe, None without a failure.
    :ivar writer: the thread that writes; None writes in the caller's thread.
    """

    def __init__(self, stream: TextIO | None, *, colour: bool, dumb: bool) -> None:
        self.stream = stream
        self.failure: str | None = None
        self.writer: WriterThread | None = None
        self.is_terminal = stream is not None and _is_terminal(stream)
        self.can_move_cursor = self.is_terminal and not dumb and _takes_escapes(stream)
        self.colour = colour and self.can_move_cursor
        self._ascii = not _encodes(stream)
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def size(self) -> tuple[int | None, int]:
        """Return columns and rows.

        Columns are None if the stream is not a terminal, so that lines may have any width.
        """
        if not self.is_terminal or self.stream is None:
            return None, 24
        try:
            size = os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError):
            return 80, 24
        return max(size.columns, 20) if size.columns else 80, size.lines or 24

    def encodable(self, text: str) -> str:
        """Return the text in characters that the stream can encode. The colour marks stay."""
        return text.translate(_ASCII) if self._ascii else text

    def render(self, text: str) -> str:
        """Return the text with its colour marks replaced by escape sequences, or removed."""
        replaced = _WITH_COLOUR if self.colour else _WITHOUT_COLOUR
        return _REPLACED.sub(lambda found: replaced[ord(found[0])], text)

    def write_line(self, text: str) -> None:
        """Write one or more lines."""
        self.write(self.render(self.encodable(text)) + "\n")

    def write(self, text: str) -> None:
        """Write the text unchanged, or queue it for the writer thread."""
        self.put(partial(self.write_now, text))

    def put(self, write: Callable[[], object]) -> None:
        """Call a function that writes, or queue it for the writer thread."""
        if self.writer is None:
            write()
        else:
            self.writer.put(write)

    @property
    def is_behind(self) -> bool:
        """Whether queued text has not been written yet."""
        return self.writer is not None and self.writer.is_behind

    def drain(self, timeout: float = math.inf) -> bool:
        """Wait until everything is written, and return whether it is; see :meth:`WriterThread.drain`."""
        return self.writer is None or self.writer.drain(timeout)

    def write_now(self, text: str) -> None:
        """Write the text, in this thread."""
        if self.stream is None or self.failure is not None:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except BrokenPipeError:
            self._fail("")
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            self._fail(getattr(error, "strerror", None) or "it is closed")

    def _fail(self, reason: str) -> None:
        self.failure = reason
        if self.stream is not None:
            abandon(self.stream)


Lines = Callable[[int | None], list[str]]
"""Returns a text in lines that fit a number of columns; None means any width."""


class Display(Protocol):
    """A live display. Other lines must be written through it."""

    def write_line(self, text: str) -> None:
        """Write a permanent line above the live display."""

    def resume(self) -> None:
        """Redraw after Ctrl-Z and ``fg``, because the shell has written to the terminal."""


class Terminal:
    """Both output streams.

    :ivar quiet: write only errors and warnings to standard error.
    :ivar json: write one JSON document to standard output.
    :ivar verbose: how often ``-v`` was given.
    :ivar log_line: formats texts on standard error as log lines; None writes them unchanged.
    :ivar journal_line: sends texts to the journal instead; None if the journal does not read standard error.
    :ivar result_written: whether a result has been written; with ``json`` there is only one.
    :ivar redact: removes the secrets of the run from tracebacks and log lines.
    """

    def __init__(self, *, json: bool = False, quiet: bool = False, verbose: int = 0, colour: bool = True) -> None:
        dumb = os.environ.get("TERM") == "dumb"
        colour = colour and not os.environ.get("NO_COLOR")
        self.json = json
        self.quiet = quiet
        self.verbose = verbose
        self.result_written = False
        self.redact: Callable[[str], str] = str  # replaced when a run has secrets
        self.display: Display | None = None
        self.log_line: Callable[[str], str] | None = None
        self.journal_line: Callable[[str, LineFields], None] | None = None
        self.out = Output(sys.stdout, colour=colour, dumb=dumb)
        self.err = Output(sys.stderr, colour=colour, dumb=dumb)

    def apply_options(self, options: Options) -> None:
        """Apply the options of the command line."""
        self.json, self.quiet, self.verbose = options.json, options.quiet, options.verbose
        if options.no_color:
            self.out.colour = self.err.colour = False

    @contextlib.contextmanager
    def writer_threads(self, seconds_left: Callable[[], float | None]) -> Iterator[None]:
        """Write in one thread per stream, so that a blocked stream does not block the other.

        :param seconds_left: as for :class:`WriterThread`.
        """
        self.out.writer, self.err.writer = writers = WriterThread(seconds_left), WriterThread(seconds_left)
        try:
            yield
        finally:
            for writer in writers:
                writer.close()

    def drain(self) -> bool:
        """Wait until everything is written, and return whether it is. After a signal, the wait is short."""
        return all([self.err.drain(), self.out.drain()])

    def write_result(self, text: str) -> None:
        """Write a result for people to standard output, except with ``json``."""
        if not self.json:
            self._write_output(self.out.render(self.out.encodable(text)))

    def report(self, lines: Lines, problems: Lines) -> None:
        """Write a result for people. With ``json`` or ``quiet``, write only its problems, to standard error."""
        only_problems = self.json or self.quiet
        made = problems(self.err.size()[0]) if only_problems else lines(self.out.size()[0])
        if made:
            (self.write_message if only_problems else self.write_result)("\n".join(made))

    def write_document(self, value: Mapping[str, Any]) -> None:
        """Write the JSON document. A second one is dropped."""
        if self.json and not self.result_written:
            self._write_output(json.dumps({"version": 1, **document(value)}, default=str))

    def _write_output(self, text: str) -> None:
        """Write to standard output, in order with the output to standard error."""
        self.err.drain()
        self.result_written = True  # after the drain, because a second signal during it writes its own document
        self.out.write(text + "\n")
        self.out.drain()

    def write_error_document(self, error: DnsRenewError) -> None:
        """Write the JSON document for an error outside any certificate."""
        self.write_document({"error": error.to_dict()})

    def write_message(self, text: str, fields: LineFields = WARNING_LINE) -> None:
        """Write an error or a warning to standard error."""
        if self.journal_line is not None:
            self.journal_line(text, fields)
        elif self.log_line is not None:
            self.err.write_line(self.log_line(text))
        elif self.display is None:
            self.err.write_line(text)
        else:
            self.display.write_line(text)

    def write_marked(self, mark: str, text: str) -> None:
        """Write an error or a warning after a mark, in lines that fit."""
        self.write_message("\n".join(marked(mark, text, self.err.size()[0])))

    def write_marked_result(self, mark: str, text: str) -> None:
        """Write a result for people after a mark, in lines that fit."""
        self.write_result("\n".join(marked(mark, text, self.out.size()[0])))

    def write_info(self, text: str, fields: LineFields = INFO_LINE) -> None:
        """Write to standard error, except with ``-q``."""
        if not self.quiet:
            self.write_message(text, fields)

    @property
    def is_attended(self) -> bool:
        """Whether a person is at the terminal, who can type and sees the progress."""
        return self.err.is_terminal and sys.stdin is not None and _is_terminal(sys.stdin)

    @property
    def same_terminal(self) -> bool:
        """Whether progress and result appear on the same terminal."""
        return self.out.is_terminal and self.err.is_terminal and not self.json


def _is_terminal(stream: TextIO) -> bool:
    with contextlib.suppress(ValueError):  # closed
        return stream.isatty()
    return False


def _encodes(stream: TextIO | None) -> bool:
    try:
        _NEEDED.encode(getattr(stream, "encoding", None) or "utf-8")  # a StringIO has no encoding and takes everything
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _takes_escapes(stream: TextIO | None) -> bool:
    """Return whether escape sequences work. A Windows console must enable them."""
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


# ── output thread ──────────────────────────────────────────────────────────────────────

# A writer thread, so that a blocked reader (Ctrl-S, a full pipe) cannot prevent a run from stopping.
#
# It uses real time and not the clock of the run, because the reader is real.

_CAPACITY: Final = 10_000
"""The number of queued texts at which ``put`` blocks."""
_FINAL: Final = 1.0
"""Seconds for writing the queue after a signal."""
_SLICE: Final = 0.05


class WriterThread:
    """Runs queued writes in order.

    A signal handler may use it: it takes no lock that the interrupted code could hold.

    :param seconds_left: returns the seconds until the process must have ended, or None before a signal.
    """

    def __init__(self, seconds_left: Callable[[], float | None]) -> None:
        self._seconds_left = seconds_left
        self._deadline = math.inf  # set by the first drain after a signal
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        threading.Thread(target=self._work, name="dnsrenew-output", daemon=True).start()

    @property
    def is_behind(self) -> bool:
        """Whether the queue holds a write."""
        return not self._queue.empty()

    def put(self, write: Callable[[], object]) -> None:
        """Queue a write. Block only while the queue is full and no signal has arrived."""
        while self._queue.qsize() >= _CAPACITY and self._seconds_left() is None:
            time.sleep(_SLICE)
        self._queue.put(write)

    def drain(self, timeout: float = math.inf) -> bool:
        """Wait until the queue is written, and return whether it is. After a signal, the wait is short.

        :param timeout: the maximum seconds to wait.
        """
        written = threading.Event()
        self._queue.put(written.set)
        end = time.monotonic() + timeout
        while not written.wait(_SLICE):
            now, left = time.monotonic(), self._seconds_left()
            if left is not None:
                self._deadline = min(self._deadline, now + min(_FINAL, left / 2))  # the rest is for the other stream
            if now >= min(end, self._deadline):
                return False
        return True

    def close(self) -> None:
        """End the thread after the queued writes. Later writes are dropped."""
        self._queue.put(None)

    def _work(self) -> None:
        while (write := self._queue.get()) is not None:
            with contextlib.suppress(Exception):  # a failed write must not stop the next ones
                write()
