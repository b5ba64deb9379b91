"""Workers of a fleet, with a real database, a real CA and real name servers: the story, faults, signals."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.events import Event
from dnsrenew.base.model import CertificateSpec
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.certificate_job import spread
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.extensions.fleet.database.served_certificates import DueDates
from dnsrenew.extensions.fleet.fleet import Fleet
from dnsrenew.extensions.fleet.status import fleet_status
from dnsrenew.extensions.fleet.worker import FleetWorker
from dnsrenew.store import State
from tests.kit.fleet_stage import PATIENCE, Crew, FleetStage, Heard, wait_until
from tests.kit.postgres import DatabaseAddress, Postgres, Proxy, postgres  # noqa: F401  # fixtures
from tests.kit.postgres import fleet_address as address  # noqa: F401
from tests.kit.program import named_in
from tests.kit.served_fleet import UNKNOWN, LoopServer, ask
from tests.lab import AcmeProxy, Response
from tests.lab.workspace import Workspace

HOUR = 3600.0
DAY = 24 * HOUR


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the workers of the test look often for what others left."""
    monkeypatch.setattr("dnsrenew.extensions.fleet.worker.CLEAN_UP_EVERY", 0.1)
    monkeypatch.setattr("dnsrenew.extensions.fleet.queue._POLL", 0.1)
    monkeypatch.setattr("dnsrenew.extensions.fleet.queue.DEADLINE", 2.0)


@pytest.fixture
def stage(workspace: Workspace, address: DatabaseAddress) -> Iterator[FleetStage]:  # noqa: F811
    """A fleet without certificates."""
    made = FleetStage(workspace, address)
    yield made
    made.database.close()


@pytest.fixture
def counted(stage: FleetStage, ca: AcmeProxy) -> AcmeProxy:
    """The CA of the fleet, behind a proxy that counts."""
    stage.write(ca__lab__directory=ca.directory_url)
    return ca


def ordered(ca: AcmeProxy) -> Counter[str]:
    """The number of orders for each domain; Pebble answers a few with 500, which are sent again."""
    names: Counter[str] = Counter()
    for exchange in ca.of_kind("newOrder"):
        if exchange.response is not None and exchange.response.status < 400:
            names.update(each["value"] for each in (exchange.request.payload or {})["identifiers"])
    return names


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str, str]:
    """End a worker; return its exit status, its output and its log."""
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


# ── the story ───────────────────────────────────────────────────────────────────────────


def test_what_is_wanted_is_obtained(stage: FleetStage) -> None:
    """A worker obtains the certificate, stores it, and sets the next look to the time of the next ARI poll."""
    stage.add("shop")
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.of("renewed"))
        status = fleet_status(stage.database, {})
        assert (status.counts["valid"], status.due, len(status.workers)) == (1, 0, 1)
    assert crew.error is None
    assert stage.versions() == {"shop": 1}
    assert 5 * HOUR < stage.dues()["shop"] < 8 * HOUR  # Pebble names six hours for the next poll
    assert (stage.jobs(), stage.journal()) == ({}, 0)
    store = DatabaseStore(stage.database, Seals([]))
    found = store.certificate("shop", store.read_state("shop"))
    assert found is not None
    assert found.domains == ("shop.example.test",)
    assert fleet_status(stage.database, {}).workers == ()


def test_a_renewal_takes_few_statements(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker sends at most 37 statements for each certificate, besides those of the queue."""
    monkeypatch.setattr("dnsrenew.extensions.fleet.worker.CLEAN_UP_EVERY", 60.0)  # this is about the jobs alone
    stage.add("first")
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.of("renewed"))
        session = crew.worker._session
        assert session is not None
        database = session._store.database
        stage.add(*(f"c{number}" for number in range(10)))
        before = database.queries
        DueDates(stage.database).scan_soon()
        wait_until(lambda: len(stage.versions()) == 11 and not stage.jobs())
        taken = (database.queries - before) / 10
    assert taken <= 37


def test_two_workers_make_no_order_twice(stage: FleetStage, counted: AcmeProxy) -> None:
    """Workers that run at the same time share the work: each certificate is ordered once."""
    names = [f"c{number}" for number in range(12)]
    stage.add(*names)
    with stage.crew(2, concurrency=3) as crews:
        wait_until(lambda: len(stage.versions()) == 12)
    assert all(crew.error is None for crew in crews)
    assert ordered(counted) == Counter(f"{name}.example.test" for name in names)
    assert sorted(name for crew in crews for name in crew.heard.of("renewed")) == sorted(names)
    assert all(crew.heard.of("renewed") for crew in crews)


def test_what_is_not_due_is_looked_at_and_left_alone(stage: FleetStage, counted: AcmeProxy) -> None:
    """A certificate that is looked at too early is not ordered again; its next look is set."""
    stage.add("shop")
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.of("renewed"))
    stage.database.execute("UPDATE dnsrenew_certificate SET due = now()")
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.of("not-due"))
    assert ordered(counted) == {"shop.example.test": 1}
    assert stage.dues()["shop"] > HOUR


def test_a_failure_waits_for_its_next_attempt(stage: FleetStage, counted: AcmeProxy) -> None:
    """A failed certificate is due again at its next attempt, and the status counts it as failing."""
    counted.on_request = lambda request: (
        Response.problem(403, "unauthorized", "no") if request.kind == "newOrder" else None
    )
    stage.add("shop")
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.of("failed"))
    (outcome,) = crew.heard.outcomes
    assert outcome.next_attempt is not None
    left = (outcome.next_attempt - datetime.now(UTC)).total_seconds()  # 48 to 72 seconds; the shortest pause is 60
    assert left - 3 < stage.dues()["shop"] < max(left, 60) + 3
    assert fleet_status(stage.database, {}).failing == 1


def test_a_limit_of_the_account_holds_for_all_workers(stage: FleetStage, counted: AcmeProxy) -> None:
    """After a 429 with Retry-After at finalize, no worker sends an order to the CA until then."""
    limited = Response.problem(429, "rateLimited", "too many", ("Retry-After", "3600"))
    counted.on_request = lambda request: limited if request.kind == "finalize" else None
    stage.add("one")
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.outcomes)
    assert fleet_status(stage.database, crew.worker.config.cas).limits["lab"].until is not None
    stage.add("two")
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.outcomes)
    assert ordered(counted) == {"one.example.test": 1}
    assert stage.dues()["two"] > 0.5 * HOUR


def test_a_change_during_a_job_is_looked_at(stage: FleetStage, counted: AcmeProxy) -> None:
    """A certificate that is changed while a worker renews it stays due, and is ordered again."""
    changed = threading.Event()

    def change(request: Any) -> None:
        if request.kind == "newOrder" and not changed.is_set():
            changed.set()
            wanted = {"name": "shop", "domains": ["shop.example.test", "more.example.test"]}
            stage.database.execute("UPDATE dnsrenew_certificate SET wanted = %s, due = now()", (json.dumps(wanted),))

    counted.on_request = change
    stage.add("shop")
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.of("renewed"))
        DueDates(stage.database).scan_soon()
        wait_until(lambda: len(crew.heard.of("renewed")) == 2)
    assert ordered(counted) == {"shop.example.test": 2, "more.example.test": 1}


def test_a_certificate_that_is_removed_is_left_alone(stage: FleetStage, counted: AcmeProxy) -> None:
    """A certificate that was removed after it was queued is not ordered."""
    stage.add("gone", "shop")
    stage.database.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, priority)"
        " VALUES ('dnsrenew', 'dnsrenew.renew', '{\"name\": \"gone\"}', 5)"
    )
    stage.database.execute("DELETE FROM dnsrenew_certificate WHERE name = 'gone'")
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.of("renewed") == ["shop"])
    assert ordered(counted) == {"shop.example.test": 1}


def test_what_a_document_of_another_version_says_stops_no_other(stage: FleetStage) -> None:
    """A document that cannot be read is reported as a failure and tried again later; others are renewed."""
    stage.add("strange", tomorrow=True)
    stage.add("shop")
    with stage.crew() as (crew,):
        wait_until(lambda: stage.versions() and stage.dues()["strange"] > 0)
    assert "certificate-finished" in crew.kinds("strange")
    assert crew.heard.of("failed") == ["strange"]
    assert 0 < stage.dues()["strange"] < HOUR


def test_a_bug_in_one_job_stops_no_other(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception is reported as the failure of its certificate, which is tried again later."""

    def broken(spec: CertificateSpec, slot: float, state: State) -> CertificateSpec:
        if spec.name == "strange":
            raise ZeroDivisionError
        return spread(spec, slot, state)

    monkeypatch.setattr("dnsrenew.extensions.fleet.certificate_job.spread", broken)
    stage.add("strange", "shop")
    with stage.crew() as (crew,):
        wait_until(lambda: stage.versions() and crew.heard.of("failed"))
    (failed,) = (outcome for outcome in crew.heard.outcomes if outcome.status == "failed")
    assert failed.error is not None
    assert (failed.name, failed.error.code) == ("strange", "internal-error")
    assert 0 < stage.dues()["strange"] < HOUR


# ── accounts that a worker lacks ────────────────────────────────────────────────────────


def test_another_worker_takes_what_one_has_no_account_for(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without the account of a certificate leaves it to a worker that has the account."""
    monkeypatch.setattr("dnsrenew.extensions.fleet.certificate_job._RETURN_AFTER", (0.1, 0.2))
    stage.add("shop", routes=[{"challenge": "dns-01", "dns": "second"}])
    with stage.crew() as (without,):
        stage.write(dns__second=stage.workspace.config()["dns"]["home"])
        with stage.crew() as (has,):
            wait_until(stage.versions)
    assert (without.heard.outcomes, has.heard.of("renewed")) == ([], ["shop"])
    assert fleet_status(stage.database, {}).lacking == {}


def test_what_no_worker_has_an_account_for_is_named(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status names an account that no worker has, until a worker has it."""
    monkeypatch.setattr("dnsrenew.extensions.fleet.certificate_job._RETURN_AFTER", (0.0, 0.0))
    stage.add("shop", routes=[{"challenge": "dns-01", "dns": "second"}])
    with stage.crew() as (crew,):
        wait_until(lambda: stage.dues()["shop"] > 0)
    assert crew.heard.outcomes == []
    assert fleet_status(stage.database, {}).lacking == {"shop": ("dns.second",)}
    stage.write(dns__second=stage.workspace.config()["dns"]["home"])
    stage.database.execute("UPDATE dnsrenew_certificate SET due = now()")
    with stage.crew():
        wait_until(stage.versions)
    assert fleet_status(stage.database, {}).lacking == {}


def test_what_workers_lack_is_named_though_it_is_not_due(stage: FleetStage) -> None:
    """The status names it as soon as a worker runs, unless another worker has it."""
    stage.add("shop", routes=[{"challenge": "dns-01", "dns": ["home", "second"]}])
    stage.add("away", ca="elsewhere")
    stage.add("both", routes=[{"challenge": "dns-01", "dns": "second", "ca": "lab"}, {"challenge": "http-01"}])
    stage.database.execute("UPDATE dnsrenew_certificate SET due = now() + interval '1 year'")
    assert fleet_status(stage.database, {}).lacking == {}
    lacking = {"away": ("ca.elsewhere",), "both": ("dns.second",), "shop": ("dns.second",)}
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.starts)
        assert fleet_status(stage.database, {}).lacking == lacking
        stage.write(dns__second=stage.workspace.config()["dns"]["home"])
        with stage.crew() as (has,):
            wait_until(lambda: has.heard.starts)
            assert fleet_status(stage.database, {}).lacking == {"away": ("ca.elsewhere",)}
        wait_until(lambda: fleet_status(stage.database, {}).lacking == lacking)
        crew.worker.use(stage.config())
        wait_until(lambda: fleet_status(stage.database, {}).lacking == {"away": ("ca.elsewhere",)})
    assert fleet_status(stage.database, {}).lacking == {}


def test_a_worker_is_started_as_each_message_says(stage: FleetStage) -> None:
    """Where no worker runs, `fleet add`, `fleet status` and `schedule show` name the command that starts one."""
    (stage.workspace.path / "more.jsonl").write_text('{"name": "shop", "domains": ["shop.example.test"]}\n')
    for command in ("fleet add more.jsonl", "fleet status", "schedule show"):
        process = stage.workspace.start(named_in(stage.workspace.run(*command.split()).stdout, "worker"))
        wait_until(lambda: fleet_status(stage.database, {}).workers and stage.versions() == {"shop": 1})
        assert end(process)[0] in {0, 128 + signal.SIGTERM}
        wait_until(lambda: not fleet_status(stage.database, {}).workers)


def test_what_a_server_advises_for_a_pair_that_does_not_fit_helps(stage: FleetStage) -> None:
    """The command that its warning names, typed as it stands, obtains a version that the server takes up."""
    stage.add("shop", "other")
    with stage.crew():
        wait_until(lambda: len(stage.versions()) == 2)
    stage.database.execute(
        "UPDATE dnsrenew_version SET key = (SELECT key FROM dnsrenew_version WHERE name = 'other') WHERE name = 'shop'"
    )
    warnings: list[Event] = []
    with (
        mock.patch.dict("os.environ", stage.workspace.env),
        contextlib.closing(Fleet(stage.config(), on_event=warnings.append)) as fleet,
        LoopServer(fleet.ssl_context()) as server,
    ):
        wait_until(lambda: warnings)
        assert ask(server.port, "shop.example.test") == UNKNOWN
        command = named_in(warnings[0].data["fix"], "renew --force {name}")
        assert stage.workspace.run(*command.split()).returncode == 0
        wait_until(lambda: ask(server.port, "shop.example.test") != UNKNOWN)


# ── faults ──────────────────────────────────────────────────────────────────────────────


def test_another_worker_finishes_what_a_killed_one_began(stage: FleetStage, counted: AcmeProxy) -> None:
    """After `kill -9` during an order, another worker removes its TXT value and makes one more order."""
    stage.lab.lag = 60.0  # it waits for DNS, with its value in it
    stage.add("shop")
    process = stage.workspace.start(named_in(stage.workspace.run("status").stdout, "worker"))
    try:
        wait_until(lambda: stage.lab.txt("_acme-challenge.shop.example.test"))
        # After the answer of the host: until then the change could still come, and the entry would stay for a while.
        wait_until(lambda: stage.database.fetch("SELECT 1 FROM dnsrenew_journal WHERE NOT asked"))
    finally:
        process.kill()
        process.communicate()
    assert stage.journal() > 0
    stage.lab.lag = 0.0
    wait_until(lambda: fleet_status(stage.database, {}).workers == ())
    stage.database.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '31 seconds'")
    with stage.crew() as (crew,):
        wait_until(lambda: stage.versions() and not stage.journal())
    assert crew.heard.of("renewed") == ["shop"]
    assert ordered(counted) == {"shop.example.test": 2}
    assert stage.lab.txt("_acme-challenge.shop.example.test") == set()


def test_connections_that_are_cut_lose_no_certificate(
    postgres: Postgres,  # noqa: F811
    stage: FleetStage,
    counted: AcmeProxy,
) -> None:
    """A worker that loses all its connections during an order obtains the certificate with at most one more order."""
    cut = threading.Event()

    def cut_once(request: Any) -> None:
        if request.kind == "finalize" and not cut.is_set():
            postgres.terminate(stage.address)
            cut.set()

    counted.on_request = cut_once
    stage.add("shop")
    with stage.crew() as (crew,):
        wait_until(cut.is_set)
        wait_until(lambda: stage.versions() and not stage.journal())
        assert crew.error is None
    assert ordered(counted)["shop.example.test"] <= 2
    assert stage.lab.txt("_acme-challenge.shop.example.test") == set()


def test_a_worker_waits_for_a_database_that_restarts(postgres: Postgres, stage: FleetStage) -> None:  # noqa: F811
    """While the database is down, a worker reports it and waits. Afterwards it works again and is listed."""
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.starts == 1)
        with postgres.stopped():
            wait_until(lambda: crew.heard.waits)
        wait_until(lambda: crew.heard.starts == 2)
        stage.add("shop")
        DueDates(stage.database).scan_soon()
        wait_until(stage.versions)
        assert len(fleet_status(stage.database, {}).workers) == 1
    assert {error.code for error in crew.heard.waits} == {"store-unreachable"}


def test_a_worker_waits_for_a_database_at_its_start(stage: FleetStage, postgres: Postgres) -> None:  # noqa: F811
    """A worker that starts before its database waits for it."""
    stage.add("shop")
    with Proxy(postgres.port) as proxy:
        proxy.cut(refuse=True)
        stage.address = stage.address.at(proxy.port)
        stage.write()
        with stage.crew() as (crew,):
            wait_until(lambda: crew.heard.waits)
            assert crew.heard.starts == 0
            proxy.flow()
            wait_until(stage.versions)
            proxy.cut(refuse=True)
            wait_until(lambda: len(crew.heard.waits) > 1)


def test_a_database_that_cannot_be_used_ends_the_worker(stage: FleetStage) -> None:
    """A worker ends if the schema of the database is newer than its own."""
    stage.database.execute("UPDATE dnsrenew_schema SET version = 999")
    with stage.crew() as (crew,):
        wait_until(lambda: not crew.is_alive)
    assert isinstance(crew.error, StoreError)
    assert crew.error.code == "store-newer"


def test_a_clock_that_is_wrong_changes_nothing(stage: FleetStage, counted: AcmeProxy) -> None:
    """A worker whose clock is ten minutes ahead orders once and sets the next look by the database's clock."""
    ahead = timedelta(minutes=10)

    def now(_: SystemClock) -> datetime:
        return datetime.now(UTC) + ahead

    stage.add("shop")
    stage.add("lacking", routes=[{"challenge": "dns-01", "dns": "second"}])
    with (
        mock.patch.object(SystemClock, "now", now),
        mock.patch("procrastinate.utils.utcnow", side_effect=lambda: datetime.now(UTC) + ahead),
        mock.patch("procrastinate.periodic.time", SimpleNamespace(time=lambda: time.time() + ahead.total_seconds())),
        mock.patch("dnsrenew.extensions.fleet.certificate_job._RETURN_AFTER", (0.0, 0.0)),
        stage.crew() as (crew,),
    ):
        wait_until(lambda: crew.heard.of("renewed") and stage.dues()["lacking"] > 0)
    assert ordered(counted) == {"shop.example.test": 1}
    assert 5 * HOUR < stage.dues()["shop"] < 8 * HOUR


# ── signals and the configuration ───────────────────────────────────────────────────────


def test_a_worker_that_is_stopped_ends_what_is_under_way(stage: FleetStage) -> None:
    """After SIGTERM the certificate at work is obtained, queued ones stay, and the exit status is 143."""
    stage.lab.lag = 2.0  # longer than a worker takes to hear of a stop
    stage.add("one", "two")
    process = stage.process("--concurrency", "1", "--json")
    try:
        wait_until(lambda: "doing" in stage.jobs().values())
    finally:
        status, out, err = end(process)
    assert status == 143, err
    assert len(stage.versions()) == 1
    assert list(stage.jobs().values()) == ["todo"]
    assert json.loads(out)["statuses"] == {"renewed": 1}
    assert any(json.loads(line).get("kind") == "certificate-stored" for line in err.splitlines())
    assert stage.database.fetch("SELECT id FROM procrastinate_workers") == []


def test_a_worker_hands_back_what_does_not_end(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that is not done in time is put back into the queue, and its TXT value is removed."""
    monkeypatch.setattr("dnsrenew.extensions.fleet.worker.GRACEFUL", 0.1)
    stage.lab.lag = 60.0
    stage.add("shop")
    with stage.crew() as (crew,):
        wait_until(lambda: stage.lab.txt("_acme-challenge.shop.example.test"))
        crew.stop()
    assert stage.jobs() == {"shop": "todo"}
    assert stage.dues()["shop"] <= 0
    assert stage.lab.txt("_acme-challenge.shop.example.test") == set()


def test_the_log_of_a_worker(stage: FleetStage) -> None:
    """The log has the start, the certificate, both reloads after SIGHUP and the stop, and no traceback."""
    stage.add("shop")
    process = stage.process()
    try:
        wait_until(lambda: stage.versions() and not stage.jobs())
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        stage.workspace.write_text("store = 7")
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
    finally:
        status, _, err = end(process, signal.SIGINT)
    assert status == 130, err
    for words in (
        "16 certificates at once",
        "shop: ",
        "The configuration was read again",
        "previous configuration",
        "Stopped",
    ):
        assert words in err
    assert "Traceback" not in err


def test_a_new_configuration_is_used_for_what_follows(stage: FleetStage) -> None:
    """A new account in the configuration is used without a new session."""
    stage.add("shop", routes=[{"challenge": "dns-01", "dns": "second"}])
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.starts)
        stage.write(dns__second=stage.workspace.config()["dns"]["home"])
        crew.worker.use(stage.config())
        wait_until(stage.versions)
    assert crew.heard.starts == 1


def test_another_concurrency_begins_a_new_session(stage: FleetStage) -> None:
    """A new concurrency starts a new session, which obtains certificates."""
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.starts)
        stage.write(fleet={"concurrency": 2})
        crew.worker.use(stage.config())
        wait_until(lambda: crew.heard.starts == 2)
        stage.add("shop")
        DueDates(stage.database).scan_soon()
        wait_until(stage.versions)


def test_a_folder_is_no_fleet(workspace: Workspace) -> None:
    """`worker` exits with 2 if the store is a folder."""
    status, document = workspace.run_json("worker")
    assert (status, document["error"]["code"]) == (2, "no-fleet")


def test_a_listener_that_fails_stops_nothing(stage: FleetStage) -> None:
    """An exception in a listener does not stop the worker."""

    class Broken(Heard):
        def ended(self, outcome: object) -> None:
            raise ValueError(outcome)

    stage.add("shop")
    with stage.crew() as (crew,):
        wait_until(stage.versions)
        assert isinstance(crew, Crew)
    with mock.patch.dict("os.environ", stage.workspace.env):
        worker = FleetWorker(stage.config(), Broken())
        thread = threading.Thread(target=worker.run, daemon=True)
        stage.database.execute("UPDATE dnsrenew_certificate SET due = now()")
        thread.start()
        wait_until(lambda: stage.dues()["shop"] > 0)
        worker.stop()
        thread.join(PATIENCE)
    assert not thread.is_alive()
    assert isinstance(stage.database, Database)


# ── a database that hangs ───────────────────────────────────────────────────────────────


def test_a_connection_that_hangs_loses_no_certificate(
    postgres: Postgres,  # noqa: F811
    stage: FleetStage,
    counted: AcmeProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker whose database hangs waits, and then obtains the certificate with at most one more order."""
    monkeypatch.setattr("dnsrenew.extensions.fleet.queue.DEADLINE", 1.0)
    monkeypatch.setattr("dnsrenew.extensions.fleet.queue._HEARTBEAT", 0.2)
    monkeypatch.setattr("dnsrenew.extensions.fleet.worker.PATIENCE", 1.0)
    hung = threading.Event()
    with Proxy(postgres.port) as proxy:

        def hang_once(request: Any) -> None:
            if request.kind == "newOrder" and not hung.is_set():
                hung.set()
                proxy.hang()

        counted.on_request = hang_once
        stage.address = stage.address.at(proxy.port)
        stage.write(ca__lab__directory=counted.directory_url)
        stage.add("shop")
        with stage.crew() as (crew,):
            wait_until(lambda: crew.heard.waits)
            assert stage.versions() == {}
            proxy.flow()
            wait_until(lambda: stage.versions() and not stage.journal())
            assert crew.error is None
    assert ordered(counted)["shop.example.test"] <= 2
    assert stage.lab.txt("_acme-challenge.shop.example.test") == set()
