"""A file for a library that reads nothing else: OpenSSL takes certificates and keys from files only."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def memory_file(data: bytes) -> Iterator[str]:
    """Yield the path of a file with this content, which only this process can open; it is gone after the block.

    On Linux it is never on a disk. Elsewhere it is a temporary file of the user.

    :raises OSError: it cannot be made.
    """
    handle, path = _make()
    try:
        with open(handle, "wb", closefd=False) as file:
            file.write(data)
        yield path
    finally:
        os.close(handle)
        if not path.startswith("/proc/"):
            os.unlink(path)


def _make() -> tuple[int, str]:
    """Return the descriptor and the path of an empty file."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("dnsrenew")
        path = f"/proc/self/fd/{handle}"
        if os.path.exists(path):
            return handle, path
        os.close(handle)
    return tempfile.mkstemp(prefix="dnsrenew-")
