"""The order loop (RFC 8555 section 7.1): order, authorizations, answers, finalize, certificate.

For N names it takes 4 + 2N requests beyond directory, nonce and account: newOrder, N authorizations,
N answers, finalize, one look at the order, the certificate. What takes longer is watched.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from dnsrenew.ca.account import Accounts, AccountStore
from dnsrenew.ca.messages import Authorization, Challenge, Order, parse_order
from dnsrenew.ca.polling import OutOfTime, Pace
from dnsrenew.ca.reader import Reader
from dnsrenew.ca.session import Session
from dnsrenew.ca.transport import Transport
from dnsrenew.errors import CAError
from dnsrenew.http import HttpClient, Response

if TYPE_CHECKING:
    from dnsrenew.context import Context
    from dnsrenew.model import CA

_LOOKING: Final = 0.02
_LOOKING_EACH: Final = 0.0002
_ISSUING: Final = 0.025
"""Seconds that a CA next door needs to look at the proofs, and to issue; a look too early costs a request more."""
_AUTHORIZATION_GAP: Final = (1.0, 10.0)
_LAST_LOOKS: Final = 5.0
_FINALIZE_TRIES: Final = 3
_PEM: Final = "application/pem-certificate-chain"
_ALTERNATE: Final = re.compile(r"<([^>]*)>\s*(?:;[^,<]*)?;\s*rel=\"?alternate\"?", re.IGNORECASE)


class CAClient:
    """One CA for one run, shared by all threads; each call takes the context of its certificate.

    :param accounts: where the account of this CA is kept.
    :param contact: mail addresses (or URLs) for a new account.
    :param agree_terms: whether the user agrees to the CA's terms of service.
    """

    def __init__(
        self, ca: CA, http: HttpClient, accounts: AccountStore, *, contact: Sequence[str], agree_terms: bool
    ) -> None:
        self._ca = ca
        self._transport = Transport(ca.name or ca.directory, http)
        keeper = Accounts(self._transport, accounts, contact=contact, agree_terms=agree_terms, bound=ca.eab is not None)
        self._session = Session(ca.directory, self._transport, keeper)
        self._post = self._session.post
        self._look = Reader(self._transport, self._session)

    # ── the account ─────────────────────────────────────────────────────────────────────

    def open(self, context: Context) -> str:
        """Read the directory and find or make the account; return the account's URL. Done once, for all threads.

        :raises CAError: the CA cannot be reached, is none, or refuses the account.
        :raises StoreError: the account cannot be kept.
        """
        return self._session.open(context).signer.url or ""

    # ── the order ───────────────────────────────────────────────────────────────────────

    def new_order(self, context: Context, identifiers: Sequence[str]) -> Order:
        """Order a certificate for A-label names. The order may be an old one, and ready at once.

        :raises CAError: the CA refused it.
        """
        payload = {"identifiers": [{"type": "dns", "value": name} for name in identifiers]}
        url = self._session.open(context).new_order_url
        response = context.call(partial(self._post, context, url, payload, "newOrder", tries=2))
        location = response.headers.get("Location")
        return self._look.parse(context, response, partial(parse_order, location and urljoin(response.url, location)))

    def authorizations(self, context: Context, order: Order) -> tuple[Authorization, ...]:
        """Return all authorizations of an order, pending or not.

        :raises CAError: one could not be had.
        """
        found = self._look.authorizations(context, order.authorizations)
        return tuple(authorization for authorization, _ in found)

    def dns01_value(self, challenge: Challenge) -> str:
        """Return the TXT value for a dns-01 challenge (RFC 8555 section 8.4): 43 characters.

        :raises ValueError: the challenge has no token, or the CA was not opened.
        """
        key_authorization = self.key_authorization(challenge)
        return _base64url(hashlib.sha256(key_authorization.encode()).digest())

    def key_authorization(self, challenge: Challenge) -> str:
        """Return the token joined with the account key's thumbprint (RFC 8555 section 8.1).

        :raises ValueError: the challenge has no token, or the CA was not opened.
        """
        session = self._session.opened
        if session is None or challenge.token is None:
            raise ValueError("the CA was not opened" if session is None else "the challenge has no token")
        return f"{challenge.token}.{_base64url(session.signer.key.thumbprint())}"

    def answer(self, context: Context, challenges: Sequence[Challenge]) -> None:
        """Tell the CA that it may look (RFC 8555 section 7.5.1).

        :raises CAError: the CA does not take an answer.
        """
        self._look.each(context, [partial(self._answer, context, challenge) for challenge in challenges])

    def _answer(self, context: Context, challenge: Challenge) -> None:
        try:
            self._post(context, challenge.url, {}, "challenge")
        except CAError as error:
            if not 400 <= error.evidence.get("status", 0) < 429:
                raise
            # After a lost answer the CA has it already, and refuses to have it again.
            authorization, _ = self._look.authorization(context, challenge.authorization_url)
            now = authorization.challenge(challenge.type)
            if authorization.status == "pending" and (now is None or now.status == "pending"):
                raise

    def await_valid(self, context: Context, order: Order, authorizations: Sequence[Authorization]) -> None:
        """Wait until some authorizations of an order are valid: for names that are done one after the other.

        :raises CAError: one failed (every name that did is named), or the CA took longer than its ``timeout``.
        """
        started = context.clock.monotonic()
        pace = Pace(context, self._ca.timeout, early=self._soon(_LOOKING))
        waiting: list[str] = [each.url for each in authorizations]
        try:
            while True:
                found = self._look.authorizations(context, waiting)
                waiting = [each.url for each, _ in found if each.status != "valid"]
                if not waiting:
                    break
                headers = next(response.headers for each, response in found if each.status != "valid")
                # Either may tell first that it came to nothing.
                if (
                    any(_failed(each) for each, _ in found)
                    or self._look.order(context, order.url)[0].status == "invalid"
                ):
                    raise self._failure(context, order)
                pace.wait(headers)
        except OutOfTime as late:
            raise self._late(context, order, late.after) from None
        self._tell_valid(context, [each.identifier for each in authorizations], started)

    def issue(self, context: Context, order: Order, csr: bytes, *, alternates: bool = False) -> tuple[str, ...]:
        """Have the certificate issued once the CA has seen all proofs; return it with its chain, leaf first, as PEM.

        :param csr: the signing request, DER.
        :param alternates: return the alternate chains too, after the default one (RFC 8555 section 7.4.2).
        :raises CAError: a name was not proved (every such name is named), the CA refused to issue, or took
            longer than its ``timeout`` for one or the other.
        """
        order = self._finalize(context, order, csr)
        context.emit("order-finalized", url=order.url)
        order = self._until_issued(context, order)
        return self._download(context, order, alternates=alternates)

    def _finalize(self, context: Context, order: Order, csr: bytes) -> Order:
        started = context.clock.monotonic()
        proved = order.status == "pending"
        pace = Pace(context, self._ca.timeout)
        if proved:
            # Looking first whether it is ready costs a request more than asking at once, a moment later.
            context.wait(self._soon(_LOOKING + _LOOKING_EACH * len(order.authorizations)))
        tries = 0
        try:
            while order.status in {"pending", "ready"}:
                tries += 1
                order = self._try_finalize(context, order, csr, pace, tries)
        except OutOfTime as late:
            raise self._late(context, order, late.after) from None
        if order.status == "invalid":
            raise self._failure(context, order)
        if proved:
            self._tell_valid(context, order.identifiers, started)
        return order

    def _try_finalize(self, context: Context, order: Order, csr: bytes, pace: Pace, tries: int) -> Order:
        """Post the CSR; return the order as it is then. It may still be ``ready``, to try again."""
        if tries > 2:
            pace.wait()
        post = partial(self._post, context, order.finalize, {"csr": _base64url(csr)}, "finalize", tries=1)
        try:
            return self._look.parse(context, context.call(post), partial(parse_order, order.url))
        except CAError as error:
            if error.type == "orderNotReady":
                return self._until_ready(context, order, pace)
            if error.code not in {"ca-unreachable", "ca-server-error"} or tries >= _FINALIZE_TRIES:
                raise
            # The CA may have it: a second CSR could be refused, so the order is looked at first.
            return self._look.order(context, order.url)[0]

    def _until_ready(self, context: Context, order: Order, pace: Pace) -> Order:
        """Watch the order, and its authorizations too: some CAs leave it pending after one of them failed."""
        gap, most = _AUTHORIZATION_GAP
        next_look = context.clock.monotonic() + gap
        waiting = order.authorizations
        while True:
            order, headers = self._look.order(context, order.url)
            if order.status != "pending":
                return order
            if context.clock.monotonic() >= next_look:
                found = [each for each, _ in self._look.authorizations(context, waiting)]
                if any(_failed(each) for each in found):
                    raise self._failure(context, order)
                waiting = tuple(each.url for each in found if each.status != "valid")
                gap = min(gap * 2, most)
                next_look = context.clock.monotonic() + gap
            pace.wait(headers)

    def _until_issued(self, context: Context, order: Order) -> Order:
        pace = Pace(context, self._ca.timeout, early=self._soon(_ISSUING))
        headers = None
        while order.status != "valid":
            if order.status == "invalid":
                raise self._failure(context, order)
            try:
                pace.wait(headers)
            except OutOfTime as late:
                error = self._transport.problems(context).slow("issue the certificate", self._ca.timeout)
                error.retry_after = late.after
                raise error from None
            order, headers = self._look.order(context, order.url)
        return order

    def _download(self, context: Context, order: Order, *, alternates: bool) -> tuple[str, ...]:
        problems = self._transport.problems(context)
        if order.certificate is None:
            raise problems.malformed("the valid order has no `certificate`")
        first = self._chain(context, order.certificate)
        others: Iterable[str] = _ALTERNATE.findall(first.headers.get("Link", "")) if alternates else ()
        urls = [urljoin(first.url, url) for url in others]
        rest = self._look.each(context, [partial(self._chain, context, url) for url in urls])
        return tuple(each.body.decode("ascii", "replace") for each in (first, *rest))

    def _chain(self, context: Context, url: str) -> Response:
        response = self._post(context, url, None, "certificate", accept=_PEM)
        if b"-----BEGIN CERTIFICATE-----" not in response.body:
            raise self._transport.problems(context).malformed("there is no certificate in it", response)
        return response

    # ── what went wrong ─────────────────────────────────────────────────────────────────

    def _failure(self, context: Context, order: Order) -> CAError:
        """Return the error that names every failed name: the others are watched to their end, for some seconds."""
        order = self._look.order(context, order.url)[0]
        pace = Pace(context, _LAST_LOOKS)
        settled: list[Authorization] = []
        urls = order.authorizations
        while True:
            found = [each for each, _ in self._look.authorizations(context, urls)]
            open_ones = [each for each in found if each.status == "pending"]
            settled += [each for each in found if each.status != "pending"]
            if all(each.problem is not None for each in open_ones):
                break
            urls = tuple(each.url for each in open_ones)
            try:
                pace.wait()
            except OutOfTime:
                break
        failed = [each for each in settled if _failed(each)]
        failed += [each for each in open_ones if each.problem is not None]
        return self._transport.problems(context).failed(failed, order.error)

    def _late(self, context: Context, order: Order, after: float | None) -> CAError:
        """Return the error for proofs that the CA did not judge in time, with what went wrong so far."""
        problems = self._transport.problems(context)
        found = self.authorizations(context, order)
        troubled = [each for each in found if each.status != "valid" and each.problem is not None]
        if troubled:
            return problems.failed(troubled, None).with_evidence(timeout=self._ca.timeout)
        names = [each.identifier for each in found if each.status != "valid"]
        error = problems.slow(f"look at {', '.join(names)}" if names else "make the order ready", self._ca.timeout)
        error.retry_after = after
        return error.with_evidence(identifiers=names)

    def _soon(self, seconds: float) -> float:
        """Return what is left of a wait when the way there and back has taken its part of it."""
        return max(seconds - self._transport.distance, 0.0)

    def _tell_valid(self, context: Context, domains: Sequence[str], started: float) -> None:
        seconds = round(context.clock.monotonic() - started, 3)
        context.emit("authorizations-valid", domains=list(domains), seconds=seconds)


def _failed(authorization: Authorization) -> bool:
    """Tell whether it has come to an end that is not ``valid`` (an unknown status is not one)."""
    return authorization.status in {"invalid", "deactivated", "expired", "revoked"}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
