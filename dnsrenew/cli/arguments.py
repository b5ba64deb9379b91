"""The command line: its commands, their options, and the errors in one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Never

from dnsrenew.cli import formatting, texts
from dnsrenew.cli import help as help_texts
from dnsrenew.errors import ConfigError, Text
from dnsrenew.validation.mistakes import nearest

WAIT_LONG: Final = 86_400.0
"""What ``--wait`` without a number means (seconds)."""

_VALUED: Final = ("--config",)
_PROGRAM: Final = "dnsrenew"


class _Parser(argparse.ArgumentParser):
    """Raises an error where argparse would print and exit."""

    def error(self, message: str) -> Never:
        raise usage(texts.WRONG_ARGUMENT, self.prog, problem=message)

    def unexpected(self, argument: str) -> ConfigError:
        """Return the error for an argument that the command does not have."""
        if ".toml" in argument and not argument.startswith("-"):
            return usage(texts.UNEXPECTED_FILE, self.prog, argument=argument)
        flags = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        similar = _similar_flag(argument, flags)
        if similar is None:
            return usage(texts.UNEXPECTED_ARGUMENT, self.prog, argument=argument)
        return usage(texts.MISSPELT_ARGUMENT, self.prog, argument=argument, nearest=similar)


def usage(text: Text, command: str = _PROGRAM, **evidence: str | int) -> ConfigError:
    """Return the error for a wrong command line."""
    return ConfigError.of(text, command=command, **evidence)


class _Options:
    """Adds arguments and options to a command, with their texts from :mod:`dnsrenew.cli.help`."""

    def __init__(self, parser: argparse.ArgumentParser, command: str | None) -> None:
        self._texts = help_texts.GLOBAL | help_texts.ARGUMENTS.get(command or "", {})
        self._arguments = parser.add_argument_group("Arguments")
        self._options = parser.add_argument_group("Options")
        self._global = parser.add_argument_group("Global options")

    def argument(self, name: str, **settings: Any) -> None:  # settings: as for argparse
        self._arguments.add_argument(name, help=self._texts[name], **settings)

    def flag(self, name: str) -> None:
        self._options.add_argument(name, action="store_true", help=self._texts[name])

    def option(self, name: str, **settings: Any) -> None:  # settings: as for argparse
        self._options.add_argument(name, help=self._texts[name], **settings)

    def wait_option(self) -> None:
        self.option("--wait", type=_seconds, nargs="?", const=WAIT_LONG, default=0.0, metavar="S")

    def jitter(self) -> None:
        self.option("--jitter", type=_seconds, default=0.0, metavar="S")

    def workers(self) -> None:
        self.option("--workers", type=_workers, default=8, metavar="N")

    def everywhere(self, *, version: bool) -> None:
        """Add the options that every command has."""
        self._global.add_argument("--config", metavar="FILE", help=self._texts["--config"])
        self._global.add_argument("--json", action="store_true", help=self._texts["--json"])
        volume = self._global.add_mutually_exclusive_group()
        volume.add_argument("-v", "--verbose", action="count", default=0, help=self._texts["--verbose"])
        volume.add_argument("-q", "--quiet", action="store_true", help=self._texts["--quiet"])
        self._global.add_argument("--no-color", action="store_true", help=self._texts["--no-color"])
        self._global.add_argument("-h", "--help", action="store_true", help=self._texts["--help"])
        if version:
            self._global.add_argument("--version", action="store_true", help=self._texts["--version"])


def _renew(options: _Options) -> None:
    options.argument("names", nargs="*", metavar="NAME")
    for name in ("--force", "--all", "--now", "--dry-run"):
        options.flag(name)
    options.workers()
    options.wait_option()
    options.jitter()


def _status(options: _Options) -> None:
    options.argument("names", nargs="*", metavar="NAME")
    options.flag("--check")


def _providers(options: _Options) -> None:
    options.argument("names", nargs="?", metavar="NAME")


def _revoke(options: _Options) -> None:
    from dnsrenew.operations.revoke import REASONS

    options.argument("name", nargs="?", metavar="NAME")
    options.option("--reason", choices=tuple(REASONS), default="unspecified", metavar="R")
    options.wait_option()


def _account(options: _Options) -> None:
    options.argument("action", nargs="?", choices=("show", "roll"), default="show", metavar="ACTION")
    options.argument("ca", nargs="?", metavar="CA")


def _schedule(options: _Options) -> None:
    actions = ("install", "show", "remove")
    options.argument("action", nargs="?", choices=actions, default="show", metavar="ACTION")
    options.option("--kind", choices=("systemd", "cron", "launchd", "windows"), metavar="KIND")


def _run(options: _Options) -> None:
    options.option("--interval", type=_interval, default=43_200.0, metavar="S")
    options.jitter()
    options.workers()


_OPTIONS: Final = {
    "renew": _renew,
    "status": _status,
    "providers": _providers,
    "revoke": _revoke,
    "cleanup": _Options.wait_option,
    "account": _account,
    "schedule": _schedule,
    "run": _run,
}


class Request(NamedTuple):
    """A command line that was understood.

    :ivar command: the command, or None.
    :ivar options: its options; those of every command are always there.
    :ivar parser: knows the help of the command.
    """

    command: str | None
    options: argparse.Namespace
    parser: argparse.ArgumentParser


def parse(argv: Sequence[str], columns: int) -> Request:
    """Read the command line. Global options may stand before the command.

    :raises ConfigError: ``usage``.
    """
    before, command, after = _split(argv)
    if command is not None and command not in help_texts.COMMANDS and command not in texts.NOT_YET:
        similar = nearest(command, [*help_texts.COMMANDS, *texts.NOT_YET])
        if similar is None:
            raise usage(texts.UNKNOWN_COMMAND, argument=command)
        raise usage(texts.MISSPELT_COMMAND, argument=command, nearest=similar)
    parser = _parser(command, columns)
    if command in texts.NOT_YET:  # their options are not there yet either
        options, _ = parser.parse_known_args([*before, *after])
        return Request(command, options, parser)
    options, unexpected = parser.parse_known_intermixed_args([*before, *_with_wait(after)])
    if unexpected:
        raise parser.unexpected(unexpected[0])
    return Request(command, options, parser)


def _split(argv: Sequence[str]) -> tuple[list[str], str | None, list[str]]:
    """Return the options before the command, the command, and the arguments after it."""
    skip = False
    for index, argument in enumerate(argv):
        if not skip and not argument.startswith("-"):
            return list(argv[:index]), argument, list(argv[index + 1 :])
        skip = argument in _VALUED and not skip
    return list(argv), None, []


def _with_wait(arguments: list[str]) -> list[str]:
    """Read ``--wait NAME`` as the flag without a number, followed by a certificate."""
    result = []
    for index, argument in enumerate(arguments):
        following = arguments[index + 1] if index + 1 < len(arguments) else ""
        alone = argument == "--wait" and following and not following.startswith("-") and not _is_number(following)
        result.append(f"--wait={WAIT_LONG:.0f}" if alone else argument)
    return result


def _parser(command: str | None, columns: int) -> _Parser:
    summary, arguments, examples, notes = help_texts.COMMANDS.get(command or "", ("", "", (), ""))
    if command in texts.NOT_YET:
        _, message, fix = texts.NOT_YET[command]
        summary = f"{message}\n{fix}"
    columns = min(columns, 100) - 2
    epilog = ["Examples:", *(f"  {example}" for example in examples)] if examples else []
    if notes:
        epilog += ["", *formatting.wrap(notes, columns)]
    parser = _Parser(
        prog=f"{_PROGRAM} {command}" if command else _PROGRAM,
        usage=" ".join(filter(None, (_PROGRAM, command, arguments, "[options]"))),
        description="\n".join(formatting.wrap(f"{summary[:1].upper()}{summary[1:]}".removesuffix(".") + ".", columns)),
        epilog="\n".join(epilog),
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, 2, 24, columns),
        allow_abbrev=False,
        add_help=False,
    )
    options = _Options(parser, command)
    add_options = _OPTIONS.get(command or "")
    if add_options is not None:
        add_options(options)
    options.everywhere(version=command is None)
    return parser


def _similar_flag(argument: str, flags: Sequence[str]) -> str | None:
    """Return the flag that was probably meant, without its dashes: all flags have those, so they are not compared."""
    if not argument.startswith("-"):
        return None
    return nearest(argument.partition("=")[0].strip("-"), [flag.strip("-") for flag in flags])


def _is_number(argument: str) -> bool:
    try:
        float(argument)
    except ValueError:
        return False
    return True


def _seconds(argument: str) -> float:
    if not _is_number(argument) or not 0 <= float(argument) < 1e9:  # excludes nan and inf too
        raise argparse.ArgumentTypeError(f"'{argument}' is not a number of seconds")
    return float(argument)


def _interval(argument: str) -> float:
    seconds = _seconds(argument)
    if not 60 <= seconds <= 86_400:  # at least daily: the contract promises it
        raise argparse.ArgumentTypeError(f"'{argument}' is not a number from 60 to 86400")
    return seconds


def _workers(argument: str) -> int:
    if not argument.isdecimal() or not 1 <= int(argument) <= 1000:  # each is a thread
        raise argparse.ArgumentTypeError(f"'{argument}' is not a number from 1 to 1000")
    return int(argument)
