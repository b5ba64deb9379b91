"""A systemd timer, of the system for root and of the user for everybody else."""

from __future__ import annotations

from typing import Final

from dnsrenew.schedule.plan import MARK, SPREAD, Host, PlannedCommand, PlannedFile, ScheduledJob, SchedulePlan

_SYSTEM: Final = "/etc/systemd/system"
_NAME: Final = "dnsrenew"
_NOT_IN_A_PROGRAM: Final = frozenset("$\"'\\")
"""What systemd takes in an argument, but not in the path of the program itself."""


def plan(job: ScheduledJob, host: Host) -> SchedulePlan:
    """Return the two units and what starts them."""
    folder = _SYSTEM if host.admin else f"{host.config_home}/systemd/user"
    control = ("systemctl",) if host.admin else ("systemctl", "--user")
    log = "journalctl" if host.admin else "journalctl --user"
    trace = quoted(job.config)
    linger = PlannedCommand(
        ("loginctl", "enable-linger", host.user),
        must=False,
        fix=f"Until an administrator runs loginctl enable-linger {host.user}, it runs only while you are logged in.",
    )
    return SchedulePlan(
        kind="systemd",
        title=f"a systemd timer of {'the system' if host.admin else f'the user {host.user}'}",
        files=(
            PlannedFile(f"{folder}/{_NAME}.service", _service(job, host), trace),
            PlannedFile(f"{folder}/{_NAME}.timer", _timer(job), ""),
        ),
        enable=(
            *(() if host.admin else (linger,)),
            PlannedCommand((*control, "daemon-reload")),
            PlannedCommand((*control, "enable", "--now", f"{_NAME}.timer")),
        ),
        asks=((*control, "is-enabled", f"{_NAME}.timer"), (*control, "is-active", f"{_NAME}.timer")),
        disable=(PlannedCommand((*control, "disable", "--now", f"{_NAME}.timer"), must=False),),
        forget=(PlannedCommand((*control, "daemon-reload"), must=False),),
        watch=(f"{' '.join(control)} list-timers {_NAME}.timer", f"{log} -u {_NAME}.service"),
    )


def _service(job: ScheduledJob, host: Host) -> str:
    wait = "Wants=network-online.target\nAfter=network-online.target\n" if host.admin else ""  # users have no such unit
    words = job.words(jitter=False)
    if set(words[0]) & _NOT_IN_A_PROGRAM:
        words = ["/usr/bin/env", *words]
    command = " ".join(map(quoted, words))
    return f"""\
# {MARK}
[Unit]
Description=Renew TLS certificates that are due (dnsrenew)
{wait}
[Service]
Type=oneshot
ExecStart={command}
TimeoutStartSec=6h
"""


def _timer(job: ScheduledJob) -> str:
    hours = ",".join(f"{hour:02d}" for hour in job.hours)
    return f"""\
# {MARK}
[Unit]
Description=Renew TLS certificates four times a day (dnsrenew)

[Timer]
OnCalendar=*-*-* {hours}:{job.past:02d}:00
RandomizedDelaySec={SPREAD}
Persistent=true

[Install]
WantedBy=timers.target
"""


def quoted(word: str) -> str:
    """Return a word as systemd reads it back: no specifier, no variable, no end of the word in it."""
    for special, safe in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(special, safe)
    plain = word.replace("$", "").replace("%", "")
    return word if plain and not set(plain) & set(" \\\"';") else f'"{word}"'
