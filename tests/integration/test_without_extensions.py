"""A renewal by the core alone, at a real CA with real name servers, without each of the extensions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.kit.without_extension import copy_without, run
from tests.lab.workspace import Workspace

COMMANDS = {"doctor": "doctor", "setup": "init", "fleet": "worker", "watch": "notify", "serve": "serve"}


@pytest.mark.parametrize("extension", [*COMMANDS, "hosts", "targets", "testing"])
def test_a_renewal_without_an_extension(extension: str, workspace: Workspace, tmp_path: Path) -> None:
    """A certificate is obtained, `--help` does not list what is missing, and other commands have their help."""
    env = {**copy_without(tmp_path, extension), **workspace.env, "PYTHONPATH": str(tmp_path)}
    renewed = run(env, "-m", "dnsrenew", "renew", "--json", "--config", str(workspace.config_path), folder=tmp_path)
    assert renewed.returncode == 0, renewed.stdout + renewed.stderr
    assert json.loads(renewed.stdout)["outcomes"][0]["status"] == "renewed"
    listed = run(env, "-m", "dnsrenew", "--help", folder=tmp_path).stdout
    assert "\n  renew " in listed
    assert f"\n  {COMMANDS.get(extension, 'testing')} " not in listed
    for name, command in COMMANDS.items():
        shown = run(env, "-m", "dnsrenew", command, "--help", folder=tmp_path)
        assert shown.returncode == (2 if name == extension else 0)
