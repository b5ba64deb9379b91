"""What the runbook of a fleet says, done with real servers: a database restored from a backup, and a new seal."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dnsrenew.base.model import TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.extensions.fleet.database.served_certificates import DueDates
from tests.kit.fleet_killed import STALLED
from tests.kit.fleet_stage import FleetStage, wait_until
from tests.kit.fleet_world import age_journal
from tests.kit.postgres import PASSWORD, DatabaseAddress, Postgres
from tests.kit.postgres_pooler import PgBouncer, pgbouncer
from tests.lab import AcmeProxy
from tests.lab.certs import LabCA
from tests.lab.process import find_program
from tests.lab.workspace import Workspace


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the workers of the test look often for what others left."""
    monkeypatch.setattr("dnsrenew.extensions.fleet.worker.CLEAN_UP_EVERY", 0.1)
    monkeypatch.setattr("dnsrenew.extensions.fleet.queue._POLL", 0.1)
    monkeypatch.setattr("dnsrenew.extensions.fleet.queue.DEADLINE", 2.0)


@pytest.fixture
def stage(workspace: Workspace, address: DatabaseAddress, ca: AcmeProxy) -> Iterator[FleetStage]:
    """A fleet without certificates, whose CA counts."""
    made = FleetStage(workspace, address)
    made.write(ca__lab__directory=ca.directory_url)
    yield made
    made.database.close()


def tool(name: str, *arguments: str) -> None:
    """Run a program of PostgreSQL."""
    env = {**os.environ, "PGPASSWORD": PASSWORD}
    subprocess.run([find_program(name), *arguments], check=True, env=env, capture_output=True, timeout=60)


def orders(ca: AcmeProxy) -> Counter[str]:
    """The number of orders that the CA took, by the first label of their domain."""
    taken = [each for each in ca.of_kind("newOrder") if each.response is not None and each.response.status == 201]
    return Counter((each.request.payload or {})["identifiers"][0]["value"].partition(".")[0] for each in taken)


def issued(stage: FleetStage) -> int:
    """The number of certificates that the CA has issued."""
    return stage.lab.pebble.process.log().count("Issued certificate serial")


def obtain(stage: FleetStage, *names: str) -> None:
    """Add certificates, and let a worker obtain them."""
    stage.add(*names)
    work(stage)
    assert set(names) <= stage.versions().keys()


def work(stage: FleetStage) -> None:
    """Let a worker scan, do what is due, and clean up."""
    stage.database.execute("DELETE FROM procrastinate_periodic_defers")
    stage.lab.flush()  # or the CA's resolver would still have the TXT values of the last order
    with stage.crew() as (crew,):
        wait_until(lambda: min(stage.dues().values()) > 0 and not stage.jobs() and not stage.journal())
    assert crew.error is None


def run(stage: FleetStage, *arguments: str) -> None:
    """Run a command, which succeeds."""
    done = stage.workspace.run(*arguments)
    assert done.returncode == 0, done.stderr


def leave_value(stage: FleetStage) -> None:
    """Leave a TXT value in the journal and in DNS, as a worker does that is killed."""
    store = DatabaseStore(stage.database, Seals([]))
    record = TxtRecord("example.test.", "_acme-challenge.kept.example.test.", "left", 1)
    store.journal.enter(Context(), "kept", [(record, "home")])
    store.locks.close()
    write_value(stage)


def write_value(stage: FleetStage) -> None:
    """Write that value."""
    stage.lab.update("example.test", add=[("_acme-challenge.kept", "TXT", "left")])


def test_a_database_restored_from_yesterday(
    stage: FleetStage, ca: AcmeProxy, postgres: Postgres, tmp_path: Path
) -> None:
    """After the restore of a backup, a worker orders nothing. Later renewals and additions order once more."""
    obtain(stage, "kept", "renewed", "removed")
    leave_value(stage)
    dump = str(tmp_path / "fleet.dump")
    tool("pg_dump", "--format=custom", f"--file={dump}", stage.address.url)
    obtain(stage, "added")  # and the value is removed
    run(stage, "renew", "--force", "renewed")
    run(stage, "fleet", "remove", "removed", "--yes")
    assert stage.versions() == {"added": 1, "kept": 1, "renewed": 2}
    before = {"kept": 1, "renewed": 2, "removed": 1, "added": 1}
    assert orders(ca) == before

    restored = postgres.new_database()
    tool("pg_restore", "--no-owner", f"--dbname={restored.url}", dump)
    stage.database.close()
    stage.address, stage.database = restored, Database(restored)
    stage.write(ca__lab__directory=ca.directory_url)
    write_value(stage)  # as if it had been left today
    assert stage.versions() == {"kept": 1, "removed": 1, "renewed": 1}

    stage.database.execute("UPDATE dnsrenew_certificate SET due = now()")
    work(stage)
    assert orders(ca) == before
    assert stage.lab.txt("_acme-challenge.kept.example.test") == set()

    run(stage, "renew", "--force", "renewed")  # the CA knows that the previous certificate was replaced already
    obtain(stage, "added")
    assert stage.versions() == {"added": 1, "kept": 1, "removed": 1, "renewed": 2}
    assert orders(ca) == {**before, "renewed": 3, "added": 2}
    created = [each for each in ca.of_kind("newAccount") if each.response is not None and each.response.status == 201]
    assert len(created) == 1


def test_a_seal_is_changed_in_three_steps(stage: FleetStage, ca: AcmeProxy) -> None:
    """A seal is changed in three steps: old first, new first, new alone. Then only the new seal can read the keys."""
    for name in ("OLD", "NEW"):
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        stage.workspace.env[name] = key
        stage.workspace.canaries.append(key)

    def use(*seals: str) -> None:
        stage.write(ca__lab__directory=ca.directory_url, fleet={"seal": [f"env:{seal}" for seal in seals]})

    def reads() -> int:
        return stage.workspace.run("fleet", "status").returncode

    use("OLD")
    run(stage, "fleet", "init")
    obtain(stage, "shop")
    before = sealed_keys(stage)
    use("NEW")
    assert reads() == 1
    use("OLD", "NEW")
    assert reads() == 0
    use("NEW", "OLD")
    done = stage.workspace.run("fleet", "init", "--json")
    assert json.loads(done.stdout)["sealed"] >= 2, "the key of the certificate and that of the account"
    assert before.isdisjoint(sealed_keys(stage))
    use("OLD")
    assert reads() == 1
    use("NEW")
    assert reads() == 0
    run(stage, "renew", "--force", "shop")
    assert stage.versions() == {"shop": 2}


def sealed_keys(stage: FleetStage) -> set[bytes]:
    """Return every private key of a certificate, as it is stored."""
    return {bytes(key) for (key,) in stage.database.fetch("SELECT key FROM dnsrenew_version")}


def test_a_key_that_leaked(stage: FleetStage, ca: AcmeProxy) -> None:
    """After a revocation for key compromise, a worker replaces the certificate with a new key, despite `reuse_key`."""
    stage.add("shop", reuse_key=True)
    work(stage)
    store = DatabaseStore(stage.database, Seals([]))
    before = store.read_private_key("shop", store.read_state("shop"))
    run(stage, "revoke", "shop", "--reason", "key-compromise", "--yes")
    work(stage)
    assert stage.versions() == {"shop": 2}
    assert store.read_private_key("shop", store.read_state("shop")) != before
    assert (ca.counts["revokeCert"], orders(ca)["shop"]) == (1, 2)


def test_a_fail_over_to_another_server(stage: FleetStage, ca: AcmeProxy) -> None:
    """A database URL with two servers works if only the second one is up."""
    free = stage.lab.reserve("127.0.0.1")
    hosts = f"127.0.0.1:{free},{stage.address.host}:{stage.address.port}"
    url = f"postgresql://{stage.address.user}@{hosts}/{stage.address.name}?target_session_attrs=read-write"
    stage.write(ca__lab__directory=ca.directory_url, store={"url": url, "password": "env:DATABASE_PASSWORD"})
    obtain(stage, "shop")
    run(stage, "fleet", "status")


def test_a_pooler_by_transaction_whose_line_for_the_fleet_says_session(
    stage: FleetStage, ca: AcmeProxy, postgres: Postgres, tmp_path: Path
) -> None:
    """Behind PgBouncer in transaction mode with TLS, two workers work as soon as its fix is done; one may be killed.

    Of two dozen certificates none is lost, and none is issued twice.
    """
    tls, names = LabCA(tmp_path / "tls"), [f"n{number:02}" for number in range(24)]
    before = issued(stage)

    def refusal(pooler: PgBouncer) -> str:
        query = f"sslmode=verify-full&sslrootcert={tls.trust_pem}"
        url = replace(stage.address, port=pooler.port, query=query).url
        stage.write(ca__lab__directory=ca.directory_url, store={"url": url, "password": "env:DATABASE_PASSWORD"})
        status, document = stage.workspace.run_json("fleet", "status")
        return document["error"]["fix"] if status else ""

    with pgbouncer(postgres, "transaction", tls=tls, database=stage.address.name) as pooler:
        fix = refusal(pooler)
    database, line = (re.findall(r"`(.+?)(?: = …)?`", fix)[number] for number in (2, 1))
    with pgbouncer(postgres, "transaction", tls=tls, database=database, line=line) as pooler:
        assert not refusal(pooler)
        with stage.process("--concurrency", "4") as killed, stage.crew(concurrency=4) as (crew,):
            try:
                wait_until(lambda: stage.database.one("SELECT count(*) FROM procrastinate_workers") == (2,))
                stage.add(*names)
                DueDates(stage.database).scan_soon()
                wait_until(lambda: [*stage.jobs().values()].count("doing") > 4)  # so both are at work
            finally:
                killed.kill()
                killed.communicate()
            wait_until(lambda: stage.database.one("SELECT count(*) FROM dnsrenew_alive") == (1,))
            stage.lab.flush()  # or the CA's resolver would still have the values of the dead worker
            stage.database.execute(STALLED)
            wait_until(lambda: len(stage.versions()) == len(names) and not stage.jobs())
            age_journal(stage.database)
            wait_until(lambda: not stage.journal())
    assert crew.error is None
    assert stage.versions() == dict.fromkeys(names, 1)
    assert issued(stage) == before + len(names)


def test_a_pooler_with_tls(stage: FleetStage, ca: AcmeProxy, postgres: Postgres, tmp_path: Path) -> None:
    """Behind PgBouncer with TLS, a worker refuses transaction mode, works in session mode, and outlives its end."""
    tls = LabCA(tmp_path / "tls")

    def behind(pooler: PgBouncer) -> None:
        query = f"sslmode=verify-full&sslrootcert={tls.trust_pem}"
        url = replace(stage.address, port=pooler.port, query=query).url
        stage.write(ca__lab__directory=ca.directory_url, store={"url": url, "password": "env:DATABASE_PASSWORD"})

    with pgbouncer(postgres, "transaction", tls=tls) as pooler:
        behind(pooler)
        done = stage.workspace.run("worker")
        assert (done.returncode, "pool_mode = session" in done.stderr) == (1, True), done.stderr
    with pgbouncer(postgres, "session", tls=tls) as pooler:
        behind(pooler)
        with stage.crew(2) as crews:
            stage.add("first", "second")
            wait_until(lambda: stage.versions() == {"first": 1, "second": 1})
            pooler.stop()
            wait_until(lambda: all(crew.heard.waits for crew in crews))
            stage.add("third")
            pooler.ready()
            wait_until(lambda: stage.versions() == {"first": 1, "second": 1, "third": 1})
            wait_until(lambda: not stage.jobs() and not stage.journal())
    assert [crew.error for crew in crews] == [None, None]
    assert orders(ca) == {"first": 1, "second": 1, "third": 1}
