"""Create the driver of an account."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from dnsrenew.base.secrets import Secret
from dnsrenew.drivers import texts
from dnsrenew.drivers.protocol import BUILT_IN, ENTRY_POINT_GROUP, Driver, DriverContext
from dnsrenew.drivers.provider import OWN_OBJECT, Provider
from dnsrenew.errors import Cancelled, ConfigError

if TYPE_CHECKING:
    import threading

    from dnsrenew.base.model import DnsAccount


def make_driver(
    provider: Provider,
    account: DnsAccount,
    *,
    seconds_left: Callable[[], float],
    cancel: threading.Event,
    remembered: dict[Any, Any] | None = None,
) -> Driver:
    """Return a new driver for one call in one thread.

    :param remembered: what the drivers of this account remember until the end of the run.

    :raises ConfigError: an option is wrong, or the driver is not installed.
    :raises SecretError: the constructor of the driver needs a secret that cannot be resolved.
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
        remembered={} if remembered is None else remembered,
    )
    driver = kind(context)
    if not isinstance(driver, Driver):
        raise ConfigError.of(texts.DRIVER_INVALID, driver=provider.driver)
    return driver


def warm_up(provider: Provider, remembered: dict[Any, Any]) -> None:
    """Begin what the drivers of an account need time for before their first call. Wait for nothing, report no error.

    :param remembered: what they remember until the end of the run.
    """
    name = provider.driver_options.get("provider")
    if provider.driver == "lexicon" and isinstance(name, str):
        from dnsrenew.extensions.hosts.lexicon.process import process_of  # few accounts need it

        with contextlib.suppress(OSError, Cancelled):  # the call meets it again, and reports it
            process_of(remembered, name).start()


def _own_object(account: DnsAccount) -> Driver:
    driver = account.options.get("driver")
    if not isinstance(driver, Driver):
        raise ConfigError.of(texts.OBJECT_INVALID, account=account.name)
    return driver


def _options(provider: Provider, options: Mapping[str, Any]) -> dict[str, Any]:
    """Convert each text to ``Secret`` or ``str``, as the provider file declares it (a program may pass either)."""
    if provider.any_options:
        return dict(options)
    known = {key: spec for key, spec in provider.options.items() if key in options}
    return {key: _typed(options[key], secret=spec.secret) for key, spec in known.items()}


def _typed(value: Any, *, secret: bool) -> Any:
    if secret:
        return value if isinstance(value, Secret) else Secret(value)
    return value.reveal() if isinstance(value, Secret) else value


def _driver_class(name: str) -> Callable[[DriverContext], object]:
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name]
        kind: Callable[[DriverContext], object] = getattr(import_module(module), attribute)
        return kind
    return _plug_in(name)


def _plug_in(name: str) -> Callable[[DriverContext], object]:
    found = entry_points(group=ENTRY_POINT_GROUP, name=name)
    if not found:
        raise ConfigError.of(texts.DRIVER_MISSING, driver=name)
    entry = next(iter(found))
    try:
        kind: Callable[[DriverContext], object] = entry.load()
    except Exception as error:  # noqa: BLE001  # the import of a third-party module may raise anything
        cause = f"{type(error).__name__}: {error}"
        raise ConfigError.of(texts.DRIVER_BROKEN, driver=name, entry_point=entry.value, cause=cause) from None
    return kind
