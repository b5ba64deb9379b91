"""The targets of challenges, found at real servers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.dns import wire
from dnsrenew.dns.lookup import Recursion
from dnsrenew.dns.wire import DnsQuestion
from dnsrenew.errors import DnsError, PropagationError
from tests.kit.dns_stage import ViewStage, questions, record
from tests.kit.load import allowed
from tests.kit.renew_stage import Stage
from tests.lab import Lab, dnsforwarder
from tests.lab.workspace import Workspace, forget_account


def test_the_apex_and_its_wildcard_have_one_target(lab: Lab) -> None:
    """The apex and its wildcard have the same challenge name, in the zone of the SOA."""
    stage = ViewStage(lab)
    targets = stage.view.challenge_targets(stage.context, ["example.test", "*.example.test"])
    assert targets["example.test"] == targets["*.example.test"]
    target = targets["example.test"]
    assert (target.name, target.hops, target.served_zone) == ("_acme-challenge.example.test.", (), "example.test.")


def test_a_name_that_does_not_exist_is_in_the_zone_above(lab: Lab) -> None:
    """A name without records can have a certificate, at any depth."""
    stage = ViewStage(lab)
    assert stage.target("a.b.c.example.test").served_zone == "example.test."


def test_a_delegated_sub_zone_is_found(lab: Lab) -> None:
    """The zone is the one with the SOA."""
    lab.add_zone("branch.example.test")
    stage = ViewStage(lab)
    found = stage.view.challenge_targets(stage.context, ["x.branch.example.test", "branch.example.test"])
    assert {target.served_zone for target in found.values()} == {"branch.example.test."}


def test_only_the_topmost_names_are_looked_up_at_the_recursive_servers(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The zones of names below another one are found at its servers, which refer to a delegated zone."""
    lab.add_zone("leaf.example.test")
    asked: list[str] = []
    find = Recursion.find

    def recorded(self: Recursion, context: Context, wanted: Iterable[DnsQuestion]) -> Any:
        wanted = list(wanted)
        asked.extend(question.name.to_text() for question in wanted if question.type == dns.rdatatype.SOA)
        return find(self, context, wanted)

    monkeypatch.setattr(Recursion, "find", recorded)
    stage = ViewStage(lab)
    names = ["a.leaf.example.test", "example.test", "leaf.example.test", *(f"n{n}.example.test" for n in range(20))]
    found = stage.view.challenge_targets(stage.context, names)
    in_leaf = {name for name, target in found.items() if target.served_zone == "leaf.example.test."}
    assert in_leaf == {"a.leaf.example.test", "leaf.example.test"}
    assert {found[name].served_zone for name in names if name not in in_leaf} == {"example.test."}
    assert asked == ["example.test."]


def test_the_servers_of_a_delegated_zone_are_its_own(lab: Lab) -> None:
    """If the zone above names only one server of a delegated zone, the others are waited for too."""
    lab.add_zone("meagre.test", "sub NS ns1.sub\nns1.sub A 127.0.0.1", ns=["127.0.0.3"])
    lab.add_zone("sub.meagre.test")
    owner = "sub.meagre.test."

    def refer(query: dnsforwarder.Query) -> dns.message.Message | bytes | None:
        if not query.name.endswith("sub.meagre.test"):
            return query.forward()
        answer = dns.message.make_response(query.message)
        answer.flags &= ~dns.flags.AA
        answer.authority.append(dns.rrset.from_text(owner, 60, "IN", "NS", "ns1.sub.meagre.test."))
        answer.additional.append(dns.rrset.from_text("ns1.sub.meagre.test.", 60, "IN", "A", "127.0.0.1"))
        return answer

    with lab.forwarder("127.0.0.3", refer):
        stage = ViewStage(lab)
        found = stage.view.challenge_targets(stage.context, ["meagre.test", "*.sub.meagre.test"])
        assert found["*.sub.meagre.test"].served_zone == owner
        servers = stage.view.zones.servers(stage.context, [wire.from_text(owner)])
    assert {server.address for each in servers.values() for server in each} == {"127.0.0.1", "127.0.0.2"}


def test_a_zone_cut_at_the_challenge_name_itself_is_found(lab: Lab) -> None:
    """The name's own server is another one, to which the parent's servers refer."""
    cut = "_acme-challenge.www.cutting.test"
    lab.add_zone("cutting.test", "_acme-challenge.www NS away\naway A 127.0.0.4\n")
    with lab.powerdns() as server:
        sets = [("NS", "away.cutting.test."), ("TXT", '"new"')]
        rrsets = [
            {"name": f"{cut}.", "type": kind, "ttl": 60, "changetype": "REPLACE", "records": [{"content": content}]}
            for kind, content in sets
        ]
        server.api("POST", "/zones", {"name": f"{cut}.", "kind": "Native", "rrsets": rrsets})
        stage = ViewStage(lab)
        target = stage.target("www.cutting.test")
        assert (target.name, target.served_zone) == (f"{cut}.", f"{cut}.")
        assert stage.view.values(stage.context, cut) == {"new"}


def test_a_cut_at_the_very_name_on_the_servers_of_its_parent_is_found(lab: Lab) -> None:
    """If the parent's servers also serve the zone, there is no referral, and the SOA shows the zone."""
    lab.add_zone("spot.example.test", ns=["127.0.0.1"])
    lab.add_zone("own.test", "_acme-challenge CNAME spot.example.test.\n")
    stage = ViewStage(lab)
    target = stage.target("own.test")
    assert (target.name, target.served_zone) == ("spot.example.test.", "spot.example.test.")
    with pytest.raises(PropagationError):  # and it has name servers of its own
        stage.wait(record("spot.example.test"), timeout=0.1)
    assert list(stage.servers()) == ["127.0.0.1"]


def test_cnames_are_followed_over_several_hops_into_another_zone(lab: Lab) -> None:
    """The target has every hop."""
    lab.add_zone("hopping.test", "_acme-challenge CNAME one\none CNAME two.other.test.\n")
    lab.update("other.test", add=[("two", "CNAME", "three.other.test.")])
    stage = ViewStage(lab)
    target = stage.target("*.hopping.test")
    assert target.name == "three.other.test."
    assert target.hops == ("_acme-challenge.hopping.test.", "one.hopping.test.", "two.other.test.")
    assert target.served_zone == "other.test."
    lab.update("other.test", remove=[("two",)])


def test_an_unconfirmed_cname_into_another_zone_is_a_warning(workspace: Workspace) -> None:
    """The CNAME leads to a name with other records in another zone; an alias or the account's zones confirm it."""
    workspace.lab.add_zone("customer.test", "_acme-challenge CNAME _dmarc.example.test.\n", refuse=True)
    stage = Stage(workspace)
    unlimited = {"dns.home.zones": None, "certificate.0.domains": ["customer.test"]}
    (warning,) = stage.renewed(unlimited).warnings
    assert warning.code == "cname-elsewhere"
    assert "_dmarc.example.test in the zone example.test" in warning.message
    alias = {"challenge": "dns-01", "alias": "_dmarc.example.test"}
    for said in ({"certificate.0.routes": [alias]}, {"dns.home.zones": ["example.test"]}):
        forget_account(stage.workspace.store)
        assert stage.renewed({**unlimited, **said}, force=True).warnings == ()
    assert set(stage.written()) == {("home", "example.test.", "_dmarc.example.test.")}


def test_follow_cname_false_stays_at_the_name(lab: Lab) -> None:
    """With `follow_cname = false` the CNAME is ignored, and the zone of the name itself is found."""
    lab.add_zone("staying.test", "_acme-challenge CNAME x.other.test.\n")
    stage = ViewStage(lab)
    target = stage.target("staying.test", follow_cname=False)
    assert (target.name, target.served_zone) == ("_acme-challenge.staying.test.", "staying.test.")


def test_a_wildcard_cname_is_no_delegation(lab: Lab) -> None:
    """A wildcard CNAME is not followed, because it does not apply once the TXT record is written."""
    lab.add_zone("starry.test", "* CNAME www.other.test.\n*.deep A 192.0.2.1\n")
    stage = ViewStage(lab)
    found = stage.view.challenge_targets(stage.context, ["starry.test", "a.starry.test"])
    assert [target.name for target in found.values()] == [
        "_acme-challenge.starry.test.",
        "_acme-challenge.a.starry.test.",
    ]
    assert {target.served_zone for target in found.values()} == {"starry.test."}


def test_a_real_cname_beside_a_wildcard_cname_is_followed(lab: Lab) -> None:
    """A CNAME that differs from the wildcard's is followed."""
    lab.add_zone("beside.test", "* CNAME www.other.test.\n_acme-challenge CNAME x.other.test.\n")
    stage = ViewStage(lab)
    assert stage.target("beside.test").name == "x.other.test."


@pytest.mark.leaves_txt
def test_a_wildcard_txt_is_no_delegation_and_no_value(lab: Lab) -> None:
    """TXT values of a wildcard are ignored."""
    lab.add_zone("texts.test", '* TXT "wild"\n')
    stage = ViewStage(lab)
    assert stage.target("texts.test").name == "_acme-challenge.texts.test."


def test_a_loop_of_cnames_is_refused(lab: Lab) -> None:
    """A loop of CNAME records is refused before an order, and the evidence has the hops."""
    lab.add_zone("looping.test", "_acme-challenge CNAME a\na CNAME b\nb CNAME a\n")
    stage = ViewStage(lab)
    with pytest.raises(DnsError) as caught:
        stage.target("looping.test")
    assert caught.value.code == "cname-loop"
    assert caught.value.evidence["hops"] == [
        "_acme-challenge.looping.test.", "a.looping.test.", "b.looping.test.", "a.looping.test."
    ]  # fmt: skip


def test_a_cname_into_no_zone_is_refused(lab: Lab) -> None:
    """A CNAME to a name that is in no zone is refused."""
    lab.add_zone("dangling.test", "_acme-challenge CNAME x.gone.invalid.\n")
    stage = ViewStage(lab)
    with pytest.raises(DnsError, match=r"x\.gone\.invalid") as caught:
        stage.target("dangling.test")
    assert caught.value.code == "cname-dangling"


def test_a_name_in_no_zone_is_refused(lab: Lab) -> None:
    """A name that is in no zone is refused, and the message has the user's name without our label."""
    stage = ViewStage(lab)
    with pytest.raises(DnsError, match=r"www\.nowhere\.invalid") as caught:
        stage.target("www.nowhere.invalid")
    assert caught.value.code == "dns-no-zone"
    with pytest.raises(DnsError) as caught:
        stage.target("www.nowhere.invalid", follow_cname=False)
    assert caught.value.code == "dns-no-zone"


def test_an_unregistered_domain_is_refused(lab: Lab) -> None:
    """A name directly in a top-level zone is refused as unregistered if that zone has a DS record."""
    lab.add_zone("toplevel")
    lab.add_zone("pointing.test", "_acme-challenge CNAME x.misspelt.toplevel.\n")

    def signed(query: dnsforwarder.Query) -> bytes | dns.message.Message:
        if query.message.question[0].rdtype.name != "DS":
            return query.forward()
        answer = dns.message.make_response(query.message)
        answer.answer.append(dns.rrset.from_text("toplevel.", 60, "IN", "DS", "1 8 2 " + "00" * 32))
        return answer

    stage = ViewStage(lab)
    assert stage.target("www.misspelt.toplevel").served_zone == "toplevel."
    with lab.resolver_forwarder(signed) as recursive:
        stage = ViewStage(lab, nameserver="{}:{}".format(*recursive.listen))
        for domain in ("www.misspelt.toplevel", "misspelt.toplevel"):
            with pytest.raises(DnsError, match=r"misspelt\.toplevel") as caught:
                stage.target(domain)
            assert caught.value.code == "dns-no-zone"
        with pytest.raises(DnsError) as caught:
            stage.target("pointing.test")
        assert caught.value.code == "cname-dangling"


def test_an_alias_must_be_where_the_cname_leads(lab: Lab) -> None:
    """An alias that differs from the CNAME's target is refused, and the fix has the CNAME record to set."""
    lab.add_zone("aliased.test", "_acme-challenge CNAME x.other.test.\n*.w CNAME x.other.test.\n")
    stage = ViewStage(lab)
    assert stage.target("aliased.test", alias="X.other.test").name == "x.other.test."
    assert stage.target("aliased.test", alias="x.other.test", follow_cname=False).hops
    through_wildcard = stage.target("w.aliased.test", alias="x.other.test")
    assert through_wildcard.name == "x.other.test."  # nothing is written at that name, so the wildcard still applies
    with pytest.raises(DnsError) as caught:
        stage.target("aliased.test", alias="y.other.test")
    assert caught.value.code == "alias-not-delegated"
    assert "_acme-challenge.aliased.test. CNAME y.other.test." in caught.value.fix
    with pytest.raises(DnsError) as caught:
        stage.target("example.test", alias="x.other.test")
    assert "_acme-challenge.example.test. CNAME x.other.test." in caught.value.fix


def test_an_alias_with_a_cname_of_its_own(lab: Lab) -> None:
    """An alias that is itself a CNAME is refused, and the error has the alias at its end."""
    lab.add_zone("chained.test", "_acme-challenge CNAME mid\nmid CNAME end.other.test.\n")
    stage = ViewStage(lab)
    with pytest.raises(DnsError, match=r'alias = "end\.other\.test"'):
        stage.target("chained.test", alias="mid.chained.test")


def test_no_recursive_server_is_asked_for_the_name(lab: Lab) -> None:
    """No recursive server is queried for the challenge name or the CNAME's target: it would cache the absence."""
    lab.add_zone("quiet.test", "_acme-challenge CNAME spot.other.test.\n")
    with lab.resolver_forwarder() as recursive:
        stage = ViewStage(lab, nameserver="{}:{}".format(*recursive.listen))
        view, context = stage.view, stage.context
        targets = view.challenge_targets(context, ["quiet.test", "h.example.test", "*.example.test"])
        view.warn_wildcard_shadow(context, targets)
        view.values(context, "spot.other.test")
        names = {name for name, _ in questions(recursive.queries)}
    assert names
    assert not [name for name in names if "_acme" in name or "spot" in name]


def test_what_was_found_is_remembered_for_the_run(lab: Lab) -> None:
    """A second name in the same zone needs no query about its name servers."""
    with lab.resolver_forwarder() as recursive:
        stage = ViewStage(lab, nameserver="{}:{}".format(*recursive.listen))
        stage.target("a.example.test")
        before = len(recursive.queries)
        stage.target("b.example.test")
        assert questions(recursive.queries[before:]) == [("b.example.test.", "SOA")]


def test_a_resolver_that_fails_at_first_is_asked_again(lab: Lab) -> None:
    """After one SERVFAIL the resolver is queried again."""
    fail = dnsforwarder.rcode(2)  # type: ignore[arg-type]  # SERVFAIL
    with lab.resolver_forwarder(lambda query: fail(query) if query.number == 1 else query.forward()) as recursive:
        stage = ViewStage(lab, nameserver="{}:{}".format(*recursive.listen))
        assert stage.target("example.test").served_zone == "example.test."


def test_after_servfail_the_zone_is_found_by_climbing(lab: Lab) -> None:
    """If the resolver fails for the name, the zone is found by the parent's name."""
    fail = dnsforwarder.rcode(2)  # type: ignore[arg-type]  # SERVFAIL

    def hook(query: dnsforwarder.Query) -> object:
        return fail(query) if query.name == "sour.example.test" else query.forward()

    with lab.resolver_forwarder(hook) as recursive:  # type: ignore[arg-type]
        stage = ViewStage(lab, nameserver="{}:{}".format(*recursive.listen))
        assert stage.target("sour.example.test").served_zone == "example.test."


def test_a_silent_resolver_is_passed_over_and_stays_last(lab: Lab) -> None:
    """A silent resolver costs little more than half a second, once in a run."""
    with lab.silent(port=(port := lab.reserve("127.0.0.5"))):
        stage = ViewStage(lab, nameserver=(f"127.0.0.5:{port}", lab.nameserver))
        for domain, seconds in (("a.example.test", 1.5), ("b.example.test", 0.4)):
            begin = time.monotonic()
            assert stage.target(domain).served_zone == "example.test."
            assert time.monotonic() - begin < allowed(seconds)


def test_no_network(lab: Lab) -> None:
    """If nothing listens at the recursive server's port, the error says that the network is missing."""
    stage = ViewStage(lab, nameserver=f"127.0.0.1:{lab.reserve()}")
    with pytest.raises(DnsError, match="This machine cannot reach any DNS server") as caught:
        stage.target("example.test")
    assert caught.value.code == "dns-unreachable"


def test_a_resolver_that_fails_for_every_name_is_no_network(lab: Lab) -> None:
    """A resolver that fails for every name, as a home router does, counts as a missing network."""
    with lab.resolver_forwarder(dnsforwarder.rcode(2)) as recursive:  # type: ignore[arg-type]  # SERVFAIL
        stage = ViewStage(lab, nameserver="{}:{}".format(*recursive.listen))
        with pytest.raises(DnsError, match="answers SERVFAIL") as caught:
            stage.target("example.test")
    assert caught.value.code == "dns-unreachable"


def test_without_an_soa_the_zone_is_found_by_climbing(lab: Lab) -> None:
    """If negative answers lack the SOA, as with systemd-resolved, the zone is found by the parent names."""

    def bare(query: dnsforwarder.Query) -> object:
        answer = dns.message.from_wire(query.forward())
        answer.authority = []
        return answer

    with lab.resolver_forwarder(bare) as recursive:  # type: ignore[arg-type]
        stage = ViewStage(lab, nameserver="{}:{}".format(*recursive.listen))
        assert stage.target("a.b.example.test").served_zone == "example.test."
        with pytest.raises(DnsError) as caught:
            stage.target("www.nowhere.invalid")
    assert caught.value.code == "dns-no-zone"


def test_a_zone_whose_servers_are_all_down(lab: Lab) -> None:
    """With `check = "none"` and all servers down, the name is used as it is, with a warning."""
    lab.add_zone("downed.test", ns=["127.0.0.6"])
    stage = ViewStage(lab)
    with pytest.raises(DnsError, match=r"downed\.test") as caught:
        stage.target("downed.test")
    assert caught.value.code == "dns-unreachable"
    target = stage.target("downed.test", check="none")
    assert (target.name, target.served_zone) == ("_acme-challenge.downed.test.", "downed.test.")
    assert stage.warnings == ["dns-closed"]
    believed = stage.target("downed.test", alias="x.other.test", check="none")
    assert (believed.name, believed.served_zone) == ("x.other.test.", "other.test.")


@pytest.mark.parametrize(
    ("zone", "records", "domain", "warned"),
    [
        ("shade-a.test", "* A 192.0.2.1\n", "nas.shade-a.test", True),
        ("shade-b.test", "* A 192.0.2.1\nnas A 192.0.2.2\n", "nas.shade-b.test", False),
        ("shade-c.test", "www A 192.0.2.1\n", "nas.shade-c.test", False),
        ("shade-d.test", "* CNAME www.other.test.\n", "nas.shade-d.test", True),
        ("shade-e.test", "* A 192.0.2.1\n", "shade-e.test", False),
        ("shade-f.test", "* A 192.0.2.1\n*.nas A 192.0.2.9\n", "nas.shade-f.test", False),
        ("shade-g.test", "* A 192.0.2.1\n", "deep.nas.shade-g.test", True),
        ("shade-h.test", "* A 192.0.2.1\n_acme-challenge.nas CNAME x.other.test.\n", "nas.shade-h.test", False),
        ("shade-i.test", "* MX 10 mail\n", "*.nas.shade-i.test", True),
    ],
)
def test_a_name_that_exists_by_a_wildcard_has_a_warning(
    lab: Lab, zone: str, records: str, domain: str, *, warned: bool
) -> None:
    """A name that exists only by a wildcard has a warning, because it vanishes while a TXT is below it (RFC 4592)."""
    lab.add_zone(zone, records)
    stage = ViewStage(lab)
    stage.view.warn_wildcard_shadow(stage.context, stage.view.challenge_targets(stage.context, [domain]))
    assert stage.warnings == (["wildcard-shadow"] if warned else [])
