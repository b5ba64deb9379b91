"""``dnsrenew import``: reads the data of other ACME clients, writes it as ours, and explains the result.

:data:`KINDS` lists the tools; each has a reader (``certbot``, ``lego`` …) that returns the values of ``model``.
``plan`` merges them, ``config_file`` and ``writing`` write them, and ``servers`` and ``timers`` show the remaining
steps.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from types import ModuleType


class Kind(Frozen):
    """A tool.

    :ivar name: the word of ``--from``.
    :ivar title: its name for people; "" for files without a tool.
    :ivar renews: the words of a timer's command line that make it renew; (): no timer runs it.
    :ivar folder_options: the options by which a timer names its folder.
    :ivar folder_variables: the environment variables that name its folder.
    """

    name: str
    title: str
    renews: tuple[str, ...] = ()
    folder_options: tuple[str, ...] = ()
    folder_variables: tuple[str, ...] = ()

    @property
    def reader(self) -> ModuleType:
        """Its module in this folder (see :mod:`.model`), imported on first use, because help needs only the names."""
        return import_module(f"{__name__}.{self.name.replace('.', '_')}")


_ACME_SH_FOLDERS: Final = ("--home", "--config-home"), ("LE_WORKING_DIR", "LE_CONFIG_HOME")
KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("certbot", "certbot", ("renew",), ("--config-dir",)),
        Kind("lego", "lego", ("renew", "run"), ("--path",), ("LEGO_PATH",)),
        Kind("acme.sh", "acme.sh", ("--cron", "--renew-all"), *_ACME_SH_FOLDERS),
        Kind("caddy", "Caddy"),
        Kind("hfs", "HFS"),
        Kind("pem", ""),
    )
}
"""The tools, in the order in which a folder is checked. Any pair of PEM files comes last."""
