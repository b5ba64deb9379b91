"""The status of a fleet: counts, workers, limits, from a real PostgreSQL; as JSON and for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from dnsrenew.base.model import CA
from dnsrenew.base.runtime import Context
from dnsrenew.extensions.fleet.commands.fleet_add import status_lines
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.schema import initialize
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.extensions.fleet.database.served_certificates import DueDates
from dnsrenew.extensions.fleet.status import CaLimits, FleetStatus, WorkerStatus, fleet_status
from tests.kit.clock import START
from tests.kit.fleet_stage import FleetStage, wait_until
from tests.kit.postgres import DatabaseAddress, Postgres, postgres  # noqa: F401  # fixtures
from tests.kit.postgres import fleet_address as address  # noqa: F401
from tests.lab.workspace import Workspace

DIRECTORY = "https://ca.test/directory"
CAS = {"lab": CA(DIRECTORY, name="lab")}


@pytest.fixture
def database(address: DatabaseAddress) -> Iterator[Database]:  # noqa: F811
    """A database with the tables."""
    made = Database(address)
    initialize(made, Seals([]))
    yield made
    made.close()


def add(database: Database, name: str, *, due: str = "1 hour", expires: str | None = None, **more: Any) -> None:
    """Want a certificate; with ``expires`` one is stored that expires at that time."""
    state, tags = more.get("state", {}), more.get("tags", [])
    database.execute(
        "INSERT INTO dnsrenew_certificate (name, wanted, due, expires, version, state, tags)"
        " VALUES (%s, '{}', now() + %s::interval, now() + %s::interval, %s, %s::jsonb, %s)",
        (name, due, expires, expires and 1, json.dumps(state), tags),
    )


def test_an_empty_fleet(database: Database) -> None:
    """Without certificates all counts are zero and all lists are empty."""
    assert fleet_status(database, CAS).to_dict() == {
        "version": 1,
        "counts": {"valid": 0, "missing": 0, "expired": 0, "revoked": 0},
        "due": 0,
        "failing": 0,
        "most_overdue": [],
        "workers": [],
        "last_hour": {},
        "limits": {},
        "lacking": [],
        "stored_only": 0,
        "refused": [],
        "owed": [],
    }


def test_the_counts(database: Database) -> None:
    """Each wanted certificate has one state. Certificates that are only stored are not counted as due."""
    add(database, "valid", expires="30 days")
    add(database, "missing", due="-1 hour", state={"failures": 2})
    add(database, "expired", due="-1 day", expires="-1 day", state={"failures": 0})
    add(database, "revoked", due="-2 hours", expires="30 days", state={"revoked": True})
    database.execute("INSERT INTO dnsrenew_certificate (name, due) VALUES ('stored', now() - interval '9 days')")
    found = fleet_status(database, CAS)
    assert found.counts == {"valid": 1, "missing": 1, "expired": 1, "revoked": 1}
    assert (found.due, found.failing) == (3, 1)
    assert [name for name, _ in found.most_overdue] == ["expired", "revoked", "missing"]
    assert found.to_dict()["most_overdue"][0]["since"].endswith("Z")


def test_the_most_overdue_are_ten(database: Database) -> None:
    """The ten certificates that have been due the longest are named."""
    for number in range(12):
        add(database, f"c{number}", due=f"-{number} hours")
    assert [name for name, _ in fleet_status(database, CAS).most_overdue] == [f"c{n}" for n in range(11, 1, -1)]


def test_only_those_with_a_tag(database: Database) -> None:
    """With a tag, only certificates that have it are counted and named."""
    add(database, "ours", due="-1 hour", tags=["us", "shop"])
    add(database, "theirs", due="-1 hour", tags=["them"])
    for name in ("ours", "theirs"):
        issue(database, name, "lab", "-1 minute")
        DueDates(database).note(name, "lacks", ["dns.x"])
    found = fleet_status(database, CAS, "us")
    assert (found.counts["missing"], found.due, found.last_hour) == (1, 1, {"lab": 1})
    assert [name for name, _ in found.most_overdue] == ["ours"]
    assert found.lacking == {"ours": ("dns.x",)}


def issue(database: Database, name: str, ca: str, when: str) -> None:
    """Store a version that a CA issued at that time."""
    database.execute(
        "INSERT INTO dnsrenew_version (name, number, chain, key, meta, ca, issued)"
        " SELECT %s, count(*) + 1, '', '', '{}', %s, now() + %s::interval FROM dnsrenew_version WHERE name = %s",
        (name, ca, when, name),
    )
    database.execute("INSERT INTO dnsrenew_issued VALUES (%s, now() + %s::interval)", (ca, when))


def test_the_last_hour(database: Database) -> None:
    """Certificates of the last hour are counted by CA."""
    for name, ca, when in (("a", "lab", "-1 minute"), ("b", "lab", "-59 minutes"), ("c", "other", "-1 minute"),
                           ("d", "lab", "-61 minutes")):  # fmt: skip
        issue(database, name, ca, when)
    assert fleet_status(database, CAS).last_hour == {"lab": 2, "other": 1}


def test_what_the_limits_leave(database: Database) -> None:
    """The status has the end of an account's Retry-After and the number of name sets that wait, for each CA."""
    context = Context(clock=database.clock)
    ledger = DatabaseStore(database, Seals([])).ledger(DIRECTORY, "lab", context)
    ledger.note_retry_after(600, ["one.test"])
    ledger.note_retry_after(600, ["two.test"])
    assert fleet_status(database, CAS).limits == {"lab": CaLimits(until=None, held=2)}
    ledger.note_retry_after(3600, None)
    found = fleet_status(database, {}).limits[DIRECTORY]
    assert found.until is not None
    assert timedelta(minutes=59) < found.until - database.clock.now() <= timedelta(hours=1, seconds=1)
    assert found.held == 2


def test_who_works_on_what(address: DatabaseAddress, database: Database) -> None:  # noqa: F811
    """A worker is listed while it is connected, with the certificates that it has locked. Other programs are not."""
    worker = DatabaseStore(Database(address), Seals([]), worker=True)
    program = DatabaseStore(Database(address), Seals([]))
    context = Context(clock=database.clock)
    with program.lock("theirs", context=context):
        with (
            worker.lock("b", context=context),
            worker.lock("a", context=context),
            worker.lock_zone("z", context=context),
        ):
            (found,) = fleet_status(database, CAS).workers
            assert found.doing == ("a", "b")
        assert fleet_status(database, CAS).workers == (WorkerStatus(host=found.host, pid=found.pid, doing=()),)
    worker.close()
    program.close()
    assert fleet_status(database, CAS).workers == ()


# ── for people ──────────────────────────────────────────────────────────────────────────


def status(**more: Any) -> FleetStatus:
    """A status of a large fleet."""
    fields: dict[str, Any] = {
        "counts": {"valid": 99_120, "missing": 800, "expired": 80, "revoked": 0},
        "due": 1204,
        "failing": 12,
        "most_overdue": (("shop-17.customer.example.com", START - timedelta(hours=5)),),
        "workers": (
            WorkerStatus(host="eu-1", pid=4711, doing=tuple(f"customer-{number}" for number in range(16))),
            WorkerStatus(host="eu-2", pid=12, doing=()),
        ),
        "last_hour": {"letsencrypt": 1203},
        "limits": {"letsencrypt": CaLimits(until=None, held=3), "zerossl": CaLimits(until=START, held=0)},
        "lacking": {"shop-99": ("dns.other",)},
    }
    return FleetStatus(**{**fields, **more})


def shown(found: FleetStatus, now: datetime = START) -> list[str]:
    """Return the lines for a terminal of sixty columns."""
    return status_lines(found, now, 60)


def test_it_fits_sixty_columns() -> None:
    """No line is longer than sixty columns, and the numbers, workers and limits are shown."""
    lines = shown(status())
    assert max(map(len, lines)) <= 60
    text = "\n".join(lines)
    for words in ("100,000 certificates", "99,120 valid", "1,204 due", "5 hours", "4711 on eu-1", "12 more", "1,203",
                  "3 name sets", "dns.other"):  # fmt: skip
        assert words in text
    assert "revoked" not in text


def test_what_is_not_there_is_not_shown() -> None:
    """Empty lists are not shown. Without workers, the lines name `dnsrenew worker`."""
    calm = status(due=0, failing=0, most_overdue=(), workers=(), last_hour={}, limits={}, lacking={})
    assert len(shown(calm)) == 3
    assert "dnsrenew worker" in "\n".join(shown(calm))


def test_an_empty_fleet_says_how_to_fill_it() -> None:
    """The first line for an empty fleet names `fleet add`."""
    empty = status(counts={"valid": 0, "missing": 0, "expired": 0, "revoked": 0})
    assert "fleet add" in shown(empty)[0]


def test_the_command(workspace: Workspace, address: DatabaseAddress) -> None:  # noqa: F811
    """``fleet status`` prints the document of the contract, and the same for people."""
    stage = FleetStage(workspace, address)
    stage.add("shop")
    code, document = workspace.run_json("fleet", "status")
    assert (code, document["version"], document["counts"]["missing"], document["due"]) == (0, 1, 1, 1)
    done = workspace.run("fleet", "status", "--tag", "nobody")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("No certificate of the fleet has the tag nobody.")
    stage.database.close()


@pytest.mark.parametrize("standby", [True, False])
def test_the_status_needs_only_to_read(workspace: Workspace, standby: bool) -> None:
    """`status` and `fleet status` work on a standby, and where a database can only be read; `renew` does not."""
    with Postgres.running() as server:
        address = server.new_database()
        stage = FleetStage(workspace, address)
        with stage.crew():
            stage.add("shop")
            wait_until(lambda: stage.versions() and not stage.jobs())
        stage.database.close()
        if standby:
            server.stop()
            server.make_standby()
            server.start()
        else:
            with server.admin() as admin:
                admin.execute(f"ALTER DATABASE {address.name} SET default_transaction_read_only = on".encode())
        status, document = workspace.run_json("status")
        assert (status, [one["state"] for one in document["certificates"]]) == (0, ["valid"])
        assert workspace.run("status").returncode == 0
        assert workspace.run("status", "--check").returncode == 0
        assert workspace.run_json("fleet", "status")[0] == 0
        status, document = workspace.run_json("renew", "shop", "--force")
        assert (status, document["error"]["code"]) == (1, "store-read-only")
