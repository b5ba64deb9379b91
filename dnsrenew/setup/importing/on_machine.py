"""Paths of the machine that is looked at, which a test puts into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnsrenew.setup.importing.found import HostView


def inside(host: HostView, path: str) -> Path:
    """Return where a path of the machine is; ``~`` is the home folder."""
    if path == "~" or path.startswith("~/"):
        return host.home / path[2:]
    file = Path(path)
    return host.root / file.relative_to(file.anchor) if file.is_absolute() else file


def shown(file: Path, host: HostView) -> str:
    """Return a path as it is on the machine, without the root of a test."""
    return "/" + file.relative_to(host.root).as_posix() if file.is_relative_to(host.root) else str(file)
