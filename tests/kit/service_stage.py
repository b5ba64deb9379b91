"""`dnsrenew run` on a stage: its rounds are played, and its clock is not the real one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from dnsrenew.base.events import Emitter
from dnsrenew.base.model import Outcome
from dnsrenew.cli import invocation, main
from dnsrenew.cli.invocation import Invocation
from tests.kit.cli_stage import FakeConfig, FakeRenewer, install, now, outcome
from tests.kit.clock import FakeClock

Play = Callable[[Emitter, threading.Event], list[Outcome]]


class Service:
    """`dnsrenew run` on a stage: rounds are played one after the other, and it is stopped after the last one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.clock = FakeClock(now())
        self.times: list[float] = []
        self.config: FakeConfig | None = None

    def install(self, *rounds: Play) -> None:
        """Put the rounds on the stage."""
        left = list(rounds)

        def play(emitter: Emitter, cancel: threading.Event) -> list[Outcome]:
            self.times.append(self.clock.elapsed + self.clock.suspended)
            if not left:
                self.stop()
                return [outcome(status="not-due")]
            return left.pop(0)(emitter, cancel)

        install(FakeRenewer(play), self.config, self._monkeypatch.setattr)

    def run(self, *rounds: Play, flags: str = "") -> int:
        """Play the rounds; return the exit status."""
        if rounds:
            self.install(*rounds)

        def make(options: Any, terminal: Any, signals: Any) -> Invocation:
            self._signals = signals
            return Invocation(options, terminal, signals, self.clock)

        self._monkeypatch.setattr(invocation, "make_invocation", make)
        return main(["run", *flags.split()])

    def stop(self) -> None:
        """Act as the handler of SIGTERM."""
        self._signals.status = 143
        self._signals.cancel.set()


def done(*outcomes: Outcome) -> Play:
    """Return a round with this result."""
    return lambda _emitter, _cancel: list(outcomes)
