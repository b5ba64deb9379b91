"""The client's requests for renewal information (RFC 9773); every failure is a value."""

import random
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from dnsrenew.acme import CAClient
from dnsrenew.acme.client import NoWindow, Window, cert_id
from dnsrenew.base import x509
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.http import HttpClient
from dnsrenew.base.model import CA
from dnsrenew.base.runtime import Context
from dnsrenew.errors import Cancelled
from tests.kit.ca_box import Box, MemoryStore, answer_pending, ca_clock, not_offered
from tests.lab import DROP, LabCA, Request, Response
from tests.lab.ports import reserve

ID = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
GOOD: dict[str, Any] = {"suggestedWindow": {"start": "2026-12-01T00:00:00Z", "end": "2026-12-03T00:00:00Z"}}


def answer(box: Box, response: Response | None) -> Window | NoWindow:
    """Request renewal information, with this answer of the CA."""
    box.proxy.on_request = lambda request: response if request.kind == "renewalInfo" else None
    (found,) = box.client().renewal_windows(box.context, [ID])
    return found


def window(box: Box, body: Any, *headers: tuple[str, str]) -> Window:
    """Request renewal information, and return its window."""
    found = answer(box, Response.of_json(200, body, *headers))
    assert isinstance(found, Window)
    return found


def nothing(box: Box, response: Response) -> NoWindow:
    """Request renewal information, and return the reason why there is none."""
    found = answer(box, response)
    assert isinstance(found, NoWindow)
    assert found.reason.startswith("The ")
    assert found.reason.endswith(".")
    return found


# ── windows ─────────────────────────────────────────────────────────────────────────────


def test_a_real_ca_names_a_window_in_the_lifetime(box: Box) -> None:
    """Pebble returns a window within the certificate's lifetime, for an unauthenticated request without an account."""
    client, context = box.client(), Context()
    order = client.new_order(context, ["example.test"])
    answer_pending(client, context, order)
    chain = client.issue(context, order, x509.make_csr(x509.new_key("ecdsa-p256"), ["example.test"]))
    facts = x509.read_certificate(chain)
    before = box.proxy.counts["newAccount"]
    (found,) = box.client().renewal_windows(context, [cert_id(chain)])
    assert isinstance(found, Window)
    assert facts.not_before < found.start < found.end < facts.not_after
    assert 60 <= found.retry_after <= 86400
    assert box.proxy.counts["newAccount"] == before
    (asked,) = box.proxy.of_kind("renewalInfo")
    assert (asked.request.method, asked.request.path.rpartition("/")[2]) == ("GET", cert_id(chain))


def test_a_window_is_read_with_tolerance(box: Box) -> None:
    """A window may have offsets, fractions, lower case letters and unknown fields."""
    body = {
        "suggestedWindow": {"start": "2026-12-01t02:00:00.123456789+02:00", "end": "2026-12-03T00:00:00z", "x": 1},
        "explanationURL": "https://ca.test/why?x=1",
        "novelty": [],
    }
    found = window(box, body)
    assert found.start == datetime(2026, 12, 1, 0, 0, 0, 123456, tzinfo=UTC)
    assert found.end == datetime(2026, 12, 3, tzinfo=UTC)
    assert found.explanation_url == "https://ca.test/why?x=1"


def test_a_past_window_is_a_window(box: Box) -> None:
    """A window in the past is returned as it is."""
    past = {"suggestedWindow": {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}}
    assert window(box, past).end.year == 2020


@pytest.mark.parametrize(
    "url", [None, 7, "javascript:alert(1)", "https://x.test/\x1b[31m", "https://x y", "http://[", "x" * 2000]
)
def test_an_explanation_that_cannot_be_shown_is_left_out(box: Box, url: object) -> None:
    """An explanation URL that is not a plain web address is dropped."""
    assert window(box, {**GOOD, "explanationURL": url}).explanation_url is None


def test_any_time_in_the_window_may_be_chosen(box: Box) -> None:
    """The time is chosen uniformly in the rest of the window. For a past window it is the end."""
    found = window(box, GOOD)
    chance = random.Random(1)
    for now in (found.start - timedelta(days=9), found.start + (found.end - found.start) / 2):
        first = max(found.start, now)
        picked = [found.pick(chance, now) for _ in range(200)]
        assert all(first <= time <= found.end for time in picked)
        assert min(picked) < first + timedelta(hours=4)
        assert max(picked) > found.end - timedelta(hours=4)
    assert found.pick(chance, found.end + timedelta(days=1)) == found.end


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(None, 21600), ("nonsense", 21600), ("0", 60), ("3600", 3600), ("999999999", 86400), ("date", 7200)],
)
def test_retry_after_is_kept_within_bounds(box: Box, asked: str | None, seconds: float) -> None:
    """The Retry-After, in seconds or as a date, is limited to a minute to a day. The default is six hours."""
    if asked == "date":
        asked = format_datetime(box.clock.now() + timedelta(seconds=7200), usegmt=True)
    headers = () if asked is None else (("Retry-After", asked),)
    assert window(box, GOOD, *headers).retry_after == seconds


# ── failures ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"suggestedWindow": []},
        {"suggestedWindow": {"start": "2026-12-01T00:00:00Z"}},
        {"suggestedWindow": {"start": "2026-12-01T00:00:00Z", "end": 5}},
        {"suggestedWindow": {"start": "2026-12-01T00:00:00Z", "end": "2026-12-03"}},
        {"suggestedWindow": {"start": "2026-12-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}},
        {"suggestedWindow": {"start": "2026-12-03T00:00:00Z", "end": "2026-12-01T00:00:00Z"}},
        {"suggestedWindow": {"start": "0001-01-01T00:00:00+14:00", "end": "2026-12-01T00:00:00Z"}},
    ],
)
def test_a_malformed_answer_is_no_window(box: Box, body: Any) -> None:
    """A malformed answer has the code `ari-malformed`, and its Retry-After applies."""
    found = nothing(box, Response.of_json(200, body, ("Retry-After", "600")))
    assert (found.code, found.status, found.retry_after) == ("ari-malformed", 200, 600)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_no_window(box: Box, body: bytes) -> None:
    """An answer that is not JSON, as from a captive portal, has the code `ari-malformed`."""
    assert nothing(box, Response(200, body, (("Content-Type", "text/html"),))).code == "ari-malformed"


@pytest.mark.parametrize("status", [404, 400])
def test_a_certificate_that_the_ca_does_not_know(box: Box, status: int) -> None:
    """A 404, or Pebble's 400 for a foreign issuer, affects only this certificate and is not repeated."""
    found = answer(box, Response.problem(404, "malformed", "unknown") if status == 404 else None)
    assert isinstance(found, NoWindow)
    assert (found.status, found.retry_after, found.is_for_all) == (status, None, False)
    assert box.proxy.counts["renewalInfo"] == 1


@pytest.mark.parametrize(
    ("response", "times", "for_all"),
    [
        (Response.problem(500, "serverInternal", "oops"), 2, False),
        (Response(503, b"<html>", (("Retry-After", "7200"),)), 1, True),
        (Response.problem(429, "rateLimited", "slowly", ("Retry-After", "7200")), 1, True),
        (DROP, 2, True),
    ],
    ids=["500", "503", "429", "reset"],
)
def test_a_ca_in_trouble_is_no_window(box: Box, response: Response, times: int, for_all: bool) -> None:
    """A CA in trouble gets at most two requests, and the client does not wait."""
    found = nothing(box, response)
    assert box.proxy.counts["renewalInfo"] == times
    assert found.is_for_all is for_all
    assert found.retry_after == (7200 if response.header("Retry-After") else None)
    assert sum(box.clock.waits) < 2


def test_a_ca_that_is_down_is_no_window(lab_ca: LabCA) -> None:
    """If the directory is unavailable, each certificate has the reason `ca-unreachable`."""
    with reserve("127.0.0.1") as port:
        ca = CA(f"https://127.0.0.1:{port.number}/dir", name="lab")
        client = CAClient(ca, HttpClient(trust=lab_ca.trust_pem), MemoryStore(), contact=[], agree_terms=True)
        found = client.renewal_windows(Context(clock=ca_clock()), [ID, ID])
    assert [each.code for each in found if isinstance(each, NoWindow)] == ["ca-unreachable"] * 2


def test_a_ca_without_ari_is_not_asked(box: Box) -> None:
    """A CA without renewalInfo gets no request, and is asked again in a day."""
    box.proxy.on_response = not_offered("renewalInfo")
    (found,) = box.client().renewal_windows(box.context, [ID])
    assert isinstance(found, NoWindow)
    assert (found.code, found.retry_after) == ("ari-not-offered", 86400)
    assert box.proxy.counts["renewalInfo"] == 0


# ── many ────────────────────────────────────────────────────────────────────────────────


def test_many_are_asked_at_once_and_answered_in_order(box: Box) -> None:
    """Thirty certificates get their own windows, in the order of the request."""

    def by_id(request: Request) -> Response | None:
        if request.kind != "renewalInfo":
            return None
        day = int(request.path.rpartition("/")[2]) + 1
        times = {"start": f"2026-12-{day:02}T00:00:00Z", "end": "2027-01-01T00:00:00Z"}
        return Response.of_json(200, {"suggestedWindow": times})

    box.proxy.on_request = by_id
    found = box.client().renewal_windows(box.context, [str(number) for number in range(30)])
    assert [each.start.day for each in found if isinstance(each, Window)] == list(range(1, 31))
    assert box.proxy.counts["directory"] == 1


def test_what_fails_for_all_is_asked_a_few_times_only(box: Box) -> None:
    """A busy CA gets at most 32 requests for a thousand certificates."""
    box.proxy.on_request = lambda request: Response(503, b"busy") if request.kind == "renewalInfo" else None
    found = box.client().renewal_windows(box.context, [ID] * 1000)
    assert len(found) == 1000
    assert all(isinstance(each, NoWindow) for each in found)
    assert box.proxy.counts["renewalInfo"] <= 32


def test_what_is_late_takes_nothing_from_the_others(box: Box) -> None:
    """If one answer hangs, the deadline ends its wait, and the other answers are returned."""
    held = threading.Event()

    def hang(request: Request) -> Response | None:
        if request.kind == "renewalInfo" and request.path.endswith("/2"):
            held.wait(20)
        return Response.of_json(200, GOOD) if request.kind == "renewalInfo" else None

    box.proxy.on_request = hang
    client = box.client()
    client.offers_renewal_info(box.context)
    clock = SystemClock()
    limited = replace(box.context, clock=clock, deadline=clock.monotonic() + 1)
    found = client.renewal_windows(limited, [str(number) for number in range(5)])
    held.set()
    assert clock.monotonic() < (limited.deadline or 0) + 1
    assert [each.code for each in found if isinstance(each, NoWindow)] == ["ari-late"]
    assert isinstance(found[2], NoWindow)


def test_a_cancel_is_not_reported_as_a_late_answer(box: Box) -> None:
    """A cancel during the request raises Cancelled."""
    held, context = threading.Event(), box.context

    def stop(request: Request) -> Any:
        if request.kind != "renewalInfo":
            return None
        context.cancel.set()
        held.wait(20)
        return DROP

    box.proxy.on_request = stop
    client = box.client()
    client.offers_renewal_info(context)
    with pytest.raises(Cancelled):
        client.renewal_windows(context, [ID])
    held.set()


def test_no_certificates_no_request(box: Box) -> None:
    """Without certificates not even the directory is requested."""
    assert box.client().renewal_windows(box.context, []) == []
    assert not box.proxy.exchanges
