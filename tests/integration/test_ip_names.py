"""Certificates for IP addresses (RFC 8738) from a real CA, which connects to the addresses themselves."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from cryptography import x509

from tests.kit.fallback_stage import attempt_rows, http
from tests.kit.renew_stage import Stage, leaf
from tests.lab.ports import has_ipv6
from tests.lab.workspace import Workspace

ADDRESSES = ["127.0.0.1", *(["::1"] if has_ipv6() else [])]


@pytest.fixture
def stage(workspace: Workspace) -> Stage:
    """A stage whose certificate has no name of its own."""
    return Stage(workspace, {"certificate.0.name": None})


def addresses_in(certificate: x509.Certificate) -> list[str]:
    """Return the IP addresses in a certificate."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return sorted(map(str, names.get_values_for_type(x509.IPAddress)))


def route(stage: Stage, challenge: str) -> dict[str, Any]:
    """Return a route at the port where this CA connects."""
    pebble = stage.lab.pebble
    port = pebble.http_port if challenge == "http-01" else pebble.tls_port
    return {"challenge": challenge, "listen": f":{port}"}


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_the_ca_validates_addresses(stage: Stage, challenge: str) -> None:
    """An IPv4 and an IPv6 address are validated in one order, by http-01 or tls-alpn-01, without a DNS account."""
    changes = {"dns.home": None, "certificate.0.domains": ADDRESSES}
    outcome = stage.renewed({**changes, "certificate.0.routes": [route(stage, challenge)]})
    assert attempt_rows(outcome) == [("lab", challenge, (), 1, None)]
    assert (outcome.name, list(outcome.domains)) == ("127.0.0.1", ADDRESSES)
    assert addresses_in(stage.leaf("127.0.0.1")) == sorted(ADDRESSES)
    assert stage.one({**changes, "certificate.0.routes": [route(stage, challenge)]}).status == "not-due"


def test_a_mix_in_one_order(stage: Stage) -> None:
    """One order validates a domain and its wildcard by dns-01, and addresses by http-01 without DNS."""
    domains = ["example.test", "*.example.test", *ADDRESSES]
    routes = [{"challenge": "dns-01"}, http(stage.lab.pebble.http_port, listen=f":{stage.lab.pebble.http_port}")]
    outcome = stage.renewed({"certificate.0.domains": domains, "certificate.0.routes": routes})
    assert attempt_rows(outcome) == [("lab", "mixed", ("home",), 1, None)]
    assert addresses_in(stage.leaf("example.test")) == sorted(ADDRESSES)
    assert not any(address in name for _, _, name in stage.written() for address in ADDRESSES)
    assert outcome.route is not None
    assert {name: way["challenge"] for name, way in (outcome.route.names or {}).items()} == dict(
        zip(domains, ["dns-01", "dns-01", *["http-01"] * len(ADDRESSES)], strict=True)
    )


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_the_name_of_an_ipv6_certificate(stage: Stage) -> None:
    """The folder of an IPv6 certificate has no colon, which Windows does not allow."""
    changes = {"dns.home": None, "certificate.0.domains": ["0:0::1"]}
    outcome = stage.renewed({**changes, "certificate.0.routes": [route(stage, "http-01")]})
    assert (outcome.name, outcome.domains) == ("0--1", ("::1",))
    (version,) = (stage.workspace.store / "certificates" / "0--1" / "versions").glob("[0-9]*")
    assert addresses_in(leaf(version)) == [str(ipaddress.ip_address("::1"))]


def test_a_ca_that_does_not_find_the_address_here(stage: Stage) -> None:
    """If the CA cannot connect to an address, the error names the address."""
    port = stage.lab.reserve("127.0.0.1")
    routes = [{"challenge": "http-01", "listen": f"127.0.0.1:{port}"}]
    outcome = stage.one({"dns.home": None, "certificate.0.domains": ["127.0.0.1"], "certificate.0.routes": routes})
    assert outcome.error is not None
    assert outcome.error.code == "http-unreachable"
    assert outcome.error.evidence["addresses"] == {"127.0.0.1": {"A": ["127.0.0.1"], "AAAA": []}}
    assert "dns-01" not in outcome.error.fix
