"""The services of systemd: what they run, and with which environment.

Units, their drop-ins and specifiers are those of systemd.unit(5); the settings are those of systemd.exec(5) and
systemd.service(5).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing.logical_lines import logical_lines
from dnsrenew.extensions.setup.importing.on_machine import inside, look, shown
from dnsrenew.schedule.machine import entries

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.base.found import UntrustedError
    from dnsrenew.extensions.setup.importing.found import HostView

_SYSTEM_FOLDERS: Final = (
    *("etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system"),
    *("usr/lib/systemd/system", "lib/systemd/system"),
)
_USER_FOLDERS: Final = (".config/systemd/user", ".local/share/systemd/user")
_LINKS: Final = (".wants", ".requires")
"""The ends of the folders with links to the units, and to the instances of templates, that are enabled."""
_EXEC: Final = frozenset({"ExecStart", "ExecStartPre", "ExecStartPost"})
_EXEC_PREFIXES: Final = "@-:+!"
_SPECIFIER: Final = re.compile(r"%(.)")
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


class UnitCommand(Frozen):
    """A command of a service.

    :ivar file: the unit or the drop-in that has it.
    :ivar line: its line, from 1.
    :ivar key: ``ExecStart`` …
    :ivar text: the command, with its specifiers filled in.
    """

    file: Path
    line: int
    key: str
    text: str


class Service(Frozen, hidden=("environment",)):
    """A service.

    :ivar starter: the unit that starts it: a timer, or the service itself.
    :ivar environment: the variables of its commands.
    :ivar user: the user that it runs as; "" for that of its manager.
    :ivar weak: the error if others can change one of its files.
    """

    starter: str
    commands: tuple[UnitCommand, ...]
    environment: Mapping[str, str]
    user: str = ""
    weak: UntrustedError | None = None


def unit_folders(host: HostView) -> list[Path]:
    """Return the folders with units, those of the system first."""
    return [*_system_folders(host), *_user_folders(host)]


def services(host: HostView) -> Iterator[Service]:
    """Give the services of the system, and those of the user."""
    for manager in _managers(host):
        yield from manager.services()


def environment(name: str, host: HostView) -> dict[str, str]:
    """Return the variables of the service with a name, such as ``caddy.service``; those of the system take precedence.

    A drop-in counts without its unit, too: a copied folder may lack it.

    :raises UntrustedError: others can change one of its files.
    """
    found = [manager.service(name, name) for manager in _managers(host)]
    for service in found:
        if service.weak is not None:
            raise service.weak
    system, user = (service.environment for service in found)
    return {**user, **system}


def _system_folders(host: HostView) -> list[Path]:
    return [host.root / each for each in _SYSTEM_FOLDERS]


def _user_folders(host: HostView) -> list[Path]:
    return [host.home / each for each in _USER_FOLDERS]


def _managers(host: HostView) -> tuple[_Manager, _Manager]:
    """Return the manager of the system, and that of the user."""
    home = shown(host.home, host)
    user = host.environ.get("USER") or host.home.name
    system = {"h": "/root", "u": "root", "E": "/etc", "S": "/var/lib"}
    own = {"h": home, "u": user, "E": f"{home}/.config", "S": f"{home}/.local/state"}
    return _Manager(host, _system_folders(host), system), _Manager(host, _user_folders(host), own)


class _Manager:
    """A service manager.

    :param folders: its folders with units, the first takes precedence.
    :param specifiers: those that are the same in all its units.
    """

    def __init__(self, host: HostView, folders: Sequence[Path], specifiers: Mapping[str, str]) -> None:
        self._host = host
        self._specifiers = specifiers
        self._found: dict[str, list[Path]] = {}
        for folder in folders:
            for each in entries(folder):
                self._found.setdefault(each.name, []).append(each)

    def services(self) -> Iterator[Service]:
        """Give the services that have a unit; of a template its instances, if there are any."""
        names = self._names()
        starters = {name: name for name in names if name.endswith(".service")}
        starters |= {self._started_by(name): name for name in names if name.endswith(".timer")}
        for name, starter in starters.items():
            if _stem(name).endswith("@") and any(_template(each) == name for each in starters):
                continue
            if self._file(name) is not None:
                yield self.service(name, starter)

    def service(self, name: str, starter: str) -> Service:
        """Return a service; without commands if it has no unit."""
        variables: dict[str, str] = {}
        files: list[str] = []
        commands: list[UnitCommand] = []
        user, weak, unit = "", None, self._file(name)
        for file in [*([] if unit is None else [unit]), *self._drop_ins(name)]:
            content = look(file, self._host)
            weak = weak or content.weak
            for number, line in logical_lines(content.text):
                key, equals, value = (part.strip() for part in line.partition("="))
                value = self._expanded(value, name)
                if not equals:
                    continue
                # An empty value drops those before it.
                if key == "Environment":
                    variables.update(_assignments(value)) if value else variables.clear()
                elif key == "EnvironmentFile":
                    files.append(value.lstrip("-")) if value else files.clear()
                elif key == "User":
                    user = value
                elif key in _EXEC and value:
                    commands.append(UnitCommand(file, number, key, value.lstrip(_EXEC_PREFIXES)))
                elif key in _EXEC:
                    commands = [command for command in commands if command.key != key]
        for path in files:
            content = look(inside(self._host, path), self._host)
            variables |= _in_file(content.text)
            weak = weak or content.weak
        return Service(starter, tuple(commands), variables, user, weak)

    def _names(self) -> list[str]:
        """Return the names of all units; an instance has only a link in a folder such as ``timers.target.wants``."""
        names = dict.fromkeys(self._found)
        for name, paths in self._found.items():
            if name.endswith(_LINKS):
                names |= dict.fromkeys(link.name for path in paths for link in entries(path))
        return list(names)

    def _file(self, name: str) -> Path | None:
        """Return the file of a unit, which for an instance can be that of its template."""
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
        """Return the additions to a unit, by their names; one hides those of its name in a later folder."""
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
        """Return a value with its specifiers filled in; one that is not known here stays."""
        stem = _stem(name)
        prefix, at, instance = stem.partition("@")
        own = {"n": name, "N": stem, "p": prefix, "j": prefix.rpartition("-")[2], "%": "%", **self._specifiers}
        if instance or not at:  # a template without an instance has none
            own |= {"i": instance, "I": _unescaped(instance)}
        return _SPECIFIER.sub(lambda match: own.get(match[1], match[0]), text)


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _template(name: str) -> str:
    """Return the name of the template of an instance; "" for another unit."""
    prefix, at, instance = _stem(name).partition("@")
    return f"{prefix}@.{name.rpartition('.')[2]}" if at and instance else ""


def _unescaped(instance: str) -> str:
    r"""Return the name of an instance without systemd's escapes: ``-`` for a slash, ``\xNN`` for another character."""
    slashes = instance.replace("-", "/")
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), slashes)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote without its end
        return text.split()


def _assignments(text: str) -> dict[str, str]:
    return {match[1]: match[2] for match in map(_ASSIGNMENT.fullmatch, _words(text)) if match}


def _in_file(text: str) -> dict[str, str]:
    """Return the variables of an environment file: one in a line, whose value may have blanks."""
    found = map(_ASSIGNMENT.fullmatch, (line.removeprefix("export ").lstrip() for _, line in logical_lines(text)))
    return {match[1]: " ".join(_words(match[2])) for match in found if match}
