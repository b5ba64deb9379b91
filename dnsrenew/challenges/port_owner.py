"""Finds the program that listens on a port (Linux only); used when the port is taken."""

from __future__ import annotations

import os

from dnsrenew.base.found import listening_sockets, printable
from dnsrenew.base.values import Frozen


class PortOwner(Frozen):
    """A process, the name of its program, and the name of the user that opened the port."""

    pid: int
    name: str
    user: str


def owner_of(port: int, proc: str = "/proc") -> PortOwner | None:
    """Return the process that listens on a TCP port, or None if it cannot be found out.

    Only root sees the processes of other users. Systems other than Linux have no /proc.
    """
    sockets = {f"socket:[{inode}]": uid for uid, inode in listening_sockets(port, proc)}
    if not sockets:
        return None
    from dnsrenew.base.users import user_name

    # The lowest process ID first: the workers of a server hold the socket too.
    for pid in sorted(int(name) for name in _names(proc) if name.isdigit()):
        handles = f"{proc}/{pid}/fd"
        for handle in _names(handles):
            uid = sockets.get(_target(f"{handles}/{handle}"))
            if uid is not None:
                return PortOwner(pid, printable(_text(f"{proc}/{pid}/comm")) or "a program", user_name(uid))
    return None


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
