"""A session with one CA: its directory and account, loaded once, and signed requests with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dnsrenew.acme import texts
from dnsrenew.acme.account import AccountSession
from dnsrenew.acme.problems import content_type
from dnsrenew.acme.resources import Authorization, MalformedResource, Order, base64url, parse_authorization, parse_order
from dnsrenew.acme.transport import Directory, Signer, Transport, read_directory
from dnsrenew.base.http import Response
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import CircuitBreaker, SingleFlight
from dnsrenew.base.values import Frozen
from dnsrenew.errors import CAError, about

if TYPE_CHECKING:
    _MakeSigner = Callable[[Context, Directory, Signer], Signer]

_BAD_SIGNATURE: Final = frozenset({"malformed", "unauthorized"})
"""Problem types of a signature with a key that is not the account's, among other causes."""


class Opened(Frozen):
    """The directory and the account of an opened session.

    :ivar thumbprint: of the account key (RFC 7638). It is computed once, because it costs as much as a signature and
        every key authorization contains it.
    """

    directory: Directory
    signer: Signer
    thumbprint: str


class AccountIdentity(Frozen):
    """An account at a CA, as a dns-persist-01 record may name it.

    :ivar ca: the name of the CA.
    :ivar url: the account URL.
    :ivar thumbprints: of the account's keys (RFC 7638): the current one, then the earlier ones that are known.
    """

    ca: str
    directory: Directory
    url: str
    thumbprints: tuple[str, ...]


class Session:
    """A session with one CA for one run; shared by all threads.

    :param url: the URL of the directory (RFC 8555 section 7.1.1).
    """

    def __init__(self, url: str, transport: Transport, accounts: AccountSession) -> None:
        self._url = url
        self._transport = transport
        self._accounts = accounts
        self._directory = SingleFlight(self._read)
        self._opened = SingleFlight(self._open)
        self._breaker = CircuitBreaker()

    @property
    def opened(self) -> Opened | None:
        """The directory and the account, or None before the session is opened."""
        return self._opened.value

    @property
    def identity(self) -> AccountIdentity:
        """See :attr:`CAClient.identity`."""
        opened = self._opened.value
        if opened is None:
            raise ValueError("the CA was not opened")
        signer = opened.signer
        thumbprints = (opened.thumbprint, *signer.earlier_thumbprints)
        return AccountIdentity(self._transport.name, opened.directory, signer.url or "", thumbprints)

    def directory(self, context: Context) -> Directory:
        """Download the directory, once for all threads; no account is needed.

        :raises CAError: the CA cannot be reached, or it has no ACME directory.
        """
        return self._directory.get(context)

    def open(self, context: Context) -> Opened:
        """Download the directory and find or create the account, once for all threads.

        :raises CAError: the CA cannot be reached, has no ACME directory, or refuses the account.
        :raises StoreError: the account cannot be stored.
        """
        return self._opened.get(context)

    def _read(self, context: Context) -> Directory:
        directory = read_directory(context, self._transport, self._url)
        self._transport.new_nonce_url = directory.required("newNonce")
        return directory

    def _open(self, context: Context) -> Opened:
        directory = self._directory.get(context)
        return _opened(directory, self._accounts.find(context, directory))

    def post(self, context: Context, url: str, payload: dict[str, Any] | None, stage: str, **more: Any) -> Response:
        """Send a signed request; send it again if the account was created again or its key was changed."""
        session = self._opened.get(context)
        try:
            return self._send(context, session, url, payload, stage, **more)
        except CAError as error:
            make_signer = self._signer_after(session.signer, error)
            if make_signer is None:
                raise
        session = self.replace_signer(context, session, make_signer)
        return self._send(context, session, url, payload, stage, **more)

    def _signer_after(self, signer: Signer, error: CAError) -> _MakeSigner | None:
        """Return a function that makes a new signer if the CA refused this one; None if the error has another cause."""
        if error.type == "accountDoesNotExist":
            return self._accounts.recreate
        if error.type in _BAD_SIGNATURE and self._accounts.has_changed(signer):
            return lambda context, directory, _old: self._accounts.find(context, directory)
        return None

    def _send(
        self, context: Context, session: Opened, url: str, payload: dict[str, Any] | None, stage: str, **more: Any
    ) -> Response:
        """Send a signed request, and record in the circuit breaker whether the CA answered."""
        started = context.clock.monotonic()
        try:
            response = self._transport.post(context, session.signer, url, payload, stage, **more)
        except CAError as error:
            if error.code != "ca-unreachable":  # a refusal is an answer
                self._breaker.record_success(context, self._url)
            elif about(error).stage == "timeout":
                self._breaker.record_timeout(context, self._url, error, started)
            raise
        self._breaker.record_success(context, self._url)
        return response

    def check_answers(self, context: Context) -> None:
        """Return unless the circuit breaker is open; call it before starting an order.

        :raises CAError: the CA did not answer other certificates, and one of them is the probe.
        """
        self._breaker.check(context, self._url)

    def replace_signer(self, context: Context, old: Opened, make_signer: _MakeSigner) -> Opened:
        """Replace the signer for all threads; only the first caller's ``make_signer`` is called.

        :raises CAError: from ``make_signer``; the next request opens the session again.
        """
        return self._opened.replace(context, old, partial(_with_new_signer, old, make_signer))


def _with_new_signer(old: Opened, make_signer: _MakeSigner, context: Context) -> Opened:
    return _opened(old.directory, make_signer(context, old.directory, old.signer))


def _opened(directory: Directory, signer: Signer) -> Opened:
    return Opened(directory, signer, base64url(signer.key.thumbprint()))


# ── fetch ──────────────────────────────────────────────────────────────────────────────

# Fetches orders and authorizations, several concurrently (POST-as-GET, RFC 8555 section 6.3).

T = TypeVar("T")

_MIN_CONCURRENT: Final = 4
"""The number of requests from which threads are worth their cost."""


class Fetcher:
    """Fetches resources from one CA; shared by all threads."""

    def __init__(self, transport: Transport, session: Session) -> None:
        self._transport = transport
        self._session = session

    def order(self, context: Context, url: str) -> tuple[Order, Mapping[str, str]]:
        """Return an order and the headers of the answer."""
        response = context.call(partial(self._session.post, context, url, None, "order"))
        return self.parse(context, response, "order", partial(parse_order, url)), response.headers

    def authorizations(self, context: Context, urls: Iterable[str]) -> list[tuple[Authorization, Response]]:
        """Return authorizations, each with its answer."""
        return self.each(context, [partial(self.authorization, context, url) for url in urls])

    def authorization(self, context: Context, url: str) -> tuple[Authorization, Response]:
        """Return one authorization; blocks and cannot be cancelled."""
        response = self._session.post(context, url, None, "authorization")
        return self.parse(context, response, "authorization", partial(parse_authorization, url)), response

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
