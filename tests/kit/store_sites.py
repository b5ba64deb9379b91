"""A place for a store, a folder or a database, for tests that apply to both. A plugin with fixtures."""

from __future__ import annotations

import abc
import base64
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from dnsrenew.store import FolderStore, Store

if TYPE_CHECKING:
    from dnsrenew.base.model import StoreAddress
    from dnsrenew.config.schema import SecretUse
    from dnsrenew.extensions.fleet.database.connection import Database
    from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
    from tests.kit.postgres import DatabaseAddress, Postgres

SEAL: Final = bytes(range(32))
"""Seals the private keys in the databases."""
_templates: dict[str, DatabaseAddress] = {}


class StoreSite(abc.ABC):
    """A store, empty at first, with changes that dnsrenew does not make.

    :ivar where: what a configuration says.
    :ivar secrets: what a configuration says besides.
    """

    where: Path | StoreAddress
    secrets: tuple[SecretUse, ...] = ()

    @abc.abstractmethod
    def open(self) -> Store:
        """Open the store, as another run does."""

    @abc.abstractmethod
    def versions(self) -> list[int]:
        """The numbers of the versions of `home`."""

    @abc.abstractmethod
    def lose_version(self, number: int) -> None:
        """Remove a version of `home`."""

    @abc.abstractmethod
    def put_state(self, data: bytes | None) -> None:
        """Replace the state of `home`; None: remove it."""

    @abc.abstractmethod
    def put_meta(self, number: int, data: bytes) -> None:
        """Replace the data of a version of `home`."""

    @abc.abstractmethod
    def empty_key(self, number: int) -> None:
        """Take the private key of a version of `home`."""


class FolderSite(StoreSite):
    """A folder."""

    def __init__(self, path: Path) -> None:
        self.where = self.path = path
        self._home = path / "certificates/home"

    def open(self) -> Store:
        """Open the store."""
        return FolderStore(self.path)

    def versions(self) -> list[int]:
        """The numbers of the versions."""
        return sorted(int(name) for name in os.listdir(self._home / "versions"))

    def lose_version(self, number: int) -> None:
        """Remove a version."""
        shutil.rmtree(self._home / f"versions/{number}")

    def put_state(self, data: bytes | None) -> None:
        """Replace the state."""
        if data is None:
            (self._home / "state.json").unlink()
        else:
            (self._home / "state.json").write_bytes(data)

    def put_meta(self, number: int, data: bytes) -> None:
        """Replace the data of a version."""
        (self._home / f"versions/{number}/meta.json").write_bytes(data)

    def empty_key(self, number: int) -> None:
        """Take the private key of a version."""
        (self._home / f"versions/{number}/privkey.pem").write_bytes(b"")


class DatabaseSite(StoreSite):
    """A database whose tables are made, and whose keys are sealed with :data:`SEAL`.

    :ivar address: where it is.
    """

    def __init__(self, address: DatabaseAddress) -> None:
        from dnsrenew.base.model import StoreAddress
        from dnsrenew.base.secrets import Secret
        from dnsrenew.config.schema import SecretUse

        self.address = address
        self.where = StoreAddress(address.url, address.password)
        seal = Secret(base64.b64encode(SEAL).decode())
        self.secrets = (SecretUse(secret=seal, path=("fleet", "seal"), file=""),)
        self._stores: list[DatabaseStore] = []

    @classmethod
    def new(cls, postgres: Postgres) -> DatabaseSite:
        """Return a site in a new database."""
        from dnsrenew.extensions.fleet.database import schema
        from dnsrenew.extensions.fleet.database.seal import Seals

        name = str(postgres.folder)
        if name not in _templates:
            _templates[name] = postgres.new_database()
            database = open_database(_templates[name])
            schema.initialize(database, Seals([SEAL]))
            database.close()
        return cls(postgres.new_database(_templates[name]))

    def open(self) -> DatabaseStore:
        """Open the store with connections of its own; :meth:`close` closes them."""
        from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
        from dnsrenew.extensions.fleet.database.seal import Seals

        self._stores.append(DatabaseStore(open_database(self.address), Seals([SEAL])))
        return self._stores[-1]

    def journal(self) -> list[str]:
        """The certificates of the entries of the journal."""
        database = open_database(self.address)
        rows = database.fetch("SELECT certificate FROM dnsrenew_journal ORDER BY id")
        database.close()
        return [name for (name,) in rows]

    def dump(self) -> list[bytes]:
        """Return every value in a table of ours but that of the processes; binary ones as they are."""
        database = open_database(self.address)
        tables = database.fetch("SELECT tablename FROM pg_tables WHERE tablename ~ '^dnsrenew_(?!holder)'")
        rows = [row for (table,) in tables for row in database.fetch(f"TABLE {table}")]
        database.close()
        return [bytes(value) if isinstance(value, bytes) else str(value).encode() for row in rows for value in row]

    def close(self) -> None:
        """Close what was opened."""
        for store in self._stores:
            store.close()

    def execute(self, statement: str, *values: object) -> None:
        """Execute a statement."""
        database = open_database(self.address)
        database.execute(statement, values)
        database.close()

    def versions(self) -> list[int]:
        """The numbers of the versions."""
        database = open_database(self.address)
        rows = database.fetch("SELECT number FROM dnsrenew_version WHERE name = 'home' ORDER BY number")
        database.close()
        return [number for (number,) in rows]

    def lose_version(self, number: int) -> None:
        """Remove a version."""
        self.execute("DELETE FROM dnsrenew_version WHERE name = 'home' AND number = %s", number)

    def put_state(self, data: bytes | None) -> None:
        """Replace the state."""
        text = None if data is None else data.decode()
        self.execute("UPDATE dnsrenew_certificate SET state = %s::jsonb WHERE name = 'home'", text)

    def put_meta(self, number: int, data: bytes) -> None:
        """Replace the data of a version."""
        statement = "UPDATE dnsrenew_version SET meta = %s::jsonb WHERE name = 'home' AND number = %s"
        self.execute(statement, data.decode(), number)

    def empty_key(self, number: int) -> None:
        """Take the private key of a version."""
        self.execute("UPDATE dnsrenew_version SET key = '' WHERE name = 'home' AND number = %s", number)


def open_database(address: DatabaseAddress) -> Database:
    """Return connections to a database."""
    from dnsrenew.extensions.fleet.database.connection import Database

    return Database(address)


@pytest.fixture
def database_site(request: pytest.FixtureRequest) -> Iterator[DatabaseSite]:
    """A database for a store."""
    site = DatabaseSite.new(request.getfixturevalue("postgres"))
    yield site
    site.close()


@pytest.fixture(params=["folder", "database"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> StoreSite:
    """A place for a store: the test runs once for each kind."""
    if request.param == "folder":
        return FolderSite(tmp_path / "state")
    found: StoreSite = request.getfixturevalue("database_site")
    return found
