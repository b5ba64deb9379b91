"""Watches which files of the package open the files of a store."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

import dnsrenew

PACKAGE: Final = os.path.dirname(os.path.abspath(dnsrenew.__file__)) + os.sep
_BY_HANDLE: Final = {"os.mkdir": 2, "os.remove": 1, "os.rmdir": 1}
"""Where the arguments of an event have the handle of the folder that its path is relative to."""
_EVENTS: Final = frozenset({"open", "os.listdir", "os.scandir", "os.rename", "os.link", "os.symlink", *_BY_HANDLE})

Access = tuple[str, str]
"""`store`, or the file of the package outside it; and the path in the store."""


class _Watch:
    """What is watched now. A hook cannot be removed, so there is one, which does nothing meanwhile."""

    root: str | None = None
    is_hooked = False
    found: list[Access]


def _hook(event: str, args: tuple[Any, ...]) -> None:
    root = _Watch.root
    if root is None or event not in _EVENTS or not isinstance(args[0], (str, bytes, os.PathLike)):
        return
    path = os.fsdecode(args[0])
    handle = args[_BY_HANDLE[event]] if event in _BY_HANDLE else -1
    if handle >= 0:
        path = os.path.join(os.readlink(f"/proc/self/fd/{handle}"), path)
    if os.path.join(path, "").startswith(root):
        place = _opener(sys._getframe(1))
        if place is not None:
            _Watch.found.append((place, os.path.relpath(path, root)))


def _opener(frame: FrameType | None) -> str | None:
    """Return `store`, or the file of the package that wants a file: not one in `base`, whose functions serve others.

    A method of a class of the store counts as the store's, though its code may be inherited.
    """
    while frame is not None:
        place = frame.f_code.co_filename
        if type(frame.f_locals.get("self")).__module__.startswith("dnsrenew.store."):
            return "store"
        if place.startswith(PACKAGE) and os.path.dirname(place) != os.path.join(PACKAGE, "base"):
            inside = place.removeprefix(PACKAGE)
            return "store" if inside.startswith("store" + os.sep) else inside
        frame = frame.f_back
    return None


@contextlib.contextmanager
def store_access(store: Path) -> Iterator[list[Access]]:
    """Give the list of accesses to the files of a store, of all threads, as they are made."""
    if not _Watch.is_hooked:
        sys.addaudithook(_hook)
        _Watch.is_hooked = True
    _Watch.found, _Watch.root = [], os.path.join(os.path.realpath(store), "")
    try:
        yield _Watch.found
    finally:
        _Watch.root = None
