"""The DNS hosts: a driver for each HTTP API, a file for each, on :mod:`~dnsrenew.drivers.host_api`; and lexicon's."""

from __future__ import annotations

from pkgutil import iter_modules
from typing import Final

from dnsrenew.base.extensions import Extension

_SHARED: Final = frozenset({"record_driver", "texts"})
_OTHERS: Final = {
    "acme.sh": (f"{__name__}.acme_sh", "AcmeShDriver"),
    "lexicon": (f"{__name__}.lexicon.driver", "LexiconDriver"),
    "websupport": (f"{__name__}.active24", "WebsupportDriver"),
}
"""The drivers whose file and class are not called as they are."""


def _drivers() -> dict[str, tuple[str, str]]:
    """Return the module and the class of each driver, by name."""
    files = {each.name for each in iter_modules(__path__)} - _SHARED - {"acme_sh", "lexicon"}
    return _OTHERS | {name: (f"{__name__}.{name}", f"{name.capitalize()}Driver") for name in sorted(files)}


EXTENSION: Final = Extension(drivers=_drivers)
