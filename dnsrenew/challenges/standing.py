"""What is known of the TXT values of a run: in the journal before they are written, and until they are gone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dnsrenew.challenges.placing import Value
    from dnsrenew.context import Context
    from dnsrenew.store.journal import Journal
    from dnsrenew.store.journal_entry import Entry, Written

    _Key = tuple[str | None, Written]

Fate = Literal["unknown", "written", "refused"]
"""Whether a value stands, once it was begun to write it; ``refused``: it certainly does not."""


class Standing:
    """The values that stand, or may stand, in DNS.

    One serves all certificates of a run, and their threads. What it knows of a value is under the certificate too, for
    a CA may ask two of them for the same one: so no two threads change the same entry, and plain dicts will do.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._entries: dict[_Key, Entry] = {}
        self._fates: dict[_Key, Fate] = {}

    @contextlib.contextmanager
    def written_down(self, context: Context, values: Sequence[Value]) -> Iterator[None]:
        """Have the values in the journal meanwhile, and afterwards those that may stand.

        :raises StoreError: it cannot be written; then nothing may be published.
        """
        if not values:
            yield
            return
        keys = [_key(context, value) for value in values]
        hosts = {value.writer.account.name: value.writer.host_mark for value in values}
        entry = self._journal.enter(context, context.certificate or "", [written for _, written in keys], hosts)
        self._entries.update(dict.fromkeys(keys, entry))
        try:
            yield
        finally:
            entry.remove(key[1] for key in keys if key not in self._fates)
            entry.keep()

    def note(self, context: Context, values: Sequence[Value], fate: Fate) -> None:
        """Note what is known of values by now."""
        self._fates.update(dict.fromkeys((_key(context, value) for value in values), fate))

    def fate(self, context: Context, value: Value) -> Fate | None:
        """Return what is known of a value; None: nobody has begun to write it, or it is gone."""
        return self._fates.get(_key(context, value))

    def gone(self, context: Context, values: Sequence[Value]) -> None:
        """Strike values out of the journal, and forget them."""
        for key in (_key(context, value) for value in values):
            self._fates.pop(key, None)
            entry = self._entries.pop(key, None)
            if entry is not None:
                entry.remove([key[1]])


def _key(context: Context, value: Value) -> _Key:
    return context.certificate, value.written
