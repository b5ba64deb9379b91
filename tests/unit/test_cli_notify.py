"""`[notify]` in the commands: `notify test`, `check`, `renew` and `run`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apprise
import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import replace
from dnsrenew.cli import invocation, main
from dnsrenew.cli.invocation import Invocation
from dnsrenew.config.extension_tables import NotifySettings
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.watch import config_check as notify_check
from dnsrenew.store import FolderStore
from tests.kit.certificates import issue
from tests.kit.clock import FakeClock
from tests.kit.config_files import check, load, mistakes, write
from tests.kit.documents import DOCS
from tests.kit.notify_stage import TOKEN, Receiver
from tests.kit.stores import SPEC

HEAD = """
agree_terms = true
[dns.home]
provider = "duckdns"
token = "literal:0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
[[certificate]]
name = "home"
domains = ["home.duckdns.org"]
"""
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A service that takes every message."""
    with Receiver() as found:
        yield found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a valid certificate in its store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DNSRENEW_CONFIG", raising=False)
    store = FolderStore(tmp_path / "state")
    spec = replace(SPEC, domains=("home.duckdns.org",), identifiers=("home.duckdns.org",))
    pem, key, facts = issue(spec.identifiers, NOW - timedelta(days=1))
    with store.lock("home", context=Context()):
        store.prove_writable("home")
        store.keep(spec, "letsencrypt", pem, key, facts, state=store.read_state("home"))
    return tmp_path


def table(*lines: str, deploy: bool = False) -> str:
    """Return a configuration with these lines in [notify]."""
    target = 'deploy = [{ to = "files", combined = "gone/home.pem" }]\n' if deploy else ""
    return HEAD + target + "\n".join(["[notify]", *lines, ""])


def to(*addresses: str) -> str:
    """Return the line with these addresses."""
    return f"to = {json.dumps([f'literal:{address}' for address in addresses])}"


# ── notify test ─────────────────────────────────────────────────────────────────────────


def test_a_test_message_goes_to_every_address(
    here: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each address gets a test message and has its output line. The heartbeat gets nothing, which is said."""
    write(here, table(to(receiver.address, receiver.address), f'heartbeat = "literal:{receiver.url}/beat"'))
    assert main(["notify", "test"]) == 0
    assert receiver.titles == ["dnsrenew: test message"] * 2
    assert receiver.messages[0]["message"].startswith("This is a test message. You get messages on: failed, recovered")
    assert [line[2:] for line in capsys.readouterr().out.splitlines()] == [
        "A test message was sent to item 1 of notify.to (json).",
        "A test message was sent to item 2 of notify.to (json).",
        "The heartbeat address gets no test message; every run over all certificates calls it.",
    ]


def test_one_address_that_fails_is_exit_status_1(
    here: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """If one address fails, the others still get their message. JSON has one entry for each address."""
    write(here, table(to(receiver.address, "nfty://topic-of-mine", f"json://127.0.0.1:1/{TOKEN}")))
    assert main(["notify", "test", "--json"]) == 1
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["version"] == 1
    assert [(each["to"], each["ok"]) for each in document["sent"]] == [("json", True), ("nfty", False), ("json", False)]
    assert document["sent"][0]["error"] is None
    assert document["sent"][1]["error"]["code"] == "notify-failed"
    assert err.count("✗") == 2
    assert len(receiver.asked) == 1


@pytest.mark.parametrize("lines", [(), ('heartbeat = "literal:https://hc.test/x"',)])
def test_a_test_without_addresses_is_a_mistake(
    here: Path, lines: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """`notify test` without addresses is a mistake."""
    write(here, table(*lines) if lines else HEAD)
    assert main(["notify", "test"]) == 2
    assert "notify.to" in capsys.readouterr().err


# ── runs ────────────────────────────────────────────────────────────────────────────────


def test_renew_tells_a_failed_deployment_once(
    here: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each run sends a heartbeat. Only the first one sends a message."""
    write(here, table(to(receiver.address), f'heartbeat = "literal:{receiver.url}/beat"', deploy=True))
    assert [main(["renew"]) for _ in range(3)] == [1, 1, 1]
    asked = sorted(request.path for request in receiver.asked)
    assert asked == ["/beat/fail", "/beat/fail", "/beat/fail", f"/{TOKEN}"]
    assert "notify-failed" not in capsys.readouterr().err


def test_a_message_that_is_not_sent_is_a_warning_of_the_run(
    here: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unsent message is a warning in the outcome and on standard error. The exit status is not affected."""
    receiver.status = 500
    write(here, table(f'heartbeat = "literal:{receiver.url}/beat"'))
    assert main(["renew", "--json"]) == 0
    out, err = capsys.readouterr()
    (warning,) = json.loads(out)["outcomes"][0]["warnings"]
    assert warning["code"] == "notify-failed"
    assert "Nothing was sent to notify.heartbeat (http)" in err


def test_run_tells_in_each_round(
    here: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three rounds send one message and three heartbeats."""
    write(here, table(to(receiver.address), f'heartbeat = "literal:{receiver.url}/beat"', deploy=True))
    clock = FakeClock(NOW)

    def make(options: Any, terminal: Any, signals: Any) -> Invocation:
        def stop() -> None:
            if len([request for request in receiver.asked if request.path == "/beat/fail"]) == 3:
                signals.status = 143
                signals.cancel.set()

        clock.on_wait = stop
        return Invocation(options, terminal, signals, clock)

    monkeypatch.setattr(invocation, "make_invocation", make)
    assert main(["run"]) == 143
    assert receiver.titles == ["home: not deployed"]
    capsys.readouterr()


# ── mistakes ────────────────────────────────────────────────────────────────────────────


def test_the_table_is_read(tmp_path: Path) -> None:
    """Addresses are secrets. A single text is accepted for a list."""
    config = load(tmp_path, table('to = "env:NTFY_URL"', 'heartbeat = "env:HEARTBEAT"', 'on = ["failed"]'))
    expected = NotifySettings(to=(Secret.env("NTFY_URL"),), on=("failed",), heartbeat=Secret.env("HEARTBEAT"))
    assert config.notify == expected
    assert config.certificates[0].notify
    silent = load(tmp_path, HEAD + "notify = false\n")
    assert (silent.notify, silent.certificates[0].notify) == (None, False)


def test_an_address_in_plain_is_a_warning(tmp_path: Path) -> None:
    """A secret URL in plain text causes a warning, which does not show it."""
    config = load(tmp_path, table('to = ["mailtos://user:word@mail.test"]'))
    assert [notice.code for notice in config.warnings] == ["secret-plain"]
    assert "word" not in repr(config.warnings)


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        (("on = ['failed']",), ["notify.to"]),
        (("to = ['env:X']", "on = []"), ["notify.on"]),
        (("to = ['env:X']", "on = ['fialed', 1]"), ["notify.on[0]", "notify.on[1]"]),
        (("to = [3]", "heartbeat = true", "from = 'x'"), ["notify.to[0]", "notify.heartbeat", "notify.from"]),
    ],
)
def test_mistakes_of_the_table(tmp_path: Path, lines: tuple[str, ...], keys: list[str]) -> None:
    """All mistakes are listed together, each with its key."""
    assert [mistake["key"] for mistake in mistakes(tmp_path, table(*lines))] == keys


def test_check_finds_addresses_that_cannot_be_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`check` reports an address that apprise does not know and a heartbeat that is no HTTP URL."""
    caplog.set_level(1)
    lines = ['to = ["literal:nfty://topic-of-mine", "literal:json://127.0.0.1/x"]']
    text = table(*lines, 'heartbeat = "literal:ftp://hc.test/1234-5678-90ab"')
    found = mistakes(tmp_path, text, check)
    assert [mistake["key"] for mistake in found] == ["notify.to[0]", "notify.heartbeat"]
    assert "ntfys://" in found[0]["expected"]
    assert "topic-of-mine" not in caplog.text + repr(found)


def test_check_names_the_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check names the missing package of the extra. A heartbeat needs no package."""
    monkeypatch.setattr(notify_check, "_PACKAGE", "no_such_package")
    with pytest.raises(ConfigError) as caught:
        check(tmp_path, table(to("json://127.0.0.1/x")))
    assert "install" in caught.value.fix or "install" in caught.value.message
    assert check(tmp_path, table('heartbeat = "literal:https://hc.test/x"')).notify is not None


def test_the_addresses_of_the_guide_are_addresses_of_apprise() -> None:
    """Each address of the guide is valid after its capital words are replaced."""
    page = (DOCS / "guides" / "notifications.md").read_text("utf-8")
    found = re.findall(r"`([a-z]+://[^`]*)`", page)
    assert len(found) > 4
    for address in found:
        filled = address.replace("BOT_TOKEN", "123456789:abcdefghijklmnop").replace("CHAT_ID", "12315544")
        assert address.startswith("https://hc-ping.com/") or apprise.Apprise.instantiate(filled) is not None, address
