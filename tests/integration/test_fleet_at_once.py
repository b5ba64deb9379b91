"""Changes of a fleet at the same moment, lost locks, tags and wildcards, and seals that others change."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from dnsrenew.base import threads
from dnsrenew.base.runtime import Context
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, LockedError, StoreError
from dnsrenew.extensions.fleet.database import schema, wanted
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.schema import forget_old_locks
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.extensions.fleet.database.served_certificates import DueDates
from dnsrenew.extensions.fleet.database.wanted import AddedCounts, FoundClash, NewDocument, WantedCertificates
from dnsrenew.extensions.fleet.fleet import Fleet
from dnsrenew.store.state import State
from dnsrenew.store.zone_locks import ZoneLocks
from tests.kit.fleet_stage import FleetStage, wait_until
from tests.kit.postgres import PASSWORD, DatabaseAddress, Postgres, fleet_address
from tests.lab import AcmeProxy
from tests.lab.workspace import Workspace

address = fleet_address
SOON = 10.0
NAME = "shop"
DIRECTORY = "https://ca.example/directory"
OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture
def database(address: DatabaseAddress) -> Iterator[Database]:
    """A database with the tables."""
    with contextlib.closing(Database(address)) as database:
        schema.initialize(database, Seals([]))
        yield database


@contextlib.contextmanager
def opened(address: DatabaseAddress, *seals: bytes, worker: bool = False) -> Iterator[DatabaseStore]:
    """The store of a process."""
    with contextlib.closing(DatabaseStore(Database(address), Seals(seals), worker=worker)) as store:
        yield store


def add(database: Database, *documents: tuple[str, list[str], list[str]]) -> AddedCounts | list[FoundClash]:
    """Add certificates: name, domains and tags of each."""
    return WantedCertificates(database).add(
        [
            NewDocument(number, name, {"name": name, "domains": domains}, tags, domains)
            for number, (name, domains, tags) in enumerate(documents, 1)
        ],
        "add",
    )


def ended(task: threads.Task[Any]) -> Any:
    """Wait for a call in another thread; return its value, or raise what it raised."""
    assert task.done.wait(60)
    return task.result()


def cut_locks(postgres: Postgres, address: DatabaseAddress) -> None:
    """End the connections that hold locks in a database."""
    with postgres.admin() as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM (SELECT DISTINCT pid FROM pg_locks JOIN pg_database"
            " ON pg_database.oid = database WHERE locktype = 'advisory' AND datname = %s) AS holders",
            (address.name,),
        )


def names(database: Database) -> list[str]:
    """The certificates that have a row of any kind."""
    tables = ("certificate", "version", "document")
    return [
        name
        for table in tables
        for (name,) in database.fetch(f"SELECT name FROM dnsrenew_{table}")  # noqa: S608  # constants
    ]


# ── certificates that are removed ───────────────────────────────────────────────────────


@pytest.fixture
def stage(workspace: Workspace, address: DatabaseAddress, ca: AcmeProxy) -> Iterator[FleetStage]:
    """A fleet in the lab, whose CA is behind a proxy that counts."""
    made = FleetStage(workspace, address)
    made.write(ca__lab__directory=ca.directory_url)
    yield made
    made.database.close()


def test_a_certificate_removed_before_its_lock_stays_removed(
    stage: FleetStage, ca: AcmeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a certificate is removed after a job has read it, the job makes no order and writes nothing."""
    stage.add(NAME)
    lock, removed = DatabaseStore.lock, threading.Event()

    def late(store: DatabaseStore, name: str, **options: Any) -> Any:
        if not removed.is_set():
            WantedCertificates(stage.database).remove([NAME])
            removed.set()
        return lock(store, name, **options)

    monkeypatch.setattr(DatabaseStore, "lock", late)
    with stage.crew():
        wait_until(removed.is_set)
        wait_until(lambda: not stage.jobs())
    assert names(stage.database) == []
    assert ca.of_kind("newOrder") == []


def test_what_is_removed_while_a_job_takes_its_lock_is_not_written(
    database: Database, address: DatabaseAddress
) -> None:
    """A write during the removal of its certificate waits for the removal, and then fails."""
    add(database, (NAME, ["shop.example.com"], []))
    with opened(address) as store, store.locks.only_wanted(NAME), database.transaction() as removal:
        removal.execute("DELETE FROM dnsrenew_certificate")
        with store.lock(NAME, context=Context()):
            write = threads.start(lambda: store.write_state(NAME, State(failures=1)))
            assert not write.done.wait(0.1)
            removal.execute("COMMIT")
            with pytest.raises(StoreError, match="nothing was written"):
                ended(write)
            with pytest.raises(StoreError, match="nothing was written"):
                store.prove_writable(NAME)
            with pytest.raises(StoreError, match="nothing was written"):
                store.orders.documents.write(NAME, "order", b"{}")
        store.orders.documents.write(NAME, "told", b"{}")
        DueDates(database).note(NAME, "lacks", ["account"])
        removal.execute("BEGIN")
    assert names(database) == []


def test_a_certificate_of_a_configuration_needs_no_row(database: Database, address: DatabaseAddress) -> None:
    """A certificate that the fleet does not want has no row; its first state creates one."""
    with opened(address) as store, store.lock(NAME, context=Context()):
        store.prove_writable(NAME)
        store.write_state(NAME, State(failures=1))
    assert names(database) == [NAME]


def test_a_removal_forgets_the_lock(database: Database, address: DatabaseAddress) -> None:
    """A removal deletes the row of the lock, and its holder can write nothing any more."""
    add(database, (NAME, ["shop.example.com"], []))
    with opened(address) as store:
        with store.lock(NAME, context=Context()):
            WantedCertificates(database).remove([NAME])
            with pytest.raises(StoreError, match="nothing was written"):
                store.write_state(NAME, State(failures=1))
        assert database.fetch("SELECT 1 FROM dnsrenew_lock") == []
        with store.lock(NAME, context=Context()):
            store.write_state(NAME, State(failures=1))


def test_old_locks_are_forgotten(database: Database, address: DatabaseAddress) -> None:
    """The row of a zone's lock is deleted after a day without use. Rows of held locks and newer rows stay."""
    with opened(address) as store:
        for zone in ("old.example", "new.example"):
            with store.lock_zone(zone, context=Context()):
                pass
        with store.lock_zone("held.example", context=Context()):
            database.execute(
                "UPDATE dnsrenew_lock SET since = now() - interval '25 hours' WHERE key NOT LIKE '%%new%%'"
            )
            assert forget_old_locks(database) == 1
            keys = [key for (key,) in database.fetch("SELECT key FROM dnsrenew_lock ORDER BY key")]
    assert len(keys) == 2
    assert not any("old" in key for key in keys)


def test_a_worker_forgets_old_locks_and_full_buckets(stage: FleetStage) -> None:
    """A running worker deletes the rows of old locks, and of buckets that are full again."""
    stage.database.execute("INSERT INTO dnsrenew_lock VALUES ('zone-gone', 1, 1, now() - interval '2 days')")
    stage.database.execute("INSERT INTO dnsrenew_pace VALUES ('gone', now() - interval '2 hours')")
    with stage.crew():
        wait_until(lambda: not stage.database.fetch("SELECT 1 FROM dnsrenew_lock WHERE key = 'zone-gone'"))
        wait_until(lambda: not stage.database.fetch("SELECT 1 FROM dnsrenew_pace WHERE key = 'gone'"))


def test_two_removals_and_an_addition_at_once(database: Database, address: DatabaseAddress) -> None:
    """Simultaneous removals and additions do not deadlock, in any order of the names."""
    many = [f"n{number}" for number in range(1200)]
    documents = [(name, [f"{name}.example.com"], list[str]()) for name in many]
    with contextlib.closing(Database(address)) as other:
        for _ in range(2):
            add(database, *documents)
            database.execute(
                "INSERT INTO dnsrenew_lock SELECT 'certificate-' || name, 1, 1 FROM dnsrenew_certificate"
                " ON CONFLICT DO NOTHING"
            )
            calls: list[Callable[[], object]] = [
                lambda: WantedCertificates(database).remove(many[::-1]),
                lambda: WantedCertificates(other).remove(many),
                lambda: add(other, *[(name, [f"www.{name}.example.com"], []) for name, _, _ in documents[::-1]]),
            ]
            for task in [threads.start(call) for call in calls]:
                ended(task)


# ── locks that are lost ─────────────────────────────────────────────────────────────────


def test_a_lost_lock_of_a_zone_is_not_passed_on(
    database: Database, address: DatabaseAddress, postgres: Postgres
) -> None:
    """After the loss of a zone's lock, the next certificate of the process takes the lock again."""
    entered, go, have = threading.Event(), threading.Event(), threading.Event()
    database.fetch("SELECT 1")
    with opened(address) as store, opened(address) as other:
        zones = ZoneLocks(store)

        def first() -> None:
            context = Context()
            with zones.value(context, "one.example"):
                entered.set()
                assert go.wait(SOON)
                context.check()

        def second() -> str:
            context = Context()
            with zones._values.hold(context, "one.example", 0):
                have.set()
                with pytest.raises(LockedError), ZoneLocks(other).value(Context(), "one.example"):
                    pass
                context.check()
                cut_locks(postgres, address)
                with pytest.raises(StoreError) as caught:
                    wait_until(context.check)
                return caught.value.code

        one = threads.start(first)
        assert entered.wait(SOON)
        cut_locks(postgres, address)
        two = threads.start(second)
        assert not have.wait(0.15)
        go.set()
        with pytest.raises(StoreError):
            ended(one)
        assert ended(two) == "store-unreachable"


def test_each_user_of_a_shared_lock_notices_its_loss(
    database: Database, address: DatabaseAddress, postgres: Postgres
) -> None:
    """Every certificate that uses the lock of a zone notices its loss, not only the one that took it."""
    database.fetch("SELECT 1")
    with opened(address) as store, contextlib.ExitStack() as stack:
        zones, contexts = ZoneLocks(store), [Context(), Context()]
        for context in contexts:
            stack.enter_context(zones._values.hold(context, "one.example", 0))
        for context in contexts:
            context.check()
        cut_locks(postgres, address)
        for context in contexts:
            with pytest.raises(StoreError):
                wait_until(context.check)
    assert [context.guards for context in contexts] == [[], []]


def test_a_lock_that_cannot_be_freed_is_lost(database: Database, address: DatabaseAddress) -> None:
    """If an unlock fails, another process gets the lock, because the connection is closed."""
    broken = "SELECT 1 / 0 WHERE %s <> ''"
    with opened(address) as store, opened(address) as other:
        with (
            mock.patch("dnsrenew.extensions.fleet.database.locks._FREE", broken),
            store.lock(NAME, context=Context()),
        ):
            pass
        with other.lock(NAME, context=Context(), wait=SOON):
            pass


def test_the_same_set_of_names_on_two_machines(database: Database, address: DatabaseAddress) -> None:
    """Only one machine at a time can order a set of names, in any order of the names."""
    with (
        opened(address) as one,
        opened(address) as two,
        one.lock_names(["a.example", "b.example"], context=Context()),
    ):
        with pytest.raises(LockedError, match=r"a\.example, b\.example"):
            two.lock_names(["b.example", "a.example"], context=Context()).__enter__()
        with two.lock_names(["a.example"], context=Context()):
            pass


HELD: dict[str, Callable[[DatabaseStore, str], contextlib.AbstractContextManager[object]]] = {
    "names": lambda other, _: other.lock_names([f"{NAME}.example.test"], context=Context()),
    "certificate": lambda other, _: other.lock(NAME, context=Context()),
    "account": lambda other, directory: other.accounts(directory, "lab").lock(Context()),
}


@pytest.mark.parametrize("held", HELD)
def test_a_job_waits_for_what_another_machine_has_locked(
    stage: FleetStage, ca: AcmeProxy, address: DatabaseAddress, held: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker puts a job back if another machine has a lock, and takes it up a moment after the release."""
    monkeypatch.setattr("dnsrenew.extensions.fleet.database.documents.WAIT", 0.1)  # for a new account a minute
    again = (
        "SELECT attempts, extract(epoch FROM scheduled_at - now())::float8 FROM procrastinate_jobs WHERE attempts > 1"
    )
    stage.add(NAME)
    with stage.crew() as (crew,), opened(address) as other:
        with HELD[held](other, ca.directory_url):
            wait_until(lambda: stage.database.one(again))
            found = stage.database.one(again)
            assert found is None or found[1] is None or found[1] < 1.0
            assert (ca.of_kind("newOrder"), crew.heard.outcomes) == ([], [])
            assert "certificate-finished" not in crew.kinds()
        wait_until(lambda: crew.heard.of("renewed"))


# ── additions ───────────────────────────────────────────────────────────────────────────


def config(folder: Path, address: DatabaseAddress) -> Config:
    """The configuration of a fleet."""
    path = folder / "dnsrenew.toml"
    path.write_text(
        f"""
        contact = "a@example.org"
        agree_terms = true
        store = {{ url = "{address.url}", password = "env:DATABASE_PASSWORD" }}
        [dns.home]
        provider = "duckdns"
        token = "env:DATABASE_PASSWORD"
        [fleet]
        """
    )
    return Config.load(path)


def test_a_domain_is_not_added_twice_whatever_breaks(
    database: Database,
    address: DatabaseAddress,
    postgres: Postgres,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An addition whose connection is lost adds nothing, and another one can add the same domain."""
    monkeypatch.setenv("DATABASE_PASSWORD", PASSWORD)
    made = config(tmp_path, address)
    wrote, go = threading.Event(), threading.Event()

    def slow(*counts: int) -> AddedCounts:
        if not wrote.is_set():
            wrote.set()
            assert go.wait(SOON)
        return AddedCounts(*counts)

    monkeypatch.setattr(wanted, "AddedCounts", slow)
    with contextlib.closing(Fleet(made)) as one, contextlib.closing(Fleet(made)) as two:
        first = threads.start(lambda: one.add("shop.example.com", name="a", tags="A"))
        assert wrote.wait(SOON)
        cut_locks(postgres, address)
        assert two.add("shop.example.com", name="b", tags="B") == "b"
        go.set()
        with pytest.raises(StoreError):
            ended(first)
    assert database.fetch("SELECT name, tags FROM dnsrenew_certificate") == [("b", ["B"])]


def test_an_addition_waits_for_another(
    database: Database, address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An addition starts when the one before has ended; after the time-out it raises LockedError."""
    documents = [NewDocument(1, NAME, {"name": NAME}, [], ["shop.example.com"])]
    with contextlib.closing(Database(address)) as other:
        with database.transaction() as transaction:
            assert transaction.fetch(wanted._TAKE)
            late = threads.start(lambda: WantedCertificates(other).add(documents, "add"))
            assert not late.done.wait(0.15)
            monkeypatch.setattr(wanted, "_WAIT", 0.0)
            with pytest.raises(LockedError, match="list of the certificates of the fleet"):
                WantedCertificates(other).add(documents, "add")
        assert ended(late) == AddedCounts(1, 0, 0)


@pytest.mark.parametrize("at_once", [1000, 1], ids=["few", "many"])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("one", "two", "is_clash"),
    [
        ("example.com", "example.com", True),
        ("example.com", "*.example.com", True),
        ("*.example.com", "shop.example.com", True),
        ("*.example.com", "a.shop.example.com", False),
        ("*.example.com", "*.shop.example.com", False),
        ("a.example.com", "b.example.com", False),
        ("example.com", "shop.example.com", False),
        ("com", "example.com", False),
    ],
)
def test_tags_see_wildcards(  # noqa: PLR0917
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    one: str,
    two: str,
    is_clash: bool,
    turned: bool,
    at_once: int,
) -> None:
    """A wildcard and a name that it covers, or its parent, need a common tag, in any order of the additions."""
    monkeypatch.setattr(wanted, "_AT_ONCE", at_once)
    first, second = (two, one) if turned else (one, two)
    mine, theirs = ("mine", ["www.example.net", first], ["A"]), ("theirs", [second, "example.info"], ["B"])
    other = ("other", ["example.org"], list[str]())
    together = add(database, mine, theirs, other)
    assert isinstance(together, list) == is_clash
    if is_clash:
        assert together == [FoundClash(2, "twice", "mine", ("A",), second)]
        assert add(database, mine, other) == AddedCounts(2, 0, 0)
        assert add(database, theirs, other) == [FoundClash(1, "domain", "mine", ("A",), second)]
        assert add(database, ("own", [second], ["B", "A"]), other) == AddedCounts(1, 0, 1)


def test_a_certificate_without_tags_gets_some_and_then_belongs_to_them(database: Database) -> None:
    """A line with tags changes a certificate that has none; from then on only one of these tags does."""
    add(database, ("home", ["home.example.org"], []), ("other", ["other.example.org"], []))
    assert add(database, ("home", ["www.example.org"], [])) == AddedCounts(0, 1, 0)
    assert add(database, ("home", ["www.example.org"], ["A"])) == AddedCounts(0, 1, 0)
    for tags in ([], ["B"]):
        assert add(database, ("home", ["www.example.org"], tags)) == [FoundClash(1, "tags", "home", ("A",), None)]
    assert add(database, ("home", ["www.example.org"], ["A", "B"])) == AddedCounts(0, 1, 0)
    assert add(database, ("home", ["other.example.org"], ["A"])) == [
        FoundClash(1, "domain", "other", (), "other.example.org")
    ]


def test_a_thousand_domains_at_most(
    database: Database, address: DatabaseAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate with more than 1,000 domains is a mistake, and is not added."""
    monkeypatch.setenv("DATABASE_PASSWORD", PASSWORD)
    with contextlib.closing(Fleet(config(tmp_path, address))) as fleet:
        fleet.add([f"n{number}.duckdns.org" for number in range(1000)])
        with pytest.raises(ConfigError, match=r"1,001 domains are too many. Use at most 1,000") as caught:
            fleet.add([f"m{number}.duckdns.org" for number in range(1001)])
    assert caught.value.code == "config-invalid"
    assert len(database.fetch("SELECT 1 FROM dnsrenew_certificate")) == 1


# ── seals ───────────────────────────────────────────────────────────────────────────────


def noted(database: Database) -> set[bytes]:
    """The names of the seals that the tables have."""
    return {bytes(name) for (name,) in database.fetch("SELECT id FROM dnsrenew_seal")}


@pytest.mark.parametrize("seals", [[OLD], []], ids=["sealed", "unsealed"])
def test_a_process_notices_a_seal_that_was_replaced(
    database: Database, address: DatabaseAddress, seals: list[bytes]
) -> None:
    """A running process whose seal was replaced is refused before it orders, so that it seals nothing with it."""
    database.execute("DELETE FROM dnsrenew_seal")
    with opened(address, *seals) as old, opened(address, NEW, *seals) as new:
        old.prove_writable()
        new.check_ground()
        schema.reseal(new.database, new.seals)
        with pytest.raises(StoreError) as caught:
            old.prove_writable()
    assert caught.value.code == "seal-wrong"


def test_a_process_that_still_seals_with_the_old_seal_says_so(database: Database, address: DatabaseAddress) -> None:
    """A process that still uses the old seal registers it again, and a process without that seal is refused."""
    database.execute("DELETE FROM dnsrenew_seal")
    with opened(address, OLD, NEW) as slow, opened(address, NEW, OLD) as new, opened(address, NEW) as last:
        slow.prove_writable()
        new.check_ground()
        schema.reseal(new.database, new.seals)
        assert noted(database) == {new.seals.ids[0]}
        slow.prove_writable()
        assert noted(database) == {*new.seals.ids}
        with pytest.raises(StoreError) as caught:
            last.check_ground()
    assert caught.value.code == "seal-wrong"
