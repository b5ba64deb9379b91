"""`renew --json --events`: every line on standard error is JSON, and standard output is one document."""

import json
from functools import partial
from typing import Any

import pytest

from dnsrenew.cli import main
from dnsrenew.errors import ConfigError
from docs.tables import EVENTS
from tests.kit.cli_stage import FakeConfig, FakeRenewer, crowd, happy, install, unhappy


def lines(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, object], list[dict[str, Any]]]:
    """The document, and the lines on standard error."""
    out, err = capsys.readouterr()
    document: dict[str, object] = json.loads(out)
    return document, [json.loads(line) for line in err.splitlines()]


def test_each_event_is_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each event is one line in order, waits for DNS included. Messages are lines too."""
    install(FakeRenewer(happy), put=monkeypatch.setattr)
    assert main(["renew", "--json", "--events"]) == 0
    document, found = lines(capsys)
    assert document["version"] == 1
    assert all({"kind", "time", "certificate", "data"} <= set(line) for line in found)
    assert {line["kind"] for line in found} <= set(EVENTS)
    kinds = [line["kind"] for line in found if line["kind"] != "message"]
    assert kinds[:3] == ["run-started", "certificate-started", "route-started"]
    assert "dns-waiting" in kinds
    assert kinds[-1] == "certificate-finished"
    assert any("Using " in line["data"]["message"] for line in found if line["kind"] == "message")


def test_a_failure_and_a_warning_are_lines_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Failures and warnings are JSON lines too. With -q there are only warnings and results."""
    install(FakeRenewer(unhappy), put=monkeypatch.setattr)
    assert main(["renew", "--json", "--events"]) == 1
    _, found = lines(capsys)
    assert {"warning", "route-failed"} <= {line.get("kind") for line in found}
    assert main(["renew", "--json", "--events", "-q"]) == 1
    _, found = lines(capsys)
    assert {line["kind"] for line in found} == {"message", "warning", "certificate-finished"}


def test_several_at_once_do_not_mix_their_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines of six concurrent certificates are not mixed."""
    install(FakeRenewer(partial(crowd, count=6)), put=monkeypatch.setattr)
    assert main(["renew", "--json", "--events"]) == 1
    _, found = lines(capsys)
    finished = [line["certificate"] for line in found if line.get("kind") == "certificate-finished"]
    assert sorted(map(str, finished)) == [f"site{number}" for number in range(6)]


def test_a_mistake_is_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An error before any certificate is a JSON line too."""
    from dnsrenew.cli.invocation import Invocation

    def broken(_invocation: object, **_: bool) -> FakeConfig:
        raise ConfigError("config-missing", "There is none.", fix="Write one.")

    monkeypatch.setattr(Invocation, "config", broken)
    assert main(["renew", "--json", "--events"]) == 2
    document, found = lines(capsys)
    assert "error" in document
    assert any("There is none." in line["data"]["message"] for line in found if line["kind"] == "message")


def test_it_needs_json(capsys: pytest.CaptureFixture[str]) -> None:
    """--events without --json is an error."""
    assert main(["renew", "--events"]) == 2
    assert "✗ --events needs --json." in capsys.readouterr().err
