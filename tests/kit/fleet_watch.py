"""Watches the actions of a fleet's machine; a fault can be injected at each statement, request and event."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from dnsrenew.extensions.fleet.database.connection import Database
from tests.kit.postgres import DatabaseAddress

T = TypeVar("T")

_PING: Final = "SELECT clock_timestamp()"
_TABLE: Final = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM|FROM) dnsrenew_(?!lock\b|alive\b)(\w+)")


class Killed(BaseException):
    """The machine is dead."""


class Watch:
    """The actions of a machine pass here.

    :param at: the point at which something happens; None: nowhere.
    :param strike: what happens.
    :ivar seen: the points so far.
    :ivar requests: the requests to the CA and calls of the DNS host, in order.
    :ivar sent_before: their number when it happened; None: it has not.
    """

    def __init__(self, at: str | None = None, strike: Callable[[], None] | None = None) -> None:
        self._at = at
        self._strike = strike
        self._times: Counter[str] = Counter()
        self.seen: list[str] = []
        self.requests: list[str] = []
        self.sent_before: int | None = None
        self.is_dead = False

    def pass_by(self, what: str) -> None:
        """Inject the fault here, or continue."""
        if self.is_dead:
            raise Killed
        self._times[what] += 1
        number = self._times[what]
        point = what if number == 1 else f"{what} ({number})"
        self.seen.append(point)
        if point == self._at and self._strike is not None:
            self.sent_before = len(self.requests)
            self._strike()
            if self.is_dead:
                raise Killed

    def around(self, what: str, done: str, call: Callable[[], T]) -> T:
        """Make a call to another party; the fault may come before it, or before its result is known."""
        self.pass_by(f"{what}, not sent")
        value = call()
        self.pass_by(f"{what}, {done}")
        return value

    def request(self, what: str, done: str, call: Callable[[], T]) -> T:
        """Make a request to the CA or the DNS host."""

        def sent() -> T:
            self.requests.append(what)
            return call()

        return self.around(what, done, sent)

    @property
    def sent_after(self) -> list[str]:
        """Return the requests that were sent after the fault."""
        return self.requests[self.sent_before or 0 :]


class WatchedDatabase(Database):
    """The database of a machine.

    :ivar opened: its connections, with the process of the server for each.
    """

    def __init__(self, address: DatabaseAddress, watch: Watch) -> None:
        super().__init__(address)
        self.watch = watch
        self.opened: dict[Any, int] = {}

    def run(self, connection: Any, sql: str, params: Any = ()) -> tuple[list[tuple[Any, ...]], int]:
        """Execute a statement; heartbeats have a thread of their own, and are no points."""
        if connection not in self.opened:
            self.opened[connection] = connection.info.backend_pid
        if sql == _PING:
            return super().run(connection, sql, params)
        return self.watch.around(
            f"database: {plain(sql, params)}", "done", lambda: super(WatchedDatabase, self).run(connection, sql, params)
        )


def plain(sql: str, params: Any) -> str:
    """Describe a statement in a few words."""
    if "pg_try_advisory_lock" in sql or "pg_advisory_unlock" in sql:
        what = "unlock" if "unlock" in sql else "lock"
        key = params.get("key") if isinstance(params, Mapping) else params[0]
        return "register" if "dnsrenew_holder" in sql else f"{what} {str(key).partition('-')[0]}"
    found = _TABLE.findall(sql)
    if not found:
        return "connect" if "pg_backend_pid" in sql else sql.split(maxsplit=1)[0]
    writes = [(verb, table) for verb, table in found if verb != "FROM"]
    states = [(verb, table) for verb, table in found if table == "certificate"]
    verb, table = next(iter(writes or states or found))
    verbs = {"INSERT INTO": "write", "UPDATE": "change", "DELETE FROM": "remove", "FROM": "read"}
    return f"{verbs[verb]} {table}"
