"""The configuration and the renewer, as the commands get them: imported late, for speed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dnsrenew.base.clock import Clock, SystemClock
from dnsrenew.base.values import Frozen
from dnsrenew.cli import text

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from dnsrenew.cli.signals import SignalHandler
    from dnsrenew.cli.terminal import Terminal
    from dnsrenew.config import Config
    from dnsrenew.events import Event
    from dnsrenew.renewer import Renewer
    from dnsrenew.runtime.context import Context


class Invocation(Frozen):
    """One call of the program.

    :ivar options: the flags.
    """

    options: argparse.Namespace
    screen: Terminal
    interrupt: SignalHandler
    clock: Clock

    def context(self) -> Context:
        """Return time, chance and the wish to stop, for what the program itself does."""
        from dnsrenew.runtime.context import Context

        return Context(clock=self.clock, cancel=self.interrupt.cancel)

    def config_path(self) -> Path:
        """Return the configuration's file, and say which it is.

        :raises ConfigError: ``config-missing``.
        """
        from dnsrenew.config import find_config

        return find_config(self.options.config)

    def config(self) -> Config:
        """Read the configuration; what it warns of is said.

        :raises ConfigError: for every mistake in it.
        """
        from dnsrenew.cli.terminal import dim, yellow
        from dnsrenew.config import Config
        from dnsrenew.config.locate import here

        path = str(self.config_path())
        columns, _ = self.screen.err.size()
        if columns is not None:  # a log, read elsewhere and later, gets it whole
            path = text.fit_path(text.near(path, here()), columns - len("Using "), self.screen.err.shown("…"))
        self.screen.note(dim(f"Using {path}"))
        config = Config.find(self.options.config)  # like load, but it distrusts what it came upon
        for notice in config.warnings:
            self.screen.say(f"{yellow('!')} {notice.message} {notice.fix}")
        self.interrupt.check()
        return config

    def renewer(self, config: Config, on_event: Callable[[Event], object] | None = None) -> Renewer:
        """Return what does the work."""
        from dnsrenew.renewer import Renewer

        renewer = Renewer(config, on_event=on_event)
        self.screen.redact = renewer.redact
        return renewer


def make_invocation(options: argparse.Namespace, screen: Terminal, interrupt: SignalHandler) -> Invocation:
    """Return a session in real time."""
    return Invocation(options, screen, interrupt, SystemClock())
