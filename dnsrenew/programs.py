"""What a program that we run is given of our environment: what programs need to do their work, and no secret.

The environment is where secrets often are (``env:NAME``): who fetches one of them has no business with the others.
So a program gets the variables below and no other, unless the configuration names it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Final

_NEEDED: Final = frozenset(
    (
        # Who and where it is, and how it speaks.
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR"),
        # How it reaches a session's keyring or agent, and where it keeps its own: addresses and folders.
        *("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "SSH_AUTH_SOCK"),
        *("GNUPGHOME", "GPG_TTY", "PASSWORD_STORE_DIR", "PASSWORD_STORE_GPG_OPTS"),
        # Whom it trusts.
        *("SSL_CERT_FILE", "SSL_CERT_DIR"),
        # Without these, programs do not start on Windows.
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERNAME", "USERDOMAIN"),
        *("USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES"),
    )
)
_NEEDED_THAT_BEGIN: Final = ("LC_", "XDG_")


def environment(names: Iterable[str] = (), environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a program.

    :param names: what it gets besides, where it is set.
    """
    wanted = _NEEDED | set(names)
    return {name: value for name, value in environ.items() if name in wanted or name.startswith(_NEEDED_THAT_BEGIN)}
