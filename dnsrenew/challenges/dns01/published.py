"""What is known of the TXT values of a run: in the journal before they are written, and until they are gone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from dnsrenew.runtime.fair_lock import FairLock

if TYPE_CHECKING:
    from dnsrenew.challenges.dns01.records import TxtValue
    from dnsrenew.runtime.context import Context
    from dnsrenew.store.journal import Journal
    from dnsrenew.store.journal_entry import JournalEntry, WrittenValue

    _Key = tuple[str | None, WrittenValue]

PublishState = Literal["asked", "unsure", "written", "refused"]
"""Whether a value stands, once it was begun to write it.

``asked``: the host has not answered, and may write it at any time; ``unsure``: its answer was an error; ``refused``:
it certainly does not stand.
"""


class PublishedValues:
    """The values that stand, or may stand, in DNS.

    One serves all certificates of a run, and their threads. What it knows of a value is under the certificate too, for
    a CA may ask two of them for the same one, which stands until nobody needs it any more: who writes a value, or takes
    it away, is :meth:`exclusive` with it meanwhile. A key is one certificate's, and each step one operation on a dict.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._entries: dict[_Key, JournalEntry] = {}
        self._fates: dict[_Key, PublishState] = {}
        self._users: dict[WrittenValue, set[str | None]] = {}
        self._turns = FairLock()

    @contextlib.contextmanager
    def journaled(self, context: Context, values: Sequence[TxtValue]) -> Iterator[None]:
        """Have the values in the journal meanwhile, and afterwards those that may stand.

        :raises StoreError: it cannot be written; then nothing may be published.
        """
        if not values:
            yield
            return
        keys = [_key(context, value) for value in values]
        hosts = {value.writer.account.name: value.writer.host_fingerprint for value in values}
        entry = self._journal.enter(context, context.certificate or "", [written for _, written in keys], hosts)
        self._entries.update(dict.fromkeys(keys, entry))
        try:
            yield
        finally:
            entry.remove(key[1] for key in keys if key not in self._fates)
            entry.keep()

    @contextlib.contextmanager
    def exclusive(self, context: Context, values: Sequence[TxtValue]) -> Iterator[None]:
        """Keep away other certificates of this run that write, or take away, one of these values.

        :raises Cancelled: called away while waiting.
        """
        with contextlib.ExitStack() as turns:
            for written in sorted({value.written for value in values}, key=repr):
                turns.enter_context(self._turns.hold(context, written))
            yield

    def note(self, context: Context, values: Sequence[TxtValue], fate: PublishState) -> None:
        """Note what is known of values by now.

        :raises StoreError: that they are asked for cannot be written down; then they must not be.
        """
        for value in values:
            key = _key(context, value)
            entry = self._entries.get(key)
            if entry is not None and fate == "asked":
                entry.mark_in_flight([key[1]])
            elif entry is not None:
                entry.clear_in_flight([key[1]])
            self._fates[key] = fate
            self._users.setdefault(value.written, set()).add(context.certificate)

    def last(self, context: Context, values: Sequence[TxtValue]) -> list[TxtValue]:
        """Leave to other certificates the values that they need too, and return the rest."""
        shared = [value for value in values if self._users.get(value.written, set()) - {context.certificate}]
        self.gone(context, shared)
        return [value for value in values if value not in shared]

    def fate(self, context: Context, value: TxtValue) -> PublishState | None:
        """Return what is known of a value; None: nobody has begun to write it, or it is gone."""
        return self._fates.get(_key(context, value))

    def leave(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Note that the certificate is done with values that stand: others that need them take them away."""
        for value in values:
            self._users.get(value.written, set()).discard(context.certificate)

    def gone(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Strike values out of the certificate's entry in the journal, but for those asked for, and forget them."""
        for key in (_key(context, value) for value in values):
            self._fates.pop(key, None)
            self._users.get(key[1], set()).discard(context.certificate)
            entry = self._entries.pop(key, None)
            if entry is not None:
                entry.remove([key[1]])


def _key(context: Context, value: TxtValue) -> _Key:
    return context.certificate, value.written
