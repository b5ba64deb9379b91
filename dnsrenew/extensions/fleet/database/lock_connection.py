"""The connection whose end frees the locks of a process, and its heartbeat.

The server ends it after 20 s without a statement, so that a host that hangs or is cut off keeps no lock. This process
counts it as lost before that: 10 s after the last statement that was answered.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database import new_connection, texts

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.database.connection import Database, Params, Row

_BEATS: Final = 0.3
"""The time between two heartbeats, as a part of the patience: 3 s of 10 s."""
_SERVER: Final = 2.0
"""The patience of the server, in terms of ours: 20 s."""
_ROW_LOCK: Final = "1s"
"""How long a statement waits for the lock of a row: behind the last write of an older holder."""
_SHORTEST: Final = 0.05
_REGISTER: Final = """
WITH new AS (INSERT INTO dnsrenew_holder (host, pid, worker) VALUES (%s, %s, %s) RETURNING id)
SELECT id, pg_try_advisory_lock(hashtextextended('dnsrenew:holder-' || id, 0)),
  set_config('idle_session_timeout', %s, false), set_config('lock_timeout', %s, false)
FROM new
"""
_FORGET_DEAD: Final = "DELETE FROM dnsrenew_holder WHERE id NOT IN (SELECT id FROM dnsrenew_alive)"
_FORGET: Final = "DELETE FROM dnsrenew_holder WHERE id = %s"
_PING: Final = "SELECT clock_timestamp()"
# Both go on during a suspend; on macOS it is mach_continuous_time(), and time.monotonic() is mach_absolute_time().
_CLOCK: Final[int | None] = getattr(time, "CLOCK_MONOTONIC_RAW" if sys.platform == "darwin" else "CLOCK_BOOTTIME", None)


def _seconds() -> float:
    """Return the seconds of a clock that goes on while this host is suspended."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


class LockConnection:
    """A connection that is registered as a process of the fleet; lost once, lost for ever. Thread-safe.

    :param worker: whether the process is a worker.
    :ivar holder: the id of the process; it is alive as long as it is in the view ``dnsrenew_alive``.
    :raises StoreError: it cannot connect.
    """

    def __init__(self, database: Database, *, worker: bool) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._process = os.getpid()
        asked = _seconds()
        self._connection = new_connection.connect(database)
        try:
            limits = (str(int(database.patience * _SERVER * 1000)), _ROW_LOCK)
            rows, _ = database.run(self._connection, _REGISTER, (platform.node(), os.getpid(), worker, *limits))
            database.run(self._connection, _FORGET_DEAD)
        except BaseException:
            self._connection.close()
            raise
        self.holder: int = rows[0][0]
        self._answered = asked
        threading.Thread(target=self._beat, name="dnsrenew-locks", daemon=True).start()

    @property
    def is_lost(self) -> bool:
        """Whether its locks may belong to others by now."""
        if not self._is_over() and self._lock.acquire(blocking=False):  # a statement of another thread tells too
            try:
                if self._connection.is_cut():
                    self._end.set()
            finally:
                self._lock.release()
        return self._end.is_set()

    def fetch(self, sql: str, params: Params = ()) -> list[Row]:
        """Execute a statement, which commits, and return its rows.

        :raises StoreError: it failed; ``store-unreachable``: the connection is lost.
        """
        with self._lock:
            if self._is_over():
                self._connection.close()
                raise self._database.error(texts.UNREACHABLE, reason=texts.CUT_FOR_LOCKS)
            asked = _seconds()
            self._connection.patience = max(self._answered + self._database.patience - asked, _SHORTEST)
            try:
                rows, _ = self._database.run(self._connection, sql, params)
            except BaseException:
                if self._connection.closed:
                    self._end.set()
                raise
            self._answered = asked
            return rows

    def close(self) -> None:
        """Close the connection, which frees its locks, and forget the process."""
        if not self.is_lost:
            with contextlib.suppress(StoreError):
                self.fetch(_FORGET, (self.holder,))
        self.end()

    def end(self) -> None:
        """Close the connection: all its locks are lost."""
        self._end.set()
        if self._process == os.getpid():
            with self._lock:
                self._connection.close()

    def _is_over(self) -> bool:
        if _seconds() - self._answered > self._database.patience or self._process != os.getpid():
            self._end.set()
        return self._end.is_set()

    def _beat(self) -> None:
        """Ask from time to time: the server hears from this process, and this process from the server."""
        while not self._end.wait(self._database.patience * _BEATS):
            before = time.monotonic()
            try:
                ((now,),) = self.fetch(_PING)
            except StoreError:
                continue  # lost, or the next one tells
            self._database.clock.note(before, now, time.monotonic())
        if self._process == os.getpid():
            with self._lock:
                self._connection.close()
