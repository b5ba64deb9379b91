"""The dns-persist-01 challenge with real name servers, and with real CAs: one that offers it, and one that does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.dns_stage import ViewStage, until_both_serve
from tests.kit.fallback_stage import attempt_rows
from tests.kit.program import WorkspaceHere, named_in
from tests.kit.renew_stage import Stage, error_of
from tests.lab import Lab
from tests.lab.acme2certifier import INSTALLED, ISSUER, Acme2Certifier
from tests.lab.workspace import Workspace

WORKSPACE = WorkspaceHere

pytestmark = pytest.mark.leaves_txt  # the record stays
PERSIST = {"challenge": "dns-persist-01"}
BY_HOME = {**PERSIST, "dns": "home"}
TEXT = "ca.test; accounturi=https://ca.test/acct/1; policy=wildcard; persistUntil=1827360000"


def zone(lab: Lab, name: str, *routes: dict[str, Any], wild: bool = False, mine: bool = True) -> dict[str, Any]:
    """Make a zone; return the change for a certificate for it.

    :param mine: whether the account `home` may write it.
    """
    lab.add_zone(name)
    return {
        "dns.home.zones": [name] if mine else ["example.test"],
        "certificate.0.domains": [name, f"*.{name}"] if wild else [name],
        "certificate.0.routes": list(routes),
    }


# ── name servers ────────────────────────────────────────────────────────────────────────


def test_the_name_servers_tell_which_records_there_are(lab: Lab) -> None:
    """Values are read from the name servers whole, with their semicolons. A name without a record has no value."""
    lab.add_zone("persist-values.test")
    lab.update("persist-values.test", add=[("_validation-persist", "TXT", f'"{TEXT}"')])
    until_both_serve(lab, "_validation-persist.persist-values.test", TEXT)
    stage = ViewStage(lab)
    assert stage.view.known_values(stage.context, "_validation-persist.persist-values.test.") == {TEXT}
    assert stage.view.known_values(stage.context, "_validation-persist.www.persist-values.test.") == set()


def test_the_resolver_tells_where_the_name_servers_do_not(lab: Lab) -> None:
    """If the name servers do not answer, values come from the recursive server. Without it they are unknown."""
    lab.add_zone("persist-closed.test")
    lab.update("persist-closed.test", add=[("_validation-persist", "TXT", f'"{TEXT}"')])
    until_both_serve(lab, "_validation-persist.persist-closed.test", TEXT)  # the resolver may ask either
    name = "_validation-persist.persist-closed.test."
    stage = ViewStage(lab)
    stage.view.zones.port = lab.reserve("127.0.0.1", "127.0.0.2")  # nothing listens there
    assert stage.view.known_values(stage.context, name) == {TEXT}
    lost = ViewStage(lab, nameserver=f"127.0.0.1:{lab.reserve()}")
    assert lost.view.known_values(lost.context, name) is None


def test_a_cname_leads_to_the_place_of_the_record(lab: Lab) -> None:
    """A CNAME at the label `_validation-persist` is followed, as a CA does."""
    lab.add_zone("persist-cname.test", "_validation-persist CNAME spot.example.test.")
    stage = ViewStage(lab)
    assert stage.target("*.persist-cname.test", label="_validation-persist").name == "spot.example.test."


# ── a CA without it ─────────────────────────────────────────────────────────────────────


def test_pebble_does_not_offer_it(stage: Stage) -> None:
    """If the CA does not offer dns-persist-01, no record is written, and dns-01 follows in the same run."""
    changes = zone(stage.lab, "persist-pebble.test", PERSIST, {"challenge": "dns-01", "dns": "home"}, wild=True)
    outcome = stage.renewed(changes)
    assert attempt_rows(outcome) == [
        ("lab", "dns-persist-01", (), 1, "ca-no-challenge"),
        ("lab", "dns-01", ("home",), 1, None),
    ]
    assert stage.lab.txt("_validation-persist.persist-pebble.test") == set()


# ── a CA that offers it ─────────────────────────────────────────────────────────────────

offered = pytest.mark.skipif(not INSTALLED, reason="acme2certifier is not installed")


@pytest.fixture
def other_ca(stage: Stage, tmp_path: Path) -> Iterator[Stage]:
    """The stage with a CA that offers the challenge."""
    lab = stage.lab
    with Acme2Certifier(tmp_path / "acme2certifier", lab.ca, lab.nameserver) as running:
        stage.base["ca.a2c"] = {"directory": running.directory_url, "trust": str(lab.ca.trust_pem)}
        stage.base["default_ca"] = "a2c"
        yield stage


@offered
def test_a_ca_validates_a_domain_and_its_wildcard_by_one_record(other_ca: Stage) -> None:
    """The account writes one record for a domain and its wildcard. The next renewal needs no account and no record."""
    lab, changes = other_ca.lab, zone(other_ca.lab, "persist-a2c.test", BY_HOME, wild=True)
    outcome = other_ca.renewed(changes)
    assert attempt_rows(outcome) == [("a2c", "dns-persist-01", ("home",), 1, None)]
    (text,) = lab.txt("_validation-persist.persist-a2c.test")
    assert text.startswith(f"{ISSUER}; accounturi=https://127.0.0.1:")
    without = {**changes, "certificate.0.routes": [PERSIST], "dns.home.zones": ["example.test"]}
    assert other_ca.renewed(without, force=True).status == "renewed"
    assert "txt-writing" not in other_ca.kinds()
    assert lab.txt("_validation-persist.persist-a2c.test") == {text}


@offered
def test_a_ca_validates_the_record_that_the_error_shows(other_ca: Stage) -> None:
    """The value in the error can be copied into the zone, beside foreign records, and the next run succeeds."""
    lab, changes = other_ca.lab, zone(other_ca.lab, "persist-hand.test", PERSIST, mine=False)
    error = error_of(other_ca.one(changes))
    assert error.code == "dns-persist-missing"
    lab.update("persist-hand.test", add=[("_validation-persist", "TXT", f'"{TEXT}"')])
    lab.update("persist-hand.test", add=[("_validation-persist", "TXT", f'"{error.evidence["value"]}"')])
    assert other_ca.renewed(changes, now=True).status == "renewed"
    assert lab.txt("_validation-persist.persist-hand.test") == {TEXT, error.evidence["value"]}


@offered
def test_the_command_shows_the_record_before_any_order_and_checks_it(other_ca: Stage, workspace: Workspace) -> None:
    """`delegate` shows it and orders nothing; set as it is, the CA validates it, and `--check` sees what drifts."""
    lab, changes = other_ca.lab, zone(other_ca.lab, "persist-first.test", PERSIST, mine=False, wild=True)
    workspace.write({"ca.a2c": other_ca.base["ca.a2c"], "default_ca": "a2c", **changes})
    command = ("delegate", "persist-first.test", "--to", "dns-persist-01")
    assert "account-missing" in json.dumps(workspace.run_json(*command, "--check"))
    status, failed = workspace.run_json(*command)
    assert (status, failed["error"]["code"]) == (1, "dns-persist-missing")
    again = named_in(failed["error"]["fix"], "delegate {name} --to dns-persist-01")
    advice = workspace.run("delegate", "persist-first.test", "--to", "persist-first.test", "--check").stderr
    check = named_in(advice, "delegate {name} --to dns-persist-01 --check")
    value = failed["error"]["evidence"]["value"]
    status, found = workspace.run_json(*command, "--check")
    assert (status, found["accepted"], found["records"][0]["value"]) == (1, False, value)
    lab.update("persist-first.test", add=[("_validation-persist", "TXT", f'"{value.replace("/acct/", "/other/")}"')])
    assert "another account" in workspace.run_json(*command, "--check")[1]["records"][0]["reason"]
    lab.update("persist-first.test", add=[("_validation-persist", "TXT", f'"{value}"')])
    assert workspace.run_json(*check.split())[0] == 0
    lab.flush()
    assert workspace.run_json(*again.split())[0] == 0
    assert workspace.run_json("renew")[1]["outcomes"][0]["status"] == "renewed"


@offered
def test_a_ca_accepts_the_record_after_a_new_account_key(other_ca: Stage) -> None:
    """After a change of the account's key the record is still valid, because the account URL stays the same."""
    changes = zone(other_ca.lab, "persist-roll.test", BY_HOME)
    other_ca.renewed(changes)
    other_ca.renewer(changes).roll_accounts(["a2c"])
    other_ca.renewed(changes, force=True)
    assert "txt-writing" not in other_ca.kinds()
