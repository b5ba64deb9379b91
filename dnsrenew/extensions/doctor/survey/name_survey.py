"""The answers about a name, from the servers of its zone and from this machine's recursive servers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

import dns.dnssec
import dns.exception
import dns.rcode
import dns.rdatatype
import dns.rdtypes.ANY.DNSKEY
import dns.rdtypes.ANY.DS
import dns.rdtypes.ANY.RRSIG
from dns.rrset import RRset, from_rdata_list

from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.dns import wire
from dnsrenew.dns.view import challenge_name, random_child
from dnsrenew.dns.wire import Message, Name, Reply, Type
from dnsrenew.errors import DnsError
from dnsrenew.extensions.doctor.survey import probes
from dnsrenew.extensions.doctor.survey.probes import ProbeQuestion
from dnsrenew.extensions.doctor.survey.zone_survey import Survey, ZoneCut, ZoneFacts, plain

_A: Final = dns.rdatatype.A
_TXT: Final = dns.rdatatype.TXT
_KINDS: Final = (_A, dns.rdatatype.AAAA)
_MAX_TEXT: Final = 255

Existence = Literal["records", "empty", "absent", "unknown"]
"""``records``: it has addresses or a CNAME. ``empty``: it exists without them (NODATA). ``absent``: NXDOMAIN.

``unknown``: no server of its zone answers.
"""


class NameRecords(Frozen):
    """The addresses of a name at the servers of its zone.

    :ivar addresses: the A and AAAA addresses of all servers together.
    :ivar chain: the targets of its CNAME records in order.
    :ivar ttl: the longest time (seconds) for which a resolver may cache them; None without records.
    """

    existence: Existence
    addresses: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    ttl: int | None = None


class ResolvedName(Frozen):
    """The answers of this machine's recursive servers about a name.

    :ivar rcode: the response code, such as ``NOERROR``; empty without an answer.
    :ivar denied: the types (A, AAAA) that the zone itself denied to the server (RFC 2308), in an answer with the SOA
        record, which may come from a cache. A filter that only removes addresses from an answer has no SOA record.
    """

    rcode: str = ""
    addresses: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()


class NameSurvey(Survey):
    """The lookups of an examination about names."""

    def records(self, context: Context, zones: Mapping[str, ZoneFacts]) -> dict[str, NameRecords]:
        """Return the addresses of names (name → its zone).

        A recursive server is asked if a CNAME points to another zone, or if no server of the zone answers.
        """
        answers = self._at_servers(context, zones, _KINDS)
        found = {name: _merged([each for _, each in its], wire.from_text(name)) for name, its in answers.items()}
        ends = {
            name: its.chain[-1] if its.chain else name
            for name, its in found.items()
            if not its.addresses and (its.chain or (its.existence == "unknown" and zones[name].resolves))
        }
        elsewhere = self._elsewhere(context, {*ends.values()})
        for name, end in ends.items():
            further = elsewhere.get(end, NameRecords("unknown"))
            if found[name].chain and further.existence == "absent":
                further = NameRecords("empty")  # the name itself exists
            found[name] = replace(further, chain=(*found[name].chain, *further.chain), ttl=found[name].ttl)
        return found

    def resolved(self, context: Context, wanted: Iterable[str]) -> dict[str, ResolvedName]:
        """Return the answers of the recursive servers, as a program on this machine gets them."""
        starts = {name: wire.from_text(name) for name in wanted}
        asked = [ProbeQuestion(start, kind, recurse=True) for start in starts.values() for kind in _KINDS]
        replies = self.ask_recursive(context, asked)
        return {name: _resolved(start, replies) for name, start in starts.items()}

    def is_refused(self, context: Context, zone: str) -> bool:
        """Return whether a recursive server that validates refuses a zone because of its signatures.

        It then answers the same question without validation (CD).
        """
        name, soa = wire.from_text(zone), dns.rdatatype.SOA
        checked, unchecked = ProbeQuestion(name, soa, recurse=True), plain(name, soa)
        replies = self.ask_recursive(context, [checked, unchecked])
        given = [(address, reply.answer) for (address, probe), reply in replies.items() if probe == checked]
        failed = [address for address, answer in given if answer is not None and answer.rcode() == dns.rcode.SERVFAIL]
        return any(probes.answer_of(replies.get((address, unchecked))) is not None for address in failed)

    def texts(self, context: Context, zones: Mapping[str, ZoneFacts]) -> dict[str, dict[str, list[str]]]:
        """Return the TXT values at names (name → the zone that holds it), by the address of the server.

        Values from a wildcard are left out.
        """
        siblings = {name: wire.shown(random_child(context, wire.from_text(name).parent())) for name in zones}
        wanted = {**zones, **{siblings[name]: zone for name, zone in zones.items()}}
        answers = self._at_servers(context, wanted, (_TXT,))
        found = {}
        for name in zones:
            of_wildcard = {value for _, answer in answers[siblings[name]] for value in _values(answer)}
            served = {address: {*_values(answer)} - of_wildcard for address, answer in answers[name]}
            found[name] = {address: sorted(values)[:20] for address, values in served.items() if values}
        return found

    def _at_servers(
        self, context: Context, zones: Mapping[str, ZoneFacts], kinds: Sequence[wire.Type]
    ) -> dict[str, list[tuple[str, Message]]]:
        """Return, by name, the authoritative answers of all working servers, each with its address."""
        wanted = {
            ((each.address, self.port), ProbeQuestion(wire.from_text(name), kind, is_tcp=each.udp != "authority")): name
            for name, zone in zones.items()
            for each in zone.servers
            if "authority" in {each.udp, each.tcp}
            for kind in kinds
        }
        by_name: dict[str, list[tuple[str, Message]]] = {name: [] for name in zones}
        for key, reply in probes.ask(context, self.lookup, wanted).items():
            if (answer := probes.authority_of(reply)) is not None:
                by_name[wanted[key]].append((key[0][0], answer))
        return by_name

    def _elsewhere(self, context: Context, names: Iterable[str]) -> dict[str, NameRecords]:
        """Return the addresses of names from the recursive servers, without names that do not resolve."""
        targets = {name: wire.from_text(name) for name in names}
        wanted = {name: [plain(target, kind) for kind in _KINDS] for name, target in targets.items()}
        try:
            answers = self.resolve(context, [probe for its in wanted.values() for probe in its])
        except DnsError:
            return {}
        known = {name: its for name, its in wanted.items() if all(probe in answers for probe in its)}
        return {name: _merged([answers[probe] for probe in its], targets[name]) for name, its in known.items()}


def _merged(answers: Sequence[Message], name: Name) -> NameRecords:
    """Return the combination of several answers."""
    if not answers:
        return NameRecords("unknown")
    addresses = dict.fromkeys(address for answer in answers for address in wire.addresses(answer, name))
    chain = max((_chain(answer, name) for answer in answers), key=len)
    if addresses or chain:
        ttl = max(rrset.ttl for answer in answers for rrset in answer.answer)
        return NameRecords("records", tuple(addresses), chain, ttl)
    return NameRecords("absent" if all(map(wire.is_nxdomain, answers)) else "empty")


def _chain(answer: Message, name: Name) -> tuple[str, ...]:
    chain: list[Name] = []
    while len(chain) < 16:
        target = wire.cname_target(answer, chain[-1] if chain else name)
        if target is None or target in chain:
            break
        chain.append(target)
    return tuple(map(wire.shown, chain))


def _resolved(name: Name, replies: Mapping[probes.ProbeKey, Reply]) -> ResolvedName:
    """Return the answers of the first server that answers both questions."""
    for address in dict.fromkeys(address for address, _ in replies):
        its = [replies.get((address, ProbeQuestion(name, kind, recurse=True))) for kind in _KINDS]
        answers = [reply.answer for reply in its if reply is not None and reply.answer is not None]
        if len(answers) == len(its):
            found = tuple(each for answer in answers for each in wire.addresses(answer, name))
            denied = tuple(kind for kind, answer in zip(("A", "AAAA"), answers, strict=True) if _is_denied(answer))
            return ResolvedName(wire.rcode_text(answers[0]), found, denied)
    return ResolvedName()


def _is_denied(answer: Message) -> bool:
    """Return whether the answer is a negative one of the zone, with its SOA record (RFC 2308 section 2)."""
    return wire.is_nxdomain(answer) or any(rrset.rdtype == dns.rdatatype.SOA for rrset in answer.authority)


def _values(answer: Message) -> list[str]:
    """Return the TXT values as printable texts of a sensible length."""
    values = ("".join(letter if letter.isprintable() else "?" for letter in each) for each in wire.txt_values(answer))
    return [text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…" for text in values]


# ── signatures ─────────────────────────────────────────────────────────────────────────

# Whether validating resolvers accept a signed zone (RFC 4035 section 5), from the DS records of its parent down.
#
# Every server of the zone is asked for its keys, its SOA record and some names. The signatures are checked here. The
# parent is trusted, because its own signatures belong to the examination of another zone.

_DS: Final = dns.rdatatype.DS
_DNSKEY: Final = dns.rdatatype.DNSKEY
_SOA: Final = dns.rdatatype.SOA
_RRSIG: Final = dns.rdatatype.RRSIG
_ALGORITHMS: Final = frozenset({8, 10, 13, 14, 15, 16})
"""The algorithms that RFC 8624 wants to be checked, without SHA-1, which some systems and resolvers refuse."""
_DIGESTS: Final = frozenset({1, 2, 4})
_MAX_RECORDS: Final = 20  # keys, DS records, and signatures of one set, because each pair may have to be checked

DsRecord = dns.rdtypes.ANY.DS.DS
DnsKey = dns.rdtypes.ANY.DNSKEY.DNSKEY
Signature = dns.rdtypes.ANY.RRSIG.RRSIG


class SignatureFault(Frozen):
    """A fault of a signed zone at one server.

    :ivar kind: ``no-key`` (the zone has no keys), ``ds-mismatch`` (no DS record fits a key), ``unsigned`` (a signature
        is missing), ``expired``, ``early`` (not valid yet), ``invalid`` or ``no-denial`` (an absence is not proved).
    :ivar record: the name and type of the records, such as ``example.org SOA``.
    :ivar when: the end or the beginning of the signature's validity, in UTC, if this is the fault.
    """

    server: str
    kind: str
    record: str
    when: datetime | None = None


class SignedZone(Frozen):
    """The signatures of a zone.

    :ivar ds: the DS records in the zone above, as text; None if unknown.
    :ivar is_supported: whether this program can check any of them; unknown algorithms count as unsigned.
    :ivar checked: the servers whose signatures were checked.
    :ivar faults: the faults, at most one for each server.
    """

    zone: str
    ds: tuple[str, ...] | None = None
    is_supported: bool = False
    checked: tuple[str, ...] = ()
    faults: tuple[SignatureFault, ...] = ()


class _Broken(Exception):
    """A server's signatures are not accepted. It has the fault without the server."""

    def __init__(self, kind: str, name: Name, rdtype: Type, when: datetime | None = None) -> None:
        super().__init__(kind)
        self.fault = SignatureFault("", kind, f"{wire.shown(name)} {dns.rdatatype.to_text(rdtype)}", when)


def examine(context: Context, survey: Survey, cut: ZoneCut, zone: ZoneFacts, domains: Iterable[str]) -> SignedZone:
    """Return whether the signatures of a zone are right.

    :param domains: names in the zone. The queries are for their A record, and for the TXT record at their challenge
        name.
    :raises DnsError: ``dns-unreachable``.
    """
    name = wire.from_text(cut.zone)
    ds = _ds_records(context, survey, cut)
    shown = None if ds is None else tuple(each.to_text() for each in ds)
    usable = [each for each in ds or () if each.algorithm in _ALGORITHMS and each.digest_type in _DIGESTS]
    if not usable:
        return SignedZone(cut.zone, shown)
    of_keys, *others = (ProbeQuestion(name, kind, signed=True) for kind in (_DNSKEY, _SOA))
    for domain in domains:
        others.append(ProbeQuestion(wire.from_text(domain), _A, signed=True))
        others.append(ProbeQuestion(wire.from_text(challenge_name(domain)), _TXT, signed=True))
    addresses = [(each.address, survey.port) for each in zone.servers if each.udp == "authority"]
    asked = [(address, each) for address in addresses for each in (of_keys, *others)]
    replies = probes.ask(context, survey.lookup, asked)
    now, checked, faults = context.clock.now(), [], []
    for address in addresses:
        answer = probes.authority_of(replies.get((address, of_keys)))
        if answer is None:
            continue
        checked.append(address[0])
        try:
            keys = _keys(name, usable, answer, now)
            for probe in others:
                if (answer := probes.authority_of(replies.get((address, probe)))) is not None:
                    _check_answer(name, keys, probe, answer, now)
        except _Broken as broken:
            faults.append(replace(broken.fault, server=address[0]))
    return SignedZone(cut.zone, shown, True, tuple(checked), tuple(faults))


def _ds_records(context: Context, survey: Survey, cut: ZoneCut) -> list[DsRecord] | None:
    """Return the DS records from the servers of the zone above, or from a recursive server."""
    name = wire.from_text(cut.zone)
    probe = ProbeQuestion(name, _DS, signed=True)
    asked = [(address, probe) for address in survey.parent_addresses(context, cut)]
    answers = map(probes.authority_of, probes.ask(context, survey.lookup, asked).values())
    given = [answer for answer in answers if answer is not None]
    if not given:
        given = list(survey.resolve(context, [plain(name, _DS)]).values())
    if not given:
        return None
    found = (rdata for answer in given for rrset in _sets(answer.answer, name, _DS) for rdata in rrset)
    return list(dict.fromkeys(rdata for rdata in found if isinstance(rdata, DsRecord)))[:_MAX_RECORDS]


def _keys(name: Name, ds: Sequence[DsRecord], answer: Message, now: datetime) -> RRset:
    """Return the keys of a zone, signed by a key that a DS record confirms."""
    if (keys := next(_sets(answer.answer, name, _DNSKEY), None)) is None:
        raise _Broken("no-key", name, _DNSKEY)
    trusted = [key for key in list(keys)[:_MAX_RECORDS] if isinstance(key, DnsKey) and _is_vouched(name, key, ds)]
    if not trusted:
        raise _Broken("ds-mismatch", name, _DNSKEY)
    entry = from_rdata_list(name, keys.ttl, trusted)
    _check_set(keys, answer.answer, entry, now)
    return keys


def _is_vouched(name: Name, key: DnsKey, ds: Iterable[DsRecord]) -> bool:
    its = [each for each in ds if (each.key_tag, each.algorithm) == (dns.dnssec.key_id(key), key.algorithm)]
    return any(dns.dnssec.make_ds(name, key, each.digest_type, validating=True).digest == each.digest for each in its)


def _check_answer(zone: Name, keys: RRset, probe: ProbeQuestion, answer: Message, now: datetime) -> None:
    """Check every signed record set of an answer, and that an absence has a proof."""
    positive = [each for each in answer.answer if _is_own(each, zone)]
    for each in positive:
        _check_set(each, answer.answer, keys, now)
    if positive or probe.type == _SOA:
        return
    negative = [each for each in answer.authority if _is_own(each, zone) and each.rdtype != dns.rdatatype.NS]
    for each in negative:
        _check_set(each, answer.authority, keys, now)
    if not any(each.rdtype in {dns.rdatatype.NSEC, dns.rdatatype.NSEC3} for each in negative):
        raise _Broken("no-denial", probe.name, probe.type)


def _is_own(rrset: RRset, zone: Name) -> bool:
    return rrset.rdtype != _RRSIG and rrset.name.is_subdomain(zone)


def _check_set(rrset: RRset, section: Collection[RRset], keys: RRset, now: datetime) -> None:
    """Check the signatures of a record set. One valid signature is enough.

    :raises _Broken: no signature is valid.
    """
    its = [each for each in section if (each.rdtype, each.name, each.covers) == (_RRSIG, rrset.name, rrset.rdtype)]
    signatures = [rdata for each in its for rdata in list(each)[:_MAX_RECORDS] if isinstance(rdata, Signature)]
    seconds = now.timestamp()
    broken = _Broken("unsigned", rrset.name, rrset.rdtype)
    for signature in signatures:
        try:
            dns.dnssec.validate_rrsig(rrset, signature, {keys.name: keys}, now=seconds)
        except (dns.exception.DNSException, ValueError):
            broken = _Broken(*_reason(signature, rrset, seconds))
        else:
            return
    raise broken


def _reason(signature: Signature, rrset: RRset, now: float) -> tuple[str, Name, Type, datetime | None]:
    if signature.expiration < now:
        return "expired", rrset.name, rrset.rdtype, datetime.fromtimestamp(signature.expiration, UTC)
    if signature.inception > now:
        return "early", rrset.name, rrset.rdtype, datetime.fromtimestamp(signature.inception, UTC)
    return "invalid", rrset.name, rrset.rdtype, None


def _sets(section: Iterable[RRset], name: Name, kind: Type) -> Iterator[RRset]:
    return (rrset for rrset in wire.records(list(section), kind) if rrset.name == name)
