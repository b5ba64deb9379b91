"""``dnsrenew schedule``: installs, shows and removes the schedule that runs ``dnsrenew renew``."""

from __future__ import annotations

import contextlib
import os
import shlex
from typing import Final

from dnsrenew.base.values import replace
from dnsrenew.cli import formatting, schedule_note, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.formatting import say, sentences
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.terminal import dim, green, yellow
from dnsrenew.cli.texts import LABELS
from dnsrenew.config import Config, sources
from dnsrenew.config.sources import SYSTEM_STORE
from dnsrenew.errors import ConfigError, DnsRenewError
from dnsrenew.schedule import host as scheduling
from dnsrenew.schedule import installer
from dnsrenew.schedule.detect import UNKNOWN, detect
from dnsrenew.schedule.entries import ScheduleEntry, entries, entry_of
from dnsrenew.schedule.installer import check_code, needs_of
from dnsrenew.schedule.plan import Host, JobNeeds, ScheduledJob, ScheduleKind, SchedulePlan


def schedule(invocation: Invocation) -> int:
    """Install, show or remove the schedule; return the exit status.

    :raises ConfigError: no kind is available, or an installed file must not be replaced.
    :raises DnsRenewError: a file could not be written, or a program failed.
    """
    host = scheduling.this_host()
    kind: ScheduleKind | None = invocation.options.kind
    if kind is not None and kind not in scheduling.kinds(host) and invocation.options.action != "show":
        raise _unavailable(kind, host)
    action = {"install": _install, "show": _show, "remove": _remove}[invocation.options.action]
    return action(invocation, host, kind)


def _install(invocation: Invocation, host: Host, kind: ScheduleKind | None) -> int:
    config, terminal = invocation.config(), invocation.terminal
    job = _job_for(invocation, host, str(invocation.config_path()), needs_of(config))
    for notice in check_code(job):
        _warn(invocation, sentences(notice.message, notice.fix))
    known = entry_of(kind or scheduling.default_kind(host), job, host, installer.run_program).plan
    # Under the name of its entry, or under a free name.
    plan = scheduling.make_plan(known.kind, replace(job, name=known.name), host)
    found = _installed_plans(host, job, None)
    for other in found:
        if other.plan.kind != plan.kind:
            raise ConfigError.of(texts.SCHEDULE_INSTALLED, kind=other.plan.kind, title=other.plan.title)
    paths = [file.path for file in plan.files] if found else []
    ours = {*paths, *map(os.path.basename, paths)}
    running = schedule_note.active_schedule(config, beside=True).running
    for line in schedule_note.stop_others(each for each in running if each.name not in ours):
        _warn(invocation, line)
    _warn_of_environment(invocation, config)
    run = installer.run_program
    before = installer.installed_state(plan, installer.read_installed(plan, run))
    ran = before == "same" and not installer.why_inactive(plan, run)
    failed = installer.install(plan, run)
    contents = installer.read_installed(plan, run)
    inactive = plan.halt.reason if plan.halt is not None else ""  # the other kinds have started it
    if (runs := schedule_note.scheduled_runs(invocation, config)) is not None and not ran:
        runs.installed(invocation.config_path(), invocation.clock.now())
    _write_document(invocation, ScheduleEntry(plan, contents, "same"), active=True)
    if inactive:
        terminal.write_message("\n".join(_halted(plan, inactive, terminal.err.size()[0])))
    if not terminal.quiet:
        head = "" if inactive else (texts.SCHEDULE_ALREADY if ran else texts.SCHEDULE_NOW).format(title=say(plan.title))
        terminal.write_result("\n".join(_installed(invocation, plan, job, head)))
    for command in plan.enable:
        if command.done and command not in failed and not terminal.quiet:
            _warn(invocation, say(command.done))
    for command in failed:
        if command.fix:
            line = texts.COMMAND_FAILED.format(command=" ".join(command.arguments), fix=say(command.fix))
            terminal.write_message(f"{yellow('!')} {line}")
    return 0


def _installed(invocation: Invocation, plan: SchedulePlan, job: ScheduledJob, head: str) -> list[str]:
    columns, _ = invocation.terminal.out.size()
    times, undo = (LABELS["when"], schedule_note.times(job)), (LABELS["undo"], texts.SCHEDULE_REMOVE)
    lines = formatting.marked(green("✓"), head, columns) if head else []
    lines += formatting.fields([times, *schedule_note.facts(plan), undo], columns)
    return [*lines, "", *schedule_note.files(plan, [file.text for file in plan.files])]


def _halted(plan: SchedulePlan, inactive: str, columns: int | None) -> list[str]:
    """Return the lines of a schedule that is installed but does not run: the reason, and what starts it."""
    template = texts.SCHEDULE_INACTIVE if plan.halt is None else texts.SCHEDULE_HALTED
    head = template.format(title=say(plan.title), reason=say(inactive))
    advice = texts.SCHEDULE_INSTALL if plan.halt is None else say(plan.halt.fix)
    return _warned(head, advice, columns)


def _warned(text: str, advice: str, columns: int | None) -> list[str]:
    return [*formatting.marked(yellow("!"), text, columns), *formatting.marked(yellow("→"), advice, columns)]


def _show(invocation: Invocation, host: Host, kind: ScheduleKind | None) -> int:
    job = _job(invocation, host)
    found = _installed_plans(host, job, kind)
    columns, _ = invocation.terminal.out.size()
    if not found:
        show(invocation, host, kind, job)
        _show_others(invocation, host, job, kind)
    for each in found:
        inactive = installer.why_inactive(each.plan, installer.run_program)
        _write_document(invocation, each, active=not inactive or each.plan.halt is not None)
        if kind is not None and is_plain(invocation):
            invocation.terminal.write_result(schedule_note.plain(each.plan, each.contents))
            continue
        good = each.state == "same" and not inactive
        head = texts.SCHEDULE_STATES[each.state].format(title=say(each.plan.title))
        if inactive:
            lines = _halted(each.plan, inactive, columns)
        elif each.state == "older":
            lines = _warned(head, texts.SCHEDULE_INSTALL, columns)
        else:
            lines = formatting.marked(green("✓") if good else yellow("!"), head, columns)
        rows = [(LABELS["when"], schedule_note.times(job))] if good else []
        if inactive and each.plan.halt is None:
            rows = [(LABELS["off"], say(inactive))]
        lines += formatting.fields([*rows, *schedule_note.facts(each.plan)], columns)
        invocation.terminal.write_result("\n".join([*lines, "", *schedule_note.files(each.plan, each.contents)]))
    return 0


def _job(invocation: Invocation, host: Host) -> ScheduledJob:
    """Return the job to show, with the needs of a readable configuration; without a path if there is none.

    An installed schedule is shown even without a configuration, and showing it does not require trust in the
    configuration.
    """
    path = _config_path(invocation)
    needs = JobNeeds() if (config := _readable(path)) is None else needs_of(config)
    return _job_for(invocation, host, path, needs)


def _job_for(invocation: Invocation, host: Host, path: str, needs: JobNeeds) -> ScheduledJob:
    """Return the job of a configuration. Its runs speak the language of this one: a schedule has no locale."""
    options, spoken = invocation.options, formatting.current()
    language = options.lang or ("" if spoken == "en" else spoken)
    return scheduling.this_job(host, path, needs, insist=options.insist, language=language)


def _unavailable(kind: ScheduleKind, host: Host) -> ConfigError:
    available = formatting.listed(scheduling.kinds(host))
    if not available:
        return usage(texts.NO_SCHEDULE_KIND, "dnsrenew schedule", kind=kind)
    return usage(texts.SCHEDULE_KIND, "dnsrenew schedule", kind=kind, available=available)


def _remove(invocation: Invocation, host: Host, kind: ScheduleKind | None) -> int:
    terminal = invocation.terminal
    named: str | None = invocation.options.config  # it may be missing
    path = _config_path(invocation) if named is None else os.path.abspath(os.path.expanduser(named))
    job = scheduling.this_job(host, path)
    found = _installed_plans(host, job, kind)
    if not path and len(found) > 1:
        configs = [each.config for each in found]
        first = shlex.quote(formatting.relative_path(configs[0], sources.here()))
        raise usage(texts.SEVERAL_SCHEDULES, "dnsrenew schedule", configs=formatting.listed(configs), first=first)
    removed = [each.plan for each in found if installer.remove(each.plan, installer.run_program)]
    _forget(invocation)
    terminal.write_document({"removed": [plan.kind for plan in removed]})
    if not terminal.quiet:
        for plan in removed:
            template = texts.SCHEDULE_REMOVED_FOR if path else texts.SCHEDULE_REMOVED
            paths = texts.SEPARATOR.join(file.path for file in plan.files)
            terminal.write_marked_result(green("✓"), template.format(title=say(plan.title), paths=paths, config=path))
            if plan.left:
                _warn(invocation, say(plan.left))
        if not removed:
            terminal.write_result(f"{dim('·')} {texts.SCHEDULE_NOT_REMOVED}")
        _show_others(invocation, host, job, kind)
    return 0


def _forget(invocation: Invocation) -> None:
    """Forget the runs of the schedule in the store, so that no run is reported as missed."""
    with contextlib.suppress(DnsRenewError):
        path = invocation.config_path()
        runs = schedule_note.scheduled_runs(invocation, Config.load(path, insist=invocation.options.insist))
        if runs is not None:
            runs.removed(path)


def _config_path(invocation: Invocation) -> str:
    """Return the configuration, or ""."""
    with contextlib.suppress(ConfigError):
        return str(invocation.config_path())
    return ""


def _show_others(invocation: Invocation, host: Host, job: ScheduledJob, kind: ScheduleKind | None) -> None:
    """Name the schedules of other configurations, and how to remove them."""
    terminal = invocation.terminal
    if not job.config or terminal.quiet or terminal.json:
        return
    for each in _installed_plans(host, replace(job, config=""), kind):
        if each.config:
            config = shlex.quote(formatting.relative_path(each.config, sources.here()))
            text = texts.SCHEDULE_ELSEWHERE.format(title=say(each.plan.title), config=config)
            terminal.write_marked(dim("·"), text)


def _installed_plans(host: Host, job: ScheduledJob, kind: ScheduleKind | None) -> list[ScheduleEntry]:
    """Return the installed schedules of one or all configurations, and of one or all kinds of this machine.

    :param job: the job; without a configuration, schedules of all configurations are returned.
    :raises DnsRenewError: the schedule of the one kind cannot be read.
    """
    found: list[ScheduleEntry] = []
    for each in scheduling.kinds(host):
        if kind not in (None, each):
            continue
        try:
            if job.config:
                found.append(entry_of(each, job, host, installer.run_program))
            else:
                found += entries(each, job, host, installer.run_program)
        except DnsRenewError:
            if kind:
                raise
            continue  # a user without permission for cron has no schedule there
    return [each for each in found if each.is_ours]


def _write_document(invocation: Invocation, found: ScheduleEntry, *, active: bool) -> None:
    pairs = zip(found.plan.files, found.contents, strict=True)
    files = [{"path": file.path, "text": content} for file, content in pairs]
    about = {"kind": found.plan.kind, "installed": active, "running": active and found.plan.halt is None}
    invocation.terminal.write_document({**about, "state": found.state, "files": files})


def _warn_of_environment(invocation: Invocation, config: Config) -> None:
    """Warn of secrets in the environment, because a scheduled run does not have this terminal's environment."""
    references = [use.secret.reference for use in config.secrets]
    if names := dict.fromkeys(name.removeprefix("env:") for name in references if name.startswith("env:")):
        template = texts.FROM_ENVIRONMENT if len(names) == 1 else texts.FROM_ENVIRONMENT_ALL
        line = template.format(names=formatting.listed(names), first=next(iter(names)), path=config.path)
        _warn(invocation, line)


def _warn(invocation: Invocation, text: str) -> None:
    invocation.terminal.write_marked(yellow("!"), text)


# ── schedule preview ───────────────────────────────────────────────────────────────────

# What ``dnsrenew schedule show`` shows without an installed schedule: what would be installed.

_EXAMPLE: Final = "/etc/dnsrenew/dnsrenew.toml"
"""The configuration in a preview, if there is no configuration."""


def show(invocation: Invocation, host: Host, kind: ScheduleKind | None, job: ScheduledJob) -> None:
    """Show what would be installed. With a kind, this may be for another machine.

    :param kind: the requested kind; None for the best kind of this machine.
    """
    terminal = invocation.terminal
    available = scheduling.kinds(host)
    selected = kind or next(iter(available), None)
    lines, plan = _missing(invocation, host, job, available) if kind is None else [], None
    job = job if job.config else scheduling.this_job(host, _EXAMPLE, JobNeeds(store=SYSTEM_STORE))
    if selected is not None:
        plan = scheduling.make_plan(selected, job, scheduling.simulate(selected, host))
    planned = [{"path": file.path, "text": file.text} for file in plan.files] if plan is not None else []
    files = [{**file, "text": None} for file in planned]
    about = {"kind": selected, "installed": False, "state": "none"}
    terminal.write_document({**about, "files": files, "would_write": planned})
    if plan is not None:
        contents = [file.text for file in plan.files]
        if kind is not None and is_plain(invocation):
            terminal.write_info("\n".join(_described(plan, job, available, terminal.err.size()[0])))
            terminal.write_result(schedule_note.plain(plan, contents))
            return
        lines += [""] if lines else []
        lines += [*_described(plan, job, available, terminal.out.size()[0]), "", *schedule_note.files(plan, contents)]
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
    if active.halt is not None:
        return formatting.marked(yellow("!"), schedule_note.halt_text(active), columns)
    if active.kind is not None:
        text = texts.SCHEDULE_BY_HAND.format(renewed_by=texts.RENEWED_BY[active.kind])
        return formatting.marked(green("✓"), text, columns)
    if config is not None and config.fleet is not None:
        return _warned(texts.SCHEDULE_FLEET, texts.SCHEDULE_WORKER, columns)
    error = scheduling.no_kind(host)
    advice = texts.SCHEDULE_INSTALL if available else sentences(error.message, error.fix)
    return _warned(texts.SCHEDULE_MISSING, advice, columns)


def _readable(path: str) -> Config | None:
    """Return the configuration if it exists and can be read."""
    with contextlib.suppress(ConfigError):
        return Config.load(path, insist=True) if path else None
    return None


def _described(plan: SchedulePlan, job: ScheduledJob, available: list[ScheduleKind], columns: int | None) -> list[str]:
    template = texts.SCHEDULE_PREVIEW if job.config != _EXAMPLE else texts.SCHEDULE_PREVIEW_EXAMPLE
    preview = template.format(title=say(plan.title), times=schedule_note.times(job), example=_EXAMPLE)
    rows = [*schedule_note.steps(plan), *schedule_note.notes(plan)]
    if plan.kind not in available:
        rows.append((LABELS["note"], texts.SCHEDULE_OTHER_MACHINE.format(kind=texts.SCHEDULERS[plan.kind])))
    return [*formatting.wrap(preview, columns), *formatting.fields(rows, columns)]
