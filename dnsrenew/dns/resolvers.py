"""The addresses of the recursive servers, from the configuration or the system."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dnsrenew.base import files, host_port
from dnsrenew.base.runtime.context import Context
from dnsrenew.dns.query import Address

_PORT: Final = 53
_SYSTEM_FILE: Final = Path("/etc/resolv.conf")
_LARGEST: Final = 1 << 16


def host_and_port(host: str, port: int) -> str:
    """Return ``HOST[:PORT]`` as in the configuration; a URL is returned unchanged."""
    if port == _PORT or "://" in host:
        return host
    return host_port.join(host, port)


def recursive_servers(context: Context, configured: Sequence[str]) -> list[Address]:
    """Return the addresses of the recursive servers, in order; those of the system if none is configured.

    A server that is configured by name and has no address is omitted.
    """
    servers: list[Address] = []
    for text in configured or system_servers():
        host, port = host_port.split(text, _PORT)
        servers += [(address, port) for address in _addresses(context, host)]
    return servers


def system_servers(file: Path = _SYSTEM_FILE) -> list[str]:
    """Return the system's recursive servers (resolv.conf(5); the registry on Windows)."""
    if sys.platform == "win32":
        import dns.resolver  # slow to import, and needed only here

        return [str(server) for server in dns.resolver.get_default_resolver().nameservers]
    try:
        with files.open_to_read(file) as stream:
            text = stream.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        text = ""
    lines = (line.split() for line in text.splitlines())
    listed = [fields[1] for fields in lines if len(fields) > 1 and fields[0] == "nameserver"]
    return [server for server in listed if host_port.is_ip(server)] or ["127.0.0.1"]


def _addresses(context: Context, host: str) -> list[str]:
    if host_port.is_ip(host):
        return [host]
    try:
        found = context.call(lambda: socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM))
    except OSError:
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
