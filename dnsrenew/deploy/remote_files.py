"""Reads and replaces files on another machine by ``sftp``; they are written aside, then renamed in one batch."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.deploy import texts
from dnsrenew.deploy.aside import MOST
from dnsrenew.errors import DeployError

if TYPE_CHECKING:
    from dnsrenew.deploy.aside import TargetFile
    from dnsrenew.deploy.openssh import OpenSsh

_LISTED: Final = re.compile(r"-\S+\s+\S+\s+(?P<owner>\S+)\s+(?P<group>\S+)\s+(?P<size>\d{1,20})\s.*?(?P<path>/.*)")
"""A line of ``ls -l``."""
_DENIED: Final = "Permission denied"
_SUFFIX: Final = ".dnsrenew-new"


class RemoteFile(Frozen, hidden=("content",)):
    """A file that is on the host.

    :ivar owner: the name or number of its user; None: not known.
    """

    content: bytes
    mode: int
    owner: str | None
    group: str | None


def fetch(ssh: OpenSsh, paths: Sequence[str]) -> dict[str, RemoteFile]:
    """Return those of the files that are on the host.

    :raises DeployError: ``deploy-unwritable``: one cannot be read, so it could not be put back, or is no file of a
        certificate; or no connection.
    """
    with _folder() as folder:
        listed = _batch(ssh, [f"-ls -l {ssh.quoted(path)}" for path in paths], folder)
        found = {match["path"]: match for line in listed if (match := _LISTED.fullmatch(line))}
        _check_sizes(ssh, {path: int(match["size"]) for path, match in found.items()})
        local = {path: os.path.join(folder, f"{number}") for number, path in enumerate(paths)}
        try:
            _batch(ssh, [f"-get -p {ssh.quoted(path)} {ssh.quoted(here)}" for path, here in local.items()], folder)
        finally:  # the host may send more than it has said
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

    :param is_back: these are the old files, which come back even if their owner cannot be set.
    :raises DeployError: nothing is replaced, unless the host refused one of several renames.
    """
    temps = {_temp(file.path): file for file in files}
    with _folder() as folder:
        stale, writes, finish = [], [], []
        for number, (temp, file) in enumerate(temps.items()):
            here = os.path.join(folder, f"{number}")
            _write(here, file.content)  # readable by the user only, and so is the file on the host
            stale.append(f"-rm {_stale(ssh, file.path)}")
            writes.append(f"put -f {ssh.quoted(here)} {ssh.quoted(temp)}")
            finish.append(f"chmod {file.mode:o} {ssh.quoted(temp)}")
        finish += [f"rename {ssh.quoted(temp)} {ssh.quoted(file.path)}" for temp, file in temps.items()]
        try:
            ssh.batch([*stale, *writes], folder)
            _set_owners(ssh, temps, is_back=is_back)
            ssh.batch(finish, folder)
        except Exception:  # whatever it was: no key stays aside on the host
            with contextlib.suppress(DeployError):
                ssh.batch([f"-rm {ssh.quoted(temp)}" for temp in temps], folder)
            raise


def _set_owners(ssh: OpenSsh, temps: Mapping[str, TargetFile], *, is_back: bool) -> None:
    """Give the files that were written aside to their users and groups; sftp itself knows only numbers."""
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


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    """Make a private folder for what is sent or received."""
    with tempfile.TemporaryDirectory(prefix="dnsrenew-") as folder:
        yield folder


def _write(path: str, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _read(path: str, listed: re.Match[str] | None) -> RemoteFile:
    mode = stat.S_IMODE(os.stat(path).st_mode)  # sftp gave it the mode of the file on the host
    os.chmod(path, 0o600)
    owner, group = (None, None) if listed is None else (listed["owner"], listed["group"])
    return RemoteFile(Path(path).read_bytes(), mode, owner, group)


def _temp(path: str) -> str:
    """Return a name that nobody else can have put something at."""
    return f"{_prefix(path)}{secrets.token_hex(8)}{_SUFFIX}"


def _stale(ssh: OpenSsh, path: str) -> str:
    """Return the pattern of what killed runs wrote aside for a file."""
    return f"{ssh.quoted(_prefix(path))}*{ssh.quoted(_SUFFIX)}"


def _prefix(path: str) -> str:
    folder, name = posixpath.split(path)
    return posixpath.join(folder, f".{name}.")
