"""Encodes questions and reads answers (RFC 1035 section 4, RFC 6891); one query and its result.

Questions of about forty bytes are encoded here. An answer is read only if it belongs to the question (id, name, type:
RFC 5452 section 4). dnspython reads only the data of its records, because reading the whole message takes five times as
long.
"""

from __future__ import annotations

import string
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.ANY.NS
import dns.rdtypes.ANY.SOA
import dns.rdtypes.ANY.TXT
import dns.rrset

from dnsrenew.base import names
from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    import random
    import socket

Name = dns.name.Name
Type = dns.rdatatype.RdataType
Message = dns.message.Message
ROOT: Final = dns.name.root

_RD: Final = 0x0100
_PAYLOAD: Final = 1232
_OPT: Final = b"\0" + struct.pack("!HHIH", 41, _PAYLOAD, 0, 0)
_QR_IN_BYTE_2: Final = 0x80
_AA_IN_BYTE_2: Final = 0x04
_TC_IN_BYTE_2: Final = 0x02
_QUESTION_AT: Final = 12
_ANSWERS: Final = slice(6, 8)
_RCODE_IN_BYTE_3: Final = 0x0F
_WITHOUT_QUESTION: Final = {dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.SERVFAIL, dns.rcode.REFUSED}
_CASE_BITS: Final = bytes(0x20 if chr(octet) in string.ascii_letters else 0 for octet in range(256))
MAX_NAME: Final = 255
"""The length of the longest name in octets."""
_MAX_HOPS: Final = 16
MAX_OCTETS: Final = 65_535
"""The longest DNS message over TCP (RFC 1035 section 4.2.2)."""
MAX_RECORDS: Final = 500
_MAX_STEPS: Final = 10_255  # labels and pointers in all names, texts, and octets of unusual records together
_NAME_STEPS: Final = 255  # in the names of an unusual record
_RECORD: Final = struct.Struct("!HHIH")
_IN, _TXT = int(dns.rdataclass.IN), int(dns.rdatatype.TXT)  # members of an enumeration are slow to compare
_NAMES: Final[dict[int, int]] = {
    **dict.fromkeys((dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.CAA, dns.rdatatype.TXT), 0),
    **dict.fromkeys((dns.rdatatype.NS, dns.rdatatype.CNAME), 1),
    dns.rdatatype.SOA: 2,
}
"""The usual types, with the number of names at the start of a record's data."""


class DnsQuestion:
    """A question, fast to hash (the hash of a dnspython name is slow).

    :ivar recurse: whether the server must resolve the name (RD).
    :cvar with_additional: whether the additional section of the answer is read.
    """

    __slots__ = ("_key", "_section", "name", "recurse", "type")

    with_additional = False

    def __init__(self, name: Name, kind: Type, *, recurse: bool = False) -> None:
        self.name = name
        self.type = kind
        self.recurse = recurse
        self._section = (name.to_wire() or b"") + struct.pack("!HH", kind, dns.rdataclass.IN)
        self._key = self._section.lower() + (b"r" if recurse else b"")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DnsQuestion) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"DnsQuestion({self.name}, {dns.rdatatype.to_text(self.type)}, recurse={self.recurse})"

    def to_wire(self, identity: int, *, edns: bool = True, case: int = 0) -> bytes:
        """Return the message with this id; with ``edns`` it allows answers of up to 1232 octets.

        :param case: for each octet whose sixth bit is set, the case of the letter at that place is changed.
        """
        header = struct.pack("!HHHHHH", identity, _RD if self.recurse else 0, 1, 0, 0, int(edns))
        section = _change_case(self._section, case) if case else self._section
        return header + section + (_OPT if edns else b"")


def _change_case(section: bytes, case: int) -> bytes:
    size = len(section) - 4  # type and class follow; a label length is never a letter, because it is below 64
    letters = int.from_bytes(section[:size].translate(_CASE_BITS), "little")
    changed = int.from_bytes(section[:size], "little") ^ (letters & case)
    return changed.to_bytes(size, "little") + section[size:]


class _KnownName(Name):
    """A name in lower case, which is fast to hash and to compare with another one."""

    __slots__ = ("_hash",)
    _hash: int

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _KnownName):
            return self.labels == other.labels
        return isinstance(other, Name) and self.fullcompare(other)[1] == 0

    def __hash__(self) -> int:
        return self._hash

    def parent(self) -> Name:
        """Return the name above this one. The root has no parent."""
        return _name((self.to_wire() or b"")[len(self.labels[0]) + 1 :]) if self.labels[0] else super().parent()


@lru_cache(maxsize=4096)
def _name(encoded: bytes) -> Name:
    """Return the same object for the same octets, because many names of a run have the same parents."""
    name = _KnownName(dns.name.from_wire(encoded, 0)[0].labels)
    object.__setattr__(name, "_hash", Name.__hash__(name))
    return name


@lru_cache(maxsize=4096)
def from_text(name: str) -> Name:
    """Return the absolute name, in lower case."""
    return _name((dns.name.from_text(name.lower()).to_wire() or b"").lower())


def to_text(name: Name) -> str:
    """Return the absolute name as text, in lower case, with the final dot."""
    return name.to_text().lower()


def shown(name: Name) -> str:
    """Return the name without the final dot."""
    return names.relative(to_text(name))


def belongs(data: bytes, query: bytes) -> bool:
    """Return whether ``data`` is an answer to ``query``: same id and same question.

    A server that cannot read the question may omit it from its answer (RFC 6891 section 7).
    """
    if len(data) < _QUESTION_AT or data[:2] != query[:2] or not data[2] & _QR_IN_BYTE_2:
        return False
    if data[4:6] == b"\0\0":
        return data[3] & _RCODE_IN_BYTE_3 in _WITHOUT_QUESTION
    end = query.index(b"\0", _QUESTION_AT) + 5
    return data[4:6] == b"\0\1" and data[_QUESTION_AT:end].lower() == query[_QUESTION_AT:end].lower()


def repeats_question(data: bytes, query: bytes) -> bool:
    """Return whether an answer that belongs to ``query`` has its question letter by letter."""
    end = query.index(b"\0", _QUESTION_AT) + 5
    return data[_QUESTION_AT:end] == query[_QUESTION_AT:end]


def is_truncated(data: bytes) -> bool:
    """Return whether the answer was truncated to fit into a datagram (TC)."""
    return bool(data[2] & _TC_IN_BYTE_2)


def needs_authority(kind: Type, data: bytes) -> bool:
    """Return whether the authority section must be parsed, which takes more than half of the parsing time.

    Answers with TXT records and authoritative answers to CAA do not need it.
    """
    if kind == dns.rdatatype.TXT:
        return data[_ANSWERS] == b"\0\0"
    return kind != dns.rdatatype.CAA or not data[2] & _AA_IN_BYTE_2


class _Excessive(ValueError):
    """An answer is too expensive to read."""


_UNREADABLE: Final = (dns.exception.DNSException, ValueError, IndexError, struct.error)


def parse(data: bytes, *, authority: bool = True, additional: bool = False) -> Message | None:
    """Return the answer, or None if it is not a DNS message or costs too much to read.

    :param authority: whether the authority section is read.
    :param additional: whether the additional section is read.
    """
    try:
        return _MessageReader(_needed(data, authority=authority, additional=additional)).read()
    except _UNREADABLE:
        return None


def is_excessive(data: bytes, *, authority: bool = True, additional: bool = False) -> bool:
    """Return whether an answer is left unread because it would be too expensive."""
    try:
        _MessageReader(_needed(data, authority=authority, additional=additional)).read()
    except _UNREADABLE as error:
        return isinstance(error, _Excessive)
    return False


class _MessageReader:
    """Reads the same fields as dnspython, with names in lower case.

    The zone's owner controls the cost. Names are counted by their labels, because two octets may refer to a name of 127
    labels. Texts are counted one by one, because 64 KB can hold 64,000 empty texts.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = _QUESTION_AT
        self._steps = 0

    def read(self) -> Message:
        """Return the message.

        :raises ValueError, IndexError, struct.error: the message is malformed.
        """
        identity, flags, questions, *counts = struct.unpack_from("!HHHHHH", self._data)
        if sum(counts) > MAX_RECORDS:
            raise _Excessive(counts)
        message = dns.message.QueryMessage(identity)
        message.flags = dns.flags.Flag(flags)
        for _ in range(questions):
            name = _name(self._read_name())
            kind, rdclass = struct.unpack_from("!HH", self._data, self._at)
            message.question.append(dns.rrset.RRset(name, rdclass, kind))
            self._at += 4
        message.sections[1:] = [list(_rrsets(*[self._read_record() for _ in range(count)])) for count in counts]
        if counts[-1]:
            message.opt = next((each for each in message.additional if each.rdtype == dns.rdatatype.OPT), None)
        return message

    def _read_name(self) -> bytes:
        """Return a name in full and in lower case."""
        data, name, at, end, begin = self._data, b"", self._at, 0, self._at
        while octet := data[at]:
            self._steps += 1
            if octet < 0x40:
                name += data[at : at + 1 + octet]
                at += 1 + octet
            else:
                end, pointer = end or at + 2, (octet & 0x3F) << 8 | data[at + 1]
                begin = at = pointer if pointer < begin and octet >= 0xC0 else len(data)
            if len(name) >= MAX_NAME:
                raise ValueError(at)
        self._at = end or at + 1
        return name.lower() + b"\0"

    def _read_record(self) -> _Record:
        data, owner = self._data, self._read_name()
        kind, rdclass, ttl, size = _RECORD.unpack_from(data, self._at)
        self._at += _RECORD.size
        begin, end = self._at, self._at + size
        is_usual = rdclass == _IN and kind in _NAMES
        names = b""
        for _ in range(_NAMES[kind] if is_usual else 0):
            names += self._read_name()
        fields = data[self._at : end]
        if not is_usual:
            self._steps += _NAME_STEPS + size
        elif kind == _TXT:
            while self._at < end and self._steps <= _MAX_STEPS:
                self._steps += 1
                self._at += 1 + data[self._at]
        if self._steps > _MAX_STEPS:
            raise _Excessive(self._steps)
        if not self._at <= end <= len(data):
            raise ValueError(self._at)
        self._at = end
        its = names + fields if is_usual else dns.rdata.from_wire(rdclass, kind, data, begin, size)
        return owner, rdclass, kind, ttl, its


_Record = tuple[bytes, dns.rdataclass.RdataClass, Type, int, bytes | dns.rdata.Rdata]
"""Owner, class, type, TTL and data. The data of a usual record is its octets with names in full."""


@lru_cache(maxsize=64)
def _rrsets(*records: _Record) -> list[dns.rrset.RRset]:
    """Return the record sets of some records. Answers for many names share record sets."""
    found: dict[object, dns.rrset.RRset] = {}
    for owner, rdclass, kind, ttl, data in records:
        rdata = dns.rdata.from_wire(rdclass, kind, data, 0, len(data)) if isinstance(data, bytes) else data
        its = dns.rrset.RRset(_name(owner), rdata.rdclass, rdata.rdtype, rdata.covers())
        its = found.setdefault((owner, rdclass, kind, its.covers), its)
        its.add(rdata, ttl if ttl < 1 << 31 else 0)  # RFC 2181 section 8
    return list(found.values())


def _needed(data: bytes, *, authority: bool, additional: bool) -> bytes:
    """Return the message without unused records, which are then not parsed.

    Records of an error are not used. The additional section is seldom used, and its parsing takes half of the time.
    """
    if data[3] & _RCODE_IN_BYTE_3 not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        return data[:6] + b"\0\0\0\0\0\0" + data[_QUESTION_AT:]
    if not authority:
        return data[:8] + b"\0\0\0\0" + data[_QUESTION_AT:]
    return data if additional else data[:10] + b"\0\0" + data[_QUESTION_AT:]


# ── reading answers ───────────────────────────────────────────────────────────────────


def is_authoritative(answer: Message) -> bool:
    """Return whether the server is authoritative for the zone (AA)."""
    return bool(answer.flags & dns.flags.AA)


def recurses(answer: Message) -> bool:
    """Return whether the server offers recursion (RA)."""
    return bool(answer.flags & dns.flags.RA)


def is_positive(answer: Message) -> bool:
    """Return whether the answer says that the name exists or does not exist."""
    return answer.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}


def is_nxdomain(answer: Message) -> bool:
    """Return whether the answer says that the name does not exist."""
    return answer.rcode() == dns.rcode.NXDOMAIN


def wrong_owner(answer: Message, name: Name) -> bool:
    """Return whether the answer has records, but no record of ``name``. Such an answer is not trusted."""
    return bool(answer.answer) and all(rrset.name != name for rrset in answer.answer)


def is_referral(answer: Message) -> bool:
    """Return whether the answer only refers to other servers (RFC 2308 section 2.2)."""
    if answer.answer or answer.rcode() != dns.rcode.NOERROR:
        return False
    kinds = {rrset.rdtype for rrset in answer.authority}
    return dns.rdatatype.NS in kinds and dns.rdatatype.SOA not in kinds


def rcode_text(answer: Message) -> str:
    """Return the name of the response code, such as ``SERVFAIL``."""
    return dns.rcode.to_text(answer.rcode())


def records(section: list[dns.rrset.RRset], kind: Type) -> Iterator[dns.rrset.RRset]:
    """Yield the record sets of one type in class IN, because a type may mean something else in another class."""
    return (rrset for rrset in section if rrset.rdtype == kind and rrset.rdclass == dns.rdataclass.IN)


def txt_values(answer: Message) -> frozenset[str]:
    """Return the TXT values in the answer, each with its strings joined."""
    return frozenset(
        b"".join(rdata.strings).decode("utf-8", "replace")
        for rrset in records(answer.answer, dns.rdatatype.TXT)
        for rdata in rrset
        if isinstance(rdata, dns.rdtypes.ANY.TXT.TXT)
    )


def cname_target(answer: Message, name: Name) -> Name | None:
    """Return the target of the name's own CNAME record."""
    own = (rrset[0] for rrset in records(answer.answer, dns.rdatatype.CNAME) if rrset.name == name)
    return next((cname.target for cname in own if isinstance(cname, dns.rdtypes.ANY.CNAME.CNAME)), None)


def soa_owner(answer: Message, name: Name) -> Name | None:
    """Return the zone of the answer's SOA record if ``name`` is in it. After a CNAME, it may be another zone."""
    found = records([*answer.answer, *answer.authority], dns.rdatatype.SOA)
    return next((rrset.name for rrset in found if name.is_subdomain(rrset.name)), None)


def soa_serial(answer: Message) -> int | None:
    """Return the serial of the SOA record in the answer."""
    found = (rrset[0] for rrset in records([*answer.answer, *answer.authority], dns.rdatatype.SOA))
    return next((int(soa.serial) for soa in found if isinstance(soa, dns.rdtypes.ANY.SOA.SOA)), None)


def ns_names(section: list[dns.rrset.RRset], zone: Name) -> tuple[Name, ...]:
    """Return the names of the zone's name servers, sorted."""
    return tuple(
        sorted(
            rdata.target
            for rrset in records(section, dns.rdatatype.NS)
            if rrset.name == zone
            for rdata in rrset
            if isinstance(rdata, dns.rdtypes.ANY.NS.NS)
        )
    )


def referral(answer: Message, zone: Name, name: Name) -> Name | None:
    """Return the zone below ``zone`` to which the answer refers for ``name`` (RFC 1034 section 4.3.2)."""
    if is_authoritative(answer) or answer.rcode() != dns.rcode.NOERROR:
        return None
    cuts = (rrset.name for rrset in records(answer.authority, dns.rdatatype.NS) if rrset.name != zone)
    return next((cut for cut in cuts if cut.is_subdomain(zone) and name.is_subdomain(cut)), None)


def addresses(answer: Message, name: Name) -> tuple[str, ...]:
    """Return the A and AAAA addresses of a name, or of the name at which its CNAMEs end."""
    owners = [name]
    for _ in range(_MAX_HOPS):  # a forged answer may have thousands
        target = cname_target(answer, owners[-1])
        if target is None or target in owners:
            break
        owners.append(target)
    return tuple(
        str(rdata.address)
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA)
        for rrset in records(answer.answer, kind)
        if rrset.name in owners
        for rdata in rrset
    )


# ── query ──────────────────────────────────────────────────────────────────────────────

# One query and its result.

Address = tuple[str, int]

_DATAGRAMS: Final = 16  # read from one socket in a row


class Reply(Frozen):
    """The result of one query.

    :ivar answer: the message, or None.
    :ivar reason: why there is no answer, as a clause that continues "the server …".
    :ivar no_route: this machine has no route to addresses of this family.
    :ivar no_socket: this machine had no free socket for the query, which says nothing about the server.
    :ivar is_tcp: whether the answer came over TCP.
    """

    address: Address
    question: DnsQuestion
    answer: Message | None
    reason: str = ""
    no_route: bool = False
    no_socket: bool = False
    is_tcp: bool = False


class PendingQuery:
    """A query in flight or queued.

    :ivar udp: seconds for an answer over UDP; 0: it is never sent over UDP.
    :ivar tcp: seconds for an answer over TCP; 0: only a truncated answer leads to TCP.
    :ivar is_mixed: whether the question has random case, which an answer over UDP must repeat.
    :ivar is_doubted: whether it is sent over TCP because the server changes the case.
    """

    def __init__(self, address: Address, question: DnsQuestion, udp: float, tcp: float) -> None:
        self.address = address
        self.question = question
        self.udp = udp
        self.tcp = tcp
        self.edns = True
        self.is_mixed = True
        self.is_doubted = False
        self.message = b""
        self.deadline = 0.0
        self.socket: socket.socket | None = None
        self.is_tcp = False
        self.timed_out = False
        self.unsent = b""
        self.received = b""

    def encode(self, chance: random.Random) -> bytes:
        """Return the message with a new id and a new letter case."""
        case = chance.getrandbits(8 * MAX_NAME) if self.is_mixed else 0
        self.message = self.question.to_wire(chance.getrandbits(16), edns=self.edns, case=case)
        return self.message

    def accepts(self, data: bytes) -> bool:
        """Return whether a message that belongs to the query can be used; over UDP it must repeat the case."""
        return self.is_tcp or not self.is_mixed or repeats_question(data, self.message)


def read_datagram(query: PendingQuery, sock: socket.socket) -> bytes | None:
    """Return the first datagram that answers the query; drop forged and late datagrams.

    It reads a limited number, so that a flood delays neither the deadline nor other queries.
    """
    for _ in range(_DATAGRAMS):
        data = sock.recv(65535)
        if belongs(data, query.message):
            return data
    return None
