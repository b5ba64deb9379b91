"""Handshakes of a server with 100,000 names in PostgreSQL, against one with a single name, in one run.

Run it: `python -m bench.fleet_handshakes`.
"""

from __future__ import annotations

import contextlib
import json
import random
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from bench import page
from bench.figures import MILLISECONDS, SECONDS, Figure, Unit, of_pairs, of_samples
from bench.processes import RunFailedError
from dnsrenew.extensions.fleet.database.seal import place
from dnsrenew.extensions.fleet.serving.context import FleetContext
from dnsrenew.testing.box.order_server import LIFETIME
from tests.kit.certificates import issue
from tests.kit.postgres import Postgres
from tests.kit.served_fleet import FleetInDatabase, until

_NAMES: Final = 100_000
_CACHE: Final = 10_000
_COUNT: Final = 500
_GOAL: Final = 1.11
"""0.9 of the handshakes per second."""
_BYTES: Final = Unit(" bytes", 0)
_MICROSECONDS: Final = Unit(" µs", 1, 1e6)
_FILL: Final = (
    """
    INSERT INTO dnsrenew_certificate (name, wanted, identifiers, state, version, expires)
    SELECT name, '{}', ARRAY[name], jsonb_build_object('identifiers', ARRAY[name], 'not_before', %(begin)s::text), 1,
      %(end)s
    FROM (SELECT 'customer' || lpad(number::text, 6, '0') || '.shop.example' AS name
      FROM generate_series(1, %(count)s) AS number) AS names
    """,
    """
    INSERT INTO dnsrenew_version (name, number, chain, key, meta)
    SELECT name, 1, %(chain)s, %(key)s, '{}' FROM dnsrenew_certificate
    """,
)
_SEAL: Final = "UPDATE dnsrenew_version SET key = %s WHERE name = %s"
"""A sealed key is bound to its place; those beyond the cache are never loaded."""


def fleet_handshakes(rounds: int | None) -> list[Figure]:
    """Full handshakes (TLS 1.3, ECDSA), both sides in memory; names that are in the cache, in random order."""
    with Postgres.running(shared_buffers="256MB") as server, _fleet(server, _NAMES) as many, _fleet(server, 1) as one:
        begin = time.perf_counter()
        ours = _context(many)
        loaded = time.perf_counter() - begin
        bare, names = _context(one), _names(_CACHE)
        filled = _fill_cache(many, ours, names)
        until(lambda: bare.find(_names(1)[0]))
        resident = [name for name in names if ours.find(name) is not None]
        samples = [_seconds(ours, resident, bare) for _ in range((rounds or 15) + 1)][1:]
        unknown = [_each(lambda: ours.find(f"{random.getrandbits(64):x}.example")) for _ in range(10)]
        what = f"{_COUNT} handshakes of a server with {_NAMES} names, {_CACHE} in the cache, against one with a name"
        size = len(ours._index._table.serialize()) / _NAMES  # noqa: SLF001  # a server has no reason to tell it
        return [
            of_pairs("fleet-handshakes", what, _GOAL, *zip(*samples, strict=True)),
            of_samples("fleet-index-load", f"reading {_NAMES} names at the start", SECONDS, None, [loaded]),
            of_samples("fleet-index-size", "memory for each name", _BYTES, None, [size]),
            of_samples("fleet-unknown", "refusing a name that nobody has", _MICROSECONDS, None, unknown),
            of_samples("fleet-miss", "loading a certificate in the background", MILLISECONDS, None, [filled]),
        ]


@contextlib.contextmanager
def _fleet(server: Postgres, count: int) -> Iterator[FleetInDatabase]:
    """Make a fleet of certificates that share a chain: what they hold makes no difference to a handshake."""
    begin = datetime.now(UTC) - timedelta(minutes=1)
    chain, key, _ = issue(["customer000001.shop.example"], begin)
    with contextlib.closing(FleetInDatabase(server.new_database())) as fleet:
        fleet.initialize()
        values = {"count": count, "begin": begin.isoformat(), "end": begin + LIFETIME, "chain": chain}
        for statement in _FILL:
            fleet.database.execute(statement, {**values, "key": b""})
        with fleet.database.transaction() as transaction:
            for name in _names(min(count, _CACHE)):
                transaction.execute(_SEAL, (fleet.seals.seal(key, place("version", name, 1)), name))
        fleet.execute("ANALYZE")
        yield fleet


def _context(fleet: FleetInDatabase) -> FleetContext:
    context = fleet.context(cache=_CACHE)
    assert isinstance(context, FleetContext)
    return context


def _names(count: int) -> list[str]:
    return [f"customer{number:06}.shop.example" for number in range(1, count + 1)]


def _fill_cache(fleet: FleetInDatabase, context: FleetContext, names: list[str]) -> float:
    """Ask for names until all are loaded; return how many seconds each took.

    :raises RunFailedError: one cannot be loaded.
    """
    begin = time.perf_counter()
    missing = names
    while missing := [name for name in missing if context.find(name) is None]:
        if fleet.events:
            raise RunFailedError(str(fleet.events[0].data["message"]))
        time.sleep(0.01)
    return (time.perf_counter() - begin) / len(names)


def _seconds(ours: ssl.SSLContext, names: list[str], bare: ssl.SSLContext) -> list[float]:
    """Return the processor time that each context took. They take turns, so that other work hits all alike."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    taken = [0.0, 0.0]
    (single,) = _names(1)
    for _ in range(_COUNT):
        for side, (server, name) in enumerate([(ours, random.choice(names)), (bare, single)]):
            begin = time.thread_time()
            _handshake(client, server, name)
            taken[side] += time.thread_time() - begin
    return taken


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = client.wrap_bio(down, up, server_hostname=name)
    ours = server.wrap_bio(up, down, server_side=True)
    for side in (theirs, ours, theirs, ours):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert theirs.getpeercert(binary_form=True)


def _each(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    for _ in range(1000):
        call()
    return (time.perf_counter() - begin) / 1000


if __name__ == "__main__":
    figures = fleet_handshakes(int(sys.argv[1]) if len(sys.argv) > 1 else None)
    print(page.table(figures))
    print(json.dumps([figure.to_dict() for figure in figures], ensure_ascii=False))
