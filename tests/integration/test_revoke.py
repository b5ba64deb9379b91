"""Revocation and accounts, through the real program, at a real CA."""

from __future__ import annotations

import json
import shutil
import signal
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import CAError, ConfigError, DnsRenewError, LockedError, StoreError
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.store import FolderStore
from tests.kit.load import allowed
from tests.kit.renew_stage import Stage, certificates, through
from tests.lab.acmemessages import DROP, Request, Response
from tests.lab.workspace import Workspace


@pytest.fixture
def stage(workspace: Workspace) -> Stage:
    """A workspace with a certificate."""
    stage = Stage(workspace)
    stage.renewed()
    return stage


def account(stage: Stage) -> Path:
    """The folder of the account."""
    (only,) = (stage.workspace.store / "accounts").iterdir()
    return only


def test_a_revoked_certificate_is_replaced(stage: Stage) -> None:
    """A revocation is signed with the account's key. `status` reports it, and the next run replaces the certificate."""
    before = stage.leaf().serial_number
    exit_status, document = stage.workspace.run_json("revoke", "home", "--yes", "--reason", "superseded")
    revoked = document["revoked"]
    assert (exit_status, revoked["reason"], revoked["signed_by"]) == (0, "superseded", "account")
    (status,) = stage.renewer().status()
    assert (status.state, status.reason) == ("revoked", "revoked")
    outcome = stage.renewed()
    assert outcome.reason == "revoked"
    assert stage.leaf().serial_number != before
    assert stage.renewer().status()[0].state == "valid"


@pytest.mark.parametrize("lost", [False, True])
def test_the_key_of_a_revoked_certificate_is_not_kept(stage: Stage, *, lost: bool) -> None:
    """After a revocation `reuse_key` does not keep the key, because it may be compromised, even without state.json."""
    key = stage.workspace.store / "certificates/home/current/privkey.pem"
    keep = {"certificate.0.reuse_key": True}
    before = key.read_bytes()
    stage.renewed(keep, force=True)
    assert key.read_bytes() == before
    stage.renewer(keep).revoke("home", reason="key-compromise")
    if lost:
        (stage.workspace.store / "certificates/home/state.json").unlink()
    assert stage.renewed(keep).reason == "revoked"
    assert key.read_bytes() != before


@pytest.mark.parametrize("answer", [DROP, Response.problem(403, "unauthorized", "not yours")], ids=["lost", "refused"])
def test_a_compromised_key_never_comes_back(stage: Stage, answer: Response) -> None:
    """A key revoked as compromised is not reused by a pending order, even if the CA's answer is lost or an error."""
    key = stage.workspace.store / "certificates/home/current/privkey.pem"
    keep, before = {"certificate.0.reuse_key": True}, key.read_bytes()

    def lose(request: Request) -> Response | None:
        return {"certificate": Response(404, b""), "revokeCert": answer}.get(request.kind)

    with stage.lab.acme_proxy(lose) as proxy:
        assert stage.one({**keep, **through(proxy)}, force=True).status == "failed"
        assert (stage.workspace.store / "certificates/home/order/key.pem").read_bytes() == before
        with pytest.raises(CAError):
            stage.renewer({**keep, **through(proxy)}).revoke("home", reason="key-compromise")
        assert stage.one({**keep, **through(proxy)}, force=True, now=True).status == "failed"
        proxy.on_request = None
        stage.renewed({**keep, **through(proxy)}, force=True, now=True)
        second = key.read_bytes()
        assert second != before
        stage.renewed({**keep, **through(proxy)}, force=True)
        assert key.read_bytes() == second  # the new key is reused as before


def test_a_second_revocation(stage: Stage) -> None:
    """A second revocation succeeds and marks the certificate, because the first run may have crashed before that."""
    stage.renewer().revoke("home")
    store = FolderStore(stage.workspace.store)
    with store.lock("home", context=Context()):
        state = json.loads((stage.workspace.store / "certificates/home/state.json").read_text())
        del state["revoked"]
        (stage.workspace.store / "certificates/home/state.json").write_text(json.dumps(state))
    status, document = stage.workspace.run_json("revoke", "home", "--yes")
    assert (status, document["revoked"]["already"], document["revoked"]["reason"]) == (0, True, "unspecified")
    assert stage.renewer().status()[0].state == "revoked"


def test_the_own_key_where_the_account_is_gone(stage: Stage) -> None:
    """If the account is lost, the certificate's own key signs the revocation, and no account is created."""
    shutil.rmtree(account(stage))
    done = stage.renewer().revoke("home", reason="key-compromise")
    assert (done.signed_by, done.already) == ("certificate", False)
    assert list((stage.workspace.store / "accounts").iterdir()) == []


def test_the_own_key_where_the_account_is_another_one(stage: Stage) -> None:
    """If the CA refuses the account, because another one obtained the certificate, the certificate's own key signs."""
    shutil.rmtree(account(stage))
    stage.run({"certificate": certificates("other")})
    assert stage.renewer().revoke("home").signed_by == "certificate"


@pytest.mark.parametrize(("file", "has_account"), [("fullchain.pem", True), ("privkey.pem", False)])
def test_a_damaged_certificate_cannot_be_revoked(stage: Stage, file: str, has_account: bool) -> None:
    """A damaged file, even of the right size, ends the revocation with an error that names it. Nothing is marked."""
    path = (stage.workspace.store / "certificates/home/current" / file).resolve()
    path.write_bytes(b"?" * path.stat().st_size)
    if not has_account:
        shutil.rmtree(account(stage))
    with pytest.raises(StoreError) as caught:
        stage.renewer().revoke("home")
    assert caught.value.code == "store-damaged"
    assert str(path) in caught.value.message
    assert stage.renewer().status()[0].state == "valid"


def test_a_certificate_that_is_not_configured_any_more(stage: Stage) -> None:
    """A stored certificate without a configuration can be revoked, and the output says that nothing replaces it."""
    stage.workspace.write({"certificate": certificates("other")})
    done = stage.workspace.run("revoke", "home", "--yes")
    assert done.returncode == 0, done.stderr
    assert "It is not in the configuration, so nothing replaces it." in done.stdout


def test_errors_of_a_revocation(stage: Stage) -> None:
    """An unknown name or reason, a missing certificate, an unknown CA and a lock each have an error of their own."""
    renewer = stage.renewer({"certificate": certificates("home", "new")})
    for name, reason, code in (("hmoe", "unspecified", "certificate-unknown"), ("home", "whim", "reason-unknown")):
        with pytest.raises(ConfigError) as caught:
            renewer.revoke(name, reason=reason)
        assert caught.value.code == code
    with pytest.raises(StoreError) as missing:
        renewer.revoke("new")
    assert missing.value.code == "certificate-missing"
    renamed = {"ca": {"second": stage.lab.config()["ca"]["lab"]}, "default_ca": "second"}
    with pytest.raises(ConfigError) as unknown:
        stage.renewer(renamed).revoke("home")
    assert unknown.value.code == "ca-unknown"
    for ca, table in (("127.0.0.1", '[ca."127.0.0.1"]'), ("lab", "[ca.lab]")):
        store = FolderStore(stage.workspace.store)
        with store.lock("home", context=Context()):
            store.update("home", partial(replace, ca=ca))
        with pytest.raises(ConfigError) as unknown:
            stage.renewer(renamed).revoke("home")
        assert table in unknown.value.fix
    with FolderStore(stage.workspace.store).lock("home", context=Context()):
        assert stage.workspace.run("revoke", "home", "--yes").returncode == 3
        with pytest.raises(LockedError):
            renewer.revoke("home")
    assert stage.renewer().status()[0].state == "valid"


@pytest.mark.parametrize(
    ("answer", "state"),
    [(DROP, "revoked"), (Response.problem(403, "unauthorized", "not yours"), "valid")],
    ids=["lost", "refused"],
)
def test_a_possibly_revoked_certificate_is_replaced(stage: Stage, answer: Response, state: str) -> None:
    """The mark is on disk before the request, so a lost answer or a kill leaves no revoked certificate in force.

    After a refusal the mark is removed.
    """
    marks: list[str] = []

    def ask(request: Request) -> Response | None:
        if request.kind != "revokeCert":
            return None
        marks.append(stage.renewer().status()[0].state)
        return answer

    with stage.lab.acme_proxy(ask) as proxy, pytest.raises(CAError):
        stage.renewer(through(proxy)).revoke("home")
    assert set(marks) == {"revoked"}
    assert stage.renewer().status()[0].state == state


def test_a_ca_that_cannot_even_be_asked_marks_nothing(stage: Stage) -> None:
    """If the CA's trust file is invalid, the revocation fails and the certificate is not marked."""
    trust = stage.workspace.path / "roots.pem"
    trust.write_bytes(stage.lab.ca.trust_pem.read_bytes())
    renewer = stage.renewer({"ca.lab.trust": str(trust)})
    trust.write_text("no certificate")
    with pytest.raises(DnsRenewError):
        renewer.revoke("home")
    assert stage.renewer().status()[0].state == "valid"


def test_a_revocation_at_a_silent_ca_can_be_interrupted(stage: Stage) -> None:
    """Ctrl-C ends a revocation at a silent CA within five seconds, and frees the lock."""
    asked, go_on = threading.Event(), threading.Event()

    def silent(request: Request) -> Response | None:
        if request.kind != "revokeCert":
            return None
        asked.set()
        go_on.wait(20)
        return DROP

    with stage.lab.acme_proxy() as proxy:
        proxy.on_request = silent
        stage.workspace.write(through(proxy))
        process = stage.workspace.start("revoke", "home", "--yes")
        try:
            assert asked.wait(20)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)
            assert time.monotonic() - began < allowed(5)
        finally:
            go_on.set()
            process.kill()
    assert process.returncode == 130
    assert stage.renewer().status()[0].state == "revoked"  # it may be revoked
    with FolderStore(stage.workspace.store).lock("home", context=Context()):
        pass


# ── accounts ────────────────────────────────────────────────────────────────────────────


def accounts_of(workspace: Workspace, *arguments: str) -> list[dict[str, Any]]:
    """Return the accounts in the output of `account`."""
    status, document = workspace.run_json("account", *arguments)
    assert status == 0
    assert document["version"] == 1
    accounts: list[dict[str, Any]] = document["accounts"]
    return accounts


def test_accounts_are_shown_and_get_new_keys(stage: Stage) -> None:
    """`account roll` changes the key and keeps the URL. The next renewal succeeds."""
    workspace = stage.workspace
    (one,) = accounts_of(workspace)
    url = json.loads((account(stage) / "account.json").read_text())["url"]
    assert (one["ca"], one["url"], one["status"], one["error"]) == ("lab", url, "valid", None)
    before = (account(stage) / "key.pem").read_bytes()
    assert [each["url"] for each in accounts_of(workspace, "roll", "lab")] == [url]
    assert (account(stage) / "key.pem").read_bytes() != before
    assert not (account(stage) / "key.next.pem").exists()
    said = workspace.run("account", "show")
    assert said.stdout.startswith(f"✓ lab: valid\n  account  {url}\n")
    stage.renewed(force=True)


def test_an_account_that_is_not_there(stage: Stage) -> None:
    """A CA without an account has the status `missing`. An unknown CA is wrong usage."""
    workspace = stage.workspace
    status, document = workspace.run_json("account", "show", "letsencrypt")
    (one,) = document["accounts"]
    assert (status, one["status"], one["error"]["code"]) == (1, "missing", "account-missing")
    status, document = workspace.run_json("account", "roll", "lba")
    assert (status, document["error"]["code"], document["error"]["evidence"]["nearest"]) == (2, "ca-unknown", "lab")


def test_no_account_at_all(workspace: Workspace) -> None:
    """`account` without any account succeeds, and creates none."""
    done = workspace.run("account")
    assert (done.returncode, done.stdout) == (0, "No CA accounts yet. The first order at a CA creates one.\n")
    assert not (workspace.store / "accounts").exists()


def test_a_ca_that_is_down_still_shows_the_stored_url(stage: Stage) -> None:
    """If the CA is down, `account show` prints the stored URL and exits with 1."""
    with stage.lab.acme_proxy() as proxy:
        stage.run(through(proxy), force=True)
        stage.workspace.write(through(proxy))
    status, document = stage.workspace.run_json("account", "show", "lab")
    (one,) = document["accounts"]
    assert (status, one["status"], one["error"]["code"]) == (1, "unknown", "ca-unreachable")
    assert one["url"]
