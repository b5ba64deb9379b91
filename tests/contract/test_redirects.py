"""DNS hosts' APIs that redirect: no key and no change goes to another host, and the error reports the redirect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dnsrenew.base.http import HttpFailure
from dnsrenew.base.http.connections import redirected
from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.drivers.error_mapping import ReportedError, classify
from dnsrenew.drivers.invoke import call_add
from dnsrenew.errors import ProviderError
from tests.kit.api_server import Answer, Api, Asked
from tests.kit.drivers import CANARY, LogTexts, maker, provider_of
from tests.kit.lexicon import inside, redirect_to
from tests.lab.canary import assert_no_canary

RECORD = TxtRecord("example.com.", "_acme-challenge.example.com.", "v" * 43, 60)
SOUND: Answer = (200, {"kind": "Native", "rrsets": []})
CODES = (301, 302, 303, 307, 308)


@pytest.fixture
def other() -> Iterator[Api]:
    """Another host, which accepts every request."""
    with Api(lambda _: SOUND) as api:
        yield api


def account(api: Api) -> DnsAccount:
    """An account at a PowerDNS."""
    return DnsAccount("powerdns", name="pdns", pdns_server=api.url, auth_token=Secret(CANARY))


def refusal(context: Context, api: Api) -> ProviderError:
    """Make an add, and return its error."""
    provider = provider_of("powerdns")
    with pytest.raises(ProviderError) as caught:
        call_add(context, provider, account(api), [RECORD])
    return caught.value


@pytest.mark.parametrize(
    ("method", "location", "detail"),
    [
        ("GET", "/elsewhere?page=2", None),
        ("HEAD", "https://API.test:443/x", None),
        ("GET", "//api.test/x", None),
        ("GET", "https://other.test/key", "it redirects to other.test, which is not followed"),
        ("GET", "//other.test/key", "it redirects to other.test, which is not followed"),
        ("GET", "https://api.test@other.test/", "it redirects to other.test, which is not followed"),
        ("GET", "https://api.test.other.test/", "it redirects to api.test.other.test, which is not followed"),
        ("GET", "http://api.test/x", "it redirects to api.test itself, port 80, without TLS, which is not followed"),
        (
            "GET",
            "https://api.test:8443/",
            "it redirects to api.test itself, port 8443, with TLS, which is not followed",
        ),
        ("POST", "/x", "it redirects to api.test itself, port 443, with TLS, which is not followed"),
        ("PATCH", "https://other.test/", "it redirects to other.test, which is not followed"),
        ("GET", "file:///etc/passwd", "it redirects to nowhere, which is not followed"),
        ("GET", "https://[::", "it redirects to an invalid address"),
        ("GET", "https://api.test:99999/", "it redirects to an invalid address"),
        ("GET", None, "it redirects without saying where to"),
    ],
)
def test_which_redirects_are_followed(method: str, location: str | None, detail: str | None) -> None:
    """A redirect is followed only for a read request and within the same origin."""
    if detail is None:
        assert urlsplit(redirected(method, "https://api.test/zones", location)).hostname == "api.test"
        return
    with pytest.raises(HttpFailure) as caught:
        redirected(method, "https://api.test/zones", location)
    assert (caught.value.kind, caught.value.detail) == ("redirect", detail)


@pytest.mark.parametrize("writes", [False, True])
def test_a_redirect_to_another_host_takes_nothing_there(
    context: Context, all_logs: LogTexts, other: Api, writes: bool
) -> None:
    """A redirect to another host is not followed, for any status, a read or a change. The error has no key."""
    codes = iter(CODES * 2)
    there = other.url.replace("127.0.0.1", "localhost")

    def answer(asked: Asked) -> Answer:
        return SOUND if writes and asked.method == "GET" else (next(codes), "")

    with Api(answer, {"Location": f"{there}/?key={CANARY}"}) as api:
        errors = [refusal(context, api) for _ in range(2)]
    assert next(codes) == 302  # three tries each: all have been
    assert other.asked == []
    for error in errors:
        assert error.code == "provider-unreachable"
        assert "localhost" in error.message
        assert "the account pdns" in error.fix
    assert_no_canary([CANARY], texts=[repr([error.to_dict() for error in errors]), *all_logs.texts])


@pytest.mark.parametrize("location", ["////{0}/x", "http:////{0}/x", "/\\{0}/x", "http:{0}/x", "\xe9"])
def test_an_address_is_not_read_in_two_ways(other: Api, location: str) -> None:
    """A Location that counts as a path here does not lead requests to another host."""
    place = location.format(other.url.removeprefix("http://"))
    answers: Iterator[Answer] = iter([(302, ""), (404, "")])
    with Api(lambda _: next(answers), {"Location": place}) as api:
        with pytest.raises(ReportedError, match="404"):
            maker(account(api))().add([RECORD])
        assert len(api.asked) == 2
    assert other.asked == []


@pytest.mark.parametrize("headers", [{"Location": "/elsewhere"}, {}])
def test_a_change_that_is_redirected_was_not_made(context: Context, headers: dict[str, str]) -> None:
    """A followed redirect would turn the change into a read whose answer looks like success."""
    with Api(lambda asked: SOUND if asked.method == "GET" else (302, ""), headers) as api:
        error = refusal(context, api)
    assert error.code == "provider-unreachable"
    assert "it redirects" in error.message
    assert {asked.path for asked in api.asked} == {"/api/v1/servers/localhost/zones/example.com."}


def test_a_read_is_redirected_within_the_host() -> None:
    """A redirect to another path of the same API is followed."""

    def answer(asked: Asked) -> Answer:
        return SOUND if asked.path == "/elsewhere" or asked.method == "PATCH" else (308, "")

    with Api(answer, {"Location": "/elsewhere"}) as api:
        maker(account(api))().add([RECORD])
    assert [asked.method for asked in api.asked].count("PATCH") == 1
    assert [asked.headers["X-API-Key"] for asked in api.asked] == [CANARY] * len(api.asked)


@pytest.mark.parametrize("name", ["aliyun", "digitalocean", "dnspod", "gandi", "ovh", "powerdns", "route53"])
def test_no_provider_of_lexicon_follows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, other: Api, name: str) -> None:
    """All but Route 53, which has boto3, send with our requests."""
    provider = provider_of(name)
    options: dict[str, Any] = {key: "x" * 64 for key, spec in provider.options.items() if spec.required}
    with Api(lambda _: (307, "<html>Log in here</html>"), {"Location": other.url}) as api:
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_ENDPOINT_URL_ROUTE_53", api.url)
        redirect_to(monkeypatch, api.url)
        with pytest.raises(Exception) as caught:  # noqa: PT011  # each its own
            maker(DnsAccount(name, **options))().add([RECORD])
    assert classify(caught.value) == "provider-unreachable"
    assert len(api.asked) == 1
    assert other.asked == []


def test_duckdns_does_not_follow(monkeypatch: pytest.MonkeyPatch, other: Api) -> None:
    """DuckDNS has the token in its URL, so no redirect is followed."""
    with Api(lambda _: (307, ""), {"Location": other.url}) as api:
        monkeypatch.setattr("dnsrenew.extensions.hosts.duckdns.DuckDnsDriver.address", api.url)
        with pytest.raises(HttpFailure, match="redirect"):
            maker(DnsAccount("duckdns", token="x" * 36))().add([RECORD])
        assert len(api.asked) == 1
    assert other.asked == []


def test_which_modules_send_without_requests() -> None:
    """Two modules of lexicon use xmlrpc, which follows nothing, and one uses urllib."""
    found = inside("""
import http.client, importlib, urllib.request, xmlrpc.client
from dnsrenew.extensions.hosts.lexicon.driver import EXTRAS, KNOWN
child.provider_class("powerdns", LIMITS)
result = {}
for name in KNOWN - EXTRAS.keys():
    held = vars(importlib.import_module(f"lexicon._private.providers.{name}")).values()
    for sender in (http.client, urllib.request, xmlrpc.client):
        if any(thing is sender for thing in held):
            result.setdefault(sender.__name__, []).append(name)
""")
    assert {sender: sorted(users) for sender, users in found.items()} == {
        "urllib.request": ["valuedomain"],
        "xmlrpc.client": ["gandi", "inwx"],
    }
    gandi = provider_of("gandi")
    assert gandi.driver_options["api_protocol"] == "rest"


def test_value_domain_keeps_its_token(other: Api) -> None:
    """The module that uses urllib, which would send Authorization to any host, does not follow."""
    with Api(lambda _: (302, ""), {"Location": other.url}) as api:
        found = inside(f"""
from dnsrenew.base.http import HttpFailure
call = sys.modules[child.provider_class("valuedomain", LIMITS).__module__].vdapi_create_caller("{CANARY}")
result = []
for method in ("GET", "POST"):
    try:
        call("{api.url}", method)
    except HttpFailure as error:
        result.append(error.detail)
sound = call("{other.url}", "GET").data.decode()
result.append(sound)
""")
    assert len(api.asked) == 2
    assert [text.startswith("it redirects to") for text in found] == [True, True, False]
    assert found[2] == '{"kind": "Native", "rrsets": []}'
    assert len(other.asked) == 1
