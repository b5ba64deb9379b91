"""A launchd job of macOS: a daemon for root, an agent for everybody else."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from dnsrenew.schedule.plan import MARK, Host, PlannedCommand, PlannedFile, ScheduledJob, SchedulePlan

_LABEL: Final = "dnsrenew"


def plan(job: ScheduledJob, host: Host) -> SchedulePlan:
    """Return the property list and what loads it; launchd itself catches up on what a sleeping Mac missed."""
    folder = "/Library/LaunchDaemons" if host.admin else f"{host.home}/Library/LaunchAgents"
    log = "/Library/Logs/dnsrenew.log" if host.admin else f"{host.home}/Library/Logs/dnsrenew.log"
    domain = "system" if host.admin else f"gui/{host.uid}"
    path = f"{folder}/{_LABEL}.plist"
    unload = PlannedCommand(("launchctl", "bootout", f"{domain}/{_LABEL}"), must=False)
    return SchedulePlan(
        kind="launchd",
        title="a launchd daemon" if host.admin else f"a launchd agent of the user {host.user}",
        files=(PlannedFile(path, _plist(job, log), f"<string>{escape(job.config)}</string>"),),
        enable=(unload, PlannedCommand(("launchctl", "bootstrap", domain, path))),
        asks=(("launchctl", "print", f"{domain}/{_LABEL}"),),
        disable=(unload,),
        note="" if host.admin else "It runs only while you are logged in.",
        watch=(f"launchctl print {domain}/{_LABEL}", f"tail {log}"),
    )


def _plist(job: ScheduledJob, log: str) -> str:
    words = "\n".join(f"        <string>{escape(word)}</string>" for word in job.words(jitter=True))
    times = "\n".join(
        f"        <dict><key>Hour</key><integer>{hour}</integer><key>Minute</key><integer>{job.past}</integer></dict>"
        for hour in job.hours
    )
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- {MARK} -->
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>{_LABEL}</string>
    <key>ProgramArguments</key>
    <array>
{words}
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
