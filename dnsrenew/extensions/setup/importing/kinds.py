"""The tools that ``dnsrenew import`` reads, one line each."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final, Protocol, cast

from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import texts
from dnsrenew.extensions.setup.importing.found import FoundData, HostView

if TYPE_CHECKING:
    from pathlib import Path


class ToolReader(Protocol):
    """The functions of a reader's module; see :mod:`dnsrenew.extensions.setup.importing.found`."""

    def usual(self, host: HostView) -> list[Path]:
        """Return the folders where the tool keeps its data by default, whether they exist or not."""

    def is_here(self, folder: Path) -> bool:
        """Tell whether a folder is one of this tool's."""

    def read(self, folder: Path, host: HostView) -> FoundData:
        """Return everything in the folder."""


class Kind(Frozen):
    """A tool.

    :ivar name: the word of ``--from``.
    :ivar title: the tool's name, for people.
    :ivar module: the module of its reader, imported when it is needed.
    """

    name: str
    title: str
    module: str

    def reader(self) -> ToolReader:
        """Return its reader."""
        return cast("ToolReader", importlib.import_module(f"dnsrenew.extensions.setup.importing.{self.module}"))


KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("certbot", "certbot", "certbot"),
        Kind("lego", "lego", "lego"),
        Kind("acme.sh", "acme.sh", "acme_sh"),
        Kind("caddy", "Caddy", "caddy"),
        Kind("hfs", "HFS", "hfs"),
        Kind("pem", texts.PEM_FILES, "pem"),
    )
}
"""The tools, in the order in which a folder is asked: any pair of PEM files comes last."""
