"""The verdicts about names, zones and addresses, from facts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from dnsrenew.base.checks import addresses as checked
from dnsrenew.base.model import CertificateSpec
from dnsrenew.base.values import replace
from dnsrenew.dns import Target
from dnsrenew.dns.zones import no_zone
from dnsrenew.errors import DnsError
from dnsrenew.extensions.doctor.domains import challenge_names, names, texts, zones
from dnsrenew.extensions.doctor.domains.names import NameFinding, combined
from dnsrenew.extensions.doctor.survey.name_survey import (
    NameRecords,
    ResolvedName,
    SignatureFault,
    SignedZone,
)
from dnsrenew.extensions.doctor.survey.zone_survey import NamePath, ZoneCut, ZoneFacts, ZoneServer

NAME, ZONE = "www.x.org", "x.org"
CUT = ZoneCut(ZONE, "org")
PATH = NamePath((CUT,), "org", None)
IN = ("http-01", "tls-alpn-01")


def server(udp: str = "authority", tcp: str = "authority", **how: Any) -> ZoneServer:
    """Return a name server."""
    return ZoneServer("ns.dns.net", how.pop("address", "192.0.2.53"), udp, tcp, **{"ns": ("ns.dns.net",), **how})


def zone(
    *servers: ZoneServer,
    parent_ns: Sequence[str] | None = ("ns.dns.net",),
    is_absent: bool = False,
    resolves: bool = False,
) -> ZoneFacts:
    """Return a zone."""
    return ZoneFacts(ZONE, "org", resolves, None if parent_ns is None else tuple(parent_ns), is_absent, servers)


# ── delegation ──────────────────────────────────────────────────────────────────────────

SIX = {"address": "2001:db8::53"}


@pytest.mark.parametrize(
    ("servers", "result", "text"),
    [
        ([server()], "ok", texts.DELEGATION_OK),
        ([server(), server("lame", "lame")], "bad", texts.DELEGATION_LAME),
        ([server(), server("REFUSED", "closed")], "bad", texts.DELEGATION_LAME),
        ([server(), server("silent", "silent")], "bad", texts.DELEGATION_SILENT),
        ([server(), server("closed", "closed")], "bad", texts.DELEGATION_SILENT),
        ([server(), server(tcp="silent")], "bad", texts.DELEGATION_NO_TCP),
        ([server(), server(udp="silent")], "bad", texts.DELEGATION_NO_UDP),
        # The network here may be the reason.
        ([server(), server("no-route", "no-route", **SIX)], "ok", texts.DELEGATION_OK),
        ([server(), server("silent", "silent", **SIX)], "ok", texts.DELEGATION_OK),
        ([server(), server(**SIX), server("silent", "silent", **SIX)], "bad", texts.DELEGATION_SILENT),
        ([server(tcp="silent"), server(tcp="closed")], "unknown", texts.DELEGATION_ONLY_UDP),
        ([server(udp="silent")], "unknown", texts.DELEGATION_ONLY_TCP),
        # An address of a name server is missing.
        ([server(), server("", "", address="")], "ok", texts.DELEGATION_OK),
        ([server(), server(ns=("ns.old.net",))], "bad", texts.DELEGATION_DISAGREE),
    ],
)
def test_what_is_wrong_with_a_zone_that_works_stops_nothing(servers: list[ZoneServer], result: str, text: Any) -> None:
    """A fault of a zone that works blocks nothing. An uncertain one is unknown."""
    finding = zones.judge_delegation(zone(*servers), [NAME])
    assert (finding.result, finding.text, finding.blocks) == (result, text, ())


@pytest.mark.parametrize(
    ("servers", "result"),
    [
        ([server("lame", "lame"), server("REFUSED", "REFUSED")], "bad"),
        ([server("SERVFAIL", "SERVFAIL"), server("closed", "closed")], "bad"),
        ([server("lame", "lame"), server("silent", "silent")], "unknown"),
        ([server("recursive", "recursive")], "unknown"),  # a device on the path may answer
        ([server("silent", "silent")], "unknown"),
        ([server("no-route", "no-route")], "unknown"),
        ([], "unknown"),
    ],
)
def test_a_zone_that_no_server_serves_stops_everything(servers: list[ZoneServer], result: str) -> None:
    """A zone that no server serves blocks all its names."""
    finding = zones.judge_delegation(zone(*servers), [NAME])
    assert (finding.result, finding.blocks, finding.names) == (result, ("all",), [NAME])
    # Port 53 may be closed here if a resolver gets answers.
    known = zones.judge_delegation(zone(*servers, resolves=True), [NAME])
    is_lame = result == "bad" and all(each.udp != "closed" for each in servers)
    assert known.blocks == (("all",) if is_lame else ())


def test_the_lists_are_compared_if_the_zone_above_says_one() -> None:
    """The parent's list of name servers is compared in any order."""
    two = [server(ns=("a.net", "b.net"))]
    assert zones.judge_delegation(zone(*two, parent_ns=("b.net", "a.net")), []).result == "ok"
    assert zones.judge_delegation(zone(*two, parent_ns=("a.net",)), []).text == texts.DELEGATION_DIFFERS
    assert zones.judge_delegation(zone(*two, parent_ns=None), []).result == "ok"


# ── dnssec ──────────────────────────────────────────────────────────────────────────────

EXPIRED = SignatureFault("a", "expired", "x.org SOA", datetime(2026, 3, 1, tzinfo=UTC))
SIGNED = SignedZone(ZONE, ("1 13 2 ab",), is_supported=True, checked=("a", "b"))


@pytest.mark.parametrize(
    ("signed", "refused", "result", "blocks"),
    [
        (SIGNED, False, "ok", ()),
        (SIGNED, True, "bad", ("all",)),
        (replace(SIGNED, faults=(EXPIRED,)), False, "bad", ()),
        (replace(SIGNED, faults=(EXPIRED,)), True, "bad", ("all",)),
        (replace(SIGNED, checked=("a",), faults=(EXPIRED,)), False, "bad", ("all",)),
        (replace(SIGNED, checked=()), False, "unknown", ()),
        (SignedZone(ZONE, ()), False, "ok", ()),
        (SignedZone(ZONE, ("1 12 3 ab",)), False, "unknown", ()),
        (SignedZone(ZONE), False, "unknown", ()),
    ],
)
def test_signatures(signed: SignedZone, refused: bool, result: str, blocks: tuple[str, ...]) -> None:
    """One server with valid signatures is enough, unless a resolver here refuses them."""
    finding = zones.judge_signatures(signed, [NAME], is_refused=refused)
    assert (finding.result, finding.blocks) == (result, blocks)


@pytest.mark.parametrize("kind", sorted(zones._FAULTS))
def test_every_fault_has_a_text(kind: str) -> None:
    """Every fault has a text with its evidence."""
    signed = replace(SIGNED, checked=("a",), faults=(replace(EXPIRED, kind=kind),))
    check = combined([zones.judge_signatures(signed, [NAME], is_refused=False)], {})
    assert (check.code, check.result) == ("dnssec", "bad")


# ── domain, name, views ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "registered", "is_public", "text"),
    [
        (PATH, zone(server()), True, texts.DOMAIN_OK),
        (PATH, zone(server(), is_absent=True), True, texts.DOMAIN_NOT_REGISTERED),
        (PATH, zone(server(), is_absent=True), False, texts.DOMAIN_OK),  # a DNS of one's own
        (NamePath((), "org", ZONE), zone(is_absent=True), False, texts.DOMAIN_NOT_REGISTERED),
        (NamePath((), "org", ZONE), zone(), True, texts.DOMAIN_UNKNOWN),
        (NamePath((), "", "org"), None, True, texts.DOMAIN_NO_TOP),
        (NamePath((), "", None), None, True, texts.DOMAIN_UNKNOWN),
        (PATH, zone(parent_ns=["ns1.parkingcrew.net", "ns2.sedoparking.com"]), True, texts.DOMAIN_PARKED),
        (PATH, zone(parent_ns=["ns1.parkingcrew.net", "ns.dns.net"]), True, texts.DOMAIN_OK),
        (PATH, zone(parent_ns=["ns1.notparkingcrew.net"]), True, texts.DOMAIN_OK),
    ],
)
def test_a_domain(path: NamePath, registered: ZoneFacts | None, is_public: bool, text: Any) -> None:
    """A bad or an unknown domain blocks all challenges."""
    finding = names.judge_domain(NAME, [NAME], path, registered, is_public=is_public)
    assert finding.text == text
    assert finding.blocks == (() if finding.result == "ok" else ("all",))
    combined([finding], {"zones": []})


@pytest.mark.parametrize(
    ("name", "advice"), [("www.example.org", "Set `nameservers`"), ("a.test", "Check the spelling")]
)
def test_servers_that_know_no_name_at_all(name: str, advice: str) -> None:
    """Where not even a public top-level domain exists, the DNS servers are to blame, and not the spelling."""
    finding = names.judge_domain(name, [name], NamePath((), "", name), None, is_public=True)
    assert combined([finding], {"zones": []}).fix.startswith(advice)
    assert no_zone(f"_acme-challenge.{name}.").fix.startswith(advice)


@pytest.mark.parametrize(
    ("records", "needed", "result"),
    [
        (NameRecords("records", ("192.0.2.1",)), True, "ok"),
        (NameRecords("absent"), True, "bad"),
        (NameRecords("absent"), False, "ok"),
        (NameRecords("empty"), True, "bad"),
        (NameRecords("records", (), ("y.org",)), True, "bad"),
        (NameRecords("unknown"), True, "unknown"),
        (NameRecords("unknown"), False, "ok"),
    ],
)
def test_whether_a_name_exists(records: NameRecords, needed: bool, result: str) -> None:
    """A missing name blocks only challenges for which the CA connects to it."""
    for its in (ZONE, None):
        finding = names.judge_existence(NAME, its, records, is_needed=needed)
        assert (finding.result, finding.blocks) == (result, () if result == "ok" else IN)
        combined([finding], {})


@pytest.mark.parametrize(
    ("outside", "here", "result"),
    [
        (("203.0.115.1",), ("203.0.115.1",), "ok"),
        (("203.0.115.1", "203.0.115.2"), ("203.0.115.2", "203.0.115.1"), "ok"),
        (("203.0.115.1",), ("192.168.0.2",), "bad"),
        (("203.0.115.1",), ("0.0.0.0",), "bad"),  # a filter answers so
        (("192.168.0.3",), (), "bad"),
        (("203.0.115.1",), (), "unknown"),  # no filter hides a public address
        (("192.168.0.3", "203.0.115.1"), (), "unknown"),
        (("192.168.0.3",), ("192.168.0.2",), "unknown"),
        (("203.0.115.1",), ("203.0.115.2",), "unknown"),
        ((), ("192.168.0.2",), "ok"),
        ((), (), "ok"),
    ],
)
def test_two_views(outside: tuple[str, ...], here: tuple[str, ...], result: str) -> None:
    """A difference between the views has no fix and blocks nothing."""
    finding = names.judge_views(NAME, NameRecords("records", outside), ResolvedName("NOERROR", here))
    check = combined([finding], {})
    assert (check.result, check.blocks, check.fix) == (result, (), "")


@pytest.mark.parametrize(
    ("outside", "denied", "result"),
    [
        ("192.168.0.3", ("A", "AAAA"), "unknown"),
        ("192.168.0.3", ("AAAA",), "bad"),
        ("fd00::3", ("A",), "bad"),
        ("fd00::3", ("AAAA",), "unknown"),
    ],
)
def test_an_answer_from_a_cache_hides_nothing(outside: str, denied: tuple[str, ...], result: str) -> None:
    """A negative answer of the zone itself, from before the record existed, is no filter of this network."""
    finding = names.judge_views(NAME, NameRecords("records", (outside,)), ResolvedName("NOERROR", (), denied))
    assert finding.result == result
    assert ("hides" in combined([finding], {}).summary) == (result == "bad")


def test_a_resolver_that_fails_tells_no_difference() -> None:
    """If the resolver fails, the difference between the views is unknown."""
    for rcode in ("SERVFAIL", ""):
        finding = names.judge_views(NAME, NameRecords("records", ("203.0.115.1",)), ResolvedName(rcode))
        assert finding.result == "unknown"


# ── proxies ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("found", "chain", "provider"),
    [
        (["104.27.255.255"], [], "Cloudflare"),
        (["104.28.0.0"], [], None),
        (["192.0.2.1", "151.101.1.6"], [], "Fastly"),
        (["2a04:4e42::1"], [], "Fastly"),
        ([], ["www.x.org.edgekey.net", "e1.akamaiedge.net"], "Akamai"),
        (["192.0.2.1"], ["notcloudfront.net"], None),
        ([], [], None),
    ],
)
def test_a_cdn_is_known_by_address_or_name(found: list[str], chain: list[str], provider: str | None) -> None:
    """A CDN is recognized by its published addresses or names. It blocks tls-alpn-01."""
    seen = checked.find(found, chain)
    assert (seen and seen[0]) == provider
    finding = names.judge_proxy(NAME, NameRecords("records", tuple(found), tuple(chain)))
    assert finding.result == ("ok" if provider is None else "bad")
    assert finding.blocks == (() if provider is None else ("tls-alpn-01",))


def test_the_worst_address_is_reported_and_each_is_evidence() -> None:
    """The check has the worst result and the names with it. The evidence has each address."""
    made = {
        name: checked.judge_addresses(name, [found], ["203.0.115.1"], blocks=IN)
        for name, found in {"a.x": "203.0.115.1", "b.x": "203.0.115.2", "c.x": "203.0.115.3"}.items()
    }
    check = names.worst(made, {"b.x": 300}, unknown=set())
    assert (check.result, check.evidence["names"]) == ("bad", ["b.x", "c.x"])
    assert check.evidence["found"]["b.x"]["ttl"] == 300
    assert names.worst({}, {}, unknown={"b.x"}).result == "unknown"
    json.dumps(check.to_dict())


# ── challenge names ─────────────────────────────────────────────────────────────────────

AT = "_acme-challenge.x.org."
OLD = {"203.0.115.53": ["one", "two"], "203.0.115.54": ["two"]}
LOOP = DnsError("cname-loop", "A loop.", fix="Break it.")
LOST = DnsError("dns-unreachable", "Nobody answers.", fix="Wait.")
GOOD = Target("_acme-challenge.x.org.", (), "x.org.")


def test_only_values_of_live_runs_are_not_old() -> None:
    """A value is old if any server has it and no live run uses it."""
    live = {("_acme-challenge.x.org.", value) for value in ("one", "two")}
    assert challenge_names.judge_values(AT, [NAME], OLD, live).result == "ok"
    finding = challenge_names.judge_values(AT, [NAME], OLD, {("_acme-challenge.x.org.", "one")})
    assert (finding.result, finding.fields["values"], finding.blocks) == ("bad", ["two"], ())
    assert challenge_names.judge_values(AT, [NAME], None, live).result == "unknown"
    assert challenge_names.judge_doubled("_acme-challenge.x.org.x.org.", "x.org.", [NAME], OLD).result == "bad"


@pytest.mark.parametrize(
    ("results", "result", "names", "blocks"),
    [
        ([{"a": GOOD, "b": GOOD}], "ok", None, ()),
        ([{"a": LOOP, "b": GOOD}], "bad", ["a"], ("dns-01",)),
        ([{"a": LOOP, "b": LOST}], "bad", ["a"], ("dns-01",)),
        ([{"a": GOOD, "b": LOST}], "unknown", ["b"], ("dns-01",)),
        ([{"a": LOOP, "b": GOOD}, {"a": GOOD, "b": GOOD}], "bad", ["a"], ()),
        ([{"a": LOOP, "b": GOOD}, {"a": LOOP, "b": GOOD}], "bad", ["a"], ("dns-01",)),
    ],
)
def test_a_name_is_stopped_if_no_route_arrives(
    results: list[dict[str, Any]], result: str, names: list[str] | None, blocks: tuple[str, ...]
) -> None:
    """A name is blocked if none of its routes has a usable CNAME."""
    check = challenge_names.judge_cnames(results)
    assert (check.result, check.evidence.get("names"), check.blocks) == (result, names, blocks)
    json.dumps(check.to_dict())


def test_a_shadowed_name_is_named_as_the_certificate_has_it() -> None:
    """A shadowed name is listed as configured, with and without its wildcard."""
    spec = cast("CertificateSpec", type("Spec", (), {"identifiers": ("a.x", "*.a.x", "b.x")}))
    check = challenge_names.judge_shadows(spec, ["a.x"])
    assert (check.result, check.blocks, check.evidence["names"]) == ("bad", (), ["a.x", "*.a.x"])
    assert challenge_names.judge_shadows(spec, []).result == "ok"


# ── together ────────────────────────────────────────────────────────────────────────────


def test_what_stops_a_challenge_comes_before_what_stops_none() -> None:
    """Blocking findings come before others, and bad before unknown. All names of the worst ones are listed."""
    stops, worse = ("all",), texts.EXISTS_NOWHERE
    found = [
        NameFinding("ok", worse, ["a"], {"domain": "a"}),
        NameFinding("unknown", worse, ["b"], {"domain": "b"}, stops),
        NameFinding("bad", worse, ["c"], {"domain": "c"}),
        NameFinding("bad", worse, ["d"], {"domain": "d"}, stops),
        NameFinding("bad", worse, ["e", "d"], {"domain": "e"}, stops),
    ]
    check = combined(found, {})
    assert (check.result, check.blocks, check.evidence["names"]) == ("bad", stops, ["d", "e"])
    assert check.summary.startswith("Neither d ")
    assert combined(found[:3], {}).evidence["names"] == ["c"]
    assert "names" not in combined(found[:1], {}).evidence
