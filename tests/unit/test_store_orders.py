"""An order that is being finalized: stored completely or not at all, before its CSR is sent."""

import dataclasses
import errno
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base.runtime import Context
from dnsrenew.errors import StoreError
from dnsrenew.store import AtomicFiles, FolderStore
from dnsrenew.store.pending_orders import PendingOrder, PendingOrders
from tests.kit.store_sites import DatabaseSite, StoreSite
from tests.kit.stores import ORDER, Counting, Failing, Killed, Killing, leftovers

OTHER = dataclasses.replace(
    ORDER, url="https://ca.test/order/2", account_url=None, profile=None, version=None, key_pem=b"key", csr_der=b"csr"
)


def orders(root: Path | StoreSite, before: Counting | None = None) -> PendingOrders:
    """Return the orders of a store."""
    store = FolderStore(root, disk=AtomicFiles(before)) if isinstance(root, Path) else root.open()
    return store.orders


def load(root: Path | StoreSite, context: Context | None = None, version: int | None = 3) -> PendingOrder | None:
    """Return the order of `home`."""
    return orders(root).load(context or Context(), "home", version=version)


def folder(root: Path) -> Path:
    """Return its folder."""
    return root / "certificates/home/order"


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in memory."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as path:
        yield Path(path)


def test_saved_loaded_cleared(site: StoreSite) -> None:
    """Orders are saved, loaded and cleared by certificate."""
    assert load(site) is None
    orders(site).save("home", ORDER)
    orders(site).save("away", OTHER)
    assert load(site) == ORDER
    assert orders(site).load(Context(), "away", version=None) == OTHER
    orders(site).clear("home")
    orders(site).clear("home")
    assert load(site) is None
    assert orders(site).load(Context(), "away", version=None) == OTHER


def test_the_files_of_an_order(tmp_path: Path) -> None:
    """An order has three files. `clear` removes all."""
    orders(tmp_path).save("home", ORDER)
    assert sorted(os.listdir(folder(tmp_path))) == ["csr.der", "key.pem", "order.json"]
    assert (folder(tmp_path) / "key.pem").read_bytes() == ORDER.key_pem
    assert (folder(tmp_path) / "csr.der").read_bytes() == ORDER.csr_der
    orders(tmp_path).clear("home")
    assert not folder(tmp_path).exists()
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("content", [b"{", b"\x01\x00\x00\x00\x00" + bytes(40)])
def test_a_damaged_order_in_a_database_costs_a_new_one(database_site: DatabaseSite, content: bytes) -> None:
    """A damaged order is removed with a warning."""
    orders(database_site).save("home", ORDER)
    database_site.execute("UPDATE dnsrenew_document SET content = %s WHERE kind = 'order'", content)
    context = Context()
    assert load(database_site, context) is None
    assert [notice.code for notice in context.notices] == ["store-damaged"]
    assert load(database_site, context := Context()) is None
    assert context.notices == []


def test_no_key_in_a_repr() -> None:
    """The repr of an order has no key."""
    assert "PRIVATE" not in repr(ORDER)


def test_a_later_order_takes_the_place(site: StoreSite) -> None:
    """Each certificate has one order: the last one saved."""
    orders(site).save("home", ORDER)
    orders(site).save("home", dataclasses.replace(OTHER, version=3))
    found = load(site)
    assert found is not None
    assert found.url == OTHER.url


@pytest.mark.parametrize("version", [None, 2, 4])
def test_an_order_that_has_done_its_work(site: StoreSite, version: int | None) -> None:
    """An order is removed if another version is in use, because its certificate is already stored."""
    orders(site).save("home", ORDER)
    assert load(site, version=version) is None
    assert load(site) is None


def test_it_costs_five_fsyncs(tmp_path: Path) -> None:
    """Saving costs 5 fsyncs: three files, their folder and its name. Loading and clearing cost none."""
    disk = AtomicFiles()
    saved = FolderStore(tmp_path, disk=disk).orders
    saved.save("home", ORDER)
    disk.fsyncs = 0
    saved.save("home", ORDER)
    assert disk.fsyncs == 5
    saved.load(Context(), "home", version=3)
    saved.clear("home")
    assert disk.fsyncs == 5


def test_everything_is_durable_before_the_name(tmp_path: Path) -> None:
    """Files and folder are synced before the rename, and the name after it."""
    orders(tmp_path).save("home", ORDER)
    orders(tmp_path).clear("home")
    counting = Counting()
    orders(tmp_path, counting).save("home", ORDER)
    steps = [what for what, _path in counting.seen if what in {"fsync", "rename"}]
    assert steps == ["fsync", "fsync", "fsync", "fsync", "rename", "fsync"]


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_private_under_any_umask(tmp_path: Path, mask: int) -> None:
    """The folder has mode 0700 and its files 0600. Open modes are restricted on load."""
    old = os.umask(mask)
    try:
        orders(tmp_path / "state").save("home", ORDER)
        place = folder(tmp_path / "state")
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()} == {0o600}
        place.chmod(0o755)
        (place / "key.pem").chmod(0o644)
        assert load(tmp_path / "state") == ORDER
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert stat.S_IMODE((place / "key.pem").stat().st_mode) == 0o600
    finally:
        os.umask(old)


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "con"])
def test_no_name_reaches_outside(site: StoreSite, name: str) -> None:
    """Every method refuses a name that would leave the store."""
    place = orders(site)
    doors: tuple[Callable[[], object], ...] = (
        lambda: place.save(name, ORDER),
        lambda: place.load(Context(), name, version=3),
        lambda: place.clear(name),
    )
    for door in doors:
        with pytest.raises(StoreError) as caught:
            door()
        assert caught.value.code == "store-bad-name"


# ── kills and refusals ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("before", [None, OTHER])
def test_killed_at_every_disk_operation_of_a_save(quick: Path, before: PendingOrder | None) -> None:
    """A kill before any operation leaves the new order, the old one or none, always complete. The next save works."""

    def prepare(root: Path) -> Path:
        if before is not None:
            orders(root).save("home", dataclasses.replace(before, version=3))
        return root

    counting = Counting()
    orders(prepare(quick / "count"), counting).save("home", ORDER)
    assert len(counting.seen) > 20
    for at in range(len(counting.seen)):
        root = prepare(quick / str(at))
        with pytest.raises(Killed):
            orders(root, Killing(at)).save("home", ORDER)
        context = Context()
        found = load(root, context)
        assert found is None or found == ORDER or (before is not None and found.url == before.url)
        assert context.notices == []
        orders(root).save("home", ORDER)
        assert load(root) == ORDER
        assert leftovers(root) == []


def test_killed_at_every_disk_operation_of_a_clear(quick: Path) -> None:
    """A kill before any operation leaves the complete order or none, without a warning."""
    counting = Counting()
    orders(quick / "count").save("home", ORDER)
    orders(quick / "count", counting).clear("home")
    for at in range(len(counting.seen)):
        root = quick / str(at)
        orders(root).save("home", ORDER)
        with pytest.raises(Killed):
            orders(root, Killing(at)).clear("home")
        context = Context()
        assert load(root, context) in (ORDER, None)
        assert context.notices == []
        orders(root).clear("home")
        assert not folder(root).exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.ENOENT])
def test_refused_at_every_disk_operation_of_a_save(quick: Path, number: int) -> None:
    """If an operation fails, there is a StoreError and no partial order, or the save succeeds."""
    counting = Counting()
    orders(quick / "count", counting).save("home", ORDER)
    for at in range(len(counting.seen)):
        root = quick / str(at)
        saved = True
        try:
            orders(root, Failing(at, number)).save("home", ORDER)
        except StoreError:
            saved = False
        context = Context()
        # The last operation of all makes the name durable: an error there leaves the order, which does no harm.
        assert load(root, context) == (
            ORDER if saved or at == len(counting.seen) - 1 or folder(root).exists() else None
        )
        assert context.notices == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES])
def test_refused_at_every_disk_operation_of_a_load_and_a_clear(quick: Path, number: int) -> None:
    """If an operation fails, nothing is raised.

    An unreadable order causes a warning, and one that stays is not loaded.
    """
    counting = Counting()
    orders(quick / "count").save("home", ORDER)
    orders(quick / "count", counting).load(Context(), "home", version=3)
    orders(quick / "count", counting).clear("home")
    for at in range(len(counting.seen)):
        root = quick / str(at)
        orders(root).save("home", ORDER)
        place, context = orders(root, Failing(at, number)), Context()
        found = place.load(context, "home", version=3)
        assert found == ORDER or (found is None and [notice.code for notice in context.notices] == ["store-damaged"])
        place.clear("home")
        assert load(root, version=4) is None


# ── files that are not what we wrote ────────────────────────────────────────────────────


def form(**changes: object) -> bytes:
    """Return its order.json with some fields changed."""
    with tempfile.TemporaryDirectory() as root:
        orders(Path(root)).save("home", ORDER)
        return json.dumps({**json.loads((folder(Path(root)) / "order.json").read_bytes()), **changes}).encode()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("key.pem", b""),
        ("key.pem", ORDER.key_pem[:-1]),
        ("csr.der", b""),
        ("csr.der", b"\0" * 4),
        ("csr.der", None),
        ("key.pem", None),
        ("order.json", b""),
        ("order.json", b"{"),
        ("order.json", form(schema=2)),
        ("order.json", form(url="")),
        ("order.json", form(ca=1)),
        ("order.json", form(identifiers=[])),
        ("order.json", form(identifiers="home.test")),
        ("order.json", form(account=1)),
        ("order.json", form(version="3")),
        ("order.json", form(written="yesterday")),
        ("order.json", form(sha256=None)),
        ("order.json", form(sha256={})),
    ],
)
def test_a_damaged_order_is_set_aside(tmp_path: Path, file: str, content: bytes | None) -> None:
    """A truncated, empty, missing or newer file causes a warning, and a new order can be saved."""
    orders(tmp_path).save("home", ORDER)
    path = folder(tmp_path) / file
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    context = Context()
    assert load(tmp_path, context) is None
    (notice,) = context.notices
    assert notice.code == "store-damaged"
    assert "creates a new order." in notice.message
    assert folder(tmp_path).with_name("order.damaged").is_dir()
    assert not list(tmp_path.rglob("key.pem"))
    orders(tmp_path).save("home", ORDER)
    assert load(tmp_path) == ORDER


def test_damaged_orders_do_not_pile_up(tmp_path: Path) -> None:
    """Only the newest three damaged orders are kept, without their private keys."""
    for number in range(1, 6):
        orders(tmp_path).save("home", dataclasses.replace(ORDER, url=f"https://ca.test/order/{number}"))
        (folder(tmp_path) / "csr.der").write_bytes(b"")
        assert load(tmp_path) is None
    aside = {path.name: path for path in folder(tmp_path).parent.glob("order*")}
    assert sorted(aside) == ["order.damaged-3", "order.damaged-4", "order.damaged-5"]
    for number in (3, 4, 5):
        document = json.loads((aside[f"order.damaged-{number}"] / "order.json").read_bytes())
        assert document["url"] == f"https://ca.test/order/{number}"
    assert not list(tmp_path.rglob("key.pem"))


def test_what_is_no_folder_is_set_aside(tmp_path: Path) -> None:
    """A file or a link in place of the folder is renamed. The target of the link is not changed."""
    orders(tmp_path / "other").save("home", ORDER)
    orders(tmp_path / "state").save("home", ORDER)
    orders(tmp_path / "state").clear("home")
    place = folder(tmp_path / "state")
    place.symlink_to(folder(tmp_path / "other"))
    assert load(tmp_path / "state") is None
    place.write_text("foreign")
    assert load(tmp_path / "state") is None
    assert load(tmp_path / "other") == ORDER
    assert {path.name for path in place.parent.glob("order*")} == {"order.damaged", "order.damaged-2"}


@given(file=st.sampled_from(["order.json", "key.pem", "csr.der"]), data=st.data())
def test_any_bytes_are_the_order_or_damage(file: str, data: st.DataObject) -> None:
    """With any content of one file, the saved order or None is loaded."""
    with tempfile.TemporaryDirectory() as root:
        orders(Path(root)).save("home", ORDER)
        path = folder(Path(root)) / file
        good = path.read_bytes()
        begin, end = data.draw(st.integers(0, len(good))), data.draw(st.integers(0, len(good)))
        path.write_bytes(data.draw(st.just(good[:begin] + good[end:]) | st.binary(max_size=50)))
        found = load(Path(root))
        assert found is None or (found.key_pem, found.csr_der) == (ORDER.key_pem, ORDER.csr_der)
