"""Cron: a file in /etc/cron.d for root, a block in the crontab of everybody else."""

from __future__ import annotations

import shlex
from typing import Final

from dnsrenew.schedule.plan import MARK, Host, PlannedFile, ScheduledJob, SchedulePlan

_FILE: Final = "/etc/cron.d/dnsrenew"
BEGIN: Final = "# BEGIN dnsrenew"
END: Final = "# END dnsrenew"
_NOTE: Final = (
    "Cron does not catch up on a run that was missed while the machine was off; the next one is at most 7 hours away."
)


def plan(job: ScheduledJob, host: Host) -> SchedulePlan:
    """Return the file or the block."""
    trace = _word(job.config)
    if host.admin and host.cron_folder:
        file = PlannedFile(_FILE, f"# {MARK}\n{_line(job, 'root ')}\n", trace)
        return SchedulePlan(kind="cron", title="a line of the system's cron", files=(file,), note=_NOTE)
    block = f"{BEGIN}\n# {MARK}\n{_line(job)}\n{END}\n"
    title = f"a line in the crontab of {host.user}"
    return SchedulePlan(kind="cron", title=title, block=block, trace=trace, note=_NOTE, watch=("crontab -l",))


def _line(job: ScheduledJob, user: str = "") -> str:
    hours = ",".join(map(str, job.hours))
    return f"{job.past} {hours} * * * {user}{' '.join(map(_word, job.words(jitter=True)))}"


def _word(word: str) -> str:
    return shlex.quote(word).replace("%", "\\%")  # a percent sign is a line break to cron, in quotes too


def block_in(crontab: str) -> str | None:
    """Return our block of a crontab, or None."""
    lines = crontab.splitlines()
    if BEGIN not in lines or END not in lines[lines.index(BEGIN) :]:
        return None
    first = lines.index(BEGIN)
    return "\n".join(lines[first : lines.index(END, first) + 1]) + "\n"


def without_block(crontab: str) -> str:
    """Return the crontab without our block; everything else stays as it is."""
    block = block_in(crontab)
    if block is None:
        return crontab
    whole = crontab if crontab.endswith("\n") else f"{crontab}\n"
    return whole.replace(block, "", 1)


def with_block(crontab: str, block: str) -> str:
    """Return the crontab with this block, in the place of an older one or at the end."""
    old = block_in(crontab)
    whole = crontab if crontab.endswith("\n") or not crontab else f"{crontab}\n"
    return whole.replace(old, block, 1) if old is not None else whole + block
