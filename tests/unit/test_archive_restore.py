"""`restore`: all or nothing, only where nothing is, and nothing outside of its two folders."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.config import Config
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError, StoreError
from dnsrenew.operations.archive import restore as operation
from dnsrenew.operations.archive.new_files import NewFiles
from dnsrenew.renewer import Renewer
from dnsrenew.runtime.context import Context
from dnsrenew.store import AtomicFiles, FolderStore
from dnsrenew.store.restoration import StoreBuilder
from dnsrenew.x509.sealing import SealedWriter
from tests.kit.archives import PASSPHRASE, exported, fill_config, fill_store, header, make_tar, restored, tree
from tests.kit.clock import FakeClock
from tests.kit.stores import DIRECTORY, Failing, Killed, Killing, issue

TOML = b'agree_terms = true\nstore = "state"\n'


@pytest.fixture(scope="module", autouse=True)
def cheap() -> Iterator[None]:
    """Seal with the least cost that is read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SealedWriter.__init__.__kwdefaults__, "cost", 14)  # type: ignore[arg-type]  # it has some
        yield


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration, its store, and both exports of it."""
    folder = tmp_path_factory.mktemp("source") / "old"
    folder.mkdir(mode=0o700)
    config = fill_config(folder)
    fill_store(folder / "state", str(config))
    exported(config, folder.parent / "sealed.dr")
    exported(config, folder.parent / "plain.tgz", None)
    return folder.parent


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where to restore; its folder is not there yet."""
    return tmp_path / "new/etc/dnsrenew.toml"


def refused(file: Path, target: Path, passphrase: str | None = None) -> DnsRenewError:
    """Return the error of a restore; nothing is left of it."""
    before = sorted(target.parents[1].rglob("*")) if target.parents[1].exists() else None
    with pytest.raises(DnsRenewError) as caught:
        restored(file, target, passphrase)
    after = sorted(target.parents[1].rglob("*")) if target.parents[1].exists() else None
    assert after == before
    return caught.value


def failure(file: Path, target: Path) -> StoreError | None:
    """Restore; return the error, or None."""
    try:
        restored(file, target, None)
    except StoreError as error:
        return error
    return None


# ── the round trip ──────────────────────────────────────────────────────────────────────


def test_everything_is_as_before(source: Path, target: Path) -> None:
    """Configuration, account, ledger, versions in force, requests: the same bytes but for the path in the state."""
    result = restored(source / "sealed.dr", target)
    old, new = tree(source / "old"), tree(target.parent)
    gone = {name for name in old if name not in new}
    assert not [
        name for name in gone if not any(part in name for part in ("journal", "locks", "order", "deploy", "versions/1"))
    ]
    assert [name for name in new if new[name] != old[name]] == [
        f"state/certificates/{name}/state.json" for name in ("home", "second")
    ]
    assert (result.certificates, result.accounts, result.keyless) == (2, 1, 0)
    store = FolderStore(target.parent / "state")
    assert store.read_state("home").asked_by == str(target)
    account = store.accounts(DIRECTORY, "lab", Context()).load()
    assert account is not None
    assert account.key_pem == issue(99)[1]
    assert store.read_current("second") == issue(3)[0].encode()


def test_status_shows_the_same(source: Path, target: Path) -> None:
    """In another folder; only paths differ."""
    restored(source / "sealed.dr", target)

    def shown(path: Path) -> list[dict[str, Any]]:
        found = Renewer(Config.load(path), clock=FakeClock()).status()
        return [{key: value for key, value in each.to_dict().items() if key != "path"} for each in found]

    assert shown(target) == shown(source / "old/dnsrenew.toml")


def test_it_is_private(source: Path, target: Path) -> None:
    """Folders 0700, files 0600; a program stays one, certificates may be read."""
    before = os.umask(0)
    try:
        restored(source / "sealed.dr", target)
    finally:
        os.umask(before)
    public = {"cert.pem", "chain.pem", "fullchain.pem", "csr.pem"}
    for path in target.parents[1].rglob("*"):
        if path.is_symlink():
            continue
        expected = 0o700 if path.is_dir() or path.name == "hook.sh" else 0o644 if path.name in public else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_without_keys_everything_else_is_there(source: Path, target: Path) -> None:
    """The certificates count as missing; the secrets to fill in and the files to copy are named at their new places."""
    result = restored(source / "plain.tgz", target, None)
    assert (result.certificates, result.keyless, result.accounts) == (0, 2, 0)
    assert [(each["file"], each["line"], each["key"]) for each in result.masked] == [
        (str(target), 8, "ca.lab.eab.hmac"),
        (str(target), 13, "dns.home.token"),
    ]
    assert result.missing == (str(target.parent / "secrets/own-token.secret"), str(target.parent / "hook.sh"))
    found = Renewer(Config.load(target), clock=FakeClock()).status()
    assert [each.state for each in found] == ["missing"] * 2


def test_on_windows_current_is_a_folder(source: Path, tmp_path: Path) -> None:
    """The store is built as this system needs it, wherever it was exported."""
    builder = StoreBuilder(tmp_path / "state", windows=True)
    with builder:
        chain, key, _ = issue(1)
        for name, data in (
            ("fullchain.pem", chain.encode()),
            ("cert.pem", b"c"),
            ("chain.pem", b""),
            ("privkey.pem", key),
        ):
            builder.add(f"certificates/home/versions/1/{name}", data)
        builder.put_into_force("home", 1)
        builder.finish()
    current = tmp_path / "state/certificates/home/current"
    assert not current.is_symlink()
    assert (current / "privkey.pem").read_bytes() == key


# ── what is refused ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["dnsrenew.toml", "conf.d/certificates.toml", "state/accounts/x", "state/other.txt"])
def test_nothing_is_overwritten(source: Path, target: Path, name: str) -> None:
    """Neither a configuration, nor another file of one, nor a store, nor what lies in its folder."""
    path = target.parent / name
    path.parent.mkdir(parents=True, mode=0o700)
    path.write_text("mine")
    assert refused(source / "sealed.dr", target, PASSPHRASE).code == "restore-exists"
    assert path.read_text() == "mine"


def test_an_empty_folder_is_used(source: Path, target: Path) -> None:
    """Such as a volume that is mounted there."""
    (target.parent / "state/lost+found").mkdir(parents=True, mode=0o700)
    (target.parent / "state").chmod(0o700)
    restored(source / "sealed.dr", target)
    assert FolderStore(target.parent / "state").names() == ["home", "second"]


def test_a_wrong_passphrase(source: Path, target: Path) -> None:
    """It is said, and nothing is written."""
    error = refused(source / "sealed.dr", target, "correct horse batterz")
    assert error.code == "restore-passphrase"
    assert "batterz" not in f"{error} {error.evidence}"


@pytest.mark.parametrize("kind", ["sealed.dr", "plain.tgz"])
def test_a_file_that_is_cut_off(source: Path, target: Path, tmp_path: Path, kind: str) -> None:
    """At any place."""
    data = (source / kind).read_bytes()
    passphrase = PASSPHRASE if kind == "sealed.dr" else None
    file = tmp_path / "cut"
    for size in (0, 5, 30, 60, len(data) // 2, len(data) - 9, len(data) - 1):
        file.write_bytes(data[:size])
        assert refused(file, target, passphrase).code == "restore-damaged", size


def test_a_changed_bit_in_a_plain_file(source: Path, target: Path, tmp_path: Path) -> None:
    """Anywhere: it is refused, or (a field of gzip that says nothing) what is restored is what was exported."""
    data = (source / "plain.tgz").read_bytes()
    restored(source / "plain.tgz", target, None)
    expected = tree(target.parent)
    file = tmp_path / "flipped"
    for number, at in enumerate([*range(24), *range(24, len(data), 211), *range(len(data) - 12, len(data))]):
        broken = bytearray(data)
        broken[at] ^= 1 << number % 8
        file.write_bytes(bytes(broken))
        other = tmp_path / f"n{number}/etc/dnsrenew.toml"
        error = failure(file, other)
        if error is not None:
            assert error.code in {"restore-damaged", "restore-newer"}
            assert not other.parent.parent.exists()
        else:
            here, there = os.fsencode(other), os.fsencode(target)
            found = {name: os.fsencode(value).replace(here, there) for name, value in tree(other.parent).items()}
            assert found == {name: os.fsencode(value) for name, value in expected.items()}


def link(name: str, kind: bytes = tarfile.SYMTYPE, to: str = "/etc/passwd") -> tarfile.TarInfo:
    """An entry that is no regular file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


@pytest.mark.parametrize(
    "name",
    [
        *(
            "config/../evil",
            "config//etc/evil",
            "config/.",
            "config/a/../../evil",
            "config/a\\..\\evil",
            "config/c:evil",
        ),
        *("config/", "/etc/evil", "evil", "store/../evil", "store/certificates/../../evil", "store/locks/x"),
        *("store/certificates/con/state.json", "store/certificates/x/versions/1/../../../evil", "store/journal/a.json"),
        *("store/certificates/home/order/key.pem", "store/certificates/home/versions/0/cert.pem", "config/a\x07b"),
    ],
)
def test_paths_that_lead_elsewhere(target: Path, tmp_path: Path, name: str) -> None:
    """A hostile archive with correct sums: no file of it is written."""
    file = tmp_path / "evil.tgz"
    file.write_bytes(make_tar({"archive.json": header(), "config/dnsrenew.toml": TOML, name: b"x"}))
    assert refused(file, target).code == "restore-damaged"


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_members_that_are_no_files(target: Path, tmp_path: Path, kind: bytes) -> None:
    """Links, devices, pipes, folders."""
    file = tmp_path / "evil.tgz"
    files = {"archive.json": header(), "config/dnsrenew.toml": TOML}
    file.write_bytes(make_tar(files, members=[link("config/evil", kind)]))
    assert refused(file, target).code == "restore-damaged"


def test_other_hostile_files(target: Path, tmp_path: Path) -> None:
    """A state that names another version, a name twice, no configuration, a size beyond all, a bomb, a newer format."""
    state = b'{"schema": 1, "version": 2, "not_before": "2026-01-01T00:00:00Z", "not_after": "2026-02-01T00:00:00Z"}'
    base = {"archive.json": header(), "config/dnsrenew.toml": TOML}
    name = "store/certificates/home"
    huge = tarfile.TarInfo("config/huge")
    huge.size = 0
    cases: list[tuple[bytes, str]] = [
        (make_tar({**base, f"{name}/state.json": state, f"{name}/versions/1/cert.pem": b"x"}), "restore-damaged"),
        (make_tar({**base, f"{name}/state.json": b"{}"}), "restore-damaged"),
        (make_tar({**base, f"{name}/state.json": b'{"schema": 99}'}), "restore-newer"),
        (make_tar(base, members=[tarfile.TarInfo("config/dnsrenew.toml")]), "restore-damaged"),
        (make_tar({"archive.json": header()}), "restore-damaged"),
        (make_tar({"config/dnsrenew.toml": TOML}), "restore-damaged"),
        (make_tar({**base, "config/bomb": bytes(33 << 20)}), "restore-damaged"),
        (make_tar({**base, **{f"config/b{number}": bytes(16 << 20) for number in range(5)}}), "restore-damaged"),
        (make_tar({"archive.json": header(format=2), "config/dnsrenew.toml": TOML}), "restore-newer"),
        (make_tar(base, sums=b"0" * 64 + b"  archive.json\n"), "restore-damaged"),
        (make_tar({"archive.json": header(), "config/dnsrenew.toml": b'store = "postgresql://x"'}), "restore-damaged"),
        (make_tar(base) + b"more", "restore-damaged"),
        (b"not an archive at all", "restore-damaged"),
    ]
    for number, (data, code) in enumerate(cases):
        file = tmp_path / f"evil{number}"
        file.write_bytes(data)
        assert refused(file, target).code == code, number


def test_what_is_no_file(target: Path, tmp_path: Path) -> None:
    """A folder, nothing, a pipe: an error at once."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "pipe"):
        assert refused(path, target).code == "restore-unreadable"


# ── failures on the way ─────────────────────────────────────────────────────────────────


def failing(monkeypatch: pytest.MonkeyPatch, hook: Callable[[str, str], None]) -> None:
    """Let the disk operations of the restored store fail."""
    monkeypatch.setattr(
        operation, "StoreBuilder", lambda path, *, insist: StoreBuilder(path, insist=insist, disk=AtomicFiles(hook))
    )


def test_every_operation_may_fail(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk at any operation: an error, and nothing is left; the next try succeeds."""
    at = 0
    while True:
        hook = Failing(at, errno.ENOSPC)
        failing(monkeypatch, hook)
        error = failure(source / "plain.tgz", target)
        if error is not None:
            assert error.code == "store-full", error
            assert not target.parents[1].exists(), hook.seen[at]
        else:
            if at >= len(hook.seen):
                break
            shutil.rmtree(target.parents[1])
        at += 7  # every seventh: all kinds of operations are among them
    assert at > 40


def test_a_kill_leaves_no_configuration(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At any operation: the configuration is written last, so nothing half restored is ever in use."""
    for at in range(0, 400, 13):
        hook = Killing(at)
        failing(monkeypatch, hook)
        try:
            restored(source / "plain.tgz", target, None)
        except Killed:
            assert not target.exists()
        else:
            break
        shutil.rmtree(target.parents[1], ignore_errors=True)
    else:
        pytest.fail("it never came to its end")


def test_a_configuration_that_appears_meanwhile_stays(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the check and the last step: it is not overwritten, and the restored store is taken away again."""
    commit = NewFiles.commit

    def late(new: NewFiles) -> None:
        target.write_text("mine")
        commit(new)

    monkeypatch.setattr(NewFiles, "commit", late)
    with pytest.raises(ConfigError) as caught:
        restored(source / "plain.tgz", target, None)
    assert caught.value.code == "restore-exists"
    assert tree(target.parent) == {"dnsrenew.toml": b"mine"}


def test_a_cancel_leaves_nothing(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while files are written."""
    cancel = threading.Event()
    add = StoreBuilder.add

    def stop(builder: StoreBuilder, name: str, data: bytes) -> None:
        add(builder, name, data)
        cancel.set()

    monkeypatch.setattr(StoreBuilder, "add", stop)
    context = Context(clock=FakeClock(), cancel=cancel)
    with pytest.raises(Cancelled):
        operation.restore(source / "plain.tgz", target, context, passphrase=None)
    assert not target.parents[1].exists()


def test_ground_that_others_can_change(source: Path, target: Path) -> None:
    """A folder that everybody can write to is refused before anything is written."""
    target.parent.mkdir(parents=True)
    target.parent.chmod(0o777)
    assert refused(source / "sealed.dr", target, PASSPHRASE).code in {"store-not-private", "config-untrusted"}
