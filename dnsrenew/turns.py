"""Certificates for the same names take turns at a CA.

A CA may answer two orders of one account for the same names with one order (RFC 8555 section 7.4 does not forbid it):
two keys would then spoil each other's. Within a process; other processes are met by the CA's own refusal.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from dnsrenew import workers

if TYPE_CHECKING:
    from dnsrenew.context import Context


class Turns:
    """Whose turn it is, for each CA and set of names; shared by all threads of a run."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[tuple[str, frozenset[str]], threading.Lock] = {}

    @contextlib.contextmanager
    def turn(self, context: Context, ca: str, identifiers: Collection[str]) -> Iterator[None]:
        """Wait until nobody else of this run is about to get a certificate for these names there.

        :raises Cancelled: called away while waiting.
        """
        with self._guard:
            lock = self._locks.setdefault((ca, frozenset(identifiers)), threading.Lock())
        while not lock.acquire(timeout=workers.SLICE):
            context.check()
        try:
            yield
        finally:
            lock.release()
