"""A CA that is open to us: its directory and our account, had once, and signed requests with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from dnsrenew.ca.account import Accounts, Terms
from dnsrenew.ca.once import Once
from dnsrenew.ca.transport import Signer, Transport
from dnsrenew.errors import CAError

if TYPE_CHECKING:
    from dnsrenew.context import Context
    from dnsrenew.http import Response


@dataclass(frozen=True, slots=True)
class Opened:
    """What is known once the CA is open to us."""

    new_order_url: str
    terms: Terms
    signer: Signer


class Session:
    """One CA for one run; shared by all threads.

    :param url: the URL of the directory (RFC 8555 section 7.1.1).
    """

    def __init__(self, url: str, transport: Transport, accounts: Accounts) -> None:
        self._url = url
        self._transport = transport
        self._accounts = accounts
        self._opened = Once(self._open)

    @property
    def opened(self) -> Opened | None:
        """What is known, if the CA was opened."""
        return self._opened.made

    def open(self, context: Context) -> Opened:
        """Read the directory and find or make the account, once for all threads.

        :raises CAError: the CA cannot be reached, is none, or refuses the account.
        :raises StoreError: the account cannot be kept.
        """
        return self._opened.get(context)

    def _open(self, context: Context) -> Opened:
        url, directory = self._directory(context)
        new_nonce, new_account, new_order = (
            urljoin(url, directory[each]) for each in ("newNonce", "newAccount", "newOrder")
        )
        self._transport.new_nonce_url = new_nonce
        found = directory.get("meta")
        meta: dict[str, Any] = found if isinstance(found, dict) else {}
        service = meta.get("termsOfService")
        terms = Terms(
            new_account, service if isinstance(service, str) else None, meta.get("externalAccountRequired") is True
        )
        return Opened(new_order, terms, self._accounts.find(context, terms))

    def _directory(self, context: Context) -> tuple[str, dict[str, Any]]:
        """Return the URL that answered and the directory, with all in it that is needed."""
        status = 0
        try:
            response = self._transport.get(context, self._url, "directory")
            status, directory = response.status, response.json()
            if all(isinstance(directory[each], str) for each in ("newNonce", "newAccount", "newOrder")):
                return response.url, directory
        except CAError as error:
            status = error.evidence.get("status", 0)
            if not 400 <= status < 500 or error.code == "ca-rate-limited":
                raise
        except (ValueError, KeyError, TypeError):
            pass  # not JSON, not an object, not all there
        raise self._transport.problems(context).error(
            "ca-not-acme",
            f"is no ACME server: what stands at {self._url} is not a directory (RFC 8555 section 7.1.1).",
            "Set `directory` to the address that the CA names for ACME.",
            status=status,
        )

    def post(self, context: Context, url: str, payload: dict[str, Any] | None, stage: str, **more: Any) -> Response:
        """Send a signed request; once more where the CA has lost the account and took it again."""
        session = self._opened.get(context)
        try:
            return self._transport.post(context, session.signer, url, payload, stage, **more)
        except CAError as error:
            if error.type != "accountDoesNotExist":
                raise
        session = self._opened.replace(context, session, partial(self._make_again, session))
        return self._transport.post(context, session.signer, url, payload, stage, **more)

    def _make_again(self, lost: Opened, context: Context) -> Opened:
        signer = self._accounts.make_again(context, lost.terms, lost.signer)
        return Opened(lost.new_order_url, lost.terms, signer)
