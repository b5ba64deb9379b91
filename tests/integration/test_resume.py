"""An order that a run had finalized, or could finalize, without getting its certificate: the next run resumes it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.kit.fallback_stage import problem, versions
from tests.kit.renew_stage import Stage, error_of, through
from tests.lab import AcmeProxy
from tests.lab.acmemessages import DROP, Request, Response
from tests.lab.workspace import Workspace

SOON = timedelta(minutes=5)
"""A time longer than the pause after one failure."""


@pytest.fixture
def stage(workspace: Workspace) -> Stage:
    """A workspace without a certificate, with a CA time-out of two seconds."""
    return Stage(workspace, {"ca.lab.timeout": 2})


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


@pytest.mark.parametrize("kind", ["finalize", "certificate"])
def test_the_certificate_of_the_same_order_is_fetched(stage: Stage, ca: AcmeProxy, kind: str) -> None:
    """The next run fetches the certificate of the pending order, without a second order, CSR or TXT value."""
    leave_order(stage, ca, kind)
    key = (order_folder(stage) / "key.pem").read_bytes()
    outcome = stage.renewed(later=SOON)
    assert (ca.counts["newOrder"], len(sent(ca))) == (1, 1)
    assert stage.event_data("txt-writing") == stage.event_data("order-created") == []
    (resumed,) = stage.event_data("order-resumed")
    assert resumed["domains"] == ["example.test", "*.example.test"]
    assert [attempt.orders for attempt in outcome.attempts] == [0]
    current = stage.workspace.store / "certificates" / "home" / "current"
    assert (current / "privkey.pem").read_bytes() == key
    response = ca.of_kind("certificate")[-1].response
    assert response is not None
    issued = x509.load_pem_x509_certificate(response.body)
    assert f"{issued.serial_number:x}" == outcome.serial
    assert not order_folder(stage).exists()
    assert versions(stage) == 1
    assert stage.one(later=SOON).status == "not-due"


# ── changes of the configuration ────────────────────────────────────────────────────────


def test_a_revocation_deletes_the_pending_order(stage: Stage, ca: AcmeProxy) -> None:
    """A revocation deletes the pending order, because it may have the compromised key."""
    stage.renewed()
    leave_order(stage, ca, force=True)
    stage.renewer().revoke("home", reason="key-compromise")
    assert not order_folder(stage).exists()
    stage.renewed(later=SOON)
    assert len(stage.event_data("order-created")) == 1
    assert stage.event_data("order-resumed") == []


# ── a wrong clock ───────────────────────────────────────────────────────────────────────


def test_a_certificate_is_fetched_after_the_clock_is_corrected(stage: Stage, ca: AcmeProxy) -> None:
    """With a wrong clock, repeated runs make one order. After the correction its certificate is fetched."""
    for _ in range(2):
        outcome = stage.one(later=timedelta(days=100), now=True)
        assert (error_of(outcome).code, ca.counts["newOrder"], len(sent(ca))) == ("clock-wrong", 1, 1)
        assert round(error_of(outcome).evidence["ahead"] / 86400) == 100
        assert "Set the clock" in error_of(outcome).fix
    stage.renewed()
    assert (ca.counts["newOrder"], len(sent(ca))) == (1, 1)
    assert not order_folder(stage).exists()
