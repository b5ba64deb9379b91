"""The text file for the node exporter's textfile collector, replaced as a whole.

The new content is written to a file beside it whose name the collector ignores (it reads ``*.prom``), and renamed. So
the collector never reads a part, and a full disk leaves the old file.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.files import is_closed_by_unit
from dnsrenew.errors import DnsRenewError, as_clause
from dnsrenew.store import os_calls
from dnsrenew.watch.metrics import texts
from dnsrenew.watch.metrics.collect import collect, last_run
from dnsrenew.watch.metrics.exposition import exposition

if TYPE_CHECKING:
    from dnsrenew.config import Config
    from dnsrenew.model import Outcome
    from dnsrenew.runtime.context import Context
    from dnsrenew.store import Store

MODE: Final = 0o644
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_FULL: Final = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}


def write_after_run(config: Config, store: Store, context: Context, outcomes: Sequence[Outcome]) -> None:
    """Write the file that ``[metrics]`` names, if it names one; what prevents it becomes a warning.

    In a fleet only workers write it: it has the numbers of the whole fleet.
    """
    path = config.metrics and config.metrics.textfile
    if not path or config.fleet is not None:
        return
    now = context.clock.now()
    try:
        text = exposition(collect(config, store, context.clock), last_run(outcomes, now))
    except DnsRenewError as error:
        failure = {"failure": as_clause(error.message), "failure_fix": error.fix}
        context.warn(*texts.UNREADABLE.fill(path=path, **failure))
        return
    write_text(path, text, context)


def write_text(path: str, text: str, context: Context) -> None:
    """Replace the file at an absolute path; what prevents it becomes a warning."""
    try:
        replace_file(path, text.encode())
    except OSError as error:
        _warn(context, path, error)


def replace_file(path: str, data: bytes) -> None:
    """Replace a file in one step; everybody may read it.

    :raises OSError: it cannot be written; it keeps its old content.
    """
    # One name for each process: what a killed process left is replaced when its number comes again.
    temp = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.getpid()}.tmp")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temp)
    handle = os.open(temp, _CREATE, MODE)
    try:
        try:
            if hasattr(os, "fchmod"):
                os.fchmod(handle, MODE)  # whatever the umask
            os_calls.write_all(handle, data)
            os.fsync(handle)  # a power cut would leave an empty file under the name
        finally:
            os.close(handle)
        os_calls.replace(temp, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temp)
        raise


def _warn(context: Context, path: str, error: OSError) -> None:
    if is_closed_by_unit(error):
        context.warn(*texts.UNWRITABLE_IN_UNIT.fill(path=path, folder=os.path.dirname(path)))
    elif error.errno in _FULL:
        context.warn(*texts.UNWRITABLE_FULL.fill(path=path))
    else:
        context.warn(*texts.UNWRITABLE.fill(path=path, cause=error.strerror or type(error).__name__))
