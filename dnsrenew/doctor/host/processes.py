"""The programs that run on this host, and where they listen."""

from __future__ import annotations

from dnsrenew.base.values import Frozen


class RunningProgram(Frozen):
    """A process.

    :ivar name: the name of its program, without an ending.
    :ivar command: its command line; empty if this user may not see it.
    :ivar folder: its current folder; empty if this user may not see it.
    :ivar user: the name of its user; empty if it is not known.
    :ivar ports: the TCP ports that it listens on, as far as this user may see them.
    """

    pid: int
    name: str
    command: tuple[str, ...] = ()
    folder: str = ""
    user: str = ""
    ports: tuple[int, ...] = ()


def running_programs() -> list[RunningProgram]:
    """Return the processes that this user may see, the oldest first."""
    import psutil

    ports: dict[int, set[int]] = {}
    try:
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.pid is not None and one.laddr:
                ports.setdefault(one.pid, set()).add(one.laddr[1])
    except (psutil.Error, OSError):  # macOS shows them only to root
        pass
    found = []
    for process in psutil.process_iter(["name", "cmdline", "cwd", "username"]):
        its = process.info
        found.append(
            RunningProgram(
                process.pid,
                (its["name"] or "").removesuffix(".exe"),
                tuple(its["cmdline"] or ()),
                its["cwd"] or "",
                its["username"] or "",
                tuple(sorted(ports.get(process.pid, ()))),
            )
        )
    return found
