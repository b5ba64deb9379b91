"""Helpers for tests of drivers and of programs that use dnsrenew."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dnsrenew.testing.box.acme_box import AcmeBox, acme_box
    from dnsrenew.testing.box.dns_host import InMemoryDriver
    from dnsrenew.testing.box.resources import IssuedCertificate
    from dnsrenew.testing.driver_check import check_driver

_MODULES = {
    "AcmeBox": "box.acme_box",
    "InMemoryDriver": "box.dns_host",
    "IssuedCertificate": "box.resources",
    "acme_box": "box.acme_box",
    "check_driver": "driver_check",
}

__all__ = ["AcmeBox", "InMemoryDriver", "IssuedCertificate", "acme_box", "check_driver"]


def __getattr__(name: str) -> Any:
    """Import a name on first use (PEP 562): pytest loads the plug-in of this package at every start."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dnsrenew.base.type_hints import complete

    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    package = sys.modules["dnsrenew"]
    complete(value, globals(), lambda each: getattr(sys.modules[__name__] if each in _MODULES else package, each))
    return value
