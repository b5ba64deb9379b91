"""Cloudflare: tokens for one zone, the Global API Key, error codes, and batches."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.kit.api_server import Answer, Asked
from tests.kit.host_work import Work, always, requests_of
from tests.kit.hosts.cloudflare import EMAIL, ZONE_ID, Cloudflare
from tests.kit.hosts.stand_in import FOREIGN, ZONE, record, records


@pytest.fixture
def host() -> Iterator[Cloudflare]:
    """Run the stand-in for Cloudflare."""
    with Cloudflare() as stand_in:
        yield stand_in


def refused(status: int, code: int, message: str = "refused") -> Answer:
    """Return a response with an error code."""
    return status, {"success": False, "errors": [{"code": code, "message": message}], "result": None}


def test_a_token_for_one_zone_needs_no_zone_id(host: Cloudflare) -> None:
    """A token that may read and edit one zone writes 20 values in three requests and removes them in one."""
    work = Work(host)
    assert requests_of(host, work.add, records(20)) == 3
    assert requests_of(host, work.remove, records(20)) == 1
    assert {asked.headers["Authorization"] for asked in host.asked} == {f"Bearer {host.credentials['auth_token']}"}


def test_the_active_one_of_two_zones_is_written(host: Cloudflare) -> None:
    """The active zone is used if another account that the token sees has the same zone as pending."""
    host.pending = True
    Work(host).add([record("one")])
    assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}


@pytest.mark.parametrize(("listing", "requests"), [("refused", 1), ("unauthorized", 2), ("empty", 2)])
def test_a_token_without_zone_read(host: Cloudflare, listing: str, requests: int) -> None:
    """A valid token that may not list zones gets an error of its own, with both remedies."""
    host.listing = listing
    error = Work(host).failure(Work(host).add, [record("one")])
    assert error.code == "provider-unauthorized"
    assert error.evidence["zone"] == ZONE
    assert "Zone → Zone → Read" in error.fix
    assert "`zone_id`" in error.fix
    assert len(host.asked) == requests


@pytest.mark.parametrize("listing", ["refused", "unauthorized", "empty"])
def test_a_zone_id_needs_no_zone_read(host: Cloudflare, listing: str) -> None:
    """With ``zone_id`` the zone is not looked up."""
    host.listing = listing
    work = Work(host, host.account(zone_id=ZONE_ID))
    assert requests_of(host, work.add, records(3)) == 2
    assert requests_of(host, work.remove, records(3)) == 1


def test_a_zone_id_of_another_zone(host: Cloudflare) -> None:
    """A record that Cloudflare wrote in the wrong zone is removed again."""
    work = Work(host, host.account(zone_id=ZONE_ID))
    before = sorted(host.values.values())
    error = work.failure(work.add, [record("one", "_acme-challenge.example.org.", "example.org.")])
    assert error.code == "provider-zone-unknown"
    assert error.evidence["zone"] == "example.org"
    assert sorted(host.values.values()) == before


def test_a_zone_id_that_does_not_exist(host: Cloudflare) -> None:
    """An unknown `zone_id` is `provider-zone-unknown`."""
    work = Work(host, host.account(zone_id="0" * 32))
    assert work.failure(work.add, [record("one")]).code == "provider-zone-unknown"


def test_the_global_api_key(host: Cloudflare) -> None:
    """With ``auth_username`` the key is sent as the Global API Key, and never as a token."""
    work = Work(host, host.account(auth_username=EMAIL))
    work.add([record("one")])
    work.remove([record("one")])
    assert not any("Authorization" in asked.headers for asked in host.asked)
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}


def test_a_wrong_e_mail_address(host: Cloudflare) -> None:
    """The Global API Key with another e-mail address is refused, without a request about tokens."""
    work = Work(host, host.account(auth_username="other@example.com"))
    assert work.failure(work.add, [record("one")]).code == "provider-unauthorized"
    assert len(host.asked) == 1


def test_a_text_that_is_no_token(host: Cloudflare) -> None:
    """A token of another form (codes 6003 and 6111) is refused."""
    work = Work(host, host.account(auth_token="too-short"))
    error = work.failure(work.add, [record("one")])
    assert error.code == "provider-unauthorized"
    assert error.evidence["status"] == 400


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refused(403, 9109, "Unauthorized to access requested resource"), "provider-unauthorized"),
        (refused(400, 10000, "Refused"), "provider-unauthorized"),
        (refused(404, 7003, "Could not route"), "provider-zone-unknown"),
        (refused(400, 1004, "DNS Validation Error"), "provider-refused"),
        (refused(200, 1004, "DNS Validation Error"), "provider-refused"),
        (refused(429, 10000, "Please wait"), "provider-rate-limited"),
        (refused(503, 10000, "Unavailable"), "provider-server-error"),
        ((403, "<html>blocked</html>"), "provider-unauthorized"),
        ((400, {"success": False, "errors": 17}), "provider-refused"),
    ],
)
def test_error_codes(host: Cloudflare, answer: Answer, code: str) -> None:
    """Cloudflare's error codes decide, not the HTTP status."""
    work = Work(host, host.account(zone_id=ZONE_ID))
    host.faults = dict.fromkeys(range(100), lambda _: answer)
    assert work.failure(work.add, [record("one")]).code == code


def test_a_full_zone(host: Cloudflare) -> None:
    """A zone that has reached its plan's number of records is reported as such, not as a rate limit."""
    host.quota = len(host.values)
    error = Work(host).failure(Work(host).add, [record("one")])
    assert error.code == "provider-refused"
    assert error.evidence["zone"] == ZONE


def test_a_value_that_is_written_meanwhile(host: Cloudflare) -> None:
    """A batch that is refused for an identical record (81058) is sent again without it."""

    def somebody_writes(asked: Asked) -> Answer:
        answer = host.answer(asked)
        host.put("_acme-challenge.n0.example.com", "value-0")
        return answer

    host.faults = {1: somebody_writes}
    work = Work(host)
    assert requests_of(host, work.add, records(2)) == 5
    assert [value for _, value in host.values.values()].count("value-0") == 1
    assert requests_of(host, work.remove, records(2)) == 1
    assert not host.look(records(1)[0].name)


def test_a_value_that_is_removed_meanwhile(host: Cloudflare) -> None:
    """A record that is gone (81044) does not prevent the others from being removed."""
    work = Work(host)
    work.add(records(3))
    host.values = {key: value for key, value in host.values.items() if value[1] != "value-1"}
    assert requests_of(host, work.remove, records(3)) == 3
    assert not any(host.look(each.name) for each in records(3))


def test_more_values_than_a_batch_holds(host: Cloudflare) -> None:
    """Each request has at most 200 values."""
    work = Work(host)
    assert requests_of(host, work.add, records(401)) == 5
    assert requests_of(host, work.remove, records(401)) == 3
    assert len(host.values) == 2


def test_a_value_twice_in_a_call_is_written_once(host: Cloudflare) -> None:
    """A value that occurs twice in a call is written once."""
    Work(host).add([record("one"), record("one")])
    assert [value for _, value in host.values.values()].count("one") == 1


def test_a_message_never_has_the_key(host: Cloudflare) -> None:
    """A token that an answer repeats is redacted."""
    token = host.credentials["auth_token"]
    host.faults = dict.fromkeys(range(100), always(*refused(400, 1004, f"not {token}")))
    error = Work(host).failure(Work(host).add, [record("one")])
    assert token not in json.dumps(error.to_dict())
