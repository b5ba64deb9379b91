"""``obtain()``: its arguments, and several processes at the same time."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import dnsrenew
from dnsrenew.base import threads, values
from dnsrenew.base.model import RenewalFailed, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.drivers.protocol import OneAtATime
from dnsrenew.errors import Cancelled, ConfigError
from dnsrenew.store import FolderStore
from dnsrenew.testing import InMemoryDriver
from tests.kit.clock import FakeClock
from tests.kit.stores import DIRECTORY, SPEC, keep

EXPECTED = "Use a DnsAccount or an object with add and remove."


class Listed:
    """A driver that is iterable."""

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Do nothing."""

    remove = add

    def __iter__(self) -> Iterator[str]:
        return iter("abc")


def config_of(folder: Path, monkeypatch: pytest.MonkeyPatch, **arguments: Any) -> Any:
    """Return the configuration that a call of obtain() makes."""
    seen: list[Any] = []

    class Stopped(Exception):
        """Stops the call at this point."""

    def stop(config: Any, **_: object) -> None:
        seen.append(config)
        raise Stopped

    monkeypatch.setattr("dnsrenew.obtaining.Renewer", stop)
    with pytest.raises(Stopped):
        dnsrenew.obtain("home.example.test", store=folder, **arguments)
    return seen[0]


def accounts(dns: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dnsrenew.DnsAccount]:
    """Return the accounts that a call of obtain() uses."""
    return dict(config_of(folder, monkeypatch, dns=dns).accounts)


def home(name: str = "home") -> dnsrenew.DnsAccount:
    """An account."""
    return dnsrenew.DnsAccount("rfc2136", name=name, server="127.0.0.1")


@pytest.mark.parametrize(("contact", "kept"), [(None, ()), ((), ()), ("me@example.test", ("me@example.test",))])
def test_a_contact_is_not_needed(contact: Any, kept: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`contact=None` is the same as none at all."""
    assert config_of(tmp_path, monkeypatch, dns=home(), contact=contact).contact == kept


@pytest.mark.parametrize("several", [list, tuple, set, frozenset, iter, dict.fromkeys])
def test_accounts_come_in_any_collection(several: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts may be given as a list, a set or an iterator. A set is not taken for a driver."""
    given: Iterable[object] = several([home(), home("shop")])
    assert accounts(given, tmp_path, monkeypatch).keys() == {"home", "shop"}


def test_a_driver_is_one_however_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver is accepted alone, in a list, and if it is iterable."""
    driver, listed = InMemoryDriver(), Listed()
    given = accounts(driver, tmp_path, monkeypatch)["inmemorydriver-1"].options["driver"]
    given.add([TxtRecord("x.test.", "y.x.test.", "v", 60)])
    assert driver.values == {"y.x.test.": ["v"]}
    assert accounts(listed, tmp_path, monkeypatch).keys() == {"listed-1"}
    assert accounts([home(), driver], tmp_path, monkeypatch).keys() == {"home", "inmemorydriver-2"}


def test_a_driver_has_one_call_at_a_time() -> None:
    """Calls of a driver never overlap: remove() starts after add() has ended, even after a time-out."""
    adding, go_on = threading.Event(), threading.Event()

    class Slow(InMemoryDriver):
        def add(self, records: Sequence[TxtRecord]) -> None:
            adding.set()
            assert go_on.wait(5)
            super().add(records)

    slow, records = Slow(), [TxtRecord("x.test.", "y.x.test.", "v", 60)]
    driver = OneAtATime(slow)
    tasks = [threads.start(lambda: driver.add(records))]
    assert adding.wait(5)
    tasks.append(threads.start(lambda: driver.remove(records)))
    assert not tasks[1].done.wait(0.05)
    go_on.set()
    assert all(task.done.wait(5) for task in tasks)
    assert not any(slow.values.values())


def test_a_certificate_without_a_dns_account(tmp_path: Path) -> None:
    """HTTP-01 needs no account. If one is missing, the error names the Python argument."""
    cancel = threading.Event()
    cancel.set()
    without: dict[str, Any] = {"contact": "me@example.test", "agree_terms": True, "store": tmp_path, "cancel": cancel}
    with pytest.raises(Cancelled):  # all arguments are right
        dnsrenew.obtain("home.example.test", routes=[dnsrenew.Route("http-01", listen=":8080")], **without)
    with pytest.raises(ConfigError, match="Pass dns=…"):
        dnsrenew.obtain("home.example.test", routes=[dnsrenew.Route("dns-01")], **without)
    with pytest.raises(ConfigError, match="Pass dns=…"):
        dnsrenew.serve("home.example.test", agree_terms=True, store=tmp_path)


@pytest.mark.parametrize(
    ("dns", "mistakes"),
    [
        ("cloudflare", [f"dns: This is a text in quotes. {EXPECTED}"]),
        (None, [f"dns: This is nothing. {EXPECTED}"]),
        (object(), [f"dns: This is an object. {EXPECTED}"]),
        ({"home": home()}, [f"dns[0]: This is a text in quotes. {EXPECTED}"]),
        (
            [home(), "c4nary", 3],
            [f"dns[1]: This is a text in quotes. {EXPECTED}", f"dns[2]: This is a number. {EXPECTED}"],
        ),
    ],
)
def test_what_is_no_driver_is_refused(dns: Any, mistakes: list[str], tmp_path: Path) -> None:
    """The error lists all wrong objects with their index, and not their values, which may be secret."""
    with pytest.raises(ConfigError) as caught:
        dnsrenew.obtain("home.example.test", dns=dns, store=tmp_path)
    assert caught.value.code == "config-invalid"
    assert caught.value.message == "\n".join(mistakes)
    assert list(tmp_path.iterdir()) == []


def test_one_ca_may_be_named_without_a_list(tmp_path: Path) -> None:
    """A string is one CA name, not a list of letters."""
    lab = {"lab": {"directory": "https://127.0.0.1:1/dir"}}
    renewer = dnsrenew.Renewer(dnsrenew.Config.from_dict({"ca": lab}, base=tmp_path))
    (account,) = renewer.accounts("lab")
    assert (account.ca, account.status) == ("lab", "missing")
    (account,) = renewer.roll_accounts("lab")
    assert (account.ca, account.status) == ("lab", "missing")
    with pytest.raises(ConfigError, match="There is no CA named lob"):
        renewer.accounts("lob")


# ── several processes at once ───────────────────────────────────────────────────────────


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """A fake clock for every call."""
    fake = FakeClock()
    monkeypatch.setattr("dnsrenew.renewer.SystemClock", lambda: fake)
    return fake


def call(folder: Path, **how: Any) -> dnsrenew.Certificate:
    """Call obtain() as at the start of a program."""
    ca = dnsrenew.CA(DIRECTORY, name="lab")
    domains = how.pop("domains", SPEC.domains)
    return dnsrenew.obtain(domains, dns=home(), name="home", store=folder, ca=ca, agree_terms=True, **how)


def test_the_first_of_several_obtains_and_the_others_wait(tmp_path: Path, clock: FakeClock) -> None:
    """If another caller holds the lock, the call waits and returns the certificate that the other one obtained."""
    store = FolderStore(tmp_path)
    first = store.lock("home", context=Context())
    first.__enter__()

    def finish() -> None:
        first.__exit__(None, None, None)
        clock.on_wait = lambda: None
        keep(store, 1)

    clock.on_wait = finish
    assert call(tmp_path).serial == "1"
    assert clock.elapsed < 1


def test_it_waits_three_minutes_at_most(tmp_path: Path, clock: FakeClock) -> None:
    """After 180 seconds of waiting for the lock the call fails."""
    with FolderStore(tmp_path).lock("home", context=Context()), pytest.raises(RenewalFailed) as caught:
        call(tmp_path)
    assert caught.value.evidence["cause"]["code"] == "locked"
    assert caught.value.fix == caught.value.evidence["cause"]["fix"]
    assert 180 <= clock.elapsed < 181


def test_the_error_that_stopped_the_run_is_the_cause(tmp_path: Path, clock: FakeClock) -> None:
    """The cause is the original error without its traceback, even after pickling."""
    with FolderStore(tmp_path).lock("home", context=Context()), pytest.raises(RenewalFailed) as caught:
        call(tmp_path)
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        cause = error.__cause__
        assert isinstance(cause, dnsrenew.LockedError)
        assert cause.to_dict() == error.evidence["cause"]
        assert cause.__traceback__ is None


def test_waiting_for_another_process_can_be_stopped(tmp_path: Path, clock: FakeClock) -> None:
    """``cancel`` ends the wait for another process."""
    cancel = threading.Event()
    clock.on_wait = cancel.set
    with FolderStore(tmp_path).lock("home", context=Context()), pytest.raises(Cancelled):
        call(tmp_path, cancel=cancel)


def test_where_a_valid_one_stands_nobody_waits(tmp_path: Path, clock: FakeClock) -> None:
    """If a valid certificate is stored, obtain() returns it without waiting for the lock."""
    store = FolderStore(tmp_path)
    keep(store, 1)
    with store.lock("home", context=Context()):
        assert call(tmp_path, force=True).serial == "1"
    assert clock.elapsed < 0.2  # for the other's name


def test_a_certificate_that_lacks_a_name_is_not_returned(tmp_path: Path, clock: FakeClock) -> None:
    """A stored certificate without all requested names is not returned."""
    store = FolderStore(tmp_path)
    keep(store, 1)
    with store.lock("home", context=Context()), pytest.raises(RenewalFailed):
        call(tmp_path, domains=[*SPEC.domains, "www.home.test"])
    assert clock.elapsed >= 180  # the other process may obtain one that has both


def test_a_revoked_certificate_is_not_returned(tmp_path: Path, clock: FakeClock) -> None:
    """A revoked certificate is not returned."""
    store = FolderStore(tmp_path)
    keep(store, 1)
    with store.lock("home", context=Context()):
        store.update("home", lambda state: values.replace(state, revoked=True))
        with pytest.raises(RenewalFailed):
            call(tmp_path)
