"""Whether this machine runs dnsrenew automatically, by ``schedule install`` or by an entry that a person made.

It reads files, and runs a program (with a time limit) only if the system hides its files. It never fails: anything that
cannot be found out is unknown.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.clock import unit_seconds
from dnsrenew.base.users import home_of
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config.sources import VARIABLE, search
from dnsrenew.errors import ConfigError
from dnsrenew.schedule import machine as host

# ── found command ──────────────────────────────────────────────────────────────────────

# A command that a machine runs automatically, and whether it renews the certificates of a configuration.
#
# A command that names no configuration finds one from its folder and its environment, if these are known.

_COMMAND: Final = re.compile(r"""(?:^|[\s/\\"'=;&|(>])dnsrenew(?:\.exe)?["']?\s+((?:"[^"]*"|'[^']*'|[^;&|\n<])*)""")
"""The program in a command line, and its arguments."""
_LONGEST: Final = 4096
"""The maximum length of a line. A longer line was not written by a person, and would take long to parse."""
_ELSEWHERE: Final = re.compile(
    r"(?<![\w-])(?:cd|pushd|env|export|source|su|sudo|doas|runuser|setpriv|chroot|nsenter|docker|podman|ssh)(?![\w-])"
)
"""Commands before the program that give it another folder, environment, user or machine."""
_SETS: Final = re.compile(rf"(?<!\w){VARIABLE}=(\"[^\"]*\"|'[^']*'|[^\s;&|]*)")
_EXPANDED: Final = ("$", "%", "`")
"""The beginnings of words that a shell or systemd replaces, such as ``$HOME/x`` and ``%h/x``."""
_WORKS: Final = frozenset({"renew", "run"})
OPTIONS_WITH_VALUE: Final = frozenset({"--config", "--interval", "--jitter", "--lang", "--wait", "--workers"})
"""The options of these commands whose value may be the next word, which is then not a name of a certificate."""
_REDIRECTS: Final = re.compile(r"\d*>+")


class FoundCommand(Frozen):
    """A command line, with the known properties of the process that it starts.

    :ivar folder: its current folder at the start; None if unknown.
    :ivar environ: the environment variables that decide which configuration it finds; None if unknown.
    :ivar halt: returns why the machine does not run it, or None if it does or this is unknown.
    :ivar name: the name of the unit, file, job or task that has it; "" if unknown.
    :ivar stop: the command that stops its unit; "" without a unit.
    """

    line: str
    folder: str | None = None
    environ: Mapping[str, str] | None = None
    halt: Callable[[], host.Halt | None] = lambda: None
    name: str = ""
    stop: str = ""

    def renews(self, config: str, names: Collection[str] = ()) -> bool | None:
        """Return whether it renews the certificates of a configuration; None if it may renew another's.

        :param names: the names of these certificates; if the command leaves out one, the answer is False. Empty if
            unknown.
        """
        if len(self.line) > _LONGEST:
            return False
        # the first three calls of a line
        answers = [self._reads(match, config, names) for match in islice(_COMMAND.finditer(self.line), 3)]
        return True if True in answers else None if None in answers else False

    def _reads(self, match: re.Match[str], config: str, names: Collection[str]) -> bool | None:
        before = self.line[: match.start()]
        words = _words(_within_quotes(self.line[: match.start(1)], match[1]))
        if not _WORKS & set(words) or "--dry-run" in words or not _covers(list(_named(words)), names):
            return False
        is_elsewhere = _ELSEWHERE.search(before) is not None
        folder, environ = (None, None) if is_elsewhere else (self.folder, self.environ)
        given = _named_config(words)
        if given is None and (variables := _SETS.findall(before)):
            given = "".join(_words(variables[-1])[:1])
        given = given or (environ or {}).get(VARIABLE)
        if not given:
            return None if folder is None or environ is None else _finds(folder, environ, config)
        return _names(given, folder, environ, config)


def _within_quotes(before: str, arguments: str) -> str:
    """Return arguments up to the quote that closes a command, as in ``su -c "dnsrenew renew" joe``."""
    for quote in "\"'":
        if before.count(quote) % 2:
            return arguments.partition(quote)[0]
    return arguments


def _named(words: Sequence[str]) -> Iterator[str]:
    """Yield the certificates and patterns that a command names. A name in a variable is unknown."""
    left = deque(words)
    while left:
        word = left.popleft()
        if word.startswith("#"):
            return
        if redirect := _REDIRECTS.match(word):
            if redirect.end() == len(word) and left:
                left.popleft()
        elif word in OPTIONS_WITH_VALUE and left and (word != "--wait" or left[0][:1].isdecimal()):
            if left.popleft().isdecimal() and left and len(left[0]) > 1 and unit_seconds(left[0]):  # "14 days"
                left.popleft()
        elif word not in _WORKS and not word.startswith(("-", *_EXPANDED)):
            yield word


def _covers(given: Collection[str], names: Collection[str]) -> bool:
    """Return whether a command includes all certificates. A command without names means all."""
    patterns = [each.lower() for each in given]
    return not patterns or all(any(fnmatchcase(name, pattern) for pattern in patterns) for name in names)


def _names(given: str, folder: str | None, environ: Mapping[str, str] | None, config: str) -> bool | None:
    """Return whether a path names the configuration; None if this depends on unknown facts."""
    path = os.path.expanduser(given)
    home = None if environ is None else environ.get("HOME")
    if given.startswith("~/") and home:
        path = os.path.join(home, given[2:])
    if not path.startswith(("/", "~")) and path[1:2] != ":":  # it depends on the process
        if folder is None or path.startswith(_EXPANDED):
            return None
        path = os.path.join(folder, path)
    return os.path.realpath(path) == config


def _finds(folder: str, environ: Mapping[str, str], config: str) -> bool | None:
    """Return whether a process without ``--config`` finds the configuration; None if it finds no configuration."""
    try:
        path, _ = search(None, environ, folder)
    except ConfigError:
        return None
    return os.path.realpath(path) == config


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text.replace("\\", "\\\\") if ":\\" in text else text)  # a Windows path
    except ValueError:
        return text.replace('"', "").replace("'", "").split()


def _named_config(words: Sequence[str]) -> str | None:
    for index, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag == "--config":
            return value if equals else next(iter(words[index + 1 :]), None)
    return None


# ── detect ─────────────────────────────────────────────────────────────────────────────


class RunningSchedule(Frozen):
    """A running schedule of dnsrenew, or of certbot for the same names.

    :ivar kind: the kind, as in :class:`ActiveSchedule`.
    :ivar name: the name of its unit or file.
    :ivar program: ``dnsrenew`` or ``certbot``.
    :ivar stop: the command that stops it; "" if a line must be removed instead.
    """

    kind: str
    name: str
    program: str
    stop: str


class ActiveSchedule(Frozen, uncompared=("remembered", "name", "running")):
    """The schedule that runs dnsrenew.

    :ivar installed: None if unknown.
    :ivar kind: ``systemd``, ``cron``, ``launchd``, ``windows``, or ``run`` for a running ``dnsrenew run``.
    :ivar halt: why it does not run although it is installed; None if it runs or this is unknown.
    :ivar remembered: whether the store remembers its runs, because it calls ``renew --scheduled`` or may do so.
    :ivar name: the name of its unit, file, job or task; "" for a running ``dnsrenew run``.
    :ivar running: all running schedules, if requested.
    """

    installed: bool | None
    kind: str | None = None
    halt: host.Halt | None = None
    remembered: bool = True
    name: str = ""
    running: tuple[RunningSchedule, ...] = ()

    def others(self) -> list[RunningSchedule]:
        """Return the other schedules that run beside it."""
        return [each for each in self.running if each.name != self.name]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        running = None if self.installed is None else self.installed and self.halt is None
        others = [{"kind": each.kind, "name": each.name, "program": each.program} for each in self.others()]
        name = self.name or None
        return {"installed": self.installed, "kind": self.kind, "name": name, "running": running, "others": others}


UNKNOWN: Final = ActiveSchedule(None)


def detect(
    config: str | Path, on: host.Machine | None = None, *, names: Collection[str] = (), beside: Collection[str] = ()
) -> ActiveSchedule:
    """Return the schedule that runs ``dnsrenew renew`` for a configuration, or the running ``dnsrenew run``.

    A command that reads another configuration, or leaves out a certificate of this one, does not count. A command with
    an unknown configuration counts if it is in a timer or a crontab. A running process with an unknown configuration
    makes the answer unknown, because any number of them may run.

    :param on: the machine; None for this one.
    :param names: the names of the configured certificates; empty if unknown.
    :param beside: also find other schedules that run beside it, and certbot's if it has one of these names.
    """
    machine, path = on or host.this_machine(), os.path.realpath(config)
    is_known = machine.platform != "win32"  # on Windows, only an administrator can read all tasks
    found: list[ActiveSchedule] = []
    running: list[RunningSchedule] = []
    for kind, commands in _SOURCES.get(machine.platform, _UNIX):
        try:
            for command in commands(machine):
                answer = command.renews(path, names)
                if answer or (kind != RUN and (answer is None or _script_renews(command, machine, path, names))):
                    remembered = kind != RUN and ("--scheduled" in command.line or "dnsrenew" not in command.line)
                    found.append(ActiveSchedule(True, kind, command.halt(), remembered, command.name))
                    if found[-1].halt is None and not beside:
                        return found[-1]
                    if found[-1].halt is None and kind != RUN:  # a person may let that one run for a test
                        running.append(RunningSchedule(kind, command.name, "dnsrenew", command.stop))
                elif beside and _is_certbots(command, machine, beside):
                    running.append(RunningSchedule(kind, command.name, "certbot", command.stop))
                is_known = is_known and answer is not None
        except Exception:  # noqa: BLE001  # a hint only: no state of a machine may stop the command that gives it
            is_known = False
    first = min(found, key=lambda each: each.halt is not None, default=ActiveSchedule(False) if is_known else UNKNOWN)
    return replace(first, running=tuple(dict.fromkeys(running)))


_CERTBOT: Final = re.compile(r"""(?:^|[\s/"'])certbot["']?(?:\.renew|\s+(?:-\S+\s+)*renew)(?!\S)""")
_COPY: Final = re.compile(r"-\d{4}$")
"""The suffix that certbot adds to a name that already exists."""


def _is_certbots(command: FoundCommand, machine: host.Machine, names: Collection[str]) -> bool:
    """Return whether a command makes certbot renew a certificate of one of these names, and is not stopped."""
    if len(command.line) > _LONGEST or not _CERTBOT.search(command.line):
        return False
    # As in Debian's cron entry for certbot, which does nothing if systemd runs.
    if "-d /run/systemd/system" in command.line and host.runs_systemd(machine):
        return False
    files = host.entries(machine.root / "etc/letsencrypt/renewal")
    lineages = {_COPY.sub("", each.stem) for each in files if each.suffix == ".conf"}
    return bool(lineages & set(names)) and command.halt() is None


def has_scheduler(machine: host.Machine | None = None) -> bool:
    """Return whether this machine has a scheduler that ``schedule install`` can use."""
    machine = machine or host.this_machine()
    is_unix = machine.platform not in {"darwin", "win32"}
    return not is_unix or host.runs_systemd(machine) or shutil.which("crontab") is not None


def _script_renews(command: FoundCommand, machine: host.Machine, config: str, names: Collection[str]) -> bool:
    """Return whether the script that a command runs renews, if this can be determined."""
    return any(FoundCommand(line).renews(config, names) is not False for line in _script(command.line, machine))


def _script(command: str, machine: host.Machine) -> Iterator[str]:
    """Yield the lines of the script that a command runs, because a person may have put the call of dnsrenew into it."""
    # One of the first words is the script. A line of a crontab begins with a time and a user.
    for word in command.split()[:10]:
        path = word.lstrip("-@:+!\"'").rstrip("\"'")
        if path.startswith("/"):
            yield from host.lines(host.read(machine.root / path[1:], only=b"#!"))


# ── sources ────────────────────────────────────────────────────────────────────────────

# The places of the automatic commands of a machine, by platform: timers, crontabs, agents, tasks, processes.
#
# Each function yields all commands. Unreadable ones are left out.

_USER_UNITS: Final = ("etc/systemd/user", "usr/local/lib/systemd/user", "usr/lib/systemd/user")
_CRON_FOLDERS: Final = tuple(f"etc/cron.{each}" for each in ("d", "hourly", "daily", "weekly"))
_AGENTS: Final = ("Library/LaunchDaemons", "Library/LaunchAgents")
_CRON_TIMES: Final = 5
"""The number of fields in a crontab before the user, or before the command in a user's own; one if it is ``@daily``."""
_CRON_DIGITS: Final = frozenset("0123456789*")
_CRON_VARIABLE: Final = re.compile(r"""\s*["']?(\w+)["']?\s*=\s*(.*?)\s*$""")
_DECIDES: Final = re.compile(rf"{VARIABLE}|XDG_|HOME=")
"""Variables of a unit that decide which configuration is found."""
_ROOT: Final = "root"
RUN: Final = "run"
"""The kind of a running ``dnsrenew run``."""


# ── systemd ─────────────────────────────────────────────────────────────────────────────


def _systemd(machine: host.Machine) -> Iterator[FoundCommand]:
    """Yield the commands of services that are enabled, running, or started by an enabled or running timer."""
    if not host.runs_systemd(machine):
        return  # its files exist, but it does not run
    system = [machine.root / folder for folder in host.UNIT_FOLDERS]
    user = [*(machine.home / folder for folder in host.HOME_UNITS), *(machine.root / folder for folder in _USER_UNITS)]
    for folders, control in ((system, ("systemctl",)), (user, ("systemctl", "--user"))):
        home = "" if folders is system else str(machine.home)
        enabled = {unit.name: unit for folder in folders for unit in _enabled(folder)}
        for unit in enabled.values():
            halt = partial(host.halt_of_unit, machine, unit.name, user=bool(home))
            yield from _commands(unit, folders, home, halt)
        for unit in _units(folders[0]):  # the folder for units of the administrator or user
            commands = [] if unit.name in enabled else list(_commands(unit, folders, home))
            if any("dnsrenew" in command.line for command in commands):
                running = machine.output(*control, "is-active", unit.name).startswith("active")
                yield from commands if running else ()


def _enabled(folder: Path) -> Iterator[Path]:
    for wanting in host.entries(folder):
        if wanting.suffix in {".wants", ".requires"}:
            yield from _units(wanting)


def _units(folder: Path) -> list[Path]:
    return [unit for unit in host.entries(folder) if unit.suffix in {".timer", ".service"}]


def _commands(
    unit: Path, folders: Sequence[Path], home: str, halt: Callable[[], host.Halt | None] = lambda: None
) -> Iterator[FoundCommand]:
    """Yield the commands of a service, or of the service that a timer starts.

    :param home: the home folder of the unit's user; "" for a unit of the system.
    :param halt: returns why it does not run; not called for a service that ends, such as one at boot.
    """
    text, service = host.read(unit), unit.name
    if unit.suffix == ".timer":
        service = next(_values(text, "Unit"), f"{unit.stem}.service")
        text = next(filter(None, (host.read(folder / service) for folder in folders)), "")
    changed = any((folder / f"{service}.d").is_dir() for folder in folders)  # `systemctl edit` may have changed these
    folder, environ = (None, None) if changed else _surroundings(text, home)
    ends = unit.suffix == ".service" and "oneshot" in _values(text, "Type")
    for command in _values(text, "ExecStart"):
        line = command.replace("%%", "%").replace("$$", "$")
        control = f"systemctl {'--user ' if home else ''}disable --now {unit.name}"
        stop = control if home else host.as_root(control)
        yield FoundCommand(line, folder, environ, (lambda: None) if ends else halt, unit.name, stop)


def _surroundings(unit: str, user_home: str) -> tuple[str | None, Mapping[str, str] | None]:
    """Return the folder and the environment of a service; None for values that its file does not have."""
    home = user_home or home_of(next(_values(unit, "User"), _ROOT))
    folder = next(_values(unit, "WorkingDirectory"), user_home or "/").removeprefix("-")
    folder = home if folder == "~" else folder
    set_here = " ".join([*_values(unit, "Environment"), *_values(unit, "PassEnvironment")])
    is_known = home and not _DECIDES.search(set_here) and not any(_values(unit, "EnvironmentFile"))
    return (folder if folder.startswith("/") else None), ({"HOME": home} if is_known else None)


def _values(unit: str, key: str) -> Iterator[str]:
    """Yield the values of a key of a unit file."""
    for line in unit.replace("\\\n", " ").splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip() == key:
            yield value.strip()


# ── cron ────────────────────────────────────────────────────────────────────────────────


def _cron(machine: host.Machine) -> Iterator[FoundCommand]:
    """Yield the lines of the system's crontabs and scripts, and of the user's crontab."""
    for crontab in (*(machine.root / each for each in host.CRONTABS), *host.entries(machine.root / _CRON_FOLDERS[0])):
        halt = partial(host.halt_of_cron, machine, anacron=crontab.name.startswith(host.ANACRON))
        yield from _entries(host.read(crontab), halt, _shown(crontab, machine))
    for folder in _CRON_FOLDERS[1:]:
        halt = partial(host.halt_of_cron, machine, anacron=folder in {"etc/cron.daily", "etc/cron.weekly"})
        for script in host.entries(machine.root / folder):
            name = _shown(script, machine)
            yield from (FoundCommand(line, halt=halt, name=name) for line in host.lines(host.read(script)))
    yield from _entries(
        machine.output("crontab", "-l"), partial(host.halt_of_cron, machine), "crontab", str(machine.home)
    )


def _shown(file: Path, machine: host.Machine) -> str:
    """Return the path of a file as the machine itself sees it."""
    return f"/{file.relative_to(machine.root).as_posix()}"


def _entries(
    crontab: str, halt: Callable[[], host.Halt | None], name: str, user_home: str = ""
) -> Iterator[FoundCommand]:
    """Yield the commands of a crontab. Cron starts them in the user's home folder, or in ``HOME`` of the crontab.

    :param name: the path of the crontab, or ``crontab`` for the user's own.
    :param user_home: the home folder of the crontab's user; "" if each line names a user.
    """
    given: dict[str, str] = {}
    for line in host.lines(crontab):
        if variable := _CRON_VARIABLE.fullmatch(line):
            given[variable[1]] = variable[2].strip("\"'")
            continue
        fields = line.split()
        user = fields[_CRON_TIMES if line.lstrip()[:1] in _CRON_DIGITS else 1 :][:1]
        home = given.get("HOME") or user_home or (home_of(user[0]) if user else "")
        environ = {**given, "HOME": home} if home else None
        yield FoundCommand(line.replace("\\%", "%"), home or None, environ, halt, name)


# ── launchd, Task Scheduler ─────────────────────────────────────────────────────────────


def _launchd(machine: host.Machine) -> Iterator[FoundCommand]:
    """Yield the commands of the agents and daemons that are not disabled."""
    import plistlib

    for folder in (*(machine.root / each for each in _AGENTS), machine.home / _AGENTS[1]):
        for file in host.entries(folder):
            try:
                job = plistlib.loads(file.read_bytes())
                if not job.get("Disabled"):
                    yield _job(machine, job, "" if folder.name == "LaunchDaemons" else str(machine.home))
            except (OSError, ValueError, TypeError, AttributeError, plistlib.InvalidFileException):
                continue  # not a job, or of another user


def _job(machine: host.Machine, job: Mapping[str, Any], user_home: str) -> FoundCommand:
    """Return the command of a job of launchd.

    :param user_home: the home folder of the agent's user; "" for a daemon.
    """
    line = shlex.join([*filter(None, [job.get("Program")]), *job.get("ProgramArguments", ())])
    home = user_home or home_of(job.get("UserName", _ROOT))
    environ = {"HOME": home, **job.get("EnvironmentVariables", {})} if home else None
    halt = partial(host.halt_of_agent, machine, str(job.get("Label", "")), user=bool(user_home))
    return FoundCommand(line, str(job.get("WorkingDirectory", "/")), environ, halt, str(job.get("Label", "")))


def _windows(machine: host.Machine) -> Iterator[FoundCommand]:
    """Yield the commands of the tasks that this user can read."""
    import html

    folder = machine.root / "Windows/System32/Tasks"  # an ordinary user cannot list it, but can read his own tasks
    files = [file for file in host.entries(folder) if file.is_file()] or [folder / "dnsrenew"]
    for file in files:
        task = html.unescape(host.read(file))
        commands = re.findall(r"<Command>(.*?)</Command>", task)
        arguments = re.findall(r"<Arguments>(.*?)</Arguments>", task)
        settings = re.search(r"<Settings>.*?</Settings>", task, re.DOTALL)
        halt = partial(host.halt_of_task, file.name, enabled=not (settings and "<Enabled>false" in settings[0]))
        for command, given in zip(commands, arguments, strict=False):
            yield FoundCommand(f"{command.strip(chr(34))} {given}", halt=halt, name=file.name)


# ── a running dnsrenew run ──────────────────────────────────────────────────────────────


def _processes(machine: host.Machine) -> Iterator[FoundCommand]:
    """Yield the command lines of the processes of this user, and of root, that are a ``dnsrenew run``."""
    for process in host.entries(machine.root / "proc"):
        if process.name.isdecimal():
            yield from _of_process(host.read(process / "cmdline").rstrip("\0").split("\0"), int(process.name), machine)


def _listed_processes(machine: host.Machine) -> Iterator[FoundCommand]:
    for listed in machine.output("ps", "-axo", "pid=,command=").splitlines():
        pid, *words = listed.split()
        yield from _of_process(words, int(pid), machine)


def _of_process(words: Sequence[str], pid: int, machine: host.Machine) -> Iterator[FoundCommand]:
    for line in _running(words):
        seen = machine.view(pid)
        if seen is None:
            continue
        environ = seen.environ
        if environ is not None and not environ.get("HOME"):
            environ = {**environ, "HOME": home_of(seen.user)} if home_of(seen.user) else None
        yield FoundCommand(line, seen.folder, environ)


def _running(words: Sequence[str]) -> Iterator[str]:
    """Yield the command line of a process if it is a ``dnsrenew run``: the program itself, or Python with it."""
    for index, word in enumerate(words[:4]):
        if word.rpartition("/")[2] == "dnsrenew":
            if "run" in words[index:]:
                yield shlex.join(["dnsrenew", *words[index + 1 :]])
            return


Source = Callable[[host.Machine], Iterator[FoundCommand]]
_UNIX: Final[Sequence[tuple[str, Source]]] = (("systemd", _systemd), ("cron", _cron), (RUN, _processes))
_SOURCES: Final[Mapping[str, Sequence[tuple[str, Source]]]] = {
    "darwin": (("launchd", _launchd), ("cron", _cron), (RUN, _listed_processes)),
    "win32": (("windows", _windows),),
}
"""The kinds of schedule of a platform, each with the function that yields its commands."""
