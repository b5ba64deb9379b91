"""The driver duckdns against a stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.drivers.invoke import call_add, call_remove
from dnsrenew.drivers.provider import Provider
from dnsrenew.errors import ProviderError
from tests.kit.drivers import CANARY, LogTexts, provider_of
from tests.kit.duckdns import DuckDns
from tests.lab.canary import assert_no_canary


@pytest.fixture
def duck() -> Iterator[DuckDns]:
    """DuckDNS with the domains home and spare."""
    with DuckDns(CANARY, "home", "spare") as server:
        yield server


@pytest.fixture
def provider(duck: DuckDns) -> Provider:
    """Our provider file, with the address of the stand-in."""
    shipped = provider_of("duckdns")
    return replace(shipped, driver_options={"api": duck.url})


def account(token: str = CANARY) -> DnsAccount:
    """An account."""
    return DnsAccount("duckdns", name="duck", token=Secret(token))


def record(value: str, domain: str = "home", below: str = "_acme-challenge.") -> TxtRecord:
    """A record as dnsrenew makes it: its zone has one label more than the suffix."""
    return TxtRecord(f"{domain}.duckdns.org.", f"{below}{domain}.duckdns.org.", value, 60)


def test_one_value_for_all_names(duck: DuckDns, provider: Provider, context: Context) -> None:
    """A value is written, served for all names below, replaced by a second one, and cleared."""
    call_add(context, provider, account(), [record("-one")])
    assert duck.look("_acme-challenge.home.duckdns.org.") == {"-one"}
    assert duck.look("anything.below.home.duckdns.org") == {"-one"}
    call_add(context, provider, account(), [record("two", below="_acme-challenge.deep.")])
    call_add(context, provider, account(), [record("two", below="_acme-challenge.deep.")])
    assert duck.look("_acme-challenge.home.duckdns.org") == {"two"}
    assert duck.look("_acme-challenge.spare.duckdns.org") == set()
    for _ in range(2):
        call_remove(context, provider, account(), [record("two")])
        assert duck.look("_acme-challenge.home.duckdns.org") == set()


def test_another_address(duck: DuckDns, context: Context) -> None:
    """The option `api` replaces the address of the service. It can end in a slash."""
    for api in (duck.url, f"{duck.url}/"):
        there = DnsAccount("duckdns", name="duck", token=Secret(CANARY), api=api)
        call_add(context, provider_of("duckdns"), there, [record(f"at {api}")])
        assert duck.look("_acme-challenge.home.duckdns.org") == {f"at {api}"}
    assert "api" in provider_of("duckdns").options


def test_each_domain_is_cleared_once(duck: DuckDns, provider: Provider, context: Context) -> None:
    """Removing several values of two domains makes one request for each domain."""
    call_remove(context, provider, account(), [record("a"), record("b"), record("c", "spare")])
    assert sorted(request["domains"] for request in duck.requests) == ["home", "spare"]
    assert all(request["clear"] == "true" for request in duck.requests)


@pytest.mark.parametrize("case", [("wrong-token-0000", "home"), (CANARY, "somebody-elses")])
def test_ko_names_both_causes(
    duck: DuckDns, provider: Provider, context: Context, all_logs: LogTexts, case: tuple[str, str]
) -> None:
    """KO means a wrong token or a foreign domain. No text and no log has the token."""
    token, domain = case
    with pytest.raises(ProviderError) as caught:
        call_add(context, provider, account(token), [record("v", domain)])
    assert caught.value.code == "provider-unauthorized"
    assert f"{domain}.duckdns.org" in caught.value.message
    assert caught.value.evidence["zone"] == f"{domain}.duckdns.org"
    assert_no_canary([token], texts=[repr(caught.value.to_dict()), *all_logs.texts])


def test_errors_name_a_compatible_service(duck: DuckDns, provider: Provider, context: Context) -> None:
    """An error names the suffix and address of a user's own provider file, not those of DuckDNS."""
    elsewhere = TxtRecord("other.dyn.mine.test.", "_acme-challenge.other.dyn.mine.test.", "v", 60)
    with pytest.raises(ProviderError) as caught:
        call_add(context, provider, account(), [elsewhere])
    error = caught.value
    assert "other.dyn.mine.test" in error.message
    assert error.evidence["zone"] == "other.dyn.mine.test"
    assert duck.url in error.fix
    assert "duckdns.org" not in error.message + error.fix


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((503, "busy"), ("provider-server-error", 3)),
        ((429, "slow down"), ("provider-rate-limited", 1)),
        ((200, "<html>log in to the hotel's network</html>"), ("provider-malformed-answer", 1)),
    ],
)
def test_other_answers(
    duck: DuckDns, provider: Provider, context: Context, answer: tuple[int, str], outcome: tuple[str, int]
) -> None:
    """A 5xx is tried three times. A 429 and a hotel's log-in page are tried once."""
    duck.answer = answer
    with pytest.raises(ProviderError) as caught:
        call_add(context, provider, account(), [record("v")])
    assert (caught.value.code, len(duck.asked)) == outcome


def test_a_service_that_is_down(duck: DuckDns, provider: Provider, context: Context, all_logs: LogTexts) -> None:
    """The code is `provider-unreachable`, and the token in the URL is in no log."""
    away = replace(provider, driver_options={"url": "http://127.0.0.1:9/update"})
    with pytest.raises(ProviderError) as caught:
        call_add(context, away, account(), [record("v")])
    assert caught.value.code == "provider-unreachable"
    assert_no_canary([CANARY], texts=[repr(caught.value.to_dict()), *all_logs.texts])
