"""The ledger of an account: limits and waits because of which the CA would refuse an order.

What a power cut takes of it, the CA says again. A ledger that cannot be read or written stops no renewal: it counts as
empty, with a warning.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from dnsrenew.base.model import rfc3339
from dnsrenew.base.runtime.context import Context
from dnsrenew.base.values import Frozen
from dnsrenew.errors import CAError, Cancelled, LockedError, StoreError
from dnsrenew.store import json_files, texts
from dnsrenew.store.accounts import AccountFolder
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.ledger.values import (
    ANY,
    FAILED_ORDERS,
    LIMITS,
    NONE,
    SCHEMA,
    Blocked,
    LedgerState,
    Limits,
    set_key,
)

_TEXTS: Final = {
    "failed": texts.TOO_MANY_FAILURES,
    "same-set": texts.TOO_MANY_CERTIFICATES,
    "retry-after": texts.RETRY_AFTER,
    "paused": texts.PAUSED,
    "failed-orders": texts.TOO_MANY_ORDERS,
}
_ALL_TEXTS: Final = {"retry-after": texts.RETRY_AFTER_ALL, "paused": texts.PAUSED_ALL}
"""For a wait that holds for all orders."""
WAIT: Final = 10.0
"""Seconds to wait for other runs that write to the same ledger; each takes milliseconds."""


class LedgerPlace(Protocol):
    """Where a ledger is."""

    def read(self, context: Context, *, read_only: bool, keys: Collection[str] | None = None) -> LedgerState | None:
        """Return the ledger; None with a warning if it must stay as it is.

        A damaged one counts as empty, with a warning.

        :param read_only: a damaged file stays where it is; None then.
        :param keys: names, and keys of sets of names or of waits; what has other keys may be left out. None: all.
        """

    def change(
        self,
        context: Context,
        change: Callable[[LedgerState, datetime], LedgerState],
        keys: Collection[str] | None = None,
    ) -> None:
        """Replace the ledger; no other writer comes between.

        :param keys: the change is only about these, as for :meth:`read`; None: about all.
        :raises StoreError: it cannot be written.
        :raises LockedError: another run writes for too long.
        :raises Cancelled: cancelled.
        """


class Ledger(Frozen):
    """The ledger of one account. Thread-safe; other processes may write to the same one.

    :ivar place: where it is.
    :ivar ca: name of the CA, for messages.
    :ivar context: gives the clock and takes warnings.
    :ivar read_only: a damaged file stays where it is.
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
        """Return the error the CA would answer an order with now, or None if none is known. Reads it once.

        :param replaces: the order has a ``replaces`` field (RFC 9773 section 5); only a pause blocks it.
        :param expires: when the stored certificate ends; a Retry-After lasts for a share of what is left of it at most.
        :param attended: a person tries again and again: five failed orders within an hour are enough.
        :returns: ``ca-ledger``, for the attempt; ``evidence["until"]`` and ``retry_after`` say when to try again.
        """
        now = self.context.clock.now()
        keys = {ANY, set_key(identifiers), *identifiers}
        state = self.place.read(self.context, read_only=self.read_only, keys=keys) or LedgerState()
        blocked = state.blocked(identifiers, self.limits, now, replaces=replaces, expires=expires, attended=attended)
        return None if blocked is None else self._error(blocked, identifiers, now)

    def may_begin(self, *, expires: datetime | None = None) -> CAError | None:
        """Return the error if the CA refuses every request now, a new account too; else None.

        :param expires: as for :meth:`may_order`.
        :returns: as :meth:`may_order`.
        """
        return self.may_order((), expires=expires)

    def note_failed_validation(self, identifiers: Collection[str]) -> None:
        """Record one failed validation of each identifier (``*.`` included)."""
        if self.limits.failed is not None and identifiers:
            self._change(lambda state, now: state.with_failed(identifiers, self.limits, now), set(identifiers))

    def note_failed_orders(self, identifiers: Collection[str], count: int) -> None:
        """Record orders for this set of names that led to no certificate."""
        if count:
            keys = {set_key(identifiers)}
            self._change(lambda state, now: state.with_failed_orders(identifiers, count, now), keys)

    def note_certificate(self, identifiers: Collection[str]) -> None:
        """Record a certificate for this set of names; the CA counts those with ``replaces`` too."""
        if self.limits.same_set is not None:
            keys = {set_key(identifiers)}
            self._change(lambda state, now: state.with_certificate(identifiers, self.limits, now), keys)

    def note_retry_after(
        self, seconds: float, identifiers: Collection[str] | None = None, *, url: str | None = None
    ) -> None:
        """Record that the CA asked to wait.

        :param identifiers: those of the refused order; None: the CA refuses every request.
        :param url: where a person ends the pause, if the CA has paused a name.
        """
        keys = {ANY if identifiers is None else set_key(identifiers)}
        self._change(lambda state, now: state.with_wait(seconds, identifiers, now, url=url), keys)

    def _error(self, blocked: Blocked, identifiers: Collection[str], now: datetime) -> CAError:
        until, names = rfc3339(blocked.until), blocked.identifier or _abbreviated(identifiers)
        evidence = {
            "ca": self.ca,
            "until": until,
            "limit": blocked.limit,
            "identifier": blocked.identifier,
            "names": names,
            **({"url": blocked.url} if blocked.url else {}),
            **self._limit(blocked.limit),
        }
        text = _TEXTS[blocked.limit] if names else _ALL_TEXTS.get(blocked.limit, _TEXTS[blocked.limit])
        code, message, fix = text.fill(**evidence)
        wait = (blocked.until - now).total_seconds()
        return CAError(code, message, fix=fix, evidence=evidence, retry_after=wait)

    def _limit(self, name: str) -> dict[str, Any]:
        counted = {"failed": self.limits.failed, "same-set": self.limits.same_set, "failed-orders": FAILED_ORDERS}
        limit = counted.get(name)
        return {} if limit is None else {"count": limit.count, "window": _duration(limit.window)}

    def _change(self, change: Callable[[LedgerState, datetime], LedgerState], keys: Collection[str]) -> None:
        # A cancelled run has still been refused: it gets a few seconds to record that.
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
        """The file."""
        return os.path.join(self._folder, "ledger.json")

    def read(
        self,
        context: Context,
        *,
        read_only: bool,
        keys: Collection[str] | None = None,  # noqa: ARG002  # all of it
    ) -> LedgerState | None:
        try:
            self._disk.refuse_links(self._paths.root, self.path)
            data = json_files.read(self._disk, self.path)
            return LedgerState() if data is None else LedgerState.from_json(data)
        except DamagedFile as fault:
            if read_only:
                return None
            warning = json_files.quarantine(self._disk, self.path, texts.LEDGER_DAMAGED, str(fault))
            context.warn(warning.code, warning.message, warning.fix)
            return LedgerState()
        except NewerSchema as error:
            newer = json_files.newer_schema(self.path, error.schema, SCHEMA)
            context.warn(newer.code, newer.message, newer.fix)
        except StoreError as error:
            context.warn(error.code, error.message, error.fix)
        return None

    def change(
        self,
        context: Context,
        change: Callable[[LedgerState, datetime], LedgerState],
        keys: Collection[str] | None = None,  # noqa: ARG002  # all of it
    ) -> None:
        # Not the account's lock: a run holds that one during requests to the CA.
        with self.hold_lock(f"ledger-{self._name}", f"ledger of {self._name}", context, WAIT):
            state = self.read(context, read_only=False)
            if state is not None:
                self._disk.ensure_folder(self._folder)
                self._write_unsynced(self.path, change(state, context.clock.now()).to_json())
