"""The CA account in whole runs: created once, found again, changed and closed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.kit.ca_box import not_offered
from tests.kit.program import WorkspaceHere, named_in
from tests.kit.renew_stage import Stage, certificates, through
from tests.lab import AcmeProxy

WORKSPACE = WorkspaceHere


def folder(stage: Stage) -> Path:
    """The folder of the account in the store."""
    (only,) = (stage.workspace.store / "accounts").iterdir()
    return only


def url(stage: Stage) -> str:
    """The account's URL, as stored."""
    return str(json.loads((folder(stage) / "account.json").read_text())["url"])


def made(proxy: AcmeProxy) -> list[int]:
    """The status of each newAccount answer: 201 created, 200 found."""
    return [exchange.response.status for exchange in proxy.of_kind("newAccount") if exchange.response]


def test_the_account_is_made_once_and_found_by_the_next_process(stage: Stage) -> None:
    """The account's key is ES256 and does not change. The second process sends no account request."""
    workspace = stage.workspace
    with stage.lab.acme_proxy() as proxy:
        workspace.write({**through(proxy), "certificate": certificates("a", "b")})
        assert workspace.run("renew", "a").returncode == 0
        key = load_pem_private_key((folder(stage) / "key.pem").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        assert key.curve.name == "secp256r1"
        first = url(stage)
        assert workspace.run("renew", "b").returncode == 0
        assert (made(proxy), proxy.counts["account"]) == ([201], 0)
        signed = [exchange.request.header for exchange in proxy.exchanges if exchange.request.method == "POST"]
    assert url(stage) == first
    assert {header["alg"] for header in signed} == {"ES256"}
    assert {header.get("kid", first) for header in signed} == {first}


@pytest.mark.parametrize("contact", [["you@example.test"], []])
def test_a_changed_contact_reaches_the_ca(stage: Stage, contact: list[str]) -> None:
    """A changed contact is sent once, with the next order. The account stays the same."""
    with stage.lab.acme_proxy() as proxy:
        stage.renewed(through(proxy))
        first = url(stage)
        changes: dict[str, Any] = {**through(proxy), "contact": contact}
        stage.renewed(changes, force=True)
        sent = [exchange.request.payload for exchange in proxy.of_kind("account")]
        assert sent == [{"contact": [f"mailto:{address}" for address in contact]}]
        stage.renewed(changes, force=True)
        assert (proxy.counts["account"], made(proxy)) == (1, [201])
    assert url(stage) == first


def test_a_new_contact_can_be_sent_at_once(stage: Stage) -> None:
    """`account contact` sends a new contact and prints the CA's; the next order does not send it again."""
    workspace = stage.workspace
    with stage.lab.acme_proxy() as proxy:
        stage.renewed(through(proxy))
        workspace.write({**through(proxy), "contact": ["you@example.test"]})
        status, document = workspace.run_json("account", "contact")
        assert (status, document["accounts"][0]["contact"]) == (0, ["mailto:you@example.test"])
        sent = [exchange.request.payload for exchange in proxy.of_kind("account")]
        assert {"contact": ["mailto:you@example.test"]} in sent
        stage.renewed({**through(proxy), "contact": ["you@example.test"]}, force=True)
        changes = [exchange.request.payload for exchange in proxy.of_kind("account")]
    assert [change for change in changes if change] == [{"contact": ["mailto:you@example.test"]}]


def test_a_closed_account_is_replaced_by_the_next_order(stage: Stage) -> None:
    """`account deactivate` closes the account at the CA and deletes its key. Certificates stay."""
    workspace = stage.workspace
    assert workspace.run_json("account", "deactivate") == (0, {"version": 1, "accounts": []})  # nothing to ask about
    with stage.lab.acme_proxy() as proxy:
        stage.renewed(through(proxy))
        first, key = url(stage), (folder(stage) / "key.pem").read_bytes()
        workspace.write(through(proxy))
        assert workspace.run_json("account", "deactivate")[0] == 2  # there is no terminal to ask at
        status, document = workspace.run_json("account", "deactivate", "--yes")
        assert status == 0
        (closed,) = document["accounts"]
        assert (closed["url"], closed["status"], closed["error"]) == (first, "deactivated", None)
        assert not (folder(stage) / "key.pem").exists()
        assert workspace.run_json("account", "show") == (0, {"version": 1, "accounts": []})
        stage.renewed(through(proxy), force=True)
        assert made(proxy) == [201, 201]
    assert url(stage) != first
    assert (folder(stage) / "key.pem").read_bytes() != key


def test_an_account_that_was_closed_elsewhere(stage: Stage) -> None:
    """If the CA refuses to close an account that is already closed, its key is deleted too."""
    workspace = stage.workspace
    stage.renewed()
    kept = {path: path.read_bytes() for path in (folder(stage) / "key.pem", folder(stage) / "account.json")}
    assert workspace.run_json("account", "deactivate", "lab", "--yes")[0] == 0
    for path, content in kept.items():
        path.write_bytes(content)
        path.chmod(0o600)
    assert workspace.run_json("account", "show")[1]["accounts"][0]["status"] == "deactivated"
    status, document = workspace.run_json("account", "deactivate", "lab", "--yes")
    assert (status, document["accounts"][0]["status"]) == (0, "deactivated")
    assert not (folder(stage) / "key.pem").exists()


def compromised(
    stage: Stage, changes: dict[str, Any], line: str = "account roll lab --compromised"
) -> tuple[dict[str, Any], str]:
    """Run `account roll --compromised`, which must succeed; return the account, and what else was said."""
    stage.workspace.write(changes)
    done = stage.workspace.run(*line.split(), "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["accounts"]
    assert (found["status"], found["error"]) == ("valid", None)
    return found, done.stderr


def test_a_compromised_key_is_replaced_while_the_account_is_open(stage: Stage) -> None:
    """While the CA has not closed the account, it keeps its URL and gets a new key."""
    stage.renewed()
    first, key = url(stage), (folder(stage) / "key.pem").read_bytes()
    found, said = compromised(stage, {})
    assert found["url"] == first == url(stage)
    assert (folder(stage) / "key.pem").read_bytes() != key
    assert first not in said
    stage.renewed(force=True)


def test_an_account_that_the_ca_closed_for_its_key_is_replaced(stage: Stage) -> None:
    """If the CA has closed the account, one command makes a new one with a new key, and names both accounts."""
    stage.renewed()
    first, key = url(stage), (folder(stage) / "key.pem").read_bytes()
    kept = {path: path.read_bytes() for path in (folder(stage) / "key.pem", folder(stage) / "account.json")}
    assert stage.workspace.run_json("account", "deactivate", "lab", "--yes")[0] == 0
    for path, content in kept.items():  # as if the CA had closed it by itself
        path.write_bytes(content)
        path.chmod(0o600)
    assert "account roll" in stage.workspace.run("account", "show").stdout
    advice = stage.failed(force=True).fix
    found, said = compromised(stage, {}, named_in(advice, "account roll {ca} --compromised"))
    assert found["url"] == url(stage) != first
    assert (folder(stage) / "key.pem").read_bytes() != key
    assert first in said
    assert "accounturi" in said
    stage.renewed(force=True)


def test_where_keys_cannot_be_changed_the_account_is_closed(stage: Stage) -> None:
    """At a CA without key changes the old account is closed, so that its key is of no use, and a new one is made."""
    with stage.lab.acme_proxy(on_response=not_offered("keyChange")) as proxy:
        stage.renewed(through(proxy))
        before = url(stage)
        found, _ = compromised(stage, through(proxy))
        assert {"status": "deactivated"} in [each.request.payload for each in proxy.of_kind("account")]
        assert found["url"] == url(stage) != before
        stage.renewed(through(proxy), force=True)
