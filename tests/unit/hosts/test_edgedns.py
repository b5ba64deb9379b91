"""Akamai Edge DNS: the signatures of EdgeGrid, and what a record set keeps."""

from __future__ import annotations

import pytest

from dnsrenew.drivers.invoke import prepare
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.hosts.edgedns import signature_of
from tests.kit.host_work import Work
from tests.kit.hosts.edgedns import EdgeDns
from tests.kit.hosts.stand_in import FOREIGN, record

HOST = "https://akaa-baseurl-xxxxxxxxxxx-xxxxxxxxxxxxx.luna.akamaiapis.net"
START = (
    "EG1-HMAC-SHA256 client_token=akab-client-token-xxx-xxxxxxxxxxxxxxxx;"
    "access_token=akab-access-token-xxx-xxxxxxxxxxxxxxxx;timestamp=20140321T19:34:21+0000;nonce=nonce-xx-xxxx-xxxx-xxxx-xxxxxxxxxxxx;"
)


@pytest.mark.parametrize(
    ("method", "path", "body", "signature"),
    [
        ("GET", "/", b"", "tL+y4hxyHxgWVD30X3pWnGKHcPzmrIF+LThiAOhMxYU="),
        ("GET", "/testapi/v1/t1?p1=1&p2=2", b"", "hKDH1UlnQySSHjvIcZpDMbQHihTQ0XyVAKZaApabdeA="),
        ("POST", "/testapi/v1/t3", b"data" * 8, "hXm4iCxtpN22m4cbZb4lVLW5rhX8Ca82vCFqXzSTPe4="),
        ("POST", "/testapi/v1/t6", b"", "1gEDxeQGD5GovIkJJGcBaKnZ+VaPtrc4qBUHixjsPCQ="),
        ("PUT", "/testapi/v1/t6", b"P" * 31, "GNBWEYSEWOLtu+7dD52da2C39aX/Jchpon3K/AmBqBU="),
    ],
    ids=["GET", "query", "POST", "POST without a body", "PUT"],
)
def test_signatures(method: str, path: str, body: bytes, signature: str) -> None:
    """The signatures are those that Akamai's own clients test for."""
    secret = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx="
    assert signature_of(secret, method, HOST + path, body, START) == signature


def test_an_account_switch_key_is_signed_too() -> None:
    """Each request names the account to work in."""
    with EdgeDns() as host:
        Work(host, host.account(account_switch_key="1-2ABC:1-3DEF")).add([record("one")])
        assert all(asked.path.endswith("?accountSwitchKey=1-2ABC%3A1-3DEF") for asked in host.asked)
        assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}


def test_a_record_set_keeps_its_ttl() -> None:
    """A new value gets the TTL of those that are there."""
    with EdgeDns() as host:
        host.ttls[FOREIGN[0]] = 1200
        Work(host).add([record("one")])
        assert host.ttls[FOREIGN[0]] == 1200


def test_an_account_without_a_host() -> None:
    """The mistake is named before any request."""
    with EdgeDns() as host:
        work = Work(host, host.account(host="", api=""))
        with pytest.raises(ConfigError) as caught:
            prepare(work.context, work.provider, work.account)
        assert caught.value.code == "option-invalid"
