"""The entries of several configurations at one scheduler: their names and their configurations.

The first entry is called ``dnsrenew``. The name of each further entry has an additional part, derived from its
configuration.
"""

from __future__ import annotations

import html
import os
import re
import shlex
import zlib
from collections.abc import Sequence
from typing import Final

from dnsrenew.base.values import Frozen, replace
from dnsrenew.schedule import installer
from dnsrenew.schedule.host import make_plan
from dnsrenew.schedule.installer import InstalledState, Runner
from dnsrenew.schedule.plan import INSIST, NAME, Host, ScheduledJob, ScheduleKind, SchedulePlan

_NAMED: Final = rf"{NAME}-[0-9a-f]{{8}}"
_CONFIG: Final = re.compile(r"--config (.+?)(?:</Arguments>|$)", re.MULTILINE)
_LANGUAGE: Final = re.compile(r"--lang(?: |</string>\s*<string>)([a-z]+)")
_PLIST: Final = re.compile(r"<string>--config</string>\s*<string>(.*?)</string>")


class ScheduleEntry(Frozen):
    """An entry, installed or not.

    :ivar contents: the texts of its files, or of its block; None for a missing one.
    """

    plan: SchedulePlan
    contents: Sequence[str | None]
    state: InstalledState

    @property
    def is_ours(self) -> bool:
        """Whether dnsrenew has installed it, for any configuration."""
        return self.state not in {"none", "foreign"}

    @property
    def config(self) -> str:
        """The configuration that it runs; "" if unknown."""
        return next((found for text in self.contents if text and (found := _config_in(text))), "")


def entry_of(kind: ScheduleKind, job: ScheduledJob, host: Host, run: Runner) -> ScheduleEntry:
    """Return the entry of a configuration: the installed entry, or a new one with a free name.

    :raises DnsRenewError: an installed entry cannot be read.
    """
    own = replace(job, name=f"{NAME}-{zlib.crc32(os.path.realpath(job.config).encode()):08x}")
    first, second = (_entry(kind, each, host, run) for each in (job, own))
    if second.state in {"same", "older"} or first.state == "other":
        return second
    return first


def entries(kind: ScheduleKind, job: ScheduledJob, host: Host, run: Runner) -> list[ScheduleEntry]:
    """Return the installed entries of all configurations.

    :raises DnsRenewError: an installed entry cannot be read.
    """
    names = installer.names(make_plan(kind, job, host), _NAMED, run)
    found = [_entry(kind, replace(job, name=name), host, run) for name in (NAME, *names)]
    return [each for each in found if each.is_ours]


def _entry(kind: ScheduleKind, job: ScheduledJob, host: Host, run: Runner) -> ScheduleEntry:
    plan = make_plan(kind, job, host)
    contents = installer.read_installed(plan, run)
    if installed := "\n".join(filter(None, contents)):  # perhaps with options that it is shown without
        language = _LANGUAGE.search(installed)
        job = replace(job, insist=job.insist or INSIST in installed, language=language[1] if language else "")
        plan = make_plan(kind, job, host)
    return ScheduleEntry(plan, contents, installer.installed_state(plan, contents))


def _config_in(text: str) -> str:
    if found := _PLIST.search(text):
        return html.unescape(found[1])
    if not (found := _CONFIG.search(text)):
        return ""
    if "<Arguments>" in text:
        return html.unescape(found[1]).strip('"')
    try:
        (path,) = shlex.split(found[1].replace("\\%", "%").replace("%%", "%").replace("$$", "$"))
    except ValueError:
        return ""
    return path
