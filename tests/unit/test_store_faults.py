"""A kill, a full disk, a lost permission or a failing disk at every operation leaves the old certificate complete."""

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from dnsrenew.base import safe_files
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.errors import StoreError
from dnsrenew.store import AtomicFiles, FolderStore
from dnsrenew.store.os_errors import translate
from tests.kit.fuzzing import thinned
from tests.kit.stores import (
    DIRECTORY,
    Counting,
    Failing,
    Killed,
    Killing,
    assert_current_whole,
    assert_recovers,
    assert_whole,
    first_issuance,
    issue,
    keep,
    leftovers,
    operations,
)

both = pytest.mark.parametrize("windows", [False, True], ids=["symlink", "copies"])

as_root = pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give files away")

CODES = {
    errno.ENOSPC: {"store-full"},
    errno.EACCES: {"store-not-writable", "store-unreadable", "store-not-private"},
    errno.EROFS: {"store-read-only"},
    errno.EIO: {"store-io-error"},
    errno.ENOENT: {"store-vanished", "store-failed"},
}


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in memory: simulated faults need no disk, and there are thousands of runs."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as path:
        yield Path(path)


def renewal(root: Path, disk: AtomicFiles, *, windows: bool) -> None:
    """Store the second certificate."""
    keep(FolderStore(root, disk=disk, windows=windows), 2)


def refusal(work: Callable[[], object]) -> StoreError | None:
    """Return the error of a function, or None."""
    try:
        work()
    except StoreError as error:
        return error
    return None


@both
def test_killed_anywhere_in_a_renewal(quick: Path, windows: bool) -> None:
    """A kill before any operation leaves the old or the new certificate in use, complete. The next run works."""
    keep(FolderStore(quick / "count", windows=windows), 1)
    count = len(operations(lambda store: keep(store, 2), quick / "count", windows=windows))
    assert count > 50
    for at in range(count):
        root = quick / str(at)
        keep(FolderStore(root, windows=windows), 1)
        with pytest.raises(Killed):
            renewal(root, AtomicFiles(Killing(at)), windows=windows)
        assert_recovers(root, {1, 2}, windows=windows)


@both
def test_killed_anywhere_in_the_first_issuance(quick: Path, windows: bool) -> None:
    """Killed before any operation of the first run: the second run works, and no partial version is returned."""
    count = len(operations(first_issuance, quick / "count", windows=windows))
    for at in range(count):
        root = quick / str(at)
        with pytest.raises(Killed):
            first_issuance(FolderStore(root, disk=AtomicFiles(Killing(at)), windows=windows))
        store = FolderStore(root, windows=windows)
        state = store.read_state("home")
        if state.version is not None:
            assert_whole(store, {1})
        store.repair("home", state, Context())
        first_issuance(store, 2)
        assert_whole(store, {2})
        assert assert_current_whole(root, {2}) == 2
        # A probe's leftover in the store's own folder is young: another run might be writing it.
        assert leftovers(root / "certificates") == []


@thinned
@both
@pytest.mark.parametrize(
    ("number", "for_good"),
    [*((number, False) for number in CODES), (errno.ENOSPC, True), (errno.EROFS, True)],
    ids=lambda value: errno.errorcode[value] if value > 1 else "for-good" if value else "once",
)
def test_refused_anywhere_in_a_renewal(quick: Path, number: int, for_good: bool, windows: bool, step: int) -> None:
    """If an operation fails, once or permanently, a complete certificate stays in use. Any error is a StoreError."""
    keep(FolderStore(quick / "count", windows=windows), 1)
    count = len(operations(lambda store: keep(store, 2), quick / "count", windows=windows))
    for at in range((number + for_good) % step, count, step):
        root = quick / str(at)
        keep(FolderStore(root, windows=windows), 1)
        error = refusal(partial(renewal, root, AtomicFiles(Failing(at, number, for_good=for_good)), windows=windows))
        if error is not None:
            assert error.code in CODES[number]
            assert error.fix
            assert error.evidence["path"].startswith(str(root))
        assert_whole(FolderStore(root, windows=windows), {2} if error is None else {1, 2})
        assert_recovers(root, {1, 2}, windows=windows)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EDQUOT, "store-full"),
        (errno.EFBIG, "store-full"),
        (errno.EPERM, "store-not-writable"),
        (errno.ELOOP, "store-symlink"),
        (errno.EISDIR, "store-not-a-file"),
        (errno.ENOLCK, "store-failed"),
        (errno.EINVAL, "store-failed"),
        (9999, "store-failed"),
    ],
)
def test_every_refusal_is_typed(tmp_path: Path, number: int, code: str) -> None:
    """Every errno gives code, message, fix, evidence with the cause, and no chained exception."""
    disk = AtomicFiles(Failing(1, number))
    with pytest.raises(StoreError) as caught:
        disk.write(str(tmp_path / "file"), b"", 0o600)
    error = caught.value
    assert error.code == code
    assert error.message.endswith(".")
    assert error.fix
    assert {"path", "operation", "errno", "cause"} <= error.evidence.keys()
    assert error.__cause__ is None
    assert error.__suppress_context__


@pytest.mark.parametrize("in_unit", [False, True])
def test_under_systemd_a_read_only_store_is_one_of_the_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_unit: bool
) -> None:
    """Under systemd the fix for a read-only store is `schedule install`, which updates the unit's writable paths."""
    monkeypatch.delenv("INVOCATION_ID", raising=False)
    if in_unit:
        monkeypatch.setenv("INVOCATION_ID", "0123456789abcdef0123456789abcdef")
        monkeypatch.setattr("dnsrenew.base.files._CONTROL_GROUP", "/nonexistent")
    error = refusal(lambda: keep(FolderStore(tmp_path / "state", disk=AtomicFiles(Failing(0, errno.EROFS))), 1))
    assert error is not None
    assert error.code == "store-read-only"
    assert ("dnsrenew schedule install" in error.fix, "Mount" in error.fix) == (in_unit, not in_unit)
    assert str(tmp_path) in error.fix


class Windows:
    """A system on which a file that is open for `seconds` cannot be replaced. No real time passes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.passed = 0.0
        self.seconds = seconds
        self._replace = os.replace
        monkeypatch.setattr(safe_files, "_WINDOWS", True)
        monkeypatch.setattr(safe_files, "time", self)
        monkeypatch.setattr(os, "replace", self.replace)

    def monotonic(self) -> float:
        """Return the time that has passed."""
        return self.passed

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.passed += seconds

    def replace(self, source: str, target: str, **_: None) -> None:
        """Refuse while the file is open."""
        if self.passed < self.seconds:
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        self._replace(source, target)


def test_a_file_that_is_open_on_windows_is_replaced_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is open in another program is replaced once it is closed. After two seconds it is an error."""
    path = tmp_path / "state.json"
    windows = Windows(monkeypatch, 0.3)
    AtomicFiles().write(str(path), b"new", 0o600)
    assert path.read_bytes() == b"new"
    assert windows.passed == pytest.approx(0.3)
    windows = Windows(monkeypatch, 1e9)
    error = refusal(lambda: AtomicFiles().write(str(path), b"newer", 0o600))
    assert error is not None
    assert error.code == "store-not-writable"
    assert windows.passed == pytest.approx(2.0, abs=0.1)
    assert (path.read_bytes(), leftovers(tmp_path)) == (b"new", [])


def test_an_account_key_that_is_open_on_windows_changes_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next key, which only the CA knows, replaces the key once the old file is closed, and is never lost."""
    account = FolderStore(tmp_path).accounts(DIRECTORY, "lab")
    old, new = AccountData(key_pem=issue(98)[1], next_key_pem=issue(99)[1]), AccountData(key_pem=issue(99)[1])
    account.save(old)
    windows = Windows(monkeypatch, 1e9)
    error = refusal(lambda: account.save(new))
    assert error is not None
    assert error.code == "store-not-writable"
    assert account.load() == old
    windows.seconds = windows.passed + 0.3
    account.save(new)
    assert account.load() == new


def test_a_folder_in_the_place_of_a_file_is_reported_on_windows_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows a folder in place of a file is recognized, although the system reports a missing right."""
    path = tmp_path / "state.json"
    path.mkdir()
    windows = Windows(monkeypatch, 1e9)
    errors = [refusal(lambda: AtomicFiles().write(str(path), b"", 0o600))]
    monkeypatch.setattr(os, "open", denied)
    errors.append(refusal(lambda: AtomicFiles().read(str(path))))
    assert [error and error.code for error in errors] == ["store-not-a-file"] * 2
    assert windows.passed == 0


@pytest.mark.parametrize("has_it", [True, False])
def test_macos_is_asked_for_more_than_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_it: bool) -> None:
    """On macOS F_FULLFSYNC is used, because fsync leaves data in the drive's cache. fsync is the fallback."""
    import fcntl

    calls: list[object] = []

    def full(handle: int, command: object) -> int:
        calls.append(command)
        if not has_it:
            raise OSError(errno.ENOTSUP, "Operation not supported")
        return 0

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", "full", raising=False)
    monkeypatch.setattr(fcntl, "fcntl", full)
    monkeypatch.setattr(os, "fsync", lambda _: calls.append("fsync"))
    disk = AtomicFiles()
    disk.write(str(tmp_path / "file"), b"", 0o600)
    assert calls == (["full"] if has_it else ["full", "fsync"])
    assert disk.fsyncs == 1


def denied(*_: object, **__: object) -> None:
    """Return the errno of opening a folder."""
    raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_nothing_unfinished_stays_after_an_error(quick: Path, number: int) -> None:
    """After an error the process removes its own temporary files."""
    keep(FolderStore(quick / "count"), 1)
    count = len(operations(lambda store: keep(store, 2), quick / "count", windows=False))
    for at in range(count):
        root = quick / str(at)
        keep(FolderStore(root), 1)
        failing = Failing(at, number)
        error = refusal(partial(renewal, root, AtomicFiles(failing), windows=False))
        taking_away = failing.seen[at][0] in {"unlink", "rmdir", "stat", "list"}
        assert error is None or taking_away or leftovers(root) == [], failing.seen[at]


def test_sigkill_anywhere(tmp_path: Path) -> None:
    """A real SIGKILL before any operation of a renewal leaves a complete certificate."""
    program = """if True:
        import os, signal, sys
        from pathlib import Path
        from dnsrenew.store import FolderStore, AtomicFiles, Store
        from tests.kit.stores import Killing, issue, keep, operations
        class Dying(Killing):
            def __call__(self, operation, path):
                self.seen.append(path)
                if len(self.seen) > self.at:
                    os.kill(os.getpid(), signal.SIGKILL)
        root = Path(sys.argv[1])
        for serial in (1, 2, 3):
            issue(serial)
        keep(FolderStore(root / "count"), 1)
        killed = 0
        for at in range(len(operations(lambda store: keep(store, 2), root / "count", windows=False))):
            keep(FolderStore(root / str(at)), 1)
            pid = os.fork()
            if not pid:
                keep(FolderStore(root / str(at), disk=AtomicFiles(Dying(at))), 2)
                os._exit(0)
            killed += os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
            from tests.kit.stores import assert_recovers
            assert_recovers(root / str(at), {1, 2}, windows=False)
        print("killed", killed, "of", at + 1)
    """
    done = run(program, str(tmp_path))
    words = done.split()
    assert words[1] == words[3]
    assert int(words[1]) > 50


def run(program: str, *arguments: str, wrap: tuple[str, ...] = ()) -> str:
    """Run a program in its own process and return its output."""
    done = subprocess.run(
        [*wrap, sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# ── real ones ───────────────────────────────────────────────────────────────────────────

FILLS_UP = """if True:
    import os, subprocess, sys
    from pathlib import Path
    from dnsrenew.errors import StoreError
    from dnsrenew.store import FolderStore, Store
    from tests.kit.stores import assert_current_whole, assert_whole, keep
    root = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", root], check=True)
    store = FolderStore(root / "state")
    keep(store, 1)
    filler = os.open(root / "filler", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def attempt():
        try:
            keep(store, 2)
            return "kept"
        except StoreError as error:
            assert_whole(store, {1})
            assert_current_whole(root / "state", {1})
            return error.code

    try:
        while True:
            os.write(filler, bytes(4096))
    except OSError:
        pass
    print(attempt())
    store.prove_writable = lambda name=None: None  # past the proof, page by page: full at another write each time
    codes = []
    while codes[-1:] != ["kept"]:
        os.ftruncate(filler, os.fstat(filler).st_size - 4096)
        codes.append(attempt())
    print(*codes)
    os.ftruncate(filler, 0)
    os.close(filler)
    store = FolderStore(root / "state")
    keep(store, 3)
    subprocess.run(["mount", "-o", "remount,ro", root], check=True)
    for work in (store.prove_writable, lambda: store.prove_writable("home"), lambda: keep(store, 4)):
        try:
            work()
        except StoreError as error:
            print(error.code)
    assert_whole(store, {3})
    assert_current_whole(root / "state", {3})
"""


def test_a_real_file_system_that_fills_and_turns_read_only(tmp_path: Path) -> None:
    """A full and a read-only tmpfs give typed errors at each step."""
    own = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")
    full, codes, *read_only = run(FILLS_UP, str(tmp_path), wrap=own).splitlines()
    assert full == "store-full"
    *failed, last = codes.split()
    assert len(failed) >= 5
    assert set(failed) == {"store-full"}
    assert last == "kept"
    assert read_only == ["store-read-only"] * 3


TRIES = """if True:
    import fcntl, hashlib, os, pwd, shlex, sys  # now: the user nobody may be unable to read the interpreter's folder
    from pathlib import Path
    from dnsrenew.base.runtime import Context
    from dnsrenew.errors import StoreError
    from dnsrenew.store import FolderStore, Store
    store = FolderStore(sys.argv[1])
    if os.geteuid() == 0:  # root may write everywhere
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    for work in (
        lambda: store.prove_writable("home"),
        lambda: store.lock("home", context=Context()).__enter__(),
        lambda: store.update("home", lambda state: state.failed("code", "message", Context().clock.now())),
        lambda: store.read_state("home"),
    ):
        try:
            work()
            print("-")
        except StoreError as error:
            print(error.code, "|", error.message, error.fix)
"""


def test_a_store_of_somebody_else(open_path: Path) -> None:
    """Without the right to write or read, each error names the path and the command to fix it."""
    keep(FolderStore(open_path / "state"), 1)
    (open_path / "state").chmod(0o500)
    writes = run(TRIES, str(open_path / "state")).splitlines()
    codes = [line.split()[0] for line in writes]
    assert codes == ["store-not-writable", "store-not-writable", "store-unreadable", "store-unreadable"]
    for line in writes:
        assert "chown" in line or "chmod" in line
        assert str(open_path / "state") in line


@as_root
@pytest.mark.parametrize(
    "left",
    [
        "",
        "journal",
        "locks",
        "locks/certificate-home.lock",
        "certificates/home",
        "certificates/home/versions",
        "certificates/home/state.json",
    ],
)
def test_what_one_run_with_sudo_left(open_path: Path, left: str) -> None:
    """The message names the file, and the fix changes the owner of the whole store."""
    store = open_path / "my state"
    keep(FolderStore(store), 1)
    for path in (store, *store.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    os.chown(store / left, 0, 0)
    told = [line for line in run(TRIES, str(store)).splitlines() if line != "-"]
    assert told
    for line in told:
        assert line.split()[0] in {"store-not-writable", "store-unreadable"}
        assert f"{store / left} belongs to root" in line or f"{store / left} cannot be" in line
        assert line.endswith(f"give the store to nobody: sudo chown -R nobody '{store}'")


@as_root
@pytest.mark.parametrize("ours", ["", "journal", "locks/certificate-home.lock"])
def test_what_is_ours_and_refused_all_the_same(tmp_path: Path, ours: str) -> None:
    """Modes and owners are right, so the fix names flags, ACLs and SELinux, not the folder above the store."""
    os.chown(tmp_path, 65534, 65534)
    keep(FolderStore(tmp_path / "state"), 1)
    path = str(tmp_path / "state" / ours).rstrip("/")
    error = translate(PermissionError(errno.EPERM, "Not permitted"), path, "chmod", str(tmp_path / "state"))
    assert error.message.startswith(f"{path} cannot be written: it belongs to root")
    assert error.fix.startswith(f"Check {path} for an immutable flag")


@as_root
def test_what_is_above_the_store_is_given_to_nobody(open_path: Path) -> None:
    """For a private folder above the store, the fix does not change its owner."""
    (open_path / "above/state").mkdir(parents=True)
    (open_path / "above").chmod(0o700)
    (line, *_) = run(TRIES, str(open_path / "above/state")).splitlines()
    assert f"{open_path}/above belongs to" in line
    assert "chown" not in line


def test_root_without_its_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may lack CAP_DAC_OVERRIDE in a container. The fix has all remedies."""
    if os.geteuid() == 0:
        os.chown(tmp_path, 12345, 12345)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    error = translate(PermissionError(errno.EACCES, "Permission denied"), str(tmp_path / "state.json"), "write")
    assert error.code == "store-not-writable"
    assert f"chown -R root {tmp_path}" in error.fix
    assert "CAP_DAC_OVERRIDE" in error.fix
    assert "immutable" in error.fix


def test_a_store_that_is_not_there_and_cannot_be_made(open_path: Path) -> None:
    """The message names the folder above, which is not writable."""
    (open_path / "above").mkdir(mode=0o755)
    done = run(TRIES, str(open_path / "above/state")).splitlines()
    assert [line.split()[0] for line in done] == ["store-not-writable"] * 3 + ["-"]
    assert f"{open_path}/above belongs to" in done[0]
    assert f"sudo install -d -m 700 -o nobody {open_path}/above/state" in done[0]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("path", ["/proc/dnsrenew", "/proc/dnsrenew/state"])
def test_a_store_where_no_folder_can_be_made(path: str) -> None:
    """The message does not blame a program that removes files. The fix is another place."""
    with pytest.raises(StoreError) as caught:
        FolderStore(Path(path)).prove_writable("home")
    assert caught.value.code == "store-failed"
    assert caught.value.message == (
        "The folder /proc/dnsrenew for the store cannot be created: the file system of /proc accepts no new folders."
    )
    assert caught.value.fix == "Set `store` to a folder on another file system."


@pytest.mark.parametrize("place", ["", "accounts", "certificates", "certificates/home", "certificates/home/versions"])
def test_a_file_where_a_folder_should_be(tmp_path: Path, place: str) -> None:
    """The message and the fix name the file that is in place of a folder."""
    path = tmp_path / "state" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("in the way")
    with pytest.raises(StoreError) as caught:
        FolderStore(tmp_path / "state").prove_writable("home")
    assert caught.value.code == "store-not-a-folder"
    assert str(path) in caught.value.message
    assert str(path) in caught.value.fix
    assert path.read_text() == "in the way"


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_links(tmp_path: Path, number: int) -> None:
    """If `current` cannot be created, as on a USB stick or a share, the error precedes an order."""

    def refuse(operation: str, path: str) -> None:
        if operation == "symlink":
            raise OSError(number, os.strerror(number))

    with pytest.raises(StoreError) as caught:
        FolderStore(tmp_path, disk=AtomicFiles(refuse)).prove_writable("home")
    assert caught.value.code == "store-no-links"
    assert str(tmp_path) in caught.value.message
    assert "store" in caught.value.fix
    FolderStore(tmp_path, disk=AtomicFiles(refuse), windows=True).prove_writable("home")
    FolderStore(tmp_path, disk=AtomicFiles(refuse)).prove_writable()


def test_a_link_that_stands_is_proof(tmp_path: Path) -> None:
    """If a certificate is in use, no test link is created."""
    keep(FolderStore(tmp_path), 1)
    counting = Counting()
    FolderStore(tmp_path, disk=AtomicFiles(counting)).prove_writable("home")
    assert "symlink" not in [what for what, _ in counting.seen]


def test_a_file_above_the_store(tmp_path: Path) -> None:
    """The message names the part of the path that is a file, not the whole path."""
    (tmp_path / "file").write_text("in the way")
    store = FolderStore(tmp_path / "file/deep/state")
    for work in (store.prove_writable, lambda: store.read_state("home")):
        with pytest.raises(StoreError) as caught:
            work()
        assert caught.value.code == "store-not-a-folder"
        assert caught.value.message.startswith(f"{tmp_path / 'file'} should be a folder")


def test_a_store_that_vanishes_is_made_again(tmp_path: Path) -> None:
    """A store that was removed between two runs is created again, even by the same process."""
    store = FolderStore(tmp_path / "state")
    keep(store, 1)
    AtomicFiles().remove(str(tmp_path / "state"))
    assert store.read_state("home").version is None
    keep(store, 2)
    assert_whole(store, {2})


def test_proving_leaves_nothing_and_takes_nothing(tmp_path: Path) -> None:
    """The check removes its own files and old temporary files, not recent ones."""
    store = FolderStore(tmp_path)
    store.prove_writable("home")
    before = sorted(tmp_path.rglob("*"))
    young, old = tmp_path / ".tmp-1-1", tmp_path / ".tmp-2-2"
    young.touch()
    old.touch()
    os.utime(old, (0, 0))
    counting = Counting()
    FolderStore(tmp_path, disk=AtomicFiles(counting)).prove_writable("home")
    assert sorted(tmp_path.rglob("*")) == sorted([*before, young])
    created = [path for what, path in counting.seen if what == "create"]
    assert len(created) == len(set(created)) == 6


def test_a_temporary_name_that_is_taken_is_passed_over(tmp_path: Path) -> None:
    """A temporary file of an earlier process with the same pid does not stop a write."""
    disk = AtomicFiles()
    disk.write(str(tmp_path / "a"), b"1", 0o600)
    probes: list[str] = []
    AtomicFiles(lambda what, path: probes.append(path) if what == "create" else None).write(
        str(tmp_path / "a"), b"2", 0o600
    )
    head, _, number = probes[0].rpartition("-")
    for ahead in range(1, 4):
        Path(f"{head}-{int(number) + ahead}").write_text("leftover")
    disk.write(str(tmp_path / "a"), b"3", 0o600)
    assert (tmp_path / "a").read_bytes() == b"3"
