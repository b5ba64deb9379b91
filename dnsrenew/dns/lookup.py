"""Many questions at once, each put to several servers until one gives an acceptable answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from dnsrenew.dns import texts, wire
from dnsrenew.dns.ipv6_source import only_local
from dnsrenew.dns.query_engine import Address, QueryEngine, Reply
from dnsrenew.dns.wire import DnsQuestion, Message
from dnsrenew.runtime.context import Context

ROUNDS: Final = ((0.6, 0.0), (1.5, 1.5), (3.0, 0.0))
"""Seconds for UDP and for TCP in each round over all servers. A short first round makes a second server cheap."""

_PER_ADDRESS: Final = 50  # each question is put only once
_NO_TIMEOUT: Final = 60.0


class FoundAnswer(NamedTuple):
    """The accepted answer, and the address it came from."""

    answer: Message
    address: Address


class MissingAnswer(NamedTuple):
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
        self._silent: set[Address] = set()

    def query(
        self,
        context: Context,
        wanted: Mapping[DnsQuestion, Sequence[Address]],
        check: AnswerCheck,
        *,
        per_address: int = _PER_ADDRESS,
    ) -> dict[DnsQuestion, LookupResult]:
        """Return a result for each question; all are in flight together, at most ``per_address`` at one address.

        :raises Cancelled: the caller cancelled.
        """
        results: dict[DnsQuestion, LookupResult] = {}
        reasons: dict[DnsQuestion, dict[Address, str]] = {question: {} for question in wanted}
        answered: set[DnsQuestion] = set()
        last = self._silent | {each for each in set().union(*wanted.values()) if only_local(each[0])}
        plans = {question: _plan(addresses, last) for question, addresses in wanted.items()}
        with QueryEngine(context, per_address=per_address) as engine:
            pending = {question for question in wanted if _submit_next(engine, question, plans[question])}
            while pending:
                for reply in engine.receive(_NO_TIMEOUT):
                    question = reply.question
                    reason = self._reason(reply, check)
                    if reply.answer is not None:
                        answered.add(question)
                    if reply.answer is not None and not reason:
                        results[question] = FoundAnswer(reply.answer, reply.address)
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
            self._silent.add(reply.address)
            return reply.reason
        self._silent.discard(reply.address)
        return check(reply.question, reply.answer)


def _plan(addresses: Sequence[Address], last: set[Address]) -> Iterator[tuple[Address, float, float]]:
    ordered = sorted(addresses, key=lambda address: address in last)  # stable
    return ((address, udp, tcp) for udp, tcp in ROUNDS for address in ordered)


def _submit_next(engine: QueryEngine, question: DnsQuestion, plan: Iterator[tuple[Address, float, float]]) -> bool:
    for address, udp, tcp in plan:
        engine.submit(address, question, udp=udp, tcp=tcp)
        return True
    return False


def check_recursive(question: DnsQuestion, answer: Message) -> str:
    """Accept the answer of a recursive server unless it is an error (``SERVFAIL``) or a referral."""
    if not wire.is_positive(answer):
        return texts.RCODE.format(rcode=wire.rcode_text(answer))
    if wire.wrong_owner(answer, question.name):
        return texts.OTHER_NAME
    return texts.REFERRAL if wire.is_referral(answer) else ""


def list_reasons(reasons: Mapping[str, str]) -> str:
    """Return each server with its reason."""
    return "; ".join(f"{server} {reason}" for server, reason in reasons.items())


def questions(names: Iterable[wire.Name], *types: wire.Type, recurse: bool = False) -> list[DnsQuestion]:
    """Return one question for each name and type, without duplicates."""
    return list(dict.fromkeys(DnsQuestion(name, kind, recurse=recurse) for name in names for kind in types))
