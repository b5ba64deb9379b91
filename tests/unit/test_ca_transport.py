"""Requests to a CA: how many are under way at once, and what becomes of those that wait."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, cast

import pytest

from dnsrenew import workers
from dnsrenew.ca.transport import WIDTH, Transport
from dnsrenew.context import Context
from dnsrenew.errors import Cancelled
from dnsrenew.http import HttpClient, Response


class SlowHttp:
    """Answers nobody until it is let go."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.full = threading.Event()
        self.go = threading.Event()

    def request(self, _method: str, url: str, **_: Any) -> Response:
        """Take a request, and hold it."""
        self.sent.append(url)
        if len(self.sent) == WIDTH:
            self.full.set()
        assert self.go.wait(30)
        return Response(200, {}, b"{}", url)


class Doorman:
    """In the place of the semaphore that lets requests through: tells when somebody waits for it."""

    def __init__(self, inner: threading.BoundedSemaphore) -> None:
        self.inner = inner
        self.waited_for = threading.Event()

    def __enter__(self) -> None:
        if not self.inner.acquire(blocking=False):
            self.waited_for.set()
            self.inner.acquire()

    def __exit__(self, *_: object) -> None:
        self.inner.release()


def test_who_waits_for_its_turn_sends_nothing_after_a_cancel() -> None:
    """It may be an order, and nobody would take up what comes of it."""
    http, context = SlowHttp(), Context()
    transport = Transport("lab", cast("HttpClient", http))
    transport._under_way = door = Doorman(transport._under_way)  # type: ignore[assignment]
    others = [
        workers.start(partial(transport.get, context, f"https://x/{number}", "directory")) for number in range(WIDTH)
    ]
    assert http.full.wait(30)
    late = workers.start(partial(transport.get, context, "https://x/late", "order"))
    assert door.waited_for.wait(30)
    context.cancel.set()
    http.go.set()
    for task in (*others, late):
        assert task.done.wait(30)
    with pytest.raises(Cancelled):
        late.result()
    assert "https://x/late" not in http.sent
