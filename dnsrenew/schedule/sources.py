"""Where a machine keeps the commands that it runs by itself, by platform: timers, crontabs, agents, tasks, processes.

Each function gives command lines, whatever they run. What cannot be read is left out.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.schedule.machine import Machine, entries, is_ours_or_root_s, lines, read, runs_systemd

if TYPE_CHECKING:
    from pathlib import Path

_SYSTEM_UNITS: Final = (
    *("etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system"),
    *("usr/lib/systemd/system", "lib/systemd/system"),
)
_USER_UNITS: Final = ("etc/systemd/user", "usr/local/lib/systemd/user", "usr/lib/systemd/user")
_HOME_UNITS: Final = (".config/systemd/user", ".local/share/systemd/user")
_CRONTABS: Final = ("etc/crontab", "etc/anacrontab")
_CRON_FOLDERS: Final = tuple(f"etc/cron.{each}" for each in ("d", "hourly", "daily", "weekly"))
_AGENTS: Final = ("Library/LaunchDaemons", "Library/LaunchAgents")
_TASKS: Final = "Windows/System32/Tasks"


# ── systemd ─────────────────────────────────────────────────────────────────────────────


def _systemd(machine: Machine) -> Iterator[str]:
    """Give the commands of the services that are enabled or running, or that such a timer starts."""
    if not runs_systemd(machine):
        return  # its files are there, and it does not run
    system = [machine.root / folder for folder in _SYSTEM_UNITS]
    user = [*(machine.home / folder for folder in _HOME_UNITS), *(machine.root / folder for folder in _USER_UNITS)]
    for folders, control in ((system, ("systemctl",)), (user, ("systemctl", "--user"))):
        enabled = {unit.name: unit for folder in folders for unit in _enabled(folder)}
        for unit in enabled.values():
            yield from _commands(unit, folders)
        for unit in _units(folders[0]):  # where people write theirs
            commands = [] if unit.name in enabled else list(_commands(unit, folders))
            if any("dnsrenew" in command for command in commands):
                running = machine.output(*control, "is-active", unit.name).startswith("active")
                yield from commands if running else ()


def _enabled(folder: Path) -> Iterator[Path]:
    for wanting in entries(folder):
        if wanting.suffix in {".wants", ".requires"}:
            yield from _units(wanting)


def _units(folder: Path) -> list[Path]:
    return [unit for unit in entries(folder) if unit.suffix in {".timer", ".service"}]


def _commands(unit: Path, folders: Sequence[Path]) -> Iterator[str]:
    """Give what a service runs, or the service that a timer starts."""
    text = read(unit)
    if unit.suffix == ".timer":
        service = next(_values(text, "Unit"), f"{unit.stem}.service")
        text = next(filter(None, (read(folder / service) for folder in folders)), "")
    for command in _values(text, "ExecStart"):
        yield command.replace("%%", "%").replace("$$", "$")


def _values(unit: str, key: str) -> Iterator[str]:
    """Give the values of a key of a unit file."""
    for line in unit.replace("\\\n", " ").splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip() == key:
            yield value.strip()


# ── cron ────────────────────────────────────────────────────────────────────────────────


def _cron(machine: Machine) -> Iterator[str]:
    """Give the lines of the system's crontabs and scripts, and of the user's crontab."""
    folders = [file for folder in _CRON_FOLDERS for file in entries(machine.root / folder)]
    texts = [read(file) for file in (*(machine.root / each for each in _CRONTABS), *folders)]
    for text in (*texts, machine.output("crontab", "-l")):
        yield from (line.replace("\\%", "%") for line in lines(text))


# ── launchd, Task Scheduler ─────────────────────────────────────────────────────────────


def _launchd(machine: Machine) -> Iterator[str]:
    """Give the commands of the agents and daemons that are not disabled."""
    import plistlib

    for folder in (*(machine.root / each for each in _AGENTS), machine.home / _AGENTS[1]):
        for file in entries(folder):
            try:
                job = plistlib.loads(file.read_bytes())
                if not job.get("Disabled"):
                    yield shlex.join([*filter(None, [job.get("Program")]), *job.get("ProgramArguments", ())])
            except (OSError, ValueError, TypeError, AttributeError, plistlib.InvalidFileException):
                continue  # it is not a job, or it is another user's


def _windows(machine: Machine) -> Iterator[str]:
    """Give the commands of the tasks that this user can read."""
    import html

    folder = machine.root / _TASKS  # an ordinary user cannot list it, but can read his own tasks
    files = [file for file in entries(folder) if file.is_file()] or [folder / "dnsrenew"]
    for file in files:
        task = html.unescape(read(file))
        commands = re.findall(r"<Command>(.*?)</Command>", task)
        arguments = re.findall(r"<Arguments>(.*?)</Arguments>", task)
        yield from (f"{command.strip(chr(34))} {given}" for command, given in zip(commands, arguments, strict=False))


# ── a running dnsrenew run ──────────────────────────────────────────────────────────────


def _processes(machine: Machine) -> Iterator[str]:
    """Give the command lines of the processes of this user, and of root, that are a ``dnsrenew run``."""
    for process in entries(machine.root / "proc"):
        if process.name.isdecimal() and is_ours_or_root_s(process):
            yield from _running(read(process / "cmdline").rstrip("\0").split("\0"))


def _listed_processes(machine: Machine) -> Iterator[str]:
    for line in machine.output("ps", "-axo", "command=").splitlines():
        yield from _running(line.split(" "))


def _running(words: Sequence[str]) -> Iterator[str]:
    """Give the command line of a process if it is a ``dnsrenew run``: the program itself, or Python with it."""
    for index, word in enumerate(words[:4]):
        if word.rpartition("/")[2] == "dnsrenew":
            if "run" in words[index:]:
                yield shlex.join(["dnsrenew", *words[index + 1 :]])
            return


Source = Callable[[Machine], Iterator[str]]
_UNIX: Final[Sequence[tuple[str, Source]]] = (("systemd", _systemd), ("cron", _cron), ("run", _processes))
_SOURCES: Final[Mapping[str, Sequence[tuple[str, Source]]]] = {
    "darwin": (("launchd", _launchd), ("cron", _cron), ("run", _listed_processes)),
    "win32": (("windows", _windows),),
}
"""Where to look, by platform."""


def sources(platform: str) -> Sequence[tuple[str, Source]]:
    """Return the kinds of schedule of a platform, each with the function that gives its commands."""
    return _SOURCES.get(platform, _UNIX)
