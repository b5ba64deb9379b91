"""Where the configuration is looked for, where the state belongs, and whom a file may belong to."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from typing import Final

from dnsrenew.errors import ConfigError

FILE_NAME: Final = "dnsrenew.toml"
VARIABLE: Final = "DNSRENEW_CONFIG"
SYSTEM_FOLDER: Final = "/etc/dnsrenew"
SYSTEM_STORE: Final = "/var/lib/dnsrenew"
_NAME: Final = "dnsrenew"


def user_folder(environ: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """Return the user's config folder for dnsrenew; None where he has no home."""
    if platform == "win32":
        return _in(environ.get("APPDATA"), _NAME)
    if platform == "darwin":
        return _in(_home(environ), "Library", "Application Support", _NAME)
    return _in(_xdg(environ, "XDG_CONFIG_HOME") or _in(_home(environ), ".config"), _NAME)


def user_store(environ: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """Return the user's state folder for dnsrenew; None where he has no home."""
    if platform == "win32":
        return _in(environ.get("LOCALAPPDATA") or environ.get("APPDATA"), _NAME, "state")
    if platform == "darwin":
        return _in(_home(environ), "Library", "Application Support", _NAME, "state")
    return _in(_xdg(environ, "XDG_STATE_HOME") or _in(_home(environ), ".local", "state"), _NAME)


def default_store(folder: str, environ: Mapping[str, str]) -> str:
    """Return the store of a configuration in a folder that names none."""
    if os.name == "posix" and folder == SYSTEM_FOLDER:
        return SYSTEM_STORE
    own = user_store(environ) if folder == user_folder(environ) else None
    return own or os.path.join(folder, "state")


def here() -> str:
    """Return the current folder; the root where it was deleted under us (then nothing is found in it)."""
    try:
        return os.getcwd()
    except OSError:
        return os.path.abspath(os.sep)


def _home(environ: Mapping[str, str]) -> str | None:
    home = environ.get("HOME") or os.path.expanduser("~")
    return home if os.path.isabs(home) else None


def _xdg(environ: Mapping[str, str], name: str) -> str | None:
    value = environ.get(name, "")
    return value if os.path.isabs(value) else None  # the XDG specification: a relative one is ignored


def _in(folder: str | None, *parts: str) -> str | None:
    return os.path.join(folder, *parts) if folder else None


def search(explicit: str | None, environ: Mapping[str, str], cwd: str) -> tuple[str, bool]:
    """Return the absolute path of the configuration, and whether it was come upon in the current folder.

    :raises ConfigError: ``config-missing``.
    """
    for named, how in ((explicit, "--config"), (environ.get(VARIABLE), f"${VARIABLE}")):
        if named:
            path = os.path.abspath(os.path.join(cwd, os.path.expanduser(named)))
            if not os.path.lexists(path):
                raise missing(path, f"{how} names")
            return path, False
    places = [cwd, user_folder(environ), SYSTEM_FOLDER if os.name == "posix" else None]
    paths = [os.path.join(place, FILE_NAME) for place in places if place]
    for path in paths:
        # lexists: a link that leads nowhere is a mistake to be told, and no reason to look further.
        if os.path.lexists(path):
            return path, path == paths[0]
    raise ConfigError(
        "config-missing",
        f"There is no configuration: none of {', '.join(paths)} exists.",
        fix=f"Write {paths[0]}, or name your file with --config.",
        evidence={"searched": paths},
    )


def missing(path: str, who: str = "You named") -> ConfigError:
    """Return the error for a named file that is not there."""
    return ConfigError(
        "config-missing",
        f"{who} the configuration {path}, and there is no such file.",
        fix="Correct the path, or write the file.",
        evidence={"searched": [path]},
    )


def check_trusted(path: str, info: os.stat_result) -> None:
    """Refuse a file that others could have written: a configuration can run programs.

    :param info: of the open file, so that it is the one that is read; a link to it is looked at too.
    :raises ConfigError: ``config-untrusted``.
    """
    if not hasattr(os, "getuid"):  # Windows: a file in somebody's folder inherits that folder's access list
        return
    allowed = {0, os.getuid()}
    link = os.lstat(path)
    if info.st_uid not in allowed or link.st_uid not in allowed:
        owner = info.st_uid if info.st_uid not in allowed else link.st_uid
        raise _untrusted(path, f"belongs to user {owner}", owner=owner)
    if info.st_mode & stat.S_IWOTH:
        raise _untrusted(path, "can be written by everybody", mode=f"{stat.S_IMODE(info.st_mode):04o}")


def _untrusted(path: str, why: str, **evidence: object) -> ConfigError:
    return ConfigError(
        "config-untrusted",
        f"{path}, found in the current folder, {why}; it is not read, because a configuration can run programs.",
        fix="If you trust it, make it yours (chown) and writable by you only (chmod go-w), or name it with --config.",
        evidence={"file": path, **evidence},
    )
