"""What renews certificates with the other tool by itself, and the command that stops it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.setup.importing import jobs

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.setup.importing.found import HostView
    from dnsrenew.setup.importing.jobs import FoundJob
    from dnsrenew.setup.importing.kinds import Kind

_PROGRAMS: Final = {"certbot": "certbot", "lego": "lego", "acme.sh": "acme.sh"}
_RENEWS: Final = {"certbot": ("renew",), "lego": ("renew", "run"), "acme.sh": ("--cron", "--renew-all")}
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


def stops_of(sources: Sequence[tuple[Kind, Path]], host: HostView) -> list[StopCommand]:
    """Return what stops the tools; the timer of a machine renews the usual folder, not a copy in another place."""
    kinds = [
        kind.name
        for kind, folder in sources
        if os.path.realpath(folder) in {os.path.realpath(each) for each in kind.reader().usual(host)}
    ]
    return [stop for kind in dict.fromkeys(kinds) for stop in stop_commands(kind, host)]


def stop_commands(kind: str, host: HostView) -> list[StopCommand]:
    """Return the commands that stop a tool; none for one that has no timer, such as a server."""
    program = _PROGRAMS.get(kind)
    if program is None:
        return []
    systemd = os.path.isdir(host.root / "run/systemd/system")
    found = list(_snap(host)) if kind == "certbot" else []
    for job in jobs.jobs(host, program):
        if not set(_RENEWS[kind]) & set(job.words):
            continue
        if kind == "certbot" and job.file == "/etc/cron.d/certbot" and systemd:
            continue  # Debian's entry does nothing where systemd runs
        found.append(_stop(kind, job))
    return list({(each.source, each.command): each for each in found}.values())


def _snap(host: HostView) -> Iterator[StopCommand]:
    for folder in jobs.unit_folders(host):
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
