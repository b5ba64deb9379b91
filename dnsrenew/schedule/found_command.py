"""A command that a machine runs by itself, and whether it renews the certificates of a configuration.

A command that names none reads the one that is found from its folder and its environment, as far as they are known.
"""

from __future__ import annotations

import os
import re
import shlex
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from typing import Final

from dnsrenew.base.durations import unit_seconds
from dnsrenew.base.values import Frozen
from dnsrenew.config.locate import VARIABLE, search
from dnsrenew.errors import ConfigError

_COMMAND: Final = re.compile(r"""(?:^|[\s/\\"'=;&|(>])dnsrenew(?:\.exe)?["']?\s+((?:"[^"]*"|'[^']*'|[^;&|\n<])*)""")
"""The program in a command line, and its arguments."""
_LONGEST: Final = 4096
"""Characters of a line; a longer one is no command that a person wrote, and reading its words would take long."""
_MOST_CALLS: Final = 3
"""Calls in one line."""
_ELSEWHERE: Final = re.compile(
    r"(?<![\w-])(?:cd|pushd|env|export|source|su|sudo|doas|runuser|setpriv|chroot|nsenter|docker|podman|ssh)(?![\w-])"
)
"""What, before the program, gives it another folder, environment, user or machine."""
_SETS: Final = re.compile(rf"(?<!\w){VARIABLE}=(\"[^\"]*\"|'[^']*'|[^\s;&|]*)")
_EXPANDED: Final = ("$", "%", "`")
"""A shell or systemd replaces a word that begins so, as ``$HOME/x`` and ``%h/x``."""
_WORKS: Final = frozenset({"renew", "run"})
OPTIONS_WITH_VALUE: Final = frozenset({"--config", "--interval", "--jitter", "--lang", "--wait", "--workers"})
"""The options of these commands whose value can be the next word, which is no name of a certificate then."""
_MAYBE_BARE: Final = "--wait"
_REDIRECTS: Final = re.compile(r"\d*>+")


class FoundCommand(Frozen):
    """A command line, and what is known of the process that it starts.

    :ivar folder: where it starts; None if that is not known.
    :ivar environ: its environment, as far as it decides about the configuration; None if that is not known.
    """

    line: str
    folder: str | None = None
    environ: Mapping[str, str] | None = None

    def renews(self, config: str, names: Collection[str] = ()) -> bool | None:
        """Return whether it renews the certificates of a configuration; None: it renews, perhaps those of another.

        :param names: of these certificates; one that is left out by the command is not renewed. Empty: not known.
        """
        if len(self.line) > _LONGEST:
            return False
        answers = [self._reads(match, config, names) for match in islice(_COMMAND.finditer(self.line), _MOST_CALLS)]
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
    """Give the certificates and patterns that a command names; one in a variable is not known."""
    left = deque(words)
    while left:
        word = left.popleft()
        if word.startswith("#"):
            return
        if redirect := _REDIRECTS.match(word):
            if redirect.end() == len(word) and left:
                left.popleft()
        elif word in OPTIONS_WITH_VALUE and left and (word != _MAYBE_BARE or left[0][:1].isdecimal()):
            if left.popleft().isdecimal() and left and len(left[0]) > 1 and unit_seconds(left[0]):  # "14 days"
                left.popleft()
        elif word not in _WORKS and not word.startswith(("-", *_EXPANDED)):
            yield word


def _covers(given: Collection[str], names: Collection[str]) -> bool:
    """Return whether all certificates are among those that a command names; one that names none means all."""
    patterns = [each.lower() for each in given]
    return not patterns or all(any(fnmatchcase(name, pattern) for pattern in patterns) for name in names)


def _names(given: str, folder: str | None, environ: Mapping[str, str] | None, config: str) -> bool | None:
    """Return whether a path names the configuration; None if it depends on what is not known."""
    path = os.path.expanduser(given)
    home = None if environ is None else environ.get("HOME")
    if given.startswith("~/") and home:
        path = os.path.join(home, given[2:])
    if not _is_absolute(path):
        if folder is None or path.startswith(_EXPANDED):
            return None
        path = os.path.join(folder, path)
    return os.path.realpath(path) == config


def _finds(folder: str, environ: Mapping[str, str], config: str) -> bool | None:
    """Return whether a process without ``--config`` finds the configuration; None if it finds none."""
    try:
        path, _ = search(None, environ, folder)
    except ConfigError:
        return None
    return os.path.realpath(path) == config


def _is_absolute(path: str) -> bool:
    """Return whether a path is the same for each process, on any system."""
    return path.startswith(("/", "~")) or path[1:2] == ":"


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text.replace("\\", "\\\\") if ":\\" in text else text)  # a path of Windows
    except ValueError:
        return text.replace('"', "").replace("'", "").split()


def _named_config(words: Sequence[str]) -> str | None:
    for index, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag == "--config":
            return value if equals else next(iter(words[index + 1 :]), None)
    return None
