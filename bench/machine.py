"""A description of the machine, without names."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def words() -> str:
    """Such as "2 cores (AMD EPYC), 24 GiB, Linux, CPython 3.11.2"."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{cores} cores ({_processor()}), {memory:.0f} GiB, {platform.system()}, {python}"


def busy() -> str:
    """The load of the last minute, as an addition to the description; empty if it was low."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return f", busy with other work at the same time (load average {load:.1f} before the start)" if load > 1 else ""


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    name = found[1] if found else platform.machine()
    return re.sub(r"\(R\)|\(TM\)|CPU|@.*|\d+-Core.*", "", name).strip()
