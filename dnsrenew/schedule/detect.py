"""Whether anything on this machine runs dnsrenew by itself: what ``schedule install`` wrote, or a person by hand.

It reads files, and runs a program only where the system hides its files, with a time limit. It never fails: what cannot
be found out is unknown.
"""

from __future__ import annotations

import html
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from dnsrenew.base.values import Frozen

_SECONDS: Final = 1.0
"""The time limit of a program; each takes a few milliseconds."""
_LARGEST: Final = 1 << 18
"""Bytes read of a file."""
_MOST_WORDS: Final = 10
"""The first words of a command that can be a script; a line of a crontab begins with a time and a user."""
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


def _output(*arguments: str) -> str:
    """Return what a program prints, "" if it fails or does not exist.

    :raises TimeoutError: it takes too long.
    """
    from dnsrenew.base import subprocesses

    try:
        done = subprocesses.run(arguments, env=subprocesses.environment(), seconds=_SECONDS, limit=_LARGEST)
    except OSError:
        return ""
    if done.status is None:
        raise TimeoutError
    return "" if done.status else done.output.decode(errors="replace")


class Machine(Frozen):
    """Where a machine keeps its schedules.

    :ivar root: the folder that stands for ``/``, on Windows the system's drive.
    :ivar home: the user's home folder.
    :ivar platform: as ``sys.platform``.
    :ivar output: runs a program and returns what it prints.
    """

    root: Path
    home: Path
    platform: str = sys.platform
    output: Callable[..., str] = _output


def this_machine() -> Machine:
    """Return the machine that this process runs on."""
    root = os.environ.get("SYSTEMDRIVE", "C:") + "\\" if sys.platform == "win32" else "/"
    return Machine(Path(root), Path(os.path.expanduser("~")))


def detect(config: str | os.PathLike[str], machine: Machine | None = None) -> ActiveSchedule:
    """Return what runs ``dnsrenew renew`` for a configuration by itself, or keeps ``dnsrenew run`` running.

    A command that names another configuration does not count; one that names none does.
    """
    machine, path = machine or this_machine(), os.path.realpath(config)
    is_known = machine.platform != "win32"  # there, only an administrator can read all tasks
    for kind, commands in _SOURCES.get(machine.platform, _UNIX):
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
    return not is_unix or _runs_systemd(machine) or shutil.which("crontab") is not None


def _runs_systemd(machine: Machine) -> bool:
    return (machine.root / "run/systemd/system").is_dir()


def _renews(command: str, config: str) -> bool:
    """Return whether a command line renews the certificates of a configuration."""
    for match in _COMMAND.finditer(command):
        words = _words(match[1])
        if _WORKS & set(words) and "--dry-run" not in words:
            named = _named_config(words)
            if named is None or os.path.realpath(os.path.expanduser(named)) == config:
                return True
    return False


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
            yield from _lines(_read(machine.root / path[1:], only=b"#!"))


def _lines(text: str) -> Iterator[str]:
    return (line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _named_config(words: Sequence[str]) -> str | None:
    for index, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag == "--config":
            return value if equals else next(iter(words[index + 1 :]), None)
    return None


# ── systemd ─────────────────────────────────────────────────────────────────────────────


def _systemd(machine: Machine) -> Iterator[str]:
    """Give the commands of the services that are enabled, or that an enabled timer starts."""
    if not _runs_systemd(machine):
        return  # its files are there, and it does not run
    system = [machine.root / folder for folder in _SYSTEM_UNITS]
    user = [*(machine.home / folder for folder in _HOME_UNITS), *(machine.root / folder for folder in _USER_UNITS)]
    for folders in (system, user):
        for unit in _enabled(folders):
            text = _read(unit)
            service = unit.name
            if unit.suffix == ".timer":
                service = next(_values(text, "Unit"), f"{unit.stem}.service")
                text = next(filter(None, (_read(folder / service) for folder in folders)), "")
            for command in _values(text, "ExecStart"):
                yield command.replace("%%", "%").replace("$$", "$")


def _enabled(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        for wanting in _entries(folder):
            if wanting.suffix in {".wants", ".requires"}:
                yield from (unit for unit in _entries(wanting) if unit.suffix in {".timer", ".service"})


def _values(unit: str, key: str) -> Iterator[str]:
    """Give the values of a key of a unit file."""
    for line in unit.replace("\\\n", " ").splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip() == key:
            yield value.strip()


# ── cron ────────────────────────────────────────────────────────────────────────────────


def _cron(machine: Machine) -> Iterator[str]:
    """Give the lines of the system's crontabs and scripts, and of the user's crontab."""
    folders = [file for folder in _CRON_FOLDERS for file in _entries(machine.root / folder)]
    texts = [_read(file) for file in (*(machine.root / each for each in _CRONTABS), *folders)]
    for text in (*texts, machine.output("crontab", "-l")):
        yield from (line.replace("\\%", "%") for line in _lines(text))


# ── launchd, Task Scheduler ─────────────────────────────────────────────────────────────


def _launchd(machine: Machine) -> Iterator[str]:
    """Give the commands of the agents and daemons that are not disabled."""
    import plistlib

    for folder in (*(machine.root / each for each in _AGENTS), machine.home / _AGENTS[1]):
        for file in _entries(folder):
            try:
                job = plistlib.loads(file.read_bytes())
                if not job.get("Disabled"):
                    yield shlex.join([*filter(None, [job.get("Program")]), *job.get("ProgramArguments", ())])
            except (OSError, ValueError, TypeError, AttributeError, plistlib.InvalidFileException):
                continue  # it is not a job, or it is another user's


def _windows(machine: Machine) -> Iterator[str]:
    """Give the commands of the tasks that this user can read, and of ours."""
    files = [file for file in _entries(machine.root / _TASKS) if file.is_file()]
    for file in (*files, machine.home / "AppData/Local/dnsrenew/schedule.xml"):
        task = html.unescape(_read(file))
        commands = re.findall(r"<Command>(.*?)</Command>", task)
        arguments = re.findall(r"<Arguments>(.*?)</Arguments>", task)
        yield from (f"{command.strip(chr(34))} {given}" for command, given in zip(commands, arguments, strict=False))


# ── a running dnsrenew run ──────────────────────────────────────────────────────────────


def _processes(machine: Machine) -> Iterator[str]:
    """Give the command lines of the processes that are a ``dnsrenew run``."""
    for process in _entries(machine.root / "proc"):
        if process.name.isdecimal():
            yield from _running(_read(process / "cmdline").rstrip("\0").split("\0"))


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


_UNIX: Final = (("systemd", _systemd), ("cron", _cron), ("run", _processes))
_SOURCES: Final = {
    "darwin": (("launchd", _launchd), ("cron", _cron), ("run", _listed_processes)),
    "win32": (("windows", _windows),),
}
"""Where to look, by platform."""


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder; nothing if it cannot be listed."""
    try:
        return [folder / name for name in sorted(os.listdir(folder))]
    except OSError:
        return []


def _at_once(path: str, flags: int) -> int:
    """Open a file, without waiting for a writer if it is a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read(file: Path, only: bytes = b"") -> str:
    """Return the text of a file; "" if it cannot be read, or does not begin with ``only``."""
    try:
        with open(file, "rb", opener=_at_once) as stream:
            data = stream.read(len(only))
            data += stream.read(_LARGEST) if data == only else b""
    except OSError:
        return ""
    return data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8", errors="replace")
