"""Requests to a CA (RFC 8555 section 6): signed, with a fresh nonce, and retried when that is safe."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import ssl
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from josepy.jwa import ES256, JWASignature

from dnsrenew.acme import texts
from dnsrenew.acme.problems import Problems, content_type
from dnsrenew.acme.resources import MAX_ENTRIES, MAX_NAME, MAX_WORD, address, base64url, issuer_names, one_line
from dnsrenew.base import threads, x509
from dnsrenew.base.http import HttpClient, HttpFailure, Response, date_of, retry_after
from dnsrenew.base.runtime import Context, TokenBucket
from dnsrenew.base.runtime.calls import RESEND, Policy, Transient, resend
from dnsrenew.base.secrets import HIDDEN
from dnsrenew.base.values import Frozen
from dnsrenew.errors import CAError, Cancelled, about

if TYPE_CHECKING:
    from josepy.jwk import JWKEC, JWKRSA

WIDTH: Final = 34
"""Maximum number of concurrent requests to one CA. Requests for 100 names (the limit of many CAs) take three rounds."""
_NEAR: Final = 0.01
"""The longest round-trip time in seconds of a CA on the local network."""
_NEAR_WIDTH: Final = 4
_BESIDE: Final = 0.003
"""The longest round-trip time in seconds of a CA on the same machine: it answers while the next request is made."""
_BESIDE_WIDTH: Final = 2
NONCE_TRIES: Final = 25
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{1,1024}")
_BAD_NONCE: Final = "urn:ietf:params:acme:error:badNonce"
_LOST: Final = frozenset({"dns", "connect", "timeout", "reset", "proxy"})
_UNSENT: Final = frozenset({"dns", "connect"})
"""Failures before the request was sent; such a request may always be retried."""

_Note = Callable[[Response], object]
_logger = logging.getLogger("dnsrenew.acme")


class Signer(Frozen, hidden=("key",)):
    """The account key, which is never shown, and the account URL.

    :ivar url: None if the JWS contains the public key instead, as newAccount requires.
    :ivar algorithm: the signature algorithm; the keys of new accounts use ES256.
    :ivar thumbprints: the thumbprint of the key, then of earlier keys of the account (RFC 7638). The first is computed
        once, because it costs as much as a signature and every key authorization contains it.
    """

    key: JWKEC | JWKRSA
    url: str | None
    algorithm: JWASignature = ES256
    thumbprints: tuple[str, ...] = ()

    def sign(self, payload: bytes, nonce: str, url: str) -> bytes:
        """Return the body of a request: a JWS in its flattened form (RFC 8555 section 6.2, RFC 7515 section 7.2.2).

        It does not use ``acme.jws``, which takes three times as long: a certificate for 100 names needs 205 signatures.
        """
        account = {"jwk": self.key.public_key().to_json()} if self.url is None else {"kid": self.url}
        header = {"alg": self.algorithm.name, "nonce": nonce, "url": url, **account}
        protected, body = base64url(json.dumps(header).encode()), base64url(payload)
        signature = self.algorithm.sign(self.key.key, f"{protected}.{body}".encode())
        return json.dumps({"protected": protected, "payload": body, "signature": base64url(signature)}).encode()


class Transport:
    """Sends requests to one CA; shared by all threads.

    :param note: called with each answer, regardless of its status.
    :param is_private: it is the CA of the user, which has no limit for nonces.
    :ivar name: the name of the CA.
    """

    def __init__(self, name: str, http: HttpClient, note: _Note | None = None, *, is_private: bool = False) -> None:
        self.name, self._is_private = name, is_private
        self._http = http
        self._note = note
        self._nonces = Nonces(self._new_nonce)
        self._in_flight = threading.BoundedSemaphore(WIDTH)
        self.new_nonce_url = ""
        self._distance: float | None = None

    @property
    def distance(self) -> float:
        """The approximate round-trip time to the CA in seconds, from the fastest answer so far."""
        return self._distance or 0.0

    @property
    def is_near(self) -> bool:
        """Whether the CA is on the local network."""
        return self.distance < _NEAR

    @property
    def width(self) -> int:
        """The useful number of concurrent requests.

        To a near CA, more than a few cost more in TLS handshakes than they save.
        """
        return _BESIDE_WIDTH if self.distance < _BESIDE else _NEAR_WIDTH if self.is_near else WIDTH

    def problems(self, context: Context) -> Problems:
        """Return the builder of this CA's errors."""
        return Problems(self.name, context.redactor.redact)

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

        :param payload: None for POST-as-GET.
        :param tries: the total number of times it may be sent if answers are lost; such a request is not retried after
            a 5xx status other than 503. None if it is retried like a GET.
        :raises CAError: the CA refused, or did not answer.
        """
        content = b"" if payload is None else json.dumps(payload).encode()
        headers = {"Content-Type": "application/jose+json"} | ({"Accept": accept} if accept else {})

        def send() -> Response:
            nonce = self._nonces.take(context, self._nonce_bucket(context), at_once=self.is_near)
            for _ in range(NONCE_TRIES + 1):
                body = signer.sign(content, nonce, url)
                with self._nonces.expected:
                    response = self._send(context, "POST", url, tries=tries, data=body, headers=headers)
                fresh = _nonce(response)
                if response.status != 400 or response.fields().get("type") != _BAD_NONCE:
                    if fresh:
                        self._nonces.add(fresh)
                    redact = partial(_redact_request, context.redactor.redact, nonce, body)  # the CA may quote it
                    return self._accepted(context, response, stage, tries, Problems(self.name, redact))
                nonce = fresh or self._new_nonce(context)
            problems = self.problems(context)
            raise problems.error(texts.NONCES_REFUSED, count=NONCE_TRIES + 1, type="badNonce", stage=stage)

        return resend(context, send)

    def _accepted(
        self, context: Context, response: Response, stage: str, tries: int | None, problems: Problems
    ) -> Response:
        if response.status < 400:
            return response
        now = context.clock.now()
        after = retry_after(response.headers, now)
        error = problems.refused(response, stage, after, now)
        asks_to_wait = response.status == 503 or (response.status == 429 and after is not None)
        if asks_to_wait or (response.status >= 500 and tries is None):
            raise Transient(error, after=after)
        raise error

    def _plain(self, context: Context, method: str, url: str, stage: str) -> Response:
        response = self._send(context, method, url, redirects=True)
        return self._accepted(context, response, stage, None, self.problems(context))

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
        if self._note is not None:
            self._note(response)
        seconds = context.clock.monotonic() - started
        # The first request takes three round trips, because it opens a connection: TCP, TLS and HTTP.
        self._distance = seconds / 3 if self._distance is None else min(seconds, self._distance)
        _logger.debug("%s %s: %d", method, url, response.status)
        return response

    # ── nonces (RFC 8555 section 6.5) ───────────────────────────────────────────────────

    def prefetch_nonces(self, context: Context, requests: int) -> None:
        """Fetch nonces in the background for the concurrent requests that follow, and open connections for them.

        To a distant CA, each connection takes three round trips, which pass while the run waits for DNS and the order.
        A near CA sends enough nonces with the answers to the first requests.

        :param requests: the number of concurrent requests that will follow.
        """
        if not self.is_near:
            wanted = min(requests, WIDTH)
            threads.start(partial(self._nonces.prefetch, context, self._nonce_bucket(context), wanted))

    def _nonce_bucket(self, context: Context) -> TokenBucket:
        of = context.buckets.of_ca if self._is_private else context.buckets.of_nonces
        return of(urlsplit(self.new_nonce_url).netloc)

    def _new_nonce(self, context: Context) -> str:
        response = resend(context, partial(self._plain, context, "HEAD", self.new_nonce_url, "newNonce"))
        nonce = _nonce(response)
        if nonce is None:
            raise self.problems(context).malformed(texts.NO_NONCE, response)
        return nonce


def _redact_request(redact: Callable[[str], str], nonce: str, body: bytes, text: str) -> str:
    """Remove secrets, the nonce and the parts of the sent JWS from a text of the CA."""
    for part in (nonce, *json.loads(body).values()):
        text = text.replace(part, HIDDEN) if part else text
    return redact(text)


def _nonce(response: Response) -> str | None:
    """Return the nonce of an answer. A nonce that is not base64url is ignored (RFC 8555 section 6.5.1)."""
    nonce = response.headers.get("Replay-Nonce", "")
    return nonce if _NONCE.fullmatch(nonce) else None


# ── nonces ─────────────────────────────────────────────────────────────────────────────

# The unused nonces of one CA (RFC 8555 section 6.5). Most answers bring one, and each signed request needs one.

_MAX_UNUSED: Final = 48
_PAUSE: Final = 0.01
"""Seconds between two checks for a nonce that another thread has received."""
_PATIENCE: Final = 1.0
"""Seconds to wait for the nonce of another request; its answer may be lost."""


class Count(list[None]):
    """A counter with one item for each thread inside its ``with`` block."""

    def __enter__(self) -> None:
        self.append(None)

    def __exit__(self, *_: object) -> None:
        self.pop()


class Nonces:
    """Keeps nonces and gets new ones. Thread-safe.

    :param fetch: asks the CA for a nonce (newNonce).
    :ivar expected: counts the signed requests in flight, whose answers will bring a nonce.
    """

    def __init__(self, fetch: Callable[[Context], str]) -> None:
        self._fetch = fetch
        self._unused: deque[str] = deque(maxlen=_MAX_UNUSED)
        self._waiting = Count()
        self._prefetched = Count()
        self.expected = Count()

    def add(self, nonce: str) -> None:
        """Keep a nonce that came with an answer."""
        self._unused.append(nonce)

    def take(self, context: Context, bucket: TokenBucket, *, at_once: bool) -> str:
        """Return an unused nonce, the nonce of a request in flight, or a new one.

        :param bucket: the rate limit of newNonce.
        :param at_once: do not wait for an answer in flight, because a new nonce takes no longer.
        :raises CAError: the CA sent no nonce.
        :raises Cancelled: the caller cancelled.
        """
        found = self._pop()
        if found is not None:
            return found
        with self._waiting:
            started = context.clock.monotonic()
            while found is None:
                is_late = context.clock.monotonic() - started >= _PATIENCE
                is_coming = self.expected or self._prefetched
                if (at_once or is_late or not is_coming) and bucket.try_take(context):
                    return self._fetch(context)
                context.wait(_PAUSE)
                found = self._pop()
        return found

    def _pop(self) -> str | None:
        """Return the newest unused nonce, because an old one may have expired during a wait for DNS."""
        with contextlib.suppress(IndexError):
            return self._unused.pop()
        return None

    def prefetch(self, context: Context, bucket: TokenBucket, wanted: int) -> None:
        """Fetch nonces until there are this many, unless requests bring some."""
        with contextlib.suppress(Cancelled):
            for _ in range(wanted - len(self._unused)):
                bucket.take(context)
                # While the last of several requests are under way, wait: beside this request one of them would have to
                # open a connection of its own.
                while self.expected and not self._waiting:
                    context.wait(_PAUSE)
                threads.start(partial(self._add_new, context))

    def _add_new(self, context: Context) -> None:
        # The request that needs a nonce gets its own error.
        with self._prefetched, contextlib.suppress(CAError, Cancelled):
            self.add(self._fetch(context))


# ── directory ──────────────────────────────────────────────────────────────────────────

# The directory of a CA (RFC 8555 section 7.1.1): the URLs of its resources, and its metadata.

_REQUIRED: Final = ("newNonce", "newAccount", "newOrder")


class Directory(Frozen):
    """A directory, parsed tolerantly; :func:`read_directory` checks the required resources.

    :ivar url: the URL that answered; other URLs may be relative to it.
    :ivar ahead: how far the local clock was ahead of the CA's when the answer arrived; zero without a ``Date``.
    """

    url: str
    fields: Mapping[str, Any]
    ahead: timedelta = timedelta()

    def resource(self, name: str) -> str | None:
        """Return the URL of a resource, such as ``renewalInfo``; None if the CA does not offer it."""
        return address(self.url, self.fields.get(name))

    def required(self, name: str) -> str:
        """Return the URL of a required resource: ``newNonce``, ``newAccount`` or ``newOrder``."""
        return self.resource(name) or ""

    @property
    def meta(self) -> Mapping[str, Any]:
        """The ``meta`` object; empty if it is missing."""
        found = self.fields.get("meta")
        return found if isinstance(found, dict) else {}

    @property
    def terms_of_service(self) -> str | None:
        """The URL of the terms of service, which a new account must accept."""
        found = self.meta.get("termsOfService")
        return one_line(found) or None if isinstance(found, str) else None

    @property
    def binding_required(self) -> bool:
        """Whether a new account needs an external account binding (RFC 8555 section 7.3.4)."""
        return self.meta.get("externalAccountRequired") is True

    @property
    def profiles(self) -> dict[str, str]:
        """The offered certificate profiles with their descriptions (draft-ietf-acme-profiles)."""
        found = self.meta.get("profiles")
        offered = list(found.items())[:MAX_ENTRIES] if isinstance(found, dict) else []
        return {one_line(name, MAX_WORD): one_line(text) if isinstance(text, str) else "" for name, text in offered}

    @property
    def caa_identities(self) -> tuple[str, ...]:
        """The issuer domain names of this CA in CAA records (RFC 8659), in lower case."""
        found = self.meta.get("caaIdentities")
        names = found[:MAX_ENTRIES] if isinstance(found, list) else []
        return tuple(one_line(each, MAX_NAME).lower() for each in names if isinstance(each, str))

    @property
    def issuer_names(self) -> tuple[str, ...]:
        """The issuer domain names in every dns-persist-01 challenge; empty if they are missing or malformed.

        See draft-ietf-acme-dns-persist-02 section 3.2.
        """
        return issuer_names(self.meta.get("issuerDomainNames"))

    @property
    def account_hash_prefix(self) -> str | None:
        """The start of the URI that identifies an account in a dns-persist-01 record, or None.

        See draft-ietf-acme-dns-persist-02 section 4.1.
        """
        found = self.meta.get("accountHashPrefix")
        return found if isinstance(found, str) and address(found, found) == found else None


def read_directory(context: Context, transport: Transport, url: str, *, policy: Policy = RESEND) -> Directory:
    """Download a directory.

    :param policy: the retry policy of the request.
    :raises CAError: the CA cannot be reached, or the URL is not an ACME directory (``ca-not-acme``).
    """
    status, kind, missing = 0, "", list[str]()
    try:
        response = transport.get(context, url, "directory", policy=policy)
        status, kind = response.status, content_type(response)
        fields = response.json()
        missing = [each for each in _REQUIRED if address(response.url, fields.get(each)) is None]
        if not missing:
            date = date_of(response.headers)
            ahead = timedelta() if date is None else context.clock.now() - date
            return Directory(response.url, fields, ahead)
        text = texts.NOT_ACME_FIELDS
    except CAError as error:
        status = about(error).status
        if not 400 <= status < 500 or error.code == "ca-rate-limited":
            raise
        text = texts.NOT_ACME_STATUS
    except ValueError:  # not JSON
        text = texts.NOT_ACME_TYPE if kind else texts.NOT_ACME_NO_TYPE
    except AttributeError:
        text = texts.NOT_ACME_OBJECT
    found = {"content_type": kind, "missing": missing}
    more = {key: value for key, value in found.items() if value}
    raise transport.problems(context).error(text, directory=url, status=status, **more)


# ── trusted roots ──────────────────────────────────────────────────────────────────────

# Whether a new certificate leads to a known root. With another root, it could replace a working certificate.
#
# Clients have their own roots, so an unknown root is only a warning. The current certificate counts as known,
# because the clients of this machine accept it.

_HASHED: Final = r"[0-9a-f]{8}\.\d+"
"""The names of the files that OpenSSL reads in a folder of roots."""


def warn_if_unknown(context: Context, ca: str, chain: str, previous: str | None) -> None:
    """Warn if neither the system nor the previous certificate knows the root of a chain.

    There is no warning if the system's roots cannot be listed, as on Windows, which downloads a root when it is first
    needed.

    :param ca: the name of the CA.
    :param chain: PEM, leaf first, already checked.
    :param previous: the current certificate with its chain, as PEM, or None.
    """
    if previous is not None and x509.have_same_root(previous, chain):
        return
    if is_known(chain) is False:
        context.warn(*texts.CHAIN_UNKNOWN_ROOT.fill(ca=ca, root=x509.top_issuer(chain)))


def is_known(chain: str) -> bool | None:
    """Return whether a root of the system issued a chain; None if the system's roots cannot be listed."""
    listed = False
    for roots in _system_roots():
        if x509.is_issued_under(chain, roots):
            return True
        listed = listed or bool(roots)
    return False if listed else None


def _system_roots() -> Iterator[list[bytes]]:
    """Return the roots of the operating system as DER: first the roots in its file, then the roots in its folder."""
    if sys.platform == "win32":
        return
    yield ssl.create_default_context().get_ca_certs(binary_form=True)
    if folder := ssl.get_default_verify_paths().capath:
        yield _in_folder(Path(folder))


def _in_folder(folder: Path) -> list[bytes]:
    """Return the roots in a folder.

    OpenSSL cannot list them, because it reads the folder only to look for an issuer.
    """
    found = []
    with contextlib.suppress(OSError):
        for file in folder.iterdir():
            if re.fullmatch(_HASHED, file.name):
                with contextlib.suppress(OSError, ValueError):  # compare the others
                    found.append(ssl.PEM_cert_to_DER_cert(file.read_text("ascii").strip()))
    return found
