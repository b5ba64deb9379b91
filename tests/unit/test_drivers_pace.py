"""The request rate for DNS hosts: as low as their APIs require, and unlimited for one's own servers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import HOST_REQUESTS, Context
from dnsrenew.drivers.catalogue import find_provider
from dnsrenew.drivers.invoke import REQUESTS_A_RECORD, call_add, call_remove, prepare
from dnsrenew.drivers.provider import Provider
from dnsrenew.errors import Cancelled
from dnsrenew.testing import InMemoryDriver
from tests.kit.clock import FakeClock

MANY = [TxtRecord("example.test.", f"_acme-challenge.n{number}.example.test.", "value", 60) for number in range(100)]
ASKED = 1 + REQUESTS_A_RECORD * len(MANY)


@pytest.fixture
def context() -> Context:
    """A context whose time passes only during waits."""
    return Context(clock=FakeClock())


def host(name: str = "") -> tuple[Provider, DnsAccount]:
    """A host of this name, which keeps its values in memory."""
    own = find_provider("")
    assert own is not None
    return replace(own, name=name), DnsAccount("", name=f"at-{name}", driver=InMemoryDriver())


def test_a_certificate_with_a_hundred_names_does_not_wait(context: Context) -> None:
    """All values of a certificate are written and removed without waiting."""
    provider, account = host()
    prepare(context, provider, account)
    call_add(context, provider, account, MANY)
    call_remove(context, provider, account, MANY)
    assert context.clock.monotonic() == 0


def test_the_next_certificate_waits_for_what_was_written_and_removed(context: Context) -> None:
    """All accounts at one host share its rate limit. Another host is not affected."""
    provider, account = host("slow")
    call_add(context, provider, account, MANY)
    call_remove(context, provider, account, MANY)
    call_add(context, *host("other"), MANY[:1])
    assert context.clock.monotonic() == 0
    call_add(context, *host("slow"), MANY[:1])
    owed = 2 * ASKED - HOST_REQUESTS.burst
    assert context.clock.monotonic() == pytest.approx((owed + 1) / HOST_REQUESTS.per_second)


def test_a_wait_for_a_host_can_be_cancelled(context: Context) -> None:
    """Cancellation ends the wait for the rate limit, and nothing is written."""
    provider, account = host()
    call_add(context, provider, account, MANY)
    context.cancel.set()
    driver = account.options["driver"]
    assert isinstance(driver, InMemoryDriver)
    other = TxtRecord("example.test.", "_acme-challenge.example.test.", "other", 60)
    asked: list[str] = []
    with pytest.raises(Cancelled):
        call_add(context, provider, account, [other], asking=lambda: asked.append("asked"))
    assert (driver.look(other.name), asked) == (set(), [])
    call_remove(context.for_cleanup(60, 3), provider, account, MANY)
    assert driver.look(MANY[0].name) == set()


@pytest.mark.parametrize("name", ["rfc2136", "powerdns"])
def test_ones_own_servers_are_not_spared(context: Context, name: str) -> None:
    """A user's own server has no rate limit."""
    known = find_provider(name)
    assert known is not None
    _, account = host()
    own = find_provider("")
    assert own is not None
    # Its file, with a driver that keeps the values in memory: what is driven stays known.
    provider = replace(own, name=name, driver_options={"provider": known.driver_options.get("provider", known.driver)})
    for _ in range(5):
        call_add(context, provider, account, MANY)
    assert context.clock.monotonic() == 0
