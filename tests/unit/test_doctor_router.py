"""The router: judging its answers and guarding against them. Real routers are in tests/integration."""

from __future__ import annotations

import socket
import struct

import pytest

from dnsrenew.base.model import Check
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.extensions.doctor.router import surroundings, upnp
from dnsrenew.extensions.doctor.router.outside import judge_forwarded, judge_nat
from dnsrenew.extensions.doctor.router.surroundings import Surroundings, default_gateway, from_table, kind_of
from dnsrenew.extensions.doctor.router.upnp import PortMapping, UpnpRouter
from tests.kit.api_server import Answer, Asked
from tests.kit.upnp_device import KIND, LOOPBACK, UpnpDevice, answering, description, mapping, serving

HOME = Surroundings("192.168.7.20", gateway="192.168.7.1", own=frozenset({"192.168.7.20", "127.0.0.1"}))
INBOUND = ("http-01", "tls-alpn-01")
IPV6 = "2003:db8::20"


def told(check: Check) -> tuple[str, tuple[str, ...]]:
    """Return the result and what it blocks."""
    return check.result, check.blocks


# ── what the facts mean ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("203.0.115.7", "public"),
        ("100.63.255.255", "public"),
        ("100.64.0.0", "cgnat"),
        ("100.127.255.255", "cgnat"),
        ("100.128.0.0", "public"),
        ("172.31.0.1", "private"),
        ("192.0.2.2", "private"),
        ("198.19.0.1", "private"),
        ("172.32.0.1", "public"),
        ("192.0.0.2", "ds-lite"),
        *((address, "none") for address in ("", "0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.1", "::1", "x")),
    ],
)
def test_the_kind_of_an_address(address: str, kind: str) -> None:
    """Each address has its kind, at the borders of each range."""
    assert kind_of(address) == kind


@pytest.mark.parametrize(
    ("here", "seen", "expected"),
    [
        (Surroundings("203.0.115.7"), [], ("ok", ())),
        (Surroundings("192.0.2.2"), [], ("unknown", ())),  # for documentation: no address of the Internet
        (Surroundings(None, IPV6), [], ("ok", ())),
        (Surroundings(None), [], ("unknown", ())),
        (replace(HOME, gateway=None), [], ("unknown", ())),
        (HOME, [], ("unknown", ())),
        (replace(HOME, wan={"upnp": "203.0.115.7"}), [], ("ok", ())),
        (replace(HOME, wan={"upnp": "203.0.115.7"}), ["203.0.115.7"], ("ok", ())),
        (replace(HOME, wan={"upnp": "203.0.115.7"}), ["203.0.115.8"], ("unknown", ())),
        (replace(HOME, wan={"upnp": "", "nat-pmp": "0.0.0.0"}), [], ("unknown", ())),
        (replace(HOME, wan={"upnp": "", "nat-pmp": "100.64.0.2"}), [], ("bad", INBOUND)),
        (replace(HOME, wan={"upnp": "10.0.0.2", "nat-pmp": "203.0.115.7"}), [], ("ok", ())),
        (replace(HOME, wan={"upnp": "10.0.0.2"}), [], ("bad", ())),
        (replace(HOME, wan={"upnp": "192.0.0.2"}), [], ("bad", INBOUND)),
        (replace(HOME, wan={"upnp": "192.0.0.2"}, ipv6=IPV6), [], ("bad", ())),
        (replace(HOME, wan={"upnp": "100.64.0.2"}, ipv6=IPV6), [], ("bad", ())),
        (Surroundings("100.64.0.2"), [], ("bad", INBOUND)),
    ],
)
def test_nat(here: Surroundings, seen: list[str], expected: tuple[str, tuple[str, ...]]) -> None:
    """Only an address that no connection reaches blocks the challenges. IPv6 is another way in."""
    assert told(judge_nat(here, seen)) == expected


def web(host: str, port: int = 80, protocol: str = "tcp") -> tuple[PortMapping, ...]:
    """Return a mapping of port 443 and one of port 80 to the given host."""
    return (PortMapping(443, "tcp", "192.168.7.9", 443), PortMapping(80, protocol, host, port))


@pytest.mark.parametrize(
    ("here", "port", "proven", "expected"),
    [
        (Surroundings("203.0.115.7"), 80, [], ("ok", ())),
        (Surroundings(None, IPV6), 80, [], ("ok", ())),
        (replace(HOME, gateway=None), 80, [], ("unknown", ())),
        (HOME, 80, [], ("unknown", ())),
        (replace(HOME, mappings=()), 80, [], ("unknown", ())),
        (replace(HOME, mappings=web("192.168.7.20")), 80, [], ("ok", ())),
        (replace(HOME, mappings=web("192.168.7.20", 8080)), 8080, [], ("ok", ())),
        (replace(HOME, mappings=web("192.168.7.20", 8080)), None, [], ("ok", ())),
        (replace(HOME, mappings=web("192.168.7.20", 8080)), 80, [], ("unknown", ("http-01",))),
        (replace(HOME, mappings=web("192.168.7.99")), 80, [], ("bad", ("http-01",))),
        (replace(HOME, mappings=web("192.168.7.99")), 80, ["203.0.115.7"], ("ok", ())),
        (replace(HOME, mappings=web("192.168.7.99", protocol="udp")), 80, [], ("unknown", ())),
    ],
)
def test_port_80_forwarded(
    here: Surroundings, port: int | None, proven: list[str], expected: tuple[str, tuple[str, ...]]
) -> None:
    """A mapping is bad only if it leads elsewhere and no helper reached the port."""
    assert told(judge_forwarded(here, port, proven)) == expected


# ── the gateway ─────────────────────────────────────────────────────────────────────────

_ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
wlan0\t{any}\t{far}\t0003\t0\t0\t600\t{any}\t0\t0\t0
eth0\t{any}\t{near}\t0003\t0\t0\t100\t{any}\t0\t0\t0
tun0\t{any}\t{any}\t0001\t0\t0\t50\t{any}\t0\t0\t0
eth0\t{net}\t{any}\t0001\t0\t0\t100\t{mask}\t0\t0\t0
"""


def as_table(address: str) -> str:
    """An address as in /proc/net/route of this machine."""
    return f"{struct.unpack('=I', socket.inet_aton(address))[0]:08X}"


def test_the_gateway_of_the_best_default_route() -> None:
    """The gateway is that of the default route with the lowest metric. A tunnel has none."""
    numbers = {
        "any": "0.0.0.0",
        "far": "10.0.0.1",
        "near": "192.168.7.1",
        "net": "192.168.7.0",
        "mask": "255.255.255.0",
    }
    table = _ROUTES.format(**{key: as_table(address) for key, address in numbers.items()})
    assert from_table(table) == "192.168.7.1"
    assert from_table(table.splitlines()[0]) is None
    assert default_gateway("/nonexistent") is None


# ── NAT-PMP ─────────────────────────────────────────────────────────────────────────────

_GOOD = b"\0\x80\0\0\0\0\0\x01" + socket.inet_aton("100.64.0.2")


@pytest.mark.parametrize(
    ("said", "address"),
    [
        (_GOOD, "100.64.0.2"),
        (_GOOD[:8] + bytes(4), "0.0.0.0"),
        (_GOOD + b"\0", None),
        (_GOOD[:4], None),
        (b"\x02" + _GOOD[1:], None),
        (b"\0\x80\0\x03" + _GOOD[4:], None),
        (b"A" * 1000, None),
    ],
)
def test_answers_of_nat_pmp(said: bytes, address: str | None) -> None:
    """Only a successful response of twelve octets has an address."""
    with answering(lambda asked: said if asked == b"\0\0" else None) as port:
        assert surroundings.external_address(Context(), LOOPBACK, port) == address


def test_a_router_without_nat_pmp(monkeypatch: pytest.MonkeyPatch) -> None:
    """A router that refuses or stays silent has no address. A lost packet is sent again."""
    lost = iter([None, _GOOD])
    with answering(lambda _: next(lost)) as port:
        assert surroundings.external_address(Context(), LOOPBACK, port) == "100.64.0.2"
    assert surroundings.external_address(Context(), LOOPBACK, port) is None  # closed now
    monkeypatch.setattr(surroundings, "_WAITS", (0.01, 0.01))
    with answering(lambda _: None) as port:
        assert surroundings.external_address(Context(), LOOPBACK, port) is None


# ── the search of UPnP ──────────────────────────────────────────────────────────────────


def found_at(*urls: str) -> bytes:
    """Return a response to a search, with the given URLs."""
    return "".join(["HTTP/1.1 200 OK\r\n", *(f"LOCATION: {url}\r\n" for url in urls), "\r\n"]).encode("latin-1")


def test_the_router_is_found() -> None:
    """The router is found by an answer whose URL is at the queried address."""
    with answering(lambda _: found_at("http://127.0.0.1:5000/a.xml")) as port:
        assert upnp.search(Context(), LOOPBACK, LOOPBACK, port) == ("http://127.0.0.1:5000/a.xml", ())


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.2:5000/a.xml",
        "http://127.0.0.1@evil.test/",
        "http://user@127.0.0.1/",
        "https://127.0.0.1/",
        "file:///etc/passwd",
        "http://127.0.0.1:port/",
        "http://[127.0.0.1/",
        "\xff\x00",
        "",
    ],
)
def test_a_router_that_sends_us_elsewhere(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A URL of another host is not opened."""
    monkeypatch.setattr(upnp, "_SEARCH_WAITS", (0.05,))
    with answering(lambda _: found_at(url)) as port:
        assert upnp.search(Context(), LOOPBACK, LOOPBACK, port) == (None, ())


def test_another_device_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer of a device that is not the gateway is ignored. The evidence names the device."""
    monkeypatch.setattr(upnp, "_SEARCH_WAITS", (0.05,))
    with (
        answering(lambda _: found_at("http://127.0.0.3:5000/"), "127.0.0.3") as port,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent,
    ):
        silent.bind((LOOPBACK, port))
        monkeypatch.setattr(upnp, "_GROUP", "127.0.0.3")
        assert upnp.search(Context(), LOOPBACK, LOOPBACK, port) == (None, ("127.0.0.3",))


# ── what the router says ────────────────────────────────────────────────────────────────


def ask(device: UpnpDevice) -> UpnpRouter:
    """Query a device and return the result."""
    with serving(device) as api:
        return upnp.ask(Context(), f"{api.url}/description.xml", LOOPBACK, LOOPBACK)


def test_the_mappings() -> None:
    """Mappings that are disabled, limited to some hosts or malformed are ignored."""
    device = UpnpDevice(
        entries=[
            mapping("80", "192.168.7.20", "80"),
            mapping("22", "192.168.7.20", "22", NewProtocol="udp"),
            mapping("8080", "192.168.7.20", "80", NewEnabled="0"),
            mapping("8081", "192.168.7.20", "80", NewRemoteHost="198.51.100.1"),
            mapping("x", "192.168.7.20", "80"),
            mapping("99999", "192.168.7.20", "80"),
            mapping("81", "\x1b[31mme", "80"),
            {},
        ]
    )
    assert ask(device) == UpnpRouter(
        "Box",
        "203.0.115.7",
        (PortMapping(80, "tcp", "192.168.7.20", 80), PortMapping(22, "udp", "192.168.7.20", 22)),
    )


@pytest.mark.parametrize("knows_ports", [True, False])
def test_no_mappings(knows_ports: bool) -> None:
    """A router without mappings has an empty list, by either of the two actions."""
    assert ask(UpnpDevice(knows_ports=knows_ports)).mappings == ()


def test_an_endless_list_of_mappings() -> None:
    """The list of mappings is read up to a limit."""
    entries = [mapping(str(number), "192.168.7.20", "80") for number in range(1000, 2000)]
    mappings = ask(UpnpDevice(entries=entries)).mappings
    assert mappings is not None
    assert len(mappings) == 16


def test_the_line_that_is_up() -> None:
    """A router has one service for each line. The address is that of the active line."""
    lines = iter(["", "203.0.115.7"])

    class TwoLines(UpnpDevice):
        def hook(self, asked: Asked) -> Answer:
            if "GetExternalIPAddress" in asked.body:
                self.external = next(lines)
            return super().hook(asked)

    services = ((KIND.replace("IP", "PPP"), "/ppp"), (KIND, "/ip"))
    assert ask(TwoLines(description(*services))).external == "203.0.115.7"


@pytest.mark.parametrize(
    "described",
    [
        "",
        "<html>not XML",
        "<root/>",
        "A" * 100_000,
        description((KIND, "/ctl")).replace("?>", '?><!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>', 1),
        description((KIND, "/ctl")).replace("Box", "&undefined;"),
        description((KIND, "http://127.0.0.2/ctl")),
        description((KIND, "http://[/ctl")),
        description(("urn:x:service:Printer:1", "/ctl")),
        description((f"{KIND}&quot;><x>", "/ctl")),
        "<a>" * 20_000,
        "\x00\xff",
    ],
)
def test_a_description_that_is_nonsense(described: str) -> None:
    """A malformed description gives no address. It is neither expanded nor followed."""
    assert ask(UpnpDevice(described)).external is None


def test_a_name_with_escape_sequences() -> None:
    """The shown name is one printable line of limited length."""
    assert (
        ask(UpnpDevice(description((KIND, "/ctl"), name="B\u202eox\n" + "x" * 200))).model == "B ox " + "x" * 54 + "…"
    )


@pytest.mark.parametrize("external", [None, "<b>203.0.115.7</b>", "not an address \x7f"])
def test_an_address_that_is_none(external: str | None) -> None:
    """A failed action and an invalid answer give no address."""
    found = ask(UpnpDevice(external=external)).external
    assert found is None or kind_of(found) == "none"


def test_a_router_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request has a time limit, and so have all together."""
    monkeypatch.setattr(upnp, "_TIMEOUT", (0.2, 0.2))
    with socket.create_server((LOOPBACK, 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert upnp.ask(Context(), url, LOOPBACK, LOOPBACK) == UpnpRouter()
    monkeypatch.setattr(upnp, "_SECONDS", 0.0)
    assert ask(UpnpDevice()) == UpnpRouter("Box")
