"""RU-CENTER: commits."""

from __future__ import annotations

from tests.kit.host_work import Work, always
from tests.kit.hosts.nicru import NicRu
from tests.kit.hosts.stand_in import FOREIGN, record, records


def commits(host: NicRu) -> int:
    """Return the number of commits."""
    return sum(asked.path.endswith("/commit") for asked in host.asked)


def test_a_call_commits_once() -> None:
    """All values of a call are committed together; a call that changes nothing commits nothing."""
    with NicRu() as host:
        work = Work(host)
        work.add(records(3))
        assert commits(host) == 1
        work.add(records(3))
        assert commits(host) == 1
        work.remove(records(3))
        assert commits(host) == 2


def test_a_value_that_was_not_committed() -> None:
    """A value that a killed run wrote without a commit is served after the next one."""
    with NicRu() as host:
        host.put(FOREIGN[0], "one")
        Work(host).add([record("one")])
        assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}


def test_a_failed_call_commits_nothing() -> None:
    """After an error nothing of the call is served."""
    with NicRu() as host:
        host.faults = dict.fromkeys(range(3, 100), always(403, host.error(4040, "The limit of records is reached")))
        assert "limit of records" in str(Work(host).failure(Work(host).add, [record("one")]))
        assert commits(host) == 0
