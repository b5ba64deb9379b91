"""When the server on a port was started, or loaded its configuration again, as far as its processes show it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import psutil

_WORKERS: Final = frozenset({"nginx", "apache2", "httpd"})
"""Servers whose main process replaces all workers when it reads its configuration again."""
_NEW_WORKER: Final = frozenset({"haproxy"})
"""Servers whose main process starts a worker only then; the old one serves its last connections."""
_LEAVING: Final = "shutting down"
"""In the title of a worker of nginx that was replaced."""


def has_loaded_since(port: int, moment: float) -> bool:
    """Tell whether the server on a TCP port has read its configuration after a time, for certain.

    False also where nothing shows it: for a server that reads its files again in the same process, and for a process
    that this user may not see.

    :param moment: seconds since 1970.
    """
    import psutil

    try:
        found = psutil.net_connections("tcp")
        listening = {
            one.pid
            for one in found
            if one.status == psutil.CONN_LISTEN and one.pid is not None and one.laddr and one.laddr[1] == port
        }
        mains = {_main(psutil.Process(pid)) for pid in listening}
        return bool(mains) and all(_is_newer(main, moment) for main in mains)
    except (psutil.Error, OSError):  # macOS shows them only to root
        return False


def _main(process: psutil.Process) -> psutil.Process:
    """Return the outermost process of the same program: the one that has the workers."""
    parent = process.parent()
    while parent is not None and parent.name() == process.name():
        process, parent = parent, parent.parent()
    return process


def _is_newer(main: psutil.Process, moment: float) -> bool:
    if _started(main) > moment:
        return True
    name = main.name()
    if name not in _WORKERS | _NEW_WORKER:
        return False
    workers = [one for one in main.children() if one.name() == name and _LEAVING not in " ".join(one.cmdline())]
    newer = [_started(one) > moment for one in workers]
    return any(newer) if name in _NEW_WORKER else bool(newer) and all(newer)


def _started(process: psutil.Process) -> float:
    """Return when a process was started, seconds since 1970, rounded down.

    psutil counts from the second in which Linux was started; the clock since then has 10 ms, those of the process.
    """
    if sys.platform != "linux":
        return process.create_time()
    import psutil

    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        raise psutil.NoSuchProcess(process.pid) from None
    seconds = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # starttime, the 22nd field
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + seconds
