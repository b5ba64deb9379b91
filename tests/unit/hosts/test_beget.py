"""Beget: the other records of a name."""

from __future__ import annotations

import pytest

from tests.kit.host_work import Work, always
from tests.kit.hosts.beget import Beget
from tests.kit.hosts.stand_in import FOREIGN, ZONE, record


def test_other_records_of_a_name_stay() -> None:
    """Addresses and mail servers of the zone itself are written back as they were read."""
    others = {"A": [{"ttl": 300, "address": "192.0.2.1"}], "MX": [{"exchange": "mx1.beget.com.", "preference": 10}]}
    with Beget() as host:
        host.others[ZONE] = dict(others)
        Work(host).add([record("one", f"{ZONE}.")])
        Work(host).remove([record("one", f"{ZONE}.")])
        assert host.others[ZONE] == others
        assert host.look(ZONE) == {"v=spf1 -all"}


def test_a_name_with_records_that_would_be_lost() -> None:
    """A name with records of a type that the driver does not know is not changed."""
    with Beget() as host:
        host.others[FOREIGN[0]] = {"NEW": [{"ttl": 300, "data": "x"}]}
        error = Work(host).failure(Work(host).add, [record("one")])
        assert (error.code, error.evidence["lost"]) == ("provider-rewrite-unsafe", "NEW")
        assert host.look(FOREIGN[0]) == {FOREIGN[1]}


def test_a_name_that_cannot_be_read() -> None:
    """Status 404 is no name without records: nothing is written."""
    with Beget() as host:
        host.faults = {0: always(404, "")}
        assert Work(host).failure(Work(host).add, [record("one")]).code == "provider-zone-unknown"
        assert len(host.asked) == 1


@pytest.mark.parametrize(("number", "code"), [("LIMIT_ERROR", "provider-rate-limited"), ("X", "provider-refused")])
def test_error_codes(number: str, code: str) -> None:
    """The codes of the API decide; they come with the status 200."""
    with Beget() as host:
        host.faults = dict.fromkeys(range(100), always(*host.refused(number, "no")))
        assert Work(host).failure(Work(host).add, [record("one")]).code == code
