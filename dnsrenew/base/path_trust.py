"""Checks that only root and the running user can change what is at a path.

The store, the configuration and the programs that it names decide about certificates and keys. So every folder above
them must be owned by root or the running user, and must not be writable by others unless it has the sticky bit.

A path is walked from the top, links included. Other users cannot change a folder that passes, so its entries do not
change between the check of a path and its use. A file is checked once more after it was opened.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
import struct
import sys
from pathlib import Path
from typing import Any, Final, Literal

from dnsrenew.base.files import open_with_info, upwards
from dnsrenew.base.users import group_name, is_private_group, user_name
from dnsrenew.base.values import Frozen

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

Fault = Literal["owner", "group", "list", "everybody"]

_READ: Final = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
MAX_LINKS: Final = 40
_WINDOWS: Final = os.name == "nt"


class Weakness(Frozen):
    """The part of a path that other users can change.

    :ivar path: the folder, link or file.
    :ivar fault: ``owner``: it belongs to another user; ``group`` and ``everybody``: they can write to it; ``list``: its
        access list lets others write to it.
    :ivar owner: the name of its owner.
    :ivar group: the name of its group; empty on Windows, like ``mode``.
    :ivar mode: its mode in octal digits.
    :ivar user: the name of the running user.
    :ivar command: the command that fixes it.
    """

    path: str
    fault: Fault
    owner: str
    group: str
    mode: str
    user: str
    command: str


class _CheckedPath(Frozen):
    """The result of a walk: the path without links, and the first part that others can change."""

    real: str
    weakness: Weakness | None


class Ground:
    """Checks each path once in a run.

    :param uid: the user that uses the paths; default: the effective user.
    """

    def __init__(self, uid: int | None = None) -> None:
        self._uid = uid if uid is not None or _WINDOWS else os.geteuid()
        self._checked_paths: dict[str, _CheckedPath] = {}

    def weakness(self, path: str | os.PathLike[str], *, any_entry: bool = False) -> Weakness | None:
        """Return the first part of a path (a folder above it or the path itself) that others can change, or None.

        Missing parts are not checked.

        :param path: the absolute path; links in it are checked and followed.
        :param any_entry: for a folder in which every file is used (the store, ``conf.d``, ``providers``). The sticky
            bit is not enough there, because it does not prevent others from adding files.
        """
        checked = self._checked(os.fspath(path))
        if checked.weakness is None and any_entry and not _WINDOWS:
            return self._judge(checked.real, sticky_is_enough=False)
        return checked.weakness

    def open(self, path: str | os.PathLike[str]) -> tuple[int, Weakness | None]:
        """Open a regular file for reading; return its descriptor, and the first part that others can change.

        :param path: the absolute path.
        :raises NotAFileError: the path is not a regular file.
        :raises OSError: the file cannot be opened.
        """
        checked = self._checked(os.fspath(path))
        handle, info = open_with_info(checked.real, _READ, anywhere=True)
        if checked.weakness is not None or _WINDOWS:
            return handle, checked.weakness
        return handle, self.weakness_of_open(checked.real, info)

    def weakness_of_open(self, path: str | os.PathLike[str], info: os.stat_result) -> Weakness | None:
        """Check an open file or folder itself by its ``fstat`` (POSIX).

        :param path: its path, for the answer.
        """
        return self._weakness(os.fspath(path), info, sticky_is_enough=False)

    def foreign_link(self, path: str | os.PathLike[str]) -> Weakness | None:
        """Return the first link in a folder's path that another user made. The folders may belong to any user.

        :param path: the absolute path.
        """
        return None if _WINDOWS else self._walk(_CheckedPath(os.sep, None), os.fspath(path), only_links=True).weakness

    def can_others_read(self, path: str | os.PathLike[str]) -> bool:
        """Return whether other users can read a file, by its mode and the modes of all folders above it (POSIX)."""
        if _WINDOWS:
            return False
        everybody, group = stat.S_IROTH, stat.S_IRGRP
        for part in upwards(os.path.realpath(path)):
            try:
                info = os.stat(part)
            except OSError:
                return False
            if not info.st_mode & everybody and not (info.st_mode & group and self._is_shared(part, info, everybody)):
                return False
            everybody, group = stat.S_IXOTH, stat.S_IXGRP
        return True

    def is_own_group(self, gid: int) -> bool:
        """Return whether only the running user, or only root, is in a group (POSIX)."""
        return is_private_group(gid, 0) or (self._uid is not None and is_private_group(gid, self._uid))

    def _is_shared(self, path: str, info: os.stat_result, bit: int) -> bool:
        """Return whether others are in the group of a file or folder, or have rights by its access list."""
        return not self.is_own_group(info.st_gid) or self._is_listed(path, bit)

    def _is_listed(self, path: str, bit: int) -> bool:

        return any(
            not self.is_own_group(each.number) if each.kind == "group" else each.number not in (0, self._uid)
            for each in allowed(path, bit)
        )

    # ── the walk ────────────────────────────────────────────────────────────────────────

    def _checked(self, path: str) -> _CheckedPath:
        if path not in self._checked_paths:
            self._checked_paths[path] = self._walk_on_windows(path) if _WINDOWS else self._walk_from_folder(path)
        return self._checked_paths[path]

    def _walk_from_folder(self, path: str) -> _CheckedPath:
        """Walk to a folder once for all its files. While the folder is missing, walk again for each file."""
        folder, name = os.path.split(path)
        checked = self._checked_paths.get(folder)
        if checked is None:
            checked = self._walk(_CheckedPath(os.sep, self._judge(os.sep)), folder)
            if os.path.isdir(checked.real):
                self._checked_paths[folder] = checked
        return self._walk(checked, name)

    def _walk(self, start: _CheckedPath, path: str, *, only_links: bool = False) -> _CheckedPath:
        """Check every part of a path from a folder on. A link is checked, then replaced by its target."""
        here, weakness = start.real, start.weakness
        rest, links = parts_of(path), 0
        while rest:
            name = rest.pop()
            if name == os.pardir:
                here = os.path.dirname(here)
                continue
            here = os.path.join(here, name)
            try:
                info = os.lstat(here)
                target = os.readlink(here) if stat.S_ISLNK(info.st_mode) else None
            except (OSError, ValueError):  # missing (as with a NUL in it), or unreachable for us
                continue
            if target is not None or not only_links:
                weakness = weakness or self._weakness(here, info, sticky_is_enough=True)
            if target is None:
                continue
            links += 1
            if links > MAX_LINKS:
                break
            rest += parts_of(target)
            here = os.sep if os.path.isabs(target) else os.path.dirname(here)
        return _CheckedPath(here, weakness)

    def _judge(self, path: str, *, sticky_is_enough: bool = True) -> Weakness | None:
        try:
            info = os.lstat(path)
        except (OSError, ValueError):  # missing (as with a NUL in it), or unreachable for us
            return None
        return self._weakness(path, info, sticky_is_enough=sticky_is_enough)

    def _weakness(self, path: str, info: os.stat_result, *, sticky_is_enough: bool) -> Weakness | None:
        if info.st_uid not in (0, self._uid) and not self._is_host_root(path, info):
            return self._weak(path, info, "owner")
        sticky = stat.S_ISDIR(info.st_mode) and info.st_mode & stat.S_ISVTX
        if stat.S_ISLNK(info.st_mode) or (sticky_is_enough and sticky):
            return None
        fault: Fault | None = None
        if info.st_mode & stat.S_IWOTH:
            fault = "everybody"
        elif info.st_mode & stat.S_IWGRP and not self.is_own_group(info.st_gid):
            fault = "group"
        elif info.st_mode & stat.S_IWGRP and self._is_listed(path, stat.S_IWOTH):
            fault = "list"
        return None if fault is None or is_read_only(path) else self._weak(path, info, fault)

    def _is_host_root(self, path: str, info: os.stat_result) -> bool:
        """Return whether a folder belongs to root outside the user namespace of this process (rootless containers).

        There every unmapped user has the overflow id. A folder above a mount point cannot be replaced.
        """
        return info.st_uid == overflow_uid() and is_above_mount(path)

    def _weak(self, path: str, info: os.stat_result, fault: Fault) -> Weakness:
        user = user_name(self._uid or 0)
        owner, group = user_name(info.st_uid), group_name(info.st_gid)
        command = _command(path, fault, user, is_link=stat.S_ISLNK(info.st_mode))
        return Weakness(path, fault, owner, group, f"{stat.S_IMODE(info.st_mode):04o}", user, command)

    def _walk_on_windows(self, path: str) -> _CheckedPath:
        """Check the owner of every part, but not the access lists."""
        real = os.path.realpath(path)
        for part in reversed(upwards(real)):
            owner = untrusted_owner(part)
            if owner is not None:
                user = os.environ.get("USERNAME", "")
                return _CheckedPath(real, Weakness(part, "owner", owner, "", "", user, f'takeown /F "{part}"'))
        return _CheckedPath(real, None)


def is_read_only(path: str) -> bool:
    """Return whether a path is on a read-only file system (POSIX).

    Kubernetes mounts configurations in this way, from a folder with mode 0777, and secrets that all users can read.
    """
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:  # gone in the meantime
        return False


def parts_of(path: str) -> list[str]:
    """Return the parts of a path, the last first."""
    return [part for part in reversed(path.split(os.sep)) if part not in ("", os.curdir)]


def _command(path: str, fault: Fault, user: str, *, is_link: bool) -> str:
    owner = f"chown -h {user}" if is_link else f"chown {user}"  # without -h for the target of a link
    # Without the group bit, no entry of an access list counts.
    change = {"owner": owner, "group": "chmod g-w", "list": "chmod g-w", "everybody": "chmod go-w"}[fault]
    return f"{change} {shlex.quote(path)}"


# ── access list ────────────────────────────────────────────────────────────────────────

# POSIX access lists (ACL) of Linux. With a list, the group bits of a mode are the maximum for all its entries.

_ATTRIBUTE: Final = "system.posix_acl_access"
_VERSION: Final = 4
"""The number of bytes before the entries."""
_ENTRY: Final = struct.Struct("<HHI")
_KINDS: Final = {0x02: "user", 0x08: "group"}
"""The tags of entries that name a user or a group. All other entries are in the mode."""


class Named(Frozen):
    """A user or a group with rights from an access list.

    :ivar kind: ``user`` or ``group``.
    """

    kind: str
    number: int


def allowed(path: str, bit: int) -> list[Named]:
    """Return the users and groups that an access list allows something by name; empty without a list.

    :param bit: the permission, as for all users: ``stat.S_IROTH`` or ``stat.S_IWOTH``. Without this right of the group
        in the mode, no entry counts.
    """
    if sys.platform != "linux":
        return []
    try:
        entries = _ENTRY.iter_unpack(os.getxattr(path, _ATTRIBUTE)[_VERSION:])
        return [Named(_KINDS[tag], number) for tag, rights, number in entries if tag in _KINDS and rights & bit]
    except (OSError, struct.error):  # no ACL, or a file system without ACLs
        return []


# ── user namespace ─────────────────────────────────────────────────────────────────────

# The user namespace of this process, as Linux shows it; needed only where a path looks untrusted.

_IDENTITY: Final = ["0", "0", "4294967295"]
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")  # mountinfo writes a blank as \040


def overflow_uid() -> int | None:
    """Return the user id that stands for all unmapped users; None if every user is mapped."""
    try:
        if Path("/proc/self/uid_map").read_text(encoding="ascii").split() == _IDENTITY:
            return None
        return int(Path("/proc/sys/kernel/overflowuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def is_above_mount(path: str) -> bool:
    """Return whether a file system is mounted below a folder."""
    below = os.path.join(path, "")
    return any(point.startswith(below) and point != path for point in _mount_points())


def _mount_points() -> list[str]:
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    return [_ESCAPED.sub(lambda found: chr(int(found[1], 8)), line.split(" ")[4]) for line in lines]


# ── windows owner ──────────────────────────────────────────────────────────────────────

# The owner of a file on Windows.

_TRUSTED: Final = {
    "S-1-5-18",  # SYSTEM
    "S-1-5-32-544",  # Administrators
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",  # TrustedInstaller
}
_SE_FILE_OBJECT: Final = 1
_OWNER_SECURITY_INFORMATION: Final = 1
_TOKEN_QUERY: Final = 8
_TOKEN_USER: Final = 1


def untrusted_owner(path: str) -> str | None:
    """Return the security identifier of a path's owner, unless it is the running user or a part of Windows.

    None also if Windows does not report the owner, such as on FAT.
    """
    if sys.platform == "win32" and (owner := _owner(path)) is not None:
        return None if owner in _TRUSTED or owner == _user() else owner
    return None


if sys.platform == "win32":

    def _owner(path: str) -> str | None:
        owner, descriptor = ctypes.c_void_p(), ctypes.c_void_p()
        get = ctypes.windll.advapi32.GetNamedSecurityInfoW
        get.argtypes = [wintypes.LPCWSTR, ctypes.c_int, wintypes.DWORD, *[ctypes.c_void_p] * 5]
        found, kind, wanted = ctypes.byref(descriptor), _SE_FILE_OBJECT, _OWNER_SECURITY_INFORMATION
        if get(path, kind, wanted, ctypes.byref(owner), None, None, None, found) != 0:
            return None
        try:
            return _as_text(owner)
        finally:
            _free(descriptor)

    def _user() -> str | None:
        class TokenUser(ctypes.Structure):
            _fields_ = (("sid", ctypes.c_void_p), ("attributes", wintypes.DWORD))

        kernel, security = ctypes.windll.kernel32, ctypes.windll.advapi32
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        security.OpenProcessToken.argtypes = [wintypes.HANDLE, wintypes.DWORD, ctypes.c_void_p]
        arguments = [wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD, ctypes.c_void_p]
        security.GetTokenInformation.argtypes = arguments
        token = wintypes.HANDLE()
        if not security.OpenProcessToken(kernel.GetCurrentProcess(), _TOKEN_QUERY, ctypes.byref(token)):
            return None
        try:
            buffer, needed = ctypes.create_string_buffer(256), wintypes.DWORD()
            if not security.GetTokenInformation(token, _TOKEN_USER, buffer, len(buffer), ctypes.byref(needed)):
                return None
            return _as_text(ctypes.cast(buffer, ctypes.POINTER(TokenUser)).contents.sid)
        finally:
            kernel.CloseHandle(token)

    def _as_text(sid: Any) -> str | None:
        text = wintypes.LPWSTR()
        convert = ctypes.windll.advapi32.ConvertSidToStringSidW
        convert.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        if not convert(sid, ctypes.byref(text)):
            return None
        try:
            return text.value
        finally:
            _free(text)

    def _free(memory: Any) -> None:
        ctypes.windll.kernel32.LocalFree.argtypes = [ctypes.c_void_p]
        ctypes.windll.kernel32.LocalFree(memory)
