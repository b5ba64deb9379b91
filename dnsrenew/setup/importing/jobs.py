"""The timers, crontabs, scripts and compose files that run a program, with its arguments and its environment.

Nothing is run: a script is read for its assignments and its commands, and what only a shell could tell is left out.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.schedule.machine import entries, read
from dnsrenew.setup.importing import units
from dnsrenew.setup.importing.logical_lines import logical_lines
from dnsrenew.setup.importing.on_machine import shown

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.setup.importing.found import HostView

_CRONTABS: Final = ("etc/crontab", "etc/anacrontab")
_CRON_FOLDERS: Final = ("etc/cron.d", "var/spool/cron/crontabs", "var/spool/cron", "var/spool/cron/tabs")
_SCRIPT_FOLDERS: Final = ("etc/cron.hourly", "etc/cron.daily", "etc/cron.weekly", "etc/cron.monthly")
_COMPOSE: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_YAML_VARIABLE: Final = re.compile(r"\s*-?\s*[\"']?([A-Z][A-Z0-9_]+)[\"']?\s*[:=]\s*[\"']?(.*?)[\"']?\s*$")
_YAML_COMMAND: Final = re.compile(r"\s*(?:command|entrypoint):\s*(.+)")
_SEPARATORS: Final = frozenset({";", "&&", "||", "|", "&", "(", ")", ";;"})

Environment = Mapping[str, str]


class JobPlace(Frozen):
    """Where a call stands: the first fields of a :class:`FoundJob`."""

    file: str
    line: int
    kind: str
    unit: str = ""


class FoundJob(Frozen, hidden=("environment",)):
    """A call of the program.

    :ivar file: where it stands, as it is on the machine.
    :ivar line: its line, from 1.
    :ivar kind: ``systemd``, ``cron``, ``script`` or ``compose``.
    :ivar unit: the timer or service of systemd; "" for others.
    :ivar words: the arguments of the program.
    :ivar environment: the variables that are set for it.
    """

    file: str
    line: int
    kind: str
    unit: str
    words: tuple[str, ...]
    environment: Environment


def jobs(host: HostView, program: str, near: Sequence[Path] = ()) -> list[FoundJob]:
    """Return the calls of a program on a machine.

    :param near: folders in which compose files and scripts are looked for too.
    """
    found = [*_systemd(host, program), *_cron(host, program)]
    for folder in near:
        for file in entries(folder):
            if file.name in _COMPOSE:
                found += _compose(file, host, program)
            elif file.suffix == ".sh":
                found += _script_jobs(file, host, program, {}, JobPlace("", 0, "script"))
    return found


def is_folder(path: str, folder: Path, host: HostView) -> bool:
    """Tell whether the path in a call is that of a folder."""
    paths = (host.cwd / os.path.expanduser(path), host.root / path.lstrip("/"))
    return any(os.path.realpath(each) == os.path.realpath(folder) for each in paths)


# ── systemd ─────────────────────────────────────────────────────────────────────────────


def _systemd(host: HostView, program: str) -> Iterator[FoundJob]:
    for service in units.services(host):
        for command in service.commands:
            place = JobPlace(shown(command.file, host), command.line, "systemd", service.starter)
            yield from _calls(command.text, host, program, service.environment, place)


# ── cron ────────────────────────────────────────────────────────────────────────────────


def _cron(host: HostView, program: str) -> Iterator[FoundJob]:
    tables = [host.root / each for each in _CRONTABS]
    tables += [file for folder in _CRON_FOLDERS for file in entries(host.root / folder) if os.path.isfile(file)]
    for file in tables:
        environment: dict[str, str] = {}
        for number, line in logical_lines(read(file)):
            if assigned := _ASSIGNMENT.fullmatch(line):
                environment[assigned[1]] = assigned[2].strip("\"'")
                continue
            yield from _calls(
                line.replace("\\%", "%"), host, program, environment, JobPlace(shown(file, host), number, "cron")
            )
    for folder in _SCRIPT_FOLDERS:
        for file in entries(host.root / folder):
            yield from _script_jobs(file, host, program, {}, JobPlace("", 0, "cron"))


# ── shell ───────────────────────────────────────────────────────────────────────────────


def _calls(command: str, host: HostView, program: str, environment: Environment, place: JobPlace) -> Iterator[FoundJob]:
    """Give the calls in a command line, and in the scripts that it runs."""
    words = _split(command)
    named = [index for index, word in enumerate(words) if os.path.basename(word) == program]
    for index in named:  # one can be an argument, as in `test -x /usr/bin/lego && lego renew`
        own = {**environment, **_assignments(words[:index])}
        rest = words[index + 1 :]
        end = next((number for number, word in enumerate(rest) if word in _SEPARATORS), len(rest))
        arguments = tuple(_expanded(word, own) for word in rest[:end])
        yield FoundJob(place.file, place.line, place.kind, place.unit, arguments, own)
    if named:
        return
    for index, word in enumerate(words):
        if word == "-c" and index and index + 1 < len(words) and program in words[index + 1]:
            yield from _calls(words[index + 1], host, program, environment, place)
        elif word.startswith("/") and (script := read(_inside(word, host), only=b"#!")) and program in script:
            yield from _script_jobs(_inside(word, host), host, program, environment, place)


def _script_jobs(
    file: Path, host: HostView, program: str, environment: Environment, place: JobPlace
) -> Iterator[FoundJob]:
    """Give the calls in a shell script."""
    variables = dict(environment)
    text = read(file)
    if program not in text:
        return
    for number, line in logical_lines(text):
        words = _split(line)
        if words and words[0] in {".", "source"} and len(words) > 1:
            variables |= _environment_file(_inside(words[1], host))
        elif words and (words[0] == "export" or all(map(_ASSIGNMENT.fullmatch, words))):
            variables |= {key: _expanded(value, variables) for key, value in _assignments(words).items()}
        elif any(os.path.basename(word) == program for word in words):
            yield from _calls(
                line, host, program, variables, JobPlace(shown(file, host), number, place.kind, place.unit)
            )


def _split(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:  # a quote without its end
        return line.split()


def _environment_file(file: Path) -> dict[str, str]:
    return _assignments([word for _, line in logical_lines(read(file)) for word in _split(line) if word != "export"])


def _assignments(words: Sequence[str]) -> dict[str, str]:
    return {match[1]: match[2] for match in map(_ASSIGNMENT.fullmatch, words) if match}


def _expanded(word: str, variables: Environment) -> str:
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], match[0]), word)


def _inside(path: str, host: HostView) -> Path:
    """Return a path of the machine below the root of a test."""
    return host.root / path.lstrip("/") if path.startswith("/") else host.cwd / path


# ── compose files ───────────────────────────────────────────────────────────────────────


def _compose(file: Path, host: HostView, program: str) -> list[FoundJob]:
    """Return the call in a compose file; one service is expected."""
    lines = read(file).splitlines()
    if not any(program in line for line in lines):
        return []
    found = [match for match in map(_YAML_VARIABLE.fullmatch, lines) if match]
    environment = {match[1]: match[2] for match in found}
    for number, line in enumerate(lines, 1):
        if command := _YAML_COMMAND.fullmatch(line):
            words = _split(command[1].strip("[]").replace('",', '" ').replace("',", "' "))
            return [FoundJob(shown(file, host), number, "compose", "", tuple(words), environment)]
    return [FoundJob(shown(file, host), 1, "compose", "", (), environment)]
