"""The program, started so that it sends itself a signal at one point of its run.

``python -m tests.kit.dying`` loads the program once. For each line of JSON on its standard input it forks a process
that runs it: ``{"point", "number", "passed", "heard", "folder", "environ", "arguments", "out", "err"}``. It prints the
PID; for ``{"wait": pid}`` it waits for the end and prints the exit status. ``number`` is the signal's. If the program
handles the signal, the process continues after the handler has run, and creates the file ``heard``.

A point is ``event txt-written`` (before listeners are called), ``add, not sent``, ``add, done``,
``disk: rename certificates/home/current`` (before the operation); ``(2)`` at its end means the second time. The points
that the run passes are written to the file ``passed``, one a line.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import dnsrenew.renewal.renew
from dnsrenew.base.events import Emitter
from dnsrenew.base.model import TxtRecord
from dnsrenew.cli import main
from dnsrenew.cli.signals import SignalHandler
from dnsrenew.drivers.rfc2136 import Rfc2136Driver
from dnsrenew.store.atomic_io import AtomicFiles
from tests.lab import forks

_CHANGES: Final = {"mkdir", "create", "write", "rename", "symlink", "unlink", "rmdir"}
"""Operations whose result the next process can see; that of an fsync it cannot."""
AT_ONCE: Final = "DYING_AT_ONCE"
"""The variable of the environment with which a run withdraws its values while the CA issues, as outside these tests."""
_ONCE: Final = {"event dns-waiting"}
"""Repeated while the run waits, so only the first one counts."""


class Death:
    """Counts the points, and sends the signal at one of them."""

    def __init__(self, point: str, number: int, passed: str, heard: str) -> None:
        self._point = point
        self._number = number
        self._heard_file = heard
        self._heard = threading.Event()
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._file = os.open(passed, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def pass_by(self, point: str) -> None:
        """Send the signal here, or continue."""
        with self._lock:
            self._seen[point] += 1
            number = self._seen[point]
            if number > 1 and point in _ONCE:
                return
            name = point if number == 1 else f"{point} ({number})"
            os.write(self._file, f"{name}\n".encode())
            if name == self._point:
                os.kill(os.getpid(), self._number)
        # Signal handlers run in the main thread, so that thread must not wait.
        if name == self._point and threading.current_thread() is not threading.main_thread():
            self._heard.wait()

    def watch(self) -> None:
        """Report every point of the run here."""
        emit, do = Emitter.emit, AtomicFiles.do

        def emits(emitter: Emitter, kind: str, *rest: Any) -> None:
            self.pass_by(f"event {kind}")
            emit(emitter, kind, *rest)

        def does(disk: AtomicFiles, operation: str, path: str, function: Callable[[], Any], *absent: Any) -> Any:
            if operation in _CHANGES:
                self.pass_by(f"disk: {operation} {_plain(path)}")
            return do(disk, operation, path, function, *absent)

        handle = SignalHandler._handle  # called for every signal

        def handles(interrupt: SignalHandler, number: int, frame: Any) -> None:
            os.close(os.open(self._heard_file, os.O_WRONLY | os.O_CREAT, 0o600))
            try:
                handle(interrupt, number, frame)
            finally:
                self._heard.set()

        put: list[tuple[Any, str, Any]] = [(Emitter, "emit", emits), (AtomicFiles, "do", does)]
        put += [(SignalHandler, "_handle", handles)]
        # The withdrawal and the CA work at the same time. Here one after the other, so that every point has one place.
        if AT_ONCE not in os.environ:
            put += [(dnsrenew.renewal.renew, "_close_meanwhile", lambda _, published: published.close())]
        put += [(Rfc2136Driver, name, self._watched(name, getattr(Rfc2136Driver, name))) for name in ("add", "remove")]
        for owner, name, function in put:
            setattr(owner, name, function)

    def _watched(self, name: str, method: Callable[..., None]) -> Callable[..., None]:
        def watched(driver: Any, records: Sequence[TxtRecord]) -> None:
            self.pass_by(f"{name}, not sent")
            method(driver, records)
            self.pass_by(f"{name}, done")

        return watched


def _plain(path: str) -> str:
    """Return a path within the store, without the parts that differ in every run."""
    inside = path.partition("/state")[2].strip("/") or "the store"
    return re.sub(r"\.tmp-[0-9-]+", "aside", re.sub(r"-[0-9a-f]{16}\b", "", inside))


def prepare_process(wanted: dict[str, Any]) -> None:
    """Give this process, which was forked for one run, its environment, folder and output."""
    os.environ.clear()
    os.environ.update(wanted["environ"])
    os.chdir(wanted["folder"])
    for descriptor, stream in ((1, "out"), (2, "err")):
        os.dup2(os.open(wanted[stream], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)


def fork(run: Callable[[], int]) -> int:
    """Fork a process that makes one run; return its PID."""
    child = os.fork()
    if not child:
        status = 70
        try:
            status = run()
        finally:
            os._exit(status)
    return child


def _run(wanted: dict[str, Any], death: type[Death]) -> int:
    prepare_process(wanted)
    death(wanted["point"], wanted["number"], wanted["passed"], wanted["heard"]).watch()
    return main(wanted["arguments"])


def serve(death: type[Death] = Death) -> None:
    """Run the program, in a process of its own, for each line of the standard input.

    fsync does nothing: the next process sees what was written without it.
    """
    forks.load()
    os.fsync = os.fstat  # type: ignore[assignment]  # it still refuses what is no open file
    for line in sys.stdin:
        wanted = json.loads(line)
        if "wait" in wanted:
            _answer(os.waitstatus_to_exitcode(os.waitpid(wanted["wait"], 0)[1]))
            continue
        _answer(fork(partial(_run, wanted, death)))


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()
