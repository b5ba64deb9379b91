"""A fleet: certificates in a database, workers on any number of machines, servers that answer for all names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.base.extensions import Extension

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dnsrenew.base.model import StoreAddress
    from dnsrenew.cli.command_types import CommandTable
    from dnsrenew.config import Config
    from dnsrenew.config.loader import Draft
    from dnsrenew.extensions.fleet.certificates import FleetCertificates
    from dnsrenew.store import Store


class _DatabaseKind:
    """See :class:`dnsrenew.operations.selection.StoreKind`."""

    def open(self, address: StoreAddress, seals: Callable[[], Sequence[bytes]]) -> Store:
        """Return the store in a database; nothing is read yet.

        :raises ConfigError: a seal is not one.
        :raises SecretError: a seal cannot be read.
        """
        from dnsrenew.extensions.fleet.database.database_store import DatabaseStore

        return DatabaseStore.at(address, seals())

    def certificates(self, config: Config, store: Store) -> FleetCertificates:
        """Return the certificates of a configuration whose store is a database.

        :raises StoreError: the database cannot be used: ``store-schema``, ``store-newer``, ``seal-wrong`` …
        """
        from dnsrenew.extensions.fleet.certificates import fleet_certificates

        return fleet_certificates(config, store)


def _commands() -> CommandTable:
    from dnsrenew.extensions.fleet.commands_table import TABLE

    return TABLE


def _check() -> Callable[[Draft], None]:
    from dnsrenew.extensions.fleet.database.server import check_fleet

    return check_fleet


EXTENSION = Extension(commands=_commands, store=_DatabaseKind, check=_check)
