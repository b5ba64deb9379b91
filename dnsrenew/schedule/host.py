"""What is true of this machine, and which kind of schedule suits it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import Final

from dnsrenew.base.values import replace
from dnsrenew.errors import ConfigError
from dnsrenew.schedule import cron, launchd, systemd, windows
from dnsrenew.schedule.plan import Host, ScheduledJob, ScheduleKind, SchedulePlan, minute_of

_PLANS: Final = {"systemd": systemd.plan, "cron": cron.plan, "launchd": launchd.plan, "windows": windows.plan}


def this_host(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Host:
    """Look at this machine."""
    import getpass
    import socket

    home = os.path.expanduser("~")
    if platform == "win32":
        domain = environ.get("USERDOMAIN", "")
        user = environ.get("USERNAME") or getpass.getuser()
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
        user=getpass.getuser(),
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
    """Return the kinds that work on this machine, the best first."""
    if host.platform == "win32":
        return ["windows"]
    found: list[ScheduleKind] = []
    if host.platform == "darwin":
        found.append("launchd")
    if host.systemd:
        found.append("systemd")
    if host.crontab:  # /etc/cron.d alone says nothing: packages leave files there on machines without cron
        found.append("cron")
    return found


def default_kind(host: Host) -> ScheduleKind:
    """Return the kind that suits this machine.

    :raises ConfigError: ``schedule-none``.
    """
    for kind in kinds(host):
        return kind
    raise no_kind(host)


def no_kind(host: Host) -> ConfigError:
    """Return what is said where nothing can be installed."""
    return ConfigError(
        "schedule-none",
        "This machine has neither systemd nor cron, as in a container.",
        fix="Let dnsrenew run do it: it stays in the foreground and renews what becomes due.",
        evidence={"platform": host.platform},
    )


def like(kind: ScheduleKind, host: Host) -> Host:
    """Return this machine as one that has a kind: to see what would be written on another one."""
    if kind in kinds(host):
        return host
    if kind == "windows":
        return replace(host, platform="win32", config_home="%LOCALAPPDATA%")
    if host.platform == "win32":
        return replace(host, platform="linux", home="~", config_home="~/.config")
    return host


def this_job(host: Host, config: str) -> ScheduledJob:
    """Return the job for a configuration.

    :raises ConfigError: ``schedule-path``: a path that such files cannot hold.
    """
    job = ScheduledJob(program=_program(host.platform), config=config, minute=minute_of(host.name, config))
    for word in job.words(jitter=False):
        if any(ord(character) < 32 or ord(character) == 127 for character in word):
            raise ConfigError(
                "schedule-path",
                f"The path {word!r} has a control character in it, which no schedule can hold.",
                fix="Rename it.",
                evidence={"path": word},
            )
    return job


def _program(platform: str) -> tuple[str, ...]:
    """Return what runs this program again: its own command, or the interpreter that runs us.

    A link, such as pipx makes, is not followed: it stays right after an update.
    """
    if platform == "win32":  # a program of the console would open a window four times a day
        windowed = os.path.join(os.path.dirname(sys.executable), "pythonw.exe")
        interpreter = windowed if os.path.exists(windowed) else sys.executable
        return (interpreter, "-P", "-m", "dnsrenew")
    called = os.path.abspath(sys.argv[0])
    if os.path.basename(called) == "dnsrenew" and os.access(called, os.X_OK) and os.path.isfile(called):
        return (called,)
    return (os.path.abspath(sys.executable), "-P", "-m", "dnsrenew")


def make_plan(kind: ScheduleKind, job: ScheduledJob, host: Host) -> SchedulePlan:
    """Return the plan of a kind."""
    return _PLANS[kind](job, host)
