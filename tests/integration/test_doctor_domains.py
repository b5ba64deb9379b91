"""The checks of names at real servers; each is tested with good and bad cases."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest

from dnsrenew.base.model import Check, Route, TxtRecord
from dnsrenew.base.values import replace
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.errors import DnsError
from dnsrenew.extensions.doctor.host.internet import port_53
from dnsrenew.extensions.doctor.redaction import Redaction
from tests.kit.diagnoses import diagnosis
from tests.kit.doh_server import DohServer, resolving
from tests.kit.domain_doctor import DNS, HTTP, DomainDoctor
from tests.kit.load import allowed
from tests.kit.processes import wait_until
from tests.kit.zone_answers import answering
from tests.lab import PRIMARY, SECONDARY, Lab, Query, dnsforwarder
from tests.lab.dnsforwarder import Answer, rcode, strip_aa

Hook = Callable[[Query], Answer]
INBOUND = ("http-01", "tls-alpn-01")
TLS = {"challenge": "tls-alpn-01", "listen": "127.0.0.1:5003"}
CHILD = "child.parent-doctor.test"
SERVERS = ("127.0.0.3", "127.0.0.4")
LISTED = f"@ NS ns1\n@ NS ns2\nns1 A {SERVERS[0]}\nns2 A {SERVERS[1]}\nwww A 127.0.0.1"


def examined(lab: Lab, folder: Path, code: str, *domains: str, **how: Any) -> Check:
    """Return one check."""
    return DomainDoctor(lab, folder, *domains, **how).check(code)


@contextlib.contextmanager
def child(lab: Lab, first: Hook, second: Hook | None = None) -> Iterator[str]:
    """Delegate a zone to two servers of its own; give the name of a host in it."""
    lines = "".join(f"child NS ns{n}.child\nns{n}.child A {address}\n" for n, address in enumerate(SERVERS, 1))
    lab.add_zone("parent-doctor.test", lines)
    lab.flush()
    with lab.forwarder(SERVERS[0], first), lab.forwarder(SERVERS[1], second or first):
        yield f"www.{CHILD}"


def zone_of(check: Check, name: str) -> dict[str, Any]:
    """Return the evidence of a check about a zone."""
    found: dict[str, Any] = next(each for each in check.evidence["zones"] if each["zone"] == name)
    return found


def test_a_healthy_name_has_no_fault_and_takes_no_time(lab: Lab, tmp_path: Path) -> None:
    """With three routes, all checks of healthy names are ok within two seconds."""
    lab.add_zone("healthy.test", "www A 127.0.0.1\n@ A 127.0.0.1")
    doctor = DomainDoctor(lab, tmp_path, "healthy.test", "www.healthy.test", routes=(DNS, HTTP, TLS))
    begin = time.monotonic()
    checks = doctor.all()
    assert time.monotonic() - begin < allowed(2.0)
    assert {code: check.result for code, check in checks.items()} == dict.fromkeys(checks, "ok")


def test_a_certificate_by_dns_needs_no_address(lab: Lab, tmp_path: Path) -> None:
    """For dns-01 a name without an address is ok, and so is a wildcard."""
    names = ("inside.example.test", "*.example.test")
    check = examined(lab, tmp_path, "name-exists", *names)
    assert (check.result, check.evidence["records"]["inside.example.test"]["existence"]) == ("ok", "absent")
    assert examined(lab, tmp_path, "name-exists", "*.example.test").result == "ok"


# ── delegation ──────────────────────────────────────────────────────────────────────────


def test_a_delegation_is_compared_with_the_zone_above(lab: Lab, tmp_path: Path) -> None:
    """The name servers of the parent zone are queried at each address, by UDP and by TCP."""
    with child(lab, answering(CHILD, LISTED)) as host:
        check = examined(lab, tmp_path, "delegation", host)
    assert check.result == "ok"
    zone = zone_of(check, CHILD)
    assert zone["parent"] == "parent-doctor.test"
    assert zone["parent_ns"] == ("ns1.child.parent-doctor.test", "ns2.child.parent-doctor.test")
    assert [(each["address"], each["udp"], each["tcp"]) for each in zone["servers"]] == [
        (address, "authority", "authority") for address in SERVERS
    ]


@pytest.mark.parametrize(
    ("hook", "udp", "tcp"),
    [
        (dnsforwarder.rcode(dns.rcode.REFUSED), "REFUSED", "REFUSED"),
        (dnsforwarder.rcode(dns.rcode.SERVFAIL), "SERVFAIL", "SERVFAIL"),
        (dnsforwarder.drop, "silent", "silent"),
        (dnsforwarder.udp_is_silent, "silent", "authority"),
    ],
)
def test_one_bad_server_stops_nothing(  # noqa: PLR0917
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: Hook, udp: str, tcp: str
) -> None:
    """One bad server of two is bad and blocks nothing. The evidence has its answers by UDP and TCP."""
    monkeypatch.setattr("dnsrenew.extensions.doctor.survey.probes.SECONDS", 1.5)
    good = answering(CHILD, LISTED)
    only_tcp = hook is dnsforwarder.udp_is_silent
    bad: Hook = (lambda query: good(query) if query.transport == "tcp" else None) if only_tcp else hook
    with child(lab, good, bad) as host:
        check = examined(lab, tmp_path, "delegation", host)
    assert (check.result, check.blocks) == ("bad", ())
    server = next(each for each in zone_of(check, CHILD)["servers"] if each["address"] == SERVERS[1])
    assert (server["udp"], server["tcp"]) == (udp, tcp)
    assert SERVERS[1] in check.summary


def test_differing_lists_stop_nothing(lab: Lab, tmp_path: Path) -> None:
    """If the parent zone has other NS records, the result is bad and blocks nothing."""
    with child(lab, answering(CHILD, f"@ NS ns1\nns1 A {SERVERS[0]}\nns2 A {SERVERS[1]}")) as host:
        check = examined(lab, tmp_path, "delegation", host)
    assert (check.result, check.blocks) == ("bad", ())
    assert "parent-doctor.test names other name servers" in check.summary


def test_servers_that_do_not_agree_stop_nothing(lab: Lab, tmp_path: Path) -> None:
    """If two servers have different versions of the zone, the result is bad."""
    old = answering(CHILD, f"@ NS ns1\nns1 A {SERVERS[0]}")
    with child(lab, answering(CHILD, LISTED), old) as host:
        assert examined(lab, tmp_path, "delegation", host).result == "bad"


@pytest.mark.parametrize("hook", [dnsforwarder.rcode(dns.rcode.REFUSED), dnsforwarder.strip_aa])
def test_a_zone_that_no_server_knows_stops_everything(lab: Lab, tmp_path: Path, hook: Hook) -> None:
    """If no server of a zone answers with authority, all challenges of its names are blocked."""
    with child(lab, hook) as host:
        check = examined(lab, tmp_path, "delegation", host, "www.example.test")
    assert (check.result, check.blocks, check.evidence["names"]) == ("bad", ("all",), [host])


def test_servers_where_nothing_runs_stop_everything(lab: Lab, tmp_path: Path) -> None:
    """If all servers of a zone refuse connections, all challenges are blocked."""
    lab.add_zone("above.test", "dead NS ns1.dead\nns1.dead A 127.0.0.9")
    check = examined(lab, tmp_path, "delegation", "dead.above.test")
    assert (check.result, check.blocks) == ("bad", ("all",))


def test_silent_servers_are_unknown_and_cost_ten_seconds_at_most(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent servers are unknown within ten seconds, here five, because the network may be the reason."""
    monkeypatch.setattr("dnsrenew.extensions.doctor.survey.probes.SECONDS", 1.5)
    with child(lab, dnsforwarder.drop) as host:
        doctor = DomainDoctor(lab, tmp_path, host, routes=(DNS, HTTP))
        begin = time.monotonic()
        check = doctor.check("delegation")
        assert time.monotonic() - begin < allowed(5)
        assert doctor.check("name-exists").result == "unknown"
    assert (check.result, check.blocks) == ("unknown", ("all",))


def test_a_resolver_that_is_down_makes_everything_unknown(lab: Lab, tmp_path: Path) -> None:
    """If the recursive server is down, the check raises the error of a renewal."""
    doctor = DomainDoctor(lab, tmp_path, "example.test", nameserver=f"127.0.0.1:{lab.reserve(PRIMARY)}")
    with pytest.raises(DnsError) as caught:
        doctor.check("delegation")
    assert caught.value.code == "dns-unreachable"


# ── domain and name ─────────────────────────────────────────────────────────────────────


def test_a_domain_that_nobody_has_stops_everything(lab: Lab, tmp_path: Path) -> None:
    """A domain that does not exist blocks all challenges."""
    doctor = DomainDoctor(lab, tmp_path, "nosuch.test", routes=(DNS, HTTP))
    check = doctor.check("domain")
    assert (check.result, check.blocks, check.evidence["names"]) == ("bad", ("all",), ["nosuch.test"])
    assert doctor.check("name-exists").blocks == INBOUND


@pytest.mark.parametrize(("name", "is_suffix"), [("co.uk", True), ("nas.local", False), ("nas", False)])
def test_no_public_ca_issues_for_every_name(lab: Lab, tmp_path: Path, name: str, is_suffix: bool) -> None:
    """For a public CA, public suffixes and local names are bad. A private CA may issue for them."""
    doctor = DomainDoctor(lab, tmp_path, "example.test")
    spec = replace(doctor.spec, domains=(name,), identifiers=(name, f"*.{name}"), routes=(Route("dns-01", dns="home"),))
    doctor.spec = replace(spec, ca="letsencrypt")
    assert doctor.facts.its.cas["letsencrypt"] == BUILT_IN["letsencrypt"]
    check = doctor.check("domain")
    assert (check.result, check.blocks, check.evidence["names"]) == ("bad", ("all",), [name, f"*.{name}"])
    assert ("public suffix" in check.summary) is is_suffix
    doctor.spec = replace(spec, ca="lab")
    assert "No public CA" not in doctor.check("domain").summary


def test_a_public_suffix_comes_before_a_domain_that_does_not_exist(lab: Lab, tmp_path: Path) -> None:
    """No registration would help, so the fix is that of the public suffix, whatever the order of the names."""
    doctor = DomainDoctor(lab, tmp_path, "example.test")
    spec = replace(doctor.spec, domains=("gone.nosuch.test", "co.uk"), identifiers=("gone.nosuch.test", "co.uk"))
    doctor.spec = replace(spec, ca="letsencrypt", routes=(Route("dns-01", dns="home"),))
    check = doctor.check("domain")
    assert "public suffix" in check.summary
    assert sorted(check.evidence["names"]) == ["co.uk", "gone.nosuch.test"]


def registry(query: Query) -> Answer:
    """Answer as a recursive server whose top-level domain `test` is the zone registrar.test."""
    labels = query.name.split(".")
    if query.name == "test" and query.rdtype in {"SOA", "NS"}:
        values = {"SOA": "ns. hostmaster. 1 2 3 4 5", "NS": "ns1.registrar.test."}
        answer = dns.message.make_response(query.message)
        answer.answer.append(dns.rrset.from_text("test.", 60, "IN", query.rdtype, values[query.rdtype]))
        return answer
    if labels[-2:] == ["lapsed", "test"]:
        answer = dns.message.make_response(query.message)
        answer.authority.append(dns.rrset.from_text("test.", 60, "IN", "SOA", "ns. hostmaster. 1 2 3 4 5"))
        answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer
    return query.forward()


@pytest.mark.parametrize("is_gone", [True, False])
def test_the_registry_is_asked_itself(lab: Lab, tmp_path: Path, is_gone: bool) -> None:
    """A domain is not registered if the name servers of its top-level domain say so."""
    lab.add_zone("registrar.test", ns=["127.0.0.3"])
    top = answering(
        "test", "@ NS ns1.registrar\nregistry NS ns1.registrar\nlapsed NS ns1.elsewhere" if not is_gone else "@ NS x"
    )

    with lab.resolver_forwarder(registry) as resolver, lab.forwarder("127.0.0.3", top):
        check = examined(lab, tmp_path, "domain", "www.lapsed.test", nameserver="{}:{}".format(*resolver.listen))
    assert check.result == ("bad" if is_gone else "unknown")
    if is_gone:
        assert "lapsed.test is not registered" in check.summary


@pytest.mark.parametrize(("name", "existence"), [("gone.lapse.test", "absent"), ("empty.lapse.test", "empty")])
def test_a_name_without_an_address_stops_what_connects_to_it(
    lab: Lab, tmp_path: Path, name: str, existence: str
) -> None:
    """A name without an address blocks http-01 and tls-alpn-01."""
    lab.add_zone("lapse.test", "empty MX 10 mail\n@ A 127.0.0.1")
    doctor = DomainDoctor(lab, tmp_path, name, "lapse.test", routes=(DNS, HTTP))
    check = doctor.check("name-exists")
    assert (check.result, check.blocks, check.evidence["names"]) == ("bad", INBOUND, [name])
    assert check.evidence["records"][name]["existence"] == existence
    assert doctor.check("domain").result == "ok"


# ── addresses ───────────────────────────────────────────────────────────────────────────


def test_an_address_elsewhere_is_no_address_of_ours(lab: Lab, tmp_path: Path) -> None:
    """An address that is not ours is not ok. The evidence has the addresses found and their TTL."""
    lab.add_zone("moved.test", "www A 198.18.0.1\nwww AAAA 2001:db8:77::1\n@ A 127.0.0.1")
    check = examined(lab, tmp_path, "address", "moved.test", "www.moved.test", routes=(HTTP,))
    assert check.result in {"bad", "unknown"}  # as this machine has a public address, or none
    assert (check.blocks, check.evidence["names"]) == (INBOUND, ["www.moved.test"])
    found = check.evidence["found"]["www.moved.test"]
    assert (found["A"], found["AAAA"], found["ttl"]) == (["198.18.0.1"], ["2001:db8:77::1"], 60)


@pytest.mark.parametrize(
    ("records", "seen"),
    [
        ("www A 104.16.0.1", "104.16.0.1"),
        ("www AAAA 2606:4700::1", "2606:4700::1"),
        ("www CNAME d111.cloudfront.net.", "d111.cloudfront.net"),
    ],
)
def test_a_cdn_stops_tls_alpn_only(lab: Lab, tmp_path: Path, records: str, seen: str) -> None:
    """A CDN, found by its address or name, blocks tls-alpn-01 only."""
    zone = f"cdn{len(records)}.test"
    lab.add_zone(zone, records)
    doctor = DomainDoctor(lab, tmp_path, f"www.{zone}", routes=(HTTP, TLS))
    check = doctor.check("proxied")
    assert (check.result, check.blocks) == ("bad", ("tls-alpn-01",))
    assert seen in check.summary
    if "CNAME" not in records:
        assert doctor.check("address").result == "unknown"


def test_a_cname_to_another_zone_is_followed_to_its_address(lab: Lab, tmp_path: Path) -> None:
    """A CNAME to another zone is followed, and its address counts."""
    lab.add_zone("alias-doctor.test", "www CNAME host.target.test.\nlost CNAME gone.target.test.")
    lab.add_zone("target.test", "host A 127.0.0.1")
    check = examined(lab, tmp_path, "address", "www.alias-doctor.test", routes=(HTTP,))
    assert (check.result, check.evidence["found"]["www.alias-doctor.test"]["A"]) == ("ok", ["127.0.0.1"])


def test_a_cname_to_nowhere_is_a_name_without_an_address(lab: Lab, tmp_path: Path) -> None:
    """A name whose CNAME target does not exist is bad: it exists without an address."""
    lab.add_zone("alias-doctor.test", "www CNAME host.target.test.\nlost CNAME gone.target.test.")
    lab.add_zone("target.test", "host A 127.0.0.1")
    check = examined(lab, tmp_path, "name-exists", "lost.alias-doctor.test", routes=(HTTP,))
    assert (check.result, check.evidence["records"]["lost.alias-doctor.test"]["existence"]) == ("bad", "empty")


def test_where_port_53_is_closed_doh_knows_enough(lab: Lab, tmp_path: Path) -> None:
    """If only DoH is reachable, name and address are ok, and no check blocks a challenge."""
    lab.add_zone("walls.test", "@ A 127.0.0.1", ns=["127.0.0.6"])
    with DohServer(resolving(lab)) as server:
        doctor = DomainDoctor(
            lab, tmp_path, "walls.test", routes=(HTTP,), nameserver=f"127.0.0.1:{lab.reserve()}", doh=(server.url,)
        )
        checks = {code: doctor.check(code) for code in ("domain", "name-exists", "delegation", "dnssec", "address")}
    assert {code: check.result for code, check in checks.items() if check.blocks} == {}
    assert checks["address"].result == checks["name-exists"].result == "ok"


@pytest.mark.parametrize(
    ("handler", "result"),
    [(rcode(dns.rcode.REFUSED), "ok"), (rcode(dns.rcode.SERVFAIL), "ok"), (strip_aa, "ok"), (None, "unknown")],
)
def test_servers_that_do_not_serve_the_zone_are_no_closed_port(
    lab: Lab, tmp_path: Path, handler: Hook | None, result: str
) -> None:
    """Refusals and answers without authority of one zone show that queries get out, and so do refused connections."""
    lab.add_zone("dead-port.test", ns=["127.0.0.8"])
    with lab.forwarder("127.0.0.8", handler) if handler is not None else contextlib.nullcontext():
        check = port_53(DomainDoctor(lab, tmp_path, "dead-port.test").facts)
    assert (check.result, "Something between" in check.summary) == (result, False)
    if handler is None:
        assert check.summary.startswith("DNS queries leave this network")


def test_what_is_wrong_with_the_resolver_is_no_closed_port(lab: Lab, tmp_path: Path) -> None:
    """If the resolver refuses, or knows no zone of the domain, the fix is about `nameservers`."""
    refusing = DomainDoctor(lab, tmp_path, "example.test", nameserver=f"127.0.0.1:{lab.reserve()}")
    for doctor in (refusing, DomainDoctor(lab, tmp_path, "gone.nosuch.test")):
        check = port_53(doctor.facts)
        assert check.result == "unknown"
        assert "nameservers" in check.fix
        assert "no route" not in check.summary


@pytest.mark.parametrize(
    ("outside", "here", "result"),
    [
        ("203.0.115.1", "192.168.1.7", "bad"),
        ("192.168.1.7", "", "bad"),
        ("203.0.115.1", "", "unknown"),
        ("203.0.115.1", "203.0.115.9", "unknown"),
        ("203.0.115.1", "203.0.115.1", "ok"),
    ],
)
def test_another_view_inside_is_seen(lab: Lab, tmp_path: Path, outside: str, here: str, result: str) -> None:
    """A different answer of the local resolver is bad or unknown, and blocks nothing."""
    lab.add_zone("split.test", "public A 203.0.115.1\nprivate A 192.168.1.7")
    name = "private.split.test" if outside.startswith("192") else "public.split.test"

    def hook(query: Query) -> Answer:
        if (query.name, query.rdtype) != (name, "A"):
            return query.forward()
        answer = dns.message.make_response(query.message)
        if here:
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "A", here))
        return answer

    with lab.resolver_forwarder(hook) as resolver:
        check = examined(lab, tmp_path, "split-dns", name, nameserver="{}:{}".format(*resolver.listen))
    assert (check.result, check.blocks, check.fix) == (result, (), "")
    assert check.evidence["authoritative"][name] == [outside]


@pytest.mark.parametrize("address", ["203.0.115.1", "192.168.1.7"])
@pytest.mark.parametrize("exists", [False, True])
def test_a_record_that_is_new_is_not_hidden(lab: Lab, tmp_path: Path, address: str, exists: bool) -> None:
    """While the resolver remembers that a name had no address, it is unknown what this network sees."""
    zone, owner = "split-new.test", f"{'mail' if exists else 'new'}{address[:3]}"
    lab.add_zone(zone, "mail203 MX 10 mx\nmail192 MX 10 mx")
    lab.flush()
    assert examined(lab, tmp_path, "split-dns", f"{owner}.{zone}").result == "ok"
    for _ in range(5):  # BIND may forget in the middle of it
        for kind in ("A", "AAAA"):
            lab.resolve(f"{owner}.{zone}", kind)
        lab.update(zone, add=[(owner, "A", address)])
        wait_until(lambda: lab.ask(f"{owner}.{zone}", "A", SECONDARY).answer)  # the doctor may ask either server
        check = examined(lab, tmp_path, "split-dns", f"{owner}.{zone}")
        if not lab.resolve(f"{owner}.{zone}", "A").answer:
            break
        lab.update(zone, remove=[(owner, "A")])
        wait_until(lambda: not lab.ask(f"{owner}.{zone}", "A", SECONDARY).answer)
        lab.flush()
    else:
        pytest.fail("BIND has forgotten it five times")
    assert (check.result, check.evidence["resolved"][f"{owner}.{zone}"]["addresses"]) == ("unknown", ())
    assert "recently" in check.summary


# ── challenge names ─────────────────────────────────────────────────────────────────────

CNAMES = """
_acme-challenge.loop CNAME loop2
loop2 CNAME _acme-challenge.loop
_acme-challenge.dangling CNAME x.nowhere.
_acme-challenge.good CNAME good.target.test.
"""


@pytest.mark.parametrize(
    ("name", "route", "code"),
    [
        ("loop", {}, "cname-loop"),
        ("dangling", {}, "cname-dangling"),
        ("plain", {"alias": "good.target.test"}, "alias-not-delegated"),
        ("good", {"alias": "other.target.test"}, "alias-not-delegated"),
    ],
)
def test_a_cname_that_leads_astray_stops_dns(
    lab: Lab, tmp_path: Path, name: str, route: dict[str, str], code: str
) -> None:
    """A wrong CNAME record or alias blocks dns-01 for its name only, with the error of a renewal."""
    lab.add_zone("cnames.test", CNAMES)
    lab.add_zone("target.test", "host A 127.0.0.1")
    names = [f"{name}.cnames.test", *(() if route else ("example.test",))]
    check = examined(lab, tmp_path, "cname", *names, routes=({**DNS, **route},))
    assert (check.result, check.blocks, check.evidence["names"]) == ("bad", ("dns-01",), names[:1])
    assert check.evidence["error"]["code"] == code


def test_another_route_may_arrive(lab: Lab, tmp_path: Path) -> None:
    """If another route is usable, a wrong alias blocks nothing."""
    lab.add_zone("cnames.test", CNAMES)
    routes = ({**DNS, "alias": "other.target.test"}, {**DNS, "follow_cname": False})
    check = examined(lab, tmp_path, "cname", "good.cnames.test", routes=routes)
    assert (check.result, check.blocks) == ("bad", ())


def test_where_the_txt_record_goes_is_said(lab: Lab, tmp_path: Path) -> None:
    """The summary has the target of the CNAME records, and the evidence has its zone."""
    lab.add_zone("cnames.test", CNAMES)
    lab.add_zone("target.test", "host A 127.0.0.1")
    check = examined(lab, tmp_path, "cname", "good.cnames.test")
    assert check.result == "ok"
    assert "good.target.test" in check.summary
    assert check.evidence["targets"]["good.cnames.test"]["zone"] == "target.test."


@pytest.mark.leaves_txt
@pytest.mark.parametrize(
    ("owner", "code"),
    [
        ("_acme-challenge.www", "stale"),
        ("_acme-challenge.www.stale-doctor.test", "doubled"),
        ("*", "wildcard"),
    ],
)
def test_old_values_are_found(lab: Lab, tmp_path: Path, owner: str, code: str) -> None:
    """Old values at the challenge name, or with the zone twice, are bad. Those of a wildcard are ok."""
    lab.add_zone("stale-doctor.test", "@ A 127.0.0.1")
    lab.update("stale-doctor.test", add=[(owner, "TXT", '"old\\027value"')])
    check = examined(lab, tmp_path, "txt-stale", "www.stale-doctor.test", "stale-doctor.test")
    assert (check.result, check.blocks) == ("ok" if code == "wildcard" else "bad", ())
    if code == "stale":
        assert check.evidence["values"]["_acme-challenge.www.stale-doctor.test"][PRIMARY] == ["old?value"]
        found = diagnosis(None, [check])
        shown = Redaction([found]).masked(found)
        assert "old?value" not in repr(shown)
    if code == "doubled":
        assert "_acme-challenge.www.stale-doctor.test.stale-doctor.test" in check.summary


@pytest.mark.leaves_txt
def test_the_value_of_a_live_run_is_not_old(lab: Lab, tmp_path: Path) -> None:
    """A value of a live run, which the journal names, is ok; after the end of the run it is old."""
    lab.add_zone("live.test", "@ A 127.0.0.1")
    lab.update("live.test", add=[("_acme-challenge", "TXT", "now")])
    doctor = DomainDoctor(lab, tmp_path, "live.test")
    record = TxtRecord("live.test.", "_acme-challenge.live.test.", "now", 60)
    entry = doctor.store.journal.enter(doctor.facts.context, "home", [(record, "home")])
    assert doctor.check("txt-stale").result == "ok"
    entry.keep()
    check = doctor.check("txt-stale")
    assert (check.result, check.evidence["names"]) == ("bad", ["live.test"])


def test_a_name_of_a_wildcard_vanishes(lab: Lab, tmp_path: Path) -> None:
    """A name that exists only by a wildcard is bad; one with a record of its own is ok."""
    lab.add_zone("shade.test", "* A 127.0.0.1\nown A 127.0.0.1")
    check = examined(lab, tmp_path, "wildcard-shadow", "own.shade.test", "x.shade.test")
    assert (check.result, check.blocks, check.evidence["names"]) == ("bad", (), ["x.shade.test"])
    assert examined(lab, tmp_path, "wildcard-shadow", "own.shade.test").result == "ok"


# ── hostile ─────────────────────────────────────────────────────────────────────────────


def test_a_hostile_zone_ends_in_time(lab: Lab, tmp_path: Path) -> None:
    """The checks of a hostile zone end within ten seconds, and show no control characters."""
    lab.add_zone("hostile.test", ns=["127.0.0.3"])

    def hook(query: Query) -> Answer:
        answer = dns.message.make_response(query.message)
        answer.flags |= dns.flags.AA
        many = [f"n{number}.hostile.test." for number in range(400)]
        values = {"NS": many, "A": [f"127.7.0.{n}" for n in range(250)], "TXT": ['"\\027[2J"']}
        if query.rdtype == "SOA":
            return query.forward() if query.transport == "udp" else b"\x00" * 40
        if query.rdtype in values:
            answer.answer.append(
                dns.rrset.from_text_list(f"{query.name}.", 60, "IN", query.rdtype, values[query.rdtype])
            )
        return answer.to_wire(max_size=65_535)

    def recursive(query: Query) -> Answer:
        return hook(query) if query.name.endswith("hostile.test") and query.rdtype != "SOA" else query.forward()

    with lab.forwarder("127.0.0.3", hook), lab.resolver_forwarder(recursive) as resolver:
        doctor = DomainDoctor(
            lab, tmp_path, "hostile.test", routes=(DNS, HTTP), nameserver="{}:{}".format(*resolver.listen)
        )
        begin = time.monotonic()
        checks = [doctor.check(code) for code in ("domain", "delegation", "name-exists", "dnssec", "txt-stale")]
        assert time.monotonic() - begin < allowed(10)
    assert not any("\x1b" in f"{check.summary}{check.evidence}" for check in checks)
