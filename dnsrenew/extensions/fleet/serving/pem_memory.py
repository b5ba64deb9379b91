"""OpenSSL reads certificates from files only, as far as Python offers it: a file that is never on a disk."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


def load_pair(context: ssl.SSLContext, chain: str, key: bytes) -> None:
    """Load a certificate and its private key, both PEM, into a context.

    :raises OSError: no file can be made.
    :raises ssl.SSLError: certificate and key do not fit, or are none.
    """
    content = key + b"\n" + chain.encode()
    if not _from_memory(context, content):
        _from_private_file(context, content)


def _from_memory(context: ssl.SSLContext, content: bytes) -> bool:
    """Return whether this system has files in memory, and shows them in /proc."""
    if not hasattr(os, "memfd_create"):
        return False
    handle = os.memfd_create("dnsrenew", os.MFD_CLOEXEC)
    with open(handle, "wb") as file:
        file.write(content)
        file.flush()
        path = f"/proc/self/fd/{handle}"
        if not os.path.exists(path):
            return False
        _load(context, path)
    return True


def _from_private_file(context: ssl.SSLContext, content: bytes) -> None:
    """Load from a temporary file that only this user can read, and which is removed at once."""
    handle, path = tempfile.mkstemp(prefix="dnsrenew-")  # mode 0600
    try:
        with open(handle, "wb") as file:  # closed before OpenSSL opens it, for Windows
            file.write(content)
        _load(context, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _load(context: ssl.SSLContext, path: str) -> None:
    context.load_cert_chain(path, password="")  # or an encrypted key would make OpenSSL ask at the terminal
