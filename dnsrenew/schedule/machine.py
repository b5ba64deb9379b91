"""A machine, as far as its schedules are concerned: its files, and what programs print."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from dnsrenew.base import files, subprocesses
from dnsrenew.base.values import Frozen

_SECONDS: Final = 1.0
"""The time limit of a program; each takes a few milliseconds."""
_LARGEST: Final = 1 << 18
"""Bytes read of a file."""


def program_output(*arguments: str) -> str:
    """Return what a program prints, "" if it fails or does not exist.

    :raises TimeoutError: it takes too long.
    """
    if shutil.which(arguments[0]) is None:  # to find that out with a process would take longer than the rest
        return ""
    try:
        done = subprocesses.run(arguments, env=subprocesses.environment(), seconds=_SECONDS, limit=_LARGEST)
    except OSError:
        return ""
    if done.status is None:
        raise TimeoutError
    return "" if done.status else done.output.decode(errors="replace")


class ProcessView(Frozen):
    """What this user may see of a process.

    :ivar folder: its current folder; None if that cannot be read, as for the next two.
    """

    folder: str | None = None
    environ: Mapping[str, str] | None = None
    user: str = ""


def view_process(pid: int) -> ProcessView | None:
    """Return what can be seen of a process of this machine; None if it is another user's, which tells nothing.

    Anybody may start a process of any name.
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
    """Where a machine keeps its schedules.

    :ivar root: the folder that stands for ``/``, on Windows the system's drive.
    :ivar home: the user's home folder.
    :ivar platform: as ``sys.platform``.
    :ivar output: runs a program and returns what it prints.
    :ivar view: returns what can be seen of a process; None if it is not trusted.
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
    """Return whether systemd is in charge of the machine; its files alone prove nothing."""
    return (machine.root / "run/systemd/system").is_dir()


def lines(text: str) -> Iterator[str]:
    """Yield the lines of a script or a crontab that are no comments."""
    return (line for line in text.splitlines() if not line.lstrip().startswith("#"))


def entries(folder: Path) -> list[Path]:
    """Return what is in a folder; nothing if it cannot be listed."""
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
