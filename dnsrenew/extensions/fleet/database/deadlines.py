"""Connections that give up on a silent server, and their errors. This imports psycopg, so import it late."""

from __future__ import annotations

import re
import select
import time
from collections.abc import Generator, Mapping
from typing import Any, Final, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import set_json_loads

from dnsrenew.base.users import this_user
from dnsrenew.errors import StoreError, Text, as_clause
from dnsrenew.extensions.fleet.database import texts

T = TypeVar("T")

_READY_NONE: Final = 0
"""The value that psycopg sends to its generators after each interval (0.1 s) without data."""


DatabaseError: Final = psycopg.Error
read_json: Final = set_json_loads
"""Converts the JSON of a connection with a given function."""


class SilentServerError(psycopg.OperationalError):
    """The server did not answer in time, and the connection is closed."""


class DeadlineConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is closed when the server is silent for too long; psycopg itself would wait forever.

    :ivar patience: the maximum silence in seconds.
    """

    patience: float = 10.0

    def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
        """Wait for the end of an operation.

        :raises SilentServerError: the server did not answer.
        """
        try:
            return super().wait(_limited(gen, self.patience), *arguments, **options)
        except SilentServerError:
            self.pgconn.finish()  # the operation in progress does not matter, and even a rollback would wait again
            raise

    def has_input(self, seconds: float = 0.0) -> bool:
        """Wait some seconds for data on the idle connection; return whether the server has sent any."""
        if not hasattr(select, "poll"):  # Windows
            return bool(select.select([self.fileno()], [], [], seconds)[0])
        poll = select.poll()  # select() does not support file numbers above 1023
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def is_cut(self) -> bool:
        """Read the data that the server has sent to the idle connection; return whether the connection is closed."""
        if self.closed:
            return True
        try:
            while self.has_input():
                self.pgconn.consume_input()
        except psycopg.Error:
            return True
        return False


def _limited(operation: Generator[Any, Any, T], patience: float) -> Generator[Any, Any, T]:
    """Pass everything on between an operation and its waiting caller, and end it after a long silence."""
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


# ── sqlstates ──────────────────────────────────────────────────────────────────────────

# The only place where an error of psycopg becomes a :class:`~dnsrenew.errors.StoreError`.

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
"""PostgreSQL's English words. In another language of the server, the database counts as unreachable."""
_PARAMETER: Final = re.compile(r"\binvalid (?:\w+ value: |port number|integer value)|^bad value for ")
"""libpq's words about an unknown parameter of the address."""
_OUR_TABLE: Final = re.compile(r'"dnsrenew_(?!schema")\w+"')
"""A missing table. Without dnsrenew_schema, no table exists yet."""
_PREFIX: Final = re.compile(r"^.*(?:failed: |FATAL: |connection is bad: )\s*")


def translate(error: psycopg.Error, place: Mapping[str, Any], seconds: float, password: str | None) -> StoreError:
    """Return the :class:`StoreError` for an error of psycopg.

    :param place: ``server``, ``database`` and ``user``.
    :param seconds: the seconds for which the server may be silent.
    :param password: the password, which is removed from the words of the server and of libpq.
    """
    words = error.diag.message_primary or str(error)
    text, reason = _text(error, words), _reason(words, password)
    return StoreError.of(text, **place, sqlstate=error.sqlstate, reason=reason, seconds=seconds)


def _text(error: psycopg.Error, words: str) -> Text:
    if isinstance(error, (SilentServerError, psycopg.errors.ConnectionTimeout)):
        return texts.SILENT
    if error.sqlstate is None and _PARAMETER.search(words):
        return texts.BAD_PARAMETER
    if error.sqlstate == "42P01" and _OUR_TABLE.search(words):
        return texts.TABLE_MISSING
    # libpq passes on only the words of the server about a refused login.
    state = error.sqlstate or next((state for pattern, state in _LOGINS if pattern.search(words)), None)
    if state is None:
        is_connection = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
        return texts.UNREACHABLE if is_connection else texts.FAILED
    return texts.BY_STATE.get(state) or texts.BY_STATE.get(state[:2], texts.FAILED)


def _reason(words: str, password: str | None) -> str:
    """Return the reason in an error: its last line without libpq's indented hints and its prefixes."""
    lines = [line for line in words.splitlines() if line.strip() and not line.startswith("\t")]
    line = _PREFIX.sub("", " ".join(lines[-1].split())) if lines else "?"
    return as_clause(line.replace(password, "•••") if password else line)


# ── place ──────────────────────────────────────────────────────────────────────────────

# The database that an address means, for the evidence of errors.


def parameters_of(url: str) -> Mapping[str, Any] | None:
    """Return the parameters in a URL; None if libpq cannot read it. Its words would quote the address."""
    try:
        return conninfo_to_dict(url)
    except psycopg.Error:
        return None


def read_place(url: str) -> dict[str, Any]:
    """Return ``server``, ``database`` and ``user`` of a URL, as libpq completes it."""
    given = parameters_of(url)
    if given is None:
        return {"server": "?", "database": "?", "user": "?"}
    user = given.get("user") or this_user()
    hosts = str(given.get("host") or given.get("hostaddr") or "localhost").split(",")
    ports = str(given.get("port") or 5432).split(",")
    ports = ports if len(ports) == len(hosts) else [ports[0]] * len(hosts)
    servers = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in zip(hosts, ports, strict=True)]
    return {"server": ", ".join(servers), "database": str(given.get("dbname") or user), "user": str(user)}
