"""An order that a run had finalized, or could finalize, without getting its certificate: the next run resumes it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kit.fallback_stage import SITE, codes, dns, http, problem, refusing, second_ca, site
from tests.kit.memory_lab import MemoryStage
from tests.kit.renew_stage import Stage, through
from tests.lab import AcmeProxy
from tests.lab.acmemessages import DROP, Request, Response
from tests.lab.workspace import Workspace

SOON = timedelta(minutes=5)
"""A time longer than the pause after one failure."""


@pytest.fixture
def stage(workspace: Workspace) -> Stage:
    """A workspace without a certificate, with a CA time-out of two seconds."""
    return MemoryStage(workspace, {"ca.lab.timeout": 2})


@pytest.fixture
def ca(stage: Stage) -> Iterator[AcmeProxy]:
    """The CA, behind a proxy that counts."""
    with stage.lab.acme_proxy() as proxy:
        stage.base |= through(proxy)
        yield proxy


class GoneAfter:
    """A hook: the answer to one kind of request is lost, and then the CA refuses everything."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.gone = False

    def __call__(self, request: Request, response: Response) -> Response:
        """Change an answer."""
        if self.gone:
            return problem("serverInternal", "closed for today", 403)
        self.gone = request.kind == self.kind
        return DROP if self.gone else response


def order_folder(stage: Stage) -> Path:
    """The folder of the pending order."""
    return stage.workspace.store / "certificates" / "home" / "order"


def sent(ca: AcmeProxy) -> set[str]:
    """The CSRs that the CA got; the same one may be sent twice if the order was not ready."""
    return {(exchange.request.payload or {})["csr"] for exchange in ca.of_kind("finalize")}


def leave_order(stage: Stage, ca: AcmeProxy, kind: str = "finalize", **how: Any) -> None:
    """Make a run whose CA fails after it got the CSR: an order is left."""
    ca.on_response = GoneAfter(kind)
    assert stage.one(**how).status == "failed"
    assert sorted(path.name for path in order_folder(stage).iterdir()) == ["csr.der", "key.pem", "order.json"]
    ca.on_response = None


def test_the_order_of_a_renewal_is_resumed(stage: Stage, ca: AcmeProxy) -> None:
    """The old certificate is in force until the order of its renewal is resumed."""
    first = stage.renewed()
    leave_order(stage, ca, force=True)
    assert f"{stage.leaf().serial_number:x}" == first.serial
    second = stage.renewed(later=SOON, force=True)
    assert second.serial != first.serial
    assert ca.counts["newOrder"] == 2


def test_an_order_whose_csr_never_came_is_finalized(stage: Stage, ca: AcmeProxy) -> None:
    """If a run ended before its CSR was sent, the next run sends the CSR on disk for the same order."""
    ca.on_request = refusing("finalize", problem("serverInternal", "closed for today", 403))
    assert stage.one().status == "failed"
    ca.on_request = None
    stage.renewed(later=SOON)
    assert (ca.counts["newOrder"], len(sent(ca))) == (1, 1)
    assert stage.event_data("order-resumed")[0]["status"] == "ready"


def test_resuming_needs_no_dns_account(stage: Stage, ca: AcmeProxy) -> None:
    """A pending order is resumed even if the DNS account refuses every update."""
    leave_order(stage, ca)
    outcome = stage.renewed({"dns.home.tsig_secret": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}, SOON)
    assert codes(outcome) == [None]


# ── invalid orders ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "answer",
    [
        problem("malformed", "no such order", 404),
        problem("unauthorized", "not yours", 403),
        Response(404),
        Response.of_json(200, {"status": "invalid", "authorizations": [], "finalize": "https://ca.test/finalize"}),
    ],
    ids=["unknown", "not-ours", "bare", "invalid"],
)
def test_an_invalid_order_is_replaced(stage: Stage, ca: AcmeProxy, answer: Response) -> None:
    """If the CA does not have the order, or it is invalid, the same run makes a new one without a failure."""
    leave_order(stage, ca)
    old = json.loads((order_folder(stage) / "order.json").read_text())["url"]
    ca.on_request = lambda request: answer if old.endswith(request.path) else None
    outcome = stage.renewed(later=SOON)
    assert (codes(outcome), ca.counts["newOrder"]) == ([None], 2)
    assert stage.event_data("order-resumed") == []


@pytest.mark.parametrize(
    "answer",
    [
        *(
            Response(status, b"<html>No.</html>", (("Content-Type", "text/html"),))
            for status in (400, 401, 403, 404, 410)
        ),
        Response.of_json(403, {"message": "Forbidden"}),
    ],
    ids=["400", "401", "403", "404", "410", "json"],
)
def test_a_page_of_a_middlebox_does_not_invalidate_the_order(stage: Stage, ca: AcmeProxy, answer: Response) -> None:
    """A page of a firewall in place of the order does not cause a new order. The next run fetches the certificate."""
    leave_order(stage, ca)
    ca.on_request = refusing("order", answer)
    routes = {"certificate.0.routes": [{"challenge": "dns-01"}, {"challenge": "http-01", "webroot": "."}]}
    outcome = stage.one(routes, SOON, now=True)
    assert codes(outcome)[-1] == "ca-malformed-answer"
    ca.on_request = None
    stage.renewed(later=SOON, now=True)
    assert (ca.counts["newOrder"], len(sent(ca))) == (1, 1)


@pytest.mark.parametrize("written", ["kept", None])
def test_a_page_that_stays_costs_a_new_order_in_the_end(stage: Stage, ca: AcmeProxy, written: str | None) -> None:
    """If the page is still there after a day, or the order has no date, a new order is made."""
    leave_order(stage, ca)
    file = order_folder(stage) / "order.json"
    form = json.loads(file.read_text())
    if written is None:
        file.write_text(json.dumps({**form, "written": None}))
    page = Response(403, b"<html>No.</html>", (("Content-Type", "text/html"),))
    ca.on_request = lambda request: page if form["url"].endswith(request.path) else None
    stage.renewed(later=timedelta(days=1, minutes=1) if written else SOON)
    assert ca.counts["newOrder"] == 2


def test_a_certificate_that_is_never_sent_costs_a_new_order(stage: Stage, ca: AcmeProxy) -> None:
    """The order is valid, and its certificate is not sent: a new order is made after a day."""
    leave_order(stage, ca)
    gone = problem("malformed", "no such certificate", 404)
    ca.on_request = lambda request: gone if request.kind == "certificate" and ca.counts["newOrder"] == 1 else None
    assert stage.one(later=SOON, now=True).status == "failed"
    assert (order_folder(stage).exists(), ca.counts["newOrder"]) == (True, 1)
    stage.renewed(later=timedelta(days=1, minutes=1))
    assert ca.counts["newOrder"] == 2


def test_an_order_that_becomes_invalid(stage: Stage, ca: AcmeProxy) -> None:
    """An order that is processing and then invalid is replaced in the same run."""
    leave_order(stage, ca)
    form = json.loads((order_folder(stage) / "order.json").read_text())
    statuses = iter(["processing"])
    body = {"authorizations": [], "finalize": "https://ca.test/finalize"}

    def dying(request: Request) -> Response | None:
        if not form["url"].endswith(request.path):
            return None
        return Response.of_json(200, {**body, "status": next(statuses, "invalid")})

    ca.on_request = dying
    outcome = stage.renewed(later=SOON)
    assert (codes(outcome), ca.counts["newOrder"]) == ([None], 2)
    assert len(stage.event_data("order-resumed")) == 1


def test_an_order_that_the_ca_gave_up_is_not_kept(stage: Stage, ca: AcmeProxy) -> None:
    """An order whose validation failed is deleted with its key."""
    outcome = stage.one({**site(stage), "certificate.0.routes": [http(stage.lab.reserve())]})
    assert codes(outcome) == ["http-unreachable"]
    assert not order_folder(stage).exists()
    assert ca.counts["newOrder"] == 1


def test_an_order_that_is_not_decided_in_time_is_kept(stage: Stage, ca: AcmeProxy) -> None:
    """An order that is still pending after a failed validation is kept, because the CA may try again."""

    def undecided(request: Request, response: Response) -> Response:
        body = response.json() if request.kind in {"order", "authorization"} else {}
        if request.kind == "finalize":
            return problem("orderNotReady", "not yet", 403)
        if request.kind == "authorization":
            trouble = {"type": "urn:ietf:params:acme:error:caa", "detail": "no answer"}
            for challenge in body["challenges"]:
                challenge["error"] = trouble
        return response.with_json({**body, "status": "pending"}) if body else response

    ca.on_response = undecided
    assert codes(stage.one()) == ["ca-caa"]
    assert (order_folder(stage) / "key.pem").exists()


def test_a_rehearsal_that_fails_leaves_what_is_there(stage: Stage, ca: AcmeProxy) -> None:
    """A failed rehearsal keeps the pending order of a real run."""
    leave_order(stage, ca)
    with second_ca(stage):
        rehearsal = {"ca.lab.staging": "other", **site(stage), "certificate.0.routes": [http(stage.lab.reserve())]}
        assert stage.one(rehearsal, SOON, dry_run=True).status == "failed"
    assert (order_folder(stage) / "key.pem").exists()


def test_a_certificate_that_is_not_for_its_key(stage: Stage, ca: AcmeProxy) -> None:
    """If the CA sends a certificate for another key, it is not stored, and a new order is made."""
    other = stage.renewed({"certificate.0.name": "other"})
    assert other.path is not None
    foreign = (other.path / "fullchain.pem").read_bytes()
    leave_order(stage, ca)
    wrong = [Response(200, foreign, (("Content-Type", "application/pem-certificate-chain"),))]
    ca.on_request = lambda request: wrong.pop() if wrong and request.kind == "certificate" else None
    stage.renewed(later=SOON)
    assert ca.counts["newOrder"] == 3


def test_a_ca_that_is_still_down(stage: Stage, ca: AcmeProxy) -> None:
    """While the CA is down, the order is kept and no other is made. A later run resumes it."""
    leave_order(stage, ca)
    down = {"ca.lab.directory": f"https://127.0.0.1:{stage.lab.reserve()}/dir"}
    assert codes(stage.one(down, SOON, now=True)) == ["ca-unreachable"]
    ca.on_request = refusing("order", problem("serverInternal", "closed for today", 500))
    assert codes(stage.one(later=SOON, now=True)) == ["ca-server-error"]
    ca.on_request = None
    stage.renewed(later=SOON, now=True)
    assert ca.counts["newOrder"] == 1


def test_another_ca_may_issue_meanwhile(stage: Stage, ca: AcmeProxy) -> None:
    """If another CA issues the certificate, the pending order is deleted."""
    leave_order(stage, ca)
    with second_ca(stage):
        ca.on_request = refusing("directory", problem("serverInternal", "closed for today"))
        routes = {"certificate.0.routes": [{"challenge": "dns-01"}, {"challenge": "dns-01", "ca": "other"}]}
        outcome = stage.renewed(routes, SOON)
        assert codes(outcome) == ["ca-not-acme", None]
    assert not order_folder(stage).exists()


# ── changes of the configuration ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "changes", [{"certificate.0.domains": ["example.test"]}, {"certificate.0.key": "ecdsa-p384"}], ids=["names", "key"]
)
def test_an_order_for_something_else(stage: Stage, ca: AcmeProxy, changes: dict[str, Any]) -> None:
    """If names or key type were changed in the configuration, the old order is deleted."""
    leave_order(stage, ca)
    stage.renewed(changes, SOON)
    assert (ca.counts["newOrder"], len(sent(ca))) == (2, 2)
    assert not order_folder(stage).exists()


def test_the_same_names_in_another_order(stage: Stage, ca: AcmeProxy) -> None:
    """An order is resumed if the names are listed in another order. Each name keeps its own route."""
    names = [SITE, f"*.{SITE}"]
    stage.base |= {**site(stage, *names), "certificate.0.routes": [http(stage.lab.pebble.http_port), dns("home")]}
    leave_order(stage, ca)
    outcome = stage.renewed({"certificate.0.domains": names[::-1]}, SOON)
    assert (ca.counts["newOrder"], len(sent(ca))) == (1, 1)
    assert list(outcome.domains) == stage.event_data("order-resumed")[0]["domains"] == names[::-1]
    taken = outcome.to_dict()["route"]["names"]
    assert [(name, taken[name]["challenge"]) for name in taken] == [(names[1], "dns-01"), (names[0], "http-01")]
    assert stage.one({"certificate.0.domains": names[::-1]}, SOON).status == "not-due"


def test_another_account(stage: Stage, ca: AcmeProxy) -> None:
    """If the account was lost with its key, its order is not resumed, and a new one is made."""
    leave_order(stage, ca)
    shutil.rmtree(stage.workspace.store / "accounts")
    stage.renewed(later=SOON)
    assert (ca.counts["newAccount"], ca.counts["newOrder"]) == (2, 2)


def test_a_rehearsal_neither_leaves_nor_takes_one(stage: Stage, ca: AcmeProxy) -> None:
    """A rehearsal does not resume the pending order of a real run, and keeps it."""
    leave_order(stage, ca)
    with second_ca(stage) as staging:
        outcome = stage.one({"ca.lab.staging": "other"}, SOON, dry_run=True)
        assert outcome.status == "rehearsed"
        assert staging.counts["newOrder"] == 1
    stage.base.pop("ca.other")
    stage.renewed(later=SOON)
    assert ca.counts["newOrder"] == 1


def test_the_order_at_the_second_ca_is_resumed_first(stage: Stage, ca: AcmeProxy) -> None:
    """A pending order at the second CA is resumed even if the first CA works again."""
    with second_ca(stage) as other:
        routes = {"certificate.0.routes": [{"challenge": "dns-01"}, {"challenge": "dns-01", "ca": "other"}]}
        ca.on_request = refusing("newOrder", problem("rejectedIdentifier", "not these", 400))
        other.on_response = GoneAfter("finalize")
        assert stage.one(routes).status == "failed"
        ca.on_request = other.on_response = None
        before = ca.counts["newOrder"]
        outcome = stage.renewed(routes, SOON, now=True)
        assert (ca.counts["newOrder"], other.counts["newOrder"]) == (before, 1)
        assert outcome.to_dict()["route"] == {"ca": "other", "challenge": "dns-01", "dns": ["home"]}
        (status,) = stage.renewer(routes).status()
        assert (status.ca, status.route) == ("other", outcome.to_dict()["route"])
