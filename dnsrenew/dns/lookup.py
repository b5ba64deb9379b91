"""Many questions at once: to several servers until one gives an acceptable answer, or to resolvers and over HTTPS."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Final

from dnsrenew.base import files, host_port
from dnsrenew.base.http import HttpClient, HttpFailure
from dnsrenew.base.model import Resolver
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.dns import texts, wire
from dnsrenew.dns.query_engine import LetterCase, QueryEngine
from dnsrenew.dns.wire import MAX_OCTETS, Address, DnsQuestion, Message, Reply
from dnsrenew.errors import Cancelled, DnsError

if sys.platform == "win32":  # not needed on other systems, and slow to load
    import dns.resolver

Rounds = tuple[tuple[float, float], ...]
ROUNDS: Final[Rounds] = ((0.6, 0.0), (1.5, 1.5), (3.0, 0.0))
"""Seconds for UDP and for TCP in each round over all servers. A short first round makes a second server cheap."""
SECONDS: Final = 7.0
"""For one lookup, regardless of the number of servers. All rounds at one server take 6.6 s."""
TCP_ROUNDS: Final[Rounds] = ((0.0, 1.5),)
TCP_SECONDS: Final = 3.0
"""The same limit for questions over TCP only, which repeat questions answered over UDP."""

_NO_TIMEOUT: Final = 60.0
_MAX_LISTED: Final = 5  # servers in a sentence


class FoundAnswer(Frozen):
    """The accepted answer, and the address it came from.

    :ivar is_tcp: whether it came over TCP (or HTTPS), where it cannot be forged from elsewhere.
    """

    answer: Message
    address: Address
    is_tcp: bool = False


class MissingAnswer(Frozen):
    """No server gave an acceptable answer.

    :ivar reasons: for each address the last reason, as a clause that continues "the server …".
    :ivar answered: whether any server answered.
    """

    reasons: Mapping[Address, str]
    answered: bool


LookupResult = FoundAnswer | MissingAnswer
AnswerCheck = Callable[[DnsQuestion, Message], str]
"""Returns why an answer is rejected, as a clause that continues "the server …"; empty if it is accepted."""


class Lookup:
    """Queries servers. A server that did not answer comes last for the rest of the run."""

    def __init__(self) -> None:
        self._silent: dict[Address, str] = {}
        self._case = LetterCase()

    def engine(self, context: Context) -> QueryEngine:
        """Return an engine that knows which servers of this run change the letter case."""
        return QueryEngine(context, self._case)

    def silent_servers(self) -> dict[str, str]:
        """Return each server that has stopped answering, with the reason."""
        return {address: reason for (address, _), reason in list(self._silent.items())}

    def query(
        self,
        context: Context,
        wanted: Mapping[DnsQuestion, Sequence[Address]],
        check: AnswerCheck,
        *,
        only_tcp: bool = False,
    ) -> dict[DnsQuestion, LookupResult]:
        """Return a result for each question; all questions are in flight together.

        It takes at most SECONDS. Questions without an answer by then are missing.

        :param only_tcp: query over TCP only, for at most TCP_SECONDS.
        :raises Cancelled: the caller cancelled.
        """
        results: dict[DnsQuestion, LookupResult] = {}
        reasons: dict[DnsQuestion, dict[Address, str]] = {question: {} for question in wanted}
        answered: set[DnsQuestion] = set()
        last = {*list(self._silent), *(each for each in set().union(*wanted.values()) if only_local(each[0]))}
        rounds, seconds = (TCP_ROUNDS, TCP_SECONDS) if only_tcp else (ROUNDS, SECONDS)
        plans = {question: _plan(addresses, last, rounds) for question, addresses in wanted.items()}
        with self.engine(context.within(seconds)) as engine:
            pending = {question for question in wanted if _submit_next(engine, question, plans[question])}
            while pending and (replies := _receive(context, engine)) is not None:
                for reply in replies:
                    question, reason = reply.question, self._reason(reply, check)
                    if reply.answer is not None:
                        answered.add(question)
                    if reply.answer is not None and not reason:
                        results[question] = FoundAnswer(reply.answer, reply.address, reply.is_tcp)
                        pending.discard(question)
                        continue
                    reasons[question][reply.address] = reason
                    if not _submit_next(engine, question, plans[question]):
                        pending.discard(question)
        for question in wanted:
            results.setdefault(question, MissingAnswer(reasons[question], question in answered))
        return results

    def _reason(self, reply: Reply, check: AnswerCheck) -> str:
        if reply.answer is None:
            self._silent[reply.address] = reply.reason
            return reply.reason
        self._silent.pop(reply.address, None)
        return check(reply.question, reply.answer)


def _plan(addresses: Sequence[Address], last: set[Address], rounds: Rounds) -> Iterator[tuple[Address, float, float]]:
    ordered = sorted(addresses, key=lambda address: address in last)  # stable
    return ((address, udp, tcp) for udp, tcp in rounds for address in ordered)


def _submit_next(engine: QueryEngine, question: DnsQuestion, plan: Iterator[tuple[Address, float, float]]) -> bool:
    for address, udp, tcp in plan:
        engine.submit(address, question, udp=udp, tcp=tcp)
        return True
    return False


def _receive(context: Context, engine: QueryEngine) -> list[Reply] | None:
    """Return the next replies, or None if the time for the lookup is over."""
    try:
        return engine.receive(_NO_TIMEOUT)
    except Cancelled:
        context.check()
        return None


def fault(question: DnsQuestion, answer: Message) -> str:
    """Return why the answer of any server is not used: an error (``SERVFAIL``), or records of other names only."""
    if not wire.is_positive(answer):
        return texts.RCODE.format(rcode=wire.rcode_text(answer))
    return texts.OTHER_NAME if wire.wrong_owner(answer, question.name) else ""


def check_recursive(question: DnsQuestion, answer: Message) -> str:
    """Accept the answer of a recursive server unless it is an error (``SERVFAIL``) or a referral."""
    return fault(question, answer) or (texts.REFERRAL if wire.is_referral(answer) else "")


def list_reasons(reasons: Collection[tuple[str, str]]) -> list[str]:
    """Return each server with its reason; of many servers, the first five."""
    several = islice(reasons, _MAX_LISTED)
    listed: list[str] = [texts.SERVER_REASON.format(server=server, reason=reason) for server, reason in several]
    if len(reasons) > _MAX_LISTED:
        listed.append(texts.AND_MORE.format(count=len(reasons) - _MAX_LISTED))
    return listed


def questions(names: Iterable[wire.Name], *types: wire.Type, recurse: bool = False) -> list[DnsQuestion]:
    """Return one question for each name and type, without duplicates."""
    return list(dict.fromkeys(DnsQuestion(name, kind, recurse=recurse) for name in names for kind in types))


# ── ipv6 source ────────────────────────────────────────────────────────────────────────

# Whether this machine has an address to which a name server can reply.
#
# Containers and virtual machines often have a default route for IPv6 but only a local IPv6 address (RFC 4193): the
# kernel accepts every packet, and no reply comes back.

_GLOBAL: Final = ipaddress.IPv6Network("2000::/3")  # RFC 4291 section 2.4, as assigned so far
_LOCAL: Final = (ipaddress.IPv6Network("fc00::/7"), ipaddress.IPv6Network("fe80::/10"))


def only_local(address: str) -> bool:
    """Return whether this machine would query a global IPv6 address from a local one, without sending a packet.

    A router may translate addresses (RFC 6296), so such an address is queried last, but it is queried.
    """
    if ":" not in address or not _within(address, _GLOBAL):
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 53))
            source = str(sock.getsockname()[0])
    except OSError:
        return False  # no route: the query itself reports it
    return _within(source, *_LOCAL)


def _within(address: str, *networks: ipaddress.IPv6Network) -> bool:
    try:
        number = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return False
    return any(number in network for network in networks)


# ── recursive ──────────────────────────────────────────────────────────────────────────

# Queries to recursive servers about the path to a zone, never about the name that will hold the TXT.
#
# A recursive server would cache the absence of that name for minutes (RFC 2308), and the CA may use the same server.


class Recursion:
    """The recursive servers of a run: configured servers or the system's, then DNS over HTTPS.

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
        servers = [{"server": server, "reason": reason} for server, reason in reasons.items()]
        return DnsError.of(text, shown={"answers": list_reasons(reasons.items())}, servers=servers)


def _any_answered(results: Mapping[DnsQuestion, LookupResult]) -> bool:
    return any(not isinstance(result, MissingAnswer) or result.answered for result in results.values())


# ── resolvers ──────────────────────────────────────────────────────────────────────────

# The addresses of the recursive servers, from the configuration or the system.

_PORT: Final = 53
_SYSTEM_FILE: Final = Path("/etc/resolv.conf")
_LARGEST: Final = 1 << 16


def host_and_port(host: str, port: int) -> str:
    """Return ``HOST[:PORT]`` as in the configuration; a URL is returned unchanged."""
    return host if port == _PORT or "://" in host else host_port.join(host, port)


def recursive_servers(context: Context, configured: Sequence[str]) -> list[Address]:
    """Return the addresses of the recursive servers, in order; the system's servers if no server is configured.

    A server configured by a name without an address is omitted.
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

    :ivar reason: the reason, as a clause that continues "the server …".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Doh:
    """The configured DNS-over-HTTPS servers; the HTTP client is made for the first query."""

    def __init__(self, urls: Sequence[str], http_factory: Callable[[], HttpClient] | None) -> None:
        self.urls = tuple(urls)
        self._factory = http_factory or HttpClient

    def __bool__(self) -> bool:
        """Return whether any server is configured."""
        return bool(self.urls)

    def query(self, url: str, question: DnsQuestion) -> Message:
        """Return the server's answer. It blocks for up to 10 s, so call it through ``Context.call``.

        :raises NoDohAnswer: the server gave no answer.
        """
        query = DnsQuestion(question.name, question.type, recurse=True).to_wire(0)  # id 0: RFC 8484 section 4.1
        headers = {"Content-Type": _TYPE, "Accept": _TYPE}
        try:
            reply = self._http.request("POST", url, data=query, headers=headers, timeout=_TIMEOUT, max_bytes=MAX_OCTETS)
        except HttpFailure as failure:
            too_large = failure.kind == "too-large"
            raise NoDohAnswer(texts.EXCESSIVE if too_large else texts.HTTP_FAILURE.format(kind=failure.kind)) from None
        if reply.status != 200:
            raise NoDohAnswer(texts.HTTP_STATUS.format(status=reply.status))
        if not wire.belongs(reply.body, query):
            raise NoDohAnswer(texts.NOT_THE_ANSWER)
        answer = wire.parse(reply.body)
        if answer is None:
            raise NoDohAnswer(texts.EXCESSIVE if wire.is_excessive(reply.body) else texts.NOT_THE_ANSWER)
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

    @cached_property
    def _http(self) -> HttpClient:
        return self._factory()
