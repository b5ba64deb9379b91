"""Ports as the helper outside sees them, in network namespaces: forwarded, closed, blocked, and in use."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tests.kit.router import HELPER, WAN, HomeNetwork, home

HTTP: Final = [{"challenge": "http-01", "listen": ":80"}]
TLS: Final = [{"challenge": "tls-alpn-01"}]
BOTH: Final = [*HTTP, *TLS]
OUTSIDE: Final = ("port-80-outside", "port-443-outside")


def look(network: HomeNetwork, *codes: str, routes: list[dict[str, Any]] = BOTH) -> dict[str, Any]:
    """Return these checks, made with the helper."""
    return network.look(*codes, routes=routes, probe_url=HELPER)


def results(found: dict[str, Any]) -> dict[str, tuple[str, list[str]]]:
    """Return the result of each check and the challenges that it blocks."""
    return {code: (check["result"], check["blocks"]) for code, check in found.items()}


def test_ports_that_are_open(tmp_path: Path) -> None:
    """Open ports are ok, because the helper gets an answer of our own listener, even if UPnP shows no mapping.

    Our own listener does not make the port taken.
    """
    with home(tmp_path) as network:
        for port in (80, 443):
            network.forward_by_hand(port)
        found = look(network, "nat", "port-80-free", "port-443-free", "port-80-forwarded", "public", *OUTSIDE)
    public = found.pop("public")
    assert {result for result, _ in results(found).values()} == {"ok"}
    evidence = found["port-443-outside"]["evidence"]
    assert (evidence["address"], evidence["answering"]) == ([WAN], "own")
    assert found["port-80-forwarded"]["evidence"]["proven"] == [WAN]
    assert public == [WAN]


def test_ports_that_are_closed(tmp_path: Path) -> None:
    """Without a mapping the router refuses the connection, and both ports are bad."""
    with home(tmp_path) as network:
        found = look(network, "port-80-forwarded", *OUTSIDE)
    assert results(found) == {
        "port-80-forwarded": ("unknown", []),
        "port-80-outside": ("bad", ["http-01"]),
        "port-443-outside": ("bad", ["tls-alpn-01"]),
    }
    assert found["port-80-outside"]["evidence"]["error"] == "refused"


def test_a_port_that_the_provider_blocks(tmp_path: Path) -> None:
    """If the provider drops port 80 and 443 is open, port 80 is bad and the evidence names the open port."""
    drop = 'add rule inet filter forward oifname "in" tcp dport 80 drop'
    with home(tmp_path) as network:
        network.rules("provider", f"add table inet filter\n{_FORWARD}\n{drop}")
        for port in (80, 443):
            network.add_mapping(port)
        found = look(network, *OUTSIDE)
    assert results(found) == {"port-80-outside": ("bad", ["http-01"]), "port-443-outside": ("ok", [])}
    assert found["port-80-outside"]["evidence"]["error"] == "timeout"
    assert found["port-80-outside"]["evidence"]["other_port"] == 443


_FORWARD: Final = "add chain inet filter forward { type filter hook forward priority 0; policy accept; }"


def test_a_firewall_that_rejects(tmp_path: Path) -> None:
    """A router's firewall that rejects connections makes the port bad."""
    with home(tmp_path, upnp=False) as network:
        network.forward_by_hand(80)
        network.rules("router", "insert rule inet filter forward tcp dport 80 reject with icmpx admin-prohibited")
        found = look(network, "port-80-outside", routes=HTTP)
    assert results(found) == {"port-80-outside": ("bad", ["http-01"])}


def test_a_port_with_a_web_server(tmp_path: Path) -> None:
    """A port at which another program answers is open."""
    with home(tmp_path, upnp=False) as network:
        network.forward_by_hand(80)
        network.start_web_server("host", 80)
        found = look(network, "port-80-outside", routes=HTTP)
    check = found["port-80-outside"]
    assert (check["result"], check["evidence"]["answering"]) == ("ok", "other")
    assert check["evidence"]["answers"]["IPv4"]["banner"].startswith("SimpleHTTP/")


def test_a_port_that_leads_to_another_device(tmp_path: Path) -> None:
    """A port that the router answers itself is open, but the result is unknown."""
    with home(tmp_path, upnp=False) as network:
        network.start_web_server("router", 80)
        found = look(network, "port-80-outside", routes=HTTP)
    assert results(found) == {"port-80-outside": ("unknown", ["http-01"])}
    assert found["port-80-outside"]["evidence"]["answers"]["IPv4"]["open"] is True


def test_no_permission_to_listen(tmp_path: Path) -> None:
    """If nothing listens and this user may not, a closed port is unknown."""
    with home(tmp_path, upnp=False) as network:
        network.forward_by_hand(80)
        found = network.look("port-80-outside", routes=HTTP, probe_url=HELPER, may_bind=False)
    assert results(found) == {"port-80-outside": ("unknown", ["http-01"])}
    assert found["port-80-outside"]["evidence"]["answering"] == "nothing"


def test_no_helper(tmp_path: Path) -> None:
    """Without the helper the ports are unknown, and the fix has an address to open from outside."""
    with home(tmp_path, upnp=False, helper=False) as network:
        network.forward_by_hand(80)
        found = network.look(*OUTSIDE, routes=BOTH)
        silent = look(network, "port-80-outside")
    assert results(found) == {
        "port-80-outside": ("unknown", ["http-01"]),
        "port-443-outside": ("unknown", ["tls-alpn-01"]),
    }
    assert "http://home.test/" in found["port-80-outside"]["fix"]
    assert results(silent) == {"port-80-outside": ("unknown", ["http-01"])}
