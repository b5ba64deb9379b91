"""The same wait where port 53 is closed: at DNS-over-HTTPS servers, which must not be asked too early."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dnsrenew.dns import wire
from dnsrenew.dns.doh import Doh, NoDohAnswer
from dnsrenew.dns.propagation_report import shown_names
from dnsrenew.dns.wire import DnsQuestion
from dnsrenew.errors import PropagationError
from dnsrenew.runtime.context import Context

_TRIES: Final = 3
_LEAST_GAP: Final = 1.0
_GREATEST_GAP: Final = 5.0
_FRACTION: Final = 20
_AT_ONCE: Final = 8


def wait_at_doh(context: Context, doh: Doh, expected: Mapping[DnsQuestion, frozenset[str]], *, timeout: float) -> None:
    """Wait until every server that answers shows every value.

    :raises PropagationError: ``doh-missing`` (none is configured), ``propagation-timeout``, ``dns-unreachable``.
    """
    if not doh:
        raise PropagationError(
            "doh-missing",
            'The propagation check is "doh", but no DNS-over-HTTPS server is configured.',
            fix='Add doh = ["https://…/dns-query"] under [resolver] in the configuration.',
        )
    start = context.clock.monotonic()
    servers = [_DohServer(doh, url, expected) for url in doh.urls]
    while True:
        context.call_all([server.look for server in servers if server.state == "waiting"], _AT_ONCE)
        elapsed = context.clock.monotonic() - start
        told = [server.to_dict() for server in servers]
        context.emit("dns-waiting", seconds=round(elapsed, 3), timeout=timeout, servers=told)
        if all(server.state != "waiting" for server in servers):
            break
        if elapsed >= timeout:
            raise _timed_out(servers, elapsed)
        context.wait(min(max(elapsed / _FRACTION, _LEAST_GAP), _GREATEST_GAP))
    if all(server.state == "unreachable" for server in servers):
        raise _unreachable(servers)


class _DohServer:
    def __init__(self, doh: Doh, url: str, expected: Mapping[DnsQuestion, frozenset[str]]) -> None:
        self._doh = doh
        self.url = url
        self.missing = dict(expected)
        self.state = "waiting"
        self.reason = ""
        self._failures = 0

    def look(self) -> None:
        """Ask for one missing name after the other, until one is really missing."""
        for question, values in list(self.missing.items()):
            try:
                answer = self._doh.ask(self.url, question)
            except NoDohAnswer as reason:
                self.reason = str(reason)
                self._failures += 1
                if self._failures >= _TRIES:
                    self.state = "unreachable"
                return
            self._failures = 0
            seen = wire.txt_values(answer)
            if not values <= seen:
                rcode = wire.rcode_text(answer)
                self.reason = "still answers without the new value" if rcode == "NOERROR" else f"answers {rcode}"
                return
            del self.missing[question]
        self.state, self.reason = "agrees", "shows the new value"

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
    late = [server for server in servers if server.state == "waiting"]
    said = "; ".join(f"{server.url} {server.reason}" for server in late)
    return PropagationError(
        "propagation-timeout",
        f"After {elapsed:.0f} s not every DNS-over-HTTPS server shows the new value: {said}.",
        fix="Set a longer settle in propagation: such a server keeps a value as absent when it is asked too early.",
        evidence=_evidence(servers),
    )


def _unreachable(servers: list[_DohServer]) -> PropagationError:
    said = "; ".join(f"{server.url} {server.reason}" for server in servers)
    return PropagationError(
        "dns-unreachable",
        f"No DNS-over-HTTPS server can be asked for the new value: {said}.",
        fix="Check this machine's network connection and the addresses in doh under [resolver] in the configuration.",
        evidence=_evidence(servers),
    )


def _evidence(servers: list[_DohServer]) -> dict[str, Any]:
    missing = [question for server in servers for question in server.missing]
    entries = [entry for server in servers for entry in server.evidence()]
    return {"names": shown_names(missing), "servers": entries}
