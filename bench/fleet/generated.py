"""Fleets of any size, written into the tables as workers leave them, and workers for them."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bench import processes
from bench.figures import Figure, Unit
from dnsrenew.base import x509
from dnsrenew.base.model import CertificateSpec, Route
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.schema import initialize
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.renewal.planner import route_key
from dnsrenew.store.state import Meta, State, issued_meta
from dnsrenew.testing.box.order_server import LIFETIME
from tests.kit.certificates import issuer
from tests.kit.postgres import PASSWORD, DatabaseAddress, Postgres
from tests.lab.settings import to_toml

SEAL: Final = b"bench" * 6 + b"!!"
ZONE: Final = "example.test"
ROUTE: Final = Route("dns-01", dns=("home",))
_MORE: Final = 1_000
KEPT: Final = 3
"""The versions of each certificate, as after years."""

# Of 1,000 certificates, 2 have never been issued, 1 has expired, 2 have failed the last time, 1 is revoked. The others
# are between 0 and 55 of 90 days old, and their renewal information is polled once in 6 to 7.5 hours.
_CERTIFICATES: Final = """
INSERT INTO dnsrenew_certificate (name, wanted, tags, origin, identifiers, state, version, expires, due)
SELECT name, jsonb_build_object('name', name, 'domains', jsonb_build_array(domain)),
  ARRAY['customer-' || number %% 5000], 'add', ARRAY[domain],
  CASE WHEN number %% 500 <> 7 THEN
    %(state)s::jsonb || CASE WHEN number %% 500 = 8 THEN %(failed)s::jsonb ELSE '{}' END
    || CASE WHEN number %% 1000 = 9 THEN '{"revoked": true}'::jsonb ELSE '{}' END
    || jsonb_build_object('domains', jsonb_build_array(domain), 'identifiers', jsonb_build_array(domain),
      'serial', md5(name), 'not_before', to_char(begin, %(form)s), 'not_after', to_char(begin + %(lifetime)s, %(form)s),
      'ari', jsonb_build_object('start', to_char(begin + %(lifetime)s * 0.647, %(form)s),
        'end', to_char(begin + %(lifetime)s * 0.687, %(form)s),
        'chosen', to_char(begin + %(lifetime)s * 0.66, %(form)s),
        'next_poll', to_char(poll, %(form)s), 'explanation', NULL)) END,
  CASE WHEN number %% 500 <> 7 THEN %(kept)s END, CASE WHEN number %% 500 <> 7 THEN begin + %(lifetime)s END, poll
FROM (
  SELECT number, 'c' || lpad(number::text, 8, '0') AS name,
    'c' || lpad(number::text, 8, '0') || '.example.test' AS domain,
    date_trunc('second', now() - CASE WHEN number %% 1000 = 11 THEN interval '95 days'
      ELSE (number * 0.61803398875 %% 1)::float8 * interval '55 days' END) AS begin,
    now() + %(first)s + (number * 0.7548776662 %% 1)::float8 * interval '6 hours'
      * (1 + 0.25 * (number * 0.5698402910 %% 1)::float8) AS poll
  FROM generate_series(1, %(count)s) AS number
) AS made
"""
_VERSIONS: Final = """
INSERT INTO dnsrenew_version (name, number, chain, key, meta, ca, issued)
SELECT name, number, %(chain)s, %(key)s, %(meta)s::jsonb || jsonb_build_object('domains', wanted -> 'domains',
    'identifiers', wanted -> 'domains', 'serial', md5(name || number)), 'lab',
  expires - %(lifetime)s - (%(kept)s - number) * interval '60 days'
FROM dnsrenew_certificate, generate_series(1, %(kept)s) AS number WHERE version IS NOT NULL
"""
_LOCKS: Final = """
INSERT INTO dnsrenew_lock (key, fence, holder) SELECT 'certificate-' || name, 3, 0 FROM dnsrenew_certificate
"""
_QUIET: Final = timedelta(hours=3)
"""So long none becomes due by itself: it would disturb what is measured."""
_RFC3339: Final = 'YYYY-MM-DD"T"HH24:MI:SS"Z"'


@dataclass(frozen=True)
class Fleet:
    """A fleet in a database.

    :ivar database: connections of the measurement itself.
    """

    server: Postgres
    address: DatabaseAddress
    database: Database

    def one(self, sql: str, *params: Any) -> Any:
        """Return the first value of a query."""
        row = self.database.one(sql, params)
        return row[0] if row else None

    def settle(self) -> None:
        """Run the server's maintenance now, so that it does not start in the middle of a measurement."""
        for statement in ("VACUUM ANALYZE", "CHECKPOINT"):
            with self.server.admin(self.address.name) as admin:
                admin.execute(statement.encode())

    def make_due(self, count: int, *, renew: bool = True, cas: int = 1) -> None:
        """Make the given number of valid certificates due.

        :param cas: the number of CAs that issued them.
        :param renew: whether a renewal is due. Otherwise only a poll of their renewal information is due.
        """
        change = (
            "state || jsonb_build_object('not_before', to_char(now() - interval '70 days', %(form)s),"
            " 'not_after', to_char(now() + interval '20 days', %(form)s), 'ari', NULL,"
            " 'ca', 'lab' || mod(substr(name, 2)::int, %(cas)s))"
            if renew
            else "jsonb_set(state, '{ari,next_poll}', to_jsonb(to_char(now() - interval '1 minute', %(form)s)))"
        )
        wanted = ", wanted = wanted || jsonb_build_object('ca', 'lab' || mod(substr(name, 2)::int, %(cas)s))"
        expires = f"{wanted}, expires = date_trunc('second', now() + interval '20 days')" if renew else ""
        self.database.execute(
            f"""
            UPDATE dnsrenew_certificate SET due = now() - interval '1 minute', state = {change} {expires}
            WHERE name IN (SELECT name FROM dnsrenew_certificate WHERE due > now() AND version IS NOT NULL
              AND expires > now() + interval '30 days' AND state ->> 'failures' = '0'
              AND state -> 'revoked' IS NULL ORDER BY due DESC LIMIT %(count)s)
            """,  # noqa: S608  # no text of others
            {"count": count, "form": _RFC3339, "cas": cas},
        )


def postgres() -> contextlib.AbstractContextManager[Postgres]:
    """Start a server with Debian's defaults, but a cache as for a small server, and a count of all statements."""
    return Postgres.running(shared_buffers="256MB", shared_preload_libraries="pg_stat_statements", max_wal_size="4GB")


@contextlib.contextmanager
def fleet(server: Postgres, count: int) -> Iterator[Fleet]:
    """Make a fleet with the given number of certificates."""
    address = server.new_database()
    with server.admin(address.name) as admin:
        admin.execute(b"CREATE EXTENSION pg_stat_statements")
    with contextlib.closing(Database(address, patience=600.0)) as database:
        made = Fleet(server, address, database)
        initialize(database, Seals([SEAL]))
        fill(database, count, first=_QUIET)
        made.settle()
        try:
            yield made
        finally:
            database.close()
            server.drop(address)


def fill(database: Database, count: int, *, first: timedelta) -> None:
    """Write the rows of the given number of certificates.

    :param first: the time from now until the first one is due.
    """
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    chain, key, meta = certificate(begin)
    state = State(worked=(route_key(ROUTE, "lab"),)).renewed(KEPT, meta)
    failed = state.failed("ca-server-error", "The CA lab answered newOrder with 500.", begin)
    values = {
        "count": count,
        "kept": KEPT,
        "first": first,
        "form": _RFC3339,
        "lifetime": LIFETIME,
        "chain": chain,
        "key": Seals([SEAL]).seal(key, "bench"),  # it is never opened
        "meta": meta.to_json().decode(),
        "state": state.to_json().decode(),
        "failed": json.dumps({key: json.loads(failed.to_json())[key] for key in ("failures", "last_failure")}),
    }
    for statement in (_CERTIFICATES, _VERSIONS, _LOCKS):
        database.execute(statement, values)


def certificate(begin: datetime) -> tuple[str, bytes, Meta]:
    """Return a chain, as long as those of public CAs, its key, and what is stored of it."""
    key, name = x509.new_key("ecdsa-p256"), f"c00000001.{ZONE}"
    root = issuer("A root of a public CA")
    chain = issuer("An intermediate of a public CA", root).sign(key.public_key(), [name], begin)
    pem, facts = x509.key_to_pem(key), x509.read_certificate(chain)
    # What the signatures of logs and of RSA keys add; it is never parsed.
    chain += f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(os.urandom(_MORE)).decode()}-----END CERTIFICATE-----\n"
    spec = CertificateSpec(name="c00000001", domains=(name,), identifiers=(name,), ca="lab", key="ecdsa-p256")
    sizes = {"privkey.pem": len(pem), "fullchain.pem": len(chain)}
    return chain, pem, issued_meta(spec, "lab", facts, sizes, State())


@contextlib.contextmanager
def folder(address: DatabaseAddress, **settings: Any) -> Iterator[tuple[Path, dict[str, str]]]:
    """Give a folder with the dnsrenew.toml of a fleet, and the environment for a process there."""
    tables = {
        "store": {"url": address.url, "password": "env:DATABASE_PASSWORD"},
        "contact": ["me@example.test"],
        "agree_terms": True,
        "default_ca": "lab",
        "ca": {"lab": {"directory": "https://127.0.0.1:9/directory"}},
        "dns": {"home": {"provider": "duckdns", "token": "literal:none"}},
        "fleet": {"seal": "env:DNSRENEW_BENCH_SEAL", "defaults": {"routes": [{"challenge": "dns-01", "dns": "home"}]}},
        **settings,
    }
    with tempfile.TemporaryDirectory(prefix="dnsrenew-bench-") as name:
        path = Path(name)
        (path / "dnsrenew.toml").write_text(to_toml(tables))
        (path / "dnsrenew.toml").chmod(0o600)
        secrets = {"DATABASE_PASSWORD": PASSWORD, "DNSRENEW_BENCH_SEAL": base64.b64encode(SEAL).decode()}
        yield path, processes.environment(path, secrets)


def figure(key: str, what: str, value: tuple[Unit, float], goal: float | None = None, detail: str = "") -> Figure:
    """Return a figure of one measurement."""
    unit, measured = value
    return Figure(key=key, what=what, unit=unit, goal=goal, value=measured, best=measured, detail=detail)
