"""Finds the configuration and the default store, and checks that only trusted users can write a file."""

from __future__ import annotations

import os
import stat
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
    """Return the absolute path of the configuration, and whether it was found in the current folder.

    :raises ConfigError: ``config-missing``.
    """
    named = ((explicit, texts.CONFIG_MISSING_OPTION), (environ.get(VARIABLE), texts.CONFIG_MISSING_VARIABLE))
    for name, missing in named:
        if name:
            path = os.path.abspath(os.path.join(cwd, os.path.expanduser(name)))
            if not os.path.lexists(path):
                raise ConfigError.of(missing, searched=[path])
            return path, False
    folders = [cwd, user_folder(environ), SYSTEM_FOLDER if os.name == "posix" else None]
    paths = [os.path.join(folder, FILE_NAME) for folder in folders if folder]
    for path in paths:
        # lexists: a broken link is an error; the search does not pass over it.
        if os.path.lexists(path):
            return path, path == paths[0]
    raise ConfigError.of(texts.CONFIG_NOT_FOUND, searched=paths, suggested=paths[0])


def check_trusted(path: str, info: os.stat_result) -> None:
    """Refuse a file that other users can write: a configuration can run programs.

    :param info: of the open file, so that the checked file is the one that is read; a link to it is checked too.
    :raises ConfigError: ``config-untrusted``.
    """
    if not hasattr(os, "getuid"):  # Windows: a file inherits the access list of its folder
        return
    allowed = {0, os.getuid()}
    link = os.lstat(path)
    if info.st_uid not in allowed or link.st_uid not in allowed:
        owner = info.st_uid if info.st_uid not in allowed else link.st_uid
        raise ConfigError.of(texts.CONFIG_OTHER_OWNER, file=path, owner=owner)
    if info.st_mode & stat.S_IWOTH:
        raise ConfigError.of(texts.CONFIG_WRITABLE, file=path, mode=f"{stat.S_IMODE(info.st_mode):04o}")
