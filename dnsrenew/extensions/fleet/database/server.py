"""A database server as a process sees it: statements on one connection, and errors in our words."""

from __future__ import annotations

import functools
import importlib.util
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from dnsrenew.base.clock import Clock, SystemClock
from dnsrenew.base.extensions import install_command
from dnsrenew.base.model import StoreAddress
from dnsrenew.config import texts as config_texts
from dnsrenew.config.loader import Draft
from dnsrenew.config.schema import Unlocated
from dnsrenew.errors import StoreError, Text
from dnsrenew.extensions.fleet.database import texts

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.database.deadlines import DeadlineConnection

PATIENCE: Final = 10.0
"""Seconds of silence after which a database counts as gone."""
Params = Sequence[Any] | Mapping[str, Any]
Row = tuple[Any, ...]


class Address(Protocol):
    """The place of the database."""

    @property
    def url(self) -> str:
        """The URL, without a password."""

    def read_password(self) -> str | None:
        """Return the password, or None."""


_UNREADABLE: Final = re.compile(r"permission denied for (?:table|view) (\w+)")
"""PostgreSQL's English words."""


class Server:
    """The place of the database, and the data that all connections to it share. Thread-safe.

    :param patience: seconds of silence after which the database counts as gone.
    :param measure: connects, if the time of the database is needed before any statement.
    :ivar queries: the number of statements so far, BEGIN and COMMIT too.
    :ivar clock: the clock of the database, which each new connection sets.
    :ivar reads_only: whether nothing is written, so that a replica is enough.
    """

    def __init__(self, address: Address, patience: float, measure: Callable[[], object]) -> None:
        self.address, self.patience = address, patience
        self.queries, self.reads_only = 0, False
        self.clock = DatabaseClock(measure)
        self._counting = threading.Lock()

    @functools.cached_property
    def library(self) -> Any:
        """The module that uses psycopg: :mod:`.deadlines`.

        :raises StoreError: ``store-extra-missing``.
        """
        try:
            from dnsrenew.extensions.fleet.database import deadlines  # only with a database
        except ImportError:
            check_packages()
            raise
        return deadlines

    def run(self, connection: DeadlineConnection, sql: str, params: Params = ()) -> tuple[list[Row], int]:
        """Execute a statement on a connection; return its rows and the number of rows that it returned or changed."""
        with self._counting:
            self.queries += 1
        try:
            cursor = connection.execute(sql.encode(), params or None)
            return cursor.fetchall() if cursor.description else [], cursor.rowcount
        except self.library.DatabaseError as error:
            failure = self.translate(error)
        if self.reads_only and (table := _UNREADABLE.search(failure.evidence.get("reason", ""))):
            failure = self.error(texts.NO_RIGHT_TO_READ, table=table[1], sqlstate=failure.evidence["sqlstate"])
        raise failure  # outside the block above: psycopg's error holds the password, and must not be its context

    def error(self, text: Text, **evidence: Any) -> StoreError:
        """Return an error with the place of the database in its evidence."""
        return StoreError.of(text, **{**self.place, **evidence})

    @functools.cached_property
    def place(self) -> Mapping[str, Any]:
        """``server``, ``database`` and ``user`` for the evidence of an error."""
        found: Mapping[str, Any] = self.library.read_place(self.address.url)
        return found

    def translate(self, error: Any) -> StoreError:  # psycopg is imported late
        """Return the error for an error of psycopg."""
        made: StoreError = self.library.translate(error, self.place, self.patience, self.address.read_password())
        return made


# ── clock ──────────────────────────────────────────────────────────────────────────────

# The clock of the database, which decides in a fleet, because the clocks of machines may differ by minutes.


class DatabaseClock(Clock):
    """The wall-clock time of the database: this machine's monotonic clock plus the last measured difference.

    :param measure: asks the database once, if the time is needed before the first measurement.
    """

    def __init__(self, measure: Callable[[], object]) -> None:
        self._measure = measure
        self._local = SystemClock()
        self._origin: datetime | None = None
        """The time of the database at second 0 of the monotonic clock."""

    def note(self, before: float, time: datetime, after: float) -> None:
        """Record a time of the database.

        :param before: the monotonic second before the question; ``after`` is the one after the answer.
        """
        self._origin = time.astimezone(UTC) - timedelta(seconds=(before + after) / 2)

    def now(self) -> datetime:
        """Return the time of the database in UTC, or this machine's time while the database cannot be asked."""
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


# ── packages ───────────────────────────────────────────────────────────────────────────

# The Python packages that a store in a database needs, from the extra ``fleet``.

PACKAGES: Final = {"psycopg": "psycopg[binary,pool]", "psycopg_pool": "psycopg-pool", "procrastinate": "procrastinate"}
"""The modules, each with its package."""
_EXTRA: Final = "dnsrenew[fleet]"
"""The name under which all of them can be installed."""


def missing_packages() -> list[str]:
    """Return the packages that must be installed."""
    return [package for module, package in PACKAGES.items() if importlib.util.find_spec(module) is None]


def check_packages() -> None:
    """Check that all packages are installed.

    :raises StoreError: ``store-extra-missing``, which names the missing ones.
    """
    if missing := missing_packages():
        raise StoreError.of(texts.NO_PACKAGE, packages=missing, command=install_command(_EXTRA))


# ── check of the configuration ──────────────────────────────────────────────────────────

_STORE: Final = ("store",)


def check_fleet(draft: Draft) -> None:
    """Add a mistake if a package for PostgreSQL is missing, or libpq does not understand the address."""
    store = draft.values.get("store")
    if not isinstance(store, StoreAddress) or draft.report.has_mistake(_STORE):
        return
    if missing_packages():
        fix = config_texts.INSTALL.format(command=install_command(_EXTRA))
        draft.report.add(
            Unlocated(draft.main.file, _STORE, config_texts.NO_FLEET_PACKAGES, config_texts.FLEET_PACKAGES, fix=fix)
        )
        return
    from dnsrenew.extensions.fleet.database.deadlines import parameters_of

    if parameters_of(store.url) is None:  # the message of libpq may contain any part of the address
        draft.report.add(Unlocated(draft.main.file, _STORE, config_texts.NOT_READ_BY_LIBPQ, config_texts.DATABASE_URL))
