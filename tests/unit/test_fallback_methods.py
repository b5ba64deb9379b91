"""Fallback between challenges: port 80 is closed or taken, so dns-01 is used in the same run; and both in one order."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.kit.fallback_stage import DNS, SITE, attempt_rows, dns, http, kinds_in_order, site, versions
from tests.kit.renew_stage import Stage, error_of, names_in, through


def test_port_80_is_closed(stage: Stage) -> None:
    """If the CA cannot connect to port 80, the next order of the run uses dns-01. The outcome has both attempts."""
    routes = [http(stage.lab.reserve()), dns("home")]
    with stage.lab.acme_proxy() as proxy:
        outcome = stage.renewed({**site(stage), **through(proxy), "certificate.0.routes": routes})
    assert attempt_rows(outcome) == [
        ("lab", "http-01", (), 1, "http-unreachable"),
        ("lab", "dns-01", ("home",), 1, None),
    ]
    assert outcome.error is None
    error = error_of(outcome.attempts[0])
    assert "connection" in error.evidence["subproblems"][0]["type"]
    assert "80" in error.fix
    assert error.evidence["addresses"] == {SITE: {"A": ["127.0.0.1"], "AAAA": []}}
    assert "127.0.0.1" in error.evidence["ours"]["A"]
    assert proxy.counts["newOrder"] == 2
    assert proxy.counts["certificate"] == versions(stage) == 1
    assert names_in(stage.leaf()) == {SITE}
    events = ("route-started", "route-failed", "http-published", "http-removed", "txt-written", "txt-removed")
    assert kinds_in_order(stage, *events) == [
        "route-started",
        "http-published",
        "http-removed",
        "route-failed",
        "route-started",
        "txt-written",
        "txt-removed",
    ]
    (failed,) = stage.event_data("route-failed")
    assert (failed["challenge"], failed["error"]["code"]) == ("http-01", "http-unreachable")


def test_the_port_is_taken(stage: Stage) -> None:
    """A port that is taken skips the route without an order. The skipped route is an attempt with its code."""
    with socket.create_server(("127.0.0.1", 0)) as taken, stage.lab.acme_proxy() as proxy:
        port = taken.getsockname()[1]
        changes = {**site(stage), **through(proxy), "certificate.0.routes": [http(port), DNS]}
        outcome = stage.renewed(changes)
    assert attempt_rows(outcome) == [
        ("lab", "http-01", (), 0, "http-port-taken"),
        ("lab", "dns-01", ("home",), 1, None),
    ]
    assert proxy.counts["newOrder"] == 1


@pytest.mark.parametrize("kind", ["file", "not/there", "closed"])
def test_a_webroot_that_cannot_be_written(stage: Stage, kind: str) -> None:
    """A webroot that cannot be written skips the route before an order. The error has the folder."""
    (stage.workspace.path / "file").write_text("no folder")
    # Not even root can write in /proc.
    folder = Path(f"/proc/{os.getpid()}/net") if kind == "closed" else stage.workspace.path / kind
    routes = [{"challenge": "http-01", "webroot": str(folder)}, DNS]
    outcome = stage.renewed({**site(stage), "certificate.0.routes": routes})
    skipped, worked = outcome.attempts
    assert (skipped.orders, worked.orders) == (0, 1)
    assert error_of(skipped).code.startswith("http-webroot")
    assert str(folder) in error_of(skipped).message
    assert error_of(skipped).fix.endswith(".")


def test_apex_by_http_01_and_wildcard_by_dns_01_in_one_order(stage: Stage) -> None:
    """One order uses http-01 for the apex and dns-01 for its wildcard, and the outcome has each name's route."""
    routes = [http(stage.lab.pebble.http_port), dns("home")]
    with stage.lab.acme_proxy() as proxy:
        names = [SITE, f"*.{SITE}"]
        outcome = stage.renewed({**site(stage, *names), **through(proxy), "certificate.0.routes": routes})
    assert attempt_rows(outcome) == [("lab", "mixed", ("home",), 1, None)]
    assert outcome.to_dict()["route"] == {
        "ca": "lab",
        "challenge": "mixed",
        "dns": ["home"],
        "names": {SITE: {"challenge": "http-01", "dns": []}, f"*.{SITE}": {"challenge": "dns-01", "dns": ["home"]}},
    }
    assert proxy.counts["newOrder"] == 1
    assert len(stage.written()) == 1
    assert names_in(stage.leaf()) == set(names)


def test_the_failed_part_of_a_mix_moves_and_what_is_valid_stays(stage: Stage) -> None:
    """If http-01 fails and dns-01 succeeds in one order, the second order validates only the failed names."""
    names = [SITE, f"*.{SITE}", f"www.{SITE}"]
    # Apex and wildcard share a TXT name, which the CA's resolvers have just cached.
    with stage.lab.another_pebble(authz_reuse=100) as ca:
        routes = [http(stage.lab.reserve()), dns("home")]
        changes = {"ca.lab.directory": ca.directory_url, "certificate.0.routes": routes}
        outcome = stage.renewed({**site(stage, *names), **changes})
    assert attempt_rows(outcome) == [
        ("lab", "mixed", ("home",), 1, "http-unreachable"),
        ("lab", "dns-01", ("home",), 1, None),
    ]
    error = error_of(outcome.attempts[0])
    assert sorted(error.evidence["identifiers"]) == [SITE, f"www.{SITE}"]
    first, second = (data["pending"] for data in stage.event_data("order-created"))
    assert sorted(first) == sorted(names)
    assert sorted(second) == [SITE, f"www.{SITE}"]
    assert names_in(stage.leaf()) == set(names)


def test_no_route_is_left_after_skipping(stage: Stage) -> None:
    """If all routes are skipped, no order is made, and each attempt has its reason."""
    with socket.create_server(("127.0.0.1", 0)) as taken, stage.lab.acme_proxy() as proxy:
        port = taken.getsockname()[1]
        routes = [http(port), dns("home", follow_cname=True)]
        changes = {**site(stage), **through(proxy), "certificate.0.routes": routes, "dns.home.zones": ["example.test"]}
        outcome = stage.one(changes)
    assert outcome.status == "failed"
    assert attempt_rows(outcome) == [
        ("lab", "http-01", (), 0, "http-port-taken"),
        ("lab", "dns-01", ("home",), 0, "dns-no-account"),
    ]
    assert error_of(outcome).code == "dns-no-account"
    assert proxy.counts["newOrder"] == 0
