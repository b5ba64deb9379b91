"""Runs of the program in processes forked from one that has loaded it: most of a run's time is that of imports.

``python -m tests.lab.forks FD`` gets, on a socket, the command line, folder, environment, standard output and error of
each run and a pipe, into which it writes the PID and then the exit status. What it forks is a process like any other.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).resolve().parents[2]
_AT_THE_START: Final = ("PYTHON", "LANG", "LC_", "LD_")
"""Variables that an interpreter reads when it starts."""
_LATE: Final = (
    *("cli", "renewal", "acme", "challenges", "deploy", "drivers.rfc2136", "operations", "schedule", "store"),
    *("extensions.doctor", "extensions.fleet", "extensions.serve", "extensions.setup", "extensions.watch"),
)
"""Packages whose modules are loaded."""
_LIBRARIES: Final = ("tenacity", "tldextract")
"""Libraries that are loaded when they are needed."""


def python_path(env: Mapping[str, str]) -> str:
    """Return the path of modules of a run with this environment."""
    return os.pathsep.join(filter(None, [str(_ROOT), env.get("PYTHONPATH")]))


class Forks:
    """The process that forks."""

    def __init__(self, *before: str) -> None:
        """Start it. `before`: a command line that starts it, such as ``unshare``."""
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        argv = [*before, sys.executable, "-m", "tests.lab.forks", str(theirs.fileno())]
        self.environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
        subprocess.Popen(  # it ends when its socket is closed
            argv, cwd=_ROOT, env=self.environment, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
        ).returncode = 0
        theirs.close()

    def close(self) -> None:
        """End it, when what it has forked has ended."""
        self._ours.close()

    def serves(self, arguments: Sequence[str], env: Mapping[str, str]) -> bool:
        """Return whether a fork is like a new process. The texts of the program are loaded, in English."""
        plain = {**os.environ, "PYTHONPATH": python_path(os.environ)}
        names = {name for name in (*env, *plain) if name.startswith(_AT_THE_START)}
        return (
            "--lang" not in arguments
            and os.geteuid() == os.getuid()
            and all(env.get(name) == plain.get(name) for name in names)
        )

    def start(
        self, arguments: Sequence[str], folder: Path, env: Mapping[str, str], streams: Sequence[int] = ()
    ) -> Forked:
        """Start the program in a folder.

        `streams`: its standard output and error, in place of pipes; it has a session of its own then, and a terminal
        among them is that of the session, and its standard input.
        """
        wanted = {"arguments": arguments, "folder": str(folder), "environ": dict(env), "session": bool(streams)}
        pipes = [os.pipe() for _ in range(3 - len(streams))]
        try:
            handles = [*streams, *(written for _, written in pipes)]
            socket.send_fds(self._ours, [json.dumps(wanted).encode()], handles)
        finally:
            for _, written in pipes:
                os.close(written)
        *outputs, told = (read for read, _ in pipes)
        return Forked(arguments, told, *outputs)


class Forked(subprocess.Popen[str]):
    """A run of the program, like one that was started as a program."""

    def __init__(self, arguments: Sequence[str], told: int, *outputs: int) -> None:
        """It has been started.

        `told`: where the process that forks tells its PID and its end; `outputs`: where its output comes from.
        """
        self.args = arguments
        self.stdin = None
        self.stdout, self.stderr = map(open, outputs) if outputs else (None, None)  # the caller closes them
        self.returncode: Any = None
        self._told = open(told, "rb", buffering=0)  # noqa: SIM115
        self.pid = int(self._told.readline())
        self._lock = threading.Lock()
        vars(self).update(_child_created=False, _communication_started=False, _input=None, _sigint_wait_secs=0.0)
        vars(self).update(text_mode=True, encoding=None, errors=None)

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status when it has ended."""
        with self._lock:
            if self.returncode is None:
                if not select.select([self._told], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
                self.returncode = int(self._told.readline())
                self._told.close()
            return int(self.returncode)

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)


@functools.cache
def forks() -> Forks:
    """The one of this process."""
    return Forks()


def load() -> None:
    """Load the program, so that no process that is forked from this one has to."""
    for name in _LATE:
        package = importlib.import_module(f"dnsrenew.{name}")
        for module in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{package.__name__}."):
            importlib.import_module(module.name)
    for name in _LIBRARIES:
        importlib.import_module(name)
    gc.freeze()  # so that memory stays shared


def _serve(requests: socket.socket) -> dict[str, Any] | None:
    """Fork until the socket is closed; in what is forked return what is wanted of it."""
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    told: dict[int, int] = {}
    sources: list[Any] = [requests, woken]
    while True:
        ready = select.select(sources, [], [])[0]
        if woken in ready:
            os.read(woken, 4096)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                tells = told.pop(ended[0])
                with contextlib.suppress(BrokenPipeError):
                    os.write(tells, b"%d\n" % os.waitstatus_to_exitcode(ended[1]))
                os.close(tells)
        if requests in ready:
            text, handles, *_ = socket.recv_fds(requests, 1 << 20, 3)
            if not text:
                return None
            out, err, tells = handles
            if not (pid := os.fork()):
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.dup2(out, 1)
                os.dup2(err, 2)
                os.closerange(3, 1024)
                return dict(json.loads(text))
            told[pid] = tells
            os.write(tells, b"%d\n" % pid)
            os.close(out)
            os.close(err)


def _main() -> int:
    load()
    os.fsync = os.fstat  # type: ignore[assignment]  # the next process sees what was written without it
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        wanted = _serve(requests)
        if wanted is None:
            return 0
        requests.detach()
    if wanted["session"]:
        os.setsid()
    if os.isatty(1):
        os.dup2(os.open(os.ttyname(1), os.O_RDWR), 0)  # the first one that is opened becomes that of the session
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(wanted["environ"])
    os.chdir(wanted["folder"])
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  # those of before may have been files
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    time.tzset()
    from dnsrenew import __main__, cli

    sys.modules["__main__"] = __main__  # it is what a process of multiprocessing imports
    sys.argv = [str(__main__.__file__), *wanted["arguments"]]
    status = cli.main()
    # As the interpreter ends, but for the loaded modules: to take them apart would copy all of the shared memory.
    threading._shutdown()  # type: ignore[attr-defined]  # as the interpreter does: it waits for threads
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError):  # of a closed pipe the interpreter tells in its own way
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


if __name__ == "__main__":
    sys.exit(_main())
