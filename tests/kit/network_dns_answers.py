"""Faulty answers of a DNS server."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.lab import Query, Wire
from tests.lab.dnsforwarder import Answer, framed

_NOWHERE: Final = "nowhere.invalid."
_LARGE: Final = 250
_DRIP: Final = 0.05

Fault = Callable[[Query], Answer]


def _sound(query: Query) -> dns.message.Message:
    return dns.message.from_wire(query.forward())


def _as_it_is(wire: bytes) -> Wire:
    return Wire((wire,), stream=(framed(wire),), ending="hold")


def _silent(_query: Query) -> None:
    return None


def _other_id(query: Query) -> bytes:
    wire = query.forward()
    return bytes([wire[0] ^ 1]) + wire[1:]


def _wrong_id(query: Query) -> Wire:
    return _as_it_is(_other_id(query))


def _wrong_id_first(query: Query) -> Wire:
    wire = query.forward()
    return Wire((_other_id(query), wire), stream=(framed(_other_id(query)), framed(wire)))


def _wrong_source(query: Query) -> Wire:
    return Wire(elsewhere=(_empty(query, dns.rcode.NXDOMAIN),), ending="hold")


def _wrong_source_first(query: Query) -> Wire:
    wire = query.forward()
    return Wire((wire,), elsewhere=(_empty(query, dns.rcode.NXDOMAIN),), stream=(framed(wire),))


def _other_question(query: Query) -> Wire:
    answer = _sound(query)
    asked = answer.question[0]
    answer.question[0] = dns.rrset.RRset(dns.name.from_text("other.test."), asked.rdclass, asked.rdtype)
    return _as_it_is(answer.to_wire())


def _other_question_first(query: Query) -> Wire:
    (other,), wire = _other_question(query).datagrams, query.forward()
    return Wire((other, wire), stream=(framed(other), framed(wire)))


def _empty(query: Query, code: dns.rcode.Rcode, flags: int = dns.flags.AA) -> bytes:
    answer = dns.message.make_response(query.message)
    answer.flags |= flags
    answer.set_rcode(code)
    return answer.to_wire()


def _code(code: dns.rcode.Rcode) -> Fault:
    return partial(_empty, code=code)


def _by_tcp(stream: Callable[[Query], Answer]) -> Fault:
    """Answer over UDP that the answer is truncated, and over TCP as given."""

    def fault(query: Query) -> Answer:
        return stream(query) if query.transport == "tcp" else _empty(query, dns.rcode.NOERROR, dns.flags.TC)

    return fault


def _drip(query: Query) -> Wire:
    return Wire(stream=tuple(bytes([byte]) for byte in framed(query.forward())), pause=_DRIP, ending="hold")


def _cut(query: Query) -> Wire:
    wire = framed(query.forward())
    return Wire(stream=(wire[: len(wire) // 2],))


def _too_long(query: Query) -> Wire:
    """Announce 65535 octets, and send few."""
    return Wire(stream=(b"\xff\xff" + query.forward(),), ending="hold")


def _lame(query: Query) -> bytes:
    answer = _sound(query)
    answer.flags &= ~(dns.flags.AA | dns.flags.RA)
    return answer.to_wire()


def _upwards(query: Query) -> bytes:
    """Refer to the root, as old name servers do for zones that they do not have."""
    answer = dns.message.make_response(query.message)
    answer.authority = [dns.rrset.from_text(".", 60, "IN", "NS", _NOWHERE)]
    return answer.to_wire()


def _nowhere(query: Query) -> bytes:
    """Refer to a zone with the same name, whose server does not exist."""
    answer = dns.message.make_response(query.message)
    answer.authority = [dns.rrset.from_text(query.message.question[0].name, 60, "IN", "NS", _NOWHERE)]
    return answer.to_wire()


def _broken(query: Query) -> bytes:
    """Announce more records than are sent."""
    wire = query.forward()
    return wire[:6] + b"\x00\x09" + wire[8:-3]


def _pointer(query: Query) -> bytes:
    """Send a compressed name that points to itself."""
    wire = dns.message.make_response(query.message).to_wire()
    at = len(wire).to_bytes(2, "big")
    return wire[:6] + b"\0\1\0\0\0\0" + wire[12:] + bytes([0xC0 | at[0], at[1]]) + b"\0\x05\0\1\0\0\0\0\0\0"


def _large(query: Query) -> Answer:
    """Send the sound answer among 50 KB of others."""
    answer = _sound(query)
    name = answer.question[0].name
    texts = [f'"{number:04}{"x" * 196}"' for number in range(_LARGE)]
    more = dns.rrset.from_text_list(name, 60, "IN", "TXT", texts)
    present = [rrset for rrset in answer.answer if rrset.rdtype == dns.rdatatype.TXT]
    for rrset in present or [more]:
        for rdata in more:
            rrset.add(rdata)
    answer.answer = answer.answer if present else [*answer.answer, more]
    wire = answer.to_wire(max_size=65535)
    return wire if query.transport == "tcp" else _empty(query, dns.rcode.NOERROR, dns.flags.TC)


def _loop(query: Query) -> bytes:
    answer = dns.message.make_response(query.message)
    answer.flags |= dns.flags.AA
    name = answer.question[0].name.to_text()
    pairs = ((name, f"loop.{name}"), (f"loop.{name}", name))
    answer.answer = [dns.rrset.from_text(owner, 60, "IN", "CNAME", target) for owner, target in pairs]
    return answer.to_wire()


def _onward(query: Query) -> bytes:
    """Send a CNAME to one more name."""
    answer = dns.message.make_response(query.message)
    answer.flags |= dns.flags.AA
    name = answer.question[0].name.to_text()
    answer.answer = [dns.rrset.from_text(name, 60, "IN", "CNAME", f"on.{name}")]
    return answer.to_wire()


def _of_others(query: Query) -> bytes:
    """Send records of another name."""
    answer = _sound(query)
    kind = dns.rdatatype.to_text(answer.question[0].rdtype)
    texts = {"A": "127.0.0.9", "AAAA": "::2", "SOA": "a. b. 1 1 1 1 1", "TXT": '"x"', "CAA": '0 issue ";"'}
    answer.answer = [dns.rrset.from_text("other.test.", 60, "IN", kind, texts.get(kind, "other.test."))]
    answer.authority = []
    return answer.to_wire()


def _late(query: Query) -> bytes:
    time.sleep(0.4)
    return query.forward()


FAULTS: Final[dict[str, Fault]] = {
    "no answer": _silent,
    "a wrong id": _wrong_id,
    "a wrong id, then the answer": _wrong_id_first,
    "from another port": _wrong_source,
    "from another port, then the answer": _wrong_source_first,
    "for another question": _other_question,
    "for another question, then the answer": _other_question_first,
    "a message that breaks off": _broken,
    "a name that points at itself": _pointer,
    "truncated, TCP answers": _by_tcp(Query.forward),
    "truncated, TCP is reset": _by_tcp(lambda _: Wire(ending="reset")),
    "truncated, TCP is silent": _by_tcp(_silent),
    "truncated, TCP is cut off": _by_tcp(_cut),
    "truncated, TCP drips": _by_tcp(_drip),
    "truncated, TCP promises 64 KB": _by_tcp(_too_long),
    "50 KB": _large,
    "0.4 s late": _late,
    "lame: without authority": _lame,
    "lame: sends us to the root": _upwards,
    "sends us to a server that is nowhere": _nowhere,
    "SERVFAIL": _code(dns.rcode.SERVFAIL),
    "REFUSED": _code(dns.rcode.REFUSED),
    "NOTIMP": _code(dns.rcode.NOTIMP),
    "NXDOMAIN, which is not true": _code(dns.rcode.NXDOMAIN),
    "an empty answer, which is not true": _code(dns.rcode.NOERROR),
    "CNAMEs in a circle": _loop,
    "CNAMEs without an end": _onward,
    "records of another name": _of_others,
}
