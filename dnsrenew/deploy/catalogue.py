"""The kinds of targets, by name; each is imported when it is used."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.deploy.protocol import ENTRY_POINT_GROUP

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

    from dnsrenew.deploy.options import TargetKind
    from dnsrenew.deploy.protocol import Deployer, DeployerContext

BUILT_IN: Final = (
    *("files", "pkcs12", "hfs", "haproxy", "caddy", "ssh", "docker", "kubernetes", "proxmox", "synology", "truenas"),
    *("webhook", "run"),
)
"""Names of the modules in ``targets/``; each has ``TARGET``."""


def target(to: str) -> TargetKind | None:
    """Return a kind of target, or None if there is none of this name."""
    if to in BUILT_IN:
        found: TargetKind = import_module(f"dnsrenew.deploy.targets.{to}").TARGET
        return found
    return _of_entry_point(to)


def names() -> list[str]:
    """Return the names of all kinds, those of entry points too."""
    from importlib.metadata import entry_points  # slow, and needed only for a list

    return [*BUILT_IN, *sorted(point.name for point in entry_points(group=ENTRY_POINT_GROUP))]


def _of_entry_point(to: str) -> TargetKind | None:
    from importlib.metadata import entry_points

    from dnsrenew.deploy.options import TargetKind

    found = next(iter(entry_points(group=ENTRY_POINT_GROUP, name=to)), None)
    if found is None:
        return None
    package = found.dist.name if found.dist else "another package"
    return TargetKind(
        to=to,
        title=f"A deployer of {package}.",
        options={},
        describe=lambda options: _first_text(options) or to,
        make=partial(_make, found),
        any_options=True,
    )


def _make(found: EntryPoint, context: DeployerContext) -> Deployer:
    """Load the class when it is used: a package that is broken fails its own deployment only."""
    deployer: Deployer = found.load()(context)
    return deployer


def _first_text(options: Mapping[str, Any]) -> str:
    return next((value for value in options.values() if isinstance(value, str)), "")
