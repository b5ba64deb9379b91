"""`dnsrenew providers --new NAME`: a driver and its test, which pass unchanged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from dnsrenew.cli import main
from dnsrenew.testing.driver_check import new_driver

ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; without a configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    for variable in ("DNSRENEW_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a tool in the folder, with this checkout's dnsrenew installed."""
    paths = {"PYTHONPATH": str(ROOT), "MYPYPATH": str(ROOT)}
    return subprocess.run(  # noqa: PLW1510  # the test compares the status
        [sys.executable, "-m", *arguments], cwd=folder, env={**os.environ, **paths}, capture_output=True, text=True
    )


@pytest.mark.parametrize(("name", "module"), [("myhost", "myhost"), ("my-2nd-host", "my_2nd_host")])
def test_what_is_written_passes_at_once(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, module: str
) -> None:
    """The generated test passes with warnings as errors, and ruff reports nothing."""
    assert main(["providers", "--new", name, "--json"]) == 0
    files = [folder / f"{module}.py", folder / f"test_{module}.py"]
    assert json.loads(capsys.readouterr().out)["written"] == [str(file) for file in files]
    tested = run(folder, "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", files[1].name)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    checked = run(folder, "ruff", "check", "--isolated", "--no-cache", "--select", "E,F,I,B,UP", "--line-length", "120")
    assert checked.returncode == 0, checked.stdout


def test_what_is_written_is_typed(folder: Path) -> None:
    """Mypy in strict mode reports nothing in the generated files."""
    assert main(["providers", "--new", "myhost"]) == 0
    checked = run(folder, "mypy", "--strict", "--cache-dir", str(ROOT / ".mypy_cache"), "myhost.py", "test_myhost.py")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("change", "to"),
    [(' if each["content"] == record.value', ""), ("in self._find(record):", "in self._find(record)[1:]:")],
)
def test_the_test_that_is_written_can_fail(folder: Path, change: str, to: str) -> None:
    """A driver that removes other values or no value fails the generated test."""
    assert main(["providers", "--new", "myhost"]) == 0
    driver = folder / "myhost.py"
    text = driver.read_text("utf-8")
    assert change in text
    driver.write_text(text.replace(change, to), "utf-8")
    tested = run(folder, "pytest", "-q", "-p", "no:cacheprovider", "test_myhost.py", "-k", "every_must")
    assert tested.returncode == 1
    assert "MUST" in tested.stdout


@pytest.mark.parametrize(
    "name", ["", "My-Host", "../up", "a/b", "a.b", "a b", "-x", "9a", "a--b", "class", "json", "ü"]
)
def test_a_name_that_is_no_module_is_refused(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """A name that is no module name gives exit status 2, and nothing is written."""
    assert main(["providers", f"--new={name}", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("class", "a keyword of Python"),
        ("json", "has a module"),
        ("requests", "has a module"),
        ("dnsrenew", "has a module"),
        ("conftest", "pytest"),
        ("test", "pytest"),
        ("test-host", "pytest"),
        ("my-test", "pytest"),
        ("con", "Windows"),
        ("aux", "Windows"),
        ("com1", "Windows"),
        ("a" * 64, "64 characters; at most 63"),
    ],
)
def test_a_name_that_something_else_has_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    """The message names the reason: Python, pytest, Windows or the length. Nothing is written."""
    assert main(["providers", "--new", name]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert list(folder.iterdir()) == []


def test_a_name_that_is_taken_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The name of a known host or of a user's provider file is refused."""
    (folder / "dnsrenew.toml").touch()
    (folder / "providers").mkdir()
    (folder / "providers" / "mine.toml").write_text('title = "Mine"\ndriver = "lexicon"\n')
    for name in ("cloudflare", "mine"):
        assert main(["providers", "--new", name, "--json"]) == 2
        assert json.loads(capsys.readouterr().out)["error"]["evidence"]["name"] == name
    assert sorted(path.name for path in folder.iterdir()) == ["dnsrenew.toml", "providers"]


@pytest.mark.parametrize("existing", ["myhost.py", "test_myhost.py"])
def test_no_file_is_written_over(folder: Path, capsys: pytest.CaptureFixture[str], existing: str) -> None:
    """If one of both files exists, even as a dangling link, nothing is written."""
    (folder / existing).symlink_to(folder / "nowhere")
    assert main(["providers", "--new", "myhost", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["evidence"]["path"] == existing
    assert [path.name for path in folder.iterdir()] == [existing]


def test_a_folder_that_cannot_be_written_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has the system's reason."""
    monkeypatch.setattr("dnsrenew.extensions.setup.commands.providers_check.open", _refuse, raising=False)
    assert main(["providers", "--new", "myhost", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["evidence"]["reason"] == "Permission denied"


def _refuse(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--new", "a", "--check", "b"],
        ["--new", "a", "--search", "b"],
        ["cloudflare", "--check", "b"],
        ["cloudflare", "--search", "b"],
        ["--markdown"],
    ],
)
def test_options_that_contradict_each_other(folder: Path, arguments: list[str]) -> None:
    """Contradicting options give exit status 2."""
    assert main(["providers", *arguments]) == 2


def test_no_placeholder_is_left() -> None:
    """All placeholders are replaced."""
    for text in new_driver("my-host").values():
        assert "@MODULE@" not in text
        assert "@NAME@" not in text
        assert "MyHostDriver" in text
