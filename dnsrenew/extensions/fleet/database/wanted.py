"""The certificates that a fleet wants: a document for each (with the keys of ``[[certificate]]``), and its tags.

Tags show the owner of a certificate. A change that shares no tag with the existing certificate is refused. A
certificate without tags has no owner, and can be given tags.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final, Literal

from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.fleet.database.connection import Database, Row, in_parts
from dnsrenew.extensions.fleet.database.locks import acquire

Origin = Literal["add", "sync"]
"""The origin of a certificate: ``fleet add`` or a program, or the table of a configuration (``fleet sync``)."""
Clash = Literal["tags", "origin", "domain", "twice"]
"""Why a document is refused: the certificate has other tags or another origin, or one of its domains is in another
certificate with other tags, in the fleet or among the added ones.
"""

_AT_ONCE: Final = 1000
"""The number of rows of one statement."""
_PATIENCE: Final = 300.0
"""Seconds that each statement of a change may take."""
_WAIT: Final = 60.0
"""Seconds to wait for another program that adds certificates."""
_LIST: Final = "list of the certificates of the fleet"
"""The name of the lock."""
# It ends with the transaction, so that it is lost only together with the written data.
_TAKE: Final = "SELECT 1 WHERE pg_try_advisory_xact_lock(hashtextextended('dnsrenew:adding', 0))"

_STAGE: Final = """
CREATE TEMPORARY TABLE staged (
  number int NOT NULL, name text PRIMARY KEY, wanted jsonb NOT NULL, tags text[] NOT NULL, identifiers text[] NOT NULL
) ON COMMIT DROP
"""
_ROWS: Final = """
SELECT number, name, wanted, tags, identifiers FROM jsonb_to_recordset(%(rows)s::jsonb)
  AS row(number int, name text, wanted jsonb, tags text[], identifiers text[])
"""
_FEW: Final = f"WITH staged AS MATERIALIZED ({_ROWS})"
"""Before a statement: a few rows are given with it, so that adding one certificate creates no table."""
_COUNT: Final = """
SELECT count(*) FILTER (WHERE existing.wanted IS NULL),
  count(existing.wanted) FILTER (WHERE (existing.wanted, existing.tags) <> (staged.wanted, staged.tags)),
  count(existing.wanted) FILTER (WHERE (existing.wanted, existing.tags) = (staged.wanted, staged.tags))
FROM staged LEFT JOIN dnsrenew_certificate AS existing USING (name)
"""
# A missing or changed certificate is due at once: a worker checks whether it must be renewed. All changes
# lock rows in the same order, because two of them could wait for each other.
_WRITE: Final = """
INSERT INTO dnsrenew_certificate AS existing (name, wanted, tags, origin, identifiers, parents)
SELECT name, wanted, tags, %(origin)s, identifiers,
  ARRAY(SELECT DISTINCT '*.' || substr(one, strpos(one, '.') + 1) FROM unnest(identifiers) AS one WHERE one !~ '^[*]')
FROM staged ORDER BY name COLLATE "C"
ON CONFLICT (name) DO UPDATE SET
  wanted = EXCLUDED.wanted, tags = EXCLUDED.tags, origin = EXCLUDED.origin, identifiers = EXCLUDED.identifiers,
  parents = EXCLUDED.parents, due = now(), changed = nextval('dnsrenew_change')
WHERE (existing.wanted, existing.tags, existing.origin)
  IS DISTINCT FROM (EXCLUDED.wanted, EXCLUDED.tags, EXCLUDED.origin)
"""

OF_TAG: Final = "(%(tag)s::text IS NULL OR tags @> ARRAY[%(tag)s::text])"
"""The condition of a certificate with the given tag; without one, of every certificate."""
_READ: Final = "SELECT name, wanted, tags, origin FROM dnsrenew_certificate WHERE wanted IS NOT NULL"
_PAGE: Final = f"{_READ} AND name > %(after)s AND {OF_TAG} ORDER BY name LIMIT {_AT_ONCE}"
_ADDED: Final = """
SELECT name FROM dnsrenew_certificate WHERE wanted IS NOT NULL AND origin = 'add' AND name = ANY(%s) ORDER BY name
"""
_STORED: Final = f"""
SELECT name FROM dnsrenew_certificate WHERE version IS NOT NULL AND name > %(after)s ORDER BY name LIMIT {_AT_ONCE}
"""  # noqa: S608  # of constants
_OBTAINED: Final = "SELECT name FROM dnsrenew_certificate WHERE version IS NOT NULL AND name = ANY(%s) ORDER BY name"
_ONLY_STORED: Final = """
SELECT name, COALESCE(state ->> 'asked_by', '') FROM dnsrenew_certificate
WHERE wanted IS NULL AND version IS NOT NULL AND (%(names)s::text[] IS NULL OR name = ANY(%(names)s)) ORDER BY name
"""
_NUMBER: Final = "SELECT count(*) FROM dnsrenew_certificate WHERE wanted IS NOT NULL AND name <> ALL(%s)"
_WORKERS: Final = "SELECT count(*) FROM dnsrenew_holder JOIN dnsrenew_alive USING (id) WHERE worker"
_TROUBLED: Final = f"""
{_READ} AND name <> ALL(%(without)s) ORDER BY COALESCE(state -> 'failures' > '0', false) DESC, due, name LIMIT %(most)s
"""
# A run in progress loses its fence: it can write nothing any more, and does not restore the certificate.
_REMOVE: Final = (
    'SELECT FROM dnsrenew_lock WHERE key = ANY(%(locks)s) ORDER BY key COLLATE "C" FOR UPDATE',
    'SELECT FROM dnsrenew_certificate WHERE name = ANY(%(names)s) ORDER BY name COLLATE "C" FOR UPDATE',
    "DELETE FROM dnsrenew_lock WHERE key = ANY(%(locks)s)",
    "DELETE FROM dnsrenew_document WHERE name = ANY(%(names)s)",
    "DELETE FROM dnsrenew_version WHERE name = ANY(%(names)s)",
    "DELETE FROM dnsrenew_certificate WHERE name = ANY(%(names)s)",
    "SELECT count(pg_notify('dnsrenew_changed', name)) FROM unnest(%(names)s::text[]) AS name",
)


class NewDocument(Frozen):
    """A document to be added.

    :ivar number: the number of its line, or in its list; unique among the added documents.
    :ivar identifiers: its domains as A-labels.
    """

    number: int
    name: str
    wanted: dict[str, Any]
    tags: Sequence[str]
    identifiers: Sequence[str]


class FoundClash(Frozen):
    """Why a document is refused.

    :ivar number: the number of the document.
    :ivar other: the conflicting certificate, or the one with the same name.
    :ivar tags: the tags of the other certificate.
    :ivar domain: the domain as A-labels, or None.
    """

    number: int
    clash: Clash
    other: str
    tags: tuple[str, ...]
    domain: str | None


class AddedCounts(Frozen):
    """The results for documents."""

    added: int
    changed: int
    same: int


class WantedCertificate(Frozen):
    """A certificate that the fleet wants.

    :ivar document: its document in the database, which can be any JSON; None if it is nested too deeply.
    """

    name: str
    document: Any
    tags: tuple[str, ...]
    origin: Origin

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains of the document, if it has any."""
        found = self.document.get("domains") if isinstance(self.document, dict) else None
        listed = found if isinstance(found, list) else [found]
        return tuple(each for each in listed if isinstance(each, str))


class WantedCertificates(Frozen):
    """The certificates that the fleet wants. Each method raises ``StoreError`` if the database cannot be used."""

    database: Database

    def add(
        self, documents: Iterable[NewDocument], origin: Origin, context: Context | None = None
    ) -> AddedCounts | list[FoundClash]:
        """Add or change certificates: all, or, if some are refused, none.

        No other process adds until the transaction has ended, so that no domain is added twice.

        :param context: for the wait for other programs that add, at most a minute.
        :returns: the results, or the clashes, at most a hundred.
        :raises LockedError: another program adds certificates.
        :raises Cancelled: cancelled while waiting.
        """
        parts = in_parts(documents, _AT_ONCE)
        first, second = next(parts, ()), next(parts, ())
        with self.database.transaction(patience=_PATIENCE) as transaction:
            take = partial(transaction.fetch, _TAKE)
            acquire(take, "adding", _LIST, wait=_WAIT, context=context or Context())
            transaction.execute("SET LOCAL jit = off")  # compiling the search for clashes takes longer than the search
            given = {"origin": origin, "rows": _json_rows(first)}
            before, clashes = _FEW, CLASHES_OF_FEW
            if second:  # too many for one statement
                before, clashes = "", CLASHES
                transaction.execute(_STAGE)
                for part in chain([first, second], parts):
                    transaction.execute(f"INSERT INTO staged {_ROWS}", {"rows": _json_rows(part)})
                transaction.execute("ANALYZE staged")
            if rows := transaction.fetch(f"{before} {clashes}", given):
                return [FoundClash(line, clash, name, tuple(tags), domain) for line, clash, name, tags, domain in rows]
            counts = transaction.one(f"{before} {_COUNT}", given) or (0, 0, 0)
            transaction.execute(f"{before} {_WRITE}", given)
            return AddedCounts(*counts)

    def get(self, name: str) -> WantedCertificate | None:
        """Return the wanted certificate, or None."""
        row = self.database.one(f"{_READ} AND name = %s", (name,))
        return None if row is None else _wanted(row)

    def all(self, tag: str | None = None) -> Iterator[WantedCertificate]:
        """Yield all certificates in the order of their names, a thousand at a time.

        :param tag: only certificates with this tag.
        """
        yield from map(_wanted, self._in_pages(_PAGE, {"tag": tag}))

    def count(self, without: Sequence[str] = ()) -> int:
        """Return the number of certificates.

        :param without: names that do not count.
        """
        ((count,),) = self.database.fetch(_NUMBER, (list(without),))
        return int(count)

    def added_by_name(self, names: Sequence[str]) -> list[str]:
        """Return the names among these that were added by name, not by a configuration."""
        return [name for (name,) in self.database.fetch(_ADDED, (list(names),))]

    def obtained(self, names: Sequence[str]) -> list[str]:
        """Return which of these certificates were obtained, sorted."""
        return [name for (name,) in self.database.fetch(_OBTAINED, (list(names),))]

    def stored(self) -> Iterator[str]:
        """Yield the names of all certificates that were obtained, wanted or not, a thousand at a time."""
        yield from (name for (name,) in self._in_pages(_STORED, {}))

    def _in_pages(self, statement: str, given: Mapping[str, Any]) -> Iterator[Row]:
        """Yield all rows of a statement that returns a thousand in the order of their names, after a name."""
        after = ""
        while rows := self.database.fetch(statement, {**given, "after": after}):
            yield from rows
            after = rows[-1][0]

    def only_stored(self, names: Sequence[str] | None = None) -> dict[str, str]:
        """Return the obtained certificates that are not wanted, sorted, each with its last asker.

        :param names: only certificates with these names; None for all.
        """
        return dict(self.database.fetch(_ONLY_STORED, {"names": None if names is None else list(names)}))

    def troubled(self, most: int, without: Sequence[str] = ()) -> list[WantedCertificate]:
        """Return certificates: failing ones, then the ones that are due first.

        :param without: names to leave out.
        """
        return [_wanted(row) for row in self.database.fetch(_TROUBLED, {"most": most, "without": list(without)})]

    def workers(self) -> int:
        """Return the number of live workers, which obtain the wanted certificates."""
        ((count,),) = self.database.fetch(_WORKERS)
        return int(count)

    def remove(self, names: Sequence[str]) -> None:
        """Remove certificates with versions, keys and states in one transaction, and notify servers.

        Writes of a run in progress for one of them have no effect any more. Its TXT values stay in the journal.
        """
        with self.database.transaction(patience=_PATIENCE) as transaction:
            for part in in_parts(sorted(names), _AT_ONCE):  # two that remove the same ones wait for each other in turn
                given = {"names": part, "locks": [f"certificate-{name}" for name in part]}
                for statement in _REMOVE:
                    transaction.fetch(statement, given)


def _json_rows(part: Iterable[NewDocument]) -> str:
    return json.dumps([vars(document) for document in part], ensure_ascii=False)


def _wanted(row: tuple[Any, ...]) -> WantedCertificate:
    name, document, tags, origin = row
    return WantedCertificate(name, document, tuple(tags), origin or "add")


# ── clashes ────────────────────────────────────────────────────────────────────────────

# The statements that find out why documents must not be added to a fleet.
#
# Two domains clash if one certificate could be used for the other domain: they are equal, one is the wildcard that
# covers the other, or one is the wildcard below the other. Certificates that share a tag never clash, and neither do
# two without tags.

_OTHER: Final = "NOT {one}.tags && {two}.tags AND cardinality({one}.tags) + cardinality({two}.tags) > 0"
_STRANGERS: Final = _OTHER.format(one="existing", two="staged")
# A certificate without tags has no owner. A line with its name may give it tags.
_NOT_ITS_OWN: Final = "NOT existing.tags && staged.tags AND cardinality(existing.tags) > 0"
# The identifiers of certificates with the domain ``own`` or a wildcard about it, except for identifiers that a wildcard
# ``own`` covers, whose parents are it.
_ABOUT: Final = """
unnest(CASE WHEN starts_with(own, '*.') THEN ARRAY[own, substr(own, 3)]
  ELSE ARRAY[own, '*.' || own, '*.' || substr(own, strpos(own, '.') + 1)] END)
"""
_BY_INDEX: Final = f"""
SELECT number, 'domain', name, tags, min(own) FROM (
  SELECT staged.number, existing.name, existing.tags, (
      SELECT min(own) FROM unnest(staged.identifiers) AS own, {_ABOUT} AS about WHERE about = ANY(existing.identifiers)
    ) AS own
  FROM staged
  JOIN dnsrenew_certificate AS existing
    ON existing.identifiers && ARRAY(SELECT about FROM unnest(staged.identifiers) AS own, {_ABOUT} AS about)
  WHERE existing.wanted IS NOT NULL AND existing.name <> staged.name AND {_STRANGERS}
  UNION ALL
  SELECT staged.number, existing.name, existing.tags, (
      SELECT min(own) FROM unnest(staged.identifiers) AS own WHERE own = ANY(existing.parents)
    )
  FROM staged JOIN dnsrenew_certificate AS existing ON existing.parents && staged.identifiers
  WHERE existing.wanted IS NOT NULL AND existing.name <> staged.name AND {_STRANGERS}
) AS domains
WHERE NOT EXISTS (SELECT FROM staged AS too WHERE too.name = domains.name)
GROUP BY number, name, tags
"""  # noqa: S608  # constants
_OF_STAGED: Final = "SELECT number, name, tags, unnest(identifiers) AS own FROM staged"
_ABOUT_STAGED: Final = f"SELECT number, name, tags, own, {_ABOUT} AS about FROM ({_OF_STAGED}) AS owned"  # noqa: S608  # constants
# Thousands of look-ups in the index would take longer than one scan of all certificates.
_BY_HASH: Final = f"""
SELECT number, 'domain', name, tags, min(own) FROM (
  SELECT staged.number, existing.name, existing.tags, own
  FROM ({_ABOUT_STAGED}) AS staged
  JOIN (SELECT name, tags, unnest(identifiers) AS about FROM dnsrenew_certificate WHERE wanted IS NOT NULL) AS existing
    USING (about)
  WHERE {_STRANGERS}
  UNION ALL
  SELECT staged.number, existing.name, existing.tags, own
  FROM (SELECT * FROM ({_OF_STAGED}) AS owned WHERE starts_with(own, '*.')) AS staged
  JOIN (SELECT name, tags, unnest(parents) AS own FROM dnsrenew_certificate WHERE wanted IS NOT NULL) AS existing
    USING (own)
  WHERE {_STRANGERS}
) AS domains
WHERE NOT EXISTS (SELECT FROM staged AS too WHERE too.name = domains.name)
GROUP BY number, name, tags
"""  # noqa: S608  # constants
# Each pair is found from at least one of its sides. The later document is refused.
_TWICE: Final = f"""
SELECT greatest(one.number, two.number), 'twice', CASE WHEN one.number > two.number THEN two.name ELSE one.name END,
  CASE WHEN one.number > two.number THEN two.tags ELSE one.tags END,
  min(CASE WHEN one.number > two.number THEN one.own ELSE two.own END)
FROM ({_ABOUT_STAGED}) AS one JOIN ({_OF_STAGED}) AS two ON one.about = two.own
WHERE one.number <> two.number AND {_OTHER.format(one="one", two="two")}
GROUP BY 1, 3, 4
"""  # noqa: S608  # constants


def _clashes(domains: str) -> str:
    return f"""
SELECT number, clash, other, tags, domain FROM (
  SELECT staged.number, 'tags' AS clash, existing.name AS other, existing.tags, NULL AS domain
  FROM staged JOIN dnsrenew_certificate AS existing USING (name)
  WHERE existing.wanted IS NOT NULL AND {_NOT_ITS_OWN}
  UNION ALL
  SELECT staged.number, 'origin', existing.name, existing.tags, NULL
  FROM staged JOIN dnsrenew_certificate AS existing USING (name)
  WHERE existing.wanted IS NOT NULL AND existing.origin <> %(origin)s
  UNION ALL
  ({domains})
  UNION ALL
  ({_TWICE})
) AS found ORDER BY number, clash LIMIT 100
"""  # noqa: S608  # constants


CLASHES_OF_FEW: Final = _clashes(_BY_INDEX)
"""The clashes in a relation ``staged`` of some rows: number, clash, name and tags of the other, domain."""
CLASHES: Final = _clashes(_BY_HASH)
"""The clashes in a table ``staged`` of any size."""
