"""Locks that end with the connection that holds them (advisory locks of PostgreSQL).

All locks of a process are on one connection (:mod:`.lock_connection`). The statement that takes a lock also counts up
its fence, the number that each write compares (:meth:`LockSession.run_fenced`), so that a holder that has lost its lock
without noticing cannot overwrite data of its successor.
"""

from __future__ import annotations

import contextlib
import copy
import os
import platform
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from dnsrenew.base.model import rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.errors import LockedError, StoreError
from dnsrenew.extensions.fleet.database import connection, texts
from dnsrenew.extensions.fleet.database.connection import Database, Params, Row

T = TypeVar("T")
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5
_EVENT_SECONDS: Final = 1.0
"""Seconds of waiting before the ``lock-waiting`` event; most waits are shorter."""
_CERTIFICATE: Final = "certificate-"
_TAKE: Final = """
WITH taken AS MATERIALIZED (
  SELECT pg_try_advisory_lock(hashtextextended('dnsrenew:' || %(key)s, 0)) AS is_ours
  WHERE current_setting('dnsrenew.holder', true) = %(holder)s::text
)
INSERT INTO dnsrenew_lock AS lock (key, fence, holder) SELECT %(key)s, 1, %(holder)s FROM taken WHERE is_ours
ON CONFLICT (key) DO UPDATE SET fence = lock.fence + 1, holder = EXCLUDED.holder, since = now()
RETURNING fence
"""
_FREE: Final = "SELECT pg_advisory_unlock(hashtextextended('dnsrenew:' || %s, 0))"
_OWNER: Final = """
SELECT holder.pid, holder.host, lock.since FROM dnsrenew_lock AS lock
JOIN dnsrenew_holder AS holder ON holder.id = lock.holder WHERE key = %s
"""
_FENCE: Final = """
SELECT 1 FROM dnsrenew_lock AS lock WHERE key = %(fence_key)s AND fence = %(fence)s AND holder = %(fence_holder)s
FOR SHARE OF lock
"""
_WANTED: Final = """
SELECT 1 FROM dnsrenew_certificate AS known WHERE name = %(fence_name)s AND wanted IS NOT NULL FOR KEY SHARE OF known
"""
# The lock comes first, as in the removal of a certificate, because two that wait for each other would be a deadlock.
_WANTED_FENCE: Final = """
SELECT 1 FROM dnsrenew_lock AS lock, dnsrenew_certificate AS known
WHERE key = %(fence_key)s AND fence = %(fence)s AND holder = %(fence_holder)s
  AND name = %(fence_name)s AND wanted IS NOT NULL
FOR SHARE OF lock FOR KEY SHARE OF known
"""


class _Held(Frozen):
    """A lock that this process holds.

    :ivar what: the locked object, for messages.
    :ivar since: the time of the lock, as RFC 3339.
    """

    connection: LockConnection
    fence: int
    what: str
    since: str | None


def acquire(
    take: Callable[[], T | None],
    key: str,
    what: str,
    *,
    wait: float,
    context: Context,
    owner: Callable[[], Mapping[str, Any]] = lambda: {"pid": None, "host": None, "since": None},
) -> T:
    """Try to take a lock until it is free; return the result of ``take``.

    :param owner: returns pid, host and time of the holder; each is None if unknown.
    :raises LockedError: another holder still has it after ``wait`` seconds.
    :raises Cancelled: cancelled while waiting.
    """
    start = context.clock.monotonic()
    pause, reported = _FIRST_PAUSE, False
    while True:
        context.check()
        if taken := take():
            return taken
        waited = context.clock.monotonic() - start
        if waited >= wait:
            found = owner()
            raise LockedError.of(texts.LOCKED_BY if all(found.values()) else texts.LOCKED, **found, what=what, key=key)
        if not reported and waited >= _EVENT_SECONDS:
            reported = True
            context.emit("lock-waiting", what=what, **owner())
        context.wait(min(pause, wait - waited))
        pause = min(pause * 2, _LONGEST_PAUSE)


class LockSession:
    """The locks of a process, whose threads exclude each other too. Thread-safe; it connects on first use.

    A lost connection is never repaired. Its locks are lost, and the next :meth:`hold` makes a new connection.

    :param worker: whether the process is a worker.
    """

    def __init__(self, database: Database, *, worker: bool = False) -> None:
        self._database = database
        self._worker = worker
        self._connecting = threading.Lock()
        self._connection: LockConnection | None = None
        self._has_ended = False
        self._failure: tuple[float, StoreError] | None = None
        self._guard = threading.Lock()
        self._held: dict[str, _Held | None] = {}
        """The locks by key; None while a thread is taking the lock."""
        self._only_wanted = Counter[str]()
        """By key, the number of jobs that write only while the fleet wants the certificate."""

    @property
    def holder(self) -> int:
        """The id of this process in ``dnsrenew_holder``, which changes after a lost connection.

        :raises StoreError: the connection cannot be made.
        """
        return self._connected().holder

    @contextlib.contextmanager
    def hold(self, key: str, what: str, *, wait: float, context: Context) -> Iterator[None]:
        """Hold a lock. In the block, ``context.check()`` raises ``store-unreachable`` once the lock is lost.

        :param key: such as ``certificate-home``.
        :param what: the locked object, for the message, such as ``certificate home``.
        :param wait: seconds to wait for the lock; 0: do not wait.
        :raises LockedError: ``locked``: another run or thread holds it; evidence has ``pid``, ``host``, ``since``.
        :raises StoreError: the connection is missing, or the database refused the lock.
        :raises Cancelled: cancelled while waiting.
        """
        take, owner = partial(self._try, key, what), partial(self._owner, key)
        held = acquire(take, key, what, wait=wait or 0, context=context, owner=owner)
        guard = partial(self._check, held)
        context.guards.append(guard)
        try:
            yield
        finally:
            context.guards.remove(guard)
            self._release(key, held)

    def run_fenced(self, key: str, statement: str, params: Mapping[str, Any]) -> list[Row]:
        """Execute one statement that takes effect only if no other process has taken this lock since; return its rows.

        Without a lock of this process on the key, it always takes effect.

        :param statement: follows ``WITH fence AS (…)``, so it starts with a comma or with the main statement. It writes
            only for the row of ``fence``, and returns at least one row if it has that.
        :raises StoreError: ``store-unreachable``: another process has; nothing was written. Also the errors of a
            statement.
        """
        with self._guard:
            held, name = self._held.get(key), key.removeprefix(_CERTIFICATE) if self._only_wanted[key] else None
        given = {**params, "fence_name": name}
        if held is None:
            return self._database.fetch(f"WITH fence AS ({_WANTED if name else 'SELECT 1'}) {statement}", given)
        fence = {"fence_key": key, "fence": held.fence, "fence_holder": held.connection.holder}
        with_fence = f"WITH fence AS MATERIALIZED ({_WANTED_FENCE if name else _FENCE})"
        rows = self._database.fetch(f"{with_fence} {statement}", {**given, **fence})
        if not rows:
            raise self._database.error(texts.REMOVED if name else texts.TAKEN_OVER, what=held.what)
        return rows

    @contextlib.contextmanager
    def only_wanted(self, name: str) -> Iterator[None]:
        """Make writes of this process to a certificate ineffective once the fleet no longer wants it.

        So a job does not restore a certificate that was removed before it took the lock.
        """
        key = f"{_CERTIFICATE}{name}"
        with self._guard:
            self._only_wanted[key] += 1
        try:
            yield
        finally:
            with self._guard:
                self._only_wanted[key] -= 1
                if not self._only_wanted[key]:
                    del self._only_wanted[key]

    def close(self) -> None:
        """Free all locks and close the connection. A later use makes a new one."""
        with self._connecting:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def end(self) -> None:
        """Close permanently. A later use raises ``store-unreachable``, and the process is not registered again."""
        with self._connecting:
            self._has_ended = True
        self.close()

    # ── taking and freeing ──────────────────────────────────────────────────────────────

    def _try(self, key: str, what: str) -> _Held | None:
        """Take a lock without waiting; return None if it is taken. Threads of this process do not ask the server."""
        with self._guard:
            if key in self._held:
                return None
            self._held[key] = None
        held = None
        try:
            held = self._take(key, what)
            return held
        finally:
            with self._guard:
                if held is None:
                    del self._held[key]
                else:
                    self._held[key] = held

    def _take(self, key: str, what: str) -> _Held | None:
        connection = self._connected()
        try:
            rows = connection.fetch(_TAKE, {"key": key, "holder": connection.holder})
        except BaseException as error:
            self._free(connection, key)  # an error after the lock was taken does not free it
            if isinstance(error, StoreError) and error.evidence.get("sqlstate") == "55P03":
                return None  # the last write of an older holder is in progress
            raise
        if not rows:
            return None
        since = rfc3339(self._database.clock.now())
        return _Held(connection=connection, fence=rows[0][0], what=what, since=since)

    def _release(self, key: str, held: _Held) -> None:
        try:
            if not held.connection.is_lost:
                self._free(held.connection, key)
        finally:
            with self._guard:
                del self._held[key]

    def _free(self, connection: LockConnection, key: str) -> None:
        """Free a lock. If the server refuses, end the connection, which would otherwise keep the lock."""
        try:
            connection.fetch(_FREE, (key,))
        except StoreError:
            connection.end()

    def _check(self, held: _Held) -> None:
        if held.connection.is_lost:
            raise self._database.error(texts.LOST, what=held.what)

    # ── the owner ────────────────────────────────────────────────────────────────────

    def _owner(self, key: str) -> dict[str, Any]:
        """Return pid, host and time of the holder of a lock; each is None if unknown."""
        with self._guard:
            ours = self._held.get(key)
        if ours is not None:
            return {"pid": os.getpid(), "host": platform.node(), "since": ours.since}
        pid, host, since = self._database.one(_OWNER, (key,)) or (None, None, None)
        return {"pid": pid, "host": host, "since": since and rfc3339(since)}

    # ── the connection ──────────────────────────────────────────────────────────────────

    def _connected(self) -> LockConnection:
        """Return the connection, or make a new one if it is lost. Threads that wait for it share its failure."""
        called = time.monotonic()
        with self._connecting:
            if self._has_ended:
                raise self._database.error(texts.UNREACHABLE, reason=texts.CUT_FOR_LOCKS)
            if self._connection is not None and not self._connection.is_lost:
                return self._connection
            if self._failure is not None and self._failure[0] >= called:
                raise copy.copy(self._failure[1])
            try:
                self._connection = LockConnection(self._database, worker=self._worker)
            except StoreError as error:
                self._failure = time.monotonic(), copy.copy(error)
                raise
            return self._connection


# ── lock connection ────────────────────────────────────────────────────────────────────

# The connection whose end frees the locks of a process, and its heartbeat.
#
# The server ends it after 20 s without a statement, so that a hanging or disconnected machine keeps no lock. This
# process counts it as lost earlier: 10 s after the last statement that was answered.

_BEATS: Final = 0.3
"""The time between two heartbeats, as a part of the patience: 3 s of 10 s."""
_SERVER: Final = 2.0
"""The patience of the server, in terms of ours: 20 s."""
_ROW_LOCK: Final = "1s"
"""Seconds that a statement waits for the lock of a row, behind the last write of an older holder."""
_SHORTEST: Final = 0.05
_REGISTER: Final = """
WITH new AS (
  INSERT INTO dnsrenew_holder (host, pid, worker)
  SELECT %s, %s, %s WHERE coalesce(current_setting('dnsrenew.holder', true), '') = '' RETURNING id
)
SELECT id, pg_try_advisory_lock(hashtextextended('dnsrenew:holder-' || id, 0)),
  set_config('idle_session_timeout', %s, false), set_config('lock_timeout', %s, false),
  set_config('dnsrenew.holder', id::text, false)
FROM new
"""
"""The setting shows whether the session belongs to this holder alone. Two in one session would have the same locks."""
_BEAT: Final = "SELECT clock_timestamp(), current_setting('dnsrenew.holder', true) = %s"
_FORGET_DEAD: Final = "DELETE FROM dnsrenew_holder WHERE id NOT IN (SELECT id FROM dnsrenew_alive)"
# Both go on during a suspend; on macOS it is mach_continuous_time(), and time.monotonic() is mach_absolute_time().
_CLOCK: Final[int | None] = getattr(time, "CLOCK_MONOTONIC_RAW" if sys.platform == "darwin" else "CLOCK_BOOTTIME", None)


def _seconds() -> float:
    """Return the seconds of a clock that goes on while this machine is suspended."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


class LockConnection:
    """A connection that is registered as a process of the fleet. Once lost, it stays lost. Thread-safe.

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
        self._connection = connection.connect(database)
        try:
            limits = (str(int(database.patience * _SERVER * 1000)), _ROW_LOCK)
            rows, _ = database.run(self._connection, _REGISTER, (platform.node(), os.getpid(), worker, *limits))
            if not rows:
                raise database.error(texts.POOLER)
            database.run(self._connection, _FORGET_DEAD)
        except BaseException:
            self._connection.close()
            raise
        self.holder: int = rows[0][0]
        self._answered = asked
        threading.Thread(target=self._beat, name="dnsrenew-locks", daemon=True).start()

    @property
    def is_lost(self) -> bool:
        """Whether its locks may already belong to others."""
        if not self._is_over() and self._lock.acquire(blocking=False):  # a statement of another thread shows it too
            try:
                if self._connection.is_cut():
                    self._end.set()
            finally:
                self._lock.release()
        return self._end.is_set()

    def fetch(self, sql: str, params: Params = ()) -> list[Row]:
        """Execute a statement, which commits, and return its rows.

        :raises StoreError: the statement failed; ``store-unreachable``: the connection is lost.
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
                self.fetch("DELETE FROM dnsrenew_holder WHERE id = %s", (self.holder,))
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
        """Ask from time to time, so that the server and this process hear from each other."""
        while not self._end.wait(self._database.patience * _BEATS):
            before = time.monotonic()
            try:
                ((now, is_ours),) = self.fetch(_BEAT, (str(self.holder),))
            except StoreError:
                continue  # lost, or the next one shows it
            self._database.clock.note(before, now, time.monotonic())
            if not is_ours:
                self._end.set()
        if self._process == os.getpid():
            with self._lock:
                self._connection.close()
