"""The language of what the program writes: LANG chooses it, but of JSON only --lang."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
FAILS: Final = """
import sys
from dnsrenew.cli import main
from tests.kit.cli_stage import FakeRenewer, install, outcome
from dnsrenew.errors import ConfigError
from dnsrenew.cli import texts
def play(emitter, cancel):
    error = ConfigError.of(texts.NAMES_AND_ALL)
    emitter.emit("warning", "home", {"code": "w", "message": error.message, "fix": error.fix})
    return [outcome(status="failed", error=error, route=None)]
install(FakeRenewer(play))
sys.exit(main(sys.argv[1:]))
"""


def run(folder: Path, line: str, *program: str) -> tuple[str, str]:
    """Run the program in a Chinese environment; return standard output and standard error."""
    environ = {**os.environ, "LANG": "zh_CN.UTF-8", "LC_ALL": "", "LC_MESSAGES": "", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *(program or ("-m", "dnsrenew")), *line.split()]
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, encoding="utf-8", check=False
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize(("lang", "chinese"), [("", False), (" --lang zh", True)])
@pytest.mark.parametrize("line", ["check --config c.toml --json", "status --jsn --json"])
def test_an_error_with_json(tmp_path: Path, line: str, lang: str, *, chinese: bool) -> None:
    """Standard error is in the language of the environment, the document in English unless --lang is given."""
    config = tmp_path / "c.toml"
    config.write_text("agree_term = true\n", "utf-8")
    config.chmod(0o600)
    out, err = run(tmp_path, line + lang)
    error = json.loads(out)["error"]
    assert [bool(CHINESE.search(error[key])) for key in ("message", "fix")] == [chinese, chinese]
    assert CHINESE.search(err)


def test_a_place_in_the_configuration_is_translated(tmp_path: Path) -> None:
    """What an export says of a key names its place in Chinese."""
    table = '[[certificate]]\ndomains = ["a.test"]\nroutes = [{ challenge = "http-01" }]\n'
    config = tmp_path / "c.toml"
    config.write_text(f'agree_terms = true\n{table}deploy = [{{ run = ["/bin/x", "--pin"] }}]\n', "utf-8")
    config.chmod(0o600)
    out, _ = run(tmp_path, "export a.tgz --config c.toml")
    assert "c.toml:5：第 1 个证书，第 1 个部署，run 原样写入文件" in out


def test_a_failed_certificate_with_json(tmp_path: Path) -> None:
    """So is a failure in a run; lines of JSON on standard error are like the document."""
    out, err = run(tmp_path, "renew --json", "-c", FAILS)
    assert CHINESE.search(err)
    assert not CHINESE.search(str(json.loads(out)))
    out, err = run(tmp_path, "renew --json --events", "-c", FAILS)
    lines = [json.loads(line) for line in [out, *err.splitlines()]]
    assert len(lines) > 1
    assert not CHINESE.search(str(lines))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import --from x", "可以是 certbot、lego、acme.sh、caddy、hfs、pem。"),
        ("status --expiring x", "可以是时间"),
        ("renew --config empty.toml", "certificate：缺少此键。请添加 [[certificate]] 表并写明 domains。"),
    ],
)
def test_what_is_expected_is_in_the_language(tmp_path: Path, line: str, expected: str) -> None:
    """Values and tables that an error asks for are said in Chinese, even if the command line cannot be read."""
    (tmp_path / "empty.toml").write_text("")
    assert expected in run(tmp_path, line)[1]


@pytest.mark.parametrize(
    ("line", "chinese"), [("--help", True), ("--help --json", False), ("--help --json --lang zh", True)]
)
def test_the_help(tmp_path: Path, line: str, *, chinese: bool) -> None:
    """The help in a document is in English unless --lang is given."""
    out, _ = run(tmp_path, line)
    shown = json.loads(out)["help"] if "--json" in line else out
    assert bool(CHINESE.search(shown)) is chinese
