"""Accounts in the store: the key is essential, the other data can be recovered."""

import errno
import os
from pathlib import Path

import pytest

from dnsrenew.base import x509
from dnsrenew.base.model.spec import THUMBPRINTS, AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.errors import LockedError, StoreError
from dnsrenew.store import AtomicFiles, FolderStore
from dnsrenew.store.accounts import StoredAccount
from tests.kit.clock import FakeClock
from tests.kit.store_sites import DatabaseSite, StoreSite
from tests.kit.stores import DIRECTORY, ORDER, Counting, Failing, Killed, Killing, issue, keep, leftovers

KEY = issue(98)[1]
URL = "https://ca.test/acct/1"
FULL = AccountData(key_pem=KEY, url=URL, contact=("me@example.com",), data={"terms": "https://ca.test/terms"})


def accounts(root: Path | StoreSite, hook: Counting | None = None, context: Context | None = None) -> StoredAccount:
    """The account at the lab's CA, as another run sees it."""
    store = FolderStore(root, disk=AtomicFiles(hook)) if isinstance(root, Path) else root.open()
    return store.accounts(DIRECTORY, "lab", context)


def file(root: Path, name: str) -> Path:
    """Return a file of that account."""
    (path,) = (root / "accounts").glob(f"*/{name}")
    return path


def grow_old(root: Path) -> None:
    """Set the time of all temporary files two hours back."""
    for name in leftovers(root):
        path = root / name
        then = path.stat().st_mtime - 7200
        os.utime(path, (then, then))


def test_what_is_saved_is_loaded(site: StoreSite) -> None:
    """Every saved field is loaded, even by a later run. An account that was never saved is None."""
    assert accounts(site).load() is None
    accounts(site).save(FULL)
    assert accounts(site).load() == FULL


def test_each_directory_has_an_account_of_its_own(site: StoreSite) -> None:
    """The directory URL identifies the account, not the name of the CA in the config."""
    store = site.open()
    store.accounts("https://a.test/dir", "lab").save(FULL)
    assert store.accounts("https://b.test/dir", "lab").load() is None
    assert store.accounts("https://a.test/dir", "lab").load() == FULL


def test_an_account_is_closed_or_lost(site: StoreSite) -> None:
    """A closed account is deleted. For a lost one the URL and its former keys are known."""
    account = accounts(site)
    assert (account.registered_url(), account.lost()) == (None, None)
    account.save(FULL)
    assert (account.registered_url(), account.lost()) == (URL, None)
    account.remove()
    assert (account.load(), account.registered_url(), account.lost()) == (None, None, None)
    account.save(AccountData(key_pem=KEY, url=URL, data={THUMBPRINTS: ["a", 5, "b"]}))
    if isinstance(site, DatabaseSite):
        site.execute("UPDATE dnsrenew_account SET key = NULL")
    else:
        assert isinstance(site.where, Path)
        file(site.where, "key.pem").unlink()
    lost = accounts(site).lost()
    assert lost is not None
    assert (lost.url, lost.thumbprints) == (URL, ("a", "b"))


def test_the_next_key_is_kept_until_it_is_the_key(site: StoreSite) -> None:
    """A rollover can be prepared, abandoned, prepared again and completed."""
    for account in (FULL, CHANGING, FULL, CHANGING, CHANGED):
        accounts(site).save(account)
        assert accounts(site).load() == account


def test_all_configurations_share_the_account_of_a_directory(database_site: DatabaseSite) -> None:
    """Account and lock belong to the directory URL, not to the configured name of the CA."""
    store, clock = database_site.open(), FakeClock()
    store.accounts(DIRECTORY, "lab").save(FULL)
    assert store.accounts(DIRECTORY, "other").load() == FULL
    with (
        store.accounts(DIRECTORY, "lab").lock(),
        pytest.raises(LockedError),
        store.accounts(DIRECTORY, "other", Context(clock=clock)).lock(),
    ):
        pass


def test_keys_are_sealed(database_site: DatabaseSite) -> None:
    """The database has no private key in plain text. A sealed key cannot be opened in another place."""
    accounts(database_site).save(CHANGING)
    store = database_site.open()
    keep(store, 1)
    store.orders.save("home", ORDER)
    store.signing_requests.save("home", "csr", KEY)
    store.deployment("home", "x").keep({"/x": KEY})
    dump = database_site.dump()
    assert len(dump) > 5
    for secret in (b"PRIVATE", KEY.split(b"\n")[1], issue(1)[1].split(b"\n")[1], ORDER.key_pem.split(b"\n")[1]):
        assert not [value for value in dump if secret in value]
    database_site.execute("UPDATE dnsrenew_account SET key = next_key")
    with pytest.raises(StoreError) as caught:
        accounts(database_site).load()
    assert caught.value.code == "seal-wrong"


@pytest.mark.parametrize(
    "data",
    [
        "[]",
        '{"schema": 1, "url": 5}',
        '{"schema": 1, "url": "http://127.0.0.1/acct"}',
        '{"schema": 1, "directory": "https://x.test"}',
    ],
)
def test_a_damaged_row_is_found_again_by_its_key(database_site: DatabaseSite, data: str) -> None:
    """A damaged row gives an account with its key, with a warning. One of a newer schema is refused."""
    accounts(database_site).save(FULL)
    database_site.execute("UPDATE dnsrenew_account SET data = %s::jsonb", data)
    context = Context()
    assert accounts(database_site, context=context).load() == AccountData(key_pem=KEY)
    assert [notice.code for notice in context.notices] == ["store-damaged"]
    database_site.execute("UPDATE dnsrenew_account SET data = '{\"schema\": 2}'")
    with pytest.raises(StoreError) as caught:
        accounts(database_site).load()
    assert caught.value.code == "store-newer"


def test_a_key_is_in_no_repr() -> None:
    """The repr of an account contains no key."""
    assert "PRIVATE" not in repr(FULL)


@pytest.mark.parametrize("damage", [b"", b"garbage", KEY[:-40], KEY[:60]], ids=len)
def test_a_damaged_key_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    """A damaged key file is renamed with a warning, and there is no account."""
    accounts(tmp_path).save(FULL)
    file(tmp_path, "key.pem").write_bytes(damage)
    context = Context()
    assert accounts(tmp_path, context=context).load() is None
    assert file(tmp_path, "key.pem.damaged").read_bytes() == damage
    (notice,) = context.notices
    assert notice.code == "store-damaged"
    assert "new key" in notice.message


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"schema": 1, "url": 5}', b'{"schema": 1, "directory": "https://other.test"}']
)
def test_a_damaged_account_is_found_again_by_its_key(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """If only account.json is damaged, the account keeps its key. Without a context the warning is logged."""
    accounts(tmp_path).save(FULL)
    file(tmp_path, "account.json").write_bytes(damage)
    assert accounts(tmp_path).load() == AccountData(key_pem=KEY)
    assert file(tmp_path, "account.json.damaged").read_bytes() == damage
    assert "account.json is damaged" in caplog.text


def test_a_newer_account_is_never_guessed_at(tmp_path: Path) -> None:
    """A newer schema is refused. The file stays unchanged."""
    accounts(tmp_path).save(FULL)
    file(tmp_path, "account.json").write_bytes(b'{"schema": 2}')
    with pytest.raises(StoreError) as caught:
        accounts(tmp_path).load()
    assert caught.value.code == "store-newer"


def test_fsyncs_of_an_account(tmp_path: Path) -> None:
    """An account costs 3 fsyncs before its request, 1 for its URL and 1 for each later change."""
    disk = AtomicFiles()
    store = FolderStore(tmp_path, disk=disk)
    store.prove_writable()
    account = store.accounts(DIRECTORY, "lab")
    before = disk.fsyncs
    account.save(AccountData(key_pem=KEY, contact=("me@example.com",)))
    assert disk.fsyncs - before == 3
    account.save(FULL)
    account.save(AccountData(key_pem=KEY, url=URL, contact=("you@example.com",)))
    assert disk.fsyncs - before == 3


def test_killed_anywhere_while_an_account_is_saved(tmp_path: Path) -> None:
    """Killed before any operation: the key is the old or the new one, complete, and the next save works."""
    counting = Counting()
    accounts(tmp_path / "count", counting).save(FULL)
    for at in range(len(counting.seen)):
        root = tmp_path / str(at)
        with pytest.raises(Killed):
            accounts(root, Killing(at)).save(FULL)
        context = Context()
        found = accounts(root, context=context).load()
        assert found is None or found.key_pem == KEY
        assert context.notices == []
        accounts(root).save(FULL)
        assert accounts(root).load() == FULL
        grow_old(root)
        accounts(root).save(FULL)
        assert leftovers(root) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
def test_refused_anywhere_while_an_account_is_saved(tmp_path: Path, number: int) -> None:
    """If an operation fails, the error is a StoreError, and the old files stay."""
    counting = Counting()
    accounts(tmp_path / "count").save(FULL)
    other = AccountData(key_pem=x509.key_to_pem(x509.new_key("ecdsa-p256")), url=f"{URL}2")
    accounts(tmp_path / "count", counting).save(other)
    refused = 0
    for at in range(len(counting.seen)):
        root = tmp_path / str(at)
        accounts(root).save(FULL)
        try:
            accounts(root, Failing(at, number)).save(other)
        except StoreError:
            refused += 1
        found = accounts(root).load()
        assert found is not None
        assert found.key_pem in {KEY, other.key_pem}
    assert refused > 3


class Meeting(Counting):
    """Let another run save the account just before the file with this name is renamed into place."""

    def __init__(self, root: Path, name: str) -> None:
        super().__init__()
        self.root = root
        self.name = name

    def __call__(self, operation: str, path: str) -> None:
        """Save, the first time."""
        if operation == "rename" and path.endswith(self.name) and not self.seen:
            super().__call__(operation, path)
            accounts(self.root).save(FULL)


@pytest.mark.parametrize("write", ["account.json", "ledger.json"])
def test_a_save_takes_nothing_from_who_writes_beside_it(tmp_path: Path, write: str) -> None:
    """A save removes no temporary file of a live process, the ledger's included."""
    accounts(tmp_path).save(FULL)
    meeting, context = Meeting(tmp_path, write), Context()
    store = FolderStore(tmp_path, disk=AtomicFiles(meeting))
    store.accounts(DIRECTORY, "lab").save(FULL)
    store.ledger(DIRECTORY, "lab", context).note_retry_after(60)
    assert meeting.seen
    assert context.notices == []
    assert file(tmp_path, "ledger.json").exists()


# ── a key that is being changed ─────────────────────────────────────────────────────────

NEXT = issue(97)[1]
CHANGING = AccountData(key_pem=KEY, url=URL, contact=FULL.contact, data=FULL.data, next_key_pem=NEXT)
CHANGED = AccountData(key_pem=NEXT, url=URL, contact=FULL.contact, data=FULL.data)


def test_the_next_key_stands_beside_the_key(tmp_path: Path) -> None:
    """The next key is private and in no repr. It is removed once it is abandoned or has replaced the key."""
    accounts(tmp_path).save(FULL)
    accounts(tmp_path).save(CHANGING)
    assert accounts(tmp_path).load() == CHANGING
    assert file(tmp_path, "key.next.pem").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in repr(CHANGING)
    accounts(tmp_path).save(FULL)
    assert accounts(tmp_path).load() == FULL
    accounts(tmp_path).save(CHANGING)
    accounts(tmp_path).save(CHANGED)
    assert accounts(tmp_path).load() == CHANGED
    assert list(tmp_path.rglob("key.next.pem")) == []


@pytest.mark.parametrize(("first", "then"), [(FULL, CHANGING), (CHANGING, CHANGED), (CHANGING, FULL)])
def test_killed_anywhere_in_a_change_of_the_key(tmp_path: Path, first: AccountData, then: AccountData) -> None:
    """A kill before any operation never loses a key that the CA may know."""
    accounts(tmp_path / "count").save(first)
    counting = Counting()
    accounts(tmp_path / "count", counting).save(then)
    for at in range(len(counting.seen)):
        root = tmp_path / str(at)
        accounts(root).save(first)
        with pytest.raises(Killed):
            accounts(root, Killing(at)).save(then)
        context = Context()
        found = accounts(root, context=context).load()
        assert found is not None
        assert context.notices == []
        assert then.key_pem in {found.key_pem, found.next_key_pem}
        accounts(root).save(then)
        assert accounts(root).load() == then
        grow_old(root)
        accounts(root).save(then)
        assert leftovers(root) == []


def test_the_next_key_is_durable_before_it_is_sent(tmp_path: Path) -> None:
    """Saving the next key costs 2 fsyncs: the key and its name in the folder."""
    disk = AtomicFiles()
    account = FolderStore(tmp_path, disk=disk).accounts(DIRECTORY, "lab")
    account.save(FULL)
    before = disk.fsyncs
    account.save(CHANGING)
    assert disk.fsyncs - before == 2


@pytest.mark.parametrize("name", ["key.pem", "key.next.pem"])
def test_of_two_keys_a_damaged_one_is_set_aside(tmp_path: Path, name: str) -> None:
    """If one of two keys is damaged, the other one becomes the key."""
    accounts(tmp_path).save(CHANGING)
    file(tmp_path, name).write_bytes(b"garbage")
    context = Context()
    found = accounts(tmp_path, context=context).load()
    assert found is not None
    assert (found.key_pem, found.next_key_pem) == (NEXT if name == "key.pem" else KEY, None)
    (notice,) = context.notices
    assert "other key" in notice.message
