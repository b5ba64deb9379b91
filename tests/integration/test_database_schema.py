"""The tables in a real PostgreSQL, and the seals of the values in them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from dnsrenew.base import threads
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database import schema
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.seal import Seals, place
from tests.kit.postgres import DatabaseAddress, Postgres

OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 32


@pytest.fixture
def database(address: DatabaseAddress) -> Iterator[Database]:
    """An empty database."""
    with contextlib.closing(Database(address)) as database:
        yield database


def refused(database: Database, *keys: bytes) -> str:
    """Return the code with which these seals are refused, or an empty string."""
    try:
        schema.check(database, Seals(keys))
    except StoreError as error:
        return error.code
    return ""


# ── the tables ──────────────────────────────────────────────────────────────────────────


def test_a_new_schema_can_be_used(database: Database) -> None:
    """`initialize` creates our tables and those of the queue. A second call changes nothing."""
    assert refused(database, OLD) == "store-schema"
    for _ in range(2):
        schema.initialize(database, Seals([OLD]))

    assert refused(database, OLD) == ""
    assert database.fetch("SELECT version FROM dnsrenew_schema") == [(schema.VERSION,)]
    assert database.one("SELECT count(*) FROM procrastinate_jobs") == (0,)


def test_two_initialize_at_once(address: DatabaseAddress) -> None:
    """Simultaneous calls of `initialize` all succeed."""

    def initialize() -> None:
        with contextlib.closing(Database(address)) as database:
            schema.initialize(database, Seals([OLD]))

    for task in threads.start_all([initialize] * 4, 4):
        assert task.done.wait(20)
        task.result()


@pytest.mark.parametrize(("version", "code"), [(schema.VERSION + 1, "store-newer"), (0, "store-schema")])
def test_another_version(database: Database, version: int, code: str) -> None:
    """A newer schema is refused, by `initialize` too. For an older one the error is `store-schema`."""
    schema.initialize(database, Seals([OLD]))
    database.execute("UPDATE dnsrenew_schema SET version = %s", (version,))

    assert refused(database, OLD) == code
    if code == "store-newer":
        with pytest.raises(StoreError) as caught:
            schema.initialize(database, Seals([OLD]))
        assert caught.value.code == code


def test_an_older_schema_is_brought_to_this_version(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """`initialize` runs only the missing steps on an older schema."""
    schema.initialize(database, Seals([OLD]))
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, "CREATE TABLE later ()"))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    assert refused(database, OLD) == "store-schema"

    schema.initialize(database, Seals([OLD]))

    assert refused(database, OLD) == ""
    assert database.fetch("SELECT * FROM later") == []


def test_a_step_that_fails_changes_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """If one step of `initialize` fails, no table is created."""
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, "CREATE TABLE broken (nonsense)"))
    with pytest.raises(StoreError):
        schema.initialize(database, Seals([OLD]))

    assert database.one("SELECT to_regclass('dnsrenew_certificate')") == (None,)


def test_no_right_to_create(database: Database, postgres: Postgres, address: DatabaseAddress) -> None:
    """If a role may not create tables, the fix names the missing right."""
    postgres.new_role(f"guest_{address.name}")
    with contextlib.closing(Database(replace(address, user=f"guest_{address.name}"))) as guest:
        with pytest.raises(StoreError) as caught:
            schema.initialize(guest, Seals([OLD]))
        assert caught.value.code == "store-refused"
        assert "all rights on the schema" in caught.value.fix
        schema.initialize(database, Seals([OLD]))
        assert refused(guest, OLD) == "store-refused"


def test_a_schema_of_its_own(database: Database, address: DatabaseAddress) -> None:
    """The tables are in the first schema of the search path. If it has none, the fix is `CREATE SCHEMA`."""
    database.execute("CREATE SCHEMA dnsrenew")  # of the same name as the role: the search path has it first
    schema.initialize(database, Seals([OLD]))
    assert database.one("SELECT to_regclass('dnsrenew.dnsrenew_version') IS NOT NULL") == (True,)

    database.execute("ALTER ROLE CURRENT_USER IN DATABASE " + address.name + " SET search_path = nowhere")
    with contextlib.closing(Database(address)) as lost, pytest.raises(StoreError) as caught:
        schema.initialize(lost, Seals([OLD]))
    assert caught.value.code == "store-schema"
    assert "CREATE SCHEMA" in caught.value.fix


def test_slots_are_spread(database: Database) -> None:
    """A hundred certificates get evenly spread slots: nine to eleven in each tenth."""
    schema.initialize(database, Seals([]))
    database.execute("INSERT INTO dnsrenew_certificate (name) SELECT 'c' || n FROM generate_series(1, 100) n")
    counts = database.fetch("SELECT count(*) FROM dnsrenew_certificate GROUP BY floor(slot * 10)")

    assert len(counts) == 10
    assert all(9 <= count <= 11 for (count,) in counts)
    assert database.one("SELECT min(slot) >= 0 AND max(slot) < 1 FROM dnsrenew_certificate") == (True,)


# ── seals ───────────────────────────────────────────────────────────────────────────────


def test_a_sealed_value_is_opened_at_its_place_only() -> None:
    """A changed value, another place or another seal is refused with `seal-wrong`."""
    seals, at = Seals([OLD]), place("version", "home", 1)
    blob = seals.seal(b"the key", at)
    assert b"the key" not in blob
    assert seals.seal(b"the key", at) != blob
    assert seals.open(blob, at) == b"the key"
    assert Seals([NEW, OLD]).open(blob, at) == b"the key"

    changed = [blob[:n] + bytes([blob[n] ^ 1]) + blob[n + 1 :] for n in range(1, len(blob))]
    attempts = [(seals, other, at) for other in [*changed, blob[:-1], blob[:7], b"\1", b"\2" + blob[1:], b""]]
    attempts += [(seals, blob, place("version", "home", 2)), (seals, blob, place("version", "hom", 1))]
    attempts += [(Seals([OTHER]), blob, at), (Seals([]), blob, at)]
    for opener, other, where in attempts:
        with pytest.raises(StoreError) as caught:
            opener.open(other, where)
        assert caught.value.code == "seal-wrong"


def test_without_a_seal_values_are_stored_as_they_are() -> None:
    """Without a seal, values are stored unsealed. A seal does not open them; it can seal them."""
    blob = Seals([]).seal(b"the key", "p")

    assert blob == b"\0the key"
    assert Seals([]).open(blob, "p") == b"the key"
    seals = Seals([OLD])
    with pytest.raises(StoreError):
        seals.open(blob, "p")
    assert seals.open(seals.sealed_anew(blob, "p"), "p") == b"the key"
    assert not Seals([])


def test_seals_do_not_show_their_keys() -> None:
    """`str` and `repr` of seals do not show their keys."""
    assert OLD.decode() not in f"{Seals([OLD])!r} {Seals([OLD])}"


def test_a_wrong_seal_is_found_before_anything_is_opened(database: Database) -> None:
    """A wrong or missing seal is refused at the start, even if no value is stored."""
    schema.initialize(database, Seals([OLD]))

    assert refused(database, OTHER) == "seal-wrong"
    assert refused(database) == "seal-wrong"
    assert refused(database, OLD) == ""
    assert refused(database, NEW, OLD) == ""
    assert refused(database, OLD) == "seal-wrong"  # the new one seals by now
    assert refused(database, OLD, NEW) == ""


def test_a_forged_proof(database: Database) -> None:
    """A seal in the table is refused if its proof is wrong."""
    schema.initialize(database, Seals([OLD]))
    database.execute("UPDATE dnsrenew_seal SET proof = %s", (Seals([OTHER]).proof(),))

    assert refused(database, OLD) == "seal-wrong"


def _store(database: Database, seals: Seals, count: int = 1) -> dict[str, bytes]:
    """Store a value at each kind of place; return them by their places."""
    stored: dict[str, bytes] = {}

    def sealed(at: str) -> bytes:
        stored[at] = os.urandom(8)
        return seals.seal(stored[at], at)

    for number in range(count):
        key = sealed(place("version", "home", number))
        database.execute("INSERT INTO dnsrenew_version VALUES ('home', %s, '', %s, '{}')", (number, key))
    database.execute("INSERT INTO dnsrenew_document VALUES ('home', 'csr', %s)", (sealed("document:home:csr"),))
    database.execute("INSERT INTO dnsrenew_document VALUES ('home', 'plain', '{}')")
    database.execute("INSERT INTO dnsrenew_setting VALUES ('fingerprint', %s)", (sealed("setting:fingerprint:value"),))
    database.execute(
        "INSERT INTO dnsrenew_account VALUES ('https://ca', %s, %s)",
        (sealed("account:https://ca:key"), sealed("account:https://ca:next_key")),
    )
    database.execute("INSERT INTO dnsrenew_account (directory) VALUES ('https://other')")
    return stored


def _read(database: Database, seals: Seals) -> dict[str, bytes]:
    blobs = database.fetch("""
        SELECT 'version:' || name || ':' || number, key FROM dnsrenew_version
        UNION ALL SELECT 'document:' || name || ':' || kind, content FROM dnsrenew_document WHERE kind <> 'plain'
        UNION ALL SELECT 'setting:' || name || ':value', value FROM dnsrenew_setting
        UNION ALL SELECT 'account:' || directory || ':key', key FROM dnsrenew_account WHERE key IS NOT NULL
        UNION ALL SELECT 'account:' || directory || ':next_key', next_key FROM dnsrenew_account
          WHERE next_key IS NOT NULL""")
    return {at: seals.open(bytes(blob), at) for at, blob in blobs}


@pytest.mark.parametrize("before", [[OLD], []], ids=["sealed", "unsealed"])
def test_a_new_seal_seals_everything_anew(database: Database, before: list[bytes]) -> None:
    """After a re-seal the new seal opens every value, the old one is refused, and public values are unchanged."""
    schema.initialize(database, Seals(before))
    stored = _store(database, Seals(before), count=schema._AT_ONCE + 1)
    both = Seals([NEW, *before])
    schema.check(database, both, seal_existing=not before)

    assert schema.reseal(database, both, seal_existing=not before) == len(stored)

    assert _read(database, Seals([NEW])) == stored
    assert schema.reseal(database, both) == 0
    assert refused(database, NEW) == ""
    assert refused(database, *before) == "seal-wrong"
    assert database.fetch("SELECT content FROM dnsrenew_document WHERE kind = 'plain'") == [(b"{}",)]


def test_without_a_seal_nothing_is_sealed_anew(database: Database) -> None:
    """`reseal` without a seal changes no value."""
    schema.initialize(database, Seals([]))
    _store(database, Seals([]))

    assert schema.reseal(database, Seals([])) == 0


def test_a_value_that_cannot_be_opened_keeps_the_old_seal(database: Database) -> None:
    """If a value cannot be opened, `reseal` fails and both seals stay registered."""
    schema.initialize(database, Seals([OLD]))
    _store(database, Seals([OLD]))
    database.execute("UPDATE dnsrenew_account SET key = %s", (Seals([OTHER]).seal(b"", "elsewhere"),))
    both = Seals([NEW, OLD])
    schema.check(database, both)
    with pytest.raises(StoreError) as caught:
        schema.reseal(database, both)

    assert caught.value.code == "seal-wrong"
    assert database.one("SELECT count(*) FROM dnsrenew_seal") == (2,)
