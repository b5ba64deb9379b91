"""netcup: sessions, and errors that come with HTTP 200."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.kit.api_server import Asked
from tests.kit.host_work import Work, always
from tests.kit.hosts.netcup import Netcup
from tests.kit.hosts.stand_in import FOREIGN, record

LOGOUT = 3


@pytest.fixture
def host() -> Iterator[Netcup]:
    """Run the stand-in for netcup."""
    with Netcup() as stand_in:
        yield stand_in


def actions(host: Netcup) -> list[str]:
    """Return the actions of all requests."""
    return [json.loads(asked.body)["action"] for asked in host.asked]


def refused(code: int, message: str) -> object:
    """Return the body of an error response."""
    return {"status": "error", "statuscode": code, "shortmessage": "", "longmessage": message, "responsedata": ""}


def test_each_call_has_one_session(host: Netcup) -> None:
    """A call logs in, changes all values with one request and logs out. Existing values are not written again."""
    work = Work(host)
    work.add([record("one"), record("two")])
    assert actions(host) == ["login", "infoDnsRecords", "updateDnsRecords", "logout"]
    work.add([record("one"), record("two")])
    assert actions(host)[4:] == ["login", "infoDnsRecords", "logout"]
    assert not host.sessions


def test_the_password_is_sent_to_log_in_only(host: Netcup) -> None:
    """Only the login has the password. All other requests have the session."""
    Work(host).add([record("one")])
    password = host.credentials["auth_api_password"]
    assert [password in asked.body for asked in host.asked] == [True, False, False, False]


def test_a_session_ends_after_a_refusal_too(host: Netcup) -> None:
    """A missing zone is named, and the session is ended."""
    work = Work(host)
    error = work.failure(work.add, [record("one", "_acme-challenge.example.org.", "example.org.")])
    assert (error.code, error.evidence["zone"]) == ("provider-zone-unknown", "example.org")
    assert actions(host)[-1] == "logout"
    assert not host.sessions


def test_a_failed_logout_changes_nothing(host: Netcup) -> None:
    """The call succeeds even if the logout fails."""
    host.faults = {LOGOUT: always(502, "")}
    Work(host).add([record("one")])
    assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}
    assert len(host.asked) == LOGOUT + 1


def test_a_session_that_is_lost_is_replaced(host: Netcup) -> None:
    """If the API has lost the session, the call is repeated with a new one."""

    def lost(_: Asked) -> tuple[int, object]:
        host.sessions.clear()
        return 200, refused(4001, "The session id is not in a valid format.")

    host.faults = {1: lost}
    Work(host).add([record("one")])
    assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}
    assert actions(host).count("login") == 2


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (4013, "More than 180 requests per minute. Please wait and retry later.", "provider-rate-limited"),
        (4013, "Too many error messages, please check your commands.", "provider-rate-limited"),
        (4013, "Value in field hostname does not match requirements.", "provider-refused"),
    ],
)
def test_errors_of_the_api(host: Netcup, position: int, code: int, message: str, expected: str) -> None:
    """The rate limit is recognized at each request. Any other error of a login is one of the credentials."""
    host.faults = dict.fromkeys(range(position, 100), always(200, refused(code, message)))
    work = Work(host)
    error = work.failure(work.add, [record("one")])
    is_login = position == 0 and expected == "provider-refused"
    assert error.code == ("provider-unauthorized" if is_login else expected)
    assert message.rstrip(".") in str(error)
