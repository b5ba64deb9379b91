"""Limits the cost of parsing an answer, whose content the zone's owner controls.

Records are counted in the header. Names are counted by their labels, because two octets may refer to a name of 127
labels, and reading it takes time that grows with the square of that. Texts are counted one by one, because 64 KB can
hold 64,000 empty ones, and records of types that are not asked for by their octets.
"""

from __future__ import annotations

import struct
from typing import Final

import dns.rdataclass
import dns.rdatatype

MAX_OCTETS: Final = 65_535
"""The longest DNS message over TCP (RFC 1035 section 4.2.2)."""
MAX_RECORDS: Final = 500
_MAX_STEPS: Final = 10_000  # labels and pointers in all names, texts, and octets of other records together
_NAME_STEPS: Final = 255  # in one name: it has at most 127 labels

_HEADER: Final = 12
_COUNTS: Final = struct.Struct("!4xHHHH")
_RECORD: Final = struct.Struct("!HH4xH")
_NAMES: Final = {
    **dict.fromkeys((dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.CAA, dns.rdatatype.DS), 0),
    **dict.fromkeys((dns.rdatatype.NS, dns.rdatatype.CNAME, dns.rdatatype.DNAME), 1),
    dns.rdatatype.SOA: 2,
}
"""The number of names at the start of a record's data."""


def is_excessive(data: bytes) -> bool:
    """Tell whether the sections after the question have too many records or labels.

    :raises ValueError, IndexError, struct.error: they are malformed.
    """
    questions, *counts = _COUNTS.unpack_from(data)
    count = sum(counts)
    if count > MAX_RECORDS:
        return True
    at = _HEADER
    for _ in range(questions):
        at = _skip_name(data, at)[1] + 4
    steps = 0
    for _ in range(count):
        taken, at = _skip_record(data, at)
        steps += taken
        if steps > _MAX_STEPS:
            return True
    return False


def _skip_record(data: bytes, at: int) -> tuple[int, int]:
    """Return the steps that a record takes, and where the next one begins."""
    steps, at = _skip_name(data, at)
    kind, rdclass, size = _RECORD.unpack_from(data, at)
    at += _RECORD.size
    if kind == dns.rdatatype.TXT and rdclass == dns.rdataclass.IN:
        return steps + _count_texts(data, at, size), at + size
    names = _NAMES.get(kind) if rdclass == dns.rdataclass.IN else None
    if names is None:
        return steps + _NAME_STEPS + size, at + size
    name_at = at
    for _ in range(names):
        taken, name_at = _skip_name(data, name_at)
        steps += taken
    return steps, at + size


def _count_texts(data: bytes, at: int, size: int) -> int:
    count, end = 0, at + size
    while at < end and count <= _MAX_STEPS:
        count += 1
        at += 1 + data[at]
    return count


def _skip_name(data: bytes, at: int) -> tuple[int, int]:
    """Return the labels and pointers of a name, and where it ends."""
    steps, end = 0, 0
    while octet := data[at]:
        steps += 1
        if steps > _NAME_STEPS:
            raise ValueError(steps)
        if octet < 0x40:
            at += 1 + octet
        else:
            end = end or at + 2
            at = (octet & 0x3F) << 8 | data[at + 1]
    return steps, end or at + 1
