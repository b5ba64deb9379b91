"""IONOS: one request creates all records, and values come back in quotes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.kit.api_server import Answer, Asked
from tests.kit.host_work import Work, always, requests_of
from tests.kit.hosts.ionos import Ionos
from tests.kit.hosts.stand_in import FOREIGN, record, records


@pytest.fixture
def host() -> Iterator[Ionos]:
    """Run the stand-in for IONOS."""
    with Ionos() as stand_in:
        yield stand_in


def test_values_are_written_together(host: Ionos) -> None:
    """Twenty names take three requests to write, and one for each to remove in the same run."""
    work, wanted = Work(host), records(20)
    assert requests_of(host, work.add, wanted) == 3
    assert requests_of(host, work.remove, wanted) == 20


def test_identifiers_are_matched_by_name_and_value(host: Ionos) -> None:
    """The right record is removed even if the answer has another order than the request."""
    work = Work(host)
    work.add([record("one"), record("two"), record("three")])
    assert requests_of(host, work.remove, [record("two")]) == 1
    assert host.look(FOREIGN[0]) == {"one", "three", FOREIGN[1]}


def test_an_answer_without_the_records(host: Ionos) -> None:
    """Records with unknown identifiers are looked up before they are removed."""

    def silent(asked: Asked) -> Answer:
        status, _ = host.answer(asked)
        return status, []

    host.faults = {2: silent}
    work = Work(host)
    work.add([record("one")])
    assert requests_of(host, work.remove, [record("one")]) == 2
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}


def test_the_minimum_ttl(host: Ionos) -> None:
    """A TTL below 60 seconds, which the API refuses, becomes 60."""
    Work(host).add([record("one", ttl=5)])
    assert json.loads(host.asked[-1].body)[0]["ttl"] == 60


def test_a_value_twice_in_a_call(host: Ionos) -> None:
    """A value that occurs twice in a call is written once."""
    Work(host).add([record("one"), record("one")])
    assert [value for _, value in host.values.values()].count("one") == 1


def test_a_refusal_has_the_message_of_the_host(host: Ionos) -> None:
    """The error has the message from the host's list of errors."""
    host.faults = {2: always(400, [{"code": "INVALID_RECORD", "message": "Record is invalid.", "parameters": {}}])}
    work = Work(host)
    error = work.failure(work.add, [record("one")])
    assert error.code == "provider-refused"
    assert "Record is invalid" in str(error)
