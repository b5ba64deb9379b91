"""The tables of a fleet: made, or brought to this version, and their private keys sealed with the first seal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnsrenew.base.values import Frozen
from dnsrenew.extensions.fleet.database import schema
from dnsrenew.extensions.fleet.database.packages import check_packages

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.database.database_store import DatabaseStore


class InitializedFleet(Frozen, kw_only=True):
    """What was done.

    :ivar schema: the version of the tables.
    :ivar sealed: the number of private keys that were sealed anew.
    """

    schema: int
    sealed: int

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return dict(vars(self))


def initialize(store: DatabaseStore, *, seal_existing: bool = False) -> InitializedFleet:
    """Make the tables of dnsrenew and of its queue, or bring them to this version. Repeated, it changes nothing.

    :param seal_existing: seal the private keys that are not sealed; otherwise they are refused where there is a seal.
    :raises StoreError: ``store-newer``, ``store-refused``, ``store-unreachable``, ``seal-wrong``,
        ``store-extra-missing``.
    """
    check_packages()
    schema.initialize(store.database, store.seals, seal_existing=seal_existing)
    sealed = schema.reseal(store.database, store.seals, seal_existing=seal_existing)
    return InitializedFleet(schema=schema.VERSION, sealed=sealed)
