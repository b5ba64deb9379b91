"""``pkcs12``: one PKCS#12 file, for Jellyfin, Plex, UniFi and Java servers."""

from __future__ import annotations

from dnsrenew.base.model import Certificate
from dnsrenew.base.x509 import user_files
from dnsrenew.deploy.file_set import ReloadedFiles, TargetFile, read_file
from dnsrenew.deploy.protocol import KEY_FILE, TargetKind, TargetOption


class Pkcs12Deployer(ReloadedFiles):
    """Replaces a PKCS#12 file, then runs the reload command."""

    def make(self, certificate: Certificate) -> list[TargetFile]:
        """Return the file.

        It stays unchanged if it already has this pair and password, because new bytes always differ.
        """
        options, there, password = self._options, read_file(self._options["path"]), self._password()
        pair = certificate.fullchain_pem, certificate.private_key_pem.encode("ascii")
        if there is None or not user_files.pkcs12_holds(there, password, *pair):
            alias = options.get("alias", certificate.name)
            there = user_files.to_pkcs12(*pair, password=password, alias=alias, legacy=options.get("legacy", False))
        return [self.file(options["path"], there)]

    def kept(self) -> dict[str, bytes]:
        """Return the old leaf, which shows whether it has expired."""
        there = read_file(self._options["path"])
        leaf = "" if there is None else user_files.pkcs12_leaf(there, self._password())
        return {"leaf": leaf.encode("ascii")} if leaf else {}

    def _password(self) -> str:
        secret = self._options.get("password")
        return "" if secret is None else self._context.reveal(secret)


TARGET = TargetKind(
    to="pkcs12",
    options={
        "path": TargetOption("path", required=True),
        "password": TargetOption("secret"),
        "alias": TargetOption("text"),
        "legacy": TargetOption("flag", default=False),
        **KEY_FILE,
    },
    has_reload=True,
    writes=("path",),
    make=Pkcs12Deployer,
)
