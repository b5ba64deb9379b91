"""What a script does to values of others, and to ours, is seen at the zone's servers."""

from __future__ import annotations

from typing import Any

import pytest

from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.challenges.host_calls import ForeignValues, HostCalls, PublishedValues, still_served
from dnsrenew.challenges.records import RecordWriter
from dnsrenew.drivers.catalogue import find_provider
from dnsrenew.drivers.provider import Behaviour
from dnsrenew.errors import DnsError, ProviderError
from dnsrenew.store.zone_locks import ZoneLocks
from tests.kit.clock import FakeClock

NAME = "_acme-challenge.example.com."
OURS = TxtRecord("example.com.", NAME, "ours", 60)


class Servers:
    """The name servers of a zone.

    :ivar values: what they serve; None: none answers.
    """

    def __init__(self, *values: str) -> None:
        self.values: set[str] | None = set(values)
        self.asked = 0

    def answered_values(self, _context: Context, _name: str) -> set[str] | None:
        """Return the values."""
        self.asked += 1
        return None if self.values is None else {*self.values}


def foreign(servers: Any, *ours: str) -> ForeignValues:
    """Return the watch over an account."""
    return ForeignValues(servers, lambda _name: ours)


@pytest.fixture
def context() -> Context:
    """A context whose waits take no time."""
    return Context(clock=FakeClock())


@pytest.mark.parametrize("action", ["add", "remove"])
def test_values_that_are_gone_or_changed(context: Context, action: Any) -> None:
    """They are told once, by value; from then on the account may not write."""
    servers = Servers("spf 1 2", "kept", "gone")
    watch = foreign(servers)
    watch.check("mine")
    watch.remember(context, "mine", action, [OURS])
    servers.values = {"kept", "spf12", "ours"}
    with pytest.raises(ProviderError) as caught:
        watch.compare(context, "mine", action)
    assert caught.value.code == "foreign-values-lost"
    assert caught.value.evidence["values"] == ["gone", "spf 1 2"]
    with pytest.raises(ProviderError) as stopped:
        watch.check("mine")
    assert stopped.value.code == "foreign-values-lost"
    assert "values" not in stopped.value.evidence
    watch.check("another")
    watch.compare(context, "mine", action)


def test_ours_are_no_values_of_others(context: Context) -> None:
    """Values of this run, also those of other certificates, may come and go."""
    servers = Servers("ours", "of-another-certificate")
    watch = foreign(servers, "of-another-certificate")
    watch.remember(context, "mine", "remove", [OURS])
    servers.values = set()
    watch.compare(context, "mine", "remove")
    watch.check("mine")


def test_it_is_looked_once_for_each_action(context: Context) -> None:
    """After a first change beside values of others, no more questions are sent."""
    servers = Servers("foreign")
    watch = foreign(servers)
    for _ in range(3):
        watch.remember(context, "mine", "add", [OURS])
        watch.compare(context, "mine", "add")
    assert servers.asked == 2


def test_servers_that_do_not_answer(context: Context) -> None:
    """Without an answer nothing is known, so nothing is said."""
    servers = Servers("foreign")
    watch = foreign(servers)
    watch.remember(context, "mine", "add", [OURS])
    servers.values = None
    watch.compare(context, "mine", "add")
    watch.check("mine")

    def refuse(_context: Context, _name: str) -> set[str]:
        raise DnsError("dns-unreachable", "no answer", fix="")

    servers.answered_values = refuse  # type: ignore[method-assign]
    watch.remember(context, "another", "add", [OURS])
    watch.compare(context, "another", "add")


def test_a_removed_value_that_leaves_late(context: Context) -> None:
    """A value that is gone after some seconds is no longer served; one that stays is."""
    answers = [{"ours"}, {"ours"}, set[str]()]
    assert still_served(context, lambda *_: answers.pop(0), [OURS]) == []
    assert still_served(context, lambda *_: {"ours"}, [OURS]) == [OURS]
    assert still_served(context, lambda *_: None, [OURS]) == []


def test_the_calls_of_an_account_follow_one_another() -> None:
    """A script's account has one turn for all its zones; other hosts have none, or one for each zone."""
    provider = find_provider("acme.sh")
    assert provider is not None
    account = DnsAccount("acme.sh", name="mine")
    assert list(RecordWriter(account, provider).turns(["b.test.", "a.test."])) == ["mine.acme.sh"]
    exclusive = replace(provider, driver="own", behaviour=Behaviour(exclusive=True))
    assert list(RecordWriter(account, exclusive).turns(["b.test.", "a.test.", "b.test."])) == ["a.test.", "b.test."]
    assert list(RecordWriter(account, replace(provider, driver="own")).turns(["a.test."])) == []


def test_an_account_that_lost_values_writes_nothing_more(context: Context) -> None:
    """No request is sent for another certificate of the run: the account is refused before an order too."""
    servers: Any = Servers("foreign")
    watch = foreign(servers)
    watch.remember(context, "mine", "remove", [OURS])
    servers.values = set()
    with pytest.raises(ProviderError):
        watch.compare(context, "mine", "remove")
    hosts = HostCalls(ZoneLocks(None), PublishedValues(None), watch)  # type: ignore[arg-type]  # nothing is locked or kept
    with pytest.raises(ProviderError) as caught:
        hosts.check(context, "mine")
    assert caught.value.code == "foreign-values-lost"
    hosts.check(context, "another")
