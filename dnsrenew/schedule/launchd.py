"""A launchd job of macOS: a daemon for root, an agent for other users."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from dnsrenew.schedule import texts
from dnsrenew.schedule.plan import MARKER, Host, PlannedCommand, PlannedFile, ScheduledJob, SchedulePlan

_LABEL: Final = "dnsrenew"


def plan(job: ScheduledJob, host: Host) -> SchedulePlan:
    """Return the plan; launchd itself catches up on a run missed while the Mac slept."""
    folder = "/Library/LaunchDaemons" if host.admin else f"{host.home}/Library/LaunchAgents"
    log = "/Library/Logs/dnsrenew.log" if host.admin else f"{host.home}/Library/Logs/dnsrenew.log"
    domain = "system" if host.admin else f"gui/{host.uid}"
    path = f"{folder}/{_LABEL}.plist"
    unload = PlannedCommand(("launchctl", "bootout", f"{domain}/{_LABEL}"), required=False)
    return SchedulePlan(
        kind="launchd",
        title=texts.LAUNCHD_SYSTEM if host.admin else texts.LAUNCHD_USER.format(user=host.user),
        files=(PlannedFile(path, _plist(job, log), f"<string>{escape(job.config)}</string>"),),
        enable=(unload, PlannedCommand(("launchctl", "bootstrap", domain, path))),
        status=(("launchctl", "print", f"{domain}/{_LABEL}"),),
        disable=(unload,),
        note="" if host.admin else texts.LAUNCHD_NOTE,
        inspect=(f"launchctl print {domain}/{_LABEL}", f"tail {log}"),
    )


def _plist(job: ScheduledJob, log: str) -> str:
    command_line = job.command_line(jitter=True)
    arguments = "\n".join(f"        <string>{escape(argument)}</string>" for argument in command_line)
    minute = job.minute_past_hour
    times = "\n".join(
        f"        <dict><key>Hour</key><integer>{hour}</integer><key>Minute</key><integer>{minute}</integer></dict>"
        for hour in job.hours
    )
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- {MARKER} -->
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>{_LABEL}</string>
    <key>ProgramArguments</key>
    <array>
{arguments}
    </array>
    <key>StartCalendarInterval</key>
    <array>
{times}
    </array>
    <key>StandardErrorPath</key>
    <string>{escape(log)}</string>
</dict>
</plist>
"""
