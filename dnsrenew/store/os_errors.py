"""The one place where an ``OSError`` becomes a :class:`~dnsrenew.errors.StoreError` that says what to do."""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import Final

from dnsrenew.base.files import NotAFileError
from dnsrenew.errors import StoreError

ASIDE: Final = ".tmp-"
"""What names of unfinished files and folders begin with."""

_UNFINISHED: Final = re.compile(rf"{re.escape(ASIDE)}[0-9]+-[0-9]+")
_FULL: Final = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
_DENIED: Final = {errno.EACCES, errno.EPERM}
_NOT_A_FOLDER: Final = {errno.ENOTDIR, errno.EEXIST}
_NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
_LINK: Final = {errno.ELOOP, getattr(errno, "EMLINK", errno.ELOOP)}  # BSD says EMLINK for O_NOFOLLOW


def translate(error: OSError, path: str, operation: str, root: str = "") -> StoreError:
    """Return the error of the house for one of the operating system.

    :param path: what was worked on.
    :param operation: what was done to it, as :class:`~dnsrenew.store.atomic_io.AtomicFiles` calls it.
    :param root: the store's folder, where that is known.
    """
    path = _lasting(path)
    code, message, fix = _explain(error, path, operation, root)
    kind = errno.errorcode.get(error.errno or 0, type(error).__name__)
    evidence = {"path": path, "operation": operation, "errno": kind, "cause": f"{type(error).__name__}: {_said(error)}"}
    return StoreError(code, message, fix=fix, evidence=evidence)


def _lasting(path: str) -> str:
    """Return the folder where something unfinished is, or was: nobody will find its own name there."""
    for part in (path, os.path.dirname(path)):
        if _UNFINISHED.fullmatch(os.path.basename(part)):
            return os.path.dirname(part)
    return path


def _explain(error: OSError, path: str, operation: str, root: str) -> tuple[str, str, str]:
    number = error.errno
    if number in _FULL:
        return (
            "store-full",
            f"{path} cannot be written: {_said(error)}.",
            f"Free some space (or inodes, or quota) on the disk that holds {_existing(path)}.",
        )
    if number == errno.EROFS:
        return (
            "store-read-only",
            f"{path} cannot be written: its file system is read-only.",
            f"Mount {_existing(path)} read-write (in a systemd unit: ReadWritePaths=), or set `store` elsewhere.",
        )
    if operation == "symlink" and number in _NO_LINKS:
        return (
            "store-no-links",
            f"The file system of {_existing(path)} takes no symbolic links, and `current` of a certificate is one.",
            "Set `store` to a folder on another file system, or mount this one so that it has links (SMB: mfsymlinks).",
        )
    if number == errno.EISDIR or isinstance(error, NotAFileError):
        what = error.what if isinstance(error, NotAFileError) else "a folder"
        return (
            "store-not-a-file",
            f"{path} should be a file, and is {what}.",
            f"Move {path} out of the way.",
        )
    if number in _DENIED:
        return _denied(path, root, reading=operation in {"read", "list"})
    if number in _NOT_A_FOLDER:
        return not_a_folder(_not_a_folder(path))
    return _strange(error, path)


def _strange(error: OSError, path: str) -> tuple[str, str, str]:
    number = error.errno
    if number in _LINK:
        return symlink(path)
    if number == errno.ENOENT:
        return vanished(path)
    if number == errno.EIO:
        return (
            "store-io-error",
            f"The disk failed at {path}: {_said(error)}.",
            f"Check the disk that holds {_existing(path)} (dmesg, smartctl), or set `store` to a folder on another.",
        )
    return (
        "store-failed",
        f"The operating system refused to work on {path}: {_said(error)}.",
        "Put right what the operating system complains about, or set `store` to another folder.",
    )


def not_a_folder(path: str) -> tuple[str, str, str]:
    """Return code, message and fix for something that stands where a folder should be."""
    return (
        "store-not-a-folder",
        f"{path} should be a folder, and is a file.",
        f"Move the file {path} out of the way, or set `store` to another folder.",
    )


def vanished(path: str) -> tuple[str, str, str]:
    """Return code, message and fix for something that was there a moment ago."""
    return (
        "store-vanished",
        f"{path} is gone, or the folder it should be in.",
        "Leave the store alone while dnsrenew runs, and run it again.",
    )


def symlink(path: str) -> tuple[str, str, str]:
    """Return code, message and fix for a link that would lead out of the store."""
    return (
        "store-symlink",
        f"{path} is a symbolic link, and dnsrenew follows none inside its store.",
        f"Replace the link {path} by what it points to (the store itself may be a link).",
    )


def not_private(path: str) -> StoreError:
    """Return the error for a folder that others can write and whose mode we may not change."""
    info = os.stat(path)
    owner, mode = _owner(info), stat.S_IMODE(info.st_mode)
    return StoreError(
        "store-not-private",
        f"{path} can be written by others (owner {owner}, mode {mode:04o}), and its mode cannot be changed.",
        fix=f"Give it to the user that runs dnsrenew and close it: chown {_user()} {path} && chmod 700 {path}",
        evidence={"path": path, "owner": owner, "mode": f"{mode:04o}"},
    )


def raised(form: tuple[str, str, str], **evidence: object) -> StoreError:
    """Return a :class:`StoreError` of code, message and fix."""
    code, message, fix = form
    return StoreError(code, message, fix=fix, evidence=evidence)


def _denied(path: str, root: str, *, reading: bool) -> tuple[str, str, str]:
    code, verb = ("store-unreadable", "read") if reading else ("store-not-writable", "written")
    culprit, user = _blocking(path, root, reading=reading), _user()
    try:
        info = os.stat(culprit)
    except OSError:
        return code, f"{path} cannot be {verb} by {user}.", f"Give {user} the right to use {os.path.dirname(path)}."
    if os.name == "nt":
        return code, f"{path} cannot be {verb} by {user}.", f"Give {user} full control of {culprit}."
    owner, mode = _owner(info), stat.S_IMODE(info.st_mode)
    whose = "it" if culprit == path else culprit
    message = f"{path} cannot be {verb}: {whose} belongs to {owner} (mode {mode:04o}), and dnsrenew runs as {user}."
    wanted = stat.S_IRWXU if stat.S_ISDIR(info.st_mode) else stat.S_IRUSR | stat.S_IWUSR
    ours = not root or culprit == root or culprit.startswith(os.path.join(root, ""))
    store = _quoted(root or culprit)
    if os.geteuid() not in {info.st_uid, 0}:
        if ours:  # mostly one run with sudo has left it, and more
            fix = f"Run dnsrenew as {owner}, or give the store to {user}: sudo chown -R {user} {store}"
        elif os.access(culprit, os.X_OK):
            fix = f"Run dnsrenew as {owner}, or make the store for {user}: sudo install -d -m 700 -o {user} {store}"
        else:
            fix = f"Run dnsrenew as {owner}, or set `store` to a folder of {user}."
        return code, message, fix
    if mode & wanted != wanted and os.geteuid() != 0:
        return code, message, f"Let its owner in: chmod u+rwX {_quoted(culprit)}"
    look = f"look for what forbids it ({culprit}: an immutable flag, an ACL, AppArmor or SELinux)"
    if info.st_uid != os.geteuid():  # root's rights end here: often in a container
        give = f"Give it to root, which may not pass over modes here (it lacks CAP_DAC_OVERRIDE): chown -R root {store}"
        return code, message, f"{give}, or {look}."
    return code, message, f"L{look[1:]}."


def _blocking(path: str, root: str, *, reading: bool) -> str:
    """Return the folder or file whose rights stand in the way: one on the way to it, it, or its own folder."""
    folder = os.path.dirname(path)
    for ancestor in _ancestors(folder):
        if os.path.isdir(ancestor) and not os.access(ancestor, os.X_OK):
            return ancestor
    if not os.path.lexists(path):
        return _existing(folder)
    suspects = (path,) if path == root else (path, folder)  # what is above the store is nobody's fault
    return next((part for part in suspects if not _may_use(part, reading=reading)), path)


def _may_use(path: str, *, reading: bool) -> bool:
    """Tell whether the user may do what we do; only the owner may change modes, and we do."""
    if reading:
        return os.access(path, os.R_OK)
    return os.access(path, os.W_OK) and (os.name == "nt" or os.stat(path).st_uid == os.geteuid())


def _not_a_folder(path: str) -> str:
    """Return the first part of the path that exists and is no folder."""
    return next((part for part in _ancestors(path) if os.path.lexists(part) and not os.path.isdir(part)), path)


def _existing(path: str) -> str:
    """Return the path, or the nearest folder above it that exists."""
    return next((part for part in reversed(_ancestors(path)) if os.path.lexists(part)), path)


def _ancestors(path: str) -> list[str]:
    """Return the path and the folders above it, the topmost first."""
    parts = [path]
    while (upper := os.path.dirname(parts[-1])) != parts[-1]:
        parts.append(upper)
    return parts[::-1]


def _quoted(path: str) -> str:
    import shlex  # only when something went wrong

    return shlex.quote(path)


def _said(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _user() -> str:
    if os.name == "nt":
        return os.environ.get("USERNAME", "the user that runs dnsrenew")
    return _name_of(os.geteuid())


def _owner(info: os.stat_result) -> str:
    return "its owner" if os.name == "nt" else _name_of(info.st_uid)


def _name_of(uid: int) -> str:
    import pwd  # POSIX only, and only when something went wrong

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
