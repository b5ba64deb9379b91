"""Progress in plain lines: for logs, pipes and dumb terminals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dnsrenew.cli import text
from dnsrenew.cli.event_text import BAD, LOOK, EventLine, EventText
from dnsrenew.cli.event_words import server_words, values_of, warning_words, zones_of
from dnsrenew.cli.terminal import Terminal, yellow
from dnsrenew.events import Event

_QUIET_START: Final = 1.0
"""Seconds of waiting for DNS before anything is said of it: mostly it is over by then."""

_REPEAT: Final = 10.0
"""Seconds after which a wait is mentioned again although nothing changed."""


class Progress:
    """Takes events and says them; the base of both kinds.

    :param errors: whether a failure's message is said here (else the result has it, on the same screen).
    :param rehearsing: with ``--dry-run``.
    """

    def __init__(self, screen: Terminal, *, errors: bool = True, rehearsing: bool = False) -> None:
        self.screen = screen
        self.errors = errors
        self.rehearsing = rehearsing
        self.stories: dict[str, EventText] = {}
        self.many = False
        self.closed = False

    def __call__(self, event: Event) -> None:
        """Take the next event."""
        if self.closed:
            return  # a thread that was left behind
        if event.kind == "run-started":
            self.many = len(event.data.get("certificates", ())) != 1
        elif event.kind == "warning":
            self.warn(event)
        elif event.kind == "swept":
            records = event.data.get("records", ())
            self.screen.note(f"Removed {values_of(records)} that an earlier run left in {zones_of(records)}.")
        elif event.certificate is not None and not self.screen.quiet:
            self._take(event, event.certificate)

    def warn(self, event: Event) -> None:
        """Say a warning: with ``-q`` too."""
        where = f"{event.certificate}: " if event.certificate else ""
        columns, _ = self.screen.err.size()
        self.screen.say("\n".join(text.wrap(warning_words(event.data), columns, f"{yellow('!')} {where}", "  ")))

    def tick(self) -> None:
        """Called every tenth of a second or so."""

    def close(self) -> None:
        """The run is over: nothing more is said."""
        self.closed = True

    def _take(self, event: Event, name: str) -> None:
        story = self.stories.get(name)
        if story is None:
            story = self.stories[name] = EventText(name, self.screen.verbose, rehearsing=self.rehearsing)
        lines = story.take(event)
        if event.kind == "certificate-finished":
            del self.stories[name]
        for line in lines:
            self.tell(story, event, line)
        if event.kind == "dns-waiting":
            self.waiting(story, float(event.data.get("seconds") or 0))

    def tell(self, story: EventText, event: Event, line: EventLine) -> None:
        """Say a sentence that stays."""
        raise NotImplementedError

    def waiting(self, story: EventText, seconds: float) -> None:
        """The name servers have been asked for so long."""
        raise NotImplementedError


class PlainProgress(Progress):
    """One line for each event worth telling, with the certificate's name before it."""

    def __init__(self, screen: Terminal, *, errors: bool = True, rehearsing: bool = False) -> None:
        super().__init__(screen, errors=errors, rehearsing=rehearsing)
        self._seen: dict[str, tuple[tuple[tuple[str, str, str], ...], float]] = {}

    def tell(self, story: EventText, event: Event, line: EventLine) -> None:
        """Write the line."""
        if event.kind == "dns-visible":
            self._seen.pop(story.name, None)
        mark = {BAD: "✗ ", LOOK: "! "}.get(line.mark, "")
        took = f" ({text.seconds(line.seconds)})" if line.seconds is not None else ""
        why = f": {line.error}" if line.error and (self.errors or line.always) else ""
        self.screen.say(f"{story.name}: {mark}{line.text}{took}{why}")

    def waiting(self, story: EventText, seconds: float) -> None:
        """Write who is waited for: when that changed, or again after a while."""
        state = states(story.servers)
        before, said = self._seen.get(story.name, ((), 0.0))
        if seconds < _QUIET_START or (state == before and seconds - said < _REPEAT):
            return
        self._seen[story.name] = (state, seconds)
        if state != before and all(server.get("state") == "agrees" for server in story.servers):
            return  # the next event says so
        self.screen.say(f"{story.name}: {story.doing}, {text.seconds(seconds)} so far: {summary(story.servers)}")


def states(servers: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str, str], ...]:
    """Return what may change of the servers, to be compared."""
    return tuple((str(s.get("server")), str(s.get("address")), str(s.get("state"))) for s in servers)


def summary(servers: Sequence[Mapping[str, Any]]) -> str:
    """Return in words who agrees and who is waited for."""
    by_state: dict[str, list[str]] = {}
    for server in servers:
        by_state.setdefault(str(server.get("state")), []).append(server_words(server))
    parts = []
    if waiting := by_state.get("waiting"):
        parts.append(f"not yet {text.listed(waiting)}")
    if silent := by_state.get("unreachable"):
        parts.append(f"no answer from {text.listed(silent)}")
    agree = len(by_state.get("agrees", ()))
    parts.append(f"{agree} of {text.count(len(servers), 'name server')} {'agrees' if agree == 1 else 'agree'}")
    return "; ".join(parts)
