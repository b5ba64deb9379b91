"""`dnsrenew providers --check ACCOUNT` at a real name server: each MUST, what a killed check leaves, the report."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, DnsError, LockedError
from dnsrenew.store import FolderStore
from dnsrenew.store.zone_locks import ZoneLocks
from dnsrenew.testing import texts
from dnsrenew.testing.account_check import AccountCheck, check_account
from tests.kit.acme_dns import AcmeDns, AcmeDnsZone
from tests.kit.folders import here
from tests.kit.load import allowed
from tests.kit.program import PATIENCE, WorkspaceHere, named_in
from tests.lab.workspace import Workspace

WORKSPACE = WorkspaceHere

KILLED = """
import os, signal, sys
from dnsrenew.challenges import host_calls
from dnsrenew.cli import main
from dnsrenew.drivers import invoke

calls = []
add = invoke.call_add

def dying(*arguments, **more):
    found = add(*arguments, **more)
    calls.append(found)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return found

invoke.call_add = dying
sys.exit(main(["providers", "--check", "home"]))
"""
"""A check that is killed after its third write."""


def checked(workspace: Workspace, account: str = "home", **changes: Any) -> AccountCheck:
    """Check an account of the lab's configuration, with changes to its provider file."""
    if changes:
        lines = "\n".join(f"{key} = {value}" for key, value in changes.items())
        text = (Path(__file__).parents[2] / "providers" / "rfc2136.toml").read_text("utf-8")
        head, _, _ = text.partition("[behaviour]")
        (workspace.path / "providers").mkdir(mode=0o755, exist_ok=True)
        (workspace.path / "providers" / "rfc2136.toml").write_text(f"{head}\n[behaviour]\n{lines}\n", "utf-8")
    config = Config.load(workspace.config_path)
    return check_account(Context(), config, FolderStore(here(config.store)), account, lambda _result: None)


@pytest.fixture(autouse=True)
def _environment(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSIG_SECRET", workspace.lab.key.secret)
    monkeypatch.setenv("OTHER_TSIG_SECRET", workspace.lab.other_key.secret)


def verdicts(found: AccountCheck) -> dict[str, str]:
    """Return the result of each MUST."""
    return {each.key: each.result for each in found.results}


def test_a_good_account_keeps_every_must(workspace: Workspace) -> None:
    """A good account has one line for each MUST. The journal is empty, and no secret is printed."""
    done = workspace.run("providers", "--check", "home")
    lines = done.stdout.splitlines()
    assert (done.returncode, [line[0] for line in lines[:-2]]) == (0, ["✓"] * len(texts.MUSTS))
    assert lines[-1] == "home in example.test: 15 kept, 0 broken, 0 not tested"
    assert list((workspace.store / "journal").iterdir()) == []
    workspace.assert_clean()


def test_the_documents(workspace: Workspace) -> None:
    """The JSON document has each MUST. The Markdown report has no domain and no name of an account."""
    status, document = workspace.run_json("providers", "--check", "home")
    assert (status, document["account"], document["zone"]) == (0, "home", "example.test")
    assert [each["must"] for each in document["checks"]] == list(texts.MUSTS)
    assert {each["result"] for each in document["checks"]} == {"ok"}
    report = workspace.run("providers", "--check", "home", "--markdown").stdout
    assert report.count("| kept |") == len(texts.MUSTS)
    assert "example.test" not in report
    assert "home" not in report


def test_a_wrong_account(workspace: Workspace) -> None:
    """An unknown account exits with 2. With a wrong secret the check stops after the first MUST and leaves no value."""
    assert workspace.run("providers", "--check", "homer").returncode == 2
    workspace.env["TSIG_SECRET"] = workspace.lab.other_key.secret
    status, document = workspace.run_json("providers", "--check", "home")
    results = {each["must"]: each for each in document["checks"]}
    assert (status, results["add-writes"]["result"]) == (1, "broken")
    assert results["add-writes"]["error"]["code"] == "provider-unauthorized"
    assert {each["result"] for key, each in results.items() if key != "add-writes"} == {"not-tested"}
    assert document["left"] == []
    assert list((workspace.store / "journal").iterdir()) == []
    plain = workspace.run("providers", "--check", "home").stdout
    assert plain.count("→") == 1
    assert plain.splitlines()[-1] == "home in example.test: 0 kept, 1 broken, 14 not tested"
    workspace.assert_clean()


def test_an_account_of_a_person_is_refused(workspace: Workspace) -> None:
    """A manual account is refused, because a person would have to set some 20 values."""
    workspace.write({"dns.hand": {"provider": "manual"}})
    status, document = workspace.run_json("providers", "--check", "hand", timeout=20)
    assert (status, document["error"]["code"]) == (2, "check-by-hand")


def test_an_account_of_acme_dns(workspace: Workspace) -> None:
    """An acme-dns account is tested at the name of its registration. Without a registration it is refused."""
    with AcmeDns() as server, AcmeDnsZone(workspace.lab, server):
        workspace.write({"dns.acme": {"provider": "acme-dns", "api": server.url}})
        status, document = workspace.run_json("providers", "--check", "acme")
        assert (status, document["error"]["code"]) == (2, "check-no-zone")
        assert "delegate" in document["error"]["fix"]
        registration = post(f"{server.url}/register")
        file = workspace.path / "acme-dns-acme.json"
        file.write_text(registration)
        file.chmod(0o600)
        status, document = workspace.run_json("providers", "--check", "acme")
        given = json.loads(registration)
        file.unlink()
        workspace.env["ACME_PASSWORD"] = given["password"]
        options = {"username": given["username"], "password": "env:ACME_PASSWORD", "subdomain": given["subdomain"]}
        workspace.write({"dns.acme": {"provider": "acme-dns", "api": server.url, **options}})
        advice = workspace.run_json("providers", "--check", "acme")[1]["error"]["fix"]
        assert workspace.run(*named_in(advice, "doctor --probe").split()).returncode == 0
    name = json.loads(registration)["fulldomain"]
    results = {each["must"]: each["result"] for each in document["checks"]}
    assert (status, document["zone"]) == (0, name)
    assert {key for key, result in results.items() if result == "ok"} == {"add-writes", "add-again", "burst"}
    assert "broken" not in results.values()
    assert len(server.look(name)) == 2


def post(url: str) -> str:
    """Return the response to an empty request."""
    with urllib.request.urlopen(url, b"{}") as answer:  # noqa: S310  # the stand-in on loopback
        return str(answer.read().decode())


def test_a_killed_check_is_cleaned_up(workspace: Workspace) -> None:
    """After a kill, `cleanup` removes the values of the check."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        cwd=workspace.path,
        env=workspace.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    status, document = workspace.run_json("cleanup")
    removed = {each["name"].partition(".")[0] for each in document["removed"]}
    assert (status, document["kept"]) == (0, [])
    assert any(name.startswith("_acme-challenge-") for name in removed)
    assert all(workspace.lab.txt(each["name"]) == set() for each in document["removed"])


def test_an_interrupted_check_cleans_up(workspace: Workspace) -> None:
    """After SIGINT the check ends within six seconds, and no value is left after `cleanup`."""
    with subprocess.Popen(
        [sys.executable, "-m", "dnsrenew", "providers", "--check", "home"],
        cwd=workspace.path,
        env=workspace.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        said = process.communicate(timeout=PATIENCE)
        assert time.monotonic() - start < allowed(6)
    assert process.returncode in {0, 130}  # 0: it was faster than the signal
    status, document = workspace.run_json("cleanup")
    assert (status, document["kept"]) == (0, []), said
    for page in (json.loads(file.read_text()) for file in (workspace.store / "journal").glob("*.json")):
        # The request was under way: the host may carry it out yet, so a later run removes the value once more.
        assert page["removed"] == list(range(len(page["values"]))), said
        assert not any(workspace.lab.txt(value["name"]) for value in page["values"])


def test_the_zone_of_an_account_without_zones(workspace: Workspace) -> None:
    """An account without `zones` is checked in the zone of its first certificate. Without one it is refused."""
    other = {key: value for key, value in workspace.other_account().items() if key != "zones"}
    workspace.write({"dns.home.zones": None, "certificate.0.domains": ["deep.example.test"]})
    assert checked(workspace).zone == "example.test"
    workspace.write({"dns.home.zones": None, "dns.other": other})
    assert checked(workspace, "other").broken  # its key may not write to the zone of that certificate
    workspace.write(
        {
            "dns.home.zones": None,
            "certificate.0.routes": [{"challenge": "dns-01", "dns": "home"}],
            "dns.other": other,
        }
    )
    with pytest.raises(ConfigError) as caught:
        checked(workspace, "other")
    assert caught.value.code == "check-no-zone"
    workspace.write({"dns.home.zones": None, "certificate.0.domains": ["not-there.invalid"]})
    with pytest.raises(DnsError):
        checked(workspace)


@pytest.mark.parametrize(
    ("changes", "untested"),
    [
        ({"exclusive": "true"}, {"parallel-names", "parallel-name"}),
        ({"values": '"one"'}, {"add-keeps-others", "remove-half", "parallel-name"}),
        (
            {"values": '"one"', "scope": '"zone"'},
            {"add-keeps-others", "add-several-names", "remove-half", "remove-last", "parallel-names", "parallel-name"},
        ),
    ],
)
def test_what_a_host_does_not_have_is_not_tested(
    workspace: Workspace, changes: dict[str, Any], untested: set[str]
) -> None:
    """A MUST that the provider file excludes is not tested, and the others are."""
    found = verdicts(checked(workspace, **changes))
    assert {key for key, result in found.items() if result == "not-tested"} == untested
    assert "broken" not in found.values()


def test_the_one_value_of_a_zone_is_respected(workspace: Workspace) -> None:
    """If a host holds one value for a zone, a check does not run while a renewal has the zone."""
    changes = {"values": '"one"', "scope": '"zone"'}
    checked(workspace, **changes)
    config = Config.load(workspace.config_path)
    store = FolderStore(here(config.store))
    with ZoneLocks(store).value(Context(), "example.test."), pytest.raises(LockedError):
        checked(workspace)
