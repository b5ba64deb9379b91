"""DNS hosts: the driver protocol, the catalogue of hosts, and the built-in drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dnsrenew.drivers.catalogue import check_options, find_provider, parse_provider, provider_names, zone_for
    from dnsrenew.drivers.loading import make_driver
    from dnsrenew.drivers.protocol import Driver, DriverContext
    from dnsrenew.drivers.provider import Provider

_MODULES = {
    "Driver": "protocol",
    "DriverContext": "protocol",
    "Provider": "provider",
    "check_options": "catalogue",
    "find_provider": "catalogue",
    "make_driver": "loading",
    "parse_provider": "catalogue",
    "provider_names": "catalogue",
    "zone_for": "catalogue",
}

__all__ = [
    "Driver",
    "DriverContext",
    "Provider",
    "check_options",
    "find_provider",
    "make_driver",
    "parse_provider",
    "provider_names",
    "zone_for",
]


def __getattr__(name: str) -> Any:
    """Import a name on first use (PEP 562), for a fast start."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
