"""The rate limits that the machines of a fleet share, in a real PostgreSQL."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from dnsrenew.base.runtime import CA_REQUESTS, HOST_REQUESTS, Context, Rate
from dnsrenew.errors import Cancelled, StoreError
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.ledger import SharedBucket, SharedBuckets, forget_full_buckets
from dnsrenew.extensions.fleet.database.schema import initialize
from dnsrenew.extensions.fleet.database.seal import Seals
from tests.kit.clock import FakeClock
from tests.kit.postgres import DatabaseAddress, Postgres, postgres  # noqa: F401  # fixtures
from tests.kit.postgres import fleet_address as address  # noqa: F401

SLOW = Rate(10, 0.001)
"""A rate at which nothing comes back during a test."""


@pytest.fixture
def database(address: DatabaseAddress) -> Iterator[Database]:  # noqa: F811
    """A database with the tables."""
    made = Database(address)
    initialize(made, Seals([]))
    yield made
    made.close()


def waited(bucket: SharedBucket, count: float = 1) -> float:
    """Take tokens, and return for how long the caller had to wait."""
    clock = FakeClock()
    bucket.take(Context(clock=clock), count)
    return clock.elapsed


def test_machines_share_a_burst(database: Database) -> None:
    """Two machines together get one burst of tokens."""
    machines = [SharedBucket(database, "ca", SLOW) for _ in range(2)]
    assert [waited(machines[number % 2]) for number in range(10)] == [0.0] * 10
    assert all(waited(machine) > 900 for machine in machines)


def test_each_waits_longer_than_the_one_before(database: Database) -> None:
    """Waiting callers get their tokens one after the other, on any machine."""
    machines = [SharedBucket(database, "ca", SLOW) for _ in range(2)]
    waited(machines[0], 10)
    waits = [round(waited(machines[number % 2]) / 1000) for number in range(4)]
    assert waits == [1, 2, 3, 4]


def test_tokens_beyond_one_are_a_debt(database: Database) -> None:
    """A caller can take more tokens than the bucket has, and the next caller waits for them."""
    bucket = SharedBucket(database, "dns", SLOW)
    assert waited(bucket, 15) == 0.0
    assert round(waited(bucket) / 1000) == 6


def test_keys_do_not_disturb_each_other(database: Database) -> None:
    """Each CA and each DNS account has a bucket of its own."""
    buckets = SharedBuckets(database)
    context = Context(clock=FakeClock())
    buckets.of_account("home").take(context, 100)
    buckets.of_account("other").take(context, 100)
    assert context.clock.monotonic() == 0.0
    assert buckets.of_ca("ca.test") is buckets.of_ca("ca.test")


def test_requests_to_a_ca_cost_few_statements(database: Database) -> None:
    """A hundred requests take four statements."""
    bucket = SharedBucket(database, "ca", CA_REQUESTS)
    before = database.queries
    for _ in range(100):
        waited(bucket)
    assert database.queries - before == 4


def test_waiting_costs_no_more_statements(database: Database) -> None:
    """A hundred requests that wait at the pace of a busy CA take four statements too."""
    bucket, clock = SharedBucket(database, "ca", Rate(25, 125.0)), FakeClock()
    context = Context(clock=clock)
    bucket.charge(context, 1_000)  # by other machines
    before = database.queries
    times = []
    for _ in range(100):
        bucket.take(context)
        times.append(clock.elapsed)
    assert database.queries - before == 4
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert 7.5 < times[0] < 8.1
    assert all(step >= 0 for step in steps)
    assert sum(steps) >= 99 / 125 - 0.01


def test_unused_tokens_are_not_kept(database: Database) -> None:
    """Tokens that were fetched for one burst are not used ten seconds later."""
    bucket, clock = SharedBucket(database, "ca", CA_REQUESTS), FakeClock()
    bucket.take(Context(clock=clock))
    before = database.queries
    clock.elapsed += 10
    bucket.take(Context(clock=clock))
    assert database.queries == before + 1


def test_a_caller_who_gives_up_returns_his_tokens(database: Database) -> None:
    """A caller that is cancelled while it waits returns its tokens."""
    bucket = SharedBucket(database, "ca", SLOW)
    waited(bucket, 10)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        bucket.take(Context(clock=FakeClock(), cancel=cancel))
    assert round(waited(bucket) / 1000) == 1


def test_trying_takes_only_what_is_there(database: Database) -> None:
    """`try_take` returns False if the bucket is empty, takes nothing, and asks the database once."""
    bucket, context = SharedBucket(database, "nonces", SLOW), Context(clock=FakeClock())
    assert [bucket.try_take(context) for _ in range(11)] == [True] * 10 + [False]
    before = database.queries
    assert [bucket.try_take(context) for _ in range(20)] == [False] * 20
    assert database.queries == before
    assert round(waited(SharedBucket(database, "nonces", SLOW)) / 1000) == 1


def test_charging_does_not_wait(database: Database) -> None:
    """`charge` takes tokens without a wait, and the next caller waits for them."""
    bucket, clock = SharedBucket(database, "dns", HOST_REQUESTS), FakeClock()
    bucket.charge(Context(clock=clock), 130)
    assert clock.elapsed == 0.0
    assert 9 < waited(bucket) < 11


def test_full_buckets_are_forgotten(database: Database) -> None:
    """The row of a bucket that has been full for an hour is deleted; what a bucket allows stays the same."""
    fast, slow = SharedBucket(database, "fast", Rate(10, 1000.0)), SharedBucket(database, "slow", SLOW)
    for bucket in (fast, slow):
        assert waited(bucket, 10) == 0.0
    database.execute(
        "INSERT INTO dnsrenew_pace SELECT key, now() - interval '2 hours' FROM unnest(%s::text[]) AS key",
        (["gone", "on-demand https://ca.test/directory", "on-demand-name a.test"],),
    )
    assert forget_full_buckets(database) == 2
    left = [key for (key,) in database.fetch("SELECT key FROM dnsrenew_pace ORDER BY key")]
    assert left == ["fast", "on-demand https://ca.test/directory", "slow"]
    assert waited(slow) > 900


def test_the_database_has_to_answer(postgres: Postgres, database: Database) -> None:  # noqa: F811
    """`take` raises StoreError if the database is down."""
    bucket = SharedBucket(database, "ca", SLOW)
    with postgres.stopped(), pytest.raises(StoreError) as raised:
        bucket.take(Context(clock=FakeClock()))
    assert raised.value.code == "store-unreachable"
