"""Cron: a file in /etc/cron.d for root, a block in the crontab of other users."""

from __future__ import annotations

import shlex
from typing import Final

from dnsrenew.schedule import texts
from dnsrenew.schedule.plan import MARKER, NAME, Host, PlannedFile, ScheduledJob, SchedulePlan

_FOLDER: Final = "/etc/cron.d"
BEGIN: Final = "# BEGIN "
END: Final = "# END "


def plan(job: ScheduledJob, host: Host) -> SchedulePlan:
    """Return the plan: a file, or a block of the crontab."""
    config_text = f"--config {_quoted(job.config)}\n"
    if host.admin and host.cron_folder:
        file = PlannedFile(f"{_FOLDER}/{job.name}", f"# {MARKER}\n{_lines(job, 'root ')}\n", config_text)
        return SchedulePlan(
            kind="cron",
            title=texts.CRON_SYSTEM,
            name=job.name,
            files=(file,),
            halt=host.cron_halt,
            note=texts.CRON_NOTE,
        )
    block = f"{BEGIN}{job.name}\n# {MARKER}\n{_lines(job)}\n{END}{job.name}\n"
    return SchedulePlan(
        kind="cron",
        title=texts.CRON_USER.format(user=host.user),
        name=job.name,
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


def block_in(crontab: str, name: str = NAME) -> str | None:
    """Return the block of this name in a crontab, or None."""
    lines, begin, end = crontab.splitlines(), BEGIN + name, END + name
    if begin not in lines or end not in lines[lines.index(begin) :]:
        return None
    first = lines.index(begin)
    return "\n".join(lines[first : lines.index(end, first) + 1]) + "\n"


def without_block(crontab: str, name: str = NAME) -> str:
    """Return the crontab without the block of this name; all other lines stay as they are."""
    block = block_in(crontab, name)
    if block is None:
        return crontab
    complete = crontab if crontab.endswith("\n") else f"{crontab}\n"
    return complete.replace(block, "", 1)


def with_block(crontab: str, block: str, name: str = NAME) -> str:
    """Return the crontab with this block: it replaces an older block, or is added at the end."""
    old = block_in(crontab, name)
    complete = crontab if crontab.endswith("\n") or not crontab else f"{crontab}\n"
    return complete.replace(old, block, 1) if old is not None else complete + block
