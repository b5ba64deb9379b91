"""The ledger of an account, ``ledger.json``: limits and waits because of which the CA would refuse an order.

No fsync: what a power cut takes, the CA says again. A ledger that cannot be read or written stops no renewal: it
counts as empty, with a warning.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import Frozen
from dnsrenew.errors import CAError, Cancelled, LockedError, StoreError
from dnsrenew.model import rfc3339
from dnsrenew.store import damage, file_locks, json_files, texts
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.directories import Directories
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.ledger.ca_limits import FAILED_ORDERS, LIMITS, NONE, Limits
from dnsrenew.store.ledger.values import SCHEMA, Blocked, LedgerState

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.runtime.context import Context
    from dnsrenew.store.paths import Paths

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


class Ledger(Frozen):
    """The ledger of one account. Thread-safe; other processes may write to the same file.

    :ivar ca: name of the CA, for messages.
    :ivar folder: the folder of the account.
    :ivar context: gives the clock and takes warnings.
    :ivar read_only: a damaged file stays where it is.
    """

    disk: AtomicFiles
    paths: Paths
    ca: str
    folder: str
    limits: Limits
    context: Context
    read_only: bool = False

    @classmethod
    def at(cls, disk: AtomicFiles, paths: Paths, ca: str, directory: str, context: Context) -> Ledger:
        """Return the ledger of the account at a CA's directory, with the limits of that CA."""
        return cls(disk, paths, ca, paths.account(ca, directory), LIMITS.get(directory, NONE), context)

    def may_order(
        self,
        identifiers: Collection[str],
        *,
        replaces: bool = False,
        expires: datetime | None = None,
        attended: bool = False,
    ) -> CAError | None:
        """Return the error the CA would answer an order with now, or None if none is known. Reads one file.

        :param replaces: the order has a ``replaces`` field (RFC 9773 section 5); only a pause blocks it.
        :param expires: when the stored certificate ends; a Retry-After lasts for a share of what is left of it at most.
        :param attended: a person tries again and again: five failed orders within an hour are enough.
        :returns: ``ca-ledger``, for the attempt; ``evidence["until"]`` and ``retry_after`` say when to try again.
        """
        now = self.context.clock.now()
        state = self._read() or LedgerState()
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
            self._change(lambda state, now: state.with_failed(identifiers, self.limits, now))

    def note_failed_orders(self, identifiers: Collection[str], count: int) -> None:
        """Record orders for this set of names that led to no certificate."""
        if count:
            self._change(lambda state, now: state.with_failed_orders(identifiers, count, now))

    def note_certificate(self, identifiers: Collection[str]) -> None:
        """Record a certificate for this set of names; the CA counts those with ``replaces`` too."""
        if self.limits.same_set is not None:
            self._change(lambda state, now: state.with_certificate(identifiers, self.limits, now))

    def note_retry_after(
        self, seconds: float, identifiers: Collection[str] | None = None, *, url: str | None = None
    ) -> None:
        """Record that the CA asked to wait.

        :param identifiers: those of the refused order; None: the CA refuses every request.
        :param url: where a person ends the pause, if the CA has paused a name.
        """
        self._change(lambda state, now: state.with_wait(seconds, identifiers, now, url=url))

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

    # ── the file ────────────────────────────────────────────────────────────────────────

    @property
    def path(self) -> str:
        """The file."""
        return os.path.join(self.folder, "ledger.json")

    @property
    def _folders(self) -> Directories:
        return Directories(self.disk, self.paths)

    def _read(self) -> LedgerState | None:
        """Return the ledger, or None with a warning if the file must stay as it is."""
        try:
            self.disk.refuse_links(self.paths.root, self.path)
            data = json_files.read(self.disk, self.path)
            return LedgerState() if data is None else LedgerState.from_json(data)
        except DamagedFile as fault:
            if self.read_only:
                return None
            warning = damage.quarantine(self.disk, self.path, texts.LEDGER_DAMAGED, str(fault))
            self.context.warn(warning.code, warning.message, warning.fix)
            return LedgerState()
        except NewerSchema as error:
            newer = damage.newer_schema(self.path, error.schema, SCHEMA)
            self.context.warn(newer.code, newer.message, newer.fix)
        except StoreError as error:
            self.context.warn(error.code, error.message, error.fix)
        return None

    def _change(self, change: Callable[[LedgerState, datetime], LedgerState]) -> None:
        # A cancelled run has still been refused: it gets a few seconds to record that.
        context = self.context.for_cleanup(2 * WAIT, WAIT / 2)
        try:
            with self._lock(context):
                state = self._read()
                if state is not None:
                    self._write(change(state, context.clock.now()))
        except (StoreError, LockedError) as error:
            _, message, fix = texts.LEDGER_NOT_SAVED.fill(ca=self.ca, cause=error.message, cause_fix=error.fix)
            self.context.warn(error.code, message, fix)
        except Cancelled:
            return

    def _lock(self, context: Context) -> AbstractContextManager[None]:
        self._folders.make_base()
        # Not the account's lock: a run holds that one during requests to the CA.
        name = os.path.basename(self.folder)
        return file_locks.hold(
            self.disk, self.paths.lock(f"ledger-{name}"), f"ledger of {name}", wait=WAIT, context=context
        )

    def _write(self, state: LedgerState) -> None:
        self.disk.ensure_folder(self.folder)
        self.disk.write(self.path, state.to_json(), PRIVATE, sync=False)
        written = self.disk.do("stat", self.path, lambda: os.lstat(self.path).st_mtime)
        self._folders.remove_stale_temp(self.folder, written)  # other processes write the account's files here


def _abbreviated(identifiers: Collection[str]) -> str:
    first, more = next(iter(identifiers), ""), len(identifiers) - 1
    return f"{first} (+{more})" if more > 0 else first


def _duration(window: timedelta) -> str:
    hours = window / timedelta(hours=1)
    return texts.HOURS.format(count=hours) if hours < 24 else texts.DAYS.format(count=hours / 24)
