"""Questions of an examination to many addresses at once. Each answer is a fact about its address.

A lookup needs one answer and uses the first good one. An examination needs the answer of each server, by UDP and by
TCP. All questions are in flight together, so that all silent addresses cost only the time of one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, cast

import dns.rdatatype

from dnsrenew.base import names
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.dns import texts, wire
from dnsrenew.dns.lookup import Lookup
from dnsrenew.dns.view import DnsView, without_addresses
from dnsrenew.dns.wire import Address, DnsQuestion, Name, Reply
from dnsrenew.errors import Cancelled

SECONDS: Final = 4.0
"""The time limit in seconds of one round of questions, regardless of their number."""
_UDP: Final = 1.0
_TCP: Final = 2.0
_UNANSWERED: Final[Mapping[str, str]] = {
    **dict.fromkeys((texts.REFUSED, texts.CONNECTION_LOST), "closed"),
    **dict.fromkeys((texts.NO_ROUTE, texts.NO_ROUTE_ON_PATH), "no-route"),
    texts.FORBIDDEN: "not-asked",
}
_CD: Final = 0x10  # in octet 3 of the header (RFC 4035 section 3.2.2)
_DO: Final = b"\0\0\x80\0"  # in the TTL of the OPT record (RFC 3225)


class ProbeQuestion(DnsQuestion):
    """A question of an examination; the additional section of its answer is read.

    :ivar is_tcp: whether it is sent only over TCP; False if it is sent over UDP unless the answer is truncated.
    :ivar signed: whether to request signatures (DO).
    :ivar unchecked: whether a recursive server must answer without validation (CD).
    """

    __slots__ = ("is_tcp", "signed", "unchecked")

    with_additional = True

    def __init__(
        self,
        name: Name,
        kind: wire.Type,
        *,
        recurse: bool = False,
        is_tcp: bool = False,
        signed: bool = False,
        unchecked: bool = False,
    ) -> None:
        super().__init__(name, kind, recurse=recurse)
        self.is_tcp, self.signed, self.unchecked = is_tcp, signed, unchecked
        self._key += bytes((is_tcp, signed, unchecked))

    def to_wire(self, identity: int, *, edns: bool = True, case: int = 0) -> bytes:
        """Return the message with this id."""
        message = bytearray(super().to_wire(identity, edns=edns, case=case))
        if self.unchecked:
            message[3] |= _CD
        if self.signed and edns:
            message[-6:-2] = _DO
        return bytes(message)


ProbeKey = tuple[Address, ProbeQuestion]


def ask(context: Context, lookup: Lookup, wanted: Iterable[ProbeKey]) -> dict[ProbeKey, Reply]:
    """Send each question to its address; return the replies. Questions without a reply in time are omitted.

    A question without an answer by UDP is sent once more, because a datagram may be lost.

    :raises Cancelled: the caller cancelled.
    """
    pending = dict.fromkeys(wanted, 2)
    replies: dict[ProbeKey, Reply] = {}

    def submit(address: Address, probe: ProbeQuestion) -> None:
        engine.submit(address, probe, udp=0.0 if probe.is_tcp else _UDP, tcp=_TCP if probe.is_tcp else 0.0)

    try:
        with lookup.engine(context.within(SECONDS)) as engine:
            for key in pending:
                submit(*key)
            while pending:
                for reply in engine.receive(SECONDS):
                    key = reply.address, cast("ProbeQuestion", reply.question)
                    pending[key] -= 1
                    if reply.reason == texts.NO_REPLY and not key[1].is_tcp and pending[key]:
                        submit(*key)
                    else:
                        del pending[key]
                        replies[key] = reply
    except Cancelled:
        context.check()
    return replies


def first_answers(replies: Mapping[ProbeKey, Reply], addresses: Iterable[Address]) -> dict[ProbeQuestion, wire.Message]:
    """Return one answer to each question: the first one without an error, in the order of the addresses."""
    ranks = {address: rank for rank, address in enumerate(addresses)}
    found: dict[ProbeQuestion, wire.Message] = {}
    for (_, probe), reply in sorted(replies.items(), key=lambda item: ranks.get(item[0][0], len(ranks))):
        if (answer := answer_of(reply)) is not None:
            found.setdefault(probe, answer)
    return found


def state(reply: Reply | None, zone: Name) -> str:
    """Return in one word how a server answers for a zone.

    ``authority``, ``lame`` (an answer without authority), the name of the response code (``REFUSED``), ``recursive``
    (one of both from a resolver, which may be a device on the path that answers instead of the server), ``silent``,
    ``closed`` (the host refuses the connection), ``no-route`` or ``not-asked`` (this machine cannot ask it).
    """
    if reply is None:
        return "silent"
    if reply.answer is None:
        return "not-asked" if reply.no_socket else _UNANSWERED.get(reply.reason, "silent")
    if authority_of(reply) and wire.soa_owner(reply.answer, zone) == zone:
        return "authority"
    if wire.recurses(reply.answer):
        return "recursive"
    return "lame" if answer_of(reply) else wire.rcode_text(reply.answer)


def answer_of(reply: Reply | None) -> wire.Message | None:
    """Return the answer, if there is one without an error."""
    answer = reply.answer if reply is not None else None
    return answer if answer is not None and wire.is_positive(answer) else None


def authority_of(reply: Reply | None) -> wire.Message | None:
    """Return the answer, if it is from a server with authority."""
    answer = answer_of(reply)
    return answer if answer is not None and wire.is_authoritative(answer) else None


# ── server ports ───────────────────────────────────────────────────────────────────────

# Whether name servers can be queried from this machine at all, by UDP and by TCP.
#
# Any answer shows that the way is open, even a refusal.

ROOT_SERVERS: Final = ("198.41.0.4", "193.0.14.129", "202.12.27.33")
"""a, k and m.root-servers.net: three operators, and the same addresses for decades."""


class ServerPort(Frozen):
    """The protocols by which one address of a name server answers.

    :ivar udp: whether an answer came by UDP.
    :ivar tcp: whether an answer came by TCP.
    :ivar has_route: whether this machine has a route to the address.
    :ivar is_authority: whether an answer came from the server itself. A resolver on the path, to which all queries are
        redirected, has no authority.
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
        """Whether it answered by any protocol."""
        return self.udp or self.tcp


def server_ports(view: DnsView, context: Context, identifiers: Collection[str]) -> list[ServerPort]:
    """Return whether each address of the name servers of these names can be queried, by UDP and by TCP.

    :raises DnsError: ``dns-unreachable``: no recursive server answers.
    :raises Cancelled: the caller cancelled.
    """
    domains = {names.absolute(names.base_domain(name)) for name in without_addresses(identifiers)}
    found = view.zones.enclosing(context, [wire.from_text(domain) for domain in sorted(domains)])
    zones = [zone for zone in dict.fromkeys(found.values()) if zone != wire.ROOT]
    servers = view.zones.servers(context, zones)
    ports = {(one.address, view.zones.port): zone for zone, its in servers.items() for one in its if one.address}
    return _probe_ports(context, view.lookup, ports)


def root_ports(view: DnsView, context: Context) -> list[ServerPort]:
    """Return the same for three of the root servers.

    :raises Cancelled: the caller cancelled.
    """
    return _probe_ports(context, view.lookup, dict.fromkeys(((each, 53) for each in ROOT_SERVERS), wire.ROOT))


def _probe_ports(context: Context, lookup: Lookup, servers: Mapping[Address, wire.Name]) -> list[ServerPort]:
    """Query every address for the SOA record of its zone, by UDP and by TCP, all at once.

    :param servers: the zone of each address.
    :raises Cancelled: the caller cancelled.
    """
    ports = []
    zones = {*servers.values()}
    probes = {zone: [ProbeQuestion(zone, dns.rdatatype.SOA, is_tcp=tcp) for tcp in (False, True)] for zone in zones}
    found = ask(context, lookup, [(address, probe) for address, zone in servers.items() for probe in probes[zone]])
    for address, zone in servers.items():
        replies = [found.get((address, probe)) for probe in probes[zone]]
        known = [reply for reply in replies if reply is not None]
        udp, tcp = (reply is not None and reply.answer is not None for reply in replies)
        answers = [reply.answer for reply in known if reply.answer is not None]
        has_route = len(known) < len(replies) or not all(reply.no_route for reply in known)
        is_refused = any(reply.reason in {texts.REFUSED, texts.CONNECTION_LOST} for reply in known)
        is_authority = any(map(wire.is_authoritative, answers))
        ports.append(ServerPort(address[0], udp, tcp, has_route, is_authority, wire.shown(zone), is_refused))
    return ports
