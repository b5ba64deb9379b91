"""Gives files and folders access lists (ACL), without a program for it."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

_NOBODY = 0xFFFFFFFF
_TAGS = {"user": 0x02, "group": 0x08}


def let(path: Path, kind: str, number: int, rights: int) -> None:
    """Let a user or a group use a file or folder; skip the test where there are no access lists.

    :param rights: as in a mode, such as 7.
    """
    if sys.platform != "linux":
        pytest.skip("the access lists of Linux")
    mode = path.stat().st_mode
    owner, others = mode >> 6 & 7, mode & 7
    entries = [(0x01, owner, _NOBODY), (_TAGS[kind], rights, number), (0x04, mode >> 3 & 7, _NOBODY)]
    entries = sorted([*entries, (0x10, rights, _NOBODY), (0x20, others, _NOBODY)])
    try:
        packed = b"".join(struct.pack("<HHI", *entry) for entry in entries)
        os.setxattr(path, "system.posix_acl_access", struct.pack("<I", 2) + packed)
    except OSError:
        pytest.skip("this file system has no access lists")
