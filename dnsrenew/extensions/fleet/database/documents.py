"""Documents of a certificate: what a folder has in small files beside its state. Sealed, because some have keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import Notice
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.fleet.database.seal import place
from dnsrenew.store.paths import check_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from dnsrenew.extensions.fleet.database.connection import Database
    from dnsrenew.extensions.fleet.database.locks import LockSession
    from dnsrenew.extensions.fleet.database.seal import Seals
    from dnsrenew.store.texts import DamageTexts

_READ: Final = "SELECT content FROM dnsrenew_document WHERE name = %s AND kind = %s"
_MADE: Final = "SELECT made FROM dnsrenew_document WHERE name = %s AND kind = %s"
_KINDS: Final = "SELECT kind FROM dnsrenew_document WHERE name = %s"
_OF_ALL: Final = "SELECT name, content FROM dnsrenew_document WHERE kind = %s ORDER BY name"
_WRITE: Final = """
INSERT INTO dnsrenew_document (name, kind, content) SELECT %(name)s, %(kind)s, %(content)s FROM fence
ON CONFLICT (name, kind) DO UPDATE SET content = EXCLUDED.content, made = now() RETURNING 1
"""
_REMOVE: Final = """
, gone AS (
  DELETE FROM dnsrenew_document WHERE name = %(name)s AND kind = ANY(%(kinds)s) AND EXISTS (SELECT FROM fence)
)
SELECT 1 FROM fence
"""


class DocumentTable(Frozen, hidden=("seals",)):
    """The documents of all certificates. A write is fenced by the lock of the certificate, if this process holds it.

    Every method raises ``StoreError``: ``store-bad-name``, and those of :class:`Database`.
    """

    database: Database
    seals: Seals
    locks: LockSession

    def read(self, name: str, kind: str) -> bytes | None:
        """Return a document, or None.

        :raises StoreError: ``seal-wrong``: it cannot be opened.
        """
        row = self.database.one(_READ, (check_name(name), kind))
        return None if row is None else self._open(name, kind, row[0])

    def read_all(self, kind: str) -> list[tuple[str, bytes]]:
        """Return the documents of a kind, each with the name of its certificate."""
        return [(name, self._open(name, kind, content)) for name, content in self.database.fetch(_OF_ALL, (kind,))]

    def made(self, name: str, kind: str) -> datetime | None:
        """Return when a document was written, or None."""
        row = self.database.one(_MADE, (check_name(name), kind))
        return None if row is None else row[0]

    def kinds(self, name: str) -> list[str]:
        """Return the kinds of the documents of a certificate."""
        return [kind for (kind,) in self.database.fetch(_KINDS, (check_name(name),))]

    def write(self, name: str, kind: str, data: bytes) -> None:
        """Replace a document."""
        content = self.seals.seal(data, place("document", check_name(name), kind))
        self.locks.run_fenced(f"certificate-{name}", _WRITE, {"name": name, "kind": kind, "content": content})

    def remove(self, name: str, kinds: Sequence[str]) -> None:
        """Remove the documents of these kinds, as far as there are any."""
        self.locks.run_fenced(f"certificate-{check_name(name)}", _REMOVE, {"name": name, "kinds": list(kinds)})

    def _open(self, name: str, kind: str, content: bytes) -> bytes:
        return self.seals.open(bytes(content), place("document", name, kind))


class DocumentRows(Frozen):
    """The documents of one kind: the ``Documents`` of a database."""

    table: DocumentTable
    kind: str

    def read(self, name: str) -> bytes | None:
        """Return the document of a certificate, or None."""
        return self.table.read(name, self.kind)

    def write(self, name: str, data: bytes) -> None:
        """Replace the document of a certificate."""
        self.table.write(name, self.kind, data)

    def remove(self, name: str) -> None:
        """Remove the document of a certificate, if there is one."""
        self.table.remove(name, [self.kind])


# ── json values ────────────────────────────────────────────────────────────────────────

# JSON for columns of type jsonb.

_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def json_text(data: bytes) -> str:
    """Return a JSON document for a column of type jsonb, which cannot hold the character NUL: U+FFFD replaces it."""
    text = data.decode("utf-8")
    return _NUL.sub(r"\1\\ufffd", text) if "\\u0000" in text else text


def damaged_value(place: str, kind: DamageTexts, reason: str) -> Notice:
    """Return the warning about a value that dnsrenew cannot have written.

    :param place: where it is.
    """
    return Notice(*kind.in_database.fill(path=place, reason=reason))
