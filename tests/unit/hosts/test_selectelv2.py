"""Selectel: tokens, settings of record sets, and names in Unicode."""

from __future__ import annotations

from tests.kit.host_work import Work, requests_of
from tests.kit.hosts.selectelv2 import Selectel
from tests.kit.hosts.stand_in import FOREIGN, record


def test_a_record_set_keeps_its_settings() -> None:
    """A name that has values keeps their TTL, and a disabled one stays disabled."""
    with Selectel() as host:
        host.ttls[FOREIGN[0]] = 1200
        host.shown[FOREIGN[1]] = {"disabled": True}
        Work(host).add([record("one")])
        Work(host).remove([record("one")])
        assert (host.ttls[FOREIGN[0]], host.shown[FOREIGN[1]]) == (1200, {"disabled": True})


def test_a_run_has_one_token() -> None:
    """The password is sent once in a run."""
    with Selectel() as host:
        work = Work(host)
        work.add([record("one")])
        assert requests_of(host, work.remove, [record("one")]) == 2
        assert ["good-password" in asked.body for asked in host.asked].count(True) == 1


def test_a_zone_that_is_shown_in_unicode() -> None:
    """The zone of an internationalized domain is found, and its values."""
    with Selectel() as host:
        host.zone_name = "bücher.example"
        work, name = Work(host), "_acme-challenge.xn--bcher-kva.example."
        ours = record("one", name, "xn--bcher-kva.example.")
        host.put("_acme-challenge.example.com", "one")
        host.put("_acme-challenge.example.com", "two")
        work.add([ours])
        assert not any(asked.method in {"POST", "PATCH"} and "rrset" in asked.path for asked in host.asked)
        work.remove([ours])
        assert host.look(FOREIGN[0]) == {"two", FOREIGN[1]}
