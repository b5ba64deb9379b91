"""Keeps a version from being pruned while a process uses its paths: a shared lock on one of its files.

The operating system ends the lock with the process, so nothing has to be cleaned up. On Windows the open file alone
keeps its folder from being moved.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Final

from dnsrenew.store.paths import META

if sys.platform != "win32":
    import fcntl

_BINARY: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


def hold(folder: str) -> int | None:
    """Hold a version, and return the descriptor that holds it until it is closed; None if it cannot be held.

    :param folder: of the version.
    """
    try:
        handle = os.open(os.path.join(folder, META), os.O_RDONLY | _BINARY)
    except OSError:
        return None
    try:
        if sys.platform != "win32":
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # it is being removed, or the file system has no locks
        os.close(handle)
        return None
    return handle


def is_held(folder: str) -> bool:
    """Tell whether a live process holds a version."""
    if sys.platform == "win32":
        return False
    try:
        handle = os.open(os.path.join(folder, META), os.O_RDWR | _BINARY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks: nothing can be held there
        return False
    finally:
        with contextlib.suppress(OSError):
            os.close(handle)
    return False
