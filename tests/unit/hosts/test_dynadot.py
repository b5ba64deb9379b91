"""Dynadot: the TTL of a domain, and refusals in an answer."""

from __future__ import annotations

import pytest

from tests.kit.host_work import Work, always
from tests.kit.hosts.dynadot import Dynadot
from tests.kit.hosts.stand_in import ZONE, record


def test_the_ttl_of_the_domain_stays() -> None:
    """A domain has one TTL for all records: what it has is written back."""
    with Dynadot() as host:
        Work(host).add([record("one", ttl=60), record("top", f"{ZONE}.", ttl=60)])
        assert host.ttl == 600
        assert host.look(ZONE) == {"v=spf1 -all", "top"}


@pytest.mark.parametrize("status", [200, 403])
def test_a_domain_with_other_name_servers(status: int) -> None:
    """A domain that does not use Dynadot DNS is an unknown zone, whichever status the answer has."""
    refusal = Dynadot.problem(403, "Forbidden", "The domain doesn't have main dns.")[1]
    with Dynadot() as host:
        host.faults = dict.fromkeys(range(100), always(status, refusal))
        error = Work(host).failure(Work(host).add, [record("one")])
        assert error.code == "provider-zone-unknown"
        assert "main dns" in error.message


def test_too_many_requests_with_the_status_400() -> None:
    """Dynadot's answer to more than one request in a second has the status 400."""
    refusal = Dynadot.problem(400, "Bad Request", "Exceeded the rate limit.")[1]
    with Dynadot() as host:
        host.faults = dict.fromkeys(range(100), always(200, refusal))
        assert Work(host).failure(Work(host).add, [record("one")]).code == "provider-rate-limited"
