"""The properties of this machine, and the kinds of schedule it supports."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Mapping
from itertools import compress

from dnsrenew.base.users import this_user
from dnsrenew.base.values import replace
from dnsrenew.errors import ConfigError
from dnsrenew.schedule import plan, systemd, texts
from dnsrenew.schedule.machine import halt_of_cron, this_machine


def this_host(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> plan.Host:
    """Return the properties of this machine."""
    home, here = os.path.expanduser("~"), socket.gethostname()
    if platform == "win32":
        domain = environ.get("USERDOMAIN", "")
        user = environ.get("USERNAME") or this_user()
        folder = environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        name = f"{domain}\\{user}" if domain else user
        return plan.Host(
            platform=platform, admin=_elevated(), user=name, uid=0, home=home, config_home=folder, name=here
        )
    given = environ.get("XDG_CONFIG_HOME", "")
    return plan.Host(
        platform=platform,
        admin=os.geteuid() == 0,
        user=this_user(),
        uid=os.getuid(),
        home=home,
        config_home=given if os.path.isabs(given) else os.path.join(home, ".config"),
        name=here,
        systemd=os.path.isdir("/run/systemd/system"),
        cron_folder=os.path.isdir("/etc/cron.d"),
        crontab=shutil.which("crontab") is not None,
        cron_halt=halt_of_cron(this_machine()),
        lingers=os.path.exists(f"/var/lib/systemd/linger/{this_user()}"),
    )


def _elevated() -> bool:
    import ctypes

    shell = getattr(ctypes, "windll", None)
    return bool(shell and shell.shell32.IsUserAnAdmin())


def kinds(host: plan.Host) -> list[plan.ScheduleKind]:
    """Return the kinds that this machine supports, preferred first."""
    if host.platform == "win32":
        return ["windows"]
    # /etc/cron.d proves nothing, because packages put files there even without cron.
    found: tuple[plan.ScheduleKind, ...] = ("launchd", "systemd", "cron")
    return list(compress(found, (host.platform == "darwin", host.systemd, host.crontab)))


def default_kind(host: plan.Host) -> plan.ScheduleKind:
    """Return the preferred kind of this machine.

    :raises ConfigError: ``schedule-none``.
    """
    for kind in kinds(host):
        return kind
    raise no_kind(host)


def no_kind(host: plan.Host) -> ConfigError:
    """Return the error for a machine that supports no kind."""
    return ConfigError.of(texts.SCHEDULE_NONE, platform=host.platform)


def simulate(kind: plan.ScheduleKind, host: plan.Host) -> plan.Host:
    """Return this machine as if it supported a kind, to show what would be written on another machine."""
    if kind in kinds(host):
        return host
    if kind == "windows":
        return replace(host, platform="win32", config_home="%LOCALAPPDATA%")
    if host.platform == "win32":
        return replace(host, platform="linux", home="~", config_home="~/.config")
    return host


def this_job(
    host: plan.Host, config: str, needs: plan.JobNeeds = plan.UNKNOWN_NEEDS, *, insist: bool = False, language: str = ""
) -> plan.ScheduledJob:
    """Return the job for a configuration.

    :param insist: whether its runs read the configuration even if other users can change it.
    :raises ConfigError: ``schedule-path``: a path with a control character.
    """
    program, at = _program(host.platform), plan.minute_of(host.name, config)
    job = plan.ScheduledJob(program=program, config=config, minute=at, insist=insist, needs=needs, language=language)
    for argument in (*job.command_line(jitter=False), needs.store, *needs.writes):
        if any(ord(character) < 32 or ord(character) == 127 for character in argument):
            raise ConfigError.of(texts.SCHEDULE_PATH, shown={"path": repr(argument)}, path=argument)
    return job


def _program(platform: str) -> tuple[str, ...]:
    """Return the command that runs this program: its own path, or the interpreter with ``-m dnsrenew``.

    A link (as created by pipx) is not resolved, so that it stays valid after an update.
    """
    if platform == "win32":  # a console program would open a window four times a day
        windowed = os.path.join(os.path.dirname(sys.executable), "pythonw.exe")
        interpreter = windowed if os.path.exists(windowed) else sys.executable
        return (interpreter, "-P", "-m", "dnsrenew")
    called = os.path.abspath(sys.argv[0])
    if os.path.basename(called) == "dnsrenew" and os.access(called, os.X_OK) and os.path.isfile(called):
        return (called,)
    return (os.path.abspath(sys.executable), "-P", "-m", "dnsrenew")


def make_plan(kind: plan.ScheduleKind, job: plan.ScheduledJob, host: plan.Host) -> plan.SchedulePlan:
    """Return the plan of a kind."""
    plans = {"systemd": systemd.timer_plan, "cron": systemd.cron_plan, "launchd": launchd_plan, "windows": windows_plan}
    return plans[kind](job, host)


# ── launchd ────────────────────────────────────────────────────────────────────────────

# A launchd job of macOS: a daemon for root, an agent for other users.


def launchd_plan(job: plan.ScheduledJob, host: plan.Host) -> plan.SchedulePlan:
    """Return the plan. launchd itself catches up on a run missed while the Mac slept."""
    folder = "/Library/LaunchDaemons" if host.admin else f"{host.home}/Library/LaunchAgents"
    log = f"/Library/Logs/{job.name}.log" if host.admin else f"{host.home}/Library/Logs/{job.name}.log"
    domain = "system" if host.admin else f"gui/{host.uid}"
    path = f"{folder}/{job.name}.plist"
    unload = plan.PlannedCommand(("launchctl", "bootout", f"{domain}/{job.name}"), required=False)
    return plan.SchedulePlan(
        kind="launchd",
        title=texts.LAUNCHD_SYSTEM if host.admin else texts.LAUNCHD_USER.format(user=host.user),
        name=job.name,
        files=(plan.PlannedFile(path, _plist(job, log), f"<string>{_escaped(job.config)}</string>"),),
        enable=(unload, plan.PlannedCommand(("launchctl", "bootstrap", domain, path))),
        status=(("launchctl", "print", f"{domain}/{job.name}"),),
        disable=(unload,),
        note="" if host.admin else texts.LAUNCHD_NOTE,
        inspect=(f"launchctl print {domain}/{job.name}", f"tail {log}"),
    )


def _plist(job: plan.ScheduledJob, log: str) -> str:
    command_line = job.command_line(jitter=True)
    arguments = "\n".join(f"        <string>{_escaped(argument)}</string>" for argument in command_line)
    minute = job.minute_past_hour
    times = "\n".join(
        f"        <dict><key>Hour</key><integer>{hour}</integer><key>Minute</key><integer>{minute}</integer></dict>"
        for hour in job.hours
    )
    return plan.fill(
        "launchd.plist", marker=plan.MARKER, label=job.name, arguments=arguments, times=times, log=_escaped(log)
    )


# ── windows ────────────────────────────────────────────────────────────────────────────

# A task of the Windows Task Scheduler.


def windows_plan(job: plan.ScheduledJob, host: plan.Host) -> plan.SchedulePlan:
    """Return the plan: the XML of the task, and the commands that register it."""
    file = "schedule" if job.name == plan.NAME else job.name
    path = f"{host.config_home}\\dnsrenew\\{file}.xml"
    return plan.SchedulePlan(
        kind="windows",
        title=texts.WINDOWS_TASK.format(user=host.user),
        name=job.name,
        files=(plan.PlannedFile(path, _task(job, host), f"--config {_escaped(quoted(job.config))}</", "utf-16"),),
        enable=(plan.PlannedCommand(("schtasks", "/Create", "/TN", job.name, "/XML", path, "/F")),),
        status=(("schtasks", "/Query", "/TN", job.name),),
        disable=(plan.PlannedCommand(("schtasks", "/Delete", "/TN", job.name, "/F"), required=False),),
        note="" if host.admin else texts.WINDOWS_NOTE,
        inspect=(f"schtasks /Query /TN {job.name} /V /FO LIST", "dnsrenew status"),
    )


def _task(job: plan.ScheduledJob, host: plan.Host) -> str:
    # S4U runs without a logged-in user and without a stored password. Only an administrator can register it.
    logon = "S4U" if host.admin else "InteractiveToken"
    program, *arguments = job.command_line(jitter=False)
    at = {"minute": job.minute_past_hour, "jitter": plan.JITTER}
    triggers = "\n".join(plan.fill("trigger.xml", hour=hour, **at).rstrip() for hour in job.hours)
    user, program, words = _escaped(host.user), _escaped(program), _escaped(" ".join(map(quoted, arguments)))
    more = {"user": user, "logon": logon, "program": program, "arguments": words}
    return plan.fill("task.xml", marker=plan.MARKER, triggers=triggers, **more)


def quoted(argument: str) -> str:
    """Return an argument for a Windows command line. A path has no quotation mark and no final backslash."""
    return f'"{argument}"' if not argument or set(argument) & set(" \t&()^;,") else argument


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
