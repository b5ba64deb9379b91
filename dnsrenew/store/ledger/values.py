"""What a ledger holds, and what follows from it: pure.

A bucket is one time: when it will be full again. Using one thing moves it on by the time that one thing takes to
come back, so there is no room where it is further ahead than the window less one of these (the GCRA, as
Let's Encrypt does it).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.model import rfc3339
from dnsrenew.store import json_files
from dnsrenew.store.json_files import DamagedFile
from dnsrenew.store.ledger.ca_limits import Limit, Limits
from dnsrenew.store.ledger.waits import LONGEST, is_waiting

SCHEMA: Final = 1
ANY: Final = "*"
"""The key of a wait that holds for every order."""
MOST: Final = 5_000
"""Buckets that are kept of each kind: the emptiest; so the file stays far below what is taken for damaged."""
_SECOND: Final = timedelta(seconds=1)


class Blocked(Frozen):
    """An order that would be refused.

    :ivar until: when it may be sent.
    :ivar limit: ``"failed"``, ``"same-set"``, ``"retry-after"`` or ``"paused"``.
    :ivar identifier: the identifier that the limit is about; None: the order as a whole.
    :ivar url: where a person ends a pause.
    """

    until: datetime
    limit: str
    identifier: str | None = None
    url: str | None = None


class RetryAfter(Frozen):
    """A Retry-After of the CA, or a pause.

    :ivar url: where a person ends the pause; None: it is none.
    """

    since: datetime
    until: datetime
    url: str | None = None


class LedgerState(Frozen, kw_only=True):
    """What is known.

    :ivar failed: for an identifier, when its bucket of failed validations is full again.
    :ivar sets: for a set of names (:func:`set_key`), when its bucket of certificates is full again.
    :ivar waits: for a set of names, or :data:`ANY`, what the CA asked for.
    :ivar extra: fields that this version does not know; they are kept.
    """

    failed: Mapping[str, datetime] = field(default_factory=dict)
    sets: Mapping[str, datetime] = field(default_factory=dict)
    waits: Mapping[str, RetryAfter] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def held(
        self, identifiers: Collection[str], limits: Limits, now: datetime, *, replaces: bool = False
    ) -> Blocked | None:
        """Return what would refuse an order for these identifiers for the longest time; None: nothing known.

        :param replaces: it replaces a certificate: only a pause holds that.
        """
        key = set_key(identifiers)
        found = [
            Blocked(wait.until, "paused" if wait.url else "retry-after", url=wait.url)
            for wait in (self.waits.get(key), self.waits.get(ANY))
            if wait is not None and is_waiting(wait.since, wait.until, now)
        ]
        if replaces:
            return next((held for held in found if held.limit == "paused"), None)
        until = _room_at(limits.same_set, self.sets.get(key), now)
        if until is not None:
            found.append(Blocked(until, "same-set"))
        for identifier in identifiers:
            until = _room_at(limits.failed, self.failed.get(identifier), now)
            if until is not None:
                found.append(Blocked(until, "failed", identifier))
        return max(found, key=lambda held: held.until, default=None)

    def with_failed(self, identifiers: Collection[str], limits: Limits, now: datetime) -> LedgerState:
        """Return the book after failed validations, one of each identifier."""
        return replace(self, failed=_used(self.failed, identifiers, limits.failed, now))

    def with_certificate(self, identifiers: Collection[str], limits: Limits, now: datetime) -> LedgerState:
        """Return the book after a certificate was issued for these identifiers."""
        key = set_key(identifiers)
        waits = {name: wait for name, wait in self.waits.items() if name != key}  # whatever was, it is over
        return replace(self, sets=_used(self.sets, [key], limits.same_set, now), waits=waits)

    def with_wait(
        self, seconds: float, identifiers: Collection[str] | None, now: datetime, *, url: str | None = None
    ) -> LedgerState:
        """Return the book after a Retry-After; without identifiers it holds for every order."""
        going_on = {key: wait for key, wait in self.waits.items() if is_waiting(wait.since, wait.until, now)}
        wait = RetryAfter(now, now + timedelta(seconds=min(max(seconds, 0.0), LONGEST.total_seconds())), url)
        key = ANY if identifiers is None else set_key(identifiers)
        kept = sorted({**going_on, key: wait}.items(), key=lambda item: item[1].until)[-MOST:]
        return replace(self, waits=dict(kept))

    def to_json(self) -> bytes:
        """Return the octets of ``ledger.json``."""
        form: dict[str, Any] = {**self.extra, "schema": SCHEMA}
        for name, times in (("failed", self.failed), ("sets", self.sets)):
            form[name] = {key: _up(time) for key, time in times.items()}
        form["waits"] = {key: _waited(wait) for key, wait in self.waits.items()}
        return json_files.dump(form)

    @classmethod
    def from_json(cls, data: bytes) -> LedgerState:
        """Read ``ledger.json``.

        :raises Damaged: when it is not one.
        :raises Newer: when it is of a later schema.
        """
        form = json_files.load(data, SCHEMA)
        failed, sets = (_times(form.pop(name, None)) for name in ("failed", "sets"))
        waits = {key: _wait(value) for key, value in _table(form.pop("waits", None)).items()}
        return cls(failed=failed, sets=sets, waits=waits, extra=form)


def set_key(identifiers: Collection[str]) -> str:
    """Return a short name for an exact set of identifiers, whatever their order."""
    return hashlib.sha256("\n".join(sorted(set(identifiers))).encode()).hexdigest()[:16]


# ── buckets ─────────────────────────────────────────────────────────────────────────────


def _room_at(limit: Limit | None, full_at: datetime | None, now: datetime) -> datetime | None:
    """Return when there is room again; None: there is, or there is no limit."""
    if limit is None or full_at is None or not _is_possible(limit, full_at, now):
        return None
    room_at = full_at - limit.window + limit.each
    return room_at if room_at > now else None


def _is_possible(limit: Limit, full_at: datetime, now: datetime) -> bool:
    """Tell whether to believe it: what would hold an order for longer than the window is of a clock that jumped."""
    return full_at - now <= 2 * limit.window - limit.each + _SECOND  # which may come from rounding up


def _used(
    times: Mapping[str, datetime], keys: Collection[str], limit: Limit | None, now: datetime
) -> Mapping[str, datetime]:
    """Take one of each key's bucket, and forget the buckets that are full."""
    if limit is None:
        return times
    left = {key: time for key, time in times.items() if now < time and _is_possible(limit, time, now)}
    for key in set(keys):
        # An order that was sent all the same (--now) cannot take more than there is.
        left[key] = min(max(left.get(key, now), now) + limit.each, now + limit.window)
    return dict(sorted(left.items(), key=lambda item: item[1])[-MOST:])


# ── JSON ────────────────────────────────────────────────────────────────────────────────


def _up(time: datetime) -> str | None:
    """Return a time in whole seconds, never earlier: a second too soon is refused."""
    return rfc3339(time + _SECOND if time.microsecond else time)


def _table(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if type(value) is not dict:
        raise DamagedFile("a table is not one")
    return value


def _times(value: object) -> dict[str, datetime]:
    return {key: _time(item) for key, item in _table(value).items()}


def _wait(value: object) -> RetryAfter:
    table = _table(value)
    return RetryAfter(_time(table.get("since")), _time(table.get("until")), json_files.text(table.get("url")) or None)


def _waited(wait: RetryAfter) -> dict[str, str | None]:
    form = {"since": _up(wait.since), "until": _up(wait.until)}
    return form | ({"url": wait.url} if wait.url else {})


def _time(value: object) -> datetime:
    time = json_files.time(value)
    if time is None or time.microsecond:
        raise DamagedFile("a time is not in whole seconds")
    return time
