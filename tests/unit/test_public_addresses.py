"""Which addresses are public; every part of dnsrenew judges alike."""

from __future__ import annotations

import pytest

from dnsrenew.base.checks.addresses import is_local
from dnsrenew.base.host_port import is_public
from dnsrenew.config.loader import refusal
from dnsrenew.extensions.doctor.host.machine import is_global_ipv6
from dnsrenew.extensions.doctor.router.surroundings import kind_of

PUBLIC = ("8.8.8.8", "100.63.255.255", "100.128.0.0", "172.32.0.1", "198.20.0.1", "203.0.115.7", "2606:4700::1111")
NOT_PUBLIC = (
    *("0.0.0.1", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.1.1", "172.16.0.1", "192.0.0.2", "192.168.1.1"),
    *("192.0.2.7", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::ffff:8.8.8.8", "64:ff9b::1", "2001:db8::1", "4000::1", "fd00::1", "fe80::1", "ff02::1"),
)


@pytest.mark.parametrize("address", [*PUBLIC, *NOT_PUBLIC])
def test_everything_judges_an_address_alike(address: str) -> None:
    """Addresses of a special purpose, those for documentation too, are public for no part of dnsrenew."""
    wanted = address in PUBLIC
    assert is_public(address) is wanted
    assert is_local(address) is not wanted
    assert (refusal(address) is None) is wanted
    assert (is_global_ipv6(address) if ":" in address else kind_of(address) == "public") is wanted


def test_a_scope_is_ignored_and_a_name_is_no_address() -> None:
    """A scope belongs to an interface. What is no address raises ValueError."""
    assert not is_public("fe80::1%eth0")
    with pytest.raises(ValueError, match="does not appear"):
        is_public("a.test")
