"""The timers, crontabs, scripts and compose files that run a program, with its arguments and its environment.

No program is run. A script is read for its assignments and commands, without parts that only a shell could expand. A
call decides which programs are used, so it counts only if root or the owner of the tool's folder runs it, and no one
else could have written it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Final

from dnsrenew.base import users
from dnsrenew.base.found import UntrustedError
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.extensions.setup.importing.model import HostView
from dnsrenew.extensions.setup.importing.reading import Notes, inside, look, shown
from dnsrenew.schedule.machine import CRONTABS, HOME_UNITS, UNIT_FOLDERS, entries

_SPOOLS: Final = ("var/spool/cron/crontabs", "var/spool/cron", "var/spool/cron/tabs")
"""The folders with the crontabs of users, each named after its user."""
_SCRIPT_FOLDERS: Final = ("etc/cron.hourly", "etc/cron.daily", "etc/cron.weekly", "etc/cron.monthly")
_COMPOSE: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_YAML_VARIABLE: Final = re.compile(r"-?\s*+[\"']?([A-Z][A-Z0-9_]++)[\"']?\s*+[:=]\s*+[\"']?(.*)")
_YAML_COMMAND: Final = re.compile(r"(?:command|entrypoint):\s*+(.+)")
_MOST_CALLS: Final = 100
"""The maximum number of calls of a program on a machine.

A crafted script could have any number, and double a variable in each line.
"""
_MOST_SCRIPTS: Final = 50
"""The maximum number of scripts and compose files in a folder, of files that a script sources, and of words in a line.
"""
_MOST_VARIABLES: Final = 500
_LONGEST_VALUE: Final = 4096
_SEPARATORS: Final = frozenset({";", "&&", "||", "|", "&", "(", ")", ";;"})

Environment = Mapping[str, str]


class FoundJob(Frozen, hidden=("environment",)):
    """A call of the program, or the place of a possible one.

    :ivar file: its file on the machine.
    :ivar line: its line, from 1.
    :ivar kind: ``systemd``, ``cron``, ``script`` or ``compose``.
    :ivar unit: the timer or service of systemd, or "".
    :ivar words: the arguments of the program.
    :ivar environment: the variables that are set for it.
    :ivar weak: the error if others can change the way to the call.
    """

    file: str
    line: int
    kind: str
    unit: str = ""
    words: tuple[str, ...] = ()
    environment: Environment = field(default_factory=dict)
    weak: UntrustedError | None = None

    @property
    def place(self) -> str:
        """Its place, ``FILE:LINE``."""
        return f"{self.file}:{self.line}"


def jobs(
    host: HostView, program: str, folder: Path, near: Sequence[Path] = (), notes: Notes | None = None
) -> list[FoundJob]:
    """Return the calls of a program on a machine.

    :param folder: the folder of the tool, whose owner (or root) may run the program.
    :param near: folders that are also searched for compose files and scripts.
    :param notes: receives a note for each of these that is not a file.
    :raises UntrustedError: others can change a file with a call.
    """
    search = _JobSearch(host, program, _users(folder))
    found = chain(search.systemd(), search.cron(), *(search.near(each, notes) for each in near))
    return list(islice(found, _MOST_CALLS))


def _users(folder: Path) -> frozenset[int]:
    """Return the ids of root and of the owner of a folder."""
    with contextlib.suppress(OSError):
        return frozenset({0, os.stat(folder).st_uid})
    return frozenset({0})


def is_folder(path: str, folder: Path, host: HostView) -> bool:
    """Return whether the path in a call means a folder."""
    paths = (host.cwd / os.path.expanduser(path), host.root / path.lstrip("/"))
    return any(os.path.realpath(each) == os.path.realpath(folder) for each in paths)


class _JobSearch(Frozen):
    """Searches for the calls of a program.

    :ivar users: the ids of users whose jobs count.
    """

    host: HostView
    program: str
    users: frozenset[int]

    def systemd(self) -> Iterator[FoundJob]:
        """Yield the calls in services."""
        for service in services(self.host):
            for place, command in service.commands if self._counts(service.user) else ():
                yield from self._calls(command, service.environment, replace(place, weak=service.weak))

    def cron(self) -> Iterator[FoundJob]:
        """Yield the calls in crontabs, and in the scripts that cron runs."""
        root = self.host.root
        names = [users.user_name(each) for each in sorted(self.users)] if os.name == "posix" else []
        spools = [root / spool / name for spool in _SPOOLS for name in names]
        for file in (*(root / each for each in CRONTABS), *entries(root / "etc/cron.d"), *spools):
            yield from self._crontab(file, has_users=file not in spools and file.name != "anacrontab")
        for folder in _SCRIPT_FOLDERS:
            for file in entries(root / folder):
                yield from self.script(file, {}, FoundJob("", 0, "cron"))

    def _crontab(self, file: Path, *, has_users: bool) -> Iterator[FoundJob]:
        """Yield the calls in a crontab.

        :param has_users: whether each line names its user.
        """
        content, environment = look(file, self.host), dict[str, str]()
        for number, line in logical_lines(content.text):
            if assigned := _ASSIGNMENT.fullmatch(line):
                _set(environment, {assigned[1]: assigned[2].strip("\"'")})
            elif not has_users or self._counts("".join(line.split(None, 6)[1 if line.startswith("@") else 5 :][:1])):
                place = FoundJob(shown(file, self.host), number, "cron", weak=content.weak)
                yield from self._calls(line.replace("\\%", "%"), environment, place)

    def _counts(self, user: str) -> bool:
        """Return whether the jobs of a user count. A word that is not a user name is unknown."""
        number = users.user_id(user)
        return number is None or number in self.users

    # ── shell ───────────────────────────────────────────────────────────────────────────

    def _calls(self, command: str, environment: Environment, place: FoundJob) -> Iterator[FoundJob]:
        """Yield the calls in a command line, and in the scripts that it runs.

        :raises UntrustedError: others can change the way to a call.
        """
        words = _split(command)[: 2 * _MOST_SCRIPTS]
        named = [index for index, word in enumerate(words) if os.path.basename(word) == self.program]
        if named and place.weak is not None:
            raise place.weak
        for index in named:  # one can be an argument, as in `test -x /usr/bin/lego && lego renew`
            own = dict(environment)
            _set(own, _assignments(words[:index]))
            arguments = takewhile(lambda word: word not in _SEPARATORS, words[index + 1 :])
            yield replace(place, words=tuple(_expanded(word, own) for word in arguments), environment=own)
        for index, word in enumerate(() if named else words):
            if word == "-c" and index and index + 1 < len(words) and self.program in words[index + 1]:
                yield from self._calls(words[index + 1], environment, place)
            elif word.startswith("/"):
                yield from self.script(self._inside(word), environment, place, only=b"#!")

    def script(
        self, file: Path, environment: Environment, place: FoundJob, notes: Notes | None = None, *, only: bytes = b""
    ) -> Iterator[FoundJob]:
        """Yield the calls in a shell script.

        :param only: the required beginning.
        """
        variables, content = dict(environment), look(file, self.host, notes, only=only)
        if self.program not in content.text:
            return
        weak, sourcings = place.weak or content.weak, 0
        for number, line in logical_lines(content.text):
            words = _split(line)
            if words and words[0] in {".", "source"} and len(words) > 1 and sourcings < _MOST_SCRIPTS:
                sourcings += 1
                sourced = look(self._inside(words[1]), self.host)
                _set(variables, _environment(sourced.text))
                weak = weak or sourced.weak
            elif words and (words[0] == "export" or all(map(_ASSIGNMENT.fullmatch, words))):
                _set(variables, {key: _expanded(value, variables) for key, value in _assignments(words).items()})
            elif any(os.path.basename(word) == self.program for word in words):
                here = replace(place, file=shown(file, self.host), line=number, weak=weak)
                yield from self._calls(line, variables, here)

    def _inside(self, path: str) -> Path:
        """Return a path of the machine below the root of a test."""
        return self.host.root / path.lstrip("/") if path.startswith("/") else self.host.cwd / path

    # ── beside the folder of the tool ───────────────────────────────────────────────────

    def near(self, folder: Path, notes: Notes | None) -> Iterator[FoundJob]:
        """Yield the calls in the scripts and compose files of a folder."""
        files = [file for file in entries(folder) if file.suffix == ".sh" or file.name in _COMPOSE]
        for file in files[:_MOST_SCRIPTS]:
            if file.suffix == ".sh":
                yield from self.script(file, {}, FoundJob("", 0, "script"), notes)
            else:
                yield from self.compose(file, notes)

    def compose(self, file: Path, notes: Notes | None) -> list[FoundJob]:
        """Return the call in a compose file, which should have one service."""
        content = look(file, self.host, notes)
        lines = [line.strip() if len(line) <= LONGEST else "" for line in content.text.splitlines()]
        if not any(self.program in line for line in lines):
            return []
        if content.weak is not None:
            raise content.weak
        environment: dict[str, str] = {}
        for match in map(_YAML_VARIABLE.fullmatch, lines):
            if match is not None:
                value = match[2].rstrip()
                _set(environment, {match[1]: value[:-1] if value.endswith(("'", '"')) else value})
        place = FoundJob(shown(file, self.host), 1, "compose", environment=environment)
        for number, line in enumerate(lines, 1):
            if command := _YAML_COMMAND.fullmatch(line):
                words = _split(command[1].strip("[]").replace('",', '" ').replace("',", "' "))
                return [replace(place, line=number, words=tuple(words))]
        return [place]


def _split(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    with contextlib.suppress(ValueError):  # a missing end quote
        return list(lexer)
    return line.split()


def _environment(text: str) -> dict[str, str]:
    return _assignments([word for _, line in logical_lines(text) for word in _split(line) if word != "export"])


def _assignments(words: Sequence[str]) -> dict[str, str]:
    return {match[1]: match[2] for match in map(_ASSIGNMENT.fullmatch, words) if match}


def _set(variables: dict[str, str], more: Mapping[str, str]) -> None:
    """Set variables, up to a number and a length, because each line can double a variable of the line before."""
    for name, value in more.items():
        if len(value) <= _LONGEST_VALUE and (name in variables or len(variables) < _MOST_VARIABLES):
            variables[name] = value


def _expanded(word: str, variables: Environment) -> str:
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], match[0]), word)


# ── units ──────────────────────────────────────────────────────────────────────────────

# The services of systemd: their commands and environments.
#
# Units, their drop-ins and specifiers follow systemd.unit(5); the settings follow systemd.exec(5) and
# systemd.service(5).

_LINKS: Final = (".wants", ".requires")
"""The suffixes of the folders with links to the enabled units and instances of templates."""
_EXEC: Final = frozenset({"ExecStart", "ExecStartPre", "ExecStartPost"})


class Service(Frozen, hidden=("environment",)):
    """A service.

    :ivar commands: the place and the text of each, with specifiers filled in.
    :ivar environment: the variables of its commands.
    :ivar user: its user; "" for the user of its manager.
    :ivar weak: the error if others can change one of its files.
    """

    commands: tuple[tuple[FoundJob, str], ...]
    environment: Mapping[str, str]
    user: str = ""
    weak: UntrustedError | None = None


def unit_folders(host: HostView) -> list[Path]:
    """Return the folders with units, the system's first."""
    return [*(host.root / each for each in UNIT_FOLDERS), *(host.home / each for each in HOME_UNITS)]


def services(host: HostView) -> Iterator[Service]:
    """Yield the services of the system and of the user."""
    for manager in _managers(host):
        yield from manager.services()


def environment(name: str, host: HostView) -> dict[str, str]:
    """Return the variables of the service with a name, such as ``caddy.service``. The system's take precedence.

    A drop-in counts even without its unit, which a copied folder may lack.

    :raises UntrustedError: others can change one of its files.
    """
    found = [manager.service(name, name) for manager in _managers(host)]
    for service in found:
        if service.weak is not None:
            raise service.weak
    system, user = (service.environment for service in found)
    return {**user, **system}


def _managers(host: HostView) -> tuple[_Manager, _Manager]:
    """Return the managers of the system and of the user."""
    home = shown(host.home, host)
    user = host.environ.get("USER") or host.home.name
    system = {"h": "/root", "u": "root", "E": "/etc", "S": "/var/lib"}
    own = {"h": home, "u": user, "E": f"{home}/.config", "S": f"{home}/.local/state"}
    folders, most = unit_folders(host), len(UNIT_FOLDERS)
    return _Manager(host, folders[:most], system), _Manager(host, folders[most:], own)


class _Manager:
    """A service manager.

    :param folders: its folders with units; the first takes precedence.
    :param specifiers: the specifiers that are the same in all its units.
    """

    def __init__(self, host: HostView, folders: Sequence[Path], specifiers: Mapping[str, str]) -> None:
        self._host = host
        self._specifiers = specifiers
        self._found: dict[str, list[Path]] = {}
        for folder in folders:
            for each in entries(folder):
                self._found.setdefault(each.name, []).append(each)

    def services(self) -> Iterator[Service]:
        """Yield the services that have a unit; for a template, its instances if there are any."""
        names = self._names()
        starters = {name: name for name in names if name.endswith(".service")}
        starters |= {self._started_by(name): name for name in names if name.endswith(".timer")}
        for name, starter in starters.items():
            if _stem(name).endswith("@") and any(_template(each) == name for each in starters):
                continue
            if self._file(name) is not None:
                yield self.service(name, starter)

    def service(self, name: str, starter: str) -> Service:
        """Return a service, without commands if it has no unit.

        :param starter: the unit that starts it: a timer, or the service itself.
        """
        variables: dict[str, str] = {}
        files: list[str] = []
        commands: list[tuple[str, FoundJob, str]] = []
        user, weak, unit = "", None, self._file(name)
        for file in [*([] if unit is None else [unit]), *self._drop_ins(name)]:
            content = look(file, self._host)
            weak = weak or content.weak
            for number, line in logical_lines(content.text):
                key, equals, value = (part.strip() for part in line.partition("="))
                value = self._expanded(value, name)
                if not equals:
                    continue
                # An empty value drops earlier ones.
                if key == "Environment":
                    variables.update(_assignments(_words(value))) if value else variables.clear()
                elif key == "EnvironmentFile":
                    files.append(value.lstrip("-")) if value else files.clear()
                elif key == "User":
                    user = value
                elif key in _EXEC and value:
                    place = FoundJob(shown(file, self._host), number, "systemd", starter)
                    commands.append((key, place, value.lstrip("@-:+!")))
                elif key in _EXEC:
                    commands = [command for command in commands if command[0] != key]
        for path in files:
            content = look(inside(self._host, path), self._host)
            variables |= _in_file(content.text)
            weak = weak or content.weak
        return Service(tuple((place, text) for _, place, text in commands), variables, user, weak)

    def _names(self) -> list[str]:
        """Return the names of all units. An instance has only a link in a folder such as ``timers.target.wants``."""
        names = dict.fromkeys(self._found)
        for name, paths in self._found.items():
            if name.endswith(_LINKS):
                names |= dict.fromkeys(link.name for path in paths for link in entries(path))
        return list(names)

    def _file(self, name: str) -> Path | None:
        """Return the file of a unit. For an instance, this may be the file of its template."""
        return next(iter(self._found.get(name) or self._found.get(_template(name)) or ()), None)

    def _started_by(self, timer: str) -> str:
        """Return the name of the service that a timer starts."""
        file = self._file(timer)
        for _, line in logical_lines("" if file is None else look(file, self._host).text):
            key, _, value = (part.strip() for part in line.partition("="))
            if key == "Unit" and value:
                return self._expanded(value, timer)
        return f"{_stem(timer)}.service"

    def _drop_ins(self, name: str) -> list[Path]:
        """Return the additions to a unit by name. An earlier folder hides files of the same name in later ones."""
        stem, kind = _stem(name), name.rpartition(".")[2]
        prefix = stem.partition("@")[0]
        dashes = [prefix[: end + 1] for end, character in enumerate(prefix) if character == "-"]
        of_units = [name, _template(name), *(f"{each}.{kind}" for each in reversed(dashes)), kind]
        found: dict[str, Path] = {}
        for folder in (folder for each in of_units for folder in self._found.get(f"{each}.d", ())):
            for file in entries(folder):
                if file.suffix == ".conf":
                    found.setdefault(file.name, file)
        return [found[each] for each in sorted(found)]

    def _expanded(self, text: str, name: str) -> str:
        """Return a value with its specifiers filled in. An unknown specifier stays."""
        stem = _stem(name)
        prefix, at, instance = stem.partition("@")
        own = {"n": name, "N": stem, "p": prefix, "j": prefix.rpartition("-")[2], "%": "%", **self._specifiers}
        if instance or not at:  # a template without an instance has none
            own |= {"i": instance, "I": _unescaped(instance)}
        return re.sub(r"%(.)", lambda match: own.get(match[1], match[0]), text)


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _template(name: str) -> str:
    """Return the name of the template of an instance, or "" for another unit."""
    prefix, at, instance = _stem(name).partition("@")
    return f"{prefix}@.{name.rpartition('.')[2]}" if at and instance else ""


def _unescaped(instance: str) -> str:
    r"""Return the name of an instance without systemd's escapes: ``-`` for a slash, ``\xNN`` for another character."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), instance.replace("-", "/"))


def _words(text: str) -> list[str]:
    with contextlib.suppress(ValueError):  # a missing end quote
        return shlex.split(text)
    return text.split()


def _in_file(text: str) -> dict[str, str]:
    """Return the variables of an environment file. Each line has one, whose value may have blanks."""
    found = map(_ASSIGNMENT.fullmatch, (line.removeprefix("export ").lstrip() for _, line in logical_lines(text)))
    return {match[1]: " ".join(_words(match[2])) for match in found if match}


# ── logical lines ──────────────────────────────────────────────────────────────────────

# Lines of shell scripts, crontabs and units, as their programs read them.

LONGEST: Final = 8192
"""The maximum number of characters of a line. A longer one was not written by hand, and would take long to search."""


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not comments, each with its number. A backslash joins the next line."""
    joined: list[str] = []
    length = first = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not joined and line.lstrip().startswith(("#", ";")):
            continue
        first = first if joined else number
        length += len(line)
        joined.append(line.removesuffix("\\") if length <= LONGEST else "")
        if line.endswith("\\"):
            continue
        whole = " ".join(joined).strip()
        if whole and length <= LONGEST:
            yield first, whole
        joined, length = [], 0
