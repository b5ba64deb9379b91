"""Whether anything on this machine runs dnsrenew by itself: what ``schedule install`` wrote, or a person by hand.

It reads files, and runs a program only where the system hides its files, with a time limit. It never fails: what cannot
be found out is unknown.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from dnsrenew.base.values import Frozen
from dnsrenew.schedule.machine import Machine, lines, read, runs_systemd, this_machine
from dnsrenew.schedule.sources import sources

_MOST_WORDS: Final = 10
"""The first words of a command that can be a script; a line of a crontab begins with a time and a user."""
_COMMAND: Final = re.compile(r"""(?:^|[\s/\\"'=;&|(>])dnsrenew(?:\.exe)?["']?\s+((?:"[^"]*"|'[^']*'|[^;&|\n<])*)""")
"""The program in a command line, and its arguments."""
_WORKS: Final = frozenset({"renew", "run"})


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


def detect(config: str | os.PathLike[str], machine: Machine | None = None) -> ActiveSchedule:
    """Return what runs ``dnsrenew renew`` for a configuration by itself, or keeps ``dnsrenew run`` running.

    A command that names another configuration does not count; one that names none does.
    """
    machine, path = machine or this_machine(), os.path.realpath(config)
    is_known = machine.platform != "win32"  # there, only an administrator can read all tasks
    for kind, commands in sources(machine.platform):
        try:
            for command in commands(machine):
                if _renews(command, path) or any(_renews(line, path) for line in _script(command, machine)):
                    return ActiveSchedule(True, kind)
        except Exception:  # noqa: BLE001  # a hint only: nothing on a machine may stop the command that gives it
            is_known = False
    return ActiveSchedule(False) if is_known else UNKNOWN


def has_scheduler(machine: Machine | None = None) -> bool:
    """Return whether ``schedule install`` has anything to work with on this machine."""
    import shutil

    machine = machine or this_machine()
    is_unix = machine.platform not in {"darwin", "win32"}
    return not is_unix or runs_systemd(machine) or shutil.which("crontab") is not None


def _renews(command: str, config: str) -> bool:
    """Return whether a command line renews the certificates of a configuration."""
    for match in _COMMAND.finditer(command):
        words = _words(match[1])
        if _WORKS & set(words) and "--dry-run" not in words:
            named = _named_config(words)
            if named is None or not _is_absolute(named) or os.path.realpath(os.path.expanduser(named)) == config:
                return True
    return False


def _is_absolute(path: str) -> bool:
    """Return whether a path is the same for each process, on any system; the folder of another one is not known."""
    return path.startswith(("/", "~")) or path[1:2] == ":"


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text.replace("\\", "\\\\") if ":\\" in text else text)  # a path of Windows
    except ValueError:
        return text.replace('"', "").replace("'", "").split()


def _script(command: str, machine: Machine) -> Iterator[str]:
    """Give the lines of the script that a command runs: a person may have put the call of dnsrenew into one."""
    for word in command.split()[:_MOST_WORDS]:
        path = word.lstrip("-@:+!\"'").rstrip("\"'")
        if path.startswith("/"):
            yield from lines(read(machine.root / path[1:], only=b"#!"))


def _named_config(words: Sequence[str]) -> str | None:
    for index, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag == "--config":
            return value if equals else next(iter(words[index + 1 :]), None)
    return None
