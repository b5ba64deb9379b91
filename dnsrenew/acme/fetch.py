"""Fetches orders and authorizations, several concurrently (POST-as-GET, RFC 8555 section 6.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dnsrenew.acme import texts
from dnsrenew.acme.problems import content_type
from dnsrenew.acme.resources import Authorization, MalformedResource, Order, parse_authorization, parse_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnsrenew.acme.session import Session
    from dnsrenew.acme.transport import Transport
    from dnsrenew.base.http import Response
    from dnsrenew.base.runtime.context import Context

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
