"""The only place where an ``OSError`` becomes a :class:`~dnsrenew.errors.StoreError` with a fix."""

from __future__ import annotations

import errno
import os
import re
import stat
from shlex import quote
from typing import Any, Final

from dnsrenew.base import users
from dnsrenew.base.files import NotAFileError, is_closed_by_unit, mount_of, nearest_existing, other_unit, upwards
from dnsrenew.base.path_trust import Weakness
from dnsrenew.errors import StoreError, Text, system_reason
from dnsrenew.store import texts

TEMP_PREFIX: Final = ".tmp-"
"""The first characters of the name of a temporary file or folder."""

_TEMP_NAME: Final = re.compile(rf"{re.escape(TEMP_PREFIX)}[0-9]+-[0-9]+")
_FULL: Final = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
_DENIED: Final = {errno.EACCES, errno.EPERM}
_NOT_A_FOLDER: Final = {errno.ENOTDIR, errno.EEXIST}
_NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
_LINK: Final = {errno.ELOOP, getattr(errno, "EMLINK", errno.ELOOP)}  # EMLINK: O_NOFOLLOW on BSD
_BY_NUMBER: Final = {errno.EROFS: texts.READ_ONLY, errno.ENOENT: texts.VANISHED, errno.EIO: texts.IO_ERROR}


def translate(error: OSError, path: str, operation: str, root: str = "") -> StoreError:
    """Return the :class:`StoreError` for an ``OSError``.

    :param path: the file or folder of the operation.
    :param operation: the name of the operation in :class:`~dnsrenew.store.atomic_io.AtomicFiles`.
    :param root: the store's folder, if known.
    """
    path = _permanent(path)
    text, fields = _classify(error, path, operation, root)
    kind = type(error).__name__
    number, cause = errno.errorcode.get(error.errno or 0, kind), f"{kind}: {system_reason(error)}"
    return StoreError.of(text, path=path, operation=operation, errno=number, cause=cause, **fields)


def _permanent(path: str) -> str:
    """Return the path. For a temporary file or folder, return its folder, because its own name tells a user nothing."""
    for part in (path, os.path.dirname(path)):
        if _TEMP_NAME.fullmatch(os.path.basename(part)):
            return os.path.dirname(part)
    return path


def _classify(error: OSError, path: str, operation: str, root: str) -> tuple[Text, dict[str, Any]]:
    """Return the text for an error, and the evidence for its fields besides the path."""
    number = error.errno
    if operation == "symlink" and number in _NO_LINKS:
        return texts.NO_LINKS, {"existing": nearest_existing(path)}
    if number == errno.EISDIR or isinstance(error, NotAFileError):
        return texts.NOT_A_FILE, {"found": error.kind if isinstance(error, NotAFileError) else "a folder"}
    if number in _DENIED:
        reading = operation in {"read", "list"}
        cause, fields = _denied(path, _denied_at(path, root, reading=reading), root)
        text, its = (cause.reading, texts.READ_ITSELF) if reading else (cause.writing, texts.WRITE_ITSELF)
        is_itself = "owner" in fields and fields["culprit"] == path
        return (text._replace(message=its.template) if is_itself else text), fields
    if number in _LINK or (number == errno.ENOTDIR and os.path.islink(path)):
        return texts.SYMLINK, {}
    if number in _NOT_A_FOLDER:
        return texts.NOT_A_FOLDER, {"culprit": _non_folder(path)}
    if is_closed_by_unit(error):
        if unit := other_unit():
            return texts.READ_ONLY_ELSEWHERE, {"existing": nearest_existing(path), "unit": unit}
        return texts.READ_ONLY_IN_UNIT, {"existing": nearest_existing(path)}
    is_above = path in upwards(root) and os.path.isdir(os.path.dirname(path))
    if number == errno.ENOENT and operation == "mkdir" and is_above:  # the store's folder, or one above it
        return texts.NO_NEW_FOLDER, {"existing": nearest_existing(path)}
    text = texts.FULL if number in _FULL else _BY_NUMBER.get(number or 0, texts.FAILED)
    return text, {"reason": system_reason(error), "existing": nearest_existing(path), "mount": mount_of(path)}


def not_private(path: str) -> StoreError:
    """Return the error for a folder that other users can write to and whose mode cannot be changed."""
    rights, quoted = _rights(os.stat(path)), quote(path)
    command = f"chown {rights['user']} {quoted} && chmod 700 {quoted}"
    return StoreError.of(texts.NOT_PRIVATE, path=path, command=command, **rights)


def weak_ground(weakness: Weakness, root: str) -> StoreError:
    """Return the error for a store, or a folder above it, that others can change.

    :param root: the store's folder.
    """
    above = weakness.path != os.path.realpath(root)
    evidence = {**vars(weakness), "store": root}
    if weakness.fault == "owner" and not above and os.name != "nt":
        evidence["command"] = _take_over(root)
    return StoreError.of((texts.WEAK_ABOVE if above else texts.WEAK)[weakness.fault], **evidence)


def foreign(path: str, info: os.stat_result, root: str) -> StoreError:
    """Return the error for a file or folder in the store that belongs to another user.

    :param root: the store's folder; empty if unknown.
    """
    return StoreError.of(texts.FOREIGN, path=path, command=_take_over(root or path), **_rights(info))


def of_other_worker(root: str, info: os.stat_result) -> StoreError:
    """Return the error for a machine's folder of a fleet that belongs to the user of its worker."""
    return StoreError.of(texts.WORKERS_FOLDER, path=root, **_rights(info))


def shared(root: str, info: os.stat_result, found: str) -> StoreError:
    """Return the error for a store that is not private and contains foreign files.

    :param found: the name of one foreign file.
    """
    own, command = os.path.join(root, "dnsrenew"), f"chmod 700 {quote(root)}"
    return StoreError.of(texts.SHARED, path=root, own=own, found=found, command=command, **_rights(info))


def _take_over(store: str) -> str:
    return f"chown -R {_user()} {quote(store)}"


def _rights(info: os.stat_result) -> dict[str, str]:
    return {"owner": _owner(info), "mode": f"{stat.S_IMODE(info.st_mode):04o}", "user": _user()}


def _denied(path: str, culprit: str, root: str) -> tuple[texts.DeniedTexts, dict[str, Any]]:
    user = _user()
    try:
        info = os.stat(culprit)
    except OSError:
        return texts.DENIED, {"user": user, "folder": os.path.dirname(path)}
    if os.name == "nt":
        return texts.DENIED_ON_WINDOWS, {"user": user, "culprit": culprit}
    paths = {"culprit": culprit, "quoted_culprit": quote(culprit), "quoted_store": quote(root or culprit)}
    return _denied_by(info, culprit, root), {**paths, **_rights(info)}


def _denied_by(info: os.stat_result, culprit: str, root: str) -> texts.DeniedTexts:
    user = os.geteuid()
    if user not in {info.st_uid, 0}:
        if not root or culprit == root or culprit.startswith(os.path.join(root, "")):
            return texts.DENIED_IN_STORE  # usually left by a run with sudo, like other files of the store
        return texts.DENIED_NEW_STORE if os.access(culprit, os.X_OK) else texts.DENIED_ABOVE_STORE
    wanted = stat.S_IRWXU if stat.S_ISDIR(info.st_mode) else stat.S_IRUSR | stat.S_IWUSR
    if user != 0 and info.st_mode & wanted != wanted:
        return texts.DENIED_BY_MODE
    return texts.DENIED_TO_OWNER if info.st_uid == user else texts.DENIED_TO_ROOT  # root: often in a container


def _denied_at(path: str, root: str, *, reading: bool) -> str:
    """Return the file or folder whose rights deny the access: an ancestor, the path itself or its folder."""
    folder = os.path.dirname(path)
    for ancestor in reversed(upwards(folder)):
        if os.path.isdir(ancestor) and not os.access(ancestor, os.X_OK):
            return ancestor
    if not os.path.lexists(path):
        return nearest_existing(folder)
    suspects = (path,) if path == root else (path, folder)  # folders above the store do not have to be writable
    return next((part for part in suspects if not _may_use(part, reading=reading)), path)


def _may_use(path: str, *, reading: bool) -> bool:
    """Return whether the user has the rights that we need. Writing sets modes, which only the owner may do."""
    if reading:
        return os.access(path, os.R_OK)
    return os.access(path, os.W_OK) and (os.name == "nt" or os.stat(path).st_uid == os.geteuid())


def _non_folder(path: str) -> str:
    """Return the first part of the path that exists and is not a folder."""
    return next((part for part in reversed(upwards(path)) if os.path.lexists(part) and not os.path.isdir(part)), path)


def _user() -> str:
    if os.name == "nt":
        return os.environ.get("USERNAME", "the user that runs dnsrenew")
    return users.user_name(os.geteuid())


def _owner(info: os.stat_result) -> str:
    return "its owner" if os.name == "nt" else users.user_name(info.st_uid)
