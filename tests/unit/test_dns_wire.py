"""Questions to bytes, bytes to answers; where to ask."""

import struct
import time
from itertools import product
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base.runtime import Context
from dnsrenew.dns import lookup, wire
from dnsrenew.dns.wire import DnsQuestion

NAME = wire.from_text("_acme-challenge.Example.test")
TXT = dns.rdatatype.TXT


def answered(query: bytes) -> dns.message.Message:
    """A good answer to the query."""
    answer = dns.message.make_response(dns.message.from_wire(query))
    answer.flags |= dns.flags.AA
    return answer


@pytest.mark.parametrize("edns", [True, False])
@pytest.mark.parametrize("recurse", [True, False])
def test_a_question_is_what_dnspython_would_send(*, edns: bool, recurse: bool) -> None:
    """A query equals dnspython's byte for byte."""
    flags = dns.flags.RD if recurse else 0
    same = dns.message.make_query(NAME, TXT, flags=flags, id=4711, use_edns=0 if edns else -1, payload=1232)
    assert DnsQuestion(NAME, TXT, recurse=recurse).to_wire(4711, edns=edns) == same.to_wire()


def test_questions_are_equal_whatever_their_case() -> None:
    """Questions are equal if their names differ in letter case only."""
    assert DnsQuestion(NAME, TXT) == DnsQuestion(wire.from_text("_ACME-challenge.example.TEST."), TXT)
    assert DnsQuestion(NAME, TXT) != DnsQuestion(NAME, TXT, recurse=True)
    assert DnsQuestion(NAME, TXT) != DnsQuestion(NAME, dns.rdatatype.SOA)


def test_an_answer_belongs_to_its_question_only() -> None:
    """A response must have the query's ID, name and type."""
    query = DnsQuestion(NAME, TXT).to_wire(7)
    good = answered(query).to_wire()
    assert wire.belongs(good, query)
    assert not wire.belongs(query, query)
    assert not wire.belongs(b"", query)
    assert not wire.belongs(good, DnsQuestion(NAME, TXT).to_wire(8))
    assert not wire.belongs(good, DnsQuestion(NAME, dns.rdatatype.SOA).to_wire(7))
    assert not wire.belongs(good, DnsQuestion(NAME.parent(), TXT).to_wire(7))


AUTHORITY = {"NS": "ns.test.", "SOA": "ns.test. root.test. 1 1 1 1 1"}


def of_records(*records: tuple[str, str, str], authority: str = "") -> dns.message.Message:
    """An answer with these records: (name, type, value); `authority` is a type."""
    answer = answered(DnsQuestion(NAME, TXT).to_wire(7))
    answer.answer = [dns.rrset.from_text(name, 60, "IN", kind, value) for name, kind, value in records]
    if authority:
        answer.authority = [dns.rrset.from_text("test.", 60, "IN", authority, AUTHORITY[authority])]
    return answer


def test_records_of_another_name_are_no_answer() -> None:
    """An answer whose records belong to another name is wrong. An empty answer is not."""
    host = wire.from_text("NS.example.test")
    assert wire.wrong_owner(of_records(("other.test.", "A", "192.0.2.1")), host)
    assert not wire.wrong_owner(of_records(("ns.EXAMPLE.test.", "A", "192.0.2.1")), host)
    assert not wire.wrong_owner(of_records(), host)


def test_addresses_are_those_of_the_name_and_of_where_it_leads() -> None:
    """Addresses are found over several CNAMEs in any order. Foreign records are ignored, and a loop ends."""
    host = wire.from_text("ns.example.test")
    answer = of_records(
        ("b.test.", "A", "192.0.2.3"),
        ("a.test.", "CNAME", "b.test."),
        ("ns.example.test.", "CNAME", "a.test."),
        ("evil.test.", "A", "192.0.2.66"),
    )
    assert wire.addresses(answer, host) == ("192.0.2.3",)
    circle = of_records(("ns.example.test.", "CNAME", "a.test."), ("a.test.", "CNAME", "ns.example.test."))
    assert wire.addresses(circle, host) == ()


def test_a_referral_is_told_from_nothing_there() -> None:
    """Name servers without a SOA are a referral (RFC 2308 section 2.2). Records, a SOA or an empty answer are not."""
    assert wire.is_referral(of_records(authority="NS"))
    assert not wire.is_referral(of_records(authority="SOA"))
    assert not wire.is_referral(of_records())
    assert not wire.is_referral(of_records(("a.test.", "A", "192.0.2.1"), authority="NS"))


def test_an_error_may_come_without_the_question() -> None:
    """An error response may lack the question. A positive response may not."""
    query = DnsQuestion(NAME, TXT).to_wire(7)
    bare = dns.message.Message(id=7)
    bare.flags = dns.flags.QR
    bare.set_rcode(dns.rcode.FORMERR)
    assert wire.belongs(bare.to_wire(), query)
    bare.set_rcode(dns.rcode.NOERROR)
    assert not wire.belongs(bare.to_wire(), query)


def test_a_question_has_any_case_and_an_answer_must_repeat_it() -> None:
    """Only the letters of the name get random case. An answer without a question does not repeat it."""
    question = DnsQuestion(wire.from_text("_acme-1.\\233x.test"), dns.rdatatype.from_text("TYPE24929"))  # "aa"
    plain, mixed = question.to_wire(7), question.to_wire(7, case=(1 << 255) - 1)
    assert mixed == plain.replace(b"acme", b"ACME").replace(b"x\4test", b"X\4TEST")
    good = answered(mixed).to_wire()
    assert wire.belongs(good, mixed)
    assert wire.repeats_question(good, mixed)
    for data in (answered(plain).to_wire(), mixed[:2] + b"\x80\x02" + bytes(8)):
        assert wire.belongs(data, mixed)
        assert not wire.repeats_question(data, mixed)


LONG = bytes.fromhex("0161") * 126 + b"\0"


def hostile(count: int, kind: int, data: bytes, *, name: bytes = LONG, rcode: int = 0) -> bytes:
    """An answer with records of a long name, as many as fit into 64 KB; in `data` `#` stands for two octets."""
    record = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data) + data.count(b"#")) + data
    records = b"".join(record.replace(b"#", bytes([97 + at // 26 % 26, 97 + at % 26])) for at in range(count))
    flags = bytes([0x84, rcode])
    return b"\0\1" + flags + struct.pack("!HHHH", 1, count, 0, 0) + name + struct.pack("!HH", kind, 1) + records


COSTLY = {
    "names of 127 labels": hostile(3594, 2, b"\2#\xc0\x10"),
    "few of them": hostile(300, 2, b"\2#\xc0\x10"),
    "in SOA records": hostile(400, 6, b"\xc0\x0c\xc0\x0c" + bytes(20)),
    "in records of a type that nobody asks for": hostile(450, 15, b"\0\1\xc0\x0c"),
    "many short names": hostile(500, 2, b"\2#\xc0\x0c", name=b"\1a\1b\0"),
    "as many labels as are read": hostile(39, 2, b"\2#\xc0\x10"),
    "many empty texts": hostile(1, 16, bytes(60_000)),
    "in a long record of a type that nobody asks for": hostile(
        1, 64, b"\0\1\0" + b"".join(struct.pack("!BBH", *at, 0) for at in product(range(48, 96), range(48, 255)))
    ),
    "a long text": hostile(16, 16, (b"\xff" + b"a" * 255) * 14),
    "an error": hostile(3594, 2, b"\2#\xc0\x10", rcode=2),
}


def test_what_an_answer_may_cost_is_bounded() -> None:
    """Parsing hostile answers takes at most 1.5 s in total."""
    begin = time.process_time()
    answers = {name: wire.parse(data) for name, data in COSTLY.items()}
    assert time.process_time() - begin < 1.5
    read = {name for name, answer in answers.items() if answer is not None}
    assert read == {"many short names", "as many labels as are read", "a long text", "an error"}
    failed = answers["an error"]
    assert failed is not None
    assert (wire.rcode_text(failed), failed.answer) == ("SERVFAIL", [])
    assert all(len(data) <= 65_535 for data in COSTLY.values())
    assert wire.is_excessive(COSTLY["names of 127 labels"])
    assert not wire.is_excessive(COSTLY["an error"])


USUAL = [
    ("_acme-challenge.example.test.", 60, "TXT", '"one" "two"'),
    ("_ACME-challenge.Example.test.", 5, "TXT", '"three"'),
    ("_acme-challenge.example.test.", 60, "CNAME", "Elsewhere.test."),
    ("example.test.", 300, "SOA", "Ns1.example.test. root.test. 1 2 3 4 5"),
    ("EXAMPLE.test.", 300, "SOA", "ns1.example.TEST. root.test. 1 2 3 4 5"),
    ("example.test.", (1 << 31) - 1, "NS", "ns1.example.test."),
    ("example.test.", 0, "NS", "ns2.EXAMPLE.test."),
    ("ns1.example.test.", 60, "A", "192.0.2.1"),
    ("ns1.example.test.", 60, "AAAA", "2001:db8::1"),
    ("example.test.", 60, "CAA", '0 issue "ca.test"'),
    (".", 60, "NS", "a.root-servers.net."),
]
RECORDS = st.lists(st.sampled_from(USUAL), max_size=6)


def from_dnspython(data: bytes) -> dns.message.Message:
    """What the parser of dnspython for whole messages reads, without the additional section."""
    return dns.message.from_wire(data[:10] + b"\0\0" + data[12:], ignore_trailing=True)


def sections(message: dns.message.Message) -> list[list[tuple[object, ...]]]:
    """All record sets of a message with their order, TTL and data."""
    kept = (message.question, message.answer, message.authority)
    return [[(each.name, each.rdtype, each.ttl, set(each)) for each in section] for section in kept]


@given(RECORDS, RECORDS, st.sampled_from([0, 3]), st.integers(0, (1 << 255) - 1))
def test_a_usual_answer_is_read_as_dnspython_reads_it(
    answers: list[tuple[str, int, str, str]], authority: list[tuple[str, int, str, str]], rcode: int, case: int
) -> None:
    """Usual records in any case, compressed or not."""
    message = answered(DnsQuestion(NAME, TXT).to_wire(7, case=case))
    message.set_rcode(dns.rcode.Rcode(rcode))
    message.answer = [dns.rrset.from_text(name, ttl, "IN", kind, value) for name, ttl, kind, value in answers]
    message.authority = [dns.rrset.from_text(name, ttl, "IN", kind, value) for name, ttl, kind, value in authority]
    data = message.to_wire()
    expected, found = from_dnspython(data), wire.parse(data)
    assert found is not None
    assert (found, sections(found)) == (expected, sections(expected))


SIGNATURE = "TXT 8 3 60 20300101000000 20200101000000 1 test. AA=="
IN, CH = (b"\0\x10\0" + bytes([number]) + b"\0\0\0\x3c" for number in (1, 3))
"""How a TXT record of each class begins, with its TTL."""


@pytest.mark.parametrize("text", ["a.example.test", "A.Example.TEST", "\\065.example.test", "."])
def test_a_name_is_equal_to_that_of_dnspython(text: str) -> None:
    """A name in any case, and each name above it, equals that of dnspython and has its hash; it is one object."""
    ours, theirs = wire.from_text(text), dns.name.from_text(text)
    assert ours is wire.from_text(text.swapcase())
    while theirs != dns.name.root:
        assert (ours, theirs, hash(ours)) == (theirs, ours, hash(theirs))
        assert ours != wire.ROOT
        ours, theirs = ours.parent(), theirs.parent()
    assert (ours, hash(ours)) == (wire.ROOT, hash(wire.ROOT))


UNUSUAL = {
    "another type": of_records((wire.to_text(NAME), "MX", "1 mx.test.")).to_wire(),
    "a signature": of_records((wire.to_text(NAME), "RRSIG", SIGNATURE)).to_wire(),
    "too long for a datagram": of_records((wire.to_text(NAME), "TXT", " ".join(["a" * 255] * 5))).to_wire(
        max_size=2000
    ),
    "another class": of_records((wire.to_text(NAME), "TXT", "a")).to_wire().replace(IN, CH),
}


@pytest.mark.parametrize("data", UNUSUAL.values(), ids=UNUSUAL)
def test_an_unusual_answer_is_read_as_dnspython_reads_it(data: bytes) -> None:
    """So are a record of another type or class, and an answer that is too long for a datagram."""
    expected, found = from_dnspython(data), wire.parse(data)
    assert found is not None
    assert (found, sections(found)) == (expected, sections(expected))


@pytest.mark.parametrize("name", [b"\xc0\x0c", b"\1a\xc0\x0c", b"\1\0\xc0\x0d", b"\x80\x0c", b"\xc0\xff", b"\x3fabc"])
def test_a_name_that_is_none_makes_no_answer(name: bytes) -> None:
    """A name that points at or into itself, forwards or beyond the end is no name, and the message no answer."""
    assert wire.parse(b"\0\7\x84\0" + struct.pack("!HHHH", 1, 0, 0, 0) + name + struct.pack("!HH", TXT, 1)) is None


@given(st.binary(max_size=80))
def test_any_bytes_are_survived(data: bytes) -> None:
    """Any bytes are parsed to an answer or to None."""
    query = DnsQuestion(NAME, TXT).to_wire(7)
    wire.belongs(data, query)
    wire.parse(query[:2] + b"\x84\x00" + query[4:] + data)
    if len(data) >= 12:
        wire.parse(data, authority=False)


def test_a_soa_of_another_zone_is_not_ours() -> None:
    """After a CNAME the SOA belongs to the target's zone only."""
    text = (
        "id 1\nflags QR AA\n;QUESTION\nwww.example.test. IN SOA\n;ANSWER\nwww.example.test. 60 IN CNAME a.cdn.test.\n"
        ";AUTHORITY\ncdn.test. 60 IN SOA ns. me. 1 2 3 4 5\n"
    )
    answer = dns.message.from_text(text)
    assert wire.soa_owner(answer, wire.from_text("www.example.test")) is None
    assert wire.soa_owner(answer, wire.from_text("a.cdn.test")) == wire.from_text("cdn.test")


def test_a_referral_leads_down_only() -> None:
    """A referral upwards or sideways is lame."""

    def refers(owner: str) -> object:
        text = f"id 1\nflags QR\n;QUESTION\nx.sub.example.test. IN CNAME\n;AUTHORITY\n{owner} 60 IN NS ns.test.\n"
        zone, name = wire.from_text("example.test"), wire.from_text("x.sub.example.test")
        return wire.referral(dns.message.from_text(text), zone, name)

    assert refers("sub.example.test.") == wire.from_text("sub.example.test")
    assert refers("example.test.") is None
    assert refers(".") is None
    assert refers("other.example.test.") is None


def test_the_system_s_servers_are_read_from_resolv_conf(tmp_path: Path) -> None:
    """Servers are read in order. Without the file the local host is used, as in resolv.conf(5)."""
    file = tmp_path / "resolv.conf"
    file.write_text("# comment\nsearch example.test\nnameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver\n")
    assert lookup.system_servers(file) == ["192.0.2.1", "2001:db8::1"]
    assert lookup.system_servers(tmp_path / "none") == ["127.0.0.1"]


def test_a_server_given_by_name_is_looked_up() -> None:
    """The system resolves the name of a server. A server without an address is omitted."""
    assert ("127.0.0.1", 5300) in lookup.recursive_servers(Context(), ["localhost:5300"])
    assert lookup.recursive_servers(Context(), ["nobody.invalid"]) == []
