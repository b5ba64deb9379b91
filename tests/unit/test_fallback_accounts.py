"""Fallback between DNS accounts, and a zone that is served by two hosts."""

from __future__ import annotations

import pytest

from tests.kit.fallback_stage import attempt_rows, codes, dns
from tests.kit.memory_lab import MemoryStage
from tests.kit.renew_stage import Stage, error_of, through
from tests.lab.workspace import Workspace


@pytest.fixture
def stage(workspace: Workspace) -> Stage:
    """The account `home` can write example.test; `other` cannot, though its zones say so."""
    made = MemoryStage(workspace)
    made.base["dns.other"] = {**made.other_account(), "zones": ["example.test"]}
    return made


def test_without_routes_the_fitting_accounts_are_tried_one_after_the_other(stage: Stage) -> None:
    """The account with the longest zone is first, then the next that fits."""
    changes = {
        "dns.other.zones": ["deep.example.test"],
        "certificate.0.domains": ["deep.example.test", "*.deep.example.test"],
    }
    outcome = stage.renewed(changes)
    assert [each[2:4] for each in attempt_rows(outcome)] == [(("other",), 1), (("home",), 1)]


def test_an_account_that_does_not_have_the_zone_is_skipped(stage: Stage) -> None:
    """An account without the zone is skipped without an order. One error has all its names."""
    with stage.lab.acme_proxy() as proxy:
        routes = {"certificate.0.routes": [dns("other"), dns("home")]}
        outcome = stage.renewed({**through(proxy), **routes, "dns.other.zones": ["other.test"]})
    assert attempt_rows(outcome) == [
        ("lab", "dns-01", ("other",), 0, "dns-no-account"),
        ("lab", "dns-01", ("home",), 1, None),
    ]
    error = error_of(outcome.attempts[0])
    assert error.evidence["identifiers"] == ["example.test", "*.example.test"]
    assert error.message.endswith("Same for *.example.test.")
    assert proxy.counts["newOrder"] == 1


def test_one_name_of_two_moves_to_another_account(stage: Stage) -> None:
    """If one of two names fails, only its account changes for the next attempt."""
    lab = stage.lab
    lab.add_zone("plain.test")
    with lab.another_pebble(authz_reuse=100) as ca:
        changes = {
            "ca.lab.directory": ca.directory_url,
            "dns.home.zones": ["plain.test"],
            "dns.spare": {**lab.account(lab.key, "example.test"), "tsig_secret": lab.key.secret},
            "certificate.0.domains": ["plain.test", "example.test"],
        }
        outcome = stage.one(changes)
    # The provider fails before the CA validates anything, so both names are written again.
    assert outcome.status == "renewed"
    assert codes(outcome)[-1] is None
    assert outcome.to_dict()["attempts"][1]["route"]["dns"] == ["home", "spare"]
    assert error_of(outcome.attempts[0]).evidence["account"] == "other"
