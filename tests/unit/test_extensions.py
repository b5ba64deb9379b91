"""The core without one of its extensions: all that is not the extension's own works, and what is says where it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Final

import pytest

import dnsrenew
from docs import floors
from tests.kit.without_extension import copy_without, run

PACKAGE: Final = Path(dnsrenew.__file__).parent
COMMANDS: Final = {"doctor": "doctor", "setup": "init", "fleet": "worker", "watch": "notify", "serve": "serve"}
"""A command of each extension."""
CORE_TESTS: Final = ("test_fallback_planner.py", "test_store_state.py", "test_fallback_history.py")
"""Tests of the core that import no extension."""


@pytest.mark.parametrize(("extension", "command"), COMMANDS.items())
def test_a_command_of_a_missing_extension(extension: str, command: str, tmp_path: Path) -> None:
    """The command of an extension that is not there says which extra it is in."""
    env = copy_without(tmp_path, extension)
    for words in ((command,), (command, "--help"), ("help", command)):
        done = run(env, "-m", "dnsrenew", *words, "--json", folder=tmp_path)
        error = json.loads(done.stdout)["error"]
        assert (done.returncode, error["code"], error["evidence"]["extension"]) == (2, "extension-missing", extension)
        assert f"dnsrenew[{extension}]" in error["fix"]


HOST: Final = '[dns.home]\nprovider = "duckdns"\ntoken = "x"\n[[certificate]]\ndomains = ["a.duckdns.org"]\n'
TARGET: Final = (
    '[[certificate]]\ndomains = ["a.test"]\nroutes = [{ challenge = "http-01" }]\n'
    'deploy = [{ to = "webhook", url = "https://a.test" }]\n'
)


@pytest.mark.parametrize(("extension", "config"), [("hosts", HOST), ("targets", TARGET)])
def test_what_the_configuration_names_of_a_missing_extension(extension: str, config: str, tmp_path: Path) -> None:
    """A configuration that names a DNS host or a target that is not here is refused; the others work as before."""
    env = copy_without(tmp_path, extension)
    file = tmp_path / "dnsrenew.toml"
    file.write_text(f"agree_terms = true\n{config}")
    file.chmod(0o600)
    error = json.loads(run(env, "-m", "dnsrenew", "check", "--json", folder=tmp_path).stdout)["error"]
    assert (error["code"], error["evidence"]["extension"]) == ("extension-missing", extension), error
    for other, ours in {
        '"duckdns"\ntoken = "x"': '"manual"',
        '"webhook", url = "https://a.test"': '"files", key = "k.pem"',
    }.items():
        file.write_text(file.read_text().replace(other, ours))
    done = run(env, "-m", "dnsrenew", "check", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_core_names_no_extension() -> None:
    """No file of the core imports a module of an extension, nor of `dnsrenew.testing`, and none names one in a text."""
    files = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]
    core = [path for path in files if path.relative_to(PACKAGE).parts[0] not in {"extensions", "testing"}]
    words = ("dnsrenew.extensions", "from dnsrenew.testing", "import dnsrenew.testing")
    assert [path.name for path in core if any(word in path.read_text("utf-8") for word in words)] == []
    assert {unit.partition("/")[2] for floor in floors.EXTENSIONS for unit in floor} - {"", "hosts", "targets"} == set(
        COMMANDS
    )


def test_the_tests_of_the_core_without_an_extension(tmp_path: Path) -> None:
    """Tests of the core pass without any extension."""
    env = copy_without(tmp_path, "doctor")
    for extension in ("setup", "fleet", "watch", "hosts", "targets"):
        shutil.rmtree(tmp_path / "dnsrenew" / "extensions" / extension)
    tests = [str(PACKAGE.parent / "tests" / "unit" / name) for name in CORE_TESTS]
    done = run(env, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not database", *tests, folder=tmp_path)
    assert done.returncode == 0, done.stdout
