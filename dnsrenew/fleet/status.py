"""The status of a fleet: a few aggregates of the database, whatever the number of certificates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import Frozen
from dnsrenew.model import rfc3339
from dnsrenew.store.ledger.values import ANY
from dnsrenew.store.waits import LONGEST

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.model import CA
    from dnsrenew.store.database.connection import Database

SHOWN: Final = 10
"""The most overdue certificates of which the names are given."""
LACKING: Final = 100
"""The same, for those that lack an account."""

_COUNTS: Final = """
SELECT
    count(*) FILTER (WHERE state = 'valid'),
    count(*) FILTER (WHERE state = 'missing'),
    count(*) FILTER (WHERE state = 'expired'),
    count(*) FILTER (WHERE state = 'revoked'),
    count(*) FILTER (WHERE is_due),
    count(*) FILTER (WHERE is_failing)
FROM (
    SELECT
        CASE
            WHEN version IS NULL OR expires IS NULL THEN 'missing'
            WHEN expires <= now() THEN 'expired'
            WHEN state -> 'revoked' = 'true' THEN 'revoked'
            ELSE 'valid'
        END AS state,
        due <= now() AS is_due,
        COALESCE(state -> 'failures' > '0', false) AS is_failing
    FROM dnsrenew_certificate
    WHERE wanted IS NOT NULL AND (%(tag)s::text IS NULL OR tags @> ARRAY[%(tag)s::text])
) AS certificate
"""
_OVERDUE: Final = """
SELECT name, due
FROM dnsrenew_certificate
WHERE wanted IS NOT NULL AND (%(tag)s::text IS NULL OR tags @> ARRAY[%(tag)s::text]) AND due <= now()
ORDER BY due, name LIMIT %(shown)s
"""
_WORKERS: Final = """
WITH held AS MATERIALIZED (
    SELECT (classid::bigint << 32) | objid::bigint AS lock FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), doing AS (
    SELECT holder, array_agg(substr(key, length('certificate-') + 1) ORDER BY key) AS names
    FROM dnsrenew_lock
    WHERE key LIKE 'certificate-%' AND hashtextextended('dnsrenew:' || key, 0) IN (SELECT lock FROM held)
    GROUP BY holder
)
SELECT host, pid, COALESCE(names, '{}')
FROM dnsrenew_holder JOIN dnsrenew_alive USING (id) LEFT JOIN doing ON doing.holder = id
WHERE worker
ORDER BY host, pid
"""
_LAST_HOUR: Final = """
SELECT ca, count(*)
FROM dnsrenew_version
WHERE issued > now() - interval '1 hour' AND ca IS NOT NULL AND (
    %(tag)s::text IS NULL OR name IN (
        SELECT name
        FROM dnsrenew_certificate WHERE wanted IS NOT NULL AND (%(tag)s::text IS NULL OR tags @> ARRAY[%(tag)s::text])
    )
)
GROUP BY ca ORDER BY ca
"""
# As dnsrenew.store.waits: a wait that a wrong clock has stored is none.
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
_LACKING: Final = """
SELECT certificate.name, content
FROM dnsrenew_document AS document
JOIN dnsrenew_certificate AS certificate ON certificate.name = document.name
WHERE kind = 'lacks' AND wanted IS NOT NULL AND (%(tag)s::text IS NULL OR tags @> ARRAY[%(tag)s::text])
ORDER BY certificate.name LIMIT %(lacking)s
"""


class WorkerStatus(Frozen, kw_only=True, public=True):
    """A worker of a fleet that is alive."""

    host: str
    """The name of its machine."""
    pid: int
    """Its process there."""
    doing: tuple[str, ...]
    """The names of the certificates that it works on."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"host": self.host, "pid": self.pid, "doing": list(self.doing)}


class CaLimits(Frozen, kw_only=True, public=True):
    """What the limits of a CA leave, as far as the answers of the CA tell."""

    until: datetime | None
    """Before when it takes no order at all, in UTC; None: it takes orders."""
    held: int
    """For how many sets of names, or names, it would refuse an order now."""
    pause_url: str | None = None
    """Where a person ends the pause of the account; None: it is not paused."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"until": rfc3339(self.until), "held": self.held, "pause_url": self.pause_url}


class FleetStatus(Frozen, kw_only=True, public=True):
    """The status of a fleet, or of the certificates with a tag; the fields are those of ``fleet status --json``."""

    counts: Mapping[str, int]
    """The number of certificates by state: ``valid``, ``missing``, ``expired``, ``revoked``."""
    due: int
    """How many wait for a worker, or are being worked on."""
    failing: int
    """How many have failed the last time."""
    most_overdue: tuple[tuple[str, datetime], ...]
    """Those that have waited the longest, with the time since when, in UTC; ten at most."""
    workers: tuple[WorkerStatus, ...]
    """The workers that are alive."""
    last_hour: Mapping[str, int]
    """The certificates of the last hour, by the name of the CA."""
    limits: Mapping[str, CaLimits]
    """What the limits of each CA leave, by its name."""
    lacking: Mapping[str, tuple[str, ...]]
    """Certificates that no worker takes, with the accounts and CAs that its file lacks; a hundred at most."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "version": 1,
            "counts": dict(self.counts),
            "due": self.due,
            "failing": self.failing,
            "most_overdue": [{"name": name, "since": rfc3339(since)} for name, since in self.most_overdue],
            "workers": [worker.to_dict() for worker in self.workers],
            "last_hour": dict(self.last_hour),
            "limits": {ca: limits.to_dict() for ca, limits in self.limits.items()},
            "lacking": [{"name": name, "lacks": list(lacks)} for name, lacks in self.lacking.items()],
        }


def fleet_status(database: Database, cas: Mapping[str, CA], tag: str | None = None) -> FleetStatus:
    """Return the status of a fleet.

    :param cas: the CAs of the configuration, by name.
    :param tag: count only certificates with this tag; workers and limits are those of all.
    :raises StoreError: the database cannot be read.
    """
    given = {"tag": tag, "shown": SHOWN, "lacking": LACKING}
    counted = database.one(_COUNTS, given)
    valid, missing, expired, revoked, due, failing = counted or (0,) * 6
    overdue = tuple((name, since) for name, since in database.fetch(_OVERDUE, given))
    workers = tuple(
        WorkerStatus(host=host, pid=pid, doing=tuple(names)) for host, pid, names in database.fetch(_WORKERS)
    )
    names: dict[str, str] = {ca.directory: name for name, ca in cas.items()}
    limits = {
        names.get(str(directory), str(directory)): CaLimits(until=until, held=held, pause_url=url)
        for directory, until, held, url in database.fetch(_LIMITS, {"any": ANY, "longest": LONGEST})
    }
    return FleetStatus(
        counts={"valid": valid, "missing": missing, "expired": expired, "revoked": revoked},
        due=due,
        failing=failing,
        most_overdue=overdue,
        workers=workers,
        last_hour=dict(database.fetch(_LAST_HOUR, given)),
        limits=dict(sorted(limits.items())),
        lacking={name: tuple(json.loads(bytes(lacks))) for name, lacks in database.fetch(_LACKING, given)},
    )
