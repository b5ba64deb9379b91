"""Looking at orders and authorizations, one or many at once (POST-as-GET, RFC 8555 section 6.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dnsrenew.ca.problems import content_type
from dnsrenew.ca.resources import Authorization, MalformedResource, Order, parse_authorization, parse_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnsrenew.ca.session import Session
    from dnsrenew.ca.transport import Transport
    from dnsrenew.http import Response
    from dnsrenew.runtime.context import Context

T = TypeVar("T")

_FEW: Final = 4
"""From so many requests on they are made at once: below, threads cost more than they bring."""


class Fetcher:
    """Reads from one CA; shared by all threads."""

    def __init__(self, transport: Transport, session: Session) -> None:
        self._transport = transport
        self._session = session

    def order(self, context: Context, url: str) -> tuple[Order, Mapping[str, str]]:
        """Return an order as it is now, and the headers that came with it."""
        response = context.call(partial(self._session.post, context, url, None, "order"))
        return self.parse(context, response, "the order", partial(parse_order, url)), response.headers

    def authorizations(self, context: Context, urls: Iterable[str]) -> list[tuple[Authorization, Response]]:
        """Return authorizations as they are now, each with its answer."""
        return self.each(context, [partial(self.authorization, context, url) for url in urls])

    def authorization(self, context: Context, url: str) -> tuple[Authorization, Response]:
        """Return one authorization; this blocks."""
        response = self._session.post(context, url, None, "authorization")
        return self.parse(context, response, "an authorization", partial(parse_authorization, url)), response

    def parse(self, context: Context, response: Response, what: str, parse: Callable[[Any], T]) -> T:
        """Read an answer's JSON.

        :param what: it should be, such as "the order".
        :raises CAError: ``ca-malformed-answer``, when it is none, or lacks something.
        """
        problems = self._transport.problems(context)
        try:
            body = response.json()
        except ValueError:
            kind = content_type(response) or "without a type"
            raise problems.malformed(f"it should be {what} as JSON, and is {kind}", response) from None
        try:
            return parse(body)
        except MalformedResource as error:
            raise problems.malformed(str(error), response) from None

    def each(self, context: Context, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Make the calls, at once where it pays, and return what they return.

        :raises CAError: the first that one of them raised.
        :raises Cancelled: when called away.
        """
        if len(calls) < _FEW:
            return context.call(lambda: [call() for call in calls])
        return [task.result() for task in context.call_all(calls, self._transport.width)]
