"""Whether validating resolvers accept a signed zone (RFC 4035 section 5), from the DS records of its parent down.

Every server of the zone is asked for its keys, its SOA record and some names; the signatures are checked here. The
parent is believed: whether its own signatures are right is another zone's examination.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import dns.dnssec
import dns.exception
import dns.rdatatype
import dns.rdtypes.ANY.DNSKEY
import dns.rdtypes.ANY.DS
import dns.rdtypes.ANY.RRSIG
import dns.rrset

from dnsrenew.base.runtime.context import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.dns import probes, wire
from dnsrenew.dns.delegation import challenge_name
from dnsrenew.dns.probes import ProbeQuestion
from dnsrenew.dns.query import Reply
from dnsrenew.dns.wire import Message, Name, Type
from dnsrenew.dns.zone_facts import ZoneCut, ZoneFacts
from dnsrenew.dns.zone_survey import Survey

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
    :ivar is_supported: whether this program can check any of them; what nobody can check counts as unsigned.
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
    """Tell whether digest and algorithm of a DS record can be checked here."""
    return ds.algorithm in _ALGORITHMS and ds.digest_type in _DIGESTS


def _check(
    name: Name, ds: Sequence[DsRecord], given: Mapping[ProbeQuestion, Message], now: datetime
) -> Iterator[SignatureFault]:
    """Give the first fault of one server."""
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

    :raises _Broken: none is right.
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
