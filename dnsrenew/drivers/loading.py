"""Create the driver of an account."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import extensions
from dnsrenew.base.secrets import Secret
from dnsrenew.drivers import texts
from dnsrenew.drivers.protocol import BUILT_IN, ENTRY_POINT_GROUP, Driver, DriverContext, is_ours
from dnsrenew.drivers.provider import OWN_OBJECT, Provider
from dnsrenew.errors import Cancelled, ConfigError

if TYPE_CHECKING:
    import threading
    from importlib.metadata import EntryPoint

    from dnsrenew.base.model import DnsAccount

_HOSTS: Final = "hosts"
"""The extension that has the drivers of DNS hosts."""


def make_driver(
    provider: Provider,
    account: DnsAccount,
    seconds_left: Callable[[], float],
    cancel: threading.Event,
    remembered: dict[Any, Any] | None = None,
) -> Driver:
    """Return a new driver for one call in one thread.

    :param remembered: the values that the drivers of this account remember until the end of the run.

    :raises ConfigError: an option is wrong, or the driver is not installed.
    :raises SecretError: the constructor of the driver needs a secret that cannot be resolved.
    """
    if provider.driver == OWN_OBJECT:
        own = account.options.get("driver")
        if not isinstance(own, Driver):
            raise ConfigError.of(texts.OBJECT_INVALID, account=account.name)
        return own
    kind, options = _driver_class(provider.driver), _options(provider, account.options)
    logger, known = logging.getLogger(f"dnsrenew.drivers.{provider.driver}"), {} if remembered is None else remembered
    driver = kind(
        DriverContext(account.name, options, provider.driver_options, seconds_left, cancel, logger, remembered=known)
    )
    if not isinstance(driver, Driver):
        raise ConfigError.of(texts.DRIVER_INVALID, driver=provider.driver)
    return driver


def warm_up(provider: Provider, remembered: dict[Any, Any]) -> None:
    """Begin slow preparations of the drivers of an account before their first call. Do not wait, and report no error.

    :param remembered: the values that they remember until the end of the run.
    """
    if is_built_in(provider.driver):
        with contextlib.suppress(OSError, Cancelled, ConfigError):  # the call meets the error again, and reports it
            if begin := getattr(_driver_class(provider.driver), "warm_up", None):
                begin(provider.driver_options, remembered)


@cache
def built_in() -> Mapping[str, tuple[str, str]]:
    """Return the module and the class of each built-in driver, of the core and its extensions, by name."""
    found = dict(BUILT_IN)
    for drivers in extensions.plugged(lambda extension: extension.drivers):
        found |= drivers
    return found


def is_built_in(name: str) -> bool:
    """Return whether a driver is built in. Extensions are asked only for drivers that the core does not have."""
    return name in BUILT_IN or name in built_in()


def plug_ins(group: str) -> Iterable[EntryPoint]:
    """Return the entry points of a group (slow: it reads every installed distribution)."""
    from importlib.metadata import entry_points  # slow to load

    return entry_points(group=group)


def driver_missing(name: str) -> ConfigError:
    """Return the error for a driver that is not installed."""
    if _HOSTS not in extensions.installed():
        return extensions.missing(name, _HOSTS)
    return ConfigError.of(texts.DRIVER_MISSING, driver=name)


def _options(provider: Provider, options: Mapping[str, Any]) -> dict[str, Any]:
    """Convert each text to ``Secret`` or ``str``, as the provider file declares. A program may pass either."""
    if provider.any_options:
        return dict(options)
    known = {key: spec for key, spec in provider.options.items() if key in options}
    return {key: _typed(options[key], secret=spec.secret) for key, spec in known.items()}


def _typed(value: Any, *, secret: bool) -> Any:
    if secret:
        return value if isinstance(value, Secret) else Secret(value)
    return value.reveal() if isinstance(value, Secret) else value


def _driver_class(name: str) -> Callable[[DriverContext], object]:
    if is_built_in(name):
        module, attribute = BUILT_IN.get(name) or built_in()[name]
        kind: Callable[[DriverContext], object] = getattr(import_module(module), attribute)
        return kind
    return _plug_in(name)


def _plug_in(name: str) -> Callable[[DriverContext], object]:
    entry = next((each for each in plug_ins(ENTRY_POINT_GROUP) if each.name == name), None)
    if entry is None or is_ours(entry.value):
        raise driver_missing(name)
    try:
        kind: Callable[[DriverContext], object] = entry.load()
    except Exception as error:  # noqa: BLE001  # the import of a third-party module may raise anything
        cause = f"{type(error).__name__}: {error}"
        raise ConfigError.of(texts.DRIVER_BROKEN, driver=name, entry_point=entry.value, cause=cause) from None
    return kind
