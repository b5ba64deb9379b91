"""Whether others can change the code that a schedule runs.

Judged are the program, its interpreter, this package, and each folder that the interpreter imports from. What lies
deeper in those folders is not looked at.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from dnsrenew.config.file_checks import FileChecks

if TYPE_CHECKING:
    from dnsrenew.base.model import Notice
    from dnsrenew.schedule.plan import ScheduledJob

_LIST: Final = """
import importlib.util, os, sys
package = importlib.util.find_spec("dnsrenew")
finders = [sys.modules.get(getattr(finder, "__module__", "")) for finder in sys.meta_path]
editable = [path for finder in finders for path in getattr(finder, "MAPPING", {}).values()]
found = [*sys.path, *editable, package.origin if package else ""]
sys.stdout.buffer.write(os.fsencode("\\0".join(found)))
"""
"""Prints where an interpreter imports from, editable installs of setuptools included."""
_SECONDS: Final = 30.0
_MOST: Final = 1 << 20
_LONGEST_LINE: Final = 1024


def check_code(job: ScheduledJob) -> tuple[Notice, ...]:
    """Judge what a job runs; return warnings for an ordinary user.

    :raises ConfigError: ``config-untrusted``: root would run what another user can replace.
    """
    if job.insist:
        return ()
    checks = FileChecks(found=False, insist=False)
    program, interpreter = os.path.abspath(job.program[0]), _interpreter(job)
    for path in (program, interpreter, os.path.abspath(__file__)):
        checks.judge(path)
    folder = os.path.dirname(os.path.realpath(program))  # Python imports from the folder of its script first
    for path in dict.fromkeys([folder, *_imports(interpreter)]):
        if os.path.exists(path):
            checks.judge(path, any_entry=os.path.isdir(path))
    return checks.warnings


def _interpreter(job: ScheduledJob) -> str:
    """Return the interpreter that a job starts: the one that it or its script names; otherwise that of this process."""
    program, *arguments = job.program
    if arguments:
        return os.path.abspath(program)
    try:
        with open(program, "rb") as script:
            first = script.readline(_LONGEST_LINE)
    except OSError:
        first = b""
    named = os.fsdecode(first[2:]).strip() if first.startswith(b"#!") else ""
    return named if os.path.basename(named).startswith("python") else os.path.abspath(sys.executable)


def _imports(interpreter: str) -> list[str]:
    """Return where an interpreter imports from in a schedule: without ``PYTHONPATH`` and the current folder."""
    from dnsrenew.base import subprocesses

    try:
        command = [interpreter, "-P", "-c", _LIST]
        done = subprocesses.run(command, env=subprocesses.environment(), seconds=_SECONDS, limit=_MOST)
    except OSError:  # the job will fail too
        return sys.path
    return os.fsdecode(done.output).split("\0") if done.status == 0 else sys.path
