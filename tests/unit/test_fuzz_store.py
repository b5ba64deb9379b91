"""Any content of a file of the store is valid, damaged, or of a newer version."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base.model import DnsAccount, Notice
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.challenges.leftovers import Leftovers, cleanup
from dnsrenew.challenges.records import RecordWriter
from dnsrenew.cli import main
from dnsrenew.drivers.provider import OWN_OBJECT, Provider
from dnsrenew.errors import DnsError, LockedError, StoreError
from dnsrenew.renewal import due, history, planner
from dnsrenew.store import AtomicFiles, FolderStore, Meta, State, Store
from dnsrenew.store.journal import JournalFolder, JournalPage
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.ledger import LedgerState, Limit, Limits
from dnsrenew.store.paths import Paths
from dnsrenew.store.zone_locks import ZoneLocks
from dnsrenew.testing import InMemoryDriver
from tests.kit.clock import START, FakeClock
from tests.kit.folders import here, quick_folder
from tests.kit.fuzzing import FEW, bounded, each_change, edited, json_bytes, thinned
from tests.kit.stores import DIRECTORY, ORDER, SPEC, issue, keep

TIME = "2026-11-25T10:00:00Z"
LATER = "2026-11-25T11:00:00Z"
ROUTE = {"ca": "lab", "challenge": "dns-01", "dns": ["home"]}
MIX = {"ca": "lab", "challenge": "mixed", "dns": ["home"], "names": {"a.test": ROUTE}}
FACTS = {
    "schema": 1,
    "issuer": "Lab CA 1",
    "serial": "2f",
    "not_before": TIME,
    "not_after": "2027-02-23T10:00:00Z",
    "domains": ["a.test"],
    "identifiers": ["a.test"],
    "ca": "lab",
    "key": "ecdsa-p256",
    "profile": "short",
}
STATE: dict[str, Any] = {
    **FACTS,
    "version": 1,
    "failures": 2,
    "last_failure": {
        "time": TIME,
        "code": "ca-dns",
        "message": "No.",
        "fix": "Yes.",
        "url": "https://ca.test/",
        "route": ROUTE,
        "attempts": [{"route": MIX, "code": "ca-dns"}, {"route": ROUTE, "code": None}],
    },
    "next_attempt": LATER,
    "attempt_set_at": TIME,
    "tried_with": 7,
    "routes": {"lab/dns-01/dns=home": {"failed": TIME, "code": "ca-dns"}},
    "worked": ["lab/dns-01/dns=home"],
    "ari": {"start": TIME, "end": LATER, "chosen": TIME, "next_poll": LATER, "explanation": "https://ca.test/why"},
    "revoked": False,
    "switching": 1,
    "of_a_later_version": {"x": [1]},
}
LEDGER = {
    "schema": 1,
    "failed": {"a.test": LATER},
    "sets": {"0123456789abcdef": LATER},
    "failed_orders": {"0123456789abcdef": LATER},
    "waits": {"*": {"since": TIME, "until": LATER, "url": "https://ca.test/"}},
    "more": 1,
}
VALUE = {"zone": "a.test.", "name": "_acme-challenge.a.test.", "value": "v", "ttl": 60, "dns": "home"}
JOURNAL = {"schema": 1, "certificate": "home", "since": TIME, "values": [VALUE]}
ACCOUNT = {
    "schema": 1,
    "directory": DIRECTORY,
    "url": "https://ca.test/acct/1",
    "contact": ["mailto:me@a.test"],
    "terms": "https://ca.test/terms",
}
CARD = {"pid": 7, "host": "there", "since": TIME}
LIMITS = Limits(failed=Limit(5, timedelta(hours=1)), same_set=Limit(5, timedelta(days=7)))


class Form(Protocol):
    """A value that is read from a file and written to it."""

    def to_json(self) -> bytes:
        """Return the file's octets."""

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read the file's octets."""


def use_state(state: State) -> Iterator[State]:
    """Use a state everywhere it is used; yield the states that are written next."""
    now = START + timedelta(hours=2)
    history.deferred_until(state, now)
    history.was_asked_to_wait(state)
    history.accounts_tried(state)
    due.next_renewal(SPEC, state)
    due.why_due(SPEC, state, now, whole=True)
    due.ari_warnings(state)
    yield history.after_failure(state, StoreError("x", "y", fix="z"), now, random.Random(1))
    yield history.after_failure(state, StoreError("x", "y", fix="z"), now, random.Random(1), ordered=False)
    yield planner.remember_failures(state, {"lab/dns-01": "x"}, now)


def use_ledger(ledger: LedgerState) -> Iterator[LedgerState]:
    """Use a ledger everywhere it is used; yield the ledgers that are written next."""
    now = START + timedelta(hours=2)
    ledger.blocked(["a.test"], LIMITS, now, attended=True)
    yield ledger.with_failed(["a.test"], LIMITS, now)
    yield ledger.with_certificate(["a.test"], LIMITS, now)
    yield ledger.with_failed_orders(["a.test"], 2, now)
    yield ledger.with_wait(1e300, None, now)


def use_nothing(_form: object) -> Iterator[Form]:
    """Yield nothing."""
    yield from ()


FORMS: dict[str, tuple[type[Form], dict[str, Any], Callable[[Any], Iterator[Form]]]] = {
    "state": (State, STATE, use_state),
    "meta": (Meta, FACTS, use_nothing),
    "ledger": (LedgerState, LEDGER, use_ledger),
    "journal": (JournalPage, JOURNAL, use_nothing),
}


def check(name: str, data: bytes) -> bool:
    """Read octets and use the value. Return whether they were valid."""
    kind, _, use = FORMS[name]
    try:
        form = kind.from_json(data)
    except (DamagedFile, NewerSchema):
        return False
    assert type(form) is kind
    for each in (form, *use(form)):
        assert kind.from_json(each.to_json()) == each, "what is written can be read again"
    return True


@pytest.mark.parametrize("name", FORMS)
def test_each_field_in_turn_is_something_else(name: str) -> None:
    """The value is read or damaged; what was read can be written and read again."""
    example = FORMS[name][1]
    assert check(name, json.dumps(example).encode())
    take_notices = [check(name, data) for data in each_change(example)]
    assert set(take_notices) == {True, False}


@pytest.mark.parametrize("name", FORMS)
@bounded(60)
@given(data=st.data())
def test_any_octets(name: str, data: st.DataObject) -> None:
    """Truncated, doubled, flipped, in another encoding, or random."""
    octets = data.draw(json_bytes([FORMS[name][1]]) | st.binary(max_size=60))
    check(name, octets)


# ── in their folders ────────────────────────────────────────────────────────────────────


@pytest.fixture
def quick() -> Iterator[Path]:
    """A folder in memory, because the disk does not matter here."""
    with quick_folder() as path:
        yield path


@pytest.fixture
def store(quick: Path) -> Store:
    """A store with the certificate `home`, and a configuration for it."""
    (quick / "dnsrenew.toml").write_text(
        'store = "state"\nagree_terms = true\ndefault_ca = "lab"\nca.lab = { directory = "https://127.0.0.1:1/" }\n'
        'dns.home = { provider = "duckdns", token = "env:NONE" }\n'
        f'[[certificate]]\nname = "home"\ndomains = ["{SPEC.identifiers[0]}"]\n'
    )
    made = FolderStore(quick / "state")
    keep(made, 1)
    return made


@thinned
@pytest.mark.parametrize("field", ["last_failure", "worked", "ari", "not_after"])
def test_status_prints_any_state(store: Store, capsys: pytest.CaptureFixture[str], field: str, step: int) -> None:
    """The table and the reasons are printed for any state, without control characters."""
    path = here(store.path) / "certificates/home/state.json"
    config = str(here(store.path).parent / "dnsrenew.toml")
    for data in islice(each_change(STATE, FEW, within=field), None, None, step):
        path.write_bytes(data)
        assert main(["status", "--config", config]) == 0
        shown = capsys.readouterr()
        assert "unexpected" not in shown.err
        assert "\x1b" not in shown.out
        for aside in path.parent.glob("*.damaged*"):
            aside.unlink()


def take_notices(context: Context) -> list[Notice]:
    """Return and clear the notices, which must be JSON."""
    found = list(context.notices)
    context.notices.clear()
    for notice in found:
        json.dumps(notice.to_dict()).encode()
    return found


@bounded(40)
@given(data=json_bytes([STATE]))
def test_a_damaged_state_costs_no_certificate(store: Store, data: bytes) -> None:
    """A damaged state is set aside, and rebuilt from the current certificate."""
    path = here(store.path) / "certificates/home/state.json"
    path.write_bytes(data)
    again = FolderStore(here(store.path))
    with suppress(StoreError):  # of a later dnsrenew
        state = again.read_state("home")
        aside = list(path.parent.glob("*.damaged*"))
        assert bool(aside) == state.rebuilt == bool(state.notices)
        assert not aside or again.certificate("home", state) is not None
        for each in aside:
            each.unlink()


def test_any_account(quick: Path) -> None:
    """An account with its key can be loaded, whatever its other file contains. Only a newer schema is refused."""
    context = Context()
    folder = FolderStore(quick).accounts(DIRECTORY, "lab", context)
    folder.save(AccountData(key_pem=issue(98)[1]))
    (path,) = (quick / "accounts").glob("*/account.json")
    for data in each_change(ACCOUNT, FEW):
        path.write_bytes(data)
        with suppress(StoreError):  # of a later dnsrenew
            account = folder.load()
            assert account is not None
            assert account.key_pem == issue(98)[1]
            folder.save(account)
            assert folder.load() == account
        for aside in path.parent.glob("*.damaged*"):
            aside.unlink()
        take_notices(context)


@bounded(25)
@given(key=edited(issue(98)[1]))
def test_any_account_key(quick: Path, key: bytes) -> None:
    """An invalid key is set aside and reported; any other is the key."""
    context = Context()
    folder = FolderStore(quick).accounts(DIRECTORY, "lab", context)
    folder.save(AccountData(key_pem=issue(98)[1]))
    (path,) = (quick / "accounts").glob("*/key.pem")
    path.write_bytes(key)
    account = folder.load()
    assert (account is None) == any("key.pem is damaged" in notice.message for notice in take_notices(context))


def test_any_saved_order(quick: Path) -> None:
    """A pending order is what was written, or it is set aside and reported."""
    context, orders = Context(), FolderStore(quick).orders
    orders.save("home", ORDER)
    folder = quick / "certificates/home/order"
    example = json.loads((folder / "order.json").read_bytes())
    contents = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert orders.load(context, "home", version=ORDER.version) == ORDER
    for data in each_change(example, FEW):
        folder.mkdir(exist_ok=True)
        for name, content in {**contents, "order.json": data}.items():
            (folder / name).write_bytes(content)
        order = orders.load(context, "home", version=ORDER.version)
        assert order is None or (order.key_pem, order.csr_der) == (ORDER.key_pem, ORDER.csr_der)
        if order is not None:
            orders.save("home", order)
            assert orders.load(context, "home", version=order.version) == order
        for aside in folder.parent.glob("order.damaged*"):
            AtomicFiles().remove(str(aside))
        take_notices(context)


def unanswered(*_: object) -> set[str]:
    """Raise as if no name server responds."""
    raise DnsError("dns-unreachable", "No.", fix="Later.")


def test_a_cleanup_of_any_journal(quick: Path) -> None:
    """Every file of the journal is processed, kept with a reason, or reported as unreadable."""
    account = DnsAccount(OWN_OBJECT, name="home", driver=InMemoryDriver())
    provider = Provider(name=OWN_OBJECT, title="Own", driver=OWN_OBJECT, any_options=True)
    writers = {"home": RecordWriter(account, provider)}
    journal, context = JournalFolder(AtomicFiles(), Paths(str(quick))), Context()
    folder = quick / "journal"
    folder.mkdir()
    came: set[str] = set()
    for data in each_change(JOURNAL, FEW):
        path = folder / "home-1.json"
        path.write_bytes(data)
        swept = cleanup(context, Leftovers(journal, writers, ZoneLocks(FolderStore(quick)), unanswered))
        json.dumps(swept.to_dict()).encode()
        aside = [each for each in folder.iterdir() if ".damaged" in each.name]
        assert len(swept.unreadable) == len(take_notices(context))
        came.add("unreadable" if swept.unreadable else "kept" if swept.kept else "removed")
        assert path.exists() == bool(swept.kept or (swept.unreadable and not aside))
        for each in (path, *aside):
            each.unlink(missing_ok=True)
    assert came == {"removed", "kept", "unreadable"}


@contextmanager
def locked_by_another(path: Path, card: bytes) -> Iterator[None]:
    """Hold a lock as another process does, with these octets in its file."""
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.write(handle, card)
        yield
    finally:
        os.close(handle)


def test_any_card_in_a_lock(quick: Path) -> None:
    """The error has what can be read of the holder; no content of the lock file can break it."""
    store = FolderStore(quick)
    store.prove_writable()
    path = quick / "locks/certificate-home.lock"
    for data in (b"", b"\xff", json.dumps(CARD).encode(), *each_change(CARD)):
        path.write_bytes(b"")
        with (
            locked_by_another(path, data),
            pytest.raises(LockedError) as caught,
            store.lock("home", context=Context(clock=FakeClock())),
        ):
            pass
        json.dumps(caught.value.to_dict()).encode()
        str(caught.value).encode()
        assert str(caught.value).isprintable()
