"""Names and home folders of users, and groups with only one user. POSIX, except for :func:`this_user`."""

from __future__ import annotations

import os
import sys
from typing import Final

if sys.platform != "win32":
    import grp
    import pwd

_VARIABLES: Final = ("LOGNAME", "USER", "LNAME", "USERNAME")
"""The environment variables with the login name, in the order of Python's ``getpass``."""


def this_user() -> str:
    """Return the login name of this user, or the number as text, because in a container the user may have no name."""
    named = next(filter(None, map(os.environ.get, _VARIABLES)), "")
    return named or ("" if sys.platform == "win32" else user_name(os.getuid()))


def home_of(name: str) -> str:
    """Return the home folder of a user by login name; "" if unknown."""
    try:
        return "" if sys.platform == "win32" else pwd.getpwnam(name).pw_dir
    except (KeyError, ValueError):
        return ""


def user_name(uid: int) -> str:
    """Return the login name of a user, or the number as text if the user has no name."""
    try:
        return str(uid) if sys.platform == "win32" else pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """Return the name of a group, or the number as text if the group has no name."""
    try:
        return str(gid) if sys.platform == "win32" else grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def is_private_group(gid: int, uid: int) -> bool:
    """Return whether a group is the user's own: the primary group, named like the user, without another member.

    Debian and others create such a group for each user, with the umask 002.
    """
    if sys.platform == "win32":
        return False
    try:
        user, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    if user.pw_gid != gid or user.pw_name != group.gr_name or set(group.gr_mem) - {user.pw_name}:
        return False
    return all(other.pw_uid == uid for other in pwd.getpwall() if other.pw_gid == gid)


def user_id(name: str) -> int | None:
    """Return the id of a user by login name or number, or None if the name does not exist."""
    try:
        if name.isdecimal():
            return int(name)
        return None if sys.platform == "win32" else pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError):  # ValueError: no user has such a name
        return None


def group_id(name: str) -> int | None:
    """Return the id of a group by name or number, or None if the name does not exist."""
    if name.isdecimal():
        return int(name)
    try:
        return None if sys.platform == "win32" else grp.getgrnam(name).gr_gid
    except KeyError:
        return None
