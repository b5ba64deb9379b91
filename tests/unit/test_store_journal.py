"""The journal: written before DNS, removed after it. Values of a dead run are found, those of a live run are not."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base import threads
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import field
from dnsrenew.errors import Cancelled, LockedError, StoreError
from dnsrenew.store.atomic_io import AtomicFiles
from dnsrenew.store.journal import Journal, JournalEntry, JournalFolder, JournalPage, WrittenValue
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import Paths
from tests.kit.clock import FakeClock
from tests.kit.store_sites import DatabaseSite, StoreSite
from tests.kit.stores import Counting, Failing, Killed, Killing

OWNER = "_acme-challenge.home.test."
A: WrittenValue = (TxtRecord("home.test.", OWNER, "value-a", 60), "rfc")
B: WrittenValue = (TxtRecord("home.test.", OWNER, "-value-b", 60), "rfc")
C: WrittenValue = (TxtRecord("home.test.", OWNER, "value-c", 60), "rfc")
ELSEWHERE: WrittenValue = (A[0], "second")
"""The same record, written by another account."""


def journal(root: Path | StoreSite, before: Counting | None = None) -> Journal:
    """Return the journal of a store, as another run does."""
    return JournalFolder(AtomicFiles(before), Paths(str(root))) if isinstance(root, Path) else root.open().journal


def left(root: Path | StoreSite, context: Context | None = None) -> list[set[WrittenValue]]:
    """Return the values of each entry of a dead run; they stay."""
    with journal(root).left_over(context or Context()) as entries:
        return [set(entry.values) for entry in entries]


def files(root: Path | StoreSite) -> list[str]:
    """Return the names in the folder of the journal; of a database what its entries are called."""
    if isinstance(root, DatabaseSite):
        return root.journal()
    where = root.where if isinstance(root, StoreSite) else root
    assert isinstance(where, Path)
    folder = where / "journal"
    return sorted(os.listdir(folder)) if folder.exists() else []


def clear(root: Path | StoreSite) -> None:
    """Run a cleanup that removes everything."""
    with journal(root).left_over(Context()) as entries:
        for entry in entries:
            entry.remove(entry.values)


# ── a run that lives ────────────────────────────────────────────────────────────────────


def test_an_entry_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    """Cleanup ignores the entry of a live run. An entry without values leaves no file."""
    entry = journal(tmp_path).enter(Context(clock=FakeClock()), "home", [A, B, A], {"rfc": 7})
    assert list(entry.values) == [A, B]
    assert [entry.wrote_to("rfc", mark) for mark in (7, 8)] == [True, False]
    assert files(tmp_path) == ["home-1.json", "home-1.lock"]
    assert json.loads((tmp_path / "journal/home-1.json").read_text()) == {
        "schema": 1,
        "certificate": "home",
        "since": "2026-11-25T10:00:00Z",
        "values": [
            {"zone": "home.test.", "name": OWNER, "value": "value-a", "ttl": 60, "dns": "rfc"},
            {"zone": "home.test.", "name": OWNER, "value": "-value-b", "ttl": 60, "dns": "rfc"},
        ],
        "hosts": {"rfc": 7},
    }
    assert left(tmp_path) == []
    entry.remove([B])
    assert list(entry.values) == [A]
    assert left(tmp_path) == []
    entry.remove([A])
    entry.keep()
    assert files(tmp_path) == []
    assert left(tmp_path) == []


def test_what_is_kept_is_found_by_the_next_run(site: StoreSite) -> None:
    """The next run finds the remaining values of a kept entry. The same value of two accounts counts as two."""
    entry = journal(site).enter(Context(), "home", [A, B, ELSEWHERE])
    entry.remove([B, A])
    entry.keep()
    entry.keep()
    assert files(site) in (["home-1.json"], ["home"])
    assert left(site) == [{ELSEWHERE}]
    clear(site)
    assert files(site) == []


def test_it_costs_two_fsyncs(tmp_path: Path) -> None:
    """Creating an entry costs 2 fsyncs (3 if the folder is created), removing it none, keeping a part of it 1."""
    disk = AtomicFiles()
    book = JournalFolder(disk, Paths(str(tmp_path)))
    book.enter(Context(), "home", [A]).remove([A])
    disk.fsyncs = 0
    entry = book.enter(Context(), "home", [A, B])
    assert disk.fsyncs == 2
    entry.remove([A, B])
    entry.keep()
    assert disk.fsyncs == 2
    entry = book.enter(Context(), "home", [A, B])
    entry.keep()
    assert disk.fsyncs == 4
    with book.left_over(Context()) as entries:
        entries[0].remove([A])
    assert disk.fsyncs == 5
    fresh = AtomicFiles()
    JournalFolder(fresh, Paths(str(tmp_path))).enter(Context(), "home", [A])
    (tmp_path / "x").mkdir()
    JournalFolder(fresh, Paths(str(tmp_path / "x"))).enter(Context(), "home", [A])
    assert fresh.fsyncs == 2 + 1 + 2  # the second store is new: the entries of its folders


def test_the_file_is_durable_before_its_name_and_both_before_it_returns(tmp_path: Path) -> None:
    """The order is: temporary file, fsync, rename, fsync of the folder."""
    journal(tmp_path).enter(Context(), "home", [A]).remove([A])
    counting = Counting()
    journal(tmp_path, counting).enter(Context(), "home", [A])
    seen = [(what, os.path.basename(path)) for what, path in counting.seen if what in {"write", "fsync", "rename"}]
    assert [what for what, _path in seen] == ["write", "fsync", "rename", "fsync"]
    assert seen[2][1] == "home-1.json"
    assert seen[3][1] == "journal"


def test_many_entries_of_one_certificate(site: StoreSite) -> None:
    """Eight concurrent threads get eight entries. Free numbers are used again."""
    barrier, entries = threading.Barrier(8), list[JournalEntry]()

    def work() -> None:
        barrier.wait()
        entries.append(journal(site).enter(Context(), "home", [A]))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({entry.path for entry in entries}) == 8
    assert left(site) == []
    for entry in entries:
        entry.remove([A])
    assert files(site) == []
    entry = journal(site).enter(Context(), "home", [A])
    assert entry.path.endswith(("/journal/home-1.json", "(journal 9)"))


def test_a_kept_entry_is_never_overwritten(site: StoreSite) -> None:
    """An entry of an earlier run stays unchanged when the next order of the certificate is entered."""
    journal(site).enter(Context(), "home", [A]).keep()
    entry = journal(site).enter(Context(), "home", [B])
    assert left(site) == [{A}]
    entry.keep()
    assert left(site) == [{A}, {B}]


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "con", "A", "a\0"])
def test_no_name_reaches_outside(site: StoreSite, name: str) -> None:
    """A certificate's name that would leave the folder is refused."""
    with pytest.raises(StoreError) as caught:
        journal(site).enter(Context(), name, [A])
    assert caught.value.code == "store-bad-name"


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_private_under_any_umask(tmp_path: Path, mask: int) -> None:
    """The folder has mode 0700 and its files 0600. An open folder is made private."""
    old = os.umask(mask)
    try:
        for mode in (None, 0o777):
            if mode is not None:
                (tmp_path / "state/journal").chmod(mode)
            entry = journal(tmp_path / "state").enter(Context(), "home", [A])
            assert stat.S_IMODE((tmp_path / "state/journal").stat().st_mode) == 0o700
            for name in files(tmp_path / "state"):
                assert stat.S_IMODE((tmp_path / "state/journal" / name).stat().st_mode) == 0o600
            entry.keep()
    finally:
        os.umask(old)


@pytest.mark.parametrize("wrote", [True, False])
def test_a_mark_lasts_as_long_as_a_host_may_be_at_work(site: StoreSite, wrote: bool) -> None:
    """A value that was in flight is removed but stays in the journal for ten minutes."""
    clock = FakeClock()
    entry = journal(site).enter(Context(clock=clock), "home", [A, B])
    entry.mark_in_flight([A])
    entry.mark_in_flight([B])
    if wrote:
        entry.clear_in_flight([A, B])
    assert entry.in_flight([A, B]) == ([] if wrote else [A, B])
    entry.keep()
    for _ in range(2):
        with journal(site).left_over(Context(clock=clock)) as entries:
            for found in entries:
                found.remove(found.values)
        assert bool(left(site, Context(clock=clock))) is not wrote
    clock.elapsed += 601
    with journal(site).left_over(Context(clock=clock)) as entries:
        for found in entries:
            found.remove(found.values)
    assert left(site, Context(clock=clock)) == []
    assert not site.open().has_journal


def test_a_value_that_was_removed_once_is_known(site: StoreSite) -> None:
    """Later cleanups can tell a value that was removed and may still be written from one that was not removed yet."""
    entry = journal(site).enter(Context(), "home", [A, B, C])
    entry.mark_in_flight([A, B])
    entry.remove([B, C])
    assert entry.removed_once([A, B, C]) == [B]
    entry.keep()
    with journal(site).left_over(Context()) as (found,):
        assert (set(found.values), found.removed_once([A, B])) == ({A, B}, [B])
        found.remove([A])
    with journal(site).left_over(Context()) as (found,):
        assert found.removed_once(found.values) == [A, B]


@pytest.mark.parametrize("indexes", [b"[1]", b"[-1]", b"0", b'["0"]', b"[true]"])
def test_indexes_that_are_none_are_damage(indexes: bytes) -> None:
    """An entry whose indexes of removed values are not those of its values is damaged."""
    page = JournalPage("home", "2026-11-25T10:00:00Z", (A,), removed=(A,))
    data = page.to_json()
    assert JournalPage.from_json(data) == page
    damaged = json.dumps(json.loads(data) | {"removed": json.loads(indexes)}).encode()
    with pytest.raises(DamagedFile):
        JournalPage.from_json(damaged)


def test_the_values_of_live_runs(site: StoreSite) -> None:
    """live_values() has only values of live runs. `has_journal` reports whether any entry may exist."""
    store = site.open()
    assert (store.journal.live_values(), store.has_journal) == (set(), False)
    entry = store.journal.enter(Context(), "home", [A, ELSEWHERE])
    journal(site).enter(Context(), "home", [C]).keep()
    assert site.open().journal.live_values() == {A, ELSEWHERE}
    assert site.open().has_journal
    entry.remove([A, ELSEWHERE])
    clear(site)
    assert (store.journal.live_values(), store.journal.unreadable()) == (set(), [])
    assert not store.has_journal


def test_what_no_dnsrenew_wrote_is_reported_and_left(database_site: DatabaseSite) -> None:
    """A page of a newer schema or with invalid content is reported and kept. Other entries are cleaned up."""
    for name in ("home", "away", "other"):
        journal(database_site).enter(Context(), name, [A]).keep()
    database_site.execute("UPDATE dnsrenew_journal SET page = '{\"schema\": 2}' WHERE certificate = 'home'")
    database_site.execute(
        "UPDATE dnsrenew_journal SET page = '{\"schema\": 1, \"values\": 5}' WHERE certificate = 'away'"
    )
    context = Context()
    assert left(database_site, context) == [{A}]
    assert [notice.code for notice in context.notices] == ["store-damaged", "store-newer"]
    assert len(journal(database_site).unreadable()) == 2
    journal(database_site).enter(Context(), "home", [A]).remove([A])


def test_what_the_database_could_not_take_back_is_given_up_later(database_site: DatabaseSite) -> None:
    """An entry that could not be removed during an outage is released later, although its process lives on."""
    store = database_site.open()
    entry, other = (store.journal.enter(Context(), "home", [value]) for value in (A, B))
    database_site.execute("ALTER TABLE dnsrenew_journal RENAME TO hidden")
    entry.remove([A])
    other.keep()
    assert store.has_journal  # cleanup reports why it cannot be read
    database_site.execute("ALTER TABLE hidden RENAME TO dnsrenew_journal")
    assert store.has_journal
    assert left(database_site) == [{A}, {B}]


def test_the_entries_of_a_process_without_a_connection_are_those_of_a_dead_one(database_site: DatabaseSite) -> None:
    """Without its connection a process loses its entries to the next cleanup, and can mark no more values."""
    store = database_site.open()
    entry = store.journal.enter(Context(), "home", [A])
    assert left(database_site) == []
    store.locks.close()
    assert left(database_site) == [{A}]
    clear(database_site)
    with pytest.raises(StoreError) as caught:
        entry.mark_in_flight([A])
    assert caught.value.code == "store-unreachable"
    entry.keep()
    assert left(database_site) == []


# ── dead runs ───────────────────────────────────────────────────────────────────────────

HOLD = """if True:
    import sys
    from dnsrenew.base.runtime import Context
    from dnsrenew.base.model import TxtRecord
    from dnsrenew.store.atomic_io import AtomicFiles
    from dnsrenew.store.journal import JournalFolder
    from dnsrenew.store.paths import Paths
    values = [(TxtRecord("home.test.", sys.argv[2], "value-a", 60), "rfc")]
    entry = JournalFolder(AtomicFiles(), Paths(sys.argv[1])).enter(Context(), "home", values)
    print("entered", flush=True)
    sys.stdin.read()
"""


@contextmanager
def living(root: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield another process with its own entry, until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root), OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "entered\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_killed_process_leaves_what_the_next_finds(tmp_path: Path) -> None:
    """Cleanup ignores the values of a live process and finds them after SIGKILL."""
    with living(tmp_path) as first, living(tmp_path) as second:
        assert left(tmp_path) == []
        first.send_signal(signal.SIGKILL)
        first.wait(10)
        assert left(tmp_path) == []  # the second one has the same value, and lives
        second.send_signal(signal.SIGKILL)
        second.wait(10)
        assert left(tmp_path) == [{A}, {A}]
    clear(tmp_path)
    assert files(tmp_path) == []


def test_a_process_that_ends_by_itself_without_a_word(tmp_path: Path) -> None:
    """An entry of an ended process counts as that of a dead run, if it was not removed or kept."""
    with living(tmp_path) as process:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(10)
        assert left(tmp_path) == [{A}]


def story(root: Path, before: Counting | None) -> list[str]:
    """Run the journal's part of a renewal and return the requests to the DNS host."""
    host: list[str] = []
    try:
        entry = journal(root, before).enter(Context(), "home", [A, B])
        host.append("written")
        host.append("gone")
        entry.remove([A, B])
        entry.keep()
    except Killed:
        host.append("killed")
    return host


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in memory."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as path:
        yield Path(path)


@pytest.mark.parametrize("first", [True, False])
def test_killed_at_every_disk_operation(quick: Path, first: bool) -> None:
    """Killed before any operation: cleanup finds every value that may be in DNS, and leaves nothing."""

    def prepare(root: Path) -> Path:
        if not first:
            story(root, None)
        return root

    counting = Counting()
    story(prepare(quick / "count"), counting)
    count = len(counting.seen)
    assert count > 15
    for at in range(count):
        root = prepare(quick / str(at))
        host = story(root, Killing(at))
        assert host[-1] == "killed"
        assert left(root) in ([], [{A, B}]), counting.seen[at]
        assert story(root, None) == ["written", "gone"]
        clear(root)
        assert left(root) == []
        # What was written aside is young: in another store's time another run might be writing it.
        assert [name for name in files(root) if not name.startswith(".tmp-")] == []


def test_killed_between_the_journal_and_dns(quick: Path) -> None:
    """Killed right after `enter`, before each operation of the removal: cleanup finds the whole entry."""
    counting = Counting()
    entry = journal(quick / "count", counting).enter(Context(), "home", [A, B])
    entered = len(counting.seen)
    entry.remove([A, B])
    for at in range(entered, len(counting.seen)):
        root = quick / str(at)
        assert story(root, Killing(at)) == ["written", "gone", "killed"]
        if counting.seen[at][1].endswith(".json"):
            assert left(root) == [{A, B}]


def test_killed_while_sweeping(quick: Path) -> None:
    """Killed before any operation of a cleanup that removes one of two values: the other one is never lost."""

    def clean_up(root: Path, before: Counting | None) -> None:
        with journal(root, before).left_over(Context()) as entries:
            for entry in entries:
                entry.remove([A])

    counting = Counting()
    journal(quick / "count").enter(Context(), "home", [A, B]).keep()
    clean_up(quick / "count", counting)
    assert left(quick / "count") == [{B}]
    for at in range(len(counting.seen)):
        root = quick / str(at)
        journal(root).enter(Context(), "home", [A, B]).keep()
        with pytest.raises(Killed):
            clean_up(root, Killing(at))
        assert left(root) in ([{A, B}], [{B}]), counting.seen[at]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.ENOENT])
@pytest.mark.parametrize("for_good", [False, True])
def test_refused_at_every_disk_operation(quick: Path, number: int, for_good: bool) -> None:
    """If an operation fails, the result is a StoreError before any DNS write and without a file, or success."""
    counting = Counting()
    entry = journal(quick / "count", counting).enter(Context(), "home", [A, B])
    entered = len(counting.seen)
    entry.remove([A, B])
    refusal: StoreError | None
    codes = set()
    for at in range(len(counting.seen)):
        root = quick / str(at)
        book = journal(root, Failing(at, number, for_good=for_good))
        try:
            entry = book.enter(Context(), "home", [A, B])
        except StoreError as error:
            refusal = error
        else:
            refusal = None
        if refusal is not None:
            assert at < entered
            assert refusal.fix
            codes.add(refusal.code)
            # Where even removing is refused it may stay: it names what was never written.
            assert for_good or left(root) == []
            continue
        entry.remove([A, B])
        assert left(root) in ([], [{A, B}])
        clear(root)
        assert left(root) == []
    assert codes


def test_where_no_open_file_can_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows the lock file is removed after its release, so that no file is left."""
    root, unlinked = str(tmp_path), list[str]()
    disk = AtomicFiles(lambda what, path: unlinked.append(path) if what == "unlink" else None)
    book = JournalFolder(disk, Paths(root))
    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        entry = book.enter(Context(), "home", [A])
        entry.remove([A])
        book.enter(Context(), "home", [B]).keep()
        with book.left_over(Context()) as entries:
            found = [entry.values for entry in entries]
            entries[0].remove([B])
    assert found == [(B,)]
    assert files(tmp_path) == []
    assert [os.path.basename(path) for path in unlinked][:2] == ["home-1.json", "home-1.lock"]


def test_keeping_on_a_full_disk(tmp_path: Path) -> None:
    """An entry that cannot be rewritten keeps all its values."""
    journal(tmp_path).enter(Context(), "home", [A]).remove([A])
    counting = Counting()
    entry = journal(tmp_path, counting).enter(Context(), "home", [A, B])
    entered = len(counting.seen)
    entry.remove([A, B])
    entry = journal(tmp_path, Failing(entered, errno.ENOSPC, for_good=True)).enter(Context(), "home", [A, B])
    entry.remove([A])
    entry.keep()
    assert left(tmp_path) == [{A, B}]


# ── sweepers ────────────────────────────────────────────────────────────────────────────


def test_an_empty_journal_costs_one_look(tmp_path: Path) -> None:
    """An empty or missing journal costs one listing, without a lock or a write."""
    counting = Counting()
    with journal(tmp_path / "state", counting).left_over(Context()) as entries:
        assert entries == []
    assert counting.seen == [("list", str(tmp_path / "state/journal"))]
    assert not (tmp_path / "state").exists()


def test_one_sweeper_at_a_time(site: StoreSite) -> None:
    """A second cleanup gets a LockedError."""
    journal(site).enter(Context(), "home", [A]).keep()
    with journal(site).left_over(Context()) as entries:
        assert len(entries) == 1
        with pytest.raises(LockedError) as caught:
            left(site)
        assert caught.value.evidence["pid"] == os.getpid()
        assert "TXT values" in caught.value.message
    assert left(site) == [{A}]


def test_a_run_that_begins_during_a_cleanup(site: StoreSite) -> None:
    """A run that starts during a cleanup enters its values, and the cleanup does not touch them."""
    journal(site).enter(Context(), "home", [A]).keep()
    with journal(site).left_over(Context()) as entries:
        new = journal(site).enter(Context(), "home", [B])
        entries[0].remove([A])
        again = journal(site).enter(Context(), "home", [C])
    assert left(site) == []
    new.keep()
    again.keep()
    assert sorted(left(site), key=repr) == sorted([{C}, {B}], key=repr)


def test_what_a_cleanup_may_be_removing_is_entered_after_it(site: StoreSite) -> None:
    """A run waits to enter a value that a cleanup may be removing."""
    journal(site).enter(Context(), "home", [A]).keep()
    context, entered = Noting(), list[JournalEntry]()
    with journal(site).left_over(Context()) as entries:
        task = threads.start(lambda: entered.append(journal(site).enter(context, "home", [A])))
        assert context.came.wait(5)
        assert entered == []
        entries[0].remove([A])
    assert task.done.wait(5)
    task.result()
    assert left(site) == []  # it lives


class Noting(Context):
    """Signals that the run waits for a lock."""

    came: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float) -> None:
        """Signal that a lock is awaited."""
        self.came.set()
        super().wait(seconds)


def test_what_a_cleanup_is_just_reading_is_entered_after_it(tmp_path: Path) -> None:
    """A run waits to enter a value while a cleanup reads the dead entry with the same value."""
    journal(tmp_path).enter(Context(), "home", [A]).keep()
    context, entered, tasks = Noting(), list[JournalEntry](), list[threads.Task[None]]()

    def read(operation: str, path: str) -> None:
        if operation == "read" and path.endswith("home-1.json") and not tasks:
            tasks.append(threads.start(lambda: entered.append(journal(tmp_path).enter(context, "away", [A]))))
            assert context.came.wait(5)

    with JournalFolder(AtomicFiles(read), Paths(str(tmp_path))).left_over(Context()) as entries:
        assert entered == []
        for entry in entries:
            entry.remove(entry.values)
    assert tasks[0].done.wait(5)
    tasks[0].result()
    assert left(tmp_path) == []


def test_a_value_of_a_run_that_lives_is_its_own(site: StoreSite) -> None:
    """Cleanup does not remove a value that a dead run and a live run have in common."""
    journal(site).enter(Context(), "home", [A, B]).keep()
    entry = journal(site).enter(Context(), "away", [A])
    assert left(site) == [{B}]
    clear(site)
    assert left(site) == []
    entry.keep()
    assert left(site) == [{A}, {A}]


def test_nor_is_one_that_a_host_may_still_be_asked_for(site: StoreSite) -> None:
    """Cleanup does not remove a value in flight that a live run uses too."""
    entry = journal(site).enter(Context(), "home", [A])
    entry.mark_in_flight([A])
    entry.keep()
    other = journal(site).enter(Context(), "away", [A])
    assert left(site) == []
    other.remove([A])
    assert left(site) == [{A}]
    clear(site)
    assert left(site) == [{A}]  # for ten minutes


def test_a_run_that_begins_while_an_entry_is_read(tmp_path: Path) -> None:
    """A run that starts while a left-over lock is examined uses another number and does not count as dead."""
    journal(tmp_path).enter(Context(), "other", [B]).keep()
    (tmp_path / "journal" / "home-1.lock").touch()
    begun: list[JournalEntry] = []

    def begin(operation: str, path: str) -> None:
        if operation == "read" and path.endswith("home-1.json") and not begun:
            begun.append(journal(tmp_path).enter(Context(), "home", [A]))

    with JournalFolder(AtomicFiles(begin), Paths(str(tmp_path))).left_over(Context()) as entries:
        assert [set(entry.values) for entry in entries] == [{B}]
    assert Path(begun[0].path).exists()


def test_a_lock_without_an_entry_is_cleared_away(tmp_path: Path) -> None:
    """A lock without an entry is removed. Foreign files stay."""
    journal(tmp_path).enter(Context(), "home", [A]).keep()
    (tmp_path / "journal/away-1.lock").touch()
    (tmp_path / "journal/note.txt").touch()
    assert left(tmp_path) == [{A}]
    assert files(tmp_path) == ["home-1.json", "note.txt"]


def test_unfinished_files_go_when_they_are_old(tmp_path: Path) -> None:
    """Old temporary files are removed. Recent ones stay, because another run may be writing them."""
    journal(tmp_path).enter(Context(), "home", [A]).keep()
    old, young = tmp_path / "journal/.tmp-1-1", tmp_path / "journal/.tmp-1-2"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    left(tmp_path)
    assert files(tmp_path) == [".tmp-1-2", "home-1.json"]


def test_a_cancelled_cleanup(site: StoreSite) -> None:
    """After a cancel, a cleanup does not begin and an entry is not written."""
    journal(site).enter(Context(), "home", [A]).keep()
    context = Context()
    context.cancel.set()
    with pytest.raises(Cancelled):
        left(site, context)
    with pytest.raises(Cancelled):
        journal(site).enter(context, "home", [B])
    assert left(site) == [{A}]


def test_no_file_stays_open(tmp_path: Path) -> None:
    """Entries and cleanups close all their files."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        journal(tmp_path).enter(Context(), "home", [A]).keep()
        journal(tmp_path).enter(Context(), "home", [B]).remove([B])
        left(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


# ── files that are not what we wrote ────────────────────────────────────────────────────

GOOD = JournalPage("home", "2026-11-25T10:00:00Z", (A, B)).to_json()


def form(**changes: Any) -> bytes:
    """Return a valid file with some fields of one value changed."""
    value = {**json.loads(GOOD)["values"][0], **changes}
    return json.dumps({**json.loads(GOOD), "values": [value]}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\0" * len(GOOD),
        GOOD[:-20],
        GOOD.replace(b'"schema": 1', b'"schema": 0'),
        b'{"schema": 1}',
        b'{"schema": 1, "values": []}',
        b'{"schema": 1, "values": {}}',
        b'{"schema": 1, "values": [1]}',
        form(zone=""),
        form(name=None),
        form(value=["a"]),
        form(ttl=0),
        form(ttl=None),
        form(ttl="60"),
        form(dns=None),
        form(value="\ud800"),
    ],
)
def test_a_damaged_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    """A damaged file is renamed with a warning. Other entries are not affected."""
    journal(tmp_path).enter(Context(), "home", [A]).keep()
    (tmp_path / "journal/away-1.json").write_bytes(content)
    context = Context()
    assert left(tmp_path, context) == [{A}]
    (notice,) = context.notices
    assert notice.code == "store-damaged"
    assert "away-1.json" in notice.message
    assert files(tmp_path) == ["away-1.json.damaged", "home-1.json"]
    assert (tmp_path / "journal/away-1.json.damaged").read_bytes() == content


def test_a_file_of_a_later_dnsrenew(tmp_path: Path) -> None:
    """A file of a newer schema stays, every cleanup warns about it, and its number is not used again."""
    path = tmp_path / "journal/home-1.json"
    journal(tmp_path).enter(Context(), "home", [A]).keep()
    path.write_bytes(GOOD.replace(b'"schema": 1', b'"schema": 2'))
    for _ in range(2):
        context = Context()
        assert left(tmp_path, context) == []
        (notice,) = context.notices
        assert (notice.code, notice.fix) == ("store-newer", "Update dnsrenew, then run: dnsrenew cleanup")
    assert files(tmp_path) == ["home-1.json"]
    assert journal(tmp_path).enter(Context(), "home", [B]).path.endswith("home-2.json")


def test_what_cannot_be_read_is_known(tmp_path: Path) -> None:
    """Damaged files and those of a newer schema are listed. Valid ones are not."""
    assert journal(tmp_path).unreadable() == []
    for name in ("home", "away", "other"):
        journal(tmp_path).enter(Context(), name, [A]).keep()
    folder = tmp_path / "journal"
    (folder / "home-1.json").write_bytes(GOOD.replace(b'"schema": 1', b'"schema": 2'))
    (folder / "away-1.json").write_bytes(b"{")
    left(tmp_path)
    wrong = [str(folder / name) for name in ("away-1.json.damaged", "home-1.json")]
    assert journal(tmp_path).unreadable() == wrong


def test_a_damaged_file_of_a_run_that_lives_is_left_alone(tmp_path: Path) -> None:
    """A damaged file of a live run stays until its lock is released."""
    entry = journal(tmp_path).enter(Context(), "home", [A])
    Path(entry.path).write_bytes(b"{")
    context = Context()
    assert left(tmp_path, context) == []
    assert context.notices == []
    assert "home-1.json" in files(tmp_path)
    entry.remove([A])


def test_the_mark_of_an_entry_that_was_set_aside_stops_no_later_one(tmp_path: Path) -> None:
    """The marker of a damaged entry does not disturb the next entry with its number."""
    entry = journal(tmp_path).enter(Context(), "home", [A])
    entry.mark_in_flight([A])
    entry.keep()
    (tmp_path / "journal/home-1.json").write_text("?")
    assert left(tmp_path) == []
    assert files(tmp_path) == ["home-1.asked", "home-1.json.damaged"]
    entry = journal(tmp_path).enter(Context(), "home", [A])
    entry.mark_in_flight([A])
    entry.clear_in_flight([A])
    entry.remove([A])
    assert files(tmp_path) == ["home-1.json.damaged"]


@pytest.mark.parametrize("kind", ["link", "folder", "lock-link"])
def test_what_is_no_file(tmp_path: Path, kind: str) -> None:
    """A link or a folder in the place of an entry gives a warning, and the other entries are cleaned up."""
    journal(tmp_path).enter(Context(), "home", [A]).keep()
    (tmp_path / "target").write_bytes(GOOD)
    odd = tmp_path / "journal" / ("away-1.lock" if kind == "lock-link" else "away-1.json")
    if kind == "folder":
        odd.mkdir()
    else:
        odd.symlink_to(tmp_path / "target")
    context = Context()
    assert left(tmp_path, context) == [{A}]
    assert len(context.notices) == 1
    assert (tmp_path / "target").read_bytes() == GOOD


def test_a_link_in_the_place_of_the_folder(tmp_path: Path) -> None:
    """A link in place of the folder is refused. Nothing is read or written through it."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/home-1.json").write_bytes(GOOD)
    (tmp_path / "state").mkdir()
    (tmp_path / "state/journal").symlink_to(tmp_path / "elsewhere")
    for work in (lambda: left(tmp_path / "state"), lambda: journal(tmp_path / "state").enter(Context(), "home", [A])):
        with pytest.raises(StoreError) as caught:
            work()
        assert caught.value.code == "store-symlink"
    assert os.listdir(tmp_path / "elsewhere") == ["home-1.json"]


def known(content: bytes) -> set[WrittenValue] | None:
    """Return the values of a file, or None if they are unknown."""
    try:
        return set(JournalPage.from_json(content).values)
    except (DamagedFile, NewerSchema):
        return None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["zone", "name", "value", "ttl", "dns", "schema", "values", "certificate", "since"]
like_ours = st.fixed_dictionaries(
    {"schema": st.just(1) | st.integers(-1, 3)},
    optional={
        "values": st.lists(st.dictionaries(st.sampled_from(KEYS), json_values, max_size=6), max_size=3) | json_values,
        "certificate": json_values,
        "since": json_values,
    },
).map(lambda form: json.dumps(form).encode("utf-8", "surrogatepass"))
cut = st.tuples(st.integers(0, len(GOOD)), st.integers(0, len(GOOD)), st.binary(max_size=6)).map(
    lambda how: GOOD[: how[0]] + how[2] + GOOD[how[1] :]
)


@given(content=st.binary(max_size=200) | like_ours | cut)
def test_any_bytes_are_values_or_damage(content: bytes) -> None:
    """Any content gives values that it contains, DamagedFile or NewerSchema."""
    values = known(content)
    if values is not None:
        listed = json.loads(content)["values"]
        assert len(values) <= len(listed)
        told = [(item["zone"], item["name"], item["value"], item["ttl"], item["dns"]) for item in listed]
        assert {(r.zone, r.name, r.value, r.ttl, account) for r, account in values} == set(told)


@given(contents=st.lists(st.binary(max_size=60) | like_ours | cut, max_size=4))
def test_any_files_are_cleaned_up_or_named(contents: list[bytes]) -> None:
    """Files with any content: each is an entry or listed as unreadable, and the next run finds the same."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        journal(root).enter(Context(), "home", [A]).keep()
        for number, content in enumerate(contents):
            (root / f"journal/x-{number}.json").write_bytes(content)
        found = left(root)
        expected = [{A}, *(values for content in contents if (values := known(content)) is not None)]
        assert found == expected
        assert left(root) == expected
        assert len(journal(root).unreadable()) == len(contents) + 1 - len(expected)


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
written = st.tuples(st.builds(TxtRecord, text, text, text, st.integers(1, 1 << 31)), st.text(max_size=5))


@given(values=st.lists(written.filter(lambda pair: pair[1].isprintable()), min_size=1, max_size=5, unique=True))
def test_what_is_written_is_read(values: list[WrittenValue]) -> None:
    """Every value survives writing and reading, in its order."""
    page = JournalPage("home", "2026-11-25T10:00:00Z", tuple(values))
    assert JournalPage.from_json(page.to_json()) == page
