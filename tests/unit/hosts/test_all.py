"""Every driver for a host's HTTP API: the contract of drivers, requests, and what goes wrong at each request."""

from __future__ import annotations

import importlib
import itertools
import json
import pkgutil
import socket
from collections.abc import Iterator

import pytest

import tests.kit.hosts
from dnsrenew.errors import ProviderError, SecretError
from dnsrenew.extensions.hosts import EXTENSION
from dnsrenew.testing import check_driver
from tests.kit.clock import FakeClock
from tests.kit.drivers import maker
from tests.kit.host_work import ALIKE, ANYTHING, FAULTS, Work, renew_late, requests_of
from tests.kit.hosts.stand_in import FOREIGN, ZONE, HostStandIn, record, records
from tests.kit.memory_lab import MemoryLab, MemoryStage
from tests.kit.one_value_hosts import ONE_VALUE

MODULES = [module.name for module in pkgutil.iter_modules(tests.kit.hosts.__path__) if module.name != "stand_in"]
MANY = 20
OTHERS = {"acme.sh", "duckdns", "lexicon"}
"""Drivers with tests of their own: of programs and libraries of others, and with DNS (tests/contract)."""


def kinds() -> Iterator[type[HostStandIn]]:
    """The stand-ins."""
    for name in MODULES:
        module = importlib.import_module(f"tests.kit.hosts.{name}")
        yield from (
            kind
            for kind in vars(module).values()
            if isinstance(kind, type) and issubclass(kind, HostStandIn) and kind.__module__ == module.__name__
        )


@pytest.fixture(params=kinds(), ids=lambda kind: kind.provider)
def host(request: pytest.FixtureRequest) -> Iterator[HostStandIn]:
    """Run each stand-in in turn."""
    with request.param() as stand_in:
        yield stand_in


def test_every_driver_has_a_stand_in() -> None:
    """Each driver of a DNS host is run here, or where the hosts that keep one value are."""
    assert EXTENSION.drivers is not None
    stand_ins = {kind.provider for kind in (*kinds(), *ONE_VALUE)}
    assert sorted(EXTENSION.drivers().keys() - stand_ins) == sorted(OTHERS)


def test_the_contract_of_drivers(host: HostStandIn) -> None:
    """Every MUST of the protocol holds."""
    late = maker(host.account(), cancelled=True)
    check_driver(maker(host.account()), ZONE, look=host.look, patience=0.1, cancelled=late)


def test_name_servers_that_are_late(host: HostStandIn) -> None:
    """Every MUST holds where the name servers of the host serve a change only after a minute."""
    clock = FakeClock()
    check_driver(maker(host.account()), ZONE, look=host.late(clock, 60), patience=65, clock=clock)
    assert clock.monotonic() >= 8 * 60  # each of its changes was waited for


def test_a_renewal_with_name_servers_that_are_late(host: HostStandIn, lab: MemoryLab, stage: MemoryStage) -> None:
    """A domain and its wildcard get a certificate where a change is served after ten minutes; nothing is left."""
    before = sorted(host.values.values())
    renew_late(host, lab, stage, [ZONE, f"*.{ZONE}"])
    assert sorted(host.values.values()) == before


def test_an_api_that_shows_a_change_later(host: HostStandIn) -> None:
    """What an API lists may be older than what was written: within a call nothing is lost, and nothing stays."""
    work, wanted, before = Work(host), [record("one"), record("two"), *records(3)], sorted(host.values.values())
    with host.stale():
        work.add(wanted)
    assert all(each.value in host.look(each.name) for each in wanted)
    assert FOREIGN[1] in host.look(FOREIGN[0])
    with host.stale():
        work.remove(wanted)
    assert sorted(host.values.values()) == before


def test_values_of_somebody_else_stay(host: HostStandIn) -> None:
    """A foreign value at the same name, and records at other names, survive writing and removing."""
    work, before = Work(host), dict(host.values)
    work.add([record("one"), record("two")])
    assert host.look(FOREIGN[0]) == {"one", "two", FOREIGN[1]}
    work.remove([record("one"), record("two")])
    assert sorted(host.values.values()) == sorted(before.values())


def test_the_zone_itself(host: HostStandIn) -> None:
    """A value at the apex of the zone is written beside the others."""
    work, apex = Work(host), record("at the top", f"{ZONE}.")
    work.add([apex])
    assert host.look(ZONE) == {"v=spf1 -all", "at the top"}
    work.remove([apex])
    assert host.look(ZONE) == {"v=spf1 -all"}


def test_requests_for_twenty_names(host: HostStandIn) -> None:
    """A batch takes the number of requests that the stand-in says; else `each` for a value, and `besides`."""
    work, wanted = Work(host), records(MANY)
    written, removed = requests_of(host, work.add, wanted), requests_of(host, work.remove, wanted)
    if host.batch is None:
        assert written + removed <= 2 * host.each * MANY + host.besides
    else:
        assert max(written, removed) <= host.batch
    assert not any(host.look(each.name) for each in wanted)


def test_a_later_process_removes_without_identifiers(host: HostStandIn) -> None:
    """Values that another process has written are found by name and value."""
    Work(host).add([record("one"), *records(3)])
    Work(host).remove([record("one"), *records(3)])
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}
    assert not host.look(records(1)[0].name)


@pytest.mark.parametrize("most", [0, pytest.param(10000, marks=pytest.mark.slow)])
def test_a_zone_with_many_records(host: HostStandIn, most: int) -> None:
    """All pages are read: a value on the last one is found, and no other record is removed."""
    count = most or host.largest_page + 100
    host.fill(count)
    Work(host).add([record("last")])
    host.fill(3)
    Work(host).add([record("last")])
    assert [value for _, value in host.values.values()].count("last") == 1
    Work(host).remove([record("last")])
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}
    assert host.look(f"host{count - 1}.{ZONE}") == {f"text {count - 1}"}


def test_a_zone_without_records(host: HostStandIn) -> None:
    """The first value of a zone is written, and the last one removed."""
    host.values.clear()
    Work(host).add([record("one")])
    assert host.look(FOREIGN[0]) == {"one"}
    Work(host).remove([record("one"), *records(2)])
    assert not host.values


def test_a_long_value(host: HostStandIn) -> None:
    """A value of more than 255 characters is written beside another one, found again and removed."""
    work, long = Work(host), "0123456789" * 40
    work.add([record(long)])
    Work(host).add([record(long)])
    assert sorted(value for name, value in host.values.values() if name == FOREIGN[0]) == sorted([long, FOREIGN[1]])
    Work(host).remove([record(long)])
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}


def test_wrong_credentials(host: HostStandIn) -> None:
    """A wrong secret is `provider-unauthorized`. The message names the account and the options, never the secret."""
    wrong = "wr0ng-" + host.credentials[host.secret]
    error = Work(host, host.account(**{host.secret: wrong})).failure(
        Work(host, host.account(**{host.secret: wrong})).add, [record("one")]
    )
    assert error.code == "provider-unauthorized"
    assert wrong not in json.dumps(error.to_dict())
    assert f"dnsrenew providers {host.provider}" in error.fix
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}


@pytest.mark.parametrize("form", ["\u201c{}\u201d", "{}\nmore", "{}\u20ac"], ids=["quoted", "two-lines", "euro"])
def test_credentials_that_no_request_can_carry(host: HostStandIn, form: str) -> None:
    """Credentials pasted with curly quotes or a line break are a wrong secret, and nothing is sent.

    A password can have any letter: with another one it is a wrong password, or refused by the host's API.
    """
    wrong = form.format(host.credentials[host.secret])
    work, before = Work(host, host.account(**{host.secret: wrong})), len(host.asked)
    with pytest.raises((SecretError, ProviderError)) as caught:
        work.add([record("one")])
    assert caught.value.code in {"secret-missing", "provider-unauthorized"}
    assert (len(host.asked) == before) or caught.value.code == "provider-unauthorized"
    assert wrong not in json.dumps(caught.value.to_dict(), ensure_ascii=False)
    assert host.look(FOREIGN[0]) == {FOREIGN[1]}


def test_a_zone_that_is_not_in_the_account(host: HostStandIn) -> None:
    """The error names the zone and has the code of an unknown zone."""
    elsewhere = record("one", "_acme-challenge.example.org.", "example.org.")
    error = Work(host).failure(Work(host).add, [elsewhere])
    assert error.code == host.unknown_zone
    assert "example.org" in str(error)


@pytest.mark.parametrize("all_of_them", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["half", "all"])
def test_a_fault_at_each_request(host: HostStandIn, all_of_them: bool) -> None:
    """A fault at any request gives an error with the right code and a fix with a page.

    Other values are kept. The faults repeat at every later request, so that no further attempt hides one. Each request
    has half of the faults, and its neighbour the others; all of them are slow.
    """
    wanted = [record("one"), *records(2)]
    empty = dict(host.values)
    totals = {"add": requests_of(host, Work(host).add, wanted)}
    written = dict(host.values)
    totals["remove"] = requests_of(host, Work(host).remove, wanted)
    places = [(action, position) for action, total in totals.items() for position in range(total)]
    faults = sorted(FAULTS if all_of_them else FAULTS.keys() - ALIKE)
    for (row, fault), (column, (action, position)) in itertools.product(enumerate(faults), enumerate(places)):
        if (row + column) % 2 and not all_of_them:
            continue
        answer, codes = FAULTS[fault]
        host.values = dict(empty if action == "add" else written)
        start = len(host.asked) + position
        host.faults = dict.fromkeys(range(start, start + 100), answer)
        work = Work(host)
        error = work.outcome(getattr(work, action), wanted)
        host.faults = {}
        is_needless = host.last_ends_session and position == totals[action] - 1
        more = {ANYTHING} if is_needless or not host.bodies_are_defined else set()
        assert (ANYTHING if error is None else error.code) in codes | more, (fault, action, position, error)
        if error is not None:
            assert work.provider.page in error.fix or "dnsrenew providers" in error.fix
            assert host.credentials[host.secret] not in json.dumps(error.to_dict())
        assert FOREIGN[1] in host.look(FOREIGN[0])
        assert host.look(ZONE) == {"v=spf1 -all"}


def test_a_retry_after_is_kept(host: HostStandIn) -> None:
    """The call waits as long as the host asks, and then succeeds."""
    work = Work(host)
    host.headers["Retry-After"] = "7"
    host.faults = {0: FAULTS["429"][0]}
    work.add([record("one")])
    assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}
    assert 7 <= work.context.clock.monotonic() < 8


def test_nobody_answers(host: HostStandIn) -> None:
    """A closed port is `provider-unreachable`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
    work = Work(host, host.account(api=closed))
    error = work.failure(work.add, [record("one")])
    assert (error.code, error.evidence.get("sent")) == ("provider-unreachable", False)


def test_the_address_may_have_a_path_and_end_in_a_slash(host: HostStandIn) -> None:
    """``api`` may end with a slash."""
    Work(host, host.account(api=f"{host.url}/")).add([record("one")])
    assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}


def test_secrets_are_sent_to_the_host_only(host: HostStandIn) -> None:
    """A redirect is an error. No key is sent to another host."""
    with type(host)() as other:
        host.headers["Location"] = f"{other.url}/x"
        host.faults = dict.fromkeys(range(100), lambda _: (307, ""))
        error = Work(host).failure(Work(host).add, [record("one")])
        assert error.code == "provider-unreachable"
        assert not other.asked
