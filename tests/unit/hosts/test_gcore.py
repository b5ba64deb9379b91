"""Gcore: record sets with settings of their owner."""

from __future__ import annotations

from tests.kit.host_work import Work
from tests.kit.hosts.gcore import Gcore
from tests.kit.hosts.stand_in import FOREIGN, record


def test_a_record_set_keeps_its_settings() -> None:
    """A name that has values keeps their TTL, their settings, and whether each of them is switched on."""
    with Gcore() as host:
        host.settings[FOREIGN[0]] = {"ttl": 1200, "meta": {"failover": {"port": 80}}, "pickers": [{"type": "geodns"}]}
        host.shown[FOREIGN[1]] = {"enabled": False, "meta": {"countries": ["DE"]}}
        before = dict(host.settings[FOREIGN[0]])
        Work(host).add([record("one")])
        Work(host).remove([record("one")])
        assert host.settings[FOREIGN[0]] == before
        assert host.shown[FOREIGN[1]] == {"enabled": False, "meta": {"countries": ["DE"]}}
        assert host.look(FOREIGN[0]) == {FOREIGN[1]}


def test_removing_from_an_unknown_zone() -> None:
    """Removing from a zone of another account is `provider-zone-unknown`, though no record is there."""
    with Gcore() as host:
        elsewhere = record("one", "_acme-challenge.example.org.", "example.org.")
        assert Work(host).failure(Work(host).remove, [elsewhere]).code == "provider-zone-unknown"
