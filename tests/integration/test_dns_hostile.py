"""Zones and forgers that try to make a renewal endless, send queries to other hosts, or forge answers.

Time limits are a tenth of the real ones, or the clock jumps; `test_the_figures` has the real ones.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from dnsrenew.base import checks as caa
from dnsrenew.base.model import Route
from dnsrenew.base.values import replace
from dnsrenew.dns import caa_lookup, view
from dnsrenew.dns import lookup as lookup_module
from dnsrenew.dns.zones import MAX_ADDRESSES, MAX_NAMES
from dnsrenew.errors import DnsError, PropagationError
from tests.kit.clock import FakeClock
from tests.kit.dns_stage import ViewStage, questions, record
from tests.kit.load import allowed
from tests.lab import DnsForwarder, Lab, Query, Wire
from tests.lab.dnsforwarder import Answer

Hook = Callable[[Query], Answer]
ROUNDS = ((0.06, 0.0), (0.15, 0.15), (0.3, 0.0))


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the time for lookups."""
    monkeypatch.setattr(lookup_module, "ROUNDS", ROUNDS)
    monkeypatch.setattr(lookup_module, "SECONDS", lookup_module.SECONDS / 10)


def answer(query: Query, *records: str, kind: str = "", name: str = "") -> dns.message.Message:
    """Return an authoritative answer with one set of records."""
    message = dns.message.make_response(query.message)
    message.flags |= dns.flags.AA
    if records:
        message.answer.append(dns.rrset.from_text_list(f"{name or query.name}.", 60, "IN", kind, records))
    return message


def cut(query: Query, full: dns.message.Message) -> bytes:
    """Return the answer over TCP; over UDP a truncated one."""
    if query.transport == "tcp":
        return full.to_wire(max_size=65_535)
    short = answer(query)
    short.flags |= dns.flags.TC
    return short.to_wire()


def lower(wire: bytes, query: Query) -> bytes:
    """Return the answer with the question in lower case."""
    end = query.wire.index(b"\0", 12)
    return wire[:12] + wire[12:end].lower() + wire[end:]


def listing(zone: str, kind: str, *values: str, at: str = "") -> Hook:
    """Return a recursive server that has these records for the zone, or for the name `at`."""

    def hook(query: Query) -> Answer:
        if (query.name, query.rdtype) != (at or zone, kind):
            return query.forward()
        return cut(query, answer(query, *values, kind=kind))

    return hook


@contextlib.contextmanager
def recursive(lab: Lab, hook: Hook) -> Iterator[tuple[ViewStage, DnsForwarder]]:
    """Yield a view that uses a recursive server with this hook."""
    with lab.resolver_forwarder(hook) as resolver:
        yield ViewStage(lab, nameserver="{}:{}".format(*resolver.listen)), resolver


def test_the_figures() -> None:
    """The limits of all lookups before an order are 30 s together, and leave time for all rounds to a silent server."""
    assert view._TARGETS_SECONDS + view._SHADOW_SECONDS + 2 * caa_lookup._SECONDS <= 30
    assert 2 * lookup_module.SECONDS < view._TARGETS_SECONDS  # a closed network: no resolver, no name server
    assert sum(udp + tcp for udp, tcp in lookup_module.ROUNDS) < lookup_module.SECONDS
    assert (MAX_NAMES, MAX_ADDRESSES) == (13, 32)


# ── zones that cost too much ────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("hurried")
def test_many_silent_addresses_cost_no_more_than_one(lab: Lab) -> None:
    """Many silent addresses take no longer than one, and the error names them."""
    addresses = [f"127.0.0.{number}" for number in range(3, 11)]
    lab.add_zone("silent-host.test", ns=["127.0.0.3"])
    with contextlib.ExitStack() as stack:
        for address in addresses:
            stack.enter_context(lab.silent(address))
        stage, _ = stack.enter_context(
            recursive(lab, listing("silent-host.test", "A", *addresses, at="ns1.silent-host.test"))
        )
        begin = time.monotonic()
        with pytest.raises(DnsError, match="did not answer") as caught:
            stage.target("silent-host.test")
        assert time.monotonic() - begin < allowed(1.5)
    assert caught.value.code == "dns-unreachable"
    assert {server["address"] for server in caught.value.evidence["servers"]} == set(addresses)


def test_hundreds_of_name_servers_are_not_all_used(lab: Lab) -> None:
    """Of hundreds of name servers, thirteen are used at random, with a warning."""
    lab.add_zone("crowd.test")
    names = [f"n{number}.crowd.test" for number in range(300)]

    def hook(query: Query) -> Answer:
        if query.name in names:
            return answer(query, *(["127.0.0.1"] if query.rdtype == "A" else []), kind="A")
        return listing("crowd.test", "NS", *(f"{name}." for name in names))(query)

    with recursive(lab, hook) as (stage, resolver):
        assert stage.target("crowd.test").served_zone == "crowd.test."
        looked_up = {name.rstrip(".") for name, kind in questions(resolver.queries) if kind in {"A", "AAAA"}}
    assert len(looked_up & set(names)) == MAX_NAMES
    assert stage.warnings == ["dns-many-servers"]
    assert "300 name servers" in stage.context.notices[0].message


def test_hundreds_of_addresses_are_not_all_queried(lab: Lab) -> None:
    """Of hundreds of addresses, thirty-two are used at random, with a warning, and by the wait for values too."""
    lab.add_zone("spread.test", ns=["127.0.0.3"])
    addresses = [f"127.7.{number // 200}.{number % 200 + 1}" for number in range(400)]  # nothing listens there
    listed = listing("spread.test", "A", *addresses, at="ns1.spread.test")
    with recursive(lab, listed) as (stage, _), pytest.raises(DnsError, match="and 27 more") as caught:
        stage.target("spread.test")
    assert len(caught.value.evidence["servers"]) == MAX_ADDRESSES
    assert stage.warnings == ["dns-many-servers"]


def test_thousands_of_addresses_in_one_answer_are_not_read(lab: Lab) -> None:
    """An answer with thousands of addresses is not read. The error says so, and names the server."""
    lab.add_zone("flood.test", ns=["127.0.0.3"])
    addresses = [f"127.7.{number // 250}.{number % 250 + 1}" for number in range(4000)]
    listed = listing("flood.test", "A", *addresses, at="ns1.flood.test")
    said = r"ns1\.flood\.test has no known address: .* sent an answer above dnsrenew's limit"
    with recursive(lab, listed) as (stage, _), pytest.raises(DnsError, match=said) as caught:
        stage.target("flood.test")
    assert caught.value.code == "dns-unreachable"


def test_servfail_with_much_behind_it_is_servfail(lab: Lab) -> None:
    """The body of a large SERVFAIL answer is not read."""
    lab.add_zone("heavy.test", ns=["127.0.0.3"])

    def hook(query: Query) -> Answer:
        failed = answer(query, *(f'"{number:04}{"x" * 196}"' for number in range(80)), kind="TXT")
        failed.set_rcode(dns.rcode.SERVFAIL)
        return cut(query, failed)

    with lab.forwarder(hook=hook), pytest.raises(DnsError, match="answers SERVFAIL") as caught:
        ViewStage(lab).target("heavy.test")
    assert caught.value.code == "dns-unreachable"


def onward(query: Query) -> Answer:
    """A server with an endless chain of aliases."""
    target = f"on.{query.name}."
    return answer(query, target, kind="CNAME") if query.name.startswith(("on.", "_acme")) else answer(query)


@pytest.mark.parametrize(("pause", "code"), [(0.0, "cname-loop"), (0.5, "dns-unreachable")], ids=["quick", "slow"])
def test_an_endless_chain_of_aliases_ends(lab: Lab, pause: float, code: str) -> None:
    """A chain of aliases ends after sixteen hops, or after 18 s if the answers are slow."""
    lab.add_zone(f"onward-{code}.test", ns=["127.0.0.3"])
    clock = FakeClock(pause=1.0)

    def slow(hook: Hook) -> Hook:
        def later(query: Query) -> Answer:
            clock.elapsed += pause
            return hook(query)

        return later

    with lab.forwarder(hook=slow(onward)), recursive(lab, slow(Query.forward)) as (stage, _):
        stage.context = replace(stage.context, clock=clock)
        begin = clock.monotonic()
        with pytest.raises(DnsError) as caught:
            stage.target(f"onward-{code}.test")
    assert caught.value.code == code
    assert clock.monotonic() - begin < 20
    if pause:
        assert caught.value.evidence["seconds"] == 18.0
        assert caught.value.evidence["names"] == [f"onward-{code}.test"]


def test_the_wait_for_values_includes_finding_their_zone(lab: Lab) -> None:
    """The recursive server finds no zone, and takes half a second for each parent name."""
    clock = FakeClock(pause=1.0)

    def hook(query: Query) -> Answer:
        clock.elapsed += 0.5
        return answer(query)

    with recursive(lab, hook) as (stage, _):
        stage.context = replace(stage.context, clock=clock)
        begin = clock.monotonic()
        with pytest.raises(PropagationError, match="could not be found within 5 s") as caught:
            stage.wait(record(f"spot.{'a.' * 40}example.test"), timeout=5)
    assert caught.value.code == "dns-unreachable"
    assert clock.monotonic() - begin < 6


# ── forgers that do not see the queries ─────────────────────────────────────────────────


def test_every_question_has_random_case(lab: Lab) -> None:
    """Queries have random case. A server that repeats the case is not queried over TCP."""
    lab.add_zone("mixed.test", "_acme-challenge CNAME deeper.mixed.test.\n", ns=["127.0.0.3"])
    with lab.resolver_forwarder() as resolver, lab.forwarder() as server:
        stage = ViewStage(lab, nameserver="{}:{}".format(*resolver.listen))
        stage.target("mixed.test")
        lab_queries = [*resolver.queries, *server.queries]
    names = [query.message.question[0].name.to_text() for query in lab_queries]
    assert sum(name != name.lower() for name in names) > len(names) / 2
    assert {query.transport for query in lab_queries} == {"udp"}


def forging(forged: Hook, *, same_case: bool, tcp: bool = True) -> Hook:
    """Return a server whose UDP answers are forged; over TCP the real server answers, or none."""

    def hook(query: Query) -> Answer:
        if query.transport == "tcp":
            return query.forward() if tcp else Wire(ending="reset")
        made = forged(query)
        wire = made.to_wire() if isinstance(made, dns.message.Message) else made
        assert isinstance(wire, bytes)
        return wire if same_case else lower(wire, query)

    return hook


def elsewhere(query: Query) -> Answer:
    """Answer with an alias to the forger's zone."""
    return answer(query, "x.other.test.", kind="CNAME") if query.name.startswith("_acme") else query.forward()


def denying(query: Query) -> Answer:
    """Answer with a CAA record that allows no CA."""
    return answer(query, '0 issue ";"', kind="CAA") if query.rdtype == "CAA" else query.forward()


def test_an_answer_in_another_case_is_not_used(lab: Lab) -> None:
    """If an answer over UDP has another case, the query is sent again over TCP."""
    lab.add_zone("guessed.test", ns=["127.0.0.3"])
    with lab.forwarder(hook=forging(elsewhere, same_case=False)) as server:
        assert ViewStage(lab).target("guessed.test").hops == ()
        assert {query.transport for query in server.queries} == {"udp", "tcp"}


@pytest.mark.parametrize("tcp", [True, False], ids=["with TCP", "without TCP"])
@pytest.mark.leaves_txt
def test_servers_that_lower_the_case_still_work(lab: Lab, *, tcp: bool) -> None:
    """Servers that lower the case are used over TCP. A server without TCP is found out once in a run."""
    zone = f"lowering-{tcp}.test".lower()
    lab.add_zone(zone, ns=["127.0.0.3"])
    lab.update(zone, add=[("spot", "TXT", "new")])
    hook = forging(Query.forward, same_case=False, tcp=tcp)
    with lab.resolver_forwarder(hook) as resolver, lab.forwarder(hook=hook) as server:
        stage = ViewStage(lab, nameserver="{}:{}".format(*resolver.listen))
        assert stage.target(zone).served_zone == f"{zone}."
        stage.wait(record(f"spot.{zone}"))
        assert stage.warnings == []
        over_tcp = [query for query in server.queries if query.transport == "tcp"]
        assert len(over_tcp) == (1 if not tcp else len(server.queries) - 1)


def test_an_alias_to_another_zone_is_checked_over_tcp(lab: Lab) -> None:
    """An alias that only UDP shows is ignored. If TCP fails, the alias is used, and the target says so."""
    lab.add_zone("aliased-udp.test", ns=["127.0.0.3"])
    with lab.forwarder(hook=forging(elsewhere, same_case=True)) as server:
        target = ViewStage(lab).target("aliased-udp.test")
        assert (target.name, target.only_udp) == ("_acme-challenge.aliased-udp.test.", ())
        server.hook = forging(elsewhere, same_case=True, tcp=False)
        target = ViewStage(lab).target("aliased-udp.test")
        assert (target.name, target.only_udp) == ("x.other.test.", ("_acme-challenge.aliased-udp.test.",))
        with pytest.raises(DnsError) as caught:
            ViewStage(lab).target("aliased-udp.test", alias="y.other.test")
        assert caught.value.evidence["only_udp"] == ["_acme-challenge.aliased-udp.test."]


def test_a_denial_is_checked_over_tcp(lab: Lab) -> None:
    """A forged CAA denial is ignored. A real one, or one without TCP, counts, and the evidence has the transport."""
    lab.add_zone("denied-udp.test", ns=["127.0.0.3"])
    routes = {"denied-udp.test": Route("dns-01")}

    def denial(stage: ViewStage) -> DnsError | None:
        answers = stage.view.caa_by_tcp(stage.context, list(routes))
        return caa.denials(answers, routes, ["ca.test"], None).get("denied-udp.test")

    with lab.forwarder(hook=forging(denying, same_case=True)) as server:
        stage = ViewStage(lab)
        first = stage.view.caa(stage.context, list(routes))
        assert caa.denials(first, routes, ["ca.test"], None)
        assert denial(stage) is None
        for tcp, hook in (("udp", forging(denying, same_case=True, tcp=False)), ("tcp", denying)):
            server.hook = hook
            error = denial(ViewStage(lab))
            assert error is not None
            assert error.evidence["transport"] == tcp
