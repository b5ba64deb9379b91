"""Messages and the heartbeat of real runs: once for each change, to a real receiver, never at the cost of a renewal."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Deployment, Outcome
from dnsrenew.base.secrets import Secret
from dnsrenew.base.translation import Translator
from dnsrenew.base.values import replace
from dnsrenew.config.extension_tables import NotifySettings
from dnsrenew.errors import AttemptError, StoreError
from dnsrenew.extensions.watch import notify as send
from dnsrenew.extensions.watch.message import compare, compose
from dnsrenew.extensions.watch.notify import Notifier
from dnsrenew.store import FolderStore
from dnsrenew.store.records import Notified, NotifiedRecords
from tests.kit.api_server import Api
from tests.kit.load import allowed
from tests.kit.notify_stage import DAY, SPEC, START, TOKEN, NotifyStage, Receiver, hanging


@pytest.fixture
def stage(tmp_path: Path) -> NotifyStage:
    """A host with one certificate that does not exist yet."""
    return NotifyStage(tmp_path)


@pytest.fixture
def receiver() -> Any:
    """A service that takes every message."""
    with Receiver() as found:
        yield found


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of a second for a message."""
    limits = send.SendingLimits(0.1, 0.15)
    monkeypatch.setitem(Notifier._defaults, "limits", limits)  # the default of its field


def notified(stage: NotifyStage, name: str = "home") -> Notified:
    """Return the record of what was notified about a certificate."""
    return FolderStore(stage.path / "state").notified.read(name)


# ── once for each change ────────────────────────────────────────────────────────────────


def test_a_life_of_a_certificate_is_reported_in_few_messages(stage: NotifyStage, receiver: Receiver) -> None:
    """Over many runs, the first failure, the expiry, the recovery and a failed deployment are each sent once."""
    stage.notify(receiver.address)
    assert stage.one(day=0).status == "renewed"
    assert stage.one(day=30).status == "not-due"
    assert receiver.messages == []
    stage.refuses = True
    days = [61, 62, 63.5, 66, 70, 76, 77, 80]
    assert {stage.one(day=day).status for day in days} <= {"failed", "deferred"}
    assert receiver.titles == ["home: renewal failed", "home: still not renewed, valid until " + _until(stage)]
    stage.refuses = False
    stage.clock.elapsed += 2 * DAY.total_seconds()
    assert [stage.one().status for _ in range(3)] == ["renewed", "not-due", "not-due"]
    assert receiver.titles[2:] == ["home: works again"]
    missing = stage.path / "missing"
    target = Deployment("files", certificate=str(missing / "a.pem"), key=str(missing / "a.key"))
    stage.specs = (replace(SPEC, deploy=(target,)),)
    for _ in range(3):
        stage.one()
    assert receiver.titles[3:] == ["home: not deployed"]
    missing.mkdir()
    stage.one()
    assert receiver.titles[4:] == ["home: works again"]
    assert notified(stage) == Notified()
    assert stage.warnings() == []


def _until(stage: NotifyStage) -> str:
    outcome = stage.one()
    assert outcome.not_after is not None
    return f"{outcome.not_after.astimezone():%Y-%m-%d %H:%M %Z}"


def test_a_message_tells_what_happened_what_to_do_and_what_comes_next(
    stage: NotifyStage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has name, reason, fix, current certificate, next attempt and machine."""
    monkeypatch.setattr(socket, "gethostname", lambda: "nas")
    stage.notify(receiver.address)
    stage.one(day=0)
    stage.refuses = True
    outcome = stage.one(day=62)
    (message,) = receiver.messages
    assert message["type"] == "failure"
    lines = message["message"].splitlines()
    assert lines[0] == "The renewal of home failed: home.test."
    assert outcome.error is not None
    assert lines[1] == f"{outcome.error.message} {outcome.error.fix}"
    assert lines[2].startswith("The old certificate is valid until 20")
    assert lines[3].startswith("dnsrenew tries again after 20")
    assert lines[4].startswith("Less than a third")
    assert lines[-1] == "dnsrenew on nas"


def test_a_message_has_the_causes_that_the_doctor_found() -> None:
    """The message has at most three causes, and only those with the result bad."""
    checks = [{"result": kind, "summary": f"Cause {number}.", "fix": "Mend it."} for number, kind in enumerate(_KINDS)]
    error = AttemptError("ca-unreachable", "No answer.", fix="Look.", evidence={"checks": checks})
    outcome = Outcome(name="home", status="failed", reason="missing", domains=("home.test",), error=error)
    news = compare(outcome, Notified(), NotifySettings().on, START)
    body = compose([news], Translator("en"), "nas", START).body
    assert [line for line in body.splitlines() if line.startswith("Cause")] == [
        f"Cause {number}. Mend it." for number in (1, 3, 4)
    ]


_KINDS = ("ok", "bad", "unknown", "bad", "bad", "bad")


def test_one_message_tells_all_certificates_of_a_run(stage: NotifyStage, receiver: Receiver) -> None:
    """The title names the first certificate and counts the others. One with notify = false is left out."""
    names = [f"site{number}" for number in range(4)]
    stage.specs = tuple(
        replace(SPEC, name=name, domains=(f"{name}.test",), identifiers=(f"{name}.test",), notify=name != "site3")
        for name in names
    )
    stage.notify(receiver.address, on=("renewed",))
    stage.run(day=0)
    (message,) = receiver.messages
    assert (message["title"], message["type"]) == ("site0: renewed (and 2 more)", "success")
    assert [name for name in names if f"{name} was renewed" in message["message"]] == names[:3]


def test_a_crowd_is_reported_in_a_message_of_bounded_length(stage: NotifyStage, receiver: Receiver) -> None:
    """Ten certificates are described, a hundred are named, the others are counted."""
    stage.specs = tuple(
        replace(SPEC, name=f"s{number}", domains=(f"s{number}.test",), identifiers=(f"s{number}.test",), routes=())
        for number in range(150)
    )
    stage.notify(receiver.address)
    stage.run(day=0)
    (message,) = receiver.messages
    assert message["title"].endswith("(and 149 more)")
    assert message["message"].count("The renewal of") == 10
    assert "And 40 more. Run: dnsrenew status --failing" in message["message"]


def test_the_messages_are_in_the_language_of_the_environment_or_of_the_program(
    stage: NotifyStage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment decides the language, unless --lang is given."""
    asked: list[str] = []

    def make(language: str, _: object) -> _Plain:
        asked.append(language)
        return _Plain()

    monkeypatch.setattr("dnsrenew.extensions.watch.notify.Translator", make)
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    stage.notify(receiver.address, on=("renewed",))
    stage.one(day=0)
    assert asked == ["zh"]
    assert stage.settings is not None
    renewer = stage.renewer()
    assert Notifier(stage.settings, renewer._store, renewer._context(None), "en").test()[0].failure is None
    assert asked == ["zh", "en"]


class _Plain:
    """Translates nothing."""

    def message(self, text: str) -> str:
        """Return the text."""
        return str(text)


# ── which runs ──────────────────────────────────────────────────────────────────────────


def test_a_dry_run_tells_nobody(stage: NotifyStage, receiver: Receiver) -> None:
    """A dry run sends neither its failure nor a heartbeat."""
    stage.notify(receiver.address, heartbeat=receiver.url)
    stage.refuses = True
    stage.one(day=0, dry_run=True)
    assert receiver.asked == []
    assert notified(stage) == Notified()


def test_a_run_over_named_certificates_tells_too(stage: NotifyStage, receiver: Receiver) -> None:
    """A run with named certificates sends notifications too."""
    stage.notify(receiver.address)
    stage.refuses = True
    stage.run("home", day=0)
    assert receiver.titles == ["home: renewal failed"]


def test_a_cancelled_run_sends_nothing_and_the_next_one_tells(stage: NotifyStage, receiver: Receiver) -> None:
    """A cancelled run sends nothing. The next one sends the message."""
    stage.notify(receiver.address)
    stage.refuses = True
    cancel = threading.Event()
    cancel.set()
    stage.one(day=0, cancel=cancel)
    assert receiver.asked == []
    assert stage.one(day=1).status == "failed"
    assert receiver.titles == ["home: renewal failed"]


def test_a_failure_of_a_run_that_was_killed_before_its_message_is_reported_by_the_next(
    stage: NotifyStage, receiver: Receiver
) -> None:
    """If a run was killed before its notification, the next run sends it, even though that one is deferred."""
    stage.refuses = True
    stage.one(day=0)
    stage.notify(receiver.address)
    assert stage.one().status == "deferred"
    assert stage.one().status == "deferred"
    assert receiver.titles == ["home: renewal failed"]


def test_a_crash_between_the_message_and_the_record_tells_it_again(
    stage: NotifyStage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the record cannot be written, there is a warning, and the next run sends the notification again."""

    def refuse(*_: object) -> None:
        raise StoreError("store-full", "The disk is full.", fix="Free space.")

    stage.notify(receiver.address)
    stage.refuses = True
    with monkeypatch.context() as patched:
        patched.setattr(NotifiedRecords, "write", refuse)
        outcome = stage.one(day=0)
    assert [notice.code for notice in outcome.warnings] == ["notify-failed"]
    stage.one(day=1)
    stage.one(day=2)
    assert receiver.titles == ["home: renewal failed"] * 2


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema": 1, "deployments": []}', b'{"schema": 9, "failed": true}'])
def test_a_damaged_record_counts_as_missing(stage: NotifyStage, receiver: Receiver, content: bytes) -> None:
    """With a damaged record the change is notified again, and the record is replaced."""
    stage.notify(receiver.address)
    stage.refuses = True
    stage.one(day=0)
    file = stage.path / "state/certificates/home/notified.json"
    file.write_bytes(content)
    stage.one(day=1)
    assert len(receiver.asked) == 2
    assert notified(stage).failed


def test_without_the_table_nothing_is_loaded(stage: NotifyStage) -> None:
    """Without [notify] no module for it is loaded."""
    before = set(sys.modules)
    stage.one(day=0)
    assert not {name for name in set(sys.modules) - before if name.startswith(("apprise", "dnsrenew.extensions.watch"))}


def test_a_store_that_others_can_change_tells_no_certificate_but_the_heartbeat_fails(
    stage: NotifyStage, receiver: Receiver
) -> None:
    """With a store that others can change, only the heartbeat's failure is sent: the records cannot be trusted."""
    stage.notify(receiver.address, heartbeat=f"{receiver.url}/ping")
    (stage.path / "state").mkdir(mode=0o777)
    (stage.path / "state").chmod(0o777)
    (outcome,) = stage.renewer().renew()
    assert outcome.error is not None
    assert outcome.error.code == "store-not-private"
    assert [asked.path for asked in receiver.asked] == ["/ping/fail"]


# ── services that fail ──────────────────────────────────────────────────────────────────


def test_a_message_that_is_refused_is_a_warning_and_is_sent_by_the_next_run(
    stage: NotifyStage, receiver: Receiver
) -> None:
    """A refused message causes a warning that names the address by place and kind. The next run sends it."""
    stage.notify(receiver.address, on=("renewed",))
    receiver.status = 500
    outcome = stage.one(day=0)
    assert (outcome.status, [notice.code for notice in outcome.warnings]) == ("renewed", ["notify-failed"])
    (warning,) = stage.warnings()
    assert warning.startswith("Nothing was sent to item 1 of notify.to (json): ")
    assert "500" in warning
    receiver.status = 200
    assert stage.one().status == "not-due"
    assert receiver.titles == ["home: renewed"] * 2
    assert stage.one().warnings == ()


def test_a_closed_port_is_a_warning(stage: NotifyStage) -> None:
    """A closed port at the receiver causes a warning."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    stage.notify(f"json://127.0.0.1:{port}/{TOKEN}")
    stage.refuses = True
    assert stage.one(day=0).status == "failed"
    (warning,) = stage.warnings()
    assert "onnection" in warning


@pytest.mark.usefixtures("quick")
def test_an_address_that_hangs_holds_up_neither_the_other_one_nor_the_run(
    stage: NotifyStage, receiver: Receiver
) -> None:
    """If one address hangs, the others get their message, and the run ends at its limit."""
    stage.one(day=0)
    stage.refuses = True
    with hanging() as (address, count):
        stage.notify(address, receiver.address)
        import apprise  # before the time counts

        assert apprise.Apprise.instantiate("json://127.0.0.1") is not None
        begin = time.monotonic()
        stage.one(day=62)
        assert time.monotonic() - begin < allowed(2)
        assert count() >= 1
    assert receiver.titles == ["home: renewal failed"]
    assert stage.warnings() == ["Nothing was sent to item 1 of notify.to (json): the service did not answer in time."]
    assert stage.one(day=63).warnings == ()  # one address is enough
    assert not any("ThreadPool" in thread.name for thread in threading.enumerate())  # the exit would wait for it


@pytest.mark.usefixtures("quick")
def test_a_cancel_ends_the_wait_for_a_service(stage: NotifyStage) -> None:
    """Cancellation ends the wait for a service."""
    cancel, release = threading.Event(), threading.Event()

    def wait(_: str, __: send.Sending, ___: object) -> None:
        cancel.set()
        release.wait(30)

    renewer = stage.renewer()
    sendings = [send.Sending("to[0]", Secret("json://127.0.0.1"), wait)]
    (found,) = send.deliver(sendings, renewer._redactor, cancel, send.SendingLimits(60, 60))
    release.set()
    assert found.failure is not None
    assert found.failure.message.endswith("dnsrenew was stopped.")


@pytest.mark.parametrize("address", ["nfty://topic-of-mine", "no address at all", "mailto://", "tgram://1"])
def test_an_address_that_apprise_does_not_know_is_a_warning(stage: NotifyStage, address: str) -> None:
    """The warning does not show the address."""
    stage.notify(address)
    stage.refuses = True
    stage.one(day=0)
    (warning,) = stage.warnings()
    assert "apprise does not support" in warning
    assert address not in warning


def test_an_address_that_cannot_be_resolved_is_a_warning(stage: NotifyStage, receiver: Receiver) -> None:
    """A URL whose secret cannot be read causes a warning. The other receivers get their notification."""
    stage.notify("", receiver.address)
    assert stage.settings is not None
    stage.settings = replace(stage.settings, to=(Secret.env("NO_SUCH_VARIABLE"), stage.settings.to[1]))
    stage.refuses = True
    stage.one(day=0)
    assert receiver.titles == ["home: renewal failed"]
    (warning,) = stage.warnings()
    assert warning.startswith("Nothing was sent to item 1 of notify.to: The secret env:NO_SUCH_VARIABLE cannot be read")


def test_without_apprise_the_warning_names_the_command(
    stage: NotifyStage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without apprise the warning has the command that installs it."""
    monkeypatch.setattr(send, "_PACKAGE", "no_such_package")
    stage.notify(receiver.address)
    stage.refuses = True
    (notice,) = stage.one(day=0).warnings
    assert "is not installed" in notice.message
    assert "install" in notice.fix
    assert "apprise" in notice.fix or "no_such_package" in notice.fix


def test_a_bug_in_the_messages_fails_no_renewal(stage: NotifyStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the notifications becomes a warning."""
    monkeypatch.setattr("dnsrenew.extensions.watch.notify.compare", lambda *_: 1 / 0)
    stage.notify("json://127.0.0.1")
    outcome = stage.one(day=0)
    assert (outcome.status, [notice.code for notice in outcome.warnings]) == ("renewed", ["notify-failed"])


# ── secrets ─────────────────────────────────────────────────────────────────────────────


def test_no_part_of_an_address_is_logged_told_or_stored(
    stage: NotifyStage, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """No log, outcome, event or file has a part of an address, even at the level DEBUG."""
    caplog.set_level(1)
    for name in ("apprise", "urllib3"):
        logging.getLogger(name).setLevel(1)
    password = "pw-8c1f33ab90d4"  # not in use
    stage.notify(receiver.address.replace("://", f"://somebody:{password}@"))
    stage.refuses = True
    receiver.status = 403
    outcome = stage.one(day=0)
    assert len(receiver.asked) == 1
    shown = [caplog.text, repr(outcome.to_dict()), repr([event.to_dict() for event in stage.events])]
    files = [file.read_text("utf-8", "replace") for file in stage.path.rglob("*") if file.is_file()]
    assert not [text for text in (*shown, *files) for secret in (TOKEN, password) if secret in text]
    assert any(record.name == "apprise" for record in caplog.records)


# ── the heartbeat ───────────────────────────────────────────────────────────────────────


@pytest.fixture
def beating(stage: NotifyStage) -> NotifyStage:
    """A host whose certificate is valid, so that its runs need no CA."""
    stage.one(day=0)
    return stage


def beats(stage: NotifyStage, service: Api, *names: str, **options: Any) -> list[str]:
    """Make a run without the CA; return what the service was asked for."""
    stage.renewer().renew(names or None, **options)
    return [f"{asked.method} {asked.path}" for asked in service.asked]


def test_a_run_over_all_certificates_sends_a_heartbeat(beating: NotifyStage, receiver: Receiver) -> None:
    """Only a run over all certificates sends a heartbeat, and a dry run does not."""
    beating.notify(heartbeat=f"{receiver.url}/ping/{TOKEN}?create=1")
    assert beats(beating, receiver, "home") == []
    assert beats(beating, receiver) == [f"GET /ping/{TOKEN}?create=1"]


def test_a_failed_run_says_so(beating: NotifyStage, receiver: Receiver) -> None:
    """A failed deployment sends the heartbeat of a failure."""
    beating.notify(heartbeat=f"{receiver.url}/ping/{TOKEN}/?create=1")
    beating.specs = (replace(SPEC, deploy=(Deployment("files", combined=str(beating.path / "missing" / "a.pem")),)),)
    assert beats(beating, receiver) == [f"GET /ping/{TOKEN}/fail?create=1"]


def test_where_another_run_holds_a_lock_no_heartbeat_is_sent(beating: NotifyStage, receiver: Receiver) -> None:
    """If another run holds a lock, no heartbeat is sent, because its result is unknown."""
    beating.notify(heartbeat=receiver.url)
    renewer = beating.renewer()
    with renewer._store.lock("home", context=renewer._context(None)):
        beating.clock.elapsed += timedelta(days=61).total_seconds()
        (outcome,) = renewer.renew()
    assert (outcome.status, receiver.asked) == ("locked", [])


@pytest.mark.parametrize(("status", "requests"), [(404, 1), (503, 2), (200, 1)])
def test_a_heartbeat_is_tried_again_after_an_error_of_the_server(
    beating: NotifyStage, receiver: Receiver, status: int, requests: int
) -> None:
    """A heartbeat is retried once after a server error, and not after another error. Both are warnings."""
    beating.notify(heartbeat=f"{receiver.url}/{TOKEN}")
    receiver.status = status
    assert len(beats(beating, receiver)) == requests
    expected = (
        []
        if status == 200
        else [f"Nothing was sent to notify.heartbeat (http): the service answered with status {status}."]
    )
    assert beating.warnings() == expected


def test_a_heartbeat_to_nowhere_is_a_warning(beating: NotifyStage) -> None:
    """A heartbeat that cannot be sent causes a warning."""
    for url in ("http://127.0.0.1:1/x", "ftp://127.0.0.1/x", "nothing"):
        beating.notify(heartbeat=url)
        beating.renewer().renew()
    assert len(beating.warnings()) == 3
