"""Value Domain: the zone is written back line by line unchanged, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.host_work import Work
from tests.kit.hosts.stand_in import FOREIGN, ZONE, record
from tests.kit.hosts.valuedomain import OTHERS, ValueDomain


@pytest.fixture
def host() -> Iterator[ValueDomain]:
    """Run the stand-in for Value-Domain."""
    with ValueDomain() as stand_in:
        yield stand_in


def test_every_other_line_goes_back(host: ValueDomain) -> None:
    """Other lines keep their order, blanks and letter case. The TTL and the name servers stay too."""
    host.ttl, host.fields = "7200", {"ns_type": "valuedomain11"}
    work = Work(host)
    work.add([record("one"), record("two")])
    assert json.loads(host.asked[1].body)["records"].startswith(f"{OTHERS}\n")
    work.remove([record("one"), record("two")])
    assert (host.others, host.ttl, host.fields) == (OTHERS, "7200", {"ns_type": "valuedomain11"})


@pytest.mark.parametrize(("text", "end"), [("a @ 1", ""), ("a @ 1\n", "\n"), ("b @ 1\r\na @ 1\r\n", "\n")])
def test_the_ends_of_lines_stay(host: ValueDomain, text: str, end: str) -> None:
    """Each line keeps its line ending. No empty line is added."""
    answer = {"results": {"domainname": ZONE, "records": text, "ttl": 3600, "ns_type": "valuedomain1"}}
    host.faults = {0: lambda _: (200, answer)}
    Work(host).add([record("one")])
    assert json.loads(host.asked[1].body)["records"] == f"{text.removesuffix(end)}\ntxt _acme-challenge one{end}"


@pytest.mark.parametrize("line", ["txt _acme-challenge one", "TXT  _ACME-Challenge  one", 'txt _acme-challenge "one"'])
def test_a_value_in_another_form(host: ValueDomain, line: str) -> None:
    """Capitals, more blanks and quotes are recognized: such a value is not written again, and can be removed."""
    answer = {"results": {"domainname": ZONE, "records": f"{line}\na @ 1", "ttl": "3600", "ns_type": "valuedomain1"}}
    host.faults = dict.fromkeys((0, 1), lambda _: (200, answer))
    Work(host).add([record("one")])
    assert len(host.asked) == 1
    Work(host).remove([record("one")])
    assert json.loads(host.asked[2].body)["records"] == "a @ 1"


@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize(
    ("fields", "lost"),
    [
        ({"dnssec": "on"}, "dnssec"),
        ({"ns_type": "other"}, "ns_type"),
        ({"ns_type": None}, "ns_type"),
        ({"ttl": 60}, "ttl"),
        ({"ttl": None}, "ttl"),
    ],
)
def test_what_would_be_lost_is_refused(host: ValueDomain, action: str, fields: dict[str, Any], lost: str) -> None:
    """Nothing is written, and the error names the setting that would be lost."""
    host.put(FOREIGN[0], "there")
    host.fields |= fields
    before = dict(host.values)
    error = Work(host).failure(getattr(Work(host), action), [record("there" if action == "remove" else "one")])
    assert error.code == "provider-rewrite-unsafe"
    assert error.evidence["lost"] == [lost]
    assert (host.values, len(host.asked)) == (before, 1)


def test_a_zone_that_seems_empty(host: ValueDomain) -> None:
    """A zone that seems empty is not written: the API may have failed to show its records."""
    host.others, host.values = "", {}
    error = Work(host).failure(Work(host).add, [record("one")])
    assert error.code == "provider-rewrite-unsafe"
    assert error.evidence["zone"] == ZONE
    assert len(host.asked) == 1


def test_nothing_to_change_is_not_refused(host: ValueDomain) -> None:
    """If nothing changes, the zone is read but not written."""
    host.fields["dnssec"] = "on"
    Work(host).add([record(FOREIGN[1])])
    Work(host).remove([record("never")])
    assert [asked.method for asked in host.asked] == ["GET", "GET"]


def test_the_zone_is_read_right_before_each_change(host: ValueDomain) -> None:
    """A change that is made between two calls of one run is kept."""
    work = Work(host)
    work.add([record("one")])
    host.others += "\na late 192.0.2.9"
    work.remove([record("one")])
    assert host.others == f"{OTHERS}\na late 192.0.2.9"
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}
