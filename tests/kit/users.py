"""Other users: what they own, and a test that goes on as one of them. Only root can do this."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534
as_root = pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give files away")


@contextlib.contextmanager
def acting_as(uid: int) -> Iterator[None]:
    """Act as another user without groups of root's, and come back."""
    groups, gid, own = os.getgroups(), os.getegid(), os.geteuid()
    os.setgroups([])
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(own)
        os.setegid(gid)
        os.setgroups(groups)


def open_way(folder: Path) -> Path:
    """Let every user pass through a folder and those above it that are ours; pytest's own are closed."""
    for path in (folder, *folder.parents):
        if path.stat().st_uid == os.geteuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    return folder
