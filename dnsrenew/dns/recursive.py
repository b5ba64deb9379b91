"""Queries to recursive servers about the path to a zone, never about the name that will hold the TXT.

A recursive server would cache the absence of that name for minutes (RFC 2308), and the CA may use the same server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dnsrenew.base.model import Resolver
from dnsrenew.base.runtime.context import Context
from dnsrenew.dns import resolvers, texts
from dnsrenew.dns.doh import Doh
from dnsrenew.dns.lookup import Lookup, LookupResult, MissingAnswer, check_recursive, list_reasons
from dnsrenew.dns.query import Address
from dnsrenew.dns.wire import DnsQuestion
from dnsrenew.errors import DnsError


class Recursion:
    """The recursive servers of a run: those of the configuration or the system, then DNS over HTTPS.

    :ivar doh: the servers for DNS over HTTPS.
    """

    def __init__(self, resolver: Resolver, lookup: Lookup, doh: Doh) -> None:
        self._configured = resolver.nameservers
        self._lookup = lookup
        self.doh = doh
        self._servers: list[Address] | None = None
        self._only_doh = False

    def find(self, context: Context, questions: Iterable[DnsQuestion]) -> dict[DnsQuestion, LookupResult]:
        """Return a result for each question.

        :raises DnsError: ``dns-unreachable``: no server answers any question.
        """
        wanted = list(dict.fromkeys(questions))
        if not wanted:
            return {}
        results: dict[DnsQuestion, LookupResult] = {}
        if not self._only_doh:
            servers = dict.fromkeys(wanted, self.addresses(context))
            results = self._lookup.query(context, servers, check_recursive)
            if _any_answered(results):
                return results
        if self.doh:
            results = self.doh.find(context, wanted)
            if _any_answered(results):
                self._only_doh = True
                return results
        raise self.unreachable(results)

    def addresses(self, context: Context) -> list[Address]:
        """Return the addresses of the recursive servers, in order."""
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
        text = texts.NAMESERVERS_UNREACHABLE if self._configured else texts.SYSTEM_NAMESERVERS_UNREACHABLE
        if _any_answered(results):
            text = texts.NAMESERVERS_FAILED if self._configured else texts.SYSTEM_NAMESERVERS_FAILED
        elif not reasons:
            text = texts.NAMESERVERS_UNKNOWN
        code, message, fix = text.fill(answers=list_reasons(reasons))
        servers = [{"server": server, "reason": reason} for server, reason in reasons.items()]
        return DnsError(code, message, fix=fix, evidence={"servers": servers})


def _any_answered(results: Mapping[DnsQuestion, LookupResult]) -> bool:
    return any(not isinstance(result, MissingAnswer) or result.answered for result in results.values())
