"""The public addresses of this host: its own, that of its router, and those that a helper outside sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.base import host_port
from dnsrenew.base.public_addresses import is_public
from dnsrenew.extensions.doctor.host.machine import own_addresses
from dnsrenew.extensions.doctor.router.outside import seen_addresses
from dnsrenew.extensions.doctor.router.surroundings import surroundings

if TYPE_CHECKING:
    from dnsrenew.extensions.doctor.facts import Facts


def public_addresses(facts: Facts) -> tuple[str, ...]:
    """Return the addresses at which the Internet may reach this host, each once."""
    return tuple(dict.fromkeys(address for its in by_source(facts).values() for address in its))


def by_source(facts: Facts) -> dict[str, list[str]]:
    """Return the public addresses by what told them, for the evidence: ``host``, ``upnp``, ``nat-pmp``, ``helper``."""
    told = {
        "host": sorted(own_addresses(facts)),
        **{protocol: [address] for protocol, address in surroundings(facts).wan.items()},
        "helper": seen_addresses(facts),
    }
    addresses = {source: filter(host_port.is_ip, its) for source, its in told.items()}
    public = {source: list(filter(is_public, its)) for source, its in addresses.items()}
    return {source: its for source, its in public.items() if its}
