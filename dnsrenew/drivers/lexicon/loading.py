"""Load lexicon's provider modules again, only for dnsrenew, with shims for the modules that they import.

The modules that the calling program may use stay unchanged. Those of dnsrenew are patched before they run and never
afterwards, so that threads need no lock around their calls.
"""

from __future__ import annotations

import builtins
import importlib.util
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.installation import install_command
from dnsrenew.drivers.lexicon import shims, texts
from dnsrenew.drivers.provider import NAME
from dnsrenew.errors import ConfigError, ProviderError

if TYPE_CHECKING:
    from types import ModuleType

_PACKAGE: Final = "lexicon._private.providers"
EXTRAS: Final = {
    "gransy": "zeep",
    "localzone": "localzone",
    "oci": "oci",
    "qcloud": "tencentcloud",
    "route53": "boto3",
    "softlayer": "SoftLayer",
}
"""Providers of lexicon that need another package, each with the module to check for.

These packages do not send through the shim of ``requests``. Of the shipped providers only Route 53 is one: botocore
follows no redirect. (Nor does ``xmlrpc.client``, which the providers inwx and the old interface of Gandi use.)
"""
_PACKAGES: Final = {"tencentcloud": "tencentcloud-sdk-python"}
"""The package of a module, if it has another name."""
_UNUSABLE: Final = {
    "auto": texts.GUESSES_HOST,
    "ddns": texts.IGNORES_ANSWER,
    "duckdns": texts.REMOVES_NOTHING,
}

_modules: dict[str, ModuleType] = {}
_lock = threading.RLock()
_logger = logging.getLogger("dnsrenew.drivers.lexicon")


def supports(name: str) -> bool:
    """Return whether lexicon has a provider of this name; loads none."""
    return NAME.fullmatch(name) is not None and importlib.util.find_spec(f"{_PACKAGE}.{name}") is not None


def provider_class(name: str) -> Callable[..., Any]:
    """Return the class of one of lexicon's providers.

    :raises ConfigError: ``provider-invalid``, lexicon has no such provider, or it cannot be used.
    :raises ProviderError: ``provider-extra-missing``, it needs a package that is not installed.
    """
    if name in _UNUSABLE:
        raise ConfigError.of(_UNUSABLE[name], provider=name)
    if not supports(name):
        raise ConfigError.of(texts.UNKNOWN, provider=name)
    if name in EXTRAS and importlib.util.find_spec(EXTRAS[name]) is None:
        package = _PACKAGES.get(EXTRAS[name], EXTRAS[name])
        command = install_command(package)
        raise ProviderError.of(texts.EXTRA_MISSING, provider=name, package=package, command=command)
    kind: Callable[..., Any] = _load(name).Provider
    return kind


def _load(name: str) -> ModuleType:
    with _lock:
        if name not in _modules:
            spec = importlib.util.find_spec(f"{_PACKAGE}.{name}")
            if spec is None or spec.loader is None:
                raise ConfigError.of(texts.UNKNOWN, provider=name)
            module = importlib.util.module_from_spec(spec)
            # An import statement calls __import__ of the builtins of its module.
            module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import, "print": _logger.debug}
            spec.loader.exec_module(module)
            shims.patch(name, module)
            _modules[name] = module
        return _modules[name]


def _import(
    name: str, module_globals: Any = None, module_locals: Any = None, fromlist: Any = (), level: int = 0
) -> Any:
    """Import for a module loaded here, as :func:`builtins.__import__`; return the shim if there is one."""
    package, _, provider = name.rpartition(".")
    if level == 0 and package == _PACKAGE and fromlist:
        return _load(provider)  # one provider is a subclass of another
    real = builtins.__import__(name, module_globals, module_locals, fromlist, level)
    if level == 0 and (not fromlist or "." not in name):
        return shims.shim_for(real)
    return real
