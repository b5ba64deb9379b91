"""``dnsrenew init``: asks, writes the configuration, does a dry run, obtains, deploys and installs the schedule."""

from __future__ import annotations

import contextlib
import copy
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.http import HttpClient
from dnsrenew.base.model import Outcome
from dnsrenew.base.validation import half_width
from dnsrenew.base.values import replace
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.arguments import parse
from dnsrenew.cli.error_text import lines
from dnsrenew.cli.formatting import say
from dnsrenew.cli.invocation import Invocation, config_option
from dnsrenew.cli.line_editor import LineEditor, can_edit, keys_alone
from dnsrenew.cli.live_progress import make_progress
from dnsrenew.cli.outcome_text import OutcomeText
from dnsrenew.cli.progress import Progress
from dnsrenew.cli.schedule import schedule
from dnsrenew.cli.schedule_note import active_schedule, needs_person, nothing_renews, renewed_by_hand
from dnsrenew.cli.terminal import bold, dim, green, red, yellow
from dnsrenew.config import Config, sources
from dnsrenew.config.file_checks import FileChecks
from dnsrenew.dns import DnsView
from dnsrenew.errors import CANCELLED, Cancelled, ConfigError, DnsRenewError, bare, stopped
from dnsrenew.extensions.setup.commands import absolute, warn
from dnsrenew.extensions.setup.commands.delegate import delegated
from dnsrenew.extensions.setup.commands.export import hidden_input
from dnsrenew.extensions.setup.init import answers as wrong_answers
from dnsrenew.extensions.setup.init import draft as drafts
from dnsrenew.extensions.setup.init import texts as init_texts
from dnsrenew.extensions.setup.init.answers import Answers, read_answers
from dnsrenew.extensions.setup.init.draft import ExistingConfig, InitDraft, InitSurroundings, Person, Prompt
from dnsrenew.extensions.setup.init.interview import AnswerMemory, interview, memory_file
from dnsrenew.extensions.setup.init.questions import questions
from dnsrenew.extensions.setup.init.servers import this_server_host
from dnsrenew.extensions.setup.init.write_config import completed, make_files, read_existing, write_files
from dnsrenew.schedule import host as scheduling
from dnsrenew.schedule.detect import UNKNOWN, has_scheduler

# ── init steps ─────────────────────────────────────────────────────────────────────────

# The steps of ``dnsrenew init`` after writing the files: dry run, obtain, deploy, install the schedule.

_FINE: Final = frozenset({"renewed", "rehearsed", "not-due"})


class InitSteps:
    """The steps with the new configuration in order. The first failure ends them."""

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
        steps = [(draft.is_delegated, self._delegate), (draft.rehearse, self._rehearse)]
        steps += [(True, self._obtain), (draft.schedule, self._schedule)]
        try:
            is_done = all(step() for is_wanted, step in steps if is_wanted)
        except Cancelled as error:
            self._show_end(is_done=False)
            raise self._without_fix(error) from None
        self._show_end(is_done=is_done)
        self._terminal.write_document(self._document)
        return 0 if is_done else self._invocation.signals.status or 1

    def _delegate(self) -> bool:
        """Ask for the CNAME records, and wait until they exist."""
        config = self._config()
        try:
            delegated(self._invocation, config, self._names(config)[0], self._draft.account)
        except Cancelled:
            raise
        except DnsRenewError as error:
            self._refuse(error)
            return False
        return True

    def _without_fix(self, error: DnsRenewError) -> DnsRenewError:
        """Return the error of a cancelled run. On a screen, the end shows another command to run."""
        error.fix = error.fix if self._terminal.json else ""
        return error

    def _rehearse(self) -> bool:
        outcomes = self._renew(dry_run=True)
        is_fine = all(each.status in _FINE for each in outcomes)
        self._document |= {"rehearsed": is_fine, "outcomes": [] if is_fine else [each.to_dict() for each in outcomes]}
        return is_fine

    def _obtain(self) -> bool:
        outcomes = self._renew(dry_run=False)
        self._document["outcomes"] = [each.to_dict() for each in outcomes]
        later = self._unserved()
        return all(
            each.status in _FINE
            and all(result.ok or (result.served is False and result.target in later) for result in each.deployed)
            for each in outcomes
        )

    def _unserved(self) -> set[str]:
        """Return the targets that cannot be served before a person has changed the server."""
        planned = [each for each in self._draft.deployments if each.changes and "verify" in each.entry]
        return {str(each.entry["certificate"]) for each in planned}

    def _renew(self, *, dry_run: bool) -> list[Outcome]:
        """Renew like the command, with its live view."""
        invocation, terminal = self._invocation, self._terminal
        terminal.write_info(texts.INIT_REHEARSING if dry_run else texts.INIT_OBTAINING)
        progress = make_progress(terminal, invocation.clock, dry_run=dry_run)
        config, signals, attended = self._config(), invocation.signals, terminal.is_attended
        names = None if self._draft.existing is None else self._names(config)
        renewer = invocation.renewer(config, progress)
        work = partial(renewer.renew, names, attended=attended, dry_run=dry_run, cancel=signals.cancel)
        try:
            outcomes = signals.run(work, cleans_up=True, tick=progress.tick)
        finally:
            progress.close()
        if not terminal.quiet or any(each.status not in _FINE for each in outcomes):
            now, columns = invocation.clock.now(), terminal.out.size()[0]
            how = {"verbose": terminal.verbose > 0, "dry_run": dry_run, "attended": attended}
            text = OutcomeText(now, columns, manual=True, **how)
            for error in (each.error for each in outcomes if each.status == "interrupted" and each.error):
                self._without_fix(error)
            terminal.write_result("\n".join(line for each in outcomes for line in text.lines(each)))
        return outcomes

    def _schedule(self) -> bool:
        """Install the schedule like the command, with ``--json`` without its document."""
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

    def _names(self, config: Config) -> list[str]:
        """Return the names of the new certificates."""
        existing = self._draft.existing
        before = {spec.name for spec in existing.config.certificates} if existing is not None else set()
        return [spec.name for spec in config.certificates if spec.name not in before]

    def _config(self) -> Config:
        return Config.load(self._draft.around.config, insist=self._invocation.options.insist)

    def _refuse(self, error: DnsRenewError) -> None:
        TerminalPerson(self._invocation).refuse(error)
        self._document["error"] = error.to_dict()

    def _show_end(self, *, is_done: bool) -> None:
        """Show the remaining steps."""
        terminal = self._terminal
        if terminal.json or terminal.quiet:
            return
        columns, config = terminal.out.size()[0], self._config()
        lines: list[str] = []
        changes = [each for deployment in self._draft.deployments for each in deployment.changes]
        if changes:
            lines += formatting.wrap(texts.INIT_CHANGES, columns, f"{yellow('!')} ", "  ")
            for change in changes:
                is_line = change.startswith(drafts.LINE)
                lines += [change] if is_line else formatting.wrap(say(change), columns, "  ", "    ")
        path = formatting.relative_path(str(self._draft.around.config), sources.here())
        option = config_option(str(self._draft.around.config))
        if self._unserved():
            lines += formatting.wrap(texts.INIT_DEPLOY.format(option=option), columns, "  ", "    ")
        if not is_done:
            text = texts.INIT_UNFINISHED if self._draft.schedule else texts.INIT_UNFINISHED_ALONE
            lines += formatting.wrap(text.format(path=path, option=option), columns, f"{yellow('→')} ", "  ")
        elif by_hand := needs_person(config, {spec.name for spec in config.certificates}):
            lines += formatting.wrap(renewed_by_hand(by_hand), columns, f"{yellow('!')} ", "  ")
        else:
            text, mark = self._renewal(path, option)
            lines += formatting.wrap(text, columns, f"{mark} ", "  ")
        terminal.write_result("\n".join(lines))

    def _renewal(self, path: str, option: str) -> tuple[str, str]:
        """Return the sentence and the mark that show whether the certificate is renewed automatically."""
        draft = self._draft
        active = active_schedule(self._config()) if draft.schedule or draft.is_scheduled else UNKNOWN
        if active.halt is not None:
            return texts.INIT_HALTED.format(reason=say(active.halt.reason), fix=say(active.halt.fix)), yellow("!")
        if draft.schedule:
            return texts.INIT_DONE.format(path=path, option=option), green("✓")
        if active.installed:
            return texts.INIT_SCHEDULED.format(option=option), green("✓")
        is_plain = not option or not draft.around.has_scheduler
        return nothing_renews() if is_plain else texts.INIT_UNSCHEDULED.format(option=option), yellow("!")


# ── prompts ────────────────────────────────────────────────────────────────────────────

# Questions at a terminal in plain lines. Nothing is redrawn, so that a screen reader can follow.

_LONGEST: Final = 4096
"""The number of bytes of a line that a terminal passes on."""
_HELP: Final = ("?", "\uff1f")
"""The question mark, also as a Chinese keyboard types it, before a word beyond ASCII."""


class TerminalPerson:
    """The person at the terminal: questions on standard error, answers on standard input."""

    def __init__(self, invocation: Invocation, memory: AnswerMemory | None = None) -> None:
        self._signals, self._terminal, self._clock = invocation.signals, invocation.terminal, invocation.clock
        self._memory = memory or AnswerMemory(None)
        self._typed: list[str] = []
        self._progress: Progress | None = None

    def ask(self, prompt: Prompt) -> str:
        """Return the answer, or the default for an empty line. ``?`` shows help, and searches the choices.

        :raises Cancelled: Ctrl-C, or the end of the input.
        """
        prompt = self._memory.offered(prompt)
        while True:
            answer = self._asked(prompt)
            if not answer.startswith(_HELP):
                self._memory.keep(prompt, answer or prompt.default)
                return answer or prompt.default
            word = answer[1:].strip()
            for line in prompt.search(word) if word and prompt.search else (prompt.help,):
                self.say(line)

    def say(self, text: str) -> None:
        """Show a finding."""
        self._terminal.write_marked(dim("·"), say(text))

    def refuse(self, error: DnsRenewError, *, is_last: bool = True) -> None:
        """Show why an answer is not accepted."""
        if is_last:
            self._memory.drop()
        self._terminal.write_message("\n".join(lines(error, self._terminal.err.size()[0], f"{red('✗')} ")))

    def has_given(self, prompt: Prompt, answer: str) -> bool:
        """Return whether this answer was given and accepted before Ctrl-C."""
        return self._memory.has(prompt, answer)

    def doubt(self, error: DnsRenewError) -> None:
        """Show a doubt about an accepted answer."""
        warn(self._terminal, error)

    def wait(self, work: Callable[[], Any]) -> Any:
        """Do work that takes a while.

        :raises Cancelled: Ctrl-C, after the work has ended.
        """
        self._progress = progress = make_progress(self._terminal, self._clock)
        try:
            return self._signals.run(work, cleans_up=True, tick=progress.tick)
        finally:
            self._progress = None
            progress.close()

    def heard(self, event: Event) -> None:
        """Show the progress of the work, such as the name servers that a test value waits for."""
        if self._progress is not None and event.kind != "warning":
            self._progress(event)

    def _show(self, prompt: Prompt) -> None:
        """Write the question, and the default in brackets after it or on its own line."""
        err = self._terminal.err
        columns = err.size()[0]
        shown = say(prompt.shown) or prompt.default
        template = texts.PROMPT_FOUND if prompt.source else texts.PROMPT
        end = template.format(default=shown, source=say(prompt.source)) if shown else ""
        asked = say(prompt.text)
        asked = asked if end or asked.endswith(("?", "？")) else asked.rstrip(".。") + texts.PROMPT_END
        text = [bold(line) for line in formatting.wrap(asked, columns, f"{yellow('?')} ", "  ")]
        text += [bold(line) for each in prompt.lines for line in formatting.wrap(say(each), columns, "  ", " " * 5)]
        fits = columns is None or formatting.width(text[-1]) + formatting.width(end) + 1 < columns - _ROOM
        if end:
            fits = fits and not prompt.lines
            text = [*text[:-1], f"{text[-1]} {end}"] if fits else [*text, f"  {end}"]
        err.write(err.render(err.encodable("\n".join(text))) + " ")
        self._terminal.drain()

    def _asked(self, prompt: Prompt) -> str:
        """Show the question, and return a line without blanks at its ends.

        :raises Cancelled: Ctrl-C, or the end of the input.
        """
        answer = ""
        is_edited = can_edit() and not prompt.is_secret
        try:
            plain = keys_alone(sys.stdin.fileno()) if is_edited else contextlib.nullcontext()
            with hidden_input(forgets=False) if prompt.is_secret else plain:
                self._show(prompt)
                answer = self._signals.run(self._edited if is_edited else _line)
        finally:
            if prompt.is_secret or not answer.endswith("\n"):
                self._terminal.err.write("\n")  # the cursor is still after the question
        if not answer:
            raise stopped()
        if is_edited and answer.strip():
            self._typed.append(answer.strip())
        return answer.strip() if prompt.is_secret else half_width(answer.strip())

    def _edited(self) -> str:
        """Read a line that can be edited."""
        err, handle = self._terminal.err, sys.stdin.fileno()

        def write(text: str) -> None:
            err.write(err.encodable(text))
            self._terminal.drain()

        return LineEditor(lambda: os.read(handle, 1), write, self._typed).line()


_ROOM: Final = 16
"""The minimum columns for an answer on the line of the question."""


def _line() -> str:
    """Read a line. Not with ``input``, whose lock would stop the interpreter's exit after Ctrl-C."""
    return os.read(sys.stdin.fileno(), _LONGEST).decode("utf-8", "replace")


# ── init ───────────────────────────────────────────────────────────────────────────────

_FLAGS: Final = ("domains", "contact", "agree_terms", "provider", "deploy", "schedule", "rehearse")


class _Script(TerminalPerson):
    """Without a terminal, doubtful answers are warnings."""

    def say(self, text: str) -> None:
        """Say nothing."""


def init(invocation: Invocation) -> int:
    """Ask, write, and do the steps; return the exit status.

    :raises ConfigError: a configuration exists, or an answer is missing or wrong.
    :raises AttemptError: a given answer cannot be tested.
    :raises StoreError: a file cannot be written.
    :raises Cancelled: Ctrl-C, before anything was written.
    """
    try:
        return _asked(invocation)
    except DnsRenewError as error:
        raise bare(error) from None


def _asked(invocation: Invocation) -> int:
    terminal = invocation.terminal
    answers = _answers(invocation)
    attended = terminal.is_attended
    memory = AnswerMemory(memory_file(os.environ))
    person = TerminalPerson(invocation, memory) if attended else _Script(invocation)
    try:
        config, existing = _target(invocation, answers, person)
    except Cancelled:
        raise Cancelled.of(init_texts.INIT_STOPPED_NEW) from None
    if existing is not None:
        answers = completed(existing, answers)
    draft = InitDraft(_surroundings(invocation, config, person))
    draft.existing, draft.tables = existing, answers.tables
    draft.is_scheduled = existing is not None and active_schedule(existing.config).installed is True
    if attended and any(each.key not in answers.given and each.applies(draft) for each in questions()):
        shown = formatting.relative_path(str(config), sources.here())
        person.say(texts.INIT_START.format(path=shown))
        if memory.read(str(config)):
            person.say(init_texts.INIT_AGAIN)
    try:
        interview(draft, answers, person, is_attended=attended)
        invocation.signals.check()
    except Cancelled as error:
        text = init_texts.INIT_STOPPED if memory.write() else init_texts.INIT_STOPPED_NEW
        if error.message != CANCELLED.message:  # the test of the account has not ended in time
            raise
        raise Cancelled.of(text) from None
    memory.forget()
    try:
        written = write_files(draft, make_files(draft, say))
    except ConfigError as error:
        if error.code != init_texts.ANSWER_WRONG.code:
            raise
        raise wrong_answers.error_of(wrong_answers.of_error(answers, "ca", error)) from None  # a given table
    if not terminal.quiet:
        columns = terminal.out.size()[0]
        for path in written:
            shown = path if columns is None else formatting.relative_path(path, sources.here())
            terminal.write_result("\n".join(formatting.wrap(texts.WROTE.format(path=shown), columns, f"{green('✓')} ")))
    return InitSteps(invocation, draft, written).run()


def _target(invocation: Invocation, answers: Answers, person: Person) -> tuple[Path, ExistingConfig | None]:
    """Return the configuration to write or extend.

    :raises ConfigError: ``init-config-exists``; ``config-untrusted``: others could change it.
    """
    cwd = sources.here()
    named = invocation.options.config or os.environ.get(sources.VARIABLE)
    path = str(absolute(named or sources.FILE_NAME))
    try:
        is_there = named and os.path.lexists(path)
        found = path if is_there else sources.search(None, {**os.environ, sources.VARIABLE: ""}, cwd)[0]
    except ConfigError:
        found = ""
    if found and (not named or found == path) and not _is_of_others(found):
        if not _is_to_be_extended(invocation, found, answers, person):
            raise ConfigError.of(init_texts.CONFIG_EXISTS, path=found)
        return Path(found), read_existing(Path(found), insist=invocation.options.insist)
    FileChecks(found=True, insist=invocation.options.insist).judge(path)
    return Path(path), None


def _is_to_be_extended(invocation: Invocation, path: str, answers: Answers, person: Person) -> bool:
    """Return whether a certificate is added to the configuration. A file of answers says so."""
    if answers.file or not invocation.terminal.is_attended:
        return bool(answers.given)
    text = init_texts.ASK_APPEND.format(path=formatting.relative_path(path, sources.here()))
    return drafts.ask_flag(person, Prompt(text, init_texts.HELP_APPEND, "y", init_texts.SHOWN_YES))


def _is_of_others(path: str) -> bool:
    """Return whether this is the configuration of the machine, which this user cannot change."""
    return os.path.dirname(path) == sources.SYSTEM_FOLDER and not os.access(path, os.W_OK)


def _answers(invocation: Invocation) -> Answers:
    options = invocation.options
    file = None if options.answers is None else absolute(options.answers)
    flags = {key: getattr(options, key) for key in _FLAGS}
    answers = read_answers(file, flags, options.option or [], invocation.clock)
    for notice in answers.warnings:
        warn(invocation.terminal, notice)
    return answers


def _surroundings(invocation: Invocation, config: Path, person: TerminalPerson) -> InitSurroundings:
    context = replace(invocation.context(), emitter=Emitter(invocation.clock, person.heard))
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

    :raises ConfigError: the resolver has a mistake.
    """
    config = Config.from_dict({"resolver": tables.get("resolver", {})}, base=sources.here(), insist=True)
    return DnsView(config.resolver, HttpClient)
