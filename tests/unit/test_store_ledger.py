"""The ledger: what would make the CA refuse an order."""

import errno
import json
import multiprocessing
import os
import tempfile
import threading
from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dnsrenew.base.model import StoreAddress
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.errors import CAError
from dnsrenew.store import AtomicFiles, FolderStore, Store
from dnsrenew.store.folder_store import open_store
from dnsrenew.store.json_files import DamagedFile
from dnsrenew.store.ledger import ANY, LIMITS, MAX_ENTRIES, NONE, LedgerFile, LedgerState, Limit, Limits, set_key
from tests.kit.clock import START, FakeClock
from tests.kit.postgres import PASSWORD
from tests.kit.store_sites import SEAL, DatabaseSite, StoreSite
from tests.kit.stores import Counting, Failing, Killed, Killing, issue, leftovers, operations

LE = BUILT_IN["letsencrypt"].directory
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
SECOND = timedelta(seconds=1)
HOME = ["home.test", "*.home.test"]


class LedgerStage:
    """A ledger with a clock that the test moves."""

    def __init__(self, root: Path | StoreSite, directory: str = LE, hook: Counting | None = None) -> None:
        self.clock = FakeClock()
        self.context = Context(clock=self.clock)
        self.store = FolderStore(root, disk=AtomicFiles(hook)) if isinstance(root, Path) else root.open()
        self.ledger = self.store.ledger(directory, "letsencrypt", self.context)

    @property
    def path(self) -> Path:
        """The file of the ledger; one that does not exist for a database."""
        place = self.ledger.place
        return Path(place.path) if isinstance(place, LedgerFile) else Path("/nowhere/ledger.json")

    def until(self, identifiers: Sequence[str] = HOME, *, replaces: bool = False) -> float | None:
        """Return the seconds for which an order is blocked, or None."""
        error = self.ledger.may_order(identifiers, replaces=replaces)
        return None if error is None else error.retry_after

    def warnings(self) -> list[str]:
        """Return the codes of the warnings."""
        return [notice.code for notice in self.context.notices]


@pytest.fixture
def stage(site: StoreSite) -> LedgerStage:
    """Return the ledger of an account at Let's Encrypt, in an empty store."""
    return LedgerStage(site)


@pytest.fixture
def folder_stage(tmp_path: Path) -> LedgerStage:
    """Return the ledger in a folder."""
    return LedgerStage(tmp_path)


def test_what_another_run_is_just_writing_there_stays(folder_stage: LedgerStage) -> None:
    """The account's files are written to the same folder: only temporary files older than an hour are removed."""
    folder_stage.ledger.note_failed_validation(HOME)
    young, old = (folder_stage.path.with_name(name) for name in (".tmp-1-1", ".tmp-1-2"))
    for path in (young, old):
        path.touch()
    os.utime(old, (0, 0))
    folder_stage.ledger.note_failed_validation(HOME)
    assert leftovers(folder_stage.path.parent) == [young.name]


# ── what refuses an order ───────────────────────────────────────────────────────────────


def test_nothing_known_holds_nothing(stage: LedgerStage) -> None:
    """An empty ledger blocks nothing, and a query creates no file."""
    assert stage.until() is None
    assert not stage.path.exists()
    assert stage.warnings() == []


def test_five_failures_of_a_name_hold_it(stage: LedgerStage) -> None:
    """After five failures within an hour, orders with that name are blocked until one expires. Other names are not."""
    for _ in range(5):
        assert stage.until() is None
        stage.ledger.note_failed_validation(["home.test"])
    assert stage.until() == 12 * 60
    assert stage.until(["home.test", "other.test"]) == 12 * 60
    assert stage.until(["other.test", "*.home.test"]) is None
    stage.clock.elapsed += 12 * 60
    assert stage.until() is None


def test_five_certificates_of_a_set_hold_it(stage: LedgerStage) -> None:
    """Five certificates block exactly their set of names, in any order. Another set is not blocked."""
    for _ in range(5):
        assert stage.until() is None
        stage.ledger.note_certificate(HOME)
    assert stage.until(HOME[::-1]) == WEEK.total_seconds() / 5
    assert stage.until([*HOME, "www.home.test"]) is None
    assert stage.until(HOME[:1]) is None


def test_a_replacement_is_never_held(stage: LedgerStage) -> None:
    """No limit blocks an order with ``replaces``, but its certificate is counted."""
    stage.ledger.note_retry_after(3600)
    for _ in range(9):
        stage.ledger.note_certificate(HOME)
        stage.ledger.note_failed_validation(HOME)
    assert stage.until(replaces=True) is None
    assert stage.until() is not None


@pytest.mark.parametrize("directory", [LE, "https://ca.test/directory"])
def test_five_failed_orders_hold_a_person(site: StoreSite, directory: str) -> None:
    """Five failed orders block an attended run at any CA, even with ``replaces``.

    Scheduled runs and other names are not blocked.
    """
    stage = LedgerStage(site, directory)
    stage.ledger.note_failed_orders(HOME, 0)
    assert not stage.path.exists()
    for count in (2, 2, 1):
        assert stage.ledger.may_order(HOME, attended=True) is None
        stage.ledger.note_failed_orders(HOME, count)
    for replaces in (False, True):
        held = stage.ledger.may_order(HOME, attended=True, replaces=replaces)
        assert held is not None
        assert (held.evidence["limit"], held.retry_after) == ("failed-orders", 12 * 60)
        assert "5 orders for home.test (+1)" in held.message
    assert stage.until() is None
    assert stage.ledger.may_order(HOME[:1], attended=True) is None
    stage.clock.elapsed += 12 * 60
    assert stage.ledger.may_order(HOME, attended=True) is None


def test_a_retry_after_holds_what_it_was_said_of(stage: LedgerStage) -> None:
    """Retry-After blocks the same names, or all orders, for the requested time, but at most a week."""
    stage.ledger.note_retry_after(90.5, HOME)
    assert stage.until() == 91
    assert stage.until(["other.test"]) is None
    stage.clock.elapsed += 91
    assert stage.until() is None
    stage.ledger.note_retry_after(float("inf"))
    assert stage.until(["other.test"]) == WEEK.total_seconds()
    stage.ledger.note_retry_after(-5)
    assert stage.until(["other.test"]) is None


def test_a_retry_after_leaves_a_quarter_of_a_valid_certificate(stage: LedgerStage) -> None:
    """Retry-After may take at most three quarters of the remaining lifetime, counted from the time of the request."""
    expires = stage.clock.now() + timedelta(days=4)
    stage.ledger.note_retry_after(WEEK.total_seconds(), HOME)
    stage.clock.elapsed += 86_400
    error = stage.ledger.may_order(HOME, expires=expires)
    assert error is not None
    assert error.retry_after == 2 * 86_400
    assert stage.until() == 6 * 86_400
    stage.clock.elapsed += 2 * 86_400
    assert stage.ledger.may_order(HOME, expires=expires) is None
    assert stage.ledger.may_order(HOME, expires=stage.clock.now() - WEEK) is not None
    stage.ledger.note_retry_after(WEEK.total_seconds(), HOME, url="https://ca.test/unpause")
    error = stage.ledger.may_order(HOME, expires=expires)
    assert error is not None
    assert error.retry_after == WEEK.total_seconds()


def test_a_paused_name_is_held_for_a_person(stage: LedgerStage) -> None:
    """A paused set blocks a replacement too. The error has the URL. A certificate for the names ends the pause."""
    stage.ledger.note_retry_after(3600, HOME, url="https://ca.test/unpause")
    for replaces in (False, True):
        error = stage.ledger.may_order(HOME, replaces=replaces)
        assert error is not None
        assert error.retry_after == 3600
        assert (error.evidence["limit"], error.evidence["url"]) == ("paused", "https://ca.test/unpause")
        assert "https://ca.test/unpause" in error.message
        assert "--now" in error.fix
    assert stage.ledger.may_begin() is None
    stage.ledger.note_certificate(HOME)
    assert stage.ledger.may_order(HOME) is None


def test_what_holds_for_everything_holds_before_an_order(stage: LedgerStage) -> None:
    """A Retry-After for the whole account blocks every certificate before an order."""
    stage.ledger.note_retry_after(3600)
    error = stage.ledger.may_begin()
    assert error is not None
    assert error.retry_after == 3600


def test_an_unknown_ca_has_no_limits_but_its_own_word(site: StoreSite) -> None:
    """For an unknown CA only Retry-After is recorded."""
    stage = LedgerStage(site, "https://ca.test/dir")
    for _ in range(50):
        stage.ledger.note_failed_validation(HOME)
        stage.ledger.note_certificate(HOME)
    assert not stage.path.exists()
    stage.ledger.note_retry_after(60, HOME)
    assert stage.until() == 60


def test_the_error_says_who_what_and_until_when(stage: LedgerStage) -> None:
    """The error names the CA, the limit, the names and the time. It is a CAError."""
    stage.ledger.note_retry_after(60)
    error = stage.ledger.may_order(["home.test"])
    assert isinstance(error, CAError)
    assert error.code == "ca-ledger"
    assert error.message == "The CA letsencrypt asked to wait until 2026-11-25 10:01 UTC before an order for home.test."
    assert error.evidence == {
        "ca": "letsencrypt",
        "until": "2026-11-25T10:01:00Z",
        "limit": "retry-after",
        "identifier": None,
        "names": "home.test",
    }
    for _ in range(5):
        stage.ledger.note_failed_validation(HOME)
    error = stage.ledger.may_order(HOME)
    assert error is not None
    assert "dry_run=True" in error.fix  # the staging server counts no failure
    assert error.message == (
        "The CA letsencrypt would refuse an order for home.test until 2026-11-25 10:12 UTC: "
        "it allows 5 failed validations of a name in 1 h."
    )
    assert error.evidence["identifier"] == "home.test"
    for _ in range(5):
        stage.ledger.note_certificate(HOME)
    error = stage.ledger.may_order(HOME)
    assert error is not None
    assert error.message == (
        "The CA letsencrypt would refuse an order for home.test (+1) until 2026-11-26 19:36 UTC: "
        "it issues 5 certificates for the same names in 7 days."
    )
    assert json.dumps(error.evidence)


def test_the_limits_are_of_built_in_cas() -> None:
    """The limits are keyed by the directory URLs of the built-in CAs."""
    assert set(LIMITS) == {BUILT_IN[name].directory for name in ("letsencrypt", "letsencrypt-staging")}
    assert LIMITS[LE] == Limits(failed=Limit(5, HOUR), same_set=Limit(5, WEEK))


# ── the buckets, against the tokens themselves ──────────────────────────────────────────


class Tokens:
    """The token bucket of the CA, counted exactly."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.left = Fraction(limit.count)

    def passes(self, time: timedelta) -> None:
        """Refill for some time."""
        self.left = min(Fraction(self.limit.count), self.left + _share(time) / _share(self.limit.each))

    def take(self) -> None:
        """Take a token, if there is one."""
        self.left = max(Fraction(0), self.left - 1)


def _share(time: timedelta) -> Fraction:
    return Fraction(time // timedelta(microseconds=1))


LIMIT = st.builds(Limit, st.integers(1, 40), st.sampled_from([HOUR, WEEK]))
STEPS = st.lists(st.tuples(st.timedeltas(timedelta(0), timedelta(days=2)), st.sampled_from("fc")), max_size=40)
LONG = st.timedeltas(timedelta(days=-20_000), timedelta(days=40_000))


@given(limit=LIMIT, steps=STEPS)
@example(limit=Limit(1, HOUR), steps=[(timedelta(microseconds=1), "f"), (timedelta(0), "f")])
def test_the_ledger_agrees_with_the_bucket(limit: Limit, steps: list[tuple[timedelta, str]]) -> None:
    """The ledger blocks exactly the orders that the bucket refuses, except for seconds of rounding."""
    limits = Limits(failed=limit, same_set=limit)
    tokens = {"f": Tokens(limit), "c": Tokens(limit)}
    book, now = LedgerState(), START
    # Rounding up to a second at each step may add up to that much.
    slack = Fraction(1 + len(steps)) * _share(SECOND) / _share(limit.each)
    for time, what in steps:
        now += time
        for bucket in tokens.values():
            bucket.passes(time)
        held = book.blocked(["a.test"], limits, now)
        least = min(bucket.left for bucket in tokens.values())
        assert held is not None or least >= 1
        assert held is None or least < 1 + slack
        assert held is None or timedelta(0) < held.until - now <= limit.window + SECOND
        note = book.with_failed if what == "f" else book.with_certificate
        book = LedgerState.from_json(note(["a.test"], limits, now).to_json())
        tokens[what].take()


@given(limit=LIMIT, steps=st.lists(st.tuples(LONG, st.sampled_from("fcw-")), max_size=12))
def test_no_clock_makes_it_hold_for_long(limit: Limit, steps: list[tuple[timedelta, str]]) -> None:
    """For any clock jumps, an order is blocked for the window at most, or for twice a Retry-After."""
    limits = Limits(failed=limit, same_set=limit)
    book = LedgerState()
    for jump, what in steps:
        now = START + jump
        held = book.blocked(["a.test"], limits, now)
        if held is not None:
            most = {"failed": limit.window, "same-set": limit.window, "retry-after": 2 * HOUR + SECOND}
            assert timedelta(0) < held.until - now <= most[held.limit] + SECOND
        match what:
            case "f":
                book = book.with_failed(["a.test"], limits, now)
            case "c":
                book = book.with_certificate(["a.test"], limits, now)
            case "w":
                book = book.with_wait(3600, None, now)
        book = LedgerState.from_json(book.to_json())


def test_a_small_step_back_is_put_up_with(stage: LedgerStage) -> None:
    """A clock that is set back by minutes loses no entry."""
    for _ in range(5):
        stage.ledger.note_failed_validation(HOME)
    stage.clock.elapsed -= 300
    assert stage.until() == 12 * 60 + 300
    stage.clock.elapsed -= 40 * 86400
    assert stage.until() is None


def test_what_has_come_back_is_forgotten(stage: LedgerStage) -> None:
    """The file contains no expired entries."""
    stage.ledger.note_failed_validation(["a.test"])
    stage.ledger.note_certificate(["a.test"])
    stage.ledger.note_retry_after(10)
    stage.clock.elapsed += 30 * 86400
    stage.ledger.note_failed_validation(["b.test"])
    stage.ledger.note_certificate(["b.test"])
    stage.ledger.note_retry_after(10, ["b.test"])
    state = stage.ledger.place.read(stage.context, read_only=True)
    assert state is not None
    assert (set(state.failed), set(state.sets), set(state.waits)) == (
        {"b.test"},
        {set_key(["b.test"])},
        {set_key(["b.test"])},
    )


def test_a_large_fleet_keeps_the_emptiest_buckets() -> None:
    """With very many names, those nearest to their limit are kept."""
    limits = LIMITS[LE]
    names = [f"host-{number}.{'x' * 60}.test" for number in range(MAX_ENTRIES + 100)]
    book = LedgerState().with_failed(names[:1], limits, START).with_failed(names, limits, START)
    assert len(book.failed) == MAX_ENTRIES
    assert names[0] in book.failed
    assert len(LedgerState.from_json(book.to_json()).failed) == MAX_ENTRIES


# ── the file ────────────────────────────────────────────────────────────────────────────


def test_another_run_knows_it_too(tmp_path: Path) -> None:
    """The ledger is a private file in the account's folder, so that another run reads it."""
    stage = LedgerStage(tmp_path)
    stage.store.accounts(LE, "letsencrypt").save(AccountData(key_pem=issue(98)[1]))
    stage.ledger.note_retry_after(60)
    assert LedgerStage(tmp_path).until() == 60
    assert {path.name for path in stage.path.parent.iterdir()} == {"account.json", "key.pem", "ledger.json"}
    assert stage.path.stat().st_mode & 0o777 == 0o600
    assert stage.path.parent.stat().st_mode & 0o777 == 0o700
    assert stage.store.accounts(LE, "letsencrypt").load() is not None


def test_all_machines_know_it(site: StoreSite) -> None:
    """The ledger exists before the account and stays after the account is removed."""
    stage = LedgerStage(site)
    stage.ledger.note_retry_after(60)
    account = stage.store.accounts(LE, "letsencrypt")
    assert account.load() is None
    account.save(AccountData(key_pem=issue(98)[1]))
    account.remove()
    assert LedgerStage(site).until() == 60


def test_an_order_costs_the_same_whatever_the_others_are(database_site: DatabaseSite) -> None:
    """Only the entry of the order's own set of names is read and written, however many others exist."""
    stage = LedgerStage(database_site)
    database_site.execute(
        "INSERT INTO dnsrenew_limit (directory, key, kind, until)"
        " SELECT %s, md5(number::text), 'sets', %s FROM generate_series(1, 20000) AS number",
        LE,
        stage.clock.now() + WEEK,
    )
    place = stage.ledger.place
    heard: list[LedgerState] = []
    place.change(stage.context, lambda state, _: heard.append(state) or state, {set_key(HOME)})  # type: ignore[func-returns-value]
    for _ in range(5):
        stage.ledger.note_certificate(HOME)
    assert stage.until() is not None
    assert heard == [LedgerState()]
    assert place.read(stage.context, read_only=True, keys={set_key(HOME)}) == LedgerState(
        sets={set_key(HOME): stage.clock.now() + WEEK}
    )


def test_what_is_over_does_not_pile_up(database_site: DatabaseSite) -> None:
    """Each change removes some expired rows. Rows that still count stay."""
    stage = LedgerStage(database_site)
    for number in range(30):
        stage.ledger.note_certificate([f"{number}.test"])
    stage.clock.elapsed += 8 * 86400
    for number in range(4):
        stage.ledger.note_certificate([f"new-{number}.test"])
    state = stage.ledger.place.read(stage.context, read_only=True)
    assert state is not None
    assert set(state.sets) == {set_key([f"new-{number}.test"]) for number in range(4)}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
TIME = st.sampled_from(
    ["2026-11-25T10:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.5Z"]
)
NEARLY = st.fixed_dictionaries(
    {"schema": st.integers(0, 3)},
    optional={
        "failed": st.dictionaries(st.sampled_from(["home.test", "a"]), TIME | JSON, max_size=2) | JSON,
        "sets": st.dictionaries(st.just(set_key(HOME)), TIME | JSON) | JSON,
        "waits": st.dictionaries(
            st.sampled_from([ANY, set_key(HOME)]), st.fixed_dictionaries({"since": TIME, "until": TIME}) | JSON
        )
        | JSON,
        "later": JSON,
    },
)


@given(data=st.binary(max_size=300) | (JSON | NEARLY).map(lambda value: json.dumps(value).encode()))
@example(data=b"")
@example(data=b"[" * 100_000)
@example(data=b'{"schema": 1}')
@example(data=b'{"schema": 1, "failed": {"\\ud800": "2026-11-25T10:00:00Z"}}')
@example(data=b" " * (2 << 20))
def test_any_octets_are_a_ledger_or_set_aside(data: bytes) -> None:
    """Any content: an order is blocked for a week at most, the next entry is kept, and no file is lost."""
    with tempfile.TemporaryDirectory() as folder:
        stage = LedgerStage(Path(folder))
        stage.path.parent.mkdir(parents=True)
        stage.path.write_bytes(data)
        held = stage.until()
        assert held is None or 0 < held <= (WEEK + timedelta(days=1) + SECOND).total_seconds()
        stage.ledger.note_retry_after(60, ["x.test"])
        if stage.warnings() == ["store-newer"]:
            assert stage.path.read_bytes() == data
            return
        assert (held or 0) >= 60 or stage.until(["x.test"]) == 60
        aside = stage.path.with_name("ledger.json.damaged")
        if stage.warnings():
            assert stage.warnings() == ["store-damaged"]
            assert aside.read_bytes() == data
        else:
            assert not aside.exists()


def test_damage_is_said_and_gone_on_with(folder_stage: LedgerStage) -> None:
    """The warning names the file and the consequence."""
    folder_stage.path.parent.mkdir(parents=True)
    folder_stage.path.write_bytes(b"{")
    assert folder_stage.until() is None
    (notice,) = folder_stage.context.notices
    assert notice.code == "store-damaged"
    assert "ledger.json" in notice.message
    assert "ledger.json.damaged" in notice.fix


def test_a_folder_in_its_place_stops_nothing(folder_stage: LedgerStage) -> None:
    """A folder in place of the file is renamed, like other damage."""
    folder_stage.path.mkdir(parents=True)
    assert folder_stage.until() is None
    folder_stage.ledger.note_retry_after(60)
    assert folder_stage.warnings() == ["store-damaged"]
    assert folder_stage.path.with_name("ledger.json.damaged").is_dir()
    assert folder_stage.until() == 60


def test_unknown_fields_are_kept(folder_stage: LedgerStage) -> None:
    """Fields of a newer dnsrenew with the same schema are kept."""
    stage = folder_stage
    stage.ledger.place.change(stage.context, lambda state, _: replace(state, extra={"orders": {"x": 1}}))
    stage.ledger.note_retry_after(60)
    state = stage.ledger.place.read(stage.context, read_only=True)
    assert state is not None
    assert state.extra == {"orders": {"x": 1}}
    assert stage.until() == 60


def note(store: Store) -> None:
    """Record one entry, as a run does."""
    store.ledger(LE, "letsencrypt", Context(clock=FakeClock())).note_failed_validation(["home.test"])


def stands(root: Path) -> int:
    """Return the number of recorded entries."""
    full_at = LedgerState.from_json(LedgerStage(root).path.read_bytes()).failed["home.test"]
    return round((full_at - START) / timedelta(minutes=12))


def test_a_kill_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    """A kill at any operation leaves a complete file."""
    note(FolderStore(tmp_path / "count"))
    steps = len(operations(note, tmp_path / "count", windows=False))
    assert steps > 5
    for at in range(steps):
        root = tmp_path / str(at)
        note(FolderStore(root))
        with pytest.raises(Killed):
            note(FolderStore(root, disk=AtomicFiles(Killing(at))))
        assert stands(root) in {1, 2}
        assert LedgerStage(root).warnings() == []
        note(FolderStore(root))
        assert stands(root) in {2, 3}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_refusal_of_the_disk_stops_no_renewal(tmp_path: Path, number: int) -> None:
    """If any disk operation fails, the old or the new file stays, with a warning and without an error."""
    note(FolderStore(tmp_path / "count"))
    steps = len(operations(note, tmp_path / "count", windows=False))
    for at in range(steps):
        root = tmp_path / str(at)
        note(FolderStore(root))
        stage = LedgerStage(root, hook=Failing(at, number))
        stage.ledger.note_failed_validation(["home.test"])
        assert stands(root) in {1, 2}
        assert stands(root) == 2 or len(stage.warnings()) == 1
        assert leftovers(root) == []


def test_threads_and_processes_lose_nothing(site: StoreSite) -> None:
    """Two processes with two threads each write to one ledger: no entry is lost."""
    names = [f"{process}-{thread}-{number}.test" for process in "ab" for thread in "cd" for number in range(5)]
    run = multiprocessing.get_context("spawn")
    processes = [run.Process(target=_two_threads, args=(str(site.where), process)) for process in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    stage = LedgerStage(site)
    state = stage.ledger.place.read(stage.context, read_only=True)
    assert state is not None
    assert set(state.failed) == set(names)
    assert stage.warnings() == []


def _two_threads(where: str, process: str) -> None:
    place = StoreAddress(where, PASSWORD) if "://" in where else Path(where)

    def work(thread: str) -> None:
        for number in range(5):
            ledger = open_store(place, seals=lambda: [SEAL]).ledger(LE, "letsencrypt", Context())
            ledger.note_failed_validation([f"{process}-{thread}-{number}.test"])

    threads = [threading.Thread(target=work, args=(thread,)) for thread in "cd"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def test_a_busy_ledger_stops_no_renewal(tmp_path: Path) -> None:
    """If another run holds the lock for too long, the entry is lost, with a warning."""
    stage = LedgerStage(tmp_path)
    place = stage.ledger.place
    assert isinstance(place, LedgerFile)
    with place.hold_lock(f"ledger-{place._name}", "", Context(), 0):
        stage.ledger.note_retry_after(60)
    assert stage.warnings() == ["locked"]
    assert stage.until() is None


def test_a_cancelled_run_still_records(stage: LedgerStage) -> None:
    """A refusal is recorded even after a cancel."""
    stage.context.cancel.set()
    stage.ledger.note_retry_after(60)
    assert stage.until() == 60


def test_a_time_that_is_none_is_damage() -> None:
    """A time that is not whole seconds in UTC is damage."""
    wrong: tuple[object, ...] = ("2026-11-25T10:00:00", "2026-11-25T10:00:00.5Z", 5, None, [])
    for value in wrong:
        with pytest.raises(DamagedFile, match=r"a time|table"):
            LedgerState.from_json(json.dumps({"schema": 1, "failed": {"home.test": value}}).encode())


def test_the_book_of_no_limits_is_itself() -> None:
    """Without limits nothing is recorded."""
    book = LedgerState()
    assert book.with_failed(HOME, NONE, START) == book
    assert book.with_certificate(HOME, NONE, START) == book


def test_asking_costs_one_read(tmp_path: Path) -> None:
    """A query costs one read, without a lock or a write."""
    note(FolderStore(tmp_path))
    counting = Counting()
    stage = LedgerStage(tmp_path, hook=counting)
    stage.until()
    assert [operation for operation, _ in counting.seen] == ["read"]


def test_a_note_forces_nothing_to_the_disk(tmp_path: Path) -> None:
    """Recording costs no fsync, because the CA would repeat a lost refusal."""
    note(FolderStore(tmp_path))
    disk = AtomicFiles()
    note(FolderStore(tmp_path, disk=disk))
    assert disk.fsyncs == 0
