"""Cron: a file in /etc/cron.d for root, a block in the crontab of other users."""

from __future__ import annotations

import shlex
from typing import Final

from dnsrenew.schedule import texts
from dnsrenew.schedule.plan import MARKER, Host, PlannedFile, ScheduledJob, SchedulePlan

_FILE: Final = "/etc/cron.d/dnsrenew"
BEGIN: Final = "# BEGIN dnsrenew"
END: Final = "# END dnsrenew"


def plan(job: ScheduledJob, host: Host) -> SchedulePlan:
    """Return the plan: a file, or a block of the crontab."""
    config_text = _quoted(job.config)
    if host.admin and host.cron_folder:
        file = PlannedFile(_FILE, f"# {MARKER}\n{_lines(job, 'root ')}\n", config_text)
        return SchedulePlan(
            kind="cron", title=texts.CRON_SYSTEM, files=(file,), halt=host.cron_halt, note=texts.CRON_NOTE
        )
    block = f"{BEGIN}\n# {MARKER}\n{_lines(job)}\n{END}\n"
    return SchedulePlan(
        kind="cron",
        title=texts.CRON_USER.format(user=host.user),
        block=block,
        config_text=config_text,
        halt=host.cron_halt,
        note=texts.CRON_NOTE,
        inspect=("crontab -l",),
    )


def _lines(job: ScheduledJob, user: str = "") -> str:
    """Return the line for every day, and one for the start of the machine: cron does not catch up on missed runs."""
    hours = ",".join(map(str, job.hours))
    command = " ".join(map(_quoted, job.command_line(jitter=True)))
    return f"{job.minute_past_hour} {hours} * * * {user}{command}\n@reboot {user}{command}"


def _quoted(argument: str) -> str:
    return shlex.quote(argument).replace("%", "\\%")  # cron reads a percent sign as a line break, also in quotes


def block_in(crontab: str) -> str | None:
    """Return the block of dnsrenew in a crontab, or None."""
    lines = crontab.splitlines()
    if BEGIN not in lines or END not in lines[lines.index(BEGIN) :]:
        return None
    first = lines.index(BEGIN)
    return "\n".join(lines[first : lines.index(END, first) + 1]) + "\n"


def without_block(crontab: str) -> str:
    """Return the crontab without the block; all other lines stay as they are."""
    block = block_in(crontab)
    if block is None:
        return crontab
    complete = crontab if crontab.endswith("\n") else f"{crontab}\n"
    return complete.replace(block, "", 1)


def with_block(crontab: str, block: str) -> str:
    """Return the crontab with this block: it replaces an older block, or is added at the end."""
    old = block_in(crontab)
    complete = crontab if crontab.endswith("\n") or not crontab else f"{crontab}\n"
    return complete.replace(old, block, 1) if old is not None else complete + block
