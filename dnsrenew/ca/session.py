"""A CA that is open to us: its directory and our account, had once, and signed requests with them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dnsrenew.ca.account import AccountSession
from dnsrenew.ca.directory import Directory, read_directory
from dnsrenew.ca.resources import base64url
from dnsrenew.ca.transport import Signer, Transport
from dnsrenew.errors import CAError
from dnsrenew.runtime.circuit_breaker import CircuitBreaker
from dnsrenew.runtime.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnsrenew.http import Response
    from dnsrenew.runtime.context import Context

    _MakeSigner = Callable[[Context, Directory, Signer], Signer]

_BAD_SIGNATURE: Final = frozenset({"malformed", "unauthorized"})
"""What CAs call a signature with another key than the account's, among other things."""


class Opened(NamedTuple):
    """What is known once the CA is open to us.

    :ivar thumbprint: of the account key (RFC 7638): every proof has it, and it costs as much as a signature.
    """

    directory: Directory
    signer: Signer
    thumbprint: str


class Session:
    """One CA for one run; shared by all threads.

    :param url: the URL of the directory (RFC 8555 section 7.1.1).
    """

    def __init__(self, url: str, transport: Transport, accounts: AccountSession) -> None:
        self._url = url
        self._transport = transport
        self._accounts = accounts
        self._directory = SingleFlight(self._read)
        self._opened = SingleFlight(self._open)
        self._silence = CircuitBreaker()

    @property
    def opened(self) -> Opened | None:
        """What is known, if the CA was opened."""
        return self._opened.made

    def directory(self, context: Context) -> Directory:
        """Read the directory, once for all threads; no account is needed.

        :raises CAError: the CA cannot be reached, or it is none.
        """
        return self._directory.get(context)

    def open(self, context: Context) -> Opened:
        """Read the directory and find or make the account, once for all threads.

        :raises CAError: the CA cannot be reached, is none, or refuses the account.
        :raises StoreError: the account cannot be kept.
        """
        return self._opened.get(context)

    def _read(self, context: Context) -> Directory:
        directory = read_directory(context, self._transport, self._url)
        self._transport.new_nonce_url = directory.needed("newNonce")
        return directory

    def _open(self, context: Context) -> Opened:
        directory = self._directory.get(context)
        return _opened(directory, self._accounts.find(context, directory))

    def post(self, context: Context, url: str, payload: dict[str, Any] | None, stage: str, **more: Any) -> Response:
        """Send a signed request; once more where the account was made again, or has another key by now."""
        session = self._opened.get(context)
        try:
            return self._send(context, session, url, payload, stage, **more)
        except CAError as error:
            make = self._another_signer(session.signer, error)
            if make is None:
                raise
        session = self.sign_anew(context, session, make)
        return self._send(context, session, url, payload, stage, **more)

    def _another_signer(self, signer: Signer, error: CAError) -> _MakeSigner | None:
        """Return what gives another signer, where the CA refused this one; None: it refused something else."""
        if error.type == "accountDoesNotExist":
            return self._accounts.make_again
        if error.type in _BAD_SIGNATURE and self._accounts.has_changed(signer):
            return lambda context, directory, _old: self._accounts.find(context, directory)
        return None

    def _send(
        self, context: Context, session: Opened, url: str, payload: dict[str, Any] | None, stage: str, **more: Any
    ) -> Response:
        """Send a signed request, and note whether the CA answers."""
        started = context.clock.monotonic()
        try:
            response = self._transport.post(context, session.signer, url, payload, stage, **more)
        except CAError as error:
            if error.code != "ca-unreachable":  # to refuse is to answer
                self._silence.answered(context, self._url)
            elif error.evidence["stage"] == "timeout":
                self._silence.unanswered(context, self._url, error, started)
            raise
        self._silence.answered(context, self._url)
        return response

    def check_answers(self, context: Context) -> None:
        """Go on if there is hope that the CA answers; to be asked before something is begun.

        :raises CAError: others were not answered, and one of them finds out whether it is well again.
        """
        self._silence.check(context, self._url)

    def sign_anew(self, context: Context, old: Opened, make: _MakeSigner) -> Opened:
        """Go on with another key or account URL, in all threads; the first to say so has it made.

        :raises CAError: what ``make`` raised; the next request opens the account anew.
        """
        return self._opened.replace(context, old, partial(_renewed, old, make))


def _renewed(old: Opened, make: _MakeSigner, context: Context) -> Opened:
    return _opened(old.directory, make(context, old.directory, old.signer))


def _opened(directory: Directory, signer: Signer) -> Opened:
    return Opened(directory, signer, base64url(signer.key.thumbprint()))
