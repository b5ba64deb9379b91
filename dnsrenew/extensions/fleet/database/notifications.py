"""What others tell by NOTIFY, on a connection of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.extensions.fleet.database import new_connection, texts

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.database.deadlines import DeadlineConnection
    from dnsrenew.extensions.fleet.database.server import Server

PAUSE: Final = 1.0
"""Seconds after which an iteration returns, even if nothing was told, so that its caller can stop."""
_BEAT: Final = 0.3
"""The silence after which the server is asked whether it is still there, as a part of the patience: 3 s of 10 s."""


class Notifications:
    """The payloads that are told on a channel; not thread-safe.

    After a ``store-unreachable`` the next :meth:`wait` connects again. What was told meanwhile is lost: the caller
    reads the tables again whenever :attr:`connections` has changed.

    :ivar connections: how often it has connected.
    """

    def __init__(self, server: Server, channel: str) -> None:
        self.connections = 0
        self._server = server
        self._channel = channel
        self._beat = server.patience * _BEAT
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
        connection = self._connection = new_connection.connect(self._server)
        connection.add_notify_handler(self._note)
        self._server.run(connection, f'LISTEN "{self._channel}"')
        self.connections += 1
        self._last = time.monotonic()

    def _listen(self, connection: DeadlineConnection, seconds: float) -> None:
        left = max(self._last + self._beat - time.monotonic(), 0)
        if connection.has_input(min(seconds, left)):
            self._read(connection)
        elif left <= seconds:
            connection.patience = self._server.patience - self._beat  # the silence so far counts too
            self._server.run(connection, "SELECT 1")
        else:
            return
        self._last = time.monotonic()

    def _read(self, connection: DeadlineConnection) -> None:
        is_cut = connection.is_cut()
        while notify := connection.pgconn.notifies():
            self._heard.append(bytes(notify.extra).decode(errors="replace"))
        if is_cut:
            raise self._server.error(texts.UNREACHABLE, reason=texts.CUT)

    def _note(self, notify: Any) -> None:  # psycopg.Notify
        self._heard.append(notify.payload)
