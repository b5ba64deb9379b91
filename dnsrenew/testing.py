"""For the tests of those who write drivers, or programs that use dnsrenew."""

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
"""What a driver may raise; not what stops the test from outside."""

ServedValues = Callable[[str], set[str]]


class InMemoryDriver:
    """A driver that writes into a dictionary: for tests, and as an example.

    :ivar values: the values at each absolute name, in the order in which they were written.
    """

    def __init__(self, context: object = None) -> None:
        self.context = context
        self.values: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values."""
        with self._lock:
            for record in records:
                there = self.values.setdefault(record.name, [])
                if record.value not in there:
                    there.append(record.value)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Take the values away."""
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
    look: ServedValues | None = None,
    ttl: int = 60,
    patience: float = 60.0,
    clock: Clock | None = None,
) -> None:
    """Test a driver against the contract of :class:`~dnsrenew.drivers.Driver`, in a real zone.

    It writes some ten TXT values at names of its own below the zone and removes them again. A host that keeps one
    value only (``values = "one"``) cannot pass.

    :param make: returns a new driver; called for each call, as dnsrenew does.
    :param zone: a zone that the driver may write.
    :param look: returns the TXT values that are served at an absolute name; default: the zone's own servers are asked.
    :param ttl: seconds, for the records; some hosts want more than 60.
    :param patience: seconds until a change must be visible to ``look``.
    :param clock: for tests of this test.
    :raises AssertionError: with a sentence that names the MUST that was not kept.
    """
    check = _ConformanceRun(make, names.absolute(zone), look or _ask_the_zone(), ttl, patience, clock or SystemClock())
    try:
        check.run()
    except BaseException as verdict:
        for sentence in check.clean_up():
            verdict.add_note(sentence)
        raise


class _ConformanceRun:
    def __init__(self, make: Callable[[], Driver], zone: str, look: ServedValues, *settings: Any) -> None:
        self._make, self._zone, self._look = make, zone, look
        self._ttl, self._patience, self._clock = settings
        mark = secrets.token_hex(4)
        self._top = f"_acme-challenge-{mark}.{zone}"
        self._deep = f"_acme-challenge.{mark}.deep.{zone}"
        self._written: list[TxtRecord] = []

    def run(self) -> None:
        """Go through the contract, MUST by MUST."""
        one, two, foreign = self._records(self._top, 3)
        deep_one, deep_two = self._records(self._deep, 2)
        never = self._record(self._deep)

        self._do("add", [one, two], "add MUST write all values of one call at one name, exactly as given")
        self._do("add", [foreign], "add MUST keep the other values at the name")
        self._do("add", [one], "add MUST succeed for a value that stands already, and keep the others")
        self._do("add", [one, deep_one, deep_two], "add MUST write values at several names in one call")
        self._do("remove", [one], "remove MUST remove the value, and only it")
        self._do("remove", [one], "remove MUST succeed for a value that is gone, and keep the others")
        self._do("remove", [never], "remove MUST succeed for a value that never stood, and keep the others")
        # As after an add that failed half-way: some of the values were written, some were not.
        self._do("remove", [two, one, deep_one, never], "remove MUST remove those values of a call that stand")
        self._do("remove", [deep_two], "remove MUST remove the last value of a name")
        self._do("remove", [self._record(f"_gone.{self._top}")], "remove MUST succeed at a name that does not exist")
        self._do("remove", [foreign], "remove MUST remove the last value of a name")

    def clean_up(self) -> list[str]:
        """Remove all that was written, one by one; return in sentences what could not be."""
        notes: list[str] = []
        for record in self._written:
            try:
                if record.value in self._look(record.name):
                    self._make().remove([record])
            except _ANYTHING as error:
                notes.append(f"{record.value} may be left at {record.name}: removing it raised {_named(error)}.")
        return notes

    def _record(self, name: str) -> TxtRecord:
        # As a CA's: 43 characters of base64url. A hyphen in front has been taken for an option before now.
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
            self._written += [record for record in records if record not in self._written]  # who knows: clean_up looks
            raise AssertionError(f"{must}, but it raised {_named(error)}") from error
        for name in (self._top, self._deep):
            self._await(name, {record.value for record in self._written if record.name == name}, must)

    def _new_driver(self) -> Driver:
        try:
            return self._make()
        except _ANYTHING as error:
            raise AssertionError(f"A driver MUST be made without an error, but it raised {_named(error)}") from error

    def _await(self, name: str, expected: set[str], must: str) -> None:
        end, pause = self._clock.monotonic() + self._patience, _FIRST_PAUSE
        while (seen := self._look(name)) != expected:
            if self._clock.monotonic() >= end:
                raise AssertionError(f"{must}, but at {name} {_difference(seen, expected)}.")
            self._clock.wait(pause, threading.Event())
            pause = min(pause * 2, _LONGEST_PAUSE)


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _difference(seen: set[str], expected: set[str]) -> str:
    missing, more = sorted(expected - seen), sorted(seen - expected)
    said = [f"{', '.join(missing)} is missing"] if missing else []
    return " and ".join([*said, *([f"{', '.join(more)} stands"] if more else [])])


def _ask_the_zone() -> ServedValues:
    from dnsrenew.dns import DnsView
    from dnsrenew.model import Resolver
    from dnsrenew.runtime.context import Context

    context = Context()
    view = DnsView(Resolver())
    return lambda name: view.values(context, name)
