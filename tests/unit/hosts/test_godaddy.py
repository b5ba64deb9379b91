"""GoDaddy: adding reads nothing, and other values of a name are written back unchanged or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.host_work import Work, always
from tests.kit.hosts.godaddy import GoDaddy
from tests.kit.hosts.stand_in import FOREIGN, ZONE, record, records


@pytest.fixture
def host() -> Iterator[GoDaddy]:
    """Run the stand-in for GoDaddy."""
    with GoDaddy() as stand_in:
        yield stand_in


def test_adding_reads_nothing(host: GoDaddy) -> None:
    """All values of a zone are added in one request, without reading."""
    Work(host).add([record("one"), record("one"), *records(5)])
    assert [asked.method for asked in host.asked] == ["PATCH"]
    assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}


def test_values_that_exist_are_looked_up_after_a_refusal(host: GoDaddy) -> None:
    """After a refusal, only the missing values are sent again. If all exist, nothing is sent."""
    Work(host).add([record("one")])
    Work(host).add([record("one"), record("two")])
    assert [asked.method for asked in host.asked] == ["PATCH", "PATCH", "GET", "PATCH"]
    Work(host).add([record("two")])
    assert [asked.method for asked in host.asked][4:] == ["PATCH", "GET"]
    assert sorted(value for _, value in host.values.values()) == sorted(["one", "two", FOREIGN[1], "v=spf1 -all"])


def test_other_values_keep_every_field(host: GoDaddy) -> None:
    """After a removal the other values keep their TTL and all other fields."""
    host.put(FOREIGN[0], "second")
    host.more = {FOREIGN[1]: {"ttl": 7200, "weight": 5, "priority": 0}, "second": {"ttl": 3600}}
    before = dict(host.more)
    Work(host).add([record("one")])
    Work(host).remove([record("one")])
    assert host.look(FOREIGN[0]) == {FOREIGN[1], "second"}
    assert host.more == before


def test_the_last_value_of_a_name_is_deleted(host: GoDaddy) -> None:
    """The last value of a name is removed by deleting the name."""
    Work(host).add(records(1))
    Work(host).remove(records(1))
    assert [asked.method for asked in host.asked] == ["PATCH", "GET", "DELETE"]


def test_what_is_gone_is_not_removed(host: GoDaddy) -> None:
    """A name without the value is read and not written. A name that is deleted meanwhile causes no error."""
    Work(host).remove([record("one"), *records(1)])
    assert [asked.method for asked in host.asked] == ["GET", "GET"]
    Work(host).add(records(1))
    host.faults = {len(host.asked) + 1: lambda _: GoDaddy.error(404, "NOT_FOUND", "No records were found")}
    Work(host).remove(records(1))
    assert host.asked[-1].method == "DELETE"


def test_a_field_that_cannot_be_written_back(host: GoDaddy) -> None:
    """Nothing is removed, and the error names the field."""
    host.put(FOREIGN[0], "one")
    host.more = {FOREIGN[1]: {"comment": "keep me", "empty": None}}
    before = dict(host.values)
    error = Work(host).failure(Work(host).remove, [record("one")])
    assert error.code == "provider-rewrite-unsafe"
    assert error.evidence["lost"] == ["comment"]
    assert error.evidence["zone"] == ZONE
    assert host.values == before


def test_more_values_than_are_read(host: GoDaddy) -> None:
    """Nothing is removed, because values that were not read would be lost."""
    for number in range(600):
        host.put(FOREIGN[0], f"text {number}")
    before = dict(host.values)
    error = Work(host).failure(Work(host).remove, [record("text 7")])
    assert error.code == "provider-rewrite-unsafe"
    assert host.values == before


def test_another_name_in_the_answer(host: GoDaddy) -> None:
    """Records of another name or type in the answer are not written to this name."""
    host.put(FOREIGN[0], "one")
    before = dict(host.values)
    other = {"type": "TXT", "name": "www", "data": "one", "ttl": 600}
    for answer in ([other], [{**other, "name": "_acme-challenge", "type": "MX"}]):
        host.faults = {len(host.asked): always(200, answer)}
        assert Work(host).failure(Work(host).remove, [record("one")]).code == "provider-malformed-answer"
    assert host.values == before


def test_a_small_account(host: GoDaddy) -> None:
    """The 403 of an account without API access has its own message and fix."""
    body = {"code": "ACCESS_DENIED", "message": "Authenticated user is not allowed access"}
    host.faults = {0: always(403, body)}
    error = Work(host).failure(Work(host).add, [record("one")])
    assert error.code == "provider-unauthorized"
    assert error.evidence["status"] == 403
    assert "dnsrenew delegate NAME" in error.fix


@pytest.mark.parametrize(("header", "seconds"), [(None, 31), ("9", 9)])
def test_the_wait_of_a_rate_limit(host: GoDaddy, header: str | None, seconds: int) -> None:
    """The wait is taken from the Retry-After header, or else from GoDaddy's response body."""
    work = Work(host)
    if header is not None:
        host.headers["Retry-After"] = header
    host.faults = {0: always(429, {"code": "TOO_MANY_REQUESTS", "message": "Slow down", "retryAfterSec": 31})}
    work.add([record("one")])
    assert seconds <= work.context.clock.monotonic() < seconds + 1


def test_another_422(host: GoDaddy) -> None:
    """A 422 with another code is reported with its message. It does not count as an existing value."""
    host.faults = {0: always(422, {"code": "INVALID_BODY", "message": "Request body doesn't fulfill schema"})}
    error = Work(host).failure(Work(host).add, [record("one")])
    assert error.code == "provider-refused"
    assert "fulfill schema" in error.message
    assert len(host.asked) == 1
