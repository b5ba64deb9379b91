"""Spaceship: values in lists of 500, and nothing forced."""

from __future__ import annotations

import json

from tests.kit.host_work import Work
from tests.kit.hosts.spaceship import Spaceship
from tests.kit.hosts.stand_in import record, records


def test_more_than_a_request_holds() -> None:
    """600 values take two requests to write and two to remove."""
    with Spaceship() as host:
        Work(host).add(records(600))
        sizes = [len(json.loads(asked.body)["items"]) for asked in host.asked if asked.method == "PUT"]
        assert sizes == [500, 100]
        Work(host).remove(records(600))
        assert [len(json.loads(asked.body)) for asked in host.asked if asked.method == "DELETE"] == [500, 100]
        assert len(host.values) == 2


def test_nothing_is_forced() -> None:
    """A conflicting record is never replaced, because `force` is not set."""
    with Spaceship() as host:
        Work(host).add([record("one"), record("one")])
        (put,) = [json.loads(asked.body) for asked in host.asked if asked.method == "PUT"]
        assert put["force"] is False
        assert [item["value"] for item in put["items"]] == ["one"]


def test_nothing_is_sent_for_what_is_done() -> None:
    """Values that exist are not written again. Absent values are not removed."""
    with Spaceship() as host:
        Work(host).add([record("one")])
        Work(host).add([record("one")])
        Work(host).remove([record("two")])
        assert [asked.method for asked in host.asked] == ["GET", "PUT", "GET", "GET"]
