"""The process in which lexicon runs, as its parent sees it: started early, shared by threads, never left behind."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Any, Final

from dnsrenew.base import subprocesses, threads
from dnsrenew.errors import stopped

CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 60.0
"""After one to two times this long without a request, the process ends. The next request starts another."""
_SLICE: Final = 0.1
"""Seconds between two checks whether the caller still waits."""
_LINGER: Final = 1.0
"""Seconds from the end of its output to the end of the process."""

BOOT: Final = (
    "import json, os, sys; requests = os.fdopen(os.dup(0), 'rb'); setup = json.loads(requests.readline()); "
    "sys.path[:] = setup['path']; from dnsrenew.extensions.hosts.lexicon import child; child.main(requests, setup)"
)
"""The program.

It has no other arguments, and no secret in its environment, because everything comes through the pipe.
"""
_VARIABLES: Final = (
    *(each for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY") for each in (name, name.lower())),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    # The settings of boto3 that are not secrets.
    *("AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE", "AWS_ROLE_ARN"),
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ROUTE_53", "AWS_WEB_IDENTITY_TOKEN_FILE"),
)


def process_of(account: dict[Any, Any], provider: str) -> LexiconProcess:
    """Return the process of an account in this run, which may not be running yet.

    :param account: the values that the drivers of the account remember.
    :param provider: the name of its provider in lexicon.
    """
    process: LexiconProcess = account.setdefault("lexicon", LexiconProcess(provider))
    return process


class ProcessEnded(Exception):
    """The process ended before it answered. ``str()`` says how."""


class LexiconProcess:
    """The process of an account in a run. It starts when it is needed, and again after it has ended.

    It also ends when this object is no longer used.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._is_closed = False

    def start(self) -> None:
        """Start the process unless it is running, without waiting until it is ready.

        :raises OSError: the process cannot be started.
        :raises Cancelled: the run is over.
        """
        with self._lock:
            self._running()

    def call(
        self, request: Mapping[str, Any], seconds_left: Callable[[], float], cancel: threading.Event
    ) -> dict[str, Any]:
        """Send a request and return its answer. A process that does not answer in time is ended.

        :param seconds_left: returns the seconds until the deadline of the call.
        :raises TimeoutError: there is no answer at the deadline, or the caller cancelled.
        :raises ProcessEnded: the process ended by itself.
        :raises OSError: the process cannot be started.
        :raises Cancelled: the run is over.
        """
        with self._lock:
            child = self._running()
            while (number := child.begin()) is None:
                child = self._running()
        return child.call(number, request, seconds_left, cancel)

    def close(self) -> None:
        """End the process, because the run is over."""
        with self._lock:
            self._is_closed = True
            if self._child is not None:
                self._child.end()

    def _running(self) -> _Child:
        if self._is_closed:
            raise stopped()
        if self._child is None or self._child.is_retired:
            self._child = _Child(self._provider)
            weakref.finalize(self, self._child.end).atexit = False  # at the exit, `subprocesses` ends all
        return self._child


class _Child:
    """One process, and the calls that wait for it.

    :ivar is_retired: whether it gets no more requests, because a call timed out or it is ending.
    """

    def __init__(self, provider: str) -> None:
        self.is_retired = False
        self._lock = threading.Lock()  # guards the calls
        self._write_lock = threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[int, SimpleQueue[dict[str, Any] | None]] = {}
        self._process = subprocesses.RUNNING.start(
            [sys.executable, "-I", "-c", BOOT], _environment(), with_errors=False, with_input=True
        )
        seconds = {"connect": CONNECT_SECONDS, "read": READ_SECONDS, "idle": IDLE_SECONDS}
        self._send({"path": [os.path.abspath(folder) for folder in sys.path], "provider": provider, **seconds})
        threads.start(self._read)

    def begin(self) -> int | None:
        """Return the number of a new call, or None if the process accepts no more."""
        with self._lock:
            self.is_retired |= self._process.poll() is not None  # its reader may not know it yet
            if self.is_retired:
                return None
            number = next(self._numbers)
            self._waiting[number] = SimpleQueue()
            return number

    def call(
        self, number: int, request: Mapping[str, Any], seconds_left: Callable[[], float], cancel: threading.Event
    ) -> dict[str, Any]:
        answer: dict[str, Any] | None = None
        try:
            self._send({**request, "id": number, "seconds": seconds_left()})
            answer = self._wait(self._waiting[number], seconds_left, cancel)
        finally:
            self._finish(number, is_answered=answer is not None)
        return answer

    def _wait(
        self, answers: SimpleQueue[dict[str, Any] | None], seconds_left: Callable[[], float], cancel: threading.Event
    ) -> dict[str, Any]:
        while not cancel.is_set() and (left := seconds_left()) > 0:
            with contextlib.suppress(Empty):
                if (answer := answers.get(timeout=min(left, _SLICE))) is None:
                    raise ProcessEnded(_how(self._process.returncode or 0))
                return answer
        raise TimeoutError("the call is over")

    def _finish(self, number: int, *, is_answered: bool) -> None:
        """Forget a call. Without an answer, the process may hang, so end it as soon as no other call needs it."""
        if not is_answered:
            self._send({"id": number, "over": True})
        with self._lock:
            del self._waiting[number]
            self.is_retired |= not is_answered
            is_needed = self._waiting or not self.is_retired
        if not is_needed:
            self.end()

    def end(self) -> None:
        """Kill the process and everything that it started."""
        subprocesses.RUNNING.end(self._process)

    def _send(self, message: Mapping[str, Any]) -> None:
        line = json.dumps(message, default=str).encode()
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101  # for the type checker: it is a pipe
        with self._write_lock, contextlib.suppress(OSError, ValueError):  # it has exited; the reader thread reports it
            pipe.write(line + b"\n")
            pipe.flush()

    def _read(self) -> None:
        """Distribute the answers until the process ends."""
        pipe = self._process.stdout
        assert pipe is not None  # noqa: S101  # for the type checker: it is a pipe
        with pipe, contextlib.suppress(ValueError):
            for line in pipe:
                self._receive(json.loads(line))
        with self._lock:
            self.is_retired = True
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_LINGER)  # for its exit status
        self.end()
        with contextlib.suppress(OSError), self._write_lock:
            self._process.stdin.close()  # type: ignore[union-attr]  # it is a pipe
        with self._lock:
            for answers in self._waiting.values():
                answers.put(None)

    def _receive(self, message: dict[str, Any]) -> None:
        with self._lock:
            answers = self._waiting.get(message.get("id", -1))
            if "id" not in message and not self._waiting:  # it is idle
                self.is_retired = True
        if answers is not None:
            answers.put(message)
        elif self.is_retired and not self._waiting:
            self.end()


def _environment() -> dict[str, str]:
    """Return variables for proxies and trusted roots, in addition to the variables of every program."""
    found = subprocesses.environment(_VARIABLES)
    if roots := found.get("SSL_CERT_FILE"):
        found.setdefault("REQUESTS_CA_BUNDLE", roots)  # requests does not read the other
    return found


def _how(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"it was killed by signal {-status}"
