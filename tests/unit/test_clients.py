"""The clients of a listener by network: who has to go, and whose turn it is."""

from __future__ import annotations

import pytest

from dnsrenew.base.clients import ClientOrigin, Clients, plain_address


def test_the_network_of_an_address() -> None:
    """A network is an IPv4 /24 or an IPv6 /48; a host is an IPv4 address or an IPv6 /64. Anything else is one host."""
    assert ClientOrigin.of("192.0.2.1").network == ClientOrigin.of("::ffff:192.0.2.200").network
    assert ClientOrigin.of("192.0.2.1").network != ClientOrigin.of("192.0.3.1").network
    assert ClientOrigin.of("192.0.2.1").host != ClientOrigin.of("192.0.2.2").host
    assert ClientOrigin.of("192.0.2.1") == ClientOrigin.of("::ffff:192.0.2.1")
    assert ClientOrigin.of("2001:db8:1:2::1").network == ClientOrigin.of("2001:db8:1:3::1").network
    assert ClientOrigin.of("2001:db8:1:2::1").network != ClientOrigin.of("2001:db8:2:2::1").network
    assert ClientOrigin.of("2001:db8:1:2::1").host == ClientOrigin.of("2001:db8:1:2:ffff:ffff:ffff:ffff").host
    assert ClientOrigin.of("2001:db8:1:2::1").host != ClientOrigin.of("2001:db8:1:3::1").host
    assert ClientOrigin.of("fe80::1%eth0").host == ClientOrigin.of("fe80::2").host
    assert ClientOrigin.of("") == ClientOrigin.of("/run/socket") == ClientOrigin.of("@") == ClientOrigin("", "")


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("::1", "::1"),
    ],
)
def test_the_address_of_a_client(address: str, seen: str) -> None:
    """An IPv4-mapped client address is an IPv4 address."""
    assert plain_address(address) == seen


def test_the_largest_holder_makes_room() -> None:
    """The largest network loses, in it the largest host, and of that the oldest; a newcomer always finds room."""
    clients: Clients[str] = Clients(5)
    for address, one in [("192.0.2.1", "a"), ("192.0.2.2", "b1"), ("192.0.2.2", "b2"), ("2001:db8::1", "c")]:
        assert clients.add(one, address) is None
    assert clients.add("d", "198.51.100.1") is None
    assert clients.add("e1", "203.0.113.1") == "b1"
    assert clients.add("e2", "203.0.113.1") == "a"
    assert clients.add("e3", "203.0.113.1") == "e1"
    assert clients.count("203.0.113.1") == 2
    clients.remove("e2")
    clients.remove("e2")
    clients.remove("a")
    assert clients.add("f", "198.51.100.2") is None
    assert [clients.evict() for _ in range(6)] == ["d", "b2", "c", "f", "e3", None]


def test_networks_take_turns() -> None:
    """A question of another network waits for one question of a flood, and another host of its network for one too."""
    clients: Clients[str] = Clients(100)
    for number in range(4):
        clients.add(f"flood{number}", "192.0.2.1")
    clients.add("neighbour", "192.0.2.2")
    clients.add("other", "198.51.100.1")
    taken = [clients.take(lambda _: True) for _ in range(7)]
    assert [each and each[1] for each in taken] == ["flood0", "other", "neighbour", "flood1", "flood2", "flood3", None]


def test_a_network_may_be_passed_over() -> None:
    """A network that may not have a turn keeps what it has."""
    clients: Clients[str] = Clients(100)
    clients.add("a", "192.0.2.1")
    clients.add("b", "198.51.100.1")
    flood = ClientOrigin.of("192.0.2.1").network
    assert clients.take(lambda network: network != flood) == (ClientOrigin.of("198.51.100.1").network, "b")
    assert clients.take(lambda network: network != flood) is None
    assert clients.take(lambda _: True) == (flood, "a")
