"""``files``: PEM files for a server that reads them, and a program that makes it load them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dnsrenew.base.model import Certificate
from dnsrenew.base.model.spec import split_chain
from dnsrenew.deploy.file_set import ReloadedFiles, TargetFile
from dnsrenew.deploy.protocol import PEM_FILES, TargetKind, TargetOption

_PUBLIC = ("certificate", "chain", "leaf")
_WRITTEN = (*_PUBLIC, "key", "combined")


class FilesDeployer(ReloadedFiles):
    """Replaces PEM files, then runs the reload command."""

    def make(self, certificate: Certificate) -> list[TargetFile]:
        """Return the files of the options."""
        fullchain = certificate.fullchain_pem
        key = certificate.private_key_pem if needs_key(self._options) else ""
        leaf, chain = split_chain(fullchain)
        contents = {"certificate": fullchain, "chain": chain, "leaf": leaf, "key": key, "combined": key + fullchain}
        return [
            self.file(self._options[name], contents[name].encode("ascii"), "mode" if name in _PUBLIC else "key_mode")
            for name in _WRITTEN
            if name in self._options
        ]


def needs_key(options: Mapping[str, Any]) -> bool:
    """Return whether any of the files has the private key."""
    return "key" in options or "combined" in options


TARGET = TargetKind(
    to="files",
    options={**dict.fromkeys(_WRITTEN, TargetOption("path")), **PEM_FILES},
    one_of=_WRITTEN,
    has_reload=True,
    writes=_WRITTEN,
    describe=lambda options: str(next(options[name] for name in _WRITTEN if name in options)),
    make=FilesDeployer,
    needs_key=needs_key,
)
