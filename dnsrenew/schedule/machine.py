"""The parts of a machine that matter for its schedules: its files, and the output of programs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from dnsrenew.base import files, subprocesses
from dnsrenew.base.values import Frozen
from dnsrenew.errors import Message
from dnsrenew.schedule import texts

_LARGEST: Final = 1 << 18
"""The number of bytes that are read of a file."""


def program_output(*arguments: str) -> str:
    """Return the output of a program, or "" if it fails or does not exist.

    :raises TimeoutError: the program takes too long.
    """
    if shutil.which(arguments[0]) is None:  # a process would take longer to find that out than all the rest
        return ""
    try:
        # each takes a few milliseconds
        done = subprocesses.run(arguments, env=subprocesses.environment(), seconds=1.0, limit=_LARGEST)
    except OSError:
        return ""
    if done.status is None:
        raise TimeoutError
    return "" if done.status else done.output.decode(errors="replace")


class ProcessView(Frozen):
    """The visible properties of a process.

    :ivar folder: its current folder; None if unreadable, as in the next two.
    """

    folder: str | None = None
    environ: Mapping[str, str] | None = None
    user: str = ""


def view_process(pid: int) -> ProcessView | None:
    """Return the visible properties of a process on this machine; None if it is another user's.

    Other users may start processes of any name, so these prove nothing.
    """
    import psutil

    from dnsrenew.base.found import Discovery, running_program

    found = running_program(pid)
    if found is None or not Discovery().is_trusted_process(found):
        return None
    try:
        environ = psutil.Process(pid).environ()
    except (psutil.Error, OSError):
        environ = {}
    return ProcessView(found.folder or None, environ or None, found.user)


class Machine(Frozen):
    """The places where a machine keeps its schedules.

    :ivar root: the folder that stands for ``/``, on Windows the system's drive.
    :ivar home: the user's home folder.
    :ivar platform: as ``sys.platform``.
    :ivar output: runs a program and returns its output.
    :ivar view: returns the visible properties of a process; None if it is not trusted.
    """

    root: Path
    home: Path
    platform: str = sys.platform
    output: Callable[..., str] = program_output
    view: Callable[[int], ProcessView | None] = view_process


def this_machine() -> Machine:
    """Return the machine that this process runs on."""
    root = os.environ.get("SYSTEMDRIVE", "C:") + "\\" if sys.platform == "win32" else "/"
    return Machine(Path(root), Path(os.path.expanduser("~")))


def runs_systemd(machine: Machine) -> bool:
    """Return whether systemd controls the machine. Its files alone prove nothing."""
    return (machine.root / "run/systemd/system").is_dir()


def lines(text: str) -> Iterator[str]:
    """Yield the lines of a script or a crontab that are not comments."""
    return (line for line in text.splitlines() if not line.lstrip().startswith("#"))


def entries(folder: Path) -> list[Path]:
    """Return the entries of a folder; empty if it cannot be listed."""
    try:
        return [folder / name for name in sorted(os.listdir(folder))]
    except OSError:
        return []


def read(file: Path, only: bytes = b"") -> str:
    """Return the text of a regular file; "" if it cannot be read, or does not begin with ``only``."""
    try:
        with files.open_to_read(file) as stream:
            data = stream.read(len(only))
            data += stream.read(_LARGEST) if data == only else b""
    except OSError:
        return ""
    return data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8", errors="replace")


# ── running ────────────────────────────────────────────────────────────────────────────

# Whether an installed schedule also runs: the cron daemon, a timer, an agent, a task.
#
# A crontab, a unit file or a task alone renews nothing. What this user may not see is unknown, and causes no alarm.

UNIT_FOLDERS: Final = (
    *("etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system"),
    *("usr/lib/systemd/system", "lib/systemd/system"),
)
"""Where the units of the system are."""
HOME_UNITS: Final = (".config/systemd/user", ".local/share/systemd/user")
CRONTABS: Final = ("etc/crontab", "etc/anacrontab")
ANACRON: Final = "anacron"
_DAEMONS: Final = ("cron", "crond", "cronie", "fcron", "dcron", "bcron")
"""The programs and services that run crontabs."""


class Halt(Frozen):
    """The reason why an installed schedule does not run.

    :ivar reason: a clause, such as ``no cron daemon runs here``.
    :ivar fix: a sentence with the command that starts it.
    """

    reason: Message
    fix: Message


def halt_of_cron(machine: Machine, *, anacron: bool = False) -> Halt | None:
    """Return why a machine runs no crontabs; None if it runs them or this cannot be seen.

    :param anacron: whether anacron can run the script or table too.
    """
    if cron_runs(machine) is not False or (
        anacron and (machine.root / "etc/systemd/system/timers.target.wants/anacron.timer").exists()
    ):
        return None
    command = _cron_start(machine)
    return Halt(texts.CRON_OFF, texts.START.format(command=command) if command else texts.START_CRON)


def cron_runs(machine: Machine) -> bool | None:
    """Return whether a cron daemon runs on a machine; None if its processes cannot be seen."""
    proc = machine.root / "proc"
    if machine.platform in {"darwin", "win32"} or not read(proc / "1/status"):
        return None  # launchd starts cron when there is a crontab; hidepid hides the processes of other users
    # There, systemd-cron creates a timer for each line of a crontab, and has no daemon.
    generated = entries(machine.root / "run/systemd/generator") if runs_systemd(machine) else []
    if any(unit.name.startswith("cron-") for unit in generated):
        return True
    return any(_is_cron(read(process / "status")) for process in entries(proc) if process.name.isdecimal())


def _is_cron(status: str) -> bool:
    """Return whether a process is a cron daemon of root or this user, on this machine and not in a container.

    :param status: the status of the process, from ``/proc``.
    """
    values = {key: value.split() for key, _, value in (line.partition(":") for line in status.splitlines())}
    users = {"0", str(os.getuid()) if hasattr(os, "getuid") else "0"}
    is_alive = values.get("Name", [""])[:1] in ([name] for name in _DAEMONS) and values.get("State", [""])[:1] != ["Z"]
    return is_alive and values.get("Uid", ["0"])[0] in users and len(values.get("NSpid", [""])) == 1


def _cron_start(machine: Machine) -> str:
    """Return the command that starts the cron daemon of a machine; "" if unknown."""
    if runs_systemd(machine):
        for name in _DAEMONS:
            if any((machine.root / folder / f"{name}.service").exists() for folder in UNIT_FOLDERS):
                return as_root(f"systemctl enable --now {name}")
    for name in _DAEMONS:
        if (machine.root / "etc/init.d" / name).exists():
            return as_root(f"/etc/init.d/{name} start")
    return next((as_root(path) for path in map(shutil.which, _DAEMONS) if path), "")


def as_root(command: str) -> str:
    """Return a command that only root can run. A container often has no sudo, and its root does not need it."""
    return command if hasattr(os, "geteuid") and os.geteuid() == 0 else f"sudo {command}"


def halt_of_unit(machine: Machine, unit: str, *, user: bool) -> Halt | None:
    """Return why an enabled unit of systemd does not run; None if it runs or systemd does not answer.

    :param user: whether the unit belongs to the user's manager.
    """
    control = ("systemctl", "--user") if user else ("systemctl",)
    states = machine.output(*control, "show", "--property=UnitFileState,ActiveState", "--value", unit).split()
    if {"inactive", "failed"}.isdisjoint(states):
        return None
    runs = [f"{' '.join(control)} enable --now {unit}"]
    reason = texts.UNIT_OFF
    if mask := next((state for state in states if state.startswith("masked")), None):
        runtime = " --runtime" if mask == "masked-runtime" else ""
        runs.insert(0, f"{' '.join(control)} unmask{runtime} {unit}")
        reason = texts.UNIT_MASKED
    command = " && ".join(runs if user else map(as_root, runs))
    return Halt(reason.format(unit=unit), texts.START.format(command=command))


def halt_of_task(task: str, *, enabled: bool) -> Halt | None:
    """Return why a task of Windows does not run; None if it runs."""
    if enabled:
        return None
    return Halt(texts.TASK_OFF.format(task=task), texts.START.format(command=f"schtasks /Change /TN {task} /ENABLE"))


def halt_of_agent(machine: Machine, label: str, *, user: bool) -> Halt | None:
    """Return why launchd does not run an installed job; None if it runs or launchd does not answer."""
    domain = f"gui/{os.getuid() if hasattr(os, 'getuid') else 0}" if user else "system"
    if not machine.output("launchctl", "version") or machine.output("launchctl", "print", f"{domain}/{label}"):
        return None
    return Halt(texts.AGENT_OFF.format(label=label), texts.SCHEDULE_AGAIN)
