"""Requests to a CA (RFC 8555 section 6): signed, with a fresh nonce, and retried when that is safe."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from josepy.jwa import ES256

from dnsrenew.acme import texts
from dnsrenew.acme.nonces import Nonces
from dnsrenew.acme.problems import Problems
from dnsrenew.acme.resources import base64url
from dnsrenew.base.http import HttpFailure, Response, retry_after
from dnsrenew.base.runtime.retry import RESEND, Policy, Transient, resend
from dnsrenew.base.secrets import HIDDEN
from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from josepy.jwa import JWASignature
    from josepy.jwk import JWKEC, JWKRSA

    from dnsrenew.base.http import HttpClient
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.base.runtime.rate_limit import TokenBucket

WIDTH: Final = 32
"""Maximum number of concurrent requests to one CA."""
_NEAR: Final = 0.01
"""Seconds of a round trip to a CA on the local network."""
_NEAR_WIDTH: Final = 4
NONCE_TRIES: Final = 25
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{1,1024}")
_BAD_NONCE: Final = "urn:ietf:params:acme:error:badNonce"
_LOST: Final = frozenset({"dns", "connect", "timeout", "reset", "proxy"})
_UNSENT: Final = frozenset({"dns", "connect"})
"""Failures before anything was sent: such a request may always be retried."""

_logger = logging.getLogger("dnsrenew.acme")


class Signer(Frozen, hidden=("key",)):
    """The account key, which is never shown, and the account URL.

    :ivar url: None: the JWS contains the public key instead, as newAccount requires.
    :ivar algorithm: the signature algorithm; the keys of new accounts use ES256.
    :ivar earlier_thumbprints: of the keys that the account had before (RFC 7638).
    """

    key: JWKEC | JWKRSA
    url: str | None
    algorithm: JWASignature = ES256
    earlier_thumbprints: tuple[str, ...] = ()

    def sign(self, payload: bytes, nonce: str, url: str) -> bytes:
        """Return the body of a request: a JWS in its flattened form (RFC 8555 section 6.2, RFC 7515 section 7.2.2).

        Not by ``acme.jws``, which takes three times as long: a certificate for 100 names needs 205 of them.
        """
        account = {"jwk": self.key.public_key().to_json()} if self.url is None else {"kid": self.url}
        header = {"alg": self.algorithm.name, "nonce": nonce, "url": url, **account}
        protected, body = base64url(json.dumps(header).encode()), base64url(payload)
        signature = self.algorithm.sign(self.key.key, f"{protected}.{body}".encode())
        return json.dumps({"protected": protected, "payload": body, "signature": base64url(signature)}).encode()


class Transport:
    """Sends requests to one CA; shared by all threads.

    :param on_response: called with each answer, whatever its status.
    """

    def __init__(self, name: str, http: HttpClient, on_response: Callable[[Response], object] | None = None) -> None:
        self._name = name
        self._http = http
        self._on_response = on_response
        self._nonces = Nonces(self._new_nonce)
        self._in_flight = threading.BoundedSemaphore(WIDTH)
        self.new_nonce_url = ""
        self._distance: float | None = None

    @property
    def name(self) -> str:
        """The name of the CA."""
        return self._name

    @property
    def distance(self) -> float:
        """Seconds of about one round trip to the CA, by the fastest answer so far."""
        return self._distance or 0.0

    @property
    def is_near(self) -> bool:
        """Whether the CA is on the local network."""
        return self.distance < _NEAR

    @property
    def width(self) -> int:
        """The useful number of concurrent requests: to a near CA, more than a few cost more in TLS handshakes."""
        return _NEAR_WIDTH if self.is_near else WIDTH

    def problems(self, context: Context) -> Problems:
        """Return the builder of this CA's errors."""
        return Problems(self._name, context.redactor.redact)

    def get(self, context: Context, url: str, stage: str, *, policy: Policy = RESEND) -> Response:
        """Get a public resource; redirects are followed.

        :raises CAError: the CA refused, or did not answer.
        """
        return resend(context, partial(self._plain, context, "GET", url, stage), policy)

    def post(
        self,
        context: Context,
        signer: Signer,
        url: str,
        payload: Mapping[str, Any] | None,
        stage: str,
        *,
        tries: int | None = None,
        accept: str | None = None,
    ) -> Response:
        """Send a signed request.

        :param payload: None: POST-as-GET.
        :param tries: the total number of times it may be sent if answers are lost; such a request is not retried
            after a 5xx status other than 503. None: it is retried like a GET.
        :raises CAError: the CA refused, or did not answer.
        """
        body = b"" if payload is None else json.dumps(payload).encode()
        return resend(context, partial(self._signed, context, signer, url, body, stage, tries=tries, accept=accept))

    def _signed(
        self,
        context: Context,
        signer: Signer,
        url: str,
        payload: bytes,
        stage: str,
        *,
        tries: int | None,
        accept: str | None,
    ) -> Response:
        headers = {"Content-Type": "application/jose+json"} | ({"Accept": accept} if accept else {})
        nonce = self._nonces.take(context, self._nonce_bucket(context), at_once=self.is_near)
        for _ in range(NONCE_TRIES + 1):
            body = signer.sign(payload, nonce, url)
            with self._nonces.expected:
                response = self._send(context, "POST", url, tries=tries, data=body, headers=headers)
            fresh = _nonce(response)
            if not _is_bad_nonce(response):
                if fresh:
                    self._nonces.add(fresh)
                return self._accepted(context, response, stage, tries, sent=(nonce, body))
            nonce = fresh or self._new_nonce(context)
        raise self.problems(context).error(texts.NONCES_REFUSED, count=NONCE_TRIES + 1, type="badNonce", stage=stage)

    def _accepted(
        self,
        context: Context,
        response: Response,
        stage: str,
        tries: int | None = None,
        *,
        sent: tuple[str, bytes] | None = None,
    ) -> Response:
        if response.status < 400:
            return response
        now = context.clock.now()
        after = retry_after(response.headers, now)
        problems = self.problems(context)
        if sent is not None:  # the CA may quote the signed request
            problems = Problems(self._name, partial(_redact_request, context.redactor.redact, sent))
        error = problems.refused(response, stage, after, now)
        asks_to_wait = response.status == 503 or (response.status == 429 and after is not None)
        if asks_to_wait or (response.status >= 500 and tries is None):
            raise Transient(error, after=after)
        raise error

    def _plain(self, context: Context, method: str, url: str, stage: str) -> Response:
        return self._accepted(context, self._send(context, method, url, redirects=True), stage)

    def _send(self, context: Context, method: str, url: str, *, tries: int | None = None, **more: Any) -> Response:
        context.buckets.of_ca(urlsplit(url).netloc).take(context)
        with self._in_flight:
            context.check()  # the wait for the semaphore may have been long
            started = context.clock.monotonic()
            try:
                response = self._http.request(method, url, **more)
            except HttpFailure as failure:
                error = self.problems(context).unreachable(failure, url, context.clock.now())
                if failure.kind in _LOST:
                    raise Transient(error, tries=None if failure.kind in _UNSENT else tries) from None
                raise error from None
        if self._on_response is not None:
            self._on_response(response)
        seconds = context.clock.monotonic() - started
        # The first request takes three round trips, because it opens a connection: TCP, TLS and HTTP.
        self._distance = seconds / 3 if self._distance is None else min(seconds, self._distance)
        _logger.debug("%s %s: %d", method, url, response.status)
        return response

    # ── nonces (RFC 8555 section 6.5) ───────────────────────────────────────────────────

    def prefetch_nonces(self, context: Context, requests: int) -> None:
        """Get nonces in the background for concurrent requests that follow, and open the connections for them.

        A far CA needs three round trips for each, which pass while DNS and the order are waited for. To a near one, the
        answers of the first requests bring enough.

        :param requests: how many requests will follow at once.
        """
        if not self.is_near:
            self._nonces.prefetch(context, self._nonce_bucket(context), min(requests, WIDTH))

    def _nonce_bucket(self, context: Context) -> TokenBucket:
        return context.buckets.of_nonces(urlsplit(self.new_nonce_url).netloc)

    def _new_nonce(self, context: Context) -> str:
        response = resend(context, partial(self._plain, context, "HEAD", self.new_nonce_url, "newNonce"))
        nonce = _nonce(response)
        if nonce is None:
            raise self.problems(context).malformed(texts.NO_NONCE, response)
        return nonce


def _redact_request(redact: Callable[[str], str], sent: tuple[str, bytes], text: str) -> str:
    """Remove secrets, the nonce and the parts of the sent JWS from a text of the CA."""
    nonce, body = sent
    for part in (nonce, *json.loads(body).values()):
        text = text.replace(part, HIDDEN) if part else text
    return redact(text)


def _nonce(response: Response) -> str | None:
    """Return the nonce of an answer; one that is not base64url is ignored (RFC 8555 section 6.5.1)."""
    nonce = response.headers.get("Replay-Nonce", "")
    return nonce if _NONCE.fullmatch(nonce) else None


def _is_bad_nonce(response: Response) -> bool:
    if response.status != 400:
        return False
    try:
        problem = response.json()
    except ValueError:
        return False
    return isinstance(problem, dict) and problem.get("type") == _BAD_NONCE
