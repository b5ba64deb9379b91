"""A certificate of a configuration as a document of a fleet: all that its table says, with absolute paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import Deployment, Profile, RenewBefore, Route
from dnsrenew.base.secrets import Secret
from dnsrenew.base.validation.mistakes import KeyPath, Mistake, config_error, shown_key
from dnsrenew.base.values import Frozen
from dnsrenew.config import texts
from dnsrenew.config.schema import as_table

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec

_ALWAYS: Final = ("name", "domains")
_OTHERS: Final = (
    *("ca", "key", "reuse_key", "profile", "preferred_chain", "renew_before", "routes", "propagation"),
    *("before", "after", "deploy", "notify"),
)
_LARGEST: Final = 9999
"""The largest number in a fraction of the configuration."""


def document_of(spec: CertificateSpec, keys: Collection[str] = _OTHERS) -> dict[str, Any]:
    """Return a certificate as a document. A key without a value is null, so that no default takes its place.

    :param keys: the keys to take, beside the name and the domains.
    :raises ConfigError: ``config-invalid``: it has a secret in plain text or a callable, which no database keeps.
    """
    mistakes: list[Mistake] = []
    document = {key: _plain(getattr(spec, key), (key,), mistakes) for key in _ALWAYS}
    for key in _OTHERS:
        if key in keys:
            value = _plain(getattr(spec, key), (key,), mistakes)
            document[key] = None if value in ([], {}) else value
    if mistakes:
        raise config_error(mistakes)
    return document


def _plain(value: Any, path: KeyPath, mistakes: list[Mistake]) -> Any:
    """Return a value as JSON; what has none becomes a mistake."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item, (*path, index), mistakes) for index, item in enumerate(value)]
    if isinstance(value, Secret):
        reference = value.as_reference()
        if reference is None:
            mistakes.append(Mistake("", None, shown_key(path), texts.SECRET_IN_DATABASE, texts.SECRET_REFERENCE))
        return reference
    if isinstance(value, Mapping):
        return {str(key): _plain(item, (*path, str(key)), mistakes) for key, item in value.items()}
    for kind, convert in _VALUES.items():
        if isinstance(value, kind):
            return _plain(convert(value), path, mistakes)
    if isinstance(value, Frozen):
        return _plain(as_table(value), path, mistakes)
    mistakes.append(Mistake("", None, shown_key(path), texts.CALLABLE_IN_DATABASE, texts.A_DEPLOYMENT))
    return None


def _route(route: Route) -> dict[str, Any]:
    table = dict(as_table(route) or {})
    for key, default in (("app", False), ("follow_cname", True)):
        if table.get(key) == default:
            del table[key]
    return table


def _renew_before(value: RenewBefore) -> str:
    if value.seconds is not None:
        return f"{value.seconds / 60:.3f} minutes"
    part = Fraction(value.fraction or 0).limit_denominator(_LARGEST)
    return f"{part.numerator}/{part.denominator}"


_VALUES: Final[Mapping[type, Callable[[Any], Any]]] = {
    Route: _route,
    RenewBefore: _renew_before,
    Profile: lambda profile: profile.name if profile.required else {"prefer": profile.name},
    Deployment: lambda deployment: {"to": deployment.to, **deployment.options},
}
