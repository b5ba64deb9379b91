"""POSIX access lists (ACL) of Linux: with one, the group bits of a mode are the most that any of its entries allows."""

from __future__ import annotations

import os
import struct
import sys
from typing import Final

from dnsrenew.base.values import Frozen

_ATTRIBUTE: Final = "system.posix_acl_access"
_VERSION: Final = 4
"""Bytes before the entries."""
_ENTRY: Final = struct.Struct("<HHI")
_KINDS: Final = {0x02: "user", 0x08: "group"}
"""The tags of entries that name a user or a group; the others are in the mode."""


class Named(Frozen):
    """A user or a group that an access list allows something.

    :ivar kind: ``user`` or ``group``.
    """

    kind: str
    number: int


def allowed(path: str, bit: int) -> list[Named]:
    """Return who is allowed something by name; none without an access list.

    :param bit: the permission, as for everybody: ``stat.S_IROTH`` or ``stat.S_IWOTH``. The mode must allow it to the
        group: otherwise no entry counts.
    """
    if sys.platform != "linux":
        return []
    try:
        entries = _ENTRY.iter_unpack(os.getxattr(path, _ATTRIBUTE)[_VERSION:])
        return [Named(_KINDS[tag], number) for tag, rights, number in entries if tag in _KINDS and rights & bit]
    except (OSError, struct.error):  # none, or a file system that has none
        return []
