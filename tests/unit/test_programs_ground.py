"""What a configuration runs and others can change: the program, the script behind an interpreter, what PATH finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import Deployment
from dnsrenew.config import Config
from dnsrenew.deploy.entry import entries
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.targets.ssh import OpenSsh
from tests.kit.config_files import AGREED, write
from tests.kit.deployments import deployer_context
from tests.kit.users import NOBODY, acting_as, as_root

HOOK = '[dns.home]\nprovider = "hook"\nprogram = {program}\n'
CERTIFICATE = '[[certificate]]\ndomains = ["example.test"]\n'
KEYS = {
    "run": HOOK.format(program='["true"]') + CERTIFICATE + "deploy = [{{ run = {command} }}]\n",
    "reload": HOOK.format(program='["true"]')
    + CERTIFICATE
    + 'deploy = [{{ to = "files", key = "key.pem", reload = {command} }}]\n',
    "before": HOOK.format(program='["true"]') + CERTIFICATE + "before = {command}\n",
    "after": HOOK.format(program='["true"]') + CERTIFICATE + "after = {command}\n",
    "program": HOOK.format(program="{command}") + CERTIFICATE,
    "command": '[dns.home]\nprovider = "duckdns"\ntoken = {{ command = {command} }}\n'
    + CERTIFICATE.replace("example.test", "a.duckdns.org"),
}
"""A configuration for each key with a command."""
COMMANDS = {
    "the program": ["{tell}"],
    "an argument": ["/bin/echo", "-n", "{tell}"],
    "the script of a shell": ["/bin/sh", "{tell}"],
    "a word for a shell": ["sh", "-c", "{tell} now"],
    "a word with other options": ["/bin/bash", "-o", "pipefail", "-ec", "true|{tell}; true"],
    "a quoted word": ["dash", "-c", "exec '{blank}' now"],
    "a word in a word": ["sh", "-c", 'echo "$({tell})"'],
    "a command within a command": ["sudo", "-u", "root", "sh", "-c", 'env X=1 sh -c "{tell} now"'],
    "an open quote": ["sh", "-c", "{tell} '"],
    "a program of env": ["/usr/bin/env", "X=1", "{tell}"],
    "env finds it": ["env", "-i", "tell-tale"],
    "a shell finds it": ["sh", "-ec", "true && tell-tale now"],
    "nice finds it": ["nice", "-n", "5", "tell-tale"],
    "timeout finds it": ["timeout", "5", "tell-tale"],
    "sudo finds it": ["sudo", "-u", "root", "tell-tale"],
    "found by name": ["tell-tale"],
    "a script of Python": ["python3", "-I", "{tell}", "now"],
    "a script of Perl": ["/usr/bin/perl", "{tell}"],
    "a script in the current folder": ["python3", "-u", "tell-tale"],
    "a path from the current folder": ["sh", "-c", "./tell-tale"],
}
"""Commands that run, or name, a file of another user: ``{tell}``, with blanks ``{blank}``; ``tell-tale`` in PATH."""


@pytest.fixture
def theirs(open_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of nobody's with programs; it is the current one, and the first in PATH."""
    folder = open_path / "theirs"
    folder.mkdir()
    for name in ("tell-tale", "tell tale", "ssh", "sftp", "true"):
        (folder / name).write_text(f"#!/bin/sh\nid >> {open_path}/ran\necho told\n")
        (folder / name).chmod(0o755)
        os.chown(folder / name, NOBODY, NOBODY)
    (folder / "true").unlink()
    os.chown(folder, NOBODY, NOBODY)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(open_path))
    monkeypatch.chdir(folder)
    return folder


def configuration(folder: Path, key: str, command: Sequence[str]) -> Path:
    """A configuration of root's with a command."""
    return write(folder, AGREED + KEYS[key].format(command=json.dumps(list(command))), "srv/dnsrenew.toml")


def filled(command: Sequence[str], theirs: Path) -> list[str]:
    """A command with the paths in it."""
    return [word.format(tell=theirs / "tell-tale", blank=theirs / "tell tale") for word in command]


def dnsrenew(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the program itself; return its status and its document."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "dnsrenew", *arguments, "--json"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout)


def refused(path: Path) -> str:
    """Load a configuration that is refused; return the path that others can change."""
    with pytest.raises(ConfigError) as caught:
        Config.load(path)
    assert caught.value.code == "config-untrusted"
    return str(caught.value.evidence["path"])


@as_root
@pytest.mark.parametrize("key", KEYS)
def test_root_runs_no_script_of_another_user(key: str, theirs: Path, open_path: Path) -> None:
    """`dnsrenew check` as root refuses another user's script, for every key with a command, and does not run it."""
    path = configuration(open_path, key, ["sh", str(theirs / "tell-tale")])
    status, document = dnsrenew("check", "--config", str(path))
    assert (status, document["error"]["code"]) == (2, "config-untrusted")
    assert document["error"]["evidence"]["path"] == str(theirs)
    assert not (open_path / "ran").exists()
    os.chown(theirs, 0, 0)
    os.chown(theirs / "tell-tale", 0, 0)
    status, document = dnsrenew("check", "--config", str(path))
    assert status == 0, document


@as_root
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("key", ["run", "command"])
def test_what_stands_behind_a_command_is_judged(name: str, key: str, theirs: Path, open_path: Path) -> None:
    """A file of another user is refused wherever a command names it. --insist takes it, and a user is warned."""
    path = configuration(open_path, key, filled(COMMANDS[name], theirs))
    assert refused(path) == str(theirs)
    assert Config.load(path, insist=True).warnings == ()
    os.chown(theirs, 0, 0)
    wanted = theirs / ("tell tale" if name == "a quoted word" else "tell-tale")
    assert refused(path) == str(wanted)
    os.chown(wanted, 0, 0)
    assert Config.load(path).warnings == ()
    os.chown(wanted, NOBODY + 1, NOBODY)
    with acting_as(NOBODY):
        assert [notice.code for notice in Config.load(path).warnings] == ["config-untrusted"]


@as_root
def test_the_program_that_was_judged_is_run(theirs: Path, open_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program is searched once: one that is put before it in PATH later is not run."""
    ours = open_path / "ours"
    ours.mkdir()
    for name in ("ssh", "sftp"):
        (ours / name).write_text("#!/bin/sh\necho ours\n")
        (ours / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{ours}:{os.environ['PATH']}")
    text = KEYS["run"].replace("run = {command}", 'to = "ssh", host = "h", key = "/k"')
    path = write(open_path, AGREED + text.format(), "srv/dnsrenew.toml")
    (deployment,) = Config.load(path).certificates[0].deploy
    assert isinstance(deployment, Deployment)
    monkeypatch.setenv("PATH", f"{theirs}:{os.environ['PATH']}")
    (entry,) = entries([deployment])
    assert OpenSsh(deployer_context({}).run, entry.options).batch(["ls"], str(open_path)) == ["ours"]
    assert not (open_path / "ran").exists()
    for name in ("sftp", "ssh"):
        assert refused(path) == str(theirs)
        (theirs / name).unlink()
    assert Config.load(path).warnings == ()


@as_root
def test_where_a_missing_program_could_appear(theirs: Path, open_path: Path) -> None:
    """A program that is not there is refused if another user can put one into a folder of PATH."""
    path = configuration(open_path, "run", ["no-such-program"])
    assert refused(path) == str(theirs)
    os.chown(theirs, 0, 0)
    assert Config.load(path).warnings == ()


@as_root
@pytest.mark.parametrize(
    "command",
    [
        ["systemctl", "reload", "nginx"],
        ["sh", "-c", "systemctl reload nginx && echo {tell}.log > /dev/null 2>&1"],
        ["/bin/echo", "see {tell}", "tell-tale"],
        ["/bin/echo", "/nonexistent/file"],
        ["/bin/sh", "-c", "true", "tell-tale-of-mine"],
        ["env", "X={tell}", "true"],
        ["python3", "-c", "print(1)"],
        ["sh", "-c", "tell='"],
    ],
)
def test_an_honest_command_is_taken(command: Sequence[str], theirs: Path, open_path: Path) -> None:
    """A command that runs only root's programs causes no word, though another user's folder is the first in PATH."""
    (theirs / "ssh").unlink()
    assert Config.load(configuration(open_path, "run", filled(command, theirs))).warnings == ()


@as_root
def test_a_home_with_the_umask_002(open_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's own script, which his own group can write, causes no word."""
    import pwd

    user = next(each for each in pwd.getpwall() if each.pw_uid and each.pw_name == "daemon")
    home = open_path / "home"
    home.mkdir()
    (home / "tell").write_text("#!/bin/sh\n")
    path = write(home, AGREED + KEYS["run"].format(command=json.dumps(["sh", str(home / "tell")])))
    for each in (home, home / "tell", path):
        each.chmod(0o775)
        os.chown(each, user.pw_uid, user.pw_gid)
    monkeypatch.setenv("HOME", str(home))
    with acting_as(user.pw_uid):
        assert Config.load(path).warnings == ()
