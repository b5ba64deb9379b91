"""The ledger of an account, ``ledger.json``: what can be known to make the CA refuse an order.

No fsync: what a power cut takes, the CA says again. Nothing here stops a renewal: a ledger that cannot be
read or written knows nothing, and that is said.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.errors import CAError, Cancelled, LockedError, StoreError
from dnsrenew.model import rfc3339
from dnsrenew.store import file_locks, json_files
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.damage import newer_schema, set_aside
from dnsrenew.store.directories import Directories
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.ledger.ca_limits import LIMITS, NONE, Limits
from dnsrenew.store.ledger.values import SCHEMA, Blocked, LedgerState

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.runtime.context import Context
    from dnsrenew.store.paths import Paths

_WORDS: Final = {
    "failed": (
        "The CA {ca} would refuse an order for {names} until {until}: {count} proofs of a name may fail {window}.",
        "Put right what made the proof of {names} fail; the first run after {until} tries again, `--now` at once.",
    ),
    "same-set": (
        "The CA {ca} would refuse an order for {names} until {until}: it issues the same {count} times {window}.",
        "Wait until {until} and keep what was issued, or add a name to the certificate.",
    ),
    "retry-after": (
        "The CA {ca} asked to wait with an order for {names} until {until}.",
        "Wait until {until}; the first run after that tries again by itself, `--now` at once.",
    ),
    "paused": (
        "The CA {ca} has paused {names}: it takes no order for it until somebody opens {url}.",
        "Open the address, end the pause there, and then run `dnsrenew renew --now`.",
    ),
}
_WINDOWS: Final = {timedelta(hours=1): "an hour", timedelta(days=7): "in 7 days"}
WAIT: Final = 10.0
"""Seconds to wait for another run that writes to the same ledger: each takes milliseconds."""


class Ledger(Frozen):
    """The ledger of one account. Thread-safe, and other processes may write to it.

    :ivar ca: name of the CA, for people.
    :ivar folder: the account's.
    :ivar context: whose clock it goes by, and who is told where it is damaged.
    """

    disk: AtomicFiles
    layout: Paths
    ca: str
    folder: str
    limits: Limits
    context: Context

    @classmethod
    def at(cls, disk: AtomicFiles, layout: Paths, ca: str, directory: str, context: Context) -> Ledger:
        """Return the ledger of the account at a CA's directory, with the limits of that CA."""
        return cls(disk, layout, ca, layout.account(ca, directory), LIMITS.get(directory, NONE), context)

    def may_order(self, identifiers: Collection[str], *, replaces: bool = False) -> CAError | None:
        """Return why an order would be refused now; None: nothing is known against it. Costs reading one file.

        :param replaces: it replaces a certificate in the CA's eyes (RFC 9773 section 5), which only a pause holds back.
        :returns: an error ``ca-ledger``, to be the attempt's; ``evidence["until"]`` and ``retry_after`` tell when.
        """
        now = self.context.clock.now()
        held = (self._read() or LedgerState()).held(identifiers, self.limits, now, replaces=replaces)
        return None if held is None else self._error(held, identifiers, now)

    def may_begin(self) -> CAError | None:
        """Return why nothing at all should be asked of the CA now, an account neither; None: nothing is known.

        :returns: as :meth:`may_order`.
        """
        return self.may_order(())

    def note_failed_validation(self, identifiers: Collection[str]) -> None:
        """Note that the CA looked at each of these (``*.`` included) once, and did not accept the proof."""
        if self.limits.failed is not None and identifiers:
            self._change(lambda book, now: book.with_failed(identifiers, self.limits, now))

    def note_certificate(self, identifiers: Collection[str]) -> None:
        """Note a certificate for this set of names; one with ``replaces`` too, which the CA counts, and lets pass."""
        if self.limits.same_set is not None:
            self._change(lambda book, now: book.with_certificate(identifiers, self.limits, now))

    def note_retry_after(
        self, seconds: float, identifiers: Collection[str] | None = None, *, url: str | None = None
    ) -> None:
        """Note that the CA asked to wait.

        :param identifiers: those of the order that it refused; None: it refuses everything.
        :param url: where a person ends the wait, of a name that the CA has paused.
        """
        self._change(lambda book, now: book.with_wait(seconds, identifiers, now, url=url))

    def _error(self, held: Blocked, identifiers: Collection[str], now: datetime) -> CAError:
        until = rfc3339(held.until)
        limit = {"failed": self.limits.failed, "same-set": self.limits.same_set}.get(held.limit)
        reason, fix = _WORDS[held.limit]
        words = {
            "ca": self.ca,
            "names": held.identifier or _some(identifiers),
            "url": held.url,
            "until": until,
            "count": limit.count if limit else 0,
            "window": _WINDOWS.get(limit.window, "") if limit else "",
        }
        evidence = {"ca": self.ca, "until": until, "limit": held.limit, "identifier": held.identifier}
        evidence |= {"url": held.url} if held.url else {}
        return CAError(
            "ca-ledger",
            reason.format(**words),
            fix=fix.format(**words),
            evidence=evidence,
            retry_after=(held.until - now).total_seconds(),
        )

    # ── the file ────────────────────────────────────────────────────────────────────────

    @property
    def path(self) -> str:
        """Where it is."""
        return os.path.join(self.folder, "ledger.json")

    @property
    def _folders(self) -> Directories:
        return Directories(self.disk, self.layout)

    def _read(self) -> LedgerState | None:
        """Return what stands; None where it is not ours to touch (then that is said)."""
        try:
            self.disk.inside(self.layout.root, self.path)
            return self._book(json_files.read(self.disk, self.path))
        except DamagedFile as damage:
            notice = set_aside(self.disk, self.path, str(damage), "What the CA refused lately is not known any more.")
            self.context.warn(notice.code, notice.message, notice.fix)
            return LedgerState()
        except NewerSchema as error:
            newer = newer_schema(self.path, error.schema, SCHEMA)
            self.context.warn(newer.code, newer.message, newer.fix)
        except StoreError as error:
            self.context.warn(error.code, error.message, error.fix)
        return None

    def _book(self, data: bytes | None) -> LedgerState:
        return LedgerState() if data is None else LedgerState.from_json(data)

    def _change(self, change: Callable[[LedgerState, datetime], LedgerState]) -> None:
        # Who was called away has still been refused: a few seconds for that.
        context = self.context.for_cleanup(2 * WAIT, WAIT / 2)
        try:
            with self._lock(context):
                book = self._read()
                if book is not None:
                    self._write(change(book, context.clock.now()))
        except (StoreError, LockedError) as error:
            self.context.warn(error.code, f"The ledger of the CA {self.ca} is not kept. {error.message}", error.fix)
        except Cancelled:
            return

    def _lock(self, context: Context) -> AbstractContextManager[None]:
        self._folders.make_base()
        # Not the account's own lock: that one is held while the CA is talked to.
        name = os.path.basename(self.folder)
        return file_locks.hold(
            self.disk, self.layout.lock(f"ledger-{name}"), f"ledger of {name}", wait=WAIT, context=context
        )

    def _write(self, book: LedgerState) -> None:
        self.disk.folder(self.folder)
        self.disk.write(self.path, book.to_json(), PRIVATE, sync=False)
        written = self.disk.do("stat", self.path, lambda: os.lstat(self.path).st_mtime)
        self._folders.sweep_shared(self.folder, written)  # the account's own files are written here too


def _some(identifiers: Collection[str]) -> str:
    first = next(iter(identifiers), "any name")
    return first if len(identifiers) < 2 else f"{first} and {len(identifiers) - 1} more"
