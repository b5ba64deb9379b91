"""Nothing outside the store is changed through a link in it; all files in the store are private."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from dnsrenew.base.model import TxtRecord
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.errors import StoreError
from dnsrenew.store import FolderStore
from tests.kit.stores import DIRECTORY, ORDER, first_issuance, issue, keep

VALUE = (TxtRecord("a.test.", "_acme-challenge.a.test.", "v", 60), "home")
PUBLIC = {"cert.pem", "chain.pem", "fullchain.pem"}
FOLDERS = [
    "accounts",
    "accounts/*",
    "certificates",
    "certificates/home",
    "certificates/home/versions",
    "certificates/home/versions/1",
    "certificates/home/order",
    "journal",
    "locks",
]
FILES = [
    "accounts/*/account.json",
    "accounts/*/key.pem",
    "accounts/*/ledger.json",
    "certificates/home/state.json",
    "certificates/home/versions/1/privkey.pem",
    "certificates/home/versions/1/meta.json",
    "certificates/home/order/order.json",
    "certificates/home/order/key.pem",
    "journal/home-1.json",
    "locks/certificate-home.lock",
    "locks/journal.lock",
]


def full_store(root: Path) -> Path:
    """A store with every kind of file."""
    store, context = FolderStore(root), Context()
    first_issuance(store)
    store.orders.save("home", ORDER)
    store.journal.enter(context, "home", [VALUE]).keep()
    store.ledger(DIRECTORY, "lab", context).note_retry_after(60)
    with store.journal.left_over(context):
        return root


def store_operations(root: Path) -> Iterator[Callable[[], object]]:
    """Yield each operation of a run on a store."""
    context = Context()
    store = FolderStore(root)
    accounts = store.accounts(DIRECTORY, "lab", context)

    def account_lock() -> None:
        with accounts.lock(context):
            pass

    def locked(step: Callable[[], object]) -> None:
        with store.lock("home", context=context):
            step()

    def clean_up() -> None:
        with store.journal.left_over(context) as entries:
            for entry in entries:
                entry.remove(entry.values)

    yield lambda: store.repair("home", store.read_state("home"), context)
    yield accounts.load
    yield account_lock
    yield lambda: accounts.save(AccountData(key_pem=issue(97)[1], url="https://ca.test/acct/2"))
    yield lambda: store.ledger(DIRECTORY, "lab", context).note_retry_after(60)
    yield lambda: store.ledger(DIRECTORY, "lab", context).may_order(["a.test"])
    yield lambda: locked(lambda: store.orders.load(context, "home", version=ORDER.version))
    yield lambda: locked(lambda: store.orders.clear("home"))
    yield lambda: locked(lambda: store.orders.save("home", ORDER))
    yield clean_up
    yield lambda: store.journal.enter(context, "home", [VALUE]).keep()
    yield lambda: locked(lambda: store.update("home", lambda state: replace(state, failures=1)))
    for number in (2, 3, 4, 5):
        yield partial(keep, store, number)


def picture(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return modes and contents of everything in a folder."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }


@pytest.mark.parametrize("damaged", [False, True], ids=["good", "damaged"])
@pytest.mark.parametrize("place", [*FOLDERS, *FILES])
def test_a_link_leads_nothing_out_of_the_store(tmp_path: Path, place: str, damaged: bool) -> None:
    """The target of a link is not changed, even a damaged file or folder in the store's format."""
    root, outside = full_store(tmp_path / "state"), tmp_path / "outside"
    (inside,) = root.glob(place)
    inside.rename(outside)
    for path in (outside, *outside.rglob("*")):
        if damaged and path.is_file() and not path.is_symlink():
            path.write_bytes(b"damaged")
        if not path.is_symlink():
            path.chmod(0o777 if path.is_dir() else 0o666)
    inside.symlink_to(outside)
    before = picture(outside) if outside.is_dir() else (outside.stat().st_mode, outside.read_bytes())
    for operation in store_operations(root):
        with suppress(StoreError):
            operation()
        after = picture(outside) if outside.is_dir() else (outside.stat().st_mode, outside.read_bytes())
        assert after == before


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Set a umask during the block."""
    old = os.umask(mask)
    try:
        yield
    finally:
        os.umask(old)


def not_private(root: Path) -> dict[str, str]:
    """Return what has wider modes than folders 0700, files 0600, certificates 0644."""
    found = {}
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            most = 0o700 if path.is_dir() else 0o644 if path.name in PUBLIC else 0o600
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & ~most:
                found[str(path.relative_to(root))] = f"{mode:04o}"
    return found


@pytest.mark.parametrize("mask", [0o000, 0o077, 0o777])
def test_all_that_a_run_writes_is_private(tmp_path: Path, mask: int) -> None:
    """All files are private under any umask and can be read again."""
    with umask(mask):
        root = full_store(tmp_path / "state")
        for operation in store_operations(root):
            operation()
            assert not_private(root) == {}
    assert keep(FolderStore(root), 6).version == 6


def test_wide_modes_are_repaired(tmp_path: Path) -> None:
    """After a run, every file of a store with wide modes is private."""
    root = full_store(tmp_path / "state")
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o777 if path.is_dir() else 0o666)
    for operation in store_operations(root):
        operation()
    assert not_private(root) == {}
