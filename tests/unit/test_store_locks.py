"""Locks between threads and between processes, their release by a dead process, and their errors."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.model import rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.errors import Cancelled, LockedError, StoreError
from dnsrenew.store import AtomicFiles, FolderStore, zone_locks
from tests.kit.clock import FakeClock
from tests.kit.load import allowed
from tests.kit.store_sites import StoreSite
from tests.kit.stores import DIRECTORY


def context(clock: FakeClock) -> Context:
    """Return a context with that clock."""
    return Context(clock=clock)


def test_two_runs(site: StoreSite) -> None:
    """Two runs exclude each other for a certificate, a zone, a writer and an account."""
    first, second = site.open(), site.open()
    with first.lock("home", context=Context()), first.lock_zone("a.test.", context=Context()):
        for held in (second.lock("home", context=Context()), second.lock_zone("A.test", context=Context())):
            with pytest.raises(LockedError) as caught:
                held.__enter__()
            assert caught.value.evidence["pid"] == os.getpid()
        with (
            second.lock("away", context=Context()),
            second.lock_zone("a.test.", context=Context(), purpose="writing"),
            pytest.raises(LockedError),
        ):
            first.lock_zone("a.test.", context=Context(), purpose="writing").__enter__()
    with second.lock("home", context=Context()), second.lock_zone("a.test.", context=Context()):
        pass


def lock_file(root: Path) -> Path:
    """Return the file of the lock of `home`."""
    return root / "locks/certificate-home.lock"


def test_two_threads(site: StoreSite) -> None:
    """A second thread of the same process is excluded too. The error has its own process ID."""
    store = site.open()
    caught: list[LockedError] = []

    def second() -> None:
        try:
            store.lock("home", context=Context()).__enter__()
        except LockedError as error:
            caught.append(error)

    with store.lock("home", context=context(FakeClock())):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(10)
    (error,) = caught
    assert error.code == "locked"
    assert error.evidence["pid"] == os.getpid()
    assert error.evidence["host"] == os.uname().nodename
    assert error.evidence["since"] == ("2026-11-25T10:00:00Z" if store.clock is None else rfc3339(store.clock.now()))
    assert str(os.getpid()) in error.message
    assert store.clock is not None or "2026-11-25 10:00 UTC" in error.message
    assert "--wait" in error.fix


def test_one_after_the_other(site: StoreSite) -> None:
    """A lock is free after its release and after an error. Different certificates do not exclude each other."""
    store = site.open()
    with pytest.raises(ZeroDivisionError), store.lock("home", context=Context()):
        raise ZeroDivisionError
    with store.lock("home", context=Context()), store.lock("away", context=Context()):
        pass
    with store.lock("home", context=Context()), store.lock_zone("home", context=Context()):
        pass


def test_many_threads_are_alone(site: StoreSite) -> None:
    """Eight threads that wait for one zone get its lock one at a time."""
    store, inside, most = site.open(), 0, 0
    barrier = threading.Barrier(8)

    def work() -> None:
        nonlocal inside, most
        barrier.wait()
        for _ in range(3):
            with store.lock_zone("duckdns.org.", context=Context(), wait=60):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (inside, most) == (0, 1)


HOLD = """if True:
    import sys
    from dnsrenew.base.runtime import Context
    from dnsrenew.store import FolderStore, Store
    with FolderStore(sys.argv[1]).lock("home", context=Context()):
        print("held", flush=True)
        sys.stdin.read()
"""


def holder(root: Path) -> subprocess.Popen[str]:
    """Yield another process that holds the lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_two_processes_and_a_kill(tmp_path: Path) -> None:
    """Another process is excluded, and the error names the owner. After a kill the lock is free."""
    store = FolderStore(tmp_path)
    with holder(tmp_path) as process:
        with pytest.raises(LockedError) as caught:
            store.lock("home", context=Context()).__enter__()
        assert caught.value.evidence["pid"] == process.pid
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert json.loads(lock_file(tmp_path).read_text())["pid"] == process.pid  # stale, without effect
        with store.lock("home", context=Context()):
            assert json.loads(lock_file(tmp_path).read_text())["pid"] == os.getpid()


def test_waiting_for_another_process(tmp_path: Path) -> None:
    """With `wait` the lock is taken as soon as the other process has released it or has ended."""
    with holder(tmp_path) as process:
        assert process.stdin is not None
        threading.Timer(0.05, process.stdin.close).start()
        start = time.monotonic()
        with FolderStore(tmp_path).lock("home", context=Context(), wait=30):
            assert time.monotonic() - start < allowed(5)


def test_a_lock_that_is_released_names_nobody(tmp_path: Path) -> None:
    """A released lock names no owner."""
    with FolderStore(tmp_path).lock("home", context=Context()):
        assert json.loads(lock_file(tmp_path).read_text())["pid"] == os.getpid()
    assert lock_file(tmp_path).read_bytes() == b""


@pytest.mark.skipif(sys.platform == "win32", reason="a child has none of our open files there")
def test_a_shared_lock(tmp_path: Path) -> None:
    """Several runs share a lock. One that wants it alone is refused meanwhile, and refuses all when it has it."""
    store = FolderStore(tmp_path / "store")
    shared = partial(store.hold_lock, "x", "thing", Context(), 0, shared=True)
    with shared(), shared(), pytest.raises(LockedError):
        store.hold_lock("x", "thing", Context(), 0).__enter__()
    with store.hold_lock("x", "thing", Context(), 0):
        with pytest.raises(LockedError) as caught:
            shared().__enter__()
        assert caught.value.evidence["pid"] == os.getpid()
    with shared():
        pass


def test_a_child_that_has_the_file_open_too_holds_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent's release frees the lock even if a forked child has the file open."""
    copies: list[int] = []
    opened = zone_locks._open

    def forked(disk: AtomicFiles, path: str) -> int:
        handle = opened(disk, path)
        copies.append(os.dup(handle))
        return handle

    monkeypatch.setattr(zone_locks, "_open", forked)
    with FolderStore(tmp_path).lock("home", context=Context()):
        pass
    with FolderStore(tmp_path).lock("home", context=Context()):
        pass
    for copy in copies:
        os.close(copy)


def test_waiting_ends(site: StoreSite) -> None:
    """The wait ends after `wait` seconds of the given clock."""
    store, clock = site.open(), FakeClock()
    with store.lock("home", context=Context()):
        with pytest.raises(LockedError):
            store.lock("home", context=context(clock), wait=90).__enter__()
        assert clock.elapsed == pytest.approx(90)
        with pytest.raises(LockedError):
            store.lock("home", context=context(clock)).__enter__()
        assert clock.elapsed == pytest.approx(90)


def test_an_owner_that_has_not_said_who_it_is(tmp_path: Path) -> None:
    """On a busy machine the owner may say late who it is: its lock is refused with its process all the same."""
    store, clock = FolderStore(tmp_path), FakeClock()
    with store.lock("home", context=Context()):
        card = lock_file(tmp_path).read_bytes()
        lock_file(tmp_path).write_bytes(b"")
        clock.on_wait = lambda: clock.elapsed > 1 and lock_file(tmp_path).write_bytes(card)
        with pytest.raises(LockedError) as caught:
            store.lock("home", context=context(clock)).__enter__()
        assert caught.value.evidence["pid"] == os.getpid()


@pytest.mark.parametrize(("wait", "told"), [(0.9, 0), (90, 1)])
def test_waiting_is_reported(site: StoreSite, wait: float, told: int) -> None:
    """A wait emits one event with the owner. A short wait emits none."""
    store, clock = site.open(), FakeClock()
    waiting = replace(context(clock), certificate="home")
    events: list[Event] = []
    waiting = replace(waiting, emitter=Emitter(waiting.clock, events.append))
    with store.lock("home", context=Context()), pytest.raises(LockedError):
        store.lock("home", context=waiting, wait=wait).__enter__()
    assert [(event.kind, event.certificate) for event in events] == [("lock-waiting", "home")] * told
    if told:
        assert events[0].data["pid"] == os.getpid()
        assert set(events[0].data) == {"what", "pid", "host", "since"}


def test_waiting_is_cancelled(site: StoreSite) -> None:
    """Cancellation ends the wait for a lock."""
    store, clock = site.open(), FakeClock()
    waiting = context(clock)
    clock.on_wait = waiting.cancel.set
    with store.lock("home", context=Context()), pytest.raises(Cancelled):
        store.lock("home", context=waiting, wait=1e6).__enter__()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}', b"\xff" * 10_000, b"[" * 4000])
def test_whatever_the_file_holds(tmp_path: Path, content: bytes) -> None:
    """An old or invalid lock file locks nothing, and the error message stays valid."""
    store = FolderStore(tmp_path)
    with store.lock("home", context=Context()):
        lock_file(tmp_path).write_bytes(content)
        with pytest.raises(LockedError) as caught:
            store.lock("home", context=Context()).__enter__()
        assert {"pid", "host", "since"} <= caught.value.evidence.keys()
    lock_file(tmp_path).write_bytes(content)
    with store.lock("home", context=Context()):
        pass


def test_a_file_removed_while_it_is_opened(tmp_path: Path) -> None:
    """A lock file that is removed while it is opened is opened again, because its lock would exclude no other run."""
    seen: list[str] = []

    def remove(operation: str, path: str) -> None:
        if operation == "lock":
            seen.append(path)
            if len(seen) == 2:  # opened, not locked yet
                os.unlink(path)

    with FolderStore(tmp_path, disk=AtomicFiles(remove)).lock("home", context=Context()), pytest.raises(LockedError):
        FolderStore(tmp_path).lock("home", context=Context()).__enter__()
    assert len(seen) == 4


def test_a_file_system_that_does_not_know_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open file is never the one at its path (SMB without serverino): an error after a few attempts."""
    monkeypatch.setattr(os.path, "samestat", lambda *_: False)
    clock = FakeClock()
    with pytest.raises(StoreError) as caught:
        FolderStore(tmp_path).lock("home", context=context(clock)).__enter__()
    assert caught.value.code == "store-no-locks"
    assert 1 < clock.elapsed < 3
    assert str(tmp_path / "locks") in caught.value.message


def test_a_pipe_is_no_lock(tmp_path: Path) -> None:
    """A FIFO in place of a lock file is refused: reading it would block."""
    (tmp_path / "locks").mkdir()
    os.mkfifo(lock_file(tmp_path))
    with pytest.raises(StoreError) as caught:
        FolderStore(tmp_path).lock("home", context=Context()).__enter__()
    assert caught.value.code == "store-not-a-file"
    assert "should be a file, but is a pipe" in caught.value.message


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A lock file that is a symbolic link is refused."""
    target = tmp_path / "target"
    target.write_text("foreign")
    (tmp_path / "state/locks").mkdir(parents=True)
    lock_file(tmp_path / "state").symlink_to(target)
    with pytest.raises(StoreError) as caught:
        FolderStore(tmp_path / "state").lock("home", context=Context()).__enter__()
    assert caught.value.code == "store-symlink"
    assert target.read_text() == "foreign"


def test_a_file_system_without_locks(tmp_path: Path) -> None:
    """A file system without locks gives a StoreError, not a LockedError."""

    def none(operation: str, path: str) -> None:
        if operation == "lock":
            raise OSError(37, "No locks available")

    with pytest.raises(StoreError, match="No locks available"):
        FolderStore(tmp_path, disk=AtomicFiles(none)).lock("home", context=Context()).__enter__()


def test_no_lock_stays_open(tmp_path: Path) -> None:
    """Acquired and failed locks close their files."""
    store = FolderStore(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with store.lock("home", context=Context()), pytest.raises(LockedError):
            store.lock("home", context=Context()).__enter__()
    assert len(os.listdir("/proc/self/fd")) < before + 20  # other threads open and close some too


def test_an_accounts_lock_waits(site: StoreSite) -> None:
    """Two runs create an account at the same CA: the second waits a minute, and its error names the account."""
    store, clock = site.open(), FakeClock()
    with store.accounts(DIRECTORY, "lab").lock():
        with pytest.raises(LockedError) as caught:
            store.accounts(DIRECTORY, "lab", context(clock)).lock().__enter__()
        with store.accounts("https://other.test/dir", "lab").lock():
            pass
    assert clock.elapsed == pytest.approx(60)
    assert "account lab-" in caught.value.message
