"""DNSExit: minutes, and what its answers do not tell apart."""

from __future__ import annotations

import json

import pytest

from tests.kit.host_work import Work, always
from tests.kit.hosts.dnsexit import DnsExit
from tests.kit.hosts.stand_in import record


@pytest.mark.parametrize(("seconds", "minutes"), [(60, 1), (61, 2), (120, 2), (3600, 60)])
def test_a_ttl_is_in_minutes(seconds: int, minutes: int) -> None:
    """A TTL is rounded up to a minute."""
    with DnsExit() as host:
        Work(host).add([record("one", ttl=seconds)])
        assert json.loads(host.asked[0].body)["add"][0]["ttl"] == minutes


@pytest.mark.parametrize(
    ("code", "error"),
    [(2, "provider-unauthorized"), (3, "provider-refused"), (6, "provider-zone-unknown"), (7, "provider-server-error")],
)
@pytest.mark.parametrize("status", [200, 400])
def test_the_codes_of_errors(code: int, error: str, status: int) -> None:
    """The code in the body counts, whatever the status, and its message is in the error."""
    with DnsExit() as host:
        host.faults = dict.fromkeys(range(100), always(status, {"code": code, "message": "because", "details": []}))
        found = Work(host).failure(Work(host).add, [record("one")])
        assert found.code == error
        assert "because" in found.message


def test_a_value_that_exists_already_does_not_hinder_another() -> None:
    """Of two values, one of which exists already, the other one is written."""
    with DnsExit() as host:
        Work(host).add([record("one")])
        Work(host).add([record("one"), record("two")])
        assert host.look("_acme-challenge.example.com") >= {"one", "two"}
