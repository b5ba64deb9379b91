"""The programs that a configuration runs: where they are, and whether others can change them.

What is inside a script, and what an interpreter imports, is not looked at.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any, Final

from dnsrenew.base.validation import KeyPath
from dnsrenew.config import texts
from dnsrenew.config.fields import argument, list_of
from dnsrenew.config.schema import FieldScope

_RUNS_ANOTHER: Final = re.compile(
    r"(?:ba|da|fi|k|z|a)?sh|(?:pythonw?|pypy|perl|ruby|node|nodejs|php|lua)[\d.]*|cmd|powershell|pwsh|busybox|"
    r"env|nice|ionice|nohup|setsid|stdbuf|timeout|time|sudo|doas|su|runuser|setpriv|chroot|unshare|nsenter|flock|"
    r"xargs|systemd-run"
)
"""The names of shells, interpreters and others whose arguments say which program or script is run."""
_BETWEEN_WORDS: Final = re.compile(r"[\s;|&<>()`'\"]+")
_LONGEST_NAME: Final = 64
"""Characters of a word that is looked for in ``PATH``."""


def command(value: Any, scope: FieldScope, path: KeyPath) -> tuple[str, ...]:
    """Read a program and its arguments; the program is absolute afterwards, if it is there, and judged."""
    return _command(value, scope, path, texts.COMMAND)


def dns_hook(value: Any, scope: FieldScope, path: KeyPath) -> tuple[str, ...]:
    """Read a program that writes TXT records, as :func:`command`."""
    return _command(value, scope, path, texts.DNS_HOOK)


def _command(value: Any, scope: FieldScope, path: KeyPath, expected: str) -> tuple[str, ...]:
    words: tuple[str, ...] = list_of(argument, expected, least=1)(value, scope, path)
    return judged(words, scope) if words else words


def judged(words: Sequence[str], scope: FieldScope) -> tuple[str, ...]:
    """Return a command with the absolute path of its program, after all that it names was judged.

    :raises FieldError: as :meth:`FieldScope.check_plain`.
    :raises ConfigError: ``config-untrusted``.
    """
    scope.check_plain()
    for path in _named_files(words, scope):
        if os.path.isfile(path):
            scope.checks.judge(path)
    return (program_path(words[0], scope), *words[1:])


def program_path(name: str, scope: FieldScope) -> str:
    """Return the absolute path of a program, judged; a name that is not in ``PATH`` is returned as it is.

    A path with a slash is relative to its configuration file. Running the path that is returned, and not the name,
    makes sure that the program is the one that was judged. One that is missing may be put into ``PATH`` later, so the
    folders there are judged.

    :raises ConfigError: ``config-untrusted``.
    """
    path = scope.path_of(name) if has_folder(name) else scope.checks.program(name)
    if path is None:
        for folder in os.get_exec_path():
            scope.checks.judge(os.path.abspath(os.path.join(folder, name)))
        return name
    scope.checks.judge(path)
    return path


def has_folder(name: str) -> bool:
    """Return whether a program is given as a path."""
    return os.path.basename(name) != name


def _named_files(words: Sequence[str], scope: FieldScope) -> Iterator[str]:
    """Yield the paths that a command names; for one that runs another program, also what it would find by name."""
    arguments = words[1:]
    yield from filter(os.path.isabs, arguments)
    if not _RUNS_ANOTHER.fullmatch(os.path.basename(words[0]).lower().removesuffix(".exe")):
        return
    script = next((word for word in arguments if not word.startswith("-")), "")
    yield os.path.abspath(script)
    for word in dict.fromkeys(word for each in arguments for word in _words(each)):
        if has_folder(word):
            yield os.path.abspath(word)
        elif len(word) <= _LONGEST_NAME and (found := scope.checks.program(word)):
            yield found


def _words(text: str) -> Iterator[str]:
    """Yield the words of a command for a shell: as the shell reads them, and what is between its signs."""
    yield from _BETWEEN_WORDS.split(text)
    try:
        yield from shlex.split(text)
    except ValueError:  # an open quote, which the shell refuses too
        return
