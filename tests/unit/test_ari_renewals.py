"""Renewal information (RFC 9773) in whole runs; it never blocks a renewal."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dnsrenew.acme.client import cert_id
from dnsrenew.base import x509
from tests.kit.fallback_stage import codes, problem, second_ca
from tests.kit.memory_lab import MemoryStage
from tests.kit.renew_stage import Stage, certificates
from tests.lab import AcmeProxy
from tests.lab.acmemessages import DROP, Request, Response
from tests.lab.workspace import Workspace

ASKED = timedelta(hours=7)
"""By this time the CA is asked again, whatever it answered right after issuance."""
DAY = timedelta(days=1)
PAGE = "https://ca.test/why"


@pytest.fixture
def stage(workspace: Workspace, ca: AcmeProxy) -> Stage:
    """A new certificate, of which the CA knew no renewal information yet; earlier requests are not counted."""
    made = MemoryStage(workspace, {"ca.lab.directory": ca.directory_url})
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


def chosen(stage: Stage) -> datetime | None:
    """The time that was chosen in the window."""
    state = json.loads((stage.workspace.store / "certificates" / "home" / "state.json").read_text())
    text = state["ari"]["chosen"]
    return None if text is None else datetime.fromisoformat(text)


# ── right after issuance ────────────────────────────────────────────────────────────────


def test_a_new_certificate_is_asked_about_once(stage: Stage, ca: AcmeProxy) -> None:
    """The run that obtains a certificate requests its renewal information (RFC 9773 section 4.3); the next does not."""
    outcome = stage.renewed(force=True)
    assert ca.counts["renewalInfo"] == 1
    (asked,) = ca.of_kind("renewalInfo")
    assert asked.request.path.endswith(own_id(stage))
    assert chosen(stage) is not None
    assert outcome.next_renewal == stage.renewer().status()[0].next_renewal
    ca.exchanges.clear()
    assert stage.one().status == "not-due"
    assert not ca.exchanges


def test_a_window_in_the_past_at_issuance_means_the_next_run(stage: Stage, ca: AcmeProxy) -> None:
    """The same run does not renew. If the next certificate has a past window too, a renewal waits a day."""
    ca.on_request = window_answer(-3 * DAY, -2 * DAY)
    stage.renewed(force=True)
    assert (ca.counts["newOrder"], ca.counts["renewalInfo"]) == (1, 1)
    (status,) = stage.renewer().status()
    assert (status.state, status.reason) == ("due", "ari")
    assert stage.renewed().reason == "ari"
    assert (ca.counts["newOrder"], ca.counts["renewalInfo"]) == (2, 2)
    (status,) = stage.renewer().status()
    assert (status.state, status.reason) == ("valid", "ari")
    waiting = stage.one(later=ASKED)
    assert (waiting.status, [notice.code for notice in waiting.warnings]) == ("not-due", ["ari-past-window"])
    assert stage.renewed(later=DAY + timedelta(hours=1)).reason == "ari"


def test_without_an_answer_at_issuance_the_ca_is_asked_an_hour_later(stage: Stage, ca: AcmeProxy) -> None:
    """If the CA did not answer at issuance, it is asked again after an hour, and our own margin applies until then."""
    assert stage.one(later=timedelta(minutes=59)).status == "not-due"
    assert not ca.exchanges
    assert stage.one(later=timedelta(minutes=62)).status == "not-due"
    assert set(ca.counts) == {"directory", "renewalInfo"}  # no account is needed
    assert chosen(stage) is not None


# ── asking ──────────────────────────────────────────────────────────────────────────────


def test_a_known_time_costs_no_request(stage: Stage, ca: AcmeProxy) -> None:
    """Until the CA's Retry-After is over, a run with nothing due sends no request."""
    ca.on_request = window_answer(30 * DAY, 32 * DAY, ("Retry-After", "21600"))
    stage.one(later=ASKED)
    ca.exchanges.clear()
    for hours in (0.1, 1, 5.9):
        outcome = stage.one(later=ASKED + timedelta(hours=hours))
        assert (outcome.status, outcome.reason) == ("not-due", "ari")
    assert not ca.exchanges
    assert not stage.events
    stage.one(later=ASKED + timedelta(hours=6.1))
    assert ca.counts["renewalInfo"] == 1


def test_the_time_is_chosen_once_and_again_only_when_the_window_changes(stage: Stage, ca: AcmeProxy) -> None:
    """A random time in the window is chosen. It stays for the same window, and a new window gets a new time."""
    ca.on_request = window_answer(30 * DAY, 40 * DAY)
    outcome = stage.one(later=ASKED)
    first = chosen(stage)
    assert first is not None
    assert datetime.now(UTC) + 29 * DAY < first < datetime.now(UTC) + 41 * DAY
    assert outcome.next_renewal == first
    stage.one(later=ASKED + 2 * DAY)
    assert ca.counts["renewalInfo"] == 2
    assert chosen(stage) == first
    ca.on_request = window_answer(12 * DAY, 14 * DAY)
    stage.one(later=ASKED + 4 * DAY)
    second = chosen(stage)
    assert second is not None
    assert datetime.now(UTC) + 11 * DAY < second < datetime.now(UTC) + 15 * DAY


def test_a_window_in_the_past_means_now(stage: Stage, ca: AcmeProxy) -> None:
    """A window in the past renews at once, with the reason `ari` and an order with `replaces`."""
    before = own_id(stage)
    ca.on_request = window_answer(-3 * DAY, -2 * DAY)
    outcome = stage.renewed(later=ASKED)
    assert outcome.reason == "ari"
    (order,) = ca.of_kind("newOrder")
    assert (order.request.payload or {})["replaces"] == before
    assert own_id(stage) != before
    ca.on_request = None
    assert stage.one(later=ASKED).status == "not-due"


def test_the_time_in_the_window_comes(stage: Stage, ca: AcmeProxy) -> None:
    """The certificate is renewed at the chosen time, long before our own margin of a third."""
    ca.on_request = window_answer(10 * DAY, 11 * DAY)
    assert stage.one(later=ASKED).status == "not-due"
    assert stage.one(later=9 * DAY).status == "not-due"
    assert stage.renewed(later=12 * DAY).reason == "ari"


def test_a_late_window_makes_nothing_later(stage: Stage, ca: AcmeProxy) -> None:
    """A window on the last day does not override our own margin."""
    ca.on_request = window_answer(88 * DAY, 89 * DAY)
    assert stage.one(later=ASKED).reason == "renew-before"
    assert stage.renewed(later=61 * DAY).reason == "renew-before"


def test_the_explanation_is_shown(stage: Stage, ca: AcmeProxy) -> None:
    """The explanation's address is in a warning as long as the window applies."""
    ca.on_request = window_answer(10 * DAY, 11 * DAY, explanationURL=PAGE)
    outcome = stage.one(later=ASKED)
    (warning,) = outcome.warnings
    assert (warning.code, outcome.status) == ("ari-explanation", "not-due")
    assert PAGE in warning.message
    ca.on_request = window_answer(-2 * DAY, -DAY, explanationURL=PAGE)
    outcome = stage.renewed(later=ASKED + 2 * DAY)
    assert {"ari-explanation", "ari-past-window"} <= {notice.code for notice in outcome.warnings}
    ca.on_request = None
    stage.renewed(later=ASKED + 4 * DAY)
    assert stage.one(later=ASKED + 4 * DAY).warnings == ()


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


@pytest.mark.parametrize("name", WRONG)
def test_an_unusable_answer_changes_nothing(stage: Stage, ca: AcmeProxy, name: str) -> None:
    """After an unusable answer the certificate is not due, without a warning. The CA is not asked again at once."""
    ca.on_request = answers(WRONG[name])
    outcome = stage.one(later=ASKED)
    assert (outcome.status, outcome.error, outcome.warnings) == ("not-due", None, ())
    assert outcome.reason == "renew-before"
    asked = ca.counts["renewalInfo"]
    assert 1 <= asked <= 2
    stage.one(later=ASKED + timedelta(seconds=30))
    assert ca.counts["renewalInfo"] == asked
    assert stage.renewed(later=61 * DAY).reason == "renew-before"  # and it stops no renewal


def test_a_chosen_time_outlives_a_fault(stage: Stage, ca: AcmeProxy) -> None:
    """If the CA fails at the next request, the time chosen before still applies."""
    ca.on_request = window_answer(10 * DAY, 11 * DAY)
    stage.one(later=ASKED)
    first = chosen(stage)
    ca.on_request = answers(Response(500, b"oops"))
    assert stage.one(later=ASKED + 2 * DAY).next_renewal == first
    assert stage.renewed(later=12 * DAY).reason == "ari"


def test_a_ca_that_is_down_when_asked(stage: Stage, ca: AcmeProxy) -> None:
    """If the directory is unavailable, a certificate that is not due stays so, without a warning."""
    down = {"ca.lab.directory": f"https://127.0.0.1:{stage.lab.reserve()}/dir"}
    outcome = stage.one(down, ASKED)
    assert (outcome.status, outcome.error, outcome.warnings) == ("not-due", None, ())


def test_many_are_asked_in_one_run(workspace: Workspace, ca: AcmeProxy) -> None:
    """Each certificate is requested once, and only the one whose time has come is renewed."""
    stage = MemoryStage(workspace, {"ca.lab.directory": ca.directory_url})
    ca.on_request = answers(WRONG["not-found"])
    three = {"certificate": certificates("a", "b", "c")}
    stage.run(three)
    pem = (workspace.store / "certificates" / "b" / "current" / "cert.pem").read_text()
    ca.exchanges.clear()

    def only_b(request: Request) -> Response | None:
        past = request.path.endswith(cert_id(pem))
        hook = window_answer(-2 * DAY, -DAY) if past else window_answer(30 * DAY, 31 * DAY)
        found: Response | None = hook(request)
        return found

    ca.on_request = only_b
    outcomes = stage.run(three, ASKED)
    assert [outcome.status for outcome in outcomes] == ["not-due", "renewed", "not-due"]
    assert ca.counts["renewalInfo"] == 3 + 1  # the new one, right after issuance
    assert ca.counts["newOrder"] == 1


# ── due certificates ────────────────────────────────────────────────────────────────────


def test_a_due_certificate_is_not_asked_about(stage: Stage, ca: AcmeProxy) -> None:
    """A due certificate is ordered without a request, so that a silent CA does not delay it."""
    for how in ({"later": 61 * DAY}, {"force": True}):
        ca.exchanges.clear()
        stage.renewed(None, **how)
        kinds = [exchange.request.kind for exchange in ca.exchanges]
        assert "renewalInfo" not in kinds[: kinds.index("newOrder")]


# ── replaces ────────────────────────────────────────────────────────────────────────────


def replaces_of_orders(ca: AcmeProxy) -> list[str | None]:
    """Return the `replaces` of each newOrder."""
    return [(exchange.request.payload or {}).get("replaces") for exchange in ca.of_kind("newOrder")]


@pytest.mark.parametrize(("status", "kind"), [(409, "alreadyReplaced"), (409, "malformed"), (500, "serverInternal")])
def test_a_refused_replaces_never_blocks(stage: Stage, ca: AcmeProxy, status: int, kind: str) -> None:
    """If the CA refuses `replaces`, the same run orders again without it, and no attempt has failed."""
    before = own_id(stage)

    def refuse(request: Request) -> Response | None:
        refused = request.kind == "newOrder" and "replaces" in (request.payload or {})
        return problem(kind, "not with that", status) if refused else None

    ca.on_request = refuse
    outcome = stage.renewed(force=True)
    assert codes(outcome) == [None]
    assert replaces_of_orders(ca)[0] == before
    assert replaces_of_orders(ca)[-1] is None
    assert ca.counts["certificate"] == 1


def test_another_ca_gets_no_replaces(stage: Stage, ca: AcmeProxy) -> None:
    """`replaces` is only for the CA that issued the certificate."""
    with second_ca(stage) as other:
        stage.renewed({"certificate.0.ca": "other"})
        assert replaces_of_orders(other) == [None]


def test_reuse_key_keeps_the_key(stage: Stage, ca: AcmeProxy) -> None:
    """With `reuse_key` a renewal keeps the key; without it there is a new one."""
    folder = stage.workspace.store / "certificates" / "home" / "current"
    first = (folder / "privkey.pem").read_bytes()
    stage.renewed({"certificate.0.reuse_key": True}, force=True)
    assert (folder / "privkey.pem").read_bytes() == first
    stage.renewed(force=True)
    second = (folder / "privkey.pem").read_bytes()
    assert second != first
    facts = x509.read_certificate((folder / "cert.pem").read_text())
    assert facts.names
