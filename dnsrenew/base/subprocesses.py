"""Run subprocesses with a minimal environment and a time limit; they end with this process.

The environment often contains secrets (``env:NAME``), and a program that fetches one of them must not see the others.
So a program gets only the variables below and the variables that the configuration names.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Final

from dnsrenew.base import files, threads
from dnsrenew.base.values import Frozen
from dnsrenew.errors import stopped

if TYPE_CHECKING:
    import subprocess

_SLICE: Final = 0.1
"""Seconds between two checks of the time limit and the cancel event."""
_POLL: Final = 0.02
_LINGER: Final = 2.0
"""Seconds for the end of a killed program and the rest of its output, because a child may still hold the pipe open."""
_SHELL: Final = "/bin/sh"
_WATCH: Final = """read -r end && exit
kill -s KILL -- "-$1"
[ -n "$2" ] || exit
for each in /proc/[0-9]*; do
  grep -qsF -- "HOME=$2" "$each/environ" && kill -s KILL "${each#/proc/}"
done
rm -rf -- "$2"
"""
"""The shell command that watches a program.

If its input ends before a line came, as after ``kill -9``, it kills the process group, then (Linux) the programs
started elsewhere, and removes a folder.
"""
_BOUNDED: Final = 'ulimit -f "$1"; shift; exec "$@"'
"""The shell command that starts a program with a limit on file sizes; POSIX counts blocks of 512 bytes."""

_NEEDED: Final = {
    # User, folders, language.
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR"),
    # Addresses of keyrings and agents, and folders of password stores.
    *("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "SSH_AUTH_SOCK"),
    *("GNUPGHOME", "GPG_TTY", "PASSWORD_STORE_DIR", "PASSWORD_STORE_GPG_OPTS"),
    # Trusted root certificates.
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
    # Programs do not start on Windows without these.
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERNAME", "USERDOMAIN"),
    *("USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES"),
}
_NEEDED_PREFIXES: Final = ("LC_", "XDG_")


def environment(names: Iterable[str] = (), environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for a program.

    :param names: additional variables, passed on if they are set.
    """
    wanted = _NEEDED | set(names)
    return {name: value for name, value in environ.items() if name in wanted or name.startswith(_NEEDED_PREFIXES)}


class Completed(Frozen):
    """The result of a program.

    :ivar status: the exit status; None if the program was killed.
    :ivar output: its standard output, which is longer than the limit if there was too much.
    """

    status: int | None
    output: bytes


def run(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    seconds: float,
    limit: int,
    cancel: threading.Event | None = None,
    only_end: bool = False,
    largest: int | None = None,
    scratch: str = "",
) -> Completed:
    """Run a program without a shell or a terminal and return its standard output; standard error is discarded.

    Killing the program kills its process group. A child in its own session (a daemon) keeps running, and so does every
    child if the program exits by itself, unless there is a ``scratch``. With it, Linux also finds the daemons that kept
    its ``HOME``. The group is also killed if this process is killed, because a shell beside the program waits for that.
    Windows, and systems without ``/bin/sh``, do not support this.

    :param seconds: the time limit, after which the program is killed.
    :param limit: the maximum number of bytes of output, after which the program is killed.
    :param cancel: kills the program when set.
    :param only_end: return the end of standard output and standard error together; the program may print more.
    :param largest: the maximum bytes of a file that it writes; a larger file kills it. Windows, and systems without
        ``/bin/sh``, have no such limit.
    :param scratch: the ``HOME`` of the program, which its caller removes afterwards: its remaining children are killed
        before that, and the folder is also removed if this process is killed.
    :raises OSError: the program cannot be run.
    :raises Cancelled: the caller cancelled, or this process is exiting.
    """
    if not arguments or any("\0" in argument for argument in arguments):
        raise FileNotFoundError(errno.ENOENT, "no program can have this name or these arguments")
    if largest is not None and os.path.exists(_SHELL) and shutil.which(arguments[0], path=env.get("PATH")):
        arguments = [_SHELL, "-c", _BOUNDED, _SHELL, str(largest // 512 + 1), *arguments]
    process = RUNNING.start(arguments, env, with_errors=only_end, scratch=scratch)
    del env  # a tool that shows the variables of a traceback must not show it
    end = time.monotonic() + seconds
    status: int | None = None
    try:
        assert process.stdout is not None  # noqa: S101  # for the type checker: it is a pipe
        reader = _OutputReader(process.stdout, limit, only_end=only_end)
        while status is None and time.monotonic() < end and not reader.is_too_long():
            if cancel is not None and cancel.is_set():
                raise stopped()
            if scratch and not _has_exited(process):
                time.sleep(_POLL)
            else:
                status = _status(process)
    finally:
        RUNNING.end(process)
        if scratch:
            _kill_strays(scratch)
    if status is not None:
        reader.wait(_LINGER)
    return Completed(status=status, output=reader.read())


def _has_exited(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a program has exited, and kill its remaining children. Its exit status can still be read.

    Until then, the system does not reuse its PID, which is also the process group's. True if the system cannot tell
    (Windows, and macOS before Python 3.13).
    """
    if sys.platform == "win32" or not hasattr(os, "waitid"):
        return True
    if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        return False
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    return True


def _kill_strays(home: str) -> None:
    """Kill the processes with this folder as ``HOME``, in any session. Only Linux can find them.

    A descriptor stands for each process during the check, so that no other process with its PID is killed.
    """
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return
    for pid in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        # OSError: it has ended, or belongs to another user
        with contextlib.suppress(OSError), files.closing(os.pidfd_open(int(pid))) as process:
            if f"HOME={home}".encode() in files.read(f"/proc/{pid}/environ").split(b"\0"):
                signal.pidfd_send_signal(process, signal.SIGKILL)


class _OutputReader:
    """Reads the output of a program in its own thread, so that no caller waits for a pipe that stays open."""

    def __init__(self, pipe: IO[bytes], limit: int, *, only_end: bool) -> None:
        self._limit = limit
        self._only_end = only_end
        self._out = bytearray()
        self._task = threads.start(lambda: self._read_all(pipe))

    def _read_all(self, pipe: IO[bytes]) -> None:
        with pipe:
            while not self.is_too_long() and (piece := os.read(pipe.fileno(), self._limit)):
                self._out += piece
                if self._only_end:
                    del self._out[: -self._limit]

    def is_too_long(self) -> bool:
        return len(self._out) > self._limit

    def wait(self, seconds: float) -> None:
        self._task.done.wait(seconds)

    def read(self) -> bytes:
        return bytes(self._out)


class _Running:
    """The programs that are running."""

    def __init__(self) -> None:
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._watchers: dict[subprocess.Popen[bytes], subprocess.Popen[bytes]] = {}
        self._lock = threading.RLock()  # reentrant, because a signal handler may interrupt the thread that holds it
        self._is_closed = False
        self._is_registered = False  # with atexit

    def start(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        *,
        with_errors: bool,
        with_input: bool = False,
        scratch: str = "",
    ) -> subprocess.Popen[bytes]:
        """Start a program in its own process group, so that its children can be killed with it.

        :param with_errors: send its standard error to its standard output instead of discarding it.
        :param with_input: give it a pipe as standard input, and let it exit by itself when the pipe ends. If not, its
            input is empty, and it is killed when this process ends in any way.
        :param scratch: a folder that is removed if this process is killed.
        """
        with self._lock:
            if self._is_closed:
                raise stopped()
            if not self._is_registered:
                self._is_registered = True
                atexit.register(self.end_all)
            process = _popen(arguments, env, with_input=with_input, with_output=True, with_errors=with_errors)
            self._processes.add(process)
            watcher = None if with_input else _watcher(process, scratch)
            if watcher is not None:
                self._watchers[process] = watcher
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a program unless it has exited."""
        _kill(process)
        _status(process, _LINGER)
        with self._lock:
            self._processes.discard(process)
            watcher = self._watchers.pop(process, None)
        if watcher is not None and watcher.stdin is not None:
            with contextlib.suppress(OSError), watcher.stdin:  # it may have ended
                watcher.stdin.write(b"\n")
            if _status(watcher) is None:  # on a busy machine
                watcher.kill()
                _status(watcher, _LINGER)

    def end_all(self) -> None:
        """Kill all programs and refuse to start others, because this process is exiting."""
        with self._lock:
            self._is_closed = True
            for process in self._processes:
                _kill(process)


def _watcher(process: subprocess.Popen[bytes], scratch: str) -> subprocess.Popen[bytes] | None:
    """Start a shell that kills a program and its children when this process is killed; None without such a shell."""
    if sys.platform == "win32":
        return None
    arguments = [_SHELL, "-c", _WATCH, _SHELL, str(process.pid), scratch]
    with contextlib.suppress(OSError):
        return _popen(arguments, {"PATH": os.defpath}, with_input=True, with_output=False, with_errors=False)
    return None


def _popen(
    arguments: Sequence[str], env: Mapping[str, str], *, with_input: bool, with_output: bool, with_errors: bool
) -> subprocess.Popen[bytes]:
    import subprocess  # slow to load

    return subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE if with_input else subprocess.DEVNULL,
        stdout=subprocess.PIPE if with_output else subprocess.DEVNULL,
        stderr=subprocess.STDOUT if with_errors else subprocess.DEVNULL,
        env=env,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
    )


def _status(process: subprocess.Popen[bytes], seconds: float = _SLICE) -> int | None:
    """Return the exit status of a program that ends within a moment, or None."""
    import subprocess

    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:  # the system may have given its PID to another process
        return
    with contextlib.suppress(OSError):  # it has just exited, or it runs as another user
        if sys.platform == "win32":
            process.send_signal(signal.CTRL_BREAK_EVENT)  # reaches the children that share this console
        else:
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        process.kill()


RUNNING: Final = _Running()
