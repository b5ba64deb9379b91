"""Log lines with fields in the journal of systemd, over a socket in place of the journal's own."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from dnsrenew.base import systemd_notify
from dnsrenew.base.events import Emitter
from dnsrenew.base.model import DeploymentResult, Outcome
from dnsrenew.base.systemd_notify import SystemdJournal, encode, is_read_by_journal
from dnsrenew.cli import main
from dnsrenew.errors import DeployError, StoreError
from tests.kit.cli_stage import FakeRenewer, failed, happy, install, outcome, unhappy

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="the journal is on Linux")
Entry = dict[str, str]


def decode(data: bytes) -> Entry:
    """Read a datagram as https://systemd.io/JOURNAL_NATIVE_PROTOCOL/ says."""
    fields: Entry = {}
    while data:
        line, _, rest = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + size], rest[8 + size :]
            assert rest[:1] == b"\n"
            rest = rest[1:]
        assert name.decode() not in fields
        fields[name.decode()] = value.decode()
        data = rest
    return fields


class StandIn:
    """The journal's socket, and standard error that the journal reads."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = str(folder / "socket")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(0.2)
        self.err = folder / "err"
        self._stream = self.err.open("w", encoding="utf-8")
        info = os.fstat(self._stream.fileno())
        monkeypatch.setattr(systemd_notify, "SOCKET", self.path)
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("JOURNAL_STREAM", f"{info.st_dev}:{info.st_ino}")

    def command(self, line: str) -> int:
        """Run the command; return its exit status."""
        self._monkeypatch.setattr(sys, "stderr", self._stream)  # here: pytest replaces it before each test
        return main(line.split())

    def entries(self) -> list[Entry]:
        """Return what was sent so far."""
        found = []
        while True:
            try:
                found.append(decode(self._socket.recv(1 << 20)))
            except (TimeoutError, BlockingIOError):
                return found

    def plain(self) -> str:
        """Return what was written to standard error."""
        self._stream.flush()
        return self.err.read_text("utf-8")

    def close(self) -> None:
        """Close both."""
        self._socket.close()
        self._stream.close()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The journal."""
    stand_in = StandIn(tmp_path, monkeypatch)
    yield stand_in
    stand_in.close()


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("plain", b"F=plain\n"),
        ("", b"F=\n"),
        ("a=b", b"F=a=b\n"),
        ("two\nlines", b"F\n\x09\0\0\0\0\0\0\0two\nlines\n"),
        ("→", b"F=\xe2\x86\x92\n"),
        ("\ud800", b"F=\\ud800\n"),
    ],
)
def test_the_forms_of_a_value(value: str, data: bytes) -> None:
    """A value with line feeds is preceded by its length."""
    assert encode({"F": value}) == data


def test_only_a_stream_that_the_journal_reads(tmp_path: Path) -> None:
    """The variable must match the stream's device and inode, because it is inherited."""
    with (tmp_path / "err").open("w") as stream:
        info = os.fstat(stream.fileno())
        read = partial(is_read_by_journal, stream.fileno())
        assert read({"JOURNAL_STREAM": f"{info.st_dev}:{info.st_ino}"})
        for other in ("", "1", "a:b", f"{info.st_dev}:{info.st_ino + 1}", f"{info.st_dev + 1}:{info.st_ino}"):
            assert not read({"JOURNAL_STREAM": other})
        assert not read({})
    assert not is_read_by_journal(9999, {"JOURNAL_STREAM": "1:1"})


def test_a_journal_that_takes_nothing(tmp_path: Path, stand_in: StandIn) -> None:
    """Sending returns false without a socket and for a line that exceeds a datagram."""
    assert not SystemdJournal(str(tmp_path / "nobody")).send({"MESSAGE": "x"})
    assert not SystemdJournal(stand_in.path).send({"MESSAGE": "x" * (1 << 24)})
    assert SystemdJournal(stand_in.path).send({"MESSAGE": "x"})
    assert stand_in.entries() == [{"MESSAGE": "x"}]


def last_round(end: Callable[[], list[Outcome]]) -> FakeRenewer:
    """Return a renewer of `dnsrenew run` that is stopped in its first round."""

    def play(_emitter: Emitter, _cancel: threading.Event) -> list[Outcome]:
        os.kill(os.getpid(), signal.SIGTERM)
        return end()

    return FakeRenewer(play)


def test_run_sends_lines_with_fields(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line has its certificate, code and priority."""
    refused = DeployError("deploy-refused", "No.", fix="Allow it.")
    late = DeploymentResult(to="hfs", target="http://x", ok=False, error=refused)
    outcomes = [outcome("good"), failed("bad"), outcome("late", deployed=(late,))]
    install(last_round(lambda: outcomes), None, monkeypatch.setattr)
    assert stand_in.command("run") == 143
    entries = stand_in.entries()
    by_name = {entry["DNSRENEW_CERTIFICATE"]: entry for entry in entries if "DNSRENEW_CERTIFICATE" in entry}
    assert {entry["SYSLOG_IDENTIFIER"] for entry in entries} == {"dnsrenew"}
    assert by_name["good"]["PRIORITY"] == "6"
    assert by_name["good"]["MESSAGE"].startswith("✓ good obtained: ")
    assert (by_name["bad"]["PRIORITY"], by_name["bad"]["DNSRENEW_CODE"]) == ("3", "propagation-timeout")
    assert (by_name["late"]["PRIORITY"], by_name["late"]["DNSRENEW_CODE"]) == ("3", "deploy-refused")
    assert entries[-1] == {"MESSAGE": "Stopped.", "PRIORITY": "6", "SYSLOG_IDENTIFIER": "dnsrenew"}
    assert stand_in.plain() == ""


def test_an_error_of_the_whole_round(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal entry has a code and no certificate."""

    def broken() -> list[Outcome]:
        raise StoreError("store-unreadable", "The store is damaged.", fix="Look.")

    install(last_round(broken), None, monkeypatch.setattr)
    assert stand_in.command("run") == 143
    (entry,) = (entry for entry in stand_in.entries() if "DNSRENEW_CODE" in entry)
    assert (entry["DNSRENEW_CODE"], entry["PRIORITY"]) == ("store-unreadable", "3")
    assert "DNSRENEW_CERTIFICATE" not in entry


def test_a_scheduled_renewal_sends_its_steps_and_its_failures(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step has its certificate's name. With -q a failure is one entry with its fix."""
    install(FakeRenewer(happy), None, monkeypatch.setattr)
    assert stand_in.command("renew --scheduled") == 0
    steps = [entry for entry in stand_in.entries() if entry.get("DNSRENEW_CERTIFICATE") == "home"]
    assert len(steps) > 3
    assert {entry["PRIORITY"] for entry in steps} == {"6"}
    install(FakeRenewer(unhappy), None, monkeypatch.setattr)
    assert stand_in.command("renew --scheduled -q") == 1
    warning, failure = stand_in.entries()
    assert (warning["PRIORITY"], warning["DNSRENEW_CODE"]) == ("4", "wildcard-shadow")
    assert (failure["PRIORITY"], failure["DNSRENEW_CODE"]) == ("3", "propagation-timeout")
    assert failure["DNSRENEW_CERTIFICATE"] == "home"
    assert "\n" in failure["MESSAGE"]
    assert stand_in.plain() == ""


def test_a_scheduled_renewal_leaves_one_line(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """With -q, as under a timer, a renewal is one line of the journal. What is not due leaves none."""
    install(FakeRenewer(happy), None, monkeypatch.setattr)
    assert stand_in.command("renew --scheduled -q") == 0
    (entry,) = (entry for entry in stand_in.entries() if entry["PRIORITY"] == "6")
    assert entry["DNSRENEW_CERTIFICATE"] == "home"
    assert "\n" not in entry["MESSAGE"]
    install(last_round(lambda: [outcome("home", "not-due")]), None, monkeypatch.setattr)
    assert stand_in.command("renew --scheduled -q") == 0
    assert stand_in.entries() == []


@pytest.mark.parametrize("line", ["renew -q", "renew --scheduled -q --json"])
def test_a_person_and_a_program_get_plain_lines(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """A command at a terminal and --json write no journal entries."""
    install(FakeRenewer(unhappy), None, monkeypatch.setattr)
    stand_in.command(line)
    assert stand_in.entries() == []
    assert "not every name server" in stand_in.plain()


def test_without_the_socket_lines_are_plain(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the journal's socket all lines are written to standard error."""
    os.unlink(stand_in.path)
    install(last_round(lambda: [failed("bad")]), None, monkeypatch.setattr)
    assert stand_in.command("run") == 143
    assert "✗ bad failed" in stand_in.plain()
    assert stand_in.plain().splitlines()[-1] == "Stopped."
