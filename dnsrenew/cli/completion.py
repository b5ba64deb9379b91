"""``dnsrenew completion``: the script that makes a shell complete the command line.

The scripts are short. They ask ``dnsrenew __complete`` for the candidates at the cursor, so that they need no update
when dnsrenew gets a new command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from dnsrenew.base.values import Frozen
from dnsrenew.cli import commands
from dnsrenew.cli.arguments import values_of
from dnsrenew.cli.command_types import Option
from dnsrenew.cli.commands import COMMANDS, GROUPS
from dnsrenew.cli.invocation import Invocation
from dnsrenew.config import Config
from dnsrenew.drivers.catalogue import provider_names
from dnsrenew.store.folder_store import open_store

_ENDINGS: Final = {"bash": "bash", "zsh": "zsh", "fish": "fish", "powershell": "ps1"}


def completion(invocation: Invocation) -> int:
    """Print the script of a shell; return the exit status."""
    file = f"dnsrenew.{_ENDINGS[invocation.options.shell]}"
    script = (Path(__file__).parent / "shells" / file).read_text("utf-8")
    invocation.terminal.write_document({"shell": invocation.options.shell, "script": script})
    invocation.terminal.write_result(script.rstrip())
    return 0


# ── candidates ─────────────────────────────────────────────────────────────────────────

# The candidates at the cursor of a command line: the completion scripts ask ``dnsrenew __complete WORD …``.
#
# The last word is the one at the cursor. The answer has a line for each candidate, ``word<TAB>description``; the line
# ``:files`` asks the shell for the names of files. After any error, the answer is empty, because no error may appear
# there.

Candidate = tuple[str, str]
"""A word, and its description."""

_FILES: Final = ":files"


class _Typed(Frozen):
    """The words before the cursor.

    :ivar name: the command; None before a command is typed.
    :ivar arguments: the arguments of the command.
    :ivar pending: the option whose value is at the cursor.
    """

    words: Sequence[str]
    name: str | None
    arguments: Sequence[str]
    pending: Option | None


def answer(words: Sequence[str]) -> str:
    """Return the lines for the words after ``dnsrenew``."""
    try:
        before, current, kept = _glued(words)
        found = [(word.removeprefix(kept), text) for word, text in _candidates(before, current)]
    except Exception:  # noqa: BLE001  # a mistake in the configuration, or a bug: other commands report it
        return ""
    lines = [f"{word}\t{text}" if text else word for word, text in found]
    return "".join(f"{line}\n" for line in lines).encode("ascii", "replace").decode()


def _glued(words: Sequence[str]) -> tuple[list[str], str, str]:
    """Return the words before the cursor, the word at it, and the beginning of that word that the shell keeps.

    Bash passes ``--reason=x`` as three words, and replaces only the last one.
    """
    whole: list[str] = []
    kept = ""
    # PowerShell passes this for an empty word, because it drops a really empty one.
    for word in ["" if word == '""' else word for word in words] or [""]:
        if word == "=" and whole and whole[-1].startswith("--"):
            whole[-1] += "="
            kept = whole[-1]
        elif kept and whole[-1] == kept:
            whole[-1] += word
        else:
            whole.append(word)
            kept = ""
    return whole[:-1], whole[-1], kept


def _candidates(before: Sequence[str], current: str) -> Iterable[Candidate]:
    """Return the candidates that can replace the word at the cursor."""
    typed = _typed(before)
    options = commands.options_of(typed.name)
    flag, equals, _ = current.partition("=")
    if typed.pending is not None and typed.pending.value_if_bare is None:
        found = _values(typed.pending)
    elif equals:
        values = [value for option in options if option.flag == flag for value in _values(option)]
        found = [(word if word == _FILES else f"{flag}={word}", text) for word, text in values]
    elif current.startswith("-"):
        found = [(option.flag, option.text()) for option in options if option.flag not in typed.words]
    else:
        found = _arguments(typed)
    return [(word, text) for word, text in found if word.startswith(current) or word == _FILES]


def _typed(words: Sequence[str]) -> _Typed:
    """Read the words before the cursor. An unknown command raises a ``KeyError``."""
    name: str | None = None
    arguments: list[str] = []
    pending: Option | None = None
    for word in words:
        if word.startswith("-"):
            flags = {flag: option for option in commands.options_of(name) for flag in (option.flag, option.short)}
            option = flags.get(word)
            pending = option if option is not None and option.shown else None
        elif pending is not None and pending.value_if_bare is None:
            pending = None
        elif name is None:
            name = word
        elif name in GROUPS:
            name = f"{name} {word}"
        else:
            arguments.append(word)
    return _Typed(words, name, arguments, pending)


def _values(option: Option) -> Iterable[Candidate]:
    return [(_FILES, "")] if option.kind == "file" else [(word, "") for word in option.words]


def _arguments(typed: _Typed) -> Iterable[Candidate]:
    """Yield the commands, or the candidates for the next argument."""
    if typed.name is None:
        return _commands()
    if typed.name in GROUPS:
        return _members(typed.name)
    expected = COMMANDS[typed.name].arguments
    position = len(typed.arguments)
    if not expected or (position >= len(expected) and not expected[-1].many):
        return ()
    argument = expected[min(position, len(expected) - 1)]
    if argument.words:
        return [(word, "") for word in argument.words]
    given = set(typed.arguments)
    return [(word, text) for word, text in _NAMES[argument.kind](typed) if word not in given]


def _commands() -> Iterable[Candidate]:
    return [(name, command.summary) for name, command in COMMANDS.items() if " " not in name]


def _members(group: str) -> Iterable[Candidate]:
    return [(member, COMMANDS[f"{group} {member}"].summary) for member in commands.members(group)]


def _certificates(typed: _Typed) -> Iterable[Candidate]:
    return [(spec.name, ", ".join(spec.domains[:3])) for spec in _config(typed.words).certificates]


def _orphans(typed: _Typed) -> Iterable[Candidate]:
    config = _config(typed.words)
    if not isinstance(config.store, Path):  # a database may be slow, and a shell waits
        return []
    configured = {spec.name for spec in config.certificates}
    return [(name, "") for name in open_store(config.store).names() if name not in configured]


def _config(words: Sequence[str]) -> Config:
    """Return the configuration that the command would read, without resolving a secret."""
    path = next(iter(values_of("--config", words)), None)
    return Config.find(path, insist="--insist" in words)


_NAMES: Final[Mapping[str, Callable[[_Typed], Iterable[Candidate]]]] = {
    "certificates": _certificates,
    "orphans": _orphans,
    "cas": lambda typed: [(name, ca.directory) for name, ca in _config(typed.words).cas.items()],
    "providers": lambda _: [(name, "") for name in provider_names()],
    "commands": lambda typed: _members(typed.arguments[0]) if typed.arguments else _commands(),
    "files": lambda _: [(_FILES, "")],
}
"""The names that an argument can be, by its kind."""
