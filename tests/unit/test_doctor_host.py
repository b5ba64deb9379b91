"""The doctor's checks of the host: from facts to a verdict. The facts are read in tests/integration."""

from __future__ import annotations

import errno
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from dnsrenew.base.model import CertificateSpec, Check
from dnsrenew.base.values import replace
from dnsrenew.errors import DnsError, printable
from dnsrenew.extensions.doctor.host.firewall import RuleDump, judge_firewall, judge_profiles
from dnsrenew.extensions.doctor.host.internet import (
    PlainAnswer,
    Unqueried,
    judge_internet,
    judge_ipv6,
    judge_port_53,
    judge_vpn,
    sign_in_page,
)
from dnsrenew.extensions.doctor.host.machine import (
    Family,
    Listener,
    OutboundRoute,
    PortFailure,
    ThisHost,
    link_of,
)
from dnsrenew.extensions.doctor.host.nft_rules import Packet
from dnsrenew.extensions.doctor.host.ports import judge_listening, judge_own, judge_port
from dnsrenew.extensions.doctor.survey.probes import ServerPort

DATA: Final = Path(__file__).parents[1] / "data"
ETHERNET, TUNNEL, LINE = (
    OutboundRoute("192.0.2.1", "eth0"),
    OutboundRoute("10.8.0.2", "wg0", "vpn"),
    OutboundRoute("192.0.2.1", "ppp0", "ppp"),
)
SPEC: Final = CertificateSpec(name="home", domains=("a.test",), identifiers=("a.test",), ca="lab")
HTTP: Final = ("http-01",)
ALL: Final = ("all",)


def verdict(check: Check | None) -> tuple[str, tuple[str, ...]]:
    """Return the result of a check and what it blocks. Its sentences must be complete."""
    assert check is not None
    json.dumps(check.evidence)
    for sentence in filter(None, (check.summary, check.fix)):
        assert "{" not in sentence.replace("{ ", "")
        assert "None" not in sentence
    return check.result, check.blocks


# ── the outbound route ─────────────────────────────────────────────────────────────────────────


def internet(*plain: PlainAnswer, route: OutboundRoute | None = ETHERNET, **about: Any) -> Check:
    """The check of a host to which no CA answers."""
    return judge_internet({"ipv4": route, "ipv6": None}, about.pop("answering", ""), plain, hosts=["ca.test"], **about)


def test_only_a_missing_route_and_a_sign_in_page_are_certain() -> None:
    """A missing route and a sign-in page are bad. Other silence is unknown; an answer is ok."""
    assert verdict(internet(route=None)) == ("bad", ("all",))
    assert verdict(internet(PlainAnswer("ca.test", leads_to="login.hotel.test"))) == ("bad", ("all",))
    assert verdict(internet()) == verdict(internet(has_dns=False)) == ("unknown", ("all",))
    assert internet().summary != internet(has_dns=False).summary
    assert verdict(internet(answering="ca.test", route=None)) == ("ok", ())
    assert verdict(internet(PlainAnswer("ca.test", leads_to="login.hotel.test"), connected="ca.test")) == ("bad", ALL)


def test_a_host_that_can_be_connected_to_shows_that_the_network_works() -> None:
    """A connection counts without an answer, unless something may answer in place of the CA."""
    assert verdict(internet(connected="ca.test")) == ("ok", ())
    doubtful = PlainAnswer("ca.test", leads_to="a.test"), PlainAnswer("cb.test", leads_to="b.test")
    assert verdict(internet(*doubtful, connected="ca.test")) == ("unknown", ALL)


@pytest.mark.parametrize(
    ("answers", "is_portal"),
    [
        ([PlainAnswer("acme.ca.test", 511)], True),
        ([PlainAnswer("acme.ca.test", leads_to="192.168.1.1")], True),
        (
            [PlainAnswer("acme.ca.test", leads_to="login.test"), PlainAnswer("acme.cb.test", leads_to="login.test")],
            True,
        ),
        ([PlainAnswer("acme.ca.test", leads_to="login.test"), PlainAnswer("acme.cb.test")], True),
        ([PlainAnswer("acme.ca.test", leads_to="www.ca.test")], False),
        ([PlainAnswer("acme.ca.test", leads_to="a.test"), PlainAnswer("acme.cb.test", leads_to="b.test")], False),
        ([PlainAnswer("acme.ca.test", leads_to="login.test"), PlainAnswer("acme.cb.test", 404)], False),
        ([PlainAnswer("192.0.2.1", leads_to="192.0.2.1")], False),
        ([PlainAnswer("acme.ca.test", 200)], False),
        ([], False),
    ],
)
def test_a_sign_in_page_leads_everybody_to_one_foreign_host(answers: Sequence[PlainAnswer], is_portal: bool) -> None:
    """Redirects of all CAs to one foreign host are a sign-in page.

    A CA's own redirect and different answers are not.
    """
    assert (sign_in_page(answers) is not None) == is_portal


def test_a_vpn_is_bad_but_stops_nothing() -> None:
    """A VPN is bad without blocking anything. A provider's line or an unknown interface is unknown."""
    assert verdict(judge_vpn({"ipv4": ETHERNET, "ipv6": None})) == ("ok", ())
    assert verdict(judge_vpn({"ipv4": ETHERNET, "ipv6": TUNNEL})) == ("bad", ())
    assert verdict(judge_vpn({"ipv4": LINE, "ipv6": None})) == ("unknown", ())
    assert verdict(judge_vpn({"ipv4": OutboundRoute("192.0.2.1", ""), "ipv6": None})) == ("unknown", ())
    assert judge_vpn({"ipv4": None, "ipv6": None}) is None


@pytest.mark.parametrize(
    ("uevent", "flags", "pppoe", "link"),
    [
        ("INTERFACE=x0\nIFINDEX=2\n", None, "", "other"),
        ("DEVTYPE=wireguard\nINTERFACE=x0\n", None, "", "vpn"),
        ("INTERFACE=x0\n", "0x1001\n", "", "vpn"),
        ("INTERFACE=x0\n", "0x1002\n", "", "other"),
        ("DEVTYPE=ppp\nINTERFACE=x0\n", None, "", "ppp"),
        ("DEVTYPE=ppp\nINTERFACE=x0\n", None, "Id  Address  Device\n1  aa:bb  eth1\n", "other"),
    ],
)
def test_the_kind_of_an_interface(tmp_path: Path, uevent: str, flags: str | None, pppoe: str, link: str) -> None:
    """A tun device and WireGuard are VPNs. A tap device and PPPoE are not."""
    (tmp_path / "x0").mkdir()
    (tmp_path / "x0" / "uevent").write_text(uevent)
    if flags is not None:
        (tmp_path / "x0" / "tun_flags").write_text(flags)
    (tmp_path / "pppoe").write_text(pppoe)
    assert link_of("x0", tmp_path, tmp_path) == link


def test_the_kind_of_an_interface_elsewhere(tmp_path: Path) -> None:
    """Without /sys the name of an interface decides its kind."""
    assert [link_of(name, tmp_path / "none") for name in ("utun4", "en0", "")] == ["vpn", "other", "other"]


GLOBAL: Final = "2001:db8::1"


@pytest.mark.parametrize(
    ("own", "route", "names", "works", "expected"),
    [
        ([], None, {"a.test": ["192.0.2.1"]}, None, ("ok", ())),
        ([], None, {}, None, ("ok", ())),
        ([], None, {"a.test": [GLOBAL]}, None, ("unknown", ("http-01", "tls-alpn-01"))),
        ([], None, {"a.test": ["192.0.2.1", GLOBAL]}, None, ("unknown", ())),
        ([GLOBAL], ETHERNET, {"a.test": [GLOBAL]}, True, ("ok", ())),
        ([GLOBAL], ETHERNET, {"a.test": [GLOBAL]}, None, ("ok", ())),
        ([GLOBAL], ETHERNET, {"a.test": [GLOBAL]}, False, ("bad", ("http-01", "tls-alpn-01"))),
        ([GLOBAL], None, {"a.test": ["192.0.2.1", GLOBAL]}, None, ("bad", ())),
        ([GLOBAL], None, {}, None, ("bad", ())),
    ],
)
def test_broken_ipv6_stops_names_that_have_nothing_else(
    own: list[str],
    route: OutboundRoute | None,
    names: dict[str, list[str]],
    works: bool | None,
    expected: tuple[str, Any],
) -> None:
    """Broken IPv6 blocks only names without IPv4, because CAs fall back to IPv4."""
    assert verdict(judge_ipv6(own, route, names, works=works)) == expected


# ── DNS ─────────────────────────────────────────────────────────────────────────────────


def server(*open_by: str, authority: bool = True, zone: str = "a.test", refused: bool = False) -> ServerPort:
    """A name server of a zone that answers by these protocols."""
    is_open = {protocol: protocol in open_by for protocol in ("udp", "tcp")}
    is_authority = authority and bool(open_by)
    return ServerPort("192.0.2.53", **is_open, has_route=True, is_authority=is_authority, zone=zone, is_refused=refused)


BOTH: Final = ("udp", "tcp")
DNS: Final = ("dns-01",)


@pytest.mark.parametrize(
    ("servers", "roots", "about", "expected"),
    [
        ([server(*BOTH)], [], {}, ("ok", ())),
        ([server(*BOTH), server()], [], {}, ("ok", ())),
        ([server("udp"), server("tcp")], [], {}, ("ok", ())),
        ([server("udp")], [], {}, ("bad", ())),
        ([server()], [server()], {}, ("bad", DNS)),
        ([server()], [], {"port": 5353}, ("unknown", DNS)),
        ([server(), server(zone="b.test")], [], {"port": 5353}, ("unknown", DNS)),
        ([server(refused=True)], [], {"port": 5353}, ("unknown", DNS)),
        ([server(refused=True)], [server(refused=True)], {}, ("bad", DNS)),
        ([server()], [server()], {"names": []}, ("bad", ())),
        ([server()], [server()], {"doh": ["https://dns.test/dns-query"]}, ("ok", ())),
        ([server()], [server(*BOTH)], {}, ("unknown", DNS)),
        ([server(*BOTH, authority=False)], [], {}, ("ok", ())),
        ([server(*BOTH, authority=False)], [server(*BOTH)], {}, ("ok", ())),
        ([server(*BOTH, authority=False)], [server(*BOTH, authority=False)], {}, ("unknown", DNS)),
        ([server(*BOTH, authority=False), server(*BOTH, authority=False, zone="b.test")], [], {}, ("unknown", DNS)),
        ([server(*BOTH, authority=False), server(*BOTH, zone="b.test")], [], {}, ("ok", ())),
        ([], [server(*BOTH)], {}, ("ok", ())),
        ([], [], {}, ("unknown", DNS)),
    ],
)
def test_port_53_is_closed_if_nobody_answers(
    servers: list[ServerPort], roots: list[ServerPort], about: dict[str, Any], expected: tuple[str, Any]
) -> None:
    """Only silent root servers show that the port is closed. Answers of one zone alone are not redirected queries."""
    assert verdict(judge_port_53(servers, roots, **about)) == expected


def test_what_is_wrong_with_dns_is_said_instead_of_a_closed_port() -> None:
    """Without a name server the check has the error of the resolver, or the domains without a zone."""
    error = DnsError("dns-unreachable", "No DNS server answers.", fix="Set `resolver.nameservers`.")
    for roots in ([], [server()]):
        check = judge_port_53([], roots, without=Unqueried(failure=error))
        assert verdict(check) == ("unknown", DNS)
        assert (check.summary, check.fix) == (error.message, error.fix)
    assert verdict(judge_port_53([], [server(*BOTH)], without=Unqueried(failure=error))) == ("ok", ())
    missing = judge_port_53([], [], port=5353, without=Unqueried(["gone.test"]))
    assert verdict(missing) == ("unknown", DNS)
    assert "gone.test" in missing.summary
    assert "`nameservers`" in missing.fix


def test_a_refused_connection_shows_that_queries_get_out() -> None:
    """The sentence for servers that refuse connections is another one than for silent servers."""
    refused, silent = (judge_port_53([server(refused=each)], [], port=5353) for each in (True, False))
    assert "DNS queries leave this network" in refused.summary
    assert "firewall" in silent.summary


# ── ports ───────────────────────────────────────────────────────────────────────────────


class Host(ThisHost):
    """A host with known listeners."""

    def __init__(self, *found: Listener) -> None:
        """Without any, they are unknown, as on macOS."""
        self.found = found

    def listeners(self, port: int) -> list[Listener] | None:
        """These."""
        return list(self.found) or None


def test_every_reason_for_a_closed_port_has_its_sentence() -> None:
    """Each reason is bad with its own sentence. Without a certificate a taken port is ok."""
    seen = set()
    for kind, number in (
        ("port-taken", errno.EADDRINUSE),
        ("port-forbidden", errno.EACCES),
        ("address-missing", errno.EADDRNOTAVAIL),
        ("port-failed", errno.EMFILE),
    ):
        check = judge_port(":80", PortFailure(kind, number, "OSError"), Host(), SPEC, HTTP)
        assert verdict(check) == ("bad", HTTP)
        assert check.evidence["error"] == errno.errorcode[number]
        seen.add(check.summary)
    assert len(seen) == 4
    named = judge_port(":443", PortFailure("port-taken", 98, ""), Host(Listener("::", 443, 7, "x", "joe")), SPEC, ())
    assert "x (process 7 of joe)" in named.summary
    strange = Host(Listener("::", 80, 7, "nginx", "joe", is_trusted=False))
    for spec, status in ((SPEC, "bad"), (None, "unknown")):
        check = judge_port(":80", PortFailure("port-taken", 98, ""), strange, spec, HTTP)
        assert (verdict(check), check.evidence["user"]) == ((status, HTTP), "joe")
        assert "webroot" not in f"{check.summary} {check.fix}"  # it need not be what its name says
    assert verdict(judge_port(":80", PortFailure("port-taken", 98, ""), Host(), None, HTTP)) == ("ok", ())


def listening(*addresses: str, served: Sequence[Family] = (), **about: Any) -> Check:
    """The check of a name with an address of each family."""
    facts: dict[str, Any] = {"forwarded": {"open"}, "is_direct": True, "only_listens": True, **about}
    found = [Listener(address, 80, 7, "nginx") for address in addresses]
    return judge_listening(found, served, facts.pop("wanted", {"a.test": ["ipv4", "ipv6"]}), **facts)


def test_a_web_server_has_to_answer_one_family_of_every_name() -> None:
    """Each name needs one address family that the web server answers. A missing optional family blocks nothing."""
    assert verdict(listening("0.0.0.0", "::", served=["ipv4", "ipv6"])) == ("ok", ())
    assert verdict(listening("0.0.0.0", served=["ipv4"])) == ("bad", ())
    assert verdict(listening("0.0.0.0", served=["ipv4"], wanted={"a.test": ["ipv6"]})) == ("bad", HTTP)
    assert verdict(listening("0.0.0.0", served=["ipv4"], wanted={"a.test": []})) == ("ok", ())
    assert verdict(listening("127.0.0.1")) == ("bad", HTTP)
    assert verdict(listening("127.0.0.1", only_listens=False)) == ("bad", ())
    assert verdict(listening()) == ("bad", HTTP)
    assert verdict(listening(is_direct=False)) == ("unknown", HTTP)
    assert verdict(listening(forwarded={"unknown"})) == ("unknown", HTTP)
    assert verdict(listening(forwarded={"passed on"})) == ("ok", ())


def own(listen: str, *addresses: str, is_passed_on: bool = False, **wanted: list[Family]) -> Check:
    """The check of a route that listens at these addresses."""
    return judge_own(listen, addresses, wanted or {"a.test": ["ipv4", "ipv6"]}, is_passed_on=is_passed_on)


def test_a_route_that_listens_itself_takes_every_family() -> None:
    """A loopback address is bad only if nothing passes port 80 on. One family of two blocks nothing."""
    assert verdict(own(":80", "0.0.0.0", "::")) == ("ok", ())
    assert verdict(own(":8080", "0.0.0.0", "::")) == ("ok", ())
    assert verdict(own("127.0.0.1:80", "127.0.0.1")) == ("bad", HTTP)
    assert verdict(own("127.0.0.1:80", "127.0.0.1", is_passed_on=True)) == ("unknown", ())
    assert verdict(own("0.0.0.0:80", "0.0.0.0")) == ("bad", ())
    assert verdict(own("0.0.0.0:80", "0.0.0.0", a=["ipv4"])) == ("ok", ())
    assert verdict(own("0.0.0.0:80", "0.0.0.0", a=["ipv6"])) == ("bad", HTTP)
    assert verdict(own("0.0.0.0:8080", "0.0.0.0")) == ("unknown", ())
    assert own("0.0.0.0:80", "0.0.0.0").evidence["missing"] == ["IPv6"]


def test_names_that_others_choose_are_cleaned() -> None:
    """The name of a process is cleaned and cut."""
    assert printable("a\x1b]0;b\n\u202ec" + "d" * 99) == "a ]0;b c" + "d" * 99


# ── the firewall ────────────────────────────────────────────────────────────────────────


def firewall(dump: RuleDump, port: int = 80, family: Family = "ipv4") -> Check:
    """Return the check of one address family on eth0."""
    judgement = dump.judge(Packet(family, port, "eth0"))
    evidence = {"rule": "a rule", **judgement.evidence}
    return judge_firewall(port, {family: replace(judgement, evidence=evidence)}, dump)


def nft(*rules: list[dict[str, Any]], policy: str = "accept", more: Sequence[dict[str, Any]] = ()) -> RuleDump:
    """The JSON of a chain at the hook input."""
    where = {"family": "inet", "table": "t"}
    chain = {**where, "name": "c", "hook": "input", "prio": 0, "type": "filter", "policy": policy}
    entries = [
        {"chain": chain},
        *({"rule": {**where, "chain": "c", "handle": 4, "expr": rule}} for rule in rules),
        *more,
    ]
    return RuleDump(nft=json.dumps({"nftables": entries}))


def match(left: Any, right: Any, op: str = "==") -> dict[str, Any]:
    """A condition of a rule."""
    return {"match": {"op": op, "left": left, "right": right}}


DPORT: Final = {"payload": {"protocol": "tcp", "field": "dport"}}
SADDR: Final = {"payload": {"protocol": "ip", "field": "saddr"}}
FLAGS: Final = {"payload": {"protocol": "tcp", "field": "flags"}}
DROP: Final = {"drop": None}


def test_ufw_is_read_and_opened_by_ufw() -> None:
    """Recorded from ufw 0.36.2: 22 is allowed, 2222 limited, everything else denied."""
    dump = RuleDump(iptables=(DATA / "firewall-ufw.txt").read_text())
    assert verdict(firewall(dump, 22)) == ("ok", ())
    assert verdict(firewall(dump, 2222)) == ("ok", ())
    closed = firewall(dump)
    assert verdict(closed) == ("bad", HTTP)
    assert closed.fix == "Run `sudo ufw allow 80/tcp`."


def test_firewalld_is_read_and_opened_by_firewalld() -> None:
    """Recorded from firewalld 2.3.1 with its defaults: the public zone allows ssh."""
    dump = RuleDump(nft=(DATA / "firewall-firewalld.json").read_text())
    for family in ("ipv4", "ipv6"):
        assert verdict(firewall(dump, 22, family)) == ("ok", ())
        closed = firewall(dump, 80, family)
        assert verdict(closed) == ("bad", HTTP)
        assert "firewall-cmd" in closed.fix


def test_a_port_of_a_container_is_passed_on() -> None:
    """A port forwarded by Docker is open, because such a connection does not pass the INPUT chain."""
    dump = RuleDump(
        iptables="*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n"
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n-A DOCKER -i docker0 -j RETURN\n"
        "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80\nCOMMIT\n"
        "*filter\n:INPUT DROP [0:0]\nCOMMIT\n"
    )
    assert verdict(firewall(dump)) == ("ok", ())
    assert verdict(firewall(dump, 81)) == ("bad", HTTP)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ([match(DPORT, {"set": [22, {"range": [79, 81]}]}), DROP], "bad"),
        ([match(DPORT, 80, "!="), DROP], "ok"),
        ([match(DPORT, 80, "<"), DROP], "unknown"),
        ([match(DPORT, "@ports"), DROP], "bad"),
        ([match(SADDR, {"prefix": {"addr": "10.0.0.0", "len": 8}}, "!="), DROP], "bad"),
        ([match(SADDR, "@banned"), DROP], "ok"),
        ([match({"meta": {"key": "iifname"}}, "eth*"), DROP], "bad"),
        ([match({"meta": {"key": "iifname"}}, {"set": ["lo", "wlan0"]}), DROP], "ok"),
        ([match({"meta": {"key": "mark"}}, 1), DROP], "unknown"),
        ([match({"payload": {"protocol": "udp", "field": "dport"}}, 80), DROP], "ok"),
        ([match({"payload": {"protocol": "ip6", "field": "saddr"}}, "::1"), DROP], "ok"),
        ([match({"&": [FLAGS, {"|": [{"|": ["fin", "syn"]}, "rst"]}]}, "syn"), DROP], "bad"),
        ([match({"&": [FLAGS, {"|": ["fin", "syn"]}]}, {"|": ["fin", "syn"]}), DROP], "ok"),
        ([match(FLAGS, ["fin", "syn"], "!"), DROP], "ok"),
        ([match({"concat": [SADDR, DPORT]}, "@pairs"), DROP], "unknown"),
        ([match(DPORT, 80), {"queue": None}], "unknown"),
        ([match(DPORT, 80), {"xt": {"type": "target", "name": "TARPIT"}}], "unknown"),
        ([match(DPORT, 80), {"xt": {"type": "match", "name": "geoip"}}, DROP], "unknown"),
        ([match(DPORT, 80), {"counter": {"packets": 1}}, {"log": None}, DROP], "bad"),
        ([match(DPORT, 80), {"redirect": {"port": 8080}}], "ok"),
        ([match(DPORT, 80), {"jump": {"target": "missing"}}], "unknown"),
        ([{"vmap": {"key": DPORT, "data": "@verdicts"}}], "bad"),
        ([{"vmap": {"key": {"meta": {"key": "mark"}}, "data": {"set": [[1, DROP]]}}}], "unknown"),
    ],
)  # fmt: skip
def test_a_rule_of_nftables(rule: list[dict[str, Any]], expected: str) -> None:
    """A rule that is not understood is unknown."""
    where = {"family": "inet", "table": "t"}
    sets: list[dict[str, Any]] = [
        {"set": {**where, "name": "ports", "elem": [80, 443]}},
        {"set": {**where, "name": "banned", "elem": [{"elem": {"val": "1.1.1.1", "timeout": 9}}]}},
        {"map": {**where, "name": "verdicts", "elem": [[80, DROP]]}},
    ]
    assert firewall(nft(rule, more=sets)).result == expected


def test_chains_that_never_end_do() -> None:
    """Rules that jump in a loop are unknown."""
    assert firewall(nft([{"jump": {"target": "c"}}])).result == "unknown"


@pytest.mark.parametrize("text", ["", "null", "[]", '{"nftables": 1}', '{"nftables": [{"rule": {}}]}', "[" * 100_000])
def test_what_is_not_the_json_of_nft_is_unknown(text: str) -> None:
    """Output that is not nft's JSON is unknown."""
    assert firewall(RuleDump(nft=text or " ")).result == "unknown"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("-p tcp -m tcp --dport 79:81 -j DROP", "bad"),
        ("-p tcp -m tcp ! --dport 80 -j DROP", "ok"),
        ("-p udp -m udp --dport 80 -j DROP", "ok"),
        ("-s 192.168.0.0/16 -j DROP", "ok"),
        ("! -s 192.168.0.0/16 -p tcp -j REJECT --reject-with icmp-port-unreachable", "bad"),
        ("-m set --match-set banned src -j DROP", "ok"),
        ("-m geoip --source-country XX -j DROP", "unknown"),
        ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP", "bad"),
        ("-i eth+ -j DROP", "bad"),
        ("! -i eth0 -j DROP", "ok"),
        ('-p tcp -m comment --comment "it\'s odd" -j LOG --log-prefix "DROP "', "ok"),
        ("-p tcp -m tcp --dport 80 -j NFQUEUE --queue-num 0", "unknown"),
        ("-m rpfilter --validmark --invert -j DROP", "ok"),
    ],
)
def test_a_rule_of_iptables(rule: str, expected: str) -> None:
    """A rule that is not understood is unknown."""
    dump = RuleDump(iptables=f"*filter\n:INPUT ACCEPT [0:0]\n-A INPUT {rule}\nCOMMIT\n")
    assert firewall(dump).result == expected


def test_no_rules_are_no_firewall() -> None:
    """Without any rules the firewall is open."""
    assert verdict(firewall(RuleDump())) == ("ok", ())


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"rules": [], "profiles": [{"enabled": "False"}]}, ("ok", ())),
        ({"rules": [], "profiles": [{"enabled": "True"}]}, ("unknown", HTTP)),
        ({"rules": [{"name": "Web", "action": "Allow"}], "profiles": [{"enabled": "True"}]}, ("ok", ())),
        ({"rules": [{"name": "No", "action": "Block"}], "profiles": [{"enabled": "True"}]}, ("unknown", HTTP)),
        ({}, ("unknown", HTTP)),
    ],
)
def test_the_firewall_of_windows_is_never_certain_to_be_closed(
    found: dict[str, Any], expected: tuple[str, Any]
) -> None:
    """Windows rules may be limited to programs and addresses, so a closed firewall is unknown."""
    assert verdict(judge_profiles(found, 80)) == expected
