"""Lexicon's provider modules, loaded once more for us alone, with stand-ins for what they import.

The module that the host program may use stays as it is, and ours is changed before it runs and never after: two
threads need no lock around their calls.
"""

from __future__ import annotations

import builtins
import importlib.util
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.drivers.lexicon import shims
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
"""Lexicon's providers that need more than lexicon, each with the module that must be there.

These modules send by themselves, past our ``requests``. Of what we ship only Route 53 is among them: botocore follows
no redirect. (Nor does ``xmlrpc.client``, by which lexicon's inwx and the old interface of Gandi send.)
"""
_OURS: Final = frozenset({"route53"})
_UNUSABLE: Final = {
    "auto": "it guesses the host from the domain: name the host",
    "ddns": "it does not look at the server's answer: use the provider rfc2136",
    "duckdns": "it removes nothing: use the provider duckdns",
}

_modules: dict[str, ModuleType] = {}
_lock = threading.RLock()
_logger = logging.getLogger("dnsrenew.drivers.lexicon")


def provider_class(name: str) -> Callable[..., Any]:
    """Return the class of one of lexicon's providers.

    :raises ConfigError: ``provider-invalid``, lexicon has none of that name, or none that can be used.
    :raises ProviderError: ``provider-extra-missing``, it needs a package that is not installed.
    """
    if name in _UNUSABLE:
        raise _invalid(name, _UNUSABLE[name])
    if not NAME.fullmatch(name) or importlib.util.find_spec(f"{_PACKAGE}.{name}") is None:
        raise _invalid(name, "lexicon knows no such host")
    if name in EXTRAS and importlib.util.find_spec(EXTRAS[name]) is None:
        raise _extra_missing(name)
    kind: Callable[..., Any] = _load(name).Provider
    return kind


def _load(name: str) -> ModuleType:
    with _lock:
        if name not in _modules:
            spec = importlib.util.find_spec(f"{_PACKAGE}.{name}")
            if spec is None or spec.loader is None:
                raise _invalid(name, "lexicon knows no such host")
            module = importlib.util.module_from_spec(spec)
            # An import statement looks for __import__ among the builtins of its module.
            module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import, "print": _logger.debug}
            spec.loader.exec_module(module)
            shims.patch(name, module)
            _modules[name] = module
        return _modules[name]


def _import(
    name: str, module_globals: Any = None, module_locals: Any = None, fromlist: Any = (), level: int = 0
) -> Any:
    """Import for a module of ours (as :func:`builtins.__import__` does): a stand-in where there is one."""
    package, _, provider = name.rpartition(".")
    if level == 0 and package == _PACKAGE and fromlist:
        return _load(provider)  # one provider builds upon another
    real = builtins.__import__(name, module_globals, module_locals, fromlist, level)
    if level == 0 and (not fromlist or "." not in name):
        return shims.stand_in(real)
    return real


def _invalid(name: str, why: str) -> ConfigError:
    return ConfigError(
        "provider-invalid",
        f"The driver option provider = {name!r} cannot be used: {why}.",
        fix="Correct [driver_options] in the provider file.",
        evidence={"provider": name},
    )


def _extra_missing(name: str) -> ProviderError:
    package = f"dnsrenew[{name}]" if name in _OURS else f"dns-lexicon[{name}]"
    return ProviderError(
        "provider-extra-missing",
        f"For {name} the Python package {EXTRAS[name]} is needed, and it is not installed.",
        fix=f"Install it into the same environment: pip install '{package}'.",
        evidence={"provider": name, "module": EXTRAS[name]},
    )
