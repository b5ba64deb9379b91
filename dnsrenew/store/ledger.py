"""The ledger of an account: the limits and waits that would make the CA refuse an order.

If a power cut loses an entry, the CA reports it again. A ledger that cannot be read or written does not stop a renewal:
it counts as empty, with a warning.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from dnsrenew.base.model import rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.errors import CAError, Cancelled, LockedError, StoreError
from dnsrenew.store import json_files, texts
from dnsrenew.store.accounts import AccountFolder
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.state import LONGEST, SHARE, is_waiting

_TEXTS: Final = {
    "failed": texts.TOO_MANY_FAILURES,
    "same-set": texts.TOO_MANY_CERTIFICATES,
    "retry-after": texts.RETRY_AFTER,
    "paused": texts.PAUSED,
    "failed-orders": texts.TOO_MANY_ORDERS,
}
_ALL_TEXTS: Final = {"retry-after": texts.RETRY_AFTER_ALL, "paused": texts.PAUSED_ALL}
"""The text of a wait that applies to all orders."""
WAIT: Final = 10.0
"""Seconds to wait for other runs that write to the same ledger. Each takes milliseconds."""


LedgerChange = Callable[["LedgerState", datetime], "LedgerState"]
"""Returns a new ledger from the old one and the time."""


class LedgerPlace(Protocol):
    """The place of a ledger."""

    def read(self, context: Context, *, read_only: bool, keys: Collection[str] | None = None) -> LedgerState | None:
        """Return the ledger, or None with a warning if it must not be changed.

        A damaged ledger counts as empty, with a warning.

        :param read_only: a damaged file stays in place, and the result is None.
        :param keys: names, and keys of sets of names or of waits. Entries with other keys may be missing. None for all.
        """

    def change(self, context: Context, change: LedgerChange, keys: Collection[str] | None = None) -> None:
        """Replace the ledger, excluding other writers.

        :param keys: the keys that the change affects, as for :meth:`read`; None for all.
        :raises StoreError: the ledger cannot be written.
        :raises LockedError: another run writes for too long.
        :raises Cancelled: cancelled.
        """


class Ledger(Frozen):
    """The ledger of one account. Thread-safe; other processes may write to the same one.

    :ivar place: its place.
    :ivar ca: the name of the CA, for messages.
    :ivar context: has the clock and collects warnings.
    :ivar read_only: a damaged file stays in place.
    """

    place: LedgerPlace
    ca: str
    limits: Limits
    context: Context
    read_only: bool = False

    @classmethod
    def at(cls, place: LedgerPlace, ca: str, directory: str, context: Context) -> Ledger:
        """Return the ledger of the account at a CA's directory, with the limits of that CA."""
        return cls(place, ca, LIMITS.get(directory, NONE), context)

    def may_order(
        self,
        identifiers: Collection[str],
        *,
        replaces: bool = False,
        expires: datetime | None = None,
        attended: bool = False,
    ) -> CAError | None:
        """Return the error with which the CA would refuse an order now, or None. Reads the ledger once.

        :param replaces: the order has a ``replaces`` field (RFC 9773 section 5); only a pause blocks it.
        :param expires: the end of the stored certificate. A Retry-After lasts at most for a share of its remaining
            time.
        :param attended: a person retries repeatedly, so five failed orders within an hour are enough.
        :returns: ``ca-ledger``, for the attempt; ``evidence["until"]`` and ``retry_after`` say when to try again.
        """
        now = self.context.clock.now()
        keys = {ANY, set_key(identifiers), *identifiers}
        state = self.place.read(self.context, read_only=self.read_only, keys=keys) or LedgerState()
        blocked = state.blocked(identifiers, self.limits, now, replaces=replaces, expires=expires, attended=attended)
        return None if blocked is None else self._error(blocked, identifiers, now)

    def may_begin(self, *, expires: datetime | None = None) -> CAError | None:
        """Return the error if the CA refuses every request now, even for a new account, or None.

        :param expires: as for :meth:`may_order`.
        :returns: as :meth:`may_order`.
        """
        return self.may_order((), expires=expires)

    def note_failed_validation(self, identifiers: Collection[str]) -> None:
        """Record one failed validation of each identifier (``*.`` included)."""
        if self.limits.failed is not None and identifiers:
            self._change(lambda state, now: state.with_failed(identifiers, self.limits, now), set(identifiers))

    def note_failed_orders(self, identifiers: Collection[str], count: int) -> None:
        """Record orders for this set of names that did not lead to a certificate."""
        if count:
            self._change(lambda state, now: state.with_failed_orders(identifiers, count, now), {set_key(identifiers)})

    def note_certificate(self, identifiers: Collection[str]) -> None:
        """Record a certificate for this set of names. The CA also counts certificates with ``replaces``."""
        if self.limits.same_set is not None:
            keys = {set_key(identifiers)}
            self._change(lambda state, now: state.with_certificate(identifiers, self.limits, now), keys)

    def note_retry_after(
        self, seconds: float, identifiers: Collection[str] | None = None, *, url: str | None = None
    ) -> None:
        """Record that the CA asked to wait.

        :param identifiers: the identifiers of the refused order; None if the CA refuses every request.
        :param url: the page where a person can end the pause, if the CA has paused a name.
        """
        keys = {ANY if identifiers is None else set_key(identifiers)}
        self._change(lambda state, now: state.with_wait(seconds, identifiers, now, url=url), keys)

    def _error(self, blocked: Blocked, identifiers: Collection[str], now: datetime) -> CAError:
        until, names = rfc3339(blocked.until), blocked.identifier or _abbreviated(identifiers)
        evidence = {"ca": self.ca, "until": until, "limit": blocked.limit, "identifier": blocked.identifier}
        evidence |= {"names": names, **({"url": blocked.url} if blocked.url else {}), **self._limit(blocked.limit)}
        text = _TEXTS[blocked.limit] if names else _ALL_TEXTS.get(blocked.limit, _TEXTS[blocked.limit])
        code, message, fix = text.fill(**evidence)
        wait = (blocked.until - now).total_seconds()
        return CAError(code, message, fix=fix, evidence=evidence, retry_after=wait)

    def _limit(self, name: str) -> dict[str, Any]:
        counted = {"failed": self.limits.failed, "same-set": self.limits.same_set, "failed-orders": FAILED_ORDERS}
        limit = counted.get(name)
        return {} if limit is None else {"count": limit.count, "window": _duration(limit.window)}

    def _change(self, change: LedgerChange, keys: Collection[str]) -> None:
        # A cancelled run was refused too, and gets a few seconds to record that.
        context = self.context.for_cleanup(2 * WAIT, WAIT / 2)
        try:
            self.place.change(context, change, keys)
        except (StoreError, LockedError) as error:
            _, message, fix = texts.LEDGER_NOT_SAVED.fill(ca=self.ca, cause=error.message, cause_fix=error.fix)
            self.context.warn(error.code, message, fix)
        except Cancelled:
            return


def _abbreviated(identifiers: Collection[str]) -> str:
    first, more = next(iter(identifiers), ""), len(identifiers) - 1
    return f"{first} (+{more})" if more > 0 else first


def _duration(window: timedelta) -> str:
    hours = window / timedelta(hours=1)
    return texts.HOURS.format(count=hours) if hours < 24 else texts.DAYS.format(count=hours / 24)


# ── in a folder ─────────────────────────────────────────────────────────────────────────


class LedgerFile(AccountFolder):
    """A ledger in a folder: ``ledger.json`` beside the account, read and written as a whole. No fsync."""

    @property
    def path(self) -> str:
        """The path of the file."""
        return os.path.join(self._folder, "ledger.json")

    def read(self, context: Context, *, read_only: bool, keys: Collection[str] | None = None) -> LedgerState | None:
        del keys  # the file is read as a whole
        try:
            self._disk.refuse_links(self._paths.root, self.path)
            data = json_files.read(self._disk, self.path)
            return LedgerState() if data is None else LedgerState.from_json(data)
        except DamagedFile as fault:
            if read_only:
                return None
            context.warn_of(json_files.quarantine(self._disk, self.path, texts.LEDGER_DAMAGED, str(fault)))
            return LedgerState()
        except NewerSchema as error:
            context.warn_of(json_files.newer_schema(self.path, error.schema, SCHEMA))
        except StoreError as error:
            context.warn_of(error)
        return None

    def change(self, context: Context, change: LedgerChange, keys: Collection[str] | None = None) -> None:
        del keys  # as above
        # Not the account's lock, which a run holds during requests to the CA.
        with self.hold_lock(f"ledger-{self._name}", f"ledger of {self._name}", context, WAIT):
            state = self.read(context, read_only=False)
            if state is not None:
                self._disk.ensure_folder(self._folder)
                self._write_unsynced(self.path, change(state, context.clock.now()).to_json())


# ── values ─────────────────────────────────────────────────────────────────────────────

# The content of a ledger and the calculations on it. No I/O.
#
# A token bucket is stored as one time: when it will be full again. Taking a token moves that time on by the refill
# time of one token. No token is left if that time is further ahead than the window minus one refill time (GCRA, as
# Let's Encrypt implements its limits).

SCHEMA: Final = 1
ANY: Final = "*"
"""The key of a wait that applies to all orders."""
MAX_ENTRIES: Final = 5_000
"""The number of entries of each kind that are kept, the emptiest buckets first, so that the file stays small."""
_SECOND: Final = timedelta(seconds=1)


class Blocked(Frozen):
    """A limit that would make the CA refuse an order.

    :ivar until: the time from which the order may be sent.
    :ivar limit: ``"failed"``, ``"same-set"``, ``"retry-after"``, ``"paused"`` or ``"failed-orders"``.
    :ivar identifier: the identifier that the limit is about, or None for the whole order.
    :ivar url: the page where a person can end a pause.
    """

    until: datetime
    limit: str
    identifier: str | None = None
    url: str | None = None


class RetryAfter(Frozen):
    """A Retry-After of the CA, or a pause.

    :ivar url: the page where a person can end the pause, or None for a Retry-After.
    """

    since: datetime
    until: datetime
    url: str | None = None

    def end(self, expires: datetime | None) -> datetime:
        """Return the end of the wait for a certificate that ends at ``expires``.

        A pause lasts until a person ends it.
        """
        if self.url or expires is None or expires <= self.since:
            return self.until
        return min(self.until, self.since + (expires - self.since) * SHARE)


class LedgerState(Frozen, kw_only=True):
    """The content of ``ledger.json``.

    :ivar failed: by identifier, when its bucket of failed validations is full again.
    :ivar sets: by set of names (:func:`set_key`), when its bucket of certificates is full again.
    :ivar failed_orders: by set of names, when its bucket of failed orders is full again.
    :ivar waits: by set of names, or :data:`ANY`, the wait that the CA asked for.
    :ivar extra: unknown fields, kept unchanged.
    """

    failed: Mapping[str, datetime] = field(default_factory=dict)
    sets: Mapping[str, datetime] = field(default_factory=dict)
    failed_orders: Mapping[str, datetime] = field(default_factory=dict)
    waits: Mapping[str, RetryAfter] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def blocked(
        self,
        identifiers: Collection[str],
        limits: Limits,
        now: datetime,
        *,
        replaces: bool = False,
        expires: datetime | None = None,
        attended: bool = False,
    ) -> Blocked | None:
        """Return the limit that blocks an order for these identifiers the longest, or None.

        :param replaces: the order has a ``replaces`` field (RFC 9773 section 5). Only a pause of the CA blocks it.
        :param expires: the end of the stored certificate. A Retry-After lasts at most for a share of its remaining
            time.
        :param attended: count failed orders, because no other limit holds back a person who retries.
        """
        key = set_key(identifiers)
        found = [
            Blocked(end, "paused" if wait.url else "retry-after", url=wait.url)
            for wait in (self.waits.get(key), self.waits.get(ANY))
            if wait is not None and is_waiting(wait.since, wait.until, now) and now < (end := wait.end(expires))
        ]
        if replaces:
            found = [limit for limit in found if limit.limit == "paused"]
        counted: list[tuple[str, Limit | None, datetime | None, str | None]] = []
        if attended:
            counted.append(("failed-orders", FAILED_ORDERS, self.failed_orders.get(key), None))
        if not replaces:
            counted.append(("same-set", limits.same_set, self.sets.get(key), None))
            counted += [("failed", limits.failed, self.failed.get(each), each) for each in identifiers]
        for name, limit, full_at, identifier in counted:
            if (until := _available_at(limit, full_at, now)) is not None:
                found.append(Blocked(until, name, identifier))
        return max(found, key=lambda limit: limit.until, default=None)

    def with_failed(self, identifiers: Collection[str], limits: Limits, now: datetime) -> LedgerState:
        """Return the state after one failed validation of each identifier."""
        return replace(self, failed=_take(self.failed, identifiers, limits.failed, now))

    def with_failed_orders(self, identifiers: Collection[str], count: int, now: datetime) -> LedgerState:
        """Return the state after some failed orders for these identifiers."""
        orders = self.failed_orders
        for _ in range(count):
            orders = _take(orders, [set_key(identifiers)], FAILED_ORDERS, now)
        return replace(self, failed_orders=orders)

    def with_certificate(self, identifiers: Collection[str], limits: Limits, now: datetime) -> LedgerState:
        """Return the state after a certificate for these identifiers."""
        key = set_key(identifiers)
        waits = {name: wait for name, wait in self.waits.items() if name != key}  # an issued certificate ends the wait
        return replace(self, sets=_take(self.sets, [key], limits.same_set, now), waits=waits)

    def with_wait(
        self, seconds: float, identifiers: Collection[str] | None, now: datetime, *, url: str | None = None
    ) -> LedgerState:
        """Return the state after a Retry-After. Without identifiers, it applies to all orders."""
        current = {key: wait for key, wait in self.waits.items() if is_waiting(wait.since, wait.until, now)}
        wait = RetryAfter(now, now + timedelta(seconds=min(max(seconds, 0.0), LONGEST.total_seconds())), url)
        key = ANY if identifiers is None else set_key(identifiers)
        kept = sorted({**current, key: wait}.items(), key=lambda item: item[1].until)[-MAX_ENTRIES:]
        return replace(self, waits=dict(kept))

    def to_json(self) -> bytes:
        """Return the bytes of ``ledger.json``."""
        document: dict[str, Any] = {**self.extra, "schema": SCHEMA}
        for name, times in (("failed", self.failed), ("sets", self.sets), ("failed_orders", self.failed_orders)):
            document[name] = {key: rfc3339(rounded_up(time)) for key, time in times.items()}
        document["waits"] = {key: _wait_json(wait) for key, wait in self.waits.items()}
        return json_files.dump(document)

    @classmethod
    def from_json(cls, data: bytes) -> LedgerState:
        """Read ``ledger.json``.

        :raises DamagedFile: the file is not a ledger.
        :raises NewerSchema: it has a newer schema.
        """
        document = json_files.load(data, SCHEMA)
        failed, sets, orders = (_times(document.pop(name, None)) for name in ("failed", "sets", "failed_orders"))
        waits = {key: _wait(value) for key, value in json_files.table(document.pop("waits", None)).items()}
        return cls(failed=failed, sets=sets, failed_orders=orders, waits=waits, extra=document)


def set_key(identifiers: Collection[str]) -> str:
    """Return a short name of a set of identifiers, independent of their order."""
    return hashlib.sha256("\n".join(sorted(set(identifiers))).encode()).hexdigest()[:16]


# ── buckets ─────────────────────────────────────────────────────────────────────────────


def _available_at(limit: Limit | None, full_at: datetime | None, now: datetime) -> datetime | None:
    """Return when a token will be available, or None if one is available now or there is no limit."""
    if limit is None or full_at is None or not _is_plausible(limit, full_at, now):
        return None
    available_at = full_at - limit.window + limit.each
    return available_at if available_at > now else None


def _is_plausible(limit: Limit, full_at: datetime, now: datetime) -> bool:
    """Return whether a time is plausible. A time too far ahead was stored by a wrong clock."""
    return full_at - now <= 2 * limit.window - limit.each + _SECOND  # times are rounded up


def _take(
    times: Mapping[str, datetime], keys: Collection[str], limit: Limit | None, now: datetime
) -> Mapping[str, datetime]:
    """Take one token from each key's bucket and drop the buckets that are full."""
    if limit is None:
        return times
    left = {key: time for key, time in times.items() if now < time and _is_plausible(limit, time, now)}
    for key in set(keys):
        # An order sent in spite of the limit (--now) cannot take more tokens than the bucket holds.
        left[key] = min(max(left.get(key, now), now) + limit.each, now + limit.window)
    return dict(sorted(left.items(), key=lambda item: item[1])[-MAX_ENTRIES:])


# ── JSON ────────────────────────────────────────────────────────────────────────────────


def rounded_up(time: datetime) -> datetime:
    """Return a time rounded up to whole seconds, because the CA refuses an order that comes a second early."""
    return (time + _SECOND if time.microsecond else time).replace(microsecond=0)


def _times(value: object) -> dict[str, datetime]:
    return {key: _time(item) for key, item in json_files.table(value).items()}


def _wait(value: object) -> RetryAfter:
    table = json_files.table(value)
    return RetryAfter(_time(table.get("since")), _time(table.get("until")), json_files.string(table.get("url")) or None)


def _wait_json(wait: RetryAfter) -> dict[str, str | None]:
    document = {"since": rfc3339(rounded_up(wait.since)), "until": rfc3339(rounded_up(wait.until))}
    return document | ({"url": wait.url} if wait.url else {})


def _time(value: object) -> datetime:
    time = json_files.time(value)
    if time is None or time.microsecond:
        raise DamagedFile("a time is missing or not in whole seconds")
    return time


# ── ca limits ──────────────────────────────────────────────────────────────────────────

# The rate limits of the built-in CAs that dnsrenew can count itself, as data.
#
# Other limits (orders per account, certificates per registered domain) also count what other machines and people do,
# so only the CA knows their state.


class Limit(Frozen):
    """A token bucket.

    :ivar count: its capacity in tokens.
    :ivar window: the time in which an empty bucket is refilled.
    """

    count: int
    window: timedelta

    @property
    def each(self) -> timedelta:
        """The time in which one token is refilled."""
        return self.window / self.count


class Limits(Frozen, kw_only=True):
    """The limits of one CA; None if it has no limit, or an unknown one.

    :ivar failed: failed validations of one identifier by one account.
    :ivar same_set: certificates for exactly the same set of names.
    """

    failed: Limit | None = None
    same_set: Limit | None = None


_HOUR: Final = timedelta(hours=1)
_WEEK: Final = timedelta(days=7)

NONE: Final = Limits()
FAILED_ORDERS: Final = Limit(5, _HOUR)
"""Failed orders for a set of names at any CA, for a person who retries repeatedly."""
LIMITS: Final = {
    "https://acme-v02.api.letsencrypt.org/directory": Limits(failed=Limit(5, _HOUR), same_set=Limit(5, _WEEK)),
    "https://acme-staging-v02.api.letsencrypt.org/directory": Limits(
        failed=Limit(200, _HOUR), same_set=Limit(30_000, _WEEK)
    ),
}
"""The limits by the directory URL of the CA."""
_HOURS: Final = timedelta(hours=3)
NEW_ORDERS: Final = {
    "https://acme-v02.api.letsencrypt.org/directory": Limit(300, _HOURS),
    "https://acme-staging-v02.api.letsencrypt.org/directory": Limit(1_500, _HOURS),
}
"""New orders of one account, by the directory URL of the CA.

Only a share of them is given to names on demand, because orders of other machines and people with the account count
too.
"""
OTHER_NEW_ORDERS: Final = Limit(300, _HOURS)
"""The assumed limit of a CA that is not listed."""
