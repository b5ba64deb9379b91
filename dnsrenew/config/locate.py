"""Finds the configuration and the default store."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final

from dnsrenew.config import texts
from dnsrenew.errors import ConfigError

FILE_NAME: Final = "dnsrenew.toml"
VARIABLE: Final = "DNSRENEW_CONFIG"
SYSTEM_FOLDER: Final = "/etc/dnsrenew"
SYSTEM_STORE: Final = "/var/lib/dnsrenew"
_NAME: Final = "dnsrenew"
_NOTEPAD: Final = ".txt"
"""What Windows' Notepad adds to a name, and Explorer hides."""


def user_folder(environ: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """Return the user's config folder for dnsrenew; None without a home."""
    if platform == "win32":
        return _in(environ.get("APPDATA"), _NAME)
    if platform == "darwin":
        return _in(_home(environ), "Library", "Application Support", _NAME)
    return _in(_xdg(environ, "XDG_CONFIG_HOME") or _in(_home(environ), ".config"), _NAME)


def user_store(environ: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """Return the user's state folder for dnsrenew; None without a home."""
    if platform == "win32":
        return _in(environ.get("LOCALAPPDATA") or environ.get("APPDATA"), _NAME, "state")
    if platform == "darwin":
        return _in(_home(environ), "Library", "Application Support", _NAME, "state")
    return _in(_xdg(environ, "XDG_STATE_HOME") or _in(_home(environ), ".local", "state"), _NAME)


def default_store(folder: str, environ: Mapping[str, str]) -> str:
    """Return the default store of a configuration in this folder."""
    if os.name == "posix" and folder == SYSTEM_FOLDER:
        return SYSTEM_STORE
    own = user_store(environ) if folder == user_folder(environ) else None
    return own or os.path.join(folder, "state")


def here() -> str:
    """Return the current folder; the root folder if it was deleted."""
    try:
        return os.getcwd()
    except OSError:
        return os.path.abspath(os.sep)


def _home(environ: Mapping[str, str]) -> str | None:
    home = environ.get("HOME") or os.path.expanduser("~")
    return home if os.path.isabs(home) else None


def _xdg(environ: Mapping[str, str], name: str) -> str | None:
    value = environ.get(name, "")
    return value if os.path.isabs(value) else None  # the XDG specification ignores relative paths


def _in(folder: str | None, *parts: str) -> str | None:
    return os.path.join(folder, *parts) if folder else None


def search(explicit: str | None, environ: Mapping[str, str], cwd: str) -> tuple[str, bool]:
    """Return the absolute path of the configuration, and whether it was found, not named.

    :raises ConfigError: ``config-missing``.
    """
    named = ((explicit, texts.CONFIG_MISSING_OPTION), (environ.get(VARIABLE), texts.CONFIG_MISSING_VARIABLE))
    folders = [cwd, user_folder(environ), SYSTEM_FOLDER if os.name == "posix" else None]
    del environ  # a tool that shows the variables of a traceback must not show it
    for name, missing in named:
        if name:
            path = os.path.abspath(os.path.join(cwd, os.path.expanduser(name)))
            if not os.path.lexists(path):
                raise _with_txt([path]) or ConfigError.of(missing, searched=[path])
            return path, False
    paths = [os.path.join(folder, FILE_NAME) for folder in folders if folder]
    for path in paths:
        # lexists: a broken link is an error; the search does not pass over it.
        if os.path.lexists(path):
            return path, True
    raise _with_txt(paths) or ConfigError.of(texts.CONFIG_NOT_FOUND, searched=paths, suggested=paths[0])


def new_config(explicit: str | None, environ: Mapping[str, str], cwd: str) -> str:
    """Return the absolute path of a configuration to write: the one that is named or found, or the default place."""
    named = explicit or environ.get(VARIABLE)
    if named:
        return os.path.abspath(os.path.join(cwd, os.path.expanduser(named)))
    try:
        return search(None, environ, cwd)[0]
    except ConfigError:
        is_root = os.name == "posix" and os.geteuid() == 0
        return os.path.join(SYSTEM_FOLDER if is_root else user_folder(environ) or cwd, FILE_NAME)


def _with_txt(paths: list[str]) -> ConfigError | None:
    """Return the error for a file that is there as ``dnsrenew.toml.txt``; None if there is none."""
    for path in paths:
        if os.path.isfile(path + _NOTEPAD):
            found, name = path + _NOTEPAD, os.path.basename(path)
            return ConfigError.of(texts.CONFIG_NAMED_TXT, searched=paths, found=found, name=name)
    return None
