"""The text file for the node exporter's textfile collector, replaced as a whole.

The new content is written to a file beside it whose name the collector ignores (it reads ``*.prom``), and renamed. So
the collector never reads a part, and a full disk leaves the old file. Everybody may read it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.files import is_closed_by_unit
from dnsrenew.base.open_folder import ForeignLinkError, replace_file
from dnsrenew.errors import DnsRenewError, as_clause
from dnsrenew.extensions.watch.metrics import texts
from dnsrenew.extensions.watch.metrics.collect import collect, last_run
from dnsrenew.extensions.watch.metrics.exposition import exposition

if TYPE_CHECKING:
    from dnsrenew.base.model import Outcome
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.config import Config
    from dnsrenew.store import Store

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


def _warn(context: Context, path: str, error: OSError) -> None:
    if isinstance(error, ForeignLinkError):
        context.warn(*texts.FOREIGN_LINK.fill(file=path, **vars(error.link)))
    elif is_closed_by_unit(error):
        context.warn(*texts.UNWRITABLE_IN_UNIT.fill(path=path, folder=os.path.dirname(path)))
    elif error.errno in _FULL:
        context.warn(*texts.UNWRITABLE_FULL.fill(path=path))
    else:
        context.warn(*texts.UNWRITABLE.fill(path=path, cause=error.strerror or type(error).__name__))
