"""The order of routes: the one that worked comes before those that failed within a day."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.kit.fallback_stage import DNS, attempt_rows, codes, dns, http, second_ca, site
from tests.kit.renew_stage import Stage
from tests.lab.workspace import forget_account

HOUR = timedelta(hours=1)


def closed_first(stage: Stage, second: dict[str, Any]) -> dict[str, Any]:
    """The change that puts http-01 first, with a port that the CA cannot reach."""
    return {**site(stage), "certificate.0.routes": [http(stage.lab.reserve()), second]}


def methods(outcome: Any) -> list[str]:
    """Return the challenge of every attempt."""
    return [attempt.route.challenge for attempt in outcome.attempts]


@pytest.mark.parametrize("second", [dns("home"), DNS], ids=["with-its-account", "with-any-account"])
def test_the_route_that_worked_comes_before_the_one_that_failed(stage: Stage, second: dict[str, Any]) -> None:
    """A route that failed within a day comes after the one that worked. After a day it is tried first again."""
    changes = closed_first(stage, second)
    assert methods(stage.renewed(changes)) == ["http-01", "dns-01"]
    assert methods(stage.renewed(changes, HOUR, force=True)) == ["dns-01"]
    forget_account(stage.workspace.store)
    assert methods(stage.renewed(changes, 26 * HOUR, force=True)) == ["http-01", "dns-01"]


def test_a_route_that_failed_is_still_tried_after_the_one_that_worked(stage: Stage) -> None:
    """If the route that worked fails now, the one that failed before is tried, and can succeed."""
    port = stage.lab.pebble.http_port
    routes = {"certificate.0.routes": [{**http(port)}, dns("home")]}
    shut = {"certificate.0.routes": [http(port, listen=f"127.0.0.1:{stage.lab.reserve()}"), dns("home")]}
    assert methods(stage.renewed({**site(stage), **shut})) == ["http-01", "dns-01"]
    forget_account(stage.workspace.store)
    broken = {"dns.home.tsig_name": "nobody"}
    outcome = stage.one({**site(stage), **shut, **broken}, HOUR, force=True)
    assert methods(outcome) == ["dns-01", "http-01"]
    assert outcome.status == "failed"
    fixed = stage.renewed({**site(stage), **routes}, 2 * HOUR, now=True, force=True)
    assert methods(fixed) == ["http-01"]


def test_a_skipped_route_is_no_failed_one(stage: Stage) -> None:
    """A route that was skipped, because its port was taken, stays the first."""
    import socket

    port = stage.lab.pebble.http_port
    changes = {**site(stage), "certificate.0.routes": [http(port), dns("home")]}
    with socket.create_server(("127.0.0.1", port)):
        assert codes(stage.renewed(changes)) == ["http-port-taken", None]
    assert methods(stage.renewed(changes, HOUR, force=True)) == ["http-01"]


def test_a_ca_that_failed_comes_after_the_one_that_worked(stage: Stage) -> None:
    """A CA that was down an hour ago comes after the CA of the current certificate."""
    down = f"https://127.0.0.1:{stage.lab.reserve()}/dir"
    changes = {"ca.lab.directory": down, "certificate.0.routes": [dns("home"), dns("home", ca="other")]}
    with second_ca(stage):
        outcome = stage.renewed(changes)
        assert [each[0] for each in attempt_rows(outcome)] == ["lab", "other"]
        again = stage.renewed(changes, HOUR, force=True)
        assert [each[0] for each in attempt_rows(again)] == ["other"]


def test_what_is_remembered_can_be_read(stage: Stage) -> None:
    """`state.json` has the route that worked, by its name."""
    changes = closed_first(stage, dns("home"))
    stage.renewed(changes)
    state = json.loads((stage.workspace.store / "certificates" / "home" / "state.json").read_text())
    assert state["worked"] == ["lab/dns-01/dns=home"]
