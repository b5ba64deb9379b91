"""DNS over HTTPS (RFC 8484), for networks in which port 53 is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base.runtime.context import Context
from dnsrenew.dns import texts, wire
from dnsrenew.dns.answer_limits import MAX_OCTETS
from dnsrenew.dns.lookup import FoundAnswer, LookupResult, MissingAnswer
from dnsrenew.dns.wire import DnsQuestion, Message

if TYPE_CHECKING:
    from dnsrenew.base.http import HttpClient

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
        """Tell whether a server is configured."""
        return bool(self.urls)

    def query(self, url: str, question: DnsQuestion) -> Message:
        """Return the server's answer. It blocks for up to 10 s: call it through ``Context.call``.

        :raises NoDohAnswer: the server gave no answer.
        """
        from dnsrenew.base.http import HttpFailure  # loads urllib3, which is needed only for DNS over HTTPS

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
                from dnsrenew.base.http import HttpClient

                self._factory = HttpClient
            self._client = self._factory()
        return self._client
