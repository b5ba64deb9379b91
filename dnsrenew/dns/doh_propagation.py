"""The propagation wait at DNS-over-HTTPS servers, for networks in which port 53 is closed.

These servers cache, so they must not be queried too early.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dnsrenew.base.runtime.context import Context
from dnsrenew.dns import texts, wire
from dnsrenew.dns.doh import Doh, NoDohAnswer
from dnsrenew.dns.lookup import list_reasons
from dnsrenew.dns.propagation_report import shown_names
from dnsrenew.dns.wire import DnsQuestion
from dnsrenew.errors import Cancelled, PropagationError

_TRIES: Final = 3
_MIN_GAP: Final = 1.0
_MAX_GAP: Final = 5.0
_FRACTION: Final = 20
_MAX_CALLS: Final = 8


def wait_at_doh(context: Context, doh: Doh, expected: Mapping[DnsQuestion, frozenset[str]], *, timeout: float) -> None:
    """Wait until every server that answers has every value.

    :raises PropagationError: ``doh-missing`` (none is configured), ``propagation-timeout``, ``dns-unreachable``.
    """
    if not doh:
        raise PropagationError.of(texts.DOH_MISSING)
    start = context.clock.monotonic()
    servers = [_DohServer(doh, url, expected) for url in doh.urls]
    while True:
        _poll(context.within(start + timeout - context.clock.monotonic()), context, servers)
        elapsed = context.clock.monotonic() - start
        states = [server.to_dict() for server in servers]
        context.emit("dns-waiting", seconds=round(elapsed, 3), timeout=timeout, servers=states)
        if all(server.state != "waiting" for server in servers):
            break
        if elapsed >= timeout:
            raise _timed_out(servers, elapsed)
        context.wait(min(max(elapsed / _FRACTION, _MIN_GAP), _MAX_GAP))
    if all(server.state == "unreachable" for server in servers):
        raise _unreachable(servers)


def _poll(limited: Context, context: Context, servers: Sequence[_DohServer]) -> None:
    """Query every server that lacks a value, until the time is over."""
    try:
        limited.call_all([server.poll for server in servers if server.state == "waiting"], _MAX_CALLS)
    except Cancelled:
        context.check()


class _DohServer:
    def __init__(self, doh: Doh, url: str, expected: Mapping[DnsQuestion, frozenset[str]]) -> None:
        self._doh = doh
        self.url = url
        self.missing = dict(expected)
        self.state = "waiting"
        self.reason: str = texts.NO_REPLY
        self._failures = 0

    def poll(self) -> None:
        """Query the missing names one by one; stop at the first that is still missing."""
        for question, values in list(self.missing.items()):
            try:
                answer = self._doh.query(self.url, question)
            except NoDohAnswer as error:
                self.reason = error.reason
                self._failures += 1
                if self._failures >= _TRIES:
                    self.state = "unreachable"
                return
            self._failures = 0
            if not values <= wire.txt_values(answer):
                rcode = wire.rcode_text(answer)
                self.reason = texts.NOT_UPDATED if rcode == "NOERROR" else texts.RCODE.format(rcode=rcode)
                return
            del self.missing[question]
        self.state, self.reason = "agrees", texts.UPDATED

    def to_dict(self) -> dict[str, str]:
        return {"server": self.url, "address": "", "state": self.state, "detail": self.reason}

    def evidence(self) -> list[dict[str, Any]]:
        return [
            {
                "server": self.url,
                "name": wire.shown(question.name),
                "expected": sorted(values),
                "reason": self.reason,
            }
            for question, values in self.missing.items()
        ]


def _timed_out(servers: list[_DohServer], elapsed: float) -> PropagationError:
    answers = list_reasons({server.url: server.reason for server in servers if server.state == "waiting"})
    code, message, fix = texts.DOH_TIMEOUT.fill(seconds=elapsed, answers=answers)
    return PropagationError(code, message, fix=fix, evidence=_evidence(servers))


def _unreachable(servers: list[_DohServer]) -> PropagationError:
    answers = list_reasons({server.url: server.reason for server in servers})
    code, message, fix = texts.DOH_UNREACHABLE.fill(answers=answers)
    return PropagationError(code, message, fix=fix, evidence=_evidence(servers))


def _evidence(servers: list[_DohServer]) -> dict[str, Any]:
    missing = [question for server in servers for question in server.missing]
    entries = [entry for server in servers for entry in server.evidence()]
    return {"names": shown_names(missing), "servers": entries}
