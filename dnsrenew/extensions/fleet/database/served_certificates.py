"""What servers read of the fleet: every certificate with its names, what has changed, and certificates with keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import Frozen
from dnsrenew.extensions.fleet.database.seal import place

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.database.connection import Database
    from dnsrenew.extensions.fleet.database.seal import Seals

CHANNEL: Final = "dnsrenew_changed"
"""Notified, with the name of the certificate, in each transaction that changes or removes one."""

# What is in `state` is checked here, not there: one damaged value must not hide all other certificates.
_COLUMNS: Final = """
SELECT name, version, state->>'not_before', EXTRACT(EPOCH FROM COALESCE(expires, 'epoch'))::bigint,
    state->'identifiers', identifiers
FROM dnsrenew_certificate
"""
_ALL: Final = f"{_COLUMNS} WHERE version IS NOT NULL"
_CHANGED: Final = f"{_COLUMNS} WHERE changed > %s"
_NAMED: Final = f"{_COLUMNS} WHERE name = ANY(%s)"
_MISSING: Final = """
SELECT name FROM unnest(%s::text[]) AS name
WHERE NOT EXISTS (SELECT FROM dnsrenew_certificate AS known WHERE known.name = name.name AND known.version IS NOT NULL)
"""
# The counter of the statistics finds removals without reading a row.
_PULSE: Final = """
SELECT last_value, pg_stat_get_tuples_deleted('dnsrenew_certificate'::regclass) FROM dnsrenew_change
"""
_PAIRS: Final = """
SELECT stored.name, stored.number, stored.chain, stored.key,
    EXTRACT(EPOCH FROM COALESCE(certificate.expires, 'epoch'))::bigint,
    certificate.state->'identifiers', certificate.identifiers
FROM dnsrenew_certificate AS certificate
JOIN dnsrenew_version AS stored ON stored.name = certificate.name AND stored.number = certificate.version
WHERE certificate.name = ANY(%s)
"""


class ServedCertificate(Frozen):
    """A certificate, by its version in force.

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
    """Whether anything has changed, in a few bytes.

    :ivar changed: the number of the last change, also of one that is not committed yet.
    :ivar removals: grows with each removed certificate, some seconds late; a crash of the server sets it to 0.
    """

    changed: int
    removals: int


class SealedPair(Frozen):
    """A certificate in force, with its key.

    :ivar chain: the certificate and its chain, PEM.
    :ivar key: the private key as it is stored; :meth:`ServedCertificates.opened` opens it.
    """

    certificate: str
    version: int
    chain: str
    key: bytes
    end: int
    names: Sequence[str]


class ServedCertificates(Frozen, hidden=("seals",)):
    """Reads what servers need. Every method raises ``StoreError`` if the database does not answer."""

    database: Database
    seals: Seals

    def all(self) -> Iterator[ServedCertificate]:
        """Give every certificate in force, by a cursor of the server: constant memory."""
        return map(_served, self.database.stream(_ALL))

    def named(self, certificates: Sequence[str]) -> list[ServedCertificate]:
        """Return these certificates, but those that are removed."""
        return [_served(row) for row in self.database.fetch(_NAMED, (list(certificates),))]

    def changed_since(self, number: int) -> Iterator[ServedCertificate]:
        """Give the certificates that have changed after the change with this number."""
        return map(_served, self.database.stream(_CHANGED, (number,)))

    def missing(self, certificates: Sequence[str]) -> list[str]:
        """Return those of these certificates that are removed."""
        return [name for (name,) in self.database.fetch(_MISSING, (list(certificates),))]

    def pulse(self) -> Pulse:
        """Return whether anything has changed."""
        row = self.database.one(_PULSE)
        assert row is not None  # noqa: S101  # a sequence has one row
        return Pulse(*row)

    def pairs(self, certificates: Sequence[str]) -> list[SealedPair]:
        """Return the versions in force of these certificates."""
        rows = self.database.fetch(_PAIRS, (list(certificates),))
        return [
            SealedPair(name, number, chain, bytes(key), end, _names(stored, wanted))
            for name, number, chain, key, end, stored, wanted in rows
        ]

    def opened(self, pair: SealedPair) -> bytes:
        """Return the private key, PEM.

        :raises StoreError: ``seal-wrong``.
        """
        return self.seals.open(pair.key, place("version", pair.certificate, pair.version))


def _served(row: tuple[Any, ...]) -> ServedCertificate:
    name, version, begin, end, stored, wanted = row
    return ServedCertificate(name, version, _seconds(begin), end, _names(stored, wanted))


def _seconds(time: str | None) -> int:
    try:
        return int(datetime.fromisoformat(time or "").timestamp())
    except ValueError:
        return 0


def _names(stored: Any, wanted: list[str]) -> list[str]:
    """Return the names of a certificate: those of its state, or those that are wanted if it is damaged."""
    is_whole = isinstance(stored, list) and all(isinstance(name, str) for name in stored)
    return stored if is_whole else wanted
