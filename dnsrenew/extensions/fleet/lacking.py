"""The certificates of a fleet that are not taken: the file of each worker, or this one, lacks an account or a CA.

Each worker notes in its row what its file has, so that all certificates can be compared with it at any time, also those
that are not due.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import Frozen
from dnsrenew.challenges import CHALLENGES
from dnsrenew.config.documents import needed

if TYPE_CHECKING:
    from dnsrenew.config.documents import CertificateDocuments
    from dnsrenew.extensions.fleet.database.connection import Database

_NOTE: Final = """
UPDATE dnsrenew_holder SET tables = %(tables)s WHERE id = %(holder)s AND tables IS DISTINCT FROM %(tables)s::text[]
"""
_WORKERS: Final = """
SELECT DISTINCT tables FROM dnsrenew_holder JOIN dnsrenew_alive USING (id) WHERE worker AND tables IS NOT NULL
"""
# Few look-ups in each document, without taking it apart: a look at 100,000 of them takes 0.1 to 0.2 s.
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
"""Whether a file has all that a document needs; for a few that name no account, the document itself decides."""
_CANDIDATES: Final = """
SELECT name, wanted FROM dnsrenew_certificate
WHERE wanted IS NOT NULL AND (%(tag)s::text IS NULL OR tags @> ARRAY[%(tag)s::text]) AND ({condition})
ORDER BY name LIMIT %(most)s
"""


class _File(Frozen):
    """What a file has.

    :ivar tables: ``dns.NAME``, ``ca.NAME``, and ``dns`` if a document may name no account.
    """

    tables: tuple[str, ...]

    def given(self, of: str) -> dict[str, Any]:
        """Return the parameters of :data:`_HAS`."""
        cas = [key.removeprefix("ca.") for key in self.tables if key.startswith("ca.")]
        accounts = [key.removeprefix("dns.") for key in self.tables if key.startswith("dns.")]
        return {
            f"{of}_cas": json.dumps(cas),
            f"{of}_accounts": json.dumps(accounts),
            f"{of}_any": "dns" in self.tables,
        }


def note_tables(database: Database, holder: int, documents: CertificateDocuments) -> None:
    """Note what the file of a worker has.

    :param holder: the id of the worker's process.
    """
    database.execute(_NOTE, {"holder": holder, "tables": documents.keys()})


def find_lacking(
    database: Database, documents: CertificateDocuments | None, tag: str | None, most: int
) -> dict[str, tuple[str, ...]]:
    """Return certificates for which a table is missing in this file, or in the file of every worker that is alive.

    :param documents: those of this file; None: only workers count.
    :param most: certificates, at most.
    """
    workers = [_File(tuple(tables)) for (tables,) in database.fetch(_WORKERS)]
    own = [] if documents is None else [_File(tuple(documents.keys()))]
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
            given |= file.given(name)
        conditions.append(" AND ".join(f"NOT {_HAS.format(of=name)}" for name in names))
    rows = database.fetch(_CANDIDATES.replace("{condition}", " OR ".join(f"({each})" for each in conditions)), given)
    found = {name: _lacks(document, documents, workers) for name, document in rows}
    return {name: tuple(lacks) for name, lacks in found.items() if lacks}


def _lacks(document: dict[str, Any], documents: CertificateDocuments | None, workers: Sequence[_File]) -> list[str]:
    """Return the tables that are missing for a document."""
    here = [] if documents is None else documents.lacks(document)
    return list(dict.fromkeys([*here, *_missing_in_all(needed(document), workers)]))


def _missing_in_all(keys: Iterable[str], workers: Sequence[_File]) -> list[str]:
    """Return what the file of each worker lacks; if each lacks something else, what one of them does."""
    missing = [[key for key in keys if key not in worker.tables] for worker in workers]
    if not missing or not all(missing):
        return []
    common = [key for key in missing[0] if all(key in each for each in missing)]
    return common or missing[0]
