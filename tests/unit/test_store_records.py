"""What a store keeps beside states and versions, in a folder and in a database; and what a lost lock cannot write."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dnsrenew.base import x509
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.base.x509 import user_files
from dnsrenew.errors import LockedError, StoreError
from dnsrenew.store import State, Store
from dnsrenew.store.records import Notified
from tests.kit.clock import START
from tests.kit.store_sites import DatabaseSite, StoreSite
from tests.kit.stores import ORDER, SPEC, assert_whole, issue, keep

NOTIFIED = Notified(failed=True, expiring=2, serial="0a", deployments={"x": "0b"}, renewed="0c")


# ── small records ───────────────────────────────────────────────────────────────────────


def test_the_record_of_messages_is_kept(site: StoreSite) -> None:
    """Records are stored by certificate. An empty record is removed."""
    assert site.open().notified.read("home") == Notified()
    site.open().notified.write("home", NOTIFIED)
    site.open().notified.write("away", replace(NOTIFIED, failed=False))
    assert site.open().notified.read("home") == NOTIFIED
    site.open().notified.write("home", Notified())
    site.open().notified.write("home", Notified())
    assert site.open().notified.read("home") == Notified()
    assert not site.open().notified.read("away").failed


def test_the_last_diagnoses_are_kept(site: StoreSite) -> None:
    """The last fifty diagnoses are kept, oldest first."""
    records = site.open().diagnoses
    assert records.read("home") == []
    for number in range(52):
        records.add("home", {"time": str(number), "renewable": True, "facts": {"ä": [number]}})
    assert [record["time"] for record in site.open().diagnoses.read("home")] == [str(n) for n in range(2, 52)]
    assert records.read("away") == []


def test_the_key_of_fingerprints_is_the_same_for_all(site: StoreSite) -> None:
    """All stores of one place read the same random key."""
    first, second = site.open(), site.open()
    assert len(first.fingerprint_key()) == 32
    assert first.fingerprint_key() == second.fingerprint_key() == first.fingerprint_key()
    assert len(set(first.fingerprint_key())) > 8


# ── requests for other issuers ──────────────────────────────────────────────────────────


def test_a_request_waits_for_its_certificate(site: StoreSite) -> None:
    """A request is stored with its key, replaced by a later one, and removed by `clear`."""
    requests = site.open().signing_requests
    assert (requests.load(Context(), "home"), requests.made("home")) == (None, None)
    for names in (("a.test",), ("b.test", "c.test")):
        key = x509.new_key("ecdsa-p256")
        csr, pem = user_files.request_to_pem(x509.make_csr(key, names)), x509.key_to_pem(key)
        requests.save("home", csr, pem)
        found = site.open().signing_requests.load(Context(), "home")
        assert found is not None
        assert (found.csr_pem, found.key_pem, found.names, found.kind) == (csr, pem, names, "ecdsa-p256")
    made = requests.made("home")
    assert made is not None
    assert (made.microsecond, made.utcoffset() is not None) == (0, True)
    requests.clear("home")
    requests.clear("home")
    assert (requests.load(Context(), "home"), requests.made("home")) == (None, None)


def test_a_request_with_another_key_is_damaged(site: StoreSite) -> None:
    """A request whose key does not match is set aside with a warning."""
    requests = site.open().signing_requests
    csr = user_files.request_to_pem(x509.make_csr(x509.new_key("ecdsa-p256"), ["a.test"]))
    requests.save("home", csr, issue(1)[1])
    context = Context()
    assert requests.load(context, "home") is None
    assert [notice.code for notice in context.notices] == ["store-damaged"]
    assert requests.load(again := Context(), "home") is None
    assert again.notices == []


# ── deployments ─────────────────────────────────────────────────────────────────────────


def test_the_old_files_of_a_target_are_kept_until_the_next_change(site: StoreSite) -> None:
    """After a kill, the files that were saved first stay, because the target had them originally."""
    first = site.open().deployment("home", "one")
    assert (first.is_begun, first.kept()) == (False, {})
    keep(site.open(), 1)
    first.begin()
    first.keep({"/etc/x.pem": b"old", "/etc/x.key": bytes(range(256))})
    second = site.open().deployment("home", "one")
    assert second.is_begun
    second.begin()  # the first one was killed
    assert second.kept() == {"/etc/x.pem": b"old", "/etc/x.key": bytes(range(256))}
    second.end()
    assert (second.is_begun, bool(second.kept())) == (False, True)
    second.begin()
    assert (second.is_begun, second.kept()) == (True, {})
    second.keep({"/etc/x.pem": b"new"})
    second.keep({})
    assert second.kept() == {}
    assert not site.open().deployment("home", "two").is_begun


def test_entries_that_are_not_configured_any_more_are_forgotten(site: StoreSite) -> None:
    """Removed entries are deleted. Until then it is known whether one of them has begun a change."""
    keep(site.open(), 1)
    old, new = (site.open().deployment("home", entry) for entry in ("old", "new"))
    assert not new.have_others_begun(["new"])
    old.begin()
    old.keep({"/x": b"x"})
    assert new.have_others_begun(["new"])
    assert not new.have_others_begun(["new", "old"])
    new.begin()
    new.forget_others(["new"])
    assert (old.is_begun, old.kept(), new.is_begun) == (False, {}, True)


def test_renames_are_known_until_they_are_done(site: StoreSite) -> None:
    """Pending renames of several entries and certificates are listed. `has_journal` reports them too."""
    store = site.open()
    keep(store, 1)  # makes the folders
    store.journal.enter(Context(), "home", [(_record(), "x")]).remove([(_record(), "x")])
    one, two, other = (store.deployment(name, entry) for name, entry in (("home", "a"), ("home", "b"), ("away-b", "a")))
    assert (store.unfinished_renames(), store.has_journal) == ([], False)
    one.note_renames([("/x.tmp", "/x"), ("/y.tmp", "/y")])
    two.note_renames([("/z.tmp", "/z")])
    other.note_renames([("/w.tmp", "/w")])
    assert store.has_journal
    found = {(each.name, tuple(map(tuple, each.renames))) for each in site.open().unfinished_renames()}
    assert found == {
        ("home", (("/x.tmp", "/x"), ("/y.tmp", "/y"))),
        ("home", (("/z.tmp", "/z"),)),
        ("away-b", (("/w.tmp", "/w"),)),
    }
    one.clear_renames()
    one.clear_renames()
    assert {each.renames[0][1] for each in store.unfinished_renames()} == {"/z", "/w"}
    for each in store.unfinished_renames():
        each.forget()
    assert (store.unfinished_renames(), store.has_journal) == ([], False)


def test_renames_are_those_of_one_machine(database_site: DatabaseSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pending renames are visible only on the machine that noted them."""
    store = database_site.open()
    store.deployment("home", "a").note_renames([("/x.tmp", "/x")])
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("platform.node", lambda: "other")
        assert (store.unfinished_renames(), store.has_journal) == ([], False)
    assert len(store.unfinished_renames()) == 1


def _record() -> TxtRecord:
    return TxtRecord("home.test.", "_acme-challenge.home.test.", "value", 60)


# ── a lost lock ─────────────────────────────────────────────────────────────────────────

WRITES: dict[str, Callable[[Store], object]] = {
    "keep": lambda store: _keep(store, 2, store.read_state("home")),
    "write_state": lambda store: store.write_state("home", State(failures=9)),
    "update": lambda store: store.update("home", lambda state: replace(state, failures=9)),
    "note_revocation": lambda store: store.note_revocation("home", replace(store.read_state("home"), revoked=True)),
    "remove": lambda store: store.remove("home"),
    "order": lambda store: store.orders.save("home", ORDER),
    "request": lambda store: store.signing_requests.save("home", "csr", b"key"),
    "notified": lambda store: store.notified.write("home", NOTIFIED),
    "deployment": lambda store: store.deployment("home", "x").keep({"/x": b"x"}),
    "prove_writable": lambda store: store.prove_writable("home"),
}


def _keep(store: Store, serial: int, state: State) -> State:
    return store.keep(SPEC, "lab", *issue(serial), state=state)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_an_older_holder_writes_nothing(database_site: DatabaseSite, write: Callable[[Store], object]) -> None:
    """A run that lost its connection cannot overwrite the newer version that another run has stored."""
    old, new = database_site.open(), database_site.open()
    keep(old, 1)
    context = Context()
    with old.lock("home", context=context):
        database_site.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks "
            "WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        )
        keep(new, 3)
        before = database_site.dump()
        with pytest.raises(StoreError) as caught:
            write(old)
        assert caught.value.code == "store-unreachable"
        assert "home" in caught.value.message
        assert [value for value in database_site.dump() if value not in before] == []
        with pytest.raises(StoreError):  # nor does it send anything any more
            context.check()
    assert context.guards == []
    assert_whole(old, {3})
    keep(old, 4)
    assert_whole(new, {4})


def test_a_run_that_holds_the_lock_writes(database_site: DatabaseSite) -> None:
    """The holder of the lock can write everything. Other runs are excluded meanwhile."""
    store, other = database_site.open(), database_site.open()
    with store.lock("home", context=Context()):
        assert _keep(store, 1, State()).version == 1
        for name, write in WRITES.items():
            if name != "remove":
                write(store)
        with pytest.raises(LockedError):
            other.lock("home", context=Context()).__enter__()
    assert other.read_state("home").failures == 9


# ── states ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["a\0b", "\\u0000", "\\\0", "\\\\u0000\0", "ä€😀"])
def test_a_text_of_any_characters_is_stored(site: StoreSite, text: str) -> None:
    """Any text is stored. A database replaces NUL by another character."""
    store = site.open()
    store.update("home", lambda state: state.failed("code", text, START))
    failure = site.open().read_state("home").last_failure
    assert failure is not None
    assert failure["message"] in {text, text.replace("\0", "\ufffd")}
    assert store.path is None or failure["message"] == text


def test_a_certificate_and_its_notification_are_one(database_site: DatabaseSite) -> None:
    """Each new version causes one notification. A change of the state causes none."""
    store = database_site.open()
    with store.database.notifications("dnsrenew_changed") as heard:
        heard.wait(0)
        for work in (lambda: keep(store, 1), lambda: keep(store, 2), lambda: store.remove("home")):
            work()
            assert heard.wait(5) == ["home"]
            store.update("home", lambda state: replace(state, failures=1))
            assert heard.wait(0.01) == []


def test_what_is_wanted_stays_wanted(database_site: DatabaseSite) -> None:
    """A fleet's certificate that is removed from the store is due at once."""
    store = database_site.open()
    keep(store, 1)
    database_site.execute("UPDATE dnsrenew_certificate SET wanted = '{}', due = 'infinity'")
    store.remove("home")
    assert store.names() == []
    rows = store.database.fetch("SELECT wanted, state, version, expires, due <= now() FROM dnsrenew_certificate")
    assert rows == [({}, None, None, None, True)]
    database_site.execute("UPDATE dnsrenew_certificate SET due = 'infinity'")
    keep(store, 2)
    assert store.database.fetch("SELECT version, due <= now() FROM dnsrenew_certificate") == [(1, True)]


def test_a_damaged_state_is_made_anew_by_the_next_run(database_site: DatabaseSite) -> None:
    """A damaged state is rebuilt with a warning, and the certificate stays in use."""
    store = database_site.open()
    keep(store, 1)
    database_site.put_state(b'{"schema": 1, "version": "x"}')
    state = assert_whole(store, {1})
    assert [notice.code for notice in state.notices] == ["store-damaged"]
    assert store.repair("home", state, Context())
    fresh = database_site.open().read_state("home")
    assert (fresh.rebuilt, fresh.notices, fresh.version) == (False, (), 1)
    assert not store.repair("home", fresh, Context())


def test_the_folder_of_responses_ends_with_the_store(database_site: DatabaseSite) -> None:
    """The folder is private and is removed with the store object."""
    import gc

    from dnsrenew.store.folder_store import open_store

    store = open_store(database_site.where, seals=lambda: [bytes(32)])
    folder = Path(store.responses.path)
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "x").touch()
    assert store.responses.path == str(folder)
    del store
    gc.collect()
    assert not os.path.lexists(folder)
