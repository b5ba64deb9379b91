"""The English templates of the program, so that a catalogue can be compared with them.

``python -m tests.kit.translations zh`` prints those that the Chinese catalogue lacks, by the module that has them.
"""

from __future__ import annotations

import errno
import os
import string
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules, walk_packages
from types import ModuleType
from typing import Any, Final

import dnsrenew
from dnsrenew.base.values import Frozen
from dnsrenew.cli import commands, texts, texts_doctor
from dnsrenew.doctor.forms import texts as forms_texts
from dnsrenew.doctor.report import texts as report_texts
from dnsrenew.errors import Phrase, Text
from docs import codes

PROGRAM: Final = (texts, texts_doctor, forms_texts, report_texts)
"""The catalogues of the program itself; others are those of errors, warnings and checks."""
SYSTEM: Final = "the operating system"
_REASONS: Final = (
    *(errno.EACCES, errno.EPERM, errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ELOOP),
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EBUSY, errno.ENAMETOOLONG, errno.EXDEV, errno.EINVAL),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOEXEC, errno.ENXIO, errno.EPIPE, errno.EADDRINUSE),
    *(errno.EADDRNOTAVAIL, errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT),
    *(errno.EHOSTUNREACH, errno.ENETUNREACH),
)
"""Numbers whose reason, in the words of Linux, is the value of a field."""
_KEPT: Final = frozenset({f"dnsrenew.cli.texts.{name}" for name in ("SCHEDULERS", "YES_OR_NO", "SHORTENED")})
"""Names of programs, and what is typed; English abbreviations."""
_TYPED: Final = frozenset(
    {
        *(f"dnsrenew.config.texts.{name}" for name in ("AGREEMENT", "COMMAND_REFERENCE", "EXAMPLE_ACCOUNT", "KEYRING")),
        *(f"dnsrenew.config.texts.{name}" for name in ("NOT_AGREED", "TERMS")),
        "dnsrenew.drivers.texts.SCOPE_FOUND",
        "dnsrenew.setup.init.texts.CA_TITLES",
        "dnsrenew.watch.metrics.texts.HEALTHY",
        *(f"dnsrenew.validation.texts.TOML_{name}" for name in ("CAUSES", "TRUE", "FALSE", "YES", "NO")),
    }
)
"""Constants with what is typed, names, what programs read, and the words of Python's reader of TOML."""
_TYPED_PHRASES: Final = frozenset({"dnsrenew.config.texts.EAB_TABLE", "dnsrenew.setup.init.texts.SHOWN_YES"})
"""Phrases that are only what is typed."""
_FOR_PROGRAMS: Final = frozenset(
    {
        *(f"dnsrenew.serving.texts.{name}" for name in ("NO_SUCH_APP", "NO_CERTIFICATE_OF_ONES_OWN")),
        *(f"dnsrenew.fleet.serving.texts.NO_{name}" for name in ("FUNCTION", "COROUTINE", "SIZE", "BOOL")),
    }
)
"""Texts of exceptions that only a program in Python meets."""


def english() -> Mapping[str, set[str]]:
    """Return every template by the module that has it."""
    found: dict[str, set[str]] = {SYSTEM: {os.strerror(number) for number in _REASONS}}
    for (module, _), several in codes.catalogue().items():
        for text in several:
            found.setdefault(module, set()).update(part for part in (text.message, text.fix) if part)
    for catalogue in PROGRAM:
        where = catalogue.__name__
        for name, value in vars(catalogue).items():
            if name.isupper() and name[0] != "_" and f"{where}.{name}" not in _KEPT:
                found.setdefault(where, set()).update(_strings(value))
    found["dnsrenew.cli.commands"] = set(_help())
    for name in (*found, *text_modules()):
        if name != SYSTEM:
            for constant, value in vars(import_module(name)).items():
                phrases = {each.template for each in _strings(value) if isinstance(each, Phrase)}
                found[name] = found.get(name, set()) | (
                    phrases if f"{name}.{constant}" not in _TYPED_PHRASES else set()
                )
    return found


def text_modules() -> list[str]:
    """Return the modules with texts, except those of the program."""
    every = (each.name for each in walk_packages(dnsrenew.__path__, "dnsrenew."))
    program = {each.__name__ for each in PROGRAM}
    return [name for name in every if name.rpartition(".")[2].startswith("texts") and name not in program]


def plain() -> Iterator[str]:
    """Yield the constants with words that are no text and no phrase, so that they stay English, and the words."""
    for module in text_modules():
        for name, value in vars(import_module(module)).items():
            where = f"{module}.{name}"
            if name.isupper() and name[0] != "_" and where not in _TYPED | _FOR_PROGRAMS:
                found = _strings(value, with_texts=False)
                yield from (f"{where}: {each}" for each in found if not isinstance(each, Phrase) and has_words(each))


def _strings(value: Any, *, with_texts: bool = True) -> Iterator[str]:
    """Yield the texts in a constant of the program."""
    if isinstance(value, Text):
        yield from (value.message, value.fix) if with_texts else ()
    elif isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (each for item in value.values() for each in _strings(item, with_texts=with_texts))
    elif isinstance(value, (tuple, list)):
        yield from (each for item in value for each in _strings(item, with_texts=with_texts))
    elif isinstance(value, Frozen):
        yield from _strings(vars(value), with_texts=with_texts)


def _help() -> Iterator[str]:
    """Yield the texts of ``--help``."""
    yield from (commands.SUMMARY, commands.USAGE, commands.HEADING, *commands.HEADINGS.values())
    for option in (*commands.GLOBAL, commands.VERSION, commands.INSIST):
        yield option.help
    for _, comment in commands.EXAMPLES:
        yield comment
    for command in commands.COMMANDS.values():
        yield command.summary
        yield from command.notes.split("\n")
        yield from (argument.help for argument in command.arguments)
        yield from (option.help for option in command.options)
        yield from (comment for _, comment in command.examples)


def has_words(template: str) -> bool:
    """Return whether a template has more than fields, so that it needs a translation."""
    return any(character.isalpha() for text, *_ in string.Formatter().parse(template) for character in text or "")


def fields(template: str) -> list[str]:
    """Return the fields of a template, sorted."""
    return sorted(name for _, name, _, _ in string.Formatter().parse(template) if name)


def modules(language: str) -> Iterator[ModuleType]:
    """Yield the modules of a catalogue."""
    package = import_module(f"dnsrenew.translation.{language}")
    for module in iter_modules(package.__path__):
        yield import_module(f"{package.__name__}.{module.name}")


if __name__ == "__main__":
    catalogue = import_module(f"{dnsrenew.__name__}.translation.{sys.argv[1]}").CATALOGUE
    for module, templates in sorted(english().items()):
        for template in sorted(filter(has_words, templates - set(catalogue))):
            print(f"{module}\t{template!r}")  # noqa: T201  # a list for translators
