"""Locks that end with a transaction, so that what excludes others is lost only together with what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.errors import LockedError
from dnsrenew.extensions.fleet.database import texts

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.extensions.fleet.database.connection import Transaction

_PAUSE: Final = 0.1
_EVENT_SECONDS: Final = 1.0
"""Seconds of waiting before the ``lock-waiting`` event, as for other locks."""
_TAKE: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('dnsrenew:' || %s, 0))"


def take_lock(transaction: Transaction, key: str, what: str, *, wait: float, context: Context) -> None:
    """Take a lock until the end of a transaction; call it before anything else there.

    :param what: what is locked, for messages.
    :param wait: seconds to wait for another process.
    :raises LockedError: another process still holds it.
    :raises Cancelled: cancelled while waiting.
    """
    start, reported = context.clock.monotonic(), False
    while transaction.one(_TAKE, (key,)) != (True,):
        waited = context.clock.monotonic() - start
        if waited >= wait:
            raise LockedError.of(texts.LOCKED, pid=None, host=None, since=None, what=what, key=key)
        if not reported and waited >= _EVENT_SECONDS:
            reported = True
            context.emit("lock-waiting", what=what, pid=None, host=None, since=None)
        context.wait(_PAUSE)
