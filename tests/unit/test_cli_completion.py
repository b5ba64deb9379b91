"""Completion: the candidates at the cursor, queried by real shells with the scripts of the command."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dnsrenew.cli import main
from dnsrenew.cli.commands import COMMANDS, SHELLS
from dnsrenew.cli.completion import answer
from tests.kit.config_files import write

CONFIG = """
agree_terms = true
[ca.lab]
directory = "https://127.0.0.1:14000/dir"
[dns.home]
provider = "duckdns"
token = "file:token"
[[certificate]]
name = "home"
domains = ["home.duckdns.org"]
[[certificate]]
name = "shop"
domains = ["shop.duckdns.org", "*.shop.duckdns.org"]
"""
BASH = """
source <(dnsrenew completion bash)
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_dnsrenew dnsrenew
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; autoload -U compinit; compinit -u -D; source <(dnsrenew completion zsh)'
zpty -w shell 'dnsrenew() { [[ $1 == __complete ]] && command dnsrenew "$@" || print -r -- "$*" >| typed; }'
zpty -w shell 'bindkey "^I" complete-word; bindkey "^X" accept-line; print -r -- REA""DY'
zpty -r shell said '*READY*'
zpty -w -n shell "$1"$'\t\x18'
while [[ ! -s typed ]]; do zpty -r -t shell said; sleep 0.05; done
cat typed
zpty -d shell
"""
REASONS = ["unspecified", "key-compromise", "affiliation-changed", "superseded", "cessation-of-operation"]


def needs(program: str) -> pytest.MarkDecorator:
    """Skip a test where the shell is not installed: on Debian it is."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"there is no {program}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, whose secret does not exist; the store has an old certificate."""
    write(tmp_path, CONFIG)
    (tmp_path / "state/certificates/old").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DNSRENEW_CONFIG", raising=False)
    return tmp_path


def words(line: str) -> list[str]:
    """The candidates for a line, split at spaces; the last word is at the cursor."""
    return [found.partition("\t")[0] for found in answer(line.split(" ")).splitlines()]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", [name for name in COMMANDS if " " not in name]),
        ("re", ["renew", "revoke", "remove", "restore"]),
        ("renew ", ["home", "shop"]),
        ("renew --now home ", ["shop"]),
        ('renew ""', ["home", "shop"]),  # PowerShell
        ("renew --wait ", ["home", "shop"]),
        ("renew --workers ", []),
        ("renew home --jitter 5m s", ["shop"]),
        ("revoke ", ["home", "shop"]),
        ("revoke home ", []),
        ("remove ", ["old"]),
        ("revoke home --reason k", ["key-compromise"]),
        ("revoke --reason=k", ["--reason=key-compromise"]),
        ("revoke --reason = k", ["key-compromise"]),  # bash
        ("revoke --reason =", REASONS),
        ("account ", ["show", "roll", "contact", "deactivate"]),
        ("account roll la", ["lab"]),
        ("schedule --kind c", ["cron"]),
        ("schedule show --kind l", ["launchd"]),
        ("providers power", ["powerdns"]),
        ("completion ", list(SHELLS)),
        ("help schedule ", ["install", "show", "remove"]),
        ("status --fa", ["--failing"]),
        ("--js", ["--json"]),
        ("--json sta", ["status"]),
        ("--config ", [":files"]),
        ("--config=dns", [":files"]),
        ("nonsense ", []),
        ("--config missing.toml renew ", []),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_candidates(line: str, expected: list[str]) -> None:
    """Candidates are commands, options, values and names of the configuration."""
    assert words(line) == expected


@pytest.mark.usefixtures("folder")
def test_candidates_are_described() -> None:
    """Candidates have descriptions, which zsh, fish and PowerShell show."""
    assert answer(["renew", "s"]) == "shop\tshop.duckdns.org, *.shop.duckdns.org\n"
    assert answer(["renew", "--al"]) == "--all\twith --force: renew all certificates\n"


@pytest.fixture
def shell(folder: Path) -> Callable[..., list[str]]:
    """Run a real shell in the folder, with the command on its PATH; the lines that it prints."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "TERM": "dumb",
    }

    def run(*arguments: str) -> list[str]:
        done = subprocess.run(
            arguments, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=True
        )
        assert not done.stderr
        return done.stdout.splitlines()

    return run


@needs("bash")
def test_bash(shell: Callable[..., list[str]]) -> None:
    """Completion works in bash, which splits words at =."""
    assert shell("bash", "-c", BASH, "bash", "dnsrenew", "renew", "") == ["home", "shop"]
    assert shell("bash", "-c", BASH, "bash", "dnsrenew", "revoke", "--reason", "=", "k") == ["key-compromise"]
    assert shell("bash", "-c", BASH, "bash", "dnsrenew", "--config", "dns") == ["dnsrenew.toml"]
    assert shell("bash", "-c", BASH, "bash", "dnsrenew", "--config", "=", "dns") == ["dnsrenew.toml"]


@needs("bash")
def test_bash_runs_no_name_of_a_file(shell: Callable[..., list[str]], folder: Path) -> None:
    """The script quotes file names itself where bash does not (version 3), so that no name is executed."""
    (folder / "a $(id)").touch()
    assert shell("bash", "-c", BASH, "bash", "dnsrenew", "--config", "a") == [r"a\ \$\(id\)"]


@needs("fish")
def test_fish(shell: Callable[..., list[str]]) -> None:
    """Completion works in fish, with descriptions."""

    def complete(line: str) -> list[str]:
        return shell("fish", "-c", f'dnsrenew completion fish | source; complete -C "{line}"')

    assert complete("dnsrenew renew --now ") == ["home\thome.duckdns.org", "shop\tshop.duckdns.org, *.shop.duckdns.org"]
    assert complete("dnsrenew revoke --reason=k") == ["--reason=key-compromise"]
    assert complete("dnsrenew account roll lab") == ["lab\thttps://127.0.0.1:14000/dir"]
    assert [line.partition("\t")[0] for line in complete("dnsrenew --config dns")] == ["dnsrenew.toml"]


@needs("zsh")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("dnsrenew renew sh", "renew shop"),
        ("dnsrenew revoke --reason=k", "revoke --reason=key-compromise"),
        ("dnsrenew --config=dns", "--config=dnsrenew.toml"),
        ("dnsrenew --config dns", "--config dnsrenew.toml"),
    ],
)
def test_zsh(shell: Callable[..., list[str]], typed: str, completed: str) -> None:
    """Completion works in an interactive zsh, with the Tab key."""
    assert shell("zsh", "-f", "-c", ZSH, "zsh", typed) == [completed]


def test_the_scripts_are_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Each shell has a script; a wrong shell name is an error. PowerShell's is not run here: Debian has none."""
    for name in SHELLS:
        assert main(["completion", name]) == 0
        out, err = capsys.readouterr()
        assert "__complete" in out
        assert err == ""
    assert main(["completion", "tcsh"]) == 2
    assert "Valid values: bash, zsh, fish, powershell." in capsys.readouterr().err
