"""Bad input, first part: mistakes in dnsrenew.toml and on the command line. Nothing is sent or written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.program import check_error
from tests.lab.workspace import Workspace


def certificate(**fields: Any) -> dict[str, Any]:
    """One [[certificate]] in place of the lab's."""
    return {"certificate": [{"name": "home", "domains": ["example.test"], **fields}]}


def test_all_mistakes_at_once(workspace: Workspace) -> None:
    """Four mistakes are reported in one run."""
    workspace.write({"stor": "x", "default_ca": "lap", "dns.home.server": None, **certificate(domains=["192.0.2.1"])})
    _, document = workspace.run_json("check")
    assert len(document["error"]["evidence"]["mistakes"]) == 4
    lines = document["error"]["message"].splitlines()
    assert [line for line in lines if "dnsrenew.toml:" not in line] == []


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        (("--config", "elsewhere.toml"), {}, ("--config", "elsewhere.toml")),
        ((), {"DNSRENEW_CONFIG": "elsewhere.toml"}, ("$DNSRENEW_CONFIG", "elsewhere.toml")),
    ],
    ids=["flag", "variable"],
)
def test_a_config_that_was_named_and_is_not_there(
    workspace: Workspace, arguments: tuple[str, ...], env: dict[str, str], words: tuple[str, ...]
) -> None:
    """If the given file is missing, no other file is used."""
    status, document = workspace.run_json("renew", *arguments, env=env)
    assert status == 2
    check_error(document["error"], "config-missing", words)
