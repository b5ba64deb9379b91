"""The status of a fleet: a few aggregates of the database, regardless of the number of certificates."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from dnsrenew.base import threads
from dnsrenew.base.model import CA, Result, rfc3339
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.challenges import CHALLENGES
from dnsrenew.config.documents import CertificateDocuments, needed
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.served_certificates import Why, words_of
from dnsrenew.extensions.fleet.database.wanted import OF_TAG
from dnsrenew.store.ledger import ANY, NEW_ORDERS
from dnsrenew.store.records import Debts
from dnsrenew.store.state import LONGEST

SHOWN: Final = 10
"""The number of most overdue certificates that are listed by name."""
LACKING: Final = 100
"""The number of certificates without a worker that are listed by name."""

# A valid certificate whose state was written is checked by the next worker, which is not a renewal.
IS_DUE: Final = """due <= now() AND (
    due <= now() - interval '1 minute' OR expires IS NULL OR expires <= now()
    OR COALESCE(state -> 'revoked' = 'true' OR state -> 'failures' > '0', false)
)"""
"""The condition of a certificate that a worker should renew now."""
_COUNTS: Final = f"""
SELECT count(*) FILTER (WHERE state = 'valid'), count(*) FILTER (WHERE state = 'missing'),
  count(*) FILTER (WHERE state = 'expired'), count(*) FILTER (WHERE state = 'revoked'),
  count(*) FILTER (WHERE is_due), count(*) FILTER (WHERE is_failing),
  (SELECT count(*) FROM dnsrenew_certificate WHERE wanted IS NULL AND version IS NOT NULL AND {OF_TAG})
FROM (
  SELECT {IS_DUE} AS is_due, COALESCE(state -> 'failures' > '0', false) AS is_failing,
    CASE
      WHEN version IS NULL OR expires IS NULL THEN 'missing'
      WHEN expires <= now() THEN 'expired'
      WHEN state -> 'revoked' = 'true' THEN 'revoked'
      ELSE 'valid'
    END AS state
  FROM dnsrenew_certificate WHERE wanted IS NOT NULL AND {OF_TAG}
) AS certificate
"""  # noqa: S608  # of constants
_OVERDUE: Final = f"""
SELECT name, due FROM dnsrenew_certificate
WHERE wanted IS NOT NULL AND {OF_TAG} AND {IS_DUE} AND name <> ALL(%(doing)s) ORDER BY due, name LIMIT %(shown)s
"""  # noqa: S608  # of constants
_WORKERS: Final = """
WITH held AS MATERIALIZED (
  SELECT (classid::bigint << 32) | objid::bigint AS lock FROM pg_locks
  WHERE locktype = 'advisory' AND objsubid = 1 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), doing AS (
  SELECT holder, array_agg(substr(key, length('certificate-') + 1) ORDER BY key) AS names FROM dnsrenew_lock
  WHERE key LIKE 'certificate-%' AND hashtextextended('dnsrenew:' || key, 0) IN (SELECT lock FROM held)
  GROUP BY holder
)
SELECT host, pid, COALESCE(names, '{}')
FROM dnsrenew_holder JOIN dnsrenew_alive USING (id) LEFT JOIN doing ON doing.holder = id
WHERE worker ORDER BY host, pid
"""
_ISSUED: Final = "SELECT ca, count(*) FROM dnsrenew_issued WHERE issued > now() - %(window)s GROUP BY ca ORDER BY ca"
_ISSUED_OF_TAG: Final = f"""
SELECT ca, count(*) FROM dnsrenew_version WHERE issued > now() - %(window)s AND ca IS NOT NULL
  AND name IN (SELECT name FROM dnsrenew_certificate WHERE wanted IS NOT NULL AND {OF_TAG}) GROUP BY ca ORDER BY ca
"""  # noqa: S608  # of constants
# As in dnsrenew.store.state, a wait from a wrong clock does not count.
_LIMITS: Final = """
WITH held AS (
    SELECT directory, max(until) FILTER (WHERE key = %(any)s) AS until, max(url) FILTER (WHERE key = %(any)s) AS url,
        count(*) FILTER (WHERE key <> %(any)s) AS sets
    FROM dnsrenew_limit
    WHERE kind = 'waits' AND until > now() AND until - since <= %(longest)s
        AND since - now() <= least(until - since, interval '1 day')
    GROUP BY directory
)
SELECT directory, until, COALESCE(sets, 0), url
FROM (SELECT directory FROM dnsrenew_account UNION SELECT directory FROM held) AS known LEFT JOIN held USING (directory)
"""
_NOTED: Final = f"""
SELECT name, content FROM dnsrenew_document JOIN dnsrenew_certificate USING (name)
WHERE kind = %(kind)s AND wanted IS NOT NULL AND {OF_TAG} ORDER BY name LIMIT %(lacking)s
"""  # noqa: S608  # of constants


class WorkerStatus(Result, kw_only=True, public=True):
    """A live worker of a fleet."""

    host: str
    """The name of its machine."""
    pid: int
    """The process ID of the worker on its machine."""
    doing: tuple[str, ...]
    """The names of the certificates that it is working on."""


class CaLimits(Result, kw_only=True, public=True):
    """The remaining limits of a CA, according to its answers."""

    until: datetime | None
    """The time until which it accepts no order at all, in UTC; None if it accepts orders."""
    held: int
    """The number of sets of names, or names, for which it would refuse an order now."""
    pause_url: str | None = None
    """The page where a person can end the pause of the account; None if it is not paused."""
    left: int | None = None
    """The approximate number of orders that the account's limit allows now, according to the certificates that the
    fleet has recently obtained. Failed orders and orders of others count at the CA too, and renewals by ARI may not.
    None if the limit is unknown.
    """


class FleetStatus(Frozen, kw_only=True, public=True):
    """The status of a fleet, or of the certificates with a tag, with the fields of ``fleet status --json``."""

    counts: Mapping[str, int]
    """The number of certificates by state: ``valid``, ``missing``, ``expired``, ``revoked``."""
    due: int
    """The number of certificates to be renewed now, waiting for a worker or in progress."""
    failing: int
    """The number of certificates that failed the last time."""
    most_overdue: tuple[tuple[str, datetime], ...]
    """The certificates that have waited the longest, each with the time since when, in UTC; at most ten.

    A certificate in progress does not wait.
    """
    workers: tuple[WorkerStatus, ...]
    """The live workers."""
    last_hour: Mapping[str, int]
    """The number of certificates issued in the last hour, by the name of the CA.

    With a tag, removed certificates do not count.
    """
    limits: Mapping[str, CaLimits]
    """The remaining limits of each CA, by its name."""
    lacking: Mapping[str, tuple[str, ...]]
    """Certificates that no worker takes, or that this configuration cannot renew, with the missing accounts and CAs; at
    most a hundred.
    """
    stored_only: int = 0
    """The number of certificates that are stored and not wanted, such as after ``fleet load``.

    No worker renews them.
    """
    refused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Certificates whose document in the database a worker has refused, with the keys that are wrong or forbidden by
    ``documents = "plain"``; at most a hundred.
    """
    owed: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The ``after`` programs that interrupted workers of this machine owe, each after the name of its certificate.

    Until then, a server may be stopped.
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "version": 1,
            **vars(self),
            "most_overdue": [{"name": name, "since": rfc3339(since)} for name, since in self.most_overdue],
            "workers": [worker.to_dict() for worker in self.workers],
            "limits": {ca: limits.to_dict() for ca, limits in self.limits.items()},
            "lacking": [{"name": name, "lacks": list(lacks)} for name, lacks in self.lacking.items()],
            "refused": [{"name": name, "keys": list(keys)} for name, keys in self.refused.items()],
            "owed": [{"name": name, "program": list(program)} for name, program in self.owed],
        }


def fleet_status(
    database: Database,
    cas: Mapping[str, CA],
    tag: str | None = None,
    documents: CertificateDocuments | None = None,
    debts: Debts | None = None,
) -> FleetStatus:
    """Return the status of a fleet.

    :param cas: the CAs of the configuration, by name.
    :param tag: count only certificates with this tag; workers and limits are for all certificates.
    :param documents: the documents reader of the configuration, to report what it lacks too; None to report only what
        every worker lacks.
    :param debts: the debts of this machine; None if they are not reported.
    :raises StoreError: the database cannot be read.
    """
    lacking = threads.start(partial(_lacking, database, documents, tag))  # it scans as much as the counts
    try:
        found = _without_lacking(database, cas, tag)
    finally:
        lacking.done.wait()
    owed = tuple((debt.certificate, debt.program) for debt in (debts.owed() if debts is not None else ()))
    return replace(found, lacking=lacking.result(), owed=owed)


def _without_lacking(database: Database, cas: Mapping[str, CA], tag: str | None) -> FleetStatus:
    given = {"tag": tag, "shown": SHOWN, "window": timedelta(hours=1)}
    counted = database.one(_COUNTS, given)
    valid, missing, expired, revoked, due, failing, stored_only = counted or (0,) * 7
    rows = database.fetch(_WORKERS)
    workers = tuple(WorkerStatus(host=host, pid=pid, doing=tuple(names)) for host, pid, names in rows)
    doing = [name for worker in workers for name in worker.doing]
    overdue = tuple((name, since) for name, since in database.fetch(_OVERDUE, {**given, "doing": doing}))
    names: dict[str, str] = {ca.directory: name for name, ca in cas.items()}
    limits = {
        names.get(str(directory), str(directory)): CaLimits(until=until, held=held, pause_url=url)
        for directory, until, held, url in database.fetch(_LIMITS, {"any": ANY, "longest": LONGEST})
    }
    limits |= _with_left(database, cas, limits)
    return FleetStatus(
        counts={"valid": valid, "missing": missing, "expired": expired, "revoked": revoked},
        due=due,
        failing=failing,
        most_overdue=overdue,
        workers=workers,
        last_hour=dict(database.fetch(_ISSUED if tag is None else _ISSUED_OF_TAG, given)),
        limits=dict(sorted(limits.items())),
        lacking={},
        stored_only=stored_only,
        refused=_noted(database, tag, "refused"),
    )


def _lacking(database: Database, documents: CertificateDocuments | None, tag: str | None) -> dict[str, tuple[str, ...]]:
    """Return what certificates lack: notes of workers that checked them, and tables that are missing now."""
    found = {**_noted(database, tag, "lacks"), **find_lacking(database, documents, tag, LACKING)}
    return dict(sorted(found.items())[:LACKING])


def _noted(database: Database, tag: str | None, kind: Why) -> dict[str, tuple[str, ...]]:
    """Return the notes of workers about certificates that they do not take."""
    rows = database.fetch(_NOTED, {"tag": tag, "kind": kind, "lacking": LACKING})
    return {name: words_of(words) for name, words in rows}


def _with_left(database: Database, cas: Mapping[str, CA], limits: Mapping[str, CaLimits]) -> dict[str, CaLimits]:
    """Return the limits of the CAs whose limit of orders is known, with the remaining orders."""
    known = {name: NEW_ORDERS[ca.directory] for name, ca in cas.items() if ca.directory in NEW_ORDERS}
    found = {}
    for window in {limit.window for name, limit in known.items() if name in limits}:
        ordered: dict[str, int] = dict(database.fetch(_ISSUED, {"window": window}))
        for name, limit in known.items():
            if name in limits and limit.window == window:
                same = (other for other, ca in cas.items() if ca.directory == cas[name].directory)
                left = limit.count - sum(ordered.get(other, 0) for other in same)
                found[name] = replace(limits[name], left=max(left, 0) if limits[name].until is None else 0)
    return found


# ── lacking ────────────────────────────────────────────────────────────────────────────

# Certificates that no worker can renew, because its configuration lacks a DNS account or CA.
#
# Each worker records in its row what its file has, so that all certificates can be compared with it at any time, even
# certificates that are not due.

_NOTE: Final = """
UPDATE dnsrenew_holder SET tables = %(tables)s WHERE id = %(holder)s AND tables IS DISTINCT FROM %(tables)s::text[]
"""
_LACKING_WORKERS: Final = """
SELECT DISTINCT tables FROM dnsrenew_holder JOIN dnsrenew_alive USING (id) WHERE worker AND tables IS NOT NULL
"""
# A few look-ups in each document, without parsing it: 100,000 of them take 0.1 to 0.2 s.
_HAS: Final = """(
    %({of}_any)s AND NOT wanted ?| ARRAY['ca', 'routes']
    OR (wanted ->> 'ca' IS NULL OR wanted -> 'ca' <@ %({of}_cas)s::jsonb)
    AND jsonb_path_query_array(wanted, '$.routes[*].ca ? (@ != null)') <@ %({of}_cas)s::jsonb
    AND jsonb_path_query_array(wanted, '$.routes[*].dns[*] ? (@ != null)') <@ %({of}_accounts)s::jsonb
    AND (%({of}_any)s OR wanted ? 'routes'
        AND NOT jsonb_path_exists(
            wanted, '$.routes[*] ? (@.challenge == $written[*] && !exists (@.dns))', %(written)s::jsonb
        ))
)"""
"""Whether a file has everything that a document needs. For a few without an account, the document itself decides."""
_CANDIDATES: Final = f"""
SELECT name, wanted FROM dnsrenew_certificate
WHERE wanted IS NOT NULL AND {OF_TAG} AND ({{condition}}) ORDER BY name LIMIT %(most)s
"""  # noqa: S608  # of constants


_File = tuple[str, ...]
"""The contents of a file: ``dns.NAME``, ``ca.NAME``, and ``dns`` if a document may name no account."""


def _given(of: str, file: _File) -> dict[str, Any]:
    """Return the parameters of :data:`_HAS`."""
    cas = [key.removeprefix("ca.") for key in file if key.startswith("ca.")]
    accounts = [key.removeprefix("dns.") for key in file if key.startswith("dns.")]
    return {f"{of}_cas": json.dumps(cas), f"{of}_accounts": json.dumps(accounts), f"{of}_any": "dns" in file}


def note_tables(database: Database, holder: int, documents: CertificateDocuments) -> None:
    """Record the accounts and CAs in the file of a worker.

    :param holder: the id of the worker's process.
    """
    database.execute(_NOTE, {"holder": holder, "tables": documents.keys()})


def find_lacking(
    database: Database, documents: CertificateDocuments | None, tag: str | None, most: int
) -> dict[str, tuple[str, ...]]:
    """Return certificates for which a table is missing in this file, or in the file of every live worker.

    :param documents: the documents reader of this file; None if only workers count.
    :param most: the maximum number of certificates.
    """
    workers = [tuple(tables) for (tables,) in database.fetch(_LACKING_WORKERS)]
    own = [] if documents is None else [tuple(documents.keys())]
    groups = [group for group in (own, workers) if group]
    if own and set(own) <= set(workers):  # what every worker lacks is missing here too
        groups = [own]
    if not groups:
        return {}
    written = [name for name, its in CHALLENGES.items() if its.writes_dns]
    given: dict[str, Any] = {"tag": tag, "most": most, "written": json.dumps({"written": written})}
    conditions = []
    for number, group in enumerate(groups):
        names = [f"file_{number}_{index}" for index in range(len(group))]
        for name, file in zip(names, group, strict=True):
            given |= _given(name, file)
        conditions.append(" AND ".join(f"NOT {_HAS.format(of=name)}" for name in names))
    rows = database.fetch(_CANDIDATES.replace("{condition}", " OR ".join(f"({each})" for each in conditions)), given)
    found = {}
    for name, document in rows:
        here = [] if documents is None else documents.lacks(document)
        if lacks := dict.fromkeys([*here, *_missing_in_all(needed(document), workers)]):
            found[name] = tuple(lacks)
    return found


def _missing_in_all(keys: Iterable[str], workers: Sequence[_File]) -> list[str]:
    """Return the tables that every worker lacks; if there is no such table, the tables that one worker lacks."""
    missing = [[key for key in keys if key not in worker] for worker in workers]
    if not missing or not all(missing):
        return []
    common = [key for key in missing[0] if all(key in each for each in missing)]
    return common or missing[0]
