"""Events of one certificate as sentences: what is finished, and what is being waited for now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from dnsrenew.cli import text
from dnsrenew.events import Event
from dnsrenew.names import relative

GOOD, BAD, LOOK, PLAIN = "good", "bad", "look", "plain"


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence that stays.

    :ivar mark: how it is shown: a step that is done, one that failed, a warning, or none of these.
    :ivar seconds: what the step took, where that says something.
    :ivar error: the message of what went wrong; not said where the result tells it to the same eyes.
    """

    mark: str
    text: str
    seconds: float | None = None
    error: str = ""


@dataclass(slots=True)
class Story:
    """What is known of one certificate under work.

    :ivar doing: what is being waited for now.
    :ivar since: when that began.
    :ivar servers: the name servers that are asked, while they are.
    """

    name: str
    verbose: int = 0
    doing: str = "starting"
    since: datetime | None = None
    servers: Sequence[Mapping[str, Any]] = ()
    _started: datetime | None = None
    _step: datetime | None = None
    _ca: str = "the CA"
    _routes: int = 0
    _asked: Sequence[Mapping[str, Any]] = ()
    _told: set[str] = field(default_factory=set)
    _written: Mapping[str, str] = field(default_factory=dict)  # identifiers, in the certificate's order, as written
    _domains: Sequence[str] = ()
    _apart: float = 0.0  # seconds that had a line of their own, within the step that is not over

    def take(self, event: Event) -> Line | None:
        """Take the next event, and return what is to be said of it."""
        if self._started is None:
            self._started = self._step = event.time
        if event.kind != "dns-waiting":
            self._asked, self.servers = self.servers, ()
            self.since = event.time
        teller = _TELLERS.get(event.kind)
        return None if teller is None else teller(self, event)

    def _took(self, event: Event, given: object = None) -> float:
        """Return the seconds of the step that ends now: all since the last one, so that the steps make the total."""
        before, self._step = self._step, event.time
        apart, self._apart = self._apart, 0.0
        least = float(given) if isinstance(given, int | float) else 0.0
        return max((event.time - before).total_seconds() - apart, least) if before else least

    def _names(self, event: Event) -> str:
        """Return the names of an event as they are written, in the certificate's order."""
        names = [str(name) for name in event.data.get("domains", ())]
        places = {name: place for place, name in enumerate(self._written)}
        names.sort(key=lambda name: places.get(name, len(places)))
        return text.listed(self._written.get(name, name) for name in names)

    def _certificate_started(self, event: Event) -> Line | None:
        self._domains = [str(domain) for domain in event.data.get("domains", ())]
        return Line(PLAIN, f"{_WHY.get(event.data.get('reason', ''), 'renewing')}: {text.listed(self._domains)}")

    def _route_started(self, event: Event) -> Line | None:
        self._ca = str(event.data.get("ca") or "the CA")
        self._routes += 1
        self.doing = f"looking at DNS and asking {self._ca} for an order"
        way = route_words(event.data)
        return Line(PLAIN, f"trying {way}") if self.verbose or self._routes > 1 else None

    def _route_failed(self, event: Event) -> Line | None:
        error = event.data.get("error")
        if isinstance(error, Mapping) and error.get("code") == "cancelled":
            return None  # the outcome says so
        message = _message(event.data)
        self._told.add(message)
        self.doing = "looking for another way"
        return Line(BAD, f"{route_words(event.data)} failed", None, message)

    def _order_created(self, event: Event) -> Line | None:
        domains, pending = event.data.get("domains", ()), event.data.get("pending", ())
        if len(domains) == len(self._domains):  # IDNs: the CA knows their A-labels
            self._written = dict(zip(domains, self._domains, strict=True))
        self.doing = "preparing the TXT values"
        known = len(domains) - len(pending)
        extra = "" if not known else ", all names still valid there" if not pending else f", {known} still valid there"
        address = f" ({event.data.get('url')})" if self.verbose else ""
        return Line(GOOD, f"order accepted by {self._ca}{extra}{address}", self._took(event))

    def _txt_writing(self, event: Event) -> Line | None:
        records = event.data.get("records", ())
        self.doing = f"writing {_values(records)} to {_zones(records)}{_accounts(records)}"
        if not self.verbose:
            return None
        shown = text.listed((f"{relative(str(r['name']))} = {r['value']}" for r in records), 20)
        return Line(PLAIN, f"writing {shown}")

    def _txt_written(self, event: Event) -> Line | None:
        records = event.data.get("records", ())
        self.doing = "asking the name servers"
        return Line(
            GOOD, f"{_values(records)} written to {_zones(records)}", self._took(event, event.data.get("seconds"))
        )

    def _dns_waiting(self, event: Event) -> Line | None:
        if not self.servers:
            self.since = event.time - timedelta(seconds=float(event.data.get("seconds") or 0))
        self.servers = tuple(event.data.get("servers", ()))
        limit = event.data.get("timeout")
        self.doing = f"waiting for DNS{f' (at most {text.seconds(float(limit))})' if limit else ''}"
        return None

    def _dns_visible(self, event: Event) -> Line | None:
        self.doing = f"telling {self._ca} to look"
        return Line(GOOD, f"visible on {_where(self._asked)}", self._took(event, event.data.get("seconds")))

    def _challenges_answered(self, event: Event) -> Line | None:
        self.doing = f"{self._ca} is looking at {self._names(event)}"
        return None

    def _authorizations_valid(self, event: Event) -> Line | None:
        self.doing = f"asking {self._ca} for the certificate"
        return Line(GOOD, f"{self._ca} has validated {self._names(event)}", self._took(event))

    def _order_finalized(self, _event: Event) -> Line | None:
        self.doing = f"{self._ca} is making the certificate"
        return None

    def _txt_removed(self, event: Event) -> Line | None:
        self.doing = "finishing"
        took = event.data.get("seconds")  # without it, the next step's time holds it
        self._apart += took or 0.0
        return Line(GOOD, f"{_values(event.data.get('records', ()))} removed again", took)

    def _certificate_stored(self, event: Event) -> Line | None:
        self.doing = "finishing"
        return Line(GOOD, "certificate issued, checked and stored", self._took(event))

    def _kept(self, _event: Event) -> Line | None:
        return Line(LOOK, "the stored certificate stays in use")

    def _certificate_finished(self, event: Event) -> Line | None:
        status = str(event.data.get("status", ""))
        took = (event.time - self._started).total_seconds() if self._started else 0.0
        if status in ("renewed", "rehearsed"):
            word = "obtained" if status == "renewed" and event.data.get("reason") == "missing" else status
            return Line(GOOD, word, took)
        if status == "not-due":
            return Line(PLAIN, "not due") if self.verbose else None
        message = _message(event.data)
        return Line(BAD if status == "failed" else LOOK, status, took, "" if message in self._told else message)


_TELLERS: Final[Mapping[str, Callable[[Story, Event], Line | None]]] = {
    name[1:].replace("_", "-"): getattr(Story, name)
    for name in (
        "_certificate_started",
        "_route_started",
        "_route_failed",
        "_order_created",
        "_txt_writing",
        "_txt_written",
        "_dns_waiting",
        "_dns_visible",
        "_challenges_answered",
        "_authorizations_valid",
        "_order_finalized",
        "_txt_removed",
        "_certificate_stored",
        "_kept",
        "_certificate_finished",
    )
}
"""``txt-kept`` is not among them: a warning tells it."""

_WHY: Final = {
    "missing": "obtaining",
    "expired": "expired, renewing",
    "revoked": "revoked, replacing",
    "changed": "changed in the configuration, renewing",
    "forced": "renewing because of --force",
}


def route_words(route: Mapping[str, Any]) -> str:
    """Return a route as people say it: ``dns-01 with home at lab``."""
    accounts = " and ".join(route.get("dns") or ())
    return f"{route.get('challenge')}{f' with {accounts}' if accounts else ''} at {route.get('ca')}"


def server_words(server: Mapping[str, Any]) -> str:
    """Return a name server as people say it."""
    return f"{relative(str(server.get('server', '?')))} {server.get('address') or ''}".strip()


def warning_words(data: Mapping[str, Any]) -> str:
    """Return a warning as one paragraph."""
    return f"{data.get('message', '')} {data.get('fix', '')}".strip()


def _message(data: Mapping[str, Any]) -> str:
    error = data.get("error")
    return str(error.get("message", "")) if isinstance(error, Mapping) else ""


def _where(servers: Sequence[Mapping[str, Any]]) -> str:
    """Say which name servers show the values: those that were given up do not."""
    states = [server.get("state") for server in servers if server.get("state") != "skipped"]
    agree, asked = states.count("agrees"), len(states)
    if agree < asked:
        return f"{agree} of {asked} name servers"
    return {0: "the name servers", 1: "the name server", 2: "both name servers"}.get(asked, f"all {asked} name servers")


def _values(records: Sequence[Mapping[str, Any]]) -> str:
    return text.count(len(records), "TXT value")


def _zones(records: Sequence[Mapping[str, Any]]) -> str:
    return text.listed(dict.fromkeys(relative(str(record.get("zone", ""))) for record in records))


def _accounts(records: Sequence[Mapping[str, Any]]) -> str:
    accounts = dict.fromkeys(str(record["dns"]) for record in records if record.get("dns"))
    return f" with {text.listed(accounts)}" if accounts else ""
