"""When the CA would like a certificate renewed (RFC 9773), in whole runs; and that it never stands in the way."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dnsrenew import x509
from dnsrenew.ca.ari import cert_id
from dnsrenew.renewal.renewal_info import PATIENCE
from tests.kit.fallback_stage import codes, problem, second_ca
from tests.kit.renew_stage import Stage, certificates
from tests.lab import AcmeProxy
from tests.lab.acmemessages import DROP, Request, Response
from tests.lab.workspace import Workspace

ASKED = timedelta(hours=7)
"""It is asked again by then, whatever the CA said right after issuance."""
DAY = timedelta(days=1)
LIFE = timedelta(days=90)
PAGE = "https://ca.test/why"


@pytest.fixture
def ca(workspace: Workspace) -> Iterator[AcmeProxy]:
    """The CA, behind a proxy that counts."""
    with workspace.lab.acme_proxy() as proxy:
        yield proxy


@pytest.fixture
def stage(workspace: Workspace, ca: AcmeProxy) -> Stage:
    """A certificate has just been obtained, of which the CA knew nothing yet; what that took is not counted."""
    made = Stage(workspace, {"ca.lab.directory": ca.directory_url})
    ca.on_request = answers(WRONG["not-found"])
    # Pebble 2.6 stumbles over the ARI identifier of a serial number that begins with a zero octet.
    while made.renewed(force=True).serial is None or ".A" in own_id(made):
        pass
    ca.on_request = None
    ca.exchanges.clear()
    return made


def own_id(stage: Stage) -> str:
    """The ARI identifier of the certificate in force."""
    return cert_id((stage.workspace.store / "certificates" / "home" / "current" / "cert.pem").read_text())


def says(start: timedelta, end: timedelta, *headers: tuple[str, str], **more: Any) -> Callable[[Request], Any]:
    """A hook: the window that the CA answers with, from now."""
    now = datetime.now(UTC)
    window = {"start": (now + start).isoformat(), "end": (now + end).isoformat()}
    body = {"suggestedWindow": window, **more}
    return answers(Response.of_json(200, body, *headers))


def answers(response: Response) -> Callable[[Request], Response | None]:
    """A hook: the answer to every question about a certificate."""
    return lambda request: response if request.kind == "renewalInfo" else None


def hang(request: Request, done: threading.Event, asked: list[str]) -> Any:
    """Take a question about a certificate, and hang up on it then."""
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


def test_a_new_certificate_is_asked_about_once(stage: Stage, ca: AcmeProxy) -> None:
    """In the run that obtains it (RFC 9773 section 4.3); a real Pebble names a window, and the next run asks nobody."""
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
    """Never the same one; and where the CA says it of the new certificate too, that one has a day."""
    ca.on_request = says(-3 * DAY, -2 * DAY)
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


def test_what_it_cannot_say_at_issuance_is_asked_an_hour_later(stage: Stage, ca: AcmeProxy) -> None:
    """It need not know of it everywhere yet; our own margin holds."""
    assert stage.one(later=timedelta(minutes=59)).status == "not-due"
    assert not ca.exchanges
    assert stage.one(later=timedelta(minutes=62)).status == "not-due"
    assert set(ca.counts) == {"directory", "renewalInfo"}  # no account is needed
    assert chosen(stage) is not None


def test_a_silent_answer_holds_up_a_renewal_for_a_moment_only(stage: Stage, ca: AcmeProxy) -> None:
    """The certificate is in force before that; a rehearsal asks nothing."""
    done = threading.Event()
    ca.on_request = lambda request: hang(request, done, [])
    stored: list[float] = []
    stage.on_kind["certificate-stored"] = lambda: stored.append(time.monotonic())
    outcome = stage.renewed(force=True)
    waited = time.monotonic() - stored[0]
    done.set()
    assert 3 < waited < PATIENCE + 1
    assert (outcome.reason, outcome.warnings) == ("forced", ())
    assert chosen(stage) is None
    with second_ca(stage, "twin") as twin:
        rehearsal = stage.one({"ca.lab.staging": "twin"}, dry_run=True)
        assert rehearsal.status == "rehearsed"
        assert twin.counts["renewalInfo"] == 0


def test_a_silent_answer_holds_up_one_certificate_of_many(workspace: Workspace, ca: AcmeProxy) -> None:
    """Whoever comes after it in the run does not ask."""
    done = threading.Event()
    asked: list[str] = []
    ca.on_request = lambda request: hang(request, done, asked)
    stage = Stage(workspace, {"ca.lab.directory": ca.directory_url, "certificate": certificates("a", "b", "c")})
    assert [outcome.status for outcome in stage.run(workers=1)] == ["renewed"] * 3
    done.set()
    assert len(asked) == 1


# ── asking ──────────────────────────────────────────────────────────────────────────────


def test_a_known_time_costs_no_request(stage: Stage, ca: AcmeProxy) -> None:
    """Until the CA's Retry-After is over, nothing due means no request at all."""
    ca.on_request = says(30 * DAY, 32 * DAY, ("Retry-After", "21600"))
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
    """Any time in it; the same one at the next question, a new one for a new window."""
    ca.on_request = says(30 * DAY, 40 * DAY)
    outcome = stage.one(later=ASKED)
    first = chosen(stage)
    assert first is not None
    assert datetime.now(UTC) + 29 * DAY < first < datetime.now(UTC) + 41 * DAY
    assert outcome.next_renewal == first
    stage.one(later=ASKED + 2 * DAY)
    assert ca.counts["renewalInfo"] == 2
    assert chosen(stage) == first
    ca.on_request = says(12 * DAY, 14 * DAY)
    stage.one(later=ASKED + 4 * DAY)
    second = chosen(stage)
    assert second is not None
    assert datetime.now(UTC) + 11 * DAY < second < datetime.now(UTC) + 15 * DAY


def test_a_window_in_the_past_means_now(stage: Stage, ca: AcmeProxy) -> None:
    """It is renewed in the run that asks; the reason is `ari`, and the order says what it replaces."""
    before = own_id(stage)
    ca.on_request = says(-3 * DAY, -2 * DAY)
    outcome = stage.renewed(later=ASKED)
    assert outcome.reason == "ari"
    (order,) = ca.of_kind("newOrder")
    assert (order.request.payload or {})["replaces"] == before
    assert own_id(stage) != before
    ca.on_request = None
    assert stage.one(later=ASKED).status == "not-due"


def test_the_time_in_the_window_comes(stage: Stage, ca: AcmeProxy) -> None:
    """Long before our own margin of a third."""
    ca.on_request = says(10 * DAY, 11 * DAY)
    assert stage.one(later=ASKED).status == "not-due"
    assert stage.one(later=9 * DAY).status == "not-due"
    assert stage.renewed(later=12 * DAY).reason == "ari"


def test_a_late_window_makes_nothing_later(stage: Stage, ca: AcmeProxy) -> None:
    """A CA that would like it renewed on the last day: our own margin holds."""
    ca.on_request = says(88 * DAY, 89 * DAY)
    assert stage.one(later=ASKED).reason == "renew-before"
    assert stage.renewed(later=61 * DAY).reason == "renew-before"


def test_the_explanation_is_shown(stage: Stage, ca: AcmeProxy) -> None:
    """As a warning with its address, as long as the wish stands."""
    ca.on_request = says(10 * DAY, 11 * DAY, explanationURL=PAGE)
    outcome = stage.one(later=ASKED)
    (warning,) = outcome.warnings
    assert (warning.code, outcome.status) == ("ari-explanation", "not-due")
    assert PAGE in warning.message
    ca.on_request = says(-2 * DAY, -DAY, explanationURL=PAGE)
    outcome = stage.renewed(later=ASKED + 2 * DAY)
    assert {"ari-explanation", "ari-past-window"} <= {notice.code for notice in outcome.warnings}
    ca.on_request = None
    stage.renewed(later=ASKED + 4 * DAY)
    assert stage.one(later=ASKED + 4 * DAY).warnings == ()


# ── what is wrong with it is nobody's trouble ───────────────────────────────────────────

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
def test_what_cannot_be_used_changes_nothing(stage: Stage, ca: AcmeProxy, name: str) -> None:
    """Not due, no error, no warning; and it is not asked again in the next minute."""
    ca.on_request = answers(WRONG[name])
    outcome = stage.one(later=ASKED)
    assert (outcome.status, outcome.error, outcome.warnings) == ("not-due", None, ())
    assert outcome.reason == "renew-before"
    asked = ca.counts["renewalInfo"]
    assert 1 <= asked <= 2
    stage.one(later=ASKED + timedelta(seconds=30))
    assert ca.counts["renewalInfo"] == asked
    assert stage.renewed(later=61 * DAY).reason == "renew-before"  # and it stops no renewal


def test_a_wish_that_was_known_outlives_trouble(stage: Stage, ca: AcmeProxy) -> None:
    """The CA is down when it is asked the next time: the time that was chosen holds."""
    ca.on_request = says(10 * DAY, 11 * DAY)
    stage.one(later=ASKED)
    first = chosen(stage)
    ca.on_request = answers(Response(500, b"oops"))
    assert stage.one(later=ASKED + 2 * DAY).next_renewal == first
    assert stage.renewed(later=12 * DAY).reason == "ari"


def test_a_ca_that_is_down_when_asked(stage: Stage, ca: AcmeProxy) -> None:
    """Not even its directory can be had: what is not due stays so, without a word."""
    down = {"ca.lab.directory": f"https://127.0.0.1:{stage.lab.reserve()}/dir"}
    outcome = stage.one(down, ASKED)
    assert (outcome.status, outcome.error, outcome.warnings) == ("not-due", None, ())


def test_an_expired_certificate_is_not_asked_about(stage: Stage, ca: AcmeProxy) -> None:
    """RFC 9773 section 4.3: it is renewed, and replaces nothing any more."""
    outcome = stage.one(later=LIFE + DAY)
    assert outcome.reason == "expired"
    assert ca.counts["renewalInfo"] == 0
    assert all("replaces" not in (each.request.payload or {}) for each in ca.of_kind("newOrder"))


def test_many_are_asked_in_one_run(workspace: Workspace, ca: AcmeProxy) -> None:
    """One question for each; only the one whose time has come is renewed."""
    stage = Stage(workspace, {"ca.lab.directory": ca.directory_url})
    ca.on_request = answers(WRONG["not-found"])
    three = {"certificate": certificates("a", "b", "c")}
    stage.run(three)
    pem = (workspace.store / "certificates" / "b" / "current" / "cert.pem").read_text()
    ca.exchanges.clear()

    def only_b(request: Request) -> Response | None:
        past = request.path.endswith(cert_id(pem))
        hook = says(-2 * DAY, -DAY) if past else says(30 * DAY, 31 * DAY)
        found: Response | None = hook(request)
        return found

    ca.on_request = only_b
    outcomes = stage.run(three, ASKED)
    assert [outcome.status for outcome in outcomes] == ["not-due", "renewed", "not-due"]
    assert ca.counts["renewalInfo"] == 3 + 1  # the new one, right after issuance
    assert ca.counts["newOrder"] == 1


# ── what is due anyway waits for nobody's wish ──────────────────────────────────────────


def test_what_is_due_anyway_is_not_asked_about(stage: Stage, ca: AcmeProxy) -> None:
    """No wish makes it later; so a CA that does not answer holds nothing up before the order."""
    for how in ({"later": 61 * DAY}, {"force": True}):
        ca.exchanges.clear()
        stage.renewed(None, **how)
        kinds = [exchange.request.kind for exchange in ca.exchanges]
        assert "renewalInfo" not in kinds[: kinds.index("newOrder")]


def test_cas_are_asked_at_once_and_a_few_seconds_in_all(workspace: Workspace, ca: AcmeProxy) -> None:
    """Two that do not answer; and what a third says is kept."""
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
        third.on_request = says(-2 * DAY, -DAY)
        start = time.monotonic()
        outcomes = stage.run({"certificate": three}, ASKED)
        seconds = time.monotonic() - start
        done.set()
    assert [outcome.status for outcome in outcomes] == ["not-due", "not-due", "renewed"]
    assert seconds < PATIENCE + 6


# ── replaces ────────────────────────────────────────────────────────────────────────────


def replaced(ca: AcmeProxy) -> list[str | None]:
    """What each newOrder said it replaces."""
    return [(exchange.request.payload or {}).get("replaces") for exchange in ca.of_kind("newOrder")]


def test_a_renewal_says_what_it_replaces(stage: Stage, ca: AcmeProxy) -> None:
    """A real Pebble takes it."""
    before = own_id(stage)
    stage.renewed(force=True)
    assert replaced(ca) == [before]


@pytest.mark.parametrize(("status", "kind"), [(409, "alreadyReplaced"), (409, "malformed"), (500, "serverInternal")])
def test_a_refused_replaces_never_blocks(stage: Stage, ca: AcmeProxy, status: int, kind: str) -> None:
    """The same run orders once more without it; that is no failed attempt."""
    before = own_id(stage)

    def refuse(request: Request) -> Response | None:
        refused = request.kind == "newOrder" and "replaces" in (request.payload or {})
        return problem(kind, "not with that", status) if refused else None

    ca.on_request = refuse
    outcome = stage.renewed(force=True)
    assert codes(outcome) == [None]
    assert replaced(ca)[0] == before
    assert replaced(ca)[-1] is None
    assert ca.counts["certificate"] == 1


def test_a_real_ca_that_has_it_replaced_already(stage: Stage, ca: AcmeProxy) -> None:
    """The new certificate was lost, and its order with it (a store from a backup): Pebble refuses with 409."""

    def lose(request: Request, response: Response) -> Response:
        return Response(404, b"") if request.kind == "certificate" else response

    before = own_id(stage)
    ca.on_response = lose
    assert stage.one(force=True).status == "failed"
    shutil.rmtree(stage.workspace.store / "certificates" / "home" / "order")
    ca.on_response = None
    stage.renewed(now=True, force=True)
    assert replaced(ca) == [before, before, None]


def test_another_ca_is_told_nothing_of_it(stage: Stage, ca: AcmeProxy) -> None:
    """`replaces` is for the CA that issued the certificate."""
    with second_ca(stage) as other:
        stage.renewed({"certificate.0.ca": "other"})
        assert replaced(other) == [None]


def test_a_new_key_is_used_and_the_old_one_if_wished(stage: Stage, ca: AcmeProxy) -> None:
    """`reuse_key`: the key stays at a renewal; without it there is a new one."""
    folder = stage.workspace.store / "certificates" / "home" / "current"
    first = (folder / "privkey.pem").read_bytes()
    stage.renewed({"certificate.0.reuse_key": True}, force=True)
    assert (folder / "privkey.pem").read_bytes() == first
    stage.renewed(force=True)
    second = (folder / "privkey.pem").read_bytes()
    assert second != first
    facts = x509.read_certificate((folder / "cert.pem").read_text())
    assert facts.names
