"""A TCP proxy on the loopback that cuts, hangs and delays its connections."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import Final, Self

LOOPBACK: Final = "127.0.0.1"


class Proxy:
    """A TCP proxy in front of the server, in threads of this process.

    :ivar port: where it listens on 127.0.0.1.
    :ivar delay: seconds by which it delays what it passes on, each way.
    """

    def __init__(self, target: int) -> None:
        """Listen at once, on a free port.

        :param target: the port of the server.
        """
        self.delay = 0.0
        self._target = target
        self._flows = threading.Event()
        self._flows.set()
        self._refuses = False
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._pumps: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._closed = False
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hang(self) -> None:
        """Accept connections and pass nothing on, not even their end, until :meth:`flow`."""
        self._flows.clear()

    def flow(self) -> None:
        """Pass on the held data, and everything from now on; accept connections again."""
        self._refuses = False
        self._flows.set()

    def cut(self, *, refuse: bool = False) -> None:
        """Reset every connection.

        :param refuse: reset new ones too, until :meth:`flow`.
        """
        self._refuses = refuse
        with self._lock:
            pairs, self._pairs = self._pairs, []
            pumps, self._pumps = self._pumps, []
        for pair in pairs:
            for side in pair:
                _reset(side)
        for pump in pumps if self._flows.is_set() else ():
            pump.join(5)  # the reset is sent when the last thread has left the socket
        if pairs:
            time.sleep(0.01)  # the kernel delivers the resets

    def close(self) -> None:
        """Close the port and every connection."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._flows.set()
        self.cut()

    @property
    def connections(self) -> int:
        """The number of connections that are open."""
        with self._lock:
            return len(self._pairs)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                _reset(near)
                continue
            try:
                far = socket.create_connection((LOOPBACK, self._target), timeout=5)
                far.settimeout(None)
            except OSError:
                _reset(near)
                continue
            for side in (near, far):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ways = ((near, far), (far, near))
            pumps = [threading.Thread(target=self._pump, args=(*way, (near, far)), daemon=True) for way in ways]
            with self._lock:
                self._pairs.append((near, far))
                self._pumps = [*(pump for pump in self._pumps if pump.is_alive()), *pumps]
                for pump in pumps:
                    pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket, pair: tuple[socket.socket, socket.socket]) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(65536)
                if self.delay:
                    time.sleep(self.delay)
                self._flows.wait()
                if not data:
                    break
                sink.sendall(data)
        with self._lock:
            known = pair in self._pairs
            if known:
                self._pairs.remove(pair)
        if known:
            for side in pair:
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)
                side.close()


def _reset(side: socket.socket) -> None:
    with contextlib.suppress(OSError):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        side.shutdown(socket.SHUT_RD)  # wakes the thread that reads it
    side.close()
