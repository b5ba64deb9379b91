"""An order is finalized when it is ready. It is polled before only if the CA may be slower than the client."""

from collections.abc import Callable
from typing import Any

import pytest

from dnsrenew.acme import Order
from tests.kit.scripted_ca import CSR, NAMES, Visit
from tests.lab.acmemessages import Request, Response

FAR = 0.05
"""Seconds of a round trip to a public CA."""


class SlowCA:
    """Makes the CA of a visit validate slowly.

    :param seconds: from the first response to a challenge until the order is ready.
    :param round_trip: of each request.
    :param says: what its answer to the response says of the challenge.
    """

    def __init__(
        self, visit: Visit, *, seconds: float = 0.0, round_trip: float = 0.0, says: str = "processing"
    ) -> None:
        self.visit = visit
        self._clock: Any = visit.context.clock
        self._seconds, self._round_trip, self._says = seconds, round_trip, says
        self._ready_at = 0.0
        visit.server.on_request = self._request
        visit.server.on_response = self._response

    def _request(self, request: Request) -> Response | None:
        self._clock.elapsed += self._round_trip
        if request.kind == "challenge":
            self._ready_at = self._clock.elapsed + self._seconds
        if request.kind == "finalize" and self._clock.elapsed < self._ready_at:
            return Response.problem(403, "orderNotReady", "it is still being validated")
        return None

    def _response(self, request: Request, response: Response) -> Response:
        if request.kind == "challenge":
            return response.with_json({**response.json(), "status": self._says})
        if request.kind == "order" and self._clock.elapsed < self._ready_at:
            return response.with_json({**response.json(), "status": "pending"})
        return response

    def requests(self) -> tuple[int, int]:
        """Obtain a certificate; return how often the order was read, and how often it was finalized."""
        before = self.visit.server.counts.copy()
        issue(self.visit)
        made = self.visit.server.counts - before
        return made["order"], made["finalize"]


def ordered(visit: Visit) -> Order:
    """Order and respond to the challenges."""
    order = visit.ca.new_order(visit.context, NAMES)
    found = [each.challenge("dns-01") for each in visit.ca.authorizations(visit.context, order)]
    visit.ca.answer(visit.context, [each for each in found if each is not None and each.status == "pending"])
    return order


def issue(visit: Visit) -> str:
    """Obtain a certificate."""
    return visit.ca.issue(visit.context, ordered(visit), CSR)


def test_a_near_ca_is_not_polled() -> None:
    """The order of a near CA is finalized without polling, with at most 4 + 2N requests."""
    assert SlowCA(Visit({})).requests() == (0, 1)


def test_a_near_ca_that_responds_slowly_gets_more_time() -> None:
    """On a busy machine the responses take longer, and so do the validations: the order is finalized later."""
    assert SlowCA(Visit({}), seconds=0.017, round_trip=0.009).requests() == (0, 1)


def test_a_far_ca_is_polled_first_and_refuses_nothing() -> None:
    """The order of a far CA is polled until it is ready, and finalized once."""
    polled, finalized = SlowCA(Visit({}), seconds=3, round_trip=FAR).requests()
    assert finalized == 1
    assert 1 < polled < 20


@pytest.mark.parametrize("round_trip", [0.0, FAR])
def test_a_ca_that_says_at_once_that_a_challenge_is_valid_is_not_polled(round_trip: float) -> None:
    """If the CA reports the challenge as valid at once, the order is finalized without polling."""
    visit = Visit({})
    assert SlowCA(visit, round_trip=round_trip, says="valid").requests() == (0, 1)
    assert visit.context.clock.monotonic() < 1


def test_a_near_ca_that_is_slow_refuses_once() -> None:
    """After a near CA refused once, its orders are polled, even by later runs. The account is saved once more."""
    first, later = Visit({}), Visit({})
    slow = SlowCA(first, seconds=3)
    assert [slow.requests()[1] for _ in range(3)] == [2, 1, 1]
    assert first.store.saved == 3
    later.store.account = first.store.account
    later.server.accounts.update(first.server.accounts)
    assert SlowCA(later, seconds=3).requests()[1] == 1


def test_a_ca_that_calls_a_challenge_valid_too_early_is_polled_after_its_refusal() -> None:
    """If the CA reports a challenge as valid too early, the order is polled after the refusal and finalized again."""
    polled, finalized = SlowCA(Visit({}), seconds=3, round_trip=FAR, says="valid").requests()
    assert finalized == 2
    assert polled > 1


@pytest.mark.parametrize(("asked", "longest"), [(0, 1), (7, 7), (300, 20), (301, 0)])
def test_a_retry_after_within_a_run(asked: int, longest: int) -> None:
    """A wait lasts from a second to the time-out of the CA (20 s here).

    Retry-After above 5 minutes ends the attempt.
    """
    visit = Visit({})
    SlowCA(visit, seconds=1000, round_trip=FAR)
    slowly: Callable[[Request, Response], Response | None] = visit.server.on_response
    waits: list[float] = visit.context.clock.waits  # type: ignore[attr-defined]  # a FakeClock

    def asking(request: Request, response: Response) -> Response:
        changed = slowly(request, response) or response
        return changed.with_header("Retry-After", str(asked)) if request.kind == "order" else changed

    visit.server.on_response = asking
    assert visit.do(lambda: issue(visit)) is None
    (error,) = visit.errors
    assert error.code == "ca-timeout"
    assert getattr(error, "retry_after", None) == (asked if asked > 300 else None)
    assert max(waits, default=0) == pytest.approx(longest, abs=0.2)
