"""``ssh``: PEM files on another machine, by ``sftp`` of OpenSSH, and a program there that loads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.deploy import texts
from dnsrenew.deploy.aside import TargetFile
from dnsrenew.deploy.openssh import OpenSsh
from dnsrenew.deploy.options import PROGRAM_TIMEOUT, TargetKind, TargetOption
from dnsrenew.deploy.remote_files import RemoteFile, fetch, put
from dnsrenew.deploy.targets.files import FilesDeployer
from dnsrenew.errors import DeployError, as_clause

if TYPE_CHECKING:
    from dnsrenew.base.model import Certificate
    from dnsrenew.deploy.protocol import DeployerContext

_FILES: Final = ("certificate", "chain", "leaf", "key", "combined")
_ATTRIBUTES: Final = "attributes"
"""Where modes and owners of the kept files are, as JSON."""


class SshDeployer:
    """Writes the files aside on the host, renames them in one batch, and runs the reload program there."""

    def __init__(self, context: DeployerContext) -> None:
        self._context = context
        self._options = context.options
        self._ssh = OpenSsh(context.run, context.options)
        self._files: list[TargetFile] = []
        self._is_activated = False
        self.has_changed = False

    def check(self, certificate: Certificate) -> bool:
        """Return whether all files on the host have this content."""
        self._files = FilesDeployer(self._context).make(certificate)
        there = self._fetch()
        return all(_has(there, file) for file in self._files)

    def deploy(self, certificate: Certificate) -> None:
        """Replace the files that differ, and run the program."""
        self._files = FilesDeployer(self._context).make(certificate)
        there, saved = self._fetch(), self._context.saved
        changed = [file for file in self._files if not _has(there, file)]
        if changed:
            if not saved.kept():  # otherwise a killed run has kept what was there before it
                saved.keep(_kept(there) if len(there) == len(self._files) else {})
            self.has_changed = True
            put(self._ssh, changed)
        self._activate()
        self._is_activated = True

    def restore(self) -> bool:
        """Put the old files back, and run the program again."""
        old = self._context.saved.kept()
        attributes = json.loads(old.get(_ATTRIBUTES, b"{}"))
        ours = {file.path for file in self._files}
        back = [TargetFile(path, old[path], *rest) for path, rest in attributes.items() if path in ours]
        there = self._fetch() if back else {}
        changed = [file for file in back if not _has(there, file)]
        if not changed:
            return False
        put(self._ssh, changed, is_back=True)
        try:
            self._activate()
        except DeployError as error:
            if self._is_activated:
                run = self._context.run
                fields = {"target": _describe(self._options), "reason": as_clause(error.message)}
                run.warn(*texts.NOT_ACTIVATED.fill(**fields, certificate=run.certificate or ""))
                return False
        return True

    def _activate(self) -> None:
        command = self._options.get("reload")
        if command:
            self._ssh.run(command)

    def _fetch(self) -> dict[str, RemoteFile]:
        return fetch(self._ssh, [file.path for file in self._files])


def _has(there: Mapping[str, RemoteFile], file: TargetFile) -> bool:
    return file.path in there and there[file.path].content == file.content


def _kept(there: Mapping[str, RemoteFile]) -> dict[str, bytes]:
    attributes = {path: [one.mode, one.owner, one.group] for path, one in there.items()}
    return {**{path: one.content for path, one in there.items()}, _ATTRIBUTES: json.dumps(attributes).encode()}


def _describe(options: Mapping[str, Any]) -> str:
    host = f"{options['user']}@{options['host']}" if "user" in options else str(options["host"])
    return f"{host}:{next((options[name] for name in _FILES if name in options), '')}"


TARGET = TargetKind(
    to="ssh",
    title="PEM files on another machine, by the ssh and sftp of OpenSSH.",
    options={
        "host": TargetOption("text", "The host, or its name in the configuration of ssh.", required=True),
        "user": TargetOption("text", "The user there; default: as the configuration of ssh says."),
        "port": TargetOption("port", "The port of sshd; default: as the configuration of ssh says."),
        "identity": TargetOption("private", "The file of the private key; it has no passphrase, or an agent has it."),
        "known_hosts": TargetOption("file", "The only file with the host key; default: those of OpenSSH."),
        "certificate": TargetOption("text", "The file there for the certificate with its chain (fullchain)."),
        "chain": TargetOption("text", "The file there for the chain without the certificate."),
        "leaf": TargetOption("text", "The file there for the certificate without its chain."),
        "key": TargetOption("text", "The file there for the private key."),
        "combined": TargetOption("text", "One file there with the private key and the certificate with its chain."),
        "mode": TargetOption("mode", "The mode of the files without a key.", default="0644"),
        "key_mode": TargetOption("mode", "The mode of the files with a key; never for others.", default="0600"),
        "owner": TargetOption("text", "The owner of all files there, set by chown."),
        "group": TargetOption("text", "The group of all files there, set by chown."),
        "reload": TargetOption("remote", "The program there that activates the files, as a list."),
        "timeout": TargetOption("limit", "Seconds that each command may take.", default=PROGRAM_TIMEOUT),
    },
    one_of=_FILES,
    programs=("ssh", "sftp"),
    describe=_describe,
    make=SshDeployer,
    note="dnsrenew never accepts a new host key: connect once by hand with ssh, and compare it.",
    example={"host": "web1.example.com", "user": "deploy", "certificate": "/etc/nginx/tls/cert.pem",
             "key": "/etc/nginx/tls/key.pem", "reload": ["sudo", "systemctl", "reload", "nginx"],
             "verify": "web1.example.com:443"},
)  # fmt: skip
