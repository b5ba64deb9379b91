"""The values of scheduling: a host, a job, and the plan that installs the job on the host."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Final, Literal

from dnsrenew.base.values import Frozen
from dnsrenew.schedule.machine import Halt

ScheduleKind = Literal["systemd", "cron", "launchd", "windows"]

MARKER: Final = "Written by: dnsrenew schedule install. To remove it: dnsrenew schedule remove"
"""Part of every installed file. A file without it was not written by dnsrenew and is not changed.

Installed files are always in English, because each run, in any language, compares them with its own text.
"""

NAME: Final = "dnsrenew"
"""The name of the first entry at a scheduler."""

INSIST: Final = "--insist"
"""The option of a run that reads a configuration even if other users can change it."""

JITTER: Final = 3600
"""The maximum random delay of a run in seconds, so that not all machines call a CA at once."""

_INTERVAL: Final = 360
"""Minutes between two runs. A six-day certificate that is due when its CA fails for three days still has hours left."""


class Host(Frozen, kw_only=True):
    """The properties of a machine that a schedule depends on.

    :ivar platform: as ``sys.platform``.
    :ivar admin: whether the user is root, or an elevated administrator.
    :ivar user: the user's name; on Windows with the domain.
    :ivar uid: 0 on Windows.
    :ivar home: the home folder.
    :ivar config_home: the folder for the user's configuration (on Windows: for files of programs).
    :ivar name: the host name.
    :ivar systemd: whether systemd runs this machine.
    :ivar cron_folder: whether ``/etc/cron.d`` exists.
    :ivar crontab: whether the program ``crontab`` exists.
    :ivar lingers: whether systemd runs the services of the user while the user is logged out.
    :ivar cron_halt: why no crontab is run; None if crontabs are run or this is unknown.
    """

    platform: str
    admin: bool
    user: str
    uid: int
    home: str
    config_home: str
    name: str = ""
    systemd: bool = False
    cron_folder: bool = False
    crontab: bool = False
    cron_halt: Halt | None = None
    lingers: bool = False


class JobNeeds(Frozen, kw_only=True):
    """The needs of a run, which its sandbox must allow.

    :ivar store: the store, absolute; "" if unknown.
    :ivar writes: the other folders that it writes to, absolute.
    :ivar reads: files that it reads besides the configuration, absolute.
    :ivar programs: the settings that run a program, or code that is not part of dnsrenew.
    :ivar low_port: whether it listens on a port below 1024.
    """

    store: str = ""
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    low_port: bool = False


UNKNOWN_NEEDS: Final = JobNeeds()
"""The needs of a job whose configuration cannot be read."""


class ScheduledJob(Frozen, kw_only=True):
    """The command to run four times a day: ``program renew -q --scheduled --config config``.

    :ivar program: the absolute path of the program, and its first arguments.
    :ivar config: the absolute path of the configuration.
    :ivar minute: the minute of the day of the first run, 0 … 359; the next runs follow every six hours.
    :ivar insist: whether the run reads a configuration that other users can change.
    :ivar name: the name of its entry at the scheduler.
    :ivar language: the language of the output of its runs, or "" for the language of their environment.
    """

    program: tuple[str, ...]
    config: str
    minute: int
    insist: bool = False
    needs: JobNeeds = UNKNOWN_NEEDS
    name: str = NAME
    language: str = ""

    @property
    def hours(self) -> tuple[int, ...]:
        """The hours of the runs."""
        return tuple(range(self.minute // 60, 24, _INTERVAL // 60))

    @property
    def minute_past_hour(self) -> int:
        """The minute of the hour, 0 … 59."""
        return self.minute % 60

    def command_line(self, *, jitter: bool) -> list[str]:
        """Return the command line.

        :param jitter: whether the program itself adds the random delay.
        """
        delay = ["--jitter", str(JITTER)] if jitter else []
        insist = [INSIST] if self.insist else []
        language = ["--lang", self.language] if self.language else []
        return [*self.program, "renew", "-q", "--scheduled", *delay, *insist, *language, "--config", self.config]


def fill(name: str, **fields: object) -> str:
    """Return the text of a file in ``templates`` with these fields."""
    return (Path(__file__).parent / "templates" / name).read_text("utf-8").format_map(fields)


def minute_of(host_name: str, config: str) -> int:
    """Return the minute of the first run: constant for a machine and a configuration, and evenly distributed."""
    return zlib.crc32(f"{host_name}\0{config}".encode()) % _INTERVAL


class PlannedFile(Frozen):
    """A file that dnsrenew writes as a whole, or the block of a crontab.

    :ivar config_text: the configuration as its text names it; "" if the text does not name it.
    """

    path: str
    text: str
    config_text: str
    encoding: str = "utf-8"


class PlannedCommand(Frozen):
    """A program to run.

    :ivar arguments: the program and its arguments.
    :ivar required: whether a failure stops the installation.
    :ivar fix: a sentence for a failure that does not stop it.
    :ivar done: a sentence for a success that a person would not expect; "" if it is expected.
    """

    arguments: tuple[str, ...]
    required: bool = True
    fix: str = ""
    done: str = ""


class SchedulePlan(Frozen, kw_only=True):
    """How a job is installed on a host, and removed.

    :ivar title: a description for users, such as ``a system-wide systemd timer``.
    :ivar name: the name of the entry at the scheduler.
    :ivar folders: missing private folders to create first; never removed.
    :ivar files: written first; removed after ``disable`` and before ``after_removal``.
    :ivar is_block: whether its one file is a block of the user's crontab.
    :ivar enable: commands to run after the files are written.
    :ivar status: commands that succeed while the schedule is active; empty for cron.
    :ivar halt: why it would not run here; None if it would, if this is unknown, or if ``status`` shows it.
    :ivar note: a limitation of this kind, or "".
    :ivar left: what remains after a removal, or "".
    :ivar inspect: commands for users that show the next run and the log of the last runs.
    """

    kind: ScheduleKind
    title: str
    name: str = NAME
    folders: tuple[str, ...] = ()
    files: tuple[PlannedFile, ...] = ()
    is_block: bool = False
    enable: tuple[PlannedCommand, ...] = ()
    status: tuple[tuple[str, ...], ...] = ()
    disable: tuple[PlannedCommand, ...] = ()
    after_removal: tuple[PlannedCommand, ...] = ()
    halt: Halt | None = None
    note: str = ""
    left: str = ""
    inspect: tuple[str, ...] = ()
