"""Whole runs with dns-account-01 routes, in memory: a CA of the draft or of another one, and the real renewal."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Config, Renewer
from dnsrenew.base.model import CertificateSpec, DnsAccount, Outcome, Route
from dnsrenew.challenges.dns01 import account_label
from dnsrenew.challenges.records import RecordWriter
from dnsrenew.drivers.provider import Behaviour, Provider
from dnsrenew.testing import acme_box
from dnsrenew.testing.box import acme_box as box_module
from dnsrenew.testing.box.order_server import OrderServer, Proof
from dnsrenew.testing.box.resources import BoxAuthorization
from tests.kit.acme_server import AccountProof, CaBehaviour
from tests.kit.run_stage import RunStage, RunWorld

OFFERED = ("dns-01", "dns-account-01")
OWN = Route("dns-account-01", dns="a", ca="one")
DNS = Route("dns-01", dns="a", ca="one")
NAMES = ("x.test", "*.x.test")


def stage_of(folder: Path, offers: tuple[str, ...] = OFFERED, label: str = "_acme-challenge", **world: str) -> RunStage:
    """A stage whose CA offers the challenge."""
    behaviour = CaBehaviour(offers=offers, label=label, blamed=None)
    return RunStage(folder / "state", RunWorld({"one": behaviour}, {"a": world.get("host", "ok")}))


def run(stage: RunStage, *routes: Route) -> list[tuple[str, int, str | None]]:
    """Obtain a certificate; return challenge, orders and error code of each attempt."""
    spec = CertificateSpec(name="home", domains=NAMES, identifiers=NAMES, ca="one", routes=routes)
    outcome: Outcome = stage.run(spec)
    return [
        (each.route.challenge, each.orders, None if each.error is None else each.error.code)
        for each in outcome.attempts
    ]


def written(stage: RunStage) -> set[str]:
    """The names of the records that accounts were asked to write."""
    return {record["name"] for data in stage.event_data("txt-writing") for record in data["records"]}


def test_the_label_of_an_account() -> None:
    """It is that of the example in the draft."""
    assert account_label("https://example.com/acme/acct/ExampleAccount") == "_ujmmovf2vn55tgye"


@pytest.mark.parametrize("host", ["ok", "one"])
def test_the_value_stands_below_the_label_of_the_account(tmp_path: Path, host: str) -> None:
    """A domain and its wildcard are validated there, also by a host that keeps one value; nothing stays."""
    stage = stage_of(tmp_path, host=host)
    assert run(stage, OWN) == [("dns-account-01", 1, None)]
    (url,) = stage.accounts["one"]
    assert written(stage) == {f"{account_label(url)}._acme-challenge.x.test."}
    assert not any(stage.hosts["a"].values.values())


def test_a_cname_of_the_label_is_followed(tmp_path: Path) -> None:
    """Not the one of `_acme-challenge`, which belongs to dns-01."""
    stage = stage_of(tmp_path)
    url = stage._client("one").open(stage.context)
    other = f"{account_label(url)}._acme-challenge.x.test."
    stage.dns.cnames = {"_acme-challenge.x.test.": "wrong.far.test."}
    assert run(stage, OWN) == [("dns-account-01", 1, None)]
    assert written(stage) == {other}


def test_a_ca_without_it_costs_one_order(tmp_path: Path) -> None:
    """It is chosen only where the CA offers it; the same run goes on with the next route."""
    stage = stage_of(tmp_path, offers=("dns-01",))
    assert run(stage, OWN, DNS) == [("dns-account-01", 1, "ca-no-challenge"), ("dns-01", 1, None)]
    assert written(stage) == {"_acme-challenge.x.test."}


def test_offered_is_not_yet_passable(tmp_path: Path) -> None:
    """A CA of another draft looks elsewhere: one failure, and the next route."""
    stage = stage_of(tmp_path, label="_acme-host-challenge")
    first, second = run(stage, OWN, DNS)
    assert (first[:2], second) == (("dns-account-01", 1), ("dns-01", 1, None))
    assert first[2] is not None
    assert not any(stage.hosts["a"].values.values())


def test_a_host_that_writes_only_behind_a_cname_does_not_write_here() -> None:
    """For acme-dns the label of the account is a name that it cannot hold, as `_acme-challenge` is."""
    provider = Provider(name="p", title="P", driver="acme-dns", behaviour=Behaviour(delegated=True))
    writer = RecordWriter(DnsAccount("p", name="acme"), provider)
    assert not writer.may_write("_ujmmovf2vn55tgye._acme-challenge.x.test.")
    assert writer.may_write("d420c923.auth.example.org.")


def test_an_address_has_no_record(tmp_path: Path) -> None:
    """An IP address is left for another route."""
    stage = stage_of(tmp_path)
    spec = CertificateSpec(
        name="home", domains=("192.0.2.7",), identifiers=("192.0.2.7",), ca="one", routes=(Route("dns-account-01"),)
    )
    error = stage.run(spec).error
    assert error is not None
    assert error.code == "dns-account-ip-address"


class AccountOrders(OrderServer):
    """The CA of a box, with this challenge instead of others."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "offers": ("dns-account-01",)})

    def _proof(self, authorization: BoxAuthorization, kind: str) -> Proof:
        proof = AccountProof.by(self.accounts[authorization.account], super()._proof(authorization, kind))
        return AccountProof("dns-01", proof.identifier, proof.token, proof.expected, proof.first)


def test_over_https_and_with_a_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the configuration to the certificate, with real requests and queries on loopback; nothing stays in DNS."""
    monkeypatch.setattr(box_module, "OrderServer", AccountOrders)
    with acme_box() as box:
        given = tomllib.loads(f'default_ca = "box"\nagree_terms = true\n{box.toml()}')
        routes = [{"challenge": "dns-account-01", "dns": "box"}]
        given |= {"store": str(box.store), "certificate": [{"domains": ["example.com"], "routes": routes}]}
        (outcome,) = Renewer(Config.from_dict(given)).renew()
        assert outcome.error is None, outcome.error
        assert outcome.route is not None
        assert (outcome.route.challenge, outcome.route.dns) == ("dns-account-01", ("box",))
        assert not any(box.driver.values.values())
