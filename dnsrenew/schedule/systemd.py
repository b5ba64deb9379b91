"""A systemd timer: of the system for root, of the user for other users."""

from __future__ import annotations

from typing import Final

from dnsrenew.schedule import sandbox, texts
from dnsrenew.schedule.plan import JITTER, MARKER, Host, PlannedCommand, PlannedFile, ScheduledJob, SchedulePlan

_SYSTEM: Final = "/etc/systemd/system"
_NAME: Final = "dnsrenew"
_LOCKED: Final = 3
"""The exit status of a run that waits for nobody: another one holds a lock."""
_TERMINATED: Final = 143
"""The exit status after SIGTERM, as from ``systemctl stop``."""
_NOT_IN_PROGRAM: Final = frozenset("$\"'\\")
"""Characters that systemd accepts in arguments, but not in the path of the program."""


def plan(job: ScheduledJob, host: Host) -> SchedulePlan:
    """Return the plan: a service, and the timer that starts it."""
    folder = _SYSTEM if host.admin else f"{host.config_home}/systemd/user"
    control = ("systemctl",) if host.admin else ("systemctl", "--user")
    log = "journalctl" if host.admin else "journalctl --user"
    config_text = quoted(job.config)
    linger = PlannedCommand(
        ("loginctl", "enable-linger", host.user),
        required=False,
        fix=texts.LINGER_FIX.format(user=host.user),
    )
    return SchedulePlan(
        kind="systemd",
        title=texts.SYSTEMD_SYSTEM if host.admin else texts.SYSTEMD_USER.format(user=host.user),
        folders=sandbox.private_folders(job, system=host.admin),
        files=(
            PlannedFile(f"{folder}/{_NAME}.service", _service(job, host), config_text),
            PlannedFile(f"{folder}/{_NAME}.timer", _timer(job), ""),
        ),
        enable=(
            *(() if host.admin else (linger,)),
            PlannedCommand((*control, "daemon-reload")),
            PlannedCommand((*control, "enable", "--now", f"{_NAME}.timer")),
        ),
        status=((*control, "is-enabled", f"{_NAME}.timer"), (*control, "is-active", f"{_NAME}.timer")),
        disable=(PlannedCommand((*control, "disable", "--now", f"{_NAME}.timer"), required=False),),
        after_removal=(PlannedCommand((*control, "daemon-reload"), required=False),),
        note=sandbox.note(job, system=host.admin),
        inspect=(f"{' '.join(control)} list-timers {_NAME}.timer", f"{log} -u {_NAME}.service"),
    )


def _service(job: ScheduledJob, host: Host) -> str:
    wait = "Wants=network-online.target\nAfter=network-online.target\n" if host.admin else ""  # not in user sessions
    arguments = job.command_line(jitter=False)
    if set(arguments[0]) & _NOT_IN_PROGRAM:
        arguments = ["/usr/bin/env", *arguments]
    command = " ".join(map(quoted, arguments))
    restrictions = "\n".join(sandbox.directives(job, system=host.admin))
    return f"""\
# {MARKER}
[Unit]
Description=Renew TLS certificates that are due (dnsrenew)
{wait}
[Service]
Type=oneshot
ExecStart={command}
TimeoutStartSec=6h
SuccessExitStatus={_LOCKED} {_TERMINATED}
{restrictions}
"""


def _timer(job: ScheduledJob) -> str:
    hours = ",".join(f"{hour:02d}" for hour in job.hours)
    return f"""\
# {MARKER}
[Unit]
Description=Renew TLS certificates four times a day (dnsrenew)

[Timer]
OnCalendar=*-*-* {hours}:{job.minute_past_hour:02d}:00
RandomizedDelaySec={JITTER}
Persistent=true

[Install]
WantedBy=timers.target
"""


def quoted(argument: str) -> str:
    """Return an argument escaped for ``ExecStart=``: without specifiers, variables or separators."""
    for special, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        argument = argument.replace(special, escaped)
    plain = argument.replace("$", "").replace("%", "")
    return argument if plain and not set(plain) & set(" \\\"';") else f'"{argument}"'
