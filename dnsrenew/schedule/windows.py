"""A task of the Windows Task Scheduler."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from dnsrenew.schedule import texts
from dnsrenew.schedule.plan import JITTER, MARKER, Host, PlannedCommand, PlannedFile, ScheduledJob, SchedulePlan

_TASK: Final = "dnsrenew"


def plan(job: ScheduledJob, host: Host) -> SchedulePlan:
    """Return the plan: the XML of the task, and the commands that register it."""
    path = f"{host.config_home}\\dnsrenew\\schedule.xml"
    return SchedulePlan(
        kind="windows",
        title=texts.WINDOWS_TASK.format(user=host.user),
        files=(PlannedFile(path, _task(job, host), escape(quoted(job.config)), "utf-16"),),
        enable=(PlannedCommand(("schtasks", "/Create", "/TN", _TASK, "/XML", path, "/F")),),
        status=(("schtasks", "/Query", "/TN", _TASK),),
        disable=(PlannedCommand(("schtasks", "/Delete", "/TN", _TASK, "/F"), required=False),),
        note="" if host.admin else texts.WINDOWS_NOTE,
        inspect=(f"schtasks /Query /TN {_TASK} /V /FO LIST", "dnsrenew status"),
    )


def _task(job: ScheduledJob, host: Host) -> str:
    # S4U runs without a logged-in user and without a stored password; only an administrator can register it.
    logon = "S4U" if host.admin else "InteractiveToken"
    program, *arguments = job.command_line(jitter=False)
    triggers = "\n".join(_trigger(hour, job.minute_past_hour) for hour in job.hours)
    return f"""\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Author>{escape(host.user)}</Author>
    <Description>{MARKER}</Description>
  </RegistrationInfo>
  <Triggers>
{triggers}
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{escape(host.user)}</UserId>
      <LogonType>{logon}</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RunOnlyIfNetworkAvailable>true</RunOnlyIfNetworkAvailable>
    <ExecutionTimeLimit>PT6H</ExecutionTimeLimit>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{escape(program)}</Command>
      <Arguments>{escape(" ".join(map(quoted, arguments)))}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


def _trigger(hour: int, minute: int) -> str:
    return f"""\
    <CalendarTrigger>
      <StartBoundary>2026-01-01T{hour:02d}:{minute:02d}:00</StartBoundary>
      <Enabled>true</Enabled>
      <RandomDelay>PT{JITTER}S</RandomDelay>
      <ScheduleByDay>
        <DaysInterval>1</DaysInterval>
      </ScheduleByDay>
    </CalendarTrigger>"""


def quoted(argument: str) -> str:
    """Return an argument for a Windows command line; a path has no quotation mark and no final backslash."""
    return f'"{argument}"' if not argument or set(argument) & set(" \t&()^;,") else argument
