"""Whole runs with a stand-in for DuckDNS, which holds one value for a domain and all names below it."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.store import FolderStore
from tests.kit.duckdns import PROVIDERS, DuckDns, DuckDnsZone, add_zone
from tests.kit.renew_stage import Stage, error_of, names_in
from tests.lab import Lab
from tests.lab.workspace import Workspace


@pytest.fixture
def duck(lab: Lab) -> Iterator[DuckDns]:
    """DuckDNS with the domains home and spare, in the lab's Internet."""
    add_zone(lab)
    with DuckDns(secrets.token_hex(16), "home", "spare") as server, DuckDnsZone(lab, server):
        yield server


@pytest.fixture
def stage(workspace: Workspace, duck: DuckDns) -> Stage:
    """A workspace with our provider file, which points to the stand-in; a user's file is found first."""
    shipped = (PROVIDERS / "duckdns.toml").read_text()
    folder = workspace.path / "providers"
    folder.mkdir()
    (folder / "duckdns.toml").write_text(f'{shipped}\n[driver_options]\napi = "{duck.url}"\n')
    workspace.canaries.append(duck.token)
    return Stage(
        workspace,
        {"dns": {"duck": {"provider": "duckdns", "token": duck.token}}, "dns.home.tsig_secret": None, "dns.home": None},
    )


def certificate(*domains: str, name: str = "home") -> dict[str, Any]:
    """A `[[certificate]]`."""
    return {"name": name, "domains": [f"{domain}.duckdns.org" for domain in domains]}


def requests_made(duck: DuckDns) -> list[str]:
    """The requests to DuckDNS, in order: `set` or `clear`."""
    return ["clear" if request.get("clear") == "true" else "set" for request in duck.requests]


def test_apex_and_wildcard_are_done_one_after_the_other_in_one_order(stage: Stage, duck: DuckDns) -> None:
    """The first value is validated and cleared before the second is set; there is one certificate."""
    outcome = stage.renewed({"certificate": [certificate("home", "*.home")]})
    assert names_in(stage.leaf()) == {"home.duckdns.org", "*.home.duckdns.org"}
    assert requests_made(duck) == ["set", "clear", "set", "clear"]
    assert [attempt.orders for attempt in outcome.attempts] == [1]
    kinds = [kind for kind in stage.kinds() if kind in {"txt-writing", "authorizations-valid", "txt-removed"}]
    assert kinds[:3] == ["txt-writing", "authorizations-valid", "txt-removed"]
    assert kinds.count("txt-writing") == 2
    assert {(zone, name) for _, zone, name in stage.written()} == {
        ("home.duckdns.org.", "_acme-challenge.home.duckdns.org.")
    }
    assert duck.values["home"] == ""


def test_names_below_one_domain_wait_for_each_other(stage: Stage, duck: DuckDns) -> None:
    """The domain has one value, so names below it are validated one after the other."""
    stage.renewed({"certificate": [certificate("home", "a.home", "b.a.home")]})
    assert requests_made(duck) == ["set", "clear"] * 3
    assert {request["domains"] for request in duck.requests} == {"home"}


def test_two_domains_are_done_at_once(stage: Stage, duck: DuckDns) -> None:
    """Two domains have a value each: both are set before one is cleared."""
    stage.renewed({"certificate": [certificate("home", "spare")]})
    assert requests_made(duck) == ["set", "set", "clear", "clear"]


def test_two_certificates_of_one_domain_are_never_done_at_once(stage: Stage, duck: DuckDns) -> None:
    """With eight workers, three certificates of one domain take turns."""
    tables = [certificate("home", "*.home", name="a"), certificate("x.home", name="b"), certificate("y.home", name="c")]
    outcomes = stage.run({"certificate": tables})
    assert [outcome.status for outcome in outcomes] == ["renewed"] * 3, [outcome.error for outcome in outcomes]
    assert requests_made(duck) == ["set", "clear"] * 4


def test_two_processes_take_turns_at_one_domain(stage: Stage, duck: DuckDns) -> None:
    """With --wait the second process waits for the first, and both succeed."""
    tables = [certificate("home", "*.home", name="a"), certificate("x.home", "y.home", name="b")]
    account = {"provider": "duckdns", "token": "env:DUCK_TOKEN"}
    workspace = stage.workspace
    workspace.write({"certificate": tables, "dns": {"duck": account}, "dns.home.tsig_secret": None, "dns.home": None})
    workspace.env["DUCK_TOKEN"] = duck.token
    runs = [workspace.start("renew", name, "--json", "--wait", "60") for name in ("a", "b")]
    said = [run.communicate(timeout=60) for run in runs]
    workspace.captured += [text for pair in said for text in pair]
    assert [run.returncode for run in runs] == [0, 0], said
    assert requests_made(duck) == ["set", "clear"] * 4


def test_a_foreign_value_is_replaced_and_the_domain_cleared(stage: Stage, duck: DuckDns) -> None:
    """The host holds only one value, as its page says; ours is cleared."""
    duck.values["home"] = "foreign"
    stage.renewed({"certificate": [certificate("home")]})
    assert duck.values["home"] == ""


def test_a_failure_in_the_second_turn_clears_the_value(stage: Stage, duck: DuckDns) -> None:
    """The host answers KO to the second value: its error is raised, and no value is left."""
    answer = duck.update

    def second_fails(path: str) -> str:
        fails = "clear" not in path and "set" in requests_made(duck)
        return "KO" if fails else answer(path)

    duck.update = second_fails  # type: ignore[method-assign]
    error = stage.failed({"certificate": [certificate("home", "*.home")]})
    assert error.code == "provider-unauthorized"
    assert duck.values["home"] == ""


def test_the_shipped_file_is_used_without_a_file_of_the_user_s(stage: Stage) -> None:
    """Without the user's file, the address is DuckDNS's own."""
    folder = stage.workspace.path / "providers"
    assert stage.config({"certificate": [certificate("home")]}).providers["duckdns"].driver_options
    shutil.rmtree(folder)
    assert not stage.config({"certificate": [certificate("home")]}).providers["duckdns"].driver_options


def test_another_run_that_has_the_zone(stage: Stage) -> None:
    """If another run has the zone, the outcome is `locked` with its process. No order is made, no failure stored."""
    with FolderStore(stage.workspace.store).lock_zone("home.duckdns.org.", context=Context()):
        outcome = stage.one({"certificate": [certificate("home")]})
    assert outcome.status == "locked"
    assert (error_of(outcome).code, error_of(outcome).evidence["pid"]) == ("locked", os.getpid())
    assert [attempt.orders for attempt in outcome.attempts] == [0]
    assert "order-created" not in stage.kinds()
    assert stage.renewer({"certificate": [certificate("home")]}).status()[0].last_failure is None
