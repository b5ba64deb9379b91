"""check_driver finds the faults of a driver."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from dnsrenew.base.model import TxtRecord
from dnsrenew.base.secrets import Secret
from dnsrenew.errors import ProviderError
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


def rewritten(change: Callable[[TxtRecord], TxtRecord]) -> type[InMemoryDriver]:
    """A driver that writes and removes other records than those it was given."""

    class Rewriting(InMemoryDriver):
        """A driver that changes what it is given."""

        def add(self, records: Sequence[TxtRecord]) -> None:
            """Add something else."""
            super().add([change(record) for record in records])

        def remove(self, records: Sequence[TxtRecord]) -> None:
            """Remove something else."""
            super().remove([change(record) for record in records])

    return Rewriting


class OneOfTwo(InMemoryDriver):
    """A driver that writes a value again that exists, and removes one of the two."""

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Add without a look."""
        for record in records:
            self.values.setdefault(record.name, []).append(record.value)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the first one."""
        for record in records:
            if record.value in self.look(record.name):
                self.values[record.name].remove(record.value)


class FirstPage(InMemoryDriver):
    """A driver that reads the first page of a list only, which has two records."""

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove what stands there."""
        page = [(name, value) for name, values in sorted(self.values.items()) for value in values][:2]
        super().remove([record for record in records if (record.name, record.value) in page])


class Greedy(InMemoryDriver):
    """A driver whose remove takes all challenges of the zone."""

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove too much."""
        for name in [name for name in self.values if name.startswith("_acme-challenge")]:
            del self.values[name]


@pytest.mark.parametrize(
    "kind",
    [
        rewritten(lambda record: replace(record, value=f'"{record.value}"')),
        rewritten(lambda record: replace(record, value=record.value.lstrip("-"))),
        rewritten(lambda record: replace(record, name=record.name.removeprefix("_"))),
        rewritten(lambda record: replace(record, name=f"{record.name}{record.zone}")),
        OneOfTwo,
        FirstPage,
        Greedy,
    ],
    ids=["quotes", "hyphens", "owner", "zone", "one of two", "first page", "other names"],
)
def test_a_wrong_driver_is_found(kind: type[InMemoryDriver]) -> None:
    """What other drivers have done wrong is found with a MUST that is broken."""
    assert "MUST" in says(kind())


def test_identifiers_in_the_instance_are_found() -> None:
    """A driver is made for each call, so what it remembers in itself is gone."""
    host = InMemoryDriver()

    class Remembering:
        """A driver that knows only what it has written itself."""

        def __init__(self) -> None:
            self.own: list[TxtRecord] = []

        def add(self, records: Sequence[TxtRecord]) -> None:
            """Add, and remember."""
            host.add(records)
            self.own += records

        def remove(self, records: Sequence[TxtRecord]) -> None:
            """Remove what is remembered."""
            host.remove([record for record in records if record in self.own])

    with pytest.raises(AssertionError, match="remove MUST remove the value, and only it"):
        check_driver(Remembering, "example.test", look=host.look, clock=FakeClock(), patience=1)


class Telling(InMemoryDriver):
    """A driver with a secret, that shows it in one way.

    :param how: ``log``, ``provider`` (in an error of dnsrenew) or ``runtime`` (in any other).
    """

    def __init__(self, how: str, secret: Secret) -> None:
        super().__init__()
        self._how, self._secret = how, secret

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Log the secret, or refuse it."""
        token = self._secret.reveal()
        if self._how == "log":
            logging.getLogger("mine").debug("POST with %s", token)
        if token.startswith("wr0ng"):
            if self._how == "runtime":
                raise RuntimeError(f"401 Unauthorized: {token}")
            shown = token if self._how == "provider" else "The token"
            raise ProviderError("provider-unauthorized", f"{shown} is refused.", fix="Check it.")
        super().add(records)


@pytest.mark.parametrize("how", ["log", "provider", "runtime"])
def test_a_driver_that_shows_its_secret_is_found(how: str) -> None:
    """A secret in the log or in an exception is found, and the failure does not show it either."""
    good, bad = Telling(how, Secret("t0ken-98765")), Telling(how, Secret("wr0ng-98765"))
    with pytest.raises(AssertionError, match=r"MUST keep its secrets out of its (log|exceptions)") as caught:
        check_driver(lambda: good, "example.test", look=good.look, wrong=lambda: bad, clock=FakeClock())
    assert "98765" not in str(caught.value)
    assert Secret("x").reveal() == "x"
    assert logging.root.level != logging.NOTSET


class Purging(InMemoryDriver):
    """A driver whose remove empties the zone, except for challenges."""

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove too much."""
        super().remove(records)
        for name in [name for name in self.values if not name.startswith("_acme-challenge")]:
            del self.values[name]


def test_a_driver_that_removes_other_records_is_found() -> None:
    """SPF and DKIM are TXT records too: what is not a challenge is not its own."""
    assert "MUST keep the TXT values at all other names of the zone" in says(Purging())


class Doubling(InMemoryDriver):
    """A driver that adds a value again that exists already."""

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Add without a look."""
        for record in records:
            self.values.setdefault(record.name, []).append(record.value)


def test_a_value_that_exists_twice_is_found() -> None:
    """A ``look`` that returns a list shows it; a set cannot."""
    driver = Doubling()
    with pytest.raises(AssertionError, match=r"add MUST succeed for a value that already exists.* twice"):
        check_driver(lambda: driver, "example.test", look=lambda name: driver.values.get(name, []), clock=FakeClock())


@pytest.mark.parametrize("ttl", [60, 300])
def test_a_wrong_ttl_is_found(ttl: int) -> None:
    """A ``look`` that returns a mapping shows the TTL of each value."""
    driver = InMemoryDriver()

    def check() -> None:
        check_driver(
            lambda: driver, "example.test", look=lambda name: dict.fromkeys(driver.look(name), ttl), clock=FakeClock()
        )

    if ttl == 60:
        check()
        return
    with pytest.raises(AssertionError, match="add MUST write the values with the TTL as given"):
        check()


class Slow(InMemoryDriver):
    """A driver whose add takes three seconds."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Take time."""
        self.clock.wait(3, threading.Event())
        super().add(records)


def test_a_slow_driver_is_warned_of() -> None:
    """It keeps the contract, but a run with it takes long."""
    driver = Slow(FakeClock())
    with pytest.warns(UserWarning, match=r"took 3\.0 s"):
        check_driver(lambda: driver, "example.test", look=driver.look, clock=driver.clock)


def test_a_driver_that_ignores_its_cancel_is_found() -> None:
    """A driver whose caller has gone must write nothing more, or the value stays for ever."""
    good, none = InMemoryDriver(), InMemoryDriver()
    check_driver(lambda: good, "example.test", look=good.look, cancelled=lambda: none, clock=FakeClock())
    with pytest.raises(AssertionError, match=r"write nothing after its context was cancelled.* check\(\)"):
        check_driver(lambda: good, "example.test", look=good.look, cancelled=lambda: good, clock=FakeClock())
    assert good.values == {}


class ChallengesOnly(InMemoryDriver):
    """A driver for a host that takes challenges only."""

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Refuse other names."""
        if not all(record.name.startswith("_acme-challenge") for record in records):
            raise ValueError("not a challenge")
        super().add(records)


def test_a_host_that_takes_challenges_only_passes() -> None:
    """The value at another name is not needed."""
    driver = ChallengesOnly()
    check_driver(lambda: driver, "example.test", look=driver.look, clock=FakeClock())
    assert driver.values == {}


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
        if name.startswith("_acme-challenge")
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
        if len(driver.values) == 2 and len(driver.look(name)) == 3 and not interrupted:
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


def test_what_is_lost_where_a_change_takes_time_is_found() -> None:
    """A value at another name is missed, though name servers showed it late."""

    class Both(Lagging, Purging):
        pass

    driver = Both(clock := FakeClock())
    with pytest.raises(AssertionError, match="MUST keep the TXT values at all other names"):
        check_driver(lambda: driver, "example.test", look=driver.look, clock=clock, patience=10)
