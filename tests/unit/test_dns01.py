"""The dns-01 challenge: placements, batches, locks and withdrawal, with fake DNS and hosts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base import threads
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.model import DnsAccount, Propagation, Route, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import replace
from dnsrenew.challenges.dns01 import AccountChoice, Dns01
from dnsrenew.challenges.records import RecordWriter, TxtPlacement, TxtValue
from dnsrenew.challenges.records import batches as rounds_of
from dnsrenew.challenges.solver import Placements, SolverResources
from dnsrenew.dns import DnsView, Target
from dnsrenew.drivers.provider import OWN_OBJECT, Behaviour, Provider
from dnsrenew.errors import Cancelled, ChallengeError, DnsError, ProviderError, SecretError, StoreError
from dnsrenew.store import FolderStore
from dnsrenew.store.atomic_io import AtomicFiles
from dnsrenew.store.journal import Journal, JournalFolder
from dnsrenew.store.paths import Paths
from dnsrenew.store.zone_locks import ZoneLocks
from dnsrenew.testing import InMemoryDriver
from tests.kit.clock import FakeClock
from tests.kit.dns import MemoryDns

ROUTE = Route("dns-01")


class Dns01Stage:
    """Accounts at hosts that behave as a test wants; `locked` has every lock that was taken, in order."""

    def __init__(self, *zones: str, cnames: Mapping[str, str] | None = None) -> None:
        self.hosts: dict[str, InMemoryDriver] = {}
        self.dns = MemoryDns(self.hosts, zones or ("example.test", "other.test"), cnames or {}, is_strict=False)
        self.accounts: dict[str, DnsAccount] = {}
        self.providers: dict[str, Provider] = {}
        self.locked: list[str] = []
        self.attended = False
        self.journal = cast("Journal", None)
        self.events: list[Event] = []
        self.context = Context(clock=FakeClock(), emitter=Emitter(FakeClock(), self.events.append))

    def account(
        self,
        name: str,
        *zones: str,
        driver: object = None,
        suffixes: tuple[str, ...] = (),
        ttl: int | None = None,
        **behaviour: Any,
    ) -> InMemoryDriver:
        """Add an account at a host of its own."""
        driver = driver or InMemoryDriver()
        self.accounts[name] = DnsAccount(f"host-{name}", name=name, zones=zones, ttl=ttl, driver=driver)
        self.providers[f"host-{name}"] = Provider(
            name=f"host-{name}",
            title=name.title(),
            driver=OWN_OBJECT,
            any_options=True,
            zone_suffixes=suffixes,
            behaviour=Behaviour(**behaviour),
        )
        memory = cast("InMemoryDriver", driver)
        self.hosts[name] = memory
        return memory

    @property
    def choice(self) -> AccountChoice:
        """Return the choice among all accounts so far."""
        writers = {
            name: RecordWriter(account, self.providers[account.provider]) for name, account in self.accounts.items()
        }
        return AccountChoice(cast("DnsView", self.dns), writers, attended=self.attended)

    @property
    def dns01(self) -> Dns01:
        """The challenge with all accounts so far."""
        dns, locks = cast("DnsView", self.dns), cast("ZoneLocks", self)
        resources = SolverResources(dns, self.accounts, self.providers, locks, self.journal, attended=self.attended)
        return Dns01(resources)

    @contextlib.contextmanager
    def value(self, _context: Context, place: str) -> Iterator[None]:
        """The lock of a place that takes one value."""
        self.locked.append(place)
        yield
        self.locked.append(f"-{place}")

    @contextlib.contextmanager
    def writing(self, _context: Context, zone: str, _seconds: float) -> Iterator[None]:
        """The lock of a zone that takes one writer."""
        with self.value(_context, f"writing {zone}"):
            yield

    def place(self, *identifiers: str, route: Route = ROUTE) -> dict[str, TxtPlacement]:
        """Where the values of these go: by the first that a route stands for, and all that one names."""
        placements = Placements(dict.fromkeys(identifiers, route))
        self.dns01.preflight(self.context, identifiers, route, "authoritative", placements)
        for blocker in placements.blockers:
            raise blocker.error
        return cast("dict[str, TxtPlacement]", placements.placements)

    def accounts_for(self, identifier: str, route: Route = ROUTE) -> list[tuple[str, ...]]:
        """The accounts of each route that a route stands for."""
        targets, _ = self.choice.targets(self.context, [identifier], route, "authoritative")
        return [one.dns for one in self.choice.routes(targets[identifier].name, route)]

    def values(self, *identifiers: str, route: Route = ROUTE) -> list[TxtValue]:
        """A value for each, called v1, v2 and so on, once for each account that writes it."""
        placed = self.place(*identifiers, route=route).values()
        return [value for number, place in enumerate(placed, 1) for value in self.dns01.values(place, f"v{number}")]

    def kinds(self) -> list[str]:
        """The kinds of the emitted events."""
        return [event.kind for event in self.events]


def spots(placement: TxtPlacement) -> list[tuple[str, str]]:
    """The account that writes and its zone, for each."""
    return [(writer.account.name, zone) for writer, zone in placement.writers]


def texts(rounds: list[list[TxtValue]]) -> list[list[str]]:
    """Return the values of each round."""
    return [[value.record.value for value in values] for values in rounds]


# ── where, and by whom ──────────────────────────────────────────────────────────────────


def test_a_name_and_its_wildcard_have_one_place() -> None:
    """A wildcard is validated at its base domain (RFC 8555 section 8.4)."""
    stage = Dns01Stage()
    stage.account("home")
    placed = stage.place("example.test", "*.example.test")
    assert {place.name for place in placed.values()} == {"_acme-challenge.example.test."}
    assert [spots(place) for place in placed.values()] == [[("home", "example.test.")]] * 2
    assert list(placed) == ["example.test", "*.example.test"]


@pytest.mark.parametrize(
    ("accounts", "name", "order"),
    [
        ({"a": ["example.test"], "b": ["sub.example.test"]}, "x.sub.example.test", "ba"),
        ({"a": ["sub.example.test"], "b": ["example.test"]}, "x.sub.example.test", "ab"),
        ({"a": ["test", "other.test"], "b": ["example.test"]}, "example.test", "ba"),
        ({"a": ["example.test"], "b": ["example.test"]}, "example.test", "ab"),
        ({"a": [], "b": ["example.test"]}, "example.test", "ba"),
        ({"a": [], "b": ["example.test"]}, "other.test", "a"),
        ({"a": ["ample.test"], "b": []}, "example.test", "b"),
        ({"a": ["other.test"]}, "example.test", ""),
    ],
)
def test_the_longest_fitting_zone_comes_first_then_the_order_of_the_file(
    accounts: dict[str, list[str]], name: str, order: str
) -> None:
    """The longest zone of all accounts wins, by labels; an account without zones takes what no other account has.

    A route without accounts expands to one route for each account that fits, so that another is left if one fails.
    """
    stage = Dns01Stage()
    for account, zones in accounts.items():
        stage.account(account, *zones)
    assert stage.accounts_for(name) == [(account,) for account in order]


def test_a_route_that_stands_for_several_hands_on_what_it_says() -> None:
    """An expanded route keeps its CA, alias and follow_cname; a route with accounts is not expanded."""
    stage = Dns01Stage()
    stage.account("home")
    route = Route("dns-01", ca="two", alias="x.other.test", follow_cname=False)
    assert stage.choice.routes("x.other.test.", route) == [
        Route("dns-01", dns=("home",), ca="two", alias="x.other.test", follow_cname=False)
    ]
    named = Route("dns-01", dns=("home", "elsewhere"))
    assert stage.choice.routes("x.other.test.", named) == [named]


def test_the_stated_zone_is_the_zone() -> None:
    """The zone is that of the account, then the suffix of the host, then that of the SOA record."""
    stage = Dns01Stage("example.test", "sub.example.test", "duckdns.org")
    stage.account("stated", "example.test")
    assert spots(stage.place("x.sub.example.test")["x.sub.example.test"]) == [("stated", "example.test.")]
    stage.account("duck", suffixes=("duckdns.org",))
    assert spots(stage.place("a.b.home.duckdns.org")["a.b.home.duckdns.org"]) == [("duck", "home.duckdns.org.")]
    stage.accounts.pop("stated")
    stage.account("any")
    assert spots(stage.place("x.sub.example.test")["x.sub.example.test"]) == [("any", "sub.example.test.")]


def test_a_host_with_suffixes_writes_nowhere_else() -> None:
    """An account of DuckDNS without zones cannot write example.test."""
    stage = Dns01Stage()
    stage.account("duck", suffixes=("duckdns.org",))
    with pytest.raises(DnsError) as caught:
        stage.place("www.example.test")
    assert caught.value.code == "dns-no-account"
    assert caught.value.evidence["zones"] == ["duckdns.org"]
    assert "_acme-challenge.www.example.test" in caught.value.message


def test_the_account_is_chosen_by_where_a_cname_ends() -> None:
    """The account is chosen by the target of the CNAME, not by the validated name."""
    stage = Dns01Stage(cnames={"_acme-challenge.example.test.": "x.other.test."})
    stage.account("home", "example.test")
    stage.account("other", "other.test")
    place = stage.place("example.test")["example.test"]
    assert (place.name, spots(place)) == ("x.other.test.", [("other", "other.test.")])


def test_a_cname_into_another_zone_is_a_warning() -> None:
    """A CNAME into a zone that neither account nor route names causes a warning with both remedies."""
    stage = Dns01Stage(cnames={"_acme-challenge.www.example.test.": "_dmarc.other.test."})
    stage.account("home")
    assert spots(stage.place("www.example.test")["www.example.test"]) == [("home", "other.test.")]
    (notice,) = stage.context.notices
    assert notice.code == "cname-elsewhere"
    for part in ("www.example.test", "_dmarc.other.test", "zone other.test", "account home"):
        assert part in notice.message
    assert 'zones = ["other.test"]' in notice.fix
    assert 'alias = "_dmarc.other.test"' in notice.fix


@pytest.mark.parametrize(
    ("name", "end", "zones", "route", "warns"),
    [
        ("www.example.test", "_acme-challenge.other.test.", (), ROUTE, False),
        ("www.example.test", "x._acme-challenge.other.test.", (), ROUTE, True),
        ("www.example.test", "x.example.test.", (), ROUTE, False),
        ("www.sub.example.test", "_dmarc.example.test.", (), ROUTE, True),  # its own zone is sub.example.test
        ("*.example.test", "x.other.test.", (), Route("dns-01", dns=("home",)), True),
        ("www.example.test", "x.other.test.", ("other.test",), ROUTE, False),
        ("www.example.test", "x.other.test.", (), Route("dns-01", alias="x.other.test"), False),
        ("www.example.test", "x.other.test.", (), Route("dns-01", follow_cname=False), False),
    ],
)
def test_what_the_configuration_says_is_no_warning(
    name: str, end: str, zones: tuple[str, ...], route: Route, warns: bool
) -> None:
    """A configured target, an ACME name or a name in the identifier's zone causes no warning."""
    stage = Dns01Stage("example.test", "sub.example.test", "other.test")
    stage.dns.cnames = {f"_acme-challenge.{name.removeprefix('*.')}.": end}
    stage.account("home", *zones)
    stage.place(name, route=route)
    assert [notice.code for notice in stage.context.notices] == ["cname-elsewhere"] * warns


def test_each_account_without_zones_is_named() -> None:
    """A host with suffixes has no zones either: the zone in the fix is the one that it writes."""
    stage = Dns01Stage("example.test", "duckdns.org", cnames={"_acme-challenge.example.test.": "home.duckdns.org."})
    stage.account("duck", suffixes=("duckdns.org",))
    stage.account("any")
    stage.account("limited", "home.duckdns.org")
    stage.place("example.test", route=Route("dns-01", dns=("duck", "any", "limited")))
    assert [notice.message.partition("account ")[2].split()[0] for notice in stage.context.notices] == [
        "duck",
        "any",
    ]
    assert 'zones = ["home.duckdns.org"]' in stage.context.notices[0].fix


def test_a_route_limits_the_accounts() -> None:
    """A route's accounts are used even if another account fits better; one that may not write is an error."""
    stage = Dns01Stage()
    stage.account("wide", "test")
    stage.account("close", "example.test")
    placed = stage.place("example.test", route=Route("dns-01", dns=("wide",)))
    assert spots(placed["example.test"]) == [("wide", "test.")]
    for names in ("close",), ("wide", "close"):
        with pytest.raises(DnsError) as caught:
            stage.place("other.test", route=Route("dns-01", dns=names))
        assert caught.value.code == "dns-no-account"
        assert caught.value.evidence["identifier"] == "other.test"
        assert caught.value.evidence["zones"] == ["example.test"]


def test_a_zone_at_two_hosts_has_two_writers() -> None:
    """Two hosts of one zone both write the value, each in its own zone and with its own TTL."""
    stage = Dns01Stage()
    stage.account("a", "example.test", ttl=600)
    stage.account("b")
    both = Route("dns-01", dns=("b", "a"))
    placed = stage.place("www.example.test", route=both)["www.example.test"]
    assert spots(placed) == [("b", "example.test."), ("a", "example.test.")]
    name = "_acme-challenge.www.example.test."
    assert [(value.identifier, value.record) for value in stage.values("www.example.test", route=both)] == [
        ("www.example.test", TxtRecord("example.test.", name, "v1", 60)),
        ("www.example.test", TxtRecord("example.test.", name, "v1", 600)),
    ]


def test_a_route_s_names_are_looked_up_together() -> None:
    """All names of a route are looked up in one call, with alias, follow_cname and check."""
    stage = Dns01Stage()
    route = Route("dns-01", alias="x.other.test", follow_cname=False)
    targets, refused = stage.choice.targets(stage.context, ["a.example.test", "c.example.test"], route, "doh")
    assert refused == {}
    assert {target.name for target in targets.values()} == {"x.other.test."}
    how = {"follow_cname": False, "alias": "x.other.test", "check": "doh", "label": "_acme-challenge"}
    assert stage.dns.asked == [(["a.example.test", "c.example.test"], how)]


def test_a_name_that_is_lost_takes_no_other_with_it() -> None:
    """Each name gets its own target or error; a cancel is raised."""
    stage = Dns01Stage()
    stage.dns.lost = {"b.example.test"}
    names = ["a.example.test", "b.example.test", "c.example.test"]
    targets, refused = stage.choice.targets(stage.context, names, ROUTE, "authoritative")
    assert list(targets) == ["a.example.test", "c.example.test"]
    assert [(name, error.code) for name, error in refused.items()] == [("b.example.test", "dns-no-zone")]

    def called_away(context: Context, identifiers: Sequence[str], **how: Any) -> dict[str, Target]:
        raise Cancelled("cancelled", "Stopped.", fix="Run it again.")

    stage.dns.challenge_targets = called_away  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        stage.choice.targets(stage.context, names, ROUTE, "authoritative")


def test_only_the_secrets_of_those_who_write_are_read() -> None:
    """Secrets are read once for each writing account; a missing one stops only the routes that need it."""
    stage = Dns01Stage()
    asked: list[str] = []

    def secret(name: str) -> Secret:
        return Secret._reference(f"env:{name}", lambda _: asked.append(name) or name)  # type: ignore[func-returns-value]

    for name, zone in (("home", "example.test"), ("other", "other.test")):
        stage.account(name, zone)
        stage.accounts[name].options["token"] = secret(name)
    dns01 = stage.dns01
    dns01.prepare(stage.context, stage.place("example.test", "www.example.test").values())
    assert asked == ["home"]
    stage.accounts["other"].options["token"] = Secret.env("DNSRENEW_TEST_NOT_THERE")
    dns01.prepare(stage.context, stage.place("example.test").values())
    with pytest.raises(SecretError):
        dns01.prepare(stage.context, stage.place("other.test").values())


# ── what, and in which turn ─────────────────────────────────────────────────────────────


def test_the_account_s_ttl_wins_over_the_host_s() -> None:
    """The record has absolute names, the value unchanged, and the TTL of the account or the host."""
    stage = Dns01Stage()
    stage.account("home", "example.test", ttl=600)
    (ours,) = stage.values("example.test")
    assert ours.record == TxtRecord("example.test.", "_acme-challenge.example.test.", "v1", 600)
    stage.account("home", "example.test")
    (theirs,) = stage.values("example.test")
    assert theirs.record.ttl == Behaviour().ttl


NAMES = ("example.test", "*.example.test", "www.example.test", "other.test")


@pytest.mark.parametrize(
    ("behaviour", "rounds", "locks"),
    [
        ({}, [["v1", "v2", "v3", "v4"]], []),
        ({"exclusive": True}, [["v1", "v2", "v3", "v4"]], []),
        (
            {"values": "one"},
            [["v1", "v3", "v4"], ["v2"]],
            ["_acme-challenge.example.test.", "_acme-challenge.other.test.", "_acme-challenge.www.example.test."],
        ),
        (
            {"values": "one", "scope": "zone"},
            [["v1", "v4"], ["v2"], ["v3"]],
            ["example.test.", "other.test."],
        ),
    ],
)
def test_values_that_cannot_stand_together_take_turns(
    behaviour: dict[str, Any], rounds: list[list[str]], locks: list[str]
) -> None:
    """Single-value names and zones split the values into as few batches as possible, and are locked.

    All certificates take the locks in the same order, so that they do not deadlock.
    """
    stage = Dns01Stage()
    stage.account("home", **behaviour)
    assert texts(rounds_of(stage.values(*NAMES))) == rounds
    with stage.dns01.exclusive(stage.context, list(reversed(stage.place(*NAMES).values()))):
        assert stage.locked == locks
    assert len(stage.locked) == 2 * len(locks)


def test_no_value_is_no_round() -> None:
    """Without values there is no batch."""
    assert rounds_of([]) == []


def test_hosts_of_both_kinds_share_the_first_round() -> None:
    """Only a host that keeps one value needs a second batch."""
    stage = Dns01Stage()
    stage.account("many", "other.test")
    stage.account("one", "example.test", values="one")
    values = stage.values("other.test", "*.other.test", "example.test", "*.example.test")
    assert texts(rounds_of(values)) == [["v1", "v2", "v3"], ["v4"]]


def test_a_host_that_keeps_two_values() -> None:
    """A domain and its wildcard are in one batch; the names that share a place with them wait for the next."""
    stage = Dns01Stage()
    stage.account("two", values="two", scope="zone")
    values = stage.values("example.test", "*.example.test", "www.example.test", "a.example.test", "b.example.test")
    assert texts(rounds_of(values)) == [["v1", "v2"], ["v3", "v4"], ["v5"]]


def test_an_account_that_needs_a_cname() -> None:
    """The account writes the target of the CNAME. Without one, the error names `dnsrenew delegate`, before an order."""
    stage = Dns01Stage("example.test", "other.test", cnames={"_acme-challenge.example.test.": "x1.other.test."})
    stage.account("home", delegated=True)
    assert stage.place("example.test")["example.test"].name == "x1.other.test."
    with pytest.raises(DnsError) as caught:
        stage.place("www.example.test")
    assert caught.value.code == "dns-not-delegated"
    assert "dnsrenew delegate www.example.test" in caught.value.fix


def test_records_that_a_person_sets() -> None:
    """Without a person the route is ruled out before an order. With one, an event has the records to set."""
    stage = Dns01Stage()
    stage.account("me", by_hand=True, removes=False)
    with pytest.raises(ChallengeError) as caught:
        stage.place("example.test")
    assert caught.value.code == "manual-no-terminal"
    stage.attended = True
    dns01 = stage.dns01
    dns01.publish(stage.context, stage.values("example.test"))
    assert stage.kinds() == ["txt-writing", "txt-by-hand"]
    assert stage.events[1].data["records"][0]["name"] == "_acme-challenge.example.test."


BOTH = Route("dns-01", dns=("many", "one"))


def test_the_values_of_one_name_stay_together() -> None:
    """The values of one name at two hosts are in the same batch, even if only one host keeps one value."""
    stage = Dns01Stage()
    stage.account("many")
    stage.account("one", values="one")
    values = stage.values("example.test", "*.example.test", "other.test", route=BOTH)
    assert texts(rounds_of(values)) == [["v1", "v1", "v3", "v3"], ["v2", "v2"]]
    for values_of_round in rounds_of(values):
        writers = [value.writer.account.name for value in values_of_round]
        assert writers == ["many", "one"] * (len(writers) // 2)


@given(
    st.lists(st.sampled_from(NAMES), min_size=1, unique=True),
    st.lists(
        st.sampled_from([("many", "one"), ("many", "zone"), ("one", "name"), ("one", "zone"), ("two", "zone")]),
        min_size=1,
    ),
)
def test_rounds_are_right_for_any_hosts(names: list[str], hosts: list[tuple[str, str]]) -> None:
    """For any hosts, each value is in one batch, and no key holds more values than its host allows.

    A value is in a later batch only if one of its keys is full in each batch before.
    """
    stage = Dns01Stage()
    for number, (many, scope) in enumerate(hosts):
        stage.account(str(number), values=many, scope=scope)
    route = Route("dns-01", dns=[str(number) for number in range(len(hosts))])
    values = stage.values(*names, route=route)
    rounds = rounds_of(values)
    assert sorted(map(id, values)) == sorted(id(value) for some in rounds for value in some)
    before: list[set[tuple[str, str]]] = []
    for some in rounds:
        taken = [
            (value.writer.account.name, value.single_value_key) for value in some if value.single_value_key is not None
        ]
        full = {key for key in taken if taken.count(key) == stage.providers[f"host-{key[0]}"].behaviour.most_values}
        assert all(taken.count(key) <= int({"one": 1, "two": 2}[hosts[int(key[0])][0]]) for key in taken)
        assert all(len([value for value in some if value.identifier == name]) in {0, len(hosts)} for name in names)
        for name in {value.identifier for value in some}:
            its = {key for value in some if value.identifier == name for key in value.limit}
            assert all(its & earlier for earlier in before)
        before.append(full)


# ── publish, wait, withdraw ─────────────────────────────────────────────────────────────


def test_each_account_is_written_to_once() -> None:
    """Each account gets one call with all its records; events are emitted before and after."""
    stage = Dns01Stage()
    home, other = stage.account("home", "example.test"), stage.account("other", "other.test")
    values = stage.values("example.test", "*.example.test", "other.test")
    dns01 = stage.dns01
    dns01.publish(stage.context, values)
    assert home.values == {"_acme-challenge.example.test.": ["v1", "v2"]}
    assert other.values == {"_acme-challenge.other.test.": ["v3"]}
    assert stage.kinds() == ["txt-writing", "txt-written"]
    assert [record["dns"] for record in stage.events[0].data["records"]] == ["home", "home", "other"]
    dns01.withdraw(stage.context, values)
    assert not any(home.values.values())
    assert not any(other.values.values())
    assert stage.kinds()[2:] == ["txt-removed"]


def test_a_zone_at_two_hosts_is_written_at_both_and_waited_for_once() -> None:
    """A value at two hosts is written and removed at both, and waited for once."""
    stage = Dns01Stage()
    a, b = stage.account("a"), stage.account("b", settle=9)
    values = stage.values("example.test", route=Route("dns-01", dns=("a", "b")))
    dns01 = stage.dns01
    dns01.publish(stage.context, values)
    assert a.values == b.values == {"_acme-challenge.example.test.": ["v1"]}
    dns01.wait_visible(stage.context, values, Propagation(), 0.0)
    (wait,) = stage.dns.waits
    assert [record.value for record in wait["records"]] == ["v1"]
    assert wait["settle"] == 9
    dns01.withdraw(stage.context, values)
    assert not a.values
    assert not b.values


def test_a_second_try_settles_longer() -> None:
    """A second try adds its settle to that of the user or the host."""
    stage = Dns01Stage()
    stage.account("home", settle=20)
    values = stage.values("example.test")
    stage.dns01.wait_visible(stage.context, values, Propagation(), 15.0)
    stage.dns01.wait_visible(stage.context, values, Propagation(settle=1), 15.0)
    assert [wait["settle"] for wait in stage.dns.waits] == [35, 16]


def test_an_exclusive_host_is_written_to_alone() -> None:
    """Calls of an exclusive host hold the locks of their zones."""
    stage = Dns01Stage()
    stage.account("home", exclusive=True)
    writing = [f"writing {zone}" for zone in ("example.test.", "other.test.")]
    dns01 = stage.dns01
    dns01.publish(stage.context, stage.values("other.test", "example.test"))
    assert stage.locked == [*writing, *(f"-{what}" for what in reversed(writing))]
    stage.locked.clear()
    stage.account("home", exclusive=True, values="one")
    with dns01.exclusive(stage.context, stage.place("example.test").values()):
        dns01.publish(stage.context, stage.values("example.test"))
    alone = "_acme-challenge.example.test."
    assert stage.locked == [alone, writing[0], f"-{writing[0]}", f"-{alone}"]


class Refusing(InMemoryDriver):
    """A host that refuses requests."""

    def __init__(self, *what: str) -> None:
        super().__init__()
        self.what = what
        self.removals = 0

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the first record, then refuse."""
        super().add(records[:1] if "add" in self.what else records)
        self._refuse("add")

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Say no."""
        self.removals += 1
        self._refuse("remove")
        super().remove(records)

    def _refuse(self, what: str) -> None:
        if what in self.what:
            raise ProviderError("provider-refused", "The host says no.", fix="Ask it why.")


class Silent(InMemoryDriver):
    """A host that times out until it recovers."""

    silent = True
    code = "provider-timeout"

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Time out."""
        if self.silent:
            raise ProviderError(self.code, "The host does not answer.", fix="Wait.")
        super().add(records)


def test_a_host_that_does_not_answer_is_not_waited_for_by_everybody() -> None:
    """After a time-out, other certificates fail at once, except one that probes the host."""
    stage = Dns01Stage()
    driver, last_resort = cast("Silent", stage.account("home", driver=Silent())), stage.account("spare")
    dns01, values = stage.dns01, stage.values("example.test", route=Route("dns-01", dns=("home",)))
    placements = stage.place("example.test", route=Route("dns-01", dns=("home",))).values()
    first, probe, other = (stage.context.for_certificate(name) for name in ("first", "probe", "other"))
    dns01.prepare(first, placements)
    with pytest.raises(ProviderError):
        dns01.publish(first, values)
    driver.silent = False
    dns01.prepare(probe, placements)
    with pytest.raises(ProviderError, match="does not answer"):
        dns01.prepare(other, placements)
    with pytest.raises(ProviderError, match="does not answer"):
        dns01.publish(other, values)
    assert driver.values == {}
    dns01.publish(other, stage.values("other.test", route=Route("dns-01", dns=("spare",))))
    assert last_resort.values
    dns01.publish(probe, values)
    dns01.prepare(other, placements)
    dns01.publish(other, values)


@pytest.mark.parametrize(("code", "goes_on"), [("provider-refused", True), ("provider-unreachable", False)])
def test_to_refuse_is_to_answer(code: str, goes_on: bool) -> None:
    """A refusal closes the circuit breaker; an unreachable host does not."""
    stage = Dns01Stage()
    refusing = cast("Silent", stage.account("home", driver=Silent()))
    dns01, values = stage.dns01, stage.values("example.test")
    first, probe, other = (stage.context.for_certificate(name) for name in ("first", "probe", "other"))
    for context, now in ((first, refusing.code), (probe, code)):
        refusing.code = now
        with pytest.raises(ProviderError):
            dns01.publish(context, values)
    refusing.silent = False
    if goes_on:
        dns01.publish(other, values)
    else:
        with pytest.raises(ProviderError, match="does not answer"):
            dns01.publish(other, values)


def test_a_host_that_refuses_at_once_is_asked_by_every_certificate() -> None:
    """A refusal does not open the circuit breaker: each certificate asks the host."""
    stage = Dns01Stage()
    refusing = cast("Refusing", stage.account("home", driver=Refusing("add")))
    dns01, values = stage.dns01, stage.values("example.test")
    for _ in range(2):
        refusing.values.clear()
        with pytest.raises(ProviderError, match="says no"):
            dns01.publish(stage.context, values)
        assert refusing.values


def test_one_account_that_fails_does_not_cut_the_other_short() -> None:
    """An error of one account is raised after all accounts have ended, so that withdraw() removes everything."""
    stage = Dns01Stage()
    stage.account("home", "example.test", driver=Refusing("add"))
    other = stage.account("other", "other.test")
    values = stage.values("example.test", "other.test")
    dns01 = stage.dns01
    with pytest.raises(ProviderError):
        dns01.publish(stage.context, values)
    assert other.values == {"_acme-challenge.other.test.": ["v2"]}
    dns01.withdraw(stage.context, values)
    assert not stage.dns.values(stage.context, "_acme-challenge.example.test.")
    assert not stage.dns.values(stage.context, "_acme-challenge.other.test.")


def test_what_cannot_be_withdrawn_is_a_warning() -> None:
    """A failed removal is a warning with the name, not an error, and the event has the value."""
    stage = Dns01Stage()
    stage.account("home", "example.test", driver=Refusing("remove"))
    other = stage.account("other", "other.test")
    values = stage.values("example.test", "other.test")
    dns01 = stage.dns01
    dns01.publish(stage.context, values)
    dns01.withdraw(stage.context, values)
    assert not any(other.values.values())
    (notice,) = stage.context.notices
    assert notice.code == "txt-kept"
    assert "_acme-challenge.example.test" in notice.message
    (kept,) = [event for event in stage.events if event.kind == "txt-kept"]
    assert kept.data["error"]["code"] == "provider-refused"
    assert "v1" in [record["value"] for record in kept.data["records"]]


def test_what_was_not_sent_is_not_left(tmp_path: Path) -> None:
    """If no request reached the host, nothing is removed, reported or kept; one that may have been sent is kept."""

    class Unreached(Refusing):
        def __init__(self, *sent: bool) -> None:
            super().__init__("remove")
            self.sent = list(sent)

        def add(self, _records: Sequence[TxtRecord]) -> None:
            evidence = {} if self.sent.pop(0) else {"sent": False}
            raise ProviderError("provider-unreachable", "No.", fix="Wait.", evidence=evidence)

    for sent, left in (((False, False, False), 0), ((True, False, False), 1)):
        stage, journal = Dns01Stage(), FolderStore(tmp_path / str(left)).journal
        host = stage.account("home", driver=Unreached(*sent))
        stage.journal = journal
        dns01, values = stage.dns01, stage.values("example.test")
        context = replace(stage.context, certificate="home")
        with dns01.journaled(context, values):
            with pytest.raises(ProviderError):
                dns01.publish(context, values)
            dns01.withdraw(context, values)
        assert [notice.code for notice in context.notices] == ["txt-kept"] * left
        assert cast("Unreached", host).removals == left
        with journal.left_over(context) as entries:
            assert len(entries) == left


def test_a_zone_that_refuses_a_removal_keeps_no_other(tmp_path: Path) -> None:
    """The values of the other zones of an account are removed, and are not named as left."""

    class RefusingOne(Refusing):
        def remove(self, records: Sequence[TxtRecord]) -> None:
            self.what = ("remove",) if records[0].zone == "example.test." else ()
            super().remove(records)

    stage = Dns01Stage()
    host = stage.account("home", driver=RefusingOne())
    stage.journal = FolderStore(tmp_path).journal
    dns01, values = stage.dns01, stage.values("example.test", "other.test")
    context = replace(stage.context, certificate="home")
    with dns01.journaled(context, values):
        dns01.publish(context, values)
        dns01.withdraw(context, values)
    (notice,) = context.notices
    assert ("example.test" in notice.message, "other.test" in notice.message) == (True, False)
    assert host.values == {"_acme-challenge.example.test.": ["v1"]}


class Saying(InMemoryDriver):
    """A host with an error for each write and for each removal; it may write despite an error."""

    def __init__(self, *codes: str, writes: bool) -> None:
        super().__init__()
        self.codes = list(codes)
        self.writes = writes

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write or not, then raise."""
        if self.writes:
            super().add(records)
        raise ProviderError(self.codes.pop(0), "The host says no.", fix="Ask it why.")

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Say no."""
        raise ProviderError("provider-unauthorized", "The host says no.", fix="Ask it why.")


@pytest.mark.parametrize(
    ("codes", "writes", "identifiers", "kept"),
    [
        (["provider-unauthorized"], False, ["example.test", "*.example.test"], 0),
        (["provider-zone-unknown"], False, ["example.test"], 0),
        (["provider-unreachable"] * 3, True, ["example.test"], 1),
        (["provider-refused"], True, ["example.test", "*.example.test"], 2),  # one may be one too many
        (["provider-timeout", "provider-unauthorized"], True, ["example.test"], 1),
        (["provider-unauthorized"], True, ["example.test", "other.test"], 0),  # the other zone is not asked
    ],
)
def test_what_is_not_seen_may_stand_all_the_same(
    tmp_path: Path, codes: list[str], identifiers: list[str], kept: int, *, writes: bool
) -> None:
    """A value counts as not written only if the host refused it and DNS does not serve it."""
    stage, journal = Dns01Stage(), FolderStore(tmp_path).journal
    stage.account("home", driver=Saying(*codes, writes=writes))
    stage.hosts.clear()  # no name server shows anything yet
    stage.journal = journal
    dns01, values = stage.dns01, stage.values(*identifiers)
    context = replace(stage.context, certificate="home")
    with dns01.journaled(context, values):
        with pytest.raises(ProviderError):
            dns01.publish(context, values)
        dns01.withdraw(context, values)
    with journal.left_over(context) as entries:
        assert [len(entry.values) for entry in entries] == ([kept] if kept else [])
    assert [notice.code for notice in context.notices] == ["txt-kept"] * (kept > 0)
    assert all("may have been written" in notice.message for notice in context.notices)


@pytest.mark.parametrize(
    ("codes", "stays"), [(["provider-timeout"], True), (["provider-server-error"], False), ([], False)]
)
def test_what_was_not_answered_stays_in_the_journal(tmp_path: Path, codes: list[str], stays: bool) -> None:
    """After an unanswered request, the value stays in the journal, because the host may write it later."""
    journal, clock = FolderStore(tmp_path).journal, FakeClock()

    class Late(InMemoryDriver):
        def add(self, records: Sequence[TxtRecord]) -> None:
            assert len(list((tmp_path / "journal").glob("*.asked"))) == 1
            if codes:
                raise ProviderError(codes.pop(), "No answer.", fix="Wait.")
            super().add(records)

    stage = Dns01Stage()
    stage.journal = journal
    home = stage.account("home", driver=Late())
    dns01, values = stage.dns01, stage.values("example.test", "*.example.test")
    context = replace(stage.context, certificate="home", clock=clock)
    with dns01.journaled(context, values):
        dns01.publish(context, values)
        assert dns01._published.state(context, values[0]) == ("asked" if stays else "written")
        dns01.withdraw(context, values)
    assert not any(home.values.values())
    assert context.notices == []
    for seconds, left in ((0.0, stays), (500.0, stays), (200.0, stays), (0.0, False)):
        clock.elapsed += seconds
        with journal.left_over(context) as entries:
            assert [len(entry.values) for entry in entries] == [2] * left
            for entry in entries:
                entry.remove(entry.values)
    assert list((tmp_path / "journal").iterdir()) == []


def test_what_was_refused_and_is_seen_was_written() -> None:
    """A refused value that DNS serves stays in the journal."""
    stage = Dns01Stage()
    stage.account("home", driver=Saying("provider-unauthorized", writes=True))
    dns01, values = stage.dns01, stage.values("example.test")
    with pytest.raises(ProviderError):
        dns01.publish(stage.context, values)
    dns01.withdraw(stage.context, values)
    assert [notice.code for notice in stage.context.notices] == ["txt-kept"]


def test_where_there_is_nothing_to_remove_nobody_is_asked() -> None:
    """A host with `removes = false` is not asked to remove; other hosts are."""
    stage = Dns01Stage()
    lasting = Refusing()
    stage.account("lasting", "example.test", driver=lasting, removes=False)
    other = stage.account("other", "other.test")
    values = stage.values("example.test", "other.test")
    dns01 = stage.dns01
    dns01.publish(stage.context, values)
    dns01.withdraw(stage.context, values)
    assert lasting.removals == 0
    assert not any(other.values.values())
    dns01.withdraw(stage.context, values[:1])
    assert stage.kinds().count("txt-removed") == 1


def test_values_are_withdrawn_after_the_caller_asked_to_stop() -> None:
    """Values are withdrawn after a cancel, within the grace period."""
    stage = Dns01Stage()
    home = stage.account("home")
    values = stage.values("example.test")
    dns01 = stage.dns01
    dns01.publish(stage.context, values)
    stage.context.cancel.set()
    dns01.withdraw(stage.context, values)
    assert not any(home.values.values())


def test_what_one_certificate_withdraws_another_may_be_writing(tmp_path: Path) -> None:
    """A value of two certificates stays in the journal of each until that one withdraws it."""
    stage, store = Dns01Stage(), FolderStore(tmp_path)
    stage.account("home")
    values = stage.values("example.test")
    stage.journal = store.journal
    dns01 = stage.dns01
    one, other = (replace(stage.context, certificate=name) for name in ("one", "other"))
    with dns01.journaled(one, values), dns01.journaled(other, values):
        dns01.publish(one, values)
        dns01.publish(other, values)
        dns01.withdraw(one, values)
    with store.journal.left_over(stage.context) as entries:
        assert [(Path(entry.path).name, entry.values) for entry in entries] == [
            ("other-1.json", tuple(value.written for value in values))
        ]


def test_a_value_that_two_certificates_need_stands_until_the_last(tmp_path: Path) -> None:
    """The first certificate to end does not remove a shared value, and deletes its own journal entry."""
    stage = Dns01Stage()
    stage.journal = FolderStore(tmp_path).journal
    home = stage.account("home")
    dns01, values = stage.dns01, stage.values("example.test", "*.example.test")
    one, other = (replace(stage.context, certificate=name) for name in ("one", "other"))
    with dns01.journaled(one, values[:1]), dns01.journaled(other, values):
        dns01.publish(one, values[:1])
        dns01.publish(other, values)
        dns01.withdraw(one, values[:1])
        assert home.values == {"_acme-challenge.example.test.": ["v1", "v2"]}
        dns01.withdraw(other, values)
    assert not any(home.values.values())
    assert stage.kinds().count("txt-removed") == 1
    assert list((tmp_path / "journal").iterdir()) == []


def test_who_could_not_remove_a_shared_value_leaves_it_to_the_other(tmp_path: Path) -> None:
    """If one certificate cannot remove a shared value, the last one removes it."""
    stage = Dns01Stage()
    stage.journal = FolderStore(tmp_path).journal
    home = cast("Refusing", stage.account("home", driver=Refusing("remove")))
    dns01, values = stage.dns01, stage.values("example.test")
    one, other = (replace(stage.context, certificate=name) for name in ("one", "other"))
    with dns01.journaled(one, values):
        dns01.publish(one, values)
        dns01.withdraw(one, values)
    home.what = ()
    with dns01.journaled(other, values):
        dns01.publish(other, values)
        dns01.withdraw(other, values)
    assert not any(home.values.values())


def test_a_mark_that_cannot_be_written_asks_nobody(tmp_path: Path) -> None:
    """If the journal cannot be written, the host gets no request to add or to remove."""

    class Full(AtomicFiles):
        def write(self, path: str, data: bytes, mode: int, *, sync: bool = True) -> None:
            if path.endswith(".asked"):
                raise StoreError("store-full", "The disk is full.", fix="Make room.")
            super().write(path, data, mode, sync=sync)

    stage = Dns01Stage()
    stage.journal = JournalFolder(Full(), Paths(str(tmp_path)))
    home = cast("Refusing", stage.account("home", driver=Refusing()))
    dns01, values, context = stage.dns01, stage.values("example.test"), replace(stage.context, certificate="home")
    with dns01.journaled(context, values):
        with pytest.raises(StoreError):
            dns01.publish(context, values)
        dns01.withdraw(context, values)
    assert (home.removals, home.values) == (0, {})
    assert list((tmp_path / "journal").iterdir()) == []


def test_a_value_is_not_written_while_it_is_taken_away() -> None:
    """A shared value is not written while another certificate removes it."""
    removing, go_on, came = threading.Event(), threading.Event(), threading.Event()

    class Slow(InMemoryDriver):
        def remove(self, records: Sequence[TxtRecord]) -> None:
            removing.set()
            assert go_on.wait(5)
            super().remove(records)

    class Waiting(Context):
        def check(self) -> None:
            came.set()

    stage = Dns01Stage()
    home = stage.account("home", driver=Slow())
    dns01, values = stage.dns01, stage.values("example.test")
    one = replace(stage.context, certificate="one", clock=SystemClock())
    other = Waiting(clock=SystemClock(), certificate="other")
    dns01.publish(one, values)
    tasks = [threads.start(partial(dns01.withdraw, one, values))]
    assert removing.wait(5)
    tasks.append(threads.start(partial(dns01.publish, other, values)))
    assert came.wait(5)
    go_on.set()
    assert all(task.done.wait(5) for task in tasks)
    assert [task.result() for task in tasks] == [None, None]
    assert home.values == {"_acme-challenge.example.test.": ["v1"]}


def test_a_host_that_hangs_does_not_keep_the_end_waiting() -> None:
    """After a cancel, a removal that hangs is abandoned after the grace period, with a warning."""
    stage = Dns01Stage()
    gate = threading.Event()

    class Hanging(InMemoryDriver):
        def remove(self, records: Sequence[TxtRecord]) -> None:
            gate.wait(30)

    clock = FakeClock()
    stage.context = Context(clock=clock, emitter=Emitter(clock, stage.events.append))
    stage.account("home", driver=Hanging())
    values = stage.values("example.test")
    dns01 = stage.dns01
    dns01.publish(stage.context, values)
    stage.context.cancel.set()

    hurried = Context(clock=FakeClock(tick=1.0), cancel=stage.context.cancel, emitter=stage.context.emitter)
    try:
        dns01.withdraw(hurried, values)
    finally:
        gate.set()
    assert [notice.code for notice in hurried.notices] == ["txt-kept"]
    assert "no time was left" in hurried.notices[0].message


@pytest.mark.parametrize(
    ("wanted", "timeout", "settle"),
    [
        (Propagation(), 300, 20),
        (Propagation(timeout=5), 5, 20),
        (Propagation(settle=0), 300, 0),
        (Propagation(timeout=7, settle=1, check="none"), 7, 1),
    ],
)
def test_the_user_s_word_on_waiting_wins(wanted: Propagation, timeout: float, settle: float) -> None:
    """The user's timeout and settle take precedence, even a settle of 0. The defaults are those of the slowest host."""
    stage = Dns01Stage()
    stage.account("quick", "example.test", propagation_timeout=60, settle=20)
    stage.account("slow", "other.test", propagation_timeout=300)
    stage.dns01.wait_visible(stage.context, stage.values("example.test", "other.test"), wanted, 0.0)
    (wait,) = stage.dns.waits
    assert (wait["timeout"], wait["settle"], wait["check"]) == (timeout, settle, wanted.check)
    assert [record.value for record in wait["records"]] == ["v1", "v2"]
