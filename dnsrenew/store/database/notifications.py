"""What others tell by NOTIFY, on a connection of its own."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.store.database import texts

if TYPE_CHECKING:
    from dnsrenew.store.database.connection import Database
    from dnsrenew.store.database.deadlines import DeadlineConnection

PAUSE: Final = 1.0
"""Seconds after which an iteration returns, even if nothing was told, so that its caller can stop."""
_BEAT: Final = 3.0
"""Seconds of silence after which the server is asked whether it is still there."""


class Notifications:
    """The payloads that are told on a channel; not thread-safe.

    After a ``store-unreachable`` the next :meth:`wait` connects again. What was told meanwhile is lost: the caller reads
    the tables again after each error, and once after the first connection (:attr:`connections` counts them).

    :param beat: seconds of silence after which the server is asked whether it is still there.
    :ivar connections: how often it has connected.
    """

    def __init__(self, database: Database, channel: str, *, beat: float = _BEAT) -> None:
        self.connections = 0
        self._database = database
        self._channel = channel
        self._beat = beat
        self._connection: DeadlineConnection | None = None
        self._heard: list[str] = []
        self._last = 0.0

    def __iter__(self) -> Iterator[list[str]]:
        """Return the payloads of each second for ever; an empty list if there are none.

        :raises StoreError: the connection is lost; iterate again to connect again.
        """
        while True:
            yield self.wait(PAUSE)

    def wait(self, seconds: float) -> list[str]:
        """Return what was told, as soon as there is something, or an empty list after some seconds.

        The first call connects, and returns at once.

        :raises StoreError: ``store-unreachable`` and others: there is no connection, or it is lost.
        """
        try:
            if self._connection is None:
                self._connect()
            elif not self._heard:
                self._listen(self._connection, seconds)
        except BaseException:
            self.close()
            raise
        heard, self._heard = self._heard, []
        return heard

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> None:
        self._heard = []
        connection = self._connection = self._database.connect()
        connection.add_notify_handler(self._note)
        self._database.run(connection, f'LISTEN "{self._channel}"')
        self.connections += 1
        self._last = time.monotonic()

    def _listen(self, connection: DeadlineConnection, seconds: float) -> None:
        left = max(self._last + self._beat - time.monotonic(), 0)
        if _is_readable(connection, min(seconds, left)):
            self._read(connection)
        elif left <= seconds:
            self._database.run(connection, "SELECT 1")
        else:
            return
        self._last = time.monotonic()

    def _read(self, connection: DeadlineConnection) -> None:
        import psycopg

        try:
            connection.pgconn.consume_input()
            while told := connection.pgconn.notifies():
                self._heard.append(bytes(told.extra).decode(errors="replace"))
            lost = False
        except psycopg.Error:
            lost = True
        if lost:
            reason = texts.CUT
            raise self._database.error(texts.UNREACHABLE, reason=reason)

    def _note(self, told: Any) -> None:  # psycopg.Notify
        self._heard.append(told.payload)


def _is_readable(connection: DeadlineConnection, seconds: float) -> bool:
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([connection.fileno()], [], [], seconds)[0])
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(seconds * 1000))
