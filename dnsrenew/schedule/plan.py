"""The words of scheduling: a host, a job, and the plan that brings the job onto the host."""

from __future__ import annotations

import zlib
from typing import Final, Literal, get_args

from dnsrenew.base.values import Frozen

ScheduleKind = Literal["systemd", "cron", "launchd", "windows"]
KINDS: Final[tuple[ScheduleKind, ...]] = get_args(ScheduleKind)

MARK: Final = "Written by: dnsrenew schedule install. To remove it: dnsrenew schedule remove"
"""Stands in all that is installed: what does not have it belongs to somebody else and is left alone."""

SPREAD: Final = 3600
"""A run starts up to so many seconds after its minute, so that not all machines of the world come at once."""

_APART: Final = 360
"""Minutes between two runs. A certificate of six days that was due when its CA went away for three has hours left."""


class Host(Frozen, kw_only=True):
    """What has to be known of a machine.

    :ivar platform: as ``sys.platform``.
    :ivar admin: whether we are root, or an elevated administrator.
    :ivar user: the user's name; on Windows with the domain.
    :ivar uid: 0 on Windows.
    :ivar home: the home folder.
    :ivar config_home: the folder for a user's configuration (on Windows: for a program's files).
    :ivar systemd: whether systemd runs this machine.
    :ivar cron_folder: whether ``/etc/cron.d`` is there.
    :ivar crontab: whether there is a ``crontab`` program.
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


class ScheduledJob(Frozen, kw_only=True):
    """What is to be run: ``program renew -q --config config``, four times a day.

    :ivar program: absolute path of the program, and the arguments that belong to it.
    :ivar config: absolute path of the configuration.
    :ivar minute: the first run's minute of the day, 0 … 359; the others are six hours apart.
    """

    program: tuple[str, ...]
    config: str
    minute: int

    @property
    def hours(self) -> tuple[int, ...]:
        """The hours of the runs."""
        return tuple(range(self.minute // 60, 24, _APART // 60))

    @property
    def past(self) -> int:
        """The minute past the hour."""
        return self.minute % 60

    def words(self, *, jitter: bool) -> list[str]:
        """Return the command line.

        :param jitter: whether the program has to wait a random time itself.
        """
        return [*self.program, "renew", "-q", *(["--jitter", str(SPREAD)] if jitter else []), "--config", self.config]


def minute_of(host_name: str, config: str) -> int:
    """Return the minute of the first run for a machine and a configuration: always the same, and evenly spread."""
    return zlib.crc32(f"{host_name}\0{config}".encode()) % _APART


class PlannedFile(Frozen):
    """A file that is ours as a whole.

    :ivar trace: how its text names the configuration.
    """

    path: str
    text: str
    trace: str
    encoding: str = "utf-8"


class PlannedCommand(Frozen):
    """A program to be run.

    :ivar must: whether it has to succeed.
    :ivar fix: what a person should do if it does not.
    """

    words: tuple[str, ...]
    must: bool = True
    fix: str = ""


class SchedulePlan(Frozen, kw_only=True):
    """How a job comes onto a host, and how it goes again.

    :ivar title: what it is, for people: ``a systemd timer of the system``.
    :ivar files: written first; removed between ``disable`` and ``forget``.
    :ivar block: lines in the user's crontab, instead of files; "" elsewhere.
    :ivar trace: how the block names the configuration.
    :ivar enable: run after the files are written.
    :ivar asks: programs that succeed while it is switched on; none where nobody can be asked.
    :ivar note: what a person should know of this kind, or "".
    :ivar watch: what shows when it runs next, and what the last runs said.
    """

    kind: ScheduleKind
    title: str
    files: tuple[PlannedFile, ...] = ()
    block: str = ""
    trace: str = ""
    enable: tuple[PlannedCommand, ...] = ()
    asks: tuple[tuple[str, ...], ...] = ()
    disable: tuple[PlannedCommand, ...] = ()
    forget: tuple[PlannedCommand, ...] = ()
    note: str = ""
    watch: tuple[str, ...] = ()
