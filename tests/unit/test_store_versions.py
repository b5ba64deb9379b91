"""Versions, `current`, and the files that other programs read."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.errors import StoreError
from dnsrenew.store import AtomicFiles, FolderStore, Meta, State
from dnsrenew.store.paths import FILES
from tests.kit.store_sites import StoreSite
from tests.kit.stores import (
    ORDER,
    SPEC,
    Counting,
    Killed,
    Killing,
    assert_current_whole,
    assert_whole,
    first_issuance,
    issue,
    keep,
    leftovers,
)

both = pytest.mark.parametrize("windows", [False, True], ids=["symlink", "copies"])


def versions(root: Path) -> list[str]:
    """Return the names in the folder of versions."""
    return sorted(os.listdir(root / "certificates/home/versions"))


def test_the_layout_is_the_contracts(tmp_path: Path) -> None:
    """The files are exactly those of the contract."""
    first_issuance(FolderStore(tmp_path / "state"))
    found = {str(path.relative_to(tmp_path / "state")) for path in (tmp_path / "state").rglob("*") if path.is_file()}
    (account,) = os.listdir(tmp_path / "state/accounts")
    assert account.startswith("lab-")
    assert bytes.fromhex(account.removeprefix("lab-"))
    assert found == {
        f"accounts/{account}/account.json",
        f"accounts/{account}/key.pem",
        *(f"certificates/home/versions/1/{name}" for name in (*FILES, "meta.json")),
        "certificates/home/state.json",
        f"locks/account-{account}.lock",
        "locks/certificate-home.lock",
    }
    assert os.readlink(tmp_path / "state/certificates/home/current") == "versions/1"


@both
def test_a_new_certificate_is_in_force(tmp_path: Path, windows: bool) -> None:
    """After `keep`, dnsrenew and other programs read the new certificate by absolute paths."""
    store = FolderStore(tmp_path, windows=windows)
    state = keep(store, 1)
    assert state == store.read_state("home") == assert_whole(store, {1})
    assert assert_current_whole(tmp_path, {1}) == 1
    certificate = store.certificate("home", state)
    assert certificate is not None
    assert certificate.path == store.current("home") == tmp_path / "certificates/home/current"
    assert certificate.private_key_path == tmp_path / "certificates/home/versions/1/privkey.pem"
    assert store.names() == ["home"]


@both
def test_three_versions_are_kept_and_numbers_grow(tmp_path: Path, windows: bool) -> None:
    """The fifth renewal keeps 3, 4 and 5, and `current` is the fifth."""
    store = FolderStore(tmp_path, windows=windows)
    for serial in range(1, 5):
        keep(store, serial)
    state = keep(store, 5)
    assert versions(tmp_path) == ["3", "4", "5"]
    assert state.version == 5
    assert assert_current_whole(tmp_path, {5}) == 5
    assert (tmp_path / "certificates/home/current").is_symlink() is not windows


def test_a_number_is_never_used_twice(site: StoreSite) -> None:
    """A version number is not reused, even after the versions were removed."""
    store = site.open()
    keep(store, 1)
    keep(store, 2)
    for number in (1, 2):
        site.lose_version(number)
    assert keep(store, 3).version == 3


def test_the_version_in_force_is_kept_behind_newer_ones(site: StoreSite) -> None:
    """Newer versions that were never activated do not displace the current one."""
    store = site.open()
    state = keep(store, 1)
    chain, key, facts = issue(2)
    meta = Meta(
        issuer=facts.issuer,
        serial=facts.serial,
        not_before=facts.not_before,
        not_after=facts.not_after,
        domains=SPEC.domains,
        identifiers=SPEC.identifiers,
    )
    for _ in range(4):
        store.add_version("home", chain, key, meta, store.read_state("home"))
    old = Meta(**{name: getattr(state, name) for name in Meta.__dataclass_fields__})
    store.activate("home", 1, old, store.read_state("home"))
    assert site.versions() == [1, 3, 4, 5]
    assert_whole(store, {1})


def test_what_is_no_version_is_not_taken_for_one(tmp_path: Path) -> None:
    """Foreign and temporary names are no versions. Temporary ones are removed, foreign ones stay."""
    store = FolderStore(tmp_path)
    keep(store, 1)
    for name in ("007", "1.bak", "x", "٣", ".tmp-1-99"):
        (tmp_path / "certificates/home/versions" / name).mkdir()
    (tmp_path / "certificates/home/.tmp-5-5").write_text("half a state")
    assert keep(store, 2).version == 2
    assert versions(tmp_path) == sorted(["007", "1", "1.bak", "2", "x", "٣"])
    assert leftovers(tmp_path) == []


def test_a_chain_may_be_of_one_link(tmp_path: Path) -> None:
    """A leaf without intermediates is a complete certificate with an empty chain.pem."""
    chain, key, facts = issue(1)
    store = FolderStore(tmp_path)
    store.keep(SPEC, "lab", chain[: len(chain) // 2], key, facts, state=store.read_state("home"))
    assert (tmp_path / "certificates/home/current/chain.pem").read_bytes() == b""
    (tmp_path / "certificates/home/state.json").unlink()
    assert store.read_state("home").version == 1


@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_without_its_key_there_is_no_certificate(tmp_path: Path, damage: str) -> None:
    """A version without its key is incomplete and not returned."""
    store = FolderStore(tmp_path)
    state = keep(store, 1)
    key = tmp_path / "certificates/home/versions/1/privkey.pem"
    key.unlink() if damage == "missing" else key.write_bytes(b"")
    assert not store.is_whole("home", state)
    assert store.certificate("home", state) is None


def test_nothing_stored_is_no_certificate(site: StoreSite) -> None:
    """A missing store has no certificate. A query does not create it."""
    store = site.open()
    assert store.read_state("home") == State()
    assert not store.is_whole("home", State())
    assert store.certificate("home", State()) is None
    assert store.read_chain("home", State()) is None
    assert store.read_part("home", None, "fullchain.pem") is None
    assert store.names() == []
    assert not isinstance(site.where, Path) or not site.where.exists()


def test_the_newest_three_are_kept(site: StoreSite) -> None:
    """After five renewals, the versions 3, 4 and 5 are kept, and every reader gets the fifth."""
    state = State()
    for serial in range(1, 6):
        state = keep(site.open(), serial)
        assert state == site.open().read_state("home") == assert_whole(site.open(), {serial})
    assert site.versions() == [3, 4, 5]
    chain, key, _ = issue(5)
    store = site.open()
    assert (store.read_chain("home", state), store.read_private_key("home", state)) == (chain, key)
    assert store.read_part("home", None, "fullchain.pem") == chain.encode()
    assert (store.names(), state.version, state.ca) == (["home"], 5, "lab")


def test_a_version_without_its_key_is_no_certificate(site: StoreSite) -> None:
    """A version without its key is not returned, causes a warning, and can be replaced."""
    store = site.open()
    state = keep(store, 1)
    assert store.is_whole("home", state)
    site.empty_key(1)
    assert not store.is_whole("home", state)
    assert store.certificate("home", state) is None
    context = Context()
    store.report_damage("home", state, context)
    assert [notice.code for notice in context.notices] == ["store-damaged"]
    store.quarantine_damaged("home", state)
    assert keep(store, 2).version == 2


def test_a_certificate_is_removed(site: StoreSite) -> None:
    """A certificate is removed with its versions, order, request and state. Other certificates stay."""
    store = site.open()
    keep(store, 1)
    store.keep(replace(SPEC, name="away"), "lab", *issue(2), state=State())
    store.orders.save("home", ORDER)
    store.signing_requests.save("home", "csr", b"key")
    with store.lock("home", context=Context()):
        store.remove("home")
    assert store.names() == ["away"]
    assert store.read_state("home") == State()
    assert store.orders.load(Context(), "home", version=3) is None
    assert store.signing_requests.made("home") is None
    store.remove("nothing")


def test_a_mark_tells_of_each_write(site: StoreSite) -> None:
    """The mark changes with each write of a version or a state, and not by reading."""
    store = site.open()
    marks = [store.mark("home")]
    keep(store, 1)
    marks.append(store.mark("home"))
    assert store.mark("home") == marks[-1]
    store.update("home", lambda state: replace(state, failures=1))
    marks.append(store.mark("home"))
    assert len(set(marks)) == 3


def test_what_was_installed_by_hand_is_known(site: StoreSite) -> None:
    """A version without a CA counts as installed by hand."""
    store = site.open()
    state = keep(store, 1)
    assert not store.is_by_hand("home", state)
    chain, key, facts = issue(2)
    meta = Meta(
        issuer=facts.issuer,
        serial=facts.serial,
        not_before=facts.not_before,
        not_after=facts.not_after,
        domains=SPEC.domains,
        identifiers=SPEC.identifiers,
    )
    number = store.add_version("home", chain, key, meta, state)
    assert_whole(site.open(), {1})  # it is not in force yet
    state = store.activate("home", number, meta, state, remember=lambda new: replace(new, asked_by="x"))
    assert store.is_by_hand("home", state)
    assert assert_whole(site.open(), {2}).asked_by == "x"


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "con"])
def test_a_name_that_no_certificate_can_have_is_refused(site: StoreSite, name: str) -> None:
    """Every method refuses an invalid name."""
    store = site.open()
    for work in (
        lambda: store.read_state(name),
        lambda: store.lock(name, context=Context()).__enter__(),
        lambda: store.current(name),
        lambda: store.write_state(name, State()),
        lambda: store.notified.read(name),
        lambda: store.orders.clear(name),
        lambda: store.remove(name),
    ):
        with pytest.raises(StoreError) as caught:
            work()
        assert caught.value.code == "store-bad-name"


# ── repair ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("wrong", ["versions/1", "nowhere", None])
def test_a_link_that_lags_is_repaired(tmp_path: Path, wrong: str | None) -> None:
    """The next run makes `current` point to the version in state.json."""
    store = FolderStore(tmp_path)
    keep(store, 1)
    state = keep(store, 2)
    current = tmp_path / "certificates/home/current"
    current.unlink()
    if wrong is not None:
        current.symlink_to(wrong)
    store.repair("home", state, Context())
    assert os.readlink(current) == "versions/2"


@both
def test_a_foreign_current_is_set_aside(tmp_path: Path, windows: bool) -> None:
    """A folder in the place of the link (a copied store), or the reverse, is renamed and replaced, with a warning."""
    keep(FolderStore(tmp_path, windows=not windows), 1)
    store = FolderStore(tmp_path, windows=windows)
    store.repair("home", store.read_state("home"), Context())
    assert assert_current_whole(tmp_path, {1}) == 1
    assert (tmp_path / "certificates/home/current").is_symlink() is not windows
    assert os.path.lexists(tmp_path / "certificates/home/current.damaged")
    (notice,) = store.read_state("home").notices
    assert notice.code == "store-damaged"


@both
def test_mending_costs_nothing_where_all_is_well(tmp_path: Path, windows: bool) -> None:
    """A repair of an intact store writes nothing and takes no lock."""
    keep(FolderStore(tmp_path, windows=windows), 1)
    counting = Counting()
    store = FolderStore(tmp_path, disk=AtomicFiles(counting), windows=windows)
    state = store.read_state("home")
    counting.seen.clear()
    store.repair("home", state, Context())
    store.repair("other", State(), Context())
    assert {what for what, _ in counting.seen} <= {"stat"}


@both
def test_mending_leaves_a_live_run_alone(tmp_path: Path, windows: bool) -> None:
    """While another run holds the lock, that run is switching `current`."""
    store = FolderStore(tmp_path, windows=windows)
    keep(store, 1)
    state = replace(keep(store, 2), switching=2)
    current = tmp_path / "certificates/home/current"
    AtomicFiles().remove(str(current))
    with store.lock("home", context=Context()):
        store.repair("home", state, Context())
    assert not os.path.lexists(current)


def test_copies_cut_short_are_completed(tmp_path: Path) -> None:
    """On Windows, the run after a kill completes the copies. dnsrenew itself never reads a mixture."""
    keep(FolderStore(tmp_path, windows=True), 1)
    counting = Counting()

    def renew(hook: Counting) -> None:
        keep(FolderStore(tmp_path, disk=AtomicFiles(hook), windows=True), 2)

    current = str(tmp_path / "certificates/home/current")
    renew(counting)
    renames = [n for n, (what, path) in enumerate(counting.seen) if what == "rename" and path.startswith(current)]
    assert len(renames) == 5
    with pytest.raises(Killed):
        keep(FolderStore(tmp_path, disk=AtomicFiles(Killing(renames[2])), windows=True), 3)
    store = FolderStore(tmp_path, windows=True)
    state = assert_whole(store, {2})
    assert state.switching == 3
    store.repair("home", state, Context())
    assert assert_current_whole(tmp_path, {3}) == 3
    assert assert_whole(store, {3}).switching is None
    assert leftovers(tmp_path / "certificates") == []


def test_copies_of_a_version_that_is_gone_are_put_back(tmp_path: Path) -> None:
    """Windows: if the version that was being copied is missing, `current` becomes the one in force again."""
    store = FolderStore(tmp_path, windows=True)
    store.write_state("home", replace(keep(store, 1), switching=7))
    (tmp_path / "certificates/home/current/privkey.pem").write_bytes(issue(2)[1])
    store.repair("home", store.read_state("home"), Context())
    assert assert_current_whole(tmp_path, {1}) == 1
    assert store.read_state("home").switching is None


def test_a_file_in_use_does_not_cost_the_certificate(tmp_path: Path) -> None:
    """On Windows, an open file of `current` causes a warning, and the next run copies it."""
    keep(FolderStore(tmp_path, windows=True), 1)

    def in_use(operation: str, path: str) -> None:
        if operation == "rename" and path.endswith("current/privkey.pem"):
            raise PermissionError(13, "sharing violation")

    state = keep(FolderStore(tmp_path, disk=AtomicFiles(in_use), windows=True), 2)
    assert [notice.code for notice in state.notices] == ["current-behind"]
    store = FolderStore(tmp_path, windows=True)
    assert_whole(store, {2})
    assert assert_current_whole(tmp_path, {1}) == 1
    store.repair("home", store.read_state("home"), Context())
    assert assert_current_whole(tmp_path, {2}) == 2


def test_mending_a_store_that_cannot_be_written_is_left(tmp_path: Path) -> None:
    """`status` on a read-only store succeeds without a repair."""

    def read_only(operation: str, path: str) -> None:
        if operation in {"lock", "mkdir", "create", "rename", "symlink", "chmod"}:
            raise OSError(30, "Read-only file system")

    keep(FolderStore(tmp_path), 1)
    (tmp_path / "certificates/home/current").unlink()
    store = FolderStore(tmp_path, disk=AtomicFiles(read_only))
    store.repair("home", store.read_state("home"), Context())
    with pytest.raises(StoreError, match="read-only"):
        store.prove_writable()


# ── fsyncs ──────────────────────────────────────────────────────────────────────────────


def test_fsyncs_are_counted(tmp_path: Path) -> None:
    """A renewal takes 8 fsyncs, the first one with a new store and a new account 14, the journal 2."""
    disk = AtomicFiles()
    store = FolderStore(tmp_path / "state", disk=disk)
    first_issuance(store)
    assert disk.fsyncs == 14
    keep(store, 2)
    assert disk.fsyncs == 14 + 8


def test_a_version_is_durable_before_current_moves(tmp_path: Path) -> None:
    """A version is synced before `current` is switched. state.json is written and synced last."""
    keep(FolderStore(tmp_path), 1)
    counting = Counting()
    keep(FolderStore(tmp_path, disk=AtomicFiles(counting)), 2)
    home = f"{tmp_path}/certificates/home"
    steps = [f"{what} {path.removeprefix(home)}" for what, path in counting.seen if what in {"fsync", "rename"}]
    steps = [step for step in steps if ".tmp-" not in step]
    assert steps == [
        "rename /versions/2",
        "fsync /versions",
        "rename /current",
        "rename /state.json",
        "fsync ",
    ]
    before = counting.seen[: [path for _, path in counting.seen].index(f"{home}/versions/2")]
    synced = [os.path.basename(path) for what, path in before if what == "fsync"]
    assert synced[:4] == ["privkey.pem", "cert.pem", "chain.pem", "fullchain.pem"]
    assert synced[4].startswith(".tmp-")
