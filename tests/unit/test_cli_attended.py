"""Detecting an attended run: a schedule and a pipe are unattended, a person at a terminal is attended."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dnsrenew.cli import main
from dnsrenew.schedule.plan import ScheduledJob
from tests.kit.cli_stage import FakeRenewer, install

pty = pytest.importorskip("pty", reason="terminals of POSIX")


@pytest.fixture
def terminal() -> Iterator[str]:
    """Return the path of a terminal."""
    ours, theirs = pty.openpty()
    yield os.ttyname(theirs)
    os.close(theirs)
    os.close(ours)


def attended(
    monkeypatch: pytest.MonkeyPatch, terminal: str, arguments: list[str], *, stdin: bool = True, stderr: bool = True
) -> bool:
    """Run ``dnsrenew renew`` with some streams at the terminal, and return whether it is taken for a person's."""
    renewer = FakeRenewer()
    with ExitStack() as files, monkeypatch.context() as patch:
        install(renewer, put=patch.setattr)
        for name, mode, is_there in (("stdin", "r", stdin), ("stderr", "w", stderr)):
            file = files.enter_context(open(terminal if is_there else os.devnull, mode))
            patch.setattr(sys, name, file)
        assert main(arguments) == 0
    ((_, how),) = renewer.calls
    found: bool = how["attended"]
    return found


@pytest.mark.parametrize("arguments", [["renew"], ["renew", "home"], ["renew", "-q"], ["renew", "--json"]])
def test_a_person_at_a_terminal(monkeypatch: pytest.MonkeyPatch, terminal: str, arguments: list[str]) -> None:
    """A run at a terminal is attended, wherever its result goes."""
    assert attended(monkeypatch, terminal, arguments)


@pytest.mark.parametrize("where", [{"stdin": False}, {"stderr": False}, {"stdin": False, "stderr": False}])
def test_a_pipe(monkeypatch: pytest.MonkeyPatch, terminal: str, where: dict[str, bool]) -> None:
    """A run is unattended if a standard stream is a pipe or a file, as in cron and scripts."""
    assert not attended(monkeypatch, terminal, ["renew"], **where)


def test_what_a_schedule_runs(monkeypatch: pytest.MonkeyPatch, terminal: str) -> None:
    """The command line of a schedule is unattended, even with a terminal, as in a container."""
    job = ScheduledJob(program=(), config="/etc/dnsrenew/dnsrenew.toml", minute=0)
    assert not attended(monkeypatch, terminal, job.command_line(jitter=False))


def test_closed_streams(monkeypatch: pytest.MonkeyPatch, terminal: str) -> None:
    """A run without standard input, as of a service, is unattended."""
    renewer = FakeRenewer()
    install(renewer, put=monkeypatch.setattr)
    monkeypatch.setattr(sys, "stdin", None)
    with Path(terminal).open("w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        assert main(["renew"]) == 0
    assert not renewer.calls[0][1]["attended"]
