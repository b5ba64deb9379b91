"""What every step of a run needs and none may make for itself: time, chance, cancelling, events, redaction, pace."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from dnsrenew.base import threads
from dnsrenew.base.clock import Clock, SystemClock
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.errors import stopped
from dnsrenew.events import Emitter
from dnsrenew.model import Notice
from dnsrenew.runtime.rate_limit import TokenBuckets
from dnsrenew.secrets import Redactor

T = TypeVar("T")

LONG = 5.0
"""Seconds that an answer usually takes no longer than."""
_NEVER = threading.Event()


class CleanupDeadline:
    """How long a step may go on after the caller asked to stop: what puts things back gets a few seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end: float | None = None

    def is_over(self, now: float) -> bool:
        """Tell whether the time is up; it runs from the first question."""
        if self._end is None:
            self._end = now + self._seconds
        return now >= self._end


class Context(Frozen):
    """Passed to every step; immutable, except that notices are collected in it.

    :ivar notices: warnings about the certificate, or about the run where it is the run's context.
    :ivar run_notices: warnings about the run that a certificate is part of.
    :ivar buckets: how fast CAs and DNS hosts are asked by this run.
    :ivar deadline: monotonic second after which every wait ends as if cancelled, or None.
    :ivar cleanup_deadline: what is left to a step that goes on although the caller asked to stop, or None.
    :ivar pool: the workers of the run, one of whom works on this, or None.
    """

    clock: Clock = field(default_factory=SystemClock)
    cancel: threading.Event = field(default_factory=threading.Event)
    random: random.Random = field(default_factory=random.SystemRandom)
    redactor: Redactor = field(default_factory=Redactor)
    emitter: Emitter | None = None
    certificate: str | None = None
    notices: list[Notice] = field(default_factory=list)
    run_notices: list[Notice] = field(default_factory=list)
    buckets: TokenBuckets = field(default_factory=TokenBuckets)
    deadline: float | None = None
    cleanup_deadline: CleanupDeadline | None = None
    pool: threads.ThreadPool | None = None

    def for_certificate(self, name: str) -> Context:
        """Return the context of one certificate, with notices of its own."""
        return replace(self, certificate=name, notices=[], run_notices=self.notices)

    def for_cleanup(self, seconds: float, after_cancel: float) -> Context:
        """Return a context for cleanup: it ends after ``seconds``, or ``after_cancel`` seconds after a cancel."""
        deadline = CleanupDeadline(after_cancel)
        return replace(self, deadline=self.clock.monotonic() + seconds, cleanup_deadline=deadline)

    def within(self, seconds: float) -> Context:
        """Return a context whose waits end after ``seconds``, or with this one if that is earlier."""
        end = self.clock.monotonic() + seconds
        return replace(self, deadline=end if self.deadline is None else min(end, self.deadline))

    def emit(self, kind: str, **data: Any) -> None:  # JSON values
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
        now = self.clock.monotonic()
        late = self.deadline is not None and now >= self.deadline
        cancelled = self.cancel.is_set() and (self.cleanup_deadline is None or self.cleanup_deadline.is_over(now))
        if late or cancelled:
            raise stopped()

    def wait(self, seconds: float) -> None:
        """Wait, however long, unless called away.

        :raises Cancelled: when called away.
        """
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 0:
            self.check()
            if self.deadline is not None:
                left = min(left, max(self.deadline - self.clock.monotonic(), 0.001))
            if self.cleanup_deadline is None:
                self.clock.wait(left, self.cancel)
            else:  # the event may be set already, and would make this a busy loop
                self.clock.wait(min(left, threads.SLICE), _NEVER)
        self.check()

    def call(self, function: Callable[[], T]) -> T:
        """Make a call that may block, and leave it behind when called away.

        :raises Cancelled: when called away; the call itself goes on in its daemon thread.
        """
        self.check()
        return self.join(threads.start(function))

    def join(self, task: threads.Task[T]) -> T:
        """Wait for a task that was started, and return or raise what it came to.

        :raises Cancelled: when called away.
        """
        self.wait_for(task.done)
        return task.result()

    def call_all(self, functions: Sequence[Callable[[], T]], limit: int) -> list[threads.Task[T]]:
        """Make calls that may block, at most ``limit`` at once, and return them finished, in order.

        The caller asks each for its ``result()`` or ``error``.

        :raises Cancelled: when called away.
        """
        self.check()
        tasks = threads.start_all(functions, limit)
        for task in tasks:
            self.wait_for(task.done)
        return tasks

    def wait_for(self, event: threading.Event) -> None:
        """Wait for an event that another thread sets. Who waits for long makes room for another certificate.

        :raises Cancelled: when called away.
        """
        # Real time, whatever the clock: it is a real thread that is waited for.
        wait, waited, has_made_room = 0.05, 0.0, False
        with contextlib.ExitStack() as room:
            while not event.wait(wait):
                self.check()
                waited += wait
                wait = min(wait * 2, threads.SLICE)
                if waited >= LONG and self.pool is not None and not has_made_room:
                    has_made_room = True
                    room.enter_context(self.pool.release_slot())
