"""The cleanup: it removes the values that killed runs left in DNS, and nothing else."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.challenges.leftovers import CleanupResult, Leftovers, cleanup, cleanup_before_run
from dnsrenew.challenges.records import writers_of
from dnsrenew.drivers.provider import OWN_OBJECT, Behaviour, OptionSpec, Provider
from dnsrenew.errors import Cancelled, DnsError, LockedError, ProviderError, StoreError
from dnsrenew.store.atomic_io import AtomicFiles
from dnsrenew.store.journal import JournalFolder, WrittenValue
from dnsrenew.store.paths import Paths
from dnsrenew.store.zone_locks import ZoneLocks
from dnsrenew.testing import InMemoryDriver
from tests.kit.clock import FakeClock
from tests.kit.load import allowed

CANARY = "c4nary/+secret"


class Failing(InMemoryDriver):
    """A host that refuses to remove values in these zones, with these errors in turn (the last one repeated)."""

    def __init__(self, *errors: Exception, zones: Sequence[str] = ()) -> None:
        super().__init__()
        self.errors = list(errors)
        self.zones = zones
        self.calls: list[list[TxtRecord]] = []

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Refuse."""
        self.calls.append(list(records))
        if not self.zones or {record.zone for record in records} & set(self.zones):
            raise self.errors.pop(0) if len(self.errors) > 1 else self.errors[0]
        super().remove(records)


class Hanging(InMemoryDriver):
    """A host that does not respond until the test is over."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.go = threading.Event()

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Wait."""
        self.asked.set()
        self.go.wait(30)


class LeftoverStage:
    """A store, accounts at fake hosts, and the events."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = JournalFolder(AtomicFiles(), Paths(str(root)))
        self.accounts: dict[str, DnsAccount] = {}
        self.providers: dict[str, Provider] = {}
        self.locked: list[str] = []
        self.refused_locks: set[str] = set()
        self.events: list[Event] = []
        self.context = Context(emitter=Emitter(SystemClock(), self.events.append))

    def account(self, name: str, driver: Any = None, server: str = "ns.test", **behaviour: Any) -> Any:
        """Add an account with its own host."""
        driver = driver or InMemoryDriver()
        self.accounts[name] = DnsAccount(f"host-{name}", name=name, driver=driver, server=server)
        self.providers[f"host-{name}"] = Provider(
            name=f"host-{name}",
            title=name.title(),
            driver=OWN_OBJECT,
            any_options=True,
            options={"server": OptionSpec()},
            behaviour=Behaviour(**behaviour),
        )
        return driver

    def leave_values(self, *values: WrittenValue, certificate: str = "home") -> None:
        """Write values as a run that is killed."""
        writers = {name: self.accounts[name] for _record, name in values if name in self.accounts}
        marks = {name: self.providers[each.provider].host_fingerprint(each) for name, each in writers.items()}
        self.journal.enter(self.context, certificate, values, marks).keep()
        for record, account in values:
            if account in self.accounts:
                self.accounts[account].options["driver"].add([record])

    @contextlib.contextmanager
    def value(self, _context: Context, key: str) -> Iterator[None]:
        """Record the lock; some are held by another run."""
        if key in self.refused_locks:
            raise LockedError("locked", f"The DNS zone {key} is being worked on.", fix="Wait.")
        self.locked.append(key)
        yield

    @contextlib.contextmanager
    def writing(self, context: Context, zone: str, _seconds: float) -> Iterator[None]:
        """Record the lock of a zone that takes one writer."""
        with self.value(context, f"writing {zone}"):
            yield

    def clean_up(self, **how: Any) -> CleanupResult:
        """Clean up as `dnsrenew cleanup` does."""
        return cleanup(self.context, self._leftovers(how), **how)

    def clean_up_first(self, **how: Any) -> None:
        """Clean up as `dnsrenew renew` does."""
        cleanup_before_run(self.context, self._leftovers(how), **how)

    def _leftovers(self, how: dict[str, Any]) -> Leftovers:
        writers, locks = writers_of(self.accounts, self.providers), cast("ZoneLocks", self)
        return Leftovers(how.pop("journal", self.journal), writers, locks, how.pop("served", unseen))

    def event_data(self, kind: str) -> list[dict[str, Any]]:
        """Return the data of the events of one kind."""
        return [dict(event.data) for event in self.events if event.kind == kind]

    def files(self) -> list[str]:
        """Return the files of the journal."""
        return sorted(os.listdir(self.root / "journal"))

    def left(self) -> set[WrittenValue]:
        """Return the values in the journal."""
        with self.journal.left_over(self.context) as entries:
            return {value for entry in entries for value in entry.values}


@pytest.fixture
def stage(tmp_path: Path) -> LeftoverStage:
    """An empty store."""
    return LeftoverStage(tmp_path)


def txt(value: str, account: str = "one", zone: str = "home.test.", label: str = "_acme-challenge") -> WrittenValue:
    """A value."""
    return TxtRecord(zone, f"{label}.{zone}", value, 60), account


def refusal(code: str, message: str = "No.", **evidence: Any) -> ProviderError:
    """Return the error of a host."""
    return ProviderError(code, message, fix="Do something.", evidence=evidence)


def texts(values: Sequence[WrittenValue]) -> list[str]:
    """Return the values."""
    return [record.value for record, _account in values]


# ── removed ─────────────────────────────────────────────────────────────────────────────


def test_nothing_left_is_nothing_done(stage: LeftoverStage) -> None:
    """An empty journal means no call, no event and no file."""
    assert stage.clean_up() == CleanupResult()
    assert stage.events == []
    assert list(stage.root.iterdir()) == []


def test_only_leftovers_are_removed(stage: LeftoverStage) -> None:
    """Values of several accounts and zones are removed; foreign values stay, and the journal is empty afterwards."""
    one, two = stage.account("one"), stage.account("two")
    foreign = txt("foreign")[0]
    one.add([foreign])
    a, b, c, d = txt("a"), txt("b"), txt("c", zone="other.test."), txt("d", "two")
    stage.leave_values(a, b, d)
    stage.leave_values(c, a, certificate="away")
    cleaned = stage.clean_up()
    assert sorted(texts(cleaned.removed)) == ["a", "b", "c", "d"]
    assert cleaned.kept == ()
    assert one.values == {foreign.name: ["foreign"]}
    assert two.values == {}
    assert stage.files() == []
    reported = [record for data in stage.event_data("swept") for record in data["records"]]
    assert {"zone": "home.test.", "name": "_acme-challenge.home.test.", "value": "d", "dns": "two"} in reported
    assert len(reported) == 4
    assert cleaned.to_dict()["removed"] == reported
    assert cleaned.to_dict()["version"] == 1
    assert stage.clean_up() == CleanupResult()


def test_a_value_that_the_host_may_still_write(stage: LeftoverStage) -> None:
    """The value is removed and listed once. Until the host cannot write it any more it is removed again, silently."""
    stage.account("one")
    a, b = txt("a"), txt("b", zone="other.test.")
    entry = stage.journal.enter(stage.context, "home", [a], {})
    entry.mark_in_flight([a])
    entry.keep()
    stage.leave_values(b, certificate="away")
    cleaned = stage.clean_up()
    assert (set(cleaned.removed), cleaned.late) == ({a, b}, (a,))
    stage.accounts["one"].options["driver"].add([a[0]])  # the host is late
    stage.events.clear()
    assert stage.clean_up() == CleanupResult()
    assert stage.event_data("swept") == []
    assert stage.accounts["one"].options["driver"].values == {}
    stage.leave_values(a, certificate="away")  # a later run leaves the same value
    assert texts(stage.clean_up().removed) == ["a"]


def test_values_that_are_already_gone(stage: LeftoverStage) -> None:
    """Values that the killed run had already removed count as removed."""
    stage.account("one")
    stage.journal.enter(stage.context, "home", [txt("a")]).keep()
    assert texts(stage.clean_up().removed) == ["a"]
    assert stage.files() == []


def test_values_of_a_live_run_stay(stage: LeftoverStage) -> None:
    """The values of a running run are not removed, also if it is in this process."""
    driver = stage.account("one")
    stage.leave_values(txt("dead"))
    entry = stage.journal.enter(stage.context, "home", [txt("alive")])
    driver.add([txt("alive")[0]])
    assert texts(stage.clean_up().removed) == ["dead"]
    assert driver.look("_acme-challenge.home.test.") == {"alive"}
    entry.keep()
    assert texts(stage.clean_up().removed) == ["alive"]


DIES = """if True:
    import os, signal, sys
    from dnsrenew.base.runtime import Context
    from dnsrenew.base.model import TxtRecord
    from dnsrenew.store.atomic_io import AtomicFiles
    from dnsrenew.store.journal import JournalFolder
    from dnsrenew.store.paths import Paths
    record = TxtRecord("home.test.", "_acme-challenge.home.test.", "a", 60)
    entry = JournalFolder(AtomicFiles(), Paths(sys.argv[1])).enter(Context(), "home", [(record, "one")])
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_a_sigkill(stage: LeftoverStage) -> None:
    """After SIGKILL with values in DNS, the next process removes them."""
    driver = stage.account("one")
    driver.add([txt("a")[0]])
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", DIES, str(stage.root)], env=environ, check=False)
    assert done.returncode == -signal.SIGKILL
    assert texts(stage.clean_up().removed) == ["a"]
    assert driver.values == {}


# ── kept ────────────────────────────────────────────────────────────────────────────────


def test_an_account_that_is_gone(stage: LeftoverStage) -> None:
    """The values of a missing account stay in the journal with a fix, and are removed when the account is back."""
    stage.account("two")
    gone, other = txt("a"), txt("b", "two")
    stage.leave_values(gone, other, txt("c", zone="other.test."))
    cleaned = stage.clean_up()
    assert texts(cleaned.removed) == ["b"]
    assert {error.code for _value, error in cleaned.kept} == {"account-gone"}
    (entry,) = stage.files()
    error = cleaned.kept[0][1]
    assert (error.evidence["account"], error.evidence["names"]) == ("one", ["_acme-challenge.home.test"])
    assert str(stage.root / "journal" / entry) in error.message
    (kept, _) = cleaned.to_dict()["kept"]
    assert kept["error"]["code"] == "account-gone"
    assert (kept["zone"], kept["value"], kept["dns"]) == ("home.test.", "a", "one")
    assert stage.left() == {gone, txt("c", zone="other.test.")}
    stage.account("one")
    assert texts(stage.clean_up().removed) == ["a", "c"]


def test_a_value_removed_by_hand_needs_no_account(stage: LeftoverStage) -> None:
    """A value that no name server serves is deleted from the journal; one that cannot be looked up stays."""
    stage.leave_values(txt("a"))
    assert stage.clean_up(served=lambda *_: {"a", "foreign"}).removed == ()
    assert stage.clean_up(served=unseen).removed == ()
    assert stage.files() != []
    assert texts(stage.clean_up(served=lambda *_: {"foreign"}).removed) == ["a"]
    assert stage.files() == []


@pytest.mark.parametrize("refusal_there", [None, "provider-zone-unknown"])
def test_an_account_that_has_another_host_by_now(stage: LeftoverStage, refusal_there: str | None) -> None:
    """The response of another host proves nothing: a value is gone only when DNS does not serve it."""
    old, served = stage.account("one"), {"a"}
    stage.leave_values(txt("a"))
    new = InMemoryDriver() if refusal_there is None else Failing(refusal(refusal_there), zones=["home.test."])
    stage.account("one", new, server="elsewhere.test")
    for look in (lambda *_: served, unseen):
        ((value, error),) = stage.clean_up(served=look).kept
        assert (value, error.code) == (txt("a"), "account-changed")
        assert "at _acme-challenge.home.test" in error.message
    assert stage.left() == {txt("a")}
    stage.account("one", old)
    assert texts(stage.clean_up(served=lambda *_: served).removed) == ["a"]
    assert old.values == {}


def test_an_account_that_is_configured_in_another_way_for_the_same_host(stage: LeftoverStage) -> None:
    """If the account reaches the same host, the value is removed. A new secret does not change the host."""
    driver = stage.account("one")
    stage.leave_values(txt("a"))
    stage.account("one", driver, server="192.0.2.1")
    cleaned = stage.clean_up(served=lambda _, name: driver.look(name))
    assert (texts(cleaned.removed), driver.values) == (["a"], {})
    mark = stage.providers["host-one"].host_fingerprint
    assert mark(DnsAccount("host-one", token="x")) == mark(DnsAccount("host-one", token="y"))
    assert mark(DnsAccount("host-one", server="x")) != mark(DnsAccount("host-one", server="y"))


def test_another_host_that_is_down(stage: LeftoverStage) -> None:
    """If the new host is down, its error is the reason."""
    stage.account("one")
    stage.leave_values(txt("a"))
    stage.account(
        "one", Failing(refusal("provider-unreachable", left_behind=True), zones=["home.test."]), server="down.test"
    )
    ((_, error),) = stage.clean_up(served=unseen).kept
    assert error.code == "provider-unreachable"


@pytest.mark.parametrize("code", ["provider-refused", "provider-unauthorized", "provider-zone-unknown", "provider-bug"])
def test_a_zone_that_cannot_be_written_holds_up_no_other(stage: LeftoverStage, code: str) -> None:
    """An error of one zone does not affect other zones and accounts."""
    driver = Failing(refusal(code), zones=["home.test."])
    stage.account("one", driver)
    stage.account("two")
    stage.leave_values(txt("a"), txt("b", zone="other.test."), txt("c", "two"))
    cleaned = stage.clean_up()
    assert sorted(texts(cleaned.removed)) == ["b", "c"]
    ((value, error),) = cleaned.kept
    assert value == txt("a")
    assert error.code == code
    (reported,) = stage.event_data("sweep-kept")
    assert reported["records"] == [{"zone": "home.test.", "name": txt("a")[0].name, "value": "a", "dns": "one"}]
    assert reported["error"]["code"] == code
    assert stage.left() == {txt("a")}


@pytest.mark.parametrize(
    ("code", "seconds", "is_over"),
    [
        ("provider-unauthorized", 0, True),
        ("provider-zone-unknown", 0, True),
        ("provider-refused", 0, False),
        ("provider-unreachable", 0, False),
        ("provider-refused", 700, True),
        ("provider-unreachable", 700, True),
    ],
)
def test_what_was_never_written_is_forgotten(stage: LeftoverStage, code: str, seconds: int, *, is_over: bool) -> None:
    """A value that no name server serves is forgotten if its host refuses to write there, or was asked long ago."""
    stage.account("one", Failing(refusal(code, left_behind=True)))
    stage.leave_values(txt("a"))
    clock = FakeClock(SystemClock().now() + timedelta(seconds=seconds))
    stage.context = Context(clock=clock, emitter=stage.context.emitter)
    for served in (lambda *_: {"a"}, unseen):
        assert len(stage.clean_up(served=served).kept) == 1
    cleaned = stage.clean_up(served=lambda *_: {"foreign"})
    assert (len(cleaned.kept), cleaned.removed) == (0 if is_over else 1, ())
    assert stage.event_data("swept") == []
    assert (stage.files() == []) is is_over


def test_a_host_that_is_down_is_asked_in_one_zone(stage: LeftoverStage) -> None:
    """A host that is down is asked once; its other zones are kept with the same error."""
    down = refusal("provider-unreachable", left_behind=True)
    driver = Failing(down)
    stage.account("one", driver)
    stage.leave_values(txt("a"), txt("b", zone="other.test."))
    cleaned = stage.clean_up()
    assert {error.code for _value, error in cleaned.kept} == {"provider-unreachable"}
    assert len(driver.calls) == 1
    stage.account("one")
    assert texts(stage.clean_up().removed) == ["a", "b"]


def test_a_secret_that_is_missing(stage: LeftoverStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The values stay, and the error names the missing secret."""
    monkeypatch.delenv("DNSRENEW_TEST_NONE", raising=False)
    stage.account("one")
    stage.accounts["one"].options["token"] = Secret.env("DNSRENEW_TEST_NONE")
    stage.leave_values(txt("a"), txt("b", zone="other.test."))
    cleaned = stage.clean_up()
    assert {error.code.partition("-")[0] for _value, error in cleaned.kept} == {"secret"}
    assert "DNSRENEW_TEST_NONE" in str(cleaned.kept[0][1])
    assert stage.left() == {txt("a"), txt("b", zone="other.test.")}


def test_a_driver_that_is_not_installed(stage: LeftoverStage) -> None:
    """If the driver is not installed, the values stay."""
    stage.accounts["one"] = DnsAccount("exotic", name="one")
    stage.providers["exotic"] = Provider(name="exotic", title="Exotic", driver="exotic", any_options=True)
    stage.journal.enter(stage.context, "home", [txt("a")]).keep()
    ((_value, error),) = stage.clean_up().kept
    assert error.code == "driver-missing"


def test_no_secret_is_reported(stage: LeftoverStage) -> None:
    """No secret is in the result, an event or the journal, whatever a driver raises."""
    driver = Failing(ValueError(f"https://host.test/?token={CANARY}"))
    stage.account("one", driver)
    stage.providers["host-one"] = Provider(
        name="host-one", title="One", driver=OWN_OBJECT, any_options=True, options={"token": OptionSpec(secret=True)}
    )
    stage.accounts["one"].options["token"] = Secret(CANARY)
    stage.leave_values(txt("a"))
    for text in (b"".join(path.read_bytes() for path in (stage.root / "journal").iterdir()).decode(),):
        assert CANARY not in text
    cleaned = stage.clean_up()
    assert len(cleaned.kept) == 1
    stage.clean_up_first()
    said = repr([cleaned, cleaned.to_dict(), stage.events, stage.context.notices])
    assert CANARY not in said


# ── locked zones ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("behaviour", "locked"),
    [
        ({}, []),
        ({"exclusive": True}, ["writing home.test."]),
        ({"values": "one"}, ["_acme-challenge.home.test.", "x.home.test."]),
        ({"values": "one", "scope": "zone"}, ["home.test."]),
        ({"values": "one", "scope": "zone", "exclusive": True}, ["home.test.", "writing home.test."]),
    ],
)
def test_zones_are_locked_as_in_a_run(stage: LeftoverStage, behaviour: dict[str, Any], locked: list[str]) -> None:
    """Zones that hold one value or take one writer are locked, as in a run."""
    stage.account("one", **behaviour)
    stage.leave_values(txt("a"), txt("b", label="x"))
    stage.clean_up()
    assert stage.locked == locked


@pytest.mark.parametrize(
    ("behaviour", "locked"),
    [({"values": "one", "scope": "zone"}, "home.test."), ({"exclusive": True}, "writing home.test.")],
)
def test_a_zone_that_a_run_holds_is_kept_for_later(
    stage: LeftoverStage, behaviour: dict[str, Any], locked: str
) -> None:
    """A value whose zone another run has locked is kept; other zones of the account are cleaned up."""
    stage.account("one", **behaviour)
    stage.leave_values(txt("a"), txt("b", zone="other.test."))
    stage.refused_locks = {locked}
    cleaned = stage.clean_up()
    assert texts(cleaned.removed) == ["b"]
    ((value, error),) = cleaned.kept
    assert (value, error.code) == (txt("a"), "locked")


def unseen(*_: object) -> set[str]:
    """Raise as if no name server responds."""
    raise DnsError("dns-unreachable", "No.", fix="Later.")


@pytest.mark.parametrize(
    ("look", "values", "calls"),
    [
        (lambda *_: {"foreign"}, "one", 0),
        (lambda *_: {"a"}, "one", 1),
        (lambda *_: set(), "one", 1),
        (unseen, "one", 1),
        (lambda *_: {"foreign"}, "many", 1),
    ],
)
def test_a_host_that_keeps_one_value_is_not_made_to_clear_anothers(
    stage: LeftoverStage, look: Callable[..., set[str]], values: str, calls: int
) -> None:
    """If a single-value host serves a foreign value, the own one counts as removed, and the host is not called."""
    driver = Failing(ValueError(), zones=["none."])
    stage.account("one", driver, values=values)
    stage.leave_values(txt("a"))
    cleaned = stage.clean_up(served=look)
    assert texts(cleaned.removed) == ["a"]
    assert len(driver.calls) == calls
    assert stage.files() == []


# ── time limits ─────────────────────────────────────────────────────────────────────────


def test_a_host_that_hangs_is_left_when_the_time_is_up(stage: LeftoverStage) -> None:
    """At the time limit, the values of a host that hangs are kept, and those of others are removed."""
    hanging = stage.account("one", Hanging())
    stage.account("two")
    stage.leave_values(txt("a"), txt("b", "two"), txt("c", zone="other.test."))
    began = time.monotonic()
    cleaned = stage.clean_up(seconds=0.3)
    assert time.monotonic() - began < allowed(3)
    hanging.go.set()
    assert texts(cleaned.removed) == ["b"]
    assert [(value, error.code) for value, error in cleaned.kept] == [
        (txt("a"), "sweep-unfinished"),
        (txt("c", zone="other.test."), "sweep-unfinished"),
    ]
    assert stage.left() == {txt("a"), txt("c", zone="other.test.")}


def test_ctrl_c(stage: LeftoverStage) -> None:
    """A cancel ends at once: removed values are deleted from the journal, and the lock is free."""
    hanging = stage.account("one", Hanging())
    stage.account("two")
    stage.leave_values(txt("a"), txt("b", "two"))

    def cancel_after_one() -> None:
        hanging.asked.wait(10)
        while stage.accounts["two"].options["driver"].values:
            time.sleep(0.01)
        time.sleep(0.3)  # until the thread that removed it has reported it
        stage.context.cancel.set()

    threading.Thread(target=cancel_after_one, daemon=True).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        stage.clean_up(seconds=60)
    assert time.monotonic() - began < allowed(5)
    hanging.go.set()
    stage.context.cancel.clear()
    assert stage.left() == {txt("a")}


def test_many_accounts_at_once(stage: LeftoverStage) -> None:
    """Accounts are cleaned up in parallel: the slowest one decides, not the sum."""
    together = threading.Barrier(8)

    class Meeting(InMemoryDriver):
        def remove(self, records: Sequence[TxtRecord]) -> None:
            together.wait(10)
            super().remove(records)

    for number in range(8):
        stage.account(str(number), Meeting())
    stage.leave_values(*(txt(f"v{number}", str(number)) for number in range(8)))
    assert len(stage.clean_up().removed) == 8


# ── before a run ────────────────────────────────────────────────────────────────────────


def test_before_a_run_what_is_kept_is_a_warning(stage: LeftoverStage) -> None:
    """There is one warning for each account and reason, with a fix."""
    stage.account("two", Failing(refusal("provider-refused", "The host says no.")))
    stage.leave_values(txt("a"), txt("b", zone="other.test."), txt("c", "two"))
    stage.clean_up_first()
    gone, refused = stage.context.notices
    assert (refused.code, refused.fix) == ("sweep-kept", "Do something.")
    assert "The host says no." in refused.message
    assert "account one" in gone.message
    assert "_acme-challenge.home.test, _acme-challenge.other.test" in gone.message


def test_before_a_run_another_sweeper_is_not_waited_for(stage: LeftoverStage) -> None:
    """If another cleanup is running, a run continues without a warning, and `cleanup` raises LockedError."""
    stage.account("one")
    stage.leave_values(txt("a"))
    with stage.journal.left_over(stage.context):
        stage.clean_up_first()
        with pytest.raises(LockedError):
            stage.clean_up()
    assert stage.context.notices == []
    assert stage.left() == {txt("a")}


def test_a_cancel_before_a_run(stage: LeftoverStage) -> None:
    """After a cancel, the cleanup before a run raises nothing, and `cleanup` raises Cancelled."""
    stage.account("one")
    stage.leave_values(txt("a"))
    stage.context.cancel.set()
    stage.clean_up_first()
    with pytest.raises(Cancelled):
        stage.clean_up()
    stage.context.cancel.clear()
    assert stage.left() == {txt("a")}


def test_before_a_run_a_journal_that_cannot_be_read_is_a_warning(stage: LeftoverStage) -> None:
    """An unreadable journal is a warning before a run, and an error of `cleanup`."""
    (stage.root / "journal").write_text("in the way")
    stage.clean_up_first()
    (notice,) = stage.context.notices
    assert notice.code == "store-not-a-folder"
    with pytest.raises(StoreError):
        stage.clean_up()
