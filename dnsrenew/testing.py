"""Helpers for tests of drivers and of programs that use dnsrenew."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from dnsrenew.base import names
from dnsrenew.base.clock import SystemClock
from dnsrenew.model import TxtRecord

if TYPE_CHECKING:
    from dnsrenew.base.clock import Clock
    from dnsrenew.drivers.protocol import Driver

__all__ = ["InMemoryDriver", "check_driver"]

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 2.0
_ANYTHING: Final = (Exception, SystemExit)
"""What a driver may raise; KeyboardInterrupt still stops the test."""

ServedValues = Callable[[str], set[str]]


class InMemoryDriver:
    """A driver that writes into a dictionary: for tests, and as an example."""

    values: dict[str, list[str]]
    """The values at each absolute name, in the order of writing."""

    def __init__(self, context: object = None) -> None:
        self.context = context
        self.values = {}
        self._lock = threading.Lock()

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values."""
        with self._lock:
            for record in records:
                values = self.values.setdefault(record.name, [])
                if record.value not in values:
                    values.append(record.value)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values."""
        with self._lock:
            for record in records:
                left = [value for value in self.values.pop(record.name, []) if value != record.value]
                if left:
                    self.values[record.name] = left

    def look(self, name: str) -> set[str]:
        """Return the values at an absolute name: the ``look`` of :func:`check_driver`."""
        with self._lock:
            return set(self.values.get(name, []))


def check_driver(
    make: Callable[[], Driver],
    zone: str,
    *,
    look: Callable[[str], set[str]] | None = None,
    ttl: int = 60,
    patience: float = 60.0,
    clock: Clock | None = None,
) -> None:
    """Test a driver against the contract of :class:`~dnsrenew.Driver`, in a real zone.

    It writes about ten TXT values at unused names below the zone and removes them again. A host that allows only one
    value at a name (``values = "one"``) cannot pass.

    :param make: returns a new driver for each call, as dnsrenew does.
    :param zone: a zone that the driver may edit.
    :param look: returns the TXT values served at an absolute name; default: queries the name servers of the zone.
    :param ttl: TTL of the records in seconds; some hosts require more than 60.
    :param patience: seconds until ``look`` must show a change.
    :param clock: for tests of this function.
    :raises AssertionError: names the MUST that the driver violates.
    """
    check = _ConformanceRun(make, names.absolute(zone), look or _query_zone(), ttl, patience, clock or SystemClock())
    try:
        check.run()
    except BaseException as error:
        for note in check.clean_up():
            error.add_note(note)
        raise


class _ConformanceRun:
    def __init__(self, make: Callable[[], Driver], zone: str, look: ServedValues, *settings: Any) -> None:
        self._make, self._zone, self._served_values = make, zone, look
        self._ttl, self._patience, self._clock = settings
        label = secrets.token_hex(4)
        self._top = f"_acme-challenge-{label}.{zone}"
        self._deep = f"_acme-challenge.{label}.deep.{zone}"
        self._written: list[TxtRecord] = []

    def run(self) -> None:
        """Test each MUST of the contract."""
        one, two, foreign = self._records(self._top, 3)
        deep_one, deep_two = self._records(self._deep, 2)
        never = self._record(self._deep)

        self._do("add", [one, two], "add MUST write all values of one call at one name, exactly as given")
        self._do("add", [foreign], "add MUST keep the other values at the name")
        self._do("add", [one], "add MUST succeed for a value that already exists, and keep the others")
        self._do("add", [one, deep_one, deep_two], "add MUST write values at several names in one call")
        self._do("remove", [one], "remove MUST remove the value, and only it")
        self._do("remove", [one], "remove MUST succeed for a value that was removed already, and keep the others")
        self._do("remove", [never], "remove MUST succeed for a value that never existed, and keep the others")
        # As after an add that failed half-way: only some of the values exist.
        self._do("remove", [two, one, deep_one, never], "remove MUST remove those values of a call that exist")
        self._do("remove", [deep_two], "remove MUST remove the last value of a name")
        self._do("remove", [self._record(f"_gone.{self._top}")], "remove MUST succeed at a name that does not exist")
        self._do("remove", [foreign], "remove MUST remove the last value of a name")

    def clean_up(self) -> list[str]:
        """Remove all values, one by one; return a sentence for each that may be left."""
        notes: list[str] = []
        for record in self._written:
            try:
                if record.value in self._served_values(record.name):
                    self._make().remove([record])
            except _ANYTHING as error:
                notes.append(f"{record.value} may be left at {record.name}: removing it raised {_describe(error)}.")
        return notes

    def _record(self, name: str) -> TxtRecord:
        # Like a real value: 43 characters of base64url. Some tools take a leading hyphen for an option.
        return TxtRecord(self._zone, name, f"-_{secrets.token_urlsafe(32)}"[:43], self._ttl)

    def _records(self, name: str, count: int) -> list[TxtRecord]:
        return [self._record(name) for _ in range(count)]

    def _do(self, action: Literal["add", "remove"], records: list[TxtRecord], must: str) -> None:
        if action == "add":
            self._written += [record for record in records if record not in self._written]
        else:
            self._written = [record for record in self._written if record not in records]
        driver = self._new_driver()
        try:
            driver.add(records) if action == "add" else driver.remove(records)
        except _ANYTHING as error:
            self._written += [record for record in records if record not in self._written]  # unknown: clean_up checks
            raise AssertionError(f"{must}, but it raised {_describe(error)}") from error
        for name in (self._top, self._deep):
            self._await(name, {record.value for record in self._written if record.name == name}, must)

    def _new_driver(self) -> Driver:
        try:
            return self._make()
        except _ANYTHING as error:
            raise AssertionError(f"A driver MUST be created without error, but it raised {_describe(error)}") from error

    def _await(self, name: str, expected: set[str], must: str) -> None:
        end, pause = self._clock.monotonic() + self._patience, _FIRST_PAUSE
        while (found := self._served_values(name)) != expected:
            if self._clock.monotonic() >= end:
                raise AssertionError(f"{must}, but at {name} {_difference(found, expected)}.")
            self._clock.wait(pause, threading.Event())
            pause = min(pause * 2, _LONGEST_PAUSE)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _difference(found: set[str], expected: set[str]) -> str:
    missing, unexpected = sorted(expected - found), sorted(found - expected)
    parts = [f"{', '.join(missing)} is missing"] if missing else []
    parts += [f"{', '.join(unexpected)} exists"] if unexpected else []
    return " and ".join(parts)


def _query_zone() -> ServedValues:
    from dnsrenew.dns import DnsView
    from dnsrenew.model import Resolver
    from dnsrenew.runtime.context import Context

    context = Context()
    view = DnsView(Resolver())
    return lambda name: view.values(context, name)
