"""DNS over HTTPS (RFC 8484): the second way, where port 53 is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.dns import wire
from dnsrenew.dns.lookup import FoundAnswer, LookupResult, MissingAnswer
from dnsrenew.dns.wire import DnsQuestion, Message
from dnsrenew.runtime.context import Context

if TYPE_CHECKING:
    from dnsrenew.http import HttpClient

_TYPE: Final = "application/dns-message"
_TIMEOUT: Final = (5.0, 5.0)
_AT_ONCE: Final = 8


class NoDohAnswer(Exception):
    """A server gave no answer; ``str()`` says why, in words that continue "the server …"."""


class Doh:
    """The DNS-over-HTTPS servers of the configuration; the HTTP client is made when the first is asked."""

    def __init__(self, urls: Sequence[str], http_factory: Callable[[], HttpClient] | None) -> None:
        self.urls = tuple(urls)
        self._factory = http_factory
        self._client: HttpClient | None = None

    def __bool__(self) -> bool:
        """Tell whether there is anyone to ask."""
        return bool(self.urls)

    def ask(self, url: str, question: DnsQuestion) -> Message:
        """Return the server's answer (blocking, 10 s at most: call it through ``Context.call``).

        :raises NoDohAnswer: when there is none.
        """
        from dnsrenew.http import HttpFailure  # brings requests: only for those who use DoH

        query = DnsQuestion(question.name, question.type, recurse=True).to_wire(0)  # id 0: RFC 8484 section 4.1
        headers = {"Content-Type": _TYPE, "Accept": _TYPE}
        try:
            response = self._http().request("POST", url, data=query, headers=headers, timeout=_TIMEOUT)
        except HttpFailure as failure:
            raise NoDohAnswer(f"cannot be reached ({failure.kind})") from None
        if response.status != 200:
            raise NoDohAnswer(f"answers with the HTTP status {response.status}")
        answer = wire.parse(response.body) if wire.belongs(response.body, query) else None
        if answer is None:
            raise NoDohAnswer("sent something that is not a DNS answer to the question")
        return answer

    def find(self, context: Context, questions: Iterable[DnsQuestion]) -> dict[DnsQuestion, LookupResult]:
        """Return a result for each question, each from the first server that has one."""
        wanted = list(questions)
        tasks = context.call_all([partial(self._first, question) for question in wanted], _AT_ONCE)
        return {question: task.result() for question, task in zip(wanted, tasks, strict=True)}

    def _first(self, question: DnsQuestion) -> LookupResult:
        reasons: dict[tuple[str, int], str] = {}
        heard = False
        for url in self.urls:
            try:
                answer = self.ask(url, question)
            except NoDohAnswer as reason:
                reasons[url, 443] = str(reason)
                continue
            heard = True
            if wire.is_positive(answer):
                return FoundAnswer(answer, (url, 443))
            reasons[url, 443] = f"answers {wire.rcode_text(answer)}"
        return MissingAnswer(reasons, heard)

    def _http(self) -> HttpClient:
        if self._client is None:
            if self._factory is None:
                from dnsrenew.http import HttpClient

                self._factory = HttpClient
            self._client = self._factory()
        return self._client
