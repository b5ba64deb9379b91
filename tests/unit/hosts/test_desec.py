"""deSEC: the least TTL of a domain, TTLs of record sets, and limits."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from dnsrenew.drivers import host_api
from tests.kit.api_server import Answer, Asked
from tests.kit.host_work import FAULTS, Work, always, requests_of
from tests.kit.hosts.desec import Desec
from tests.kit.hosts.stand_in import FOREIGN, record, records


@pytest.fixture
def host() -> Iterator[Desec]:
    """Run the stand-in for deSEC."""
    with Desec() as stand_in:
        yield stand_in


def test_requests(host: Desec) -> None:
    """Twenty values are written in three requests, more in two, and removed in two."""
    work = Work(host)
    assert requests_of(host, work.add, records(20)) == 3
    assert requests_of(host, work.add, [record("more", "_acme-challenge.more.example.com.")]) == 2
    assert requests_of(host, work.add, records(20)) == 1
    assert requests_of(host, work.remove, records(20)) == 2


@pytest.mark.parametrize(("minimum", "ttl", "written"), [(3600, 60, 3600), (60, 120, 120), (3600, 7200, 7200)])
def test_the_minimum_ttl_of_the_domain(host: Desec, minimum: int, ttl: int, written: int) -> None:
    """A shorter TTL is raised to the minimum of the domain. A longer one stays."""
    host.minimum_ttl = minimum
    Work(host).add([record("one", "_acme-challenge.new.example.com.", ttl=ttl)])
    assert host.ttls["_acme-challenge.new.example.com"] == written


def test_a_record_set_keeps_its_ttl(host: Desec) -> None:
    """Existing values keep their TTL, before and after."""
    host.ttls[FOREIGN[0]] = 86400
    work = Work(host)
    work.add([record("one")])
    work.remove([record("one")])
    assert host.ttls[FOREIGN[0]] == 86400
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}


def test_a_token_that_may_not_write(host: Desec) -> None:
    """A token whose policies forbid the change is `provider-unauthorized`."""
    host.may_write = False
    assert Work(host).failure(Work(host).add, [record("one")]).code == "provider-unauthorized"


def test_a_limit_at_the_write(host: Desec) -> None:
    """A throttled write is sent again after the time given in Retry-After."""
    host.headers["Retry-After"] = "41"
    throttled = {"detail": "Request was throttled. Expected available in 41 seconds."}
    host.faults = {2: always(429, throttled)}
    work = Work(host)
    work.add(records(2))
    assert host.look(records(1)[0].name) == {"value-0"}
    assert 41 <= work.context.clock.monotonic() < 42


def test_a_day_s_limit_ends_the_call(host: Desec) -> None:
    """The call fails at once if the wait is hours long. The evidence has the wait."""
    host.headers["Retry-After"] = "36000"
    host.faults = dict.fromkeys(range(100), FAULTS["429"][0])
    error = Work(host).failure(Work(host).add, [record("one")])
    assert error.code == "provider-rate-limited"
    assert error.evidence["retry_after"] == 36000


def test_a_value_twice_in_a_call_is_written_once(host: Desec) -> None:
    """The same record twice is one. A value that the set has already is not sent again."""
    Work(host).add([record("one"), record("one")])
    sent = json.loads(host.asked[-1].body)
    assert sorted(sent[0]["records"]) == ['"one"', f'"{FOREIGN[1]}"']


def test_an_endless_list(host: Desec, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless list of pages is `provider-malformed-answer`."""
    monkeypatch.setattr(host_api, "MAX_PAGES", 3)

    def another_page(_: Asked) -> Answer:
        host.headers["Link"] = '<https://desec.io/?cursor=again>; rel="next"'
        return 200, []

    host.faults = dict.fromkeys(range(100), another_page)
    assert Work(host).failure(Work(host).add, [record("one")]).code == "provider-malformed-answer"
    assert len(host.asked) == 3
