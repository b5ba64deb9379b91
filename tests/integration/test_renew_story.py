"""One certificate and its renewals: the library with a real CA and real name servers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dnsrenew import Outcome, Renewer
from tests.kit.folders import here
from tests.kit.renew_stage import Stage, certificates, error_of, everywhere, leaf, names_in, through
from tests.lab import Lab, Pebble
from tests.lab.workspace import Workspace

CHALLENGE = "_acme-challenge.example.test"
DAYS = timedelta(days=1)


def current(workspace: Workspace, name: str = "home") -> Path:
    """Return the folder of the current version."""
    return (workspace.store / "certificates" / name / "current").resolve()


def test_the_apex_and_its_wildcard_are_one_order(stage: Stage) -> None:
    """Both values are at one name at once, and no value is left (the fixture checks this)."""
    outcome, lab = stage.renewed(), stage.lab
    assert (outcome.reason, outcome.domains) == ("missing", ("example.test", "*.example.test"))
    assert outcome.route is not None
    assert outcome.route.to_dict() == {"ca": "lab", "challenge": "dns-01", "dns": ["home"]}
    (attempt,) = outcome.attempts
    assert (attempt.orders, attempt.error) == (1, None)
    assert names_in(stage.leaf()) == {"example.test", "*.example.test"}
    assert f"{stage.leaf().serial_number:x}" == outcome.serial
    assert outcome.path == stage.workspace.store / "certificates/home/current"
    (written,) = stage.event_data("txt-writing")
    assert {record["name"] for record in written["records"]} == {f"{CHALLENGE}."}
    assert len({record["value"] for record in written["records"]}) == 2
    everywhere(lab, CHALLENGE, set())


def test_the_order_of_events(stage: Stage) -> None:
    """The steps have the order of RFC 8555 and DNS."""
    stage.renewed()
    kinds = [kind for kind in stage.kinds() if kind != "dns-waiting"]
    assert kinds == [
        "run-started",
        "certificate-started",
        "route-started",
        "order-created",
        "txt-writing",
        "txt-written",
        "dns-visible",
        "challenges-answered",
        "authorizations-valid",
        "order-finalized",
        "txt-removed",
        "certificate-stored",
        "certificate-finished",
        "run-finished",
    ]


@pytest.mark.leaves_txt
def test_foreign_values_at_the_same_name_survive(stage: Stage) -> None:
    """Another program's challenge is beside ours, is not taken for ours, and stays."""
    stage.lab.update("example.test", add=[("_acme-challenge", "TXT", "foreign-value")])
    stage.renewed()
    everywhere(stage.lab, CHALLENGE, {"foreign-value"})


@pytest.mark.leaves_txt
def test_foreign_values_survive_a_failure_too(stage: Stage) -> None:
    """The removal after an error takes our values only."""
    stage.lab.update("example.test", add=[("_acme-challenge", "TXT", "foreign-value")])
    stage.lab.lag = 30.0
    error = stage.failed({"certificate.0.propagation": {"timeout": 1}})
    assert error.code == "propagation-timeout"
    assert stage.lab.txt(CHALLENGE) == {"foreign-value"}


def test_what_is_not_due_costs_no_request_and_no_lock(stage: Stage) -> None:
    """A run with nothing due sends no request to the CA or to DNS, takes no lock, and emits no event.

    Half of the lifetime, because this CA suggests a renewal when about a third is left.
    """
    with stage.lab.acme_proxy() as proxy:
        half = {**through(proxy), "certificate.0.renew_before": "1/2"}
        stage.renewed(half)
        before, locks = sum(proxy.counts.values()), stage.workspace.store / "locks"
        shutil.rmtree(locks)
        outcome = stage.one(half)
        assert sum(proxy.counts.values()) == before
    assert (outcome.status, outcome.reason, outcome.attempts) == ("not-due", "renew-before", ())
    assert stage.events == []
    assert not locks.exists()


def test_force_renews_what_is_not_due(stage: Stage) -> None:
    """With `force` a certificate that is not due is renewed, with the reason `forced` and a new key."""
    first, key = stage.renewed(), stage.leaf().public_key()
    outcome = stage.renewed(force=True)
    assert outcome.reason == "forced"
    assert outcome.serial != first.serial
    assert stage.leaf().public_key() != key


def test_it_is_renewed_when_the_configured_part_of_its_life_is_left(stage: Stage) -> None:
    """The certificate is not due the day before, and is renewed at the time that its outcome has named.

    Half of the lifetime, because this CA suggests a renewal when about a third is left.
    """
    half = {"certificate.0.renew_before": "1/2"}
    first = stage.renewed(half)
    assert first.not_before is not None
    assert first.not_after is not None
    assert first.next_renewal == first.not_after - (first.not_after - first.not_before) / 2
    due = first.next_renewal - datetime.now(UTC)
    assert stage.one(half, later=due - DAYS).status == "not-due"
    again = stage.renewed(half, later=due)
    assert again.reason == "renew-before"
    assert again.serial != first.serial


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"certificate.0.domains": ["example.test", "www.example.test"]}, "another name"),
        ({"certificate.0.domains": ["example.test"]}, "a name less"),
        ({"certificate.0.key": "ecdsa-p384"}, "another kind of key"),
    ],
)
def test_it_is_renewed_after_a_change_of_the_configuration(stage: Stage, changes: dict[str, Any], why: str) -> None:
    """A change of names or of the key type renews the certificate."""
    stage.renewed()
    outcome = stage.renewed(changes)
    assert outcome.reason == "changed", why
    assert names_in(stage.leaf()) == set(changes.get("certificate.0.domains", outcome.domains))
    assert stage.one(changes).status == "not-due"


def test_it_is_renewed_at_another_ca(stage: Stage) -> None:
    """If another CA is configured, the certificate is renewed there, with a new account. The old CA gets no request."""
    stage.renewed()
    with stage.lab.another_pebble() as pebble, stage.lab.acme_proxy() as old:
        second = {"directory": pebble.directory_url, "trust": str(pebble.trust_pem)}
        outcome = stage.renewed({"ca.second": second, "default_ca": "second", **through(old)})
    assert outcome.reason == "changed"
    assert outcome.route is not None
    assert outcome.route.ca == "second"
    assert not old.exchanges
    assert len(list((stage.workspace.store / "accounts").iterdir())) == 2


@pytest.mark.parametrize("order", [["*.example.test", "example.test"], ["EXAMPLE.test", "*.Example.Test"]])
def test_the_same_names_written_otherwise_are_no_change(stage: Stage, order: list[str]) -> None:
    """Order and case of the names do not matter."""
    stage.renewed()
    assert stage.one({"certificate.0.domains": order}).status == "not-due"


@pytest.fixture
def hasty(lab: Lab) -> Iterator[Pebble]:
    """A CA whose certificates are valid for two minutes."""
    with lab.another_pebble(validity=120) as pebble:
        yield pebble


def test_an_expired_certificate_is_renewed_as_expired(stage: Stage, hasty: Pebble) -> None:
    """`status` reports it before, and a new one replaces it."""
    old = stage.renewed({"ca.lab.directory": hasty.directory_url})
    later = timedelta(seconds=121)
    (status,) = stage.renewer(later=later).status()
    assert (status.state, status.reason, status.serial) == ("expired", "expired", old.serial)
    outcome = stage.renewed(later=later)
    assert outcome.reason == "expired"


def test_three_versions_are_kept_and_current_moves(stage: Stage) -> None:
    """Three versions are kept, and the one whose paths this process got. `current` leads to the newest."""
    first, renewer = stage.renewed(), stage.renewer()
    held = renewer.certificate("home")
    seen = [first.serial, *(stage.renewed(force=True).serial for _ in range(2))]
    assert f"{leaf(here(held.fullchain_path).parent).serial_number:x}" == first.serial == held.serial
    seen += [stage.renewed(force=True).serial for _ in range(2)]
    versions = stage.workspace.store / "certificates/home/versions"
    kept = {f"{leaf(folder).serial_number:x}" for folder in versions.iterdir()}
    assert kept == {seen[0], *seen[2:]}
    now = renewer.certificate("home")
    assert now.serial == seen[-1] == f"{stage.leaf().serial_number:x}"
    paths = now.certificate_path, now.chain_path, now.fullchain_path, now.private_key_path
    folders = {here(path).parent for path in paths}
    assert folders == {current(stage.workspace)}
    now.ssl_context()  # OpenSSL checks the pair


@pytest.mark.parametrize(
    ("kind", "found"), [("ecdsa-p256", "secp256r1"), ("ecdsa-p384", "secp384r1"), ("rsa2048", "2048")]
)
def test_the_key_is_of_the_wanted_kind(stage: Stage, kind: str, found: str) -> None:
    """The certificate has the configured type of key, and the pair in the store fits."""
    stage.renewed({"certificate.0.key": kind, "certificate.0.domains": ["example.test"]})
    key = stage.leaf().public_key()
    if isinstance(key, rsa.RSAPublicKey):
        assert str(key.key_size) == found
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == found
    stage.renewer().certificate("home").ssl_context()


def test_international_names_go_both_ways(stage: Stage) -> None:
    """Names are configured and printed in Unicode, and ordered and stored as A-labels."""
    domains = ["Bücher.example.test", "*.bücher.example.test", "xn--mnchen-3ya.example.test"]
    outcome = stage.renewed({"certificate": [{"domains": domains}]})
    assert outcome.name == "xn--bcher-kva.example.test"
    assert outcome.domains == ("bücher.example.test", "*.bücher.example.test", "xn--mnchen-3ya.example.test")
    assert names_in(stage.leaf("xn--bcher-kva.example.test")) == {
        "xn--bcher-kva.example.test",
        "*.xn--bcher-kva.example.test",
        "xn--mnchen-3ya.example.test",
    }
    assert stage.one({"certificate": [{"domains": domains}]}).status == "not-due"


def test_an_order_that_is_ready_at_once_writes_no_dns(stage: Stage) -> None:
    """If the CA reuses all authorizations, no TXT value is written and no challenge is answered."""
    with stage.lab.another_pebble(authz_reuse=100) as pebble, stage.lab.acme_proxy(pebble=pebble) as proxy:
        stage.renewed(through(proxy))
        answered = proxy.counts["challenge"]
        outcome = stage.renewed(through(proxy), force=True)
        assert proxy.counts["challenge"] == answered
    assert outcome.error is None
    assert not {"txt-writing", "dns-waiting", "challenges-answered", "txt-removed"} & set(stage.kinds())
    assert stage.event_data("order-created")[0]["pending"] == []


def test_only_names_without_an_authorization_are_written(stage: Stage) -> None:
    """If a name is added, only its TXT value is written."""
    with stage.lab.another_pebble(authz_reuse=100) as pebble, stage.lab.acme_proxy(pebble=pebble) as proxy:
        stage.renewed(through(proxy))
        changes = {"certificate.0.domains": ["example.test", "*.example.test", "new.example.test"]}
        stage.renewed({**through(proxy), **changes})
    assert stage.event_data("order-created")[0]["pending"] == ["new.example.test"]
    assert stage.written() == [("home", "example.test.", "_acme-challenge.new.example.test.")]
    assert len(names_in(stage.leaf())) == 3


def test_a_failed_certificate_does_not_stop_the_others(stage: Stage) -> None:
    """If two of five certificates fail, the others are renewed, and the outcomes have the order of the file."""
    tables = certificates("a", "b", "c", "d", "e")
    tables[1]["domains"] = ["b.other.test"]
    tables[3]["domains"] = ["d.example.test", "d.other.test"]
    changes = {"certificate": tables, "dns.home.zones": None}
    outcomes = stage.run(changes)
    assert [outcome.name for outcome in outcomes] == ["a", "b", "c", "d", "e"]
    assert [outcome.status for outcome in outcomes] == ["renewed", "failed", "renewed", "failed", "renewed"]
    assert stage.event_data("run-finished")[0]["statuses"] == {"renewed": 3, "failed": 2}
    again = stage.run(changes)
    assert [outcome.status for outcome in again] == ["not-due", "deferred", "not-due", "deferred", "not-due"]


def test_only_the_named_certificates_are_worked_on(stage: Stage) -> None:
    """Only the named certificates are renewed, in the order of the file."""
    changes = {"certificate": certificates("a", "b", "c")}
    outcomes = stage.run(changes, names=["c", "a"])
    assert [(outcome.name, outcome.status) for outcome in outcomes] == [("a", "renewed"), ("c", "renewed")]
    assert [status.state for status in stage.renewer(changes).status()] == ["valid", "missing", "valid"]


def test_a_second_run_in_the_process_is_locked(stage: Stage) -> None:
    """A second run in the same process is `locked`, and its error has the process."""
    stage.lab.lag = 1.0
    seen: list[Outcome] = []

    def second(event: Any) -> None:
        if event.kind == "txt-written" and not seen:
            seen.extend(stage.renewer().renew())

    (outcome,) = Renewer(stage.config(), on_event=second).renew()
    assert outcome.status == "renewed"
    (other,) = seen
    assert (other.status, other.reason) == ("locked", "missing")
    assert (error_of(other).code, error_of(other).evidence["pid"]) == ("locked", os.getpid())
