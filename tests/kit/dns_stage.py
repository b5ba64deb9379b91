"""The DNS view of a run at the lab's servers, with all events recorded."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.model import PropagationCheck, Resolver, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.dns import DnsView, Target
from tests.lab import Lab, Query


class ViewStage:
    """A view and a context of its own; `nameserver`: recursive servers other than the lab's."""

    def __init__(
        self, lab: Lab, *, nameserver: str | tuple[str, ...] | None = None, doh: tuple[str, ...] = (), **view: Any
    ) -> None:
        """Make a view that has queried nothing yet."""
        self.events: list[Event] = []
        self.context = Context(emitter=Emitter(SystemClock(), self.events.append))
        nameservers = nameserver if isinstance(nameserver, tuple) else (nameserver or lab.nameserver,)
        self.view = DnsView(Resolver(nameservers=nameservers, authoritative_port=lab.port, doh=doh), **view)

    def target(self, identifier: str, **how: Any) -> Target:
        """Return where the TXT for one identifier belongs."""
        return self.view.challenge_targets(self.context, [identifier], **how)[identifier]

    def wait(
        self, *records: TxtRecord, timeout: float = 8.0, settle: float = 0.0, check: PropagationCheck = "authoritative"
    ) -> float:
        """Wait until the records are visible; return the seconds in the event."""
        self.view.wait_visible(self.context, records, timeout=timeout, settle=settle, check=check)
        seconds: float = self.events[-1].data["seconds"]
        return seconds

    def servers(self, number: int = -1) -> dict[str, dict[str, str]]:
        """Return the servers of an event `dns-waiting` (by default the last one), by address."""
        told = [event for event in self.events if event.kind == "dns-waiting"][number]
        return {server["address"]: server for server in told.data["servers"]}

    @property
    def warnings(self) -> list[str]:
        """The codes of all warnings."""
        return [notice.code for notice in self.context.notices]


def record(name: str, value: str = "new") -> TxtRecord:
    """Return a record as the challenge code passes it; its zone does not matter here."""
    return TxtRecord("anything.", f"{name}.", value, 60)


def questions(queries: Iterable[Query]) -> list[tuple[str, str]]:
    """Return the name (in lower case) and type of every query that a forwarder got."""
    return [(f"{query.name}.", query.rdtype) for query in queries]


def until_both_serve(lab: Lab, name: str, value: str = "new") -> None:
    """Wait for the secondary, for tests that are not about its lag."""
    end = time.monotonic() + 30
    while not all(value in lab.txt(name, server) for server in ("127.0.0.1", "127.0.0.2")):
        assert time.monotonic() < end
        time.sleep(0.005)
