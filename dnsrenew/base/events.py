"""Events: one stream for progress, logs and metrics."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from dnsrenew.base.clock import Clock
from dnsrenew.base.values import Frozen, field

_logger = logging.getLogger("dnsrenew.base.events")


class Event(Frozen, public=True):
    """One event of a run. Each kind has its own data; the documents list them all."""

    kind: str
    """What happened, such as ``order-created``."""
    time: datetime
    """When it happened, in UTC."""
    certificate: str | None = None
    """The name of the certificate; None for an event of the run."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The details of this kind of event; JSON values, never a secret."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; the time as RFC 3339 in UTC."""
        return {
            "kind": self.kind,
            "time": f"{self.time.isoformat()[:19]}Z",
            "certificate": self.certificate,
            "data": dict(self.data),
        }


Post = Callable[[Callable[[], object]], bool]
"""Schedules a call to be made elsewhere, such as in the event loop of a program; returns False if that has ended."""


class ProgramListener:
    """Passes events to the listener of a program, one at a time.

    :param listen: the listener. Its exceptions are logged.
    :param lock: shared by all callers of this listener.
    :ivar post: how it is called; None to call it in the thread that emits.
    """

    def __init__(self, listen: Callable[[Event], object], lock: threading.RLock, post: Post | None) -> None:
        self._listen = listen
        self._lock = lock
        self.post = post

    def __call__(self, event: Event) -> None:
        """Pass one event."""
        if self.post is None or not self.post(lambda: self._tell(event)):
            self._tell(event)

    def _tell(self, event: Event) -> None:
        try:
            with self._lock:
                self._listen(event)
        except Exception:  # as in Emitter
            _logger.exception("the event listener failed at %s", event.kind)


class Emitter:
    """Passes events to listeners, one at a time, from any thread.

    An exception of a listener is logged, and the run continues.
    """

    def __init__(self, clock: Clock, *listeners: Callable[[Event], object]) -> None:
        self._clock = clock
        self._listeners = listeners
        self._lock = threading.RLock()

    def emit(self, kind: str, certificate: str | None, data: Mapping[str, Any]) -> None:
        """Pass one event to the listeners."""
        if not self._listeners:
            return
        with self._lock:
            event = Event(kind, self._clock.now(), certificate, data)
            for listener in self._listeners:
                try:
                    listener(event)
                except Exception:  # user code: its errors must not end the run
                    _logger.exception("the event listener failed at %s", kind)
