"""Whether others can change the code that a schedule runs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from dnsrenew.config.file_checks import FileChecks

if TYPE_CHECKING:
    from dnsrenew.model import Notice
    from dnsrenew.schedule.plan import ScheduledJob


def check_code(job: ScheduledJob) -> tuple[Notice, ...]:
    """Judge the program of a job, the interpreter and this package; return warnings for an ordinary user.

    :raises ConfigError: ``config-untrusted``: root would run what another user can replace.
    """
    checks = FileChecks(found=False, insist=job.insist)
    for path in (job.program[0], sys.executable, __file__):
        checks.judge(os.path.abspath(path))
    return checks.warnings
