"""The processes of ``dnsrenew serve``: started, started again, and ended."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection, resource_tracker
from typing import TYPE_CHECKING, Final

from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.service_log import write_service_error
from dnsrenew.errors import Cancelled, DnsRenewError
from dnsrenew.extensions.serve import texts
from dnsrenew.extensions.serve.worker import GO, GRACE, LOADED, READY, work

if TYPE_CHECKING:
    import socket

_SPAWN: Final = multiprocessing.get_context("spawn")  # no threads of ours are in it, as after a fork
KILL_AFTER: Final = GRACE + 1.5
"""Seconds until a process that does not end is killed; less than Docker's 10."""
_TICK: Final = 0.2
_LOOK_EVERY: Final = 0.5
"""Seconds between two checks of the files of the app."""
_RETRY: Final = 2.0
"""Seconds after the end of a process until another one starts."""
_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages"})


class _WorkerProcess:
    """One process with the app, and a pipe to it."""

    def __init__(self, invocation: Invocation, sockets: Sequence[socket.socket]) -> None:
        self.pipe, theirs = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=work, args=(invocation.options, sockets, theirs), name="dnsrenew-serve")
        with _signals_waiting():
            self.process.start()
        theirs.close()  # so that its end is seen at the pipe, and ours by it

    def say(self, word: str) -> None:
        """Send a message, unless the process has just ended."""
        with contextlib.suppress(OSError):
            self.pipe.send(word)

    def heard(self) -> str | None:
        """Return the word that the process has sent; None if it has ended without one.

        :raises DnsRenewError: the error that ends it.
        """
        try:
            said = self.pipe.recv()
        except (EOFError, OSError):
            return None
        if isinstance(said, str):
            return said
        if isinstance(said, DnsRenewError):
            raise said
        kind, text, evidence = said
        raise kind.of(text, **evidence)


@contextlib.contextmanager
def _signals_waiting() -> Iterator[None]:
    """Block signals, in child processes too, until they have their own handlers."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # to start it with the process would let them through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Supervisor:
    """Keeps some processes running.

    :param sockets: bound sockets, which the processes share.
    """

    def __init__(self, invocation: Invocation, sockets: Sequence[socket.socket]) -> None:
        self._invocation, self._sockets = invocation, sockets
        self._app: str = invocation.options.app
        self._running: list[_WorkerProcess] = []
        self._starting: list[_WorkerProcess] = []
        self._files = dict(_python_files(os.getcwd())) if invocation.options.reload else {}
        self._revive_at = 0.0
        self._silence = _SPAWN.Pipe()  # an empty pipe, because a wait needs something to wait for

    def start(self, before_serving: Callable[[], object]) -> None:
        """Start the processes, and return when all answer connections.

        :param before_serving: called when the app is imported; the processes wait until it returns.
        :raises DnsRenewError: a process cannot start.
        :raises Cancelled: a signal arrived.
        """
        self._running = self._started(self._invocation.options.workers, before_serving)

    def run(self) -> None:
        """Restart ended or changed processes until a signal to stop arrives."""
        invocation = self._invocation
        options, signals, clock = invocation.options, invocation.signals, invocation.clock
        looked = clock.monotonic()
        while not signals.cancel.is_set():
            connection.wait([self._silence[0], *(each.process.sentinel for each in self._running)], timeout=_TICK)
            if signals.cancel.is_set():
                return
            if signals.wake.is_set() and signals.take_hangup():
                invocation.terminal.write_info(texts.RESTARTING.format(app=self._app))
                self._replace()
            if options.reload and clock.monotonic() - looked >= _LOOK_EVERY:
                before, looked = self._files, clock.monotonic()
                self._files = dict(_python_files(os.getcwd()))
                if changed := sorted(set(before.items()) ^ set(self._files.items())):
                    self._reload(changed[0][0])
            self._revive()

    def stop(self) -> None:
        """End all processes. Requests get some seconds to finish."""
        self._end([*self._starting, *self._running])
        self._starting, self._running = [], []

    # ── starting ────────────────────────────────────────────────────────────────────────

    def _started(self, count: int, before_serving: Callable[[], object] = lambda: None) -> list[_WorkerProcess]:
        """Return processes that answer connections.

        :raises DnsRenewError: a process cannot start. All others are then ended.
        """
        self._starting = [_WorkerProcess(self._invocation, self._sockets) for _ in range(count)]
        try:
            self._wait_for(LOADED)
            before_serving()
            for each in self._starting:
                each.say(GO)
            self._wait_for(READY)
        except BaseException:
            self._end(self._starting)
            raise
        finally:
            started, self._starting = self._starting, []
        return started

    def _wait_for(self, word: str) -> None:
        waiting = {each.pipe: each for each in self._starting}
        while waiting:
            for pipe in connection.wait(list(waiting), timeout=_TICK):
                said = waiting[pipe].heard()  # type: ignore[index]  # one of them
                if said != word:
                    self._invocation.signals.check()
                    process = waiting[pipe].process  # type: ignore[index]  # as above
                    process.join(_TICK)
                    raise DnsRenewError.of(texts.APP_ENDED, app=self._app, status=process.exitcode)
                del waiting[pipe]  # type: ignore[arg-type]  # as above
            self._invocation.signals.check()

    # ── starting again ──────────────────────────────────────────────────────────────────

    def _replace(self) -> None:
        """Start new processes, and end the old ones when the new ones answer."""
        if new := self._tried(self._invocation.options.workers, texts.NOT_RESTARTED):
            self._end(self._running)
            self._running = new

    def _reload(self, changed: str) -> None:
        """End the processes and start new ones, because two versions of a changing app may not fit together."""
        file = os.path.relpath(changed)
        self._invocation.terminal.write_info(texts.CHANGED.format(file=file, app=self._app))
        self._end(self._running)
        self._running = self._tried(self._invocation.options.workers, texts.NOT_RELOADED)
        self._revive_at = 0.0 if self._running else math.inf

    def _revive(self) -> None:
        """Replace processes that have ended after a while, because an app may end repeatedly."""
        now = self._invocation.clock.monotonic()
        for each in [each for each in self._running if not each.process.is_alive()]:
            self._running.remove(each)
            fields = {"pid": each.process.pid, "app": self._app, "status": each.process.exitcode}
            self._invocation.terminal.write_message(texts.REPLACED.format_map(fields))
            self._revive_at = now + _RETRY
        lacking = self._invocation.options.workers - len(self._running)
        if lacking and now >= self._revive_at:
            self._running += self._tried(lacking)
            self._revive_at = now + _RETRY

    def _tried(self, count: int, otherwise: str = "") -> list[_WorkerProcess]:
        """Return new processes. If they cannot start, report why and return an empty list."""
        try:
            return self._started(count)
        except Cancelled:  # the loop ends
            return []
        except DnsRenewError as error:
            write_service_error(self._invocation.terminal, error)
            if otherwise:
                self._invocation.terminal.write_message(otherwise)
            return []

    # ── ending ──────────────────────────────────────────────────────────────────────────

    def _end(self, processes: Sequence[_WorkerProcess]) -> None:
        clock = self._invocation.clock
        for each in processes:
            each.pipe.close()
        last = clock.monotonic() + KILL_AFTER
        for each in processes:
            each.process.join(max(0.0, last - clock.monotonic()))
            if each.process.is_alive():
                each.process.kill()
                each.process.join()
                self._invocation.terminal.write_message(texts.KILLED.format(pid=each.process.pid, app=self._app))


def _python_files(folder: str) -> Iterator[tuple[str, int]]:
    """Yield each Python file of a folder and its modification time, without environments and hidden folders."""
    for place, folders, files in os.walk(folder):
        if "pyvenv.cfg" in files:
            folders[:] = []
            continue
        folders[:] = [each for each in folders if each not in _SKIPPED and not each.startswith(".")]
        for name in files:
            if name.endswith(".py"):
                path = os.path.join(place, name)
                try:
                    yield path, os.stat(path).st_mtime_ns
                except OSError:  # it has just gone
                    continue
