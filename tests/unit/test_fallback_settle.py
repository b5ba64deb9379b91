"""A TXT value that is visible here, but not to the CA: once more on the same route, then the next route."""

from __future__ import annotations

import pytest

from dnsrenew.renewal import planner
from dnsrenew.testing.box.order_server import Proof
from dnsrenew.testing.box.resources import AcmeProblem
from tests.kit.fallback_stage import DNS, attempt_rows, codes, dns, http, site
from tests.kit.memory_lab import MemoryLab, MemoryStage
from tests.kit.renew_stage import error_of


class CaView:
    """How the CAs of a lab see DNS: while they are blind, they find another thing than what is there."""

    def __init__(self, lab: MemoryLab, what: str = "dns") -> None:
        self.blind = True
        self._what = what
        self._validate, lab.validate = lab.validate, self._look

    def open_eyes(self) -> None:
        """See what is there from now on."""
        self.blind = False

    def _look(self, proof: Proof) -> AcmeProblem | None:
        is_hidden = self.blind and proof.challenge == "dns-01"
        return AcmeProblem(self._what, "it is not there") if is_hidden else self._validate(proof)


@pytest.mark.parametrize("what", ["unauthorized", "incorrectResponse", "dns"])
def test_the_ca_sees_nothing_and_then_the_value(stage: MemoryStage, what: str) -> None:
    """If the CA sees no value, a second order on the same route after a longer wait succeeds."""
    stage.on_kind["route-failed"] = CaView(stage.lab, what).open_eyes
    outcome = stage.renewed({"certificate.0.domains": ["seen.example.test"]})
    assert len(outcome.attempts) == 2
    assert attempt_rows(outcome)[0][:4] == attempt_rows(outcome)[1][:4] == ("lab", "dns-01", ("home",), 1)
    assert codes(outcome)[0] in {"ca-unauthorized", "ca-dns", "ca-incorrect-response"}
    first, second = [wait["settle"] for wait in stage.lab.dns.waits]
    assert second == first + planner.SETTLE_AGAIN
    assert len({data["url"] for data in stage.event_data("order-created")}) == 2


def test_once_more_and_not_for_ever(stage: MemoryStage) -> None:
    """If the CA never sees the value, the route gets two orders, and then the next route is used."""
    CaView(stage.lab)
    outcome = stage.renewed({**site(stage), "certificate.0.routes": [DNS, http(stage.lab.http_port)]})
    assert [each[1:4] for each in attempt_rows(outcome)] == [
        ("dns-01", ("home",), 1),
        ("dns-01", ("home",), 1),
        ("http-01", (), 1),
    ]
    assert codes(outcome)[-1] is None
    assert codes(outcome)[0] == codes(outcome)[1]


def test_each_account_has_its_second_try(stage: MemoryStage) -> None:
    """Each of two accounts gets two orders, and then the run fails."""
    CaView(stage.lab)
    last_resort = {**stage.lab.account(stage.lab.key, "example.test"), "tsig_secret": stage.lab.key.secret}
    outcome = stage.one(
        {
            "dns.spare": last_resort,
            "certificate.0.domains": ["unseen.example.test"],
            "certificate.0.routes": [dns("home"), dns("spare")],
        }
    )
    assert outcome.status == "failed"
    assert [each[2] for each in attempt_rows(outcome)] == [("home",), ("home",), ("spare",), ("spare",)]
    assert "unseen.example.test" in error_of(outcome).message
