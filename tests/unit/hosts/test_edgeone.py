"""Tencent EdgeOne: its signature, sites without DNS records, and errors with the status 200."""

from __future__ import annotations

import pytest

from tests.kit.api_server import Asked
from tests.kit.host_work import Work, always
from tests.kit.hosts.edgeone import EdgeOne, signature
from tests.kit.hosts.stand_in import record


def test_the_stand_in_signs_as_tencent_does() -> None:
    """The signature of the example in Tencent's documentation of Signature v3."""
    body = '{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}'
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Host": "cvm.tencentcloudapi.com",
        "X-TC-Action": "DescribeInstances",
        "X-TC-Timestamp": "1551113065",
    }
    given = {"names": "content-type;host", "scope": "2019-02-25/cvm/tc3_request"}
    found = signature("Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", Asked("POST", "/", headers, body), given)
    assert found == "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"


@pytest.mark.parametrize("kind", ["partial", "noDomainAccess", "dnsPodAccess"])
def test_a_site_without_dns_records(kind: str) -> None:
    """A site that does not use EdgeOne's name servers is an unknown zone."""
    with EdgeOne() as host:
        host.kind = kind
        assert Work(host).failure(Work(host).add, [record("one")]).code == "provider-zone-unknown"


def test_the_identifier_of_a_site() -> None:
    """A site in `zones_mapping` is not looked up; a temporary key is sent with its token."""
    with EdgeOne() as host:
        account = host.account(zones_mapping="example.org:zone-1, example.com:zone-2x3y4z", session_token="temp-0000")
        Work(host, account).add([record("one")])
        actions = [asked.headers["X-TC-Action"] for asked in host.asked]
        assert actions == ["DescribeDnsRecords", "CreateDnsRecord"]
        assert {asked.headers["X-TC-Token"] for asked in host.asked} == {"temp-0000"}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("UnauthorizedOperation.CamUnauthorized", "provider-unauthorized"),
        ("RequestLimitExceeded", "provider-rate-limited"),
        ("InternalError.ProxyServer", "provider-server-error"),
        ("InvalidParameterValue.ConflictWithRecord", "provider-refused"),
    ],
)
def test_errors_with_the_status_200(code: str, error: str) -> None:
    """The code in the body counts, and is in the message."""
    with EdgeOne() as host:
        host.faults = dict.fromkeys(range(100), always(*EdgeOne.problem(code, "because")))
        found = Work(host).failure(Work(host).add, [record("one")])
        assert found.code == error
        assert f"{code}: because" in found.message
