"""CAA records, read from real servers, and their verdicts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from dnsrenew.base import checks as caa
from dnsrenew.base.checks import CaaAnswer, CaaRecord
from dnsrenew.base.model import Check, Route
from dnsrenew.errors import Cancelled
from tests.kit.dns_stage import ViewStage, questions
from tests.kit.load import allowed
from tests.lab import Lab, Query, dnsforwarder

Hook = Callable[[Query], bytes | dns.message.Message | None]

CA = "lab-ca.test"
ACCOUNT = "https://lab-ca.test/acct/7"


def caa_of(lab: Lab, identifier: str, stage: ViewStage | None = None) -> CaaAnswer:
    """Return the CAA answer for one identifier."""
    stage = stage or ViewStage(lab)
    return stage.view.caa(stage.context, [identifier])[identifier]


def verdict_of(lab: Lab, identifier: str, challenge: str = "dns-01") -> Check:
    """Return the verdict for one identifier."""
    return caa.judge(caa_of(lab, identifier), identifier, challenge, ca_identities=[CA], account_url=ACCOUNT)


KINDS = {
    "match": ('0 issue "lab-ca.test"', "ok", "ok"),
    "mismatch": ('0 issue "else.test"', "ca", "ca"),
    "nobody": ('0 issue ";"', "ca", "ca"),
    "wildonly": ('0 issuewild "else.test"', "ok", "ca"),
    "nowild": ('0 issue "lab-ca.test"\n@ CAA 0 issuewild ";"', "ok", "ca"),
    "wildtoo": ('0 issue "else.test"\n@ CAA 0 issuewild "lab-ca.test"', "ca", "ok"),
    "several": ('0 issue "else.test"\n@ CAA 0 issue "lab-ca.test"\n@ CAA 0 issue ";"', "ok", "ok"),
    "critical": ('128 tbs "what"\n@ CAA 0 issue "lab-ca.test"', "ca", "ca"),
    "uncritical": ('0 tbs "what"', "ok", "ok"),
    "iodef": ('0 iodef "mailto:a@example.test"', "ok", "ok"),
    "account": (f'0 issue "lab-ca.test; accounturi={ACCOUNT}"', "ok", "ok"),
    "stranger": ('0 issue "lab-ca.test; accounturi=https://lab-ca.test/acct/8"', "account", "account"),
    "method": ('0 issue "lab-ca.test; validationmethods=http-01,dns-01"', "ok", "ok"),
    "othermethod": ('0 issue "lab-ca.test; validationmethods=http-01"', "method", "method"),
    "malformed": ('0 issue "%%%%%"', "ca", "ca"),
    "parameters": ('0 issue "lab-ca.test; a b"', "ca", "ca"),
    "uppercase": ('0 ISSUE "LAB-CA.test"', "ok", "ok"),
    "raw": ("TYPE257 \\# 10 00 05 6973737565 ff 00 22", "ca", "ca"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_record_is_read_and_judged(lab: Lab, kind: str) -> None:
    """Each kind of CAA record has the right verdict for the domain and for its wildcard."""
    records, plain, wild = KINDS[kind]
    line = f"@ {records}" if records.startswith("TYPE") else f"@ CAA {records}"
    lab.add_zone(f"{kind}-caa.test", f"{line}\n")
    for identifier, wanted in ((f"{kind}-caa.test", plain), (f"*.{kind}-caa.test", wild)):
        verdict = verdict_of(lab, identifier)
        assert verdict.evidence.get("scope", verdict.result) == wanted, verdict
        assert verdict.evidence["found_at"] == f"{kind}-caa.test"


def test_no_record_anywhere_is_no_restriction_and_costs_two_questions(lab: Lab) -> None:
    """If the targets are known, a domain and its wildcard cost one query to their zone and one to the top level."""
    with lab.resolver_forwarder() as resolver, lab.forwarder("127.0.0.3") as server:
        lab.add_zone("free-caa.test", ns=["127.0.0.3"])
        stage = ViewStage(lab, nameserver="{}:{}".format(*resolver.listen))
        identifiers = ["free-caa.test", "*.free-caa.test"]
        stage.view.challenge_targets(stage.context, identifiers)
        before = len(resolver.queries), len(server.queries)
        answers = stage.view.caa(stage.context, identifiers)
        assert answers == dict.fromkeys(identifiers, CaaAnswer())
        assert questions(resolver.queries[before[0] :]) == [("test.", "CAA")]
        assert questions(server.queries[before[1] :]) == [("free-caa.test.", "CAA")]
        stage.view.caa(stage.context, identifiers)
        assert (len(resolver.queries), len(server.queries)) == (before[0] + 1, before[1] + 1)


def test_without_a_target_the_zone_is_found_first(lab: Lab) -> None:
    """Without a known target the zone is found first, by SOA, NS and addresses. Then the CAA queries are the same."""
    with lab.resolver_forwarder() as resolver, lab.forwarder("127.0.0.3") as server:
        lab.add_zone("cold-caa.test", ns=["127.0.0.3"])
        assert caa_of(lab, "cold-caa.test", ViewStage(lab, nameserver="{}:{}".format(*resolver.listen))) == CaaAnswer()
        assert sorted(questions(resolver.queries)) == [
            ("cold-caa.test.", "NS"),
            ("cold-caa.test.", "SOA"),
            ("ns1.cold-caa.test.", "A"),
            ("ns1.cold-caa.test.", "AAAA"),
            ("test.", "CAA"),
        ]
        assert questions(server.queries) == [("cold-caa.test.", "CAA")]


def test_the_nearest_set_counts(lab: Lab) -> None:
    """A name without a CAA set has that of its nearest parent, whether or not the name exists."""
    lab.add_zone("near-caa.test", '@ CAA 0 issue "else.test"\nwww CAA 0 issue "lab-ca.test"\n')
    assert verdict_of(lab, "www.near-caa.test").result == "ok"
    assert verdict_of(lab, "a.b.www.near-caa.test").evidence["found_at"] == "www.near-caa.test"
    other = verdict_of(lab, "a.b.near-caa.test")
    assert (other.result, other.evidence["found_at"]) == ("bad", "near-caa.test")
    assert 'near-caa.test. CAA 0 issue "lab-ca.test"' in other.fix


def test_a_wildcard_in_the_zone_has_records_for_names_below(lab: Lab) -> None:
    """CAA records of a DNS wildcard count for the names below it."""
    lab.add_zone("star-caa.test", '* CAA 0 issue "else.test"\n')
    assert verdict_of(lab, "www.star-caa.test").evidence["found_at"] == "www.star-caa.test"
    assert verdict_of(lab, "star-caa.test").result == "ok"


def test_the_set_of_the_zone_above_counts_for_a_delegated_one(lab: Lab) -> None:
    """The CAA set of a parent zone is read from that zone's servers, not from a resolver."""
    lab.add_zone("up-caa.test", '@ CAA 0 issue "else.test"\n')
    lab.add_zone("sub.up-caa.test")
    with lab.resolver_forwarder(_liar('0 issue ";"')) as resolver:
        stage = ViewStage(lab, nameserver="{}:{}".format(*resolver.listen))
        answer = caa_of(lab, "www.sub.up-caa.test", stage)
    assert answer == CaaAnswer((CaaRecord(0, "issue", "else.test"),), "up-caa.test", "up-caa.test")


def test_records_that_only_a_resolver_shows_are_no_denial(lab: Lab) -> None:
    """CAA records that only a resolver shows, and the zone's own servers lack, deny nothing."""
    lab.add_zone("lie-caa.test")
    lab.add_zone("sub.lie-caa.test")
    with lab.resolver_forwarder(_liar('0 issue ";"', only="lie-caa.test")) as resolver:
        stage = ViewStage(lab, nameserver="{}:{}".format(*resolver.listen))
        assert caa_of(lab, "www.sub.lie-caa.test", stage) == CaaAnswer()


def test_a_resolver_cannot_hide_a_set(lab: Lab) -> None:
    """The resolver has cached the absence of the nearer set, which allows what the farther one denies."""
    lab.add_zone("old-caa.test", '@ CAA 0 issue "else.test"\n')
    lab.add_zone("new.old-caa.test", '@ CAA 0 issue "lab-ca.test"\n')
    lab.add_zone("sub.new.old-caa.test")

    def forgetful(query: Query) -> bytes | dns.message.Message:
        stale = (query.name, query.rdtype) == ("new.old-caa.test", "CAA")
        return dns.message.make_response(query.message) if stale else query.forward()

    with lab.resolver_forwarder(forgetful) as resolver:
        stage = ViewStage(lab, nameserver="{}:{}".format(*resolver.listen))
        assert caa_of(lab, "www.sub.new.old-caa.test", stage).found_at == "new.old-caa.test"


def test_a_cname_is_followed_and_its_target_not_climbed(lab: Lab) -> None:
    """The target's own set counts; without one, those of the name's parents do, not of the target's."""
    lab.add_zone("there-caa.test", '@ CAA 0 issue "else.test"\nset CAA 0 issue ";"\nempty A 192.0.2.1\n')
    lab.add_zone(
        "alias-caa.test",
        "set CNAME set.there-caa.test.\nempty CNAME empty.there-caa.test.\nnear CNAME www\nhere CNAME set\n"
        'www CAA 0 issue "lab-ca.test"\ngone CNAME x.nowhere.invalid.\n'
    )  # fmt: skip
    stage = ViewStage(lab)
    identifiers = [f"{name}.alias-caa.test" for name in ("set", "empty", "near", "here", "gone")]
    answers = stage.view.caa(stage.context, identifiers)
    nobody = (CaaRecord(0, "issue", ";"),)
    assert answers["set.alias-caa.test"] == CaaAnswer(nobody, "set.alias-caa.test", "set.there-caa.test")
    assert answers["here.alias-caa.test"] == CaaAnswer(nobody, "here.alias-caa.test", "set.there-caa.test")
    assert answers["empty.alias-caa.test"] == CaaAnswer()
    assert answers["gone.alias-caa.test"] == CaaAnswer()
    assert answers["near.alias-caa.test"].owner == "www.alias-caa.test"
    verdict = verdict_of(lab, "set.alias-caa.test")
    assert "set.there-caa.test" in verdict.summary
    assert 'set.there-caa.test. CAA 0 issue "lab-ca.test"' in verdict.fix


def test_a_loop_of_cnames_is_unknown(lab: Lab) -> None:
    """No record is read, so nothing is denied."""
    with lab.forwarder("127.0.0.3", _circle):
        lab.add_zone("loop-caa.test", '@ CAA 0 issue ";"\n', ns=["127.0.0.3"])
        assert "a.loop-caa.test" in caa_of(lab, "a.loop-caa.test").unknown_reason
        assert verdict_of(lab, "a.loop-caa.test").result == "unknown"


def test_a_dangling_cname_below_a_set_is_unknown(lab: Lab) -> None:
    """If only a resolver says that a CNAME target does not exist, the result is unknown."""
    lab.add_zone("dangle-caa.test", 'www CNAME x.nowhere.invalid.\n@ CAA 0 issue "else.test"\n')
    assert verdict_of(lab, "www.dangle-caa.test").result == "unknown"


def test_servfail_is_unknown(lab: Lab) -> None:
    """A SERVFAIL is unknown, because it proves nothing from here. The parents are not queried."""
    with lab.forwarder("127.0.0.3", _failing("servfail-caa.test")):
        lab.add_zone("servfail-caa.test", '@ CAA 0 issue ";"\nwww CAA 0 issue "lab-ca.test"\n', ns=["127.0.0.3"])
        assert verdict_of(lab, "servfail-caa.test").result == "unknown"
        assert "127.0.0.3 answers SERVFAIL" in caa_of(lab, "x.servfail-caa.test").unknown_reason
        assert verdict_of(lab, "www.servfail-caa.test").result == "ok"  # its own set counts


def test_one_server_that_fails_does_not_matter(lab: Lab) -> None:
    """Another server of the zone is queried."""
    with lab.forwarder("127.0.0.3", dnsforwarder.rcode(dns.rcode.SERVFAIL)):
        lab.add_zone("half-caa.test", '@ CAA 0 issue ";"\n', ns=["127.0.0.3", "127.0.0.1"])
        assert verdict_of(lab, "half-caa.test").result == "bad"


def test_an_answer_without_authority_is_ignored(lab: Lab) -> None:
    """An answer from a router denies nothing."""
    with lab.forwarder("127.0.0.3", dnsforwarder.strip_aa):
        lab.add_zone("lame-caa.test", '@ CAA 0 issue ";"\n', ns=["127.0.0.3"])
        assert verdict_of(lab, "lame-caa.test").result == "unknown"


def test_a_large_set_comes_by_tcp(lab: Lab) -> None:
    """Sixty records do not fit into a datagram."""
    lab.add_zone("large-caa.test", "".join(f'@ CAA 0 issue "ca-{number:03}.example.test"\n' for number in range(60)))
    assert len(caa_of(lab, "large-caa.test").records) == 60


def test_a_router_that_fails_for_this_type_costs_nothing(lab: Lab) -> None:
    """The top level is unknown, which denies nothing; the zone's own records still count."""
    lab.add_zone("router-caa.test", 'www CAA 0 issue "else.test"\n')
    with lab.resolver_forwarder(_router) as resolver:
        stage = ViewStage(lab, nameserver="{}:{}".format(*resolver.listen))
        assert caa_of(lab, "www.router-caa.test", stage).records
        started = time.monotonic()
        assert "answers SERVFAIL" in caa_of(lab, "router-caa.test", stage).unknown_reason
        assert time.monotonic() - started < allowed(0.2)


def test_a_router_that_drops_this_type_costs_two_seconds_once(lab: Lab) -> None:
    """The second query in a run is not sent."""
    lab.add_zone("drop-caa.test")
    with lab.resolver_forwarder(lambda query: None if query.rdtype == "CAA" else query.forward()) as resolver:
        stage = ViewStage(lab, nameserver="{}:{}".format(*resolver.listen))
        started = time.monotonic()
        assert caa_of(lab, "drop-caa.test", stage).unknown_reason
        assert time.monotonic() - started < allowed(2.0)
        started = time.monotonic()
        assert caa_of(lab, "*.drop-caa.test", stage).unknown_reason
        assert time.monotonic() - started < allowed(0.1)


def test_silent_servers_are_unknown_after_some_seconds(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """If all servers are silent, the result is unknown after four seconds; here after one."""
    monkeypatch.setattr("dnsrenew.dns.caa_lookup._SECONDS", 1.0)
    with lab.silent("127.0.0.5"), lab.silent("127.0.0.6"):
        lab.add_zone("silent-caa.test", ns=["127.0.0.5", "127.0.0.6"])
        stage = ViewStage(lab)
        started = time.monotonic()
        assert caa_of(lab, "silent-caa.test", stage).unknown_reason
        assert time.monotonic() - started < allowed(1.5)


def test_no_resolver_at_all_is_unknown(lab: Lab) -> None:
    """Without a resolver the result is unknown, without an error."""
    stage = ViewStage(lab, nameserver=f"127.0.0.1:{lab.reserve()}")
    assert caa_of(lab, "example.test", stage).unknown_reason


def test_zones_whose_servers_do_not_answer_here_are_not_asked_again(lab: Lab) -> None:
    """If a zone's servers did not answer the search for the target, the result is unknown."""
    lab.add_zone("closed-caa.test", ns=["127.0.0.9"])
    stage = ViewStage(lab)
    stage.view.challenge_targets(stage.context, ["closed-caa.test"], check="none")
    assert caa_of(lab, "*.closed-caa.test", stage).unknown_reason


def test_a_cancel_is_seen_at_once(lab: Lab) -> None:
    """A cancel during the CAA lookup raises Cancelled, not a time-out."""
    with lab.silent("127.0.0.5"):
        lab.add_zone("cancel-caa.test", ns=["127.0.0.5"])
        stage = ViewStage(lab)
        threading.Timer(0.2, stage.context.cancel.set).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            caa_of(lab, "cancel-caa.test", stage)
        assert time.monotonic() - started < allowed(1.0)


def test_names_below_one_parent_share_its_answers(lab: Lab) -> None:
    """For names below one parent there is one query for each, one for the parent, and one for the top level."""
    with lab.resolver_forwarder() as resolver, lab.forwarder("127.0.0.3") as server:
        lab.add_zone("many-caa.test", ns=["127.0.0.3"])
        stage = ViewStage(lab, nameserver="{}:{}".format(*resolver.listen))
        identifiers = [f"n{number}.many-caa.test" for number in range(20)]
        stage.view.challenge_targets(stage.context, identifiers)
        before = len(resolver.queries), len(server.queries)
        stage.view.caa(stage.context, identifiers)
        assert (len(resolver.queries), len(server.queries)) == (before[0] + 1, before[1] + 21)


def test_a_hundred_names_far_away_take_a_few_round_trips() -> None:
    """Queries are sent in parallel: in sequence they would take a hundred round trips of 50 ms."""
    with Lab.start(round_trip=0.05) as lab:
        identifiers = [f"n{number}.example.test" for number in range(100)]
        stage = ViewStage(lab)
        stage.view.caa(stage.context, ["other.test"])  # imports, once for each process
        stage = ViewStage(lab)
        started = time.monotonic()
        assert not any(answer.unknown_reason for answer in stage.view.caa(stage.context, identifiers).values())
        cold = time.monotonic() - started
        stage = ViewStage(lab)
        stage.view.challenge_targets(stage.context, identifiers)
        started = time.monotonic()
        stage.view.caa(stage.context, identifiers)
        warm = time.monotonic() - started
        figures = f"cold {cold:.3f} s, after the places {warm:.3f} s"
    assert cold < allowed(3), figures
    assert warm < allowed(2), figures


def test_denials_of_a_mix_of_routes(lab: Lab) -> None:
    """The name may be validated by http-01, the wildcard not by dns-01: one error, for the wildcard."""
    lab.add_zone("mix-caa.test", '@ CAA 0 issue "lab-ca.test; validationmethods=http-01"\n')
    stage = ViewStage(lab)
    routes = {"mix-caa.test": Route("http-01"), "*.mix-caa.test": Route("dns-01")}
    errors = caa.denials(stage.view.caa(stage.context, list(routes)), routes, [CA], ACCOUNT)
    assert list(errors) == ["*.mix-caa.test"]
    error = errors["*.mix-caa.test"]
    assert (error.code, error.evidence["scope"]) == ("caa", "method")
    assert error.fix.endswith('mix-caa.test. CAA 0 issue "lab-ca.test; validationmethods=http-01,dns-01"')


def _liar(value: str, only: str = "") -> Hook:
    """Return a resolver that has this CAA record for every name."""

    def hook(query: Query) -> bytes | dns.message.Message:
        if query.rdtype != "CAA" or (only and query.name != only):
            return query.forward()
        answer = dns.message.make_response(query.message)
        answer.answer.append(dns.rrset.from_text(f"{query.name}.", 60, "IN", "CAA", value))
        return answer

    return hook


def _failing(name: str) -> Hook:
    def hook(query: Query) -> bytes | dns.message.Message:
        failing = query.rdtype == "CAA" and query.name == name
        return dnsforwarder.rcode(dns.rcode.SERVFAIL)(query) if failing else query.forward()

    return hook


def _circle(query: Query) -> bytes | dns.message.Message:
    """A server with a loop of aliases, one at a time."""
    if query.rdtype != "CAA" or query.name == "loop-caa.test":
        return query.forward()
    answer = dns.message.make_response(query.message)
    answer.flags |= dns.flags.AA
    other = "b" if query.name.startswith("a.") else "a"
    answer.answer.append(dns.rrset.from_text(f"{query.name}.", 60, "IN", "CNAME", f"{other}.loop-caa.test."))
    return answer


def _router(query: Query) -> bytes | dns.message.Message:
    return dnsforwarder.rcode(dns.rcode.SERVFAIL)(query) if query.rdtype == "CAA" else query.forward()
