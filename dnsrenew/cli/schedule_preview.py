"""What ``dnsrenew schedule show`` says where nothing is installed: what would be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew import schedule as scheduling
from dnsrenew.cli import formatting, schedule_text, texts
from dnsrenew.cli.language import say, sentences
from dnsrenew.cli.terminal import green, yellow
from dnsrenew.cli.texts import LABELS
from dnsrenew.config.locate import SYSTEM_STORE
from dnsrenew.errors import ConfigError
from dnsrenew.schedule import Host, JobNeeds, ScheduledJob, ScheduleKind, SchedulePlan
from dnsrenew.schedule.detect import UNKNOWN, detect

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.config import Config

_EXAMPLE: Final = "/etc/dnsrenew/dnsrenew.toml"
"""The configuration in a preview, if there is none."""


def show(invocation: Invocation, host: Host, kind: ScheduleKind | None, job: ScheduledJob) -> None:
    """Show what would be installed; with a kind, also what another machine would get.

    :param kind: the kind that was asked for; None: the best one of this machine.
    """
    terminal = invocation.terminal
    available = scheduling.kinds(host)
    selected = kind or next(iter(available), None)
    if selected is None:
        _write_document(invocation, None, [])
        terminal.write_result("\n".join(_missing(invocation, host, job, available)))
        return
    lines = [*_missing(invocation, host, job, available), ""] if kind is None else []
    job = job if job.config else scheduling.this_job(host, _EXAMPLE, JobNeeds(store=SYSTEM_STORE))
    plan = scheduling.make_plan(selected, job, scheduling.simulate(selected, host))
    contents = schedule_text.planned(plan)
    planned = [{"path": path, "text": text} for path, text in zip(schedule_text.paths(plan), contents, strict=True)]
    _write_document(invocation, selected, planned)
    if kind is not None and is_plain(invocation):
        terminal.write_info("\n".join(_described(plan, job, available, terminal.err.size()[0])))
        terminal.write_result(schedule_text.plain(plan, contents))
        return
    columns = terminal.out.size()[0]
    lines += [*_described(plan, job, available, columns), "", *schedule_text.files(plan, contents)]
    terminal.write_result("\n".join(lines))


def is_plain(invocation: Invocation) -> bool:
    """Return whether standard output gets only the texts of files: in a pipe, or with ``-q``."""
    terminal = invocation.terminal
    return terminal.quiet or not terminal.out.is_terminal


def _missing(invocation: Invocation, host: Host, job: ScheduledJob, available: list[ScheduleKind]) -> list[str]:
    columns = invocation.terminal.out.size()[0]
    config = _readable(job.config)
    names = [spec.name for spec in config.certificates] if config is not None else []
    active = detect(job.config, names=names) if job.config else UNKNOWN
    if active.kind is not None:
        text = texts.SCHEDULE_BY_HAND.format(renewed_by=texts.RENEWED_BY[active.kind])
        return formatting.wrap(text, columns, f"{green('✓')} ", "  ")
    if config is not None and config.fleet is not None:
        lines = formatting.wrap(texts.SCHEDULE_FLEET, columns, f"{yellow('!')} ", "  ")
        return [*lines, *formatting.wrap(texts.SCHEDULE_WORKER, columns, f"{yellow('→')} ", "  ")]
    error = scheduling.no_kind(host)
    advice = texts.SCHEDULE_INSTALL if available else sentences(error.message, error.fix)
    lines = formatting.wrap(texts.SCHEDULE_MISSING, columns, f"{yellow('!')} ", "  ")
    return [*lines, *formatting.wrap(advice, columns, f"{yellow('→')} ", "  ")]


def _readable(path: str) -> Config | None:
    """Return the configuration if there is one that can be read."""
    if not path:
        return None
    from dnsrenew.config import Config

    try:
        return Config.load(path, insist=True)
    except ConfigError:
        return None


def _described(plan: SchedulePlan, job: ScheduledJob, available: list[ScheduleKind], columns: int | None) -> list[str]:
    template = texts.SCHEDULE_PREVIEW if job.config != _EXAMPLE else texts.SCHEDULE_PREVIEW_EXAMPLE
    preview = template.format(title=say(plan.title), times=schedule_text.times(job), example=_EXAMPLE)
    rows = [*schedule_text.steps(plan), *schedule_text.notes(plan)]
    if plan.kind not in available:
        rows.append((LABELS["note"], texts.SCHEDULE_OTHER_MACHINE.format(kind=texts.SCHEDULERS[plan.kind])))
    return [*formatting.wrap(preview, columns), *formatting.fields(rows, columns)]


def _write_document(invocation: Invocation, kind: ScheduleKind | None, planned: list[dict[str, str]]) -> None:
    files = [{"path": file["path"], "text": None} for file in planned]
    invocation.terminal.write_document(
        {"kind": kind, "installed": False, "state": "none", "files": files, "would_write": planned}
    )
