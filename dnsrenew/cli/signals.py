"""Ctrl-C and SIGTERM: the first asks to stop and clean up, the second ends the process at once. Ctrl-Z pauses."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from dnsrenew.base import threads
from dnsrenew.base.subprocesses import RUNNING
from dnsrenew.errors import stopped

if TYPE_CHECKING:
    from types import FrameType

T = TypeVar("T")

_TIME: Final = 4.9
"""Seconds after the first signal in which everything ends: it is to be five at most."""

_WORDS: Final = 0.3
"""Seconds of these for saying what was left behind."""

_AT_ONCE: Final = 0.5
"""Seconds after the second signal for the last words."""

_STATUS: Final = {"SIGINT": 130, "SIGBREAK": 130, "SIGTERM": 143, "SIGHUP": 129}


class SignalHandler:
    """Handles the signals while it is entered.

    :ivar cancel: set by the first signal; the main thread must not wait for it (the handler would need its lock).
    :ivar status: the exit status that the first signal asks for, or None.
    :ivar last_words: called before the second signal ends the process; must lock nothing that this thread may hold.
    :ivar pausing: called before Ctrl-Z stops the process, and the function it returns when the process goes on;
        must not lock such things either.
    """

    def __init__(self) -> None:
        self.cancel = threading.Event()
        self.status: int | None = None
        self.last_words: Callable[[], None] | None = None
        self.pausing: Callable[[], Callable[[], None]] | None = None
        self._end: float | None = None
        self._before: dict[int, Any] = {}
        self._asks: dict[int, int] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for name, status in _STATUS.items():
                number = getattr(signal, name, None)  # SIGBREAK, which is Ctrl-Break, is Windows' own
                if number is None or (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):  # nohup
                    continue
                self._asks[number] = status
                self._before[number] = signal.signal(number, self._handle)
            pause = getattr(signal, "SIGTSTP", None)
            if pause is not None and signal.getsignal(pause) is signal.SIG_DFL:
                self._before[pause] = signal.signal(pause, self._pause)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._end is None:
            self._end, self.status = now + _TIME, self._asks[number]
            self.cancel.set()
            return
        self._end = min(self._end, now + _AT_ONCE)
        if self.last_words is not None:
            self.last_words()
        RUNNING.end_all()  # nothing that is registered for the end is done now
        os._exit(self.status or 130)

    def _pause(self, number: int, _frame: FrameType | None) -> None:
        go_on = self.pausing() if self.pausing is not None else None
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)  # the process stops here, and goes on here
        signal.signal(number, self._pause)
        if go_on is not None:
            go_on()

    def left(self) -> float | None:
        """Return the seconds until everything has to have ended; None: no signal has come."""
        return None if self._end is None else max(self._end - time.monotonic(), 0.0)

    def check(self) -> None:
        """Raise when a signal has come.

        :raises Cancelled: then.
        """
        if self.cancel.is_set():
            raise stopped()

    def run(self, function: Callable[[], T], *, cleans_up: bool = False, tick: Callable[[], None] | None = None) -> T:
        """Make a call in a thread of its own, so that this one stays able to handle signals.

        :param cleans_up: whether the call watches ``cancel`` itself, and is waited for after a signal.
        :param tick: called every tenth of a second meanwhile, and once when a signal came.
        :raises Cancelled: when a signal came and the call was left behind.
        """
        self.check()
        task = threads.start(function)
        pause = threads.SLICE if tick is None else 0.1
        while not task.done.wait(pause if self.status is None else 0.1):
            if tick is not None:
                tick()
            left = self.left()
            if left is None:
                continue
            if not cleans_up:
                raise stopped()
            if left <= _WORDS:
                raise stopped("Run it again: what may be left of this run in DNS is removed first.")
        return task.result()
