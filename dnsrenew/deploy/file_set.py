"""Replaces several files as one set: all are written aside first, then renamed within milliseconds.

Between the renames of a pair a server could load a certificate with the wrong key. So the renames are written down in
the store first, and the next run completes those of a killed one before anything else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from dnsrenew.base.files import open_file
from dnsrenew.base.users import group_id, user_id, user_name
from dnsrenew.base.values import Frozen
from dnsrenew.deploy import texts
from dnsrenew.errors import DeployError

if TYPE_CHECKING:
    from dnsrenew.deploy.protocol import SavedFiles
    from dnsrenew.errors import Text

T = TypeVar("T")

_SUFFIX: Final = ".dnsrenew-new"
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_READ: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_FULL: Final = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
_LIMIT: Final = 1 << 20
"""Bytes; a larger file is no certificate, and is not kept."""
_RETRY_SECONDS: Final = 2.0
"""How long a rename is retried on Windows while another program has the file open."""


class TargetFile(Frozen, hidden=("content",)):
    """One file of a target.

    :ivar owner: the name of its user; None: as the system sets it.
    :ivar group: the name of its group; None: as the system sets it.
    """

    path: str
    content: bytes
    mode: int
    owner: str | None = None
    group: str | None = None


def is_in_place(files: Iterable[TargetFile]) -> bool:
    """Tell whether every file has its content already.

    :raises DeployError: ``deploy-unwritable``: a folder does not exist, or something else is in the place of a file.
    """
    found = [(read_file(file.path), file.content) for file in files]  # all of them: each may have a mistake
    return all(there == content for there, content in found)


def replace_files(saved: SavedFiles, files: Sequence[TargetFile], *, more: Mapping[str, bytes] | None = None) -> None:
    """Write the files whose content differs, and keep the old ones in the store.

    :param more: what to keep with them.

    :raises DeployError: ``deploy-unwritable``; the old files are all in place.
    :raises StoreError: the old files cannot be kept; nothing was written.
    """
    old = {file.path: read_file(file.path) for file in files}
    changed = [file for file in files if old[file.path] != file.content]
    if not changed and not more:
        return
    # A file that did not exist cannot come back, and the others would not fit without it.
    known = {path: content for path, content in old.items() if content is not None}
    saved.keep({**(known if len(known) == len(old) else {}), **(more or {})})
    if changed:
        _put(saved, changed)


def restore_files(saved: SavedFiles, files: Sequence[TargetFile]) -> bool:
    """Put back the files that were kept; return whether there were any.

    :param files: as they were written, for their modes and owners.
    :raises DeployError: ``deploy-unwritable``.
    """
    old = saved.kept()
    back = [
        TargetFile(file.path, old[file.path], file.mode, file.owner, file.group) for file in files if file.path in old
    ]
    changed = [file for file in back if read_file(file.path) != file.content]
    if not changed:
        return False
    _put(saved, changed)
    return True


def complete_renames(renames: Iterable[tuple[str, str]]) -> None:
    """Complete the renames of a killed run, as far as it had not done them.

    :raises DeployError: ``deploy-unwritable``.
    """
    for temp, path in renames:
        if os.path.lexists(temp):
            _guard(path, partial(_rename, temp, path))


def _put(saved: SavedFiles, files: Sequence[TargetFile]) -> None:
    renames: list[tuple[str, str]] = []
    try:
        for file in files:
            _remove_stale(file.path)
            renames.append((_write_aside(file), file.path))
        if len(renames) > 1:
            saved.note_renames(renames)
    except BaseException:
        for temp, _ in renames:
            with contextlib.suppress(OSError):
                os.unlink(temp)
        raise
    complete_renames(renames)
    for folder in {os.path.dirname(path) for _, path in renames}:
        _sync_folder(folder)
    if len(renames) > 1:
        saved.clear_renames()


def _write_aside(file: TargetFile) -> str:
    """Write the content to a new file beside the target, with its owner and mode, durably."""
    temp = f"{_prefix(file.path)}{secrets.token_hex(4)}{_SUFFIX}"
    handle = _guard(file.path, lambda: os.open(temp, _CREATE, 0o600))
    try:
        with open(handle, "wb") as out:
            _set_owner(handle, file)
            _guard(file.path, lambda: _write(out.fileno(), file))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temp)
        raise
    return temp


def _write(handle: int, file: TargetFile) -> None:
    view = memoryview(file.content)
    while view:
        view = view[os.write(handle, view) :]
    if hasattr(os, "fchmod"):  # after the owner was set: a change of owner may clear bits of the mode
        os.fchmod(handle, file.mode)
    os.fsync(handle)


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


def read_file(path: str) -> bytes | None:
    """Return the content of a file; None if it does not exist, is a link, or is larger than a certificate.

    :raises DeployError: ``deploy-unwritable``.
    """
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise DeployError.of(texts.FOLDER_MISSING, folder=folder, path=path)
    try:
        info = os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unwritable(path, error) from None
    if stat.S_ISLNK(info.st_mode) or info.st_size > _LIMIT:
        return None
    if not stat.S_ISREG(info.st_mode):
        raise DeployError.of(texts.NOT_A_FILE, path=path)
    return _guard(path, lambda: _read_all(path))


def _read_all(path: str) -> bytes:
    with open(open_file(path, _READ), "rb") as file:
        return file.read(_LIMIT + 1)


def _remove_stale(path: str) -> None:
    """Remove what killed runs wrote aside for this file."""
    folder, prefix = os.path.dirname(path), os.path.basename(_prefix(path))
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(prefix) and name.endswith(_SUFFIX):
                os.unlink(os.path.join(folder, name))


def _prefix(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.")


def _rename(source: str, target: str) -> None:
    end = time.monotonic() + _RETRY_SECONDS
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name != "nt" or time.monotonic() >= end:
                raise
        time.sleep(0.05)


def _sync_folder(folder: str) -> None:
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):  # some file systems cannot; the files themselves are synced
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _guard(path: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: str, error: OSError) -> DeployError:
    text: Text = texts.FULL if error.errno in _FULL else texts.UNWRITABLE
    user = os.environ.get("USERNAME", "") if os.name == "nt" else user_name(os.geteuid())
    reason = error.strerror or type(error).__name__
    return DeployError.of(text, path=path, folder=os.path.dirname(path), reason=reason, user=user)
