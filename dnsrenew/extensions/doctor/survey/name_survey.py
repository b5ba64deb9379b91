"""What the servers of its zone say about a name, and what the recursive servers of this machine say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

import dns.dnssec
import dns.exception
import dns.rdatatype
import dns.rdtypes.ANY.DNSKEY
import dns.rdtypes.ANY.DS
import dns.rdtypes.ANY.RRSIG
import dns.rrset

from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.dns import wire
from dnsrenew.dns.view import challenge_name, random_child
from dnsrenew.dns.wire import Address, Message, Name, Reply, Type
from dnsrenew.errors import DnsError
from dnsrenew.extensions.doctor.survey import probes
from dnsrenew.extensions.doctor.survey.probes import ProbeQuestion
from dnsrenew.extensions.doctor.survey.zone_survey import Survey, ZoneCut, ZoneFacts

_A: Final = dns.rdatatype.A
_AAAA: Final = dns.rdatatype.AAAA
_TXT: Final = dns.rdatatype.TXT
_KINDS: Final = (_A, _AAAA)
_KIND_NAMES: Final = ("A", "AAAA")
_MAX_HOPS: Final = 16
_MAX_VALUES: Final = 20
_MAX_TEXT: Final = 255

Existence = Literal["records", "empty", "absent", "unknown"]
"""``records``: it has addresses, or a CNAME; ``empty``: it exists without (NODATA); ``absent``: NXDOMAIN; ``unknown``:
no server of its zone answers.
"""


class NameRecords(Frozen):
    """The addresses of a name at the servers of its zone.

    :ivar addresses: the A and AAAA addresses of all servers together.
    :ivar chain: the targets of its CNAME records, from one to the next.
    :ivar ttl: the longest time (seconds) for which a resolver may cache them; None without records.
    """

    existence: Existence
    addresses: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    ttl: int | None = None


class ResolvedName(Frozen):
    """What the recursive servers of this machine say about a name.

    :ivar rcode: the response code, such as ``NOERROR``; empty if none answers.
    :ivar denied: the types (A, AAAA) that the zone itself denied when the server asked it (RFC 2308): an answer with
        the SOA record, which may come from a cache. A filter that only takes addresses out of an answer has none.
    """

    rcode: str = ""
    addresses: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()


class ServedTexts(Frozen):
    """The TXT values at a name, by the address of the server, without those that a wildcard gives to every name."""

    name: str
    by_server: Mapping[str, Sequence[str]]

    @property
    def values(self) -> set[str]:
        """The values of all servers."""
        return {value for its in self.by_server.values() for value in its}


class NameSurvey:
    """The lookups of an examination about names."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey

    def records(self, context: Context, zones: Mapping[str, ZoneFacts]) -> dict[str, NameRecords]:
        """Return the addresses of names (name → its zone).

        A recursive server is asked where a CNAME leads to another zone, and where no server of the zone answers.
        """
        replies = self._at_servers(context, zones, _KINDS)
        found = {name: _records(wire.from_text(name), its) for name, its in replies.items()}
        ends = {
            name: its.chain[-1] if its.chain else name
            for name, its in found.items()
            if not its.addresses and (its.chain or (its.existence == "unknown" and zones[name].resolves))
        }
        elsewhere = self._elsewhere(context, map(wire.from_text, ends.values()))
        for name, end in ends.items():
            further = elsewhere.get(wire.from_text(end), NameRecords("unknown"))
            if found[name].chain and further.existence == "absent":
                further = NameRecords("empty")  # the name itself exists
            found[name] = replace(further, chain=(*found[name].chain, *further.chain), ttl=found[name].ttl)
        return found

    def resolved(self, context: Context, wanted: Iterable[str]) -> dict[str, ResolvedName]:
        """Return what the recursive servers say, as a program on this machine gets it."""
        starts = {name: wire.from_text(name) for name in wanted}
        asked = [ProbeQuestion(start, kind, recurse=True) for start in starts.values() for kind in _KINDS]
        replies = self._survey.ask_recursive(context, asked)
        return {name: _resolved(start, replies) for name, start in starts.items()}

    def is_refused(self, context: Context, zone: str) -> bool:
        """Return whether a recursive server that validates refuses a zone because of its signatures.

        It then answers the same question if it need not validate (CD).
        """
        name = wire.from_text(zone)
        checked = ProbeQuestion(name, dns.rdatatype.SOA, recurse=True)
        unchecked = ProbeQuestion(name, dns.rdatatype.SOA, recurse=True, unchecked=True)
        replies = self._survey.ask_recursive(context, [checked, unchecked])
        return any(
            probes.is_servfail(reply) and _is_answered(replies.get((address, unchecked)))
            for (address, probe), reply in replies.items()
            if probe == checked
        )

    def texts(self, context: Context, zones: Mapping[str, ZoneFacts]) -> list[ServedTexts]:
        """Return the TXT values at names (name → the zone that holds it) at each server."""
        siblings = {name: wire.shown(random_child(context, wire.from_text(name).parent())) for name in zones}
        wanted = {**zones, **{siblings[name]: zone for name, zone in zones.items()}}
        replies = self._at_servers(context, wanted, (_TXT,))
        found = []
        for name in zones:
            of_wildcard = {value for reply in replies[siblings[name]].values() for value in _values(reply)}
            by_server = {
                address: sorted(set(_values(reply)) - of_wildcard)[:_MAX_VALUES]
                for ((address, _), _), reply in replies[name].items()
            }
            found.append(ServedTexts(name, {address: values for address, values in by_server.items() if values}))
        return found

    def _at_servers(
        self, context: Context, zones: Mapping[str, ZoneFacts], kinds: Sequence[wire.Type]
    ) -> dict[str, dict[probes.ProbeKey, Reply]]:
        """Return the authoritative replies of all servers that work, by name."""
        wanted = {
            (address, ProbeQuestion(wire.from_text(name), kind, is_tcp=is_tcp)): name
            for name, zone in zones.items()
            for address, is_tcp in self._working(zone)
            for kind in kinds
        }
        by_name: dict[str, dict[probes.ProbeKey, Reply]] = {name: {} for name in zones}
        for key, reply in probes.ask(context, self._survey.lookup, wanted).items():
            if _is_answered(reply) and reply.answer is not None and wire.is_authoritative(reply.answer):
                by_name[wanted[key]][key] = reply
        return by_name

    def _working(self, zone: ZoneFacts) -> list[tuple[Address, bool]]:
        """Return the addresses that answer with authority, and whether they do so over TCP only."""
        return [
            ((server.address, self._survey.port), server.udp != "authority")
            for server in zone.servers
            if "authority" in {server.udp, server.tcp}
        ]

    def _elsewhere(self, context: Context, targets: Iterable[Name]) -> dict[Name, NameRecords]:
        """Return the addresses of names from the recursive servers; names that do not resolve are omitted."""
        wanted = {
            target: [ProbeQuestion(target, kind, recurse=True, unchecked=True) for kind in _KINDS]
            for target in set(targets)
        }
        try:
            answers = self._survey.resolve(context, [probe for its in wanted.values() for probe in its])
        except DnsError:
            return {}
        return {
            target: _merged([answers[probe] for probe in its], target)
            for target, its in wanted.items()
            if all(probe in answers for probe in its)
        }


def _records(name: Name, replies: Mapping[probes.ProbeKey, Reply]) -> NameRecords:
    answers = [reply.answer for reply in replies.values() if reply.answer is not None]
    return _merged(answers, name) if answers else NameRecords("unknown")


def _merged(answers: Sequence[Message], name: Name) -> NameRecords:
    """Return what several answers say together."""
    addresses = dict.fromkeys(address for answer in answers for address in wire.addresses(answer, name))
    chain = max((_chain(answer, name) for answer in answers), key=len)
    if addresses or chain:
        ttl = max(rrset.ttl for answer in answers for rrset in answer.answer)
        return NameRecords("records", tuple(addresses), chain, ttl)
    return NameRecords("absent" if all(map(wire.is_nxdomain, answers)) else "empty")


def _chain(answer: Message, name: Name) -> tuple[str, ...]:
    chain: list[Name] = []
    while len(chain) < _MAX_HOPS:
        target = wire.cname_target(answer, chain[-1] if chain else name)
        if target is None or target in chain:
            break
        chain.append(target)
    return tuple(map(wire.shown, chain))


def _resolved(name: Name, replies: Mapping[probes.ProbeKey, Reply]) -> ResolvedName:
    """Return what the first server says that answers both questions."""
    for address in dict.fromkeys(address for address, _ in replies):
        its = [replies.get((address, ProbeQuestion(name, kind, recurse=True))) for kind in _KINDS]
        answers = [reply.answer for reply in its if reply is not None and reply.answer is not None]
        if len(answers) == len(its):
            found = tuple(each for answer in answers for each in wire.addresses(answer, name))
            denied = tuple(kind for kind, answer in zip(_KIND_NAMES, answers, strict=True) if _is_denied(answer))
            return ResolvedName(wire.rcode_text(answers[0]), found, denied)
    return ResolvedName()


def _is_denied(answer: Message) -> bool:
    """Return whether the answer is a negative one of the zone, with its SOA record (RFC 2308 section 2)."""
    return wire.is_nxdomain(answer) or any(rrset.rdtype == dns.rdatatype.SOA for rrset in answer.authority)


def _is_answered(reply: Reply | None) -> bool:
    return reply is not None and reply.answer is not None and wire.is_positive(reply.answer)


def _values(reply: Reply) -> list[str]:
    """Return the TXT values, as printable texts of a sensible length."""
    values = wire.txt_values(reply.answer) if reply.answer is not None else ()
    printable = ("".join(letter if letter.isprintable() else "?" for letter in value) for value in values)
    return [text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…" for text in printable]


# ── signatures ─────────────────────────────────────────────────────────────────────────

# Whether validating resolvers accept a signed zone (RFC 4035 section 5), from the DS records of its parent down.
#
# Every server of the zone is asked for its keys, its SOA record and some names; the signatures are checked here. The
# parent is believed: whether its own signatures are right is another zone's examination.

_DS: Final = dns.rdatatype.DS
_DNSKEY: Final = dns.rdatatype.DNSKEY
_SOA: Final = dns.rdatatype.SOA
_RRSIG: Final = dns.rdatatype.RRSIG
_DENIALS: Final = (dns.rdatatype.NSEC, dns.rdatatype.NSEC3)
_ALGORITHMS: Final = frozenset({8, 10, 13, 14, 15, 16})
"""Those that RFC 8624 wants checked; not those with SHA-1, which some systems refuse, as do some resolvers."""
_DIGESTS: Final = frozenset({1, 2, 4})
_MAX_RECORDS: Final = 20  # keys, DS records, and signatures of one set: each pair may have to be checked

DsRecord = dns.rdtypes.ANY.DS.DS
DnsKey = dns.rdtypes.ANY.DNSKEY.DNSKEY
Signature = dns.rdtypes.ANY.RRSIG.RRSIG


class SignatureFault(Frozen):
    """What is wrong with a signed zone at one server.

    :ivar kind: ``no-key`` (the zone has no keys), ``ds-mismatch`` (no DS record fits a key), ``unsigned`` (a signature
        is missing), ``expired``, ``early`` (not valid yet), ``invalid`` or ``no-denial`` (nothing proves an absence).
    :ivar record: the name and type of the records, such as ``example.org SOA``.
    :ivar when: the end or the beginning of the signature's validity, in UTC, if that is what is wrong.
    """

    server: str
    kind: str
    record: str
    when: datetime | None = None


class SignedZone(Frozen):
    """The signatures of a zone.

    :ivar ds: the DS records in the zone above, as text; None if they are unknown.
    :ivar is_supported: whether this program can check any of them; unknown algorithms count as unsigned.
    :ivar checked: the servers whose signatures were checked.
    :ivar faults: what is wrong, at most one fault for each server.
    """

    zone: str
    ds: tuple[str, ...] | None = None
    is_supported: bool = False
    checked: tuple[str, ...] = ()
    faults: tuple[SignatureFault, ...] = ()


class _Broken(Exception):
    """A server's signatures are not accepted; it has the fault without the server."""

    def __init__(self, kind: str, name: Name, rdtype: Type, when: datetime | None = None) -> None:
        super().__init__(kind)
        self.fault = SignatureFault("", kind, f"{wire.shown(name)} {dns.rdatatype.to_text(rdtype)}", when)


def examine(context: Context, survey: Survey, cut: ZoneCut, zone: ZoneFacts, domains: Iterable[str]) -> SignedZone:
    """Return whether the signatures of a zone are right.

    :param domains: names in the zone, at which an A record is asked for, and a TXT record at their challenge name.
    :raises DnsError: ``dns-unreachable``.
    """
    name = wire.from_text(cut.zone)
    ds = _ds_records(context, survey, cut)
    shown = None if ds is None else tuple(each.to_text() for each in ds)
    usable = [each for each in ds or () if _is_usable(each)]
    if not usable:
        return SignedZone(cut.zone, shown)
    questions = [ProbeQuestion(name, kind, signed=True) for kind in (_DNSKEY, _SOA)]
    for domain in domains:
        questions.append(ProbeQuestion(wire.from_text(domain), dns.rdatatype.A, signed=True))
        questions.append(ProbeQuestion(wire.from_text(challenge_name(domain)), dns.rdatatype.TXT, signed=True))
    servers = [each.address for each in zone.servers if each.udp == "authority"]
    replies = probes.ask(
        context, survey.lookup, [((server, survey.port), each) for server in servers for each in questions]
    )
    now = context.clock.now()
    checked, faults = [], []
    for server in servers:
        answers = [_answer(replies.get(((server, survey.port), each))) for each in questions]
        given = {probe: answer for probe, answer in zip(questions, answers, strict=True) if answer is not None}
        if questions[0] in given:
            checked.append(server)
            faults += [replace(fault, server=server) for fault in _check(name, usable, given, now)]
    return SignedZone(cut.zone, shown, True, tuple(checked), tuple(faults))


def _ds_records(context: Context, survey: Survey, cut: ZoneCut) -> list[DsRecord] | None:
    """Return the DS records at the servers of the zone above, or else at a recursive server."""
    name = wire.from_text(cut.zone)
    probe = ProbeQuestion(name, _DS, signed=True)
    asked = [(address, probe) for address in survey.parent_addresses(context, cut)]
    answers = [_answer(reply) for reply in probes.ask(context, survey.lookup, asked).values()]
    given = [answer for answer in answers if answer is not None]
    if not given:
        recursive = ProbeQuestion(name, _DS, recurse=True, unchecked=True)
        given = list(survey.resolve(context, [recursive]).values())
    if not given:
        return None
    found = (rdata for answer in given for rrset in _sets(answer.answer, name, _DS) for rdata in rrset)
    return list(dict.fromkeys(rdata for rdata in found if isinstance(rdata, DsRecord)))[:_MAX_RECORDS]


def _answer(reply: Reply | None) -> Message | None:
    """Return the answer of a server that has authority."""
    if reply is None or reply.answer is None:
        return None
    is_good = wire.is_positive(reply.answer) and wire.is_authoritative(reply.answer)
    return reply.answer if is_good else None


def _is_usable(ds: DsRecord) -> bool:
    """Return whether digest and algorithm of a DS record can be checked here."""
    return ds.algorithm in _ALGORITHMS and ds.digest_type in _DIGESTS


def _check(
    name: Name, ds: Sequence[DsRecord], given: Mapping[ProbeQuestion, Message], now: datetime
) -> Iterator[SignatureFault]:
    """Yield the first fault of one server."""
    try:
        keys = _keys(name, ds, next(answer for probe, answer in given.items() if probe.type == _DNSKEY), now)
        for probe, answer in given.items():
            if probe.type != _DNSKEY:
                _check_answer(name, keys, probe, answer, now)
    except _Broken as broken:
        yield broken.fault


def _keys(name: Name, ds: Sequence[DsRecord], answer: Message, now: datetime) -> dns.rrset.RRset:
    """Return the keys of a zone, signed by one that a DS record vouches for."""
    keys = next(_sets(answer.answer, name, _DNSKEY), None)
    if keys is None:
        raise _Broken("no-key", name, _DNSKEY)
    trusted = [key for key in list(keys)[:_MAX_RECORDS] if isinstance(key, DnsKey) and _is_vouched(name, key, ds)]
    if not trusted:
        raise _Broken("ds-mismatch", name, _DNSKEY)
    entry = dns.rrset.from_rdata_list(name, keys.ttl, trusted)
    _check_set(keys, answer.answer, entry, now)
    return keys


def _is_vouched(name: Name, key: DnsKey, ds: Iterable[DsRecord]) -> bool:
    tag = dns.dnssec.key_id(key)
    return any(
        each.key_tag == tag
        and each.algorithm == key.algorithm
        and dns.dnssec.make_ds(name, key, each.digest_type, validating=True).digest == each.digest
        for each in ds
    )


def _check_answer(zone: Name, keys: dns.rrset.RRset, probe: ProbeQuestion, answer: Message, now: datetime) -> None:
    """Check every signed record set of an answer, and that an absence has a proof."""
    positive = [each for each in answer.answer if _is_own(each, zone)]
    for each in positive:
        _check_set(each, answer.answer, keys, now)
    if positive or probe.type == _SOA:
        return
    negative = [each for each in answer.authority if _is_own(each, zone) and each.rdtype != dns.rdatatype.NS]
    for each in negative:
        _check_set(each, answer.authority, keys, now)
    if not any(each.rdtype in _DENIALS for each in negative):
        raise _Broken("no-denial", probe.name, probe.type)


def _is_own(rrset: dns.rrset.RRset, zone: Name) -> bool:
    return rrset.rdtype != _RRSIG and rrset.name.is_subdomain(zone)


def _check_set(
    rrset: dns.rrset.RRset, section: Collection[dns.rrset.RRset], keys: dns.rrset.RRset, now: datetime
) -> None:
    """Check the signatures of a record set: one that is right is enough.

    :raises _Broken: no signature is right.
    """
    signatures = [
        rdata
        for each in section
        if each.rdtype == _RRSIG and each.name == rrset.name and each.covers == rrset.rdtype
        for rdata in list(each)[:_MAX_RECORDS]
        if isinstance(rdata, Signature)
    ]
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


def _reason(signature: Signature, rrset: dns.rrset.RRset, now: float) -> tuple[str, Name, Type, datetime | None]:
    if signature.expiration < now:
        return "expired", rrset.name, rrset.rdtype, datetime.fromtimestamp(signature.expiration, UTC)
    if signature.inception > now:
        return "early", rrset.name, rrset.rdtype, datetime.fromtimestamp(signature.inception, UTC)
    return "invalid", rrset.name, rrset.rdtype, None


def _sets(section: Iterable[dns.rrset.RRset], name: Name, kind: Type) -> Iterator[dns.rrset.RRset]:
    return (rrset for rrset in wire.records(list(section), kind) if rrset.name == name)
