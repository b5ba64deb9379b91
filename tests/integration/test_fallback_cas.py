"""Fallback between CAs: the first is down, refuses, or asks to wait; the second issues, with its own account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.fallback_stage import (
    DNS,
    AttemptRow,
    attempt_rows,
    second_ca,
)
from tests.kit.renew_stage import Stage, through
from tests.lab import AcmeProxy
from tests.lab.acmemessages import DROP, Request, Response
from tests.lab.workspace import Workspace

ROUTES = {"certificate.0.routes": [DNS, {**DNS, "ca": "other"}]}
WON: AttemptRow = ("other", "dns-01", ("home",), 1, None)


@pytest.fixture
def stage(workspace: Workspace) -> Stage:
    """A workspace without a certificate and with a short CA time-out; CAs share no DNS cache."""
    made = Stage(workspace, {"ca.lab.timeout": 2})
    made.on_kind["route-failed"] = made.lab.flush
    return made


@pytest.fixture
def other(stage: Stage) -> Iterator[AcmeProxy]:
    """The second CA, without faults."""
    with second_ca(stage) as proxy:
        yield proxy


def test_the_first_ca_is_down(stage: Stage, other: AcmeProxy) -> None:
    """If the first CA is down, no order is spent, and the second CA issues in the same run."""
    down = f"https://127.0.0.1:{stage.lab.reserve()}/dir"
    outcome = stage.renewed({**ROUTES, "ca.lab.directory": down})
    assert attempt_rows(outcome) == [("lab", "dns-01", (), 0, "ca-unreachable"), WON]
    assert outcome.to_dict()["route"] == {"ca": "other", "challenge": "dns-01", "dns": ["home"]}
    assert outcome.error is None
    (status,) = stage.renewer(ROUTES).status()
    assert (status.ca, status.state) == ("other", "valid")
    assert stage.one(ROUTES).status == "not-due"  # a certificate of the second CA is not a change of the configuration


# ── a CA that never decides ─────────────────────────────────────────────────────────────


def test_an_answer_that_is_lost_after_finalize_is_no_reason_to_leave(stage: Stage, other: AcmeProxy) -> None:
    """If the answers to newOrder and finalize are lost, the same CA issues once."""
    lost: set[str] = set()

    def lose(request: Request, response: Response) -> Response:
        if request.kind in {"newOrder", "finalize"} and request.kind not in lost:
            lost.add(request.kind)
            return DROP
        return response

    with stage.lab.acme_proxy(None, lose) as proxy:
        outcome = stage.renewed({**ROUTES, **through(proxy)})
    assert lost == {"newOrder", "finalize"}
    assert attempt_rows(outcome) == [("lab", "dns-01", ("home",), 1, None)]
    assert proxy.counts["certificate"] == 1
    assert not other.exchanges
