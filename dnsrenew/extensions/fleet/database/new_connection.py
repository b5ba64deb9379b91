"""How a connection to the database is opened and checked."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import threads
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database import texts
from dnsrenew.extensions.fleet.database.packages import check_packages
from dnsrenew.store import json_files

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.database.deadlines import DeadlineConnection
    from dnsrenew.extensions.fleet.database.server import Server

_OLDEST: Final = 140000
"""PostgreSQL 14: before it, idle_session_timeout does not exist, which frees the locks of a host that hangs."""
_NO_TRANSACTIONS: Final = "08P01"
"""PgBouncer's answer to a BEGIN if it pools single statements."""
_IDLE_IN_TRANSACTION: Final = 5_000
"""Milliseconds after which the server ends the transaction of a client that hangs, and with it its row locks: others
that wait for those rows give up after 10 s."""
_HANDOVER: Final = 0.1
"""Seconds for the end of a thread that has connected in time."""
_SETUP: Final = """
SELECT pg_backend_pid(), clock_timestamp(), pg_is_in_recovery(), current_setting('transaction_read_only'),
  current_setting('server_version_num')::int, current_setting('server_version'), set_config('TimeZone', 'UTC', false),
  set_config('statement_timeout', %s, false), set_config('idle_in_transaction_session_timeout', %s, false)
"""


def connect(server: Server) -> DeadlineConnection:
    """Open a connection, set its session up and check the server.

    :raises StoreError: it cannot connect, or the server does not suit.
    """
    connection = _open(server)
    try:
        _prepare(server, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _open(server: Server) -> DeadlineConnection:
    """Connect, in a thread: neither a resolver nor several addresses may take longer than the patience."""
    try:
        import psycopg
        from psycopg.types.json import set_json_loads

        from dnsrenew.extensions.fleet.database.deadlines import DeadlineConnection
    except ImportError:
        check_packages()
        raise
    lock, given_up = threading.Lock(), threading.Event()

    def connect() -> DeadlineConnection | None:
        # The options hold the password: no variable of a traceback may have them.
        connection = DeadlineConnection.connect(server.address.url, autocommit=True, **connection_options(server))
        connection.patience = server.patience
        set_json_loads(json_files.value, connection)
        with lock:
            if not given_up.is_set():
                return connection
        connection.close()
        return None

    task = threads.start(connect)
    task.done.wait(server.patience)
    with lock:
        given_up.set()
    # libpq gives up at the same moment: its error may come only now, and must not be looked at before.
    is_done = task.done.wait(_HANDOVER)
    if is_done and isinstance(task.error, psycopg.Error):
        raise server.translate(task.error)
    opened = task.result() if is_done else None
    if opened is None:
        raise server.error(texts.SILENT, seconds=server.patience)
    return opened


def connection_options(server: Server) -> dict[str, Any]:
    """Return libpq's parameters without those in the URL, which take precedence.

    :raises StoreError: ``store-bad-path``: the URL cannot be read.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    options: dict[str, Any] = {
        "connect_timeout": max(2, math.ceil(server.patience)),
        "client_encoding": "utf8",
        "application_name": "dnsrenew",
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": math.ceil(server.patience * 1000),
    }
    try:
        given = conninfo_to_dict(server.address.url)
    except psycopg.Error:  # its words quote the address
        given = None
    if given is None:
        raise StoreError.of(texts.BAD_ADDRESS)
    options = {name: value for name, value in options.items() if given.get(name) is None}
    password = server.address.read_password()
    return options if password is None else {**options, "password": password}


def _prepare(server: Server, connection: DeadlineConnection) -> None:
    limits = (str(math.ceil(server.patience * 1000)), str(_IDLE_IN_TRANSACTION))
    before = time.monotonic()
    ((pid, now, is_replica, read_only, number, version, *_),), _ = server.run(connection, _SETUP, limits)
    server.clock.note(before, now, time.monotonic())
    if number < _OLDEST:
        raise server.error(texts.TOO_OLD, version=version)
    if is_replica or read_only == "on":
        raise server.error(texts.REPLICA if is_replica else texts.READ_ONLY)
    if connection.info.backend_pid != pid:  # the number told at the login is another one: a pooler answered it
        _refuse_shared_sessions(server, connection, pid)


def _refuse_shared_sessions(server: Server, connection: DeadlineConnection, pid: int) -> None:
    """Raise an error if a pooler gives each transaction another session.

    While a second connection is in a transaction, either it got the session of the first one, or the first one
    gets another session than before.
    """
    other = _open(server)
    try:
        server.run(other, "BEGIN")
        ((second,),), _ = server.run(other, "SELECT pg_backend_pid()")
        ((again,),), _ = server.run(connection, "SELECT pg_backend_pid()")
        server.run(other, "ROLLBACK")
    except StoreError as error:
        if error.evidence.get("sqlstate") != _NO_TRANSACTIONS and (other.closed or connection.closed):
            raise
        raise server.error(texts.POOLER) from None
    finally:
        other.close()
    if pid == second or again != pid:
        raise server.error(texts.POOLER)
