"""Queries to the lab's DNS servers, one address and port at a time."""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdataset
import dns.rdtypes.ANY.TXT

READY_TIMEOUT = 0.1


def ask(
    name: str, rdtype: str, server: str, port: int, *, recurse: bool = False, timeout: float = 5.0
) -> dns.message.Message:
    """Send one query to one server: by UDP, then by TCP if the answer is truncated."""
    query = dns.message.make_query(name, rdtype, flags=dns.flags.RD if recurse else 0)
    answer, _ = dns.query.udp_with_fallback(query, server, port=port, timeout=timeout)
    return answer


def notify(zone: str, server: str, port: int) -> None:
    """Tell a server that a zone has changed (RFC 1996)."""
    message = dns.message.make_query(zone, "SOA", flags=dns.flags.AA)
    message.set_opcode(dns.opcode.NOTIFY)
    dns.query.udp(message, server, port=port, timeout=5.0, source="127.0.0.1")


def serves(zone: str, server: str, port: int) -> bool:
    """Return whether the server answers for the zone with authority, now."""
    return serial(zone, server, port) is not None


def serial(zone: str, server: str, port: int) -> int | None:
    """Return the zone's SOA serial at this server, or None if it does not (yet) serve the zone."""
    try:
        answer = ask(zone, "SOA", server, port, timeout=READY_TIMEOUT)
    except (OSError, dns.exception.DNSException):
        return None
    if not answer.flags & dns.flags.AA or not answer.answer:
        return None
    return int(answer.answer[0][0].serial)


def recurses(server: str, port: int) -> bool:
    """Whether the server answers recursive questions at all, now (the root is its own: no other server is asked)."""
    try:
        answer = ask(".", "SOA", server, port, recurse=True, timeout=READY_TIMEOUT)
    except (OSError, dns.exception.DNSException):
        return False
    return answer.rcode() == dns.rcode.NOERROR


def texts(answer: dns.message.Message) -> set[str]:
    """Return the values of the TXT records in an answer."""
    return {value for rrset in answer.answer for value in values(rrset)}


def values(rdataset: dns.rdataset.Rdataset) -> set[str]:
    """Return the values of TXT records, each with its strings joined."""
    return {b"".join(record.strings).decode() for record in rdataset if isinstance(record, dns.rdtypes.ANY.TXT.TXT)}
