"""Domains that are IP addresses (RFC 8738): their one form, and what is written beside them by mistake."""

from __future__ import annotations

from dnsrenew.base import host_port
from dnsrenew.base.names import InvalidName, canonical_ip, is_ip
from dnsrenew.base.validation.mistakes import FieldError
from dnsrenew.config import texts


def read_address(text: str) -> str | None:
    """Return the IP address that an item of ``domains`` is, in its one form; None if no address is meant.

    :param text: in lower case.
    :raises FieldError: an address with something beside it, or a text that is nearly one.
    """
    host, slash, _ = text.removeprefix("*.").partition("/")
    if not is_ip(host):
        return None
    bare, port = _without_port(host)
    if bare is None:
        if host.count(":") == 1 or host.endswith(":"):  # a host name with a port, or a URL
            return None
        raise FieldError(texts.IP_INVALID)
    if slash:
        raise FieldError(texts.IP_NO_NETWORK)
    if text.startswith("*."):
        raise FieldError(texts.IP_NO_STAR)
    if port:
        raise FieldError(texts.IP_NO_PORT.format(address=bare))
    if host.startswith("["):
        raise FieldError(texts.IP_NO_BRACKETS.format(address=bare))
    if "%" in bare:
        raise FieldError(texts.IP_NO_ZONE)
    _check_mapped(bare)
    return bare


def _without_port(host: str) -> tuple[str | None, int]:
    """Return the address in its one form, and the port behind it or 0; no address if it is none."""
    try:
        address, port = host_port.split(host)
        return canonical_ip(address), port
    except (InvalidName, ValueError):
        return None, 0


def _check_mapped(address: str) -> None:
    """Refuse an IPv4 address in the form of IPv6 (RFC 4291 section 2.5.5.2): clients connect to it by IPv4."""
    import ipaddress

    mapped = getattr(ipaddress.ip_address(address), "ipv4_mapped", None)
    if mapped is not None:
        raise FieldError(texts.IP_MAPPED.format(address=mapped))
