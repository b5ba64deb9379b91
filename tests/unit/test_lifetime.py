"""`lifetime`: the validity that the order asks for, a CA that refuses it, and one that does not keep to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import CAError
from dnsrenew.store import State
from dnsrenew.testing.box import order_server
from tests.kit.config_files import GOOD, load, mistake
from tests.kit.fallback_stage import second_ca
from tests.kit.memory_lab import MemoryStage
from tests.kit.renew_stage import error_of
from tests.lab import AcmeProxy
from tests.lab.acmemessages import Request, Response

WEEK = {"certificate.0.lifetime": "7 days"}
BOULDER = "NotBefore and NotAfter are not supported"


@pytest.fixture
def stage(stage: MemoryStage, ca: AcmeProxy, monkeypatch: pytest.MonkeyPatch) -> MemoryStage:
    """Runs at a CA that ignores `notAfter`, behind a proxy."""
    monkeypatch.setattr(order_server, "_end", lambda *_: None)
    stage.base = {**stage.base, "ca.lab.directory": ca.directory_url}
    return stage


def ends(ca: AcmeProxy) -> list[str | None]:
    """Return the `notAfter` of each order."""
    return [(each.request.payload or {}).get("notAfter") for each in ca.of_kind("newOrder")]


def refusing(detail: str, kind: str = "malformed") -> Callable[[Request], Response | None]:
    """Return a hook that refuses each order with `notAfter`."""

    def answer(request: Request) -> Response | None:
        asks = request.kind == "newOrder" and "notAfter" in (request.payload or {})
        return Response.problem(403, kind, detail) if asks else None

    return answer


def test_the_order_asks_for_the_end(stage: MemoryStage, ca: AcmeProxy) -> None:
    """The order has `notAfter`, so long after now as `lifetime` says; without the key it has none."""
    now: datetime = stage.lab.clock.now().replace(microsecond=0)
    stage.renewed(WEEK)
    (end,) = ends(ca)
    assert end is not None
    assert end.endswith("Z")
    assert timedelta(0) <= datetime.fromisoformat(end) - now - timedelta(days=7) < timedelta(minutes=5)
    stage.renewed({"certificate.0.key": "ecdsa-p384"})
    assert ends(ca)[1:] == [None]


def test_a_ca_that_does_not_keep_to_it(stage: MemoryStage) -> None:
    """A certificate that ends more than an hour off has the warning `lifetime-differs`, also later and in a dry run."""
    longer = stage.renewed({"certificate.0.lifetime": "200 days"})  # than this CA issues for
    assert [notice.code for notice in longer.warnings] == ["lifetime-differs"]
    for outcome in (stage.renewed(WEEK), stage.one(WEEK)):
        assert [notice.code for notice in outcome.warnings] == ["lifetime-differs"]
    assert [notice.code for notice in stage.renewer(WEEK).status()[0].warnings] == ["lifetime-differs"]
    assert stage.one(WEEK).status == "not-due"
    rehearsed = stage.one({**WEEK, "ca.lab.staging": "lab"}, dry_run=True)
    assert [notice.code for notice in rehearsed.warnings] == ["lifetime-differs"] * 2


def test_a_refusal_that_names_it(stage: MemoryStage, ca: AcmeProxy) -> None:
    """A CA that names notAfter refuses the lifetime; it gets no second order, and its sentence is in the message."""
    ca.on_request = refusing(BOULDER)
    error = stage.failed(WEEK)
    assert (type(error), error.code) == (CAError, "lifetime-refused")
    assert BOULDER in error.message
    assert len(ends(ca)) == 1


@pytest.mark.parametrize("kind", ["malformed", "rejectedIdentifier", "unauthorized", "policyViolation"])
def test_a_refusal_that_another_order_explains(stage: MemoryStage, ca: AcmeProxy, kind: str) -> None:
    """A CA that says nothing of notAfter, but takes the same order without it, refuses the lifetime."""
    ca.on_request = refusing("no", kind)
    assert stage.failed(WEEK).code == "lifetime-refused"
    assert [end is None for end in ends(ca)] == [False, True]


def test_a_refusal_for_another_reason(stage: MemoryStage, ca: AcmeProxy) -> None:
    """A CA that refuses the order without notAfter too has another reason, which is reported."""
    ca.on_request = lambda request: (
        Response.problem(403, "rejectedIdentifier", "not here") if request.kind == "newOrder" else None
    )
    assert stage.failed(WEEK).code == "ca-rejected-identifier"


def test_a_limit_is_no_refusal(stage: MemoryStage, ca: AcmeProxy) -> None:
    """A CA whose limit is reached gets no further order."""
    ca.on_request = lambda request: (
        Response.problem(429, "rateLimited", "too many orders") if request.kind == "newOrder" else None
    )
    assert stage.failed(WEEK).code == "ca-rate-limited"
    assert len(ends(ca)) == 1


def test_a_refusal_at_the_end(stage: MemoryStage, ca: AcmeProxy) -> None:
    """A CA that looks at notAfter when it issues, and names it, refuses the lifetime too."""
    ca.on_request = lambda request: (
        Response.problem(403, "badCSR", "requested notAfter is beyond the maximum")
        if request.kind == "finalize"
        else None
    )
    assert stage.failed(WEEK).code == "lifetime-refused"


def test_the_next_ca_may_issue_it(stage: MemoryStage, ca: AcmeProxy) -> None:
    """After a refusal another CA of the routes is asked."""
    ca.on_request = refusing(BOULDER)
    routes = [{"challenge": "dns-01", "dns": "home"}, {"challenge": "dns-01", "dns": "home", "ca": "other"}]
    with second_ca(stage):
        outcome = stage.renewed({**WEEK, "certificate.0.routes": routes})
    assert outcome.route is not None
    assert outcome.route.ca != "lab"
    assert error_of(outcome.attempts[0]).code == "lifetime-refused"


def test_an_edit_is_a_change(stage: MemoryStage) -> None:
    """A certificate that was ordered for another lifetime is replaced once; the CA need not keep to it."""
    stage.renewed()
    assert stage.renewed(WEEK).reason == "changed"
    assert stage.one(WEEK).status == "not-due"
    assert stage.one({"certificate.0.lifetime": "168h"}).status == "not-due"
    assert stage.renewed({"certificate.0.lifetime": "8 days"}).reason == "changed"
    assert stage.renewed().reason == "changed"
    assert stage.one().status == "not-due"


def test_a_lost_record_is_no_change(stage: MemoryStage) -> None:
    """If the state was lost, a certificate that lives about as long as wanted is kept."""
    live = {"certificate.0.lifetime": "90 days"}
    stage.renewed(live)
    path = stage.workspace.store / "certificates/home/state.json"
    assert State.from_json(path.read_bytes()).lifetime is not None
    path.unlink()
    assert stage.one(live).status == "not-due"


@pytest.mark.parametrize("damage", ["x", 7, {}, {"seconds": "x", "until": "2027-01-01T00:00:00Z"}, {"until": 1}])
def test_a_damaged_record_counts_as_none(stage: MemoryStage, damage: Any) -> None:
    """What another program wrote in its place in the state is ignored."""
    stage.renewed()
    path = stage.workspace.store / "certificates/home/state.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "lifetime": damage, "rolled_back": damage}))
    assert stage.one().status == "not-due"


@pytest.mark.parametrize(
    "value", ['"4 minutes"', '"11 years"', '"1/3"', '""', '"7 dyas"', "true", "60", '"-7 days"', "nan", "[]"]
)
def test_a_wrong_lifetime_is_a_mistake(tmp_path: Path, value: str) -> None:
    """A lifetime is a time from 5 minutes to 10 years."""
    found = mistake(tmp_path, f"{GOOD}lifetime = {value}\n")
    assert found["key"] == "certificate[0].lifetime"
    assert "from 5 minutes to 10 years" in found["expected"]


@pytest.mark.parametrize("value", ['"7 days"', '"7d"', '"168h"', '"1 week"', "604800", "604800.0"])
def test_the_forms_of_a_lifetime(tmp_path: Path, value: str) -> None:
    """It is written as other times are, or as seconds."""
    (spec,) = load(tmp_path, f"{GOOD}lifetime = {value}\n").certificates
    assert spec.lifetime == 604_800
