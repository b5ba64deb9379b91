"""What renews certificates with the other tool by itself, and the command that stops it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import jobs, units

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.extensions.setup.importing.found import HostView
    from dnsrenew.extensions.setup.importing.jobs import FoundJob
    from dnsrenew.extensions.setup.importing.kinds import Kind

_PROGRAMS: Final = {"certbot": "certbot", "lego": "lego", "acme.sh": "acme.sh"}
_RENEWS: Final = {"certbot": ("renew",), "lego": ("renew", "run"), "acme.sh": ("--cron", "--renew-all")}
_FOLDER_OPTIONS: Final = {"certbot": ("--config-dir",), "lego": ("--path",), "acme.sh": ("--home", "--config-home")}
_FOLDER_VARIABLES: Final = {
    "certbot": (),
    "lego": ("LEGO_PATH",),
    "acme.sh": ("LE_WORKING_DIR", "LE_CONFIG_HOME"),
}
_SNAP: Final = "snap.certbot.renew"


class StopCommand(Frozen):
    """What renews, and how it is stopped.

    :ivar kind: the tool.
    :ivar source: where it stands, ``FILE`` or ``FILE:LINE``.
    :ivar command: the command that stops it; "" if a line has to be removed by hand.
    """

    kind: str
    source: str
    command: str

    def to_dict(self) -> dict[str, str | None]:
        """Return the JSON form."""
        return {"kind": self.kind, "source": self.source, "command": self.command or None}


class UnknownStop(Frozen):
    """A folder that a tool may renew, although nothing that runs it there was found.

    :ivar kind: the tool.
    """

    kind: str
    folder: str


def stops_of(sources: Sequence[tuple[Kind, Path]], host: HostView) -> tuple[list[StopCommand], list[UnknownStop]]:
    """Return what stops the tools, and for which folders that was not found although something may renew them.

    A timer that names no folder renews the usual one, not a copy in another place.
    """
    found: list[StopCommand] = []
    unknown: list[UnknownStop] = []
    for kind, folder in sources:
        is_usual = os.path.realpath(folder) in {os.path.realpath(each) for each in kind.reader().usual(host)}
        its = stop_commands(kind.name, host, folder, is_usual=is_usual)
        found += its
        if not (its or is_usual) and kind.name in _PROGRAMS:
            unknown.append(UnknownStop(kind.name, str(folder)))
    return list(dict.fromkeys(found)), unknown


def stop_commands(kind: str, host: HostView, folder: Path, *, is_usual: bool) -> list[StopCommand]:
    """Return the commands that stop a tool in a folder; none for one that has no timer, such as a server.

    :param is_usual: whether the tool works there if it is told nothing else.
    """
    program = _PROGRAMS.get(kind)
    if program is None:
        return []
    systemd = os.path.isdir(host.root / "run/systemd/system")
    found = list(_snap(host)) if kind == "certbot" and is_usual else []
    for job in jobs.jobs(host, program, folder):
        if not set(_RENEWS[kind]) & set(job.words) or not _works_in(job, kind, folder, host, is_usual=is_usual):
            continue
        if kind == "certbot" and job.file == "/etc/cron.d/certbot" and systemd:
            continue  # Debian's entry does nothing where systemd runs
        found.append(_stop(kind, job))
    return list({(each.source, each.command): each for each in found}.values())


def _works_in(job: FoundJob, kind: str, folder: Path, host: HostView, *, is_usual: bool) -> bool:
    """Tell whether a call works in a folder; one that names it by a variable may work in the usual one."""
    named = [value for key in _FOLDER_VARIABLES[kind] if (value := job.environment.get(key))]
    for word, following in zip(job.words, (*job.words[1:], ""), strict=True):
        option, equals, value = word.partition("=")
        if option.startswith("-") and f"--{option.lstrip('-')}" in _FOLDER_OPTIONS[kind]:
            named.append(value if equals else following)
    if any(jobs.is_folder(each, folder, host) for each in named):
        return True
    return is_usual and not any(os.path.isabs(each) for each in named)


def _snap(host: HostView) -> Iterator[StopCommand]:
    for folder in units.unit_folders(host):
        if os.path.isfile(folder / f"{_SNAP}.timer"):
            yield StopCommand("certbot", str(folder / f"{_SNAP}.timer"), f"systemctl disable --now {_SNAP}.timer")
            return


def _stop(kind: str, job: FoundJob) -> StopCommand:
    if job.kind == "systemd":
        user = "--user " if "/.config/systemd/user/" in job.file or "/.local/share/systemd/user/" in job.file else ""
        return StopCommand(kind, job.file, f"systemctl {user}disable --now {job.unit}")
    if kind == "acme.sh":
        return StopCommand(kind, f"{job.file}:{job.line}", "acme.sh --uninstall-cronjob")
    if job.file == "/etc/cron.d/certbot":  # of the package, with nothing else in it
        return StopCommand(kind, job.file, f"rm {job.file}")
    if job.kind == "compose":
        return StopCommand(kind, f"{job.file}:{job.line}", f"docker compose -f {shlex.quote(job.file)} down")
    return StopCommand(kind, f"{job.file}:{job.line}", "")
