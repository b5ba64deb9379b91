"""Watching what the CA makes of an order: until it is ready, until it is issued, and why it came to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.ca.poll_schedule import PollSchedule, PollTimeout
from dnsrenew.ca.resources import Authorization, Challenge, Order

if TYPE_CHECKING:
    from dnsrenew.ca.fetch import Fetcher
    from dnsrenew.ca.transport import Transport
    from dnsrenew.errors import CAError
    from dnsrenew.runtime.context import Context

_LOOKING: Final = 0.01
_LOOKING_EACH: Final = 0.0002
_ISSUING: Final = 0.01
"""Seconds that a CA next door needs to look at the proofs, and to issue; a look too early costs a request more."""
_AUTHORIZATION_GAP: Final = (1.0, 10.0)


class OrderPoll:
    """Watches orders at one CA; shared by all threads.

    :param timeout: seconds that the CA has for its looks, and again to issue.
    """

    def __init__(self, transport: Transport, look: Fetcher, timeout: float) -> None:
        self._transport = transport
        self._look = look
        self._timeout = timeout
        self._answered: set[str] = set()

    def note_answered(self, challenges: Sequence[Challenge]) -> None:
        """Note which authorizations the CA is told to look at: only those come to an end."""
        self._answered.update(challenge.authorization_url for challenge in challenges)

    def pace(self, context: Context) -> PollSchedule:
        """Return the pace of a watch that begins now."""
        return PollSchedule(context, self._timeout)

    def wait_for_looks(self, context: Context, order: Order) -> None:
        """Wait the moment that the CA needs for its looks, when all goes well."""
        context.wait(self._soon(_LOOKING + _LOOKING_EACH * len(order.authorizations)))

    def until_valid(self, context: Context, order: Order, authorizations: Sequence[Authorization]) -> None:
        """Wait until some authorizations of an order are valid: for names that are done one after the other.

        :raises CAError: one failed (every name that did is named), or the CA took longer than its ``timeout``.
        """
        started = context.clock.monotonic()
        pace = PollSchedule(context, self._timeout, early=self._soon(_LOOKING))
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
                    raise self.failure(context, order)
                pace.wait(headers)
        except PollTimeout as late:
            raise self.late(context, order, late.after) from None
        self.tell_valid(context, [each.identifier for each in authorizations], started)

    def until_ready(self, context: Context, order: Order, pace: PollSchedule) -> Order:
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
                    raise self.failure(context, order)
                waiting = tuple(each.url for each in found if each.status != "valid")
                gap = min(gap * 2, most)
                next_look = context.clock.monotonic() + gap
            pace.wait(headers)

    def until_issued(self, context: Context, order: Order) -> Order:
        """Watch the order until its certificate can be had."""
        pace = PollSchedule(context, self._timeout, early=self._soon(_ISSUING))
        headers = None
        while order.status != "valid":
            if order.status == "invalid":
                raise self.failure(context, order)
            try:
                pace.wait(headers)
            except PollTimeout as late:
                error = self._transport.problems(context).slow("issue the certificate", self._timeout)
                error.retry_after = late.after
                raise error from None
            order, headers = self._look.order(context, order.url)
        return order

    def failure(self, context: Context, order: Order) -> CAError:
        """Return the error that names every failed name: what the CA looks at is watched to its end, while it has time.

        Its evidence says that the ``order`` is dead, and names the ``undecided``: what the CA was not asked to look at,
        or took longer than its ``timeout`` for.
        """
        order = self._look.order(context, order.url)[0]
        pace = PollSchedule(context, self._timeout)
        latest: dict[str, Authorization] = {}
        urls = order.authorizations
        try:
            while urls:
                latest |= {each.url: each for each, _ in self._look.authorizations(context, urls)}
                urls = tuple(url for url, each in latest.items() if _open(each) and url in self._answered)
                if urls:
                    pace.wait()
        except PollTimeout:
            pass  # what is undecided then is not proved
        found = [latest[url] for url in order.authorizations]
        failed = [each for each in found if _failed(each) or (each.status == "pending" and each.problem is not None)]
        error = self._transport.problems(context).failed(failed, order.error).with_evidence(order="invalid")
        undecided = [each.identifier for each in found if _open(each)]
        return error.with_evidence(undecided=undecided) if failed and undecided else error

    def late(self, context: Context, order: Order, after: float | None) -> CAError:
        """Return the error for proofs that the CA did not judge in time, with what went wrong so far."""
        problems = self._transport.problems(context)
        found = [each for each, _ in self._look.authorizations(context, order.authorizations)]
        troubled = [each for each in found if each.status != "valid" and each.problem is not None]
        if troubled:
            undecided = [each.identifier for each in found if each.status != "valid" and each.problem is None]
            return problems.failed(troubled, None).with_evidence(timeout=self._timeout, undecided=undecided)
        names = [each.identifier for each in found if each.status != "valid"]
        error = problems.slow(f"look at {', '.join(names)}" if names else "make the order ready", self._timeout)
        error.retry_after = after
        return error.with_evidence(identifiers=names)

    def _soon(self, seconds: float) -> float:
        """Return what is left of a wait when the way there and back has taken its part of it."""
        return max(seconds - self._transport.distance, 0.0)

    def tell_valid(self, context: Context, domains: Sequence[str], started: float) -> None:
        """Tell that the CA has found the names proved."""
        seconds = round(context.clock.monotonic() - started, 3)
        context.emit("authorizations-valid", domains=list(domains), seconds=seconds)


def _open(authorization: Authorization) -> bool:
    """Tell whether nothing can be said of it yet."""
    return authorization.status == "pending" and authorization.problem is None


def _failed(authorization: Authorization) -> bool:
    """Tell whether it has come to an end that is not ``valid`` (an unknown status is not one)."""
    return authorization.status in {"invalid", "deactivated", "expired", "revoked"}
