"""Commands in messages are those that this person has to type: with `--config`, with the path, and after sudo."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dnsrenew.cli import arguments, formatting, invocation
from dnsrenew.cli.commands import COMMANDS, GROUPS

Said = Callable[..., str]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Said]:
    """Return a function that shows a text to somebody who called the program in some way."""
    plain = formatting.typed
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DNSRENEW_CONFIG", raising=False)

    def show(text: str, config: str | None = None, called: str = "dnsrenew", path: str = "/usr/bin:/bin") -> str:
        monkeypatch.setattr(sys, "argv", [called])
        monkeypatch.setenv("PATH", path)
        invocation.type_commands(config)
        return "\n".join(formatting.wrap(text, None))

    yield show
    formatting.typed = plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Set it up: dnsrenew schedule install", "Set it up: dnsrenew schedule install --config c.toml"),
        ("a: run: dnsrenew renew a --now (but wait)", "a: run: dnsrenew renew a --now --config c.toml (but wait)"),
        ("Renew it: dnsrenew renew a.test. Or not.", "Renew it: dnsrenew renew a.test --config c.toml. Or not."),
        ("Run dnsrenew doctor again.", "Run dnsrenew doctor --config c.toml again."),
        ("`dnsrenew status --failing` lists", "`dnsrenew status --failing --config c.toml` lists"),
        (
            "run: dnsrenew renew, then: dnsrenew schedule install",
            "run: dnsrenew renew --config c.toml, then: dnsrenew schedule install --config c.toml",
        ),
        ("Run: dnsrenew remove a --config x", "Run: dnsrenew remove a --config x"),
        ("For help, run: dnsrenew renew --help", "For help, run: dnsrenew renew --help"),
        ("dnsrenew renews what is due, dnsrenew runs as me.", "dnsrenew renews what is due, dnsrenew runs as me."),
        ("立即续期：dnsrenew renew a。", "立即续期：dnsrenew renew a --config c.toml。"),
    ],
)
def test_who_named_a_configuration_names_it_again(said: Said, tmp_path: Path, text: str, shown: str) -> None:
    """`--config` is added to each command of a message, unless the command finds the configuration without it."""
    (tmp_path / "c.toml").touch()
    assert said(text, "c.toml") == shown
    assert said(text) == text
    (tmp_path / "dnsrenew.toml").touch()
    assert said(text, str(tmp_path / "dnsrenew.toml")) == text


def program(folder: Path) -> str:
    """Make a program, as pipx does, and return its path."""
    path = folder / "bin" / "dnsrenew"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_a_program_outside_the_path(said: Said, tmp_path: Path) -> None:
    """Who called the program by its path gets the path, unless its name is enough."""
    path = program(tmp_path)
    assert said("Run: dnsrenew renew", called=path) == f"Run: {path} renew"
    assert said("Run: dnsrenew renew", called=path, path=f"{tmp_path}/bin:/bin") == "Run: dnsrenew renew"
    assert said("Run: dnsrenew renew", called="/x/dnsrenew/__main__.py") == "Run: dnsrenew renew"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sudo")
def test_what_sudo_runs(said: Said, tmp_path: Path) -> None:
    """After sudo the whole path stands, and the doctor of root reads the configuration of this user."""
    path = program(tmp_path)
    (tmp_path / "dnsrenew.toml").touch()
    for owner in [0, 1000] if os.geteuid() == 0 else [os.geteuid()]:
        os.chown(tmp_path / "dnsrenew.toml", owner, -1)
        shown = said("Run as root: sudo dnsrenew doctor", called=path, path=f"{tmp_path}/bin:/bin")
        insist = " --insist" if owner else ""
        assert shown == f"Run as root: sudo {path} doctor{insist} --config {tmp_path}/dnsrenew.toml"
    (tmp_path / "dnsrenew.toml").unlink()
    assert said("Run as root: sudo dnsrenew doctor", called="-m").endswith(" -m dnsrenew doctor")


def test_every_command_that_reads_a_configuration_is_known() -> None:
    """`--config` goes after each command that reads a configuration, and each takes it there."""
    for name, command in COMMANDS.items():
        if command.reads_config and name not in {"init", "import", "restore"} and name not in GROUPS:
            invocation.type_commands("/nowhere.toml")
            shown = formatting.typed(f"Run: dnsrenew {name}")
            assert shown.endswith("nowhere.toml"), name
            assert " --config " in shown
            assert arguments.wanted_language(shlex.split(shown)[2:]) is None
