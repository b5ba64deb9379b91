"""The propagation wait, at real servers that lag, fail, lie or are down."""

from __future__ import annotations

import errno
import socket
import struct
import threading
import time
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from dnsrenew.dns import lookup as lookup_module
from dnsrenew.dns import query_engine as engine_module
from dnsrenew.dns import server_poll as poll_module
from dnsrenew.errors import Cancelled, PropagationError
from tests.kit.dns_stage import ViewStage, questions, record, until_both_serve
from tests.kit.load import allowed
from tests.lab import Lab, Query, dnsforwarder

pytestmark = pytest.mark.leaves_txt  # the tests write values themselves, and the fixture removes them
SERVFAIL = dnsforwarder.rcode(dns.rcode.SERVFAIL)


def served_by(lab: Lab, zone: str, *addresses: str, value: str | None = "new") -> str:
    """Make a zone with these name servers and the value in it; return the name of the TXT."""
    lab.add_zone(zone, ns=addresses)
    if value is not None:
        lab.update(zone, add=[("spot", "TXT", value)])
    return f"spot.{zone}"


def test_a_value_at_all_servers_is_seen_at_once(lab: Lab) -> None:
    """Foreign values do not matter, and several values of one name need one query."""
    lab.update("example.test", add=[("spot1", "TXT", value) for value in ("new", "newer", "foreign")])
    until_both_serve(lab, "spot1.example.test", "foreign")
    stage = ViewStage(lab)
    seconds = stage.wait(record("spot1.example.test", "new"), record("spot1.example.test", "newer"))
    assert seconds < allowed(2)
    assert [event.kind for event in stage.events][-1] == "dns-visible"
    assert {server["state"] for server in stage.servers().values()} == {"agrees"}
    assert set(stage.servers()) == {"127.0.0.1", "127.0.0.2"}


def test_the_wait_ends_when_the_last_server_has_the_value(lab: Lab) -> None:
    """The wait is little longer than the lag. Polls are every 20 ms at first, and less often later."""
    lab.lag = 1.5
    lab.update("example.test", add=[("spot2", "TXT", "new")])
    begin = time.monotonic()
    stage = ViewStage(lab)
    stage.wait(record("spot2.example.test"))
    assert 1.3 < time.monotonic() - begin < allowed(1.9)
    first = stage.servers(0)
    assert set(first) == {"127.0.0.1", "127.0.0.2"}
    states = {event.data["servers"][1]["state"] for event in stage.events if event.kind == "dns-waiting"}
    assert states == {"waiting", "agrees"}


def test_settle_is_added(lab: Lab) -> None:
    """The seconds of `settle` follow after all servers agree."""
    lab.update("example.test", add=[("spot3", "TXT", "new")])
    until_both_serve(lab, "spot3.example.test")
    assert 0.3 <= ViewStage(lab).wait(record("spot3.example.test"), settle=0.3) < allowed(3)


def test_a_hundred_names_are_seen_in_one_go(lab: Lab) -> None:
    """A hundred names are queried in parallel, each at each address."""
    names = [f"n{number}" for number in range(100)]
    lab.lag = 0.5
    lab.update("example.test", add=[(name, "TXT", "new") for name in names])
    stage = ViewStage(lab)
    assert stage.wait(*(record(f"{name}.example.test") for name in names)) < allowed(2.0)
    assert {server["state"] for server in stage.servers().values()} == {"agrees"}


def test_a_lagging_server_is_not_flooded_for_a_hundred_names(lab: Lab) -> None:
    """While values are missing, one name is polled for all; then the others are queried."""
    lab.add_zone("many.test", ns=["127.0.0.1", "127.0.0.3"])
    names = [f"n{number}" for number in range(100)]
    lab.update("many.test", add=[(name, "TXT", "new") for name in names])
    begin = time.monotonic()

    def late(query: Query) -> bytes | dns.message.Message:
        return query.forward() if time.monotonic() - begin > 1.0 else _empty(query)

    with lab.forwarder(hook=late) as forwarder:
        ViewStage(lab).wait(*(record(f"{name}.many.test") for name in names))
        assert 100 + 99 <= len(forwarder.queries) < 300


def test_one_question_is_under_way_to_an_address_for_a_name(lab: Lab) -> None:
    """If answers are slow, only one query for a name is in progress at an address."""
    name = served_by(lab, "slow.test", "127.0.0.3", value=None)
    under_way, most = 0, 0
    lock = threading.Lock()

    def slow(query: Query) -> bytes:
        nonlocal under_way, most
        if query.message.question[0].rdtype != dns.rdatatype.TXT:
            return query.forward()
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.2)
        answer = query.forward()
        with lock:
            under_way -= 1
        return answer

    with lab.forwarder(hook=slow), pytest.raises(PropagationError):
        ViewStage(lab).wait(record(name), timeout=1.5)
    assert most == 1


def test_one_silent_server_does_not_stop_us_but_is_named(lab: Lab) -> None:
    """A silent server gets three tries, at most six seconds after the others agree. Then a warning names it."""
    name = served_by(lab, "silent.test", "127.0.0.1", "127.0.0.5")
    with lab.silent("127.0.0.5"):
        stage = ViewStage(lab)
        assert stage.wait(record(name), timeout=30) < allowed(6.5)
    assert stage.warnings == ["dns-unreachable"]
    assert "ns2.silent.test (127.0.0.5)" in stage.context.notices[0].message
    assert stage.servers()["127.0.0.5"]["state"] == "unreachable"


def test_a_server_that_refuses_connections_costs_a_second(lab: Lab) -> None:
    """A server that refuses connections takes about a second, because the refusal is immediate."""
    name = served_by(lab, "refusing-port.test", "127.0.0.1", "127.0.0.6")
    stage = ViewStage(lab)
    assert stage.wait(record(name)) < allowed(2.0)
    assert "refused" in stage.context.notices[0].message


def test_a_server_that_comes_back_is_waited_for_while_others_lag(lab: Lab) -> None:
    """A server is given up only after all others have the value."""
    name = served_by(lab, "returning.test", "127.0.0.1", "127.0.0.2", "127.0.0.6", value=None)
    lab.lag = 2.0
    lab.update("returning.test", add=[("spot", "TXT", "new")])
    forwarder = lab.forwarder("127.0.0.6")
    threading.Timer(1.2, forwarder.start).start()
    stage = ViewStage(lab)
    stage.wait(record(name))
    forwarder.stop()
    assert stage.warnings == []
    assert stage.servers()["127.0.0.6"]["state"] == "agrees"


def test_no_server_at_all_is_an_error(lab: Lab) -> None:
    """If no server answers, the evidence has every server and its reason."""
    name = served_by(lab, "gone.test", "127.0.0.6", "127.0.0.7")
    stage = ViewStage(lab)
    with pytest.raises(PropagationError, match=r"gone\.test") as caught:
        stage.wait(record(name))
    assert caught.value.code == "dns-unreachable"
    assert [entry["address"] for entry in caught.value.evidence["servers"]] == ["127.0.0.6", "127.0.0.7"]
    assert "port 53" in caught.value.fix


def test_servfail_and_refused_are_not_yet(lab: Lab) -> None:
    """A server that answers SERVFAIL or REFUSED is queried again."""
    for zone, code in (("servfail.test", dns.rcode.SERVFAIL), ("refused.test", dns.rcode.REFUSED)):
        name = served_by(lab, zone, "127.0.0.1", "127.0.0.3")
        begin = time.monotonic()
        fail = dnsforwarder.rcode(code)

        def hook(query: Query, begin: float = begin, fail: Any = fail) -> Any:
            return fail(query) if time.monotonic() - begin < 0.5 else query.forward()

        with lab.forwarder(hook=hook):
            stage = ViewStage(lab)
            assert 0.3 < stage.wait(record(name)) < allowed(1.5)
        assert stage.warnings == []


def test_a_lame_server_does_not_count(lab: Lab) -> None:
    """A value without authority does not count, and the server is given up."""
    name = served_by(lab, "lame.test", "127.0.0.1", "127.0.0.3")
    with lab.forwarder(hook=dnsforwarder.strip_aa):
        stage = ViewStage(lab)
        assert stage.wait(record(name)) < allowed(3)
    assert "not as an authority for lame.test" in stage.context.notices[0].message


def test_a_truncated_answer_is_asked_for_by_tcp(lab: Lab) -> None:
    """Many values do not fit into a datagram; the same for a server without UDP."""
    for zone, hook in (("cut.test", dnsforwarder.truncate), ("tcp-only.test", dnsforwarder.udp_is_silent)):
        name = served_by(lab, zone, "127.0.0.3")
        with lab.forwarder(hook=hook) as forwarder:
            assert ViewStage(lab).wait(record(name)) < allowed(4)
            assert {query.transport for query in forwarder.queries} == {"udp", "tcp"}


def test_a_really_large_answer_is_read_whole(lab: Lab) -> None:
    """An answer with a hundred values is read completely."""
    name = served_by(lab, "large.test", "127.0.0.1", value=None)
    values = [f"{number:043d}" for number in range(100)]
    lab.update("large.test", add=[("spot", "TXT", value) for value in values])
    assert ViewStage(lab).wait(*(record(name, value) for value in values)) < allowed(1)


def test_a_server_that_knows_no_edns_is_asked_without(lab: Lab) -> None:
    """After FORMERR the server is queried without EDNS (RFC 6891 section 7)."""
    name = served_by(lab, "old.test", "127.0.0.3")
    formerr = dnsforwarder.rcode(dns.rcode.FORMERR)
    with lab.forwarder(hook=lambda query: formerr(query) if query.message.edns >= 0 else query.forward()):
        assert ViewStage(lab).wait(record(name)) < allowed(1)


def test_forged_answers_are_not_believed(lab: Lab) -> None:
    """A wrong id or a wrong question is ignored, and the real answer is waited for."""
    name = served_by(lab, "forged.test", "127.0.0.3", value=None)

    def forge(query: Query) -> bytes:
        if query.message.question[0].rdtype != dns.rdatatype.TXT:
            return query.forward()
        lie = dns.message.make_response(query.message)
        lie.flags |= dns.flags.AA
        lie.answer = dns.message.from_text(f"id 0\n;ANSWER\n{name}. 60 IN TXT new\n").answer
        (identity,) = struct.unpack("!H", query.wire[:2])
        lie.id = identity ^ 1
        return lie.to_wire()

    with lab.forwarder(hook=forge), pytest.raises(PropagationError) as caught:
        ViewStage(lab).wait(record(name), timeout=1.0)
    (entry,) = caught.value.evidence["servers"]
    assert (entry["values"], entry["rcode"]) == ([], None)
    assert entry["reason"]

    def misquote(query: Query) -> bytes:
        if query.message.question[0].rdtype != dns.rdatatype.TXT:
            return query.forward()
        answer = dns.message.make_response(dns.message.make_query("else.forged.test", "TXT", id=query.message.id))
        answer.flags |= dns.flags.AA
        return answer.to_wire()

    with lab.forwarder(hook=misquote), pytest.raises(PropagationError) as caught:
        ViewStage(lab).wait(record(name), timeout=1.0)
    assert caught.value.code == "dns-unreachable"


def test_a_family_without_a_route_is_skipped_at_no_cost(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without IPv6, AAAA addresses are recorded and skipped without a warning or a wait."""
    name = served_by(lab, "dual.test", "127.0.0.1", "2001:db8::53")
    monkeypatch.setattr(
        engine_module.QueryEngine.__init__, "__kwdefaults__", {"per_address": 16, "make_socket": NoIPv6}
    )
    monkeypatch.setattr(poll_module, "only_local", lambda address: False)
    stage = ViewStage(lab)
    assert stage.wait(record(name)) < allowed(2)
    assert stage.warnings == []
    assert stage.servers()["2001:db8::53"]["state"] == "skipped"
    assert "no IPv6 route" in stage.servers()["2001:db8::53"]["detail"]


def test_a_family_with_local_addresses_only_is_skipped_at_no_cost(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """IPv6 is skipped if the host has a default route and no global address, as in a container."""
    name = served_by(lab, "ula.test", "127.0.0.1", "2001:db8::53")
    monkeypatch.setattr(poll_module, "only_local", lambda address: ":" in address)
    monkeypatch.setattr(lookup_module, "only_local", lambda address: ":" in address)
    stage = ViewStage(lab)
    assert stage.wait(record(name)) < allowed(2)
    assert stage.view.values(stage.context, name) == {"new"}
    assert stage.warnings == []
    assert stage.servers()["2001:db8::53"]["state"] == "skipped"
    assert "no global IPv6 address" in stage.servers()["2001:db8::53"]["detail"]


def test_ipv6_is_asked_like_any_other(lab: Lab) -> None:
    """Every A and AAAA address is queried."""
    name = served_by(lab, "six.test", "127.0.0.1", "::1")
    stage = ViewStage(lab)
    stage.wait(record(name))
    assert stage.servers()["::1"]["state"] in {"agrees", "skipped"}  # skipped where the machine has no ::1


def test_a_name_server_without_an_address_is_noted(lab: Lab) -> None:
    """A name server without an address is recorded. It is an error only if it is the only one."""
    lab.add_zone("half.test", "@ NS nobody.invalid.\n", ns=["127.0.0.1"])
    lab.update("half.test", add=[("spot", "TXT", "new")])
    stage = ViewStage(lab)
    stage.wait(record("spot.half.test"))
    assert stage.servers()[""] == {
        "server": "nobody.invalid", "address": "", "state": "skipped", "detail": "is not queried: it has no address"
    }  # fmt: skip


def test_at_the_time_out_each_address_is_reported(lab: Lab) -> None:
    """At the time-out, the message names the server that lacks the value. The evidence has each answer and serial."""
    name = served_by(lab, "stale.test", "127.0.0.1", "127.0.0.3")
    lab.update("stale.test", add=[("other", "TXT", "old")])
    with lab.forwarder(hook=lambda query: _empty(query) if "spot" in query.name else query.forward()):
        stage = ViewStage(lab)
        with pytest.raises(PropagationError) as caught:
            stage.wait(record(name), timeout=0.5)
    error = caught.value
    assert error.code == "propagation-timeout"
    assert "ns2.stale.test (127.0.0.3)" in error.message
    assert "ns1.stale.test" not in error.message
    good, stale = error.evidence["servers"]
    assert (good["values"], good["rcode"], good["reason"]) == (["new"], "NOERROR", None)
    assert good.keys() == stale.keys()
    assert isinstance(good["serial"], int)
    assert (stale["values"], stale["server"], stale["zone"], stale["name"], stale["expected"]) == (
        [], "ns2.stale.test", "stale.test", name, ["new"]
    )  # fmt: skip
    assert isinstance(stale["serial"], int)


def test_at_the_time_out_a_server_that_has_only_failed_is_unreachable(lab: Lab) -> None:
    """At the time-out, a server that never answered is a warning if all others agree, and else an error."""
    name = served_by(lab, "sick.test", "127.0.0.1", "127.0.0.3")
    alone = served_by(lab, "sicker.test", "127.0.0.3")
    with lab.forwarder(hook=SERVFAIL):
        stage = ViewStage(lab)
        assert stage.wait(record(name), timeout=1.0) >= 1.0
        assert stage.warnings == ["dns-unreachable"]
        assert "SERVFAIL" in stage.context.notices[0].message
        with pytest.raises(PropagationError, match="SERVFAIL") as caught:
            ViewStage(lab).wait(record(alone), timeout=1.0)
    assert caught.value.code == "dns-unreachable"
    assert caught.value.evidence["servers"][0]["rcode"] == "SERVFAIL"


def test_a_value_that_no_server_has(lab: Lab) -> None:
    """If no server has the value, the evidence has each server's NXDOMAIN and serial."""
    with pytest.raises(PropagationError) as caught:
        ViewStage(lab).wait(record("never.example.test"), timeout=0.3)
    assert {entry["rcode"] for entry in caught.value.evidence["servers"]} == {"NXDOMAIN"}
    assert all(isinstance(entry["serial"], int) for entry in caught.value.evidence["servers"])


def test_cancel_ends_the_wait_within_a_second(lab: Lab) -> None:
    """A cancel ends the wait within a second, with and without answers."""
    name = served_by(lab, "stopping.test", "127.0.0.1", "127.0.0.5")
    with lab.silent("127.0.0.5"):
        for wanted in (record(name), record("never.example.test")):
            stage = ViewStage(lab)
            threading.Timer(0.4, stage.context.cancel.set).start()
            begin = time.monotonic()
            with pytest.raises(Cancelled):
                stage.wait(wanted, timeout=60)
            assert time.monotonic() - begin < allowed(1.4)


def test_check_none_only_settles(lab: Lab) -> None:
    """With `check = "none"` no server is queried, only `settle` is waited for, and no event claims more."""
    stage = ViewStage(lab)
    begin = time.monotonic()
    stage.view.wait_visible(stage.context, [record("never.example.test")], timeout=8, settle=0.1, check="none")
    assert 0.1 <= time.monotonic() - begin < allowed(2)
    assert stage.events == []


def test_no_recursive_server_is_asked_for_the_value(lab: Lab) -> None:
    """The recursive server gets no query for the value, during the wait and after it."""
    lab.lag = 0.3
    lab.update("example.test", add=[("spot25", "TXT", "new")])
    with lab.resolver_forwarder() as recursive:
        ViewStage(lab, nameserver="{}:{}".format(*recursive.listen)).wait(record("spot25.example.test"))
        assert questions(recursive.queries)
        assert "spot25.example.test." not in {name for name, _ in questions(recursive.queries)}


def test_values_are_those_of_all_servers_together(lab: Lab) -> None:
    """The values of a name are those of all its servers together."""
    lab.lag = 60
    stage = ViewStage(lab)
    assert stage.view.values(stage.context, "spot26.example.test") == set()
    lab.update("example.test", add=[("spot26", "TXT", "new")])
    assert stage.view.values(stage.context, "spot26.example.test") == {"new"}


def _empty(query: Query) -> dns.message.Message:
    answer = dns.message.make_response(query.message)
    answer.flags |= dns.flags.AA
    return answer


class NoIPv6(socket.socket):
    """A socket without an IPv6 route."""

    def connect_ex(self, address: Any) -> int:
        """Fail as the kernel does."""
        return errno.ENETUNREACH if self.family == socket.AF_INET6 else super().connect_ex(address)
