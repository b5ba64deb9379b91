"""Whole runs with a DNS host that is used through lexicon: a real PowerDNS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dnsrenew.base.subprocesses import RUNNING
from tests.kit.renew_stage import Stage, names_in
from tests.lab import Lab, PowerDns
from tests.lab.workspace import Workspace

ZONE = "pdns.test"


@pytest.fixture
def powerdns(lab: Lab) -> Iterator[PowerDns]:
    """A PowerDNS with the zone pdns.test, in the lab's Internet, with a foreign value."""
    with lab.powerdns() as server:
        server.add_zone(ZONE, (server.address,), ((f"_acme-challenge.{ZONE}.", "TXT", '"foreign"'),))
        lab.resolver.set_stubs({ZONE: (server.address,)})
        yield server


def values(server: PowerDns) -> set[str]:
    """Return all TXT values of the zone."""
    zone = server.api("GET", f"/zones/{ZONE}.")
    sets: list[dict[str, Any]] = [rrset for rrset in zone["rrsets"] if rrset["type"] == "TXT"]
    return {record["content"] for rrset in sets for record in rrset["records"]}


@pytest.fixture
def stage(workspace: Workspace, powerdns: PowerDns) -> Stage:
    """A workspace whose account `home` is at PowerDNS."""
    workspace.canaries.append(powerdns.api_key)
    account = {"provider": "powerdns", "pdns_server": powerdns.api_url, "auth_token": powerdns.api_key}
    return Stage(workspace, {"dns.home.tsig_secret": None, "dns": {"home": account}})


def test_apex_wildcard_and_a_host_in_one_order(stage: Stage, powerdns: PowerDns) -> None:
    """The zone is found by SOA, both values are beside the foreign one, and only ours are removed."""
    seen: set[str] = set()
    stage.on_kind["txt-written"] = lambda: seen.update(values(powerdns))
    names = [ZONE, f"*.{ZONE}", f"www.{ZONE}"]
    outcome = stage.renewed({"certificate": [{"name": "home", "domains": names}]})
    assert names_in(stage.leaf()) == set(names)
    assert outcome.route is not None
    assert outcome.route.dns == ("home",)
    assert len(seen) == 4
    assert values(powerdns) == {'"foreign"'}


def test_two_hosts_in_one_order(stage: Stage, powerdns: PowerDns) -> None:
    """One order writes one name at BIND by RFC 2136, and the other at PowerDNS by its API."""
    bind = {**stage.lab.account(stage.lab.key, "example.test"), "tsig_secret": stage.lab.key.secret}
    names = [ZONE, "example.test"]
    before, started = set(RUNNING._processes), []
    stage.on_kind["order-created"] = lambda: started.append(len(RUNNING._processes - before))
    outcome = stage.renewed({"dns.bind": bind, "certificate": [{"name": "home", "domains": names}]})
    assert outcome.route is not None
    assert set(outcome.route.dns) == {"home", "bind"}
    assert started == [1]  # the process of lexicon, before the order
    assert values(powerdns) == {'"foreign"'}


def test_the_values_are_withdrawn_after_a_failure(stage: Stage, powerdns: PowerDns) -> None:
    """If the other host refuses, the values at PowerDNS are removed."""
    stage.lab.add_zone("closed.test", refuse=True)
    bind = {**stage.lab.account(stage.lab.key, "closed.test"), "tsig_secret": stage.lab.key.secret}
    names = [ZONE, "closed.test"]
    error = stage.failed({"dns.bind": bind, "certificate": [{"name": "home", "domains": names}]})
    assert error.code.startswith("provider-")
    assert values(powerdns) == {'"foreign"'}


@pytest.mark.parametrize("kind", ["certificate-started", "txt-written"])
def test_the_process_of_lexicon_lives_as_long_as_the_run(stage: Stage, kind: str) -> None:
    """The process of lexicon runs when the certificate is started, and has ended after the run."""
    before, found = set(RUNNING._processes), []
    stage.on_kind[kind] = lambda: found.append(len(RUNNING._processes - before))
    stage.renewed({"certificate": [{"name": "home", "domains": [ZONE]}]})
    assert found == [1]
    assert not RUNNING._processes - before
