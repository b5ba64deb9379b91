"""Progress in plain lines: for logs, pipes and dumb terminals."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from dnsrenew.base.events import Event
from dnsrenew.base.model import first_sentence
from dnsrenew.base.names import relative
from dnsrenew.base.values import Frozen, grouped, replace
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.formatting import say, sentences
from dnsrenew.cli.terminal import INFO, WARNING, LineFields, Terminal, yellow

_FIRST_AFTER: Final = 1.0
"""Seconds of waiting for DNS before the first line about it. Most waits are shorter."""

_REPEAT_AFTER: Final = 10.0
"""Seconds after which an unchanged wait is shown again."""

_MARKS: Final = {texts.FAILED: "✗ ", texts.WARNING: "! "}


class Progress:
    """Shows events; the base of both displays.

    :param show_errors: show the messages of errors here. If not, the result shows them on the same terminal.
    :param dry_run: with ``--dry-run``.
    :ivar certificates: the certificates in progress.
    :ivar several: whether the run has several certificates.
    :ivar total: the number of certificates of the run; 0 if unknown.
    :ivar done: the number of finished certificates; ``failed``: the number of failed ones.
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
            self.terminal.write_info(texts.LEFTOVERS_REMOVED.format_map(fields_of(event.data)))
        elif event.certificate is not None and not self.terminal.quiet:
            self._handle(event, event.certificate)

    def write_warning(self, event: Event) -> None:
        """Write a warning, even with ``-q``."""
        prefix = formatting.headed(yellow("!"), event.certificate) if event.certificate else f"{yellow('!')} "
        columns, _ = self.terminal.err.size()
        text = sentences(event.data.get("message", ""), event.data.get("fix", ""))
        lines = formatting.wrap(text, columns, prefix, "  ")
        self.terminal.write_message("\n".join(lines), LineFields(WARNING, event.certificate, event.data.get("code")))

    def tick(self) -> None:
        """Called about every 0.1 s."""

    def close(self) -> None:
        """End the display. Later events are ignored."""
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
        """Write a permanent line."""
        raise NotImplementedError

    def show_waiting(self, certificate: EventText, seconds: float) -> None:
        """Show the name servers, which have been polled for a number of seconds."""
        raise NotImplementedError


class PlainProgress(Progress):
    """Writes one line per step, prefixed with the name of the certificate."""

    def show(self, certificate: EventText, event: Event, line: EventLine) -> None:
        """Write the line."""
        if event.kind == "dns-visible":
            certificate.waited = (), 0.0
        text = f"{_MARKS.get(line.mark, '')}{line.text}"
        if line.seconds is not None:
            text = texts.BRACKETED.format(text=text, more=formatting.seconds(line.seconds))
        if line.error and (self.show_errors or line.show_error):
            text = texts.HEADED.format(head=text, text=line.error)
        failure = event.data.get("error")
        code = failure.get("code") if isinstance(failure, Mapping) else None
        fields = LineFields(WARNING if line.mark in _MARKS else INFO, certificate.name, code)
        self._write(texts.HEADED.format(head=certificate.name, text=text), fields)

    def show_waiting(self, certificate: EventText, seconds: float) -> None:
        """Write the states of the name servers if they changed, or if they were not shown for a while."""
        states = _states(certificate.servers)
        before, shown_at = certificate.waited
        if seconds < _FIRST_AFTER or (states == before and seconds - shown_at < _REPEAT_AFTER):
            return
        certificate.waited = states, seconds
        if states != before and all(server.get("state") == "agrees" for server in certificate.servers):
            return  # the next event says so
        line = texts.DNS_PROGRESS.format(
            activity=certificate.activity, elapsed=formatting.seconds(seconds), servers=summary(certificate.servers)
        )
        self._write(texts.HEADED.format(head=certificate.name, text=line), LineFields(INFO, certificate.name))

    def _write(self, text: str, fields: LineFields) -> None:
        """Write a line; on a terminal, as several lines that fit."""
        lines = formatting.wrap(text, self.terminal.err.size()[0], "", "  ")
        self.terminal.write_message("\n".join(lines), fields)


def _states(servers: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str, str], ...]:
    return tuple((str(s.get("server")), str(s.get("address")), str(s.get("state"))) for s in servers)


def summary(servers: Sequence[Mapping[str, Any]]) -> str:
    """Return which name servers are updated and which are not."""
    by_state = grouped(servers, lambda server: str(server.get("state")))
    parts = []
    if waiting := by_state.get("waiting"):
        parts.append(texts.SERVERS_NOT_UPDATED.format(servers=formatting.listed(map(describe_server, waiting))))
    if silent := by_state.get("unreachable"):
        parts.append(texts.SERVERS_SILENT.format(servers=formatting.listed(map(describe_server, silent))))
    template = texts.ONE_SERVER_UPDATED if len(servers) == 1 else texts.SERVERS_UPDATED
    parts.append(template.format(count=len(by_state.get("agrees", ())), total=len(servers)))
    return texts.CLAUSES.join(parts)


# ── event text ─────────────────────────────────────────────────────────────────────────

# The events of one certificate as sentences: finished steps, and the activity in progress.


class EventLine(Frozen):
    """A permanent line.

    :ivar mark: one of the marks of :mod:`dnsrenew.cli.texts`.
    :ivar seconds: the duration of the step, or None.
    :ivar error: the message of an error, hidden if the result shows it on the same terminal.
    :ivar show_error: always show the error, because the run continues and its result comes later.
    :ivar is_end: whether this line is the last of the certificate.
    """

    mark: texts.Mark
    text: str
    seconds: float | None = None
    error: str = ""
    show_error: bool = False
    is_end: bool = False


class EventText:
    """The state of one certificate in progress.

    :param dry_run: with ``--dry-run``.
    :ivar activity: the current activity of the run.
    :ivar since: the start of the activity.
    :ivar servers: the name servers while they are polled.
    :ivar waited: their states in the last line about them, and the seconds of waiting at that time.
    """

    def __init__(self, name: str, verbose: int = 0, *, dry_run: bool = False) -> None:
        self.name = name
        self.verbose = verbose
        self.dry_run = dry_run
        self.activity = texts.STARTING
        self.since: datetime | None = None
        self.servers: Sequence[Mapping[str, Any]] = ()
        self.waited: tuple[tuple[tuple[str, str, str], ...], float] = (), 0.0
        self._started: datetime | None = None
        self._step_started: datetime | None = None
        self._ca = texts.THE_CA
        self._route_active = False
        self._failed_route: EventLine | None = None  # shown when it is known whether another route follows
        self._polled: Sequence[Mapping[str, Any]] = ()
        self._shown_errors: set[str] = set()  # of the failed routes
        self._written: Mapping[str, str] = {}  # identifier of the CA to the name in the configuration, in its order
        self._domains: Sequence[str] = ()
        self._separate = 0.0  # seconds within the current step that have their own line

    def lines(self, event: Event) -> list[EventLine]:
        """Process the next event and return its lines."""
        variant, data = "", event.data
        if self._started is None:
            self._started = self._step_started = event.time
        if event.kind == "dns-waiting":
            self.since = self.since if self.servers else event.time - timedelta(seconds=float(data.get("seconds") or 0))
            self.servers = tuple(data.get("servers", ()))
        else:
            self._polled, self.servers = self.servers, ()
            self.since = event.time
        match event.kind:
            case "route-started" | "order-resumed":
                self._ca = str(data.get("ca") or texts.THE_CA)
            case "txt-writing" if any(record.get("dns") for record in data.get("records", ())):
                variant = "accounts"
            case "dns-waiting" if not data.get("timeout"):
                variant = "unlimited"
            case "dns-visible" if self._ca is texts.THE_CA:  # of an account, without a CA
                variant = "test"
            case "caches-waiting" if float(data.get("seconds") or 0) >= 1:
                variant = "long"
        handler = self._HANDLERS.get(event.kind)
        return self._sentence(event, variant) if handler is None else handler(self, event)

    def _sentence(self, event: Event, variant: str = "", **fields: str) -> list[EventLine]:
        """Set the activity and return the line of the event, if it has one."""
        sentence = texts.EVENTS.get(f"{event.kind}/{variant}" if variant else event.kind)
        if sentence is None:
            return []
        polled = {"names": self._names(event), "servers": updated_servers(self._polled)}
        fields = {**fields_of(event.data), **polled, "ca": self._ca, **fields}
        if sentence.activity:
            self.activity = formatting.closed(sentence.activity.format_map(fields))
        if not sentence.line or (sentence.verbose and not self.verbose):
            return []
        seconds = self._step_seconds(event) if sentence.timed else None
        return [EventLine(sentence.mark, formatting.closed(sentence.line.format_map(fields)), seconds)]

    def _step_seconds(self, event: Event) -> float:
        """Return the seconds since the last step, so that the durations of the steps add up to the total."""
        before, self._step_started = self._step_started, event.time
        separate, self._separate = self._separate, 0.0
        measured = event.data.get("seconds")
        least = float(measured) if isinstance(measured, int | float) else 0.0
        return max((event.time - before).total_seconds() - separate, least) if before else least

    def _names(self, event: Event) -> str:
        """Return the names of an event as in the configuration, in its order."""
        names = [str(name) for name in event.data.get("domains", ())]
        order = {name: index for index, name in enumerate(self._written)}
        names.sort(key=lambda name: order.get(name, len(order)))
        return formatting.listed(self._written.get(name, name) for name in names)

    def _certificate_started(self, event: Event) -> list[EventLine]:
        self._domains = [str(domain) for domain in event.data.get("domains", ())]
        action = texts.DRY_RUN if self.dry_run else texts.ACTIONS.get(event.data.get("reason", ""), texts.RENEWING)
        variant = "same-name" if self._domains == [self.name] else ""
        return self._sentence(event, variant, action=action, domains=formatting.listed(self._domains))

    def _route_started(self, event: Event) -> list[EventLine]:
        self._route_active = True
        failed = self._take_failed_route(continues=True)
        line = self._sentence(event)
        return [*failed, *line] if self.verbose or self._shown_errors else failed

    def _route_failed(self, event: Event) -> list[EventLine]:
        error = event.data.get("error")
        if isinstance(error, Mapping) and error.get("code") == "cancelled":
            return []  # the outcome says so
        previous = self._take_failed_route(continues=True)
        message = error_message(event.data)
        code = str(error.get("code")) if isinstance(error, Mapping) else ""
        asked = code.startswith("ca-") and code != "ca-ledger" and message not in self._shown_errors  # before an order
        (line,) = self._sentence(event, "" if self._route_active or asked else "skipped")
        self._failed_route = replace(line, error=message)
        self._shown_errors.add(message)
        self._route_active = False
        return previous

    def _take_failed_route(self, *, continues: bool) -> list[EventLine]:
        """Return the line of the last failed route, with its reason if the run continues."""
        failed, self._failed_route = self._failed_route, None
        if failed is None:
            return []
        return [replace(failed, error=first_sentence(failed.error), show_error=True) if continues else failed]

    def _order_created(self, event: Event) -> list[EventLine]:
        domains, pending = event.data.get("domains", ()), event.data.get("pending", ())
        if len(domains) == len(self._domains):  # the CA returns A-labels
            self._written = dict(zip(domains, self._domains, strict=True))
        valid = len(domains) - len(pending)
        variant = "" if not valid else "some-valid" if pending else "all-valid"
        lines = self._sentence(event, variant, valid=str(valid), total=str(len(domains)))
        return [*lines, *self._sentence(event, "url")]

    def _txt_by_hand(self, event: Event) -> list[EventLine]:
        records = [(str(each.get("name", "")), str(each.get("value", ""))) for each in event.data.get("records", ())]
        return [line for name, value in records for line in self._sentence(event, name=name.rstrip("."), value=value)]

    def _txt_removed(self, event: Event) -> list[EventLine]:
        seconds = event.data.get("seconds")  # without it, the duration belongs to the next step
        self._separate += seconds or 0.0
        sentence = texts.EVENTS[event.kind]  # the activity goes on: the CA is still issuing
        return [EventLine(sentence.mark, sentence.line.format_map(fields_of(event.data)), seconds)]

    def _certificate_finished(self, event: Event) -> list[EventLine]:
        status = str(event.data.get("status", ""))
        is_new = status == "renewed" and event.data.get("reason") == "missing"
        lines = self._take_failed_route(continues=False)
        for line in self._sentence(event, "obtained" if is_new else status):
            seconds = line.seconds
            if seconds is not None:
                seconds = (event.time - self._started).total_seconds() if self._started else 0.0
            message = error_message(event.data)
            error = "" if message in self._shown_errors else message
            lines.append(replace(line, seconds=seconds, error=error, is_end=True))
        return lines

    _HANDLERS: ClassVar[Mapping[str, Callable[[EventText, Event], list[EventLine]]]] = {
        "certificate-started": _certificate_started,
        "route-started": _route_started,
        "route-failed": _route_failed,
        "order-created": _order_created,
        "txt-by-hand": _txt_by_hand,
        "txt-by-hand-over": _txt_by_hand,
        "txt-removed": _txt_removed,
        "certificate-finished": _certificate_finished,
    }
    """The events that need more than one sentence."""


# ── event fields ───────────────────────────────────────────────────────────────────────

# The values of events as texts, for the templates of :data:`dnsrenew.cli.texts.EVENTS`.


def fields_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields that depend only on the data of an event."""
    records, responses = data.get("records", ()), data.get("answers", ())
    return {
        **{name: str(data.get(name, "")) for name in ("url", "to", "target", "address")},
        **{name: formatting.seconds(float(data.get(name) or 0)) for name in ("seconds", "timeout")},
        "what": say(data.get("what", "")),
        "holder": _holder(data),
        "route": formatting.describe_route(data),
        "values": formatting.count(len(records), texts.TXT_VALUE),
        "zones": formatting.listed(dict.fromkeys(relative(str(record.get("zone", ""))) for record in records)),
        # None for driver objects of a program.
        "accounts": formatting.listed(dict.fromkeys(str(record["dns"]) for record in records if record.get("dns"))),
        "records": formatting.listed((f"{relative(str(one.get('name')))} = {one.get('value')}" for one in records), 20),
        "responses": formatting.count(len(responses), texts.RESPONSE),
        "places": _places(responses),
    }


def describe_server(server: Mapping[str, Any]) -> str:
    """Return the name and address of a name server."""
    return f"{relative(str(server.get('server', '?')))} {server.get('address') or ''}".strip()


def error_message(data: Mapping[str, Any]) -> str:
    """Return the message of the error of an event, or ""."""
    error = data.get("error")
    return say(error.get("message", "")) if isinstance(error, Mapping) else ""


def updated_servers(servers: Sequence[Mapping[str, Any]]) -> str:
    """Return which name servers show the values, without those that were given up."""
    states = [server.get("state") for server in servers if server.get("state") != "skipped"]
    updated, total = states.count("agrees"), len(states)
    if updated < total:
        return texts.SOME_SERVERS.format(count=updated, total=total)
    return texts.SERVERS[total] if total < len(texts.SERVERS) else texts.ALL_SERVERS.format(total=total)


def _places(responses: Sequence[Mapping[str, Any]]) -> str:
    """Return where HTTP-01 responses are: ``served on :80``, ``written to /var/www/html``."""
    listen = formatting.listed(dict.fromkeys(str(each["listen"]) for each in responses if each.get("listen")))
    webroot = formatting.listed(dict.fromkeys(str(each["webroot"]) for each in responses if each.get("webroot")))
    template = (texts.SERVED_AND_SAVED if webroot else texts.SERVED) if listen else texts.SAVED
    return template.format(listen=listen, webroot=webroot)


def _holder(data: Mapping[str, Any]) -> str:
    """Return the holder of a lock."""
    if data.get("pid") == os.getpid():
        return texts.OTHER_CERTIFICATE
    if not data.get("pid"):
        return texts.OTHER_RUN
    return texts.OTHER_PROCESS.format(pid=data["pid"], host=data.get("host"))
