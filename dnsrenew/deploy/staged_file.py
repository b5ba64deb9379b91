"""Reads a file of a target, and writes its new content beside it, ready to be renamed.

The folder may belong to another user, who could replace it with a link at any moment. So each function opens it by
:mod:`dnsrenew.base.safe_files`, and accesses files by their names in the opened folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from typing import Final

from dnsrenew.base import files
from dnsrenew.base.files import is_closed_by_unit, kind_at, mount_of, open_file, open_with_info, other_unit
from dnsrenew.base.safe_files import PRIVATE_FILE, ForeignLinkError, OpenFolder, open_folder, write_all
from dnsrenew.base.users import group_id, user_id, user_name
from dnsrenew.base.values import Frozen
from dnsrenew.deploy import texts
from dnsrenew.errors import DeployError, Text, system_reason

_SUFFIX: Final = ".dnsrenew-new"
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_READ: Final = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_FULL: Final = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
MOST: Final = 1 << 20
"""In bytes. A larger file is not a certificate, and is not replaced."""


class TargetFile(Frozen, hidden=("content",)):
    """One file of a target.

    :ivar owner: the name or number of its user; None if the system sets it.
    :ivar group: the name or number of its group; None if the system sets it.
    :ivar link: the target of a symbolic link; only a restored file may be a link.
    :ivar is_strict: whether a file with the same content but another mode or owner is replaced, because the options
        require these.
    """

    path: str
    content: bytes
    mode: int
    owner: str | None = None
    group: str | None = None
    link: str = ""
    is_strict: bool = False


class Found(Frozen, hidden=("content",)):
    """The file or link at a path.

    :ivar content: the content; for a link, the content of its target, empty if the target does not exist.
    :ivar link: the target, if it is a symbolic link.
    """

    content: bytes
    mode: int
    uid: int
    gid: int
    link: str


def inspect(path: str) -> Found | None:
    """Return the file or link at a path, or None if the path does not exist.

    :raises DeployError: ``deploy-unwritable``: the folder does not exist, another user's link leads to it, or this is
        not a certificate file.
    """
    if not os.path.isdir(os.path.dirname(path)):
        raise DeployError.of(texts.FOLDER_MISSING, folder=os.path.dirname(path), path=path)
    with _folder_of(path) as folder:
        return _inspect(folder, path)


@contextlib.contextmanager
def _folder_of(path: str) -> Iterator[OpenFolder]:
    """Open the folder of a target's file. An OSError in the block becomes an error about that file.

    :raises DeployError: ``deploy-unwritable``: another user's link leads to it, or it cannot be opened or changed.
    """
    try:
        with open_folder(os.path.dirname(path)) as folder:
            yield folder
    except OSError as error:
        raise _unwritable(path, error) from None


def _inspect(folder: OpenFolder, path: str) -> Found | None:
    name = folder.at(os.path.basename(path))
    try:
        info = os.stat(name, dir_fd=folder.handle, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(info.st_mode):
        link, info = folder.read_link(os.path.basename(path))
        if kind_at(name, folder.handle) is not None:
            raise DeployError.of(texts.NOT_A_FILE, path=path)
        content = b""
        with contextlib.suppress(OSError):  # it leads nowhere, or where we may not read
            content = _read_all(folder, name, 0)[0][:MOST]
        return Found(content, 0o777, info.st_uid, info.st_gid, link)
    if not stat.S_ISREG(info.st_mode):
        raise DeployError.of(texts.NOT_A_FILE, path=path)
    if info.st_size > MOST:
        raise DeployError.of(texts.TOO_LARGE, path=path)
    content, info = _read_all(folder, name, _NO_LINK)
    return Found(content, stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, "")


def _read_all(folder: OpenFolder, name: str, flags: int) -> tuple[bytes, os.stat_result]:
    handle, info = open_with_info(name, _READ | flags, dir_fd=folder.handle, anywhere=True)
    with open(handle, "rb") as file:
        return file.read(MOST + 1), info


def make_folder(path: str) -> None:
    """Make a folder that others can enter, if it is missing.

    :raises DeployError: ``deploy-unwritable``.
    """
    if not os.path.isdir(path):
        with _folder_of(path) as above:
            above.make(os.path.basename(path))


def read_file(path: str) -> bytes | None:
    """Return the content of a file; None if it does not exist or is a link.

    :raises DeployError: ``deploy-unwritable``.
    """
    found = inspect(path)
    return None if found is None or found.link else found.content


def write_aside(file: TargetFile) -> str:
    """Write the content to a new file beside the target, with its owner and mode; return its path.

    Call :func:`sync_file` before renaming it.

    :raises DeployError: ``deploy-unwritable``.
    """
    temp = f"{_prefix(file.path)}{secrets.token_hex(4)}{_SUFFIX}"
    with _folder_of(file.path) as folder:
        name = os.path.basename(temp)
        if file.link:
            _make_link(folder, name, file)
            return temp
        handle = folder.create(name, PRIVATE_FILE)
        with files.undone(folder.discard, name), open(handle, "wb"):
            _set_owner(handle, file)
            write_all(handle, file.content)
            if hasattr(os, "fchmod"):  # after the owner was set, because a change of owner may clear mode bits
                os.fchmod(handle, file.mode)
    return temp


def _make_link(folder: OpenFolder, name: str, file: TargetFile) -> None:
    """Make a link with its owner.

    A link that belongs to root is followed. So a link for another user is made in a folder that the user cannot open,
    until the link belongs to that user.
    """
    if file.owner is None or file.group is None:
        os.symlink(file.link, folder.at(name), dir_fd=folder.handle)
        return
    closed = f"{name}.d"
    folder.make(closed, 0o700)
    try:
        with folder.child(closed) as own:
            info = os.stat(own.at(os.curdir), dir_fd=own.handle)
            if info.st_uid != os.geteuid() or info.st_mode & 0o077:
                raise PermissionError(errno.EPERM, "another user replaced the folder", own.path)
            os.symlink(file.link, own.at(name), dir_fd=own.handle)
            os.chown(own.at(name), int(file.owner), int(file.group), dir_fd=own.handle, follow_symlinks=False)
            os.rename(own.at(name), folder.at(name), src_dir_fd=own.handle, dst_dir_fd=folder.handle)
    finally:
        with contextlib.suppress(OSError):
            folder.remove_folder(closed)


def _set_owner(handle: int, file: TargetFile) -> None:
    if (file.owner is None and file.group is None) or not hasattr(os, "fchown"):
        return
    user = -1 if file.owner is None else user_id(file.owner)
    group = -1 if file.group is None else group_id(file.group)
    owner = ":".join(name or "" for name in (file.owner, file.group))
    if user is None or group is None:  # removed since the configuration was read
        raise DeployError.of(texts.OWNER_REFUSED, path=file.path, owner=owner, reason=texts.NO_SUCH_OWNER)
    try:
        os.fchown(handle, user, group)
    except OSError as error:
        raise DeployError.of(texts.OWNER_REFUSED, path=file.path, owner=owner, reason=system_reason(error)) from None


def sync_file(temp: str, path: str) -> None:
    """Make the content of a file that was written aside durable.

    :raises DeployError: ``deploy-unwritable``.
    """
    with _folder_of(path) as folder:
        name = folder.at(os.path.basename(temp))
        if stat.S_ISLNK(os.stat(name, dir_fd=folder.handle, follow_symlinks=False).st_mode):
            return
        access = os.O_RDWR if os.name == "nt" else os.O_RDONLY  # its mode may forbid writing
        with files.closing(open_file(name, access | _NO_LINK, dir_fd=folder.handle)) as handle:
            os.fsync(handle)


def remove(temp: str) -> None:
    """Remove a file that was written aside, if it is still there."""
    with contextlib.suppress(DeployError), _folder_of(temp) as folder:
        folder.discard(os.path.basename(temp))


def remove_stale(path: str) -> None:
    """Remove files that interrupted runs wrote aside for this file."""
    prefix = os.path.basename(_prefix(path))
    with contextlib.suppress(DeployError), _folder_of(path) as folder:
        for name in folder.names():
            if name.startswith(prefix) and name.endswith(_SUFFIX):
                folder.discard(name)


def is_aside(path: str, target: str) -> bool:
    """Return whether :func:`write_aside` could have made this path for the new content of a target."""
    is_beside = os.path.dirname(path) == os.path.dirname(target)
    return is_beside and path.startswith(_prefix(target)) and path.endswith(_SUFFIX)


def _prefix(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.")


def rename(source: str, target: str) -> None:
    """Rename a file within its folder. On Windows, wait for a program that has the target open.

    :raises DeployError: ``deploy-unwritable``.
    """
    with _folder_of(target) as folder:
        folder.replace(os.path.basename(source), os.path.basename(target))


def sync_folder(folder: str) -> None:
    """Make the names in a folder durable, if the system supports it."""
    with contextlib.suppress(OSError), open_folder(folder) as opened:
        opened.sync()


def _unwritable(path: str, error: OSError) -> DeployError:
    if isinstance(error, ForeignLinkError):
        return DeployError.of(texts.FOREIGN_LINK, file=path, **vars(error.link))
    text: Text = texts.FULL if error.errno in _FULL else texts.UNWRITABLE
    if error.errno == errno.EROFS:
        text = texts.DISK_READ_ONLY
    unit = other_unit() if is_closed_by_unit(error) else ""
    if is_closed_by_unit(error):
        text = texts.READ_ONLY_ELSEWHERE if unit else texts.READ_ONLY
    user = os.environ.get("USERNAME", "") if os.name == "nt" else user_name(os.geteuid())
    fields = {"path": path, "folder": os.path.dirname(path), "reason": system_reason(error), "user": user}
    fields |= {"mount": mount_of(path)} if text is texts.DISK_READ_ONLY else {}
    return DeployError.of(text, **fields, **({"unit": unit} if unit else {}))
