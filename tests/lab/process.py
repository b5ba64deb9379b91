"""A server as a child process, with a log, a check of its readiness, and a certain end."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_POLL = 0.005
_TAIL = 30


class ServerFailedError(RuntimeError):
    """A server ended, or was not ready in time; the message ends with the end of its log."""


def find_program(name: str) -> str:
    """The path of a server's program; Debian keeps some in sbin, which a user's PATH lacks."""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/sbin"])
    found = shutil.which(name, path=search)
    if found is None:
        message = f"the lab needs the program {name}, and it is not installed"
        raise ServerFailedError(message)
    return found


class ServerProcess:
    """One child process with a log file. It also dies when we are killed: see `start`."""

    def __init__(self, name: str, argv: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> None:
        """Nothing is started yet. `env` is added to our own environment."""
        self.name = name
        self.argv = list(argv)
        self.log_path = folder / f"{name}.log"
        self._env = dict(env or {})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it. Call this from a thread that lives as long as the server is needed.

        setpriv asks the kernel to kill the server when the thread that started it is gone, so a killed test run
        leaves no server behind. (A preexec_fn could do it too, but forks a process that has threads, which Python
        3.12 warns of.)
        """
        argv = [find_program("setpriv"), "--pdeathsig", "KILL", "--", *self.argv]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._env},
                cwd=self.log_path.parent,
                start_new_session=True,  # a Ctrl-C in the terminal is for the program under test, not for its servers
            )
        return self

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            message = f"{self.name} was not started"
            raise ServerFailedError(message)
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def wait_ready(self, ready: Callable[[], bool], timeout: float = 60.0) -> None:
        """Poll `ready` (which must not block for long) until it is true."""
        end = time.monotonic() + timeout
        while not ready():
            if self._process is None or self._process.poll() is not None:
                code = None if self._process is None else self._process.returncode
                self._fail(f"{self.name} ended with status {code} before it was ready")
            if time.monotonic() > end:
                self._fail(f"{self.name} was not ready after {timeout:g} s")
            time.sleep(_POLL)

    def stop(self) -> None:
        """Kill the process, because a tidy end takes BIND a tenth of a second. May be called twice."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def log(self) -> str:
        """Return the complete log so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def _fail(self, what: str) -> None:
        tail = "\n".join(self.log().splitlines()[-_TAIL:])
        message = f"{what}\nlast lines of {self.log_path}:\n{tail}"
        raise ServerFailedError(message)
