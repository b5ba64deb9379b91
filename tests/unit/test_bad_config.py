"""Bad input, first part: mistakes in dnsrenew.toml and on the command line. Nothing is sent or written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.kit.program import Case, Kept, failed
from tests.lab.settings import to_toml
from tests.lab.workspace import Workspace

Breaking = Mapping[str, Any] | Callable[[Workspace], object]


def certificate(**fields: Any) -> dict[str, Any]:
    """One [[certificate]] in place of the lab's."""
    return {"certificate": [{"name": "home", "domains": ["example.test"], **fields}]}


def append(text: str) -> Callable[[Workspace], object]:
    """Return a function that writes the lab's file with this text at its end."""
    return lambda workspace: workspace.write_text(to_toml(workspace.config()) + text)


TWICE = {
    "certificate": [{"name": "home", "domains": ["example.test"]}, {"name": "home", "domains": ["www.example.test"]}]
}
TWICE_BY_DEFAULT = {"certificate": [{"domains": ["example.test"]}, {"domains": ["example.test", "www.example.test"]}]}
HTTP_ONLY = {"domains": ["example.test", "*.example.test"], "routes": [{"challenge": "http-01"}]}
BY_HOME = {"challenge": "dns-01", "dns": "home"}
INVALID = "config-invalid"
CASES = (
    Case("no config", lambda workspace: workspace.config_path.unlink(), "config-missing", ("dnsrenew.toml",)),
    Case("a folder as config", lambda workspace: folder_for(workspace.config_path), "config-unreadable", ("folder",)),
    Case("a syntax error", append("[[certificate\n"), "config-syntax", ("dnsrenew.toml:", "]]")),
    Case("not UTF-8", lambda workspace: raw(workspace, b'store = "\xff"\n'), "config-unreadable", ("UTF-8",)),
    Case("an unknown key", {"agree_term": True}, INVALID, ("agree_term", "agree_terms")),
    Case("an unknown key of a certificate", certificate(domain=["a.example.test"]), INVALID, ("domain", "domains")),
    Case("an unknown provider", {"dns.home.provider": "rfc2163"}, INVALID, ("rfc2163", "rfc2136")),
    Case("an unknown CA", {"default_ca": "letsencript"}, INVALID, ("letsencript", "letsencrypt")),
    Case("an unknown CA of a certificate", certificate(ca="lap"), INVALID, ("lap", "lab")),
    Case("an unknown account", certificate(routes=[{"challenge": "dns-01", "dns": "hom"}]), INVALID, ('"hom"', "home")),
    Case("a missing option", {"dns.home.server": None}, INVALID, ("home", "server")),
    Case("an unknown option", {"dns.home.tsig_key": "x"}, INVALID, ("tsig_key",)),
    Case("the same name twice", TWICE, INVALID, ("home", "name")),
    Case("the same name twice, by default", TWICE_BY_DEFAULT, INVALID, ("example.test", "name")),
    Case("a name that leaves the store", certificate(name="../../outside"), INVALID, ("../../outside",)),
    Case("a name that is a path", certificate(name="/etc/passwd"), INVALID, ("/etc/passwd",)),
    Case("a name that is the folder itself", certificate(name="."), INVALID, ("name",)),
    Case("a wildcard with http-01 only", certificate(**HTTP_ONLY), INVALID, ("*.example.test", "dns-01")),
    Case(
        "two routes alike",
        certificate(routes=[BY_HOME, {"challenge": "dns-01"}, BY_HOME]),
        INVALID,
        ("route", "route 1"),
    ),
    Case("an IP address on dns-01", certificate(domains=["192.0.2.1"]), INVALID, ("192.0.2.1", "IP address")),
    Case("an IPv6 address on dns-01", certificate(domains=["2001:db8::1"]), INVALID, ("2001:db8::1", "IP address")),
    Case("a config others can write", lambda w: w.config_path.chmod(0o666), "config-untrusted", ("dnsrenew.toml",)),
)


def folder_for(path: Path) -> None:
    """Replace the file with a folder."""
    path.unlink()
    path.mkdir()


def raw(workspace: Workspace, content: bytes) -> None:
    """Write octets as the configuration."""
    workspace.config_path.write_bytes(content)


def apply(breaking: Breaking, workspace: Workspace) -> None:
    """Make the mistake."""
    if callable(breaking):
        breaking(workspace)
    else:
        workspace.write(breaking)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_mistake_is_reported(workspace: Workspace, case: Case) -> None:
    """`renew` exits with 2 before it sends anything; `check` reports the same."""
    kept = Kept.place(workspace)
    apply(case.breaking, workspace)
    document = failed(workspace, "renew", "--force", code=case.code, words=case.words, exits=2)
    for mistake in document["error"]["evidence"].get("mistakes", ()):
        assert set(mistake) >= {"file", "line", "key", "found", "expected", "nearest"}
        assert mistake["file"] == str(workspace.config_path)
    assert failed(workspace, "check", code=case.code, words=case.words, exits=2, again=False) == document
    kept.assert_whole()
    assert not (workspace.path.parent / "outside").exists()


@pytest.mark.parametrize("command", ["renew", "status"])
def test_an_unknown_certificate_name(workspace: Workspace, command: str) -> None:
    """A name that is not in the file is an error, and the fix has the nearest one."""
    kept = Kept.place(workspace)
    document = failed(workspace, command, "hom", code="certificate-unknown", words=("hom",), exits=2)
    assert "home" in document["error"]["fix"]
    kept.assert_whole()


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("env:NO_SUCH_VARIABLE", ("NO_SUCH_VARIABLE",)),
        ("file:no-such-file", ("no-such-file",)),
        ({"command": ["no-such-program"]}, ("no-such-program",)),
        ({"command": ["false"]}, ("false",)),
        ("keyring:dnsrenew/nobody", ("keyring",)),
    ],
    ids=["variable", "file", "program", "program-that-fails", "keyring"],
)
def test_a_secret_reference_to_nothing(workspace: Workspace, reference: object, words: tuple[str, ...]) -> None:
    """A missing secret stops the renewal before an order. `check` reports it; `status` does not need the secret."""
    kept = Kept.place(workspace)
    workspace.write({"dns.home.tsig_secret": reference})
    outcome = failed(workspace, "renew", "--force", code="secret-missing", words=words)
    assert [attempt["orders"] for attempt in outcome["attempts"]] in ([], [0])
    status, document = workspace.run_json("check")
    assert status == 2
    (mistake,) = document["error"]["evidence"]["mistakes"]
    assert mistake["key"] == "dns.home.tsig_secret"
    assert workspace.run("status").returncode == 0
    kept.assert_whole()


def test_a_missing_secret_affects_its_account_only(workspace: Workspace) -> None:
    """A certificate of another account is renewed."""
    workspace.write(
        {
            "dns.home.tsig_secret": "env:NO_SUCH_VARIABLE",
            "dns.other": workspace.other_account(),
            "certificate": [
                {"name": "home", "domains": ["example.test"]},
                {"name": "other", "domains": ["other.test"]},
            ],
        }
    )
    status, document = workspace.run_json("renew")
    assert status == 1
    assert [outcome["status"] for outcome in document["outcomes"]] == ["failed", "renewed"]
