"""Technitium: old and new versions, and errors with status 200."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dnsrenew.drivers.catalogue import check_options
from tests.kit.drivers import provider_of
from tests.kit.host_work import Work, requests_of
from tests.kit.hosts.stand_in import FOREIGN, record, records
from tests.kit.hosts.technitium import GOOD, Technitium


@pytest.fixture
def host() -> Iterator[Technitium]:
    """Run the stand-in for Technitium."""
    with Technitium() as stand_in:
        yield stand_in


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("bearer", [True, False])
def test_versions(host: Technitium, strict: bool, bearer: bool) -> None:
    """Both versions work: the token is a header or a parameter, and an existing value is refused or accepted."""
    host.strict, host.bearer = strict, bearer
    for _ in range(2):
        Work(host).add([record("one"), *records(2)])
    assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}
    assert len(host.values) == 5
    for _ in range(2):
        Work(host).remove([record("one"), *records(2)])
    assert len(host.values) == 2


def test_requests(host: Technitium) -> None:
    """One request is made for each value. No URL has the token."""
    work = Work(host)
    assert requests_of(host, work.add, records(4)) == 4
    assert requests_of(host, work.remove, records(4)) == 4
    assert not any(GOOD in asked.path for asked in host.asked)


def test_a_user_that_may_not_modify_the_zone(host: Technitium) -> None:
    """``Access was denied.`` is `provider-unauthorized`, without another request."""
    host.denied = True
    assert Work(host).failure(Work(host).add, [record("one")]).code == "provider-unauthorized"
    assert len(host.asked) == 1


@pytest.mark.parametrize("action", ["add", "remove"])
def test_another_error(host: Technitium, action: str) -> None:
    """A refusal that the value does not explain is reported with the server's message."""
    if action == "remove":
        Work(host).add([record("one")])
    answer = 200, {"status": "error", "errorMessage": "The zone is a secondary one.", "stackTrace": "at …"}
    host.faults = {len(host.asked): lambda _: answer}
    error = Work(host).failure(getattr(Work(host), action), [record("one")])
    assert error.code == "provider-refused"
    assert "The zone is a secondary one" in error.message
    assert "stackTrace" not in error.message


def test_the_address_is_required() -> None:
    """An account without ``api`` is a mistake in the configuration."""
    mistakes = check_options(provider_of("technitium"), {"auth_token": "x"})
    assert [mistake.key for mistake in mistakes] == ["api"]
