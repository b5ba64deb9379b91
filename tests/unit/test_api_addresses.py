"""The address of an API in the options of an account: its form, and its name in errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.http import HttpFailure
from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.config import single_certificate
from dnsrenew.drivers.catalogue import parse_provider
from dnsrenew.drivers.error_mapping import ReportedError, inspect, translate
from dnsrenew.drivers.host_api import HostError
from dnsrenew.drivers.invoke import call_add
from dnsrenew.drivers.provider import Provider
from dnsrenew.errors import ConfigError, ProviderError
from tests.kit.api_server import Api
from tests.kit.clock import FakeClock
from tests.kit.config_files import CERTIFICATE, load, mistake
from tests.kit.drivers import provider_of
from tests.lab import badports

PAGES = {"desec": "https://desec.io", "mine": "`dnsrenew providers mine`"}
OPTIONS: dict[str, dict[str, str]] = {
    "acme-dns": {"username": "u", "password": "p", "subdomain": "sub"},
    "httpreq": {},
    "technitium": {"auth_token": "t"},
}
"""The options of hosts that are not asked for their zones."""
RECORD = TxtRecord("example.com.", "sub.example.com.", "v", 60)
WRONG = [
    ("ftp://x", "a text that is not a web address"),
    ("example.com/x", "a text that is not a web address"),
    ("not a url", "a text that is not a web address"),
    ("https://", "a text that is not a web address"),
    ("https://h:99999", "a text that is not a web address"),
    ("https://user:canary@h/", "an address with a user name"),
    ("https://h/?key=canary", "an address with a query or fragment"),
    ("https://h/#canary", "an address with a query or fragment"),
]


def provider_named(name: str) -> Provider:
    """A host of the catalogue, or one of the user's own without a website."""
    if name != "mine":
        return provider_of(name)
    return parse_provider('title = "My panel"\ndriver = "httpreq"\n[options.api]\nkind = "url"\n', "mine")


def error_of(error: BaseException, name: str, **options: Any) -> ProviderError:
    """The error for an exception of a driver."""
    account = DnsAccount(name, name="x", **options)
    now = FakeClock().now()
    return translate(error, provider_named(name), account, [RECORD], redactor=Redactor(), now=now)


def add(name: str, **options: Any) -> ProviderError:
    """The error of a write."""
    with pytest.raises(ProviderError) as caught:
        call_add(Context(clock=FakeClock()), provider_of(name), DnsAccount(name, name="x", **options), [RECORD])
    return caught.value


@pytest.mark.parametrize(("address", "found"), WRONG)
@pytest.mark.parametrize(("host", "option"), [("httpreq", "api"), ("powerdns", "pdns_server"), ("bunny", "api")])
def test_a_wrong_address_is_a_mistake(tmp_path: Path, host: str, option: str, address: str, found: str) -> None:
    """The mistake has the line and an example. It does not show the address, which may contain a password."""
    more = {"httpreq": "", "powerdns": 'auth_token = "t"\n', "bunny": 'auth_token = "t"\n'}[host]
    said = mistake(tmp_path, f'{CERTIFICATE}[dns.a]\nprovider = "{host}"\n{option} = "{address}"\n{more}')
    assert (said["line"], said["key"], said["found"]) == (5, f"dns.a.{option}", found)
    assert "such as https://dns.example.net/api" in said["expected"]
    assert "canary" not in str(said)


@pytest.mark.parametrize("address", ["http://127.0.0.1:5380", "https://h.test/a/b/", " https://[::1]:8443/x ", ""])
def test_a_right_address(tmp_path: Path, address: str) -> None:
    """A port, a path and a final slash are valid. An optional address may be empty."""
    assert load(tmp_path, f'{CERTIFICATE}[dns.a]\nprovider = "bunny"\napi = "{address}"\nauth_token = "t"\n')


def test_a_wrong_address_from_python(tmp_path: Path) -> None:
    """A wrong address in Python is the same mistake, found before anything is sent."""
    account = DnsAccount("httpreq", api="ftp://x")
    with pytest.raises(ConfigError) as caught:
        single_certificate(["example.com"], dns=[account], agree_terms=True, store=tmp_path)
    (said,) = caught.value.evidence["mistakes"]
    assert (caught.value.code, said["found"]) == ("config-invalid", "a text that is not a web address")


@pytest.mark.parametrize(
    "error",
    [
        HttpFailure("connect", "refused"),
        HttpFailure("tls", "not trusted"),
        HttpFailure("tls", "certificate has expired"),
        HttpFailure("timeout", "slow"),
        HttpFailure("redirect", "it redirects"),
        HostError("down", status=503),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", sorted(PAGES))
def test_an_error_names_the_address_in_use(name: str, error: Exception) -> None:
    """The error has the configured host and port without a user name, or else the title of the host."""
    fix = error_of(error, name, api="https://u:canary@panel.test:8443/x").fix
    assert "panel.test:8443" in fix
    assert PAGES[name] in fix
    assert "canary" not in fix
    without = error_of(error, name).fix
    assert provider_named(name).title in without
    assert PAGES[name] in without


@pytest.mark.parametrize("error", [HostError("slow down", status=429), HostError("no", status=400)], ids=str)
def test_the_command_reads_as_a_place_to_look_at(error: Exception) -> None:
    """The fix refers to `dnsrenew providers` for a host without a website."""
    assert "see `dnsrenew providers mine`" in error_of(error, "mine").fix


def test_a_server_that_is_not_reached() -> None:
    """acme-dns is a user's own server, so the error has its address, not only the project's page."""
    error = add("acme-dns", **OPTIONS["acme-dns"], api="http://127.0.0.1:1/x/")
    assert error.code == "provider-unreachable"
    assert "can reach 127.0.0.1:1, and" in error.fix
    assert "https://github.com/joohoi/acme-dns" in error.fix


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_nothing_at_the_address(name: str) -> None:
    """A 404 from a server without a list of zones is reported as a wrong `api`."""
    with Api(lambda _: (404, "404 page not found")) as server:
        error = add(name, **OPTIONS[name], api=f"{server.url}/wrong")
    assert error.code == "provider-address-wrong"
    assert "404 page not found" in error.message
    assert "Correct `api` of the account x" in error.fix


def test_a_404_that_names_a_zone() -> None:
    """The server's text takes precedence over the HTTP status."""
    with Api(lambda _: (404, "no zone example.com")) as server:
        assert add("httpreq", api=server.url).code == "provider-zone-unknown"


def test_the_reason_of_lexicon() -> None:
    """A connection refused in lexicon's process is reported with the system's text, as for a native driver."""
    with badports.NobodyThere() as there:
        error = add("powerdns", pdns_server=f"http://127.0.0.1:{there.port}", auth_token="t-canary")
    assert error.code == "provider-unreachable"
    assert error.message == "PowerDNS Authoritative Server (account x) cannot be reached: Connection refused."
    assert f"127.0.0.1:{there.port}" in error.fix


def test_the_reason_survives_the_way_between_processes() -> None:
    """The system's text is in the description of an exception and in the rebuilt one."""
    found = vars(inspect(ConnectionRefusedError(111, "Connection refused")))
    assert error_of(ReportedError(json.loads(json.dumps(found))), "desec").message.endswith(
        "cannot be reached: Connection refused."
    )


def test_a_field_that_is_missing() -> None:
    """The message names what is wrong with the answer."""
    with Api(lambda _: (200, {"Item": []})) as server:
        error = add("bunny", api=server.url, auth_token="t")
    assert error.code == "provider-malformed-answer"
    assert "cannot read: the field `Items` is missing or has another type." in error.message
