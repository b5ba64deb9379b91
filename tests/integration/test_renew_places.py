"""Where TXT values are written, in whole runs: zones, accounts and CNAME records."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.renew_stage import Stage, error_of, names_in, orders, until
from tests.lab import SECONDARY
from tests.lab.workspace import Workspace, forget_account


@pytest.fixture
def stage(workspace: Workspace) -> Stage:
    """A workspace with two accounts: `home` writes example.test, `other` writes other.test, each with its own key."""
    made = Stage(workspace)
    made.base["dns.other"] = made.other_account()
    return made


def domains(*names: str, **more: Any) -> dict[str, Any]:
    """Return the change to one certificate for these names."""
    return {"certificate": [{"name": "home", "domains": list(names), **more}]}


def test_names_in_two_zones_are_written_by_two_accounts(stage: Stage) -> None:
    """In one order, each value is written by the account of its zone."""
    outcome = stage.renewed(domains("example.test", "www.other.test"))
    assert outcome.route is not None
    assert outcome.route.dns == ("home", "other")
    assert sorted(stage.written()) == [
        ("home", "example.test.", "_acme-challenge.example.test."),
        ("other", "other.test.", "_acme-challenge.www.other.test."),
    ]


def test_the_account_with_the_longest_fitting_zone_writes(stage: Stage) -> None:
    """The order in the file does not matter; the stated zone is the one that is written."""
    stage.lab.add_zone("sub.other.test", key=stage.lab.other_key)
    changes = {"dns.home.zones": ["example.test", "test"], "dns.other.zones": ["other.test", "sub.other.test"]}
    stage.renewed({**changes, **domains("a.sub.other.test", "b.other.test")})
    assert sorted(stage.written()) == [
        ("other", "other.test.", "_acme-challenge.b.other.test."),
        ("other", "sub.other.test.", "_acme-challenge.a.sub.other.test."),
    ]


def test_the_account_without_zones_takes_the_rest(stage: Stage) -> None:
    """An account without `zones` gets the names that no other account has. Its zone is found by SOA."""
    stage.lab.add_zone("rest.test")
    stage.renewed({"dns.home.zones": None, **domains("deep.er.rest.test", "www.other.test")})
    assert sorted(stage.written()) == [
        ("home", "rest.test.", "_acme-challenge.deep.er.rest.test."),
        ("other", "other.test.", "_acme-challenge.www.other.test."),
    ]


def test_a_route_may_name_its_account(stage: Stage) -> None:
    """If a route names its account, no other account is used, though its zone fits too."""
    changes = {"dns.twin": {**stage.lab.account(stage.lab.key, "example.test"), "tsig_secret": stage.lab.key.secret}}
    route = {"challenge": "dns-01", "dns": "twin"}
    outcome = stage.renewed({**changes, **domains("example.test", routes=[route])})
    assert outcome.route is not None
    assert outcome.route.dns == ("twin",)
    assert {account for account, _, _ in stage.written()} == {"twin"}


def test_a_cname_is_followed_into_another_zone_and_another_account(stage: Stage) -> None:
    """A CNAME is followed into another zone, so that no account needs to write the zone of the names."""
    stage.lab.add_zone("asks.test", "_acme-challenge CNAME asks.other.test.\n", refuse=True)
    outcome = stage.renewed(domains("asks.test", "*.asks.test"))
    assert names_in(stage.leaf()) == {"asks.test", "*.asks.test"}
    assert outcome.route is not None
    assert outcome.route.dns == ("other",)
    assert set(stage.written()) == {("other", "other.test.", "asks.other.test.")}


def test_an_alias_is_taken_at_its_word(stage: Stage) -> None:
    """With `alias` the value is written at the alias, and the CA follows the real CNAME."""
    stage.lab.add_zone("alias.test", "_acme-challenge CNAME stated.other.test.\n", refuse=True)
    route = {"challenge": "dns-01", "alias": "stated.other.test"}
    stage.renewed(domains("alias.test", routes=[route]))
    assert stage.written() == [("other", "other.test.", "stated.other.test.")]


def test_follow_cname_false_writes_at_the_name_itself(stage: Stage) -> None:
    """With `follow_cname = false` the value is written at the name itself, although it has a CNAME."""
    stage.lab.add_zone("stays.test", "_acme-challenge CNAME away.other.test.\n")
    route = {"challenge": "dns-01", "follow_cname": False}
    changes = {"dns.home.zones": ["stays.test"], **domains("stays.test", routes=[route])}
    outcome = stage.one({**changes, "certificate.0.propagation": {"timeout": 1}})
    assert stage.written() == [("home", "stays.test.", "_acme-challenge.stays.test.")]
    assert outcome.status == "failed"  # BIND keeps its CNAME and drops the TXT, unlike those hosts
    assert error_of(outcome).code == "propagation-timeout"


def test_a_wildcard_cname_is_no_delegation(stage: Stage) -> None:
    """A wildcard CNAME is not followed. The value is written at the name, and the CA sees it."""
    stage.lab.add_zone("wild.test", "* CNAME www.other.test.\n")
    stage.renewed({"dns.home.zones": ["wild.test"], **domains("wild.test", "*.wild.test")})
    assert set(stage.written()) == {("home", "wild.test.", "_acme-challenge.wild.test.")}


def test_a_name_that_no_account_may_write_is_refused_before_an_order(stage: Stage) -> None:
    """If a CNAME leads into a zone that no account has, the error has the name and the zones, before an order."""
    stage.lab.add_zone("strangers.test")
    stage.lab.add_zone("astray.test", "_acme-challenge CNAME astray.strangers.test.\n")
    changes = {"dns.home.zones": ["example.test", "astray.test"], **domains("astray.test")}
    outcome, made = orders(stage, changes)
    assert error_of(outcome).code == "dns-no-account"
    assert "astray.strangers.test" in error_of(outcome).message
    assert (made, stage.written()) == (0, [])


def test_a_name_that_lives_by_a_wildcard_is_warned_of(stage: Stage) -> None:
    """For a name that exists by a wildcard, a warning says that it vanished from DNS meanwhile."""
    stage.lab.add_zone("shadow.test", "* A 192.0.2.7\nreal A 192.0.2.8\n")
    changes = {"dns.home.zones": ["shadow.test"], **domains("www.shadow.test", "real.shadow.test")}
    outcome = stage.renewed(changes)
    assert [warning.code for warning in outcome.warnings] == ["wildcard-shadow"]
    assert "www.shadow.test" in outcome.warnings[0].message
    assert "real.shadow.test" not in outcome.warnings[0].message
    assert [data["code"] for data in stage.event_data("warning")] == ["wildcard-shadow"]


def test_a_zone_that_moved_since_the_last_run_is_found_again(stage: Stage) -> None:
    """Zones are looked up in every run: a new sub-zone is written in its own zone."""
    stage.lab.add_zone("parent.test")
    changes = {"dns.home.zones": None, **domains("www.child.parent.test")}
    stage.renewed(changes)
    assert stage.written()[0][1] == "parent.test."
    stage.lab.update("parent.test", add=[("child", "NS", "ns1.parent.test.")])
    stage.lab.add_zone("child.parent.test")
    until(lambda: bool(stage.lab.ask("child.parent.test", "NS", SECONDARY).answer))
    forget_account(stage.workspace.store)
    stage.renewed(changes, force=True)
    assert stage.written()[0][1] == "child.parent.test."
