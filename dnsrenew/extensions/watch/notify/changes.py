"""What changed for a certificate since its last message. Pure: from an outcome, the record of messages, the time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen, replace
from dnsrenew.store.notified import Notified

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.base.model import DeploymentResult, Outcome
    from dnsrenew.config.notify import ChangeKind

_WORSE_FIRST: Final[tuple[ChangeKind, ...]] = ("failed", "expiring", "not-deployed", "recovered", "renewed")
_FINE: Final = frozenset({"renewed", "not-due"})
_THIRD: Final = 1
_SIXTH: Final = 2
_FOUND: Final = frozenset({"hfs"})
"""Kinds of targets that are named by their address once they were found."""
_UNKNOWN: Final = "-"
"""No serial number: any certificate differs from it."""


class News(Frozen, kw_only=True):
    """What changed for one certificate.

    :ivar outcome: its outcome.
    :ivar kinds: the changes to notify of, the worst first; empty: none.
    :ivar expiring: for ``expiring``: 1 if less than a third of the lifetime is left, 2 if less than a sixth.
    :ivar not_deployed: the deployments that failed, for ``not-deployed``.
    :ivar deployed: the deployments that succeeded after a message about their failure, for ``recovered``.
    :ivar renewal_recovered: for ``recovered``: the renewal failed, and does no longer.
    :ivar notified: the record of messages, once this is sent.
    :ivar unsent: what is recorded before this is sent, so that it is not lost; None: nothing.
    """

    outcome: Outcome
    kinds: tuple[ChangeKind, ...] = ()
    expiring: int = 0
    not_deployed: tuple[DeploymentResult, ...] = ()
    deployed: tuple[DeploymentResult, ...] = ()
    renewal_recovered: bool = False
    notified: Notified
    unsent: Notified | None = None


def compare(outcome: Outcome, notified: Notified, on: Collection[ChangeKind], now: datetime) -> News:
    """Return what changed.

    A lock, an interruption and a dry run change nothing. Nor does a failure of ``--force`` where nothing is due.

    :param on: the changes that are wanted; others leave no trace in ``notified``.
    """
    if outcome.status in {"locked", "interrupted", "rehearsed"}:
        return News(outcome=outcome, notified=notified)
    news = _deployments(News(outcome=outcome, notified=notified), on)
    news = _recovery(news, on) if outcome.status in _FINE else _failure(news, on, now)
    news = _renewal(news, on, notified)
    return replace(news, kinds=tuple(kind for kind in _WORSE_FIRST if kind in news.kinds))


def _failure(news: News, on: Collection[ChangeKind], now: datetime) -> News:
    outcome, notified = news.outcome, news.notified
    if outcome.reason == "forced":  # the certificate is not due
        return news
    if _has_failed(outcome) and not notified.failed and "failed" in on:
        news, notified = _add(news, "failed"), replace(notified, failed=True)
    serial = outcome.serial or ""
    level = _level(outcome, now)
    if level > (notified.expiring if notified.serial == serial else 0) and "expiring" in on:
        news, notified = (
            replace(_add(news, "expiring"), expiring=level),
            replace(notified, expiring=level, serial=serial),
        )
    return replace(news, notified=notified)


def _has_failed(outcome: Outcome) -> bool:
    """Tell whether the renewal fails: now, or in an earlier run that defers this one. A limit of the CA is no failure.

    An earlier run may have been killed before it sent a message.
    """
    if outcome.status == "failed":
        return True
    return outcome.error is not None and "failure" in outcome.error.evidence


def _level(outcome: Outcome, now: datetime) -> int:
    """Return how little of the lifetime is left of a certificate that is due."""
    if outcome.not_before is None or outcome.not_after is None:
        return 0
    left, lifetime = outcome.not_after - now, outcome.not_after - outcome.not_before
    if left * 6 <= lifetime:
        return _SIXTH
    return _THIRD if left * 3 <= lifetime else 0


def _recovery(news: News, on: Collection[ChangeKind]) -> News:
    notified = news.notified
    if (notified.failed or notified.expiring) and "recovered" in on:
        news = replace(_add(news, "recovered"), renewal_recovered=True)
    return replace(news, notified=replace(notified, failed=False, expiring=0, serial=""))


def _renewal(news: News, on: Collection[ChangeKind], before: Notified) -> News:
    """Recognize a new certificate by its serial number; the next run sends the message of a killed run."""
    outcome, notified = news.outcome, news.notified
    if "renewed" not in on:
        return replace(news, notified=replace(notified, renewed=""))
    if not outcome.serial or outcome.serial == notified.renewed:
        return news
    if notified.renewed or outcome.status == "renewed":  # otherwise it is older than [notify]
        news = _add(news, "renewed")
    if outcome.status == "renewed" and not notified.renewed:  # the next run would take it for an older one
        news = replace(news, unsent=replace(before, renewed=_UNKNOWN))
    return replace(news, notified=replace(notified, renewed=outcome.serial))


def _deployments(news: News, on: Collection[ChangeKind]) -> News:
    """Notify of a failed deployment once for each target and certificate, and of its success afterwards."""
    outcome, notified = news.outcome, news.notified.deployments
    if not outcome.deployed:
        return news
    serial, kept = outcome.serial or "", {}
    failed, recovered = [], []
    moved = _moved(outcome.deployed, notified)
    for result in outcome.deployed:
        key = _key(result)
        if result.ok:
            recovered += [result] if key in notified or result.to in moved else []
        elif "not-deployed" in on:
            failed += [] if notified.get(key) == serial else [result]
            kept[key] = serial
    if failed:
        news = replace(_add(news, "not-deployed"), not_deployed=tuple(failed))
    if recovered and "recovered" in on:
        news = replace(_add(news, "recovered"), deployed=tuple(recovered))
    return replace(news, notified=replace(news.notified, deployments=_sorted(kept)))


def _key(result: DeploymentResult) -> str:
    return f"{result.to} {result.target}"


def _moved(deployed: Sequence[DeploymentResult], notified: Collection[str]) -> set[str]:
    """Return the kinds whose only target has another name than before, because it was found in the meantime."""
    keys, kinds = {_key(one) for one in deployed}, Counter(one.to for one in deployed)
    gone = [key.partition(" ")[0] for key in notified if key not in keys]
    return {kind for kind in gone if kind in _FOUND and kinds[kind] == 1}


def _add(news: News, kind: ChangeKind) -> News:
    return replace(news, kinds=(*news.kinds, kind))


def _sorted(values: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(values.items()))
