"""Ports as our helper outside sees them, in network namespaces: forwarded, closed, blocked, and in use."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tests.kit.router import HELPER, WAN, HomeNetwork, home

HTTP: Final = [{"challenge": "http-01", "listen": ":80"}]
TLS: Final = [{"challenge": "tls-alpn-01"}]
BOTH: Final = [*HTTP, *TLS]
OUTSIDE: Final = ("port-80-outside", "port-443-outside")


def look(network: HomeNetwork, *codes: str, routes: list[dict[str, Any]] = BOTH) -> dict[str, Any]:
    """The checks, with the helper."""
    return network.look(*codes, routes=routes, probe_url=HELPER)


def results(found: dict[str, Any]) -> dict[str, tuple[str, list[str]]]:
    """The result of each check, and what it blocks."""
    return {code: (check["result"], check["blocks"]) for code, check in found.items()}


def test_ports_that_are_open(tmp_path: Path) -> None:
    """The helper gets what only this host knows, also through a mapping that UPnP does not show.

    Our own listener is nobody who has the port.
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
    assert public["helper"] == [WAN]


def test_ports_that_are_closed(tmp_path: Path) -> None:
    """Without a mapping the router itself refuses."""
    with home(tmp_path) as network:
        found = look(network, "port-80-forwarded", *OUTSIDE)
    assert results(found) == {
        "port-80-forwarded": ("unknown", []),
        "port-80-outside": ("bad", ["http-01"]),
        "port-443-outside": ("bad", ["tls-alpn-01"]),
    }
    assert found["port-80-outside"]["evidence"]["error"] == "refused"


def test_a_port_that_the_provider_blocks(tmp_path: Path) -> None:
    """The mapping is there and 443 is open: the likely cause is named, and the result is as certain as before."""
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
    """A firewall of the router that rejects is as bad as one that drops."""
    with home(tmp_path, upnp=False) as network:
        network.forward_by_hand(80)
        network.rules("router", "insert rule inet filter forward tcp dport 80 reject with icmpx admin-prohibited")
        found = look(network, "port-80-outside", routes=HTTP)
    assert results(found) == {"port-80-outside": ("bad", ["http-01"])}


def test_a_port_with_a_web_server(tmp_path: Path) -> None:
    """Any answer of a program that has the port means that it is open."""
    with home(tmp_path, upnp=False) as network:
        network.forward_by_hand(80)
        network.start_web_server("host", 80)
        found = look(network, "port-80-outside", routes=HTTP)
    check = found["port-80-outside"]
    assert (check["result"], check["evidence"]["answering"]) == ("ok", "other")
    assert check["evidence"]["answers"]["IPv4"]["banner"].startswith("SimpleHTTP/")


def test_a_port_that_leads_to_another_device(tmp_path: Path) -> None:
    """The router answers itself: open, but not this host, so it is not known what a CA would get."""
    with home(tmp_path, upnp=False) as network:
        network.start_web_server("router", 80)
        found = look(network, "port-80-outside", routes=HTTP)
    assert results(found) == {"port-80-outside": ("unknown", ["http-01"])}
    assert found["port-80-outside"]["evidence"]["answers"]["IPv4"]["open"] is True


def test_no_permission_to_listen(tmp_path: Path) -> None:
    """Nothing listens and this user may not: a closed port proves nothing."""
    with home(tmp_path, upnp=False) as network:
        network.forward_by_hand(80)
        found = network.look("port-80-outside", routes=HTTP, probe_url=HELPER, may_bind=False)
    assert results(found) == {"port-80-outside": ("unknown", ["http-01"])}
    assert found["port-80-outside"]["evidence"]["answering"] == "nothing"


def test_no_helper(tmp_path: Path) -> None:
    """Without one it is unknown; the fix says how to look."""
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
