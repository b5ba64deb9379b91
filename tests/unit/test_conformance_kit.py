"""The conformance check as a list of MUSTs: continuing after a broken one, and what is not tested and why."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.errors import Phrase, ProviderError
from dnsrenew.testing import InMemoryDriver, texts
from dnsrenew.testing.account_check import wrong_secret
from dnsrenew.testing.conformance import ConformanceRun, DriverHost, MustResult
from dnsrenew.testing.driver_check import DriverCheck, check_driver
from dnsrenew.testing.script import MANY, ONE, TWO, Needs, after, script
from tests.kit.clock import FakeClock

ZONE = "example.test."


def host_of(driver: InMemoryDriver, **changes: Any) -> DriverHost:
    """A host that is a driver in memory."""
    lacks = changes.pop("lacks", {"wrong": texts.NO_SECRET})
    ways: dict[str, Any] = {
        "add": driver.add,
        "remove": driver.remove,
        "served": driver.look,
        "ttl": lambda _: 60,
        "add_wrong": None,
        "lacks": lacks,
        "values": "many",
        "zone": ZONE,
        "record_ttl": 60,
        "patience": 1,
    }
    return DriverHost(**ways | changes)


def run(host: DriverHost, **how: Any) -> ConformanceRun:
    """A check that needs no time."""
    return ConformanceRun(Context(clock=FakeClock()), host, **how)


def checked(host: DriverHost, **how: Any) -> dict[str, MustResult]:
    """The results; afterwards nothing is left."""
    one = run(host, **how)
    results = {each.key: each for each in one.results()}
    assert one.clean_up() == []
    return results


class KeepsTwo(InMemoryDriver):
    """Keeps two values at a name."""

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Add, and forget the oldest."""
        super().add(records)
        for record in records:
            self.values[record.name] = self.values[record.name][-2:]


def test_the_check_goes_on_after_a_broken_must() -> None:
    """After a broken MUST, later steps are tested at new names.

    A step without its precondition is not tested, with the reason.
    """
    found = checked(host_of(KeepsTwo()))
    verdicts = {key: each.result for key, each in found.items()}
    assert list(verdicts)[:3] == ["add-writes", "ttl", "add-keeps-others"]
    assert verdicts["add-keeps-others"] == verdicts["burst"] == "broken"
    assert verdicts["add-again"] == "not-tested"
    assert "is missing" in found["add-again"].reason
    assert verdicts["parallel-names"] == verdicts["remove-no-name"] == "ok"
    assert set(verdicts) == set(texts.MUSTS)


@pytest.mark.parametrize("key", sorted({step.key for step in MANY} - {"wrong-credentials"}))
def test_each_must_can_be_tested_alone(key: str) -> None:
    """Each MUST can be tested alone. Its preparation uses new names, and there is one result."""
    driver = InMemoryDriver()
    driver.add([TxtRecord(ZONE, f"_acme-challenge.{ZONE}", "foreign", 60)])
    found = checked(host_of(driver), only=key)
    assert {name: each.result for name, each in found.items()} == {key: "ok"}
    assert driver.values == {f"_acme-challenge.{ZONE}": ["foreign"]}


def test_a_host_with_one_value() -> None:
    """Steps that need two values at a name are not tested. The others pass for a host that replaces values."""

    class Replacing(InMemoryDriver):
        def add(self, records: Sequence[TxtRecord]) -> None:
            self.values.update({record.name: [record.value] for record in records})

    found = checked(host_of(Replacing(), values="one"))
    untested = {key for key, each in found.items() if each.result == "not-tested"}
    assert untested == {"add-keeps-others", "remove-half", "parallel-name", "wrong-credentials"}
    assert all(each.result == "ok" for key, each in found.items() if key not in untested)
    assert found["remove-half"].reason == texts.ONE_VALUE


def test_a_host_that_needs_no_removals() -> None:
    """A host that needs no removals gets none, not even at the end."""

    def remove(_: object) -> None:
        raise AssertionError("it was asked to remove")

    driver = InMemoryDriver()
    found = checked(host_of(driver, remove=remove, lacks={"removes": texts.NOTHING_TO_REMOVE}, add_wrong=driver.add))
    assert {each.result for key, each in found.items() if key.startswith("remove")} == {"not-tested"}
    assert found["add-several-names"].result == "ok"
    assert driver.values


def test_an_account_with_one_name_of_two_values() -> None:
    """A host with two values at one fixed name, as acme-dns, passes the steps that apply to it."""

    class Ring(InMemoryDriver):
        def add(self, records: Sequence[TxtRecord]) -> None:
            for record in records:
                values = [*self.values.get(record.name, ["old", "older"]), record.value]
                self.values[record.name] = values[-2:]

    at, driver = f"4f2a.{ZONE}", Ring()
    names: dict[Needs, Phrase] = dict.fromkeys(("names", "parallel"), texts.ONE_NAME)
    lacks: dict[Needs, Phrase] = {**names, "removes": texts.NOTHING_TO_REMOVE}
    found = checked(host_of(driver, values="two", lacks=lacks, add_wrong=raising("provider-unauthorized"), at=at))
    kept = {key for key, each in found.items() if each.result == "ok"}
    assert kept == {"add-writes", "ttl", "add-again", "burst", "wrong-credentials"}
    assert {each.result for key, each in found.items() if key not in kept} == {"not-tested"}
    assert list(driver.values) == [at]
    assert found["add-several-names"].reason == texts.ONE_NAME
    assert found["add-keeps-others"].reason == texts.TWO_VALUES


@pytest.mark.parametrize(
    "code",
    [
        "provider-unauthorized",
        "provider-unreachable",
        "provider-timeout",
        "provider-untrusted",
        "provider-zone-unknown",
    ],
)
def test_a_first_write_without_hope_is_the_last(code: str) -> None:
    """If the first write fails for good, no further step is tested and the host gets no further request."""
    calls: list[object] = []
    refuse = raising(code)

    def add(records: Sequence[TxtRecord]) -> None:
        calls.append(records)
        refuse(records)

    driver = InMemoryDriver()
    one = run(host_of(driver, add=add, remove=calls.append, add_wrong=add, lacks={}))
    results = list(one.results())
    assert [each.key for each in results] == list(texts.MUSTS)
    assert [each.result for each in results] == ["broken", *["not-tested"] * (len(results) - 1)]
    assert {each.reason for each in results[1:]} == {texts.STOPPED}
    assert one.clean_up() == []
    assert len(calls) == 1


def test_a_host_that_writes_nothing() -> None:
    """If nothing of the first write is seen, no further step is tested. Each wait of some seconds is reported once."""
    clock, calls, waits = FakeClock(), list[object](), list[tuple[str, float]]()
    host = host_of(InMemoryDriver(), add=calls.append, remove=calls.append)
    note = lambda name, seconds: waits.append((name, seconds))  # noqa: E731
    one = ConformanceRun(Context(clock=clock), replace(host, patience=600, on_wait=note))
    results = list(one.results())
    assert [each.result for each in results] == ["broken", *["not-tested"] * (len(results) - 1)]
    assert {each.reason for each in results[1:]} == {texts.NOT_SEEN}
    assert clock.elapsed < 610
    assert len(calls) == 1
    ((name, seconds),) = waits
    assert name.endswith(f".{ZONE}")
    assert 590 < seconds < 600


def test_a_host_that_writes_a_part() -> None:
    """If a part of the first write is seen, the other steps are tested."""
    driver = InMemoryDriver()
    found = checked(host_of(driver, add=lambda records: driver.add(records[:1])))
    assert found["add-writes"].result == "broken"
    assert found["remove-no-name"].result == "ok"


def test_values_of_a_refused_call_are_not_said_to_be_left() -> None:
    """Values of a refused call are not reported as left over."""

    def blind(_: str) -> set[str]:
        raise ProviderError("dns-unreachable", "No answer.", fix="Ask.")

    refuse = raising("provider-unauthorized")
    one = run(host_of(InMemoryDriver(), add=refuse, remove=refuse, served=blind))
    assert next(iter(one.results())).result == "broken"
    assert one.clean_up() == []


def test_a_later_refusal_is_not_the_end() -> None:
    """After one successful write every MUST is tested, even if a later call fails."""
    driver = InMemoryDriver()
    refuse = raising("provider-timeout", calls=1)

    def add(records: Sequence[TxtRecord]) -> None:
        refuse(records)
        driver.add(records)

    found = checked(host_of(driver, add=add))
    assert (found["add-writes"].result, found["add-keeps-others"].result) == ("ok", "broken")
    assert found["remove-no-name"].result == "ok"


@pytest.mark.parametrize("zone", ["not a zone..", "", "*.example.test"])
def test_a_zone_that_is_no_domain_name(zone: str) -> None:
    """An invalid zone is an error of the caller. It is raised before anything is written."""
    driver = InMemoryDriver()
    with pytest.raises(ValueError, match="zone="):
        check_driver(lambda: driver, zone, look=driver.look)
    assert driver.values == {}


@pytest.mark.parametrize(("ttl", "result"), [(60, "ok"), (3600, "broken")])
def test_the_ttl_is_compared(ttl: int, result: str) -> None:
    """The TTL is compared with that of the servers."""
    found = checked(host_of(InMemoryDriver(), ttl=lambda _: ttl))["ttl"]
    assert (found.result, found.reason.endswith("is 3600 instead of 60 seconds.")) == (result, result == "broken")


def raising(code: str, calls: int = 0) -> Callable[[Sequence[TxtRecord]], None]:
    """Return a function that raises an error after the given number of calls."""
    made: list[object] = []

    def refuse(records: Sequence[TxtRecord]) -> None:
        made.append(records)
        if len(made) > calls:
            raise ProviderError(code, "The host says no.", fix="Ask it.")

    return refuse


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (ProviderError("provider-unauthorized", "No.", fix="Ask."), "ok"),
        (PermissionError("403 Forbidden: invalid token"), "broken"),  # an OSError: no answer of a host
        (ValueError("401: invalid token"), "ok"),
        (ProviderError("provider-refused", "No.", fix="Ask."), "broken"),
        (None, "broken"),
    ],
)
def test_wrong_credentials(error: Exception | None, result: str) -> None:
    """Wrong credentials must raise an error with the code of a refused login."""
    driver = InMemoryDriver()

    def add_wrong(records: Sequence[TxtRecord]) -> None:
        if error is not None:
            raise error
        driver.add(records)

    found = checked(host_of(driver, add_wrong=add_wrong, lacks={}))["wrong-credentials"]
    assert found.result == result, found.reason
    assert driver.values == {}


def test_wrong_credentials_that_write_all_the_same() -> None:
    """A host that refuses wrong credentials but still writes breaks the MUST."""
    driver = InMemoryDriver()

    def add_wrong(records: Sequence[TxtRecord]) -> None:
        driver.add(records)
        raise ProviderError("provider-unauthorized", "No.", fix="Ask.")

    found = checked(host_of(driver, add_wrong=add_wrong, lacks={}))["wrong-credentials"]
    assert (found.result, "exists" in found.reason) == ("broken", True)


@pytest.mark.parametrize(("code", "result"), [("provider-rate-limited", "ok"), ("provider-refused", "broken")])
def test_a_host_may_ask_to_wait(code: str, result: str) -> None:
    """A host may ask to wait during the burst, with the right code."""
    driver = InMemoryDriver()
    refuse = raising(code, calls=3)

    def add(records: Sequence[TxtRecord]) -> None:
        refuse(records)
        driver.add(records)

    assert checked(host_of(driver, add=add), only="burst")["burst"].result == result


class Racing(InMemoryDriver):
    """Reads, lets others write, and writes all values of the name."""

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Overwrite values that a concurrent call has written."""
        before = {record.name: sorted(self.look(record.name)) for record in records}
        FakeClock(pause=0.02).wait(0.02, Context().cancel)
        for name, values in before.items():
            written = [record.value for record in records if record.name == name]
            self.values[name] = list(dict.fromkeys([*values, *written]))


def test_a_driver_that_loses_values_of_another_is_found() -> None:
    """A driver that loses concurrent writes breaks only the MUST about parallel writes at one name."""
    found = checked(host_of(Racing()))
    assert [key for key, each in found.items() if each.result == "broken"] == ["parallel-name"]


def test_parallel_calls_are_made_on_demand() -> None:
    """check_driver tests parallel calls only with `parallel=True`: some hosts allow one writer at a time."""
    driver = Racing()
    result = {
        each.key: each for each in DriverCheck(InMemoryDriver, ZONE, look=lambda _: set(), only="parallel-name").run()
    }
    assert result["parallel-name"].reason == texts.NOT_PARALLEL
    with pytest.raises(AssertionError, match="at one name at the same time"):
        DriverCheck(lambda: driver, ZONE, look=driver.look, parallel=True, patience=0, only="parallel-name").run()


def test_check_driver_with_wrong_credentials() -> None:
    """A driver that accepts wrong credentials fails."""
    driver = InMemoryDriver()
    with pytest.raises(AssertionError, match="With wrong credentials"):
        check_driver(lambda: driver, ZONE, look=driver.look, wrong=lambda: driver, clock=FakeClock())
    assert driver.values == {}


def test_values_that_stay_are_reported() -> None:
    """If final removals fail, each value that stays has a note."""
    driver = InMemoryDriver()
    removing = run(host_of(driver, remove=raising("provider-refused")), only="burst")
    assert [each.result for each in removing.results()] == ["ok"]
    assert len(removing.clean_up()) == 5


def test_the_json_form() -> None:
    """A broken MUST has an error with the driver's code or one of dnsrenew."""
    refused = MustResult("add-writes", "broken", 0.1, "x", ProviderError("provider-refused", "No.", fix="Ask."))
    assert refused.to_dict()["error"]["code"] == "provider-refused"
    broken = MustResult("add-writes", "broken", 0.1, "add MUST …, but …").to_dict()
    assert (broken["must"], broken["error"]["code"]) == ("add-writes", "must-broken")
    assert MustResult("add-writes", "not-tested", 0, "because").to_dict()["error"] is None


def test_the_script_needs_what_was_written_before() -> None:
    """Each step's precondition is fulfilled by the earlier steps."""
    for steps in (MANY, ONE, TWO):
        present: frozenset[str] = frozenset()
        for step, before in script("many" if steps is MANY else "one" if steps is ONE else "two", ()):
            assert before == present
            present = after(present, step.phases)
        assert all(word.startswith("burst") for word in present) or (steps is TWO and len(present) == 2)
    assert [step.key for step in MANY] == list(texts.MUSTS)


@pytest.mark.parametrize(
    ("secret", "wrong"),
    [
        ("0123456789abcdef", "1234567890bcdefa"),
        ("Zz9/+=", "Gg0/+="),
        (" token\n", "uplfo"),
        ("-----BEGIN KEY-----\nabc\n", None),
        ('{"key": "x"}', None),
        ("--", None),
        ("", None),
    ],
)
def test_a_wrong_secret_has_the_form_of_the_right_one(secret: str, wrong: str | None) -> None:
    """A wrong secret has the form of the right one, so that the host refuses the secret, not its form."""
    assert wrong_secret(secret) == wrong


def test_a_failure_shows_the_test_and_not_the_kit(tmp_path: Path) -> None:
    """What pytest prints of a broken driver has the sentence, and no line of the check itself."""
    (tmp_path / "test_mine.py").write_text(
        "from dnsrenew.testing import InMemoryDriver, check_driver\n\n"
        "class Forgets(InMemoryDriver):\n    def remove(self, records):\n        pass\n\n"
        "def test_mine():\n    driver = Forgets()\n"
        "    check_driver(lambda: driver, 'example.test', look=driver.look, patience=0.01)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "test_mine.py:9: AssertionError" in done.stdout
    assert "run.results()" not in done.stdout
