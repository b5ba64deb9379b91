"""Alibaba Cloud ESA: its signature, sites without DNS records, and the codes of errors."""

from __future__ import annotations

import pytest

from tests.kit.api_server import Asked
from tests.kit.host_work import Work, always
from tests.kit.hosts.aliesa import AliEsa, signature
from tests.kit.hosts.stand_in import FOREIGN, record


def test_the_stand_in_signs_as_alibaba_does() -> None:
    """The signature of the example in Alibaba's documentation of the signature V3."""
    path = "/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai"
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
    }
    found = signature("YourAccessKeySecret", Asked("POST", path, headers, ""), ";".join(headers))
    assert found == "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"


def test_a_site_without_dns_records() -> None:
    """A site with CNAME access is an unknown zone: its records are at another host."""
    with AliEsa() as host:
        host.access = "CNAME"
        assert Work(host).failure(Work(host).add, [record("one")]).code == "provider-zone-unknown"


def test_a_temporary_key() -> None:
    """The token of a temporary key is sent and signed."""
    with AliEsa() as host:
        Work(host, host.account(security_token="temp-0000")).add([record("one")])
        assert {asked.headers["x-acs-security-token"] for asked in host.asked} == {"temp-0000"}


def test_a_record_that_was_deleted_meanwhile() -> None:
    """A record that is gone is removed, once the list shows that it is gone."""
    with AliEsa() as host:
        work = Work(host)
        work.add([record("one")])
        host.values = {key: entry for key, entry in host.values.items() if entry[1] != "one"}
        work.remove([record("one")])
        assert host.look(FOREIGN[0]) == {FOREIGN[1]}


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "NoPermission.RAM", "provider-unauthorized"),
        (404, "InvalidAccessKeyId.NotFound", "provider-unauthorized"),
        (400, "Throttling.User", "provider-rate-limited"),
        (400, "Record.ConflictExists", "provider-refused"),
    ],
)
def test_the_codes_of_errors(status: int, code: str, error: str) -> None:
    """The code in the body counts more than the status, and is in the message."""
    with AliEsa() as host:
        host.faults = dict.fromkeys(range(100), always(*AliEsa.problem(status, code, "because")))
        found = Work(host).failure(Work(host).add, [record("one")])
        assert found.code == error
        assert f"{code}: because" in found.message
