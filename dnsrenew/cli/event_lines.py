"""Standard error as a log for programs: each event, and each message, is one line of JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dnsrenew.base.model import rfc3339
from dnsrenew.cli import formatting
from dnsrenew.cli.progress import Progress

if TYPE_CHECKING:
    from dnsrenew.base.events import Event
    from dnsrenew.cli.invocation import Invocation


def log_line(invocation: Invocation, text: str) -> str:
    """Return a message as log lines, each with the time: for people that of their clock, in JSON in UTC."""
    now = invocation.clock.now()
    text = invocation.terminal.err.render(text)
    if invocation.terminal.json:
        return json.dumps({"kind": "message", "time": rfc3339(now), "certificate": None, "data": {"message": text}})
    return "\n".join(f"{formatting.stamp(now)} {line}" for line in text.splitlines())


class EventLines(Progress):
    """Writes each event as one line of JSON.

    :param hidden: kinds of events that are left out.
    """

    def __init__(self, invocation: Invocation, *, hidden: frozenset[str] = frozenset()) -> None:
        super().__init__(invocation.terminal)
        self._quiet = invocation.terminal.quiet
        self._hidden = hidden

    def __call__(self, event: Event) -> None:
        """Write the event."""
        if self.closed or event.kind in self._hidden or (self._quiet and not _is_problem(event.data, event.kind)):
            return
        self.terminal.err.write_line(json.dumps(event.to_dict(), default=str))


def _is_problem(data: Any, kind: str) -> bool:  # JSON values
    """Return whether ``-q`` shows the event: a warning, or a certificate that ended with an error."""
    return kind == "warning" or (kind == "certificate-finished" and data.get("error") is not None)
