"""How many names may be obtained on demand, on all machines of a fleet together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.extensions.fleet.database.connection import Database
    from dnsrenew.store.ledger.ca_limits import Limit

_ONCE: Final = "on-demand-name "
"""What the keys of the names start with that count already."""
_WANTED: Final = """
SELECT 1 FROM dnsrenew_certificate
WHERE wanted IS NOT NULL AND identifiers && ARRAY[%(name)s, %(wildcard)s] LIMIT 1
"""
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('dnsrenew:on-demand', 0))"
_COUNTED: Final = "SELECT 1 FROM dnsrenew_pace WHERE key = %(once)s AND empty_until > now()"
_FORGET: Final = "DELETE FROM dnsrenew_pace WHERE starts_with(key, %s) AND empty_until <= now()"
# A bucket is one time, at which it will be full again (GCRA).
_TAKE: Final = """
INSERT INTO dnsrenew_pace AS pace (key, empty_until) VALUES (%(key)s, now() + %(each)s * interval '1 second')
ON CONFLICT (key) DO UPDATE
SET empty_until = greatest(pace.empty_until, now()) + %(each)s * interval '1 second'
WHERE greatest(pace.empty_until, now()) + %(each)s * interval '1 second' <= now() + %(window)s * interval '1 second'
"""
_COUNT: Final = """
INSERT INTO dnsrenew_pace (key, empty_until) VALUES (%(once)s, now() + interval '1 hour')
ON CONFLICT (key) DO UPDATE SET empty_until = EXCLUDED.empty_until
"""
_FREE: Final = """
SELECT empty_until + (%(each)s - %(window)s) * interval '1 second' FROM dnsrenew_pace WHERE key = %(key)s
"""


class DemandRate(Frozen):
    """A bucket in the database; each name takes one token, whichever machine asks for it, and however often.

    :ivar account: the directory URL of the CA, at which the fleet has one account.
    """

    database: Database
    account: str
    limit: Limit

    def is_wanted(self, name: str) -> bool:
        """Tell whether the fleet wants a certificate for a name already."""
        fields = {"name": name, "wildcard": f"*.{name.partition('.')[2]}"}
        return bool(self.database.fetch(_WANTED, fields))

    def take(self, name: str) -> datetime | None:
        """Take the token of a name; return None, or when there will be one.

        :raises StoreError: the database does not answer.
        """
        each = self.limit.each.total_seconds()
        fields = {"key": f"on-demand {self.account}", "once": f"{_ONCE}{name}", "each": each}
        fields["window"] = self.limit.window.total_seconds()
        with self.database.transaction() as transaction:
            transaction.fetch(_LOCK)
            if transaction.fetch(_COUNTED, fields):
                return None
            if not transaction.execute(_TAKE, fields):
                row = transaction.one(_FREE, fields)
                return None if row is None else row[0]
            transaction.execute(_FORGET, (_ONCE,))
            transaction.execute(_COUNT, fields)
            return None
