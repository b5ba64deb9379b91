"""A name server for one zone, in a hook of a forwarder: a server of its own for a zone below one of the lab."""

from __future__ import annotations

from collections.abc import Callable

import dns.flags
import dns.message
import dns.node
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone

from tests.lab import Query


def answering(name: str, records: str) -> Callable[[Query], dns.message.Message]:
    """Return a hook that answers for a zone, without wildcards and zones below.

    :param records: lines of a zone file; the SOA record is made.
    """
    soa = "@ SOA ns1 hostmaster 1 86400 86400 864000 60"
    zone = dns.zone.from_text(f"$TTL 60\n{soa}\n{records}\n", origin=f"{name}.", relativize=False, check_origin=False)
    assert zone.origin is not None
    origin = zone.origin

    def hook(query: Query) -> dns.message.Message:
        question = query.message.question[0]
        answer = dns.message.make_response(query.message)
        if not question.name.is_subdomain(origin):
            answer.set_rcode(dns.rcode.REFUSED)
            return answer
        answer.flags |= dns.flags.AA
        found = zone.get_rrset(question.name, question.rdtype) or zone.get_rrset(question.name, "CNAME")
        if found is not None:
            answer.answer.append(found)
            return answer
        soa_set = zone.get_rrset(origin, dns.rdatatype.SOA)
        assert soa_set is not None
        answer.authority.append(soa_set)
        if question.name not in zone.nodes and not any(each.is_subdomain(question.name) for each in zone.nodes):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer

    return hook
