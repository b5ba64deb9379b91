"""Reg.ru: error codes."""

from __future__ import annotations

import pytest

from tests.kit.host_work import Work, always
from tests.kit.hosts.regru import RegRu
from tests.kit.hosts.stand_in import record


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("ACCESS_DENIED_FROM_IP", "provider-unauthorized"),
        ("IP_EXCEEDED_ALLOWED_CONNECTION_RATE", "provider-rate-limited"),
        ("ACCOUNT_EXCEEDED_ALLOWED_CONNECTION_RATE", "provider-rate-limited"),
        ("NO_AUTH", "provider-unauthorized"),
        ("INVALID_ACTION", "provider-refused"),
    ],
)
def test_error_codes(number: str, code: str) -> None:
    """The codes of the API decide; they come with the status 200."""
    with RegRu() as host:
        host.faults = dict.fromkeys(range(100), always(200, {"result": "error", **host.error(number, "no")}))
        assert Work(host).failure(Work(host).add, [record("one")]).code == code
