"""What the operator of a fleet is told: by `status`, `doctor`, `renew`, `fleet status`, `worker` and the others."""

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

import pytest

from dnsrenew.base.clock import SystemClock
from dnsrenew.cli import main
from dnsrenew.cli.service_log import write_outcomes, write_reload_error
from dnsrenew.cli.terminal import Terminal
from dnsrenew.errors import CAError, ConfigError, StoreError
from dnsrenew.fleet.fleet import Fleet
from dnsrenew.fleet.metrics import fleet_lines, read_fleet
from dnsrenew.fleet.status import fleet_status
from dnsrenew.model import Outcome
from dnsrenew.operations.revoke import Revocation
from dnsrenew.runtime.context import Context
from dnsrenew.store.database.connection import Database
from dnsrenew.store.database.database_store import DatabaseStore
from dnsrenew.store.database.schema import initialize
from dnsrenew.store.database.seal import Seals
from dnsrenew.validation.mistakes import Mistake, config_error
from tests.kit.fleet_folder import FleetFolder, open_store
from tests.kit.postgres import DatabaseAddress, address, postgres  # noqa: F401  # fixtures
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
    """Run a command for people; return what it wrote to standard output and to standard error, blanks as one."""
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
    """A server that accepts connections and never says a word."""

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
    """Whichever gives up first, libpq or the patience: the error is ours."""
    import psycopg

    from dnsrenew.store.database.deadlines import DeadlineConnection

    ended = threading.Event()

    def connect(*_: object, **__: object) -> object:
        ended.wait(5)
        raise psycopg.errors.ConnectionTimeout("connection timeout expired")

    monkeypatch.setattr(DeadlineConnection, "connect", connect)
    monkeypatch.setattr("dnsrenew.store.database.new_connection._HANDOVER", 5.0)
    timer = threading.Timer(0.1, ended.set)
    timer.start()
    with pytest.raises(StoreError) as caught:
        Database(DatabaseAddress("d", 1), patience=0.02).fetch("SELECT 1")
    assert caught.value.code == "store-unreachable"
    timer.join()


def test_a_real_server_that_says_nothing_is_unreachable() -> None:
    """Several that wait for a silent server until both limits end: each gets our error."""
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
    """It stands there with name, domains and state, and with the table that is missing; `--check` counts it."""
    lose_account(fleet)
    (found,) = fleet.run("status --check", status=1)["certificates"]
    assert (found["name"], found["domains"], found["state"]) == ("shop", ["shop.duckdns.org"], "missing")
    assert found["last_failure"]["code"] == "fleet-lacks"
    out, _ = shown(fleet, "status", capsys)
    assert "has no dns.other" in out
    assert "renew --now" not in out
    assert len(fleet.run("status shop")["certificates"]) == 1


def test_it_is_refused_by_name_with_file_and_table(fleet: FleetFolder) -> None:
    """`renew NAME` says which table the file lacks for which certificate."""
    lose_account(fleet)
    error = fleet.refused("renew shop")
    assert error["code"] == "fleet-lacks"
    assert error["message"] == f"shop needs the table dns.other, which {fleet.path} lacks."


def test_renew_warns_once_about_what_it_leaves_out(fleet: FleetFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """Without names it does the others, and one line says what is left out."""
    lose_account(fleet)
    _, err = shown(fleet, "renew", capsys)
    assert err.count("(shop)") == 1
    assert "status --failing" in err


# ── doctor ──────────────────────────────────────────────────────────────────────────────


def test_doctor_looks_at_what_fails(
    fleet: FleetFolder, database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing certificate waits for its next attempt and is not due; it is the first one that is examined."""
    seen = _examined(monkeypatch)
    fleet.add(*({"name": f"c{n}", "domains": [f"c{n}.duckdns.org"]} for n in range(25)))
    database.execute("UPDATE dnsrenew_certificate SET due = now() + interval '1 hour'")
    database.execute("""UPDATE dnsrenew_certificate SET state = '{"failures": 2}' WHERE name = 'c24'""")
    out, _ = shown(fleet, "doctor", capsys)
    assert seen[0] == "c24"
    assert len(seen) == 20
    assert "No certificates are configured" not in out
    assert "20 of 25" in out


def test_doctor_tells_what_the_file_lacks(
    fleet: FleetFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that this file cannot renew makes the exit status 1."""
    _examined(monkeypatch)
    lose_account(fleet)
    out, err = shown(fleet, "doctor", capsys, status=1)
    assert "shop" in err
    assert "No certificates" not in out


def _examined(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the examination only note the names."""
    seen: list[str] = []

    def examine(context: object, config: object, store: object, specs: Any, **_: object) -> list[object]:
        from dnsrenew.model import Diagnosis

        seen.extend(spec.name for spec in specs)
        return [Diagnosis(name=spec.name, renewable=True, route=None, next_action=None, checks=()) for spec in specs]

    monkeypatch.setattr("dnsrenew.doctor.examine.examine", examine)
    return seen


# ── packages ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", ["worker", "fleet init", "fleet status"])
def test_missing_packages_are_named_together(fleet: FleetFolder, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Whatever is missing is named with one command to install it."""
    found = fleet.config()
    monkeypatch.setattr("dnsrenew.cli.invocation.Invocation.config", lambda *_, **__: found)
    find, gone = importlib.util.find_spec, {"psycopg", "procrastinate"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name in gone else find(name, *more))
    for module in ("psycopg", "procrastinate"):
        monkeypatch.setitem(sys.modules, module, None)
    for module in ("worker", "session", "queue", "certificate_job"):
        monkeypatch.delitem(sys.modules, f"dnsrenew.fleet.{module}", raising=False)
    error = fleet.refused(command, status=1)
    assert error["code"] == "store-extra-missing"
    assert error["evidence"]["packages"] == ["psycopg[binary,pool]", "procrastinate"]


# ── fleet status ────────────────────────────────────────────────────────────────────────


def test_a_valid_certificate_that_was_just_written_is_not_due(tables: Database) -> None:
    """A run of `renew` writes its state, and a worker sets the next date; only after a minute something is wrong."""
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
    """It is due, and not listed among those that have waited the longest."""
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
    """The number of the last hour does not fall when certificates are removed."""
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


def test_a_tag_of_no_certificate_is_told(fleet: FleetFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """The fleet is not said to be empty."""
    fleet.add({"name": "shop", "domains": ["shop.duckdns.org"], "tags": ["us"]})
    out, _ = shown(fleet, "fleet status --tag nope", capsys)
    assert out.startswith("No certificate of the fleet has the tag nope.")


# ── certificates that are only stored ───────────────────────────────────────────────────


def test_what_was_loaded_is_not_nothing(
    fleet: FleetFolder,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """After `fleet load` the status says that no worker renews them; a program gets them; `fleet remove` says how."""
    with open_store(fleet) as store:
        keep(store, 1)
    out, _ = shown(fleet, "fleet status", capsys)
    assert out.startswith("1 stored that no worker renews: dnsrenew fleet sync")
    assert "has no certificates" not in out
    assert fleet.run("fleet status")["stored_only"] == 1
    assert "dnsrenew remove home" in fleet.refused("fleet remove home --yes")["fix"]
    opened = Fleet(fleet.config())
    assert [found.name for found in opened.certificates()] == ["home"]
    with pytest.raises(ConfigError) as caught:
        opened.remove("home")
    assert "dnsrenew remove home" in caught.value.fix
    opened.close()
    text = "\n".join(fleet_lines(read_fleet(fleet.config())))
    assert "dnsrenew_fleet_stored_only 1" in text


# ── a worker's log ──────────────────────────────────────────────────────────────────────


def test_a_mistake_after_sighup_has_no_wrong_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    """The mistake stands alone, and the next line says how to go on."""
    mistake = Mistake("f.toml", 3, "", "x", "y", column=4, source="a = ]")
    error = config_error([mistake], code="config-syntax")
    terminal = Terminal()
    assert "reload (SIGHUP)" in write_reload_error(terminal, error)
    err = capsys.readouterr().err
    assert "run the command again" not in err
    assert err.rstrip().endswith("reload (SIGHUP).")


# ── mistakes in what is added ───────────────────────────────────────────────────────────


def test_mistakes_of_sync_have_a_line(fleet: FleetFolder) -> None:
    """A table whose name was added by `fleet add`, with tags, is one mistake, at its line of the file."""
    fleet.add({"name": "shop", "domains": ["shop.duckdns.org"], "tags": ["us"]})
    fleet.add_table("home")
    fleet.add_table("shop", domain="other")
    (found,) = fleet.refused("fleet sync")["evidence"]["mistakes"]
    assert found["file"] == str(fleet.path)
    assert fleet.path.read_text().splitlines()[found["line"] - 1] == 'name = "shop"'
    assert found["key"] == "certificate[1].name"


def test_unknown_keys_name_those_that_are_possible(fleet: FleetFolder, address: DatabaseAddress) -> None:  # noqa: F811
    """A line can have tags; defaults can have neither a name nor domains."""
    error = fleet.refused(f"fleet add {fleet.lines({'domains': ['a.duckdns.org'], 'tagz': ['us']})}")
    assert error["evidence"]["mistakes"][0]["nearest"] == "tags"
    fleet.write(address, more='colour = "red"\n')
    (found,) = fleet.refused("fleet status")["evidence"]["mistakes"]
    assert "domains" not in found["expected"]
    assert "name," not in found["expected"]


def test_a_line_is_always_called_so(fleet: FleetFolder) -> None:
    """Whether it is no JSON or no object."""
    assert fleet.mistakes("{", "3") == [(1, "line"), (2, "line")]


# ── revoke, remove, renew, delegate ─────────────────────────────────────────────────────


def test_what_was_never_obtained_is_not_revoked(
    fleet: FleetFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question counts those that have a certificate, and the result says how many were revoked."""
    asked: list[str] = []
    monkeypatch.setattr("dnsrenew.cli.fleet_remove.confirm", lambda _, question, __: asked.append(question))
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
    """Not a count of nothing."""
    out, _ = shown(fleet, "renew", capsys)
    assert out.startswith("The fleet has no certificates.")


def test_delegate_takes_tables_only(fleet: FleetFolder) -> None:
    """A certificate of the fleet is not said to be unknown."""
    fleet.add({"name": "shop", "domains": ["shop.duckdns.org"]})
    assert "is in the fleet" in fleet.refused("delegate shop")["message"]


# ── the database ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("parameter", ["sslmode=bogus", "connect_timeout=soon"])
def test_a_bad_parameter_of_the_address_is_a_mistake(
    fleet: FleetFolder,
    address: DatabaseAddress,  # noqa: F811
    parameter: str,
) -> None:
    """Whoever reads the error looks at the configuration, not at the network."""
    fleet.path.write_text(fleet.path.read_text().replace(address.url, f"{address.url}?{parameter}"))
    error = fleet.refused("fleet status", status=1)
    assert error["code"] == "store-bad-path"
    assert parameter.partition("=")[2] in error["message"]


def test_a_table_that_is_gone_is_not_made_by_init(fleet: FleetFolder, database: Database) -> None:
    """The version says that the tables are there: only a backup has what was in it."""
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
    """Where one lives, there is none; `schedule show` does not say that nothing renews."""
    out, _ = shown(fleet, "status", capsys)
    assert out.startswith("The fleet has no certificates.")
    fleet.add({"name": "shop", "domains": ["shop.duckdns.org"]})
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
    """That is said once, after it was revoked; nothing tells to change the configuration."""
    done = Revocation(name="home", ca="lab", serial="1", reason="unspecified", already=False, signed_by="account")
    monkeypatch.setattr("dnsrenew.renewer.Renewer.revoke", lambda *_, **__: done)
    fleet.add({"name": "home", "domains": ["home.duckdns.org"]})
    with open_store(fleet) as store:
        keep(store, 1)
    out, err = shown(fleet, "revoke home --yes", capsys)
    assert "dnsrenew fleet remove home" in out
    assert "configuration" not in out
    assert (out + err).count("replaces it") == 1


def test_a_deferred_line_says_its_date_once(fleet: FleetFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """The head of the line has it."""
    until = datetime.now(UTC) + timedelta(hours=5)
    error = CAError("ca-rate-limited", "The CA asked to wait.", fix="Wait.")
    outcome = Outcome(
        name="shop", status="deferred", reason="missing", domains=("shop.test",), error=error, next_attempt=until
    )
    terminal, clock = Terminal(), SystemClock()
    write_outcomes(SimpleNamespace(terminal=terminal, clock=clock), [outcome])  # type: ignore[arg-type]
    assert capsys.readouterr().err.count(" UTC (") == 1
