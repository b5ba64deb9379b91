"""Fallback between DNS accounts, and a zone that is served by two hosts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from dns.flags import AA
from dns.message import Message, make_response

from tests.kit.fallback_stage import attempt_rows, dns, kinds_in_order
from tests.kit.renew_stage import Stage, error_of, through
from tests.lab import PRIMARY, PowerDns, Query
from tests.lab.workspace import Workspace

ZONE = "both.test"
OWNER = f"_acme-challenge.{ZONE}"


@pytest.fixture
def stage(workspace: Workspace) -> Stage:
    """The account `home` can write example.test; `other` cannot, though its zones say so."""
    made = Stage(workspace)
    made.base["dns.other"] = {**made.other_account(), "zones": ["example.test"]}
    return made


def test_the_first_account_is_refused(stage: Stage) -> None:
    """The second account writes in the same run, and both attempts are in the outcome."""
    with stage.lab.acme_proxy() as proxy:
        routes = {"certificate.0.routes": [dns("other"), dns("home")]}
        outcome = stage.renewed({**through(proxy), **routes})
    assert [each[1:4] for each in attempt_rows(outcome)] == [("dns-01", ("other",), 1), ("dns-01", ("home",), 1)]
    error = error_of(outcome.attempts[0])
    assert error.code.startswith("provider-")
    assert error.evidence["account"] == "other"
    assert "other" in error.message
    assert outcome.route is not None
    assert outcome.route.dns == ("home",)
    assert proxy.counts["newOrder"] == 2
    assert outcome.warnings == ()


def test_a_name_server_that_lags_costs_only_the_account_that_writes_its_zone(stage: Stage) -> None:
    """The account of the other zone is not blamed, so a third account replaces the right one."""
    lab = stage.lab
    lab.add_zone("good.test")
    lab.add_zone("lagging.test", ns=("127.0.0.1", "127.0.0.3"))
    account = {**lab.account(lab.key, "lagging.test"), "tsig_secret": lab.key.secret}
    changes = {
        "dns.home.zones": ["good.test"],
        "dns.b": account,
        "dns.c": account,
        "certificate.0.domains": ["good.test", "lagging.test"],
        "certificate.0.propagation": {"timeout": 1},
        "certificate.0.routes": [dns("home"), dns("b"), dns("c")],
    }

    def without_txt(query: Query) -> bytes | Message | None:
        if query.rdtype != "TXT" or "propagation-timeout" in failure_codes(stage):
            return query.forward()
        answer = make_response(query.message)
        answer.flags |= AA
        return answer

    with lab.forwarder("127.0.0.3", without_txt):
        outcome = stage.renewed(changes)
    assert [each[2:] for each in attempt_rows(outcome)] == [
        (("home",), 0, "dns-no-account"),
        (("home", "b"), 1, "propagation-timeout"),
        (("home", "c"), 1, None),
    ]
    error = error_of(outcome.attempts[1])
    assert error.evidence["identifiers"] == ["lagging.test"]
    assert error.evidence["accounts"] == ["b"]


def failure_codes(stage: Stage) -> list[str]:
    """Return the error codes of failed routes."""
    return [data["error"]["code"] for data in stage.event_data("route-failed")]


# ── one zone at two hosts ───────────────────────────────────────────────────────────────


@dataclass
class Both:
    """A zone at BIND and at PowerDNS; the CA may query either."""

    stage: Stage
    powerdns: PowerDns

    def at_powerdns(self) -> set[str]:
        """Return the TXT values at PowerDNS."""
        return self.stage.lab.txt(OWNER, self.powerdns.address)

    def at_bind(self) -> set[str]:
        """Return the TXT values at BIND."""
        return self.stage.lab.txt(OWNER)

    def changes(self, *routes: dict[str, Any]) -> dict[str, Any]:
        """Return a certificate for the zone, with these routes."""
        return {
            "certificate.0.domains": [ZONE, f"*.{ZONE}"],
            "certificate.0.routes": list(routes),
            "certificate.0.propagation": {"timeout": 2},
        }


@pytest.fixture
def both(stage: Stage) -> Iterator[Both]:
    """A zone at two hosts: `home` writes at BIND, `pdns` at PowerDNS."""
    lab = stage.lab
    with lab.powerdns() as server:
        servers = (PRIMARY, server.address)
        lab.add_zone(ZONE, ns=servers)
        server.add_zone(ZONE, servers, ((f"{OWNER}.", "TXT", '"foreign"'),))
        lab.resolver.set_stubs({ZONE: servers})
        stage.workspace.canaries.append(server.api_key)
        stage.base["dns.home.zones"] = [ZONE, "example.test"]
        stage.base["dns.pdns"] = {
            "provider": "powerdns",
            "pdns_server": server.api_url,
            "auth_token": server.api_key,
            "zones": [ZONE],
        }
        yield Both(stage, server)
        assert both_are_clean(lab.txt(OWNER), lab.txt(OWNER, server.address))


def both_are_clean(bind: set[str], powerdns: set[str]) -> bool:
    """Tell whether only the foreign value is left."""
    return bind == set() and powerdns == {"foreign"}


def test_both_hosts_are_written_and_waited_for_and_cleaned(both: Both) -> None:
    """With `dns = ["a", "b"]` each value is written at both hosts, in one order. The foreign value stays."""
    stage = both.stage
    seen: list[tuple[set[str], set[str]]] = []
    stage.on_kind["dns-visible"] = lambda: seen.append((both.at_bind(), both.at_powerdns()))
    outcome = stage.renewed(both.changes(dns("home", "pdns")))
    assert attempt_rows(outcome) == [("lab", "dns-01", ("home", "pdns"), 1, None)]
    ((bind, powerdns),) = seen
    assert len(bind) == 2
    assert powerdns == {"foreign", *bind}
    assert sorted(account for account, _, _ in stage.written()) == ["home", "home", "pdns", "pdns"]


def test_one_host_of_two_alone_is_not_enough(both: Both) -> None:
    """If only one of two hosts gets the value, the CA is not asked. The next route writes at both.

    The values of the first route are removed before the second one writes.
    """
    stage = both.stage
    with stage.lab.acme_proxy() as proxy:
        outcome = stage.renewed({**through(proxy), **both.changes(dns("home"), dns("home", "pdns"))})
        answers = proxy.counts["challenge"]
    assert attempt_rows(outcome) == [
        ("lab", "dns-01", ("home",), 1, "propagation-timeout"),
        ("lab", "dns-01", ("home", "pdns"), 1, None),
    ]
    assert answers == 2
    kinds = ("txt-written", "txt-removed", "route-failed")
    assert kinds_in_order(stage, *kinds) == ["txt-written", "txt-removed", "route-failed", "txt-written", "txt-removed"]


def test_one_host_of_two_refuses(both: Both) -> None:
    """If one host refuses, the values at the other host are removed, and the error names the account."""
    stage = both.stage
    changes = both.changes(dns("home", "pdns"))
    outcome = stage.one({**changes, "dns.pdns.auth_token": "canary-of-a-wrong-key"})
    stage.workspace.canaries.append("canary-of-a-wrong-key")
    assert outcome.status == "failed"
    assert error_of(outcome).code.startswith("provider-")
    assert error_of(outcome).evidence["account"] == "pdns"
