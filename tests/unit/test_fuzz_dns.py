"""Any octets from a name server are parsed to an answer or to None. Any CAA record has a verdict."""

from __future__ import annotations

import ipaddress
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base.checks import CaaAnswer, CaaRecord, judge, parse_issuer, parse_methods
from dnsrenew.base.runtime import Context
from dnsrenew.dns import caa_lookup, wire
from dnsrenew.dns.lookup import Doh, NoDohAnswer, recursive_servers, system_servers
from dnsrenew.dns.wire import DnsQuestion
from tests.kit.api_server import Api
from tests.kit.fuzzing import bounded, edited

OWNER = "_acme-challenge.a.test."
NAME = wire.from_text(OWNER)
ISSUE = "ca.test; accounturi=https://ca.test/acct/1; validationmethods=dns-01"
ANY_TYPE = (*range(66), 99, 108, *range(249, 262), 32768, 32769, 65280, 65535)
ANY_CLASS = (0, 1, 3, 4, 254, 255, 256)


class Asked(NamedTuple):
    """A query and a correct answer to it."""

    question: DnsQuestion
    query: bytes
    answer: bytes


def asked(kind: str, *records: tuple[str, str, str], authority: tuple[str, str, str] | None = None) -> Asked:
    """Make a query and an answer with these records: name, type, data."""
    question = DnsQuestion(NAME, dns.rdatatype.from_text(kind))
    query = question.to_wire(7)
    answer = dns.message.make_response(dns.message.from_wire(query))
    answer.flags |= dns.flags.AA
    for name, its, data in records:
        answer.answer.append(dns.rrset.from_text(name, 60, "IN", its, data))
    if authority is not None:
        name, its, data = authority
        answer.authority.append(dns.rrset.from_text(name, 60, "IN", its, data))
    return Asked(question, query, answer.to_wire(max_size=65_535))


SOA = "ns1.a.test. host.a.test. 5 1 1 1 1"
ASKED = {
    "txt": asked("TXT", (OWNER, "TXT", '"abc" "def"')),
    "cname": asked("TXT", (OWNER, "CNAME", "x.b.test."), ("x.b.test.", "TXT", '"v"')),
    "caa": asked("CAA", (OWNER, "CAA", f'0 issue "{ISSUE}"'), (OWNER, "CAA", '128 iodef "mailto:a@b"')),
    "ns": asked("NS", (OWNER, "NS", "ns1.a.test.")),
    "soa": asked("SOA", (OWNER, "SOA", SOA)),
    "a": asked("A", (OWNER, "A", "192.0.2.1")),
    "aaaa": asked("AAAA", (OWNER, "AAAA", "2001:db8::1")),
    "referral": asked("NS", authority=("a.test.", "NS", "ns.a.test.")),
    "negative": asked("TXT", authority=("a.test.", "SOA", SOA)),
}


def read(case: Asked, data: bytes) -> bool:
    """Read octets as an answer, with all readers. Return whether they are one."""
    if not wire.belongs(data, case.query):
        return False
    wire.is_truncated(data)
    answers = [wire.parse(data, authority=authority) for authority in (True, False)]
    for answer in answers:
        if answer is not None:
            wire.is_authoritative(answer), wire.recurses(answer), wire.is_nxdomain(answer), wire.is_positive(answer)
            wire.rcode_text(answer), wire.soa_serial(answer)
            assert all(value.encode() for value in wire.txt_values(answer) if value)
            assert all(ipaddress.ip_address(address) for address in wire.addresses(answer, NAME))
            for name in names_in(answer):
                assert wire.from_text(wire.to_text(name)) == name
                DnsQuestion(name, case.question.type).to_wire(1)
            caa_lookup._read(answer, NAME)
    return answers[0] is not None


def names_in(answer: wire.Message) -> Iterator[wire.Name]:
    """Yield all names that are followed."""
    yield from wire.ns_names(answer.answer, NAME)
    for name in (
        wire.cname_target(answer, NAME),
        wire.soa_owner(answer, NAME),
        wire.referral(answer, wire.from_text("test"), NAME),
    ):
        if name is not None:
            yield name


def changes(case: Asked) -> Iterator[bytes]:
    """Yield each octet changed, dropped, doubled or last; each type and class; and several changes at once."""
    data = case.answer
    for at, octet in enumerate(data):
        for new in (0, 0x7F, 0xC0, 0xFF, octet ^ 1):
            yield data[:at] + bytes([new]) + data[at + 1 :]
        yield data[:at]
        yield data[:at] + data[at + 1 :]
        yield data[:at] + data[at : at + 1] + data[at:]
    record = data.find(b"\xc0\x0c", len(case.query) - 11)
    for kind in ANY_TYPE if record > 0 else ():
        for within in ANY_CLASS:
            yield data[: record + 2] + kind.to_bytes(2, "big") + within.to_bytes(2, "big") + data[record + 6 :]
    chance = random.Random(1)
    for _ in range(200):
        mixed = bytearray(data)
        for _ in range(chance.randint(2, 6)):
            mixed[chance.randrange(12, len(mixed))] = chance.randrange(256)
        yield bytes(mixed)


@pytest.mark.parametrize("case", ASKED)
def test_any_change_of_an_answer(case: str) -> None:
    """A changed answer is read or rejected; its parts are valid names, texts, numbers and addresses."""
    assert read(ASKED[case], ASKED[case].answer)
    assert {read(ASKED[case], data) for data in changes(ASKED[case])} == {True, False}


def test_any_octets() -> None:
    """Random octets of any length are no answer."""
    chance = random.Random(2)
    case = ASKED["txt"]
    for length in range(300):
        data = chance.randbytes(length)
        assert not read(case, data)
        assert not wire.belongs(data, case.query)
        read(case, case.query[:2] + b"\x84\x00\x00\x01" + data[:6] + case.query[12:-11] + data)


def test_an_answer_full_of_aliases() -> None:
    """A chain of hundreds of CNAME records is given up, a loop ends, and thousands are not read."""
    lines = [(f"{n}.a.test.", "CNAME", f"{n + 1}.a.test.") for n in range(400)]
    long = wire.parse(asked("A", *lines, ("400.a.test.", "A", "192.0.2.1")).answer)
    assert wire.parse(asked("A", *(lines * 5)).answer) is None
    circle = wire.parse(asked("A", (OWNER, "CNAME", "x.test."), ("x.test.", "CNAME", OWNER)).answer)
    assert long is not None
    assert circle is not None
    assert wire.addresses(long, wire.from_text("0.a.test.")) == ()
    assert wire.addresses(long, wire.from_text("390.a.test.")) == ("192.0.2.1",)
    assert wire.addresses(circle, NAME) == ()


# ── the system's own settings ───────────────────────────────────────────────────────────

RESOLV = b"# by DHCP\nsearch a.test\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\noptions edns0\n"
SERVERS = st.sampled_from([b"x", b"1.2.3.4:53", b"1.2.3.4:x", b"[::1]:x", b"\0", b"x" * 300, b"\xff", b"", b"::1%"])


@bounded(80)
@given(data=edited(RESOLV) | SERVERS.map(lambda server: b"nameserver " + server))
def test_any_resolv_conf(tmp_path: Path, data: bytes) -> None:
    """All servers are addresses; other entries are skipped, and without any the server is this machine."""
    path = tmp_path / "resolv.conf"
    path.write_bytes(data)
    servers = system_servers(path)
    assert servers
    assert recursive_servers(Context(), servers) == [(server, 53) for server in servers]


# ── CAA ─────────────────────────────────────────────────────────────────────────────────

LATIN = st.characters(min_codepoint=0, max_codepoint=255)
VALUES = st.text(LATIN, max_size=30) | edited(ISSUE.encode()).map(lambda data: data.decode("latin-1"))
TAGS = st.sampled_from(["issue", "ISSUEWILD", "iodef", "issuemail", "unknown"]) | st.text(LATIN, max_size=4)
RECORDS = st.lists(st.builds(CaaRecord, st.integers(0, 255), TAGS, VALUES), min_size=1, max_size=3)


@bounded(150)
@given(records=RECORDS, name=st.sampled_from(["a.test", "*.a.test"]))
def test_any_caa_record(records: list[CaaRecord], name: str) -> None:
    """The texts of the verdict are printable, and its evidence is JSON."""
    answer = CaaAnswer(tuple(records), "a.test", "a.test")
    verdict = judge(answer, name, "dns-01", ca_identities=["ca.test"], account_url="https://ca.test/acct/1")
    assert verdict.result in {"ok", "bad", "unknown"}
    shown = verdict.summary + verdict.fix + json.dumps(verdict.evidence, ensure_ascii=False)
    assert shown.replace("\n", "").isprintable()


LONG = ["a" * 10_000, "-" * 10_000, ";" * 10_000, "a;b=" * 3000, "a-" * 5000]


@pytest.mark.parametrize("text", ["", ";", ";;", "=", ";=;", "\x00", *LONG])
def test_long_and_empty_caa_values(text: str) -> None:
    """Long and empty values are parsed quickly or are malformed."""
    issuer = parse_issuer(text)
    assert issuer is None or parse_issuer(str(issuer)) == issuer
    parse_methods(text)


# ── DNS over HTTPS ──────────────────────────────────────────────────────────────────────


class DohServer(Api):
    """A server that answers every question with `body`."""

    def __init__(self) -> None:
        super().__init__(lambda _: (200, self.body))
        self.body = b""


@pytest.fixture(scope="module")
def doh() -> Iterator[tuple[DohServer, Doh]]:
    """A DNS-over-HTTPS server, and a client for it."""
    with DohServer() as server:
        yield server, Doh([f"{server.url}/"], None)


def test_a_doh_answer_has_as_many_octets_as_one_over_tcp(doh: tuple[DohServer, Doh]) -> None:
    """A DoH answer above 65,535 bytes is refused."""
    server, client = doh
    server.body = b"\0\0" + ASKED["txt"].answer[2:] + bytes(65_535)
    with pytest.raises(NoDohAnswer, match="65,535 bytes"):
        client.query(client.urls[0], ASKED["txt"].question)


@bounded(40)
@given(body=edited(b"\0\0" + ASKED["txt"].answer[2:]) | st.binary(max_size=60))
def test_any_doh_answer(doh: tuple[DohServer, Doh], body: bytes) -> None:
    """Any body is parsed to an answer or raises NoDohAnswer."""
    server, client = doh
    server.body = body
    try:
        answer = client.query(client.urls[0], ASKED["txt"].question)
    except NoDohAnswer:
        answer = None
    assert answer is None or {value for value in wire.txt_values(answer) if not value.encode()} == set()
