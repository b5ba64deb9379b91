"""Progress in plain lines: for logs, pipes and dumb terminals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dnsrenew.base.events import Event
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.event_fields import count_values, describe_server, list_zones, warning_text
from dnsrenew.cli.event_text import EventLine, EventText
from dnsrenew.cli.line_fields import INFO, WARNING, LineFields
from dnsrenew.cli.terminal import Terminal, yellow

_FIRST_AFTER: Final = 1.0
"""Seconds of waiting for DNS before the first line about it; most waits are shorter."""

_REPEAT_AFTER: Final = 10.0
"""Seconds after which an unchanged wait is shown again."""

_MARKS: Final = {texts.FAILED: "✗ ", texts.WARNING: "! "}


class Progress:
    """Shows events; the base of both displays.

    :param show_errors: show the messages of errors here; otherwise the result shows them on the same terminal.
    :param dry_run: with ``--dry-run``.
    :ivar certificates: the certificates in progress.
    :ivar several: whether the run has several certificates.
    :ivar total: the number of certificates of the run; 0 if that is not known.
    :ivar done: the number of those that have ended; ``failed``: of those that have failed.
    """

    def __init__(self, terminal: Terminal, *, show_errors: bool = True, dry_run: bool = False) -> None:
        self.terminal = terminal
        self.show_errors = show_errors
        self.dry_run = dry_run
        self.certificates: dict[str, EventText] = {}
        self.several = False
        self.total = self.done = self.failed = 0
        self.closed = False

    def __call__(self, event: Event) -> None:
        """Show the next event."""
        if self.closed:
            return  # a thread that did not end in time
        if event.kind == "run-started":
            self.total = len(event.data.get("certificates", ()))
            self.several = self.total != 1
        elif event.kind == "warning":
            self.write_warning(event)
        elif event.kind == "swept":
            records = event.data.get("records", ())
            fields = {"values": count_values(records), "zones": list_zones(records)}
            self.terminal.write_info(texts.LEFTOVERS_REMOVED.format_map(fields))
        elif event.certificate is not None and not self.terminal.quiet:
            self._handle(event, event.certificate)

    def write_warning(self, event: Event) -> None:
        """Write a warning, with ``-q`` too."""
        prefix = f"{yellow('!')} {event.certificate}: " if event.certificate else f"{yellow('!')} "
        columns, _ = self.terminal.err.size()
        lines = formatting.wrap(warning_text(event.data), columns, prefix, "  ")
        self.terminal.write_message("\n".join(lines), LineFields(WARNING, event.certificate, event.data.get("code")))

    def tick(self) -> None:
        """Called about every 0.1 s."""

    def close(self) -> None:
        """End the display: later events are ignored."""
        self.closed = True

    def _handle(self, event: Event, name: str) -> None:
        certificate = self.certificates.get(name)
        if certificate is None:
            certificate = EventText(name, self.terminal.verbose, dry_run=self.dry_run)
            self.certificates[name] = certificate
        lines = certificate.lines(event)
        if event.kind == "certificate-finished":
            del self.certificates[name]
            self.done += 1
            self.failed += event.data.get("status") == "failed"
        for line in lines:
            self.show(certificate, event, line)
        if event.kind == "dns-waiting":
            self.show_waiting(certificate, float(event.data.get("seconds") or 0))

    def show(self, certificate: EventText, event: Event, line: EventLine) -> None:
        """Write a line that stays."""
        raise NotImplementedError

    def show_waiting(self, certificate: EventText, seconds: float) -> None:
        """Show the name servers, which have been polled for so many seconds."""
        raise NotImplementedError


class PlainProgress(Progress):
    """One line per step, with the name of the certificate before it."""

    def __init__(self, terminal: Terminal, *, show_errors: bool = True, dry_run: bool = False) -> None:
        super().__init__(terminal, show_errors=show_errors, dry_run=dry_run)
        self._last_shown: dict[str, tuple[tuple[tuple[str, str, str], ...], float]] = {}

    def show(self, certificate: EventText, event: Event, line: EventLine) -> None:
        """Write the line."""
        if event.kind == "dns-visible":
            self._last_shown.pop(certificate.name, None)
        duration = f" ({formatting.seconds(line.seconds)})" if line.seconds is not None else ""
        text = f"{_MARKS.get(line.mark, '')}{line.text}{duration}"
        if line.error and (self.show_errors or line.show_error):
            text = texts.HEADED.format(head=text, text=line.error)
        failure = event.data.get("error")
        code = failure.get("code") if isinstance(failure, Mapping) else None
        fields = LineFields(WARNING if line.mark in _MARKS else INFO, certificate.name, code)
        self._write(f"{certificate.name}: {text}", fields)

    def show_waiting(self, certificate: EventText, seconds: float) -> None:
        """Write the states of the name servers if they changed, or if they were not shown for a while."""
        states = _states(certificate.servers)
        before, shown_at = self._last_shown.get(certificate.name, ((), 0.0))
        if seconds < _FIRST_AFTER or (states == before and seconds - shown_at < _REPEAT_AFTER):
            return
        self._last_shown[certificate.name] = (states, seconds)
        if states != before and all(server.get("state") == "agrees" for server in certificate.servers):
            return  # the next event says so
        line = texts.DNS_PROGRESS.format(
            activity=certificate.activity, elapsed=formatting.seconds(seconds), servers=summary(certificate.servers)
        )
        self._write(f"{certificate.name}: {line}", LineFields(INFO, certificate.name))

    def _write(self, text: str, fields: LineFields) -> None:
        """Write a line; on a terminal, as several that fit."""
        lines = formatting.wrap(text, self.terminal.err.size()[0], "", "  ")
        self.terminal.write_message("\n".join(lines), fields)


def _states(servers: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str, str], ...]:
    return tuple((str(s.get("server")), str(s.get("address")), str(s.get("state"))) for s in servers)


def summary(servers: Sequence[Mapping[str, Any]]) -> str:
    """Return which name servers are updated and which are not."""
    by_state: dict[str, list[str]] = {}
    for server in servers:
        by_state.setdefault(str(server.get("state")), []).append(describe_server(server))
    parts = []
    if waiting := by_state.get("waiting"):
        parts.append(texts.SERVERS_NOT_UPDATED.format(servers=formatting.listed(waiting)))
    if silent := by_state.get("unreachable"):
        parts.append(texts.SERVERS_SILENT.format(servers=formatting.listed(silent)))
    template = texts.ONE_SERVER_UPDATED if len(servers) == 1 else texts.SERVERS_UPDATED
    parts.append(template.format(count=len(by_state.get("agrees", ())), total=len(servers)))
    return texts.CLAUSES.join(parts)
