"""Requests to a CA: how many are under way at once, and what becomes of those that wait."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, cast

import pytest

from dnsrenew import x509
from dnsrenew.base import threads
from dnsrenew.ca.account_store import signer_of
from dnsrenew.ca.transport import WIDTH, Transport
from dnsrenew.errors import CAError, Cancelled
from dnsrenew.http import HttpClient, HttpFailure, Response
from dnsrenew.http.failures import FailureKind
from dnsrenew.model.account import AccountData
from dnsrenew.runtime.context import Context
from tests.unit.still_clock import StillClock


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
        threads.start(partial(transport.get, context, f"https://x/{number}", "directory")) for number in range(WIDTH)
    ]
    assert http.full.wait(30)
    late = threads.start(partial(transport.get, context, "https://x/late", "order"))
    assert door.waited_for.wait(30)
    context.cancel.set()
    http.go.set()
    for task in (*others, late):
        assert task.done.wait(30)
    with pytest.raises(Cancelled):
        late.result()
    assert "https://x/late" not in http.sent


class BrokenHttp:
    """Has no answer but to the first request, which is for a nonce."""

    def __init__(self, kind: FailureKind) -> None:
        self.kind = kind
        self.sent = 0

    def request(self, method: str, url: str, **_: Any) -> Response:
        """Fail."""
        if method == "HEAD":
            return Response(200, {"Replay-Nonce": "bm9uY2U"}, b"", url)
        self.sent += 1
        raise HttpFailure(self.kind, "there is nothing")


@pytest.mark.parametrize(("kind", "sent"), [("connect", 3), ("dns", 3), ("reset", 2), ("timeout", 2), ("proxy", 2)])
def test_only_what_may_have_come_there_is_sent_less_often(kind: FailureKind, sent: int) -> None:
    """An order is not made twice by a connection that was refused."""
    http = BrokenHttp(kind)
    transport = Transport("lab", cast("HttpClient", http))
    signer = signer_of(AccountData(x509.key_to_pem(x509.new_key("ecdsa-p256"))))
    with pytest.raises(CAError):
        transport.post(Context(clock=StillClock()), signer, "https://x/order", {}, "newOrder", tries=2)
    assert http.sent == sent
