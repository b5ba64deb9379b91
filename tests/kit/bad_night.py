"""A fleet's bad night: the CA revokes all certificates at once, and workers, database and CA fail meanwhile.

Real are PostgreSQL, BIND and the workers, each a process; the CA is that of ``dnsrenew.testing``, over HTTPS. Each
certificate has a key and dates of its own. By renewal information (RFC 9773) the CA says that all are to be replaced.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from dnsrenew.acme.client import cert_id
from dnsrenew.base import x509
from dnsrenew.base.model import CertificateSpec, Route
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.schema import initialize
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.renewal.planner import route_key
from dnsrenew.store.state import State, issued_meta
from dnsrenew.testing import acme_box
from dnsrenew.testing.box.order_server import LIFETIME, Proof, suggest
from dnsrenew.testing.box.resources import AcmeProblem, BoxAnswer, IssuedCertificate, SignedRequest
from tests.kit.fleet_world import age_journal
from tests.kit.postgres import PASSWORD, DatabaseAddress, Postgres
from tests.lab import Lab
from tests.lab.settings import to_toml

PATIENCE: Final = 1800.0
_ROOT: Final = Path(__file__).resolve().parents[2]
_DAY: Final = timedelta(days=1)
_QUICK: Final = """
import sys
from dnsrenew.cli import main
from dnsrenew.extensions.fleet import queue, worker
queue.EACH_MINUTE, queue.STALLED, queue._HEARTBEAT, queue._POLL = "* * * * * */3", 5.0, 0.5, 0.1
worker.CLEAN_UP_EVERY = 0.5
sys.exit(main())
"""
"""A worker that looks often: each minute is every three seconds, half a minute five."""
_ADD: Final = """
INSERT INTO dnsrenew_certificate (name, wanted, identifiers, state, version, expires, due)
VALUES (%(name)s, %(wanted)s::jsonb, ARRAY[%(domain)s], %(state)s::jsonb, 1, %(end)s, now() - interval '1 minute')
"""
_ADD_VERSION: Final = """
INSERT INTO dnsrenew_version (name, number, chain, key, meta, ca) VALUES (%s, 1, %s, %s, %s::jsonb, 'box')
"""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What happens in the night.

    :ivar kill_every: after so many seconds one of the workers is killed, again and again; or None.
    :ivar kills: kill a worker each time that this part of the certificates is replaced; see ``kill_every``.
    :ivar busy: seconds for which the CA answers each order with 429, once.
    :ivar quick: whether workers look often: for few certificates.
    """

    count: int
    workers: int = 2
    concurrency: int = 16
    kill_every: float | None = 30.0
    kills: tuple[float, ...] = ()
    busy: float = 60.0
    quick: bool = False


@dataclass
class Course:
    """What came of it.

    :ivar seconds: from the revocation to the last certificate.
    :ivar order: how well the order of replacement fits that of remaining life: 1 is the same, 0 is none.
    :ivar beside: orders beyond one for each certificate.
    :ivar refused: orders that the CA has answered with 429.
    :ivar early: orders that came before the CA's Retry-After for the same names was over.
    """

    seconds: float = 0.0
    order: float = 0.0
    killed: int = 0
    restarts: int = 0
    beside: int = 0
    refused: int = 0
    early: int = 0


@dataclass
class Night:
    """The CA, the database and the workers of one night."""

    plan: Plan
    lab: Lab
    box: Any
    server: Postgres
    address: DatabaseAddress
    database: Database
    folder: Path
    ends: dict[str, datetime] = field(default_factory=dict)
    course: Course = field(default_factory=Course)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    orders: Counter[str] = field(default_factory=Counter)
    _until: dict[str, float] = field(default_factory=dict)
    _busy_until: float | None = None
    _may_be_busy: bool = False

    def revoke_all(self) -> None:
        """Make the certificates, some days old each; the CA tells of all that they are to be replaced at once."""
        ca, now, rng = self.box._orders, datetime.now(UTC).replace(microsecond=0), random.Random(1)
        route = route_key(Route("dns-01", dns=("home",)), "box")
        with self.database.transaction() as transaction:
            for number in range(self.plan.count):
                name, begin = f"c{number:05}", now - timedelta(seconds=rng.randrange(86_400, 55 * 86_400))
                domain, key = f"{name}.example.test", x509.new_key("ecdsa-p256")
                chain, pem = ca._issuer.sign(key.public_key(), [domain], begin), x509.key_to_pem(key)
                ca.issued[cert_id(chain)] = IssuedCertificate((domain,), begin, begin + LIFETIME, chain, None)
                spec = CertificateSpec(name=name, domains=(domain,), identifiers=(domain,), ca="box", key="ecdsa-p256")
                sizes = {"privkey.pem": len(pem), "fullchain.pem": len(chain)}
                meta = issued_meta(spec, "box", x509.read_certificate(chain), sizes, State())
                state = State(worked=(route,)).renewed(1, meta).to_json().decode()
                self.ends[name] = begin + LIFETIME
                wanted = json.dumps({"name": name, "domains": [domain]})
                values = {"name": name, "wanted": wanted, "domain": domain, "state": state, "end": begin + LIFETIME}
                transaction.execute(_ADD, values)
                sealed = Seals([]).seal(pem, f"version:{name}:1")
                transaction.execute(_ADD_VERSION, (name, chain, sealed, meta.to_json().decode()))

        def window(begin: datetime, end: datetime) -> tuple[datetime, datetime]:
            return (now - _DAY, now - _DAY / 2) if begin < now - _DAY / 2 else suggest(begin, end)

        def validate(proof: Proof) -> AcmeProblem | None:
            met = proof.is_met_by(self.lab.txt(proof.txt_name.rstrip(".")))
            return None if met else AcmeProblem("unauthorized", "the value is not there")

        ca._validate = validate
        ca._public["renewalInfo"] = partial(ca._renewal_info, window)
        ca._resources["newOrder"] = partial(self._new_order, ca._resources["newOrder"])

    def _new_order(self, answer: Any, request: SignedRequest, url: str) -> BoxAnswer:
        """Count orders; once, refuse them for a while."""
        name, now = (request.payload or {})["identifiers"][0]["value"].partition(".")[0], time.monotonic()
        self.course.early += now < self._until.get(name, now)
        if self._may_be_busy:
            self._busy_until = self._busy_until or now + self.plan.busy
            if (left := self._busy_until - now) > 0:
                wait = int(left) + 1
                self._until[name] = now + wait
                self.course.refused += 1
                raise AcmeProblem("rateLimited", "too many orders", retry_after=wait)
        self.orders[name] += 1
        made: BoxAnswer = answer(request, url)
        return made

    def replaced(self) -> list[str]:
        """Return the names of the certificates that are replaced, in the order in which that was done."""
        with self.server.admin(self.address.name) as admin:
            rows = admin.execute("SELECT name FROM dnsrenew_version WHERE number = 2 ORDER BY issued")
            return [name for (name,) in rows]

    def start_worker(self) -> None:
        """Start a worker, as systemd does."""
        program = ["-c", _QUICK] if self.plan.quick else ["-m", "dnsrenew"]
        argv = [sys.executable, *program, "worker", "--concurrency", str(self.plan.concurrency)]
        kept = {key: value for key, value in os.environ.items() if not key.startswith("DNSRENEW_")}
        env = {**kept, "PYTHONPATH": str(_ROOT), "HOME": str(self.folder), "DATABASE_PASSWORD": PASSWORD}
        with (self.folder / f"worker-{len(self.workers)}.log").open("wb") as log:
            self.workers.append(subprocess.Popen(argv, cwd=self.folder, env=env, stdout=log, stderr=log))

    def kill_worker(self) -> None:
        """Kill the oldest worker that is alive, and start another one."""
        alive = [worker for worker in self.workers if worker.poll() is None]
        assert len(alive) == self.plan.workers, "a worker has ended by itself"
        alive[0].kill()
        alive[0].wait()
        self.course.killed += 1
        self._until.clear()  # it may have waited itself, and what it was told is lost with it
        self.start_worker()

    def pass_by(self) -> None:
        """Let everything happen, until all certificates are replaced and nothing is left to do."""
        plan, begin = self.plan, time.monotonic()
        kills = sorted(int(part * plan.count) for part in plan.kills)
        next_kill = None if plan.kill_every is None else begin + plan.kill_every
        while (done := len(self.replaced())) < plan.count:
            assert time.monotonic() - begin < PATIENCE, f"{done} of {plan.count} are replaced"
            assert any(worker.poll() is None for worker in self.workers), "all workers have ended"
            self._may_be_busy = done >= plan.count / 4
            if done >= plan.count / 2 and not self.course.restarts:
                self.server.restart()
                self.course.restarts += 1
            if (kills and done >= kills[0]) or (next_kill is not None and time.monotonic() >= next_kill):
                self.kill_worker()
                kills, next_kill = kills[1:], None if next_kill is None else next_kill + (plan.kill_every or 0.0)
            time.sleep(0.2)
        self.course.seconds = time.monotonic() - begin
        self._clean_up()

    def _clean_up(self) -> None:
        """Wait until workers have removed what the killed ones left; half an hour of it passes at once."""
        end = time.monotonic() + PATIENCE
        while self.database.one("SELECT count(*) FROM dnsrenew_journal") != (0,):
            assert time.monotonic() < end
            age_journal(self.database)
            time.sleep(0.2)
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        assert {worker.wait(90) for worker in self.workers} <= {-signal.SIGKILL, 128 + signal.SIGTERM}
        logs = "".join(log.read_text("utf-8") for log in self.folder.glob("*.log"))
        assert "unexpected error" not in logs, logs

    def judge(self) -> Course:
        """Check that all was right; return the course."""
        plan, course = self.plan, self.course
        assert self.database.one("SELECT count(*) FROM dnsrenew_certificate WHERE version = 2") == (plan.count,)
        assert not any(self.lab.all_txt().values())
        course.beside = sum(self.orders.values()) - plan.count
        in_flight = plan.workers * plan.concurrency
        assert min(self.orders[name] for name in self.ends) == 1
        assert course.beside <= (course.killed + course.restarts) * in_flight, self.orders.most_common(5)
        assert course.refused > 0
        assert course.early == 0
        wanted = {name: rank for rank, name in enumerate(sorted(self.ends, key=self.ends.__getitem__))}
        apart = sum((rank - wanted[name]) ** 2 for rank, name in enumerate(self.replaced()))
        course.order = 1 - 6 * apart / (plan.count * (plan.count**2 - 1))  # Spearman's
        return course


def bad_night(plan: Plan, lab: Lab) -> Course:
    """Let the night pass; return what came of it."""
    with _night(plan, lab) as night:
        night.revoke_all()
        for _ in range(plan.workers):
            night.start_worker()
        night.pass_by()
        return night.judge()


@contextlib.contextmanager
def _night(plan: Plan, lab: Lab) -> Iterator[Night]:
    with (
        acme_box() as box,
        Postgres.running() as server,
        tempfile.TemporaryDirectory(prefix="dnsrenew-night-") as name,
        contextlib.closing(Database(address := server.new_database())) as database,
    ):
        initialize(database, Seals([]))
        night = Night(plan, lab, box, server, address, database, Path(name))
        config = {
            "contact": ["me@example.test"],
            "agree_terms": True,
            "default_ca": "box",
            "store": {"url": address.url, "password": "env:DATABASE_PASSWORD"},
            "fleet": {"defaults": {"routes": [{"challenge": "dns-01", "dns": "home"}]}},
            "ca": {"box": {"directory": box.directory, "trust": str(box.trust)}},
            **{key: lab.config()[key] for key in ("dns", "resolver")},
        }
        (night.folder / "dnsrenew.toml").write_text(to_toml(config))
        (night.folder / "dnsrenew.toml").chmod(0o600)
        try:
            yield night
        finally:
            for worker in night.workers:
                worker.kill()
                worker.wait()
