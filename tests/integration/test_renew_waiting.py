"""Waiting for DNS within a whole run: exactly as long as needed, and what is said meanwhile and afterwards."""

from __future__ import annotations

import itertools

import pytest

from tests.kit.renew_stage import Stage, through
from tests.lab import PRIMARY, SECONDARY
from tests.lab.workspace import Workspace


@pytest.fixture
def stage(workspace: Workspace) -> Stage:
    """The apex and its wildcard, nothing obtained yet."""
    return Stage(workspace)


def test_a_lagging_secondary_is_waited_for_and_not_longer(stage: Stage) -> None:
    """The CA is told to look after the last server has the values, and within a moment of that."""
    stage.lab.lag = 0.8
    with stage.lab.acme_proxy() as proxy:
        stage.renewed(through(proxy))
        assert proxy.counts["challenge"] == 2
    (visible,) = stage.event_data("dns-visible")
    assert 0.75 <= visible["seconds"] < 1.3  # 0.8, a fiftieth of it, and a noisy machine
    kinds = stage.kinds()
    assert kinds.index("dns-visible") < kinds.index("challenges-answered")


def test_while_it_waits_it_says_for_whom(stage: Stage) -> None:
    """Server by server: who agrees already, and who is waited for; at least once a second."""
    stage.lab.lag = 1.3
    stage.renewed()
    told = stage.event_data("dns-waiting")
    states = [{server["address"]: server["state"] for server in data["servers"]} for data in told]
    assert {PRIMARY: "agrees", SECONDARY: "waiting"} in states
    assert states[-1] == {PRIMARY: "agrees", SECONDARY: "agrees"}
    seconds = [data["seconds"] for data in told]
    assert seconds == sorted(seconds)
    assert max(later - earlier for earlier, later in itertools.pairwise(seconds)) < 1.5
    assert {data["timeout"] for data in told} == {120}


def test_at_the_time_out_every_address_is_told_and_the_values_are_withdrawn(stage: Stage) -> None:
    """The CA was never asked to look, and the secondary that lags is named with what it said."""
    stage.lab.lag = 60.0
    with stage.lab.acme_proxy() as proxy:
        outcome = stage.one({**through(proxy), "certificate.0.propagation": {"timeout": 1}})
        assert proxy.counts["challenge"] == 0
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert outcome.error.code == "propagation-timeout"
    assert SECONDARY in outcome.error.message
    told = {server["address"]: server for server in outcome.error.evidence["servers"]}
    assert set(told) == {PRIMARY, SECONDARY}
    assert "txt-removed" in stage.kinds()
    assert outcome.attempts[0].orders == 1


def test_check_none_asks_no_name_server(stage: Stage) -> None:
    """The user takes it upon himself: nothing is waited for but `settle`."""
    stage.lab.add_zone("unseen.test")
    changes = {
        "dns.home.zones": ["unseen.test"],
        "certificate.0.domains": ["unseen.test"],
        "certificate.0.propagation": {"check": "none", "settle": 1},
    }
    stage.renewed(changes)
    assert "dns-waiting" not in stage.kinds()
