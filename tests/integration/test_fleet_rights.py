"""What a role gets that can write to the database of a fleet, and has neither its seal nor its configuration."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Deployment, Fleet, Route
from dnsrenew.base import x509
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.base.x509 import user_files
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.extensions.fleet.database import schema
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.seal import place
from dnsrenew.extensions.fleet.status import fleet_status
from dnsrenew.renewal.deploying import complete_renames_of_killed_runs
from dnsrenew.store import FolderStore, State
from tests.kit.fleet_folder import SEAL, FleetFolder, open_store
from tests.kit.fleet_stage import FleetStage, wait_until
from tests.kit.postgres import DatabaseAddress, Postgres
from tests.kit.program import named_in
from tests.kit.stores import DIRECTORY, ORDER, SPEC, issue
from tests.lab.workspace import Workspace

OLD_TABLES = Path(__file__).parent.parent / "data" / "fleet-0.1.0.sql"
UNSEALED = ["version:home:1", "document:home:order", "setting:fingerprint-key:value"]
"""What is unsealed in those tables, beside the two keys of an account."""


@pytest.fixture(scope="module")
def role(postgres: Postgres) -> str:
    """A role that owns nothing."""
    postgres.new_role("intruder")
    return "intruder"


@pytest.fixture
def fleet(
    address: DatabaseAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> FleetFolder:
    """A configuration with a seal, whose database has no tables."""
    monkeypatch.chdir(tmp_path)
    return FleetFolder(tmp_path, address, capsys)


@pytest.fixture
def sealed(fleet: FleetFolder) -> FleetFolder:
    """The same with tables, and a value of each kind, all sealed."""
    fleet.run("fleet init")
    with open_store(fleet) as store:
        fill(store)
    return fleet


@pytest.fixture
def stage(workspace: Workspace, address: DatabaseAddress) -> Iterator[FleetStage]:
    """A fleet in the lab, for workers."""
    made = FleetStage(workspace, address)
    yield made
    made.database.close()


@pytest.fixture
def intruder(sealed: FleetFolder, postgres: Postgres, address: DatabaseAddress, role: str) -> Iterator[Database]:
    """Connections of a role that can read and write the rows of the fleet."""
    with postgres.admin(address.name) as admin:
        admin.execute(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}".encode())
    with contextlib.closing(Database(DatabaseAddress(address.name, address.port, role))) as database:
        yield database


def fill(store: DatabaseStore) -> None:
    """Store a value of each kind."""
    store.prove_writable()
    store.accounts(DIRECTORY, "lab").save(AccountData(key_pem=issue(7)[1], next_key_pem=issue(8)[1]))
    store.keep(SPEC, "lab", *issue(1), state=State())
    store.orders.save("home", ORDER)
    key = x509.new_key("ecdsa-p256")
    csr = user_files.request_to_pem(x509.make_csr(key, SPEC.identifiers))
    store.signing_requests.save("home", csr, x509.key_to_pem(key))
    store.deployment("home", "x").keep({"/x": b"old"})
    store.deployment("home", "x").note_renames([("/a", "/b")])
    store.fingerprint_key()


def values(store: DatabaseStore) -> dict[str, bytes]:
    """All that is sealed, or should be, by its place."""
    return {
        place(table, where, what): bytes(blob)
        for table, name, kind, value in schema._VALUES
        for where, what, blob in store.database.fetch(
            f"SELECT {name}, {kind}, {value} FROM dnsrenew_{table} WHERE {value} IS NOT NULL"  # noqa: S608  # constants
        )
    }


# ── the seal ────────────────────────────────────────────────────────────────────────────

PLANTED: dict[str, tuple[str, Callable[[DatabaseStore], object]]] = {
    "the key of an account": (
        "UPDATE dnsrenew_account SET key = %s",
        lambda store: store.accounts(DIRECTORY, "lab").load(),
    ),
    "the next key of an account": (
        "UPDATE dnsrenew_account SET next_key = %s",
        lambda store: store.accounts(DIRECTORY, "lab").load(),
    ),
    "the key of a certificate": (
        "UPDATE dnsrenew_version SET key = %s",
        lambda store: store.certificate("home", store.read_state("home")),
    ),
    "a pending order": (
        "UPDATE dnsrenew_document SET content = %s WHERE kind = 'order'",
        lambda store: store.orders.load(Context(), "home", version=ORDER.version),
    ),
    "a request to another issuer": (
        "UPDATE dnsrenew_document SET content = %s WHERE kind = 'csr'",
        lambda store: store.signing_requests.load(Context(), "home"),
    ),
    "the old files of a deployment": (
        "UPDATE dnsrenew_document SET content = %s WHERE kind = 'deploy:x'",
        lambda store: store.deployment("home", "x").kept(),
    ),
    "renames of this machine": (
        "UPDATE dnsrenew_document SET content = %s WHERE kind LIKE 'renames:%%'",
        lambda store: store.unfinished_renames(),
    ),
    "the key of fingerprints": (
        "UPDATE dnsrenew_setting SET value = %s",
        lambda store: store.fingerprint_key(),
    ),
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_is_unsealed_is_refused_whatever_the_table_of_seals_says(
    sealed: FleetFolder, intruder: Database, what: str
) -> None:
    """An unsealed value is refused where a seal is configured; a row for "unsealed" in the table of seals is nothing.

    What a worker does at its start seals none either.
    """
    plant, read = PLANTED[what]
    with open_store(sealed) as store:
        store.prove_writable()
        read(store)
    assert intruder.execute(plant, (b"\x00" + issue(3)[1],)) == 1
    intruder.execute("INSERT INTO dnsrenew_seal (id, proof) VALUES ('', '')")
    for _ in ("before a worker", "after it"):
        with open_store(sealed) as store:
            store.prove_writable()
            with pytest.raises(StoreError) as caught:
                read(store)
            before = values(store)
            assert schema.reseal(store.database, store.seals) == 0
            assert values(store) == before
        assert (caught.value.code, caught.value.evidence["sealed"]) == ("seal-wrong", False)
        assert "dnsrenew fleet init --seal-existing" in caught.value.fix


def test_init_says_what_is_unsealed_and_seals_nothing(sealed: FleetFolder, intruder: Database) -> None:
    """`fleet init` names an unsealed key that was found, and the option that takes it. It changes nothing.

    A command that meets the key ends with the same code.
    """
    intruder.execute("UPDATE dnsrenew_account SET key = %s", (b"\x00" + issue(3)[1],))
    intruder.execute("INSERT INTO dnsrenew_seal (id, proof) VALUES ('', '')")
    with open_store(sealed) as store:
        before = values(store), store.database.fetch("SELECT * FROM dnsrenew_seal ORDER BY id")
        error = sealed.refused("fleet init", status=1)
        assert (error["code"], error["evidence"]["places"]) == ("seal-wrong", [f"account:{DIRECTORY}:key"])
        assert "`dnsrenew fleet init --seal-existing`" in error["fix"]
        assert sealed.refused("fleet dump out", status=1)["code"] == "seal-wrong"
        assert (values(store), store.database.fetch("SELECT * FROM dnsrenew_seal ORDER BY id")) == before


def test_a_fleet_gets_its_first_seal_by_one_command(fleet: FleetFolder, address: DatabaseAddress) -> None:
    """Keys that lie unsealed from before there was a seal are taken by `fleet init --seal-existing` alone.

    Until then every command names it, and nothing is noted in the database.
    """
    fleet.write(address, seal="")
    fleet.run("fleet init")
    with open_store(fleet) as store:
        fill(store)
        before = values(store)
    assert {blob[:1] for blob in before.values()} == {b"\x00"}
    fleet.write(address)
    commands = ("fleet init", "fleet status", "fleet dump out", "renew")
    errors = [fleet.refused(command, status=1) for command in commands]
    assert [(error["code"], error["evidence"]["count"]) for error in errors] == [("seal-wrong", len(before))] * 4
    (line,) = {named_in(error["fix"], "fleet init --seal-existing") for error in errors}
    fleet.write(address, seal="")
    assert fleet.run("fleet init")["sealed"] == 0
    fleet.write(address)
    assert fleet.run(line)["sealed"] == len(before)
    assert fleet.run("fleet init --seal-existing")["sealed"] == fleet.run("fleet init")["sealed"] == 0
    with open_store(fleet) as store:
        after = values(store)
        assert {at: store.seals.open(blob, at) for at, blob in after.items()} == {
            at: blob[1:] for at, blob in before.items()
        }
    fleet.write(address, seal="")
    assert fleet.refused("fleet status", status=1)["code"] == "seal-wrong"


def test_a_database_of_the_version_before_is_taken_over(fleet: FleetFolder, address: DatabaseAddress) -> None:
    """Tables of 0.1.0 whose keys were partly sealed work on once `fleet init --seal-existing` has run."""
    with contextlib.closing(Database(address)) as database, database.transaction() as transaction:
        for statement in OLD_TABLES.read_text().split(";\n"):
            transaction.execute(statement)
    with open_store(fleet) as store:
        before = values(store)
    error = fleet.refused("fleet init", status=1)
    assert (error["code"], error["evidence"]["count"]) == ("seal-wrong", 5)
    assert set(UNSEALED) < {at for at, blob in before.items() if blob[:1] == b"\x00"}
    assert fleet.refused("fleet dump out", status=1)["code"] == "seal-wrong"
    assert fleet.run("fleet init --seal-existing") == {"version": 1, "schema": 1, "sealed": 5}
    with open_store(fleet) as store:
        store.prove_writable()
        assert {at: store.seals.open(blob, at) for at, blob in values(store).items() if at in UNSEALED} == {
            at: before[at][1:] for at in UNSEALED
        }
    moved = fleet.run("fleet dump dumped")
    assert (moved["certificates"], moved["accounts"], moved["damaged"]) == (1, 2, [])
    state = FolderStore(fleet.folder / "dumped").read_state("home")
    assert FolderStore(fleet.folder / "dumped").read_private_key("home", state) == before["version:home:1"][1:]


def test_a_worker_takes_no_account_that_another_role_has_planted(
    stage: FleetStage, address: DatabaseAddress, postgres: Postgres, role: str
) -> None:
    """A worker orders nothing with an account key that it finds unsealed, says why, and looks again later."""
    stage.workspace.env["SEAL"] = SEAL
    stage.write(fleet={"seal": "env:SEAL"})
    stage.add("first")
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.of("renewed"))
    with postgres.admin(address.name) as admin:
        admin.execute(f"GRANT INSERT, UPDATE, SELECT ON dnsrenew_account, dnsrenew_seal TO {role}".encode())
    planted = b"\x00" + issue(3)[1]
    with contextlib.closing(Database(DatabaseAddress(address.name, address.port, role))) as intruder:
        intruder.execute("UPDATE dnsrenew_account SET key = %s", (planted,))
        intruder.execute("INSERT INTO dnsrenew_seal (id, proof) VALUES ('', '') ON CONFLICT DO NOTHING")
    stage.add("second")
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.of("failed") and stage.dues()["second"] > 60)
    (error,) = (each.error for each in crew.heard.outcomes if each.name == "second")
    assert error is not None
    assert (error.code, error.evidence["sealed"], crew.error) == ("seal-wrong", False, None)
    assert stage.versions() == {"first": 1}
    assert stage.database.fetch("SELECT key FROM dnsrenew_account") == [(planted,)]


# ── plain documents ─────────────────────────────────────────────────────────────────────

PLAIN = '"file:seal.secret"\ndocuments = "plain"'


def test_a_line_that_names_a_program_is_refused(fleet: FleetFolder, address: DatabaseAddress) -> None:
    """With `documents = "plain"`, `fleet add`, `fleet sync` and `Fleet.add` add nothing that leaves the store.

    What says none of it is added; without the key all is taken, as before.
    """
    fleet.run("fleet init")
    lines = ({"domains": ["a.duckdns.org"]}, {"domains": ["b.duckdns.org"], "after": ["/bin/true"], "colour": 1})
    fleet.write(address, seal=PLAIN)
    error = fleet.refused(f"fleet add {fleet.lines(*lines)}")
    assert error["code"] == "document-refused"
    assert [(each["line"], each["key"]) for each in error["evidence"]["mistakes"]] == [(2, "after"), (2, "colour")]
    assert [each["key"] for each in error["evidence"]["mistakes"]] == ["after", "colour"]
    fleet.add_table("web")
    with fleet.path.open("a") as file:
        file.write('deploy = [{ run = ["/bin/true"] }]\n')
    error = fleet.refused("fleet sync")
    assert (error["code"], len(error["evidence"]["mistakes"])) == ("document-refused", 1)
    assert (error["evidence"]["mistakes"][0]["key"], fleet.names()) == ("certificate[0].deploy[0]", [])
    with Fleet(fleet.config()) as python:
        entry = Deployment("run", run=["/bin/true"])
        for more in ({"before": ["/bin/true"]}, {"deploy": [print]}, {"deploy": [entry]}):
            with pytest.raises(ConfigError) as caught:
                python.add("c.duckdns.org", **more)
            assert caught.value.code == "document-refused"
        python.add("c.duckdns.org", tags="x", key="rsa4096", routes=[Route("dns-01", dns="home")], notify=False)
    assert fleet.add(lines[0]) == {"added": 1, "changed": 0, "same": 0}
    fleet.write(address)
    assert fleet.add({key: value for key, value in lines[1].items() if key != "colour"})["added"] == 1


def test_a_row_that_names_a_program_is_refused_by_workers(
    stage: FleetStage, address: DatabaseAddress, postgres: Postgres, role: str, tmp_path: Path
) -> None:
    """A worker refuses a row that another role has written, runs nothing of it, and obtains the other certificates.

    `fleet status` names it, and forgets it once it is plain; `status` and `renew` say what is wrong with it.
    """
    workspace, proof = stage.workspace, tmp_path / "proof"
    run = {"run": ["/bin/touch", str(proof)]}
    stage.write(fleet={"documents": "plain"})
    stage.add("evil", "good")
    with postgres.admin(address.name) as admin:
        admin.execute(f"GRANT SELECT, UPDATE ON dnsrenew_certificate TO {role}".encode())
    with contextlib.closing(Database(DatabaseAddress(address.name, address.port, role))) as intruder:
        intruder.execute(
            "UPDATE dnsrenew_certificate SET wanted = wanted || %s::jsonb WHERE name = 'evil'",
            (json.dumps({"before": run["run"], "deploy": [run]}),),
        )
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.of("renewed") and crew.heard.of("failed"))
        codes = [each.error.code for each in crew.heard.outcomes if each.error is not None]
        assert (codes, crew.error, stage.versions()) == (["document-refused"], None, {"good": 1})
    wait_until(lambda: stage.dues()["evil"] > 60)
    _, status = workspace.run_json("fleet", "status")
    assert (status["refused"], status["lacking"]) == ([{"name": "evil", "keys": ["before", "deploy[0]"]}], [])
    for command in (("renew", "evil"), ("deploy", "evil")):
        code, said = workspace.run_json(*command)
        assert (code, said["error"]["code"]) == (2, "document-refused")
    _, listed = workspace.run_json("status")
    found = {each["name"]: each["last_failure"] for each in listed["certificates"]}
    assert (found["evil"]["code"], found["good"]) == ("document-refused", None)
    assert not proof.exists()
    stage.write(fleet={"documents": "any"})
    stage.database.execute("UPDATE dnsrenew_certificate SET due = now() WHERE name = 'evil'")
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.of("renewed"))
    assert (fleet_status(stage.database, {}).refused, proof.exists()) == ({}, True)


# ── rows that no dnsrenew wrote ─────────────────────────────────────────────────────────

DOMAINS = {"domains": ["a.duckdns.org"]}
STRANGE: list[Any] = [
    *(5, "x", [], [1], None, {}, {"domains": 5}, {"domains": [5]}),
    *({**DOMAINS, "routes": routes} for routes in (5, [5], {"a": 1}, [{"challenge": 5, "dns": 5}], [{"dns": [5, []]}])),
    *({**DOMAINS, key: {"a": [1]}} for key in ("ca", "key", "tags", "before", "renew_before", "propagation")),
]
UNREADABLE = ("[" * 2000 + "]" * 2000, "1e6000")
"""JSON that PostgreSQL takes, and Python does not read."""


def plant(database: Database) -> list[str]:
    """Write a row for each strange document, and notes that are none; return the names."""
    texts = [*map(json.dumps, STRANGE), *(f'{{"domains": ["a.duckdns.org"], "key": {text}}}' for text in UNREADABLE)]
    names = [f"n{number:02}" for number in range(len(texts))]
    for name, text in zip(names, texts, strict=True):
        database.execute("INSERT INTO dnsrenew_certificate (name, wanted) VALUES (%s, %s::jsonb)", (name, text))
    for kind, note in (("lacks", b"\xff"), ("refused", b'[5, "key"]')):
        database.execute("INSERT INTO dnsrenew_document (name, kind, content) VALUES ('n00', %s, %s)", (kind, note))
    return names


def test_strange_rows_stop_no_command(fleet: FleetFolder, address: DatabaseAddress) -> None:
    """Whatever stands in the rows of a fleet, commands list what they cannot read, and go on with the rest."""
    fleet.run("fleet init")
    with contextlib.closing(Database(address)) as database:
        names = plant(database)
    fleet.add({**DOMAINS, "name": "good"})
    found = fleet.run("fleet status")
    assert (found["counts"]["missing"], found["lacking"]) == (len(names) + 1, [{"name": "n00", "lacks": []}])
    assert found["refused"] == [{"name": "n00", "keys": ["key"]}]
    listed = {each["name"]: each["last_failure"] for each in fleet.run("status")["certificates"]}
    assert listed.keys() == {*names, "good"}
    assert {each and each["code"] for each in listed.values()} == {None, "config-invalid"}
    for name in names:
        assert fleet.refused(f"deploy {name}")["code"] == "config-invalid"
    assert fleet.run("fleet dump out")["damaged"] == []


def test_strange_rows_stop_no_worker(stage: FleetStage) -> None:
    """A worker notes what it cannot read, looks at it again hours later, and obtains the others."""
    names = plant(stage.database)
    stage.add("good")
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.of("renewed") and len(crew.heard.of("failed")) == len(names))
        wait_until(lambda: min(stage.dues().values()) > 60 and not stage.jobs())
    assert (crew.error, crew.heard.of("renewed")) == (None, ["good"])
    assert {each.error.code for each in crew.heard.outcomes if each.error} == {"config-invalid"}
    assert [*fleet_status(stage.database, {}).refused] == names


def test_a_row_is_the_certificate_of_its_name(fleet: FleetFolder, address: DatabaseAddress) -> None:
    """The name of the row holds, which is locked; another one in the document is not looked at."""
    fleet.run("fleet init")
    fleet.add({**DOMAINS, "name": "row"})
    with contextlib.closing(Database(address)) as database:
        database.execute("""UPDATE dnsrenew_certificate SET wanted = wanted || '{"name": "other"}'""")
    assert [each["name"] for each in fleet.run("status")["certificates"]] == ["row"]
    assert [each["name"] for each in fleet.run("deploy row")["outcomes"]] == ["row"]


def test_renames_of_a_row_move_our_own_new_files_alone(
    fleet: FleetFolder, address: DatabaseAddress, tmp_path: Path
) -> None:
    """Without a seal, a row with renames completes those of a killed deployment, and moves no other file."""
    fleet.write(address, seal="")
    fleet.run("fleet init")
    (tmp_path / ".cert.pem.0123.dnsrenew-new").write_text("new")
    (tmp_path / "shadow").write_text("secret")
    pairs = [(".cert.pem.0123.dnsrenew-new", "cert.pem"), ("shadow", "passwd")]
    with open_store(fleet) as store:
        for number, (old, new) in enumerate(pairs):
            store.deployment("home", f"{number}").note_renames([(str(tmp_path / old), str(tmp_path / new))])
        complete_renames_of_killed_runs(store, Context())
        assert store.unfinished_renames() == []
    assert (tmp_path / "cert.pem").read_text() == "new"
    assert ((tmp_path / "shadow").exists(), (tmp_path / "passwd").exists()) == (True, False)
