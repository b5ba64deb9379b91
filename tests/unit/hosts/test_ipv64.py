"""IPv64.net: the domain of a record, refusals in the body, and few requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.host_work import Work
from tests.kit.hosts.ipv64 import Ipv64
from tests.kit.hosts.stand_in import FOREIGN, record


@pytest.fixture
def host() -> Iterator[Ipv64]:
    """Run the stand-in for IPv64.net."""
    with Ipv64() as stand_in:
        yield stand_in


def test_the_domain_of_a_record_is_found_by_its_name(host: Ipv64) -> None:
    """The zone in DNS can be one above the domain of the account: `ipv64.net` for `me.ipv64.net`."""
    host.zones = ["com", "other.example"]
    host.zones.append("me.example.com")
    Work(host).add([record("one", "_acme-challenge.www.me.example.com.")])
    assert host.look("_acme-challenge.www.me.example.com") == {"one"}


def test_an_account_without_domains(host: Ipv64) -> None:
    """It has an empty list in place of an object: the zone is unknown, and removing succeeds."""
    host.zones = []
    assert Work(host).failure(Work(host).add, [record("one")]).code == "provider-zone-unknown"
    Work(host).remove([record("one")])


def test_a_record_that_was_deleted_meanwhile(host: Ipv64) -> None:
    """The status 403 of a record that is gone is success, once the list shows that it is gone."""
    work = Work(host)
    work.add([record("one")])
    host.values = {key: entry for key, entry in host.values.items() if entry[1] != "one"}
    work.remove([record("one")])
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}


def test_the_limit_in_the_body_of_an_answer(host: Ipv64) -> None:
    """The limit of requests can come with the status 200, and counts by the status in the body."""
    limit = {"info": "error", "status": "429 Too Many Requests", "add_record": "limit"}
    host.faults = dict.fromkeys(range(100), lambda _: (200, limit))
    assert Work(host).failure(Work(host).add, [record("one")]).code == "provider-rate-limited"


def test_three_requests_for_two_values(host: Ipv64) -> None:
    """The list of domains is read once, and no more when what was written is removed."""
    work = Work(host)
    work.add([record("one"), record("two")])
    work.remove([record("one"), record("two")])
    assert [asked.method for asked in host.asked] == ["GET", "POST", "POST", "DELETE", "DELETE"]
