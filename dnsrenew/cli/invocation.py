"""One call of the program: options, terminal, signals, and late-imported configuration and renewer."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dnsrenew.base.clock import Clock, SystemClock
from dnsrenew.base.runtime import Context
from dnsrenew.base.validation import Mistake, config_error, half_width
from dnsrenew.base.validation.texts import MISSING
from dnsrenew.base.values import Frozen
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.arguments import Options, usage
from dnsrenew.cli.commands import GROUPS, TOPICS
from dnsrenew.cli.formatting import sentences
from dnsrenew.cli.terminal import Terminal, dim, yellow
from dnsrenew.config import Config, find_config, sources
from dnsrenew.config.sources import here
from dnsrenew.errors import ConfigError, DnsRenewError
from dnsrenew.operations.selection import shared_certificates, store_of

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.base.events import Event
    from dnsrenew.cli.signals import SignalHandler
    from dnsrenew.operations.selection import SharedCertificates
    from dnsrenew.renewer import Renewer
    from dnsrenew.store import Store

T = TypeVar("T")


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

        :param read: the reader to use instead of ``Config.find``, with the same arguments.
        :param needs_certificates: whether a configuration without certificates is a mistake.
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
            raise config_error([Mistake(str(config.path), None, "certificate", MISSING, texts.EXPECTED_CERTIFICATE)])
        for notice in config.warnings:
            self.terminal.write_marked(yellow("!"), sentences(notice.message, notice.fix))
        self.signals.check()
        return config

    def store(self, config: Config) -> Store:
        """Return the store of the configuration."""
        return store_of(config)

    def ask_shared(self, config: Config, ask: Callable[[SharedCertificates], int]) -> int:
        """Return a number about the certificates that several machines share; 0 if the store is a folder.

        :raises StoreError: the store cannot be read.
        """
        store = self.store(config)
        store.only_read()
        shared = shared_certificates(config, store)
        if shared is None:
            return 0
        try:
            return self.signals.run(partial(ask, shared))
        finally:
            shared.close()

    def work(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Call a function that can be cancelled and withdraws its published values; return its result."""
        work = partial(function, *arguments, cancel=self.signals.cancel, **options)
        return self.signals.run(work, cleans_up=True)

    def renewer(self, config: Config, on_event: Callable[[Event], object] | None = None) -> Renewer:
        """Return a renewer for the configuration."""
        from dnsrenew.renewer import Renewer

        renewer = Renewer(config, on_event=on_event, language=self.options.lang)
        self.terminal.redact = renewer.redact
        return renewer


def make_invocation(options: Options, terminal: Terminal, signals: SignalHandler) -> Invocation:
    """Return an invocation in real time."""
    return Invocation(options, terminal, signals, SystemClock())


# ── confirm ────────────────────────────────────────────────────────────────────────────

# Asks before an action that cannot be undone.


def confirm(invocation: Invocation, question: str, command: str) -> None:
    """Ask for a confirmation at the terminal, unless ``--yes`` was given; raise if it is refused.

    :param command: the command as it is typed, for the error.
    :raises ConfigError: ``usage``: there is no terminal to ask at.
    :raises DnsRenewError: ``declined``.
    """
    terminal = invocation.terminal
    if invocation.options.yes:
        return
    if not terminal.is_attended:
        raise usage(texts.UNCONFIRMED, command)
    lines = formatting.marked(yellow("?"), f"{question} {texts.YES_OR_NO}", terminal.err.size()[0])
    terminal.err.write(terminal.err.render(terminal.err.encodable("\n".join(lines))) + " ")
    terminal.drain()
    answer = ""
    try:
        answer = invocation.signals.run(_answer)
    finally:
        if not answer.endswith("\n"):
            terminal.err.write("\n")  # the cursor is still after the question
    if half_width(answer.strip()).lower() not in texts.YES:
        raise DnsRenewError.of(texts.DECLINED)


def _answer() -> str:
    """Read a line. Not with ``input``, whose lock would stop the interpreter's exit after Ctrl-C."""
    return os.read(sys.stdin.fileno(), 1000).decode("utf-8", "replace")


# ── typed ──────────────────────────────────────────────────────────────────────────────

# The commands in messages in the form that this person must type: with a required option or path.
#
# A message says ``dnsrenew renew``. If the configuration was named, ``--config`` is needed again. If the program was
# called by a path that the shell does not search, that path is needed, also for ``sudo``, which has its own folders.

_NAME: Final = "dnsrenew"
_NAMES: Final = "|".join([rf"(?:{'|'.join(GROUPS)}) [a-z]+", *(name for topic in TOPICS.values() for name in topic)])
_COMMAND: Final = re.compile(
    r"(?P<before>(?:[:：] ?|`)?)(?P<sudo>sudo (?:-u \S+ )?)?(?<![\w/.-])dnsrenew "
    rf"(?P<words>{_NAMES})(?![\w-])(?P<rest>(?:(?!dnsrenew )[^`，。；（\n])*)"
)
"""A command with the text after it: its arguments, or words of the sentence."""
_END: Final = re.compile(r"[,.;:]? *$|[,.;] | \(")
"""The end of a command after a colon or in quotes. In other places, words of the sentence may follow it."""


def config_option(path: str) -> str:
    """Return the option with a blank before it; "" if the commands find the configuration without it.

    :param path: the absolute path.
    """
    try:
        if sources.search(None, os.environ, sources.here())[0] == path:
            return ""
    except ConfigError:
        pass  # no configuration is found, so this one has to be named
    return f" --config {shlex.quote(formatting.relative_path(path, sources.here()))}"


def type_commands(config: str | None) -> None:
    """Make messages of this process show commands as they must be typed.

    :param config: the configuration that was named with ``--config``, or None.
    """
    path = None if config is None else os.path.abspath(os.path.join(sources.here(), os.path.expanduser(config)))
    option = "" if path is None else config_option(path)
    formatting.typed = partial(_COMMAND.sub, partial(_typed, _program(), option, path))


def _typed(program: str, option: str, path: str | None, match: re.Match[str]) -> str:
    sudo, words, rest = match["sudo"] or "", match["words"], match["rest"]
    # These commands create a configuration, or read none.
    if words in {"completion", "init", "import", "restore", "help"}:
        option = ""
    if sudo:
        program, option = _full(), _for_root(words, path)
    if " --config" in rest or " --help" in rest:
        option = ""
    end = _END.search(rest) if match["before"] else None
    at = end.start() if end else 0
    return f"{match['before']}{sudo}{program} {words}{rest[:at]}{option}{rest[at:]}"


def _program() -> str:
    """Return the name of the program, or its path if the shell does not find it by name."""
    called = os.path.abspath(sys.argv[0])
    if os.path.basename(called) != _NAME or not os.path.isfile(called):
        return _NAME  # in a test, or `python -m dnsrenew`
    found = shutil.which(_NAME)
    return _NAME if found and os.path.realpath(found) == os.path.realpath(called) else shlex.quote(called)


def _full() -> str:
    """Return the program with its path, as root must call it, because root's shell searches other folders."""
    called = os.path.abspath(sys.argv[0])
    if os.path.basename(called) == _NAME and os.path.isfile(called):
        return shlex.quote(called)
    return f"{shlex.quote(sys.executable)} -m {_NAME}"


def _for_root(words: str, path: str | None) -> str:
    """Return what root must add: this user's configuration, which only ``doctor`` may read unchecked.

    Another command would leave root's files in the store of this user.
    """
    if words != "doctor":
        return ""
    try:
        found = path or sources.search(None, os.environ, sources.here())[0]
        insist = "" if os.stat(found).st_uid == 0 else " --insist"
    except (ConfigError, OSError):
        return ""
    return f"{insist} --config {shlex.quote(found)}"
