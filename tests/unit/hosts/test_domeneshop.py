"""Domeneshop: domains without DNS, steps of the TTL, and errors that are only a code."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.kit.host_work import Work, always
from tests.kit.hosts.domeneshop import Domeneshop
from tests.kit.hosts.stand_in import record


@pytest.fixture
def host() -> Iterator[Domeneshop]:
    """Run the stand-in for Domeneshop."""
    with Domeneshop() as stand_in:
        yield stand_in


def test_a_domain_without_the_dns_service(host: Domeneshop) -> None:
    """The domain's name servers are elsewhere, so nothing is written."""
    host.has_dns = False
    work = Work(host)
    assert work.failure(work.add, [record("one")]).code == "provider-zone-unknown"
    assert len(host.asked) == 1


@pytest.mark.parametrize(("ttl", "sent"), [(1, 60), (60, 60), (90, 120), (3600, 3600)])
def test_a_ttl_is_rounded_up(host: Domeneshop, ttl: int, sent: int) -> None:
    """A TTL is rounded up to a multiple of 60 seconds, which the API requires."""
    Work(host).add([record("one", ttl=ttl)])
    assert json.loads(host.asked[-1].body)["ttl"] == sent


def test_a_code_is_shown(host: Domeneshop) -> None:
    """An error without a message shows its code."""
    host.faults = {2: always(400, {"code": "dns:invalid-host", "help": "See the documentation"})}
    work = Work(host)
    error = work.failure(work.add, [record("one")])
    assert error.code == "provider-refused"
    assert "dns:invalid-host" in str(error)


def test_a_domain_of_another_account(host: Domeneshop) -> None:
    """A 403 for a domain of another account is `provider-unauthorized`."""
    host.faults = dict.fromkeys(range(1, 100), always(403, {"code": "resource:unauthorized"}))
    work = Work(host)
    assert work.failure(work.add, [record("one")]).code == "provider-unauthorized"
