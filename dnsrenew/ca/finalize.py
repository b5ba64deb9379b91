"""Having a certificate issued for an order whose names are proved: finalize, watch, download."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.ca.clock_skew import check_issued
from dnsrenew.ca.poll_schedule import PollSchedule, PollTimeout
from dnsrenew.ca.problems import content_type
from dnsrenew.ca.resources import Order, address, base64url, parse_order
from dnsrenew.errors import CAError

if TYPE_CHECKING:
    from dnsrenew.ca.fetch import Fetcher
    from dnsrenew.ca.order_polling import OrderPoll
    from dnsrenew.ca.session import Session
    from dnsrenew.ca.transport import Transport
    from dnsrenew.http import Response
    from dnsrenew.runtime.context import Context

_FINALIZE_TRIES: Final = 3
_MOST_CHAINS: Final = 16
"""Alternate chains that are fetched: an answer could list thousands."""
_UNHEARD: Final = frozenset({"ca-unreachable", "ca-server-error", "ca-malformed-answer"})
"""Failures after which it is not known whether the CA has the CSR."""
_PEM: Final = "application/pem-certificate-chain"
_ALTERNATE: Final = r"(?i)<([^>]*)>\s*(?:;[^,<]*)?;\s*rel=\"?alternate\"?"


class Finalizer:
    """Gets certificates from one CA; shared by all threads."""

    def __init__(self, transport: Transport, session: Session, look: Fetcher, watch: OrderPoll) -> None:
        self._transport = transport
        self._post = session.post
        self._directory = session.directory
        self._look = look
        self._watch = watch

    def issue(self, context: Context, order: Order, csr: bytes, *, preferred: str | None) -> str:
        """See :meth:`CAClient.issue`."""
        order = self._finalize(context, order, csr)
        context.emit("order-finalized", url=order.url)
        order = self._watch.until_issued(context, order)
        chain = self._choose_chain(context, self._first_chain(context, order), preferred)
        check_issued(context, self._transport.problems(context), self._directory(context), chain)
        return chain

    def _choose_chain(self, context: Context, first: Response, preferred: str | None) -> str:
        if preferred is None:
            return _text(first)
        from dnsrenew.ca import alternate_chains  # few have a wish

        if alternate_chains.leads_to(_text(first), preferred):
            return _text(first)
        found = [_text(first), *self._others(context, first)]
        return alternate_chains.prefer(context, self._transport.name, found, preferred)

    def _finalize(self, context: Context, order: Order, csr: bytes) -> Order:
        started = context.clock.monotonic()
        validated = order.status == "pending"
        pace = self._watch.pace(context)
        if validated:
            # Looking first whether it is ready costs a request more than asking at once, a moment later.
            self._watch.wait_for_looks(context, order)
        tries = 0
        try:
            while order.status in {"pending", "ready"}:
                tries += 1
                order = self._try_finalize(context, order, csr, pace, tries)
        except PollTimeout as late:
            raise self._watch.late(context, order, late.after) from None
        if order.status == "invalid":
            raise self._watch.failure(context, order)
        if validated:
            self._watch.tell_valid(context, order.identifiers, started)
        return order

    def _try_finalize(self, context: Context, order: Order, csr: bytes, pace: PollSchedule, tries: int) -> Order:
        """Post the CSR; return the order as it is then. It may still be ``ready``, to try again."""
        if tries > 2:
            pace.wait()
        post = partial(self._post, context, order.finalize, {"csr": base64url(csr)}, "finalize", tries=1)
        try:
            return self._look.parse(context, context.call(post), "the order", partial(parse_order, order.url))
        except CAError as error:
            if error.type == "orderNotReady":
                return self._watch.until_ready(context, order, pace)
            if error.code not in _UNHEARD or tries >= _FINALIZE_TRIES:
                raise
            # The CA may have it, and a second CSR could be refused; or it may not be ready for one yet.
            return self._watch.until_ready(context, order, pace)

    def _first_chain(self, context: Context, order: Order) -> Response:
        if order.certificate is None:
            raise self._transport.problems(context).malformed("the valid order has no `certificate`")
        return context.call(partial(self._chain, context, order.certificate))  # a silent CA can be left

    def _others(self, context: Context, first: Response) -> list[str]:
        """Return the alternate chains that can be had: for one that cannot, the certificate is not thrown away."""
        urls = [address(first.url, url) for url in re.findall(_ALTERNATE, first.headers.get("Link", ""))]
        wanted = list(dict.fromkeys(url for url in urls if url is not None))[:_MOST_CHAINS]
        found = self._look.each(context, [partial(self._other, context, url) for url in wanted])
        return [_text(each) for each in found if each is not None]

    def _other(self, context: Context, url: str) -> Response | None:
        try:
            return self._chain(context, url)
        except CAError:
            return None

    def _chain(self, context: Context, url: str) -> Response:
        response = self._post(context, url, None, "certificate", accept=_PEM)
        if b"-----BEGIN CERTIFICATE-----" not in response.body:
            what = content_type(response) or "without a type"
            raise self._transport.problems(context).malformed(f"it should be the certificate, and is {what}", response)
        return response


def _text(chain: Response) -> str:
    return chain.body.decode("ascii", "replace")
