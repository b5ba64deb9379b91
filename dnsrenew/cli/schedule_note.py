"""Whether renewal is automatic, for the commands that show when a certificate is due."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from dnsrenew.base import threads
from dnsrenew.base.model import CertificateSpec, rfc3339
from dnsrenew.base.values import Frozen
from dnsrenew.challenges import CHALLENGES
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.formatting import say
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.terminal import dim
from dnsrenew.cli.texts import LABELS
from dnsrenew.config import Config
from dnsrenew.schedule import detect as schedules
from dnsrenew.schedule.detect import ActiveSchedule, RunningSchedule
from dnsrenew.schedule.plan import ScheduledJob, SchedulePlan
from dnsrenew.store.records import ScheduledRun, ScheduledRuns

_MANUAL: Final = "manual"
"""With this provider, a person writes the TXT records."""


def active_schedule(config: Config, *, beside: bool = False) -> ActiveSchedule:
    """Return the schedule that renews the configured certificates; a fleet has workers on any machine.

    :param beside: also find schedules that run beside it.
    """
    if config.path is None or config.fleet is not None:
        return schedules.UNKNOWN
    names = [spec.name for spec in config.certificates]
    domains = [name for spec in config.certificates for name in (spec.name, *spec.domains)] if beside else []
    return schedules.detect(config.path, names=names, beside=domains)


class ScheduleNote(Frozen):
    """The schedule that renews the certificates of a configuration, and whether it works.

    :ivar run: the record of it in the store.
    :ivar missed: whether an expected run is missing.
    """

    active: ActiveSchedule
    run: ScheduledRun
    missed: bool

    @property
    def is_broken(self) -> bool:
        """Whether an existing schedule does not renew."""
        return self.active.halt is not None or self.missed

    def warning(self, now: datetime) -> str:
        """Return why an existing schedule does not renew; "" if it renews, or there is no schedule."""
        time = self.run.last or self.run.since
        if not self.missed or time is None:
            return halt_text(self.active)
        return (texts.MISSED_RUN if self.run.last else texts.NEVER_RAN).format(ago=formatting.distance(time, now))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**self.active.to_dict(), "last_run": rfc3339(self.run.last) if self.run.last else None}


def halt_text(active: ActiveSchedule) -> str:
    """Return the sentences for a schedule that is installed but does not run; "" if it runs."""
    if active.halt is None:
        return ""
    kind = texts.SCHEDULERS[active.kind or ""]
    return texts.HALTED.format(kind=kind, reason=say(active.halt.reason), fix=say(active.halt.fix))


def stop_others(others: Iterable[RunningSchedule]) -> list[str]:
    """Return a sentence for each schedule that runs beside another one, with the command that stops it."""
    named = [(texts.OTHER_SCHEDULES[each.program].format(name=each.name), each.stop) for each in others]
    return [(texts.OTHER_STOP if stop else texts.OTHER_LINE).format(other=other, command=stop) for other, stop in named]


def schedule_note(invocation: Invocation, config: Config) -> ScheduleNote:
    """Find out which schedule renews the configured certificates, and when it last did."""
    active, runs = active_schedule(config, beside=True), scheduled_runs(invocation, config)
    run = runs.read(config.path) if runs is not None and config.path is not None else ScheduledRun()
    missed = active.halt is None and active.remembered and run.is_missing(invocation.clock.now())
    return ScheduleNote(active, run, missed)


def scheduled_runs(invocation: Invocation, config: Config) -> ScheduledRuns | None:
    """Return where the runs of the schedule are recorded; None in a fleet, which has workers instead."""
    return None if config.fleet is not None else invocation.store(config).scheduled


class ScheduleSearch:
    """Finds out during a run's wait for the CA what renews automatically."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._task: threads.Task[ActiveSchedule] | None = None

    def start(self) -> threads.Task[ActiveSchedule]:
        """Begin the search, if it has not begun yet."""
        self._task = self._task or threads.start(partial(active_schedule, self.config))
        return self._task

    def result(self) -> ActiveSchedule:
        """Return the result of the search. It does not notice a cancel, because the search has its own time limits."""
        return self.start().wait()


def nothing_renews() -> str:
    """Return the sentence for a machine without automatic renewal, with the command that changes this."""
    return texts.NOTHING_RENEWS if schedules.has_scheduler() else texts.NOTHING_RENEWS_HERE


def needs_person(config: Config, names: Collection[str]) -> list[str]:
    """Return the certificates that no schedule can renew, because a person writes the records of all their routes."""
    if all(account.provider != _MANUAL for account in config.accounts.values()):
        return []
    return [spec.name for spec in config.certificates if spec.name in names and _is_by_hand(config, spec)]


def _is_by_hand(config: Config, spec: CertificateSpec) -> bool:
    accounts = config.accounts
    return bool(spec.routes) and all(
        CHALLENGES[route.challenge].writes_dns
        and {accounts[name].provider for name in route.dns or accounts} == {_MANUAL}
        for route in spec.routes
    )


def renewed_by_hand(names: Collection[str]) -> str:
    """Return the sentence for certificates that need a person at each renewal."""
    return texts.RENEWED_BY_HAND.format(names=formatting.listed(names))


# ── schedule text ──────────────────────────────────────────────────────────────────────

# A schedule as text: its times, its notes, and its files.

_UTF_16: Final = '<?xml version="1.0" encoding="UTF-16"?>'
_UTF_8: Final = _UTF_16.replace("16", "8")


def times(job: ScheduledJob) -> str:
    """Return when the job runs."""
    *first, last = [f"{hour:02d}:{job.minute_past_hour:02d}" for hour in job.hours]
    return texts.SCHEDULE_TIMES.format(times=texts.SEPARATOR.join(first), last=last)


def facts(plan: SchedulePlan) -> list[tuple[str, str]]:
    """Return rows with the commands that show the running schedule, and with its limitation."""
    return [*((LABELS["inspect"], command) for command in plan.inspect), *notes(plan)]


def notes(plan: SchedulePlan) -> list[tuple[str, str]]:
    """Return a row with the limitation of this kind of schedule, if there is one."""
    return [(LABELS["note"], say(plan.note))] if plan.note else []


def steps(plan: SchedulePlan) -> list[tuple[str, str]]:
    """Return rows with the commands of the installation, and with the consequences if one fails."""
    commands = [(LABELS["command"], " ".join(command.arguments)) for command in plan.enable]
    return [*commands, *((LABELS["note"], say(command.fix)) for command in plan.enable if command.fix)]


def files(plan: SchedulePlan, contents: Sequence[str | None]) -> list[str]:
    """Return each file with its lines, which are not wrapped, so that they can be compared and copied."""
    lines: list[str] = []
    for file, content in zip(plan.files, contents, strict=True):
        if content is not None:
            lines += [f"{file.path}:", *(dim(f"  {line}".rstrip()) for line in content.splitlines()), ""]
    return lines[:-1]


def plain(plan: SchedulePlan, contents: Sequence[str | None]) -> str:
    """Return only the text of the files. Each of several follows a comment with its path, like ``systemctl cat``.

    XML declares the encoding in which it is shown. Only the installed file of a Windows task is UTF-16.
    """
    contents = [content and content.replace(_UTF_16, _UTF_8, 1) for content in contents]
    pairs = zip(plan.files, contents, strict=True)
    found = [(file.path, content) for file, content in pairs if content is not None]
    if len(found) == 1:
        return found[0][1].rstrip("\n")
    return "\n\n".join(f"# {path}\n{content.rstrip()}" for path, content in found)
