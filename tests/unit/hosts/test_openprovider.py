"""Openprovider: one log-in in a run, and records that are removed as the zone has them."""

from __future__ import annotations

import json

from tests.kit.host_work import Work
from tests.kit.hosts.openprovider import Openprovider
from tests.kit.hosts.stand_in import ZONE, record


def test_one_log_in_for_a_run() -> None:
    """The token is kept for the run: every later call of its account starts without a log-in."""
    with Openprovider() as host:
        work = Work(host)
        work.add([record("one")])
        work.remove([record("one")])
        work.add([record("two")])
        assert [asked.path for asked in host.asked].count("/auth/login") == 1


def test_names_are_relative_in_changes() -> None:
    """A change names a record relative to the zone, the zone itself by nothing, and its value in quotes."""
    with Openprovider() as host:
        Work(host).add([record("one"), record("top", f"{ZONE}.")])
        (added,) = [json.loads(asked.body)["records"]["add"] for asked in host.asked if asked.method == "PUT"]
        named = {(item["name"], item["value"]) for item in added}
        assert named == {("_acme-challenge", '"one"'), ("", '"top"')}


def test_an_empty_list_may_be_left_out() -> None:
    """A zone without records has a total of 0 and no list: nothing is removed, and values can be written."""
    with Openprovider() as host:
        host.faults = {2: lambda _: Openprovider.success(total=0)}
        Work(host).add([record("one")])
        assert "one" in host.look("_acme-challenge.example.com")
