"""The clients of a listener by network, so that a flood from one network hardly affects the others."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Generic, TypeVar

from dnsrenew.base.values import Frozen

T = TypeVar("T")


class ClientOrigin(Frozen):
    """The origin of a client.

    :ivar network: the first 24 bits of an IPv4 address, or the first 48 of an IPv6 address; empty for anything else.
    :ivar host: an IPv4 address, or the first 64 bits of an IPv6 address, because one host may have the whole block.
    """

    network: str
    host: str

    @classmethod
    def of(cls, address: str) -> ClientOrigin:
        """Return the origin of an address."""
        plain = plain_address(address)
        try:
            if ":" in plain:
                packed = socket.inet_pton(socket.AF_INET6, plain)
                return cls(packed[:6].hex(), packed[:8].hex())
            return cls(socket.inet_aton(plain)[:3].hex(), plain)
        except OSError:  # a Unix socket
            return cls("", "")


def plain_address(address: str) -> str:
    """Return the address of a client as IPv4 if it is one; a socket for both families shows it as IPv6."""
    plain = address.partition("%")[0]
    return plain.removeprefix("::ffff:") if "." in plain else plain


class Clients(Generic[T]):
    """The items that clients of a listener hold, such as connections. Not thread-safe.

    :param most: the limit for all clients together. Above it, the network with the most items loses its oldest.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._origins: dict[T, ClientOrigin] = {}
        self._networks: dict[str, dict[str, dict[T, None]]] = {}
        """By network and host, in the order of their turns; the items of one host are in the order in which they came.
        """

    def add(self, one: T, address: str) -> T | None:
        """Add an item; return the item that is removed for it, if any."""
        lost = self.evict() if len(self._origins) >= self._most else None
        origin = self._origins[one] = ClientOrigin.of(address)
        self._networks.setdefault(origin.network, {}).setdefault(origin.host, {})[one] = None
        return lost

    def remove(self, one: T) -> None:
        """Remove an item that may already be removed."""
        origin = self._origins.pop(one, None)
        if origin is None:
            return
        hosts = self._networks[origin.network]
        del hosts[origin.host][one]
        if not hosts[origin.host]:
            del hosts[origin.host]
        if not hosts:
            del self._networks[origin.network]

    def evict(self) -> T | None:
        """Remove and return the oldest item of the host that holds the most, in the network that holds the most."""
        if not self._origins:
            return None
        hosts = max(self._networks.values(), key=lambda each: sum(map(len, each.values())))
        held = max(hosts.values(), key=len)
        oldest = next(iter(held))
        self.remove(oldest)
        return oldest

    def take(self, may: Callable[[str], bool]) -> tuple[str, T] | None:
        """Remove and return an item with its network. Networks take turns, and so do the hosts of each network.

        :param may: returns whether a network may have a turn.
        """
        network = next(filter(may, self._networks), None)
        if network is None:
            return None
        hosts = self._networks[network] = self._networks.pop(network)
        host = next(iter(hosts))
        hosts[host] = hosts.pop(host)
        oldest = next(iter(hosts[host]))
        self.remove(oldest)
        return network, oldest

    def count(self, address: str) -> int:
        """Return the number of items that the host of an address holds."""
        origin = ClientOrigin.of(address)
        return len(self._networks.get(origin.network, {}).get(origin.host, ()))
