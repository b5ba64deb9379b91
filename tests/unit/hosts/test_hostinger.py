"""Hostinger: several names in a request, and what is not ours."""

from __future__ import annotations

import json

from tests.kit.host_work import Work, requests_of
from tests.kit.hosts.hostinger import Hostinger
from tests.kit.hosts.stand_in import FOREIGN, record, records


def test_a_record_set_stays_as_it_is() -> None:
    """A name that has values keeps their TTL, and a disabled one stays disabled."""
    with Hostinger() as host:
        host.disabled.add(FOREIGN[1])
        Work(host).add([record("one"), record("two")])
        (item,) = json.loads(host.asked[-1].body)["zone"]
        assert item["ttl"] == 14400
        assert [each.get("is_disabled", False) for each in item["records"]] == [True, False, False]


def test_what_is_emptied_and_what_is_not() -> None:
    """Names that keep a value are written with one request, the others deleted with another."""
    with Hostinger() as host:
        Work(host).add([record("one"), *records(3)])
        assert requests_of(host, Work(host).remove, [record("one"), *records(3)]) == 3
        assert host.look(FOREIGN[0]) == {FOREIGN[1]}
        assert len(host.values) == 2


def test_nothing_to_do_changes_nothing() -> None:
    """Values that are there already, or gone, take no request that writes."""
    with Hostinger() as host:
        Work(host).add([record("one")])
        assert requests_of(host, Work(host).add, [record("one")]) == 1
        assert requests_of(host, Work(host).remove, [record("two")]) == 1
