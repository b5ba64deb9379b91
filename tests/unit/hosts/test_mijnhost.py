"""mijn.host: a zone that is written as a whole loses nothing."""

from __future__ import annotations

from tests.kit.host_work import Work
from tests.kit.hosts.mijnhost import MijnHost
from tests.kit.hosts.stand_in import FOREIGN, record


def test_a_field_that_the_api_would_not_take() -> None:
    """A record with a setting that cannot be written back stops the change, and the error names it."""
    with MijnHost() as host:
        host.more = {"priority": 10, "note": ""}
        error = Work(host).failure(Work(host).add, [record("one")])
        assert (error.code, error.evidence["lost"]) == ("provider-rewrite-unsafe", ["priority"])
        assert host.look(FOREIGN[0]) == {FOREIGN[1]}


def test_an_empty_zone_is_not_written() -> None:
    """A zone that seems to have no record at all is not replaced."""
    with MijnHost() as host:
        host.faults = dict.fromkeys((1, 2), lambda _: MijnHost.success(records=[]))
        assert Work(host).failure(Work(host).add, [record("one")]).code == "provider-rewrite-unsafe"
        assert {asked.method for asked in host.asked} == {"GET"}


def test_a_change_since_the_first_look_is_kept() -> None:
    """The zone is read again right before it is written."""
    with MijnHost() as host:
        first = host.answer
        host.faults = {1: lambda asked: (first(asked), host.put(FOREIGN[0], "since then"))[0]}
        Work(host).add([record("one")])
        assert host.look(FOREIGN[0]) == {FOREIGN[1], "since then", "one"}
        assert [item["type"] for item in host.others] == ["A"]
