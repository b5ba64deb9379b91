"""What Ctrl-C, Ctrl-Break and SIGTERM do to the process; with Windows' signals where there are no others."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from dnsrenew.base import subprocesses
from dnsrenew.cli.signals import SignalHandler
from dnsrenew.errors import Cancelled

BREAK = getattr(signal, "SIGBREAK", None) or signal.SIGUSR1
"""SIGBREAK is Windows'; elsewhere another one stands for it."""


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The signals that Python knows on Windows."""
    before = signal.getsignal(BREAK)
    for name in ("SIGHUP", "SIGTSTP"):
        monkeypatch.delattr(signal, name, raising=False)
    monkeypatch.setattr(signal, "SIGBREAK", BREAK, raising=False)
    yield
    assert signal.getsignal(BREAK) is before


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (BREAK, 130), (signal.SIGTERM, 143)])
@pytest.mark.usefixtures("windows")
def test_the_first_signal_asks_to_stop(number: signal.Signals, status: int) -> None:
    """The first signal sets `cancel`, and `check` raises Cancelled. Ctrl-C and Ctrl-Break are treated alike."""
    with SignalHandler() as signals:
        signal.raise_signal(number)
        assert (signals.status, signals.cancel.is_set()) == (status, True)
        with pytest.raises(Cancelled):
            signals.check()


@pytest.mark.parametrize("second", [signal.SIGINT, BREAK, signal.SIGTERM])
@pytest.mark.usefixtures("windows")
def test_the_second_signal_ends_the_process(monkeypatch: pytest.MonkeyPatch, second: signal.Signals) -> None:
    """A second signal of any kind ends the process with the status of the first one.

    A repetition within 0.2 s is ignored.
    """
    ended: list[object] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr("dnsrenew.cli.signals.RUNNING", subprocesses._Running())
    seconds = iter((0.0, 0.1, 0.2))
    with SignalHandler(lambda: next(seconds)) as signals:
        signals.on_exit = lambda: ended.append("last words")
        signal.raise_signal(BREAK)
        signal.raise_signal(BREAK)  # ``timeout`` sends one to the process, and one to its group
        assert ended == []
        signal.raise_signal(second)
    assert ended == ["last words", 130]


@pytest.mark.usefixtures("windows")
def test_a_call_is_left_behind() -> None:
    """A wait that no signal can end, as on Windows, runs in another thread and is polled."""
    over, reached = threading.Event(), threading.Event()

    def hang() -> None:
        reached.set()
        signal.raise_signal(BREAK)
        over.wait()

    with SignalHandler() as signals, pytest.raises(Cancelled):
        signals.run(hang)
    assert reached.is_set()
    over.set()


def test_in_another_thread_no_signal_is_touched() -> None:
    """Outside the main thread no signal handler is set: Python would not allow it."""
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def enter() -> None:
        with SignalHandler():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]
