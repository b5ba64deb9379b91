"""The fixtures of :mod:`tests.kit.postgres`, which is loaded by the first test that needs one of them."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kit.postgres import DatabaseAddress, Postgres

_running: list[Postgres] = []


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests of this worker, also where a test file imports the fixture."""
    if _running:
        yield _running[0]
        return
    from tests.kit.postgres import Postgres

    with Postgres.running() as server:
        _running.append(server)
        yield server
        _running.clear()


@pytest.fixture
def address(postgres: Postgres) -> Iterator[DatabaseAddress]:
    """A new, empty database, which is removed at the end."""
    address = postgres.new_database()
    yield address
    postgres.drop(address)


@pytest.fixture
def fleet_address(postgres: Postgres) -> Iterator[DatabaseAddress]:
    """A new database with the tables of a fleet, copied from one of this worker; it is removed at the end."""
    address = postgres.new_database(_with_tables(postgres))
    yield address
    postgres.drop(address)


@functools.cache
def _with_tables(postgres: Postgres) -> DatabaseAddress:
    from dnsrenew.extensions.fleet.database.connection import Database
    from dnsrenew.extensions.fleet.database.schema import initialize
    from dnsrenew.extensions.fleet.database.seal import Seals

    address = postgres.new_database()
    with contextlib.closing(Database(address)) as database:
        initialize(database, Seals([]))
    return address
