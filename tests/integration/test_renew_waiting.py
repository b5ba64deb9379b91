"""The wait for DNS in a whole run: its length, its events and its errors."""

from __future__ import annotations

import itertools

from tests.kit.load import allowed
from tests.kit.renew_stage import Stage, error_of, through
from tests.lab import PRIMARY, SECONDARY


def test_a_lagging_secondary_is_waited_for_and_not_longer(stage: Stage) -> None:
    """The challenges are answered as soon as the last server has the values."""
    stage.lab.lag = 0.8
    with stage.lab.acme_proxy() as proxy:
        stage.renewed(through(proxy))
        assert proxy.counts["challenge"] == 2
    (visible,) = stage.event_data("dns-visible")
    assert 0.75 <= visible["seconds"] < 1.3  # 0.8, a fiftieth of it, and a noisy machine
    kinds = stage.kinds()
    assert kinds.index("dns-visible") < kinds.index("challenges-answered")


def test_the_wait_reports_each_server(stage: Stage) -> None:
    """The event has the state of each server, at least once a second."""
    stage.lab.lag = 1.3
    stage.renewed()
    told = stage.event_data("dns-waiting")
    states = [{server["address"]: server["state"] for server in data["servers"]} for data in told]
    assert {PRIMARY: "agrees", SECONDARY: "waiting"} in states
    assert states[-1] == {PRIMARY: "agrees", SECONDARY: "agrees"}
    seconds = [data["seconds"] for data in told]
    assert seconds == sorted(seconds)
    assert max(later - earlier for earlier, later in itertools.pairwise(seconds)) < allowed(1.5)
    assert {round(data["timeout"]) for data in told} == {120}


def test_at_the_time_out_the_values_are_removed(stage: Stage) -> None:
    """No challenge is answered, and the error names the secondary that lags."""
    stage.lab.lag = 60.0
    with stage.lab.acme_proxy() as proxy:
        outcome = stage.one({**through(proxy), "certificate.0.propagation": {"timeout": 1}})
        assert proxy.counts["challenge"] == 0
    assert outcome.status == "failed"
    assert error_of(outcome).code == "propagation-timeout"
    assert SECONDARY in error_of(outcome).message
    told = {server["address"]: server for server in error_of(outcome).evidence["servers"]}
    assert set(told) == {PRIMARY, SECONDARY}
    assert "txt-removed" in stage.kinds()
    assert outcome.attempts[0].orders == 1


def test_check_none_asks_no_name_server(stage: Stage) -> None:
    """With `check = "none"` no name server is queried, and the wait is only `settle`."""
    stage.lab.add_zone("unseen.test")
    changes = {
        "dns.home.zones": ["unseen.test"],
        "certificate.0.domains": ["unseen.test"],
        "certificate.0.propagation": {"check": "none", "settle": 1},
    }
    stage.renewed(changes)
    assert "dns-waiting" not in stage.kinds()
