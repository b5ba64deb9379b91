"""``ssh``: PEM files on another machine, by ``sftp`` of OpenSSH, and a program there that loads them."""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dnsrenew.deploy import texts
from dnsrenew.deploy.aside import TargetFile
from dnsrenew.deploy.openssh import OpenSsh
from dnsrenew.deploy.options import PROGRAM_TIMEOUT, TargetKind, TargetOption
from dnsrenew.deploy.targets.files import FilesDeployer
from dnsrenew.errors import DeployError

if TYPE_CHECKING:
    from dnsrenew.deploy.protocol import DeployerContext
    from dnsrenew.model import Certificate

_FILES: Final = ("certificate", "chain", "leaf", "key", "combined")
_ATTRIBUTES: Final = "attributes"
"""Where modes and owners of the kept files are, as JSON."""
_LISTED: Final = re.compile(r"-\S+\s+\S+\s+(\S+)\s+(\S+)\s.*?(/.*)")
"""A line of ``ls -l``: user, group, path."""
_DENIED: Final = "Permission denied"


class _There(NamedTuple):
    """A file of the host."""

    content: bytes
    mode: int
    owner: str | None
    group: str | None


class SshDeployer:
    """Writes the files aside on the host, renames them in one batch, and runs the reload program there."""

    def __init__(self, context: DeployerContext) -> None:
        self._context = context
        self._options = context.options
        self._ssh = OpenSsh(context.run, context.options)
        self._files: list[TargetFile] = []
        self._is_activated = False

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
            self._put(changed)
        self._activate()
        self._is_activated = True

    def restore(self) -> bool:
        """Put the old files back, and run the program again."""
        old = self._context.saved.kept()
        attributes = json.loads(old.get(_ATTRIBUTES, b"{}"))
        back = [TargetFile(path, old[path], *rest) for path, rest in attributes.items()]
        there = self._fetch() if back else {}
        changed = [file for file in back if not _has(there, file)]
        if not changed:
            return False
        self._put(changed, is_back=True)
        try:
            self._activate()
        except DeployError as error:
            if self._is_activated:
                run = self._context.run
                fields = {"target": _describe(self._options), "reason": error.message.rstrip(".")}
                run.warn(*texts.NOT_ACTIVATED.fill(**fields, certificate=run.certificate or ""))
                return False
        return True

    def _activate(self) -> None:
        command = self._options.get("reload")
        if command:
            self._ssh.run(command)

    def _fetch(self) -> dict[str, _There]:
        """Return the files that are on the host."""
        quoted = self._ssh.quoted
        with _folder() as folder:
            local = {file.path: os.path.join(folder, f"{number}") for number, file in enumerate(self._files)}
            lines = [line for path, here in local.items()
                     for line in (f"-get -p {quoted(path)} {quoted(here)}", f"-ls -l {quoted(path)}")]  # fmt: skip
            printed = self._ssh.batch(lines, folder)
            denied = next((line for line in printed if _DENIED in line), None)
            if denied is not None:  # what cannot be read could not be put back
                raise DeployError.of(texts.SSH_UNWRITABLE, host=self._options["host"], reason=denied)
            listed = [match for line in printed if (match := _LISTED.fullmatch(line))]
            owners = {match[3]: (match[1], match[2]) for match in listed}
            received = [(path, here) for path, here in local.items() if os.path.exists(here)]
            return {path: _read(here, owners.get(path, (None, None))) for path, here in received}

    def _put(self, files: Sequence[TargetFile], *, is_back: bool = False) -> None:
        """Write all files aside, then rename them.

        :param is_back: these are the old files; that they have no other owner does not keep them from coming back.
        """
        quoted, temps = self._ssh.quoted, {file.path: _temp(file.path) for file in files}
        writes, renames = [], []
        with _folder() as folder:
            for number, file in enumerate(files):
                here, temp = os.path.join(folder, f"{number}"), quoted(temps[file.path])
                _write(here, file.content)
                writes += [f"-rm {temp}", f"put -f {quoted(here)} {temp}", f"chmod {file.mode:o} {temp}"]
                renames.append(f"rename {temp} {quoted(file.path)}")
            try:
                self._ssh.batch(writes, folder)
                with contextlib.suppress(*((DeployError,) if is_back else ())):
                    self._set_owners(files)
                self._ssh.batch(renames, folder)
            except Exception:
                with contextlib.suppress(DeployError):
                    self._ssh.batch([f"-rm {quoted(temp)}" for temp in temps.values()], folder)
                raise

    def _set_owners(self, files: Sequence[TargetFile]) -> None:
        """Give the files that were written aside to their users and groups."""
        owners: dict[str, list[str]] = {}
        for file in files:
            if file.owner or file.group:
                owner = f"{file.owner or ''}{f':{file.group}' if file.group else ''}"
                owners.setdefault(owner, []).append(_temp(file.path))
        for owner, temps in owners.items():
            self._ssh.run(["chown", owner, "--", *temps])


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    """Make a private folder for what is sent or received."""
    with tempfile.TemporaryDirectory(prefix="dnsrenew-") as folder:
        yield folder


def _write(path: str, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _read(path: str, owner: tuple[str | None, str | None]) -> _There:
    mode = stat.S_IMODE(os.stat(path).st_mode)  # sftp gave it the mode of the file on the host
    os.chmod(path, 0o600)
    return _There(Path(path).read_bytes(), mode, *owner)


def _has(there: Mapping[str, _There], file: TargetFile) -> bool:
    return file.path in there and there[file.path].content == file.content


def _kept(there: Mapping[str, _There]) -> dict[str, bytes]:
    attributes = {path: [one.mode, one.owner, one.group] for path, one in there.items()}
    return {**{path: one.content for path, one in there.items()}, _ATTRIBUTES: json.dumps(attributes).encode()}


def _temp(path: str) -> str:
    folder, name = posixpath.split(path)
    return posixpath.join(folder, f".{name}.dnsrenew-new")


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
        "identity": TargetOption("path", "The file of the private key; it has no passphrase, or an agent has it."),
        "known_hosts": TargetOption("path", "The only file with the host key; default: those of OpenSSH."),
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
        "timeout": TargetOption("number", "Seconds that each command may take.", default=PROGRAM_TIMEOUT),
    },
    one_of=_FILES,
    describe=_describe,
    make=SshDeployer,
    note="dnsrenew never accepts a new host key: connect once by hand with ssh, and compare it.",
    example={"host": "web1.example.com", "user": "deploy", "certificate": "/etc/nginx/tls/cert.pem",
             "key": "/etc/nginx/tls/key.pem", "reload": ["sudo", "systemctl", "reload", "nginx"],
             "verify": "web1.example.com:443"},
)  # fmt: skip
