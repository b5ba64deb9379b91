"""Reads a file of a target, and writes its new content beside it, ready to be renamed.

The folder may belong to another user, who could put a link in its place at any moment. So each function opens it by
:mod:`dnsrenew.base.open_folder`, and uses files by their names in what it has opened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeVar

from dnsrenew.base.files import is_closed_by_unit, open_file
from dnsrenew.base.open_folder import ForeignLinkError, OpenFolder, open_folder
from dnsrenew.base.users import group_id, user_id, user_name
from dnsrenew.base.values import Frozen
from dnsrenew.deploy import texts
from dnsrenew.errors import DeployError

if TYPE_CHECKING:
    from dnsrenew.errors import Text

T = TypeVar("T")

_SUFFIX: Final = ".dnsrenew-new"
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | getattr(os, "O_BINARY", 0)
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


class Found(Frozen, hidden=("content",)):
    """What is in the place of a file.

    :ivar content: of a link, the content of the file that it leads to; empty if there is none.
    :ivar link: what it points to, if it is a symbolic link.
    """

    content: bytes
    mode: int
    uid: int
    gid: int
    link: str


def inspect(path: str) -> Found | None:
    """Return what is in the place of a file, or None if nothing is.

    :raises DeployError: ``deploy-unwritable``: there is no such folder, another user's link leads to it, or this is no
        file of a certificate.
    """
    if not os.path.isdir(os.path.dirname(path)):
        raise DeployError.of(texts.FOLDER_MISSING, folder=os.path.dirname(path), path=path)
    with _folder_of(path) as folder:
        return guard(path, lambda: _inspect(folder, path))


@contextlib.contextmanager
def _folder_of(path: str) -> Iterator[OpenFolder]:
    """Open the folder of a file.

    :raises DeployError: ``deploy-unwritable``: another user's link leads to it, or it cannot be opened.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = guard(path, lambda: stack.enter_context(open_folder(os.path.dirname(path))))
        except ForeignLinkError as error:
            raise DeployError.of(texts.FOREIGN_LINK, file=path, **vars(error.link)) from None
        yield folder


def _inspect(folder: OpenFolder, path: str) -> Found | None:
    name = folder.at(os.path.basename(path))
    try:
        info = os.stat(name, dir_fd=folder.handle, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(info.st_mode):
        return _inspect_file(folder, name, path, info)
    if not stat.S_ISREG(info.st_mode):
        raise DeployError.of(texts.NOT_A_FILE, path=path)
    if info.st_size > _LIMIT:
        raise DeployError.of(texts.TOO_LARGE, path=path)
    content = _read_all(folder, name, _NO_LINK)
    return Found(content, stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, "")


def _inspect_file(folder: OpenFolder, name: str, path: str, info: os.stat_result) -> Found:
    content = b""
    try:
        content = _read_all(folder, name, 0)[:_LIMIT]
    except IsADirectoryError:
        raise DeployError.of(texts.NOT_A_FILE, path=path) from None
    except OSError:  # it leads nowhere, to no file, or where we may not read
        pass
    return Found(content, 0o777, info.st_uid, info.st_gid, os.readlink(name, dir_fd=folder.handle))


def read_file(path: str) -> bytes | None:
    """Return the content of a file; None if there is none, or a link.

    :raises DeployError: ``deploy-unwritable``.
    """
    found = inspect(path)
    return None if found is None or found.link else found.content


def _read_all(folder: OpenFolder, name: str, flags: int) -> bytes:
    with open(open_file(name, _READ | flags, dir_fd=folder.handle), "rb") as file:
        return file.read(_LIMIT + 1)


def write_aside(file: TargetFile) -> str:
    """Write the content to a new file beside the target, with its owner and mode; return its path.

    Call :func:`sync_file` before it is renamed.

    :raises DeployError: ``deploy-unwritable``.
    """
    temp = f"{_prefix(file.path)}{secrets.token_hex(4)}{_SUFFIX}"
    with _folder_of(file.path) as folder:
        name = folder.at(os.path.basename(temp))
        if file.link:
            guard(file.path, lambda: os.symlink(file.link, name, dir_fd=folder.handle))
            return temp
        handle = guard(file.path, lambda: os.open(name, _CREATE, 0o600, dir_fd=folder.handle))
        try:
            with open(handle, "wb") as out:
                _set_owner(handle, file)
                guard(file.path, lambda: _write(out.fileno(), file))
        except BaseException:  # also a stop: no key stays aside
            _unlink(folder, name)
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
    with _folder_of(path) as folder:
        guard(path, lambda: _sync(folder, folder.at(os.path.basename(temp))))


def _sync(folder: OpenFolder, name: str) -> None:
    if stat.S_ISLNK(os.stat(name, dir_fd=folder.handle, follow_symlinks=False).st_mode):
        return
    access = os.O_RDWR if os.name == "nt" else os.O_RDONLY  # its mode may forbid to write
    handle = open_file(name, access | _NO_LINK, dir_fd=folder.handle)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(temp: str) -> None:
    """Remove a file that was written aside, if it is still there."""
    with contextlib.suppress(DeployError), _folder_of(temp) as folder:
        _unlink(folder, folder.at(os.path.basename(temp)))


def _unlink(folder: OpenFolder, name: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=folder.handle)


def remove_stale(path: str) -> None:
    """Remove what killed runs wrote aside for this file."""
    prefix = os.path.basename(_prefix(path))
    with contextlib.suppress(DeployError, OSError), _folder_of(path) as folder:
        for name in folder.names():
            if name.startswith(prefix) and name.endswith(_SUFFIX):
                _unlink(folder, folder.at(name))


def _prefix(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.")


def rename(source: str, target: str) -> None:
    """Rename a file within its folder; on Windows wait for a program that has the target open.

    :raises DeployError: ``deploy-unwritable``: another user's link leads to the target.
    """
    with _folder_of(target) as folder:
        _rename(folder, os.path.basename(source), os.path.basename(target))


def _rename(folder: OpenFolder, source: str, target: str) -> None:
    end = time.monotonic() + _RETRY_SECONDS
    while True:
        try:
            os.replace(folder.at(source), folder.at(target), src_dir_fd=folder.handle, dst_dir_fd=folder.handle)
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
