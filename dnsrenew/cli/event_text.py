"""The events of one certificate as sentences: finished steps, and the activity in progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from dnsrenew.base.events import Event
from dnsrenew.base.model.wording import first_sentence
from dnsrenew.base.values import Frozen, replace
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.event_fields import error_message, fields_of, updated_servers


class EventLine(Frozen):
    """A line that stays.

    :ivar mark: one of the marks of :mod:`dnsrenew.cli.texts`.
    :ivar seconds: the duration of the step, or None.
    :ivar error: the message of an error; hidden where the result shows it on the same terminal.
    :ivar show_error: show the error in any case, because the run continues and its result comes later.
    :ivar is_end: this line ends the certificate.
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
    :ivar activity: what the run does now.
    :ivar since: the start of the activity.
    :ivar servers: the name servers while they are polled.
    """

    def __init__(self, name: str, verbose: int = 0, *, dry_run: bool = False) -> None:
        self.name = name
        self.verbose = verbose
        self.dry_run = dry_run
        self.activity = texts.STARTING
        self.since: datetime | None = None
        self.servers: Sequence[Mapping[str, Any]] = ()
        self._started: datetime | None = None
        self._step_started: datetime | None = None
        self._ca = texts.THE_CA
        self._route_active = False
        self._any_route_failed = False
        self._failed_route: EventLine | None = None  # shown when it is known whether another route follows
        self._polled: Sequence[Mapping[str, Any]] = ()
        self._shown_errors: set[str] = set()
        self._written: Mapping[str, str] = {}  # identifier of the CA to the name in the configuration, in its order
        self._domains: Sequence[str] = ()
        self._separate = 0.0  # seconds within the current step that have their own line

    def lines(self, event: Event) -> list[EventLine]:
        """Take in the next event and return its lines."""
        if self._started is None:
            self._started = self._step_started = event.time
        if event.kind != "dns-waiting":
            self._polled, self.servers = self.servers, ()
            self.since = event.time
        handler = self._HANDLERS.get(event.kind)
        return self._sentence(event) if handler is None else handler(self, event)

    def _sentence(self, event: Event, variant: str = "", **fields: str) -> list[EventLine]:
        """Set the activity and return the line of the event, if it has one."""
        sentence = texts.EVENTS.get(f"{event.kind}/{variant}" if variant else event.kind)
        if sentence is None:
            return []
        fields = {**fields_of(event.data), "ca": self._ca, **fields}
        if sentence.activity:
            self.activity = sentence.activity.format_map(fields)
        if not sentence.line or (sentence.verbose and not self.verbose):
            return []
        seconds = self._step_seconds(event) if sentence.timed else None
        return [EventLine(sentence.mark, sentence.line.format_map(fields), seconds)]

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
        self._ca = str(event.data.get("ca") or texts.THE_CA)
        self._route_active = True
        failed = self._take_failed_route(continues=True)
        line = self._sentence(event)
        return [*failed, *line] if self.verbose or self._any_route_failed else failed

    def _route_failed(self, event: Event) -> list[EventLine]:
        error = event.data.get("error")
        if isinstance(error, Mapping) and error.get("code") == "cancelled":
            return []  # the outcome says so
        previous = self._take_failed_route(continues=True)
        (line,) = self._sentence(event, "" if self._route_active else "skipped")
        message = error_message(event.data)
        self._failed_route = replace(line, error=message)
        self._shown_errors.add(message)
        self._any_route_failed, self._route_active = True, False
        return previous

    def _take_failed_route(self, *, continues: bool) -> list[EventLine]:
        """Return the line of the route that failed last; with its reason if the run continues."""
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

    def _order_resumed(self, event: Event) -> list[EventLine]:
        self._ca = str(event.data.get("ca") or texts.THE_CA)
        return self._sentence(event)

    def _txt_writing(self, event: Event) -> list[EventLine]:
        has_account = any(record.get("dns") for record in event.data.get("records", ()))
        return self._sentence(event, "accounts" if has_account else "")

    def _txt_by_hand(self, event: Event) -> list[EventLine]:
        fields = [
            {"name": str(record.get("name", "")).rstrip("."), "value": str(record.get("value", ""))}
            for record in event.data.get("records", ())
        ]
        return [line for each in fields for line in self._sentence(event, **each)]

    def _dns_waiting(self, event: Event) -> list[EventLine]:
        if not self.servers:
            self.since = event.time - timedelta(seconds=float(event.data.get("seconds") or 0))
        self.servers = tuple(event.data.get("servers", ()))
        timeout = event.data.get("timeout")
        if not timeout:
            return self._sentence(event, "unlimited")
        return self._sentence(event, timeout=formatting.seconds(float(timeout)))

    def _dns_visible(self, event: Event) -> list[EventLine]:
        return self._sentence(event, servers=updated_servers(self._polled))

    def _caches_waiting(self, event: Event) -> list[EventLine]:
        seconds = float(event.data.get("seconds") or 0)
        return self._sentence(event, "" if seconds < 1 else "long", seconds=formatting.seconds(seconds))

    def _named(self, event: Event) -> list[EventLine]:
        return self._sentence(event, names=self._names(event))

    def _txt_removed(self, event: Event) -> list[EventLine]:
        seconds = event.data.get("seconds")  # without it, the duration belongs to the next step
        self._separate += seconds or 0.0
        sentence = texts.EVENTS[event.kind]
        self.activity = sentence.activity
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
        "order-resumed": _order_resumed,
        "txt-writing": _txt_writing,
        "txt-by-hand": _txt_by_hand,
        "txt-by-hand-over": _txt_by_hand,
        "dns-waiting": _dns_waiting,
        "dns-visible": _dns_visible,
        "caches-waiting": _caches_waiting,
        "challenges-answered": _named,
        "authorizations-valid": _named,
        "txt-removed": _txt_removed,
        "certificate-finished": _certificate_finished,
    }
    """The events whose sentence needs more than their own data."""
