"""A database that cannot be used, and wrong files: each is reported at once, and nothing is ordered."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator

import pytest

from tests.kit.fleet_stage import FleetStage, wait_until
from tests.kit.load import allowed
from tests.kit.postgres import PASSWORD, DatabaseAddress, Postgres
from tests.lab import AcmeProxy
from tests.lab.workspace import Workspace

SEAL = base64.b64encode(b"s" * 32).decode()
OTHER = base64.b64encode(b"t" * 32).decode()
SHORT = base64.b64encode(b"canary-" * 4).decode()
LINES = 100_000
MINUTE = 60.0
Break = Callable[["Ground"], None]


class Ground:
    """A fleet with a sealed database and one certificate to obtain.

    :ivar ca: counts what it is asked for.
    """

    def __init__(self, stage: FleetStage, postgres: Postgres, ca: AcmeProxy) -> None:
        self.stage = stage
        self.postgres = postgres
        self.ca = ca
        self.use(seal=SEAL)
        done = stage.workspace.run("fleet", "init")
        assert done.returncode == 0, done.stderr
        stage.add("shop")

    def use(self, *, seal: str = SEAL, user: str | None = None, where: DatabaseAddress | None = None) -> None:
        """Write the configuration."""
        stage = self.stage
        where = where or stage.address
        url = DatabaseAddress(where.name, where.port, user or where.user).url
        stage.workspace.env["SEAL"] = seal
        stage.write(
            store={"url": url, "password": "env:DATABASE_PASSWORD"},
            fleet={"seal": "env:SEAL"} if seal else None,
            ca__lab__directory=self.ca.directory_url,
        )

    def role(self, name: str, *grants: str, revoked: str = "") -> None:
        """Use another role, with these rights, except one."""
        with self.postgres.admin() as admin:
            admin.execute(f"DROP ROLE IF EXISTS {name}".encode())
        self.postgres.new_role(name)
        with self.postgres.admin(self.stage.address.name) as admin:
            for grant in grants:
                admin.execute(f"{grant} TO {name}".encode())
            if revoked:
                admin.execute(f"REVOKE {revoked} FROM {name}".encode())
        self.use(user=name)

    def execute(self, statement: str) -> None:
        """Change something as the superuser."""
        with self.postgres.admin(self.stage.address.name) as admin:
            admin.execute(statement.encode())


@pytest.fixture
def ground(workspace: Workspace, postgres: Postgres, address: DatabaseAddress) -> Iterator[Ground]:
    """A fleet with one certificate to obtain."""
    stage = FleetStage(workspace, address)
    with workspace.lab.acme_proxy() as ca:
        yield Ground(stage, postgres, ca)
        assert ca.exchanges == [], "the CA was asked for something"
        assert workspace.lab.all_txt() == {}
    stage.database.close()
    with postgres.admin(address.name) as admin:
        for role in ("reader", "nobody", "careful"):
            if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
                admin.execute(f"DROP OWNED BY {role}".encode())
                admin.execute(f"DROP ROLE {role}".encode())


CASES: dict[str, tuple[Break, str, int]] = {
    "a later schema": (lambda ground: ground.execute("UPDATE dnsrenew_schema SET version = 999"), "store-newer", 1),
    "an earlier schema": (lambda ground: ground.execute("UPDATE dnsrenew_schema SET version = 0"), "store-schema", 1),
    "no tables": (lambda ground: ground.execute("DROP TABLE dnsrenew_schema"), "store-schema", 1),
    "no rights": (lambda ground: ground.role("nobody"), "store-refused", 1),
    "no right to insert": (
        lambda ground: ground.role("reader", "GRANT SELECT ON ALL TABLES IN SCHEMA public"),
        "store-refused",
        1,
    ),
    "one right is missing": (
        lambda ground: ground.role(
            "careful",
            "GRANT ALL ON ALL TABLES IN SCHEMA public",
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA public",
            revoked="INSERT ON dnsrenew_version",
        ),
        "store-refused",
        1,
    ),
    "a role that only reads": (
        lambda ground: ground.execute("ALTER ROLE dnsrenew SET default_transaction_read_only = on"),
        "store-read-only",
        1,
    ),
    "a wrong seal": (lambda ground: ground.use(seal=OTHER), "seal-wrong", 1),
    "no seal": (lambda ground: ground.use(seal=""), "seal-wrong", 1),
    "a seal that is too short": (lambda ground: ground.use(seal=SHORT), "config-invalid", 2),
}


def refusal(ground: Ground, command: str) -> tuple[int, str]:
    """Run a command that is refused; return the exit status and the code of the error."""
    status, document = ground.stage.workspace.run_json(command, timeout=20)
    error = document["outcomes"][0]["error"] if document.get("outcomes") else document["error"]
    assert len(error["fix"]) > 10
    assert "fleet init" in error["fix"] or error["code"] != "store-schema"
    text = json.dumps(document)
    assert not [secret for secret in (PASSWORD, SEAL, OTHER, SHORT, "canary") if secret in text]
    return status, error["code"]


@pytest.mark.parametrize("case", CASES)
def test_a_database_that_cannot_be_used(ground: Ground, case: str) -> None:
    """A worker and a command end with a code and a fix, before a request to the CA."""
    breaking, code, exits = CASES[case]
    breaking(ground)
    try:
        assert refusal(ground, "worker") == refusal(ground, "renew") == (exits, code)
    finally:
        ground.execute("ALTER ROLE dnsrenew RESET default_transaction_read_only")


def test_a_replica(ground: Ground) -> None:
    """A server that is read-only is refused."""
    with Postgres.running(standby=True) as replica:
        ground.use(where=DatabaseAddress("postgres", replica.port))
        assert refusal(ground, "worker") == refusal(ground, "renew") == (1, "store-read-only")


# ── files ───────────────────────────────────────────────────────────────────────────────


def add(ground: Ground, lines: list[str]) -> tuple[int, list[tuple[int, str]]]:
    """Add the lines of a file; return the exit status, and line and key of each mistake."""
    workspace = ground.stage.workspace
    (workspace.path / "lines.jsonl").write_text("\n".join(lines))
    status, document = workspace.run_json("fleet", "add", "lines.jsonl")
    mistakes = (document.get("error") or {"evidence": {"mistakes": []}})["evidence"]["mistakes"]
    return status, [(each["line"], each["key"]) for each in mistakes]


def count(ground: Ground) -> int:
    """Return the number of certificates in the fleet."""
    return int(
        (ground.stage.database.one("SELECT count(*) FROM dnsrenew_certificate WHERE wanted IS NOT NULL") or (0,))[0]
    )


@pytest.mark.slow
def test_one_mistake_in_100_000_lines(ground: Ground) -> None:
    """One wrong line of 100,000 is named within a minute, and nothing is added."""
    lines = [f'{{"domains": ["n{number}.example.test"]}}' for number in range(LINES)]
    lines[77_776] = '{"domains": ["n 77776.example.test"]}'
    started = time.monotonic()
    assert add(ground, lines) == (2, [(77_777, "domains[0]")])
    assert time.monotonic() - started < allowed(MINUTE)
    assert count(ground) == 1


def test_a_name_twice_in_a_file(ground: Ground) -> None:
    """If a name is in two lines, the second line is reported, with the number of the first."""
    line = '{"domains": ["a.example.test"]}'
    assert add(ground, [line, "", line]) == (2, [(3, "name")])
    assert "line 1" in ground.stage.workspace.captured[-2] + ground.stage.workspace.captured[-1]
    assert count(ground) == 1


def test_a_domain_of_another_tag(ground: Ground) -> None:
    """A line cannot change the certificate of another tag or take one of its domains."""
    ours = ['{"name": "alice", "domains": ["a.example.test"], "tags": ["alice"]}']
    assert add(ground, ours) == (0, [])
    for theirs, key in (
        ('{"name": "alice", "domains": ["b.example.test"], "tags": ["bob"]}', "name"),
        ('{"name": "bob", "domains": ["b.example.test", "a.example.test"], "tags": ["bob"]}', "domains"),
        ('{"name": "nobody", "domains": ["a.example.test"]}', "domains"),
    ):
        assert add(ground, [theirs]) == (2, [(1, key)])
    assert count(ground) == 2


# ── an upgrade ──────────────────────────────────────────────────────────────────────────


def test_fleet_init_while_workers_run(ground: Ground) -> None:
    """`fleet init` succeeds while a worker runs, and does not disturb it."""
    stage = ground.stage
    stage.database.execute("UPDATE dnsrenew_certificate SET due = now() + interval '1 day'")
    with stage.crew() as (crew,):
        wait_until(lambda: crew.heard.starts)
        for _ in range(2):
            done = stage.workspace.run("fleet", "init")
            assert done.returncode == 0, done.stderr
        assert crew.is_alive
    assert (crew.error, crew.heard.waits) == (None, [])
