"""Temporary folders in memory, for tests with thousands of writes."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MEMORY: Final = "/dev/shm"


@contextlib.contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory where that exists, because these tests need no real disk."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as folder:
        yield Path(folder)


def here(place: object) -> Path:
    """The path of a store, or of a part of one, in a test whose store is a folder."""
    assert isinstance(place, Path)
    return place
