"""One message with all that a run has to tell, in the language of the reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from dnsrenew.base.model import rfc3339
from dnsrenew.base.values import Frozen
from dnsrenew.errors import Message, as_clause
from dnsrenew.extensions.watch.notify import texts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from dnsrenew.base.model import Outcome
    from dnsrenew.base.translation import Translator
    from dnsrenew.extensions.watch.notify.changes import News

_MOST: Final = 10
"""Certificates that a message tells in full."""
_MOST_TITLES: Final = 100
"""Further certificates that it names; services cut or refuse long messages."""
_MOST_DOMAINS: Final = 6
_MOST_CAUSES: Final = 3
"""Causes that the doctor found of a failure."""
_BAD: Final = frozenset({"expiring", "failed", "not-deployed"})

Severity = Literal["info", "success", "failure"]


class OutgoingMessage(Frozen):
    """A finished message.

    :ivar title: one short line.
    :ivar body: plain text.
    :ivar severity: what services show with a colour or a sign.
    """

    title: str
    body: str
    severity: Severity


def compose(news: Sequence[News], translator: Translator, host: str, now: datetime) -> OutgoingMessage:
    """Return the message about certificates; the worst change comes first.

    :param news: at least one, each with something to tell.
    :param host: the name of this machine.
    """
    order = list(texts.TITLES)
    ordered = sorted(news, key=lambda each: order.index(each.kinds[0]))
    first = _title(ordered[0], now)
    title = texts.TITLE_MORE.format(first=first, count=len(ordered) - 1) if len(ordered) > 1 else first
    blocks = [_block(each, translator, now) for each in ordered[:_MOST]]
    rest = ordered[_MOST:]
    lines = [translator.message(_title(each, now)) for each in rest[:_MOST_TITLES]]
    if len(rest) > _MOST_TITLES:
        lines.append(translator.message(texts.MORE.format(count=len(rest) - _MOST_TITLES)))
    blocks += ["\n".join(lines)] if lines else []
    body = "\n\n".join([*blocks, translator.message(texts.HOST.format(host=host))])
    is_bad = any(kind in _BAD for each in ordered for kind in each.kinds)
    return OutgoingMessage(translator.message(title), body, "failure" if is_bad else "success")


def test_message(kinds: Sequence[str], translator: Translator, host: str) -> OutgoingMessage:
    """Return the message of ``dnsrenew notify test``."""
    body = texts.TEST.format(kinds=list(kinds)) if kinds else texts.TEST_NONE
    lines = [translator.message(each) for each in (body, texts.HOST.format(host=host))]
    return OutgoingMessage(translator.message(texts.TITLE_TEST), "\n\n".join(lines), "info")


def _title(news: News, now: datetime) -> Message:
    kind, outcome = news.kinds[0], news.outcome
    is_over = kind == "expiring" and outcome.not_after is not None and outcome.not_after <= now
    template = texts.TITLE_EXPIRED if is_over else texts.TITLES[kind]
    return template.format(name=outcome.name, until=rfc3339(outcome.not_after) or "")


def _block(news: News, translator: Translator, now: datetime) -> str:
    return "\n".join(translator.message(line) for line in _lines(news, now))


def _lines(news: News, now: datetime) -> Iterator[Message]:
    """Give the sentences about one certificate."""
    outcome = news.outcome
    fields = {"name": outcome.name, "domains": _domains(outcome)}
    if "failed" in news.kinds or "expiring" in news.kinds:
        yield (texts.FAILED if "failed" in news.kinds else texts.STILL_FAILING).format(**fields)
        yield from _failure(outcome, now)
        if news.expiring:
            yield texts.LEFT[news.expiring]
    elif news.renewal_recovered or "renewed" in news.kinds:
        yield (texts.RECOVERED if news.renewal_recovered else texts.RENEWED).format(**fields)
        yield from _validity(outcome)
    for result in news.not_deployed:
        yield texts.NOT_DEPLOYED.format(name=outcome.name, to=result.to, target=result.target)
        if result.error is not None:
            yield _reason(result.error.to_dict())
    for result in news.deployed:
        yield texts.DEPLOYED.format(name=outcome.name, to=result.to, target=result.target)


def _domains(outcome: Outcome) -> list[str]:
    more = len(outcome.domains) - _MOST_DOMAINS
    return [*outcome.domains[:_MOST_DOMAINS], *([f"+{more}"] if more > 0 else [])]


def _failure(outcome: Outcome, now: datetime) -> Iterator[Message]:
    """Give the reason of a failure, until when the old certificate can be used, and when the next attempt is made."""
    error = outcome.error
    if error is not None:
        # A deferred renewal has the error of the earlier one; its own words are for a person at a prompt.
        yield _reason({"message": error.evidence.get("failure", error.message), "fix": error.fix})
        for check in [each for each in error.evidence.get("checks", ()) if each["result"] == "bad"][:_MOST_CAUSES]:
            yield _reason({"message": check["summary"], "fix": check["fix"]})
    if outcome.not_after is None:
        yield texts.NO_CERTIFICATE
    else:
        template = texts.OLD_VALID if outcome.not_after > now else texts.OLD_EXPIRED
        yield template.format(until=rfc3339(outcome.not_after))
    if outcome.next_attempt is None:
        yield texts.NEXT_RUN
    else:
        yield texts.NEXT_ATTEMPT.format(time=rfc3339(outcome.next_attempt))


def _validity(outcome: Outcome) -> Iterator[Message]:
    if outcome.not_after is None:
        return
    template = texts.VALID if outcome.next_renewal is None else texts.NEXT_RENEWAL
    yield template.format(until=rfc3339(outcome.not_after), renewal=rfc3339(outcome.next_renewal) or "")


def _reason(error: Mapping[str, Any]) -> Message:
    """Return message and fix of an error; each stays a message, so that it can be translated."""
    message, fix = error["message"], error.get("fix") or ""
    return texts.REASON.format(message=message, fix=fix)


def reason_of(error: Exception) -> str:
    """Return the message of an error of dnsrenew as a part of a sentence."""
    return as_clause(getattr(error, "message", str(error)))
