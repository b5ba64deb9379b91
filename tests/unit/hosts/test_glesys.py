"""GleSYS: a record that is gone, and the status inside an answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.host_work import Work, always
from tests.kit.hosts.glesys import Glesys
from tests.kit.hosts.stand_in import FOREIGN, record


@pytest.fixture
def host() -> Iterator[Glesys]:
    """Run the stand-in for GleSYS."""
    with Glesys() as stand_in:
        yield stand_in


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_record_that_is_gone(host: Glesys, status: int) -> None:
    """Removing a record that was deleted meanwhile succeeds, whichever status GleSYS answers with: the list decides."""
    work = Work(host)
    work.add([record("one")])
    host.values = {key: entry for key, entry in host.values.items() if entry[1] != "one"}
    host.gone = status
    work.remove([record("one")])
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}


def test_a_record_that_must_not_be_deleted(host: Glesys) -> None:
    """If a refused record is still in the list, it is an error with the message of GleSYS."""
    work = Work(host)
    work.add([record("one")])
    host.faults = {len(host.asked): always(*Glesys.status(403, "The key may not do this"))}
    error = work.failure(work.remove, [record("one")])
    assert error.code == "provider-unauthorized"
    assert "The key may not do this" in error.message


def test_an_error_with_the_status_200(host: Glesys) -> None:
    """The status in the body decides."""
    host.faults = {0: lambda _: (200, Glesys.status(400, "Too many records")[1])}
    error = Work(host).failure(Work(host).add, [record("one")])
    assert error.code == "provider-refused"
    assert "Too many records" in error.message
