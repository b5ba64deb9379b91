"""``dnsrenew renew``: the run, its progress, its result and its exit status."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from dnsrenew.base.events import Event
from dnsrenew.base.model import CertificateSpec, Outcome
from dnsrenew.base.values import replace
from dnsrenew.cli import formatting, schedule_note, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.live_progress import make_progress
from dnsrenew.cli.outcome_text import OutcomeText, is_first
from dnsrenew.cli.progress import Progress
from dnsrenew.cli.service_log import EventLines, log_line, outcome_line, use_journal
from dnsrenew.cli.terminal import INFO, WARNING, LineFields, dim, outcome_fields, yellow
from dnsrenew.config import Config, config_to_renew
from dnsrenew.errors import Cancelled, stopped
from dnsrenew.operations.selection import selected
from dnsrenew.renewal.batch import exit_status

_MOST_LINES: Final = 10
"""With more successes than this, each has one line, and those that are not due are only counted. ``-v`` shows all."""

_IN_PROGRESS: Final[Mapping[str, str]] = {
    "certificate-started": "renewal",
    "deploy-started": "deployment",
    **dict.fromkeys(("certificate-stored", "deployed", "deploy-failed", "certificate-finished"), "nothing"),
}
"""The activity of a certificate, by its last event of these kinds."""
_ORDER: Final = ("obtained", "renewed", "rehearsed", "failed", "interrupted", "locked", "deferred", "not-due")


def renew(invocation: Invocation) -> int:
    """Obtain and renew certificates; return the exit status."""
    if invocation.options.events:
        if not invocation.terminal.json:
            raise usage(texts.EVENTS_WITHOUT_JSON, "dnsrenew renew")
        invocation.terminal.log_line = partial(log_line, invocation)
    if invocation.options.scheduled:
        use_journal(invocation.terminal)
    config = invocation.config(needs_certificates=True, read=config_to_renew)
    _check_options(invocation, config)
    if seconds := jitter(invocation):
        try:
            invocation.signals.run(partial(invocation.context().wait, seconds))
        except Cancelled as error:
            _write_stopped(invocation, config, error, {})
            raise
    progress, schedule = _progress(invocation), schedule_note.ScheduleSearch(config)
    try:
        outcomes = _run(invocation, progress, schedule)
    finally:
        progress.close()
        _remember(invocation, config)
    _show(invocation, outcomes, schedule)
    return exit_status(outcomes, invocation.clock.now(), invocation.signals.status)


def _remember(invocation: Invocation, config: Config) -> None:
    """Record a run of the schedule in the store, but not a manual or dry run."""
    if not invocation.options.scheduled or invocation.options.dry_run or config.path is None:
        return
    if (runs := schedule_note.scheduled_runs(invocation, config)) is not None:
        runs.ran(config.path, invocation.clock.now())


def _progress(invocation: Invocation) -> Progress:
    if invocation.options.events:
        return EventLines(invocation)
    return make_progress(invocation.terminal, invocation.clock, dry_run=invocation.options.dry_run)


def _check_options(invocation: Invocation, config: Config) -> None:
    options = invocation.options
    if options.all and options.names:
        raise usage(texts.NAMES_AND_ALL, "dnsrenew renew")
    if not options.force or options.dry_run or options.names or options.all:
        return
    if config.fleet is not None:
        raise usage(texts.FORCE_FLEET, "dnsrenew renew")
    if len(config.certificates) > 1:
        raise usage(texts.FORCE_WITHOUT_NAMES, "dnsrenew renew", count=len(config.certificates))


def jitter(invocation: Invocation) -> float:
    """Return the random delay in seconds for ``--jitter``, and show it."""
    longest: float = invocation.options.jitter
    if longest <= 0:
        return 0.0
    seconds = invocation.context().random.uniform(0, longest)
    invocation.terminal.write_info(dim(texts.DELAYED.format(delay=formatting.seconds(seconds))))
    return seconds


def _run(invocation: Invocation, progress: Progress, schedule: schedule_note.ScheduleSearch) -> list[Outcome]:
    options, signals, terminal = invocation.options, invocation.signals, invocation.terminal
    shows_schedule = not (options.scheduled or terminal.json or terminal.quiet)
    finished: dict[str | None, Mapping[str, Any]] = {}
    in_progress: dict[str | None, str] = {}

    def listen(event: Event) -> None:
        if event.kind in _IN_PROGRESS:
            in_progress[event.certificate] = _IN_PROGRESS[event.kind]
        if event.kind == "certificate-finished":
            finished[event.certificate] = event.data
            if not gc.isenabled():  # more work may follow; to collect what is there takes a tenth of a short run
                gc.freeze()
                gc.enable()
        elif event.kind == "challenges-answered" and shows_schedule:  # from here on this process waits
            schedule.start()
        progress(event)

    renewer = invocation.renewer(schedule.config, listen)
    stopping = False

    def tick() -> None:
        nonlocal stopping
        if signals.status is not None and not stopping:
            stopping = True
            doing = {"nothing", *list(in_progress.values())}
            line = next(line for what, line in texts.STOPPING.items() if what in doing)
            terminal.write_message(f"{yellow('!')} {line}")
        progress.tick()

    given = {name: getattr(options, name) for name in ("force", "now", "dry_run", "workers", "wait")}
    attended, deploy = not options.scheduled and terminal.is_attended, not options.no_deploy
    renew = partial(renewer.renew, options.names or None, **given, attended=attended, deploy=deploy)
    try:
        return signals.run(partial(renew, cancel=signals.cancel), cleans_up=True, tick=tick)
    except Cancelled as error:  # the run did not end in time, so only its events are known
        _write_stopped(invocation, schedule.config, error, finished)
        raise


def _write_stopped(
    invocation: Invocation, config: Config, error: Cancelled, finished: Mapping[str | None, Mapping[str, Any]]
) -> None:
    """Write the document of a run that did not end or not begin."""
    outcomes = [finished.get(spec.name) or _unfinished(spec, error) for spec in _selected(invocation, config)]
    invocation.terminal.write_document({"outcomes": outcomes, "error": error.to_dict()})


def _selected(invocation: Invocation, config: Config) -> list[CertificateSpec]:
    known = [spec.name for spec in config.certificates]
    wanted = invocation.options.names or None
    if config.fleet is not None and wanted:  # the database is not read, because it may be what hangs
        wanted = [name for name in wanted if name in known]
    names = selected(wanted, known)
    return [spec for spec in config.certificates if spec.name in names]


def _unfinished(spec: CertificateSpec, error: Cancelled) -> dict[str, Any]:
    """Return the outcome of an unfinished certificate. The store is not read, because it may be what hangs."""
    return Outcome(name=spec.name, status="interrupted", reason=None, domains=spec.domains, error=error).to_dict()


# ── the result ──────────────────────────────────────────────────────────────────────────


def _show(invocation: Invocation, outcomes: Sequence[Outcome], schedule: schedule_note.ScheduleSearch) -> None:
    terminal = invocation.terminal
    if terminal.json:
        is_stopped = any(outcome.status == "interrupted" for outcome in outcomes)
        error = {"error": stopped().to_dict()} if is_stopped and invocation.signals.status is not None else {}
        terminal.write_document({"outcomes": [outcome.to_dict() for outcome in outcomes], **error})
    if terminal.quiet and terminal.journal_line is not None:
        _log_problems(invocation, outcomes)
    elif terminal.json or terminal.quiet:
        if lines := _problems(invocation, outcomes, schedule):
            terminal.write_message("\n".join(lines))
    elif lines := _result(invocation, outcomes, schedule):
        terminal.write_result("\n".join(lines))


def _log_problems(invocation: Invocation, outcomes: Sequence[Outcome]) -> None:
    """Write the failures to the journal, as an entry for each certificate, and a line for each change.

    With ``-q``, cron sends no mail about a success, but the journal shows when a certificate changed.
    """
    text = _outcome_text(invocation, None, manual=False)
    for outcome in outcomes:
        if not _is_fine(outcome):
            invocation.terminal.write_message("\n".join(text.lines(outcome)), outcome_fields(outcome))
            continue
        if outcome.status == "renewed" or any(result.changed for result in outcome.deployed):
            invocation.terminal.write_message(outcome_line(text, outcome), LineFields(INFO, outcome.name))
        for line in text.lost_routes(outcome):
            invocation.terminal.write_message(line, LineFields(WARNING, outcome.name))


def _problems(invocation: Invocation, outcomes: Sequence[Outcome], schedule: schedule_note.ScheduleSearch) -> list[str]:
    """Return the failures for standard error. With ``-q``, include the routes that need a fix."""
    terminal = invocation.terminal
    later = {outcome.name for outcome in outcomes if outcome.status == "failed" and outcome.next_attempt is not None}
    manual = bool(later) and not invocation.options.scheduled and _is_manual(schedule, later)
    text = _outcome_text(invocation, terminal.err.size()[0], manual=manual)
    lines = [line for outcome in outcomes if terminal.quiet and _is_fine(outcome) for line in text.lost_routes(outcome)]
    return lines + _problem_lines(text, outcomes)


def _is_manual(schedule: schedule_note.ScheduleSearch, names: Collection[str]) -> bool:
    """Return whether only a person renews these certificates."""
    return len(schedule_note.needs_person(schedule.config, names)) == len(names) or schedule.result().installed is False


def _problem_lines(text: OutcomeText, outcomes: Sequence[Outcome]) -> list[str]:
    """Return the lines of the failures. Many certificates that a stop interrupted share one line."""
    bad = [outcome for outcome in outcomes if not _is_fine(outcome)]
    stopped = [outcome for outcome in bad if outcome.status == "interrupted" and not outcome.deployed]
    if len(stopped) > _MOST_LINES:
        names = formatting.listed(outcome.name for outcome in stopped)
        bad = [outcome for outcome in bad if outcome.status != "interrupted" or outcome.deployed]
        bad.append(replace(stopped[0], name=names))
    return [line for outcome in bad for line in text.lines(outcome)]


def _result(invocation: Invocation, outcomes: Sequence[Outcome], schedule: schedule_note.ScheduleSearch) -> list[str]:
    """Return the result: successes first, then failures, the summary, and whether renewal is automatic."""
    options, columns, config = invocation.options, invocation.terminal.out.size()[0], schedule.config
    if not outcomes and config.fleet is not None:
        return [] if invocation.ask_shared(config, lambda shared: shared.count()) else [texts.FLEET_EMPTY]
    idle = all(outcome.status == "not-due" for outcome in outcomes)  # then the machine does not need to be checked
    names = set() if idle or options.scheduled else {outcome.name for outcome in outcomes}
    by_hand = schedule_note.needs_person(config, names)
    alone = len(by_hand) == len(outcomes)  # then no schedule changes anything
    manual = not idle and not options.scheduled and (alone or schedule.result().installed is False)
    text = _outcome_text(invocation, columns, manual=manual or idle)
    fine = [outcome for outcome in outcomes if _is_fine(outcome)]
    crowded = {status for status, count in Counter(outcome.status for outcome in fine).items() if count > _MOST_LINES}
    lines: list[str] = []
    for outcome in fine:
        if outcome.status not in crowded or invocation.terminal.verbose:
            lines += text.lines(outcome)
        elif outcome.status != "not-due" or any(result.changed for result in outcome.deployed):
            lines += text.short(outcome)
    lines += _problem_lines(text, outcomes)
    if len(outcomes) != 1:
        summary = _summary(outcomes, invocation.clock.now(), manual=manual or idle)
        lines += formatting.wrap(summary, columns, "", "  ")
    if fine and not options.dry_run:
        halted = "" if idle or alone or options.scheduled else schedule_note.halt_text(schedule.result())
        nothing = schedule_note.nothing_renews() if manual and not alone else ""
        notes = filter(None, (halted, nothing, schedule_note.renewed_by_hand(by_hand) if by_hand else ""))
        lines += [line for note in notes for line in formatting.marked(yellow("!"), note, columns)]
    return lines


def _is_fine(outcome: Outcome) -> bool:
    return outcome.status in ("renewed", "rehearsed", "not-due") and all(result.ok for result in outcome.deployed)


def _outcome_text(invocation: Invocation, columns: int | None, *, manual: bool) -> OutcomeText:
    terminal, options = invocation.terminal, invocation.options
    attended, more = terminal.is_attended and not options.scheduled, {"dry_run": options.dry_run, "manual": manual}
    return OutcomeText(invocation.clock.now(), columns, terminal.verbose > 0, **more, attended=attended)


def _summary(outcomes: Sequence[Outcome], now: datetime, *, manual: bool) -> str:
    counts = Counter("obtained" if is_first(outcome) else outcome.status for outcome in outcomes)
    present = [(counts[status], texts.STATUSES[status]) for status in _ORDER if counts[status]]
    parts = [texts.COUNT.format(count=f"{count:,}", what=what) for count, what in present]
    times = [outcome.next_renewal for outcome in outcomes if outcome.next_renewal is not None]
    template = texts.SUMMARY if not times else texts.SUMMARY_DUE if manual else texts.SUMMARY_NEXT
    total = formatting.count(len(outcomes), texts.CERTIFICATE)
    renewal = formatting.date(min(times), now) if times else ""
    return dim(template.format(certificates=total, counts=texts.SEPARATOR.join(parts), renewal=renewal))
