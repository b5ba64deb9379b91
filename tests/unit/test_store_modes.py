"""Files and folders of the store are private under any umask, and nothing is written outside the store."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.errors import StoreError
from dnsrenew.store import AtomicFiles, FolderStore, atomic_io
from tests.kit.stores import DIRECTORY, assert_whole, first_issuance, keep

PUBLIC = {"cert.pem", "chain.pem", "fullchain.pem"}


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Set another umask for a while."""
    old = os.umask(mask)
    try:
        yield
    finally:
        os.umask(old)


def assert_private(root: Path) -> None:
    """Assert that every folder is 0700 and every file has its mode."""
    for path in (root, *root.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            continue
        if path.is_dir():
            assert mode == 0o700, path
        else:
            assert mode == (0o644 if path.name in PUBLIC else 0o600), path


@pytest.mark.parametrize("windows", [False, True], ids=["symlink", "copies"])
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_modes_hold_under_any_umask(tmp_path: Path, mask: int, windows: bool) -> None:
    """Under any umask, folders have mode 0700, keys and dnsrenew's files 0600, certificates 0644."""
    with umask(mask):
        store = FolderStore(tmp_path / "a/b/state", windows=windows)
        first_issuance(store)
        keep(store, 2)
    assert_whole(store, {2})
    assert_private(tmp_path / "a")


def test_what_stood_open_is_closed(tmp_path: Path) -> None:
    """Folders and keys with open modes are private after the next run."""
    store = FolderStore(tmp_path / "state")
    first_issuance(store)
    for path in (tmp_path / "state", *(tmp_path / "state").rglob("*")):
        if not path.is_symlink():
            path.chmod(0o777 if path.is_dir() else 0o666)
    keep(store, 2)
    assert store.accounts(DIRECTORY, "lab").load() is not None
    assert_private(tmp_path / "state")


@pytest.mark.parametrize("place", ["accounts", "certificates", "locks", "certificates/home"])
def test_a_link_inside_the_store_is_not_followed(tmp_path: Path, place: str) -> None:
    """A folder that is a symbolic link is refused and named. Nothing is written through it."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = tmp_path / "state" / place
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    with pytest.raises(StoreError) as caught:
        keep(FolderStore(tmp_path / "state"), 1)
    assert caught.value.code == "store-symlink"
    assert str(link) in caught.value.message
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["state.json", "key.pem"])
def test_a_linked_file_is_not_read(tmp_path: Path, name: str) -> None:
    """A file of the store that is a symbolic link is refused."""
    store = FolderStore(tmp_path / "state")
    first_issuance(store)
    (path,) = (tmp_path / "state").rglob(name)
    target = path.rename(tmp_path / "target")
    path.symlink_to(target)
    with pytest.raises(StoreError) as caught:
        store.read_state("home") if name == "state.json" else store.accounts(DIRECTORY, "lab").load()
    assert caught.value.code == "store-symlink"


def test_a_linked_file_is_replaced_not_written_through(tmp_path: Path) -> None:
    """A write replaces a link and leaves its target unchanged."""
    target = tmp_path / "target"
    target.write_text("foreign")
    (tmp_path / "file").symlink_to(target)
    AtomicFiles().write(str(tmp_path / "file"), b"ours", 0o600)
    assert target.read_text() == "foreign"
    assert (tmp_path / "file").read_bytes() == b"ours"
    assert not (tmp_path / "file").is_symlink()


def test_removing_does_not_follow_links(tmp_path: Path) -> None:
    """A link is removed, not its target."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("foreign")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    AtomicFiles().remove(str(inside))
    assert not inside.exists()
    assert (outside / "precious").exists()


@pytest.mark.parametrize("replaced", ["", "a", "a/b"])
@pytest.mark.parametrize("when", ["list", "unlink", "rmdir"])
@pytest.mark.skipif(os.name == "nt", reason="other users cannot rename our folders there")
def test_removing_does_not_follow_a_link_that_was_put_there_meanwhile(tmp_path: Path, replaced: str, when: str) -> None:
    """If a folder becomes a link during its removal, nothing outside is removed."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for top in (inside, outside):
        (top / "a/b").mkdir(parents=True)
        for folder in ("", "a", "a/b"):
            (top / folder / "file").touch()
    before = sorted(outside.rglob("*"))
    moved: list[Path] = []

    def swap(operation: str, path: str) -> None:
        place = inside / replaced
        if not moved and operation == when and Path(path) in {place, place / "file"}:
            moved.append(place.rename(tmp_path / "moved"))
            place.symlink_to(outside / replaced)

    with suppress(StoreError):
        AtomicFiles(swap).remove(str(inside))
    assert moved
    assert sorted(outside.rglob("*")) == before


def test_a_folder_that_became_a_link_is_reported(tmp_path: Path) -> None:
    """A folder that became a link is reported as one."""
    (tmp_path / "folder").mkdir()

    def swap(operation: str, path: str) -> None:
        (tmp_path / "folder").rename(tmp_path / "moved")
        (tmp_path / "folder").symlink_to(tmp_path / "moved")

    with pytest.raises(StoreError) as caught:
        AtomicFiles(swap).remove(str(tmp_path / "folder"))
    assert caught.value.code == "store-symlink"


def test_removing_without_open_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removal by path, as on Windows, removes the same and does not follow links."""
    monkeypatch.setattr(atomic_io, "_RELATIVE", False)
    (tmp_path / "inside/a").mkdir(parents=True)
    (tmp_path / "inside/a/file").touch()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").touch()
    (tmp_path / "inside/link").symlink_to(tmp_path / "outside")
    AtomicFiles().remove(str(tmp_path / "inside"))
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "outside", tmp_path / "outside/file"]


def test_the_store_itself_may_be_a_link(tmp_path: Path) -> None:
    """A store that is a symbolic link to a folder is used."""
    (tmp_path / "real").mkdir(mode=0o755)
    (tmp_path / "state").symlink_to(tmp_path / "real")
    keep(FolderStore(tmp_path / "state"), 1)
    assert_private(tmp_path / "real")


BAD_NAMES = [
    "", ".", "..", "../x", "a/b", "a\\b", "/etc", "a\0b", "a.", ".a", "A", "-a", "ä", "a b", "a\n", "a:b", "~",
    "con", "nul.txt", "com1", "lpt9.x.y", "aux", "prn", "a" * 65,
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_no_name_reaches_outside(tmp_path: Path, name: str) -> None:
    """Every method refuses a name that would leave the store."""
    store = FolderStore(tmp_path / "state")
    for door in (
        lambda: store.read_state(name),
        lambda: store.lock(name, context=Context()),
        lambda: store.prove_writable(name),
        lambda: store.current(name),
        lambda: store.update(name, lambda state: state),
    ):
        with pytest.raises(StoreError) as caught:
            door()
        assert caught.value.code == "store-bad-name"


@pytest.mark.parametrize("name", ["home", "_.example.test", "a", "0", "console", "com10", "a..b", "x-", "a" * 64])
def test_good_names_are_taken(tmp_path: Path, name: str) -> None:
    """Names that the contract allows are accepted."""
    assert FolderStore(tmp_path).read_state(name).version is None


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_a_path_that_cannot_be_one(path: str) -> None:
    """A path that the operating system does not accept is a typed error."""
    with pytest.raises(StoreError) as caught:
        FolderStore(path)
    assert caught.value.code == "store-bad-path"
    caught.value.message.encode()


@pytest.mark.parametrize("ca", ["../../etc", "My CA!", "", "x" * 300, "a/b", "ö"])
def test_an_account_folder_stays_in_the_store(tmp_path: Path, ca: str) -> None:
    """Unsafe characters in a CA's name are not used in file names."""
    store = FolderStore(tmp_path / "state")
    with store.accounts(DIRECTORY, ca).lock():
        pass
    (lock,) = os.listdir(tmp_path / "state/locks")
    assert os.listdir(tmp_path) == ["state"]
    assert len(lock) < 100


@pytest.mark.parametrize("zone", ["example.test.", "../x", "a/b.", "*." + "a" * 240, "\0", "duckdns.org"])
def test_a_zone_lock_stays_in_the_store(tmp_path: Path, zone: str) -> None:
    """A zone name with characters that a file system refuses gives a valid lock file in the store."""
    with FolderStore(tmp_path / "state").lock_zone(zone, context=Context()):
        (lock,) = os.listdir(tmp_path / "state/locks")
    assert lock.startswith("zone-")
