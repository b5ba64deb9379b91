"""Finds the program that listens on a port (Linux only); used when the port is taken."""

from __future__ import annotations

import os
from typing import Final

from dnsrenew.base.values import Frozen

_LISTENING: Final = "0A"
_MAX_NAME: Final = 15
"""Characters of a name; Linux keeps no more."""


class PortOwner(Frozen):
    """A process and the name of its program."""

    pid: int
    name: str


def owner_of(port: int, proc: str = "/proc") -> PortOwner | None:
    """Return the process that listens on a TCP port, or None if it cannot be found out.

    Only root sees the processes of other users. Systems other than Linux have no /proc.
    """
    sockets = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _listening(f"{proc}/net/{table}", port)}
    if not sockets:
        return None
    # The lowest process ID first: the workers of a server hold the socket too.
    for pid in sorted(int(name) for name in _names(proc) if name.isdigit()):
        handles = f"{proc}/{pid}/fd"
        if any(_target(f"{handles}/{handle}") in sockets for handle in _names(handles)):
            return PortOwner(pid, _name(f"{proc}/{pid}/comm") or "a program")
    return None


def _listening(table: str, port: int) -> list[str]:
    """Return the inodes of the sockets that listen on a port: columns 1 (address), 3 (state) and 9 of the table."""
    rows = [line.split() for line in _text(table).splitlines()[1:]]
    return [row[9] for row in rows if len(row) > 9 and row[3] == _LISTENING and int(row[1].split(":")[-1], 16) == port]


def _name(comm: str) -> str:
    """Return the name of a program, which any local user can choose: printable characters only, cut."""
    return "".join(letter for letter in _text(comm) if letter.isprintable()).strip()[:_MAX_NAME]


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
