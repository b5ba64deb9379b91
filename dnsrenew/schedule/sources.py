"""Where a machine keeps the commands that it runs by itself, by platform: timers, crontabs, agents, tasks, processes.

Each function gives commands, whatever they run. What cannot be read is left out.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.users import home_of
from dnsrenew.config.locate import VARIABLE
from dnsrenew.schedule.found_command import FoundCommand
from dnsrenew.schedule.machine import Machine, entries, lines, read, runs_systemd

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
_CRON_TIMES: Final = 5
"""The fields of a crontab before the user, or before the command in a user's own; one if it is ``@daily``."""
_CRON_DIGITS: Final = frozenset("0123456789*")
_CRON_VARIABLE: Final = re.compile(r"""\s*["']?(\w+)["']?\s*=\s*(.*?)\s*$""")
_DECIDES: Final = re.compile(rf"{VARIABLE}|XDG_|HOME=")
"""Variables of a unit that decide which configuration is found."""
_ROOT: Final = "root"
RUN: Final = "run"
"""The kind of a running ``dnsrenew run``."""


# ── systemd ─────────────────────────────────────────────────────────────────────────────


def _systemd(machine: Machine) -> Iterator[FoundCommand]:
    """Give the commands of the services that are enabled or running, or that such a timer starts."""
    if not runs_systemd(machine):
        return  # its files are there, and it does not run
    system = [machine.root / folder for folder in _SYSTEM_UNITS]
    user = [*(machine.home / folder for folder in _HOME_UNITS), *(machine.root / folder for folder in _USER_UNITS)]
    for folders, control in ((system, ("systemctl",)), (user, ("systemctl", "--user"))):
        home = "" if folders is system else str(machine.home)
        enabled = {unit.name: unit for folder in folders for unit in _enabled(folder)}
        for unit in enabled.values():
            yield from _commands(unit, folders, home)
        for unit in _units(folders[0]):  # where people write theirs
            commands = [] if unit.name in enabled else list(_commands(unit, folders, home))
            if any("dnsrenew" in command.line for command in commands):
                running = machine.output(*control, "is-active", unit.name).startswith("active")
                yield from commands if running else ()


def _enabled(folder: Path) -> Iterator[Path]:
    for wanting in entries(folder):
        if wanting.suffix in {".wants", ".requires"}:
            yield from _units(wanting)


def _units(folder: Path) -> list[Path]:
    return [unit for unit in entries(folder) if unit.suffix in {".timer", ".service"}]


def _commands(unit: Path, folders: Sequence[Path], home: str) -> Iterator[FoundCommand]:
    """Give what a service runs, or the service that a timer starts.

    :param home: of the user whose unit it is; "" for a unit of the system.
    """
    text, service = read(unit), unit.name
    if unit.suffix == ".timer":
        service = next(_values(text, "Unit"), f"{unit.stem}.service")
        text = next(filter(None, (read(folder / service) for folder in folders)), "")
    changed = any((folder / f"{service}.d").is_dir() for folder in folders)  # `systemctl edit` may have changed these
    folder, environ = (None, None) if changed else _surroundings(text, home)
    for command in _values(text, "ExecStart"):
        yield FoundCommand(command.replace("%%", "%").replace("$$", "$"), folder, environ)


def _surroundings(unit: str, user_home: str) -> tuple[str | None, Mapping[str, str] | None]:
    """Return the folder and the environment of a service; None for what its file does not tell."""
    home = user_home or home_of(next(_values(unit, "User"), _ROOT))
    folder = next(_values(unit, "WorkingDirectory"), user_home or "/").removeprefix("-")
    folder = home if folder == "~" else folder
    set_here = " ".join([*_values(unit, "Environment"), *_values(unit, "PassEnvironment")])
    is_known = home and not _DECIDES.search(set_here) and not any(_values(unit, "EnvironmentFile"))
    return (folder if folder.startswith("/") else None), ({"HOME": home} if is_known else None)


def _values(unit: str, key: str) -> Iterator[str]:
    """Give the values of a key of a unit file."""
    for line in unit.replace("\\\n", " ").splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip() == key:
            yield value.strip()


# ── cron ────────────────────────────────────────────────────────────────────────────────


def _cron(machine: Machine) -> Iterator[FoundCommand]:
    """Give the lines of the system's crontabs and scripts, and of the user's crontab."""
    for crontab in (*(machine.root / each for each in _CRONTABS), *entries(machine.root / _CRON_FOLDERS[0])):
        yield from _entries(read(crontab))
    for folder in _CRON_FOLDERS[1:]:
        for script in entries(machine.root / folder):
            yield from (FoundCommand(line) for line in lines(read(script)))
    yield from _entries(machine.output("crontab", "-l"), str(machine.home))


def _entries(crontab: str, user_home: str = "") -> Iterator[FoundCommand]:
    """Give the commands of a crontab. Cron starts each in the home folder of its user, or in ``HOME`` of the crontab.

    :param user_home: of the user whose crontab it is; "": each line of it names a user.
    """
    given: dict[str, str] = {}
    for line in lines(crontab):
        if variable := _CRON_VARIABLE.fullmatch(line):
            given[variable[1]] = variable[2].strip("\"'")
            continue
        fields = line.split()
        user = fields[_CRON_TIMES if line.lstrip()[:1] in _CRON_DIGITS else 1 :][:1]
        home = given.get("HOME") or user_home or (home_of(user[0]) if user else "")
        environ = {**given, "HOME": home} if home else None
        yield FoundCommand(line.replace("\\%", "%"), home or None, environ)


# ── launchd, Task Scheduler ─────────────────────────────────────────────────────────────


def _launchd(machine: Machine) -> Iterator[FoundCommand]:
    """Give the commands of the agents and daemons that are not disabled."""
    import plistlib

    for folder in (*(machine.root / each for each in _AGENTS), machine.home / _AGENTS[1]):
        for file in entries(folder):
            try:
                job = plistlib.loads(file.read_bytes())
                if not job.get("Disabled"):
                    yield _job(job, "" if folder.name == "LaunchDaemons" else str(machine.home))
            except (OSError, ValueError, TypeError, AttributeError, plistlib.InvalidFileException):
                continue  # it is not a job, or it is another user's


def _job(job: Mapping[str, Any], user_home: str) -> FoundCommand:
    """Return the command of a job of launchd.

    :param user_home: of the user whose agent it is; "" for a daemon.
    """
    line = shlex.join([*filter(None, [job.get("Program")]), *job.get("ProgramArguments", ())])
    home = user_home or home_of(job.get("UserName", _ROOT))
    environ = {"HOME": home, **job.get("EnvironmentVariables", {})} if home else None
    return FoundCommand(line, str(job.get("WorkingDirectory", "/")), environ)


def _windows(machine: Machine) -> Iterator[FoundCommand]:
    """Give the commands of the tasks that this user can read."""
    import html

    folder = machine.root / _TASKS  # an ordinary user cannot list it, but can read his own tasks
    files = [file for file in entries(folder) if file.is_file()] or [folder / "dnsrenew"]
    for file in files:
        task = html.unescape(read(file))
        commands = re.findall(r"<Command>(.*?)</Command>", task)
        arguments = re.findall(r"<Arguments>(.*?)</Arguments>", task)
        for command, given in zip(commands, arguments, strict=False):
            yield FoundCommand(f"{command.strip(chr(34))} {given}")


# ── a running dnsrenew run ──────────────────────────────────────────────────────────────


def _processes(machine: Machine) -> Iterator[FoundCommand]:
    """Give the command lines of the processes of this user, and of root, that are a ``dnsrenew run``."""
    for process in entries(machine.root / "proc"):
        if process.name.isdecimal():
            yield from _of_process(read(process / "cmdline").rstrip("\0").split("\0"), int(process.name), machine)


def _listed_processes(machine: Machine) -> Iterator[FoundCommand]:
    for listed in machine.output("ps", "-axo", "pid=,command=").splitlines():
        pid, *words = listed.split()
        yield from _of_process(words, int(pid), machine)


def _of_process(words: Sequence[str], pid: int, machine: Machine) -> Iterator[FoundCommand]:
    for line in _running(words):
        seen = machine.view(pid)
        if seen is None:
            continue
        environ = seen.environ
        if environ is not None and not environ.get("HOME"):
            environ = {**environ, "HOME": home_of(seen.user)} if home_of(seen.user) else None
        yield FoundCommand(line, seen.folder, environ)


def _running(words: Sequence[str]) -> Iterator[str]:
    """Give the command line of a process if it is a ``dnsrenew run``: the program itself, or Python with it."""
    for index, word in enumerate(words[:4]):
        if word.rpartition("/")[2] == "dnsrenew":
            if "run" in words[index:]:
                yield shlex.join(["dnsrenew", *words[index + 1 :]])
            return


Source = Callable[[Machine], Iterator[FoundCommand]]
_UNIX: Final[Sequence[tuple[str, Source]]] = (("systemd", _systemd), ("cron", _cron), (RUN, _processes))
_SOURCES: Final[Mapping[str, Sequence[tuple[str, Source]]]] = {
    "darwin": (("launchd", _launchd), ("cron", _cron), (RUN, _listed_processes)),
    "win32": (("windows", _windows),),
}
"""Where to look, by platform."""


def sources(platform: str) -> Sequence[tuple[str, Source]]:
    """Return the kinds of schedule of a platform, each with the function that gives its commands."""
    return _SOURCES.get(platform, _UNIX)
