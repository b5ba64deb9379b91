"""The program at a terminal: its questions are waited for and answered. POSIX."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.lab.forks import Forks

PATIENCE: Final = 40.0
_TAKE_TERMINAL: Final = """import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])"""
"""Makes the terminal that of the new session, so that Ctrl-C is a signal; then starts the program."""
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Dialogue:
    """A program whose standard streams are a terminal.

    :ivar shown: all that was on the terminal, escape sequences too.
    """

    process: subprocess.Popen[Any]
    handle: int
    shown: str = ""
    _read_to: int = 0

    @classmethod
    @contextmanager
    def start(
        cls,
        argv: Sequence[str],
        folder: Path,
        env: Mapping[str, str],
        *,
        columns: int = 80,
        term: str = "xterm",
        forks: Forks | None = None,
    ) -> Iterator[Dialogue]:
        """Start a program, and end it with the block.

        :param forks: what has loaded dnsrenew and forks it; ``argv`` are its arguments then.
        """
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        env = {**env, "TERM": term}
        process: subprocess.Popen[Any]
        if forks is not None:
            process = forks.start(argv, folder, env, [theirs, theirs])
        else:
            process = subprocess.Popen(
                [sys.executable, "-c", _TAKE_TERMINAL, *argv],
                cwd=folder,
                env=env,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
            )
        os.close(theirs)
        dialogue = cls(process, ours)
        try:
            yield dialogue
        finally:
            process.kill()
            process.wait()
            os.close(ours)

    @property
    def text(self) -> str:
        """The text of the terminal, without escape sequences."""
        return _ESCAPES.sub("", self.shown).replace("\r", "")

    def expect(self, words: str) -> str:
        """Wait until the terminal shows these words after those expected before; return the text until then.

        Where the terminal is narrow, a line break can stand for a blank.
        """
        pattern = re.compile(r"\s+".join(map(re.escape, words.split())))
        end = time.monotonic() + PATIENCE
        while True:
            found = pattern.search(self.text, self._read_to)
            if found is not None:
                before = self.text[self._read_to : found.start()]
                self._read_to = found.end()
                return before
            assert time.monotonic() < end, f"{words!r} is not shown:\n{self.text}"
            if not self._read(0.2):
                assert self.process.poll() is None, f"{words!r} is not shown, and the program has ended:\n{self.text}"

    def answer(self, question: str, text: str = "") -> None:
        """Wait for a question, and answer it with a line."""
        self.expect(question)
        self.type(text)

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self.handle, f"{text}\n".encode())

    def interrupt(self) -> None:
        """Type Ctrl-C."""
        os.write(self.handle, b"\x03")

    def end(self) -> int:
        """Wait for the end; return the exit status."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, f"The program does not end:\n{self.text}"
            self._read(0.1)
        while self._read(0.0):
            pass
        return self.process.returncode

    def _read(self, seconds: float) -> bool:
        """Read the available output; return False if there was none."""
        if not select.select([self.handle], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.handle, 65536)
        except OSError:  # the other end is closed
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)

    def kill(self) -> None:
        """Kill the program."""
        self.process.send_signal(signal.SIGKILL)
