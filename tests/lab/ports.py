"""Ports that are reserved, so that no other lab on this machine takes them.

Asking the kernel whether a port is free says nothing about the next moment, and BIND listens with SO_REUSEPORT: two
of its processes can share a port without a word, and each gets half of the questions. So a port is also *reserved*,
by a Unix socket in the abstract namespace: two labs (two pytest-xdist workers) cannot hold the same name, nothing is
left on disk, and the kernel takes it back when the process dies, however it dies.
"""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass
from typing import Self

# Below Linux's range of ports for outgoing connections (32768 and up), so that no client socket sits on one of ours.
_FIRST, _LAST = 10_000, 32_000
_TRIES = 500
_CHOICE = random.SystemRandom()


@dataclass
class Port:
    """A reserved port number. Keep it until the server on it has ended, then `release` it."""

    number: int
    _guard: socket.socket

    def release(self) -> None:
        """Free the port for others."""
        self._guard.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def reserve(*addresses: str) -> Port:
    """Reserve one port that is free for UDP and TCP on all the addresses (a zone's servers all use the same one)."""
    for _ in range(_TRIES):
        number = _CHOICE.randrange(_FIRST, _LAST)
        guard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            guard.bind(f"\0dnsrenew-lab-port-{number}")
        except OSError:
            guard.close()
            continue
        if all(_free(address, number) for address in addresses):
            return Port(number, guard)
        guard.close()
    message = f"no free port on {', '.join(addresses)} after {_TRIES} tries"
    raise RuntimeError(message)


def has_ipv6() -> bool:
    """Whether ::1 can be used here (containers often have no IPv6)."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def family(address: str) -> socket.AddressFamily:
    """The socket family of an address literal."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _free(address: str, number: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(family(address), kind) as probe:
            if kind is socket.SOCK_STREAM:  # connections in TIME_WAIT are no obstacle to a server
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, number))
            except OSError:
                return False
    return True
