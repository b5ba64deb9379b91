"""Writes log lines with fields to the journal of systemd, by its native protocol.

Each line is one datagram of fields, ``NAME=VALUE``; a value with line feeds has its length in front instead (64 bits,
little-endian). See https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Final

SOCKET: Final = "/run/systemd/journal/socket"
_STREAM: Final = "JOURNAL_STREAM"
_SEND_TIMEOUT: Final = 1.0


def is_read_by_journal(descriptor: int, environ: Mapping[str, str]) -> bool:
    """Tell whether the journal reads what is written to a file descriptor.

    ``$JOURNAL_STREAM`` has its device and inode, unless it was inherited and the output goes elsewhere.
    """
    device, _, inode = environ.get(_STREAM, "").partition(":")
    if not (device.isdecimal() and inode.isdecimal()):
        return False
    try:
        info = os.fstat(descriptor)
    except OSError:
        return False
    return (int(device), int(inode)) == (info.st_dev, info.st_ino)


def encode(fields: Mapping[str, str]) -> bytes:
    """Return the datagram for the fields."""
    parts = []
    for name, value in fields.items():
        data = value.encode(errors="backslashreplace")
        if b"\n" in data:
            parts.append(b"%s\n%s%s\n" % (name.encode(), len(data).to_bytes(8, "little"), data))
        else:
            parts.append(b"%s=%s\n" % (name.encode(), data))
    return b"".join(parts)


class SystemdJournal:
    """The socket of the journal.

    :param path: its path.
    """

    def __init__(self, path: str = SOCKET) -> None:
        self._path = path

    def send(self, fields: Mapping[str, str]) -> bool:
        """Send one line; return whether the journal took it.

        A line that is larger than a datagram is not sent (the protocol would need a sealed file for it).
        """
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_SEND_TIMEOUT)
                sender.sendto(encode(fields), self._path)
        except OSError:
            return False
        return True
