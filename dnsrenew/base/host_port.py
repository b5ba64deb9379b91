"""Parse and format ``HOST[:PORT]``; an IPv6 address is in brackets."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

_PORTS: Final = range(1, 65536)


class PortError(ValueError):
    """The port is a number outside 1 to 65535."""


def split(text: str, default: int = 0) -> tuple[str, int]:
    """Return host and port; ``:80`` has an empty host.

    A bare IPv6 address without a port is accepted too, as in lists of name servers.

    :param default: the port if the text has none.
    :raises ValueError: the text has another form (:class:`PortError`: only the port is wrong).
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not (bracket and is_ip(host) and rest[:1] in {"", ":"}):
            raise ValueError(text)
    elif text.count(":") > 1:
        host, rest = text, ""
        if not is_ip(host):
            raise ValueError(text)
    else:
        host, colon, port = text.partition(":")
        rest = colon + port
    return host, _port(rest[1:]) if rest else default


def has_host(text: str) -> bool:
    """Return whether a text is ``HOST[:PORT]``."""
    try:
        return text.split() == [text] and bool(split(text)[0])
    except ValueError:
        return False


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(text)
    if len(text) > len("65535") or int(text) not in _PORTS:
        raise PortError(text)
    return int(text)


def join(host: str, port: int) -> str:
    """Return ``HOST:PORT``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_here(host: str) -> bool:
    """Return whether a host name or address is this machine, so that data sent to it cannot be read on the way."""
    return host == "localhost" or (is_ip(host) and ipaddress.ip_address(host).is_loopback)


def is_ip(text: str) -> bool:
    """Return whether the text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


# ── web address ────────────────────────────────────────────────────────────────────────

# Web addresses.


def is_web_address(text: str, schemes: Collection[str] = ("http", "https")) -> bool:
    """Return whether a text is a URL with one of these schemes and a host, in ASCII, and without a user name."""
    try:
        parts = urlsplit(text)
        complete = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return False
    return complete and text.isascii() and text.isprintable() and " " not in text


# ── public addresses ───────────────────────────────────────────────────────────────────

# Which IP addresses the Internet reaches. One function decides this for the configuration, the checks and the doctor.


def is_public(address: str) -> bool:
    """Return whether an IP address is public, that is, without a special purpose (RFC 6890), and IPv6 in 2000::/3.

    Addresses for documentation are not public. A scope (``%eth0``) is ignored.

    :raises ValueError: the text is not an IP address.
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if parsed.version == 6 and parsed not in ipaddress.ip_network("2000::/3"):
        return False
    return parsed.is_global and not parsed.is_multicast
