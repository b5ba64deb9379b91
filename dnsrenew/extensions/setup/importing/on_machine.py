"""Paths of the machine that is looked at, which a test puts into a folder, and the files that stand there."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from dnsrenew.base.files import NotAFileError
from dnsrenew.base.found import Discovery, UntrustedError
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import reading, texts
from dnsrenew.extensions.setup.importing.model import HostView, decoded
from dnsrenew.extensions.setup.importing.reading import Notes

_LARGEST: Final = 1 << 16
"""Bytes of a script, a crontab or a unit."""


def inside(host: HostView, path: str) -> Path:
    """Return where a path of the machine is; ``~`` is the home folder."""
    if path == "~" or path.startswith("~/"):
        return host.home / path[2:]
    file = Path(path)
    return host.root / file.relative_to(file.anchor) if file.is_absolute() else file


def shown(file: Path, host: HostView) -> str:
    """Return a path as it is on the machine, without the root of a test."""
    return "/" + file.relative_to(host.root).as_posix() if file.is_relative_to(host.root) else str(file)


class MachineText(Frozen):
    """The text of a file that was found.

    :ivar text: "" if it cannot be read.
    :ivar weak: the error if others can change it: what is concluded from the text must not decide anything then.
    """

    text: str = ""
    weak: UntrustedError | None = None


def look(file: Path, host: HostView, notes: Notes | None = None, *, only: bytes = b"") -> MachineText:
    """Return the text of a script, a crontab or a unit.

    :param notes: get a note if it is a pipe or a device, or too large.
    :param only: what it must begin with.
    """
    path, weak = os.path.abspath(file), None
    try:
        try:
            data = reading.read(host.discovery, path, _LARGEST + 1)
        except UntrustedError as error:  # it is read to see whether it matters
            data, weak = Discovery(insist=True).read(path, _LARGEST + 1), error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if notes is not None and isinstance(error, NotAFileError) and error.errno != errno.EISDIR:
            notes.add(texts.UNREADABLE, path, reason=error.strerror)
        return MachineText()
    if len(data) > _LARGEST:
        if notes is not None:
            notes.add(texts.UNREADABLE, path, reason=texts.TOO_LARGE)
        return MachineText()
    return MachineText(decoded(data) if data.startswith(only) else "", weak)


def script(path: str, host: HostView) -> str:
    """Return the text of a script that a command names; "" if there is none.

    :raises UntrustedError: others can change it.
    """
    found = look(inside(host, path), host, only=b"#!")
    if found.text and found.weak is not None:
        raise found.weak
    return found.text
