"""What was found on this machine, and whether it may decide anything.

A person names a path, a program or an address by an argument or in the configuration. All else is found: a process, a
crontab, a file in the current folder, a path in the file of another program. Another user could have put it there so
that root runs a program or writes a key. So what was found decides only where root and the running user alone could
have put it, and what was judged is what is read. Every search of this package for servers, tools and timers asks this
module.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final

import psutil

from dnsrenew.base import files, subprocesses
from dnsrenew.base.path_trust import Ground, Weakness
from dnsrenew.base.values import Frozen

_UNIT: Final = re.compile(
    r"^(?:0:|\d+:name=systemd):/(?!user\.slice/|machine\.slice/)(?:[^/\n]+\.slice/)*([^/\n]+)\.service$", re.MULTILINE
)
"""A service of the system in the list of control groups. What is deeper, or in ``user.slice``, users can name so."""
_NO_UNITS: Final = re.compile(
    r"docker|containerd|podman.*|sshd?(@.*)?|crond?|cronie|fcron|anacron|atd|(.*-)?getty@.*|gdm.*|lightdm|sddm|xrdp.*"
    r"|postfix.*|exim4?|supervisord?|pm2-.*"
)
"""Services that are not one server: they start what others tell them."""
_CONTAINERS: Final = re.compile(r"docker|libpod|kubepods|containerd|lxc|machine\.slice")
"""Parts of the control groups of containers."""
_LARGEST_CGROUP: Final = 1 << 16
_MAX_NAME: Final = 32
_DELETED: Final = " (deleted)"
_LISTENING: Final = "0A"
_SYSTEMCTL_SECONDS: Final = 5.0


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

    :ivar name: the name of its program, printable and without an ending; a process can choose it.
    :ivar command: its command line; empty if this user may not see it. Its user chose it.
    :ivar folder: its current folder; empty if this user may not see it.
    :ivar user: the name of its user; empty if it is not known.
    :ivar ports: the TCP ports that it listens on, as far as this user may see them.
    :ivar uid: the number of the user that started it (the real one); None if it is not known, and on Windows.
    :ivar executable: the file that it runs; empty if this user may not see it.
    :ivar unit: the systemd service of the system that it belongs to; empty if it belongs to none, or to one that starts
        what others tell it.
    :ivar parent: the number of the process that started it.
    :ivar is_elsewhere: whether its paths are not those of this process, as in a container.
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
    parent: int = 0
    is_elsewhere: bool = False

    def is_called(self, *names: str) -> bool:
        """Return whether the program has one of some names."""
        first = os.path.basename(self.command[0].split(" ")[0].rstrip(":")) if self.command else ""
        return self.name in names or first in names or re.sub(r"[\d.]+$", "", self.name) in names


def running_programs() -> list[RunningProgram]:
    """Return the processes that this user may see, the lowest number first."""
    ports: dict[int, set[int]] = {}
    for pid, port, _ in listening_processes() if sys.platform == "linux" else _listening():
        ports.setdefault(pid, set()).add(port)
    found = (running_program(pid, ports.get(pid, ())) for pid in psutil.pids())
    return [program for program in found if program is not None]


def _listening() -> Iterator[tuple[int, int, int]]:
    """Yield process and port of each TCP socket that listens, and -1 for its user, which psutil does not know."""
    sockets: list[tuple[int | None, Any]] = []
    try:
        sockets = [(one.pid, one) for one in psutil.net_connections("tcp")]
    except (psutil.Error, OSError):  # macOS shows all of them only to root
        for pid in psutil.pids():
            with contextlib.suppress(psutil.Error, OSError):
                sockets += [(pid, one) for one in psutil.Process(pid).net_connections("tcp")]
    listening = (one for one in sockets if one[1].status == psutil.CONN_LISTEN and one[1].laddr)
    yield from ((pid or 0, one.laddr[1], -1) for pid, one in listening)


def running_program(pid: int, ports: Iterable[int] = ()) -> RunningProgram | None:
    """Return a process; None if it has ended, or has become another one while it was looked at.

    A process of anybody can start a program of root in its own place, with its number and its start: what was read
    before that and after it is not mixed.
    """
    try:
        process = psutil.Process(pid)
        _, uid, executable = before = _identity(process)
        its = process.as_dict(["name", "cmdline", "cwd", "username", "ppid"])
        more: dict[str, Any] = {"uid": uid, "executable": executable, "parent": its["ppid"] or 0}
        more |= {"unit": unit_of(pid), "is_elsewhere": _is_elsewhere(pid)}
        if _identity(psutil.Process(pid)) != before:
            return None
    except (psutil.Error, OSError):
        return None
    name, command = printable(its["name"] or "").removesuffix(".exe"), tuple(its["cmdline"] or ())
    return RunningProgram(pid, name, command, its["cwd"] or "", its["username"] or "", tuple(sorted(ports)), **more)


def _identity(process: psutil.Process) -> tuple[float, int | None, str]:
    """Return the start of a process, its real user and its executable."""
    uids: Any = getattr(process, "uids", None)  # not on Windows
    return process.create_time(), uids().real if uids else None, _executable(process)


def _executable(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error, OSError):
        if sys.platform == "linux":  # psutil takes the command line where it may not see the file
            return os.readlink(f"/proc/{process.pid}/exe").removesuffix(_DELETED)
        return process.exe()
    return ""


def printable(text: str, most: int = _MAX_NAME) -> str:
    """Return a text that others may have chosen as printable characters only, cut."""
    return "".join(letter for letter in text if letter.isprintable()).strip()[:most]


def unit_of(pid: int, proc: str = "/proc") -> str:
    """Return the name of the system's systemd service that a process belongs to; "" if it belongs to none."""
    return next((unit for unit in _UNIT.findall(_control_groups(pid, proc)) if not _NO_UNITS.fullmatch(unit)), "")


def _is_elsewhere(pid: int) -> bool:
    """Return whether a process has its own mounts and another root folder. HAProxy and others change that alone."""
    try:
        same = (os.path.samefile(f"/proc/{pid}/{part}", f"/proc/self/{part}") for part in ("root", "ns/mnt"))
        return not any(same)
    except OSError:  # only root may see that of others; elsewhere than on Linux there is none
        its = _control_groups(pid)
        return _CONTAINERS.search(its) is not None and its != _control_groups("self")


def _control_groups(pid: int | str, proc: str = "/proc") -> str:
    try:
        with files.open_to_read(f"{proc}/{pid}/cgroup") as stream:
            return stream.read(_LARGEST_CGROUP).decode("utf-8", "replace")
    except OSError:
        return ""


def listening_processes(port: int = 0, proc: str = "/proc") -> Iterator[tuple[int, int, int]]:
    """Yield the process of each socket that listens on a TCP port, the port, and the user that opened it (Linux).

    psutil reads all other connections too, of which a server has thousands. The lowest number of a process is the
    first: the workers of a server hold the socket too.

    :param port: 0: any.
    """
    sockets = {f"socket:[{inode}]": (at, uid) for at, uid, inode in listening_sockets(proc) if port in {0, at}}
    for pid in sorted(int(path[len(proc) + 1 :]) for path in glob.glob(f"{proc}/[0-9]*")) if sockets else ():
        for handle in glob.glob(f"{proc}/{pid}/fd/*"):
            with contextlib.suppress(OSError):
                if found := sockets.get(os.readlink(handle)):
                    yield pid, *found


def listening_sockets(proc: str = "/proc") -> Iterator[tuple[int, int, str]]:
    """Yield the port of each TCP socket that listens, its user and its inode (Linux)."""
    for table in ("tcp", "tcp6"):
        try:
            with open(f"{proc}/net/{table}", encoding="ascii", errors="replace") as stream:
                rows = [line.split() for line in stream if f" {_LISTENING} " in line]
        except OSError:
            continue
        for row in rows:  # columns 1 (address), 3 (state), 7 (user) and 9 (inode)
            if len(row) > 9 and row[3] == _LISTENING:
                yield int(row[1].split(":")[-1], 16), int(row[7]), row[9]


class Discovery:
    """Judges what was found, for one search.

    :param insist: whether a person takes the files that are found as they are (``--insist``).
    :param uid: the user that uses it; default: the effective user.
    """

    def __init__(self, *, insist: bool = False, uid: int | None = None) -> None:
        self.insist = insist
        self._uid = uid if uid is not None or not hasattr(os, "geteuid") else os.geteuid()
        self._ground = Ground(uid)

    def is_trusted_process(self, program: RunningProgram, *paths: str) -> bool:
        """Return whether a process may decide: whose it is, what it runs, and where its configuration is.

        Trusted are the processes of the running user and of root, and for root also the main process of each service
        of the system; the executable and the configuration must lie where only root and the running user can change
        them. The command line of such a service is not trusted: see :meth:`is_own_process`.

        :param paths: its configuration files and folders, absolute.
        """
        judged = [path for path in (program.executable, *paths) if path]
        if program.is_elsewhere or any(self.weakness(path) is not None for path in judged):
            return False
        return self.is_own_process(program) or (self._uid == 0 and self._is_main_process(program))

    def is_own_process(self, program: RunningProgram) -> bool:
        """Return whether the running user or root has started a process, and so has chosen its command line.

        A program with the set-user-ID bit has the command line of another user, and some, as sudo, are root's entirely.
        """
        if self._uid is None:  # Windows: the processes of others show neither command line nor folder
            return bool(program.command)
        try:
            is_lent = bool(program.executable) and bool(os.stat(program.executable).st_mode & stat.S_ISUID)
        except OSError:
            is_lent = False
        return program.uid in {0, self._uid} and not is_lent

    def _is_main_process(self, program: RunningProgram) -> bool:
        """Ask systemd whether a process is the main one of its service: others can be of a user that it works for."""
        control = shutil.which("systemctl") if program.unit and os.path.isfile(program.executable) else None
        if control is None or self.weakness(control) is not None:
            return False
        command = (control, "show", "--property=MainPID", "--", f"{program.unit}.service")
        with contextlib.suppress(OSError):
            done = subprocesses.run(command, env=subprocesses.environment(), seconds=_SYSTEMCTL_SECONDS, limit=1024)
            return done.status == 0 and done.output.split() == [b"MainPID=%d" % program.pid]
        return False

    def is_trusted_port(self, port: int, programs: Iterable[RunningProgram] = ()) -> bool:
        """Return whether a trusted program listens on a TCP port of this machine, and no other.

        On Linux the user of a socket is known where the program is not.

        :param programs: all that runs.
        """
        listening = [program for program in programs if port in program.ports]
        trusted = [program for program in listening if self.is_trusted_process(program)]
        if sys.platform == "linux":
            owners = {user for at, user, _ in listening_sockets() if at == port}
            return bool(owners) and owners <= {0, self._uid, *(program.uid for program in trusted)}
        return bool(listening) and trusted == listening

    def weakness(self, path: str | os.PathLike[str], *, any_entry: bool = False) -> Weakness | None:
        """Return the first part of the way to a file or folder, or itself, that others can change; None: nothing.

        :param path: absolute; links on the way are judged and followed.
        :param any_entry: for a folder in which others must not be able to put files.
        """
        return None if self.insist else self._ground.weakness(path, any_entry=any_entry)

    def read(self, path: str | os.PathLike[str], most: int) -> bytes:
        """Return the content of a regular file that was found, with at most ``most`` bytes. The open file is judged.

        :param path: absolute.
        :raises UntrustedError: others can change it. It is then not opened: they could lead to a device.
        :raises NotAFileError: it is not a regular file.
        :raises OSError: it cannot be read.
        """
        weakness = self.weakness(path)
        if weakness is not None and os.path.lexists(path):
            raise UntrustedError(os.fspath(path), weakness)
        handle, weakness = self._ground.open(path)
        with os.fdopen(handle, "rb") as file:
            if weakness is not None and not self.insist:
                raise UntrustedError(os.fspath(path), weakness)
            return file.read(most)
