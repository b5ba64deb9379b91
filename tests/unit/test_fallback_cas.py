"""Fallback between CAs: the first is down, refuses, or asks to wait; the second issues, with its own account."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.renewal import planner
from tests.kit.fallback_stage import (
    DNS,
    AttemptRow,
    attempt_rows,
    codes,
    dns,
    kinds_in_order,
    problem,
    refusing,
    second_ca,
)
from tests.kit.memory_lab import MemoryStage
from tests.kit.renew_stage import Stage, error_of, through
from tests.lab import AcmeProxy
from tests.lab.acmemessages import Request, Response
from tests.lab.workspace import Workspace

ROUTES = {"certificate.0.routes": [DNS, {**DNS, "ca": "other"}]}
WON: AttemptRow = ("other", "dns-01", ("home",), 1, None)


@pytest.fixture
def stage(workspace: Workspace) -> Stage:
    """A workspace without a certificate and with a short CA time-out; CAs share no DNS cache."""
    made = MemoryStage(workspace, {"ca.lab.timeout": 2})
    made.on_kind["route-failed"] = made.lab.flush
    return made


@pytest.fixture
def other(stage: Stage) -> Iterator[AcmeProxy]:
    """The second CA, without faults."""
    with second_ca(stage) as proxy:
        yield proxy


def accounts(stage: Stage) -> dict[str, Path]:
    """Return the folder of each CA's account, by the name of the CA."""
    return {path.name.rpartition("-")[0]: path for path in (stage.workspace.store / "accounts").iterdir()}


def test_each_ca_has_an_account_and_a_key_of_its_own(stage: Stage, other: AcmeProxy) -> None:
    """Each CA has its own account and key, even if the first refuses the order after its account was created."""
    with stage.lab.acme_proxy(refusing("newOrder", problem("rejectedIdentifier", "not these", 400))) as proxy:
        stage.renewed({**ROUTES, **through(proxy)})
    folders = accounts(stage)
    assert set(folders) == {"lab", "other"}
    assert (folders["lab"] / "key.pem").read_bytes() != (folders["other"] / "key.pem").read_bytes()
    assert len(other.of_kind("newAccount")) == 1


REFUSALS = {
    "rejectedIdentifier": (
        "newOrder",
        problem("rejectedIdentifier", "We do not issue for this.", 400),
        "ca-rejected-identifier",
    ),
    "userActionRequired": (
        "newOrder",
        problem("userActionRequired", "There are new terms."),
        "ca-user-action-required",
    ),
    "caa": ("newOrder", problem("caa", "CAA forbids it."), "ca-caa"),
    "unauthorized-account": ("newOrder", problem("unauthorized", "The account is closed."), "ca-account-refused"),
    "badCSR": ("finalize", problem("badCSR", "We take RSA only.", 400), "ca-bad-csr"),
    "caa-at-finalize": ("finalize", problem("caa", "CAA forbids it."), "ca-caa"),
    "invalidContact": ("newAccount", problem("invalidContact", "No mail server there.", 400), "ca-account-refused"),
    "externalAccountRequired": ("newAccount", problem("externalAccountRequired", "Bind it."), "ca-eab-required"),
    "no-directory": ("directory", Response(404, b"gone"), "ca-not-acme"),
    "nonsense": ("newOrder", Response(200, b"<html></html>", (("Content-Type", "text/html"),)), "ca-malformed-answer"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_the_first_ca_refuses(stage: Stage, other: AcmeProxy, name: str) -> None:
    """If the first CA refuses, its other routes are not tried, and the second CA issues."""
    kind, response, code = REFUSALS[name]
    last_resort = {**stage.lab.account(stage.lab.key, "example.test"), "tsig_secret": stage.lab.key.secret}
    routes = [dns("home"), dns("spare"), dns("home", ca="other")]
    with stage.lab.acme_proxy(refusing(kind, response)) as proxy:
        outcome = stage.renewed({**through(proxy), "dns.spare": last_resort, "certificate.0.routes": routes})
    orders = 1 if kind == "finalize" else 0
    assert attempt_rows(outcome) == [
        ("lab", "dns-01", ("home",), orders, code),
        ("lab", "dns-01", ("spare",), 0, code),
        WON,
    ]
    assert proxy.counts["newOrder"] <= 1
    assert other.counts["newOrder"] == 1


def test_the_first_ca_does_not_know_its_terms_agreed_to(stage: Stage, other: AcmeProxy) -> None:
    """If the terms of both CAs are not agreed to, no route is left, and no account is created."""
    outcome = stage.one({**ROUTES, "agree_terms": False})
    assert outcome.status == "failed"
    assert codes(outcome) == ["ca-terms", "ca-terms"]
    assert other.counts["newAccount"] == 0


def test_a_name_that_no_ca_can_certify_stops_the_run(stage: Stage, other: AcmeProxy) -> None:
    """If no CA can certify a name, the second CA gets no request."""
    words = problem("malformed", 'Error creating new order :: Invalid DNS identifier "example.test"', 400)
    with stage.lab.acme_proxy(refusing("newOrder", words)) as proxy:
        outcome = stage.one({**ROUTES, **through(proxy)})
    assert (outcome.status, codes(outcome)) == ("failed", ["ca-malformed-name"])
    assert not other.exchanges


# ── a CA that asks to wait ──────────────────────────────────────────────────────────────


def seconds_form(seconds: int) -> str:
    """A Retry-After in seconds."""
    return str(seconds)


def date_form(seconds: int) -> str:
    """A Retry-After as a date."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def limit(seconds: str, detail: str = "too many certificates already issued") -> Response:
    """The answer of a CA at a rate limit."""
    return problem("rateLimited", detail, 429, ("Retry-After", seconds))


@pytest.mark.parametrize("form", [seconds_form, date_form], ids=lambda form: form.__name__)
def test_the_first_ca_is_at_its_limit(stage: Stage, other: AcmeProxy, form: Any) -> None:
    """The second CA issues. Until the first one's Retry-After is over, it gets no order, even with `--force`."""
    with stage.lab.acme_proxy(refusing("newOrder", limit(form(7200)))) as proxy:
        changes = {**ROUTES, **through(proxy)}
        outcome = stage.renewed(changes)
        assert attempt_rows(outcome) == [("lab", "dns-01", ("home",), 0, "ca-rate-limited"), WON]
        assert proxy.counts["newOrder"] == 1
        again = stage.renewed(changes, force=True)
        assert [each for each in attempt_rows(again) if each[0] == "lab"] in (
            [],
            [("lab", "dns-01", ("home",), 0, "ca-ledger")],
        )
        assert proxy.counts["newOrder"] == 1
        # After the Retry-After the first CA gets orders again.
        stage.one(changes, later=timedelta(hours=25), force=True)
        assert proxy.counts["newOrder"] > 1


def test_both_are_at_their_limits(stage: Stage, other: AcmeProxy) -> None:
    """The next attempt is at the sooner of the two times."""
    other.on_request = refusing("newOrder", limit("7200"))
    with stage.lab.acme_proxy(refusing("newOrder", limit("10800"))) as proxy:
        before = datetime.now(UTC)
        outcome = stage.one({**ROUTES, **through(proxy)})
    assert codes(outcome) == ["ca-rate-limited", "ca-rate-limited"]
    assert outcome.next_attempt is not None
    assert timedelta(seconds=7195) <= outcome.next_attempt - before <= timedelta(seconds=7210)


def test_a_ca_in_repair(stage: Stage, other: AcmeProxy) -> None:
    """A CA that answers 503 with a long Retry-After is not waited for."""
    page = Response(503, b"<h1>Maintenance</h1>", (("Content-Type", "text/html"), ("Retry-After", "3600")))
    with stage.lab.acme_proxy(refusing("newOrder", page)) as proxy:
        outcome = stage.renewed({**ROUTES, **through(proxy)})
    assert codes(outcome) == ["ca-server-error", None]
    assert sum(attempt.seconds for attempt in outcome.attempts) < 10


# ── a CA that never decides ─────────────────────────────────────────────────────────────


def not_validated(request: Request) -> Response | None:
    """The CA accepts the response to a challenge, and never looks: no later order finds a valid authorization."""
    return Response.of_json(200, {"type": "dns-01", "status": "pending"}) if request.kind == "challenge" else None


def pending_for_ever(request: Request, response: Response) -> Response:
    """The challenge has an error, but the authorization and the order stay pending."""
    if request.kind == "authorization" and response.status == 200:
        body = response.json()
        error = {"type": "urn:ietf:params:acme:error:dns", "detail": "SERVFAIL looking up TXT"}
        challenges = [{**challenge, "status": "pending", "error": error} for challenge in body["challenges"]]
        return response.with_json({**body, "status": "pending", "challenges": challenges})
    if request.kind == "order" and response.status == 200:
        return response.with_json({**response.json(), "status": "pending"})
    if request.kind == "finalize":
        return problem("orderNotReady", "The order is not ready.")
    return response


def processing_for_ever(request: Request, response: Response) -> Response:
    """The certificate is never ready."""
    if request.kind in {"order", "finalize"} and response.status == 200:
        body = {key: value for key, value in response.json().items() if key != "certificate"}
        return response.with_json({**body, "status": "processing"}).with_header("Retry-After", "1")
    return response


def test_a_failure_that_stays_pending_for_ever(stage: Stage, other: AcmeProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """If an order stays pending, the error of its challenge counts after the time-out. The route is tried twice."""
    monkeypatch.setattr(planner, "SETTLE_AGAIN", 0.1)
    with stage.lab.acme_proxy(not_validated, pending_for_ever) as proxy:
        outcome = stage.renewed({**ROUTES, **through(proxy)})
    first = ("lab", "dns-01", ("home",), 1, "ca-dns")
    assert attempt_rows(outcome) == [first, first, WON]
    assert "SERVFAIL looking up TXT" in str(outcome.attempts[0].error)


def test_the_first_ca_never_decides(stage: Stage, other: AcmeProxy) -> None:
    """If the first CA never decides, the published values are removed after the time-out, and the second CA issues."""
    with stage.lab.acme_proxy(None, processing_for_ever) as proxy:
        outcome = stage.renewed({**ROUTES, **through(proxy)})
    assert attempt_rows(outcome) == [("lab", "dns-01", ("home",), 1, "ca-timeout"), WON]
    kinds = ("txt-removed", "route-failed")
    assert kinds_in_order(stage, *kinds) == ["txt-removed", "route-failed", "txt-removed"]


def test_names_with_different_cas_go_where_all_can_go(stage: Stage, other: AcmeProxy) -> None:
    """If the wildcard can use only the second CA, the whole certificate is obtained there."""
    routes = [{"challenge": "http-01", "listen": f"127.0.0.1:{stage.lab.reserve()}"}, {**DNS, "ca": "other"}]
    with stage.lab.acme_proxy() as proxy:
        outcome = stage.renewed({**through(proxy), "certificate.0.routes": routes})
    assert attempt_rows(outcome) == [WON]
    assert not proxy.exchanges


def test_the_error_after_all_cas_have_failed(stage: Stage, other: AcmeProxy) -> None:
    """The error of each attempt names its CA, and the fix of the outcome is one sentence."""
    other.on_request = refusing("newOrder", problem("rejectedIdentifier", "Not here either.", 400))
    with stage.lab.acme_proxy(refusing("newOrder", problem("userActionRequired", "Read the terms."))) as proxy:
        outcome = stage.one({**ROUTES, **through(proxy)})
    assert codes(outcome) == ["ca-user-action-required", "ca-rejected-identifier"]
    for attempt in outcome.attempts:
        assert f"The CA {attempt.route.ca} " in error_of(attempt).message
    assert len(re.findall(r"[.!?](\s|$)", error_of(outcome).fix)) == 1
