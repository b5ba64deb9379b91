"""The doctor's checks of the host, on a host with a network of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.namespaces import run_python
from tests.kit.net_host import NetHost

LISTEN: Final = [{"challenge": "http-01"}]
WEBROOT: Final = [{"challenge": "http-01", "webroot": "/srv/www"}]
TLS: Final = [{"challenge": "tls-alpn-01"}]
OWN, OWN6, SERVER = "192.0.2.10", "2003:db8::10", "192.0.2.53"
ONLINE: Final = (
    "ip link add d0 type veth peer name d1",
    "ip link set d1 up",
    "ip link set d0 up",
    f"ip addr add {OWN}/24 dev d0",
    f"ip addr add {SERVER}/24 dev d0",
    "ip route add default dev d0",
)
ONLINE6: Final = (f"ip addr add {OWN6}/64 dev d0 nodad", "ip -6 route add default dev d0")
INPUT: Final = ("nft add table inet filter", "nft 'add chain inet filter input { type filter hook input priority 0; }'")
HTTP: Final = ["http-01"]


@pytest.fixture(scope="module")
def machine() -> Iterator[NetHost]:
    """A host, started once."""
    with NetHost() as started:
        yield started


@pytest.fixture
def host(machine: NetHost) -> NetHost:
    """The host, with nothing but the loopback interface."""
    machine.reset()
    return machine


def verdict(check: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the result of a check and the challenges that it blocks."""
    return check["result"], check["blocks"]


# ── ports ───────────────────────────────────────────────────────────────────────────────


def test_a_free_port_is_ok(host: NetHost) -> None:
    """A free port is ok, with a configuration and without. A webroot needs no free port."""
    for code, routes in (("port-80-free", LISTEN), ("port-443-free", TLS)):
        assert verdict(host.check(code, routes=routes)) == ("ok", [])
    assert verdict(host.check("port-80-free", config=False)) == ("ok", [])
    assert host.check("port-80-free", routes=WEBROOT) == {}


def test_a_taken_port_names_its_program(host: NetHost) -> None:
    """The program at a taken port is named with its process id, without control characters."""
    pid = host.listen(("0.0.0.0", 80), ("::", 80), program="ng\x1b[31minx")
    check = host.check("port-80-free", routes=LISTEN)
    assert verdict(check) == ("bad", HTTP)
    assert check["evidence"] | {"address": ""} == {
        "listen": ":80", "port": 80, "errno": 98, "error": "EADDRINUSE", "owner": "ng [31minx", "pid": pid,
        "user": "root",
        "address": "",
    }  # fmt: skip
    assert verdict(host.check("port-80-free", routes=[*LISTEN, *WEBROOT])) == ("bad", [])
    freed = host.check("port-80-free", routes=LISTEN, before=["/usr/bin/systemctl", "stop", "nginx"])
    assert verdict(freed) == ("ok", [])
    assert freed["evidence"]["before"] == "systemctl"
    assert verdict(host.check("port-80-free", config=False)) == ("ok", [])


def test_the_port_of_another_user_is_taken_by_nobody_knows_whom(host: NetHost) -> None:
    """Without root the program at a port is unknown, and the fix has the command to find it."""
    host.run("sysctl -qw net.ipv4.ip_unprivileged_port_start=0")
    host.listen(("0.0.0.0", 443))
    check = host.check("port-443-free", routes=TLS, user=True)
    host.run("sysctl -qw net.ipv4.ip_unprivileged_port_start=1024")
    assert verdict(check) == ("bad", ["tls-alpn-01"])
    assert check["evidence"]["owner"] is None
    assert "ss -ltnp" in check["fix"]


def test_an_ordinary_user_may_not_open_the_port(host: NetHost) -> None:
    """A port that this user may not open is bad for a route that listens, and unknown without a configuration.

    The fix names the port: it can be the headline of a report.
    """
    check = host.check("port-80-free", routes=LISTEN, user=True)
    assert verdict(check) == ("bad", HTTP)
    assert check["evidence"]["error"] == "EACCES"
    assert "open all ports from 80" in check["fix"]
    assert verdict(host.check("port-80-free", config=False, user=True)) == ("unknown", HTTP)


def test_an_address_of_another_host_is_bad(host: NetHost) -> None:
    """`listen` with an address that this machine does not have is bad."""
    check = host.check("port-80-free", routes=[{"challenge": "http-01", "listen": "192.0.2.99:80"}])
    assert verdict(check) == ("bad", HTTP)
    assert check["evidence"]["error"] == "EADDRNOTAVAIL"


# ── web servers ─────────────────────────────────────────────────────────────────────────


def listens(host: NetHost, *addresses: str, **about: Any) -> dict[str, Any]:
    """Return the check of a webroot for a name with these addresses."""
    return host.check("port-80-listens", routes=WEBROOT, addresses={"a.test": addresses}, **about)


def test_a_web_server_on_all_addresses_is_ok(host: NetHost) -> None:
    """A web server on all addresses is ok. Without a configuration it is looked at too."""
    host.run(*ONLINE, *ONLINE6)
    host.listen(("0.0.0.0", 80), ("::", 80))
    assert verdict(listens(host, OWN, OWN6)) == ("ok", [])
    assert verdict(host.check("port-80-listens", config=False)) == ("ok", [])


def test_a_route_that_listens_itself_needs_no_web_server(host: NetHost) -> None:
    """Its address is looked at: loopback alone is bad only if nothing can pass the port on."""
    host.run(*ONLINE, *ONLINE6)

    def own(listen: str, *addresses: str, **about: Any) -> tuple[str, list[str]]:
        routes = [{"challenge": "http-01", "listen": listen}]
        return verdict(host.check("port-80-listens", routes=routes, addresses={"a.test": addresses}, **about))

    assert verdict(host.check("port-80-listens", routes=LISTEN)) == ("ok", [])
    assert own(":80", OWN, OWN6) == ("ok", [])
    assert own("0.0.0.0:80", OWN, OWN6) == ("bad", [])
    assert own("0.0.0.0:80", OWN6) == ("bad", HTTP)
    assert own("127.0.0.1:8080", OWN) == ("bad", HTTP)
    assert own("localhost:8080", OWN) == ("bad", HTTP)
    assert own("127.0.0.1:8080", "198.51.100.7") == ("unknown", [])
    assert own("127.0.0.1:8080", OWN, before=["proxy"]) == ("unknown", [])
    host.listen(("0.0.0.0", 80))
    assert own("127.0.0.1:8080", OWN) == ("unknown", [])


def test_a_web_server_on_loopback_alone_is_bad(host: NetHost) -> None:
    """A web server on loopback alone is bad, and the evidence has its addresses."""
    host.run(*ONLINE)
    host.listen(("127.0.0.1", 80))
    check = listens(host, OWN)
    assert verdict(check) == ("bad", HTTP)
    assert check["evidence"]["addresses"] == ["127.0.0.1"]


def test_a_family_without_a_web_server_is_bad(host: NetHost) -> None:
    """A missing address family blocks http-01 only for names without another address. Foreign addresses are ignored."""
    host.run(*ONLINE, *ONLINE6)
    host.listen(("0.0.0.0", 80))
    check = listens(host, OWN, OWN6)
    assert verdict(check) == ("bad", [])
    assert check["evidence"]["missing"] == ["IPv6"]
    assert verdict(listens(host, OWN6)) == ("bad", HTTP)
    assert verdict(listens(host, OWN, "2003:db8::ffff")) == ("ok", [])


def test_no_web_server_is_bad_only_where_no_router_can_explain_it(host: NetHost) -> None:
    """Without a web server, http-01 is unknown behind a router or without root, and ok if a rule redirects the port."""
    host.run(*ONLINE)
    assert verdict(listens(host, "198.51.100.7")) == ("unknown", HTTP)
    assert verdict(listens(host, OWN)) == ("bad", HTTP)
    assert verdict(listens(host, OWN, user=True)) == ("unknown", HTTP)
    assert host.check("port-80-listens", config=False) == {}
    host.run(*REDIRECT)
    assert verdict(listens(host, OWN)) == ("ok", [])


# ── the firewall ────────────────────────────────────────────────────────────────────────


def firewall(host: NetHost, *commands: str, **about: Any) -> dict[str, Any]:
    """Return the check with these rules."""
    host.run(*commands)
    return host.check("port-80-firewall", **{"addresses": {"a.test": [OWN]}, **about})


def rules(*texts: str) -> tuple[str, ...]:
    """Return the commands that create a chain with these rules."""
    return *INPUT, *(f"nft add rule inet filter input '{text}'" for text in texts)


DROP_ALL: Final = ("iptables -P INPUT DROP",)
REDIRECT: Final = ("iptables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080",)
OPEN: Final = {
    "no rules": (),
    "accepted": rules("ct state established,related accept", "tcp dport { 22, 80-90 } accept", "drop"),
    "banned senders": rules("ip saddr 1.1.1.0/24 drop", "tcp dport 80 accept", "drop"),
    "a limit": rules("tcp dport 80 ct state new limit rate over 20/second drop"),
    "invalid packets": rules("ct state vmap { invalid : drop, established : accept }", "tcp flags fin / fin,syn drop"),
    "another port": rules("tcp dport 8080 reject"),
    "another family": ("ip6tables -P INPUT DROP",),
    "iptables": (*DROP_ALL, "iptables -A INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT"),
    "a redirect": (*DROP_ALL, *REDIRECT),
}
CLOSED: Final = {
    "policy": (*rules("iifname lo accept"), "nft 'chain inet filter input { policy drop; }'"),
    "drop": rules("tcp dport 80 drop"),
    "reject": rules("tcp dport { http, https } reject with tcp reset"),
    "local network only": rules("ip saddr 192.168.0.0/16 tcp dport 80 accept", "tcp dport 80 drop"),
    "jump": (*rules(), "nft 'add chain inet filter more { tcp dport 80 reject; }'", *rules("jump more")[2:]),
    "verdict map": rules("tcp dport vmap { 22 : accept, 80 : drop }"),
    "iptables": ("iptables -A INPUT -p tcp --dport 80 -m comment --comment 'it is \"closed\"' -j DROP",),
    "iptables policy": (*DROP_ALL, "iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"),
}
UNSURE: Final = {
    "some senders": rules("ip saddr 1.1.1.0/24 tcp dport 80 accept", "tcp dport 80 drop"),
    "mark": ("iptables -A INPUT -m mark --mark 0x1 -j DROP",),
}


@pytest.mark.parametrize("case", OPEN)
def test_an_open_firewall_is_ok(host: NetHost, case: str) -> None:
    """Rules that let a CA connect to the port are ok."""
    host.run(*ONLINE)
    assert verdict(firewall(host, *OPEN[case])) == ("ok", [])


@pytest.mark.parametrize("case", CLOSED)
def test_a_closed_firewall_is_bad_and_its_fix_opens_it(host: NetHost, case: str) -> None:
    """Rules that close the port are bad. The evidence has the rule, and the command in the fix opens the port."""
    host.run(*ONLINE)
    check = firewall(host, *CLOSED[case])
    assert verdict(check) == ("bad", HTTP)
    assert check["evidence"]["rule"] not in {"", "?"}
    host.run(check["fix"].split("`")[1].removeprefix("sudo "))
    assert verdict(firewall(host)) == ("ok", [])


@pytest.mark.parametrize("case", UNSURE)
def test_a_firewall_that_depends_on_more_is_unknown(host: NetHost, case: str) -> None:
    """A rule whose effect depends on the sender or on a mark is unknown, and the evidence has the rule."""
    host.run(*ONLINE)
    check = firewall(host, *UNSURE[case])
    assert verdict(check) == ("unknown", HTTP)
    assert check["evidence"]["rule"] not in {"", "?"}


def test_a_firewall_may_close_one_family_only(host: NetHost) -> None:
    """A firewall that closes one of two families blocks nothing. With a `before` command the result is unknown."""
    host.run(*ONLINE, *ONLINE6)
    check = firewall(host, "ip6tables -A INPUT -p tcp --dport 80 -j DROP", addresses={"a.test": [OWN, OWN6]})
    assert verdict(check) == ("bad", [])
    assert check["evidence"]["families"] == ["IPv6"]
    assert "ip6tables" in check["fix"]
    assert verdict(firewall(host, before=["ufw"], addresses={"a.test": [OWN6]})) == ("unknown", HTTP)


def test_the_rules_are_unknown_without_root(host: NetHost) -> None:
    """Without root the firewall is unknown, and the fix names `sudo`."""
    check = firewall(host, *ONLINE, *CLOSED["drop"], user=True)
    assert verdict(check) == ("unknown", HTTP)
    assert "sudo" in check["fix"]


RENEW: Final = """
import json, subprocess, sys
from pathlib import Path
from unittest import mock
from dnsrenew.extensions.doctor import after_failure
from tests.kit.memory_lab import MemoryLab, MemoryWorkspace

explain, (folder, *commands) = after_failure.explain, sys.argv[1:]
for command in commands:
    subprocess.run(command, shell=True, check=True)
lab = MemoryLab(Path(folder))
with lab.installed(), mock.patch.object(after_failure, "explain", explain):
    workspace = MemoryWorkspace(lab, Path(folder))
    certificate = {"name": "home", "domains": ["example.test"], "routes": [{"challenge": "http-01", "listen": ":80"}]}
    workspace.write({"certificate": [certificate]})
    print(" ".join(workspace.run("renew").stdout.split()))
"""


def test_a_failed_renewal_names_the_rule(tmp_path: Path) -> None:
    """`renew` names the rule that closes port 80, and what opens it, as the doctor does. DNS comes first."""
    closed = ("ip link set lo up", *ONLINE, *rules("tcp dport 80 reject"))
    own = ("--net",) if os.geteuid() == 0 else ("--net", "--map-root-user")
    said = run_python(RENEW, str(tmp_path), *closed, unshare=own)
    advice, _, found = said.partition(" likely cause ")
    assert '{ challenge = "dns-01", dns = "home" }' in advice
    assert "tcp dport 80 reject" in found
    assert "nft insert rule inet filter input tcp dport 80 accept" in found


# ── the way out ─────────────────────────────────────────────────────────────────────────


def test_no_route_at_all_is_bad(host: NetHost) -> None:
    """A host without a route is bad for all challenges, unless the CA answers."""
    assert verdict(host.check("internet")) == ("bad", ["all"])
    host.ask(redirect="127.0.0.1", location="200")
    assert verdict(host.check("internet", directory="http://127.0.0.1/directory")) == ("ok", [])
    assert host.check("vpn") == {}


def test_a_sign_in_page_is_bad(host: NetHost, tmp_path: Path) -> None:
    """A redirect to a foreign host or the status 511 is bad; with a redirect of the CA itself the network works."""
    host.run(*ONLINE)
    host.ask(hosts=f"{OWN} acme.ca.test\n", folder=str(tmp_path))
    about = {"directory": "https://acme.ca.test/directory", "nameserver": OWN}
    for location, result in (("http://login.hotel.test/", "bad"), ("511", "bad"), ("https://www.ca.test/", "ok")):
        host.ask(redirect=OWN, location=location)
        check = host.check("internet", **about)
        host.reset()
        host.run(*ONLINE)
        assert verdict(check) == (result, ["all"] if result == "bad" else [])


def test_a_tunnel_is_a_vpn(host: NetHost) -> None:
    """A tunnel is bad if a default route, or half of one, leads into it; it blocks nothing."""
    host.run(*ONLINE)
    assert verdict(host.check("vpn")) == ("ok", [])
    host.run("ip tuntap add dev t0 mode tun", "ip addr add 10.8.0.2/24 dev t0", "ip link set t0 up")
    assert verdict(host.check("vpn")) == ("ok", [])
    host.run("ip route add 128.0.0.0/1 dev t0")
    check = host.check("vpn")
    assert verdict(check) == ("bad", [])
    assert check["evidence"] == {"interfaces": ["t0"], "families": ["IPv4"]}


def test_ipv6_without_a_route_is_bad(host: NetHost) -> None:
    """IPv6 without a route blocks names that have only IPv6. A host and a name without IPv6 are ok."""
    host.run(*ONLINE)
    assert verdict(host.check("ipv6", addresses={"a.test": [OWN]})) == ("ok", [])
    assert verdict(host.check("ipv6", addresses={"a.test": [OWN, OWN6]})) == ("unknown", [])
    host.run(ONLINE6[0])
    assert verdict(host.check("ipv6", addresses={"a.test": [OWN, OWN6]})) == ("bad", [])
    check = host.check("ipv6", addresses={"a.test": [OWN6], "b.test": [OWN]})
    assert verdict(check) == ("bad", ["http-01", "tls-alpn-01"])
    assert check["evidence"]["names"] == ["a.test"]
    host.run(ONLINE6[1])
    assert verdict(host.check("ipv6", addresses={"a.test": [OWN6]})) == ("ok", [])


def test_ipv6_that_gets_no_answer_is_bad(host: NetHost, tmp_path: Path) -> None:
    """IPv6 is bad if the CA answers by IPv4 only, and ok if it answers by neither."""
    host.run(*ONLINE, *ONLINE6)
    host.ask(dns=SERVER, folder=str(tmp_path))
    about: dict[str, Any] = {"directory": "https://ca.a.test:8443/directory", "addresses": {"a.test": [OWN6]}}
    host.run("nft add table inet out", "nft 'add chain inet out output { type filter hook output priority 0; }'")
    host.run("nft add rule inet out output ip6 daddr 2003:db8::99 reject")
    assert verdict(host.check("ipv6", **about)) == ("ok", [])
    host.listen((OWN, 8443))
    assert verdict(host.check("ipv6", **about)) == ("bad", ["http-01", "tls-alpn-01"])


# ── DNS ─────────────────────────────────────────────────────────────────────────────────


def test_port_53_is_closed_by_the_network(host: NetHost, tmp_path: Path) -> None:
    """A closed port 53 blocks dns-01, unless DNS over HTTPS is configured. A port closed only for TCP does not."""
    host.run(*ONLINE)
    host.ask(dns=SERVER, folder=str(tmp_path))
    about: dict[str, Any] = {"routes": [{"challenge": "dns-01"}]}
    assert verdict(host.check("port-53", **about)) == ("ok", [])
    host.run("nft add table inet out", "nft 'add chain inet out output { type filter hook output priority 0; }'")
    host.run("nft add rule inet out output ip daddr != 127.0.0.1 tcp dport 53 drop")
    half = host.check("port-53", **about)
    assert verdict(half) == ("bad", [])
    assert half["evidence"]["protocol"] == "TCP"
    host.run("nft add rule inet out output ip daddr != 127.0.0.1 udp dport 53 drop")
    host.run("nft insert rule inet out output ip daddr != 127.0.0.1 tcp dport 53 reject with tcp reset")
    closed = host.check("port-53", **about)
    assert verdict(closed) == ("bad", ["dns-01"])
    assert "doh" in closed["fix"]
    assert verdict(host.check("port-53", doh=["https://192.0.2.1/dns-query"], **about)) == ("ok", [])
    assert verdict(host.check("port-53", propagation="none", **about)) == ("bad", [])
