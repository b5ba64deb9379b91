"""Simply.com: the status of an answer is in its body too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.host_work import Work, always
from tests.kit.hosts.simply import Simply
from tests.kit.hosts.stand_in import record


@pytest.fixture
def host() -> Iterator[Simply]:
    """Run the stand-in for Simply."""
    with Simply() as stand_in:
        yield stand_in


@pytest.mark.parametrize("http_status", [200, 400])
@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "Invalid account authorization", "provider-unauthorized"),
        (404, "Unknown or invalid product reference", "provider-zone-unknown"),
        (400, "Invalid record data", "provider-refused"),
        (500, "Internal error", "provider-server-error"),
    ],
)
def test_errors_of_the_api(host: Simply, http_status: int, status: int, message: str, expected: str) -> None:
    """The status in the body decides, even with HTTP 200."""
    host.faults = dict.fromkeys(range(100), always(http_status, {"status": status, "message": message}))
    work = Work(host)
    error = work.failure(work.add, [record("one")])
    assert error.code == expected
    assert message in str(error)
