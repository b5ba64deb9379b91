"""Signals: the first Ctrl-C or SIGTERM stops and cleans up, a second one exits at once. Ctrl-Z suspends.

SIGHUP stops too, except in ``dnsrenew run``, which then reads its configuration again.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from dnsrenew.base import threads
from dnsrenew.base.subprocesses import RUNNING
from dnsrenew.cli import texts
from dnsrenew.errors import Cancelled, stopped

if TYPE_CHECKING:
    from types import FrameType

T = TypeVar("T")

_TIMEOUT: Final = 4.9
"""Seconds from the first signal to the exit. The promise is five."""

_MESSAGE_TIME: Final = 0.3
"""Seconds of this time that are reserved for the final message."""

_SECOND_TIMEOUT: Final = 0.5
"""Seconds from the second signal to the exit."""

_REPEAT: Final = 0.2
"""Seconds in which the first signal counts once, because ``timeout`` sends it to the process and its group at once."""

_STATUS: Final = {"SIGINT": 130, "SIGBREAK": 130, "SIGTERM": 143, "SIGHUP": 129}


class SignalHandler:
    """Handles signals while it is entered.

    :param now: a clock in seconds.
    :ivar cancel: set by the first signal. The main thread must not wait for it, because the handler would need its
        lock.
    :ivar status: the exit status for the first signal, or None.
    :ivar wake: set by every signal, for a sleep that any signal ends.
    :ivar on_exit: called before the second signal ends the process. It must not take a lock of the main thread.
    :ivar on_suspend: called before Ctrl-Z suspends the process; the function it returns is called on resumption.
        Neither may take a lock of the main thread.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.cancel = threading.Event()
        self.status: int | None = None
        self.on_exit: Callable[[], None] | None = None
        self.on_suspend: Callable[[], Callable[[], None]] | None = None
        self.wake = threading.Event()
        self._is_end: Callable[[], bool] | None = None
        self._hung_up = False
        self._timeout = _TIMEOUT
        self._deadline: float | None = None
        self._first: tuple[int, float] | None = None
        self._before: dict[int, Any] = {}
        self._statuses: dict[int, int] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for name, status in _STATUS.items():
                number = getattr(signal, name, None)  # SIGBREAK (Ctrl-Break) exists on Windows only
                if number is None or (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):  # nohup
                    continue
                self._statuses[number] = status
                self._before[number] = signal.signal(number, self._handle)
            suspend = getattr(signal, "SIGTSTP", None)
            if suspend is not None and signal.getsignal(suspend) is signal.SIG_DFL:
                self._before[suspend] = signal.signal(suspend, self._suspend)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def reload_on_hangup(self, is_end: Callable[[], bool]) -> None:
        """Record SIGHUP from now on instead of stopping, even if it was ignored (nohup).

        :param is_end: called at the signal; returns True to stop nevertheless.
        """
        number = getattr(signal, "SIGHUP", None)  # Windows has none
        if number is not None and self._before:
            self._statuses.setdefault(number, _STATUS["SIGHUP"])
            self._before.setdefault(number, signal.signal(number, self._handle))
            self._is_end = is_end

    def allow(self, seconds: float) -> None:
        """Allow the command this many seconds from the first signal to the exit."""
        self._timeout = seconds

    def take_hangup(self) -> bool:
        """Return whether SIGHUP was recorded since the last call."""
        self.wake.clear()
        noted, self._hung_up = self._hung_up, False
        return noted

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        now = self._now()
        if self._is_end is not None and number == getattr(signal, "SIGHUP", None) and not self._is_end():
            self._hung_up = True
            self.wake.set()
            return
        if self._deadline is None:
            self._first = number, now
            self._deadline, self.status = now + self._timeout, self._statuses[number]
            self.cancel.set()
            self.wake.set()
            return
        if self._first is not None and self._first[0] == number and now - self._first[1] < _REPEAT:
            return
        self._deadline = min(self._deadline, now + _SECOND_TIMEOUT)
        if self.on_exit is not None:
            self.on_exit()
        RUNNING.end_all()  # os._exit runs no exit handlers
        os._exit(self.status or 130)

    def _suspend(self, number: int, _frame: FrameType | None) -> None:
        resume = self.on_suspend() if self.on_suspend is not None else None
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)  # the process stops and resumes here
        signal.signal(number, self._suspend)
        if resume is not None:
            resume()

    def seconds_left(self) -> float | None:
        """Return the seconds until the process must have ended, or None before a signal."""
        return None if self._deadline is None else max(self._deadline - self._now(), 0.0)

    def check(self) -> None:
        """Raise if a signal has arrived.

        :raises Cancelled: a signal has arrived.
        """
        if self.cancel.is_set():
            raise stopped()

    def run(self, function: Callable[[], T], *, cleans_up: bool = False, tick: Callable[[], None] | None = None) -> T:
        """Call a function in another thread, so that this one can handle signals.

        :param cleans_up: the function checks ``cancel`` itself, so wait for it after a signal.
        :param tick: called every 0.1 s, and once after a signal.
        :raises Cancelled: a signal arrived and the function did not end in time.
        """
        self.check()
        task = threads.start(function)
        interval = threads.SLICE if tick is None else 0.1
        while not task.done.wait(interval if self.status is None else 0.1):
            if tick is not None:
                tick()
            left = self.seconds_left()
            if left is None:
                continue
            if not cleans_up:
                raise stopped()
            if left <= _MESSAGE_TIME:
                raise Cancelled.of(texts.STOPPED_UNFINISHED)
        return task.result()
