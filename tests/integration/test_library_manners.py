"""The library inside another program: events, output, secrets, files."""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Config, Event, Renewer, Secret
from dnsrenew.base.events import KINDS
from dnsrenew.base.runtime.context import Context
from tests.kit.renew_stage import Stage, certificates, error_of
from tests.lab.settings import to_toml
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
    assert {event.kind for event in listener.events} <= set(KINDS)
    texts = [json.dumps(event.to_dict()) for event in listener.events]
    stage.workspace.captured += texts
    assert [set(json.loads(text)) for text in texts] == [{"kind", "time", "certificate", "data"}] * len(texts)
    times = [event.time for event in listener.events]
    assert times == sorted(times)
    for name in names:
        its = [event.kind for event in listener.events if event.certificate == name]
        assert (its[0], its[-1]) == ("certificate-started", "certificate-finished")


def test_the_data_of_every_event_is_documented(stage: Stage) -> None:
    """The data of each event has exactly the fields of KINDS."""
    stage.lab.add_zone("warned.test", "* A 192.0.2.7\n")
    stage.renewed({"dns.home.zones": ["warned.test"], "certificate.0.domains": ["www.warned.test"]})
    for event in stage.events:
        _, _, promised = KINDS[event.kind].partition("data: ")
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


def test_a_listener_that_fails_breaks_nothing(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """An exception in a listener is logged, and the certificate is obtained."""

    def broken(event: Event) -> None:
        raise RuntimeError(f"no {event.kind} for me")

    with caplog.at_level(logging.ERROR, "dnsrenew"):
        (outcome,) = Renewer(stage.config(), on_event=broken).renew()
    assert outcome.status == "renewed"
    assert any("txt-writing" in record.getMessage() for record in caplog.records)


def test_the_library_never_prints(stage: Stage, capfd: pytest.CaptureFixture[str]) -> None:
    """The library prints nothing, on success and on failure, and installs no log handler."""
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
    assert all(
        not logging.getLogger(name).handlers for name in ("dnsrenew", "dnsrenew.renewal.renew", "dnsrenew.base.events")
    )


def test_nothing_secret_is_logged_at_debug(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """The log at level DEBUG has no TSIG secret and no private key."""
    with caplog.at_level(logging.DEBUG):
        stage.renewed()
    texts = [f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records]
    keys = [path.read_text().splitlines()[1] for path in stage.workspace.store.rglob("*key.pem")]
    assert keys
    stage.workspace.assert_clean(texts=texts)
    assert not [text for text in texts if any(key in text for key in keys)]


def test_included_files_take_part(stage: Stage) -> None:
    """Accounts and certificates of included files are used, with paths relative to these files."""
    workspace = stage.workspace
    folder = workspace.path / "conf.d"
    folder.mkdir()
    (folder / "secret.txt").write_text(f"{stage.lab.other_key.secret}\n")
    other = {**stage.other_account(), "tsig_secret": "file:secret.txt"}
    (folder / "a.toml").write_text(to_toml({"certificate": certificates("inside")}))
    (folder / "b.toml").write_text(
        to_toml({"dns": {"other": other}, "certificate": [{"name": "b", "domains": ["other.test"]}]})
    )
    workspace.write({"include": ["conf.d/*.toml"]})
    status, said = workspace.run_json("renew")
    assert status == 0, said
    told = [(outcome["name"], outcome["status"], outcome["route"]["dns"]) for outcome in said["outcomes"]]
    assert told == [("home", "renewed", ["home"]), ("inside", "renewed", ["home"]), ("b", "renewed", ["other"])]
    (folder / "secret.txt").unlink()


def test_secrets_are_read_when_a_due_certificate_needs_them(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing secret affects only due certificates of its account. `status` and other accounts still work."""
    monkeypatch.delenv("NOT_THERE", raising=False)
    both = {
        "dns.other": stage.other_account(),
        "certificate": [*certificates("a"), {"name": "o", "domains": ["other.test"]}, *certificates("b")],
    }
    assert {outcome.status for outcome in stage.run(both, names=["a", "o"])} == {"renewed"}
    broken = {**both, "dns.home.tsig_secret": Secret.env("NOT_THERE")}
    assert [status.state for status in stage.renewer(broken).status()] == ["valid", "valid", "missing"]
    outcomes = stage.run(broken)
    assert [outcome.status for outcome in outcomes] == ["not-due", "not-due", "failed"]
    error = error_of(outcomes[2])
    assert (error.code, error.evidence["reference"]) == ("secret-missing", "env:NOT_THERE")
    outcomes = stage.run(broken, force=True, names=["a", "o"])
    assert [outcome.status for outcome in outcomes] == ["failed", "renewed"]


def test_a_program_s_secret_is_run_once_for_many(stage: Stage) -> None:
    """The command of a secret runs once for eight due certificates."""
    log = stage.workspace.path / "asked.txt"
    script = stage.workspace.path / "ask.py"
    script.write_text(f"import os\nopen({str(log)!r}, 'a').write('x')\nprint(os.environ['THE_KEY'])\n")
    stage.workspace.env["THE_KEY"] = stage.lab.key.secret
    secret = {"command": ["python3", str(script)], "env": ["THE_KEY"]}
    stage.workspace.write(
        {"dns.home.tsig_secret": secret, "certificate": certificates(*(f"k{number}" for number in range(8)))}
    )
    status, said = stage.workspace.run_json("renew")
    assert (status, {outcome["status"] for outcome in said["outcomes"]}) == (0, {"renewed"})
    assert log.read_text() == "x"


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The umask of the process."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_the_store_is_private_under_any_umask(stage: Stage, umask: int) -> None:
    """With any umask, folders are 0700, keys are 0600 and other files are at most 0644."""
    stage.renewed()
    stage.one()
    store = stage.workspace.store
    for path in [store, *store.rglob("*")]:
        if path.is_symlink():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
        elif path.name in {"key.pem", "privkey.pem"}:
            assert mode == 0o600, path
        else:
            assert mode in {0o600, 0o644}, path
    assert not list(store.rglob(".tmp-*"))


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


def test_a_file_and_a_dictionary_are_equivalent(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate obtained with `Config.load` is not due with `Config.from_dict`, and the other way round."""
    monkeypatch.setenv("TSIG_SECRET", stage.lab.key.secret)
    loaded = Config.load(stage.workspace.config_path)
    (outcome,) = Renewer(loaded).renew()
    assert outcome.status == "renewed"
    assert stage.one().status == "not-due"
    assert stage.config().store == loaded.store
