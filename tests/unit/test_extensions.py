"""The core without one of its extensions: all that is not the extension's own works, and what is says where it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

import dnsrenew
from dnsrenew.base.extensions import installed
from dnsrenew.cli import commands
from dnsrenew.cli.commands import TOPICS
from dnsrenew.errors import internal
from docs import floors
from tests.kit.without_extension import copy_without, run

PACKAGE: Final = Path(dnsrenew.__file__).parent
COMMANDS: Final = {name: [*each.commands().rows] for name, each in installed().items() if each.commands is not None}
"""The commands of each extension."""
INTERNAL: Final = internal(ValueError(), "x").code
TYPE: Final = """
import sys
from dnsrenew.cli import program
for line in sys.argv[1:]:
    program.run(line.split())
"""
"""Runs commands in one process, which takes a fraction of the time."""
CORE_TESTS: Final = ("test_fallback_planner.py", "test_store_state.py", "test_fallback_history.py")
"""Tests of the core that import no extension."""


def test_the_core_knows_where_each_command_is() -> None:
    """The table of the topics has every command of an extension, so that it can say where a missing one is."""
    placed = [(place, name) for topic in TOPICS.values() for name, place in topic.items() if place]
    assert sorted(placed) == sorted({(place, name.split()[0]) for place, names in COMMANDS.items() for name in names})


@pytest.mark.parametrize("extension", COMMANDS)
def test_a_command_of_a_missing_extension(extension: str, tmp_path: Path) -> None:
    """The command of an extension that is not there says which extra it is in."""
    env, command = copy_without(tmp_path, extension), COMMANDS[extension][0]
    for words in ((command,), (command, "--help"), ("help", command)):
        done = run(env, "-m", "dnsrenew", *words, "--json", folder=tmp_path)
        error = json.loads(done.stdout)["error"]
        assert (done.returncode, error["code"], error["evidence"]["extension"]) == (2, "extension-missing", extension)
        assert f"dnsrenew[{extension}]" in error["fix"]


def test_the_commands_of_the_other_extensions(tmp_path: Path) -> None:
    """Each command of the other extensions runs; one that needs the missing one says which extra it is in."""
    env = {**copy_without(tmp_path, "testing"), "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    found = {}
    for extension in installed():
        folder, aside = tmp_path / "dnsrenew" / "extensions" / extension, tmp_path / extension
        folder.rename(aside)
        names = [name for place, names in COMMANDS.items() if place != extension for name in names]
        errors = dict(zip(names, _errors(env, names, tmp_path), strict=True))
        assert [name for name, error in errors.items() if error["code"] == INTERNAL] == [], extension
        missing = {name: error["evidence"] for name, error in errors.items() if error["code"] == "extension-missing"}
        assert {evidence["extension"] for evidence in missing.values()} <= {extension}
        found[extension] = missing.keys()
        aside.rename(folder)
    assert {extension: names for extension, names in found.items() if names} == NEEDING


NEEDING: Final = {"doctor": {"init", "delegate"}, "watch": {"worker"}}
"""The commands that need another extension."""


def _errors(env: dict[str, str], names: Sequence[str], folder: Path) -> Iterator[dict[str, Any]]:
    """The error of each command. Nothing has the name that it gets, so that it ends soon."""
    lines = []
    for name in names:
        values = ["none" for argument in commands.COMMANDS[name].arguments if not argument.many]
        values += ["--serve-probe", "none"] if name == "doctor" else []
        lines.append(" ".join([name, *values, "--config none.toml --json"]))
    rest = run(env, "-c", TYPE, *lines, folder=folder).stdout.strip()
    while rest:
        document, end = json.JSONDecoder().raw_decode(rest)
        rest = rest[end:].strip()
        yield document["error"]


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
        (tmp_path / "dnsrenew" / "extensions" / extension).unlink()
    tests = [str(PACKAGE.parent / "tests" / "unit" / name) for name in CORE_TESTS]
    done = run(env, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not database", *tests, folder=tmp_path)
    assert done.returncode == 0, done.stdout
