"""check_driver finds the faults of a driver."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dnsrenew.base.model import TxtRecord
from dnsrenew.testing import InMemoryDriver, check_driver
from tests.kit.clock import FakeClock


def says(driver: InMemoryDriver) -> str:
    """The sentence that the test ends with."""
    with pytest.raises(AssertionError) as caught:
        check_driver(lambda: driver, "example.test", look=driver.look, clock=FakeClock(), patience=1)
    return str(caught.value)


def test_a_good_driver_passes_and_leaves_nothing() -> None:
    """The in-memory driver passes. Foreign values stay and test values are removed."""
    driver = InMemoryDriver()
    driver.add([TxtRecord("example.test.", "_acme-challenge.example.test.", "foreign", 60)])
    check_driver(lambda: driver, "example.test.", look=driver.look, patience=0)
    assert driver.values == {"_acme-challenge.example.test.": ["foreign"]}


class Replacing(InMemoryDriver):
    """A driver that replaces the existing values of a name."""

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Replace."""
        for record in records:
            self.values[record.name] = [r.value for r in records if r.name == record.name]


class OnlyFirst(InMemoryDriver):
    """A driver that adds only the first record of a call."""

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Add one."""
        super().add(records[:1])


class FussyAdd(InMemoryDriver):
    """A driver whose add fails if a value exists already."""

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Add or fail."""
        if any(record.value in self.look(record.name) for record in records):
            raise ValueError("exists")
        super().add(records)


class FussyRemove(InMemoryDriver):
    """A driver whose remove fails if a value does not exist."""

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove or fail."""
        if not all(record.value in self.look(record.name) for record in records):
            raise KeyError("no such record")
        super().remove(records)


class Sweeping(InMemoryDriver):
    """A driver that removes all values of a name."""

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove all values of the names."""
        for record in records:
            self.values.pop(record.name, None)


class Lowering(InMemoryDriver):
    """A driver that writes values in lower case."""

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Add in lower case."""
        super().add([TxtRecord(r.zone, r.name, r.value.lower(), r.ttl) for r in records])


class Stopping(InMemoryDriver):
    """A driver whose remove stops at the first absent value."""

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove until one is gone."""
        for record in records:
            if record.value not in self.look(record.name):
                return
            super().remove([record])


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (Replacing, "add MUST keep the other values at the name"),
        (OnlyFirst, "add MUST write all values of one call at one name, exactly as given"),
        (FussyAdd, "add MUST succeed for a value that already exists"),
        (FussyRemove, "remove MUST succeed for a value that was removed already"),
        (Sweeping, "remove MUST remove the value, and only it"),
        (Lowering, "exactly as given"),
        (Stopping, "remove MUST remove those values of a call that exist"),
    ],
)
def test_each_broken_must_is_named(kind: type[InMemoryDriver], sentence: str) -> None:
    """A driver that breaks a MUST fails with the sentence that names it."""
    assert sentence in says(kind())


def test_a_driver_that_raises_is_reported_with_its_exception() -> None:
    """The failure has the exception's type and message, and the exception as its cause."""
    driver = FussyAdd()
    with pytest.raises(AssertionError, match=r"but it raised ValueError: exists") as caught:
        check_driver(lambda: driver, "example.test", look=driver.look, clock=FakeClock())
    assert isinstance(caught.value.__cause__, ValueError)


def test_what_a_failed_test_wrote_is_removed() -> None:
    """A failed test leaves no values."""
    driver = FussyAdd()
    says(driver)
    assert driver.values == {}


class Popping(InMemoryDriver):
    """A driver that removes all values of a name and raises an error for an absent name."""

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Pop."""
        for record in records:
            self.values.pop(record.name)


class Refusing(InMemoryDriver):
    """A driver whose remove ends the program."""

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Leave."""
        raise SystemExit(3)


def test_the_verdict_is_not_replaced_by_what_the_driver_raises_while_it_is_cleaned_up() -> None:
    """The failed MUST is reported even if the cleanup fails too. Values that may be left are notes."""
    assert "remove MUST remove the value, and only it, but at" in says(Popping())
    driver = Refusing()
    with pytest.raises(AssertionError, match="but it raised SystemExit: 3") as caught:
        check_driver(lambda: driver, "example.test", look=driver.look, clock=FakeClock())
    assert sorted(caught.value.__notes__) == sorted(
        f"{value} may be left at {name}: removing it raised SystemExit: 3."
        for name, values in driver.values.items()
        for value in values
    )


def test_a_driver_that_cannot_be_made_is_reported_as_one() -> None:
    """The failure names the exception that the constructor raised."""

    def make() -> InMemoryDriver:
        raise KeyError("token")

    with pytest.raises(AssertionError, match="A driver MUST be created without error, but it raised KeyError: 'token'"):
        check_driver(make, "example.test", look=lambda _: set())


def test_a_test_that_is_interrupted_cleans_up() -> None:
    """Ctrl-C removes the test values and raises KeyboardInterrupt."""
    driver = InMemoryDriver()

    def look(name: str) -> set[str]:
        if len(driver.values) == 1 and len(driver.look(name)) == 3 and not interrupted:
            interrupted.append(name)
            raise KeyboardInterrupt
        return driver.look(name)

    interrupted: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        check_driver(lambda: driver, "example.test", look=look, clock=FakeClock())
    assert driver.values == {}


class Lagging(InMemoryDriver):
    """A driver whose changes are visible three seconds later."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.shown_from = 0.0
        self.before: dict[str, list[str]] = {}

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Add, unseen as yet."""
        self._remember()
        super().add(records)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove, still seen."""
        self._remember()
        super().remove(records)

    def look(self, name: str) -> set[str]:
        """Return what is seen now."""
        seen = self.values if self.clock.elapsed >= self.shown_from else self.before
        return set(seen.get(name, []))

    def _remember(self) -> None:
        self.before = {name: list(values) for name, values in self.values.items()}
        self.shown_from = self.clock.elapsed + 3


def test_a_change_that_takes_time_is_waited_for() -> None:
    """The test polls until the change is visible or its patience ends."""
    clock = FakeClock()
    driver = Lagging(clock)
    check_driver(lambda: driver, "example.test", look=driver.look, clock=clock, patience=10)
    assert clock.elapsed > 20
    assert driver.values == {}
    with pytest.raises(AssertionError, match="is missing"):
        check_driver(lambda: driver, "example.test", look=driver.look, clock=clock, patience=2)
