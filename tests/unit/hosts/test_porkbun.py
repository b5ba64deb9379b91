"""Porkbun: keys in the body, API access for each domain, and errors with HTTP 200 or 400."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.kit.host_work import Work, always
from tests.kit.hosts.porkbun import Porkbun
from tests.kit.hosts.stand_in import FOREIGN, record


@pytest.fixture
def host() -> Iterator[Porkbun]:
    """Run the stand-in for Porkbun."""
    with Porkbun() as stand_in:
        yield stand_in


def test_a_domain_without_api_access(host: Porkbun) -> None:
    """The fix names where to enable the API access."""
    host.opted_in = False
    work = Work(host)
    error = work.failure(work.add, [record("one")])
    assert (error.code, error.evidence["zone"]) == ("provider-zone-unknown", "example.com")
    assert "API Access" in error.fix


def test_a_wrong_api_key(host: Porkbun) -> None:
    """A wrong API key is `provider-unauthorized`. It is not shown."""
    work = Work(host, host.account(auth_key="pk1_wrong"))
    error = work.failure(work.add, [record("one")])
    assert error.code == "provider-unauthorized"
    assert "pk1_wrong" not in json.dumps(error.to_dict())


@pytest.mark.parametrize("status", [200, 400, 403])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("INVALID_API_KEYS_001", "provider-unauthorized"),
        ("IP_NOT_ALLOWED", "provider-unauthorized"),
        ("RATE_LIMIT_EXCEEDED", "provider-rate-limited"),
        ("INVALID_DOMAIN", "provider-zone-unknown"),
    ],
)
def test_errors_of_the_api(host: Porkbun, status: int, code: str, expected: str) -> None:
    """The code in the body decides, not the HTTP status."""
    host.faults = dict.fromkeys(range(100), always(status, {"status": "ERROR", "code": code, "message": "No."}))
    work = Work(host)
    assert work.failure(work.add, [record("one")]).code == expected


def test_keys_are_in_the_body_only(host: Porkbun) -> None:
    """No key is in a URL or a header."""
    work = Work(host)
    work.add([record("one")])
    work.remove([record("one")])
    for asked in host.asked:
        outside = asked.path + json.dumps(asked.headers)
        assert not any(key in outside for key in host.credentials.values())
        assert json.loads(asked.body)["secretapikey"] == host.credentials["auth_secret"]


def test_a_record_that_is_gone_already(host: Porkbun) -> None:
    """A removed record, which the API refuses with HTTP 400, does not prevent the removal of other values."""
    work = Work(host)
    work.add([record("one"), record("two")])
    host.values = {key: value for key, value in host.values.items() if value[1] != "one"}
    work.remove([record("one"), record("two")])
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}
