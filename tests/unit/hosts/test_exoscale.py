"""Exoscale: signatures, operations, and names in Unicode."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dnsrenew.extensions.hosts import exoscale
from tests.kit.api_server import Asked
from tests.kit.host_work import Work, requests_of
from tests.kit.hosts.exoscale import Exoscale, signature
from tests.kit.hosts.stand_in import FOREIGN, ZONE, record, records


@pytest.fixture
def host() -> Iterator[Exoscale]:
    """Run the stand-in for Exoscale."""
    with Exoscale() as stand_in:
        yield stand_in


@pytest.fixture(autouse=True)
def short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pause between two requests."""
    monkeypatch.setattr(exoscale, "PAUSE", 0.001)


def test_the_stand_in_signs_as_documented() -> None:
    """The stand-in's signature equals the documentation's example: GET with two parameters."""
    asked = Asked("GET", "/v2/resource/a02baf5a-a3e4-49a0-857b-8a08d276c1c0?p2=v2&p1=v1", {}, "")
    assert signature("example-secret", asked, "p1;p2", "1599140767") == "vPVxcXrf2my0TLdJ8WPIGa/vLld+FiJN+xtMs/vofHg="


def test_the_path_of_the_address_is_signed_too(host: Exoscale) -> None:
    """The path of the API's URL is a part of the signature."""
    answer = host.answer

    def below(asked: Asked) -> tuple[int, object]:
        authorization = asked.headers["Authorization"]
        expires, signed = authorization.split("expires=")[1].split(",signature=")
        assert signature(host.credentials["auth_secret"], asked, "", expires) == signed
        path = asked.path.removeprefix("/v2")
        own = signature(host.credentials["auth_secret"], Asked(asked.method, path, {}, asked.body), "", expires)
        return answer(Asked(asked.method, path, {"Authorization": authorization.replace(signed, own)}, asked.body))

    host.answer = below  # type: ignore[method-assign]
    Work(host, host.account(api=f"{host.url}/v2")).add([record("one")])
    assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}


@pytest.mark.parametrize("polls", [0, 1, 3])
def test_operations_are_waited_for(host: Exoscale, polls: int) -> None:
    """A change succeeds when its operation is finished. One that is finished at once is not polled."""
    host.polls = polls
    work = Work(host)
    assert requests_of(host, work.add, [record("one"), record("two")]) == 2 + 2 * (1 + polls)
    assert requests_of(host, work.remove, [record("one"), record("two")]) == 2 * (1 + polls)
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("forbidden", "provider-unauthorized"),
        ("unavailable", "provider-server-error"),
        ("conflict", "provider-refused"),
        ("not-found", "provider-zone-unknown"),
    ],
)
def test_an_operation_that_fails(host: Exoscale, reason: str, code: str) -> None:
    """The operation's reason decides the error code. The error has the operation's message."""
    host.reason = reason
    error = Work(host).failure(Work(host).add, [record("one")])
    assert error.code == code
    assert "It did not work" in error.message


def test_a_record_that_vanishes_while_it_is_deleted(host: Exoscale) -> None:
    """A removal succeeds if its operation finds no record any more."""
    work = Work(host)
    work.add([record("one")])
    host.reason = "not-found"
    identifier = next(key for key, (_, value) in host.values.items() if value == "one")
    host.faults = {len(host.asked) + 1: lambda asked: (host.values.pop(identifier), host.answer(asked))[1]}
    work.remove([record("one")])
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}


def test_an_operation_without_a_reference(host: Exoscale) -> None:
    """Without a reference in the operation, the records are listed for the removal."""
    host.tells = False
    work = Work(host)
    work.add(records(2))
    work.remove(records(2))
    assert not host.look(records(1)[0].name)


@pytest.mark.parametrize("apex", ["", ".", "@"])
def test_the_names_of_the_zone_itself(host: Exoscale, apex: str) -> None:
    """Each form of the apex name is recognized, so an existing value is not written twice."""
    host.apex = apex
    Work(host).add([record("v=spf1 -all", f"{ZONE}.")])
    assert [value for _, value in host.values.values()].count("v=spf1 -all") == 1


def test_a_zone_with_an_international_name(host: Exoscale) -> None:
    """A zone name in Unicode is found by its A-label. A zone with an invalid name is skipped."""
    host.unicode_name = "bücher.test"
    wanted = record("one", "_acme-challenge.xn--bcher-kva.test.", "xn--bcher-kva.test.")
    Work(host).add([wanted])
    assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}
    host.unicode_name = "-.-"
    assert Work(host).failure(Work(host).add, [wanted]).code == "provider-zone-unknown"
