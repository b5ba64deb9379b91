"""Reads the command line by the table of the commands, and reports its mistakes."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, Final

from dnsrenew import locale
from dnsrenew.base.clock import seconds_of, unit_seconds
from dnsrenew.base.validation import nearest
from dnsrenew.base.values import Frozen
from dnsrenew.cli import commands, texts
from dnsrenew.cli.command_types import Option
from dnsrenew.cli.commands import COMMANDS, GLOBAL, GROUPS, INSIST, SYNONYMS, VERSION
from dnsrenew.errors import ConfigError, Phrase, Text

_PROGRAM: Final = "dnsrenew"
_ALWAYS: Final = (*GLOBAL, VERSION, INSIST)
"""Options whose values always exist."""
_DAY: Final = 86_400
_VALUED: Final = frozenset({"--config", "--kind", "--lang"})
"""Options with a value that may stand before a command, or before the second word of a command."""


_BARE: Final = {"duration": r"[0-9]+(?:\.[0-9]+)? ?[A-Za-z]*", "address": r".*:[0-9]+"}
"""The texts that are taken as the value of an option that does not need one: a number with a (possibly wrong) unit, or
a host and a port. Any other word is an argument.
"""


class Options(SimpleNamespace):
    """The values of arguments and options, by name."""


class Request(Frozen):
    """A command line that was understood.

    :ivar command: the command, or None. For a group, this is its first word, and ``options.action`` the second.
    :ivar topic: the command whose help ``options.help`` asks for; None for the help of the program.
    """

    command: str | None
    topic: str | None
    options: Options


def usage(text: Text, command: str = _PROGRAM, **evidence: str | int | tuple[str, ...]) -> ConfigError:
    """Return the error for a wrong command line."""
    return ConfigError.of(text, command=command, **evidence)


def parse(argv: Sequence[str]) -> Request:
    """Read the command line. Options may stand before the command.

    :raises ConfigError: ``usage``.
    """
    before, command, after = _split(argv)
    if command is None:
        return Request(None, None, _Reader(None).read(before))
    if command == "help":
        return _help([*before, *after])
    _check_command(command)
    if command not in GROUPS:
        return Request(command, command, _Reader(command).read([*before, *after]))
    between, action, rest = _split(after)
    topic = command if action is None else f"{command} {action}"
    if topic not in COMMANDS:
        raise _unknown(topic, [f"{command} {member}" for member in commands.members(command)])
    action = action or GROUPS[command]
    options = _Reader(f"{command} {action}").read([*before, *between, *rest])
    options.action = action
    return Request(command, topic, options)


def _split(words: Sequence[str]) -> tuple[list[str], str | None, list[str]]:
    """Return the options before the first argument, that argument, and the words after it."""
    skip = False
    for index, word in enumerate(words):
        if not skip and not word.startswith("-"):
            return list(words[:index]), word, list(words[index + 1 :])
        skip = word in _VALUED and not skip
    return list(words), None, []


def _help(words: list[str]) -> Request:
    """Read ``help COMMAND``."""
    options = _Reader("help").read(words)
    names = ["help"] if options.help else options.names
    topic = " ".join(names) or None
    if topic is not None and topic not in COMMANDS:
        _check_command(names[0])
        raise _unknown(topic, [f"{names[0]} {member}" for member in commands.members(names[0])])
    options.help = True
    return Request("help", topic, options)


def _check_command(command: str) -> None:
    if command not in COMMANDS or " " in command:
        raise _unknown(command, [name for name in COMMANDS if " " not in name])


def _unknown(command: str, known: Sequence[str]) -> ConfigError:
    """Return the error for an unknown command, with the command that was probably meant."""
    similar = SYNONYMS.get(command) or nearest(command, known) or SYNONYMS.get(nearest(command, SYNONYMS) or "")
    if similar is None:
        return usage(texts.UNKNOWN_COMMAND, argument=command)
    return usage(texts.MISSPELT_COMMAND, argument=command, nearest=similar)


def values_of(flag: str, words: Sequence[str]) -> list[str]:
    """Return the values of an option in a command line that is not read to its end."""
    values = [word.partition("=")[2] for word in words if word.startswith(f"{flag}=")]
    return [*values, *(value for word, value in pairwise(words) if word == flag)]


def wanted_language(words: Sequence[str]) -> str | None:
    """Return the language that a command line asks for."""
    return next(filter(None, map(locale.named, values_of("--lang", words))), None)


class _Reader:
    """Reads the arguments and options of one command; None means the options of the program."""

    def __init__(self, name: str | None) -> None:
        self._command = f"{_PROGRAM} {name}" if name else _PROGRAM
        self._options = commands.options_of(name)
        self._arguments = COMMANDS[name].arguments if name else ()
        self._flags = {flag: option for option in self._options for flag in (option.flag, option.short) if flag}

    def read(self, words: Sequence[str]) -> Options:
        """Return the values.

        :raises ConfigError: ``usage``. With ``--help`` the other words do not matter.
        """
        options = Options(**{option.name: _default(option) for option in (*_ALWAYS, *self._options)})
        if {"--help", "-h"} & set(words):
            options.help, options.json, options.lang = True, "--json" in words, wanted_language(words)
            return options
        positional: list[str] = []
        left = deque(words)
        while left:
            word = left.popleft()
            if word == "--":
                positional += left
                break
            if word == "-" or not word.startswith("-"):
                positional.append(word)
            else:
                self._read_word(word, left, options)
        if options.verbose and options.quiet:
            raise usage(texts.VERBOSE_AND_QUIET, self._command)
        self._read_arguments(positional, options)
        return options

    def _read_word(self, word: str, left: deque[str], options: Options) -> None:
        """Read an option, or several in their short forms (``-vq``)."""
        flag, equals, value = word.partition("=")
        found = [flag] if word.startswith("--") else [f"-{letter}" for letter in word[1:]]
        for each in found:
            option = self._flags.get(each)
            if option is None:
                raise self._unexpected(word)
            self._read_option(option, value if equals else None, left, options)

    def _read_option(self, option: Option, value: str | None, left: deque[str], options: Options) -> None:
        found: Any  # as the kind of the option says
        if not option.shown:
            if value is not None:
                raise usage(texts.NO_VALUE, self._command, option=option.flag)
            found = getattr(options, option.name) + 1 if option.kind == "count" else True
        else:
            value = _next_value(option, left) if value is None else value
            if (value is None and option.value_if_bare is None) or (value == "" and option.kind == "file"):
                raise usage(texts.VALUE_MISSING, self._command, option=option.flag, value=option.shown)
            read = partial(self._value, option.flag, option.kind, option.words)
            found = option.value_if_bare if value is None else read(value)
        if option.kind == "list":
            found = [*(getattr(options, option.name) or ()), found]
        setattr(options, option.name, found)

    def _value(self, shown: str, kind: str, words: tuple[str, ...], value: str) -> Any:  # as the kind says
        reader = _READERS.get(kind)
        found = value if reader is None else reader(value)
        if found is None or (words and found not in words):
            # Shown in a language that is not known yet.
            expected = words or Phrase(texts.EXPECTED_VALUES[kind]).format()
            raise usage(texts.WRONG_VALUE, self._command, option=shown, value=value, expected=expected)
        return found

    def _read_arguments(self, positional: list[str], options: Options) -> None:
        left = deque(positional)
        for argument in self._arguments:
            if argument.many:
                setattr(options, argument.name, list(left))
                left.clear()
            elif left:
                setattr(options, argument.name, self._value(argument.shown, "", argument.words, left.popleft()))
            elif argument.required:
                shown, line = argument.shown, argument.usage
                raise usage(texts.ARGUMENT_MISSING, self._command, argument=shown, usage=line)
            else:
                setattr(options, argument.name, None)
        if left:
            raise self._unexpected(left[0])

    def _unexpected(self, argument: str) -> ConfigError:
        """Return the error for an argument that the command does not have."""
        if ".toml" in argument and not argument.startswith("-"):
            return usage(texts.UNEXPECTED_FILE, self._command, argument=argument)
        # All flags have dashes, so they are not compared.
        flags = [option.flag.strip("-") for option in self._options] if argument.startswith("-") else []
        similar = nearest(argument.partition("=")[0].strip("-"), flags)
        if similar is None:
            return usage(texts.UNEXPECTED_ARGUMENT, self._command, argument=argument)
        return usage(texts.MISSPELT_ARGUMENT, self._command, argument=argument, nearest=similar)


def _default(option: Option) -> object:
    return option.default if option.shown or option.kind == "count" else False


def _next_value(option: Option, left: deque[str]) -> str | None:
    """Take the value of an option from the words after it. For example, ``14 days`` are two words."""
    if not left or (left[0].startswith("-") and left[0] != "-"):
        return None
    is_value = seconds_of(left[0]) is not None or re.fullmatch(_BARE.get(option.kind, ""), left[0])
    if option.value_if_bare is not None and not is_value:
        return None  # an argument, such as the name of a certificate
    value = left.popleft()
    if option.kind in _DURATIONS and left and value.isdecimal() and len(left[0]) > 1 and unit_seconds(left[0]):
        value += f" {left.popleft()}"
    return value


def _interval(value: str) -> float | None:
    seconds = seconds_of(value)  # at least daily, as the contract promises
    return seconds if seconds is not None and 60 <= seconds <= _DAY else None


def _workers(value: str) -> int | None:
    return int(value) if value.isdecimal() and 1 <= int(value) <= 1000 else None  # each is a thread


def _version(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else None


_DURATIONS: Final = frozenset({"duration", "interval"})
_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "duration": seconds_of,
    "interval": _interval,
    "workers": _workers,
    "version": _version,
    "language": locale.named,
    "yes-no": lambda value: {"是": "yes", "否": "no"}.get(value, value),
}
"""The readers of values, by the kind of the option. They return None for a wrong value."""
