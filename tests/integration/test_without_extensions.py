"""A renewal by the core alone, at a real CA with real name servers, without each of the extensions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.kit.without_extension import copy_without, run
from tests.lab.workspace import Workspace

COMMANDS = {"doctor": "doctor", "setup": "init", "fleet": "worker", "watch": "notify", "serve": "serve"}

_SHOWN = """
import contextlib, io, json, sys
from dnsrenew.cli import main
def run(arguments):
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        return main(arguments), shown.getvalue()
print(json.dumps([run(each) for each in json.loads(sys.argv[1])]))
"""
"""Prints the exit status and the output of each command line: a process for each takes longer to start than to run."""


@pytest.mark.parametrize("extension", [*COMMANDS, "hosts", "targets", "testing"])
def test_a_renewal_without_an_extension(extension: str, workspace: Workspace, tmp_path: Path) -> None:
    """A certificate is obtained, `--help` does not list what is missing, and other commands have their help."""
    env = {**copy_without(tmp_path, extension), **workspace.env, "PYTHONPATH": str(tmp_path)}
    renewed = run(env, "-m", "dnsrenew", "renew", "--json", "--config", str(workspace.config_path), folder=tmp_path)
    assert renewed.returncode == 0, renewed.stdout + renewed.stderr
    assert json.loads(renewed.stdout)["outcomes"][0]["status"] == "renewed"
    done = run(
        env, "-c", _SHOWN, json.dumps([["--help"], *([each, "--help"] for each in COMMANDS.values())]), folder=tmp_path
    )
    listed, *helps = json.loads(done.stdout)
    assert "\n  renew " in listed[1]
    assert f"\n  {COMMANDS.get(extension, 'testing')} " not in listed[1]
    assert [status for status, _ in helps] == [2 if name == extension else 0 for name in COMMANDS]
