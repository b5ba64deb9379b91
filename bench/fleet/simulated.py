"""A database whose clock is simulated, and the services of a worker with a stand-in for the CA.

Statements say `now()`, without a schema: a function of that name in a schema before `pg_catalog` takes its place, for
our statements and for those of procrastinate.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from dnsrenew.acme.client import Window, cert_id
from dnsrenew.base.values import replace
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.schema import initialize
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.renewal import renew as renewal
from dnsrenew.renewal import renewal_info
from dnsrenew.renewal.due import Job
from dnsrenew.renewal.resume import Issued
from dnsrenew.renewal.services import Services
from dnsrenew.testing.box.order_server import LIFETIME, suggest
from tests.kit.acme_server import Limits
from tests.kit.certificates import issue
from tests.kit.memory import threads_at_once

if TYPE_CHECKING:
    import threading

    from dnsrenew.base.runtime import Context
    from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
    from tests.kit.postgres import DatabaseAddress, Postgres

CA: Final = "lab"
DIRECTORY: Final = "https://acme-v02.api.letsencrypt.org/directory"
"""Its limits are known; nothing is sent there."""
_HOST: Final = "acme-v02.api.letsencrypt.org"
ORDER: Final = 8
"""Requests of an order for one name: newOrder, authorization, challenge, finalize, two polls, certificate, a nonce."""
_POLL: Final = 21_600.0
"""The Retry-After of Let's Encrypt."""
_SIMULATED: Final = (
    "CREATE SCHEMA simulated AUTHORIZATION dnsrenew",
    "CREATE SEQUENCE simulated.milliseconds",
    """
    CREATE FUNCTION simulated.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
    'SELECT to_timestamp(last_value / 1000.0) FROM simulated.milliseconds'
    """,
    "GRANT ALL ON SEQUENCE simulated.milliseconds TO dnsrenew",
)


class SimulatedClock:
    """Time passes only by waits; the database has the same. For one thread.

    :ivar began: when it was started.
    """

    def __init__(self, database: Database) -> None:
        self.began = datetime.now(UTC).replace(microsecond=0)
        self._database = database
        self._passed = 0.0
        self.advance(0.0)

    def now(self) -> datetime:
        """Return the time in UTC."""
        return self.began + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        """Return the seconds so far."""
        return self._passed

    def wait(self, seconds: float, event: threading.Event) -> bool:
        """Let the time pass."""
        self.advance(seconds)
        return event.is_set()

    def advance(self, seconds: float) -> None:
        """Let the time pass, here and in the database."""
        self._passed += max(seconds, 0.0)
        self._database.fetch("SELECT setval('milliseconds', %s)", (int(self.now().timestamp() * 1000),))


@contextlib.contextmanager
def simulated_database(server: Postgres) -> Iterator[tuple[DatabaseAddress, Database, SimulatedClock]]:
    """Make a database with the tables of a fleet and a simulated clock."""
    address = server.new_database()
    with server.admin(address.name) as admin:
        for statement in _SIMULATED:
            admin.execute(statement.encode())
        admin.execute(f"ALTER DATABASE {address.name} SET search_path = simulated, pg_catalog".encode())
    with contextlib.closing(Database(address, patience=600.0)) as database:
        clock = SimulatedClock(database)
        initialize(database, Seals([]))
        try:
            yield address, database, clock
        finally:
            database.close()
            server.drop(address)


class StandIn:
    """A stand-in for the CA. It reports suggested windows and issues the same certificate to all."""

    def __init__(self, clock: SimulatedClock, revoked: str) -> None:
        self._clock = clock
        self._told = cert_id(revoked)
        self.limits = Limits()
        self.requests: Counter[int] = Counter()
        self.orders = 0
        self.exempt = 0
        chain, key, facts = issue(["c00000001.example.test"], clock.now())
        self._issued = Issued(chain, key, facts, None)

    @property
    def chain(self) -> str:
        """The certificate that it issues."""
        return self._issued.fullchain_pem

    # ── as a CA client ──────────────────────────────────────────────────────────────────

    def offers_renewal_info(self, _context: Context) -> bool:
        """Return true: it offers renewal information."""
        return True

    def renewal_windows(self, context: Context, ids: Sequence[str]) -> list[Window]:
        """Say that what is revoked is to be replaced at once, and what is new in two months."""
        for _ in ids:
            self.request(context)
        now = self._clock.now()
        past = now - timedelta(days=1), self._clock.began
        return [Window(*(past if each == self._told else suggest(now, now + LIFETIME)), None, _POLL) for each in ids]

    def request(self, context: Context) -> None:
        """Count a request, after the wait for its token."""
        context.buckets.of_ca(_HOST).take(context)
        self.requests[int(self._clock.monotonic())] += 1

    # ── as an order ─────────────────────────────────────────────────────────────────────

    def obtain(self, job: Job, _planner: Any, attempt: Any) -> Issued:
        """Order as a renewal does, as far as limits are concerned."""
        replaces = renewal_info.replaced_cert_id(job, CA) is not None
        blocked = job.services.ledger(CA).may_order(
            job.spec.identifiers, replaces=replaces, expires=job.state.not_after
        )
        if blocked is not None:
            raise blocked
        attempt.orders += 1
        return self.order(job.context, job.spec.identifiers, replaces=replaces)

    def order(self, context: Context, identifiers: Sequence[str], *, replaces: bool) -> Issued:
        """Count an order, with its requests; return the certificate."""
        for _ in range(ORDER):
            self.request(context)
        now = self._clock.now()
        self.orders += 1
        if replaces:
            self.exempt += 1
        else:
            self.limits.beyond(identifiers, now)
            self.limits.orders.take(now)
        self.limits.same_set[frozenset(identifiers)].take(now)
        dates = {"not_before": now.replace(microsecond=0), "not_after": now.replace(microsecond=0) + LIFETIME}
        return replace(self._issued, facts=replace(self._issued.facts, serial=f"{self.orders:x}", **dates))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Take the place of orders in this block; what runs in threads elsewhere runs at once."""
        with mock.patch.object(renewal, "_obtain", self.obtain), threads_at_once():
            yield

    def services(self, store: DatabaseStore, context: Context) -> Services:
        """Return the services of a run: the store and its ledger are the real ones."""
        nothing: Any = None
        client: Any = self
        return Services(
            store,
            nothing,
            nothing,
            lambda _name: client,
            lambda name: store.ledger(DIRECTORY, name, context),
            lambda _name: None,
            str,
            lambda: None,
        )
