"""``dnsrenew init``: asks, writes the configuration, rehearses, obtains, deploys and installs the schedule."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.language import sentences
from dnsrenew.cli.terminal import green, yellow
from dnsrenew.config import locate
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.setup.commands.init_steps import InitSteps
from dnsrenew.extensions.setup.commands.prompts import TerminalPerson

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.dns import DnsView
    from dnsrenew.extensions.setup.init.answers import Answers
    from dnsrenew.extensions.setup.init.draft import InitSurroundings

_FLAGS: Final = ("domains", "contact", "agree_terms", "provider", "deploy", "schedule", "rehearse")


class _Script(TerminalPerson):
    """Nobody is there: what is doubtful is a warning."""

    def say(self, text: str) -> None:
        """Say nothing."""


def init(invocation: Invocation) -> int:
    """Ask, write, and do the steps; return the exit status.

    :raises ConfigError: there is a configuration, an answer is missing or wrong.
    :raises AttemptError: a given answer cannot be tested.
    :raises StoreError: a file cannot be written.
    :raises Cancelled: Ctrl-C, before anything was written.
    """
    from dnsrenew.extensions.setup.init import wrong_answers
    from dnsrenew.extensions.setup.init.draft import InitDraft
    from dnsrenew.extensions.setup.init.interview import interview
    from dnsrenew.extensions.setup.init.texts import ANSWER_WRONG
    from dnsrenew.extensions.setup.init.write_config import make_files, write_files

    terminal = invocation.terminal
    config = _target(invocation)
    answers = _answers(invocation)
    attended = terminal.is_attended
    person = TerminalPerson(invocation) if attended else _Script(invocation)
    if attended and not _is_complete(answers):
        shown = formatting.relative_path(str(config), locate.here())
        person.say(texts.INIT_START.format(path=shown))
    draft = InitDraft(_surroundings(invocation, config))
    interview(draft, answers, person, is_attended=attended)
    invocation.signals.check()
    try:
        written = write_files(draft, make_files(draft))
    except ConfigError as error:
        if error.code != ANSWER_WRONG.code:
            raise
        raise wrong_answers.error_of(wrong_answers.of_error(answers, "ca", error)) from None  # a table that was given
    if not terminal.quiet:
        columns = terminal.out.size()[0]
        for path in written:
            shown = path if columns is None else formatting.relative_path(path, locate.here())
            terminal.write_result("\n".join(formatting.wrap(texts.WROTE.format(path=shown), columns, f"{green('✓')} ")))
    return InitSteps(invocation, draft, written).run()


def _target(invocation: Invocation) -> Path:
    """Return the configuration to write.

    :raises ConfigError: ``init-config-exists``; ``config-untrusted``: others could change it.
    """
    from dnsrenew.config.file_checks import FileChecks
    from dnsrenew.extensions.setup.init.texts import CONFIG_EXISTS

    cwd = locate.here()
    named = invocation.options.config or os.environ.get(locate.VARIABLE)
    path = os.path.abspath(os.path.join(cwd, os.path.expanduser(named or locate.FILE_NAME)))
    try:
        found = (
            path
            if named and os.path.lexists(path)
            else locate.search(None, {**os.environ, locate.VARIABLE: ""}, cwd)[0]
        )
    except ConfigError:
        found = ""
    if found and (not named or found == path):
        raise ConfigError.of(CONFIG_EXISTS, path=found)
    FileChecks(found=True, insist=invocation.options.insist).judge(path)
    return Path(path)


def _answers(invocation: Invocation) -> Answers:
    from dnsrenew.extensions.setup.init.answers import read_answers

    options = invocation.options
    file = None if options.answers is None else Path(os.path.abspath(os.path.expanduser(options.answers)))
    answers = read_answers(file, {key: getattr(options, key) for key in _FLAGS}, options.option or [])
    columns = invocation.terminal.err.size()[0]
    for notice in answers.warnings:
        lines = formatting.wrap(sentences(notice.message, notice.fix), columns, f"{yellow('!')} ", "  ")
        invocation.terminal.write_message("\n".join(lines))
    return answers


def _is_complete(answers: Answers) -> bool:
    return set(_FLAGS) <= set(answers.given)


def _surroundings(invocation: Invocation, config: Path) -> InitSurroundings:
    from dnsrenew.extensions.setup.init.draft import InitSurroundings
    from dnsrenew.extensions.setup.init.servers import this_server_host
    from dnsrenew.schedule.detect import has_scheduler

    context = invocation.context()
    invocation.terminal.redact = context.redactor.redact
    return InitSurroundings(
        context=context,
        config=config,
        insist=invocation.options.insist,
        dns=_dns_view,
        host=this_server_host,
        environ=os.environ,
        has_scheduler=has_scheduler(),
    )


def _dns_view(tables: Mapping[str, Any]) -> DnsView:
    """Return the view of DNS for the resolver of the answers.

    :raises ConfigError: that has a mistake.
    """
    from dnsrenew.base.http import HttpClient
    from dnsrenew.config import Config
    from dnsrenew.dns import DnsView

    config = Config.from_dict({"resolver": tables.get("resolver", {})}, base=locate.here(), insist=True)
    return DnsView(config.resolver, HttpClient)
