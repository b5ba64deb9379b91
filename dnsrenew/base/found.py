"""What was found on this machine, and whether it may decide anything.

A person names a path, a program or an address by an argument or in the configuration. All else is found: a process, a
crontab, a file in the current folder, a path in the file of another program. Another user could have put it there so
that root runs a program or writes a key. So what was found decides only where root and the running user alone could
have put it, and what was judged is what is read. Every search of this package for servers, tools and timers asks this
module.
"""

from __future__ import annotations

import os
import re
from typing import Final

from dnsrenew.base import files
from dnsrenew.base.ground import Ground, Weakness
from dnsrenew.base.values import Frozen

_UNIT: Final = re.compile(r"/([^/\s]+)\.service\s*$", re.MULTILINE)
_NO_UNITS: Final = re.compile(r"user@\d+|session-.*|docker|containerd|podman.*|init|ssh(d|@.*)?|crond?|cronie|atd")
"""Units that are not those of one server: users start what they like in them."""
_LARGEST_CGROUP: Final = 1 << 16


class UntrustedError(Exception):
    """Others than root and the running user can change the place of what was found.

    :ivar path: what was found.
    :ivar weakness: the part of its path that they can change.
    """

    def __init__(self, path: str, weakness: Weakness) -> None:
        super().__init__(path)
        self.path = path
        self.weakness = weakness


class RunningProgram(Frozen):
    """A process.

    :ivar name: the name of its program, without an ending; a process can choose it.
    :ivar command: its command line; empty if this user may not see it. A process can change it.
    :ivar folder: its current folder; empty if this user may not see it.
    :ivar user: the name of its user; empty if it is not known.
    :ivar ports: the TCP ports that it listens on, as far as this user may see them.
    :ivar uid: the number of its effective user; None if it is not known, and on Windows.
    :ivar executable: the file that it runs; empty if this user may not see it.
    :ivar unit: the systemd service of the system that it belongs to; empty if it belongs to none, or to one in which
        users start what they like.
    """

    pid: int
    name: str
    command: tuple[str, ...] = ()
    folder: str = ""
    user: str = ""
    ports: tuple[int, ...] = ()
    uid: int | None = None
    executable: str = ""
    unit: str = ""


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
    wanted = ["name", "cmdline", "cwd", "username", "exe", *(["uids"] if os.name == "posix" else [])]
    found = []
    for process in psutil.process_iter(wanted):
        its = process.info
        found.append(
            RunningProgram(
                process.pid,
                (its["name"] or "").removesuffix(".exe"),
                tuple(its["cmdline"] or ()),
                its["cwd"] or "",
                its["username"] or "",
                tuple(sorted(ports.get(process.pid, ()))),
                its["uids"].effective if its.get("uids") else None,
                its["exe"] or "",
                unit_of(process.pid),
            )
        )
    return found


def unit_of(pid: int, proc: str = "/proc") -> str:
    """Return the name of the system's systemd service that a process belongs to; "" if it belongs to none."""
    try:
        with files.open_to_read(f"{proc}/{pid}/cgroup") as stream:
            text = stream.read(_LARGEST_CGROUP).decode("utf-8", "replace")
    except OSError:
        return ""
    return next((unit for unit in _UNIT.findall(text) if not _NO_UNITS.fullmatch(unit)), "")


class Discovery:
    """Judges what was found, for one search.

    :param insist: whether a person takes all that is found (``--insist``).
    :param uid: the user that uses it; default: the effective user.
    """

    def __init__(self, *, insist: bool = False, uid: int | None = None) -> None:
        self.insist = insist
        self._uid = uid if uid is not None or not hasattr(os, "geteuid") else os.geteuid()
        self._ground = Ground(uid)

    def is_trusted_process(self, program: RunningProgram, *paths: str) -> bool:
        """Return whether a process may decide: whose it is, what it runs, and where its configuration is.

        Trusted are the processes of the running user and of root, and for root also those of the system's services; the
        executable and the configuration must lie where only root and the running user can change them.

        :param paths: its configuration files and folders, absolute.
        """
        if self.insist:
            return True
        if self._uid is None:  # Windows: the processes of others show neither command line nor folder
            return bool(program.command)
        is_ours = program.uid in {0, self._uid} or (self._uid == 0 and program.unit != "")
        judged = [path for path in (program.executable, *paths) if path]
        return is_ours and all(self.weakness(path) is None for path in judged)

    def weakness(self, path: str | os.PathLike[str]) -> Weakness | None:
        """Return the first part of the way to a file or folder, or itself, that others can change; None: nothing.

        :param path: absolute; links on the way are judged and followed.
        """
        return None if self.insist else self._ground.weakness(path)

    def read(self, path: str | os.PathLike[str], most: int) -> bytes:
        """Return the content of a regular file that was found, with at most ``most`` bytes. The open file is judged.

        :param path: absolute.
        :raises UntrustedError: others can change it.
        :raises NotAFileError: it is not a regular file.
        :raises OSError: it cannot be read.
        """
        handle, weakness = self._ground.open(path)
        with os.fdopen(handle, "rb") as file:
            if weakness is not None and not self.insist:
                raise UntrustedError(os.fspath(path), weakness)
            return file.read(most)
