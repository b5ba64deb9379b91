"""The messages for the operator of a fleet: `status`, `doctor`, `renew`, `fleet status`, `worker` and others."""

from __future__ import annotations

import importlib.util
import json
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.model import Outcome
from dnsrenew.base.runtime import Context
from dnsrenew.base.validation import Mistake, config_error
from dnsrenew.cli import main
from dnsrenew.cli.service_log import write_outcomes, write_reload_error
from dnsrenew.cli.terminal import Terminal
from dnsrenew.errors import CAError, ConfigError, StoreError
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.schema import STEPS, initialize
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.extensions.fleet.fleet import Fleet
from dnsrenew.extensions.fleet.metrics import fleet_lines, read_fleet
from dnsrenew.extensions.fleet.status import fleet_status
from dnsrenew.operations.revoke import Revocation
from dnsrenew.renewer import Renewer
from tests.kit.archives import fill_store
from tests.kit.fleet_folder import FleetFolder, open_store
from tests.kit.postgres import DatabaseAddress, address, postgres  # noqa: F401  # fixtures
from tests.kit.program import named_in
from tests.kit.stores import keep


@pytest.fixture
def fleet(
    tmp_path: Path,
    address: DatabaseAddress,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> FleetFolder:
    """A configuration whose fleet has its tables."""
    monkeypatch.chdir(tmp_path)
    made = FleetFolder(tmp_path, address, capsys)
    made.run("fleet init")
    return made


@pytest.fixture
def database(address: DatabaseAddress) -> Iterator[Database]:  # noqa: F811
    """Connections of the test itself."""
    made = Database(address)
    yield made
    made.close()


@pytest.fixture
def tables(database: Database) -> Database:
    """The same, with the tables and without a seal."""
    initialize(database, Seals([]))
    return database


def shown(fleet: FleetFolder, command: str, capsys: pytest.CaptureFixture[str], *, status: int = 0) -> tuple[str, str]:
    """Run a command; return standard output and standard error for people, with each run of blanks as one blank."""
    assert main([*command.split(), "--config", str(fleet.path)]) == status
    out, err = capsys.readouterr()
    return " ".join(out.split()), " ".join(err.split())


def lose_account(fleet: FleetFolder) -> None:
    """Let a certificate need an account that the file lacks by now."""
    with fleet.path.open("a") as file:
        file.write('[dns.other]\nprovider = "duckdns"\ntoken = "file:password.secret"\n')
    route = {"challenge": "dns-01", "dns": "other"}
    fleet.add({"name": "shop", "domains": ["shop.duckdns.org"], "routes": [route]})
    fleet.path.write_text(fleet.path.read_text().partition("[dns.other]")[0])


# ── a database that does not answer ─────────────────────────────────────────────────────


class _Mute:
    """A server that accepts connections and never sends anything."""

    def __enter__(self) -> DatabaseAddress:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=200)
        self._held: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return DatabaseAddress("d", self._socket.getsockname()[1])

    def _accept(self) -> None:
        try:
            while True:
                self._held.append(self._socket.accept()[0])
        except OSError:
            return

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        for each in self._held:
            each.close()


def test_a_server_that_says_nothing_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """If libpq's own time-out ends the login first, the error is `store-unreachable` too."""
    import psycopg

    from dnsrenew.extensions.fleet.database.deadlines import DeadlineConnection

    ended = threading.Event()

    def connect(*_: object, **__: object) -> object:
        ended.wait(5)
        raise psycopg.errors.ConnectionTimeout("connection timeout expired")

    monkeypatch.setattr(DeadlineConnection, "connect", connect)
    monkeypatch.setattr("dnsrenew.extensions.fleet.database.connection._HANDOVER", 5.0)
    timer = threading.Timer(0.1, ended.set)
    timer.start()
    with pytest.raises(StoreError) as caught:
        Database(DatabaseAddress("d", 1), patience=0.02).fetch("SELECT 1")
    assert caught.value.code == "store-unreachable"
    timer.join()


def test_a_real_server_that_says_nothing_is_unreachable() -> None:
    """Sixteen threads that wait for a silent server all get `store-unreachable`."""
    with _Mute() as where:
        database = Database(where, patience=2.0)
        found: list[BaseException] = []

        def read() -> None:
            try:
                database.fetch("SELECT 1")
            except BaseException as error:  # noqa: BLE001  # compared below
                found.append(error)

        threads = [threading.Thread(target=read) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [getattr(error, "code", error) for error in found] == ["store-unreachable"] * 16


# ── a certificate whose account the file lacks ──────────────────────────────────────────


def test_status_lists_what_the_file_cannot_renew(fleet: FleetFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """`status` lists a certificate that the file cannot renew, with the missing table; `--check` exits with 1."""
    lose_account(fleet)
    (found,) = fleet.run("status --check", status=1)["certificates"]
    assert (found["name"], found["domains"], found["state"]) == ("shop", ["shop.duckdns.org"], "missing")
    assert found["last_failure"]["code"] == "fleet-lacks"
    out, _ = shown(fleet, "status", capsys)
    assert "has no dns.other" in out
    assert "renew --now" not in out
    assert len(fleet.run("status shop")["certificates"]) == 1


def test_it_is_refused_by_name_with_file_and_table(fleet: FleetFolder) -> None:
    """`renew NAME` reports which table the file lacks for which certificate."""
    lose_account(fleet)
    error = fleet.refused("renew shop")
    assert error["code"] == "fleet-lacks"
    assert error["message"] == f"shop needs the table dns.other, which is missing from {fleet.path}."


def test_the_status_of_the_fleet_names_what_the_file_lacks(fleet: FleetFolder) -> None:
    """`fleet status` lists what its own file lacks, without a worker and due or not; `Fleet.status` does too."""
    lose_account(fleet)
    fleet.add({"name": "other", "domains": ["other.duckdns.org"], "routes": [{"challenge": "dns-01"}]})
    with open_store(fleet) as store:
        store.database.execute("UPDATE dnsrenew_certificate SET due = now() + interval '1 year'")
    assert fleet.run("fleet status")["lacking"] == [{"name": "shop", "lacks": ["dns.other"]}]
    assert fleet.run("fleet status --tag nix")["lacking"] == []
    with Fleet(fleet.config()) as opened:
        assert opened.status().lacking == {"shop": ("dns.other",)}
    text = fleet.path.read_text()
    fleet.path.write_text(text.partition("[dns.home]")[0] + "[fleet]" + text.partition("[fleet]")[2])
    assert fleet.run("fleet status")["lacking"] == [
        {"name": "other", "lacks": ["dns"]},
        {"name": "shop", "lacks": ["dns.other"]},
    ]


def test_what_the_file_lacks_is_mended_as_each_message_says(
    fleet: FleetFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """The certificate can be changed, as `status` and `renew` say: then nothing is missing."""
    route = {"challenge": "dns-01", "dns": "home"}
    for said in (lambda: shown(fleet, "status", capsys)[0], lambda: fleet.refused("renew shop")["fix"]):
        lose_account(fleet)
        line = fleet.lines({"name": "shop", "domains": ["shop.duckdns.org"], "routes": [route]})
        assert fleet.run(named_in(said(), "fleet add FILE").replace("FILE", line))["changed"] == 1
        assert fleet.run("fleet status")["lacking"] == []


def test_a_name_that_nothing_has(fleet: FleetFolder) -> None:
    """For a name or a pattern that no certificate has, the command that lists them is named."""
    fleet.add({"name": "shop", "domains": ["shop.duckdns.org"]})
    for command in ("fleet remove nothing --yes", "fleet remove q* --yes", "renew nothing"):
        advice = fleet.refused(command)["fix"]
        assert [each["name"] for each in fleet.run(named_in(advice, "status"))["certificates"]] == ["shop"]


def test_what_a_worker_would_obtain_again_is_not_removed(fleet: FleetFolder) -> None:
    """`remove` names the command that takes a certificate out of the fleet."""
    fleet.add({"name": "home", "domains": ["home.duckdns.org"]})
    with open_store(fleet) as store:
        keep(store, 1)
    advice = fleet.refused("remove home --yes")["fix"]
    assert fleet.run(f"{named_in(advice, 'fleet remove {name}')} --yes")["removed"] == ["home"]


def test_renew_warns_once_about_what_it_leaves_out(fleet: FleetFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """`renew` without names prints one line about the certificates that it cannot renew."""
    lose_account(fleet)
    _, err = shown(fleet, "renew", capsys)
    assert err.count("(shop)") == 1
    (found,) = fleet.run(named_in(err, "status --failing"))["certificates"]
    assert (found["name"], found["last_failure"]["code"]) == ("shop", "fleet-lacks")


# ── doctor ──────────────────────────────────────────────────────────────────────────────


def test_doctor_looks_at_what_fails(
    fleet: FleetFolder, database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`doctor` examines a failing certificate first, even if it is not due, and reports that it examined 20 of 25."""
    seen = _examined(monkeypatch)
    fleet.add(*({"name": f"c{n}", "domains": [f"c{n}.duckdns.org"]} for n in range(25)))
    database.execute("UPDATE dnsrenew_certificate SET due = now() + interval '1 hour'")
    database.execute("""UPDATE dnsrenew_certificate SET state = '{"failures": 2}' WHERE name = 'c24'""")
    main(["doctor", "--config", str(fleet.path)])  # what it finds about this machine depends on the machine
    out = " ".join(capsys.readouterr().out.split())
    assert seen[0] == "c24"
    assert len(seen) == 20
    assert "No certificates are configured" not in out
    assert "20 of 25" in out


def test_doctor_tells_what_the_file_lacks(
    fleet: FleetFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`doctor` names a certificate that this file cannot renew, and exits with 1."""
    _examined(monkeypatch)
    lose_account(fleet)
    out, err = shown(fleet, "doctor", capsys, status=1)
    assert "shop" in err
    assert "No certificates" not in out


def _examined(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the examination by one that only records the names."""
    seen: list[str] = []

    def examine(context: object, config: object, store: object, specs: Any, **_: object) -> list[object]:
        from dnsrenew.base.model import Diagnosis

        seen.extend(spec.name for spec in specs)
        return [Diagnosis(name=spec.name, renewable=True, route=None, next_action=None, checks=()) for spec in specs]

    for place in ("command", "after_failure"):
        monkeypatch.setattr(f"dnsrenew.extensions.doctor.{place}.examine", examine)
    return seen


# ── packages ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", ["worker", "fleet init", "fleet status"])
def test_missing_packages_are_named_together(fleet: FleetFolder, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """One error names all missing packages."""
    found = fleet.config()
    monkeypatch.setattr("dnsrenew.cli.invocation.Invocation.config", lambda *_, **__: found)
    find, gone = importlib.util.find_spec, {"psycopg", "procrastinate"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name in gone else find(name, *more))
    for module in ("psycopg", "procrastinate"):
        monkeypatch.setitem(sys.modules, module, None)
    for module in ("worker", "queue", "certificate_job", "database.deadlines"):
        monkeypatch.delitem(sys.modules, f"dnsrenew.extensions.fleet.{module}", raising=False)
        monkeypatch.delattr(f"dnsrenew.extensions.fleet.{module}", raising=False)
    error = fleet.refused(command, status=1)
    assert error["code"] == "store-extra-missing"
    assert error["evidence"]["packages"] == ["psycopg[binary,pool]", "procrastinate"]
    assert "dnsrenew[fleet]" in error["fix"]


# ── fleet status ────────────────────────────────────────────────────────────────────────


def test_a_valid_certificate_that_was_just_written_is_not_due(tables: Database) -> None:
    """A valid certificate counts as overdue only after a minute, because its worker may not have set the next date."""
    _stored(tables, "fresh", due="0 s")
    _stored(tables, "late", due="-2 minutes")
    _stored(tables, "failing", due="-1 s", state={"failures": 1})
    _stored(tables, "revoked", due="-1 s", state={"revoked": True})
    found = fleet_status(tables, {})
    assert found.due == 3
    assert [name for name, _ in found.most_overdue] == ["late", "failing", "revoked"]


def _stored(database: Database, name: str, *, due: str, state: dict[str, Any] | None = None) -> None:
    database.execute(
        "INSERT INTO dnsrenew_certificate (name, wanted, due, version, expires, state)"
        " VALUES (%s, '{}', now() + %s::interval, 1, now() + interval '30 days', %s::jsonb)",
        (name, due, json.dumps(state or {})),
    )


def test_what_a_worker_works_on_does_not_wait(tables: Database, address: DatabaseAddress) -> None:  # noqa: F811
    """A certificate that a worker has locked is due, but is not among the most overdue."""
    for name in ("held", "waiting"):
        _stored(tables, name, due="-1 hour")
    worker = DatabaseStore(Database(address), Seals([]), worker=True)
    with worker.lock("held", context=Context(clock=tables.clock)):
        found = fleet_status(tables, {})
    worker.close()
    worker.database.close()
    assert found.due == 2
    assert [name for name, _ in found.most_overdue] == ["waiting"]


def test_a_removed_certificate_was_issued_all_the_same(tables: Database, address: DatabaseAddress) -> None:  # noqa: F811
    """Removed certificates still count among those issued in the last hour."""
    store = DatabaseStore(Database(address), Seals([]))
    for serial in (1, 2):
        keep(store, serial)
    before = fleet_status(tables, {}).last_hour
    assert sum(before.values()) == 2
    with store.lock("home", context=Context()):
        store.remove("home")
    assert fleet_status(tables, {}).last_hour == before
    store.close()
    store.database.close()


def test_a_tag_of_no_certificate_is_reported(fleet: FleetFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """`fleet status --tag` reports that no certificate has the tag, not that the fleet is empty."""
    fleet.add({"name": "shop", "domains": ["shop.duckdns.org"], "tags": ["us"]})
    out, _ = shown(fleet, "fleet status --tag nope", capsys)
    assert out.startswith("No certificate of the fleet has the tag nope.")
    advice = fleet.refused("fleet remove --tag nope --yes")["fix"]
    assert fleet.run(named_in(advice, "fleet status"))["counts"]["missing"] == 1


# ── certificates that are only stored ───────────────────────────────────────────────────


def test_what_was_loaded_is_not_nothing(
    fleet: FleetFolder,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Certificates that are only stored are reported and available to programs; `fleet remove` names `remove`."""
    with open_store(fleet) as store:
        keep(store, 1)
    out, _ = shown(fleet, "fleet status", capsys)
    assert out.startswith("1 are stored, but no worker renews them: run `dnsrenew fleet sync")
    assert "has no certificates" not in out
    assert fleet.run("fleet status")["stored_only"] == 1
    advice = fleet.refused("fleet remove home --yes")["fix"]
    opened = Fleet(fleet.config())
    assert [found.name for found in opened.certificates()] == ["home"]
    with pytest.raises(ConfigError) as caught:
        opened.remove("home")
    assert "dnsrenew remove home" in caught.value.fix
    opened.close()
    text = "\n".join(fleet_lines(read_fleet(fleet.config())))
    assert "dnsrenew_fleet_stored_only 1" in text
    assert fleet.run(f"{named_in(advice, 'remove {name}')} --yes")["removed"]["name"] == "home"
    fleet.add_table("home")
    assert fleet.run(named_in(out, "fleet sync"))["added"] == 1


def test_after_a_load_the_next_steps_are_named(fleet: FleetFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """`fleet load` names the commands that remove the values of interrupted runs, and that let workers renew."""
    fill_store(fleet.folder / "old", asked_by=str(fleet.path))
    out, err = shown(fleet, "fleet load old", capsys)
    with mock.patch("dnsrenew.drivers.invoke.call_remove"):  # there is no DNS host here
        assert len(fleet.run(named_in(err, "cleanup"))["removed"]) == 1
    fleet.add_table("home")
    assert fleet.run(named_in(out, "fleet sync"))["added"] == 1
    line = fleet.lines({"name": "second", "domains": ["second.duckdns.org"]})
    assert fleet.run(named_in(out, "fleet add FILE").replace("FILE", line))["added"] == 1


def test_what_was_loaded_and_nothing_names_is_unconfigured(fleet: FleetFolder) -> None:
    """`status` knows it by name, whatever asked for it; without names as that of a folder does."""
    other = fleet.folder / "other.toml"
    other.touch()
    fill_store(fleet.folder / "old", asked_by=str(other))
    fleet.run("fleet load old")

    def listed(command: str, *, status: int = 0) -> list[tuple[str, str]]:
        return [(each["name"], each["state"]) for each in fleet.run(command, status=status)["certificates"]]

    assert listed("status") == [], "another configuration asks for it"
    assert listed("status home") == listed("status h*") == [("home", "unconfigured")]
    assert listed("status home --check", status=1) == [("home", "unconfigured")]
    found = Renewer(fleet.config()).status(iter(["home"]))
    assert [(each.name, each.state) for each in found] == [("home", "unconfigured")]
    assert fleet.refused("status nix")["code"] == "certificate-unknown"
    other.unlink()
    assert ("home", "unconfigured") in listed("status")
    fleet.add_table("home")
    assert ("home", "unconfigured") not in listed("status home")


# ── a worker's log ──────────────────────────────────────────────────────────────────────


def test_a_mistake_after_sighup_has_no_wrong_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake that is found after SIGHUP ends with the reload as the next step, not with another run."""
    mistake = Mistake("f.toml", 3, "", "x", "y", column=4, source="a = ]")
    error = config_error([mistake], code="config-syntax")
    terminal = Terminal()
    assert "reload (SIGHUP)" in write_reload_error(terminal, error)
    err = capsys.readouterr().err
    assert "run the command again" not in err
    assert err.rstrip().endswith("reload (SIGHUP).")


# ── mistakes in what is added ───────────────────────────────────────────────────────────


def test_mistakes_of_sync_have_a_line(fleet: FleetFolder) -> None:
    """A table whose name was added by `fleet add` is reported with its file and line."""
    fleet.add({"name": "shop", "domains": ["shop.duckdns.org"], "tags": ["us"]})
    fleet.add_table("home")
    fleet.add_table("shop", domain="other")
    (found,) = fleet.refused("fleet sync")["evidence"]["mistakes"]
    assert found["file"] == str(fleet.path)
    assert fleet.path.read_text().splitlines()[found["line"] - 1] == 'name = "shop"'
    assert found["key"] == "certificate[1].name"


def test_unknown_keys_name_those_that_are_possible(fleet: FleetFolder, address: DatabaseAddress) -> None:  # noqa: F811
    """For an unknown key the error names possible ones: `tags` for a line; no name and no domains for defaults."""
    error = fleet.refused(f"fleet add {fleet.lines({'domains': ['a.duckdns.org'], 'tagz': ['us']})}")
    assert error["evidence"]["mistakes"][0]["nearest"] == "tags"
    fleet.write(address, more='colour = "red"\n')
    (found,) = fleet.refused("fleet status")["evidence"]["mistakes"]
    assert "domains" not in found["expected"]
    assert "name," not in found["expected"]


def test_a_line_is_always_called_so(fleet: FleetFolder) -> None:
    """The mistake has the key `line` for invalid JSON and for JSON that is not an object."""
    assert fleet.mistakes("{", "3") == [(1, "line"), (2, "line")]


# ── revoke, remove, renew, delegate ─────────────────────────────────────────────────────


def test_what_was_never_obtained_is_not_revoked(
    fleet: FleetFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question and the result count only certificates that were obtained as revoked."""
    asked: list[str] = []
    monkeypatch.setattr(
        "dnsrenew.extensions.fleet.commands.fleet_add.confirm", lambda _, question, __: asked.append(question)
    )
    monkeypatch.setattr("dnsrenew.renewer.Renewer.revoke", _revoke)
    for name in ("home", "shop", "club"):
        fleet.add({"name": name, "domains": [f"{name}.duckdns.org"]})
    with open_store(fleet) as store:
        keep(store, 1)
    out, _ = shown(fleet, "fleet remove club --revoke", capsys)
    assert "revoke" not in asked[0].lower()
    assert "revoked" not in out
    out, _ = shown(fleet, "fleet remove home shop --revoke", capsys)
    assert asked[1].startswith("Revoke 1 certificate, then remove 2 certificates (home, shop)")
    assert "1 certificate revoked, 2 certificates removed" in out


def _revoke(_: object, name: str, **__: object) -> None:
    if name != "home":
        raise StoreError("certificate-missing", "none", fix="")


def test_renew_of_an_empty_fleet_says_how_to_fill_it(fleet: FleetFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """`renew` reports that the fleet has no certificates."""
    out, _ = shown(fleet, "renew", capsys)
    assert out.startswith("The fleet has no certificates.")


def test_delegate_takes_tables_only(fleet: FleetFolder) -> None:
    """`delegate` reports that a certificate is in the fleet, not that it is unknown."""
    shop = {"name": "shop", "domains": ["shop.duckdns.org"]}
    fleet.add(shop)
    error = fleet.refused("delegate shop")
    assert "is in the fleet" in error["message"]
    route = {"challenge": "dns-01", "dns": "home", "alias": "shop.acme.duckdns.org"}
    line = fleet.lines({**shop, "routes": [route]})
    assert fleet.run(named_in(error["fix"], "fleet add FILE").replace("FILE", line))["changed"] == 1


# ── the database ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("parameter", ["sslmode=bogus", "connect_timeout=soon"])
def test_a_bad_parameter_of_the_address_is_a_mistake(
    fleet: FleetFolder,
    address: DatabaseAddress,  # noqa: F811
    parameter: str,
) -> None:
    """A bad parameter in the database URL is an error of the configuration, not of the network."""
    fleet.path.write_text(fleet.path.read_text().replace(address.url, f"{address.url}?{parameter}"))
    error = fleet.refused("fleet status", status=1)
    assert error["code"] == "store-bad-path"
    assert parameter.partition("=")[2] in error["message"]


def test_tables_of_an_older_version(fleet: FleetFolder, database: Database) -> None:
    """The command that brings them to this version is named."""
    later = [*STEPS, "UPDATE dnsrenew_schema SET version = version"]
    with mock.patch.multiple("dnsrenew.extensions.fleet.database.schema", STEPS=later, VERSION=len(later)):
        error = fleet.refused("fleet status", status=1)
        assert error["code"] == "store-schema"
        assert fleet.run(named_in(error["fix"], "fleet init"))["schema"] == len(later)
        assert fleet.run("fleet status")["counts"]["missing"] == 0
    assert fleet.refused("fleet status", status=1)["code"] == "store-newer"


def test_a_table_that_is_gone_is_not_made_by_init(fleet: FleetFolder, database: Database) -> None:
    """If a table is missing from the current schema, the error names it and the fix is a backup."""
    database.execute("DROP TABLE dnsrenew_certificate")
    for command in ("fleet status", "status"):
        error = fleet.refused(command, status=1)
        assert "dnsrenew_certificate" in error["message"]
        assert "backup" in error["fix"]


# ── next steps in a fleet ───────────────────────────────────────────────────────────────


def test_the_next_step_is_a_worker(
    fleet: FleetFolder,
    database: Database,
    address: DatabaseAddress,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    """If no worker runs, `status` says to start one. `schedule show` says that workers renew the certificates."""
    out, _ = shown(fleet, "status", capsys)
    assert out.startswith("The fleet has no certificates.")
    line = fleet.lines({"name": "shop", "domains": ["shop.duckdns.org"]})
    assert fleet.run(named_in(out, "fleet add FILE").replace("FILE", line))["added"] == 1
    out, _ = shown(fleet, "status", capsys)
    assert "no worker runs. Start one: dnsrenew worker" in out
    assert "dnsrenew renew" not in out
    worker = DatabaseStore(Database(address), Seals([b"s" * 32]), worker=True)
    with worker.lock("other", context=Context(clock=database.clock)):
        out, _ = shown(fleet, "status", capsys)
    assert "Start one" not in out
    worker.close()
    out, _ = shown(fleet, "schedule show", capsys)
    assert "workers renew the certificates" in out


def test_a_revoked_certificate_of_a_fleet_is_replaced_by_a_worker(
    fleet: FleetFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a revocation in a fleet the output says once that the certificate is replaced, and names `fleet remove`."""
    done = Revocation(name="home", ca="lab", serial="1", reason="unspecified", already=False, signed_by="account")
    monkeypatch.setattr("dnsrenew.renewer.Renewer.revoke", lambda *_, **__: done)
    fleet.add({"name": "home", "domains": ["home.duckdns.org"]})
    with open_store(fleet) as store:
        keep(store, 1)
    out, err = shown(fleet, "revoke home --yes", capsys)
    assert "configuration" not in out
    assert (out + err).count("replaces it") == 1
    assert fleet.run(f"{named_in(out, 'fleet remove {name}')} --yes")["removed"] == ["home"]


def test_a_deferred_line_says_its_date_once(fleet: FleetFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """The line of a deferred certificate has the date of the next attempt once."""
    until = datetime.now(UTC) + timedelta(hours=5)
    error = CAError("ca-rate-limited", "The CA asked to wait.", fix="Wait.")
    outcome = Outcome(
        name="shop", status="deferred", reason="missing", domains=("shop.test",), error=error, next_attempt=until
    )
    terminal, clock = Terminal(), SystemClock()
    write_outcomes(SimpleNamespace(terminal=terminal, clock=clock), [outcome])  # type: ignore[arg-type]
    assert capsys.readouterr().err.count(" UTC (") == 1
