"""A session with one CA: it loads the directory and the account once, sends signed requests with them, and polls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from dnsrenew.acme import resources, texts
from dnsrenew.acme.account import AccountSession
from dnsrenew.acme.problems import content_type
from dnsrenew.acme.resources import Authorization, MalformedResource, Order
from dnsrenew.acme.transport import Directory, Signer, Transport, read_directory
from dnsrenew.base.http import Response, retry_after
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import CircuitBreaker, SingleFlight
from dnsrenew.base.values import Frozen
from dnsrenew.errors import CAError, about

_MakeSigner = Callable[[Context, Directory, Signer], Signer]

_BAD_SIGNATURE: Final = frozenset({"malformed", "unauthorized"})
"""Problem types with which a CA may refuse a signature by a key that is not the account's."""


class AccountIdentity(Frozen):
    """An account at a CA, as a dns-persist-01 record may name it.

    :ivar ca: the name of the CA.
    :ivar url: the account URL.
    :ivar thumbprints: the thumbprints of the account's keys (RFC 7638): the current one, then the known earlier ones.
    """

    ca: str
    directory: Directory
    url: str
    thumbprints: tuple[str, ...]


class Session:
    """A session with one CA for one run; shared by all threads.

    :param url: the URL of the directory (RFC 8555 section 7.1.1).
    :ivar directory: downloads the directory, once for all threads; no account is needed. It raises a CAError if the CA
        cannot be reached, or has no ACME directory.
    :ivar open: also finds or creates the account, and returns its signer. It raises a CAError if the CA refuses the
        account, and a StoreError if it cannot be stored.
    """

    def __init__(self, url: str, transport: Transport, accounts: AccountSession) -> None:
        self._url = url
        self._transport = transport
        self._accounts = accounts
        self._directory = SingleFlight(self._read)
        self.directory = self._directory.get
        self._opened = SingleFlight(self._open)
        self.open = self._opened.get
        self._breaker = CircuitBreaker()

    @property
    def signer(self) -> Signer:
        """The signer of the account.

        :raises ValueError: the CA was not opened.
        """
        if (signer := self._opened.value) is None:
            raise ValueError("the CA was not opened")
        return signer

    @property
    def identity(self) -> AccountIdentity:
        """See :attr:`CAClient.identity`."""
        signer, directory = self.signer, self._directory.value
        assert directory is not None  # noqa: S101  # it was read before the account was found
        return AccountIdentity(self._transport.name, directory, signer.url or "", signer.thumbprints)

    def _read(self, context: Context) -> Directory:
        directory = read_directory(context, self._transport, self._url)
        self._transport.new_nonce_url = directory.required("newNonce")
        return directory

    def _open(self, context: Context) -> Signer:
        return self._accounts.find(context, self.directory(context))

    def post(self, context: Context, url: str, payload: dict[str, Any] | None, stage: str, **more: Any) -> Response:
        """Send a signed request; send it again if the account was created again or its key was changed."""
        signer = self.open(context)
        try:
            return self._send(context, signer, url, payload, stage, **more)
        except CAError as error:
            make_signer = self._signer_after(signer, error)
            if make_signer is None:
                raise
        return self._send(context, self.replace_signer(context, signer, make_signer), url, payload, stage, **more)

    def _signer_after(self, signer: Signer, error: CAError) -> _MakeSigner | None:
        """Return a function that makes a new signer if the CA refused this one; None if the error has another cause."""
        if error.type == "accountDoesNotExist":
            return self._accounts.recreate
        if error.type in _BAD_SIGNATURE and self._accounts.has_changed(signer):
            return lambda context, directory, _old: self._accounts.find(context, directory)
        return None

    def _send(
        self, context: Context, signer: Signer, url: str, payload: dict[str, Any] | None, stage: str, **more: Any
    ) -> Response:
        """Send a signed request, and record in the circuit breaker whether the CA answered."""
        started = context.clock.monotonic()
        try:
            response = self._transport.post(context, signer, url, payload, stage, **more)
        except CAError as error:
            if error.code != "ca-unreachable":  # a refusal is an answer
                self._breaker.record_success(context, self._url)
            elif about(error).stage == "timeout":
                self._breaker.record_timeout(context, self._url, error, started)
            raise
        self._breaker.record_success(context, self._url)
        return response

    def check_answers(self, context: Context) -> None:
        """Raise if the circuit breaker is open. Call this before starting an order.

        :raises CAError: the CA did not answer other certificates, and one of them is used to test it.
        """
        self._breaker.check(context, self._url)

    def replace_signer(self, context: Context, old: Signer, make_signer: _MakeSigner) -> Signer:
        """Replace the signer for all threads; only the first caller's ``make_signer`` is called.

        :raises CAError: from ``make_signer``; the next request opens the session again.
        """
        return self._opened.replace(context, old, lambda of_call: make_signer(of_call, self.directory(of_call), old))


# ── fetch ──────────────────────────────────────────────────────────────────────────────

# Fetches orders and authorizations, several concurrently (POST-as-GET, RFC 8555 section 6.3).

T = TypeVar("T")

_MIN_CONCURRENT: Final = 4
"""The number of requests from which threads are faster."""


class Fetcher:
    """Fetches resources from one CA; shared by all threads."""

    def __init__(self, transport: Transport, session: Session) -> None:
        self._transport = transport
        self._session = session

    def order(self, context: Context, url: str) -> tuple[Order, Mapping[str, str]]:
        """Return an order and the headers of the answer."""
        response = context.call(partial(self._session.post, context, url, None, "order"))
        return self.parse(context, response, "order", partial(resources.parse_order, url)), response.headers

    def authorizations(self, context: Context, urls: Iterable[str]) -> list[tuple[Authorization, Response]]:
        """Return authorizations, each with its answer."""
        return self.each(context, [partial(self.authorization, context, url) for url in urls])

    def authorization(self, context: Context, url: str) -> tuple[Authorization, Response]:
        """Return one authorization; blocks and cannot be cancelled."""
        response = self._session.post(context, url, None, "authorization")
        return self.parse(context, response, "authorization", partial(resources.parse_authorization, url)), response

    def parse(self, context: Context, response: Response, resource: str, parse: Callable[[Any], T]) -> T:
        """Parse the JSON of an answer.

        :param resource: the expected resource, such as "order".
        :raises CAError: ``ca-malformed-answer``: the answer is not JSON, or lacks a required field.
        """
        problems = self._transport.problems(context)
        try:
            body = response.json()
        except ValueError:
            text = texts.NOT_JSON if content_type(response) else texts.NOT_JSON_NO_TYPE
            raise problems.malformed(text, response, resource=resource) from None
        try:
            return parse(body)
        except MalformedResource as error:
            raise problems.malformed(error.text, response, **error.fields) from None

    def each(self, context: Context, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Make the calls, concurrently if there are several, and return their results.

        :raises CAError: the first error of a call.
        :raises Cancelled: the context was cancelled.
        """
        if len(calls) < _MIN_CONCURRENT:
            return context.call(lambda: [call() for call in calls])
        return [task.result() for task in context.call_all(calls, self._transport.width)]


# ── order polling ──────────────────────────────────────────────────────────────────────

# Polls orders until they are ready or issued, and collects the problems of invalid ones.

_VALIDATION: Final = 0.01
_ISSUANCE: Final = 0.01
"""Seconds that a CA on the local network needs to validate and to issue. Polling earlier costs one more request."""
_STILL_VALIDATING: Final = 0.2
"""The time of the validations after the last response, as a part of the time of all responses."""
_AUTHORIZATION_GAP: Final = (1.0, 10.0)
"""The first and the longest interval in seconds between polls of the authorizations."""


class OrderPoll:
    """Polls orders at one CA; shared by all threads.

    :param timeout: seconds that the CA has to validate, and again to issue.
    :ivar responded: the answered authorizations, each with the seconds that the responses of its batch took.
    """

    def __init__(self, transport: Transport, fetcher: Fetcher, accounts: AccountSession, timeout: float) -> None:
        self._transport = transport
        self._accounts = accounts
        self._fetcher = fetcher
        self._timeout = timeout
        self.responded: dict[str, float] = {}
        self.valid: set[str] = set()

    def schedule(self, context: Context) -> PollSchedule:
        """Return a poll schedule that starts now."""
        return PollSchedule(context, self._timeout)

    def before_finalize(self, context: Context, order: Order, schedule: PollSchedule) -> Order:
        """Wait until an order can be finalized, and return its last known state.

        Poll it only if it may not be ready yet.

        A CA on the local network validates in milliseconds, so its order is finalized after a short wait without a
        poll, unless the CA has refused that before. Any other CA takes seconds.
        """
        if self.valid.issuperset(order.authorizations):
            return order
        took = max((self.responded.get(url, 0.0) for url in order.authorizations), default=0.0)
        context.wait(self._without_round_trip(_VALIDATION + _STILL_VALIDATING * took))
        if self._transport.is_near and not self._accounts.is_slow:
            return order
        return self.until_ready(context, order, schedule)

    def until_valid(self, context: Context, order: Order, authorizations: Sequence[Authorization]) -> None:
        """Wait until some authorizations of an order are valid, for identifiers that are validated one by one.

        :raises CAError: an authorization failed (the error names all failed ones), or the CA took longer than its
            ``timeout``.
        """
        started = context.clock.monotonic()
        schedule = PollSchedule(context, self._timeout, early=self._without_round_trip(_VALIDATION))
        waiting: list[str] = [each.url for each in authorizations]
        try:
            while True:
                found = self._fetcher.authorizations(context, waiting)
                waiting = [each.url for each, _ in found if each.status != "valid"]
                self.valid.update(each.url for each, _ in found if each.status == "valid")
                if not waiting:
                    break
                headers = next(response.headers for each, response in found if each.status != "valid")
                # The authorization or the order may become invalid first.
                has_failed = any(_is_failed(each) for each, _ in found)
                if has_failed or self._fetcher.order(context, order.url)[0].status == "invalid":
                    raise self.failure(context, order)
                schedule.wait(headers)
        except PollTimeout as timeout:
            raise self.timed_out(context, order, timeout.retry_after) from None
        self.emit_valid(context, [each.identifier for each in authorizations], started)

    def until_ready(self, context: Context, order: Order, schedule: PollSchedule) -> Order:
        """Poll the order and its authorizations: some CAs leave an order pending after a failed authorization."""
        gap, most = _AUTHORIZATION_GAP
        next_poll = context.clock.monotonic() + gap
        waiting = order.authorizations
        while True:
            order, headers = self._fetcher.order(context, order.url)
            if order.status != "pending":
                return order
            if context.clock.monotonic() >= next_poll:
                found = [each for each, _ in self._fetcher.authorizations(context, waiting)]
                if any(_is_failed(each) for each in found):
                    raise self.failure(context, order)
                waiting = tuple(each.url for each in found if each.status != "valid")
                gap = min(gap * 2, most)
                next_poll = context.clock.monotonic() + gap
            schedule.wait(headers)

    def until_issued(self, context: Context, order: Order) -> Order:
        """Poll the order until the certificate is issued."""
        schedule = PollSchedule(context, self._timeout, early=self._without_round_trip(_ISSUANCE))
        headers = None
        while order.status != "valid":
            if order.status == "invalid":
                raise self.failure(context, order)
            try:
                schedule.wait(headers)
            except PollTimeout as timeout:
                problems = self._transport.problems(context)
                raise problems.timeout(texts.TIMEOUT_ISSUANCE, timeout.retry_after, timeout=self._timeout) from None
            order, headers = self._fetcher.order(context, order.url)
        return order

    def failure(self, context: Context, order: Order) -> CAError:
        """Return the error that names every failed identifier, after the validations in progress or the time limit.

        Its evidence has ``order`` = ``invalid`` and the ``undecided`` identifiers: identifiers without a response to a
        challenge, and identifiers that the CA did not validate within its ``timeout``.
        """
        order = self._fetcher.order(context, order.url)[0]
        schedule = PollSchedule(context, self._timeout)
        latest: dict[str, Authorization] = {}
        urls = order.authorizations
        try:
            while urls:
                latest |= {each.url: each for each, _ in self._fetcher.authorizations(context, urls)}
                urls = tuple(url for url, each in latest.items() if _is_open(each) and url in self.responded)
                if urls:
                    schedule.wait()
        except PollTimeout:
            pass  # the remaining authorizations stay undecided
        found = [latest[url] for url in order.authorizations]
        failed = [each for each in found if _is_failed(each) or (each.status == "pending" and each.problem is not None)]
        error = self._transport.problems(context).failed(failed, order.error).with_evidence(order="invalid")
        undecided = [each.identifier for each in found if _is_open(each)]
        return error.with_evidence(undecided=undecided) if failed and undecided else error

    def timed_out(self, context: Context, order: Order, retry_after: float | None) -> CAError:
        """Return the error for validations that took too long, with the problems so far."""
        problems = self._transport.problems(context)
        found = [each for each, _ in self._fetcher.authorizations(context, order.authorizations)]
        if failing := [each for each in found if each.status != "valid" and each.problem is not None]:
            undecided = [each.identifier for each in found if each.status != "valid" and each.problem is None]
            return problems.failed(failing, None).with_evidence(timeout=self._timeout, undecided=undecided)
        names = [each.identifier for each in found if each.status != "valid"]
        text = texts.TIMEOUT_VALIDATION if names else texts.TIMEOUT_READY
        return problems.timeout(text, retry_after, timeout=self._timeout, identifiers=names)

    def _without_round_trip(self, seconds: float) -> float:
        """Return a wait minus the round-trip time to the CA."""
        return max(seconds - self._transport.distance, 0.0)

    def emit_valid(self, context: Context, domains: Sequence[str], started: float) -> None:
        """Emit the event for validated identifiers."""
        seconds = round(context.clock.monotonic() - started, 3)
        context.emit("authorizations-valid", domains=list(domains), seconds=seconds)


def _is_open(authorization: Authorization) -> bool:
    """Return whether an authorization is pending without a problem so far."""
    return authorization.status == "pending" and authorization.problem is None


def _is_failed(authorization: Authorization) -> bool:
    """Return whether an authorization is final and not valid. An unknown status is not final."""
    return authorization.status in {"invalid", "deactivated", "expired", "revoked"}


# ── poll schedule ──────────────────────────────────────────────────────────────────────

# Poll intervals for a resource that the CA is processing.

_FIRST: Final = 0.05
_GROWTH: Final = 1.5
_MAX_GAP: Final = 2.0
_MIN_RETRY_AFTER: Final = 1.0
MOST_ASKED: Final = 300.0
"""In seconds. A longer ``Retry-After`` ends the attempt."""


class PollTimeout(Exception):
    """The CA took longer than its time limit.

    :ivar retry_after: seconds that the CA asks to wait, or None.
    """

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__()
        self.retry_after = retry_after


class PollSchedule:
    """Waits between polls, for growing intervals or for the ``Retry-After``, until the time limit.

    :param seconds: the time limit.
    :param early: seconds of the first wait, regardless of ``Retry-After``, because processing usually takes no longer.
    """

    def __init__(self, context: Context, seconds: float, *, early: float | None = None) -> None:
        self._context = context
        self._end = context.clock.monotonic() + seconds
        self._early = early
        self._gap = _FIRST

    def wait(self, headers: Mapping[str, str] | None = None) -> None:
        """Wait before the next poll.

        :param headers: the headers of the last answer; a ``Retry-After`` of less than 1 s counts as 1 s.
        :raises PollTimeout: the time limit has passed, after a last poll at its end; or the ``Retry-After`` is longer
            than :data:`MOST_ASKED`.
        :raises Cancelled: the context was cancelled.
        """
        left = self._end - self._context.clock.monotonic()
        if left <= 0:
            raise PollTimeout
        self._context.wait(min(self._next(headers), left))

    def _next(self, headers: Mapping[str, str] | None) -> float:
        early, self._early = self._early, None
        if early is not None:
            return early
        asked = None if headers is None else retry_after(headers, self._context.clock.now())
        if asked is not None and asked > MOST_ASKED:
            raise PollTimeout(asked)
        if asked is not None:
            return max(asked, _MIN_RETRY_AFTER)
        gap, self._gap = self._gap, min(self._gap * _GROWTH, _MAX_GAP)
        return gap
