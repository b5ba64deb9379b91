"""`dnsrenew fleet init`, `add`, `sync`, `remove`, `load` and `dump`, with a real PostgreSQL."""

from __future__ import annotations

import base64
import io
import json
import socket
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import pytest

from dnsrenew import CAError, Config, Fleet, Renewer, StoreError
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.extensions.fleet import fleet as removing
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.wanted import WantedCertificates
from dnsrenew.store import FolderStore, State
from tests.kit.archives import fill_store, header, make_tar, refused
from tests.kit.clock import FakeClock
from tests.kit.fleet_folder import OTHER_SEAL, FleetFolder, open_store
from tests.kit.postgres import PASSWORD, DatabaseAddress, Postgres, address, postgres  # noqa: F401
from tests.kit.program import named_in
from tests.kit.stores import DIRECTORY, ORDER, SPEC, issue


@pytest.fixture
def empty(
    address: DatabaseAddress,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> FleetFolder:
    """A folder whose database has no tables."""
    monkeypatch.chdir(tmp_path)
    return FleetFolder(tmp_path, address, capsys)


@pytest.fixture
def fleet(empty: FleetFolder) -> FleetFolder:
    """A folder whose database is ready."""
    empty.run("fleet init")
    return empty


# ── init ────────────────────────────────────────────────────────────────────────────────

COMMANDS = (
    "renew",
    "status",
    "deploy",
    "revoke x --yes",
    "csr x",
    "remove x --yes",
    "account show",
    "cleanup",
    "fleet status",
    "fleet remove x --yes",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_names_init_before_there_are_tables(empty: FleetFolder, command: str) -> None:
    """No command takes a database without tables for a damaged one."""
    error = empty.refused(command, status=1)
    assert (error["code"], error["fix"]) == ("store-schema", "Run `dnsrenew fleet init`.")
    empty.run(named_in(error["fix"], "fleet init"))
    assert empty.run("fleet status")["counts"]["missing"] == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_database_of_a_later_version_or_another_seal_is_one_error(
    fleet: FleetFolder,
    address: DatabaseAddress,  # noqa: F811
    postgres: Postgres,  # noqa: F811
    command: str,
) -> None:
    """A newer schema or a wrong seal is one error of the command, not one for each certificate."""
    fleet.add({"domains": ["a.duckdns.org"], "name": "x"}, {"domains": ["b.duckdns.org"], "name": "y"})
    (fleet.folder / "other.secret").write_text(OTHER_SEAL)
    (fleet.folder / "other.secret").chmod(0o600)
    fleet.write(address, seal='"file:other.secret"')
    assert fleet.refused(command, status=1)["code"] == "seal-wrong"
    with postgres.admin(address.name) as admin:
        admin.execute("UPDATE dnsrenew_schema SET version = version + 1")
    assert fleet.refused(command, status=1)["code"] == "store-newer"


def test_init_makes_the_tables_once(empty: FleetFolder, address: DatabaseAddress, postgres: Postgres) -> None:  # noqa: F811
    """Before `fleet init`, every command names it. A second one changes nothing; a later version is refused."""
    for command in ("fleet sync", "fleet status", "status", "fleet remove x --yes", "fleet dump out"):
        error = empty.refused(command, status=1)
        assert (error["code"], "fleet init" in error["fix"]) == ("store-schema", True)
    assert empty.run("fleet init") == empty.run("fleet init") == {"version": 1, "schema": 1, "sealed": 0}
    assert empty.add({"domains": ["a.duckdns.org"]})["added"] == 1
    assert empty.run("fleet init")["schema"] == 1
    assert empty.names() == ["a.duckdns.org"]
    with postgres.admin(address.name) as admin:
        admin.execute("UPDATE dnsrenew_schema SET version = version + 1")
    assert empty.refused("fleet init", status=1)["code"] == "store-newer"
    assert empty.refused("fleet add lines.jsonl", status=1)["code"] == "store-newer"


def test_init_without_rights(empty: FleetFolder, postgres: Postgres, address: DatabaseAddress) -> None:  # noqa: F811
    """`fleet init` is refused for a role that may not create tables, and for a wrong password."""
    postgres.new_role("reader")
    empty.write(replace_user(address, "reader"))
    assert empty.refused("fleet init", status=1)["code"] == "store-refused"
    (empty.folder / "password.secret").write_text("another")
    assert empty.refused("fleet init", status=1)["code"] == "store-refused"


def test_a_reader_without_one_right(empty: FleetFolder, postgres: Postgres, address: DatabaseAddress) -> None:  # noqa: F811
    """A role that may not read one table is told to take that right, and no other; with it, the command works."""
    empty.run("fleet init")
    postgres.new_role("lacking")
    empty.write(replace_user(address, "lacking"))
    with postgres.admin(address.name) as admin:
        admin.execute(
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO lacking; REVOKE SELECT ON dnsrenew_limit FROM lacking"
        )
        error = empty.refused("fleet status", status=1)
        assert (error["code"], error["evidence"]["table"]) == ("store-refused", "dnsrenew_limit")
        admin.execute(error["fix"].partition(": ")[2].encode())
    assert empty.run("fleet status")["due"] == 0


def replace_user(where: DatabaseAddress, user: str) -> DatabaseAddress:
    """The same database for another role."""
    return DatabaseAddress(where.name, where.port, user)


def test_init_where_nothing_answers(empty: FleetFolder, address: DatabaseAddress) -> None:  # noqa: F811
    """If nothing listens at the address of the database, the error is `store-unreachable`."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    empty.write(address.at(port))
    assert empty.refused("fleet init", status=1)["code"] == "store-unreachable"


def test_a_folder_is_no_fleet(empty: FleetFolder) -> None:
    """A configuration whose store is a folder is refused by every fleet command."""
    empty.path.write_text('store = "state"\n')
    for command in ("init", "sync", "status", "remove x --yes", "load x", "dump x", "add x"):
        assert empty.refused(f"fleet {command}")["code"] in {"no-fleet", "fleet-file-unreadable"}


def test_a_seal_of_another_length(empty: FleetFolder) -> None:
    """A seal of the wrong length is a mistake of the configuration. The error does not show the seal."""
    (empty.folder / "seal.secret").write_text(base64.b64encode(b"canary" * 5).decode())
    error = empty.refused("fleet init")
    assert [each["key"] for each in error["evidence"]["mistakes"]] == ["fleet.seal"]
    assert "Y2FuYXJ5" not in json.dumps(error)


def test_another_seal_is_refused_and_a_new_one_seals_anew(fleet: FleetFolder, address: DatabaseAddress) -> None:  # noqa: F811
    """Nothing is added under a wrong seal. If the new seal is first in the list, `fleet init` seals the keys again."""
    fill_store(fleet.folder / "old")
    fleet.run("fleet load old")
    (fleet.folder / "new-seal.secret").write_text(OTHER_SEAL)
    (fleet.folder / "new-seal.secret").chmod(0o600)
    for seal in ('"file:new-seal.secret"', ""):
        fleet.write(address, seal=seal)
        file = fleet.lines({"domains": ["a.duckdns.org"]})
        assert fleet.refused(f"fleet add {file}", status=1)["code"] == "seal-wrong"
    fleet.write(address, seal='["file:new-seal.secret", "file:seal.secret"]')
    assert fleet.run("fleet init")["sealed"] >= 4
    fleet.write(address, seal='"file:new-seal.secret"')
    assert fleet.run("fleet init")["sealed"] == 0
    with open_store(fleet) as store:
        assert store.read_private_key("home", store.read_state("home")) is not None


# ── add ─────────────────────────────────────────────────────────────────────────────────


def test_lines_are_added_and_changed(fleet: FleetFolder) -> None:
    """A line for an existing certificate changes it or leaves it the same. Missing options come from the defaults."""
    one, two = {"domains": ["a.duckdns.org"], "tags": ["x"]}, {"name": "b", "domains": ["b.duckdns.org"]}
    assert fleet.add(one, "", two) == {"added": 2, "changed": 0, "same": 0}
    assert fleet.add(one, {**two, "key": "ecdsa-p384"}) == {"added": 0, "changed": 1, "same": 1}
    specs = {spec.name: spec for spec in Renewer(fleet.config())._chosen(None)}
    assert {name: spec.key for name, spec in specs.items()} == {"a.duckdns.org": "rsa2048", "b": "ecdsa-p384"}


def test_lines_come_from_standard_input(fleet: FleetFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input may have a byte order mark, empty lines and Windows line endings. Its mistakes have a line."""
    data = b'\xef\xbb\xbf{"domains": ["a.duckdns.org"]}\r\n\r\n{"domains": ["b.duckdns.org"]}\r\n'
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    assert fleet.run("fleet add -")["added"] == 2
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"nonsense")))
    error = fleet.refused("fleet add -")
    assert [(each["file"], each["line"]) for each in error["evidence"]["mistakes"]] == [("-", 1)]


@pytest.mark.parametrize("file", ["nix.jsonl", "."])
def test_a_file_that_cannot_be_read(fleet: FleetFolder, file: str) -> None:
    """A file that is missing or is a folder is wrong usage."""
    assert fleet.refused(f"fleet add {file}")["code"] == "fleet-file-unreadable"


def test_one_mistake_among_many_lines_adds_nothing(fleet: FleetFolder) -> None:
    """One wrong line among 3,000 is named, and no line is added."""
    lines = [{"domains": [f"n{number}.duckdns.org"]} for number in range(3000)]
    lines[2345] = {"domain": ["x.duckdns.org"]}
    assert fleet.mistakes(*lines) == [(2346, "domain")]
    assert fleet.names() == []


def test_every_wrong_line_is_named(fleet: FleetFolder) -> None:
    """Each line is named that is invalid JSON, not an object, a duplicate, invalid in the fleet, or has a secret."""
    fleet.add_table("tab")
    assert fleet.mistakes(
        {"domains": ["a.duckdns.org"]},
        "{",
        [1],
        {"domains": ["a.duckdns.org"]},
        {"domains": ["b.duckdns.org"], "routes": [{"challenge": "dns-01", "dns": "other"}]},
        {"domains": ["c.duckdns.org"], "deploy": [{"to": "webhook", "url": "https://a.test/x", "secret": "canary"}]},
        {"name": "tab", "domains": ["d.duckdns.org"]},
        '{"domains": ["e.duckdns.org"], "preferred_chain": "\\ud800"}',
        '{"domains": ["f.duckdns.org"], "preferred_chain": "a\\u0000b"}',
        '{"domains": ["g.duckdns.org"], "reuse_key": 1e999}',
        '{"domains": ["h.duckdns.org"], "tags": ["x"], "tags": ["y"]}',
        '{"domains": ["i.duckdns.org"], "routes": [{"challenge": "dns-01", "dns": "home", "dns": "home"}]}',
    ) == [
        (2, "line"),
        (3, "line"),
        (4, "name"),
        (5, "routes[0].dns"),
        (6, "deploy[0].secret"),
        (7, "name"),
        (8, "line"),
        (9, "line"),
        (10, "line"),
        (11, "line"),
        (12, "line"),
    ]
    assert "canary" not in fleet.said
    assert fleet.names() == []


def test_a_hundred_mistakes_are_enough(fleet: FleetFolder) -> None:
    """Reading stops after a hundred mistakes."""
    assert len(fleet.mistakes(*["nonsense"] * 1000)) == 100


def test_what_has_other_tags_is_not_taken(fleet: FleetFolder) -> None:
    """A certificate with other tags is not changed by its name or its domains. One common tag allows the change."""
    fleet.add(
        {"name": "shop", "domains": ["a.duckdns.org", "b.duckdns.org"], "tags": ["alice", "web"]},
        {"name": "own", "domains": ["own.duckdns.org"]},
    )
    for tags in ([], ["bob"]):
        theirs = {"name": "shop", "domains": ["a.duckdns.org"], "tags": tags}
        domain = {"name": "x", "domains": ["c.duckdns.org", "b.duckdns.org"], "tags": tags}
        assert fleet.mistakes(theirs) == [(1, "name")]
        assert fleet.mistakes({"domains": ["z.duckdns.org"]}, domain) == [(2, "domains")]
    assert fleet.mistakes({"name": "x", "domains": ["own.duckdns.org"], "tags": ["bob"]}) == [(1, "domains")]
    both = [{"name": name, "domains": ["q.duckdns.org"], "tags": [name]} for name in ("p1", "p2")]
    assert fleet.mistakes(*both) == [(2, "domains")]
    assert fleet.names() == ["own", "shop"]
    assert fleet.add(
        {"name": "shop", "domains": ["a.duckdns.org"], "tags": ["alice"]},
        {"name": "mail", "domains": ["a.duckdns.org"], "tags": ["alice", "mail"]},
        {"name": "own", "domains": ["own.duckdns.org"]},
        {"name": "own-2", "domains": ["own.duckdns.org"]},
    ) == {"added": 2, "changed": 1, "same": 1}


def test_what_has_no_tags_gets_some(fleet: FleetFolder) -> None:
    """A certificate without tags gets them from a line or from `Fleet.add`. After that, other tags are refused."""
    assert fleet.add({"name": "shop", "domains": ["a.duckdns.org"]})["added"] == 1
    assert fleet.add({"name": "shop", "domains": ["a.duckdns.org"], "tags": ["bob"]})["changed"] == 1
    assert fleet.run("fleet status --tag bob")["counts"]["missing"] == 1
    assert fleet.mistakes({"name": "shop", "domains": ["a.duckdns.org"], "tags": ["eve"]}) == [(1, "name")]
    with Fleet(Config.load(fleet.path)) as program:
        program.add("b.duckdns.org")
        assert program.add("b.duckdns.org", tags=["bob"]) == "b.duckdns.org"
        assert program.status(tag="bob").counts["missing"] == 2


@pytest.mark.slow
def test_many_are_added_in_little_memory(fleet: FleetFolder) -> None:
    """Twenty thousand lines are added with less than 15 MB of memory and fewer than 60 statements."""
    lines = (b'{"domains": ["n%d.duckdns.org", "*.n%d.duckdns.org"]}' % (number, number) for number in range(20_000))
    from dnsrenew.extensions.fleet.fleet import adder  # late, as the command imports it

    with open_store(fleet) as store:
        work = adder(fleet.config(), store, Context())
        before = store.database.queries
        tracemalloc.start()
        assert work.add_lines(lines, "x").added == 20_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 15e6
        assert store.database.queries - before < 60
        rows = store.database.fetch("SELECT count(*) FROM dnsrenew_certificate GROUP BY floor(slot * 100)")
        assert len(rows) == 100
        assert max(count for (count,) in rows) <= 210, "each hour has its share"


# ── sync ────────────────────────────────────────────────────────────────────────────────


def test_tables_are_written_into_the_fleet(fleet: FleetFolder) -> None:
    """`fleet sync` writes tables without the defaults of the fleet. `status` shows each certificate once."""
    fleet.add_table("tab")
    fleet.add_table("two")
    assert fleet.run("fleet sync") == {"version": 1, "added": 2, "changed": 0, "same": 0}
    assert fleet.run("fleet sync")["same"] == 2
    shown = fleet.run("status")["certificates"]
    assert [(each["name"], each["state"], each["path"]) for each in shown] == [
        ("tab", "missing", None),
        ("two", "missing", None),
    ]
    config = fleet.config()
    assert Renewer(config)._fleet is not None
    with open_store(fleet) as store:
        documents = {each.name: each.document for each in WantedCertificates(store.database).all()}
    assert config.fleet is not None
    assert [config.fleet.documents.spec(each) for each in documents.values()] == list(config.certificates)


def test_a_name_is_in_a_table_or_was_added(fleet: FleetFolder) -> None:
    """A name that is in a table and was also added is a mistake for `fleet sync`, `renew`, `status` and `deploy`."""
    fleet.add({"name": "tab", "domains": ["a.duckdns.org"]})
    fleet.add_table("tab")
    (mistake,) = fleet.refused("fleet sync")["evidence"]["mistakes"]
    assert (mistake["key"], mistake["found"]) == ("certificate[0].name", '"tab"')
    errors = [fleet.refused(command) for command in ("renew", "status", "deploy")]
    assert {error["code"] for error in errors} == {"fleet-name-taken"}
    fleet.run(f"{named_in(errors[0]['fix'], 'fleet remove {name}')} --yes")
    assert fleet.run("fleet sync")["added"] == 1
    other = FleetFolder(fleet.folder, DatabaseAddress("x", 1), fleet._capsys)
    assert other.path == fleet.path


def test_a_table_with_a_secret_is_not_synced(fleet: FleetFolder) -> None:
    """A table with a literal secret is refused, because the database stores no such secrets."""
    fleet.add_table("tab")
    with fleet.path.open("a") as file:
        file.write('deploy = [{ to = "webhook", url = "https://a.test/x", secret = "literal:canary" }]\n')
    (mistake,) = fleet.refused("fleet sync")["evidence"]["mistakes"]
    assert mistake["key"] == "certificate[0].deploy[0].secret"
    assert "canary" not in fleet.said
    assert fleet.names() == []


# ── remove ──────────────────────────────────────────────────────────────────────────────


def keep(store: DatabaseStore | FolderStore, name: str, serial: int = 1) -> State:
    """Store a certificate; one with a higher number was issued later."""
    context = Context()
    pem, key, facts = issue(serial)
    with store.lock(name, context=context):
        return store.keep(replace(SPEC, name=name), "lab", pem, key, facts, state=store.read_state(name))


def test_certificates_are_taken_out(fleet: FleetFolder) -> None:
    """Certificates are removed by name, by pattern and by tag, with their versions. Servers get a notification."""
    for name, tag in (("a", "x"), ("b", "x"), ("c", "y"), ("d1", "y"), ("d2", "y")):
        fleet.add({"name": name, "domains": [f"{name}.duckdns.org"], "tags": [tag]})
    with open_store(fleet) as store:
        for name in ("a", "b", "c"):
            keep(store, name)
        with store.database.notifications("dnsrenew_changed") as notifications:
            notifications.wait(0)  # it listens
            assert fleet.run("fleet remove c d* --yes")["removed"] == ["c", "d1", "d2"]
            assert sorted(notifications.wait(5)) == ["c", "d1", "d2"]
        assert fleet.run("fleet remove --tag x --yes") == {
            "version": 1,
            "removed": ["a", "b"],
            "failed": [],
            "revoked": [],
        }
        left = "SELECT name FROM dnsrenew_certificate UNION ALL SELECT name FROM dnsrenew_version"
        assert store.database.fetch(left) == []


def test_nobody_was_asked(fleet: FleetFolder) -> None:
    """Without a terminal and without `--yes`, nothing is removed. An unknown name, pattern or tag is an error."""
    fleet.add({"name": "a", "domains": ["a.duckdns.org"], "tags": ["x"]})
    for command in ("a", "--tag x", "", "a --tag x --yes"):
        assert fleet.refused(f"fleet remove {command}")["code"] == "usage"
    assert "Neither certificate names nor --tag" in fleet.refused("fleet remove --yes")["message"]
    assert "cannot be combined" in fleet.refused("fleet remove a --tag x --yes")["message"]
    for command in ("nix", "a nix", "n*", "--tag nix"):
        assert fleet.refused(f"fleet remove {command} --yes")["code"] == "certificate-unknown"
    assert fleet.refused("remove a --yes")["code"] == "certificate-configured"
    assert fleet.names() == ["a"]


def test_a_run_under_way_does_not_bring_it_back(fleet: FleetFolder) -> None:
    """A run that holds the lock of a removed certificate cannot write its state any more."""
    fleet.add({"name": "a", "domains": ["a.duckdns.org"]})
    with open_store(fleet) as store, store.lock("a", context=Context()):
        store.write_state("a", State(failures=1))
        fleet.run("fleet remove a --yes")
        with pytest.raises(StoreError):
            store.write_state("a", State(failures=2))
        assert store.names() == []


def test_what_cannot_be_revoked_stays(fleet: FleetFolder) -> None:
    """A certificate whose revocation fails stays. One that was never obtained is removed without a revocation."""
    for name in ("a", "b", "c"):
        fleet.add({"name": name, "domains": [f"{name}.duckdns.org"]})

    def revoke(name: str) -> None:
        if name == "a":
            raise StoreError("certificate-missing", "none", fix="")
        if name == "b":
            raise CAError("ca-unreachable", "no", fix="")

    with open_store(fleet) as store:
        wanted = WantedCertificates(store.database)
        found = removing.remove(wanted, ["a", "b", "c"], revoke)
    assert (found.removed, [name for name, _ in found.failed]) == (("a", "c"), ["b"])
    assert fleet.names() == ["b"]
    assert fleet.run("fleet remove b --revoke --yes")["removed"] == ["b"], "never obtained"


# ── load and dump ───────────────────────────────────────────────────────────────────────


def test_a_folder_goes_into_the_database_and_back(fleet: FleetFolder) -> None:
    """`fleet load` and `fleet dump` keep accounts, versions, states, orders, certificate requests and notifications."""
    old = fill_store(fleet.folder / "old", asked_by="/etc/dnsrenew/dnsrenew.toml")
    archive = fleet.folder / "backup.tar.gz"
    archive.write_bytes(make_tar({"archive.json": header(), "config/dnsrenew.toml": b'store = "postgresql://x"'}))
    advice = refused(archive, fleet.folder / "new" / "dnsrenew.toml").fix
    loaded = fleet.run(named_in(advice, "fleet load FOLDER").replace("FOLDER", "old"))
    assert {**loaded, "journal": 0} == {
        "version": 1, "certificates": 2, "accounts": 1, "kept": [], "kept_accounts": [], "damaged": [], "journal": 0,
    }  # fmt: skip
    assert loaded["journal"] is True
    assert "cleanup" in fleet.said
    with open_store(fleet) as database, database.journal.left_over(Context()) as entries:
        (entry,) = entries
        with old.journal.left_over(Context()) as before:
            assert (entry.values, entry.page.hosts) == (before[0].values, before[0].page.hosts)
    advice = fleet.refused("export backup")["fix"]
    assert fleet.run(named_in(advice, "fleet dump FOLDER").replace("FOLDER", "new"))["certificates"] == 2
    new, context = FolderStore(fleet.folder / "new"), Context(clock=FakeClock())
    with open_store(fleet) as database:
        for store in (database, new):
            assert store.accounts(DIRECTORY, "ca-test").load() == old.accounts(DIRECTORY, "lab").load()
            for name in ("home", "second"):
                was, now = old.read_state(name), store.read_state(name)
                assert replace(now, version=was.version) == was
                assert store.read_chain(name, now) == old.read_chain(name, was)
                assert store.read_private_key(name, now) == old.read_private_key(name, was)
                assert store.notified.read(name) == old.notified.read(name)
            order = store.orders.load(context, "second", version=store.read_state("second").version)
            assert order == replace(ORDER, version=store.read_state("second").version)
            assert store.signing_requests.load(context, "second") == old.signing_requests.load(context, "second")
            renewer = Renewer(Config.from_dict({"store": fleet.folder / "new"}))
            assert renewer._store.names() == ["home", "second"]


def test_the_newer_version_wins(fleet: FleetFolder) -> None:
    """`fleet load` keeps the newer version, whether it is in the database or in the folder."""
    folder = FolderStore(fleet.folder / "old")
    keep(folder, "a", 1)
    keep(folder, "b", 4)
    with open_store(fleet) as store:
        keep(store, "a", 2)
        keep(store, "b", 3)
        found = fleet.run("fleet load old")
        assert (found["certificates"], found["kept"]) == (1, ["a"])
        assert [store.read_state(name).serial for name in ("a", "b")] == ["2", "4"]
    assert fleet.run("fleet load old")["kept"] == ["a", "b"]


def test_another_account_stays(fleet: FleetFolder) -> None:
    """If the database already has another account key for the CA, `fleet load` keeps it."""
    fill_store(fleet.folder / "old")
    fleet.run("fleet load old")
    other = fill_store(fleet.folder / "other")
    account = other.accounts(DIRECTORY, "lab")
    known = account.load()
    assert known is not None
    account.save(replace(known, key_pem=issue(7)[1], next_key_pem=None))
    found = fleet.run("fleet load other")
    assert (found["accounts"], found["kept_accounts"]) == (0, [DIRECTORY])


def test_a_damaged_certificate_is_left_out(fleet: FleetFolder) -> None:
    """`fleet load` skips a damaged certificate, names it, and exits with 1."""
    keep(FolderStore(fleet.folder / "old"), "a")
    (fleet.folder / "old/certificates/a/versions/1/privkey.pem").unlink()
    assert fleet.run("fleet load old", status=1)["damaged"] == ["a"]


def test_folders_that_are_refused(fleet: FleetFolder) -> None:
    """`fleet load` refuses a path without a store; `fleet dump` refuses a file and a folder that is not empty."""
    (fleet.folder / "empty").mkdir()
    (fleet.folder / "full").mkdir()
    (fleet.folder / "full/x").touch()
    for name in ("nix", "empty", "seal.secret"):
        assert fleet.refused(f"fleet load {name}")["code"] == "fleet-no-store"
    for name in ("full", "seal.secret"):
        assert fleet.refused(f"fleet dump {name}")["code"] == "fleet-folder-not-empty"
    assert fleet.run("fleet dump empty")["certificates"] == 0


def test_an_archive_needs_a_folder(fleet: FleetFolder) -> None:
    """`export` of a fleet is refused, and the fix names `fleet dump`."""
    error = fleet.refused("export x.tgz")
    assert (error["code"], "fleet dump" in error["fix"]) == ("export-database", True)
