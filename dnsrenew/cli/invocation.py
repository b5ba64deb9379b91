"""One call of the program: options, terminal, signals, and late-imported configuration and renewer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.base.clock import Clock, SystemClock
from dnsrenew.base.runtime import Context
from dnsrenew.base.validation import Mistake, config_error
from dnsrenew.base.validation.texts import MISSING
from dnsrenew.base.values import Frozen
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.language import sentences
from dnsrenew.cli.terminal import Terminal, dim, yellow
from dnsrenew.config import Config, find_config
from dnsrenew.config.sources import here

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.base.events import Event
    from dnsrenew.cli.arguments import Options
    from dnsrenew.cli.signals import SignalHandler
    from dnsrenew.errors import ConfigError
    from dnsrenew.operations.selection import SharedCertificates
    from dnsrenew.renewer import Renewer
    from dnsrenew.store import Store


class Invocation(Frozen):
    """One call of the program.

    :ivar options: the options of the command line.
    """

    options: Options
    terminal: Terminal
    signals: SignalHandler
    clock: Clock

    def context(self) -> Context:
        """Return the clock, randomness and cancellation for the program's own waits."""
        return Context(clock=self.clock, cancel=self.signals.cancel)

    def config_path(self) -> Path:
        """Return the configuration file.

        :raises ConfigError: ``config-missing``.
        """
        return find_config(self.options.config)

    def config(self, *, needs_certificates: bool = False, read: Callable[..., Config] | None = None) -> Config:
        """Read the configuration, and show its path and its warnings.

        :param read: reads it instead of ``Config.find``, with the same arguments.
        :param needs_certificates: whether a configuration without any certificate is a mistake.
        :raises ConfigError: with all mistakes.
        """
        path = str(self.config_path())
        columns, _ = self.terminal.err.size()
        if columns is not None:  # a log gets the whole path
            width = columns - len(texts.USING.format(path=""))
            ellipsis = self.terminal.err.encodable("…")
            path = formatting.fit_path(formatting.relative_path(path, here()), width, ellipsis)
        self.terminal.write_info(dim(texts.USING.format(path=path)))
        config = (read or Config.find)(self.options.config, insist=self.options.insist)
        if needs_certificates and not config.certificates and config.fleet is None:
            raise _no_certificates(config)
        for notice in config.warnings:
            lines = formatting.wrap(sentences(notice.message, notice.fix), columns, f"{yellow('!')} ", "  ")
            self.terminal.write_message("\n".join(lines))
        self.signals.check()
        return config

    def store(self, config: Config) -> Store:
        """Return the store of the configuration."""
        from dnsrenew.store.folder_store import open_store

        return open_store(config.store, insist=config.insist, seals=config.seals)

    def ask_shared(self, config: Config, ask: Callable[[SharedCertificates], int]) -> int:
        """Return a number about the certificates that several machines share; 0 if the store is a folder.

        :raises StoreError: the store cannot be read.
        """
        from dnsrenew.operations.selection import shared_certificates

        store = self.store(config)
        store.only_read()
        shared = shared_certificates(config, store)
        if shared is None:
            return 0
        try:
            return self.signals.run(partial(ask, shared))
        finally:
            shared.close()

    def renewer(self, config: Config, on_event: Callable[[Event], object] | None = None) -> Renewer:
        """Return a renewer for the configuration."""
        from dnsrenew.renewer import Renewer

        renewer = Renewer(config, on_event=on_event, language=self.options.lang)
        self.terminal.redact = renewer.redact
        return renewer


def _no_certificates(config: Config) -> ConfigError:
    return config_error([Mistake(str(config.path), None, "certificate", MISSING, texts.EXPECTED_CERTIFICATE)])


def make_invocation(options: Options, terminal: Terminal, signals: SignalHandler) -> Invocation:
    """Return an invocation in real time."""
    return Invocation(options, terminal, signals, SystemClock())
