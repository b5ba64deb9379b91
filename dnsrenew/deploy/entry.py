"""One entry of ``deploy``, ready to be carried out."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final

from dnsrenew.base import extensions
from dnsrenew.base.model import Certificate, Deployment
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.deploy import protocol
from dnsrenew.deploy.protocol import ENTRY_POINT_GROUP, Deployer, DeployerContext, TargetDeployer, TargetKind

_logger: Final = logging.getLogger("dnsrenew.deploy")


class Entry(Frozen):
    """An entry of ``deploy``.

    :ivar id: an identifier that changes with the kind of target and the options; for a secret, only its reference
        counts.
    :ivar to: the kind of target.
    :ivar target: the target itself, described for people.
    :ivar options: the options, read and checked, with the paths of the target's programs.
    :ivar make: makes the deployer.
    :ivar can_inspect: whether the deployer can see the certificate of the target. If not, only its recorded success
        counts.
    :ivar files: the paths that it writes on this machine.
    :ivar folders: the folders of these files that are below the configuration's folder, upper ones first.
    """

    id: str
    to: str
    target: str
    options: Mapping[str, Any]
    make: Callable[[DeployerContext], TargetDeployer]
    can_inspect: bool = True
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def deployer(self, run: Context, saved: protocol.SavedFiles) -> TargetDeployer:
        """Return the deployer for one certificate."""
        return self.make(DeployerContext(options=self.options, saved=saved, run=run, logger=_logger))


def entries(deploy: Iterable[Deployment | Callable[[Certificate], object]]) -> list[Entry]:
    """Return the entries of a certificate, in order; each has an id of its own.

    :raises KeyError: the kind of target is unknown, which the configuration has ruled out.
    """
    found = [entry(one) for one in deploy]
    return [replace(one, id=id_) for one, id_ in zip(found, _distinct(one.id for one in found), strict=True)]


def entry_ids(deploy: Iterable[Deployment | Callable[[Certificate], object]]) -> list[str]:
    """Return the ids of :func:`entries` without importing their targets."""
    return _distinct(entry_id(one) for one in deploy)


def entry(deployment: Deployment | Callable[[Certificate], object]) -> Entry:
    """Return the entry for a deployment of the configuration, or for a callable of a Python program.

    :raises KeyError: the kind of target is unknown, which the configuration has ruled out.
    """
    if not isinstance(deployment, Deployment):
        name, call = _name(deployment), partial(_CallableDeployer, deployment)
        return Entry(entry_id(deployment), "python", name, {}, call, can_inspect=False)
    kind = target(deployment.to)
    if kind is None:
        raise KeyError(deployment.to)
    options = {**deployment.options, **deployment.programs}  # programs are not part of the id, because PATH can differ
    files = tuple(str(options[name]) for name in kind.writes if name in options)
    return Entry(
        id=entry_id(deployment),
        to=deployment.to,
        target=kind.describe(options),
        options=options,
        make=kind.make,
        can_inspect=kind.can_inspect,
        files=files,
        folders=tuple(_folders(files, deployment.folder)) if deployment.folder else (),
    )


def _folders(files: Iterable[str], above: str) -> Iterator[str]:
    """Yield the folders of files that are below another folder, upper ones first."""
    for file in files:
        parts = os.path.relpath(os.path.dirname(file), above).split(os.sep) if file.startswith(above + os.sep) else ()
        if not {os.pardir, os.curdir} & {*parts}:
            yield from (os.path.join(above, *parts[:count]) for count in range(1, len(parts) + 1))


def entry_id(deployment: Deployment | Callable[[Certificate], object]) -> str:
    """Return the id of an entry without importing its target."""
    if not isinstance(deployment, Deployment):
        return _id("python", {"callable": _name(deployment)})
    return _id(deployment.to, deployment.options)


def _id(to: str, options: Mapping[str, Any]) -> str:
    # Of a secret, its reference.
    plain = json.dumps([to, options], sort_keys=True, default=lambda value: str(getattr(value, "reference", value)))
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def _distinct(ids: Iterable[str]) -> list[str]:
    """Number ids that occur again, such as the ids of two lambdas. The first one keeps its id."""
    count, found = Counter[str](), []
    for one in ids:
        count[one] += 1
        number = count[one]
        found.append(one if number == 1 else hashlib.sha256(f"{one} {number}".encode()).hexdigest()[:16])
    return found


def _name(function: Callable[..., object]) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}"


class _CallableDeployer(TargetDeployer):
    """Calls a function of the program. The entry's success shows that it was called."""

    def __init__(self, function: Callable[[Certificate], object], context: DeployerContext) -> None:
        super().__init__(context)
        self._function = function

    def deploy(self, certificate: Certificate) -> None:
        self._function(certificate)


class _ForeignDeployer(TargetDeployer):
    """Calls a deployer of another package, which implements only the protocol."""

    def __init__(self, make: Callable[[DeployerContext], Deployer], context: DeployerContext) -> None:
        super().__init__(context)
        self._deployer = make(context)

    def check(self, certificate: Certificate) -> bool:
        return self._deployer.check(certificate)

    def deploy(self, certificate: Certificate) -> None:
        self._deployer.deploy(certificate)

    def restore(self) -> bool:
        return self._deployer.restore()


# ── catalogue ──────────────────────────────────────────────────────────────────────────

# The kinds of targets, by name; each is imported when it is used.

_OTHERS: Final = ("haproxy", "caddy", "ssh", "docker", "kubernetes", "proxmox", "synology", "truenas", "webhook")
_KINDS: Final = {"files": "", "pkcs12": "targets", "hfs": "", **dict.fromkeys(_OTHERS, "targets"), "run": ""}
"""The kinds of dnsrenew in the order of listings, each with its extension, or "" for the core.

Each is a module with ``TARGET``.
"""


def built_in() -> list[str]:
    """Return the names of the available built-in kinds, of the core and its extensions."""
    here = {"", *extensions.installed()}
    return [name for name, place in _KINDS.items() if place in here]


def target(to: str) -> TargetKind | None:
    """Return a kind of target, or None if the name is unknown.

    :raises ConfigError: ``extension-missing``: its extension is missing.
    """
    if to not in _KINDS:
        return _of_entry_point(to)
    package = f"{__package__}.targets"
    if place := _KINDS[to]:
        if place not in extensions.installed():
            raise extensions.missing(to, place)
        package = extensions.installed()[place].targets
    found: TargetKind = import_module(f"{package}.{to}").TARGET
    return found


def names() -> list[str]:
    """Return the names of all kinds, including entry points."""
    return [*built_in(), *sorted(point.name for point in entry_points(group=ENTRY_POINT_GROUP))]


def _of_entry_point(to: str) -> TargetKind | None:
    found = next(iter(entry_points(group=ENTRY_POINT_GROUP, name=to)), None)
    if found is None:
        return None
    return TargetKind(
        to=to,
        options={},
        describe=lambda options: next((value for value in options.values() if isinstance(value, str)), "") or to,
        make=lambda context: _ForeignDeployer(found.load(), context),  # a broken package fails only this deployment
        any_options=True,
    )
