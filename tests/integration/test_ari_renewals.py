"""Renewal information (RFC 9773) in whole runs; it never blocks a renewal."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dnsrenew.acme.client import cert_id
from tests.kit.fallback_stage import problem, second_ca
from tests.kit.load import allowed
from tests.kit.renew_stage import Stage, certificates
from tests.lab import AcmeProxy
from tests.lab.acmemessages import DROP, Request, Response
from tests.lab.workspace import Workspace

ASKED = timedelta(hours=7)
"""By this time the CA is asked again, whatever it answered right after issuance."""
DAY = timedelta(days=1)
LIFE = timedelta(days=90)


PATIENCE = 1.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal waits one second for renewal information, in place of five."""
    monkeypatch.setattr("dnsrenew.renewal.renewal_info.PATIENCE", PATIENCE)


@pytest.fixture
def stage(workspace: Workspace, ca: AcmeProxy) -> Stage:
    """A new certificate, of which the CA knew no renewal information yet; earlier requests are not counted."""
    made = Stage(workspace, {"ca.lab.directory": ca.directory_url})
    ca.on_request = answers(WRONG["not-found"])
    # Pebble 2.6 fails on the ARI identifier of a serial number with a leading zero octet.
    while made.renewed(force=True).serial is None or ".A" in own_id(made):
        pass
    ca.on_request = None
    ca.exchanges.clear()
    return made


def own_id(stage: Stage) -> str:
    """Return the ARI identifier of the certificate in force."""
    return cert_id((stage.workspace.store / "certificates" / "home" / "current" / "cert.pem").read_text())


def window_answer(start: timedelta, end: timedelta, *headers: tuple[str, str], **more: Any) -> Callable[[Request], Any]:
    """Return a hook that answers with this window, relative to now."""
    now = datetime.now(UTC)
    window = {"start": (now + start).isoformat(), "end": (now + end).isoformat()}
    body = {"suggestedWindow": window, **more}
    return answers(Response.of_json(200, body, *headers))


def answers(response: Response) -> Callable[[Request], Response | None]:
    """Return a hook that gives this answer to every request for renewal information."""
    return lambda request: response if request.kind == "renewalInfo" else None


def hang(request: Request, done: threading.Event, asked: list[str]) -> Any:
    """Hold a request for renewal information, and drop it then."""
    if request.kind != "renewalInfo":
        return None
    asked.append(request.path)
    done.wait(30)
    return DROP


def chosen(stage: Stage) -> datetime | None:
    """The time that was chosen in the window."""
    state = json.loads((stage.workspace.store / "certificates" / "home" / "state.json").read_text())
    text = state["ari"]["chosen"]
    return None if text is None else datetime.fromisoformat(text)


# ── right after issuance ────────────────────────────────────────────────────────────────


def test_a_missing_answer_delays_a_renewal_for_seconds_only(stage: Stage, ca: AcmeProxy) -> None:
    """The certificate is in force before its renewal information is requested. A rehearsal requests none."""
    done = threading.Event()
    ca.on_request = lambda request: hang(request, done, [])
    stored: list[float] = []
    stage.on_kind["certificate-stored"] = lambda: stored.append(time.monotonic())
    outcome = stage.renewed(force=True)
    waited = time.monotonic() - stored[0]
    done.set()
    assert PATIENCE / 2 < waited < PATIENCE + allowed(1)
    assert (outcome.reason, outcome.warnings) == ("forced", ())
    assert chosen(stage) is None
    with second_ca(stage, "staging") as staging:
        rehearsal = stage.one({"ca.lab.staging": "staging"}, dry_run=True)
        assert rehearsal.status == "rehearsed"
        assert staging.counts["renewalInfo"] == 0


def test_a_missing_answer_delays_one_certificate_of_many(workspace: Workspace, ca: AcmeProxy) -> None:
    """After one missing answer, later certificates of the run do not request renewal information."""
    done = threading.Event()
    asked: list[str] = []
    ca.on_request = lambda request: hang(request, done, asked)
    stage = Stage(workspace, {"ca.lab.directory": ca.directory_url, "certificate": certificates("a", "b", "c")})
    assert [outcome.status for outcome in stage.run(workers=1)] == ["renewed"] * 3
    done.set()
    assert len(asked) == 1


# ── faults of renewal information ───────────────────────────────────────────────────────


WRONG = {
    "not-found": problem("malformed", "no such certificate", 404),
    "server-error": Response(500, b"oops"),
    "busy": Response(503, b"<h1>busy</h1>", (("Retry-After", "60"),)),
    "no-json": Response(200, b"<html></html>"),
    "no-window": Response.of_json(200, {}),
    "end-before-start": Response.of_json(
        200, {"suggestedWindow": {"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}}
    ),
    "no-times": Response.of_json(200, {"suggestedWindow": {"start": "soon", "end": "later"}}),
    "no-answer": DROP,
}


def test_an_expired_certificate_is_not_asked_about(stage: Stage, ca: AcmeProxy) -> None:
    """An expired certificate is renewed without a request and without `replaces` (RFC 9773 section 4.3)."""
    outcome = stage.one(later=LIFE + DAY)
    assert outcome.reason == "expired"
    assert ca.counts["renewalInfo"] == 0
    assert all("replaces" not in (each.request.payload or {}) for each in ca.of_kind("newOrder"))


# ── due certificates ────────────────────────────────────────────────────────────────────


def test_cas_are_asked_at_once_and_a_few_seconds_in_all(workspace: Workspace, ca: AcmeProxy) -> None:
    """CAs are asked in parallel. If two do not answer, the answer of a third is used."""
    stage = Stage(workspace, {"ca.lab.directory": ca.directory_url})
    done = threading.Event()
    with second_ca(stage) as other, second_ca(stage, "third") as third:
        for proxy in (ca, other, third):
            proxy.on_request = answers(WRONG["not-found"])
        three = certificates("a", "b", "c")
        for name, each in zip(("lab", "other", "third"), three, strict=True):
            each["ca"] = name
        stage.run({"certificate": three})
        for proxy in (ca, other):
            proxy.on_request = lambda request: hang(request, done, [])
        third.on_request = window_answer(-2 * DAY, -DAY)
        start = time.monotonic()
        outcomes = stage.run({"certificate": three}, ASKED)
        seconds = time.monotonic() - start
        done.set()
    assert [outcome.status for outcome in outcomes] == ["not-due", "not-due", "renewed"]
    assert seconds < PATIENCE + allowed(6)


# ── replaces ────────────────────────────────────────────────────────────────────────────


def replaces_of_orders(ca: AcmeProxy) -> list[str | None]:
    """Return the `replaces` of each newOrder."""
    return [(exchange.request.payload or {}).get("replaces") for exchange in ca.of_kind("newOrder")]


def test_a_renewal_sends_replaces(stage: Stage, ca: AcmeProxy) -> None:
    """A real Pebble accepts `replaces`."""
    before = own_id(stage)
    stage.renewed(force=True)
    assert replaces_of_orders(ca) == [before]


def test_a_certificate_that_was_replaced_already(stage: Stage, ca: AcmeProxy) -> None:
    """If a store from a backup orders again, Pebble refuses `replaces` with 409, and the certificate is renewed."""

    def lose(request: Request, response: Response) -> Response:
        return Response(404, b"") if request.kind == "certificate" else response

    before = own_id(stage)
    ca.on_response = lose
    assert stage.one(force=True).status == "failed"
    shutil.rmtree(stage.workspace.store / "certificates" / "home" / "order")
    ca.on_response = None
    stage.renewed(now=True, force=True)
    assert replaces_of_orders(ca) == [before, before, None]
