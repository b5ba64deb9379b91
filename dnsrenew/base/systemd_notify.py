"""Tells systemd the state of this service, by the protocol of ``sd_notify(3)`` and its watchdog.

A message is one datagram of ``NAME=VALUE`` lines to the socket in ``$NOTIFY_SOCKET``, a path or, with ``@`` in front, a
name in the abstract namespace of Linux. Without the variable, no message is sent.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Final

SEND_TIMEOUT: Final = 1.0
"""Seconds for the kernel to accept a message, because the queue of a hanging systemd is full."""
_SOCKET: Final = "NOTIFY_SOCKET"
_PERIOD: Final = "WATCHDOG_USEC"
_PROCESS: Final = "WATCHDOG_PID"


class ServiceNotifier:
    """Sends messages about this service. It never raises, because a service works without them.

    :param address: the address of the socket; if empty, no message is sent.
    """

    def __init__(self, address: str = "") -> None:
        supported = address[:1] in {"/", "@"} and hasattr(socket, "AF_UNIX")
        self._address = ("\0" + address[1:] if address[:1] == "@" else address) if supported else ""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> ServiceNotifier:
        """Return the notifier of this process."""
        return cls(environ.get(_SOCKET, ""))

    def send(self, **fields: str | int) -> bool:
        """Send one message, such as ``READY=1``; return whether it was sent."""
        if not self._address:
            return False
        lines = (f"{name}={str(value).translate({10: ' '})}" for name, value in fields.items())
        message = "\n".join(lines).encode()
        return _is_sent(message, self._address)


def _is_sent(message: bytes, address: str) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(SEND_TIMEOUT)
            sender.sendto(message, address)
    except OSError:
        return False
    return True


class LifeSign:
    """The signs of life of a loop. Each one says when the next one comes at the latest. Thread-safe.

    :param monotonic: a clock in seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._until = monotonic()

    def give(self, seconds: float) -> None:
        """Give a sign of life. The next one comes within this many seconds."""
        self._until = self._monotonic() + seconds

    @property
    def is_alive(self) -> bool:
        """Whether the next sign is not late."""
        return self._monotonic() <= self._until


def watchdog_period(environ: Mapping[str, str]) -> float | None:
    """Return the seconds after which systemd ends a silent service, or None if it does not watch this process."""
    period, process = environ.get(_PERIOD, ""), environ.get(_PROCESS, "")
    if not period.isdecimal() or int(period) == 0 or process not in {"", str(os.getpid())}:
        return None
    return int(period) / 1e6


class Watchdog:
    """Tells systemd twice in each period that this service is alive, as long as its loop is.

    :param period: seconds, as :func:`watchdog_period` returns them.
    """

    def __init__(self, notifier: ServiceNotifier, life_sign: LifeSign, period: float) -> None:
        self._notifier = notifier
        self._life_sign = life_sign
        self._pause = period / 2
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="dnsrenew-watchdog", daemon=True).start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()

    def _run(self) -> None:
        while True:
            if self._life_sign.is_alive:
                self._notifier.send(WATCHDOG=1)
            if self._stopped.wait(self._pause):
                return


# ── journal ────────────────────────────────────────────────────────────────────────────

# Writes log lines with fields to the journal of systemd, by its native protocol.
#
# Each line is one datagram of fields, ``NAME=VALUE``; a value with line feeds has its length in front instead (64
# bits, little-endian). See https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.

SOCKET: Final = "/run/systemd/journal/socket"
_STREAM: Final = "JOURNAL_STREAM"


def is_read_by_journal(descriptor: int, environ: Mapping[str, str]) -> bool:
    """Return whether the journal reads the output to a file descriptor.

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
        """Send one line; return whether the journal accepted it.

        A line that is larger than a datagram is not sent, because the protocol would need a sealed file for it.
        """
        return _is_sent(encode(fields), self._path)
