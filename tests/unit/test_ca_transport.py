"""Requests to a CA: the limit of concurrent requests, and retries."""

from __future__ import annotations

import json
import threading
import time
from functools import partial
from typing import Any, cast

import pytest
from acme.jws import JWS

from dnsrenew.acme.account_keys import signer_of
from dnsrenew.acme.transport import WIDTH, Transport, _nonce
from dnsrenew.base import threads, x509
from dnsrenew.base.http import HttpClient, HttpFailure, Response
from dnsrenew.base.http.connections import FailureKind
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.errors import CAError, Cancelled
from tests.kit.clock import FakeClock


class SlowHttp:
    """Holds every request until ``go`` is set."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.full = threading.Event()
        self.go = threading.Event()

    def request(self, _method: str, url: str, **_: Any) -> Response:
        """Hold a request."""
        self.sent.append(url)
        if len(self.sent) == WIDTH:
            self.full.set()
        assert self.go.wait(30)
        return Response(200, {}, b"{}", url)


class Doorman:
    """Wraps the semaphore of the transport; ``waited_for`` is set when a request waits for it."""

    def __init__(self, inner: threading.BoundedSemaphore) -> None:
        self.inner = inner
        self.waited_for = threading.Event()

    def __enter__(self) -> None:
        if not self.inner.acquire(blocking=False):
            self.waited_for.set()
            self.inner.acquire()

    def __exit__(self, *_: object) -> None:
        self.inner.release()


def test_a_waiting_request_is_not_sent_after_a_cancel() -> None:
    """A queued request is not sent after cancellation: it could be a new order, which no run would continue."""
    http, context = SlowHttp(), Context()
    transport = Transport("lab", cast("HttpClient", http))
    transport._in_flight = door = Doorman(transport._in_flight)  # type: ignore[assignment]
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
    """Answers only requests for a nonce."""

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
def test_a_request_that_may_have_arrived_is_retried_less(kind: FailureKind, sent: int) -> None:
    """A request that may have reached the CA is retried less often than one that was not sent."""
    http = BrokenHttp(kind)
    transport = Transport("lab", cast("HttpClient", http))
    signer = signer_of(AccountData(x509.key_to_pem(x509.new_key("ecdsa-p256"))))
    with pytest.raises(CAError):
        transport.post(Context(clock=FakeClock()), signer, "https://x/order", {}, "newOrder", tries=2)
    assert http.sent == sent


class NonceHttp:
    """Answers every request with a nonce after a time; ``enough`` is set after this many requests for one."""

    def __init__(self, clock: FakeClock, seconds: float, wanted: int) -> None:
        self._clock = clock
        self._seconds = seconds
        self._wanted = wanted
        self._lock = threading.Lock()
        self.nonces = 0
        self.enough = threading.Event()

    def request(self, method: str, url: str, **_: Any) -> Response:
        """Answer."""
        with self._lock:
            self._clock.wait(self._seconds, threading.Event())
            self.nonces += method == "HEAD"
            if self.nonces == self._wanted > 0:
                self.enough.set()
        return Response(200, {"Replay-Nonce": "bm9uY2U"}, b"", url)


class Far:
    """A CA fifty milliseconds away. It holds its first answer to a signed request until ``go`` is set."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.signed = 0
        self.nonces = 0
        self.go = threading.Event()

    def request(self, method: str, url: str, **_: Any) -> Response:
        """Answer."""
        with self._lock:
            self._clock.elapsed += 0.05
            self.nonces += method == "HEAD"
            self.signed += method == "POST"
            is_first = method == "POST" and self.signed == 1
        if is_first:
            assert self.go.wait(30)
        return Response(200, {"Replay-Nonce": "bm9uY2U"}, b"", url)


@pytest.mark.parametrize(("late", "nonces"), [(False, 1), (True, 2)], ids=["in-time", "late"])
def test_a_request_waits_for_the_nonce_of_another(late: bool, nonces: int) -> None:
    """A far CA is not asked for a nonce while an answer will bring one; if that is late, it is asked."""
    clock = FakeClock()
    http = Far(clock)
    transport = Transport("lab", cast("HttpClient", http))
    transport.new_nonce_url = "https://x/nonce"
    context = Context(clock=clock)
    transport.get(context, "https://x/directory", "directory")  # measures the distance
    signer = signer_of(AccountData(x509.key_to_pem(x509.new_key("ecdsa-p256"))))
    post = partial(transport.post, context, signer, "https://x/order", {}, "newOrder")
    first = threads.start(post)
    while http.signed < 1:
        time.sleep(0.001)

    def answer() -> None:
        http.go.set()
        assert first.done.wait(30)

    if not late:
        clock.on_wait = answer
    post()
    http.go.set()
    assert first.done.wait(30)
    assert http.nonces == nonces


@pytest.mark.parametrize("nonce", ["", "><\x1b[2J!!", "ab cd", "ab+/", "a" * 2000])
def test_a_nonce_that_is_none_is_ignored(nonce: str) -> None:
    """A nonce that is not base64url, or very long, is not used (RFC 8555 section 6.5.1)."""
    assert _nonce(Response(200, {"Replay-Nonce": nonce}, b"", "https://x/")) is None
    assert _nonce(Response(200, {"Replay-Nonce": "oFvnlFP1wIhRlYS2jTaXbA"}, b"", "https://x/")) is not None


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p384", "rsa2048"])
@pytest.mark.parametrize("url", [None, "https://x/account/1"], ids=["jwk", "kid"])
def test_a_request_is_a_jws(kind: Any, url: str | None) -> None:
    """A request is a JWS in its flattened form that another library verifies (RFC 8555 section 6.2)."""
    signer = signer_of(AccountData(x509.key_to_pem(x509.new_key(kind)), url))
    body = signer.sign(b'{"a": 1}', "bm9uY2U", "https://x/order")
    assert set(json.loads(body)) == {"protected", "payload", "signature"}
    jws = JWS.json_loads(body.decode())
    assert jws.verify(signer.key.public_key())
    assert jws.payload == b'{"a": 1}'
    header = jws.signature.combined
    assert (header.url, header.kid, header.nonce) == ("https://x/order", url, b"nonce")
    assert (header.jwk == signer.key.public_key()) == (url is None)


@pytest.mark.parametrize(("seconds", "width"), [(0.003, 2), (0.012, 4), (0.15, WIDTH)])
def test_the_number_of_concurrent_requests_depends_on_the_distance(seconds: float, width: int) -> None:
    """A CA on the same machine gets two requests at once, one on the local network four; the most go to a far one."""
    clock = FakeClock()
    transport = Transport("lab", cast("HttpClient", NonceHttp(clock, seconds, 0)))
    transport.get(Context(clock=clock), "https://x/directory", "directory")  # three round trips: it opens a connection
    assert transport.width == width


@pytest.mark.parametrize(
    ("seconds", "requests", "wanted"), [(0.05, 6, 6), (0.05, 500, WIDTH), (0.05, 0, 0), (0.001, 500, 0)]
)
def test_connections_to_a_far_ca_are_opened_ahead(seconds: float, requests: int, wanted: int) -> None:
    """One connection is opened ahead for each concurrent request to a far CA, and no connection to a near one."""
    clock = FakeClock()
    http = NonceHttp(clock, seconds, wanted)
    transport = Transport("lab", cast("HttpClient", http))
    transport.new_nonce_url = "https://x/nonce"
    context = Context(clock=clock)
    transport.get(context, "https://x/directory", "directory")  # measures the distance
    transport.prefetch_nonces(context, requests)
    assert http.enough.wait(30 if wanted else 0) == bool(wanted)
    assert http.nonces == wanted


@pytest.mark.parametrize("own", [False, True], ids=["public", "own"])
def test_only_the_nonces_of_a_public_ca_are_limited(own: bool) -> None:
    """A CA with its own roots gives as many nonces as requests follow; a public one as many as Let's Encrypt allows."""
    clock = FakeClock()
    transport = Transport("lab", cast("HttpClient", NonceHttp(clock, 0.05, 0)), is_private=own)
    transport.new_nonce_url = "https://x/nonce"
    context = Context(clock=clock)
    context.buckets.of_nonces("x").charge(context, 1000)
    bucket = transport._nonce_bucket(context)
    assert [bucket.try_take(context) for _ in range(WIDTH)] == [own] * WIDTH
