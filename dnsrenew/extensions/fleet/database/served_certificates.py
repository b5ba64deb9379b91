"""The data that servers read: every certificate with its names, changes, and certificates with keys."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.seal import Seals, place
from dnsrenew.store import json_files

CHANNEL: Final = "dnsrenew_changed"
"""The channel that is notified, with the certificate's name, in each transaction that changes or removes one."""

# The content of `state` is checked here and not there, because one damaged value must not hide all other certificates.
_COLUMNS: Final = """
SELECT name, version, state->>'not_before', EXTRACT(EPOCH FROM COALESCE(expires, 'epoch'))::bigint,
    state->'identifiers', identifiers
"""
_SERVED: Final = f"{_COLUMNS} FROM dnsrenew_certificate"
_PAIRS: Final = f"""
{_COLUMNS}, chain, key
FROM dnsrenew_certificate JOIN dnsrenew_version USING (name) WHERE number = version AND name = ANY(%s)
"""  # constants
_MISSING: Final = """
SELECT name FROM unnest(%s::text[]) AS name
WHERE NOT EXISTS (SELECT FROM dnsrenew_certificate AS known WHERE known.name = name.name AND known.version IS NOT NULL)
"""
# The counter of the statistics shows removals without reading a row.
_PULSE: Final = "SELECT last_value, pg_stat_get_tuples_deleted('dnsrenew_certificate'::regclass) FROM dnsrenew_change"


class ServedCertificate(Frozen):
    """The current version of a certificate.

    :ivar version: its number; None if there is none yet, which :meth:`ServedCertificates.all` leaves out.
    :ivar begin: of its validity, seconds since 1970.
    :ivar end: of its validity, seconds since 1970.
    :ivar names: as A-labels; ``*.example.com`` for a wildcard.
    """

    certificate: str
    version: int | None
    begin: int
    end: int
    names: Sequence[str]


class Pulse(Frozen):
    """A few bytes that show whether anything has changed.

    :ivar changed: the number of the last change, even if it is not committed yet.
    :ivar removals: grows with each removed certificate, some seconds late; a crash of the server sets it to 0.
    """

    changed: int
    removals: int


class SealedPair(ServedCertificate):
    """A current certificate with its key.

    :ivar chain: the certificate and its chain, PEM.
    :ivar key: the private key in its stored form; :meth:`ServedCertificates.opened` opens it.
    """

    chain: str
    key: bytes


class ServedCertificates(Frozen, hidden=("seals",)):
    """Reads what servers need. Every method raises ``StoreError`` if the database does not answer."""

    database: Database
    seals: Seals

    def all(self) -> Iterator[ServedCertificate]:
        """Yield every current certificate with a cursor of the server, in constant memory."""
        return map(_served, self.database.stream(f"{_SERVED} WHERE version IS NOT NULL"))

    def named(self, certificates: Sequence[str]) -> list[ServedCertificate]:
        """Return these certificates, except removed ones."""
        return [_served(row) for row in self.database.fetch(f"{_SERVED} WHERE name = ANY(%s)", (list(certificates),))]

    def changed_since(self, number: int) -> Iterator[ServedCertificate]:
        """Yield the certificates that have changed after the change with this number."""
        return map(_served, self.database.stream(f"{_SERVED} WHERE changed > %s", (number,)))

    def missing(self, certificates: Sequence[str]) -> list[str]:
        """Return the removed ones of these certificates."""
        return [name for (name,) in self.database.fetch(_MISSING, (list(certificates),))]

    def pulse(self) -> Pulse:
        """Return whether anything has changed."""
        row = self.database.one(_PULSE)
        assert row is not None  # noqa: S101  # a sequence has one row
        return Pulse(*row)

    def pairs(self, certificates: Sequence[str]) -> list[SealedPair]:
        """Return the current versions of these certificates."""
        rows = self.database.fetch(_PAIRS, (list(certificates),))
        return [SealedPair(**vars(_served(row)), chain=chain, key=bytes(key)) for *row, chain, key in rows]

    def opened(self, pair: SealedPair) -> bytes:
        """Return the private key, PEM.

        :raises StoreError: ``seal-wrong``.
        """
        return self.seals.open(pair.key, place("version", pair.certificate, pair.version))


def _served(row: Sequence[Any]) -> ServedCertificate:
    name, version, begin, end, stored, wanted = row
    return ServedCertificate(name, version, _seconds(begin), end, _names(stored, wanted))


def _seconds(time: str | None) -> int:
    with contextlib.suppress(ValueError):
        return int(datetime.fromisoformat(time or "").timestamp())
    return 0


def _names(stored: Any, wanted: list[str]) -> list[str]:
    """Return the names of a certificate from its state, or the wanted names if the state is damaged."""
    is_whole = isinstance(stored, list) and all(isinstance(name, str) for name in stored)
    return stored if is_whole else wanted


# ── due dates ──────────────────────────────────────────────────────────────────────────

# Which certificates of a fleet a worker checks, and when: the column ``due``. The database's clock decides.

LOCK: Final = "dnsrenew:"
"""The prefix of our jobs' queueing locks, followed by the name of the certificate."""
Why = Literal["lacks", "refused"]
"""Why no worker takes a certificate: the tables that every file lacks, or the refused keys of its document."""
RENEW: Final = "dnsrenew.renew"
"""The task of procrastinate that checks one certificate."""

# NOT IN instead of NOT EXISTS, because it is hashed once, even with bad statistics of a busy table.
_DUE: Final = """
SELECT name, left_ FROM (
  SELECT name, COALESCE(EXTRACT(EPOCH FROM expires - now()), 0)::double precision AS left_ FROM dnsrenew_certificate
  WHERE wanted IS NOT NULL AND due <= now() ORDER BY COALESCE(expires, now()), name LIMIT %s
) AS most_urgent
WHERE 'dnsrenew:' || name NOT IN (
  SELECT queueing_lock FROM procrastinate_jobs
  WHERE status IN ('todo', 'doing') AND task_name = 'dnsrenew.renew' AND queueing_lock IS NOT NULL
)
ORDER BY left_, name
"""
_ROW: Final = """
SELECT wanted, hashtextextended(wanted::text, 0), slot,
  (SELECT content FROM dnsrenew_document AS note WHERE note.name = certificate.name AND note.kind = 'lacks'),
  EXISTS (SELECT FROM dnsrenew_document AS note WHERE note.name = certificate.name AND note.kind = 'refused')
FROM dnsrenew_certificate AS certificate
WHERE name = %s AND wanted IS NOT NULL
"""
_SETTLE: Final = """
UPDATE dnsrenew_certificate SET due = %s
WHERE name = %s AND due = %s AND hashtextextended(wanted::text, 0) = %s
"""
_NOTE: Final = """
INSERT INTO dnsrenew_document (name, kind, content)
SELECT name, %(kind)s, %(words)s FROM dnsrenew_certificate
WHERE name = %(name)s AND wanted IS NOT NULL FOR KEY SHARE
ON CONFLICT (name, kind) DO UPDATE SET content = EXCLUDED.content, made = now()
"""


# The scan of each minute does it too; one waiting job is enough.
_SCAN_SOON: Final = """
SELECT procrastinate_defer_jobs_v1(ARRAY[(
    'dnsrenew', 'dnsrenew.scan', 2147483647, NULL, 'dnsrenew.scan', '{}', NULL
)::procrastinate_job_to_defer_v1])
WHERE NOT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = 'dnsrenew.scan')
"""


def words_of(note: bytes) -> tuple[str, ...]:
    """Return the words of a note (:meth:`DueDates.note`), whose stored value may be anything."""
    words = json_files.value(bytes(note))
    return tuple(word for word in words if isinstance(word, str)) if isinstance(words, list) else ()


class DueCertificate(Frozen):
    """A certificate that a worker must check.

    :ivar seconds_left: the seconds until it expires; negative after that, 0 before the first version.
    """

    name: str
    seconds_left: float


class WantedRow(Frozen):
    """The wanted certificate.

    :ivar document: the keys of ``[[certificate]]``; None if it is nested more deeply than our JSON can be.
    :ivar mark: a mark that changes with the document.
    :ivar lacks: the recorded tables that a worker's file lacked for it.
    :ivar refused: whether a worker has recorded that it refuses the document.
    """

    document: Any
    mark: int
    slot: float
    lacks: tuple[str, ...]
    refused: bool


class DueDates(Frozen):
    """The column ``due``. Every write of a state, and every change of a document, sets it to now."""

    database: Database

    def due(self, most: int) -> list[DueCertificate]:
        """Return due certificates without a job, of the ``most`` with the least time left, most urgent first."""
        return [DueCertificate(*row) for row in self.database.fetch(_DUE, (most,))]

    def scan_soon(self) -> None:
        """Let a worker look for due certificates within seconds instead of within a minute."""
        with contextlib.suppress(StoreError):  # another program has requested it at the same moment
            self.database.fetch(_SCAN_SOON)

    def row(self, name: str) -> WantedRow | None:
        """Return the wanted certificate, or None."""
        found = self.database.one(_ROW, (name,))
        if found is None:
            return None
        document, mark, slot, lacks, refused = found
        return WantedRow(document, mark, slot, () if lacks is None else words_of(lacks), refused)

    def since(self, name: str) -> datetime | None:
        """Return the time since when a certificate is due; None if it does not exist."""
        found = self.database.one("SELECT due FROM dnsrenew_certificate WHERE name = %s", (name,))
        return None if found is None else found[0]

    def settle(self, name: str, at: datetime, *, since: datetime, mark: int) -> bool:
        """Set the next check of a certificate, unless something has changed since: then it is due.

        :param since: the result of :meth:`since` before reading the state from which ``at`` follows.
        :param mark: the mark of the wanted certificate.
        :returns: whether it was set.
        """
        return self.database.execute(_SETTLE, (at, name, since, mark)) > 0

    def note(self, name: str, kind: Why, words: Sequence[str]) -> None:
        """Record why no worker takes a certificate, for the status of the fleet."""
        self.database.execute(_NOTE, {"name": name, "kind": kind, "words": json.dumps(list(words)).encode()})

    def forget(self, name: str, kind: Why) -> None:
        """Forget the note, because it is no longer true."""
        self.database.execute("DELETE FROM dnsrenew_document WHERE name = %s AND kind = %s", (name, kind))
