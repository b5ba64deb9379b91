"""A store that others can change is not used. The mode of a shared folder is not changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dnsrenew.base.model import CA, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.errors import StoreError
from dnsrenew.renewer import Renewer
from dnsrenew.store import AtomicFiles, FolderStore
from tests.kit.clock import START, FakeClock
from tests.kit.memory import host_config
from tests.kit.stores import DIRECTORY, ORDER, SPEC, Counting, first_issuance, keep

pytestmark = pytest.mark.skipif(os.name == "nt", reason="owners and modes of POSIX")

OTHER = 54321
NOTHING_THERE = "https://127.0.0.1:1/directory"


def renewer(store: Path) -> Renewer:
    """Return a renewer whose CA cannot be reached; the certificate `home` is not due."""
    cas = {"lab": CA(NOTHING_THERE, name="lab")}
    return Renewer(host_config(store, [SPEC], {}, cas), clock=FakeClock(START))


def picture(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return everything in a folder, with modes and owners."""
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_uid, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }


def refused(work: Callable[[], object]) -> StoreError:
    """Return the error of some work on a store that is not private."""
    with pytest.raises(StoreError) as caught:
        work()
    assert caught.value.code == "store-not-private"
    return caught.value


def give_away(path: Path) -> None:
    """Give a folder with its content to another user."""
    for part in (path, *path.rglob("*")):
        os.chown(part, OTHER, OTHER, follow_symlinks=False)


def other_owner(_: Path, store: Path) -> str:
    """The store is that of another user, with all that is in it."""
    give_away(store)
    return str(store)


def other_folder_above(above: Path, _: Path) -> str:
    """The folder above is another user's, as where root works in a home."""
    os.chown(above, OTHER, OTHER)
    return str(above)


def open_folder_above(above: Path, _: Path) -> str:
    """Everybody may write to the folder above."""
    above.chmod(0o777)
    return str(above)


def group_above(above: Path, _: Path) -> str:
    """A group may write to the folder above."""
    os.chown(above, 0, OTHER)
    above.chmod(0o775)
    return str(above)


def open_store(_: Path, store: Path) -> str:
    """Everybody may write to the store, and the sticky bit does not help."""
    store.chmod(0o1777)
    return str(store)


def link_of_another(_: Path, store: Path) -> str:
    """The store is a link that another user can point elsewhere."""
    store.rename(store.with_name("real"))
    store.symlink_to("real")
    os.chown(store, OTHER, OTHER, follow_symlinks=False)
    return str(store)


def shared_folder(_: Path, store: Path) -> str:
    """The store is a folder with other things in it."""
    (store / "www").mkdir()
    store.chmod(0o755)
    return str(store)


@pytest.mark.parametrize(
    "weaken",
    [other_owner, other_folder_above, open_folder_above, group_above, open_store, link_of_another, shared_folder],
    ids=lambda weaken: weaken.__name__,
)
def test_a_store_that_others_can_change_is_not_used(tmp_path: Path, weaken: Callable[[Path, Path], str]) -> None:
    """A store that others can change fails every run, even a dry run. Nothing is read or changed in it."""
    store = tmp_path / "above" / "state"
    store.parent.mkdir()
    first_issuance(FolderStore(store))
    part = weaken(store.parent, store)
    before, run = picture(tmp_path), renewer(store)
    for outcome in (*run.renew(), *run.renew(dry_run=True)):
        assert outcome.status == "failed"
        assert (outcome.reason, outcome.path, outcome.issuer) == (None, None, None)
        assert outcome.error is not None
        assert (outcome.error.code, outcome.error.evidence["path"]) == ("store-not-private", part)
        assert outcome.error.evidence["command"]
    for work in (
        run.status,
        lambda: run.certificate("home"),
        lambda: run.revoke("home"),
        lambda: run.revoke("not-configured"),
        run.accounts,
        run.roll_accounts,
        run.cleanup,
    ):
        assert refused(work).evidence["path"] == part
    assert run.usable_certificate("home") is None
    assert picture(tmp_path) == before


@pytest.mark.parametrize("weaken", [other_owner, open_folder_above, open_store, shared_folder])
def test_the_user_may_insist(tmp_path: Path, weaken: Callable[[Path, Path], str]) -> None:
    """With `insist` nothing is checked. The mode of a folder with other contents still stays unchanged."""
    store = tmp_path / "above" / "state"
    store.parent.mkdir()
    first_issuance(FolderStore(store))
    weaken(store.parent, store)
    insisting = FolderStore(store, insist=True)
    insisting.check_ground()
    insisting.close_root()
    assert keep(insisting, 2).version == 2
    assert store.stat().st_mode & 0o777 == (0o755 if weaken is shared_folder else 0o700)


@pytest.mark.parametrize("weaken", [other_owner, open_folder_above, group_above, open_store, shared_folder])
def test_the_command_mends_it(tmp_path: Path, weaken: Callable[[Path, Path], str]) -> None:
    """After running the command of the error, the store is accepted."""
    store = tmp_path / "above" / "my state"
    store.parent.mkdir()
    first_issuance(FolderStore(store))
    weaken(store.parent, store)
    error = refused(FolderStore(store).check_ground)
    assert error.evidence["command"] in error.fix
    subprocess.run(["sh", "-c", error.evidence["command"]], check=True)
    FolderStore(store).check_ground()
    assert keep(FolderStore(store), 2).version == 2


def test_the_home_of_another_user_is_not_to_be_given_away(tmp_path: Path) -> None:
    """For a folder above the store that belongs to another user, the fix is to run as that user, not chown."""
    store = tmp_path / "above" / "state"
    store.parent.mkdir()
    other_folder_above(store.parent, store)
    error = refused(FolderStore(store).check_ground)
    assert (error.evidence["fault"], error.evidence["owner"]) == ("owner", str(OTHER))
    assert "chown" not in error.fix
    assert f"Run dnsrenew as {OTHER}" in error.fix


# ── what another user has put into the store ────────────────────────────────────────────


def filled(root: Path) -> FolderStore:
    """Return a store with everything in it that there can be."""
    store, context = FolderStore(root), Context()
    first_issuance(store)
    store.orders.save("home", ORDER)
    store.journal.enter(context, "home", [(TxtRecord("a.test.", "_acme-challenge.a.test.", "v", 60), "home")]).keep()
    store.ledger(DIRECTORY, "lab", context).note_retry_after(60)
    return store


def load_order(store: FolderStore, context: Context) -> object:
    """Take up the order of a killed run."""
    return store.orders.load(context, "home", version=ORDER.version)


def left_over(store: FolderStore, context: Context) -> object:
    """Look at the journal of killed runs."""
    with store.journal.left_over(context) as entries:
        return entries


def load_account(store: FolderStore, context: Context) -> object:
    """Read the account."""
    return store.accounts(DIRECTORY, "lab", context).load()


def renew(store: FolderStore, _: Context) -> object:
    """Store a certificate."""
    return keep(store, 2)


def read(store: FolderStore, _: Context) -> object:
    """Read what is in force."""
    return store.certificate("home", store.read_state("home"))


@pytest.mark.parametrize(
    ("planted", "use"),
    [
        ("accounts", load_account),
        ("accounts/*", load_account),
        ("accounts/*/key.pem", load_account),
        ("accounts/*/account.json", load_account),
        ("certificates/home/order", load_order),
        ("certificates/home/order/order.json", load_order),
        ("certificates/home/order/key.pem", load_order),
        ("certificates/home/order/csr.der", load_order),
        ("journal", left_over),
        ("certificates", renew),
        ("certificates/home", renew),
        ("certificates/home/versions", renew),
        ("locks", renew),
        ("locks/certificate-home.lock", renew),
        ("certificates/home/state.json", read),
        ("certificates/home/versions/1/privkey.pem", read),
        ("certificates/home/versions/1/fullchain.pem", read),
    ],
)
def test_what_another_user_put_there_is_refused(
    tmp_path: Path, planted: str, use: Callable[[FolderStore, Context], object]
) -> None:
    """Each file and folder in the store must belong to its user or root, even if the store's own folder does."""
    store = filled(tmp_path / "my state")
    (path,) = store.path.glob(planted)
    os.chown(path, OTHER, OTHER)
    error, context = refused(lambda: use(store, Context())), Context()
    assert (error.evidence["path"], error.evidence["owner"]) == (str(path), str(OTHER))
    assert error.fix == (
        f"Remove everything from the store that you did not put there, then run `chown -R root '{tmp_path}/my state'`."
    )
    subprocess.run(["sh", "-c", error.evidence["command"]], check=True)
    use(store, context)
    assert not context.notices


def test_a_planted_journal_entry_is_refused_with_a_warning(tmp_path: Path) -> None:
    """A journal entry of another user is refused with a warning. The user's own entries are found."""
    store = filled(tmp_path)
    own = tmp_path / "journal/home-1.json"
    planted = tmp_path / "journal/away-1.json"
    shutil.copy(own, planted)
    os.chown(planted, OTHER, OTHER)
    context = Context()
    with store.journal.left_over(context) as entries:
        assert [entry.path for entry in entries] == [str(own)]
    assert [notice.code for notice in context.notices] == ["store-not-private"]


@pytest.mark.parametrize("planted", ["accounts", "certificates", "journal", "locks"])
def test_the_folders_of_the_store_are_looked_at_before_each_use(tmp_path: Path, planted: str) -> None:
    """A folder of another user in the store is found when it is used."""
    first_issuance(FolderStore(tmp_path / "state"))
    os.chown(tmp_path / "state" / planted, OTHER, OTHER)
    (outcome,) = renewer(tmp_path / "state").renew()
    assert outcome.error is not None
    assert outcome.error.evidence["path"] == str(tmp_path / "state" / planted)


def test_a_root_that_another_user_made_first(tmp_path: Path) -> None:
    """A store that another user created after the check is refused."""
    tmp_path.chmod(0o1777)

    def make(operation: str, path: str) -> None:
        if operation == "mkdir" and path == str(tmp_path / "state"):
            os.mkdir(path)
            os.chown(path, OTHER, OTHER)

    store = FolderStore(tmp_path / "state", disk=AtomicFiles(make))
    store.check_ground()
    assert refused(lambda: keep(store, 1)).evidence["path"] == str(tmp_path / "state")
    assert (tmp_path / "state").stat().st_uid == OTHER


def test_a_link_that_another_user_made_first(tmp_path: Path) -> None:
    """A link that another user created in place of the store is refused. Its target is not changed."""
    tmp_path.chmod(0o1777)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o755)

    def make(operation: str, path: str) -> None:
        if operation == "mkdir" and path == str(tmp_path / "state"):
            os.symlink(elsewhere, path)
            os.chown(path, OTHER, OTHER, follow_symlinks=False)

    store = FolderStore(tmp_path / "state", disk=AtomicFiles(make))
    store.check_ground()
    assert refused(lambda: keep(store, 1)).evidence["path"] == str(tmp_path / "state")
    assert elsewhere.stat().st_mode & 0o777 == 0o755
    assert list(elsewhere.iterdir()) == []


# ── no false alarm ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", [0o1777, 0o755, 0o700])
def test_a_store_that_is_not_there_yet(tmp_path: Path, mode: int) -> None:
    """A new store can be created in a private folder, in one like /srv, and in one like /tmp."""
    tmp_path.chmod(mode)
    FolderStore(tmp_path / "a/state").check_ground()
    first_issuance(FolderStore(tmp_path / "a/state"))
    (outcome,) = renewer(tmp_path / "a/state").renew()
    assert outcome.error is None or outcome.error.code == "ca-unreachable"
    assert tmp_path.stat().st_mode & 0o7777 == mode


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o775, 0o700])
@pytest.mark.parametrize("inside", ["nothing", "lost+found", "the store"])
def test_a_folder_that_is_ours_alone_is_closed(tmp_path: Path, mode: int, inside: str) -> None:
    """A folder without other contents is made private: an empty one, a mount and a restored store."""
    store = tmp_path / "state"
    if inside == "the store":
        first_issuance(FolderStore(store))
        for folder in (store, *(path for path in store.rglob("*") if path.is_dir() and not path.is_symlink())):
            folder.chmod(0o755)
    else:
        store.mkdir()
        if inside == "lost+found":
            (store / "lost+found").mkdir(mode=0o700)
    store.chmod(mode)
    renewer(store).renew()
    assert store.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o700, 0o770])
def test_a_private_folder_with_other_things_in_it(tmp_path: Path, mode: int) -> None:
    """A private folder with other contents can be the store. Its mode stays unchanged."""
    (tmp_path / "notes").write_text("foreign")
    tmp_path.chmod(mode)
    store = FolderStore(tmp_path)
    store.check_ground()
    store.close_root()
    assert keep(store, 1).version == 1
    assert tmp_path.stat().st_mode & 0o777 == mode
    assert (tmp_path / "notes").read_text() == "foreign"


def test_a_look_costs_a_run_not_a_certificate(tmp_path: Path) -> None:
    """Checking the owner of a read file costs no further system call."""
    keep(FolderStore(tmp_path), 1)
    counting = Counting()
    store = FolderStore(tmp_path, disk=AtomicFiles(counting))
    assert store.is_whole("home", store.read_state("home"))
    assert [what for what, _ in counting.seen] == ["read", "stat", "stat"]
