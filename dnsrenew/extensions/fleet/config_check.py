"""Whether the store of a fleet can be used: its packages, and its address. Nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.base.installation import install_command
from dnsrenew.base.model import StoreAddress
from dnsrenew.config import texts
from dnsrenew.config.schema import Unlocated
from dnsrenew.extensions.fleet.database.packages import missing_packages

if TYPE_CHECKING:
    from dnsrenew.config.loader import Draft

_STORE: Final = ("store",)


def check_fleet(draft: Draft) -> None:
    """Add a mistake if a package for PostgreSQL is missing, or libpq does not understand the address."""
    store = draft.values.get("store")
    if not isinstance(store, StoreAddress) or draft.report.has_mistake(_STORE):
        return
    missing = missing_packages()
    if missing:
        fix = texts.INSTALL.format(command=install_command(*missing))
        draft.report.add(Unlocated(draft.main.file, _STORE, texts.NO_FLEET_PACKAGES, texts.FLEET_PACKAGES, fix=fix))
    elif not _is_understood(store.url):
        draft.report.add(Unlocated(draft.main.file, _STORE, texts.NOT_READ_BY_LIBPQ, texts.DATABASE_URL))


def _is_understood(url: str) -> bool:
    """Tell whether libpq can read an address; its message is not shown: it can have any part of the address."""
    import psycopg  # slow to load
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(url)
    except psycopg.Error:
        return False
    return True
