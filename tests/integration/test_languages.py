"""Other languages, as real commands: what they cost, and what the store keeps for them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

import dnsrenew
from dnsrenew.cli.commands import COMMANDS
from tests.kit import translations
from tests.kit.notify_stage import Receiver
from tests.lab.acmemessages import Request, Response
from tests.lab.records import txt_strings
from tests.lab.workspace import Workspace

CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
PACKAGE: Final = Path(dnsrenew.__file__).parent
LANGUAGES: Final = {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}
_SEPARATORS: Final = (
    *(" failed. ", " failed: ", " Same for ", " validated ", " installed: ", " written to ", " expired on "),
    *(" was renewed: ", ", next renewal ", " was left out: ", " deferred until ", " is valid until "),
    *(", but it raised ", " cannot be read: ", " cannot be used. ", " cannot be used: ", ", due for renewal "),
    *(" does not answer: ", " cannot read ", " cannot be written: "),
)
"""What stands between the fields of templates."""
HOSTILE: Final = (f"a b{'a b'.join(_SEPARATORS)}" * 20)[:950]
"""A text that many templates could have made, each within each other."""
MOST_SECONDS: Final = 1.0
"""Of processor time, above that of the same command in English."""
MOST_KIBIBYTES: Final = 64 << 10
_END: Final = 'ulimit -t 15; exec "$@"'


@dataclass(frozen=True)
class Done:
    """An ended command, with what it cost."""

    status: int
    said: str
    seconds: float
    kibibytes: int


def run(workspace: Workspace, language: str, *arguments: str) -> Done:
    """Run the program with this LANG, and end it after 15 s of processor time."""
    process = subprocess.Popen(
        ["sh", "-c", _END, "sh", *workspace.argv(*arguments)],
        cwd=workspace.path,
        env={**workspace.env, "LANG": LANGUAGES[language], "LC_ALL": "", "LC_MESSAGES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as output:
        said = output.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    workspace.captured.append(said)
    return Done(process.returncode, said, used.ru_utime + used.ru_stime, used.ru_maxrss)


def refused(request: Request) -> Response | None:
    """Refuse every account, in words that cost much to understand."""
    return Response.problem(403, "unauthorized", HOSTILE) if request.kind == "newAccount" else None


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A service that gets the messages of runs."""
    with Receiver() as running:
        yield running


def test_the_words_of_a_ca_cost_nothing_in_any_language(workspace: Workspace, receiver: Receiver) -> None:
    """What a CA says is shown as it is by `renew`, `status`, `doctor` and in messages, at the cost of English."""
    commands = ("renew", "renew", "status", "doctor")
    with workspace.lab.acme_proxy(refused) as proxy:
        workspace.write({"ca.lab.directory": proxy.directory_url, "notify": {"to": [f"literal:{receiver.address}"]}})
        expected = [run(workspace, "en", command) for command in commands]
        shutil.rmtree(workspace.store)
        for command, english in zip(commands, expected, strict=True):
            chinese = run(workspace, "zh", command)
            assert chinese.status == english.status, chinese.said
            assert chinese.seconds < english.seconds + MOST_SECONDS
            assert chinese.kibibytes < english.kibibytes + MOST_KIBIBYTES
            assert HOSTILE[:60] in " ".join(chinese.said.split())
            assert (bool(CHINESE.search(english.said)), bool(CHINESE.search(chinese.said))) == (False, True)
    english_message, chinese_message = (message["message"] for message in receiver.messages)
    assert HOSTILE[:60] in chinese_message
    assert (bool(CHINESE.search(english_message)), bool(CHINESE.search(chinese_message))) == (False, True)


@pytest.mark.leaves_txt
def test_the_words_of_a_txt_record_cost_nothing(workspace: Workspace) -> None:
    """What stands in a TXT record at a challenge name is shown as it is by `doctor`."""
    workspace.lab.add_zone("words.test", f"_acme-challenge TXT {txt_strings(HOSTILE)}\n")
    workspace.write({"dns.home.zones": ["words.test"], "certificate.0.domains": ["words.test"]})
    english, chinese = (run(workspace, language, "doctor", "-v") for language in LANGUAGES)
    assert HOSTILE[:60] in " ".join(chinese.said.split())
    assert chinese.status == english.status
    assert chinese.seconds < english.seconds + MOST_SECONDS
    assert chinese.kibibytes < english.kibibytes + MOST_KIBIBYTES


def test_an_edited_store_costs_nothing(workspace: Workspace) -> None:
    """Templates that somebody wrote into the store are ignored in every language: the text beside them is shown."""
    workspace.write({"ca.lab.directory": f"https://127.0.0.1:{workspace.lab.reserve()}/dir"})
    expected = [run(workspace, language, "renew") and run(workspace, language, "status") for language in LANGUAGES]
    path = workspace.store / "certificates" / "home" / "state.json"
    state = json.loads(path.read_text())
    for template in ("{x:>999999999}", "{x.__class__}", "{x}" * 100_000):
        records = {name: {"template": template, "values": {"x": "y" * 100_000}} for name in ("message", "fix")}
        path.write_text(json.dumps({**state, "last_failure": {**state["last_failure"], "templates": records}}))
        for language, before in zip(LANGUAGES, expected, strict=True):
            done = run(workspace, language, "status")
            assert state["last_failure"]["message"] in done.said
            assert done.seconds < before.seconds + MOST_SECONDS
            assert done.kibibytes < before.kibibytes + MOST_KIBIBYTES


def test_a_stored_failure_is_shown_in_any_language(workspace: Workspace) -> None:
    """A failure of a run in English is shown in Chinese later, by `status`, `doctor`, and a run that waits.

    The store has the English text where it always was, and beside it what the text was made of. Without that, as an
    older version leaves it, the text stays English until the next failure.
    """
    workspace.write({"ca.lab.directory": f"https://127.0.0.1:{workspace.lab.reserve()}/dir"})
    assert run(workspace, "en", "renew").status == 1
    path = workspace.store / "certificates" / "home" / "state.json"
    state = json.loads(path.read_text())
    english = state["last_failure"]["message"]
    assert english.startswith("The CA lab cannot be reached at")
    # The doctor finds the same itself, and says it once.
    for command, words in (("status", "无法连接CAlab"), ("doctor", "CAlab拒绝连接"), ("renew", "无法连接CAlab")):
        said = "".join(run(workspace, "zh", command).said.split())
        assert words in said
        assert "cannotbereached" not in said
    _, document = workspace.run_json("status", env={"LANG": LANGUAGES["zh"]})
    assert document["certificates"][0]["last_failure"] == {
        key: value for key, value in state["last_failure"].items() if key not in {"templates", "class", "without_order"}
    }
    del state["last_failure"]["templates"]
    path.write_text(json.dumps(state))
    assert english[:20] in run(workspace, "zh", "status").said
    assert english[:20] not in run(workspace, "zh", "renew", "--now").said
    assert english[:20] not in run(workspace, "zh", "status").said


# ── a third language ────────────────────────────────────────────────────────────────────

_COMMANDS: Final = "|".join(sorted({word for command in COMMANDS for word in command.split()}))
OTHERS: Final = {
    "values of TXT records, and serial numbers": r"= [\w-]{43}|\b[0-9a-f]{12,16}\b",
    "what is written into a crontab": r"^  (?:# Written by: .*|(?:@reboot|[\d*]).* -m dnsrenew renew .*)$",
    "paths, addresses and references": r"https?://\S+|(?<!\w)/[\w./-]+|env:\w+|\b[a-z]+\.(?:toml|jsonl)\b",
    "commands and options": rf"\bdnsrenew\b(?: (?:{_COMMANDS}|COMMAND|cloudflare))*|(?<![\w-])--?[a-z][a-z-]*",
    "what options and commands get": r"\b(?:FILE|FOLDER|LANG|NAME|TIME|en|xx|zh)\b|\[options\]",
    "keys of the configuration": r"\b(?:dns\.home\.\w+|notify\.to|storee)\b|(?:(?<=óƒ )|(?<=⟧, ))[a-z]+(?=⟧)",
    "names in the configuration, and what has them": r"\bhome\b|\blab\b|(?<![\w@*-])(?:[\w@*-]+[.@])?example\.test\b",
    "what was probably meant": r"(?<=ɱéáñ )[\w-]+",
    "what is quoted": r"\"[^\"]*\"|'[^']*'",
    "challenges, reasons and codes of errors": r"\b(?:dns|http|tls-alpn|dns-persist)-01\b|unspecified|ca-unreachable",
    "codes of checks": r"\[[a-z0-9-]+\]$",
    "units and time zones": r"\bGB\b|\bUTC\b",
}
"""What is the same in every language."""
LABEL: Final = rf"^  (?:{_COMMANDS})\b(?= )"
"""The first column of ``--help``: commands."""


@pytest.fixture
def third(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a program that has one file more: a language whose letters all have accents."""
    package = tmp_path / "third" / "dnsrenew"
    shutil.copytree(PACKAGE / "locale", package / "locale")
    for part in PACKAGE.iterdir():
        if part.name != "locale":
            (package / part.name).symlink_to(part)
    (package.parent / "providers").symlink_to(PACKAGE.parent / "providers")
    (package / "locale" / f"{translations.PSEUDO}.po").write_text(translations.pseudo_file("zh"), "utf-8")
    return {"PYTHONPATH": str(package.parent), "LANG": "xx_XX.UTF-8", "LC_ALL": "", "LC_MESSAGES": ""}


_ONE_AFTER_THE_OTHER: Final = """
import contextlib, io, json, sys
from dnsrenew.cli import program
def run(line):
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        program.run(line.split())
    return said.getvalue()
print(json.dumps([run(line) for line in sys.argv[1:]]))
"""
"""Runs command lines, and prints what they say: a process for each takes longer to start than to run."""


def escaped(workspace: Workspace, third: Mapping[str, str], *lines: str) -> list[tuple[str, str]]:
    """Run commands in the third language; return what they say in English, with the command."""
    found = []
    workspace.lab.flush()
    env, argv = {**workspace.env, **third}, [sys.executable, "-c", _ONE_AFTER_THE_OTHER, *lines]
    done = subprocess.run(argv, cwd=workspace.path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    workspace.captured += [done.stdout, done.stderr]
    for line, text in zip(lines, json.loads(done.stdout), strict=True):
        said = text.splitlines()
        assert any("⟦" in each for each in said), (line, said)
        for each in said:
            rest = re.sub(LABEL, "", each) if "--help" in line else each
            for pattern in OTHERS.values():
                rest = re.sub(pattern, "", rest)
            if re.search(r"[A-Za-z]{2}", rest):
                found.append((line, each))
    return found


def test_a_third_language_is_one_file(workspace: Workspace, third: Mapping[str, str]) -> None:
    """With one more file the program speaks one more language, in each of its screens; no text escapes it."""
    screens = ["--help", "renew --help", "fleet --help", "check", "status", "doctor", "renew"]
    assert escaped(workspace, third, *screens) == []
    screens = ["renew -v --force", "status -v", "doctor -v", "account", "cleanup", "deploy", "revoke home --yes"]
    screens += ["status", "export x.tar", "--lang xx status home", "schedule show", "statu", "status --nix"]
    assert escaped(workspace, third, *screens, "renew 'nix'", "notify test") == []


def test_failures_in_a_third_language(workspace: Workspace, third: Mapping[str, str]) -> None:
    """So are failures, those that were stored among them, and mistakes in the configuration."""
    workspace.write({"ca.lab.directory": f"https://127.0.0.1:{workspace.lab.reserve()}/dir"})
    assert escaped(workspace, third, "renew", "renew", "status", "doctor") == []
    mistakes = {"certificate.0.key": "rsa1", "certificate.0.domains": ["a..b", "x y"], "dns.home.provider": "cloudflar"}
    workspace.write({"storee": "x", "certificate.0.routes": [{"challenge": "dns-1"}], **mistakes})
    assert escaped(workspace, third, "check", "renew", "status") == []
