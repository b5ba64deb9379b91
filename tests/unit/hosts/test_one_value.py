"""Drivers of hosts that keep one value: what holds of every driver, as far as one value goes, and faults."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from dnsrenew.drivers.catalogue import find_provider, zone_for
from tests.kit.host_work import FAULTS, Work, always, each_fault, renew_late, requests_of
from tests.kit.hosts.stand_in import FOREIGN, ZONE, HostStandIn, record
from tests.kit.memory_lab import MemoryLab, MemoryStage
from tests.kit.one_value_hosts import ONE_VALUE, Ddnss, Hurricane

DEEP = record("deep", f"_acme-challenge.deep.{ZONE}.")


@pytest.fixture(params=ONE_VALUE, ids=lambda kind: kind.provider)
def host(request: pytest.FixtureRequest) -> Iterator[HostStandIn]:
    """Run each stand-in in turn."""
    with request.param() as stand_in:
        yield stand_in


def test_a_value_replaces_the_one_before(host: HostStandIn) -> None:
    """A value is written exactly as given, again without harm, replaced by another one, and removed, again too."""
    for value in ("-One_", "-One_", "two"):
        Work(host).add([record(value)])
        assert host.look(FOREIGN[0]) == {value}
    for _ in range(2):
        Work(host).remove([record("two")])
        assert "two" not in host.look(FOREIGN[0])


def test_a_renewal_with_name_servers_that_are_late(host: HostStandIn, lab: MemoryLab, stage: MemoryStage) -> None:
    """A domain gets a certificate where a change is served after ten minutes; its value does not stay."""
    renew_late(host, lab, stage, [ZONE])
    assert not [value for value in host.look(FOREIGN[0]) if len(value) == 43]


def test_values_of_two_names_in_a_call(host: HostStandIn) -> None:
    """A call with two names processes both; removing takes as few requests as the host allows."""
    Work(host).add([record("one"), DEEP])
    assert host.look(DEEP.name) == {"deep"}
    assert requests_of(host, Work(host).remove, [record("one"), DEEP]) == (1 if host.provider == "ddnss" else 2)
    assert not {"one", "deep"} & (host.look(DEEP.name) | host.look(FOREIGN[0]))


@pytest.mark.parametrize("action", ["add", "remove"])
@each_fault
def test_a_fault_at_each_request(host: HostStandIn, fault: str, action: str) -> None:
    """A fault gives an error with the right code, and the value stays."""
    answer, codes = FAULTS[fault]
    for position in range(2):
        start = len(host.asked) + position
        host.faults = dict.fromkeys(range(start, start + 100), answer)
        work = Work(host)
        error = work.outcome(getattr(work, action), [record("one"), DEEP])
        assert error is None or error.code in codes, (position, error)
        assert (error is None) == (host.provider == "ddnss" and action == "remove" and position == 1)


def test_wrong_credentials(host: HostStandIn) -> None:
    """A wrong key is `provider-unauthorized`, and it is in no message."""
    wrong = host.credentials[host.secret].replace("good", "wr0ng")
    work = Work(host, host.account(**{host.secret: wrong}))
    error = work.failure(work.add, [record("one")])
    assert error.code == "provider-unauthorized"
    assert "wr0ng-key" not in json.dumps(error.to_dict())
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}


def test_a_retry_after_is_kept(host: HostStandIn) -> None:
    """The call waits as long as the host asks, and then succeeds."""
    work = Work(host)
    host.headers["Retry-After"] = "7"
    host.faults = {0: FAULTS["429"][0]}
    work.add([record("one")])
    assert host.look(FOREIGN[0]) == {"one"}
    assert 7 <= work.context.clock.monotonic() < 8


def test_a_record_without_a_key() -> None:
    """Hurricane Electric: without a key for the name, nothing is asked, and the error names the option."""
    with Hurricane() as host:
        error = Work(host).failure(Work(host).add, [record("one", "_acme-challenge.www.example.com.")])
        assert error.code == "option-invalid"
        assert "tokens" in error.message
        assert "good-key" not in json.dumps(error.to_dict())
        assert not host.asked


def test_one_key_without_a_name() -> None:
    """Hurricane Electric: an account for one name can have its key alone."""
    with Hurricane() as host:
        Work(host, host.account(tokens="good-key-0000-4711")).add([record("one")])
        assert host.look(FOREIGN[0]) == {"one"}


@pytest.mark.parametrize(
    ("word", "code"),
    [("abuse", "provider-rate-limited"), ("notfqdn", "provider-refused"), ("911", "provider-malformed-answer")],
)
def test_the_words_of_an_answer(word: str, code: str) -> None:
    """Hurricane Electric: the first word says what happened; an unknown one is no success."""
    with Hurricane() as host:
        host.faults = dict.fromkeys(range(100), always(200, f"{word}\n"))
        assert Work(host).failure(Work(host).add, [record("one")]).code == code


def test_a_host_name_that_is_not_in_the_account() -> None:
    """ddnss.de: the page of an error says why, and its first known reason counts."""
    elsewhere = record("one", "_acme-challenge.example.org.", "example.org.")
    with Ddnss() as host:
        error = Work(host).failure(Work(host).add, [elsewhere])
        assert error.code == "provider-zone-unknown"
        assert "Hostname fehlt oder ist falsch" in error.message


@pytest.mark.parametrize("domain", ["me.ddnss.de", "me.dyn.ddnss.de", "me.home-webserver.de"])
def test_the_zone_of_a_host_name(domain: str) -> None:
    """ddnss.de: the zone is one label below the longest of its domains."""
    provider = find_provider("ddnss")
    assert provider is not None
    assert zone_for(provider, f"_acme-challenge.www.{domain}.") == f"{domain}."
