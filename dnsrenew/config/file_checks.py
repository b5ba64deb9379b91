"""Checks whether others can change the files that a configuration uses, or read its secrets.

A configuration can run programs, and it decides for which names certificates are obtained. The rule is in
:mod:`dnsrenew.base.path_trust`; this module turns its result into an error or a warning.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from collections.abc import Iterable, Mapping
from typing import Final

from dnsrenew.base import files
from dnsrenew.base.model import Notice
from dnsrenew.base.path_trust import Fault, Ground, Weakness, is_read_only
from dnsrenew.base.users import user_name
from dnsrenew.config import texts
from dnsrenew.errors import ConfigError, Text

_TEXTS: Final[dict[Fault, tuple[Text, Text]]] = {
    "owner": (texts.UNTRUSTED_FILE_OWNER, texts.UNTRUSTED_FOLDER_OWNER),
    "group": (texts.UNTRUSTED_FILE_GROUP, texts.UNTRUSTED_FOLDER_GROUP),
    "list": (texts.UNTRUSTED_FILE_LIST, texts.UNTRUSTED_FOLDER_LIST),
    "everybody": (texts.UNTRUSTED_FILE_EVERYBODY, texts.UNTRUSTED_FOLDER_EVERYBODY),
}
"""The text for a file, and the text for a folder."""


class FileChecks:
    """Checks each file of one configuration once.

    :param found: whether the configuration was found and not named. Then a file that others can change is always an
        error. Otherwise it is an error for root, and a warning for other users.
    :param insist: whether to use all files unchecked.
    :param instead: contents that replace the contents of some files, by path.
    :ivar used: every requested file in order, whether it exists or not; a dict because of its order.
    """

    def __init__(self, *, found: bool, insist: bool, instead: Mapping[str, bytes] | None = None) -> None:
        self.insist = insist
        self._instead = instead or {}
        self.used: dict[str, None] = {}
        self._refuse = found or _is_root()
        self._ground = Ground()
        self._folders: dict[str, Weakness | None] = {}
        self._programs: dict[str, str | None] = {}
        self._warnings: dict[str, Notice] = {}

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """One warning for each part of a path that others can change."""
        return tuple(self._warnings.values())

    def read(self, path: str, *, any_entry: bool = False) -> bytes:
        """Return the content of a regular file, after a check of the open file.

        :param path: the absolute path.
        :param any_entry: whether every file of its folder is used, so that others must not be able to add a file.
        :raises ConfigError: ``config-untrusted``.
        :raises NotAFileError: the path is not a regular file.
        :raises OSError: the file cannot be read.
        """
        self.used[path] = None
        if path in self._instead:
            return self._instead[path]
        if self.insist:
            return files.read(path)
        try:
            handle, weakness = self._ground.open(path)
        except FileNotFoundError:
            files.open_to_read(path).close()  # for a link in /proc to a pipe: raises its error
            raise
        with os.fdopen(handle, "rb") as file:
            if weakness is None and any_entry:
                weakness = self._weakness_of_folder(os.path.dirname(path))
            self._judge(path, weakness)
            return file.read()

    def judge(self, path: str, *, any_entry: bool = False) -> None:
        """Check a file that is used later, such as a program. If it does not exist yet, check its folder.

        :param path: the absolute path.
        :param any_entry: whether it is a folder whose every file is used.
        :raises ConfigError: ``config-untrusted``.
        """
        self.used[path] = None
        if self.insist:
            return
        weakness = self._ground.weakness(path, any_entry=any_entry)
        real = os.path.realpath(path)
        if weakness is None and not os.path.lexists(real):
            weakness = self._weakness_of_folder(files.nearest_existing(os.path.dirname(real)))
        self._judge(os.path.join(path, "*") if any_entry else path, weakness)

    def program(self, name: str) -> str | None:
        """Return the absolute path of a program in ``PATH``. Each name is searched once for one configuration."""
        if name not in self._programs:
            found = shutil.which(name)
            self._programs[name] = None if found is None else os.path.abspath(found)
        return self._programs[name]

    def open_to_others(self, paths: Iterable[str]) -> list[str]:
        """Return the files that other users can read and whose mode can be changed."""
        return [path for path in paths if self._ground.can_others_read(path) and not is_read_only(path)]

    def _weakness_of_folder(self, folder: str) -> Weakness | None:
        if folder not in self._folders:
            self._folders[folder] = self._ground.weakness(folder, any_entry=True)
        return self._folders[folder]

    def _judge(self, path: str, weakness: Weakness | None) -> None:
        if weakness is None or weakness.path in self._warnings:
            return
        mode = _mode(weakness.path)
        if stat.S_ISCHR(mode):  # /dev/stdin without input is /dev/null; no device is ever read
            return
        text = texts.UNTRUSTED_LINK if stat.S_ISLNK(mode) else _TEXTS[weakness.fault][stat.S_ISDIR(mode)]
        evidence = {**vars(weakness), "file": path}
        if self._refuse:
            raise ConfigError.of(text, **evidence)
        self._warnings[weakness.path] = Notice(*text.fill(**evidence))


def close_command(paths: list[str]) -> str:
    """Return a command that makes these files readable only by the running user."""
    names = shlex.join(paths)
    # The mode alone would lock this user out.
    chown = "" if all(map(_is_own, paths)) else f"chown {user_name(os.geteuid())} {names} && "
    return f"{chown}chmod 600 {names}"


def _mode(path: str) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:  # gone in the meantime
        return stat.S_IFREG


def _is_root() -> bool:
    return os.name == "posix" and os.geteuid() == 0


def _is_own(path: str) -> bool:
    try:
        return os.stat(path).st_uid == os.geteuid()
    except OSError:  # gone in the meantime
        return True
