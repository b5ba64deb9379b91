"""A store that was exported and restored elsewhere renews at the CA (Pebble), with its account, or with a new one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.lab.workspace import Workspace

PASSPHRASE = "correct horse battery"


@pytest.fixture
def passphrase_file(workspace: Workspace) -> Path:
    """A file with the passphrase."""
    path = workspace.path / "pass.secret"
    path.write_text(f"{PASSPHRASE}\n")
    path.chmod(0o600)
    return path


def account_url(folder: Path) -> str:
    """Return the URL of the only account of a store."""
    (path,) = folder.glob("state/accounts/*/account.json")
    url: str = json.loads(path.read_text())["url"]
    return url


def restored(workspace: Workspace, archive: str, *more: str) -> Path:
    """Restore into a new folder, delete the old configuration and store, and return the new folder."""
    folder = workspace.path / "moved"
    done = workspace.run("restore", archive, "--config", str(folder / "dnsrenew.toml"), *more)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(workspace.store)
    workspace.config_path.unlink()
    return folder


def test_with_keys_the_same_account_goes_on(workspace: Workspace, passphrase_file: Path) -> None:
    """After a restore with keys nothing is due, and a forced renewal uses the same account."""
    sealed = ("--passphrase-file", str(passphrase_file))
    assert workspace.run("renew").returncode == 0
    before = account_url(workspace.path)
    status, document = workspace.run_json("status")
    assert workspace.run("export", "all.dr", "--secrets", *sealed).returncode == 0
    folder = restored(workspace, "all.dr", *sealed)
    config = ("--config", str(folder / "dnsrenew.toml"))
    new_status, new_document = workspace.run_json("status", *config)
    for each in (*document["certificates"], *new_document["certificates"]):
        each.pop("path")
    assert (new_status, new_document["certificates"]) == (status, document["certificates"])
    _, document = workspace.run_json("renew", *config)
    assert [each["status"] for each in document["outcomes"]] == ["not-due"]
    _, document = workspace.run_json("renew", "--force", "--now", *config)
    (outcome,) = document["outcomes"]
    assert (outcome["status"], outcome["warnings"]) == ("renewed", [])
    assert Path(outcome["path"]).is_relative_to(folder)
    assert account_url(folder) == before


def test_without_keys_it_is_obtained_anew(workspace: Workspace) -> None:
    """After a restore without keys, a new account and a new certificate are created, without a warning about damage."""
    assert workspace.run("renew").returncode == 0
    before = account_url(workspace.path)
    assert workspace.run("export", "plain.tgz").returncode == 0
    folder = restored(workspace, "plain.tgz")
    shutil.copy(workspace.lab.config()["ca"]["lab"]["trust"], folder)
    done = workspace.run("renew", "--json", "--config", str(folder / "dnsrenew.toml"))
    (outcome,) = json.loads(done.stdout)["outcomes"]
    assert outcome["status"] == "renewed", outcome
    assert (outcome["reason"], outcome["warnings"]) == ("missing", [])
    assert account_url(folder) != before
