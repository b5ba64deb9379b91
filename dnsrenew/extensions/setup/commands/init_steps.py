"""What ``dnsrenew init`` does with the files that it wrote: rehearse, obtain, deploy, install the schedule."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import replace
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.arguments import parse
from dnsrenew.cli.language import say
from dnsrenew.cli.schedule_note import needs_person, nothing_renews, renewed_by_hand
from dnsrenew.cli.terminal import green, yellow
from dnsrenew.config import locate
from dnsrenew.errors import Cancelled, DnsRenewError
from dnsrenew.extensions.setup.commands.config_option import config_option
from dnsrenew.extensions.setup.commands.prompts import TerminalPerson

if TYPE_CHECKING:
    from dnsrenew.base.model import Outcome
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.config import Config
    from dnsrenew.extensions.setup.init.draft import InitDraft

_FINE: Final = frozenset({"renewed", "rehearsed", "not-due"})


class InitSteps:
    """What is done with the new configuration, in order; the first failure ends it."""

    def __init__(self, invocation: Invocation, draft: InitDraft, written: list[str]) -> None:
        options = parse(["renew", "--config", str(draft.around.config)]).options
        for name in ("insist", "json", "quiet", "verbose", "lang"):
            setattr(options, name, getattr(invocation.options, name))
        self._invocation = replace(invocation, options=options)
        self._terminal = invocation.terminal
        self._draft = draft
        self._document: dict[str, Any] = {"written": written, "rehearsed": None, "outcomes": [], "schedule": None}

    def run(self) -> int:
        """Do the steps; return the exit status."""
        draft = self._draft
        steps: list[Callable[[], bool]] = [
            *([self._delegate] if draft.is_delegated else []),
            *([self._rehearse] if draft.rehearse else []),
            self._obtain,
            *([self._schedule] if draft.schedule else []),
        ]
        done = 0
        for step in steps:
            if not step():
                break
            done += 1
        is_done = done == len(steps)
        self._show_end(is_done=is_done)
        self._terminal.write_document(self._document)
        return 0 if is_done else self._invocation.signals.status or 1

    def _delegate(self) -> bool:
        """Have the CNAME records set, and wait until they are there."""
        from dnsrenew.base.events import Emitter
        from dnsrenew.extensions.setup.commands.delegate import DelegateProgress
        from dnsrenew.extensions.setup.delegate.delegate import delegate

        invocation, config = self._invocation, self._config()
        emitter = Emitter(invocation.clock, DelegateProgress(self._terminal))
        context = replace(invocation.context(), emitter=emitter)
        self._terminal.redact = context.redactor.redact
        name, account = config.certificates[0].name, next(iter(config.accounts))
        work = partial(delegate, context, config, invocation.store(config), name, account)
        try:
            invocation.signals.run(work, cleans_up=True)
        except Cancelled:
            self._show_end(is_done=False)
            raise
        except DnsRenewError as error:
            self._refuse(error)
            return False
        return True

    def _rehearse(self) -> bool:
        outcomes = self._renew(dry_run=True)
        self._document["rehearsed"] = all(each.status in _FINE for each in outcomes)
        if not self._document["rehearsed"]:
            self._document["outcomes"] = [each.to_dict() for each in outcomes]
        return bool(self._document["rehearsed"])

    def _obtain(self) -> bool:
        outcomes = self._renew(dry_run=False)
        self._document["outcomes"] = [each.to_dict() for each in outcomes]
        return all(each.status in _FINE and all(result.ok for result in each.deployed) for each in outcomes)

    def _renew(self, *, dry_run: bool) -> list[Outcome]:
        """Renew as the command does, with progress in plain lines."""
        from dnsrenew.cli.outcome_text import OutcomeText
        from dnsrenew.cli.progress import PlainProgress

        invocation, terminal = self._invocation, self._terminal
        terminal.write_info(texts.INIT_REHEARSING if dry_run else texts.INIT_OBTAINING)
        progress = PlainProgress(terminal, show_errors=not terminal.same_terminal, dry_run=dry_run)
        renewer = invocation.renewer(self._config(), progress)
        signals = invocation.signals
        attended = terminal.is_attended
        outcomes = signals.run(
            lambda: renewer.renew(attended=attended, dry_run=dry_run, cancel=signals.cancel), cleans_up=True
        )
        progress.close()
        if not terminal.json:
            now, columns = invocation.clock.now(), terminal.out.size()[0]
            text = OutcomeText(now, columns, verbose=terminal.verbose > 0, dry_run=dry_run, manual=True)
            found = [line for each in outcomes for line in text.lines(each)]
            if not terminal.quiet or any(each.status not in _FINE for each in outcomes):
                terminal.write_result("\n".join(found))
        return outcomes

    def _schedule(self) -> bool:
        """Install the schedule as the command does; with ``--json`` without its document."""
        from dnsrenew import schedule as scheduling
        from dnsrenew.cli.schedule import schedule

        options = copy.copy(self._invocation.options)
        options.kind, options.action = None, "install"
        terminal = self._terminal
        if terminal.json:
            terminal = copy.copy(terminal)
            terminal.json, terminal.quiet = False, True
        try:
            schedule(replace(self._invocation, options=options, terminal=terminal))
        except DnsRenewError as error:
            self._refuse(error)
            return False
        self._document["schedule"] = scheduling.default_kind(scheduling.this_host())
        return True

    def _config(self) -> Config:
        from dnsrenew.config import Config

        return Config.load(self._draft.around.config, insist=self._invocation.options.insist)

    def _by_hand(self) -> list[str]:
        config = self._config()
        return needs_person(config, {spec.name for spec in config.certificates})

    def _refuse(self, error: DnsRenewError) -> None:
        TerminalPerson(self._invocation).refuse(error)
        self._document["error"] = error.to_dict()

    def _show_end(self, *, is_done: bool) -> None:
        """Say what is left to do."""
        terminal = self._terminal
        if terminal.json or terminal.quiet:
            return
        columns = terminal.out.size()[0]
        lines: list[str] = []
        changes = [each for deployment in self._draft.deployments for each in deployment.changes]
        if changes:
            lines += formatting.wrap(texts.INIT_CHANGES, columns, f"{yellow('!')} ", "  ")
            for change in changes:
                lines += formatting.wrap(say(change), columns, "  ", "    ")
        path = formatting.relative_path(str(self._draft.around.config), locate.here())
        option = config_option(str(self._draft.around.config))
        if not is_done:
            text = texts.INIT_UNFINISHED if self._draft.schedule else texts.INIT_UNFINISHED_ALONE
            lines += formatting.wrap(text.format(path=path, option=option), columns, f"{yellow('→')} ", "  ")
        elif by_hand := self._by_hand():
            lines += formatting.wrap(renewed_by_hand(by_hand), columns, f"{yellow('!')} ", "  ")
        elif not self._draft.schedule:
            is_plain = not option or not self._draft.around.has_scheduler
            text = nothing_renews() if is_plain else texts.INIT_UNSCHEDULED.format(option=option)
            lines += formatting.wrap(text, columns, f"{yellow('!')} ", "  ")
        else:
            text = texts.INIT_DONE.format(path=path, option=option)
            lines += formatting.wrap(text, columns, f"{green('✓')} ", "  ")
        terminal.write_result("\n".join(lines))
