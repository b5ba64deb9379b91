"""The properties of this machine, and the kinds of schedule it supports."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

from dnsrenew.base.users import this_user
from dnsrenew.base.values import replace
from dnsrenew.errors import ConfigError
from dnsrenew.schedule import texts
from dnsrenew.schedule.plan import (
    UNKNOWN_NEEDS,
    Host,
    JobNeeds,
    ScheduledJob,
    ScheduleKind,
    SchedulePlan,
    minute_of,
)


def this_host(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Host:
    """Return the properties of this machine."""
    import socket

    home = os.path.expanduser("~")
    if platform == "win32":
        domain = environ.get("USERDOMAIN", "")
        user = environ.get("USERNAME") or this_user()
        folder = environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        name = f"{domain}\\{user}" if domain else user
        return Host(
            platform=platform,
            admin=_elevated(),
            user=name,
            uid=0,
            home=home,
            config_home=folder,
            name=socket.gethostname(),
        )
    given = environ.get("XDG_CONFIG_HOME", "")
    return Host(
        platform=platform,
        admin=os.geteuid() == 0,
        user=this_user(),
        uid=os.getuid(),
        home=home,
        config_home=given if os.path.isabs(given) else os.path.join(home, ".config"),
        name=socket.gethostname(),
        systemd=os.path.isdir("/run/systemd/system"),
        cron_folder=os.path.isdir("/etc/cron.d"),
        crontab=shutil.which("crontab") is not None,
    )


def _elevated() -> bool:
    import ctypes

    shell = getattr(ctypes, "windll", None)
    return bool(shell and shell.shell32.IsUserAnAdmin())


def kinds(host: Host) -> list[ScheduleKind]:
    """Return the kinds that this machine supports, the preferred one first."""
    if host.platform == "win32":
        return ["windows"]
    found: list[ScheduleKind] = []
    if host.platform == "darwin":
        found.append("launchd")
    if host.systemd:
        found.append("systemd")
    if host.crontab:  # /etc/cron.d proves nothing: packages put files there on machines without cron
        found.append("cron")
    return found


def default_kind(host: Host) -> ScheduleKind:
    """Return the preferred kind of this machine.

    :raises ConfigError: ``schedule-none``.
    """
    for kind in kinds(host):
        return kind
    raise no_kind(host)


def no_kind(host: Host) -> ConfigError:
    """Return the error for a machine that supports no kind."""
    return ConfigError.of(texts.SCHEDULE_NONE, platform=host.platform)


def simulate(kind: ScheduleKind, host: Host) -> Host:
    """Return this machine as if it supported a kind, to show what would be written on another machine."""
    if kind in kinds(host):
        return host
    if kind == "windows":
        return replace(host, platform="win32", config_home="%LOCALAPPDATA%")
    if host.platform == "win32":
        return replace(host, platform="linux", home="~", config_home="~/.config")
    return host


def this_job(host: Host, config: str, needs: JobNeeds = UNKNOWN_NEEDS, *, insist: bool = False) -> ScheduledJob:
    """Return the job for a configuration.

    :param insist: whether its runs read the configuration although other users can change it.
    :raises ConfigError: ``schedule-path``: a path with a control character.
    """
    job = ScheduledJob(
        program=_program(host.platform),
        config=config,
        minute=minute_of(host.name, config),
        insist=insist,
        needs=needs,
    )
    for argument in (*job.command_line(jitter=False), needs.store, *needs.writes):
        if any(ord(character) < 32 or ord(character) == 127 for character in argument):
            code, message, fix = texts.SCHEDULE_PATH.fill(path=repr(argument))
            raise ConfigError(code, message, fix=fix, evidence={"path": argument})
    return job


def _program(platform: str) -> tuple[str, ...]:
    """Return the command that runs this program: its own path, or the interpreter with ``-m dnsrenew``.

    A link, as pipx creates, is not resolved, so that it is still valid after an update.
    """
    if platform == "win32":  # a console program would open a window four times a day
        windowed = os.path.join(os.path.dirname(sys.executable), "pythonw.exe")
        interpreter = windowed if os.path.exists(windowed) else sys.executable
        return (interpreter, "-P", "-m", "dnsrenew")
    called = os.path.abspath(sys.argv[0])
    if os.path.basename(called) == "dnsrenew" and os.access(called, os.X_OK) and os.path.isfile(called):
        return (called,)
    return (os.path.abspath(sys.executable), "-P", "-m", "dnsrenew")


def make_plan(kind: ScheduleKind, job: ScheduledJob, host: Host) -> SchedulePlan:
    """Return the plan of a kind."""
    from dnsrenew.schedule import cron, launchd, systemd, windows  # every renewal looks for a schedule, and makes none

    plans = {"systemd": systemd.plan, "cron": cron.plan, "launchd": launchd.plan, "windows": windows.plan}
    return plans[kind](job, host)
