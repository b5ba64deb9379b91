"""The library inside another program: events, output, secrets, files."""

from __future__ import annotations

import json
import logging
import os
import threading
from functools import partial
from typing import Any

import pytest

from dnsrenew import Event, Renewer
from dnsrenew.base.runtime import Context
from docs.tables import EVENTS
from tests.kit.renew_stage import Stage, certificates
from tests.lab.workspace import forget_account


class Listener:
    """Counts how often two threads call it at once."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.at_once = 0
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Receive an event, slowly."""
        if not self._lock.acquire(blocking=False):
            self.at_once += 1
            return
        threading.Event().wait(0.002)
        self.events.append(event)
        self._lock.release()


def test_events_come_one_at_a_time_and_are_json(stage: Stage) -> None:
    """Events of eight threads arrive one at a time, in order of time, with documented kinds, and as JSON."""
    listener = Listener()
    names = [f"e{number}" for number in range(8)]
    stage.lab.lag = 0.2
    outcomes = Renewer(stage.config({"certificate": certificates(*names)}), on_event=listener).renew()
    assert {outcome.status for outcome in outcomes} == {"renewed"}
    assert listener.at_once == 0
    assert {event.kind for event in listener.events} <= set(EVENTS)
    texts = [json.dumps(event.to_dict()) for event in listener.events]
    stage.workspace.captured += texts
    assert [set(json.loads(text)) for text in texts] == [{"kind", "time", "certificate", "data"}] * len(texts)
    times = [event.time for event in listener.events]
    assert times == sorted(times)
    for name in names:
        its = [event.kind for event in listener.events if event.certificate == name]
        assert (its[0], its[-1]) == ("certificate-started", "certificate-finished")


def test_the_data_of_every_event_is_documented(stage: Stage) -> None:
    """The data of each event has exactly the fields of EVENTS."""
    stage.lab.add_zone("warned.test", "* A 192.0.2.7\n")
    stage.renewed({"dns.home.zones": ["warned.test"], "certificate.0.domains": ["www.warned.test"]})
    for event in stage.events:
        _, _, promised = EVENTS[event.kind].partition("data: ")
        if event.kind == "certificate-finished":
            continue  # "the outcome as in the JSON"
        depth, words = 0, [""]
        for character in promised:
            depth += {"(": 1, ")": -1}.get(character, 0)
            if character == "," and depth == 0:
                words.append("")
            elif depth == 0 and character != ")":
                words[-1] += character
        assert set(event.data) == {word.strip() for word in words}, event.kind


def test_the_library_never_prints(stage: Stage, capfd: pytest.CaptureFixture[str]) -> None:
    """The library prints nothing, on success and on failure, and its only log handler does nothing."""
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    try:
        stage.renewed()
        forget_account(stage.workspace.store)
        stage.lab.lag = 60.0
        stage.failed({"certificate.0.propagation": {"timeout": 1}}, force=True)
    finally:
        root.handlers = handlers
    out, err = capfd.readouterr()
    # Python's last-resort handler, which prints warnings without a configuration, is not the library's.
    assert (out, err) == ("", "")
    for name in ("dnsrenew", "dnsrenew.renewal.renew", "dnsrenew.base.events"):
        assert {type(each) for each in logging.getLogger(name).handlers} <= {logging.NullHandler}


def test_nothing_secret_is_logged_at_debug(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """The log at level DEBUG has no TSIG secret and no private key."""
    with caplog.at_level(logging.DEBUG):
        stage.renewed()
    texts = [f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records]
    keys = [path.read_text().splitlines()[1] for path in stage.workspace.store.rglob("*key.pem")]
    assert keys
    stage.workspace.assert_clean(texts=texts)
    assert not [text for text in texts if any(key in text for key in keys)]


def test_a_renewal_takes_16_fsyncs_at_most(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal makes at most 16 fsyncs, and a first run at most 21.

    A run with nothing due makes none.
    """
    synced: list[int] = []
    real = os.fsync
    lock = threading.Lock()

    def count(handle: Any) -> None:
        with lock:
            synced.append(handle)
        real(handle)

    monkeypatch.setattr(os, "fsync", count)
    stage.renewed()
    assert 0 < len(synced) <= 21
    synced.clear()
    stage.renewed(force=True)
    assert 0 < len(synced) <= 16
    synced.clear()
    stage.one()
    assert synced == []


def test_one_renewer_serves_two_threads(stage: Stage) -> None:
    """Two threads renew different certificates with one `Renewer`."""
    renewer = Renewer(stage.config({"certificate": certificates("a", "b")}))
    tasks = Context().call_all([partial(renewer.renew, [name]) for name in ("a", "b")], 2)
    assert [[outcome.status for outcome in task.result()] for task in tasks] == [["renewed"]] * 2
