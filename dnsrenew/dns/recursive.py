"""Questions about the way to a zone, put to recursive servers: never about the name that will hold the TXT.

A recursive server would keep the absence of that name for minutes (RFC 2308), and perhaps be the CA's too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from dnsrenew.dns import resolvers
from dnsrenew.dns.doh import Doh
from dnsrenew.dns.lookup import Lookup, LookupResult, MissingAnswer, judge_recursive
from dnsrenew.dns.query_engine import Address
from dnsrenew.dns.wire import DnsQuestion
from dnsrenew.errors import DnsError
from dnsrenew.model import Resolver
from dnsrenew.runtime.context import Context

_AT_ONCE: Final = 100
"""Questions under way to a recursive server: it is there for us."""


class Recursion:
    """The recursive servers of a run: those of the configuration or the system, then DNS over HTTPS."""

    def __init__(self, resolver: Resolver, lookup: Lookup, doh: Doh) -> None:
        self._configured = resolver.nameservers
        self._lookup = lookup
        self._doh = doh
        self._servers: list[Address] | None = None
        self._only_doh = False

    def find(self, context: Context, questions: Iterable[DnsQuestion]) -> dict[DnsQuestion, LookupResult]:
        """Return a result for each question.

        :raises DnsError: ``dns-unreachable``, when not one server says anything.
        """
        wanted = list(dict.fromkeys(questions))
        if not wanted:
            return {}
        results: dict[DnsQuestion, LookupResult] = {}
        if not self._only_doh:
            servers = dict.fromkeys(wanted, self._addresses(context))
            results = self._lookup.ask(context, servers, judge_recursive, per_address=_AT_ONCE)
            if _heard(results):
                return results
        if self._doh:
            results = self._doh.find(context, wanted)
            if _heard(results):
                self._only_doh = True
                return results
        raise self.unreachable(results)

    def _addresses(self, context: Context) -> list[Address]:
        if self._servers is None:
            self._servers = resolvers.recursive_servers(context, self._configured)
        return self._servers

    def unreachable(self, results: Mapping[DnsQuestion, LookupResult]) -> DnsError:
        """Return the error for results that are all missing."""
        reasons = {
            resolvers.host_and_port(*address): reason
            for result in results.values()
            if isinstance(result, MissingAnswer)
            for address, reason in result.reasons.items()
        }
        asked = "; ".join(f"{server} {reason}" for server, reason in reasons.items()) or "none is known"
        own = "nameservers under [resolver] in the configuration" if self._configured else "the system's DNS settings"
        if _heard(results):
            message = f"No DNS server that is asked here finds anything out: {asked}."
            fix = f"Check {own}: a server is needed that answers this machine's questions about every domain."
        else:
            message = f"No DNS server can be reached from here ({asked})."
            fix = f"Check that this machine has a network connection and that {own} are right, then run it again."
        servers = [{"server": server, "reason": reason} for server, reason in reasons.items()]
        return DnsError("dns-unreachable", message, fix=fix, evidence={"servers": servers})


def _heard(results: Mapping[DnsQuestion, LookupResult]) -> bool:
    return any(not isinstance(result, MissingAnswer) or result.heard for result in results.values())
