"""The log records of the logger ``dnsrenew`` for a program without an event handler."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import dnsrenew
from dnsrenew import Event, Outcome
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.events import Emitter
from dnsrenew.cli.error_text import LogLines
from dnsrenew.cli.terminal import Terminal
from dnsrenew.operations.event_log import EventLog, log_idle
from tests.kit.clock import START, FakeClock
from tests.kit.recipes import RecipeWorld

LATER = START + timedelta(days=60)
ERROR = dnsrenew.ProviderError("provider-refused", "The host refuses the token.", fix="Make a new one.")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[tuple[str, str]]]:
    """The level and the text of each line of the logger ``dnsrenew`` itself, as they come."""
    found: list[tuple[str, str]] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "dnsrenew":
                found.append((record.levelname, record.getMessage()))

    handler = Collect()
    caplog.set_level(logging.DEBUG, "dnsrenew")
    logging.getLogger("dnsrenew").addHandler(handler)
    yield found
    logging.getLogger("dnsrenew").removeHandler(handler)


def outcome(status: Any, **more: Any) -> Outcome:
    """The outcome of a certificate that is valid for 60 of its 90 days, unless said otherwise."""
    life = {"not_before": START - timedelta(days=30), "not_after": LATER}
    facts = {"name": "home", "reason": "ari", "domains": ("x.test", "*.x.test"), **life}
    return Outcome(status=status, **{**facts, **more})


def short_lived(left: int) -> dict[str, Any]:
    """Return the validity of a 6-day certificate with the given number of days left."""
    return {"not_before": START + timedelta(days=left - 6), "not_after": START + timedelta(days=left)}


def finished(log: EventLog, done: Outcome) -> None:
    """Send a log the end of a certificate."""
    log(Event("certificate-finished", START, done.name, done.to_dict()))


@pytest.mark.parametrize(
    ("done", "level", "text"),
    [
        (outcome("renewed"), "INFO", "renewed the certificate for x.test, *.x.test, valid until 2027-01-24T10:00:00Z"),
        (outcome("renewed", reason="missing"), "INFO", "obtained a certificate for x.test, *.x.test, valid until"),
        (outcome("rehearsed"), "INFO", "the dry run succeeded for x.test, *.x.test"),
        (outcome("failed", error=ERROR), "INFO", "failed: The host refuses the token. Make a new one."),
        (outcome("failed", error=ERROR, reason="forced"), "INFO", "failed: The host refuses the token."),
        (outcome("failed", error=ERROR, reason="revoked"), "WARNING", "failed: The host refuses the token."),
        (outcome("failed", error=ERROR, reason="changed"), "WARNING", "failed: The host refuses the token."),
        (outcome("failed", error=ERROR, not_after=START + timedelta(days=15)), "WARNING", "failed: The host refuses"),
        (outcome("failed", error=ERROR, not_after=START + timedelta(days=16)), "INFO", "failed: The host refuses"),
        (outcome("failed", error=ERROR, **short_lived(3)), "WARNING", "failed: The host refuses the token."),
        (outcome("failed", error=ERROR, **short_lived(4)), "INFO", "failed: The host refuses the token."),
        (outcome("failed", error=ERROR, not_after=None), "WARNING", "failed: The host refuses the token."),
        (outcome("failed", error=ERROR, not_after=START), "WARNING", "failed: The host refuses the token."),
        (outcome("locked", error=ERROR, not_after=None), "INFO", "locked: The host refuses the token."),
    ],
)
def test_an_outcome_is_a_line(done: Outcome, level: str, text: str, lines: list[tuple[str, str]]) -> None:
    """The level is INFO if later runs may help and WARNING if a person must act.

    That is a failure where the stored certificate cannot be used or is not what the configuration asks for, or where
    less than a third of its lifetime is left (half for a short-lived one).
    """
    finished(EventLog(), done)
    ((found, line),) = lines
    assert found == level
    assert line.startswith(f"home: {text}")


def test_a_certificate_that_is_not_due_is_a_detail(lines: list[tuple[str, str]]) -> None:
    """A certificate that is not due is logged with DEBUG, a deferred one with INFO, once each."""
    log, idle, deferred = EventLog(), outcome("not-due"), outcome("deferred", error=ERROR, next_attempt=LATER)
    finished(log, idle)
    finished(log, deferred)
    log_idle([idle, deferred, outcome("renewed")])
    assert [level for level, _ in lines] == ["DEBUG", "INFO"]
    assert lines[1][1].startswith("home: due, but not tried before 2027-01-24T10:00:00Z: The host refuses")


def test_a_wait_is_a_line(lines: list[tuple[str, str]]) -> None:
    """The first event of a wait for name servers is logged, with their number. The next wait is logged again."""
    log = EventLog()
    servers = [{"state": state} for state in ("agrees", "waiting", "skipped", "waiting")]
    for kind in ("dns-waiting", "dns-waiting", "dns-visible", "dns-waiting"):
        log(Event(kind, START, "home", {"servers": servers}))
    log(Event("dns-waiting", START, "other", {"servers": servers[:1]}))
    log(Event("dns-waiting", START, "single", {"servers": servers[1:2]}))
    log(Event("lock-waiting", START, "home", {"what": "home", "pid": 7, "host": "h", "since": None}))
    log(Event("caches-waiting", START, "home", {"seconds": 12.5}))
    waiting = ("INFO", "home: waiting for 2 name servers")
    assert lines == [
        waiting,
        waiting,
        ("INFO", "single: waiting for 1 name server"),
        ("INFO", "home: waiting for another run (process 7 on h)"),
        ("INFO", "home: waiting 12 s for the caches of the CA"),
    ]


def test_a_warning_is_logged_once(lines: list[tuple[str, str]]) -> None:
    """A repeated warning is logged once for each certificate. One of the run has no name."""
    log, data = EventLog(), {"code": "c", "message": "It is so.", "fix": "Do this."}
    for name in ("home", "home", "other", None):
        log(Event("warning", START, name, data))
    assert lines == [
        ("WARNING", "home: It is so. Do this."),
        ("WARNING", "other: It is so. Do this."),
        ("WARNING", "It is so. Do this."),
    ]


def test_deployments_are_lines(lines: list[tuple[str, str]]) -> None:
    """A deployment is logged with INFO, a failed one with WARNING."""
    log, data = EventLog(), {"to": "files", "target": "/srv/x.pem", "error": None}
    log(Event("deployed", START, "home", data))
    log(Event("deploy-failed", START, "home", {**data, "error": ERROR.to_dict()}))
    assert lines == [
        ("INFO", "home: deployed to files /srv/x.pem"),
        ("WARNING", "home: not deployed to files /srv/x.pem: The host refuses the token. Make a new one."),
    ]


def test_the_log_and_a_listener_both_get_an_event(lines: list[tuple[str, str]]) -> None:
    """The log and a listener both get an event, even if the listener fails."""
    heard: list[str] = []

    def broken(event: Event) -> None:
        heard.append(event.kind)
        raise RuntimeError

    Emitter(FakeClock(), broken, EventLog()).emit("caches-waiting", "home", {"seconds": 3})
    assert heard == ["caches-waiting"]
    assert lines == [("INFO", "home: waiting 3 s for the caches of the CA")]


def test_the_command_shows_events_only_once() -> None:
    """The command has its own output for events, so it does not show their log lines.

    Other loggers are shown with ``-vv``.
    """
    handler = LogLines(Terminal(verbose=2))
    shown = [name for name in ("dnsrenew", "dnsrenew.acme") if handler.filter(logging.makeLogRecord({"name": name}))]
    assert shown == ["dnsrenew.acme"]


def test_a_whole_call_of_obtain_is_logged(tmp_path: Path, lines: list[tuple[str, str]]) -> None:
    """The log shows that obtain() obtained a certificate, and later that it is not due."""
    world = RecipeWorld(tmp_path)
    with world.in_place():
        certificate = dnsrenew.obtain("home.example.com", dns=world.driver, agree_terms=True)
        dnsrenew.obtain("home.example.com", dns=world.driver, agree_terms=True)
    assert certificate.not_after > SystemClock().now()
    until = f"{certificate.not_after.isoformat()[:19]}Z"
    assert lines[0] == ("INFO", f"home.example.com: obtained a certificate for home.example.com, valid until {until}")
    assert [level for level, _ in lines] == ["INFO", "DEBUG"]
