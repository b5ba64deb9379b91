"""The command line: its commands, their flags, and what is wrong with one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final, NamedTuple, Never

from dnsrenew.cli.help import MEANWHILE, TODAY
from dnsrenew.errors import ConfigError
from dnsrenew.validation.mistakes import nearest

WAIT_LONG: Final = 86_400.0
"""What ``--wait`` without a number means (seconds)."""

_VALUED: Final = ("--config",)


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would print and exit."""

    def error(self, message: str) -> Never:
        flags = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        raise usage(_in_words(message, flags), self.prog)


def usage(message: str, prog: str = "dnsrenew") -> ConfigError:
    """Return the error for a wrong use of the command line."""
    return ConfigError("usage", message, fix=f"Run: {prog} --help", evidence={"command": prog})


def _renew(parser: argparse.ArgumentParser) -> None:
    which, how = _groups(parser)
    which.add_argument("names", nargs="*", metavar="NAME", help="certificates to look at; all, if none is named")
    force = "renew although not due, or failed before (several certificates: name some, or --all)"
    how.add_argument("--force", action="store_true", help=force)
    how.add_argument("--all", action="store_true", help="with --force: really all of them")
    now = "do not wait, though an earlier failure says later, or a known limit of the CA"
    how.add_argument("--now", action="store_true", help=now)
    dry_run = "rehearse at the CA's staging server: nothing is kept, no failure counts"
    how.add_argument("--dry-run", action="store_true", help=dry_run)
    _at_once(how)
    _wait(how, "that holds a lock")
    _jitter(how, "start after a random time up to S seconds")


def _status(parser: argparse.ArgumentParser) -> None:
    which, how = _groups(parser)
    which.add_argument("names", nargs="*", metavar="NAME", help="certificates to show; all, if none is named")
    check = "exit status 1 if one is missing, expired, overdue, revoked or failing"
    how.add_argument("--check", action="store_true", help=check)


def _providers(parser: argparse.ArgumentParser) -> None:
    which, _ = _groups(parser)
    one = "one DNS host: what it needs, a block to copy, its limits (-q: only the block)"
    which.add_argument("names", nargs="?", metavar="NAME", help=one)


def _revoke(parser: argparse.ArgumentParser) -> None:
    from dnsrenew.operations.revoke import REASONS

    which, how = _groups(parser)
    which.add_argument("name", nargs="?", metavar="NAME", help="the certificate to revoke")
    reason = "why: a word of the list below (unspecified)"
    how.add_argument("--reason", choices=tuple(REASONS), default="unspecified", metavar="R", help=reason)
    _wait(how, "that holds a lock")


def _cleanup(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how")
    _wait(how, "that is at it")


def _account(parser: argparse.ArgumentParser) -> None:
    which, _ = _groups(parser)
    actions = "show: what the CAs say of the accounts (default); roll: a new key for each, its URL stays"
    which.add_argument("action", nargs="?", choices=("show", "roll"), default="show", help=actions)
    which.add_argument("ca", nargs="?", metavar="CA", help="the account at this CA; all, if none is named")


def _schedule(parser: argparse.ArgumentParser) -> None:
    which, how = _groups(parser)
    actions = "install: let it run by itself; show: what is installed, or would be (default); remove: no more"
    which.add_argument("action", nargs="?", choices=("install", "show", "remove"), default="show", help=actions)
    kind = "systemd, cron, launchd or windows; by default what suits this machine"
    how.add_argument("--kind", choices=("systemd", "cron", "launchd", "windows"), metavar="KIND", help=kind)


def _run(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how")
    interval = "look at least every S seconds (43200: twice a day)"
    how.add_argument("--interval", type=_interval, default=43_200.0, metavar="S", help=interval)
    _jitter(how, "look up to S seconds later, by chance")
    _at_once(how)


_Group = argparse._ArgumentGroup  # noqa: SLF001  # argparse has no public name for what add_argument_group returns


def _groups(parser: argparse.ArgumentParser) -> tuple[_Group, _Group]:
    return parser.add_argument_group("which"), parser.add_argument_group("how")


def _wait(how: _Group, who: str) -> None:
    words = f"wait for another run {who}: S seconds, without S up to a day"
    how.add_argument("--wait", type=_seconds, nargs="?", const=WAIT_LONG, default=0.0, metavar="S", help=words)


def _jitter(how: _Group, words: str) -> None:
    how.add_argument("--jitter", type=_seconds, default=0.0, metavar="S", help=words)


def _at_once(how: _Group) -> None:
    how.add_argument("--workers", type=_workers, default=8, metavar="N", help="certificates worked on at once (8)")


_FLAGS: Final = {
    "renew": _renew,
    "status": _status,
    "providers": _providers,
    "revoke": _revoke,
    "cleanup": _cleanup,
    "account": _account,
    "schedule": _schedule,
    "run": _run,
}


class Request(NamedTuple):
    """What was asked for.

    :ivar command: the command, or None.
    :ivar options: its flags; those of every command are always there.
    :ivar parser: knows the help of the command.
    """

    command: str | None
    options: argparse.Namespace
    parser: argparse.ArgumentParser


def parse(argv: Sequence[str], columns: int) -> Request:
    """Read the command line; flags of every command may stand before the command.

    :raises ConfigError: ``usage``.
    """
    before, command, after = _split(argv)
    if command is not None and command not in TODAY and command not in MEANWHILE:
        meant = nearest(command, [*TODAY, *MEANWHILE])
        raise usage(f"There is no command {command!r}.{f' Did you mean {meant}?' if meant else ''}")
    parser = _parser(command, columns)
    if command in MEANWHILE:  # its flags come later too
        options, _ = parser.parse_known_args([*before, *after])
    else:
        options = parser.parse_intermixed_args([*before, *_with_wait(after)])
    return Request(command, options, parser)


def _split(argv: Sequence[str]) -> tuple[list[str], str | None, list[str]]:
    """Return what stands before the command, the command, and what follows."""
    skip = False
    for place, word in enumerate(argv):
        if not skip and not word.startswith("-"):
            return list(argv[:place]), word, list(argv[place + 1 :])
        skip = word in _VALUED and not skip
    return list(argv), None, []


def _with_wait(words: list[str]) -> list[str]:
    """Let ``--wait NAME`` mean what it looks like: the flag, and then a certificate."""
    done = []
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ""
        alone = word == "--wait" and following and not following.startswith("-") and not _is_number(following)
        done.append(f"--wait={WAIT_LONG:.0f}" if alone else word)
    return done


def _parser(command: str | None, columns: int) -> argparse.ArgumentParser:
    summary, names, example = TODAY.get(command or "", ("", "", ""))
    if command in MEANWHILE:
        summary = f"{MEANWHILE[command][0]}: comes in a later version.\n{MEANWHILE[command][1]}"
    parser = _Parser(
        prog=f"dnsrenew {command}" if command else "dnsrenew",
        usage=" ".join(filter(None, ("dnsrenew", command, names, "[options]"))),
        description=f"{summary[:1].upper()}{summary[1:]}".removesuffix(".") + ".",
        epilog=f"Example:\n  {example}" if example else None,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, 2, 24, min(columns, 100) - 2),
        allow_abbrev=False,
        add_help=False,
    )
    add_flags = _FLAGS.get(command or "")
    if add_flags is not None:
        add_flags(parser)
    common = parser.add_argument_group("for every command")
    common.add_argument("--config", metavar="FILE", help="the configuration, instead of looking for one")
    common.add_argument("--json", action="store_true", help="one JSON document on standard output")
    loud = common.add_mutually_exclusive_group()
    loud.add_argument("-v", "--verbose", action="count", default=0, help="tell more (-vv: for a report of a bug)")
    loud.add_argument("-q", "--quiet", action="store_true", help="tell only errors and warnings")
    common.add_argument("--no-color", action="store_true", help="no colours (also: NO_COLOR=1)")
    common.add_argument("-h", "--help", action="store_true", help="show this")
    if command is None:
        common.add_argument("--version", action="store_true", help="show the version")
    return parser


def _in_words(message: str, flags: Sequence[str]) -> str:
    """Return what argparse found, as a sentence.

    :param flags: those that the command has.
    """
    if message.startswith("unrecognized arguments: "):
        words = message.partition(": ")[2]
        return f"Unknown here: {words}.{_meant_flag(words.split(' ')[0], flags)}"
    return f"{message[0].upper()}{message[1:]}."


def _meant_flag(word: str, flags: Sequence[str]) -> str:
    if not word.startswith("-"):
        return ""
    # Without the dashes: all have them, and would be alike.
    meant = nearest(word.partition("=")[0].strip("-"), [flag.strip("-") for flag in flags])
    return f" Did you mean --{meant}?" if meant else ""


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _seconds(word: str) -> float:
    if not _is_number(word) or not 0 <= float(word) < 1e9:  # also sorts out nan and inf
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of seconds")
    return float(word)


def _interval(word: str) -> float:
    seconds = _seconds(word)
    if not 60 <= seconds <= 86_400:  # the contract of the name: at least daily, whatever a certificate says
        raise argparse.ArgumentTypeError(f"{word!r} is not a number from 60 to 86400")
    return seconds


def _workers(word: str) -> int:
    if not word.isdecimal() or not 1 <= int(word) <= 1000:  # threads, after all
        raise argparse.ArgumentTypeError(f"{word!r} is not a number from 1 to 1000")
    return int(word)
