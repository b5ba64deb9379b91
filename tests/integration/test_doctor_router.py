"""The router as the doctor sees it: NAT with and without forwarding, in network namespaces, with Debian's miniupnpd."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.load import allowed
from tests.kit.router import HELPER, HOST, PROVIDER, WAN, home

LISTEN: Final = [{"challenge": "http-01", "listen": ":80"}]
CHECKS: Final = ("nat", "port-80-forwarded")
CODES: Final = (*CHECKS, "public")


def result(check: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the result and the challenges that it blocks."""
    return check["result"], check["blocks"]


def test_a_router_with_a_public_address_and_a_mapping(tmp_path: Path) -> None:
    """UPnP and NAT-PMP report the router's public address, and UPnP reports the mapping."""
    with home(tmp_path, helper=False) as network:
        network.add_mapping(80)
        found = network.look(*CODES, routes=LISTEN)
    assert result(found["nat"]) == ("ok", [])
    assert found["nat"]["evidence"]["wan"] == dict.fromkeys(("upnp", "nat-pmp"), WAN)
    assert result(found["port-80-forwarded"]) == ("ok", [])
    assert found["port-80-forwarded"]["evidence"]["mappings"] == [
        {"external": 80, "protocol": "tcp", "host": HOST, "port": 80}
    ]
    assert found["public"] == [WAN]


@pytest.mark.parametrize("port", [80, 8080])
def test_a_mapping_that_leads_elsewhere(tmp_path: Path, port: int) -> None:
    """A mapping to another host is bad; one to another port of this machine may still reach it."""
    with home(tmp_path, helper=False) as network:
        network.add_mapping(80, HOST if port == 8080 else "192.168.7.99", port)
        found = network.look(*CODES, routes=LISTEN)["port-80-forwarded"]
    assert result(found) == ("unknown" if port == 8080 else "bad", ["http-01"])
    assert found["evidence"]["host"] == HOST
    assert (found["evidence"]["target"], found["evidence"]["target_port"]) == (
        (HOST, 8080) if port == 8080 else ("192.168.7.99", 80)
    )


def test_carrier_grade_nat(tmp_path: Path) -> None:
    """A router address of 100.64.0.0/10 blocks http-01 and tls-alpn-01. The helper sees the provider's address."""
    with home(tmp_path, "100.64.0.2") as network:
        found = network.look(*CODES, routes=LISTEN, probe_url=HELPER)
    assert result(found["nat"]) == ("bad", ["http-01", "tls-alpn-01"])
    assert found["nat"]["evidence"]["seen"] == [PROVIDER]
    assert found["public"] == [PROVIDER]
    assert result(found["port-80-forwarded"]) == ("unknown", [])


@pytest.mark.parametrize(
    ("wan", "expected"),
    [("10.0.0.2", ("bad", [])), ("192.0.0.2", ("bad", ["http-01", "tls-alpn-01"]))],
)
def test_other_addresses_that_are_not_public(tmp_path: Path, wan: str, expected: tuple[str, list[str]]) -> None:
    """A private router address is bad and blocks nothing; an address of DS-Lite blocks http-01 and tls-alpn-01."""
    with home(tmp_path, wan, helper=False) as network:
        assert result(network.look(*CODES, routes=LISTEN)["nat"]) == expected


def test_a_router_that_tells_nothing(tmp_path: Path) -> None:
    """Without UPnP and NAT-PMP every check is unknown after a short time."""
    with home(tmp_path, upnp=False, helper=False) as network:
        began = time.monotonic()
        found = network.look(*CODES, routes=LISTEN)
        seconds = time.monotonic() - began
    assert {check: result(found[check]) for check in CHECKS} == dict.fromkeys(CHECKS, ("unknown", []))
    assert found["public"] == []
    assert seconds < allowed(6)  # with the start of Python


def test_a_host_with_a_public_address(tmp_path: Path) -> None:
    """A host with a public address is ok, and no router is queried."""
    with home(tmp_path, upnp=False, helper=False) as network:
        found = network.look(*CODES, routes=LISTEN, place="outside")
    assert {check: result(found[check]) for check in CHECKS} == dict.fromkeys(CHECKS, ("ok", []))
    assert found["public"] == ["198.51.101.80"]
    assert found["nat"]["evidence"]["gateway"] is None
