"""A database server as a process sees it: statements on one connection, and errors in our words."""

from __future__ import annotations

import re
import select
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from dnsrenew.base.clock import Clock, SystemClock
from dnsrenew.base.users import this_user
from dnsrenew.errors import StoreError, Text, as_clause
from dnsrenew.extensions.fleet.database import texts

PATIENCE: Final = 10.0
"""Seconds of silence after which a database counts as gone."""
Params = Sequence[Any] | Mapping[str, Any]
Row = tuple[Any, ...]


class Address(Protocol):
    """Where the database is."""

    @property
    def url(self) -> str:
        """The URL, without a password."""

    def read_password(self) -> str | None:
        """Return the password, or None."""


class Server:
    """Where the database is, and what all connections to it share. Thread-safe.

    :param patience: seconds of silence after which the database counts as gone.
    :param measure: connects, if the time of the database is needed before anything else.
    :ivar queries: the number of statements so far, BEGIN and COMMIT too.
    :ivar clock: the clock of the database; it is set by each new connection.
    """

    def __init__(self, address: Address, patience: float, measure: Callable[[], object]) -> None:
        self.address = address
        self.patience = patience
        self.queries = 0
        self.clock = DatabaseClock(measure)
        self._counting = threading.Lock()
        self._place: dict[str, Any] | None = None

    def run(self, connection: DeadlineConnection, sql: str, params: Params = ()) -> tuple[list[Row], int]:
        """Execute a statement on a connection; return its rows and the number of rows that it returned or changed."""
        with self._counting:
            self.queries += 1
        try:
            cursor = connection.execute(sql.encode(), params or None)
            return cursor.fetchall() if cursor.description else [], cursor.rowcount
        except psycopg.Error as error:
            failure = self.translate(error)
        raise failure  # outside the block above: psycopg's error holds the password, and must not be its context

    def error(self, text: Text, **evidence: Any) -> StoreError:
        """Return an error with the place of the database in its evidence."""
        return StoreError.of(text, **{**self.place(), **evidence})

    def place(self) -> dict[str, Any]:
        """Return ``server``, ``database`` and ``user`` for the evidence of an error."""
        if self._place is None:
            self._place = read_place(self.address.url)
        return dict(self._place)

    def translate(self, error: Any) -> StoreError:  # psycopg is imported late
        """Return the error for one of psycopg."""
        return translate(error, self.place(), self.patience, self.address.read_password())


# ── place ──────────────────────────────────────────────────────────────────────────────

# Which database an address means, for the evidence of errors. It imports psycopg: import it late.


def read_place(url: str) -> dict[str, Any]:
    """Return ``server``, ``database`` and ``user`` of a URL, as libpq completes it."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        return {"server": "?", "database": "?", "user": "?"}
    user = given.get("user") or this_user()
    hosts = str(given.get("host") or given.get("hostaddr") or "localhost").split(",")
    ports = str(given.get("port") or 5432).split(",")
    ports = ports if len(ports) == len(hosts) else [ports[0]] * len(hosts)
    servers = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in zip(hosts, ports, strict=True)]
    return {"server": ", ".join(servers), "database": str(given.get("dbname") or user), "user": str(user)}


# ── clock ──────────────────────────────────────────────────────────────────────────────

# The clock of the database, by which a fleet decides: machines may differ by minutes.


class DatabaseClock(Clock):
    """The wall-clock time of the database: the monotonic clock of this host and the difference last measured.

    :param measure: asks the database once, if nothing has been measured when the time is first needed.
    """

    def __init__(self, measure: Callable[[], object]) -> None:
        self._measure = measure
        self._local = SystemClock()
        self._origin: datetime | None = None
        """The time of the database at second 0 of the monotonic clock."""

    def note(self, before: float, time: datetime, after: float) -> None:
        """Take over a time that the database time.

        :param before: the monotonic second before the question, and in ``after`` after the answer.
        """
        self._origin = time.astimezone(UTC) - timedelta(seconds=(before + after) / 2)

    def now(self) -> datetime:
        """Return the time of the database in UTC; of this host as long as the database cannot be asked."""
        if self._origin is None:
            try:
                self._measure()
            except StoreError:
                return self._local.now()
        return self._local.now() if self._origin is None else self._origin + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start."""
        return time.monotonic()

    def wait(self, seconds: float, event: threading.Event) -> bool:
        """Wait for the event in real time."""
        return self._local.wait(seconds, event)


# ── sqlstates ──────────────────────────────────────────────────────────────────────────

# The one place where an error of psycopg becomes a :class:`~dnsrenew.errors.StoreError`. Import it late.

_LOGINS: Final = (
    (re.compile(r"unsupported startup parameter"), "08P01"),
    (re.compile(r'database ".*" does not exist'), "3D000"),
    (re.compile(r"too many (?:clients|connections)|remaining connection slots"), "53300"),
    (re.compile(r"is (?:starting up|shutting down|not accepting connections)|in recovery mode"), "57P03"),
    (re.compile(r"permission denied"), "42501"),
    (
        re.compile(
            r'authentication failed|pg_hba\.conf|role ".*" does not exist|not permitted to log in|no password supplied|'
            r"authentication method requirement|certificate authentication"
        ),
        "28000",
    ),
)
"""PostgreSQL's English words; those of a server that speaks another language make an unreachable database of it."""
_PARAMETER: Final = re.compile(r"\binvalid (?:\w+ value: |port number|integer value)|^bad value for ")
"""libpq's words about a parameter of the address that it does not understand."""
_NO_TABLE: Final = "42P01"
_OUR_TABLE: Final = re.compile(r'"dnsrenew_(?!schema")\w+"')
"""A table that is missing; without dnsrenew_schema, there are none yet."""
_PREFIX: Final = re.compile(r"^.*(?:failed: |FATAL: |connection is bad: )\s*")


def translate(error: psycopg.Error, place: Mapping[str, Any], seconds: float, password: str | None) -> StoreError:
    """Return the :class:`StoreError` for an error of psycopg.

    :param place: ``server``, ``database`` and ``user``.
    :param seconds: how long the server may be silent.
    :param password: it is removed from the words of the server and of libpq.
    """
    words = error.diag.message_primary or str(error)
    text, reason = _text(error, words), _reason(words, password)
    return StoreError.of(text, **place, sqlstate=error.sqlstate, reason=reason, seconds=seconds)


def _text(error: psycopg.Error, words: str) -> Text:
    if isinstance(error, (SilentServerError, psycopg.errors.ConnectionTimeout)):
        return texts.SILENT
    if error.sqlstate is None and _PARAMETER.search(words):
        return texts.BAD_PARAMETER
    if error.sqlstate == _NO_TABLE and _OUR_TABLE.search(words):
        return texts.TABLE_MISSING
    state = error.sqlstate or _state_of_login(words)
    if state is None:
        is_connection = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
        return texts.UNREACHABLE if is_connection else texts.FAILED
    return texts.BY_STATE.get(state) or texts.BY_STATE.get(state[:2], texts.FAILED)


def _state_of_login(words: str) -> str | None:
    """Return the SQLSTATE of a refused login: libpq passes on only the words of the server."""
    return next((state for pattern, state in _LOGINS if pattern.search(words)), None)


def _reason(words: str, password: str | None) -> str:
    """Return the reason in an error: its last line without libpq's hints, which are indented, and its prefixes."""
    lines = [line for line in words.splitlines() if line.strip() and not line.startswith("\t")]
    line = _PREFIX.sub("", " ".join(lines[-1].split())) if lines else "?"
    return as_clause(line.replace(password, "•••") if password else line)


# ── deadlines ──────────────────────────────────────────────────────────────────────────

# Connections that give up on a server that does not answer. It imports psycopg: import it late.

T = TypeVar("T")

_READY_NONE: Final = 0
"""What psycopg sends to its generators after each interval (0.1 s) in which nothing came."""


class SilentServerError(psycopg.OperationalError):
    """The server did not answer in time; the connection is closed."""


class DeadlineConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is closed when the server is silent for too long: psycopg itself would wait for ever.

    :ivar patience: the seconds.
    """

    patience: float = 10.0

    def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
        """Wait for the end of an operation.

        :raises SilentServerError: the server did not answer.
        """
        try:
            return super().wait(_limited(gen, self.patience), *arguments, **options)
        except SilentServerError:
            self.pgconn.finish()  # what is under way there is of no interest: even a rollback would wait again
            raise

    def has_input(self, seconds: float = 0.0) -> bool:
        """Tell whether the server has sent something to the idle connection; wait for it some seconds."""
        if not hasattr(select, "poll"):  # Windows
            return bool(select.select([self.fileno()], [], [], seconds)[0])
        poll = select.poll()  # select() knows no file number above 1023
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def is_cut(self) -> bool:
        """Read what the server has sent to the idle connection; tell whether it is closed."""
        if self.closed:
            return True
        try:
            while self.has_input():
                self.pgconn.consume_input()
        except psycopg.Error:
            return True
        return False


def _limited(operation: Generator[Any, Any, T], patience: float) -> Generator[Any, Any, T]:
    """Pass everything on between an operation and the one that waits for it, and end it after a long silence."""
    end = time.monotonic() + patience
    try:
        state = next(operation)
        while True:
            ready = yield state
            if ready != _READY_NONE:
                end = time.monotonic() + patience
            elif time.monotonic() >= end:
                raise SilentServerError
            state = operation.send(ready)
    except StopIteration as finished:
        result: T = finished.value
        return result
