"""``pkcs12``: one PKCS#12 file, for Jellyfin, Plex, UniFi and Java servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnsrenew.deploy import programs
from dnsrenew.deploy.file_set import TargetFile, read_file, replace_files, restore_files
from dnsrenew.deploy.options import PROGRAM_TIMEOUT, TargetKind, TargetOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnsrenew.deploy.protocol import DeployerContext
    from dnsrenew.model import Certificate


class Pkcs12Deployer:
    """Replaces a PKCS#12 file, then runs the reload command."""

    def __init__(self, context: DeployerContext) -> None:
        self._context = context
        self._options = context.options
        self._file: TargetFile | None = None

    def check(self, certificate: Certificate) -> bool:
        """Return whether the file opens with the password and holds this leaf and key; its bytes differ each time."""
        from dnsrenew import x509

        there = read_file(self._options["path"])
        pair = certificate.fullchain_pem, certificate.private_key_pem.encode("ascii")
        return there is not None and x509.pkcs12_holds(there, self._password(), *pair)

    def deploy(self, certificate: Certificate) -> None:
        """Write the file unless it holds the certificate already, and run the reload command."""
        if not self.check(certificate):
            self._file = self._make(certificate)
            replace_files(self._context.saved, [self._file])
        self._reload()

    def restore(self) -> bool:
        """Put the old file back, and run the reload command again."""
        if self._file is None or not restore_files(self._context.saved, [self._file]):
            return False
        self._reload()
        return True

    def _reload(self) -> None:
        command = self._options.get("reload")
        if command:
            seconds = self._options.get("timeout", PROGRAM_TIMEOUT)
            programs.run(self._context.run, command, seconds=seconds, env=self._options.get("env", ()))

    def _make(self, certificate: Certificate) -> TargetFile:
        from dnsrenew import x509

        options = self._options
        content = x509.to_pkcs12(
            certificate.fullchain_pem,
            certificate.private_key_pem.encode("ascii"),
            password=self._password(),
            alias=options.get("alias", certificate.name),
            legacy=options.get("legacy", False),
        )
        mode = int(options.get("key_mode", "0600"), 8)
        return TargetFile(options["path"], content, mode, options.get("owner"), options.get("group"))

    def _password(self) -> str:
        secret = self._options.get("password")
        return "" if secret is None else self._context.reveal(secret)


def _describe(options: Mapping[str, Any]) -> str:
    return str(options["path"])


TARGET = TargetKind(
    to="pkcs12",
    title="A PKCS#12 file, for Jellyfin, Plex, UniFi and Java servers.",
    options={
        "path": TargetOption("path", "The file.", required=True),
        "password": TargetOption("secret", "Its password; without one the file is not encrypted."),
        "alias": TargetOption("text", "The name of the entry (friendly name); default: the certificate's name."),
        "legacy": TargetOption("flag", "Encrypt with 3DES and SHA-1, for old programs.", default=False),
        "key_mode": TargetOption("mode", "The mode of the file; never for others.", default="0600"),
        "owner": TargetOption("owner", "The owner of the file."),
        "group": TargetOption("group", "The group of the file."),
    },
    has_reload=True,
    describe=_describe,
    make=Pkcs12Deployer,
    example={"path": "/var/lib/jellyfin/tls.pfx", "password": "file:pkcs12-password.txt",
             "reload": ["systemctl", "restart", "jellyfin"]},
)  # fmt: skip
