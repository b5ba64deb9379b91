"""Whether anything on this machine runs dnsrenew by itself: what ``schedule install`` wrote, or a person by hand.

It reads files, and runs a program only where the system hides its files, with a time limit. It never fails: what cannot
be found out is unknown.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import Final

from dnsrenew.base.values import Frozen
from dnsrenew.schedule.found_command import FoundCommand
from dnsrenew.schedule.machine import Machine, lines, read, runs_systemd, this_machine
from dnsrenew.schedule.sources import RUN, sources

_MOST_WORDS: Final = 10
"""The first words of a command that can be a script; a line of a crontab begins with a time and a user."""


class ActiveSchedule(Frozen):
    """What runs dnsrenew by itself.

    :ivar installed: None if that is not known.
    :ivar kind: ``systemd``, ``cron``, ``launchd``, ``windows``, or ``run`` for a running ``dnsrenew run``.
    """

    installed: bool | None
    kind: str | None = None

    def to_dict(self) -> dict[str, bool | str | None]:
        """Return the JSON form."""
        return {"installed": self.installed, "kind": self.kind}


UNKNOWN: Final = ActiveSchedule(None)


def detect(
    config: str | os.PathLike[str], machine: Machine | None = None, *, names: Collection[str] = ()
) -> ActiveSchedule:
    """Return what runs ``dnsrenew renew`` for a configuration by itself, or keeps ``dnsrenew run`` running.

    A command that reads another configuration, or leaves out a certificate of this one, does not count. One whose
    configuration is not known counts if it is in a timer or a crontab; a running process makes the answer unknown then,
    as any number of them may run.

    :param names: of the certificates of the configuration; empty: not known.
    """
    machine, path = machine or this_machine(), os.path.realpath(config)
    is_known = machine.platform != "win32"  # there, only an administrator can read all tasks
    for kind, commands in sources(machine.platform):
        try:
            for command in commands(machine):
                answer = command.renews(path, names)
                if answer or (kind != RUN and (answer is None or _script_renews(command, machine, path, names))):
                    return ActiveSchedule(True, kind)
                is_known = is_known and answer is not None
        except Exception:  # noqa: BLE001  # a hint only: nothing on a machine may stop the command that gives it
            is_known = False
    return ActiveSchedule(False) if is_known else UNKNOWN


def has_scheduler(machine: Machine | None = None) -> bool:
    """Return whether ``schedule install`` has anything to work with on this machine."""
    import shutil

    machine = machine or this_machine()
    is_unix = machine.platform not in {"darwin", "win32"}
    return not is_unix or runs_systemd(machine) or shutil.which("crontab") is not None


def _script_renews(command: FoundCommand, machine: Machine, config: str, names: Collection[str]) -> bool:
    """Return whether the script that a command runs renews, as far as can be told."""
    return any(FoundCommand(line).renews(config, names) is not False for line in _script(command.line, machine))


def _script(command: str, machine: Machine) -> Iterator[str]:
    """Give the lines of the script that a command runs: a person may have put the call of dnsrenew into one."""
    for word in command.split()[:_MOST_WORDS]:
        path = word.lstrip("-@:+!\"'").rstrip("\"'")
        if path.startswith("/"):
            yield from lines(read(machine.root / path[1:], only=b"#!"))
