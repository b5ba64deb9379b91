"""Questions at a terminal in plain lines: nothing is drawn anew, so that a screen reader can follow."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.error_text import lines
from dnsrenew.cli.language import say, sentences
from dnsrenew.cli.terminal import bold, dim, red, yellow
from dnsrenew.errors import stopped

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.errors import DnsRenewError
    from dnsrenew.extensions.setup.init.draft import Prompt

_LONGEST: Final = 4096
"""Bytes of a line that a terminal passes on."""
_HELP: Final = "?"


class TerminalPerson:
    """The person at the terminal: standard error shows, standard input answers."""

    def __init__(self, invocation: Invocation) -> None:
        self._signals = invocation.signals
        self._terminal = invocation.terminal

    def ask(self, prompt: Prompt) -> str:
        """Return the answer; the default for an empty line. ``?`` shows help.

        :raises Cancelled: Ctrl-C, or the end of the input.
        """
        while True:
            answer = self._asked(prompt)
            if answer != _HELP:
                return answer or prompt.default
            self.say(prompt.help)

    def say(self, text: str) -> None:
        """Show what was found."""
        self._write(say(text), f"{dim('·')} ")

    def refuse(self, error: DnsRenewError) -> None:
        """Show why an answer is not taken."""
        err = self._terminal.err
        self._terminal.write_message("\n".join(lines(error, err.size()[0], f"{red('✗')} ")))

    def doubt(self, error: DnsRenewError) -> None:
        """Show what is doubtful about an answer that is taken."""
        self._write(sentences(error.message, error.fix), f"{yellow('!')} ")

    def wait(self, work: Callable[[], Any]) -> Any:
        """Do work that takes a while.

        :raises Cancelled: Ctrl-C; the work has ended first.
        """
        return self._signals.run(work, cleans_up=True)

    def _write(self, text: str, head: str) -> None:
        self._terminal.write_message("\n".join(formatting.wrap(text, self._terminal.err.size()[0], head, "  ")))

    def _show(self, prompt: Prompt) -> None:
        """Write the question, and the default in brackets behind it, or on a line of its own."""
        err = self._terminal.err
        columns = err.size()[0]
        shown = say(prompt.shown) or prompt.default
        end = texts.PROMPT.format(default=shown) if shown else ""
        asked = "\n".join(map(say, (prompt.text, *prompt.lines)))
        text = [bold(line) for line in formatting.wrap(asked, columns, f"{yellow('?')} ", "  ")]
        fits = columns is None or formatting.width(text[-1]) + len(end) + 1 < columns - _ROOM
        if end:
            text = [*text[:-1], f"{text[-1]} {end}"] if fits else [*text, f"  {end}"]
        err.write(err.render(err.encodable("\n".join(text))) + " ")
        self._terminal.drain()

    def _asked(self, prompt: Prompt) -> str:
        """Show the question, and return a line without blanks at its ends.

        :raises Cancelled: Ctrl-C, or the end of the input.
        """
        answer = ""
        try:
            with _without_echo() if prompt.is_secret else contextlib.nullcontext():
                self._show(prompt)
                answer = self._signals.run(_line)
        finally:
            if prompt.is_secret or not answer.endswith("\n"):
                self._terminal.err.write("\n")  # the cursor is still behind the question
        if not answer:
            raise stopped()
        return answer.strip()


_ROOM: Final = 16
"""Columns that are left for an answer on the line of the question."""


def _line() -> str:
    """Read a line. Not with ``input``: after Ctrl-C its lock would stop the interpreter's exit."""
    return os.read(sys.stdin.fileno(), _LONGEST).decode("utf-8", "replace")


@contextlib.contextmanager
def _without_echo() -> Iterator[None]:
    """Keep a secret off the screen while it is typed, where the terminal allows it."""
    try:
        import termios
    except ImportError:  # Windows
        yield
        return
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    quiet = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(handle, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
