"""Many questions at once, each put to several servers until one gives an acceptable answer."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.dns import texts, wire
from dnsrenew.dns.query_engine import PER_ADDRESS, LetterCase, QueryEngine
from dnsrenew.dns.wire import Address, DnsQuestion, Message, Reply
from dnsrenew.errors import Cancelled

Rounds = tuple[tuple[float, float], ...]
ROUNDS: Final[Rounds] = ((0.6, 0.0), (1.5, 1.5), (3.0, 0.0))
"""Seconds for UDP and for TCP in each round over all servers. A short first round makes a second server cheap."""
SECONDS: Final = 7.0
"""For one lookup, however many servers there are; all rounds at one server take 6.6 s."""
TCP_ROUNDS: Final[Rounds] = ((0.0, 1.5),)
TCP_SECONDS: Final = 3.0
"""The same for questions over TCP only, which repeat what was answered over UDP."""

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
    :ivar answered: whether any server answered at all.
    """

    reasons: Mapping[Address, str]
    answered: bool


LookupResult = FoundAnswer | MissingAnswer
AnswerCheck = Callable[[DnsQuestion, Message], str]
"""Returns why an answer is rejected, as a clause that continues "the server …"; empty if it is accepted."""


class Lookup:
    """Queries servers. Those that did not answer come last for the rest of the run."""

    def __init__(self) -> None:
        self._silent: dict[Address, str] = {}
        self._case = LetterCase()

    def engine(self, context: Context, per_address: int = PER_ADDRESS) -> QueryEngine:
        """Return an engine that knows which servers of this run change the letter case."""
        return QueryEngine(context, self._case, per_address=per_address)

    def silent_servers(self) -> dict[str, str]:
        """Return why each server did not answer that has not answered since."""
        return {address: reason for (address, _), reason in list(self._silent.items())}

    def query(
        self,
        context: Context,
        wanted: Mapping[DnsQuestion, Sequence[Address]],
        check: AnswerCheck,
        *,
        per_address: int = PER_ADDRESS,
        only_tcp: bool = False,
    ) -> dict[DnsQuestion, LookupResult]:
        """Return a result for each question; all are in flight together, at most ``per_address`` at one address.

        It takes at most SECONDS; what has no answer by then is missing.

        :param only_tcp: query over TCP only, for at most TCP_SECONDS.
        :raises Cancelled: the caller cancelled.
        """
        results: dict[DnsQuestion, LookupResult] = {}
        reasons: dict[DnsQuestion, dict[Address, str]] = {question: {} for question in wanted}
        answered: set[DnsQuestion] = set()
        last = {*list(self._silent), *(each for each in set().union(*wanted.values()) if only_local(each[0]))}
        rounds, seconds = (TCP_ROUNDS, TCP_SECONDS) if only_tcp else (ROUNDS, SECONDS)
        plans = {question: _plan(addresses, last, rounds) for question, addresses in wanted.items()}
        with self.engine(context.within(seconds), per_address) as engine:
            pending = {question for question in wanted if _submit_next(engine, question, plans[question])}
            while pending:
                replies = _receive(context, engine)
                if replies is None:
                    break
                for reply in replies:
                    question = reply.question
                    reason = self._reason(reply, check)
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


def check_recursive(question: DnsQuestion, answer: Message) -> str:
    """Accept the answer of a recursive server unless it is an error (``SERVFAIL``) or a referral."""
    if not wire.is_positive(answer):
        return texts.RCODE.format(rcode=wire.rcode_text(answer))
    if wire.wrong_owner(answer, question.name):
        return texts.OTHER_NAME
    return texts.REFERRAL if wire.is_referral(answer) else ""


def list_reasons(reasons: Mapping[str, str]) -> list[str]:
    """Return each server with its reason; of many servers the first five."""
    several = islice(reasons.items(), _MAX_LISTED)
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
    """Return whether this machine would query a global IPv6 address from a local one; nothing is sent to find out.

    The address may still be reachable if a router translates addresses (RFC 6296): query it last, not never.
    """
    if ":" not in address or not _within(address, _GLOBAL):
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 53))
            source = str(sock.getsockname()[0])
    except OSError:
        return False  # no route at all: the query itself reports it
    return _within(source, *_LOCAL)


def _within(address: str, *networks: ipaddress.IPv6Network) -> bool:
    try:
        number = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return False
    return any(number in network for network in networks)
