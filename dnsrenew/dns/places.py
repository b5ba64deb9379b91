"""Where to ask: the recursive servers of the configuration or the system, and ``HOST[:PORT]``."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dnsrenew.context import Context
from dnsrenew.dns.exchange import Address

_PORT: Final = 53
_SYSTEM_FILE: Final = Path("/etc/resolv.conf")


def split_host_port(text: str, default: int = _PORT) -> Address:
    """Return host and port of ``HOST[:PORT]``; IPv6 with a port stands in brackets, without one it may not.

    :raises ValueError: when the port is not a number.
    """
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    return host, int(port) if port else default


def host_and_port(host: str, port: int) -> str:
    """Return ``HOST[:PORT]`` as the configuration has it; a URL stays as it is."""
    if port == _PORT or "://" in host:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def recursive_servers(context: Context, configured: Sequence[str]) -> list[Address]:
    """Return the addresses of the recursive servers, in order; the system's where none is configured.

    A server that is given by name and has no address is left out.
    """
    servers: list[Address] = []
    for text in configured or system_servers():
        host, port = split_host_port(text)
        servers += [(address, port) for address in _addresses(context, host)]
    return servers


def system_servers(file: Path = _SYSTEM_FILE) -> list[str]:
    """Return the system's recursive servers (resolv.conf(5); on Windows the registry has them)."""
    if sys.platform == "win32":
        import dns.resolver  # slow to import, and only here of use

        return [str(server) for server in dns.resolver.get_default_resolver().nameservers]
    try:
        lines = [line.split() for line in file.read_text("utf-8", "replace").splitlines()]
    except OSError:
        lines = []
    named = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
    return [server for server in named if _is_address(server)] or ["127.0.0.1"]


def _addresses(context: Context, host: str) -> list[str]:
    if _is_address(host):
        return [host]
    try:
        found = context.call(lambda: socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM))
    except OSError:
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
