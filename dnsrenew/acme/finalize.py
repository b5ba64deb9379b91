"""Issuance for a validated order (RFC 8555 section 7.4): finalize, poll, download the chain."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.acme import texts
from dnsrenew.acme.clean import links
from dnsrenew.acme.clock_skew import check_issued
from dnsrenew.acme.poll_schedule import PollSchedule, PollTimeout
from dnsrenew.acme.problems import content_type
from dnsrenew.acme.resources import Order, address, base64url, parse_order
from dnsrenew.errors import CAError

if TYPE_CHECKING:
    from dnsrenew.acme.account import AccountSession
    from dnsrenew.acme.fetch import Fetcher
    from dnsrenew.acme.order_polling import OrderPoll
    from dnsrenew.acme.session import Session
    from dnsrenew.acme.transport import Transport
    from dnsrenew.base.http import Response
    from dnsrenew.base.runtime.context import Context

_FINALIZE_TRIES: Final = 3
_MAX_CHAINS: Final = 16
"""Alternate chains that are downloaded: an answer could list thousands."""
_UNCERTAIN: Final = frozenset({"ca-unreachable", "ca-server-error", "ca-malformed-answer"})
"""Errors after which the CA may or may not have the CSR."""
_PEM: Final = "application/pem-certificate-chain"


class Finalizer:
    """Finalizes orders at one CA; shared by all threads."""

    def __init__(
        self, transport: Transport, session: Session, fetcher: Fetcher, poll: OrderPoll, accounts: AccountSession
    ) -> None:
        self._transport = transport
        self._accounts = accounts
        self._post = session.post
        self._directory = session.directory
        self._fetcher = fetcher
        self._poll = poll

    def issue(
        self, context: Context, order: Order, csr: bytes, *, preferred: str | None, on_finalized: Callable[[], object]
    ) -> str:
        """See :meth:`CAClient.issue`."""
        order = self._finalize(context, order, csr)
        context.emit("order-finalized", url=order.url)
        on_finalized()
        order = self._poll.until_issued(context, order)
        chain = self._choose_chain(context, self._first_chain(context, order), preferred)
        check_issued(context, self._transport.problems(context), self._directory(context), chain)
        return chain

    def _choose_chain(self, context: Context, first: Response, preferred: str | None) -> str:
        if preferred is None:
            return _text(first)
        from dnsrenew.acme import alternate_chains  # few users prefer a chain

        if alternate_chains.leads_to(_text(first), preferred):
            return _text(first)
        found = [_text(first), *self._others(context, first)]
        return alternate_chains.prefer(context, self._transport.name, found, preferred)

    def _finalize(self, context: Context, order: Order, csr: bytes) -> Order:
        started = context.clock.monotonic()
        validated = order.status == "pending"
        schedule = self._poll.schedule(context)
        tries = 0
        try:
            if validated:
                order = self._poll.before_finalize(context, order, schedule)
            while order.status in {"pending", "ready"}:
                tries += 1
                order = self._try_finalize(context, order, csr, schedule, tries)
        except PollTimeout as timeout:
            raise self._poll.timed_out(context, order, timeout.retry_after) from None
        if order.status == "invalid":
            raise self._poll.failure(context, order)
        if validated:
            self._poll.emit_valid(context, order.identifiers, started)
        return order

    def _try_finalize(self, context: Context, order: Order, csr: bytes, schedule: PollSchedule, tries: int) -> Order:
        """Post the CSR and return the order; if it is still ``ready``, try again."""
        if tries > 2:
            schedule.wait()
        post = partial(self._post, context, order.finalize, {"csr": base64url(csr)}, "finalize", tries=1)
        try:
            return self._fetcher.parse(context, context.call(post), "order", partial(parse_order, order.url))
        except CAError as error:
            if error.type == "orderNotReady":
                self._accounts.note_slow(context)
                return self._poll.until_ready(context, order, schedule)
            if error.code not in _UNCERTAIN or tries >= _FINALIZE_TRIES:
                raise
            # If the CA has the CSR, it may refuse a second one; if it has not, the order may not be ready yet.
            return self._poll.until_ready(context, order, schedule)

    def _first_chain(self, context: Context, order: Order) -> Response:
        if order.certificate is None:
            raise self._transport.problems(context).error(texts.NO_CERTIFICATE_URL)
        return context.call(
            partial(self._chain, context, order.certificate)
        )  # so that a cancel ends the wait for the CA

    def _others(self, context: Context, first: Response) -> list[str]:
        """Return the alternate chains that can be downloaded; ignore the others, the certificate is usable without."""
        urls = [address(first.url, url) for url in links(first.headers.get("Link", ""), "alternate")]
        unique = list(dict.fromkeys(url for url in urls if url is not None))[:_MAX_CHAINS]
        found = self._fetcher.each(context, [partial(self._other, context, url) for url in unique])
        return [_text(each) for each in found if each is not None]

    def _other(self, context: Context, url: str) -> Response | None:
        try:
            return self._chain(context, url)
        except CAError:
            return None

    def _chain(self, context: Context, url: str) -> Response:
        response = self._post(context, url, None, "certificate", accept=_PEM)
        if b"-----BEGIN CERTIFICATE-----" not in response.body:
            text = texts.NOT_A_CHAIN if content_type(response) else texts.NOT_A_CHAIN_NO_TYPE
            raise self._transport.problems(context).malformed(text, response)
        return response


def _text(chain: Response) -> str:
    return chain.body.decode("ascii", "replace")
