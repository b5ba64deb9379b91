"""Loopia: subdomains are created and removed. Its statuses and faults come with HTTP status 200."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.api_server import Answer
from tests.kit.host_work import Work
from tests.kit.hosts.loopia import Loopia
from tests.kit.hosts.stand_in import FOREIGN, record, records

ENTITIES = """<?xml version="1.0"?><!DOCTYPE methodResponse [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<methodResponse><params><param><value><string>&b;</string></value></param></params></methodResponse>"""


@pytest.fixture
def host() -> Iterator[Loopia]:
    """Run the stand-in for Loopia."""
    with Loopia() as stand_in:
        yield stand_in


def test_a_name_is_removed_by_the_run_that_made_it(host: Loopia) -> None:
    """The subdomain is removed only together with its last record. A subdomain that existed before stays."""
    work, wanted = Work(host), [record("one"), *records(2)]
    work.add(wanted)
    host.put("_acme-challenge.n1.example.com", "of somebody else")
    work.remove(wanted)
    assert host.subdomains == {"@", "_acme-challenge", "_acme-challenge.n1"}
    assert host.look("_acme-challenge.n1.example.com") == {"of somebody else"}
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}


def test_a_later_process_leaves_the_name(host: Loopia) -> None:
    """A later process removes the record but leaves the subdomain, because it cannot know who created it."""
    Work(host).add(records(1))
    Work(host).remove(records(1))
    assert "_acme-challenge.n0" in host.subdomains
    assert not host.look(records(1)[0].name)


def test_a_name_that_exists_without_records(host: Loopia) -> None:
    """An existing subdomain without records is not created again."""
    host.subdomains.add("_acme-challenge.n0")
    Work(host).add(records(1))
    assert host.look(records(1)[0].name) == {"value-0"}


@pytest.mark.parametrize("answer", [Loopia.returns("getSubdomains", "RATE_LIMITED"), Loopia.fault(429, "Limit.")])
def test_the_limit_of_a_minute_is_waited_for(host: Loopia, answer: Answer) -> None:
    """The call is retried after a minute."""
    work = Work(host)
    host.faults = {0: lambda _: answer}
    work.add(records(1))
    assert host.look(records(1)[0].name) == {"value-0"}
    assert 60 <= work.context.clock.monotonic() < 61


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Loopia.returns("addSubdomain", "BAD_INDATA"), "provider-refused"),
        (Loopia.returns("addSubdomain", "UNKNOWN_ERROR"), "provider-server-error"),
        (Loopia.returns("addSubdomain", "AUTH_ERROR"), "provider-unauthorized"),
        (Loopia.returns("addSubdomain", "SOMETHING_NEW"), "provider-malformed-answer"),
        (Loopia.returns("addSubdomain", 17), "provider-malformed-answer"),
        (Loopia.fault(401, "Wrong user."), "provider-unauthorized"),
        (Loopia.fault(639, "The method is not allowed for the user."), "provider-unauthorized"),
        (Loopia.fault(623, "The parameters do not match."), "provider-refused"),
        ((200, ENTITIES), "provider-malformed-answer"),
        ((200, "<methodResponse><params/></methodResponse>"), "provider-malformed-answer"),
    ],
)
def test_the_code_of_an_answer(host: Loopia, answer: Answer, code: str) -> None:
    """Each status, fault and malformed document has its error code."""
    order = host.answer
    host.faults = {}
    host.answer = lambda asked: answer if "addSubdomain" in asked.body else order(asked)  # type: ignore[method-assign]
    error = Work(host).failure(Work(host).add, records(1))
    assert error.code == code
    assert "aaaaaaaaaa" not in str(error.to_dict())
