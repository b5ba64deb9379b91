"""``ssh``: PEM files on another machine, by OpenSSH's ``sftp``, and a program there that loads them."""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import re
import secrets
import shlex
import stat
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dnsrenew.base import subprocesses
from dnsrenew.base.model import Certificate
from dnsrenew.base.runtime import Context
from dnsrenew.base.safe_files import PRIVATE_FILE, OpenFolder
from dnsrenew.base.values import Frozen
from dnsrenew.deploy import texts
from dnsrenew.deploy.file_set import ActivatedFiles
from dnsrenew.deploy.protocol import PEM_FILES, PROGRAM_TIMEOUT, DeployerContext, TargetKind, TargetOption, late
from dnsrenew.deploy.staged_file import MOST, TargetFile
from dnsrenew.deploy.targets.files import FilesDeployer, needs_key
from dnsrenew.errors import DeployError, system_reason

_FILES: Final = ("certificate", "chain", "leaf", "key", "combined")
_ATTRIBUTES: Final = "attributes"
"""The key of the modes and owners of the saved files, as JSON."""


class SshDeployer(ActivatedFiles):
    """Writes the files aside on the host, renames them in one batch, and runs the reload program there."""

    def __init__(self, context: DeployerContext) -> None:
        super().__init__(context)
        self._ssh = OpenSsh(context.run, context.options)

    def check(self, certificate: Certificate) -> bool:
        """Return whether all files on the host have this content."""
        self._files = FilesDeployer(self._context).make(certificate)
        there = self._fetch()
        return all(_has(there, file) for file in self._files)

    def deploy(self, certificate: Certificate) -> None:
        """Replace the files that differ, and run the program."""
        self._files = FilesDeployer(self._context).make(certificate)
        there, saved = self._fetch(), self._context.saved
        if changed := [file for file in self._files if not _has(there, file)]:
            if not saved.kept():  # if not: an interrupted run has already saved the originals
                saved.keep(_kept(there) if len(there) == len(self._files) else {})
            self.has_changed = True
            put(self._ssh, changed)
        self.activate()
        self._is_activated = True

    def restore(self) -> bool:
        """Restore the old files, and run the program again."""
        old = self._context.saved.kept()
        attributes = json.loads(old.get(_ATTRIBUTES, b"{}"))
        ours = {file.path for file in self._files}
        back = [TargetFile(path, old[path], *rest) for path, rest in attributes.items() if path in ours]
        there = self._fetch() if back else {}
        changed = [file for file in back if not _has(there, file)]
        if not changed:
            return False
        put(self._ssh, changed, is_back=True)
        return self.reactivate(_describe(self._options))

    def activate(self) -> None:
        """Run the program there, if there is one."""
        if command := self._options.get("reload"):
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
    options={
        "host": TargetOption("text", required=True),
        "user": TargetOption("text"),
        "port": TargetOption("port"),
        "identity": TargetOption("private"),
        "known_hosts": TargetOption("file"),
        **dict.fromkeys(_FILES, TargetOption("text")),
        **PEM_FILES,
        **dict.fromkeys(("owner", "group"), TargetOption("text")),
        "reload": TargetOption("remote"),
        "timeout": TargetOption("limit", default=PROGRAM_TIMEOUT),
    },
    one_of=_FILES,
    programs=("ssh", "sftp"),
    describe=_describe,
    make=SshDeployer,
    needs_key=needs_key,
)


# ── openssh ────────────────────────────────────────────────────────────────────────────

# Runs OpenSSH's ``ssh`` and ``sftp`` without questions. A host with an unknown or changed key gets nothing.

_OPTIONS: Final = (
    *("BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=10", "LogLevel=ERROR", "ControlPath=none"),
    *("ServerAliveInterval=5", "ServerAliveCountMax=3", "ClearAllForwardings=yes", "RequestTTY=no"),
)
_SHOWN: Final = 300
_DENIED: Final = "Permission denied"


class OpenSsh:
    """One host, as the options of an entry describe it.

    :ivar host: the name or address of the host.
    """

    def __init__(self, run: Context, options: Mapping[str, Any]) -> None:
        self._run, self._options = run, options
        self.host = str(options["host"])
        self._seconds = float(options.get("timeout", PROGRAM_TIMEOUT))

    def quoted(self, path: str) -> str:
        """Return a path for a line of ``batch``, in which patterns are not expanded.

        :raises DeployError: the path has control characters, which end a line.
        """
        if not path.isprintable():
            raise DeployError.of(texts.SSH_PATH, path=repr(path), host=self.host)
        escaped = path.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    def batch(self, lines: Sequence[str], folder: str, *, largest: int | None = None) -> list[str]:
        """Run commands of sftp, and return the printed lines. A command with ``-`` before it may fail.

        :param folder: the folder for the temporary file with the commands.
        :param largest: the maximum bytes of a fetched file.
        :raises DeployError: ``deploy-unwritable``: a command failed, and later ones were not run.
        """
        commands = os.path.join(folder, "batch")
        Path(commands).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        host = f"[{self.host}]" if ":" in self.host else self.host
        done = self._start("sftp", ["-b", commands, *self._arguments(), "--", host], largest)
        printed = [line for line in self._lines(done.output) if not line.startswith("sftp> ")]
        if done.status != 0:
            reason = printed[-1] if printed else "sftp gives no reason"
            raise DeployError.of(texts.SSH_UNWRITABLE, host=self.host, reason=reason.rstrip("."))
        return printed

    def run(self, command: Sequence[str]) -> None:
        """Run a program on the host.

        :raises DeployError: ``deploy-refused``: the status is not 0.
        """
        done = self._start("ssh", [*self._arguments(), "--", self.host, shlex.join(command)])
        if done.status != 0:
            reason = " ".join(self._lines(done.output))[-_SHOWN:].strip().rstrip(".") or "it printed nothing"
            fields = {"program": command[0], "host": self.host, "status": done.status, "reason": reason}
            raise DeployError.of(texts.SSH_PROGRAM, certificate=self._run.certificate or "", **fields)

    def _arguments(self) -> list[str]:
        options, found = self._options, list(_OPTIONS)
        found += [f"{name.capitalize()}={options[name]}" for name in ("user", "port") if name in options]
        if "identity" in options:
            found += [f"IdentityFile={_escaped(options['identity'])}", "IdentitiesOnly=yes"]
        if "known_hosts" in options:
            found += [f"UserKnownHostsFile={_escaped(options['known_hosts'])}", "GlobalKnownHostsFile=none"]
        return [part for option in found for part in ("-o", option)]

    def _start(self, program: str, arguments: Sequence[str], largest: int | None = None) -> subprocesses.Completed:
        try:
            done = subprocesses.run(
                [self._options.get(program, program), *arguments],
                env=subprocesses.environment(),
                seconds=self._seconds,
                limit=64 << 10,
                cancel=self._run.cancel,
                only_end=True,
                largest=largest,
            )
        except OSError as error:
            raise DeployError.of(texts.SSH_MISSING, program=program, reason=system_reason(error)) from None
        if done.status is None:
            raise DeployError.of(texts.SSH_LATE, host=self.host, **late(self._seconds))
        # The status of both programs if there is no connection.
        if done.status == 255:
            raise self._no_connection(self._lines(done.output))
        return done

    def _no_connection(self, lines: Sequence[str]) -> DeployError:
        for mark, text in (("requested strict checking", texts.SSH_HOST_KEY), (_DENIED, texts.SSH_LOGIN)):
            for line in lines:
                if mark in line:
                    known = str(self._options.get("known_hosts", "known_hosts"))
                    return DeployError.of(text, host=self.host, reason=line.rstrip("."), known_hosts=known)
        last_words = ("Connection closed", "Host key verification failed")
        reasons = [line for line in lines if not line.startswith(last_words)] or [*lines, "ssh gives no reason"]
        return DeployError.of(texts.SSH_SILENT, host=self.host, reason=reasons[-1].rstrip("."))

    def _lines(self, output: bytes) -> list[str]:
        text = self._run.redactor.redact(output.decode("utf-8", "replace"))
        lines = ("".join(character for character in line if character.isprintable()) for line in text.splitlines())
        return [line.strip()[:_SHOWN] for line in lines if line.strip()]


def _escaped(path: str) -> str:
    """Return a path for an option of ssh, which expands ``%`` and splits at blanks."""
    escaped = path.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# ── remote files ───────────────────────────────────────────────────────────────────────

# Reads and replaces files on another machine by ``sftp``; they are written aside, then renamed in one batch.

_LISTED: Final = re.compile(r"-\S+\s+\S+\s+(?P<owner>\S+)\s+(?P<group>\S+)\s+(?P<size>\d{1,20})\s.*?(?P<path>/.*)")
"""A line of ``ls -l``."""
_SUFFIX: Final = ".dnsrenew-new"


class RemoteFile(Frozen, hidden=("content",)):
    """A file that is on the host.

    :ivar owner: the name or number of its user; None if unknown.
    """

    content: bytes
    mode: int
    owner: str | None
    group: str | None


def fetch(ssh: OpenSsh, paths: Sequence[str]) -> dict[str, RemoteFile]:
    """Return the files that exist on the host.

    :raises DeployError: ``deploy-unwritable``: a file cannot be read (and so not be restored), is not a certificate
        file, or there is no connection.
    """
    with tempfile.TemporaryDirectory(prefix="dnsrenew-") as folder:
        listed = _batch(ssh, [f"-ls -l {ssh.quoted(path)}" for path in paths], folder)
        found = {match["path"]: match for line in listed if (match := _LISTED.fullmatch(line))}
        _check_sizes(ssh, {path: int(match["size"]) for path, match in found.items()})
        local = {path: os.path.join(folder, f"{number}") for number, path in enumerate(paths)}
        try:
            _batch(ssh, [f"-get -p {ssh.quoted(path)} {ssh.quoted(here)}" for path, here in local.items()], folder)
        finally:  # the host may send more than it has announced
            received = {path: here for path, here in local.items() if os.path.exists(here)}
            _check_sizes(ssh, {path: os.path.getsize(here) for path, here in received.items()})
        return {path: _read(here, found.get(path)) for path, here in received.items()}


def _batch(ssh: OpenSsh, lines: Sequence[str], folder: str) -> list[str]:
    printed = ssh.batch(lines, folder, largest=MOST)
    for line in printed:
        if _DENIED in line:
            raise DeployError.of(texts.SSH_UNWRITABLE, host=ssh.host, reason=line)
    return printed


def _check_sizes(ssh: OpenSsh, sizes: Mapping[str, int]) -> None:
    for path, size in sizes.items():
        if size > MOST:
            raise DeployError.of(texts.SSH_TOO_LARGE, host=ssh.host, path=path) from None


def put(ssh: OpenSsh, files: Sequence[TargetFile], *, is_back: bool = False) -> None:
    """Write all files aside on the host, then rename them.

    :param is_back: whether these are the old files, which are restored even if their owner cannot be set.
    :raises DeployError: no file is replaced, unless the host refused one of several renames.
    """
    # Random names, which no other user can have created.
    temps = {f"{_prefix(file.path)}{secrets.token_hex(8)}{_SUFFIX}": file for file in files}
    with tempfile.TemporaryDirectory(prefix="dnsrenew-") as folder:
        stale, writes, finish = [], [], []
        for number, (temp, file) in enumerate(temps.items()):
            here = os.path.join(folder, f"{number}")  # readable by the user only, and so is the file on the host
            OpenFolder(folder, None).write(f"{number}", file.content, PRIVATE_FILE)
            stale.append(f"-rm {ssh.quoted(_prefix(file.path))}*{ssh.quoted(_SUFFIX)}")  # of interrupted runs
            writes.append(f"put -f {ssh.quoted(here)} {ssh.quoted(temp)}")
            finish.append(f"chmod {file.mode:o} {ssh.quoted(temp)}")
        finish += [f"rename {ssh.quoted(temp)} {ssh.quoted(file.path)}" for temp, file in temps.items()]
        try:
            ssh.batch([*stale, *writes], folder)
            _set_owners(ssh, temps, is_back=is_back)
            ssh.batch(finish, folder)
        except Exception:  # after any error, no key stays aside on the host
            with contextlib.suppress(DeployError):
                ssh.batch([f"-rm {ssh.quoted(temp)}" for temp in temps], folder)
            raise


def _set_owners(ssh: OpenSsh, temps: Mapping[str, TargetFile], *, is_back: bool) -> None:
    """Give the files that were written aside to their users and groups. sftp itself needs numbers."""
    owners: dict[str, list[str]] = {}
    for temp, file in temps.items():
        if file.owner or file.group:
            owner = f"{file.owner or ''}{f':{file.group}' if file.group else ''}"
            owners.setdefault(owner, []).append(temp)
    for owner, paths in owners.items():
        try:
            ssh.run(["chown", owner, "--", *paths])
        except DeployError:
            if not is_back:
                raise


def _read(path: str, listed: re.Match[str] | None) -> RemoteFile:
    mode = stat.S_IMODE(os.stat(path).st_mode)  # sftp copied the mode of the remote file
    os.chmod(path, 0o600)
    owner, group = (None, None) if listed is None else (listed["owner"], listed["group"])
    return RemoteFile(Path(path).read_bytes(), mode, owner, group)


def _prefix(path: str) -> str:
    folder, name = posixpath.split(path)
    return posixpath.join(folder, f".{name}.")
