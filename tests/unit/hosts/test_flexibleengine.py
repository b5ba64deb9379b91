"""Flexible Engine: record sets keep their other properties."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.host_work import Work
from tests.kit.hosts.flexibleengine import FlexibleEngine
from tests.kit.hosts.stand_in import FOREIGN, ZONE, record, records


@pytest.fixture
def host() -> Iterator[FlexibleEngine]:
    """Run the stand-in for Flexible Engine."""
    with FlexibleEngine() as stand_in:
        yield stand_in


def test_a_record_set_keeps_its_ttl_and_description(host: FlexibleEngine) -> None:
    """Only the values of an existing record set change. A new one gets the TTL of the record."""
    host.ttls, host.notes = {FOREIGN[0]: 7200}, {FOREIGN[0]: "keep me"}
    work = Work(host)
    work.add([record("one"), record("two"), *records(1)])
    assert host.look(FOREIGN[0]) == {"one", "two", FOREIGN[1]}
    assert host.ttls == {FOREIGN[0]: 7200, records(1)[0].name.removesuffix("."): 60}
    work.remove([record("one"), record("two")])
    assert (host.ttls[FOREIGN[0]], host.notes) == (7200, {FOREIGN[0]: "keep me"})


def test_values_of_one_name_are_one_change(host: FlexibleEngine) -> None:
    """Several values are written and removed together. An unchanged record set is not written."""
    work, both = Work(host), [record("one"), record("two"), record("one")]
    work.add(both)
    work.add(both)
    work.remove(both)
    work.remove(both)
    written = [asked.method for asked in host.asked if asked.method != "GET"]
    assert written == ["PUT", "PUT"]


def test_the_zone_is_found_by_its_whole_name(host: FlexibleEngine) -> None:
    """Other zones whose name contains it are ignored.

    The zone is looked up once in a run, or not at all with `zone_id`.
    """
    work = Work(host)
    work.add(records(1))
    work.remove(records(1))
    assert [asked.path.split("?")[0] for asked in host.asked].count("/zones") == 1
    zone = host.asked[1].path.split("/")[2]
    given = Work(host, host.account(zone_id=zone))
    before = len(host.asked)
    given.add(records(1))
    assert [asked.method for asked in host.asked[before:]] == ["GET", "POST"]


def test_a_zone_id_of_another_zone(host: FlexibleEngine) -> None:
    """A `zone_id` that this account does not have is an unknown zone."""
    error = Work(host).failure(Work(host, host.account(zone_id="0" * 32)).add, [record("one")])
    assert error.code == "provider-zone-unknown"


def test_a_record_set_that_is_being_deleted(host: FlexibleEngine) -> None:
    """A listed record set that is being deleted is ignored, and a new one is created."""
    host.going = {f"_acme-challenge.n0.{ZONE}"}
    Work(host).add(records(1))
    assert host.look(records(1)[0].name) == {"value-0"}
    assert host.asked[-1].method == "POST"


def test_the_link_to_the_next_page_is_not_followed(host: FlexibleEngine) -> None:
    """Only the marker of the link to the next page is used, because the link could send the token to another host."""
    host.fill(1200)
    Work(host).add([record("one"), *records(1)])
    pages = [asked.path for asked in host.asked if "marker=" in asked.path]
    assert len(pages) == 2
    assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}


def test_a_record_set_in_capital_letters(host: FlexibleEngine) -> None:
    """A record set is found regardless of the letter case of its name."""
    Work(host).add([record("one", f"_ACME-Challenge.{ZONE}.")])
    assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}
