"""Hetzner: old tokens, actions that run for a while, record sets that exist, and error codes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dnsrenew.drivers.invoke import prepare
from dnsrenew.errors import ProviderError
from dnsrenew.extensions.hosts import hetzner
from tests.kit.api_server import Answer
from tests.kit.host_work import Work, always, requests_of
from tests.kit.hosts.hetzner import Hetzner
from tests.kit.hosts.stand_in import FOREIGN, record, records

ABSENT = record("absent", "_acme-challenge.absent.example.com.")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hetzner]:
    """Run the stand-in for Hetzner."""
    monkeypatch.setattr(hetzner, "PAUSE", 0.001)
    with Hetzner() as stand_in:
        yield stand_in


def refused(status: int, code: str, message: str = "no") -> Answer:
    """Return a response with an error code."""
    return status, {"error": {"code": code, "message": message}}


def test_a_token_of_the_old_dns_console(host: Hetzner) -> None:
    """A token of 32 characters is refused as one of the old DNS Console, before any request."""
    work = Work(host, host.account(auth_token="jEheVytlAoFl7F8MqUQ7jAo2hOXASztX"))
    with pytest.raises(ProviderError) as caught:
        prepare(work.context, work.provider, work.account)
    assert caught.value.code == "provider-unauthorized"
    assert "DNS Console" in caught.value.message
    assert not host.asked


def test_requests(host: Hetzner) -> None:
    """Each name takes one request for all its values, and all actions together take one."""
    work = Work(host)
    assert requests_of(host, work.add, [*records(4), record("second", records(1)[0].name)]) == 5
    assert requests_of(host, work.remove, [*records(4), record("second", records(1)[0].name)]) == 5
    host.polls = 0
    assert requests_of(host, work.add, records(4)) == 4


def test_more_actions_than_a_page_holds(host: Hetzner) -> None:
    """One request polls 50 actions."""
    assert requests_of(host, Work(host).add, records(51)) == 51 + 2


def test_actions_that_take_a_while(host: Hetzner) -> None:
    """The call ends when the last action is finished."""
    host.polls = 3
    assert requests_of(host, Work(host).add, records(2)) == 2 + 3


def test_an_action_that_fails(host: Hetzner) -> None:
    """The error has the message of the action."""
    host.failing = True
    error = Work(host).failure(Work(host).add, [record("one")])
    assert error.code == "provider-refused"
    assert "Action failed" in error.message


@pytest.mark.parametrize("strict", [True, False])
def test_values_that_exist(host: Hetzner, strict: bool) -> None:
    """Missing values are added, whether the host accepts a value twice or not."""
    host.strict = strict
    Work(host).add([record("one")])
    Work(host).add([record("one"), record("two")])
    assert host.look(FOREIGN[0]) == {"one", "two", FOREIGN[1]}
    assert len(host.values) == 4


@pytest.mark.parametrize("strict", [True, False])
def test_values_that_are_gone(host: Hetzner, strict: bool) -> None:
    """The remaining values are removed. A name without values is no error."""
    host.strict = strict
    Work(host).add([record("one")])
    Work(host).remove([record("one"), record("gone"), ABSENT])
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}


def test_a_record_set_keeps_its_ttl(host: Hetzner) -> None:
    """A new value gets the TTL of the existing ones, because the host refuses another one."""
    host.ttls[FOREIGN[0]] = 600
    Work(host).add([record("one")])
    assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}
    assert host.ttls[FOREIGN[0]] == 600


def test_removing_from_an_unknown_zone(host: Hetzner) -> None:
    """Removing from a zone of another project is `provider-zone-unknown`."""
    error = Work(host).failure(Work(host).remove, [record("one", "_acme-challenge.example.org.", "example.org.")])
    assert error.code == "provider-zone-unknown"


@pytest.mark.parametrize("action", ["add", "remove"])
def test_a_refusal_for_another_reason(host: Hetzner, action: str) -> None:
    """A refusal that the values do not explain is reported with the host's message."""
    Work(host).add([record("one")])
    refusal = always(*refused(422, "incorrect_zone_mode", "not in primary mode"))
    host.faults = dict.fromkeys((len(host.asked), len(host.asked) + 2), refusal)
    target = [record("new")] if action == "add" else [record("one")]
    error = Work(host).failure(getattr(Work(host), action), target)
    assert error.code == "provider-refused"
    assert "primary mode" in error.message


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refused(403, "token_readonly"), "provider-unauthorized"),
        (refused(403, "protected"), "provider-refused"),
        (refused(403, "resource_limit_exceeded", "record limit exceeded"), "provider-refused"),
        (refused(429, "rate_limit_exceeded"), "provider-rate-limited"),
        ((403, "<html>blocked</html>"), "provider-unauthorized"),
    ],
)
def test_error_codes(host: Hetzner, answer: Answer, code: str) -> None:
    """Hetzner's error codes decide, not the HTTP status."""
    host.faults = dict.fromkeys(range(100), lambda _: answer)
    assert Work(host).failure(Work(host).add, [record("one")]).code == code


def test_a_locked_zone_is_tried_again(host: Hetzner) -> None:
    """While another action locks the zone, the call is retried."""
    host.faults = {0: always(*refused(423, "locked"))}
    Work(host).add([record("one")])
    assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}
