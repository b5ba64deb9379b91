"""Standard error as lines of the journal of systemd, with fields to search for.

``journalctl DNSRENEW_CERTIFICATE=home`` shows the lines of one certificate, ``DNSRENEW_CODE`` those of one error, and
``-p err`` errors alone. A line that the journal does not take is written to standard error as it is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dnsrenew.base.journal import SystemdJournal
    from dnsrenew.cli.line_fields import LineFields
    from dnsrenew.cli.terminal import Output, Terminal

IDENTIFIER: Final = "dnsrenew"


class JournalLines:
    """Sends lines to the journal.

    :param err: standard error, for the lines that the journal does not take.
    """

    def __init__(self, err: Output, systemd: SystemdJournal) -> None:
        self._err = err
        self._journal = systemd

    def __call__(self, text: str, fields: LineFields) -> None:
        """Send a text; one of several lines stays one entry."""
        message = self._err.render(text)
        entry = {"MESSAGE": message, "PRIORITY": str(fields.priority), "SYSLOG_IDENTIFIER": IDENTIFIER}
        if fields.certificate is not None:
            entry["DNSRENEW_CERTIFICATE"] = fields.certificate
        if fields.code is not None:
            entry["DNSRENEW_CODE"] = fields.code
        self._err.put(partial(self._send, entry))

    def _send(self, entry: Mapping[str, str]) -> None:
        if not self._journal.send(entry):
            self._err.write_now(f"{self._err.encodable(entry['MESSAGE'])}\n")


def use_journal(terminal: Terminal, environ: Mapping[str, str] = os.environ) -> None:
    """Send messages to the journal with fields from now on, if it reads standard error; not with ``--json``."""
    stream = terminal.err.stream
    if terminal.json or stream is None or "JOURNAL_STREAM" not in environ:
        return
    from dnsrenew.base import journal  # it loads socket, and few runs need it

    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # not a file
        return
    if journal.is_read_by_journal(descriptor, environ):
        terminal.journal_line = JournalLines(terminal.err, journal.SystemdJournal(journal.SOCKET))
