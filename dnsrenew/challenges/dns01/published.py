"""The TXT values that a run has published, their state, and their journal entries until they are removed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from dnsrenew.base.runtime.fair_lock import FairLock

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.challenges.dns01.records import TxtValue
    from dnsrenew.store.journal_entry import JournalEntry, WrittenValue
    from dnsrenew.store.parts import Journal

    _Key = tuple[str | None, WrittenValue]

PublishState = Literal["asked", "unsure", "written", "refused"]
"""Whether a value is in DNS, after writing has started.

``asked``: the host has not responded, and may write it at any time; ``unsure``: it responded with an error;
``refused``: the value is certainly not in DNS.
"""


class PublishedValues:
    """The values that are, or may be, in DNS.

    All certificates of a run and their threads share one. A CA may ask two certificates for the same value, so states
    are kept for each certificate, and the value stays until the last certificate is done with it. Hold
    :meth:`exclusive` while writing or removing a value. No lock guards the dicts: each key belongs to one certificate,
    and each step is one operation.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._entries: dict[_Key, JournalEntry] = {}
        self._states: dict[_Key, PublishState] = {}
        self._users: dict[WrittenValue, set[str | None]] = {}
        self._locks = FairLock()

    @contextlib.contextmanager
    def journaled(self, context: Context, values: Sequence[TxtValue]) -> Iterator[None]:
        """Keep the values in the journal meanwhile; afterwards only those that may still be in DNS.

        :raises StoreError: the journal cannot be written. Publish nothing then.
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
            entry.remove(key[1] for key in keys if key not in self._states)
            entry.keep()

    @contextlib.contextmanager
    def exclusive(self, context: Context, values: Sequence[TxtValue]) -> Iterator[None]:
        """Keep other certificates of this run from writing or removing one of these values.

        :raises Cancelled: the run was cancelled while waiting.
        """
        with contextlib.ExitStack() as held:
            for written in sorted({value.written for value in values}, key=repr):
                held.enter_context(self._locks.hold(context, written))
            yield

    def note(self, context: Context, values: Sequence[TxtValue], state: PublishState) -> None:
        """Set the state of some values.

        :raises StoreError: the journal cannot be written. Do not send the request then.
        """
        for value in values:
            key = _key(context, value)
            entry = self._entries.get(key)
            if entry is not None and state == "asked":
                entry.mark_in_flight([key[1]])
            elif entry is not None:
                entry.clear_in_flight([key[1]])
            self._states[key] = state
            self._users.setdefault(value.written, set()).add(context.certificate)

    def forget_shared(self, context: Context, values: Sequence[TxtValue]) -> list[TxtValue]:
        """Forget the values that other certificates still need, and return the rest."""
        shared = [value for value in values if self._users.get(value.written, set()) - {context.certificate}]
        self.forget(context, shared)
        return [value for value in values if value not in shared]

    def state(self, context: Context, value: TxtValue) -> PublishState | None:
        """Return the state of a value; None: writing has not started, or it is removed."""
        return self._states.get(_key(context, value))

    def release(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Note that the certificate no longer needs some values; they stay in DNS and in the journal."""
        for value in values:
            self._users.get(value.written, set()).discard(context.certificate)

    def forget(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Forget values, and delete them from the certificate's journal entry unless a request is in flight."""
        for key in (_key(context, value) for value in values):
            self._states.pop(key, None)
            self._users.get(key[1], set()).discard(context.certificate)
            entry = self._entries.pop(key, None)
            if entry is not None:
                entry.remove([key[1]])


def _key(context: Context, value: TxtValue) -> _Key:
    return context.certificate, value.written
