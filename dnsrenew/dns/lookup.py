"""One answer to each of many questions, from whichever of its servers gives one first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from dnsrenew.dns import wire
from dnsrenew.dns.ipv6_source import only_local
from dnsrenew.dns.query_engine import Address, QueryEngine, Reply
from dnsrenew.dns.wire import DnsQuestion, Message
from dnsrenew.runtime.context import Context

ROUNDS: Final = ((0.6, 0.0), (1.5, 1.5), (3.0, 0.0))
"""Seconds for UDP and for TCP each time all servers are gone through: the second after the first is no cost then."""

_AT_ONCE: Final = 50  # to one address; each question is put only once
_FOREVER: Final = 60.0


class FoundAnswer(NamedTuple):
    """The answer that was taken, and who gave it."""

    answer: Message
    address: Address


class MissingAnswer(NamedTuple):
    """No answer that could be taken.

    :ivar reasons: for each address what came last, in words that continue "the server …".
    :ivar heard: whether any server said anything.
    """

    reasons: Mapping[Address, str]
    heard: bool


LookupResult = FoundAnswer | MissingAnswer
JudgeReply = Callable[[DnsQuestion, Message], str]
"""Why an answer cannot be taken, in words that continue "the server …"; empty when it can."""


class Lookup:
    """Asks, and remembers for the run which servers kept silent: those come last from then on."""

    def __init__(self) -> None:
        self._silent: set[Address] = set()

    def ask(
        self,
        context: Context,
        wanted: Mapping[DnsQuestion, Sequence[Address]],
        judge: JudgeReply,
        *,
        per_address: int = _AT_ONCE,
    ) -> dict[DnsQuestion, LookupResult]:
        """Return a result for each question; all are under way together, as far as ``per_address`` lets them.

        :raises Cancelled: when called away.
        """
        results: dict[DnsQuestion, LookupResult] = {}
        reasons: dict[DnsQuestion, dict[Address, str]] = {question: {} for question in wanted}
        heard: set[DnsQuestion] = set()
        last = self._silent | {each for each in set().union(*wanted.values()) if only_local(each[0])}
        plans = {question: _plan(addresses, last) for question, addresses in wanted.items()}
        with QueryEngine(context, per_address=per_address) as exchange:
            open_questions = {question for question in wanted if _ask_next(exchange, question, plans[question])}
            while open_questions:
                for reply in exchange.receive(_FOREVER):
                    question = reply.question
                    reason = self._judged(reply, judge)
                    if reply.answer is not None:
                        heard.add(question)
                    if reply.answer is not None and not reason:
                        results[question] = FoundAnswer(reply.answer, reply.address)
                        open_questions.discard(question)
                        continue
                    reasons[question][reply.address] = reason
                    if not _ask_next(exchange, question, plans[question]):
                        open_questions.discard(question)
        for question in wanted:
            results.setdefault(question, MissingAnswer(reasons[question], question in heard))
        return results

    def _judged(self, reply: Reply, judge: JudgeReply) -> str:
        if reply.answer is None:
            self._silent.add(reply.address)
            return reply.reason
        self._silent.discard(reply.address)
        return judge(reply.question, reply.answer)


def _plan(addresses: Sequence[Address], last: set[Address]) -> Iterator[tuple[Address, float, float]]:
    ordered = sorted(addresses, key=lambda address: address in last)  # stable
    return ((address, udp, tcp) for udp, tcp in ROUNDS for address in ordered)


def _ask_next(exchange: QueryEngine, question: DnsQuestion, plan: Iterator[tuple[Address, float, float]]) -> bool:
    for address, udp, tcp in plan:
        exchange.ask(address, question, udp=udp, tcp=tcp)
        return True
    return False


def judge_recursive(question: DnsQuestion, answer: Message) -> str:
    """Take what a recursive server found; ``SERVFAIL`` and the like are no finding."""
    if not wire.is_positive(answer):
        return f"answers {wire.rcode_text(answer)}"
    if wire.wrong_owner(answer, question.name):
        return "answers for another name"
    return "sends us to other servers, and finds nothing out itself" if wire.is_referral(answer) else ""


def questions(names: Iterable[wire.Name], *types: wire.Type, recurse: bool = False) -> list[DnsQuestion]:
    """Return one question for each name and type, each once."""
    return list(dict.fromkeys(DnsQuestion(name, kind, recurse=recurse) for name in names for kind in types))
