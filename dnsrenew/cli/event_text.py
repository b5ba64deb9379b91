"""Events of one certificate as sentences: what is finished, and what is being waited for now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from dnsrenew.base.names import relative
from dnsrenew.base.values import Frozen, replace
from dnsrenew.cli import text
from dnsrenew.cli.event_words import accounts_of, agreeing, holder_words, message_of, places_of, values_of, zones_of
from dnsrenew.events import Event
from dnsrenew.model.wording import describe_route, first_sentence

GOOD, BAD, LOOK, PLAIN = "good", "bad", "look", "plain"


class EventLine(Frozen):
    """A sentence that stays.

    :ivar mark: how it is shown: a step that is done, one that failed, a warning, or none of these.
    :ivar seconds: what the step took, where that says something.
    :ivar error: the message of what went wrong; not said where the result tells it to the same eyes.
    :ivar always: but this one is: the run goes on, and the result comes later.
    :ivar end: it is what the certificate came to.
    """

    mark: str
    text: str
    seconds: float | None = None
    error: str = ""
    always: bool = False
    end: bool = False


class EventText:
    """What is known of one certificate under work.

    :param rehearsing: with ``--dry-run``.
    :ivar doing: what is being waited for now.
    :ivar since: when that began.
    :ivar servers: the name servers that are asked, while they are.
    """

    def __init__(self, name: str, verbose: int = 0, *, rehearsing: bool = False) -> None:
        self.name = name
        self.verbose = verbose
        self.rehearsing = rehearsing
        self.doing = "starting"
        self.since: datetime | None = None
        self.servers: Sequence[Mapping[str, Any]] = ()
        self._started: datetime | None = None
        self._step: datetime | None = None
        self._ca = "the CA"
        self._going = False  # whether a route is under way
        self._failed = False  # whether one has failed
        self._lost: EventLine | None = None  # the last one that failed: told when it is known whether another follows
        self._before: list[EventLine] = []  # to be told before the line of the event
        self._asked: Sequence[Mapping[str, Any]] = ()
        self._told: set[str] = set()
        self._written: Mapping[str, str] = {}  # identifiers, in the certificate's order, as written
        self._domains: Sequence[str] = ()
        self._apart = 0.0  # seconds that had a line of their own, within the step that is not over

    def take(self, event: Event) -> list[EventLine]:
        """Take the next event, and return what is to be said of it."""
        if self._started is None:
            self._started = self._step = event.time
        if event.kind != "dns-waiting":
            self._asked, self.servers = self.servers, ()
            self.since = event.time
        teller = self._TELLERS.get(event.kind)
        line = None if teller is None else teller(self, event)
        before, self._before = self._before, []
        return before if line is None else [*before, line]

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

    def _certificate_started(self, event: Event) -> EventLine | None:
        self._domains = [str(domain) for domain in event.data.get("domains", ())]
        self.doing = "looking at DNS and at the CA"
        why = "rehearsing" if self.rehearsing else _WHY.get(event.data.get("reason", ""), "renewing")
        return EventLine(PLAIN, f"{why}: {text.listed(self._domains)}")

    def _lock_waiting(self, event: Event) -> EventLine | None:
        self.doing = f"waiting for {holder_words(event.data)}"
        return EventLine(PLAIN, f"the {event.data.get('what')} is being worked on: {self.doing}")

    def _route_started(self, event: Event) -> EventLine | None:
        self._ca = str(event.data.get("ca") or "the CA")
        self._going = True
        self._tell_lost(goes_on=True)
        self.doing = f"asking {self._ca} for an order"
        way = describe_route(event.data)
        return EventLine(PLAIN, f"trying {way}") if self.verbose or self._failed else None

    def _route_failed(self, event: Event) -> EventLine | None:
        error = event.data.get("error")
        if isinstance(error, Mapping) and error.get("code") == "cancelled":
            return None  # the outcome says so
        self._tell_lost(goes_on=True)
        way = describe_route(event.data)
        took = self._took(event) if self._going else None
        self._lost = EventLine(
            BAD, f"{way} {'failed' if self._going else 'is ruled out'}", took, message_of(event.data)
        )
        self._told.add(self._lost.error)
        self._failed, self._going = True, False
        self.doing = f"{self._lost.text}: looking for another way"
        return None

    def _tell_lost(self, *, goes_on: bool) -> None:
        """Tell the route that failed last: why, too, where the run goes on."""
        if self._lost is not None:
            why = first_sentence(self._lost.error)
            self._before.append(replace(self._lost, error=why, always=True) if goes_on else self._lost)
            self._lost = None

    def _order_created(self, event: Event) -> EventLine | None:
        domains, pending = event.data.get("domains", ()), event.data.get("pending", ())
        if len(domains) == len(self._domains):  # IDNs: the CA knows their A-labels
            self._written = dict(zip(domains, self._domains, strict=True))
        self.doing = "preparing the proofs"
        known = len(domains) - len(pending)
        extra = "" if not known else ", all names still valid there" if not pending else f", {known} still valid there"
        address = f" ({event.data.get('url')})" if self.verbose else ""
        return EventLine(GOOD, f"order accepted by {self._ca}{extra}{address}", self._took(event))

    def _order_resumed(self, event: Event) -> EventLine | None:
        self._ca = str(event.data.get("ca") or "the CA")
        self.doing = f"asking {self._ca} for the certificate"
        return EventLine(GOOD, f"{self._ca} still has the order of a run that did not end: taken up", self._took(event))

    def _txt_writing(self, event: Event) -> EventLine | None:
        records = event.data.get("records", ())
        self.doing = f"writing {values_of(records)} to {zones_of(records)}{accounts_of(records)}"
        if not self.verbose:
            return None
        shown = text.listed((f"{relative(str(r['name']))} = {r['value']}" for r in records), 20)
        return EventLine(PLAIN, f"writing {shown}")

    def _txt_written(self, event: Event) -> EventLine | None:
        records = event.data.get("records", ())
        self.doing = "asking the name servers"
        return EventLine(
            GOOD, f"{values_of(records)} written to {zones_of(records)}", self._took(event, event.data.get("seconds"))
        )

    def _dns_waiting(self, event: Event) -> EventLine | None:
        if not self.servers:
            self.since = event.time - timedelta(seconds=float(event.data.get("seconds") or 0))
        self.servers = tuple(event.data.get("servers", ()))
        limit = event.data.get("timeout")
        self.doing = f"waiting for DNS{f' (at most {text.seconds(float(limit))})' if limit else ''}"
        return None

    def _dns_visible(self, event: Event) -> EventLine | None:
        self.doing = f"telling {self._ca} to look"
        return EventLine(GOOD, f"visible on {agreeing(self._asked)}", self._took(event, event.data.get("seconds")))

    def _caches_waiting(self, event: Event) -> EventLine | None:
        took = float(event.data.get("seconds") or 0)
        self.doing = f"waiting for the caches of {self._ca} ({text.seconds(took)})"
        if took < 1:
            return None
        return EventLine(
            PLAIN, f"a resolver of {self._ca} may still hold the value before: waiting {text.seconds(took)}"
        )

    def _http_published(self, event: Event) -> EventLine | None:
        answers = event.data.get("answers", ())
        self.doing = "looking whether they are seen from here"
        words = f"{text.count(len(answers), 'answer')} {places_of(answers)}"
        return EventLine(GOOD, words, self._took(event, event.data.get("seconds")))

    def _http_visible(self, event: Event) -> EventLine | None:
        self.doing = f"telling {self._ca} to look"
        return EventLine(GOOD, "seen from here", self._took(event)) if self.verbose else None

    def _http_removed(self, event: Event) -> EventLine | None:
        self.doing = "finishing"
        return EventLine(GOOD, f"{text.count(len(event.data.get('answers', ())), 'answer')} withdrawn again")

    def _challenges_answered(self, event: Event) -> EventLine | None:
        self.doing = f"{self._ca} is looking at {self._names(event)}"
        return None

    def _authorizations_valid(self, event: Event) -> EventLine | None:
        self.doing = f"asking {self._ca} for the certificate"
        return EventLine(GOOD, f"{self._ca} has validated {self._names(event)}", self._took(event))

    def _order_finalized(self, _event: Event) -> EventLine | None:
        self.doing = f"{self._ca} is making the certificate"
        return None

    def _txt_removed(self, event: Event) -> EventLine | None:
        self.doing = "finishing"
        took = event.data.get("seconds")  # without it, the next step's time holds it
        self._apart += took or 0.0
        return EventLine(GOOD, f"{values_of(event.data.get('records', ()))} removed again", took)

    def _certificate_stored(self, event: Event) -> EventLine | None:
        self.doing = "finishing"
        return EventLine(GOOD, "certificate issued, checked and stored", self._took(event))

    def _kept(self, _event: Event) -> EventLine | None:
        return EventLine(LOOK, "the stored certificate stays in use")

    def _certificate_finished(self, event: Event) -> EventLine | None:
        self._tell_lost(goes_on=False)
        status = str(event.data.get("status", ""))
        took = (event.time - self._started).total_seconds() if self._started else 0.0
        if status in ("renewed", "rehearsed"):
            word = "obtained" if status == "renewed" and event.data.get("reason") == "missing" else status
            return EventLine(GOOD, word, took, end=True)
        if status == "not-due":
            return EventLine(PLAIN, "not due", end=True) if self.verbose else None
        message = message_of(event.data)
        mark = BAD if status == "failed" else LOOK
        return EventLine(mark, status, took, "" if message in self._told else message, end=True)

    _TELLERS: ClassVar[Mapping[str, Callable[[EventText, Event], EventLine | None]]] = {
        "certificate-started": _certificate_started,
        "lock-waiting": _lock_waiting,
        "route-started": _route_started,
        "route-failed": _route_failed,
        "order-created": _order_created,
        "order-resumed": _order_resumed,
        "txt-writing": _txt_writing,
        "txt-written": _txt_written,
        "dns-waiting": _dns_waiting,
        "dns-visible": _dns_visible,
        "caches-waiting": _caches_waiting,
        "http-published": _http_published,
        "http-visible": _http_visible,
        "http-removed": _http_removed,
        "challenges-answered": _challenges_answered,
        "authorizations-valid": _authorizations_valid,
        "order-finalized": _order_finalized,
        "txt-removed": _txt_removed,
        "certificate-stored": _certificate_stored,
        "kept": _kept,
        "certificate-finished": _certificate_finished,
    }
    """``txt-kept`` and ``http-kept`` are not among them: a warning tells them."""


_WHY: Final = {
    "missing": "obtaining",
    "expired": "expired, renewing",
    "revoked": "revoked, replacing",
    "changed": "changed in the configuration, renewing",
    "forced": "renewing because of --force",
}
