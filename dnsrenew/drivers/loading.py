"""From a provider and an account to a driver."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dnsrenew.drivers.protocol import BUILT_IN, COMING, ENTRY_POINT_GROUP, Driver, DriverContext
from dnsrenew.drivers.provider import OWN_OBJECT
from dnsrenew.errors import ConfigError
from dnsrenew.secrets import Secret

if TYPE_CHECKING:
    import threading

    from dnsrenew.drivers.provider import Provider
    from dnsrenew.model import DnsAccount


def make_driver(
    provider: Provider,
    account: DnsAccount,
    *,
    seconds_left: Callable[[], float],
    cancel: threading.Event,
) -> Driver:
    """Return a new driver for one call, by one thread.

    :raises ConfigError: an option is wrong, or the driver is not installed.
    :raises SecretError: a reference leads to nothing (where the driver uses it already).
    """
    if provider.driver == OWN_OBJECT:
        return _own_object(account)
    kind = _driver_class(provider.driver)
    context = DriverContext(
        account=account.name,
        options=_options(provider, account.options),
        driver_options=provider.driver_options,
        seconds_left=seconds_left,
        cancel=cancel,
        logger=logging.getLogger(f"dnsrenew.drivers.{provider.driver}"),
    )
    driver = kind(context)
    if not isinstance(driver, Driver):
        raise ConfigError(
            "driver-invalid",
            f"The driver {provider.driver} has no methods add and remove.",
            fix="Use another version of the package that brings it.",
        )
    return driver


def _own_object(account: DnsAccount) -> Driver:
    driver = account.options.get("driver")
    if not isinstance(driver, Driver):
        raise ConfigError(
            "driver-invalid",
            f"The object given as the DNS account {account.name} has no methods add and remove.",
            fix="Pass a DnsAccount, or an object with both methods.",
        )
    return driver


def _options(provider: Provider, options: Mapping[str, Any]) -> dict[str, str | Secret]:
    """Give secrets their type, and take it from what is none (in Python a reference may stand anywhere)."""
    if provider.any_options:
        return dict(options)
    known = {key: spec for key, spec in provider.options.items() if key in options}
    return {key: _typed(options[key], secret=spec.secret) for key, spec in known.items()}


def _typed(value: str | Secret, *, secret: bool) -> str | Secret:
    if secret:
        return value if isinstance(value, Secret) else Secret(value)
    return value.reveal() if isinstance(value, Secret) else value


def _driver_class(name: str) -> Callable[[DriverContext], object]:
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name]
        kind: Callable[[DriverContext], object] = getattr(import_module(module), attribute)
        return kind
    if name in COMING:
        raise ConfigError("driver-coming", f"The driver {name} comes with a later version.", fix="Use another driver.")
    return _plug_in(name)


def _plug_in(name: str) -> Callable[[DriverContext], object]:
    from importlib.metadata import entry_points

    found = entry_points(group=ENTRY_POINT_GROUP, name=name)
    if not found:
        raise ConfigError(
            "driver-missing",
            f"The driver {name} is not installed here.",
            fix=f"Install the package that brings the driver {name}, into the same environment as dnsrenew.",
        )
    entry = next(iter(found))
    try:
        kind: Callable[[DriverContext], object] = entry.load()
    except Exception as error:  # noqa: BLE001  # whatever a foreign module raises while it is imported
        raise ConfigError(
            "driver-broken",
            f"The driver {name} ({entry.value}) cannot be loaded.",
            fix=f"Install or update the package that brings the driver {name}.",
            evidence={"driver": name, "cause": f"{type(error).__name__}: {error}"},
        ) from None
    return kind
