"""One entry of ``deploy``, ready to be carried out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dnsrenew.base.values import Frozen
from dnsrenew.deploy import catalogue
from dnsrenew.model import Deployment

if TYPE_CHECKING:
    from dnsrenew.deploy.protocol import Deployer, DeployerContext
    from dnsrenew.model import Certificate


class Entry(Frozen):
    """An entry of ``deploy``.

    :ivar id: changes with the kind of target and the options; of a secret only its reference counts.
    :ivar to: the kind of target.
    :ivar target: the target itself, for people.
    :ivar options: the options, read and checked.
    :ivar make: makes the deployer.
    """

    id: str
    to: str
    target: str
    options: Mapping[str, Any]
    make: Callable[[DeployerContext], Deployer]


def entry(deployment: Deployment | Callable[[Certificate], object]) -> Entry:
    """Return the entry for a deployment of the configuration, or for a callable of a Python program.

    :raises KeyError: there is no such kind of target; the configuration has checked it.
    """
    if not isinstance(deployment, Deployment):
        return _of_callable(deployment)
    kind = catalogue.target(deployment.to)
    if kind is None:
        raise KeyError(deployment.to)
    options = deployment.options
    return Entry(_id(deployment.to, options), deployment.to, kind.describe(options), options, kind.make)


def entry_id(deployment: Deployment | Callable[[Certificate], object]) -> str:
    """Return the id of an entry without importing its target."""
    if not isinstance(deployment, Deployment):
        return _id("python", {"callable": _name(deployment)})
    return _id(deployment.to, deployment.options)


def _id(to: str, options: Mapping[str, Any]) -> str:
    plain = json.dumps([to, options], sort_keys=True, default=_plain)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def _plain(value: Any) -> str:
    return str(getattr(value, "reference", value))  # of a secret, its reference


def _name(function: Callable[..., object]) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}"


def _of_callable(function: Callable[[Certificate], object]) -> Entry:
    name = _name(function)
    return Entry(entry_id(function), "python", name, {}, lambda _: _CallableDeployer(function))


class _CallableDeployer:
    """Calls a function of the program; it has been called if this entry has succeeded."""

    def __init__(self, function: Callable[[Certificate], object]) -> None:
        self._function = function

    def check(self, _certificate: Certificate) -> bool:
        return False

    def deploy(self, certificate: Certificate) -> None:
        self._function(certificate)

    def restore(self) -> bool:
        return False
