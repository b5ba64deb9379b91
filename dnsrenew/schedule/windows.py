"""A task of the Windows Task Scheduler."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from dnsrenew.schedule.plan import MARK, SPREAD, Host, PlannedCommand, PlannedFile, ScheduledJob, SchedulePlan

_TASK: Final = "dnsrenew"
_LATER: Final = "To let it run while nobody is logged in, install it from a terminal that was opened as administrator."


def plan(job: ScheduledJob, host: Host) -> SchedulePlan:
    """Return the task's XML and what registers it."""
    path = f"{host.config_home}\\dnsrenew\\schedule.xml"
    return SchedulePlan(
        kind="windows",
        title=f"a task of the Task Scheduler, run as {host.user}",
        files=(PlannedFile(path, _task(job, host), escape(quoted(job.config)), "utf-16"),),
        enable=(PlannedCommand(("schtasks", "/Create", "/TN", _TASK, "/XML", path, "/F")),),
        asks=(("schtasks", "/Query", "/TN", _TASK),),
        disable=(PlannedCommand(("schtasks", "/Delete", "/TN", _TASK, "/F"), must=False),),
        note="" if host.admin else f"It runs only while you are logged in. {_LATER}",
        watch=(f"schtasks /Query /TN {_TASK} /V /FO LIST", "dnsrenew status"),
    )


def _task(job: ScheduledJob, host: Host) -> str:
    # S4U: logged in or not, and no password is kept. Only an administrator may register such a task.
    logon = "S4U" if host.admin else "InteractiveToken"
    program, *words = job.words(jitter=False)
    triggers = "\n".join(_trigger(hour, job.past) for hour in job.hours)
    return f"""\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Author>{escape(host.user)}</Author>
    <Description>{MARK}</Description>
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
      <Arguments>{escape(" ".join(map(quoted, words)))}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


def _trigger(hour: int, minute: int) -> str:
    return f"""\
    <CalendarTrigger>
      <StartBoundary>2026-01-01T{hour:02d}:{minute:02d}:00</StartBoundary>
      <Enabled>true</Enabled>
      <RandomDelay>PT{SPREAD}S</RandomDelay>
      <ScheduleByDay>
        <DaysInterval>1</DaysInterval>
      </ScheduleByDay>
    </CalendarTrigger>"""


def quoted(word: str) -> str:
    """Return a word of a Windows command line; a path there holds no quotation mark, and ends with no backslash."""
    return f'"{word}"' if not word or set(word) & set(" \t&()^;,") else word
