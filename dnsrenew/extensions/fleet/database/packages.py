"""The Python packages that a store in a database needs, those of the extra ``fleet``."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Final

from dnsrenew.base.extensions import install_command
from dnsrenew.base.model import StoreAddress
from dnsrenew.config import texts as config_texts
from dnsrenew.config.schema import Unlocated
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database import texts

if TYPE_CHECKING:
    from dnsrenew.config.loader import Draft

PACKAGES: Final = {"psycopg": "psycopg[binary,pool]", "psycopg_pool": "psycopg-pool", "procrastinate": "procrastinate"}
"""The modules, and what is installed for each."""
_EXTRA: Final = "dnsrenew[fleet]"
"""What is installed for all of them."""


def missing_packages() -> list[str]:
    """Return what has to be installed."""
    return [package for module, package in PACKAGES.items() if importlib.util.find_spec(module) is None]


def check_packages() -> None:
    """Return if all packages are installed.

    :raises StoreError: ``store-extra-missing``, which names all that are not.
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
    elif not _is_understood(store.url):
        draft.report.add(Unlocated(draft.main.file, _STORE, config_texts.NOT_READ_BY_LIBPQ, config_texts.DATABASE_URL))


def _is_understood(url: str) -> bool:
    """Return whether libpq can read an address; its message is not shown: it can have any part of the address."""
    import psycopg  # slow to load
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(url)
    except psycopg.Error:
        return False
    return True
