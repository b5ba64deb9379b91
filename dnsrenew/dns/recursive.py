"""Queries to recursive servers about the path to a zone, never about the name that will hold the TXT.

A recursive server would cache the absence of that name for minutes (RFC 2308), and the CA may use the same server.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import dns.resolver

from dnsrenew.base import files, host_port
from dnsrenew.base.http import HttpClient, HttpFailure
from dnsrenew.base.model import Resolver
from dnsrenew.base.runtime import Context
from dnsrenew.dns import texts, wire
from dnsrenew.dns.lookup import FoundAnswer, Lookup, LookupResult, MissingAnswer, check_recursive, list_reasons
from dnsrenew.dns.wire import MAX_OCTETS, Address, DnsQuestion, Message
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
            self._servers = recursive_servers(context, self._configured)
        return self._servers

    def unreachable(self, results: Mapping[DnsQuestion, LookupResult]) -> DnsError:
        """Return the error for results that are all missing."""
        reasons = {
            host_and_port(*address): reason
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


# ── resolvers ──────────────────────────────────────────────────────────────────────────

# The addresses of the recursive servers, from the configuration or the system.

_PORT: Final = 53
_SYSTEM_FILE: Final = Path("/etc/resolv.conf")
_LARGEST: Final = 1 << 16


def host_and_port(host: str, port: int) -> str:
    """Return ``HOST[:PORT]`` as in the configuration; a URL is returned unchanged."""
    if port == _PORT or "://" in host:
        return host
    return host_port.join(host, port)


def recursive_servers(context: Context, configured: Sequence[str]) -> list[Address]:
    """Return the addresses of the recursive servers, in order; those of the system if none is configured.

    A server that is configured by name and has no address is omitted.
    """
    servers: list[Address] = []
    for text in configured or system_servers():
        host, port = host_port.split(text, _PORT)
        servers += [(address, port) for address in _addresses(context, host)]
    return servers


def system_servers(file: Path = _SYSTEM_FILE) -> list[str]:
    """Return the system's recursive servers (resolv.conf(5); the registry on Windows)."""
    if sys.platform == "win32":
        return [str(server) for server in dns.resolver.get_default_resolver().nameservers]
    try:
        with files.open_to_read(file) as stream:
            text = stream.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        text = ""
    lines = (line.split() for line in text.splitlines())
    listed = [fields[1] for fields in lines if len(fields) > 1 and fields[0] == "nameserver"]
    return [server for server in listed if host_port.is_ip(server)] or ["127.0.0.1"]


def _addresses(context: Context, host: str) -> list[str]:
    if host_port.is_ip(host):
        return [host]
    try:
        found = context.call(lambda: socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM))
    except OSError:
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


# ── doh ────────────────────────────────────────────────────────────────────────────────

# DNS over HTTPS (RFC 8484), for networks in which port 53 is closed.

_TYPE: Final = "application/dns-message"
_TIMEOUT: Final = (5.0, 5.0)
_MAX_CALLS: Final = 8


class NoDohAnswer(Exception):
    """A server gave no answer.

    :ivar reason: why, as a clause that continues "the server …".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Doh:
    """The configured DNS-over-HTTPS servers; the HTTP client is made for the first query."""

    def __init__(self, urls: Sequence[str], http_factory: Callable[[], HttpClient] | None) -> None:
        self.urls = tuple(urls)
        self._factory = http_factory
        self._client: HttpClient | None = None

    def __bool__(self) -> bool:
        """Return whether a server is configured."""
        return bool(self.urls)

    def query(self, url: str, question: DnsQuestion) -> Message:
        """Return the server's answer. It blocks for up to 10 s: call it through ``Context.call``.

        :raises NoDohAnswer: the server gave no answer.
        """
        query = DnsQuestion(question.name, question.type, recurse=True).to_wire(0)  # id 0: RFC 8484 section 4.1
        headers = {"Content-Type": _TYPE, "Accept": _TYPE}
        try:
            response = self._http().request(
                "POST", url, data=query, headers=headers, timeout=_TIMEOUT, max_bytes=MAX_OCTETS
            )
        except HttpFailure as failure:
            too_large = failure.kind == "too-large"
            raise NoDohAnswer(texts.EXCESSIVE if too_large else texts.HTTP_FAILURE.format(kind=failure.kind)) from None
        if response.status != 200:
            raise NoDohAnswer(texts.HTTP_STATUS.format(status=response.status))
        if not wire.belongs(response.body, query):
            raise NoDohAnswer(texts.NOT_THE_ANSWER)
        answer = wire.parse(response.body)
        if answer is None:
            raise NoDohAnswer(texts.EXCESSIVE if wire.is_excessive(response.body) else texts.NOT_THE_ANSWER)
        return answer

    def find(self, context: Context, questions: Iterable[DnsQuestion]) -> dict[DnsQuestion, LookupResult]:
        """Return a result for each question, each from the first server that has one."""
        wanted = list(questions)
        tasks = context.call_all([partial(self._first, question) for question in wanted], _MAX_CALLS)
        return {question: task.result() for question, task in zip(wanted, tasks, strict=True)}

    def _first(self, question: DnsQuestion) -> LookupResult:
        reasons: dict[tuple[str, int], str] = {}
        answered = False
        for url in self.urls:
            try:
                answer = self.query(url, question)
            except NoDohAnswer as error:
                reasons[url, 443] = error.reason
                continue
            answered = True
            if wire.is_positive(answer):
                return FoundAnswer(answer, (url, 443), is_tcp=True)
            reasons[url, 443] = texts.RCODE.format(rcode=wire.rcode_text(answer))
        return MissingAnswer(reasons, answered)

    def _http(self) -> HttpClient:
        if self._client is None:
            if self._factory is None:
                self._factory = HttpClient
            self._client = self._factory()
        return self._client
