"""A schedule as text: its times, its notes, and its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.cli import texts
from dnsrenew.cli.language import say
from dnsrenew.cli.terminal import dim
from dnsrenew.cli.texts import LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnsrenew.schedule import ScheduledJob, SchedulePlan


_UTF_16: Final = '<?xml version="1.0" encoding="UTF-16"?>'
_UTF_8: Final = _UTF_16.replace("16", "8")


def times(job: ScheduledJob) -> str:
    """Return when the job runs."""
    *first, last = [f"{hour:02d}:{job.minute_past_hour:02d}" for hour in job.hours]
    return texts.SCHEDULE_TIMES.format(times=texts.SEPARATOR.join(first), last=last)


def facts(plan: SchedulePlan) -> list[tuple[str, str]]:
    """Return rows with the commands that show the schedule at work, and with its limitation."""
    return [*((LABELS["inspect"], command) for command in plan.inspect), *notes(plan)]


def notes(plan: SchedulePlan) -> list[tuple[str, str]]:
    """Return a row with the limitation of this kind of schedule, if there is one."""
    return [(LABELS["note"], say(plan.note))] if plan.note else []


def steps(plan: SchedulePlan) -> list[tuple[str, str]]:
    """Return rows with the commands that the installation runs, and what is to be known if one fails."""
    commands = [(LABELS["command"], " ".join(command.arguments)) for command in plan.enable]
    return [*commands, *((LABELS["note"], say(command.fix)) for command in plan.enable if command.fix)]


def paths(plan: SchedulePlan) -> list[str]:
    """Return where the texts of a plan go."""
    return [file.path for file in plan.files] or ["crontab"]


def planned(plan: SchedulePlan) -> list[str]:
    """Return the texts of a plan."""
    return [file.text for file in plan.files] or [plan.block]


def files(plan: SchedulePlan, contents: Sequence[str | None]) -> list[str]:
    """Return each file with its lines. These are not wrapped, to be compared and copied."""
    lines: list[str] = []
    for path, content in zip(paths(plan), contents, strict=True):
        if content is not None:
            lines += [f"{path}:", *(dim(f"  {line}".rstrip()) for line in content.splitlines()), ""]
    return lines[:-1]


def plain(plan: SchedulePlan, contents: Sequence[str | None]) -> str:
    """Return only the text of the files; of several each below its path in a comment, as ``systemctl cat`` does.

    XML declares the encoding in which it is shown: only the installed file of a task of Windows is UTF-16.
    """
    contents = [content and content.replace(_UTF_16, _UTF_8, 1) for content in contents]
    found = [(path, content) for path, content in zip(paths(plan), contents, strict=True) if content is not None]
    if len(found) == 1:
        return found[0][1].rstrip("\n")
    return "\n\n".join(f"# {path}\n{content.rstrip()}" for path, content in found)
