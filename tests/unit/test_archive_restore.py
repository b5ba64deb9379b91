"""`restore`: complete or nothing, only into empty places, and nothing outside its two folders."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.base.x509.sealing import SealedWriter
from dnsrenew.config import Config
from dnsrenew.errors import Cancelled, ConfigError
from dnsrenew.extensions.setup.archive import restore as operation
from dnsrenew.extensions.setup.archive.archive_file import NewFiles
from dnsrenew.extensions.setup.archive.restoration import StoreBuilder
from dnsrenew.renewer import Renewer
from dnsrenew.store import AtomicFiles, FolderStore
from tests.kit.archives import PASSPHRASE, exported, failure, fill_config, fill_store, refused, restored, tree
from tests.kit.clock import START, FakeClock
from tests.kit.stores import DIRECTORY, Failing, Killed, Killing, issue


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
    for request in (folder / "state").glob("certificates/*/csr/csr.pem"):
        os.utime(request, times=((START + timedelta(days=5)).timestamp(),) * 2)
    exported(config, folder.parent / "sealed.dr")
    exported(config, folder.parent / "plain.tgz", None)
    return folder.parent


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the target of a restore. Its folder does not exist yet."""
    return tmp_path / "new/etc/dnsrenew.toml"


# ── the round trip ──────────────────────────────────────────────────────────────────────


def test_everything_is_as_before(source: Path, target: Path) -> None:
    """Configuration, account, ledger, current versions and requests have the same bytes, except for one path."""
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
    assert store.read_part("second", None, "fullchain.pem") == issue(3)[0].encode()


def test_status_shows_the_same(source: Path, target: Path) -> None:
    """The status after a restore into another folder equals the one before, except for paths and older versions."""
    restored(source / "sealed.dr", target)

    def shown(path: Path) -> list[dict[str, Any]]:
        found = Renewer(Config.load(path), clock=FakeClock()).status()
        left_out = {"path", "versions"}
        return [{key: value for key, value in each.to_dict().items() if key not in left_out} for each in found]

    assert [each["csr_since"] for each in shown(target) if each["csr_since"]] == ["2026-11-30T10:00:00Z"]
    assert shown(target) == shown(source / "old/dnsrenew.toml")


def test_a_request_of_the_future_is_of_now(source: Path, target: Path, tmp_path: Path) -> None:
    """A time of an archive that has not come yet is not believed."""
    shutil.copytree(source / "old", tmp_path / "old", symlinks=True)
    (request,) = (tmp_path / "old/state/certificates").glob("*/csr/csr.pem")
    os.utime(request, (2**34, 2**34))
    exported(tmp_path / "old/dnsrenew.toml", tmp_path / "sealed.dr")
    restored(tmp_path / "sealed.dr", target)
    assert (target.parent / request.relative_to(tmp_path / "old")).stat().st_mtime < 2**34


def test_it_is_private(source: Path, target: Path) -> None:
    """Folders have mode 0700 and files 0600. Programs stay executable, and certificates may be readable."""
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
    """The certificates count as missing. Secrets to fill in and files to copy are named at their new places."""
    result = restored(source / "plain.tgz", target, None)
    assert (result.certificates, result.keyless, result.accounts) == (0, 2, 0)
    assert [(each["file"], each["line"], each["key"]) for each in result.masked] == [
        (str(target), 8, "ca.lab.eab.hmac"),
        (str(target), 13, "dns.home.token"),
    ]
    assert result.missing == (str(target.parent / "secrets/own-token.secret"), str(target.parent / "hook.sh"))
    found = Renewer(Config.load(target), clock=FakeClock()).status()
    assert [each.state for each in found] == ["missing"] * 2
    assert not any(target.parent.rglob("csr.pem"))  # it is of no use without its key


def test_on_windows_current_is_a_folder(source: Path, tmp_path: Path) -> None:
    """The store is created in the form of this system, wherever it was exported."""
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
        builder.finish({"home": 1})
    current = tmp_path / "state/certificates/home/current"
    assert not current.is_symlink()
    assert (current / "privkey.pem").read_bytes() == key


# ── failures on the way ─────────────────────────────────────────────────────────────────


def failing(monkeypatch: pytest.MonkeyPatch, hook: Callable[[str, str], None]) -> None:
    """Let the disk operations of the restored store fail."""
    monkeypatch.setattr(
        operation, "StoreBuilder", lambda path, *, insist: StoreBuilder(path, insist=insist, disk=AtomicFiles(hook))
    )


def test_every_operation_may_fail(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk at any operation is an error and leaves nothing. The next try succeeds."""
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
    """The configuration is written last, so that a kill at any operation leaves no half-restored one in use."""
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
    """A configuration that appears during the restore is not overwritten, and the restored store is removed."""
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
    """Ctrl-C during the restore leaves no files."""
    cancel = threading.Event()
    add = StoreBuilder.add

    def stop(builder: StoreBuilder, name: str, data: bytes, made: int | None) -> None:
        add(builder, name, data, made)
        cancel.set()

    monkeypatch.setattr(StoreBuilder, "add", stop)
    context = Context(clock=FakeClock(), cancel=cancel)
    with pytest.raises(Cancelled):
        operation.restore(source / "plain.tgz", target, context, passphrase=None)
    assert not target.parents[1].exists()


def test_ground_that_others_can_change(source: Path, target: Path) -> None:
    """A folder that all users can write to is refused before anything is written."""
    target.parent.mkdir(parents=True)
    target.parent.chmod(0o777)
    assert refused(source / "sealed.dr", target, PASSPHRASE).code in {"store-not-private", "config-untrusted"}
