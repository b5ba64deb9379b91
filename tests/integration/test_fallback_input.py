"""Bad input to the fallback's parts: each a typed error or a warning that names it, with a fix; nothing is lost."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import pytest

from tests.kit.fallback_stage import DNS, SITE, codes, dns, http, second_ca, site, tried, with_meta
from tests.kit.program import Kept, failed
from tests.kit.renew_stage import Stage, leaf, through
from tests.lab.workspace import Workspace

HMAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


@pytest.fixture
def stage(workspace: Workspace) -> Stage:
    """Nothing has been obtained yet."""
    return Stage(workspace)


def refused(workspace: Workspace, changes: dict[str, Any], *words: str) -> None:
    """A mistake of the configuration: exit status 2, one line with these words, and nothing was sent."""
    workspace.write(changes)
    exit_status, document = workspace.run_json("renew")
    assert exit_status == 2
    error = document["error"]
    assert error["code"] == "config-invalid"
    (mistake,) = error["evidence"]["mistakes"]
    line = json.dumps(mistake)
    assert not [word for word in words if word not in line], line
    assert not (workspace.store / "certificates").exists()


def test_two_routes_alike(workspace: Workspace) -> None:
    """The second could never do better than the first."""
    refused(workspace, {"certificate.0.routes": [dns("home"), DNS, dns("home")]}, "number 1", "routes")


def test_a_wildcard_with_http_01_only(workspace: Workspace) -> None:
    """It is ruled out from the start."""
    refused(workspace, {"certificate.0.routes": [{"challenge": "http-01"}]}, "*.example.test", "dns-01")


@pytest.mark.parametrize("hmac", ["not base64url!", "a"])
def test_a_binding_that_is_not_base64url(stage: Stage, hmac: str) -> None:
    """It is said without the key, nothing is sent to that CA, and the other one issues."""
    with second_ca(stage), stage.lab.acme_proxy() as proxy:
        routes = {"certificate.0.routes": [DNS, {**DNS, "ca": "other"}]}
        changes = {**through(proxy), **routes, "ca.lab.eab": {"kid": "kid-1", "hmac": hmac}}
        outcome = stage.renewed(changes)
    assert codes(outcome) == ["eab-invalid", None]
    error = outcome.attempts[0].error
    assert error is not None
    assert "lab" in error.message
    assert "not base64url!" not in json.dumps(error.to_dict())
    assert proxy.counts["newAccount"] == 0


def test_a_binding_that_the_second_ca_wants(stage: Stage) -> None:
    """Its own terms, its own binding, its own account: a fallback to a CA with EAB."""
    down = f"https://127.0.0.1:{stage.lab.reserve()}/dir"
    stage.workspace.canaries.append(HMAC)
    with second_ca(stage, pebble=stage.lab.another_pebble(eab={"kid-1": HMAC})):
        changes = {
            "ca.lab.directory": down,
            "ca.other": {**stage.base["ca.other"], "eab": {"kid": "kid-1", "hmac": HMAC}},
            "certificate.0.routes": [dns("home"), dns("home", ca="other")],
        }
        outcome = stage.renewed(changes)
    assert codes(outcome) == ["ca-unreachable", None]


def test_an_unknown_profile(stage: Stage) -> None:
    """A required one that is not offered: no order at this CA, which is left with those on offer named."""
    with stage.lab.acme_proxy(None, with_meta(profiles={"classic": "90 days"})) as proxy:
        outcome = stage.one({**through(proxy), "certificate.0.profile": "shortlived"})
    assert tried(outcome) == [("lab", "dns-01", ("home",), 0, "ca-profile-unknown")]
    assert outcome.error is not None
    assert outcome.error.evidence["offered"] == ["classic"]
    assert "shortlived" in outcome.error.message
    assert proxy.counts["newOrder"] == 0


def test_an_unknown_profile_that_is_only_preferred(stage: Stage) -> None:
    """The default one, and a warning."""
    with stage.lab.acme_proxy(None, with_meta(profiles={"classic": "90 days"})) as proxy:
        outcome = stage.renewed({**through(proxy), "certificate.0.profile": {"prefer": "shortlived"}})
        assert [notice.code for notice in outcome.warnings] == ["profile-unknown"]
        again = stage.one({**through(proxy), "certificate.0.profile": {"prefer": "shortlived"}})
    assert again.status == "not-due"  # it is what could be had


def test_a_chain_that_nobody_offers(stage: Stage) -> None:
    """The default one is kept, and the warning names those on offer."""
    outcome = stage.renewed({"certificate.0.preferred_chain": "Root of Nobody"})
    (warning,) = outcome.warnings
    assert warning.code == "chain-unknown"
    assert "Root of Nobody" in warning.message
    assert "Pebble Root CA" in warning.message
    assert warning.fix


def test_an_occupied_port_and_no_other_route(workspace: Workspace) -> None:
    """The program says who has the port, and the old certificate stands."""
    workspace.lab.add_zone(SITE, "@ A 127.0.0.1\nwww A 127.0.0.1\nmail A 127.0.0.1\n")
    kept = Kept.place(workspace)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        workspace.write({"certificate.0.domains": [SITE], "certificate.0.routes": [http(port)]})
        outcome = failed(workspace, "renew", "--force", code="http-port-taken", words=(str(port),))
    assert [attempt["orders"] for attempt in outcome["attempts"]] == [0]
    kept.assert_whole()


def test_an_unwritable_webroot_and_no_other_route(workspace: Workspace) -> None:
    """The folder is named."""
    workspace.lab.add_zone(SITE, "@ A 127.0.0.1\nwww A 127.0.0.1\nmail A 127.0.0.1\n")
    kept = Kept.place(workspace)
    webroot = workspace.path / "webroot"
    webroot.write_text("a file")
    routes = [{"challenge": "http-01", "webroot": "webroot"}]
    workspace.write({"certificate.0.domains": [SITE], "certificate.0.routes": routes})
    code = "http-webroot-missing"
    outcome = failed(workspace, "renew", "--force", code=code, words=(str(webroot),))
    assert outcome["attempts"][0]["route"] == {"ca": "lab", "challenge": "http-01", "dns": []}
    kept.assert_whole()


def test_no_route_left_after_skipping_is_told_to_a_person(workspace: Workspace) -> None:
    """Every attempt stands in what people read, with its reason, and the last has what to do."""
    workspace.lab.add_zone(SITE, "@ A 127.0.0.1\nwww A 127.0.0.1\nmail A 127.0.0.1\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        changes = {"certificate.0.domains": [SITE], "certificate.0.routes": [http(port), dns("home")]}
        workspace.write(changes)
        done = workspace.run("renew")
    told = re.sub(r"\s+", " ", done.stdout + done.stderr)
    assert done.returncode == 1
    for word in (
        "http-01",
        "dns-01",
        f"Port {port}",
        "in use",
        "No DNS account can write",
        "zones = [",
        "next try",
    ):
        assert word in told, told
    assert "Traceback" not in told


def test_what_was_revoked_already(workspace: Workspace) -> None:
    """The second time is calm: it says so, and the certificate is due for replacement."""
    assert workspace.run("renew").returncode == 0
    first = leaf(workspace.store / "certificates" / "home" / "current").serial_number
    assert workspace.run("revoke", "home", "--yes", "--reason", "superseded").returncode == 0
    done = workspace.run("revoke", "home", "--yes", "--reason", "superseded")
    told = done.stdout + done.stderr
    assert "revoked" in told
    assert "Traceback" not in told
    exit_status, document = workspace.run_json("status")
    assert document["certificates"][0]["state"] == "revoked"
    workspace.lab.flush()
    exit_status, document = workspace.run_json("renew")
    assert (exit_status, document["outcomes"][0]["reason"]) == (0, "revoked")
    assert leaf(workspace.store / "certificates" / "home" / "current").serial_number != first
    assert workspace.run_json("status")[1]["certificates"][0]["state"] == "valid"


def test_a_mix_of_a_good_and_a_bad_name_of_the_configuration_is_told_by_name(stage: Stage) -> None:
    """One name of two has no account: it is the one that is named, and no order is made."""
    with stage.lab.acme_proxy() as proxy:
        changes = {**site(stage, SITE, "away.invalid"), **through(proxy)}
        outcome = stage.one(changes)
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert "away.invalid" in outcome.error.message
    assert proxy.counts["newOrder"] == 0
