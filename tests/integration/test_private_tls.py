"""TLS is verified for a CA, a DNS host and a resolver; a server with a wrong certificate gets no request."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dns.rdatatype
import pytest

from dnsrenew.acme import CAClient
from dnsrenew.base.http import HttpClient
from dnsrenew.base.model import CA, DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.dns import wire
from dnsrenew.dns.lookup import Doh, NoDohAnswer
from dnsrenew.dns.wire import DnsQuestion
from dnsrenew.drivers.invoke import call_add
from dnsrenew.errors import AttemptError, CAError, ProviderError
from tests.kit.api_server import Api
from tests.kit.ca_box import MemoryStore
from tests.kit.clock import FakeClock
from tests.kit.drivers import provider_of
from tests.lab import LabCA

CANARY = "canary-tls-7b1e55d2"
RECORD = TxtRecord("home.duckdns.org.", "_acme-challenge.home.duckdns.org.", "v" * 43, 60)


@pytest.fixture(scope="module")
def lab_ca(tmp_path_factory: pytest.TempPathFactory) -> LabCA:
    """The only trusted CA in these tests."""
    return LabCA(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def trust(lab_ca: LabCA, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system trusts this CA, for all libraries."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(lab_ca.trust_pem))


def https_server(context: ssl.SSLContext) -> Api:
    """An HTTPS server with this certificate, which answers 404."""
    return Api(lambda _: (404, ""), tls=context)


def ask_a_ca(url: str, lab_ca: LabCA) -> str:
    """Open a CA with configured roots."""
    http = HttpClient(trust=lab_ca.trust_pem)
    client = CAClient(CA(f"{url}/dir", name="lab"), http, MemoryStore(), contact=(), agree_terms=True)
    with pytest.raises(CAError) as caught:
        client.open(Context(clock=FakeClock()))
    return code_of(caught.value)


def code_of(error: AttemptError) -> str:
    """Return the code, and whether the fix suspects the clock of this machine first."""
    return f"{error.code}, clock" if "clock of this" in error.fix else error.code


def write(provider: str, account: DnsAccount, url: str | None = None) -> str:
    """Write a value with the driver of a DNS host."""
    shipped = provider_of(provider)
    used = shipped if url is None else replace(shipped, driver_options={"api": url})
    with pytest.raises(ProviderError) as caught:
        call_add(Context(clock=FakeClock()), used, account, [RECORD])
    return code_of(caught.value)


def ask_duckdns(url: str, _lab_ca: LabCA) -> str:
    """Use our own driver."""
    return write("duckdns", DnsAccount("duckdns", name="duck", token=Secret(CANARY)), url)


def ask_lexicon(url: str, _lab_ca: LabCA) -> str:
    """Use a host of lexicon."""
    account = DnsAccount("powerdns", name="pdns", pdns_server=url, auth_token=Secret(CANARY))
    return write("powerdns", account)


def ask_doh(url: str, _lab_ca: LabCA) -> str:
    """Use a resolver over HTTPS."""
    client = Doh([f"{url}/dns-query"], None)
    with pytest.raises(NoDohAnswer) as caught:
        client.query(client.urls[0], DnsQuestion(wire.from_text("a.test"), dns.rdatatype.TXT))
    return str(caught.value)


CLIENTS = {
    "ca": (ask_a_ca, "ca-untrusted"),
    "duckdns": (ask_duckdns, "provider-untrusted"),
    "lexicon": (ask_lexicon, "provider-untrusted"),
    "doh": (ask_doh, "cannot be reached (tls)"),
}


@pytest.mark.parametrize("wrong", ["of-another-ca", "for-another-name", "expired"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_wrong_certificate_gets_nothing(lab_ca: LabCA, tmp_path: Path, client: str, wrong: str) -> None:
    """A server with an untrusted certificate gets no request, and the error has its code.

    If the dates are wrong, the fix suspects the clock first.
    """
    contexts: dict[str, Callable[[], ssl.SSLContext]] = {
        "of-another-ca": lambda: LabCA(tmp_path / "another").server_context(),
        "for-another-name": lambda: lab_ca.another_context("other.test"),
        "expired": lambda: lab_ca.another_context("127.0.0.1", expired=True),
    }
    ask, expected = CLIENTS[client]
    clock = ", clock" if wrong == "expired" and client != "doh" else ""
    with https_server(contexts[wrong]()) as server:
        assert ask(server.url, lab_ca) == expected + clock
    assert server.asked == []


@pytest.mark.parametrize("client", CLIENTS)
def test_a_right_certificate_gets_the_request(lab_ca: LabCA, client: str) -> None:
    """A server with a trusted certificate gets the request."""
    ask, untrusted = CLIENTS[client]
    with https_server(lab_ca.server_context()) as server:
        assert ask(server.url, lab_ca) != untrusted
    assert server.asked
