"""One message about everything that a run reports, in the language of the reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from dnsrenew.base.model import DeploymentResult, Outcome, rfc3339
from dnsrenew.base.translation import Translator
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config.extension_tables import ChangeKind
from dnsrenew.errors import Message, as_clause
from dnsrenew.extensions.watch import notify_texts as texts
from dnsrenew.store.records import Notified

_MOST: Final = 10
"""The number of certificates that a message describes in full."""
_MOST_TITLES: Final = 100
"""The number of further certificates that it names. Services cut or refuse long messages."""
_MOST_DOMAINS: Final = 6
_MOST_CAUSES: Final = 3
"""The number of causes that the doctor found for a failure."""
_BAD: Final = frozenset({"expiring", "failed", "not-deployed"})

Severity = Literal["info", "success", "failure"]


class OutgoingMessage(Frozen):
    """A finished message.

    :ivar title: one short line.
    :ivar body: plain text.
    :ivar severity: the severity, which services show with a colour or a sign.
    """

    title: str
    body: str
    severity: Severity


def compose(news: Sequence[News], translator: Translator, host: str, now: datetime) -> OutgoingMessage:
    """Return the message about certificates; the worst change comes first.

    :param news: at least one, each with something to report.
    :param host: the name of this machine.
    """
    order = list(texts.TITLES)
    ordered = sorted(news, key=lambda each: order.index(each.kinds[0]))
    first = _title(ordered[0], now)
    title = texts.TITLE_MORE.format(first=first, count=len(ordered) - 1) if len(ordered) > 1 else first
    blocks = ["\n".join(map(translator.message, _lines(each, now))) for each in ordered[:_MOST]]
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


def _lines(news: News, now: datetime) -> Iterator[Message]:
    """Yield the sentences about one certificate."""
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
    """Yield the reason of a failure, the end of the old certificate, and the time of the next attempt."""
    if (error := outcome.error) is not None:
        # A deferred renewal has the error of the earlier one. Its own words are for a person at a prompt.
        yield _reason({"message": error.evidence.get("failure", error.message), "fix": error.fix})
        for check in [each for each in error.evidence.get("checks", ()) if each["result"] == "bad"][:_MOST_CAUSES]:
            yield _reason({"message": check["summary"], "fix": check["fix"]})
    if outcome.not_after is None:
        yield texts.NO_CERTIFICATE
    else:
        template = texts.OLD_VALID if outcome.not_after > now else texts.OLD_EXPIRED
        yield template.format(until=rfc3339(outcome.not_after))
    at = outcome.next_attempt
    yield texts.NEXT_RUN if at is None else texts.NEXT_ATTEMPT.format(time=rfc3339(at))


def _validity(outcome: Outcome) -> Iterator[Message]:
    if outcome.not_after is None:
        return
    template = texts.VALID if outcome.next_renewal is None else texts.NEXT_RENEWAL
    yield template.format(until=rfc3339(outcome.not_after), renewal=rfc3339(outcome.next_renewal) or "")


def _reason(error: Mapping[str, Any]) -> Message:
    """Return message and fix of an error. Each stays a message, so that it can be translated."""
    return texts.REASON.format(message=error["message"], fix=error.get("fix") or "")


def reason_of(error: Exception) -> str:
    """Return the message of an error of dnsrenew as a part of a sentence."""
    return as_clause(getattr(error, "message", str(error)))


# ── changes ────────────────────────────────────────────────────────────────────────────

# What changed for a certificate since its last message. Pure: from an outcome, the record of messages, the time.

_FINE: Final = frozenset({"renewed", "not-due"})
_THIRD: Final = 1
_SIXTH: Final = 2
_FOUND: Final = frozenset({"hfs"})
"""Kinds of targets that are named by their address after they were found."""
_UNKNOWN: Final = "-"
"""No serial number, which differs from that of any certificate."""


class News(Frozen):
    """The changes of one certificate.

    :ivar outcome: the outcome of the certificate.
    :ivar notified: the record of messages after this is sent.
    :ivar kinds: the changes to report, the worst first; empty without changes.
    :ivar expiring: for ``expiring``: 1 if less than a third of the lifetime is left, 2 if less than a sixth.
    :ivar not_deployed: the deployments that failed, for ``not-deployed``.
    :ivar deployed: the deployments that succeeded after a message about their failure, for ``recovered``.
    :ivar renewal_recovered: for ``recovered``: the renewal failed before and now succeeds.
    :ivar unsent: the record to write before this is sent, so that it is not lost, or None.
    """

    outcome: Outcome
    notified: Notified
    kinds: tuple[ChangeKind, ...] = ()
    expiring: int = 0
    not_deployed: tuple[DeploymentResult, ...] = ()
    deployed: tuple[DeploymentResult, ...] = ()
    renewal_recovered: bool = False
    unsent: Notified | None = None


def compare(outcome: Outcome, notified: Notified, on: Collection[ChangeKind], now: datetime) -> News:
    """Return the changes.

    A lock, an interruption and a dry run change nothing, nor does a failure of ``--force`` before a renewal is due.

    :param on: the wanted changes; others leave no trace in ``notified``.
    """
    if outcome.status in {"locked", "interrupted", "rehearsed"}:
        return News(outcome, notified)
    before, expiring, is_recovered, is_new, unsent = notified, 0, False, False, None
    not_deployed, deployed, deployments = _deployments(outcome, notified.deployments, on)
    notified = replace(notified, deployments=deployments)
    if outcome.status in _FINE:
        is_recovered = bool(notified.failed or notified.expiring) and "recovered" in on
        notified = replace(notified, failed=False, expiring=0, serial="")
    elif outcome.reason != "forced":  # otherwise the certificate is not due
        notified = replace(notified, failed=notified.failed or (_has_failed(outcome) and "failed" in on))
        level, serial = _level(outcome, now), outcome.serial or ""
        if level > (notified.expiring if notified.serial == serial else 0) and "expiring" in on:
            expiring, notified = level, replace(notified, expiring=level, serial=serial)
    if "renewed" not in on:
        notified = replace(notified, renewed="")
    elif outcome.serial and outcome.serial != before.renewed:  # the next run sends the message of an interrupted run
        is_first = outcome.status == "renewed" and not before.renewed
        is_new = bool(before.renewed) or is_first  # otherwise it is older than [notify]
        unsent = replace(before, renewed=_UNKNOWN) if is_first else None  # the next run would take it for an older one
        notified = replace(notified, renewed=outcome.serial)
    worse_first: dict[ChangeKind, bool] = {
        "failed": notified.failed and not before.failed,
        "expiring": expiring > 0,
        "not-deployed": bool(not_deployed),
        "recovered": is_recovered or bool(deployed),
        "renewed": is_new,
    }
    kinds = tuple(kind for kind, is_it in worse_first.items() if is_it)
    return News(outcome, notified, kinds, expiring, not_deployed, deployed, is_recovered, unsent)


def _has_failed(outcome: Outcome) -> bool:
    """Return whether the renewal failed, now or in an earlier run that defers this one. Limits of the CA do not count.

    An earlier run may have been interrupted before it sent a message.
    """
    return outcome.status == "failed" or (outcome.error is not None and "failure" in outcome.error.evidence)


def _level(outcome: Outcome, now: datetime) -> int:
    """Return the level of the remaining lifetime of a certificate that is due."""
    if outcome.not_before is None or outcome.not_after is None:
        return 0
    left, lifetime = outcome.not_after - now, outcome.not_after - outcome.not_before
    if left * 6 <= lifetime:
        return _SIXTH
    return _THIRD if left * 3 <= lifetime else 0


_Results = tuple[DeploymentResult, ...]


def _deployments(
    outcome: Outcome, notified: Mapping[str, str], on: Collection[ChangeKind]
) -> tuple[_Results, _Results, Mapping[str, str]]:
    """Return the failures to report (once for each target and certificate), the successes after one, and the record."""
    if not outcome.deployed:
        return (), (), notified
    serial, moved = outcome.serial or "", _moved(outcome.deployed, notified)
    wanted = [each for each in outcome.deployed if not each.ok and "not-deployed" in on]
    failed = tuple(each for each in wanted if notified.get(_key(each)) != serial)
    healed = (each for each in outcome.deployed if each.ok and (_key(each) in notified or each.to in moved))
    kept = dict.fromkeys(sorted(map(_key, wanted)), serial)
    return failed, tuple(healed) if "recovered" in on else (), kept


def _key(result: DeploymentResult) -> str:
    return f"{result.to} {result.target}"


def _moved(deployed: Sequence[DeploymentResult], notified: Collection[str]) -> set[str]:
    """Return the kinds whose only target has a new name, because it was found in the meantime."""
    keys, kinds = {_key(one) for one in deployed}, Counter(one.to for one in deployed)
    gone = [key.partition(" ")[0] for key in notified if key not in keys]
    return {kind for kind in gone if kind in _FOUND and kinds[kind] == 1}
