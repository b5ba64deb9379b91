"""A driver that needs no DNS host."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from dnsrenew.base.model import TxtRecord


class InMemoryDriver:
    """A driver that writes into a dictionary: for tests, and as an example."""

    __module__ = "dnsrenew.testing"

    values: dict[str, list[str]]
    """The values at each absolute name, in the order of writing."""

    def __init__(self, context: object = None) -> None:
        self.context = context
        self.values = {}
        self._ttls: dict[str, int] = {}
        self._lock = threading.Lock()

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values."""
        with self._lock:
            for record in records:
                values = self.values.setdefault(record.name, [])
                if record.value not in values:
                    values.append(record.value)
                self._ttls[record.name] = record.ttl

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values."""
        with self._lock:
            for record in records:
                left = [value for value in self.values.pop(record.name, []) if value != record.value]
                if left:
                    self.values[record.name] = left

    def ttl(self, name: str) -> int | None:
        """Return the TTL that was last written at an absolute name; None if there was none."""
        with self._lock:
            return self._ttls.get(name)

    def look(self, name: str) -> set[str]:
        """Return the values at an absolute name: the ``look`` of :func:`check_driver`."""
        with self._lock:
            return set(self.values.get(name, []))
