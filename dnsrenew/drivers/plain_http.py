"""Find the addresses of an account to which its credentials would travel unencrypted."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from dnsrenew.base.model import DnsAccount
    from dnsrenew.drivers.provider import Provider

_SCHEME: Final = "http://"


def plain_http(provider: Provider, account: DnsAccount) -> Iterator[tuple[str, str]]:
    """Give each option that is an ``http://`` address of another machine, with its host."""
    for key, value in {**provider.driver_options, **account.options}.items():
        if isinstance(value, str) and value.strip().lower().startswith(_SCHEME):
            host = _host(value.strip())
            if host and not _is_local(host):
                yield key, host


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # the driver reports it
        return ""


def _is_local(host: str) -> bool:
    """Tell whether what is sent to a host stays on this machine; a name is not looked up."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
