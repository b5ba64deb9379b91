"""Taking turns within a run: who came first goes first.

Certificates for the same names take turns at a CA: it may answer two orders of one account for the same names with
one order (RFC 8555 section 7.4 does not forbid it), and two keys would then spoil each other's. Certificates in one
zone take turns at a host that takes one value, or one writer, at a time. Other processes are met by the CA's own
refusal, and by the locks of the store.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Collection, Hashable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.runtime.context import Context


class FairLock:
    """Whose turn it is, for each thing that only one may have at a time; shared by all threads of a run."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._lines: dict[Hashable, deque[threading.Event]] = {}

    def turn(self, context: Context, ca: str, identifiers: Collection[str]) -> AbstractContextManager[None]:
        """Wait until nobody else of this run is about to get a certificate for these names there.

        :raises Cancelled: called away while waiting.
        """
        return self.alone(context, (ca, frozenset(identifiers)))

    @contextlib.contextmanager
    def alone(self, context: Context, what: Hashable) -> Iterator[None]:
        """Wait until everybody of this run who came for it before has had it, and have it.

        :raises Cancelled: called away while waiting.
        """
        mine = threading.Event()
        with self._guard:
            line = self._lines.setdefault(what, deque())
            line.append(mine)
            line[0].set()
        try:
            context.wait_for(mine)
            yield
        finally:
            with self._guard:
                line.remove(mine)
                if line:
                    line[0].set()
                else:
                    del self._lines[what]
