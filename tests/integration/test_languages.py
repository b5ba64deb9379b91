"""Other languages, as real commands: what they cost, and what the store keeps for them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from tests.kit.notify_stage import Receiver
from tests.lab.acmemessages import Request, Response
from tests.lab.workspace import Workspace

CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
LANGUAGES: Final = {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}
_SEPARATORS: Final = (
    *(" failed. ", " failed: ", " Same for ", " validated ", " installed: ", " written to ", " expired on "),
    *(" was renewed: ", ", next renewal ", " was left out: ", " deferred until ", " is valid until "),
    *(", but it raised ", " cannot be read: ", " cannot be used. ", " cannot be used: ", ", due for renewal "),
    *(" does not answer: ", " cannot be read by ", " cannot be written: "),
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
    for command in ("status", "doctor", "renew"):
        said = "".join(run(workspace, "zh", command).said.split())
        assert "无法连接CAlab" in said
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
