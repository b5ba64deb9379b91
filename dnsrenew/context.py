"""What every step of a run needs and none may make for itself: time, chance, cancelling, events, redaction."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from dnsrenew import workers
from dnsrenew.clock import Clock, SystemClock
from dnsrenew.errors import Cancelled
from dnsrenew.events import Emitter
from dnsrenew.model import Notice
from dnsrenew.secrets import Redactor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """Passed to every step; immutable, except that notices are collected in it.

    :ivar deadline: monotonic second after which every wait ends as if cancelled, or None.
    """

    clock: Clock = field(default_factory=SystemClock)
    cancel: threading.Event = field(default_factory=threading.Event)
    random: random.Random = field(default_factory=random.SystemRandom)
    redactor: Redactor = field(default_factory=Redactor)
    emitter: Emitter | None = None
    certificate: str | None = None
    notices: list[Notice] = field(default_factory=list)
    deadline: float | None = None

    def for_certificate(self, name: str) -> Context:
        """Return the context of one certificate, with notices of its own."""
        return replace(self, certificate=name, notices=[])

    def ending(self, seconds: float) -> Context:
        """Return a context that is not cancelled but ends after ``seconds``: for putting things back."""
        return replace(self, cancel=threading.Event(), deadline=self.clock.monotonic() + seconds)

    def emit(self, kind: str, **data: Any) -> None:  # noqa: ANN401  # JSON values
        """Tell what happened."""
        if self.emitter is not None:
            self.emitter.emit(kind, self.certificate, data)

    def warn(self, code: str, message: str, fix: str) -> None:
        """Note something a person should look at, once per certificate, and tell it."""
        notice = Notice(code, message, fix)
        if notice not in self.notices:
            self.notices.append(notice)
            self.emit("warning", **notice.to_dict())

    def check(self) -> None:
        """Raise when the caller asked to stop, or the deadline has passed.

        :raises Cancelled: then.
        """
        late = self.deadline is not None and self.clock.monotonic() >= self.deadline
        if late or self.cancel.is_set():
            raise Cancelled("cancelled", "The run was stopped before it was finished.", fix="Run it again.")

    def wait(self, seconds: float) -> None:
        """Wait, however long, unless called away.

        :raises Cancelled: when called away.
        """
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 0:
            self.check()
            if self.deadline is not None:
                left = min(left, max(self.deadline - self.clock.monotonic(), 0.001))
            self.clock.wait(left, self.cancel)
        self.check()

    def call(self, function: Callable[[], T]) -> T:
        """Make a call that may block, and leave it behind when called away.

        :raises Cancelled: when called away; the call itself goes on in its daemon thread.
        """
        self.check()
        task = workers.start(function)
        self._join(task)
        return task.result()

    def call_all(self, functions: Sequence[Callable[[], T]], limit: int) -> list[workers.Task[T]]:
        """Make calls that may block, at most ``limit`` at once, and return them finished, in order.

        The caller asks each for its ``result()`` or ``error``.

        :raises Cancelled: when called away.
        """
        self.check()
        tasks = workers.start_all(functions, limit)
        for task in tasks:
            self._join(task)
        return tasks

    def _join(self, task: workers.Task[Any]) -> None:
        # Real time, whatever the clock: it is a real thread that is waited for.
        wait = 0.05
        while not task.done.wait(wait):
            self.check()
            wait = min(wait * 2, workers.SLICE)
