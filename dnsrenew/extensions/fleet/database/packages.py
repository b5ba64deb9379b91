"""The Python packages that a store in a database needs, those of the extra ``fleet``."""

from __future__ import annotations

import importlib.util
from typing import Final

from dnsrenew.base.installation import install_command
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database import texts

PACKAGES: Final = {"psycopg": "psycopg[binary,pool]", "psycopg_pool": "psycopg-pool", "procrastinate": "procrastinate"}
"""The modules, and what is installed for each."""


def missing_packages() -> list[str]:
    """Return what has to be installed."""
    return [package for module, package in PACKAGES.items() if importlib.util.find_spec(module) is None]


def check_packages() -> None:
    """Return if all packages are installed.

    :raises StoreError: ``store-extra-missing``, which names all that are not.
    """
    if missing := missing_packages():
        raise StoreError.of(texts.NO_PACKAGE, packages=missing, command=install_command(*missing))
