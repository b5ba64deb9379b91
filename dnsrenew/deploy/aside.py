"""Reads a file of a target, and writes its new content beside it, ready to be renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from dnsrenew.base.files import is_closed_by_unit, open_file
from dnsrenew.base.ground import Ground
from dnsrenew.base.users import group_id, user_id, user_name
from dnsrenew.base.values import Frozen
from dnsrenew.deploy import texts
from dnsrenew.errors import DeployError

if TYPE_CHECKING:
    from dnsrenew.errors import Text

T = TypeVar("T")

_SUFFIX: Final = ".dnsrenew-new"
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_READ: Final = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_FULL: Final = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
_LIMIT: Final = 1 << 20
"""Bytes; a larger file is no certificate, and is not replaced."""
_RETRY_SECONDS: Final = 2.0
"""How long a rename is retried on Windows while another program has the file open."""


class TargetFile(Frozen, hidden=("content",)):
    """One file of a target.

    :ivar owner: the name or number of its user; None: as the system sets it.
    :ivar group: the name or number of its group; None: as the system sets it.
    :ivar link: what it points to, if it is a symbolic link; only what is put back may be one.
    :ivar is_strict: whether a file with the same content but another mode or owner is replaced: they were asked for.
    """

    path: str
    content: bytes
    mode: int
    owner: str | None = None
    group: str | None = None
    link: str = ""
    is_strict: bool = False


class Found(NamedTuple):
    """What is in the place of a file.

    :ivar content: of a link, the content of the file that it leads to; empty if there is none.
    :ivar link: what it points to, if it is a symbolic link.
    """

    content: bytes
    mode: int
    uid: int
    gid: int
    link: str


def look(path: str) -> Found | None:
    """Return what is in the place of a file, or None if nothing is.

    :raises DeployError: ``deploy-unwritable``: there is no such folder, another user's link leads to it, or this is no
        file of a certificate.
    """
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise DeployError.of(texts.FOLDER_MISSING, folder=folder, path=path)
    refuse_foreign_link(path)
    try:
        info = os.lstat(path)
        if stat.S_ISLNK(info.st_mode):
            return _look_through(path, info)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unwritable(path, error) from None
    if not stat.S_ISREG(info.st_mode):
        raise DeployError.of(texts.NOT_A_FILE, path=path)
    if info.st_size > _LIMIT:
        raise DeployError.of(texts.TOO_LARGE, path=path)
    content = guard(path, lambda: _read_all(path, getattr(os, "O_NOFOLLOW", 0)))
    return Found(content, stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, "")


def refuse_foreign_link(path: str) -> None:
    """Refuse a link of another user on the way to a file: it could lead to any folder of the running user.

    :raises DeployError: ``deploy-unwritable``.
    """
    link = Ground().foreign_link(os.path.dirname(path))
    if link is not None:
        raise DeployError.of(texts.FOREIGN_LINK, file=path, **vars(link))


def _look_through(path: str, info: os.stat_result) -> Found:
    if os.path.isdir(path):
        raise DeployError.of(texts.NOT_A_FILE, path=path)
    content = b""
    with contextlib.suppress(OSError):  # it leads nowhere, or where we may not read
        if stat.S_ISREG(os.stat(path).st_mode):
            content = _read_all(path, 0)[:_LIMIT]
    return Found(content, 0o777, info.st_uid, info.st_gid, os.readlink(path))


def read_file(path: str) -> bytes | None:
    """Return the content of a file; None if there is none, or a link.

    :raises DeployError: ``deploy-unwritable``.
    """
    found = look(path)
    return None if found is None or found.link else found.content


def _read_all(path: str, flags: int) -> bytes:
    with open(open_file(path, _READ | flags), "rb") as file:
        return file.read(_LIMIT + 1)


def write_aside(file: TargetFile) -> str:
    """Write the content to a new file beside the target, with its owner and mode; return its path.

    Call :func:`sync_file` before it is renamed.

    :raises DeployError: ``deploy-unwritable``.
    """
    refuse_foreign_link(file.path)  # again: the old files were kept meanwhile, which takes time
    temp = f"{_prefix(file.path)}{secrets.token_hex(4)}{_SUFFIX}"
    if file.link:
        guard(file.path, lambda: os.symlink(file.link, temp))
        return temp
    handle = guard(file.path, lambda: os.open(temp, _CREATE, 0o600))
    try:
        with open(handle, "wb") as out:
            _set_owner(handle, file)
            guard(file.path, lambda: _write(out.fileno(), file))
    except BaseException:  # also a stop: no key stays aside
        remove(temp)
        raise
    return temp


def _write(handle: int, file: TargetFile) -> None:
    view = memoryview(file.content)
    while view:
        view = view[os.write(handle, view) :]
    if hasattr(os, "fchmod"):  # after the owner was set: a change of owner may clear bits of the mode
        os.fchmod(handle, file.mode)


def _set_owner(handle: int, file: TargetFile) -> None:
    if (file.owner is None and file.group is None) or not hasattr(os, "fchown"):
        return
    user = -1 if file.owner is None else user_id(file.owner)
    group = -1 if file.group is None else group_id(file.group)
    owner = ":".join(name or "" for name in (file.owner, file.group))
    if user is None or group is None:  # removed since the configuration was read
        raise DeployError.of(texts.OWNER_REFUSED, path=file.path, owner=owner, reason="there is no such user or group")
    try:
        os.fchown(handle, user, group)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DeployError.of(texts.OWNER_REFUSED, path=file.path, owner=owner, reason=reason) from None


def sync_file(temp: str, path: str) -> None:
    """Make the content of a file that was written aside durable.

    :raises DeployError: ``deploy-unwritable``.
    """
    if not os.path.islink(temp):
        guard(path, lambda: _sync(temp))


def _sync(temp: str) -> None:
    handle = os.open(temp, os.O_RDWR if os.name == "nt" else os.O_RDONLY)  # its mode may forbid to write
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(temp: str) -> None:
    """Remove a file that was written aside, if it is still there."""
    with contextlib.suppress(OSError):
        os.unlink(temp)


def remove_stale(path: str) -> None:
    """Remove what killed runs wrote aside for this file."""
    folder, prefix = os.path.dirname(path), os.path.basename(_prefix(path))
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(prefix) and name.endswith(_SUFFIX):
                os.unlink(os.path.join(folder, name))


def _prefix(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.")


def rename(source: str, target: str) -> None:
    """Rename a file; on Windows wait for a program that has the target open.

    :raises DeployError: ``deploy-unwritable``: another user's link leads to the target.
    """
    refuse_foreign_link(target)  # again: the renames of a killed run are completed much later
    end = time.monotonic() + _RETRY_SECONDS
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name != "nt" or time.monotonic() >= end:
                raise
        time.sleep(0.05)


def sync_folder(folder: str) -> None:
    """Make the names in a folder durable, where the system can."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):  # some file systems cannot; the files themselves are synced
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def guard(path: str, call: Callable[[], T]) -> T:
    """Make a call for a file of a target; translate its ``OSError``.

    :raises DeployError: ``deploy-unwritable``.
    """
    try:
        return call()
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: str, error: OSError) -> DeployError:
    text: Text = texts.FULL if error.errno in _FULL else texts.UNWRITABLE
    if is_closed_by_unit(error):
        text = texts.READ_ONLY
    user = os.environ.get("USERNAME", "") if os.name == "nt" else user_name(os.geteuid())
    reason = error.strerror or type(error).__name__
    return DeployError.of(text, path=path, folder=os.path.dirname(path), reason=reason, user=user)
