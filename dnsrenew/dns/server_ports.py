"""Whether name servers can be queried from this host at all, by UDP and by TCP.

Any answer shows that the way is open, also a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import dns.rdatatype

from dnsrenew.base.runtime.context import Context
from dnsrenew.base.values import Frozen
from dnsrenew.dns import probes, texts, wire
from dnsrenew.dns.lookup import Lookup
from dnsrenew.dns.query import Address, Reply

ROOT_SERVERS: Final = ("198.41.0.4", "193.0.14.129", "202.12.27.33")
"""a, k and m.root-servers.net: operated by three organizations, the same addresses for decades."""
_REFUSALS: Final = frozenset({texts.REFUSED, texts.CONNECTION_LOST})


class ServerPort(Frozen):
    """What one address of a name server lets through.

    :ivar udp: whether an answer came by UDP.
    :ivar tcp: whether an answer came by TCP.
    :ivar has_route: whether this host has a route to the address.
    :ivar is_authority: whether an answer came from the server itself; a resolver on the path, to which all queries
        are redirected, is no authority.
    :ivar zone: the zone for which it was queried.
    :ivar is_refused: whether its host refused the connection.
    """

    address: str
    udp: bool
    tcp: bool
    has_route: bool
    is_authority: bool
    zone: str = ""
    is_refused: bool = False

    @property
    def answers(self) -> bool:
        """Whether an answer came by any protocol."""
        return self.udp or self.tcp


def probe_ports(context: Context, lookup: Lookup, servers: Mapping[Address, wire.Name]) -> list[ServerPort]:
    """Query every address for the SOA record of its zone, by UDP and by TCP, all at once.

    :param servers: the zone of each address.
    :raises Cancelled: the caller cancelled.
    """
    keys = {
        address: [(address, probes.ProbeQuestion(zone, dns.rdatatype.SOA, is_tcp=is_tcp)) for is_tcp in (False, True)]
        for address, zone in servers.items()
    }
    replies = probes.ask(context, lookup, [key for its in keys.values() for key in its])
    return [_port(address[0], servers[address], [replies.get(key) for key in its]) for address, its in keys.items()]


def _port(address: str, zone: wire.Name, replies: Sequence[Reply | None]) -> ServerPort:
    answers = [reply.answer if reply is not None else None for reply in replies]
    return ServerPort(
        address,
        udp=answers[0] is not None,
        tcp=answers[1] is not None,
        has_route=not all(reply is not None and reply.no_route for reply in replies),
        is_authority=any(answer is not None and wire.is_authoritative(answer) for answer in answers),
        zone=wire.shown(zone),
        is_refused=any(reply is not None and reply.reason in _REFUSALS for reply in replies),
    )
