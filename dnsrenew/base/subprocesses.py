"""Programs that we run: what they are given of our environment, and that none takes more than its time or outlives us.

The environment is where secrets often are (``env:NAME``): who fetches one of them has no business with the others.
So a program gets the variables below and no other, unless the configuration names it.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Final

from dnsrenew.base import threads
from dnsrenew.base.values import Frozen
from dnsrenew.errors import stopped

if TYPE_CHECKING:
    import subprocess

_SLICE: Final = 0.1
"""Seconds after which it is noticed that a program is to be ended."""
_LINGER: Final = 2.0
"""Seconds to read what a program has printed, after its end: what it has left running may hold its output open."""

_NEEDED: Final = frozenset(
    (
        # Who and where it is, and how it speaks.
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR"),
        # How it reaches a session's keyring or agent, and where it keeps its own: addresses and folders.
        *("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "SSH_AUTH_SOCK"),
        *("GNUPGHOME", "GPG_TTY", "PASSWORD_STORE_DIR", "PASSWORD_STORE_GPG_OPTS"),
        # Whom it trusts.
        *("SSL_CERT_FILE", "SSL_CERT_DIR"),
        # Without these, programs do not start on Windows.
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERNAME", "USERDOMAIN"),
        *("USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES"),
    )
)
_NEEDED_THAT_BEGIN: Final = ("LC_", "XDG_")


def environment(names: Iterable[str] = (), environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a program.

    :param names: what it gets besides, where it is set.
    """
    wanted = _NEEDED | set(names)
    return {name: value for name, value in environ.items() if name in wanted or name.startswith(_NEEDED_THAT_BEGIN)}


class Ended(Frozen):
    """What a program came to.

    :ivar status: None if it was ended by us before it ended by itself.
    :ivar out: what it printed; longer than the limit if it printed too much.
    """

    status: int | None
    out: bytes


def run(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    seconds: float,
    limit: int,
    cancel: threading.Event | None = None,
) -> Ended:
    """Run a program without a shell or a terminal, and return what it printed; what it says of errors is dropped.

    What it has started ends with it when it is ended by us; but what has made itself independent of it (a daemon, in
    a session of its own) goes on, and so does what it leaves running when it ends by itself.

    :param seconds: it may take; then it is ended.
    :param limit: of bytes that it may print; when it prints more, nobody reads on, and it is ended.
    :param cancel: ends it when set.
    :raises OSError: it cannot be run.
    :raises Cancelled: when cancelled, or the process is about to end.
    """
    if not arguments or any("\0" in argument for argument in arguments):
        raise FileNotFoundError(errno.ENOENT, "no program can have this name or these arguments")
    process = RUNNING.start(arguments, env)
    del env  # what looks at the variables in a traceback must not see it
    try:
        assert process.stdout is not None  # noqa: S101  # for the type checker: it is a pipe
        printed = _Printed(process.stdout, limit)
        status = _status(process, printed, time.monotonic() + seconds, cancel)
    finally:
        RUNNING.end(process)
    if status is not None:
        printed.wait(_LINGER)
    return Ended(status=status, out=printed.read())


def _status(
    process: subprocess.Popen[bytes], printed: _Printed, end: float, cancel: threading.Event | None
) -> int | None:
    import subprocess

    while time.monotonic() < end and not printed.is_too_long():
        if cancel is not None and cancel.is_set():
            raise stopped()
        try:
            return process.wait(_SLICE)
        except subprocess.TimeoutExpired:
            pass
    return None


class _Printed:
    """What a program prints, read in a thread of its own: nobody waits for whoever holds the pipe open."""

    def __init__(self, pipe: IO[bytes], limit: int) -> None:
        self._limit = limit
        self._out = bytearray()
        self._task = threads.start(lambda: self._read_all(pipe))

    def _read_all(self, pipe: IO[bytes]) -> None:
        with pipe:
            while not self.is_too_long() and (piece := os.read(pipe.fileno(), self._limit)):
                self._out += piece

    def is_too_long(self) -> bool:
        return len(self._out) > self._limit

    def wait(self, seconds: float) -> None:
        self._task.done.wait(seconds)

    def read(self) -> bytes:
        return bytes(self._out)


class _Running:
    """The programs that run."""

    def __init__(self) -> None:
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.RLock()  # which a signal handler may take although its own thread holds it
        self._is_over = False
        self._is_known = False  # to the interpreter's end

    def start(self, arguments: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start one, in a group of its own, so that it can be ended with all that it has started."""
        import subprocess

        with self._lock:
            if self._is_over:
                raise stopped()
            if not self._is_known:
                self._is_known = True
                atexit.register(self.end_all)
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=env,
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same, of Windows
            )
            self._processes.add(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End one, if it has not ended by itself."""
        import subprocess

        _kill(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_SLICE)
        with self._lock:
            self._processes.discard(process)

    def end_all(self) -> None:
        """End all, and let none begin any more: our own process ends."""
        with self._lock:
            self._is_over = True
            for process in self._processes:
                _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:  # its number may be another's by now
        return
    with contextlib.suppress(OSError):  # it has just ended, or it runs as another user
        if sys.platform == "win32":
            process.send_signal(signal.CTRL_BREAK_EVENT)  # reaches its children as far as they share our console
        else:
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        process.kill()


RUNNING: Final = _Running()
