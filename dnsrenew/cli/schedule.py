"""``dnsrenew schedule``: lets ``dnsrenew renew`` run by itself; shows what does, and takes it away again."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from dnsrenew import schedule as planning
from dnsrenew.base.values import Frozen
from dnsrenew.cli import text
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.terminal import dim, green, yellow
from dnsrenew.errors import ConfigError, DnsRenewError
from dnsrenew.schedule import Host, ScheduledJob, ScheduleKind, SchedulePlan, installer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.config import Config

_STATES = {
    "none": "not installed",
    "same": "installed",
    "older": "installed in another form (after an update, or changed by hand)",
    "other": "installed for another configuration",
    "foreign": "taken by somebody else",
}
_OFF: Final = ", but it does not seem to be switched on: then nothing renews by itself"

_EXAMPLE: Final = "/etc/dnsrenew/dnsrenew.toml"
"""Stands for the configuration in what would be written, where there is none."""


class _Found(Frozen):
    """A plan, and what stands in its place."""

    plan: SchedulePlan
    texts: Sequence[str | None]
    state: installer.InstalledState


def schedule(session: Invocation) -> int:
    """Install, show or remove; return the exit status.

    :raises ConfigError: no kind works here, or what is there must not be replaced.
    :raises DnsRenewError: a file could not be written, or a program failed.
    """
    host = planning.this_host()
    kind: ScheduleKind | None = session.options.kind
    if kind is not None and kind not in planning.kinds(host) and session.options.action != "show":
        raise _not_here(kind, host)
    action = {"install": _install, "show": _show, "remove": _remove}[session.options.action]
    return action(session, host, kind)


def _install(session: Invocation, host: Host, kind: ScheduleKind | None) -> int:
    config = session.config()
    job = planning.this_job(host, str(session.config_path()))
    plan = planning.make_plan(kind or planning.default_kind(host), job, host)
    for other in _standing(host, job, None):
        if other.plan.kind != plan.kind:
            raise ConfigError(
                "schedule-twice",
                f"It is installed already, as {other.plan.title}.",
                fix="Run dnsrenew schedule remove first, to change the kind.",
                evidence={"kind": other.plan.kind},
            )
    _warn_of_environment(session, config)
    stood = installer.state(plan, installer.read(plan, installer.run_program)) == "same"
    ran = stood and not installer.why_off(plan, installer.run_program)
    failed = installer.install(plan, installer.run_program)
    _document(session, _Found(plan, installer.read(plan, installer.run_program), "same"), off=False)
    if not session.screen.quiet:
        word = "already runs" if ran else "now runs"
        session.screen.result("\n".join(_installed(session, plan, job, f"dnsrenew renew {word} by itself")))
    for command in failed:
        if command.fix:
            session.screen.say(f"{yellow('!')} {' '.join(command.words)} failed. {command.fix}")
    return 0


def _installed(session: Invocation, plan: SchedulePlan, job: ScheduledJob, head: str) -> list[str]:
    columns, _ = session.screen.out.size()
    rows = [("when", _when(job)), *_facts(plan), ("undo", "dnsrenew schedule remove")]
    lines = [*text.wrap(f"{head}: {plan.title}", columns, f"{green('✓')} ", "  "), *text.fields(rows, columns)]
    return [*lines, "", *_contents(plan, [file.text for file in plan.files] or [plan.block])]


def _when(job: ScheduledJob) -> str:
    *times, last = [f"{hour:02d}:{job.past:02d}" for hour in job.hours]
    return f"at {', '.join(times)} and {last}, up to an hour later"


def _facts(plan: SchedulePlan) -> list[tuple[str, str]]:
    facts = [("look", command) for command in plan.watch]
    return [*facts, ("note", plan.note)] if plan.note else facts


def _contents(plan: SchedulePlan, texts: Sequence[str | None]) -> list[str]:
    """Return each file with its text: lines as they are, to be compared and copied."""
    lines: list[str] = []
    for path, content in zip(_paths(plan), texts, strict=True):
        if content is not None:
            lines += [f"{path}:", *(dim(f"  {line}".rstrip()) for line in content.splitlines()), ""]
    return lines[:-1]


def _paths(plan: SchedulePlan) -> list[str]:
    return [file.path for file in plan.files] or ["crontab"]


def _show(session: Invocation, host: Host, kind: ScheduleKind | None) -> int:
    config = ""
    with contextlib.suppress(ConfigError):  # without one, it is still told what is installed
        config = str(session.config_path())
    job = planning.this_job(host, config)
    standing = _standing(host, job, kind)
    columns, _ = session.screen.out.size()
    if not standing:
        _show_nothing(session, host, kind, config)
    for found in standing:
        off = installer.why_off(found.plan, installer.run_program)
        _document(session, found, off=bool(off))
        good = found.state == "same" and not off
        head = f"{found.plan.title}: {_STATES[found.state]}{_OFF if off else ''}"
        lines = text.wrap(head, columns, f"{green('✓') if good else yellow('!')} ", "  ")
        lines += text.wrap("Run: dnsrenew schedule install", columns, f"{yellow('→')} ", "  ") if off else []
        rows = [("asked", off)] if off else [("when", _when(job))] if good else []
        lines += text.fields([*rows, *_facts(found.plan)], columns)
        session.screen.result("\n".join([*lines, "", *_contents(found.plan, found.texts)]))
    return 0


def _show_nothing(session: Invocation, host: Host, kind: ScheduleKind | None, config: str) -> None:
    """Say that nothing is installed, and show what would be written: of the kind that was named, wherever we are."""
    columns, _ = session.screen.out.size()
    lines = text.wrap("Nothing is installed: nothing renews by itself here.", columns, f"{yellow('!')} ", "  ")
    here = planning.kinds(host)
    wanted = kind or next(iter(here), None)
    advice = "Run: dnsrenew schedule install"
    if wanted is None:
        none = planning.no_kind(host)
        advice = f"{none.message} {none.fix}"
    elif wanted not in here:
        advice = f"{_not_here(wanted, host).message} What follows is for another machine: look at the paths in it."
    elif kind:
        advice += f" --kind {kind}"
    lines += text.wrap(advice, columns, f"{yellow('→')} ", "  ")
    planned: list[dict[str, str]] = []
    if wanted is not None:
        job = planning.this_job(host, config or _EXAMPLE)
        plan = planning.make_plan(wanted, job, planning.like(wanted, host))
        contents = [file.text for file in plan.files] or [plan.block]
        planned = [{"path": path, "text": each} for path, each in zip(_paths(plan), contents, strict=True)]
        where = "" if config else f" No configuration was found; {_EXAMPLE} stands for yours."
        lines += ["", *text.wrap(f"It would write {plan.title}, {_when(job)}.{where}", columns), ""]
        lines += _contents(plan, contents)
    files = [{"path": file["path"], "text": None} for file in planned]
    session.screen.document(
        {"kind": wanted, "installed": False, "state": "none", "files": files, "would_write": planned}
    )
    session.screen.result("\n".join(lines))


def _not_here(kind: ScheduleKind, host: Host) -> ConfigError:
    here = text.listed(planning.kinds(host)) or "none"
    return usage(f"This machine has no {kind}; possible here: {here}.", "dnsrenew schedule")


def _remove(session: Invocation, host: Host, kind: ScheduleKind | None) -> int:
    job = planning.this_job(host, "")  # whichever configuration it is for
    standing = _standing(host, job, kind)
    removed = [found.plan for found in standing if installer.remove(found.plan, installer.run_program)]
    session.screen.document({"removed": [plan.kind for plan in removed]})
    if not session.screen.quiet:
        for plan in removed:
            session.screen.result(f"{green('✓')} removed: {plan.title} ({', '.join(_paths(plan))})")
        if not removed:
            session.screen.result(f"{dim('·')} Nothing of dnsrenew's is installed here; nothing was removed.")
    return 0


def _standing(host: Host, job: ScheduledJob, kind: ScheduleKind | None) -> list[_Found]:
    """Return what of ours is installed, in any kind that this machine has, or in the one that was named.

    :raises DnsRenewError: the named one cannot be looked at.
    """
    standing = []
    for each in planning.kinds(host):
        if kind not in (None, each):
            continue
        plan = planning.make_plan(each, job, host)
        try:
            texts = installer.read(plan, installer.run_program)
        except DnsRenewError:
            if kind:
                raise
            continue  # somebody who may not use cron has nothing there
        state = installer.state(plan, texts)
        if state not in ("none", "foreign"):
            standing.append(_Found(plan, texts, state))
    return standing


def _document(session: Invocation, found: _Found, *, off: bool) -> None:
    files = [{"path": path, "text": content} for path, content in zip(_paths(found.plan), found.texts, strict=True)]
    session.screen.document({"kind": found.plan.kind, "installed": not off, "state": found.state, "files": files})


def _warn_of_environment(session: Invocation, config: Config) -> None:
    """Say which secrets a run by itself will not find: it does not have this terminal's environment."""
    references = [use.secret.reference for use in config.secrets]
    names = dict.fromkeys(name.removeprefix("env:") for name in references if name.startswith("env:"))
    if names:
        one = len(names) == 1
        words = (
            f"{text.listed(names)} {'is' if one else 'are'} read from the environment, and a run by itself does not "
            f"have this terminal's. Put {'it' if one else 'each'} into a file that only you can read, and write "
            f"file:PATH instead of env:{next(iter(names))} in {config.path}."
        )
        columns, _ = session.screen.err.size()
        session.screen.say("\n".join(text.wrap(words, columns, f"{yellow('!')} ", "  ")))
